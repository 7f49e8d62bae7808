"""The honest cost ladder: the same day of traffic through every arm, and what each of them costs, saves and loses."""

import asyncio
import hashlib
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Thread

from filelock import FileLock
from typing_extensions import TypedDict

import graph
import groat
import nodes
from evals.ladder_arms import COMPUTED, GRAPH, PLAIN, STEPS, Arm
from evals.ladder_bill import CACHED_FROM, Bill
from evals.ladder_figures import Step, cost_of, step
from evals.ladder_outcomes import Outcome
from evals.ladder_plain import Plain, random_at
from evals.ladder_reading import Survey, survey
from evals.ladder_run import Day, run_arm
from evals.ladder_world import Prices
from evals.quick_vectors import QuickEmbedder
from evals.vectors import VectorFile
from groat.answering.prompts import system_messages
from groat.costs import PriceTable
from groat.errors import BadInput
from groat.text import clean_question, count_tokens, sentence_spans
from groat.types import Asked

Progress = Callable[[str, int, int], None]
"""Told what is at work, how many requests are done, and how many there are."""
_SAVE_EVERY = 2_000
_RULER = "+ cascade"
"""The step with all levers and default settings: what random spends as much as, and what computed prices start from."""
_PLAIN_BASE, _PLAIN_CHEAP, _RANDOM, _ORACLE, _IDEAL, _RECIPE = PLAIN


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a run."""

    workload: Path
    prices: Prices
    folder: Path
    """Vectors and results are kept here between runs; outside the repository."""
    limit: int | None = None
    """Most rows to take, from the first; None for all."""
    steps: tuple[str, ...] = STEPS
    seed: int = 7
    jobs: int = 1
    """Arms that run beside each other, each in a process of its own."""
    shared_tokens: int | None = None
    """Tokens that all prompts begin with, for the price step of the prompt cache; None: groat's own instructions alone."""
    waiting: float = 0.2
    """Share of the calls, 0..1, that can wait, for the price step of the batch rates."""
    on_bad: Callable[[str], None] | None = None
    """Is told of each bad row, which is then left out; None: the first one ends the run."""


class Report(TypedDict):
    """What a run found."""

    workload: str
    rows: int
    hash: str
    """Of the rows that were used."""
    assumed: int
    placeholders: int
    """Rows of which an answer has no text: validation was not available for it, and accepted it."""
    models: dict[str, str]
    """Tier -> whose list prices apply."""
    price_table: str
    unpriced: list[str]
    """Models without a list price; costs are then unknown."""
    seed: int
    steps: list[Step]


def run(request: Request, progress: Progress) -> Report:
    """Put the day through the chosen steps, and return their figures. All expensive is always the first.

    Raises:
        BadInput: a step is not known, or the workload cannot be used.
    """
    if unknown := [name for name in request.steps if name not in STEPS]:
        raise BadInput(f"no step is called {', '.join(map(repr, unknown))}; there are {', '.join(STEPS)}")
    found = survey(request.workload, request.on_bad, limit=request.limit)
    bill = Bill(request.prices, PriceTable())
    day = Day(
        workload=request.workload,
        limit=request.limit,
        skip_bad=request.on_bad is not None,
        tenants=frozenset(found.tenants),
        latencies=found.latencies,
        prices=request.prices,
        folder=request.folder / "results" / _name(request),
    )
    vectors = VectorFile(QuickEmbedder(), request.folder / "vectors")
    if _needs_vectors(request.steps):
        asyncio.run(_prepare(day, vectors, found, request.folder / "vectors", progress))
    by_arm = _through_graph(request, day, vectors, found.rows, progress)
    return {
        "workload": request.workload.name,
        "rows": found.rows,
        "hash": found.hash,
        "assumed": found.assumed,
        "placeholders": found.placeholders,
        "models": {"cheap": request.prices.cheap, "expensive": request.prices.expensive},
        "price_table": bill.version,
        "unpriced": bill.unknown(),
        "seed": request.seed,
        "steps": _steps(request, day, bill, vectors, by_arm),
    }


def _steps(request: Request, day: Day, bill: Bill, vectors: VectorFile, by_arm: Mapping[str, Sequence[Outcome]]) -> list[Step]:
    plain = Plain(bill=bill, latencies=day.latencies)
    base = plain.all_of(day.rows(), "expensive")

    def outcomes(name: str) -> Sequence[Outcome]:
        """Return what became of each request in a step."""
        if name in GRAPH:
            return by_arm[GRAPH[name].key]
        if name == _PLAIN_BASE:
            return base
        if name == _PLAIN_CHEAP:
            return plain.all_of(day.rows(), "cheap")
        if name == _ORACLE:
            return plain.oracle(day.rows())
        if name == _IDEAL:
            return plain.ideal(day.rows())
        if name == _RECIPE:
            return asyncio.run(plain.recipe(day.rows(), vectors))
        ruler = by_arm[GRAPH[_RULER].key]
        if name == _RANDOM:
            return random_at(plain.all_of(day.rows(), "cheap"), base, cost_of(ruler) or 0.0, request.seed)
        cached = bill.with_prompt_cache(ruler, _shared(request))
        return cached if name == COMPUTED[0] else bill.with_batch(cached, request.waiting)

    chosen = [name for name in STEPS if name in {_PLAIN_BASE, *request.steps}]
    return [step(name, outcomes(name), base, note=_note(name, request)) for name in chosen]


def _note(name: str, request: Request) -> str:
    if name == COMPUTED[0]:
        shared = _shared(request)
        too_short = f", which is below the {CACHED_FROM} from which on providers keep it" if shared < CACHED_FROM else ""
        return f"prompts begin with the same {shared} tokens{too_short}"
    if name == COMPUTED[1]:
        return f"assumed: {request.waiting:.0%} of the calls can wait"
    if name in GRAPH:
        arm = GRAPH[name]
        return f"max_quality_loss {arm.max_quality_loss:g}, max_wrong {arm.max_wrong:g}"
    return f"spends as much as {_RULER}, where the two models reach that" if name == _RANDOM else ""


def _shared(request: Request) -> int:
    if request.shared_tokens is not None:
        return request.shared_tokens
    anyone: Asked = {
        "text": "", "language": "en", "answer_language": "en", "search_text": "", "history": [], "tenant": "default"
    }  # fmt: skip
    return sum(count_tokens(message.text) for message in system_messages(anyone, None))


def _needs_vectors(steps: Sequence[str]) -> bool:
    return _from_ruler(steps) or any(name in GRAPH or name == _RECIPE for name in steps)


def _from_ruler(steps: Sequence[str]) -> bool:
    """Tell whether a step is made from that with all levers."""
    return any(name in {_RANDOM, *COMPUTED} for name in steps)


async def _prepare(day: Day, vectors: VectorFile, found: Survey, folder: Path, progress: Progress) -> None:
    """Compute the vector of each question and each sentence of the documents once, for all arms and all later runs."""
    prepared = folder / f"{found.hash}.{hashlib.sha256(vectors.name.encode()).hexdigest()[:12]}.prepared"
    if prepared.exists():
        return
    known, documents = len(vectors), set[str]()
    for done, row in enumerate(day.rows(), 1):
        await vectors.query(clean_question(row.question))
        for one in row.documents:
            if one.text not in documents:
                documents.add(one.text)
                await vectors.passages([one.text[start:end] for start, end in sentence_spans(one.text)])
        progress("vectors", done, found.rows)
        if len(vectors) - known >= _SAVE_EVERY:
            vectors.save()
            known = len(vectors)
    vectors.save()
    prepared.touch()


def _through_graph(request: Request, day: Day, vectors: VectorFile, total: int, progress: Progress) -> dict[str, list[Outcome]]:
    """Return the outcomes of every arm that a chosen step needs: by its key."""
    wanted = [name for name in GRAPH if name in request.steps]
    if _RULER not in wanted and _from_ruler(request.steps):
        wanted.append(_RULER)
    arms = {GRAPH[name].key: (name, GRAPH[name]) for name in reversed(wanted)}
    ordered = [arms[key] for key in dict.fromkeys(GRAPH[name].key for name in wanted)]
    if request.jobs == 1 or len(ordered) < 2:
        return {arm.key: _alone(arm, day, vectors, partial(_tell, progress, name, total)) for name, arm in ordered}
    return _beside(ordered, day, request, lambda name, done: progress(name, done, total))


def _tell(progress: Progress, name: str, total: int, done: int) -> None:
    progress(name, done, total)


def _alone(arm: Arm, day: Day, vectors: VectorFile, told: Callable[[int], None]) -> list[Outcome]:
    day.folder.mkdir(parents=True, exist_ok=True)
    # Another run of the same arm is waited for, and its results are then there.
    with FileLock(day.folder / f"{arm.key}.lock"):
        return asyncio.run(run_arm(arm, day, vectors, told))


def _beside(
    arms: Sequence[tuple[str, Arm]], day: Day, request: Request, told: Callable[[str, int], None]
) -> dict[str, list[Outcome]]:
    """Run arms in processes beside each other; spawned, since a forked one would share the threads of onnxruntime."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(request.jobs, mp_context=context) as pool:
        queue: Queue[tuple[str, int] | None] = manager.Queue()

        def listen() -> None:
            for name, done in iter(queue.get, None):
                told(name, done)

        listener = Thread(target=listen, daemon=True)
        listener.start()
        running = {arm.key: pool.submit(_in_process, name, arm, day, request.folder, queue) for name, arm in arms}
        try:
            return {key: future.result() for key, future in running.items()}
        finally:
            queue.put(None)
            listener.join()


def _in_process(name: str, arm: Arm, day: Day, folder: Path, queue: "Queue[tuple[str, int] | None]") -> list[Outcome]:
    vectors = VectorFile(QuickEmbedder(), folder / "vectors")
    return _alone(arm, day, vectors, lambda done: queue.put((name, done)))


def _name(request: Request) -> str:
    """Return the folder of what may be taken up again: the same file, prices and code."""
    place, prices = request.workload.resolve(), request.prices
    digest = hashlib.sha256(f"{place} {prices.cheap} {prices.expensive} {PriceTable().version}".encode())
    for package in (groat, graph, nodes):
        assert package.__file__ is not None  # none of them is a namespace
        for path in sorted(Path(package.__file__).parent.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
