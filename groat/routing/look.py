"""What the router saw of a question, packed to be kept and learned from later without its text."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from groat.routing.artifact import FORMAT
from groat.routing.estimator import Sight
from groat.routing.records import Outcome
from groat.routing.rows import Labelled


def packed(seen: Sight) -> bytes:
    """Return what is seen of a question as bytes, about 4 KB for 500 characters and 384 dimensions; no pickle.

    Buckets are hashes of words and of runs of characters. They are no text, but who has a word can look whether it was there.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for part in fields(seen):
        value = getattr(seen, part.name)
        for place, one in enumerate(value if isinstance(value, tuple) else (value,)):
            arrays[f"{part.name}.{place}"] = _small(np.asarray(one))
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stubs take no mapping of arrays
    return file.getvalue()


def unpacked(look: bytes) -> Sight:
    """Return what was packed.

    Raises:
        ValueError: it is damaged.
    """
    try:
        with np.load(io.BytesIO(look), allow_pickle=False) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        found: dict[str, object] = {}
        for part in fields(Sight):
            values = [_wide(kept[name]) for name in sorted(kept) if name.rpartition(".")[0] == part.name]
            found[part.name] = tuple(values) if len(values) > 1 else values[0]
        return Sight(**{**found, "domain": str(found["domain"])})  # type: ignore[arg-type]  # the fields were packed from one
    except (OSError, EOFError, KeyError, IndexError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError("what was kept of a question is damaged") from error


def learnable(outcomes: Sequence[Outcome], *, embedder: str) -> tuple[list[Labelled], list[Sight], dict[str, int]]:
    """Return the audited questions that teach something, what was seen of each, and why the others do not.

    Args:
        outcomes: what audits found.
        embedder: name of the embedder in use.
    """
    rows: list[Labelled] = []
    seen: list[Sight] = []
    left_out: dict[str, int] = {}

    def leave_out(why: str) -> None:
        left_out[why] = left_out.get(why, 0) + 1

    for one in outcomes:
        if one.cheap is None or one.expensive is None:
            leave_out(_WHY.get(one.found, one.found))
        elif one.cheap.model == one.expensive.model:
            leave_out("one model stood in both tiers")
        elif one.embedder != embedder:
            leave_out(f"its vector is of {one.embedder}, and those in use are of {embedder}")
        elif one.format != FORMAT:
            leave_out(f"its features are of {one.format!r} and this is {FORMAT!r}")
        else:
            try:
                sight = unpacked(one.look)
            except ValueError as error:
                leave_out(str(error))
                continue
            seen.append(sight)
            rows.append(_labelled(one, sight.domain))
    return rows, seen, left_out


_WHY = {
    "undecided": "the answers could not be compared",
    "failed": "a call of a model failed",
    "budget": "the budget was spent",
}


def _labelled(one: Outcome, domain: str) -> Labelled:
    assert one.cheap is not None  # it was looked at before
    assert one.expensive is not None
    return Labelled(
        source="records",
        prompt=one.text or "",
        language=one.language,
        domain=domain,
        cheap=one.cheap,
        expensive=one.expensive,
        similarities=one.similarities,
        documents=one.documents,
        history_turns=one.history_turns,
        weight=1 / one.drawn_with,
        same_as=one.question,
    )


def _small(values: NDArray[np.generic]) -> NDArray[np.generic]:
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    return values.astype(np.uint16) if values.dtype.kind == "i" and values.size and values.max() < 1 << 16 else values


def _wide(values: NDArray[np.generic]) -> object:
    match values.dtype.kind:
        case "f":
            return values.astype(np.float64)
        case "i" | "u":
            return values.astype(np.int64)
        case _:
            return str(values)
