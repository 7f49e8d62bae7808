"""``groat bench cache`` on a few made rows: what it counts, and what it compares with."""

import json
from pathlib import Path

import numpy as np
import pytest

from evals.bench_cache import Bench, write_wrong
from evals.cache_baselines import Trace, fixed, vcache
from evals.calibrate_cache import calibrated
from evals.pair_rows import Pair
from groat.cache.accept import AcceptRule
from groat.cache.replay import Stream
from groat.cache.verifier import Verifier
from groat.errors import BadInput
from groat.types import Language
from tests.fakes import KnownVectors
from tests.unit.test_cache_accept import EVERYWHERE, Says

EN = ("How long is the reset link valid?", "For how long may I use the reset link?", "Where do I send a parcel?")
ZH = ("重置链接多久失效", "重置链接有效期是多久", "包裹寄到哪里")


def vectors() -> KnownVectors:
    return KnownVectors({EN[0]: 1.0, EN[1]: 0.95, EN[2]: 0.3, ZH[0]: 1.0, ZH[1]: 0.95, ZH[2]: 0.3})


def bench(**p: float) -> Bench:
    rule = AcceptRule(None, Verifier(EVERYWHERE), Says(p), across=True)
    return Bench(rule, vectors(), max_wrong=0.01)


@pytest.mark.parametrize("texts", [EN, ZH], ids=["en", "zh"])
async def test_a_stream_counts_right_and_wrong_hits_among_requests_whose_answer_was_there(texts: tuple[str, ...]) -> None:
    language: Language = "en" if texts is EN else "zh"
    stream = Stream("s", language, [texts[0], texts[1], texts[2], texts[0]], ["one", "one", "two", "one"])
    report, errors = await bench(**{texts[0]: 0.99}).stream(stream)
    assert (report["n"], report["reachable"], report["hits"], report["wrong_hits"]) == (4, 2, 2, 0)
    assert (report["recall"], report["precision"], report["tiers"]) == (1.0, 1.0, {"semantic": 1, "exact": 1})
    assert errors == []
    stream = Stream("s", language, [texts[0], texts[1]], ["one", "other"])
    report, errors = await bench(**{texts[0]: 0.99}).stream(stream)
    assert (report["hits"], report["wrong_hits"], report["wrong_rate"]) == (1, 1, 0.5)
    assert [error["served"] for error in errors] == [texts[0]]


async def test_pairs_keep_the_first_question_alone_and_report_each_language_and_kind() -> None:
    pairs = [
        Pair(EN[0], EN[1], True, "en", "paraphrase"), Pair(EN[0], EN[2], False, "en", "trap"),
        Pair(ZH[0], ZH[1], True, "zh", None), Pair(EN[0], ZH[1], True, "zh-en", None),
    ]  # fmt: skip
    reports = await bench(**{EN[0]: 0.99, ZH[0]: 0.2}).pairs("p", pairs)
    assert [(one["lang"], one["hits"], one["recall"], one.get("auc")) for one in reports] == [
        ("en", 1, 1.0, 1.0), ("zh", 0, 0.0, None), ("zh-en", 1, 1.0, None),
    ]  # fmt: skip
    kinds = reports[0].get("by_kind", {})
    assert {kind: counts["hits"] for kind, counts in kinds.items()} == {"paraphrase": 1, "trap": 0}
    assert reports[0].get("baselines", {})["cosine 0.9"]["correct_hits"] == 1


async def test_embeddings_that_no_rule_was_fitted_for_serve_equal_questions_and_are_ranked_by_cosine() -> None:
    pairs = [Pair(EN[0], EN[1], True, "en", None), Pair(EN[0], EN[2], False, "en", None), Pair(ZH[0], ZH[0], True, "zh", None)]
    reports = await Bench(AcceptRule(None), vectors(), max_wrong=0.01).pairs("p", pairs)
    assert [(one["lang"], one["hits"], one.get("auc"), one["reasons"]) for one in reports] == [
        ("en", 0, 1.0, {"no_calibration": 2}), ("zh", 1, None, {"exact": 1}),
    ]  # fmt: skip


def trace(*angles: float, answers: str) -> Trace:
    turned = np.array(angles)
    return Trace(np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32), list(answers))


def test_a_fixed_threshold_serves_whatever_is_near_enough_and_keeps_the_rest() -> None:
    assert fixed(trace(0.0, 0.1, 1.5, 0.12, answers="aaba"), 0.9) == (4, 2, 2, 0)
    assert fixed(trace(0.0, 0.1, answers="ab"), 0.9) == (2, 0, 1, 1)
    assert fixed(trace(answers=""), 0.9) == (0, 0, 0, 0)


def test_vcache_serves_only_what_it_has_learned_and_hardly_ever_wrongly() -> None:
    rng = np.random.default_rng(1)
    turned = np.concatenate([np.zeros(1), rng.normal(0, 0.02, 300)])
    requests, reachable, hits, wrong = vcache(trace(*turned, answers="a" * 301), 0.02)
    assert (requests, reachable, wrong) == (301, 300, 0)
    assert hits > 100
    mixed = "".join(rng.choice(["a", "b"], 301))
    _, _, hits, wrong = vcache(trace(*turned, answers=mixed), 0.02)
    assert wrong <= 0.1 * 301


async def test_calibrating_puts_ones_own_counts_in_place_of_the_shipped_ones() -> None:
    rule = AcceptRule(None, Verifier(EVERYWHERE), Says({EN[0]: 0.99}))
    stream = Stream("own", "en", [EN[0], EN[1], EN[2]], ["one", "one", "two"])
    made = await calibrated(EVERYWHERE, rule, [stream], vectors())
    assert [(point.score, point.hits, point.wrong) for point in made.points["en/judged"]] == [(4.0, 1, 0), (-3.0, 1, 0)][:1]
    assert made.points["zh/judged"] == EVERYWHERE.points["zh/judged"]
    assert made.version != EVERYWHERE.version
    assert made.card["calibrated_on"] == {"own": 3}
    with pytest.raises(BadInput, match="calibrate on more questions"):
        await calibrated(EVERYWHERE, rule, [Stream("own", "en", [EN[0]], ["one"])], vectors())


def test_wrong_hits_are_written_the_surest_first(tmp_path: Path) -> None:
    file = tmp_path / "wrong.jsonl"
    write_wrong([{"asked": "甲", "served": "乙", "score": 1.0}, {"asked": "a", "served": "b", "score": 3.0}], file)
    assert [json.loads(line)["asked"] for line in file.read_text(encoding="utf-8").splitlines()] == ["a", "甲"]
