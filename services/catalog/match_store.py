"""Matches in MongoDB: in the document of their course, so that a decision is one write.

match_due      the course, or the courses of a framework, wait to be matched
match_from     of a framework: the last course that was marked as due because of it; later ones are not marked yet
matches        proposals and decisions
matched        there are matches
levels_due     matches changed since the levels of the tenant's courses were estimated together
match_version  grows with every change of the matches: every write is a compare-and-set on it and on the sequence
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pymongo import ASCENDING, IndexModel, UpdateOne

from services.catalog.entries import Entry, cannot_be_read, copies_due, course_of, matches_of
from services.catalog.matches import ListMatches, Match, announced, given_rows
from services.catalog.store import COLLECTION, SOURCE, CatalogStore
from shared.domain import SHARED_TENANT, Course, Framework, key_of
from shared.events import CoursePublished, new_event
from shared.mongo import Database, Document, drop_indexes, ensure_indexes, readable, unavailable
from shared.outbox import outbox_push

EXAMPLES = 5000
"""The most examples that a course is compared with: the first by tenant and id."""

_FORMER_INDEXES = ("by_match_status", "matched", "to_match")
"""Indexes of earlier releases, to be dropped: they held every course and made imports slower."""

_WITHOUT_PROSE = {"outbox": 0, "content.description": 0, "content.tags": 0, "content.stated": 0}


@dataclass(frozen=True)
class MatchedCourse:
    """A course with its matches. `waiting`: it is to be matched; `levels_due`: its levels are to be estimated."""

    entry: Entry
    course: Course
    matches: list[Match] = field(default_factory=list)
    version: int | None = None
    waiting: bool = False
    levels_due: bool = False


class MatchStore:
    def __init__(self, database: Database, catalog: CatalogStore) -> None:
        self.database = database
        self.catalog = catalog
        self._entries = database[COLLECTION]

    async def prepare(self) -> None:
        """Create the indexes, and mark what an earlier release did not. Raises Unavailable."""
        by_key = [("match_due", ASCENDING), ("_id", ASCENDING)]
        due = IndexModel(by_key, name="match_due", partialFilterExpression={"match_due": True})
        levels = IndexModel(
            [("levels_due", ASCENDING), ("withdrawn", ASCENDING), ("tenant", ASCENDING)],
            name="levels_due",
            partialFilterExpression={"levels_due": True},
        )
        copies = IndexModel(
            [("copies_due", ASCENDING), ("_id", ASCENDING)],
            name="copies_due",
            partialFilterExpression={"copies_due": True},
        )
        uncovers = IndexModel([("uncovers", ASCENDING)], name="uncovers", partialFilterExpression={"uncovers": True})
        some: Document = {"matched": True}
        by_status = IndexModel(
            [("tenant", 1), ("matches.status", 1), ("id", 1)], name="matched_by_status", partialFilterExpression=some
        )
        by_match = IndexModel([("tenant", 1), ("id", 1)], name="matched_by_id", partialFilterExpression=some)
        await ensure_indexes(self.database, {COLLECTION: [due, levels, copies, uncovers, by_status, by_match]})
        await drop_indexes(self._entries, _FORMER_INDEXES)
        former: Document = {"tenant": {"$ne": SHARED_TENANT}, "shared_from": {"$exists": False}}
        with unavailable():  # a tenant's frameworks that an earlier release stored: they get their copies
            await self._entries.update_many(
                {"kind": "framework", "retired": {"$ne": True}} | former, {"$set": {"shared_from": ""}}, hint="by_id"
            )

    # --- reading -----------------------------------------------------------------------------------------------------

    async def find(self, tenant: str, course: str) -> MatchedCourse | None:
        """Return the tenant's own course with its matches, None if it offers no course with this id.

        Raises Unavailable; Conflict if the document cannot be decoded.
        """
        with unavailable():
            document = await self._entries.find_one({"_id": key_of(tenant, course), "withdrawn": False}, {"outbox": 0})
        if document and (found := readable(document, matched_course)) is None:
            raise cannot_be_read()
        return found if document else None

    async def page(self, tenant: str, wanted: ListMatches) -> list[tuple[str, MatchedCourse]]:
        """Return the first courses after `after` that have a match of the requested kind, with all their matches.

        Returns one more than the limit if there are more. Documents that cannot be decoded are skipped. Raises
        Unavailable.
        """
        named = {
            name: value for name in ("status", "framework", "skill") if (value := getattr(wanted, name)) is not None
        }
        conditions = {**named, "confidence": {"$gte": wanted.least, "$lte": wanted.most}}
        query: Document = {"tenant": tenant, "id": {"$gt": wanted.after}, "matches": {"$elemMatch": conditions}}
        query |= {"matched": True} | ({"matches.status": wanted.status} if wanted.status is not None else {})
        most = wanted.limit + 1
        found: list[tuple[str, MatchedCourse]] = []
        with unavailable():
            async for document in self._entries.find(query, {"outbox": 0}, batch_size=most).sort("id", ASCENDING):
                if not document["withdrawn"] and (one := readable(document, matched_course)):
                    found.append((document["id"], one))
                if len(found) == most:
                    break
        return found

    async def waiting(self) -> int:
        """Return how many courses wait to be matched, of all tenants. Raises Unavailable."""
        with unavailable():
            return int(await self._entries.count_documents({"match_due": True}, hint="match_due"))

    async def next_due(self, after: str) -> str | None:
        """Return the tenant after this one, or else the first one, whose courses wait. Raises Unavailable."""
        with unavailable():
            for begin in (_end_of(after), "") if after else ("",):
                query = {"match_due": True, "_id": {"$gte": begin}, "kind": "course"}
                if found := await self._entries.find_one(query, {"tenant": 1}, sort=[("_id", 1)]):
                    return str(found["tenant"])
        return None

    async def due(self, tenant: str, limit: int) -> list[MatchedCourse]:
        """Return courses of a tenant that wait to be matched. Raises Unavailable."""
        query = {"match_due": True, "_id": {"$gte": f"{tenant}/", "$lt": _end_of(tenant)}, "kind": "course"}
        with unavailable():
            documents = await self._entries.find(query, {"outbox": 0}).sort("_id", 1).limit(limit).to_list(None)
            found = [one for document in documents if (one := readable(document, matched_course))]
            unreadable = {document["_id"] for document in documents} - {one.entry.key for one in found}
            if unreadable:
                done = {"$unset": {"match_due": ""}}
                await self._entries.update_many({"_id": {"$in": list(unreadable)}}, done)
        return found

    async def versions(self, tenant: str) -> dict[str, int]:
        """Return the version of each framework that a tenant sees, by key, shared ones too. Raises Unavailable."""
        found: dict[str, int] = {}
        with unavailable():
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                rows = self._entries.find({"kind": "framework", "tenant": owner}, {"sequence": 1}).sort("id", ASCENDING)
                found |= {row["_id"]: row["sequence"] async for row in rows}
        return found

    async def framework(self, key: str) -> Framework | None:
        """Return a framework by the key of its document; None where it cannot be read. Raises Unavailable."""
        with unavailable():
            document = await self._entries.find_one({"_id": key}, {"outbox": 0})
            entry = await self.catalog.whole(document) if document else None
        return entry.content if entry and isinstance(entry.content, Framework) else None

    async def frameworks(self, tenant: str) -> dict[str, Framework]:
        """Return the frameworks that a tenant sees, by id; its own ones hide shared ones. Raises Unavailable."""
        found: dict[str, Framework] = {}
        with unavailable():
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                query = {"kind": "framework", "tenant": owner}
                async for document in self._entries.find(query, {"outbox": 0}).sort("id", ASCENDING):
                    entry = await self.catalog.whole(document)
                    if entry and isinstance(entry.content, Framework):
                        found[entry.id] = entry.content
        return found

    async def examples(self, tenant: str, framework: str) -> list[Course]:
        """Return courses that teach a skill of a framework, the tenant's own and shared ones. Raises Unavailable."""
        found: list[Course] = []
        with unavailable():
            for owner in dict.fromkeys((tenant, SHARED_TENANT)):
                query = {"kind": "course", "tenant": owner, "content.teaches.framework": framework}
                rows = self._entries.find(query, {"content": 1}).limit(EXAMPLES)
                found += [one async for document in rows if (one := readable(document, course_of))]
        return found[:EXAMPLES]

    async def decided(self, tenant: str) -> AsyncIterator[Match]:
        """Yield the matches of a tenant that people have decided. Raises Unavailable."""
        for status in ("confirmed", "rejected", "corrected"):
            query = {"tenant": tenant, "matched": True, "matches.status": status}
            with unavailable():
                async for document in self._entries.find(query, {"matches": 1}):
                    for match in matches_of(document):
                        if match.status == status:
                            yield match

    async def without_levels(self) -> list[str]:
        """Return the tenants whose matches changed since their levels were estimated together. Raises Unavailable."""
        with unavailable():
            found: list[str] = await self._entries.distinct("tenant", {"levels_due": True, "withdrawn": False})
            return found

    async def with_skills(self, tenant: str, at_once: int) -> AsyncIterator[list[MatchedCourse]]:
        """Yield the courses with skills or matches that a tenant sees, its own first. Raises Unavailable.

        Matches of shared courses are visible to their owner only. Documents that cannot be decoded are skipped.
        """
        some = {"$or": [{"matched": True}, {"content.teaches.0": {"$exists": True}}]}
        with unavailable():
            for owner in dict.fromkeys((tenant, SHARED_TENANT)):
                query = {"kind": "course", "tenant": owner, "withdrawn": False, **some}
                rows = self._entries.find(query, {"outbox": 0}, batch_size=at_once)
                while documents := await rows.to_list(at_once):
                    found = [one for document in documents if (one := readable(document, matched_course))]
                    if len(found) < len(documents):
                        unreadable = {document["_id"] for document in documents} - {one.entry.key for one in found}
                        done = {"$unset": {"levels_due": ""}}
                        await self._entries.update_many({"_id": {"$in": list(unreadable)}}, done)
                    yield found

    async def whole(self, tenant: str) -> tuple[list[Course], dict[str, list[Match]], int]:
        """Return every course that a tenant sees, the matches of its own by course id, and how many wait.

        Without descriptions and tags, which are most of their size. Its own courses come before shared ones. Documents
        that cannot be decoded are skipped. Raises Unavailable.
        """
        courses: dict[str, Course] = {}
        matches: dict[str, list[Match]] = {}
        waiting = 0
        with unavailable():
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                query = {"kind": "course", "tenant": owner, "withdrawn": False}
                async for document in self._entries.find(query, _WITHOUT_PROSE):
                    if (one := readable(document, matched_course)) is None:
                        continue
                    courses[one.entry.id] = one.course
                    if owner == tenant:
                        matches[one.entry.id] = one.matches
                        waiting += one.waiting
        return list(courses.values()), matches, waiting

    # --- changing ----------------------------------------------------------------------------------------------------

    async def spread(self, limit: int) -> bool:
        """Mark the next courses of a changed framework as due to be matched; return whether there was such a framework.

        Courses whose provider states no skill of it, or which teach a former one: those of its tenant, or of every
        tenant if it is shared. The framework's document records the last one, so that another process continues from
        there. Raises Unavailable.
        """
        with unavailable():
            framework = await self._entries.find_one(
                {"kind": "framework", "match_due": True},
                {"tenant": 1, "id": 1, "sequence": 1, "match_from": 1, "former_skills": 1},
                hint="by_id",  # the other index leads through every course that waits
            )
            if framework is None:
                return False
            owner, after = framework["tenant"], framework.get("match_from") or ""
            place: Document = {"$gt": after}
            if owner != SHARED_TENANT:
                place = {"$gt": max(after, f"{owner}/"), "$lt": _end_of(owner)}
            query = {"_id": place, "kind": "course", "withdrawn": False}
            found = self._entries.find(query, _WITHOUT_PROSE, hint="_id_").sort("_id", 1).limit(limit)
            rows = await found.to_list(None)
            former = frozenset(framework.get("former_skills", ()))
            keys = [row["_id"] for row in rows if _concerned(row, framework["id"], former)]
            if keys:
                wanted = {"_id": {"$in": keys}, "withdrawn": False}
                await self._entries.update_many(wanted, {"$set": {"match_due": True}})
            change: Document = {"$unset": {"match_due": "", "match_from": ""}}
            if rows:
                change = {"$set": {"match_from": rows[-1]["_id"]}}
            same = {name: framework.get(name) for name in ("_id", "sequence", "match_from")}
            await self._entries.update_one(same, change)
        return True

    async def mark(self) -> int:
        """Mark the courses of every framework in use as due; return the number of frameworks. Raises Unavailable."""
        with unavailable():
            change = {"$set": {"match_due": True, "match_from": ""}}
            used: Document = {"kind": "framework", "retired": {"$ne": True}}
            result = await self._entries.update_many(used, change)
            own = used | {"tenant": {"$ne": SHARED_TENANT}}
            await self._entries.update_many(own, {"$set": {"shared_from": ""}})
        return int(result.modified_count)

    async def propose(self, matched: Sequence[tuple[MatchedCourse, list[Match]]], *, leveled: bool = False) -> int:
        """Store the proposed matches of courses and clear their due mark; return the number of courses.

        If they change the announced course, its next revision and its event are part of the same write. A course that
        changed meanwhile stays due. `leveled`: only the levels of existing proposals are new, estimated together.
        Raises Unavailable.
        """
        return await self.catalog.write_staged([_proposal(before, matches, leveled) for before, matches in matched])

    async def leveled(self, courses: Iterable[MatchedCourse]) -> None:
        """Record that the levels are up to date, unless the matches have changed meanwhile. Raises Unavailable."""
        by_version = defaultdict[int | None, list[str]](list)
        for one in courses:
            by_version[one.version].append(one.entry.key)
        with unavailable():
            for version, keys in by_version.items():
                query = {"_id": {"$in": keys}, "match_version": version}
                await self._entries.update_many(query, {"$unset": {"levels_due": ""}})

    async def decide(self, before: MatchedCourse, course: Course, matches: list[Match], trace: str) -> int | None:
        """Store decisions; if they change the announced course, also its next revision and event.

        Returns the revision of the course, None after a write conflict. Raises Unavailable, TooLarge.
        """
        fields = _fields(before, matches)
        if announced(course, matches) != announced(before.course, before.matches):
            also = {"match_version": before.version}
            after = await self.catalog.put_course(
                before.entry, before.entry.tenant, course, trace, fields, also, matches
            )
            return after.sequence if after else None
        with unavailable():
            result = await self._entries.update_one(_unchanged(before), {"$set": fields})
        return before.entry.sequence if result.matched_count else None


def _proposal(before: MatchedCourse, matches: Sequence[Match], leveled: bool) -> UpdateOne:
    """Return the write that stores a course's proposals."""
    change: Document = {"$set": {}}
    after = announced(before.course, matches)
    if after != announced(before.course, before.matches):
        entry, sequence = before.entry, before.entry.sequence + 1
        event = new_event(SOURCE, entry.key, sequence, CoursePublished(entry.tenant, after))
        change = outbox_push(event, bulk=True)
        change["$set"]["sequence"] = sequence
    change["$set"] |= _fields(before, matches)
    if leveled:
        del change["$set"]["levels_due"]
    return UpdateOne(_unchanged(before), change | {"$unset": {"levels_due" if leveled else "match_due": ""}})


def _concerned(document: Document, framework: str, former: AbstractSet[str]) -> bool:
    """Return whether a framework changes the matches of a course; False where it cannot be read.

    Its provider names no skill of it, or it teaches a former skill, or a skill that was a former one. A copy of a
    shared course is compared with that one.
    """
    if document.get("copied") or (found := readable(document, matched_course)) is None:
        return False
    given = {row.framework for row in given_rows(found.course, found.matches)}
    taught = {row.skill for row in found.course.teaches if row.framework == framework}
    succeeds = any(match.succeeds and match.framework == framework for match in found.matches)
    return framework not in given or not former.isdisjoint(taught) or succeeds


def _end_of(tenant: str) -> str:
    """Return the key that is after every key of a tenant, which are `tenant/...`."""
    return f"{tenant}0"


def _unchanged(before: MatchedCourse) -> Document:
    return {"_id": before.entry.key, "sequence": before.entry.sequence, "match_version": before.version}


def _fields(before: MatchedCourse, matches: Sequence[Match]) -> Document:
    fields = fields_of(matches, before.version)
    return fields | copies_due(before.entry.tenant) | ({"copied": True} if before.entry.copied else {})


def fields_of(matches: Sequence[Match], version: int | None) -> Document:
    """Return the fields that hold the matches of a course. `version`: that of the stored matches."""
    rows = [msgspec.to_builtins(match) for match in matches]
    return {"matches": rows, "matched": bool(rows), "match_version": (version or 0) + 1, "levels_due": bool(rows)}


def matched_course(document: Mapping[str, Any]) -> MatchedCourse:
    course = course_of(document)
    key, tenant, name, sequence = (document[field] for field in ("_id", "tenant", "id", "sequence"))
    entry = Entry(key, tenant, name, sequence, course, copied=bool(document.get("copied")))
    waiting, levels_due = bool(document.get("match_due")), bool(document.get("levels_due"))
    return MatchedCourse(entry, course, matches_of(document), document.get("match_version"), waiting, levels_due)
