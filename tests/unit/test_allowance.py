"""What a promise leaves is risked where nothing is proven, and no more than that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.routing import Allowance
from groat.routing.allowance import FULL
from groat.routing.router import promised
from groat.types import Language, Route
from tests.fakes import asked

STRONG: Route = {
    "tier": "expensive",
    "kind": "knowledge",
    "p_cheap_ok": 0.2,
    "threshold": 1.01,
    "reasons": ["it is unlike the questions that the router learned from"],
    "artifact": "v1",
}
UNPROVEN: Route = {**STRONG, "unproven": True}


def _cheap(gain: float) -> Route:
    return {**STRONG, "tier": "cheap", "p_cheap_ok": 0.9, "threshold": 0.8, "gain": gain}


ROUTES = st.one_of(st.just(STRONG), st.just(UNPROVEN), st.floats(0, 0.05).map(_cheap))


def _settled(
    account: Allowance, route: Route, *, loss: float = 0.05, tenant: str = "default", language: Language = "en"
) -> Route:
    question = {**asked("How long?" if language == "en" else "要多久？"), "tenant": tenant, "language": language}
    return account.settle(route, question, max_quality_loss=loss)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_promise_of_five_per_cent_risks_every_other_question_at_an_assumed_loss_of_ten(language: Language) -> None:
    account = Allowance(0.1)
    tiers = [_settled(account, UNPROVEN, language=language)["tier"] for _ in range(100)]
    assert 48 <= tiers.count("cheap") <= 50


@given(st.lists(ROUTES, max_size=200), st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.2]))
def test_what_may_be_lost_never_exceeds_what_was_earned(routes: list[Route], loss: float) -> None:
    account = Allowance(0.1)
    risked = sum(
        0.1 for route in routes if _settled(account, route, loss=loss)["tier"] == "cheap" and route["tier"] == "expensive"
    )
    assert risked <= loss * len(routes) + 1e-6


@given(st.lists(ROUTES, max_size=50))
def test_only_an_unproven_decision_is_changed_and_only_to_the_cheap_model(routes: list[Route]) -> None:
    account = Allowance(0.1)
    for route in routes:
        settled = _settled(account, route)
        assert settled == route or (route is UNPROVEN and settled["tier"] == "cheap")


def test_a_risked_answer_stands_under_the_promise_and_says_why() -> None:
    account = Allowance(0.1, {"0.05/en/default": (0.5, 0.0, 1.0)})
    settled = _settled(account, UNPROVEN)
    assert promised(settled)
    assert (settled["p_cheap_ok"], settled["threshold"]) == (0.9, 0.9)
    assert "10% loss is assumed" in settled["reasons"][0]


def test_proven_answers_are_paid_for_first() -> None:
    account = Allowance(0.1)
    for _ in range(20):
        _settled(account, _cheap(0.05))
    assert _settled(account, UNPROVEN)["tier"] == "expensive"


def test_questions_that_risk_nothing_leave_more_for_others() -> None:
    account = Allowance(0.1)
    for _ in range(10):
        _settled(account, STRONG)
    assert [_settled(account, UNPROVEN)["tier"] for _ in range(5)] == ["cheap"] * 5


def test_a_long_quiet_spell_is_not_followed_by_a_long_bad_one() -> None:
    account = Allowance(0.1)
    for _ in range(10_000):
        _settled(account, STRONG)
    assert account.accounts["0.05/en/default"].left == FULL


@pytest.mark.parametrize("assumed", [0.0, 1.0])
def test_where_nothing_may_be_assumed_or_all_is_lost_nothing_is_risked_at_once(assumed: float) -> None:
    account = Allowance(assumed)
    assert {_settled(account, UNPROVEN)["tier"] for _ in range(10)} == {"expensive"}


def test_tenants_languages_and_promises_have_accounts_of_their_own() -> None:
    account = Allowance(0.1, {"0.05/en/default": (1.0, 0.0, 1.0)})
    assert _settled(account, UNPROVEN, tenant="other")["tier"] == "expensive"
    assert _settled(account, UNPROVEN, language="zh")["tier"] == "expensive"
    assert _settled(account, UNPROVEN, loss=0.02)["tier"] == "expensive"
    assert _settled(account, UNPROVEN)["tier"] == "cheap"


def test_an_account_goes_on_where_another_ended() -> None:
    whole, first = Allowance(0.1), Allowance(0.1)
    expected = [_settled(whole, UNPROVEN)["tier"] for _ in range(30)]
    begun = [_settled(first, UNPROVEN)["tier"] for _ in range(7)]
    second = Allowance(0.1, first.accounts)
    assert [*begun, *(_settled(second, UNPROVEN)["tier"] for _ in range(23))] == expected


def test_what_shortening_may_lose_is_paid_for_too() -> None:
    account, free = Allowance(0.1), Allowance(0.1)
    tiers = [account.settle(UNPROVEN, asked("How long?"), max_quality_loss=0.05, spent=0.025)["tier"] for _ in range(100)]
    others = [free.settle(UNPROVEN, asked("How long?"), max_quality_loss=0.05)["tier"] for _ in range(100)]
    assert 22 <= tiers.count("cheap") <= 25 < 47 <= others.count("cheap") <= 50


def test_what_is_left_goes_where_it_saves_most() -> None:
    account = Allowance(0.1)
    worths = [3.0 if place % 2 else 1.0 for place in range(1_000)]
    let_in = [
        account.settle(UNPROVEN, asked("How long?"), max_quality_loss=0.05, worth=worth)["tier"] == "cheap" for worth in worths
    ]
    dear = sum(took for took, worth in zip(let_in, worths, strict=True) if worth > 1)
    assert sum(let_in) >= 450
    assert dear / sum(let_in) >= 0.9
