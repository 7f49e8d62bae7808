"""A conversation with tools, passed on to a model as it is: nothing is looked up, shortened, checked or kept.

What an application does with its tools groat cannot know, so no kept answer may stand for a reply and no cheap one be judged.
The call is made at the same seam as all others: limits, retries, breakers, budgets, ledger, spans and LangSmith apply.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from graph.context import Context
from graph.seeing import SeenGraph
from graph.services import Services
from groat.answering import ASSUMED_OUTPUT, Direct, Endpoint, Reply, Sent, Watch, Wish, prompt_tokens
from groat.costs import Purse, QuestionOutcome, Settled, total_text
from groat.errors import BadInput, ModelError, UnknownTenant
from groat.tracing import names
from groat.tracing.requests import current_request
from groat.tracing.spans import box_span
from groat.types import Box, Charge, Tier
from nodes import Knobs, paid_terms

_BOXES: Final[Mapping[Tier, Box]] = {"cheap": "answer_cheap", "expensive": "answer_expensive"}


class Handed(TypedDict, total=False):
    """What comes in."""

    messages: list[AnyMessage]
    """The whole conversation."""
    parameters: dict[str, Any]
    """Fields of the request to the model, beside the messages."""
    max_output: int | None
    """Most tokens of the reply; None leaves it to the model."""
    streams: bool
    """Pieces are told as custom events while they come."""


class Passed(Handed, total=False):
    """What the model said, and what it cost."""

    reply: AIMessage
    finish_reason: str
    run: str
    box: Box
    charges: list[Charge]
    cost_usd: str | None
    baseline_cost_usd: str | None


def build_passing(services: Services) -> SeenGraph:
    """Return a graph of one step that hands a conversation on; its runs are seen like those of the picture."""
    g = StateGraph[Passed, Knobs, Handed, Passed](Passed, context_schema=Context, input_schema=Handed, output_schema=Passed)
    g.add_node("pass_on", PassOn(services))
    g.add_edge(START, "pass_on")
    g.add_edge("pass_on", END)
    compiled = cast("CompiledStateGraph[Any, Knobs, Any, Any]", g.compile(name="groat"))
    return SeenGraph.of(compiled, lambda: services.versions, services.runs)


@dataclass(frozen=True)
class PassOn:
    """The only step. The knob ``tier`` names the model: the expensive one unless it is "cheap"."""

    services: Services

    async def __call__(self, state: Handed, runtime: Runtime[Knobs]) -> Passed:
        """Return the reply with its charges.

        Raises:
            BadInput: the tier has no model that could use tools.
            UnknownTenant: the tenant is not known.
            ModelError: there is no reply; what its requests cost is in the ledger.
        """
        knobs = runtime.context
        tier: Tier = "cheap" if knobs.tier == "cheap" else "expensive"
        await self._check(knobs.tenant, tier)
        purse = Purse(
            self.services.books,
            self.services.budgets,
            run=uuid.uuid4().hex,
            tenant=knobs.tenant,
            box=_BOXES[tier],
            tier=tier,
            spent=[],
            max_cost_usd=knobs.max_cost_usd,
        )
        with box_span(_BOXES[tier]):
            try:
                reply = await self._ask(state, runtime, tier, purse)
            except ModelError:
                await self._settle(purse, None)
                raise
            return {**await self._settle(purse, reply), "charges": purse.charges}

    async def _check(self, tenant: str, tier: Tier) -> None:
        if self.services.answerer.endpoints[tier].offline:
            raise BadInput(
                f"tools need a model, and the {tier} tier is the offline answerer; set GROAT_{tier.upper()}_MODEL, or leave "
                "tools out"
            )
        if tenant not in self.services.tenants and tenant not in await self.services.knowledge.tenants():
            raise UnknownTenant(f"the tenant {tenant!r} is not known; ingest documents for it, or add it to GROAT_TENANTS")

    async def _ask(self, state: Handed, runtime: Runtime[Knobs], tier: Tier, purse: Purse) -> Reply:
        endpoint, asked_at, said = self.services.answerer.endpoints[tier], time.time(), False
        key, deadline_s = f"{purse.run}:{purse.box}:0", runtime.context.deadline_s
        terms = paid_terms(key, endpoint, purse, asked_at=asked_at, deadline_s=deadline_s)

        def tell(chunk: AIMessageChunk) -> None:
            nonlocal said
            said = True
            runtime.stream_writer({names.EVENT: names.CHUNK, names.CHUNK: chunk})

        direct = Direct(parameters=state["parameters"], on_chunk=tell if state["streams"] else None)
        tokens = prompt_tokens(state["messages"]) + direct.tokens
        most = _least(state["max_output"], terms.affordable(tokens))

        async def permit(number: int, chosen: Endpoint) -> None:
            if said:
                # What the caller has read cannot be taken back, so nobody may begin anew.
                raise ModelError("the reply broke off after it had begun; send the request again", failure="connection")
            await terms.permit(f"{terms.key}:{number}", chosen, tokens, chosen.most(most) or ASSUMED_OUTPUT)

        async def record(sent: Sent) -> None:
            await terms.record(f"{terms.key}:{sent.number}", sent, None)

        if most is not None and most < 1:
            raise ModelError("the budget of this question does not reach a call; raise max_cost_usd", failure="budget")
        reply, _ = await self.services.answerer.answer(
            state["messages"],
            tier=tier,
            wish=Wish(max_output=most, direct=direct),
            deadline=terms.deadline,
            watch=Watch(permit=permit, record=record),
        )
        return reply

    async def _settle(self, purse: Purse, reply: Reply | None) -> Passed:
        """Write down how it ended, and tell the trace; a ledger that fails costs nobody the reply."""
        cost = total_text(purse.charges)
        baseline = None if reply is None else self._baseline(reply)
        outcome: QuestionOutcome = "failed" if reply is None else "passed_on"
        await self.services.books.question(
            Settled(
                run=purse.run,
                tenant=purse.tenant,
                outcome=outcome,
                verified=False,
                escalated=False,
                cost_usd=cost,
                baseline_cost_usd=baseline,
                path=(purse.box,),
            )
        )
        if (request := current_request()) is not None:
            request.run, request.path, request.outcome = purse.run, [purse.box], outcome
            request.cost_usd, request.baseline_usd = cost, baseline
        if reply is None or reply.message is None:
            return {"run": purse.run}
        return {
            "run": purse.run,
            "box": purse.box,
            "reply": reply.message,
            "finish_reason": reply.finish_reason,
            "cost_usd": cost,
            "baseline_cost_usd": baseline,
        }

    def _baseline(self, reply: Reply) -> str | None:
        amount = self.services.books.baseline(input_tokens=reply.usage["input"], output_tokens=reply.usage["output"])
        return None if amount is None else f"{amount:f}"


def _least(*bounds: int | None) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)
