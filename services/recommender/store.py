"""Where plans are kept: one document per officer with its profile, its path and the events about to be sent.

Every write is a compare-and-set on what the writer has read; who lost the race reads again and decides again.
The path is stored as the JSON bytes that are pushed and answered, so a reader decodes nothing.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo import IndexModel, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.recommender.catalogue import PlanSummary
from shared.events import PathRecommended, announce
from shared.mongo import Database, unavailable
from shared.outbox import OUTBOX_INDEXES, stage, staged
from shared.paths import LearningPath
from shared.skills import Profile, key_of

SOURCE = "/recommender"
COLLECTION = "plans"

INDEXES = [
    *OUTBOX_INDEXES,
    IndexModel([("courses", 1)], name="courses"),
    IndexModel([("open_skills", 1)], name="open_skills"),
    IndexModel([("framework_id", 1)], name="framework_id"),
    IndexModel([("tenant", 1), ("agency", 1)], name="agency"),
]

_DUPLICATE_KEY = 11000
_SUMMARY = dict.fromkeys(PlanSummary.__struct_fields__, 1)


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan to save over `based_on` (None: the officer has no plan yet). `event` is the path as it is announced."""

    partition: int
    profile: Profile
    event: PathRecommended
    based_on: PlanSummary | None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as it stands: what it was made from and the path."""

    partition: int
    profile: Profile
    path: LearningPath
    summary: PlanSummary


class PlanStore:
    """The plans of all tenants; every question names the tenant."""

    def __init__(self, database: Database) -> None:
        self._plans = database[COLLECTION]

    async def find_path(self, tenant: str, officer: str) -> tuple[bytes, PlanSummary] | None:
        """Return an officer's path as JSON bytes (a PathRecommended) and the summary of its plan, or None."""
        with unavailable():
            found = await self._plans.find_one({"_id": key_of(tenant, officer)}, {**_SUMMARY, "path": 1})
        if found is None or found.get("erased"):
            return None
        return found["path"], _summary(found)

    async def summaries(self, keys: Collection[str]) -> dict[str, PlanSummary]:
        """Return the summaries of the plans that exist, by key."""
        with unavailable():
            found = await self._plans.find({"_id": {"$in": list(keys)}}, _SUMMARY).to_list(None)
        return {document["_id"]: _summary(document) for document in found}

    async def save(self, plans: Sequence[NewPlan]) -> list[NewPlan]:
        """Save plans with their events, each in one write; return those that lost a race."""
        if not plans:
            return []
        lost = 0
        with unavailable():
            try:
                result = await self._plans.bulk_write([_write(plan) for plan in plans], ordered=False)
                lost = len(plans) - result.matched_count - result.inserted_count
            except BulkWriteError as error:
                if any(entry["code"] != _DUPLICATE_KEY for entry in error.details["writeErrors"]):
                    raise
                lost = len(error.details["writeErrors"])
        if not lost:
            return []
        now = await self.summaries([plan.profile.key for plan in plans])
        return [plan for plan in plans if not _is_stored(plan, now.get(plan.profile.key))]

    async def erase(self, tenant: str, officer: str, sequence: int, partition: int) -> None:
        """Forget an officer but for the counters, and announce a tombstone. Older or repeated news changes nothing."""
        key = key_of(tenant, officer)
        kept = {"tenant": tenant, "officer": officer, "partition": partition, "erased": True}
        while True:
            before = (await self.summaries([key])).get(key)
            if before and before.profile_sequence >= sequence:
                return
            revision = before.revision + 1 if before else 1
            counters = {"profile_sequence": sequence, "revision": revision}
            tombstone = announce(SOURCE, key, revision, None)
            with unavailable():
                if before is None:
                    insert = {"_id": key, **kept, **counters, **staged(tombstone)}
                    try:
                        await self._plans.insert_one(insert)
                    except DuplicateKeyError:
                        continue
                    return
                update = stage(tombstone)
                update["$set"] |= {**kept, **counters, "courses": [], "open_skills": [], "framework": ""}
                update["$unset"] = {"profile": "", "path": "", "agency": ""}
                if (await self._plans.update_one(_unchanged(key, before), update)).matched_count:
                    return

    async def affected(
        self, partitions: Collection[int], conditions: Sequence[dict[str, Any]], before: int
    ) -> AsyncIterator[StoredPlan]:
        """Yield the plans of these Kafka partitions that changes of the catalogue up to `before` may concern."""
        query = {"partition": {"$in": list(partitions)}, "considered": {"$lt": before}, "$or": list(conditions)}
        with unavailable():
            async for document in self._plans.find(query, {**_SUMMARY, "profile": 1, "path": 1, "partition": 1}):
                if not document.get("erased"):
                    yield StoredPlan(
                        document["partition"],
                        msgspec.json.decode(document["profile"], type=Profile),
                        msgspec.json.decode(document["path"], type=PathRecommended).path,
                        _summary(document),
                    )

    async def mark_considered(self, keys: Collection[str], revision: int) -> None:
        """Remember that these plans are still good at a catalogue revision."""
        with unavailable():
            await self._plans.update_many(
                {"_id": {"$in": list(keys)}, "considered": {"$lt": revision}}, {"$set": {"considered": revision}}
            )

    async def restage(self, keys: Collection[str] | None = None) -> int:
        """Stage the present state of these officers, or of all, once more; return how many."""
        query = {} if keys is None else {"_id": {"$in": list(keys)}}
        count = 0
        with unavailable():
            async for document in self._plans.find(query, {"revision": 1, "path": 1}):
                key, revision = document["_id"], document["revision"]
                path = document.get("path")
                event = None if path is None else msgspec.json.decode(path, type=PathRecommended)
                update = stage(announce(SOURCE, key, revision, event))
                await self._plans.update_one({"_id": key, "revision": revision}, update)
                count += 1
        return count


def _write(plan: NewPlan) -> InsertOne[dict[str, Any]] | UpdateOne:
    key = plan.profile.key
    envelope = announce(SOURCE, key, plan.event.revision, plan.event, plan.traceparent)
    path = plan.event.path
    fields = {
        "tenant": plan.profile.tenant,
        "officer": plan.profile.officer,
        "agency": plan.profile.agency,
        "partition": plan.partition,
        "profile": msgspec.json.encode(plan.profile),
        "profile_sequence": plan.profile.sequence,
        "revision": plan.event.revision,
        "considered": path.versions.catalogue,
        "erased": False,
        "path": envelope.data,
        "framework": path.versions.framework,
        "framework_id": path.framework,
        "status": path.status,
        "courses": [step.course.id for step in path.steps],
        "open_skills": [f"{path.framework}/{gap.skill}" for gap in path.open],
        "planned_at": datetime.now(UTC),
    }
    if plan.based_on is None:
        return InsertOne({"_id": key, **fields, **staged(envelope)})
    update = stage(envelope)
    update["$set"] |= fields
    return UpdateOne(_unchanged(key, plan.based_on), update)


def _unchanged(key: str, summary: PlanSummary) -> dict[str, Any]:
    return {"_id": key, "profile_sequence": summary.profile_sequence, "revision": summary.revision}


def _summary(document: dict[str, Any]) -> PlanSummary:
    return msgspec.convert({"considered": 0, **document}, PlanSummary)


def _is_stored(plan: NewPlan, summary: PlanSummary | None) -> bool:
    return summary is not None and (summary.profile_sequence, summary.revision) == (
        plan.profile.sequence,
        plan.event.revision,
    )
