"""What the router sees of a question, besides its words and its vector; the same features in Chinese and English."""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from groat.routing.grams import glimpse
from groat.text import cjk_share

VERSION = "surface/3"
"""Names the features and their order; an artifact made for another version is refused."""
SHORT = 60
"""Shorter questions count as this long, a Chinese character as three letters: a hard question may be short."""

_CUES: dict[str, str] = {
    "comparison": r"\b(?:compare|comparison|versus|vs|difference|differs?|better|worse|cheaper|than|which (?:one|plan|of))\b"
    r"|比较|对比|区别|哪个更|哪种更|更划算|差别|还是|不同",
    "calculation": r"\b(?:calculate|compute|how much (?:would|will|do|does|in total)|in total|altogether|sum|average)\b"
    r"|计算|算一下|算算|一共|总共|合计|平均|多少钱|剩下?多少|能省",
    "reasoning": r"\b(?:explain|why|prove|derive|reason|step by step|justify|analy[sz]e|evaluate)\b"
    r"|解释|为什么|证明|推导|分析|论述|理由|说明原因",
    "condition": r"\b(?:if|suppose|assuming|given that|unless|in case|what happens when)\b"
    r"|如果|假如|假设|要是|已知|万一|的话",
    "several": r"\b(?:both|each|respectively|all of|and also|as well as|list)\b|分别|各|都有哪些|以及|同时|列出|哪些",
    "instruction": r"\b(?:write|draft|summari[sz]e|rewrite|generate|create|design|plan|recommend|suggest)\b"
    r"|写一|写出|起草|总结|改写|生成|设计|推荐|建议|规划",
    "lookup": r"\b(?:where|when|what is|what's|how do i|how can i|can i|is there|does the|do you)\b"
    r"|怎么|如何|哪里|在哪|什么时候|是什么|能不能|可以.{0,8}吗|支持.{0,8}吗|多久|几天",
    "negation": r"\b(?:not|never|no|except|without|neither|nor|cannot|false|incorrect|wrong|unlikely)\b|n't\b"
    r"|不|没|未|除了|除外|错误|有误",
    "superlative": r"\b(?:most|best|least|main|primar(?:y|ily)|largest|smallest|first|only|always|all|none|any)\b"
    r"|最|主要|首先|只|全部|任何",
    "opinion": r"\b(?:may|might|could|should|must|likely|probably|suggests?|according|argues?|claims?|believes?|theory|view)\b"
    r"|可能|应该|认为|观点|理论|主张|根据|体现|说明|反映",
    "cause": r"\b(?:because|since|therefore|thus|hence|due to|cause[sd]?|leads?|result(?:s|ed)?|effect)\b"
    r"|因为|因此|所以|由于|导致|原因|影响|结果",
    "term": r"\b(?:called|known as|refers? to|defin(?:ed?|ition)|means?|term|name)\b|称为|叫做|定义|是指|名词",
    "change": r"\b(?:more|less|fewer|increas\w*|decreas\w*|rest|remain\w*|left|another|before|after|then)\b"
    r"|增加|减少|剩|之后|之前|然后|再",
    "part": r"%|\b(?:percent(?:age)?|half|thirds?|quarters?|twice|doubled?|tripled?|times|ratio|fraction)\b|\d/\d"
    r"|分之|百分|倍|比例|一半",
    "rate": r"\b(?:per|every|hourly|daily|weekly|rate|speed|hours?|minutes?|days?|weeks?|months?|years?)\b"
    r"|每|速度|小时|分钟|天|周|月|年",
    "money": r"[$€£¥]|\b(?:dollars?|cents?|cost|price|pa(?:y|ys|id)|profit|budget|salary|earn(?:s|ed)?)\b"
    r"|元|价格|费用|利润|工资",
    "person": r"\b(?:he|she|his|her|they|their|i|my|me|who)\b|他|她|我|你",
    "number_word": r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million)\b"
    r"|[二三四五六七八九十百千万两]",
    "blank": r"_{2,}|\(\s*\)|（\s*）",
    "code": r"```|\bdef \w+\(|\breturn\b|[{};]\s*$|\bprint\(|\w+\(\w*\)|==|!=|=>|&&|::",
    "formula": r"\\\w+|\$[^$]+\$|[=<>≤≥≠±√∑∫^]|\b[xyzn]\s*[+*/^=-]|\d\s*[+*/×÷-]\s*\d",
    "quoted": r"[\"“”「」《》]",
    "numbered": r"[①②③④⑤⑥]|\bi{1,3}\b\.?(?=[ .,)])|\bstatement\b",
}  # fmt: skip
_WIDE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")


def _compiled(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """Return the part that needs no wide characters, and the one behind it that does: most texts need only the first.

    On folded text, without the flag that ignores case: that would take twice the time.
    """
    narrow, _, wide = pattern.partition("|" + found.group()) if (found := _FIRST_WIDE.search(pattern)) else (pattern, "", "")
    return re.compile(narrow, re.MULTILINE), re.compile(found.group() + wide, re.MULTILINE) if found else None


_FIRST_WIDE = re.compile(r"(?<=\|)\[?[\u3000-\u9fff\uff00-\uffef]")
_PATTERNS = {name: _compiled(pattern) for name, pattern in _CUES.items()}
_SENTENCE_END = re.compile(r"[.!?。！？；](?:\s|$|(?=[\u4e00-\u9fff]))|\n")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]+")
_FIGURE = re.compile(r"\d+(?:\.\d+)?")

NAMES: tuple[str, ...] = (
    "log_length", "log_han", "log_latin_words", "han_share", "log_sentences", "log_lines", "log_figures", "figures_differ",
    "longest_figure", "decimals", "digit_share", "mean_word", "long_words", "capitals", "acronyms", "new_words",
    "longest_line", "usual_line", "last_line", "lines_alike", "commas", "question_marks", "has_history", "turns",
    *(f"cue_{name}" for name in _CUES),
    "has_documents", "top_similarity", "similarity_gap", "document_spread",
)  # fmt: skip
"""Names of the features in the order of the vector."""


def surface(
    question: str, *, history_turns: int = 0, similarities: Sequence[float] | None = None, documents: int = 0
) -> NDArray[np.float64]:
    """Return the features of a question, shape (len(NAMES),), all finite. Pure; about 0.5 ms, 2 ms for a long text.

    Args:
        question: the text.
        history_turns: number of earlier turns.
        similarities: cosines of the retrieved passages, best first; None or empty when nothing was retrieved.
        documents: how many different documents the passages come from.
    """
    text = glimpse(question)
    folded = text.casefold()
    found = list(similarities or [])
    return np.array(
        [
            *_shape(text, len(question)),
            *_lines([line for line in folded.split("\n") if line.strip()]),
            text.count(",") / max(len(text), 1) * 50,
            min(text.count("?") + text.count("？"), 3) / 3,
            float(history_turns > 0),
            min(history_turns, 6) / 6,
            *(math.log1p(min(sum(len(pattern.findall(folded)) for pattern in both), 12)) for both in _patterns(folded)),
            float(bool(found)),
            found[0] if found else 0.0,
            found[0] - found[min(len(found) - 1, 3)] if found else 0.0,
            min(documents, 8) / 8,
        ],
        dtype=np.float64,
    )


def cues(question: str) -> list[str]:
    """Return the names of the cues that a question shows, for the reasons of a decision."""
    folded = glimpse(question).casefold()
    both = zip(_PATTERNS, _patterns(folded), strict=True)
    return [name for name, patterns in both if any(pattern.search(folded) for pattern in patterns)]


def _patterns(folded: str) -> Iterator[list[re.Pattern[str]]]:
    """Yield what can match in a text, cue by cue."""
    wide = _WIDE.search(folded) is not None
    for narrow, other in _PATTERNS.values():
        yield [narrow, other] if wide and other is not None else [narrow]


def _shape(text: str, length: int) -> list[float]:
    words = _WORD.findall(text)
    han = _HAN.findall(text)
    figures = _FIGURE.findall(text)
    units = [word.casefold() for word in words] + han
    count = max(len(words), 1)
    return [
        math.log(max(length * (1 + 2 * len(han) / max(len(text), 1)), SHORT)),
        math.log1p(len(han)),
        math.log1p(len(words)),
        cjk_share(text),
        math.log1p(len(_SENTENCE_END.findall(text))),
        math.log1p(text.count("\n")),
        math.log1p(len(figures)),
        math.log1p(len(set(figures))),
        math.log1p(max((len(figure) for figure in figures), default=0)),
        sum("." in figure for figure in figures) / max(len(figures), 1),
        sum(map(len, figures)) / max(len(text), 1),
        min(sum(map(len, words)) / count, 12) / 12,
        sum(len(word) >= 9 for word in words) / count,
        sum(word[0].isupper() for word in words) / count,
        sum(len(word) > 1 and word.isupper() for word in words) / count,
        len(set(units)) / max(len(units), 1),
    ]


def _lines(lines: list[str]) -> list[float]:
    """Return how long the lines are, and how much those after the first repeat each other, as choices hard to tell apart do."""
    lengths = sorted(map(len, lines)) or [0]
    sets = [set(_HAN.findall(line)) | set(line.split()) for line in lines[1:40]]
    alike = [len(a & b) / min(len(a), len(b)) for a, b in pairwise(sets) if a and b]
    return [
        math.log1p(lengths[-1]),
        math.log1p(lengths[len(lengths) // 2]),
        math.log1p(len(lines[-1]) if lines else 0),
        sum(alike) / max(len(alike), 1),
    ]
