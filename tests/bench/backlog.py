"""Measures how fast a recommender processes a backlog, compared with the same reads, plans and writes in sequence.

The recommender is a separate process; the records are on the topic before it starts. The number of plans in MongoDB is
read every 20 ms: the time runs from the complete write of its first batch to that of its last, and only plans between
these count. Announcing continues meanwhile, and is timed to the last event that its relay sent. Half of the baseline's
plans and writes run before the recommender and half after it, so that a machine that changes its speed affects both
equally.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import InsertOne

from deploy.local.replicas import Replica
from deploy.topics import ensure_topics
from services.recommender.inputs import PlanRequest
from services.recommender.plan_pool import PlannedPath, solve
from services.recommender.planning import new_plan
from services.recommender.store.documents import envelope_of, write_of
from services.recommender.store.plans import COLLECTION
from shared.cloudevents import from_kafka
from shared.domain import Profile
from shared.events import CATALOG_TOPIC, PROFILES_TOPIC, AssessmentCompleted, Envelope
from shared.kafka import Publisher
from shared.mongo import connect
from shared.settings import RecommenderSettings, read
from tests.bench import fixtures
from tests.bench.figures import Figure
from tests.bench.topics import read_all

Plans = AsyncIOMotorCollection[dict[str, Any]]
Tick = Callable[[int], None]

_LOOK_SECONDS = 0.02
_STILL = 4
"""Looks that find as many plans as the one before: the first batch is wholly written, the next is being planned."""

_PATIENCE_SECONDS = 420
_BULK = 500
_TARGET = 0.5


@dataclass(frozen=True)
class Parts:
    """The seconds of the baseline: reading, planning, writing."""

    reading: float
    planning: float
    writing: float

    @property
    def whole(self) -> float:
        """The seconds in all."""
        return self.reading + self.planning + self.writing


async def measure(servers: Mapping[str, str], directory: Path, events: int, tick: Tick) -> tuple[list[Figure], Parts]:
    """Return the figures of a backlog of so many officers, and what the baseline is made of.

    `tick` is called for every plan, the baseline's too: twice `events` in all. Raises AssertionError if the two sides
    do not come to the same plans.
    """
    settings = read(RecommenderSettings, {**servers, "NAMESPACE": "backlog-"})
    await ensure_topics(settings.kafka_bootstrap_servers, settings.namespace)
    await publish(settings, CATALOG_TOPIC, fixtures.catalog())
    profiles = [fixtures.completed(profile) for profile in fixtures.profiles(events)]
    await publish(settings, PROFILES_TOPIC, profiles)
    client = connect(settings, "bench")
    try:
        bare = client[settings.database("bench")]["plans"]
        plans = client[settings.database("recommender")][COLLECTION]
        baseline = _Bare(bare, tick)
        await baseline.read(settings, events)
        await baseline.work(0, events // 2)
        replica = Replica("recommender", 0, directory)
        replica.start({**servers, "NAMESPACE": settings.namespace})
        try:
            saved, announced = await _worked_off(replica, plans, events, tick)
        finally:
            await replica.child.stop()
        await baseline.work(events // 2, events)
        await _agree(bare, plans, events)
        for collection in (bare, plans):
            await client.drop_database(collection.database.name)
    finally:
        client.close()
    rate = events / baseline.parts.whole
    return [
        Figure("recommender on a backlog: consumed, planned, saved", saved, "events/s", rate, _TARGET),
        Figure("recommender on a backlog: announced as well", announced, "events/s", rate),
    ], baseline.parts


async def publish(settings: RecommenderSettings, topic: str, envelopes: Iterable[Envelope]) -> None:
    """Send events to a topic of a namespace. Raises the broker's error."""
    async with Publisher(settings.kafka_bootstrap_servers) as publisher:
        for result in await publisher.send(settings.topic(topic), envelopes):
            if isinstance(result, Exception):
                raise result


async def _worked_off(replica: Replica, plans: Plans, events: int, tick: Tick) -> tuple[float, float]:
    """Return how many events/s were saved, and how many were announced as well, both after the first batch."""
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    looks = [(time.perf_counter(), 0)] * _STILL
    while not looks[0][1] or looks[0][1] != looks[-1][1]:  # the first batch is being planned, or being written
        await _look_again(replica, deadline)
        looks = [*looks[1:], (time.perf_counter(), await plans.estimated_document_count())]
    begun, already = looks[0]
    seen = already
    tick(seen)
    while seen < events:
        await _look_again(replica, deadline)
        found = await plans.estimated_document_count()
        tick(found - seen)
        seen = found
    saved = (events - already) / (time.perf_counter() - begun)
    async with aiohttp.ClientSession() as session:
        while await _sent(session, replica.url) < events:
            await _look_again(replica, deadline)
    return saved, (events - already) / (time.perf_counter() - begun)


async def _look_again(replica: Replica, deadline: float) -> None:
    if not replica.child.running or time.perf_counter() > deadline:
        raise replica.child.failure("did not work off the backlog")
    await asyncio.sleep(_LOOK_SECONDS)


async def _sent(session: aiohttp.ClientSession, url: str) -> float:
    async with session.get(f"{url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith("learning_path_relay_sent_events_total")
    )


# --- the baseline ---------------------------------------------------------------------------------------------------


class _Bare:
    """Reads, plans and writes without anything around them, and adds up the seconds."""

    def __init__(self, collection: Plans, tick: Tick) -> None:
        self.parts = Parts(0, 0, 0)
        self._collection = collection
        self._tick = tick
        self._view = fixtures.view()
        self._profiles: list[tuple[Profile, int, datetime]] = []

    async def read(self, settings: RecommenderSettings, events: int) -> None:
        """Read the records; decoding them is not counted."""
        begun = time.perf_counter()
        records = await read_all(settings.kafka_bootstrap_servers, settings.topic(PROFILES_TOPIC))
        self.parts = Parts(time.perf_counter() - begun, 0, 0)
        for record in records:
            event = from_kafka(record.key, record.value, record.headers)
            assert isinstance(event.data, AssessmentCompleted)
            self._profiles.append((event.data.profile, record.partition, event.time))
        if len(records) != events:
            raise AssertionError(f"{len(records)} records of {events} are on the topic")
        request = PlanRequest(self._profiles[0][0], datetime.now(UTC).date())
        solve(request, self._view)  # what a catalog costs once: not counted

    async def work(self, first: int, last: int) -> None:
        """Plan and write so many of the officers; the documents between the two are not counted."""
        for start in range(first, last, _BULK):
            known = self._profiles[start : min(start + _BULK, last)]
            begun = time.perf_counter()
            planned = [solve(PlanRequest(profile, moment.date()), self._view) for profile, _, moment in known]
            planning = time.perf_counter() - begun
            inserts = list(_inserts(known, planned))
            begun = time.perf_counter()
            await self._collection.bulk_write(inserts, ordered=False)
            writing = time.perf_counter() - begun
            before = self.parts
            self.parts = Parts(before.reading, before.planning + planning, before.writing + writing)
            self._tick(len(known))


def _inserts(
    known: Sequence[tuple[Profile, int, datetime]], planned: Sequence[PlannedPath]
) -> Iterator[InsertOne[dict[str, Any]]]:
    """Yield the inserts that the recommender makes of the same plans."""
    for (profile, partition, moment), one in zip(known, planned, strict=True):
        plan = new_plan(PlanRequest(profile, moment.date(), cause="assessment", partition=partition), one, None)
        insert = write_of(plan, envelope_of(plan))
        assert isinstance(insert, InsertOne)
        yield insert


async def _agree(bare: Plans, plans: Plans, events: int) -> None:
    """Raise AssertionError unless both sides hold the same plans."""
    shape = {"courses": 1, "open_skills": 1, "status": 1}
    ours, baseline = [{one["_id"]: one async for one in side.find({}, shape)} for side in (plans, bare)]
    if len(ours) != events or ours != baseline:
        raise AssertionError(f"the recommender came to {len(ours)} plans that are not the baseline's")
