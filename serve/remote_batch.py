"""The rows of a batch as background runs on a LangGraph server, whose queue spreads them over its workers."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import tenacity
from langgraph_sdk import get_client
from langgraph_sdk.errors import APIStatusError

from graph.batching import PATIENT_S, answered, failure_of, knobs_of
from graph.context import Context
from groat.batch import Failed, Outcome, Row
from groat.errors import GroatError

_GRAPH = "groat"
_RETRY = tenacity.AsyncRetrying(
    retry=tenacity.retry_if_exception(lambda error: _may_pass(error)),
    wait=tenacity.wait_random_exponential(multiplier=1, max=30),
    stop=tenacity.stop_after_delay(300),
    reraise=True,
)


class ServerAsker:
    """Asks a LangGraph server; each row is a thread of a name of its own, so a run that was begun is joined and not repeated.

    The server's settings say what models, limits and documents there are; its workers share cache and limits by their Redis.
    A key is read from ``LANGGRAPH_API_KEY``.

    Args:
        url: of the server.
        context: the knobs of a row that names none.
        out: the file of answers, whose place on the disk tells this batch's threads from others'.
    """

    def __init__(self, url: str, context: Context, out: Path) -> None:
        """Ask nothing yet."""
        self._client = get_client(url=url)
        self._url = url
        self._context = context
        self._batch = out.resolve()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, row: Row) -> Outcome:
        """Return what came of a row; the server has it in its queue until a worker is free."""
        begun = time.perf_counter()
        try:
            output: Mapping[str, Any] = await _RETRY(self._run, row)
        except (httpx.HTTPError, APIStatusError) as error:
            return Failed(
                failure="connection",
                reason=f"the server {self._url} failed with {_told(error)}; look at it",
                halts=_halts(error),
            )
        if output.get("answer"):
            return answered(output, output["cost_usd"], (time.perf_counter() - begun) * 1000)
        if "__error__" in output or "answer" not in output:
            told = output.get("__error__") or {}
            reason = str(told.get("message") or "the run ended without an answer; look at the server's log")
            return Failed(failure="bad_input" if told else "unknown", reason=reason)
        return Failed(failure=failure_of(output), reason=output["error"], cost_usd=output["cost_usd"])

    async def forget(self, row: Row) -> None:
        """Delete the row's thread; one that cannot be deleted stays until the server's own time to live."""
        try:
            await self._client.threads.delete(self._thread(row))
        except (httpx.HTTPError, APIStatusError):
            return

    async def _run(self, row: Row) -> Mapping[str, Any]:
        thread = self._thread(row)
        await self._client.threads.create(thread_id=thread, if_exists="do_nothing", metadata={"groat_batch": self._batch.name})
        runs = await self._client.runs.list(thread, limit=1)
        if runs:
            number = runs[0]["run_id"]
        else:
            knobs = asdict(knobs_of(self._context, row)) | {"deadline_s": PATIENT_S}
            run = await self._client.runs.create(
                thread, _GRAPH, input={"question": row.question}, context=knobs, multitask_strategy="reject"
            )
            number = run["run_id"]
        output = await self._client.runs.join(thread, number)
        return output if isinstance(output, Mapping) else {}

    def _thread(self, row: Row) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._batch}:{row.number}:{row.digest}"))


async def check_server(url: str) -> None:
    """Return when the server answers.

    Raises:
        GroatError: it does not.
    """
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            (await client.get(f"{url.rstrip('/')}/ok")).raise_for_status()
    except httpx.HTTPError as error:
        raise GroatError(
            f"the LangGraph server {url} cannot be reached ({type(error).__name__}); start it, or correct --server"
        ) from error


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, APIStatusError):
        return error.status_code in (409, 429) or error.status_code >= 500
    return isinstance(error, httpx.TransportError)


def _halts(error: Exception) -> bool:
    return not isinstance(error, APIStatusError) or error.status_code in (401, 403)


def _told(error: Exception) -> str:
    return f"HTTP {error.status_code}" if isinstance(error, APIStatusError) else type(error).__name__
