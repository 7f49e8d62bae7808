"""Learn what the known questions are like, so that others can be told from them."""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from groat.routing.familiar import Familiar, Numbers

RATE = 0.02
"""Share of the questions like those learned from that is taken for unlike, by mistake."""


def familiar(vectors: Numbers, folds: NDArray[np.int64], *, rate: float = RATE, seed: int = 7) -> Familiar:
    """Learn from the vectors of known questions, shape (rows, dimensions); the limit comes from folds that were left out.

    Args:
        vectors: unit vectors.
        folds: number of the fold of each row; questions that are the same must be in one.
        rate: largest share of known questions beyond the limit.
        seed: of the grouping.
    """
    apart = np.zeros(len(vectors))
    for fold in np.unique(folds):
        left_out = folds == fold
        apart[left_out] = _learned(vectors[~left_out], np.inf, seed).distance(vectors[left_out])
    place = min(int(np.ceil((1 - rate) * (len(vectors) + 1))), len(vectors))
    return _learned(vectors, float(np.sort(apart)[place - 1]), seed)


def _learned(vectors: Numbers, limit: float, seed: int) -> Familiar:
    count = int(np.clip(min(len(vectors) // 10, vectors.shape[1] - 1), 1, 64))
    pca = PCA(count, random_state=seed).fit(vectors)
    directions = pca.components_.T / np.sqrt(np.maximum(pca.explained_variance_, 1e-9))
    along = (vectors - pca.mean_) @ directions
    groups = KMeans(int(np.clip(len(vectors) // 30, 1, 64)), n_init=1, random_state=seed).fit(along).cluster_centers_
    kept = along / (directions**2).sum(0) @ directions.T
    beside = float((((vectors - pca.mean_) - kept) ** 2).sum(1).mean())
    return Familiar(centre=pca.mean_, directions=directions, groups=groups, beside=max(beside, 1e-9), limit=limit)
