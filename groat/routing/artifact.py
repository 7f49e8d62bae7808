"""The router's trained part in one file: an npz archive of numbers, read without pickle, with where they come from."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import IO, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from groat.errors import ArtifactError
from groat.routing.estimator import Curve, Linear, Sight
from groat.routing.familiar import Familiar, Known
from groat.routing.features import NAMES, VERSION
from groat.routing.grams import BUCKETS
from groat.routing.heads import Heads
from groat.routing.promise import LEAST_ROWS
from groat.routing.topics import Topics
from groat.routing.trees import Trees
from groat.types import Language

FORMAT = f"router/5 {VERSION} {BUCKETS}"
"""Names the features and the layout; a file of another is refused."""

Population = Literal["open", "grounded"]
"""Questions without documents, and questions with them."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What is proven for one population and language."""

    rows: int
    """Labelled rows that the points were chosen on."""
    points: tuple[tuple[float, float], ...]
    """(promised loss, largest expected gain that goes to the cheap model), from strict to loose."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is expected of a question."""

    p_cheap: float
    """Expected quality of the cheap answer, 0..1: the probability that it is right where answers are right or wrong."""
    p_expensive: float
    gain: float
    """What the expensive model is expected to add, -1..1; before calibration, as the points are."""
    p_as_good: float
    """Probability that the cheap answer is as good as the expensive one."""
    known: bool
    """Whether the question is like those learned from."""


@dataclass(frozen=True, kw_only=True)
class RouterArtifact:
    """Both heads, their calibration, what is known, and the operating points."""

    version: str
    embedder: str
    heads: Heads
    cheap: Curve
    expensive: Curve
    as_good: Curve
    """From the expected gain, falling strictly."""
    known: Known
    known_grounded: Mapping[Language, Known]
    """What questions over documents are like, each language by itself, since one in the middle of two languages is like none;
    without those of which too few were learned from to tell."""
    proofs: Mapping[tuple[Population, Language], Proof]
    seen: NDArray[np.uint64]
    """Hashes of the questions that it was fitted on, sorted."""
    card: dict[str, Any]
    """Data hash, rows, metrics, library versions, date: what ``docs/model-cards/router.md`` shows."""

    @classmethod
    def load(cls, path: Path | None = None) -> "RouterArtifact":
        """Read the artifact that the package carries, or one of your own.

        Raises:
            ArtifactError: it is damaged, or was made for other features.
        """
        try:
            if path is not None:
                with path.open("rb") as opened:
                    return cls._read(opened)
            with resources.files("groat.routing").joinpath("router.npz").open("rb") as opened:
                return cls._read(opened)
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise ArtifactError(
                f"the router's artifact {path or 'of the package'} cannot be read; reinstall groat or fit it again"
            ) from error

    @classmethod
    def _read(cls, opened: IO[bytes]) -> "RouterArtifact":
        with np.load(opened, allow_pickle=False) as arrays:
            head = json.loads(str(arrays["head"]))
            if head["format"] != FORMAT:
                raise ArtifactError(f"the router was made as {head['format']!r} and this is {FORMAT!r}; fit it again")
            numbers = {name: arrays[name].astype(np.float64) for name in arrays.files if name not in ("head", "seen")}
            seen = arrays["seen"]
        if not all(np.isfinite(one).all() for one in numbers.values()):
            raise ValueError("a number is not finite")
        if len(numbers["linear.mean"]) != len(NAMES) or numbers["linear.word_weights"].shape != (BUCKETS, 2):
            raise ValueError("the coefficients are not as many as the features")
        proofs = {
            (cast(Population, population), cast(Language, language)): Proof(
                rows=int(one["rows"]), points=tuple((float(loss), float(cut)) for loss, cut in one["points"])
            )
            for population, languages in head["proofs"].items()
            for language, one in languages.items()
        }
        return cls(
            version=str(head["version"]),
            embedder=str(head["embedder"]),
            heads=Heads(
                linear=Linear(**_part(numbers, "linear"), domains=tuple(head["domains"])),
                topics=Topics(**_part(numbers, "topics"), names=tuple(head["topics"])),
                trees=_whole(Trees(**_part(numbers, "trees"))),
                mean=numbers["mean"],
            ),
            cheap=Curve(**_part(numbers, "cheap")),
            expensive=Curve(**_part(numbers, "expensive")),
            as_good=Curve(**_part(numbers, "as_good")),
            known=_known(numbers, head, ""),
            known_grounded={
                language: _known(numbers, head, prefix)
                for language in get_args(Language)
                if f"{(prefix := _grounded(language))}form" in head
            },
            proofs=proofs,
            seen=seen,
            card=head["card"],
        )

    def save(self, path: Path) -> None:
        """Write it down, whole or not at all."""
        proofs: dict[str, dict[str, object]] = {}
        for (population, language), proof in self.proofs.items():
            proofs.setdefault(population, {})[language] = {"rows": proof.rows, "points": proof.points}
        head = {
            "format": FORMAT,
            "version": self.version,
            "embedder": self.embedder,
            "domains": self.heads.linear.domains,
            "topics": self.heads.topics.names,
            "proofs": proofs,
            "card": self.card,
        }
        parts: dict[str, Any] = {
            "linear": self.heads.linear,
            "topics": self.heads.topics,
            "trees": self.heads.trees,
            "cheap": self.cheap,
            "expensive": self.expensive,
            "as_good": self.as_good,
        }
        means: dict[str, NDArray[Any]] = {"mean": self.heads.mean}
        likenesses = {"": self.known, **{_grounded(name): one for name, one in self.known_grounded.items()}}
        for prefix, one in likenesses.items():
            for name, part in (("meaning", one.meaning), ("form", one.form)):
                parts[f"{prefix}{name}"] = part
                head[f"{prefix}{name}"] = {"beside": part.beside, "limit": part.limit}
            means |= {f"{prefix}known_mean": one.mean, f"{prefix}known_scale": one.scale}
        arrays = {
            f"{name}.{field.name}": value
            for name, part in parts.items()
            for field in fields(part)
            if isinstance(value := getattr(part, field.name), np.ndarray)
        }
        small: dict[str, Any] = {name: _small(value, exact="form." in name) for name, value in arrays.items()} | means
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with partial.open("wb") as opened:
            np.savez_compressed(opened, head=np.array(json.dumps(head)), seen=self.seen, **small)
        partial.replace(path)

    def estimate(self, seen: Sight, population: Population, language: Language) -> Estimate:
        """Return what is expected of a question; about 0.1 ms."""
        like = self.known_grounded.get(language, self.known) if population == "grounded" else self.known
        cheap, expensive = self.heads.scores(seen).tolist()
        gain = expensive - cheap
        return Estimate(
            p_cheap=self.cheap(cheap),
            p_expensive=self.expensive(expensive),
            gain=gain,
            p_as_good=self.as_good(gain),
            known=bool(like.knows(seen.surface[None, :], seen.vector[None, :])[0]),
        )

    def covers(self, population: Population, language: Language) -> bool:
        """Tell whether it was fitted on enough questions of a kind to promise anything for them."""
        proof = self.proofs.get((population, language))
        return proof is not None and proof.rows >= LEAST_ROWS

    def or_else(self, other: "RouterArtifact | None", population: Population, language: Language) -> "RouterArtifact":
        """Return which of two decides on a kind of questions: this one, unless only the other covers them."""
        return (
            other
            if other is not None and other.covers(population, language) and not self.covers(population, language)
            else self
        )

    def most_gain(self, max_quality_loss: float, *, population: Population, language: Language) -> float | None:
        """Return the largest expected gain that may be forgone; None when nothing is proven for that promise.

        The strictest measured point that is not looser than asked for is taken; nothing is interpolated.
        """
        proof = self.proofs.get((population, language))
        # 1e-12: 0.05 asked for as 0.1 - 0.05 or the like is still 0.05.
        allowed = [cut for loss, cut in (proof.points if proof else ()) if loss <= max_quality_loss + 1e-12]
        return max(allowed, default=None)


def _grounded(language: Language) -> str:
    """Return what the names begin with of what is known of questions over documents."""
    return f"grounded_{language}_"


def _known(numbers: Mapping[str, NDArray[np.float64]], head: Mapping[str, Any], prefix: str) -> Known:
    return Known(
        meaning=Familiar(**_part(numbers, f"{prefix}meaning"), **head[f"{prefix}meaning"]),
        form=Familiar(**_part(numbers, f"{prefix}form"), **head[f"{prefix}form"]),
        mean=numbers[f"{prefix}known_mean"],
        scale=numbers[f"{prefix}known_scale"],
    )


def _part(numbers: Mapping[str, NDArray[np.float64]], name: str) -> dict[str, Any]:
    return {key.partition(".")[2]: value for key, value in numbers.items() if key.partition(".")[0] == name}


def _small(values: NDArray[Any], *, exact: bool) -> NDArray[Any]:
    """Return the numbers in the fewest bytes that keep them."""
    if values.dtype.kind == "i":
        return values.astype(np.min_scalar_type(-1 - int(np.abs(values).max(initial=0))))
    # Half precision keeps three digits, which is more than coefficients from data deserve; curves need more.
    return (
        np.clip(values, -60_000, 60_000).astype(np.float16) if values.size > 1_000 and not exact else values.astype(np.float32)
    )


def _whole(trees: Trees) -> Trees:
    """Return the trees with their integers.

    Raises:
        ValueError: a node points outside.
    """
    whole = {name: getattr(trees, name).astype(np.int64) for name in ("roots", "feature", "right", "leaf")}
    count = len(whole["feature"])
    inner = whole["feature"] >= 0
    children = np.arange(count)[inner] + whole["right"][inner]
    if count and (
        len({len(whole["right"]), len(whole["leaf"]), len(trees.threshold), count}) > 1
        or inner[-1]
        or (whole["right"][inner] < 1).any()
        or children.max(initial=0) >= count
        or not 0 <= whole["leaf"].min() <= whole["leaf"].max() < len(trees.values)
        or not 0 <= whole["roots"].min() <= whole["roots"].max() < count
        or whole["feature"].max() >= len(NAMES) + trees.directions.shape[1] + 2
    ):
        raise ValueError("the trees do not hang together")
    return replace(trees, **whole)
