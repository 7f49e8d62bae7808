"""A question on its way to an answer, and the form in which other processes see it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from groat.embedding import Vector
from groat.types import Language


@dataclass(frozen=True, kw_only=True)
class Flying:
    """A question that is to be answered, or is being answered."""

    run: str
    """Who asks; unique among all processes. A run boards one question at a time."""
    group: str
    """``identity_key`` of the identity: different groups never wait for each other."""
    key: str
    """Hash of the identity and the exact text: equal for questions that are the same without any doubt."""
    text: str
    language: Language
    vector: Vector | None = field(default=None, compare=False)
    """Unit vector of the question; None when only an equal question may share its answer."""
    embedder: str = ""
    """Name of what made the vector: vectors of different ones are not compared."""

    @property
    def entry_id(self) -> str:
        """The key, by the name that kept answers have for it."""
        return self.key

    @property
    def question(self) -> str:
        """The text, by the name that kept answers have for it."""
        return self.text


def packed(question: Flying) -> bytes:
    """Return what others must know of a question that has a vector: its run, a line of JSON, and the vector as float32."""
    head = json.dumps({"text": question.text, "language": question.language})
    return f"{question.run}\n{head}\n".encode("utf-8", "replace") + np.asarray(question.vector, dtype="<f4").tobytes()


def unpacked(content: bytes, key: str, like: Flying) -> Flying | None:
    """Return a question of the same group and embedder as ``like``; None when the content is damaged or does not fit."""
    try:
        run, head, blob = content.split(b"\n", 2)
        told = json.loads(head)
        vector = np.frombuffer(blob, dtype="<f4")
        if not _is_sound(told, vector, like):
            return None
        name = run.decode("utf-8")
    except ValueError:
        return None
    return Flying(
        run=name, group=like.group, key=key, text=told["text"], language=told["language"], vector=vector, embedder=like.embedder
    )  # fmt: skip


def _is_sound(told: object, vector: Vector, like: Flying) -> bool:
    if not isinstance(told, Mapping) or like.vector is None:
        return False
    spoken = isinstance(told.get("text"), str) and told.get("language") in get_args(Language)
    return spoken and vector.shape == like.vector.shape and bool(np.isfinite(vector).all())
