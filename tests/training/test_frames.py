import itertools
import random
from collections import defaultdict

import pytest

from groat.errors import GroatError
from training.frame_numbers import chinese_words, english_words
from training.frame_texts import roughen, say
from training.frame_values import listed_type, shared_types
from training.frames import Frame, frame_rows, load_frames
from training.rows import Row


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(frame_rows(6000, seed=5))


def test_one_seed_always_gives_the_same_rows() -> None:
    assert list(frame_rows(50, seed=1)) == list(frame_rows(50, seed=1)) != list(frame_rows(50, seed=2))


def test_rows_are_distinct_and_as_many_as_asked_for(rows: list[Row]) -> None:
    assert len(rows) == 6000
    assert len({frozenset((row.a.casefold(), row.b.casefold())) for row in rows}) == 6000


def test_the_two_texts_of_a_row_are_not_the_same_text(rows: list[Row]) -> None:
    assert all(row.a.casefold() != row.b.casefold() for row in rows)


def test_chinese_and_english_have_equal_shares(rows: list[Row]) -> None:
    share = {lang: sum(row.lang == lang for row in rows) / len(rows) for lang in ("en", "zh", "zh-en")}
    assert share["en"] == pytest.approx(0.45, abs=0.03)
    assert share["zh"] == pytest.approx(0.45, abs=0.03)
    assert share["zh-en"] == pytest.approx(0.1, abs=0.02)


def test_every_larger_kind_of_change_has_about_as_many_same_as_different(rows: list[Row]) -> None:
    labels = defaultdict(list)
    for row in rows:
        labels[row.kind].append(row.label)
    only_one_way = {"paraphrase", "story", "cross", "topic"}
    shares = {kind: sum(of) / len(of) for kind, of in labels.items() if len(of) >= 100 and kind not in only_one_way}
    assert len(shares) >= 8
    assert all(0.35 <= share <= 0.65 for share in shares.values()), shares


def test_rows_may_teach_the_open_weights_and_name_their_frame(rows: list[Row]) -> None:
    names = {frame.name for frame in load_frames()}
    assert all(row.open_licence and row.head == "same" and row.source == "frames" and row.group in names for row in rows)


def test_there_are_at_least_150_families_with_wordings_in_both_languages() -> None:
    frames = load_frames()
    assert len(frames) >= 150
    assert all(len(texts[lang]) >= 2 for frame in frames for texts in frame.intents.values() for lang in ("en", "zh"))


def test_no_slot_is_left_unfilled_and_no_choice_unmade(rows: list[Row]) -> None:
    assert not [row for row in rows if any(sign in row.a + row.b for sign in "{}|@")]


def test_two_intents_of_a_frame_share_no_wording() -> None:
    for frame in load_frames():
        for (_, one), (_, other) in itertools.combinations(frame.intents.items(), 2):
            for lang in ("en", "zh"):
                assert not set(one[lang]) & set(other[lang]), frame.name


def test_swapping_two_values_is_another_question_unless_the_frame_says_order_does_not_matter(rows: list[Row]) -> None:
    kinds = {frame.name: frame.symmetric for frame in load_frames()}
    assert {kinds[row.group] for row in rows if row.kind == "order"} == {True}
    assert any(row.kind == "direction" and row.label == 0 for row in rows)


def test_no_way_of_writing_stands_for_two_values_of_a_slot() -> None:
    for kind in [*shared_types().values(), *(slot for frame in load_frames() for slot in frame.slots.values())]:
        for lang in ("en", "zh"):
            forms = [form.casefold() for value in kind.values for form in value.forms[lang]]
            assert len(forms) == len(set(forms)), (kind.name, sorted({form for form in forms if forms.count(form) > 1}))


def test_a_change_of_a_quantity_changes_the_number_or_the_unit_alone() -> None:
    kind = shared_types()["length"]
    rng = random.Random(3)
    for _ in range(50):
        value = kind.draw(rng)
        changed = kind.change(value, rng)
        assert changed is not None
        differ = [one != other for one, other in zip(value.parts, changed[0].parts, strict=True)]
        assert differ == ([True, False] if changed[1] == "number" else [False, True])


def test_a_value_is_never_changed_into_one_that_another_slot_holds() -> None:
    kind = listed_type("pole", "north = 北\nsouth = 南\nzenith = 天顶", "entity")
    north, south, zenith = kind.values
    assert kind.change(north, random.Random(0), [south]) == (zenith, "entity")
    assert kind.change(north, random.Random(0), [south, zenith]) is None


def test_a_value_without_its_chinese_form_is_refused() -> None:
    with pytest.raises(GroatError, match="needs English = Chinese"):
        listed_type("pole", "north = 北\nsouth", "entity")


@pytest.mark.parametrize(
    ("number", "english", "chinese"),
    [
        (2, "two", "二"),
        (10, "ten", "十"),
        (12, "twelve", "十二"),
        (45, "forty-five", "四十五"),
        (105, "one hundred five", "一百零五"),
        (250, "two hundred fifty", "两百五十"),
        (1200, "one thousand two hundred", "一千两百"),
        (3005, "three thousand five", "三千零五"),
    ],
)
def test_numbers_are_written_in_words(number: int, english: str, chinese: str) -> None:
    assert english_words(number) == english
    assert chinese_words(number) == chinese


def test_two_before_a_measure_word_is_liang() -> None:
    assert chinese_words(2, counting=True) == "两"


def test_a_wording_gets_its_values_and_the_right_article() -> None:
    values = {"x": listed_type("thing", "apple = 苹果\npear = 梨", "entity").values[0]}
    assert say("(sell|sell) a {x}", values, "en", random.Random(0)) == "sell an apple"
    assert say("(卖|卖)一个{x}", values, "zh", random.Random(0)) == "卖一个苹果"


@pytest.mark.parametrize(("text", "lang"), [("how do I sell a pear", "en"), ("怎么卖梨", "zh")])
def test_rough_writing_keeps_the_question(text: str, lang: str) -> None:
    rng = random.Random(4)
    written = [roughen(text, False, lang, rng) for _ in range(40)]
    assert len(set(written)) > 5
    assert all(text.casefold() in " ".join(one.casefold().split()) for one in written)


def test_a_frame_uses_the_slots_of_its_wordings() -> None:
    frame = Frame("f", {}, {"main": {"en": ("sell {x} to {y}",), "zh": ("把{x}卖给{y}",)}}, "intent", False, None)
    assert frame.used("main") == {"x", "y"}
