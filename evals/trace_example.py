"""The span tree of one streamed question that is escalated, on models that are scripted; or sent to a collector to look at.

python -m evals.trace_example [--endpoint http://127.0.0.1:6006] [--content]
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from langchain_core.exceptions import ModelRateLimitError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import Field

from evals.trace_world import TENANT, open_world
from graph.build import build_graph
from graph.context import Context
from groat.answering import Answerer, Endpoint, Patience
from groat.costs import PriceTable
from groat.embedding.bundled import BundledEmbedder
from groat.tracing import spans
from groat.tracing.content import CONTENT
from groat.tracing.exporting import OtlpSpans
from groat.tracing.langsmith_runs import Runs
from groat.tracing.outbox import Sent
from groat.tracing.tree import tree_lines
from groat.types import Tier

QUESTION: Final = "How long is a reset link valid?"
WRONG: Final = "A purple elephant juggles seventeen tomatoes nearby. [reset]"
GOOD: Final = "A reset link is valid for 20 minutes. [reset]"
_REPLIES: Final[dict[Tier, tuple[str, ...]]] = {"cheap": ("", WRONG), "expensive": (GOOD,)}
"""What each model says, in turn; an empty reply is a request that fails. The last one repeats."""
_NAMES: Final[dict[Tier, str]] = {"cheap": "gpt-5-mini", "expensive": "gpt-5.2"}


class Scripted(BaseChatModel):
    """Streams what it is told to say, word by word."""

    replies: tuple[str, ...]
    said: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        raise NotImplementedError("the example streams")

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self.replies[min(len(self.said), len(self.replies) - 1)]
        self.said.append(reply)
        if not reply:
            raise ModelRateLimitError("too many requests")
        for word in reply.split(" "):
            await asyncio.sleep(0.02)
            yield ChatGenerationChunk(message=AIMessageChunk(content=word + " "))
        usage = {"input_tokens": sum(len(message.text) for message in messages) // 4, "output_tokens": 2 * len(reply.split())}
        told = {**usage, "total_tokens": sum(usage.values())}
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", usage_metadata=told, response_metadata={"finish_reason": "stop"})
        )


async def example(folder: Path, kept: InMemorySpanExporter) -> None:
    """Ask the question, live."""
    services = await open_world(folder, Runs(PriceTable().cost), embedder=BundledEmbedder())
    # Of the question alone, on an embedder that is at work already.
    await services.embedder.query("warm")
    kept.clear()
    endpoints: dict[Tier, Endpoint] = {
        tier: Endpoint(
            model=Scripted(replies=replies),
            name=_NAMES[tier],
            priced_as=_NAMES[tier],
            key_setting="none",
            address="https://models.example",
        )
        for tier, replies in _REPLIES.items()
    }
    services = replace(services, answerer=Answerer(endpoints, patience=Patience(backoff_s=0.02)))
    context = Context(tenant=TENANT, tier="auto", stream="live", max_quality_loss=0.5)
    async for _ in build_graph(services).astream({"question": QUESTION}, context=context, stream_mode="custom"):
        pass


async def main(arguments: Sequence[str]) -> None:
    """Ask, and print or send."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", help="base address of a collector (OTLP over HTTP) that gets the spans")
    parser.add_argument("--content", action="store_true", help="with texts, redacted")
    options = parser.parse_args(arguments)
    kept, provider = (
        InMemorySpanExporter(),
        TracerProvider(resource=Resource.create({"service.name": "groat", "openinference.project.name": "groat"})),
    )
    provider.add_span_processor(SimpleSpanProcessor(kept))
    spans.use(provider.get_tracer("groat"))
    if options.content:
        CONTENT.allow()
    with tempfile.TemporaryDirectory() as folder:
        await example(Path(folder), kept)
    for line in tree_lines(kept.get_finished_spans()):
        sys.stdout.write(line + "\n")
    if options.endpoint and OtlpSpans(f"{options.endpoint}/v1/traces")(kept.get_finished_spans()) is not Sent.TAKEN:
        sys.exit(f"{options.endpoint} does not take the spans; is it a collector?")
    provider.shutdown()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
