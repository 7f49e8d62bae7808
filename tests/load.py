"""Many questions at once on faulty models with rate limits: none lost, none doubled, no limit exceeded, every token paid.

python -m tests.load [--questions 1000] [--at-once 50] [--faults 0.2] [--json FILE]
"""

import argparse
import asyncio
import math
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from rich.table import Table

from evals.report import add_json_option, hand_over
from groat.answering import Limits
from tests.model_server import COUNTED, Body, ModelServer, Outcome, Refuses, Says, Twist, faulty, serve_model
from tests.model_server import Limits as ServerLimits
from tests.served import Row, ServedWorld, billed, open_world, price

LIMITS = Limits(requests=40, tokens=11_000, window_s=1.0)
"""Of each model. A call holds about 400 tokens while it is under way and has used about 270 of them when it ends."""
TIMEOUT_S = 2.0
DEADLINE_S = 120.0
KINDS: tuple[Outcome | Twist, ...] = (
    "unauthorized", "bad_request", Refuses(status=429, code="insufficient_quota"),
    "rate_limited", Refuses(status=429, retry_after_s=0.05, retry_after_as="ms"), "broken", "unavailable",
    "hang", "drop", "cut", "bad_json", "html", "empty_choices", "no_content",
    "length", "content_filter", "refusal", "no_output", "cached_over_input", "negative",
)  # fmt: skip
"""Everything that the server can do wrong."""
_TICKET = re.compile(r"ticket T\d+")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of one question."""

    number: int
    run: str
    answer: str
    verified: bool
    error: str
    requests: int
    cost_usd: Decimal
    seconds: float

    @property
    def is_its_own(self) -> bool:
        """The answer, if there is one, was given to this question."""
        return not self.answer or _TICKET.findall(self.answer) == [ticket(self.number)]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The fullest windows of one model as its server saw them."""

    model: str
    requests: int
    most_requests: int
    request_limit: int
    most_tokens: int
    token_limit: int
    refused: int
    most_at_once: int


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came of all questions."""

    reports: list[Report] = field(repr=False)
    paid: list[Row] = field(repr=False)
    billed: list[Row] = field(repr=False)
    ledger_usd: Decimal
    bill_usd: Decimal
    outcomes: dict[str, int]
    """Of the requests, as the servers saw them."""
    traces: list[Trace]
    seconds: float


def ticket(number: int) -> str:
    """Return what tells the questions and their answers apart."""
    return f"ticket T{1000 + number}"


def _question(number: int) -> str:
    return f"How long is a password reset link valid, {ticket(number)}?"


def _well(body: Body, number: int) -> Outcome:
    """Answer the question that was asked."""
    asked = re.search(r"<question>(.*?)</question>", body["messages"][-1]["content"])
    found = _TICKET.search(asked.group(1)) if asked else None
    assert found is not None  # every question has one
    return Says(text=f"A password reset link is valid for 20 minutes, {found.group()}. [en-reset]", usage=COUNTED)


def _struck(share: float, seed: int, body: Body, number: int) -> Outcome:
    outcome = faulty(_well, share=share, seed=seed, kinds=KINDS)(body, number)
    if isinstance(outcome, Says) and outcome.cut_after is not None and not body.get("stream"):
        # Words in a whole reply that never ends are seen by nobody, so nobody here can count them.
        return replace(outcome, cut_after=0)
    return outcome


async def run(folder: Path, *, questions: int, at_once: int, share: float, limits: Limits = LIMITS) -> Load:
    """Ask the questions, each model on a server of its own that enforces its limits; every other answer is streamed."""
    world = await open_world(folder)
    enforced = ServerLimits(requests=limits.requests, tokens=limits.tokens, window_s=limits.window_s)
    with (
        serve_model(answer_with=lambda body, n: _struck(share, 1, body, n), hang_s=60, limits=enforced) as cheap,
        serve_model(answer_with=lambda body, n: _struck(share, 2, body, n), hang_s=60, limits=enforced) as expensive,
    ):
        here = world.with_models(cheap, expensive, timeout_s=TIMEOUT_S, limits=limits)
        begun = time.perf_counter()
        room = asyncio.Semaphore(at_once)
        reports = await asyncio.gather(*(_ask(here, room, number) for number in range(questions)))
        seconds = time.perf_counter() - begun
        await asyncio.gather(cheap.settled(), expensive.settled())
    servers = {"small": cheap, "big": expensive}
    bill = billed(*servers.values())
    return Load(
        reports=reports,
        paid=here.paid(),
        billed=bill,
        ledger_usd=await here.cost(),
        bill_usd=price(bill),
        outcomes=dict(Counter(one.outcome for server in servers.values() for one in server.bill).most_common()),
        traces=[_trace(name, server, limits) for name, server in servers.items()],
        seconds=seconds,
    )


async def _ask(world: ServedWorld, room: asyncio.Semaphore, number: int) -> Report:
    async with room:
        begun = time.perf_counter()
        mode = "live" if number % 2 else "hold"
        output = await world.ask(_question(number), use_cache=False, stream=mode, deadline_s=DEADLINE_S)
    return Report(
        number=number,
        run=output["run"],
        answer=output["answer"],
        verified=output["verified"],
        error=output["error"],
        requests=sum(len(attempt["calls"]) for attempt in output["attempts"]),
        cost_usd=Decimal(output["cost_usd"] or "NaN"),
        seconds=time.perf_counter() - begun,
    )


def _trace(model: str, server: ModelServer, limits: Limits) -> Trace:
    trace = server.trace()
    return Trace(
        model=model,
        requests=len(trace),
        most_requests=max((one.requests_in_window for one in trace), default=0),
        request_limit=limits.requests or 0,
        most_tokens=max((one.tokens_in_window for one in trace), default=0),
        token_limit=limits.tokens or 0,
        refused=server.violations,
        most_at_once=server.most_at_once,
    )


def _limits_table(load: Load) -> Table:
    table = Table("model", "requests", "most in a window", "limit", "most tokens in a window", "limit", "over", "most at once")
    for one in load.traces:
        table.add_row(
            one.model, str(one.requests), str(one.most_requests), str(one.request_limit), str(one.most_tokens),
            str(one.token_limit), str(one.refused), str(one.most_at_once),
        )  # fmt: skip
    return table


def _lines(load: Load) -> list[str]:
    waits = sorted(report.seconds for report in load.reports)
    errors = Counter(re.sub(r" \(HTTP \d+\)", "", report.error) for report in load.reports if report.error)
    return [
        f"{len(load.reports)} questions in {load.seconds:.1f} s: {sum(r.verified for r in load.reports)} verified, "
        f"{sum(bool(r.answer) and not r.verified for r in load.reports)} unverified, {sum(errors.values())} with a sentence",
        f"{len({r.run for r in load.reports})} runs, {sum(r.is_its_own for r in load.reports)} with no other question's answer",
        f"{len(load.billed)} requests at the servers, {len(load.paid)} rows in the ledger, equal: {load.paid == load.billed}",
        f"ledger ${load.ledger_usd:f}, servers' bill ${load.bill_usd:f}",
        f"seconds: p50 {statistics.median(waits):.2f}, p95 {waits[math.ceil(0.95 * (len(waits) - 1))]:.2f}",
        f"requests by outcome: {load.outcomes}",
        *(f"{count} x {sentence}" for sentence, count in errors.most_common()),
    ]


def _plain(load: Load) -> dict[str, object]:
    return {
        "questions": len(load.reports),
        "runs": len({report.run for report in load.reports}),
        "own_answers": sum(report.is_its_own for report in load.reports),
        "verified": sum(report.verified for report in load.reports),
        "sentences": sum(bool(report.error) for report in load.reports),
        "requests": len(load.billed),
        "ledger_rows": len(load.paid),
        "ledger_equals_bill": load.paid == load.billed,
        "ledger_usd": str(load.ledger_usd),
        "bill_usd": str(load.bill_usd),
        "outcomes": load.outcomes,
        "limits": [asdict(trace) for trace in load.traces],
        "seconds": round(load.seconds, 2),
    }


async def main(arguments: Sequence[str]) -> None:
    """Run the load and show it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--faults", type=float, default=0.2, help="share of the requests that end badly")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        load = await run(Path(folder), questions=options.questions, at_once=options.at_once, share=options.faults)
    hand_over(_plain(load), options.json_file, [_limits_table(load), *_lines(load)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
