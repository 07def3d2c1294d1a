"""`make run` brings back what is killed under it, servers and services, and what was stored is there."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from deploy.local.broker import find_broker
from deploy.local.processes import CannotStart
from deploy.local.replicas import SERVICES
from deploy.local.servers import External, find_mongodb
from deploy.local.stack import Stack
from deploy.local.supervision import supervise
from tests.support.platform import Platform
from tests.support.servers import missing
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=["apache", "embedded"])
async def own_stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    """Return a stack that started its servers itself."""
    try:
        broker, mongodb = find_broker(tmp_path / "probe", forced=request.param), find_mongodb(tmp_path / "probe")
    except CannotStart as error:
        missing(str(error))
    if isinstance(broker, External) or isinstance(mongodb, External):
        missing("servers that are not ours cannot be killed")
    async with Stack("kept", directory=tmp_path / "state", force_broker=request.param) as stack:
        yield stack


async def test_killed_servers_and_services_are_named_and_restarted(own_stack: Stack) -> None:
    stack = own_stack
    messages: list[str] = []
    async with aiohttp.ClientSession() as session:
        platform = Platform(stack, session)
        officer = await platform.register()
        await officer.assess_next()
        await platform.audit([officer], {})
        keeping = asyncio.create_task(supervise(stack, messages.append))
        try:
            await _kill_and_wait(stack, messages, keeping)
            await officer.assess_next()
            await platform.audit([officer], {})
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


@pytest.mark.parametrize("own_stack", ["embedded"], indirect=True)
async def test_a_broker_that_forgot_is_filled_again_whatever_fails_first(
    own_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = own_stack
    async with aiohttp.ClientSession() as session:
        platform = Platform(stack, session)
        officer = await platform.register()
        await officer.assess_next()
        await platform.audit([officer], {})
        # MongoDB is away when the state should be announced from it, and nobody else starts it.
        stack.mongodb.kill()
        stack.broker.kill()
        with monkeypatch.context() as patched:
            patched.setattr(stack.broker, "start", partial(_starts_after_all_services_ended, stack, stack.broker.start))
            await stack.revive(stack.broker)
            await asyncio.gather(*(stack.start(service) for service in SERVICES))
            await officer.assess_next()
            await platform.audit([officer], {})
            async with stack.restored():
                stack.broker.kill()
        await officer.assess_next()
        await platform.audit([officer], {})
        # The first announcement fails, then the topics are not created: an empty broker is not left running.
        _fails_first(monkeypatch, stack, "republish", CannotStart("catalog republish did not announce its state"))
        _fails_first(monkeypatch, stack, "create_topics", OSError(errno.ENOSPC, "No space left on device"))
        messages: list[str] = []
        keeping = asyncio.create_task(supervise(stack, messages.append))
        try:
            stack.broker.kill()
            await until(lambda: keeping.done() or f"{stack.broker.name} runs again" in messages, str(messages), 300)
            assert "catalog republish did not announce its state" in messages
            await officer.assess_next()
            await platform.audit([officer], {})
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


def _fails_first(monkeypatch: pytest.MonkeyPatch, stack: Stack, method: str, failure: Exception) -> None:
    """Let the first call of a method of a stack fail."""
    succeed, failures = getattr(stack, method), iter([failure])

    async def fail_or_succeed() -> None:
        for one in failures:
            raise one
        await succeed()

    monkeypatch.setattr(stack, method, fail_or_succeed)


async def _starts_after_all_services_ended(stack: Stack, start: Callable[[], Awaitable[None]]) -> None:
    """A service that has read the lost topics would commit their offsets to the new ones."""
    assert not any(copy.child.running for copies in stack.running.values() for copy in copies)
    await start()


async def _kill_and_wait(stack: Stack, messages: list[str], keeping: "asyncio.Task[None]") -> None:
    names = [stack.mongodb.name, stack.broker.name, "recommender"]
    stack.mongodb.kill()
    stack.broker.kill()
    stack.kill("recommender")
    for name in names:
        await until(lambda: keeping.done() or f"{name} runs again" in messages, f"{name} runs again", 300)  # noqa: B023
    assert not keeping.done(), keeping
    for name in names:
        expected = next(text for text in messages if text.startswith(f"{name} ended"))
        assert expected.startswith(f"{name} ended with signal SIGKILL. The end of ")
        assert expected.endswith(f"starting {name} again in 1 s")
