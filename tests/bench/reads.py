"""How many stored paths a recommender answers a second, beside a bare aiohttp handler that finds the same document.

One process each, the same MongoDB, the same load generator in a process of its own; blocks of the two take turns.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from deploy.local.processes import ROOT, Child, free_port, until
from deploy.local.seed import bearer
from tests.bench.figures import Figure, median
from tests.bench.made_up import TENANT
from tests.bench.pushes import Site

BLOCKS = 5
_CONNECTIONS = 16
_TARGET = 0.6


async def measure(site: Site, officer: str, directory: Path, seconds: float, tick: Callable[[], None]) -> list[Figure]:
    """Return the figure of blocks of so many seconds each."""
    port = free_port()
    environment = {**site.servers, "HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port)}
    bare = Child(
        "bare handler", [sys.executable, "-m", "tests.bench.bare_handler"], directory / "bare.log", environment
    )
    bare.start()
    ours = _question(urlsplit(site.recommender).port, f"/v1/officers/{officer}/path", bearer(site.key), seconds)
    floor = _question(port, f"/{TENANT}/{officer}", {}, seconds)
    rates: list[float] = []
    floors: list[float] = []
    try:
        async with aiohttp.ClientSession() as session:
            await until(lambda: _same(session, floor, ours), bare, 30, "the bare handler")
        await _asked({**ours, "seconds": 1.0})
        await _asked({**floor, "seconds": 1.0})
        for _ in range(BLOCKS):
            rates.append(await _asked(ours))
            floors.append(await _asked(floor))
            tick()
    finally:
        await bare.stop()
    return [Figure("GET /v1/officers/{id}/path", median(rates), "requests/s", median(floors), _TARGET)]


def _question(port: int | None, path: str, headers: Mapping[str, str], seconds: float) -> dict[str, Any]:
    return {"port": port, "path": path, "headers": headers, "connections": _CONNECTIONS, "seconds": seconds}


async def _same(session: aiohttp.ClientSession, floor: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Return whether both answer, and with the same path."""
    try:
        return bool(await _path(session, floor) == await _path(session, ours))
    except aiohttp.ClientConnectionError:
        return False


async def _path(session: aiohttp.ClientSession, question: Mapping[str, Any]) -> Any:
    url = f"http://127.0.0.1:{question['port']}{question['path']}"
    async with session.get(url, headers=question["headers"]) as answer:
        answer.raise_for_status()
        return (await answer.json())["path"]


async def _asked(question: Mapping[str, Any]) -> float:
    """Return the answers a second. Raises RuntimeError where any was not a 200."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load", stdin=-1, stdout=-1, stderr=-1, cwd=ROOT
    )
    said, errors = await process.communicate(json.dumps(dict(question)).encode())
    if process.returncode:
        raise RuntimeError(f"the load generator failed:\n{errors.decode()}")
    result = json.loads(said)
    if result["refused"]:
        raise RuntimeError(f"{result['refused']} requests were refused")
    return float(result["answered"] / result["seconds"])
