"""Failures in the form that OpenAI's clients understand."""

import math
from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse

from groat.errors import BadInput, Failure, GroatError, ModelError, StorageError

_STATUS: Final[Mapping[Failure, int]] = {
    "rate_limit": 429, "quota": 429, "overloaded": 503, "timeout": 504, "deadline": 504, "budget": 402, "invalid_request": 400,
}  # fmt: skip
"""What a client should make of a model's failure; the others are this server's own trouble with the model: 502."""


class Refused(BadInput):
    """A request that is not answered; the message says what to change.

    Args:
        message: one sentence.
        param: the field that it is about.
        status: HTTP status.
        code: short reason for programs.
        retry_after_s: when to come again; None for never with this request.
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        status: int = 400,
        code: str = "invalid_request",
        retry_after_s: float | None = None,
    ) -> None:
        """Keep what is told."""
        super().__init__(message)
        self.param, self.status, self.code, self.retry_after_s = param, status, code, retry_after_s


def reply_to(error: GroatError) -> JSONResponse:
    """Return the reply that tells a failure."""
    param = error.param if isinstance(error, Refused) else None
    status, code = _place(error)
    kind = "invalid_request_error" if status < 500 and status not in (402, 429) else "server_error"
    wait = error.retry_after_s if isinstance(error, Refused | ModelError) else None
    headers = {"Retry-After": str(math.ceil(wait or 1))} if status in (429, 503) else None
    body = {"error": {"message": str(error), "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, headers)


def _place(error: GroatError) -> tuple[int, str]:
    if isinstance(error, Refused):
        return error.status, error.code
    if isinstance(error, BadInput):
        return 400, "invalid_request"
    if isinstance(error, ModelError):
        return _STATUS.get(error.failure, 502), error.failure
    return 503, "storage" if isinstance(error, StorageError) else "unavailable"
