"""Router artifacts of our own making, for tests."""

from collections.abc import Sequence

import numpy as np

from groat.routing.artifact import Population, Proof, RouterArtifact
from groat.routing.estimator import Curve, Linear
from groat.routing.familiar import Familiar, Known
from groat.routing.features import NAMES
from groat.routing.grams import BUCKETS
from groat.routing.heads import LINEAR, Heads
from groat.routing.topics import Topics
from groat.routing.trees import Trees
from groat.types import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")
POPULATIONS: tuple[Population, ...] = ("open", "grounded")


def artifact_of(
    gain: float = 0.0,
    *,
    dimensions: int = 2,
    embedder: str = "e",
    version: str = "v1",
    points: Sequence[tuple[float, float]] = ((0.01, 0.1), (0.05, 0.5), (0.2, 0.9)),
    limit: float = 1e6,
    surface: dict[str, float] | None = None,
) -> RouterArtifact:
    """Return an artifact that expects the same gain everywhere, but for the surface features named.

    The chance that the cheap answer is as good is 0.5 less half of the gain.
    """
    weights = np.zeros((len(NAMES), 2))
    for name, weight in (surface or {}).items():
        weights[NAMES.index(name), 1] = weight / LINEAR
    linear = Linear(
        word_idf=np.zeros(BUCKETS),
        word_weights=np.zeros((BUCKETS, 2)),
        run_idf=np.zeros(BUCKETS),
        run_weights=np.zeros((BUCKETS, 2)),
        mean=np.zeros(len(NAMES)),
        scale=np.ones(len(NAMES)),
        surface_weights=weights,
        centre=np.zeros(dimensions),
        vector_weights=np.zeros((dimensions, 2)),
        domains=(),
        domain_weights=np.zeros((0, 2)),
        intercept=np.array([0.0, gain]) / LINEAR,
    )
    topics = Topics(names=(), weights=np.zeros((dimensions, 0)), intercept=np.zeros(0), values=np.zeros((0, 2)))
    none = np.zeros(0, dtype=np.int64)
    trees = Trees(
        directions=np.zeros((dimensions, 1)),
        centre=np.zeros(dimensions),
        roots=none,
        feature=none,
        threshold=np.zeros(0),
        right=none,
        leaf=none,
        values=np.zeros((0, 2)),
    )
    level = Curve(at=np.array([-1.0, 1.0]), value=np.array([0.0, 1.0]))
    return RouterArtifact(
        version=version,
        embedder=embedder,
        heads=Heads(linear=linear, topics=topics, trees=trees, mean=np.zeros(2)),
        cheap=level,
        expensive=level,
        as_good=Curve(at=np.array([-1.0, 1.0]), value=np.array([1.0, 0.0])),
        known=Known(
            meaning=_familiar(dimensions, limit),
            form=_familiar(len(NAMES), 1e6),
            mean=np.zeros(len(NAMES)),
            scale=np.ones(len(NAMES)),
        ),
        known_grounded={},
        proofs={(p, lang): Proof(rows=500, points=tuple(points)) for p in POPULATIONS for lang in LANGUAGES},
        seen=np.zeros(0, dtype=np.uint64),
        card={"date": "2026-11-24", "rows": 500},
    )


def _familiar(dimensions: int, limit: float) -> Familiar:
    return Familiar(
        centre=np.zeros(dimensions),
        directions=np.eye(dimensions)[:, :1],
        groups=np.zeros((1, 1)),
        beside=1.0,
        limit=limit,
    )
