"""Work that nobody waits for."""

import asyncio
import contextvars
import logging

import pytest

from groat.cache.background import Background

ASKED = contextvars.ContextVar("asked", default="nobody")


async def until_done(background: Background) -> None:
    assert await background.close(within_s=30) == 0


async def test_no_more_is_done_at_once_and_no_more_waits_than_was_set() -> None:
    background, gate, running, most = Background(at_once=2, waiting=3), asyncio.Event(), 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    taken = []
    for _ in range(7):
        taken.append(background.submit(work))
        await asyncio.sleep(0)
    assert taken == [True] * 5 + [False] * 2
    gate.set()
    await until_done(background)
    assert (most, running) == (2, 0)


async def test_work_that_fails_stops_no_other_and_tells_nothing_of_what_it_held(caplog: pytest.LogCaptureFixture) -> None:
    background, done = Background(at_once=1), []

    async def fails() -> None:
        raise ValueError("我的密码是 1234")

    async def works() -> None:
        done.append(1)

    with caplog.at_level(logging.WARNING):
        assert [background.submit(one) for one in (fails, works, fails, works)] == [True] * 4
        await until_done(background)
    assert (done, background.failed) == ([1, 1], 2)
    assert "ValueError" in caplog.text
    assert "1234" not in caplog.text


async def test_work_knows_nothing_of_the_request_that_gave_it() -> None:
    background, seen = Background(), []

    async def work() -> None:
        seen.append(ASKED.get())

    ASKED.set("somebody")
    background.submit(work)
    await until_done(background)
    assert seen == ["nobody"]


async def test_closing_waits_briefly_and_says_how_much_it_gave_up() -> None:
    background, ended = Background(at_once=1), []

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    assert await background.close(within_s=0.01) == 0
    assert [background.submit(never) for _ in range(3)] == [True] * 3
    await asyncio.sleep(0)
    assert await background.close(within_s=0.01) == 3
    assert ended == [1]
    await until_done(background)


def test_one_object_serves_one_event_loop_after_another() -> None:
    background, done = Background(), []

    async def once() -> None:
        async def work() -> None:
            done.append(asyncio.get_running_loop())

        background.submit(work)
        await until_done(background)

    for _ in range(2):
        asyncio.run(once())
    assert len(done) == 2
