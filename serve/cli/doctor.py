"""``groat doctor``: what is configured, whether it works, and what to do when it does not."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.table import Table

from graph.settings import Settings
from groat.errors import GroatError
from serve.application import Application, load_application
from serve.cli.output import JsonOption, console, write_json
from serve.health import Part, examine


def doctor_command(
    json_file: JsonOption = None,
    settings_too: Annotated[bool, typer.Option("--settings/--no-settings", help="Show every setting as well.")] = True,
) -> None:
    """Print what is configured and test each part."""
    try:
        app = load_application()
    except GroatError as error:
        parts: list[Part] = [{"part": "settings", "state": "broken", "says": str(error)}]
        shown: dict[str, str] = {}
        origins: Mapping[str, str] = {}
    else:
        parts = asyncio.run(_examine(app))
        shown = shown_settings(app.settings)
        origins = {f"GROAT_{field.upper()}": origin for field, origin in app.origins.items()}
    if json_file is not None:
        write_json({"settings": shown, "origins": origins, "parts": parts}, json_file)
    else:
        _print(shown if settings_too else {}, origins, parts)
    broken = [part["part"] for part in parts if part["state"] == "broken"]
    if broken:
        raise GroatError(f"not at work: {', '.join(broken)}; the lines above say what to do")


async def _examine(app: Application) -> list[Part]:
    return await examine(app)


def shown_settings(settings: Settings) -> dict[str, str]:
    """Return every setting as it is shown: of a secret, whether it is set."""
    shown = {}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            text = "set" if value.get_secret_value() else "not set"
        elif isinstance(value, frozenset | tuple):
            text = ",".join(sorted(value) if isinstance(value, frozenset) else value) or "not set"
        else:
            text = str(value) or "not set"
        shown[f"GROAT_{field.upper()}"] = text
    return shown


def _print(shown: dict[str, str], origins: Mapping[str, str], parts: list[Part]) -> None:
    out = console()
    if shown:
        table = Table("setting", "value", "from", "meaning", box=None)
        for name, value in shown.items():
            meaning = Settings.model_fields[name.removeprefix("GROAT_").lower()].description or ""
            table.add_row(name, value, origins.get(name, ""), meaning)
        out.print(table)
        out.print()
    table = Table("part", "", "", box=None)
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "broken": "[red]broken[/]"}
    for part in parts:
        table.add_row(part["part"], marks[part["state"]], part["says"])
    out.print(table)
