"""The learned accept rule: from evidence about two questions to a score, and from a promise to the score that it takes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from groat.cache.evidence import EVIDENCE_VERSION, NAMES
from groat.errors import ArtifactError

_AMPLE = 4
"""How many times the hits that a promise without a wrong one takes, until it must have been kept once."""
Scope = Literal["en", "zh", "across"]
"""Language of both questions, or ``across``: one in each."""
Mode = Literal["judged", "plain"]
"""With the judge's opinion, or without."""


@dataclass(frozen=True)
class Trees:
    """Boosted regression trees: the score is ``base`` plus one leaf of each tree, in log odds.

    Every list is one row per tree, padded to the same length; node 0 is the root, a leaf points to itself.
    """

    base: float
    depth: int
    feature: list[list[int]]
    threshold: list[list[float]]
    left: list[list[int]]
    right: list[list[int]]
    value: list[list[float]]


@dataclass(frozen=True)
class Point:
    """What happened on the calibration streams when everything from this score on was served."""

    score: float
    hits: int
    wrong: int
    """Wrong hits, after the labels that were read and found wrong were corrected."""
    bound: float
    """One-sided 95 % Clopper-Pearson upper bound of wrong / hits."""


@dataclass(frozen=True)
class VerifierArtifact:
    """A fitted verifier with the points that bound its errors. Build one with ``python -m training.verifier``."""

    version: str
    """Date and hash of everything else."""
    date: str
    evidence_version: int
    embedder: str
    judge: str
    """Version of the judge's weights whose opinions it was fitted on."""
    trees: dict[Mode, Trees]
    points: dict[str, list[Point]]
    """``SCOPE/MODE`` -> points from the highest score down."""
    card: dict[str, object]
    """What it was fitted and measured on."""
    veto: dict[Scope, float] = field(default_factory=dict)
    """Scope -> score with the judge's opinion below which it overrules the one without. There the score without the judge
    decides, under the points without the judge; elsewhere the score with the judge's opinion does, where there is one."""

    @classmethod
    def load(cls, path: Path | None = None) -> "VerifierArtifact":
        """Read an artifact, the bundled one without a path.

        Raises:
            ArtifactError: the file is missing, damaged, or was made for other evidence.
        """
        name = "the bundled verifier of the cache" if path is None else f"the verifier {path}"
        source = resources.files("groat.cache").joinpath("verifier.json") if path is None else path
        try:
            artifact = _ADAPTER.validate_json(source.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise ArtifactError(f"{name} is missing or damaged; reinstall groat, or fit one anew") from error
        if artifact.evidence_version != EVIDENCE_VERSION:
            raise ArtifactError(
                f"{name} was fitted on evidence version {artifact.evidence_version}, this groat has {EVIDENCE_VERSION}; "
                "fit it anew"
            )
        if artifact.version != version_of(artifact):
            raise ArtifactError(f"{name} was changed after it was fitted; reinstall groat, or fit it anew")
        for trees in artifact.trees.values():
            _check(trees, name)
        return artifact

    def to_json(self) -> str:
        """Return the form that ``load`` reads."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")) + "\n"


class Verifier:
    """Scores candidates, and knows the score that a promise takes.

    Args:
        artifact: the fitted part.
    """

    def __init__(self, artifact: VerifierArtifact) -> None:
        """Lay the trees out for numpy."""
        self.artifact = artifact
        self._models = {mode: _Model(trees) for mode, trees in artifact.trees.items()}
        self._least: dict[tuple[Scope, Mode, float, bool], tuple[float, float] | None] = {}

    def modes(self, scope: Scope) -> tuple[Mode, ...]:
        """Return the modes whose scores decide there."""
        return ("plain",) if scope in self.artifact.veto else ("judged", "plain")

    def scores(self, mode: Mode, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log odds that one answer serves both questions, shape (n,), of evidence of shape (n, len(NAMES))."""
        return self._models[mode].scores(evidence)

    def least_score(self, scope: Scope, mode: Mode, max_wrong: float, *, sure: bool = False) -> tuple[float, float] | None:
        """Return the least score that keeps the promise, with the bound in force there; None where nothing proves it.

        On average: (wrong + 1) / (hits + 1) must not exceed the promise (Angelopoulos et al. 2022, "Conformal Risk Control").
        When it must be sure, the 95 % Clopper-Pearson bound must not. Either way the points are gone through from the highest
        score down, and the last one before the bound exceeds the promise is taken (fixed-sequence testing, Angelopoulos et al.
        2021, "Learn then Test"). Up to four times the hits that a promise without a wrong hit takes, a point that exceeds it
        does not end the way: one wrong hit among so few says little.

        Args:
            scope: language of both questions.
            mode: with or without the judge.
            max_wrong: largest share of wrong hits among hits, 0 to 1.
            sure: whether the promise must hold with 95 % confidence instead of on average.
        """
        key = (scope, mode, max_wrong, sure)
        if key not in self._least:
            self._least[key] = self._chosen(*key)
        return self._least[key]

    def _chosen(self, scope: Scope, mode: Mode, max_wrong: float, sure: bool) -> tuple[float, float] | None:
        chosen: tuple[float, float] | None = None
        needed = hits_needed(max_wrong, sure=sure)
        for point in self.artifact.points.get(f"{scope}/{mode}", ()):
            bound = point.bound if sure else expected(point)
            if bound <= max_wrong and point.hits >= needed:
                chosen = (point.score, round(bound, 4))
            elif point.hits > _AMPLE * needed:
                break
        return chosen


def expected(point: Point) -> float:
    """Return the bound of the expected share of wrong hits, 0 to 1."""
    return (point.wrong + 1) / (point.hits + 1)


def hits_needed(max_wrong: float, *, sure: bool = False) -> int:
    """Return how many hits without a wrong one prove the promise, more than any count when it is 0."""
    if max_wrong <= 0:
        return 1 << 62
    if max_wrong >= 1:
        return 0
    return int(np.ceil(np.log(0.05) / np.log(1 - max_wrong) if sure else 1 / max_wrong - 1))


def points_of(outcomes: Sequence[tuple[float, bool]]) -> list[Point]:
    """Return points on a grid of scores from the highest down: hits at least so sure, wrong ones, and the bound.

    Args:
        outcomes: of each request the score of what would be served first, in log odds, and whether that is right.
    """
    # Imported here: scipy takes half a second to import, and serving never counts.
    from groat.cache.replay import upper_bound

    scores = np.array([score for score, _ in outcomes])
    wrong = np.array([not right for _, right in outcomes])
    found: list[Point] = []
    for score in (round(8.0 - step / 10, 1) for step in range(111)):
        taken = scores >= score
        hits, bad = int(taken.sum()), int(wrong[taken].sum())
        if hits and (not found or hits != found[-1].hits):
            found.append(Point(score, hits, bad, upper_bound(bad, hits)))
    return found


def version_of(artifact: VerifierArtifact) -> str:
    """Return the version that an artifact of this content has."""
    # As it is read back: a 0 among fractions is written as 0 and read as 0.0.
    content = asdict(_ADAPTER.validate_json(artifact.to_json())) | {"version": ""}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
    return f"{artifact.date}-{digest[:8]}"


class _Model:
    def __init__(self, trees: Trees) -> None:
        # All nodes in one row, tree after tree, and both children of a node side by side: few and simple steps for numpy.
        feature = np.array(trees.feature, dtype=np.intp)
        self._base, self._depth = trees.base, trees.depth
        self._roots = np.arange(len(feature), dtype=np.intp) * feature.shape[1]
        right, left = (np.array(part, dtype=np.intp) + self._roots[:, None] for part in (trees.right, trees.left))
        self._feature, self._child = feature.ravel(), np.stack([right, left], axis=-1).ravel()
        self._threshold, self._value = np.array(trees.threshold).ravel(), np.array(trees.value).ravel()

    def scores(self, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        count, names = evidence.shape
        values, row = np.ascontiguousarray(evidence).ravel(), np.arange(count)[:, None] * names
        node = np.broadcast_to(self._roots, (count, len(self._roots)))
        for _ in range(self._depth):
            below = values.take(self._feature.take(node) + row) <= self._threshold.take(node)
            node = self._child.take(2 * node + below)
        found: NDArray[np.float64] = self._base + self._value.take(node).sum(axis=1)
        return found


def _check(trees: Trees, name: str) -> None:
    """Raise unless every index can be followed: the file is data, whoever wrote it."""
    shape = {tuple(map(len, part)) for part in (trees.feature, trees.threshold, trees.left, trees.right, trees.value)}
    whole = len(shape) == 1 and len({length for each in shape for length in each}) <= 1
    nodes = len(trees.feature[0]) if trees.feature else 0
    if not whole or not nodes or not 0 < trees.depth <= 64:
        raise ArtifactError(f"{name} is damaged: its trees have no common shape; reinstall groat, or fit one anew")
    if not _within(trees.feature, len(NAMES)) or not _within([*trees.left, *trees.right], nodes):
        raise ArtifactError(f"{name} is damaged: a tree points outside itself; reinstall groat, or fit one anew")


def _within(rows: Sequence[Sequence[int]], size: int) -> bool:
    return all(0 <= number < size for row in rows for number in row)


_ADAPTER = TypeAdapter(VerifierArtifact)
