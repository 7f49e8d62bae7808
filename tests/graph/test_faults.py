"""Every fault of the model server ends in an answer or in one sentence that names its cause, in time and rightly paid."""

import asyncio
from pathlib import Path

import pytest

from groat.types import BOUNDS
from tests.faults import CELLS, FAULTS, Cell, Fault, play
from tests.graph.conftest import GOOD
from tests.served import PATIENCE, open_world

LATE_S = 3.0
"""How late a busy machine may be."""
MOST_ATTEMPTS = (1 + BOUNDS["escalations"]) * (1 + BOUNDS["fixes_per_tier"]) + BOUNDS["decompressions"]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_fault_ends_in_an_answer_or_a_sentence_with_the_ledger_right(fault: Fault, tmp_path: Path) -> None:
    world = await open_world(tmp_path)
    for cell in await asyncio.gather(*(play(world, fault, situation, mode) for situation, mode in CELLS)):
        _assert_ended(cell)
        _assert_paid(cell)
        assert cell.seconds < fault.deadline_s + LATE_S
        assert cell.kept == int(cell.verified)
        assert cell.attempts <= MOST_ATTEMPTS


def _assert_ended(cell: Cell) -> None:
    assert bool(cell.answer) != bool(cell.error)
    assert cell.error.count("\n") == 0
    struck_out = cell.situation == "both" or "deadline" in cell.fault.name
    if cell.fault.cause and struck_out:
        assert (cell.fault.cause in cell.error, cell.verified) == (True, False)
        assert ("refused to answer" in cell.error) is (cell.fault.name == "refusal" and cell.mode == "hold")
        assert cell.steps[-1] == "exhausted"
    elif struck_out and "exhausted" in cell.steps:
        assert (cell.answer != GOOD, cell.verified) == (True, False)
    else:
        assert (cell.answer, cell.verified, cell.steps[-1]) == (GOOD, True, "accept")


def _assert_paid(cell: Cell) -> None:
    """One row in the ledger for each request that the server saw, with the server's tokens."""
    assert sum(cell.calls.values()) == len(cell.paid) == len(cell.billed) <= cell.attempts * PATIENCE.tries
    assert cell.state_cost_usd == cell.cost_usd
    if cell.fault.unseen and cell.mode == "hold":
        assert [(model, given) for model, given, *_ in cell.paid] == [(model, given) for model, given, *_ in cell.billed]
        assert cell.cost_usd < cell.bill_usd
    else:
        assert cell.paid == cell.billed
        assert cell.cost_usd == cell.bill_usd


def test_the_matrix_has_every_outcome_of_the_server() -> None:
    names = {fault.kind for fault in FAULTS if isinstance(fault.kind, str)}
    assert names == {
        "unauthorized", "rate_limited", "broken", "unavailable", "bad_request", "hang", "drop", "bad_json", "html",
        "empty_choices", "no_content", "cut", "length", "content_filter", "refusal", "no_output", "cached_over_input",
        "negative",
    }  # fmt: skip
