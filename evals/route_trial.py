"""Put one's own test set to the configured models, and see which answers are right."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from evals.route_models import Tried
from graph.auditing import Comparison
from graph.services import Services
from groat.answering import ASSUMED_OUTPUT, Endpoint, Wanted, build_prompt, prompt_tokens, try_answer
from groat.cache.audit import Pair
from groat.conversation import read_question
from groat.costs import AuditBooks, Purse, total_text
from groat.errors import BadInput
from groat.types import Asked, Attempt, Charge, Passage, Tier
from nodes import paid_terms

AT_ONCE = 4
"""Calls that run at one time."""
_DEADLINE_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question with the answer that is expected."""

    asked: Asked
    expected: str
    passages: Sequence[Passage]
    """What retrieval found; empty for a tenant without documents."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One model that takes part."""

    tier: Tier
    """Whose limits and key it uses."""
    endpoint: Endpoint


@dataclass(kw_only=True)
class Trial:
    """What came of it."""

    tried: list[Tried] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    unasked: int = 0
    """Questions that were not put to a model, since a budget is spent."""

    @property
    def cost_usd(self) -> str | None:
        """Decimal dollars; None when a price is unknown."""
        return total_text(self.charges)


def entrants(services: Services) -> list[Entrant]:
    """Return the configured models, fallbacks included, each once; those that answer offline are none."""
    tiers: tuple[Tier, Tier] = ("cheap", "expensive")
    found: dict[str, Entrant] = {}
    for tier in tiers:
        for endpoint in (services.answerer.endpoints[tier], *services.answerer.fallbacks.get(tier, ())):
            if not endpoint.offline:
                found.setdefault(endpoint.scope, Entrant(tier=tier, endpoint=endpoint))
    return list(found.values())


def read_cases(path: Path) -> list[tuple[str, str]]:
    """Return the questions of a test set with the answers expected: JSON lines with ``question`` and ``expected``.

    Raises:
        BadInput: it cannot be read, holds none, or a line is broken.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; check the name") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8; save it as UTF-8") from error
    found: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
            pair = (raw.get("question", raw.get("prompt")), raw.get("expected"))
        except (ValueError, AttributeError, RecursionError) as error:
            raise BadInput(f"{path}, line {number}: this is no JSON object; mend the line") from error
        if not all(isinstance(text, str) and text.strip() for text in pair):
            raise BadInput(f'{path}, line {number}: "question" and "expected" must be texts that are not empty; mend the line')
        found.append(pair)
    if not found:
        raise BadInput(f'{path} holds no question; each line is an object with "question" and "expected"')
    return found


async def cases_of(pairs: Sequence[tuple[str, str]], services: Services, tenant: str) -> list[Case]:
    """Return the cases, with what the documents of the tenant say to each."""
    return [await _case(question, expected, services, tenant) for question, expected in pairs]


async def _case(question: str, expected: str, services: Services, tenant: str) -> Case:
    asked = read_question(question, [], previous=None, tenant=tenant, language="auto")
    passages = await services.knowledge.search(
        asked["search_text"], tenant=tenant, k=services.retrieve_k, max_tokens=services.context_tokens
    )
    return Case(asked=asked, expected=expected, passages=passages)


def estimate(cases: Sequence[Case], models: Sequence[Entrant], services: Services) -> dict[str, Decimal | None]:
    """Return by model what its answers will cost at most, in dollars, if none is longer than usual; None for unknown."""
    given = [prompt_tokens(build_prompt(case.asked, case.passages, kind="knowledge")) for case in cases]
    found: dict[str, Decimal | None] = {}
    for one in models:
        costs = [services.books.worst_case(tokens, ASSUMED_OUTPUT, one.endpoint.priced_as) for tokens in given]
        known = [cost for cost in costs if cost is not None]
        found[one.endpoint.name] = sum(known, Decimal(0)) if len(known) == len(costs) else None
    return found


async def run(cases: Sequence[Case], models: Sequence[Entrant], services: Services) -> Trial:
    """Ask every model every question; each request is billed under "audit", and budgets hold.

    Nothing is raised for a call that fails: it is counted. Answers are compared with what is expected as audits compare two
    answers: by value, by the judge of pairs, and by a model where one is set to judge.

    Args:
        cases: the questions.
        models: who is asked.
        services: what asks and pays.
    """
    paying = replace(services, books=AuditBooks.beside(services.books))
    trial, gate, name = Trial(), asyncio.Semaphore(AT_ONCE), f"trial-{time.time_ns()}"

    async def one(number: int, case: Case, model: Entrant) -> None:
        async with gate:
            await _try(f"{name}:{number}:{model.endpoint.name}", case, model, paying, trial)

    await asyncio.gather(*(one(number, case, model) for number, case in enumerate(cases) for model in models))
    return trial


async def _try(run: str, case: Case, model: Entrant, services: Services, trial: Trial) -> None:
    tenant = case.asked["tenant"]
    if (await services.budgets.standing(tenant)).over:
        trial.unasked += 1
        return
    purse = Purse(
        services.books, services.budgets, run=run, tenant=tenant,
        box="answer_cheap" if model.tier == "cheap" else "answer_expensive", tier=model.tier, spent=[], max_cost_usd=None,
        purpose="audit",
    )  # fmt: skip
    terms = paid_terms(run, model.endpoint, purse, asked_at=time.time(), deadline_s=_DEADLINE_S)
    wanted = Wanted(
        box="answer_cheap" if model.tier == "cheap" else "answer_expensive", tier=model.tier, kind="knowledge",
        passages=case.passages, level="full",
    )  # fmt: skip
    attempt = await try_answer(services.answerer, case.asked, wanted, terms, endpoints=(model.endpoint,))
    trial.charges += purse.charges
    if attempt.get("failure") == "budget":
        trial.unasked += 1
        return
    failed = "failure" in attempt
    ok = None if failed else await _mark(run, case, attempt, services, trial)
    cost = total_text(purse.charges)
    trial.tried.append(
        Tried(
            model=model.endpoint.name, lang=case.asked["language"], ok=ok, usd=None if cost is None else float(cost),
            failed=failed,
        )
    )  # fmt: skip


async def _mark(run: str, case: Case, attempt: Attempt, services: Services, trial: Trial) -> float | None:
    if attempt["abstained"]:
        return 0.0
    pair = Pair(run=run, asked=case.asked, kept=attempt["text"], fresh=case.expected, passages=case.passages, dear=True)
    found = await Comparison(services, name="mark", paid=trial.charges.extend)(pair)
    return None if found == "undecided" else float(found == "right")
