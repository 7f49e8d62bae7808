"""Which share of the tokens keeps a promise: a measured table, per language."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from groat.errors import ArtifactError
from groat.types import Language, Tier

FEATURES = "bm25+cosine+rank/1"
"""Names the ranking; a table measured with another one is refused."""


Population = Literal["indexed", "foreign"]
"""Where passages come from: from groat's own index, ranked by its search, or from elsewhere, in whatever order. Measured
apart, since a context whose best passages come first can lose much more before an answer is lost."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One row of the table."""

    share: float
    """Share of tokens kept, 0..1."""
    loss: float
    """Share of questions whose answer stood in the full context and is gone, 0..1, as measured."""
    loss_upper: float
    """Upper end of the one-sided 95 % Clopper-Pearson interval of ``loss``."""
    rows: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The measured table with where it comes from."""

    version: str
    points: dict[Population, dict[Language, tuple[Point, ...]]]

    @classmethod
    def load(cls, path: Path | None = None) -> "Calibration":
        """Read the table that the package carries, or one of your own.

        Raises:
            ArtifactError: the file is damaged, or was measured with another ranking.
        """
        try:
            text = (path or resources.files("groat.compression").joinpath("calibration.json")).read_text(encoding="utf-8")
            raw = json.loads(text)
            if raw["features"] != FEATURES:
                raise ArtifactError(
                    f"the compression table was measured with {raw['features']!r} and this is {FEATURES!r}; fit it again"
                )
            return cls(
                version=raw["version"],
                points={"indexed": _points(raw["points"]["indexed"]), "foreign": _points(raw["points"]["foreign"])},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError("the compression table cannot be read; reinstall groat or fit it again") from error

    def share(self, language: Language, *, population: Population, tier: Tier, max_loss: float) -> float | None:
        """Return the smallest measured share whose loss is within ``max_loss``; None when no share is.

        The expensive tier is held to the measured loss. The cheap tier, whose tokens cost a fraction, is held to the upper
        end of its interval: there is less to gain from taking the risk.
        """
        fitting = [
            point.share
            for point in self.points[population][language]
            if (point.loss_upper if tier == "cheap" else point.loss) <= max_loss
        ]
        return min(fitting, default=None)


def _points(raw: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[Language, tuple[Point, ...]]:
    return {
        "en": tuple(_point(point) for point in raw["en"]),
        "zh": tuple(_point(point) for point in raw["zh"]),
    }


def _point(raw: Mapping[str, float]) -> Point:
    return Point(share=raw["share"], loss=raw["loss"], loss_upper=raw["loss_upper"], rows=int(raw["rows"]))
