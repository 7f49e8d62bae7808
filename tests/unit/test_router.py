"""The routing decision, with its evidence."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.errors import ArtifactError
from groat.routing import Evidence, Router, RouterArtifact
from groat.routing.features import NAMES, VERSION, cues, surface
from groat.routing.kinds import question_kind
from groat.types import Route
from tests.fakes import asked, passage

NOTHING = Evidence(similarities=[], documents=0)
VECTOR = np.array([1.0, 0.0], dtype=np.float32)


def _raw(intercept: float = 0.0, **changed: object) -> dict[str, Any]:
    return {
        "version": "v1",
        "features": VERSION,
        "embedder": "e",
        "mean": [0.0] * len(NAMES),
        "scale": [1.0] * len(NAMES),
        "surface_weights": [0.0] * len(NAMES),
        "vector_weights": [0.0, 0.0],
        "intercept": intercept,
        "thresholds": [[0.01, 0.9], [0.05, 0.5], [0.2, 0.1]],
        "card": {},
        **changed,
    }


def _artifact(folder: Path, intercept: float = 0.0, **changed: object) -> RouterArtifact:
    path = folder / "router.json"
    path.write_text(json.dumps(_raw(intercept, **changed)), encoding="utf-8")
    return RouterArtifact.load(path)


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


def test_the_callers_tier_always_wins(tmp_path: Path) -> None:
    router = Router(_artifact(tmp_path, 9.0), embedder="e")
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


def test_an_artifact_made_with_other_vectors_is_not_used(tmp_path: Path) -> None:
    router = Router(_artifact(tmp_path, 9.0), embedder="another")
    assert (router.version, _route(router)["tier"]) == ("none", "expensive")


def test_a_question_without_a_vector_goes_to_the_expensive_model(tmp_path: Path) -> None:
    router = Router(_artifact(tmp_path, 9.0), embedder="e")
    route = router.route(asked("How?"), None, NOTHING, tier="auto", max_quality_loss=0.05)
    assert (route["tier"], route["reasons"]) == ("expensive", ["the question has no vector"])


@pytest.mark.parametrize(("intercept", "tier"), [(3.0, "cheap"), (0.0, "cheap"), (-0.1, "expensive"), (-3.0, "expensive")])
def test_the_decision_states_its_evidence(tmp_path: Path, intercept: float, tier: str) -> None:
    route = _route(Router(_artifact(tmp_path, intercept), embedder="e"), "Why not? Explain.")
    assert route["tier"] == tier
    assert route["p_cheap_ok"] == pytest.approx(1 / (1 + np.exp(-intercept)), abs=1e-4)
    assert (route["threshold"], route["artifact"]) == (0.5, "v1")
    assert route["reasons"] == ["cue: reasoning", "cue: negation"]


def test_surface_and_vector_both_count(tmp_path: Path) -> None:
    weights = [1.0 if name == "cue_reasoning" else 0.0 for name in NAMES]
    artifact = _artifact(tmp_path, surface_weights=weights, vector_weights=[2.0, 0.0])
    plain, cued = surface("Reset"), surface("Explain why")
    assert artifact.p_cheap_ok(cued, VECTOR) > artifact.p_cheap_ok(plain, VECTOR) > 0.8
    assert artifact.p_cheap_ok(plain, -VECTOR) < 0.2


def test_a_larger_loss_never_raises_the_threshold(tmp_path: Path) -> None:
    artifact = _artifact(tmp_path)
    cuts = [artifact.threshold(loss) for loss in np.linspace(0, 1, 101)]
    assert cuts == sorted(cuts, reverse=True)
    assert (artifact.threshold(0.009), artifact.threshold(0.01), artifact.threshold(0.049)) == (1.01, 0.9, 0.9)


def test_a_promise_that_was_never_reached_goes_to_the_expensive_model(tmp_path: Path) -> None:
    assert _route(Router(_artifact(tmp_path, 30.0), embedder="e"), loss=0.001)["tier"] == "expensive"


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps(_raw(thresholds=[["x"]]))])
def test_a_damaged_artifact_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "router.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match="cannot be read; reinstall groat or fit it again"):
        RouterArtifact.load(path)


@pytest.mark.parametrize("changed", [{"features": "surface/0"}, {"surface_weights": [1.0]}])
def test_an_artifact_for_other_features_is_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="trained on features"):
        _artifact(tmp_path, 0.0, **changed)


def test_evidence_is_read_off_the_passages() -> None:
    found = [passage("a", document="x", similarity=0.7), passage("b", document="y"), passage("c", document="x", similarity=0.9)]
    assert Evidence.of(found) == Evidence(similarities=[0.9, 0.7], documents=2)
    assert Evidence.of([]) == NOTHING


@settings(max_examples=100)
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
