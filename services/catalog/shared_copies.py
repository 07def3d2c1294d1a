"""Makes copies of shared courses for tenants with frameworks of their own.

If a shared course matches a skill of a tenant's own framework, the tenant gets a copy of the course: a document with
the key `tenant/id`, which only this tenant sees, in place of the shared course. The copy holds what is shown of the
shared course, and the tenant's matches and decisions; its events belong to the tenant. The field `copied` marks it. The
catalog changes and withdraws the copy together with the shared course. The tenant cannot change, withdraw or export the
copy, but can put a course of its own with the same id in its place.

copies_due    of a shared course: its copies must be made again
uncovers      of a tenant's course that was withdrawn: the shared course with the same id may need a copy again
shared_from   of a tenant's framework: the key of the last shared course that was compared with the framework
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec
from msgspec.structs import replace
from pymongo import InsertOne, UpdateOne

from services.catalog.entries import Entry, copies_due, matches_of
from services.catalog.match_store import MatchedCourse, MatchStore, fields_of, matched_course
from services.catalog.matches import Match, announced, rows_of
from services.catalog.store import COLLECTION, SOURCE
from shared.domain import SHARED_TENANT, Course, key_of
from shared.events import CoursePublished, new_event
from shared.mongo import Document, Write, bulk_write, readable, unavailable
from shared.outbox import outbox_insert, outbox_push


class SharedCourse(NamedTuple):
    """A shared course: the key, sequence and match version of its document, and the course as it is shown.

    `shown` is None if the course is withdrawn or cannot be decoded.
    """

    key: str
    id: str
    sequence: int | None
    match_version: int | None
    shown: Course | None


class _PresentCopy(NamedTuple):
    """What a tenant has stored under the key of a copy; `course` is None if it is withdrawn."""

    entry: Entry
    match_version: int | None
    matches: list[Match]
    course: Course | None


class PlannedCopy(NamedTuple):
    """A copy of a shared course that must be matched.

    `present`: what the tenant has stored under the same id, a former copy or a withdrawn course; None if nothing.
    `copy`: the new content, with the former matches of the tenant.
    """

    present: _PresentCopy | None
    copy: MatchedCourse


class _FrameworkPass(NamedTuple):
    """The shared courses that are compared next with a tenant's framework, and the state of its document."""

    tenant: str
    same: Document
    courses: list[SharedCourse]


class SharedCopies:
    """Finds the shared courses that need copies, and stores the copies in the collection of the entries."""

    def __init__(self, store: MatchStore) -> None:
        self._store = store
        self._entries = store.database[COLLECTION]

    async def tenants(self) -> list[str]:
        """Return the tenants with a framework of their own, also if it is retired. Raises Unavailable."""
        with unavailable():
            found: list[str] = await self._entries.distinct("tenant", {"kind": "framework"})
        return [tenant for tenant in found if tenant != SHARED_TENANT]

    async def due(self, limit: int) -> list[SharedCourse]:
        """Return at most `limit` shared courses whose copies must be made again. Raises Unavailable."""
        with unavailable():
            found = self._entries.find({"copies_due": True}, {"outbox": 0}, hint="copies_due").sort("_id", 1)
            documents = await found.limit(limit).to_list(None)
        return [_shared(document) for document in documents]

    async def uncover(self, limit: int) -> bool:
        """Mark shared courses as due for copies if a tenant withdrew its own course with the same id.

        One call reads at most `limit` withdrawn courses; it returns whether there was one. A course that was put and
        withdrawn again meanwhile is read by the next call. Raises Unavailable.
        """
        with unavailable():
            found = self._entries.find({"uncovers": True}, {"id": 1, "sequence": 1}, hint="uncovers").limit(limit)
            rows = await found.to_list(None)
            if rows:
                shared = {"_id": {"$in": [key_of(SHARED_TENANT, row["id"]) for row in rows]}, "withdrawn": False}
                # With another version, since copies may be made at this moment that do not know of it.
                change = {"$set": copies_due(SHARED_TENANT), "$inc": {"match_version": 1}}
                await self._entries.update_many(shared, change)
                clear: Document = {"$unset": {"uncovers": ""}}
                same = [{"_id": row["_id"], "sequence": row["sequence"]} for row in rows]
                await bulk_write(self._entries, [UpdateOne(one, clear) for one in same])
        return bool(rows)

    async def done(self, courses: Sequence[SharedCourse]) -> None:
        """Record that the copies of courses are made; a course that changed since stays due. Raises Unavailable."""
        clear: Document = {"$unset": {"copies_due": ""}}
        writes: list[Write] = [
            UpdateOne({"_id": one.key, "sequence": one.sequence, "match_version": one.match_version}, clear)
            for one in courses
        ]
        if writes:
            await bulk_write(self._entries, writes)

    async def next_pass(self, limit: int) -> _FrameworkPass | None:
        """Return the next shared courses, at most `limit`, to compare with a tenant's framework that changed.

        Returns None if no framework is left to compare with. Raises Unavailable.
        """
        with unavailable():
            framework = await self._entries.find_one(
                {"kind": "framework", "shared_from": {"$type": "string"}},
                {"tenant": 1, "sequence": 1, "shared_from": 1},
                hint="by_id",
            )
            if framework is None:
                return None
            after = max(framework["shared_from"], f"{SHARED_TENANT}/")
            query = {"_id": {"$gt": after, "$lt": f"{SHARED_TENANT}0"}, "kind": "course"}
            rows = await self._entries.find(query, {"outbox": 0}, hint="_id_").sort("_id", 1).limit(limit).to_list(None)
        same = {name: framework[name] for name in ("_id", "sequence", "shared_from")}
        return _FrameworkPass(framework["tenant"], same, [_shared(row) for row in rows])

    async def passed(self, one: _FrameworkPass) -> None:
        """Record that the courses of a pass were compared, unless the framework has changed. Raises Unavailable."""
        change: Document = {"$set": {"shared_from": one.courses[-1].key if one.courses else None}}
        with unavailable():
            await self._entries.update_one(one.same, change)

    async def planned(
        self, tenant: str, courses: Sequence[SharedCourse], own: AbstractSet[str]
    ) -> list[PlannedCopy] | None:
        """Return the copies of shared courses that must be matched for a tenant; withdraw those of withdrawn courses.

        A course gets no copy if the tenant offers a course of its own with the same id. `own`: the ids of the tenant's
        own frameworks. Returns None after a write conflict. Raises Unavailable.
        """
        query = {"_id": {"$in": [key_of(tenant, one.id) for one in courses]}}
        with unavailable():
            stored = {document["_id"]: document async for document in self._entries.find(query, {"outbox": 0})}
        found = []
        for one in courses:
            document = stored.get(key_of(tenant, one.id))
            if document and not (document.get("withdrawn") or document.get("copied")):
                continue
            present = readable(document, _present) if document else None
            if document and present is None:
                continue
            if one.shown is not None:
                matches = [match for match in present.matches if match.framework in own] if present else []
                course = _copy(one.shown, own, matches)
                entry = Entry(key_of(tenant, one.id), tenant, one.id, 0, course)
                found.append(PlannedCopy(present, MatchedCourse(entry, course, matches)))
            elif present and present.course and await self._store.catalog.withdraw_course(present.entry, "") is None:
                return None
        return found

    async def write(self, copies: Sequence[tuple[PlannedCopy, list[Match]]]) -> bool:
        """Store copies with their new matches; return False if one of them changed meanwhile. Raises Unavailable.

        A shared course without a match of the tenant gets no copy, but an existing copy stays.
        """
        writes = [write for one, matches in copies if (write := _write(one, matches)) is not None]
        return await self._store.catalog.write_staged(writes) == len(writes)


def _shared(document: Document) -> SharedCourse:
    found = None if document.get("withdrawn") else readable(document, matched_course)
    shown = announced(found.course, found.matches) if found else None
    key: str = document["_id"]
    name = key.removeprefix(f"{SHARED_TENANT}/")
    return SharedCourse(key, name, document.get("sequence"), document.get("match_version"), shown)


def _present(document: Document) -> _PresentCopy:
    course = None if document["withdrawn"] else matched_course(document).course
    key, tenant, name, sequence = (document[field] for field in ("_id", "tenant", "id", "sequence"))
    entry = Entry(key, tenant, name, sequence, course, copied=bool(document.get("copied")))
    return _PresentCopy(entry, document.get("match_version"), matches_of(document), course)


def _copy(shown: Course, own: AbstractSet[str], matches: Sequence[Match]) -> Course:
    """Return the content of a copy: what is shown of the shared course, and the rows of the tenant's decisions."""
    given = [row for row in shown.teaches if row.mapped_from is None or row.framework not in own]
    named = {row.framework for row in given}
    decided = [row for row in rows_of(matches) if row.framework not in named]
    matched = [row for row in shown.matched if row.framework not in own]
    return replace(shown, teaches=[*given, *decided], matched=matched)


def _write(planned: PlannedCopy, matches: list[Match]) -> Write | None:
    """Return the write of a copy; None if the copy is not needed or has not changed."""
    present, (entry, course) = planned.present, (planned.copy.entry, planned.copy.course)
    offered = present is not None and present.course is not None
    if not offered and not matches:
        return None
    if present and (present.course, present.matches) == (course, matches):
        return None
    sequence = present.entry.sequence + 1 if present else 1
    event = new_event(SOURCE, entry.key, sequence, CoursePublished(entry.tenant, announced(course, matches)))
    fields = {
        "sequence": sequence,
        "withdrawn": False,
        "content": msgspec.to_builtins(course),
        "copied": True,
        **fields_of(matches, present.match_version if present else None),
    }
    if present is None:
        owner = {"_id": entry.key, "kind": "course", "tenant": entry.tenant, "id": entry.id}
        return InsertOne({**owner, **fields, **outbox_insert(event, bulk=True)})
    change = outbox_push(event, bulk=True)
    change["$set"] |= fields
    same = {"_id": entry.key, "sequence": present.entry.sequence, "match_version": present.match_version}
    return UpdateOne(same, change | {"$unset": {"match_due": ""}})
