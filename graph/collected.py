"""The chat model that stands for a provider's batch: it gives what the batch brought, and asks nobody."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, SkipValidation

from groat.batch.orders import Orders
from groat.errors import ModelError

ROW: ContextVar[str] = ContextVar("ROW")
"""The thread of the row that is being worked on: two rows of one prompt are two orders."""


class CollectedChat(BaseChatModel):
    """Gives the reply that a provider's batch brought for the row that is being worked on."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    orders: SkipValidation[Orders]
    model: str

    @property
    def _llm_type(self) -> str:
        return "collected"

    def _generate(self, messages: list[BaseMessage], *args: object, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("it is asked asynchronously only")

    async def _agenerate(self, messages: list[BaseMessage], *args: object, **kwargs: Any) -> ChatResult:
        reply, _ = await self.orders.outcome(order_name(ROW.get(), self.model, messages))
        if reply is None:
            raise ModelError("the provider's batch brought no reply to this prompt", failure="empty")
        return ChatResult(generations=[ChatGeneration(message=message_of(reply))])


def order_name(row: str, model: str, messages: Sequence[BaseMessage]) -> str:
    """Return the name of an order: of one row, model and prompt."""
    prompt = json.dumps(convert_to_openai_messages(list(messages)), ensure_ascii=False)
    return hashlib.sha256("\0".join([row, model, prompt]).encode("utf-8", "replace")).hexdigest()[:40]


def message_of(reply: Mapping[str, Any]) -> AIMessage:
    """Return the message of a chat completion's body."""
    choice = reply["choices"][0]
    said = choice.get("message") or {}
    return AIMessage(
        said.get("content") or "",
        additional_kwargs={"refusal": said["refusal"]} if said.get("refusal") else {},
        response_metadata={
            "token_usage": reply.get("usage") or {},
            "finish_reason": choice.get("finish_reason") or "stop",
            "model_name": reply.get("model", ""),
            # What it was bought at, whatever the provider calls the tier that worked on it.
            "service_tier": "batch",
        },
    )
