"""Runs are kept, found, marked, and forgotten."""

import sqlite3
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.blame.records import Causes, Wanted
from groat.blame.rows import row_of, unpacked
from groat.blame.snapshot import Blamed, Mark, Snapshot, without_texts
from groat.blame.sqlite import SqliteRuns
from groat.errors import StorageError
from groat.types import Tier
from tests.fakes import asked, attempt, identity, passage

DAY = 86_400.0
QUESTIONS = {"en": "How long is the reset link valid?", "zh": "重置链接有效多久？"}


def snapshot(run: str = "r1", *, at: float = 1000.0, language: str = "en", tenant: str = "acme", **changes: Any) -> Snapshot:
    """Return a run that the cheap model answered and that was accepted."""
    question = asked(QUESTIONS[language], tenant=tenant, history=["Hello", "Good day"])
    found = passage("The secret link lasts 20 minutes.", document="reset", title="Secret title", heading="Secret heading")
    made = Snapshot(
        run=run,
        trace=f"trace-{run}",
        otel_trace="",
        at=at,
        asked={**question, "instructions": "secret instructions"},
        knobs={"tenant": tenant, "tier": "auto"},
        identity=identity(question),
        lookup={
            "outcome": "miss", "tier": None, "reason": "empty", "candidate": None, "threshold": 0.9, "calibration": "v"
        },
        passages=[found],
        route={
            "tier": "cheap", "kind": "knowledge", "p_cheap_ok": 0.9, "threshold": 0.8, "reasons": ["proven"], "artifact": "a1"
        },
        shortened={"passages": [found], "tokens_before": 9, "tokens_after": 9, "level": "cheap", "reason": "nothing left out"},
        attempts=[attempt("The secret answer. [reset]")],
        verdicts=[
            {
                "ok": True,
                "step": "accept",
                "checks": [{"name": "support", "passed": True, "score": 1.0, "reason": "the secret sentence stands there"}],
                "reason": "all checks passed",
            }
        ],
        charges=[],
        path=["check_cache", "retrieve", "route", "compress", "answer_cheap", "validate", "remember"],
        answer="The secret answer. [reset]",
        verified=True,
        sources=[{"id": "reset", "version": "v1", "title": "Secret title"}],
        error="",
        cost_usd="0.001",
        baseline_cost_usd="0.01",
        versions={"prompts": "p", "cache": "v", "router": "a1", "acceptance": "none", "embedder": "words"},
        seeds={},
    )  # fmt: skip
    return replace(made, **changes)


def hit(run: str, *, document: str = "old", **changes: Any) -> Snapshot:
    """Return a run that the cache answered."""
    return snapshot(
        run,
        lookup={
            "outcome": "hit",
            "tier": "semantic",
            "reason": "similar",
            "candidate": {"entry_id": "e1", "question": "secret question", "similarity": 0.95, "differences": []},
            "threshold": 0.9,
            "calibration": "v",
            "served": {
                "question": "secret question", "kept_at": 1.0, "tier": "cheap", "documents": [{"id": document, "version": "1"}]
            },
        },
        passages=[], route=None, shortened=None, attempts=[], verdicts=[], path=["check_cache"],
        **changes,
    )  # fmt: skip


def marked(run: str, *, bad: bool = True, at: float = 2000.0, **changes: Any) -> Mark:
    return Mark(**{"run": run, "kind": "user", "at": at, "bad": bad, **changes})


def blamed(run: str, origin: str = "router", **changes: Any) -> Blamed:
    values = {
        "run": run, "at": 3000.0, "origin": origin, "missed_by": "acceptance", "confidence": 0.97, "second": None, "calls": 2,
        "cost_usd": "0.02", "body": {"origin": origin},
    }  # fmt: skip
    return Blamed(**{**values, **changes})


@pytest.fixture
def runs(tmp_path: Path) -> SqliteRuns:
    return SqliteRuns(tmp_path / "data" / "runs.sqlite")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_run_comes_back_as_it_was_kept(runs: SqliteRuns, language: str) -> None:
    one = snapshot(language=language)
    await runs.add(one, sampled=True)
    kept = await runs.get("r1")
    assert kept is not None
    assert (kept.snapshot, kept.marks, kept.blamed) == (one, (), None)
    assert await runs.get("trace-r1") == kept
    assert await runs.get("unknown") is None


async def test_the_file_is_its_owners_alone(runs: SqliteRuns, tmp_path: Path) -> None:
    await runs.add(snapshot(), sampled=True)
    assert stat.S_IMODE((tmp_path / "data" / "runs.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


@pytest.mark.parametrize("one", [snapshot(), hit("h")], ids=["answered", "hit"])
def test_a_run_without_texts_holds_no_word_of_anybody(one: Snapshot) -> None:
    row = row_of(without_texts(one), sampled=True)
    body = row.pop("body")
    assert isinstance(body, bytes)
    silent = unpacked(body)
    for told in (str(silent), str(row)):
        assert "ecret" not in told
        assert QUESTIONS["en"] not in told
        assert "Good day" not in told
    assert silent.documents == one.documents
    assert (silent.texts, silent.cache, silent.tier, silent.cost_usd) == (False, one.cache, one.tier, one.cost_usd)
    assert without_texts(silent) == silent


@settings(deadline=None)
@given(st.text())
def test_any_question_can_be_kept(text: str) -> None:
    one = snapshot(answer=text, asked={**asked("?"), "text": text, "search_text": text + "\ud800"})
    body = row_of(one, sampled=False)["body"]
    assert isinstance(body, bytes)
    assert unpacked(body) == one


async def test_whoever_speaks_last_decides_whether_a_run_is_bad(runs: SqliteRuns) -> None:
    await runs.add(snapshot(), sampled=True)
    await runs.add(snapshot("failed", verified=False, answer="", error="every call failed"), sampled=True)

    async def bad() -> set[str]:
        return {one.run for one in (await runs.find(Wanted(bad=True))).runs}

    assert await bad() == {"failed"}
    assert await runs.mark(marked("r1")) is True
    assert await bad() == {"failed", "r1"}
    await runs.mark(marked("trace-r1", bad=False, at=2001.0, kind="person", note="it is right"))
    await runs.mark(marked("failed", bad=False, at=2001.0))
    assert await bad() == set()
    await runs.add(snapshot(), sampled=True)  # written again after a crash: what was said about it stays
    kept = await runs.get("r1")
    assert kept is not None
    assert [(mark.kind, mark.bad, mark.note) for mark in kept.marks] == [("user", True, ""), ("person", False, "it is right")]
    assert await runs.mark(marked("unknown")) is False


async def test_a_verdict_takes_the_place_of_the_one_before(runs: SqliteRuns) -> None:
    await runs.add(snapshot(), sampled=True)
    await runs.blame(blamed("r1", "unclear"))
    await runs.blame(blamed("r1", "router", second="retrieval"))
    kept = await runs.get("r1")
    assert kept is not None
    assert kept.blamed == blamed("r1", "router", second="retrieval")
    assert await runs.blame(blamed("unknown")) is False


async def test_a_list_is_newest_first_and_pages_meet(runs: SqliteRuns) -> None:
    for number in range(7):
        await runs.add(snapshot(f"r{number}", at=1000.0 + number // 2), sampled=True)
    seen: list[str] = []
    wanted: Wanted | None = Wanted(limit=3)
    while wanted is not None:
        page = await runs.find(wanted)
        seen += [one.run for one in page.runs]
        wanted = Wanted(limit=3, after=page.next) if page.next else None
    assert seen == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"tenant": "other"}, {"other"}),
        ({"language": "zh"}, {"zh"}),
        ({"tier": "expensive"}, {"dear"}),
        ({"cache": "semantic"}, {"hit"}),
        ({"cache": "miss", "step": "accept", "language": "en", "tenant": "acme"}, {"plain", "dear"}),
        ({"step": "exhausted"}, {"lost"}),
        ({"bad": True}, {"lost", "zh"}),
        ({"bad": False}, {"plain", "other", "dear", "hit"}),
        ({"mark": "user"}, {"zh"}),
        ({"mark": "person"}, set()),
        ({"origin": "router"}, {"zh"}),
        ({"origin": "not_blamed", "bad": True}, {"lost"}),
        ({"document": "old"}, {"hit"}),
        ({"since": 1005.0}, {"lost"}),
        ({"until": 1001.0}, {"plain"}),
    ],
    # The order of a set differs from process to process.
    ids=lambda value: str(value) if isinstance(value, dict) else " ".join(sorted(value)),
)
async def test_a_list_holds_what_is_wanted(runs: SqliteRuns, wanted: dict[str, Any], expected: set[str]) -> None:
    exhausted = [{**snapshot().verdicts[0], "ok": False, "step": "exhausted"}]
    dear: Tier = "expensive"
    for run in (
        snapshot("plain", at=1000.0),
        snapshot("other", at=1001.0, tenant="other"),
        snapshot("zh", at=1002.0, language="zh"),
        snapshot("dear", at=1003.0, attempts=[attempt("x", tier=dear)]),
        hit("hit", at=1004.0),
        snapshot("lost", at=1005.0, verified=False, verdicts=exhausted),
    ):
        await runs.add(run, sampled=True)
    await runs.mark(marked("zh"))
    await runs.blame(blamed("zh"))
    page = await runs.find(Wanted(**wanted))
    assert {one.run for one in page.runs} == expected


async def test_a_line_says_what_is_known_of_a_run(runs: SqliteRuns) -> None:
    await runs.add(snapshot(), sampled=True)
    await runs.mark(marked("r1", at=5.0, kind="validator"))
    await runs.mark(marked("r1", at=6.0))
    await runs.blame(blamed("r1"))
    (line,) = (await runs.find(Wanted())).runs
    assert (line.question, line.cache, line.tier, line.step) == (QUESTIONS["en"], "miss", "cheap", "accept")
    assert (line.marks, line.origin, line.confidence, line.bad) == (("validator", "user"), "router", 0.97, True)


async def test_causes_are_counted_span_by_span(runs: SqliteRuns) -> None:
    for number, at in enumerate((0.0, 1.0, DAY, 2 * DAY + 5)):
        await runs.add(snapshot(f"r{number}", at=at), sampled=True)
        await runs.mark(marked(f"r{number}"))
    await runs.blame(blamed("r0", "router"))
    await runs.blame(blamed("r1", "stale"))
    await runs.blame(blamed("r3", "no_fault"))
    found = await runs.causes(since=0.0, until=4 * DAY, step_s=DAY)
    assert list(found) == [
        Causes(begin=0.0, runs=2, bad=2, found={"router": 1, "stale": 1}),
        Causes(begin=DAY, runs=1, bad=1),
        Causes(begin=2 * DAY, runs=1, bad=1, found={"no_fault": 1}),
        Causes(begin=3 * DAY, runs=0, bad=0),
    ]
    assert await runs.origins(since=0.0, until=4 * DAY) == {"router": ["r0"], "stale": ["r1"]}
    assert await runs.causes(since=0.0, until=DAY, step_s=DAY, tenant="other") == [Causes(begin=0.0, runs=0, bad=0)]


async def test_what_is_neither_sampled_nor_bad_is_held_for_a_while(tmp_path: Path) -> None:
    runs = SqliteRuns(tmp_path / "runs.sqlite", keep_days=30, wait_h=24)
    for name, sampled in (("sampled", True), ("good", False), ("bad", False), ("young", False)):
        await runs.add(snapshot(name, at=DAY if name == "young" else 0.0), sampled=sampled)
    await runs.mark(marked("bad"))
    assert await runs.prune(now=1.5 * DAY) == 1
    assert {one.run for one in (await runs.find(Wanted())).runs} == {"sampled", "bad", "young"}
    assert await runs.prune(now=40 * DAY) == 3


async def test_beyond_the_bytes_the_oldest_good_runs_go_first(tmp_path: Path) -> None:
    runs = SqliteRuns(tmp_path / "runs.sqlite")
    for number in range(6):
        await runs.add(snapshot(f"r{number}", at=float(number)), sampled=True)
    await runs.mark(marked("r0"))
    each = (await runs.size()).bytes // 6
    small = SqliteRuns(tmp_path / "runs.sqlite", most_bytes=3 * each + each // 2)
    assert await small.prune(now=10.0) == 3
    assert [one.run for one in (await small.find(Wanted())).runs] == ["r5", "r4", "r0"]


async def test_forgetting_takes_marks_and_verdicts_along(runs: SqliteRuns, tmp_path: Path) -> None:
    for run in (snapshot("a"), snapshot("b", tenant="other"), hit("c", document="manual"), snapshot("d")):
        await runs.add(run, sampled=True)
        await runs.mark(marked(run.run, note="secret note"))
        await runs.blame(blamed(run.run, body={"note": "secret note"}))
    assert await runs.forget(document="manual") == 1
    assert await runs.forget(tenant="other", document="manual") == 0
    assert await runs.forget(tenant="other") == 1
    assert await runs.forget(run="d") == 1
    assert await runs.forget() == 1
    db = sqlite3.connect(tmp_path / "data" / "runs.sqlite")
    left = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "documents", "marks", "blamed")]
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert left == [0, 0, 0, 0]
    assert b"secret note" not in (tmp_path / "data" / "runs.sqlite").read_bytes()


@pytest.mark.parametrize("wreck", ["damaged", "newer", "no folder"])
async def test_a_file_that_cannot_be_used_says_what_to_do(tmp_path: Path, wreck: str) -> None:
    path = tmp_path / "runs.sqlite"
    match wreck:
        case "damaged":
            path.write_bytes(b"no database" * 100)
        case "newer":
            db = sqlite3.connect(path)
            db.execute("PRAGMA user_version = 99")
            db.close()
        case _:
            (tmp_path / "file").touch()
            path = tmp_path / "file" / "runs.sqlite"
    with pytest.raises(StorageError, match=r"move the file away|update groat|check the folder"):
        await SqliteRuns(path).add(snapshot(), sampled=True)
