"""The router as a chat model of LangChain: it stands for two given ones and asks one of them for each question."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.tools import BaseTool
from pydantic import ConfigDict, Field, SkipValidation

from groat.conversation import read_question
from groat.embedding import Embedder, RecentQueries
from groat.embedding.bundled import BundledEmbedder
from groat.errors import BadInput, GroatError
from groat.routing.artifact import RouterArtifact
from groat.routing.router import Evidence, Router
from groat.types import Route, Tier

_NO_DOCUMENTS = Evidence(similarities=[], documents=0)


class RouterChat(BaseChatModel):
    """Asks the cheap model where what that may lose stays within the promise, else the expensive one.

    The newest message that a person wrote decides, so that the turns of one tool loop stay with one model. The decision is in
    ``response_metadata["groat"]``: ``tier``, ``p_cheap_ok``, ``threshold``, ``reasons`` and the router's ``artifact``. What is
    no question that can be read, a picture for one, goes to the expensive model, and so does everything when the vectors
    cannot be had. The answer is checked by nobody: that, and going up after a bad one, is what the graph does.

    It is one run of LangChain, so its usage is counted once. A cache or rate limiter belongs on this model, not on the two.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    cheap: BaseChatModel
    expensive: BaseChatModel
    router: SkipValidation[Router]
    embedder: SkipValidation[Embedder]
    """Must be the one that the router was fitted with; else everything goes to the expensive model."""
    max_quality_loss: float = Field(default=0.01, ge=0, le=1)
    """Largest mean loss of quality against the expensive model."""
    collection: str = ""
    """Collection or subject of the questions, for a router of one's own that was fitted with such."""
    bound: dict[Tier, dict[str, Any]] = Field(default_factory=dict)
    """What ``bind_tools`` bound to each model, in that model's own form."""

    @classmethod
    def open(cls, cheap: BaseChatModel, expensive: BaseChatModel, *, max_quality_loss: float = 0.01) -> Self:
        """Return a router over two models with the shipped artifact and the bundled embeddings; no server, no key."""
        embedder = RecentQueries(BundledEmbedder())
        router = Router(RouterArtifact.load(), embedder=embedder.name)
        return cls(cheap=cheap, expensive=expensive, router=router, embedder=embedder, max_quality_loss=max_quality_loss)

    @property
    def _llm_type(self) -> str:
        return "groat-router"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        named = {"cheap": self.cheap, "expensive": self.expensive}
        return {
            **{tier: {"type": model._llm_type, **model._identifying_params} for tier, model in named.items()},
            "router": self.router.version, "max_quality_loss": self.max_quality_loss,
        }  # fmt: skip

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this router with the tools bound to both models, to each in its own form.

        ``with_structured_output`` goes through here, by calls of a function.

        Raises:
            BadInput: one of the models binds tools in a way that cannot be passed on.
        """
        bound: dict[Tier, dict[str, Any]] = {}
        for tier, model in (("cheap", self.cheap), ("expensive", self.expensive)):
            runnable = model.bind_tools(tools, tool_choice=tool_choice, **kwargs)
            if not isinstance(runnable, RunnableBinding):
                raise BadInput(
                    f"{type(model).__name__} binds tools as {type(runnable).__name__}; bind them to the models yourself"
                )
            bound[tier] = {name: value for name, value in runnable.kwargs.items() if name != "ls_structured_output_format"}  # type: ignore[index]
        return self.model_copy(update={"bound": bound})

    async def adecide(self, messages: Sequence[BaseMessage]) -> Route:
        """Return which model is to answer, with the evidence; asks no model."""
        newest = next((place for place in range(len(messages) - 1, -1, -1) if messages[place].type == "human"), None)
        try:
            if newest is None:
                raise BadInput("no message of a person")
            asked = read_question(None, list(messages[: newest + 1]), previous=None, tenant="default", language="auto")  # type: ignore[arg-type]
            vector = await self.embedder.query(asked["search_text"])
        except GroatError as error:
            return {
                "tier": "expensive", "kind": "knowledge", "p_cheap_ok": None, "threshold": None, "reasons": [str(error)],
                "artifact": self.router.version,
            }  # fmt: skip
        await self.router.refresh()
        return self.router.route(
            asked, vector, _NO_DOCUMENTS, tier="auto", max_quality_loss=self.max_quality_loss, domain=self.collection
        )

    def decide(self, messages: Sequence[BaseMessage]) -> Route:
        """Return what ``adecide`` does."""
        # In a thread of its own, because the caller may be running inside an event loop already.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(lambda: asyncio.run(self.adecide(messages))).result()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        route = self.decide(messages)
        return _told(self._model(route)._generate(messages, stop, run_manager, **self._with_bound(route, kwargs)), route)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        route = await self.adecide(messages)
        return _told(await self._model(route)._agenerate(messages, stop, run_manager, **self._with_bound(route, kwargs)), route)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        route = self.decide(messages)
        model, more = self._model(route), self._with_bound(route, kwargs)
        if type(model)._stream is BaseChatModel._stream:
            yield _whole(_told(model._generate(messages, stop, run_manager, **more), route))
            return
        for place, chunk in enumerate(model._stream(messages, stop, run_manager, **more)):
            yield _told_chunk(chunk, route) if place == 0 else chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        route = await self.adecide(messages)
        model, more = self._model(route), self._with_bound(route, kwargs)
        if type(model)._stream is BaseChatModel._stream and type(model)._astream is BaseChatModel._astream:
            yield _whole(_told(await model._agenerate(messages, stop, run_manager, **more), route))
            return
        first = True
        async for chunk in model._astream(messages, stop, run_manager, **more):
            yield _told_chunk(chunk, route) if first else chunk
            first = False

    def _model(self, route: Route) -> BaseChatModel:
        return self.cheap if route["tier"] == "cheap" else self.expensive

    def _with_bound(self, route: Route, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.bound.get(route["tier"], {}), **kwargs}


def _decision(route: Route) -> dict[str, Any]:
    return {name: route[name] for name in ("tier", "p_cheap_ok", "threshold", "reasons", "artifact")}


def _told(result: ChatResult, route: Route) -> ChatResult:
    for generation in result.generations:
        generation.message.response_metadata["groat"] = _decision(route)
    return result


def _told_chunk(chunk: ChatGenerationChunk, route: Route) -> ChatGenerationChunk:
    # In one chunk only: LangChain joins the texts of those that it adds up.
    chunk.message.response_metadata["groat"] = _decision(route)
    return chunk


def _whole(result: ChatResult) -> ChatGenerationChunk:
    generation: ChatGeneration = result.generations[0]
    fields = generation.message.model_dump(exclude={"type"})
    return ChatGenerationChunk(message=AIMessageChunk(**fields, chunk_position="last"))
