"""Faults that are planted in the real graph are named, in both languages; plans are read; the same seed gives the same."""

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.bench_blame import Case, figures, measure
from evals.blame_baselines import by_rules
from evals.blame_plan import FAULTS, LANGUAGES, Fault, candidates, questions_for, read_plan
from evals.blame_plants import Planted, Planter
from evals.blame_world import Bases, World
from graph.blaming import blame
from groat.errors import BadInput
from groat.types import Language

POOL = questions_for({document: Bases(Path("/nowhere")).text(document) for document in Bases(Path("/nowhere")).documents})


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    made = Bases(tmp_path_factory.mktemp("documents"))
    asyncio.run(made.open())
    return made


@pytest.fixture
async def planter(bases: Bases, tmp_path: Path) -> Planter:
    return Planter(World(tmp_path, await bases.open()), bases, seed=3)


async def planted(planter: Planter, faults: Sequence[Fault], language: Language) -> Planted:
    rng = random.Random(f"{faults}/{language}")
    for row in candidates(faults, language, POOL[language], rng, name="+".join(faults) or "placebo"):
        if (found := await planter.plant(row)) is not None:
            return found
    raise AssertionError("nothing could be planted")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fault", [*FAULTS, None])
async def test_what_was_planted_is_named(planter: Planter, fault: Fault | None, language: Language) -> None:
    case = await planted(planter, [fault] if fault else [], language)
    world = planter.world
    before = await world.services.answers.count()
    verdict, _ = await blame(case.run, world.services, world.replayer, reference=case.reference, mark="user")
    assert verdict.origin == (fault or "no_fault")
    assert verdict.calls <= 6
    assert await world.services.answers.count() == before


async def test_a_hit_is_blamed_when_its_entry_and_its_documents_are_gone(planter: Planter) -> None:
    case = await planted(planter, ["wrong_hit"], "en")
    await planter.world.services.answers.forget(everything=True)
    verdict, kept = await blame(
        case.run, planter.world.services, planter.world.replayer, reference=case.reference, mark="user"
    )  # fmt: skip
    assert (verdict.origin, kept.missed_by) == ("wrong_hit", "accept_rule")
    assert kept.body["evidence"]["decision"]["lookup"]["served"]["question"] == case.row.other["question"]  # type: ignore[index]


async def test_a_document_that_was_removed_since_is_not_found_any_more(planter: Planter) -> None:
    case = await planted(planter, ["model_cheap"], "zh")
    (document,) = case.reference["documents"]
    bases = planter.bases
    planter.world.knowledge.base = await bases.without(document, "removed-since")
    verdict, _ = await blame(
        case.run, planter.world.services, planter.world.replayer, reference=case.reference, mark="user"
    )  # fmt: skip
    assert verdict.facts.stands is False
    assert verdict.origin in ("model_cheap", "unclear")


def test_rules_name_what_looks_guilty_first() -> None:
    from tests.unit.test_blame_records import hit, snapshot

    reference = {"groups": [["20 minutes"]]}
    assert by_rules(hit("h"), reference) == "wrong_hit"  # type: ignore[arg-type]
    assert by_rules(snapshot(), reference) == "model_cheap"  # type: ignore[arg-type]
    assert by_rules(snapshot(passages=[]), reference) == "retrieval"  # type: ignore[arg-type]


def test_a_plan_is_read_and_a_broken_row_is_named(tmp_path: Path) -> None:
    question = POOL["zh"][0]
    path = tmp_path / "plan.jsonl"
    rows: list[dict[str, Any]] = [
        {"question": question["id"], "lang": "zh", "faults": ["router", "compression"], "id": "mine"},
        {"question": question["question"], "faults": []},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    pair, placebo = read_plan(path, POOL)
    assert (pair.id, pair.faults, pair.expected, pair.group) == (
        "mine", ("router", "compression"), ("router", "compression"), "pair"
    )  # fmt: skip
    assert (placebo.expected, placebo.group) == (("no_fault",), "placebo")
    wrong: list[dict[str, Any]] = [
        {"faults": []},
        {"question": "unknown", "faults": []},
        {"question": question["id"], "faults": ["gremlin"]},
        {"question": question["id"], "lang": "en", "faults": []},
        {"question": question["id"], "faults": ["wrong_hit"]},
    ]
    for broken in wrong:
        path.write_text(json.dumps(rows[0]) + "\n" + json.dumps(broken), encoding="utf-8")
        with pytest.raises(BadInput, match="line 2"):
            read_plan(path, POOL)


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    plan = tmp_path / "plan.jsonl"
    names = [POOL[language][place]["id"] for language in LANGUAGES for place in (3, 8)]
    plan.write_text("\n".join(json.dumps({"question": name, "faults": ["router"]}) for name in names), encoding="utf-8")
    first, second = (measure(16, seed=5, plan=plan, judge_error=0.2) for _ in range(2))
    assert first == second
    assert first["singles"] >= 2


def test_figures_count_what_was_named() -> None:
    def case(number: int, lang: str, origin: str, expected: str = "router", group: Any = "single") -> Case:
        return Case(
            id=str(number), lang=lang, group=group, faults=(expected,), expected=(expected,), origin=origin, second=None,
            confidence=0.9, calls=number, rules="router", stand_in="stale",
        )  # fmt: skip

    found = figures(
        [case(1, "en", "router"), case(2, "zh", "unclear"), case(3, "en", "stale", "stale"), case(4, "zh", "stale", "stale")],
        not_planted=1, seed=1, judge_error=0.0,
    )  # fmt: skip
    assert (found["accuracy"], found["abstain"], found["macro_f1"]) == (0.75, 0.25, round((2 / 3 + 1) / 2, 4))
    assert (found["model_calls_per_case"], found["model_calls"]["median"]) == (2.5, 2.5)
    assert found["recall"]["router"]["share"] == 0.5
    assert found["by_lang"]["en"]["accuracy"] == 1.0
    assert found["baselines"]["rules"]["accuracy"]["share"] == 0.5
    assert found["confusion"] == {"router": {"router": 1, "unclear": 1}, "stale": {"stale": 2}}
