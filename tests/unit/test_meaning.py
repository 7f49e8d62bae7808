"""Evaluators by meaning: both directions count, and what cannot be compared has no score."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from evals.meaning import meaning_by_judge, meaning_by_vectors
from groat.judge import Judged
from tests.fakes import WordEmbedder

REFERENCE = {"en": "The link is valid for 20 minutes.", "zh": "链接的有效期是20分钟。"}


class Supporting:
    """A judge that finds a claim supported by what holds all of its words."""

    version = "test"

    def __init__(self, reason: str | None = None) -> None:
        self._reason = reason

    async def same(self, question: str, candidates: Sequence[str]) -> Judged:
        raise AssertionError("nobody asks that")

    async def answers(self, question: str, sentences: Sequence[str]) -> Judged:
        raise AssertionError("nobody asks that")

    async def supports(self, claim: str, passages: Sequence[str]) -> Judged:
        found = [0.9 if set(claim.split()) <= set(passage.split()) else 0.1 for passage in passages]
        return Judged(np.array(found), tuple(self._reason for _ in passages))


async def score(answer: str, reference: dict[str, Any], reason: str | None = None) -> float | None:
    meaning = meaning_by_judge(Supporting(reason))
    found = await meaning(outputs={"answer": answer}, reference_outputs=reference)
    assert found["key"] == "meaning"
    return found["score"]


async def test_an_answer_means_the_reference_only_when_each_supports_the_other() -> None:
    reference = {"answer": "valid for 20 minutes"}
    assert await score("valid for 20 minutes [en-reset]", reference) == 0.9
    assert await score("it is valid for 20 minutes or for ever", reference) == 0.1
    assert await score("valid", reference) == 0.1


@pytest.mark.parametrize(
    ("answer", "reference"), [("", {"answer": "x"}), ("x", {"groups": [["x"]]}), ("[en-reset]", {"answer": "x"})]
)
async def test_without_an_answer_or_a_reference_there_is_no_score(answer: str, reference: dict[str, Any]) -> None:
    assert await score(answer, reference) is None
    vectors = await meaning_by_vectors(WordEmbedder())(outputs={"answer": answer}, reference_outputs=reference)
    assert vectors["score"] is None


async def test_a_judge_without_an_opinion_gives_no_score_and_says_why() -> None:
    found = await meaning_by_judge(Supporting("it is off"))(outputs={"answer": "a"}, reference_outputs={"answer": "a"})
    assert (found["score"], found["comment"]) == (None, "it is off")


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_vectors_find_the_same_words_nearest(lang: str) -> None:
    meaning = meaning_by_vectors(WordEmbedder())
    same, other = [
        (await meaning(outputs={"answer": text}, reference_outputs={"answer": REFERENCE[lang]}))["score"]
        for text in (REFERENCE[lang], "猫 cat")
    ]
    assert same == pytest.approx(1.0, abs=1e-5)
    assert other is not None
    assert other < 0.9
