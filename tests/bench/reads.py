"""Stored paths answered per second, compared with a bare aiohttp handler that finds the same document.

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
    port = free_port()
    environment = {**site.servers, "HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port)}
    bare = Child(
        "bare handler", [sys.executable, "-m", "tests.bench.bare_handler"], directory / "bare.log", environment
    )
    bare.start()
    ours = Question(urlsplit(site.recommender).port, f"/v1/officers/{officer}/path", bearer(site.key))
    baseline = Question(port, f"/{TENANT}/{officer}")
    try:
        async with aiohttp.ClientSession() as session:
            await until(lambda: _same(session, baseline, ours), bare, 30, "the bare handler")
        rate, bare_rate = await in_turns(ours, baseline, seconds, tick)
    finally:
        await bare.stop()
    return [Figure("GET /v1/officers/{id}/path", rate, "requests/s", bare_rate, _TARGET)]


async def _same(session: aiohttp.ClientSession, baseline: Question, ours: Question) -> bool:
    """Return whether both answer, and with a path that was made from the same."""
    try:
        return bool((await baseline.path_for(session))["versions"] == (await ours.path_for(session))["versions"])
    except aiohttp.ClientConnectionError:
        return False
