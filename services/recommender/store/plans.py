"""Stores plans: one document per officer with profile, feedback, path and outbox.

Every write is a compare-and-set on the counters of profile, feedback and path that the writer has read; after a write
conflict the writer reads and decides again. The path is stored as the bytes that are announced, and the outbox only
refers to these. The same document holds the alternatives of the path's steps, its inputs, and its figures.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from pymongo import IndexModel, UpdateMany, UpdateOne

from services.recommender.feedback import Feedback
from services.recommender.path_summary import PathSummary
from services.recommender.provenance import PlanField, PlanHead
from services.recommender.store.documents import (
    ANNOUNCED,
    HEAD,
    PATH,
    PLAN,
    PLAN_WITH_KEYS,
    REPLAN_AFTER,
    SOURCE,
    SUMMARY,
    Document,
    FoundPath,
    IdempotencyRecord,
    NewPlan,
    PathVersion,
    PlanBase,
    StoredPlan,
    envelope_of,
    event_of,
    feedback_of,
    head_of,
    is_stored,
    plan_of,
    pushed,
    unchanged,
    write_of,
)
from services.recommender.store.history import History
from services.recommender.store.plan_bases import PlanBases
from services.recommender.store.releases import ReleaseStore
from services.recommender.store.rules import RuleStore
from services.recommender.store.shared_reads import SharedReads
from services.recommender.store.supervision import SupervisionStore
from shared.domain import SHARED_TENANT, key_of
from shared.errors import Unavailable
from shared.events import PathAnnounced, new_event
from shared.mongo import Database, bulk_write, readable, unavailable
from shared.outbox import OUTBOX_INDEXES, Staged, outbox_insert, outbox_push_held, outbox_replace

COLLECTION = "plans"

INDEXES = [
    *OUTBOX_INDEXES,
    IndexModel([("courses", 1)], name="courses"),
    IndexModel([("open_skills", 1), ("tenant", 1)], name="open_skills_tenant"),
    IndexModel([("framework_id", 1)], name="framework_id"),
    IndexModel([("tenant", 1), ("agency", 1), ("framework_id", 1), ("_id", 1)], name="agency_framework_officer"),
    IndexModel([("tenant", 1), ("agency", 1), ("officer", 1)], name="agency_officer"),
    IndexModel([("partition", 1), ("considered", 1)], name="partition_considered"),
    IndexModel([("tenant", 1), ("rules", 1)], name="rules"),
    IndexModel([("replan_at", 1)], name="replan_at", partialFilterExpression={"replan_at": {"$type": "date"}}),
]

_NOT_FOR_A_PATH = ("courses", "open_skills", "profile_sequence")
_HEAD_OF_PATH = {name: 1 for name in [*HEAD, "planned_at"] if name not in _NOT_FOR_A_PATH}
_PATH_AND_HEAD = {**_HEAD_OF_PATH, **PATH}


class OfficerSummary(NamedTuple):
    """An officer, the time when the path was planned, and the path's figures."""

    officer: str
    planned_at: datetime
    summary: PathSummary


class PlanStore:
    """The plans of all tenants; every query names the tenant.

    Holds the stores `rules`, `history`, `releases` and `supervision`, and in memory `plan_bases`. `staged` is set
    when events were staged, for the relay of this process.
    """

    def __init__(self, database: Database, staged: Staged | None = None) -> None:
        self.unreadable = 0
        self.plan_bases = PlanBases()
        self._staged = staged or Staged()
        self._plans = database[COLLECTION]
        self._path_heads = SharedReads(self._read_path_heads)
        self.rules = RuleStore(database)
        self.history = History(database, COLLECTION)
        self.releases = ReleaseStore(database)
        self.supervision = SupervisionStore(database)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def find_path(self, tenant: str, officer: str, known: PathVersion | None = None) -> FoundPath | None:
        """Return an officer's path as stored and the head of its plan, or None. Raises Unavailable.

        The head is without courses and open skills, because this is the most frequent read and seldom needs them.
        `known`: the version that the caller has rendered; the path itself is read only if it is another one.
        """
        key = key_of(tenant, officer)
        if known is not None:
            found = _found_path(await self._path_heads.of(key))
            if found is None or found.version == known:
                return found and found._replace(document={})
        with unavailable():
            return _found_path(await self._plans.find_one({"_id": key}, _PATH_AND_HEAD))

    async def _read_path_heads(self, keys: Collection[str]) -> dict[str, Document]:
        return {document["_id"]: document for document in await self._by_keys(keys, _HEAD_OF_PATH)}

    async def find(self, tenant: str, officer: str) -> StoredPlan | None:
        """Return an officer's plan, with the idempotency keys of accepted feedback, or None. Raises Unavailable."""
        with unavailable():
            found = await self._plans.find_one({"_id": key_of(tenant, officer), "erased": False}, PLAN_WITH_KEYS)
        return plan_of(found) if found else None

    async def heads(self, keys: Collection[str]) -> dict[str, PlanHead]:
        """Return the heads of the plans that exist, by officer's key. Raises Unavailable."""
        return {document["_id"]: head_of(document) for document in await self._by_keys(keys, HEAD)}

    async def sequences(self, keys: Collection[str]) -> dict[str, int]:
        """Return key -> sequence of the profile of each plan, erased ones included. Raises Unavailable."""
        found = await self._by_keys(keys, {"profile_sequence": 1})
        return {document["_id"]: document["profile_sequence"] for document in found}

    async def bases(self, keys: Collection[str]) -> dict[str, PlanBase]:
        """Return the base of a new plan for each officer who has a plan, by officer's key. Raises Unavailable.

        Plans that this process has just saved are not read again. If another process has changed such a plan since,
        `save` refuses the new one, and the next call reads the plan.
        """
        known = self.plan_bases.of(keys)
        if not (unknown := [key for key in keys if key not in known]):
            return known
        found = await self._by_keys(unknown, {**HEAD, "feedback": 1})
        return known | {document["_id"]: PlanBase(head_of(document), feedback_of(document)) for document in found}

    async def _by_keys(self, keys: Collection[str], fields: Document) -> list[Document]:
        with unavailable():
            return await self._plans.find({"_id": {"$in": list(keys)}}, fields).to_list(None)

    def affected_by(
        self,
        changed: Mapping[tuple[str, PlanField], Collection[str]] | None,
        partitions: Collection[int],
        revision: int,
    ) -> AsyncIterator[StoredPlan]:
        """Yield the plans of these partitions that a catalog change may affect and that were checked before `revision`.

        `changed`: see `CatalogReplica.changes_since`; None: any plan may be affected. Raises Unavailable.
        """
        conditions: list[dict[str, Any]] = [{}]
        if changed is not None:
            conditions = [
                {field: {"$in": list(names)}} | ({} if tenant == SHARED_TENANT else {"tenant": tenant})
                for (tenant, field), names in changed.items()
            ]
        return self._matching(partitions, [{**one, "considered": {"$lt": revision}} for one in conditions])

    def under_older_rules(self, versions: Mapping[str, int], partitions: Collection[int]) -> AsyncIterator[StoredPlan]:
        """Yield the plans of these partitions that follow older rules than the newest of their tenant.

        Raises Unavailable. `versions`: tenant -> newest version of its rules.
        """
        conditions = [
            {"tenant": tenant, "erased": False, "rules": {"$lt": version}} for tenant, version in versions.items()
        ]
        return self._matching(partitions, conditions)

    def due_by(self, moment: datetime, partitions: Collection[int]) -> AsyncIterator[StoredPlan]:
        """Yield the plans of these partitions whose replanning for a deadline is due at `moment`.

        Raises Unavailable.
        """
        return self._matching(partitions, [{"replan_at": {"$type": "date", "$lte": moment}}])

    async def _matching(
        self, partitions: Collection[int], conditions: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[StoredPlan]:
        """Yield the plans of these Kafka partitions that meet any of the conditions. Raises Unavailable.

        Unreadable plans are skipped and counted in `unreadable`.
        """
        if not conditions or not partitions:
            return
        query = {"partition": {"$in": list(partitions)}, "$or": list(conditions)}
        with unavailable():
            async for document in self._plans.find(query, PLAN):
                if document.get("erased"):
                    continue
                if plan := readable(document, plan_of):
                    yield plan
                else:
                    self.unreadable += 1

    async def agencies(self, tenant: str) -> list[str]:
        """Return the ids of the tenant's agencies that have officers with a plan, in order. Raises Unavailable."""
        # Sorted as the index `agency_officer` is, so that the server reads one key of each agency.
        pipeline: list[dict[str, Any]] = [
            {"$match": {"tenant": tenant, "agency": {"$gt": ""}}},
            {"$sort": {"tenant": 1, "agency": 1}},
            {"$group": {"_id": "$agency", "agency": {"$first": "$agency"}}},
        ]
        with unavailable():
            return sorted([row["_id"] async for row in self._plans.aggregate(pipeline)])

    async def agency_of(self, tenant: str, officer: str) -> str | None:
        """Return the agency of an officer who has a plan, else None. Raises Unavailable."""
        with unavailable():
            found = await self._plans.find_one({"_id": key_of(tenant, officer)}, {"agency": 1})
        return found.get("agency") if found else None

    async def count_open(self, tenant: str, framework: str, skill: str) -> int:
        """Return how many officers' paths leave a skill open, reading index keys alone. Raises Unavailable."""
        query = {"open_skills": f"{framework}/{skill}", "tenant": tenant}
        with unavailable():
            found = await self._plans.database.command("count", COLLECTION, query=query)
        return int(found["n"])

    async def officers(
        self, tenant: str, agency: str, after: str, most: int
    ) -> tuple[list[OfficerSummary], str | None]:
        """Return at most `most` officers of an agency with ids above `after`, by id, and where the next page begins.

        The next page begins after the returned id; None: there is none. Unreadable plans are skipped. Raises
        Unavailable.
        """
        query = {"tenant": tenant, "agency": agency, "officer": {"$gt": after}}
        fields = {"officer": 1, "planned_at": 1, SUMMARY: 1}
        with unavailable():
            found = await self._plans.find(query, fields).sort("officer", 1).limit(most).to_list(None)
        rows = [row for document in found if (row := readable(document, _officer))]
        return rows, found[-1]["officer"] if len(found) == most else None

    async def frameworks_of(self, tenant: str, agency: str) -> dict[str, int]:
        """Return framework -> number of the agency's officers who have a plan under it. Raises Unavailable."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"tenant": tenant, "agency": agency}},
            {"$group": {"_id": "$framework_id", "officers": {"$sum": 1}}},
        ]
        with unavailable():
            return {row["_id"]: row["officers"] async for row in self._plans.aggregate(pipeline)}

    async def summaries(self, tenant: str, agency: str, framework: str) -> AsyncIterator[tuple[str, int, PathSummary]]:
        """Yield (officer, plan revision, figures of the path) for an agency's officers under a framework.

        Raises Unavailable. Officers with unreadable figures are skipped.
        """
        query = {"tenant": tenant, "agency": agency, "framework_id": framework}
        with unavailable():
            async for document in self._plans.find(query, {"officer": 1, "revision": 1, SUMMARY: 1}):
                if summary := readable(document, _summary):
                    yield document["officer"], document["revision"], summary

    # --- writing -----------------------------------------------------------------------------------------------------

    async def save(self, plans: Sequence[NewPlan]) -> list[NewPlan]:
        """Save plans with their events, each in one write; return those with a write conflict. Raises Unavailable.

        Before the call, the plans that they replace must be in the history (`History.archive`).
        """
        if not plans:
            return []
        envelopes = [envelope_of(plan) for plan in plans]
        writes = [write_of(plan, envelope) for plan, envelope in zip(plans, envelopes, strict=True)]
        self.plan_bases.begin(plans)
        with self._staged.staging([plan.profile.key for plan in plans]):
            saved = await bulk_write(self._plans, writes)
        if saved == len(plans):
            unchanged_since = self.plan_bases.keep(plans)
            for envelope in envelopes:
                if envelope.subject in unchanged_since:  # it is the only event that its document holds now
                    self._staged.hand_over(envelope.subject, envelope)
                else:
                    self._staged.set()
            await self.history.trim(_copied(plans))  # now, because it would delay the path before
            return []
        self._staged.set()
        now = await self.heads([plan.profile.key for plan in plans])
        await self._drop_copies(now)
        return [plan for plan in plans if not is_stored(plan, now.get(plan.profile.key))]

    async def _drop_copies(self, plans: Mapping[str, PlanHead]) -> None:
        """Erase the history of officers who were erased meanwhile: a concurrent writer may have copied a path."""
        for key in [key for key, head in plans.items() if head.erased]:
            await self.history.erase(key)

    async def save_feedback(self, plan: NewPlan, key: IdempotencyRecord, earlier: int) -> bool:
        """Save feedback, its key and the resulting path in one write; return False after a write conflict.

        `earlier`: how many of the keys before it are kept. Raises ValueError if there is no plan before; Unavailable.
        """
        if plan.based_on is None:
            raise ValueError("feedback is stored with a plan")
        await self.history.archive([plan.profile.key])
        self.plan_bases.forget([plan.profile.key])
        saved = bool(await bulk_write(self._plans, [write_of(plan, envelope_of(plan), pushed(key, earlier))]))
        self._staged.set()
        if saved:
            with suppress(Unavailable):  # the feedback is stored, and the next deletion deletes these copies too
                await self.history.trim(_copied([plan]))
        else:
            await self._drop_copies(await self.heads([plan.profile.key]))
        return saved

    async def save_stale_feedback(
        self, plan: StoredPlan, feedback: Feedback, key: IdempotencyRecord, earlier: int
    ) -> bool:
        """Save feedback and its key, and keep the path, marked stale; return False after a write conflict.

        `earlier`: how many of the keys before it are kept. Raises Unavailable.
        """
        fields = {"feedback": msgspec.json.encode(feedback), "feedback_sequence": feedback.sequence, "stale": True}
        self.plan_bases.forget([plan.profile.key])
        with unavailable():
            result = await self._plans.update_one(
                unchanged(plan.profile.key, plan.head), {"$set": fields, "$push": pushed(key, earlier)}
            )
        return bool(result.matched_count)

    async def erase(self, tenant: str, officer: str, sequence: int, partition: int) -> bool:
        """Erase an officer except for the counters, and stage a tombstone; return whether the officer is erased now.

        An erasure of a lower sequence than the plan's, or a repeated one, changes nothing; one of the same sequence
        erases the plan. Paths that were not announced yet are dropped. Raises Unavailable.
        """
        key = key_of(tenant, officer)
        while True:
            before = (await self.heads([key])).get(key)
            if before and (
                before.profile_sequence > sequence or (before.erased and before.profile_sequence == sequence)
            ):
                if before.erased:
                    await self.history.erase(key)  # what a process that ended in between has left
                return before.erased
            revision = before.revision + 1 if before else 1
            erased: Document = {
                "_id": key,
                "tenant": tenant,
                "officer": officer,
                "partition": partition,
                "erased": True,
            }
            erased |= {"profile_sequence": sequence, "revision": revision}
            erased |= outbox_insert(new_event(SOURCE, key, revision, None))
            with unavailable():
                if before is None:
                    await self._plans.update_one({"_id": key}, {"$setOnInsert": erased}, upsert=True)
                    continue
                erased["feedback_sequence"] = before.feedback_sequence
                if (await self._plans.replace_one(unchanged(key, before), erased)).matched_count:
                    self._staged.set()
                    self.plan_bases.forget([key])
                    await self.history.erase(key)
                    return True

    async def move(self, partitions: Mapping[str, int]) -> None:
        """Note in which Kafka partition the profiles of these officers' keys are. Raises Unavailable."""
        keys: defaultdict[int, list[str]] = defaultdict(list)
        for key, partition in partitions.items():
            keys[partition].append(key)
        if keys:
            elsewhere = [({"_id": {"$in": held}, "partition": {"$ne": one}}, one) for one, held in keys.items()]
            await bulk_write(self._plans, [UpdateMany(query, {"$set": {"partition": one}}) for query, one in elsewhere])

    async def mark_checked(self, keys: Collection[str], revision: int) -> None:
        """Record that the plans of these officers' keys are valid at a catalog revision. Raises Unavailable.

        Plans that were already checked at this revision or a later one are unchanged.
        """
        self.plan_bases.forget(keys)
        with unavailable():
            await self._plans.update_many(
                {"_id": {"$in": list(keys)}, "considered": {"$lt": revision}}, {"$set": {"considered": revision}}
            )

    async def defer(self, keys: Collection[str]) -> None:
        """Set the next replanning for the deadline to a week from now. Raises Unavailable.

        `keys`: of the plans; a plan that is not to be replanned for a deadline is unchanged.
        """
        with unavailable():
            await self._plans.update_many(
                {"_id": {"$in": list(keys)}, "replan_at": {"$type": "date"}},
                {"$set": {"replan_at": datetime.now(UTC) + REPLAN_AFTER}},
            )

    async def mark_rules_checked(self, plans: Sequence[StoredPlan], version: int) -> None:
        """Record that these plans are valid under a version of their tenant's rules. Raises Unavailable.

        A plan that has changed since it was read is left as it is.
        """
        self.plan_bases.forget(plan.profile.key for plan in plans)
        changes = [UpdateOne(unchanged(plan.profile.key, plan.head), {"$set": {"rules": version}}) for plan in plans]
        if changes:
            await bulk_write(self._plans, changes)

    async def republish(self, keys: Collection[str] | None = None) -> int:
        """Stage again what was last announced of these officers: the path, or the tombstone of an erased officer.

        Returns how many were staged; unreadable paths are skipped. `keys`: None: all officers. Raises Unavailable.
        """
        query = {} if keys is None else {"_id": {"$in": list(keys)}}
        count = 0
        with unavailable():
            async for document in self._plans.find(query, {**PATH, "erased": 1}):
                if update := readable(document, _restaged):
                    await self._plans.update_one({"_id": document["_id"], "revision": document["revision"]}, update)
                    count += 1
        self._staged.set()
        return count


def _copied(plans: Iterable[NewPlan]) -> dict[str, int]:
    """Return key -> revision of the plans that new ones replace."""
    return {plan.profile.key: plan.based_on.revision for plan in plans if plan.based_on}


def _found_path(document: Document | None) -> FoundPath | None:
    if document is None or document.get("erased"):
        return None
    version = PathVersion(document["revision"], document["planned_at"])
    return FoundPath(version, head_of({"profile_sequence": 0, **document}), document)


def _officer(document: Document) -> OfficerSummary:
    return OfficerSummary(document["officer"], document["planned_at"], _summary(document))


def _summary(document: Document) -> PathSummary:
    return msgspec.json.decode(document[SUMMARY], type=PathSummary)


def _restaged(document: Document) -> Document:
    """Return the update that announces the current plan again."""
    key, revision = document["_id"], document["revision"]
    if document.get("erased"):
        return outbox_replace(new_event(SOURCE, key, revision, None))
    announced = PathAnnounced.of(event_of(document))
    return outbox_push_held(new_event(SOURCE, key, revision, announced), ANNOUNCED)
