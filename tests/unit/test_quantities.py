"""Figures and units in one form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.text.quantities import quantities, supports


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("two hours", "2 小时"),
        ("2 h", "两小时"),
        ("1,000 users", "1000 users"),
        ("5 %", "百分之五"),
        ("2 pm", "下午两点"),
        ("15:00", "下午 3 点"),
        ("25 November", "11 月 25 日"),
        ("2026-11-25", "2026 年 11 月 25 日"),
        ("two weeks", "14 天"),
        ("1.2万元", "12,000 元"),
        ("half an hour", "30 分钟"),
        ("one year", "12 个月"),
        ("twenty-four hours", "24 小时"),
    ],
)
def test_equal_amounts_support_each_other(one: str, other: str) -> None:
    assert quantities(one)
    assert all(supports(quantities(one), figure) for figure in quantities(other))
    assert all(supports(quantities(other), figure) for figure in quantities(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 days", "3 weeks"),
        ("3 days", "4 days"),
        ("5 元", "5 美元"),
        ("10 GB", "10 MB"),
        ("£5", "$5"),
        ("三天", "三周"),
        ("14:00", "15:00"),
        ("5 %", "5 kg"),
        ("3 月", "3 个月"),
    ],
)
def test_another_figure_or_unit_does_not_support(one: str, other: str) -> None:
    assert not any(supports(quantities(one), figure) for figure in quantities(other))


@pytest.mark.parametrize("text", ["", "no figures here", "一台电池", "周三", "one of them"])
def test_articles_are_no_figures(text: str) -> None:
    assert quantities(text) == ()


@given(st.text(alphabet="0123456789.,:零一二十百千万亿点年月日时分半%£ apm-", max_size=30))
@settings(max_examples=80)
def test_every_text_can_be_read_and_supports_itself(text: str) -> None:
    found = quantities(text)
    assert all(supports(found, figure) for figure in found)
