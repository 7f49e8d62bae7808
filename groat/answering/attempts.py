"""One try at an answer: prompt, budget, requests, record."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import BaseMessage

from groat.answering.chat import Answerer
from groat.answering.endpoint import Endpoint, Reply, Sent
from groat.answering.prompts import NO_ANSWER, Repair, build_prompt
from groat.answering.runner import ASSUMED_OUTPUT, Watch
from groat.answering.usage import prompt_tokens
from groat.answering.wire import Wish
from groat.errors import ModelError
from groat.text import unfenced
from groat.types import Asked, Attempt, Box, Call, Passage, QuestionKind, Tier


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one try may take, and who is told of it."""

    key: str
    """Begins the key of every request's charge; another one at a re-execution, whose requests are others."""
    asked_at: float
    """When the question came, in seconds since 1970."""
    deadline: float
    """Until when it must be answered, in seconds since 1970."""
    affordable: Callable[[int], int | None]
    """Tells from the tokens of the prompt how many tokens of answer the budget of the question still pays; None: any number.
    With fewer than ``ASSUMED_OUTPUT`` nothing is sent; otherwise the model is held to that number."""
    permit: Callable[[str, Endpoint, int, int], Awaitable[None]]
    """Asked before each request: its key, who is asked, tokens of the prompt, most tokens of the answer (assumed where no
    number is set). Raises ModelError to forbid it."""
    record: Callable[[str, Sent, Attempt | None], Awaitable[None]]
    """Told of each request when it is over, with its key and the attempt that its reply makes; None when it brought none."""
    on_token: Callable[[str], None] | None = None
    """Gets the answer piece by piece, before it is validated; None: not streamed."""
    on_retract: Callable[[], None] | None = None
    """Told that the pieces passed on so far belong to a reply that broke off."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the try must produce."""

    box: Box
    """The box that asks, for the record."""
    tier: Tier
    kind: QuestionKind
    passages: Sequence[Passage]
    """The context; empty for small talk and translations."""
    level: Literal["none", "cheap", "expensive", "full"]
    """How the context was made, for the record."""
    repair: Repair | None = None
    """What was wrong with the answer before; None at a first try."""
    schema: Mapping[str, object] | None = None
    """JSON Schema that the answer must fit; None for prose."""


async def try_answer(
    answerer: Answerer,
    asked: Asked,
    wanted: Wanted,
    terms: Terms,
    *,
    prompt: Sequence[BaseMessage] | None = None,
    endpoints: Sequence[Endpoint] = (),
) -> Attempt:
    """Return one try. A failed one is an attempt too, with its failure and all its requests; nothing is raised for it.

    Args:
        answerer: the seam.
        asked: the question.
        wanted: what the try must produce.
        terms: what it may take.
        prompt: sent in place of the prompt for this question.
        endpoints: asked in place of the tier's own.
    """
    if prompt is None:
        prompt = build_prompt(asked, wanted.passages, kind=wanted.kind, repair=wanted.repair, schema=wanted.schema)
    tokens = prompt_tokens(prompt)
    attempt = _nothing_yet(answerer, wanted, terms.asked_at)
    listening = _Listening(terms, attempt, fenced=wanted.schema is not None)
    most = terms.affordable(tokens)
    if most is not None and most < ASSUMED_OUTPUT:
        message = f"the budget of this question does not reach a call of the {wanted.tier} model; raise max_cost_usd"
        return {**attempt, "failure": "budget", "message": message}
    try:
        reply, endpoint = await answerer.answer(
            prompt,
            tier=wanted.tier,
            wish=Wish(
                max_output=most,
                schema=wanted.schema,
                on_token=None if terms.on_token is None else listening.hear,
            ),
            deadline=terms.deadline,
            watch=listening.watch(tokens, most),
            endpoints=endpoints,
        )
    except ModelError as error:
        return {
            **attempt, "latency_ms": listening.elapsed_ms, "failure": error.failure, "message": str(error)
        }  # fmt: skip
    return listening.attempt_of(reply, endpoint)


def _nothing_yet(answerer: Answerer, wanted: Wanted, asked_at: float) -> Attempt:
    return {
        "box": wanted.box,
        "tier": wanted.tier,
        "model": answerer.endpoints[wanted.tier].name,
        "text": "",
        "abstained": False,
        "finish_reason": "",
        "begun_ms": round((time.time() - asked_at) * 1000, 2),
        "latency_ms": 0.0,
        "first_token_ms": None,
        "calls": [],
        "level": wanted.level,
        "repaired": wanted.repair is not None,
    }


def _answered(attempt: Attempt, reply: Reply, first_token_ms: float | None) -> Attempt:
    said: Attempt = {
        **attempt,
        "text": reply.text,
        "abstained": reply.text.strip().strip(".。 ").casefold() == NO_ANSWER,
        "finish_reason": reply.finish_reason,
        "first_token_ms": first_token_ms,
        "message_id": reply.message_id,
    }
    if reply.refused:
        said["refused"] = True
    if reply.log_probability is not None:
        said["log_probability"] = round(reply.log_probability, 4)
    return said


class _Listening:
    """Writes down what happens during one try.

    Args:
        terms: who is told.
        attempt: the try before anything was sent; its list of calls grows.
        fenced: JSON is wanted, which models like to put between fences.
    """

    def __init__(self, terms: Terms, attempt: Attempt, *, fenced: bool) -> None:
        self._attempt = attempt
        self._fenced = fenced
        self._made: list[tuple[Reply, Attempt]] = []
        self._terms = terms
        self._begun = time.perf_counter()
        self._first: float | None = None

    @property
    def elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._begun) * 1000, 2)

    @property
    def first_token_ms(self) -> float | None:
        return None if self._first is None else round((self._first - self._begun) * 1000, 2)

    def hear(self, piece: str) -> None:
        assert self._terms.on_token is not None  # else nobody streams
        if self._first is None:
            self._first = time.perf_counter()
        self._terms.on_token(piece)

    def attempt_of(self, reply: Reply, endpoint: Endpoint) -> Attempt:
        """Return the attempt that a reply makes: the one that was recorded, where its request was."""
        for known, attempt in self._made:
            if known is reply:
                return attempt
        begun: Attempt = {**self._attempt, "model": endpoint.name, "latency_ms": self.elapsed_ms}
        attempt = _answered(begun, reply, self.first_token_ms)
        if self._fenced:
            attempt["text"] = unfenced(attempt["text"])
        self._made.append((reply, attempt))
        return attempt

    def watch(self, tokens: int, wished: int | None) -> Watch:
        """Return what the seam asks and tells."""

        async def permit(number: int, endpoint: Endpoint) -> None:
            most = endpoint.most(wished) or ASSUMED_OUTPUT
            await self._terms.permit(f"{self._terms.key}:{number}", endpoint, tokens, most)

        async def record(sent: Sent) -> None:
            key = f"{self._terms.key}:{sent.number}"
            calls = self._attempt["calls"]
            calls.append(_call(key, sent))
            calls.sort(key=lambda call: int(call["key"].rpartition(":")[2]))
            await self._terms.record(key, sent, self.attempt_of(sent.reply, sent.endpoint) if sent.reply else None)

        def retract() -> None:
            self._first = None
            if self._terms.on_retract is not None:
                self._terms.on_retract()

        return Watch(permit=permit, record=record, retract=retract)


def _call(key: str, sent: Sent) -> Call:
    return {
        "key": key,
        "model": sent.endpoint.name,
        "outcome": sent.outcome,
        "status": None if sent.error is None else sent.error.status,
        "waited_ms": round(sent.waited_ms, 2),
        "latency_ms": round(sent.latency_ms, 2),
        "first_token_ms": None if sent.first_token_ms is None else round(sent.first_token_ms, 2),
        "hedge": sent.hedge,
    }
