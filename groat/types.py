"""The values that travel with a question: plain, typed and serialisable, so that state and records can hold them.

They are ``TypedDict``s and not classes because every one of them is checkpointed, shown in Studio, streamed as JSON and
kept for later explanation. Scores are similarities (higher is closer) unless the name says otherwise.
"""

from typing import Literal, NotRequired

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict

from groat.lookups import Audited as Audited
from groat.lookups import CacheCandidate as CacheCandidate
from groat.lookups import DocumentVersion as DocumentVersion
from groat.lookups import Lookup as Lookup
from groat.lookups import Served as Served
from groat.lookups import Waited as Waited
from groat.questions import Asked as Asked
from groat.questions import Identity as Identity
from groat.questions import Language as Language
from groat.questions import Turn as Turn
from groat.verdicts import BOUNDS as BOUNDS
from groat.verdicts import Acceptance as Acceptance
from groat.verdicts import Bounds as Bounds
from groat.verdicts import Check as Check
from groat.verdicts import Opinion as Opinion
from groat.verdicts import Step as Step
from groat.verdicts import Verdict as Verdict

Tier = Literal["cheap", "expensive"]
"""Which of the two models answers."""

Box = Literal["check_cache", "retrieve", "route", "compress", "answer_cheap", "answer_expensive", "validate", "remember"]
"""A node of the graph."""

QuestionKind = Literal["small_talk", "translation", "knowledge"]
"""What a question asks for: the first two need no documents."""

Purpose = Literal["answer", "decompress", "second_opinion", "judge", "compress", "audit", "blame", "shadow"]
"""What a call of a chat model was for: the answer itself, the same on the full context after the shortened one did not support
one, evidence about an answer, which sentences are needed, a look at what cache or router decided, a replay that shows what a
bad answer came from, or a new configuration that answers beside the running one."""


class Source(TypedDict):
    """A document that an answer stands on."""

    id: str
    version: str
    title: str


class Passage(TypedDict):
    """A piece of a document that retrieval found."""

    id: str
    document_id: str
    version: str
    title: str
    heading: str
    """Headings above the piece, joined by " > "; empty at the top of a document."""
    text: str
    language: Language
    sentences: list[tuple[int, int]]
    """Start and end offsets of its sentences in ``text``, in order, in characters."""
    score: float
    """Fused rank score, 0..1, higher is better; comparable within one search only."""
    similarity: float | None
    """Largest cosine between the question and a sentence of the piece; None without vectors."""


class CachedAnswer(TypedDict):
    """An answer fit to be served again."""

    entry_id: str
    question: str
    answer: str
    sources: list[Source]
    documents: list[DocumentVersion]
    """All documents that were sent to the model, quoted or not: when one changes, the answer falls."""
    tier: Tier
    baseline_cost_usd: str | None
    """What the all-expensive baseline would have paid, decimal; None when a price is unknown."""


class Shadow(TypedDict):
    """What a candidate router would have decided."""

    artifact: str
    tier: Tier
    p_cheap_ok: float | None


class Route(TypedDict):
    """What the router decided."""

    tier: Tier
    kind: QuestionKind
    p_cheap_ok: float | None
    """Estimated probability that the cheap model's answer is as good as the expensive one's; None when a rule or the caller
    decided."""
    threshold: float | None
    """Smallest ``p_cheap_ok`` that goes to the cheap tier under the promise in force; above 1 when nothing may."""
    reasons: list[str]
    artifact: str
    """Version of the router's artifact."""
    p_cheap: NotRequired[float]
    """Expected quality of the cheap model's answer, 0..1. Absent, like the two below, when a rule or the caller decided."""
    p_expensive: NotRequired[float]
    gain: NotRequired[float]
    """What the expensive model is expected to add: what questions are put in order by."""
    unproven: NotRequired[bool]
    """Nothing is known of questions over documents like these: what may be risked on them is an assumption."""
    document_tokens: NotRequired[int]
    """Tokens of the documents, where that is so."""
    shadow: NotRequired[Shadow]
    """Not there without a candidate."""
    budget_bound: NotRequired[bool]
    """The budget overruled the router. The answer is served, and not kept for those whose budget is larger."""


class Shortened(TypedDict):
    """The context that is sent to the model."""

    passages: list[Passage]
    """Exact, ordered subsets of the passages given; offsets refer to the shortened text."""
    tokens_before: int
    tokens_after: int
    level: Literal["none", "cheap", "expensive", "full"]
    """Which budget was used; "none": there was nothing to shorten, "full": everything was sent on purpose."""
    reason: str


class Usage(TypedDict):
    """Tokens of one model call. ``input`` includes the cached ones, ``output`` the reasoning ones."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    estimated: bool
    """True when the endpoint reported nothing, or nothing that can be, and the tokens were counted here."""
    service_tier: NotRequired[str]
    """Tier that the endpoint says it used, such as "flex" or "priority"; absent or "default" for the plain one."""


class Charge(TypedDict):
    """One thing that was paid for, or would have been."""

    key: str
    """Unique per run, node and try; writing the same key twice charges once."""
    kind: Literal["chat", "embedding"]
    box: Box
    """The node that paid."""
    purpose: NotRequired[Purpose]
    """What a chat call was for; absent for vectors that no audit asked for."""
    model: str
    """The model that was really called."""
    priced_as: str
    """The model whose list price was used; differs from ``model`` for models that run here and cost nothing."""
    tier: Tier | None
    usage: Usage
    cost_usd: str | None
    """Decimal dollars; None when the price is unknown, never zero for that reason."""
    prices: str
    """Version of the price table."""
    outcome: str
    """"ok", the kind of failure, or "cancelled" for a call that lost a race or whose question was given up."""


class Call(TypedDict):
    """One request over the wire, whatever came of it: each has a charge of its own, under the same key."""

    key: str
    model: str
    outcome: str
    """As in ``Charge.outcome``."""
    status: int | None
    """HTTP status of a refusal; None when there was no response, or a good one."""
    waited_ms: float
    """Back-off and rate limit before it was sent."""
    latency_ms: float
    first_token_ms: float | None
    """From sending to the first token; None when the reply was not streamed or never began."""
    hedge: bool
    """It was sent because the one before it was slow."""


class Attempt(TypedDict):
    """One try at an answer, good or bad: the calls that it took, and what the last of them said."""

    box: Box
    tier: Tier
    model: str
    text: str
    """The answer; empty when the call failed."""
    abstained: bool
    """The model said that the documents do not answer."""
    refused: NotRequired[bool]
    """The endpoint marked the reply as a refusal of the model."""
    finish_reason: str
    latency_ms: float
    """Of the whole try, waits and failed calls included."""
    begun_ms: float
    """From the question to the start of the try."""
    first_token_ms: float | None
    """From the try's start to the first token of its text; None when nothing was streamed."""
    calls: list[Call]
    """Every request that was sent for it, in order of sending; empty when a budget or a deadline forbade the first."""
    message_id: NotRequired[str]
    """Id of its message on LangGraph's stream."""
    log_probability: NotRequired[float]
    """Mean natural logarithm of the probability of its tokens, where the endpoint gives them; at most 0."""
    level: Literal["none", "cheap", "expensive", "full"]
    """Which context it read, as in ``Shortened.level``."""
    repaired: bool
    """It was told what was wrong with the try before."""
    failure: NotRequired[str]
    """Kind of failure; absent for a call that returned."""
    message: NotRequired[str]
    """One sentence about the failure that says what to do."""
