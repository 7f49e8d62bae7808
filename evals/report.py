"""Hand a measurement over: JSON to a file or standard output, a table for people otherwise."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the option ``--json``."""
    parser.add_argument("--json", dest="json_file", metavar="FILE", help="write JSON to FILE, or to standard output with -")


def hand_over(value: object, json_file: str | None, tables: Sequence[Table | str]) -> None:
    """Write ``value`` where ``json_file`` says, or print the tables and lines when it is None."""
    if json_file is None:
        out = Console(soft_wrap=not sys.stdout.isatty())
        for part in tables:
            out.print(part)
        return
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    if json_file == "-":
        sys.stdout.write(text)
    else:
        Path(json_file).write_text(text, encoding="utf-8")
