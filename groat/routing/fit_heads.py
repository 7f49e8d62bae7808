"""Fit both heads with all their estimators."""

import numpy as np

from groat.routing.estimator import Numbers
from groat.routing.fit_linear import PENALTY, Rows, correction, linear
from groat.routing.fit_linear import scores as linear_scores
from groat.routing.fit_topics import topics
from groat.routing.fit_trees import trees
from groat.routing.heads import Heads, with_subject


def heads(rows: Rows, *, prior: Heads | None = None, penalty: float = PENALTY) -> Heads:
    """Return heads fitted on the rows; with a prior its own, corrected by what they get wrong on the rows."""
    if prior is not None:
        return prior.corrected(correction(rows, prior.linear, rows.quality - scores(prior, rows), penalty=penalty))
    quality, weights = rows.quality, rows.weights
    named = np.array([row.domain for row in rows.labelled])
    subjects = topics(rows.vectors, named, quality, weights)
    seen = with_subject(rows.surface, subjects.expected(rows.vectors, rows.domains))
    return Heads(
        linear=linear(rows, penalty=penalty),
        topics=subjects,
        trees=trees(seen, rows.vectors, quality, weights),
        mean=np.average(quality, axis=0, weights=weights),
    )


def scores(fitted: Heads, rows: Rows) -> Numbers:
    """Return the values of both heads for many rows, shape (rows, 2); the same as ``Heads.scores`` one by one."""
    return fitted.joined(linear_scores(fitted.linear, rows), rows.surface, rows.vectors, rows.domains)
