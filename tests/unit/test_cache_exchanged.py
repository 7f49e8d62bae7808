"""Two things in each other's place make another question, and another order of words does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.cache.exchanged import exchanged


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I move my data from Postgres to MySQL?", "How do I move my data from MySQL to Postgres?"),
        ("What is the best HTML to PDF converter tool?", "What is the best PDF to HTML converter?"),
        ("Convert 100 dollars to euros", "Convert 100 euros to dollars"),
        ("Do some cats like dogs because most birds hate fish?", "Do some birds like fish because most cats hate dogs?"),
        ("从格拉茨到维也纳多远", "从维也纳到格拉茨多远"),
        ("人民币怎么换成美元？", "美元怎么换成人民币？"),
        ("怎么把中文翻译成英文", "怎么把英文翻译成中文"),
        ("甲公司收购乙公司了吗", "乙公司收购甲公司了吗"),
    ],
)
def test_two_things_that_changed_places_are_exchanged(one: str, other: str) -> None:
    assert exchanged(one, other)
    assert exchanged(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Trains from Graz to Wien", "Trains to Wien from Graz"),
        ("Should I choose tea or coffee?", "Should I choose coffee or tea?"),
        ("What is the difference between tea and coffee?", "What is the difference between coffee and tea?"),
        ("Why is Delhi so large?", "Why Delhi is so large?"),
        ("Where can I park near the town hall?", "Near the town hall, where can I park?"),
        ("How do I reset my password?", "How do I reset my password?"),
        ("选茶还是咖啡", "选咖啡还是茶"),
        ("茶和咖啡有什么区别", "咖啡和茶有什么区别"),
        ("格拉茨到维也纳多远", "从格拉茨到维也纳有多远"),
        ("怎么换成美元", "美元怎么换"),
    ],
)
def test_another_order_of_the_same_question_is_no_exchange(one: str, other: str) -> None:
    assert not exchanged(one, other)


@given(st.text(max_size=60), st.text(max_size=60))
def test_it_makes_no_difference_which_question_came_first(one: str, other: str) -> None:
    assert exchanged(one, other) == exchanged(other, one)
    assert not exchanged(one, one)
