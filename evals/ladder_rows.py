"""One request of a day of traffic, with what two models said to it; ``docs/data-formats.md`` says what a row holds."""

import hashlib
import re
from collections import defaultdict
from functools import cached_property
from typing import Annotated, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from groat.answering.prompts import NO_ANSWER
from groat.text import count_tokens
from groat.types import Language, Tier

TIERS: tuple[Tier, ...] = get_args(Tier)
WITHHELD = "…"
"""Sent in the place of an answer that has no text: no word of it can be read, since none is there."""
UNLISTED_TOKENS = 700
"""More tokens than this beside the question are documents: groat's own instructions, tags included, are fewer than 400."""
_PLACEHOLDER = re.compile(r"\[[^\[\]]*\]")

Filled = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Sample = Annotated[str, BeforeValidator(lambda one: one.get("text") if isinstance(one, dict) else one)]


class _Part(BaseModel):
    """Fields of other names are read over, so that a file may hold more."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", populate_by_name=True)


class Said(_Part):
    """What one model answered, and what that took."""

    text: str
    ok: _Share
    """Quality, 0..1; looked at when everything is decided."""
    input_tokens: Annotated[int, Field(ge=1)]
    """Of the prompt with the full documents, as the provider counted them."""
    output_tokens: Annotated[int, Field(ge=0)]
    latency_ms: _Amount | None = None
    """None: it is modelled (``Latencies``)."""
    samples: tuple[_Sample, ...] = Field(default=(), strict=False)
    """Further answers of the same model to the same prompt."""

    @property
    def sent(self) -> str:
        """What a client gets to read: the text, or ``WITHHELD`` for a placeholder."""
        return WITHHELD if is_placeholder(self.text) else self.text


class Recorded(_Part):
    """The answers of both models."""

    cheap: Said
    expensive: Said

    def of(self, tier: Tier) -> Said:
        """Return the answer of one model."""
        return self.cheap if tier == "cheap" else self.expensive


class Document(_Part):
    """One document, or a piece of one: pieces of one document share its id."""

    id: Filled
    text: Filled
    title: str = ""
    heading: str = ""
    version: Filled | None = None
    """Of the whole document; None: a hash of its pieces in the row, which is another one when other pieces were found."""


class RequestRow(_Part):
    """One request of the day, without what models say to it."""

    id: Filled
    question: Filled
    language: Annotated[Language, Field(alias="lang")]
    tenant: Filled = "default"
    conversation: Filled | None = None
    """Name of the conversation that it belongs to; None for a question that stands alone."""
    asked_at: Filled | None = None
    """When it came, in ISO 8601. The order of the file is what counts."""
    documents: tuple[Document, ...] = Field(default=(), strict=False)
    answer_id: Filled | None = None
    answers: tuple[Filled, ...] = Field(default=(), strict=False)
    """A right answer holds one of these; empty where that is not known."""
    category: Filled = "none"
    assumed: bool = False
    """No model answered: the outcomes are assumptions."""

    @cached_property
    def answer(self) -> str:
        """Requests with the same one share one right answer: ``answer_id``, else a hash of question and documents."""
        if self.answer_id is not None:
            return self.answer_id
        return _hash("\0".join([self.question.strip(), *(f"{one.id}\0{one.text}" for one in self.documents)]))

    @cached_property
    def versions(self) -> dict[str, str]:
        """Document -> its version, or a hash of all its pieces that the row brings."""
        texts: dict[str, list[str]] = defaultdict(list)
        for one in self.documents:
            texts[one.id].append(one.text)
        named = {one.id: one.version for one in self.documents if one.version is not None}
        return {name: _hash("\0".join(pieces)) for name, pieces in texts.items()} | named

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the whole row."""
        return _hash(self.model_dump_json())

    def holds_answer(self, sent: str) -> bool:
        """Tell whether the text of documents that was sent still holds one of the answers that the full documents hold.

        Case aside. True where there is nothing to be lost: no documents, no answers, or none of them in the full documents.
        """
        full = "\n".join(one.text for one in self.documents).casefold()
        held = [answer.casefold() for answer in self.answers if answer.casefold() in full]
        text = sent.casefold()
        return not held or any(answer in text for answer in held)


class Row(RequestRow):
    """One request of the day, with what two models said to it."""

    recorded: Recorded

    @cached_property
    def unlisted_tokens(self) -> int:
        """Tokens of documents that were counted and are not listed; 0 where documents are listed, or none can be told."""
        if self.documents or self.conversation is not None:
            return 0
        left = self.recorded.expensive.input_tokens - count_tokens(self.question)
        return left if left >= UNLISTED_TOKENS else 0


def is_placeholder(text: str) -> bool:
    """Tell whether a recorded text only stands for one: it is one pair of square brackets, and not groat's own "no answer"."""
    bare = text.strip()
    return bool(_PLACEHOLDER.fullmatch(bare)) and bare.casefold() != NO_ANSWER


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
