"""Every name under which groat tells the outside what it does, once; those of traces stand beside this module."""

from typing import Final

EVENT: Final = "groat"
"""Key of every event on LangGraph's custom stream; its value is one of the names below."""

CACHE_DECIDED: Final = "cache_decided"
RETRIEVED: Final = "retrieved"
ROUTED: Final = "routed"
COMPRESSED: Final = "compressed"
ATTEMPTED: Final = "attempted"
TOKEN: Final = "token"
"""A piece of an answer that is not validated yet; only with the knob ``stream="live"``."""
REPLACED: Final = "replaced"
"""What was streamed of an attempt is void; another attempt, or the settled answer, takes its place."""
CHUNK: Final = "chunk"
"""A piece of a reply that is passed on to who offered tools: a message of LangChain, under the same name."""
JUDGED: Final = "judged"
REMEMBERED: Final = "remembered"
NOT_REMEMBERED: Final = "not_remembered"

TRACER: Final = "groat"
"""Name of the tracer and of the meter."""

RUN_PURPOSE: Final = "groat_purpose"
"""Key of a run's metadata that says what it is for, where that is no question: audit, replay or shadow."""
