"""Fill a data set of LangSmith from runs that were decided in a certain way, to review, to evaluate on, or to learn from."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import regex
from langsmith import Client
from langsmith.schemas import Run

from groat.errors import BadInput
from groat.tracing.feedback import asked, quiet_client

_WORD: Final = regex.compile(r"[\w.:-]+")


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What came of it."""

    found: int
    """Runs that fit."""
    added: int
    present: int
    """Were in the data set already."""
    without_text: int
    """Hold no question, since content was off when they were traced."""


def fill_dataset(
    name: str, where: Mapping[str, str], *, project: str = "default", limit: int = 1000, client: Client | None = None
) -> Filled:
    """Add the question, the answer and the decisions of each run that fits to a data set, which is made when it is not there.

    A run is added once, however often this is called.

    Args:
        name: of the data set.
        where: decisions that must all hold, such as route: cheap and verdict: failed.
        project: of LangSmith, where the runs are.
        limit: most runs, the newest first.
        client: of LangSmith; the variables ``LANGSMITH_*`` say where without one.

    Raises:
        BadInput: a condition cannot be asked for, or there is no such project.
        SettingsError: LangSmith refuses the key or cannot be reached.
    """
    client = client or quiet_client()
    runs = asked(lambda: list(client.list_runs(project_name=project, filter=condition(where), is_root=True, limit=limit)))
    told = [run for run in runs if (run.inputs or {}).get("question") or (run.inputs or {}).get("messages")]
    if not asked(lambda: client.has_dataset(dataset_name=name)):
        asked(lambda: client.create_dataset(name))
    known = {str(example.id) for example in asked(lambda: list(client.list_examples(dataset_name=name)))}
    new = [example for example in map(_example, told) if str(example["id"]) not in known]
    if new:
        asked(lambda: client.create_examples(dataset_name=name, examples=new))
    return Filled(found=len(runs), added=len(new), present=len(told) - len(new), without_text=len(runs) - len(told))


def condition(where: Mapping[str, str]) -> str:
    """Return the filter of LangSmith for runs with these decisions.

    Raises:
        BadInput: a name or value is not a plain word.
    """
    for name, value in where.items():
        if not _WORD.fullmatch(name) or not _WORD.fullmatch(value):
            raise BadInput(f"{name}={value} cannot be asked for; write it as route=cheap")
    tags = [f'has(tags, "{name}={value}")' for name, value in where.items()]
    # Audits and replays are nobody's questions.
    tags += [] if "purpose" in where else ['has(tags, "purpose=question")']
    return tags[0] if len(tags) == 1 else f"and({', '.join(tags)})"


def _example(run: Run) -> dict[str, object]:
    metadata = ((run.extra or {}).get("metadata")) or {}
    names = ("outcome", "route", "verdict", "escalated", "language", "groat_run")
    return {
        "id": uuid.uuid5(run.id, "example"),
        "inputs": {name: value for name, value in (run.inputs or {}).items() if name in ("question", "messages")},
        "outputs": {name: value for name, value in (run.outputs or {}).items() if name in ("answer", "sources")},
        "metadata": {**{name: metadata[name] for name in names if name in metadata}, "run_id": str(run.id)},
    }
