"""Answers that must be data of a given shape."""

from typing import Any

import pytest
from pydantic import BaseModel

from graph.asking import ask_for
from graph.context import Context
from groat.errors import BadInput, ModelError, StructureError
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World


class Validity(BaseModel):
    """How long something is valid."""

    minutes: int
    where: str


FITS = '{"minutes": 20, "where": "a password reset link"}'
MISFITS = '{"minutes": "twenty"}'
CONTEXT = Context(tenant="acme")


async def test_data_that_fit_come_back_as_the_model(make_world: MakeWorld) -> None:
    world = make_world([FITS])
    data, answered = await ask_for(world.graph(), QUESTION, Validity, CONTEXT)
    assert data == Validity(minutes=20, where="a password reset link")
    assert (answered["verified"], answered["error"]) == (True, "")
    assert '"minutes"' in world.cheap.prompts[0][1].text


async def test_a_code_fence_is_taken_off(make_world: MakeWorld) -> None:
    _, answered = await ask_for(make_world([f"```json\n{FITS}\n```"]).graph(), QUESTION, Validity, CONTEXT)
    assert answered["answer"] == FITS


async def test_a_model_is_told_what_does_not_fit(make_world: MakeWorld) -> None:
    world = make_world([MISFITS, FITS])
    data, answered = await ask_for(world.graph(), QUESTION, Validity, CONTEXT)
    assert data.minutes == 20
    assert [verdict["step"] for verdict in answered["decisions"]["verdicts"]] == ["fix", "accept"]
    assert "minutes" in world.cheap.prompts[1][-1].text.partition("It was rejected")[2]


async def test_there_is_valid_data_or_a_typed_error_with_all_attempts(make_world: MakeWorld) -> None:
    world = make_world([MISFITS], [GOOD])
    with pytest.raises(StructureError) as caught:
        await ask_for(world.graph(), QUESTION, Validity, CONTEXT)
    assert isinstance(caught.value, ModelError)
    assert caught.value.failure == "structure"
    assert [attempt["text"] for attempt in caught.value.attempts] == [MISFITS, MISFITS, GOOD, GOOD]
    assert "twenty" not in str(caught.value)


async def test_documents_that_do_not_answer_are_no_data(make_world: MakeWorld) -> None:
    with pytest.raises(StructureError, match="do not answer"):
        await ask_for(make_world(["[no answer]"], ["[no answer]"]).graph(), QUESTION, Validity, CONTEXT)


async def test_prose_is_never_served_to_who_wants_data_nor_the_reverse(make_world: MakeWorld) -> None:
    world = make_world([GOOD, FITS, GOOD])
    prose = await world.ask()
    schema = Validity.model_json_schema()
    data = await world.ask(response_schema=schema)
    again = await world.ask(response_schema=schema)
    assert (prose["answer"], data["answer"], again["answer"]) == (GOOD, FITS, FITS)
    assert [one["lookup"]["outcome"] for one in (prose, data, again)] == ["miss", "miss", "hit"]


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "https://example.org/schema.json"}])
async def test_a_schema_that_is_none_is_refused_before_anything_is_paid(world: World, schema: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        await world.ask(response_schema=schema)
    assert world.calls == 0
