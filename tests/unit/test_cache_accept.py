"""The accept rule: what the verifier, the judge, the promise and the language decide about a candidate."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from groat.cache.accept import READ, AcceptRule, log_odds
from groat.cache.evidence import NAMES
from groat.cache.replay import upper_bound
from groat.cache.verifier import Point, Trees, Verifier, VerifierArtifact, version_of
from groat.types import Asked, Language
from tests.fakes import asked
from tests.unit.test_cache_verifier import artifact

LOGIT, COSINE = NAMES.index("logit"), NAMES.index("cosine")
BY_LOGIT = Trees(
    base=0.0, depth=1, feature=[[LOGIT, 0, 0]], threshold=[[1.0, 0.0, 0.0]], left=[[1, 1, 2]], right=[[2, 1, 2]],
    value=[[0.0, -4.0, 4.0]],
)  # fmt: skip
BY_COSINE = replace(BY_LOGIT, feature=[[COSINE, 0, 0]], threshold=[[0.97, 0.0, 0.0]])
SURE = [Point(3.0, 1000, 0, upper_bound(0, 1000))]
ASKED = "For how long may I use the reset link?"
KEPT = "How long is the reset link valid?"


@dataclass(frozen=True)
class Kept:
    """A kept question."""

    question: str
    language: Language = "en"
    entry_id: str = "id"


@dataclass
class Says:
    """A judge of pairs that says what it was told to, and notes what it was asked."""

    p: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    version: str = "j"
    read: list[str] = field(default_factory=list)

    async def same(self, question: str, candidates: Sequence[str]) -> "Opinion":
        self.read += candidates
        reasons = [self.reason] * len(candidates)
        return Opinion(np.array([0.0 if self.reason else self.p.get(one, 0.0) for one in candidates]), reasons)


@dataclass(frozen=True)
class Opinion:
    """What it says."""

    p: NDArray[np.float64]
    reasons: list[str | None]


def fitted(**points: list[Point]) -> VerifierArtifact:
    named = {name.replace("_", "/"): each for name, each in points.items()}
    return artifact(trees={"judged": BY_LOGIT, "plain": BY_COSINE}, points=named)


EVERYWHERE = fitted(en_judged=SURE, zh_judged=SURE, across_judged=SURE)


def rule(judge: Says | None, made: VerifierArtifact = EVERYWHERE, **more: object) -> AcceptRule:
    return AcceptRule(None, Verifier(made), judge, **more)  # type: ignore[arg-type]  # names are those of the rule


@pytest.mark.parametrize(("question", "kept"), [(ASKED, KEPT), ("重置链接有效期是多久", "重置链接多久失效")], ids=["en", "zh"])
async def test_the_judge_decides_within_the_promise_and_the_evidence_is_shown(question: str, kept: str) -> None:
    language = asked(question)["language"]
    for p, served in ((0.99, True), (0.5, False)):
        (one,) = await rule(Says({kept: p})).judge(asked(question), [(Kept(kept, language), 0.96)])
        assert one.accepted is served
        assert one.candidate["judged"] == p
        assert one.candidate["score"] == (4.0 if served else -4.0)
        assert (one.candidate["least_score"], one.candidate["bound"]) == (3.0, round(1 / 1001, 4))
        assert one.candidate["evidence"]["cosine"] == 0.96


async def test_nothing_is_served_where_the_promise_is_not_proven() -> None:
    kept = [(Kept(KEPT), 0.99)]
    for made in (fitted(), fitted(en_judged=[Point(3.0, 10, 0, upper_bound(0, 10))])):
        (one,) = await rule(Says({KEPT: 0.99}), made).judge(asked(ASKED), kept)
        assert (one.accepted, one.candidate["least_score"]) == (False, None)
    (one,) = await rule(Says({KEPT: 0.99}), max_wrong=0.0).judge(asked(ASKED), kept)
    assert not one.accepted


async def test_a_kind_of_question_may_ask_for_less_than_the_cache_and_never_for_more() -> None:
    loose = fitted(en_judged=[Point(5.0, 1000, 0, 0.003), Point(3.0, 1000, 5, 0.0105)])
    for own, accepted in ((None, True), (0.5, True), (0.004, False)):
        (one,) = await rule(Says({KEPT: 0.99}), loose, max_wrong=0.02).judge(asked(ASKED), [(Kept(KEPT), 0.99)], max_wrong=own)
        assert one.accepted is accepted


async def test_the_judge_reads_the_best_candidates_only_and_none_that_are_far() -> None:
    judge = Says()
    near = [(Kept(f"How long is reset link number {place} valid?"), 0.99 - place / 1000) for place in range(6)]
    judged = await rule(judge).judge(asked(ASKED), [*near, (Kept("something else"), 0.5)])
    assert len(judge.read) == READ
    assert len(judged) == 6


async def test_what_the_judge_did_not_read_is_never_served() -> None:
    served = fitted(en_judged=SURE, en_plain=SURE)
    near = [(Kept(f"How long is link {place} valid?"), 0.99) for place in range(5)]
    judged = await rule(Says(), served).judge(asked(ASKED), near)
    assert not any(one.accepted for one in judged)


@pytest.mark.parametrize(
    "judge", [None, Says({KEPT: 0.99}, reason="too long"), Says({KEPT: 0.99}, version="other")], ids=["none", "mute", "other"]
)
async def test_without_an_opinion_the_rule_without_the_judge_decides(judge: Says | None) -> None:
    plain = fitted(en_judged=SURE, en_plain=SURE)
    for cosine, served in ((0.99, True), (0.95, False)):
        (one,) = await rule(judge, plain).judge(asked(ASKED), [(Kept(KEPT), cosine)])
        assert (one.accepted, one.candidate["judged"]) == (served, None)
    (one,) = await rule(judge).judge(asked(ASKED), [(Kept(KEPT), 0.99)])
    assert not one.accepted  # the promise was proven with the judge only


OVERRULED = replace(fitted(en_plain=[Point(3.0, 1000, 0, 0.003), Point(-9.0, 1000, 500, 0.6)]), veto={"en": 1.0})


async def test_where_the_judge_may_overrule_both_scores_must_hold_and_the_first_one_bears_the_promise() -> None:
    near = [(Kept(KEPT), 0.99)]
    for p, served in ((0.99, True), (0.3, False)):
        (one,) = await rule(Says({KEPT: p}), OVERRULED).judge(asked(ASKED), near)
        assert (one.accepted, "judge" in one.candidate["differences"]) == (served, not served)
        assert (one.candidate["score"], one.candidate["least_score"], one.candidate["judged"]) == (4.0, 3.0, p)
    for mute in (None, Says({KEPT: 0.0}, reason="too long")):
        (one,) = await rule(mute, OVERRULED).judge(asked(ASKED), near)
        assert one.accepted
    assert rule(None, OVERRULED).proven() == {"en/plain": 0.001, "zh/judged": None, "zh/plain": None} | {
        f"across/{mode}": None for mode in ("judged", "plain")
    }


async def test_where_the_judge_may_only_overrule_it_reads_nothing_that_would_not_be_served() -> None:
    judge = Says({KEPT: 0.99})
    (one,) = await rule(judge, OVERRULED).judge(asked(ASKED), [(Kept(KEPT), 0.95)])
    assert (one.accepted, judge.read) == (False, [])


async def test_a_neighbour_that_is_far_is_neither_read_nor_served() -> None:
    judge = Says({KEPT: 0.999})
    (one,) = await rule(judge, fitted(en_judged=SURE, en_plain=[Point(-9.0, 1000, 0, 0.003)])).judge(
        asked(ASKED), [(Kept(KEPT), 0.5)]
    )
    assert (one.accepted, judge.read) == (False, [])


async def test_across_the_languages_only_where_it_is_allowed() -> None:
    chinese = Kept("重置链接多久失效", "zh")
    for across in (True, False):
        judged = await rule(Says({chinese.question: 0.99}), across=across).judge(asked(ASKED), [(chinese, 0.93)])
        assert [one.accepted for one in judged] == [across]
        assert ("language" in judged[0].candidate["differences"]) is not across


@pytest.mark.parametrize(
    ("question", "kept"),
    [("How do I turn on the alarm?", "How do I turn off the alarm?"), ("电池发货前取消,押金退吗", "电池发货后取消,押金退吗")],
    ids=["en", "zh"],
)
async def test_opposite_sides_are_never_served_whatever_the_score(question: str, kept: str) -> None:
    language = asked(question)["language"]
    (one,) = await rule(Says({kept: 0.999})).judge(asked(question), [(Kept(kept, language), 0.999)])
    assert (one.accepted, "opposite" in one.candidate["differences"]) == (False, True)


async def test_one_frame_of_wording_filled_twice_is_never_served() -> None:
    frame = "A train leaves the station at {} and travels {} miles to the city where Anna waits; how many minutes is it late?"
    question, kept = frame.format("nine", 120), frame.format("ten", 240)
    (one,) = await rule(Says({kept: 0.999})).judge(asked(question), [(Kept(kept), 0.999)])
    assert not one.accepted
    assert "template" in one.candidate["differences"]


async def test_no_candidates_no_verdicts() -> None:
    assert await rule(Says()).judge(asked(ASKED), []) == []


def test_the_least_score_shown_is_that_of_the_language() -> None:
    question: Asked = asked(ASKED)
    assert rule(None, fitted(zh_judged=SURE)).threshold(question) is None
    assert rule(None).threshold(question) == 3.0
    assert (rule(None).embedder, rule(None).version) == ("e", version_of(EVERYWHERE))


@pytest.mark.parametrize("p", [0.0, 1.0, 0.5])
def test_log_odds_are_finite(p: float) -> None:
    assert abs(log_odds(p)) < 20
