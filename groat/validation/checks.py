"""Checks of an answer that cost nothing: each gives a score and a reason, in Chinese and English."""

from collections.abc import Sequence

import regex

from groat.text import citations, detect_language, figures, without_citations
from groat.types import Asked, Attempt, Check, Language, Passage, QuestionKind
from groat.validation.evidence import Evidence, gather, sentences

MIN_SUPPORT = 0.65
"""Least share of a sentence's content words that one document must hold, the question's words included. Of right answers 0.5 %
(English) and 0.8 % (Chinese) fall below, of sentences from other documents about 80 % and 95 % do
(``python -m evals.validation``)."""

_LEAK = regex.compile(
    r"</?(?:documents?|question|rejected|task)\b|Use only facts that stand in the documents", regex.IGNORECASE
)
_ENDING = regex.compile(r"(?:[.!?。！？…)）\]】\"”’'|`])\s*$")
_SHORT: dict[Language, int] = {"en": 12, "zh": 6}
"""Characters of an answer that may be a bare name or number."""
_LIST_MARK = regex.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s*", regex.MULTILINE)
_REFUSAL = regex.compile(
    r"\bI(?: am|'m) (?:sorry|unable)|\bI (?:cannot|can't|do not|don't) (?:help|answer|know|have)"
    r"|\bas an AI\b|(?:很)?抱歉|对不起|我(?:无法|不能|没法|不知道)|作为(?:一个)?(?:AI|人工智能)",
    regex.IGNORECASE,
)


def check_answer(asked: Asked, attempt: Attempt, passages: Sequence[Passage], *, kind: QuestionKind) -> list[Check]:
    """Return the result of every check that applies, in a fixed order.

    Args:
        asked: the question.
        attempt: the newest try.
        passages: what the model was given, already shortened: what it did not read cannot support it.
        kind: small talk and translations are not checked against documents.

    A failed call has the one check "call"; an empty answer the one check "not_empty".
    """
    if "failure" in attempt:
        return [_check("call", 0.0, f"the call failed: {attempt['failure']}")]
    if not attempt["text"]:
        return [_check("not_empty", 0.0, "the answer is empty")]
    checks = [_check("not_empty", 1.0, ""), _complete(attempt), _no_leak(attempt), _answers(attempt)]
    if attempt["abstained"]:
        return checks
    prose = without_citations(attempt["text"])
    if kind != "translation":
        checks.append(_language(asked, prose))
    if kind == "knowledge":
        checks += [_citations(attempt, passages), _figures(asked, prose, passages)]
        checks += _against(gather(asked, passages), asked, prose, passages)
    return checks


def _complete(attempt: Attempt) -> Check:
    if attempt["finish_reason"] in {"length", "max_tokens", "content_filter"}:
        return _check("complete", 0.0, f"the answer ended with {attempt['finish_reason']!r}")
    # The prompt asks for a citation after each sentence: prose with neither that nor a full stop broke off.
    cut = len(attempt["text"]) >= _SHORT[detect_language(attempt["text"])] and not _ENDING.search(attempt["text"])
    return _check("complete", 0.0 if cut else 1.0, "the answer breaks off" if cut else "")


def _no_leak(attempt: Attempt) -> Check:
    leak = _LEAK.search(attempt["text"])
    return _check("no_leak", 0.0 if leak else 1.0, "the answer repeats parts of the prompt" if leak else "")


def _answers(attempt: Attempt) -> Check:
    if attempt["abstained"]:
        return _check("answers", 0.0, "the model says that the documents do not answer")
    opening = attempt["text"][:80]
    refused = bool(_REFUSAL.search(opening))
    return _check("answers", 0.0 if refused else 1.0, "the answer is a refusal" if refused else "")


def _language(asked: Asked, prose: str) -> Check:
    wanted = asked["answer_language"]
    found = detect_language(prose, default=wanted)
    return _check("language", float(found == wanted), "" if found == wanted else f"the answer is in {found}, not in {wanted}")


def _citations(attempt: Attempt, passages: Sequence[Passage]) -> Check:
    named = citations(attempt["text"])
    known = {passage["document_id"] for passage in passages}
    wrong = [name for name in named if name not in known]
    score = 1 - len(wrong) / len(named) if named else 1.0
    return _check("citations", score, f"{len(wrong)} of {len(named)} cited documents were not given" if wrong else "")


def _figures(asked: Asked, prose: str, passages: Sequence[Passage]) -> Check:
    given = figures(asked["text"]).union(*(figures(turn["content"]) for turn in asked["history"]))
    given = given.union(*(figures(f"{passage['title']} {passage['heading']} {passage['text']}") for passage in passages))
    used = figures(_LIST_MARK.sub("", prose))
    foreign = used - given
    score = 1 - len(foreign) / len(used) if used else 1.0
    return _check("figures", score, f"{len(foreign)} of {len(used)} figures stand in no document" if foreign else "")


def _against(evidence: Evidence, asked: Asked, prose: str, passages: Sequence[Passage]) -> list[Check]:
    """Hold every sentence of the answer against the documents."""
    if not any(passage["language"] == asked["answer_language"] for passage in passages):
        reason = "not judged: no document is in the language of the answer"
        return [_check(name, 1.0, reason) for name in ("names", "negation", "support")]
    told = sentences(prose)
    foreign = any(evidence.foreign_name(sentence) for sentence in told)
    denied = any(evidence.is_denied(sentence) for sentence in told)
    lowest = min((share for sentence in told if (share := evidence.support(sentence)) is not None), default=1.0)
    unsupported = "a sentence of the answer stands in no document" if lowest < MIN_SUPPORT else ""
    return [
        _check("names", 0.0 if foreign else 1.0, "a name in the answer stands in no document" if foreign else ""),
        _check("negation", 0.0 if denied else 1.0, "the answer denies what a document says, or the reverse" if denied else ""),
        _check("support", lowest, unsupported, least=MIN_SUPPORT),
    ]


def _check(name: str, score: float, reason: str, *, least: float = 1.0) -> Check:
    return {"name": name, "passed": score >= least, "score": round(score, 4), "reason": reason}
