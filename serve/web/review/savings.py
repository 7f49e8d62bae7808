"""The ladder of savings of one day: from all expensive down to what was paid, taken from the ledger."""

from decimal import Decimal
from typing import NamedTuple

from groat.costs import DayReport
from groat.costs.amounts import exact_sum

OUTCOMES = ("hit_exact", "hit_semantic", "cheap", "expensive", "unverified", "passed_on", "failed")
"""How a question may have ended, in the order of the ladder's steps."""


class Step(NamedTuple):
    """One step of the ladder."""

    name: str
    """"baseline", an outcome of questions, "beside" or "paid"."""
    questions: int
    """How many stand for it; 0 for what is no question's."""
    change_usd: Decimal
    """What it adds to the bill; negative when it saves."""
    left_usd: Decimal
    """The bill after it."""


def ladder(report: DayReport) -> list[Step]:
    """Return the steps of a day, the first all expensive, the last what was paid; none when nothing was asked or paid.

    A question's step is how it ended, since its cost is compared with one call of the expensive model over all that was
    found: what hits saved is the cache's, what cheap answers saved the router's, the cascade's and the compressor's together,
    and what is left of the expensive ones' is the compressor's less failed tries. What was paid beside questions (audits,
    replays, calls of questions whose baseline is unknown) is a step of its own, so that the last one is the whole bill.
    """
    if not report.questions.questions and not report.total.calls:
        return []
    left = report.questions.baseline_cost_usd
    steps = [Step("baseline", report.questions.compared, left, left)]
    for outcome in OUTCOMES:
        if outcome in report.by_outcome:
            group = report.by_outcome[outcome]
            left = exact_sum([left, -group.saved_usd])
            steps.append(Step(outcome, group.compared, -group.saved_usd, left))
    paid = report.total.cost_usd
    if beside := exact_sum([paid, -left]):
        steps.append(Step("beside", 0, beside, paid))
    return [*steps, Step("paid", report.questions.questions, paid, paid)]
