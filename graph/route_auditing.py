"""What audits of the router ask of the rest: the answer of the other tier, and a comparison of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.runtime import Runtime

from graph.auditing import AUDIT_RUN, Comparison
from graph.context import Context
from graph.settings import Settings
from groat.cache.audit import Pair
from groat.cache.background import Background
from groat.costs import AuditBooks, total_text
from groat.routing.audit import Asks, Bought, Compared, Ended, Given, RouteAudits
from groat.routing.records import RouteRecords
from groat.routing.router import Evidence
from groat.types import Asked, Attempt, Charge, Passage, Tier, Verdict
from nodes import Knobs
from nodes.validate import Needs, Update, Validate

if TYPE_CHECKING:
    from graph.services import Services

RECORDS = "routing.sqlite"
"""The file of the records, in the folder of data."""
_BOXES: dict[Tier, str] = {"cheap": "answer_cheap", "expensive": "answer_expensive"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What another answer to a question needs."""

    knobs: Knobs
    passages: Sequence[Passage]
    """What retrieval found."""


def open_records(settings: Settings) -> RouteRecords:
    """Return the records of routing in the folder of data."""
    return RouteRecords(settings.data_dir / RECORDS, keep_days=settings.route_keep_days)


def open_route_audits(settings: Settings, services: "Services") -> RouteAudits:
    """Return what audits the router, and records what a candidate would have decided.

    Nothing is audited without two tiers that can be told apart: when one model stands in both, or one answers offline.

    Args:
        settings: what is set.
        services: what answers a question; it needs no audits of its own.
    """
    cheap, expensive = services.answerer.endpoints["cheap"], services.answerer.endpoints["expensive"]
    two = cheap.scope != expensive.scope and not cheap.offline and not expensive.offline
    at_own_cost = replace(services, books=AuditBooks.beside(services.books))
    asks = Asks(
        other=AskTier(at_own_cost),
        compare=CompareTiers(at_own_cost),
        embed=services.embedder.query,
        embedder=services.embedder.name,
        total=_sum,
    )
    share = settings.route_audit_share if two else 0.0
    return RouteAudits(
        open_records(settings), asks, Background(), Background(), share=share, keep_text=settings.route_keep_text
    )


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The box ``validate``, which tells the audits of every question that the router sent somewhere and that has ended."""

    box: Validate
    audits: RouteAudits

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return what the box returns."""
        update = await self.box(state, runtime)
        knobs, route = runtime.context, state["route"]
        if "answer" in update and knobs.tier == "auto" and route["kind"] == "knowledge":
            self.audits.decided(state["run"], state["asked"], route)
            # A structure is not compared with another, and what a budget chose is no choice of the router.
            if knobs.response_schema is None and not route.get("budget_bound"):
                self.audits.answered(_ended(state, update, knobs))
        return update


def watched(box: Validate, audits: RouteAudits | None) -> "Validate | Watched":
    """Return the box, with the audits told of every question unless there are none."""
    return box if audits is None else Watched(box=box, audits=audits)


def _ended(state: Needs, update: Update, knobs: Knobs) -> Ended:
    verdicts = [*state["verdicts"], *update["verdicts"]]
    return Ended(
        run=state["run"],
        asked=state["asked"],
        route=state["route"],
        evidence=Evidence.of(state["passages"]),
        given=given_by_tier(state["attempts"], verdicts, state["charges"]),
        domain=knobs.collection,
        again=Request(knobs=knobs, passages=state["passages"]),
    )


def given_by_tier(attempts: Sequence[Attempt], verdicts: Sequence[Verdict], charges: Sequence[Charge]) -> dict[Tier, Given]:
    """Return what each tier that answered made of a question: its last attempt, which is its best after fixes."""
    found: dict[Tier, Given] = {}
    for attempt, verdict in zip(attempts, verdicts, strict=True):
        used = [
            charge["usage"]
            for charge in charges
            if charge["box"] == _BOXES[attempt["tier"]] and charge["kind"] == "chat" and charge["outcome"] == "ok"
        ]
        found[attempt["tier"]] = Given(
            model=attempt["model"],
            answer=attempt["text"],
            ok=all(check["passed"] for check in verdict["checks"]) and not attempt["abstained"] and "failure" not in attempt,
            failed="failure" in attempt,
            in_tokens=sum(usage["input"] for usage in used) if used else None,
            out_tokens=sum(usage["output"] for usage in used) if used else None,
        )
    return found


class AskTier:
    """Has one tier answer a question through the whole graph, without the cache.

    Args:
        services: what answers; their books say what the charges are for.
    """

    def __init__(self, services: "Services") -> None:
        """Build nothing yet."""
        self._services = services
        self._graph: Any = None

    async def __call__(self, ended: Ended, tier: Tier) -> Bought:
        """Return what came of it; nothing is asked when the tenant's budget, or that of all, is spent."""
        standing = await self._services.budgets.standing(ended.asked["tenant"])
        if standing.over:
            return Bought(given=None)
        if self._graph is None:
            # Imported here: the graph is built from the services, which hold this.
            from graph.build import build_graph

            self._graph = build_graph(self._services)
        request = cast(Request, ended.again)
        context = replace(cast(Context, request.knobs), use_cache=False, stream="hold", tier=tier)
        output = await self._graph.ainvoke({"messages": messages_of(ended.asked)}, config=AUDIT_RUN, context=context)
        charges = output["charges"]
        given = given_by_tier(output["attempts"], output["verdicts"], charges).get(tier)
        calls = sum(charge["kind"] == "chat" for charge in charges)
        spent = total_text(charges)
        return Bought(given=given or _nothing(self._services, tier), cost_usd=spent, calls=calls)


class CompareTiers:
    """Tells whether the cheap answer says what the expensive one does, as audits of the cache compare two answers.

    Args:
        services: what is asked; their books say what the charges are for.
    """

    def __init__(self, services: "Services") -> None:
        """Ask nobody yet."""
        self._services = services

    async def __call__(self, ended: Ended, given: Mapping[Tier, Given]) -> Compared:
        """Return the outcome; a judge that is set is asked where the texts do not show the same."""
        pair = Pair(
            run=ended.run,
            asked=ended.asked,
            kept=given["cheap"].answer,
            fresh=given["expensive"].answer,
            passages=cast(Request, ended.again).passages,
            dear=True,
        )
        paid: list[Charge] = []
        same = await Comparison(self._services, name="route-audit", paid=paid.extend)(pair)
        return Compared(same=same, cost_usd=total_text(paid), calls=len(paid))


def messages_of(asked: Asked) -> list[AnyMessage]:
    """Return a question with its conversation and instructions, to be asked again."""
    told: list[AnyMessage] = [SystemMessage(asked["instructions"])] if "instructions" in asked else []
    kinds = {"user": HumanMessage, "assistant": AIMessage}
    return [*told, *(kinds[turn["role"]](turn["content"]) for turn in asked["history"]), HumanMessage(asked["text"])]


def _nothing(services: "Services", tier: Tier) -> Given:
    return Given(model=services.answerer.endpoints[tier].name, answer="", ok=False, failed=True)


def _sum(one: str | None, other: str | None) -> str | None:
    return None if one is None or other is None else f"{Decimal(one) + Decimal(other):f}"
