"""Measures what the catalog holds in memory once the starter catalog is matched to ESCO, its 13,896 skills.

The files are those of `esco_v1.1.1` in the folder that DATASETS_DIR names. It runs alone, with services of its own:
`python -m tests.bench.large_framework`.
"""

import asyncio
import os
import sys
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console

from deploy.local.display import Terminal
from deploy.local.processes import CannotStart, Child
from deploy.local.replicas import Service
from deploy.local.stack import Stack
from tests.bench import report
from tests.bench.figures import Figure
from tests.bench.fold import gauge, measurements
from tests.evaluation.real import SETTING, folder

_FILES = ("esco_classification_en_csv.zip", "esco_relations_csv.zip")
_MOST_MIB = 600.0
_PATIENCE = 900.0
_LOOK_SECONDS = 1.0


async def measure(stack: Stack, files: list[Path]) -> list[Figure]:
    """Return the resident memory of the catalog before and after, and the most that it held."""
    url = stack.urls["catalog"][0]
    process = psutil.Process(stack.running["catalog"][0].child.pid)
    async with aiohttp.ClientSession() as session, asyncio.timeout(_PATIENCE):
        courses = await _matched(session, url, 1)
        before = process.memory_info().rss
        argv = [sys.executable, "-m", "services.catalog", "import-framework", *map(str, files), "--format", "esco"]
        command = Child("import of ESCO", argv, stack.directory / "esco.log", {**os.environ, **stack.environment()})
        command.start()
        if not await command.ended(_PATIENCE) or command.returncode:
            raise command.failure("did not end well")
        most = process.memory_info().rss
        looking = asyncio.create_task(_matched(session, url, courses + 1))
        while not looking.done():
            most = max(most, process.memory_info().rss)
            await asyncio.wait({looking}, timeout=_LOOK_SECONDS)
        await looking
    after = process.memory_info().rss
    return [
        Figure("memory of the catalog, starter catalog matched", before / 2**20, "MiB"),
        Figure("memory of the catalog, matched to ESCO too", after / 2**20, "MiB", _MOST_MIB, 1.0),
        Figure("most memory of the catalog until then", max(most, after) / 2**20, "MiB"),
    ]


async def _matched(session: aiohttp.ClientSession, url: str, least: float) -> float:
    """Return how many courses were matched, once there are at least so many and none waits."""
    while True:
        found = await measurements(session, url)
        if gauge(found, "matching_courses") >= least and not gauge(found, "matching_waiting"):
            return gauge(found, "matching_courses")
        await asyncio.sleep(_LOOK_SECONDS)


async def _alone(console: Console, files: list[Path]) -> list[Figure]:
    others: dict[Service, int] = {"recommender": 0, "portal": 0}
    async with Stack("esco", display=Terminal(console), replicas=others) as stack:
        return await measure(stack, files)


def main() -> int:
    """Measure, and print the figures; the status is 1 if the files are missing or the services did not start."""
    console = Console(highlight=False, soft_wrap=True)
    data = folder()
    if data is None:
        console.print(f"{SETTING} is not set")
        return 1
    try:
        figures = asyncio.run(_alone(console, [data / "esco_v1.1.1" / name for name in _FILES]))
    except CannotStart as error:
        console.print(str(error), markup=False)
        return 1
    for figure in figures:
        console.print(report.line(figure))
    return 0


if __name__ == "__main__":
    sys.exit(main())
