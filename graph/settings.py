"""Every setting: its name, meaning, default and where its value came from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from groat.errors import SettingsError


class Settings(BaseModel):
    """What is set for a whole process. Field ``x_y`` is read from ``GROAT_X_Y``; secrets never show in a repr."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    retrieve_k: Annotated[int, Field(ge=1, le=100, description="Most passages for one question.")] = 40
    context_tokens: Annotated[
        int, Field(ge=100, le=200_000, description="Most tokens of passages for one question, before shortening.")
    ] = 2000


def read_settings(environ: Mapping[str, str], *, home: Path) -> Settings:
    """Return the settings that an environment gives. Pure.

    With ``OPENAI_API_KEY`` and no models named, the tiers are gpt-5-mini and gpt-5.2; a key in the environment of a tier of
    its own goes before it. An empty value counts as not set.

    Args:
        environ: environment variables.
        home: folder for data when ``GROAT_DATA_DIR`` is not set.

    Raises:
        SettingsError: a value cannot be used; the message names the variable.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    values: dict[str, object] = {"data_dir": home}
    for field in Settings.model_fields:
        if (value := given.get(f"GROAT_{field.upper()}")) is not None:
            values[field] = value
    if "tenants" in values:
        values["tenants"] = {"default", *(name.strip() for name in str(values["tenants"]).split(",") if name.strip())}
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
