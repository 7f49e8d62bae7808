"""Learn a router from one's own rows, and say what it is better at than the one that it starts from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits
from typing_extensions import TypedDict

from groat.embedding import Matrix
from groat.errors import BadInput
from groat.routing.artifact import Population, RouterArtifact
from groat.routing.estimator import Numbers, Sight
from groat.routing.fit import as_good, fit
from groat.routing.fit_linear import Rows, surface_of
from groat.routing.kept_rows import joined, rows_of
from groat.routing.rows import Labelled
from groat.types import Language

PARTS = 5
"""The rows are split so often to be judged by routers that did not see them."""
_SEED = 23
_RESAMPLES = 500


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Labelled questions with all that a router sees of them; both of one length."""

    rows: Rows
    sights: Sequence[Sight]

    @classmethod
    def of(cls, labelled: Sequence[Labelled], vectors: Matrix, *, domains: bool = False) -> "Looked":
        """Look at questions whose texts are there; with ``domains`` at their domain too, as the application's collection."""
        if not domains:
            labelled = [replace(row, domain="") for row in labelled]
        sights = [
            Sight.of(row.prompt, surface_of(row), np.asarray(vector, dtype=np.float64), row.domain)
            for row, vector in zip(labelled, vectors, strict=True)
        ]
        return cls(rows=Rows.of(labelled, vectors, domains=domains), sights=sights)

    @classmethod
    def kept(cls, labelled: Sequence[Labelled], sights: Sequence[Sight]) -> "Looked":
        """Take questions of which only what the router saw was kept."""
        return cls(rows=rows_of(labelled, sights), sights=sights)

    @classmethod
    def joined(cls, parts: Sequence["Looked"]) -> "Looked":
        """Return the questions of several as one."""
        return cls(rows=joined([part.rows for part in parts]), sights=[one for part in parts for one in part.sights])

    def __len__(self) -> int:
        return len(self.sights)

    def take(self, chosen: NDArray[np.bool_]) -> "Looked":
        """Return some of the questions."""
        return Looked(rows=self.rows.take(chosen), sights=[self.sights[place] for place in np.flatnonzero(chosen).tolist()])


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a router decides on questions; both of one length."""

    gain: Numbers
    """What the expensive model is expected to add."""
    strong: NDArray[np.bool_]
    """Whether the question goes to the expensive model."""


class Figures(TypedDict):
    """What a router does with questions of one language that it was not fitted on."""

    n: int
    auc: float | None
    """How well it tells where the cheap answer is as good; 0.5 is chance, None where all are alike."""
    strong_share: float
    """Share that goes to the expensive model, each row by its weight."""
    loss: float
    """Quality lost, as a share of the expensive model's; negative where the cheap answers are better."""
    loss_ci: list[float]
    """Bootstrap interval of 95 % over the questions."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A fitted router, and what it does with questions that it was not fitted on, beside the one that it started from."""

    artifact: RouterArtifact
    before: dict[str, Figures]
    """By language; empty without a prior."""
    after: dict[str, Figures]
    """By language; empty where the rows are too few to leave a part out."""
    prior_saw: int
    """Rows whose question the prior was fitted on: there its figures are better than they should be."""


def learn(
    looked: Looked,
    *,
    embedder: str,
    date: str,
    prior: RouterArtifact | None,
    max_quality_loss: float,
    parts: int = PARTS,
) -> Learned:
    """Fit on all rows; the figures come from ``parts`` further fits, each judged on the part that it did not see.

    Args:
        looked: what to learn from.
        embedder: name of the embedder behind the vectors.
        date: the day, ISO 8601.
        prior: a router to start from; None for none.
        max_quality_loss: promise at which the figures are told.
        parts: into how many the rows are split.

    Raises:
        BadInput: too few rows, or outcomes of one kind only.
    """
    # The matrices are small: more threads wait for one another, on a busy machine ten times as long as one takes.
    with threadpool_limits(limits=1):
        return _learned(looked, embedder, date, prior, max_quality_loss, parts)


def _learned(
    looked: Looked, embedder: str, date: str, prior: RouterArtifact | None, max_quality_loss: float, parts: int
) -> Learned:
    artifact = fit(looked.rows, embedder=embedder, date=date, prior=prior)
    judged, gain, strong = np.zeros(len(looked), dtype=bool), np.zeros(len(looked)), np.ones(len(looked), dtype=bool)
    for here in _left_out(looked.rows, parts):
        try:
            other = fit(looked.rows.take(~here), embedder=embedder, date=date, prior=prior)
        except BadInput:
            # Too few rows are left, or outcomes of one kind only: nothing can be said of this part.
            continue
        decided = decide(other, looked.take(here), max_quality_loss)
        judged, gain[here], strong[here] = judged | here, decided.gain, decided.strong
    after = figures(looked.take(judged), Decided(gain=gain[judged], strong=strong[judged])) if judged.any() else {}
    return Learned(
        artifact=artifact,
        before={} if prior is None else figures(looked, decide(prior, looked, max_quality_loss)),
        after=after,
        prior_saw=0 if prior is None else int(saw(prior, looked).sum()),
    )


def _left_out(rows: Rows, parts: int) -> list[NDArray[np.bool_]]:
    _, at = np.unique(rows.questions, return_inverse=True)
    part = np.random.default_rng(_SEED).permutation(int(at.max()) + 1) % parts
    return [part[at] == number for number in range(parts)]


def decide(
    artifact: RouterArtifact, looked: Looked, max_quality_loss: float, *, shipped: RouterArtifact | None = None
) -> Decided:
    """Return what a router decides under a promise; about 0.3 ms for each question.

    With ``shipped``, that one decides on the kinds of questions that the artifact was fitted on too few of, as in service.
    """
    chosen = {
        (population, language): artifact.or_else(shipped, population, language)
        for population in get_args(Population)
        for language in get_args(Language)
    }
    cuts = {
        (population, language): one.most_gain(max_quality_loss, population=population, language=language)
        for (population, language), one in chosen.items()
    }
    gain, strong = np.zeros(len(looked)), np.ones(len(looked), dtype=bool)
    for place, (row, sight) in enumerate(zip(looked.rows.labelled, looked.sights, strict=True)):
        kind = kind_of(row)
        expected, most = chosen[kind].estimate(sight, *kind), cuts[kind]
        gain[place] = expected.gain
        strong[place] = most is None or not expected.known or expected.gain > most
    return Decided(gain=gain, strong=strong)


def kind_of(row: Labelled) -> tuple[Population, Language]:
    """Return which promise a question stands under."""
    return "grounded" if row.similarities else "open", row.language


def saw(artifact: RouterArtifact, looked: Looked) -> NDArray[np.bool_]:
    """Tell for each question whether a router was fitted on it."""
    hashes = np.array([int(question, 16) for question in looked.rows.questions], dtype=np.uint64)
    return np.asarray(np.isin(hashes, artifact.seen))


def figures(looked: Looked, decided: Decided) -> dict[str, Figures]:
    """Return the figures by language."""
    languages = np.array([row.language for row in looked.rows.labelled])
    good, quality, weights = as_good(looked.rows), looked.rows.quality, looked.rows.weights
    found: dict[str, Figures] = {}
    for language in sorted(set(languages.tolist())):
        here = languages == language
        classes = good[here].any() and not good[here].all()
        auc = roc_auc_score(good[here], -decided.gain[here], sample_weight=weights[here]) if classes else None
        lost = np.where(decided.strong[here], 0.0, quality[here, 1] - quality[here, 0])
        found[language] = {
            "n": int(here.sum()),
            "auc": None if auc is None else round(float(auc), 3),
            "strong_share": round(float(np.average(decided.strong[here], weights=weights[here])), 4),
            **_loss(lost, quality[here, 1], weights[here], looked.rows.questions[here]),
        }
    return found


class _Loss(TypedDict):
    loss: float
    loss_ci: list[float]


def _loss(lost: Numbers, best: Numbers, weights: Numbers, questions: NDArray[np.str_]) -> _Loss:
    _, at = np.unique(questions, return_inverse=True)
    gone, whole = (np.bincount(at, values * weights) for values in (lost, best))
    draws = resamples(len(gone))
    drawn = (draws @ gone) / np.maximum(draws @ whole, 1e-12)
    low, high = np.quantile(drawn, [0.025, 0.975])
    share = float(gone.sum() / max(whole.sum(), 1e-12))
    return {"loss": round(share, 4), "loss_ci": [round(float(low), 4), round(float(high), 4)]}


def resamples(count: int, times: int = _RESAMPLES) -> Numbers:
    """Return how often each of ``count`` questions is drawn in each resample, shape (times, count)."""
    rng = np.random.default_rng(_SEED)
    return np.stack([np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64) for _ in range(times)])
