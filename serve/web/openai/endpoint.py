"""``/v1/chat/completions``, ``/v1/models`` and ``/v1/embeddings``."""

import asyncio
import base64
import contextlib
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, cast

from langchain_core.messages import AIMessageChunk
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from graph.build import Groat
from graph.passing import Handed, Passed
from graph.seeing import SeenGraph
from graph.services import Services
from graph.state import Output
from groat.embedding import Vector
from groat.errors import Failure, GroatError, ModelError
from groat.text import count_tokens
from groat.types import Attempt
from serve.web.bodies import Bounds, read_json
from serve.web.limits import note_spent
from serve.web.openai.errors import Refused, reply_to
from serve.web.openai.replies import choice, chunks, completion, event, first_chunk, headers
from serve.web.openai.requests import MODELS, Wanted, read_request
from serve.web.openai.tools import Passing, completion_of, delta_of, endings, headers_of, pieces, replied

_MOST_TEXTS: Final = 256
_DONE: Final = "data: [DONE]\n\n"
_BEAT_S: Final = 10.0
"""Between two signs of life on a stream while the answer is made."""


@dataclass(frozen=True)
class Endpoint:
    """The graph as a model."""

    graph: Groat
    passing: SeenGraph
    """Takes conversations with tools."""
    services: Services
    bounds: Bounds
    floor_s: float = 0.0
    """No answer comes sooner, in seconds."""

    async def models(self, request: Request) -> Response:
        """Return the models: groat, and each tier alone."""
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "groat"} for name in MODELS]
        return JSONResponse({"object": "list", "data": listed})

    async def model(self, request: Request) -> Response:
        """Return one model."""
        name = request.path_params["model"]
        if name not in MODELS:
            return reply_to(Refused(f"this server has the models {', '.join(MODELS)}", status=404, code="model_not_found"))
        return JSONResponse({"id": name, "object": "model", "created": 0, "owned_by": "groat"})

    async def complete(self, request: Request) -> Response:
        """Answer a conversation, whole or as a stream."""
        try:
            wanted = read_request(await self.read(request), request.headers, request.state.caller)
            if wanted.handed is not None:
                return await self._pass_on(request, wanted, wanted.handed)
            if wanted.stream:
                return StreamingResponse(self._streamed(request, wanted), media_type="text/event-stream")
            begun, trace = time.time(), uuid.uuid4()
            output = await self._run(request, wanted, trace)
        except GroatError as error:
            return reply_to(error)
        return JSONResponse(
            completion(
                output,
                id=f"chatcmpl-{trace.hex}",
                model=wanted.model,
                begun=begun,
                trace=str(trace),
                left_out=wanted.left_out,
            ),
            headers=headers(output, trace=str(trace)),
        )

    async def embed(self, request: Request) -> Response:
        """Return the vectors of texts, by the embedder of this server."""
        try:
            raw = await self.read(request)
            texts, name = _texts(raw), self.services.embedder.name
            vectors = await self.services.embedder.passages(texts)
        except GroatError as error:
            return reply_to(error)
        tokens = sum(count_tokens(text) for text in texts)
        return JSONResponse(
            {
                "object": "list",
                "model": name,
                "data": [
                    {"object": "embedding", "index": place, "embedding": _written(vector, packed=_is_packed(raw))}
                    for place, vector in enumerate(vectors)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    async def read(self, request: Request) -> object:
        """Return the JSON of a request. Raises ``Refused`` when it holds none."""
        return await read_json(request, self.bounds)

    async def _run(self, request: Request, wanted: Wanted, trace: uuid.UUID) -> Output:
        """Return what the graph gives.

        Raises:
            GroatError: the question cannot be asked, or nothing answered it.
        """
        begun = time.perf_counter()
        output = cast(
            Output,
            await self.graph.ainvoke({"messages": wanted.messages}, config={"run_id": trace}, context=wanted.context),
        )
        note_spent(request, output["charges"])
        if (early_s := begun + self.floor_s - time.perf_counter()) > 0:
            await asyncio.sleep(early_s)
        if not output["answer"]:
            raise _failure(output["error"], output["attempts"], structured=wanted.context.response_schema is not None)
        return output

    async def _streamed(self, request: Request, wanted: Wanted) -> AsyncIterator[str]:
        """Yield the events of an answer; a failure is one too, since the status has been sent.

        Answers are checked before they are passed on, and may be replaced by another model's until then: the stream shows that
        it lives and waits.
        """
        begun, trace = time.time(), uuid.uuid4()
        id = f"chatcmpl-{trace.hex}"
        yield event(first_chunk(id=id, model=wanted.model, begun=begun))
        answering = asyncio.ensure_future(self._run(request, wanted, trace))
        try:
            while not answering.done():
                await asyncio.wait([answering], timeout=_BEAT_S)
                if not answering.done():
                    yield ": answering\n\n"
            output = answering.result()
        except GroatError as error:
            yield _failed(error)
            yield _DONE
            return
        finally:
            # A caller who has gone does not pay for more.
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError, GroatError):
                await answering
        for chunk in chunks(
            output,
            id=id,
            model=wanted.model,
            begun=begun,
            trace=str(trace),
            include_usage=wanted.include_usage,
            left_out=wanted.left_out,
        ):
            yield event(chunk)
        yield _DONE

    async def _pass_on(self, request: Request, wanted: Wanted, handed: Handed) -> Response:
        """Hand a conversation with tools to a model. A stream begins with its first piece: until then it can be refused."""
        begun, trace = time.time(), uuid.uuid4()
        passing = Passing(handed=handed, context=wanted.context, config={"run_id": trace})
        if not wanted.stream:
            passed = await replied(self.passing, passing)
            note_spent(request, passed["charges"])
            told = completion_of(passed, id=f"chatcmpl-{trace.hex}", model=wanted.model, begun=begun, trace=str(trace))
            return JSONResponse(told, headers=headers_of(passed, trace=str(trace)))
        coming = pieces(self.passing, passing)
        first = await anext(coming)
        return StreamingResponse(_passed(request, first, coming, wanted, begun, str(trace)), media_type="text/event-stream")


async def _passed(
    request: Request,
    first: AIMessageChunk | Passed,
    coming: AsyncGenerator[AIMessageChunk | Passed],
    wanted: Wanted,
    begun: float,
    trace: str,
) -> AsyncIterator[str]:
    """Yield the events of a reply that is passed on while it comes."""
    id = f"chatcmpl-{uuid.UUID(trace).hex}"
    head = {"id": id, "object": "chat.completion.chunk", "created": int(begun), "model": wanted.model}
    yield event(first_chunk(id=id, model=wanted.model, begun=begun))
    try:
        async with aclosing(coming):
            async for piece in _all(first, coming):
                if not isinstance(piece, AIMessageChunk):
                    note_spent(request, piece["charges"])
                    for end in endings(piece, head, trace=trace, begun=begun, include_usage=wanted.include_usage):
                        yield event(end)
                elif delta := delta_of(piece):
                    yield event({**head, "choices": [choice(delta)]})
    except GroatError as error:
        yield _failed(error)
    yield _DONE


async def _all(
    first: AIMessageChunk | Passed, others: AsyncIterator[AIMessageChunk | Passed]
) -> AsyncIterator[AIMessageChunk | Passed]:
    yield first
    async for other in others:
        yield other


def _failed(error: GroatError) -> str:
    return event(cast(dict[str, Any], json.loads(bytes(reply_to(error).body))))


def _texts(raw: object) -> list[str]:
    given = raw.get("input") if isinstance(raw, dict) else None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused("input is a text or a list of texts, none of them empty; tokens are not taken", param="input")
    if len(texts) > _MOST_TEXTS:
        raise Refused(f"at most {_MOST_TEXTS} texts at once; send the others in further requests", param="input")
    if isinstance(raw, dict) and not isinstance(raw.get("model", ""), str):
        raise Refused("model is the name of a model, and may be left out", param="model")
    if isinstance(raw, dict) and (raw.get("encoding_format") not in (None, "float", "base64") or raw.get("dimensions")):
        raise Refused("vectors are given as float or base64, in their own size", param="encoding_format")
    return texts


def _is_packed(raw: object) -> bool:
    return isinstance(raw, dict) and raw.get("encoding_format") == "base64"


def _written(vector: Vector, *, packed: bool) -> list[float] | str:
    """Return a vector as OpenAI's clients ask for it: numbers, or the bytes of 32-bit floats."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode() if packed else vector.tolist()


def _failure(message: str, attempts: list[Attempt], *, structured: bool) -> ModelError:
    failure = next((attempt["failure"] for attempt in reversed(attempts) if "failure" in attempt), "unknown")
    if structured and attempts and "failure" not in attempts[-1]:
        # The models said something, and it is not what was asked for.
        failure = "structure"
    return ModelError(message or "nothing answered; try again", failure=cast(Failure, failure))
