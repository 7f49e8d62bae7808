"""One form for a question however it is written and however politely it is asked."""

from functools import lru_cache

import regex
from opencc import OpenCC

from groat.text.clean import fold

_HAN = regex.compile(r"\p{Han}")
_PAUSE = r"[\s,，、.。!！?？:：;；~～-]*"
_GREETINGS = (
    r"hi(?: there)?|hello(?: there)?|hey(?: there)?|good (?:morning|afternoon|evening)|excuse me|please|pls|quick question|"
    r"(?:can|could|would) you (?:please |kindly )?tell me|(?:please |kindly )?tell me|may i ask(?: you)?|"
    r"i(?: would|'d|’d) like to know|i want to know|i was wondering|do you know"
)
_THANKS = r"please|pls|thanks(?: a lot| so much| in advance)?|thank you(?: so much| very much| in advance)?|thx|cheers"
_GREETINGS_ZH = (
    r"你好|您好|哈喽|嗨|早上好|下午好|晚上好|打扰一下|打扰了|劳驾|麻烦(?:您|你)?(?:问|请问)一下|麻烦(?:您|你)?|(?:我)?(?:想|就想)(?:请)?问(?:一下|下)?|"
    r"请问(?:一下|下)?|请教(?:一下|下)?|(?:我)?想知道|(?:请|麻烦)?告诉我(?:一下)?|求助|在吗|亲"
)
_THANKS_ZH = r"谢谢(?:您|你|了|啦)?|多谢|感谢|拜托(?:了)?|麻烦(?:您|你)?(?:了|啦)|辛苦了"
_BEGIN = regex.compile(rf"^(?:(?:{_GREETINGS})\b{_PAUSE}|(?:{_GREETINGS_ZH}){_PAUSE})+")
# Only after a mark: "How do I say thanks?" asks for the word.
_END = regex.compile(
    rf"(?:[,.!?;~…，。！？；、-]{_PAUSE}(?:{_THANKS}|{_THANKS_ZH})|(?<=\p{{Han}})\s+(?:{_THANKS_ZH}))+{_PAUSE}$"
)
_LEAST = 4
"""Characters that must be left: shorter, the filler was what was asked."""


def plain_wording(question: str) -> str:
    """Return the folded question in simplified characters without greetings, thanks and "could you tell me".

    What is left is what is asked: nothing inside is touched, and a question that is nothing but politeness stays as it is.
    Idempotent; about 0.05 ms.
    """
    text = simplified(fold(question))
    while True:
        shorter = fold(_END.sub("", _BEGIN.sub("", text)))
        if len(shorter) < _LEAST or shorter == text:
            return text
        text = shorter


@lru_cache(maxsize=4096)
def simplified(text: str) -> str:
    """Return the text with traditional Chinese characters replaced by simplified ones, and all others as they are."""
    return str(_converter().convert(text)) if _HAN.search(text) else text


@lru_cache(maxsize=1)
def _converter() -> OpenCC:
    return OpenCC("t2s")
