"""Does a sentence deny what the documents say, or say what they deny?"""

from typing import Final

from groat.validation.evidence import Clause, Evidence, Place, clauses

_ALIKE: Final = 0.5
"""Least share of a clause's weight that a clause of the documents must hold before the two are said to be about the same."""
_TIE: Final = 0.07
"""Clauses that match nearly as well as the best one are asked too: one of them agreeing is enough."""
_LOOSE: Final = 0.15
"""What a clause loses that says much besides."""
_TOUCHED: Final = 0.1
"""What a clause gains that names the same pair of opposites, whichever end: it is about the same."""
_BESIDE: Final = 0.5
"""Weight of a word that stands beside a clause, in its sentence, its title or the neighbours."""


def is_denied(evidence: Evidence, sentence: str) -> bool:
    """Tell whether a clause of the sentence says the opposite of the clauses of the documents that are most like it."""
    return any(_is_opposed(evidence, clause) for clause in clauses(sentence))


def _is_opposed(evidence: Evidence, clause: Clause) -> bool:
    if len(clause.words) < 2:
        return False
    found = [
        (_share(evidence, clause, other, place), other)
        for _, place in evidence.nearest(clause.words)
        for other in clauses(place.text)
    ]
    best = max((share for share, _ in found), default=0.0)
    if best < _ALIKE:
        return False
    return all(clause.signs.opposes(other.signs) for share, other in found if share >= best - _TIE)


def _share(evidence: Evidence, clause: Clause, other: Clause, place: Place) -> float:
    whole = held = 0.0
    for word in clause.words:
        rarity = evidence.rarity(word)
        whole += rarity
        if word in other.words:
            held += rarity
        elif word in place.words or word in place.beside:
            held += rarity * _BESIDE
    same = sum(evidence.rarity(word) for word in other.words & clause.words)
    back = same / (sum(evidence.rarity(word) for word in other.words) or 1.0)
    touched = bool(clause.signs.axes.keys() & other.signs.axes.keys())
    return held / whole - _LOOSE * (1 - back) + _TOUCHED * touched
