"""Say a wording: choose among its alternatives, fill its slots, and write it as carelessly or politely as people do."""

import random
from collections.abc import Mapping
from functools import cache

import regex

from training.frame_values import Value

_CHOICE = regex.compile(r"\(([^()]*\|[^()]*)\)")
_SLOT = regex.compile(r"\{(\w+)\}")
_MACROS = {
    "en": {
        "@how": "(how do I|how can I|how to|what's the way to|how do you|how would I)",
        "@can": "(can I|am I able to|is it possible to|am I allowed to)",
        "@long": "(how long does it take|how much time does it take|what's the usual time)",
        "@cost": "(how much does it cost|what does it cost|what's the price)",
        "@where": "(where can I|where do I|in which place can I)",
    },
    "zh": {
        "@how": "(怎么|如何|怎样|咋)",
        "@can": "(能不能|可以不可以|能否|可不可以)",
        "@long": "(要多久|需要多长时间|得花多长时间|要多少时间)",
        "@cost": "(多少钱|要花多少钱|费用是多少|什么价格)",
        "@where": "(在哪里|在哪儿|去哪里|哪里)",
    },
}
_ASKS = regex.compile(r"^(how|what|where|when|who|why|can|could|do|does|is|are|which|will|may|should|am|at)\b", regex.I)
_BEFORE = {
    "en": ("hi, ", "hello, ", "quick question: ", "excuse me, ", "sorry, "),
    "zh": ("请问", "你好，", "请问一下，", "想问下", "您好，请问"),
}
_AFTER = {"en": (" please", " thanks", ", please", " exactly"), "zh": ("呢", "啊", "，谢谢")}


_ARTICLE = regex.compile(r"\b([Aa]) (?=[aeio](?!ne\b|ne-|uro))")


def slots_of(wording: str) -> frozenset[str]:
    """Return the names of the slots of a wording."""
    return frozenset(_SLOT.findall(wording))


def say(wording: str, values: Mapping[str, Value], lang: str, rng: random.Random) -> str:
    """Return the wording with one of each ``(a|b)`` chosen, macros spelt out, and one form of each value."""
    wording = _spelt_out(wording, lang)
    while _CHOICE.search(wording):
        wording = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), wording)
    text = _SLOT.sub(lambda match: rng.choice(values[match[1]].forms[lang]), wording)
    text = " ".join(text.split())
    return _ARTICLE.sub(r"\1n ", text) if lang == "en" else text


@cache
def _spelt_out(wording: str, lang: str) -> str:
    for name, meant in _MACROS[lang].items():
        wording = wording.replace(name, meant)
    return wording


def qualify(text: str, condition: str, lang: str, rng: random.Random) -> str:
    """Put a condition before or after the question."""
    if lang == "zh":
        return f"{condition}{rng.choice(('，', ''))}{text}"
    return f"{text} {condition}" if rng.random() < 0.75 else f"{condition}, {text}"


def roughen(text: str, story: bool, lang: str, rng: random.Random) -> str:
    """Change case, punctuation and politeness, which never change what is asked."""
    text = text.rstrip("?？")
    asks = lang == "zh" or bool(_ASKS.match(text))
    if asks and not story and rng.random() < 0.12:
        text = rng.choice(_BEFORE[lang]) + text
    if asks and not story and rng.random() < 0.06 and not text.endswith(("吗", "呢")):
        text += rng.choice(_AFTER[lang])
    if lang == "zh":
        return text if text.endswith("谢谢") else text + rng.choices(("", "？", "?"), (5, 4, 1))[0]
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    elif rng.random() < 0.3:
        text = text.lower()
    if rng.random() < 0.04:
        text = text.replace(" ", "  ", 1)
    return text + rng.choices(("", "?", " ?", "."), (10, 12 if asks or story else 3, 1, 1))[0]
