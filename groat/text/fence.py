"""Text that a model put into a code fence."""

import regex

_FENCE = regex.compile(r"\s*```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", regex.DOTALL)


def unfenced(text: str) -> str:
    """Return what stands inside, when the whole text is one code fence; else the text."""
    fenced = _FENCE.fullmatch(text)
    return fenced.group(1) if fenced else text
