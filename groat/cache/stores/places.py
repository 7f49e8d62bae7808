"""Where each key lies, without an object for each."""

from array import array
from bisect import bisect_left

import numpy as np

_GONE = -1
_FEW = 1024
"""So many dropped keys are not worth the work of closing the gaps."""


class Places:
    """A sorted column of keys beside a column of places: 16 bytes a key, up to twice that after many were dropped.

    Meant for keys that grow, as counters do: such a key is added in no time, one below the largest in O(n).
    """

    def __init__(self) -> None:
        """Know no key."""
        self._keys = array("q")
        self._places = array("q")
        self._gone = 0

    def __len__(self) -> int:
        return len(self._keys) - self._gone

    def set(self, key: int, group: int, row: int) -> None:
        """Note where a key lies: row 0 to 2**32 - 1 of group 0 to 2**31 - 1."""
        place = group << 32 | row
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
            self._places.append(place)
            return
        at = bisect_left(self._keys, key)
        if self._keys[at] != key:
            self._keys.insert(at, key)
            self._places.insert(at, place)
            return
        self._gone -= self._places[at] == _GONE
        self._places[at] = place

    def get(self, key: int) -> tuple[int, int] | None:
        """Return the group and row of a key, None for an unknown one."""
        at = self._at(key)
        return None if at is None else _parts(self._places[at])

    def pop(self, key: int) -> tuple[int, int] | None:
        """Forget a key and return its group and row, None for an unknown one."""
        at = self._at(key)
        if at is None:
            return None
        place, self._places[at] = self._places[at], _GONE
        self._gone += 1
        if self._gone > _FEW and self._gone > len(self):
            self._close_gaps()
        return _parts(place)

    def _at(self, key: int) -> int | None:
        at = bisect_left(self._keys, key)
        known = at < len(self._keys) and self._keys[at] == key and self._places[at] != _GONE
        return at if known else None

    def _close_gaps(self) -> None:
        keys, places = np.frombuffer(self._keys, dtype=np.int64), np.frombuffer(self._places, dtype=np.int64)
        kept = places != _GONE
        self._keys, self._places, self._gone = array("q", keys[kept].tobytes()), array("q", places[kept].tobytes()), 0


def _parts(place: int) -> tuple[int, int]:
    return place >> 32, place & 0xFFFFFFFF
