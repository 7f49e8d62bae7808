"""Every check of an answer, passing and failing, in Chinese and English."""

import pytest

from groat.types import Asked, Attempt, Check, Passage, QuestionKind
from groat.validation import check_answer, doubtful
from groat.validation.checks import MIN_SUPPORT
from tests.fakes import asked, attempt, passage

EN = passage(
    "A password reset link is valid for 20 minutes. Refunds arrive within 5 working days.", document="en-reset", title="Reset"
)
ZH = passage("重置密码的链接二十分钟内有效。退款五个工作日内到账。", document="zh-reset", title="重置密码")
ALL = [
    "not_empty", "complete", "no_leak", "answers", "language", "citations", "figures", "names", "placed", "negation", "support",
]  # fmt: skip


def _failed(
    question: str | Asked,
    answer: str | Attempt,
    passages: list[Passage] | None = None,
    kind: QuestionKind = "knowledge",
) -> dict[str, str]:
    checks = _checks(question, answer, passages, kind)
    return {check["name"]: check["reason"] for check in checks if not check["passed"]}


def _checks(
    question: str | Asked, answer: str | Attempt, passages: list[Passage] | None = None, kind: QuestionKind = "knowledge"
) -> list[Check]:
    return check_answer(
        asked(question) if isinstance(question, str) else question,
        attempt(answer) if isinstance(answer, str) else answer,
        [EN, ZH] if passages is None else passages,
        kind=kind,
    )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long is the reset link valid?", "A password reset link is valid for 20 minutes. [en-reset]"),
        ("重置链接多久有效？", "重置密码的链接 20 分钟内有效。[zh-reset]"),
        ("How long?", "The password reset link is valid for 20 minutes [en-reset; zh-reset]."),
        ("需要多久？", "重置密码的链接二十分钟内有效 [zh-reset、en-reset]。"),
        ("How long?", "1. The reset link: 20 minutes\n2. Refunds: 5 working days [en-reset]"),
    ],
)
def test_a_faithful_answer_passes_every_check(question: str, answer: str) -> None:
    checks = _checks(question, answer)
    assert [check["name"] for check in checks] == ALL
    assert all(check["passed"] for check in checks)
    assert all(check["reason"] == "" for check in checks)


def test_a_failed_call_has_one_check() -> None:
    failed: Attempt = {**attempt(""), "failure": "timeout"}
    assert _checks("How long?", failed) == [
        {"name": "call", "passed": False, "score": 0.0, "reason": "the call failed: timeout"}
    ]


def test_an_empty_answer_has_one_check() -> None:
    assert _failed("How long?", "") == {"not_empty": "the answer is empty"}


@pytest.mark.parametrize("reason", ["length", "max_tokens", "content_filter"])
def test_a_cut_answer_is_not_complete(reason: str) -> None:
    cut: Attempt = {**attempt("The reset link is valid."), "finish_reason": reason}
    assert _failed("How long?", cut) == {"complete": f"the answer ended with {reason!r}"}


@pytest.mark.parametrize(
    "leak", ["</documents> reset link", "<question>reset link", "Use only facts that stand in the documents"]
)
def test_parts_of_the_prompt_are_a_leak(leak: str) -> None:
    assert _failed("How long?", leak)["no_leak"] == "the answer repeats parts of the prompt"


def test_an_abstention_is_no_answer_and_nothing_more_is_checked() -> None:
    checks = _checks("How long?", attempt("[no answer]", abstained=True))
    assert [check["name"] for check in checks] == ALL[:4]
    assert checks[3] == {
        "name": "answers", "passed": False, "score": 0.0, "reason": "the model says that the documents do not answer"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("question", "refusal"),
    [
        ("How long?", "I'm sorry, but I can't say how long the reset link is valid."),
        ("How long?", "Thank you for asking. The documents do not mention the reset link."),
        ("How long?", "As an AI I know the reset link."),
        ("How long?", "I cannot help with the reset link."),
        ("需要多久？", "抱歉，我没法告诉您重置密码的链接多久有效。"),
        ("需要多久？", "感谢您的提问。资料中没有提到重置密码的链接。"),
        ("需要多久？", "我无法重置密码。"),
        ("需要多久？", "作为人工智能，我重置密码的链接。"),
    ],
)
def test_a_refusal_is_no_answer(question: str, refusal: str) -> None:
    assert _failed(question, refusal)["answers"] == "the answer is a refusal"


def test_a_word_of_regret_inside_a_long_answer_is_no_refusal() -> None:
    answer = "A password reset link is valid for 20 minutes. Refunds arrive within 5 working days. " * 2 + "I cannot help more."
    assert "answers" not in _failed("How long?", answer)


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("How long?", "重置密码的链接 20 分钟内有效。[zh-reset]", "100% of the answer is not in en"),
        ("需要多久？", "A password reset link is valid for 20 minutes. [en-reset]", "100% of the answer is not in zh"),
    ],
)
def test_an_answer_in_the_wrong_language_fails(question: str, answer: str, reason: str) -> None:
    assert _failed(question, answer) == {"language": reason}


def test_names_of_documents_do_not_decide_the_language() -> None:
    assert _failed("需要多久？", "20 分钟。[zh-reset] [en-reset]") == {}


def test_a_figure_alone_has_any_language() -> None:
    assert _failed("需要多久？", "20 [zh-reset]") == {}


def test_a_translation_is_judged_neither_by_language_nor_by_documents() -> None:
    checks = _checks("Translate 你好 into French", "Bonjour 99 fois", kind="translation")
    assert [check["name"] for check in checks] == ALL[:4]


def test_small_talk_is_not_judged_by_documents() -> None:
    assert [check["name"] for check in _checks("Hi", "Hello, 99 times!", kind="small_talk")] == ALL[:5]


@pytest.mark.parametrize(
    ("answer", "score", "reason"),
    [
        ("The reset link is valid. [made-up]", 0.0, "1 of 1 cited documents were not given"),
        ("The reset link is valid. [en-reset, made-up]", 0.5, "1 of 2 cited documents were not given"),
    ],
)
def test_a_document_that_was_not_given_cannot_be_cited(answer: str, score: float, reason: str) -> None:
    check = next(check for check in _checks("How long?", answer) if check["name"] == "citations")
    assert check == {"name": "citations", "passed": False, "score": score, "reason": reason}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long?", "The reset link is valid for 30 minutes. [en-reset]"),
        ("需要多久？", "重置密码的链接三十分钟内有效。[zh-reset]"),
        ("How long?", "The reset link is valid for thirty minutes. [en-reset]"),
    ],
)
def test_a_figure_from_nowhere_fails(question: str, answer: str) -> None:
    assert _failed(question, answer) == {"figures": "1 of 1 figures stand in no document, or with another unit"}


@pytest.mark.parametrize(
    "question",
    [
        asked("Is the reset link valid for 30 minutes?"),
        asked("How long?", history=["Is it 30 minutes?", "No."]),
        asked("重置密码的链接三十分钟有效吗, valid"),
    ],
)
def test_figures_of_the_question_and_its_conversation_may_be_used(question: Asked) -> None:
    question["answer_language"] = "en"
    assert "figures" not in _failed(question, "No, the reset link is not valid for 30 minutes.")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long?", "A purple elephant juggles tomatoes beside the harbour."),
        ("需要多久？", "紫色大象在港口旁边抛接西红柿。"),
        ("How long?", "A password reset link is valid for 20 minutes. A purple elephant juggles tomatoes nearby."),
    ],
)
def test_a_sentence_that_stands_nowhere_fails(question: str, answer: str) -> None:
    sentences = 2 if "20 minutes" in answer else 1
    assert _failed(question, answer)["support"] == f"1 of {sentences} sentences stand in no document"
    check = _checks(question, answer)[-1]
    assert 0 <= check["score"] < min(MIN_SUPPORT.values())


def test_support_across_languages_is_not_judged() -> None:
    checks = _checks("需要多久？", "紫色大象在港口旁边抛接西红柿。", [EN])
    assert checks[-1] == {
        "name": "support", "passed": True, "score": 1.0,
        "reason": "not judged: no document is in the language of the answer",
    }  # fmt: skip


def test_what_the_model_did_not_read_cannot_support_it() -> None:
    answer = "Refunds arrive within 5 working days. [en-reset]"
    assert _failed("When?", answer) == {}
    assert set(_failed("When?", answer, [passage("A reset link is valid.", document="other")])) == {
        "citations",
        "figures",
        "support",
    }


def test_every_score_is_a_share() -> None:
    for answer in ("x", "99 [a] [b]", "。", "…", "[en-reset]", "**"):
        assert all(0 <= check["score"] <= 1 for check in _checks("How long?", answer))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long is the link valid?", "A password reset link of Northwind is valid for 20 minutes. [en-reset]"),
        ("重置链接多久有效？", "青禾公司重置密码的链接二十分钟内有效。[zh-reset]"),
    ],
)
def test_a_name_from_nowhere_fails(question: str, answer: str) -> None:
    assert _failed(question, answer) == {"names": "a name in the answer stands in no document"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is Northwind's reset link valid?", "A password reset link of Northwind is valid for 20 minutes. [en-reset]"),
        ("青禾公司的重置链接多久有效？", "青禾公司重置密码的链接二十分钟内有效。[zh-reset]"),
    ],
)
def test_a_name_from_the_question_is_known(question: str, answer: str) -> None:
    assert _failed(question, answer) == {}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is the link valid?", "A password reset link is not valid for 20 minutes. [en-reset]"),
        ("重置链接有效吗？", "重置密码的链接二十分钟内没有效。[zh-reset]"),
    ],
)
def test_an_answer_that_denies_what_a_document_says_fails(question: str, answer: str) -> None:
    assert _failed(question, answer) == {"negation": "1 of 1 sentences deny what a document says, or the reverse"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is it valid longer?", "No, a password reset link is valid for 20 minutes. [en-reset]"),
        ("能用更久吗？", "不，重置密码的链接二十分钟内有效。[zh-reset]"),
    ],
)
def test_a_no_that_opens_the_answer_denies_nothing(question: str, answer: str) -> None:
    assert _failed(question, answer) == {}


@pytest.mark.parametrize(
    ("question", "answer"),
    [("How long?", "A password reset link is valid for"), ("需要多久？", "重置密码的链接二十分钟内有")],
)
def test_an_answer_that_breaks_off_is_not_complete(question: str, answer: str) -> None:
    assert _failed(question, answer) == {"complete": "the answer breaks off"}


PLANS = [
    passage("The Basic plan allows 5 alerts. Basic keeps data for 30 days.", document="en-basic", title="Limits of Basic"),
    passage("The Plus plan allows 50 alerts. Plus keeps data for 2 years.", document="en-plus", title="Limits of Plus"),
    passage("轻享版最多设置 5 条提醒。数据保留 30 天。", document="zh-light", title="轻享版的限制"),
    passage("尊贵版最多设置 50 条提醒。数据保留 2 年。", document="zh-noble", title="尊贵版的限制"),
]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many alerts?", "The Plus plan allows 5 alerts. [en-plus]"),
        ("How many alerts?", "The Basic plan allows 50 alerts. [en-basic]"),
        ("提醒能设几条？", "尊贵版最多设置 5 条提醒。[zh-noble]"),
        ("提醒能设几条？", "轻享版最多设置 50 条提醒。[zh-light]"),
    ],
)
def test_a_fact_of_one_thing_said_of_another_fails(question: str, answer: str) -> None:
    assert _failed(question, answer, PLANS) == {"placed": "1 of 1 sentences say of one thing what the documents say of another"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many alerts?", "Basic allows 5 alerts, and Plus allows 50. [en-basic; en-plus]"),
        ("How many alerts?", "Basic: 5 alerts; Plus: 50 alerts. [en-basic; en-plus]"),
        ("提醒能设几条？", "轻享版最多设置 5 条提醒，尊贵版最多设置 50 条提醒。[zh-light]"),
        ("保留多久？", "尊贵版的数据保留两年。[zh-noble]"),
    ],
)
def test_facts_of_two_documents_may_stand_in_one_answer(question: str, answer: str) -> None:
    assert _failed(question, answer, PLANS) == {}


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ("A password reset link is valid for 20 days. [en-reset]", True),
        ("A password reset link is valid for twenty minutes. [en-reset]", False),
        ("A password reset link is valid for 1,200 seconds. [en-reset]", False),
        ("重置密码的链接二十小时内有效。[zh-reset]", True),
        ("重置密码的链接 20 分钟内有效。[zh-reset]", False),
    ],
)
def test_a_figure_goes_with_its_unit(answer: str, failed: bool) -> None:
    question = asked("需要多久？" if "链接" in answer else "How long?")
    assert ("figures" in _failed(question, answer)) == failed


def test_a_reply_that_the_endpoint_marked_as_a_refusal_is_no_answer() -> None:
    refused: Attempt = {**attempt("A password reset link is valid for 20 minutes. [en-reset]"), "refused": True}
    assert _failed("How long?", refused) == {"answers": "the endpoint marked the answer as a refusal"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long?", "A password reset link is valid for 20 minutes. 如果没有收到邮件，请您再等一会儿。"),
        ("需要多久？", "重置密码的链接二十分钟内有效。If the mail does not arrive, please wait for a moment."),
    ],
)
def test_an_answer_in_two_languages_fails(question: str, answer: str) -> None:
    assert "language" in _failed(question, answer)


def test_the_names_of_menus_do_not_make_an_answer_foreign() -> None:
    given = [passage("重置密码请进入 Settings > Account > Password。", document="zh-menu")]
    assert _failed("怎么重置密码？", "进入 Settings > Account > Password。[zh-menu]", given) == {}


SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "documents": {"type": "array", "items": {"type": "string"}}},
    "required": ["answer"],
}


def test_the_strings_of_a_json_answer_are_checked_as_text() -> None:
    good = '{"answer": "A password reset link is valid for 20 minutes.", "documents": ["en-reset"]}'
    checks = check_answer(asked("How long?"), attempt(good), [EN], kind="knowledge", schema=SCHEMA)
    assert [check["name"] for check in checks] == [*ALL[:4], "structure", *ALL[4:]]
    assert all(check["passed"] for check in checks)
    bad = good.replace("20", "40")
    checks = check_answer(asked("How long?"), attempt(bad), [EN], kind="knowledge", schema=SCHEMA)
    assert [check["name"] for check in checks if not check["passed"]] == ["figures"]


@pytest.mark.parametrize("text", ['{"answer": "A password', '{"documents": []}', '{"answer": 5}', "A password."])
def test_an_answer_of_another_structure_is_checked_no_further(text: str) -> None:
    checks = check_answer(asked("How long?"), attempt(text), [EN], kind="knowledge", schema=SCHEMA)
    assert [check["name"] for check in checks] == [*ALL[:4], "structure"]
    assert not checks[-1]["passed"]


def test_names_and_figures_are_judged_across_languages() -> None:
    assert _failed("How long?", "The reset link of Northwind is valid for 20 minutes.", [ZH]) == {
        "names": "a name in the answer stands in no document"
    }
    assert "figures" in _failed("How long?", "The reset link is valid for 40 minutes.", [ZH])
    assert _failed("How long?", "The reset link is valid for 20 minutes.", [ZH]) == {}


@pytest.mark.parametrize("answer", ["The reset link (valid for 20 minutes.", "She needs the.", "点击“忘记密码。"])
def test_an_unclosed_bracket_or_a_hanging_word_breaks_off(answer: str) -> None:
    assert "complete" in _failed("How long?", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long?", "Sure! A password reset link is valid for 20 minutes. [en-reset] I hope this helps."),
        ("需要多久？", "您好！重置密码的链接二十分钟内有效。[zh-reset]如有其他问题，欢迎随时联系我们。"),
    ],
)
def test_courtesies_need_no_support(question: str, answer: str) -> None:
    assert _failed(question, answer) == {}


@pytest.mark.parametrize(
    ("question", "answer", "document"),
    [
        (
            "May I pause the schedule?",
            "A pause of the schedule lasts 24 hours and then ends alone. [doc]",
            "You may pause a schedule for 24 hours. When the 24 hours are over it starts again by itself.",
        ),
        (
            "日程关了还留着吗？",
            "日程会替您保留 90 天，期间重新打开就不必再设一次。[doc]",
            "日程关闭后保留 90 天。90 天内重新打开日程，不用重新设置。",
        ),
    ],
)
def test_a_sentence_in_other_words_is_supported_when_its_vector_is_close_and_its_words_nearly(
    question: str, answer: str, document: str
) -> None:
    given = [passage(document)]
    said = doubtful(asked(question), attempt(answer), given)
    assert len(said) == 1
    plain = check_answer(asked(question), attempt(answer), given, kind="knowledge")
    assert [check["name"] for check in plain if not check["passed"]] == ["support"]
    for cosine, failing in ((0.95, []), (0.5, ["support"])):
        checks = check_answer(asked(question), attempt(answer), given, kind="knowledge", closeness={said[0]: cosine})
        assert [check["name"] for check in checks if not check["passed"]] == failing


def test_a_vector_supports_no_sentence_that_shares_next_to_no_words() -> None:
    answer = attempt("Every customer receives a complimentary inspection from certified engineers. [doc]")
    given = [passage("You may pause a schedule for 24 hours. When the 24 hours are over it starts again by itself.")]
    assert doubtful(asked("May I pause the schedule?"), answer, given) == []
    sentence = "Every customer receives a complimentary inspection from certified engineers."
    checks = check_answer(asked("May I pause the schedule?"), answer, given, kind="knowledge", closeness={sentence: 0.99})
    assert "support" in [check["name"] for check in checks if not check["passed"]]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("A shop sells 12 eggs a box. How many are in 3 boxes?", "Alice counts 12 * 3 = 36 eggs."),
        ("一盒有 12 个鸡蛋，3 盒有多少个？", "小明算出 12 × 3 = 36 个鸡蛋。"),
    ],
)
def test_without_any_document_nothing_is_held_against_the_answer(question: str, answer: str) -> None:
    checks = {one["name"]: one for one in check_answer(asked(question), attempt(answer), [], kind="knowledge")}
    for name in ("figures", "names", "placed", "negation", "support"):
        assert checks[name]["passed"]
        assert checks[name]["reason"] == "not judged: no document was given"
    assert list(checks) == ALL


@pytest.mark.parametrize("answer", ["I cannot help with that.", "我无法回答这个问题。", "See [pricing] for all."])
def test_without_any_document_a_refusal_and_a_cited_document_still_fail(answer: str) -> None:
    failed = {
        one["name"] for one in check_answer(asked("How long?"), attempt(answer), [], kind="knowledge") if not one["passed"]
    }
    assert failed & {"answers", "citations"}


@pytest.mark.parametrize(
    "answer", ["Half of 24 is 12, so x = 12", "四分之三的 24 是 18\n【答案】B", "print(len(names))  # prints 3"]
)
def test_without_any_document_an_answer_may_end_with_its_result(answer: str) -> None:
    assert "complete" not in _failed("How many?", answer, [])


@pytest.mark.parametrize("answer", ["Half of 24 is (12 and then we take the", "先算一半，再乘以三，最后得到的结果是", "【答案"])
def test_without_any_document_an_open_bracket_or_a_hanging_word_still_breaks_off(answer: str) -> None:
    assert "complete" in _failed("How many?", answer, [])


@pytest.mark.parametrize("answer", ["The reset link is valid for 20 minutes and", "重置链接有效期为二十分钟，之后"])
def test_over_documents_prose_without_an_end_still_breaks_off(answer: str) -> None:
    assert "complete" in _failed("How long?", answer)


@pytest.mark.parametrize("answer", ["within 5 working days", "五个工作日内到账"])
def test_a_few_words_from_the_middle_of_a_document_may_answer_without_a_full_stop(answer: str) -> None:
    assert "complete" not in _failed("How long?", answer)


@pytest.mark.parametrize("answer", ["A password reset link", "within six working days or more", "退款六个工作日以内会"])
def test_the_beginning_of_a_sentence_and_words_that_stand_in_no_document_still_break_off(answer: str) -> None:
    assert "complete" in _failed("How long?", answer)


@pytest.mark.parametrize(
    "answer",
    ["Dear team,\n\nI quit.\n\n[Your Name]", "尊敬的经理：\n\n我辞职。\n\n[你的名字]", "It is arr[0].", "```\nx = [y_1]\n```"],
)
def test_without_any_document_a_blank_to_fill_in_or_an_index_is_no_citation(answer: str) -> None:
    assert "citations" not in _failed("Write a letter", answer, [])


@pytest.mark.parametrize("answer", ["It costs nothing [fees.md].", "免费 [fees-2026]。", "It is free [3]."])
def test_without_any_document_a_cited_one_was_still_not_given(answer: str) -> None:
    assert "citations" in _failed("What does it cost?", answer, [])


@pytest.mark.parametrize("answer", ["The reset link is valid for 20 minutes", "重置密码的链接二十分钟内有效"])
def test_an_answer_that_comes_again_word_for_word_did_not_break_off(answer: str) -> None:
    once, again = ([answer] if told else [] for told in (False, True))
    failed = [
        {one["name"] for one in check_answer(asked("How long?"), attempt(answer), [EN, ZH], kind="knowledge", earlier=earlier)
         if not one["passed"]}
        for earlier in (once, again)
    ]  # fmt: skip
    assert ["complete" in one for one in failed] == [True, False]
