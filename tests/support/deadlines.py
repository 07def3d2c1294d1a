"""A test that hangs ends as any failing test does: its own clean-up runs, and nothing of it runs on in later tests.

pytest-timeout raises its failure out of the event loop, so the task of the test would go on there while later tests
run, and what it froze or killed would stay so. Therefore a coroutine is cancelled inside the loop some time before
that; and a task that is left all the same, because its clean-up hangs too, is cancelled once more and waited for.
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
    """Give every coroutine test the time limit that pytest-timeout has for it, minus the time to clean up."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _bounded(item, item.obj, _limit(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """End the task of a test that was given up before it ended."""
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
