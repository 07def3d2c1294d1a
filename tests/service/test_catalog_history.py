"""The catalog as it was, and announced once more: one history, written from what readers saw."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.catalog.__main__ import republish
from services.catalog.history import HistoryStore
from services.catalog.model import ListCourses
from shared.domain import Course
from shared.events import CATALOG_TOPIC, CoursePublished, CourseWithdrawn, Event, new_event
from shared.kafka import ConsumedEvent, Publisher, RecordMetadata
from shared.kafka.records import Record
from shared.settings import CatalogSettings
from tests.support.builders import unique
from tests.support.catalog import catalog, course, ids, put
from tests.support.services import Started, Topic
from tests.support.waiting import until

SERVICE = catalog


async def test_the_catalog_is_shown_at_past_revisions(service: Started, announced: Topic) -> None:
    tenant, identifier = "museum", unique("course")
    await put(service, course(identifier), tenant=tenant)
    await put(service, course(identifier, hours=5.0), tenant=tenant)
    await service.ask("DELETE", f"/v1/courses/{identifier}", "admin", tenant=tenant)
    await put(service, course(identifier, hours=6.0), tenant=tenant)
    events = await announced.of(f"{tenant}/{identifier}", 4)

    async def written() -> bool:
        query = f"/v1/courses?catalog_revision={events[-1].catalog_revision}"
        return (await service.ask("GET", query, tenant=tenant)).status == 200

    await until(written)

    async def hours_at(revision: int) -> list[float]:
        got = await service.ask("GET", f"/v1/courses?catalog_revision={revision}", tenant=tenant)
        return [one["hours"] for one in (await got.json())["courses"] if one["id"] == identifier]

    assert [await hours_at(event.catalog_revision) for event in events] == [[3.0], [5.0], [], [6.0]]
    assert await hours_at(events[0].catalog_revision - 1) == []
    revision = f"catalog_revision={events[1].catalog_revision}"
    assert await ids(service, f"{revision}&limit=1&skill=reading", tenant)
    assert await ids(service, f"{revision}&skill=writing", tenant) == []
    got = await service.ask("GET", "/v1/courses?catalog_revision=999999999")
    assert (got.status, (await got.json())["field"]) == (422, "catalog_revision")


async def test_republishing_makes_new_stamps_and_no_new_history(service: Started, announced: Topic) -> None:
    body = course(unique("course"))
    await put(service, body, tenant="again")
    [first] = await announced.of(f"again/{body['id']}", 1)
    assert isinstance(service.settings, CatalogSettings)
    await republish(service.settings)
    second = (await announced.of(f"again/{body['id']}", 2))[1]
    assert (second.sequence, second.data) == (first.sequence, first.data)
    assert second.catalog_revision > first.catalog_revision
    database = service.database("catalog")

    async def read_back() -> bool:
        position = await database["positions"].find_one({"_id": "catalog.state"})
        return position is not None and position["accepted"] >= second.catalog_revision

    await until(read_back)
    assert await database["history"].count_documents({"key": f"again/{body['id']}"}) == 1


@pytest.mark.parametrize("kind", ["an event", "a sequence too far ahead", "a course of which only the id is readable"])
async def test_a_stamp_that_was_never_assigned_makes_no_later_change_outdated(
    service: Started, announced: Topic, kind: str
) -> None:
    """Each of these records is accepted by at least one reader of the topic."""
    sequence = 100_000_000 if kind == "a sequence too far ahead" else 1
    foreign = new_event("/test", "shared/foreign", sequence, CourseWithdrawn("shared", "foreign"))
    if kind == "a course of which only the id is readable":
        data = b'{"tenant": "shared", "course": {"id": "foreign", "hours": "many"}}'
        foreign = msgspec.structs.replace(foreign, type="course.published.v1", data=data)
    await put(service, course(unique("course")), tenant="first")
    position = (await service.database("catalog")["leases"].find_one({"_id": "relay:entries"}) or {})[
        "catalog_revision"
    ]
    stamp = position + 1_000_000
    async with Publisher(service.settings) as publisher:
        far = msgspec.structs.replace(foreign, catalog_revision=stamp)
        [landed] = await publisher.send(service.settings.topic(CATALOG_TOPIC), [far])
    assert isinstance(landed, RecordMetadata)

    async def read_back() -> bool:
        lease = await service.database("catalog")["leases"].find_one({"_id": "relay:entries"}) or {}
        return bool(lease["catalog_revision"] >= stamp)

    await until(read_back)
    body = course(unique("course"))
    await put(service, body, tenant="then")
    [event] = await announced.of(f"then/{body['id']}", 1)
    assert event.catalog_revision > stamp


async def test_rows_of_an_unfinished_batch_are_replaced(service: Started, namespace: str) -> None:
    """The process ended after it had written some of the rows, before it noted how far it came."""
    database = service.mongodb[f"{namespace}unfinished"]
    store = HistoryStore(database)
    batch = []
    for n in range(1, 5):
        data = CoursePublished("museum", msgspec.convert(course(f"c{n}"), Course))
        key, kind = f"museum/c{n}", "course.published.v1"
        event = Event(str(n), kind, "/catalog", key, datetime.now(UTC), 1, data, catalog_revision=n)
        batch.append(ConsumedEvent(Record("topic", 0, n, None, None, []), event))
    for n in (2, 3):
        await database["history"].insert_one({"_id": n, "key": f"museum/c{n}", "sequence": 1, "half": "written"})
    await store.on_read_back(batch)
    rows = await database["history"].find({}).sort("_id", 1).to_list(None)
    assert [(row["_id"], row["id"], "half" in row) for row in rows] == [(n, f"c{n}", False) for n in range(1, 5)]
    assert await store.position() == 4
    await service.mongodb.drop_database(database.name)


@pytest.mark.parametrize("rows", [1, 3, 500])
@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_pages_of_past_revisions_contain_the_newest_row_of_each_course(
    service: Started, namespace: str, monkeypatch: pytest.MonkeyPatch, rows: int, limit: int
) -> None:
    monkeypatch.setattr("services.catalog.history._ROWS", rows)
    database = service.mongodb[f"{namespace}rows"]
    draw = random.Random(7)  # noqa: S311 - test data
    past: list[dict[str, Any]] = []
    for stamp in range(1, 61):
        name = draw.choice("abcdefgh")
        row = {"_id": stamp, "tenant": "museum", "id": name, "withdrawn": draw.random() < 0.3}
        past.append(row | ({} if row["withdrawn"] else {"content": course(name, hours=float(stamp))}))
    await database["history"].insert_many(past)
    store = HistoryStore(database)
    for revision in (5, 30, 60):
        newest = {row["id"]: row for row in past if row["_id"] <= revision}
        wanted = [(name, float(row["_id"])) for name, row in sorted(newest.items()) if not row["withdrawn"]]
        found: list[tuple[str, float]] = []
        while page := await store.page(
            "museum", ListCourses(after=found[-1][0] if found else "", limit=limit), revision
        ):
            found += [(name, one.hours) for name, one in page[:limit]]
            if len(page) <= limit:
                break
        assert found == wanted
    await service.mongodb.drop_database(database.name)
