"""Fitting a judge to one's own rows: what is written, what is refused, and that nothing of the rows goes elsewhere."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch

from groat.errors import ArtifactError, BadInput
from groat.judge import Encoder, Judge, JudgeArtifact
from groat.judge.artifact import HEADS, TONGUES, save
from groat.judge.e5 import E5File
from training.export import graph_of, joint_of
from training.fit import Outcome, Wish, fit, tuning_for
from training.known_rows import Known, divided
from training.model import Joint, from_e5
from training.rows import Head, Row
from training.states import StateStore
from training.tune import Tuning, tune

THINGS = ["oven", "drum", "gate", "lamp", "boat", "kite", "烤箱", "鼓", "大门", "台灯", "小船", "风筝"]
SCALINGS = {head: {tongue: {"slope": 0.5, "intercept": 0.0} for tongue in TONGUES} for head in HEADS}


def pair(number: int, *, plain: bool) -> tuple[str, str, int]:
    """Two texts with a label: the cosine knows it when ``plain``, else numbers mislead it."""
    thing, other = THINGS[number % len(THINGS)], THINGS[(number + 1) % len(THINGS)]
    words = ("clean {} {}", "{} {} to wash", "buy {} {}") if thing < "z" else ("清洁{}{}", "洗洗{}{}", "买{}{}")
    if plain:
        same = number % 2
        return words[0].format(thing, number), words[1 + (1 - same)].format(thing if same else other, number), same
    if number % 2:
        return words[0].format(thing, number), words[1].format(thing, number + 100), 1
    return words[0].format(thing, number), words[2].format(thing, number), 0


def row(number: int, head: Head = "same") -> Row:
    a, b, label = pair(number, plain=True)
    return Row(a, b, float(label), head, "zh" if a > "z" else "en", "frames", "plain", f"g{number // 2}", open_licence=True)


def own_file(folder: Path, *, plain: bool, turned: bool = False) -> Path:
    file = folder / "own.jsonl"
    pairs = [pair(number, plain=plain) for number in range(60)]
    lines = [json.dumps({"a": a, "b": b, "same": 1 - same if turned else same}, ensure_ascii=False) for a, b, same in pairs]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """One run that went well."""

    outcome: Outcome
    file: Path
    out: Path
    told: list[str]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def known() -> Known:
    made = {"frames": [row(number) for number in range(200, 280)]}
    return divided(made, 0, 40)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights before any training: E5's cosine."""
    folder = tmp_path_factory.mktemp("shipped")
    typical = [row(number, head) for number in range(10) for head in HEADS]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        joint = from_e5(E5File())
    graph = graph_of(joint, StateStore(Encoder()), typical)
    save(folder, weights="open", date="2026-01-01", graph=graph, scalings=SCALINGS, card={})
    return folder


def wish(shipped: Path, *, pairs: int, rate: float, seed: int = 0) -> Wish:
    return Wish(weights=shipped, seed=seed, tuning=Tuning(pairs=pairs, rate=rate))


@pytest.fixture(scope="module")
def fitted(shipped: Path, known: Known, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("fitted")
    file, told = own_file(folder, plain=False), list[str]()
    outcome = fit([file], folder / "new" / "weights", wish(shipped, pairs=128, rate=4e-4), told.append, known=known)
    return Fitted(outcome=outcome, file=file, out=folder / "new" / "weights", told=told)


def test_rows_that_say_something_new_make_the_judge_better_on_rows_set_aside(fitted: Fitted, shipped: Path) -> None:
    outcome = fitted.outcome
    assert outcome.refusal is None
    assert outcome.figures["own rows"].gain > 0
    assert outcome.rows["fit"] + outcome.rows["check"] == 60
    assert outcome.parent == JudgeArtifact.load(shipped).version != outcome.version


def test_the_folder_is_what_the_judge_opens_and_its_card_names_parent_and_figures(fitted: Fitted) -> None:
    artifact = JudgeArtifact.load(fitted.out)
    assert (artifact.version, artifact.weights) == (fitted.outcome.version, "open, fitted")
    assert artifact.card["parent"] == fitted.outcome.parent
    assert set(artifact.card) == {"parent", "head", "seed", "tuning", "torch", "rows", "rows_sha256", "measured"}
    judged = Judge(Encoder(), artifact).judge("same", [("clean oven 4", "oven 4 to wash"), ("清洁鼓4", "买鼓4")])
    assert judged.reasons == (None, None)
    assert np.all((judged.p > 0) & (judged.p < 1))


def test_only_the_calibration_of_the_fitted_head_moves_and_its_slope_stays(fitted: Fitted) -> None:
    scalings = json.loads((fitted.out / "judge.json").read_text(encoding="utf-8"))["scalings"]
    assert {head: scalings[head] for head in ("answers", "supports")} == {h: SCALINGS[h] for h in ("answers", "supports")}
    assert {one["slope"] for one in scalings["same"].values()} == {0.5}
    assert scalings["same"]["en"]["intercept"] != 0


def test_no_text_of_the_rows_is_told_or_written(fitted: Fitted) -> None:
    texts = {json.loads(line)[side] for line in fitted.file.read_text(encoding="utf-8").splitlines() for side in "ab"}
    card, graph = (fitted.out / "judge.json").read_text(encoding="utf-8"), (fitted.out / "judge.onnx").read_bytes()
    told = "\n".join([card, *fitted.told, repr(fitted.outcome)])
    assert not any(text in told or text.encode() in graph for text in texts)


def test_the_same_seed_gives_the_same_weights(fitted: Fitted, shipped: Path, known: Known, tmp_path: Path) -> None:
    again = fit([fitted.file], tmp_path / "again", wish(shipped, pairs=128, rate=4e-4), fitted.told.append, known=known)
    assert replace(again, version=None) == replace(fitted.outcome, version=None)
    assert (tmp_path / "again" / "judge.onnx").read_bytes() == (fitted.out / "judge.onnx").read_bytes()


def test_wrong_labels_are_refused_because_the_judge_forgets_and_nothing_is_left(
    shipped: Path, known: Known, tmp_path: Path
) -> None:
    file = own_file(tmp_path, plain=True, turned=True)
    tuning = Tuning(pairs=192, rate=4e-4, pull=0.0, replayed=0.1)
    outcome = fit([file], tmp_path / "out", Wish(weights=shipped, tuning=tuning), lambda _: None, known=known)
    assert outcome.version is None
    assert "forgot what the shipped ones knew (frames: AUC" in (outcome.refusal or "")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_no_better_on_the_rows_set_aside_are_refused(shipped: Path, known: Known, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    file = own_file(tmp_path, plain=True)
    outcome = fit([file], tmp_path / "out", wish(shipped, pairs=8, rate=0.0), lambda _: None, known=known)
    assert "no better on the 12 rows set aside" in (outcome.refusal or "")
    assert list((tmp_path / "out").iterdir()) == []


def test_bad_rows_weights_and_folders_are_refused_before_any_work(shipped: Path, known: Known, tmp_path: Path) -> None:
    file = own_file(tmp_path, plain=True)
    with pytest.raises(BadInput, match="cannot be read"):
        fit([tmp_path / "none.jsonl"], tmp_path / "out", wish(shipped, pairs=8, rate=0.0), print, known=known)
    with pytest.raises(ArtifactError, match="not there or damaged"):
        fit([file], tmp_path / "out", Wish(weights=tmp_path / "none"), print, known=known)
    with pytest.raises(BadInput, match="choose another for --out"):
        fit([file], file, wish(shipped, pairs=8, rate=0.0), print, known=known)
    assert not (tmp_path / "out").exists()


def test_more_time_and_more_rows_give_more_pairs_up_to_a_few_rounds() -> None:
    assert tuning_for(40, 5) == tuning_for(40, 60)
    assert tuning_for(40, 5).pairs < tuning_for(4000, 5).pairs < tuning_for(4000, 20).pairs < tuning_for(10**6, 20 * 60).pairs
    assert tuning_for(10**6, 0.1).pairs == tuning_for(50, 0.1).pairs > 0


def test_known_rows_that_measure_are_of_other_groups_than_those_repeated() -> None:
    made = {"frames": [row(number) for number in range(400)]}
    known = divided(made, 3, 50)
    assert len(known.measured["frames"]) == 50
    assert {one.group for one in known.measured["frames"]}.isdisjoint(one.group for one in known.replayed["frames"])
    assert all(one.a <= one.b for one in known.measured["frames"])
    assert divided(made, 3, 50) == known != divided(made, 4, 50)


def test_weights_are_read_back_from_the_graph_as_they_were(shipped: Path) -> None:
    graph, store = JudgeArtifact.load(shipped).graph, StateStore(Encoder())
    typical = [row(number, head) for number in range(10) for head in HEADS]
    once = joint_of(graph, E5File())
    twice = joint_of(graph_of(once, store, typical), E5File())
    for one, other in zip(once.parameters(), twice.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-6)


def test_a_graph_of_fewer_layers_becomes_the_top_of_a_network_that_is_e5_below(shipped: Path) -> None:
    store, file = StateStore(Encoder()), E5File()
    joint = joint_of(JudgeArtifact.load(shipped).graph, file)
    shallow = Joint(file.hidden, file.heads, file.inner, file.epsilon, 2)
    shallow.layers.load_state_dict(joint.layers[-2:].state_dict())
    shallow.tops.load_state_dict(joint.tops.state_dict())
    deep = joint_of(graph_of(shallow, store, [row(number, head) for number in range(10) for head in HEADS]), file)
    for name, part in (("tops", joint.tops), *((f"layers.{n}", joint.layers[n]) for n in (-1, -2))):
        other = deep.tops if name == "tops" else deep.layers[int(name.split(".")[1])]
        for one, two in zip(part.parameters(), other.parameters(), strict=True):
            assert torch.allclose(one, two, rtol=0, atol=1e-6), name
    for one, two in zip(from_e5(file).layers[:-2].parameters(), deep.layers[:-2].parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("graph", [b"no graph", b"\x08\x01"])
def test_what_is_no_judge_is_refused_as_a_start(graph: bytes) -> None:
    with pytest.raises(BadInput, match=r"name a judge\.onnx"):
        joint_of(graph, E5File())


def test_the_pull_holds_the_weights_near_those_it_began_with_and_other_randomness_stays(known: Known) -> None:
    store, file = StateStore(Encoder()), E5File()
    own = [row(number) for number in range(40)]
    moved = []
    for pull in (0.0, 0.2):
        joint = from_e5(file)
        begun = {name: value.clone() for name, value in joint.state_dict().items()}
        state = torch.get_rng_state()
        tune(
            joint,
            store,
            "same",
            own,
            {"frames": (1.0, known.replayed["frames"])},
            Tuning(pairs=96, pull=pull),
            0,
            lambda _: None,
        )
        now = joint.state_dict()
        moved.append(max(float((now[name] - begun[name]).abs().max()) for name in now if name.startswith("layers")))
        assert torch.equal(torch.get_rng_state(), state)
    assert 0 < moved[1] < 0.8 * moved[0]
