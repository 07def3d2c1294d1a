"""`make bench`: every figure and its baseline from the same run; the table, `.local/bench.json`, `docs/performance.md`.

--quick    a tenth of everything, to see that it works; writes nothing
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.display import Terminal
from deploy.local.processes import ROOT, CannotStart, kill_all
from deploy.local.stack import Stack
from tests.bench import (
    backlog,
    bulk,
    cost,
    imports,
    interleaved,
    memory,
    overload,
    plans,
    push_latency,
    reads,
    report,
    search,
    sessions,
)
from tests.bench.figures import Figure

_ROUNDS, _SECONDS, _EVENTS = 100, 5.0, 10_000


class Tick(Protocol):
    """Receives progress events and moves the bar."""

    def __call__(self, done: int = 1, /) -> None: ...


async def bench(console: Console, share: float) -> report.Results:
    """Return all figures; `share` scales how much is measured. Raises CannotStart."""
    begun = time.perf_counter()
    rounds, events, courses = int(_ROUNDS * share), int(_EVENTS * share), int(imports.COURSES * share)
    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    broker = os.environ.get("BROKER") or "apache"
    unlimited = {"RATE_PER_KEY": "1000000"}  # every request is sent with one key
    async with Stack("bench", force_broker=broker, display=Terminal(console), environment=unlimited) as stack:
        figures: list[Figure] = []
        remembered = await memory.measure(stack)
        with Progress(*columns, console=console) as bar:
            totals = {
                "pushes": push_latency.BLOCKS * rounds,
                "bulk": 2 * int(bulk.RESULTS * share),
                "reads": interleaved.BLOCKS,
                "answers": sessions.BLOCKS,
                "overload": overload.PHASES,
                "imports": 2 * courses,
                "recommendations": interleaved.BLOCKS,
                "backlog": 2 * events,
            }
            tasks = {name: bar.add_task(name, total=total, start=False) for name, total in totals.items()}

            def begin(name: str) -> Tick:
                bar.start_task(tasks[name])
                return lambda done=1: bar.advance(tasks[name], done)

            def measured(found: Sequence[Figure]) -> None:
                """Keep figures at once, so that a later part that fails loses none."""
                figures.extend(found)
                for figure in found:
                    bar.console.print(f"{time.perf_counter() - begun:5.0f} s  {report.line(figure)}", highlight=False)
                if share == 1.0:
                    report.write_json(figures)

            site, place = push_latency.Site.of(stack), stack.directory
            found, stages = await push_latency.measure(site, rounds, begin("pushes"))
            measured(found)
            measured([*cost.sizes(), *await cost.measure(site, share)])
            measured(await reads.measure(site, push_latency.OFFICERS[0], place, _SECONDS * share, begin("reads")))
            measured(await bulk.measure(site, int(bulk.RESULTS * share), begin("bulk")))
            await asyncio.gather(stack.stop("portal"), stack.stop("recommender"))
            measured(await sessions.measure(site, place, _SECONDS * share, share, begin("answers")))
            measured(
                await overload.measure(
                    site, stack.running["assessment"][0].child.pid, 4 * _SECONDS * share, begin("overload")
                )
            )
            measured(await imports.measure(stack, courses, begin("imports")))
            await stack.stop("assessment")
            measured(await asyncio.to_thread(search.measure, courses))
            measured(await plans.measure(stack.servers, place / "plans", _SECONDS * share, begin("recommendations")))
            found, parts = await backlog.measure(stack.servers, place / "backlog", events, begin("backlog"))
            measured([*found, *remembered])
        names = [await report.mongodb_version(stack.mongodb.address), stack.broker_name]
        console.print("stopping")
    return report.Results(figures, stages, parts, names, time.perf_counter() - begun)


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
        report.write_page(results)
        console.print(f"written: {report.JSON.relative_to(ROOT)}, {report.PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
