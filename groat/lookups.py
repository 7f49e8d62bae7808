"""What the cache decided about a question, with the evidence; ``groat.types`` offers all of it."""

from typing import Literal, NotRequired

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict


class Audited(TypedDict):
    """What audits of such candidates made of the bound, and where an outcome of this one is counted."""

    scope: str
    mode: str
    category: str
    score: float
    """Log odds that one answer serves both."""
    promise: float
    """Largest share of wrong hits that is in force for the question, 0 to 1."""
    shipped_score: float | None
    """Score that the promise takes by the calibration alone; None where it proves none."""
    shipped_bound: float | None
    origin: str
    """Why the score now is what it is: see ``groat.cache.online.Origin``."""
    right: int
    wrong: int
    suspected: bool
    """The outcomes speak against the promise, without showing yet that it is broken: more hits are audited."""
    gray: bool
    """It is not served, and near enough that it is compared with the answer given instead."""


class CacheCandidate(TypedDict):
    """The nearest kept question, with what spoke for and against serving its answer."""

    entry_id: str
    question: str
    similarity: float
    differences: list[str]
    """What the guard found to differ, such as "number" or "negation"; empty when nothing did."""
    score: NotRequired[float]
    """Log odds that one answer serves both, by the fitted rule; not there when cosine and checks alone decide."""
    judged: NotRequired[float | None]
    """Probability that the judge of pairs gives; None when it was not asked or had no opinion."""
    second: NotRequired[float]
    """Log odds with the judge's opinion, where it may overrule the score without; not there where it gave none."""
    least_score: NotRequired[float | None]
    """Score that the promised share of wrong hits takes; None where no score proves it."""
    bound: NotRequired[float | None]
    """Upper bound (95 %) of the share of wrong hits in force at that score."""
    evidence: NotRequired[dict[str, float]]
    """What the score was made of, by name; values of 0 are left out."""
    audits: NotRequired[Audited]
    """Not there where the bound is not re-estimated."""


class Waited(TypedDict):
    """An equal question, or one that the same answer serves, that was being answered when this one was asked."""

    run: str
    ms: float
    """How long this question waited for it, in milliseconds."""
    kept: bool
    """Whether its answer came into the cache in time."""


class DocumentVersion(TypedDict):
    """One state of one document."""

    id: str
    version: str
    """Hash of the content: equal content, equal version."""


class Served(TypedDict):
    """What a kept answer that was served stands on."""

    question: str
    """The question it was given to; of an alias the wording it was found by."""
    kept_at: float
    """Seconds since 1970."""
    tier: Literal["cheap", "expensive"]
    """Which model wrote it."""
    documents: list[DocumentVersion]
    """All documents that were sent to that model; empty where their versions were not known."""


class Lookup(TypedDict):
    """What the cache decided."""

    outcome: Literal["hit", "miss", "off", "error"]
    tier: Literal["exact", "semantic"] | None
    """How a hit was found; None without a hit."""
    reason: str
    """Short reason code, as ``groat.cache.reasons`` lists them, or the name of a category of one's own policy. Of an error the
    sentence of the failure."""
    candidate: CacheCandidate | None
    threshold: float | None
    """Similarity that a semantic hit needs; None when no semantic search was made."""
    calibration: str
    """Version of the rule in force: the verifier's, or the calibration's."""
    waited: NotRequired[Waited]
    """Not there when nobody else was answering it."""
    alarms: NotRequired[list[str]]
    """Codes of what is not as it was with the cache, such as "no_semantic_hits/zh" (``groat.cache.alarm``); not there for
    nothing."""
    served: NotRequired[Served]
    """Only there for a hit."""
