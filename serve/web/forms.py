"""Read what a form sent."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from groat.errors import BadInput
from serve.web.bodies import Bounds, read_body

BOUNDS = Bounds(most_bytes=64 * 1024)


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, each once; the last value of a name counts.

    Raises:
        BadInput: it is larger than ``BOUNDS`` allow, or no form.
    """
    body = await read_body(request, BOUNDS)
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=100))
    except ValueError as error:
        raise BadInput("send a form: name=value&name=value, in UTF-8") from error
