"""Measure the figures of ``gates.toml`` and fail when one has fallen.

python -m evals.gates [--all] [--only GROUP ...] [--json FILE] [--report]
"""

import argparse
import asyncio
import sys
import tempfile
import time
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from evals import bench_blame, cache_pairs, processor_time, run_helpcentre, validation
from evals.defects import INFORMATION, KINDS
from evals.gates_report import REPORTS, Gate, write_report
from evals.helpcentre import load_questions, open_helpcentre, retrieve
from evals.helpcentre_day import Plan, about
from evals.helpcentre_day import day as helpcentre_day
from evals.ladder import Request
from evals.ladder import run as run_ladder
from evals.ladder_world import Prices
from evals.quick_vectors import QuickEmbedder
from evals.report import add_json_option, hand_over
from evals.vectors import VectorFile
from evals.workload_files import write_day
from groat.embedding import Embedder
from groat.knowledge import KnowledgeBase
from groat.types import Language
from groat.validation.cascade import CascadePolicy

GATES = Path(__file__).with_name("gates.toml")
LANGUAGES: tuple[Language, ...] = ("en", "zh")


Measure = Callable[[dict[str, Any], Embedder], Awaitable[list[Gate]]]


async def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return 1 when a gate fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the slow ones too: those that are measured every night")
    parser.add_argument("--only", nargs="+", choices=[*QUICK, *SLOW], metavar="GROUP", help=f"of {', '.join([*QUICK, *SLOW])}")
    parser.add_argument("--report", action="store_true", help="keep the result in evals/reports, for a release")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    wanted = options.only or [*QUICK, *(SLOW if options.all else ())]
    bounds = tomllib.loads(GATES.read_text(encoding="utf-8"))
    begun = time.perf_counter()
    gates: list[Gate] = []
    with tempfile.TemporaryDirectory() as folder:
        embedder = VectorFile(QuickEmbedder(threads=2), Path(folder))
        for name in wanted:
            gates += await {**QUICK, **SLOW}[name](bounds, embedder)
    lines = [f"{len(gates)} gates in {time.perf_counter() - begun:.0f} s"]
    if options.report:
        chosen = ["--all"] if options.all else ["--only", *options.only] if options.only else []
        path = write_report(gates, bounds, ["python -m evals.gates", *chosen, "--report"], REPORTS)
        lines.append(f"kept in {path.relative_to(REPORTS.parent.parent)}")
    hand_over(gates, options.json_file, [_table(gates), *lines])
    return 0 if all(gate["holds"] for gate in gates) else 1


async def _answers(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    arms = await run_helpcentre.run(
        bounds["sample"]["questions"], bounds["sample"]["seed"], embedder, bounds["sample"]["max_quality_loss"]
    )
    by_name = {(arm["arm"], arm["lang"]): arm for arm in arms}
    gates = []
    for language in LANGUAGES:
        groat, expensive = by_name["groat", language], by_name["all expensive", language]
        rows = groat["questions"]
        wanted = bounds["helpcentre"]
        gates += [
            _gate("saved", language, rows, groat["saved"], wanted["saved"]),
            _gate(
                "right of all expensive",
                language,
                rows,
                groat["right"] / expensive["right"],
                wanted["right_of_all_expensive"],
            ),
            _gate("wrong hits", language, rows, groat["wrong_hits"], wanted["wrong_hits"]),
        ]
    return gates


async def _retrieval(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    gates = []
    with tempfile.TemporaryDirectory() as folder:
        knowledge = await open_helpcentre(KnowledgeBase(Path(folder) / "knowledge.sqlite", embedder))
        for language in LANGUAGES:
            rows = [row for row in load_questions(language) if row["answer_groups"] and not row["history"]]
            found = 0
            for row in rows:
                text = "\n".join(passage["text"] for passage in await retrieve(knowledge, row["question"])).casefold()
                found += all(any(string.casefold() in text for string in group) for group in row["answer_groups"])
            gates.append(_share_gate("retrieval recall", language, len(rows), found / len(rows), bounds["retrieval"]["recall"]))
    return gates


async def _cache(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    gates = []
    for language in LANGUAGES:
        served = await cache_pairs.measure(load_questions(language), embedder, language)
        near, never = served["near_miss"], served["never"]
        wanted = bounds["cache"]
        gates += [
            _gate("near misses served", language, near["pairs"], near["served"], wanted["near_misses_served"]),
            _gate("personal or timely served", language, never["pairs"], never["served"], wanted["never_kept_served"]),
        ]
    return gates


async def _validation(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    gates = []
    wanted = bounds["validation"]
    seed, every, draws = bounds["sample"]["seed"], wanted["every"], wanted["draws"]
    rows = validation.measure(seed, every=every, draws=draws, embedder=embedder)
    sums = {(row["lang"], row["defect"]): row for row in validation.summed(rows)}
    for language in LANGUAGES:
        right, wrong = sums[language, "all right"], sums[language, "all defects"]
        kinds = [row for row in rows if row["lang"] == language and row["defect"] in set(KINDS) - INFORMATION]
        weakest = min(kinds, key=lambda row: row["share"])
        name = f"weakest: {weakest['defect']}"
        gates += [
            _share_gate("right answers rejected", language, right["rows"], right["share"], wanted["right_rejected"]),
            _share_gate("defects caught", language, wrong["rows"], wrong["share"], wanted["caught"]),
            _share_gate(name, language, weakest["rows"], weakest["share"], wanted["caught_of_the_weakest_kind"]),
        ]
    return gates


async def _cascade(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    """Read what the shipped policy keeps from its card: the recordings themselves are no part of the project."""
    gates = []
    groups: Any = CascadePolicy.load().card["groups"]  # checked when it was loaded
    for name, group in groups.items():
        kind, language, reference = name.split("/")
        quality, saved = group["kept"]["0.995"]
        told = f"cascade, {kind} instead of {reference}"
        gates.append(_gate(f"{told}: quality", language, group["rows"], quality, bounds["cascade"]["quality"]))
        if (least := bounds["cascade"]["saved"].get(f"{kind}/{language}/{reference}")) is not None:
            gates.append(_gate(f"{told}: saved", language, group["rows"], saved, {"least": least}))
    return gates


async def _blame(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    wanted = bounds["blame"]
    cases, missed = await bench_blame.run(wanted["cases"], seed=bounds["sample"]["seed"])
    found = bench_blame.figures(cases, not_planted=missed, seed=bounds["sample"]["seed"], judge_error=0.0)
    gates = []
    for language in LANGUAGES:
        one = found["by_lang"][language]
        placebos = [case for case in cases if case.lang == language and case.group == "placebo"]
        blamed = bench_blame.share([case.origin not in ("no_fault", "unclear") for case in placebos])
        gates += [
            _share_gate("blame: origins named", language, one["singles"], one["accuracy"], wanted["origins"]),
            _gate("blame: model calls, median", language, one["singles"], one["model_calls"]["median"], wanted["median_calls"]),
            _share_gate("blame: placebos blamed", language, blamed["n"], blamed["share"], wanted["placebos"]),
        ]
    return gates


async def _time(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    wanted, ratios = bounds["time"], await processor_time.measure(embedder)
    return [
        _gate(f"processor time, {name}", language, ratios[language]["questions"], ratios[language][name], wanted[name])
        for language in LANGUAGES
        for name in ("miss", "hit")
    ]  # fmt: skip


async def _ladder(bounds: dict[str, Any], embedder: Embedder) -> list[Gate]:
    wanted, gates = bounds["ladder"], []
    plan = Plan(rows=wanted["rows"], seed=bounds["sample"]["seed"])
    with tempfile.TemporaryDirectory() as folder:
        day = Path(folder) / "day.jsonl.gz"
        write_day(day, await helpcentre_day(plan), about(plan))
        prices = Prices(cheap=wanted["cheap"], expensive=wanted["expensive"])
        request = Request(workload=day, prices=prices, folder=Path(folder), steps=tuple(wanted["steps"]))
        found = await asyncio.to_thread(run_ladder, request, lambda name, done, total: None)
    for one in found["steps"][1:]:
        bound = wanted["steps"][one["name"]]
        for language in LANGUAGES:
            part = one["by_lang"][language]
            figures = {"saved": part["saved"] or 0.0, "quality": part["quality"], "wrong_share": part["wrong_share"]}
            for name, figure in figures.items():
                spread = part["quality_ci"] if name == "quality" else None
                gates.append(_gate(f"ladder, {one['name']}: {name}", language, part["n"], figure, bound[name], spread))
    return gates


QUICK: Mapping[str, Measure] = {
    "answers": _answers, "retrieval": _retrieval, "cache": _cache, "validation": _validation, "cascade": _cascade, "time": _time
}  # fmt: skip
"""Measured with every change."""
SLOW: Mapping[str, Measure] = {"blame": _blame, "ladder": _ladder}
"""Measured every night, with the quick ones."""


def _gate(
    name: str, language: str, rows: int, figure: float, bound: dict[str, float], interval: tuple[float, float] | None = None
) -> Gate:
    least, most = bound.get("least"), bound.get("most")
    holds = (least is None or figure >= least) and (most is None or figure <= most)
    told = f">= {least:g}" if least is not None else f"<= {most:g}"
    return {
        "gate": name, "lang": language, "rows": rows, "figure": round(figure, 4), "interval": interval, "bound": told,
        "holds": holds,
    }  # fmt: skip


def _share_gate(name: str, language: str, rows: int, share: float, bound: dict[str, float]) -> Gate:
    """Return the gate of a share of the rows, with its 95 % interval (Wilson 1927)."""
    return _gate(name, language, rows, share, bound, validation.wilson(round(share * rows), rows))


def _table(gates: Sequence[Gate]) -> Table:
    shown = Table("gate", "lang", "rows", "figure", "95 %", "bound", "")
    for gate in gates:
        mark = "[green]holds[/]" if gate["holds"] else "[red]fails[/]"
        spread = "" if gate["interval"] is None else " to ".join(f"{end:.3f}" for end in gate["interval"])
        shown.add_row(gate["gate"], gate["lang"], str(gate["rows"]), f"{gate['figure']:.3f}", spread, gate["bound"], mark)
    return shown


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
