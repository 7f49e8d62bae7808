"""The handlers of LangGraph's server that let callers in and confine them. ``langgraph.json`` points here."""

from typing import Any

from langgraph_sdk import Auth
from starlette.authentication import BaseUser

from serve.agent_server.app import OWN
from serve.agent_server.door import ServerDoor, TurnedAwayError
from serve.agent_server.rights import NotPermittedError, confine
from serve.application import load_application
from serve.web.keys import Keys


class Known(dict[str, str], BaseUser):
    """A caller. A dictionary, since a server on Postgres keeps the caller with the run, in JSON."""

    @property
    def identity(self) -> str:
        """How the caller is called."""
        return self["identity"]

    @property
    def display_name(self) -> str:
        """The same."""
        return self["identity"]

    @property
    def is_authenticated(self) -> bool:
        """Whoever was not turned away."""
        return True


auth = Auth()
_door = ServerDoor(Keys.read(load_application().settings.api_keys.get_secret_value()), OWN)


@auth.authenticate
async def authenticate(path: str, headers: dict[bytes, bytes]) -> Known:
    """Return the caller, or turn it away."""
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers.items()}
    try:
        return Known(identity=_door.identity(path, named))
    except TurnedAwayError as away:
        raise Auth.exceptions.HTTPException(status_code=away.status, detail=str(away)) from away


@auth.on
async def authorize(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, str] | None:
    """Return what the caller is confined to, None for nothing, or refuse what it may not do."""
    try:
        return confine(ctx.user.identity, ctx.resource, ctx.action, value)
    except NotPermittedError as refusal:
        raise Auth.exceptions.HTTPException(status_code=403, detail=str(refusal)) from refusal
