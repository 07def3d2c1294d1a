"""What the assessment service does under four times the load that it can sustain, compared with the sustainable load.

The sustainable load is that of clients that wait for their answers. Then other clients send four times as much without
waiting, and disconnect after some seconds. Every assessment that was answered 202 must be in the officers' profiles
afterwards. Memory: of the service's process at the end of each load.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil

from deploy.local.processes import ROOT
from deploy.local.seed import bearer, put
from tests.bench import fixtures
from tests.bench.figures import Figure
from tests.bench.push_latency import Site

_OFFICERS = [f"flood-{number:03}" for number in range(200)]
_CONNECTIONS = 16
_TIMES = 4
PHASES = 2
_PATIENCE_SECONDS = 5
_SHARE, _SLOWER, _GROWN = 0.8, 5.0, 1.5
_MOST_CONNECTIONS = 500


async def measure(site: Site, pid: int | None, seconds: float, tick: Callable[[], None]) -> list[Figure]:
    """Return the figures of so many seconds each; `pid`: the service's process.

    Raises AssertionError if something accepted is lost.
    """
    async with aiohttp.ClientSession() as session:
        for number, officer in enumerate(_OFFICERS):
            await put(session, f"{site.assessment}/v1/officers/{officer}", site.key, fixtures.registration(number))
        before = await _sequences(session, site)
        usual = await _flood(site, seed=1, seconds=seconds, connections=_CONNECTIONS)
        tick()
        calm = _mebibytes(pid)
        sustainable = _accepted(usual) / usual["seconds"]
        options = {"rate": sustainable * _TIMES, "connections": _MOST_CONNECTIONS}
        over = await _flood(site, seed=2, seconds=seconds, **options)
        tick()
        busy = _mebibytes(pid)
        stored = await _sequences(session, site) - before
    accepted = _accepted(over) / over["seconds"]
    promised = int(usual["in_all"].get("202", 0) + over["in_all"].get("202", 0))
    if stored < promised:
        raise AssertionError(f"{promised} assessments were accepted and {stored} are stored")
    return [
        Figure("assessments accepted under 4 times the load", accepted, "1/s", sustainable, _SHARE),
        Figure("their p99", over["p99"], "ms", usual["p99"], _SLOWER),
        Figure("memory of assessment then", busy, "MiB", calm, _GROWN),
    ]


async def _flood(site: Site, **options: Any) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.flood", stdin=-1, stdout=-1, stderr=-1, cwd=ROOT
    )
    workload = {
        **options,
        "port": urlsplit(site.assessment).port,
        "key": site.key,
        "officers": _OFFICERS,
        "patience": _PATIENCE_SECONDS,
    }
    output, errors = await process.communicate(json.dumps(workload).encode())
    if process.returncode:
        raise RuntimeError(f"the load generator failed:\n{errors.decode()}")
    found: dict[str, Any] = json.loads(output)
    return found


def _accepted(found: dict[str, Any]) -> float:
    return float(found["statuses"].get("202", 0))


async def _sequences(session: aiohttp.ClientSession, site: Site) -> int:
    """Return the changes of all officers' profiles."""
    total = 0
    for officer in _OFFICERS:
        async with session.get(f"{site.assessment}/v1/officers/{officer}", headers=bearer(site.key)) as answer:
            answer.raise_for_status()
            total += (await answer.json())["sequence"]
    return total


def _mebibytes(pid: int | None) -> float:
    return float(psutil.Process(pid).memory_info().rss / 2**20)
