"""What a caller may do on the graph API of LangGraph's server. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from graph.tenancy import tenant_of

GUEST: Final = "guest"
"""Whoever sent no key to a page that has a door of its own; may do nothing on the graph API."""

Filter = dict[str, str]
"""What the metadata must say of whatever is read, changed or deleted."""
_SYSTEM: Final = {"created_by": "system"}
"""The assistants that the server made itself of the graphs: they are everybody's."""


class NotPermittedError(Exception):
    """The caller may not do this; the message says why, and what it may do."""


def confine(identity: str, resource: str, action: str, value: dict[str, Any]) -> Filter | None:
    """Return which of the things there are a caller is confined to; None for all of them.

    A caller who is held to a tenant sees the threads of that tenant alone and asks as nobody else. It cannot write a state or
    jump into the middle of the graph, since the state holds what was found, and for whom.

    Args:
        identity: of the caller.
        resource: threads, assistants, crons or store.
        action: what is to be done.
        value: what the caller sent; it gets the tenant where the server keeps it, in place.

    Raises:
        NotPermittedError: it may not do this at all.
    """
    if identity == GUEST:
        raise NotPermittedError("send one of this server's keys: Authorization: Bearer KEY, or x-api-key: KEY")
    tenant = tenant_of(identity)
    if tenant is None:
        return None
    match resource, action:
        case "threads", "create_run":
            _ask_as(tenant, value)
            return _owned(tenant, value)
        case "threads", "update" if value.get("action") is None:
            raise NotPermittedError("a key that belongs to a tenant cannot write into a thread; ask on it instead")
        case "threads", _:
            return _owned(tenant, value)
        case "assistants", "read" | "search":
            return dict(_SYSTEM)
        case "store", _ if tuple(value.get("namespace") or ())[:1] == (tenant,):
            return None
        case "store", _:
            raise NotPermittedError("this key belongs to a tenant; begin the namespace with the tenant's name")
        case _:
            raise NotPermittedError(
                f"a key that belongs to a tenant cannot {action} {resource}; ask on threads, or without one"
            )


def _ask_as(tenant: str, value: dict[str, Any]) -> None:
    given: Mapping[str, Any] = value.get("kwargs") or {}
    if given.get("command"):
        raise NotPermittedError("a key that belongs to a tenant cannot send commands; ask the question as input")
    for knobs in (given.get("context"), (given.get("config") or {}).get("configurable")):
        if knobs is None:
            continue
        if knobs.get("tenant") not in (None, tenant):
            raise NotPermittedError("this key belongs to another tenant; leave tenant out")
        knobs["tenant"] = tenant


def _owned(tenant: str, value: dict[str, Any]) -> Filter:
    if value.get("metadata") is None:
        value["metadata"] = {}
    # In place: the server keeps the very object that it handed over.
    value["metadata"]["tenant"] = tenant
    return {"tenant": tenant}
