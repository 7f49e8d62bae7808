"""Whose questions a run may ask: on LangGraph's server the caller's key says so, not what the caller sends.

The server's authentication names each caller, and the name travels beside the run, where no request can write it. It is looked
at here too, so that a knob kept with an assistant, or a state that somebody edited, cannot ask for another.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

from graph.context import Context
from groat.errors import BadInput

_OF_TENANT: Final = "tenant/"
_CALLER: Final = "langgraph_auth_user_id"
"""Where LangGraph's server puts the identity of the caller; it overwrites what a request says there."""


def identity_of(tenant: str | None) -> str:
    """Return how a caller is called: held to a tenant, or to none of them."""
    return "all tenants" if tenant is None else f"{_OF_TENANT}{tenant}"


def tenant_of(identity: str) -> str | None:
    """Return the tenant that a caller of this identity is held to; None for all others."""
    return identity.removeprefix(_OF_TENANT) if identity.startswith(_OF_TENANT) else None


def held_to_caller(context: Context | Mapping[str, Any] | None, config: RunnableConfig) -> Context | Mapping[str, Any] | None:
    """Return the knobs of a run with the tenant of its caller, whatever they said; unchanged for who is held to none."""
    tenant = tenant_of(str((config.get("configurable") or {}).get(_CALLER) or ""))
    if tenant is None:
        return context
    return replace(context, tenant=tenant) if isinstance(context, Context) else {**(context or {}), "tenant": tenant}


def check_tenant(state: Mapping[str, Any], tenant: str) -> None:
    """Refuse to go on with a state that another tenant's question began.

    Raises:
        BadInput: the question, or what its answer is kept under, belongs to another tenant than the run.
    """
    if any(part.get("tenant") != tenant for name in ("asked", "identity") if (part := state.get(name)) is not None):
        raise BadInput("this conversation's state belongs to another tenant than the run; ask the question anew")
