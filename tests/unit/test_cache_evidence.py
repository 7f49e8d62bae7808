"""The evidence about two questions: its shape, its symmetry, and what each value sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.cache.evidence import NAMES, evidence


def of(a: str, b: str, **more: float) -> dict[str, float]:
    return dict(zip(NAMES, evidence(a, b, cosine=more.get("cosine", 0.9), logit=more.get("logit", 0.0)), strict=True))


@given(st.text(max_size=200), st.text(max_size=200), st.floats(-1, 1), st.floats(-1e9, 1e9))
def test_any_two_texts_give_finite_values_and_the_same_ones_the_other_way_round(
    a: str, b: str, cosine: float, logit: float
) -> None:
    values = evidence(a, b, cosine=cosine, logit=logit)
    assert values.shape == (len(NAMES),)
    assert np.isfinite(values).all()
    assert values.tolist() == evidence(b, a, cosine=cosine, logit=logit).tolist()


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        ("How do I return 3 items?", "How do I return 5 items?", "figure"),
        ("三天内可以退货吗", "七天内可以退货吗", "figure"),
        ("Can I pay with a card?", "Can I not pay with a card?", "negation"),
        ("支持七天退货", "不支持七天退货", "negation"),
        ("How do I turn on alerts?", "How do I turn off alerts?", "opposite"),
        ("怎么打开通知", "怎么关闭通知", "opposite"),
        ("What does it cost if I cancel early?", "What does it cost to cancel early?", "limits_differ"),
        ("除了上海还送哪里", "上海还送哪里", "limits_differ"),
    ],
)
def test_what_parts_two_questions_is_seen(a: str, b: str, name: str) -> None:
    assert of(a, b)[name] > 0
    assert of(a, a)[name] == 0


@pytest.mark.parametrize(
    ("a", "b"), [("How long is the link valid?", "How long is the link valid"), ("链接多久失效？", "链接多久失效")]
)
def test_equal_questions_share_everything(a: str, b: str) -> None:
    values = of(a, b)
    assert values["pairs_shared"] == values["words_shared"] == values["length_ratio"] == values["kept_order"] == 1.0
    assert values["edits"] == values["replaced"] == values["inserted"] == values["only_more"] == 0.0


def test_the_language_of_both_questions_is_told() -> None:
    assert (of("链接多久失效", "链接有效期多长")["chinese"], of("How long?", "链接有效期多长")["across"]) == (1.0, 1.0)
    assert of("How long?", "For how long?")["chinese"] == of("How long?", "For how long?")["across"] == 0.0


def test_swapped_words_are_seen_in_the_order() -> None:
    assert of("send money from Paris to London", "send money from London to Paris")["kept_order"] < 1.0
