"""Labelled rows of our own making: questions that ask why are hard for the cheap model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from groat.routing.learning import Looked
from groat.routing.rows import Labelled, Side

EASY = {"en": "Where is number {n}?", "zh": "第{n}号在哪里？"}
HARD = {"en": "Explain why number {n} fails.", "zh": "请解释为什么第{n}号失败。"}


def labelled(count: int = 300, *, seed: int = 1, languages: tuple[str, ...] = ("en", "zh"), first: int = 0) -> list[Labelled]:
    """Return rows in turn in each language; half of them are hard."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(first, first + count):
        language, hard = languages[n % len(languages)], bool(rng.random() < 0.5)
        ok = float(rng.random() < (0.1 if hard else 0.97))
        rows.append(
            Labelled(
                source="made",
                prompt=(HARD if hard else EASY)[language].format(n=n),
                language=language,  # type: ignore[arg-type]  # one of the two
                cheap=Side(model="gpt-5-mini", ok=ok, in_tokens=100, out_tokens=100),
                expensive=Side(model="gpt-5.2", ok=1.0, in_tokens=100, out_tokens=100),
            )
        )
    return rows


def looked_at(rows: list[Labelled], *, seed: int = 3) -> Looked:
    """Return the rows with vectors that say nothing."""
    vectors = np.random.default_rng(seed).normal(size=(len(rows), 8)).astype(np.float32)
    return Looked.of(rows, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def raw(row: Labelled) -> dict[str, object]:
    """Return a row as a file holds it."""
    sides = {
        f"{name}_{part}": getattr(side, part)
        for name, side in (("weak", row.cheap), ("strong", row.expensive))
        for part in ("model", "ok", "in_tokens", "out_tokens")
    }
    return {"prompt": row.prompt, "lang": row.language, **sides}


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write rows down."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
