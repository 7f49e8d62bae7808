"""The learned stop rule: how much this question needs, held to a measured promise."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from groat.compression import risk
from groat.compression.context import Context
from groat.compression.evidence import NAMES
from groat.compression.hops import NAMES as LED_TO
from groat.compression.network import Network
from groat.compression.scorer import FORMAT, Looks
from groat.compression.stopping import Order, Population
from groat.compression.surface import parts_in
from groat.compression.trees import Trees
from groat.errors import ArtifactError
from groat.types import Tier

Evidence = Literal["words", "vectors"]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One setting of the rule, with what it did on rows that its weights had not seen."""

    risk: float
    """Keep the smallest share at which the answer is estimated to be lost with no more than this probability, 0..1."""
    loss: float
    """Share of questions, 0..1, whose answer was lost."""
    loss_upper: float
    """Upper end of the one-sided 95 % Clopper-Pearson interval of ``loss``."""
    kept: float
    """Mean share of tokens kept."""
    rows: int
    """Rows that the loss was measured on: all of its language where a kind has few."""
    loss_apart: float = 0.0
    """The larger one of two: the loss when each source of rows counts the same, and that of the kind's own rows."""


@dataclass(frozen=True, kw_only=True)
class LearnedStop:
    """Order and stop rule in one, since the promise was measured with this order.

    The risk of losing the answer at each share is estimated from the scores that would be left out; the limit on that estimate
    is chosen by conformal risk control (Angelopoulos et al. 2022): with n rows measured, the loss on the next row is at most
    (n * loss + 1) / (n + 1) on average over such questions.
    """

    version: str
    looks: Mapping[Evidence, Looks]
    risks: Mapping[Evidence, Trees]
    limits: Mapping[str, tuple[Limit, ...]]
    """By ``kind``; from strict to loose."""
    card: Mapping[str, Any]
    """Data hash, rows, library versions, date."""

    @classmethod
    def load(cls, path: Path | None = None) -> "LearnedStop":
        """Read the rule that the package carries, or one of your own.

        Raises:
            ArtifactError: the file is damaged, or was fitted on other evidence.
        """
        try:
            text = (path or resources.files("groat.compression").joinpath("learned.json")).read_text(encoding="utf-8")
            raw = json.loads(text)
            if raw["format"] != FORMAT:
                raise ArtifactError("the compression rule was fitted on other evidence than this version reads; fit it again")
            return cls(
                version=str(raw["version"]),
                looks={name: _looks(raw["looks"][name]) for name in ("words", "vectors")},
                risks={name: Trees.read(raw["risks"][name], len(risk.NAMES)) for name in ("words", "vectors")},
                limits={kind: tuple(Limit(**limit) for limit in limits) for kind, limits in raw["limits"].items()},
                card=dict(raw["card"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError("the compression rule cannot be read; reinstall groat or fit it again") from error

    def written(self) -> str:
        """Return the file's text."""
        value = {
            "version": self.version,
            "format": FORMAT,
            "card": self.card,
            "limits": {kind: [vars(limit) for limit in limits] for kind, limits in self.limits.items()},
            "risks": {name: one.written() for name, one in self.risks.items()},
            "looks": {
                name: {"first": one.first.written(), "second": one.second.written(), "belief": one.belief.written()}
                for name, one in self.looks.items()
            },
        }
        return json.dumps(value, ensure_ascii=False) + "\n"

    def order(self, context: Context) -> Order:
        """Return the sentences, best first."""
        return self.looks[evidence_of(context)].order(context)

    def contributions(self, context: Context) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Return what each piece of evidence adds to a sentence's score beyond its mean over the context, and the names.

        Shape (sentences, names).
        """
        looks = self.looks[evidence_of(context)]
        return looks.second.shares(looks.columns(context)), (*NAMES, *LED_TO)

    def chances(self, order: Order) -> dict[float, float]:
        """Return for each share that may be kept how likely the answer is lost there, falling."""
        scores = self.risks[evidence_of(order.context)].of(risk.left_out(order))
        falling = np.maximum.accumulate(scores[::-1])[::-1]
        return {share: float(1 / (1 + np.exp(-score))) for share, score in zip(risk.SHARES, falling, strict=True)}

    def needed(self, order: Order, *, population: Population, tier: Tier, max_loss: float) -> float | None:
        """Return the share of the tokens to keep; None when no limit was measured to keep the promise.

        The expensive tier is held to the conformal bound. The cheap tier, whose tokens cost a fraction, is held to the
        upper end of the interval: there is less to gain from taking the risk.
        """
        loosest = within(self.limits.get(kind(order.context, population), ()), tier, max_loss)
        return None if loosest is None else share_within(self.chances(order), loosest.risk)


def within(limits: Sequence[Limit], tier: Tier, max_loss: float) -> Limit | None:
    """Return the loosest limit that keeps the promise together with all stricter ones; None when the strictest does not."""
    return next(iter([*takewhile(lambda one: bound(one, tier) <= max_loss, limits)][-1:]), None)


def share_within(chances: Mapping[float, float], limit: float) -> float:
    """Return the smallest share whose chance of losing the answer is within ``limit``; 1 when none is."""
    return min((share for share, chance in chances.items() if chance <= limit), default=1.0)


def bound(limit: Limit, tier: Tier) -> float:
    """Return the loss that a limit is held to; no less than in another mix of its sources."""
    measured = limit.loss_upper if tier == "cheap" else (limit.loss * limit.rows + 1) / (limit.rows + 1)
    return max(measured, limit.loss_apart)


def evidence_of(context: Context) -> Evidence:
    """Tell which weights apply."""
    return "words" if context.similarities is None else "vectors"


def kind(context: Context, population: Population) -> str:
    """Return the name under which a context's limits stand: what is known of it, where it comes from, and the languages.

    Contexts from elsewhere are told apart by the question's form as well: what asks for several things at once needs more,
    and a mix in which few do says nothing of them.
    """
    languages = f"{context.language}-cross" if risk.is_cross(context) else context.language
    several = "+several" if population == "foreign" and parts_in(context.question) else ""
    return f"{evidence_of(context)}/{population}/{languages}{several}"


def _looks(raw: Mapping[str, Any]) -> Looks:
    seen = len(NAMES) + len(LED_TO)
    return Looks(
        first=Network.read(raw["first"], len(NAMES)),
        second=Network.read(raw["second"], seen),
        belief=Network.read(raw["belief"], seen),
    )
