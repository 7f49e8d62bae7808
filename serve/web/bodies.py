"""Read what a request sends, up to a bound in size and in time."""

import asyncio
import json
from dataclasses import dataclass

from starlette.requests import Request

from serve.web.openai.errors import Refused


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Of a request's body."""

    most_bytes: int
    within_s: float = 30.0
    """Longest time that it may take to arrive: who sends slower holds a connection for nothing."""


async def read_body(request: Request, bounds: Bounds) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: it is larger than the bounds allow, and then is not read on, or comes too slowly.
    """
    most_bytes, within_s = bounds.most_bytes, bounds.within_s
    if request.headers.get("content-length", "").isdecimal() and int(request.headers["content-length"]) > most_bytes:
        raise _too_large(most_bytes)
    parts, size = [], 0
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                size += len(part)
                if size > most_bytes:
                    raise _too_large(most_bytes)
                parts.append(part)
    except TimeoutError as error:
        told = f"the request did not arrive within {within_s:g} seconds; send it faster, or less at once"
        raise Refused(told, status=408, code="too_slow") from error
    return b"".join(parts)


async def read_json(request: Request, bounds: Bounds) -> object:
    """Return the JSON of a request's body. Raises ``Refused`` as ``read_body``, and when it is none."""
    body = await read_body(request, bounds)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused("the body is no JSON; send an object in UTF-8") from error


def _too_large(most_bytes: int) -> Refused:
    told = f"the request is larger than {most_bytes} bytes; send less at once, or raise GROAT_MAX_BODY_MB"
    return Refused(told, status=413, code="too_large")
