"""Several processes on one Redis behave as one."""

from pathlib import Path

from evals.instances import measure


async def test_three_processes_on_one_redis_behave_as_one(tmp_path: Path) -> None:
    found = await measure(tmp_path, processes=3, questions=90, at_once=6)
    assert [(row["refused"], row["failed"], row["wrong"], row["stale"]) for row in found["rows"]] == [(0, 0, 0, 0)] * 3
    assert sum(row["exact_hits"] + row["hits_by_likeness"] for row in found["rows"]) > 0
    assert found["edits"] > 0
    assert (found["hits_from_elsewhere"], found["asked_elsewhere"]) == (8, 8)
    assert found["model_calls_of_a_burst"] == 1
    assert found["ledger_equals_bill"]
    assert float(found["spent_of_budget_usd"]) <= float(found["budget_usd"])
    assert found["refused_for_budget"] > 0
    assert found["most_in_a_minute"] <= found["limit_per_minute"]
