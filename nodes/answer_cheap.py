"""Ask the cheap model."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.answering import Answerer, Repair, try_answer
from groat.costs import Books, total
from groat.tracing import names
from groat.types import Asked, Attempt, Box, Charge, Passage, Route, Shortened, Tier, Usage, Verdict
from nodes import Knobs


class Needs(TypedDict):
    """What this box reads."""

    run: str
    asked: Asked
    route: Route
    passages: list[Passage]
    shortened: Shortened | None
    attempts: list[Attempt]
    verdicts: list[Verdict]
    charges: list[Charge]


class Update(TypedDict):
    """What this box writes."""

    attempts: list[Attempt]
    charges: list[Charge]
    path: list[str]


@dataclass(frozen=True, kw_only=True)
class AnswerCheap:
    """The box ``answer_cheap``."""

    tier: ClassVar[Tier] = "cheap"
    box: ClassVar[Box] = "answer_cheap"

    answerer: Answerer
    books: Books

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return one more attempt, good or failed, and what it cost."""
        shortened = state["shortened"]
        tried = await try_answer(
            self.answerer,
            state["asked"],
            box=self.box,
            tier=self.tier,
            kind=state["route"]["kind"],
            passages=shortened["passages"] if shortened else [],
            level=shortened["level"] if shortened else "none",
            repair=_repair(state["attempts"], state["verdicts"]),
            affordable=lambda given: self._affordable(given, state["charges"], runtime.context),
        )
        charges: list[Charge] = []
        if tried.usage is not None:
            endpoint = self.answerer.endpoints[self.tier]
            charges = [
                self.books.chat(
                    key=f"{state['run']}:{self.box}:{len(state['attempts'])}",
                    model=endpoint.name,
                    priced_as=endpoint.priced_as,
                    tier=self.tier,
                    usage=tried.usage,
                    outcome=tried.attempt.get("failure", "ok"),
                )
            ]
        failed = await self.books.record(charges, run=state["run"], tenant=state["asked"]["tenant"]) if charges else None
        event = {key: value for key, value in tried.attempt.items() if key != "text"}
        runtime.stream_writer({names.EVENT: names.ATTEMPTED, **event, "ledger_failed": failed})
        return {"attempts": [tried.attempt], "charges": charges, "path": [self.box]}

    def _affordable(self, input_tokens: int, charges: Sequence[Charge], knobs: Knobs) -> int | None:
        """Return how many tokens of answer the budget still pays; None without a budget."""
        if knobs.max_cost_usd is None:
            return None
        spent, model = total(charges), self.answerer.endpoints[self.tier].priced_as
        prompt, million = (
            self.books.prices.cost({**_NOTHING, "input": given, "output": written}, model)
            for given, written in ((input_tokens, 0), (0, 1_000_000))
        )
        if spent is None or prompt is None or million is None:
            # What has no known price cannot be shown to fit: budgets fail closed.
            return 0
        left = Decimal(str(knobs.max_cost_usd)) - spent - prompt
        if left < 0 or million == 0:
            return 0 if left < 0 else None
        return int(left / million * 1_000_000)


_NOTHING: Usage = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True}


def _repair(attempts: Sequence[Attempt], verdicts: Sequence[Verdict]) -> Repair | None:
    if not verdicts or verdicts[-1]["step"] != "fix":
        return None
    if "failure" in attempts[-1]:
        # The model never read the question, or nobody its answer: there is nothing to tell it.
        return {"answer": "", "problems": []}
    problems = [check["reason"] for check in verdicts[-1]["checks"] if not check["passed"]]
    return {"answer": attempts[-1]["text"], "problems": problems}
