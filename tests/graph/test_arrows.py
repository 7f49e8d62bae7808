"""One way through the graph for each arrow of the picture."""

from langchain_core.exceptions import ModelConnectionError

from groat.types import Box
from tests.graph.conftest import GOOD, QUESTION, UNCITED, WRONG, MakeWorld, World

CHEAP: list[Box] = ["check_cache", "retrieve", "route", "compress", "answer_cheap", "validate"]
EXPENSIVE: list[Box] = ["compress", "answer_expensive", "validate"]


async def test_a_good_cheap_answer_is_accepted_and_remembered(world: World) -> None:
    output = await world.ask()
    assert output["path"] == [*CHEAP, "remember"]
    assert (output["answer"], output["verified"], output["error"]) == (GOOD, True, "")
    assert [source["id"] for source in output["sources"]] == ["en-reset"]
    assert output["shortened"] is not None
    assert output["shortened"]["tokens_after"] < output["shortened"]["tokens_before"]
    assert await world.services.answers.count() == 1


async def test_an_equal_question_hits_and_ends_without_a_call(world: World) -> None:
    first = await world.ask()
    again = await world.ask()
    assert again["path"] == ["check_cache"]
    assert (again["answer"], again["verified"], again["sources"]) == (GOOD, True, first["sources"])
    assert (again["lookup"]["tier"], again["cost_usd"]) == ("exact", "0")
    assert again["baseline_cost_usd"] == first["baseline_cost_usd"]
    assert world.calls == 1


async def test_a_reworded_question_hits_by_likeness(world: World) -> None:
    await world.ask()
    reworded = await world.ask("How long is the password reset link valid for?")
    assert reworded["path"] == ["check_cache"]
    assert (reworded["lookup"]["tier"], reworded["answer"]) == ("semantic", GOOD)


async def test_another_question_misses(world: World) -> None:
    await world.ask()
    other = await world.ask("Where do refunds go?")
    assert other["lookup"]["outcome"] == "miss"
    assert world.calls > 1


async def test_small_talk_skips_retrieval_and_compression_in_both_languages(make_world: MakeWorld) -> None:
    for courtesy, reply in (("Thanks!", "You are welcome."), ("谢谢！", "不客气，随时可以问我。")):
        output = await make_world([reply]).ask(courtesy, use_cache=False)
        assert output["path"] == ["check_cache", "route", "answer_cheap", "validate", "remember"]
        assert (output["answer"], output["shortened"]) == (reply, None)


async def test_a_tenant_without_documents_skips_compression(make_world: MakeWorld) -> None:
    output = await make_world(["[no answer]"], ["[no answer]"]).ask(tenant="other")
    assert output["path"] == ["check_cache", "retrieve", "route", "answer_cheap", "validate", "answer_expensive", "validate"]
    assert output["answer"] == "The documents I have do not answer this question."
    assert (output["verified"], output["error"]) == (False, "")


async def test_a_hard_question_goes_to_the_expensive_model(make_world: MakeWorld) -> None:
    world = make_world(p_cheap_ok=0.1)
    output = await world.ask()
    assert output["path"] == [*CHEAP[:3], *EXPENSIVE, "remember"]
    assert output["shortened"] is not None
    assert output["shortened"]["level"] == "expensive"
    assert world.cheap.prompts == []


async def test_a_slip_of_form_is_fixed_on_the_same_tier_which_is_told_what_was_wrong(make_world: MakeWorld) -> None:
    for p_cheap_ok, box in ((0.9, "answer_cheap"), (0.1, "answer_expensive")):
        world = make_world([UNCITED, GOOD], [UNCITED, GOOD], p_cheap_ok=p_cheap_ok)
        output = await world.ask(use_cache=False)
        assert output["path"][3:] == ["compress", box, "validate", box, "validate", "remember"]
        told = (world.cheap.prompts + world.expensive.prompts)[1][-1].text
        assert f"<rejected>{UNCITED}</rejected>" in told
        assert "1 of 1 cited documents were not given" in told
        assert [attempt["repaired"] for attempt in output["attempts"]] == [False, True]


async def test_a_call_that_failed_in_passing_is_repeated_with_the_same_prompt(make_world: MakeWorld) -> None:
    world = make_world([ModelConnectionError("away"), GOOD])
    output = await world.ask()
    assert output["path"] == [*CHEAP, "remember"]
    assert world.cheap.prompts[0] == world.cheap.prompts[1]
    assert [call["outcome"] for call in output["attempts"][0]["calls"]] == ["connection", "ok"]
    assert [charge["outcome"] for charge in output["charges"] if charge["kind"] == "chat"] == ["connection", "ok"]


async def test_a_fix_that_fails_escalates_with_the_expensive_budget(make_world: MakeWorld) -> None:
    output = await make_world([UNCITED]).ask()
    assert output["path"] == [*CHEAP, "answer_cheap", "validate", *EXPENSIVE, "remember"]
    assert [verdict["step"] for verdict in output["verdicts"]] == ["fix", "escalate", "accept"]
    assert [attempt["level"] for attempt in output["attempts"]] == ["cheap", "cheap", "expensive"]
    assert (output["answer"], output["verified"]) == (GOOD, True)


async def test_an_answer_that_lacks_support_is_tried_on_the_full_context(make_world: MakeWorld) -> None:
    output = await make_world([WRONG, GOOD]).ask()
    assert output["path"] == [*CHEAP, "compress", "answer_cheap", "validate", "remember"]
    assert [verdict["step"] for verdict in output["verdicts"]] == ["decompress", "accept"]
    assert output["shortened"] is not None
    assert (output["shortened"]["level"], output["shortened"]["tokens_after"]) == ("full", output["shortened"]["tokens_before"])


async def test_nothing_is_decompressed_that_was_not_shortened(make_world: MakeWorld) -> None:
    output = await make_world([WRONG], share=None).ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["escalate", "accept"]


async def test_an_exhausted_question_ends_unverified_and_is_not_remembered(make_world: MakeWorld) -> None:
    world = make_world([WRONG], [WRONG])
    output = await world.ask()
    assert output["path"][-1] == "validate"
    assert (output["answer"], output["verified"], output["error"]) == (WRONG, False, "")
    assert output["verdicts"][-1]["step"] == "exhausted"
    assert await world.services.answers.count() == 0


async def test_a_better_attempt_is_served_before_a_later_worse_one(make_world: MakeWorld) -> None:
    output = await make_world([UNCITED], [WRONG]).ask()
    assert (output["answer"], output["verified"]) == (UNCITED, False)


async def test_the_callers_tier_is_followed(make_world: MakeWorld) -> None:
    world = make_world([WRONG], p_cheap_ok=0.1)
    cheap = await world.ask(tier="cheap", use_cache=False)
    assert "answer_expensive" not in cheap["path"]
    assert (cheap["answer"], cheap["verified"]) == (WRONG, False)
    dear = await make_world(p_cheap_ok=0.9).ask(tier="expensive", use_cache=False)
    assert "answer_cheap" not in dear["path"]
    assert (dear["answer"], dear["verified"]) == (GOOD, True)


async def test_a_cache_that_is_off_is_neither_read_nor_written(world: World) -> None:
    await world.ask()
    output = await world.ask(use_cache=False)
    assert output["path"] == [*CHEAP, "remember"]
    assert output["lookup"]["outcome"] == "off"
    await world.ask("Where do refunds go?", use_cache=False)
    assert await world.services.answers.count() == 1


async def test_the_language_of_the_answer_can_be_chosen(make_world: MakeWorld) -> None:
    world = make_world(["重置密码的链接 20 分钟内有效。[en-reset]"])
    output = await world.ask(QUESTION, language="zh")
    assert (output["asked"]["language"], output["asked"]["answer_language"]) == ("en", "zh")
    assert world.cheap.prompts[0][-1].text.endswith("请用中文回答。")
    assert output["verified"] is True


async def test_a_chinese_question_is_answered_from_chinese_documents(make_world: MakeWorld) -> None:
    answer = "在“设置”里点“账号安全”即可修改密码。[zh-reset]"
    output = await make_world([answer]).ask("怎么修改密码？")
    assert (output["answer"], output["verified"]) == (answer, True)
    assert [source["id"] for source in output["sources"]] == ["zh-reset"]
