"""Who calls LangGraph's server: the keys of ``groat serve``, for the graph API too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from graph.tenancy import identity_of
from serve.agent_server.rights import GUEST
from serve.web.guard import LOOPBACK
from serve.web.keys import Keys

STUDIO: Final = "https://smith.langchain.com"
"""Where LangGraph Studio is served from; ``langgraph.json`` lets its pages call this server, and no others."""


class TurnedAwayError(Exception):
    """Nobody whom this server lets in.

    Attributes:
        status: 401 for a key that is missing or unknown, 403 where a key would not help.
    """

    def __init__(self, told: str, *, status: int) -> None:
        """Keep what to tell."""
        super().__init__(told)
        self.status = status


@dataclass(frozen=True)
class ServerDoor:
    """Who is let in."""

    keys: Keys
    own: frozenset[str]
    """Paths of groat's own pages, which ask for keys themselves and also know who has logged in; one that ends with a slash
    stands for all below it."""

    def identity(self, path: str, headers: Mapping[str, str]) -> str:
        """Return who calls.

        Args:
            path: what is asked for.
            headers: names in lower case.

        Raises:
            TurnedAwayError: the key is missing or unknown; or there are no keys, and the call comes from elsewhere.
        """
        if not self.keys:
            return _local(headers)
        caller = self.keys.caller(_key(headers))
        if caller is not None:
            return identity_of(caller.tenant)
        if path in self.own or any(path.startswith(one) for one in self.own if one.endswith("/") and one != "/"):
            return GUEST
        raise TurnedAwayError("send one of this server's keys: Authorization: Bearer KEY, or x-api-key: KEY", status=401)


def _local(headers: Mapping[str, str]) -> str:
    """Return who calls a server without keys: somebody at this machine, whose browser shows no other site but Studio."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if urlsplit(f"//{host}").hostname not in LOOPBACK:
        raise TurnedAwayError("without GROAT_API_KEYS this server answers on 127.0.0.1 and localhost alone", status=403)
    if origin is not None and origin != STUDIO and urlsplit(origin).netloc != host:
        raise TurnedAwayError("without GROAT_API_KEYS this server answers no page of another site", status=403)
    return identity_of(None)


def _key(headers: Mapping[str, str]) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
