"""The errors a caller may have to act on.

GroatError
├── BadInput              the caller sent something that cannot be answered or read; change it and try again
│   ├── UnknownTenant     the tenant has neither documents nor a place in the settings
│   └── UnreadableDocument  one file cannot be read; the others are not affected
├── SettingsError         a setting has a value that cannot be used
├── MissingExtra          an optional package is needed; the message holds the install command
├── StorageError          a database is damaged, locked, read-only or out of space
├── ArtifactError         a trained artifact is damaged or belongs to another version
└── ModelError            a model call failed; ``failure`` says how
    └── StructureError    no attempt fitted the schema that was asked for; it carries all attempts
"""

from collections.abc import Sequence
from typing import Literal

from groat.types import Attempt

Failure = Literal[
    "auth",
    "rate_limit",
    "quota",
    "timeout",
    "deadline",
    "connection",
    "server",
    "overloaded",
    "malformed",
    "invalid_request",
    "empty",
    "budget",
    "structure",
    "unknown",
]
"""Why a model call failed, as far as a caller would act differently on it: "deadline" is the question's own time limit,
"overloaded" a model whose circuit breaker is open, "malformed" a reply that is no reply of a chat model, "structure" an
answer that does not fit the schema that was asked for."""


class GroatError(RuntimeError):
    """Any failure that groat explains in one sentence. ``str(error)`` never holds secrets or users' text.

    A ``RuntimeError``, since LangGraph's server hides the sentence of any error that is not a built-in one.
    """


class BadInput(GroatError):
    """The input cannot be used; the message says what to change."""


class UnknownTenant(BadInput):
    """The tenant is not known, so nothing may be answered or shared in its name."""


class UnreadableDocument(BadInput):
    """One document cannot be read."""


class SettingsError(GroatError):
    """A setting has a value that cannot be used."""


class MissingExtra(GroatError):
    """An optional package is needed; the message holds the install command."""


class StorageError(GroatError):
    """A database cannot be read or written."""


class ArtifactError(GroatError):
    """A trained artifact is damaged, or was made for another version."""


class ModelError(GroatError):
    """A model call failed.

    Attributes:
        failure: what kind of failure it was.
        status: the HTTP status, None when there was no response.
        retry_after_s: how long the provider asked to wait, None when it did not.
    """

    def __init__(
        self, message: str, *, failure: Failure, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        """Keep the kind of failure beside the sentence for people."""
        super().__init__(message)
        self.failure: Failure = failure
        self.status = status
        self.retry_after_s = retry_after_s


class StructureError(ModelError):
    """No attempt gave an answer that fits the structure asked for.

    Attributes:
        attempts: every try, oldest first, with what it said.
    """

    def __init__(self, message: str, *, attempts: Sequence[Attempt] = ()) -> None:
        """Keep the attempts beside the sentence, which holds nothing of their texts."""
        super().__init__(message, failure="structure")
        self.attempts = tuple(attempts)
