"""A catalog and the plans of one recommender on a real MongoDB, without a broker: for the tests of planning."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import msgspec

from services.recommender.catalog_replica import CatalogReplica, fold_events
from services.recommender.feedback import Action
from services.recommender.feedback_handler import FeedbackCommand, FeedbackHandler
from services.recommender.inputs import PlanRequest
from services.recommender.planning import Planner
from services.recommender.replanning import Replanner
from services.recommender.store import ALL_INDEXES
from services.recommender.store.documents import ANNOUNCED, event_of
from services.recommender.store.plans import COLLECTION, PlanStore
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import SHARED_TENANT, Course, Profile, key_of
from shared.events import CoursePublished, Data, FrameworkPublished, PathRecommended, new_event
from shared.mongo import Database, connect, ensure_indexes
from shared.settings import StoreSettings, read
from shared.work_queue import WorkQueue
from tests.support.builders import DAY, FRAMEWORK, TENANT, course, framework

READ = course("read", ("reading", 0, 3), hours=4)
LONG = course("long", ("reading", 0, 3), hours=6)


def apply_changes(catalog: CatalogReplica, *changes: tuple[str, Data]) -> None:
    """Apply changes to the catalog replica, each with the next stamp."""
    records = []
    for stamp, (name, data) in enumerate(changes, catalog.revision + 1):
        prefix = "framework:" if isinstance(data, FrameworkPublished) else ""
        event = new_event("/test", key_of(SHARED_TENANT, prefix + name), stamp, data)
        records.append(to_kafka(msgspec.structs.replace(event, catalog_revision=stamp)))
    catalog.take(fold_events(catalog.snapshot, [from_kafka(*record) for record in records]))


class Office:
    """A framework of one skill, these courses, and as many planners as a test needs."""

    def __init__(self, database: Database, *courses: Course) -> None:
        self.database = database
        self.plans = database[COLLECTION]
        self.store = PlanStore(database)
        self.catalog = CatalogReplica()
        apply_changes(
            self.catalog,
            (FRAMEWORK, FrameworkPublished(SHARED_TENANT, framework({"reading": 3}))),
            *((one.id, CoursePublished(SHARED_TENANT, one)) for one in courses),
        )
        self._feedback_handler = FeedbackHandler(self.planner(), WorkQueue())

    def planner(self) -> Planner:
        return Planner(self.store, self.catalog, UTC)

    def replanner(self, planner: Planner | None = None) -> Replanner:
        return Replanner(planner or self.planner(), list)

    async def plan(self, one: Profile) -> None:
        await self._feedback_handler.planner.plan([PlanRequest(one, DAY, cause="assessment", partition=0)])

    async def give_feedback(self, officer: str, course_id: str, action: Action, key: str) -> None:
        command = FeedbackCommand(TENANT, officer, course_id, action, None, key, f"digest of {key}")
        await self._feedback_handler.take(command)

    async def plan_of(self, officer: str) -> dict[str, Any]:
        found = await self.plans.find_one({"_id": key_of(TENANT, officer)})
        assert found is not None
        return found

    async def path_of(self, officer: str) -> PathRecommended:
        return event_of(await self.plan_of(officer))

    async def announced(self, officer: str) -> list[tuple[int, int]]:
        """Return (revision, profile sequence) of the one path that waits to be sent: a newer path replaces it."""
        document = await self.plan_of(officer)
        event = event_of(document)
        assert [(one["held_in"], one["sequence"]) for one in document["outbox"]] == [(ANNOUNCED, event.revision)]
        return [(event.revision, event.path.versions.profile)]


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
