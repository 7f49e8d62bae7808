"""Learn what the known questions are like, so that others can be told from them."""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from groat.routing.estimator import CLIP
from groat.routing.familiar import Familiar, Known, Numbers

RATE = 0.02
"""Share of the questions like those learned from that is taken for unlike, by mistake."""

_EXPLAINED = 0.95
"""Share of the variance that the directions explain at most, but for the last of them."""
_ROUNDING = 1e-6
"""Relative."""


def known(surface: Numbers, vectors: Numbers, folds: NDArray[np.int64]) -> Known:
    """Learn what the questions are like by meaning and by form; half of the rate goes to each."""
    mean, spread = surface.mean(axis=0), surface.std(axis=0)
    scale = np.where(spread > 1e-6, spread, 1e6)
    standard = np.clip((surface - mean) / scale, -CLIP, CLIP)
    return Known(
        meaning=familiar(vectors, folds, rate=RATE / 2), form=familiar(standard, folds, rate=RATE / 2), mean=mean, scale=scale
    )


def familiar(vectors: Numbers, folds: NDArray[np.int64], *, rate: float = RATE, seed: int = 7) -> Familiar:
    """Learn from the vectors of known questions, shape (rows, dimensions); the limit comes from folds that were left out.

    Args:
        vectors: unit vectors, or features in standard units.
        folds: number of the fold of each row; questions that are the same must be in one.
        rate: largest share of known questions beyond the limit.
        seed: of the grouping.
    """
    apart = np.zeros(len(vectors))
    for fold in np.unique(folds):
        left_out = folds == fold
        apart[left_out] = _learned(vectors[~left_out], np.inf, seed).distance(vectors[left_out])
    place = min(int(np.ceil((1 - rate) * (len(vectors) + 1))), len(vectors))
    # Equal questions lie at one distance up to rounding, which differs from machine to machine.
    return _learned(vectors, float(np.sort(apart)[place - 1]) * (1 + _ROUNDING), seed)


def _learned(vectors: Numbers, limit: float, seed: int) -> Familiar:
    count = int(np.clip(min(len(vectors) // 10, vectors.shape[1] - 1), 1, 64))
    pca = PCA(count, random_state=seed).fit(vectors)
    # What is left over must be more than noise of rounding, or the smallest deviation there outweighs all the rest.
    count = int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), _EXPLAINED) + 1)
    directions = (pca.components_.T / np.sqrt(np.maximum(pca.explained_variance_, 1e-9)))[:, :count]
    along = (vectors - pca.mean_) @ directions
    distinct = np.unique(along.round(9), axis=0)
    count = int(np.clip(min(len(vectors) // 30, len(distinct)), 1, 64))
    # Equal questions in equal form are one point: with fewer points than groups they are the groups.
    groups = distinct if len(distinct) <= count else _centres(along, count, seed)
    kept = along / (directions**2).sum(0) @ directions.T
    beside = float((((vectors - pca.mean_) - kept) ** 2).sum(1).mean())
    return Familiar(centre=pca.mean_, directions=directions, groups=groups, beside=max(beside, 1e-9), limit=limit)


def _centres(along: Numbers, count: int, seed: int) -> Numbers:
    fitted = KMeans(count, n_init=1, random_state=seed).fit(along)
    return np.asarray(fitted.cluster_centers_, dtype=np.float64)
