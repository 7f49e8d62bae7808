"""The spans, and what kind OpenInference takes each for."""

from collections.abc import Mapping
from typing import Final

from groat.tracing.names.table import span
from groat.types import Box

REQUEST: Final = span(
    "groat", "AGENT", "One question from the call of the graph to its last token; every other span is below it."
)
HTTP: Final = span(
    "{method} {route}", "CHAIN", "One request to `groat serve` from its first byte to its last; the question is below it."
)
BOX_KINDS: Final[Mapping[Box, str]] = {
    "check_cache": "RETRIEVER",
    "retrieve": "RETRIEVER",
    "route": "DECISION",
    "compress": "RERANKER",
    "answer_cheap": "CHAIN",
    "answer_expensive": "CHAIN",
    "validate": "GUARDRAIL",
    "remember": "CHAIN",
}
_BOXES: Final[Mapping[Box, str]] = {
    "check_cache": "The question is read and the answer cache asked.",
    "retrieve": "Passages are looked for.",
    "route": "The model is chosen.",
    "compress": "The passages are shortened.",
    "answer_cheap": "One try of the cheap model, with all its requests.",
    "answer_expensive": "One try of the expensive model, with all its requests.",
    "validate": "The newest answer is checked, and what follows is decided.",
    "remember": "The answer is offered to the cache.",
}
for _box, _kind in BOX_KINDS.items():
    span(_box, _kind, _BOXES[_box])
CHAT: Final = span(
    "chat {model}",
    "LLM",
    "One request to a model over the wire: each retry, hedge, second opinion and judge has its own.",
)
EMBEDDINGS: Final = span("embeddings {model}", "EMBEDDING", "One call of the embedder; a vector that is remembered makes none.")
RETRIEVAL: Final = span("retrieval knowledge", "RETRIEVER", "One search of the knowledge base.")
STORE: Final = span(
    "{store} {operation}",
    "TOOL",
    "One call of a store: cache, ledger, knowledge, limits, or leases on equal questions.",
)


def store_span(store: str, operation: str) -> str:
    """Return the name of the span of a call of a store."""
    return f"{store} {operation}"
