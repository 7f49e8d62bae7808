"""``groat route fit``: learn a router from one's own labels."""

import asyncio
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.table import Table

from graph.route_auditing import open_records
from graph.services import open_versions
from groat.errors import ArtifactError, BadInput
from groat.routing.artifact import Population, RouterArtifact
from groat.routing.versions import SHIPPED, RouterVersions
from groat.types import Language
from serve.application import Application, load_application
from serve.cli.output import JsonOption, console, write_json
from serve.cli.route import card_of, promises
from serve.cli.running import finished

if TYPE_CHECKING:
    from groat.routing.gathering import Gathered
    from groat.routing.learning import Figures, Learned, Looked

_MOST_TOLD = 20
"""Rows that were left out and are named one by one."""


@dataclass(frozen=True, kw_only=True)
class From:
    """Where labelled questions are to come from."""

    data: Sequence[Path] = ()
    dataset: str = ""
    records: bool = False
    tenant: str | None = None
    with_domain: bool = False
    skip_bad: bool = False
    ignore: Sequence[str] = ()


def fit_command(
    data: Annotated[list[Path] | None, typer.Option(help="Labelled rows, .jsonl or .jsonl.gz.")] = None,
    dataset: Annotated[str, typer.Option(metavar="NAME", help="A data set of LangSmith.")] = "",
    records: Annotated[bool, typer.Option("--records", help="What audits recorded here.")] = False,
    tenant: Annotated[str | None, typer.Option(help="Records of this tenant only.")] = None,
    prior: Annotated[
        str, typer.Option(metavar="VERSION|FILE|none", help="The router to start from; none to learn from the rows alone.")
    ] = SHIPPED,
    max_quality_loss: Annotated[float, typer.Option(help="Promise at which the figures are told, 0 to 1.")] = 0.01,
    with_domain: Annotated[
        bool, typer.Option("--with-domain", help="The rows' domain is the collection that questions will come with.")
    ] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")] = False,
    ignore: Annotated[list[str] | None, typer.Option(metavar="FIELD", help="A field of the rows that means nothing.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Fit a new version on labelled questions; it serves when it is promoted, not before."""
    if not 0 <= max_quality_loss <= 1:
        raise BadInput(f"--max-quality-loss must be 0 to 1, not {max_quality_loss}; 0.01 is one per cent")
    app = load_application()
    versions = open_versions(app.settings)
    begin, note = _prior(versions, prior, app.services.embedder.name)
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from groat.routing.learning import learn

    source = From(
        data=data or (), dataset=dataset, records=records, tenant=tenant, with_domain=with_domain, skip_bad=skip_bad,
        ignore=ignore or (),
    )  # fmt: skip
    found, looked = finished(look_at(app, source))
    learned = learn(
        looked,
        embedder=app.services.embedder.name,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        prior=begin,
        max_quality_loss=max_quality_loss,
    )
    kept = versions.add(learned.artifact)
    told = {
        "rows": len(looked),
        "written": len(found.written),
        "recorded": len(found.recorded),
        "left_out": dict(found.left_out),
        "prior": None if begin is None else begin.version,
        "prior_saw": learned.prior_saw,
        "note": note,
        "max_quality_loss": max_quality_loss,
        "before": learned.before,
        "after": learned.after,
        "no_longer_proven": _no_longer_proven(begin, kept),
        "left_to_shipped": _left_to_shipped(kept),
        "file": str(versions.path(kept.version)),
        **card_of(kept),
    }
    write_json(told, json_file) if json_file is not None else _print(told, learned, kept)


def _no_longer_proven(prior: RouterArtifact | None, fitted: RouterArtifact) -> list[str]:
    """Return the kinds of questions that the router before had a promise for, and the new one decides on and has none for."""
    before = prior.proofs.items() if prior is not None else ()
    return [
        " ".join(kind) for kind, proof in before if proof.points and fitted.covers(*kind) and not fitted.proofs[kind].points
    ]


def _left_to_shipped(fitted: RouterArtifact) -> list[str]:
    """Return the kinds of questions that it was fitted on too few of, so that the shipped router decides on them."""
    kinds = [(population, language) for population in get_args(Population) for language in get_args(Language)]
    return [" ".join(kind) for kind in kinds if not fitted.covers(*kind)]


def _prior(versions: RouterVersions, named: str, embedder: str) -> tuple[RouterArtifact | None, str]:
    if named == "none":
        return None, ""
    try:
        artifact = versions.load(named)
    except ArtifactError as error:
        if named != SHIPPED:
            raise
        return None, f"there is no shipped router to start from ({error}); learned from the rows alone"
    if artifact.embedder == embedder:
        return artifact, ""
    says = f"{named!r} was fitted on vectors of {artifact.embedder!r}, and those in use are of {embedder!r}"
    if named != SHIPPED:
        raise BadInput(f"{says}; name another with --prior, or --prior none")
    return None, f"{says}; learned from the rows alone"


async def look_at(app: Application, source: From) -> "tuple[Gathered, Looked]":
    """Return labelled questions, and all that a router sees of them; vectors are kept in the data folder.

    Raises:
        BadInput: none are named or there is none, or a row is broken.
    """
    from evals.route_judging import embedded
    from evals.vectors import VectorFile
    from groat.routing.gathering import gathered
    from groat.routing.learning import Looked

    if not (source.data or source.dataset or source.records):
        raise BadInput("name labelled questions: --data FILE..., --dataset NAME of LangSmith, or --records")
    outcomes = await open_records(app.settings).outcomes(tenant=source.tenant) if source.records else None
    told: list[str] = []
    found = await asyncio.to_thread(
        gathered,
        source.data,
        dataset=source.dataset,
        outcomes=outcomes,
        embedder=app.services.embedder.name,
        skip_bad=source.skip_bad,
        ignore=source.ignore,
        tell=told.append,
    )
    for message in told[:_MOST_TOLD]:
        typer.echo(f"left out: {message}", err=True)
    if len(told) > _MOST_TOLD:
        typer.echo(f"left out: {len(told) - _MOST_TOLD} more", err=True)
    if not found.written and not found.recorded:
        why = "; ".join(f"{count}: {reason}" for reason, count in found.left_out.items())
        raise BadInput(
            f"no labelled question is left{f' ({why})' if why else ''}; audits label some unless GROAT_ROUTE_AUDIT_SHARE is 0"
        )
    parts = []
    if found.written:
        vectors = VectorFile(app.services.embedder, open_versions(app.settings).folder / "vectors")
        try:
            parts.append(Looked.of(found.written, await embedded(found.written, vectors), domains=source.with_domain))
        finally:
            vectors.save()
    if found.recorded:
        parts.append(Looked.kept(found.recorded, found.seen))
    return found, Looked.joined(parts)


def _print(told: dict[str, Any], learned: "Learned", kept: RouterArtifact) -> None:
    out = console()
    if told["note"]:
        out.print(told["note"], markup=False)
    out.print(f"{told['rows']} rows used: {told['written']} written, {told['recorded']} from records", markup=False)
    for reason, count in told["left_out"].items():
        out.print(f"{count} left out: {reason}", markup=False)
    out.print(figures_table(learned.before, learned.after, told["max_quality_loss"]))
    if learned.prior_saw:
        out.print(f"before is in-sample for {learned.prior_saw} rows, whose questions it was fitted on", markup=False)
    if not learned.after:
        out.print("too few rows to leave a part of them out: nothing can be said of after", markup=False)
    out.print(promises(kept))
    if told["no_longer_proven"]:
        out.print(
            f"nothing is proven any more for {', '.join(told['no_longer_proven'])}: all such questions will go to the expensive"
            " model",
            markup=False,
        )
    if told["left_to_shipped"]:
        out.print(
            f"too few rows of {', '.join(told['left_to_shipped'])}: on these the shipped router goes on deciding", markup=False
        )
    out.print(f"{told['file']}: try it with GROAT_ROUTE_SHADOW={kept.version}, then", markup=False)
    out.print(f"groat route promote {kept.version}", markup=False)


def figures_table(before: "dict[str, Figures]", after: "dict[str, Figures]", promise: float) -> Table:
    """Return what both routers do with questions that they were not fitted on, for people."""
    table = Table("at " + f"{promise:.2%} loss", "lang", "rows", "AUC", "to expensive", "lost", "95 %", box=None)
    for name, parts in (("before", before), ("after", after)):
        for language, one in parts.items():
            table.add_row(
                name, language, str(one["n"]), "-" if one["auc"] is None else f"{one['auc']:.3f}",
                f"{one['strong_share']:.1%}", f"{one['loss']:.2%}", " to ".join(f"{end:.2%}" for end in one["loss_ci"]),
            )  # fmt: skip
    return table
