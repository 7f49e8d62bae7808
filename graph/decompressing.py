"""Records what came of questions that were tried again on their full context."""

from dataclasses import dataclass, replace

from langgraph.runtime import Runtime

from graph.route_auditing import Watched
from graph.settings import Settings
from groat.cache.background import Background
from groat.compression.records import CompressionRecords, Outcome, training_row
from groat.costs import total_text
from nodes import Knobs
from nodes.validate import Needs, Update, Validate

RECORDS = "compression.sqlite"
"""The file of the records, in the folder of data."""


@dataclass(frozen=True, kw_only=True)
class Decompressions:
    """Where outcomes go. A file that fails costs no question its answer: the failure is logged."""

    records: CompressionRecords
    keep_rows: bool
    """Whether the question and its passages are kept, as rows to fit on."""
    rule: str
    """Version of the stop rule in force."""
    background: Background

    def begun(self, state: Needs) -> None:
        """Take down that a question is tried again."""
        asked, shortened = state["asked"], state["shortened"]
        assert shortened is not None  # only what was shortened is tried again in full
        outcome = Outcome(
            run=state["run"], at=state["asked_at"], tenant=asked["tenant"], language=asked["language"],
            tier=state["attempts"][-1]["tier"], rule=self.rule, tokens_before=shortened["tokens_before"],
            tokens_after=shortened["tokens_after"],
        )  # fmt: skip
        self.background.submit(lambda: self.records.add(outcome))

    def ended(self, state: Needs, update: Update) -> None:
        """Take down what came of it."""
        verdicts, attempts = [*state["verdicts"], *update["verdicts"]], state["attempts"]
        tried = [verdict["step"] for verdict in verdicts].index("decompress")
        mended = verdicts[-1]["step"] == "accept" and attempts[-1]["tier"] == attempts[tried]["tier"]
        cost = total_text([charge for charge in state["charges"] if charge.get("purpose") == "decompress"])
        row = None
        if mended and self.keep_rows:
            row = training_row(state["asked"], state["passages"], attempts[-1]["text"], run=state["run"])

        async def write() -> None:
            if (begun := await self.records.begun(state["run"])) is not None:
                await self.records.add(replace(begun, mended=mended, cost_usd=cost, row=row))

        self.background.submit(write)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The box ``validate``, which takes down every question that it sends to its full context, and how that question ends."""

    box: Validate | Watched
    decompressions: Decompressions

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return what the box returns."""
        update = await self.box(state, runtime)
        if update["verdicts"][-1]["step"] == "decompress":
            self.decompressions.begun(state)
        elif "answer" in update and any(verdict["step"] == "decompress" for verdict in state["verdicts"]):
            self.decompressions.ended(state, update)
        return update


def recorded(box: Validate | Watched, decompressions: Decompressions | None) -> Validate | Watched | Recorded:
    """Return the box, with outcomes taken down unless recording is off."""
    return box if decompressions is None else Recorded(box=box, decompressions=decompressions)


def open_compression_records(settings: Settings) -> CompressionRecords:
    """Return the records of compression in the folder of data."""
    return CompressionRecords(settings.data_dir / RECORDS)


def open_decompressions(settings: Settings, rule: str) -> Decompressions | None:
    """Return where outcomes go; None when recording is off."""
    if settings.compress_records == "off":
        return None
    return Decompressions(
        records=open_compression_records(settings),
        keep_rows=settings.compress_records == "rows",
        rule=rule,
        # One at a time, so that the end of a question is written after its beginning.
        background=Background(at_once=1),
    )
