"""What each service holds in memory once it has done the demo's work."""

import asyncio

import aiohttp
import psutil

from deploy.local.live import messages
from deploy.local.replicas import SERVICES
from deploy.local.seed import register, sample_officers, submit
from deploy.local.stack import Stack
from tests.bench.figures import Figure

_PATIENCE_SECONDS = 60


async def measure(stack: Stack) -> list[Figure]:
    """Do what the demo does, and return the resident memory of each service."""
    async with asyncio.timeout(_PATIENCE_SECONDS), aiohttp.ClientSession() as session:
        await _demo(stack, session)
    return [
        Figure(f"resident memory of {service}, after the demo", _mebibytes(stack.running[service][0].child.pid), "MiB")
        for service in SERVICES
    ]


async def _demo(stack: Stack, session: aiohttp.ClientSession) -> None:
    """Register and assess the first sample officer and see the path on the live stream."""
    officer, url = sample_officers()[0], stack.urls["assessment"][0]
    await register(session, url, stack.keys.platform, officer)
    stream = messages(session, stack.urls["portal"][0], officer["officer"], stack.keys.officers[officer["officer"]])
    try:
        sequence = (await submit(session, url, stack.keys.platform, officer))["profile_sequence"]
        async for message in stream:
            if message.event == "path" and message.data["path"]["versions"]["profile"] >= sequence:
                return
    finally:
        await stream.aclose()


def _mebibytes(pid: int | None) -> float:
    return float(psutil.Process(pid).memory_info().rss / 2**20)
