"""Many questions at once on faulty models with rate limits."""

from pathlib import Path

import pytest

from groat.answering import Limits
from tests.load import run

BY_REQUESTS = Limits(requests=20, tokens=100_000, window_s=0.5)
BY_TOKENS = Limits(requests=1_000, tokens=5_500, window_s=0.5)
"""Twenty calls or so: one holds about 400 tokens under way, and used about 270."""


@pytest.mark.parametrize("limits", [BY_REQUESTS, BY_TOKENS], ids=["requests", "tokens"])
async def test_no_question_is_lost_or_doubled_no_limit_exceeded_and_every_token_paid(tmp_path: Path, limits: Limits) -> None:
    load = await run(tmp_path, questions=75, at_once=50, share=0.2, limits=limits)
    assert [report.number for report in load.reports] == list(range(75))
    assert len({report.run for report in load.reports}) == 75
    assert [report.number for report in load.reports if not report.is_its_own] == []
    assert [report.number for report in load.reports if bool(report.answer) == bool(report.error)] == []
    assert sum(report.verified for report in load.reports) >= 70
    assert load.paid == load.billed
    assert sum(report.requests for report in load.reports) == len(load.billed)
    assert load.ledger_usd == load.bill_usd == sum(report.cost_usd for report in load.reports)
    assert 0.05 < sum(count for outcome, count in load.outcomes.items() if outcome != "ok") / len(load.billed) < 0.35
    for trace in load.traces:
        assert trace.refused == 0
        assert trace.most_requests <= trace.request_limit
        assert trace.most_tokens <= trace.token_limit
    # A limit was what held the questions back, or it was not tested.
    cheap = load.traces[0]
    assert max(cheap.most_requests / cheap.request_limit, cheap.most_tokens / cheap.token_limit) > 0.5
