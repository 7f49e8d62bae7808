"""Several cheap models behind HTTP as advisers: by rising price, each only while it may still spare the expensive call."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from graph.models import open_advisers
from graph.services import open_services
from graph.settings import read_settings
from graph.state import Output
from groat.answering import together
from groat.costs import PriceTable
from groat.errors import SettingsError
from groat.types import Opinion, Usage
from groat.validation import AcceptanceModel
from tests.fakes import WordEmbedder
from tests.graph.conftest import GOOD, QUESTION
from tests.model_server import COUNTED, Body, ModelServer, Outcome, Says, serve_model
from tests.served import PRICED_AS, ServedWorld, billed, open_world, served

OTHER = "It is valid for one hour. [en-reset]"
ZH_QUESTION, ZH_GOOD = "新密码至少要有多少个字符？", "新密码至少要有 10 个字符。[zh-reset]"
CHEAPEST, SECOND, THIRD = "gpt-5-nano", "gpt-4o-mini", "gpt-4.1-mini"
SETTING = f"model:{THIRD}@URL, model:{CHEAPEST}@URL, model:{SECOND}@URL"


class Sure(AcceptanceModel):
    """Not sure of an answer alone; as sure as the opinions agree on the whole, times ``most``."""

    def __init__(self, *, most: float = 1.0, chance: float = 0.5) -> None:
        super().__init__({}, version="test")
        self._most, self._chance = most, chance

    def judge(self, evidence: Mapping[str, float], *, grounded: bool, max_quality_loss: float) -> tuple[float, float | None]:
        return (0.02 + 0.97 * self._most * evidence["agreement"] if evidence["opinion_bought"] else 0.3), 0.9

    def chance(self, p_now: float, threshold: float | None, *, grounded: bool) -> float:
        return self._chance


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What became of one question."""

    models: list[str]
    """Who was asked, in turn."""
    output: Output
    world: ServedWorld
    server: ModelServer

    @property
    def steps(self) -> list[str]:
        return [verdict["step"] for verdict in self.output["verdicts"]]


async def _ask(
    folder: Path,
    *,
    said: Mapping[str, Outcome],
    question: str = QUESTION,
    answer: str = GOOD,
    setting: str = SETTING,
    sure: AcceptanceModel | None = None,
    max_quality_loss: float = 0.01,
) -> Asked:
    """Ask a world whose models all give ``answer``, but for those advisers of whom something else is ``said``."""

    def reply(body: Body, number: int) -> Outcome:
        return said.get(body["model"], Says(text=answer, usage=COUNTED))

    with serve_model(answer_with=reply) as server:
        world = (await open_world(folder)).with_models(server)
        settings = read_settings({"GROAT_SECOND_OPINION": setting.replace("URL", server.url)}, home=folder)
        advisers = open_advisers(settings, world.services.answerer, world.services.books)
        # The tests' clients load no certificates.
        advisers = tuple(
            replace(one, endpoint=served(server, one.endpoint.name, priced_as=one.endpoint.priced_as)) for one in advisers
        )
        world = ServedWorld(world.folder, replace(world.services, advisers=advisers, acceptance=sure or Sure()))
        output = await world.ask(question, max_quality_loss=max_quality_loss)
        await server.settled()
    return Asked(models=[one.model for one in server.bill], output=output, world=world, server=server)


@pytest.mark.parametrize(("question", "answer"), [(QUESTION, GOOD), (ZH_QUESTION, ZH_GOOD)], ids=["en", "zh"])
async def test_the_cheapest_adviser_is_asked_first_and_nobody_after_it_agrees(
    tmp_path: Path, question: str, answer: str
) -> None:
    found = await _ask(tmp_path, said={}, question=question, answer=answer)
    assert found.models == ["small", CHEAPEST]
    assert (found.steps, found.output["answer"]) == (["accept"], answer)


async def test_the_next_one_is_asked_after_one_that_failed_or_disagreed(tmp_path: Path) -> None:
    found = await _ask(tmp_path, said={CHEAPEST: "unauthorized", SECOND: Says(text=OTHER, usage=COUNTED)})
    assert found.models == ["small", CHEAPEST, SECOND, THIRD]
    acceptance = found.output["verdicts"][0]["acceptance"]
    assert [(one["model"], one["agreement"]) for one in acceptance["opinions"]] == [(SECOND, 0.0), (THIRD, 1.0)]
    assert acceptance["opinion"] == {"model": f"{SECOND}, {THIRD}", "text": GOOD, "agreement": 0.5}
    assert found.steps == ["accept"]


async def test_nobody_is_asked_whose_agreement_could_not_make_the_answer_sure_enough(tmp_path: Path) -> None:
    found = await _ask(tmp_path, said={CHEAPEST: Says(text=OTHER, usage=COUNTED)}, sure=Sure(most=0.9))
    assert found.models == ["small", CHEAPEST, "big"]
    assert found.steps == ["escalate", "accept"]


@pytest.mark.parametrize(("loss", "models"), [(0.01, ["small", CHEAPEST]), (0.3, ["small"])])
async def test_who_may_lose_more_quality_pays_for_fewer_opinions(tmp_path: Path, loss: float, models: list[str]) -> None:
    class Promising(Sure):
        def judge(
            self, evidence: Mapping[str, float], *, grounded: bool, max_quality_loss: float
        ) -> tuple[float, float | None]:
            p_ok, _ = super().judge(evidence, grounded=grounded, max_quality_loss=max_quality_loss)
            return p_ok, 0.5 - max_quality_loss

    found = await _ask(tmp_path, said={}, sure=Promising(), max_quality_loss=loss)
    assert (found.models, found.steps) == (models, ["accept"])
    assert found.output["verdicts"][0]["acceptance"]["threshold"] == pytest.approx(0.5 - loss)


async def test_an_adviser_that_is_not_worth_its_price_or_has_none_is_passed_over(tmp_path: Path) -> None:
    setting = f"model:gpt-5.2-pro@URL, model:nobody-knows-it@URL, model:{SECOND}@URL"
    other = {SECOND: Says(text=OTHER, usage=COUNTED)}
    found = await _ask(tmp_path, said=other, setting=setting)
    assert found.models == ["small", SECOND, "big"]


async def test_every_adviser_is_one_row_of_the_ledger_at_its_own_list_price(tmp_path: Path) -> None:
    found = await _ask(tmp_path, said={CHEAPEST: Says(text=OTHER, usage=COUNTED)})
    assert found.models == ["small", CHEAPEST, SECOND]
    assert found.world.paid() == billed(found.server)
    prices, total = PriceTable(), Decimal(0)
    for one in found.server.bill:
        usage: Usage = {
            "input": one.input, "output": one.output, "cache_read": one.cache_read, "cache_write": 0, "reasoning": 0,
            "estimated": False,
        }  # fmt: skip
        total += prices.cost(usage, PRICED_AS.get(one.model, one.model)) or Decimal("NaN")
    assert Decimal(found.output["cost_usd"] or "NaN") == await found.world.cost() == total
    keys = [charge["key"] for charge in found.output["charges"]]
    assert len(set(keys)) == len(keys)


def test_who_is_asked_is_read_from_the_setting(tmp_path: Path) -> None:
    def advisers(value: str) -> list[tuple[str, str, int]]:
        services = open_services(read_settings({"GROAT_SECOND_OPINION": value}, home=tmp_path), embeddings=WordEmbedder())
        return [(one.role, one.endpoint.name, one.number) for one in services.advisers]

    assert advisers("") == advisers("sample") == []  # the offline answerer would only repeat itself
    assert advisers(f"judge:{THIRD}, sample,model:{CHEAPEST}") == [("answer", CHEAPEST, 1), ("judge", THIRD, 2)]
    with pytest.raises(SettingsError, match="names 'mode:x'"):
        advisers(f"model:{SECOND},mode:x")


def test_several_opinions_count_as_the_mean_of_their_agreements() -> None:
    first: Opinion = {"model": "a", "text": "x", "agreement": 1.0}
    again: Opinion = {"model": "a", "text": "y", "agreement": 0.0}
    other: Opinion = {"model": "b", "text": "z", "agreement": 0.5}
    assert together([]) is None
    assert together([first]) == first
    assert together([first, again]) == {"model": "a", "text": "y", "agreement": 0.5}
    assert together([first, again, other]) == {"model": "a, b", "text": "z", "agreement": 0.5}
