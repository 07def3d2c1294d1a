"""How fast results come in through `POST /v1/assessments:import`, what an officer costs to the path, and who waits.

    python -m tests.bench.bulk [--quick] [--each 1]     these figures alone

The results are those of made-up officers, ten of each by default, as a learning platform exports them. The
baseline is a bare `insert_many` of the same rows, 500 at a time, to a majority with the journal; half of it is done
before the import and half after it. CPU is that of all processes that the bench has started, from the first row to the
last officer's path, without what they take while nothing happens. Meanwhile single assessments are submitted and their
paths awaited.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec

from deploy.local.seed import bearer
from services.recommender.store.plans import COLLECTION as PLANS
from shared.imports.rows import ImportReport
from shared.mongo import Database, connect
from shared.settings import StoreSettings, read
from tests.bench.cost import cpu_seconds, idle_share, print_alone
from tests.bench.figures import Figure
from tests.bench.push_latency import Site, Submitter

RESULTS = 100_000
_EACH = 10
_BULK = 500
_PIECE = 200
_TARGET = 0.2
_SINGLES = 20
_LATER_MS = 1_000.0
_PATIENCE_SECONDS = 3_600
_SKILLS = ("dlit-safety", "ds-service-design")

Tick = Callable[[int], None]


def officer_rows(count: int) -> list[dict[str, Any]]:
    """Return registrations of made-up officers."""
    return [{"officer": f"bulk-{n:06}", "job_group": "service", "agency": f"dept-{n % 20}"} for n in range(count)]


def result_rows(officers: int, each: int = _EACH) -> list[dict[str, Any]]:
    """Return so many results of each officer, up to 12, in the order of officers."""
    return [
        {
            "officer": f"bulk-{n:06}",
            "skill": _SKILLS[k % len(_SKILLS)],
            "level": (n + k) % 4,
            "taken_at": f"2026-{k + 1:02}-{n % 28 + 1:02}T09:00:00+07:00",
            "key": f"{n}-{k}",
        }
        for n in range(officers)
        for k in range(each)
    ]


async def measure(site: Site, results: int, tick: Tick = lambda _: None, *, each: int = _EACH) -> list[Figure]:
    """Return the figures; `tick` is called for every result, the baseline's too: twice `results` in all."""
    officers = max(1, results // each)
    client = connect(read(StoreSettings, site.servers), "bench")
    database = client[read(StoreSettings, site.servers).database("recommender")]
    bare = client[read(StoreSettings, site.servers).database("assessment")]["bench_bare"]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**20) as session:
        planned: asyncio.Task[None] | None = None
        singles = Submitter(site, [f"single-{n:02}" for n in range(_SINGLES)])
        try:
            await singles.begin(session)
            for _ in range(2 * _SINGLES):
                await singles.one()
            alone = [(await singles.one()).pushed for _ in range(_SINGLES)]
            began = time.perf_counter()
            await _send(session, site, "officers", officer_rows(officers), lambda _: None)
            registered = officers / (time.perf_counter() - began)
            await _until_planned(database, officers, 1)
            rows = result_rows(officers, each)
            half = len(rows) // 2
            seconds = await _bare(bare, rows[:half], tick)
            idle = await idle_share()
            began, before = time.perf_counter(), cpu_seconds()
            took = await _send(session, site, "assessments", rows, tick)
            planned = asyncio.create_task(_until_planned(database, officers, 2))
            beside = []
            while not planned.done():
                beside.append((await singles.one()).pushed)
                await asyncio.wait({planned}, timeout=0.5)
            await planned
            whole = time.perf_counter() - began
            spent = cpu_seconds() - before - idle * whole
            seconds += await _bare(bare, rows[half:], tick)
        finally:
            if planned:
                planned.cancel()
            await singles.end()
            await bare.drop()
            client.close()
    name = f"{len(rows):,} results of {officers:,} officers"
    return [
        Figure(f"{name} through :import", len(rows) / took, "results/s", len(rows) / seconds, _TARGET),
        Figure("officers registered through :import", registered, "officers/s"),
        Figure(f"{name}: from the first row to the last path", whole, "s"),
        Figure("CPU of all processes per officer of a bulk, from its rows to its path", 1000 * spent / officers, "ms"),
        Figure(
            "slowest single push during that, baseline: alone, and a second",
            max(beside),
            "ms",
            max(alone) + _LATER_MS,
            1.0,
        ),
    ]


async def _bare(collection: Any, rows: list[dict[str, Any]], tick: Tick) -> float:
    documents = [{"_id": row["key"], **row} for row in rows]
    begun = time.perf_counter()
    for at in range(0, len(documents), _BULK):
        await collection.insert_many(documents[at : at + _BULK], ordered=False)
        tick(len(documents[at : at + _BULK]))
    return time.perf_counter() - begun


async def _send(session: aiohttp.ClientSession, site: Site, what: str, rows: list[dict[str, Any]], tick: Tick) -> float:
    """Return the seconds that an import took, from the first row to the report."""
    lines = [msgspec.json.encode(row) + b"\n" for row in rows]

    async def body() -> AsyncIterator[bytes]:
        for at in range(0, len(lines), _PIECE):
            yield b"".join(lines[at : at + _PIECE])
            tick(len(lines[at : at + _PIECE]))

    headers = {**bearer(site.key), "Content-Type": "application/x-ndjson"}
    begun = time.perf_counter()
    last = b""
    async with session.post(f"{site.assessment}/v1/{what}:import", data=body(), headers=headers) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            last = line
    took = time.perf_counter() - begun
    result = msgspec.json.decode(last, type=ImportReport)
    if result.created != len(rows):
        raise AssertionError(f"{result.created} of {len(rows)} rows were created: {result.problem}")
    return took


async def _until_planned(plans: Database, officers: int, sequence: int) -> None:
    """Return once every officer of the bulk has a path of at least this profile. Raises TimeoutError."""
    wanted = {"officer": {"$gte": "bulk-", "$lt": "bulk."}, "profile_sequence": {"$gte": sequence}}
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await plans[PLANS].count_documents(wanted) < officers:
            await asyncio.sleep(0.5)


def main() -> int:
    """Print the figures; the status is 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bulk", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of everything")
    parser.add_argument("--each", type=int, choices=range(1, 13), default=_EACH, help="results of each officer")
    arguments = parser.parse_args()
    results = RESULTS // 50 if arguments.quick else RESULTS
    return print_alone(lambda stack: measure(Site.of(stack), results, each=arguments.each))


if __name__ == "__main__":
    sys.exit(main())
