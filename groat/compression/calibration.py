"""Which share of the tokens keeps a promise: a measured table, per language."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from groat.errors import ArtifactError
from groat.types import Language, Tier

FEATURES = "bm25+cosine+rank/1"
"""Names the ranking; a table measured with another one is refused."""


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
    points: dict[Language, tuple[Point, ...]]

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
            points: dict[Language, tuple[Point, ...]] = {
                "en": tuple(Point(**point) for point in raw["points"]["en"]),
                "zh": tuple(Point(**point) for point in raw["points"]["zh"]),
            }
            return cls(version=raw["version"], points=points)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError("the compression table cannot be read; reinstall groat or fit it again") from error

    def share(self, language: Language, *, tier: Tier, max_loss: float) -> float | None:
        """Return the smallest measured share whose loss is within ``max_loss``; None when no share is.

        The expensive tier is held to the measured loss; the cheap tier, whose tokens cost a seventh and whose answers are
        checked less kindly, to the upper end of its interval.
        """
        fitting = [
            point.share for point in self.points[language] if (point.loss_upper if tier == "cheap" else point.loss) <= max_loss
        ]
        return min(fitting, default=None)
