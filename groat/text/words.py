"""Words for lexical matching: English words, Chinese character pairs."""

import re
from collections.abc import Iterator

import regex

from groat.text.clean import fold

# Han characters are letters too: without the difference of sets, "App里" would be one word.
_RUN = regex.compile(
    r"\p{Han}+|[[\p{L}\p{N}]--\p{Han}]+(?:[.'’:/\-][[\p{L}\p{N}]--\p{Han}]+)*",
    regex.VERSION1,
)
_ASCII_RUN = re.compile(r"[A-Za-z0-9]+(?:[.':/-][A-Za-z0-9]+)*")
_HAN = regex.compile(r"\p{Han}")

_STOP = frozenset(
    "a an the is are was were be been am do does did can could will would shall should may might must have has had i you he "
    "she it we they me my your his her its our their this that these those what which who whom whose when where why how to of "
    "in on at by for from with about as and or but if then than so not no please there here into out up down over any some "
    "的 了 吗 呢 吧 啊 呀 我 你 您 他 她 它 们 是 在 有 和 与 或 就 都 也 很 请 问 什么 怎么 怎样 如何 多少 几 哪 "
    "哪里 为什么 可以 能 能不能 会 要 想 请问 我的 你们 我们 是不 不是 是否 么样".split()
)


def words(text: str) -> list[str]:
    """Return the words of a text in order, folded: Latin words and numbers whole, Han runs as overlapping pairs.

    Pairs of characters are what Lucene's CJK analyser indexes: no dictionary, and as good as one for retrieval
    (Nie, Gao, Zhang, Zhou 2000, "On the use of words and n-grams for Chinese information retrieval"). A single Han
    character between other signs stays as it is.
    """
    folded = fold(text)
    if folded.isascii():
        return [_singular(run) if run[-1] == "s" else run for run in _ASCII_RUN.findall(folded)]
    return list(_words(folded))


def content_words(text: str) -> list[str]:
    """Return ``words`` without the commonest function words of both languages."""
    return [word for word in words(text) if word not in _STOP]


def _words(folded: str) -> Iterator[str]:
    for run in _RUN.findall(folded):
        if run[0].isascii() or not _HAN.match(run):
            yield _singular(run)
        elif len(run) == 1:
            yield run
        else:
            yield from (run[i : i + 2] for i in range(len(run) - 1))


def _singular(word: str) -> str:
    """Strip the plural s, the one ending that matters for matching questions to documents."""
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
