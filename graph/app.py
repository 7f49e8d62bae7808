"""The graph of this process, from this process's environment. ``langgraph.json`` points here; nobody imports it by name."""

import os
from pathlib import Path

from dotenv import load_dotenv

from graph.build import build_graph
from graph.services import open_services
from graph.settings import read_settings
from graph.settings_file import origins as origins_of
from graph.settings_file import read_file
from graph.shadowing import with_shadow
from graph.telling import attend, open_telling

_HOME = Path(__file__).resolve().parent.parent

_before = frozenset(os.environ)
load_dotenv(_HOME / ".env")

_path, _file = read_file(os.environ, beside=_HOME)
settings = read_settings(os.environ, home=_HOME / ".groat", file=_file)
origins = origins_of(os.environ, _file, dotenv=frozenset(os.environ) - _before, path=_path)
tracing = open_telling(settings)
services = with_shadow(open_services(settings), settings, os.environ)
attend(tracing, services)
graph = build_graph(services)
