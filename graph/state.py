"""What comes in, what goes out, and everything between."""

import operator
from typing import Annotated

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict

from groat.types import Asked, Attempt, Charge, Identity, Lookup, Passage, Route, Shortened, Source, Verdict


class Input(TypedDict, total=False):
    """A question, alone or as the newest of the messages."""

    question: str
    """What the user asks. Leave it out when ``messages`` end with the question."""
    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation, oldest first. On a thread only the new message is needed."""


class Output(TypedDict, total=False):
    """The answer with everything that explains it."""

    answer: str
    """Empty only when every model call failed; then ``error`` says what to do."""
    verified: bool
    """All checks passed, or the answer was kept after they had."""
    sources: list[Source]
    """Documents that the answer quotes."""
    error: str
    """One sentence when there is no answer, else empty."""
    path: Annotated[list[str], operator.add]
    """The boxes that the question went through."""
    cost_usd: str | None
    """What this question cost at list prices, decimal dollars; None when a price is unknown."""
    baseline_cost_usd: str | None
    """What one call of the expensive model with all retrieved passages would have cost."""
    first_token_ms: float | None
    """From the question to the first token that the user could read, validated or not as the knob ``stream`` says."""
    run: str
    """Names this turn in the ledger."""
    asked: Asked
    lookup: Lookup
    route: Route | None
    """None on a hit."""
    shortened: Shortened | None
    """None when nothing was compressed: a hit, small talk, or no documents."""
    attempts: Annotated[list[Attempt], operator.add]
    verdicts: Annotated[list[Verdict], operator.add]
    charges: Annotated[list[Charge], operator.add]
    messages: Annotated[list[AnyMessage], add_messages]


class State(Input, Output, total=False):
    """All of it. Written anew by ``check_cache`` at each turn of a conversation, all but the messages."""

    asked_at: float
    """Written by check_cache: when the question came, in seconds since 1970; its deadline counts from here."""
    identity: Identity
    """Written by check_cache: what the answer is kept under."""
    passages: list[Passage]
    """Written by retrieve: best first; empty when the tenant has no documents."""
