"""Reading, planning and saving on a real MongoDB: batches, lost races, and paths that the validator rejects."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC
from typing import Any

import msgspec
import pytest

from services.recommender import consumer as consumer_module
from services.recommender.consumer import ProfileConsumer
from services.recommender.inputs import Inputs, PlanRequest
from services.recommender.plan_pool import PlanPool
from services.recommender.planning import Planner
from services.recommender.store.plans import COLLECTION
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import SHARED_TENANT, Profile, key_of
from shared.errors import Rejected
from shared.events import AssessmentCompleted, CoursePublished, CourseWithdrawn, new_event
from shared.kafka import BULK, ConsumedEvent, Record
from shared.paths import LearningPath
from tests.support.builders import DAY, MOMENT, TENANT, course, profile
from tests.support.planner import READ, Office, apply_changes, office_at
from tests.support.words import sentences


@pytest.fixture
async def office(mongodb_uri: str, namespace: str) -> AsyncIterator[Office]:
    async with office_at(mongodb_uri, namespace, READ) as office:
        yield office


def received(offset: int, one: Profile, *, bulk: bool = False) -> ConsumedEvent:
    data = AssessmentCompleted(one, f"assessment-{one.sequence}", "test", MOMENT)
    key, value, own = to_kafka(new_event("/test", one.key, one.sequence, data))
    headers = [*own, *(BULK if bulk else ())]
    return ConsumedEvent(Record("profiles", 0, offset, key, value, headers), from_kafka(key, value, headers))


async def nothing_to_take_back(_: str) -> None:
    """There is no topic here."""


def order(officer: str, sequence: int = 1, **levels: float) -> PlanRequest:
    return PlanRequest(profile(officer, levels, sequence=sequence), DAY, cause="assessment", partition=0)


async def test_only_the_newest_event_of_an_officer_in_a_batch_is_planned(office: Office) -> None:
    consumer = ProfileConsumer(planner := office.planner(), nothing_to_take_back)
    profiles = [order("a", 1).profile, order("b", 7).profile, order("a", 3, reading=2).profile, order("a", 2).profile]
    await consumer.on_profiles([received(offset, one) for offset, one in enumerate(profiles)])
    assert await office.announced("a") == [(1, 3)]
    assert await office.announced("b") == [(1, 7)]
    assert planner.planned == 2
    assert (await office.path_of("a")).path.gaps[0].level == 2


class InTurn(Planner):
    """A planner that records for whom it planned together."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.turns: list[list[str]] = []

    async def plan(self, requests: Sequence[PlanRequest]) -> None:
        await super().plan(requests)
        self.turns.append([request.profile.officer for request in requests])


async def test_single_changes_are_planned_before_an_import_of_the_same_batch(office: Office) -> None:
    """Of an officer with both, all events stay together and in their order."""
    planner = InTurn(office.store, office.catalog, UTC)
    consumer = ProfileConsumer(planner, nothing_to_take_back)
    batch = [
        received(0, order("bulk-1", 2).profile, bulk=True),
        received(1, order("both", 2, reading=1).profile, bulk=True),
        received(2, order("single", 2).profile),
        received(3, order("both", 3, reading=2).profile),
        received(4, order("bulk-2", 2).profile, bulk=True),
        received(5, order("both", 4, reading=3).profile, bulk=True),
    ]
    await consumer.on_profiles(batch)
    assert planner.turns == [["both", "both", "both", "single"], ["bulk-1", "bulk-2"]]
    assert await office.announced("both") == [(1, 4)]
    assert planner.planned == 4


async def test_one_tenant_does_not_wait_until_all_officers_of_another_are_planned(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "_TOGETHER", 10)
    planner = InTurn(office.store, office.catalog, UTC)
    consumer = ProfileConsumer(planner, nothing_to_take_back)
    many = [order(f"many-{number:02}", sequence).profile for sequence in (2, 3) for number in range(41)]
    few = [msgspec.structs.replace(order(name, 2).profile, tenant="few") for name in ("few-1", "few-2")]
    await consumer.on_profiles([received(offset, one) for offset, one in enumerate([*many, *few])])
    first, *others = [sorted(turn) for turn in planner.turns]
    assert {"few-1", "few-2"} <= {*first}
    turns = [{*turn} for turn in (first, *others)]
    assert sorted(map(len, turns)) == [8, 8, 9, 9, 9]
    assert sum(map(len, turns)) == len(set().union(*turns)) == 43  # all events of an officer are together
    assert planner.planned == 43
    assert await office.announced("many-40") == [(1, 3)]


async def test_a_profile_is_planned_after_a_restore_from_an_older_copy(office: Office) -> None:
    """MongoDB and not the memory of this process tells whether a profile is older than its plan."""
    consumer = ProfileConsumer(office.planner(), nothing_to_take_back)
    await consumer.on_profiles([received(0, order("a", 2).profile)])
    copy = await office.database[COLLECTION].find_one({"officer": "a"})
    assert copy is not None
    for sequence in (3, 4):
        await consumer.on_profiles([received(sequence, order("a", sequence, reading=1).profile)])
    assert (await office.path_of("a")).revision == 3
    await office.database[COLLECTION].replace_one({"officer": "a"}, copy)
    await consumer.on_profiles([received(5, order("a", 3, reading=2).profile)])
    assert (await office.path_of("a")).path.versions.profile == 3
    assert (await office.path_of("a")).path.gaps[0].level == 2


async def test_a_repeated_batch_changes_nothing(office: Office) -> None:
    consumer = ProfileConsumer(planner := office.planner(), nothing_to_take_back)
    batch = [received(offset, order(f"o{offset}", 2).profile) for offset in range(20)]
    await consumer.on_profiles(batch)
    before = [document async for document in office.plans.find().sort("_id", 1)]
    await consumer.on_profiles(batch)
    assert [document async for document in office.plans.find().sort("_id", 1)] == before
    assert planner.planned == 20


async def test_after_a_write_conflict_the_writer_decides_again(office: Office) -> None:
    officers = [f"o{number}" for number in range(10)]

    async def work(sequences: Iterable[int]) -> None:
        planner = office.planner()
        for sequence in sequences:
            await planner.plan([order(officer, sequence) for officer in officers])

    # Two replicas that both treat the partition as their own, with the same changes and with changes of their own.
    await asyncio.gather(work([1, 2, 3, 4, 5, 6]), work([2, 4, 6, 7]), work([1, 3, 5, 7]))
    for officer in officers:
        [(revision, sequence)] = await office.announced(officer)
        past = [row["revision"] async for row in office.database["history"].find({"officer": officer})]
        assert set(past) >= set(range(1, revision))  # who lost a race may have copied the present one too
        assert sequence == 7


async def test_an_assessment_during_replanning_is_not_lost_and_neither_is_the_change(office: Office) -> None:
    officers = [f"o{number}" for number in range(10)]
    await office.planner().plan([order(officer) for officer in officers])
    apply_changes(office.catalog, ("read", CoursePublished(SHARED_TENANT, course("read", ("reading", 0, 3), hours=3))))
    await asyncio.gather(
        office.replanner().after_catalog_change([0], 2),
        office.planner().plan([order(officer, 2, reading=1) for officer in officers]),
    )
    await office.replanner().after_catalog_change([0], 2)
    for officer in officers:
        path = (await office.path_of(officer)).path
        assert (path.versions.profile, path.versions.catalog) == (2, 3)
        assert [step.course.hours for step in path.steps] == [3]
        [(revision, _)] = await office.announced(officer)
        past = [row["revision"] async for row in office.database["history"].find({"officer": officer})]
        assert set(past) >= set(range(1, revision))  # who lost a race may have copied the present one too


async def test_replanning_reads_only_the_given_partitions(office: Office) -> None:
    await office.planner().plan(
        [order("mine"), PlanRequest(order("theirs").profile, DAY, cause="assessment", partition=1)]
    )
    apply_changes(office.catalog, ("read", CourseWithdrawn(SHARED_TENANT, "read")))
    assert await office.replanner().after_catalog_change([0], 2) == 1
    assert (await office.plan_of("mine"))["revision"] == 2
    assert (await office.plan_of("theirs"))["revision"] == 1
    assert await office.replanner().after_catalog_change([0], 2) == 0


async def test_a_repeated_profile_moves_a_plan_to_the_partition_from_which_it_came(office: Office) -> None:
    """Else nobody would plan again for an officer whose partition the topic does not have any more."""
    planner = office.planner()
    for partition in (30, 1):
        moved = [PlanRequest(order(name).profile, DAY, cause="assessment", partition=partition) for name in ("a", "b")]
        await planner.plan([*moved, order("stays")])
    apply_changes(office.catalog, ("read", CourseWithdrawn(SHARED_TENANT, "read")))
    assert await office.replanner().after_catalog_change([1], 2) == 2
    assert [(await office.plan_of(name))["revision"] for name in ("a", "b", "stays")] == [2, 2, 1]
    assert await office.replanner().after_catalog_change([0], 2) == 1


async def test_a_plan_that_was_read_before_it_moved_is_saved_where_it_belongs_now(office: Office) -> None:
    planner = office.planner()
    await planner.plan([order("a")])
    stored = await office.store.find("agency", "a")
    assert stored is not None
    await planner.plan([PlanRequest(order("a").profile, DAY, cause="assessment", partition=1)])
    apply_changes(office.catalog, ("read", CourseWithdrawn(SHARED_TENANT, "read")))
    saved, _, _ = await planner.replan([stored], "catalog")
    assert saved == 1
    assert (await office.plan_of("a"))["partition"] == 1


async def test_a_change_without_effect_makes_no_new_path(office: Office) -> None:
    await office.planner().plan([order("a")])
    before = await office.path_of("a")
    same = msgspec.structs.replace(READ, modality="blended")
    apply_changes(office.catalog, ("read", CoursePublished(SHARED_TENANT, same)))
    assert await office.replanner().after_catalog_change([0], 2) == 0
    assert await office.path_of("a") == before
    assert (await office.plan_of("a"))["considered"] == 3


# --- what the validator rejects --------------------------------------------------------------------------------------


def doubting(office: Office) -> Planner:
    """Return a planner whose validator rejects every path that has steps."""
    planner = office.planner()
    planner.pool = PlanPool(1, check=lambda path, *_: ["unsound"] if path.steps else [])
    return planner


async def test_an_officer_whose_first_path_is_rejected_gets_a_reason(office: Office) -> None:
    planner = doubting(office)
    with pytest.raises(Rejected, match="the validator rejects the path: agency/a: "):
        await planner.plan([order("a")])
    path = (await office.path_of("a")).path
    assert (path.status, path.steps) == ("refused", [])
    assert "unsound" in sentences(path).en
    assert await office.announced("a") == [(1, 1)]
    assert planner.refused == 1


async def test_a_rejected_path_keeps_the_previous_one_and_does_not_stop_others(office: Office) -> None:
    await office.planner().plan([order("a")])
    before = await office.plan_of("a")
    planner = doubting(office)
    done = order("done", reading=3)  # no gap, so no course to be refused for
    with pytest.raises(Rejected, match="agency/a"):
        await planner.plan([order("a", 2), done])
    assert await office.plan_of("a") == before
    assert (await office.path_of("done")).path.status == "ready"


async def test_replanning_never_saves_a_rejected_path(office: Office) -> None:
    await office.planner().plan([order("a")])
    before = await office.path_of("a")
    apply_changes(office.catalog, ("read", CoursePublished(SHARED_TENANT, course("read", ("reading", 0, 3), hours=3))))
    planner = doubting(office)
    assert await office.replanner(planner).after_catalog_change([0], 2) == 0
    assert await office.path_of("a") == before
    assert planner.refused == 1
    assert (await office.plan_of("a"))["considered"] == 2  # still stale, and looked at again


# --- what cannot be read or planned ----------------------------------------------------------------------------------


def dearer(office: Office) -> None:
    """Publish that the course takes longer: every path is due."""
    apply_changes(office.catalog, ("read", CoursePublished(SHARED_TENANT, course("read", ("reading", 0, 3), hours=9))))


@pytest.mark.parametrize("field", ["announced", "profile", "feedback"])
async def test_replanning_skips_an_undecodable_plan(office: Office, field: str) -> None:
    officers = [f"o{number}" for number in range(5)]
    planner = office.planner()
    await planner.plan([order(officer) for officer in officers])
    left = {"$set": {field: b'{"said": "in another version"}', "feedback_sequence": 1}}
    await office.plans.update_one({"_id": key_of(TENANT, "o2")}, left)
    before = await office.plan_of("o2")
    dearer(office)
    assert await office.replanner(planner).after_catalog_change([0], 2) == 4
    assert (await office.plan_of("o2"), planner.skipped) == (before, 1)
    assert await office.store.republish() == (4 if field == "announced" else 5)


async def test_replanning_skips_an_officer_whose_planning_fails(office: Office) -> None:
    failing = [order("o4", reading=1), order("o8", reading=1)]
    await office.planner().plan([*(order(f"o{number}") for number in (0, 1, 2, 3, 5, 6, 7)), *failing])
    dearer(office)
    planner = office.planner()

    def check(_: LearningPath, inputs: Inputs, *__: object) -> list[str]:
        if "reading" in inputs.levels:
            raise ZeroDivisionError
        return []

    planner.pool = PlanPool(2, check=check)
    assert await office.replanner(planner).after_catalog_change([0], 2) == 7
    assert planner.skipped == 2
    assert (await office.plan_of("o4"))["considered"] < office.catalog.revision  # due again with the next sweep


async def test_undecodable_rules_affect_only_their_tenant(office: Office) -> None:
    others = msgspec.structs.replace(order("b").profile, tenant="other")
    await office.planner().plan([order("a"), PlanRequest(others, DAY, cause="assessment", partition=0)])
    await office.database["rules"].insert_one({"_id": "other@1", "tenant": "other", "version": 1, "content": b"{"})
    await office.store.rules.refresh()
    dearer(office)
    planner = office.planner()
    assert (
        await office.replanner(planner).after_catalog_change([0], 2),
        await office.replanner(planner).after_newer_rules([0]),
        planner.skipped,
    ) == (1, 0, 2)
