"""A short code for each vector, by which most of many vectors are ruled out without looking at them."""

import numpy as np
from numpy.typing import NDArray

from groat.embedding import Matrix, Vector

_HEAD_WORDS = 3
"""Words that are compared for every vector: 192 bits, whose count still fits a byte."""
_BLOCK = 65_536
"""Vectors compared at a time, so that what lies between the steps stays in the processor's cache."""
_BATCH = 1024
"""Vectors coded at a time."""
_SAMPLE = 16_384
"""Distances from which the cut is estimated."""

_Words = NDArray[np.uint64]


class SignCodes:
    """The sign of each coordinate about a centre, one bit each, and how far from the centre the vector lies.

    Vectors of text embedders point in much the same direction, so their own signs say little; about their mean, the share of
    signs that differ gives the angle between two vectors, and that angle and the two distances from the centre give the
    distance between them (law of cosines), about 0.02 of a cosine off for E5. What is found is a shortlist for an exact look.

    Takes one byte for each 8 dimensions and 8 more: 56 bytes for 384 dimensions.

    Args:
        centre: near the mean of the vectors.
    """

    def __init__(self, centre: Vector) -> None:
        """Code nothing yet."""
        self._centre = centre
        words = -(-len(centre) // 64)
        self._head_words = min(words, _HEAD_WORDS)
        self._tail_words = words - self._head_words
        # In blocks, so that growing copies nothing. Heads lie word by word, since each is read for every vector; the last word
        # of a tail holds the distance from the centre, so that one look at memory brings all.
        self._heads: list[_Words] = []
        self._tails: list[_Words] = []
        # The share of signs that differ is the share of the half turn, for vectors spread evenly around the centre.
        differing = np.minimum(np.arange(words * 64 + 1), len(centre))
        self._cosines = np.cos(np.pi / len(centre) * differing).astype(np.float32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, vectors: Matrix) -> None:
        """Code further vectors."""
        start = 0
        while start < len(vectors):
            block, row = divmod(self._size, _BLOCK)
            if block == len(self._heads):
                self._heads.append(np.empty((self._head_words, _BLOCK), dtype=np.uint64))
                self._tails.append(np.empty((_BLOCK, self._tail_words + 1), dtype=np.uint64))
            batch = vectors[start : start + min(_BATCH, _BLOCK - row)]
            self._write(block, row, batch)
            self._size += len(batch)
            start += len(batch)

    def drop(self, place: int) -> None:
        """Move the last code into ``place``."""
        self._size -= 1
        (block, row), (last_block, last_row) = divmod(place, _BLOCK), divmod(self._size, _BLOCK)
        self._heads[block][:, row] = self._heads[last_block][:, last_row]
        self._tails[block][row] = self._tails[last_block][last_row]
        if last_row == 0:
            del self._heads[last_block], self._tails[last_block]

    def shortlist(self, vector: Vector, wanted: int, considered: int) -> NDArray[np.intp]:
        """Return the places of about ``wanted`` vectors that seem nearest, in ascending order.

        Args:
            vector: what they should be near to.
            wanted: how many, below ``considered``.
            considered: how many are kept by the first words alone before all words are compared; below the number of vectors.
        """
        code = _signs(vector[None] - self._centre)[0]
        differing = self._heads_differing(code[: self._head_words])
        sample = differing[:: -(-self._size // _SAMPLE)]
        cut = int(np.searchsorted(np.cumsum(np.bincount(sample)), len(sample) * considered / self._size))
        places = np.flatnonzero(differing <= cut)
        tails = self._tails_at(places)
        total = differing.take(places).astype(np.uint16)
        for word, bits in enumerate(code[self._head_words :]):
            total += np.bitwise_count(tails[:, word] ^ bits)
        # Half the squared distance is spread² / 2 - spread · own · cosine of the angle, and a part that is the same for all.
        spread, own = tails.view(np.float32)[:, -2], np.float32(np.linalg.norm(vector - self._centre))
        nearness = (self._cosines.take(total) * own - spread / 2) * spread
        beyond = len(places) - wanted
        return places[nearness >= np.partition(nearness, beyond)[beyond]] if beyond > 0 else places

    def _heads_differing(self, code: _Words) -> NDArray[np.uint8]:
        """Return how many bits of each head differ from the code's."""
        width = min(_BLOCK, self._size)
        differing: NDArray[np.uint8] = np.empty(self._size, dtype=np.uint8)
        mixed: _Words = np.empty((self._head_words, width), dtype=np.uint64)
        counted: NDArray[np.uint8] = np.empty((self._head_words, width), dtype=np.uint8)
        for block, head in enumerate(self._heads):
            found = differing[block * _BLOCK : (block + 1) * _BLOCK]
            words, counts = mixed[:, : len(found)], counted[:, : len(found)]
            np.bitwise_xor(head[:, : len(found)], code[:, None], out=words)
            np.bitwise_count(words, out=counts)
            np.add.reduce(counts, axis=0, out=found)
        return differing

    def _tails_at(self, places: NDArray[np.intp]) -> _Words:
        tails: _Words = np.empty((len(places), self._tail_words + 1), dtype=np.uint64)
        cuts = np.searchsorted(places, np.arange(len(self._tails) + 1) * _BLOCK).tolist()
        for block, tail in enumerate(self._tails):
            found = slice(cuts[block], cuts[block + 1])
            # "clip" only spares a copy: no place lies outside.
            tail.take(places[found] - block * _BLOCK, axis=0, out=tails[found], mode="clip")
        return tails

    def _write(self, block: int, row: int, vectors: Matrix) -> None:
        apart, rows = vectors - self._centre, slice(row, row + len(vectors))
        code = _signs(apart)
        self._heads[block][:, rows] = code[:, : self._head_words].T
        self._tails[block][rows, :-1] = code[:, self._head_words :]
        self._tails[block].view(np.float32)[rows, -2] = np.sqrt(np.vecdot(apart, apart))


def _signs(vectors: Matrix) -> _Words:
    """Return the signs of each row as words, the last one filled up with zeros."""
    packed = np.packbits(vectors > 0, axis=1)
    missing = -packed.shape[1] % 8
    if missing:
        packed = np.pad(packed, ((0, 0), (0, missing)))
    return packed.view(np.uint64)
