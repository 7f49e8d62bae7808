"""The routing decision, with its evidence."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.routing import Evidence, Router
from groat.routing.features import NAMES, SHORT, cues, surface
from groat.routing.kinds import question_kind
from groat.routing.router import promised
from groat.types import Language, Route
from tests.fakes import asked, passage
from tests.routing import artifact_of

NOTHING = Evidence(similarities=[], documents=0)
VECTOR = np.array([1.0, 0.0], dtype=np.float32)


def _route(
    router: Router,
    text: str = "How do I rename my battery?",
    *,
    tier: Literal["auto", "cheap", "expensive"] = "auto",
    loss: float = 0.05,
) -> Route:
    return router.route(asked(text), VECTOR, NOTHING, tier=tier, max_quality_loss=loss)


@pytest.mark.parametrize(
    "text",
    ["hi", "Hello there!", "Thanks a lot!!", "你好", "谢谢！", "您好，请问在吗", "good morning, how are you?", "👋", "再见啦"],
)
def test_courtesies_are_small_talk(text: str) -> None:
    assert question_kind(text) == "small_talk"


@pytest.mark.parametrize(
    "text",
    [
        "Translate into French: good night",
        "把“房东不同意”译成英语",
        "请翻译：你好",
        "How do I say thank you in Japanese?",
        "“退款”英文怎么说",
    ],
)
def test_translations_are_recognised(text: str) -> None:
    assert question_kind(text) == "translation"


@pytest.mark.parametrize(
    "text",
    [
        "hi, how do I rename my battery?",
        "Hello, what does Plus cost?",
        "你好，怎么修改密码？",
        "谢谢，那退款多久到账？",
        "Can I change the language of the app?",
        "怎么把 App 换成英文",
        "Is there an English invoice?",
        "ok so how long is it valid",
    ],
)
def test_a_courtesy_before_a_question_is_a_question(text: str) -> None:
    assert question_kind(text) == "knowledge"


def test_the_callers_tier_always_wins() -> None:
    router = Router(artifact_of(-0.9), embedder="e")
    for text in ("How do I rename my battery?", "你好", "翻译成英文：你好"):
        route = _route(router, text, tier="expensive")
        assert (route["tier"], route["reasons"], route["p_cheap_ok"]) == ("expensive", ["the caller chose the tier"], None)
    assert _route(Router(None, embedder="e"), tier="cheap")["tier"] == "cheap"


def test_small_talk_goes_to_the_cheap_model_whatever_the_artifact() -> None:
    route = _route(Router(None, embedder="e"), "谢谢")
    assert (route["tier"], route["kind"]) == ("cheap", "small_talk")
    assert route["reasons"] == ["small_talk needs no documents and no strong model"]


def test_without_an_artifact_everything_goes_to_the_expensive_model_with_the_reason() -> None:
    assert _route(Router(None, embedder="e")) == {
        "tier": "expensive",
        "kind": "knowledge",
        "p_cheap_ok": None,
        "threshold": None,
        "reasons": ["no trained router fits the embeddings in use"],
        "artifact": "none",
    }


def test_an_artifact_made_with_other_vectors_is_not_used() -> None:
    router = Router(artifact_of(-0.9), embedder="another")
    assert (router.version, _route(router)["tier"]) == ("none", "expensive")


def test_a_question_without_a_vector_goes_to_the_expensive_model() -> None:
    router = Router(artifact_of(-0.9), embedder="e")
    route = router.route(asked("How?"), None, NOTHING, tier="auto", max_quality_loss=0.05)
    assert (route["tier"], route["reasons"]) == ("expensive", ["the question has no vector"])


@pytest.mark.parametrize(("gain", "tier"), [(-0.5, "cheap"), (0.5, "cheap"), (0.5001, "expensive"), (0.9, "expensive")])
def test_the_decision_states_its_evidence(gain: float, tier: str) -> None:
    route = _route(Router(artifact_of(gain), embedder="e"), "Why not? Explain.")
    assert (route["tier"], promised(route)) == (tier, tier == "cheap")
    assert route["p_cheap_ok"] == pytest.approx(0.5 - gain / 2, abs=1e-4)
    assert (route["threshold"], route["artifact"], route["gain"]) == (0.25, "v1", round(gain, 4))
    assert route["reasons"] == ["cue: reasoning", "cue: negation"]


def test_what_the_question_looks_like_counts() -> None:
    router = Router(artifact_of(-0.9, surface={"cue_reasoning": 2.0}), embedder="e")
    assert (_route(router, "Reset it")["tier"], _route(router, "Explain why")["tier"]) == ("cheap", "expensive")


def test_a_larger_loss_never_forbids_what_a_smaller_one_permits() -> None:
    artifact = artifact_of()
    cuts = [artifact.most_gain(loss, population="open", language="zh") or -9.0 for loss in np.linspace(0, 1, 101)]
    assert cuts == sorted(cuts)
    assert artifact.most_gain(0.009, population="open", language="en") is None
    assert artifact.most_gain(0.049, population="open", language="en") == 0.1
    assert artifact.most_gain(0.1 - 0.05, population="open", language="en") == 0.5


@pytest.mark.parametrize("text", ["How do I rename my battery?", "怎么给电池改名？"])
def test_what_is_not_proven_goes_to_the_expensive_model_and_says_so(text: str) -> None:
    route = _route(Router(artifact_of(-0.9), embedder="e"), text, loss=0.001)
    assert (route["tier"], promised(route)) == ("expensive", False)
    assert route["reasons"][0].startswith("no point is proven to lose at most 0.10%: 500 labelled questions")


def test_a_question_unlike_all_known_goes_to_the_expensive_model_and_says_so() -> None:
    route = _route(Router(artifact_of(-0.9, limit=0.5), embedder="e"))
    assert (route["tier"], promised(route)) == ("expensive", False)
    assert route["reasons"][0] == "it is unlike the questions that the router learned from"


def test_a_candidate_is_recorded_and_not_followed() -> None:
    candidate = artifact_of(0.9, version="v2")
    route = _route(Router(artifact_of(-0.9), embedder="e", shadow=candidate))
    assert route["tier"] == "cheap"
    assert route["shadow"] == {"artifact": "v2", "tier": "expensive", "p_cheap_ok": pytest.approx(0.05)}


def test_a_candidate_for_other_vectors_is_left_alone() -> None:
    assert "shadow" not in _route(Router(artifact_of(-0.9), embedder="e", shadow=artifact_of(embedder="another")))


def test_short_questions_count_as_long_as_each_other() -> None:
    at = NAMES.index("log_length")
    for short in ("Why?", "Prove it.", "证明它", "P = NP?"):
        assert surface(short)[at] == np.log(SHORT)


def test_evidence_is_read_off_the_passages() -> None:
    found = [passage("a", document="x", similarity=0.7), passage("b", document="y"), passage("c", document="x", similarity=0.9)]
    assert Evidence.of(found) == Evidence(similarities=[0.9, 0.7], documents=2, tokens=3)
    assert Evidence.of([]) == NOTHING


@settings(max_examples=40)
@given(st.text(max_size=200), st.integers(0, 6), st.lists(st.floats(-1, 1), max_size=5), st.integers(0, 40))
def test_features_are_finite_for_any_text(text: str, turns: int, similarities: list[float], documents: int) -> None:
    features = surface(text, history_turns=turns, similarities=similarities, documents=documents)
    assert features.shape == (len(NAMES),)
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    ("english", "chinese", "cue"),
    [
        ("Which plan is cheaper?", "哪个更划算", "comparison"),
        ("How much in total?", "一共要多少", "calculation"),
        ("Why is it so?", "为什么这样", "reasoning"),
        ("Suppose I move", "假如我搬家", "condition"),
        ("Summarise it", "总结一下", "instruction"),
        ("How do I start?", "怎么开始", "lookup"),
    ],
)
def test_cues_are_seen_in_both_languages(english: str, chinese: str, cue: str) -> None:
    assert cue in cues(english)
    assert cue in cues(chinese)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_collection_that_the_application_names_is_seen(language: Language) -> None:
    base = artifact_of(0.2)
    linear = replace(base.heads.linear, domains=("账单",), domain_weights=np.array([[0.0, 1.0]]))
    router = Router(replace(base, heads=replace(base.heads, linear=linear)), embedder="e")
    text = {"en": "How long is the warranty?", "zh": "保修多久？"}[language]
    plain, named = (
        router.route(asked(text), VECTOR, NOTHING, tier="auto", max_quality_loss=0.05, domain=name) for name in ("", "账单")
    )
    assert (plain["tier"], named["tier"]) == ("cheap", "expensive")
    assert named["gain"] > plain["gain"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_fit_on_questions_of_one_kind_leaves_the_others_to_the_shipped_router(language: Language) -> None:
    text = {"en": "How long is the warranty?", "zh": "保修多久？"}[language]
    shipped = artifact_of(0.2, version="shipped")
    few = {kind: replace(proof, rows=99 if kind[0] == "open" else 500) for kind, proof in shipped.proofs.items()}
    own = replace(artifact_of(0.9, version="own"), proofs=few)
    router = Router(own, embedder="e", shipped=shipped, shadow=own)
    found = Evidence(similarities=[0.9], documents=1)

    def decided(evidence: Evidence) -> Route:
        return router.route(asked(text), VECTOR, evidence, tier="auto", max_quality_loss=0.05)

    assert (decided(NOTHING)["artifact"], decided(NOTHING)["tier"]) == ("shipped", "cheap")
    assert decided(NOTHING)["shadow"]["tier"] == "cheap"
    assert (decided(found)["artifact"], decided(found)["tier"]) == ("own", "expensive")
    assert (
        Router(own, embedder="e").route(asked(text), VECTOR, NOTHING, tier="auto", max_quality_loss=0.05)["artifact"] == "own"
    )
    other = Router(own, embedder="e", shipped=replace(shipped, embedder="another"))
    assert other.route(asked(text), VECTOR, NOTHING, tier="auto", max_quality_loss=0.05)["artifact"] == "own"
