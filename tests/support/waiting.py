"""Waiting in tests: for a condition, and for tasks that run during a test."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

WAIT_SECONDS = 120
"""After how many seconds a wait fails: far more than any wait takes on a busy machine."""


class Runner(Protocol):
    """A relay, follower or consumer."""

    def run(self) -> Awaitable[None]: ...


async def until(
    condition: Callable[[], Any] | Callable[[], Awaitable[Any]], what: str = "", seconds: float = WAIT_SECONDS
) -> Any:
    """Return the first true result of a condition, plain or async. Raises AssertionError naming `what`.

    The condition is called again after 10 ms, and then after longer and longer pauses of up to 0.1 s.
    """
    pause = 0.01
    try:
        async with asyncio.timeout(seconds):
            while True:
                result = condition()
                if inspect.isawaitable(result):
                    result = await result
                if result:
                    return result
                await asyncio.sleep(pause)
                pause = min(0.1, pause * 1.2)
    except TimeoutError as error:
        raise AssertionError(f"not within {seconds:g} s: {what or condition}") from error


@asynccontextmanager
async def running(*runners: Runner) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run these relays or readers during the block; at its end, raise the error that ended one of them."""
    tasks = [asyncio.ensure_future(runner.run()) for runner in runners]
    try:
        yield tasks
    finally:
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
