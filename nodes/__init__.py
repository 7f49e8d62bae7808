"""One module for each box of the picture: it asks an engine and returns what changed. Here stands what several need.

Every module states what it needs of the state and what it writes; the whole state is put together in ``graph.state``.
"""

import uuid
from collections.abc import Callable
from dataclasses import Field
from typing import Any, ClassVar, Literal, Protocol

from groat.answering import Endpoint, Sent, Terms
from groat.costs import KeptReply, Purse
from groat.types import Attempt


class Knobs(Protocol):
    """What one run may change, as far as the boxes read it. A dataclass, as LangGraph asks of a context."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def tenant(self) -> str:
        """Whose documents and answers may be used."""
        ...

    @property
    def tier(self) -> Literal["auto", "cheap", "expensive"]:
        """Which model must answer; "auto" leaves it to the router."""
        ...

    @property
    def use_cache(self) -> bool:
        """Whether kept answers may be served, and this one kept."""
        ...

    @property
    def max_quality_loss(self) -> float:
        """Largest mean loss of quality, 0..1."""
        ...

    @property
    def max_cost_usd(self) -> float | None:
        """Most that this question may cost; None for no limit."""
        ...

    @property
    def language(self) -> Literal["auto", "zh", "en"]:
        """Language of the answer."""
        ...

    @property
    def collection(self) -> str:
        """Collection or subject that the caller's application names; empty for none."""
        ...

    @property
    def deadline_s(self) -> float:
        """Longest time for the question, in seconds."""
        ...

    @property
    def stream(self) -> Literal["hold", "live"]:
        """Whether tokens are passed on before the answer is accepted."""
        ...

    @property
    def tools(self) -> list[dict[str, Any]] | None:
        """Definitions of the tools that the caller's application offers with the question; None for none."""
        ...

    @property
    def response_schema(self) -> dict[str, Any] | None:
        """JSON Schema that the answer must fit; None for prose."""
        ...


def paid_terms(
    key: str,
    endpoint: Endpoint,
    purse: Purse,
    *,
    asked_at: float,
    deadline_s: float,
    keep: Callable[[Attempt], KeptReply] | None = None,
) -> Terms:
    """Return the terms of a call whose every request a purse permits before, and pays for after.

    Args:
        key: begins the keys of the charges. What follows is drawn: a step that runs again after a crash sends other requests,
            and each of them is charged.
        endpoint: who is asked first; its price says how long an answer may be.
        purse: pays.
        asked_at: when the question came, in seconds since 1970.
        deadline_s: how long it may take, in seconds.
        keep: makes of an attempt what the ledger keeps together with its charge, which stands among the purse's by then; None
            keeps nothing.
    """

    async def permit(key: str, endpoint: Endpoint, given: int, most: int) -> None:
        await purse.permit(key, model=endpoint.name, priced_as=endpoint.priced_as, input_tokens=given, output_tokens=most)

    async def record(key: str, sent: Sent, attempt: Attempt | None) -> None:
        await purse.pay(
            key,
            model=sent.endpoint.name,
            priced_as=sent.endpoint.priced_as,
            usage=sent.usage,
            outcome=sent.outcome,
            billed_usd=sent.reply.billed_usd if sent.reply else None,
            keep=None if keep is None or attempt is None else lambda: keep(attempt),
        )

    return Terms(
        key=f"{key}:{uuid.uuid4().hex[:8]}",
        asked_at=asked_at,
        deadline=asked_at + deadline_s,
        affordable=lambda given: purse.affordable(given, endpoint.priced_as),
        permit=permit,
        record=record,
    )
