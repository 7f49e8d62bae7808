"""Read what a form sent."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from groat.errors import BadInput

MOST_BYTES = 64 * 1024


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, each once; the last value of a name counts.

    Raises:
        BadInput: it is larger than ``MOST_BYTES``, or no form.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BadInput(f"the form is larger than {MOST_BYTES} bytes; shorten it")
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=100))
    except ValueError as error:
        raise BadInput("send a form: name=value&name=value, in UTF-8") from error
