"""Stores the courses and frameworks of every revision of the catalog, from the records of the topic `catalog.state`.

A revision is the stamp of a record. As in every reader, a record is used only if its stamp is above the largest stamp
so far, so the catalog at a revision never changes later. A record with a repeated sequence changes nothing.

A framework in parts gets the stamp of the record that completes it: the announcement or the last part. Until then
`framework_publications` records which of these have arrived; the contents stay in the documents of the parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, ReplaceOne, ReturnDocument

from services.catalog.entries import framework_key, is_framework, matching
from services.catalog.model import ListCourses
from services.catalog.part_store import PartStore, parted, publication_of
from services.catalog.store import COLLECTION
from shared.decoding import stored
from shared.domain import Course, Framework
from shared.events import (
    CoursePublished,
    CourseWithdrawn,
    FrameworkAnnounced,
    FrameworkPart,
    FrameworkPublished,
    check_jump,
    check_stamps,
)
from shared.framework_parts import hash_of_content
from shared.kafka import ConsumedEvent
from shared.mongo import Collection, Database, Document, bulk_write, ensure_indexes, unavailable

_ACCEPTED = "catalog.state"
_LEASE = f"relay:{COLLECTION}"
_ROWS = 500
_AS_OF = [("tenant", ASCENDING), ("id", ASCENDING), ("_id", DESCENDING)]


@dataclass(frozen=True)
class FrameworkRevision:
    """A published version of a framework, and the catalog revision that published it."""

    version: int
    catalog_revision: int


class HistoryStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._history = database["history"]
        self._frameworks = database["framework_history"]
        self._publications = database["framework_publications"]
        self._parts = PartStore(database, COLLECTION)
        self._positions = database["positions"]
        self._leases = database["leases"]

    async def prepare(self) -> None:
        """Create the indexes of the history in MongoDB. Raises Unavailable."""
        as_of = IndexModel(_AS_OF, name="as_of")
        by_key = IndexModel([("key", ASCENDING), ("sequence", DESCENDING)], name="by_key")
        of_framework = IndexModel([("key", ASCENDING), ("version", ASCENDING)], name="key_version")
        await ensure_indexes(
            self._database,
            {
                "history": [as_of, by_key],
                "framework_history": [as_of, by_key],
                "framework_publications": [of_framework],
            },
        )

    async def position(self) -> int:
        """Return the latest revision in the history, 0 if there is none. Raises Unavailable."""
        with unavailable():
            document = await self._positions.find_one({"_id": _ACCEPTED}) or {}
        return int(document.get("accepted", 0))

    async def on_read_back(self, batch: Sequence[ConsumedEvent]) -> None:
        """Add records to the history; they must be in the order of the topic. A repeated record changes nothing.

        Raises Unavailable. Raises Rejected, without storing any record, if a stamp or a sequence is impossibly high.
        """
        accepted = await self.position()
        check_stamps([item.event for item in batch], accepted)
        changes: list[Document] = []
        frameworks: list[Document] = []
        sequences = await self._sequences([_key_of(item) for item in batch], accepted)
        for item in batch:
            event = item.event
            if not isinstance(event.data, FrameworkPart):
                check_jump(event.subject, event.sequence, sequences.get(event.subject, 0))
            if event.catalog_revision <= accepted:
                continue
            accepted = event.catalog_revision
            if isinstance(event.data, FrameworkPart | FrameworkAnnounced):
                if row := await self._completed(event.data, accepted, sequences):
                    frameworks.append(row)
            elif event.sequence > sequences.get(event.subject, 0) and (row := _row(item)):
                sequences[event.subject] = event.sequence
                rows = frameworks if isinstance(event.data, FrameworkPublished) else changes
                rows.append(row)
        await _written(self._history, changes)
        await _written(self._frameworks, frameworks)
        with unavailable():
            # A stamp that was never reserved must not make every later one look old.
            await self._leases.update_one({"_id": _LEASE}, {"$max": {"catalog_revision": accepted}})
            await self._positions.update_one({"_id": _ACCEPTED}, {"$max": {"accepted": accepted}}, upsert=True)

    async def _completed(
        self, data: FrameworkPart | FrameworkAnnounced, stamp: int, sequences: dict[str, int]
    ) -> Document | None:
        """Record that a part or an announcement has arrived; return the row of the version that it completes.

        Idempotent: the records are deleted only when a later version is complete. Raises Unavailable.
        """
        key = framework_key(data.tenant, data.framework)
        if data.version <= sequences.get(key, 0):
            return None
        if isinstance(data, FrameworkPart):
            came: Document = {f"came.{data.number}": hash_of_content(bytes(data.content))}
        else:
            came = {"named": data.parts}
        query = {"_id": f"{key}@{data.version}-{data.digest}"}
        change = {"$set": came | {"key": key, "version": data.version}}
        with unavailable():
            found = await self._publications.find_one_and_update(
                query, change, upsert=True, return_document=ReturnDocument.AFTER
            )
            named = found.get("named", [])
            if not named or any(found.get("came", {}).get(str(i)) != one for i, one in enumerate(named)):
                return None
            await self._publications.delete_many({"key": key, "version": {"$lt": data.version}})
        sequences[key] = data.version
        header = FrameworkAnnounced(data.tenant, data.framework, data.version, data.digest, named)
        return {
            "_id": stamp,
            "key": key,
            "sequence": data.version,
            "tenant": data.tenant,
            "id": data.framework,
            "publication": publication_of(header),
        }

    async def _sequences(self, keys: list[str], accepted: int) -> dict[str, int]:
        """Return the newest sequence of each key in the history, without the rows of an unfinished batch."""
        of_frameworks = {key for key in keys if is_framework(key)}
        found: dict[str, int] = {}
        for rows, wanted in ((self._history, {*keys} - of_frameworks), (self._frameworks, of_frameworks)):
            if wanted:
                pipeline: list[Document] = [
                    {"$match": {"key": {"$in": [*wanted]}, "_id": {"$lte": accepted}}},
                    {"$group": {"_id": "$key", "sequence": {"$max": "$sequence"}}},
                ]
                with unavailable():
                    found |= {row["_id"]: row["sequence"] async for row in rows.aggregate(pipeline)}
        return found

    # --- reading at a revision ---------------------------------------------------------------------------------------

    async def page(self, tenant: str, wanted: ListCourses, revision: int) -> list[tuple[str, Course]]:
        """Return (id, course) for the courses that a tenant itself offered at a revision and `wanted` selects, by id.

        Returns the first `limit` + 1 courses after the id `after`; the last one shows that there are more. Raises
        Unavailable.
        """
        found: list[Document] = []
        after = wanted.after
        with unavailable():
            while len(found) <= wanted.limit and (newest := await self._newest(tenant, after, revision)):
                query = {"_id": {"$in": list(newest.values())}, "withdrawn": False, **matching(wanted)}
                rows = await self._history.find(query, {"id": 1, "content": 1}).to_list(None)
                found += sorted(rows, key=itemgetter("id"))
                after = max(newest)
        return [(row["id"], stored(row["content"], Course)) for row in found[: wanted.limit + 1]]

    async def _newest(self, tenant: str, after: str, revision: int) -> dict[str, int]:
        """Return {course id: `_id` of its newest row up to a revision} for the next courses; empty after the last."""
        query = {"tenant": tenant, "id": {"$gt": after}, "_id": {"$lte": revision}}
        rows = self._history.find(query, {"id": 1}).sort(_AS_OF).limit(_ROWS)
        newest: dict[str, int] = {}
        async for row in rows:
            newest.setdefault(row["id"], row["_id"])
        return newest

    async def offered(self, tenant: str, courses: Sequence[str], revision: int) -> set[str]:
        """Return the ids in `courses` of courses that the tenant itself offered at a revision. Raises Unavailable."""
        pipeline = [
            *_as_of({"tenant": tenant, "id": {"$in": list(courses)}}, revision),
            {"$match": {"withdrawn": False}},
            {"$project": {"id": 1}},
        ]
        with unavailable():
            return {row["id"] async for row in self._history.aggregate(pipeline)}

    async def framework(self, tenant: str, framework: str, revision: int) -> Framework | None:
        """Return the tenant's own framework at a revision, None if it had none. Raises Unavailable, Rejected."""
        query = {"tenant": tenant, "id": framework, "_id": {"$lte": revision}}
        with unavailable():
            found = await self._frameworks.find_one(query, sort=[("_id", DESCENDING)])
        if found and (named := parted(found)):
            return await self._parts.read(tenant, framework, named)
        return stored(found["content"], Framework) if found else None

    async def framework_versions(
        self, tenant: str, framework: str, below: int | None, limit: int
    ) -> list[FrameworkRevision]:
        """Return at most `limit` versions of the tenant's own framework, the newest first. Raises Unavailable.

        With `below`, only versions published before this revision of the catalog are returned.
        """
        query: Document = {"tenant": tenant, "id": framework} | ({"_id": {"$lt": below}} if below else {})
        with unavailable():
            rows = self._frameworks.find(query, {"sequence": 1}).sort(_AS_OF).limit(limit)
            return [FrameworkRevision(row["sequence"], row["_id"]) async for row in rows]


async def _written(collection: Collection, rows: Sequence[Document]) -> None:
    """Write rows; replace a row that an unfinished batch has written before. Raises Unavailable."""
    if rows and await bulk_write(collection, [InsertOne(row) for row in rows]) < len(rows):
        await bulk_write(collection, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows], ordered=True)


def _key_of(item: ConsumedEvent) -> str:
    """Return the key of the course or framework of a record; for a part, the key of its framework."""
    return item.event.subject.partition("@")[0]


def _as_of(wanted: Document, revision: int) -> list[Document]:
    return [
        {"$match": {**wanted, "_id": {"$lte": revision}}},
        {"$sort": dict(_AS_OF)},
        {"$group": {"_id": "$id", "newest": {"$first": "$$ROOT"}}},
        {"$replaceRoot": {"newRoot": "$newest"}},
    ]


def _row(item: ConsumedEvent) -> Document | None:
    event = item.event
    row: Document = {"_id": event.catalog_revision, "key": event.subject, "sequence": event.sequence}
    if isinstance(event.data, CoursePublished):
        content = msgspec.to_builtins(event.data.course)
        return row | {"tenant": event.data.tenant, "id": event.data.course.id, "withdrawn": False, "content": content}
    if isinstance(event.data, FrameworkPublished):
        framework = event.data.framework
        return row | {"tenant": event.data.tenant, "id": framework.id, "content": msgspec.to_builtins(framework)}
    if isinstance(event.data, CourseWithdrawn):
        return row | {"tenant": event.data.tenant, "id": event.data.course, "withdrawn": True}
    return None
