"""Find the passages of the documents that may answer."""

from dataclasses import dataclass

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.knowledge import Knowledge
from groat.tracing import names
from groat.types import Asked, Passage
from nodes import Knobs


class Needs(TypedDict):
    """What this box reads."""

    asked: Asked


class Update(TypedDict):
    """What this box writes."""

    passages: list[Passage]
    path: list[str]


@dataclass(frozen=True, kw_only=True)
class Retrieve:
    """The box ``retrieve``."""

    knowledge: Knowledge
    k: int
    max_tokens: int

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return the passages of the tenant, best first."""
        asked = state["asked"]
        passages = await self.knowledge.search(
            asked["search_text"], tenant=asked["tenant"], k=self.k, max_tokens=self.max_tokens
        )
        runtime.stream_writer(
            {
                names.EVENT: names.RETRIEVED,
                "passages": [{"id": passage["id"], "score": passage["score"]} for passage in passages],
            }
        )
        return {"passages": passages, "path": ["retrieve"]}
