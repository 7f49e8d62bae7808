"""``groat ask``: one question through the graph."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from graph.asking import Answered, ask, conversations
from graph.context import Context
from graph.telling import kept_spans
from groat.errors import BadInput, GroatError, ModelError
from groat.tracing.tree import tree_lines
from serve.application import load_application
from serve.cli.output import JsonOption, TenantOption, console, dollars, saved, write_json

AUDIT_WAIT_S = 5.0
"""Longest wait at the end for audits, which two hits by likeness in a hundred get and one question in a hundred."""
TELLING_WAIT_S = 2.0
"""Longest wait at the end until traces are sent."""


def ask_command(
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    tenant: TenantOption = "default",
    thread: Annotated[str | None, typer.Option(metavar="ID", help="Conversation that the question belongs to.")] = None,
    tier: Annotated[Literal["auto", "cheap", "expensive"], typer.Option(help="Which model must answer.")] = "auto",
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Serve no kept answer and keep none.")] = False,
    language: Annotated[Literal["auto", "zh", "en"], typer.Option(help="Language of the answer.")] = "auto",
    max_quality_loss: Annotated[float, typer.Option(help="Largest mean loss of quality, 0 to 1.")] = 0.01,
    max_cost: Annotated[float | None, typer.Option(metavar="USD", help="Most that this question may cost.")] = None,
    deadline: Annotated[float, typer.Option(metavar="SECONDS", help="Longest time for the question.")] = 120.0,
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON Schema that the answer must fit; - reads standard input.")
    ] = None,
    show_trace: Annotated[bool, typer.Option("--trace", help="Print the tree of spans too.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Ask one question; print the answer, its way through the graph, its sources and what it cost."""
    context = Context(
        tenant=tenant,
        tier=tier,
        use_cache=not no_cache,
        max_quality_loss=max_quality_loss,
        max_cost_usd=max_cost,
        language=language,
        deadline_s=deadline,
        response_schema=None if schema is None else _read_schema(schema),
    )
    if question == "-":
        question = _read_question()
    load_application()
    spans = kept_spans() if show_trace else None
    answered = asyncio.run(_ask(question, context, thread))
    if json_file is not None:
        write_json(answered, json_file)
    else:
        _print(console(), answered)
    if spans is not None:
        out = Console(stderr=True, highlight=False) if json_file == "-" else console()
        for line in tree_lines(spans.get_finished_spans()):
            out.print(line, markup=False, soft_wrap=True)
    if answered["error"]:
        raise ModelError(answered["error"], failure="unknown")


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        schema = json.loads(text)
    except OSError as error:
        raise BadInput(f"the schema {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"the schema {path} is no JSON in UTF-8; correct it") from error
    if not isinstance(schema, dict):
        raise BadInput(f"the schema {path} is no JSON object; a JSON Schema is one")
    return schema


def _read_question() -> str:
    try:
        return sys.stdin.buffer.read(4_000_000).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput("the question on standard input is not UTF-8; convert it, for instance with iconv") from error


async def _ask(question: str, context: Context, thread: str | None) -> Answered:
    app = load_application()
    try:
        if thread is None:
            return await ask(app.graph, question, context)
        if not thread.strip():
            raise GroatError("the thread is empty; give it any name, or leave --thread out")
        async with conversations(app.services, app.settings.data_dir) as graph:
            return await ask(graph, question, context, thread=thread)
    finally:
        for later in (app.services.recorder, app.services.audits, app.services.route_audits):
            if later is not None:
                await later.close(within_s=AUDIT_WAIT_S)
        await asyncio.to_thread(app.tracing.flush, within_s=TELLING_WAIT_S)


def _print(out: Console, answered: Answered) -> None:
    decisions = answered["decisions"]
    if answered["answer"]:
        mark = "" if answered["verified"] else "  [yellow](unverified)[/]"
        out.print()
        out.print(answered["answer"], markup=False, style="bold")
        if mark:
            out.print(mark.strip())
        out.print()
    out.print("path     " + " → ".join(answered["path"]), markup=False)
    for line in explained(answered):
        out.print("         " + line, markup=False, style="dim")
    for source in answered["sources"]:
        out.print(f"source   {source['title']} [{source['id']}]", markup=False)
    route = decisions["route"]
    if route and route["kind"] == "knowledge" and decisions["compression"] is None:
        out.print("hint     no documents were found; `groat ingest PATH` adds some", markup=False)
    cost, baseline = _text(answered["cost_usd"]), _text(answered["baseline_cost_usd"])
    less = saved(cost, baseline)
    out.print(f"cost     {dollars(cost)}; all expensive {dollars(baseline)}{', ' + less if less else ''}", markup=False)
    out.print(f"time     {answered['latency_ms']:.0f} ms, trace {answered['trace_id']}", markup=False)
    if any("offline" in attempt["model"] for attempt in decisions["attempts"]):
        out.print("         answered offline by quoting; tokens are priced as the reference models (groat doctor)", style="dim")


def explained(answered: Answered) -> list[str]:
    """Return one line for each decision, for people."""
    decisions = answered["decisions"]
    lookup, route, compression = decisions["lookup"], decisions["route"], decisions["compression"]
    near = lookup["candidate"]
    likeness = f", nearest kept question at {near['similarity']:.3f}" if near else ""
    needed = f" of {lookup['threshold']:.3f} needed" if near and lookup["threshold"] is not None else ""
    lines = [f"cache: {lookup['outcome']} ({lookup['reason']}{likeness}{needed})"]
    if route:
        chance = f", cheap is good enough with p={route['p_cheap_ok']:.2f}" if route["p_cheap_ok"] is not None else ""
        cut = f", {route['threshold']:.2f} needed" if route["threshold"] is not None else ""
        reasons = f" ({', '.join(route['reasons'])})" if route["reasons"] else ""
        lines.append(f"route: {route['tier']}{chance}{cut}{reasons}")
    if compression:
        lines.append(
            f"context: {compression['tokens_before']} → {compression['tokens_after']} tokens ({compression['reason']})"
        )
    for attempt, verdict in zip(decisions["attempts"], decisions["verdicts"], strict=True):
        calls = [call["outcome"] for call in attempt["calls"]]
        requests = f", {len(calls)} requests: {', '.join(calls)}" if len(calls) > 1 else ""
        lines.append(f"{attempt['tier']} {attempt['model']}{requests}: {verdict['step']} ({verdict['reason']})")
        if (sure := verdict.get("acceptance")) is not None and verdict["step"] == "accept":
            needed = "" if sure["threshold"] is None else f" of {sure['threshold']:.2f} needed"
            opinion = sure["opinion"]
            told = "" if opinion is None else f", {opinion['model']} agrees {opinion['agreement']:.0%}"
            lines.append(f"  good enough with p={sure['p_ok']:.2f}{needed}{told}")
    return lines


def _text(amount: float | None) -> str | None:
    return None if amount is None else f"{amount:.9f}"
