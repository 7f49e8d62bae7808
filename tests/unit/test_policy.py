"""What follows the checks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.types import BOUNDS, Attempt, Bounds, Check, Step, Tier, Verdict
from groat.validation import decide, tier_after
from tests.fakes import attempt

NAMES = ["call", "not_empty", "complete", "no_leak", "answers", "language", "citations", "figures", "support"]
FAILURES = ["auth", "rate_limit", "timeout", "connection", "server", "invalid_request", "budget", "deadline", "unknown"]
FINAL = {"budget", "deadline"}
FORM = ["not_empty", "complete", "no_leak", "language", "citations"]


def _checks(*failed: str) -> list[Check]:
    return [
        {"name": name, "passed": name not in failed, "score": float(name not in failed), "reason": f"{name} failed"}
        for name in NAMES
    ]


def _verdict(step: Step) -> Verdict:
    return {"ok": False, "step": step, "checks": [], "reason": ""}


def _failed_call(failure: str, *, tier: Tier = "cheap", repaired: bool = False) -> Attempt:
    return {**attempt("", tier=tier, repaired=repaired), "failure": failure}


def _step(
    *failed: str,
    attempts: list[Attempt],
    earlier: list[Step] | None = None,
    shortened: bool = False,
    bounds: Bounds = BOUNDS,
) -> Step:
    taken = [_verdict(step) for step in earlier or []]
    return decide(_checks(*failed), attempts, taken, shortened=shortened, bounds=bounds)["step"]


@pytest.mark.parametrize("tier", ["cheap", "expensive"])
def test_an_answer_that_passes_is_accepted(tier: Tier) -> None:
    assert decide(_checks(), [attempt("a", tier=tier)], [], shortened=True) == {
        "ok": True, "step": "accept", "checks": _checks(), "reason": "all checks passed"
    }  # fmt: skip


def test_the_reason_names_all_that_failed() -> None:
    verdict = decide(_checks("language", "support"), [attempt("a")], [], shortened=True)
    assert (verdict["ok"], verdict["reason"]) == (False, "language failed; support failed")


@pytest.mark.parametrize("name", [*FORM, "figures"])
@pytest.mark.parametrize("tier", ["cheap", "expensive"])
def test_a_slip_of_form_is_fixed_once_on_each_tier(name: str, tier: Tier) -> None:
    assert _step(name, attempts=[attempt("a", tier=tier)]) == "fix"
    again = _step(name, attempts=[attempt("a", tier=tier), attempt("b", tier=tier, repaired=True)], earlier=["fix"])
    assert again == ("escalate" if tier == "cheap" else "exhausted")


def test_a_fix_on_the_cheap_tier_leaves_one_for_the_expensive() -> None:
    tries = [attempt("a"), attempt("b", repaired=True), attempt("c", tier="expensive")]
    assert _step("language", attempts=tries, earlier=["fix", "escalate"]) == "fix"


@pytest.mark.parametrize("name", ["answers", "support"])
def test_a_missing_fact_is_never_fixed_by_telling(name: str) -> None:
    assert _step(name, attempts=[attempt("a")], shortened=True) == "decompress"
    assert _step(name, "language", attempts=[attempt("a")], shortened=True) == "decompress"
    assert _step(name, attempts=[attempt("a")], shortened=False) == "escalate"
    assert _step(name, attempts=[attempt("a"), attempt("b")], shortened=True, earlier=["decompress"]) == "escalate"


def test_a_refusal_of_the_expensive_model_over_the_full_context_ends_the_question_whatever_else_failed() -> None:
    for form in FORM:
        assert _step("answers", form, attempts=[attempt("a", tier="expensive")]) == "exhausted"


def test_a_question_that_no_document_answers_takes_no_more_than_one_call_for_each_thing_that_could_still_help() -> None:
    short = [attempt("a")]
    assert _step("answers", attempts=short, shortened=True) == "decompress"
    full = [*short, attempt("b")]
    assert _step("answers", attempts=full, earlier=["decompress"]) == "escalate"
    last = [*full, attempt("c", tier="expensive")]
    assert _step("answers", attempts=last, earlier=["decompress", "escalate"]) == "exhausted"
    dear = [attempt("a", tier="expensive")]
    assert _step("answers", attempts=dear, shortened=True) == "decompress"
    assert _step("answers", attempts=[*dear, attempt("b", tier="expensive")], earlier=["decompress"]) == "exhausted"


def test_a_slip_of_form_never_asks_for_the_full_context() -> None:
    tries = [attempt("a"), attempt("b", repaired=True)]
    assert _step("language", attempts=tries, shortened=True, earlier=["fix"]) == "escalate"


@pytest.mark.parametrize("failure", FAILURES)
def test_a_call_that_failed_for_good_goes_to_the_other_tier_and_never_to_the_full_context(failure: str) -> None:
    expected: Step = "exhausted" if failure in FINAL else "escalate"
    assert _step("call", attempts=[_failed_call(failure)], shortened=True) == expected
    tries = [attempt("a"), _failed_call(failure, repaired=True)]
    assert _step("call", attempts=tries, shortened=True, earlier=["fix"]) == expected


def test_where_a_budget_refuses_the_expensive_model_the_cheap_one_is_asked_once() -> None:
    refused = _failed_call("budget", tier="expensive")
    assert _step("call", attempts=[refused]) == "degrade"
    assert _step("call", attempts=[refused], bounds={**BOUNDS, "degradations": 0}) == "exhausted"
    assert _step("support", attempts=[refused, attempt("a")], earlier=["degrade"]) == "exhausted"


def test_the_last_verdict_that_moved_a_question_says_which_tier_answers_next() -> None:
    assert tier_after("cheap", []) == "cheap"
    assert tier_after("cheap", ["fix", "escalate", "fix"]) == "expensive"
    assert tier_after("expensive", ["degrade", "decompress"]) == "cheap"


def test_a_budget_that_is_spent_ends_the_question() -> None:
    assert _step("call", attempts=[_failed_call("budget")]) == "exhausted"
    assert _step("call", attempts=[attempt("a"), _failed_call("budget", tier="expensive")], earlier=["escalate"]) == "exhausted"


def test_the_expensive_tier_has_nowhere_to_escalate_to() -> None:
    assert _step("support", attempts=[attempt("a", tier="expensive")]) == "exhausted"


def test_bounds_of_nothing_end_at_once() -> None:
    none: Bounds = {"fixes_per_tier": 0, "escalations": 0, "decompressions": 0, "degradations": 0}
    for name in NAMES:
        assert _step(name, attempts=[attempt("a")], shortened=True, bounds=none) == "exhausted"


OUTCOMES = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES[1:]), min_size=1, max_size=4), st.none() | st.sampled_from(FAILURES)),
    min_size=20,
    max_size=20,
)
COUNTS = st.integers(0, 3)


@settings(max_examples=200)
@given(OUTCOMES, st.sampled_from(["cheap", "expensive"]), st.booleans(), COUNTS, COUNTS)
def test_any_sequence_of_failures_ends_within_the_stated_number_of_calls(
    outcomes: list[tuple[list[str], str | None]], tier: Tier, shortened: bool, fixes: int, decompressions: int
) -> None:
    bounds: Bounds = {"fixes_per_tier": fixes, "escalations": 1, "decompressions": decompressions, "degradations": 1}
    attempts: list[Attempt] = []
    verdicts: list[Verdict] = []
    for names, failure in outcomes:
        repaired = bool(verdicts) and verdicts[-1]["step"] == "fix"
        attempts.append(
            _failed_call(failure, tier=tier, repaired=repaired) if failure else attempt("a", tier=tier, repaired=repaired)
        )
        checks = _checks(*(["call"] if failure else names))
        verdicts.append(decide(checks, attempts, verdicts, shortened=shortened, bounds=bounds))
        step = verdicts[-1]["step"]
        if step == "exhausted":
            break
        tier = tier_after(tier, [step])
        shortened = shortened and step != "decompress"
    taken = [verdict["step"] for verdict in verdicts]
    assert taken[-1] == "exhausted"
    assert len(attempts) <= 2 * (1 + fixes) + decompressions
    assert taken.count("degrade") + taken.count("escalate") <= 1
    assert taken.count("escalate") <= 1
    assert taken.count("decompress") <= decompressions
    for each in ("cheap", "expensive"):
        assert sum(one["repaired"] and one["tier"] == each for one in attempts) <= fixes
