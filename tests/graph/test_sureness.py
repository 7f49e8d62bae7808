"""Cheap answers that nothing was found wrong with: accepted, held against a second opinion, or sent up."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from graph.context import Context
from groat.answering import Adviser, Endpoint
from groat.validation import AcceptanceModel
from groat.validation.acceptance_evidence import NAMES
from tests.fakes import ScriptedChat
from tests.graph.conftest import GOOD, MakeWorld, World, dollars

SAME = "It is valid for 20 minutes. [en-reset]"
OTHER = "It is valid for one hour. [en-reset]"


class Fixed(AcceptanceModel):
    """Sure to a chosen degree: of an answer alone, and of one that a second opinion agrees with or does not."""

    def __init__(self, alone: float, *, threshold: float | None = 0.7) -> None:
        super().__init__({}, version="test")
        self._alone, self._threshold = alone, threshold

    def judge(self, evidence: Mapping[str, float], *, grounded: bool, max_quality_loss: float) -> tuple[float, float | None]:
        assert grounded
        p_ok = 0.05 + 0.85 * evidence["agreement"] if evidence["opinion_bought"] else self._alone
        return p_ok, self._threshold

    def chance(self, p_now: float, threshold: float | None, *, grounded: bool) -> float:
        return 0.5


def _sure(alone: float, *, threshold: float | None = 0.7) -> AcceptanceModel:
    return Fixed(alone, threshold=threshold)


def _with(world: World, model: AcceptanceModel, opinion: ScriptedChat | None = None, *, role: str = "answer") -> World:
    endpoint = Endpoint(model=opinion, name="second", priced_as="gpt-5-nano", key_setting="K") if opinion else None
    advisers = (Adviser(endpoint=endpoint, role="judge" if role == "judge" else "answer"),) if endpoint else ()
    world.services = replace(world.services, acceptance=model, advisers=advisers)
    return world


async def test_an_answer_one_is_sure_of_is_accepted_with_the_estimate_on_record(world: World) -> None:
    output = await _with(world, _sure(0.8)).ask()
    assert (output["answer"], output["path"][-2:]) == (GOOD, ["validate", "remember"])
    estimate = output["verdicts"][0]["acceptance"]
    assert (estimate["p_ok"], estimate["threshold"], estimate["promise"]) == (0.8, 0.5, "router")
    assert (estimate["opinion"], estimate["artifact"]) == (None, "test")
    assert set(estimate["evidence"]) >= set(NAMES)


async def test_an_answer_that_is_likelier_worse_than_not_goes_up_whatever_the_router_promised(world: World) -> None:
    output = await _with(world, _sure(0.4)).ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["escalate", "accept"]
    assert [attempt["tier"] for attempt in output["attempts"]] == ["cheap", "expensive"]
    assert "acceptance" not in output["verdicts"][1]


async def test_an_answer_between_is_covered_by_the_routers_promise(world: World) -> None:
    output = await _with(world, _sure(0.6, threshold=None)).ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["accept"]


async def test_a_caller_who_allows_much_loss_lowers_what_is_needed(world: World) -> None:
    output = await _with(world, _sure(0.4, threshold=0.3)).ask()
    assert output["verdicts"][0]["acceptance"]["threshold"] == 0.3
    assert output["verdicts"][0]["step"] == "accept"


async def test_a_caller_who_chose_the_cheap_model_gets_its_answer(world: World) -> None:
    output = await _with(world, _sure(0.1)).ask(tier="cheap")
    assert (output["answer"], len(output["attempts"])) == (GOOD, 1)


async def test_an_opinion_that_agrees_spares_the_expensive_call_and_is_billed(world: World) -> None:
    opinion = ScriptedChat(replies=[GOOD])
    output = await _with(world, _sure(0.4), opinion).ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["accept"]
    assert output["verdicts"][0]["acceptance"]["opinion"] == {"model": "second", "text": GOOD, "agreement": 1.0}
    assert opinion.prompts == world.cheap.prompts
    bought = [charge for charge in output["charges"] if charge.get("purpose") == "second_opinion"]
    assert [(charge["box"], charge["model"], charge["outcome"]) for charge in bought] == [("validate", "second", "ok")]
    spent = [dollars(charge["cost_usd"]) for charge in output["charges"]]
    assert dollars(output["cost_usd"]) == sum(spent) == (await world.ledger()).cost_usd


async def test_an_opinion_that_disagrees_sends_the_answer_up(world: World) -> None:
    output = await _with(world, _sure(0.4), ScriptedChat(replies=[OTHER])).ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["escalate", "accept"]
    assert output["verdicts"][0]["acceptance"]["opinion"]["agreement"] < 0.5  # type: ignore[index]


async def test_an_opinion_that_fails_costs_nothing_but_the_saving(world: World) -> None:
    output = await _with(world, _sure(0.4), ScriptedChat(replies=[KeyError("away")])).ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["escalate", "accept"]
    assert output["verdicts"][0]["acceptance"]["opinion"] is None


async def test_an_opinion_dearer_than_what_it_may_spare_is_not_bought(make_world: MakeWorld) -> None:
    opinion = ScriptedChat(replies=[GOOD])
    world = make_world(priced_as=("gpt-5-mini", "gpt-5-nano"))
    await _with(world, _sure(0.4), opinion).ask()
    assert opinion.prompts == []


async def test_nobody_is_asked_about_an_answer_one_is_sure_of(world: World) -> None:
    opinion = ScriptedChat(replies=[GOOD])
    await _with(world, _sure(0.8), opinion).ask()
    assert opinion.prompts == []


@pytest.mark.parametrize(
    ("mark", "steps"), [("10", ["accept"]), ("2", ["escalate", "accept"]), ("fine", ["escalate", "accept"])]
)
async def test_a_judge_marks_the_answer_and_sees_it_as_data(world: World, mark: str, steps: list[str]) -> None:
    judge = ScriptedChat(replies=[mark])
    output = await _with(world, _sure(0.4), judge, role="judge").ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == steps
    assert f"<answer>{GOOD}</answer>" in judge.prompts[0][-1].text
    assert {charge["purpose"] for charge in output["charges"] if charge["box"] == "validate"} == {"judge"}


async def test_what_an_adviser_wrote_stays_out_of_the_events(world: World) -> None:
    told = []
    graph = _with(world, _sure(0.4), ScriptedChat(replies=[SAME])).graph()
    async for event in graph.astream(
        {"question": "How long is the link valid?"}, context=Context(tenant="acme"), stream_mode="custom"
    ):
        told.append(str(event))
    assert SAME not in "".join(told)
