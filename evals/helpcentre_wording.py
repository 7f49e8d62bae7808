"""Other wordings of a question, as people write them: frames around it, other words for asking, slips of the fingers.

What is asked never changes: figures, names and negations are left alone.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import regex

from groat.types import Language

_OPENINGS: Final[Mapping[Language, Sequence[str]]] = {
    "en": (
        "Hi, ", "Hello! ", "Hi there. ", "Good morning, ", "Quick question: ", "Hey, ", "Sorry to bother you. ", "Hello team, ",
        "I've looked everywhere on the site. ", "I can't find this in the app: ", "My partner wants to know: ",
        "Just checking: ",
    ),
    "zh": (
        "你好，", "您好，", "请问", "请问一下，", "想问一下，", "麻烦问下，", "客服你好，", "在吗？", "不好意思打扰了，",
        "我在网站上找了半天没找到，", "家里人想知道，", "帮我看一下，",
    ),
}  # fmt: skip
_CLOSINGS: Final[Mapping[Language, Sequence[str]]] = {
    "en": (
        " Thanks!", " Thank you.", " Thanks in advance", " Please let me know.", " Cheers", " Please help.",
        " I'd like to be sure.",
    ),
    "zh": ("谢谢", "，谢谢！", "，麻烦了", "，求解答", "，谢谢您", "，在线等", "，想确认一下"),
}  # fmt: skip
_OTHER_WORDS: Final[Mapping[Language, Sequence[tuple[str, str]]]] = {
    "en": (
        (r"\bHow do I\b", "How can I"), (r"\bHow can I\b", "How do I"), (r"\bWhat is\b", "What's"), (r"\bWhat's\b", "What is"),
        (r"\bCan I\b", "Am I able to"), (r"\bIs it possible to\b", "Can I"), (r"\bI want to\b", "I'd like to"),
        (r"\bHow long does it take\b", "How much time does it take"), (r"\bDo I have to\b", "Must I"),
        (r"\bdoes it cost\b", "do I pay for it"), (r"\bWhere do I find\b", "Where can I find"), (r"\bphone\b", "mobile"),
    ),
    "zh": (
        ("怎么", "如何"), ("如何", "怎么"), ("怎样", "怎么"), ("多少钱", "什么价格"), ("多久", "多长时间"),
        ("多长时间", "多久"), ("能不能", "可不可以"), ("可以", "能"), ("哪里", "哪儿"), ("什么时候", "啥时候"),
        ("为什么", "为啥"), ("需要", "要"), ("我想", "我要"),
    ),
}  # fmt: skip
_TYPED: Final = regex.compile(r"(?<![\w'>-])\p{Ll}{5,}(?![\w'-])")
"""Words in small letters alone: a slip in a name would ask for something else."""


def reworded(question: str, language: Language, rng: random.Random) -> str:
    """Return the question in one to three ways unlike it was; ``rng`` chooses. It may come back as it was."""
    ways: list[Callable[[str, Language, random.Random], str]] = [_opened, _closed, _other_words, _slipped, _plain]
    for way in rng.sample(ways, rng.choice((1, 1, 2, 2, 3))):
        question = way(question, language, rng)
    return question


def _opened(question: str, language: Language, rng: random.Random) -> str:
    return rng.choice(_OPENINGS[language]) + question


def _closed(question: str, language: Language, rng: random.Random) -> str:
    return question + rng.choice(_CLOSINGS[language])


def _other_words(question: str, language: Language, rng: random.Random) -> str:
    fitting = [pair for pair in _OTHER_WORDS[language] if regex.search(pair[0], question)]
    if not fitting:
        return question
    pattern, other = rng.choice(fitting)
    return regex.sub(pattern, other, question, count=1)


def _slipped(question: str, language: Language, rng: random.Random) -> str:
    """Swap two letters in the middle of a word; Chinese is typed by whole words, and loses its spaces."""
    if language == "zh":
        return question.replace(" ", "")
    words = list(_TYPED.finditer(question))
    if not words:
        return question
    word = rng.choice(words)
    place = rng.randrange(word.start() + 1, word.end() - 2)
    return question[:place] + question[place + 1] + question[place] + question[place + 2 :]


def _plain(question: str, language: Language, rng: random.Random) -> str:
    """Leave out the mark at the end, and in English the capital at the beginning."""
    bare = question.rstrip("?？。.!！ ")
    return bare[:1].lower() + bare[1:] if language == "en" and not bare[:2].isupper() and bare[:2] != "I " else bare
