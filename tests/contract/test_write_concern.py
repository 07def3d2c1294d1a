"""What is acknowledged is held by a majority: a replica set of three of which two members are frozen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace
from pymongo import InsertOne, UpdateOne

from services.assessment.store import OfficerStore
from services.assessment.stored_officer import Change
from services.catalog.store import CatalogStore
from services.recommender.store import ALL_INDEXES
from shared.domain import Profile
from shared.errors import Unavailable
from shared.events import Envelope, OfficerChanged, new_event
from shared.mongo import Client, Database, Write, bulk_write, connect, ensure_indexes
from shared.settings import StoreSettings, read
from tests.support.builders import TENANT, profile
from tests.support.planner import LONG, READ, Office
from tests.support.replica_set import ReplicaSet, replica_set


@pytest.fixture(scope="module")
async def members(server_directory: Path) -> AsyncIterator[ReplicaSet]:
    async with replica_set(server_directory / "three") as members:
        yield members


@pytest.fixture(scope="module")
async def client(members: ReplicaSet) -> AsyncIterator[Client]:
    client = connect(
        read(StoreSettings, {"MONGODB_URI": members.uri, "API_KEY_PEPPER": "pepper of the write concern tests"})
    )
    yield client
    client.close()


@pytest.fixture
def database(client: Client, namespace: str) -> Database:
    return client[namespace]


async def test_duplicates_and_writes_without_a_match_are_not_counted(database: Database) -> None:
    await database["things"].insert_one({"_id": "there"})
    writes: list[Write] = [
        InsertOne({"_id": "there"}),
        InsertOne({"_id": "new"}),
        UpdateOne({"_id": "gone"}, {"$set": {"n": 1}}),
    ]
    assert await bulk_write(database["things"], [*writes, UpdateOne({"_id": "there"}, {"$set": {"n": 1}})]) == 2


def announced(one: Profile) -> Envelope:
    return new_event("/assessment", one.key, one.sequence, OfficerChanged(one))


async def test_no_store_reports_a_change_as_saved_before_a_majority_has_it(
    members: ReplicaSet, client: Client, namespace: str
) -> None:
    office = Office(client[f"{namespace}plans"], READ, LONG)
    officers, catalog = OfficerStore(client[f"{namespace}officers"]), CatalogStore(client[f"{namespace}catalog"])
    await ensure_indexes(office.database, ALL_INDEXES)  # and with them the collections, as every service does
    for name in ("planned", "with-feedback"):
        await office.plan(profile(name, {"reading": 0}))
    several = [profile(f"bulk{n}", {"reading": 0}) for n in range(40)]
    await officers.save_many([Change(None, each, announced(each)) for each in several])
    found = await officers.find_many([each.key for each in several])
    moved = [replace(each, sequence=2, agency="south") for each in several]
    bulk = [Change(found[each.key], each, announced(each)) for each in moved]
    one = profile("assessed", {"reading": 0})
    event = new_event("/assessment", one.key, 1, OfficerChanged(one))
    things = client[f"{namespace}things"]["things"]
    await things.insert_one({"_id": "there"})
    with members.frozen(1, 2):
        results = await asyncio.gather(
            bulk_write(things, [UpdateOne({"_id": "there"}, {"$set": {"n": 1}}), InsertOne({"_id": "new"})]),
            bulk_write(things, [InsertOne({"_id": "there"}), InsertOne({"_id": "newer"})]),
            office.plan(profile("new", {"reading": 0})),
            office.plan(profile("planned", {"reading": 1}, sequence=2)),
            office.give_feedback("with-feedback", "read", "not_relevant", "key"),
            officers.save(Change(None, one, event)),
            officers.save_many(bulk),
            catalog.put_course(None, TENANT, READ, ""),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [Unavailable] * 8
    await members.until_state(0, "PRIMARY")


async def test_a_plan_rolled_back_with_its_primary_is_saved_by_the_second_attempt(
    members: ReplicaSet, client: Client, namespace: str
) -> None:
    office = Office(client[f"{namespace}plans"], READ, LONG)
    await ensure_indexes(office.database, ALL_INDEXES)
    await office.plan(profile("before", {"reading": 0}))
    with ExitStack() as frozen:
        with members.frozen(1, 2):
            with pytest.raises(Unavailable):
                await office.plan(profile("new", {"reading": 0}))
            frozen.enter_context(members.frozen(0))
        await members.elect(1)
        await until_taken(lambda: office.plan(profile("new", {"reading": 0})))
    await members.until_state(0, "PRIMARY", "SECONDARY")
    assert (await office.path_of("new")).revision == 1


async def until_taken(plan: Callable[[], Awaitable[None]]) -> None:
    """Try as a consumer does: again while the database is unavailable."""
    async with asyncio.timeout(90):
        while True:
            try:
                return await plan()
            except Unavailable:
                await asyncio.sleep(0.1)
