"""Groat's own pages inside LangGraph's server: endpoint, review and metrics. ``langgraph.json`` points here."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from serve.application import load_application
from serve.web.app import build_app


def beside_the_graph_api(app: Starlette) -> None:
    """Put what stands before the application's pages before each of them.

    The server takes over the pages and lays what stands before them over its own pages too, where a guard that refuses forms
    of other sites would shut out Studio.
    """
    for route in app.routes:
        guarded: Any = route  # both kinds of route there are have an application
        for layer in reversed(app.user_middleware):
            guarded.app = layer.cls(guarded.app, *layer.args, **layer.kwargs)
    app.user_middleware = []


def paths(app: Starlette) -> frozenset[str]:
    """Return the paths of the application's pages; those of many pages end with the slash before the name of one."""
    found = {
        f"{route.path}/" if isinstance(route, Mount) else route.path for route in app.routes if isinstance(route, Mount | Route)
    }
    return frozenset(path.partition("{")[0] for path in found)


app = build_app(load_application())
OWN = paths(app)
"""Taken before the server adds its own pages."""
beside_the_graph_api(app)
