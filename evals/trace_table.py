"""Write the table of spans, attributes, events and metrics into docs/tracing.md, between its two marks.

python -m evals.trace_table
"""

from pathlib import Path
from typing import Final

# Their rows are in the table once they are imported.
from groat.tracing.names import attributes, metrics, spans
from groat.tracing.names.table import markdown

PAGE: Final = Path(__file__).parents[1] / "docs" / "tracing.md"
BEGIN, END = "<!-- table: python -m evals.trace_table -->", "<!-- end of the table -->"
TOLD: Final = (spans, attributes, metrics)


def with_table(page: str) -> str:
    """Return the page with today's table."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
