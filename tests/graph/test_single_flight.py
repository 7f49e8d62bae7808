"""Equal questions that are asked at once: one model call, and nobody waits for one that failed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from graph.state import Output
from groat.cache.flight import Flights
from tests.fakes import ScriptedChat
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World


class Held(ScriptedChat):
    """Replies only when it is let go."""

    gate: asyncio.Event

    async def _astream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        await self.gate.wait()
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        await self.gate.wait()
        return await super()._agenerate(messages, *args, **kwargs)


def held(world: World, *replies: str | Exception) -> Held:
    """Put a cheap model into the world that waits for its gate."""
    model = Held(replies=list(replies or (GOOD,)), gate=asyncio.Event())
    answerer = world.services.answerer
    answerer.endpoints["cheap"] = replace(answerer.endpoints["cheap"], model=model)
    return model


async def at_once(world: World, model: Held, questions: list[str], **knobs: Any) -> list[Output]:
    """Ask all, and let the model go when they have had time to come to where they wait; who comes later hits the cache."""
    tasks = [asyncio.create_task(world.ask(question, **knobs)) for question in questions]
    await asyncio.sleep(0.4)
    model.gate.set()
    return list(await asyncio.gather(*tasks))


@pytest.mark.parametrize(
    ("question", "reply"),
    [(QUESTION, GOOD), ("忘记密码怎么办？", "忘记密码时请点击登录页的链接。[zh-reset]")],
    ids=["en", "zh"],
)
async def test_equal_questions_at_once_make_one_model_call_and_all_get_its_answer(
    world: World, question: str, reply: str
) -> None:
    model = held(world, reply)
    answers = await at_once(world, model, [question] * 12)
    assert len(model.prompts) == 1
    assert {answer["answer"] for answer in answers} == {answers[0]["answer"]}
    assert sorted(answer["lookup"]["outcome"] for answer in answers) == ["hit"] * 11 + ["miss"]
    assert world.services.flights.count() == 0


async def test_a_leader_whose_answer_is_refused_lets_the_others_go_on(make_world: MakeWorld) -> None:
    world = make_world(cheap=["I do not know."], expensive=["I do not know."])
    model = held(world, "I do not know.")
    answers = await at_once(world, model, [QUESTION] * 3)
    assert len(answers) == 3
    assert not any(answer["lookup"]["outcome"] == "hit" for answer in answers)
    assert world.services.flights.count() == 0


async def test_different_tenants_and_models_never_wait_for_each_other(world: World) -> None:
    model = held(world)
    one, other = await asyncio.gather(at_once(world, model, [QUESTION]), at_once(world, model, [QUESTION], tier="cheap"))
    assert len(model.prompts) == 2
    assert all("waited" not in answer["lookup"] for answer in (*one, *other))


async def test_a_leader_that_is_given_up_hands_over_to_one_who_waits(world: World) -> None:
    model = held(world)
    leader = asyncio.create_task(world.ask())
    await asyncio.sleep(0.4)
    assert world.services.flights.count() == 1
    follower = asyncio.create_task(world.ask())
    await asyncio.sleep(0.4)
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)
    model.gate.set()
    assert (await follower)["answer"]
    assert world.services.flights.count() == 0


async def test_a_slow_leader_is_waited_for_no_longer_than_was_set(make_world: MakeWorld) -> None:
    world = make_world()
    world = replace(world, services=replace(world.services, flights=Flights(wait_s=0.05)))
    model = held(world)
    answers = await at_once(world, model, [QUESTION] * 2)
    assert len(answers) == 2
    assert len(model.prompts) in (1, 2)


async def test_no_cache_means_no_waiting(world: World) -> None:
    model = held(world)
    answers = await at_once(world, model, [QUESTION] * 3, use_cache=False)
    assert len(model.prompts) == 3
    assert [answer["lookup"]["outcome"] for answer in answers] == ["off"] * 3
