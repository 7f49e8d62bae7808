"""Is an answer whole, and in the language that was asked for?"""

from typing import Final

import regex

from groat.text import detect_language, sentence_spans
from groat.types import Language

_ENDING: Final = regex.compile(r"(?:[.!?。！？…)）\]】》」』\"”’'|`*~])\s*$")
_SHORT: Final[dict[Language, int]] = {"en": 12, "zh": 6}
"""Characters of an answer that may be a bare name or number."""
_HANGING: Final = regex.compile(
    r"\b(?:the|an?|of|in|to|for|and|or|is|are|was|with|your|my|our|be|not|can|will|must|may|at|on|by|from|within|after|before|when|if|"
    r"that|which|per|up|it|you|we|they|only|also|has|have|does|do|cannot|takes?|costs?|keeps?|allows?)$"
    r"|(?:的|是|在|和|与|或|需要?|可以?|会|把|被|从|到|为|后|约|每|最多|至少|进入|支持|不|了|能|请|您|要|都|有|将|以)$",
    regex.IGNORECASE,
)
_NO_END: Final = regex.compile(r"\b(?:the|an|and|or|of|your|my|our)\s*[.…]+$|[和与或]\s*[。…]+$")
_LIST_LINE: Final = regex.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s*\S", regex.MULTILINE)
_PAIRS: Final = (("(", ")"), ("（", "）"), ("“", "”"), ("「", "」"), ("《", "》"), ("【", "】"), ("[", "]"))
_CITED: Final = regex.compile(r"\[[^\[\]\n]*\]\W*$")
_EN_FUNCTION: Final = regex.compile(
    r"\b(?:the|is|are|was|you|your|to|of|for|with|and|that|this|it|can|will|not|from|be|has|have|a|an|in|on|at|by|when|if)\b",
    regex.IGNORECASE,
)
_OTHER_FUNCTION: Final = regex.compile(
    r"\b(?:le|la|les|des|une|est|vous|votre|pour|dans|avec|der|die|das|und|ist|nicht|sie|ein|eine|mit|auf|für|el|los|las|una|para|"
    r"con|por|es|del|il|che|di|sono|não|uma|você|het|een|niet)\b",
    regex.IGNORECASE,
)
_ZH_FUNCTION: Final = regex.compile(r"[的了是在您你我有和与会可请不把从到后就也这那都要用]")
_FOREIGN_LETTER: Final = regex.compile(r"[[\p{L}]--[\p{Han}\p{Latin}]]", regex.VERSION1)
_QUOTED: Final = regex.compile(
    r"“[^”]*”|\"[^\"]*\"|「[^」]*」|《[^》]*》|`[^`]*`|https?://\S+|\S+@\S+|[A-Z]\w*(?: [a-z]+)?(?: > [\w ]+)+"
)


def breaks_off(text: str, *, prose: bool = True) -> bool:
    """Tell whether an answer ends in the middle.

    The prompt asks for a citation after each sentence: prose with neither that nor a full stop broke off, unless it is a bare
    name or number, or a list without full stops. A cut that falls on the end of a sentence cannot be seen.

    Args:
        text: the answer.
        prose: it should end like a sentence. An answer without documents may as well end with its result, a formula or code:
            then only an open bracket or a word on which nothing ends shows a cut.
    """
    plain = text.strip()
    if any(plain.count(left) > plain.count(right) for left, right in _PAIRS) or plain.count("```") % 2:
        return True
    if _ENDING.search(plain):
        # No sentence ends on such a word, full stop or not.
        return bool(_NO_END.search(plain))
    if not prose or len(plain) < _SHORT[detect_language(plain)]:
        return bool(_HANGING.search(plain))
    lines = plain.splitlines()
    items = [line for line in lines if _LIST_LINE.match(line)]
    return not (len(items) >= 2 and lines[-1] in items and not any(_ENDING.search(line) for line in items))


def language_share(prose: str, wanted: Language) -> float:
    """Return the share of an answer's sentences, by length, that are in the language wanted, 0..1.

    A sentence counts for another language only when it has function words of that: names, commands and quotations have none.
    """
    plain = _QUOTED.sub(" ", prose)
    good = bad = 0.0
    for start, end in sentence_spans(plain):
        sentence = plain[start:end]
        weight = _weight(sentence)
        if _is_other(sentence, wanted):
            bad += weight
        else:
            good += weight
    return good / (good + bad) if bad else 1.0


def _weight(sentence: str) -> float:
    # A Latin letter says about two fifths of what a Han character does.
    han = len(regex.findall(r"\p{Han}", sentence))
    return han + len(regex.findall(r"\p{L}", sentence)) / 2.5


def _is_other(sentence: str, wanted: Language) -> bool:
    letters = len(regex.findall(r"\p{L}", sentence))
    if len(_FOREIGN_LETTER.findall(sentence)) > letters * 0.3:
        return True
    if detect_language(sentence, default=wanted) != wanted:
        return len((_ZH_FUNCTION if wanted == "en" else _EN_FUNCTION).findall(sentence)) >= 1
    others, own = len(_OTHER_FUNCTION.findall(sentence)), len(_EN_FUNCTION.findall(sentence))
    return wanted == "en" and others >= 3 and others > own
