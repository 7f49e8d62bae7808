"""The labelled pairs and streams of questions, and the parts of them that nothing is trained on."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groat.errors import BadInput
from groat.text import fold
from training.rows import Row

PAIRS = ("qqp-en", "lcqmc-zh", "bq-zh", "atec-zh", "oppo-zh")
"""Sources of labelled pairs that are trained on."""
UNSEEN = ("fow-en", "minimal-mixed", "pawsx-zh")
"""Sources that nothing is ever trained on: they measure what the judge never saw."""
STREAMS = ("qqp-en", "lcqmc-zh", "bq-zh", "banking77-en", "clinc150-en")
OPEN = frozenset({"banking77-en", "clinc150-en", "fow-en", "minimal-mixed"})
"""Sources under CC BY, or our own. The others state no licence, or terms of their owners."""
HELD_OUT = 0.18
"""Share of the components of each source that is only measured on."""
_MOST_OF_A_SOURCE = 0.05
"""A component with a larger share of a source than this is trained on: it would be the whole measure."""


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A question as it arrived, and the answer that serves it."""

    query: str
    answer_id: str
    lang: str


@dataclass(frozen=True)
class Split:
    """Which texts are only measured on."""

    held: frozenset[str]
    """Folded texts."""

    def holds(self, *texts: str) -> bool:
        """Return whether any of the texts is held out."""
        return any(fold(text) in self.held for text in texts)


def read_pairs(folder: Path, name: str) -> list[Row]:
    """Read ``pairs-NAME.jsonl``; each row is a group of its own until ``split`` joins them.

    Raises:
        BadInput: the file is not there, or a line has not the fields a, b, same, lang.
    """
    rows = []
    for number, raw in enumerate(_lines(folder / f"pairs-{name}.jsonl")):
        a, b, same, lang = (raw.get(field) for field in ("a", "b", "same", "lang"))
        if not (isinstance(a, str) and isinstance(b, str) and same in (0, 1) and isinstance(lang, str)):
            raise BadInput(f"pairs-{name}.jsonl, line {number + 1}: needs the fields a, b, same (0 or 1) and lang")
        source, kind = name.rsplit("-", 1)[0], str(raw.get("kind", "labelled"))
        rows.append(Row(a, b, float(same), "same", lang, source, kind, f"{name}:{number}", name in OPEN))
    return rows


def read_stream(folder: Path, name: str) -> list[StreamRow]:
    """Read ``stream-NAME.jsonl`` in order of arrival."""
    return [StreamRow(raw["query"], str(raw["answer_id"]), raw["lang"]) for raw in _lines(folder / f"stream-{name}.jsonl")]


def read_contexts(folder: Path, name: str) -> list[Mapping[str, Any]]:
    """Read ``NAME.jsonl``: questions with their documents and gold sentences.

    Raises:
        BadInput: the file is not there, or a line is no JSON.
    """
    return list(_lines(folder / f"{name}.jsonl"))


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    read = 0
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                read += 1
                yield json.loads(line)
    except FileNotFoundError as error:
        raise BadInput(f"{file} is not there; DATA must be the folder that holds cache/ and compress/") from error
    except ValueError as error:
        raise BadInput(f"{file}, line {read}: not a JSON object in UTF-8; fetch the file again") from error


class Components:
    """Union-find over texts."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, text: str) -> str:
        """Return the name of the component: its smallest text, of those joined so far."""
        parent = self._parent
        parent.setdefault(text, text)
        while parent[text] != text:
            parent[text] = parent[parent[text]]
            text = parent[text]
        return text

    def texts(self) -> list[str]:
        """Return every text that was joined or looked for."""
        return list(self._parent)

    def join(self, one: str, other: str) -> None:
        """Make the components of both texts one."""
        a, b = self.find(one), self.find(other)
        if a != b:
            # The smaller name stays on top, so that the name of a component depends on its texts alone.
            self._parent[max(a, b)] = min(a, b)


def split(sources: Mapping[str, Sequence[Row]], streams: Iterable[StreamRow] = (), share: float = HELD_OUT) -> Split:
    """Choose whole components to hold out: texts joined by any pair, same or not, or by one answer of a stream.

    Args:
        sources: name -> pairs.
        streams: questions that share an answer stay together.
        share: of each source's components to hold out, 0 to 1.
    """
    components = Components()
    for rows in sources.values():
        for row in rows:
            components.join(fold(row.a), fold(row.b))
    first: dict[str, str] = {}
    for one in streams:
        text = fold(one.query)
        components.join(text, first.setdefault(one.answer_id, text))
    held: set[str] = set()
    for rows in sources.values():
        names = [components.find(fold(row.a)) for row in rows]
        sizes: dict[str, int] = {}
        for name in names:
            sizes[name] = sizes.get(name, 0) + 1
        small = {name for name, size in sizes.items() if size <= max(1.0, _MOST_OF_A_SOURCE * len(rows))}
        held |= {name for name in small if portion(name) < share}
    return Split(frozenset(text for text in components.texts() if components.find(text) in held))


def portion(name: str) -> float:
    """Return a number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:8]) / 2**64
