"""Queries two HTTP servers alternately with the same load generator: a service and its baseline."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
import msgspec

from deploy.local.processes import ROOT
from tests.bench.figures import median

BLOCKS = 5
_CONNECTIONS = 16
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Question:
    """The requests to a server: a GET without `bodies`, else a POST of each in turn."""

    port: int | None
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    bodies: Sequence[str] = ()

    async def answer(self, session: aiohttp.ClientSession, body: str | None = None) -> bytes:
        """Return the body of the answer to one request. Raises aiohttp.ClientError."""
        url = f"http://127.0.0.1:{self.port}{self.path}"
        headers = {**self.headers, "Content-Type": "application/json"}
        async with session.request("GET" if body is None else "POST", url, data=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def path_for(self, session: aiohttp.ClientSession, body: str) -> Any:
        """Return the `path` in the answer to one request. Raises aiohttp.ClientError."""
        return msgspec.json.decode(await self.answer(session, body))["path"]


async def in_turns(ours: Question, baseline: Question, seconds: float, tick: Callable[[], None]) -> tuple[float, float]:
    """Return the answers per second of both: medians of `BLOCKS` blocks of `seconds` each, in alternation."""
    for question in (ours, baseline):
        await _rate(question, _WARM_UP_SECONDS)
    rates, baselines = [], []
    for _ in range(BLOCKS):
        rates.append(await _rate(ours, seconds))
        baselines.append(await _rate(baseline, seconds))
        tick()
    return median(rates), median(baselines)


async def _rate(question: Question, seconds: float) -> float:
    """Return the answers a second. Raises RuntimeError if any was not a 200."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load", stdin=-1, stdout=-1, stderr=-1, cwd=ROOT
    )
    workload = {**asdict(question), "connections": _CONNECTIONS, "seconds": seconds}
    output, errors = await process.communicate(json.dumps(workload).encode())
    if process.returncode:
        raise RuntimeError(f"the load generator failed:\n{errors.decode()}")
    result = json.loads(output)
    if result["refused"]:
        raise RuntimeError(f"{result['refused']} requests were refused")
    return float(result["answered"] / result["seconds"])
