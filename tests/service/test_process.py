"""A service as a process: it logs where it listens, drains on SIGTERM, and ends when a background task dies."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from deploy.local.processes import ROOT

PROGRAM = """
import asyncio, sys, threading
from aiohttp import web
from shared.app import background, build_app
from shared.process import run
from shared.auth import PUBLIC, Authenticator
from shared.errors import Unavailable
from shared.routes import Route, no_content
from shared.settings import Settings, read

async def slow(request):
    '''Change something slowly.'''
    print("changing", flush=True)
    await asyncio.sleep(1)
    print("changed", flush=True)
    return no_content()

async def fine():
    await asyncio.Event().wait()

async def dies():
    await asyncio.sleep(0.2)
    raise RuntimeError("the broker is gone")

async def in_a_thread():
    await asyncio.to_thread(threading.Event().wait)

async def never_ends():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

WORK = {"dies": dies, "thread": in_a_thread, "task": never_ends}

async def build(settings):
    if "away" in sys.argv:
        raise Unavailable("MongoDB is away")
    if "broken" in sys.argv:
        asyncio.ensure_future(in_a_thread())
        await asyncio.sleep(0)
        raise RuntimeError("a mistake")
    work = background("relay", WORK.get(sys.argv[-1], fine))
    return build_app("X", [Route("POST", "/v1/slow", slow, PUBLIC, answers={204: None})],
                     Authenticator(None, b""), contexts=[work])

run(build, read(Settings, {"API_KEY_PEPPER": "pepper of these tests", "HTTP_PORT": sys.argv[1], "DRAIN_SECONDS": "60"}))
"""


class Process:
    """A running program, where it listens, and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.url = ""

    async def until(self, message: str) -> dict[str, Any]:
        assert self.process.stderr is not None
        async with asyncio.timeout(90):
            async for raw in self.process.stderr:
                self.lines.append(json.loads(raw))
                if message in self.lines[-1]["message"]:
                    return self.lines[-1]
        raise AssertionError(f"it never logged {message!r}: {self.lines}")

    async def ends(self) -> int:
        async with asyncio.timeout(90):
            return await self.process.wait()


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, cwd=ROOT, stdout=pipe, stderr=pipe
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_stopping_service_reports_it_and_finishes_active_requests() -> None:
    async with program("0") as running, aiohttp.ClientSession() as session:
        url = (await running.until("listening"))["addresses"][0]
        async with session.get(f"{url}/readyz") as answer:
            assert answer.status == 200
        running.process.send_signal(signal.SIGTERM)
        await running.until("draining")
        async with session.get(f"{url}/readyz") as answer:
            assert (answer.status, (await answer.json())["status"]) == (503, "draining")
        assert running.process.stdout is not None
        pending = asyncio.ensure_future(session.post(f"{url}/v1/slow"))
        assert await running.process.stdout.readline() == b"changing\n"
        running.process.send_signal(signal.SIGTERM)  # draining is over, and this request is still active
        async with await pending as answer:
            assert answer.status == 204
        assert await running.ends() == 0
        assert await running.process.stdout.read() == b"changed\n"


async def test_a_second_signal_ends_the_draining() -> None:
    async with program("0") as running:
        await running.until("listening")
        running.process.send_signal(signal.SIGINT)
        await running.until("draining")
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == 0


@pytest.mark.parametrize("what", ["thread", "task"])
async def test_the_exit_does_not_wait_for_a_thread_or_a_task_that_does_not_end(what: str) -> None:
    async with program("0", what) as running:
        await running.until("listening")
        running.process.send_signal(signal.SIGTERM)
        await running.until("draining")
        running.process.send_signal(signal.SIGTERM)
        await running.until("stopped")
        assert await running.ends() == 0


async def test_an_error_at_the_start_is_logged_and_ends_the_process_although_a_thread_does_not_end() -> None:
    async with program("0", "broken") as running:
        assert "a mistake" in (await running.until("the process ends"))["error"]
        assert await running.ends() == 1


async def test_a_failed_background_task_ends_the_process_with_its_reason() -> None:
    async with program("0", "dies") as running:
        record = await running.until("ended by itself")
        assert record["message"] == "relay ended by itself"
        assert "the broker is gone" in record["error"]
        assert await running.ends() == 1


async def test_missing_things_at_the_start_are_reported_in_one_line() -> None:
    async with program("0", "away") as running:
        assert (await running.until("cannot start"))["message"] == "cannot start: MongoDB is away"
        assert await running.ends() == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with program(port) as running:
            record = await running.until("cannot start")
            assert f"nothing can listen on 127.0.0.1:{port}" in record["message"]
            assert "error" not in record
            assert await running.ends() == 1
