"""Measures the time from an assessment to its path on the officer's open stream, one at a time, with a baseline.

Each round submits one assessment over HTTP and waits for its path on the live stream, then runs the baseline (`chain`)
once. The time starts before the request is sent, so the service's first write counts, as the baseline's does.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import aiohttp
import msgspec

from deploy.local.live import messages
from deploy.local.replicas import SERVICES
from deploy.local.seed import bearer, put
from deploy.local.stack import Stack
from shared.events import PATHS_TOPIC, PROFILES_TOPIC
from tests.bench import fixtures
from tests.bench.baseline_chain import Chain
from tests.bench.figures import Figure, Stage, median, percentile
from tests.bench.topics import read_all

BLOCKS = 5
OFFICERS = [f"bench-{number:03}" for number in range(1, 21)]
_WARM_UP = 40
_REST_SECONDS = 0.03
"""Between one thing and the next, so that neither is timed with what the other left to be done."""

_TARGET = 2.5
_PATIENCE_SECONDS = 20
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Site:
    """Where the system is and how it is entered. `servers`: the settings that name its servers."""

    assessment: str
    portal: str
    recommender: str
    key: str
    servers: Mapping[str, str]

    @classmethod
    def of(cls, stack: Stack) -> "Site":
        """Return the first replica of each service of a stack."""
        urls = {service: stack.urls[service][0] for service in SERVICES}
        return cls(urls["assessment"], urls["portal"], urls["recommender"], stack.keys.platform, stack.servers)


@dataclass
class Arrivals:
    """The paths that came on the streams: (officer, profile sequence) -> when, on `perf_counter`."""

    _waiting: dict[tuple[str, int], "asyncio.Future[float]"] = field(default_factory=dict)

    def of(self, officer: str, sequence: int) -> "asyncio.Future[float]":
        """Return the arrival of one path."""
        return self._waiting.setdefault((officer, sequence), asyncio.get_running_loop().create_future())

    async def read(self, session: aiohttp.ClientSession, site: Site, officer: str) -> None:
        """Read one officer's stream until cancelled."""
        async for message in messages(session, site.portal, officer, site.key):
            if message.event == "path":
                arrival = self.of(officer, message.data["path"]["versions"]["profile"])
                if not arrival.done():
                    arrival.set_result(time.perf_counter())


@dataclass(frozen=True)
class Push:
    """One assessment: ms from its submission to the acceptance and to the path on the stream; when it was sent."""

    officer: str
    sequence: int
    sent_at: float
    accepted: float
    pushed: float


async def measure(site: Site, rounds: int, tick: Callable[[], None]) -> tuple[list[Figure], list[Stage]]:
    """Return the figures of `BLOCKS` blocks of so many rounds, and where the time went."""
    submit = Submitter(site)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stack.push_async_callback(submit.end)
        await submit.begin(session)
        for _ in range(_WARM_UP):
            await submit.one()
        chain = await stack.enter_async_context(Chain(site.servers, await submit.sizes()))
        for _ in range(_WARM_UP):
            await chain.once()
        pushes: list[list[Push]] = []
        baselines: list[list[float]] = []
        for _ in range(BLOCKS):
            pushes.append([])
            baselines.append([])
            for _ in range(rounds):
                await asyncio.sleep(_REST_SECONDS)
                pushes[-1].append(await submit.one())
                await asyncio.sleep(_REST_SECONDS)
                baselines[-1].append(await chain.once() * 1000)
                tick()
    return _figures(pushes, baselines), await _stages(site, [push for block in pushes for push in block])


def _figures(pushes: list[list[Push]], baselines: list[list[float]]) -> list[Figure]:
    value = median([median([push.pushed for push in block]) for block in pushes])
    baseline = median([median(block) for block in baselines])
    everything = [push.pushed for block in pushes for push in block]
    slowest = percentile(everything, 0.99), percentile([one for block in baselines for one in block], 0.99)
    return [
        Figure("assessment to path on the live stream, p50", value, "ms", baseline, _TARGET),
        Figure("assessment to path on the live stream, p99", slowest[0], "ms", slowest[1]),
    ]


class Submitter:
    """Submits assessments of some officers in turn, each once the path of the previous one has come on its stream."""

    def __init__(self, site: Site, officers: Sequence[str] = OFFICERS) -> None:
        self._site = site
        self._officers = officers
        self._arrivals = Arrivals()
        self._numbers = count(1)
        self._chance = random.Random(2024)  # noqa: S311 - made-up levels
        self._readers: list[asyncio.Task[None]] = []

    async def begin(self, session: aiohttp.ClientSession) -> None:
        """Register the officers and wait until every stream has its first path."""
        self._session = session
        for number, officer in enumerate(self._officers):
            url = f"{self._site.assessment}/v1/officers/{officer}"
            await put(session, url, self._site.key, fixtures.registration(number))
            self._readers.append(asyncio.create_task(self._arrivals.read(session, self._site, officer)))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*(self._arrivals.of(officer, 1) for officer in self._officers))

    async def end(self) -> None:
        """Close the streams."""
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def one(self) -> Push:
        """Submit one assessment and wait for its path. Raises TimeoutError."""
        number = next(self._numbers)
        officer = self._officers[number % len(self._officers)]
        body = fixtures.assessment(self._chance, _FIRST_DAY + timedelta(minutes=number))
        headers = {
            **bearer(self._site.key),
            "Idempotency-Key": f"{self._officers[0]}-{number}",
            "Content-Type": "application/json",
        }
        url = f"{self._site.assessment}/v1/officers/{officer}/assessments"
        sent_at, begun = time.time(), time.perf_counter()
        async with self._session.post(url, data=body, headers=headers) as answer:
            answer.raise_for_status()
            accepted = time.perf_counter()
            sequence = (await answer.json())["profile_sequence"]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            pushed = await self._arrivals.of(officer, sequence)
        return Push(officer, sequence, sent_at, (accepted - begun) * 1000, (pushed - begun) * 1000)

    async def sizes(self) -> tuple[int, int]:
        """Return the bytes of the newest profile's event and of the newest path's."""
        profiles, paths = [await _records(self._site, topic) for topic in (PROFILES_TOPIC, PATHS_TOPIC)]
        return len(profiles[-1].value), len(paths[-1].value)


# --- where the time goes ---------------------------------------------------------------------------------------------


async def _stages(site: Site, pushes: list[Push]) -> list[Stage]:
    """Return the stretches between the marks that events leave: their own times and those of their records."""
    marks: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for record in await _records(site, PROFILES_TOPIC):
        profile = msgspec.json.decode(record.value)["profile"]
        mark = marks[profile["officer"], profile["sequence"]]
        mark["sent"] = record.timestamp / 1000
        mark["staged"] = _time_of(record)
    for record in await _records(site, PATHS_TOPIC):
        event = msgspec.json.decode(record.value)
        mark = marks[event["officer"], event["path"]["versions"]["profile"]]
        mark["path_sent"] = record.timestamp / 1000
        mark["planned"] = msgspec.convert(event["planned_at"], datetime).timestamp()
    names = {
        "HTTP in, profile built": ("begun", "staged"),
        "write, change stream, relay, to the send": ("staged", "sent"),
        "Kafka, consumer, plan": ("sent", "planned"),
        "write, change stream, relay, to the send of the path": ("planned", "path_sent"),
        "Kafka, portal, stream": ("path_sent", "pushed"),
    }
    rows = []
    for push in pushes:
        mark = marks[push.officer, push.sequence]
        mark |= {"begun": push.sent_at, "pushed": push.sent_at + push.pushed / 1000}
        rows.append([(mark[end] - mark[begin]) * 1000 for begin, end in names.values()])
    parts = [[row[i] for row in rows] for i in range(len(names))]
    accepted = [push.accepted for push in pushes]
    return [
        *(Stage(name, median(part), percentile(part, 0.99)) for name, part in zip(names, parts, strict=True)),
        Stage("(of it until the answer 202)", median(accepted), percentile(accepted, 0.99)),
    ]


def _time_of(record: Any) -> float:
    return msgspec.convert(dict(record.headers)["ce_time"].decode(), datetime).timestamp()


async def _records(site: Site, topic: str) -> list[Any]:
    """Return every record of a topic of the system, in the order of time."""
    name = site.servers.get("NAMESPACE", "") + topic
    records = await read_all(site.servers["KAFKA_BOOTSTRAP_SERVERS"], name)
    return sorted(records, key=lambda record: record.timestamp)
