"""The one seam to chat models: every call goes through here, is timed, counted and, when it fails, explained."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_core.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from groat.errors import Failure, ModelError
from groat.text import count_tokens
from groat.types import Tier, Usage


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One model behind one address."""

    model: BaseChatModel
    """Its own retries must be off: hidden tries would not be billed."""
    name: str
    priced_as: str
    """Model whose list price applies; a reference model for one that runs here."""
    key_setting: str
    """Name of the setting that holds its key, for the message when the key is refused."""
    offline: bool = False
    """It runs here, without a key, and its price is a reference model's."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back from one call."""

    text: str
    usage: Usage
    finish_reason: str
    latency_ms: float


class Answerer:
    """Calls the model of a tier, once.

    Args:
        endpoints: the model of each tier.
    """

    def __init__(self, endpoints: Mapping[Tier, Endpoint]) -> None:
        """Keep the endpoints; nothing is called yet."""
        self.endpoints = dict(endpoints)

    @property
    def policy(self) -> str:
        """Names of the models that may answer, cheap first: part of what a kept answer is kept under."""
        return f"{self.endpoints['cheap'].name} > {self.endpoints['expensive'].name}"

    async def answer(self, prompt: Sequence[BaseMessage], *, tier: Tier, max_output: int | None = None) -> Reply:
        """Send the prompt to the model of ``tier`` and return its reply.

        Args:
            prompt: the messages.
            tier: which model.
            max_output: most tokens of the reply, reasoning included; None leaves it to the model. A reply that was cut has
                the finish reason "length".

        Raises:
            ModelError: the call failed; the message says what to do. It holds no text of the prompt and no key.
        """
        endpoint = self.endpoints[tier]
        begun = time.perf_counter()
        try:
            if max_output is None:
                message = await endpoint.model.ainvoke(list(prompt))
            else:
                message = await endpoint.model.ainvoke(list(prompt), max_tokens=max_output)
        except Exception as error:  # every provider has its own errors; all become one, and none is lost
            raise _explained(error, endpoint, tier) from error
        latency_ms = (time.perf_counter() - begun) * 1000
        return Reply(
            text=message.text.strip(),
            usage=usage_of(message, prompt),
            finish_reason=str(message.response_metadata.get("finish_reason") or "stop"),
            latency_ms=latency_ms,
        )


def prompt_tokens(prompt: Sequence[BaseMessage]) -> int:
    """Return the tokens of a prompt by OpenAI's published rule: the text, 3 for each message and 3 for the reply's start."""
    return 3 + sum(count_tokens(message.text) + 3 for message in prompt)


def usage_of(message: AIMessage, prompt: Sequence[BaseMessage]) -> Usage:
    """Read the tokens that the endpoint reported, or count them here when it reported none (``estimated``)."""
    reported = message.usage_metadata
    if reported is None:
        return {
            "input": prompt_tokens(prompt),
            "output": count_tokens(message.text),
            "cache_read": 0,
            "cache_write": 0,
            "reasoning": 0,
            "estimated": True,
        }
    inputs = reported.get("input_token_details", {})
    outputs = reported.get("output_token_details", {})
    return {
        "input": reported["input_tokens"],
        "output": reported["output_tokens"],
        "cache_read": inputs.get("cache_read") or 0,
        "cache_write": inputs.get("cache_creation") or 0,
        "reasoning": outputs.get("reasoning") or 0,
        "estimated": False,
    }


def _explained(error: Exception, endpoint: Endpoint, tier: Tier) -> ModelError:
    failure, advice = _advice(error, endpoint)
    status = getattr(error, "status_code", None)
    shown = f" (HTTP {status})" if isinstance(status, int) else ""
    return ModelError(
        f"the {tier} model {endpoint.name!r} {advice}{shown}",
        failure=failure,
        status=status if isinstance(status, int) else None,
    )


def _advice(error: Exception, endpoint: Endpoint) -> tuple[Failure, str]:
    match error:
        case ModelAuthenticationError():
            return "auth", f"refused the key; check {endpoint.key_setting}"
        case ModelRateLimitError():
            return "rate_limit", "is over its rate limit or quota; wait, or raise the limit at the provider"
        case ModelTimeoutError() | TimeoutError():
            return "timeout", "did not answer in time; try again or raise GROAT_TIMEOUT_S"
        case ModelConnectionError():
            return "connection", "cannot be reached; check the network and the base URL"
        case ModelInvalidRequestError():
            return "invalid_request", "did not accept the request; check that the model's name is right and the context fits"
        case ModelAPIError():
            return "server", "failed on the provider's side; try again later"
        case _:
            return "unknown", f"failed with {type(error).__name__}"
