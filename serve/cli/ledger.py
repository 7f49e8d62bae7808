"""``groat ledger``: what a day cost, who paid, and what was saved."""

import asyncio
import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from groat.costs import DayReport, Line, Questions, Spending
from serve.application import load_application
from serve.cli.output import JsonOption, console, dollars, saved, write_json

_ORDER = ("hit_exact", "hit_semantic", "cheap", "expensive", "unverified", "passed_on", "failed")


def ledger_command(
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The day, in UTC; today without it.")] = None,
    tenant: Annotated[str | None, typer.Option(help="This tenant only; all without it.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Show what a day cost: by outcome, model and tenant, and saved against the all-expensive baseline."""
    chosen = datetime.datetime.now(datetime.UTC).date().isoformat() if day is None else day
    books = load_application().services.books
    report = asyncio.run(books.ledger.day(chosen, tenant=tenant))
    if json_file is not None:
        write_json(_as_json(report, books.baseline_model), json_file)
    else:
        _print(console(), report, books.baseline_model)


def _as_json(report: DayReport, baseline: str) -> dict[str, object]:
    return {
        "day": report.day,
        "tenant": report.tenant,
        "rows": {"questions": report.questions.questions, "calls": report.total.calls},
        "questions": {
            **_compared(report.questions),
            "verified": report.verified,
            "escalated": report.escalated,
            "by_outcome": {outcome: _compared(report.by_outcome[outcome]) for outcome in _outcomes(report)},
        },
        "cost": _spending(report.total),
        "by_model": [{**line._asdict(), **_spending(spent)} for line, spent in _dearest(report)],
        "by_tenant": {
            name: {**_spending(report.by_tenant[name]), "questions": _compared(report.questions_by_tenant[name])}
            for name in _tenants(report)
        },
        "cache": _compared(report.cache),
        "failed": _spending(report.failed),
        "cancelled": _spending(report.cancelled),
        "repeated": _spending(report.repeated),
        "tokens_estimated": report.estimated,
        "baseline": baseline,
    }


def _spending(spent: Spending) -> dict[str, object]:
    return {
        "calls": spent.calls,
        "tokens_in": spent.input,
        "tokens_cached": spent.cache_read,
        "tokens_out": spent.output,
        "tokens_reasoning": spent.reasoning,
        "cost_usd": f"{spent.cost_usd:f}",
        "unknown_prices": spent.unknown,
    }


def _compared(group: Questions) -> dict[str, object]:
    return {
        "questions": group.questions,
        "compared": group.compared,
        "cost_usd": f"{group.cost_usd:f}",
        "baseline_cost_usd": f"{group.baseline_cost_usd:f}",
        "saved_usd": f"{group.saved_usd:f}",
    }


def _print(out: Console, report: DayReport, baseline: str) -> None:
    whose = "all tenants" if report.tenant is None else f"tenant {report.tenant}"
    if not report.total.calls and not report.questions.questions:
        out.print(f"{report.day} (UTC), {whose}: nothing was asked and nothing was paid", markup=False)
        return
    asked, cost = report.questions, report.total
    out.print(
        f"{report.day} (UTC), {whose}: {asked.questions} questions, {cost.calls} calls, {_cost(cost)}; "
        f"{report.verified} verified, {report.escalated} escalated",
        markup=False,
    )
    if asked.questions:
        out.print(_outcome_table(report))
    if cost.calls:
        out.print(_model_table(report))
    if report.tenant is None and len(_tenants(report)) > 1:
        out.print(_tenant_table(report))
    for name, spent in (("failed", report.failed), ("cancelled", report.cancelled), ("repeated", report.repeated)):
        if spent.calls:
            out.print(f"{name} calls: {spent.calls}, {_cost(spent)}")
    if report.estimated:
        out.print(f"tokens counted here, since the endpoint gave none that can be: {report.estimated} calls")
    cache = report.cache
    out.print(f"cache hits: {cache.questions}, {dollars(cache.saved_usd)} saved{_left_out(cache)}")
    less = saved(str(asked.cost_usd), str(asked.baseline_cost_usd))
    out.print(
        f"all expensive ({baseline}): {dollars(asked.baseline_cost_usd)}, paid: {dollars(asked.cost_usd)}"
        f"{f', {less}' if less else ''}{_left_out(asked)}",
        markup=False,
    )


def _outcome_table(report: DayReport) -> Table:
    table = Table("outcome", "questions", "cost", "all expensive", box=None)
    for outcome in _outcomes(report):
        group = report.by_outcome[outcome]
        table.add_row(outcome, str(group.questions), dollars(group.cost_usd), dollars(group.baseline_cost_usd))
    return table


def _model_table(report: DayReport) -> Table:
    table = Table("tier", "for", "model", "calls", "tokens in", "cached", "tokens out", "cost", "unknown", box=None)
    for line, spent in _dearest(report):
        model = f"{line.model} ({line.service_tier})" if line.service_tier else line.model
        counts = (spent.calls, spent.input, spent.cache_read, spent.output)
        table.add_row(
            line.tier, line.purpose, model, *map(str, counts), dollars(spent.cost_usd), str(spent.unknown or "")
        )  # fmt: skip
    return table


def _tenant_table(report: DayReport) -> Table:
    table = Table("tenant", "questions", "calls", "cost", "saved", box=None)
    for name in _tenants(report):
        spent, asked = report.by_tenant[name], report.questions_by_tenant[name]
        table.add_row(name, str(asked.questions), str(spent.calls), _cost(spent), dollars(asked.saved_usd))
    return table


def _outcomes(report: DayReport) -> list[str]:
    return [outcome for outcome in _ORDER if outcome in report.by_outcome]


def _tenants(report: DayReport) -> list[str]:
    return sorted({*report.by_tenant, *report.questions_by_tenant})


def _dearest(report: DayReport) -> list[tuple[Line, Spending]]:
    return sorted(report.by_line.items(), key=lambda entry: (-entry[1].cost_usd, entry[0]))


def _cost(spent: Spending) -> str:
    missing = f" ({spent.unknown} of unknown price missing)" if spent.unknown else ""
    return f"{dollars(spent.cost_usd)}{missing}"


def _left_out(group: Questions) -> str:
    unknown = group.questions - group.compared
    return f" (left out for unknown prices: {unknown} of {group.questions})" if unknown else ""
