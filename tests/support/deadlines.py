"""Ends a test that hangs as any failing test ends: its clean-up runs, and no task of it runs on in later tests.

pytest-timeout raises its failure outside of the event loop, so the task of the test would continue while later tests
run, and processes that it froze or killed would stay so. Therefore a coroutine test is cancelled inside the loop some
time before pytest-timeout acts. If its task remains because the clean-up hangs too, it is cancelled again and awaited.
"""

import asyncio
import functools
import inspect
from collections.abc import Generator, Iterable
from typing import Any

import pytest

_SHARE = 0.9
"""The share of a test's time after which it is cancelled; its clean-up has the rest."""

_LAST_SECONDS = 10.0
_TASK = pytest.StashKey["asyncio.Task[Any]"]()


def bound_tests(items: Iterable[pytest.Item]) -> None:
    """Limit the time of every coroutine test to 90 % of what pytest-timeout allows; the rest is for the clean-up."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _bounded(item, item.obj, _limit(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """End the task of a test if pytest-timeout ended the test first."""
    try:
        return (yield)
    finally:
        task = item.stash.get(_TASK, None)
        if task is not None and not task.done():
            task.get_loop().run_until_complete(_end(task))


def _bounded(item: pytest.Item, test: Any, seconds: float | None) -> Any:
    @functools.wraps(test)
    async def within_its_time(*arguments: Any, **named: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        item.stash[_TASK] = task
        async with asyncio.timeout(seconds):
            await test(*arguments, **named)

    return within_its_time


def _limit(item: pytest.Item) -> float | None:
    marker = item.get_closest_marker("timeout")
    given = (marker.args[0] if marker.args else marker.kwargs.get("timeout")) if marker else None
    seconds = float(item.config.getini("timeout") or 0) if given is None else float(given)
    return seconds * _SHARE or None


async def _end(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=_LAST_SECONDS)
