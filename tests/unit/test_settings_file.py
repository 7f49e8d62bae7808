"""One file of settings, and where each value came from."""

from decimal import Decimal
from pathlib import Path

import pytest

from graph.settings import read_settings
from graph.settings_file import origins, read_file
from groat.errors import SettingsError

TEXT = """
tenants = ["acme", "租户"]
tenant_budgets = { acme = 5, "租户" = 0.5 }
cors_origins = ["https://app.example.com"]
GROAT_MAX_WRONG = 0.02

[cheap]
model = "small"
api_key = "sk-in-the-file"

[key]
rpm = 60
"""


def written(folder: Path, text: str, name: str = "groat.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_sets_what_the_environment_does_not(tmp_path: Path) -> None:
    path, file = read_file({}, beside=written(tmp_path, TEXT).parent)
    settings = read_settings({"GROAT_KEY_RPM": "7"}, home=tmp_path, file=file)
    assert path == tmp_path / "groat.toml"
    assert settings.tenants == {"default", "acme", "租户"}
    assert settings.tenant_budgets == {"acme": Decimal(5), "租户": Decimal("0.5")}
    assert settings.cors_origins == ("https://app.example.com",)
    assert (settings.cheap_model, settings.max_wrong, settings.key_rpm) == ("small", 0.02, 7)
    assert settings.cheap_api_key.get_secret_value() == "sk-in-the-file"


def test_a_file_may_lie_elsewhere_and_there_may_be_none(tmp_path: Path) -> None:
    path = written(tmp_path, "timeout_s = 5", "别处.toml")
    assert read_file({"GROAT_CONFIG": str(path)}, beside=Path("/nowhere")) == (path, {"timeout_s": 5})
    assert read_file({}, beside=Path("/nowhere")) == (None, {})


def test_it_is_told_where_each_value_came_from(tmp_path: Path) -> None:
    path, file = read_file({}, beside=written(tmp_path, TEXT).parent)
    environ = {"GROAT_KEY_RPM": "7", "GROAT_JUDGE": "off", "OPENAI_API_KEY": "sk", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
    found = origins(environ, file, dotenv={"GROAT_JUDGE"}, path=path)
    assert {name: found[name] for name in ("key_rpm", "judge", "max_wrong", "tries", "cheap_model", "expensive_model")} == {
        "key_rpm": "environment", "judge": ".env", "max_wrong": str(path), "tries": "default", "cheap_model": str(path),
        "expensive_model": "OPENAI_API_KEY",
    }  # fmt: skip
    assert found["otlp_endpoint"] == "environment, OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('cheap_modle = "x"', "did you mean cheap_model"),
        ('[cheap]\nprice = "x"', "cheap_price"),
        ('api_keys = "secret-of-a-tenant', "no TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_without_what_it_holds(tmp_path: Path, text: str, says: str) -> None:
    written(tmp_path, text)
    with pytest.raises(SettingsError, match=says) as raised:
        read_file({}, beside=tmp_path)
    assert "secret-of" not in str(raised.value)


def test_a_file_that_is_named_and_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="GROAT_CONFIG"):
        read_file({"GROAT_CONFIG": str(tmp_path / "none.toml")}, beside=tmp_path)


def test_a_value_that_cannot_be_used_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="GROAT_TRIES"):
        read_settings({}, home=tmp_path, file={"tries": "many"})
