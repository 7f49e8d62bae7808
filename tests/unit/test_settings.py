"""Every setting: read from a mapping, named when it cannot be used."""

from pathlib import Path
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from graph.context import Context
from graph.services import open_services
from graph.settings import Settings, read_settings
from groat.errors import BadInput, SettingsError

HOME = Path("/home/of/data")


def _read(**environ: str) -> Settings:
    return read_settings(environ, home=HOME)


def test_nothing_set_gives_the_embedded_profile() -> None:
    settings = _read()
    assert (settings.data_dir, set(settings.tenants), settings.embeddings) == (HOME, {"default"}, "bundled")
    assert (settings.cheap_model, settings.expensive_model) == ("", "")


def test_blank_values_count_as_not_set() -> None:
    assert _read(GROAT_TIMEOUT_S=" ", OPENAI_API_KEY="", GROAT_CHEAP_MODEL="\t") == _read()


def test_an_openai_key_alone_gives_both_models() -> None:
    settings = _read(OPENAI_API_KEY="sk-1", OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert (settings.cheap_model, settings.expensive_model) == ("gpt-5-mini", "gpt-5.2")
    assert settings.cheap_api_key.get_secret_value() == settings.expensive_api_key.get_secret_value() == "sk-1"
    assert settings.cheap_base_url == settings.expensive_base_url == "http://127.0.0.1:1/v1"


def test_a_tier_of_its_own_goes_before_the_common_key() -> None:
    settings = _read(
        OPENAI_API_KEY="sk-1", GROAT_CHEAP_MODEL="llama", GROAT_CHEAP_API_KEY="sk-2", GROAT_CHEAP_BASE_URL="http://here/v1"
    )
    assert (settings.cheap_model, settings.cheap_api_key.get_secret_value(), settings.cheap_base_url) == (
        "llama", "sk-2", "http://here/v1"
    )  # fmt: skip
    assert (settings.expensive_model, settings.expensive_api_key.get_secret_value()) == ("gpt-5.2", "sk-1")


def test_tenants_are_separated_by_commas_and_the_default_stays() -> None:
    assert _read(GROAT_TENANTS="acme, 租户 ,,").tenants == {"default", "acme", "租户"}


def test_a_data_folder_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert _read(GROAT_DATA_DIR="data").data_dir == tmp_path / "data"
    assert _read(GROAT_DATA_DIR="~/data").data_dir == Path("/home/me/data")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GROAT_TIMEOUT_S", "soon"),
        ("GROAT_TIMEOUT_S", "0"),
        ("GROAT_TIMEOUT_S", "nan"),
        ("GROAT_RETRIEVE_K", "0"),
        ("GROAT_RETRIEVE_K", "1.5"),
        ("GROAT_CONTEXT_TOKENS", "-1"),
        ("GROAT_CACHE_URL", "memory"),
        ("GROAT_CACHE_URL", "redis://"),
        ("GROAT_CACHE_URL", "redis://host:port"),
        ("GROAT_CACHE_URL", "redis://host?no_such=option"),
        ("GROAT_CACHE_URL", "http://host"),
        ("GROAT_CACHE_URL", "answers.sqlite"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"the setting {name} cannot be used: .*; correct it or leave it out"):
        _read(**{name: value})


def test_neither_a_repr_nor_an_error_shows_a_key() -> None:
    assert "sk-1" not in repr(_read(OPENAI_API_KEY="sk-1"))
    with pytest.raises(SettingsError) as caught:
        _read(OPENAI_API_KEY="sk-1", GROAT_TIMEOUT_S="sk-1")
    assert "sk-1" not in str(caught.value)


def test_neither_a_repr_nor_an_error_shows_the_password_of_the_cache() -> None:
    url = "redis://:sk-1@host:6379/0"
    settings = _read(GROAT_CACHE_URL=url)
    assert settings.cache_url.get_secret_value() == url
    assert "sk-1" not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        _read(GROAT_CACHE_URL="http://:sk-1@host")
    assert str(caught.value) == (
        "the setting GROAT_CACHE_URL cannot be used: it is neither memory: nor an address such as redis://host:6379/0; "
        "correct it or leave it out"
    )


@pytest.mark.parametrize(
    "url", ["memory:", "redis://host", "redis://name:secret@host:6380/2", "rediss://host/0", "unix:///run/redis.sock", " "]
)
def test_an_address_of_the_cache_is_taken(url: str, tmp_path: Path) -> None:
    settings = _read(GROAT_CACHE_URL=url, GROAT_DATA_DIR=str(tmp_path / "data"))
    assert settings.cache_url.get_secret_value() == url.strip()
    open_services(settings)
    assert not (tmp_path / "data").exists()


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_opening_the_services_touches_nothing(tmp_path: Path) -> None:
    services = open_services(_read(GROAT_DATA_DIR=str(tmp_path / "data")))
    assert not (tmp_path / "data").exists()
    assert [endpoint.name for endpoint in services.answerer.endpoints.values()] == [
        "groat-offline-quick", "groat-offline-thorough"
    ]  # fmt: skip
    assert all(endpoint.offline for endpoint in services.answerer.endpoints.values())


def test_real_models_never_retry_in_secret_and_report_streamed_usage() -> None:
    services = open_services(_read(OPENAI_API_KEY="sk-1", GROAT_TIMEOUT_S="7"))
    for endpoint in services.answerer.endpoints.values():
        assert isinstance(endpoint.model, ChatOpenAI)
        assert (endpoint.model.max_retries, endpoint.model.stream_usage, endpoint.model.request_timeout) == (0, True, 7.0)
        assert endpoint.priced_as == endpoint.name


def test_a_model_of_ones_own_needs_no_key() -> None:
    services = open_services(_read(GROAT_CHEAP_MODEL="llama", GROAT_CHEAP_BASE_URL="http://127.0.0.1:1/v1"))
    assert services.answerer.policy == "llama > groat-offline-thorough"


@pytest.mark.parametrize("name", ["no_such_module:Class", "json:NoSuchClass", "json", "json:JSONDecoder", ":"])
def test_embeddings_that_cannot_be_had_are_named(name: str) -> None:
    with pytest.raises(SettingsError, match="GROAT_EMBEDDINGS"):
        open_services(_read(GROAT_EMBEDDINGS=name))


def test_embeddings_of_langchain_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    services = open_services(_read(GROAT_EMBEDDINGS="langchain_openai:OpenAIEmbeddings", GROAT_EMBEDDINGS_MODEL="small"))
    assert services.embedder.name == "langchain_openai:OpenAIEmbeddings/small"
    # Thresholds and router were measured with other vectors.
    assert (services.answers.rule.version, services.router.version) == ("", "none")


@pytest.mark.parametrize(
    "knobs",
    [
        {"tenant": ""},
        {"tenant": "  "},
        {"tenant": None},
        {"tier": "medium"},
        {"language": "fr"},
        {"max_quality_loss": -0.1},
        {"max_quality_loss": 1.1},
        {"max_quality_loss": float("nan")},
        {"max_quality_loss": True},
        {"max_quality_loss": "0.1"},
        {"max_cost_usd": -1.0},
        {"max_cost_usd": float("nan")},
        {"max_cost_usd": "1"},
        {"collection": None},
        {"collection": "x" * 201},
    ],
)
def test_knobs_that_mean_nothing_are_refused(knobs: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"tenant|tier|language|max_quality_loss|max_cost_usd|collection"):
        Context(**knobs)


def test_knobs_that_mean_something_are_taken() -> None:
    assert Context() == Context(
        tenant="default", tier="auto", use_cache=True, max_quality_loss=0.01, max_cost_usd=None, language="auto"
    )
    assert Context(max_quality_loss=0, max_cost_usd=0).max_cost_usd == 0


def test_a_repr_shows_no_password_of_the_redis_of_limits() -> None:
    settings = _read(GROAT_REDIS_URL="redis://:sk-2@host:6379/0")
    assert settings.redis_url.get_secret_value() == "redis://:sk-2@host:6379/0"
    assert "sk-2" not in repr(settings)


def test_the_example_file_names_every_setting() -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"GROAT_{name.upper()}=" not in example] == []
