"""A catalogue and the plans of one recommender on a real MongoDB, without a broker: for the tests of planning."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import msgspec

from services.recommender.catalog_replica import CatalogReplica, fold_events
from services.recommender.feedback import Action
from services.recommender.planning import FeedbackCommand, FeedbackHandler, Order, Planner
from services.recommender.store import ALL_INDEXES, COLLECTION, PlanStore
from services.recommender.work_queue import WorkQueue
from shared.events import CoursePublished, Data, FrameworkPublished, PathRecommended, announce, from_kafka, to_kafka
from shared.mongo import Database, connect, ensure_indexes
from shared.settings import StoreSettings, read
from shared.skills import SHARED_TENANT, Course, Profile, key_of
from tests.support.builders import DAY, FRAMEWORK, TENANT, course, framework

READ = course("read", ("reading", 0, 3), hours=4)
LONG = course("long", ("reading", 0, 3), hours=6)


def heard(catalogue: CatalogReplica, *news: tuple[str, Data]) -> None:
    """Let the catalogue hear of changes, each with the next stamp."""
    records = []
    for stamp, (name, data) in enumerate(news, catalogue.revision + 1):
        prefix = "framework:" if isinstance(data, FrameworkPublished) else ""
        event = announce("/test", key_of(SHARED_TENANT, prefix + name), stamp, data)
        records.append(to_kafka(msgspec.structs.replace(event, catalogue_revision=stamp)))
    catalogue.take(fold_events(catalogue.snapshot, [from_kafka(*record) for record in records]))


class Office:
    """A framework of one skill, these courses, and as many planners as a test needs."""

    def __init__(self, database: Database, *courses: Course) -> None:
        self.database = database
        self.plans = database[COLLECTION]
        self.store = PlanStore(database)
        self.catalogue = CatalogReplica()
        heard(
            self.catalogue,
            (FRAMEWORK, FrameworkPublished(SHARED_TENANT, framework({"reading": 3}))),
            *((one.id, CoursePublished(SHARED_TENANT, one)) for one in courses),
        )
        self._heeder = FeedbackHandler(self.planner(), WorkQueue())

    def planner(self) -> Planner:
        return Planner(self.store, self.catalogue, UTC)

    async def plan(self, one: Profile) -> None:
        await self._heeder.planner.plan([Order(0, one, "assessment", DAY)])

    async def tell(self, officer: str, course_id: str, action: Action, key: str) -> None:
        word = FeedbackCommand(TENANT, officer, course_id, action, None, key, f"digest of {key}")
        await self._heeder.take(word)

    async def plan_of(self, officer: str) -> dict[str, Any]:
        found = await self.plans.find_one({"_id": key_of(TENANT, officer)})
        assert found is not None
        return found

    async def path_of(self, officer: str) -> PathRecommended:
        return msgspec.json.decode((await self.plan_of(officer))["path"], type=PathRecommended)

    async def announced(self, officer: str) -> list[tuple[int, int]]:
        """Return (revision, profile sequence) of every path that waits to be sent, in the order of staging."""
        entries = (await self.plan_of(officer))["outbox"]
        paths = [msgspec.json.decode(entry["data"], type=PathRecommended) for entry in entries]
        assert [path.revision for path in paths] == [entry["sequence"] for entry in entries]
        return [(path.revision, path.path.versions.profile) for path in paths]


@asynccontextmanager
async def office_at(uri: str, namespace: str, *courses: Course) -> AsyncIterator[Office]:
    """Open an office in a database of its own, which is gone after a clean end."""
    settings = read(
        StoreSettings, {"MONGODB_URI": uri, "NAMESPACE": namespace, "API_KEY_PEPPER": "pepper of these tests"}
    )
    client = connect(settings)
    try:
        office = Office(client[settings.database("recommender")], *courses)
        await ensure_indexes(office.database, ALL_INDEXES)
        yield office
        await client.drop_database(office.database.name)
    finally:
        client.close()
