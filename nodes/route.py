"""Choose the model that answers."""

from dataclasses import dataclass

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.answering import ASSUMED_OUTPUT
from groat.costs import Books, Budgets
from groat.embedding import Embedder
from groat.routing import Allowance, Evidence, Router, question_kind
from groat.text import count_tokens
from groat.tracing import names
from groat.types import Asked, Charge, Passage, Route
from nodes import Knobs
from nodes.compress import USUALLY_KEPT, lost_for_good

_PROMPT_WITHOUT_DOCUMENTS = 300
"""Tokens of rules, question and tags, rounded up."""


class Needs(TypedDict):
    """What this box reads."""

    run: str
    asked: Asked
    passages: list[Passage]
    charges: list[Charge]


class Update(TypedDict):
    """What this box writes."""

    route: Route
    charges: list[Charge]
    path: list[str]


@dataclass(frozen=True, kw_only=True)
class RouteQuestion:
    """The box ``route``."""

    router: Router
    allowance: Allowance
    embedder: Embedder
    books: Books
    budgets: Budgets

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return the route; the vector of the question is the one that the cache and retrieval used."""
        knobs = runtime.context
        asked = state["asked"]
        looked_at = question_kind(asked["text"]) == "knowledge"
        vector = await self.embedder.query(asked["search_text"]) if looked_at else None
        await self.router.refresh()
        route = self.router.route(
            asked,
            vector,
            Evidence.of(state["passages"]),
            tier=knobs.tier,
            max_quality_loss=knobs.max_quality_loss,
            domain=knobs.collection,
        )
        if knobs.tier == "auto" and looked_at:
            route = self._settled(route, asked, knobs.max_quality_loss, shortens=bool(state["passages"]))
        if (
            route["tier"] == "expensive"
            and knobs.tier == "auto"
            and (self._too_dear(state["passages"], knobs) or await self._spent(asked["tenant"]))
        ):
            reasons = [*route["reasons"], "the budget does not reach the expensive model"]
            route = {**route, "tier": "cheap", "reasons": reasons, "budget_bound": True}
        charges: list[Charge] = []
        failed = None
        if looked_at and not any(charge["kind"] == "embedding" for charge in state["charges"]):
            key = f"{state['run']}:route:embedding"
            charges = [self.books.embedding(key=key, box="route", model=self.embedder.name, text=asked["search_text"])]
            failed = await self.books.record(charges, run=state["run"], tenant=asked["tenant"])
        runtime.stream_writer({names.EVENT: names.ROUTED, **route, "ledger_failed": failed})
        return {"route": route, "charges": charges, "path": ["route"]}

    def _settled(self, route: Route, asked: Asked, promise: float, *, shortens: bool) -> Route:
        """Return the route after the account of the promise; what would be saved is told by the expensive model's price."""
        given = (
            route.get("document_tokens", 0) * (USUALLY_KEPT if shortens else 1)
            + count_tokens(asked["text"])
            + _PROMPT_WITHOUT_DOCUMENTS
        )
        cost = self.books.baseline(input_tokens=round(given), output_tokens=ASSUMED_OUTPUT)
        return self.allowance.settle(
            route,
            asked,
            max_quality_loss=promise,
            # Without a price all questions are worth the same.
            worth=1.0 if cost is None else float(cost),
            spent=lost_for_good(promise) if shortens else 0.0,
        )

    async def _spent(self, tenant: str) -> bool:
        """Tell whether a budget of the day leaves the cheap model only."""
        standing = await self.budgets.standing(tenant)
        return standing.over and standing.policy == "degrade"

    def _too_dear(self, passages: list[Passage], knobs: Knobs) -> bool:
        if knobs.max_cost_usd is None:
            return False
        given = sum(count_tokens(passage["text"]) for passage in passages) + _PROMPT_WITHOUT_DOCUMENTS
        cost = self.books.baseline(input_tokens=given, output_tokens=ASSUMED_OUTPUT)
        # A price that is not known cannot be shown to fit the budget.
        return cost is None or float(cost) > knobs.max_cost_usd
