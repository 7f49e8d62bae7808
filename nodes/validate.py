"""Check the newest attempt and say what follows; settle the answer when nothing more follows."""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.answering import build_prompt, prompt_tokens, settle
from groat.costs import Books, total_text
from groat.text import count_tokens
from groat.tracing import names
from groat.types import BOUNDS, Asked, Attempt, Bounds, Charge, Passage, Route, Shortened, Source, Verdict
from groat.validation import check_answer, decide
from nodes import Knobs


class Needs(TypedDict):
    """What this box reads."""

    asked: Asked
    route: Route
    passages: list[Passage]
    shortened: Shortened | None
    attempts: list[Attempt]
    verdicts: list[Verdict]
    charges: list[Charge]


class Update(TypedDict, total=False):
    """What this box writes; all but verdicts and path only when the answer is settled."""

    verdicts: list[Verdict]
    path: list[str]
    answer: str
    verified: bool
    sources: list[Source]
    error: str
    cost_usd: str | None
    baseline_cost_usd: str | None
    messages: list[AnyMessage]


@dataclass(frozen=True, kw_only=True)
class Validate:
    """The box ``validate``."""

    books: Books

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return the verdict, and with "accept" or "exhausted" the settled answer."""
        asked, attempts, shortened = state["asked"], state["attempts"], state["shortened"]
        kind = state["route"]["kind"]
        given = shortened["passages"] if shortened else []
        checks = check_answer(asked, attempts[-1], given, kind=kind)
        # A caller who chose the cheap tier chose not to pay for the other one.
        bounds: Bounds = {**BOUNDS, "escalations": 0} if runtime.context.tier == "cheap" else BOUNDS
        verdict = decide(
            checks,
            attempts,
            state["verdicts"],
            shortened=shortened is not None and shortened["tokens_after"] < shortened["tokens_before"],
            bounds=bounds,
        )
        runtime.stream_writer({names.EVENT: names.JUDGED, **verdict})
        update: Update = {"verdicts": [verdict], "path": ["validate"]}
        if verdict["step"] not in {"accept", "exhausted"}:
            return update
        settled = settle(asked, attempts, [*state["verdicts"], verdict], state["passages"])
        said: list[AnyMessage] = [AIMessage(settled.answer)] if settled.answer else []
        return {
            **update,
            "answer": settled.answer,
            "verified": settled.verified,
            "sources": settled.sources,
            "error": settled.error,
            "cost_usd": total_text(state["charges"]),
            "baseline_cost_usd": self._baseline(asked, state["passages"], settled.answer),
            "messages": said,
        }

    def _baseline(self, asked: Asked, passages: Sequence[Passage], answer: str) -> str | None:
        cost = self.books.baseline(
            input_tokens=prompt_tokens(build_prompt(asked, passages, kind="knowledge")),
            output_tokens=count_tokens(answer),
        )
        return None if cost is None else f"{cost:f}"
