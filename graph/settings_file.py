"""Settings from one file, and where each value that is in force came from."""

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from graph.settings import STANDARD, Settings
from groat.errors import SettingsError

CONFIG: Final = "GROAT_CONFIG"
"""Names the file; without it ``groat.toml`` beside the clone is read where there is one."""
NAME: Final = "groat.toml"


def read_file(environ: Mapping[str, str], *, beside: Path) -> tuple[Path | None, dict[str, object]]:
    """Return the file of settings and what it sets, by field; None and nothing when there is none.

    Args:
        environ: environment variables.
        beside: folder of ``groat.toml``.

    Raises:
        SettingsError: the file that is named does not exist, cannot be read, or sets what is no setting.
    """
    named = environ.get(CONFIG, "").strip()
    path = Path(named).expanduser().absolute() if named else beside / NAME
    if not named and not path.exists():
        return None, {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); correct {CONFIG} or its permissions") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The words of the parser may quote a line, and with it a secret.
        line = getattr(error, "lineno", None)
        raise SettingsError(f'{path} is no TOML{f", line {line}" if line else ""}; write name = "value"') from error
    return path, _flat(found, path)


def _flat(found: Mapping[str, object], path: Path, before: str = "") -> dict[str, object]:
    """Return the values by field: ``model`` in the table ``[cheap]`` sets ``cheap_model``."""
    values: dict[str, object] = {}
    for key, value in found.items():
        field = f"{before}{key.lower().removeprefix('groat_')}"
        if field in Settings.model_fields:
            values[field] = value
        elif isinstance(value, Mapping):
            values |= _flat(value, path, f"{field}_")
        else:
            near = difflib.get_close_matches(field, Settings.model_fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `groat doctor --settings` lists them all"
            raise SettingsError(f"{path} sets {field!r}, which is no setting{hint}")
    return values


def origins(environ: Mapping[str, str], file: Collection[str], *, dotenv: Collection[str], path: Path | None) -> dict[str, str]:
    """Return for each setting where its value came from: "environment", ".env", the file, "OPENAI_API_KEY" or "default".

    Args:
        environ: environment variables, those of ``.env`` among them.
        file: the fields that the file of settings sets.
        dotenv: names of the variables that came from ``.env``.
        path: of the file of settings.
    """
    given = {name for name, value in environ.items() if value.strip()}

    def origin(field: str) -> str:
        for variable in (f"GROAT_{field.upper()}", STANDARD.get(field, "")):
            if variable in given:
                standard = f", {variable}" if variable in STANDARD.values() else ""
                return (".env" if variable in dotenv else "environment") + standard
        if field in file:
            return str(path)
        tier, _, what = field.partition("_")
        if "OPENAI_API_KEY" in given and tier in ("cheap", "expensive") and what in ("model", "api_key"):
            return "OPENAI_API_KEY"
        if {"OPENAI_API_KEY", "OPENAI_BASE_URL"} <= given and tier in ("cheap", "expensive") and what == "base_url":
            return "OPENAI_BASE_URL"
        return "default"

    return {field: origin(field) for field in Settings.model_fields}
