"""Keeps what happened to a question, from outside of the boxes, once its answer is settled."""

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from langgraph.runtime import Runtime
from opentelemetry import trace

from graph.context import Context
from graph.decompressing import Recorded
from graph.route_auditing import Watched
from graph.run_feedback import ToldRuns
from graph.settings import Settings
from groat.answering import PROMPT_VERSION
from groat.blame.records import RunRecords
from groat.blame.snapshot import Snapshot, without_texts
from groat.cache.audit import chosen
from groat.cache.background import Background
from groat.errors import StorageError
from groat.types import Box, Identity, Lookup
from nodes import Knobs
from nodes.check_cache import CheckCache
from nodes.check_cache import Needs as Begins
from nodes.check_cache import Update as Begun
from nodes.validate import Needs as Validates
from nodes.validate import Update as Validated
from nodes.validate import Validate

RUNS: Final = "runs.sqlite"
"""The file of kept runs, in the folder of data."""
_MOST_WAITING: Final = 256
"""Runs that may wait to be written; a run with texts takes some 30 KB until then."""
_LOG = logging.getLogger(__name__)


def open_runs(settings: Settings) -> ToldRuns:
    """Return the kept runs in the folder of data."""
    return ToldRuns(
        settings.data_dir / RUNS,
        keep_days=settings.keep_runs_days,
        wait_h=settings.keep_runs_wait_h,
        most_bytes=settings.keep_runs_mb * 1_000_000,
    )


def open_recorder(settings: Settings, embedder: str) -> "Recorder | None":
    """Return what keeps runs; None when nothing is to be kept.

    Args:
        settings: what is set.
        embedder: name of the embedder in use.
    """
    if settings.keep_runs_days == 0:
        return None
    return Recorder(open_runs(settings), share=settings.keep_runs, texts=settings.keep_run_texts, embedder=embedder)


class Recorder:
    """Takes a run when its answer is settled, and keeps it when nobody waits.

    Nothing here touches the request: what takes a run returns at once and raises nothing, what is too much is dropped and
    counted, and what cannot be written is counted and logged.

    Args:
        runs: where runs are kept.
        share: of good runs that are kept beyond the time in which somebody may call them bad, 0 to 1.
        texts: whether questions, answers and passages are kept.
        embedder: name of the embedder in use.
        background: does the writing.
    """

    def __init__(
        self,
        runs: RunRecords,
        *,
        share: float,
        texts: bool,
        embedder: str,
        background: Background | None = None,
    ) -> None:
        """Start nothing."""
        self.runs = runs
        self.embedder = embedder
        self.dropped = 0
        """How many runs were not taken on, since too many were waiting, or given up at the end."""
        self.failed = 0
        """How many runs could not be written."""
        self._share = share
        self._texts = texts
        self._background = background or Background(at_once=1, waiting=_MOST_WAITING)

    def settled(self, take: Callable[[], Snapshot]) -> None:
        """Keep the run that ``take`` puts together, later."""

        async def work() -> None:
            try:
                run = take()
                await self.runs.add(run if self._texts else without_texts(run), sampled=chosen(run.run, self._share))
            except StorageError as error:
                # The question was answered; only the record of it is lost.
                self.failed += 1
                _LOG.warning("%s", error)
            except Exception:
                self.failed += 1
                raise

        if not self._background.submit(work):
            self.dropped += 1

    async def close(self, *, within_s: float) -> None:
        """Wait for what is under way, at most ``within_s`` seconds, and drop the rest."""
        self.dropped += await self._background.close(within_s=within_s)


@dataclass(frozen=True, kw_only=True)
class HitsSeen:
    """The box ``check_cache``, which tells of every question that a kept answer ended."""

    box: CheckCache
    recorder: Recorder

    async def __call__(self, state: Begins, runtime: Runtime[Knobs]) -> Begun:
        """Return what the box returns."""
        update = await self.box(state, runtime)
        if update["lookup"]["outcome"] == "hit":
            named = _named(runtime)
            self.recorder.settled(lambda: _hit(update, runtime.context, named, self.recorder.embedder))
        return update


class Ends(Validates):
    """What is read of the state at the end of a question."""

    identity: Identity
    lookup: Lookup
    path: list[Box]


@dataclass(frozen=True, kw_only=True)
class EndsSeen:
    """The box ``validate``, which tells of every question that was settled there."""

    box: Validate | Watched | Recorded
    recorder: Recorder

    async def __call__(self, state: Ends, runtime: Runtime[Knobs]) -> Validated:
        """Return what the box returns."""
        update = await self.box(state, runtime)
        if "answer" in update:
            named = _named(runtime)
            self.recorder.settled(lambda: _ended(state, update, runtime.context, named, self.recorder.embedder))
        return update


def hits_seen(box: CheckCache, recorder: Recorder | None) -> "CheckCache | HitsSeen":
    """Return the box ``check_cache``, with the recorder told of what ends there unless there is none."""
    return box if recorder is None else HitsSeen(box=box, recorder=recorder)


def ends_seen(box: Validate | Watched | Recorded, recorder: Recorder | None) -> "Validate | Watched | Recorded | EndsSeen":
    """Return the box ``validate``, with the recorder told of what is settled there unless there is none."""
    return box if recorder is None else EndsSeen(box=box, recorder=recorder)


@dataclass(frozen=True)
class _Named:
    """Ids of the traces that a run is in."""

    trace: str
    otel_trace: str


def _named(runtime: Runtime[Knobs]) -> _Named:
    known = runtime.execution_info
    seen = trace.get_current_span().get_span_context()
    return _Named(
        (known.run_id or "") if known is not None else "",
        trace.format_trace_id(seen.trace_id) if seen.is_valid else "",
    )


def _hit(update: Begun, knobs: Knobs, named: _Named, embedder: str) -> Snapshot:
    return Snapshot(
        run=update["run"],
        trace=named.trace,
        otel_trace=named.otel_trace,
        at=update["asked_at"],
        asked=update["asked"],
        knobs=dataclasses.asdict(cast(Context, knobs)),
        identity=update["identity"],
        lookup=update["lookup"],
        passages=[],
        route=None,
        shortened=None,
        attempts=[],
        verdicts=[],
        charges=[*update["charges"].value],
        path=["check_cache"],
        answer=update["answer"],
        verified=update["verified"],
        sources=update["sources"],
        error="",
        cost_usd=update["cost_usd"],
        baseline_cost_usd=update["baseline_cost_usd"],
        versions={
            "prompts": PROMPT_VERSION,
            "cache": update["lookup"]["calibration"],
            "router": "none",
            "acceptance": "none",
            "embedder": embedder,
        },
        seeds={},
    )


def _ended(state: Ends, update: Validated, knobs: Knobs, named: _Named, embedder: str) -> Snapshot:
    verdicts = [*state["verdicts"], *update["verdicts"]]
    path: list[Box] = [*state["path"], "validate"]
    if verdicts[-1]["step"] == "accept":
        path.append("remember")
    acceptance = next((one["acceptance"]["artifact"] for one in reversed(verdicts) if "acceptance" in one), "none")
    return Snapshot(
        run=state["run"],
        trace=named.trace,
        otel_trace=named.otel_trace,
        at=state["asked_at"],
        asked=state["asked"],
        knobs=dataclasses.asdict(cast(Context, knobs)),
        identity=state["identity"],
        lookup=state["lookup"],
        passages=state["passages"],
        route=state["route"],
        shortened=state["shortened"],
        attempts=state["attempts"],
        verdicts=verdicts,
        charges=[*state["charges"], *update["charges"]],
        path=path,
        answer=update["answer"],
        verified=update["verified"],
        sources=update["sources"],
        error=update["error"],
        cost_usd=update["cost_usd"],
        baseline_cost_usd=update["baseline_cost_usd"],
        versions={
            "prompts": PROMPT_VERSION,
            "cache": state["lookup"]["calibration"],
            "router": state["route"]["artifact"],
            "acceptance": acceptance,
            "embedder": embedder,
        },
        seeds={},
    )
