"""How the server's log is written: lines for people, or one JSON object each; never what anybody asked."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

from serve.web.seen import places

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""What every record has; the rest was given with it."""


class JsonLines(logging.Formatter):
    """One JSON object a line: time in UTC, level, logger, message, and what was given with it.

    Of an error its kind and the places it came through are told, not its message, which might quote a request.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info and record.exc_info[1] is not None:
            told |= {"error": type(record.exc_info[1]).__name__, "places": places(record.exc_info[1])}
        return json.dumps(told, ensure_ascii=False, default=str)


def set_up_logs(form: Literal["text", "json"]) -> None:
    """Have all loggers of this process write to standard error in this form."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # They tell every request that is sent, address and all.
    for name in ("httpx", "httpcore", "openai"):
        logging.getLogger(name).setLevel(logging.WARNING)
