"""Adaptive sessions: the CPU time of choosing an item, and answers a second compared with a bare handler that writes.

Answers: one process each, the same MongoDB, the same officers; blocks of the two take turns. A session's start and its
result, which writes the profile, are in the time and are not counted.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from deploy.local.ports import free_port
from deploy.local.processes import ROOT, Child, until
from deploy.local.seed import SEED, bearer, put
from services.assessment.sessions.adaptive import answered, begun
from services.assessment.sessions.item_pool import Exposure, ItemPool
from services.assessment.sessions.model import SessionPlan, SessionSkill, SubmitAnswer
from tests.bench.figures import Figure, median, percentile
from tests.bench.push_latency import Site
from tests.support.builders import MOMENT
from tests.support.sessions import bank, honest, items_of

BLOCKS = 5
OFFICERS = 16
ITEMS = 10_000
_TARGET = 0.5
_MOST_MS = 5.0
_SCALE = [0.0, 1, 2, 3, 4, 5]
_REGISTRATION = {"job_group": "technology", "agency": "bench", "framework": "th-digital-2018"}


def next_item(skills: int, sessions: int) -> list[float]:
    """Return the milliseconds of processor time of each answer on a bank of 10,000 items of so many skills."""
    names = [f"s{number}" for number in range(skills)]
    pool = ItemPool(bank(*(item for name in names for item in items_of(name, ITEMS // skills))), _SCALE)
    exposure, chance, found = Exposure(pool), random.Random(1), list[float]()  # noqa: S311 - made-up officers
    wanted = [SessionSkill(name, 3, 1) for name in names]
    for seed in range(sessions):
        about = ("s", "t", "o", "f", "t", "b", 1, _SCALE, wanted, seed, 300, None, None, MOMENT, "")
        sitting = begun(SessionPlan(*about), pool, exposure)
        exposure.started()
        while (shown := sitting.session.current) is not None:
            exposure.show(shown.skill, shown.item)
            response = honest(pool.items[shown.item], 2.5, chance)
            answer = SubmitAnswer(shown.item, response, len(sitting.session.answers) + 1)
            before = time.process_time_ns()
            sitting, _ = answered(sitting, answer, exposure, MOMENT)
            found.append((time.process_time_ns() - before) / 1e6)
    return found


def choosing(share: float) -> list[Figure]:
    """Return the figures of choosing the next item; the worse of one skill and of twenty-eight."""
    worst = max(
        (next_item(1, max(int(100 * share), 5)), next_item(28, max(int(20 * share), 2))),
        key=lambda found: percentile(found, 0.99),
    )
    return [
        Figure("next item of 10,000, processor time, p50", percentile(worst, 0.5), "ms"),
        Figure("next item of 10,000, processor time, p99", percentile(worst, 0.99), "ms", _MOST_MS, 1.0),
    ]


async def measure(site: Site, directory: Path, seconds: float, share: float, tick: Callable[[], None]) -> list[Figure]:
    """Return the figures; blocks of so many seconds each."""
    officers = [f"answering-{number:02}" for number in range(OFFICERS)]
    async with aiohttp.ClientSession() as session:
        for officer in officers:
            await put(session, f"{site.assessment}/v1/officers/{officer}", site.key, _REGISTRATION)
    port = free_port()
    environment = {**site.servers, "HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port)}
    bare = Child(
        "bare writer", [sys.executable, "-m", "tests.bench.bare_writer"], directory / "writer.log", environment
    )
    bare.start()
    workload: dict[str, Any] = {"headers": bearer(site.key), "officers": officers, "seconds": seconds}
    workload["session"] = {"skills": _skills(), "max_items": 300}
    ours = {**workload, "port": urlsplit(site.assessment).port, "bare": False}
    baseline = {**workload, "port": port, "bare": True}
    try:
        await until(lambda: _listens(port), bare, 30, "the bare writer")
        rates: tuple[list[float], list[float]] = ([], [])
        for _ in range(BLOCKS):
            for found, question in zip(rates, (ours, baseline), strict=True):
                found.append(await _answers(question))
            tick()
    finally:
        await bare.stop()
    rate, bare_rate = map(median, rates)
    return [*choosing(share), Figure("POST …/sessions/{id}/answers", rate, "requests/s", bare_rate, _TARGET)]


def _skills() -> list[str]:
    """Return every skill of the framework: a session of them all is a long one."""
    framework = json.loads((SEED / "frameworks" / f"{_REGISTRATION['framework']}.json").read_bytes())
    return [skill["id"] for skill in framework["skills"]]


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _answers(workload: dict[str, Any]) -> float:
    """Return the answers a second. Raises RuntimeError if one was refused."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.answering", stdin=-1, stdout=-1, stderr=-1, cwd=ROOT
    )
    output, errors = await process.communicate(json.dumps(workload).encode())
    if process.returncode:
        raise RuntimeError(f"the answering officers failed:\n{errors.decode()}")
    result = json.loads(output)
    return float(result["answered"] / result["seconds"])


def table(figures: Sequence[Figure]) -> str:
    """Return figures as lines, for a run of this part alone."""
    return "\n".join(
        f"{one.name}: {one.value:.2f} {one.unit}, baseline {one.baseline}, ratio {one.ratio}" for one in figures
    )
