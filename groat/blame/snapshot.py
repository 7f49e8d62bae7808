"""What is kept of one run so that any part of it can be run again, and what is said about it afterwards."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict

from groat.types import (
    Asked,
    Attempt,
    Box,
    Charge,
    Identity,
    Lookup,
    Passage,
    Route,
    Shortened,
    Source,
    Verdict,
)

FORMAT: Final = 1
"""Of the body of a kept run; changes when a field changes its meaning."""

Origin = Literal[
    "wrong_hit",
    "stale",
    "retrieval",
    "compression",
    "router",
    "model_cheap",
    "model_expensive",
    "validation",
    "knowledge",
    "unanswerable",
]
"""Where a bad answer comes from: the kept answer belongs to another question, or the documents have changed under it; the
passages that answer were not found, or were left out of the context; the cheap model was chosen for what it cannot answer; a
model slipped; a right answer was rejected; the documents do not hold the answer or hold a wrong one; nothing could answer."""

Finding = Origin | Literal["no_fault", "unclear"]
"""What came of an investigation: an origin, an answer that was right after all, or no verdict."""

MarkKind = Literal["user", "validator", "evaluator", "person"]
"""Who said how good an answer was: a user's thumb, validation, an evaluator with a reference, or a person who looked."""


class Versions(TypedDict):
    """Which prompts and artifacts took part."""

    prompts: str
    cache: str
    """Of the rule that decides on hits."""
    router: str
    """"none" on a hit."""
    acceptance: str
    """Of the model that estimates how sure one may be; "none" when the checks decided alone."""
    embedder: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One run as it was: what each box was given and what it decided.

    The kinds of ``groat.types`` are held as they travelled in the state. Without texts (``without_texts``) the decisions, ids,
    versions and amounts are all there, and nothing can be run again.
    """

    run: str
    trace: str
    """Id of the run in LangGraph and LangSmith; empty when the caller named none."""
    otel_trace: str
    """Id of the OpenTelemetry trace, 32 hexadecimal digits; empty without one."""
    at: float
    """When the question came, in seconds since 1970."""
    asked: Asked
    """The question and the conversation before it."""
    knobs: dict[str, Any]
    """The context of the run, by name; it holds no secret."""
    identity: Identity
    lookup: Lookup
    """On a hit its ``served`` says what the kept answer stood on."""
    passages: list[Passage]
    route: Route | None
    shortened: Shortened | None
    """What the last attempt read."""
    attempts: list[Attempt]
    verdicts: list[Verdict]
    charges: list[Charge]
    path: list[Box]
    answer: str
    verified: bool
    sources: list[Source]
    error: str
    cost_usd: str | None
    """Decimal dollars; None when a price is unknown."""
    baseline_cost_usd: str | None
    versions: Versions
    seeds: dict[str, int]
    """What models or tests were seeded with, by name; empty where nothing is."""
    texts: bool = True
    """Whether questions, answers and passages are in it."""

    @property
    def is_hit(self) -> bool:
        """Whether a kept answer was served."""
        return self.lookup["outcome"] == "hit"

    @property
    def cache(self) -> str:
        """How the cache came into it: "exact" or "semantic" for a hit, else the outcome of the lookup."""
        return self.lookup["tier"] or self.lookup["outcome"]

    @property
    def tier(self) -> str:
        """Tier of the newest attempt; empty on a hit."""
        return self.attempts[-1]["tier"] if self.attempts else ""

    @property
    def step(self) -> str:
        """The last step of validation; empty on a hit."""
        return self.verdicts[-1]["step"] if self.verdicts else ""

    @property
    def is_bad(self) -> bool:
        """Whether the run itself says that its answer is bad: nothing was accepted, or nothing was answered."""
        return not self.verified or bool(self.error)

    @property
    def documents(self) -> set[str]:
        """Ids of all documents that are named in it."""
        served = self.lookup.get("served")
        return (
            {passage["document_id"] for passage in self.passages}
            | {source["id"] for source in self.sources}
            | {document["id"] for document in (served["documents"] if served else [])}
        )


def without_texts(run: Snapshot) -> Snapshot:
    """Return the run without any word of a question, an answer, a document or an instruction. Pure.

    Sentences that say why something was decided go too where they may quote: those of checks and of model errors.
    """
    asked: Asked = {**run.asked, "text": "", "search_text": "", "history": []}
    asked.pop("instructions", None)
    lookup: Lookup = {**run.lookup}
    if (candidate := lookup["candidate"]) is not None:
        lookup["candidate"] = {**candidate, "question": ""}
    if (served := lookup.get("served")) is not None:
        lookup["served"] = {**served, "question": ""}
    shortened: Shortened | None = None
    if run.shortened is not None:
        shortened = {**run.shortened, "passages": [_bare(one) for one in run.shortened["passages"]]}
    knobs = {name: value for name, value in run.knobs.items() if name not in ("tools", "response_schema")}
    return replace(
        run,
        asked=asked,
        knobs=knobs,
        lookup=lookup,
        passages=[_bare(one) for one in run.passages],
        shortened=shortened,
        attempts=[_silent_attempt(one) for one in run.attempts],
        verdicts=[_silent_verdict(one) for one in run.verdicts],
        answer="",
        sources=[{**one, "title": ""} for one in run.sources],
        texts=False,
    )


def _bare(passage: Passage) -> Passage:
    return {**passage, "text": "", "title": "", "heading": "", "sentences": []}


def _silent_attempt(attempt: Attempt) -> Attempt:
    silent: Attempt = {**attempt, "text": ""}
    silent.pop("message", None)
    return silent


def _silent_verdict(verdict: Verdict) -> Verdict:
    silent: Verdict = {**verdict, "reason": "", "checks": [{**check, "reason": ""} for check in verdict["checks"]]}
    if (acceptance := silent.get("acceptance")) is not None:
        opinion = acceptance["opinion"]
        silent["acceptance"] = {
            **acceptance,
            "opinion": None if opinion is None else {**opinion, "text": ""},
            "opinions": [{**one, "text": ""} for one in acceptance["opinions"]],
        }
    return silent


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What somebody said of a run's answer."""

    run: str
    kind: MarkKind
    at: float
    """Seconds since 1970."""
    bad: bool
    score: float | None = None
    """0..1, higher is better; None for a plain good or bad."""
    reference: dict[str, Any] | None = None
    """The right answer, in the form of ``groat.blame.reference.Reference``; None when nobody said what is right."""
    note: str = ""
    """A person's words."""
    by: str = ""
    """Name of the evaluator or of the person; empty for unknown."""


@dataclass(frozen=True, kw_only=True)
class Blamed:
    """What an investigation found, as it is kept."""

    run: str
    at: float
    """When it ended, in seconds since 1970."""
    origin: Finding
    missed_by: str
    """Which check should have caught it; "none" when none could."""
    confidence: float
    """Probability of the origin, 0..1, the judge's errors counted in."""
    second: Origin | None
    """Another fault that took part; None for none."""
    calls: int
    """Calls of chat models that the investigation made."""
    cost_usd: str | None
    """Decimal dollars; None when a price is unknown."""
    body: dict[str, Any]
    """The whole of it, as ``groat blame --json`` prints it."""
