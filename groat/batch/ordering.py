"""Work on many rows at once and hand the results on in the order of the rows."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

_Row = TypeVar("_Row")
_Outcome = TypeVar("_Outcome")


class Stopped(Exception):
    """A row was not begun, since the work is to end."""


async def in_order(
    rows: Iterator[_Row],
    work: Callable[[_Row], Awaitable[_Outcome]],
    *,
    at_once: int,
    ahead: int,
    stop: asyncio.Event,
    read_at_once: int = 64,
) -> AsyncIterator[tuple[_Row, _Outcome]]:
    """Yield each row with its outcome, in order; memory holds ``ahead`` rows at most, however many there are.

    When ``stop`` is set, nothing new begins; what is under way ends, and is handed on as far as no row before it is missing.
    A caller that ends the iteration cancels what is under way. What ``work`` raises is raised at its row's turn.

    Args:
        rows: read in another thread, since a pipe may make one wait.
        work: what is done for a row.
        at_once: rows that are worked on at the same time.
        ahead: how far a row may be before the first that is not finished: a slow one holds up that many and no more.
        stop: set by whoever wants an orderly end.
        read_at_once: rows that are read together.
    """
    room = asyncio.Semaphore(at_once)
    waiting: deque[tuple[_Row, asyncio.Task[_Outcome]]] = deque()

    async def begin(row: _Row) -> _Outcome:
        async with room:
            if stop.is_set():
                raise Stopped
            return await work(row)

    def read() -> list[_Row]:
        return [] if stop.is_set() else list(islice(rows, min(read_at_once, ahead)))

    try:
        async for found in _read_on(read, waiting):
            if isinstance(found, tuple):
                yield found
                continue
            for row in found:
                async for done in _finished(waiting, fewer_than=ahead):
                    yield done
                waiting.append((row, asyncio.create_task(begin(row))))
        async for done in _finished(waiting, fewer_than=1):
            yield done
    except Stopped:
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
    finally:
        await _give_up(task for _, task in waiting)


async def _give_up(tasks: Iterable[asyncio.Task[_Outcome]]) -> None:
    given_up = list(tasks)
    for task in given_up:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*given_up, return_exceptions=True)


async def _read_on(
    read: Callable[[], list[_Row]], waiting: deque[tuple[_Row, asyncio.Task[_Outcome]]]
) -> AsyncIterator[list[_Row] | tuple[_Row, _Outcome]]:
    """Yield rows as they are read and, while a slow pipe makes one wait for them, what is finished meanwhile."""
    while True:
        reading = asyncio.create_task(asyncio.to_thread(read))
        while not reading.done():
            await asyncio.wait({reading, *(task for _, task in islice(waiting, 1))}, return_when=asyncio.FIRST_COMPLETED)
            async for done in _finished(waiting, fewer_than=len(waiting) + 1):
                yield done
        found = await reading
        if not found:
            return
        yield found


async def _finished(
    waiting: deque[tuple[_Row, asyncio.Task[_Outcome]]], *, fewer_than: int
) -> AsyncIterator[tuple[_Row, _Outcome]]:
    """Take from the front what is done, and wait for what is not while there are not fewer than that."""
    while len(waiting) >= fewer_than or (waiting and waiting[0][1].done()):
        first, task = waiting.popleft()
        yield first, await task
