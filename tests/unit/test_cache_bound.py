"""Many streams from a few: how they are drawn, what is counted, and what was read in place of labels."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from evals.adjudication import key_of, key_of_text, read_chosen, read_verdicts
from evals.cache_bound import Plan, Streams, share, summaries
from evals.kept_scores import KeptOpinions, KeptVectors
from groat.cache.accept import AcceptRule
from groat.cache.replay import Stream
from groat.cache.verifier import Verifier
from groat.errors import BadInput
from groat.types import Language
from tests.fakes import KnownVectors
from tests.unit.test_cache_accept import EVERYWHERE, Says

EN = ("How long is the reset link valid?", "For how long may I use the reset link?", "Where do I send a parcel?")
ZH = ("重置链接多久失效", "重置链接有效期是多久", "包裹寄到哪里")
VECTORS = KnownVectors({EN[0]: 1.0, EN[1]: 0.95, EN[2]: 0.3, ZH[0]: 1.0, ZH[1]: 0.95, ZH[2]: 0.3})


def quiet(line: str) -> None:
    pass


def rule(judge: Says | KeptOpinions) -> AcceptRule:
    return AcceptRule(None, Verifier(EVERYWHERE), judge)


@pytest.mark.parametrize(("texts", "language"), [(EN, "en"), (ZH, "zh")])
async def test_a_wrong_hit_as_labelled_is_right_when_it_was_read_as_right(texts: tuple[str, ...], language: Language) -> None:
    stream = Stream("s", language, list(texts), ["one", "other", "two"])
    plan = Plan(streams=3, requests=3, shift=False)
    read = {key_of(texts[1], texts[0]): 1}
    for verdicts, unread in ((read, []), ({}, [{"asked": texts[1], "served": texts[0], "times": 3}])):
        judge = Says({texts[0]: 0.99})
        played, doubts = await Streams([stream], plan).play(rule(judge), VECTORS, verdicts, quiet)
        assert [(one["hits"], one["labelled"]["wrong"], one["requests"]) for one in played] == [(1, 1, 3)] * 3
        assert [one["read"]["wrong"] for one in played] == [0 if verdicts else 1] * 3
        assert doubts == unread
    told = summaries(played)
    assert [(one["kind"], one["streams"], one["labelled"]["over"], one["labelled"]["surely_over"]) for one in told] == [
        ("steady", 3, 3, 3), ("all", 3, 3, 3)
    ]  # fmt: skip
    assert told[0]["labelled"]["mean_share"] == 1.0


async def test_a_right_hit_as_labelled_is_wrong_when_it_was_read_as_wrong() -> None:
    stream = Stream("s", "en", list(EN), ["one", "one", "two"])
    played, _ = await Streams([stream], Plan(streams=1, requests=3)).play(
        rule(Says({EN[0]: 0.99})), VECTORS, {key_of(*EN[:2]): 0}, quiet
    )
    assert (played[0]["labelled"]["wrong"], played[0]["read"]["wrong"], played[0]["right"]) == (0, 1, 1)


async def test_the_same_seed_draws_the_same_streams_and_whole_groups_in_order_of_arrival() -> None:
    questions = [f"question {n} of {n % 10}" for n in range(40)]
    vectors = KnownVectors({one: n / 40 for n, one in enumerate(questions)})
    stream = Stream("s", "en", questions, [str(n % 10) for n in range(40)])
    streams = Streams([stream], Plan(streams=4, requests=12, shift=False, seed=5))
    drawn = [streams._stream(number, shift=False) for number in range(4)]
    assert drawn == [streams._stream(number, shift=False) for number in range(4)]
    assert len({tuple(one.questions) for one in drawn}) == 4
    for one in drawn:
        places = [questions.index(question) for question in one.questions]
        assert places == sorted(places)
        assert sorted({one.answer_ids.count(answer) for answer in one.answer_ids}) == [4]
    played, _ = await streams.play(rule(Says({})), vectors, None, quiet)
    assert [one["requests"] for one in played] == [12] * 4
    assert all("read" not in one for one in played)


def test_a_stream_that_shifts_takes_its_halves_from_two_sources() -> None:
    first = Stream("first", "en", [f"a {n}" for n in range(9)], [f"{n}" for n in range(9)])
    second = Stream("second", "en", [f"b {n}" for n in range(9)], [f"{n}" for n in range(9)])
    drawn = Streams([first, second], Plan(requests=8))._stream(1, shift=True)
    assert [question[0] for question in drawn.questions] in (["a"] * 4 + ["b"] * 4, ["b"] * 4 + ["a"] * 4)
    assert len(set(drawn.answer_ids)) == 8


async def test_a_single_source_is_shifted_between_its_two_topics() -> None:
    cosines = {f"{topic} {n}": turn + n / 100 for topic, turn in (("lamp", 0.0), ("bill", 0.6)) for n in range(8)}
    stream = Stream("s", "en", list(cosines), list(cosines))
    streams = Streams([stream], Plan(streams=2, requests=8))
    played, _ = await streams.play(rule(Says({})), KnownVectors(cosines), None, quiet)
    assert [one["shift"] for one in played] == [False, True]
    topics = [question.split()[0] for question in streams._stream(1, shift=True).questions]
    assert topics in (["lamp"] * 4 + ["bill"] * 4, ["bill"] * 4 + ["lamp"] * 4)


@given(hits=st.integers(0, 300), data=st.data(), promise=st.sampled_from([0.01, 0.05, 0.3]))
def test_surely_over_is_what_a_one_sided_binomial_test_rejects(hits: int, data: st.DataObject, promise: float) -> None:
    wrong = data.draw(st.integers(0, hits))
    told = share(wrong, hits, promise)
    assert told["over"] == (wrong > promise * hits)
    rejected = hits > 0 and binomtest(wrong, hits, promise, alternative="greater").pvalue < 0.05
    assert told["surely_over"] == rejected


def test_only_what_a_file_names_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "held.txt"
    file.write_text(f"two\n{key_of_text(EN[0].upper())}\n", encoding="utf-8")
    stream = Stream("s", "en", list(EN), ["one", "one", "two"])
    assert Streams([stream], Plan(), read_chosen(file)).pools[0].questions == [EN[0], EN[2]]
    with pytest.raises(BadInput, match="no question of s may be drawn"):
        Streams([stream], Plan(), frozenset({"elsewhere"}))


@pytest.mark.parametrize("content", ["", "[", "[]", '{"verdicts": 1}'])
def test_files_that_say_nothing_are_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "file"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match="is not there or damaged"):
        read_verdicts(file)
    file.write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="lists nothing"):
        read_chosen(file)
    file.write_text(json.dumps({"verdicts": {"k": 1}}), encoding="utf-8")
    assert read_verdicts(file) == {"k": 1}


async def test_each_vector_and_each_opinion_is_made_once() -> None:
    judge, known = Says({EN[0]: 0.9, EN[2]: 0.1}), KnownVectors()
    opinions, vectors = KeptOpinions(judge), KeptVectors(known)
    for _ in range(2):
        await vectors.query(EN[0])
        assert (await opinions.same(EN[1], [EN[0]])).p.tolist() == [0.9]
        assert (await opinions.same(EN[1], [EN[2], EN[0]])).p.tolist() == [0.1, 0.9]
    assert known.asked == [EN[0]]
    assert opinions.version == judge.version
    assert judge.read == [EN[0], EN[2]]
