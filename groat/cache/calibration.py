"""The similarity that a hit by likeness needs, per language, as it was measured."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from groat.cache.guard import GUARD_VERSION
from groat.errors import ArtifactError
from groat.types import Language

FEATURE_VERSION: Final = GUARD_VERSION
"""The checks a threshold was measured with; another version means another meaning of the threshold."""


@dataclass(frozen=True)
class Measured:
    """What happened when streams of questions were played through the cache at one threshold.

    Rates are 0..1 with the bounds of the two-sided 95 % Clopper-Pearson interval.
    """

    requests: int
    reachable: int
    """Requests whose answer was in the cache when they came."""
    hits: int
    wrong_hits: int
    wrong_share: float
    """Wrong hits among hits."""
    wrong_share_low: float
    wrong_share_high: float
    wrong_rate: float
    """Wrong hits among requests."""
    recall: float
    """Right hits among reachable requests."""
    recall_low: float
    recall_high: float


@dataclass(frozen=True)
class LanguageCalibration:
    """The operating point of one language."""

    threshold: float
    """Smallest cosine that may serve, 0..1."""
    max_wrong: float
    """Share of wrong hits among hits that was asked for."""
    bound: float
    """One-sided 95 % upper bound of that share on the fitting part, at this threshold."""
    reached: bool
    """Whether ``bound`` is at most ``max_wrong``. If not, the threshold is the most cautious one that was tried."""
    fitted: Measured
    held_out: Measured
    by_source: dict[str, Measured]
    """The held-out part, source by source, those that were not fitted on included."""


@dataclass(frozen=True)
class Calibration:
    """Thresholds with what they were measured on. Build one with ``groat.cache.calibrate.fit``."""

    version: str
    """Date and hash of everything else, so that two different calibrations never share a version."""
    embedder: str
    feature_version: int
    data_hash: str
    """SHA-256 of the rows used."""
    rows: int
    date: str
    fitted_on: list[str]
    languages: dict[Language, LanguageCalibration]

    @classmethod
    def load(cls, path: Path | None = None, *, embedder: str) -> "Calibration":
        """Read a calibration, the bundled one without a path.

        Raises:
            ArtifactError: the file is missing or damaged, or was made for another embedder or other checks.
        """
        name = "the bundled cache calibration" if path is None else f"the cache calibration {path}"
        source = resources.files("groat.cache").joinpath("calibration.json") if path is None else path
        try:
            calibration = _ADAPTER.validate_json(source.read_text(encoding="utf-8"), strict=True)
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise ArtifactError(
                f"{name} is missing or damaged; reinstall groat, or fit one with groat.cache.calibrate.fit"
            ) from error
        calibration.validate(name, embedder)
        return calibration

    def validate(self, name: str, embedder: str) -> None:
        """Raise ``ArtifactError`` unless the values are whole and were measured with this embedder and these checks."""
        if self.embedder != embedder:
            raise ArtifactError(
                f"{name} was measured with the embeddings {self.embedder!r}, not {embedder!r}; "
                "fit one for yours with groat.cache.calibrate.fit"
            )
        if self.feature_version != FEATURE_VERSION:
            raise ArtifactError(
                f"{name} has feature version {self.feature_version}, this groat has {FEATURE_VERSION}; fit it anew"
            )
        for language, point in self.languages.items():
            if not 0 <= point.threshold <= 1:
                raise ArtifactError(f"{name}: the {language} threshold {point.threshold} is outside 0..1; fit it anew")
        if self.version != version_of(self):
            raise ArtifactError(f"{name} was changed after it was measured; reinstall groat or fit it anew")

    def threshold(self, language: Language) -> float | None:
        """Return the cosine that a hit needs, None for a language that was not measured."""
        measured = self.languages.get(language)
        return None if measured is None else measured.threshold

    def to_json(self) -> str:
        """Return the form that ``load`` reads."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def version_of(calibration: Calibration) -> str:
    """Return the version that a calibration of this content has."""
    content = asdict(calibration) | {"version": ""}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
    return f"{calibration.date}-{digest[:8]}"


_ADAPTER = TypeAdapter(Calibration)
