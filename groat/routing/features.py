"""What the router sees of a question, besides its vector; the same features in Chinese and English."""

import math

import numpy as np
import regex
from numpy.typing import NDArray

from groat.text import cjk_share, figures

VERSION = "surface/1"
"""Names the features and their order; an artifact made for another version is refused."""

_CUES: dict[str, str] = {
    "comparison": r"\b(compare|comparison|versus|vs|difference|better|worse|cheaper|which (?:one|plan|of))\b"
    r"|比较|对比|区别|哪个更|哪种更|更划算|差别|还是",
    "calculation": r"\b(calculate|compute|how much (?:would|will|do|does|in total)|in total|altogether|sum|average|left over)\b"
    r"|计算|算一下|算算|一共|总共|合计|平均|多少钱|剩(?:下)?多少|能省",
    "reasoning": r"\b(explain|why|prove|derive|reason|step by step|justify|analy[sz]e|evaluate)\b"
    r"|解释|为什么|证明|推导|分析|论述|理由|说明原因",
    "condition": r"\b(if|suppose|assuming|given that|unless|in case|what happens when)\b"
    r"|如果|假如|假设|要是|已知|万一|的话",
    "several": r"\b(both|each|respectively|all of|and also|as well as|list)\b|分别|各|都有哪些|以及|同时|列出|哪些",
    "instruction": r"\b(write|draft|summari[sz]e|rewrite|generate|create|design|plan|recommend|suggest)\b"
    r"|写一|写出|起草|总结|改写|生成|设计|推荐|建议|规划",
    "lookup": r"\b(where|when|what is|what's|how do i|how can i|can i|is there|does the|do you)\b"
    r"|怎么|如何|哪里|在哪|什么时候|是什么|能不能|可以.{0,8}吗|支持.{0,8}吗|多久|几天",
    "negation": r"\b(not|never|no|except|without|neither|nor|cannot)\b|n't\b|不|没|未|除了|除外",
    "options": r"(?m)^\s*\(?[A-Ea-e][).、．:]|\([A-E]\)|以下(?:哪|各|说法)|下列",
    "blank": r"_{2,}|（\s*）|\(\s*\)",
    "code": r"```|\bdef \w+\(|\breturn\b|[{};]\s*$|\bprint\(|\w+\(\w*\)|==|!=|=>|&&|::",
    "formula": r"\\\w+\{|\$[^$]+\$|[=<>≤≥≠±√∑∫^]|\b[xyzn]\s*[+*/^=-]|\d\s*[+*/×÷-]\s*\d",
}
_PATTERNS = {name: regex.compile(pattern, regex.IGNORECASE) for name, pattern in _CUES.items()}
_SENTENCE_END = regex.compile(r"[.!?。！？；](?:\s|$|(?=\p{Han}))|\n")

NAMES: tuple[str, ...] = (
    "log_chars", "log_han", "log_latin_words", "han_share", "log_sentences", "log_lines", "log_figures", "digit_share",
    "longest_word", "question_marks", "has_history", *(f"cue_{name}" for name in _CUES),
    "has_documents", "top_similarity", "similarity_gap", "document_spread",
)  # fmt: skip
"""Names of the features in the order of the vector."""


def surface(
    question: str, *, history_turns: int = 0, similarities: list[float] | None = None, documents: int = 0
) -> NDArray[np.float64]:
    """Return the features of a question, shape (len(NAMES),), all finite. Pure; about 0.1 ms for 200 characters.

    Args:
        question: the text.
        history_turns: number of earlier turns.
        similarities: cosines of the retrieved passages, best first; None or empty when nothing was retrieved.
        documents: how many different documents the passages come from.
    """
    text = question[:8_000]
    latin_words = regex.findall(r"\p{Latin}+", text)
    han = len(regex.findall(r"\p{Han}", text))
    digits = sum(char.isdigit() for char in text)
    head = [
        math.log1p(len(text)),
        math.log1p(han),
        math.log1p(len(latin_words)),
        cjk_share(text),
        math.log1p(len(_SENTENCE_END.findall(text))),
        math.log1p(text.count("\n")),
        math.log1p(len(figures(text))),
        digits / max(len(text), 1),
        min(max((len(word) for word in latin_words), default=0), 20) / 20,
        min(text.count("?") + text.count("？"), 3) / 3,
        float(history_turns > 0),
    ]
    cues = [math.log1p(min(len(pattern.findall(text)), 8)) for pattern in _PATTERNS.values()]
    found = similarities or []
    top = found[0] if found else 0.0
    gap = found[0] - found[min(len(found) - 1, 3)] if found else 0.0
    spread = min(documents, 8) / 8
    return np.array([*head, *cues, float(bool(found)), top, gap, spread], dtype=np.float64)


def cues(question: str) -> list[str]:
    """Return the names of the cues that a question shows, for the reasons of a decision."""
    return [name for name, pattern in _PATTERNS.items() if pattern.search(question[:8_000])]
