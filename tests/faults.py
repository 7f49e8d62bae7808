"""Every fault of the model server through the whole graph: what comes of the question, and what it costs.

python -m tests.faults [--json FILE]
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from evals.report import add_json_option, hand_over
from tests.graph.conftest import GOOD
from tests.model_server import COUNTED, Body, Outcome, Refuses, Says, Twist, faulty, serve_model
from tests.served import Row, ServedWorld, billed, open_world, price

TIMEOUT_S = 1.5
"""Enough for a busy machine to get a request onto the wire: one that never left is on our bill and on nobody's else."""
PATIENT_S = 20.0
"""A deadline that every try of every tier fits into."""
SLOW_S = 60.0
"""Longer than any question here may last."""

Situation = Literal["cheap always", "cheap once", "both"]
SITUATIONS: tuple[Situation, ...] = ("cheap always", "cheap once", "both")
Mode = Literal["hold", "live"]
MODES: tuple[Mode, ...] = ("hold", "live")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that a server does wrong."""

    name: str
    kind: Outcome | Twist
    cause: str = ""
    """What the sentence of a question without an answer must hold; empty when an answer comes of it all the same."""
    timeout_s: float = 5.0
    deadline_s: float = 5.0
    unseen: bool = False
    """Words arrive in the body of a whole reply that never becomes one: the server bills them, and nobody here saw them."""

    def outcome(self, body: Body, number: int) -> Outcome:
        """Return what becomes of a request that was going to be answered well."""
        return faulty(_well, share=1.0, seed=0, kinds=[self.kind])(body, number)


def _well(body: Body, number: int) -> Outcome:
    return Says(text=GOOD, usage=COUNTED)


def _refused(seconds: float, form: Literal["seconds", "date", "ms"] = "ms") -> Refuses:
    return Refuses(status=429, retry_after_s=seconds, retry_after_as=form)


_RATE = "is over its rate limit or quota; wait, or raise the limit"
_LATER = "failed on the provider's side; try again later"
_AWAY = "cannot be reached, or broke off; check the network and the base URL"
_ODD = "sent something that is no answer of a chat model; check the base URL"
_TIME = "did not answer in time; try again or raise GROAT_TIMEOUT_S"
_DEADLINE = "did not answer before the deadline of the question; allow more with deadline_s"
_EMPTY = "the expensive model 'big' gave an empty answer; try again, or choose another model"
_REFUSED = "the expensive model 'big' "
"""The client passes no refusal of a stream on: there it is an empty answer."""
_TEXT = Says(text=GOOD, usage=COUNTED)
FAULTS: tuple[Fault, ...] = (
    Fault(name="wrong key", kind="unauthorized", cause="refused the key; check"),
    Fault(name="no right to the model", kind=Refuses(status=403), cause="refused the key; check"),
    Fault(name="no such model", kind=Refuses(status=404), cause="check that the model's name is right"),
    Fault(name="bad request", kind="bad_request", cause="check that the model's name is right"),
    Fault(name="no credit", kind=Refuses(status=429, code="insufficient_quota"), cause="has no credit left"),
    Fault(name="rate limit", kind="rate_limited", cause=_RATE),
    Fault(name="rate limit, wait 50 ms", kind=_refused(0.05), cause=_RATE),
    Fault(name="rate limit, wait 1 min", kind=_refused(60, "seconds"), cause=_RATE),
    Fault(name="rate limit, until a date", kind=_refused(90, "date"), cause=_RATE),
    Fault(name="error 500", kind="broken", cause=_LATER),
    Fault(name="error 503", kind="unavailable", cause=_LATER),
    Fault(name="hang", kind="hang", cause=_TIME, timeout_s=TIMEOUT_S, deadline_s=PATIENT_S),
    Fault(name="hang past the deadline", kind="hang", cause=_DEADLINE, timeout_s=SLOW_S, deadline_s=TIMEOUT_S),
    Fault(name="slow start", kind=replace(_TEXT, delay_s=SLOW_S), cause=_TIME, timeout_s=TIMEOUT_S, deadline_s=PATIENT_S),
    Fault(
        name="slow drip", kind=replace(_TEXT, piece_delay_s=SLOW_S / 50), cause=_TIME, timeout_s=TIMEOUT_S, deadline_s=PATIENT_S
    ),
    Fault(name="connection dropped", kind="drop", cause=_AWAY),
    Fault(name="cut at the start", kind=replace(_TEXT, cut_after=0), cause=_AWAY),
    Fault(name="cut in the middle", kind="cut", cause=_AWAY, unseen=True),
    Fault(name="bad JSON", kind="bad_json", cause=_ODD),
    Fault(name="a web page", kind="html", cause=_ODD),
    Fault(name="no choices", kind="empty_choices", cause=_ODD),
    Fault(name="empty answer", kind="no_content", cause=_EMPTY),
    Fault(name="refusal", kind="refusal", cause=_REFUSED),
    Fault(name="ends at its length", kind="length"),
    Fault(name="content filter", kind="content_filter"),
    Fault(name="usage without output", kind="no_output"),
    Fault(name="usage, more cached than sent", kind="cached_over_input"),
    Fault(name="negative usage", kind="negative"),
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What came of one question under one fault."""

    fault: Fault
    situation: Situation
    mode: Mode
    answer: str
    verified: bool
    by: str
    """Tier of the last attempt."""
    error: str
    steps: list[str]
    attempts: int
    calls: dict[str, int]
    cost_usd: Decimal
    state_cost_usd: Decimal
    bill_usd: Decimal
    paid: list[Row] = field(repr=False)
    billed: list[Row] = field(repr=False)
    seconds: float
    kept: int
    """Answers in the cache afterwards."""


async def play(world: ServedWorld, fault: Fault, situation: Situation, mode: Mode) -> Cell:
    """Ask one question of one faulty server."""
    seen = itertools.count()

    def answering(body: Body, number: int) -> Outcome:
        struck = situation == "both" or (body["model"] == "small" and (situation == "cheap always" or next(seen) == 0))
        return fault.outcome(body, number) if struck else _well(body, number)

    with serve_model(answer_with=answering, hang_s=SLOW_S) as server:
        here = world.with_models(server, timeout_s=fault.timeout_s)
        begun = time.perf_counter()
        output = await here.ask(deadline_s=fault.deadline_s, stream=mode)
        seconds = time.perf_counter() - begun
        await server.settled()
    bill = billed(server)
    return Cell(
        fault=fault,
        situation=situation,
        mode=mode,
        answer=output["answer"],
        verified=output["verified"],
        by=output["attempts"][-1]["tier"],
        error=output["error"],
        steps=[verdict["step"] for verdict in output["verdicts"]],
        attempts=len(output["attempts"]),
        calls=dict(Counter(call["outcome"] for attempt in output["attempts"] for call in attempt["calls"])),
        cost_usd=await here.cost(),
        state_cost_usd=Decimal(output["cost_usd"] or "NaN"),
        bill_usd=price(bill),
        paid=here.paid(),
        billed=bill,
        seconds=seconds,
        kept=await here.services.answers.count(),
    )


CELLS: tuple[tuple[Situation, Mode], ...] = tuple(itertools.product(SITUATIONS, MODES))


async def matrix(folder: Path, faults: Sequence[Fault] = FAULTS) -> list[Cell]:
    """Play every fault in every situation, one after another."""
    world = await open_world(folder)
    return [await play(world, fault, situation, mode) for fault in faults for situation, mode in CELLS]


def _outcome(cell: Cell) -> str:
    if cell.answer:
        return cell.by if cell.verified else "unverified"
    return "sentence"


def _tables(cells: Sequence[Cell]) -> list[Table]:
    """Return a table for each situation; held and live share a line where they came to the same."""
    tables = []
    for situation in SITUATIONS:
        table = Table(
            Column("fault", no_wrap=True), "stream", Column("outcome", no_wrap=True), "req.", "att.", "ledger µ$", "bill µ$",
            "s", title=f"strikes: {situation}", box=SIMPLE_HEAD, padding=0,
        )  # fmt: skip
        for fault in dict.fromkeys(cell.fault for cell in cells):
            found = {cell.mode: cell for cell in cells if cell.fault is fault and cell.situation == situation}
            rows = {mode: _row(cell) for mode, cell in found.items()}
            seconds = {mode: f"{cell.seconds:.2f}" for mode, cell in found.items()}
            if rows["hold"] == rows["live"]:
                table.add_row(fault.name, "both", *rows["hold"], max(seconds.values()))
            else:
                for mode, row in rows.items():
                    table.add_row(fault.name, mode, *row, seconds[mode])
        tables.append(table)
    return tables


def _row(cell: Cell) -> list[str]:
    counts = [str(len(cell.billed)), str(cell.attempts)]
    ledger, bill = (f"{(amount * 1_000_000).normalize():f}" for amount in (cell.cost_usd, cell.bill_usd))
    return [_outcome(cell), *counts, ledger, "equal" if bill == ledger else bill]


def _lines(cells: Sequence[Cell]) -> list[str]:
    answered = sum(bool(cell.answer) for cell in cells)
    sentences = {(cell.fault.name, cell.error): None for cell in cells if cell.error}
    return [
        f"{len(cells)} questions: {answered} answered, {len(cells) - answered} with one sentence",
        *(f"{name}: {sentence}" for name, sentence in sentences),
    ]


def _plain(cell: Cell) -> dict[str, object]:
    row = {
        **asdict(cell),
        "fault": cell.fault.name,
        "deadline_s": cell.fault.deadline_s,
        "outcome": _outcome(cell),
        "requests": len(cell.billed),
    }
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}


async def main(arguments: Sequence[str]) -> None:
    """Play the matrix and show it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cells = await matrix(Path(folder))
    hand_over([_plain(cell) for cell in cells], options.json_file, [*_tables(cells), *_lines(cells)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
