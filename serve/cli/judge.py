"""``groat judge``: measure the judge of pairs on data files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from groat.judge.artifact import Weights
from serve.cli.bench import SeveralValues
from serve.cli.output import JsonOption, console, write_json

if TYPE_CHECKING:
    from evals.judge_pairs import Report
    from evals.pair_scores import Interval

_SEED = 5
"""Of the bootstrap."""

judge_app = typer.Typer(help="Measure the judge of pairs.", no_args_is_help=True, rich_markup_mode=None)


@judge_app.callback()
def judge() -> None:
    """Measure the judge of pairs."""


@judge_app.command("eval", cls=SeveralValues)
def eval_command(
    pairs: Annotated[list[Path], typer.Option(help="Labelled pairs of questions, .jsonl or .jsonl.gz.")],
    weights: Annotated[str, typer.Option(metavar="all|open|FOLDER", help="Which weights of the judge.")] = "all",
    errors: Annotated[int, typer.Option(min=0, help="How many of the worst errors to show for each file.")] = 0,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Judge labelled pairs of questions; print how well it tells them apart, beside cosine and the checks by hand."""
    # Imported here: what loads the models takes half a second, and every other command would wait for it.
    import numpy as np

    from evals.judge_pairs import report
    from evals.pair_rows import read_pairs
    from groat.judge import Encoder, Judge, JudgeArtifact

    broken: list[str] = []

    def told(message: str) -> None:
        broken.append(message)
        typer.echo(f"left out: {message}", err=True)

    read = []
    for path in dict.fromkeys(pairs):
        before = len(broken)
        rows = read_pairs(path, told if skip_bad else None)
        read.append((path.name, rows, len(broken) - before))
    artifact = JudgeArtifact.load(_weights(weights))
    encoder = Encoder()
    reports = []
    for name, rows, left_out in read:
        # A new judge for each file, so that no text is known already and times can be compared.
        fresh, rng = Judge(encoder, artifact), np.random.default_rng(_SEED)
        reports.append(report(name, rows, fresh, encoder, rng, left_out=left_out, errors=errors))
    if json_file is not None:
        write_json(reports, json_file)
    else:
        _print(reports)


def _weights(name: str) -> Weights | Path:
    if name == "all":
        return "all"
    return "open" if name == "open" else Path(name)


def _print(reports: "list[Report]") -> None:
    out = console()
    out.print(_quality(reports))
    out.print(_thresholds(reports))
    if any(one["by_kind"] for one in reports):
        out.print(_kinds(reports))
    for one in reports:
        notes = [f"judge {one['judge']}", f"{one['ms_per_pair']:.1f} ms a pair, cosine {one['cosine_ms_per_pair']:.1f} ms"]
        if one["auc_missing"]:
            notes.append(one["auc_missing"])
        if one["out_of_range"]:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in one["out_of_range_reasons"].items())
            notes.append(f"{one['out_of_range']} pairs without an opinion ({reasons})")
        if one["left_out"]:
            notes.append(f"{one['left_out']} broken rows left out")
        out.print(f"{one['name']}: {'; '.join(notes)}", markup=False)
        for error in one["errors"]:
            line = f"  same={error['same']} p={error['p']:.2f} cosine={error['cosine']:.2f}: {error['a']} | {error['b']}"
            out.print(line, markup=False)


def _quality(reports: "list[Report]") -> Table:
    table = Table(
        "file", "lang", "pairs", "AUC", "95 %", "cosine", "95 %", "checks", "lead over cosine", "calibration error", box=None
    )  # fmt: skip
    for one in reports:
        table.add_row(
            escape(one["name"]), escape(one["lang"]), str(one["n"]),
            _number(one["auc"]), _ends(one["auc_ci"]), _number(one["cosine_auc"]), _ends(one["cosine_auc_ci"]),
            _number(one["guarded_auc"]), _ends(one["lead_over_cosine_ci"]), _number(one["calibration_error"]),
        )  # fmt: skip
        for lang, part in one["by_lang"].items():
            table.add_row(
                "", escape(lang), str(part["n"]), _number(part["auc"]), "", _number(part["cosine_auc"]), "",
                _number(part["guarded_auc"]), "", _number(part["calibration_error"]),
            )  # fmt: skip
    return table


def _thresholds(reports: "list[Report]") -> Table:
    precisions, traps, cuts = (list(reports[0][name]) for name in ("recall_at_precision", "served_at_traps", "served_at_p"))
    table = Table(
        "file", "score", *(f"recall at {float(level):.0%} right" for level in precisions),
        *(f"served at {float(share):.0%} traps" for share in traps), *(f"served / traps, p {cut}" for cut in cuts), box=None,
    )  # fmt: skip
    for one in reports:
        shown = [f"{_percent(at['served'])} / {_percent(at['traps_served'])}" for at in one["served_at_p"].values()]
        table.add_row(
            escape(one["name"]), "judge", *map(_percent, one["recall_at_precision"].values()),
            *map(_percent, one["served_at_traps"].values()), *shown,
        )  # fmt: skip
        table.add_row(
            "", "cosine", *map(_percent, one["cosine_recall_at_precision"].values()),
            *map(_percent, one["cosine_served_at_traps"].values()),
        )  # fmt: skip
        table.add_row(
            "", "checks", *map(_percent, one["guarded_recall_at_precision"].values()),
            *map(_percent, one["guarded_served_at_traps"].values()),
        )  # fmt: skip
    return table


def _kinds(reports: "list[Report]") -> Table:
    table = Table("file", "kind", "pairs", "same", "served / traps, p 0.5", "served / traps, p 0.9", box=None)
    for one in reports:
        for kind, part in one["by_kind"].items():
            shown = [f"{_percent(at['served'])} / {_percent(at['traps_served'])}" for at in part["served_at_p"].values()]
            table.add_row(escape(one["name"]), escape(kind), str(part["n"]), str(part["same"]), *shown)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _ends(interval: "Interval | None") -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
