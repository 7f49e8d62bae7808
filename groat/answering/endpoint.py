"""One model behind one address, what it says, and what is kept of every request to it."""

from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from groat.answering.limits import UNLIMITED, Limits
from groat.errors import ModelError
from groat.types import Usage


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
    address: str = ""
    """Where it is: endpoints of one address and name share limits and circuit breaker."""
    limits: Limits = UNLIMITED
    max_output: int | None = None
    """Most tokens of one reply, reasoning included; None leaves it to the model."""
    timeout_s: float = 60.0
    """Longest wait for one call."""
    log_probabilities: bool = False
    """It is asked for the probabilities of its tokens, and gives them."""
    streams: bool = False
    """Replies are streamed on the wire even when nobody is to hear them early: what came of one that broke off is then known
    to the token. Takes some 0.2 ms of processor time for each token."""
    structured: bool = True
    """It takes ``response_format`` with a JSON Schema."""

    def most(self, wished: int | None) -> int | None:
        """Return the tokens that a reply is held to when ``wished`` are wanted at most; None for no bound."""
        bounds = [bound for bound in (wished, self.max_output) if bound is not None]
        return min(bounds, default=None)

    @property
    def scope(self) -> str:
        """What limits and circuit breaker are kept under."""
        return f"{self.address}|{self.name}"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back from one call."""

    text: str
    usage: Usage
    finish_reason: str
    latency_ms: float
    """From sending to the end of the reply."""
    first_token_ms: float | None = None
    """From sending to the first token; None when it was not streamed."""
    refused: bool = False
    """The endpoint marked it as a refusal."""
    log_probability: float | None = None
    """Mean natural logarithm of the probability of its tokens; None when the endpoint gave none."""
    billed_usd: str | None = None
    """What the endpoint says it billed, in dollars; None when it does not say."""
    message_id: str = ""
    """Id of the message on LangGraph's stream, so that the settled answer is not streamed twice."""
    message: AIMessage | None = None
    """The whole of it, calls of tools included; only for who asked the model directly."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request over the wire, and what came of it: the unit that is billed."""

    number: int
    """Place among the requests of one answer, from 0, in the order of sending."""
    endpoint: Endpoint
    outcome: str
    """"ok", the kind of failure, or "cancelled"."""
    error: ModelError | None
    reply: Reply | None
    usage: Usage
    """Of a failed request: what the provider will have counted, as far as it is known here."""
    waited_ms: float
    latency_ms: float
    first_token_ms: float | None
    hedge: bool
