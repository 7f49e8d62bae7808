"""Nearest neighbours among the vectors of one identity, held in memory."""

from array import array
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from groat.cache.stores.places import Places
from groat.cache.stores.sign_codes import SignCodes
from groat.embedding import Matrix, Vector

_FIRST_CAPACITY = 16
_BLOCK_ROWS = 65_536
_EXACT_UP_TO = 5_000
"""Up to so many vectors all are compared exactly: that takes 0.3 ms, and a shortlist would take as long."""
_FEWEST_DIMENSIONS = 256
"""Shorter vectors have too few signs for a shortlist, and are quick to compare."""
_LEAST_RESCORED, _RESCORED_SHARE = 768, 1 / 450
_LEAST_CONSIDERED, _CONSIDERED_SHARE = 8_192, 1 / 40
_CODED_AT_ONCE = 256
_SETTLED = 65_536
"""From so many vectors on, the centre of the codes stays: their mean hardly moves any more, and coding all takes long."""


class _Group:
    """The vectors of one identity: rows in blocks, of which the first doubles until it is whole, so that little is copied.

    Codes are made when there are enough vectors, anew about their mean whenever these have doubled.
    """

    def __init__(self, number: int, dimension: int) -> None:
        self.number = number
        self.keys = array("q")
        self._dimension = dimension
        self._blocks: list[Matrix] = []
        self._codes: SignCodes | None = None
        self._anew_at = 0

    def add(self, key: int, vector: Vector) -> None:
        block, row = divmod(len(self.keys), _BLOCK_ROWS)
        if block == len(self._blocks):
            self._blocks.append(np.empty((_BLOCK_ROWS if block else _FIRST_CAPACITY, self._dimension), dtype=np.float32))
        elif row == len(self._blocks[block]):
            grown: Matrix = np.empty((min(2 * row, _BLOCK_ROWS), self._dimension), dtype=np.float32)
            grown[:row] = self._blocks[block]
            self._blocks[block] = grown
        self._blocks[block][row] = vector
        self.keys.append(key)
        if self._is_searched_by_codes() and len(self.keys) - len(self._codes or ()) >= _CODED_AT_ONCE:
            self._coded()

    def remove_at(self, place: int) -> int | None:
        """Move the last vector into ``place``; return its key, None when the removed vector was the last."""
        codes = None if self._codes is None else self._coded()
        key, last = self.keys.pop(), len(self.keys)
        if codes is not None:
            codes.drop(place)
        if place < last:
            self.row(place)[:] = self.row(last)
            self.keys[place] = key
        del self._blocks[-(-last // _BLOCK_ROWS) :]
        return key if place < last else None

    def row(self, place: int) -> Vector:
        block, row = divmod(place, _BLOCK_ROWS)
        vector: Vector = self._blocks[block][row]
        return vector

    def nearest(self, vector: Vector, limit: int) -> Iterator[tuple[int, float]]:
        """Yield up to ``limit`` keys with their cosines, highest first."""
        size = len(self.keys)
        wanted = max(_LEAST_RESCORED, 4 * limit, int(size * _RESCORED_SHARE))
        considered = max(_LEAST_CONSIDERED, 4 * wanted, int(size * _CONSIDERED_SHARE))
        places = None
        if self._is_searched_by_codes() and wanted < size:
            places = self._coded().shortlist(vector, wanted, min(considered, size - 1))
        cosines = self._cosines(vector, places)
        best = np.arange(len(cosines))
        if limit < len(cosines):
            best = np.argpartition(-cosines, limit - 1)[:limit]
        best = best[np.argsort(-cosines[best], kind="stable")]
        for at in best.tolist():
            yield self.keys[at if places is None else places[at]], float(cosines[at])

    def _is_searched_by_codes(self) -> bool:
        return len(self.keys) > _EXACT_UP_TO and self._dimension >= _FEWEST_DIMENSIONS

    def _cosines(self, vector: Vector, places: NDArray[np.intp] | None) -> NDArray[np.float32]:
        """Return the cosine to each of these places, given in ascending order, or to all."""
        # Not ``@``: BLAS would spread it over threads, which takes longer than the work when the machine is busy.
        if places is None:
            found = [np.vecdot(rows, vector) for rows in self._rows_from(0)]
        else:
            cuts = np.searchsorted(places, np.arange(len(self._blocks) + 1) * _BLOCK_ROWS).tolist()
            found = [
                np.vecdot(block.take(places[cuts[number] : cuts[number + 1]] - number * _BLOCK_ROWS, axis=0), vector)
                for number, block in enumerate(self._blocks)
            ]
        return np.concatenate(found)

    def _coded(self) -> SignCodes:
        """Return the codes of all vectors, making those that are missing."""
        if self._codes is None or self._anew_at <= len(self.keys) <= _SETTLED:
            self._codes, self._anew_at = SignCodes(self._centre()), 2 * len(self.keys)
        for rows in self._rows_from(len(self._codes)):
            self._codes.extend(rows)
        return self._codes

    def _centre(self) -> Vector:
        every = max(1, len(self.keys) // 8_192)
        mean: Vector = np.concatenate([rows[::every] for rows in self._rows_from(0)]).mean(axis=0)
        return mean

    def _rows_from(self, start: int) -> Iterator[Matrix]:
        for number in range(start // _BLOCK_ROWS, len(self._blocks)):
            first = number * _BLOCK_ROWS
            yield self._blocks[number][max(0, start - first) : len(self.keys) - first]


class VectorIndex:
    """Search by cosine over unit vectors, about 1 ms for 100,000 vectors of 384 dimensions and 5 ms for a million.

    Up to 5,000 vectors of one identity, every one is compared. Of more, only those that seem nearest by their sign codes: the
    cosines are exact, and fewer than one in a hundred of the eight nearest is missed, one that hardly stands out from the rest.

    Not safe for several threads at once; the stores hold their lock around it. Takes 4 bytes a dimension and vector, and about
    90 bytes more for 384 dimensions.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, int], _Group] = {}
        self._named: dict[int, tuple[str, int]] = {}
        self._next_group = 0
        self._places = Places()

    def __len__(self) -> int:
        return len(self._places)

    def add(self, key: int, identity: str, vector: Vector) -> None:
        """Hold a vector under a key that is not held yet. Keys should grow: one below the largest takes O(n)."""
        name = (identity, len(vector))
        if (group := self._groups.get(name)) is None:
            group = self._groups[name] = _Group(self._next_group, len(vector))
            self._named[self._next_group] = name
            self._next_group += 1
        self._places.set(key, group.number, len(group.keys))
        group.add(key, vector)

    def remove(self, keys: Iterable[int]) -> None:
        """Drop vectors; unknown keys are ignored."""
        for key in keys:
            if (held := self._places.pop(key)) is None:
                continue
            number, place = held
            group = self._groups[self._named[number]]
            if (moved := group.remove_at(place)) is not None:
                self._places.set(moved, number, place)
            if not group.keys:
                del self._groups[self._named.pop(number)]

    def vector(self, key: int) -> Vector | None:
        """Return a copy of the vector that is held under a key, None for an unknown one."""
        if (held := self._places.get(key)) is None:
            return None
        number, place = held
        return self._groups[self._named[number]].row(place).copy()

    def nearest(self, identity: str, vector: Vector, limit: int) -> list[tuple[int, float]]:
        """Return up to ``limit`` keys with their cosines, highest first. A vector of another dimension finds nothing."""
        group = self._groups.get((identity, len(vector)))
        return [] if group is None or limit < 1 else list(group.nearest(vector, limit))
