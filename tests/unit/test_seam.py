"""Retries, deadlines, circuit breakers, fallbacks and hedges of the seam, against a real server on loopback."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from langchain_core.messages import HumanMessage

from groat.answering import Answerer, Breakers, Endpoint, Gate, Limits, Patience, ProcessLimiter, Reply, Sent, Watch, Wish
from groat.answering.usage import prompt_tokens
from groat.errors import Failure, ModelError
from tests.model_server import COUNTED, Body, Failing, ModelServer, Outcome, Refuses, Says, serve_model
from tests.served import served

PROMPT = [HumanMessage("怎么退款？ How do refunds work?")]
TOKENS = prompt_tokens(PROMPT)
TEXT = "Refunds take 5 days. 退款要 5 天。"
GOOD = Says(text=TEXT, usage=COUNTED)
SLOW_S = 30.0
"""Longer than any test lasts: what is not cut off in time fails it."""
QUICK = Patience(tries=3, backoff_s=0.002, backoff_max_s=0.01)
LATE_S = 2.5
"""How late a busy machine may be."""


@dataclass
class Records:
    """What the seam told about its requests."""

    sent: list[Sent] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    retracted: int = 0

    async def record(self, sent: Sent) -> None:
        self.sent.append(sent)

    def retract(self) -> None:
        self.retracted += 1
        self.heard.clear()

    @property
    def watch(self) -> Watch:
        return Watch(record=self.record, retract=self.retract)

    def wish(self, streaming: bool) -> Wish:
        return Wish(on_token=self.heard.append) if streaming else Wish()

    @property
    def outcomes(self) -> list[str]:
        return [sent.outcome for sent in sorted(self.sent, key=lambda sent: sent.number)]


def assert_bills_agree(records: Records, server: ModelServer) -> None:
    """One record for each request that the server saw, with the server's tokens."""
    kept = sorted((sent.endpoint.name, sent.usage["input"], sent.usage["output"]) for sent in records.sent)
    assert kept == sorted((one.model, one.input, one.output) for one in server.bill)
    assert [sent.number for sent in sorted(records.sent, key=lambda sent: sent.number)] == list(range(len(kept)))


def answerer(
    cheap: Endpoint,
    *fallbacks: Endpoint,
    patience: Patience = QUICK,
    breakers: Breakers | None = None,
    gate: Gate | None = None,
) -> Answerer:
    return Answerer(
        {"cheap": cheap, "expensive": cheap}, fallbacks={"cheap": fallbacks}, patience=patience, breakers=breakers, gate=gate
    )  # fmt: skip


async def ask(seam: Answerer, records: Records, *, streaming: bool = False, within_s: float = SLOW_S) -> tuple[Reply, Endpoint]:
    return await seam.answer(
        PROMPT, tier="cheap", wish=records.wish(streaming), deadline=time.time() + within_s, watch=records.watch
    )


both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


@both_ways
@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        ("rate_limited", "rate_limit"),
        ("broken", "server"),
        ("unavailable", "server"),
        ("drop", "connection"),
        ("hang", "timeout"),
        ("bad_json", "malformed"),
        ("html", "malformed"),
    ],
)
async def test_what_may_pass_is_tried_again_until_it_has_passed(outcome: Failing, failure: Failure, streaming: bool) -> None:
    records = Records()
    with serve_model(outcome, outcome, GOOD, hang_s=SLOW_S) as server:
        seam = answerer(served(server, timeout_s=0.15 if outcome == "hang" else 5.0))
        reply, _ = await ask(seam, records, streaming=streaming)
        await server.settled()
        assert records.outcomes == [failure, failure, "ok"]
        assert_bills_agree(records, server)
    assert reply.text == TEXT
    assert "".join(records.heard) == (TEXT if streaming else "")


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        ("unauthorized", "auth"),
        ("bad_request", "invalid_request"),
        (Refuses(status=403), "auth"),
        (Refuses(status=404), "invalid_request"),
        (Refuses(status=413), "invalid_request"),
        (Refuses(status=422), "invalid_request"),
        (Refuses(status=400, code="context_length_exceeded", message="It exceeds the context window"), "invalid_request"),
        (Refuses(status=429, code="insufficient_quota", retry_after_s=1), "quota"),
    ],
)
async def test_what_will_not_pass_is_not_tried_again(outcome: Outcome, failure: Failure) -> None:
    records = Records()
    with serve_model(outcome) as server:
        with pytest.raises(ModelError) as caught:
            await ask(answerer(served(server)), records)
        assert (caught.value.failure, records.outcomes) == (failure, [failure])
        assert_bills_agree(records, server)


async def test_tries_end_and_the_last_failure_is_told() -> None:
    records = Records()
    with serve_model("broken", "rate_limited", "unavailable", GOOD) as server:
        with pytest.raises(ModelError) as caught:
            await ask(answerer(served(server)), records)
        assert (caught.value.failure, caught.value.status, len(server.requests)) == ("server", 503, 3)
        assert_bills_agree(records, server)


def _refused(seconds: float, form: str) -> Refuses:
    return Refuses(status=429, retry_after_s=seconds, retry_after_as=form)  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize(("form", "seconds", "least"), [("seconds", 0.3, 1.0), ("date", 1.0, 0.99), ("ms", 0.3, 0.3)])
async def test_a_wait_that_the_provider_asks_for_is_kept(form: str, seconds: float, least: float) -> None:
    records = Records()
    with serve_model(_refused(seconds, form), GOOD) as server:
        reply, _ = await ask(answerer(served(server)), records)
        waited = server.bill[1].at - server.bill[0].at
    assert reply.text == TEXT
    assert least <= waited < least + 1 + LATE_S
    assert records.sent[1].waited_ms >= least * 1000 - 20


@pytest.mark.parametrize("form", ["seconds", "date", "ms"])
async def test_a_wait_that_ends_after_the_deadline_is_not_begun(form: str) -> None:
    records = Records()
    with serve_model(_refused(SLOW_S, form), GOOD) as server:
        begun = time.perf_counter()
        with pytest.raises(ModelError) as caught:
            await ask(answerer(served(server)), records, within_s=5)
        assert time.perf_counter() - begun < LATE_S
        assert (caught.value.failure, len(server.requests)) == ("rate_limit", 1)
        assert SLOW_S - 2 < (caught.value.retry_after_s or 0) <= SLOW_S + 1


async def test_waits_grow_and_are_drawn_anew() -> None:
    records = Records()
    patience = Patience(tries=5, backoff_s=0.02, backoff_max_s=0.16)
    with serve_model("broken") as server, pytest.raises(ModelError):
        await ask(answerer(served(server), patience=patience), records)
    waits = [sent.waited_ms for sent in records.sent]
    # Between 0 and twice the mean, which doubles: at most 40, 80, 160, 160 ms, and what sending takes.
    assert all(wait <= most + 200 for wait, most in zip(waits, (0, 40, 80, 160, 160), strict=True))
    assert len({round(wait) for wait in waits}) > 2
    assert sum(waits[1:]) > 20


@both_ways
@pytest.mark.parametrize(
    "outcome",
    ["hang", Says(text=TEXT, delay_s=SLOW_S, usage=COUNTED), Says(text=TEXT, piece_delay_s=SLOW_S / 100, usage=COUNTED)],
    ids=["hang", "slow", "drip"],
)
async def test_the_deadline_cuts_every_wait_short(outcome: Outcome, streaming: bool) -> None:
    records = Records()
    with serve_model(outcome, hang_s=SLOW_S) as server:
        begun = time.perf_counter()
        with pytest.raises(ModelError) as caught:
            await ask(answerer(served(server, timeout_s=60)), records, streaming=streaming, within_s=0.25)
        assert 0.2 < time.perf_counter() - begun < 0.25 + LATE_S
        assert caught.value.failure == "deadline"
        await server.settled()
        assert records.outcomes == ["deadline"]
        assert_bills_agree(records, server)


async def test_a_stream_that_is_given_up_is_paid_for_the_words_that_came() -> None:
    records = Records()
    # Half a minute of words: a machine that stands still for seconds must not see the end of them before the deadline.
    words = Says(text="one two three four five six seven eight nine ten " * 100, usage=COUNTED, piece_delay_s=0.03)
    with serve_model(words) as server:
        with pytest.raises(ModelError):
            await ask(answerer(served(server)), records, streaming=True, within_s=0.5)
        await server.settled()
        # Which side the word that is under way counts on is a matter of luck.
        assert abs(records.sent[0].usage["output"] - server.bill[0].output) <= 1
        assert server.bill[0].output > 1
    assert (records.outcomes, records.retracted) == (["deadline"], 1)


async def test_tries_share_one_deadline() -> None:
    records = Records()
    with serve_model("hang", hang_s=SLOW_S) as server:
        begun = time.perf_counter()
        with pytest.raises(ModelError):
            await ask(
                answerer(served(server, timeout_s=0.2), patience=Patience(tries=50, backoff_s=0.001)), records, within_s=0.7
            )
        assert time.perf_counter() - begun < 0.7 + LATE_S
        await server.settled()
        assert_bills_agree(records, server)
    assert 2 <= len(records.sent) <= 4
    assert set(records.outcomes[:-1]) == {"timeout"}


async def test_nothing_is_sent_after_the_deadline() -> None:
    records = Records()
    with serve_model(GOOD) as server:
        with pytest.raises(ModelError, match="before the deadline of the question; allow more with deadline_s"):
            await ask(answerer(served(server)), records, within_s=-1)
        assert (server.requests, records.sent) == ([], [])


async def test_a_breaker_opens_after_failures_in_a_row_and_closes_after_its_rest() -> None:
    records = Records()
    once = Patience(tries=1)
    with serve_model("broken", "broken", "broken", GOOD) as ill, serve_model(GOOD) as well:
        breakers = Breakers(failures=3, rest_s=0.6)
        seam = answerer(served(ill, "ill"), served(well, "well"), patience=once, breakers=breakers)
        asked = [(await ask(seam, records))[1].name for _ in range(5)]
        assert asked == ["well"] * 5
        assert (len(ill.requests), len(well.requests)) == (3, 5)
        assert await breakers.is_open(seam.endpoints["cheap"])
        await asyncio.sleep(0.65)
        assert (await ask(seam, records))[1].name == "ill"
        assert not await breakers.is_open(seam.endpoints["cheap"])
        assert (len(ill.requests), len(well.requests)) == (4, 5)
    assert records.outcomes.count("server") == 3


async def test_an_open_breaker_without_a_fallback_is_one_sentence_and_no_request() -> None:
    records = Records()
    with serve_model("broken") as server:
        seam = answerer(served(server), patience=Patience(tries=2, backoff_s=0.001), breakers=Breakers(failures=2, rest_s=60))
        for failure in ("server", "overloaded"):
            with pytest.raises(ModelError) as caught:
                await ask(seam, records)
            assert caught.value.failure == failure
        assert len(server.requests) == 2
    assert str(caught.value) == "the cheap model 'served' failed several times in a row and is left alone for a while"


@pytest.mark.parametrize("outcome", ["rate_limited", "unauthorized", "bad_request"])
async def test_a_refusal_opens_no_breaker_and_ends_the_row(outcome: Failing) -> None:
    with serve_model("broken", outcome, "broken", outcome, "broken", GOOD) as server:
        seam = answerer(served(server), patience=Patience(tries=1), breakers=Breakers(failures=2, rest_s=60))
        for _ in range(5):
            with pytest.raises(ModelError):
                await ask(seam, Records())
        assert (await ask(seam, Records()))[0].text == TEXT


async def test_a_reply_ends_the_row() -> None:
    with serve_model("broken", GOOD, "broken", GOOD, "broken", GOOD) as server:
        seam = answerer(served(server), patience=Patience(tries=2, backoff_s=0.001), breakers=Breakers(failures=2, rest_s=60))
        assert [(await ask(seam, Records()))[0].text for _ in range(3)] == [TEXT] * 3
        assert len(server.requests) == 6


async def test_a_fallback_that_is_left_alone_does_not_hide_what_failed_before_it() -> None:
    with serve_model("unauthorized") as first, serve_model("broken") as second:
        breakers = Breakers(failures=1, rest_s=60)
        seam = answerer(served(first, "first"), served(second, "second"), patience=Patience(tries=1), breakers=breakers)
        for sentence in ("'second' failed on the provider's side", "'first' refused the key"):
            with pytest.raises(ModelError, match=sentence):
                await ask(seam, Records())
        assert len(second.requests) == 1


async def test_fallbacks_are_asked_in_turn_and_the_first_failure_is_told() -> None:
    records = Records()
    with serve_model(answer_with=lambda body, _: GOOD if body["model"] == "third" else "unauthorized") as server:
        first, second, third = (served(server, name) for name in ("first", "second", "third"))
        _, endpoint = await ask(answerer(first, second, third), records)
        assert endpoint.name == "third"
        assert [one.model for one in server.bill] == ["first", "second", "third"]
        assert_bills_agree(records, server)
        with pytest.raises(ModelError, match="'second' refused the key"):
            await ask(answerer(first, second), Records())


def _first_is_slow(body: Body, number: int) -> Outcome:
    return Says(text="too late", usage=COUNTED, delay_s=SLOW_S) if number == 0 else GOOD


HEDGING = Patience(tries=1, hedge_after_s=0.1)


@both_ways
async def test_a_slow_request_loses_to_its_hedge_is_cancelled_and_billed(streaming: bool) -> None:
    records = Records()
    with serve_model(answer_with=_first_is_slow) as server:
        reply, _ = await ask(answerer(served(server), patience=HEDGING), records, streaming=streaming)
        assert reply.text == TEXT
        assert sorted((sent.number, sent.outcome, sent.hedge) for sent in records.sent) == [
            (0, "cancelled", False),
            (1, "ok", True),
        ]
        await server.settled()
        assert [one.outcome for one in server.bill] == ["cancelled", "ok"]
        assert_bills_agree(records, server)
    assert "".join(records.heard) == (TEXT if streaming else "")


async def test_a_hedge_goes_to_the_next_model_of_the_tier() -> None:
    records = Records()
    with serve_model(answer_with=_first_is_slow) as server:
        _, endpoint = await ask(answerer(served(server, "one"), served(server, "two"), patience=HEDGING), records)
        await server.settled()
        assert endpoint.name == "two"
        assert_bills_agree(records, server)


@both_ways
async def test_a_hedge_that_is_slower_still_is_cancelled_and_billed(streaming: bool) -> None:
    records = Records()

    def first_wins(body: Body, number: int) -> Outcome:
        return Says(text=TEXT, usage=COUNTED, delay_s=0.4 if number == 0 else SLOW_S)

    with serve_model(answer_with=first_wins) as server:
        reply, _ = await ask(answerer(served(server), patience=HEDGING), records, streaming=streaming)
        assert (reply.text, records.outcomes) == (TEXT, ["ok", "cancelled"])
        await server.settled()
        assert_bills_agree(records, server)


async def test_a_fast_reply_is_not_hedged() -> None:
    records = Records()
    with serve_model(GOOD) as server:
        await ask(answerer(served(server), patience=Patience(tries=1, hedge_after_s=LATE_S)), records, streaming=True)
        assert_bills_agree(records, server)
    assert records.outcomes == ["ok"]


@both_ways
async def test_a_hedge_answers_when_the_first_one_fails_late(streaming: bool) -> None:
    records = Records()

    def first_drops(body: Body, number: int) -> Outcome:
        return "hang" if number == 0 else Says(text=TEXT, usage=COUNTED, delay_s=0.5)

    with serve_model(answer_with=first_drops, hang_s=0.3) as server:
        reply, _ = await ask(answerer(served(server), patience=HEDGING), records, streaming=streaming)
        assert (reply.text, records.outcomes) == (TEXT, ["connection", "ok"])
        assert_bills_agree(records, server)


async def test_when_both_fail_the_first_to_fail_is_told_and_both_are_billed() -> None:
    records = Records()

    def both_fail(body: Body, number: int) -> Outcome:
        return "hang" if number == 0 else "unauthorized"

    with serve_model(answer_with=both_fail, hang_s=0.4) as server:
        with pytest.raises(ModelError) as caught:
            await ask(answerer(served(server), patience=HEDGING), records)
        assert (caught.value.failure, records.outcomes) == ("auth", ["connection", "auth"])
        assert_bills_agree(records, server)


async def test_the_one_behind_is_heard_from_its_beginning_when_the_one_ahead_breaks_off() -> None:
    records = Records()

    def ahead_breaks(body: Body, number: int) -> Outcome:
        if number == 0:
            return Says(text=TEXT, usage=COUNTED, delay_s=0.35, piece_delay_s=0.05)
        return Says(text="One two three four five six seven eight", usage=COUNTED, piece_delay_s=0.06, cut_after=6)

    with serve_model(answer_with=ahead_breaks) as server:
        reply, _ = await ask(answerer(served(server), patience=HEDGING), records, streaming=True)
        assert (reply.text, records.outcomes, records.retracted) == (TEXT, ["ok", "connection"], 1)
        assert_bills_agree(records, server)
    assert "".join(records.heard) == TEXT


async def test_a_cut_in_mid_stream_is_retracted_and_the_second_try_is_heard() -> None:
    records = Records()
    with serve_model(Says(text=TEXT, usage=COUNTED, cut_after=3), GOOD) as server:
        reply, _ = await ask(answerer(served(server)), records, streaming=True)
        assert (reply.text, records.outcomes, records.retracted) == (TEXT, ["connection", "ok"], 1)
        assert records.sent[0].usage["output"] > 0
        assert_bills_agree(records, server)
    assert "".join(records.heard) == TEXT
    assert records.sent[0].first_token_ms is not None


async def test_a_cut_before_the_first_word_retracts_nothing() -> None:
    records = Records()
    with serve_model(Says(text=TEXT, usage=COUNTED, cut_after=0), GOOD) as server:
        await ask(answerer(served(server)), records, streaming=True)
        assert (records.outcomes, records.retracted) == (["connection", "ok"], 0)
        assert_bills_agree(records, server)


async def test_what_arrived_unseen_of_a_whole_reply_is_the_only_thing_not_known_here() -> None:
    records = Records()
    with serve_model(Says(text=TEXT, usage=COUNTED, cut_after=3), GOOD) as server:
        await ask(answerer(served(server)), records)
        assert [(sent.usage["input"], sent.usage["estimated"]) for sent in records.sent] == [(TOKENS, True), (TOKENS, False)]
        assert (records.sent[0].usage["output"], server.bill[0].output > 0) == (0, True)


@both_ways
async def test_a_request_that_is_given_up_is_still_recorded(streaming: bool) -> None:
    records = Records()
    with serve_model("hang", hang_s=SLOW_S) as server:
        asking = asyncio.create_task(ask(answerer(served(server)), records, streaming=streaming))
        while not server.requests:  # noqa: ASYNC110  # the other side is a thread
            await asyncio.sleep(0.005)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.settled()
        assert records.outcomes == ["cancelled"]
        assert_bills_agree(records, server)


async def test_a_race_that_is_given_up_records_both() -> None:
    records = Records()
    with serve_model("hang", hang_s=SLOW_S) as server:
        asking = asyncio.create_task(ask(answerer(served(server), patience=HEDGING), records))
        while len(server.requests) < 2:  # noqa: ASYNC110  # the other side is a thread
            await asyncio.sleep(0.005)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.settled()
        assert records.outcomes == ["cancelled", "cancelled"]
        assert_bills_agree(records, server)


async def test_giving_up_says_nothing_about_the_endpoint() -> None:
    with serve_model("hang", "hang", GOOD, hang_s=SLOW_S) as server:
        seam = answerer(served(server), breakers=Breakers(failures=1, rest_s=60))
        for number in range(2):
            asking = asyncio.create_task(ask(seam, Records()))
            while len(server.requests) <= number:  # noqa: ASYNC110  # the other side is a thread
                await asyncio.sleep(0.005)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert (await ask(seam, Records()))[0].text == TEXT


async def test_a_record_that_is_being_written_when_its_question_is_given_up_is_finished() -> None:
    finished: list[str] = []
    writing = asyncio.Event()

    async def write_slowly(sent: Sent) -> None:
        writing.set()
        await asyncio.sleep(0.1)
        finished.append(sent.outcome)

    with serve_model(GOOD) as server:
        asking = asyncio.create_task(
            answerer(served(server)).answer(PROMPT, tier="cheap", watch=Watch(record=write_slowly))
        )  # fmt: skip
        await writing.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0.2)
    assert finished == ["ok"]


async def test_a_watch_may_forbid_a_request() -> None:
    asked: list[tuple[int, str]] = []

    async def permit(number: int, endpoint: Endpoint) -> None:
        asked.append((number, endpoint.name))
        if number == 1:
            raise ModelError("no money left", failure="budget")

    with serve_model("broken", GOOD) as server:
        with pytest.raises(ModelError, match="no money left"):
            await answerer(served(server)).answer(PROMPT, tier="cheap", watch=Watch(permit=permit))
        assert (asked, len(server.requests)) == ([(0, "served"), (1, "served")], 1)


@both_ways
async def test_log_probabilities_are_asked_for_where_they_are_given_and_averaged(streaming: bool) -> None:
    sure = Says(text="A b c", usage=COUNTED, logprobs=[-0.1, -0.2, 0.0])
    with serve_model(sure) as server:
        asked, _ = await ask(answerer(served(server, log_probabilities=True)), Records(), streaming=streaming)
        plain, _ = await ask(answerer(served(server)), Records(), streaming=streaming)
        assert [body.get("logprobs") for body in server.requests] == [True, None]
    assert asked.log_probability == pytest.approx(-0.1)
    assert plain.log_probability is None


@both_ways
@pytest.mark.parametrize("finish_reason", ["stop", "length"])
async def test_a_schema_and_a_limit_travel_in_the_body_and_cut_json_comes_back_as_it_is(
    streaming: bool, finish_reason: str
) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
    text = '{"days": 5}' if finish_reason == "stop" else '{"days'
    with serve_model(Says(text=text, usage=COUNTED, finish_reason=finish_reason)) as server:
        wish = Wish(max_output=77, schema=schema, on_token=(lambda _: None) if streaming else None)
        reply, _ = await answerer(served(server)).answer(PROMPT, tier="cheap", wish=wish)
    assert (reply.text, reply.finish_reason) == (text, finish_reason)
    assert server.requests[0]["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert server.requests[0]["max_completion_tokens"] == 77


@both_ways
async def test_a_refusal_is_marked_where_the_client_passes_it_on_and_its_usage_is_kept(streaming: bool) -> None:
    records = Records()
    with serve_model(Says(refusal="I can't help with that.", usage=COUNTED)) as server:
        reply, _ = await ask(answerer(served(server)), records, streaming=streaming)
        # The client drops the refusals of streams: there it is an empty reply.
        assert (reply.text, reply.refused) == ("", not streaming)
        assert (records.sent[0].usage["output"], records.sent[0].usage["estimated"]) == (server.bill[0].output, False)


@pytest.mark.parametrize(
    ("outcome", "streaming", "failures"),
    [
        ("empty_choices", False, ["malformed"]),
        ("empty_choices", True, ["malformed"]),
        ("no_content", False, []),
        ("no_content", True, []),
    ],
)
async def test_a_reply_without_words_is_an_empty_reply_or_tried_again(
    outcome: Failing, streaming: bool, failures: Sequence[str]
) -> None:
    records = Records()
    with serve_model(outcome, GOOD) as server:
        reply, _ = await ask(answerer(served(server)), records, streaming=streaming)
        assert reply.text == (TEXT if failures else "")
        assert records.outcomes == [*failures, "ok"]
        assert_bills_agree(records, server)


@both_ways
@pytest.mark.parametrize("misreport", ["no_output", "cached_over_input", "negative"])
async def test_a_usage_that_cannot_be_is_counted_here_as_the_provider_bills_it(misreport: str, streaming: bool) -> None:
    records = Records()
    with serve_model(Says(text=TEXT, usage=COUNTED, misreport=misreport)) as server:  # type: ignore[arg-type]  # parametrised
        reply, _ = await ask(answerer(served(server)), records, streaming=streaming)
        assert_bills_agree(records, server)
    assert reply.usage["estimated"] is True


def test_two_event_loops_one_after_another_use_the_same_seam() -> None:
    records = Records()
    with serve_model(GOOD) as server:
        seam = answerer(served(server, limits=Limits(requests=10, tokens=10_000, window_s=0.05)))

        async def two() -> list[str]:
            return [reply.text for reply, _ in await asyncio.gather(ask(seam, records), ask(seam, records, streaming=True))]

        assert [asyncio.run(two()) for _ in range(3)] == [[TEXT, TEXT]] * 3
        assert len(server.requests) == 6


async def test_a_limited_endpoint_waits_its_turn_and_gives_it_back() -> None:
    records = Records()
    gate = Gate(ProcessLimiter())
    with serve_model(GOOD) as server:
        seam = answerer(served(server, limits=Limits(requests=2, window_s=0.3)), gate=gate)
        await asyncio.gather(*(ask(seam, records) for _ in range(5)))
        arrivals = [one.at for one in server.bill]
    assert all(arrivals[place + 2] - arrivals[place] >= 0.3 for place in range(3))
    assert max(sent.waited_ms for sent in records.sent) >= 550


async def test_a_turn_that_does_not_come_before_the_deadline_is_a_sentence() -> None:
    records = Records()
    with serve_model(GOOD) as server:
        seam = answerer(served(server, limits=Limits(requests=1, window_s=60)))
        await ask(seam, records)
        begun = time.perf_counter()
        with pytest.raises(ModelError) as caught:
            await ask(seam, records, within_s=0.2)
        assert time.perf_counter() - begun < 0.2 + LATE_S
        assert len(server.requests) == 1
    assert str(caught.value) == (
        "the rate limits set for the cheap model 'served' left no room before the deadline of the question; "
        "raise them, or allow more with deadline_s"
    )


async def test_a_wait_asked_of_one_question_holds_for_all_of_its_endpoint() -> None:
    with serve_model(Refuses(status=429, retry_after_s=0.4, retry_after_as="ms"), GOOD) as server:
        seam = answerer(served(server, limits=Limits(requests=100, window_s=0.05)), patience=Patience(tries=2, backoff_s=0.001))
        first = asyncio.create_task(ask(seam, Records()))
        while not server.bill or server.bill[0].outcome == "open":  # noqa: ASYNC110  # the other side is a thread
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        await ask(seam, Records())
        await first
        assert all(one.at - server.bill[0].at >= 0.39 for one in server.bill[1:])
