"""What a user, a validator or a verdict of blame says of an answer, put on the question's run of LangSmith."""

import uuid
import warnings
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from langsmith import Client
from langsmith.utils import LangSmithAuthError, LangSmithConflictError, LangSmithError, LangSmithNotFoundError

from groat.errors import BadInput, SettingsError

Source = Literal["user", "validation", "blame"]
"""Who says it."""

_T = TypeVar("_T")
_RUN_IDS: Final = uuid.UUID("5b8f4a0e-7d55-4d0c-9a58-0d5b1d4f6c11")
"""Names the feedbacks, so that the same one said twice is one."""


def give_feedback(
    run: str,
    key: str = "user",
    *,
    score: float | None = None,
    value: str | None = None,
    comment: str | None = None,
    source: Source = "user",
    project: str = "default",
    client: Client | None = None,
) -> str:
    """Put feedback on the run of a question, in place of what the same source said under the same key; return the run's id.

    Args:
        run: id of the run as ``groat ask`` prints it, or what names the question in the ledger.
        key: what is said, such as "user" or "origin".
        score: 0 to 1, higher is better; None where there is only a value.
        value: a word, such as the box that is to blame.
        comment: a sentence.
        source: who says it.
        project: of LangSmith, where the run is.
        client: of LangSmith; the variables ``LANGSMITH_*`` say where without one.

    Raises:
        BadInput: there is no such run, or there is neither a score nor a value.
        SettingsError: LangSmith refuses the key or cannot be reached.
    """
    if score is None and value is None:
        raise BadInput("feedback needs a score from 0 to 1, or a value; give --score or --value")
    if score is not None and not 0 <= score <= 1:
        raise BadInput(f"the score {score!r} is outside 0..1; 1 is good, 0 is bad")
    client = client or quiet_client()
    run_id = asked(lambda: _run_id(run, project, client))
    asked(
        lambda: client.create_feedback(
            run_id=run_id,
            key=key,
            score=score,
            value=value,
            comment=comment,
            source_info={"source": source},
            feedback_source_type="api" if source == "user" else "model",
            feedback_id=uuid.uuid5(_RUN_IDS, f"{run_id}/{source}/{key}"),
            session_id=client.read_project(project_name=project).id,
            stop_after_attempt=2,
        )
    )
    return str(run_id)


def quiet_client() -> Client:
    """Return a client that sends nothing in the background."""
    return Client(auto_batch_tracing=False, info={})


def asked(question: Callable[[], _T]) -> _T:
    """Return what LangSmith answers.

    Raises:
        SettingsError: it refuses the key or cannot be reached.
        BadInput: it knows nothing of what was asked for.
    """
    try:
        with warnings.catch_warnings():
            # The successors of some calls ask for servers newer than many who host LangSmith themselves have.
            warnings.simplefilter("ignore", DeprecationWarning)
            return question()
    except LangSmithNotFoundError as error:
        raise BadInput("LangSmith does not know this project, run or data set; check LANGSMITH_PROJECT and the name") from error
    except LangSmithAuthError as error:
        raise SettingsError("LangSmith refuses the key; check LANGSMITH_API_KEY and LANGSMITH_WORKSPACE_ID") from error
    except LangSmithConflictError as error:
        raise BadInput("LangSmith has this already under another form; remove that first") from error
    except (LangSmithError, OSError) as error:
        raise SettingsError(
            f"LangSmith cannot be asked ({type(error).__name__}); check the network, LANGSMITH_ENDPOINT and LANGSMITH_API_KEY"
        ) from error


def _run_id(run: str, project: str, client: Client) -> uuid.UUID:
    try:
        parsed = uuid.UUID(run)
    except ValueError as error:
        raise BadInput(f"{run!r} names no run; give the trace that `groat ask` prints, or the run of the ledger") from error
    if "-" in run:
        return parsed
    named = f'and(eq(metadata_key, "groat_run"), eq(metadata_value, "{parsed.hex}"))'
    for found in client.list_runs(project_name=project, filter=named, is_root=True, limit=1):
        return uuid.UUID(str(found.id))
    raise BadInput(f"LangSmith has no run of the question {run!r} in the project {project!r}; check LANGSMITH_PROJECT")
