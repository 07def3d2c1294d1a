"""Measures the speed of `POST /v1/courses:import`, compared with a bare `insert_many` of the same documents.

The documents of the baseline are those that the import has stored, with their events, written to a collection that has
only the index on `_id`, 500 at a time, to a majority with the journal. Half of it runs before the import and half after
it, so that a machine that changes its speed affects both equally. The catalog is stopped before the second half:
otherwise it would announce, index and match the imported courses meanwhile, and the baseline would be too slow.

    python -m tests.bench.imports [--quick]     these figures alone
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import psutil

from deploy.local.stack import Stack
from services.catalog.model import CourseImportReport
from services.catalog.store import COLLECTION
from shared.domain import SHARED_TENANT, Course, LocalizedText, Prose, Teaches, key_of
from shared.events import CoursePublished, new_event
from shared.mongo import connect
from shared.outbox import outbox_insert
from shared.settings import CatalogSettings, read
from tests.bench.cost import print_alone
from tests.bench.figures import Figure

COURSES = 100_000
_BULK = 500
_PIECE = 200
_TARGET = 0.3
_GROWN = 150.0

Tick = Callable[[int], None]


def courses(count: int) -> list[Course]:
    """Return made-up courses, as large as those of a real catalog."""
    words = Prose(th="คำอธิบายรายวิชาที่ยาวพอสมควร " * 4, en="A description of some length. " * 6)
    return [
        Course(
            id=f"import-{n:06}",
            title=LocalizedText(th=f"วิชาที่ {n}", en=f"Course {n}"),
            provider=LocalizedText(en=f"Provider {n % 50}"),
            hours=float(n % 40 + 1),
            languages=["th"],
            teaches=[Teaches("th-digital-2018", "dlit-safety", 0, 1)],
            description=words,
            tags=[f"tag {n % 300}", f"tag {n % 70}"],
        )
        for n in range(count)
    ]


async def measure(stack: Stack, count: int, tick: Tick) -> list[Figure]:
    """Return courses a second through the API compared with a bare write, and what the service took for it.

    Stops the catalog. `tick` is called for every course, the baseline's too: twice `count` in all.
    """
    settings = read(CatalogSettings, stack.servers)
    client = connect(settings)
    made = courses(count)
    bare = client[settings.database("catalog")]["bench_bare"]
    process = psutil.Process(stack.running["catalog"][0].child.pid)
    try:
        half = count // 2
        seconds = await _bare(bare, made[:half], tick)
        before, used = process.memory_info().rss, _cpu_of(process)
        took, most = await _imported(process, stack.urls["catalog"][0], stack.keys.admin, made, tick)
        used = _cpu_of(process) - used
        await stack.stop("catalog")
        seconds += await _bare(bare, made[half:], tick)
        between = {"$gte": key_of(SHARED_TENANT, "import-"), "$lt": key_of(SHARED_TENANT, "import.")}
        stored = await client[settings.database("catalog")][COLLECTION].count_documents({"_id": between})
        if stored != count:
            raise AssertionError(f"{stored} of {count} courses are stored")
    finally:
        await bare.drop()
        client.close()
    grown = (most - before) / 2**20
    return [
        Figure(f"{count:,} courses through :import", count / took, "courses/s", count / seconds, _TARGET),
        Figure("CPU of the catalog for 1,000 of them", 1_000_000 * used / count, "ms"),
        Figure("memory that the catalog grew by then", grown, "MiB", _GROWN, 1.0),
    ]


def _cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _bare(collection: Any, made: list[Course], tick: Tick) -> float:
    documents = []
    for course in made:
        key = key_of(SHARED_TENANT, course.id)
        envelope = new_event("/catalog", key, 1, CoursePublished(SHARED_TENANT, course), "00-0-0-01")
        owner = {
            "_id": key,
            "kind": "course",
            "tenant": SHARED_TENANT,
            "id": course.id,
            "sequence": 1,
            "withdrawn": False,
        }
        documents.append({**owner, "content": msgspec.to_builtins(course), **outbox_insert(envelope)})
    begun = time.perf_counter()
    for at in range(0, len(documents), _BULK):
        await collection.insert_many(documents[at : at + _BULK], ordered=False)
        tick(len(documents[at : at + _BULK]))
    return time.perf_counter() - begun


async def _imported(process: psutil.Process, url: str, key: str, made: list[Course], tick: Tick) -> tuple[float, int]:
    """Return the seconds that an import took, and the most memory that the service held in bytes."""
    lines = [msgspec.json.encode(course) + b"\n" for course in made]
    most = process.memory_info().rss

    async def body() -> AsyncIterator[bytes]:
        nonlocal most
        for at in range(0, len(lines), _PIECE):
            yield b"".join(lines[at : at + _PIECE])
            most = max(most, process.memory_info().rss)
            tick(len(lines[at : at + _PIECE]))

    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    begun = time.perf_counter()
    last = b""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.post(f"{url}/v1/courses:import", data=body(), headers=headers) as answer,
    ):
        answer.raise_for_status()
        async for line in answer.content:
            last = line
    took = time.perf_counter() - begun
    report = msgspec.json.decode(last, type=CourseImportReport)
    if report.created != len(made):
        raise AssertionError(f"{report.created} of {len(made)} courses were created: {report.problem}")
    await asyncio.sleep(0)
    return took, max(most, process.memory_info().rss)


def main() -> int:
    """Print the figures; the status is 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.imports", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the courses")
    count = COURSES // 10 if parser.parse_args().quick else COURSES
    return print_alone(lambda stack: measure(stack, count, lambda _: None))


if __name__ == "__main__":
    sys.exit(main())
