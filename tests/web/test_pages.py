"""The review page, asked for by a program."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from graph.recording import open_runs
from graph.settings import Settings
from groat.blame.causes import BYPASS, STORED, SUFFIXES
from groat.tracing.opening import Tracing
from serve.web.review.filters import FINDINGS
from serve.web.review.words import WORDS
from tests.graph.conftest import GOOD, QUESTION
from tests.graph.test_blaming import TEXTS
from tests.model_server import Body, Outcome, Says, serve_model
from tests.web.conftest import ASKS_ACME, KEYS, READS_ACME, READS_OTHER, ZH_QUESTION, Reviewed, client_of, review

PAGES = ("/review", "/review/causes", "/review/savings")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("language", "says"), [("en", "groat review"), ("zh", "groat 审阅")])
async def test_every_page_is_there_in_both_languages(client: httpx.AsyncClient, path: str, language: str, says: str) -> None:
    response = await client.get(path, params={"lang": language})
    assert (response.status_code, says in response.text) == (200, True)


async def test_the_list_shows_every_run_newest_first(client: httpx.AsyncClient, reviewed: Reviewed) -> None:
    shown = re.findall(r'data-run="(\w+)"', (await client.get("/review")).text)
    assert shown == [reviewed.run(number) for number in (3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "runs"),
    [
        ("cache=exact", [1]),
        ("tier=expensive", [2]),
        ("language=zh", [3]),
        ("verdict=bad", []),
        ("document=en-reset&cache=miss&tier=cheap&language=en", [0]),
        ("until=2020-01-01", []),
        ("tenant=other", []),
    ],
)
async def test_the_list_can_be_filtered(client: httpx.AsyncClient, reviewed: Reviewed, query: str, runs: list[int]) -> None:
    shown = re.findall(r'data-run="(\w+)"', (await client.get(f"/review?{query}")).text)
    assert shown == [reviewed.run(number) for number in runs]


@pytest.mark.parametrize("query", ["tier=huge", "since=yesterday", "after=soon,x", "origin=devil"])
async def test_a_filter_that_cannot_be_is_told(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/review?{query}")
    assert (response.status_code, query.partition("=")[0] in response.text or "no day" in response.text) == (400, True)


async def test_a_run_shows_its_path_decisions_and_costs(client: httpx.AsyncClient, reviewed: Reviewed) -> None:
    text = (await client.get(f"/review/runs/{reviewed.run(2)}?lang=en")).text
    for shown in (
        "check cache → retrieve → route → compress",
        "answer, expensive",
        "p_cheap_ok",
        "tokens_before",
        "small",
        "big",
    ):
        assert shown in text


async def test_what_users_wrote_is_shown_as_text_and_never_as_markup(client: httpx.AsyncClient, reviewed: Reviewed) -> None:
    for path in ("/review", f"/review/runs/{reviewed.run(2)}"):
        text = (await client.get(path)).text
        assert "&lt;script&gt;alert(1)" in text
        assert "<script>alert" not in text
        assert "{{ 7 * 7 }}" in text


async def test_a_chinese_question_is_marked_as_chinese(client: httpx.AsyncClient, reviewed: Reviewed) -> None:
    text = (await client.get(f"/review/runs/{reviewed.run(3)}?lang=en")).text
    assert f'<h1 lang="zh-CN">{ZH_QUESTION}' in text


async def test_a_mark_is_kept_and_shown(client: httpx.AsyncClient, reviewed: Reviewed) -> None:
    run = reviewed.run(1)
    response = await client.post(f"/review/runs/{run}/mark", data={"bad": "yes", "note": "过期 <i>", "reference": "30 minutes"})
    assert response.status_code == 303
    assert "过期 &lt;i&gt;" in (await client.get(response.headers["location"])).text
    assert re.findall(r'data-run="(\w+)"', (await client.get("/review?mark=person&verdict=bad")).text) == [run]
    assert (await client.post(f"/review/runs/{run}/mark", data={"bad": "no"})).status_code == 303
    assert re.findall(r'data-run="(\w+)"', (await client.get("/review?mark=person&verdict=bad")).text) == []


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"bad=perhaps", 400), (b"\xff\xfe", 400), (b"bad=yes&note=" + b"x" * 70_000, 413)]
)
async def test_a_form_that_cannot_be_read_is_told(
    client: httpx.AsyncClient, reviewed: Reviewed, body: bytes, status: int
) -> None:
    assert (await client.post(f"/review/runs/{reviewed.run(0)}/mark", content=body)).status_code == status


async def test_a_run_that_is_not_there_is_told(client: httpx.AsyncClient) -> None:
    for path in ("/review/runs/nobody", "/review/runs/..%2f..%2fetc"):
        assert (await client.get(path)).status_code == 404
    assert (await client.post("/review/runs/nobody/mark", data={"bad": "no"})).status_code == 404


async def test_nobody_comes_in_without_a_key(reviewed: Reviewed) -> None:
    async with client_of(reviewed.app(KEYS)) as client:
        for path in (*PAGES, f"/review/runs/{reviewed.run(0)}"):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers={"accept": "text/html"})).headers["location"] == "/login"
        assert (await client.get("/health")).status_code == 200


async def test_who_only_asks_may_not_read(reviewed: Reviewed) -> None:
    async with client_of(reviewed.app(KEYS), authorization=f"Bearer {ASKS_ACME}") as client:
        for path in (*PAGES, f"/review/runs/{reviewed.run(0)}"):
            assert (await client.get(path)).status_code == 403
        assert (await client.post("/login", data={"key": ASKS_ACME})).status_code == 401


async def test_another_tenants_reviewer_sees_nothing_of_it(reviewed: Reviewed) -> None:
    async with client_of(reviewed.app(KEYS), authorization=f"Bearer {READS_OTHER}") as client:
        assert "data-run" not in (await client.get("/review?tenant=acme")).text
        assert (await client.get(f"/review/runs/{reviewed.run(0)}")).status_code == 404
        assert (await client.post(f"/review/runs/{reviewed.run(0)}/mark", data={"bad": "yes"})).status_code == 404
        assert 'class="ladder"' not in (await client.get("/review/savings?tenant=acme")).text


async def test_a_browser_logs_in_and_out(reviewed: Reviewed) -> None:
    async with client_of(reviewed.app(KEYS)) as client:
        assert (await client.post("/login", data={"key": "no-key-of-anybody"})).status_code == 401
        response = await client.post("/login", data={"key": READS_ACME})
        cookie = response.headers["set-cookie"].lower()
        assert all(part in cookie for part in ("httponly", "samesite=strict"))
        assert READS_ACME not in cookie
        assert (await client.get("/review")).status_code == 200
        await client.post("/logout")
        assert (await client.get("/review")).status_code == 401


@pytest.mark.parametrize(
    "headers", [{"origin": "http://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}], ids=str
)
async def test_a_form_of_another_site_is_refused(
    reviewed: Reviewed, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post(f"/review/runs/{reviewed.run(0)}/mark", data={"bad": "yes"}, headers=headers)
    assert response.status_code == 403


async def test_without_keys_only_this_machines_names_are_answered(reviewed: Reviewed) -> None:
    async with client_of(reviewed.app(), host="rebound.example") as client:
        assert (await client.get("/review")).status_code == 403
    async with client_of(reviewed.app(), host="localhost:8765") as client:
        assert (await client.get("/review")).status_code == 200


async def test_no_page_is_kept_by_anybody_between_or_may_load_anything_from_elsewhere(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/review")).headers
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_cause_of_a_bad_answer_is_found_and_shown(tmp_path: Path, language: str) -> None:
    question, right, other = TEXTS[language]

    def say(body: Body, number: int) -> Outcome:
        return Says(text=right if body["model"] == "big" else other)

    with serve_model(answer_with=say) as server:
        reviewed = await review(tmp_path, server, [question])
        run = reviewed.run(0)
        async with client_of(reviewed.app()) as client:
            await client.post(f"/review/runs/{run}/mark", data={"bad": "yes", "reference": right.partition("[")[0]})
            assert (await client.post(f"/review/runs/{run}/blame")).status_code == 303
            text = (await client.get(f"/review/runs/{run}?lang=en")).text
            assert WORDS["origin_means_router"][0] in text
            assert "right 1 of 1" in text
            assert re.findall(r'data-run="(\w+)"', (await client.get("/review?origin=router")).text) == [run]
            assert "1 examined" in (await client.get("/review/causes?lang=en")).text


def test_every_cause_and_lever_has_its_words() -> None:
    names = {f"lever_{lever.name}" for lever in (*SUFFIXES, BYPASS, STORED)} | {f"origin_means_{one}" for one in FINDINGS}
    assert names <= set(WORDS)


async def test_prometheus_is_answered_with_a_reviewers_key_where_metrics_are_counted(reviewed: Reviewed) -> None:
    counted = Tracing(registry=CollectorRegistry())
    Counter("groat_example", "An example.", registry=counted.registry).inc()
    for key, status in ((READS_ACME, 200), (ASKS_ACME, 403)):
        async with client_of(reviewed.app(KEYS, counted), authorization=f"Bearer {key}") as client:
            response = await client.get("/metrics")
            assert (response.status_code, "groat_example_total 1.0" in response.text) == (status, status == 200)
    async with client_of(reviewed.app()) as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_what_is_to_be_written_later_is_written_before_the_server_ends(tmp_path: Path) -> None:
    with serve_model(Says(text=GOOD)) as server:
        reviewed = await review(tmp_path, server, [])
        app = reviewed.app()
        async with app.router.lifespan_context(app), client_of(app) as client:
            body = {"model": "groat", "messages": [{"role": "user", "content": QUESTION}], "groat": {"tenant": "acme"}}
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
        assert (await open_runs(Settings(data_dir=reviewed.folder)).size()).runs == 1
