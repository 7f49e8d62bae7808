"""The settings of what is seen of questions: runs that are kept, spans and metrics, and who may read them."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from groat.blame.sqlite import KEEP_DAYS as RUNS_KEEP_DAYS
from groat.blame.sqlite import MOST_BYTES, WAIT_H


class SeeingSettings(BaseModel):
    """A part of ``graph.settings.Settings``."""

    keep_runs: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of questions whose run is kept to look at later; those with a bad answer always are.",
        ),
    ] = 1.0
    keep_run_texts: Annotated[
        bool,
        Field(
            description="Keep questions, answers and passages in the kept runs; without them decisions and amounts are kept, "
            "and a bad answer cannot be asked again to find what is to blame."
        ),
    ] = False
    keep_runs_days: Annotated[float, Field(ge=0, le=3650, description="For how many days runs are kept; 0: none are.")] = (
        RUNS_KEEP_DAYS
    )
    keep_runs_wait_h: Annotated[
        float,
        Field(
            ge=0, le=8760, description="For how long other runs are held, in case somebody calls their answer bad, in hours."
        ),
    ] = WAIT_H
    keep_runs_mb: Annotated[
        int, Field(ge=1, description="Most megabytes of kept runs; beyond it the oldest go, good ones before bad ones.")
    ] = MOST_BYTES // 1_000_000
    otlp_endpoint: Annotated[
        str,
        Field(
            description="Collector of spans and metrics (OTLP over HTTP), such as http://127.0.0.1:4318; empty: none, or the "
            "standard OTEL_EXPORTER_OTLP_ENDPOINT."
        ),
    ] = ""
    trace_sample: Annotated[
        float,
        Field(
            ge=0, le=1, description="Share of the traces that went well that are kept, on every backend; all others are kept."
        ),
    ] = 1.0
    trace_content: Annotated[
        bool, Field(description="Let questions, passages and answers into traces, redacted, on LangSmith too.")
    ] = False
    trace_redact: Annotated[
        str, Field(description="A redaction of your own after groat's, as module:function; it gets a text and returns one.")
    ] = ""
    trace_buffer_mb: Annotated[
        float, Field(gt=0, le=4096, description="Most megabytes of traces that wait for each backend; what is more is dropped.")
    ] = 16.0
    metrics_port: Annotated[
        int | None,
        Field(
            ge=0,
            le=65_535,
            description="Port on which Prometheus may ask; 0: only where groat serves; empty: no metrics for it.",
        ),
    ] = None
    metrics_host: Annotated[str, Field(description="Address that this port listens on.")] = "127.0.0.1"
    api_keys: Annotated[
        SecretStr,
        Field(
            description="Who may call `groat serve`: KEY=TENANT, KEY=TENANT:reviewer or KEY=*:reviewer, separated by commas; "
            "empty: everybody on this machine."
        ),
    ] = SecretStr("")
