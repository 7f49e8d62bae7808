"""Processor time that the seam to chat models adds to one call of the bare client, network and model apart.

python -m evals.bench_seam [--calls 400] [--rounds 7] [--json FILE]
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from rich.table import Table

from evals.report import add_json_option, hand_over
from groat.answering import Answerer, Endpoint, Limits, Patience, Wish, prompt_tokens

_TARGET_MS = 2.0
_TEXT = "A reset link is valid for 20 minutes and works once only. [reset] "
_PROMPT: list[BaseMessage] = [
    SystemMessage("Use only facts that stand in the documents. " * 12),
    HumanMessage("<documents>" + _TEXT * 60 + "重置链接在 20 分钟内有效。" * 20 + "</documents>\nHow long is the link valid?"),
]
_WIDE = Limits(requests=10**9, tokens=10**12, window_s=0.05)
"""Never reached, so that nothing is measured but the counting."""


class InstantChat(BaseChatModel):
    """Answers at once, always the same, with its usage."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: object = None, **kwargs: Any
    ) -> ChatResult:
        raise NotImplementedError("only the asynchronous calls are measured")

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: object = None, **kwargs: Any
    ) -> ChatResult:
        usage = {"input_tokens": 900, "output_tokens": 18, "total_tokens": 918}
        message = AIMessage(_TEXT, usage_metadata=usage, response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for piece in _TEXT.split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece + " "))
        usage = {"input_tokens": 900, "output_tokens": 18, "total_tokens": 918}
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", usage_metadata=usage, response_metadata={"finish_reason": "stop"})
        )


async def main(arguments: Sequence[str]) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400, help="in each round, of each kind")
    parser.add_argument("--rounds", type=int, default=7, help="the median of them is told")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    found = await measured(calls=options.calls, rounds=options.rounds)
    figures = {
        "calls": options.calls * options.rounds,
        "prompt_tokens": prompt_tokens(_PROMPT),
        "target_ms": _TARGET_MS,
        "ms_per_call": {name: round(ms, 3) for name, ms in found.items()},
        "overhead_ms": {name: round(ms - found[_bare(name)], 3) for name, ms in found.items() if name != _bare(name)},
    }
    line = f"{figures['calls']} calls of each kind, a prompt of {figures['prompt_tokens']} tokens; target {_TARGET_MS:g} ms"
    hand_over(figures, options.json_file, [_table(found), line])


async def measured(*, calls: int, rounds: int) -> dict[str, float]:
    """Return the processor time of one call in milliseconds, by kind of call, the median of the rounds."""
    model = InstantChat()

    async def bare() -> None:
        await model.ainvoke(_PROMPT)

    async def bare_stream() -> None:
        async for _ in model.astream(_PROMPT):
            pass

    hedging = Patience(hedge_after_s=30.0)
    kinds: dict[str, Callable[[], Awaitable[object]]] = {
        "client": bare,
        "seam": _seam(model),
        "seam with limits": _seam(model, limits=_WIDE),
        "seam with limits and hedging": _seam(model, limits=_WIDE, patience=hedging),
        "client, streamed": bare_stream,
        "seam, streamed": _seam(model, streamed=True),
        "seam with limits, streamed": _seam(model, limits=_WIDE, streamed=True),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for round_ in range(rounds + 1):
        for name, call in kinds.items():  # one after another in every round: a slow moment strikes all alike
            begun = time.process_time()
            for _ in range(calls):
                await call()
            if round_:  # the first one warms up
                times[name].append((time.process_time() - begun) * 1000 / calls)
    return {name: statistics.median(found) for name, found in times.items()}


def _seam(
    model: BaseChatModel, *, limits: Limits | None = None, patience: Patience | None = None, streamed: bool = False
) -> Callable[[], Awaitable[object]]:
    endpoint = Endpoint(
        model=model, name="instant", priced_as="gpt-5-mini", key_setting="none", address="here", limits=limits or Limits()
    )  # fmt: skip
    answerer = Answerer({"cheap": endpoint, "expensive": endpoint}, patience=patience)
    wish = Wish(on_token=lambda piece: None) if streamed else Wish()

    async def call() -> object:
        return await answerer.answer(_PROMPT, tier="cheap", wish=wish, deadline=time.time() + 60)

    return call


def _bare(name: str) -> str:
    return "client, streamed" if name.endswith("streamed") else "client"


def _table(found: dict[str, float]) -> Table:
    table = Table("call", "ms of processor time", "beyond the client")
    for name, ms in found.items():
        table.add_row(name, f"{ms:.3f}", "" if name == _bare(name) else f"{ms - found[_bare(name)]:.3f}")
    return table


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
