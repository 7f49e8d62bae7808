"""What must be equal, exactly, before one answer may serve two questions."""

import hashlib
import json
from collections.abc import Sequence

import regex

from groat.text import question_form
from groat.types import Identity, Turn

# `fold` strips outer punctuation; these signs change a question there ("C#" is not "C", "5%" is not "5", "-5" is not "5").
_MEANINGFUL_EDGE = regex.compile(
    r"^[\s\p{P}]*?(?P<head>[#@&*/%‰.-]+)(?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}])(?P<tail>[#@&*/%‰]+)[\s\p{P}]*$"
)


def identity_key(identity: Identity) -> str:
    """Return the SHA-256, in hex, of the identity as canonical JSON: equal for equal identities, whatever their key order."""
    return _digest(dict(identity))


def conversation_key(history: Sequence[Turn]) -> str:
    """Return the SHA-256, in hex, of the earlier turns; "" for none, so that questions that stand alone share one key."""
    if not history:
        return ""
    return _digest([[turn["role"], turn["content"]] for turn in history])


def exact_text(question: str) -> str:
    """Return the form in which two questions are the same question without any doubt.

    Width, case, repeated space, outer punctuation, traditional and simplified characters, politeness and the usual ways of
    asking ("How can I", "How to") are made equal, except outer signs that carry meaning.
    """
    folded = question_form(question)
    edges = [(m.group("head") or "") + (m.group("tail") or "") for m in _MEANINGFUL_EDGE.finditer(_same_width(question))]
    return f"{folded} {'|'.join(edges)}" if any(edges) else folded


def _same_width(text: str) -> str:
    return text.translate({wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)})


def _digest(value: object) -> str:
    # surrogates may reach a library caller from broken input; they must not break the key
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
