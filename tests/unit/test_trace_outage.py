"""While backends of traces fail, what waits is bounded, drops are counted, and the rest arrives after it."""

import pytest

from evals.trace_cost import ARMS, measured
from evals.trace_outage import Trouble, outage
from groat.tracing import outbox

MOST_BYTES = 400_000


@pytest.mark.parametrize("trouble", ["down", "busy", "broken"])
async def test_in_an_outage_memory_is_bounded_and_the_rest_arrives_after_it(
    trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_LONGEST_PAUSE_S", 0.5)
    came = await outage(trouble, seconds=2.0, rate=50.0, most_bytes=MOST_BYTES)
    assert came.dropped_spans > 0
    assert came.dropped_runs > 0
    assert came.most_held_mb <= came.bound_mb == 2 * MOST_BYTES / 1e6
    assert came.sent_after > 0
    assert came.left == 0


async def test_the_cost_of_tracing_is_measured_for_each_kind_of_it() -> None:
    times, boxes = await measured(questions=2, rounds=2)
    assert set(times) == set(ARMS)
    assert all(len(found) == 2 for found in times.values())
    assert boxes >= 6
