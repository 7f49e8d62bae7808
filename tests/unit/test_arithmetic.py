"""Figures that an answer works out itself, in Chinese and English."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.types import Check
from groat.validation import check_answer
from tests.fakes import asked, attempt, passage

EN = passage(
    "A night costs £4.50. Delivery is £3.90. A plug costs £24. The late fee is 5 % of an invoice. The desk costs £1,200.",
    document="en-prices",
    title="Prices",
)
ZH = passage(
    "每晚 4.50 元。送货费 3.90 元。一个插座 24 元。滞纳金是账单的 5%。书桌 1,200 元。学生打八折。",
    document="zh-prices",
    title="价格",
)


def _figures(question: str, answer: str) -> Check:
    found = check_answer(asked(question), attempt(answer), [EN, ZH], kind="knowledge")
    return next(check for check in found if check["name"] == "figures")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("3 nights?", "3 x £4.50 = £13.50."),
        ("3 nights?", "3 nights times £4.50 is £13.50."),
        ("2 plugs?", "2 x £24 = £48, plus £3.90 delivery = £51.90."),
        ("2 plugs?", "2 × (£24 + £3.90) = £55.80."),
        ("What fee has an invoice of £80?", "5 % of £80 is £4.00."),
        ("A year at £24 a month?", "12 x £24 = £288."),
        ("3 desks?", "3 x £1,200 = £3,600."),
        ("What is a third of a plug's £24 for 7 people?", "£24 ÷ 7 = £3.43."),
        ("How much for 3 nights in total?", "3 nights at £4.50 each come to £13.50 in total."),
        ("三晚？3 晚呢？", "3 × 4.5 = 13.5 元。"),
        ("2个插座？", "2 × 24 元 = 48 元，加上 3.90 元等于 51.90 元。"),
        ("2个插座？", "2 ×（24 元 + 3.90 元）＝ 55.80 元。"),
        ("账单 80 元呢？", "80 元的 5% 是 4.00 元。"),
        ("12 元和 8 元？", "12加8等于20。"),
        ("每月 24 元，一年多少？", "12 × 24 元 = 288 元。"),
        ("3 张书桌？", "3 × 1,200 元 = 3,600 元。"),
        ("24 元分给 7 个人？", "24 元 ÷ 7 = 3.43 元。"),
        ("学生买插座？", "24 元打八折 = 19.20 元。"),
        ("3 晚一共多少？", "3 晚每晚 4.50 元，一共 13.50 元。"),
    ],
)  # fmt: skip
def test_a_figure_that_follows_rightly_is_accepted(question: str, answer: str) -> None:
    assert _figures(question, answer)["reason"] == ""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("3 nights?", "3 x £4.50 = £14.50."),
        ("3 nights?", "3 x £4.50 = $13.50."),
        ("3 nights?", "3 x £5.50 = £16.50."),
        ("3 nights?", "The price is not 3 x £4.50 = £13.50."),
        ("2 plugs?", "2 x £24 = £49, plus £3.90 = £52.90."),
        ("Where is the desk?", "The desk weighs £13.50."),
        ("3 晚？", "3 × 4.50 元 = 14.50 元。"),
        ("3 晚？", "3 × 4.50 元 = 13.50 美元。"),
        ("3 晚？", "3 × 5.50 元 = 16.50 元。"),
        ("3 晚？", "价格不是 3 × 4.50 元 = 13.50 元。"),
        ("2个插座？", "2 × 24 元 = 49 元，加 3.90 元等于 52.90 元。"),
        ("书桌在哪？", "书桌重 13.50 元。"),
    ],
)  # fmt: skip
def test_a_figure_that_does_not_follow_is_not(question: str, answer: str) -> None:
    assert not _figures(question, answer)["passed"]


@pytest.mark.parametrize(("question", "answer"), [("2 nights?", "2 x £4.50 = £24."), ("2 晚？", "2 × 4.50 元 = 24 元。")])
def test_a_wrong_result_that_stands_elsewhere_in_a_document_has_its_own_reason(question: str, answer: str) -> None:
    assert _figures(question, answer)["reason"] == "1 calculations come to another result"


@settings(max_examples=60, deadline=None)
@given(times=st.integers(2, 900), pence=st.integers(1, 99_999), off=st.integers(-50, 50), chinese=st.booleans())
def test_a_product_is_accepted_exactly_when_it_is_right(times: int, pence: int, off: int, chinese: bool) -> None:
    price, result = f"{pence / 100:,.2f}", f"{(times * pence + off) / 100:,.2f}"
    if times * pence + off <= 0:
        return
    question = f"{times} 个，每个 {price} 元？" if chinese else f"{times} at £{price}?"
    answer = f"{times} × {price} 元 = {result} 元。" if chinese else f"{times} x £{price} = £{result}."
    assert _figures(question, answer)["passed"] == (off == 0)
