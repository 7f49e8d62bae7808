"""Fit the linear heads: a ridge regression of both models' quality on words, runs, surface features and vector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import Ridge
from sklearn.preprocessing import normalize

from groat.embedding import Matrix
from groat.routing.estimator import CLIP, Linear, Numbers
from groat.routing.features import surface
from groat.routing.grams import BUCKETS, Buckets, Weights, runs, words
from groat.routing.rows import Labelled

PENALTY = 10.0
"""On coefficients of inputs that have about unit length each; chosen on parts of the development files."""
_SURFACE, _VECTOR, _DOMAIN = 0.1, 1.0, 0.5
"""What the kinds of input are scaled by, so that one penalty suits all."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Questions with the outcomes of both models; all of one length."""

    labelled: Sequence[Labelled]
    words: csr_matrix
    """Counts by bucket, as ``grams.words`` gives them."""
    runs: csr_matrix
    surface: Numbers
    vectors: Numbers
    domains: NDArray[np.str_]

    @classmethod
    def of(cls, labelled: Sequence[Labelled], vectors: Matrix, *, domains: bool = False) -> "Rows":
        """Look at the questions.

        Args:
            labelled: the rows.
            vectors: of their prompts.
            domains: whether the router may see the domain, as the application's collection.
        """
        return cls(
            labelled=labelled,
            words=_counts([row.prompt for row in labelled], words),
            runs=_counts([row.prompt for row in labelled], runs),
            surface=np.array([surface_of(row) for row in labelled]),
            vectors=np.asarray(vectors, dtype=np.float64),
            domains=np.array([row.domain if domains else "" for row in labelled]),
        )

    def __len__(self) -> int:
        return len(self.labelled)

    @property
    def quality(self) -> Numbers:
        """Quality of the cheap and the expensive answer, shape (rows, 2)."""
        return np.array([(row.cheap.ok, row.expensive.ok) for row in self.labelled])

    @property
    def weights(self) -> Numbers:
        """What each row counts."""
        return np.array([row.weight for row in self.labelled])

    @property
    def questions(self) -> NDArray[np.str_]:
        """Hash of each question: rows that share one are never split between fitting and judging."""
        return np.array([row.question for row in self.labelled])

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "Rows":
        """Return some of the rows."""
        places = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return Rows(
            labelled=[self.labelled[place] for place in places],
            words=self.words[places],
            runs=self.runs[places],
            surface=self.surface[places],
            vectors=self.vectors[places],
            domains=self.domains[places],
        )


def surface_of(row: Labelled) -> Numbers:
    """Return the surface features of a row."""
    return surface(
        row.prompt, history_turns=row.history_turns, similarities=row.similarities, documents=row.documents
    )  # fmt: skip


def linear(rows: Rows, *, penalty: float = PENALTY) -> Linear:
    """Fit both heads."""
    return _fitted(_Inputs.learned(rows), rows, rows.quality, penalty)


def correction(rows: Rows, prior: Linear, left: Numbers, *, penalty: float = PENALTY) -> Linear:
    """Fit what heads over the inputs of ``prior`` leave, so that few rows change little.

    Args:
        rows: what to learn from.
        prior: whose inputs are taken; domains that only the rows know come behind its own.
        left: quality less what was expected, shape (rows, 2).
        penalty: on the coefficients.
    """
    new = sorted(set(rows.domains.tolist()) - {"", *prior.domains})
    inputs = _Inputs.like(prior)
    return _fitted(replace(inputs, domains=(*inputs.domains, *new)), rows, left, penalty)


def _fitted(inputs: "_Inputs", rows: Rows, target: Numbers, penalty: float) -> Linear:
    model = Ridge(alpha=penalty, solver="sparse_cg", tol=1e-3, max_iter=300)
    model.fit(inputs.matrix(rows), target, sample_weight=rows.weights / rows.weights.mean())
    return inputs.linear(model.coef_.T, model.intercept_)


def scores(heads: Linear, rows: Rows) -> Numbers:
    """Return the values of both heads for many rows, shape (rows, 2); the same as ``Linear.scores`` one by one."""
    inputs = _Inputs.like(heads)
    weights = np.vstack(
        [
            heads.word_weights,
            heads.run_weights,
            heads.surface_weights / _SURFACE,
            heads.vector_weights / _VECTOR,
            heads.domain_weights / _DOMAIN,
        ]
    )
    return np.asarray(inputs.matrix(rows) @ weights + heads.intercept, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class _Inputs:
    """How rows are made into one sparse matrix."""

    word_idf: Numbers
    run_idf: Numbers
    mean: Numbers
    scale: Numbers
    centre: Numbers
    domains: tuple[str, ...]

    @classmethod
    def learned(cls, rows: Rows) -> "_Inputs":
        spread = rows.surface.std(axis=0)
        return cls(
            word_idf=_idf(rows.words),
            run_idf=_idf(rows.runs),
            mean=rows.surface.mean(axis=0),
            # A feature that never varies here says nothing where it does.
            scale=np.where(spread > 1e-6, spread, 1e6),
            centre=rows.vectors.mean(axis=0),
            domains=tuple(sorted(set(rows.domains.tolist()) - {""})),
        )

    @classmethod
    def like(cls, heads: Linear) -> "_Inputs":
        return cls(
            word_idf=heads.word_idf,
            run_idf=heads.run_idf,
            mean=heads.mean,
            scale=heads.scale,
            centre=heads.centre,
            domains=heads.domains,
        )

    def matrix(self, rows: Rows) -> csr_matrix:
        domains = rows.domains[:, None] == np.array(self.domains)[None, :]
        dense = [
            np.clip((rows.surface - self.mean) / self.scale, -CLIP, CLIP) * _SURFACE,
            (rows.vectors - self.centre) * _VECTOR,
            domains.astype(np.float64) * _DOMAIN if self.domains else np.zeros((len(rows), 0)),
        ]
        sparse = [normalize(rows.words @ diags(self.word_idf)), normalize(rows.runs @ diags(self.run_idf))]
        return csr_matrix(hstack([*sparse, csr_matrix(np.hstack(dense))]))

    def linear(self, weights: Numbers, intercept: Numbers) -> Linear:
        at = np.cumsum([BUCKETS, BUCKETS, len(self.mean), len(self.centre)])
        word, run, flat, vector, domain = np.split(weights, at)
        return Linear(
            word_idf=self.word_idf,
            word_weights=word,
            run_idf=self.run_idf,
            run_weights=run,
            mean=self.mean,
            scale=self.scale,
            surface_weights=flat * _SURFACE,
            centre=self.centre,
            vector_weights=vector * _VECTOR,
            domains=self.domains,
            domain_weights=domain * _DOMAIN,
            intercept=np.asarray(intercept, dtype=np.float64),
        )


def _idf(counts: csr_matrix) -> Numbers:
    holding = np.bincount(counts.indices, minlength=BUCKETS)
    return np.where(holding > 0, np.log((1 + counts.shape[0]) / (1 + holding)) + 1, 0.0)


def _counts(texts: Sequence[str], read: Callable[[str], tuple[Buckets, Weights]]) -> csr_matrix:
    found = [read(text) for text in texts]
    ends = np.cumsum([0, *(len(buckets) for buckets, _ in found)])
    buckets = np.concatenate([buckets for buckets, _ in found])
    values = np.concatenate([values for _, values in found])
    return csr_matrix((values, buckets, ends), shape=(len(texts), BUCKETS))
