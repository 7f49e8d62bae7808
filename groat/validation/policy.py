"""What follows the checks: accept, fix, escalate, decompress, or give up honestly."""

from collections.abc import Sequence

from groat.types import BOUNDS, Attempt, Bounds, Check, Step, Verdict

_FIXABLE = frozenset({"not_empty", "complete", "no_leak", "language", "citations", "figures"})
"""What a model mends when it is told. A missing fact is not among them: telling does not bring it."""
_FACTS = frozenset({"answers", "support", "figures"})
"""What a context without the right sentence makes fail."""
_PASSING = frozenset({"rate_limit", "timeout", "connection", "server"})
"""Failures of a call that may be gone at the next try."""


def decide(
    checks: Sequence[Check],
    attempts: Sequence[Attempt],
    earlier: Sequence[Verdict],
    *,
    shortened: bool,
    bounds: Bounds = BOUNDS,
) -> Verdict:
    """Return the verdict on the newest attempt.

    The cheapest step that can mend what is wrong comes first: a fix on the same tier for slips of form and for failures
    that may pass; the full context once when something was left out and the answer lacks facts (on the tier that failed:
    reading more with the cheap model costs less than one call of the expensive one); then escalation; then an honest end.
    Every step is bounded, so a question ends after at most
    ``(1 + escalations) * (1 + fixes_per_tier) + decompressions`` calls.

    Args:
        checks: results for the newest attempt.
        attempts: all attempts of this question, oldest first, the newest last. Not empty.
        earlier: the verdicts on the attempts before.
        shortened: whether something was left out of the newest attempt's context.
        bounds: how often each edge back may be taken.
    """
    failed = [check for check in checks if not check["passed"]]
    if not failed:
        return {"ok": True, "step": "accept", "checks": list(checks), "reason": "all checks passed"}
    step = _next_step(failed, attempts, [verdict["step"] for verdict in earlier], shortened=shortened, bounds=bounds)
    return {"ok": False, "step": step, "checks": list(checks), "reason": "; ".join(check["reason"] for check in failed)}


def _next_step(
    failed: Sequence[Check], attempts: Sequence[Attempt], taken: Sequence[Step], *, shortened: bool, bounds: Bounds
) -> Step:
    newest = attempts[-1]
    fixes = sum(attempt["repaired"] and attempt["tier"] == newest["tier"] for attempt in attempts)
    if fixes < bounds["fixes_per_tier"] and _may_fix(failed, newest):
        return "fix"
    lacks_facts = "failure" not in newest and any(check["name"] in _FACTS for check in failed)
    if shortened and lacks_facts and taken.count("decompress") < bounds["decompressions"]:
        return "decompress"
    may_escalate = newest["tier"] == "cheap" and newest.get("failure") != "budget"
    if may_escalate and taken.count("escalate") < bounds["escalations"]:
        return "escalate"
    return "exhausted"


def _may_fix(failed: Sequence[Check], newest: Attempt) -> bool:
    if "failure" in newest:
        return newest["failure"] in _PASSING
    return all(check["name"] in _FIXABLE for check in failed)
