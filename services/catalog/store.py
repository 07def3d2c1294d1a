"""Stores courses and frameworks in MongoDB, one document each in one collection, so that one relay sends their events.

`entries` decodes the documents. A large framework is stored in parts, see `part_store`. `sequence` is the revision of a
course or the version of a framework. A change is written only if the stored `sequence` is the one that was read;
otherwise it is a write conflict, and the method returns None.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import msgspec
from pymongo import ASCENDING, IndexModel, InsertOne, UpdateOne
from pymongo.errors import DuplicateKeyError

from services.catalog.entries import (
    Entry,
    copies_due,
    entry_of,
    framework_key,
    framework_summary,
    match_fields,
    matching,
    matching_mapped,
    sequence_of,
    shown_course,
    summary_of,
    teaches,
    unreadable_entry,
)
from services.catalog.matches import Match, announced, with_confirmed
from services.catalog.model import FrameworkScale, FrameworkSummary, ListCourses, ListFrameworks
from services.catalog.part_store import PartStore, is_part, parted, publication_of
from shared.domain import SHARED_TENANT, Course, Framework, key_of
from shared.errors import Rejected, TooLarge
from shared.events import (
    CoursePublished,
    CourseWithdrawn,
    Data,
    Envelope,
    FrameworkAnnounced,
    FrameworkPublished,
    encode,
    new_event,
)
from shared.framework_parts import divided, keys_of
from shared.mongo import Database, Document, Write, bulk_write, ensure_indexes, readable, unavailable
from shared.outbox import BULK_FIRST_SECONDS, OUTBOX_INDEXES, Staged, outbox_insert, outbox_push

log = logging.getLogger(__name__)

SOURCE = "/catalog"
COLLECTION = "entries"
_NO_SEQUENCE = {"$not": {"$gt": 0}}
"""A MongoDB condition on `sequence`, which a document without a valid sequence meets."""
_MATCHES = ("matches", "matched", "match_version")
_KEPT_SCALES = 64
"""How many frameworks stay in memory for the checks of courses; the largest one, ESCO, has 13,896 skills."""
EVENT_LIMIT = 900_000
"""The most bytes of an event, because brokers accept records of one megabyte. A larger framework is stored in parts."""


class Stored(NamedTuple):
    """The result of putting a course: what happened, and the revision of the course afterwards."""

    status: Literal["created", "changed", "unchanged"]
    revision: int


class CatalogStore:
    """Reads and writes the entries of all tenants. `staged` tells the relay of this process that events were staged."""

    def __init__(self, database: Database, staged: Staged | None = None) -> None:
        self._staged = staged or Staged()
        self._database = database
        self._entries = database[COLLECTION]
        self._scales: OrderedDict[str, tuple[int, FrameworkScale]] = OrderedDict()
        self._imports = Staged()
        self.parts = PartStore(database, COLLECTION)

    async def prepare(self) -> None:
        """Create the indexes of entries and parts in MongoDB. Raises Unavailable."""
        filters = {
            "by_id": [],
            "by_skill": ["content.teaches.skill"],
            "by_framework": ["content.teaches.framework"],
            "by_language": ["content.languages"],
        }
        lists = [
            IndexModel([(field, ASCENDING) for field in ("kind", "tenant", *filtered, "id")], name=name)
            for name, filtered in filters.items()
        ]
        lists += [
            IndexModel(
                [(field, ASCENDING) for field in ("kind", "tenant", f"matches.{filtered}", "id")],
                name=f"mapped_by_{filtered}",
                partialFilterExpression={"matches.source": "mapped"},
            )
            for filtered in ("skill", "framework")
        ]
        await ensure_indexes(self._database, {COLLECTION: [*lists, *OUTBOX_INDEXES]})
        await self.parts.prepare()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def find(self, key: str) -> Entry | None:
        """Return the entry with a key, also if it is withdrawn or unreadable; None without one. Raises Unavailable."""
        with unavailable():
            document = await self._entries.find_one({"_id": key}, {"outbox": 0})
        return (await self.whole(document) or unreadable_entry(document)) if document else None

    async def course_entries(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Return the entries of courses by key, also withdrawn and unreadable ones. Raises Unavailable."""
        with unavailable():
            documents = await self._entries.find({"_id": {"$in": list(keys)}}, {"outbox": 0}).to_list(None)
        return {one["_id"]: readable(one, entry_of) or unreadable_entry(one) for one in documents}

    async def whole(self, document: Document) -> Entry | None:
        """Return the entry of a document; a framework in parts is assembled. Raises Unavailable.

        Returns None if the document cannot be decoded, or a part is missing or wrong.
        """
        if (entry := readable(document, entry_of)) is None or parted(document) is None:
            return entry
        try:
            return await self._whole(document)
        except Rejected as error:
            log.error("document %s cannot be read: %s", document["_id"], error)  # noqa: TRY400 - no traceback: it may hold data
            return None

    async def _whole(self, document: Document) -> Entry:
        entry = entry_of(document)
        if (named := parted(document)) is None:
            return entry
        return replace(entry, content=await self.parts.read(entry.tenant, entry.id, named))

    async def visible(self, tenant: str, course: str) -> Entry | None:
        """Return the tenant's own course with an id, or else the shared one, None without either.

        Raises Unavailable.
        """
        return await self._first(key_of(tenant, course), key_of(SHARED_TENANT, course))

    async def visible_framework(self, tenant: str, framework: str) -> Entry | None:
        """Return the tenant's own framework with an id, or else the shared one, None without either.

        Raises Unavailable.
        """
        return await self._first(framework_key(tenant, framework), framework_key(SHARED_TENANT, framework))

    async def _first(self, *keys: str) -> Entry | None:
        for key in dict.fromkeys(keys):
            if (entry := await self.find(key)) and (entry.content is not None or entry.unreadable):
                return entry
        return None

    async def page(self, tenant: str, wanted: ListCourses, *, copies: bool = True) -> list[tuple[str, Course]]:
        """Return (id, course) for the tenant's own courses that `wanted` selects, by id. Raises Unavailable.

        Returns the first `limit` + 1 courses after the id `after`; the last one shows that there are more. Documents
        that cannot be decoded are skipped. Without `copies`, copies of shared courses are skipped too.
        """
        within: Document = {"kind": "course", "tenant": tenant, "withdrawn": False, "id": {"$gt": wanted.after}}
        within |= {} if copies else {"copied": None}
        found = await self._first_shown(within | matching(wanted), wanted)
        if mapped := matching_mapped(wanted):
            found |= await self._first_shown(within | mapped, wanted)
        return sorted(found.items())[: wanted.limit + 1]

    async def _first_shown(self, query: Document, wanted: ListCourses) -> dict[str, Course]:
        """Return the first courses of a query as they are shown, by id, if they teach what is wanted."""
        most = wanted.limit + 1
        found: dict[str, Course] = {}
        with unavailable():
            wide = {"content": 1, "id": 1, "matches": 1}
            async for document in self._entries.find(query, wide, batch_size=most).sort("id", ASCENDING):
                if (course := readable(document, shown_course)) and teaches(course, wanted):
                    found[document["id"]] = course
                if len(found) == most:
                    break
        return found

    async def courses(self, keys: Sequence[str]) -> dict[str, Course]:
        """Return {key: course} for the keys of courses that are offered and can be decoded. Raises Unavailable."""
        with unavailable():
            found = self._entries.find({"_id": {"$in": list(keys)}, "withdrawn": False}, {"content": 1, "matches": 1})
            return {one["_id"]: course async for one in found if (course := readable(one, shown_course))}

    async def offered(self, tenant: str, courses: Iterable[str]) -> set[str]:
        """Return the ids in `courses` under which the tenant itself offers a course. Raises Unavailable.

        A copy of a shared course counts; a shared course of another tenant does not.
        """
        keys = [key_of(tenant, course) for course in courses]
        with unavailable():
            found = self._entries.find({"_id": {"$in": keys}, "withdrawn": False}, {"id": 1})
            return {document["id"] async for document in found}

    async def frameworks_in_use(self, tenant: str) -> dict[str, frozenset[str]]:
        """Return {framework id: skills of former versions that it maps} for the frameworks in use of a tenant.

        A framework is in use if the tenant sees it and it is not retired. A framework of the tenant hides the shared
        one with the same id. Raises Unavailable.
        """
        found: dict[str, Document] = {}
        with unavailable():
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                query = {"kind": "framework", "tenant": owner}
                rows = self._entries.find(query, {"id": 1, "retired": 1, "content.retired": 1, "former_skills": 1})
                found |= {row["id"]: row async for row in rows}
        return {
            name: frozenset(row.get("former_skills", ()))
            for name, row in found.items()
            if not (row.get("retired") or row.get("content", {}).get("retired"))
        }

    async def _match_fields(self, entry: Entry) -> Document:
        """Return the fields that mark a course, or the courses of a framework, as due to be matched."""
        if isinstance(entry.content, Course):
            wanted = match_fields(entry.content, entry.matches, await self.frameworks_in_use(entry.tenant))
            return wanted | copies_due(entry.tenant)
        if entry.content is None:
            return {"match_due": False} | copies_due(entry.tenant)
        former = sorted({row.origin for row in entry.content.mappings if row.of == "skill"})
        due = not entry.content.retired
        from_first = "" if due and entry.tenant != SHARED_TENANT else None
        return {
            "match_due": due, "match_from": "", "shared_from": from_first, "retired": not due, "former_skills": former
        }  # fmt: skip

    async def framework_scales(self, tenant: str, frameworks: Iterable[str]) -> dict[str, FrameworkScale]:
        """Return {framework id: what courses are checked against} for the frameworks that a tenant sees.

        Ids of other frameworks are left out. Raises Unavailable.
        """
        owners = dict.fromkeys((SHARED_TENANT, tenant))
        keys = {framework_key(owner, framework): framework for framework in frameworks for owner in owners}
        with unavailable():
            versions = {
                one["_id"]: one["sequence"]
                async for one in self._entries.find({"_id": {"$in": list(keys)}}, {"sequence": 1})
            }
        found: dict[str, FrameworkScale] = {}
        for key, framework in keys.items():
            if key in versions and (scale := await self._framework_scale(key, versions[key])):
                found[framework] = scale
        return found

    async def _framework_scale(self, key: str, now: int) -> FrameworkScale | None:
        """Return what courses are checked against in a framework, None without one. Raises Unavailable.

        Those used last stay in memory until their version changes, because an import checks thousands of courses
        against them. `now`: the stored sequence.
        """
        version, scale = self._scales.get(key, (0, None))
        if scale is None or version != now:
            if (entry := await self.find(key)) is None or not isinstance(entry.content, Framework):
                return None
            scale = FrameworkScale(entry.content.max_level, frozenset(entry.content.skills_by_id))
            self._scales[key] = entry.sequence, scale
            while len(self._scales) > _KEPT_SCALES:
                self._scales.popitem(last=False)
        self._scales.move_to_end(key)
        return scale

    async def frameworks(self, tenant: str, wanted: ListFrameworks) -> list[FrameworkSummary]:
        """Return the summaries of the frameworks that a tenant sees, by id. Raises Unavailable.

        A framework of the tenant hides the shared one with the same id. Returns the first `limit` + 1 after the id
        `after`; the last one shows that there are more. Documents that cannot be decoded are skipped.
        """
        most = wanted.limit + 1
        found: dict[str, FrameworkSummary] = {}
        with unavailable():
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                query = {"kind": "framework", "tenant": owner, "id": {"$gt": wanted.after}}
                count = 0
                async for document in self._entries.find(query, {"outbox": 0}, batch_size=most).sort("id", ASCENDING):
                    if summary := readable(document, summary_of):
                        found[summary.id] = summary
                        count += 1
                    if count == most:
                        break
        return [found[identifier] for identifier in sorted(found)][:most]

    # --- changing ----------------------------------------------------------------------------------------------------

    async def put_course(  # noqa: PLR0913, PLR0917 - what a course is put with
        self,
        before: Entry | None,
        tenant: str,
        course: Course,
        trace: str,
        fields: Document | None = None,
        only_if: Document | None = None,
        matches: Sequence[Match] | None = None,
    ) -> Entry | None:
        """Store the next revision of a course with its event; return the entry, None after a write conflict.

        `before`: the entry as it was read, None without one. `fields`: further fields of the document; without them,
        the course is marked as due to be matched if it must be. `only_if`: a MongoDB condition that the stored document
        must meet too. `matches`: the matches that `fields` hold, by default those of `before`. Raises Unavailable,
        TooLarge.
        """
        revision = before.sequence + 1 if before else 1
        if matches is None:
            matches = before.matches if before else ()
        after = Entry(key_of(tenant, course.id), tenant, course.id, revision, course, tuple(matches))
        return await self._put(
            before, after, CoursePublished(tenant, announced(course, matches)), trace, fields, only_if
        )

    async def write_staged(self, writes: list[Write]) -> int:
        """Write entries with their events, which the relay sends after all others; return how many were written.

        Raises Unavailable.
        """
        if not writes:
            return 0
        with self._staged.bulk():
            return await bulk_write(self._entries, writes)

    async def withdraw_course(self, before: Entry, trace: str) -> Entry | None:
        """Store that a course is no longer offered, with its event; return the entry, None after a write conflict.

        The tenant then sees the shared course with the same id again. Because that course may need a copy, the field
        `uncovers` is set. Raises Unavailable.
        """
        after = Entry(before.key, before.tenant, before.id, before.sequence + 1, None)
        fields = await self._match_fields(after)
        if before.tenant != SHARED_TENANT and not before.copied:
            fields["uncovers"] = True
        return await self._put(before, after, CourseWithdrawn(before.tenant, before.id), trace, fields)

    async def put_courses(self, tenant: str, marked: Mapping[str, Course], trace: str) -> dict[str, Stored]:
        """Store the next revisions of many courses with their events; return {mark: result}.

        `marked`: {mark: course}, with different course ids. A mark names one row of one import, and is stored with the
        course, so that a repeated call recognises what an interrupted call has stored. A mark that is not in the result
        had a write conflict; call again with its course. Raises Unavailable; then some of the courses may be stored.
        """
        with self._imports.bulk():
            return await self._put_courses(tenant, marked, trace)

    async def after_import(self, most: float) -> None:
        """Wait until this process stores no import and its relay has sent all events.

        Waits for an import until its first minute is over, and at most `most` seconds after that; for the relay at most
        `most` seconds.
        """
        now = asyncio.get_running_loop().time()
        await self._imports.after_bulk(max(most, self._imports.bulk_since + BULK_FIRST_SECONDS - now))
        if not self._imports.in_bulk:
            await self._staged.after_backlog(most)

    async def _put_courses(self, tenant: str, marked: Mapping[str, Course], trace: str) -> dict[str, Stored]:
        keys = {key_of(tenant, course.id): mark for mark, course in marked.items()}
        with unavailable():
            before = {one["_id"]: one async for one in self._entries.find({"_id": {"$in": list(keys)}}, {"outbox": 0})}
        in_use = await self.frameworks_in_use(tenant)
        due = copies_due(tenant) if await self._may_be_copied(tenant) else {}
        found: dict[str, Stored] = {}
        writes: list[Write] = []
        written: dict[str, Stored] = {}
        for key, mark in keys.items():
            document = before.get(key)
            sequence = sequence_of(document) if document else 0
            new = document is None or bool(document.get("withdrawn") or document.get("copied"))
            if document and document.get("written_by") == mark:
                found[mark] = Stored("created" if sequence == 1 else "changed", sequence)
                continue
            entry = readable(document, entry_of) if document else None
            matches = entry.matches if entry else ()
            course = with_confirmed(marked[mark], matches)
            if entry and entry.is_own(course):
                found[mark] = Stored("unchanged", sequence)
                continue
            data = CoursePublished(tenant, announced(course, matches))
            envelope = new_event(SOURCE, key, sequence + 1, data, trace)
            fields = {
                "sequence": sequence + 1,
                "withdrawn": False,
                "content": msgspec.to_builtins(course),
                "written_by": mark,
                **match_fields(course, matches, in_use),
                **due,
            }
            if document is None:
                owner = {"_id": key, "kind": "course", "tenant": tenant, "id": course.id}
                writes.append(InsertOne({**owner, **fields, **outbox_insert(envelope, bulk=True)}))
            else:
                change = outbox_push(envelope, bulk=True)
                change["$set"] |= fields
                change["$unset"] = dict.fromkeys(("copied",) if entry else (*_MATCHES, "copied"), "")
                writes.append(UpdateOne({"_id": key, "sequence": sequence or _NO_SEQUENCE}, change))
            written[mark] = Stored("created" if new else "changed", sequence + 1)
        if writes and await self.write_staged(writes) == len(writes):
            found |= written
        if writes and not due and await self._may_be_copied(tenant):  # since a moment ago
            with unavailable():
                await self._entries.update_many({"_id": {"$in": list(keys)}}, {"$set": copies_due(tenant)})
        return found

    async def _may_be_copied(self, tenant: str) -> bool:
        """Return whether a tenant's courses may have copies: they are shared, and some tenant has its own framework."""
        if tenant != SHARED_TENANT:
            return False
        with unavailable():
            others: Document = {"kind": "framework", "tenant": {"$ne": SHARED_TENANT}}
            return await self._entries.find_one(others, {"_id": 1}, hint="by_id") is not None

    async def put_framework(self, before: Entry | None, tenant: str, framework: Framework, trace: str) -> Entry | None:
        """Store the next version of a framework with its event; return the entry, None after a write conflict.

        `before`: the entry as it was read, None without one. A large framework is stored in parts. Raises Unavailable,
        TooLarge.
        """
        version = before.sequence + 1 if before else 1
        numbered = msgspec.structs.replace(framework, version=version)
        after = Entry(framework_key(tenant, framework.id), tenant, framework.id, version, numbered)
        whole = FrameworkPublished(tenant, numbered)
        data: Data = whole
        digest = ""
        if await asyncio.to_thread(_is_large, whole):
            publication = await asyncio.to_thread(divided, tenant, numbered)
            await self.parts.stage(publication)
            data, digest = publication.header, publication.header.digest
            self._staged.set()
        stored = await self._put(before, after, data, trace)
        if stored:
            await self.parts.retire(tenant, framework.id, version, digest)
            self._staged.set()
        return stored

    async def _put(  # noqa: PLR0913, PLR0917 - as put_course
        self,
        before: Entry | None,
        after: Entry,
        data: Data,
        trace: str,
        also: Document | None = None,
        only_if: Document | None = None,
    ) -> Entry | None:
        envelope = new_event(SOURCE, after.key, after.sequence, data, trace)
        if envelope.data and len(envelope.data) > EVENT_LIMIT:
            raise TooLarge(f"its event would hold {len(envelope.data)} bytes; a record takes {EVENT_LIMIT}")
        fields: Document = {"sequence": after.sequence, "withdrawn": after.content is None}
        fields |= await self._match_fields(after) if also is None else also
        gone: tuple[str, ...] = ("content", "publication", "summary", "copied")
        if isinstance(data, FrameworkAnnounced) and isinstance(after.content, Framework):
            summary = msgspec.to_builtins(framework_summary(after.content, shared=after.tenant == SHARED_TENANT))
            fields |= {"publication": publication_of(data), "summary": summary}
        elif after.content is not None:
            fields["content"] = msgspec.to_builtins(after.content)
        if before is None:
            return after if await self._insert(after, fields, envelope) else None
        change = outbox_push(envelope)
        change["$set"] |= fields
        if before.unreadable:
            gone = (*gone, *_MATCHES)
            kind = "framework" if isinstance(after.content, Framework) else "course"
            change["$set"] |= {"kind": kind, "tenant": after.tenant, "id": after.id}
        change["$unset"] = {name: "" for name in gone if name not in fields}
        return after if await self._compare_and_set(before, change, only_if or {}) else None

    async def _insert(self, after: Entry, fields: Document, envelope: Envelope) -> bool:
        kind = "framework" if isinstance(after.content, Framework) else "course"
        owner = {"_id": after.key, "kind": kind, "tenant": after.tenant, "id": after.id}
        try:
            with unavailable():
                await self._entries.insert_one({**owner, **fields, **outbox_insert(envelope)})
        except DuplicateKeyError:
            return False
        self._staged.set()
        return True

    async def _compare_and_set(self, before: Entry, change: Document, only_if: Document | None = None) -> bool:
        wanted: Document = {"_id": before.key, "sequence": before.sequence or _NO_SEQUENCE, **(only_if or {})}
        with unavailable():
            result = await self._entries.update_one(wanted, change)
        if result.matched_count:
            self._staged.set()
        return bool(result.matched_count)

    async def republish(self, keys: Sequence[str] | None = None) -> int:
        """Stage the events of the entries with these keys again, of all entries without `keys`; return their number.

        The parts of a framework come before its announcement. Documents that cannot be decoded are skipped. Raises
        Unavailable.
        """
        count = await self.parts.republish([key for key in keys or () if is_part(key)])
        wanted: Document = {"kind": {"$in": ["course", "framework"]}}
        if keys is not None:
            wanted = {"_id": {"$in": [key for key in keys if not is_part(key)]}}
        with unavailable():
            async for document in self._entries.find(wanted, {"outbox": 0}):
                if (entry := readable(document, entry_of)) is None:
                    continue
                data: Data = CourseWithdrawn(entry.tenant, entry.id)
                if named := parted(document):
                    data = named.header(entry.tenant, entry.id)
                    if keys is None:
                        await self.parts.retire(entry.tenant, entry.id, named.version, named.digest)
                        count += await self.parts.republish(keys_of(data))
                elif isinstance(entry.content, Framework):
                    data = FrameworkPublished(entry.tenant, entry.content)
                elif entry.content is not None:
                    data = CoursePublished(entry.tenant, announced(entry.content, entry.matches))
                envelope = new_event(SOURCE, entry.key, entry.sequence, data)
                count += await self._compare_and_set(entry, outbox_push(envelope))
        return count


def _is_large(data: FrameworkPublished) -> bool:
    return len(encode(data)) > EVENT_LIMIT
