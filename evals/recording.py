"""Ask two real models every question of a day once, and write the day with what they said: ``groat ladder --record``.

A prompt that comes again is not paid for again. Each model gets the prompt that groat sends, with all documents of the row, or
what the knowledge base finds where the row has none.
"""

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import BaseMessage

from evals.ladder_reading import read_requests
from evals.ladder_rows import TIERS, RequestRow
from evals.record_kept import KeptAnswers, kept_answers
from evals.recorded_rows import passages_of, prompt_of, recorded_row, turns_of
from evals.workload_files import write_day
from groat.answering import ASSUMED_OUTPUT, Answerer, Endpoint, Sent, Watch, prompt_tokens
from groat.costs import PriceTable
from groat.errors import BadInput, ModelError
from groat.knowledge import Knowledge
from groat.types import Tier, Turn, Usage

_NAMED: Final = 10
"""How many requests one message names."""


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """How a day is recorded.

    Attributes:
        answerer: asks the models.
        prices: what they cost.
        knowledge: finds documents for rows that bring none; None: they are asked without.
        samples: further answers of the cheap model to each prompt, 0 or more.
        at_once: questions at the same time.
        max_usd: most dollars for the whole recording, earlier runs included; None for no bound.
    """

    answerer: Answerer
    prices: PriceTable
    knowledge: Knowledge | None = None
    samples: int = 0
    at_once: int = 4
    max_usd: Decimal | None = None

    def __post_init__(self) -> None:
        """Raise BadInput when a budget is set and cannot be kept, since a price is unknown."""
        if self.max_usd is not None and (unknown := self.unpriced()):
            raise BadInput(
                f"no list price is known of {', '.join(unknown)}, so that no budget can be kept; name a model that it is "
                "priced as, add a price to groat/costs/overrides.json, or leave the budget out"
            )

    def endpoint(self, tier: Tier) -> Endpoint:
        """Return who is asked first for a tier."""
        return self.answerer.chain(tier)[0]

    def unpriced(self) -> list[str]:
        """Return the models without a list price."""
        return [name for tier in TIERS if not self.prices.knows(name := self.endpoint(tier).priced_as)]

    def worst(self, tier: Tier, given: int) -> Decimal | None:
        """Return what a call costs at most, as far as the answer's length is known; None when the price is unknown.

        Args:
            tier: who is asked.
            given: tokens of the prompt.
        """
        endpoint = self.endpoint(tier)
        return self.prices.cost(_assumed_usage(given, endpoint.most(None) or ASSUMED_OUTPUT), endpoint.priced_as)

    def wanted(self, tier: Tier) -> range:
        """Return the numbers of the answers that are wanted to one prompt."""
        return range(1 + (self.samples if tier == "cheap" else 0))

    def fingerprint(self, tier: Tier, prompt: Sequence[BaseMessage]) -> str:
        """Return what an answer is kept under: another model or another word in the prompt asks anew."""
        endpoint = self.endpoint(tier)
        told = [tier, endpoint.address, endpoint.name, *([message.type, message.text] for message in prompt)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a recording will take, before anything is sent."""

    rows: int
    calls: int
    """Different prompts that have no answer yet, of both models, with samples."""
    usd: Decimal | None
    """With the longest answers that the models are held to, 150 tokens where they are held to none; None when a price is
    unknown. Questions that follow others in a conversation are counted without those."""
    spent: Decimal
    """By earlier runs."""


@dataclass(kw_only=True)
class Finished:
    """What became of a recording."""

    rows: int = 0
    calls: int = 0
    """In this run."""
    usd: Decimal = field(default_factory=Decimal)
    """Of this and earlier runs."""
    unknown_prices: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Request -> why it has no answer."""
    written: bool = False
    """The day is there: no answer is missing."""

    def in_words(self) -> str:
        """Return what is missing and what to do about it."""
        more = len(self.failed) - _NAMED
        named = "; ".join(f"{name}: {why}" for name, why in list(self.failed.items())[:_NAMED])
        named += f" and {more} more" if more > 0 else ""
        return (
            f"{len(self.failed)} of {self.rows} requests have no answer yet ({named}); "
            "what was answered is kept: run the same command again"
        )


def kept_path(out: Path) -> Path:
    """Return the file in which answers are kept until the day is whole."""
    return out.with_name(f"{out.name}.answers.sqlite")


async def estimate(recorder: Recorder, day: Path, out: Path, on_bad: Callable[[str], None] | None = None) -> Estimate:
    """Return what recording the day will cost: each different prompt once. Raises like ``record``."""
    rows = calls = 0
    usd: Decimal | None = Decimal(0)
    seen: set[str] = set()
    with kept_answers(kept_path(out)) as kept:
        for row in read_requests(day, on_bad):
            rows += 1
            prompt = prompt_of(row, await passages_of(row, recorder.knowledge), [])
            for tier in TIERS:
                if (name := recorder.fingerprint(tier, prompt)) in seen:
                    continue
                seen.add(name)
                wanted = sum(kept.get(name, sample) is None for sample in recorder.wanted(tier))
                calls += wanted
                each = recorder.worst(tier, prompt_tokens(prompt))
                usd = None if usd is None or each is None else usd + wanted * each
        return Estimate(rows=rows, calls=calls, usd=usd, spent=kept.spent()[0])


async def record(
    recorder: Recorder, day: Path, out: Path, *, on_bad: Callable[[str], None] | None = None, progress: Callable[[int], None]
) -> Finished:
    """Ask what is not answered yet, and write the day when nothing is missing.

    A call that fails leaves its row without an answer, and the others go on; so do those that the budget does not pay for. An
    interrupted run, and one with something missing, is taken up by the same call.

    Args:
        recorder: who is asked, and how much that may cost.
        day: requests, with or without recorded answers, which are not looked at.
        out: the file of the recorded day.
        on_bad: is told of each row that cannot be used, which is then left out; None stops at the first.
        progress: is told how many requests are done.

    Raises:
        BadInput: the file of requests cannot be used, or the other one cannot be written.
    """
    with kept_answers(kept_path(out)) as kept:
        kept.begin_rows()
        run = _Run(recorder, kept, progress)
        await run.all_of(read_requests(day, on_bad))
        finished = run.finished
        finished.usd, finished.unknown_prices = kept.spent()
        if not finished.failed:
            models = {tier: recorder.endpoint(tier).name for tier in TIERS}
            about = {"what": "recorded answers of two models", "models": models, "samples": recorder.samples}
            write_day(out, kept.rows(), {**about, "spent_usd": f"{finished.usd:f}"})
            finished.written = True
    return finished


class _Run:
    """One run over the day."""

    def __init__(self, recorder: Recorder, kept: KeptAnswers, progress: Callable[[int], None]) -> None:
        self.finished = Finished()
        self._recorder = recorder
        self._kept = kept
        self._progress = progress
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._reserved = Decimal(0)
        self._done = 0

    async def all_of(self, rows: Iterator[RequestRow]) -> None:
        """Ask for every row; those of one conversation follow each other."""
        said: dict[tuple[str, str], list[Turn]] = defaultdict(list)
        room = asyncio.Semaphore(self._recorder.at_once)
        async with asyncio.TaskGroup() as group:
            for number, row in enumerate(rows):
                self.finished.rows += 1
                if row.conversation is not None:
                    await self._one(number, row, said[row.tenant, row.conversation])
                    continue
                await room.acquire()
                group.create_task(self._one(number, row, [])).add_done_callback(lambda _: room.release())

    async def _one(self, number: int, row: RequestRow, earlier: list[Turn]) -> None:
        passages = await passages_of(row, self._recorder.knowledge)
        prompt = prompt_of(row, passages, earlier)
        for tier in TIERS:
            name = self._recorder.fingerprint(tier, prompt)
            for sample in self._recorder.wanted(tier):
                try:
                    async with self._locks[name]:  # the same prompt twice at once is paid for once
                        await self._ask(tier, name, sample, prompt)
                except ModelError as error:
                    self.finished.failed[row.id] = str(error)
        answers = {tier: self._answers(tier, prompt) for tier in TIERS}
        if answers["expensive"]:
            earlier += turns_of(row, answers["expensive"][0]["text"])
        if row.id not in self.finished.failed:
            self._kept.put_row(number, recorded_row(row, passages, answers))
        self._done += 1
        self._progress(self._done)

    async def _ask(self, tier: Tier, name: str, sample: int, prompt: Sequence[BaseMessage]) -> None:
        if self._kept.get(name, sample) is not None:
            return
        worst = self._recorder.worst(tier, prompt_tokens(prompt)) or Decimal(0)
        self._reserve(worst)

        async def bill(sent: Sent) -> None:
            self.finished.calls += 1
            self._kept.charge(self._recorder.prices.cost(sent.usage, sent.endpoint.priced_as))

        try:
            # The other models of a tier would make a day of many minds: one is asked.
            reply, _ = await self._recorder.answerer.answer(
                prompt, tier=tier, watch=Watch(record=bill), endpoints=[self._recorder.endpoint(tier)]
            )
        finally:
            self._reserved -= worst
        self._kept.put(
            name, sample,
            {"text": reply.text.strip(), "input_tokens": reply.usage["input"], "output_tokens": reply.usage["output"],
             "latency_ms": round(reply.latency_ms, 1)},
        )  # fmt: skip

    def _reserve(self, worst: Decimal) -> None:
        most = self._recorder.max_usd
        if most is not None and self._kept.spent()[0] + self._reserved + worst > most:
            raise ModelError(f"the budget of ${most:f} is used up", failure="budget")
        self._reserved += worst

    def _answers(self, tier: Tier, prompt: Sequence[BaseMessage]) -> list[dict[str, Any]]:
        name = self._recorder.fingerprint(tier, prompt)
        found = [self._kept.get(name, sample) for sample in self._recorder.wanted(tier)]
        return [one for one in found if one is not None]


def _assumed_usage(given: int, written: int) -> Usage:
    return {
        "input": given, "output": written, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True,
        "service_tier": "",
    }  # fmt: skip
