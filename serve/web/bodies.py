"""Read what a request sends, up to a bound."""

from starlette.requests import Request

from groat.errors import BadInput


async def read_body(request: Request, *, most_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        BadInput: it is larger than ``most_bytes``; no more than that is read.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise BadInput(f"the request is larger than {most_bytes} bytes; send less at once")
        parts.append(part)
    return b"".join(parts)
