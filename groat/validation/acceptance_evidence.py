"""What speaks for and against an answer, as numbers by name."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import regex
from numpy.typing import NDArray

from groat.text import citations, cjk_share, content_words, figures, sentence_spans, without_citations
from groat.types import Asked, Attempt, Check, Opinion, Passage

VERSION = "acceptance/1"
"""Names the evidence and its order; an artifact made for another version is refused."""

_HEDGES = regex.compile(
    r"\b(?:maybe|perhaps|probably|possibly|might|likely|seems?|appears?|I think|I believe|not sure|unsure|unclear"
    r"|assum(?:e|ing)|approximately|roughly)\b|可能|大概|也许|或许|似乎|大约|不确定|估计|应该是|我认为",
    regex.IGNORECASE,
)
_TURNS = regex.compile(
    r"\b(?:wait|actually|however|correction|mistake|instead|but|although)\b|其实|不对|更正|然而|但是?|不过|错了",
    regex.IGNORECASE,
)
_OPTIONS = regex.compile(r"^\s*\(?[A-Ha-h][).、．:]|\([A-D]\)", regex.MULTILINE)
_CODE = regex.compile(r"```|\bdef \w+\(|\breturn\b|[{};]\s*$|\w+\(\w*\)|==|!=|=>|&&|::", regex.MULTILINE)
_FORMULA = regex.compile(r"\\\w+\{|\$[^$]+\$|[<>≤≥≠±√∑∫^]|\b[xyzn]\s*[+*/^=-]")
_READ = 8_000
"""Characters of question and answer that are looked at."""
_SHORT = 40

NAMES: tuple[str, ...] = (
    "checks_failed", "lowest_check", "mean_check", "support",
    "log_chars", "log_sentences", "is_short", "log_hedges", "log_turns", "log_figures", "log_new_figures", "log_equals",
    "repetition", "echo", "covers", "cited", "finished", "repaired",
    "asked_log_chars", "asked_log_figures", "asked_options", "asked_code", "asked_formula", "asked_history",
    "route_known", "route_logit", "probability_known", "log_probability",
    "similar_known", "top_similarity", "similarity_gap", "cited_similarity", "covers_cited", "passages",
    "opinion_bought", "opinion_of_same_model", "agreement",
)  # fmt: skip
"""Names of the evidence in the order of the coefficients."""

HAN = 0.3
"""Least ``asked_han`` of a question in Chinese, as in ``groat.text.detect_language``. It chooses the threshold and is no part
of the estimate: recordings in one language are of other kinds than those in the other, and would pass for the language."""
BOUGHT, AGREEMENT = NAMES.index("opinion_bought"), NAMES.index("agreement")
"""Places of the two items that a second opinion fills."""


def evidence_of(
    checks: Sequence[Check],
    *,
    asked: Asked,
    attempt: Attempt,
    route_p: float | None,
    opinion: Opinion | None,
    passages: Sequence[Passage],
) -> dict[str, float]:
    """Return what speaks for and against an answer: ``NAMES`` and ``asked_han``, every value finite.

    Pure; about 2 ms for an answer of 1,000 characters and 2,000 tokens of passages.

    Args:
        checks: results of the checks of this answer.
        asked: the question.
        attempt: the answer, which need not have passed.
        route_p: the router's ``p_cheap_ok``; None when a rule or the caller decided.
        opinion: a second answer, None when none was bought.
        passages: what the model read; empty for an open question.
    """
    return {
        **_of_checks(checks),
        **_of_answer(asked, attempt),
        **_of_question(asked),
        **_of_passages(asked, attempt, passages),
        "route_known": float(route_p is not None),
        "route_logit": 0.0 if route_p is None else _logit(route_p),
        "probability_known": float("log_probability" in attempt),
        "log_probability": max(min(attempt.get("log_probability", 0.0), 0.0), -10.0),
        "opinion_bought": float(opinion is not None),
        "opinion_of_same_model": float(opinion is not None and opinion["model"] == attempt["model"]),
        "agreement": 0.0 if opinion is None else min(max(opinion["agreement"], 0.0), 1.0),
    }


def _of_checks(checks: Sequence[Check]) -> dict[str, float]:
    scores = [check["score"] for check in checks] or [1.0]
    return {
        "checks_failed": math.log1p(sum(not check["passed"] for check in checks)),
        "lowest_check": min(scores),
        "mean_check": sum(scores) / len(scores),
        "support": next((check["score"] for check in checks if check["name"] == "support"), 1.0),
    }


def _of_answer(asked: Asked, attempt: Attempt) -> dict[str, float]:
    text = without_citations(attempt["text"][:_READ]).strip()
    used = content_words(text)
    different = set(used)
    wanted = set(content_words(asked["text"][:_READ]))
    told = figures(text)
    return {
        "log_chars": math.log1p(len(text)),
        "log_sentences": math.log1p(len(sentence_spans(text))),
        "is_short": float(len(text) <= _SHORT),
        "log_hedges": math.log1p(len(_HEDGES.findall(text))),
        "log_turns": math.log1p(len(_TURNS.findall(text))),
        "log_figures": math.log1p(len(told)),
        "log_new_figures": math.log1p(len(told - figures(asked["text"][:_READ]))),
        "log_equals": math.log1p(text.count("=")),
        "repetition": 1 - len(different) / max(len(used), 1),
        "echo": len(different & wanted) / max(len(different), 1),
        "covers": len(different & wanted) / max(len(wanted), 1),
        "cited": float(text != attempt["text"][:_READ].strip()),
        "finished": float(attempt["finish_reason"] in {"", "stop", "end_turn"}),
        "repaired": float(attempt["repaired"]),
    }


def _of_question(asked: Asked) -> dict[str, float]:
    text = asked["text"][:_READ]
    return {
        "asked_log_chars": math.log1p(len(text)),
        "asked_log_figures": math.log1p(len(figures(text))),
        "asked_han": cjk_share(text),
        "asked_options": float(bool(_OPTIONS.search(text))),
        "asked_code": float(bool(_CODE.search(text))),
        "asked_formula": float(bool(_FORMULA.search(text))),
        "asked_history": float(bool(asked["history"])),
    }


def _of_passages(asked: Asked, attempt: Attempt, passages: Sequence[Passage]) -> dict[str, float]:
    found = sorted((p["similarity"] for p in passages if p["similarity"] is not None), reverse=True)
    named = set(citations(attempt["text"]))
    quoted = [passage for passage in passages if passage["document_id"] in named]
    held = {word for p in quoted for word in content_words(f"{p['title']} {p['heading']} {p['text']}")}
    wanted = set(content_words(asked["text"][:_READ]))
    return {
        "similar_known": float(bool(found)),
        "top_similarity": found[0] if found else 0.0,
        "similarity_gap": found[0] - found[1] if len(found) > 1 else 0.0,
        "cited_similarity": max((p["similarity"] or 0.0 for p in quoted), default=0.0),
        "covers_cited": len(wanted & held) / max(len(wanted), 1),
        "passages": math.log1p(len(passages)),
    }


def _logit(p: float) -> float:
    p = min(max(p, 0.001), 0.999)
    return math.log(p / (1 - p))


def row(evidence: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the evidence as numbers in the order of ``NAMES``.

    Raises:
        KeyError: some of it is missing.
    """
    return np.array([evidence[name] for name in NAMES], dtype=np.float64)
