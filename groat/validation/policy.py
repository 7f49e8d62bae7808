"""What follows the checks: accept, fix, escalate, decompress, or give up honestly."""

from collections.abc import Sequence

from groat.types import BOUNDS, Acceptance, Attempt, Bounds, Check, Step, Tier, Verdict

_FIXABLE = frozenset({"not_empty", "complete", "no_leak", "language", "structure", "citations", "figures"})
"""What a model mends when it is told. A missing fact is not among them: telling does not bring it."""
_FACTS = frozenset({"answers", "support", "placed", "figures"})
"""What a context without the right sentence makes fail."""
_FINAL = frozenset({"budget", "deadline"})
"""Failures that another call would only meet again."""


def tier_after(routed: Tier, steps: Sequence[Step]) -> Tier:
    """Return the tier that answers next, after these verdicts on a question that was routed to ``routed``."""
    for step in reversed(steps):
        if step == "escalate":
            return "expensive"
        if step == "degrade":
            return "cheap"
    return routed


def decide(
    checks: Sequence[Check],
    attempts: Sequence[Attempt],
    earlier: Sequence[Verdict],
    *,
    shortened: bool,
    bounds: Bounds = BOUNDS,
    acceptance: Acceptance | None = None,
) -> Verdict:
    """Return the verdict on the newest attempt.

    The cheapest step that can mend what is wrong comes first: a fix on the same tier for slips of form; the full context once
    when something was left out and the answer lacks facts (on the tier that failed: reading more with the cheap model costs
    less than one call of the expensive one); then escalation; then an honest end. A call that failed was retried by the seam
    already, so the other tier comes next; where a budget refused the expensive model, the cheap one.
    Every step is bounded, so a question ends after at most
    ``(1 + max(escalations, degradations)) * (1 + fixes_per_tier) + decompressions`` attempts.

    Args:
        checks: results for the newest attempt.
        attempts: all attempts of this question, oldest first, the newest last. Not empty.
        earlier: the verdicts on the attempts before.
        shortened: whether something was left out of the newest attempt's context.
        bounds: how often each edge back may be taken.
        acceptance: how sure one is of an answer that passed its checks; None when they decide alone. An answer that is not
            sure enough goes up; where it cannot, it is accepted, since nothing was found wrong with it.
    """
    failed = [check for check in checks if not check["passed"]]
    if not failed:
        return _unless_unsure(checks, attempts, earlier, bounds, acceptance)
    step = _next_step(failed, attempts, [verdict["step"] for verdict in earlier], shortened=shortened, bounds=bounds)
    return {"ok": False, "step": step, "checks": list(checks), "reason": "; ".join(check["reason"] for check in failed)}


def _unless_unsure(
    checks: Sequence[Check],
    attempts: Sequence[Attempt],
    earlier: Sequence[Verdict],
    bounds: Bounds,
    acceptance: Acceptance | None,
) -> Verdict:
    accepted: Verdict = {"ok": True, "step": "accept", "checks": list(checks), "reason": "all checks passed"}
    if acceptance is None:
        return accepted
    accepted["acceptance"] = acceptance
    needed = acceptance["threshold"]
    if needed is not None and acceptance["p_ok"] >= needed:
        return accepted
    step = _escalation(attempts[-1], [verdict["step"] for verdict in earlier], bounds)
    if step == "exhausted":
        return {**accepted, "reason": "all checks passed; not sure enough, but there is nowhere to go"}
    wanted = "more than any answer has" if needed is None else f"{needed:.2f}"
    reason = f"all checks passed, but it is good enough with p={acceptance['p_ok']:.2f} only, and {wanted} is needed"
    return {**accepted, "ok": False, "step": step, "reason": reason}


def _next_step(
    failed: Sequence[Check], attempts: Sequence[Attempt], taken: Sequence[Step], *, shortened: bool, bounds: Bounds
) -> Step:
    newest = attempts[-1]
    if "failure" in newest:
        return _after_failure(newest["failure"], attempts, taken, bounds)
    fixes = sum(attempt["repaired"] and attempt["tier"] == newest["tier"] for attempt in attempts)
    if fixes < bounds["fixes_per_tier"] and all(check["name"] in _FIXABLE for check in failed):
        return "fix"
    lacks_facts = any(check["name"] in _FACTS for check in failed)
    if shortened and lacks_facts and taken.count("decompress") < bounds["decompressions"]:
        return "decompress"
    return _escalation(newest, taken, bounds)


def _after_failure(failure: str, attempts: Sequence[Attempt], taken: Sequence[Step], bounds: Bounds) -> Step:
    newest = attempts[-1]
    untried = not any(attempt["tier"] == "cheap" for attempt in attempts)
    if failure == "budget" and newest["tier"] == "expensive" and untried and taken.count("degrade") < bounds["degradations"]:
        return "degrade"
    return "exhausted" if failure in _FINAL else _escalation(newest, taken, bounds)


def _escalation(newest: Attempt, taken: Sequence[Step], bounds: Bounds) -> Step:
    # After a degradation there is no way up again: the budget barred it.
    barred = newest["tier"] == "expensive" or "degrade" in taken
    return "exhausted" if barred or taken.count("escalate") >= bounds["escalations"] else "escalate"
