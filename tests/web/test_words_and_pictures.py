"""What the page says and draws, in both languages."""

import re
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from groat.blame.records import Wanted
from groat.costs import DayReport
from groat.types import Box
from serve.web.keys import Caller
from serve.web.review import filters
from serve.web.review.charts import amount, causes_picture, ladder_picture, path_picture
from serve.web.review.render import STATIC
from serve.web.review.savings import Step, ladder
from serve.web.review.words import WORDS, Words, preferred

TEMPLATES = STATIC.parent / "templates"
ESCALATED: list[Box] = [
    "check_cache", "retrieve", "route", "compress", "answer_cheap", "validate", "compress", "answer_expensive", "validate",
    "remember",
]  # fmt: skip


def test_every_word_of_a_template_is_there_and_every_word_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.html"))
    text += "".join(path.read_text(encoding="utf-8") for path in STATIC.parent.glob("*.py") if path.name != "words.py")
    named = set(re.findall(r"(?:\bt|words)\(f?[\"'](\w+)[\"'][,)]", text)) | {one.word for one in filters.CHOICES}
    families = {"box_", "cache_", "tier_", "verdict_", "step_", "language_", "mark_", "origin_", "saving_", "lever_", "missed_"}
    assert not named - set(WORDS)
    unused = {name for name in WORDS if name not in named and not name.startswith(tuple(families))}
    assert not unused


@pytest.mark.parametrize("choice", filters.CHOICES, ids=lambda choice: str(choice.name))
def test_every_choice_of_the_filter_has_a_word(choice: filters.Choice) -> None:
    for value in choice.values:
        assert f"{choice.name}_{value}" in WORDS


def test_both_languages_fill_in_the_same_values() -> None:
    for english, chinese in WORDS.values():
        assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", chinese))


@pytest.mark.parametrize(
    ("accepts", "language"),
    [("", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("de,en;q=0.5,zh;q=0.4", "en"), ("en;q=0,zh-TW", "zh"), ("fr;q=x", "en")],
)
def test_the_language_is_what_the_browser_puts_first(accepts: str, language: str) -> None:
    assert preferred(accepts) == language


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_path_shows_each_visit_and_names_the_boxes_in_order(language: str) -> None:
    words = Words("zh" if language == "zh" else "en")
    root = ElementTree.fromstring(path_picture(ESCALATED, words))
    assert [text.text for text in root.iter("text") if text.get("class") == "visit"] == [
        "1", "2", "3", "4, 7", "5", "8", "6, 9", "10"
    ]  # fmt: skip
    assert root.get("aria-label") == words("path_says", boxes=" → ".join(words(f"box_{box}") for box in ESCALATED))
    assert sum(arrow.get("class") == "arrow used" for arrow in root.iter("path")) == 9


def test_the_ladder_ends_at_what_was_paid() -> None:
    report = DayReport(day="2026-11-26", tenant=None)
    for outcome, cost, baseline in [
        ("hit_exact", "0", "0.4"),
        ("cheap", "0.1", "0.5"),
        ("failed", "0.2", "0.1"),
        ("cheap", None, "9"),
    ]:
        for group in (report.questions, report.by_outcome[outcome]):
            group.add(cost, baseline)
    report.total.calls, report.total.cost_usd = 4, Decimal("0.35")
    steps = ladder(report)
    assert [(step.name, step.change_usd, step.left_usd) for step in steps] == [
        ("baseline", Decimal("1.0"), Decimal("1.0")),
        ("hit_exact", Decimal("-0.4"), Decimal("0.6")),
        ("cheap", Decimal("-0.4"), Decimal("0.2")),
        ("failed", Decimal("0.1"), Decimal("0.3")),
        ("beside", Decimal("0.05"), Decimal("0.35")),
        ("paid", Decimal("0.35"), Decimal("0.35")),
    ]


def test_a_day_without_anything_has_no_ladder() -> None:
    assert ladder(DayReport(day="2026-11-26", tenant=None)) == []


def test_the_pictures_are_well_formed_even_with_markup_in_a_name() -> None:
    words = Words("zh")
    ElementTree.fromstring(causes_picture(["2026-11-25", "2026-11-26"], {"<b>&": [0, 3], "缓存": [1, 2]}, words))
    ElementTree.fromstring(causes_picture([], {}, words))
    steps = [Step("baseline", 1, Decimal(0), Decimal(0)), Step("failed", 1, Decimal(1), Decimal(1))]
    ElementTree.fromstring(ladder_picture(steps, words))


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0", "$0.000000"), ("1234.5", "$1,234.50"), ("0.0123", "$0.0123"), ("-0.000004", "−$0.000004"), (None, "?")],
)
def test_an_amount_shows_the_digits_that_matter_and_an_unknown_one_is_not_zero(value: str | None, shown: str) -> None:
    assert amount(None if value is None else Decimal(value)) == shown


def test_a_filter_never_reaches_beyond_the_callers_tenant() -> None:
    query = {
        "tenant": "other",
        "verdict": "bad",
        "origin": "stale",
        "since": "2026-11-25",
        "until": "2026-11-25",
        "after": "5.5,run",
    }
    found = filters.wanted(query, Caller(tenant="acme", role="reviewer"))
    assert found == Wanted(
        tenant="acme", bad=True, origin="stale", since=1795564800.0, until=1795651200.0, after=(5.5, "run"), limit=filters.PAGE
    )
    assert filters.wanted(query, Caller(tenant=None, role="reviewer")).tenant == "other"


def test_a_cursor_comes_back_as_it_went() -> None:
    cursor = (1764028800.123456, "a,b")
    query = {"after": filters.written(cursor)}
    assert filters.wanted(query, Caller(tenant=None, role="reviewer")).after == cursor
