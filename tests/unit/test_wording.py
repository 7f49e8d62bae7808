"""One form for a question, however politely and in whichever characters it is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.text import plain_wording, simplified


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Hi, could you please tell me how long the link is valid? Thanks!", "how long the link is valid"),
        ("Please, where is the meter?", "Where is the meter, please?"),
        ("Hello there! Good morning, how do I pay? Thank you very much", "How do I pay?"),
        ("您好，请问一下怎么修改密码？谢谢！", "怎么修改密码"),
        ("麻烦问一下，退款多久到账，谢谢您", "退款多久到账？"),
        ("請問如何修改密碼？", "如何修改密码"),
        ("怎麼開啟通知", "怎么开启通知"),
    ],
)
def test_politeness_and_the_kind_of_characters_do_not_count(a: str, b: str) -> None:
    assert plain_wording(a) == plain_wording(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("How do I say thanks?", "How do I say please?"),
        ("Tell me the price", "Tell me the date"),
        ("怎么说谢谢", "怎么说你好"),
        ("How do I write: thanks", "How do I write: please"),
        ("麻烦的订单怎么取消", "订单怎么取消"),
        ("Is the highway closed?", "Is the way closed?"),
    ],
)
def test_what_is_asked_stays(a: str, b: str) -> None:
    assert plain_wording(a) != plain_wording(b)


@pytest.mark.parametrize("text", ["hi", "Thanks!", "谢谢", "你好", "请问一下", "", "please", "？"])
def test_a_question_that_is_nothing_but_politeness_is_not_emptied(text: str) -> None:
    assert bool(plain_wording(text)) == bool(text)


@given(st.text(max_size=300))
def test_the_form_of_a_form_is_the_form_itself(text: str) -> None:
    assert plain_wording(plain_wording(text)) == plain_wording(text)
    assert simplified(simplified(text)) == simplified(text)
