"""Recording a day from real models over HTTP: paid once, within the budget, taken up again, judged by what is known."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evals.ladder_reading import read_rows
from evals.recording import Finished, Recorder, estimate, record
from groat.answering import Answerer
from groat.costs import PriceTable
from groat.errors import BadInput
from groat.types import Tier
from tests.ladder_day import ANSWERS, DOCUMENTS, QUESTIONS, write_day
from tests.model_outcomes import COUNTED, Outcome, Refuses, Says
from tests.model_server import ModelServer, serve_model
from tests.served import served

RIGHT = {
    "en": "The warranty on every pump lasts thirty months. [pumps]", "zh": "每台水泵的保修期自购买之日起为三十个月。[pumps]"
}  # fmt: skip
WRONG = {"en": "It lasts ten years. [pumps]", "zh": "保修期是十年。[pumps]"}
PRICED: dict[Tier, str] = {"cheap": "gpt-5-mini", "expensive": "gpt-5.2"}


@contextmanager
def models(*cheap: Outcome, dear: tuple[Outcome, ...], priced: dict[Tier, str] = PRICED, **more: Any) -> Iterator[Any]:
    with ExitStack() as stack:
        servers: dict[Tier, ModelServer] = {
            "cheap": stack.enter_context(serve_model(*cheap)), "expensive": stack.enter_context(serve_model(*dear))
        }  # fmt: skip
        endpoints = {tier: served(server, name=priced[tier], priced_as=priced[tier]) for tier, server in servers.items()}
        yield Recorder(answerer=Answerer(endpoints), prices=PriceTable(), **more), servers


def says(text: str) -> Says:
    return Says(text=text, usage=COUNTED)


def requests(path: Path, *names: str, lang: str = "en", **more: Any) -> Path:
    rows = [{"id": name, "question": f"{QUESTIONS[lang]} {name}", "lang": lang, **more} for name in names]
    return write_day(path, rows)


async def recorded(recorder: Recorder, day: Path) -> Finished:
    return await record(recorder, day, day.with_name("out.jsonl"), progress=lambda done: None)


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_both_models_are_asked_once_and_the_day_holds_what_they_said_and_what_it_counts(
    tmp_path: Path, lang: str
) -> None:
    documents = [{"id": "pumps", "text": DOCUMENTS[lang]}]
    day = requests(tmp_path / "day.jsonl", "1", lang=lang, documents=documents, answers=[ANSWERS[lang]])
    with models(says(WRONG[lang]), dear=(says(RIGHT[lang]),)) as (recorder, servers):
        done = await recorded(recorder, day)
        (row,) = read_rows(tmp_path / "out.jsonl")
        assert (done.calls, done.failed, done.written) == (2, {}, True)
        assert [row.recorded.of(tier).text for tier in ("cheap", "expensive")] == [WRONG[lang], RIGHT[lang]]
        assert [row.recorded.of(tier).ok for tier in ("cheap", "expensive")] == [0.0, 1.0]
        for tier, server in servers.items():
            (billed,) = server.bill
            assert (row.recorded.of(tier).input_tokens, row.recorded.of(tier).output_tokens) == (billed.input, billed.output)
            assert (row.recorded.of(tier).latency_ms or 0) > 0
        assert not row.assumed
        assert '<document id="pumps"' in json.dumps(servers["cheap"].requests[0], ensure_ascii=False).replace('\\"', '"')


async def test_a_question_that_comes_again_is_paid_for_once(tmp_path: Path) -> None:
    same = {"question": QUESTIONS["en"], "lang": "en"}
    day = write_day(tmp_path / "day.jsonl", [{**same, "id": str(number)} for number in range(6)])
    with models(says("A."), dear=(says("B."),)) as (recorder, servers):
        before = await estimate(recorder, day, tmp_path / "out.jsonl")
        done = await recorded(recorder, day)
        assert (before.rows, before.calls, done.calls) == (6, 2, 2)
        assert [len(server.bill) for server in servers.values()] == [1, 1]
    assert len(list(read_rows(tmp_path / "out.jsonl"))) == 6


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_without_a_known_answer_the_expensive_one_counts_as_right_and_the_row_says_that_it_is_assumed(
    tmp_path: Path, lang: str
) -> None:
    day = requests(tmp_path / "day.jsonl", "1", lang=lang)
    for cheap, ok in ((RIGHT[lang], 1.0), (WRONG[lang], 0.0), ("[no answer]", 0.0)):
        with models(says(cheap), dear=(says(RIGHT[lang]),)) as (recorder, _):
            await recorded(recorder, day)
        (row,) = read_rows(tmp_path / "out.jsonl")
        assert (row.recorded.cheap.ok, row.recorded.expensive.ok, row.assumed) == (ok, 1.0, True)


async def test_samples_are_further_answers_of_the_cheap_model_alone(tmp_path: Path) -> None:
    day = requests(tmp_path / "day.jsonl", "1")
    with models(says("A."), says("B."), says("C."), dear=(says("D."),), samples=2) as (recorder, servers):
        await recorded(recorder, day)
        assert [len(server.bill) for server in servers.values()] == [3, 1]
    (row,) = read_rows(tmp_path / "out.jsonl")
    assert (row.recorded.cheap.text, row.recorded.cheap.samples, row.recorded.expensive.samples) == ("A.", ("B.", "C."), ())


async def test_a_call_that_fails_is_named_the_others_go_on_and_the_next_run_asks_for_it_alone(tmp_path: Path) -> None:
    day = requests(tmp_path / "day.jsonl", "1", "2", "3")
    with models(says("A."), Refuses(status=400), says("C."), dear=(says("B."),), at_once=1) as (recorder, _):
        done = await recorded(recorder, day)
        assert ([*done.failed], done.written, done.calls) == (["2"], False, 6)
        assert "1 of 3 requests have no answer yet (2:" in done.in_words()
        assert not (tmp_path / "out.jsonl").exists()
        again = await recorded(recorder, day)
        assert (again.calls, again.failed, again.written) == (1, {}, True)
    assert [row.recorded.cheap.text for row in read_rows(tmp_path / "out.jsonl")] == ["A.", "C.", "C."]


async def test_a_recording_that_is_taken_up_pays_for_nothing_twice_and_gives_the_day_of_one_that_was_not_interrupted(
    tmp_path: Path,
) -> None:
    day = requests(tmp_path / "day.jsonl", "1", "2", "3", "4")
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"

    class Stopped(Exception):
        """Somebody pulled the plug."""

    def stop(done: int) -> None:
        if done == 2:
            raise Stopped

    with models(says("A."), dear=(says("B."),), at_once=1) as (recorder, servers):
        with pytest.raises(BaseExceptionGroup) as stopped:
            await record(recorder, day, parts, progress=stop)
        assert stopped.group_contains(Stopped)
        assert 2 <= len(servers["cheap"].bill) < 4
        done = await record(recorder, day, parts, progress=lambda count: None)
        assert done.written
        assert [len(server.bill) for server in servers.values()] == [4, 4]
        await record(recorder, day, whole, progress=lambda count: None)
        assert [len(server.bill) for server in servers.values()] == [8, 8]

    def untimed(path: Path) -> list[Any]:
        return [
            row.model_dump(exclude={"recorded": {"cheap": {"latency_ms"}, "expensive": {"latency_ms"}}})
            for row in read_rows(path)
        ]

    assert untimed(whole) == untimed(parts)


async def test_nothing_is_asked_beyond_the_budget_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    day = requests(tmp_path / "day.jsonl", *map(str, range(20)))
    with models(says("A."), dear=(says("B."),), at_once=3, max_usd=Decimal("0.009")) as (recorder, servers):
        done = await recorded(recorder, day)
        assert 0 < len(done.failed) < 20
        assert done.usd <= Decimal("0.009")
        assert "budget" in done.in_words()
        assert sum(len(server.bill) for server in servers.values()) == done.calls
    assert not (tmp_path / "out.jsonl").exists()


async def test_an_unknown_price_is_unknown_and_no_budget_is_promised_on_it(tmp_path: Path) -> None:
    day = requests(tmp_path / "day.jsonl", "1")
    priced: dict[Tier, str] = {**PRICED, "cheap": "nobody-knows-it"}
    with models(says("A."), dear=(says("B."),), priced=priced) as (recorder, _):
        assert (await estimate(recorder, day, tmp_path / "out.jsonl")).usd is None
        assert (await recorded(recorder, day)).unknown_prices == 1
    with (
        pytest.raises(BadInput, match="nobody-knows-it"),
        models(says("A."), dear=(says("B."),), priced=priced, max_usd=Decimal(1)),
    ):
        pass


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_question_of_a_conversation_is_asked_with_what_was_said_before_it(tmp_path: Path, lang: str) -> None:
    day = requests(tmp_path / "day.jsonl", "1", "2", lang=lang, conversation="talk")
    with models(says("A."), dear=(says("First."), says("Second.")), at_once=4) as (recorder, servers):
        await recorded(recorder, day)
        said = [message["content"] for message in servers["cheap"].requests[1]["messages"]]
    assert f"{QUESTIONS[lang]} 1" in said
    assert "First." in said
