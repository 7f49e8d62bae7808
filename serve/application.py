"""Load the application the way LangGraph's server does: by the name in ``langgraph.json``."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from graph.build import Groat
from graph.services import Services
from graph.settings import Settings
from groat.errors import SettingsError
from groat.tracing.opening import Tracing

ROOT = Path(__file__).resolve().parent.parent
"""The folder of ``langgraph.json``."""


@dataclass(frozen=True, kw_only=True)
class Application:
    """The settings of this process, the engines made from them, and the graph over the engines."""

    settings: Settings
    services: Services
    graph: Groat
    tracing: Tracing = field(default_factory=Tracing)
    """Spans and metrics of this process; ``metrics_app`` is what a server mounts for Prometheus."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where the value of each setting came from, see ``graph.settings_file``."""


@lru_cache(maxsize=1)
def load_application() -> Application:
    """Return the application of this process, made at the first call.

    Raises:
        SettingsError: a setting cannot be used, or ``langgraph.json`` does not name the graph.
    """
    try:
        target = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))["graphs"]["groat"]["path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{ROOT / 'langgraph.json'} does not name the graph 'groat'; restore the file") from error
    name, _, _ = str(target).partition(":")
    try:
        # By name, as the server does: one process then has one set of engines, whoever comes first.
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.partition(".")[0]):
            raise
        raise SettingsError(f"{name!r} is no module of this project; restore langgraph.json") from error
    return Application(
        settings=module.settings,
        services=module.services,
        graph=module.graph,
        tracing=module.tracing,
        origins=module.origins,
    )
