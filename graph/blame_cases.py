"""Blames runs that were kept, and questions of a data set with what is known of their right answers."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage

from graph.blame_knobs import reference_of
from graph.blaming import blame
from graph.build import build_graph
from graph.context import Context
from graph.recording import Recorder
from graph.replaying import Replayer
from graph.services import Services
from groat.blame.investigate import MOST_CALLS
from groat.blame.records import Kept, RunRecords
from groat.blame.reference import Reference, read_reference
from groat.blame.snapshot import Mark, MarkKind, Snapshot
from groat.errors import BadInput, GroatError
from groat.row_files import lines_of, what_is_wrong


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of a data set of bad answers."""

    place: str
    """File and line, for messages."""
    run: str
    """Id of a kept run; empty for a question that is asked now."""
    question: str
    """Empty for a kept run."""
    tenant: str
    reference: Reference | None
    """None: what the marks of the run say."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What blaming may take."""

    max_cost_usd: Decimal | None = None
    """Most that all replays together may cost; None for no limit."""
    most_calls: int = MOST_CALLS
    """Calls of models for one case."""


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a file; ``docs/data-formats.md`` says what a row holds.

    Raises:
        BadInput: the file cannot be read or a row is broken; the message names the line.
    """
    cases = []
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            cases.append(_case(json.loads(line), place))
        except (ValueError, TypeError, BadInput) as error:
            why = str(error) if isinstance(error, BadInput) else what_is_wrong(error)
            raise BadInput(f"{place}: {why}; docs/data-formats.md says what a case holds") from error
    if not cases:
        raise BadInput(f"{path} holds no case; docs/data-formats.md says what a case holds")
    return cases


def _case(raw: object, place: str) -> Case:
    if not isinstance(raw, dict):
        raise BadInput("a case must be a JSON object")
    run, question, tenant = raw.get("run", ""), raw.get("question", ""), raw.get("tenant", "default")
    if not all(isinstance(one, str) for one in (run, question, tenant)) or bool(run) == bool(question):
        raise BadInput('a case must have either "run" or "question", as a text')
    reference = raw.get("reference")
    if reference is not None and not isinstance(reference, dict):
        raise BadInput('"reference" must be a JSON object')
    known = None if reference is None else read_reference(reference)
    if question and known is None:
        raise BadInput('a question that is asked now needs a "reference"')
    return Case(place=place, run=run, question=question, tenant=tenant, reference=known)


class Blamer:
    """Blames one case after the other, within one budget for all.

    Args:
        services: what answers.
        runs: where runs are kept, and verdicts on them.
        terms: what it may take.
    """

    def __init__(self, services: Services, runs: RunRecords, terms: Terms) -> None:
        """Ask nobody yet."""
        self._services = services
        self._runs = runs
        self._terms = terms
        self._replayer = Replayer(services)
        self._spent = Decimal(0)

    async def kept(self, run: str, reference: Reference | None = None) -> dict[str, Any]:
        """Return the verdict on a kept run as JSON, and keep it beside the run.

        Args:
            run: its id, or that of its trace.
            reference: what is known of the right answer; what its marks say without it.

        Raises:
            BadInput: no such run is kept, or it was kept without its texts.
            StorageError: the kept runs cannot be used.
        """
        found = await self._runs.get(run)
        if found is None:
            raise BadInput(
                f"no run {run!r} is kept; its id stands in the answer (`run`), and GROAT_KEEP_RUNS_DAYS says how long"
            )
        if reference is not None:
            mark = Mark(run=found.snapshot.run, kind="person", at=time.time(), bad=True, reference=dict(reference))
            await self._runs.mark(mark)
        return await self._blame(found.snapshot, reference or reference_of(found), _marked_by(found, reference))

    async def asked(self, case: Case) -> dict[str, Any]:
        """Ask the question of a case as a user would, and return the verdict on the answer."""
        capture: list[Snapshot] = []
        graph = build_graph(replace(self._services, recorder=_Capture(capture, self._services.embedder.name)))
        await graph.ainvoke({"messages": [HumanMessage(case.question)]}, context=Context(tenant=case.tenant))
        return await self._blame(capture[-1], case.reference, "evaluator")

    async def each(self, cases: Sequence[Case]) -> AsyncIterator[dict[str, Any]]:
        """Yield the verdicts on the cases; one that cannot be looked into says why in ``error``."""
        for case in cases:
            try:
                found = await self.kept(case.run, case.reference) if case.run else await self.asked(case)
            except GroatError as error:
                nothing = {"origin": "unclear", "missed_by": "none", "evidence": {}, "replays": []}
                found = {"run": case.run, **nothing, "error": str(error)}
            yield {**found, "case": case.place, "question": case.question}

    async def _blame(self, run: Snapshot, reference: Reference | None, mark: MarkKind) -> dict[str, Any]:
        most = self._terms.max_cost_usd
        left = None if most is None else max(most - self._spent, Decimal(0))
        _, blamed = await blame(
            run, self._services, self._replayer, reference=reference, mark=mark, max_cost_usd=left,
            most_calls=self._terms.most_calls,
        )  # fmt: skip
        self._spent += Decimal(blamed.cost_usd or 0)
        await self._runs.blame(blamed)
        return blamed.body


def _marked_by(kept: Kept, reference: Reference | None) -> MarkKind:
    if reference is not None:
        return "person"
    bad = [mark.kind for mark in kept.marks if mark.bad]
    return bad[-1] if bad else "validator" if kept.snapshot.is_bad else "user"


class _Capture(Recorder):
    """Keeps settled runs in a list."""

    def __init__(self, runs: list[Snapshot], embedder: str) -> None:
        self._captured = runs
        self.embedder = embedder

    def settled(self, take: Callable[[], Snapshot]) -> None:
        self._captured.append(take())
