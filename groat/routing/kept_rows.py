"""Make rows to fit on out of what was kept of questions."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, vstack

from groat.routing.estimator import Sight
from groat.routing.fit_linear import Rows
from groat.routing.grams import BUCKETS, Buckets, Weights
from groat.routing.rows import Labelled


def rows_of(labelled: Sequence[Labelled], seen: Sequence[Sight]) -> Rows:
    """Return rows like those of ``Rows.of``, from what was seen of the questions in place of their texts.

    Args:
        labelled: outcomes; not empty.
        seen: one for each.
    """
    return Rows(
        labelled=labelled,
        words=_counts([one.words for one in seen]),
        runs=_counts([one.runs for one in seen]),
        surface=np.array([one.surface for one in seen]),
        vectors=np.array([one.vector for one in seen]),
        domains=np.array([one.domain for one in seen], dtype=np.str_),
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several as one; ``parts`` is not empty."""
    if len(parts) == 1:
        return parts[0]
    return Rows(
        labelled=[row for part in parts for row in part.labelled],
        words=vstack([part.words for part in parts]).tocsr(),
        runs=vstack([part.runs for part in parts]).tocsr(),
        surface=np.vstack([part.surface for part in parts]),
        vectors=np.vstack([part.vectors for part in parts]),
        domains=np.concatenate([part.domains for part in parts]),
    )


def _counts(found: Sequence[tuple[Buckets, Weights]]) -> csr_matrix:
    ends = np.cumsum([0, *(len(buckets) for buckets, _ in found)])
    values = np.concatenate([weights for _, weights in found])
    return csr_matrix((values, np.concatenate([buckets for buckets, _ in found]), ends), shape=(len(found), BUCKETS))
