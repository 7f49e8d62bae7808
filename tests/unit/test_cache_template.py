"""Two fillings of one frame of wording, in both languages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache.template import shared_template

FILLED = {
    "figures_en": (
        "A baker sells 40 rolls in the morning and 25 rolls in the afternoon. How many rolls does the baker sell that day?",
        "A baker sells 60 rolls in the morning and 35 rolls in the afternoon. How many rolls does the baker sell that day?",
    ),
    "figures_zh": (
        "一个面包师上午卖出40个面包，下午卖出25个面包，这个面包师一天一共卖出多少个面包？",
        "一个面包师上午卖出60个面包，下午卖出35个面包，这个面包师一天一共卖出多少个面包？",
    ),
    "changed_places_en": (
        "How long does the night train from Vienna to Rome take when it does not stop anywhere on the way?",
        "How long does the night train from Rome to Vienna take when it does not stop anywhere on the way?",
    ),
    "figures_changed_places": (
        "If 12 bags hold 4 stones each and 7 of the bags are given away, how many stones are there in the rest?",
        "If 4 bags hold 12 stones each and 7 of the bags are given away, how many stones are there in the rest?",
    ),
    "names_en": (
        "What new employees should know before their very first day of work at the Harbour Hotel, and whom to ask?",
        "What new employees should know before their very first day of work at the Lakeside Clinic, and whom to ask?",
    ),
    "names_zh": (
        "请问新员工第一天去海港酒店上班之前应该知道哪些事情，有问题的时候可以去找谁帮忙解决？",
        "请问新员工第一天去湖滨医院上班之前应该知道哪些事情，有问题的时候可以去找谁帮忙解决？",
    ),
    "code": (
        "What is the value of total after this loop has run to its end: for item in items: total += item * 2",
        "What is the value of total after this loop has run to its end: for item in items: total -= item * 2",
    ),
    "options_en": (
        "Which of the following animals is a mammal and lays no eggs? A. trout B. bat C. eagle D. frog",
        "Which of the following animals is a mammal and lays no eggs? A. horse B. crab C. eagle D. frog",
    ),
    "options_zh": (
        "下列动物中属于哺乳动物并且不下蛋的是哪一个，请选出正确的一项：A．鳟鱼 B．蝙蝠 C．老鹰 D．青蛙",
        "下列动物中属于哺乳动物并且不下蛋的是哪一个，请选出正确的一项：A．骏马 B．螃蟹 C．老鹰 D．青蛙",
    ),
}
EQUAL = {
    "the_same": ("How do I move the smart plug " * 3, "How do I move the smart plug " * 3),
    "case_and_stops": (
        "How long does the night train from Vienna to Rome take when it does not stop anywhere on the way?",
        "how long does the night train from vienna to rome take, when it does not stop anywhere on the way",
    ),
    "courtesy_en": (
        "How can I move the smart plug that I bought last year to the home of my parents without losing its name?",
        "Please, how can I move the smart plug that I bought last year to the home of my parents without losing its name?",
    ),
    "one_says_more": (
        "How can I move the smart plug that I bought last year to the home of my parents without losing its name?",
        "How can I safely move the smart plug that I bought last year to the new home of my parents without losing its name?",
    ),
    "courtesy_zh": (
        "去年买的智能插座怎么搬到父母家里去用，并且不丢失原来起的名字和排好的日程表呢",
        "请问去年买的智能插座怎么搬到父母家里去用，并且不丢失原来起的名字和排好的日程表？",
    ),
    "other_words_en": (
        "Is there any way of taking a smart plug along when one moves house, with its name and its schedule?",
        "I am going to live somewhere else soon. Can my plugs come with me as they are now, names, plans and all?",
    ),
    "short_en": ("How heavy is the 10 kWh battery?", "How heavy is the 5 kWh battery?"),
    "short_zh": ("10 kWh 的电池多重", "5 kWh 的电池多重"),
}
TEXTS = st.text() | st.text(st.sampled_from("ab AB12,.?+=甲乙的了？，"), min_size=30, max_size=90)


@pytest.mark.parametrize(("one", "other"), FILLED.values(), ids=FILLED.keys())
def test_two_fillings_of_one_frame_never_serve_each_other(one: str, other: str) -> None:
    assert shared_template(one, other)
    assert shared_template(other, one)


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL.keys())
def test_one_question_in_two_wordings_and_short_questions_pass(one: str, other: str) -> None:
    assert not shared_template(one, other)
    assert not shared_template(other, one)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_the_comparison_is_symmetric_and_never_raises(one: str, other: str) -> None:
    assert shared_template(one, other) == shared_template(other, one)


@given(TEXTS)
def test_a_text_is_no_other_filling_of_itself(text: str) -> None:
    assert not shared_template(text, text)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_other_figures_in_a_long_frame_are_always_seen(one: int, other: int) -> None:
    frame = "如果一个水池有{}升水，每分钟流出三升，同时每分钟又流进两升，那么多长时间以后水池里的水会全部流完"
    assert shared_template(frame.format(one), frame.format(other)) == (one != other)
