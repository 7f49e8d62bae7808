"""Ask the cheap model."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.answering import Answerer, Repair, Terms, Wanted, try_answer
from groat.costs import Books, Budgets, KeptReply, Purse
from groat.tracing import names
from groat.tracing.names import attributes as at
from groat.tracing.spans import say
from groat.types import Asked, Attempt, Box, Charge, Passage, Route, Shortened, Tier, Verdict
from nodes import Knobs, paid_terms


class Needs(TypedDict):
    """What this box reads."""

    run: str
    asked_at: float
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
    budgets: Budgets

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return one more attempt, good or failed, and what each of its requests cost."""
        key = f"{state['run']}:{self.box}:{len(state['attempts'])}"
        if (kept := await self.books.kept_reply(key)) is not None:
            # A worker died after this was paid for and before the state was saved.
            say({at.ATTEMPT_REUSED: True})
            return cast(Update, json.loads(kept))
        purse = Purse(
            self.books,
            self.budgets,
            run=state["run"],
            tenant=state["asked"]["tenant"],
            box=self.box,
            tier=self.tier,
            spent=state["charges"],
            max_cost_usd=runtime.context.max_cost_usd,
            purpose="decompress" if state["verdicts"] and state["verdicts"][-1]["step"] == "decompress" else "answer",
        )
        kept_with: list[KeptReply] = []

        def keep(attempt: Attempt) -> KeptReply:
            kept_with.append(KeptReply(key=key, json=json.dumps(self._update(attempt, purse))))
            return kept_with[-1]

        terms = self._terms(key, state, runtime, purse, keep)
        wanted = self.wanted(state, runtime.context.response_schema)
        attempt = await try_answer(self.answerer, state["asked"], wanted, terms)
        update = self._update(attempt, purse)
        reply = KeptReply(key=key, json=json.dumps(update))
        if purse.charges and kept_with[-1:] != [reply]:
            # It failed, or another request was over after the one that it came from.
            await self.books.record([], run=state["run"], tenant=state["asked"]["tenant"], reply=reply)
        event = {name: value for name, value in attempt.items() if name != "text"}
        runtime.stream_writer(
            {
                names.EVENT: names.ATTEMPTED,
                **event,
                "ledger_failed": purse.ledger_failed,
                "budget_warning": purse.warning,
            }
        )
        return update

    def _update(self, attempt: Attempt, purse: Purse) -> Update:
        return {"attempts": [attempt], "charges": purse.charges, "path": [self.box]}

    def wanted(self, state: Needs, schema: Mapping[str, object] | None) -> Wanted:
        """Return what the next try must produce."""
        shortened = state["shortened"]
        return Wanted(
            box=self.box,
            tier=self.tier,
            kind=state["route"]["kind"],
            passages=shortened["passages"] if shortened else [],
            level=shortened["level"] if shortened else "none",
            repair=_repair(state["attempts"], state["verdicts"]),
            schema=schema,
        )

    def _terms(
        self, key: str, state: Needs, runtime: Runtime[Knobs], purse: Purse, keep: Callable[[Attempt], KeptReply]
    ) -> Terms:
        attempt, tell = len(state["attempts"]), runtime.stream_writer
        endpoint = self.answerer.endpoints[self.tier]
        deadline_s = runtime.context.deadline_s
        terms = paid_terms(key, endpoint, purse, asked_at=state["asked_at"], deadline_s=deadline_s, keep=keep)

        def say(piece: str) -> None:
            tell({names.EVENT: names.TOKEN, "attempt": attempt, "text": piece})

        def retract() -> None:
            tell({names.EVENT: names.REPLACED, "attempt": attempt, "reason": "the reply broke off"})

        live = runtime.context.stream == "live"
        return replace(terms, on_token=say, on_retract=retract) if live else terms


def _repair(attempts: Sequence[Attempt], verdicts: Sequence[Verdict]) -> Repair | None:
    if not verdicts or verdicts[-1]["step"] != "fix":
        return None
    problems = [check["reason"] for check in verdicts[-1]["checks"] if not check["passed"]]
    return {"answer": attempts[-1]["text"], "problems": problems}
