"""``groat route``: the router's card, its versions, and which of them serves."""

import asyncio
import datetime
from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, get_args

import typer
from rich.table import Table

from graph.route_auditing import open_records
from graph.services import open_versions
from groat.errors import ArtifactError, BadInput
from groat.routing.artifact import Population, RouterArtifact
from groat.routing.records import Outcome
from groat.routing.versions import SHIPPED, RouterVersions
from groat.types import Language
from serve.application import Application, load_application
from serve.cli.output import JsonOption, console, dollars, write_json

route_app = typer.Typer(help="Fit, compare and promote routers.", no_args_is_help=True, rich_markup_mode=None)

ArtifactOption = Annotated[
    str | None, typer.Option("--artifact", metavar="VERSION|FILE", help="Which router; the one that serves without it.")
]


@route_app.callback()
def route() -> None:
    """Fit, compare and promote routers."""


@route_app.command("card")
def card_command(artifact: ArtifactOption = None, json_file: JsonOption = None) -> None:
    """Show what a router was fitted on, how good it is, and what it promises."""
    versions = open_versions(load_application().settings)
    name, router = versions.serving() if artifact is None else (artifact, versions.load(artifact))
    if json_file is not None:
        write_json({"name": name, **card_of(router)}, json_file)
        return
    out = console()
    out.print(f"{name}: version {router.version}, vectors {router.embedder}", markup=False)
    for field, value in router.card.items():
        if not isinstance(value, dict):
            out.print(f"{field.replace('_', ' ')}: {'none' if value is None else value}", markup=False)
    for field, value in router.card.items():
        if isinstance(value, dict) and value:
            out.print(_table(field.replace("_", " "), value))
    out.print(promises(router))


def card_of(router: RouterArtifact) -> dict[str, Any]:
    """Return a router's card with its operating points, for programs."""
    points = {
        f"{population} {language}": {"rows": proof.rows, "points": [list(point) for point in proof.points]}
        for (population, language), proof in router.proofs.items()
    }
    return {"version": router.version, "embedder": router.embedder, "card": router.card, "points": points}


def _table(name: str, rows: dict[str, Any]) -> Table:
    columns = list(dict.fromkeys(key for row in rows.values() if isinstance(row, dict) for key in row))
    table = Table(name, *(column.replace("_", " ") for column in columns or ["value"]), box=None)
    for label, row in rows.items():
        cells = [row.get(column) for column in columns] if isinstance(row, dict) else [row]
        table.add_row(label, *("-" if cell is None else str(cell) for cell in cells))
    return table


def promises(router: RouterArtifact) -> Table:
    """Return what a router has proven, for people: up to which expected gain questions go to the cheap model."""
    table = Table("promised loss", *(f"{p} {lang}" for p in get_args(Population) for lang in get_args(Language)), box=None)
    proofs = {(p, lang): router.proofs.get((p, lang)) for p in get_args(Population) for lang in get_args(Language)}
    table.add_row("(rows)", *(str(proof.rows if proof else 0) for proof in proofs.values()))
    losses = sorted({loss for proof in proofs.values() if proof for loss, _ in proof.points})
    for loss in losses:
        cells = []
        for population, language in proofs:
            most = router.most_gain(loss, population=population, language=language)
            cells.append("-" if most is None else f"gain up to {most:+.3f}")
        table.add_row(f"{loss:.2%}", *cells)
    if not losses:
        table.add_row("none is proven", *("-" for _ in proofs))
    return table


@route_app.command("versions")
def versions_command(json_file: JsonOption = None) -> None:
    """List the routers in the data folder, and which one serves."""
    versions = open_versions(load_application().settings)
    listed, current = _listed(versions)
    if json_file is not None:
        write_json({"current": current, "versions": listed}, json_file)
        return
    out = console()
    table = Table("", "version", "date", "rows", "from", box=None)
    for one in listed:
        mark = "serves" if one["name"] == current else ""
        table.add_row(mark, one["name"], *(str(one[field]) for field in ("date", "rows", "prior")))
    out.print(table)


def _listed(versions: RouterVersions) -> tuple[list[dict[str, Any]], str | None]:
    found = []
    for name in [SHIPPED, *versions.names()]:
        try:
            card = versions.load(name).card
            told = {field: card.get(field) or "-" for field in ("date", "rows", "prior")}
        except ArtifactError:
            told = {"date": "cannot be read", "rows": "-", "prior": "-"}
        found.append({"name": name, **told})
    try:
        return found, versions.pointer().current
    except ArtifactError:
        return found, None


@route_app.command("promote")
def promote_command(version: Annotated[str, typer.Argument(help="One of `groat route versions`, or shipped.")]) -> None:
    """Let a router serve, from the next question on, in all processes; `groat route rollback` undoes it."""
    app = load_application()
    artifact = open_versions(app.settings).promote(version, embedder=app.services.embedder.name)
    console().print(f"{artifact.version} serves now; `groat route rollback` undoes it", markup=False)


@route_app.command("rollback")
def rollback_command() -> None:
    """Let serve again what served before the last promotion."""
    app = load_application()
    name, artifact = open_versions(app.settings).rollback(embedder=app.services.embedder.name)
    console().print(f"{artifact.version} serves again{' (the shipped one)' if name == SHIPPED else ''}", markup=False)


@route_app.command("records")
def records_command(
    tenant: Annotated[str | None, typer.Option(help="This tenant only; all without it.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Drop all records of the tenant.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Show what audits of the router found and cost, and what a shadow would have decided."""
    app = load_application()
    if forget:
        if tenant is None:
            raise BadInput("--forget drops the records of one tenant; name it with --tenant")
        count = asyncio.run(open_records(app.settings).forget(tenant))
        console().print(f"{count} records of {tenant!r} dropped", markup=False)
        return
    told = asyncio.run(_records(app, tenant))
    if json_file is not None:
        write_json(told, json_file)
        return
    out = console()
    for name, value in told.items():
        if name == "shadow":
            continue
        shown = ", ".join(f"{what.replace('_', ' ')} {n}" for what, n in value.items()) if isinstance(value, dict) else value
        out.print(f"{name.replace('_', ' ')}: {shown if shown != '' else 'none'}", markup=False)
    for one in told["shadow"]:
        out.print(
            f"shadow {one['shadow']} beside {one['artifact']}: {one['questions']} questions; to the expensive model "
            f"{one['shadow_strong']} instead of {one['strong']}; {one['differ']} decided otherwise",
            markup=False,
        )


async def _records(app: Application, tenant: str | None) -> dict[str, Any]:
    records = open_records(app.settings)
    outcomes = await records.outcomes(tenant=tenant)
    costs = [Decimal(one.cost_usd) for one in outcomes if one.cost_usd is not None]
    audits = app.services.route_audits
    return {
        "audit_share": audits.share if audits is not None else 0.0,
        "texts_kept": app.settings.route_keep_text,
        "audited": len(outcomes),
        "usable": sum(one.cheap is not None for one in outcomes),
        "since": _day(outcomes),
        "found": dict(Counter(one.found for one in outcomes)),
        "languages": dict(Counter(one.language for one in outcomes)),
        "calls": sum(one.calls for one in outcomes),
        "cost": dollars(sum(costs, Decimal(0))),
        "unknown_prices": len(outcomes) - len(costs),
        "shadow": await shadows(app, tenant),
    }


async def shadows(app: Application, tenant: str | None) -> list[dict[str, Any]]:
    """Return what candidates decided beside the routers that served."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for (artifact, tier, shadow, other), count in (await open_records(app.settings).decisions(tenant=tenant)).items():
        one = found.setdefault((artifact, shadow), {"questions": 0, "strong": 0, "shadow_strong": 0, "differ": 0})
        one["questions"] += count
        one["strong"] += count * (tier == "expensive")
        one["shadow_strong"] += count * (other == "expensive")
        one["differ"] += count * (tier != other)
    return [{"artifact": artifact, "shadow": shadow, **counts} for (artifact, shadow), counts in sorted(found.items())]


def _day(outcomes: list[Outcome]) -> str | None:
    if not outcomes:
        return None
    return datetime.datetime.fromtimestamp(outcomes[0].at, datetime.UTC).date().isoformat()
