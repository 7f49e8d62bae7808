"""What the cache did, in numbers: counted in memory, added to those of all in the background."""

import asyncio
import gc
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from groat.cache.counts import Cell, Counts, alarms_of, by_language
from groat.cache.counts_places import SqliteCounts
from groat.errors import StorageError
from groat.types import Lookup
from tests.fakes import FixedClock

NOON = 1_795_521_600.0
"""2026-11-24, 12:00 UTC."""
DAY = "2026-11-24"


def lookup(outcome: str, reason: str, **more: Any) -> Lookup:
    made = {
        "outcome": outcome,
        "tier": None,
        "reason": reason,
        "candidate": None,
        "threshold": None,
        "calibration": "v",
        **more,
    }
    return cast(Lookup, made)


HIT, MISS = lookup("hit", "exact"), lookup("miss", "differs")


class Place:
    """A place in memory whose failures a test can ask for."""

    def __init__(self) -> None:
        self.batches: dict[str, dict[Cell, int]] = {}
        self.failure: str | None = None
        self.tried: list[str] = []
        self.added = threading.Event()

    def add(self, batch: str, counts: Mapping[Cell, int]) -> None:
        self.tried.append(batch)
        if self.failure is not None:
            raise StorageError(self.failure)
        self.batches[batch] = dict(counts)
        self.added.set()

    def read(self, days: Iterable[str]) -> dict[Cell, int]:
        if self.failure is not None:
            raise StorageError(self.failure)
        wanted = set(days)
        found: dict[Cell, int] = {}
        for counts in self.batches.values():
            for cell, number in counts.items():
                if cell.day in wanted:
                    found[cell] = found.get(cell, 0) + number
        return found


def counting(place: Place | SqliteCounts | None, clock: FixedClock | None = None) -> Counts:
    return Counts(place, clock=clock or FixedClock(NOON), flush_s=0.01)


def test_what_came_of_a_question_is_counted_by_language_and_reason() -> None:
    counts = counting(None)
    waited = {"run": "r", "ms": 3.0, "kept": True}
    for one, language in [(HIT, "en"), (HIT, "zh"), (MISS, "zh"), (lookup("error", "the disk /home/x is full"), "zh")]:
        counts.looked_up(one, language=language)
    counts.looked_up(lookup("hit", "similar", waited=waited), language="en")
    counts.looked_up(lookup("off", "plans of our own"), language="en")
    counts.offered("", language="en")
    counts.offered("unverified", language="en")
    counts.removed("stale", 2)
    counts.removed("evicted", 0)
    assert counts.totals() == {
        ("en", "hit.exact"): 1, ("zh", "hit.exact"): 1, ("zh", "miss.differs"): 1, ("zh", "error.failed"): 1,
        ("en", "hit.similar"): 1, ("en", "waited.kept"): 1, ("en", "off.category"): 1, ("en", "kept"): 1,
        ("en", "not_kept.unverified"): 1, ("", "removed.stale"): 2,
    }  # fmt: skip


def test_counts_reach_the_place_of_all_by_themselves() -> None:
    place = Place()
    counts = counting(place)
    counts.looked_up(HIT, language="zh")
    assert place.added.wait(20)
    assert place.read([DAY]) == {Cell(DAY, 12, "zh", "hit.exact"): 1}
    counts.close()


def test_each_hour_and_day_is_counted_by_itself() -> None:
    place, clock = Place(), FixedClock(NOON)
    counts = Counts(place, clock=clock, flush_s=600)
    counts.looked_up(HIT, language="en")
    clock.now += 11 * 3600
    counts.looked_up(HIT, language="en")
    clock.now += 3600
    counts.looked_up(HIT, language="en")
    counts.close()
    found = place.read([DAY, "2026-11-25"])
    assert [(cell.day, cell.hour) for cell in found] == [(DAY, 12), (DAY, 23), ("2026-11-25", 0)]


def test_a_place_that_is_away_costs_no_count_and_is_told() -> None:
    place = Place()
    place.failure = "the disk is full; free some space"
    counts = Counts(place, clock=FixedClock(NOON), flush_s=600)
    counts.looked_up(HIT, language="en")
    counts.flush()
    counts.looked_up(HIT, language="en")
    counts.flush()
    assert counts.last_failure == place.failure
    assert len(set(place.tried)) == 1  # the same batch, so that it cannot be added twice
    place.failure = None
    counts.close()
    assert not counts.last_failure
    assert sum(place.read([DAY]).values()) == 2


def test_counts_that_nobody_holds_any_more_are_still_added() -> None:
    place = Place()
    counts = Counts(place, clock=FixedClock(NOON), flush_s=600)
    counts.looked_up(HIT, language="en")
    del counts
    gc.collect()
    assert sum(place.read([DAY]).values()) == 1


def test_a_process_that_asks_one_question_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "counts.sqlite"
    program = (
        "import sys; from pathlib import Path; from groat.cache.counts import Counts; "
        "from groat.cache.counts_places import SqliteCounts; "
        "Counts(SqliteCounts(Path(sys.argv[1]))).offered('', language='zh')"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True, timeout=120)
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT language, name, number FROM counts").fetchall() == [("zh", "kept", 1)]
    db.close()


def test_threads_lose_no_count() -> None:
    place = Place()
    counts = counting(place)

    def work() -> None:
        for _ in range(500):
            counts.looked_up(HIT, language="en")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.close()
    assert sum(place.read([DAY]).values()) == sum(counts.totals().values()) == 4000


def test_a_process_knows_the_past_of_all_processes_and_raises_the_alarm(caplog: pytest.LogCaptureFixture) -> None:
    place = Place()
    place.batches["past"] = {Cell(DAY, 3, "zh", "hit.similar"): 300, Cell(DAY, 3, "zh", "miss.below_threshold"): 300}
    counts = counting(place)
    counts.looked_up(HIT, language="zh")
    assert place.added.wait(20)  # by then it has read the past
    with caplog.at_level(logging.WARNING, logger="groat.cache.counts"):
        in_force = [counts.looked_up(MISS, language="zh") for _ in range(300)][-1]
    assert set(in_force) == {"no_hits/zh", "no_semantic_hits/zh", "same_refusal/zh/differs"}
    assert {alarm.code for alarm in counts.alarms()} == set(in_force)
    assert sorted(record.__dict__["alarm"] for record in caplog.records) == sorted(in_force)
    assert counts.totals()["zh", "alarm.no_semantic_hits"] == 1
    counts.looked_up(lookup("hit", "similar"), language="zh")
    assert counts.alarms() == []
    counts.close()


def test_the_counts_of_all_processes_show_a_fall_within_an_hour_and_a_good_week_shows_none() -> None:
    place = Place()
    week = {
        Cell(f"2026-11-{number:02}", hour, language, name): amount
        for number in range(17, 24)
        for hour in (9, 12, 20)
        for language in ("en", "zh")
        for name, amount in [("hit.exact", 20), ("hit.similar", 10), ("miss.below_threshold", 70)]
    }
    place.batches["week"] = week
    good = {Cell(DAY, 12, "en", "hit.exact"): 18, Cell(DAY, 12, "en", "hit.similar"): 8, Cell(DAY, 12, "en", "miss.empty"): 70}
    place.batches["today"] = good
    assert alarms_of(place, now=NOON + 60) == []
    place.batches["broken"] = {Cell(DAY, 12, "zh", "miss.below_threshold"): 400}
    assert {alarm.code for alarm in alarms_of(place, now=NOON + 60)} == {
        "no_hits/zh", "no_exact_hits/zh", "no_semantic_hits/zh", "same_refusal/zh/below_threshold"
    }  # fmt: skip


def test_numbers_are_added_over_hours() -> None:
    cells = [(Cell(DAY, 1, "zh", "kept"), 2), (Cell(DAY, 2, "zh", "kept"), 3), (Cell(DAY, 2, "", "removed.stale"), 1)]
    assert by_language(cells) == {"zh": {"kept": 5}}


async def test_counting_waits_for_no_place() -> None:
    class Slow(Place):
        def add(self, batch: str, counts: Mapping[Cell, int]) -> None:
            time.sleep(0.5)
            super().add(batch, counts)

    place = Slow()
    counts = counting(place)
    for _ in range(50):
        counts.looked_up(HIT, language="en")
        await asyncio.sleep(0)
    assert place.batches == {}  # nothing waited for the first half second
    counts.close()
    assert sum(place.read([DAY]).values()) == 50
