"""The graph on LangGraph's own server: who may call, as whom, and what else is served there."""

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.agent_server.conftest import ACME, ALL, OTHER, CallWith

QUESTIONS = pytest.mark.parametrize("question", ["Hello!", "你好！"], ids=["en", "zh"])
_BOX = "check_cache"


async def _ask(client: LangGraphClient, question: str, thread: str | None = None, **how: Any) -> dict[str, Any]:
    answered = await client.runs.wait(thread, "groat", input={"question": question}, **how)
    assert isinstance(answered, dict)
    return answered


async def _status(call: Any) -> int:
    """Return the status of a call that is refused."""
    with pytest.raises(Exception, match=r".") as refused:
        await call
    return int(refused.value.response.status_code)  # type: ignore[attr-defined]  # both families of the client's errors have it


@QUESTIONS
async def test_a_key_asks_as_its_tenant(keyed: str, question: str, call: CallWith) -> None:
    answered = await _ask(call(keyed, ACME), question)
    assert (answered["asked"]["tenant"], answered["path"][0]) == ("acme", _BOX)


async def test_without_a_key_nobody_asks(keyed: str, call: CallWith) -> None:
    client = call(keyed)
    assert await _status(_ask(client, "Hello!")) == 401
    assert await _status(client.assistants.search()) == 401
    assert await _status(_ask(call(keyed, "unknown-key-0123456789"), "Hello!")) == 401


@pytest.mark.parametrize(
    "how",
    [{"context": {"tenant": "other"}}, {"config": {"configurable": {"tenant": "other"}}}],
    ids=["context", "configurable"],
)
async def test_another_tenant_named_in_a_run_is_refused(keyed: str, how: dict[str, Any], call: CallWith) -> None:
    assert await _status(_ask(call(keyed, ACME), "Hello!", **how)) == 403


async def test_the_name_of_a_caller_cannot_be_forged(keyed: str, call: CallWith) -> None:
    forged = {"configurable": {"langgraph_auth_user_id": "tenant/other", "langgraph_auth_user": {"identity": "tenant/other"}}}
    answered = await _ask(call(keyed, ACME), "Hello!", config=forged)
    assert answered["asked"]["tenant"] == "acme"


async def test_headers_name_no_tenant(keyed: str, call: CallWith) -> None:
    client = call(keyed, ACME, {"x-groat-tenant": "other"})
    assert (await _ask(client, "Hello!"))["asked"]["tenant"] == "acme"


async def test_threads_belong_to_their_tenant(keyed: str, call: CallWith) -> None:
    mine, theirs = call(keyed, ACME), call(keyed, OTHER)
    thread = (await mine.threads.create())["thread_id"]
    await _ask(mine, "Hello!", thread)
    assert await _status(theirs.threads.get(thread)) == 404
    assert await _status(theirs.threads.get_state(thread)) == 404
    assert await _status(_ask(theirs, "Hello!", thread)) == 404
    assert await theirs.threads.search() == []
    assert thread in [one["thread_id"] for one in await call(keyed, ALL).threads.search()]


async def test_a_tenants_key_writes_no_state_and_jumps_nowhere(keyed: str, call: CallWith) -> None:
    client = call(keyed, ACME)
    thread = (await client.threads.create())["thread_id"]
    await _ask(client, "Hello!", thread)
    forged = {"asked": {"tenant": "other"}}
    assert await _status(client.threads.update_state(thread, forged, as_node=_BOX)) == 403
    assert await _status(client.threads.update(thread, metadata={"tenant": "other"})) == 403
    jump = client.runs.wait(thread, "groat", command={"update": forged, "goto": "retrieve"})
    assert await _status(jump) == 403
    assert await _status(client.assistants.create("groat", context={"tenant": "other"})) == 403
    assert await _status(client.store.put_item(["other"], "key", {"value": 1})) == 403


async def test_whoever_reviews_all_tenants_may_ask_for_each(keyed: str, call: CallWith) -> None:
    answered = await _ask(call(keyed, ALL), "Hello!", context={"tenant": "other"})
    assert answered["asked"]["tenant"] == "other"


@QUESTIONS
async def test_the_endpoint_is_served_there_too(keyed: str, question: str) -> None:
    body = {"model": "groat", "messages": [{"role": "user", "content": question}]}
    async with httpx.AsyncClient(base_url=keyed) as client:
        nobody = await client.post("/v1/chat/completions", json=body)
        mine = await client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {ACME}"})
        theirs = await client.post(
            "/v1/chat/completions",
            json={**body, "groat": {"tenant": "other"}},
            headers={"authorization": f"Bearer {ACME}"},
        )
    assert (nobody.status_code, mine.status_code, theirs.status_code) == (401, 200, 403)
    assert mine.json()["choices"][0]["message"]["content"]


async def test_the_pages_keep_their_own_door(keyed: str) -> None:
    async with httpx.AsyncClient(base_url=keyed) as client:
        found = {path: (await client.get(path)).status_code for path in ("/health", "/login", "/review", "/mcp", "/a2a/groat")}
        asks = (await client.get("/review", headers={"authorization": f"Bearer {ACME}"})).status_code
        reads = (await client.get("/review", headers={"authorization": f"Bearer {ALL}"})).status_code
    assert found == {"/health": 200, "/login": 200, "/review": 401, "/mcp": 401, "/a2a/groat": 401}
    assert (asks, reads) == (403, 200)


async def test_studio_works_without_keys(keyless: str, call: CallWith) -> None:
    client = call(keyless)
    (assistant,) = await client.assistants.search(graph_id="groat")
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    assert "question" in (schemas["input_schema"] or {})["properties"]
    assert "tenant" in (schemas["context_schema"] or {})["properties"]
    drawn = await client.assistants.get_graph(assistant["assistant_id"])
    assert _BOX in [node["id"] for node in drawn["nodes"]]
    thread = (await client.threads.create())["thread_id"]
    await _ask(client, "Hello!", thread, context={"tenant": "other"})
    values: Any = (await client.threads.get_state(thread))["values"]
    assert values["asked"]["tenant"] == "other"


async def test_mcp_and_a2a_are_off(keyless: str) -> None:
    async with httpx.AsyncClient(base_url=keyless) as client:
        assert (await client.post("/mcp", json={})).status_code == 404
        assert (await client.post("/a2a/groat", json={})).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://smith.langchain.com", "x-auth-scheme": "langsmith"}, 200),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"host": "elsewhere.example"}, 403),
    ],
    ids=["studio", "other-site", "other-name"],
)
async def test_without_keys_only_this_machine_and_studio_are_let_in(keyless: str, headers: dict[str, str], status: int) -> None:
    async with httpx.AsyncClient(base_url=keyless, headers=headers) as client:
        reply = await client.post("/assistants/search", json={})
    assert reply.status_code == status
    assert reply.headers.get("access-control-allow-origin") in (None, "https://smith.langchain.com")
