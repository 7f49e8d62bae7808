"""Opposites and negations of a clause, in Chinese and English."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.validation.poles import signs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It can be returned", "It cannot be returned"),
        ("It is valid", "It isn't valid"),
        ("Pay before the delivery", "Pay after the delivery"),
        ("You must confirm it", "You need not confirm it"),
        ("It is allowed", "It is forbidden"),
        ("The plan includes support", "The plan excludes support"),
        ("It is only for homes", "It is not only for homes"),
        ("At least 3 homes", "At most 3 homes"),
        ("Turn the switch on", "Turn the switch off"),
        ("It always starts", "It never starts"),
        ("Refunded unless opened", "Refunded if opened"),
        ("可以退货", "不可以退货"),
        ("必须申请", "不必申请"),
        ("送达之前取消", "送达之后取消"),
        ("允许改名", "禁止改名"),
        ("仅限家庭用户", "不仅限于家庭用户"),
        ("至少 3 天", "最多 3 天"),
        ("免费上门", "收费上门"),
        ("开启提醒", "关闭提醒"),
        ("包括运费", "不包括运费"),
    ],
)
def test_opposites_oppose_each_other(one: str, other: str) -> None:
    assert signs(one).opposes(signs(other))
    assert signs(other).opposes(signs(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It cannot be returned", "It must not be returned"),
        ("It is not included", "It is excluded"),
        ("no longer valid", "not valid"),
        ("不能退货", "不得退货"),
        ("不可以使用", "禁止使用"),
        ("能不能退货", "可以退货"),
        ("不超过 3 次", "最多 3 次"),
    ],
)
def test_two_ways_to_say_the_same_do_not_oppose(one: str, other: str) -> None:
    assert not signs(one).opposes(signs(other))


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=50)
def test_opposition_is_mutual_and_nothing_opposes_itself(one: str, other: str) -> None:
    assert signs(one).opposes(signs(other)) == signs(other).opposes(signs(one))
    assert not signs(one).opposes(signs(one))
