"""What is known of a right answer is read, and answers and passages are held against it in both languages."""

from typing import Any

import pytest

from graph.blame_judging import ReferenceJudge, abstains, says_the_same
from groat.answering.prompts import no_answer_text
from groat.blame.missed import missed_by
from groat.blame.reference import Reference, holds, read_reference, says_enough, stands_in
from groat.errors import BadInput
from tests.fakes import asked, passage
from tests.unit.test_blame_records import hit, snapshot

EN, ZH = asked("How long is the reset link valid?"), asked("重置链接有效多久？")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"answer": 5}, '"answer"'),
        ({"groups": "20"}, '"groups"'),
        ({"groups": [[]]}, '"groups"'),
        ({"groups": [[" "]]}, '"groups"'),
        ({"documents": [1]}, '"documents"'),
        ({"answerable": "no"}, '"answerable"'),
    ],
    ids=str,
)
def test_a_broken_reference_is_named(value: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        read_reference(value)


def test_a_reference_comes_back_as_it_was_given() -> None:
    given: Reference = {"answer": "20 minutes", "groups": [["20"]], "documents": ["d"], "answerable": True}
    assert read_reference(dict(given)) == given
    assert says_enough(given)
    assert says_enough({"answerable": False})
    assert not says_enough({"documents": ["d"], "answerable": True})


@pytest.mark.parametrize(
    ("reference", "question", "right", "wrong"),
    [
        ({"groups": [["20 minutes", "twenty minutes"]]}, EN, "It is valid for Twenty Minutes. [d]", "It is valid for long."),
        ({"groups": [["20 分钟", "20分钟"]]}, ZH, "有效期为20分钟。[d]", "有效期为 30 分钟。[d]"),
        ({"answer": "42"}, EN, "The answer is 42.", "The answer is 41."),
        ({"answer": "B"}, ZH, "答案：B", "答案：C"),
        ({"answer": "yes"}, EN, "Yes", "No"),
        ({"answer": "蓝色"}, ZH, "灯是蓝色的。", "灯是红色的。"),
        (
            {"answer": "A reset link is valid for 20 minutes."}, EN,
            "Reset links stay valid for 20 minutes. [d]", "A reset link is valid for 30 minutes. [d]",
        ),
        (
            {"answer": "重置链接在 20 分钟内有效。"}, ZH, "重置链接 20 分钟内有效。[d]", "重置链接 30 分钟内有效。[d]",
        ),
    ],
    ids=lambda one: str(one)[:30],
)  # fmt: skip
async def test_answers_are_held_against_a_reference(reference: Reference, question: Any, right: str, wrong: str) -> None:
    judge = ReferenceJudge(reference)
    assert await judge.right(question, right, []) is True
    assert await judge.right(question, wrong, []) is False
    assert await judge.right(question, no_answer_text(question["answer_language"]), []) is False
    assert 0 < judge.error < 0.5


@pytest.mark.parametrize("question", [EN, ZH], ids=["en", "zh"])
async def test_where_nothing_answers_only_saying_so_is_right(question: Any) -> None:
    judge = ReferenceJudge({"answerable": False})
    told = no_answer_text(question["answer_language"])
    assert abstains(question, told)
    assert await judge.right(question, told, []) is True
    assert await judge.right(question, "20 minutes. [d]", []) is False


def test_what_a_right_answer_needs_is_looked_for_in_the_documents_that_answer() -> None:
    here, there = passage("It lasts 20 minutes.", document="a"), passage("Wait 20 minutes.", document="b")
    assert stands_in({"groups": [["20 minutes"]], "documents": ["a"]}, [there]) is False
    assert stands_in({"groups": [["20 minutes"]], "documents": ["a"]}, [here, there]) is True
    assert stands_in({"groups": [["20 minutes"]]}, [there]) is True
    assert stands_in({"documents": ["a"]}, [here]) is None
    assert holds({"answer": "The battery arrives within ten days."}, "Within ten days the battery arrives at your door.")
    assert not holds({"answer": "The battery arrives within 10 days."}, "The battery arrives within 12 days.")


@pytest.mark.parametrize(
    ("question", "one", "other", "same"),
    [
        (EN, "It is valid for 20 minutes. [a]", "It is valid for 20 minutes. [b]", True),
        (EN, "It is valid for 20 minutes.", "It is valid for 30 minutes.", False),
        (ZH, "有效期为 20 分钟。", "有效期为 20 分钟。[a]", True),
        (ZH, "有效期为 20 分钟。", "请点击登录页的链接。", False),
        (EN, no_answer_text("en"), "It is valid for 20 minutes.", False),
        (ZH, no_answer_text("zh"), no_answer_text("zh"), True),
    ],
    ids=str,
)
def test_two_answers_are_compared(question: Any, one: str, other: str, same: bool) -> None:
    assert says_the_same(question, one, other) is same


def test_the_check_that_let_a_bad_answer_through_is_named() -> None:
    unverified = snapshot(verified=False)
    assert missed_by("stale", hit("h")) == "document_versions"
    assert missed_by("wrong_hit", hit("h")) == "accept_rule"
    assert missed_by("retrieval", snapshot()) == "check_support"
    assert missed_by("model_cheap", snapshot()) == "checks"
    assert missed_by("knowledge", snapshot()) == "none"
    assert missed_by("model_cheap", unverified) == "none"
