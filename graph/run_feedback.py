"""What is said of kept runs is put on their runs of LangSmith as well, where that is on."""

import asyncio
import logging
from typing import Final

from langsmith.utils import get_tracer_project

from groat.blame.snapshot import Blamed, Mark
from groat.blame.sqlite import SqliteRuns
from groat.errors import GroatError
from groat.tracing.feedback import Source, give_feedback
from groat.tracing.langsmith_tracer import langsmith_is_on

_LOG = logging.getLogger(__name__)
_KEYS: Final = {"user": "user", "person": "review", "evaluator": "evaluator", "validator": "validation"}
"""Who marked -> key of the feedback."""


class ToldRuns(SqliteRuns):
    """Kept runs whose marks and verdicts LangSmith is told of. What it does not take is logged, and kept all the same."""

    async def mark(self, mark: Mark) -> bool:
        """Keep what somebody said, and tell it."""
        kept = await super().mark(mark)
        if kept:
            score = mark.score if mark.score is not None else float(not mark.bad)
            source: Source = "validation" if mark.kind == "validator" else "user"
            await self._tell(mark.run, _KEYS[mark.kind], score=score, value=None, comment=mark.note, source=source)
        return kept

    async def blame(self, blamed: Blamed) -> bool:
        """Keep what was found, and tell it."""
        kept = await super().blame(blamed)
        if kept:
            comment = f"missed by {blamed.missed_by}, p = {blamed.confidence:.2f}"
            await self._tell(blamed.run, "origin", score=None, value=blamed.origin, comment=comment, source="blame")
        return kept

    async def _tell(self, run: str, key: str, *, score: float | None, value: str | None, comment: str, source: Source) -> None:
        if not langsmith_is_on():
            return
        kept = await self.get(run)
        if kept is None or not kept.snapshot.trace:
            return
        try:
            await asyncio.to_thread(
                give_feedback, kept.snapshot.trace, key, score=score, value=value, comment=comment or None, source=source,
                project=get_tracer_project() or "default",
            )  # fmt: skip
        except GroatError as error:
            _LOG.warning("%s", error)
