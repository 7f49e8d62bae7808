"""Write the picture of the graph into the READMEs, drawn from the graph itself.

python -m evals.picture
"""

import sys
import tempfile
from pathlib import Path

import regex

from graph.build import build_graph
from graph.services import open_services
from graph.settings import Settings

READMES = tuple(Path(__file__).parent.parent / name for name in ("README.md", "README.zh-CN.md"))
_PLACE = regex.compile(r"(?<=<!-- picture -->\n).*?(?=<!-- /picture -->)", regex.DOTALL)


def picture() -> str:
    """Return the graph as a fenced Mermaid block."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = build_graph(open_services(Settings(data_dir=Path(folder)))).get_graph().draw_mermaid()
    return f"```mermaid\n{drawn.strip()}\n```"


def with_picture(readme: str) -> str:
    """Return the text of a README with the picture of today between its marks."""
    drawn = picture()
    return _PLACE.sub(lambda _: f"{drawn}\n", readme)


if __name__ == "__main__":
    for path in READMES:
        path.write_text(with_picture(path.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(picture() + "\n")
