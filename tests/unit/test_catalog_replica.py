"""What the recommender stores of the catalog's events."""

from datetime import date

import msgspec

from services.recommender.catalog_replica import Stamps, fold_events
from services.recommender.planner.index.catalog import Snapshot
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import Course, MatchedRow, Prose
from shared.events import CoursePublished, Event, new_event
from tests.support.builders import FRAMEWORK, TENANT, course


def event(one: Course, stamp: int) -> Event:
    envelope = new_event("/catalog", f"{TENANT}/{one.id}", stamp, CoursePublished(TENANT, one))
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
