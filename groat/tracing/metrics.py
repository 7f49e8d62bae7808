"""The metrics, through the API of OpenTelemetry: without an SDK they cost next to nothing and go nowhere.

No metric names a tenant, a document or a question: who can read a dashboard may know less than who can read a trace.
"""

from collections.abc import Callable, Iterable
from typing import Final, Literal

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from groat.tracing import names
from groat.tracing.names import metrics as told
from groat.tracing.names.table import METRICS
from groat.types import Charge

_MEANING: Final = {row.name: row.meaning for row in METRICS}
Observe = Callable[[], Iterable[tuple[float, dict[str, str]]]]
"""Returns values with their attributes when somebody looks."""

_CALL_BUCKETS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""As the conventions for generative AI advise."""
_BOX_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TOKEN_KINDS: Final[tuple[Literal["input", "output", "cache_read", "reasoning"], ...]] = (
    "input", "output", "cache_read", "reasoning"
)  # fmt: skip
_TOKEN_BUCKETS = tuple(float(4**power) for power in range(13))


class Instruments:
    """All instruments of one meter."""

    def __init__(self, meter: Meter) -> None:
        """Make them."""

        def seconds(name: str, buckets: tuple[float, ...]) -> metrics.Histogram:
            return meter.create_histogram(
                name, unit="s", description=_MEANING[name], explicit_bucket_boundaries_advisory=buckets
            )

        self._meter = meter
        self.requests = meter.create_counter(told.REQUESTS, "{request}", _MEANING[told.REQUESTS])
        self.lookups = meter.create_counter(told.LOOKUPS, "{lookup}", _MEANING[told.LOOKUPS])
        self.routes = meter.create_counter(told.ROUTES, "{question}", _MEANING[told.ROUTES])
        self.steps = meter.create_counter(told.STEPS, "{verdict}", _MEANING[told.STEPS])
        self.box_s = seconds(told.BOX_SECONDS, _BOX_BUCKETS_S)
        self.request_s = seconds(told.REQUEST_SECONDS, _CALL_BUCKETS_S)
        self.first_token_s = seconds(told.FIRST_TOKEN_SECONDS, _CALL_BUCKETS_S)
        self.call_s = seconds(told.CALL_SECONDS, _CALL_BUCKETS_S)
        self.first_chunk_s = seconds(told.CALL_FIRST_CHUNK, _CALL_BUCKETS_S)
        self.tokens = meter.create_counter(told.TOKENS, "{token}", _MEANING[told.TOKENS])
        self.token_usage = meter.create_histogram(
            told.TOKEN_USAGE, "{token}", _MEANING[told.TOKEN_USAGE], explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS
        )
        self.cost = meter.create_counter(told.COST, "{USD}", _MEANING[told.COST])
        self.cost_unknown = meter.create_counter(told.COST_UNKNOWN, "{charge}", _MEANING[told.COST_UNKNOWN])
        self.saved = meter.create_up_down_counter(told.SAVED, "{USD}", _MEANING[told.SAVED])
        self.baseline = meter.create_counter(told.BASELINE, "{USD}", _MEANING[told.BASELINE])
        self.bound = meter.create_gauge(told.BOUND, "1", _MEANING[told.BOUND])
        self.dropped = meter.create_counter(told.DROPPED, "{item}", _MEANING[told.DROPPED])

    def charged(self, charge: Charge) -> None:
        """Count one charge."""
        usage = charge["usage"]
        labels = {
            "model": charge["model"],
            "tier": charge["tier"] or "none",
            "purpose": charge.get("purpose", "embedding" if charge["kind"] == "embedding" else "answer"),
        }
        for kind in _TOKEN_KINDS:
            if number := usage[kind]:
                self.tokens.add(number, {**labels, "type": kind})
        if charge["kind"] == "chat" and charge["outcome"] == "ok":
            for kind in _TOKEN_KINDS[:2]:
                told_of = {"gen_ai.operation.name": "chat", "gen_ai.request.model": charge["model"], "gen_ai.token.type": kind}
                self.token_usage.record(usage[kind], told_of)
        if charge["cost_usd"] is None:
            self.cost_unknown.add(1, {"model": charge["model"]})
        else:
            self.cost.add(float(charge["cost_usd"]), {**labels, "kind": charge["kind"]})

    def watch(self, name: str, unit: str, observe: Observe) -> None:
        """Have a gauge that is read when somebody looks."""

        def look(options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, labels) for value, labels in observe()]

        self._meter.create_observable_gauge(name, [look], unit, _MEANING[name])


_instruments = Instruments(metrics.get_meter(names.TRACER))


def instruments() -> Instruments:
    """Return the instruments of this process."""
    return _instruments


def use(meter: Meter) -> None:
    """Have all metrics told to another meter, for measurements that compare."""
    global _instruments
    _instruments = Instruments(meter)
