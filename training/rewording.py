"""Say a sentence otherwise without a change of meaning, by rules, in Chinese and English."""

import random
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import regex

from groat.types import Language

_WORDS: Final = dict(zip("two three four five six seven eight nine ten eleven twelve".split(), range(2, 13), strict=True))
_HAN: Final = dict(zip("一二三四五六七八九十", range(1, 11), strict=True)) | {"两": 2}
_MONTHS: Final = "January February March April May June July August September October November December".split()
_MONTH = "|".join(_MONTHS)
_COUNTED = "days|weeks|months|years|hours|minutes|times|people|children|members|seasons|films|devices|homes|users|photos"
_HAN_COUNTED = "天|年(?!\\d)|个|次|小时|分钟|台|位|块|倍|条|种|座|名|项"
_Way = Callable[[str, Language, random.Random], str]


def reword(text: str, lang: Language, rng: random.Random, most: int = 3) -> str:
    """Return the sentence in other words, by up to ``most`` rules that fit; unchanged when none does."""
    for _ in range(rng.randint(1, most)):
        ways: list[_Way] = [_synonym, _synonym, _synonym, _spelling, _spelling, _shorter, _moved]
        rng.shuffle(ways)
        for way in ways:
            other = way(text, lang, rng)
            if other != text:
                text = other
                break
    return text


def shorten(text: str, lang: Language, rng: random.Random) -> str:
    """Return the sentence without a part that can go: a parenthesis, a relative clause, the last of its clauses."""
    ways: list[_Way] = [_without_aside, _clauses]
    rng.shuffle(ways)
    for way in ways:
        other = way(text, lang, rng)
        if other != text and len(other) >= (8 if lang == "zh" else 25):
            return other
    return text


@cache
def _rules() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@cache
def _pairs(table: str, lang: Language) -> list[tuple[regex.Pattern[str], str]]:
    rows = _rules()["spans"][lang] if table == "spans" else _rules()[lang][table]
    return [(regex.compile(pattern), other) for pattern, other in rows]


def _synonym(text: str, lang: Language, rng: random.Random) -> str:
    fitting = [(pattern, other) for pattern, other in _pairs("synonyms", lang) if pattern.search(text)]
    if not fitting:
        return text
    pattern, other = rng.choice(fitting)
    return _one(text, pattern, other, rng)


def _one(text: str, pattern: regex.Pattern[str], other: str, rng: random.Random) -> str:
    match = rng.choice(list(pattern.finditer(text)))
    return text[: match.start()] + match.expand(other) + text[match.end() :]


def _spelling(text: str, lang: Language, rng: random.Random) -> str:
    """Write a figure, a unit, a date or a clock time otherwise."""
    fitting = [(pattern, other) for pattern, other in _pairs("spans", lang) if pattern.search(text)]
    if fitting and rng.random() < 0.6:
        pattern, other = rng.choice(fitting)
        return _one(text, pattern, other, rng)
    ways = [_english_figure, _english_date] if lang == "en" else [_chinese_figure, _chinese_date]
    rng.shuffle(ways)
    for way in (*ways, _percent, _thousands, _clock):
        other = way(text)
        if other != text:
            return other
    return text


def _english_figure(text: str) -> str:
    words = {str(number): word for word, number in _WORDS.items()}
    other = regex.sub(rf"(?<![\d.,:£$€-])\b(\d{{1,2}})(?= (?:{_COUNTED})\b)", lambda m: words.get(m[1], m[1]), text)
    if other != text:
        return other
    return regex.sub(rf"\b({'|'.join(_WORDS)})(?= (?:{_COUNTED})\b)", lambda m: str(_WORDS[m[1]]), text)


def _chinese_figure(text: str) -> str:
    han = {str(number): sign for sign, number in _HAN.items()}
    other = regex.sub(rf"(?<![\d.:–\-~/至到第])(\d{{1,2}}) ?(?={_HAN_COUNTED})", lambda m: han.get(m[1], m[0]), text)
    if other != text:
        return other
    return regex.sub(rf"(?<![\p{{Han}}第])([二两三四五六七八九])(?={_HAN_COUNTED})", lambda m: f"{_HAN[m[1]]} ", text)


def _english_date(text: str) -> str:
    other = regex.sub(rf"\b({_MONTH}) (\d{{1,2}}), (\d{{4}})\b", r"\2 \1 \3", text)
    return other if other != text else regex.sub(rf"\b(\d{{1,2}}) ({_MONTH}) (\d{{4}})\b", r"\2 \1, \3", text)


def _chinese_date(text: str) -> str:
    return regex.sub(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?日", r"\1-\2-\3", text)


def _percent(text: str) -> str:
    if regex.search(r"\p{Han}", text):
        return regex.sub(r"(\d+) ?[%％]", r"百分之\1", text)
    other = regex.sub(r"(\d) ?%", r"\1 percent", text)
    return other if other != text else regex.sub(r"(\d) per ?cent\b", r"\1%", text)


def _thousands(text: str) -> str:
    other = regex.sub(r"(?<![\d,.])(\d{1,3}),(\d{3})(?![\d,])", r"\1\2", text)
    return other if other != text else regex.sub(r"(?<![\d,.:年-])([3-9]\d|\d{2})(\d{3})(?![\d年.:-])", r"\1,\2", text)


def _clock(text: str) -> str:
    han = bool(regex.search(r"\p{Han}", text))

    def other(match: regex.Match[str]) -> str:
        hour = int(match[1])
        if han:
            part = "早上" if hour < 12 else "下午" if hour < 18 else "晚上"
            return f"{part} {(hour - 1) % 12 + 1} 点"
        return f"{(hour - 1) % 12 + 1} {'am' if hour < 12 else 'pm'}"

    return regex.sub(r"(?<![\d:])(5|6|7|8|9|10|11|13|14|15|16|17|18|19|20|21|22|23):00(?!:)", other, text)


def _shorter(text: str, lang: Language, rng: random.Random) -> str:
    """Leave out an opening, an adverb or an aside."""
    for table in rng.sample(["openings", "adverbs"], 2):
        for pattern in _rules()[lang][table]:
            other = regex.sub(pattern, "", text, count=1)
            if other != text:
                return _capital(other)
    return _without_aside(text, lang, rng)


def _without_aside(text: str, lang: Language, rng: random.Random) -> str:
    return regex.sub(r"\s*[（(][^（()）]{1,80}[）)]", "", text, count=1)


def _clauses(text: str, lang: Language, rng: random.Random) -> str:
    """Keep the first clauses where none hangs on the others."""
    if lang == "en":
        if regex.search(r"\b(?:if|unless|although|though|when|while|because|not|no|only|both|either|neither)\b", text, regex.I):
            return text
        return regex.sub(
            r"(?<=\w{3}), (?:which|where|while|and (?:he|she|it|they|is|was|are|were)|with|who|when) [^,;]{10,}\.$", ".", text
        )
    if regex.search("如果|假如|除非|虽然|尽管|只有|但|若|当|却|而|不|以|为了|由于|因为|分别|“|《", text):
        return text
    parts = text.rstrip("。").split("，")
    keep = rng.randint(1, max(1, len(parts) - 1))
    short = "，".join(parts[:keep])
    whole = keep < len(parts) and len(short) >= 10 and regex.search(r"[是有为在于成了到任建获]", parts[keep - 1])
    return f"{short}。" if whole else text


def _moved(text: str, lang: Language, rng: random.Random) -> str:
    """Move a leading span of time or place behind, or put a frame before the sentence."""
    if rng.random() < 0.15:
        return _framed(text, lang, rng)
    if lang == "en":
        found = regex.fullmatch(r"((?:In|On|During|By|From|After|Before|Since|At) [^,.]{3,40}), ([^,;]{15,120})\.", text)
        if found is None or regex.match(r"(?:who|which|but|and|or)\b", found[2]):
            return text
        return _capital(f"{found[2]} {found[1][0].lower()}{found[1][1:]}.")
    found = regex.fullmatch(
        r"(\d{4} ?年(?:\d{1,2} ?月)?(?:\d{1,2} ?日)?)，([^，；。]{2,12}?)((?:在|于|被|获|出任|担任|成为|开始).{4,})", text
    )
    return text if found is None else f"{found[2]}{found[1]}{found[3]}"


def _framed(text: str, lang: Language, rng: random.Random) -> str:
    """Put words such as "According to the text" before a sentence that has none yet; English ones only before a statement."""
    frames = [str(frame) for frame in _rules()[lang]["frames"]]
    if any(text.startswith(frame.split("{")[0]) for frame in frames):
        return text
    frame = rng.choice(frames)
    if lang == "zh":
        return frame.format(text)
    own = regex.match(r"(?:The|An?|It|You|He|She|They|In|There|Th[ei]se?|Each|Every|All|Your|If)\b", text)
    return frame.format(text[0].lower() + text[1:]) if own else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
