"""What the form of a question shows, whatever it is about: amounts, options, code, lines, pasted text, numbers of one case."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import regex

from groat.text import detect_language
from groat.types import Language

MAX_KEPT_CHARS: Final = 4_000
"""A longer question holds pasted material: it will hardly be asked again, and it may hold anything."""
MAX_ALIKE_CHARS: Final[Mapping[Language, int]] = {"zh": 120, "en": 300}
"""Above this length one vector hides the detail that decides; about three long sentences."""
MANY_AMOUNTS: Final = 3
"""So many amounts make a sum of a question, even of one sentence."""
TOLD_AMOUNTS: Final = 2
"""So many are enough where something is told before the question."""
LEAST_OPTIONS: Final = 3
LEAST_LINES: Final = 3
LIST_SIGNS: Final = 5
"""Commas between the short things of an enumeration that is material."""
LEAST_SIGNS: Final = 3
"""Mathematical signs that make a formula of whatever stands between them."""
LONG_QUOTATION: Final[Mapping[Language, int]] = {"zh": 16, "en": 7}
"""Characters or words of a quotation that is material; a shorter one is a title or a saying, which the guard compares."""
TOPIC_CHARS: Final[Mapping[Language, int]] = {"zh": 3, "en": 12}
"""Characters before a colon that only name a topic ("WhatsApp Web: ...")."""
INSTRUCTION_CHARS: Final[Mapping[Language, int]] = {"zh": 8, "en": 30}
"""Characters before a colon that instruct, so that even a question after it is material ("Name the intent of this: ...")."""
LONG_TAIL: Final = 120
"""Characters after a colon that are material even when they end as a question."""

_I = regex.IGNORECASE
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\b\.?"
)
# A date is one amount, however many figures it is written with, and so is a range or a choice: 3-4, 500 or 1000.
_DAY = (
    rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?|\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}(?: \d{{4}})?"
    r"|(?:\d{4}年)?\d{1,2}月(?:\d{1,2}[日号])?"
)
_ONLY_DAY = regex.compile(_DAY, _I)
_PLAIN_FIGURE = r"\d+(?:[.,:/]\d+)*+"
_CURRENCY = r"(?:[$€£¥₹]|rs\.?) ?"
# Names (S7, b2b, L14-30), ordinals and bare years are none; a unit may follow without a space (5kg).
_FIGURE = (
    rf"(?<![a-z\d]|[a-z\d][,:/-]|\d\.)(?!(?:19\d\d|20(?:0[1-9]|[12]\d|3[0-5]))(?![\d.,:/%元]))"
    rf"{_PLAIN_FIGURE}(?:(?:-|–|~|至|到| (?:and|or|&|vs) |[和或与])(?:{_CURRENCY})?{_PLAIN_FIGURE})?"
    r"(?:kg|km|cm|mm|ml|mph|kwh|hrs?|mins?|lbs?|ft|oz|m|h|l|k|w|v)?(?![a-z\d])"
)
_EN_AMOUNT = (
    r"(?<![a-z])(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|dozen|half|twice|double|triple|thrice|third"
    r"|quarter)s?(?![a-z])"
)
# Chinese numerals count before a measure word: 三个, 两倍, 三分之一.
_ZH_AMOUNT = (
    r"[二两三四五六七八九十百千万半]+"
    r"(?:[个只件本支枝张条位名人天年月周岁次辆台块元角米斤吨升克里度页步层行列排秒头朵棵颗袋箱包瓶杯盒组份倍折小公千厘]|分[之钟])|一半"
)
_AMOUNT = regex.compile(rf"{_DAY}|{_FIGURE}|{_EN_AMOUNT}|{_ZH_AMOUNT}", _I)
_SENTENCE = regex.compile(r"(?<!\b(?:rs|no|mr|mrs|dr|vs|etc))[.!?][\"'”’)]*\s+[\"'“‘(]*[\p{L}\p{N}$]|[。！？；]\s*\S", _I)
_CLAUSE = regex.compile(r"[,，]\s*\S|(?<=\p{Han}) +(?=\p{Han})")

_OPTION = regex.compile(
    r"(?<![\p{L}\p{N}.])[(（\[]?(?P<mark>[A-Ha-h]|\d{1,2}|viii|vii|vi|iv|v|iii|ii|i|[甲乙丙丁戊己]|[一二三四五六七八九])"
    r"\s?[)）\].．、:：](?!\d)|(?P<ring>[①-⑩⑴-⑽ⅰ-ⅹ])"
)
_SERIES: Final = (
    "A B C D E F G H",
    "a b c d e f g h",
    "1 2 3 4 5 6 7 8 9 10",
    "i ii iii iv v vi vii viii",
    "甲 乙 丙 丁 戊 己",
    "一 二 三 四 五 六 七 八 九",
    "① ② ③ ④ ⑤ ⑥ ⑦ ⑧ ⑨ ⑩",
    "⑴ ⑵ ⑶ ⑷ ⑸ ⑹ ⑺ ⑻ ⑼ ⑽",
    "ⅰ ⅱ ⅲ ⅳ ⅴ ⅵ ⅶ ⅷ ⅸ ⅹ",
)
_LIST_SIGNS: Final = ",，、;；"
_LIST = regex.compile(rf"(?:(?:[a-z'’-]+(?: [a-z'’-]+)?|\p{{Han}}{{1,4}}) ?[{_LIST_SIGNS}] ?){{{LIST_SIGNS}}}", _I)
_CODE = regex.compile(
    r"```|\bdef \w+\(|\{[^{}]{0,200}\}|\w;\s*$|</?\w+(?: [^<>]{0,80})?>|=>|::|->|&&|[!=]=|\+=|#include\b"
    r"|[a-z\d_]\(\)|[a-z\d_]\[\d+\]|[a-z\d_]\([^()]{0,80}[\"'=_\[][^()]{0,80}\)|\b\w{1,40}\.\w{1,40}\(|\b[a-z]{1,40}_[a-z\d]",
    _I | regex.DOTALL,
)
_CODE_SIGNS: Final = frozenset("`({;<=>:&_[#")
"""Every match of ``_CODE`` holds one of these; most questions hold none, and that is quickly seen."""
_CODE_WORDS = regex.compile(r"\bselect (?:distinct )?(?:\*|[\w.]+(?:, ?[\w.]+)*) from \w|^import \w", _I)
_FORMULA = regex.compile(
    r"\d\s*[+*^=×÷]\s*[\d(xy]|\d\s+[/x-]\s+\d"
    r"|\b(?:solve|integrate|differentiate|factori[sz]e|simplify) (?:the |this |for )?\w*\s*[\dx(]"
    r"|\\[a-zA-Z]{2}|[√∫∑∏≤≥≠∞∈∠△⊥]|\$[^$\n]{0,80}[\\^_=+{}][^$\n]{0,80}\$|\$[a-zA-Z]\$|\b[a-zA-Z]\s?[\^=]\s?[\w(-]"
    r"|\b[f-h]\([a-z\d]\)",
    _I,
)
_SIGN = regex.compile(r"\p{Sm}")
_LINK = regex.compile(r"https?://|www\.", _I)
_COLON = regex.compile(r"(?P<head>(?:[^:：]|(?<=\d):(?=\d))+)[:：](?!\d)\s*(?P<tail>\S.*)", regex.DOTALL)
_ASKS = regex.compile(
    r"[?？][\s\"'”’」』)）]*$|吗|呢|什么|谁|哪|怎么|怎样|如何|多少|为何|为啥|是不是|能不能|有没有"
    r"|^\W*(?:what|why|how|when|where|who|whom|whose|which|is|are|was|were|do|does|did|can|could|should|would|will|has|have)\b",
    _I,
)
_HEAD_ASKS = regex.compile(rf"\b(?:what|why|how|when|where|who|whose|which)\b|{_ASKS.pattern}", _I)
_QUOTED = regex.compile(r"“([^”]+)”|\"([^\"]+)\"|「([^」]+)」|『([^』]+)』|‘([^’]{2,})’(?!\w)|(?<!\w)'([^']{12,})'(?!\w)")
_MATERIAL_SIGNS: Final = frozenset(":：\"'“「『‘")
_HAN_OR_WORD = regex.compile(r"\p{Han}|[[\p{L}\p{N}]--\p{Han}]+", regex.VERSION1)

_EMAIL = regex.compile(r"\b[\w.+-]{1,64}@[\w-]{1,64}\.\w{2,}\b")
_LONG_NUMBER = regex.compile(r"(?<!\d|\d[.,])(?:\+?\d[\s-]?){9,}\d(?!\d|[.,]\d)")
_RECORD_NUMBER = regex.compile(
    r"\b(?:order|invoice|case|ticket|booking|customer|contract|account) (?:no\.?|number|#)?\s*[:#]?\s*[A-Z]{0,4}-?\d{4,}\b"
    r"|(?:订单|发票|工单|合同|客户|账户|快递|运单)(?:号码?|编号)?(?:是|为|：|:)?\s*[A-Za-z]{0,4}-?\d{5,}",
    _I,
)
_DATE = regex.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?!,? \d{{4}})"
    # "may 5" is mostly a verb and a number.
    rf"|\b(?!may\b){_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b(?!,? \d{{4}})"
    r"|(?<![年\d])\d{1,2}月\d{1,2}[日号]",
    _I,
)


def has_amounts(text: str) -> bool:
    """Say whether several amounts are told and something is asked that follows from them, as in a sum in words."""
    found = list(_AMOUNT.finditer(text))
    amounts = [match.end() for match in found]
    # Days alone are a moment that somebody asks about ("signed for on 20 October, may I send it back today, 24 November?").
    if len(amounts) < TOLD_AMOUNTS or all(_ONLY_DAY.fullmatch(match.group().strip()) for match in found):
        return False
    # Where a clause is all that is told, an amount must stand in it: "Which is better, 5 or 10?" tells nothing.
    return len(amounts) >= MANY_AMOUNTS or bool(_SENTENCE.search(text) or _CLAUSE.search(text, amounts[0]))


def has_options(text: str) -> bool:
    """Say whether there are options to choose from, lettered or numbered in any way, in one line or in several."""
    reached = [0] * len(_SERIES)
    for match in _OPTION.finditer(text):
        for series, place in _PLACES.get(match["mark"] or match["ring"], ()):
            reached[series] = place + 1 if place in (0, reached[series]) else reached[series]
            if reached[series] == LEAST_OPTIONS:
                return True
    return False


def has_table(text: str) -> bool:
    """Say whether there are two rows of cells."""
    return sum(line.count("|") >= 2 or "\t" in line.strip() for line in text.split("\n")) >= 2


def has_code(text: str) -> bool:
    """Say whether something stands there that only code is written with."""
    return bool(_CODE_WORDS.search(text)) or (not _CODE_SIGNS.isdisjoint(text) and bool(_CODE.search(text)))


def has_formula(text: str) -> bool:
    """Say whether there is an equation, a sum in figures, or LaTeX."""
    return bool(_FORMULA.search(text)) or sum(1 for _ in _SIGN.finditer(text)) >= LEAST_SIGNS


def has_lines(text: str) -> bool:
    """Say whether there are three lines, or an instruction and a line below it that asks nothing."""
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) >= LEAST_LINES or (len(lines) == 2 and (lines[0].rstrip()[-1] in ":：" or not _ASKS.search(lines[1])))


def has_material(text: str) -> bool:
    """Say whether an instruction brings what it is about: after a colon, or in quotation marks and longer than a title."""
    if _MATERIAL_SIGNS.isdisjoint(text):
        return False
    language = detect_language(text)
    if any(_size(part, language) >= LONG_QUOTATION[language] for found in _QUOTED.findall(text) for part in found):
        return True
    parts = _COLON.match(text)
    if parts is None:
        return False
    head, tail = parts["head"].strip(), parts["tail"]
    instructs = len(head) >= INSTRUCTION_CHARS[language] and not _HEAD_ASKS.search(head)
    shows = len(head) > TOPIC_CHARS[language] and not _ASKS.search(tail)
    return instructs or shows or len(tail) >= LONG_TAIL


def has_list(text: str) -> bool:
    """Say whether six short things or more are enumerated."""
    return sum(map(text.count, _LIST_SIGNS)) >= LIST_SIGNS and bool(_LIST.search(text))


def is_long(text: str) -> bool:
    """Say whether the text exceeds what one vector can tell apart."""
    return len(text) > min(MAX_ALIKE_CHARS.values()) and len(text) > MAX_ALIKE_CHARS[detect_language(text)]


def is_too_long(text: str) -> bool:
    """Say whether the text exceeds what is kept at all."""
    return len(text) > MAX_KEPT_CHARS


def _size(text: str, language: Language) -> int:
    """Return how many Han characters or words there are."""
    return len(_HAN_OR_WORD.findall(text)) if text else 0


def _places() -> Mapping[str, Sequence[tuple[int, int]]]:
    """Return for every sign the lists that it may stand in, and its place there."""
    found: dict[str, list[tuple[int, int]]] = {}
    for number, series in enumerate(_SERIES):
        for place, sign in enumerate(series.split()):
            found.setdefault(sign, []).append((number, place))
    return found


def _found(pattern: regex.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: bool(pattern.search(text))


_PLACES: Final = _places()
MARKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "too_long": is_too_long,
    "long": is_long,
    "lines": has_lines,
    "material": has_material,
    "link": _found(_LINK),
    "options": has_options,
    "table": has_table,
    "amounts": has_amounts,
    "list": has_list,
    "code": has_code,
    "formula": has_formula,
    "email": _found(_EMAIL),
    "long_number": _found(_LONG_NUMBER),
    "record_number": _found(_RECORD_NUMBER),
    "date_without_year": _found(_DATE),
}
"""Says of each mark whether a text bears it. None raises for texts, none takes more than some 10 µs for usual questions."""
