"""The report on the bad answers of a span of time, with what turned knobs would have done."""

from decimal import Decimal

from graph.blame_knobs import KnobTurner, Turned, knobs_for
from graph.services import Services
from groat.blame.records import Kept, RunRecords, Wanted
from groat.blame.report import Report, report

_MOST = 2_000
"""Bad runs that one report reads, newest first."""
_GOOD = 40
"""Good runs that are read to choose those from that are asked again."""


async def weekly(
    services: Services,
    runs: RunRecords,
    *,
    since: float,
    until: float,
    tenant: str | None = None,
    max_wrong: float | None = None,
    max_cost_usd: Decimal | None = None,
) -> tuple[Report, list[Turned]]:
    """Return the report, and what knobs would have done.

    Args:
        services: what answers.
        runs: what is kept.
        since: begin, in seconds since 1970.
        until: end.
        tenant: whose runs; None for all.
        max_wrong: share of wrong hits that is promised now; None leaves the knobs alone and costs nothing.
        max_cost_usd: most that turning knobs may cost, in dollars; None for no limit.

    Raises:
        StorageError: the kept runs cannot be read.
    """
    bad = await _read(runs, Wanted(since=since, until=until, tenant=tenant, bad=True), most=_MOST)
    blamed = [one for one in bad if one.blamed is not None]
    spans = await runs.causes(since=since, until=until, step_s=until - since, tenant=tenant)
    found = report(
        blamed,
        since=since,
        until=until,
        runs=sum(span.runs for span in spans),
        bad=sum(span.bad for span in spans),
        not_blamed=len(bad) - len(blamed),
    )
    if max_wrong is None:
        return found, []
    able = [one for one in blamed if one.snapshot.texts]
    good = await _read(runs, Wanted(since=since, until=until, tenant=tenant, bad=False), most=_GOOD)
    turner = KnobTurner(services, max_cost_usd=max_cost_usd)
    knobs = knobs_for(services, able, max_wrong=max_wrong)
    return found, [await turner.turn(knob, able, [one for one in good if one.snapshot.texts]) for knob in knobs]


async def _read(runs: RunRecords, wanted: Wanted, *, most: int) -> list[Kept]:
    found: list[Kept] = []
    page = await runs.find(wanted)
    while True:
        for line in page.runs:
            one = await runs.get(line.run)
            if one is not None:
                found.append(one)
        if page.next is None or len(found) >= most:
            return found[:most]
        page = await runs.find(_after(wanted, page.next))


def _after(wanted: Wanted, place: tuple[float, str]) -> Wanted:
    return Wanted(since=wanted.since, until=wanted.until, tenant=wanted.tenant, bad=wanted.bad, after=place)
