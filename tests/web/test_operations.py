"""What operators rely on: readiness, limits, other sites, logs, and secrets that stay secret."""

import asyncio
import dataclasses
import io
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.build import build_graph
from graph.settings import Settings
from groat.cache import AnswerCache, RedisStore
from groat.errors import StorageError
from groat.tracing.names import attributes as at
from groat.tracing.names import spans as called
from serve.application import Application
from serve.cli.doctor import shown_settings
from serve.logs import JsonLines
from serve.web.app import build_app
from tests.graph.conftest import GOOD, QUESTION, cache_calibration
from tests.model_server import ModelServer, Says, serve_model
from tests.redis_server import serve_redis
from tests.served import ServedWorld
from tests.traces import listening as told_to
from tests.traces import said
from tests.web.conftest import ASKS_ACME, KEYS, ZH_QUESTION, Reviewed, client_of, listening, review

SITE = "https://app.example.com"
KEY = {"authorization": f"Bearer {ASKS_ACME}"}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(Says(text=GOOD)) as started:
        yield started


@pytest.fixture
async def fresh(tmp_path: Path, server: ModelServer) -> Reviewed:
    return await review(tmp_path, server, [])


def app_of(world: ServedWorld, **settings: Any) -> Starlette:
    """Return the server's application over this world with these settings."""
    services = world.services
    chosen = Settings(**{"data_dir": world.folder, "api_keys": SecretStr(KEYS), **settings})
    return build_app(Application(settings=chosen, services=services, graph=build_graph(services)))


def question(text: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "groat", "messages": [{"role": "user", "content": text}], **more}


async def ask(client: httpx.AsyncClient, text: str = QUESTION, **more: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json=question(text, **more))


async def test_a_server_that_is_well_is_ready_without_a_key(fresh: Reviewed) -> None:
    async with client_of(app_of(fresh.world)) as client:
        health, ready = await client.get("/health"), await client.get("/ready")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()["ready"], ready.json()["degraded"]) == (200, True, [])
    assert set(ready.json()["parts"]) == {"knowledge", "embeddings", "cache", "ledger", "cheap_model", "expensive_model"}


async def test_a_cache_that_is_away_leaves_the_server_ready_and_degraded(fresh: Reviewed) -> None:
    store = RedisStore("redis://:secret-of-redis@127.0.0.1:1/0", patience_s=0.5, rest_s=0.1)
    services = dataclasses.replace(fresh.world.services, answers=AnswerCache(store, cache_calibration(0.8)))
    async with client_of(app_of(ServedWorld(fresh.folder, services)), **KEY) as client:
        ready, answer = await client.get("/ready"), await ask(client)
    await store.aclose()
    assert (ready.status_code, ready.json()["degraded"]) == (200, ["cache"])
    assert answer.json()["choices"][0]["message"]["content"] == GOOD
    assert "secret-of-redis" not in ready.text + answer.text


async def test_a_server_without_its_documents_is_not_ready(fresh: Reviewed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> set[str]:
        raise StorageError("the file is damaged")

    monkeypatch.setattr(fresh.world.services.knowledge, "tenants", broken)
    async with client_of(app_of(fresh.world)) as client:
        ready = await client.get("/ready")
        assert (await client.get("/health")).status_code == 200
    assert (ready.status_code, ready.json()["ready"], ready.json()["parts"]["knowledge"]) == (503, False, "down")
    assert "damaged" not in ready.text


async def test_a_key_is_held_to_its_requests_a_minute_and_others_are_not(fresh: Reviewed) -> None:
    async with client_of(app_of(fresh.world, key_rpm=2), **KEY) as client:
        statuses = [(await ask(client)).status_code for _ in range(2)]
        refused = await ask(client)
        other = await client.get("/v1/models")
    assert statuses == [200, 200]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert other.status_code == 200


async def test_a_key_is_held_to_the_tokens_that_were_paid(fresh: Reviewed) -> None:
    async with client_of(app_of(fresh.world, key_tpm=400), **KEY) as client:
        paid, hit, again = await ask(client), await ask(client), await ask(client)
        refused = await ask(client, ZH_QUESTION, groat={"no_cache": True})
        more = await ask(client, f"{ZH_QUESTION} 1", groat={"no_cache": True})
    assert [one.json()["usage"]["total_tokens"] > 0 for one in (paid, hit, again)] == [True, False, False]
    assert 429 in (refused.status_code, more.status_code)


async def test_processes_that_share_a_redis_count_a_key_together(fresh: Reviewed, tmp_path: Path) -> None:
    with serve_redis(tmp_path) as redis:
        apps = [app_of(fresh.world, key_rpm=3, redis_url=SecretStr(redis.url)) for _ in range(2)]
        async with AsyncExitStack() as open_:
            clients = []
            for app in apps:
                await open_.enter_async_context(app.router.lifespan_context(app))
                clients.append(await open_.enter_async_context(client_of(app, **KEY)))
            statuses = [(await ask(clients[number % 2])).status_code for number in range(4)]
            redis.kill()
            without = (await ask(clients[0])).status_code
    assert statuses == [200, 200, 200, 429]
    assert without == 200


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(fresh: Reviewed, server: ModelServer) -> None:
    async def endless() -> Any:
        for _ in range(10_000):
            yield b" " * 1000

    async with client_of(app_of(fresh.world), **KEY) as client:
        told = await client.post("/v1/chat/completions", content=b"x" * 10_000_000)
        untold = await client.post("/v1/chat/completions", content=endless())
    for response in (told, untold):
        assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
    assert server.bill == []


async def test_a_slow_client_is_sent_away_and_holds_up_nobody(fresh: Reviewed) -> None:
    with listening(app_of(fresh.world, body_timeout_s=0.5)) as address:
        host, port = httpx.URL(address).host, httpx.URL(address).port
        with socket.create_connection((host, port)) as slow:
            head = (
                "POST /v1/chat/completions HTTP/1.1",
                f"Host: {host}",
                f"Authorization: Bearer {ASKS_ACME}",
                "Content-Length: 9",
            )
            slow.sendall("\r\n".join([*head, "", "{"]).encode())
            async with httpx.AsyncClient(base_url=address, headers=KEY) as client:
                assert (await ask(client)).status_code == 200
            slow.settimeout(20)
            reply = await asyncio.to_thread(slow.recv, 4096)
    assert b" 408 " in reply.split(b"\r\n")[0]


async def test_other_sites_are_let_in_only_where_they_are_named(fresh: Reviewed) -> None:
    asks = {"origin": SITE, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    from_there = {"origin": SITE, "sec-fetch-site": "cross-site", **KEY}
    async with client_of(app_of(fresh.world)) as closed, client_of(app_of(fresh.world, cors_origins=(SITE,))) as open_:
        shut = await closed.options("/v1/chat/completions", headers=asks)
        refused = await closed.post("/v1/chat/completions", json=question(), headers=from_there)
        may = await open_.options("/v1/chat/completions", headers=asks)
        answered = await open_.post("/v1/chat/completions", json=question(), headers=from_there)
        elsewhere = await open_.post(
            "/v1/chat/completions", json=question(), headers={**from_there, "origin": "https://evil.example"}
        )
        form = await open_.post("/review/runs/x/mark", headers=from_there)
    assert "access-control-allow-origin" not in shut.headers
    assert (refused.status_code, elsewhere.status_code, form.status_code) == (403, 403, 403)
    assert (may.status_code, may.headers["access-control-allow-origin"]) == (200, SITE)
    assert (answered.status_code, answered.headers["access-control-allow-origin"]) == (200, SITE)
    assert "access-control-allow-credentials" not in answered.headers


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Have the log written here, as JSON."""
    kept = io.StringIO()
    handler = logging.StreamHandler(kept)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("groat.requests")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield kept
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


async def test_a_logged_request_is_one_json_object_without_what_was_asked(fresh: Reviewed) -> None:
    with logged() as kept:
        async with client_of(app_of(fresh.world, log_requests=True), **KEY) as client:
            await ask(client, f"{QUESTION} 张三 13800138000")
            await client.get("/v1/groat/documents/secret-name")
            await client.get("/nowhere/secret-path")
    lines = [json.loads(line) for line in kept.getvalue().splitlines()]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/v1/chat/completions", 200),
        ("GET", "/v1/groat/documents/{id}", 403),
        ("GET", "(none)", 404),
    ]
    assert all(line["ms"] >= 0 and len(line["key"]) == 12 for line in lines)
    for secret in ("13800138000", "张三", "reset link", ASKS_ACME, "secret-name", "secret-path"):
        assert secret not in kept.getvalue()


async def test_what_nobody_expected_is_told_by_its_kind_and_place_alone(
    fresh: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object, **named: object) -> None:
        raise KeyError("密码是 hunter2")

    monkeypatch.setattr("serve.web.openai.endpoint.read_request", broken)
    with logged() as kept:
        async with client_of(app_of(fresh.world), **KEY) as client:
            response = await ask(client)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "bug")
    (line,) = [json.loads(line) for line in kept.getvalue().splitlines()]
    assert "KeyError" in line["message"]
    assert "broken" in line["message"]
    assert "hunter2" not in kept.getvalue() + response.text


async def test_the_trace_begins_at_the_http_request_below_the_callers_own(
    fresh: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with told_to(monkeypatch) as told:
        async with client_of(app_of(fresh.world), **KEY) as client:
            await ask(client)
            await client.post("/v1/chat/completions", json=question(stream=True), headers={"traceparent": parent})
            await client.get("/health")
    first, second = [span for span in told.spans if span.name == "POST /v1/chat/completions"]
    assert said(first)[at.STATUS] == 200
    assert first.parent is None
    assert second.parent is not None
    assert (f"{second.parent.trace_id:032x}", f"{second.parent.span_id:016x}") == tuple(parent.split("-")[1:3])
    for http, root in zip((first, second), told.named(called.REQUEST), strict=True):
        assert root.parent is not None
        assert http.context is not None
        assert root.parent.span_id == http.context.span_id
        assert (http.end_time or 0) >= (root.end_time or 0)
    assert len([span for span in told.spans if span.name.startswith("GET")]) == 0


async def test_no_secret_comes_out_anywhere(fresh: Reviewed) -> None:
    secrets = {
        name: SecretStr(f"s3cret-{name}-0123456789")
        for name, field in Settings.model_fields.items()
        if field.annotation is SecretStr and name not in ("api_keys", "cache_url", "redis_url")
    }
    settings = Settings(
        data_dir=fresh.folder, api_keys=SecretStr(KEYS), redis_url=SecretStr("redis://:s3cret-redis@127.0.0.1:1/0"), **secrets
    )
    app = build_app(Application(settings=settings, services=fresh.world.services, graph=build_graph(fresh.world.services)))
    async with client_of(app, **KEY) as client:
        told = [
            (await client.get(path)).text
            for path in ("/health", "/ready", "/v1/models", "/v1/openapi.json", "/v1/nothing", "/review", "/metrics", "/login")
        ]
        told += [(await ask(client)).text, (await client.post("/v1/chat/completions", content=b"{")).text]
    told += [repr(settings), str(settings), json.dumps(shown_settings(settings))]
    for secret in ("s3cret", ASKS_ACME, "reads-acme"):
        assert all(secret not in text for text in told)


async def test_no_answer_comes_before_the_floor(fresh: Reviewed) -> None:
    async with client_of(app_of(fresh.world, answer_floor_ms=300), **KEY) as client:
        taken = [(await ask(client)).json()["groat"] for _ in range(2)]
    assert taken[1]["cache"] == "exact"
    assert all(one["latency_ms"] >= 300 for one in taken)
