"""The ladder end to end: small days through the real graph, real stores and real HTTP; only vectors and words are stand-ins."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.ladder_arms import GRAPH, LEVERS, Arm
from evals.ladder_bill import Bill
from evals.ladder_figures import cost_of, interval, step
from evals.ladder_outcomes import Outcome
from evals.ladder_plain import Plain, random_at
from evals.ladder_reading import Latencies, read_rows
from evals.ladder_run import Day, run_arm
from evals.ladder_world import Prices
from evals.vectors import VectorFile
from groat.costs import PriceTable
from tests.fakes import WordEmbedder
from tests.ladder_day import QUESTIONS, document_row, raw_row, said, write_day

PRICES = Prices(cheap="claude-3-haiku", expensive="gpt-5.2")
LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])
OTHERS = {
    "en": ["How do pumps work?", "Where is the office?", "Who feeds the harbour seals?"],
    "zh": ["水泵怎样工作？", "办公室在哪里？", "谁喂港口的海豹？"],
}
CACHE = GRAPH["+ cache"]


def day_of(path: Path, *, limit: int | None = None, prices: Prices = PRICES) -> Day:
    return Day(
        workload=path, limit=limit, skip_bad=False, tenants=frozenset({"default"}), latencies=Latencies(), prices=prices,
        folder=path.parent / "results",
    )  # fmt: skip


async def put_through(arm: Arm, day: Day) -> list[Outcome]:
    return await run_arm(arm, day, VectorFile(WordEmbedder(), day.folder / "vectors"), lambda done: None)


def comparable(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return everything but what was measured by a clock, and the names of entries, which hold the time."""
    timed = {"own_ms", "latency_ms", "first_token_ms", "live_ms", "kept"}
    return [{name: value for name, value in one.items() if name not in timed} for one in outcomes]


@LANGUAGES
async def test_a_question_asked_again_costs_nothing_and_counts_what_the_first_answer_counted(tmp_path: Path, lang: str) -> None:
    question = OTHERS[lang][0]
    rows = [raw_row("1", question, lang, answer_id="a"), raw_row("2", question, lang, answer_id="a")]
    outcomes = await put_through(CACHE, day_of(write_day(tmp_path / "day.jsonl", rows)))
    assert [one["hit"] for one in outcomes] == ["", "exact"]
    assert [one["ok"] for one in outcomes] == [1.0, 1.0]
    assert [one["origin"] for one in outcomes] == ["1", "1"]
    assert outcomes[1]["calls"] == []
    assert outcomes[0]["latency_ms"] > 1000.0 > outcomes[1]["latency_ms"]


@LANGUAGES
async def test_an_answer_served_to_a_question_with_another_right_answer_is_wrong(tmp_path: Path, lang: str) -> None:
    question = OTHERS[lang][0]
    rows = [raw_row("1", question, lang, answer_id="a"), raw_row("2", question, lang, answer_id="b")]
    outcomes = await put_through(CACHE, day_of(write_day(tmp_path / "day.jsonl", rows)))
    assert (outcomes[1]["hit"], outcomes[1]["wrong"], outcomes[1]["ok"]) == ("exact", True, 0.0)


@LANGUAGES
async def test_without_levers_every_request_is_one_expensive_call_with_its_recorded_tokens(tmp_path: Path, lang: str) -> None:
    rows = [document_row("1", lang), raw_row("2", OTHERS[lang][1], lang), document_row("3", lang)]
    outcomes = await put_through(GRAPH["naive"], day_of(write_day(tmp_path / "day.jsonl", rows)))
    calls = [(call["tier"], call["input"], call["output"]) for one in outcomes for call in one["calls"]]
    assert calls == [("expensive", 500, 20)] * 3
    assert all(one["ok"] == 1.0 and not one["hit"] for one in outcomes)


@LANGUAGES
async def test_no_check_reads_a_placeholder_and_it_is_accepted(tmp_path: Path, lang: str) -> None:
    rows = [document_row("1", lang)]
    outcomes = await put_through(Arm(levers=LEVERS), day_of(write_day(tmp_path / "day.jsonl", rows)))
    assert outcomes[0]["verified"]
    assert len(outcomes[0]["calls"]) == 1


@LANGUAGES
async def test_a_recorded_text_is_checked_and_a_bad_cheap_one_goes_up(tmp_path: Path, lang: str) -> None:
    refusal = {"en": "I'm sorry, but I can't help with that.", "zh": "抱歉，我无法回答这个问题。"}[lang]
    good = {"en": "The warranty on every pump lasts thirty months.", "zh": "每台水泵的保修期为三十个月。"}[lang]
    recorded = {"cheap": said(refusal, ok=0.0), "expensive": said(good)}
    arm = Arm(levers=frozenset({"cascade"}))
    path = write_day(tmp_path / "day.jsonl", [{**document_row("1", lang), "recorded": recorded}])
    outcomes = await put_through(arm, day_of(path))
    assert outcomes[0]["tier"] == "expensive"
    assert outcomes[0]["ok"] == 1.0
    assert [call["tier"] for call in outcomes[0]["calls"]][-1] == "expensive"
    assert outcomes[0]["latency_ms"] > 2000.0


class _Stopped(Exception):
    """Somebody pulled the plug."""


@LANGUAGES
async def test_an_interrupted_run_that_is_taken_up_gives_the_figures_of_one_that_was_not(
    tmp_path: Path, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.ladder_run.BLOCK", 3)
    monkeypatch.setattr("evals.ladder_kept.BLOCK", 3)
    questions = [*OTHERS[lang], *OTHERS[lang][:2], QUESTIONS[lang], *OTHERS[lang], QUESTIONS[lang]]
    rows = [raw_row(str(place), text, lang, answer_id=text) for place, text in enumerate(questions)]
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = await put_through(CACHE, day_of(write_day(tmp_path / "whole" / "day.jsonl", rows)))
    day = day_of(write_day(tmp_path / "parts" / "day.jsonl", rows))

    def stop(at: int) -> Any:
        def told(done: int) -> None:
            if done == at:
                raise _Stopped

        return told

    for at in (2, 5, 8):
        with pytest.raises(_Stopped):
            await run_arm(CACHE, day, VectorFile(WordEmbedder(), tmp_path / "vectors"), stop(at))
    assert comparable(await put_through(CACHE, day)) == comparable(whole)
    assert sum(bool(one["hit"]) for one in whole) == 6


@LANGUAGES
async def test_a_longer_run_begins_with_what_a_shorter_one_did_and_changes_nothing(
    tmp_path: Path, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.ladder_run.BLOCK", 2)
    monkeypatch.setattr("evals.ladder_kept.BLOCK", 2)
    questions = [*OTHERS[lang], *OTHERS[lang]]
    rows = [raw_row(str(place), text, lang, answer_id=text) for place, text in enumerate(questions)]
    path = write_day(tmp_path / "day.jsonl", rows)
    short = await put_through(CACHE, day_of(path, limit=3))
    whole = await put_through(CACHE, day_of(path))
    assert comparable(whole[:3]) == comparable(short)
    assert [one["hit"] for one in whole] == [""] * 3 + ["exact"] * 3
    assert comparable(await put_through(CACHE, day_of(path, limit=1))) == comparable(whole[:1])


async def test_a_row_that_changed_since_is_done_again(tmp_path: Path) -> None:
    rows = [raw_row("1", OTHERS["en"][0], "en"), raw_row("2", OTHERS["zh"][0], "zh")]
    await put_through(CACHE, day_of(write_day(tmp_path / "day.jsonl", rows)))
    rows[1]["recorded"]["expensive"]["ok"] = 0.25
    outcomes = await put_through(CACHE, day_of(write_day(tmp_path / "day.jsonl", rows)))
    assert [one["ok"] for one in outcomes] == [1.0, 0.25]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Two languages, a repetition, documents."""
    questions = [("1", "en"), ("2", "zh"), ("3", "en"), ("4", "zh")]
    made = [document_row(name, lang) for name, lang in questions]
    asked = [(f"{lang}{place}", text, lang) for lang in OTHERS for place, text in enumerate(OTHERS[lang])]
    made += [raw_row(*one, category="support") for one in asked]
    return write_day(tmp_path / "day.jsonl", made)


def test_a_model_without_a_list_price_makes_the_cost_unknown_and_not_zero(rows: Path) -> None:
    bill = Bill(Prices(cheap="claude-3-haiku", expensive="no-such-model"), PriceTable())
    assert bill.unknown() == ["no-such-model"]
    plain = Plain(bill=bill, latencies=Latencies())
    base = plain.all_of(read_rows(rows), "expensive")
    found = step("all expensive", base, base)
    assert found["cost_usd"] is None
    assert found["saved"] is None
    assert found["quality"] == 1.0


def test_the_bill_is_that_of_the_list_prices_for_the_recorded_tokens(rows: Path) -> None:
    plain = Plain(bill=Bill(PRICES, PriceTable()), latencies=Latencies())
    base, cheap = (plain.all_of(read_rows(rows), tier) for tier in ("expensive", "cheap"))
    assert cost_of(base) == pytest.approx(10 * (500 * 1.75 + 20 * 14) / 1e6)
    assert cost_of(cheap) == pytest.approx(10 * (500 * 0.25 + 20 * 1.25) / 1e6)
    found = step("all cheap", cheap, base)
    assert found["quality"] == 0.5
    assert found["by_lang"]["en"]["n"] == found["by_lang"]["zh"]["n"] == 5
    assert set(found["by_category"]) == {"none", "support"}


def test_random_spends_what_it_may_on_average_and_never_less_than_the_cheap_model(rows: Path) -> None:
    plain = Plain(bill=Bill(PRICES, PriceTable()), latencies=Latencies())
    base, cheap = (plain.all_of(read_rows(rows), tier) for tier in ("expensive", "cheap"))
    assert random_at(cheap, base, 0.0, 7) == cheap
    assert random_at(cheap, base, 1.0, 7) == base
    assert random_at(cheap, base, 0.005, 7) == random_at(cheap, base, 0.005, 7)


async def test_the_recipe_serves_again_what_is_alike_and_sends_forty_per_cent_of_the_documents(rows: Path) -> None:
    plain = Plain(bill=Bill(PRICES, PriceTable()), latencies=Latencies())
    outcomes = await plain.recipe(read_rows(rows), WordEmbedder())
    assert [bool(one["hit"]) for one in outcomes[:4]] == [False, False, True, True]
    assert all(one["calls"][0]["input"] < 500 for one in outcomes[:2])
    assert {one["tier"] for one in outcomes if not one["hit"]} == {"cheap", "expensive"}


def test_what_a_step_loses_is_put_down_to_the_box_that_lost_it(rows: Path) -> None:
    plain = Plain(bill=Bill(PRICES, PriceTable()), latencies=Latencies())
    base = plain.all_of(read_rows(rows), "expensive")
    day = [*base]
    day[0] = {**day[0], "ok": 0.0, "lost": True}
    day[1] = {**day[1], "ok": 0.0, "hit": "semantic", "wrong": True, "calls": []}
    day[2] = {**day[2], "ok": 0.0, "hit": "exact", "origin": day[0]["id"], "calls": []}
    day[3] = {**day[3], "ok": 0.5, "tier": "cheap", "calls": [*day[3]["calls"], *day[3]["calls"]]}
    found = step("some", day, base)["losses"]
    assert found["quality"] == {
        "wrong hit": 0.1, "bad answer kept": 0.0, "compression": 0.2, "cheap answer accepted": 0.05, "expensive answer": 0.0
    }  # fmt: skip
    assert found["again_calls"] == 1
    assert found["again_usd"] == pytest.approx((500 * 1.75 + 20 * 14) / 1e6)


def test_an_ideal_cache_answers_each_thing_once(rows: Path) -> None:
    plain = Plain(bill=Bill(PRICES, PriceTable()), latencies=Latencies())
    assert sum(bool(one["hit"]) for one in plain.ideal(read_rows(rows))) == 3


def test_a_prompt_cache_saves_nothing_below_the_length_that_providers_keep(rows: Path) -> None:
    bill = Bill(PRICES, PriceTable())
    base = Plain(bill=bill, latencies=Latencies()).all_of(read_rows(rows), "expensive")
    assert cost_of(bill.with_prompt_cache(base, 400)) == cost_of(base)
    assert (cost_of(bill.with_prompt_cache(base, 1200)) or 0) < (cost_of(base) or 0)


def test_batch_rates_make_the_share_that_can_wait_cheaper(rows: Path) -> None:
    bill = Bill(PRICES, PriceTable())
    base = Plain(bill=bill, latencies=Latencies()).all_of(read_rows(rows), "expensive")
    assert cost_of(bill.with_batch(base, 0.0)) == cost_of(base)
    assert (cost_of(bill.with_batch(base, 0.5)) or 0) < (cost_of(base) or 0)


def test_the_interval_holds_what_it_is_drawn_from_and_is_a_point_when_both_are_equal() -> None:
    best = np.ones(200)
    ok = np.concatenate([np.zeros(20), np.ones(180)])
    low, high = interval(ok, best, [str(place) for place in range(200)])
    assert low < 0.9 < high
    assert interval(best, best, ["a"] * 200) == (1.0, 1.0)


def test_every_step_of_the_graph_says_its_settings_in_advance() -> None:
    assert GRAPH["+ cascade"] == GRAPH["whole, 1 % loss"]
    assert {arm.max_wrong for arm in GRAPH.values()} == {0.01}
    assert {arm.max_quality_loss for arm in GRAPH.values()} == {0.01, 0.02, 0.05}
