"""What must be equal, exactly, before one answer may serve two questions."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import regex

from groat.text import question_form
from groat.types import Identity, Turn

# `fold` strips outer punctuation; these signs change a question there ("C#" is not "C", "5%" is not "5", "-5" is not "5").
_MEANINGFUL_EDGE = regex.compile(
    r"^[\s\p{P}]*?(?P<head>[#@&*/%‰.-]+)(?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}])(?P<tail>[#@&*/%‰]+)[\s\p{P}]*$"
)

REMEMBERED_CHARS: Final = 500
"""Longest question whose reading is remembered, so that pasted texts do not fill the memory."""
_LATER: Final = frozenset({"system_prompt", "tools", "knowledge"})
"""Fields that identities have not always had: while one is empty, what was kept before is still found."""


def identity_key(identity: Identity) -> str:
    """Return the SHA-256, in hex, of the identity as canonical JSON: equal for equal identities, whatever their key order."""
    return _digest({name: value for name, value in identity.items() if value or name not in _LATER})


def conversation_key(history: Sequence[Turn]) -> str:
    """Return the SHA-256, in hex, of the earlier turns; "" for none, so that questions that stand alone share one key."""
    if not history:
        return ""
    return _digest([[turn["role"], turn["content"]] for turn in history])


def system_key(texts: Sequence[str]) -> str:
    """Return the SHA-256, in hex, of the system messages in the order in which they are sent; "" for none."""
    return _digest(list(texts)) if texts else ""


def tools_key(tools: Sequence[Mapping[str, object]] | None) -> str:
    """Return the SHA-256, in hex, of definitions of tools, as JSON values, in their order; "" for none."""
    return _digest(list(tools)) if tools else ""


def exact_text(question: str) -> str:
    """Return the form in which two questions are the same question without any doubt.

    Width, case, repeated space, outer punctuation, traditional and simplified characters, politeness and the usual ways of
    asking ("How can I", "How to") are made equal, except outer signs that carry meaning.
    """
    return _remembered(question) if len(question) <= REMEMBERED_CHARS else _exact_text(question)


def _exact_text(question: str) -> str:
    folded = question_form(question)
    edges = [(m.group("head") or "") + (m.group("tail") or "") for m in _MEANINGFUL_EDGE.finditer(_same_width(question))]
    return f"{folded} {'|'.join(edges)}" if any(edges) else folded


# What hits is asked again and again: reading it takes longer than finding its answer.
_remembered = lru_cache(maxsize=2_048)(_exact_text)


def _same_width(text: str) -> str:
    return text.translate({wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)})


def _digest(value: object) -> str:
    # surrogates may reach a library caller from broken input; they must not break the key
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
