"""The arrows of the picture, as pure functions of the state."""

from typing import Any, cast

import pytest

from graph.edges import after_cache, after_compress, after_route, after_validate
from graph.state import State
from groat.types import QuestionKind, Step, Tier
from tests.fakes import asked, attempt, passage


def _state(**parts: Any) -> State:
    return cast(State, parts)


def _route(tier: Tier, kind: QuestionKind = "knowledge") -> dict[str, str]:
    return {"tier": tier, "kind": kind}


def _judged(*steps: Step) -> list[dict[str, Step]]:
    return [{"step": step} for step in steps]


@pytest.mark.parametrize(
    ("outcome", "box"), [("hit", "__end__"), ("miss", "retrieve"), ("off", "retrieve"), ("error", "retrieve")]
)
def test_only_a_hit_ends_at_the_cache(outcome: str, box: str) -> None:
    assert after_cache(_state(lookup={"outcome": outcome}, asked=asked("How long is the warranty?"))) == box


@pytest.mark.parametrize("text", ["Thanks!", "谢谢！", "Translate this: good morning", "把这句话翻译成英文：早上好"])
def test_what_needs_no_documents_goes_from_the_cache_to_the_router(text: str) -> None:
    assert after_cache(_state(lookup={"outcome": "miss"}, asked=asked(text))) == "route"
    assert after_cache(_state(lookup={"outcome": "hit"}, asked=asked(text))) == "__end__"


@pytest.mark.parametrize(("tier", "box"), [("cheap", "answer_cheap"), ("expensive", "answer_expensive")])
@pytest.mark.parametrize("kind", ["small_talk", "translation", "knowledge"])
def test_compression_needs_documents_and_a_question_that_needs_them(tier: Tier, box: str, kind: QuestionKind) -> None:
    route = _route(tier, kind)
    assert after_route(_state(route=route, passages=[])) == box
    found = after_route(_state(route=route, passages=[passage("Text.")]))
    assert found == ("compress" if kind == "knowledge" else box)


@pytest.mark.parametrize(
    ("tier", "steps", "box"),
    [
        ("cheap", [], "answer_cheap"),
        ("expensive", [], "answer_expensive"),
        ("cheap", ["decompress"], "answer_cheap"),
        ("expensive", ["decompress"], "answer_expensive"),
        ("cheap", ["fix", "escalate"], "answer_expensive"),
        ("cheap", ["escalate", "decompress"], "answer_expensive"),
        ("cheap", ["decompress", "fix", "escalate"], "answer_expensive"),
    ],
)
def test_an_escalation_overrules_the_route_for_good(tier: Tier, steps: list[Step], box: str) -> None:
    assert after_compress(_state(route=_route(tier), verdicts=_judged(*steps))) == box


@pytest.mark.parametrize(
    ("step", "tier", "shortened", "box"),
    [
        ("accept", "cheap", True, "remember"),
        ("exhausted", "cheap", True, "__end__"),
        ("fix", "cheap", True, "answer_cheap"),
        ("fix", "expensive", True, "answer_expensive"),
        ("escalate", "cheap", True, "compress"),
        ("escalate", "cheap", False, "answer_expensive"),
        ("decompress", "cheap", True, "compress"),
        ("decompress", "expensive", True, "compress"),
    ],
)
def test_the_newest_verdict_is_followed(step: Step, tier: Tier, shortened: bool, box: str) -> None:
    state = _state(
        verdicts=_judged("fix", step), attempts=[attempt("a", tier=tier)], shortened={"passages": []} if shortened else None
    )
    assert after_validate(state) == box
