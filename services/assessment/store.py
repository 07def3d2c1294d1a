"""Officers in MongoDB: one document each, holding profile, newest evidence and outbox; older evidence in an archive.

Every change is one compare-and-set on `sequence`. A change that returns False met a write conflict: the caller reads
the officer and decides again. An erased officer's document keeps only the sequence and the time of the erasure.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import DuplicateKeyError

from services.assessment.model import Evidence, ListEvidence
from services.assessment.profile import Statistics, with_evidence
from services.assessment.stored_officer import (
    KEPT_EVIDENCE,
    AcceptedEvidence,
    Change,
    Officer,
    accepted_of,
    archived_of,
    officer_of,
)
from shared.domain import key_of
from shared.errors import Unavailable
from shared.events import Envelope, OfficerChanged, OfficerErased, new_event
from shared.mongo import Database, Document, bulk_write, ensure_indexes, had_conflict, readable, unavailable
from shared.outbox import OUTBOX_INDEXES, Staged, outbox_push, outbox_replace

SOURCE = "/assessment"
COLLECTION = "officers"
_TOGETHER = 20
"""From so many officers on, updates are one transaction; for fewer it costs more than it saves."""

_WITHOUT_BULK = {"outbox.data": 0, "evidence.evidence.results": 0}
_WITHOUT_EVIDENCE: Document = dict.fromkeys(
    ("tenant", "officer", "sequence", "profile", "archived", "erased_at", "statistics", "registration", "outbox.id"), 1
) | {"kept": {"$size": {"$ifNull": ["$evidence", []]}}}


class OfficerStore:
    """The officers of all tenants. `staged` is set when an event was staged, for the relay of this process."""

    def __init__(self, database: Database, staged: Staged | None = None) -> None:
        self._staged = staged or Staged()
        self._database = database
        self._officers = database[COLLECTION]
        self._archive = database["archive"]

    async def prepare(self) -> None:
        """Create the indexes. Raises Unavailable."""
        archive = [IndexModel([("officer_key", ASCENDING), *_NEWEST_FIRST], name="newest_of_officer")]
        under = ("profile.framework", "tenant", "profile.job_group", "profile.stage")
        by_framework = IndexModel([(field, ASCENDING) for field in under], name="framework_places")
        await ensure_indexes(self._database, {COLLECTION: [*OUTBOX_INDEXES, by_framework], "archive": archive})

    async def places_under(
        self, framework: str, *, tenant: str | None = None, besides: Sequence[str] = ()
    ) -> dict[tuple[str, str | None], int]:
        """Return {(job group, stage): number of officers} under a framework, as the officers are registered.

        Counts the officers of a tenant, or those of all tenants but `besides`. Raises Unavailable.
        """
        whose = {"$nin": [*map(str, besides)]} if tenant is None else str(tenant)
        place = {"job_group": "$profile.job_group", "stage": "$profile.stage"}
        pipeline: list[Document] = [
            {"$match": {"profile.framework": str(framework), "tenant": whose}},
            {"$group": {"_id": place, "officers": {"$sum": 1}}},
        ]
        with unavailable():
            rows = await self._officers.aggregate(pipeline).to_list(None)
        return {(row["_id"]["job_group"], row["_id"].get("stage")): row["officers"] for row in rows}

    async def find(self, tenant: str, officer: str, assessment_id: str | None = None) -> Officer | None:
        """Return an officer, also an erased one; None if there was never one with this id. Raises Unavailable.

        Of the evidence in the document only that of `assessment_id` is read.
        """
        fields = _WITHOUT_EVIDENCE
        if assessment_id is not None:
            fields = {**fields, "evidence": {"$elemMatch": {"id": assessment_id}}}
        with unavailable():
            document = await self._officers.find_one({"_id": key_of(tenant, officer)}, fields)
        return officer_of(document) if document else None

    async def find_many(self, keys: Sequence[str]) -> dict[str, Officer]:
        """Return {key: officer} of the officers with these keys, also erased ones. Raises Unavailable."""
        with unavailable():
            found = self._officers.find({"_id": {"$in": list(keys)}}, _WITHOUT_BULK, batch_size=len(keys) + 1)
            return {document["_id"]: officer_of(document) for document in await found.to_list(None)}

    async def frameworks(self, keys: Iterable[str]) -> dict[str, str]:
        """Return {key: framework} of the officers with these keys that are not erased. Raises Unavailable."""
        with unavailable():
            found = self._officers.find({"_id": {"$in": list(keys)}, "erased": False}, {"profile.framework": 1})
            return {document["_id"]: document["profile"]["framework"] async for document in found}

    async def archived(self, assessment_ids: Sequence[str]) -> dict[str, AcceptedEvidence]:
        """Return {assessment id: what is known of it} of those assessments that are archived. Raises Unavailable."""
        if not assessment_ids:
            return {}
        wanted = {"digest": 1, "evidence.profile_sequence": 1, "evidence.origin": 1}
        with unavailable():
            found = self._archive.find({"_id": {"$in": list(assessment_ids)}}, wanted)
            return {one["_id"]: accepted_of(one) async for one in found}

    async def accepted(self, officer: Officer, assessment_id: str) -> AcceptedEvidence | None:
        """Return what is known of an assessment, archived or not; None if it was not accepted. Raises Unavailable.

        `officer` was found with this `assessment_id`.
        """
        if assessment_id in officer.accepted or not officer.archived:
            return officer.accepted.get(assessment_id)
        with unavailable():
            document = await self._archive.find_one({"_id": assessment_id}, {"evidence.results": 0})
        return accepted_of(document) if document else None

    async def evidence(self, officer: Officer, wanted: ListEvidence) -> list[Evidence] | None:
        """Return up to `limit` + 1 assessments, newest measurement first.

        None if `after` is no assessment of this officer. Raises Unavailable.
        """
        with unavailable():
            document = await self._officers.find_one({"_id": officer.key}, {"evidence": 1}) or {}
            kept = {entry["id"]: archived_of(officer.key, entry) for entry in document.get("evidence", [])}
            query: Document = {"officer_key": officer.key}
            after: tuple[Any, ...] | None = None
            if wanted.after:
                last = kept.get(wanted.after) or await self._archive.find_one({"_id": wanted.after, **query})
                if last is None:
                    return None
                after = _rank(wanted.after, last)
                query["$or"] = _below(after)
            archived = self._archive.find(query).sort(_NEWEST_FIRST).limit(wanted.limit + 1)
            found = kept | {entry["_id"]: entry async for entry in archived}
        ranked = sorted(((_rank(name, entry), entry) for name, entry in found.items()), key=itemgetter(0), reverse=True)
        rest = [entry for rank, entry in ranked if after is None or rank < after]
        return [msgspec.convert(entry["evidence"], Evidence) for entry in rest[: wanted.limit + 1]]

    async def statistics(self, officer: Officer) -> Statistics:
        """Return the statistics of an officer's evidence, computed from all of it if not stored. Raises Unavailable."""
        if officer.statistics is not None:
            return officer.statistics
        return await self.recomputed(officer)

    async def recomputed(self, officer: Officer, at: datetime | None = None) -> Statistics:
        """Return the statistics of all evidence taken by `at` (without it, of all), archived evidence included.

        Raises Unavailable.
        """
        found: Statistics = {}
        async for evidence in self._all_evidence(officer, at):
            found |= with_evidence(found, [evidence])
        return found

    async def _all_evidence(self, officer: Officer, at: datetime | None) -> AsyncIterator[Evidence]:
        """Yield all evidence, unordered; the document first, so that evidence archived meanwhile is not missed."""
        query: Document = {"officer_key": officer.key}
        if at is not None:
            query["taken_at"] = {"$lte": at}
        with unavailable():
            document = await self._officers.find_one({"_id": officer.key}, {"evidence": 1}) or {}
            held = {entry["id"]: entry for entry in document.get("evidence", [])}
            for entry in held.values():
                evidence = msgspec.convert(entry["evidence"], Evidence)
                if at is None or evidence.taken_at <= at:
                    yield evidence
            async for entry in self._archive.find(query, {"evidence": 1}).sort(_NEWEST_FIRST):
                evidence = msgspec.convert(entry["evidence"], Evidence)
                if entry["_id"] not in held and (at is None or evidence.taken_at <= at):
                    yield evidence

    # --- changes -----------------------------------------------------------------------------------------------------

    async def save(self, change: Change) -> bool:
        """Write a change and its event; return False after a write conflict. Raises Unavailable, TooLarge."""
        change.check()
        if change.before is None:
            try:
                with self._staged.staging([change.profile.key]), unavailable():
                    await self._officers.insert_one(change.document())
            except DuplicateKeyError:
                return False
            self._staged.hand_over(change.profile.key, change.envelope)
            return True
        saved = await self._compare_and_set(change.before, change.operators(), change.envelope)
        if saved and change.overfull:
            await self._move_to_archive(change.before.key)
        return saved

    async def save_many(self, changes: Sequence[Change], *, bulk: bool = True) -> set[str]:
        """Write changes of different officers together; return the keys of the officers that were written.

        The other officers had a write conflict. A change is written whole or not at all; events of a `bulk` are sent
        after those of single changes. Changes whose `check` raises TooLarge must be left out. Raises Unavailable.
        """
        updates = [change for change in changes if change.before is not None]
        with self._staged.bulk() if bulk else nullcontext():
            done = await self._save_together(updates, bulk=bulk) if len(updates) >= _TOGETHER else None
            rest = changes if done is None else [change for change in changes if change.before is None]
            if rest:
                done = (done or set()) | await self._save_each(rest, bulk=bulk)
        self._staged.set()
        done = done or set()
        for change in changes:
            if change.overfull and change.profile.key in done:
                await self._move_to_archive(change.profile.key)
        return done

    async def _save_together(self, changes: Sequence[Change], *, bulk: bool) -> set[str] | None:
        """Update officers in one transaction; return the keys of those that had not changed, which are written.

        A filter by `_id` and sequence takes the server twice as long as one by `_id` alone. In a transaction the
        sequences are compared first, and the server refuses to write what has changed since. Returns None if it did
        so; then nothing is written. Raises Unavailable.
        """
        before = {change.profile.key: change.before.sequence for change in changes if change.before}
        try:
            with unavailable():
                async with await self._database.client.start_session() as session, session.start_transaction():
                    found = self._officers.find(
                        {"_id": {"$in": list(before)}}, {"sequence": 1}, session=session, batch_size=len(before) + 1
                    )
                    same = {one["_id"] for one in await found.to_list(None) if one["sequence"] == before[one["_id"]]}
                    writes = [
                        UpdateOne({"_id": change.profile.key}, change.operators(bulk=bulk))
                        for change in changes
                        if change.profile.key in same
                    ]
                    if writes:
                        await self._officers.bulk_write(writes, session=session)
                    return same
        except Unavailable as problem:
            if had_conflict(problem.__cause__):
                return None
            raise

    async def _save_each(self, changes: Sequence[Change], *, bulk: bool) -> set[str]:
        """Insert officers, and update each by a compare-and-set; return the keys of those that are written."""
        writes = [
            InsertOne(change.document(bulk=bulk))
            if change.before is None
            else UpdateOne({"_id": change.profile.key, "sequence": change.before.sequence}, change.operators(bulk=bulk))
            for change in changes
        ]
        if await bulk_write(self._officers, writes) < len(changes):
            return await self._written(changes)
        return {change.profile.key for change in changes}

    async def _written(self, changes: Sequence[Change]) -> set[str]:
        """Return the keys of the officers whose documents show that the change was written."""
        found = await self.find_many([change.profile.key for change in changes])
        done = set()
        for change in changes:
            officer = found.get(change.profile.key)
            if officer and (
                all(
                    officer.accepted.get(one.assessment_id) == (digest, one.profile_sequence, one.origin)
                    for one, digest in change.evidence
                )
                if change.evidence
                else officer.profile == change.profile
            ):
                done.add(change.profile.key)
        return done

    async def erase(self, before: Officer, envelope: Envelope) -> bool:
        """Delete all data of an officer except the sequence; put `envelope` in the outbox. False after a conflict.

        Earlier events that were not sent are deleted too, because they contain the profile. Raises Unavailable.
        """
        change = outbox_replace(envelope)
        change["$set"] |= {"sequence": envelope.sequence, "erased": True, "erased_at": datetime.now(UTC)}
        change["$unset"] = dict.fromkeys(("profile", "evidence", "archived", "statistics", "registration"), "")
        if not await self._compare_and_set(before, change):
            return False
        await self.clear_archive(before.key)
        return True

    async def clear_archive(self, key: str) -> None:
        """Delete an erased officer's archived evidence. Raises Unavailable."""
        with unavailable():
            await self._archive.delete_many({"officer_key": key})

    async def _compare_and_set(self, before: Officer, change: Document, envelope: Envelope | None = None) -> bool:
        """Update an officer unless the sequence has changed. `envelope`: the event, if it may be sent from memory."""
        with self._staged.staging([before.key]), unavailable():
            result = await self._officers.update_one({"_id": before.key, "sequence": before.sequence}, change)
        if result.matched_count and envelope and before.announced:
            self._staged.hand_over(before.key, envelope)
        else:
            self._staged.set()
        return bool(result.matched_count)

    async def _move_to_archive(self, key: str) -> None:
        """Copy the oldest evidence to the archive, then remove it from the document; either step may be repeated."""
        with unavailable():
            document = await self._officers.find_one({"_id": key}, {"evidence": 1}) or {}
            oldest = document.get("evidence", [])[:-KEPT_EVIDENCE]
            if not oldest:
                return
            await bulk_write(
                self._archive, [ReplaceOne({"_id": e["id"]}, archived_of(key, e), upsert=True) for e in oldest]
            )
            ids = [entry["id"] for entry in oldest]
            moved = await self._officers.update_one(
                {"_id": key, "erased": False}, {"$pull": {"evidence": {"id": {"$in": ids}}}, "$set": {"archived": True}}
            )
        if not moved.matched_count:  # erased meanwhile, maybe before the copy was made
            await self.clear_archive(key)

    # --- announcing again --------------------------------------------------------------------------------------------

    async def republish(self, keys: Sequence[str] | None = None) -> int:
        """Stage an event with the present state of the officers with these keys; return how many. Raises Unavailable.

        Without `keys`, of all officers. The sequence stays the same. Also deletes archived evidence of erased officers.
        Unreadable documents are skipped.
        """
        count = 0
        wanted: Document = {} if keys is None else {"_id": {"$in": list(keys)}}
        with unavailable():
            async for document in self._officers.find(wanted, {"outbox": 0, "evidence": 0, "statistics": 0}):
                if (officer := readable(document, officer_of)) is None:
                    continue
                if officer.profile is None:
                    await self.clear_archive(officer.key)
                    erased = OfficerErased(officer.tenant, officer.officer)
                    change = outbox_replace(new_event(SOURCE, officer.key, officer.sequence, erased))
                else:
                    data = OfficerChanged(officer.profile)
                    change = outbox_push(new_event(SOURCE, officer.key, officer.sequence, data))
                count += await self._compare_and_set(officer, change)
        return count


_NEWEST_FIRST = [("taken_at", DESCENDING), ("evidence.received_at", DESCENDING), ("_id", DESCENDING)]


def _rank(assessment_id: str, entry: Document) -> tuple[datetime, str, str]:
    """Return the sort key of assessments, consistent with `_NEWEST_FIRST`."""
    return entry["taken_at"], entry["evidence"]["received_at"], assessment_id


def _below(rank: tuple[Any, ...]) -> list[Document]:
    """Return the `$or` conditions of documents that follow a rank, newest first."""
    names = [name for name, _ in _NEWEST_FIRST]
    return [{**dict(zip(names[:i], rank, strict=False)), names[i]: {"$lt": rank[i]}} for i in range(len(names))]
