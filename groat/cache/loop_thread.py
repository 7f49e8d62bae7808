"""One event loop in a thread of its own, for callers with and without a loop."""

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from groat.errors import StorageError

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Running:
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    end: Callable[[], object]
    """Lets the loop cancel its work and the thread end; the second time it does nothing."""


class LoopThread:
    """Does the work of all callers, from any thread and any loop, in one loop that outlives theirs.

    Connections belong to the loop that opened them, so what keeps connections must not be used from a new loop each time.
    The daemon thread begins with the first work, also the first after ``close`` or in a forked process, and ends with
    ``close``, with this object, or with the process.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        """Start nothing yet."""
        self._name = name
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def run(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Do the work while this thread waits, and return what it returns.

        Raises:
            StorageError: the loop was closed meanwhile, or the caller is the loop itself, which would wait for ever.
        """
        if self._running is not None and self._running.thread is threading.current_thread():
            raise StorageError("the cache was asked from within its own work; use the async call there")
        future = self._submit(work)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise _closed() from None

    async def arun(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Do the work while only this task waits, and return what it returns; cancelling the task cancels the work.

        Raises:
            StorageError: the loop was closed meanwhile.
        """
        future = asyncio.wrap_future(self._submit(work))
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            future.cancel()
            raise
        if future.cancelled():
            raise _closed()
        return future.result()

    def close(self) -> None:
        """Cancel what is going on, end the thread and wait for its end."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.end()
            running.thread.join()

    def _submit(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> "concurrent.futures.Future[_T]":
        # Under the lock no work comes after the signal to stop, after which nobody would do it.
        with self._lock:
            if self._running is None or not self._running.thread.is_alive():
                self._running = self._start()
            return asyncio.run_coroutine_threadsafe(work(), self._running.loop)

    def _start(self) -> _Running:
        started: concurrent.futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = concurrent.futures.Future()
        thread = threading.Thread(target=_serve, args=(started,), name=self._name, daemon=True)
        thread.start()
        loop, stop = started.result()
        end = weakref.finalize(self, loop.call_soon_threadsafe, stop.set)
        end.atexit = False  # a daemon thread dies with the process
        return _Running(thread, loop, stop, end)


def _serve(started: "concurrent.futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    try:
        # At its end the runner cancels every task and waits for it.
        with asyncio.Runner() as runner:
            loop, stop = runner.get_loop(), asyncio.Event()
            started.set_result((loop, stop))
            runner.run(stop.wait())
    except Exception as error:
        if started.done():
            raise
        started.set_exception(error)  # no loop could be made, and the starter waits to be told


def _closed() -> StorageError:
    return StorageError("the cache was closed while it was asked; close it when nobody asks any more")
