"""Count what a text denies, in Chinese and English."""

import re

import regex

_NOT_NEGATION = regex.compile(
    # a question form: 能不能, 有没有, 要不要 ... and a question tag at the end: 收到没有, 可以不
    r"(\p{Han})[不没]\1|有没有?|是否|能否|可否|[^能会可是有]没有?[吗呢啊呀]?$|[不没]$|"
    # discourse, not content: 不知道怎么 ... means 怎么 ...
    r"不知道|不清楚|不明白|不懂|不太懂|不好意思|不小心|对不起|不会(?=[用弄操设改])|"
    # words that hold one of the signs without denying anything
    r"不同|不错|不过|不仅|不但|不管|不论|不断|不久|不锈钢|不然|要不|差不多|不动产|不良|了不起|不得了|"
    r"无线|无论|无锡|无人机|无名|无极|无双|无限|"
    r"特别|分别|别人|别的|级别|类别|性别|区别|告别|识别|别墅|个别|鉴别|辨别|差别|别名|离别|"
    r"未来|没收|沉没|淹没|"
    r"\bdo(?:n't| not) (?:know|understand|get) (?:how|what|where|why|when)\b|\bisn't it\b|\bno problem\b|\bno\. ?\d+\b|"
    r"\bwhy (?:don't|not)\b"
)
_NEGATION = regex.compile(
    r"不|没|未|无法|无(?!\p{Han}{0,1}$)|別|别(?=[\p{Han}])|勿|\bnot\b|n't\b|\b(?:no|never|without|cannot|cant|dont|doesnt|isnt|"
    r"wont|didnt|unable|none|neither|nor)\b"
)
_SIGN = re.compile(r"[不没未无別别勿]|no|n't|neither|never|without|cant|(?:do|does|is|wo|did)nt|unable")
"""Holds of every text with a negation: most have none, and are not looked at further."""
_ASCII_SIGN = re.compile(
    r"n't|\b(?:not|no|never|without|cannot|cant|(?:do|does|is|wo|did)nt|unable|none|neither|nor)\b", re.ASCII
)


def denials(text: str) -> int:
    """Return how many negations a folded text holds, question forms such as 能不能 and words such as 不同 left out."""
    plain = text.replace("’", "'")
    if (_ASCII_SIGN if plain.isascii() else _SIGN).search(plain) is None:
        return 0
    return len(_NEGATION.findall(_NOT_NEGATION.sub(" ", plain)))
