"""What can be seen of a text without understanding it: names, figures, times, and what a question asks for."""

import re
from dataclasses import dataclass

import regex

from groat.text import content_words, words

NAME = regex.compile(r"\p{Lu}[\p{L}\p{N}.'’&-]*")
_ENTITY = regex.compile(
    r"\p{Lu}[\p{L}\p{N}.'’&-]*(?:\s+(?:(?:of|the|de|von|van|and|da|di|du|la)\s+)*\p{Lu}[\p{L}\p{N}.'’&-]*)*"
)
_QUOTED = regex.compile(r"[“\"「『《‘]([^”\"」』》’]{1,60})[”\"」』》’]")
_ASIDE = regex.compile(r"\s*[(（][^)）]*[)）]")
_NO_NAME = frozenset(
    "The In It He She This A An On At As His Her They These After For From But With By When During Its".split()
)
"""Words that are capitalised because a sentence begins with them."""
FIGURE = re.compile(
    r"\d+(?:[.,]\d+)*|[一二两三四五六七八九十百千万亿]{1,24}(?=[个年天名次位岁倍种部条座层米元人])"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundred|thousand|million|half)\b",
    re.IGNORECASE,
)
TIME = re.compile(
    r"\b(?:1\d{3}|20\d{2})\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|century)\b"
    r"|\d+\s*(?:年|月|日|世纪)|[一二三四五六七八九十〇零]{1,4}[年月日]",
    re.IGNORECASE,
)
_WANTS_FIGURE = re.compile(
    r"\bhow (?:many|much|long|old|far|high|large|big|tall|fast|often)\b"
    r"|\bwhat (?:\w+ )?(?:number|percentage|amount|population|size|age)\b"
    r"|多少|几[个年天名次位岁倍种]|多[大长高久远重快]|比例|百分之",
    regex.IGNORECASE,
)
_WANTS_TIME = regex.compile(
    r"\bwhen\b|\b(?:what|which|in what|in which) (?:year|date|day|month|century|decade|time|season)\b"
    r"|何时|什么时[候间]|哪[一]?[年天日月]|几[月号日点]|时间|日期|年份",
    regex.IGNORECASE,
)
_WANTS_NAME = regex.compile(
    r"\bwho(?:se|m)?\b|\bwhere\b|\bwhat (?:is|was|are|were) the (?:\w+ )?names?\b|\bwhich\b|\bin what\b"
    r"|谁|哪[里儿位个些国家座所]|何[人地处]|什么(?:地方|名字|人)|叫什么|名[字称]",
    regex.IGNORECASE,
)
_WANTS_WAY = regex.compile(
    r"\bwhy\b|\bhow (?:did|do|does|was|were|is|are|can)\b|为什么|为何|原因|怎么|怎样|如何", regex.IGNORECASE
)
_STEPS = regex.compile(r"\b(?:that|which|who|whose|where|when) \w+|\bof the\b|'s\b|的", regex.IGNORECASE)
_SEVERAL = regex.compile(r"\band\b|\bboth\b|\brespectively\b|和|与|及|、|分别|哪些|哪几|各", regex.IGNORECASE)


def names_of(text: str) -> frozenset[str]:
    """Return the capitalised words, without those that merely begin a sentence."""
    if text.lower() == text:
        return frozenset()
    return frozenset(NAME.findall(text)) - _NO_NAME


def entities_of(text: str) -> list[str]:
    """Return names of one or more capitalised words, and what stands in quotation or book-title marks."""
    return [*_ENTITY.findall(text), *_QUOTED.findall(text)]


def without_asides(text: str) -> str:
    """Return the text without what stands in brackets: the title "The Ritz (film)" as a sentence would name it."""
    return _ASIDE.sub("", text).strip()


def is_name(text: str) -> bool:
    """Tell whether the capitalised text may be a name: longer than two letters, and no word that begins sentences."""
    return len(text) > 2 and text not in _NO_NAME


def steps_in(question: str) -> int:
    """Return how many clauses and genitives the question is built of: each may be a step to the answer."""
    return len(_STEPS.findall(question))


def parts_in(question: str) -> int:
    """Return how many words of the question join things that are asked for together."""
    return len(_SEVERAL.findall(question))


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A question at a glance."""

    entities: frozenset[str]
    """Names after the first word, and what is quoted."""
    names: frozenset[str]
    """Capitalised words after the first word, and what is quoted."""
    known: frozenset[str]
    """All capitalised words."""
    relation: tuple[str, ...]
    """Words with meaning that are part of no name: what is asked about the names; all of them when every word is."""
    figure: bool
    """Whether a number is asked for; likewise a time, a name, and a reason or a way."""
    time: bool
    name: bool
    way: bool

    @classmethod
    def of(cls, question: str) -> "Asking":
        """Look at the question."""
        first = question.split(" ", 1)[0]
        quoted = frozenset(_QUOTED.findall(question))
        entities = frozenset(_ENTITY.findall(question)) - {first} | quoted
        named = {word for entity in entities for word in words(entity)}
        asked = tuple(dict.fromkeys(content_words(question))) or tuple(dict.fromkeys(words(question)))
        return cls(
            entities=entities,
            names=frozenset(NAME.findall(question)) - {first} | quoted,
            known=frozenset(NAME.findall(question)),
            relation=tuple(word for word in asked if word not in named) or asked,
            figure=bool(_WANTS_FIGURE.search(question)),
            time=bool(_WANTS_TIME.search(question)),
            name=bool(_WANTS_NAME.search(question)),
            way=bool(_WANTS_WAY.search(question)),
        )
