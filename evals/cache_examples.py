"""Show what the shipped cache serves and what it refuses, on our own questions, with the evidence.

python -m evals.cache_examples [--examples 10] [--max-wrong 0.01] [--pairs FILE...] [--page FILE] [--json FILE]

Pairs of the help centre and of the groups in ``training/written`` give the examples, one a group; ``--pairs`` takes others in
their place. Our own traps (``evals/datasets/judge/pairs-own.jsonl``) give the table of what is served wrongly.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NotRequired

from typing_extensions import TypedDict

from evals.bench_cache import Bench
from evals.cache_pairs import pairs as helpcentre_pairs
from evals.helpcentre import load_questions
from evals.kept_scores import KeptOpinions, KeptVectors
from evals.pair_rows import Pair, read_pairs
from evals.report import add_json_option, hand_over
from graph.judging import LazyJudge
from groat.cache.opening import open_rule
from groat.embedding.bundled import BundledEmbedder
from groat.errors import BadInput, GroatError
from groat.text import fold
from groat.types import CacheCandidate, Lookup

_ROOT = Path(__file__).resolve().parent.parent
GROUPS = _ROOT / "training" / "written"
OWN = _ROOT / "evals" / "datasets" / "judge" / "pairs-own.jsonl"
_LOOSER = 0.05
_SEED = 1
_TOLD = ("words_shared", "pairs_shared", "edits", "inserted", "asks_other", "limits_differ", "denied")
"""Evidence that is shown; ``groat cache explain`` shows all."""
_NEAR = 0.9
"""Cosine from which a refusal is worth showing: a popular threshold would have served it."""


_HEAD = f"""
Written by `python -m evals.cache_examples --page docs/cache-examples.md`: the shipped rule {{rule}} at a promise of
{{max_wrong:.0%}} wrong hits, the first question alone in the cache, the second one asked. The questions are our own: the help
centre's, and groups that were written for training, so the rule or the judge learned from most of them. They show how it
decides, not how often it is right: for that see `docs/model-cards/cache-verifier.md`. Refusals are of questions that a cosine
threshold of {_NEAR:g} would have served; hits were looked for among paraphrases that share most of their wording.

`score` is in log odds, and beside it the least score that the promise takes; `judge` is the probability that the judge of pairs
gives, where it was asked.
""".strip()


_SHARED = 0.6
"""Share of the wording from which a paraphrase is tried: at a promise of 1 % the rule hardly ever serves others."""


_SWAPPED = "the same words with other roles; vectors and shared words are nearly equal, and only their order tells"
_LEANS = "the check by hand finds it, and the score outweighs it: paraphrases of which one side is negated are many, too"
_WHY = {
    "role": _SWAPPED, "direction": _SWAPPED, "before_after": _SWAPPED, "comparison": _SWAPPED,
    "negation": _LEANS, "condition": _LEANS,
    "day": "two words of one kind in the same place, one letter or character apart, which the vectors hold for neighbours",
    "on_off": "opposites share all their neighbours; those that no list names are left to the judge",
    "entity": "names that neither the checks by hand nor the vectors know apart",
    "scope": "a word more that narrows the question",
}  # fmt: skip
"""Kinds of traps -> why they are served where they are."""


class Example(TypedDict):
    """One decision."""

    lang: str
    kind: str
    kept: str
    asked: str
    served: bool
    right: bool
    candidate: CacheCandidate


class Looser(TypedDict):
    """Hits that a looser promise allows, where the promise allows too few to show."""

    max_wrong: float
    examples: list[Example]


class Traps(TypedDict):
    """Pairs of one kind and language, and how many were served."""

    lang: str
    kind: str
    same: bool
    n: int
    served: int


class Report(TypedDict):
    """All that is shown."""

    rule: str
    max_wrong: float
    tried: int
    """Pairs that were looked at for the examples."""
    examples: list[Example]
    looser: NotRequired[Looser]
    traps: list[Traps]
    failed: list[Example]
    """Traps that were served."""


async def measure(bench: Bench, rows: Iterable[Sequence[Pair]], traps: Sequence[Pair], count: int, max_wrong: float) -> Report:
    """Return up to ``count`` right hits and right refusals in each language, one of a group, and what is served of the traps.

    Args:
        bench: plays pairs by the shipped rule.
        rows: groups of pairs.
        traps: pairs that were made to be confused.
        count: of each kind of example.
        max_wrong: the promise that the bench's rule was made with.
    """
    found: dict[tuple[str, bool], list[Example]] = defaultdict(list)
    tried, rule = 0, ""
    for group in rows:
        for pair in group:
            if len(found[pair.lang, pair.same]) >= count or (pair.same and _wording_shared(pair) < _SHARED):
                continue
            tried += 1
            lookup, cosine = await bench.pair(pair)
            rule = lookup["calibration"]
            example = _example(pair, lookup)
            shown = lookup["tier"] == "semantic" if pair.same else not (example and example["served"]) and cosine >= _NEAR
            if example is not None and shown and example["right"]:
                found[pair.lang, pair.same].append(example)
                break
    counts: dict[tuple[str, bool, str], list[int]] = defaultdict(lambda: [0, 0])
    failed: list[Example] = []
    for pair in traps:
        lookup, _ = await bench.pair(pair)
        counted = counts[pair.lang, pair.same, pair.kind or "pair"]
        counted[0] += 1
        counted[1] += lookup["outcome"] == "hit"
        example = _example(pair, lookup)
        if example is not None and example["served"] and not pair.same:
            failed.append(example)
    return {
        "rule": rule, "max_wrong": max_wrong, "tried": tried,
        "examples": [one for _, part in sorted(found.items(), key=lambda each: (each[0][0], not each[0][1])) for one in part],
        "traps": [
            {"lang": lang, "kind": kind, "same": same, "n": n, "served": served}
            for (lang, same, kind), (n, served) in sorted(counts.items())
        ],
        "failed": failed,
    }  # fmt: skip


def _wording_shared(pair: Pair) -> float:
    return SequenceMatcher(None, fold(pair.a), fold(pair.b), autojunk=False).ratio()


def _example(pair: Pair, lookup: Lookup) -> Example | None:
    candidate, served = lookup["candidate"], lookup["outcome"] == "hit"
    if candidate is None:
        return None
    return {
        "lang": pair.lang, "kind": pair.kind or "pair", "kept": pair.a, "asked": pair.b, "served": served,
        "right": served == pair.same, "candidate": candidate,
    }  # fmt: skip


def own_groups(folder: Path) -> list[list[Pair]]:
    """Return pairs of the help centre and of written groups: two wordings, and near misses beside the first one.

    Raises:
        BadInput: the folder holds no groups, or a damaged line.
    """
    found = list(_helpcentre())
    for file in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                group = json.loads(line)
                for lang in ("en", "zh"):
                    first, *others = group[lang]
                    same = [Pair(first, other, True, lang, "paraphrase") for other in others]
                    found.append([*same, *(Pair(first, text, False, lang, kind) for kind, text in group[f"near_{lang}"])])
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(f"{file}, line {number} is no group of questions: {error!r}") from error
    if not list(folder.glob("*.jsonl")):
        raise BadInput(f"{folder} holds no groups of questions; name pairs with --pairs")
    return found


def _helpcentre() -> Iterator[list[Pair]]:
    for first, second, expected in helpcentre_pairs(load_questions()):
        if expected != "never" and first["lang"] == second["lang"]:
            yield [Pair(first["question"], second["question"], expected == "paraphrase", first["lang"], expected)]


def page(report: Report) -> str:
    """Return the report as Markdown."""
    lines = ["# What the cache serves, and what it refuses", "", _HEAD.format(**report)]
    for lang, name in (("en", "English"), ("zh", "Chinese")):
        for served, word in ((True, "served"), (False, "refused")):
            lines += _section(f"{name}: {word}", [one for one in report["examples"] if _is(one, lang, served)])
            if served and "looser" in report:
                others = [one for one in report["looser"]["examples"] if _is(one, lang, served)]
                lines += (
                    _section(f"{name}: {word} at a promise of {report['looser']['max_wrong']:.0%}", others) if others else []
                )
    lines += ["", "## Traps", "", *_traps(report["traps"])]
    if report["failed"]:
        lines += ["", "Served, and wrong:", "", *(line for n, one in enumerate(report["failed"], 1) for line in _told(n, one))]
    return "\n".join(lines) + "\n"


def _is(one: Example, lang: str, served: bool) -> bool:
    return one["lang"] == lang and one["served"] == served


def _section(title: str, examples: Sequence[Example]) -> list[str]:
    told = [line for number, one in enumerate(examples, start=1) for line in _told(number, one)]
    return ["", f"## {title} ({len(examples)})", "", *told]


def _told(number: int, one: Example) -> list[str]:
    candidate = one["candidate"]
    score, least, judged = candidate.get("score"), candidate.get("least_score"), candidate.get("judged")
    values = candidate.get("evidence", {})
    parts = [
        f"cosine {candidate['similarity']:.3f}",
        "judge not asked" if judged is None else f"judge {judged:.3f}",
        "no score" if score is None else f"score {score:.1f} of {'more than any' if least is None else f'{least:.1f}'}",
        *(f"{name} {values[name]:.2g}" for name in _TOLD if name in values),
        f"found to differ: {', '.join(candidate['differences']) or 'nothing'}",
    ]
    return [f"{number}. {one['kept']}  ", f"   {one['asked']}  ", f"   {one['kind']}; {'; '.join(parts)}"]


def _traps(traps: Sequence[Traps]) -> Iterator[str]:
    """Yield a table of what was served of the pairs of each kind, and why those that fail do."""
    counts = {(one["same"], one["kind"], one["lang"]): one for one in traps}
    yield "| | kind | en, served of pairs | zh |"
    yield "|---|---|---|---|"
    for same in (True, False):
        for kind in sorted({one["kind"] for one in traps if one["same"] == same}):
            cells = [counts.get((same, kind, lang)) for lang in ("en", "zh")]
            told = [f"{one['served']} of {one['n']}" if one else "" for one in cells]
            if any(told):
                yield f"| {'the same' if same else 'another question'} | {kind} | {told[0]} | {told[1]} |"
    failed = sorted({one["kind"] for one in traps if one["served"] and not one["same"]} & _WHY.keys())
    if failed:
        yield ""
        yield "Why these are hard:"
        yield ""
        yield from (f"- {kind}: {_WHY[kind]}" for kind in failed)


async def main(arguments: Sequence[str]) -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10, help="hits, and refusals, in each language")
    parser.add_argument("--max-wrong", type=float, default=0.01, help="the promise")
    parser.add_argument("--pairs", type=Path, nargs="+", help="files of pairs to take examples from, in place of our own")
    parser.add_argument("--page", type=Path, help="write the page to this file")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    rows = [[pair] for file in options.pairs for pair in read_pairs(file)] if options.pairs else own_groups(GROUPS)
    random.Random(_SEED).shuffle(rows)
    vectors = BundledEmbedder()
    known, judge = KeptVectors(vectors), KeptOpinions(LazyJudge())

    def bench(max_wrong: float) -> Bench:
        return Bench(open_rule(vectors.name, judge, max_wrong=max_wrong), known, max_wrong=max_wrong)

    report = await measure(bench(options.max_wrong), rows, read_pairs(OWN), options.examples, options.max_wrong)
    served = Counter(one["lang"] for one in report["examples"] if one["served"])
    if options.max_wrong < _LOOSER and min(served["en"], served["zh"]) < options.examples:
        more = (await measure(bench(_LOOSER), rows, [], options.examples, _LOOSER))["examples"]
        shown = {one["asked"] for one in report["examples"]}
        fresh = {lang: [one for one in more if _is(one, lang, True) and one["asked"] not in shown] for lang in ("en", "zh")}
        chosen = [one for lang, part in fresh.items() for one in part[: options.examples - served[lang]]]
        report["looser"] = {"max_wrong": _LOOSER, "examples": chosen}
    if options.page is not None:
        options.page.write_text(page(report), encoding="utf-8")
    hand_over(report, options.json_file, [] if options.page is not None else [page(report)])


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except GroatError as error:
        sys.exit(str(error))
