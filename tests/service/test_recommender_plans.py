"""Plans on a real MongoDB: past revisions, weekly planning, batches over threads, and a database that goes away."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from deploy.local.servers import Mongod
from services.recommender import replanning
from services.recommender.catalog_replica import CatalogReplica
from services.recommender.feedback import apply_feedback
from services.recommender.feedback_handler import FeedbackCommand, FeedbackHandler
from services.recommender.inputs import PlanRequest
from services.recommender.plan_pool import PlanPool, solve
from services.recommender.planning import Planner
from services.recommender.provenance import InputsRecord, PlanHead, record_of
from services.recommender.replanning import Replanner
from services.recommender.rules import Rule, TenantRules
from services.recommender.store import plan_bases, plans, rules
from services.recommender.store.documents import IdempotencyRecord, NewPlan, StoredPlan, event_of
from services.recommender.store.history import RETAINED_REVISIONS, History
from services.recommender.store.plans import PlanStore
from shared.domain import SHARED_TENANT, key_of
from shared.errors import NotFound, Unavailable
from shared.events import TOMBSTONE, CoursePublished, FrameworkPublished
from shared.mongo import bulk_write
from shared.outbox import Staged
from shared.work_queue import WorkQueue
from tests.support.builders import DAY, FRAMEWORK, TENANT, catalog, course, framework, profile
from tests.support.planner import LONG, READ, Office, apply_changes, office_at
from tests.support.portal import path as empty_path


@pytest.fixture
async def office(mongodb_uri: str, namespace: str) -> AsyncIterator[Office]:
    async with office_at(mongodb_uri, namespace, READ, LONG) as office:
        yield office


# --- past revisions --------------------------------------------------------------------------------------------------


async def test_past_revisions_are_stored_with_their_inputs_up_to_a_limit(office: Office) -> None:
    for sequence in range(1, RETAINED_REVISIONS + 4):
        await office.plan(profile("a", {"reading": sequence % 3}, sequence=sequence))
    rows = [row async for row in office.database["history"].find().sort("revision", 1)]
    assert [row["revision"] for row in rows] == list(range(3, RETAINED_REVISIONS + 3))
    for row in rows:
        assert row["_id"] == f"{TENANT}/a@{row['revision']}"
        past = await office.store.history.find(f"{TENANT}/a", row["revision"])
        assert past is not None
        assert past.record is not None
        assert past.event.revision == row["revision"]
        assert past.record.profile.sequence == past.event.path.versions.profile == row["revision"]
        assert past.record.catalog_revision == past.event.path.versions.catalog
    present = await office.store.history.find(f"{TENANT}/a", None)
    assert present is not None
    assert present.event.revision == RETAINED_REVISIONS + 3
    assert await office.store.history.find(f"{TENANT}/a", 1) is None


async def test_a_path_that_the_reader_has_is_not_read_again(office: Office) -> None:
    await office.plan(profile("a", {"reading": 0}, sequence=1))
    first = await office.store.find_path(TENANT, "a")
    assert first is not None
    assert event_of(first.document).revision == first.version.revision == 1
    again = await office.store.find_path(TENANT, "a", first.version)
    assert again == (first.version, first.head, {})
    await office.plan(profile("a", {"reading": 1}, sequence=2))
    newer = await office.store.find_path(TENANT, "a", first.version)
    assert newer is not None
    assert event_of(newer.document).revision == newer.version.revision == newer.head.revision == 2
    # A database that was restored from a copy stores another path under the same revision.
    await office.database[plans.COLLECTION].update_one({"officer": "a"}, {"$set": {"planned_at": datetime.now(UTC)}})
    other = await office.store.find_path(TENANT, "a", newer.version)
    assert other is not None
    assert event_of(other.document).revision == 2
    await office.store.erase(TENANT, "a", 3, 0)
    assert await office.store.find_path(TENANT, "a", other.version) is None
    assert await office.store.find_path(TENANT, "nobody", other.version) is None


async def test_a_plan_that_cannot_be_read_fails_for_its_reader_only(office: Office) -> None:
    for officer in "ab":
        await office.plan(profile(officer, {"reading": 0}))
    known = [await office.store.find_path(TENANT, officer) for officer in "ab"]
    await office.database[plans.COLLECTION].update_one({"officer": "b"}, {"$set": {"revision": "none"}})
    found = await asyncio.gather(
        *(office.store.find_path(TENANT, name, one and one.version) for name, one in zip("ab", known, strict=True)),
        return_exceptions=True,
    )
    assert known[0] is not None
    assert found[0] == known[0]._replace(document={})
    assert isinstance(found[1], msgspec.ValidationError)


async def test_copies_that_an_interrupted_deletion_left_are_deleted_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    trim = History.trim

    async def interrupted(self: History, revisions: Mapping[str, int]) -> None:
        raise Unavailable("the database is away")

    for sequence in range(1, RETAINED_REVISIONS + 5):
        broken = sequence == RETAINED_REVISIONS + 3
        monkeypatch.setattr(History, "trim", interrupted if broken else trim)
        planning = office.plan(profile("a", {"reading": sequence % 3}, sequence=sequence))
        if not broken:
            await planning
            continue
        with pytest.raises(Unavailable):
            await planning
        assert (await office.path_of("a")).revision == sequence  # the path is saved, and announced, before that
        assert [entry["sequence"] for entry in (await office.plan_of("a"))["outbox"]] == [sequence]
        assert await office.database["history"].count_documents({}) == RETAINED_REVISIONS + 1
    rows = [row["revision"] async for row in office.database["history"].find().sort("revision", 1)]
    assert rows == list(range(4, RETAINED_REVISIONS + 4))


async def test_feedback_that_is_not_saved_deletes_no_copy(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for sequence in range(1, RETAINED_REVISIONS + 2):
        await office.plan(profile("a", {"reading": sequence % 3}, sequence=sequence))

    async def away(*_: object) -> int:
        raise Unavailable("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(plans, "bulk_write", away)
        with pytest.raises(Unavailable):
            await office.give_feedback("a", "read", "not_now", "k")
    assert await office.store.history.find(f"{TENANT}/a", 1) is not None
    await office.give_feedback("a", "read", "not_now", "k")
    assert await office.store.history.find(f"{TENANT}/a", 1) is None
    assert await office.database["history"].count_documents({}) == RETAINED_REVISIONS


async def test_feedback_is_stored_although_old_copies_cannot_be_deleted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.plan(profile("a", {"reading": 0}))

    async def interrupted(self: History, revisions: Mapping[str, int]) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(History, "trim", interrupted)
    await office.give_feedback("a", "read", "not_now", "k")
    assert (await office.path_of("a")).revision == 2


async def test_a_copy_that_outlives_its_officer_is_not_read(office: Office) -> None:
    """A process that ends between copying a path and noticing the erasure leaves a copy."""
    await office.plan(profile("a", {"reading": 1}))
    await office.store.history.archive([f"{TENANT}/a"])
    history = office.database["history"]
    copies = [copy async for copy in history.find()]
    await office.store.erase(TENANT, "a", 5, 0)
    await history.insert_many(copies)
    assert await office.store.history.find(f"{TENANT}/a", 1) is None
    assert await office.store.history.page(f"{TENANT}/a", None, 5) is None


async def test_an_erasure_drops_paths_that_were_not_announced(office: Office) -> None:
    key = f"{TENANT}/a"
    for sequence in (1, 2, 3):
        await office.plan(profile("a", {"reading": sequence % 3}, sequence=sequence))
    before = await office.plan_of("a")
    assert [entry["type"] for entry in before["outbox"]] == ["path.recommended.v2"]
    await office.store.erase(TENANT, "a", 4, 0)
    left = await office.plan_of("a")
    assert [(entry["type"], entry["data"], entry["sequence"]) for entry in left["outbox"]] == [(TOMBSTONE, None, 4)]
    assert (left["profile_sequence"], left["revision"], left["erased"]) == (4, 4, True)
    assert not await office.database["history"].count_documents({"key": key})
    # What a version before this one has left in an erased officer's outbox goes when it is announced again.
    await office.plans.update_one({"_id": key}, {"$set": {"outbox": before["outbox"]}})
    await office.store.republish([key])
    assert [entry["data"] for entry in (await office.plan_of("a"))["outbox"]] == [None]


@pytest.mark.parametrize("by", ["event", "feedback"])
async def test_a_writer_that_conflicts_with_an_erasure_leaves_no_copy(
    office: Office, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    await office.plan(profile("a", {"reading": 1}))
    history, archive = office.database["history"], History.archive

    async def late(self: History, keys: Collection[str]) -> None:
        """Read the path before the erasure and store the copy after it."""
        await archive(self, keys)
        copies = [copy async for copy in history.find()]
        monkeypatch.setattr(History, "archive", archive)
        await office.store.erase(TENANT, "a", 5, 0)
        if copies:
            await history.insert_many(copies)

    monkeypatch.setattr(History, "archive", late)
    if by == "event":
        await office.plan(profile("a", {"reading": 2}, sequence=2))
    else:
        with pytest.raises(NotFound):
            await office.give_feedback("a", "read", "not_now", "k")
    assert (await office.plan_of("a"))["erased"]
    assert await history.count_documents({}) == 0


async def test_archiving_a_revision_twice_changes_nothing(office: Office) -> None:
    await office.plan(profile("a", {"reading": 0}))
    await office.store.history.archive([f"{TENANT}/a"])
    before = [row async for row in office.database["history"].find()]
    await office.store.history.archive([f"{TENANT}/a"])
    assert [row async for row in office.database["history"].find()] == before
    assert len(before) == 1


async def test_a_path_names_all_its_inputs(office: Office) -> None:
    await office.plan(profile("a", {"reading": 0}))
    await office.give_feedback("a", "read", "not_relevant", "k")
    document = await office.plan_of("a")
    record = msgspec.json.decode(document["inputs"], type=InputsRecord)
    assert record.profile == profile("a", {"reading": 0})
    assert [(one.course, one.action) for one in record.feedback.statements] == [("read", "not_relevant")]
    assert (record.framework, record.catalog_revision, record.previous) == (f"{FRAMEWORK}@1", 3, ["read"])
    assert len({record.hashes.profile, record.hashes.feedback, record.hashes.rules, record.hashes.framework}) == 4
    assert all(len(found) == 64 for found in msgspec.structs.astuple(record.hashes))


# --- bases in memory -------------------------------------------------------------------------------------------------


def other_store(office: Office) -> PlanStore:
    """Return the store of another process on the same database."""
    return PlanStore(office.database)


async def plan_elsewhere(office: Office, store: PlanStore, sequence: int) -> None:
    """Plan the officer `a` as another process does."""
    request = PlanRequest(profile("a", {"reading": 1}, sequence=sequence), DAY, partition=0)
    await Planner(store, office.catalog, UTC).plan([request])


async def test_the_base_that_is_kept_of_a_saved_plan_is_the_stored_one(office: Office) -> None:
    key = key_of(TENANT, "a")
    await office.store.rules.put(TENANT, TenantRules(1, [Rule("language", ["th"], 2.0)]), "tests")
    await office.plan(profile("a", {"reading": 0}, sequence=1))
    assert await office.store.bases([key]) == await other_store(office).bases([key])
    await office.give_feedback("a", "read", "pin", "one")
    assert await office.store.bases([key]) == await other_store(office).bases([key])
    await office.plan(profile("a", {"reading": 1}, sequence=2))
    [base] = (await office.store.bases([key])).values()
    assert base.feedback.sequence == base.head.feedback_sequence == 1
    assert await office.store.bases([key]) == await other_store(office).bases([key])


async def test_a_plan_that_was_saved_here_last_is_not_read_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.plan(profile("a", {"reading": 0}, sequence=1))

    async def refused(*_: object) -> list[dict[str, Any]]:
        raise AssertionError("the plan is read")

    monkeypatch.setattr(PlanStore, "_by_keys", refused)
    await office.plan(profile("a", {"reading": 1}, sequence=2))
    monkeypatch.undo()
    assert await office.announced("a") == [(2, 2)]
    office.replanner().on_assigned([0])  # other processes may have planned officers of these partitions
    monkeypatch.setattr(PlanStore, "_by_keys", refused)
    with pytest.raises(AssertionError, match="is read"):
        await office.plan(profile("a", {"reading": 2}, sequence=3))


@pytest.mark.parametrize("newer", [True, False])
async def test_a_plan_that_another_process_has_changed_is_read_again_and_nothing_is_lost(
    office: Office, newer: bool
) -> None:
    await office.plan(profile("a", {"reading": 0}, sequence=1))
    await plan_elsewhere(office, other_store(office), 2 if newer else 4)
    await office.plan(profile("a", {"reading": 2}, sequence=3))
    plan = await office.plan_of("a")
    assert (plan["revision"], plan["profile_sequence"]) == ((3, 3) if newer else (2, 4))
    past = [row["revision"] async for row in office.database["history"].find().sort("revision", 1)]
    assert past == [1, 2]


async def test_feedback_that_another_process_has_stored_is_followed(office: Office) -> None:
    await office.plan(profile("a", {"reading": 0}, sequence=1))
    other = Planner(other_store(office), office.catalog, UTC)
    command = FeedbackCommand(TENANT, "a", "read", "not_relevant", None, "one", "digest")
    await FeedbackHandler(other, WorkQueue()).take(command)
    await office.plan(profile("a", {"reading": 0}, sequence=2))
    path = (await office.path_of("a")).path
    assert [step.course.id for step in path.steps] == ["long"]
    assert path.versions.feedback == 1


async def test_an_officer_whom_another_process_has_erased_stays_erased(office: Office) -> None:
    await office.plan(profile("a", {"reading": 0}, sequence=1))
    assert await other_store(office).erase(TENANT, "a", 3, 0)
    await office.plan(profile("a", {"reading": 1}, sequence=2))
    assert (await office.plan_of("a"))["erased"]
    assert await office.database["history"].count_documents({}) == 0


async def test_no_base_is_kept_of_an_erased_officer(office: Office) -> None:
    await office.plan(profile("a", {"reading": 0}, sequence=1))
    assert await office.store.erase(TENANT, "a", 2, 0)
    [base] = (await office.store.bases([key_of(TENANT, "a")])).values()
    assert base.head.erased


def plan_by_hand(sequence: int, based_on: PlanHead | None) -> NewPlan:
    """Return a plan of the officer `a` that was not computed."""
    request = PlanRequest(profile("a", sequence=sequence), DAY)
    record = record_of(request, framework({"reading": 3}), 1)
    return NewPlan(0, request.profile, empty_path("a", sequence, TENANT), based_on, record=record)


async def test_nothing_is_kept_of_an_officer_who_is_erased_before_the_database_has_answered(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, staged = key_of(TENANT, "a"), Staged()
    store = PlanStore(office.database, staged)
    await store.save([plan_by_hand(1, None)])
    assert [*staged.take_handed_over()] == [key]
    [base] = store.plan_bases.of([key]).values()

    async def written_and_erased(*given: Any) -> int:
        count = await bulk_write(*given)
        assert await store.erase(TENANT, "a", 3, 0)
        return count

    monkeypatch.setattr(plans, "bulk_write", written_and_erased)
    assert await store.save([plan_by_hand(2, base.head)]) == []
    assert store.plan_bases.of([key]) == {}
    assert staged.take_handed_over() == {}
    assert staged.begin_reading()


async def test_the_bases_of_the_plans_saved_last_are_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_bases, "MOST_BASES", 2)
    for officer in ("a", "b", "a", "c"):
        sequence = 2 if (await office.store.sequences([key_of(TENANT, officer)])) else 1
        await office.plan(profile(officer, {"reading": 0}, sequence=sequence))
    keys = [key_of(TENANT, officer) for officer in "abc"]
    assert [*office.store.plan_bases.of(keys)] == [keys[0], keys[2]]


# --- rules and deadlines ---------------------------------------------------------------------------------------------


async def test_a_path_under_rules_that_another_replica_has_replaced_is_replanned(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "_RECENT_SECONDS", 1000.0)
    await office.plan(profile("a", {"reading": 0}))
    other_replica = rules.RuleStore(office.database)
    await other_replica.put(TENANT, TenantRules(1, [Rule("course", ["read"], 0)]), "key")
    await office.plan(profile("b", {"reading": 0}))  # the rules of a moment ago are not read again
    assert (await office.path_of("b")).path.versions.rules == 0
    assert await office.replanner().after_newer_rules([0]) == 2
    await office.plan(profile("c", {"reading": 0}))
    for officer in ("a", "b", "c"):
        path = (await office.path_of(officer)).path
        assert ([step.course.id for step in path.steps], path.versions.rules) == (["long"], 1)


@pytest.mark.parametrize("after_catalog_change", [False, True])
async def test_a_path_is_not_planned_under_rules_older_than_its_own(
    office: Office, monkeypatch: pytest.MonkeyPatch, after_catalog_change: bool
) -> None:
    monkeypatch.setattr(rules, "_RECENT_SECONDS", 1000.0)
    await office.plan(profile("a", {"reading": 0}))  # this replica has read version 0
    other_replica = PlanStore(office.database)
    await other_replica.rules.put(TENANT, TenantRules(1, [Rule("course", ["read"], 0)]), "key")
    assert await Replanner(Planner(other_replica, office.catalog, UTC), list).after_newer_rules([0]) == 1
    if after_catalog_change:
        change = course("long", ("reading", 0, 3), hours=5)
        apply_changes(office.catalog, ("long", CoursePublished(SHARED_TENANT, change)))
        assert await office.replanner().after_catalog_change([0], 0) == 1
    else:
        await office.plan(profile("a", {"reading": 1}, sequence=2))
    event = await office.path_of("a")
    found = event.revision, [step.course.id for step in event.path.steps], event.path.versions.rules
    assert found == (3, ["long"], 1)


async def test_plans_are_marked_with_the_rules_that_they_were_made_under(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second change comes while the paths are planned under the first."""
    await office.plan(profile("a", {"reading": 0}))
    forbids = Rule("course", ["read"], 0)
    await office.store.rules.put(TENANT, TenantRules(1, [Rule("course", ["another"], 0)]), "key")
    planner = office.planner()
    solve_all = planner.pool.solve

    async def solve_and_change(*given: Any) -> Any:
        results = await solve_all(*given)
        monkeypatch.undo()
        await office.store.rules.put(TENANT, TenantRules(2, [forbids]), "key")
        return results

    monkeypatch.setattr(planner.pool, "solve", solve_and_change)
    assert await office.replanner(planner).after_newer_rules([0]) == 0  # the path is the same
    assert (await office.plan_of("a"))["rules"] == 1
    assert await office.replanner(planner).after_newer_rules([0]) == 1
    assert [step.course.id for step in (await office.path_of("a")).path.steps] == ["long"]


async def test_newer_rules_replan_the_paths_in_the_owned_partitions(office: Office) -> None:
    for officer in ("a", "b"):
        await office.plan(profile(officer, {"reading": 0 if officer == "a" else 3}))
    await office.store.rules.put(TENANT, TenantRules(1, [Rule("course", ["read"], 0)]), "key")
    assert await office.replanner().after_newer_rules([1]) == 0
    assert await office.replanner().after_newer_rules([0]) == 1
    path = await office.path_of("a")
    assert ([step.course.id for step in path.path.steps], path.cause) == (["long"], "rules")
    untouched = await office.plan_of("b")  # its path came out the same
    assert (untouched["revision"], untouched["rules"]) == (1, 1)
    assert await office.replanner().after_newer_rules([0]) == 0


async def test_the_rules_of_all_tenants_are_checked_once_and_then_those_that_are_new(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replanning, "_TENANTS", 4)
    asked = list[dict[str, int]]()
    under_older_rules = PlanStore.under_older_rules

    def noted(self: PlanStore, versions: Mapping[str, int], partitions: Collection[int]) -> AsyncIterator[StoredPlan]:
        asked.append(dict(versions))
        return under_older_rules(self, versions, partitions)

    monkeypatch.setattr(PlanStore, "under_older_rules", noted)
    await office.plan(profile("a", {"reading": 0}))
    for tenant in range(9):
        await office.store.rules.put(f"t{tenant}", TenantRules(1), "key")
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    await office.database["rules"].update_many({}, {"$set": {"put_at": long_ago}})
    replanner = office.replanner()
    assert await replanner.after_newer_rules([0, 1]) == 0
    assert [len(some) for some in asked] == [4, 4, 1], "one query names a few tenants only"
    asked.clear()
    assert await replanner.after_newer_rules([0]) == 0
    assert asked == []
    other_replica = rules.RuleStore(office.database)
    await other_replica.put(TENANT, TenantRules(1), "key")
    await other_replica.put(TENANT, TenantRules(2, [Rule("course", ["read"], 0)]), "key")
    assert await replanner.after_newer_rules([0]) == 1
    assert asked == [{TENANT: 2}]
    assert [step.course.id for step in (await office.path_of("a")).path.steps] == ["long"]
    asked.clear()
    assert await replanner.after_newer_rules([0, 2]) == 0, "partition 2 is new, and 1 is another replica's"
    assert sum(map(len, asked)) == 10


async def test_a_path_with_a_deadline_is_planned_again_after_a_week(office: Office) -> None:
    due = profile("due", {"reading": 0})
    due = msgspec.structs.replace(due, weekly_hours=5, deadline=date(2999, 1, 1))
    await office.planner().plan([PlanRequest(due, date(2026, 11, 1), cause="assessment", partition=0)])
    await office.plan(profile("free", {"reading": 0}))
    assert await office.replanner().near_deadlines([0]) == 0
    later = datetime.now(UTC) + timedelta(days=8)
    assert await office.replanner().near_deadlines([1], later) == 0
    assert await office.replanner().near_deadlines([0], later) == 1
    path = await office.path_of("due")
    assert (path.revision, path.cause, path.path.as_of) == (2, "deadline", office.planner().today())
    assert (await office.path_of("free")).revision == 1
    again = (await office.plan_of("due"))["replan_at"]
    assert timedelta(days=6) < again - datetime.now(UTC) < timedelta(days=8)


async def test_a_deadline_that_has_passed_is_left_alone(office: Office) -> None:
    past = msgspec.structs.replace(profile("past", {"reading": 0}), weekly_hours=5, deadline=date(2020, 1, 1))
    await office.plan(past)
    assert (await office.plan_of("past"))["replan_at"] is None


async def test_the_rules_of_a_tenant_are_kept_only_while_they_are_recent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tenant, seconds in (("a", 0.0), ("b", 0.0), ("a", 1000.0), ("c", 1000.0)):
        monkeypatch.setattr(rules, "_RECENT_SECONDS", seconds)
        await office.store.rules.of(tenant)
    assert [*office.store.rules._recent] == ["a", "c"]


# --- batches ---------------------------------------------------------------------------------------------------------


async def test_planning_a_batch_in_threads_equals_planning_one_by_one() -> None:
    known = CatalogReplica()
    levels = {f"s{number:02}": 4.0 for number in range(8)}
    entries = catalog(300, 8, seed=7)
    apply_changes(
        known,
        (FRAMEWORK, FrameworkPublished(SHARED_TENANT, framework(levels))),
        *((entry.id, CoursePublished(SHARED_TENANT, entry)) for entry in entries),
    )
    officers = [profile(f"o{i}", {skill: (i + j) % 4 for j, skill in enumerate(levels)}) for i in range(40)]
    cases = [PlanRequest(one, DAY) for one in officers]
    solver = PlanPool(4)
    try:
        together = await solver.solve(cases, known.snapshot)
    finally:
        solver.close()
    alone = [solve(case, known.snapshot.view(TENANT)) for case in cases]
    assert [msgspec.json.encode(one.path) for one in together] == [msgspec.json.encode(one.path) for one in alone]
    assert {one.path.versions.profile for one in together} == {1}
    assert all(not one.violations and one.path.steps for one in together)
    assert len({msgspec.json.encode(one.path.steps) for one in together}) > 1


async def test_the_event_loop_runs_while_a_batch_is_planned(office: Office) -> None:
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(turning())
    await office.planner().plan(
        [PlanRequest(profile(f"o{i}", {"reading": 0}), DAY, cause="assessment", partition=0) for i in range(50)]
    )
    task.cancel()
    assert turns > 10
    assert await office.plans.count_documents({}) == 50


# --- a database that goes away ---------------------------------------------------------------------------------------


async def test_feedback_that_cannot_be_stored_is_an_error_and_stored_dismissals_hold(own_mongodb: Mongod) -> None:
    async with office_at(own_mongodb.address, "", READ, LONG) as office:
        await office.plan(profile("a", {"reading": 0}))
        await own_mongodb.stop()
        with pytest.raises(Unavailable):
            await office.give_feedback("a", "read", "not_relevant", "ban")
        await own_mongodb.start()
        assert "feedback" not in await office.plan_of("a")
        await office.give_feedback("a", "read", "not_relevant", "ban")  # sent again under the same key
        await office.plan(profile("a", {"reading": 0}, sequence=2))
        path = await office.path_of("a")
        assert ([step.course.id for step in path.path.steps], path.revision) == (["long"], 3)


# --- a path that does not obey yet -----------------------------------------------------------------------------------


async def test_a_stale_path_follows_feedback_at_the_next_catalog_change(office: Office) -> None:
    await office.plan(profile("a", {"reading": 0}))
    stored = await office.store.find(TENANT, "a")
    assert stored is not None
    dismissed = apply_feedback(stored.feedback, "read", "not_relevant", at=datetime.now(UTC), now=datetime.now(UTC))
    key = IdempotencyRecord("k", "digest", 1, 1, stale=True, at=datetime.now(UTC))
    assert await office.store.save_stale_feedback(stored, dismissed, key, 0)
    assert not await office.store.save_stale_feedback(stored, dismissed, key, 0)  # a lost race changes nothing
    found = await office.store.find_path(TENANT, "a")
    assert found is not None
    assert office.catalog.is_stale(found.head)
    apply_changes(office.catalog, ("long", CoursePublished(SHARED_TENANT, course("long", ("reading", 0, 3), hours=5))))
    assert await office.replanner().after_catalog_change([0], 0) == 1
    path = await office.path_of("a")
    assert ([step.course.id for step in path.path.steps], path.path.versions.feedback) == (["long"], 1)
    assert (await office.plan_of("a"))["stale"] is False
