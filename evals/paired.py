"""Is B better than A on the same rows, by how much, and how sure is that."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from groat.errors import BadInput

DRAWS: Final = 10_000
"""Of the bootstrap."""
_AT_ONCE: Final = 500


class Paired(TypedDict):
    """Two ways on the same rows."""

    rows: int
    a: float
    """Mean score of the first."""
    b: float
    difference: float
    """``b`` less ``a``."""
    interval: tuple[float, float]
    """95 % of the difference, by a bootstrap of the rows (percentiles; Efron and Tibshirani 1993)."""
    p_better: float
    """Share of the bootstrap's draws in which B is ahead, draws without a difference counted as half."""
    better: int
    """Rows on which B is ahead."""
    worse: int
    mcnemar_p: float | None
    """Exact two-sided p of McNemar's test; None when a score is not 0 or 1."""


def compare(a: Sequence[float], b: Sequence[float], *, seed: int = 0, draws: int = DRAWS) -> Paired:
    """Return how two ways compare, row by row.

    Args:
        a: scores of the first, one a row.
        b: scores of the second on the same rows.
        seed: of the bootstrap.
        draws: of the bootstrap, at least 1.

    Raises:
        BadInput: there are no rows, or not as many of one as of the other.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise BadInput(
            f"{len(first)} and {len(second)} scores cannot be compared row by row; give as many of each, one at least"
        )
    change = second - first
    drawn = _drawn_means(change, np.random.default_rng(seed), draws)
    low, high = np.percentile(drawn, [2.5, 97.5])
    better, worse = int((change > 0).sum()), int((change < 0).sum())
    binary = bool(np.isin(np.concatenate([first, second]), (0.0, 1.0)).all())
    return {
        "rows": len(change),
        "a": round(float(first.mean()), 6),
        "b": round(float(second.mean()), 6),
        "difference": round(float(change.mean()), 6),
        "interval": (round(float(low), 6), round(float(high), 6)),
        "p_better": round(float((drawn > 0).mean() + (drawn == 0).mean() / 2), 4),
        "better": better,
        "worse": worse,
        "mcnemar_p": round(_mcnemar(better, worse), 6) if binary else None,
    }


def _drawn_means(change: NDArray[np.float64], rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
    means = [
        change[rng.integers(len(change), size=(min(_AT_ONCE, draws - begun), len(change)))].mean(axis=1)
        for begun in range(0, draws, _AT_ONCE)
    ]
    return np.concatenate(means)


def _mcnemar(better: int, worse: int) -> float:
    """Return the exact p of as many rows going one way rather than the other (McNemar 1947)."""
    # Imported here: scipy takes half a second to import, and every command would wait for it.
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def in_words(found: Paired) -> str:
    """Return the finding as a sentence."""
    low, high = found["interval"]
    how = "better" if found["difference"] > 0 else "worse" if found["difference"] < 0 else "as good"
    sure = "surely" if low > 0 or high < 0 else "perhaps"
    if how == "as good":
        return f"B is as good as A on {found['rows']} rows (difference {low:+.3f} to {high:+.3f})"
    return (
        f"B is {sure} {how} than A: {found['difference']:+.3f} ({low:+.3f} to {high:+.3f}) on {found['rows']} rows, "
        f"{found['better']} better, {found['worse']} worse"
    )
