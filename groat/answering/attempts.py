"""One try at an answer: prompt, budget, call, record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from groat.answering.chat import Answerer, prompt_tokens
from groat.answering.prompts import NO_ANSWER, Repair, build_prompt
from groat.errors import ModelError
from groat.types import Asked, Attempt, Box, Passage, QuestionKind, Tier, Usage

ASSUMED_OUTPUT = 150
"""Tokens of an answer that a budget must reach before the call is made: three times the longest right answer of the help
centre (45), since models say more than they are asked for."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """An attempt with the tokens that it used."""

    attempt: Attempt
    usage: Usage | None
    """None when no call was made: then there is nothing to charge."""


async def try_answer(
    answerer: Answerer,
    asked: Asked,
    *,
    box: Box,
    tier: Tier,
    kind: QuestionKind,
    passages: Sequence[Passage],
    level: Literal["none", "cheap", "expensive", "full"],
    repair: Repair | None,
    affordable: Callable[[int], int | None],
) -> Tried:
    """Return one try. A failed call is an attempt too, with its failure and what its prompt held; nothing is raised for it.

    Args:
        answerer: the seam to the models.
        asked: the question.
        box: the box that asks, for the record.
        tier: which model.
        kind: what the question asks for.
        passages: the context; empty for small talk and translations.
        level: how the context was made, for the record.
        repair: what was wrong with the answer before, None at a first try.
        affordable: tells from the tokens of the prompt how many tokens of answer the budget still pays; None: any number.
            With fewer than ``ASSUMED_OUTPUT`` no call is made; otherwise the model is held to that number.
    """
    prompt = build_prompt(asked, passages, kind=kind, repair=repair)
    attempt: Attempt = {
        "box": box,
        "tier": tier,
        "model": answerer.endpoints[tier].name,
        "text": "",
        "abstained": False,
        "finish_reason": "",
        "latency_ms": 0.0,
        "level": level,
        "repaired": repair is not None,
    }
    most = affordable(prompt_tokens(prompt))
    if most is not None and most < ASSUMED_OUTPUT:
        message = f"the budget of this question does not reach a call of the {tier} model; raise max_cost_usd"
        return Tried(attempt={**attempt, "failure": "budget", "message": message}, usage=None)
    try:
        reply = await answerer.answer(prompt, tier=tier, max_output=most)
    except ModelError as error:
        # Providers bill nothing for a refused or unreached call; the row with zero tokens keeps the try visible.
        nothing: Usage = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True}
        return Tried(attempt={**attempt, "failure": error.failure, "message": str(error)}, usage=nothing)
    abstained = reply.text.strip().strip(".。 ").casefold() == NO_ANSWER
    return Tried(
        attempt={
            **attempt,
            "text": reply.text,
            "abstained": abstained,
            "finish_reason": reply.finish_reason,
            "latency_ms": round(reply.latency_ms, 2),
        },
        usage=reply.usage,
    )
