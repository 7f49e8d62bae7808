"""Grow the trees."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor

from groat.routing.trees import Numbers, Trees

COUNT = 100
_LEAF = 15
"""Fewest rows in a leaf."""
_TRIED = 0.25
"""Share of the inputs that each node tries."""
_DIRECTIONS = 60


def trees(surface: Numbers, vectors: Numbers, quality: Numbers, weights: Numbers, *, seed: int = 7) -> Trees:
    """Return trees that estimate all heads at once; the splits are made for the gain and for the first head.

    Args:
        surface: shape (rows, features).
        vectors: shape (rows, dimensions).
        quality: shape (rows, 2): the cheap and the expensive model's.
        weights: what each row counts.
        seed: of the splits.
    """
    count = int(np.clip(min(_DIRECTIONS, len(vectors) - 1, vectors.shape[1]), 1, None))
    pca = PCA(count, random_state=seed).fit(vectors)
    empty = np.zeros(0, dtype=np.int64)
    bare = Trees(
        directions=pca.components_.T,
        centre=pca.mean_,
        roots=empty,
        feature=empty,
        threshold=np.zeros(0),
        right=empty,
        leaf=empty,
        values=np.zeros((0, 2)),
    )
    seen = bare.inputs(surface, vectors)
    target = np.column_stack([quality[:, 1] - quality[:, 0], quality[:, 0]])
    model = ExtraTreesRegressor(COUNT, min_samples_leaf=_LEAF, max_features=_TRIED, random_state=seed, n_jobs=1)
    model.fit(seen, target, sample_weight=weights / weights.mean())
    return _packed(bare, model, np.average(quality, axis=0, weights=weights))


def _packed(bare: Trees, model: ExtraTreesRegressor, mean: Numbers) -> Trees:
    roots, features, thresholds, rights, leaves, values = [], [], [], [], [], []
    nodes, rows = 0, 0
    for one in model.estimators_:
        tree = one.tree_
        # scikit-learn numbers nodes depth first, so that the left child always stands behind its parent.
        inner = tree.children_left >= 0
        leaf = np.flatnonzero(~inner)
        where = np.zeros(tree.node_count, dtype=np.int64)
        where[leaf] = rows + np.arange(len(leaf))
        roots.append(nodes)
        features.append(np.where(inner, tree.feature, -1))
        thresholds.append(np.where(inner, tree.threshold, 0.0))
        rights.append(np.where(inner, tree.children_right - np.arange(tree.node_count), 0))
        leaves.append(where)
        gain, cheap = tree.value[leaf, 0, 0], tree.value[leaf, 1, 0]
        values.append(np.column_stack([cheap, cheap + gain]) - mean)
        nodes += tree.node_count
        rows += len(leaf)
    return Trees(
        directions=bare.directions,
        centre=bare.centre,
        roots=np.array(roots, dtype=np.int64),
        feature=np.concatenate(features).astype(np.int64),
        threshold=np.concatenate(thresholds).astype(np.float64),
        right=np.concatenate(rights).astype(np.int64),
        leaf=np.concatenate(leaves).astype(np.int64),
        values=np.vstack(values),
    )
