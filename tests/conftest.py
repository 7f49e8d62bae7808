"""What holds for every test: no network beyond this machine, no setting of the person who runs it."""

import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is. The same examples every time, so that a change is judged by what it
# changed; new ones are looked for by `pytest --hypothesis-profile searching`.
settings.register_profile("groat", deadline=None, derandomize=True)
settings.register_profile("searching", deadline=None)
settings.load_profile("groat")

_OURS = ("GROAT_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_")
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_OURS) or name.upper() in _PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("live") is not None:
        return
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def connect_here(self: socket.socket, address: Any) -> Any:
        # Unix sockets have a path for an address.
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise RuntimeError(f"a test connects to {address[0]}; mark it live, or use a server on this machine")
        return connect(self, address)

    return connect_here
