"""Rows for the head "supports"."""

import random
from collections import Counter
from typing import Any

import pytest

from evals.defect_names import Names
from groat.errors import BadInput
from groat.types import Language
from training.changes import change, change_alike
from training.claims import Story, draw, is_claim, plain, window
from training.rewording import reword, shorten
from training.rows import Row
from training.support import passage_claims, support_rows

_TEXTS: dict[Language, tuple[str, ...]] = {
    "en": (
        "The lighthouse of Grey Point was built in 1871 by Anna Holt.",
        "It is located in the northern part of the bay and is 32 metres high.",
        "The lamp must be cleaned every 14 days before sunset.",
        "However, visitors can climb the tower only in summer.",
    ),
    "zh": (
        "灰岬灯塔于1871年由工程师安霍特主持建成。",
        "灯塔位于海湾北部，塔身高度为32米，共有四层。",
        "灯具必须每 14 天在日落之前清洁一次。",
        "不过，游客只能在夏季登上塔顶参观海景。",
    ),
}
_NAMES = Names([("en", "They met Grey Point, Anna Holt and Mill Bridge.")] * 2)


def _story(lang: Language) -> Story:
    return Story(_TEXTS[lang], "", lang, "made", "g", True, names=_NAMES)


def _rows(lang: Language) -> list[dict[str, Any]]:
    gap = " " if lang == "en" else ""
    texts = (gap.join(_TEXTS[lang]), gap.join(reversed(_TEXTS[lang])))
    docs = [{"id": f"d{i}", "title": "", "text": text, "gold": i == 0} for i, text in enumerate(texts)]
    return [{"id": f"cmrc-{lang}", "source": "cmrc", "lang": lang, "question": "?", "docs": docs, "gold_sentences": []}]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_changed_statement_is_not_the_statement(lang: Language) -> None:
    rng = random.Random(1)
    passage = _TEXTS[lang][2]
    changed = [change(passage, passage, lang, _NAMES, rng) for _ in range(40)]
    assert all(one is not None and one.text != passage for one in changed)
    assert len({one.kind for one in changed if one is not None}) >= 2


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_figure_changed_alike_stands_in_both(lang: Language) -> None:
    found = change_alike(_TEXTS[lang][0], _TEXTS[lang][0], lang, _NAMES, random.Random(4))
    assert found is not None
    kind, claim, passage = found
    assert kind.endswith("_alike")
    assert claim == passage != _TEXTS[lang][0]


@pytest.mark.parametrize(
    ("lang", "text", "other"),
    [
        ("en", "The lamp is cleaned after 14 days.", "two weeks"),
        ("en", "The lamp is cleaned after 14 days.", "14 days"),
        ("zh", "灯具每 14 天清洁一次。", "两周"),
    ],
)
def test_a_span_of_time_is_said_in_another_unit(lang: Language, text: str, other: str) -> None:
    rng = random.Random(2)
    assert any(other in reword(text, lang, rng) for _ in range(60))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_rewording_keeps_figures_that_have_one_spelling(lang: Language) -> None:
    rng = random.Random(3)
    assert all("1871" in reword(_TEXTS[lang][0], lang, rng) for _ in range(60))


@pytest.mark.parametrize(
    ("lang", "text", "short"),
    [
        ("en", "The lighthouse (once the tallest) stands on Grey Point.", "The lighthouse stands on Grey Point."),
        ("zh", "灯塔（曾是最高的）耸立在灰岬的岩石之上。", "灯塔耸立在灰岬的岩石之上。"),
    ],
)
def test_a_parenthesis_can_go(lang: Language, text: str, short: str) -> None:
    assert shorten(text, lang, random.Random(0)) == short


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_window_holds_its_sentence_and_at_most_three(lang: Language) -> None:
    rng = random.Random(5)
    for place in (0, 2, 3):
        start, end = window(_TEXTS[lang], place, rng)
        assert start <= place < end <= start + 3


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_verbatim_claim_stands_in_its_passage(lang: Language) -> None:
    rng = random.Random(6)
    drawn = [draw(_story(lang), rng.randrange(4), rng) for _ in range(300)]
    found = [row for row in drawn if row is not None and row.kind == "verbatim"]
    assert found
    assert all(row.label == 1 and row.a in row.b for row in found)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_changed_claim_or_passage_is_labelled_no(lang: Language) -> None:
    rng = random.Random(7)
    drawn = [draw(_story(lang), rng.randrange(4), rng) for _ in range(300)]
    found = [row for row in drawn if row is not None and row.kind in {"number", "negation", "direction", "date"}]
    assert found
    assert all(row.label == 0 and row.a not in row.b for row in found)


@pytest.mark.parametrize("text", ["| a | b |", "# Heading of some words here.", "Where is it kept today?", "短。"])
def test_what_states_nothing_is_no_claim(text: str) -> None:
    assert not is_claim(text)


def test_marks_of_lists_and_emphasis_go() -> None:
    assert plain("3. Tap **Send** at once.") == "Tap Send at once."


def test_the_help_centre_gives_both_languages_equally_and_repeatably() -> None:
    found = list(support_rows(seed=1, count=60))
    claims = Counter("zh" if any("一" <= sign <= "鿿" for sign in row.a) else "en" for row in found)
    assert claims["zh"] == claims["en"] == 30
    assert all(row.open_licence and row.head == "supports" for row in found)
    assert found == list(support_rows(seed=1, count=60))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_other_texts_give_rows_that_are_not_openly_licensed(lang: Language) -> None:
    found: list[Row] = list(passage_claims(_rows(lang), seed=2, count=40))
    assert {row.label for row in found} == {0.0, 1.0}
    assert {(row.source, row.lang, row.open_licence) for row in found} == {("passages:cmrc", lang, False)}


def test_no_claims_are_made_of_rgb() -> None:
    with pytest.raises(BadInput, match="NC"):
        list(passage_claims([{**_rows("zh")[0], "source": "rgb_zh_int"}], seed=1))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_changed_passage_never_says_the_claim_that_lost_what_was_changed(lang: Language) -> None:
    aside = {
        "en": "Grey Point (32 metres above 4 bays) has an old lighthouse.",
        "zh": "灰岬（海拔 32 米，旁边有 4 个海湾）上有一座旧灯塔。",
    }
    story = Story((aside[lang],), "", lang, "made", "g", True, names=_NAMES)
    rng = random.Random(8)
    drawn = [draw(story, 0, rng) for _ in range(300)]
    numbers = [row for row in drawn if row is not None and row.kind == "number"]
    assert numbers
    assert all("32" in row.a or "4" in row.a or row.b == aside[lang] for row in numbers)
