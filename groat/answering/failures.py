"""What went wrong with a call, in one word for programs and one sentence for people."""

import json
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from groat.answering.endpoint import Endpoint
from groat.errors import Failure, ModelError
from groat.types import Tier

PASSING: frozenset[Failure] = frozenset({"rate_limit", "timeout", "connection", "server", "malformed"})
"""Failures that may be gone at the next try."""
BREAKING: frozenset[Failure] = frozenset({"timeout", "connection", "server", "malformed"})
"""Failures that say that an endpoint is ill. A refusal for too many requests is not among them: it is alive."""

_BROKEN_OFF = "cannot be reached, or broke off; check the network and the base URL"
_TRY_LATER = "failed on the provider's side; try again later"
_NOT_ACCEPTED = "did not accept the request; check that the model's name is right and the context fits"


def explained(error: Exception, endpoint: Endpoint, tier: Tier) -> ModelError:
    """Return the error in groat's terms. It holds no text of the prompt and no key, whatever the provider echoed."""
    failure, advice = _advice(error, endpoint)
    status = getattr(error, "status_code", None)
    shown = f" (HTTP {status})" if isinstance(status, int) else ""
    return ModelError(
        f"the {tier} model {endpoint.name!r} {advice}{shown}",
        failure=failure,
        status=status if isinstance(status, int) else None,
        retry_after_s=_retry_after(error),
    )


def out_of_time(endpoint: Endpoint, tier: Tier) -> ModelError:
    """Return the error of a call that the deadline of the question cut off, or forbade."""
    return ModelError(
        f"the {tier} model {endpoint.name!r} did not answer before the deadline of the question; allow more with deadline_s",
        failure="deadline",
    )


def _advice(error: Exception, endpoint: Endpoint) -> tuple[Failure, str]:
    match error:
        case ModelAuthenticationError() | ModelPermissionDeniedError():
            return "auth", f"refused the key; check {endpoint.key_setting}"
        case ModelRateLimitError() if getattr(error, "code", None) == "insufficient_quota":
            return "quota", "has no credit left; add some at the provider"
        case ModelRateLimitError():
            return "rate_limit", "is over its rate limit or quota; wait, or raise the limit at the provider"
        case ModelTimeoutError() | TimeoutError():
            return "timeout", "did not answer in time; try again or raise GROAT_TIMEOUT_S"
        case ModelConnectionError():
            return "connection", _BROKEN_OFF
        case ModelInvalidRequestError() | ModelNotFoundError() | ContextOverflowError():
            return "invalid_request", _NOT_ACCEPTED
        case RuntimeError() if "loop" in str(error):
            # The client keeps connections open, and this one belonged to an event loop that has ended.
            return "connection", "cannot be reached, or broke off; check the network and the base URL"
        case ModelAPIError():
            return "server", _TRY_LATER
        case json.JSONDecodeError() | LookupError() | TypeError() | ValueError() | AttributeError():
            # What the client raises over a body that is no completion: bad JSON, a web page, no choices.
            return "malformed", "sent something that is no answer of a chat model; check the base URL, or try again"
        case _:
            return _unwrapped(error)


def _unwrapped(error: Exception) -> tuple[Failure, str]:
    """Explain what langchain-openai passes on as the libraries below it raise it."""
    if 400 <= getattr(error, "status_code", 0) < 500:
        return "invalid_request", _NOT_ACCEPTED
    match type(error).__module__.partition(".")[0]:
        case "httpx" | "httpx2" | "httpcore" | "httpcore2":
            # The client wraps what fails while it connects, not what breaks off while it reads a stream.
            return "connection", _BROKEN_OFF
        case "openai":
            # An error event in a stream that began well: it has no status.
            return "server", _TRY_LATER
        case _:
            return "unknown", f"failed with {type(error).__name__}"


def _retry_after(error: Exception) -> float | None:
    """Return the seconds that ``Retry-After`` (RFC 9110, 10.2.3) or its variant in milliseconds asks for."""
    headers: Mapping[str, str] | None = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    try:
        until = parsedate_to_datetime(headers["retry-after"]).timestamp()
        # By the provider's own clock, where it tells the time: ours may be an hour off.
        now = parsedate_to_datetime(headers["date"]).timestamp() if "date" in headers else time.time()
        return max(until - now, 0.0)
    except (KeyError, ValueError):
        return None
