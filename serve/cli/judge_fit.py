"""``groat judge fit``: teach the judge one's own rows."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from groat.errors import BadInput, GroatError, MissingExtra
from serve.cli.output import JsonOption, console, write_json

if TYPE_CHECKING:
    from training.fit import Outcome

_MOST_MINUTES = 24 * 60


def fit_command(
    rows: Annotated[list[Path], typer.Option(help="Labelled rows: JSON lines with a, b, and same or label (0 or 1).")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the new weights go: the folder for GROAT_JUDGE.")],
    weights: Annotated[str, typer.Option(metavar="all|open|FOLDER", help="Weights to begin with.")] = "all",
    minutes: Annotated[float, typer.Option(help="About how long, on one slow core.")] = 5.0,
    seed: Annotated[int, typer.Option(help="The same seed and rows give the same weights.")] = 0,
    head: Annotated[
        Literal["same", "answers", "supports"],
        typer.Option(help="What the label says of a and b: same question, sentence answers, passage supports."),
    ] = "same",
    json_file: JsonOption = None,
) -> None:
    """Teach the judge one's own rows; write the weights only if they are better and nothing was forgotten."""
    if not 0 < minutes <= _MOST_MINUTES or seed < 0:
        raise BadInput(f"--minutes must be above 0 and at most {_MOST_MINUTES}, and --seed 0 or more")
    try:
        from training.fit import Wish, fit
    except ImportError as error:
        raise MissingExtra(
            f"to teach the judge, torch and onnx are needed ({error.name or 'one of them'} cannot be imported): "
            "pip install torch==2.13.0 onnx"
        ) from error

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    begin = weights if weights in ("all", "open") else Path(weights)
    wish = Wish(head=head, weights=begin, minutes=minutes, seed=seed)  # type: ignore[arg-type]  # the two names were checked
    outcome = fit(list(dict.fromkeys(rows)), out, wish, tell)
    if json_file is not None:
        write_json(asdict(outcome), json_file)
    else:
        _print(outcome, out)
    if outcome.refusal:
        raise GroatError(outcome.refusal)


def _print(outcome: "Outcome", out: Path) -> None:
    shown = console()
    table = Table("rows", "number", "AUC before", "AUC after", "gain, 95 % above", "gain, 95 % below", box=None)
    for name, one in outcome.figures.items():
        table.add_row(name, str(one.n), f"{one.old:.3f}", f"{one.new:.3f}", f"{one.low:+.3f}", f"{one.high:+.3f}")
    shown.print(table)
    for reason, count in outcome.left_out.items():
        shown.print(f"{count} rows left out: {reason}", markup=False)
    for note in outcome.notes:
        shown.print(note, markup=False)
    if outcome.version:
        shown.print(f"version {outcome.version}, begun with {outcome.parent}; use it with GROAT_JUDGE={out}", markup=False)
