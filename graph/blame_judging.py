"""Who says whether an answer is right: a reference where there is one, else a panel of what is at hand, with a stated error."""

import time
from collections.abc import Sequence
from typing import Final, Protocol

from graph.services import Services
from groat.answering import Adviser, Wanted, ask_adviser, mark_of
from groat.answering.prompts import no_answer_text
from groat.blame.reference import Reference, holds, says_enough
from groat.cache import differences
from groat.costs import BlameBooks, Purse
from groat.text import fold, without_citations
from groat.types import Asked, Charge, Passage
from groat.validation import agreement, same_answer
from groat.validation.agreement import agreement_of_values
from nodes import paid_terms

STRINGS_ERR: Final = 0.02
"""How often strings that a right answer must hold are wrong about it. Loose ones, such as "20", are in many answers."""
TEXTS_ERR: Final = 0.05
"""How often a comparison with a reference in prose is wrong about an answer: ``python -m evals.blame_judging``."""
PANEL_ERR: Final = 0.2
"""How often a model that marks an answer without a reference is wrong about it."""
_SAID: Final = 0.25
"""Share of the words that a reference in prose adds to the question which an answer must have: it has words of its own."""
_UNLIKE: Final = 0.4
"""Overlap of words from which on two answers may say the same, and below which they do not."""
_GOOD: Final = 0.6
_SHORT: Final = 12
"""Characters up to which a reference is looked for in the answer as it stands."""
_JUDGE_S: Final = 60.0


class AnswerJudge(Protocol):
    """Says whether an answer to one question is right."""

    error: float
    """Probability that it errs, 0..0.5."""
    charges: list[Charge]
    """What it cost."""

    async def right(self, asked: Asked, answer: str, passages: Sequence[Passage]) -> bool | None:
        """Return its opinion; None when it has none."""
        ...


def abstains(asked: Asked, answer: str) -> bool:
    """Tell whether an answer says that the documents do not answer."""
    return answer == no_answer_text(asked["answer_language"])


class ReferenceJudge:
    """Holds answers against a reference: strings that must be there, values, a short text, or figures and words of a long one.

    Args:
        reference: it must say enough.
        error: probability that it errs; by the form of the reference without it.
    """

    def __init__(self, reference: Reference, *, error: float | None = None) -> None:
        """Look at nothing yet."""
        self._reference = reference
        exact = bool(reference.get("groups")) or not reference.get("answerable", True)
        self.error = (STRINGS_ERR if exact else TEXTS_ERR) if error is None else error
        self.charges: list[Charge] = []

    async def right(self, asked: Asked, answer: str, passages: Sequence[Passage]) -> bool | None:
        """Return whether the answer is right."""
        return answers_rightly(self._reference, asked, answer)


def answers_rightly(reference: Reference, asked: Asked, answer: str) -> bool:
    """Tell whether an answer is right by a reference that says enough."""
    if not reference.get("answerable", True):
        return abstains(asked, answer)
    if not answer or abstains(asked, answer):
        return False
    bare = without_citations(answer)
    if reference.get("groups"):
        return holds(reference, bare)
    return _says(reference["answer"], bare, asked)


def _says(reference: str, answer: str, asked: Asked) -> bool:
    if (by_value := agreement_of_values(reference, answer)) is not None:
        return by_value >= 0.999
    if len(fold(reference)) <= _SHORT:
        return fold(reference) in fold(answer)
    return holds({"answer": reference}, answer, asked["text"], share=_SAID)


class PanelJudge:
    """Asks the models that are set to judge for their marks, and takes the mean.

    Args:
        services: what is asked; the calls stand in the ledger under "blame".
        run: that is investigated, for the keys of the charges.
    """

    def __init__(self, services: Services, run: str) -> None:
        """Ask nobody yet."""
        self._services = services
        self._judges = [adviser for adviser in services.advisers if adviser.role == "judge"]
        self._run = run
        self._books = BlameBooks.beside(services.books)
        self.error = PANEL_ERR
        self.charges: list[Charge] = []

    async def right(self, asked: Asked, answer: str, passages: Sequence[Passage]) -> bool | None:
        """Return whether the marks say so; None without a mark, and for "the documents do not say"."""
        if not answer:
            return False
        if abstains(asked, answer):
            return None
        marks = [await self._mark(adviser, asked, answer, passages) for adviser in self._judges]
        known = [mark for mark in marks if mark is not None]
        return sum(known) / len(known) >= _GOOD if known else None

    async def _mark(self, adviser: Adviser, asked: Asked, answer: str, passages: Sequence[Passage]) -> float | None:
        purse = Purse(
            self._books, self._services.budgets, run=self._run, tenant=asked["tenant"], box="validate", tier="cheap",
            spent=[], max_cost_usd=None, purpose="blame",
        )  # fmt: skip
        wanted = Wanted(box="validate", tier="cheap", kind="knowledge", passages=passages, level="full")
        key = f"{self._run}:blame:judge:{adviser.number}:{len(self.charges)}:{time.time_ns()}"
        terms = paid_terms(key, adviser.endpoint, purse, asked_at=time.time(), deadline_s=_JUDGE_S)
        said = await ask_adviser(self._services.answerer, adviser, asked, wanted, terms, answer=answer)
        self.charges += purse.charges
        return None if "failure" in said else mark_of(said["text"])


def judge_for(services: Services, reference: Reference | None, run: str) -> AnswerJudge:
    """Return who judges the answers of a run."""
    if reference is not None and says_enough(reference):
        return ReferenceJudge(reference)
    return PanelJudge(services, run)


def says_the_same(asked: Asked, one: str, other: str) -> bool | None:
    """Tell whether two answers to one question say the same; None when that is not sure."""
    if abstains(asked, one) or abstains(asked, other):
        return one == other
    language = asked["answer_language"]
    found = same_answer(one, other, language=language, differences=differences(one, other))
    if found == "undecided" and agreement(one, other, language=language) < _UNLIKE:
        return False
    return {"right": True, "wrong": False, "undecided": None}[found]
