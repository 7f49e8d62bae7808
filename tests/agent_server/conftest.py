"""LangGraph's own server, as ``langgraph dev`` runs it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from evals.processes import BIN, serving
from serve.application import ROOT

ACME, OTHER, ALL = "acme-key-0123456789", "other-key-0123456789", "reviewers-key-0123456789"
KEYS = f"{ACME}=acme,{OTHER}=other,{ALL}=*:reviewer"
CallWith = Callable[..., LangGraphClient]
"""Returns a client: of an address, with a key, with headers."""
_QUIET = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true", "OMP_NUM_THREADS": "1"}


@contextmanager
def langgraph_dev(folder: Path, **settings: str) -> Iterator[str]:
    """Run the development server in ``folder`` with these settings; yield its address."""
    command = [
        str(BIN / "langgraph"), "dev", "--config", str(ROOT / "langgraph.json"), "--no-browser", "--no-reload",
        "--host", "127.0.0.1", "--port", "{port}", "--n-jobs-per-worker", "4",
    ]  # fmt: skip
    environment = {**_QUIET, "GROAT_DATA_DIR": str(folder / "data"), "GROAT_TENANTS": "acme,other", **settings}
    with serving(command, folder, environment, ready="/ok") as server:
        yield server.url


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server with keys."""
    with langgraph_dev(tmp_path_factory.mktemp("keyed"), GROAT_API_KEYS=KEYS) as url:
        yield url


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server without keys."""
    with langgraph_dev(tmp_path_factory.mktemp("keyless")) as url:
        yield url


@pytest.fixture
async def call() -> AsyncIterator[CallWith]:
    """Return what makes LangGraph's client; its connections are closed at the end."""
    async with AsyncExitStack() as stack:
        clients: list[LangGraphClient] = []

        def make(url: str, key: str | None = None, headers: dict[str, str] | None = None) -> LangGraphClient:
            clients.append(get_client(url=url, api_key=key, headers=headers))
            stack.push_async_callback(clients[-1].aclose)
            return clients[-1]

        yield make
