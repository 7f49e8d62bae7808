"""``groat bench``: measure a part on data files."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from typer.core import TyperCommand

from groat.costs.prices import PriceTable
from groat.errors import BadInput
from serve.cli.bench_blame import blame_command
from serve.cli.bench_bound import bound_command
from serve.cli.bench_cache import speed_command
from serve.cli.bench_compress import compress_command
from serve.cli.bench_hits import cache_command
from serve.cli.bench_route import route_command
from serve.cli.output import JsonOption, console, write_json

if TYPE_CHECKING:
    from evals.bench_cascade import Report, Unmeasured
    from evals.cascade_cases import Case, Policies

_SEVERAL = frozenset(
    "--data --fit --pairs --stream --entries --labels --promise --without --keep --max-loss --rows --arms".split()
)
"""Options that take all values up to the next option."""


class SeveralValues(TyperCommand):
    """A command of which one option may be followed by several values, as in ``--data A B``; Click itself takes one."""

    def parse_args(self, ctx: object, args: list[str]) -> list[str]:
        """Repeat the option before each of its values."""
        spread: list[str] = []
        option, count = "", 0
        for arg in args:
            if arg.startswith("-") and arg != "-":
                option, count = (arg if arg in _SEVERAL else ""), 0
            elif option:
                spread += [option] if count else []
                count += 1
            spread.append(arg)
        return super().parse_args(ctx, spread)  # type: ignore[arg-type]  # typer keeps the class of its context to itself


bench_app = typer.Typer(help="Measure a part on data files.", no_args_is_help=True, rich_markup_mode=None)


@bench_app.callback()
def bench() -> None:
    """Measure a part on data files."""


@bench_app.command("cascade", cls=SeveralValues)
def cascade_command(
    data: Annotated[list[Path], typer.Option(help="Rows to judge, .jsonl or .jsonl.gz.")],
    fit: Annotated[list[Path] | None, typer.Option(help="Fit on these files alone; the shipped policy without it.")] = None,
    quality: Annotated[float, typer.Option(help="Least quality promised, as a share of the strong model's.")] = 0.995,
    confidence: Annotated[float, typer.Option(help="How sure the promise must be, 0.5 to 0.975; 0.5 is on average.")] = 0.5,
    resplits: Annotated[int, typer.Option(help="Halve the rows so often, and count how often promises are broken.")] = 0,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Buy cheap recorded answers one by one, accept or ask the strong model; print quality and saving."""
    if not 0.5 <= quality <= 1 or not 0.5 <= confidence <= 0.975 or resplits < 0:
        raise BadInput(
            f"--quality must be 0.5 to 1, --confidence 0.5 to 0.975 and --resplits 0 or more, not {quality}, {confidence} and "
            f"{resplits}"
        )
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from evals.bench_cascade import Setting, report
    from evals.cascade_cases import by_language
    from evals.cascade_resplits import resplits as halved

    read = {path: _read(path, skip_bad) for path in dict.fromkeys([*data, *(fit or [])])}
    policies, judged = _policies(data, fit, {path: found for path, (found, _, _) in read.items()})
    reports: list[Report] = []
    unmeasured: list[Unmeasured] = []
    for path in dict.fromkeys(data):
        found, lost, unpriced = read[path]
        setting = Setting(
            name=path.name, policy=judged, quality=quality, confidence=confidence, left_out=lost, unpriced=unpriced
        )
        for cases in by_language(found).values():
            one = report(cases, policies, setting)
            examples = [case.example for case in cases if len(case.example.models) > 1]
            reports.append({**one, "resplits": halved(examples, resplits)} if resplits else one)
        if not found:
            unmeasured.append({"name": path.name, "n": 0, "left_out": lost, "unpriced_models": unpriced})
    if json_file is not None:
        write_json([*reports, *unmeasured], json_file)
    else:
        _print(reports, unmeasured)


def _read(path: Path, skip_bad: bool) -> "tuple[list[Case], int, list[str]]":
    from evals.cascade_cases import cases
    from evals.recorded import read_rows

    def told(message: str) -> None:
        typer.echo(f"left out: {message}", err=True)

    return cases(read_rows(path, told if skip_bad else None), PriceTable())


def _policies(data: list[Path], fit: list[Path] | None, read: "dict[Path, list[Case]]") -> "tuple[Policies, str]":
    from evals.cascade_cases import fitted
    from groat.validation.cascade import CascadePolicy

    if not fit:
        shipped = CascadePolicy.load()
        return (lambda case: shipped), f"shipped {shipped.version}"
    fit_on = [case for path in dict.fromkeys(fit) for case in read[path]]
    judged = [case for path in dict.fromkeys(data) for case in read[path]]
    policies, folds = fitted(fit_on, judged, date=datetime.now(UTC).date().isoformat())
    return policies, "cross-fitted" if folds else "fitted"


def _print(reports: "list[Report]", unmeasured: "list[Unmeasured]") -> None:
    out = console()
    table = Table(
        "file", "lang", "rows", "quality", "95 %", "saved", "95 %", "strong", "area", "best single", "two agree", box=None
    )
    for one in reports:
        single, two = one["best_single"], one["baselines"]["two_agree"]
        table.add_row(
            one["name"],
            one["lang"],
            str(one["n"]),
            f"{one['quality_vs_strong']:.1%}",
            " to ".join(f"{end:.1%}" for end in one["quality_ci"]),
            f"{one['saved']:.1%}",
            " to ".join(f"{end:.1%}" for end in one["saved_ci"]),
            f"{one['strong_share']:.0%}",
            "none" if (closed := one["area"]["by_cost"]) is None else f"{closed:.3f}",
            f"{single['quality_vs_strong']:.1%} / {single['saved']:.1%}" if single else "none",
            f"{two['quality']:.1%} / {two['saved']:.1%}",
        )
    out.print(table)
    for one in reports:
        notes = [f"judged by: {one['policy']}"]
        if one["seen_by_artifact"] and one["policy"].startswith("shipped"):
            notes.append(f"in-sample: the artifact was fitted on {one['seen_by_artifact']} of these questions")
        if one["without_answers"]:
            notes.append(f"{one['without_answers']} rows without another model's answer went to the strong model")
        notes += [f"{rows} to the strong model at once: {reason}" for reason, rows in one["refused"].items()]
        if one["left_out"]:
            notes.append(f"{one['left_out']} rows left out: no price or no token count of the strong model")
        if one["unpriced_models"]:
            notes.append(f"no list price known: {', '.join(one['unpriced_models'])}")
        out.print(f"{one['name']} ({one['lang']}): {'; '.join(notes)}", markup=False)
        for split in one.get("resplits", []):
            out.print(
                f"  at most {split['loss']:.0%} lost, confidence {split['confidence']:g}: broken in {split['broken']:.1%} of "
                f"the halvings, {split['saved']:.1%} saved, {split['best_saved']:.1%} in hindsight",
                markup=False,
            )
    for other in unmeasured:
        lacking = ", ".join(other["unpriced_models"]) or "none"
        out.print(
            f"{other['name']}: none of {other['left_out']} rows can be measured: the strong model's price or token count "
            f"is unknown (models without a list price: {lacking})",
            markup=False,
        )


bench_app.command("cache", cls=SeveralValues)(cache_command)
bench_app.command("cache-speed", cls=SeveralValues)(speed_command)
bench_app.command("cache-bound", cls=SeveralValues)(bound_command)
bench_app.command("route", cls=SeveralValues)(route_command)
bench_app.command("compress", cls=SeveralValues)(compress_command)
bench_app.command("blame")(blame_command)
