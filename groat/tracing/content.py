"""Whether traces may hold texts, and what becomes of a text before it gets there."""

from collections.abc import Callable

from groat.tracing.redaction import redact

Redact = Callable[[str], str]
"""Returns a text without what must not leave."""

MOST_CHARS = 20_000
"""Characters of one text that a span holds."""


class Content:
    """What this process lets into traces: nothing until it is switched on."""

    def __init__(self) -> None:
        """Let nothing in."""
        self._redactions: tuple[Redact, ...] | None = None

    @property
    def is_on(self) -> bool:
        """Say whether texts may be in traces."""
        return self._redactions is not None

    def allow(self, *further: Redact) -> None:
        """Let texts in, after groat's redaction and then the further ones, in turn."""
        self._redactions = (redact, *further)

    def forbid(self) -> None:
        """Let nothing in any more."""
        self._redactions = None

    def shown(self, text: str) -> str | None:
        """Return the text as a trace may hold it, None when it may hold none.

        A redaction that fails lets nothing through.
        """
        if self._redactions is None:
            return None
        try:
            for redaction in self._redactions:
                text = redaction(text)
        except Exception as error:  # whatever somebody's function raises: a trace is worth less than a secret
            return f"[redaction failed: {type(error).__name__}]"
        return text if len(text) <= MOST_CHARS else text[:MOST_CHARS] + "…"


CONTENT = Content()
"""Of this process, as the provider of spans is."""
