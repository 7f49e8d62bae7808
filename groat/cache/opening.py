"""Puts the accept rule together from what is shipped, or from what was calibrated on one's own questions."""

import logging
from pathlib import Path

from groat.cache.accept import AcceptRule, SameJudge
from groat.cache.calibration import Calibration
from groat.cache.online import OnlineBound
from groat.cache.tallies import Tallies
from groat.cache.verifier import Verifier, VerifierArtifact
from groat.errors import ArtifactError

_LOG = logging.getLogger(__name__)
OWN = "cache-verifier.json"
"""Name of the file, in the folder of data, that ``groat cache calibrate`` writes and every process reads."""


def open_rule(
    embedder: str,
    judge: SameJudge | None = None,
    *,
    max_wrong: float = 0.01,
    sure: bool = False,
    across: bool = False,
    verifier: Path | None = None,
    tallies: Tallies | None = None,
    thorough: bool = False,
) -> AcceptRule:
    """Return the rule for these vectors; where the verifier cannot be used, the rule by cosine and checks by hand.

    Args:
        embedder: name of the embedder whose vectors are compared.
        judge: reads the best candidates; None for a rule without it.
        max_wrong: largest share of wrong hits among hits by likeness, 0 to 1.
        sure: whether that must hold with 95 % confidence instead of on average.
        across: whether a kept question may serve one in the other language.
        verifier: a file of one's own; the shipped one where it is not there, or not to be used any more.
        tallies: what audits found; None for the bound as it was calibrated.
        thorough: whether the judge reads the best candidates also where that changes nothing: for measurements.
    """
    own = verifier if verifier is not None and verifier.exists() else None
    found, calibration = _verifier(own, embedder), _calibration(embedder)
    version = found.artifact.version if found else calibration.version if calibration else ""
    return AcceptRule(
        calibration, found, judge, max_wrong=max_wrong, sure=sure, across=across,
        own=OnlineBound(tallies, version) if tallies is not None and version else None, thorough=thorough,
    )  # fmt: skip


def _verifier(own: Path | None, embedder: str) -> Verifier | None:
    shipped = _shipped()
    artifact = shipped if own is None else _own(own, shipped) or shipped
    return Verifier(artifact) if artifact is not None and artifact.embedder == embedder else None


def _shipped() -> VerifierArtifact | None:
    try:
        return VerifierArtifact.load()
    except ArtifactError:
        return None


def _own(file: Path, shipped: VerifierArtifact | None) -> VerifierArtifact | None:
    """Return the calibration of one's own; None, and a warning, where it cannot be used any more."""
    try:
        own = VerifierArtifact.load(file)
    except ArtifactError as error:
        _LOG.warning("%s; until `groat cache calibrate` has run again, the shipped calibration is in force", error)
        return None
    if shipped is not None and own.judge != shipped.judge:
        _LOG.warning(
            "%s was calibrated with the judge %s and this groat has %s; until `groat cache calibrate` has run again, the "
            "shipped calibration is in force", file, own.judge, shipped.judge,
        )  # fmt: skip
        return None
    return own


def _calibration(embedder: str) -> Calibration | None:
    try:
        return Calibration.load(embedder=embedder)
    except ArtifactError:
        # Only equal questions then hit without a verifier, and each lookup says so.
        return None
