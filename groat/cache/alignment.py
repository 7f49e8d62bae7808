"""Which stretches of two sequences stand for each other."""

from collections.abc import Sequence


def matching_blocks(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return ``(start in a, start in b, length)`` of the common stretches, in ascending order, none empty.

    They are those of ``difflib.SequenceMatcher`` without junk, which takes twice as long: the longest common stretch, the
    first one in ``a`` and then in ``b`` where several are longest, and the same again on either side of it. Neighbours are
    not joined.
    """
    places: dict[str, list[int]] = {}
    for place, token in enumerate(b):
        places.setdefault(token, []).append(place)
    open_parts = [(0, len(a), 0, len(b))]
    found: list[tuple[int, int, int]] = []
    while open_parts:
        from_a, to_a, from_b, to_b = open_parts.pop()
        start_a, start_b, size = _longest(a, places, from_a, to_a, from_b, to_b)
        if not size:
            continue
        found.append((start_a, start_b, size))
        if from_a < start_a and from_b < start_b:
            open_parts.append((from_a, start_a, from_b, start_b))
        if start_a + size < to_a and start_b + size < to_b:
            open_parts.append((start_a + size, to_a, start_b + size, to_b))
    return sorted(found)


def _longest(
    a: Sequence[str], places: dict[str, list[int]], from_a: int, to_a: int, from_b: int, to_b: int
) -> tuple[int, int, int]:
    best_a, best_b, best = from_a, from_b, 0
    ending: dict[int, int] = {}
    for place_a in range(from_a, to_a):
        # Length of the common stretch that ends at ``place_a`` and at each place of ``b``.
        here: dict[int, int] = {}
        for place_b in places.get(a[place_a], ()):
            if place_b < from_b:
                continue
            if place_b >= to_b:
                break
            size = here[place_b] = ending.get(place_b - 1, 0) + 1
            if size > best:
                best_a, best_b, best = place_a - size + 1, place_b - size + 1, size
        ending = here
    return best_a, best_b, best
