"""What one day cost and what it saved, summed up from the rows of the ledger."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from groat.costs.amounts import begin_of, exact_sum

_HITS = ("hit_exact", "hit_semantic")
_NOBODYS = ("audit", "blame", "shadow")
"""Purposes whose vectors are counted under them."""


@dataclass(kw_only=True)
class Spending:
    """Calls, their tokens and their cost. ``input`` includes the cached tokens, ``output`` the reasoning ones."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    reasoning: int = 0
    cost_usd: Decimal = Decimal(0)
    """Sum of the known prices."""
    unknown: int = 0
    """Calls of unknown price, which are missing from the sum."""

    def add(self, row: "_Row") -> None:
        """Count one call more."""
        self.calls += 1
        self.input += row.input
        self.output += row.output
        self.cache_read += row.cache_read
        self.reasoning += row.reasoning
        if row.cost_usd is None:
            self.unknown += 1
        else:
            self.cost_usd = exact_sum([self.cost_usd, row.cost_usd])


@dataclass(kw_only=True)
class Questions:
    """Questions, with what they came to beside what the all-expensive baseline would have paid."""

    questions: int = 0
    compared: int = 0
    """Those whose cost and baseline are both known; the amounts are theirs."""
    cost_usd: Decimal = Decimal(0)
    baseline_cost_usd: Decimal = Decimal(0)

    @property
    def saved_usd(self) -> Decimal:
        """Baseline less cost; negative when more was paid."""
        return exact_sum([self.baseline_cost_usd, -self.cost_usd])

    def add(self, cost: str | None, baseline: str | None) -> None:
        """Count one question more."""
        self.questions += 1
        if cost is not None and baseline is not None:
            self.compared += 1
            self.cost_usd = exact_sum([self.cost_usd, cost])
            self.baseline_cost_usd = exact_sum([self.baseline_cost_usd, baseline])


class Line(NamedTuple):
    """What calls are grouped by."""

    tier: str
    """Empty for vectors."""
    purpose: str
    """A ``Purpose``, or "vectors" for those that no audit or replay asked for."""
    model: str
    service_tier: str
    """Empty for the plain one."""


@dataclass(kw_only=True)
class DayReport:
    """One UTC day of one tenant, or of all."""

    day: str
    tenant: str | None
    total: Spending = field(default_factory=Spending)
    by_line: dict[Line, Spending] = field(default_factory=lambda: defaultdict(Spending))
    by_tenant: dict[str, Spending] = field(default_factory=lambda: defaultdict(Spending))
    failed: Spending = field(default_factory=Spending)
    """Calls that failed: most cost nothing, a reply that was cut in mid-stream does."""
    cancelled: Spending = field(default_factory=Spending)
    """Calls that lost a race or whose question was given up."""
    repeated: Spending = field(default_factory=Spending)
    """Calls for an answer after the first one of the same question and tier: retries, hedges and repairs, good or failed."""
    estimated: int = 0
    """Calls of a chat model whose tokens were counted here, since the endpoint reported none that can be."""
    questions: Questions = field(default_factory=Questions)
    by_outcome: dict[str, Questions] = field(default_factory=lambda: defaultdict(Questions))
    questions_by_tenant: dict[str, Questions] = field(default_factory=lambda: defaultdict(Questions))
    verified: int = 0
    escalated: int = 0

    @property
    def audits(self) -> Spending:
        """What audits of the cache and of the router cost, over all models."""
        lines = [spent for line, spent in self.by_line.items() if line.purpose == "audit"]
        return Spending(
            calls=sum(one.calls for one in lines),
            input=sum(one.input for one in lines),
            output=sum(one.output for one in lines),
            cache_read=sum(one.cache_read for one in lines),
            reasoning=sum(one.reasoning for one in lines),
            cost_usd=exact_sum(one.cost_usd for one in lines),
            unknown=sum(one.unknown for one in lines),
        )

    @property
    def cache(self) -> Questions:
        """The questions that were answered from the cache."""
        found = [self.by_outcome[outcome] for outcome in _HITS if outcome in self.by_outcome]
        return Questions(
            questions=sum(one.questions for one in found),
            compared=sum(one.compared for one in found),
            cost_usd=exact_sum(one.cost_usd for one in found),
            baseline_cost_usd=exact_sum(one.baseline_cost_usd for one in found),
        )


class _Row(NamedTuple):
    run: str
    tenant: str
    kind: str
    tier: str | None
    model: str
    input: int
    output: int
    cache_read: int
    reasoning: int
    estimated: int
    cost_usd: str | None
    outcome: str
    box: str | None
    purpose: str | None
    service_tier: str | None


def read_day(db: sqlite3.Connection, day: str, tenant: str | None) -> DayReport:
    """Return the sums of a day, "YYYY-MM-DD" in UTC. Reads every row of that day.

    Raises:
        BadInput: ``day`` is no date.
        sqlite3.Error: the database cannot be read.
    """
    report = DayReport(day=day, tenant=tenant)
    begin = begin_of(day)
    charges = db.execute(
        f"SELECT {', '.join(_Row._fields)} FROM charges WHERE at >= ? AND at < ? AND (? IS NULL OR tenant = ?) "
        "ORDER BY at, rowid",
        (begin, begin + 86_400, tenant, tenant),
    )
    answered: set[tuple[str, str | None]] = set()
    for row in map(_Row._make, charges):
        _add_charge(report, row, answered)
    questions = db.execute(
        "SELECT tenant, outcome, verified, escalated, cost_usd, baseline_cost_usd FROM questions "
        "WHERE day = ? AND (? IS NULL OR tenant = ?)",
        (day, tenant, tenant),
    )
    for name, outcome, verified, escalated, cost, baseline in questions:
        for group in (report.questions, report.by_outcome[outcome], report.questions_by_tenant[name]):
            group.add(cost, baseline)
        report.verified += verified
        report.escalated += escalated
    return report


def _add_charge(report: DayReport, row: _Row, answered: set[tuple[str, str | None]]) -> None:
    # Rows of before schema 2 have no purpose and no box.
    purpose = "vectors" if row.kind == "embedding" and row.purpose not in _NOBODYS else row.purpose or "answer"
    report.total.add(row)
    report.by_line[Line(row.tier or "", purpose, row.model, row.service_tier or "")].add(row)
    report.by_tenant[row.tenant].add(row)
    if row.outcome == "cancelled":
        report.cancelled.add(row)
    elif row.outcome != "ok":
        report.failed.add(row)
    if purpose == "answer":
        step = (row.run, row.box or row.tier)
        if step in answered:
            report.repeated.add(row)
        answered.add(step)
    if row.kind == "chat":
        report.estimated += row.estimated
