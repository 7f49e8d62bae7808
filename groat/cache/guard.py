"""What makes two alike questions different questions: the check that similarity cannot do.

"Turn on" and "turn off" are closer to each other than most paraphrases on every encoder, so a hit by likeness also needs
that nothing here is found. The checks know words, not meaning: they miss what no list names, and now and then they part two
wordings of one question, which costs a hit and harms nobody.
"""

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

import regex

from groat.cache.opposites import opposite_sides
from groat.text import content_words, denials, detect_language, figures, fold
from groat.types import Language

GUARD_VERSION = 1
"""Raise this when any check changes: a calibration made with other checks is refused."""

_REMEMBERED = 8192
"""Texts whose parts are remembered: a question is held against several others, and kept ones come again."""
_LONG_CHARS = 80
_LONG_RATIO = 3.0


def differences(a: str, b: str) -> list[str]:
    """Return why one answer may not serve both questions, as sorted codes; empty when nothing was found.

    Codes: "figure", "negation", "opposite", "question_word", "direction", "name", "quoted", "length",
    "swapped". Symmetric, empty for
    texts that are equal after folding, never raises; about 0.1 ms for questions of usual length.
    """
    left, right = folded(a), folded(b)
    if left == right:
        return []
    found = [code for code, differ in _CHECKS.items() if differ(left, right)]
    # Folding strips quotation marks at the ends, so this check reads the texts as they came.
    return sorted([*found, "quoted"] if _quoted_differs(a.casefold(), b.casefold()) else found)


@lru_cache(maxsize=_REMEMBERED)
def folded(text: str) -> str:
    """Return the folded text, remembered."""
    return fold(text)


@lru_cache(maxsize=_REMEMBERED)
def language_of(text: str) -> Language:
    """Return the language of a text, remembered."""
    return detect_language(text)


def _figures_differ(a: str, b: str) -> bool:
    # 一个 and "1" are mostly articles; against another figure they still differ.
    return _figures(a) != _figures(b)


@lru_cache(maxsize=_REMEMBERED)
def _figures(text: str) -> frozenset[str]:
    return frozenset(figures(text) - {"1"})


# "refundable" and "non-refundable", "mute" and "unmute"
_DENYING_PREFIX = ("un", "non-", "non", "in", "im", "dis", "self-", "de-")


def _negation_differs(a: str, b: str) -> bool:
    return _denials(a) != _denials(b) or _prefixed(a, b) or _prefixed(b, a)


@lru_cache(maxsize=_REMEMBERED)
def _denials(text: str) -> int:
    return denials(text)


def _prefixed(a: str, b: str) -> bool:
    """Say whether ``b`` has a word of ``a`` with a denying prefix that ``a`` lacks."""
    left, right = _word_set(a), _word_set(b)
    plain = {word for word in left - right if len(word) > 3}
    return bool(plain) and any(
        word[len(prefix) :] in plain
        for word in right - left
        if word.startswith(_DENYING_PREFIX)
        for prefix in _DENYING_PREFIX
        if word.startswith(prefix)
    )


@lru_cache(maxsize=_REMEMBERED)
def _word_set(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


_QUESTION_WORDS = {
    "reason": r"\bwhy\b|\bhow come\b|what (?:is|are) the (?:reason|cause)|为什么|为何|为啥|怎么回事|原因|干嘛|咋回事",
    "place": r"\bwhere\b|\bwhich (?:place|city|country|menu|page)\b|哪里|哪儿|在哪|哪个地方|什么地方|何处|那里(?=.*[?？]?$)",
    "time": r"\bwhen\b(?= (?:is|are|do|does|did|will|can|should|was|were|has)\b)|\bwhat (?:time|day|date|year)\b|什么时候|何时|"
    r"啥时候|几点|几号|哪天|哪一?年|多会儿?",
    "person": r"^who\b|\bwho (?:is|are|was|were|will|has|won|wrote|made)\b|\bwhose\b|谁(?!有|知道|能|可以|帮|给|都|也)",
    "price": r"\bhow (?:much|expensive)\b|\bwhat (?:does|do|is|are|will).{0,30}\bcost|\bprice\b|"
    r"多少钱|价格|什么价|费用|怎么收费",
    "duration": r"\bhow long\b|\bhow many (?:days|weeks|hours|minutes|months|years)\b|"
    r"多久|多长时间|几天|几个?小时|几分钟|几个?工作日",
    "count": r"\bhow many\b(?! (?:days|weeks|hours|minutes|months|years)\b)|"
    r"多少个|几个(?!小时|月|工作日)|几次|多少(?=[人家台张条只次])",
    "definition": r"\bwhat (?:is|are|does) (?:an? )?(?:meant by )?(?:the meaning of )?\S+(?: \S+)?(?: mean)?$|"
    r"\bmeaning of\b|什么意思|是什么东西|是啥意思|的意思|的定义",
    "way": r"\bhow (?:do|can|to|should|could|would)\b|怎么(?!样|回事|了|还|会|没|不)|如何|怎样|咋(?!样|回事|了|还|会|没|不)",
}
_ASKS = {kind: regex.compile(pattern) for kind, pattern in _QUESTION_WORDS.items()}
# What each of the patterns can begin with: most texts need not be searched for most of them.
_ASKS_FROM = {
    "reason": frozenset("wh为怎原干咋"), "place": frozenset("w哪在什何那"), "time": frozenset("w什何啥几哪多"),
    "person": frozenset("w谁"), "price": frozenset("hwp多价什费怎"), "duration": frozenset("h多几"),
    "count": frozenset("h多几"), "definition": frozenset("wm什是的"), "way": frozenset("h怎如咋"),
}  # fmt: skip
# People ask for the way with "where" ("Where do I change ...?"), and "how much" for the price of a thing with its count.
_SAME_ASKING = [{"way", "place"}, {"price", "count"}, {"way", "price"}, {"time", "duration"}]


def _question_word_differs(a: str, b: str) -> bool:
    left, right = asked_kinds(a), asked_kinds(b)
    if not left or not right or left & right:
        return False
    return not any(left | right <= alike for alike in _SAME_ASKING)


@lru_cache(maxsize=_REMEMBERED)
def asked_kinds(text: str) -> set[str]:
    """Return what a folded question asks for: a reason, a place, a price ..."""
    characters = frozenset(text)
    return {kind for kind, pattern in _ASKS.items() if not _ASKS_FROM[kind].isdisjoint(characters) and pattern.search(text)}


_CONNECTOR = regex.compile(
    r"\b(?:to|into|than|without|over|from)\b|(?:换成|转成|变成|改成|兑换|转换|转|换|兑|到|去|飞|至|比|给|借给|高于|大于)"
)
_WINDOW = 4
"""Words looked at on either side of a connector."""


def _direction_differs(a: str, b: str) -> bool:
    """From X to Y against from Y to X, and X against Y in a comparison, in either language."""
    return any(
        _crossed(*_ends(a, connector), *_ends(b, connector)) for connector in _connectors(a).keys() & _connectors(b).keys()
    )


@lru_cache(maxsize=_REMEMBERED)
def _connectors(text: str) -> dict[str, tuple[int, int]]:
    """Return for each connector where it stands last."""
    return {match.group(): match.span() for match in _CONNECTOR.finditer(text)}


@lru_cache(maxsize=_REMEMBERED)
def _ends(text: str, connector: str) -> tuple[set[str], set[str]]:
    """Return the content words shortly before and shortly after a connector."""
    start, end = _connectors(text)[connector]
    return set(content_words(text[:start])[-_WINDOW:]), set(content_words(text[end:])[:_WINDOW])


def _crossed(before: set[str], after: set[str], other_before: set[str], other_after: set[str]) -> bool:
    crossed = before & other_after - after and after & other_before - before
    return bool(crossed) and not (before & other_before and after & other_after)


_WORD = regex.compile(r"[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*")
_LATIN = regex.compile(r"[\p{Latin}\d]+(?:[.&+'’-][\p{Latin}\d]+)*[+#]*")
_CODE = regex.compile(r"(?=\S*\d)(?=\S*\p{Latin})[\p{Latin}\d]+(?:[._-][\p{Latin}\d]+)*")
_DIGIT = regex.compile(r"\d")
_JOINS = str.maketrans("", "", "-'’.")
_NO_NAMES = frozenset("app apps ok hi hello pc".split())


def _name_differs(a: str, b: str) -> bool:
    """Latin names in only one of two Chinese questions; codes such as "a92s" or "e-42" in only one of two English ones."""
    if language_of(a) == language_of(b) == "zh":
        return _latin(a) != _latin(b)
    return _codes(a) != _codes(b)


@lru_cache(maxsize=_REMEMBERED)
def _codes(text: str) -> set[str]:
    return set(_CODE.findall(text)) if _DIGIT.search(text) else set()


@lru_cache(maxsize=_REMEMBERED)
def _latin(text: str) -> set[str]:
    return {word.translate(_JOINS) for word in _LATIN.findall(text) if not word.isdigit()} - _NO_NAMES


_QUOTED = regex.compile(
    r"“([^”]+)”|\"([^\"]+)\"|「([^」]+)」|《([^》]+)》|『([^』]+)』|(?<!\w)'([^']{2,})'(?!\w)|‘([^’]{2,})’(?!\w)"
)
_QUOTES = frozenset("“\"「《『'‘")


def _quoted_differs(a: str, b: str) -> bool:
    left, right = _quoted(a), _quoted(b)
    if left and right:
        return left != right
    # Quotation marks are often left out; the words must then stand in the other question all the same.
    return any(words not in folded(b) for words in left) or any(words not in folded(a) for words in right)


@lru_cache(maxsize=_REMEMBERED)
def _quoted(text: str) -> set[str]:
    if _QUOTES.isdisjoint(text):
        return set()
    return {fold(part) for match in _QUOTED.finditer(text) for part in match.groups() if part}


def _length_differs(a: str, b: str) -> bool:
    short, long = sorted((len(a), len(b)))
    return long > _LONG_CHARS and long > _LONG_RATIO * short


_LIGHT_ZH = regex.compile(
    r"请问|你好|您好|多久|多长时间|什么时候|何时|哪里|哪儿|在哪|怎么样|怎么办|怎么回事|怎么|怎样|如何|什么样|什么|哪些|哪个|哪种|为什么|是不是|可以|能不能|有没有|一下|"
    r"应该|需要|知道|告诉|谢谢|帮忙|多少|[的了吗呢啊呀吧我你您是在有要会能个都就和把给啥咋呗嘛哦求谁这那么想请没不用得到里上还中被几一二三四五六七八九十百千万\d]|\p{P}"
)
_LIGHT_EN = frozenset(
    "best good great better top way ways tip tips thing things kind kinds type types some most really actually exactly "
    "get make want need know tell use find think help first ever many much different new people someone one".split()
)


def _swapped(a: str, b: str) -> bool:
    """Say whether the questions are equal but for one piece of content: "to France" and "to Canada", 电表 and 插座.

    Synonyms are parted too, which costs hits: on questions at least 0.93 alike it flags about twice to three times as many
    different pairs as equal ones.
    """
    left, right = _content(a), _content(b)
    if not _one_piece(left, right):
        return False
    changes = [change for change in SequenceMatcher(None, left, right, autojunk=False).get_opcodes() if change[0] != "equal"]
    if len(changes) != 1 or changes[0][0] != "replace":
        return False
    _, i, j, k, m = changes[0]
    return not _same_stem("".join(left[i:j]), "".join(right[k:m]))


def _one_piece(a: Sequence[str], b: Sequence[str]) -> bool:
    """Say whether what differs is one stretch of each with nothing in common: else there is more than one change."""
    short = min(len(a), len(b))
    begin = next((place for place in range(short) if a[place] != b[place]), short)
    end = next((place for place in range(short - begin) if a[-1 - place] != b[-1 - place]), short - begin)
    left, right = a[begin : len(a) - end], b[begin : len(b) - end]
    return bool(left) and bool(right) and set(left).isdisjoint(right)


@lru_cache(maxsize=_REMEMBERED)
def _content(text: str) -> list[str]:
    if language_of(text) == "zh":
        return list(_LIGHT_ZH.sub("", text))
    return [word for word in content_words(text) if word not in _LIGHT_EN and not word[0].isdigit()]


def _same_stem(one: str, other: str) -> bool:
    shared = min(len(one), len(other), 5)
    return one.isascii() and shared >= 4 and one[:shared] == other[:shared]


_CHECKS: dict[str, Callable[[str, str], bool]] = {
    "figure": _figures_differ,
    "negation": _negation_differs,
    "opposite": opposite_sides,
    "question_word": _question_word_differs,
    "direction": _direction_differs,
    "name": _name_differs,
    "length": _length_differs,
    "swapped": _swapped,
}
