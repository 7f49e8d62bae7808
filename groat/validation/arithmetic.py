"""Figures that an answer works out itself: "3 x £4.50 = £13.50", 80 的 20% 是 16, or one step that is not shown."""

from collections.abc import Collection, Iterator, Sequence
from itertools import permutations
from typing import Final, Literal, NamedTuple

import regex

from groat.text import fold
from groat.text.quantities import Quantity, quantities, supports

CONSTANTS: Final = frozenset({7.0, 12.0, 24.0, 52.0, 60.0, 100.0, 365.0, 1000.0})
"""Bare figures that a calculation may bring along: days of a week, months of a year and the like."""
_NO_AMOUNT: Final = frozenset({"clock", "month of year", "day of month"})
_LONGEST: Final = 12
"""Most figures, signs and brackets in one calculation."""
_SHOWN: Final = 12
"""Most figures that one step that is not shown may begin from: more of them make any result by chance."""
_SIGN: Final = r"(?:us\$|hk\$|[£$€¥])?\s?"
_TOKEN: Final = regex.compile(
    r"(?P<open>\()|(?P<close>\))"
    r"|(?P<off>打?\s?(?P<tenths>\d(?:\.\d)?|[一二三四五六七八九]{1,2})\s?折)"
    rf"|(?P<figure>{_SIGN}(?<![\d.])(?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d:]|\.\d)|百分之[\d.零一二两三四五六七八九十百点]+"
    r"|[零〇一二两三四五六七八九十百千万]+(?![共起般定些])"
    r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty)\b)"
    r"|(?P<equals>=|\bequals\b|等于)|(?P<is>≈|\b(?:is|are|makes?|comes? to|about)\b|是|为|得|约|即|共|付)"
    r"|(?P<add>\+|\bplus\b|加上?)|(?P<take>[−–]|(?<=[\s\d)])-(?=[\s\d£$€¥])|\b(?:minus|less)\b|减去?)"
    r"|(?P<part>\bof\b|的)|(?P<over>÷|/(?=\s?[£$€¥(\d])|\bdivided by\b|除以)"
    r"|(?P<times>[×*]|(?<=[\s\d)])x(?=[\s\d£$€¥(])|\b(?:times|multiplied by)\b|乘以?)"
)
_REQUEST: Final = regex.compile(
    r"\b(?:total|altogether|in all|sum|saves?|cheaper|dearer|difference|left|most|at most|how (?:much|many) (?:\w+ ){0,3}"
    r"(?:for|in|do|does|would|will|less|more)|come back|get back|pay|cost)\b"
    r"|一共|总共|合计|总计|共计|共|省|差|剩|退多少|返还|实付|实际付|要付|能拿"
)
"""What asks for a calculation, or says the result of one."""

_DENIED: Final = regex.compile(r"(?:不是?|并非|\bnot|n['’]t)\s*$")

Sign = Literal["add", "take", "times", "over", "part"]


class Worked(NamedTuple):
    """What a sentence works out."""

    derived: tuple[Quantity, ...]
    """Figures that rightly follow from supported ones, with the constants that it took."""
    wrong: int
    """How many results behind an equals sign do not follow from what stands before it."""
    rest: str
    """The sentence without its right calculations: what documents must support."""


class _Token(NamedTuple):
    kind: str
    start: int
    end: int
    quantity: Quantity | None = None
    step: float = 0.0
    """Of the last digit shown, in the figure's own unit."""


def work_out(told: Sequence[str], question: str, asked: Collection[Quantity], given: Collection[Quantity]) -> list[Worked]:
    """Return what each sentence of an answer works out, from the documents, the question and the sentences before.

    A calculation that is shown needs every operand supported, a constant or derived before; its result may be rounded to the
    decimals shown. One step that is not shown is followed only where question or sentence ask for one, and only from two
    figures that the answer or the question name: two of all figures of the documents make nearly any third.

    Args:
        told: sentences of the answer in order.
        question: the question's text.
        asked: its quantities.
        given: quantities of documents and question.
    """
    derived: list[Quantity] = []
    shown: list[Quantity] = [one for one in asked if one.unit not in _NO_AMOUNT]
    found = []
    for sentence in told:
        flat = fold(sentence)
        tokens = list(_tokens(flat))
        own, spans, wrong = _calculations(flat, tokens, given, derived)
        derived += own
        figures = [token for token in tokens if token.quantity is not None]
        shown += [one.quantity for one in figures if one.quantity and _known(one.quantity, given, derived)]
        if _REQUEST.search(f"{question.casefold()}\n{flat}"):
            for token in figures:
                if token.quantity and not _known(token.quantity, given, derived) and _one_step(token, shown):
                    own.append(token.quantity)
                    derived.append(token.quantity)
                    shown.append(token.quantity)
                    spans.append((token.start, token.end))
        found.append(Worked(tuple(own), wrong, _without(flat, spans) if spans else sentence))
    return found


def _tokens(flat: str) -> Iterator[_Token]:
    matches = list(_TOKEN.finditer(flat))
    for match, after in zip(matches, [*matches[1:], None], strict=False):
        kind = match.lastgroup or ""
        if match["off"]:
            tenths = next(iter(quantities(match["off"].lstrip("打 "))), None)
            if tenths is not None:
                yield _Token("times", match.start(), match.start())
                yield _Token("off", *match.span(), tenths)
        elif match["figure"]:
            piece = flat[match.start() : match.end() + 24 if after is None else after.start()]
            quantity = next(iter(quantities(piece)), None)
            if quantity is not None and quantity.unit not in _NO_AMOUNT:
                decimals = len((match["digits"] or "").partition(".")[2])
                shown = float((match["digits"] or "0").replace(",", ""))
                scale = quantity.value / shown if shown else 1.0
                yield _Token("figure", *match.span(), quantity, 10.0**-decimals * scale)
        else:
            yield _Token(kind, *match.span())


def _calculations(
    flat: str, tokens: Sequence[_Token], given: Collection[Quantity], before: Sequence[Quantity]
) -> tuple[list[Quantity], list[tuple[int, int]], int]:
    """Return what follows rightly, where it stands, and how many results do not follow."""
    derived: list[Quantity] = []
    spans: list[tuple[int, int]] = []
    wrong = begin = 0
    for here, token in enumerate(tokens[:-1]):
        result = tokens[here + 1]
        if token.kind not in {"equals", "is"} or result.quantity is None:
            continue
        read = False
        for start in range(max(begin, here - _LONGEST), here):
            # A sign in front goes on from the result before: "= 48, plus 3.90 = 51.90".
            carried = tokens[begin : begin + 1] if begin and tokens[start].kind in _SIGNS else []
            parts = [*carried, *tokens[start:here]]
            values = _values(parts)
            read = read or bool(values)
            operands = [part.quantity for part in parts if part.quantity is not None]
            constants = [one for one in operands if not one.unit and one.value in CONSTANTS]
            if _DENIED.search(flat, endpos=tokens[begin if carried else start].start):
                continue
            if any(_agrees(value, result) for value in values) and all(
                _known(one, given, [*before, *derived, *constants]) for one in operands
            ):
                derived += [*constants, result.quantity]
                spans.append((tokens[start].start, result.end))
                break
        else:
            same = tokens[begin].quantity if begin and here == begin + 1 else None
            if same is not None and _agrees(same, result) and _known(same, given, [*before, *derived]):
                derived.append(result.quantity)  # 528 p = £5.28
                spans.append((token.start, result.end))
            elif read and token.kind == "equals":
                wrong += 1
        begin = here + 1
    return derived, spans, wrong


_SIGNS: Final = frozenset({"add", "take", "times", "over", "part"})


def _values(parts: Sequence[_Token]) -> list[Quantity]:
    """Return what a calculation may come to, in each unit that its result may have; nothing when it is none."""
    if not any(part.kind in _SIGNS for part in parts):
        return []
    values, end = _sum(parts, 0)
    return values if end == len(parts) else []


def _sum(parts: Sequence[_Token], place: int) -> tuple[list[Quantity], int]:
    values, place = _product(parts, place)
    while values and place < len(parts) and parts[place].kind in {"add", "take"}:
        sign: Sign = "add" if parts[place].kind == "add" else "take"
        others, place = _product(parts, place + 1)
        values = _each(values, others, sign)
    return values, place


def _product(parts: Sequence[_Token], place: int) -> tuple[list[Quantity], int]:
    values, place = _factor(parts, place)
    while values and place < len(parts) and parts[place].kind in {"times", "over", "part"}:
        sign: Sign = "over" if parts[place].kind == "over" else "part" if parts[place].kind == "part" else "times"
        others, place = _factor(parts, place + 1)
        values = _each(values, others, sign)
    return values, place


def _factor(parts: Sequence[_Token], place: int) -> tuple[list[Quantity], int]:
    if place >= len(parts):
        return [], place
    part = parts[place]
    if part.kind == "open":
        values, place = _sum(parts, place + 1)
        closed = place < len(parts) and parts[place].kind == "close"
        return (values, place + 1) if closed else ([], place)
    if part.quantity is None:
        return [], place
    if part.kind == "off":  # 八折 leaves 80 %, and so does 8 折; 七五折 leaves 75 %.
        return [Quantity(part.quantity.value / (10 if part.quantity.value < 10 else 100), "", 1)], place + 1
    return [part.quantity], place + 1


def _each(ones: Sequence[Quantity], others: Sequence[Quantity], sign: Sign) -> list[Quantity]:
    return list(dict.fromkeys(value for one in ones for other in others for value in _step(one, other, sign)))


def _step(one: Quantity, other: Quantity, sign: Sign) -> Iterator[Quantity]:
    """Yield what one step comes to: a sum in the unit of both, a product in the unit of either, a quotient in the first's."""
    if sign in {"add", "take"}:
        yield from _added(one, other, 1 if sign == "add" else -1)
    elif "%" in {one.unit, other.unit}:
        share, whole = (one, other) if one.unit == "%" else (other, one)
        if sign != "over":
            yield whole._replace(value=whole.value * share.value * share.size / 100)
    elif sign == "times":  # "of" and 的 join a share and a whole only, above
        for unit_of in [each for each in (one, other) if each.unit] or [one]:
            yield unit_of._replace(value=one.value * other.value)
    elif sign == "over" and other.value:
        yield one._replace(value=one.value / other.value)
        if one.unit == other.unit:
            yield Quantity(one.value * one.size / (other.value * other.size), "", 1)


def _added(one: Quantity, other: Quantity, factor: Literal[1, -1]) -> Iterator[Quantity]:
    if other.unit == "%" and one.unit != "%":
        yield one._replace(value=one.value * (1 + factor * other.value * other.size / 100))
    elif one.unit == other.unit:
        yield one._replace(value=one.value + factor * other.value * other.size / one.size)
    elif not (one.unit and other.unit):
        yield (one if one.unit else other)._replace(value=one.value + factor * other.value)


def _agrees(value: Quantity, result: _Token) -> bool:
    """Tell whether a result says a value, rounded to the decimals that it shows."""
    said = result.quantity
    if said is None or (value.unit != said.unit and value.unit and said.unit):
        return False
    amount = value.value * value.size / said.size if value.unit == said.unit else value.value
    return abs(amount - said.value) <= result.step / 2 + 1e-9 * max(1.0, abs(amount))


def _one_step(result: _Token, shown: Sequence[Quantity]) -> bool:
    """Tell whether two different figures that were shown come to a result in one step; a factor of one is no step."""
    figures = list(dict.fromkeys(shown))[:_SHOWN]
    signs: tuple[Sign, ...] = ("add", "take", "times")
    for one, other in permutations(figures, 2):
        if {one.value, other.value} & {0.0, 1.0}:
            continue
        for sign in signs:
            if any(_agrees(value, result) for value in _step(one, other, sign) if value.unit):
                return True
    return False


def _known(one: Quantity, given: Collection[Quantity], derived: Sequence[Quantity]) -> bool:
    return supports(given, one) or supports(derived, one)


def _without(flat: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        flat = f"{flat[:start]} {flat[end:]}"
    return flat
