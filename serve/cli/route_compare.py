"""``groat route compare`` and ``groat route models``: which router, and which model, suits one's own questions."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from graph.services import open_versions
from groat.errors import ArtifactError, BadInput
from groat.routing.artifact import RouterArtifact
from groat.routing.rows import Known, read_labelled
from groat.routing.versions import SHIPPED, RouterVersions
from serve.application import Application, load_application
from serve.cli.output import JsonOption, TenantOption, console, dollars, write_json
from serve.cli.route import shadows
from serve.cli.route_fit import From, look_at
from serve.cli.running import finished

if TYPE_CHECKING:
    from evals.route_compare import Comparison
    from evals.route_models import Passed
    from evals.route_trial import Trial


def compare_command(
    a: Annotated[str, typer.Argument(metavar="A", help="A version, a file, or shipped.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other.")],
    data: Annotated[list[Path] | None, typer.Option(help="Labelled rows, .jsonl or .jsonl.gz.")] = None,
    dataset: Annotated[str, typer.Option(metavar="NAME", help="A data set of LangSmith.")] = "",
    records: Annotated[bool, typer.Option("--records", help="What audits recorded here.")] = False,
    tenant: Annotated[str | None, typer.Option(help="Records of this tenant only.")] = None,
    max_quality_loss: Annotated[float, typer.Option(help="The promise in force, 0 to 1.")] = 0.01,
    with_domain: Annotated[
        bool, typer.Option("--with-domain", help="The rows' domain is the collection that questions will come with.")
    ] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")] = False,
    ignore: Annotated[list[str] | None, typer.Option(metavar="FIELD", help="A field of the rows that means nothing.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Say which of two routers is better at a promise, and what each would have cost; or that it cannot be told."""
    if not 0 <= max_quality_loss <= 1:
        raise BadInput(f"--max-quality-loss must be 0 to 1, not {max_quality_loss}; 0.01 is one per cent")
    app = load_application()
    versions = open_versions(app.settings)
    first, second = (_fitting(versions, name, app.services.embedder.name) for name in (a, b))
    source = From(
        data=data or (), dataset=dataset, records=records, tenant=tenant, with_domain=with_domain, skip_bad=skip_bad,
        ignore=ignore or (),
    )  # fmt: skip
    found, looked = finished(look_at(app, source))
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from evals.route_compare import compare

    shipped = versions.load(SHIPPED)
    report = compare(
        first,
        second,
        looked,
        max_quality_loss=max_quality_loss,
        prices=app.services.books.prices,
        shipped=shipped if shipped.embedder == app.services.embedder.name else None,
    )
    beside = finished(shadows(app, tenant)) if records else []
    if json_file is not None:
        write_json({**report, "left_out": dict(found.left_out), "shadow": beside}, json_file)
        return
    for reason, count in found.left_out.items():
        console().print(f"{count} left out: {reason}", markup=False)
    _print(report, beside)


def _fitting(versions: RouterVersions, name: str, embedder: str) -> RouterArtifact:
    artifact = versions.load(name)
    if artifact.embedder != embedder:
        raise ArtifactError(
            f"the router {name!r} was fitted on vectors of {artifact.embedder!r}, and those in use are of {embedder!r}; "
            "fit it again"
        )
    return artifact


def _print(report: "Comparison", beside: list[dict[str, Any]]) -> None:
    out = console()
    table = Table("", "version", "to expensive", "quality", "lost", "95 %", "$ per 1,000", box=None)
    for name, one in (("A", report["a"]), ("B", report["b"])):
        table.add_row(
            name, one["version"], f"{one['strong_share']:.1%}", f"{one['quality']:.4f}", f"{one['loss']:.2%}",
            " to ".join(f"{end:.2%}" for end in one["loss_ci"]), f"{one['usd_per_1000']:.4f}",
        )  # fmt: skip
    out.print(table)
    languages = ", ".join(f"{language} {count}" for language, count in report["by_lang"].items())
    out.print(
        f"{report['n']} questions ({languages}) at a promise of {report['promised']:.2%}; the expensive model alone: "
        f"${report['expensive_usd_per_1000']:.4f} per 1,000",
        markup=False,
    )
    if report["seen"]:
        out.print(f"{report['seen']} left out, since A or B was fitted on them", markup=False)
    for name, ends, form in (("quality", report["quality"], "+.4f"), ("$ per 1,000", report["usd_per_1000"], "+.4f")):
        mean, low, high = (format(end, form) for end in ends)
        out.print(f"B less A, {name}: {mean} (95 %: {low} to {high})", markup=False)
    for note in report["assumed"]:
        out.print(note, markup=False)
    for seen in beside:
        out.print(
            f"in traffic, {seen['shadow']} beside {seen['artifact']}: {seen['questions']} questions, {seen['shadow_strong']} "
            f"instead of {seen['strong']} to the expensive model, {seen['differ']} decided otherwise",
            markup=False,
        )
    out.print(report["says"], markup=False, style="bold")


def models_command(
    data: Annotated[list[Path], typer.Option(help='Recorded rows; with --run rows {"question", "expected"}.')],
    run: Annotated[bool, typer.Option("--run", help="Put the questions to the configured models; this costs money.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before money is spent.")] = False,
    tenant: TenantOption = "default",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Show how often each model is right on one's own questions, in each language, and what that costs."""
    app = load_application()
    if run:
        _run(app, list(dict.fromkeys(data)), tenant, yes=yes, json_file=json_file)
        return
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from evals.route_models import pass_rates, recorded

    def tell(message: str) -> None:
        typer.echo(f"left out: {message}", err=True)

    known: Known = {}
    rows = [row for path in dict.fromkeys(data) for row in read_labelled(path, tell if skip_bad else None, known=known)]
    lines = pass_rates(recorded(rows, app.services.books.prices))
    write_json(lines, json_file) if json_file is not None else console().print(_models_table(lines))


def _run(app: Application, data: list[Path], tenant: str, *, yes: bool, json_file: str | None) -> None:
    from evals.route_models import pass_rates
    from evals.route_trial import cases_of, entrants, estimate, read_cases
    from evals.route_trial import run as run_trial

    models = entrants(app.services)
    if not models:
        raise BadInput("no model is configured; set GROAT_CHEAP_MODEL and GROAT_EXPENSIVE_MODEL, or OPENAI_API_KEY")
    pairs = [pair for path in data for pair in read_cases(path)]
    trial: list[Trial] = []

    async def work() -> None:
        cases = await cases_of(pairs, app.services, tenant)
        _confirm(estimate(cases, models, app.services), len(cases), yes=yes)
        trial.append(await run_trial(cases, models, app.services))

    finished(work())
    (done,) = trial
    lines = pass_rates(done.tried)
    if json_file is not None:
        write_json(
            {"models": lines, "cost_usd": done.cost_usd, "calls": len(done.charges), "unasked": done.unasked}, json_file
        )  # fmt: skip
        return
    out = console()
    out.print(_models_table(lines))
    out.print(f"{len(done.charges)} calls, {dollars(done.cost_usd)}; they stand in `groat ledger` under audit", markup=False)
    if done.unasked:
        out.print(f"{done.unasked} questions were not asked: a budget of the day is spent", markup=False)


def _confirm(costs: dict[str, Decimal | None], count: int, *, yes: bool) -> None:
    for model, cost in costs.items():
        told = "its price is not known" if cost is None else f"about {dollars(cost)}"
        typer.echo(f"{model}: {count} questions, {told}", err=True)
    if not yes and not typer.confirm("Ask them?", err=True):
        raise BadInput("nothing was asked and nothing was spent")


def _models_table(lines: "list[Passed]") -> Table:
    table = Table("model", "lang", "rows", "right", "95 %", "$ per 1,000", "undecided", "failed", box=None)
    for one in lines:
        price = one["usd_per_1000"]
        table.add_row(
            one["model"], one["lang"], str(one["n"]), f"{one['passed']:.1%}", " to ".join(f"{end:.1%}" for end in one["ci"]),
            "unknown" if price is None else f"{price:.4f}", str(one["undecided"] or ""), str(one["failed"] or ""),
        )  # fmt: skip
    return table
