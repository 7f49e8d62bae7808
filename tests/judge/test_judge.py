"""The judge with the weights that come with groat: what must hold whatever they have learned."""

import asyncio
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.errors import ArtifactError
from groat.judge import Encoder, Judge, JudgeArtifact, JudgeUnavailable
from groat.judge import judge as module
from groat.judge.artifact import HEADS, Head
from groat.judge.encoder import Prefix
from groat.judge.joint import JointLayers, unmarked
from groat.judge.judge import tongue_of

PAIRS = [
    ("how do I return a lamp?", "what is the way to send a lamp back?"),
    ("how do I return a lamp?", "who invented the electric lamp?"),
    ("怎么退掉一盏台灯？", "台灯如何退货"),
    ("怎么退掉一盏台灯？", "台灯是谁发明的"),
    ("怎么退掉一盏台灯？", "how do I return a lamp?"),
    ("convert dollars to euros", "欧元换美元"),
    ("x", "押金在一周之内退还，逾期请联系客服。" * 12),
]
CLOSE, APART = 0, 1
MEANINGS = {
    "en": ("How do I open a bank account?", "What is the way to open a bank account?", "How do I close a bank account?"),
    "zh": ("怎么开通自动续费？", "如何开通自动续费？", "怎么取消自动续费？"),
    "zh-en": ("怎么重置热泵？", "How do I reset the heat pump?", "How do I delete my photos?"),
    "en-zh": ("When does the museum open?", "博物馆几点开门？", "博物馆的门票多少钱？"),
}
"""A question, another wording of it, and another question."""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(scope="module")
def judge(encoder: Encoder) -> Judge:
    return Judge(encoder, JudgeArtifact.load())


@pytest.mark.parametrize("lang", list(MEANINGS))
def test_another_wording_is_likelier_than_another_question(judge: Judge, lang: str) -> None:
    question, wording, other = MEANINGS[lang]
    found = judge.judge("same", [(question, wording), (question, other)])
    assert found.p[CLOSE] > found.p[APART]
    assert found.reasons == (None, None)


@pytest.mark.parametrize(
    ("question", "close", "apart"),
    [
        ("How long may I return a lamp?", "A lamp may be returned within 14 days.", "The bus stops running at midnight."),
        ("台灯多久之内可以退？", "台灯可以在十四天之内退货。", "末班公交车在半夜停运。"),
        ("台灯多久之内可以退？", "A lamp may be returned within 14 days.", "The bus stops running at midnight."),
    ],
)
def test_a_sentence_that_answers_is_likelier_than_one_about_something_else(
    judge: Judge, question: str, close: str, apart: str
) -> None:
    found = judge.judge("answers", [(question, close), (question, apart)])
    assert found.p[CLOSE] > found.p[APART]


@pytest.mark.parametrize(
    ("claim", "close", "apart"),
    [
        ("Refunds take a week.", "A refund reaches your card after one week.", "Our shop sells lamps and carpets."),
        ("退款需要一周。", "退款会在一周后到达您的银行卡。", "本店出售灯具和地毯。"),
        ("退款需要一周。", "A refund reaches your card after one week.", "Our shop sells lamps and carpets."),
    ],
)
def test_a_passage_that_says_so_is_likelier_than_one_about_something_else(
    judge: Judge, claim: str, close: str, apart: str
) -> None:
    found = judge.judge("supports", [(claim, close), (claim, apart)])
    assert found.p[CLOSE] > found.p[APART]


@settings(max_examples=40, deadline=None)
@given(a=st.text(max_size=80), b=st.text(max_size=80), head=st.sampled_from(HEADS))
def test_any_texts_have_a_probability_and_no_reason_or_none_and_a_reason(judge: Judge, a: str, b: str, head: Head) -> None:
    found = judge.judge(head, [(a, b), (f"how {a}", f"怎么 {b}")])
    assert found.p.shape == (2,)
    assert len(found.reasons) == 2
    for p, reason in zip(found.p, found.reasons, strict=True):
        assert 0.0 <= p <= 1.0
        assert reason is None or (reason and p == 0.0)


@pytest.mark.parametrize("text", ["a" * 2_000, "长" * 2_000, "a\0b", "x\ud83d否", "how \x1b[31m\u200b", "word " * 400])
@pytest.mark.parametrize("head", HEADS)
def test_odd_texts_have_a_probability(judge: Judge, head: Head, text: str) -> None:
    found = judge.judge(head, [(text, "怎么退货"), ("how do I return it", text)])
    assert found.reasons == (None, None)
    assert ((found.p >= 0) & (found.p <= 1)).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("How do I return a lamp?", "how do i return a lamp"),
        ("怎么退货？", "怎么退货?"),
        ("ＶＩＰ 怎么办", "VIP 怎么办"),
        ("x", "x"),
    ],
)
def test_equal_questions_are_the_same_for_sure(judge: Judge, a: str, b: str) -> None:
    assert judge.judge("same", [(a, b)]).p[0] > 0.9999


@pytest.mark.parametrize("head", HEADS)
def test_the_company_in_a_call_makes_no_difference(encoder: Encoder, head: Head) -> None:
    together = Judge(encoder, JudgeArtifact.load()).judge(head, PAIRS).p
    other = Judge(encoder, JudgeArtifact.load())
    alone = [other.judge(head, [pair]).p[0] for pair in reversed(PAIRS)][::-1]
    assert np.abs(together - alone).max() < 1e-4


def test_who_is_asked_about_whom_makes_no_difference(judge: Judge) -> None:
    forth = judge.judge("same", PAIRS).p
    back = judge.judge("same", [(b, a) for a, b in PAIRS]).p
    assert np.array_equal(forth, back)


def test_two_judges_give_the_same_numbers_and_one_gives_them_again(encoder: Encoder, judge: Judge) -> None:
    first, again = judge.logits("same", PAIRS), judge.logits("same", PAIRS)
    assert np.array_equal(first, again)
    assert np.array_equal(Judge(encoder, JudgeArtifact.load()).logits("same", PAIRS), first)


@pytest.mark.parametrize("odd", ["", "?!", "42", "🙂", "ランプはどうやって返品しますか", "Как вернуть лампу?", "a" * 2_001])
def test_what_is_out_of_range_has_a_reason_and_its_neighbours_none(judge: Judge, odd: str) -> None:
    found = judge.judge("answers", [("怎么退货", odd), PAIRS[0], (odd, "怎么退货")])
    assert found.p[[0, 2]].tolist() == [0.0, 0.0]
    assert found.p[1] > 0
    assert found.reasons[0] is not None
    assert found.reasons[0] == found.reasons[2]
    assert found.reasons[1] is None


async def test_no_candidates_have_no_probabilities(judge: Judge) -> None:
    for ask in (judge.same, judge.answers, judge.supports):
        found = await ask("怎么退货", [])
        assert (found.p.shape, found.reasons) == ((0,), ())
    assert judge.logits("same", []).shape == (0,)


async def test_eight_candidates_in_one_call_keep_their_places(judge: Judge) -> None:
    question = "怎么退掉一盏台灯？"
    others = [
        "台灯如何退货",
        "how do I return a lamp?",
        "",
        "今天天气怎么样",
        "who wrote Hamlet?",
        "台灯",
        question,
        "怎么 买 台灯",
    ]
    found = await judge.same(question, others)
    assert found.p.shape == (8,)
    assert [place for place, reason in enumerate(found.reasons) if reason] == [2]
    assert found.p.argmax() == 6
    alone = [judge.judge("same", [(question, other)]).p[0] for other in others]
    assert np.abs(found.p - alone).max() < 1e-4


async def test_the_methods_give_what_the_heads_give(judge: Judge) -> None:
    (a, b), others = PAIRS[0], [b for _, b in PAIRS]
    for head, ask in zip(HEADS, (judge.same, judge.answers, judge.supports), strict=True):
        assert np.abs((await ask(a, others)).p - judge.judge(head, [(a, other) for other in others]).p).max() < 1e-4
        assert (await ask(a, [b])).reasons == (None,)


async def test_many_calls_at_once_all_come_right(encoder: Encoder, judge: Judge) -> None:
    busy = Judge(encoder, JudgeArtifact.load())
    asked = [(a, [b for _, b in PAIRS[place:]]) for place, (a, _) in enumerate(PAIRS)] * 3
    found = await asyncio.gather(*(busy.same(a, others) for a, others in asked))
    for (a, others), each in zip(asked, found, strict=True):
        assert np.abs(each.p - judge.judge("same", [(a, other) for other in others]).p).max() < 1e-4


def test_the_states_that_are_kept_are_bounded_and_those_just_used_stay(
    encoder: Encoder, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 5)
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    small = Judge(encoder, JudgeArtifact.load())
    texts = [f"how do I return lamp {number}?" for number in range(8)]
    pairs = list(pairwise(texts))
    assert np.abs(small.judge("same", pairs).p - judge.judge("same", pairs).p).max() < 1e-4
    assert [text for _, text in small._known] == texts[-5:]


def test_what_is_kept_gives_what_is_computed(encoder: Encoder, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    first = judge.judge("same", PAIRS).p
    monkeypatch.setattr(encoder, "states", lambda texts, **_: [] if not texts else pytest.fail("a text is computed again"))
    assert np.array_equal(judge.judge("same", PAIRS).p, first)


def test_more_pairs_than_one_run_holds_all_come_right(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge.judge("same", PAIRS).p
    monkeypatch.setattr("groat.judge.joint._MOST_TOKENS", 20)
    assert np.abs(judge.judge("same", PAIRS).p - whole).max() < 1e-4


def test_two_threads_give_the_same_numbers_as_one(encoder: Encoder, judge: Judge) -> None:
    other = Judge(encoder, JudgeArtifact.load(), threads=2)
    assert np.abs(other.judge("same", PAIRS).p - judge.judge("same", PAIRS).p).max() < 1e-4


@pytest.mark.parametrize(("tokens", "kept"), [(12, [0, *range(3, 11)]), (5, [0, 3]), (4, [0, 1, 2, 3]), (2, [0, 1])])
def test_the_joint_layers_read_begin_and_the_words_and_whatever_a_text_without_words_has(tokens: int, kept: list[int]) -> None:
    states = np.arange(tokens, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    assert unmarked(states)[:, 0].tolist() == kept


@pytest.mark.parametrize("text", ["lamp", "灯", "how do I return a lamp?", "怎么退掉一盏台灯？"])
@pytest.mark.parametrize("prefix", ["query: ", "passage: "])
def test_no_token_of_the_text_itself_is_left_out(encoder: Encoder, text: str, prefix: Prefix) -> None:
    whole, bare = (encoder._tokenizer.encode([each], most=64)[0] for each in (prefix + text, prefix.strip()))
    places = unmarked(np.arange(len(whole), dtype=np.float32)[:, None])[:, 0].astype(int)
    left_out = [token for place, token in enumerate(whole) if place not in places]
    assert set(left_out) < set(bare)
    assert len(left_out) == 3


def test_the_version_is_that_of_the_weights(judge: Judge) -> None:
    assert judge.version == JudgeArtifact.load().version


@pytest.mark.parametrize(("a", "b", "tongue"), [("lamp", "light", "en"), ("台灯", "灯", "zh"), ("lamp", "灯", "zh-en")])
def test_the_language_of_a_pair_has_no_order(a: str, b: str, tongue: str) -> None:
    assert tongue_of(a, b) == tongue_of(b, a) == tongue


@pytest.mark.parametrize("graph", [b"", b"no graph", bytes(1000)])
def test_a_graph_that_cannot_run_says_what_to_do(graph: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArtifactError, match=r"pip install -U onnxruntime.*GROAT_JUDGE=off"):
        JointLayers(graph)
    assert capfd.readouterr() == ("", "")


def test_a_missing_onnxruntime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(JudgeUnavailable, match=r"pip install onnxruntime.*GROAT_JUDGE=off"):
        JointLayers(b"")
