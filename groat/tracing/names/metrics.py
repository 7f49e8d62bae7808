"""The metrics. Prometheus shows dots as underscores, appends the unit, and ``_total`` to counters."""

from typing import Final

from groat.tracing.names.table import metric

REQUESTS: Final = metric("groat.requests", "counter", "{request}", "Questions by outcome, language and purpose.")
LOOKUPS: Final = metric(
    "groat.cache.lookups", "counter", "{lookup}", "Questions to the cache by outcome, tier, reason and language."
)
ROUTES: Final = metric("groat.routes", "counter", "{question}", "Routed questions by tier, language and budget_bound.")
STEPS: Final = metric("groat.verdicts", "counter", "{verdict}", "Verdicts by step (escalate among them) and tier.")
BOX_SECONDS: Final = metric("groat.box.duration", "histogram", "s", "Time in each box.")
REQUEST_SECONDS: Final = metric("groat.request.duration", "histogram", "s", "Time of a question, by outcome.")
FIRST_TOKEN_SECONDS: Final = metric(
    "groat.request.time_to_first_token", "histogram", "s", "Until the user could read something, by outcome."
)
TOKENS: Final = metric(
    "groat.tokens",
    "counter",
    "{token}",
    "Charged tokens by type, model, tier and purpose.",
)
COST: Final = metric(
    "groat.cost", "counter", "{USD}", "Charged dollars by kind, model, tier and purpose; unknown prices are not in it."
)
COST_UNKNOWN: Final = metric("groat.cost.unknown", "counter", "{charge}", "Charges without a known price, by model.")
SAVED: Final = metric(
    "groat.saved", "up-down counter", "{USD}", "Baseline less cost of the settled questions, where both are known."
)
BASELINE: Final = metric(
    "groat.baseline", "counter", "{USD}", "What the expensive model alone would have cost, where it is known."
)
BOUND: Final = metric(
    "groat.cache.bound", "gauge", "1", "Bound of the share of wrong hits in force at the last lookup, by language."
)
BREAKER: Final = metric("groat.breaker.open", "gauge", "1", "1 for an endpoint that is left alone, by model and tier.")
DROPPED: Final = metric("groat.telemetry.dropped", "counter", "{item}", "Spans and runs that were dropped, by kind and reason.")
HELD_BYTES: Final = metric("groat.telemetry.held", "gauge", "By", "Bytes of spans and runs that wait to be sent, by kind.")
CALL_SECONDS: Final = metric(
    "gen_ai.client.operation.duration", "histogram", "s", "Time of one request to a model, failed ones too."
)
CALL_FIRST_CHUNK: Final = metric(
    "gen_ai.client.operation.time_to_first_chunk", "histogram", "s", "From sending a request to its first token."
)
TOKEN_USAGE: Final = metric("gen_ai.client.token.usage", "histogram", "{token}", "Tokens of one request, by gen_ai.token.type.")
