"""The page of the ladder of savings."""

import datetime
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from groat.costs import Ledger
from serve.web.review.charts import ladder_picture
from serve.web.review.render import page, words_for
from serve.web.review.savings import ladder


@dataclass(frozen=True)
class SavingsPage:
    """What one day cost, against all expensive."""

    ledger: Ledger

    async def show(self, request: Request) -> Response:
        """Return the page of the day in the address, today without one."""
        caller = request.state.caller
        asked = request.query_params.get("day") or datetime.datetime.now(datetime.UTC).date().isoformat()
        tenant = caller.tenant if caller.tenant is not None else request.query_params.get("tenant") or None
        report = await self.ledger.day(asked, tenant=tenant)
        day = datetime.date.fromisoformat(report.day)
        steps = ladder(report)
        return page(
            request,
            "savings.html",
            here="savings",
            day=report.day,
            day_before=_shifted(day, -1),
            day_after=_shifted(day, 1),
            tenant=tenant,
            all_tenants=caller.tenant is None,
            steps=steps,
            picture=ladder_picture(steps, words_for(request)),
            questions=report.questions.questions,
            left_out=report.questions.questions - report.questions.compared,
        )


def _shifted(day: datetime.date, days: int) -> str:
    try:
        return (day + datetime.timedelta(days=days)).isoformat()
    except OverflowError:
        return day.isoformat()
