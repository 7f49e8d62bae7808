"""``groat batch``: many questions from a file, with progress, rate limits, and going on after any kind of end."""

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from graph.batching import WINDOW_S, drop_state, kept_asker, patient, state_file, throttled
from graph.batching_provider import provider_asker
from graph.context import Context
from groat.batch import AHEAD, Asker, BadRow, Results, Row, Step, count_rows, read_rows, run
from groat.batch.rows import STANDARD_INPUT, bad_row
from groat.errors import BadInput, ModelError
from serve.application import Application, load_application
from serve.cli.batch_told import Ended, progress, show, summary
from serve.cli.output import JsonOption, console, write_json
from serve.remote_batch import ServerAsker, check_server

_AUDIT_WAIT_S = 5.0
_TELLING_WAIT_S = 2.0
_STOPPED = 130
"""The exit code of a command that was interrupted."""


Rows = Iterator[Row | BadRow]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was asked for on the command line."""

    source: str
    out: Path
    context: Context
    at_once: int
    rpm: int | None
    tpm: int | None
    resume: bool
    skip_bad: bool
    provider_batch: bool = False
    poll_s: float = 30.0
    server: str = ""
    """Address of the LangGraph server that answers; empty for the graph of this process."""

    @property
    def again(self) -> str:
        """Return the command that goes on."""
        options: dict[str, object] = {
            "max-concurrency": self.at_once, "rpm": self.rpm, "tpm": self.tpm, "tenant": self.context.tenant,
            "tier": self.context.tier, "max-quality-loss": self.context.max_quality_loss, "server": self.server or None,
        }  # fmt: skip
        usual = {"tenant": "default", "tier": "auto", "max-quality-loss": 0.01}
        told = [f"--{name} {value}" for name, value in options.items() if value not in (None, usual.get(name))]
        more = ["--resume"]
        more += ["--skip-bad"] if self.skip_bad else []
        more += ["--provider-batch"] if self.provider_batch else []
        return " ".join(["groat batch", self.source, str(self.out), *told, *more])


def batch_command(
    questions: Annotated[str, typer.Argument(metavar="IN", help="Rows, .jsonl or .jsonl.gz; - reads standard input.")],
    answers: Annotated[Path, typer.Argument(metavar="OUT", help="Answers in the order of the rows, .jsonl.")],
    max_concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Most questions, and requests to models, at once.")
    ] = 16,
    rpm: Annotated[int | None, typer.Option(min=1, help="Most requests a minute to all models together.")] = None,
    tpm: Annotated[int | None, typer.Option(min=1, help="Most tokens a minute, in and out, to all models together.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what OUT holds.")] = False,
    tenant: Annotated[str, typer.Option(help="Whose documents and answers, for rows that name none.")] = "default",
    tier: Annotated[Literal["auto", "cheap", "expensive"], typer.Option(help="Which model must answer.")] = "auto",
    max_quality_loss: Annotated[float, typer.Option(help="Largest mean loss of quality, 0 to 1.")] = 0.01,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")] = False,
    provider_batch: Annotated[
        bool,
        typer.Option("--provider-batch", help="Buy the models' replies at the provider's batch endpoint, within a day."),
    ] = False,
    poll: Annotated[float, typer.Option(min=0.01, metavar="SECONDS", help="Between two looks at a provider's batch.")] = 30.0,
    server: Annotated[str, typer.Option(metavar="URL", help="Fan out over the workers of this LangGraph server.")] = "",
    json_file: JsonOption = None,
) -> None:
    """Answer many questions; equal ones are answered once. Rows without an answer go to OUT's neighbour .failed.jsonl."""
    if server and (provider_batch or rpm or tpm):
        raise BadInput("--server takes neither --provider-batch nor --rpm and --tpm; set GROAT_CHEAP_RPM and the like there")
    plan = Plan(
        source=questions,
        out=answers,
        context=Context(tenant=tenant, tier=tier, max_quality_loss=max_quality_loss),
        at_once=max_concurrency,
        rpm=rpm,
        tpm=tpm,
        resume=resume,
        skip_bad=skip_bad,
        provider_batch=provider_batch,
        poll_s=poll,
        server=server,
    )
    try:
        ended = asyncio.run(_run(plan))
    except asyncio.CancelledError:  # a second Ctrl-C: nothing is lost, and nothing more is waited for
        raise typer.Exit(_STOPPED) from None
    if json_file is not None:
        write_json(summary(ended), json_file)
    else:
        show(console(), plan.out, ended)
    if ended.halted:
        raise ModelError(f"{ended.halted}; then go on with: {plan.again}", failure="unknown")
    if ended.stopped:
        Console(stderr=True, highlight=False).print(f"stopped; go on with: {plan.again}", markup=False, soft_wrap=True)
        raise typer.Exit(_STOPPED)


async def _run(plan: Plan) -> Ended:
    begun = time.perf_counter()
    total = await asyncio.to_thread(count_rows, plan.source, skip_bad=plan.skip_bad)
    results = Results(plan.out, resume=plan.resume)
    stop = asyncio.Event()
    try:
        rows = _unfinished(plan, results)
        with _orderly(stop), progress(plan.source, total, results.tally) as step:
            work = _bought(plan, results, rows, stop, step) if plan.provider_batch else _asked(plan, results, rows, stop, step)
            ended = await work
    finally:
        results.close()
    ended = replace(ended, seconds=time.perf_counter() - begun, stopped=stop.is_set() and not ended.halted)
    if not ended.stopped and not ended.halted:
        drop_state(state_file(plan.out))
    return ended


async def _asked(plan: Plan, results: Results, rows: Rows, stop: asyncio.Event, step: Step) -> Ended:
    """Ask the graph of this process, row by row."""
    # Only what an earlier run left under way needs a look ahead, for which a pipe would make one wait.
    head = list(itertools.islice(rows, plan.at_once * AHEAD)) if state_file(plan.out).exists() else []
    async with _asker(plan, [row for row in head if isinstance(row, Row)]) as asker:
        halted = await run(
            itertools.chain(head, rows), asker, results, at_once=plan.at_once, stop=stop, step=step,
            read_at_once=1 if plan.source == STANDARD_INPUT else 64,
        )  # fmt: skip
    return Ended(tally=results.tally, halted=halted)


async def _bought(plan: Plan, results: Results, rows: Rows, stop: asyncio.Event, step: Step) -> Ended:
    """Have the models' replies bought through the provider's batch endpoint."""
    app = load_application()
    state = state_file(plan.out)
    try:
        async with provider_asker(app.services, plan.context, state, poll_s=plan.poll_s, at_once=plan.at_once) as asker:
            halted = await asker.run(rows, results, stop=stop, step=step)
            spared, bought = await asker.savings()
    finally:
        await _close(app)
    return Ended(tally=results.tally, halted=halted, bought=bought, spared_usd=spared)


def _unfinished(plan: Plan, results: Results) -> Rows:
    """Yield the rows that are not written yet."""
    finished = results.tally.rows
    for row in read_rows(plan.source):
        if row.number > finished:
            if isinstance(row, BadRow) and not plan.skip_bad:
                raise BadInput(bad_row(plan.source, row))
            yield row
        elif not results.belongs(row):
            raise BadInput(f"{plan.out} holds another question at row {row.number} than {plan.source}; name another file")


@asynccontextmanager
async def _asker(plan: Plan, head: list[Row]) -> AsyncIterator[Asker]:
    if plan.server:
        await check_server(plan.server)
        remote = ServerAsker(plan.server, plan.context, plan.out)
        try:
            yield remote
        finally:
            await remote.close()
        return
    app = load_application()
    throttle = throttled(app.services, at_once=plan.at_once, rpm=plan.rpm, tpm=plan.tpm)
    state = state_file(plan.out)
    if (plan.rpm or plan.tpm) and state.exists():
        # What was sent before the kill counts at the provider until its minute is over.
        await throttle.hold(max(0.0, _touched(state) + WINDOW_S - time.time()))
    try:
        async with kept_asker(patient(app.services, app.settings), plan.context, state, head) as asker:
            yield asker
    finally:
        await _close(app)


def _touched(state: Path) -> float:
    return max(path.stat().st_mtime for path in state.parent.glob(f"{state.name}*"))


async def _close(app: Application) -> None:
    for later in (app.services.recorder, app.services.audits, app.services.route_audits):
        if later is not None:
            await later.close(within_s=_AUDIT_WAIT_S)
    await asyncio.to_thread(app.tracing.flush, within_s=_TELLING_WAIT_S)


@contextmanager
def _orderly(stop: asyncio.Event) -> Iterator[None]:
    """At the first SIGINT or SIGTERM end what is under way and begin nothing new; at the second end at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # who runs in a loop is one

    def told() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    for one in signals:
        loop.add_signal_handler(one, told)
    try:
        yield
    finally:
        for one in signals:
            loop.remove_signal_handler(one)
