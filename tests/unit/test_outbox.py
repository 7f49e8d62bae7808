"""What waits for a backend is bounded in bytes, counted when dropped, and never holds up who puts it there."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.tracing import outbox
from groat.tracing.outbox import Outbox, Sent

WAIT_S = 20.0


@pytest.fixture(autouse=True)
def _in_no_hurry_is_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_GATHER_S", "_FIRST_PAUSE_S", "_LONGEST_PAUSE_S", "_HURRIED_PAUSE_S"):
        monkeypatch.setattr(outbox, name, 0.001)


class Backend:
    """Takes what comes, or does what it is told."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.tried = 0
        self.answer: Sent | Exception = Sent.TAKEN
        self.gate = threading.Event()
        self.gate.set()
        self.busy = threading.Event()

    def __call__(self, items: Sequence[int]) -> Sent:
        self.tried += 1
        self.busy.set()
        self.gate.wait(WAIT_S)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is Sent.TAKEN:
            self.taken += items
        return self.answer


def test_what_is_put_is_sent_in_order() -> None:
    backend = Backend()
    box = Outbox("spans", backend, most_bytes=1_000)
    for number in range(5):
        box.put([number, number + 100], 10)
    assert box.flush(within_s=WAIT_S)
    assert backend.taken == [0, 100, 1, 101, 2, 102, 3, 103, 4, 104]
    assert (box.sent, box.held_bytes, dict(box.dropped)) == (10, 0, {})


def test_while_a_backend_hangs_the_oldest_go_and_are_counted_and_nobody_waits() -> None:
    backend = Backend()
    backend.gate.clear()
    box = Outbox("spans", backend, most_bytes=100)
    box.put([-1], 10)
    assert backend.busy.wait(WAIT_S)
    for number in range(50):
        box.put([number], 10)
        assert box.held_bytes <= 100
    assert box.dropped == {"full": 41}
    backend.gate.set()
    assert box.flush(within_s=WAIT_S)
    assert backend.taken == [-1, *range(41, 50)]
    assert (box.sent, box.most_held_bytes, box.held_bytes) == (10, 100, 0)


def test_what_failed_is_sent_when_the_backend_is_back() -> None:
    backend = Backend()
    backend.answer = ConnectionError("the key sk-1 was refused")
    box = Outbox("runs", backend, most_bytes=1_000)
    box.put([1, 2], 10)
    while backend.tried < 3:
        assert backend.busy.wait(WAIT_S)
    backend.answer = Sent.TAKEN
    assert box.flush(within_s=WAIT_S)
    assert sorted(backend.taken) == [1, 2]
    assert (box.sent, dict(box.dropped), box.held_bytes) == (2, {}, 0)


def test_what_is_refused_is_dropped_at_once_and_counted() -> None:
    backend = Backend()
    backend.answer = Sent.REFUSED
    box = Outbox("runs", backend, most_bytes=1_000)
    box.put([1, 2], 10)
    assert box.flush(within_s=WAIT_S)
    assert (backend.tried, dict(box.dropped), box.held_bytes) == (1, {"refused": 2}, 0)


def test_what_is_never_taken_does_not_stay_for_ever() -> None:
    backend = Backend()
    backend.answer = Sent.FAILED
    box = Outbox("runs", backend, most_bytes=1_000)
    box.put([1], 10)
    assert box.flush(within_s=WAIT_S)
    assert (backend.tried, dict(box.dropped)) == (outbox.MOST_TRIES, {"tries": 1})


def test_one_parcel_that_is_larger_than_everything_is_dropped() -> None:
    backend = Backend()
    box = Outbox("runs", backend, most_bytes=100)
    box.put([1, 2, 3], 101)
    assert (dict(box.dropped), box.held_bytes, backend.tried) == ({"full": 3}, 0, 0)


def test_closing_sends_what_there_is_and_takes_no_more() -> None:
    backend = Backend()
    box = Outbox("runs", backend, most_bytes=100)
    box.put([1], 10)
    assert box.close(within_s=WAIT_S)
    box.put([2], 10)
    assert (backend.taken, dict(box.dropped)) == ([1], {"closed": 1})


def test_closing_on_a_dead_backend_does_not_wait_longer_than_told() -> None:
    backend = Backend()
    backend.gate.clear()
    box = Outbox("runs", backend, most_bytes=100)
    box.put([1], 10)
    assert backend.busy.wait(WAIT_S)
    box.put([2], 10)
    assert not box.close(within_s=0.01)
    assert dict(box.dropped) == {"closed": 1}
    backend.gate.set()


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 60)), max_size=40), st.integers(20, 200))
def test_every_item_is_sent_or_counted_as_dropped_and_the_bound_holds(parcels: list[tuple[int, int]], most: int) -> None:
    backend = Backend()
    box = Outbox("runs", backend, most_bytes=most)
    for number, size in parcels:
        box.put([0] * number, size)
    assert box.close(within_s=WAIT_S)
    assert box.most_held_bytes <= most
    assert box.sent + sum(box.dropped.values()) == sum(number for number, _ in parcels)
    assert box.held_bytes == 0
