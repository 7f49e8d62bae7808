"""Turn a log of questions into a day: its own repetition, order, moments, languages and tenants; no answer is looked at.

The log may be larger than memory: it is put in order on disk.
"""

import csv
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from langsmith import Client
from pydantic import ValidationError

from evals.ladder_reading import what_is_first_wrong
from evals.ladder_rows import RequestRow
from groat.errors import BadInput
from groat.row_files import lines_of, what_is_wrong
from groat.text import clean_question, detect_language
from groat.tracing.feedback import asked, quiet_client

_TAKEN: Final = ("tenant", "conversation", "documents", "answer_id", "answers", "category")
"""Fields of a log that go into the day as they are; every other one is left behind."""
_TIMES: Final = ("asked_at", "timestamp", "time", "start_time")
_QUESTIONS: Final = ("question", "input", "query", "prompt")
"""Names under which logs have these, the first that is there is taken."""
Raw = tuple[str, Mapping[str, Any] | Exception]
"""Where a row is, and what stands there or why it cannot be read."""


@dataclass
class Built:
    """What a log came to."""

    rows: int = 0
    left_out: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    distinct: int = 0
    """Different questions of a tenant, white space, width and letter case aside."""
    first: str = ""
    """When the first request came; empty where the log does not say."""
    last: str = ""

    @property
    def about(self) -> dict[str, Any]:
        """What is written beside the day."""
        repeated = round(1 - self.distinct / self.rows, 4) if self.rows else 0.0
        return {
            "what": "questions of a log in the order in which they came; models were not asked yet (groat ladder --record)",
            "left_out": self.left_out, "languages": dict(self.languages), "distinct_questions": self.distinct,
            "repeated": repeated, "first": self.first, "last": self.last,
        }  # fmt: skip


class Log:
    """The requests of a log, checked and in order. Close it when the rows are read.

    Args:
        raw: the rows of the log.
        on_bad: is told of each row that cannot be used, which is then left out; None: the first one ends it.

    Raises:
        BadInput: no row can be used, or one cannot and ``on_bad`` is None.
    """

    def __init__(self, raw: Iterable[Raw], on_bad: Callable[[str], None] | None = None) -> None:
        """Read the whole log once."""
        self.built = Built()
        self._folder = tempfile.TemporaryDirectory()
        self._kept = sqlite3.connect(Path(self._folder.name) / "log.sqlite", isolation_level=None)
        self._kept.execute("PRAGMA journal_mode = OFF")
        self._kept.execute("CREATE TABLE log (name TEXT UNIQUE, at TEXT, same TEXT, row TEXT)")
        self._kept.execute("BEGIN")
        self._timed: bool | None = None
        try:
            for where, found in raw:
                self._take(where, found, on_bad)
            self._finish()
        except BaseException:
            self.close()
            raise

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows in order of time; those of one moment, and of a log without times, as they stand in it."""
        for (row,) in self._kept.execute("SELECT row FROM log ORDER BY at, rowid"):
            yield json.loads(row)

    def close(self) -> None:
        """Forget the log."""
        self._kept.close()
        self._folder.cleanup()

    def _take(self, where: str, found: Mapping[str, Any] | Exception, on_bad: Callable[[str], None] | None) -> None:
        try:
            if isinstance(found, Exception):
                raise found
            row = _row(found, f"request-{self.built.rows + self.built.left_out + 1:06}")
            self._keep(row)
        except (ValueError, TypeError, RecursionError) as error:
            self.built.left_out += 1
            told = what_is_first_wrong(error) if isinstance(error, ValidationError) else what_is_wrong(error)
            if on_bad is None:
                raise BadInput(f"{where}: {told}; mend the row, or leave such rows out with --skip-bad") from error
            on_bad(f"{where}: {told}")

    def _keep(self, row: dict[str, Any]) -> None:
        at = row.get("asked_at")
        if self._timed is None:
            self._timed = at is not None
        if self._timed is not (at is not None):
            raise ValueError("it has no time and others have one" if self._timed else "it has a time and others have none")
        tenant = row.get("tenant", "default")
        same = json.dumps([tenant, clean_question(row["question"]).casefold()], ensure_ascii=True)
        try:
            self._kept.execute("INSERT INTO log VALUES (?, ?, ?, ?)", (row["id"], at or "", same, json.dumps(row)))
        except sqlite3.IntegrityError as error:
            raise ValueError(f"the id {row['id']!r:.80} was used before; every request needs its own") from error
        self.built.rows += 1
        self.built.languages[row["lang"]] += 1

    def _finish(self) -> None:
        if not self.built.rows:
            raise BadInput("the log holds no question that can be used; docs/workloads.md says what a row of it holds")
        found = self._kept.execute("SELECT count(DISTINCT same), min(at), max(at) FROM log").fetchone()
        self.built.distinct, self.built.first, self.built.last = found


def rows_of_file(path: Path) -> Iterator[Raw]:
    """Yield the rows of a log: ``.csv`` with a head, else ``.jsonl``; each also ``.gz``.

    Raises:
        BadInput: the file cannot be read, or is a CSV file without a column for the question.
    """
    return _csv(path) if path.name.removesuffix(".gz").endswith(".csv") else _jsonl(path)


def rows_of_project(project: str, *, limit: int | None = None, client: Client | None = None) -> Iterator[Raw]:
    """Yield the questions of a project of LangSmith: its root runs, with their moments.

    Args:
        project: its name.
        limit: most runs, the newest first; None for all.
        client: of LangSmith; the variables ``LANGSMITH_*`` say where without one.

    Raises:
        BadInput: there is no such project.
        SettingsError: LangSmith refuses the key or cannot be reached.
    """
    client = client or quiet_client()
    runs = iter(asked(lambda: client.list_runs(project_name=project, is_root=True, limit=limit)))
    while (run := asked(lambda: next(runs, None))) is not None:
        inputs = run.inputs or {}
        question = inputs.get("question") or _last_said(inputs.get("messages"))
        metadata = (run.extra or {}).get("metadata") or {}
        conversation = metadata.get("thread_id") or metadata.get("session_id")
        yield f"run {run.id}", {
            "id": str(run.id), "question": question, "asked_at": run.start_time.replace(tzinfo=UTC).isoformat(),
            **({"conversation": str(conversation)} if conversation else {}),
        }  # fmt: skip


def _jsonl(path: Path) -> Iterator[Raw]:
    for number, line in enumerate(lines_of(path), 1):
        if line.strip():
            yield f"{path}, line {number}", _parsed(line)


def _parsed(line: str) -> Mapping[str, Any] | Exception:
    try:
        row = json.loads(line.rstrip())
    except (ValueError, RecursionError) as error:
        return error
    return row if isinstance(row, dict) else ValueError("a row must be a JSON object")


def _csv(path: Path) -> Iterator[Raw]:
    lines = lines_of(path)
    head = next(csv.reader([next(lines, "").removeprefix("\ufeff")]), [])
    if not set(head) & set(_QUESTIONS):
        raise BadInput(f"{path} has no column called {' or '.join(_QUESTIONS)}; name one so in its first line")
    reader = csv.DictReader(lines, fieldnames=head, restval="", strict=True)
    while True:
        where = f"{path}, line {reader.line_num + 2}"
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield where, ValueError(f"this is no CSV ({error})")
            continue
        if row is None:
            return
        broken = ValueError("it has more fields than the first line names") if None in row else None
        yield where, broken or {name: value for name, value in row.items() if value}


def _row(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a row of the day.

    Raises:
        ValueError: something is missing or cannot be.
    """
    question = next((found[key] for key in _QUESTIONS if found.get(key)), None)
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"it has no question (a text called {' or '.join(_QUESTIONS)})")
    row = {
        "id": str(found.get("id") or name), "question": question, "lang": found.get("lang") or detect_language(question),
        **{key: found[key] for key in _TAKEN if found.get(key) not in (None, "")},
    }  # fmt: skip
    if (time := next((found[key] for key in _TIMES if found.get(key) not in (None, "")), None)) is not None:
        row["asked_at"] = moment(time)
    RequestRow.model_validate(row)
    return row


def moment(value: object) -> str:
    """Return a moment in ISO 8601 and UTC: from such a text, UTC where it names no zone, or seconds or milliseconds since 1970.

    Raises:
        ValueError: it is none.
    """
    try:
        seconds = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        seconds = None
    try:
        if seconds is not None:
            found = datetime.fromtimestamp(seconds / 1000 if abs(seconds) > 1e11 else seconds, UTC)
        else:
            found = datetime.fromisoformat(str(value))
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"its time {value!r:.40} is neither ISO 8601 nor seconds since 1970") from error


def _last_said(messages: object) -> str | None:
    """Return what the user said last, in the form of OpenAI or of LangChain."""
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and (message.get("role") == "user" or message.get("type") == "human"):
            content = message.get("content")
            return content if isinstance(content, str) else None
    return None
