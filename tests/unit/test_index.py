from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from services.recommender.planner.course_spec import LevelCondition, course_spec
from services.recommender.planner.index import catalog as index
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.planner.index.vocabulary import (
    HEAD_DTYPE,
    MATCHED_DTYPE,
    ROW_DTYPE,
    EncodedCourse,
    Vocabulary,
)
from services.recommender.planner.optimizer import query
from services.recommender.planner.pipeline import recommend
from shared.domain import SHARED_TENANT
from tests.support.builders import TENANT, after, at, catalog, course, framework, inputs


def test_a_tenant_sees_shared_courses_and_its_own_and_never_those_of_another() -> None:
    snapshot = Snapshot().put_courses("shared", [course("a", ("a", 0, 1))], 1)
    snapshot = snapshot.put_courses("mine", [course("b", ("a", 0, 1))], 2).put_courses(
        "theirs", [course("c", ("a", 0, 1))], 3
    )
    assert [snapshot.view("mine").course(name) is not None for name in "abc"] == [True, True, False]
    assert [snapshot.view("nobody").course(name) is not None for name in "abc"] == [True, False, False]
    assert snapshot.view("mine").catalog_revision == 3


def test_an_own_course_hides_a_shared_one_until_it_is_withdrawn() -> None:
    snapshot = Snapshot().put_courses("shared", [course("a", ("a", 0, 1), hours=1)], 1)
    snapshot = snapshot.put_courses("mine", [course("a", ("a", 0, 1), hours=9)], 2)
    assert snapshot.view("mine").course("a") == course("a", ("a", 0, 1), hours=9)
    assert snapshot.view("shared").course("a") == course("a", ("a", 0, 1), hours=1)
    assert snapshot.changed({"mine": {"a": None}}, {}, 3).view("mine").course("a") == course("a", ("a", 0, 1), hours=1)


def test_an_own_framework_hides_a_shared_one() -> None:
    snapshot = Snapshot().put_framework("shared", framework({"a": 1}, version=1), 1)
    snapshot = snapshot.put_framework("mine", framework({"a": 2}, version=7), 2)
    assert snapshot.view("mine").framework("fw") == framework({"a": 2}, version=7)
    assert snapshot.view("other").framework("fw") == framework({"a": 1}, version=1)
    assert snapshot.view("other").framework("none") is None


def test_a_change_keeps_the_old_snapshot_and_shares_unchanged_parts() -> None:
    before = (
        Snapshot().put_courses("shared", catalog(30, 4, seed=1), 1).put_courses("mine", [course("m", ("a", 0, 1))], 2)
    )
    shelf = before.view("other").catalog
    after = before.put_courses("mine", [course("n", ("a", 0, 1))], 3)
    assert before.view("mine").course("n") is None
    assert after.view("mine").course("n") is not None
    assert after.view("other").catalog is shelf
    assert after.put_framework("shared", framework({"a": 1}), 4).view("other").catalog is shelf
    assert after.changed({"shared": {"c00001": None}}, {}, 5).view("other").catalog is not shelf
    assert (before.catalog_revision, after.catalog_revision) == (2, 3)


def test_many_changes_are_copied_into_a_base_once_they_are_planned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MERGE_THRESHOLD", 2)
    monkeypatch.setattr(index, "UNMERGED", 6)
    made = list[int]()
    make = index.BaseSegment.__init__

    def counted(self: index.BaseSegment, entries: Mapping[str, EncodedCourse]) -> None:
        made.append(len(entries))
        make(self, entries)

    monkeypatch.setattr(index.BaseSegment, "__init__", counted)
    snapshot = Snapshot()
    for number in range(6):
        snapshot = snapshot.put_courses(SHARED_TENANT, [course(f"c{number}", ("a", 0, 1))], number + 1)
    snapshot = snapshot.changed({SHARED_TENANT: {"c0": None}}, {}, 7)
    assert made == [], "nobody has planned with them"
    snapshot.build()
    assert made == [5]
    after = snapshot.put_courses(SHARED_TENANT, [course("c6", ("a", 0, 1))], 8)
    after.build()
    assert made == [5], "one change is kept apart from the base of the snapshot before"
    assert [after.view(TENANT).course(f"c{n}") is not None for n in range(7)] == [False, *[True] * 6]
    for number in range(7, 13):
        after = after.put_courses(SHARED_TENANT, [course(f"c{number}", ("a", 0, 1))], number + 2)
    assert made == [5, 12], "too many changes for one copy are copied before"
    assert after.courses[SHARED_TENANT].changed == {}


def test_the_catalogs_of_only_some_tenants_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MERGE_THRESHOLD", 3)
    monkeypatch.setattr(index, "MAX_OVERLAYS", 4)
    snapshot = Snapshot().put_courses(SHARED_TENANT, [course("s", ("a", 0, 1))], 1)
    for number in range(20):
        snapshot = snapshot.put_courses(f"t{number:02}", [course(f"c{number}", ("a", 0, 1))], number + 2)
    snapshot = snapshot.put_courses("large", catalog(30, 4, seed=1), 22)
    snapshot.view("large")
    first = snapshot.view("t00").catalog
    for number in range(20):
        assert snapshot.view(f"t{number:02}").course(f"c{number}") is not None
        assert len(snapshot.viewed) <= 2 + 4
    assert sorted(snapshot.viewed) == ["large", SHARED_TENANT, "t16", "t17", "t18", "t19"]
    again = snapshot.view("t00").catalog
    assert again is not first
    assert again.overlay == first.overlay
    assert snapshot.view("t00").catalog is again


class Unread(dict[Any, Any]):
    """A dictionary whose keys must not be listed."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("the skills of all tenants are read")


def test_the_skills_of_a_framework_are_found_without_reading_those_of_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vocabulary = Vocabulary()
    monkeypatch.setattr(vocabulary, "skills", Unread())
    monkeypatch.setattr(query, "VOCABULARY", vocabulary)
    vocabulary.entry(course("a", ("a", 1, 2), ("b", 0, 1), of="one"))
    vocabulary.entry(course("b", ("a", 0, 1), of="two"))
    vocabulary.entry(course("c", ("b", 0, 1), ("c", 0, 1), of="one"))
    query.skills_of.cache_clear()
    found = [query.skills_of(name, count).tolist() for name, count in (("one", 4), ("one", 3), ("two", 4), ("no", 2))]
    query.skills_of.cache_clear()
    assert found == [[True, True, False, True], [True, True, False], [False, False, True, False], [False, False]]


def test_rows_of_one_skill_are_merged() -> None:
    offer = course_spec(course("a", ("a", 1, 2), ("a", 2, 3), ("b", 0, 1)))
    assert offer.teaches == {("fw", "a"): (1, 3), ("fw", "b"): (0, 1)}
    assert offer.conditions("fw") == (LevelCondition(("fw", "a"), 1_000_000),)
    assert offer.conditions("other") == ()


def test_a_tenant_catalog_built_before_a_skill_was_numbered_can_be_planned_on() -> None:
    snapshot = Snapshot().put_courses(SHARED_TENANT, [course("old", ("a", 0, 1))], 1)
    changed = snapshot.put_courses("one", [course("new", ("a", 1, 2))], 2)
    view = changed.view("one")
    assert view.catalog.delta[0].size
    changed.put_courses("other", [course("elsewhere", ("never-seen-before", 0, 1))], 3)
    path = recommend(inputs(framework({"a": 2}), {"a": 0}), view)
    assert [step.course.id for step in path.steps] == ["old", "new"]


def test_a_from_level_that_is_also_required_is_one_condition() -> None:
    vocabulary = Vocabulary()
    entry = vocabulary.entry(course("b-1", ("x", 1, 3), requires=[at("x", 1), at("x", 1)]))
    assert np.frombuffer(entry.requires, np.int32).tolist() == [0]
    assert len(vocabulary.conditions.table) == 1


def test_the_bytes_of_an_entry_are_records() -> None:
    taught = course("b-1", ("x", 1, 3), hours=2.5, requires=[after("a-1")])
    entry = Vocabulary().entry(taught)
    [head] = np.frombuffer(entry.head, HEAD_DTYPE)
    [row] = np.frombuffer(entry.rows, ROW_DTYPE)
    assert (head["rows"], head["conditions"], head["matched"], head["hours"]) == (1, 2, 0, 2_500_000)
    assert (row["low"], row["high"]) == (1_000_000, 3_000_000)
    assert np.frombuffer(entry.requires, np.int32).tolist() == [0, ~1], "the second one is the `from` level"
    assert len(np.frombuffer(entry.matched, MATCHED_DTYPE)) == 0
