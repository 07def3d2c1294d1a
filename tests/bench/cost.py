"""What an officer costs: CPU of all processes from the request to the push, with few and with many officers stored.

    python -m tests.bench.cost [--quick]     these figures alone

The processes are those that the bench has started: the services, MongoDB and the broker. Their CPU while nothing
happens is measured first and taken off. The other stored officers are copies of one of them.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import aiohttp
import psutil
import pymongo
from rich.console import Console

from deploy.local.display import Terminal
from deploy.local.processes import CannotStart
from deploy.local.stack import Stack
from services.assessment.store import COLLECTION as OFFICERS
from services.recommender.store.plans import COLLECTION as PLANS
from shared.mongo import Database, connect
from shared.settings import StoreSettings, read
from tests.bench import fixtures, report
from tests.bench.figures import Figure, median
from tests.bench.push_latency import Site, Submitter

FEW, MANY = 1_000, 100_000
STEPS = 10
_ROUNDS, _BLOCKS, _WARM_UP = 100, 5, 40
_IDLE_SECONDS = 5.0
_CHECKPOINT_SECONDS = 300
_BATCH = 1_000
_TARGET = 1.2
_MADE_UP = 250


def sizes() -> list[Figure]:
    """Return how large a path of ten steps is, announced and stored."""
    found = fixtures.sizes(_MADE_UP, STEPS)
    return [
        Figure(f"event of a path of {STEPS} steps, median of {found.count}", found.median_event, "bytes", 6_000, 1.0),
        Figure(f"plan with a path of {STEPS} steps, as it is stored", found.median_plan, "bytes", 15_000, 1.0),
        Figure(f"event of the largest path, of {found.longest[1]} steps", found.longest[0], "bytes"),
    ]


async def measure(site: Site, share: float) -> list[Figure]:
    """Return the CPU of an officer with few and with many officers stored; `share` scales how many and how often."""
    rounds, many = max(20, int(_ROUNDS * share)), max(2 * FEW, int(MANY * share))
    few_ms = await _cost(site, FEW, rounds)
    many_ms = await _cost(site, many, rounds)
    name = "CPU of all processes per officer, from request to push"
    return [
        Figure(f"{name}, {FEW:,} officers stored", few_ms, "ms"),
        Figure(f"{name}, {many:,} officers stored", many_ms, "ms", few_ms, _TARGET),
    ]


async def _cost(site: Site, stored: int, rounds: int) -> float:
    officers = [f"cost-{stored}-{number:02}" for number in range(20)]
    async with aiohttp.ClientSession() as session:
        submit = Submitter(site, officers)
        try:
            await submit.begin(session)
            await _fill(site.servers, stored)
            for _ in range(_WARM_UP):
                await submit.one()
            idle = await idle_share()
            blocks = []
            for _ in range(_BLOCKS):
                begun, before = time.perf_counter(), cpu_seconds()
                for _ in range(rounds):
                    await submit.one()
                spent = cpu_seconds() - before - idle * (time.perf_counter() - begun)
                blocks.append(1000 * spent / rounds)
        finally:
            await submit.end()
    return median(blocks)


async def idle_share() -> float:
    """Return the CPU seconds a second of processes that have nothing to do."""
    await asyncio.sleep(1)
    before = cpu_seconds()
    await asyncio.sleep(_IDLE_SECONDS)
    return (cpu_seconds() - before) / _IDLE_SECONDS


def cpu_seconds() -> float:
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return float(sum(one.user + one.system for one in times))


async def _fill(servers: Mapping[str, str], stored: int) -> None:
    """Store copies of an officer and of its plan until there are so many, and wait until the server has written them.

    Otherwise its next checkpoint, which writes all of them, would count as work for the officers measured then.
    """
    settings = read(StoreSettings, servers)
    client = connect(settings, "bench")
    try:
        for database, collection in (("assessment", OFFICERS), ("recommender", PLANS)):
            await _copies(client[settings.database(database)], collection, stored)
        with pymongo.timeout(_CHECKPOINT_SECONDS):
            await client.admin.command("fsync")
    finally:
        client.close()


async def _copies(database: Database, collection: str, stored: int) -> None:
    held = database[collection]
    one = await held.find_one({"officer": {"$regex": "^cost-"}})
    if one is None:
        raise AssertionError(f"{collection} holds nothing to copy")
    there = await held.estimated_document_count()
    for first in range(there, stored, _BATCH):
        numbers = range(first, min(first + _BATCH, stored))
        await held.insert_many([_copy(one, number) for number in numbers], ordered=False)


def _copy(one: Mapping[str, Any], number: int) -> dict[str, Any]:
    officer = f"copy-{number:06}"
    fields = {"_id": f"{one['tenant']}/{officer}", "officer": officer, "outbox": []}
    return {**one, **fields} | ({"partition": number % 24} if "partition" in one else {})


def print_alone(measured: Callable[[Stack], Coroutine[Any, Any, list[Figure]]]) -> int:
    """Start everything, measure, and print these figures alone; return 0 if everything was measured, else 1."""
    console = Console(highlight=False, soft_wrap=True)
    broker = os.environ.get("BROKER") or "apache"
    unlimited = {"RATE_PER_KEY": "1000000"}

    async def alone() -> list[Figure]:
        async with Stack("bench", force_broker=broker, display=Terminal(console), environment=unlimited) as stack:
            return await measured(stack)

    try:
        figures = asyncio.run(alone())
    except CannotStart as error:
        console.print(str(error), markup=False)
        return 1
    console.print(report.table(figures))
    return 0


def main() -> int:
    """Print the figures; the status is 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cost", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    share = 0.1 if parser.parse_args().quick else 1.0

    async def measured(stack: Stack) -> list[Figure]:
        return [*sizes(), *await measure(Site.of(stack), share)]

    return print_alone(measured)


if __name__ == "__main__":
    sys.exit(main())
