"""Stores matches in MongoDB, in the document of their course, so that a decision is one write.

match_due      of a course: it waits to be matched; of a framework: its courses must be marked so
match_from     of a framework: the key of the last course that was marked; the courses after it are not marked yet
matches        the proposed and the decided matches of a course
matched        whether a course has matches
levels_due     the matches of a course changed after the levels of the tenant's courses were estimated together
match_version  grows with every change of the matches; a write succeeds only if this and the sequence are unchanged
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pymongo import ASCENDING, IndexModel, UpdateOne

from services.catalog.entries import Entry, cannot_be_read, copies_due, course_of, framework_in, matches_of
from services.catalog.match_requests import ListMatches
from services.catalog.matches import Match, announced, given_rows
from services.catalog.store import COLLECTION, SOURCE, CatalogStore
from shared.domain import SHARED_TENANT, Course, Framework, key_of
from shared.events import CoursePublished, new_event
from shared.mongo import Database, Document, ensure_indexes, readable, unavailable
from shared.outbox import outbox_push

EXAMPLES = 5000
"""The most examples with which a course is compared: the tenant's own courses first, then shared ones."""

_WITHOUT_PROSE = {"outbox": 0, "content.description": 0, "content.tags": 0, "content.stated": 0}
_SPREADING = {"tenant": 1, "id": 1, "sequence": 1, "match_from": 1, "former_skills": 1}


@dataclass(frozen=True)
class MatchedCourse:
    """A course with its matches.

    `version`: the stored `match_version`, None before the first match. `waiting`: whether the course waits to be
    matched. `levels_due`: whether the levels of its proposals must be estimated together with those of other courses.
    """

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
        """Create the indexes. Raises Unavailable."""
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

    # --- reading -----------------------------------------------------------------------------------------------------

    async def find(self, tenant: str, course: str) -> MatchedCourse | None:
        """Return the tenant's own course with its matches, None if the tenant offers no course with this id.

        Raises Unavailable; Conflict if the document cannot be decoded.
        """
        with unavailable():
            document = await self._entries.find_one({"_id": key_of(tenant, course), "withdrawn": False}, {"outbox": 0})
        if document and (found := readable(document, matched_course)) is None:
            raise cannot_be_read()
        return found if document else None

    async def page(self, tenant: str, wanted: ListMatches) -> list[tuple[str, MatchedCourse]]:
        """Return (id, course with all its matches) for a tenant's courses with a match that `wanted` selects, by id.

        Returns the first `limit` + 1 courses after the id `after`; the last one shows that there are more. Documents
        that cannot be decoded are skipped. Raises Unavailable.
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
        """Return how many courses and frameworks of all tenants are marked as due. Raises Unavailable."""
        with unavailable():
            return int(await self._entries.count_documents({"match_due": True}, hint="match_due"))

    async def next_due(self, after: str) -> str | None:
        """Return the first tenant after the tenant `after` with waiting courses. Raises Unavailable.

        After the last tenant the search begins again with the first one. Returns None if no course waits.
        """
        with unavailable():
            for begin in (_end_of(after), "") if after else ("",):
                query = {"match_due": True, "_id": {"$gte": begin}, "kind": "course"}
                if found := await self._entries.find_one(query, {"tenant": 1}, sort=[("_id", 1)]):
                    return str(found["tenant"])
        return None

    async def due(self, tenant: str, limit: int) -> list[MatchedCourse]:
        """Return at most `limit` courses of a tenant that wait to be matched. Raises Unavailable.

        A document that cannot be decoded is left out, and does not wait any more.
        """
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
        """Return {key: version} of all shared frameworks, then of the tenant's own ones. Raises Unavailable."""
        found: dict[str, int] = {}
        with unavailable():
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                rows = self._entries.find({"kind": "framework", "tenant": owner}, {"sequence": 1}).sort("id", ASCENDING)
                found |= {row["_id"]: row["sequence"] async for row in rows}
        return found

    async def framework(self, key: str) -> Framework | None:
        """Return the framework with a key; None if it does not exist or cannot be decoded. Raises Unavailable."""
        with unavailable():
            document = await self._entries.find_one({"_id": key}, {"outbox": 0})
            return framework_in(await self.catalog.whole(document)) if document else None

    async def frameworks(self, tenant: str) -> dict[str, Framework]:
        """Return {id: framework} of the frameworks that a tenant sees. Raises Unavailable.

        A framework of the tenant hides the shared one with the same id. Documents that cannot be decoded are skipped.
        """
        found: dict[str, Framework] = {}
        with unavailable():
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                query = {"kind": "framework", "tenant": owner}
                async for document in self._entries.find(query, {"outbox": 0}).sort("id", ASCENDING):
                    if framework := framework_in(await self.catalog.whole(document)):
                        found[framework.id] = framework
        return found

    async def examples(self, tenant: str, framework: str) -> list[Course]:
        """Return courses that teach a skill of a framework: the tenant's own ones, then shared ones.

        At most `EXAMPLES` are returned; documents that cannot be decoded are skipped. Raises Unavailable.
        """
        found: list[Course] = []
        with unavailable():
            for owner in dict.fromkeys((tenant, SHARED_TENANT)):
                query = {"kind": "course", "tenant": owner, "content.teaches.framework": framework}
                rows = self._entries.find(query, {"content": 1}).limit(EXAMPLES)
                found += [one async for document in rows if (one := readable(document, course_of))]
        return found[:EXAMPLES]

    async def decided(self, tenant: str) -> AsyncIterator[Match]:
        """Yield the matches of a tenant that people have confirmed, rejected or corrected. Raises Unavailable."""
        for status in ("confirmed", "rejected", "corrected"):
            query = {"tenant": tenant, "matched": True, "matches.status": status}
            with unavailable():
                async for document in self._entries.find(query, {"matches": 1}):
                    for match in matches_of(document):
                        if match.status == status:
                            yield match

    async def without_levels(self) -> list[str]:
        """Return the tenants with matches that changed after their levels were estimated. Raises Unavailable."""
        with unavailable():
            found: list[str] = await self._entries.distinct("tenant", {"levels_due": True, "withdrawn": False})
            return found

    async def with_skills(self, tenant: str, at_once: int) -> AsyncIterator[list[MatchedCourse]]:
        """Yield lists of the courses that teach a skill or have a match: a tenant's own ones, then shared ones.

        A list has at most `at_once` courses. Documents that cannot be decoded are skipped. Raises Unavailable.
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
        """Return (courses that a tenant sees, {id of an own course: matches}, number of own courses that wait).

        Own courses that wait have not been matched yet, or are still to be marked because a framework has changed. A
        course of the tenant hides the shared one with the same id.
        The courses are read without descriptions and tags, which are most of their size. Documents that cannot be
        decoded are skipped. Raises Unavailable.
        """
        courses: dict[str, Course] = {}
        matches: dict[str, list[Match]] = {}
        waiting = 0
        with unavailable():
            changed = {"kind": "framework", "tenant": {"$in": [SHARED_TENANT, tenant]}, "match_due": True}
            frameworks = await self._entries.find(changed, _SPREADING, hint="by_id").to_list(None)
            for owner in dict.fromkeys((SHARED_TENANT, tenant)):
                query = {"kind": "course", "tenant": owner, "withdrawn": False}
                async for document in self._entries.find(query, _WITHOUT_PROSE):
                    if (one := readable(document, matched_course)) is None:
                        continue
                    courses[one.entry.id] = one.course
                    if owner == tenant:
                        matches[one.entry.id] = one.matches
                        waiting += one.waiting or any(_is_ahead(document, framework) for framework in frameworks)
        return list(courses.values()), matches, waiting

    # --- changing ----------------------------------------------------------------------------------------------------

    async def spread(self, limit: int) -> bool:
        """Mark courses as due to be matched because a framework changed; return whether a framework was marked as due.

        One call reads the next `limit` courses of the framework's tenant, or of every tenant if it is shared. A course
        is marked if its provider states no skill of the framework, or if it teaches a skill of a former version. The
        framework's document records the last course that was read, so that another process can continue. Raises
        Unavailable.
        """
        with unavailable():
            framework = await self._entries.find_one(
                {"kind": "framework", "match_due": True},
                _SPREADING,
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
            keys = [row["_id"] for row in rows if _concerned(row, framework)]
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
        """Mark every framework in use as due, so that `spread` marks its courses. Raises Unavailable.

        Returns the number of frameworks that this changed.
        """
        with unavailable():
            change = {"$set": {"match_due": True, "match_from": ""}}
            used: Document = {"kind": "framework", "retired": {"$ne": True}}
            result = await self._entries.update_many(used, change)
            own = used | {"tenant": {"$ne": SHARED_TENANT}}
            await self._entries.update_many(own, {"$set": {"shared_from": ""}})
        return int(result.modified_count)

    async def propose(self, matched: Sequence[tuple[MatchedCourse, list[Match]]], *, leveled: bool = False) -> int:
        """Store the matches of courses, which do not wait any more; return the number of courses written.

        `matched`: (the course as it was read, its new matches). If the matches change the announced course, the same
        write stores the next revision and the event. A course that changed after it was read is not written, and still
        waits. With `leveled`, only levels are new: the courses do not need new levels any more, and may still wait to
        be matched. Raises Unavailable.
        """
        return await self.catalog.write_staged([_proposal(before, matches, leveled) for before, matches in matched])

    async def leveled(self, courses: Iterable[MatchedCourse]) -> None:
        """Clear `levels_due` of courses, except of those whose matches changed meanwhile. Raises Unavailable."""
        by_version = defaultdict[int | None, list[str]](list)
        for one in courses:
            by_version[one.version].append(one.entry.key)
        with unavailable():
            for version, keys in by_version.items():
                query = {"_id": {"$in": keys}, "match_version": version}
                await self._entries.update_many(query, {"$unset": {"levels_due": ""}})

    async def level_again(self, courses: Iterable[MatchedCourse]) -> None:
        """Mark courses whose levels must be estimated once more. Raises Unavailable."""
        keys = [one.entry.key for one in courses]
        with unavailable():
            await self._entries.update_many({"_id": {"$in": keys}, "matched": True}, {"$set": {"levels_due": True}})

    async def decide(self, before: MatchedCourse, course: Course, matches: list[Match], trace: str) -> int | None:
        """Store a course after people's decisions: the content `course` and the matches `matches`.

        If they change the announced course, the same write stores the next revision and the event. Returns the revision
        of the course, None if the stored course is not `before` any more. Raises Unavailable, TooLarge.
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


def _is_ahead(document: Document, framework: Document) -> bool:
    """Return whether `spread` has not come to a course that must be matched again because a framework changed."""
    return document["_id"] > (framework.get("match_from") or "") and _concerned(document, framework)


def _concerned(document: Document, changed: Document) -> bool:
    """Return whether a course must be matched again because a framework changed; False if it cannot be decoded.

    That is so if the provider states no skill of the framework, if the course teaches a skill of a former version, or
    if a match has replaced such a skill. A copy of a shared course is matched with the shared course.
    """
    framework, former = changed["id"], frozenset(changed.get("former_skills", ()))
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
    """Return the fields of a course's document that hold its matches. `version`: the stored `match_version`."""
    rows = [msgspec.to_builtins(match) for match in matches]
    return {"matches": rows, "matched": bool(rows), "match_version": (version or 0) + 1, "levels_due": bool(rows)}


def matched_course(document: Mapping[str, Any]) -> MatchedCourse:
    """Return the course of a document with its matches, and whether it waits."""
    course = course_of(document)
    key, tenant, name, sequence = (document[field] for field in ("_id", "tenant", "id", "sequence"))
    entry = Entry(key, tenant, name, sequence, course, copied=bool(document.get("copied")))
    waiting, levels_due = bool(document.get("match_due")), bool(document.get("levels_due"))
    return MatchedCourse(entry, course, matches_of(document), document.get("match_version"), waiting, levels_due)
