"""Groat's own pages inside LangGraph's server: endpoint, review and metrics. ``langgraph.json`` points here."""

from typing import Any

from starlette.applications import Starlette

from serve.application import load_application
from serve.web.app import build_app


def beside_the_graph_api(app: Starlette) -> Starlette:
    """Return the application with what stands before its pages put before each of them.

    The server takes over the pages and lays what stands before them over its own pages too, where a guard that refuses forms
    of other sites would shut out Studio.
    """
    for route in app.routes:
        guarded: Any = route  # both kinds of route there are have an application
        for layer in reversed(app.user_middleware):
            guarded.app = layer.cls(guarded.app, *layer.args, **layer.kwargs)
    app.user_middleware = []
    return app


app = beside_the_graph_api(build_app(load_application()))
