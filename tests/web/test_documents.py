"""Documents and answers changed over HTTP, as somebody's pipeline does it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.graph.conftest import GOOD, QUESTION
from tests.model_server import ModelServer, Says, serve_model
from tests.web.conftest import ASKS_ACME, READS_ACME, ZH_GOOD, Reviewed, client_of, review

WRITES_ACME, WRITES_ALL, OWNS_OTHER = "writes-acme-0123456789", "writes-all-0123456789", "owns-other-0123456789"
KEYS = f"{ASKS_ACME}=acme,{READS_ACME}=acme:reviewer,{WRITES_ACME}=acme:writer,{WRITES_ALL}=*:writer,{OWNS_OTHER}=other:owner"
RESET = "# Password reset\n\nA password reset link is valid for 45 minutes."


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(answer_with=lambda body, number: Says(text=ZH_GOOD if "密码" in str(body) else GOOD)) as started:
        yield started


@pytest.fixture
async def fresh(tmp_path: Path, server: ModelServer) -> Reviewed:
    return await review(tmp_path, server, [])


@pytest.fixture
async def pipeline(fresh: Reviewed) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {WRITES_ACME}") as client:
        yield client


async def ask(client: httpx.AsyncClient, question: str = QUESTION) -> dict[str, Any]:
    response = await client.post(
        "/v1/chat/completions", json={"model": "groat", "messages": [{"role": "user", "content": question}]}
    )
    assert response.status_code == 200, response.text
    return dict(response.json()["groat"])


async def test_a_document_is_added_changed_and_removed(pipeline: httpx.AsyncClient) -> None:
    address = "/v1/groat/documents/handbook/退款"
    added = await pipeline.put(address, json={"text": "# 退款\n\n五天内退款。"})
    again = await pipeline.put(address, json={"text": "# 退款\n\n五天内退款。"})
    version = (await pipeline.get(address)).json()
    changed = await pipeline.put(address, json={"text": "# 退款\n\n七天内退款。"})
    assert added.json() == {"added": ["handbook/退款"], "changed": [], "unchanged": [], "answers_invalidated": 0}
    assert again.json()["unchanged"] == changed.json()["changed"] == ["handbook/退款"]
    assert (await pipeline.get(address)).json()["version"] != version["version"]
    assert (await pipeline.delete(address)).json()["documents"] == 1
    assert (await pipeline.get(address)).status_code == (await pipeline.delete(address)).status_code == 404


@pytest.mark.parametrize(
    ("id", "question", "before", "after", "says"),
    [
        ("given-en", QUESTION, "A password reset link is valid for 20 minutes.", RESET, GOOD.replace("en-reset", "given-en")),
        (
            "given-zh",
            "退款多久到账？",
            "# 退款\n\n退款五天内到账。",
            "# 退款\n\n退款七天内到账。",
            "退款五天内到账。[given-zh]",
        ),
    ],
    ids=["en", "zh"],
)
async def test_a_changed_document_invalidates_the_answers_that_stand_on_it(
    tmp_path: Path, id: str, question: str, before: str, after: str, says: str
) -> None:
    with serve_model(Says(text=says)) as server:
        fresh = await review(tmp_path, server, [])
        async with client_of(fresh.app(KEYS), authorization=f"Bearer {WRITES_ACME}") as client:
            await client.put(f"/v1/groat/documents/{id}", json={"text": before})
            first, hit = await ask(client, question), await ask(client, question)
            report = (await client.put(f"/v1/groat/documents/{id}", json={"text": after})).json()
            last = await ask(client, question)
    assert first["verified"]
    assert (hit["cache"], report["answers_invalidated"], last["cache"]) == ("exact", 1, "miss")


async def test_answers_are_forgotten_by_document_or_all(pipeline: httpx.AsyncClient) -> None:
    for body in ({"documents": ["en-reset"]}, {"all": True}):
        await ask(pipeline)
        assert (await ask(pipeline))["cache"] == "exact"
        assert (await pipeline.post("/v1/groat/invalidate", json=body)).json() == {"answers_invalidated": 1}
    assert (await ask(pipeline))["cache"] == "miss"


async def test_several_documents_come_in_one_request_in_each_form(pipeline: httpx.AsyncClient) -> None:
    documents = [
        {"id": "a", "text": "Plain text.", "form": "text"},
        {"id": "b", "text": "<html><title>页面</title><body><main><p>一段话。</p></main></body></html>", "form": "html"},
        {"id": "c", "text": "# Title\n\nMarkdown.", "category": "billing", "updated": "2026-11-01", "lang": "en"},
    ]
    assert (await pipeline.post("/v1/groat/documents", json={"documents": documents})).json()["added"] == ["a", "b", "c"]


@pytest.mark.parametrize("key", [ASKS_ACME, READS_ACME], ids=["user", "reviewer"])
async def test_only_who_may_write_writes(fresh: Reviewed, key: str) -> None:
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {key}") as client:
        refused = [
            await client.put("/v1/groat/documents/a", json={"text": "a"}),
            await client.post("/v1/groat/documents", json={"documents": [{"id": "a", "text": "a"}]}),
            await client.get("/v1/groat/documents/en-reset"),
            await client.delete("/v1/groat/documents/en-reset"),
            await client.post("/v1/groat/invalidate", json={"all": True}),
        ]
    assert [response.status_code for response in refused] == [403] * 5
    assert await fresh.world.services.knowledge.versions(["en-reset"], tenant="acme") != {}


async def test_a_tenant_can_touch_no_other(fresh: Reviewed) -> None:
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {OWNS_OTHER}") as client:
        by_header = await client.delete("/v1/groat/documents/en-reset", headers={"X-Groat-Tenant": "acme"})
        own = await client.delete("/v1/groat/documents/en-reset")
        mine = await client.put("/v1/groat/documents/en-reset", json={"text": "Mine. 我的。"})
        forgotten = await client.post("/v1/groat/invalidate", json={"all": True})
    assert [by_header.status_code, own.status_code, mine.status_code, forgotten.status_code] == [403, 404, 200, 200]
    versions = [await fresh.world.services.knowledge.versions(["en-reset"], tenant=tenant) for tenant in ("acme", "other")]
    assert len(versions[0]) == len(versions[1]) == 1
    assert versions[0] != versions[1]


async def test_a_key_for_all_tenants_names_whose_documents(fresh: Reviewed) -> None:
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {WRITES_ALL}") as client:
        await client.put("/v1/groat/documents/a", json={"text": "Text. 文本。"}, headers={"X-Groat-Tenant": "third"})
    assert "third" in await fresh.world.services.knowledge.tenants()


async def test_an_id_that_a_file_has_is_refused_without_its_place(pipeline: httpx.AsyncClient, fresh: Reviewed) -> None:
    response = await pipeline.put("/v1/groat/documents/en-reset", json={"text": "Over it. 覆盖。"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "id_taken")
    assert str(fresh.folder.parent) not in response.text
    assert "documents" in response.text


@pytest.mark.parametrize(
    "id", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "C:\\windows", "/etc/passwd", "a\nb", "~root", "文档/../密"]
)
async def test_an_id_is_a_name_and_never_a_path(pipeline: httpx.AsyncClient, fresh: Reviewed, id: str) -> None:
    before = sorted(path.name for path in fresh.folder.parent.rglob("*"))
    response = await pipeline.post("/v1/groat/documents", json={"documents": [{"id": id, "text": "Harmless. 无害。"}]})
    assert response.status_code == (400 if "\n" in id else 200)
    assert "root:" not in response.text
    assert {name for name in (path.name for path in fresh.folder.parent.rglob("*"))} - set(before) <= {
        "knowledge.sqlite.ingest.lock", "knowledge.sqlite-wal", "knowledge.sqlite-shm"
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {}, {"text": ""}, {"text": "  "}, {"text": "a\u0000b"}, {"text": 7}, {"text": "a", "path": "/etc/passwd"},
        {"text": "a", "form": "pdf"}, {"text": "a", "lang": "fr"}, [], "text",
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_no_document_is_told(pipeline: httpx.AsyncClient, body: Any) -> None:
    response = await pipeline.put("/v1/groat/documents/a", json=body)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "body", [{}, {"documents": []}, {"documents": ["a"], "all": True}, {"documents": "a"}, {"everything": True}], ids=str
)
async def test_what_names_nothing_to_forget_is_told(pipeline: httpx.AsyncClient, body: Any) -> None:
    assert (await pipeline.post("/v1/groat/invalidate", json=body)).status_code == 400


async def test_an_id_that_stands_twice_is_told(pipeline: httpx.AsyncClient) -> None:
    body = {"documents": [{"id": "a", "text": "One. 一。"}, {"id": "a", "text": "Two. 二。"}]}
    response = await pipeline.post("/v1/groat/documents", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "documents")
