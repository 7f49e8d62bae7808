"""What an arm has done so far: outcomes in blocks, and the state of cache and promises after the newest of them."""

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from evals.ladder_outcomes import Outcome
from evals.ladder_rows import Row

BLOCK = 250
"""Requests after which outcomes and cache are kept."""


class KeptBlocks:
    """Blocks of outcomes in a folder, written whole or not at all, with the cache as it was after the last one.

    A run that takes more rows than the one before goes on where that ended; one that takes fewer reads what it needs.

    Args:
        folder: of one arm; made when missing.
        cache: name of the file of kept answers in it.
    """

    def __init__(self, folder: Path, cache: str) -> None:
        """Read nothing yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._cache = folder / cache
        self._number = 0

    @property
    def accounts(self) -> dict[str, list[float]]:
        """What the promises had left after the last block that is done."""
        path = self._accounts(self._number)
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def take_up(self, rows: Iterator[Row]) -> tuple[list[tuple[Row, Outcome]], list[Row]]:
        """Return the rows that are done, with their outcomes, and rows that were read and are not done.

        A block of other rows, or one at the end of a shorter run, is done again. The cache is made what it was.
        """
        done: list[tuple[Row, Outcome]] = []
        read: list[Row] = []
        while (block := self._read(self._number + 1)) is not None:
            read = list(islice(rows, BLOCK))
            same = all(row.fingerprint == one["row"] for row, one in zip(read, block, strict=False))
            if not same or len(read) > len(block):
                break
            done += zip(read, block, strict=False)
            self._number += 1
            if len(read) < BLOCK:
                return done, []
            read = []
        if not self._after(self._number).exists() and any(one["kept"] for _, one in done):
            # The cache as it was then is gone, and an empty one would give other figures.
            read = [*(row for row, _ in done), *read]
            done, self._number = [], 0
        self._put_back()
        return done, read

    def add(self, block: Sequence[Outcome], accounts: Mapping[str, Sequence[float]]) -> None:
        """Write a block down; the cache and the accounts first, so that they are there for every block that counts as done."""
        self._number += 1
        _write(self._accounts(self._number), json.dumps(accounts))
        if self._cache.exists():
            partial = self._folder / "after.part"
            with closing(sqlite3.connect(self._cache)) as source, closing(sqlite3.connect(partial)) as copy:
                source.backup(copy)
            partial.replace(self._after(self._number))
        _write(self._outcomes(self._number), "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in block))
        # The one before stays: a longer run begins there when this block was cut short.
        self._after(self._number - 2).unlink(missing_ok=True)

    def _put_back(self) -> None:
        for path in self._folder.glob("*.sqlite*"):
            if not path.name.startswith("after-"):
                path.unlink()
        if (kept := self._after(self._number)).exists():
            shutil.copyfile(kept, self._cache)

    def _read(self, number: int) -> list[Outcome] | None:
        path = self._outcomes(number)
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else None

    def _outcomes(self, number: int) -> Path:
        return self._folder / f"outcomes-{number:05}.jsonl"

    def _accounts(self, number: int) -> Path:
        return self._folder / f"accounts-{number:05}.json"

    def _after(self, number: int) -> Path:
        return self._folder / f"after-{number:05}.sqlite"


def _write(path: Path, text: str) -> None:
    partial = path.with_suffix(".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
