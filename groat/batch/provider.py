"""A provider's batch endpoint by OpenAI's protocol: a file of requests is answered within a day, at another price."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import openai
from openai.types import Batch

from groat.errors import ModelError

MOST_REQUESTS = 50_000
"""Most requests in one file, by OpenAI's limits; a file may have 200 MB."""
_ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
_Ended = Literal["completed", "failed", "expired", "cancelled"]
_NAME = "groat"
"""The key of the metadata under which a batch carries our own name for it."""


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What became of one request."""

    id: str
    reply: dict[str, Any] | None
    """The body of a chat completion; None when there is none."""
    error: str = ""
    """Why there is none, in the provider's code for it."""
    again: bool = False
    """It may be answered in another batch."""


class ProviderBatches:
    """Sends files of requests and brings the replies back.

    Args:
        client: of the provider.
        poll_s: seconds between two looks at a batch that is not finished.
    """

    def __init__(self, client: openai.AsyncOpenAI, *, poll_s: float = 30.0) -> None:
        """Send nothing yet."""
        self._client = client
        self._poll_s = poll_s

    async def submit(self, requests: Path, *, name: str) -> str:
        """Upload a file and have it worked on; return the batch's id. The name finds it again when the id was lost.

        Raises:
            ModelError: the provider does not take it.
        """
        try:
            uploaded = await self._client.files.create(file=requests, purpose="batch")
            batch = await self._client.batches.create(
                input_file_id=uploaded.id, endpoint=_ENDPOINT, completion_window="24h", metadata={_NAME: name}
            )
        except openai.OpenAIError as error:
            raise _explained(error, "did not take the batch") from error
        return batch.id

    async def find(self, name: str) -> str | None:
        """Return the id of the batch of this name, None when it was never made."""
        try:
            async for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(_NAME) == name:
                    return batch.id
        except openai.OpenAIError as error:
            raise _explained(error, "does not list its batches") from error
        return None

    async def ended(self, batch_id: str, *, stop: asyncio.Event) -> Batch | None:
        """Wait until a batch has ended, however; None when ``stop`` was set before. What passes is waited for too."""
        while not stop.is_set():
            try:
                batch = await self._client.batches.retrieve(batch_id)
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                pass  # it goes on without us, and is asked for again
            except openai.OpenAIError as error:
                raise _explained(error, f"does not show batch {batch_id}") from error
            else:
                if batch.status in get_args(_Ended):
                    return batch
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._poll_s)
        return None

    async def collect(self, batch: Batch) -> AsyncIterator[Collected]:
        """Yield what became of each request that the provider says something about.

        Raises:
            ModelError: a file cannot be had, or the provider refused the batch as a whole.
        """
        if batch.status == "failed":
            told = next((one.message for one in (batch.errors.data if batch.errors else None) or [] if one.message), "")
            raise ModelError(
                f"the provider refused the batch {batch.id}: {told or 'without a reason'}", failure="invalid_request"
            )
        for file in (batch.output_file_id, batch.error_file_id):
            if file is None:
                continue
            try:
                async with self._client.files.with_streaming_response.content(file) as content:
                    async for line in content.iter_lines():
                        if line.strip():
                            yield _collected(json.loads(line))
            except openai.OpenAIError as error:
                raise _explained(error, f"does not give the file of batch {batch.id}") from error


def write_requests(path: Path, requests: Iterable[tuple[str, str]]) -> int:
    """Write a file of requests, each with its id and the JSON of its body; return how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for name, body in requests:
            head = json.dumps({"custom_id": name, "method": "POST", "url": _ENDPOINT})
            file.write(f'{head[:-1]}, "body": {body}}}\n')
            count += 1
    return count


def _collected(line: dict[str, Any]) -> Collected:
    response, error = line.get("response") or {}, line.get("error") or {}
    status, body = response.get("status_code"), response.get("body")
    if status == 200 and isinstance(body, dict) and body.get("choices"):
        return Collected(id=line["custom_id"], reply=body)
    told = error or ((body or {}).get("error") if isinstance(body, dict) else None) or {}
    code = str(told.get("code") or told.get("type") or (f"HTTP {status}" if status else "no reply"))
    return Collected(id=line["custom_id"], reply=None, error=code, again=status is None or status == 429 or status >= 500)


def _explained(error: openai.OpenAIError, what: str) -> ModelError:
    status = getattr(error, "status_code", None)
    told = f"HTTP {status}" if status else type(error).__name__
    failure: Literal["auth", "server"] = "auth" if status in (401, 403) else "server"
    return ModelError(
        f"the provider {what} ({told}); check the key, and that it has a batch endpoint", failure=failure, status=status
    )
