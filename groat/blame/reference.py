"""What is known of the right answer to a question, and whether a text or a passage holds it."""

from collections.abc import Mapping, Sequence
from typing import Final

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict

from groat.errors import BadInput
from groat.text import content_words, figures, fold
from groat.types import Passage

COVERED: Final = 0.6
"""Share of the words that a reference adds to the question from which on a passage is taken to hold it. In the help centre 98 %
of the passages that hold an answer pass, and 8 % of what is found beside them."""


class Reference(TypedDict, total=False):
    """What somebody who knows says about the right answer. All of it may be left out."""

    answer: str
    """The right answer, in a sentence or two; empty or absent when nobody wrote it down."""
    groups: list[list[str]]
    """A right answer holds at least one string of every group, case aside."""
    documents: list[str]
    """Ids of the documents that answer."""
    answerable: bool
    """False: no document answers, and the right thing is to say so. True without it."""


def read_reference(value: Mapping[str, object]) -> Reference:
    """Return the reference in a JSON object.

    Raises:
        BadInput: a field has another form; the message names it.
    """
    found: Reference = {}
    answer, groups, documents = value.get("answer"), value.get("groups"), value.get("documents")
    if answer is not None:
        if not isinstance(answer, str):
            raise BadInput('"answer" of a reference must be a text')
        found["answer"] = answer
    if groups is not None:
        if not isinstance(groups, list) or not all(isinstance(one, list) and one and _texts(one) for one in groups):
            raise BadInput('"groups" of a reference must be a list of lists of texts, none of them empty')
        found["groups"] = groups
    if documents is not None:
        if not isinstance(documents, list) or not _texts(documents):
            raise BadInput('"documents" of a reference must be a list of names')
        found["documents"] = documents
    answerable = value.get("answerable", True)
    if not isinstance(answerable, bool):
        raise BadInput('"answerable" of a reference must be true or false')
    return {**found, "answerable": answerable}


def _texts(values: Sequence[object]) -> bool:
    return all(isinstance(one, str) and one.strip() for one in values)


def says_enough(reference: Reference) -> bool:
    """Tell whether an answer can be held against the reference."""
    return bool(reference.get("answer") or reference.get("groups")) or not reference.get("answerable", True)


def holds(reference: Reference, text: str, question: str = "", *, share: float = COVERED) -> bool:
    """Tell whether a text holds what a right answer needs.

    That is a string of every group; without groups what the reference in prose adds to the question: all its figures, and a
    share of its words.

    Args:
        reference: it must say enough.
        text: an answer or a passage.
        question: what was asked.
        share: of the words that the reference adds, 0..1.
    """
    told = fold(text)
    if groups := reference.get("groups"):
        return all(any(fold(string) in told for string in group) for group in groups)
    answer = reference.get("answer", "")
    needed = set(content_words(answer)) - set(content_words(question)) or set(content_words(answer))
    if not needed or (figures(answer) - figures(question)) - figures(text):
        return False
    return len(needed & set(content_words(text))) >= share * len(needed)


def stands_in(reference: Reference, passages: Sequence[Passage], question: str = "") -> bool | None:
    """Tell whether passages hold what a right answer needs, those of the documents that answer where these are known.

    What groups ask for may stand in several passages, what prose says must stand in one. None when the reference says nothing
    that could be looked for.
    """
    if not (reference.get("groups") or reference.get("answer")):
        return None
    gold = reference.get("documents")
    texts = [
        f"{passage['title']} {passage['heading']}\n{passage['text']}"
        for passage in passages
        if not gold or passage["document_id"] in gold
    ]
    if reference.get("groups"):
        texts = ["\n".join(texts)]
    return any(holds(reference, text, question) for text in texts)
