"""`make bench`: every figure beside its floor in the same run; the table, `.local/bench.json`, `docs/performance.md`.

--quick    a tenth of everything, to see that it works; writes nothing
"""

import argparse
import asyncio
import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.display import Terminal
from deploy.local.processes import ROOT, CannotStart, kill_all
from deploy.local.replicas import SERVICES
from deploy.local.stack import Stack
from tests.bench import backlog, memory, pushes, reads, report
from tests.bench.figures import Figure

_ROUNDS, _SECONDS, _EVENTS = 100, 5.0, 10_000


async def bench(console: Console, share: float) -> report.Results:
    """Return all figures; `share` scales how much is measured. Raises CannotStart."""
    begun = time.perf_counter()
    rounds, events = int(_ROUNDS * share), int(_EVENTS * share)
    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    broker = os.environ.get("BROKER") or "apache"
    async with Stack("bench", force_broker=broker, display=Terminal(console)) as stack:
        figures: list[Figure] = []
        remembered = await memory.measure(stack)
        with Progress(*columns, console=console) as bar:
            tasks = {
                name: bar.add_task(name, total=total, start=False)
                for name, total in (
                    ("pushes", pushes.BLOCKS * rounds),
                    ("reads", reads.BLOCKS),
                    ("backlog", 2 * events),
                )
            }
            bar.start_task(tasks["pushes"])
            site = _site(stack)
            found, stages = await pushes.measure(site, rounds, lambda: bar.advance(tasks["pushes"]))
            figures += found
            bar.start_task(tasks["reads"])
            figures += await reads.measure(
                site, pushes.OFFICERS[0], stack.directory, _SECONDS * share, lambda: bar.advance(tasks["reads"])
            )
            for service in SERVICES:
                await stack.stop(service)
            bar.start_task(tasks["backlog"])
            found, parts = await backlog.measure(
                stack.servers, stack.directory / "backlog", events, lambda n: bar.advance(tasks["backlog"], n)
            )
            figures += found
        names = [await report.mongodb_version(stack.mongodb.address), stack.broker_name]
        console.print("stopping")
    return report.Results([*figures, *remembered], stages, parts, names, time.perf_counter() - begun)


def _site(stack: Stack) -> pushes.Site:
    urls = {service: stack.urls[service][0] for service in SERVICES}
    return pushes.Site(urls["assessment"], urls["portal"], urls["recommender"], stack.keys.platform, stack.servers)


def main() -> int:
    """Run the bench; the status is 0 when everything was measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything; writes nothing")
    quick = parser.parse_args().quick
    console = Console(highlight=False, soft_wrap=True)
    try:
        results = asyncio.run(bench(console, 0.1 if quick else 1.0))
    except CannotStart as error:
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        kill_all()
        return 130
    console.print(report.table(results.figures))
    if not quick:
        report.write_json(results.figures)
        report.write_page(results)
        console.print(f"written: {report.JSON.relative_to(ROOT)}, {report.PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
