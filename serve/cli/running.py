"""Run what is asynchronous from a command, whatever it returns."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def finished(work: Coroutine[Any, Any, _T]) -> _T:
    """Return what ``asyncio.run`` would, but large results as fast as small ones.

    ``asyncio.run`` puts back the handler of SIGINT, for which ``signal`` writes the finished task out as text, result included;
    of a few hundred arrays that takes twenty seconds (Python 3.11 to 3.13).
    """
    found: list[_T] = []

    async def hold() -> None:
        found.append(await work)

    asyncio.run(hold())
    return found[0]
