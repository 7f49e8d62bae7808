"""What audits of the cache ask of the rest: an answer without the cache, and a comparison of two."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableConfig

from graph.context import Context
from graph.settings import IN_MEMORY, Settings
from groat.answering import Adviser, Wanted, adviser_prompt, ask_adviser, mark_of, prompt_tokens
from groat.cache import AnswerStore, differences
from groat.cache.audit import Audits, Fresh, Hit, Outcome, Pair
from groat.cache.paraphrases import Paraphrases
from groat.cache.tallies import Tallies
from groat.cache.tallies_redis import RedisTallies
from groat.cache.tallies_sqlite import SqliteTallies
from groat.costs import AuditBooks, Purse
from groat.text import count_tokens
from groat.tracing import names
from groat.types import Charge
from groat.validation import same_answer
from nodes import paid_terms
from nodes.remember import offered

if TYPE_CHECKING:
    from graph.services import Services

GOOD, BAD = 0.7, 0.3
"""Marks of a judge from which on a kept answer is right for the question asked, up to which it is wrong."""
_JUDGE_S = 60.0
"""Longest wait for a judge's mark."""
AUDIT_RUN: RunnableConfig = {"run_name": "groat audit", "metadata": {names.RUN_PURPOSE: "audit"}}
"""How runs for audits are told from questions."""
_CHEAP = 0.1
"""Share of the price of an answer that a mark may cost where no answer was bought to be compared."""


def open_tallies(settings: Settings) -> Tallies:
    """Return where outcomes are counted: in the Redis of the cache where it has one, else in the folder of data."""
    url = settings.cache_url.get_secret_value()
    return SqliteTallies(settings.data_dir / "audits.sqlite") if url in ("", IN_MEMORY) else RedisTallies(url)


def open_audits(settings: Settings, services: "Services", store: AnswerStore) -> Audits | None:
    """Return what looks again at decisions of the cache; None when only equal questions hit.

    Args:
        settings: what is set.
        services: what answers a question; it needs no audits of its own.
        store: of the cache.
    """
    if services.answers.rule.own is None:
        return None
    at_own_cost = replace(services, books=AuditBooks.beside(services.books))

    async def versions(ids: Collection[str], tenant: str) -> Mapping[str, str]:
        return await services.knowledge.versions(ids, tenant=tenant)

    return Audits(
        services.answers,
        Paraphrases(store),
        services.answers.rule.own,
        afresh=AskAgain(at_own_cost),
        compare=Comparison(at_own_cost),
        embed=services.embedder.query,
        versions=versions,
        share=settings.audit_share,
    )


class AskAgain:
    """Answers a question through the whole graph, without the cache.

    Args:
        services: what answers; their books say what the charges are for.
    """

    def __init__(self, services: "Services") -> None:
        """Build nothing yet."""
        self._services = services
        self._graph: Any = None

    async def __call__(self, hit: Hit) -> Fresh:
        """Return what came of it; nothing is asked when the tenant's budget, or that of all, is spent."""
        standing = await self._services.budgets.standing(hit.asked["tenant"])
        if standing.over:
            return Fresh(answer=None, skipped="budget")
        if self._graph is None:
            # Imported here: the graph is built from the services, which hold this.
            from graph.build import build_graph

            self._graph = build_graph(self._services)
        context = replace(cast(Context, hit.knobs), use_cache=False, stream="hold")
        output = await self._graph.ainvoke(dict(hit.again), config=AUDIT_RUN, context=context)
        accepted = bool(output["verified"]) and output["asked"]["text"] == hit.asked["text"]
        shortened = output["shortened"]
        return Fresh(answer=offered(output) if accepted else None, passages=shortened["passages"] if shortened else [])


class Comparison:
    """Tells whether two answers say the same: by value, by the judge of pairs, and by a model where one is set to judge.

    Args:
        services: what is asked; their books say what the charges are for.
        name: of the kind of audit, in the keys of the charges.
        paid: told what a mark cost.
    """

    def __init__(
        self, services: "Services", *, name: str = "audit", paid: Callable[[Sequence[Charge]], None] | None = None
    ) -> None:
        """Ask nobody yet."""
        self._services = services
        self._name = name
        self._paid = paid

    async def __call__(self, pair: Pair) -> Outcome:
        """Return the outcome. A judge's mark goes before what the texts show, unless those say the same."""
        found = same_answer(
            pair.kept,
            pair.fresh,
            language=pair.asked["answer_language"],
            support=await self._support(pair),
            differences=differences(pair.kept, pair.fresh),
        )
        adviser = next((one for one in self._services.advisers if one.role == "judge"), None)
        if adviser is None or found == "right" or not self._worth(adviser, pair, found):
            return found
        mark = await self._mark(adviser, pair)
        if mark is None or BAD < mark < GOOD:
            return found
        return "right" if mark >= GOOD else "wrong"

    async def _support(self, pair: Pair) -> tuple[float, float] | None:
        """Return how surely each answer supports the other; None when the judge has no opinion."""
        there = await self._services.judge.supports(pair.kept, [pair.fresh])
        back = await self._services.judge.supports(pair.fresh, [pair.kept])
        if any(reason is not None for reason in (*there.reasons, *back.reasons)):
            return None
        return float(there.p[0]), float(back.p[0])

    def _worth(self, adviser: Adviser, pair: Pair, found: Outcome) -> bool:
        """Tell whether a mark is worth its price: of a near miss it may only settle what is undecided, for little."""
        if pair.dear:
            return True
        books, given = self._services.books, prompt_tokens(adviser_prompt(adviser, pair.asked, _wanted(pair), pair.kept))
        price = books.worst_case(given, 1, adviser.endpoint.priced_as)
        spared = books.baseline(input_tokens=given, output_tokens=count_tokens(pair.fresh))
        return found == "undecided" and price is not None and spared is not None and float(price) <= _CHEAP * float(spared)

    async def _mark(self, adviser: Adviser, pair: Pair) -> float | None:
        """Return the mark of the kept answer for the question asked, 0 to 1; None without one."""
        s, tenant = self._services, pair.asked["tenant"]
        purse = Purse(
            s.books, s.budgets, run=pair.run, tenant=tenant, box="check_cache", tier="cheap", spent=[], max_cost_usd=None,
            purpose="audit",
        )  # fmt: skip
        terms = paid_terms(f"{pair.run}:{self._name}", adviser.endpoint, purse, asked_at=time.time(), deadline_s=_JUDGE_S)
        said = await ask_adviser(s.answerer, adviser, pair.asked, _wanted(pair), terms, answer=pair.kept)
        if self._paid is not None:
            self._paid(purse.charges)
        return None if "failure" in said else mark_of(said["text"])


def _wanted(pair: Pair) -> Wanted:
    return Wanted(box="check_cache", tier="cheap", kind="knowledge", passages=pair.passages, level="full")
