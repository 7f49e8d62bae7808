"""One definition of an experiment, run here without any connection or on LangSmith: questions, answers, scores, a file."""

import contextlib
import hashlib
import io
import json
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langsmith import Client, aevaluate
from langsmith.evaluation import EvaluationResults
from langsmith.schemas import Example
from typing_extensions import TypedDict

from evals.evaluators import EVALUATORS, Evaluator, total_cost
from evals.experiment_rows import Row, examples_of
from graph.build import Groat
from graph.context import Context
from graph.state import Output
from groat.errors import BadInput, GroatError
from groat.row_files import lines_of
from groat.text import detect_language
from groat.tracing.feedback import asked
from groat.types import Language

AT_ONCE: Final = 4
Target = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Scored(TypedDict):
    """One row of an experiment's file."""

    id: str
    lang: Language
    category: str
    question: str
    answer: str
    error: str
    scores: dict[str, float | None]
    comments: dict[str, str]
    """Those that say something, by evaluator."""
    cost_usd: str | None
    path: list[str]


class Head(TypedDict):
    """The first line of an experiment's file: what was run on what."""

    experiment: str
    date: str
    rows: int
    data_sha256: str
    settings: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What one way of answering came to on a data set."""

    head: Head
    rows: tuple[Scored, ...]


def answer_with(graph: Groat, context: Context) -> Target:
    """Return a target that puts a row's question through the graph and returns all that evaluators look at."""

    async def target(inputs: dict[str, Any]) -> dict[str, Any]:
        begun = time.perf_counter()
        knobs = context
        if inputs.get("response_schema"):
            knobs = Context(**{**vars(context), "response_schema": inputs["response_schema"]})
        output = cast(Output, await graph.ainvoke({"messages": _messages(inputs)}, context=knobs))
        shortened = output["shortened"]
        return {
            "answer": output["answer"],
            "error": output["error"],
            "verified": output["verified"],
            "path": output["path"],
            "cost_usd": output["cost_usd"],
            "baseline_cost_usd": output["baseline_cost_usd"],
            "latency_ms": round((time.perf_counter() - begun) * 1000, 2),
            "hit": output["lookup"]["outcome"] == "hit",
            "asked": output["asked"],
            "attempt": output["attempts"][-1] if output["attempts"] else None,
            "context": shortened["passages"] if shortened else [],
        }

    return target


def _messages(inputs: Mapping[str, Any]) -> list[AnyMessage]:
    said: list[AnyMessage] = [
        HumanMessage(turn["text"]) if turn["role"] == "user" else AIMessage(turn["text"]) for turn in inputs.get("history", [])
    ]
    return [*said, HumanMessage(inputs["question"])]


def offline_client() -> Client:
    """Return a client of LangSmith that opens no connection, ever: ``upload_results=False`` alone still calls out."""
    return Client(
        api_url="http://127.0.0.1:9", api_key="offline", info={}, tracing_sampling_rate=0.0, auto_batch_tracing=False
    )  # fmt: skip


async def run(
    rows: Sequence[Row],
    target: Target,
    *,
    name: str,
    settings: Mapping[str, Any],
    client: Client | None = None,
    dataset: str = "",
    evaluators: Sequence[Evaluator] = EVALUATORS,
    at_once: int = AT_ONCE,
    done: Callable[[], None] | None = None,
) -> Experiment:
    """Answer all rows, score the answers, and return both; on LangSmith as well when there is a client.

    Args:
        rows: the data set.
        target: answers one row.
        name: of the experiment.
        settings: what was set, for the head of the file.
        client: of LangSmith; None to stay here, without any connection.
        dataset: name of the data set on LangSmith; its examples must be those of ``rows`` (``upload``).
        evaluators: who scores.
        at_once: rows that are answered at the same time.
        done: called after each row.

    A row whose question cannot be asked counts as an answer that is empty, with its error.
    """

    async def guarded(inputs: dict[str, Any]) -> dict[str, Any]:
        try:
            return await target(inputs)
        except GroatError as error:
            return _failed(inputs, error)
        finally:
            if done is not None:
                done()

    known = {row["id"]: row for row in rows}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # It says on standard output that it begins, and warns that staying here is new; JSON may be wanted there.
        warnings.filterwarnings("ignore", message=".*upload_results.*")
        results = await aevaluate(
            guarded,
            data=examples_of(rows, name) if client is None else asked(lambda: _examples(client, dataset, known)),
            evaluators=cast(Any, list(evaluators)),
            summary_evaluators=cast(Any, [total_cost]),
            max_concurrency=at_once,
            experiment_prefix=name,
            metadata=dict(settings),
            upload_results=client is not None,
            client=client or offline_client(),
        )
    scored = {}
    async for one in cast(AsyncIterator[Any], results):
        row = known[(one["example"].metadata or {})["id"]]
        scored[row["id"]] = _scored(row, one["run"].outputs or {}, one["evaluation_results"])
    return Experiment(head=head_of(rows, name, settings), rows=tuple(scored[row["id"]] for row in rows))


def _examples(client: Client, dataset: str, known: Mapping[str, Row]) -> list[Example]:
    """Return the examples of a data set that are rows of ours."""
    found = [one for one in client.list_examples(dataset_name=dataset) if (one.metadata or {}).get("id") in known]
    missing = known.keys() - {(one.metadata or {})["id"] for one in found}
    if missing:
        raise BadInput(
            f"{len(missing)} rows are not in the data set {dataset!r}, such as {min(missing)!r}; upload it again with "
            "`groat eval upload`"
        )
    return found


def head_of(rows: Sequence[Row], name: str, settings: Mapping[str, Any]) -> Head:
    """Return the first line of an experiment's file."""
    digest = hashlib.sha256("\n".join(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows).encode())
    return {
        "experiment": name,
        "date": datetime.now(UTC).date().isoformat(),
        "rows": len(rows),
        "data_sha256": digest.hexdigest(),
        "settings": dict(settings),
    }


def write(experiment: Experiment, path: Path) -> None:
    """Write an experiment down, its head first, then a row a line.

    Raises:
        BadInput: the file cannot be written.
    """
    lines = [json.dumps(one, ensure_ascii=False) for one in (experiment.head, *experiment.rows)]
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); choose another file") from error


def read(path: Path) -> Experiment:
    """Read what ``write`` wrote.

    Raises:
        BadInput: the file cannot be read, or is no experiment's.
    """
    try:
        head, *rows = (json.loads(line) for line in lines_of(path) if line.strip())
        if head["rows"] != len(rows):
            raise BadInput(f"{path} has {len(rows)} of {head['rows']} rows; run the experiment again")
        return Experiment(
            head=cast(Head, head), rows=tuple(cast(Scored, {**row, "scores": dict(row["scores"])}) for row in rows)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is no file of `groat eval run`; name one") from error


def upload(client: Client, rows: Sequence[Row], name: str) -> int:
    """Make a data set on LangSmith, or bring the one of this name up to date; return how many examples it was given.

    Raises:
        SettingsError: LangSmith refuses the key or cannot be reached.
    """
    return asked(lambda: _uploaded(client, rows, name))


def _uploaded(client: Client, rows: Sequence[Row], name: str) -> int:
    known = client.read_dataset(dataset_name=name) if client.has_dataset(dataset_name=name) else client.create_dataset(name)
    there = {(example.metadata or {}).get("id") for example in client.list_examples(dataset_id=known.id)}
    fresh = [example for example in examples_of(rows, name) if (example.metadata or {})["id"] not in there]
    if fresh:
        client.create_examples(
            dataset_id=known.id,
            examples=[{"inputs": one.inputs, "outputs": one.outputs, "metadata": one.metadata} for one in fresh],
        )
    return len(fresh)


def _failed(inputs: Mapping[str, Any], error: GroatError) -> dict[str, Any]:
    language = detect_language(inputs["question"])
    asked = {
        "text": inputs["question"], "language": language, "answer_language": language, "search_text": inputs["question"],
        "history": [], "tenant": "",
    }  # fmt: skip
    return {
        "answer": "", "error": str(error), "verified": False, "path": [], "cost_usd": "0", "baseline_cost_usd": None,
        "latency_ms": 0.0, "hit": False, "asked": asked, "attempt": None, "context": [],
    }  # fmt: skip


def _scored(row: Row, outputs: Mapping[str, Any], found: EvaluationResults) -> Scored:
    scores = {one.key: None if one.score is None else float(one.score) for one in found["results"]}
    return {
        "id": row["id"],
        "lang": row["lang"],
        "category": row["category"],
        "question": row["question"],
        "answer": str(outputs.get("answer", "")),
        "error": str(outputs.get("error", "")),
        "scores": scores,
        "comments": {one.key: one.comment for one in found["results"] if one.comment},
        "cost_usd": outputs.get("cost_usd"),
        "path": list(outputs.get("path", [])),
    }
