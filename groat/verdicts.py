"""What validation finds about an answer, and how often each way back may be taken; ``groat.types`` offers all of it."""

from typing import Literal, NotRequired

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict

Step = Literal["accept", "fix", "escalate", "degrade", "decompress", "exhausted"]
"""What follows a verdict. "degrade": the budget refused the expensive model, and the cheap one is asked."""


class Check(TypedDict):
    """The result of one check of an answer."""

    name: str
    passed: bool
    score: float
    """0..1, higher is better."""
    reason: str


class Opinion(TypedDict):
    """A second answer that was bought to hold the first one against."""

    model: str
    text: str
    agreement: float
    """0..1: 1 when both say the same."""


class Acceptance(TypedDict):
    """How sure validation is of an answer that passed its checks."""

    p_ok: float
    """Estimated probability that the answer is as good as the expensive model's, 0..1."""
    threshold: float | None
    """Least ``p_ok`` that is accepted; None when no threshold keeps the promise."""
    promise: Literal["router", "evidence"]
    """Whose promise of ``max_quality_loss`` covers the answer: the router's, made before it was written, so that only an answer
    that is likelier worse than not goes up; or that of the evidence itself."""
    evidence: dict[str, float]
    """What the estimate was made of, by name."""
    opinion: Opinion | None
    """What the opinions together say: who gave them, the last one's text, the mean of their agreements. None without any."""
    opinions: list[Opinion]
    """Each that was bought, in the order of buying."""
    artifact: str
    """Version of the model that estimated."""


class Verdict(TypedDict):
    """What validation found about the newest attempt, and what follows."""

    ok: bool
    step: Step
    checks: list[Check]
    reason: str
    acceptance: NotRequired[Acceptance]
    """Absent when a check decided alone, and for the expensive model's answers."""


class Bounds(TypedDict):
    """How often each edge back may be taken for one question. The only place that says so."""

    fixes_per_tier: int
    escalations: int
    decompressions: int
    degradations: int


BOUNDS: Bounds = {"fixes_per_tier": 1, "escalations": 1, "decompressions": 1, "degradations": 1}
