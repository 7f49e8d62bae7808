"""Read recorded outcomes of models on questions: what the answers were, what they cost in tokens, how good they were."""

import hashlib
import json
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from groat.errors import BadInput
from groat.row_files import lines_of, what_is_wrong
from groat.types import Language


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one model said, and how good that was."""

    model: str
    parts: tuple[str | None, ...]
    """Its final answer, one part per blank; empty when it was not recorded."""
    out_tokens: int | None
    quality: float
    """0..1; never looked at before everything is decided."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One question with the answers of a strong model and of cheaper ones."""

    question: str
    """Hash of the prompt: equal for one question in several files."""
    prompt: str
    language: Language
    blanks: int
    strong: Answer
    others: tuple[Answer, ...]


def read_rows(path: Path, on_bad: Callable[[str], None] | None = None) -> list[Recorded]:
    """Read a file of rows, ``.jsonl`` or ``.jsonl.gz``; ``docs/data-formats.md`` says what a row holds.

    Args:
        path: the file.
        on_bad: is told of each broken row, which is then left out; None stops at the first.

    Raises:
        BadInput: the file cannot be read, holds no row, or a row is broken and ``on_bad`` is None.
    """
    rows: list[Recorded] = []
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(line))
        except (ValueError, TypeError, RecursionError) as error:
            message = f"{path}, line {number}: {what_is_wrong(error)}"
            if on_bad is None:
                raise BadInput(f"{message}; mend the row, or leave such rows out with --skip-bad") from error
            on_bad(message)
    if not rows:
        raise BadInput(f"{path} holds no row that can be used; docs/data-formats.md says what a row holds")
    return rows


def _row(line: str) -> Recorded:
    raw = json.loads(line.rstrip())
    if not isinstance(raw, dict):
        raise ValueError("a row must be a JSON object")
    prompt = _text(raw, "prompt")
    language = raw.get("lang")
    if language not in ("en", "zh"):
        raise ValueError(f'"lang" must be "en" or "zh", not {language!r}')
    blanks = raw.get("n_blanks", 1)
    if not isinstance(blanks, int) or isinstance(blanks, bool) or blanks < 1:
        raise ValueError(f'"n_blanks" must be a whole number from 1, not {blanks!r}')
    strong = Answer(
        model=_text(raw, "strong_model"),
        parts=_strong_parts(raw),
        out_tokens=_tokens(raw, "strong_out_tokens"),
        quality=_quality(raw, "strong_ok"),
    )
    return Recorded(
        question=hashlib.sha256(" ".join(unicodedata.normalize("NFKC", prompt).split()).encode()).hexdigest()[:16],
        prompt=prompt,
        language=language,
        blanks=blanks,
        strong=strong,
        others=_others(raw, strong.model),
    )


def _strong_parts(raw: Mapping[str, object]) -> tuple[str | None, ...]:
    models, name = raw.get("models"), raw["strong_model"]
    said = models.get(name) if isinstance(models, dict) else None
    if isinstance(said, dict) and "strong_answer" not in raw:
        return _parts([said.get("answer")], f"models.{name}.answer")
    return _parts(raw.get("strong_answer", []), "strong_answer")


def _others(raw: Mapping[str, object], strong: str) -> tuple[Answer, ...]:
    weak, weak_quality = _text(raw, "weak_model"), _quality(raw, "weak_ok")
    weak_tokens = _tokens(raw, "weak_out_tokens")
    if (models := raw.get("models")) is not None:
        return _models(models, strong)
    if (samples := raw.get("weak_samples")) is None:
        return (Answer(model=weak, parts=(), out_tokens=weak_tokens, quality=weak_quality),)
    qualities = raw.get("weak_samples_ok")
    if not isinstance(samples, list) or not isinstance(qualities, list) or len(samples) != len(qualities) or not samples:
        raise ValueError('"weak_samples" and "weak_samples_ok" must be lists of one length, not empty')
    return tuple(
        Answer(
            model=weak,
            parts=_parts(sample, "weak_samples"),
            out_tokens=weak_tokens,
            quality=_quality({"weak_samples_ok": quality}, "weak_samples_ok"),
        )
        for sample, quality in zip(samples, qualities, strict=True)
    )


def _models(models: object, strong: str) -> tuple[Answer, ...]:
    if not isinstance(models, dict) or not all(isinstance(one, dict) for one in models.values()):
        raise ValueError('"models" must hold an object for each model')
    return tuple(
        Answer(
            model=name,
            parts=_parts([one.get("answer")], f"models.{name}.answer"),
            out_tokens=_tokens(one, "out_tokens"),
            quality=_quality(one, "ok"),
        )
        for name, one in models.items()
        if name != strong
    )


def _text(raw: Mapping[str, object], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'"{name}" must be a text that is not empty')
    return value


def _quality(raw: Mapping[str, object], name: str) -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f'"{name}" must be a number from 0 to 1, not {value!r:.40}')
    return float(value)


def _tokens(raw: Mapping[str, object], name: str) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f'"{name}" must be a number of tokens, not {value!r:.40}')
    return round(value)


def _parts(value: object, name: str) -> tuple[str | None, ...]:
    if not isinstance(value, list) or not all(part is None or isinstance(part, str) for part in value):
        raise ValueError(f'"{name}" must be a list of texts')
    return tuple(value)
