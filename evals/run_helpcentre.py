"""Put the help centre's questions through the real graph, beside the baselines.

python -m evals.run_helpcentre [--questions 120] [--json FILE]

Offline the answers are quotes, so "right" is low in every arm; what the arms say about each other holds for that answerer
only. With a key in the environment of the settings the same run measures real models.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from rich.table import Table
from scipy.stats import binomtest
from typing_extensions import TypedDict

from evals.helpcentre import Question, load_questions, open_helpcentre
from evals.report import add_json_option, hand_over
from evals.vectors import VectorFile
from graph.asking import Answered, ask
from graph.build import Groat, build_graph
from graph.context import Context
from graph.services import open_services
from graph.settings import Settings
from groat.embedding import Embedder
from groat.embedding.bundled import BundledEmbedder
from groat.knowledge import KnowledgeBase

LOSS = 0.01
"""Promised loss of quality, the default of the graph."""


def arms_of(max_quality_loss: float) -> Mapping[str, Context]:
    """Return what each arm asks of the graph."""
    return {
        "all expensive": Context(tier="expensive", use_cache=False, max_quality_loss=0.0),
        "all cheap": Context(tier="cheap", use_cache=False, max_quality_loss=0.0),
        "groat": Context(max_quality_loss=max_quality_loss),
    }


class Arm(TypedDict):
    """One way to answer all the questions, in one language."""

    arm: str
    lang: str
    questions: int
    right: float
    """Share of answers that hold what a right answer needs."""
    right_low: float
    right_high: float
    cost_usd: float
    saved: float
    """Against the all-expensive baseline at list prices, 0..1."""
    hits: int
    wrong_hits: int
    expensive_share: float
    p50_ms: float


async def main(arguments: Sequence[str]) -> None:
    """Run all arms and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=120, help="how many, half of them in each language")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--max-quality-loss", type=float, default=LOSS, help="promise that groat is given, 0 to 1")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        arms = await run(options.questions, options.seed, VectorFile(BundledEmbedder(), Path(folder)), options.max_quality_loss)
    hand_over(arms, options.json_file, [table(arms)])


async def run(count: int, seed: int, embedder: Embedder, max_quality_loss: float = LOSS) -> list[Arm]:
    """Return the figures of every arm and language; ``embedder`` should remember vectors, or every arm computes them anew."""
    chosen = sample(count, seed)
    arms: list[Arm] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        # Audits would ask behind the back of the arms, and nobody looks at the runs.
        services = replace(open_services(settings, embeddings=embedder), audits=None, recorder=None)
        assert isinstance(services.knowledge, KnowledgeBase)  # the settings name no other
        await open_helpcentre(services.knowledge)
        graph = build_graph(services)
        answers = {
            name: [(question, await put(graph, question, context)) for question in chosen]
            for name, context in arms_of(max_quality_loss).items()
        }
    for language in ("en", "zh"):
        mine = {name: [pair for pair in pairs if pair[0]["lang"] == language] for name, pairs in answers.items()}
        measured = {name: figures(name, language, pairs) for name, pairs in mine.items()}
        arms += [*measured.values(), at_random(measured), oracle(mine["all cheap"], mine["all expensive"])]
    return arms


def at_random(measured: Mapping[str, Arm]) -> Arm:
    """Return what sending questions to the expensive model at random gives, at what groat spends: the expectation."""
    cheap, expensive, groat = measured["all cheap"], measured["all expensive"], measured["groat"]
    share = (groat["cost_usd"] - cheap["cost_usd"]) / (expensive["cost_usd"] - cheap["cost_usd"])
    share = min(max(share, 0.0), 1.0)
    right = share * expensive["right"] + (1 - share) * cheap["right"]
    interval = binomtest(round(right * groat["questions"]), groat["questions"]).proportion_ci(method="wilson")
    return {
        **groat,
        "arm": "random at equal spend",
        "right": round(right, 4),
        "right_low": round(interval.low, 4),
        "right_high": round(interval.high, 4),
        "hits": 0,
        "wrong_hits": 0,
        "expensive_share": round(share, 4),
        "p50_ms": cheap["p50_ms"],
    }


def oracle(cheap: Sequence[tuple[Question, Answered]], expensive: Sequence[tuple[Question, Answered]]) -> Arm:
    """Return what a router that knows the outcomes gives: the cheap answer wherever it is right or the other is wrong too."""
    best = [
        first if is_right(*first) or not is_right(*second) else second for first, second in zip(cheap, expensive, strict=True)
    ]
    return figures("oracle", best[0][0]["lang"], best)


def sample(count: int, seed: int) -> list[Question]:
    """Return whole groups of questions, half of them in each language, in a seeded order; a group shares one answer."""
    rng = random.Random(seed)
    chosen: list[Question] = []
    for language in ("en", "zh"):
        groups: dict[str, list[Question]] = defaultdict(list)
        for question in load_questions(language):
            groups[question["answer_id"]].append(question)
        names = sorted(groups)
        rng.shuffle(names)
        half: list[Question] = []
        while names and len(half) < count // 2:
            half += groups[names.pop()]
        chosen += half
    rng.shuffle(chosen)
    return chosen


async def put(graph: Groat, question: Question, context: Context) -> Answered:
    """Put one question with its conversation through the graph."""
    said: list[AnyMessage] = [
        HumanMessage(turn["content"]) if turn["role"] == "user" else AIMessage(turn["content"]) for turn in question["history"]
    ]
    return await ask(graph, [*said, HumanMessage(question["question"])], context)


def is_right(question: Question, answered: Answered) -> bool:
    """Tell whether the answer holds what a right one needs; what no document answers must not be answered."""
    text = answered["answer"].casefold()
    if question["kind"] in {"small_talk", "translation"}:
        return bool(text)
    if not question["answer_groups"] and not question.get("result"):
        return any(attempt["abstained"] for attempt in answered["decisions"]["attempts"]) and not answered["verified"]
    groups = [*question["answer_groups"], *([string] for string in question.get("result", []))]
    return all(any(string.casefold() in text for string in group) for group in groups)


def figures(name: str, language: str, answers: Sequence[tuple[Question, Answered]]) -> Arm:
    """Return the figures of one arm in one language."""
    right = [is_right(question, answered) for question, answered in answers]
    interval = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    cost = sum(answered["cost_usd"] or 0.0 for _, answered in answers)
    baseline = sum(answered["baseline_cost_usd"] or 0.0 for _, answered in answers)
    hit = [answered["decisions"]["lookup"]["outcome"] == "hit" for _, answered in answers]
    tiers = [{attempt["tier"] for attempt in answered["decisions"]["attempts"]} for _, answered in answers]
    latencies = sorted(answered["latency_ms"] for _, answered in answers)
    return {
        "arm": name,
        "lang": language,
        "questions": len(answers),
        "right": round(sum(right) / len(right), 4),
        "right_low": round(interval.low, 4),
        "right_high": round(interval.high, 4),
        "cost_usd": round(cost, 6),
        "saved": round(1 - cost / baseline, 4) if baseline else 0.0,
        "hits": sum(hit),
        "wrong_hits": wrong_hits(answers),
        "expensive_share": round(sum("expensive" in tier for tier in tiers) / len(tiers), 4),
        "p50_ms": round(latencies[len(latencies) // 2], 1),
    }


def wrong_hits(answers: Sequence[tuple[Question, Answered]]) -> int:
    """Count hits on the kept answer of a question with another right answer."""
    by_text = {question["question"]: question["answer_id"] for question, _ in answers}
    wrong = 0
    for question, answered in answers:
        candidate = answered["decisions"]["lookup"]["candidate"]
        if answered["decisions"]["lookup"]["outcome"] == "hit" and candidate is not None:
            wrong += by_text.get(candidate["question"]) != question["answer_id"]
    return wrong


def table(arms: Sequence[Arm]) -> Table:
    """Return the figures as a table for people."""
    shown = Table("arm", "lang", "n", "right (95 %)", "cost", "saved", "hits", "wrong hits", "expensive", "p50 ms")
    for arm in arms:
        shown.add_row(
            arm["arm"],
            arm["lang"],
            str(arm["questions"]),
            f"{arm['right']:.0%} ({arm['right_low']:.0%}..{arm['right_high']:.0%})",
            f"${arm['cost_usd']:.4f}",
            f"{arm['saved']:.0%}",
            str(arm["hits"]),
            str(arm["wrong_hits"]),
            f"{arm['expensive_share']:.0%}",
            f"{arm['p50_ms']:.0f}",
        )
    return shown


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
