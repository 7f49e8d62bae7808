"""The review page over real stores, whose questions a real HTTP model server answered."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.build import build_graph
from graph.recording import open_recorder
from graph.settings import Settings
from graph.state import Output
from groat.tracing.opening import Tracing
from serve.application import Application
from serve.web.app import build_app
from tests.graph.conftest import GOOD, QUESTION, WRONG
from tests.model_server import ModelServer, Says, serve_model
from tests.served import ServedWorld, open_world

ZH_QUESTION, ZH_GOOD = "怎么修改密码", "在“设置”里点“账号安全”即可修改密码。[zh-reset]"
BOLD = "<b>bold</b> & \"quoted\" 'text' {{ 7 * 7 }} <script>alert(1)</script>"
READS_ACME, READS_OTHER, ASKS_ACME = "reads-acme-0123456789", "reads-other-0123456789", "asks-acme-0123456789"
KEYS = f"{READS_ACME}=acme:reviewer,{READS_OTHER}=other:reviewer,{ASKS_ACME}=acme,reads-all-0123456789=*:reviewer"


@dataclass(frozen=True)
class Reviewed:
    """A server's application, and the runs that it shows: good, hit, escalated, Chinese."""

    folder: Path
    world: ServedWorld
    outputs: tuple[Output, ...]

    def app(self, keys: str = "", tracing: Tracing | None = None) -> Starlette:
        """Return the application with these keys."""
        settings, services = Settings(data_dir=self.folder, api_keys=SecretStr(keys)), self.world.services
        return build_app(
            Application(settings=settings, services=services, graph=build_graph(services), tracing=tracing or Tracing())
        )

    def run(self, number: int) -> str:
        """Return the id of a run."""
        return self.outputs[number]["run"]


async def review(folder: Path, server: ModelServer, questions: Sequence[str]) -> Reviewed:
    """Let the server's models answer the questions, one after the other, and keep the runs."""
    world = (await open_world(folder)).with_models(server)
    recorder = open_recorder(Settings(data_dir=world.folder, keep_run_texts=True), world.services.embedder.name)
    assert recorder is not None
    world = ServedWorld(world.folder, replace(world.services, recorder=recorder))
    outputs = [await world.ask(text) for text in questions]
    await recorder.close(within_s=30)
    return Reviewed(world.folder, world, tuple(outputs))


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Reviewed:
    """Return runs that nobody has marked yet when the session begins; tests that mark use a run of their own."""
    questions = (QUESTION, QUESTION, f"{QUESTION} {BOLD}", ZH_QUESTION)
    with serve_model(*(Says(text=text) for text in (GOOD, WRONG, WRONG, GOOD, ZH_GOOD))) as server:
        return asyncio.run(review(tmp_path_factory.mktemp("reviewed"), server, questions))


@pytest.fixture
async def client(reviewed: Reviewed) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a server without keys."""
    async with client_of(reviewed.app()) as client:
        yield client


def client_of(app: Starlette, **headers: str) -> httpx.AsyncClient:
    """Return a client that calls the application directly, from this machine."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=headers)


@contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """Run the application on a free port; yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended at its start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
