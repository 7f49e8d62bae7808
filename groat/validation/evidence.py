"""What the documents say, taken apart so that an answer can be held against it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from groat.text import content_words, denials, fold, sentence_spans
from groat.types import Asked, Passage

_CLAUSE = regex.compile(r"[,，、;；:：。.!?！？](?=\s|\p{Han}|$)|\s[-–—]+\s|\bbut\b|\bso\b|但是?|所以|否则")
_OPENING = regex.compile(
    r"^\s*(?:yes|no|correct|right|是的?|对的?|不是的?|不|可以的|不可以|不能|没有)\s*[,，。.!！]\s*", regex.IGNORECASE
)
_LIST_MARK = regex.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s*")
_NEAR = 0.15
"""Clauses that match nearly as well as the best one are asked too: one of them agreeing is enough."""
_ALIKE = 0.7
"""Least share of a clause's words that a clause of the documents must hold before the two are said to be about the same."""


@dataclass(frozen=True, kw_only=True)
class _Clause:
    words: frozenset[str]
    denials: int


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The documents given with a question, as words."""

    documents: tuple[frozenset[str], ...]
    """Words of each document, with those of the question: a sentence should stand on one document, not on crumbs of ten."""
    words: frozenset[str]
    text: str
    """Everything given, folded."""
    clauses: tuple[_Clause, ...]

    def support(self, sentence: str) -> float | None:
        """Return the largest share of the sentence's content words that one document holds, 0..1.

        None for a sentence of fewer than three content words: it says too little either way.
        """
        found = content_words(sentence)
        if len(found) < 3:
            return None
        return max((sum(word in document for word in found) / len(found) for document in self.documents), default=0.0)

    def is_denied(self, sentence: str) -> bool:
        """Tell whether a clause of the sentence asserts what the most alike clauses of the documents deny, or the reverse."""
        return any(self._is_denied(clause) for clause in _clauses(sentence))

    def foreign_name(self, sentence: str) -> str | None:
        """Return a name, or a stretch of Chinese, of the sentence that stands nowhere in what was given; None without one.

        Names are capitalised Latin words that do not open the sentence; in Chinese, which does not mark names, five
        characters in a row of which no two neighbours stand together in what was given, or three with one never used there.
        """
        body = _OPENING.sub("", _LIST_MARK.sub("", sentence))
        for match in _LATIN_NAME.finditer(body):
            if match.start() > 0 and fold(match.group()) not in self.text:
                return match.group()
        return next((run for run in self._foreign_runs(_HAN_MODAL.sub(" ", fold(body))) if self._is_name(run)), None)

    def _foreign_runs(self, folded: str) -> Iterator[str]:
        """Yield the longest stretches of Chinese of which no two characters stand together in what was given."""
        for match in _HAN_RUN.finditer(folded):
            run, start = match.group(), 0
            for place in range(1, len(run) + 1):
                if place == len(run) or run[place - 1 : place + 1] in self.text:
                    if place - start >= 2:
                        yield run[start:place]
                    start = place

    def _is_name(self, run: str) -> bool:
        """A long stretch is foreign; a shorter one is when it has a character that what was given never uses."""
        return len(run) >= _FOREIGN_CHARS or (len(run) >= 3 and any(char not in self.text for char in run))

    def _is_denied(self, clause: _Clause) -> bool:
        shares = [(len(clause.words & other.words) / len(clause.words), other.denials) for other in self.clauses]
        best = max((share for share, _ in shares), default=0.0)
        if best < _ALIKE:
            return False
        return all((count > 0) != (clause.denials > 0) for share, count in shares if share >= best - _NEAR)


_LATIN_NAME = regex.compile(r"\b\p{Lu}[\p{L}\p{N}]+\b")
# Numerals are figures, and have a check of their own.
_HAN_RUN = regex.compile(r"(?:(?![零〇一二两三四五六七八九十百千万亿])\p{Han}){2,}")
_FOREIGN_CHARS = 5


def gather(asked: Asked, passages: Sequence[Passage]) -> Evidence:
    """Take the passages and the question apart; about 10 ms for 2,000 tokens."""
    said = " ".join([asked["text"], *(turn["content"] for turn in asked["history"])])
    question = set(content_words(said))
    documents: dict[str, set[str]] = defaultdict(lambda: set(question))
    clauses: list[_Clause] = []
    texts = [said]
    for passage in passages:
        whole = f"{passage['title']} {passage['heading']} {passage['text']}"
        documents[passage["document_id"]].update(content_words(whole))
        texts.append(whole)
        for start, end in passage["sentences"]:
            clauses += _clauses(passage["text"][start:end])
    return Evidence(
        documents=tuple(frozenset(words) for words in documents.values()),
        words=frozenset(question.union(*documents.values())),
        text=fold(" ".join(texts)),
        clauses=tuple(clauses),
    )


def sentences(prose: str) -> list[str]:
    """Return the sentences of an answer."""
    return [prose[start:end] for start, end in sentence_spans(prose)]


def _clauses(sentence: str) -> Iterator[_Clause]:
    for part in _CLAUSE.split(_OPENING.sub("", sentence)):
        words = frozenset(_stem(word) for word in content_words(_HAN_MODAL.sub("", part)))
        if len(words) >= 3:
            yield _Clause(words=words, denials=denials(fold(part)))


def _stem(word: str) -> str:
    return _DENYING.sub("", word) or word


# Pairs of characters would tell 可以申请 from 不能申请 in two of three words; without these signs both are 申请.
_HAN_MODAL = regex.compile(r"不能|无法|可以|能够?|不会|会|不需要|无需|不用|需要|没有|有|不|没|未|是|请")
# "can't" and "cannot" are about the same thing as "can"; 不能 and 能 share no pair of characters otherwise.
_DENYING = regex.compile(r"n['’]?t$|^不|^没|^无")
