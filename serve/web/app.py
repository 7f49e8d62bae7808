"""The application that a server runs: who is let in, the pages, and what every failure says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from graph.passing import build_passing
from graph.recording import open_runs
from graph.settings import Settings
from groat.errors import BadInput, GroatError
from serve.application import Application
from serve.web.bodies import Bounds
from serve.web.documents import DocumentsPage
from serve.web.guard import API, Door, Guard
from serve.web.keys import Keys
from serve.web.limits import Counts, KeyLimits, open_limits
from serve.web.openai.endpoint import Endpoint
from serve.web.openai.errors import Refused, reply_to
from serve.web.openai.requests import HEADERS
from serve.web.openapi import described
from serve.web.ready import Readiness
from serve.web.review.access import Access
from serve.web.review.render import STATIC
from serve.web.review.runs_page import RunsPage
from serve.web.review.savings_page import SavingsPage
from serve.web.seen import Logged, Spanned
from serve.web.sessions import Sessions

_FINISH_S: Final = 10.0
"""Longest wait, for each of them, when the server ends."""


def build_app(application: Application) -> Starlette:
    """Return the ASGI application over the engines of this process.

    Raises:
        SettingsError: the keys cannot be read.
    """
    settings = application.settings
    door = Door(Keys.read(settings.api_keys.get_secret_value()), Sessions())
    routes, counts = _routes(application, door), open_limits(settings)
    return Starlette(
        routes=routes,
        lifespan=partial(_lifespan, application, counts),
        middleware=_middleware(settings, door, routes, counts),
        exception_handlers={BadInput: _bad_input, GroatError: _failed, HTTPException: _not_here},
    )


def _middleware(settings: Settings, door: Door, routes: Sequence[BaseRoute], counts: Counts | None) -> list[Middleware]:
    """Return what a request goes through before its page, outermost first."""
    crossing = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["authorization", "content-type", *HEADERS],
        expose_headers=["x-groat-*"],
    )
    return [
        Middleware(Logged, routes=routes, lines=settings.log_requests),
        *([crossing] if settings.cors_origins else []),
        Middleware(Guard, door=door, origins=settings.cors_origins),
        Middleware(Spanned, routes=routes),
        *([] if counts is None else [Middleware(KeyLimits, counts=counts)]),
    ]


@asynccontextmanager
async def _lifespan(application: Application, counts: Counts | None, app: Starlette) -> AsyncIterator[None]:
    """Finish what goes on when nobody waits before the server ends: runs are written, audits made, traces sent."""
    yield
    services = application.services
    if counts is not None:
        await counts.aclose()
    for later in (services.recorder, services.audits, services.route_audits):
        if later is not None:
            await later.close(within_s=_FINISH_S)
    await asyncio.to_thread(application.tracing.flush, within_s=_FINISH_S)


def _routes(application: Application, door: Door) -> list[BaseRoute]:
    access, registry = Access(door), application.tracing.registry
    settings = application.settings
    bounds = Bounds(most_bytes=int(settings.max_body_mb * 1_000_000), within_s=settings.body_timeout_s)
    documents = DocumentsPage(application, bounds)
    model = Endpoint(
        application.graph,
        build_passing(application.services),
        application.services,
        bounds=bounds,
        floor_s=settings.answer_floor_ms / 1000,
    )
    runs = RunsPage(open_runs(application.settings), application.services)
    return [
        Route("/health", _health),
        Route("/ready", Readiness(application).show),
        Route("/", _home),
        Route("/login", access.login, methods=["GET", "POST"]),
        Route("/logout", access.logout, methods=["POST"]),
        Route("/v1/models", model.models),
        Route("/v1/models/{model}", model.model),
        Route("/v1/chat/completions", model.complete, methods=["POST"]),
        Route("/v1/embeddings", model.embed, methods=["POST"]),
        Route("/v1/groat/documents", documents.put_many, methods=["POST"]),
        Route("/v1/groat/documents/{id:path}", documents.one, methods=["GET", "PUT", "DELETE"]),
        Route("/v1/groat/invalidate", documents.invalidate, methods=["POST"]),
        Route("/v1/openapi.json", described),
        Route("/review", runs.show),
        Route("/review/runs/{run}", runs.show_one),
        Route("/review/runs/{run}/mark", runs.mark, methods=["POST"]),
        Route("/review/runs/{run}/blame", runs.examine, methods=["POST"]),
        Route("/review/causes", runs.causes),
        Route("/review/savings", SavingsPage(application.services.books.ledger).show),
        # Prometheus asks here; without GROAT_METRICS_PORT nothing is counted for it.
        *([] if registry is None else [Route("/metrics", partial(_metrics, registry))]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


async def _health(request: Request) -> Response:
    """Say that the process is alive, and nothing of what it needs: a restart would mend none of that."""
    return JSONResponse({"status": "ok"})


async def _not_here(request: Request, error: Exception) -> Response:
    """Tell of an address or a method that there is not, to programs in the form that they read."""
    assert isinstance(error, HTTPException)  # what it is registered for
    if request.url.path.startswith(API):
        code = "unknown_url" if error.status_code == 404 else "unknown_method"
        response: Response = reply_to(
            Refused(f"{request.method} of this address: {error.detail.lower()}", status=error.status_code, code=code)
        )
    else:
        response = PlainTextResponse(f"{error.detail}\n", error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _metrics(registry: CollectorRegistry, request: Request) -> Response:
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _home(request: Request) -> Response:
    return RedirectResponse("/review", 303)


async def _bad_input(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", error.status if isinstance(error, Refused) else 400)


async def _failed(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503)
