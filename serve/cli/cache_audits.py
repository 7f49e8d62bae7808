"""What ``groat cache`` shows of audits: counts, cost, and the bound before and after them."""

from collections import Counter
from collections.abc import Iterator, Mapping

from groat.cache import AnswerCache
from groat.cache.audit import Audits
from groat.cache.online import Standing
from groat.cache.tallies import Kind
from groat.costs import DayReport
from groat.types import Audited

_SAYS = {
    "shipped": "as calibrated; no audits yet",
    "audited": "as calibrated, confirmed or not refuted by audits",
    "raised": "raised, since audits found the promise broken below",
    "lowered": "lowered, since near misses turned out right",
    "closed": "closed: audits found the promise broken, and no score is proven to keep it",
    "unknown": "closed until the counts of audits can be read",
    "not_proven": "no score is proven to keep the promise",
}


async def audit_stats(answers: AnswerCache, audits: Audits | None, report: DayReport, share: float) -> dict[str, object]:
    """Return the counts since the rule is in force, the cost of the day, and the bound shipped and now.

    Raises:
        StorageError: the store cannot be read.
    """
    if audits is None:
        return {"audits": "none: only equal questions hit"}
    await answers.rule.ready()
    kinds: dict[Kind, Counter[str]] = {kind: Counter() for kind in ("audit", "gray", "alias", "event")}
    for cell, count in audits.bound.counts().items():
        if cell.kind in kinds:
            kinds[cell.kind][cell.outcome] += count
    events, cost = kinds["event"], report.audits
    return {
        "aliases": await audits.count_aliases(),
        "audit_share": share,
        "audits": {
            **_outcomes(kinds["audit"]),
            "dropped": events["dropped"],
            "failed": events["failed"],
            "skipped_for_budget": events["skipped_budget"],
        },
        "near_misses": _outcomes(kinds["gray"]),
        "audits_of_aliases": _outcomes(kinds["alias"]),
        "audit_calls": cost.calls,
        "audit_cost_usd": f"{cost.cost_usd:f}",
        "audit_unknown_prices": cost.unknown,
        "audit_failure": audits.bound.last_failure,
        "bounds": {name: _bound(one) for name, one in answers.rule.standings().items()},
    }


def _outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    found = {name: counts.get(name, 0) for name in ("right", "wrong", "undecided")}
    return {"done": sum(found.values()), **found}


def _bound(one: Standing) -> dict[str, object]:
    return {
        "shipped": _point(one.shipped),
        "now": _point(one.least),
        "origin": one.origin,
        "right": one.right,
        "wrong": one.wrong,
        "suspected": one.suspected,
    }


def _point(point: tuple[float, float] | None) -> dict[str, float] | None:
    return None if point is None else {"score": point[0], "bound": point[1]}


def bound_lines(bounds: object) -> Iterator[str]:
    """Yield a line for each scope, for people."""
    for name, one in bounds.items() if isinstance(bounds, dict) else ():
        yield (
            f"bound {name}: shipped {_told(one['shipped'])}, now {_told(one['now'])}; {_SAYS[one['origin']]} "
            f"({one['right']} right, {one['wrong']} wrong)"
        )


def _told(point: Mapping[str, float | None] | None) -> str:
    if point is None or point["score"] is None or point["bound"] is None:
        return "none"
    return f"{point['bound']:.2%} from score {point['score']:.1f}"


def explained_bound(audits: Audited, least: float | None, bound: float | None) -> str:
    """Return one line about the bound that decided on a candidate, for people."""
    shipped, now = {"score": audits["shipped_score"], "bound": audits["shipped_bound"]}, {"score": least, "bound": bound}
    near = "; near enough to be compared with the answer given instead" if audits["gray"] else ""
    return (
        f"bound for {audits['scope']}/{audits['mode']} ({audits['category']}) at a promise of {audits['promise']:.2%}: "
        f"shipped {_told(shipped)}, now {_told(now)}; {_SAYS[audits['origin']]} "
        f"({audits['right']} right, {audits['wrong']} wrong){near}"
    )
