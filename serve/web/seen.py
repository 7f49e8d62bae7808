"""What is seen of a request from outside: its line in the log, its span, and that nothing it said is in either."""

import logging
import time
import traceback
from collections.abc import Sequence

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groat.tracing.names import attributes as at
from groat.tracing.names import spans
from groat.tracing.spans import fail, tracer
from serve.web.guard import API

LOG = logging.getLogger("groat.requests")
_UNKNOWN = "(none)"
_PROPAGATOR = TraceContextTextMapPropagator()
_GAVE_UP = {"error": {"message": "the server failed; its log says where", "type": "server_error", "param": None, "code": "bug"}}


class Logged:
    """Writes a line for each request, if wanted, and one for each that fails where nobody expected it.

    What was raised is told by its kind and the places it came through: its message might quote the request.

    Args:
        app: what is asked.
        routes: give a request its name, since its path may hold the id of a document.
        lines: whether a request that goes well has a line too.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], *, lines: bool) -> None:
        """Keep the arguments."""
        self._app, self._routes, self._lines = app, routes, lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and say so."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except Exception as error:
            LOG.error("%s at %s", type(error).__name__, places(error), extra={"route": route_of(scope, self._routes)})
            if status == 0:
                await JSONResponse(_GAVE_UP, 500)(scope, receive, tell)
        finally:
            if self._lines:
                caller = scope.get("state", {}).get("caller")
                told = {
                    "method": scope["method"] if scope["method"].isalpha() else _UNKNOWN,
                    "route": route_of(scope, self._routes),
                    "status": status,
                    "ms": round((time.perf_counter() - begun) * 1000, 2),
                    "key": caller.key if caller is not None else "",
                }
                LOG.info("%s", " ".join(str(value) for value in told.values() if value != ""), extra=told)


class Spanned:
    """Puts each request for programs in a span, below the caller's own where it sends a ``traceparent``.

    Args:
        app: what is asked.
        routes: give the span its name.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        """Keep the arguments."""
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in a span, which ends with the last byte."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        route = route_of(scope, self._routes)
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _CARRIERS}
        span = tracer().start_span(
            spans.HTTP.format(method=scope["method"], route=route),
            _PROPAGATOR.extract(carried) if carried else None,
            kind=SpanKind.SERVER,
            attributes={at.KIND: "CHAIN", at.METHOD: scope["method"], at.ROUTE: route},
        )

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute(at.STATUS, message["status"])
                if message["status"] >= 500:
                    span.set_status(Status(StatusCode.ERROR))
            await send(message)

        token = otel.attach(trace.set_span_in_context(span))
        try:
            await self._app(scope, receive, tell)
        except BaseException as error:
            fail(span, type(error).__name__)
            raise
        finally:
            otel.detach(token)
            span.end()


_CARRIERS = (b"traceparent", b"tracestate")


def route_of(scope: Scope, routes: Sequence[BaseRoute]) -> str:
    """Return the pattern that the path of a request fits, such as ``/v1/models/{model}``; "(none)" when none does."""
    for route in routes:
        if isinstance(route, Route | Mount) and route.matches(scope)[0] is not Match.NONE:
            return route.path_format if isinstance(route, Route) else route.path
    return _UNKNOWN


def places(error: BaseException) -> str:
    """Return where an error came through, innermost last, without a word of what it says."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames)
