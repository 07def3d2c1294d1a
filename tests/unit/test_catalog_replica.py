"""What the recommender stores of the catalog's events."""

from datetime import date
from typing import Any

import msgspec
import pytest

from services.recommender.catalog_replica import CatalogReplica, FoldedCatalog, Stamps, fold_events
from services.recommender.planner.index.catalog import Snapshot
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import Course, MatchedRow, Prose
from shared.events import CoursePublished, CourseWithdrawn, Event, new_event
from tests.support.builders import FRAMEWORK, TENANT, course


def event(one: Course, stamp: int, tenant: str = TENANT) -> Event:
    envelope = new_event("/catalog", f"{tenant}/{one.id}", stamp, CoursePublished(tenant, one))
    stamped = msgspec.structs.replace(envelope, catalog_revision=stamp)
    return from_kafka(*to_kafka(stamped))


def changed(stamp: int, *skills: str) -> Stamps:
    """Return the stamps of a change of the course `c1` with these skills, by default the one that it teaches."""
    stamps: Stamps = {(TENANT, "open_skills", f"{FRAMEWORK}/{skill}"): stamp for skill in skills or ("a",)}
    return {**stamps, (TENANT, "courses", "c1"): stamp}


def described(one: Course) -> Course:
    return msgspec.structs.replace(
        one,
        description=Prose(en="x" * 5000),
        tags=["a tag"],
        code="C 1",
        educational_level="beginner",
        corequisites=["c2"],
        antirequisites=["c3"],
        starts=date(2027, 1, 1),
        ends=date(2028, 1, 1),
        stated={"duration": "2 h"},
        assumed=["hours"],
    )


def test_fields_that_no_path_uses_are_dropped_and_their_change_affects_no_plan() -> None:
    one = course("c1", ("a", 0, 2))
    first = fold_events(Snapshot(), [event(described(one), 1)])
    assert first.snapshot.own_course(TENANT, "c1") == one
    assert first.stamps == changed(1)
    second = fold_events(first.snapshot, [event(one, 2)])
    assert (second.stamps, second.snapshot.catalog_revision) == ({}, 2)
    third = fold_events(second.snapshot, [event(msgspec.structs.replace(one, hours=9.0), 3)])
    assert third.stamps == changed(3)


def test_a_changed_match_affects_plans_with_the_skill_and_is_not_taught() -> None:
    row = MatchedRow(framework=FRAMEWORK, skill="b", from_level=0, to_level=2, confidence=0.7, threshold=0.4)
    one = course("c1", ("a", 0, 2))
    first = fold_events(Snapshot(), [event(one, 1)])
    second = fold_events(first.snapshot, [event(msgspec.structs.replace(one, matched=[row]), 2)])
    assert second.stamps == changed(2, "a", "b")
    stored = second.snapshot.own_course(TENANT, "c1")
    assert stored is not None
    assert (stored.teaches, stored.matched) == (one.teaches, [row])
    surer = msgspec.structs.replace(row, confidence=0.8)
    third = fold_events(second.snapshot, [event(msgspec.structs.replace(one, matched=[surer]), 3)])
    assert third.stamps == changed(3, "a", "b")
    assert fold_events(third.snapshot, [event(msgspec.structs.replace(one, matched=[surer]), 4)]).stamps == {}


def test_a_batch_of_many_tenants_makes_one_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[int]()
    make = Snapshot.__init__

    def counted(self: Snapshot, *given: Any, **named: Any) -> None:
        made.append(1)
        make(self, *given, **named)

    before = Snapshot()
    monkeypatch.setattr(Snapshot, "__init__", counted)
    events = [event(course(f"c{n}", ("a", 0, 2)), n + 1, f"t{n % 50}") for n in range(200)]
    folded = fold_events(before, events)
    assert len(made) == 1
    assert (len(folded.snapshot.courses), len(folded.stamps), folded.snapshot.catalog_revision) == (50, 250, 200)
    assert folded.snapshot.own_course("t7", "c57") == course("c57", ("a", 0, 2))


def test_a_course_that_is_withdrawn_and_put_again_in_one_batch_has_changed() -> None:
    one = course("c1", ("a", 0, 2))
    gone = new_event("/catalog", f"{TENANT}/c1", 2, CourseWithdrawn(TENANT, "c1"))
    withdrawn = from_kafka(*to_kafka(msgspec.structs.replace(gone, catalog_revision=2)))
    folded = fold_events(fold_events(Snapshot(), [event(one, 1)]).snapshot, [withdrawn, event(one, 3)])
    assert folded.snapshot.own_course(TENANT, "c1") == one
    assert folded.stamps == changed(3)


class CountedStamp(int):
    """A stamp that counts how often stamps are compared."""

    compared = 0

    def __le__(self, other: int) -> bool:
        CountedStamp.compared += 1
        return int(self) <= other

    def __gt__(self, other: int) -> bool:
        CountedStamp.compared += 1
        return int(self) > other


def test_what_changed_since_a_revision_is_found_without_reading_everything_that_ever_changed() -> None:
    replica = CatalogReplica()
    stamps: Stamps = {("t", "courses", f"c{n}"): CountedStamp(n) for n in range(1, 5001)}
    replica.take(FoldedCatalog(Snapshot().changed({}, {}, 5000), stamps))
    news: Stamps = {("t", "courses", "c9"): CountedStamp(5002), ("t", "courses", "c3"): CountedStamp(5001)}
    replica.take(FoldedCatalog(Snapshot().changed({}, {}, 5002), news))
    CountedStamp.compared = 0
    assert replica.changes_since(5000) == {("t", "courses"): ["c9", "c3"]}
    assert replica.changes_since(5001) == {("t", "courses"): ["c9"]}
    assert replica.changes_since(5002) == {}
    assert CountedStamp.compared == 3 + 2 + 1
    assert replica.changes_since(1000) is None
    assert len((replica.changes_since(3002) or {})["t", "courses"]) == 2000
    assert replica.changes_since(3001) is None
