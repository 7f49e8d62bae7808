"""The compressor: what leaves it is an exact, ordered part of what came in."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.compression import Calibration, Compressor, full, rank_sentences
from groat.compression.calibration import Point
from groat.compression.selection import GAP
from groat.text import count_tokens
from groat.types import Passage, Tier
from tests.fakes import asked, passage

ENGLISH = [
    "A password reset link is valid for 20 minutes.",
    "Open it on the phone that asked for it.",
    "Parcels travel by train.",
    "Refunds go to the card that paid.",
    "Call us on working days!",
    "Does it work abroad?",
]
CHINESE = [
    "重置密码的链接二十分钟内有效。",
    "请在手机上打开。",
    "包裹由火车运送！",
    "退款退回原卡。",
    "在 App 里点“设置”。",
    "支持国外使用吗？",
]
TABLE = "| plan | plugs | price |\n|---|---|---|\n| Basic | 5 | 3 |\n| Plus | 20 | 6 |\n| Home | 9 | 4 |"
WHOLE_TABLE = f"{' '.join(ENGLISH)}\n\n{TABLE}"


def _passage(sentences: Sequence[str], number: int = 0) -> Passage:
    return passage(" ".join(sentences), document=f"d{number}", title=f"Title {number}")


PASSAGES = st.lists(st.lists(st.sampled_from([*ENGLISH, *CHINESE]), min_size=1, max_size=6), min_size=1, max_size=5).map(
    lambda texts: [_passage(text, number) for number, text in enumerate(texts)]
)
SHARES = st.sampled_from([0.05, 0.2, 0.5, 0.9])
QUESTIONS = st.sampled_from(["How long is a reset link valid?", "重置链接多久有效？", "在 App 里怎么 reset？", "???"])


def _compressor(share: float, *, floor: int = 5) -> Compressor:
    points = (Point(share=share, loss=0.0, loss_upper=0.0, rows=1),)
    return Compressor(_calibration(points), min_tokens=floor)


def _calibration(indexed: tuple[Point, ...], foreign: tuple[Point, ...] | None = None) -> Calibration:
    away = indexed if foreign is None else foreign
    return Calibration(version="test", points={"indexed": {"en": indexed, "zh": indexed}, "foreign": {"en": away, "zh": away}})


def _sentences(one: Passage) -> list[str]:
    return [one["text"][start:end] for start, end in one["sentences"]]


def _tokens(passages: Sequence[Passage]) -> int:
    return sum(count_tokens(one["text"]) for one in passages)


@settings(max_examples=100, deadline=None)
@given(PASSAGES, SHARES, QUESTIONS, st.sampled_from(["cheap", "expensive"]))
def test_what_is_kept_is_an_exact_ordered_part(passages: list[Passage], share: float, question: str, tier: Tier) -> None:
    shortened = _compressor(share).shorten(asked(question), passages, tier=tier, max_loss=0.1)
    whole = {one["id"]: one for one in passages}
    ids = [one["id"] for one in shortened["passages"]]
    assert ids
    assert ids == [one["id"] for one in passages if one["id"] in ids]
    for one in shortened["passages"]:
        remaining = iter(_sentences(whole[one["id"]]))
        assert all(sentence in remaining for sentence in _sentences(one))
        left_over = one["text"]
        for sentence in _sentences(one):
            left_over = left_over.replace(sentence, "", 1)
        assert left_over.replace(GAP, "").strip() == ""
        unchanged = {"text", "sentences"}
        assert {k: v for k, v in one.items() if k not in unchanged} == {
            k: v for k, v in whole[one["id"]].items() if k not in unchanged
        }


@settings(max_examples=60, deadline=None)
@given(PASSAGES, SHARES, QUESTIONS)
def test_never_longer_never_empty_and_the_same_each_time(passages: list[Passage], share: float, question: str) -> None:
    first = _compressor(share).shorten(asked(question), passages, tier="cheap", max_loss=0.1)
    assert first["tokens_before"] == _tokens(passages)
    assert first["tokens_after"] == _tokens(first["passages"])
    assert 0 < first["tokens_after"] <= first["tokens_before"]
    assert _compressor(share).shorten(asked(question), passages, tier="cheap", max_loss=0.1) == first


@settings(max_examples=60, deadline=None)
@given(PASSAGES, SHARES, QUESTIONS)
def test_the_sentences_kept_fit_the_budget_unless_it_is_one_alone(passages: list[Passage], share: float, question: str) -> None:
    shortened = _compressor(share).shorten(asked(question), passages, tier="cheap", max_loss=0.1)
    kept = [sentence for one in shortened["passages"] for sentence in _sentences(one)]
    budget = max(int(share * shortened["tokens_before"]), 5)
    assert len(kept) == 1 or sum(count_tokens(sentence) for sentence in kept) <= budget or shortened["level"] == "full"


def test_a_larger_share_never_keeps_less() -> None:
    passages = [_passage(ENGLISH), _passage(CHINESE, 1)]
    sizes = [
        _compressor(share).shorten(asked("How long?"), passages, tier="cheap", max_loss=0.1)["tokens_after"]
        for share in (0.1, 0.3, 0.6, 1.0)
    ]
    assert sizes == sorted(sizes)


def test_a_context_below_the_floor_is_sent_as_it_is() -> None:
    passages = [_passage(ENGLISH)]
    shortened = _compressor(0.1, floor=1_000).shorten(asked("How long?"), passages, tier="cheap", max_loss=0.1)
    tokens = _tokens(passages)
    assert shortened == full(passages, reason=f"{tokens} tokens are too few to shorten")


def test_the_floor_is_kept_even_when_the_share_is_smaller() -> None:
    passages = [_passage(ENGLISH), _passage(CHINESE, 1)]
    shortened = _compressor(0.01, floor=40).shorten(asked("How long?"), passages, tier="cheap", max_loss=0.1)
    assert 25 <= shortened["tokens_after"] < _tokens(passages)


def test_nothing_in_nothing_out() -> None:
    assert _compressor(0.5).shorten(asked("How long?"), [], tier="cheap", max_loss=0.1) == {
        "passages": [], "tokens_before": 0, "tokens_after": 0, "level": "none", "reason": "no documents"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How long is a password reset link valid?", ENGLISH[0]),
        ("重置密码的链接多久有效？", CHINESE[0]),
        ("在 App 的设置里怎么做？", CHINESE[4]),
        ("Where do refunds go?", ENGLISH[3]),
    ],
)
def test_the_sentence_that_answers_is_kept(question: str, sentence: str) -> None:
    passages = [_passage(ENGLISH), _passage(CHINESE, 1)]
    shortened = _compressor(0.25).shorten(asked(question), passages, tier="cheap", max_loss=0.1)
    assert sentence in [kept for one in shortened["passages"] for kept in _sentences(one)]
    assert shortened["tokens_after"] < shortened["tokens_before"]


def test_a_row_of_a_table_keeps_its_head() -> None:
    shortened = _compressor(0.3).shorten(asked("Plus plan plugs price"), [passage(WHOLE_TABLE)], tier="cheap", max_loss=0.1)
    kept = [sentence for one in shortened["passages"] for sentence in _sentences(one)]
    assert [row for row in kept if row.startswith("|")][:2] == ["| plan | plugs | price |", "|---|---|---|"]
    assert "| Plus | 20 | 6 |" in kept
    assert "| plan | plugs | price |\n|---|---|---|\n" in shortened["passages"][0]["text"]


def test_meaning_finds_what_shares_no_word() -> None:
    passages = [_passage(ENGLISH)]
    matrix = np.eye(len(ENGLISH), dtype=np.float32)
    for place, sentence in enumerate(ENGLISH):
        shortened = _compressor(0.2).shorten(
            asked("zzz"), passages, tier="cheap", max_loss=0.1, question_vector=matrix[place], sentence_vectors=[matrix]
        )
        assert _sentences(shortened["passages"][0])[0] == sentence


def test_vectors_that_do_not_fit_the_sentences_are_not_used() -> None:
    passages = [_passage(ENGLISH)]
    bare = _compressor(0.2).shorten(asked("How long?"), passages, tier="cheap", max_loss=0.1)
    for vectors in ([None], [np.eye(3, dtype=np.float32)]):
        vector = np.ones(3, dtype=np.float32)
        assert bare == _compressor(0.2).shorten(
            asked("How long?"), passages, tier="cheap", max_loss=0.1, question_vector=vector, sentence_vectors=vectors
        )


def test_scores_are_finite_for_any_text() -> None:
    scores = rank_sentences("???", ["", "。", "a"], headings=["", "", ""], similarities=np.zeros(3, dtype=np.float32))
    assert np.isfinite(scores).all()
    assert rank_sentences("a", [], headings=[]).shape == (0,)


POINTS = (
    Point(share=0.2, loss=0.05, loss_upper=0.08, rows=100),
    Point(share=0.4, loss=0.01, loss_upper=0.04, rows=100),
    Point(share=0.8, loss=0.0, loss_upper=0.02, rows=100),
)


@pytest.mark.parametrize(
    ("tier", "max_loss", "share"),
    [("expensive", 0.05, 0.2), ("expensive", 0.01, 0.4), ("cheap", 0.05, 0.4), ("cheap", 0.02, 0.8), ("cheap", 0.01, None)],
)
def test_the_smallest_measured_share_that_keeps_the_promise_is_taken(tier: Tier, max_loss: float, share: float | None) -> None:
    calibration = _calibration(POINTS, ())
    assert calibration.share("en", population="indexed", tier=tier, max_loss=max_loss) == share
    assert calibration.share("en", population="foreign", tier=tier, max_loss=max_loss) is None


def test_a_promise_that_no_share_keeps_sends_everything() -> None:
    compressor = Compressor(_calibration(POINTS), min_tokens=5)
    shortened = compressor.shorten(asked("How long?"), [_passage(ENGLISH)], tier="cheap", max_loss=0.0)
    assert (shortened["level"], shortened["reason"]) == ("full", "no measured share keeps the loss within 0.0%")
