"""The box ``route`` spends what a promise leaves, on what saves most."""

from dataclasses import replace

import pytest

from groat.routing import Allowance, Evidence, Router
from tests.fakes import asked
from tests.routing import artifact_of
from tests.unit.test_router import VECTOR

DOCUMENTS = Evidence(similarities=[], documents=3, tokens=1_400)


@pytest.mark.parametrize("text", ["How long is the link valid?", "链接多久有效？"])
def test_documents_of_unknown_nearness_are_unproven_whatever_is_known_of_questions(text: str) -> None:
    router = Router(replace(artifact_of(0.0), known_grounded={}), embedder="e")
    route = router.route(asked(text), VECTOR, DOCUMENTS, tier="auto", max_quality_loss=0.05)
    assert (route["tier"], route["unproven"], route["document_tokens"]) == ("expensive", True, 1_400)
    account = Allowance(0.1, {f"0.05/{asked(text)['language']}/acme": (1.0, 0.0, 1.0)})
    assert account.settle(route, asked(text), max_quality_loss=0.05)["tier"] == "cheap"


@pytest.mark.parametrize("text", ["How long is the link valid?", "链接多久有效？"])
def test_without_documents_what_is_unknown_is_never_risked(text: str) -> None:
    router = Router(artifact_of(0.0, limit=-1.0), embedder="e")
    route = router.route(asked(text), VECTOR, Evidence(similarities=[], documents=0), tier="auto", max_quality_loss=0.05)
    account = Allowance(0.1, {f"0.05/{asked(text)['language']}/acme": (1.0, 0.0, 1.0)})
    assert account.settle(route, asked(text), max_quality_loss=0.05)["tier"] == "expensive"


@pytest.mark.parametrize("text", ["How long is the link valid?", "链接多久有效？"])
def test_a_question_over_documents_is_held_against_those_of_its_own_language(text: str) -> None:
    far = artifact_of(0.0, limit=-1.0).known
    own = asked(text)["language"]
    near_documents = Evidence(similarities=[0.9], documents=1)
    for language, unproven in ((own, True), ("zh" if own == "en" else "en", False)):
        router = Router(replace(artifact_of(0.0), known_grounded={language: far}), embedder="e")
        route = router.route(asked(text), VECTOR, near_documents, tier="auto", max_quality_loss=0.05)
        assert route.get("unproven", False) is unproven
