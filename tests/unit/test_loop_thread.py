"""One loop for callers from any thread and any loop."""

import asyncio
import gc
import os
import threading

import pytest

from groat.cache.loop_thread import LoopThread
from groat.errors import StorageError

NAME = "loop-of-a-test"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


async def where() -> tuple[int, int]:
    return threading.get_ident(), id(asyncio.get_running_loop())


def test_all_work_is_done_in_one_loop() -> None:
    thread = LoopThread(NAME)
    assert threads() == []
    found = {thread.run(where), asyncio.run(thread.arun(where)), asyncio.run(thread.arun(where))}
    assert len(found) == 1
    assert threading.get_ident() not in {ident for ident, _ in found}
    thread.close()
    assert threads() == []


async def test_what_the_work_raises_reaches_the_caller() -> None:
    async def fail() -> None:
        raise KeyError("a")

    thread = LoopThread(NAME)
    with pytest.raises(KeyError):
        await thread.arun(fail)
    with pytest.raises(KeyError):
        await asyncio.to_thread(thread.run, fail)
    thread.close()


async def test_a_cancelled_caller_cancels_the_work() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    thread = LoopThread(NAME)
    caller = asyncio.create_task(thread.arun(wait))
    assert await asyncio.to_thread(begun.wait, 30)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await asyncio.to_thread(ended.wait, 30)
    thread.close()


async def test_closing_wakes_who_waits_and_the_next_use_begins_anew() -> None:
    async def wait() -> None:
        await asyncio.sleep(60)

    thread = LoopThread(NAME)
    waiting = [asyncio.create_task(thread.arun(wait)), asyncio.create_task(asyncio.to_thread(thread.run, wait))]
    await asyncio.sleep(0.05)
    await asyncio.to_thread(thread.close)
    for one in waiting:
        with pytest.raises(StorageError, match="the cache was closed while it was asked"):
            await asyncio.wait_for(one, 30)
    assert await thread.arun(where)
    thread.close()


def test_work_that_waits_for_its_own_loop_is_refused() -> None:
    thread = LoopThread(NAME)

    async def ask_again() -> None:
        thread.run(where)

    with pytest.raises(StorageError, match="from within its own work"):
        thread.run(ask_again)

    async def ask_again_rightly() -> tuple[int, int]:
        return await thread.arun(where)

    assert thread.run(ask_again_rightly) == thread.run(where)
    thread.close()


def test_an_object_that_nobody_holds_ends_its_thread() -> None:
    thread = LoopThread(NAME)
    thread.run(where)
    (running,) = threads()
    del thread
    gc.collect()
    running.join(30)
    assert not running.is_alive()


def test_a_loop_that_cannot_be_made_is_an_error_and_no_endless_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> asyncio.AbstractEventLoop:
        raise OSError(24, os.strerror(24))

    thread = LoopThread(NAME)
    with monkeypatch.context() as broken:
        broken.setattr(asyncio.events, "new_event_loop", fail)
        with pytest.raises(OSError, match="Too many open files"):
            thread.run(where)
    assert thread.run(where)
    thread.close()
