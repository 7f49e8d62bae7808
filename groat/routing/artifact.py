"""The router's trained part: coefficients in JSON, with where they come from."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from groat.embedding import Vector
from groat.errors import ArtifactError
from groat.routing.features import NAMES, VERSION


@dataclass(frozen=True, kw_only=True)
class RouterArtifact:
    """A logistic regression over surface features and the question's vector, and its operating points."""

    version: str
    embedder: str
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    surface_weights: NDArray[np.float64]
    vector_weights: NDArray[np.float64]
    intercept: float
    thresholds: tuple[tuple[float, float], ...]
    """(largest loss of quality, least probability that goes to the cheap model), from strict to loose."""
    card: dict[str, object]
    """Data hash, rows, metrics, library versions, date: what ``docs/model-cards/router.md`` shows."""

    @classmethod
    def load(cls, path: Path | None = None) -> "RouterArtifact":
        """Read the artifact that the package carries, or one of your own.

        Raises:
            ArtifactError: it is damaged, or was made for other features.
        """
        try:
            text = (path or resources.files("groat.routing").joinpath("router.json")).read_text(encoding="utf-8")
            raw = json.loads(text)
            if raw["features"] != VERSION or len(raw["surface_weights"]) != len(NAMES):
                raise ArtifactError(
                    f"the router was trained on features {raw['features']!r} and these are {VERSION!r}; fit it again"
                )
            return cls(
                version=raw["version"],
                embedder=raw["embedder"],
                mean=np.array(raw["mean"]),
                scale=np.array(raw["scale"]),
                surface_weights=np.array(raw["surface_weights"]),
                vector_weights=np.array(raw["vector_weights"]),
                intercept=float(raw["intercept"]),
                thresholds=tuple((float(loss), float(cut)) for loss, cut in raw["thresholds"]),
                card=raw["card"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError("the router's artifact cannot be read; reinstall groat or fit it again") from error

    def p_cheap_ok(self, surface: NDArray[np.float64], vector: Vector) -> float:
        """Return the probability, 0..1, that the cheap model's answer is good enough."""
        logit = (
            float(((surface - self.mean) / self.scale) @ self.surface_weights)
            + float(vector.astype(np.float64) @ self.vector_weights)
            + self.intercept
        )
        return float(1 / (1 + np.exp(-logit)))

    def threshold(self, max_quality_loss: float) -> float:
        """Return the least probability that may go to the cheap model; above 1 when nothing may.

        The strictest measured point that is not looser than asked for is taken; nothing is interpolated.
        """
        allowed = [cut for loss, cut in self.thresholds if loss <= max_quality_loss]
        return min(allowed, default=1.01)
