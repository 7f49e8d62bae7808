"""Do the places where traces go take them?"""

import asyncio
from typing import TYPE_CHECKING

from langsmith.utils import tracing_is_enabled

from graph.settings import Settings
from groat.tracing.exporting import OtlpSpans
from groat.tracing.outbox import Sent

if TYPE_CHECKING:
    from serve.health import Part

_PATIENCE_S = 3.0


async def traces_part(settings: Settings) -> "Part":
    """Send nothing to the collector, and say whether it takes it, and where else traces go."""
    further = " LangSmith is on beside it." if tracing_is_enabled() else ""
    endpoint = settings.otlp_endpoint
    if not endpoint:
        says = f"no collector is set; GROAT_OTLP_ENDPOINT names one (docs/tracing.md).{further}"
        return {"part": "traces", "state": "ok", "says": says}
    send = OtlpSpans(f"{endpoint.rstrip('/')}/v1/traces", timeout_s=_PATIENCE_S)
    if await asyncio.to_thread(send, []) is Sent.TAKEN:
        content = "with redacted texts" if settings.trace_content else "without texts"
        return {"part": "traces", "state": "ok", "says": f"{endpoint} takes spans, {content}.{further}"}
    says = (
        f"{endpoint} takes no spans; start the collector, or correct GROAT_OTLP_ENDPOINT. Questions are answered all the same."
    )
    return {"part": "traces", "state": "broken", "says": says}
