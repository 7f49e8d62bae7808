"""Who is let in to LangGraph's server, and what a caller may do there."""

from typing import Any

import pytest

from graph.context import Context
from graph.tenancy import check_tenant, held_to_caller, identity_of, tenant_of
from groat.errors import BadInput
from serve.agent_server.door import ServerDoor, TurnedAwayError
from serve.agent_server.rights import GUEST, NotPermittedError, confine
from serve.web.keys import Keys

KEY, OF_ALL = "acme-key-0123456789", "reviewers-key-0123456789"
ACME = identity_of("acme")
OWN = frozenset({"/", "/login", "/review", "/review/runs/", "/v1/models", "/v1/models/", "/health"})
DOOR = ServerDoor(Keys.read(f"{KEY}=acme,{OF_ALL}=*:reviewer"), OWN)
OPEN_DOOR = ServerDoor(Keys.read(""), OWN)


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}], ids=["bearer", "x-api-key"])
def test_a_key_names_its_tenant(headers: dict[str, str]) -> None:
    assert tenant_of(DOOR.identity("/runs", headers)) == "acme"


def test_a_key_of_all_tenants_is_held_to_none() -> None:
    assert tenant_of(DOOR.identity("/runs", {"x-api-key": OF_ALL})) is None


@pytest.mark.parametrize("path", ["/runs", "/threads", "/v1", "/assistants/search", "/login/../runs", "/reviews"])
def test_without_a_key_the_graph_api_is_shut(path: str) -> None:
    with pytest.raises(TurnedAwayError):
        DOOR.identity(path, {})


@pytest.mark.parametrize("resource", ["threads", "assistants", "store", "crons"])
def test_a_guest_may_do_nothing(resource: str) -> None:
    with pytest.raises(NotPermittedError):
        confine(GUEST, resource, "read", {})


@pytest.mark.parametrize("path", ["/", "/login", "/review/runs/1", "/v1/models", "/health"])
def test_pages_with_a_door_of_their_own_let_guests_come_to_it(path: str) -> None:
    assert DOOR.identity(path, {}) == GUEST


@pytest.mark.parametrize("host", ["127.0.0.1:2024", "localhost:2024", "[::1]:2024"])
def test_a_server_without_keys_lets_this_machine_in(host: str) -> None:
    assert tenant_of(OPEN_DOOR.identity("/runs", {"host": host, "origin": f"http://{host}"})) is None


@pytest.mark.parametrize(
    "headers",
    [{}, {"host": "groat.example"}, {"host": "127.0.0.1:2024", "origin": "https://elsewhere.example"}],
    ids=["no-host", "other-host", "other-site"],
)
def test_a_server_without_keys_lets_nobody_else_in(headers: dict[str, str]) -> None:
    with pytest.raises(TurnedAwayError):
        OPEN_DOOR.identity("/runs", headers)


@pytest.mark.parametrize("knobs", [None, {}, {"tenant": "acme"}, {"tenant": None}])
def test_a_run_is_its_callers(knobs: dict[str, Any] | None) -> None:
    value: dict[str, Any] = {"metadata": {"tenant": "other"}, "kwargs": {"context": knobs, "config": {"configurable": {}}}}
    assert confine(ACME, "threads", "create_run", value) == {"tenant": "acme"}
    assert value["metadata"] == {"tenant": "acme"}
    assert value["kwargs"]["context"] in (None, {"tenant": "acme"})


@pytest.mark.parametrize(
    ("resource", "action", "value"),
    [
        ("threads", "create_run", {"kwargs": {"context": {"tenant": "other"}}}),
        ("threads", "create_run", {"kwargs": {"config": {"configurable": {"tenant": "other"}}}}),
        ("threads", "create_run", {"kwargs": {"command": {"goto": "retrieve"}}}),
        ("threads", "update", {"metadata": {"tenant": "other"}}),
        ("assistants", "create", {}),
        ("crons", "create", {}),
        ("store", "put", {"namespace": ("other", "acme")}),
        ("store", "search", {"namespace": ()}),
        ("something new", "read", {}),
    ],
)
def test_a_tenants_key_may_not(resource: str, action: str, value: dict[str, Any]) -> None:
    with pytest.raises(NotPermittedError):
        confine(ACME, resource, action, value)


def test_a_tenants_key_stops_its_own_runs_and_keeps_its_own_things() -> None:
    assert confine(ACME, "threads", "update", {"action": "interrupt"}) == {"tenant": "acme"}
    assert confine(ACME, "store", "put", {"namespace": ("acme", "notes")}) is None
    assert confine(ACME, "assistants", "search", {}) == {"created_by": "system"}


@pytest.mark.parametrize("context", [None, {"tenant": "other"}, Context(tenant="other")], ids=["none", "json", "context"])
def test_the_graph_itself_holds_a_run_to_its_caller(context: Any) -> None:
    held: Any = held_to_caller(context, {"configurable": {"langgraph_auth_user_id": ACME}})
    assert (held["tenant"] if isinstance(held, dict) else held.tenant) == "acme"


@pytest.mark.parametrize("config", [{}, {"configurable": {"langgraph_auth_user_id": identity_of(None)}}])
def test_whoever_is_held_to_no_tenant_chooses(config: Any) -> None:
    context = Context(tenant="other")
    assert held_to_caller(context, config) is context


@pytest.mark.parametrize("name", ["asked", "identity"])
def test_no_box_goes_on_with_the_state_of_another_tenant(name: str) -> None:
    with pytest.raises(BadInput, match="another tenant"):
        check_tenant({"asked": {"tenant": "acme"}, "identity": {"tenant": "acme"}, name: {"tenant": "other"}}, "acme")
