"""What people who ask over HTTP meet when something fails: an answer or one sentence, and never a wrong one."""

from pathlib import Path

import pytest

from evals.serve_faults import FAULTS, Fault, measure

STRUCK = [fault for fault in FAULTS if fault.name.startswith(("Redis killed", "process killed"))]


@pytest.mark.parametrize("fault", STRUCK, ids=[fault.name for fault in STRUCK])
async def test_every_question_ends_with_an_answer_or_a_sentence_and_nothing_wrong_is_kept(fault: Fault, tmp_path: Path) -> None:
    row = await measure(fault, tmp_path, seconds=2.0)
    assert row["answered"] + sum(row["sentences"].values()) == row["asked"]
    assert (row["wrong"], row["stale"], row["unanswered"], row["not_billed"]) == (0, 0, 0, 0)
    # A call that dies with its process is on the provider's bill alone; at most one for each asker is under way.
    assert row["not_in_ledger"] <= (4 if fault in STRUCK[1:] else 0)
