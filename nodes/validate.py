"""Check the newest attempt and say what follows; settle the answer when nothing more follows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from langchain_core.messages import AnyMessage
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.answering import (
    Adviser,
    Answerer,
    Settled,
    Wanted,
    adviser_prompt,
    ask_adviser,
    build_prompt,
    first_token_ms,
    messages_of,
    opinion_of,
    prompt_tokens,
    settle,
    shown,
    together,
)
from groat.costs import Books, Budgets, Purse, QuestionOutcome, total_text
from groat.costs import Settled as Closed
from groat.embedding import Embedder
from groat.errors import StorageError
from groat.knowledge import Knowledge
from groat.routing import promised
from groat.text import count_tokens
from groat.tracing import names
from groat.types import BOUNDS, Acceptance, Asked, Attempt, Bounds, Charge, Check, Opinion, Passage, Route, Shortened, Source
from groat.types import Verdict as Verdict
from groat.validation import (
    CUT,
    MEASURED_EMBEDDER,
    AcceptanceModel,
    agreement,
    check_answer,
    decide,
    doubtful,
    evidence_of,
    worth,
)
from nodes import Knobs, paid_terms

LIKELIER_WORSE = 0.5
"""Below this ``p_ok`` the expensive answer is likelier better than not, and the cheap one goes up whatever was promised."""


def never(attempt: Attempt) -> bool:
    """Say that every answer is read."""
    return False


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


class Update(TypedDict, total=False):
    """What this box writes; all but verdicts, charges and path only when the answer is settled."""

    verdicts: list[Verdict]
    charges: list[Charge]
    path: list[str]
    answer: str
    verified: bool
    sources: list[Source]
    error: str
    cost_usd: str | None
    baseline_cost_usd: str | None
    first_token_ms: float | None
    messages: list[AnyMessage]


@dataclass(frozen=True, kw_only=True)
class Validate:
    """The box ``validate``."""

    books: Books
    budgets: Budgets
    knowledge: Knowledge
    embedder: Embedder
    answerer: Answerer
    acceptance: AcceptanceModel | None
    """Judges cheap answers that passed their checks; None leaves it to the checks."""
    advisers: Sequence[Adviser]
    """Asked for opinions one by one, each when that is worth its price; by rising price, none for nobody."""
    unread: Callable[[Attempt], bool] = never
    """Says which answers are accepted as they are: of recorded outcomes there may be no text to check."""

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return the verdict, and with "accept" or "exhausted" the settled answer."""
        knobs, attempts, shortened = runtime.context, state["attempts"], state["shortened"]
        unread = "failure" not in attempts[-1] and self.unread(attempts[-1])
        checks, charges = ([], []) if unread else await self._checked(state, knobs)
        bounds = self._bounds(knobs, state["asked"]["tenant"])
        acceptance = None
        if not unread and self._may_go_up(state, checks, bounds):
            acceptance, more = await self._sureness(state, checks, runtime)
            charges += more
        verdict = decide(
            checks,
            attempts,
            state["verdicts"],
            shortened=shortened is not None and shortened["tokens_after"] < shortened["tokens_before"],
            bounds=bounds,
            acceptance=acceptance,
        )
        runtime.stream_writer({names.EVENT: names.JUDGED, **shown(verdict)})
        update: Update = {"verdicts": [verdict], "charges": charges, "path": ["validate"]}
        settled = None
        if verdict["step"] in {"accept", "exhausted"}:
            verdicts, structured = [*state["verdicts"], verdict], knobs.response_schema is not None
            settled = settle(state["asked"], attempts, verdicts, state["passages"], structured=structured)
            update = {**update, **await self._close(state, verdict, settled, charges)}
        newest = len(attempts) - 1
        if knobs.stream == "live" and attempts[newest]["text"] and (settled is None or settled.attempt != newest):
            runtime.stream_writer({names.EVENT: names.REPLACED, "attempt": newest, "reason": verdict["reason"]})
        return update

    async def _checked(self, state: Needs, knobs: Knobs) -> tuple[list[Check], list[Charge]]:
        """Return the checks; where only words are missing, vectors are asked whether the documents say the same in others."""
        asked, attempt, kind, schema = state["asked"], state["attempts"][-1], state["route"]["kind"], knobs.response_schema
        given = state["shortened"]["passages"] if state["shortened"] else []
        earlier = [one["text"] for one in state["attempts"][:-1] if one["finish_reason"] not in CUT]
        check = partial(check_answer, asked, attempt, given, kind=kind, schema=schema, earlier=earlier)
        checks = check()
        wrong = {check["name"] for check in checks if not check["passed"]}
        if wrong != {"support"} or self.embedder.name != MEASURED_EMBEDDER:
            return checks, []
        said = doubtful(asked, attempt, given, schema=schema)
        try:
            known = [rows for rows in await self.knowledge.sentence_vectors(state["passages"]) if rows is not None]
        except StorageError:  # without vectors the words decide alone
            known = []
        if not said or not known:
            return checks, []
        nearest = (await self.embedder.passages(said) @ np.vstack(known).T).max(axis=1)
        key = f"{state['run']}:validate:{len(state['attempts'])}:closeness"
        charges = [self.books.embedding(key=key, box="validate", model=self.embedder.name, text="\n".join(said))]
        await self.books.record(charges, run=state["run"], tenant=asked["tenant"])
        closeness = dict(zip(said, map(float, nearest), strict=True))
        return check(closeness=closeness), charges

    def _bounds(self, knobs: Knobs, tenant: str) -> Bounds:
        may_degrade = knobs.tier == "auto" and self.budgets.degrades(tenant)
        bounds: Bounds = {**BOUNDS, "degradations": BOUNDS["degradations"] if may_degrade else 0}
        # A caller who chose the cheap tier chose not to pay for the other one.
        return {**bounds, "escalations": 0} if knobs.tier == "cheap" else bounds

    def _may_go_up(self, state: Needs, checks: Sequence[Check], bounds: Bounds) -> bool:
        """Tell whether it matters how sure one is: of a cheap answer that nothing was found wrong with."""
        passed = all(check["passed"] for check in checks) and not state["attempts"][-1]["abstained"]
        cheap = state["attempts"][-1]["tier"] == "cheap" and state["route"]["kind"] == "knowledge"
        barred = bounds["escalations"] == 0 or state["route"].get("budget_bound", False)
        return passed and cheap and not barred and all(verdict["step"] != "degrade" for verdict in state["verdicts"])

    async def _sureness(
        self, state: Needs, checks: Sequence[Check], runtime: Runtime[Knobs]
    ) -> tuple[Acceptance | None, list[Charge]]:
        """Return how sure one may be of the answer, and what finding out cost."""
        if self.acceptance is None:
            return None, []
        loss = runtime.context.max_quality_loss
        opinions: list[Opinion] = []
        charges: list[Charge] = []
        sure = self._estimate(self.acceptance, state, checks, loss, opinions)
        passages = state["shortened"]["passages"] if state["shortened"] else []
        wanted = Wanted(
            box="validate",
            tier="cheap",
            kind="knowledge",
            passages=passages,
            level=state["attempts"][-1]["level"],
            schema=runtime.context.response_schema,
        )
        for adviser in self.advisers:
            needed = sure["threshold"]
            if needed is None or sure["p_ok"] >= needed:
                break
            agrees: Opinion = {"model": adviser.endpoint.name, "text": "", "agreement": 1.0}
            at_best = self._estimate(self.acceptance, state, checks, loss, [*opinions, agrees])["p_ok"]
            chance = self.acceptance.chance(sure["p_ok"], needed, grounded=bool(passages)) if at_best >= needed else 0.0
            if self._worth(adviser, state, wanted, sure["p_ok"], chance):
                opinion, more = await self._ask(adviser, state, wanted, runtime, charges)
                charges += more
                opinions += [] if opinion is None else [opinion]
                sure = self._estimate(self.acceptance, state, checks, loss, opinions)
        return sure, charges

    def _estimate(
        self, model: AcceptanceModel, state: Needs, checks: Sequence[Check], loss: float, opinions: Sequence[Opinion]
    ) -> Acceptance:
        opinion = together(opinions)
        passages = state["shortened"]["passages"] if state["shortened"] else []
        evidence = evidence_of(
            checks,
            asked=state["asked"],
            attempt=state["attempts"][-1],
            route_p=state["route"]["p_cheap_ok"],
            opinion=opinion,
            passages=passages,
        )
        p_ok, threshold = model.judge(evidence, grounded=bool(passages), max_quality_loss=loss)
        covered = promised(state["route"])
        return {
            "p_ok": round(p_ok, 4),
            "threshold": min(threshold or LIKELIER_WORSE, LIKELIER_WORSE) if covered else threshold,
            "promise": "router" if covered else "evidence",
            "evidence": {name: round(value, 4) for name, value in evidence.items()},
            "opinion": opinion,
            "opinions": list(opinions),
            "artifact": model.version,
        }

    def _worth(self, adviser: Adviser, state: Needs, wanted: Wanted, p_now: float, chance: float) -> bool:
        """Tell whether an opinion may save more than it costs."""
        answer = state["attempts"][-1]["text"]
        given = prompt_tokens(adviser_prompt(adviser, state["asked"], wanted, answer))
        told = count_tokens(answer) if adviser.role == "answer" else 1
        spared = self.books.worst_case(given, count_tokens(answer), self.answerer.endpoints["expensive"].priced_as)
        price = self.books.worst_case(given, told, adviser.endpoint.priced_as)
        return worth(p_now, None if price is None else float(price), None if spared is None else float(spared), chance=chance)

    async def _ask(
        self, adviser: Adviser, state: Needs, wanted: Wanted, runtime: Runtime[Knobs], earlier: Sequence[Charge]
    ) -> tuple[Opinion | None, list[Charge]]:
        """Return the opinion, None when there is none to be had, and what it cost."""
        purse = Purse(
            self.books,
            self.budgets,
            run=state["run"],
            tenant=state["asked"]["tenant"],
            box="validate",
            tier="cheap",
            spent=[*state["charges"], *earlier],
            max_cost_usd=runtime.context.max_cost_usd,
            purpose="judge" if adviser.role == "judge" else "second_opinion",
        )
        key = f"{state['run']}:validate:{len(state['attempts'])}:{adviser.role}:{adviser.number}"
        terms = paid_terms(key, adviser.endpoint, purse, asked_at=state["asked_at"], deadline_s=runtime.context.deadline_s)
        first = state["attempts"][-1]["text"]
        said = await ask_adviser(self.answerer, adviser, state["asked"], wanted, terms, answer=first)
        agreed = agreement(first, said["text"], language=state["asked"]["answer_language"])
        return opinion_of(adviser, said, agreed), purse.charges

    async def _close(self, state: Needs, verdict: Verdict, settled: Settled, charges: Sequence[Charge]) -> Update:
        """Return what the question came to, and write it into the ledger."""
        cost = total_text([*state["charges"], *charges])
        baseline = self._baseline(state["asked"], state["passages"], settled.answer)
        await self.books.question(
            Closed(
                run=state["run"],
                tenant=state["asked"]["tenant"],
                outcome=_outcome(state["attempts"], verdict, settled),
                verified=settled.verified,
                escalated=any(earlier["step"] == "escalate" for earlier in state["verdicts"]),
                cost_usd=cost,
                baseline_cost_usd=baseline,
            )
        )
        return {
            "answer": settled.answer,
            "verified": settled.verified,
            "sources": settled.sources,
            "error": settled.error,
            "cost_usd": cost,
            "baseline_cost_usd": baseline,
            "first_token_ms": first_token_ms(state["attempts"], asked_at=state["asked_at"]),
            "messages": messages_of(state["attempts"], settled),
        }

    def _baseline(self, asked: Asked, passages: Sequence[Passage], answer: str) -> str | None:
        cost = self.books.baseline(
            input_tokens=prompt_tokens(build_prompt(asked, passages, kind="knowledge")),
            output_tokens=count_tokens(answer),
        )
        return None if cost is None else f"{cost:f}"


def _outcome(attempts: Sequence[Attempt], verdict: Verdict, settled: Settled) -> QuestionOutcome:
    if verdict["step"] == "accept":
        return attempts[-1]["tier"]
    return "unverified" if settled.answer else "failed"
