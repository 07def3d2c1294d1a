"""Stored paths answered per second, compared with a bare aiohttp handler that sends the same bytes.

One process each, the same MongoDB, the same load generator in a process of its own; blocks of the two take turns.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from deploy.local.ports import free_port
from deploy.local.processes import Child, until
from deploy.local.seed import bearer
from tests.bench.figures import Figure
from tests.bench.fixtures import TENANT
from tests.bench.interleaved import Question, in_turns
from tests.bench.push_latency import Site

_TARGET = 0.6


async def measure(site: Site, officer: str, directory: Path, seconds: float, tick: Callable[[], None]) -> list[Figure]:
    """Return the figure of blocks of so many seconds each."""
    port, file = free_port(), directory / "answer.json"
    environment = {**site.servers, "HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port)}
    argv: list[str | Path] = [sys.executable, "-m", "tests.bench.bare_handler", file]
    bare = Child("bare handler", argv, directory / "bare.log", environment)
    ours = Question(urlsplit(site.recommender).port, f"/v1/officers/{officer}/path", bearer(site.key))
    baseline = Question(port, f"/{TENANT}/{officer}")
    try:
        async with aiohttp.ClientSession() as session:
            file.write_bytes(await ours.answer(session))
            bare.start()
            await until(lambda: _answers(session, baseline), bare, 30, "the bare handler")
        rate, bare_rate = await in_turns(ours, baseline, seconds, tick)
    finally:
        await bare.stop()
    return [Figure("GET /v1/officers/{id}/path", rate, "requests/s", bare_rate, _TARGET)]


async def _answers(session: aiohttp.ClientSession, question: Question) -> bool:
    try:
        await question.answer(session)
    except aiohttp.ClientConnectionError:
        return False
    return True
