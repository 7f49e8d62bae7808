"""The application that a server runs: who is let in, the pages, and what every failure says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from graph.passing import build_passing
from graph.recording import open_runs
from groat.errors import BadInput, GroatError
from serve.application import Application
from serve.web.guard import Door, Guard
from serve.web.keys import Keys
from serve.web.openai.endpoint import Endpoint
from serve.web.review.access import Access
from serve.web.review.render import STATIC
from serve.web.review.runs_page import RunsPage
from serve.web.review.savings_page import SavingsPage
from serve.web.sessions import Sessions

_FINISH_S: Final = 10.0
"""Longest wait, for each of them, when the server ends."""


def build_app(application: Application) -> Starlette:
    """Return the ASGI application over the engines of this process.

    Raises:
        SettingsError: the keys cannot be read.
    """
    door = Door(Keys.read(application.settings.api_keys.get_secret_value()), Sessions())
    return Starlette(
        routes=_routes(application, door),
        lifespan=partial(_lifespan, application),
        middleware=[Middleware(Guard, door=door)],
        exception_handlers={BadInput: _bad_input, GroatError: _failed},
    )


@asynccontextmanager
async def _lifespan(application: Application, app: Starlette) -> AsyncIterator[None]:
    """Finish what goes on when nobody waits before the server ends: runs are written, audits made, traces sent."""
    yield
    services = application.services
    for later in (services.recorder, services.audits, services.route_audits):
        if later is not None:
            await later.close(within_s=_FINISH_S)
    await asyncio.to_thread(application.tracing.flush, within_s=_FINISH_S)


def _routes(application: Application, door: Door) -> list[BaseRoute]:
    access, registry = Access(door), application.tracing.registry
    model = Endpoint(application.graph, build_passing(application.services), application.services)
    runs = RunsPage(open_runs(application.settings), application.services)
    return [
        Route("/health", _health),
        Route("/", _home),
        Route("/login", access.login, methods=["GET", "POST"]),
        Route("/logout", access.logout, methods=["POST"]),
        Route("/v1/models", model.models),
        Route("/v1/models/{model}", model.model),
        Route("/v1/chat/completions", model.complete, methods=["POST"]),
        Route("/v1/embeddings", model.embed, methods=["POST"]),
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
    return JSONResponse({"status": "ok"})


async def _metrics(registry: CollectorRegistry, request: Request) -> Response:
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _home(request: Request) -> Response:
    return RedirectResponse("/review", 303)


async def _bad_input(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 400)


async def _failed(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503)
