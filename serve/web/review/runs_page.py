"""The pages of runs: the list, one run, what people say of it, and causes over time."""

import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from graph.blame_cases import Blamer, Terms
from graph.services import Services
from groat.blame.records import Kept, RunRecords, Wanted
from groat.blame.snapshot import Finding, Mark
from groat.costs.amounts import begin_of, utc_day
from groat.errors import BadInput
from serve.web.forms import read_form
from serve.web.review import filters, seen
from serve.web.review.charts import causes_picture, path_picture
from serve.web.review.render import page, words_for

_DAY_S = 86_400.0
_SPAN_DAYS = 14
_MOST_DAYS = 400


@dataclass(frozen=True)
class RunsPage:
    """What was asked and decided, from the kept runs."""

    runs: RunRecords
    services: Services

    async def show(self, request: Request) -> Response:
        """Return the list, filtered as the address says."""
        caller = request.state.caller
        wanted = filters.wanted(request.query_params, caller)
        found = await self.runs.find(wanted)
        return page(
            request,
            "runs.html",
            here="runs",
            choices=filters.CHOICES,
            query=request.query_params,
            all_tenants=caller.tenant is None,
            runs=found.runs,
            next=filters.written(found.next) if found.next else "",
            kept=bool(found.runs) or await self._any(caller.tenant),
        )

    async def show_one(self, request: Request) -> Response:
        """Return everything about one run."""
        kept = await self._kept(request)
        if kept is None:
            return page(request, "missing.html", status=404)
        run, words = kept.snapshot, words_for(request)
        return page(
            request,
            "run.html",
            here="runs",
            run=run,
            told=words("saved_mark") if request.query_params.get("told") == "marked" else "",
            bad=kept.marks[-1].bad if kept.marks else run.is_bad,
            marks=kept.marks,
            blamed=kept.blamed,
            replays=seen.replays(kept.blamed.body) if kept.blamed else [],
            reasons=seen.reasons(kept.blamed.body) if kept.blamed else [],
            picture=path_picture(run.path, words),
            cards=seen.cards(run),
            attempts=seen.attempts(run),
            verdicts=seen.verdicts(run),
            passages=seen.passages(run),
            paid=seen.total(run.charges),
            versions=list(run.versions.items()),
        )

    async def mark(self, request: Request) -> Response:
        """Keep what the reviewer says of a run, and return to it."""
        kept = await self._kept(request)
        if kept is None:
            return page(request, "missing.html", status=404)
        said = await read_form(request)
        if said.get("bad") not in ("yes", "no"):
            raise BadInput("say bad=yes or bad=no")
        run = kept.snapshot.run
        right = said.get("reference", "").strip()
        await self.runs.mark(
            Mark(
                run=run,
                kind="person",
                at=time.time(),
                bad=said["bad"] == "yes",
                reference={"answer": right} if right else None,
                note=said.get("note", "").strip(),
            )
        )
        return RedirectResponse(f"/review/runs/{quote(run)}?told=marked", 303)

    async def examine(self, request: Request) -> Response:
        """Find out what the run's bad answer comes from, keep the verdict, and return to the run."""
        kept = await self._kept(request)
        if kept is None:
            return page(request, "missing.html", status=404)
        await Blamer(self.services, self.runs, Terms()).kept(kept.snapshot.run)
        return RedirectResponse(f"/review/runs/{quote(kept.snapshot.run)}#cause", 303)

    async def causes(self, request: Request) -> Response:
        """Return what investigations found, day by day."""
        query, caller = request.query_params, request.state.caller
        until = query.get("until") or utc_day(time.time())
        since = query.get("since") or utc_day(begin_of(until) - (_SPAN_DAYS - 1) * _DAY_S)
        begin, end = begin_of(since), begin_of(until) + _DAY_S
        if not begin < end <= begin + _MOST_DAYS * _DAY_S:
            raise BadInput(f"the days must be in order, at most {_MOST_DAYS} of them")
        tenant = caller.tenant if caller.tenant is not None else query.get("tenant") or None
        spans = await self.runs.causes(since=begin, until=end, step_s=_DAY_S, tenant=tenant)
        counts = Counter[Finding]()
        for span in spans:
            counts.update(span.found)
        ranked = counts.most_common()
        words = words_for(request)
        columns = {words(f"origin_{cause}"): [span.found.get(cause, 0) for span in spans] for cause, _ in ranked}
        return page(
            request,
            "causes.html",
            here="causes",
            since=since,
            until=until,
            tenant=tenant,
            all_tenants=caller.tenant is None,
            runs=sum(span.runs for span in spans),
            bad=sum(span.bad for span in spans),
            found=counts.total(),
            counts=ranked,
            picture=causes_picture([utc_day(span.begin) for span in spans], columns, words),
        )

    async def _kept(self, request: Request) -> Kept | None:
        """Return the run that the address names; None when there is none, or it is another tenant's."""
        kept = await self.runs.get(request.path_params["run"])
        return kept if kept is not None and request.state.caller.sees(kept.snapshot.asked["tenant"]) else None

    async def _any(self, tenant: str | None) -> bool:
        return bool((await self.runs.find(Wanted(tenant=tenant, limit=1))).runs)
