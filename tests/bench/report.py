"""What the bench leaves behind: a table for people, `.local/bench.json`, `docs/performance.md` and its picture."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil
from motor.motor_asyncio import AsyncIOMotorClient
from rich.table import Table

from deploy.local.processes import LOCAL, ROOT
from tests.bench.backlog import Parts
from tests.bench.figures import Figure, Stage
from tests.bench.picture import picture

JSON = LOCAL / "bench.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "img" / "performance.svg"
_LIBRARIES = ("aiohttp", "aiokafka", "motor", "msgspec", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Results:
    """Everything that one run has found out."""

    figures: Sequence[Figure]
    stages: Sequence[Stage]
    parts: Parts
    servers: Sequence[str]
    seconds: float


def table(figures: Sequence[Figure]) -> Table:
    """Return the figures as a table for a terminal."""
    shown = Table(title="make bench")
    shown.add_column("figure")
    for name in ("value", "baseline", "ratio", "target", ""):
        shown.add_column(name, justify="right")
    for row in map(_cells, figures):
        shown.add_row(*row)
    return shown


def line(figure: Figure) -> str:
    """Return a figure in one line of text."""
    name, value, baseline, ratio, bound, outcome = _cells(figure)
    compared = f", baseline {baseline}, ratio {ratio}" if ratio else ""
    return f"{name}: {value}{compared} {bound} {outcome}".rstrip()


def _cells(figure: Figure) -> tuple[str, ...]:
    outcome = {True: "met", False: "missed", None: ""}[figure.passed]
    return (
        figure.name,
        f"{_number(figure.value)} {figure.unit}",
        _number(figure.baseline),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        figure.bound,
        outcome,
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def write_json(figures: Sequence[Figure], path: Path = JSON) -> None:
    """Write the figures for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode([figure.as_json() for figure in figures]), indent=2))


def write_page(results: Results) -> None:
    """Write the page and its picture."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(results.figures), encoding="utf-8")
    PAGE.write_text(_page(results), encoding="utf-8")


def _page(results: Results) -> str:
    parts = results.parts
    shares = ", ".join(
        f"{name} {seconds:.1f} s"
        for name, seconds in (("reading", parts.reading), ("planning", parts.planning), ("writing", parts.writing))
    )
    return _TEMPLATE.format(
        date=datetime.now(UTC).date().isoformat(),
        machine=_machine(),
        software=", ".join([f"Python {platform.python_version()}", *results.servers]),
        libraries=", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        seconds=f"{results.seconds:.0f}",
        figures=_markdown(("Figure", "Value", "Baseline", "Ratio", "Target", ""), map(_cells, results.figures)),
        stages=_markdown(
            ("Stretch", "p50, ms", "p99, ms"),
            [(row.name, f"{row.p50:.1f}", f"{row.p99:.1f}") for row in results.stages],
        ),
        parts=shares,
    )


async def mongodb_version(address: str) -> str:
    """Return what this MongoDB calls itself."""
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(address)
    try:
        return f"MongoDB {(await client.server_info())['version']}"
    finally:
        client.close()


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, {platform.system()}"


def _markdown(head: Sequence[str], rows: "Sequence[Sequence[str]] | map[tuple[str, ...]]") -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


_TEMPLATE = """# Performance

This page, its picture and `.local/bench.json` are written by one command, which takes some minutes:

    make bench

Every speed is shown next to its **baseline**: the same servers, in the same run, used by bare clients that do
nothing else. The two run alternately, so a slow or busy machine slows both, and the ratio is the cost of the
services' own code. The absolute figures are those of one machine with everything on it: MongoDB, Apache Kafka, all
services and the load.

![Each figure as a multiple of its baseline](img/performance.svg)

{figures}

Measured on {date} in {seconds} s on {machine}.
{software}.
{libraries}.

## What is measured

- **Assessment to path.** One assessment at a time is submitted over HTTP; its path is awaited on the officer's open
  live stream. Twenty officers with open streams take turns; the time starts before the request is sent. Five blocks;
  the value is the median of the blocks' medians, p99 is over all rounds. *Baseline:* two MongoDB writes (majority,
  journal), two change-stream wakes and two Kafka round trips, one after another, with contents of the same size.
  (`tests/bench/push_latency.py`, `baseline_chain.py`)
- **Sizes.** The paths of 250 made-up officers over the starter catalog that have ten steps: the data of the event,
  and the whole document with nothing waiting, as BSON. The baseline is the bound itself. (`cost.py`, `fixtures.py`)
- **CPU of an officer.** Assessments are submitted one after the other, each once the path of the one before has come
  on the stream; the CPU of all processes (services, MongoDB, the broker) is added up, what they use while idle is
  subtracted, and the rest is divided by the number of assessments. Median of five blocks, first with 1,000 officers
  stored, then with 100,000, which is the value; the first is its baseline. The stored officers are copies, and the
  server has written them to disk before. (`cost.py`, which also runs alone:
  `python -m tests.bench.cost`)
- **Stored paths.** One recommender process answers `GET /v1/officers/{{id}}/path` on 16 kept connections. *Baseline:*
  one process with a bare aiohttp handler that reads only the path of the same document with one motor `find_one`
  and sends the bytes of an answer of the service: the path with its sentences in both languages, not compressed,
  as for a client that names no language. The service keeps the last 128 rendered answers; all requests are for one
  path, of which the service reads only the head of the plan then, in one query for all requests of one moment.
  The load generator is the same small process for both; five blocks of each take turns. (`reads.py`,
  `bare_handler.py`, `interleaved.py`, `load.py`)
- **Overload.** Sixteen clients that wait for their answers submit assessments for 20 s: their rate is the capacity of
  the service. Then clients that do not wait for answers send four times as many, and disconnect after 5 s without one.
  The value is what was accepted then, the baseline what was accepted before; the 99th percentile and the memory of the
  service's process likewise, at most five times and one and a half times as much. Afterwards the bench checks
  that every accepted assessment is in an officer's profile. (`overload.py`, `flood.py`)
- **Recommendations.** One recommender process answers `POST /v1/recommendations` over a generated catalog of 2,400
  courses, on 16 kept connections; paths of 200 officers, drawn as in `make evaluate`, are requested in turn.
  *Baseline:* one process with a bare aiohttp handler that decodes the same bodies, calls the same planning function
  (the validator is part of it) on as many threads, and encodes the path: no keys, rules, log or
  measurements. Both must answer every officer with the same path. Load and turns as above. (`plans.py`,
  `bare_planner.py`)
- **Backlog.** 10,000 profiles of distinct officers wait on the topic before a recommender starts; it is timed from the
  end of its first batch to its last saved plan. Its relay announces meanwhile; the second row counts until the last
  event was acknowledged. *Baseline:* in one process, one after another, bare aiokafka reads of the same records, the
  same calls of the planner, and bare bulk writes of the same documents to a collection without indexes. It took:
  {parts}. Both sides must come to the same plans. (`backlog.py`)
- **Results in bulk.** 100,000 results of 10,000 officers, ten of each, through `POST /v1/assessments:import`.
  *Baseline:* a bare `insert_many` of the same rows, half of it before and half after. CPU is that of all processes
  until the last
  of these officers has a path, without what they use while idle. Meanwhile single assessments are pushed;
  the slowest of them stands beside the slowest one without a bulk, and a second. (`bulk.py`, which also runs alone:
  `python -m tests.bench.bulk`)
- **Import of courses.** 100,000 made-up courses through `POST /v1/courses:import`, and the memory of the catalog's
  process. *Baseline:* a bare `insert_many` of the documents that the import stored, half of it before and half after,
  when the catalog is stopped. (`imports.py`, which also runs alone: `python -m tests.bench.imports`)
- **Fold of an import.** Not part of `make bench`: 100,000 courses are imported while two recommender replicas are asked
  for a recommendation each, again and again. The values are the time from the last row until both plan with all
  courses, at most 30 s, the latest answer meanwhile, at most 1 s, and when the search index holds all of them.
  (`fold.py`, alone: `python -m tests.bench.fold`)
- **Adaptive sessions.** The CPU time of choosing the next item from a bank of 10,000, for one skill and for 28; the
  worse one is given. Answers a second of 16 officers over HTTP. *Baseline:* a bare handler that writes, in turns.
  (`sessions.py`, `answering.py`)
- **Search.** The CPU time of a search among 100,000 made-up courses, half of the queries with a misspelling.
  *Baseline:* a plain scan of the titles, which finds no misspelling and ranks nothing. (`search.py`, which also runs
  alone: `python -m tests.bench.search`)
- **Memory.** Resident memory of each service process after the demo's work: starter catalog loaded, one officer
  registered, assessed and pushed. (`memory.py`)

## Where the time of a push goes

Between the times that every event carries: when it was staged, when its record was sent, when its path was planned.
Records carry whole milliseconds, so each stretch is good to 1 ms.

{stages}
"""
