"""What the recommender's threads share: each test holds one thread at the point where another used to break it."""

import asyncio
from threading import Event as Flag
from threading import Thread
from typing import Any

import msgspec
import pytest

from services.recommender.catalog_replica import CatalogReplica, fold_events
from services.recommender.consumer import CatalogConsumer
from services.recommender.planner.index.catalog import Snapshot, TenantCatalog
from services.recommender.planner.index.vocabulary import Vocabulary
from services.recommender.planner.pipeline import recommend
from services.recommender.provenance import PlanHead
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import SHARED_TENANT, Course, LocalizedText, key_of
from shared.events import CoursePublished, Data, Event, FrameworkPublished, new_event
from shared.kafka import ConsumedEvent, Record
from tests.support.builders import TENANT, course, framework, inputs

LONG = 60.0
"""Seconds after which a thread that another one never lets go on fails."""


class Gate:
    """Holds every caller of `wait` until it is opened; `reached` is set once a caller waits."""

    def __init__(self) -> None:
        self.reached, self._open = Flag(), Flag()

    def wait(self) -> None:
        self.reached.set()
        assert self._open.wait(LONG)

    def open(self) -> None:
        self._open.set()


def news(tenant: str, name: str, data: Data, stamp: int) -> Event:
    event = new_event("/test", key_of(tenant, name), 1, data)
    return from_kafka(*to_kafka(msgspec.structs.replace(event, catalog_revision=stamp)))


def put(tenant: str, entry: Course, stamp: int) -> Event:
    return news(tenant, entry.id, CoursePublished(tenant, entry), stamp)


async def test_changes_can_be_read_while_a_thread_folds_more_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = CatalogReplica()
    known = news(SHARED_TENANT, "framework:fw", FrameworkPublished(SHARED_TENANT, framework({"a": 1})), 1)
    catalog.take(fold_events(catalog.snapshot, [known, put("one", course("old", ("a", 0, 1)), 2)]))
    gate, through = Gate(), Flag()
    changed = Snapshot.changed

    def held(snapshot: Snapshot, *arguments: Any) -> Snapshot:
        gate.wait()
        found = changed(snapshot, *arguments)
        through.set()
        return found

    class PausedRevision(int):
        """A revision that, once it is compared, lets the thread fold on and waits until it has."""

        def __ge__(self, other: int) -> bool:
            gate.open()
            assert through.wait(LONG)
            return int(self) >= other

    monkeypatch.setattr(Snapshot, "changed", held)
    consumer = CatalogConsumer(catalog, lambda: None)
    record = Record("catalog.state", 0, 0, b"", b"", [])
    batch = [put("one", course("new", ("b", 0, 1)), 3), put("two", course("newer", ("c", 0, 1)), 4)]
    folding = asyncio.create_task(consumer.on_catalog([ConsumedEvent(record, event) for event in batch]))
    await asyncio.to_thread(gate.reached.wait, LONG)
    conditions = catalog.changes_since(PausedRevision(1))
    assert through.is_set()  # the thread folded on while the question was answered
    assert conditions == {("one", "courses"): ["old"], ("one", "open_skills"): ["fw/a"]}
    await folding
    assert catalog.revision == 4
    plan = PlanHead(1, 1, "two", considered=2, open_skills=["fw/c"])
    assert catalog.is_stale(plan)


class Building:
    """Counts the snapshots whose shared courses are built, and holds each build at a gate."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate, self.count = Gate(), 0
        build = TenantCatalog.build

        def held(catalog: TenantCatalog) -> None:
            self.count += 1
            self.gate.wait()
            build(catalog)

        monkeypatch.setattr(TenantCatalog, "build", held)


def consumed(*events: Event) -> list[ConsumedEvent]:
    return [ConsumedEvent(Record("catalog.state", 0, 0, b"", b"", []), event) for event in events]


def known_course() -> CatalogReplica:
    catalog = CatalogReplica()
    known = news(SHARED_TENANT, "framework:fw", FrameworkPublished(SHARED_TENANT, framework({"a": 1})), 1)
    catalog.take(fold_events(catalog.snapshot, [known, put(SHARED_TENANT, course("old", ("a", 0, 1), hours=9), 2)]))
    return catalog


async def test_plans_use_the_former_courses_while_the_next_base_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.recommender.planner.index.catalog.MERGE_THRESHOLD", 2)
    catalog = known_course()
    consumer = CatalogConsumer(catalog, lambda: None)

    def planned() -> list[str]:
        return [
            step.course.id
            for step in recommend(inputs(framework({"a": 1}), {"a": 0}), catalog.snapshot.view(TENANT)).steps
        ]

    assert planned() == ["old"]  # the planner may be compiled now, while no build is held
    building = Building(monkeypatch)
    batch = [put(SHARED_TENANT, course(f"new-{n}", ("a", 0, 1), hours=n), n) for n in range(3, 6)]
    folding = asyncio.create_task(consumer.on_catalog(consumed(*batch)))
    try:
        assert await asyncio.to_thread(building.gate.reached.wait, LONG)
        assert planned() == ["old"]
        assert (catalog.revision, folding.done()) == (2, False)
    finally:
        building.gate.open()
        await folding
    base = catalog.snapshot.view(TENANT).catalog.base
    assert {"segment", "champions"} <= vars(base).keys()  # so no plan has to build them
    assert (catalog.revision, planned()) == (5, ["new-3"])


async def test_what_is_folded_while_a_base_is_built_is_built_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.recommender.planner.index.catalog.MERGE_THRESHOLD", 2)
    monkeypatch.setattr("services.recommender.consumer.BATCH", 3)
    catalog, building, installed = known_course(), Building(monkeypatch), list[int]()
    consumer = CatalogConsumer(catalog, lambda: installed.append(catalog.revision))
    try:
        for first in range(3, 63, 3):
            batch = [put(SHARED_TENANT, course(f"new-{n}", ("a", 0, 1)), n) for n in range(first, first + 3)]
            await consumer.on_catalog(consumed(*batch))  # a full batch, so it does not wait for the gate
        assert await asyncio.to_thread(building.gate.reached.wait, LONG)
        waiting = asyncio.create_task(consumer.installed())
        await asyncio.sleep(0)
        assert (installed, waiting.done()) == ([], False)
    finally:
        building.gate.open()
    await waiting
    assert (building.count, installed) == (2, [5, 62])
    for stamp in range(3, 63):
        assert catalog.is_stale(PlanHead(1, 1, TENANT, considered=stamp - 1, courses=[f"new-{stamp}"]))
        assert not catalog.is_stale(PlanHead(1, 1, TENANT, considered=stamp, courses=[f"new-{stamp}"]))


async def test_the_rest_after_a_build_follows_from_its_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where other processes use the machine, a build lasts many times longer than the processor time that it takes."""
    monkeypatch.setattr("services.recommender.consumer.BATCH", 1)
    building, rests = Building(monkeypatch), list[float]()
    consumer = CatalogConsumer(known_course(), lambda: None)
    sleep = asyncio.sleep

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        await sleep(0)

    monkeypatch.setattr("services.recommender.consumer.asyncio.sleep", rest)
    await consumer.on_catalog(consumed(put(SHARED_TENANT, course("first", ("a", 0, 1)), 3)))
    assert await asyncio.to_thread(building.gate.reached.wait, LONG)
    await consumer.on_catalog(consumed(put(SHARED_TENANT, course("second", ("a", 0, 1)), 4)))
    held = 1.0
    await sleep(held)
    building.gate.open()
    await consumer.installed()
    assert building.count == 2
    assert rests[-1] < held


def test_a_fold_is_invisible_before_it_is_installed() -> None:
    catalog = CatalogReplica()
    found = fold_events(catalog.snapshot, [put("one", course("new", ("b", 0, 1)), 3)])
    assert (catalog.revision, catalog.changes_since(0)) == (0, {})
    catalog.take(found)
    assert catalog.revision == 3
    assert catalog.changes_since(0)


def test_two_threads_never_assign_one_number_twice() -> None:
    names, gate, other_done = Vocabulary(), Gate(), Flag()

    class Slow(dict[frozenset[str], int]):
        """Numbers that, while one is being given, let another thread name things first."""

        def setdefault(self, key: frozenset[str], number: int) -> int:
            gate.reached.set()
            other_done.wait(0.2)  # where one at a time may add, the other waits for this one, in vain
            return super().setdefault(key, number)

    names.providers = Slow()

    def add(one: Course) -> None:
        names.entry(one)

    def add_other() -> None:
        add(msgspec.structs.replace(course("second", ("b", 0, 1)), provider=LocalizedText(th="ข", en="B")))
        other_done.set()

    threads = [Thread(target=add, args=[course("first", ("a", 0, 1))]), Thread(target=add_other)]
    threads[0].start()
    assert gate.reached.wait(LONG)
    threads[1].start()
    for thread in threads:
        thread.join(LONG)
    for numbers in (names.skills, names.courses, names.providers, names.language_sets):
        assert sorted(numbers.values()) == list(range(len(numbers)))
