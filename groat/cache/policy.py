"""Which answers may be kept at all, for how long, and which of them may serve a question in other words.

A question about the asker's own affairs, or about a moment, has another right answer for the next person or the next hour;
serving it again is wrong however alike the wording is. The rules are cues of wording and marks of form, listed in
``policy.toml``, so they err: they are kept where a wrong "yes" would hurt (another person's order) and narrow where a wrong
"no" only costs a model call ("How do I change my password?" is nobody's own affair). How often they err is measured in
``docs/cache-policy.md``.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from groat.cache.categories import Caching, Category, Table, categories_of, read_table, shipped_table
from groat.cache.cues import Readable, readable
from groat.cache.identity import REMEMBERED_CHARS
from groat.cache.marks import MAX_ALIKE_CHARS as MAX_ALIKE_CHARS
from groat.cache.marks import MAX_KEPT_CHARS as MAX_KEPT_CHARS
from groat.types import Asked

SHORT_FOLLOW_UP_CHARS: Final = 40
"""A follow-up up to this length ("And the day after?") is about what the question before it was about."""
TEMPLATED: Final = "templated"
"""Reason of the categories whose questions are one frame of wording that is filled anew each time."""

Span = Literal["words", "form", "earlier_turn"]
"""Where a cue was found: in what the question says, in its form, or in the question before it."""

_STRICTNESS: Final[dict[Caching, int]] = {"never": 0, "exact": 1, "alike": 2}


@dataclass(frozen=True)
class Evidence:
    """What put a question into its category. Holds no word of the question, so that it may be logged."""

    cue: str
    """Name of the cue or the mark, as in ``policy.toml``."""
    span: Span


@dataclass(frozen=True)
class Ruling:
    """What may be done with the answer to one question."""

    category: str
    cache: Caching
    ttl_s: float | None
    """Longest life in seconds, from when the answer was given, whether it is hit or not; None for no end, 0 for "never"."""
    reason: str
    """Why it may not be matched by likeness, or not be kept: "follow_up", "templated", "personal", "time_bound", "pasted", or
    the name of the category; "" when nothing speaks against it."""
    evidence: Evidence | None
    """None for the default category."""
    max_wrong: float | None
    """Largest share of wrong hits among hits by likeness, 0..1, where the category asks for less than the cache; else None."""


@dataclass(frozen=True)
class CachePolicy:
    """Sorts questions into categories."""

    categories: tuple[Category, ...]
    """In the order in which they are asked."""
    default: Category
    version: str
    """Changes with every change of the policy."""

    @classmethod
    def load(cls, path: Path | None) -> "CachePolicy":
        """Return the policy of a file, with what it leaves out taken from the shipped one; the shipped one for None.

        Raises:
            SettingsError: the file cannot be read, or a key cannot be used; the message names it and says what to write.
        """
        return _shipped() if path is None else cls._of(read_table(path), str(path))

    @classmethod
    def _of(cls, table: Table, source: str) -> "CachePolicy":
        categories, default = categories_of(table, source)
        # Not sorted: the order of the categories is part of what they say.
        version = hashlib.sha256(json.dumps(table, ensure_ascii=True).encode("ascii")).hexdigest()[:12]
        return cls(categories, default, version)

    def judge(self, asked: Asked) -> Ruling:
        """Return what may be done with the answer to a question; about 0.1 ms, never raises for texts.

        A short follow-up is ruled by the stricter of itself and the question before it. No follow-up is matched by likeness:
        its meaning is in the earlier turns, of which the vector knows little.
        """
        category, evidence = self._sort(asked["text"])
        ttl_s = category.ttl_s
        earlier = self._inherited(asked)
        if earlier is not None:
            before, cue = earlier
            ttl_s = _shorter(ttl_s, before.ttl_s)
            if _strictness(before) < _strictness(category):
                category, evidence = before, Evidence(cue, "earlier_turn")
        ruling = Ruling(
            category=category.name,
            cache=category.cache,
            ttl_s=ttl_s,
            reason="" if category.cache == "alike" else category.reason,
            evidence=evidence,
            max_wrong=category.max_wrong,
        )
        if asked["history"] and ruling.cache != "never":
            return replace(ruling, cache="exact", reason="follow_up", max_wrong=None)
        return ruling

    def admission(self, asked: Asked, *, verified: bool, complete: bool, refused: bool) -> str:
        """Return why an answer may not be kept, "" when it may.

        Args:
            asked: the question.
            verified: every check of validation passed.
            complete: the answer is whole: neither cut off nor streamed in part.
            refused: the model, the endpoint or a check says that the text answers nothing.

        Returns:
            "unverified", "partial", "refused", or the reason of a category that is never kept, such as "personal".
        """
        if refused:
            return "refused"
        if not complete:
            return "partial"
        if not verified:
            return "unverified"
        ruling = self.judge(asked)
        return ruling.reason if ruling.cache == "never" else ""

    def is_templated(self, text: str) -> bool:
        """Say whether the text is one frame of wording filled with other material each time, whatever else it is."""
        said = _Said(text)
        return any(category.reason == TEMPLATED and _found(category, said) for category in self.categories)

    def __hash__(self) -> int:
        """Return the hash of the version, which differs whenever anything does."""
        return hash(self.version)

    def _sort(self, text: str) -> tuple[Category, Evidence | None]:
        return _sorted(self, text) if len(text) <= REMEMBERED_CHARS else self._sorted(text)

    def _sorted(self, text: str) -> tuple[Category, Evidence | None]:
        said = _Said(text)
        for category in self.categories:
            evidence = _found(category, said)
            if evidence is not None:
                return category, evidence
        return self.default, None

    def _inherited(self, asked: Asked) -> tuple[Category, str] | None:
        """Return the category that a short follow-up has from the question before it, with its cue."""
        earlier = [turn["content"] for turn in asked["history"] if turn["role"] == "user"]
        if not earlier or len(asked["text"]) > SHORT_FOLLOW_UP_CHARS:
            return None
        category, evidence = self._sort(earlier[-1])
        return (category, evidence.cue) if category.inherit and evidence is not None else None


@lru_cache(maxsize=2_048)
def _sorted(policy: CachePolicy, text: str) -> tuple[Category, Evidence | None]:
    """Remember how questions were sorted: what hits is asked again and again."""
    return policy._sorted(text)


class _Said:
    """A question whose readable form is made when it is first needed: long pasted texts never need it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._readable: Readable | None = None

    @property
    def readable(self) -> Readable:
        if self._readable is None:
            self._readable = readable(self.text)
        return self._readable


def _found(category: Category, said: _Said) -> Evidence | None:
    """Return what puts a question into a category, None when nothing does."""
    mark = category.mark_of(said.text)
    evidence = None if mark is None else Evidence(mark, "form")
    if evidence is None:
        if not category.cues:
            return None
        cue = category.cue_of(category.ignore.read_over(said.readable))
        evidence = None if cue is None else Evidence(cue, "words")
    if evidence is None or category.unless.found_in(category.ignore.read_over(said.readable)):
        return None
    return evidence


def _strictness(category: Category) -> int:
    return _STRICTNESS[category.cache]


def _shorter(one: float | None, other: float | None) -> float | None:
    return min((ttl_s for ttl_s in (one, other) if ttl_s is not None), default=None)


@lru_cache(maxsize=1)
def _shipped() -> CachePolicy:
    return CachePolicy._of(shipped_table(), "policy.toml")


def cacheable(asked: Asked) -> tuple[bool, str]:
    """Say whether an answer to this question may be kept and served again under the shipped policy, and why not.

    Returns:
        True and "ok"; or False and "pasted", "personal" (the asker's own affairs, or data that names a person) or
        "time_bound" (the answer is another one tomorrow). A time or a person that only earlier turns name is seen as well.
    """
    ruling = CachePolicy.load(None).judge(asked)
    return (False, ruling.reason) if ruling.cache == "never" else (True, "ok")


def alike_reason(asked: Asked) -> str:
    """Return why the shipped policy does not let the question be matched by likeness, "" when it does; see ``Ruling``."""
    return CachePolicy.load(None).judge(asked).reason


def admission(asked: Asked, *, verified: bool, complete: bool, refused: bool) -> str:
    """Return why an answer may not be kept under the shipped policy, "" when it may; see ``CachePolicy.admission``."""
    return CachePolicy.load(None).admission(asked, verified=verified, complete=complete, refused=refused)


def is_templated(text: str) -> bool:
    """Say whether the shipped policy takes the text for a frame of wording that is filled anew each time."""
    return CachePolicy.load(None).is_templated(text)
