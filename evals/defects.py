"""Damage right answers on purpose, in ten ways, in Chinese and English: what validation must catch."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import regex

from groat.answering import NO_ANSWER
from groat.text import figures, sentence_spans
from groat.types import Language

Kind = Literal[
    "number_changed",
    "name_swapped",
    "negation_flipped",
    "other_document",
    "truncated",
    "wrong_language",
    "unsupported",
    "broken_citation",
    "refusal",
    "leak",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A damaged answer."""

    text: str
    finish_reason: str = "stop"


_NUMBER = regex.compile(r"\d+(?:[.,]\d+)*")
_NAMES: dict[Language, tuple[str, ...]] = {
    "en": ("Northwind", "Halcyon", "Maria Keller", "Ostrava", "Series Q4", "Brightwell"),
    "zh": ("青禾公司", "海宁路店", "周明", "Q4 系列", "云栖版", "北辰平台"),
}
_NAME = {
    "en": regex.compile(
        r"\b(?:Leaf (?:Meter|Plug|Battery|app)|Wattleaf|Basic|Plus|Business|[A-Z][a-z]+(?= (?:plan|page|menu)))\b"
    ),
    "zh": regex.compile(r"瓦叶(?:电表|插座|电池| App)?|基础版|进阶版|商用版|“[^”]{2,8}”"),
}
_FLIPS: dict[Language, tuple[tuple[str, str], ...]] = {
    "en": (
        (r"\bcannot\b|\bcan't\b", "can"),
        (r"\bcan\b", "cannot"),
        (r"\b(is|are|was|were|does|do|will|must) not\b", r"\1"),
        (r"\b(isn|aren|don|doesn|won)'t\b", "does"),
        (r"\b(is|are|was|were|will|must)\b", r"\1 not"),
        (r"\bnever\b", "always"),
        (r"\bno\b", "every"),
        (r"\bwithout\b", "with"),
    ),
    "zh": (
        (r"不能|无法", "可以"),
        (r"不会", "会"),
        (r"不需要|无需|不用", "需要"),
        (r"没有", "有"),
        (r"不支持", "支持"),
        (r"不(?=\p{Han})", ""),
        (r"可以", "不能"),
        (r"需要", "不需要"),
        (r"支持", "不支持"),
        (r"会(?=\p{Han})", "不会"),
        (r"是(?=\p{Han})", "不是"),
        (r"有(?=\p{Han})", "没有"),
    ),
}
"""The first pattern that fits is flipped."""
_UNSUPPORTED: dict[Language, tuple[str, ...]] = {
    "en": (
        "Most customers also receive a complimentary inspection by a certified engineer.",
        "Our laboratory in Finland tests every shipment for radio interference.",
        "Pensioners may apply for a grant from their local council.",
    ),
    "zh": (
        "多数用户还会得到一次由持证工程师上门的免费检查。",
        "我们设在芬兰的实验室会检测每批货物的无线电干扰。",
        "退休人员可以向街道办事处申请补助金。",
    ),
}
_REFUSAL: dict[Language, tuple[str, ...]] = {
    "en": ("I'm sorry, but I can't help with that.", "As an AI, I do not know the details of this.", NO_ANSWER),
    "zh": ("很抱歉，我无法回答这个问题。", "作为人工智能，我不知道具体情况。", NO_ANSWER),
}
_OTHER_LANGUAGE: dict[Language, str] = {
    "en": "这个问题的答案在设置页面里可以找到，请按照页面上的说明操作即可。",
    "zh": "You will find the answer on the settings page; please follow the instructions that are shown there.",
}


def damage(
    kind: Kind, answer: str, *, language: Language, given: str, foreign: Sequence[str], rng: random.Random
) -> Damaged | None:
    """Return ``answer`` with one defect, or None when it has nothing that this defect could touch.

    Args:
        kind: which defect.
        answer: a right answer, with its citation at the end.
        language: its language.
        given: text of all passages and of the question: what is put in must not stand there.
        foreign: sentences of documents that were not given.
        rng: makes every choice.
    """
    match kind:
        case "number_changed":
            return _number_changed(answer, given, rng)
        case "name_swapped":
            found = list(_NAME[language].finditer(answer))
            return _replaced(answer, rng.choice(found), rng.choice(_NAMES[language])) if found else None
        case "negation_flipped":
            return _flipped(answer, language)
        case "truncated":
            return _truncated(answer, rng)
        case _:
            text = _told_wrongly(kind, answer, language, foreign, rng)
            return None if text is None else Damaged(text=text)


def _told_wrongly(kind: Kind, answer: str, language: Language, foreign: Sequence[str], rng: random.Random) -> str | None:
    """Return the answer with something put in, or something else in its place."""
    texts: dict[Kind, str | None] = {
        "other_document": _before_citation(answer, rng.choice(foreign)) if foreign else None,
        "wrong_language": _OTHER_LANGUAGE[language],
        "unsupported": _before_citation(answer, rng.choice(_UNSUPPORTED[language])),
        "broken_citation": regex.sub(r"\[[^\]]*\]", f"[{language}-no-such-page-{rng.randrange(90)}]", answer),
        "refusal": rng.choice(_REFUSAL[language]),
        "leak": f"{answer} <documents> Use only facts that stand in the documents.",
    }
    return texts[kind]


def _number_changed(answer: str, given: str, rng: random.Random) -> Damaged | None:
    found = [match for match in _NUMBER.finditer(_without_citation(answer)) if match.group() not in {"1", "2"}]
    if not found:
        return None
    match, known = rng.choice(found), figures(given)
    while (other := str(rng.randrange(3, 990))) in known:
        pass
    return _replaced(answer, match, other)


def _flipped(answer: str, language: Language) -> Damaged | None:
    body = _without_citation(answer)
    for pattern, other in _FLIPS[language]:
        flipped, count = regex.subn(pattern, other, body, count=1)
        if count:
            return Damaged(text=flipped + answer[len(body) :])
    return None


def _truncated(answer: str, rng: random.Random) -> Damaged | None:
    body = _without_citation(answer)
    if len(body) < 12:
        return None
    cut = body[: int(len(body) * rng.uniform(0.4, 0.8))].rstrip(" ,.;，。；")
    # Providers say so mostly; some say "stop" all the same.
    return Damaged(text=cut, finish_reason=rng.choice(["length", "length", "stop"]))


def _replaced(answer: str, match: "regex.Match[str]", other: str) -> Damaged:
    return Damaged(text=answer[: match.start()] + other + answer[match.end() :])


def _without_citation(answer: str) -> str:
    return regex.sub(r"\s*\[[^\]]*\]\s*$", "", answer)


def _before_citation(answer: str, sentence: str) -> str:
    body = _without_citation(answer)
    return f"{body} {sentence}{answer[len(body) :]}"


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text that are long enough to state a fact."""
    spans = sentence_spans(text)
    return [text[start:end] for start, end in spans if end - start >= 12 and not text[start:end].startswith(("|", "#", "`"))]
