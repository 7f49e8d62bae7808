"""The settings of ``groat serve``: limits, other sites, logs."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class ServingSettings(BaseModel):
    """A part of ``graph.settings.Settings``."""

    key_rpm: Annotated[
        int | None, Field(ge=1, description="Most requests a minute of each API key; with GROAT_REDIS_URL over all processes.")
    ] = None
    key_tpm: Annotated[
        int | None,
        Field(ge=1, description="Most tokens a minute of each API key, in and out; hits count none."),
    ] = None
    max_body_mb: Annotated[float, Field(gt=0, le=1024, description="Largest request in megabytes; larger ones get 413.")] = 4.0
    body_timeout_s: Annotated[
        float,
        Field(gt=0, le=3600, description="Longest time for a request to arrive, in seconds; slower ones get 408."),
    ] = 30.0
    cors_origins: Annotated[
        tuple[str, ...],
        Field(
            description="Sites whose pages may call /v1 with a key, such as https://app.example.com, separated by commas; "
            "empty: none."
        ),
    ] = ()
    answer_floor_ms: Annotated[
        float,
        Field(
            ge=0,
            le=60_000,
            description="No answer comes sooner than that, in milliseconds, so that its time does not tell a hit; 0: as "
            "soon as it is there.",
        ),
    ] = 0.0
    log_format: Annotated[
        Literal["text", "json"], Field(description="Lines of the server's log: for people, or one JSON object each.")
    ] = "text"
    log_requests: Annotated[
        bool,
        Field(description="A line for each request: method, route, status, time, digest of the key; no text, no address."),
    ] = False
