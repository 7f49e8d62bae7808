"""``groat cache``: what the answer cache keeps, why it decides as it does, and its bound on one's own questions."""

import asyncio
import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from graph.context import Context
from groat.cache.calibrate import read_stream
from groat.cache.opening import OWN
from groat.cache.verifier import VerifierArtifact
from groat.conversation import read_question
from groat.errors import BadInput
from groat.types import CachedAnswer, Lookup
from nodes.check_cache import CheckCache
from serve.application import Application, load_application
from serve.cli.cache_audits import audit_stats, bound_lines, explained_bound
from serve.cli.output import JsonOption, TenantOption, console, write_json
from serve.health_cache import alarms, counted
from serve.health_cache import lines as counted_lines

cache_app = typer.Typer(help="Look into the answer cache.", no_args_is_help=True, rich_markup_mode=None)


@cache_app.callback()
def cache() -> None:
    """Look into the answer cache."""


@cache_app.command("stats")
def stats_command(
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The day, in UTC; today without it.")] = None,
    tenant: Annotated[str | None, typer.Option(help="This tenant only; all without it.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Show how many answers are kept, what a day's questions hit and why they missed, which rule is in force, and alarms."""
    chosen = datetime.datetime.now(datetime.UTC).date().isoformat() if day is None else day
    stats = asyncio.run(_stats(load_application(), chosen, tenant))
    if json_file is not None:
        write_json(stats, json_file)
        return
    out = console()
    for line in bound_lines(stats.pop("bounds", {})):
        out.print(line, markup=False)
    for name, value in stats.items():
        if name in ("counts", "alarms"):
            continue
        told = (
            ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in value.items())
            if isinstance(value, dict)
            else value
        )
        out.print(f"{name.replace('_', ' ')}: {told}", markup=False)
    for line in [*counted_lines(stats["counts"]), *(f"ALARM: {one['says']}" for one in stats["alarms"])]:
        out.print(line, markup=False)


async def _stats(app: Application, day: str, tenant: str | None) -> dict[str, Any]:
    services = app.services
    report = await services.books.ledger.day(day, tenant=tenant)
    questions = report.questions.questions
    hits = {name: report.by_outcome[name].questions for name in ("hit_exact", "hit_semantic") if name in report.by_outcome}
    served = sum(hits.values())
    rule = services.answers.rule
    audits = await audit_stats(services.answers, services.audits, report, app.settings.audit_share)
    return {
        "kept": await services.answers.count(),
        "day": day,
        "questions": questions,
        "hits": served,
        "hits_exact": hits.get("hit_exact", 0),
        "hits_semantic": hits.get("hit_semantic", 0),
        "hit_rate": round(served / questions, 4) if questions else None,
        "rule": rule.version or "none: only equal questions hit",
        "max_wrong": app.settings.max_wrong,
        "proven": rule.proven(),
        **audits,
        # Of all tenants: no count names one.
        "counts": await counted(services.answers.counts, day),
        "alarms": [{"code": alarm.code, "says": alarm.sentence()} for alarm in await alarms(services.answers.counts)],
    }


@cache_app.command("explain")
def explain_command(
    question: Annotated[str, typer.Argument(help="The question, as somebody would ask it.")],
    tenant: TenantOption = "default",
    json_file: JsonOption = None,
) -> None:
    """Show what the cache would decide on a question, on what evidence; nothing is answered or kept."""
    app = load_application()
    lookup, kept = asyncio.run(_explained(app, question, tenant))
    if json_file is not None:
        write_json({**lookup, "would_serve": kept["answer"] if kept else None}, json_file)
        return
    out = console()
    out.print(f"{lookup['outcome']}, {lookup['reason']}; rule {lookup['calibration'] or 'none'}", markup=False)
    candidate = lookup["candidate"]
    if candidate is None:
        return
    out.print(f"nearest: {candidate['question']}", markup=False)
    out.print(f"cosine {candidate['similarity']:.3f}; found to differ: {', '.join(candidate['differences']) or 'nothing'}")
    if "score" in candidate:
        least, judged = candidate.get("least_score"), candidate.get("judged")
        out.print(
            f"score {candidate['score']:.2f}; the promise takes {'more than any' if least is None else f'{least:.2f}'}; "
            f"judge {'not asked' if judged is None else f'{judged:.3f}'}"
        )
        if "audits" in candidate:
            out.print(explained_bound(candidate["audits"], least, candidate.get("bound")), markup=False)
        shown = sorted(candidate.get("evidence", {}).items(), key=lambda pair: pair[0])
        out.print("evidence: " + ", ".join(f"{name} {value:g}" for name, value in shown), markup=False)


async def _explained(app: Application, question: str, tenant: str) -> tuple[Lookup, CachedAnswer | None]:
    s = app.services
    box = CheckCache(
        answers=s.answers, flights=s.flights, knowledge=s.knowledge, embedder=s.embedder, answerer=s.answerer, books=s.books,
        tenants=s.tenants, scope=s.scope,
    )  # fmt: skip
    asked = read_question(question, [], previous=None, tenant=tenant, language="auto")
    identity = box.identity(asked, Context(tenant=tenant))

    async def versions(ids: object) -> dict[str, str]:
        return await s.knowledge.versions(list(ids), tenant=tenant)  # type: ignore[call-overload]  # a collection of ids

    return await s.answers.lookup(
        identity, asked, embed=s.embedder.query, current_versions=versions, documents_for=box.documents_for
    )


def calibrate_command(
    stream: Annotated[list[Path], typer.Option(help='Rows {"query", "answer_id", "lang"} in order of arrival.')],
) -> None:
    """Bound the share of wrong hits by one's own questions; from then on every process uses it."""
    app = load_application()
    rule = app.services.answers.rule
    if rule.verifier is None:
        raise BadInput(f"no verifier fits the embeddings {app.services.embedder.name!r}; calibrate with the bundled ones")
    # Imported here: scipy takes half a second to import, and every other command would wait for it.
    from evals.calibrate_cache import calibrated

    streams = [read_stream(path) for path in dict.fromkeys(stream)]
    artifact: VerifierArtifact = asyncio.run(calibrated(rule.verifier.artifact, rule, streams, app.services.embedder))
    file = app.settings.data_dir / OWN
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(artifact.to_json(), encoding="utf-8")
    part.replace(file)
    out = console()
    out.print(f"{file}: version {artifact.version}", markup=False)
    for name in sorted(artifact.points):
        points = artifact.points[name]
        if points:
            last = min(points, key=lambda point: point.bound)
            out.print(
                f"{name}: {points[-1].hits} candidates, least bound {last.bound:.2%} from score {last.score}", markup=False
            )
