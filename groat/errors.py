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
"""

from typing import Literal

Failure = Literal["auth", "rate_limit", "timeout", "connection", "server", "invalid_request", "empty", "unknown"]
"""Why a model call failed, as far as a caller would act differently on it."""


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
    """

    def __init__(self, message: str, *, failure: Failure, status: int | None = None) -> None:
        """Keep the kind of failure beside the sentence for people."""
        super().__init__(message)
        self.failure: Failure = failure
        self.status = status
