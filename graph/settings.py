"""Every setting: its name, meaning, default and where its value came from."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError

from graph.settings_seen import SeeingSettings
from graph.settings_serving import ServingSettings
from groat.cache.audit import AUDIT_SHARE
from groat.errors import SettingsError
from groat.redis_link import is_address
from groat.routing import ASSUMED_LOSS
from groat.routing.audit import AUDIT_SHARE as ROUTE_AUDIT_SHARE
from groat.routing.records import KEEP_DAYS

STANDARD = {"otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Variables of others that say what a field means when its own does not."""
IN_MEMORY = "memory:"
"""The address of a cache in this process."""


def _cache_address(address: SecretStr) -> SecretStr:
    url = address.get_secret_value()
    if url and url != IN_MEMORY and not is_address(url):
        raise PydanticCustomError("cache_url", "it is neither memory: nor an address such as redis://host:6379/0")
    return address


class AnsweringSettings(BaseModel):
    """A part of ``Settings``: where data lies, and what answers."""

    data_dir: Annotated[Path, Field(description="Folder of the databases; made at the first use, for the owner only.")]
    tenants: Annotated[
        frozenset[str],
        Field(description="Tenants, separated by commas, that may ask without having documents of their own."),
    ] = frozenset({"default"})
    cheap_model: Annotated[str, Field(description="Model of the cheap tier; empty: the offline answerer.")] = ""
    cheap_base_url: Annotated[str, Field(description="Address of its OpenAI-compatible endpoint; empty: OpenAI.")] = ""
    cheap_api_key: Annotated[SecretStr, Field(description="Its key; empty: OPENAI_API_KEY.")] = SecretStr("")
    expensive_model: Annotated[str, Field(description="Model of the expensive tier; empty: the offline answerer.")] = ""
    expensive_base_url: Annotated[str, Field(description="Address of its OpenAI-compatible endpoint; empty: OpenAI.")] = ""
    expensive_api_key: Annotated[SecretStr, Field(description="Its key; empty: OPENAI_API_KEY.")] = SecretStr("")
    timeout_s: Annotated[float, Field(gt=0, le=3600, description="Longest wait for one model call, in seconds.")] = 60.0
    cheap_priced_as: Annotated[
        str, Field(description="Model whose list price applies to the cheap one; 'local' for one that costs nothing here.")
    ] = ""
    expensive_priced_as: Annotated[
        str, Field(description="Model whose list price applies to the expensive one; 'local' for one that costs nothing here.")
    ] = ""
    cheap_fallbacks: Annotated[
        tuple[str, ...],
        Field(description="Models asked when the cheap one fails, in turn: NAME or NAME@BASE_URL, separated by commas."),
    ] = ()
    expensive_fallbacks: Annotated[
        tuple[str, ...],
        Field(description="Models asked when the expensive one fails, in turn: NAME or NAME@BASE_URL, separated by commas."),
    ] = ()
    fallback_api_key: Annotated[SecretStr, Field(description="Key of all fallbacks; empty: the key of their tier.")] = (
        SecretStr("")
    )
    cheap_rpm: Annotated[int | None, Field(ge=1, description="Most requests a minute to a cheap model; empty: no limit.")] = (
        None
    )
    cheap_tpm: Annotated[int | None, Field(ge=1, description="Most tokens a minute, in and out; empty: no limit.")] = None
    expensive_rpm: Annotated[
        int | None, Field(ge=1, description="Most requests a minute to an expensive model; empty: no limit.")
    ] = None
    expensive_tpm: Annotated[int | None, Field(ge=1, description="Most tokens a minute, in and out; empty: no limit.")] = None
    cheap_max_output: Annotated[
        int | None,
        Field(ge=1, description="Most tokens of a reply of a cheap model, reasoning included; empty: its own bound."),
    ] = None
    expensive_max_output: Annotated[
        int | None, Field(ge=1, description="Most tokens of a reply of an expensive model; empty: its own bound.")
    ] = None
    redis_url: Annotated[
        SecretStr,
        Field(description="Redis that holds the limits of all processes together; empty: each process counts for itself."),
    ] = SecretStr("")
    tries: Annotated[int, Field(ge=1, le=10, description="Most requests to one model for one answer.")] = 3
    hedge_after_s: Annotated[
        float | None,
        Field(gt=0, description="A second request is sent when the first shows nothing for so long; empty: never. Costs more."),
    ] = None
    breaker_failures: Annotated[int, Field(ge=1, description="Failures in a row after which a model is left alone.")] = 5
    breaker_rest_s: Annotated[float, Field(gt=0, description="For how long it is left alone, in seconds.")] = 30.0
    log_probabilities: Annotated[
        bool, Field(description="Ask the models for the probabilities of their tokens, as evidence; not all give them.")
    ] = False
    stream_calls: Annotated[
        bool, Field(description="Stream every reply on the wire, held back or not: bills what came of one that broke off.")
    ] = False
    structured_outputs: Annotated[
        bool, Field(description="Send a caller's JSON Schema as response_format; switch off for endpoints that refuse it.")
    ] = True
    second_opinion: Annotated[
        tuple[str, ...],
        Field(
            description="Asked for evidence, the cheapest first and each when that is worth its price: 'sample' (the cheap "
            "model again), model:NAME or judge:NAME, each with @BASE_URL if need be, separated by commas; empty: nobody."
        ),
    ] = ()
    pruner: Annotated[
        str,
        Field(
            description="Small model that says which sentences of the documents are needed, NAME or NAME@BASE_URL, billed like "
            "any call; empty: none, the learned order decides."
        ),
    ] = ""
    compress_records: Annotated[
        Literal["off", "figures", "rows"],
        Field(
            description="Record how often the full context mends what the shortened one lacked: off, figures without any text, "
            "or rows to fit on, with the questions' and passages' texts."
        ),
    ] = "off"
    budget_usd_per_day: Annotated[
        Decimal | None, Field(ge=0, description="Most that all tenants together may spend in one UTC day; empty: no budget.")
    ] = None
    tenant_budget_usd_per_day: Annotated[
        Decimal | None, Field(ge=0, description="Most that each tenant may spend in one UTC day; empty: no budget.")
    ] = None
    tenant_budgets: Annotated[
        dict[str, Decimal], Field(description="Budgets of single tenants, in dollars a day: NAME=5,OTHER=0.5.")
    ] = {}
    budget_policy: Annotated[
        Literal["warn", "degrade", "refuse"],
        Field(description="What a spent budget does: warn, degrade to the cheap model, or refuse."),
    ] = "refuse"
    reference_cheap: Annotated[str, Field(description="Prices of this model apply to a cheap tier that runs here.")] = (
        "gpt-5-mini"
    )
    reference_expensive: Annotated[
        str, Field(description="Prices of this model apply to an expensive tier that runs here.")
    ] = "gpt-5.2"
    embeddings: Annotated[
        str, Field(description="'bundled', or a LangChain embeddings class as module:Class; changing it means ingesting again.")
    ] = "bundled"
    embeddings_model: Annotated[str, Field(description="Passed to that class as `model`.")] = ""
    judge: Annotated[
        str,
        Field(description="Weights of the judge of pairs: 'all', 'open' (learned from open sources), a folder, or 'off'."),
    ] = "all"
    judge_threads: Annotated[int, Field(ge=1, le=256, description="Cores that one call of the judge may use.")] = 1
    cache_url: Annotated[
        SecretStr,
        AfterValidator(_cache_address),
        Field(
            description="Where answers are kept: empty for a file in the data folder, 'memory:' for this process only, or a "
            "Redis that processes and machines share: redis://HOST:6379/0, or rediss:// with TLS."
        ),
    ] = SecretStr("")
    max_wrong: Annotated[
        float, Field(ge=0, le=1, description="Largest share of wrong answers among those that the cache serves by likeness.")
    ] = 0.01
    max_wrong_sure: Annotated[
        bool, Field(description="Keep that share with 95 % confidence instead of on average; takes more evidence.")
    ] = False
    cache_across_languages: Annotated[
        bool, Field(description="Serve a Chinese question with the kept answer of an English one, and the other way round.")
    ] = False
    cache_policy: Annotated[
        Path | None, Field(description="TOML file that says what may be kept for how long; empty: the policy of groat.")
    ] = None
    audit_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of hits by likeness that are answered afresh and compared, when nobody waits; each "
            "costs a model call. 0: none.",
        ),
    ] = AUDIT_SHARE
    route_audit_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of questions that both models answer, when nobody waits, for the router to learn from; each "
            "costs the other model's answer. 0: none.",
        ),
    ] = ROUTE_AUDIT_SHARE
    route_keep_days: Annotated[float, Field(gt=0, le=3650, description="For how many days the router's records are kept.")] = (
        KEEP_DAYS
    )
    route_keep_text: Annotated[
        bool, Field(description="Keep the questions' texts in the router's records, beside hashes and vectors.")
    ] = False
    assumed_loss: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Loss of quality of the cheap model's answer that is assumed over documents like none that anybody "
            "labelled; the promise pays for it. 0: such questions go to the expensive model.",
        ),
    ] = ASSUMED_LOSS
    route_shadow: Annotated[
        str,
        Field(description="Version of a router whose decisions are recorded beside and never followed; empty: none."),
    ] = ""
    shadow_config: Annotated[
        Path | None,
        Field(description="File of settings, as in .env, of a new configuration that answers live questions unserved."),
    ] = None
    shadow_share: Annotated[
        float,
        Field(ge=0, le=1, description="Share of the questions not served from the cache that it answers, at its own cost."),
    ] = 0.0
    shadow_keep_text: Annotated[
        bool, Field(description="Keep the questions and both answers beside their costs, so that they can be judged.")
    ] = False
    share_wait_s: Annotated[
        float,
        Field(ge=0, le=600, description="Longest wait for an equal question that is being answered, in seconds; 0: never."),
    ] = 10.0
    redis_patience_s: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            description="How long a question waits for a silent Redis, in seconds, before it goes on without the cache; more "
            "on machines whose cores are busy.",
        ),
    ] = 0.016
    retrieve_k: Annotated[int, Field(ge=1, le=100, description="Most passages for one question.")] = 40
    context_tokens: Annotated[
        int, Field(ge=100, le=200_000, description="Most tokens of passages for one question, before shortening.")
    ] = 2000


class Settings(ServingSettings, SeeingSettings, AnsweringSettings):
    """What is set for a whole process. Field ``x_y`` is read from ``GROAT_X_Y``; secrets never show in a repr."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_settings(environ: Mapping[str, str], *, home: Path, file: Mapping[str, object] | None = None) -> Settings:
    """Return the settings that an environment and a file give. Pure.

    With ``OPENAI_API_KEY`` and no models named, the tiers are gpt-5-mini and gpt-5.2; a key in the environment of a tier of
    its own goes before it. An empty value counts as not set.

    Args:
        environ: environment variables.
        home: folder for data when ``GROAT_DATA_DIR`` is not set.
        file: what a file of settings sets, by field (``graph.settings_file``); the environment goes before it.

    Raises:
        SettingsError: a value cannot be used; the message names the variable.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    values: dict[str, object] = {"data_dir": home, **(file or {})}
    for field in Settings.model_fields:
        if (value := given.get(f"GROAT_{field.upper()}", given.get(STANDARD.get(field, "")))) is not None:
            values[field] = value
    for field in ("cheap_fallbacks", "expensive_fallbacks", "second_opinion", "cors_origins"):
        if field in values:
            values[field] = tuple(_parts(values[field]))
    if isinstance(budgets := values.get("tenant_budgets"), str):
        pairs = (part.partition("=") for part in _parts(budgets))
        values["tenant_budgets"] = {name.strip(): amount.strip() for name, _, amount in pairs}
    if "tenants" in values:
        values["tenants"] = {"default", *_parts(values["tenants"])}
    values["data_dir"] = Path(str(values["data_dir"])).expanduser().absolute()
    if key := given.get("OPENAI_API_KEY"):
        values.setdefault("cheap_model", "gpt-5-mini")
        values.setdefault("expensive_model", "gpt-5.2")
        for tier in ("cheap", "expensive"):
            values.setdefault(f"{tier}_api_key", key)
            values.setdefault(f"{tier}_base_url", given.get("OPENAI_BASE_URL", ""))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = f"GROAT_{str(first['loc'][0]).upper()}"
        raise SettingsError(f"the setting {name} cannot be used: {first['msg'].lower()}; correct it or leave it out") from error


def _parts(value: object) -> list[str]:
    """Return the parts of a value: those between commas in a variable, or the elements of a list in a file."""
    parts = value if isinstance(value, list) else str(value).split(",")
    return [str(part).strip() for part in parts if str(part).strip()]
