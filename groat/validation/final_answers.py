"""Find what an answer finally says, and read it as a value: a number, options, yes or no, a date, a literal."""

import ast
import datetime
import json
import re
import unicodedata
from fractions import Fraction
from typing import NamedTuple

import regex

from groat.text import denials, fold
from groat.text.numerals import HAN_NUMERAL, HAN_SCALES, han_number

MAX_LITERAL_CHARS = 4_000
"""Longer texts are not parsed as literals: the parser is recursive, and nobody asks for such a value."""

_BOXED = regex.compile(r"\\boxed\s*(?<body>\{(?:[^{}]++|(?&body))*+\})")
_SAID = regex.compile(
    r"(?:\b(?:final |correct |right )?answer(?:s)?(?: to [^.:\n]{1,60})?\s*(?:is|are|:|=)\s*(?:option|choice)?"
    r"|\bI (?:choose|pick)\b|(?:正确|最终|最后)?(?:答案|结果|选项)(?:分别)?\s*(?:应该)?(?:是|为|选|[:：])\s*[:：]?"
    r"|(?:故|应|所以|因此)?选择?(?=\s*[（(]?[A-H]))\s*",
    regex.IGNORECASE,
)
_SENTENCE_END = regex.compile(r"(?<=[^\d\s])\.(?=\s|$)|(?<=\d)\.(?=\s|$)|[。！？!?](?=\s|$|\p{Han})|\n")
_MARKUP = regex.compile(r"\*\*|__|`+|\\[()\[\]]|\$\$")

_SMALL = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen".split()
    )
}
_TENS = {word: 10 * value for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}

_PLAIN = r"\d{1,15}(?:\.\d{1,15})?|\.\d{1,15}"
_NUMBER = regex.compile(
    rf"(?P<sign>[-−+])?\s*(?P<money>US\$|[$¥€£￥])?\s*(?P<sign2>[-−])?(?P<value>{_PLAIN})"
    rf"(?:\s*(?:\*|x|×)\s*10\s*\^\s*(?P<power>-?\d{{1,2}})|e(?P<exponent>[+-]?\d{{1,2}}))?"
    rf"(?:\s*/\s*(?P<below>\d{{1,15}})|\s+(?P<part>\d{{1,6}})\s*/\s*(?P<part_below>\d{{1,6}}))?"
    r"\s*(?P<scale>[万亿]|(?:thousand|million|billion)\b)?\s*(?P<unit>[^\d\s][^\d]{0,24})?",
    regex.IGNORECASE,
)
_UNITS = {
    "$": "dollar", "us$": "dollar", "usd": "dollar", "dollar": "dollar", "美元": "dollar", "¥": "yuan", "￥": "yuan",
    "元": "yuan", "块": "yuan", "人民币": "yuan", "yuan": "yuan", "rmb": "yuan", "cny": "yuan", "€": "euro", "eur": "euro",
    "欧元": "euro", "£": "pound", "%": "%", "percent": "%", "per cent": "%", "天": "day", "小时": "hour", "h": "hour",
    "hr": "hour",
    "分钟": "minute", "min": "minute", "秒": "second", "s": "second", "sec": "second", "年": "year", "个月": "month",
    "米": "m", "meter": "m", "metre": "m", "千米": "km", "公里": "km", "kilometer": "km", "kilometre": "km", "千克": "kg",
    "公斤": "kg", "kilogram": "kg", "克": "g", "gram": "g", "厘米": "cm", "centimeter": "cm", "°": "degree", "度": "degree",
    "个": "", "只": "", "本": "", "次": "", "条": "", "件": "", "名": "", "位": "",
}  # fmt: skip

_YES = frozenset("yes true correct right agree 是 是的 对 对的 正确 真 可以 同意 会 能 有 √ ✓".split())
_NO = frozenset("no false incorrect wrong disagree 否 不 不是 错 错误 不对 不正确 假 不可以 不同意 不会 不能 没有 × ✗".split())
_POLAR_HEAD = regex.compile(r"(?P<word>yes|no|true|false|是的|不是|不对|对的|正确|错误|是|否|对|错)\s*[,.;:，。；：!！]")

# Python's parser warns of these on standard error, and none of them is a literal that a model means.
_ODD_LITERAL = regex.compile(r"\\[^\\'\"abfnrtvxuUN0-7\n]|\\[4-7][0-7]{2}|\d[A-Za-z_]|\)\s*[(\[]|[\])}]\s*[(\[]|is")

_MONTHS = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}  # fmt: skip
_DATES = (
    regex.compile(r"(?P<year>\d{4})[-/.年]\s*(?P<month>\d{1,2})[-/.月]\s*(?P<day>\d{1,2})[日号]?"),
    regex.compile(r"(?P<name>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})"),
    regex.compile(r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<name>[a-z]{3,9})\.?,?\s+(?P<year>\d{4})"),
)

_LETTERS = regex.compile(r"[（(]?\s*(?P<letters>[A-H](?:\s*(?:,|，|、|and|和|及|&)?\s*[A-H])*)\s*[)）]?\s*[.、．。:：]?")
_LETTER_AND_TEXT = regex.compile(r"[（(]?(?P<letters>[A-H])(?:[)）]|[.、．:：])\s*\S.*", regex.DOTALL)
_BLANK_MARK = regex.compile(r"[（(]\s*\d{1,2}\s*[)）]|\b\d{1,2}\s*[.、．:：)）]|[;；\n]|空\s*\d?[:：]?")


class Quantity(NamedTuple):
    """A number and its unit; the unit is empty for a bare number, "%" for a share of a hundred."""

    value: Fraction
    unit: str


def final_answer(text: str) -> str:
    r"""Return what a reasoned text says in the end, without markup; the text itself when nothing marks the end.

    In this order: the last ``\boxed{}``, the field "answer" of a JSON object, what follows the last "the answer is" or
    "答案是", the last line. Pure, linear in the text.
    """
    boxes = [match.group("body")[1:-1] for match in _BOXED.finditer(text)]
    if boxes:
        return _bare(boxes[-1])
    found = _json_field(text)
    if found is not None:
        return found
    said = list(_SAID.finditer(text))
    if said:
        rest = text[said[-1].end() :].lstrip()
        cut = _SENTENCE_END.search(rest)
        body = _bare(rest[: cut.start()] if cut and cut.start() else rest)
        if body:
            return body
    lines = [line for line in text.splitlines() if line.strip()]
    return _bare(lines[-1]) if lines and not _is_literal(text) else text.strip()


def quantity(text: str) -> Quantity | None:
    """Read a whole text as one number with an optional unit, None when it is none.

    Thousands separators, fractions, LaTeX, percentages, powers of ten, English and Chinese numerals are read.
    """
    plain = _plain_mathematics(text)
    if (spelled := _spelled(plain)) is not None:
        return spelled
    match = _NUMBER.fullmatch(plain)
    if match is None or (unit := _unit(match)) is None:
        return None
    return Quantity(_value(match), unit)


def only_quantity(text: str) -> Quantity | None:
    """Return the number that a sentence states: what follows its last "=", or the one number in it; None otherwise."""
    if denials(fold(text)):
        return None
    if "=" in text and (after := quantity(text.rsplit("=", 1)[1].strip(" .。"))) is not None:
        return after
    plain = _plain_mathematics(text)
    found = {match.group() for match in regex.finditer(rf"(?:US\$|[$¥€£])?\s*-?(?:{_PLAIN})(?:\s*/\s*\d+)?\s*%?", plain)}
    return quantity(found.pop()) if len(found) == 1 else None


def options(text: str) -> tuple[frozenset[str], ...] | None:
    """Read a text as the options chosen, one set of letters A to H per blank in order; None when it is none."""
    value = literal(text)
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        blanks = [one[0] for item in value if (one := options(item)) is not None and len(one) == 1]
        return tuple(blanks) if len(blanks) == len(value) else None
    plain = unicodedata.normalize("NFKC", _bare(text)).strip()
    pieces = [piece.strip() for piece in _BLANK_MARK.split(plain) if piece.strip(" ,.，。")]
    chosen = [_letters(piece) for piece in pieces]
    if chosen and all(chosen):
        return tuple(one for one in chosen if one is not None)
    whole = _LETTER_AND_TEXT.fullmatch(plain)
    return (frozenset(whole.group("letters")),) if whole else None


def polarity(text: str) -> bool | None:
    """Read a text as yes (True) or no (False), None when it is neither."""
    flat = fold(text)
    if flat in _YES or flat in _NO:
        return flat in _YES
    head = _POLAR_HEAD.match(unicodedata.normalize("NFKC", text).strip().casefold())
    return head.group("word") in _YES if head else None


def date(text: str) -> datetime.date | None:
    """Read a whole text as one calendar date, None when it is none or the day does not exist."""
    flat = fold(text)
    for pattern in _DATES:
        if (match := pattern.fullmatch(flat)) is None:
            continue
        parts = match.groupdict()
        month = int(parts["month"]) if parts.get("month") else _MONTHS.get((parts.get("name") or "")[:3], 0)
        try:
            return datetime.date(int(parts["year"]), month, int(parts["day"]))
        except ValueError:
            return None
    return None


def literal(text: str) -> object:
    """Return the value of a text that is a Python literal or JSON, ``NotImplemented`` when it is neither."""
    body = text.strip()
    if not body or len(body) > MAX_LITERAL_CHARS:
        return NotImplemented
    readers = (json.loads,) if _ODD_LITERAL.search(body) else (ast.literal_eval, json.loads)
    for read in readers:
        try:
            value: object = read(body)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value
    return NotImplemented


def _is_literal(text: str) -> bool:
    return isinstance(literal(text), list | tuple | dict | set)


def _bare(text: str) -> str:
    stripped = _MARKUP.sub("", text).strip()
    if len(stripped) > 1 and stripped[0] == stripped[-1] == "$":
        stripped = stripped[1:-1].strip()
    stripped = re.sub(r"^\s*[:：]\s*", "", stripped)
    return stripped.rstrip("。").strip() if not stripped.endswith("..") else stripped


def _json_field(text: str) -> str | None:
    start, end = text.find("{"), text.rfind("}")
    value = literal(text[start : end + 1]) if 0 <= start < end else NotImplemented
    if not isinstance(value, dict):
        return None
    for name in ("answer", "final_answer", "答案"):
        if isinstance(found := value.get(name), str | int | float | list | bool):
            return found if isinstance(found, str) else repr(found)
    return None


def _plain_mathematics(text: str) -> str:
    flat = unicodedata.normalize("NFKC", _bare(text)).replace("−", "-").replace("⁄", "/")
    flat = regex.sub(r"\\[dtc]?frac\s*\{\s*(-?[\d.]+)\s*\}\s*\{\s*([\d.]+)\s*\}", r"\1/\2", flat)
    flat = regex.sub(r"\\(?:text|mathrm|mbox|operatorname)\s*\{([^{}]*)\}", r" \1", flat)
    flat = flat.replace("\\times", "*").replace("\\cdot", "*").replace("\\%", "%").replace("\\$", "$").replace("^\\circ", "°")
    flat = regex.sub(r"\\[,;! ]|[{}]", "", flat)
    flat = regex.sub(r"(?<=\d)[,，](?=\d{3}(?!\d))", "", flat)
    return regex.sub(r"^(?:about|approximately|约|大约|≈|=)\s*", "", flat.strip()).strip().rstrip(".").strip()


def _value(match: "regex.Match[str]") -> Fraction:
    value = Fraction(match.group("value"))
    if match.group("below"):
        value = value / int(match.group("below")) if int(match.group("below")) else value
    if match.group("part") and int(match.group("part_below")):
        value += Fraction(int(match.group("part")), int(match.group("part_below")))
    value *= Fraction(10) ** int(match.group("power") or match.group("exponent") or 0)
    scale = (match.group("scale") or "").casefold()
    value *= HAN_SCALES.get(scale, _SCALES.get(scale, 1))
    negative = (match.group("sign") or match.group("sign2")) in {"-", "−"}
    return -value if negative else value


def _unit(match: "regex.Match[str]") -> str | None:
    """Return the unit in one spelling; None for a tail that is no unit but the rest of a sentence."""
    tail = (match.group("unit") or "").strip().casefold()
    if not tail:
        return _UNITS[match.group("money").casefold()] if match.group("money") else ""
    if not regex.fullmatch(r"[\p{L}%°$€£¥]+(?:[ /^][\p{L}%]+)?", tail):
        return None
    for name in (tail, tail.removesuffix("s"), tail.removesuffix("es")):
        if name in _UNITS:
            return _UNITS[name]
    return tail.removesuffix("s") or tail


def _spelled(text: str) -> Quantity | None:
    if regex.fullmatch(rf"百分之[{HAN_NUMERAL}]+", text):
        return Quantity(Fraction(han_number(text[3:])), "%")
    if share := regex.fullmatch(rf"([{HAN_NUMERAL}]+)分之([{HAN_NUMERAL}]+)", text):
        below = han_number(share[1])
        return Quantity(Fraction(han_number(share[2]), below), "") if below else None
    if han := regex.fullmatch(rf"([{HAN_NUMERAL}]+)(\p{{Han}}{{0,3}})", text):
        unit = _UNITS.get(han[2], han[2])
        return Quantity(Fraction(han_number(han[1])), unit)
    return _english(text)


def _english(text: str) -> Quantity | None:
    names = [name for name in regex.split(r"[\s-]+", text.casefold()) if name != "and"]
    total, section, used = 0, 0, 0
    for name in names:
        if name in _SMALL or name in _TENS:
            section += _SMALL.get(name, _TENS.get(name, 0))
        elif name == "hundred" and used:
            section *= 100
        elif name in _SCALES and used:
            total, section = total + section * _SCALES[name], 0
        else:
            break
        used += 1
    rest = " ".join(names[used:])
    if not used or not regex.fullmatch(r"[\p{L}%]*", rest):
        return None
    unit = rest.removesuffix("s")
    return Quantity(Fraction(total + section), _UNITS.get(rest, _UNITS.get(unit, unit)))


def _letters(piece: str) -> frozenset[str] | None:
    match = _LETTERS.fullmatch(regex.sub(r"^(?:option|选项?|答案[:：]?)\s*", "", piece.strip(" ,，"), flags=regex.IGNORECASE))
    letters = regex.findall(r"[A-H]", match.group("letters")) if match else []
    # "DAD" is a word: an option is named once.
    return frozenset(letters) if letters and len(set(letters)) == len(letters) else None
