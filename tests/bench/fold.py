"""Measures how soon every recommender replica plans with 100,000 imported courses, and how late it answers meanwhile.

Two replicas follow the catalog. From the first row of an import until both have folded the last one, each gets a
request for a recommendation every 50 ms, one at a time. A replica has folded the catalog once it plans with the
revision that the catalog had announced when no event of it waited any more. The search index of the catalog follows.

It runs alone, with services of its own: `python -m tests.bench.fold`.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence

import aiohttp
import msgspec
from rich.console import Console

from deploy.local.announced import announced_revision
from deploy.local.display import Terminal
from deploy.local.processes import CannotStart
from deploy.local.seed import bearer
from deploy.local.stack import Stack
from services.catalog.model import CourseImportReport
from tests.bench import imports, report
from tests.bench.figures import Figure

COURSES = 100_000
_PIECE = 200
_EVERY = 0.05
_LOOK_SECONDS = 0.25
"""Between two looks at the measurements of a service, which cost it some milliseconds."""
_MOST_SECONDS = 30.0
_MOST_MS = 1000.0
_PATIENCE = 600.0
_BODY = {
    "framework": "th-digital-2018",
    "job_group": "service",
    "levels": {},
    "budget_hours": 40,
    "as_of": "2026-11-02",
}


async def measure(stack: Stack, count: int) -> list[Figure]:
    """Return the seconds from the last row to the last replica and to the search index, and the latest answer."""
    replicas = stack.urls["recommender"]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session:
        whole = count + gauge(await measurements(session, stack.urls["catalog"][0]), "search_courses")
        for url in replicas:
            await _answer_ms(session, url, stack.keys.platform)
        folded = asyncio.Event()
        asking = [asyncio.create_task(_latest(session, url, stack.keys.platform, folded)) for url in replicas]
        try:
            await _imported(session, stack, count)
            last_row = time.perf_counter()
            announced = await announced_revision(stack.servers)
            async with asyncio.timeout(_PATIENCE):
                await _reach(session, replicas, "catalog_revision", announced)
            seconds = time.perf_counter() - last_row
            async with asyncio.timeout(_PATIENCE):
                await _reach(session, stack.urls["catalog"], "search_courses", whole)
            found = time.perf_counter() - last_row
        finally:
            folded.set()
            latest = await asyncio.gather(*asking)
    name = f"{count:,} courses folded by {len(replicas)} recommender replicas after the last row"
    return [
        Figure(name, 1000 * seconds, "ms", 1000 * _MOST_SECONDS, 1.0),
        Figure("latest answer of a recommender meanwhile", max(latest), "ms", _MOST_MS, 1.0),
        Figure("all of them in the search index after the last row", 1000 * found, "ms"),
    ]


async def _answer_ms(session: aiohttp.ClientSession, url: str, key: str) -> float:
    """Return how many milliseconds an answer took."""
    begun = time.perf_counter()
    async with session.post(f"{url}/v1/recommendations", json=_BODY, headers=bearer(key)) as answer:
        answer.raise_for_status()
        await answer.read()
    return 1000 * (time.perf_counter() - begun)


async def _latest(session: aiohttp.ClientSession, url: str, key: str, folded: asyncio.Event) -> float:
    latest = 0.0
    while not folded.is_set():
        latest = max(latest, await _answer_ms(session, url, key))
        await asyncio.sleep(_EVERY)
    return latest


async def _imported(session: aiohttp.ClientSession, stack: Stack, count: int) -> None:
    lines = [msgspec.json.encode(course) + b"\n" for course in imports.courses(count)]

    async def body() -> AsyncIterator[bytes]:
        for at in range(0, count, _PIECE):
            yield b"".join(lines[at : at + _PIECE])

    headers = bearer(stack.keys.admin) | {"Content-Type": "application/x-ndjson"}
    last = b""
    url = f"{stack.urls['catalog'][0]}/v1/courses:import"
    async with session.post(url, data=body(), headers=headers) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            last = line
    if msgspec.json.decode(last, type=CourseImportReport).created != count:
        raise AssertionError(f"not every course was created: {last!r}")


async def _reach(session: aiohttp.ClientSession, urls: Sequence[str], name: str, least: float) -> None:
    """Return once a gauge of every replica has reached a value."""
    while min([gauge(await measurements(session, url), name) for url in urls]) < least:
        await asyncio.sleep(_LOOK_SECONDS)


async def measurements(session: aiohttp.ClientSession, url: str) -> str:
    """Return the present measurements of a service as text."""
    async with session.get(f"{url}/metrics") as answer:
        return await answer.text()


def gauge(measured: str, name: str) -> float:
    """Return the value of a gauge among the measurements of a service."""
    found = re.search(rf"^\w*{name}(?:{{[^}}]*}})? (\S+)$", measured, re.MULTILINE)
    if found is None:
        raise AssertionError(f"there is no gauge {name}")
    return float(found[1])


async def _alone(console: Console, count: int) -> list[Figure]:
    async with Stack("fold", display=Terminal(console), replicas={"recommender": 2}) as stack:
        return await measure(stack, count)


def main() -> int:
    """Measure, and print the figures; the status is 1 if the services did not start."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fold", description=__doc__)
    parser.add_argument("--courses", type=int, default=COURSES)
    count = parser.parse_args().courses
    console = Console(highlight=False, soft_wrap=True)
    try:
        figures = asyncio.run(_alone(console, count))
    except CannotStart as error:
        console.print(str(error), markup=False)
        return 1
    for figure in figures:
        console.print(report.line(figure))
    return 0


if __name__ == "__main__":
    sys.exit(main())
