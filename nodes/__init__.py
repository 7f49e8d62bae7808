"""One module for each box of the picture: it asks an engine and returns what changed.

Every module states what it needs of the state and what it writes; the whole state is put together in ``graph.state``.
"""

from dataclasses import Field
from typing import Any, ClassVar, Literal, Protocol


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
