"""Processor time of a question as a ratio to work that is measured in the same run: a slow machine changes both alike.

Vectors are remembered, so that what is measured is the rest: reading, looking up, searching, choosing, checking, writing down.
"""

import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import regex
from typing_extensions import TypedDict

from evals.helpcentre import load_questions, open_helpcentre
from graph.asking import ask
from graph.build import build_graph
from graph.context import Context
from graph.services import open_services
from graph.settings import Settings
from groat.embedding import Embedder
from groat.knowledge import KnowledgeBase
from groat.types import Language

QUESTIONS: Final = 12
"""Of each language: facts, whose answers are kept."""


class Ratio(TypedDict):
    """How long a question takes, in units of the reference."""

    questions: int
    miss: float
    """Median of those that are answered afresh."""
    hit: float
    """Median of the same ones asked again."""


async def measure(embedder: Embedder) -> Mapping[Language, Ratio]:
    """Return the ratios of each language, over the help centre's documents with the answerer that needs no server."""
    found: dict[Language, Ratio] = {}
    with tempfile.TemporaryDirectory() as folder:
        services = replace(open_services(Settings(data_dir=Path(folder)), embeddings=embedder), audits=None, recorder=None)
        assert isinstance(services.knowledge, KnowledgeBase)  # the settings name no other
        await open_helpcentre(services.knowledge)
        graph = build_graph(services)

        async def passed(questions: Sequence[str]) -> float:
            times, units = [], []
            for question in questions:
                begun = time.process_time()
                await ask(graph, question, Context())
                times.append(time.process_time() - begun)
                # Beside each question, since what disturbs a core comes and goes.
                units.append(reference())
            return round(statistics.median(times) / statistics.median(units), 3)

        for language in ("en", "zh"):
            questions = [row["question"] for row in load_questions(language) if row["kind"] == "fact"][:QUESTIONS]
            # Loads what is loaded at the first use and makes all vectors, those of what is kept too. Then all is forgotten.
            await passed(questions)
            await services.answers.forget(everything=True)
            found[language] = {"questions": QUESTIONS, "miss": await passed(questions), "hit": await passed(questions)}
    return found


def reference() -> float:
    """Return the seconds of processor time of a fixed piece of work like groat's: text, JSON, hashes, small matrices."""
    text = "How long is a password reset link valid? 密码重置链接多久有效？ " * 40
    matrix = np.linspace(0.0, 1.0, 256 * 384, dtype=np.float32).reshape(256, 384)
    begun = time.process_time()
    for number in range(60):
        words = regex.findall(r"\p{L}+", text)
        packed = json.dumps({"number": number, "words": words}, ensure_ascii=False)
        hashlib.sha256(packed.encode()).digest()
        json.loads(packed)
        np.argsort(matrix @ matrix[number])
    return time.process_time() - begun
