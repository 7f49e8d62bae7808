"""Many questions from a file: rows in, results out in the same order, and going on after any kind of end."""

from groat.batch.ordering import in_order
from groat.batch.results import Answered, Failed, Outcome, Results, Tally
from groat.batch.rows import BadRow, Row, count_rows, read_rows
from groat.batch.running import AHEAD, Asker, Step, run, written

__all__ = [
    "AHEAD",
    "Answered",
    "Asker",
    "BadRow",
    "Failed",
    "Outcome",
    "Results",
    "Row",
    "Step",
    "Tally",
    "count_rows",
    "in_order",
    "read_rows",
    "run",
    "written",
]
