import math

import numpy as np
import pytest

from services.recommender.index import Snapshot
from services.recommender.offers import offer_of
from tests.builders import catalogue, course, framework, view_of


def test_cosine_equals_the_one_worked_out_by_hand() -> None:
    index = view_of(
        [course("one", ("a", 0, 2), ("b", 0, 1)), course("two", ("c", 0, 1)), course("x", ("q", 0, 1), of="o")]
    )
    found = index.shelf.teaching("fw").similarities({"a": 3.0, "c": 4.0, "unknown": 9.0})
    by_hand = [3 * 2 / (math.sqrt(5) * 5), 4 / 5, 0.0]
    assert found == pytest.approx(by_hand, abs=1e-6)


def test_cosine_of_nothing_is_zero() -> None:
    index = view_of([course("one", ("a", 0, 2))]).shelf.teaching("fw")
    assert not index.similarities({}).any()
    assert not index.similarities({"z": 1.0}).any()
    assert view_of([]).shelf.teaching("fw").similarities({"a": 1.0}).size == 0


def test_many_gap_vectors_at_once_give_the_cosines_of_each() -> None:
    index = view_of(catalogue(60, 6, seed=5)).shelf.teaching("fw")
    gaps = [{"s00": 1.0, "s03": 2.0}, {"s01": 0.5}, {"s02": 1.0, "s04": 0.1, "s05": 3.0}]
    dense = index.matrix.toarray()
    for gap in gaps:
        vector = np.array([gap.get(skill, 0.0) for skill in index.columns])
        lengths = np.linalg.norm(dense, axis=1) * np.linalg.norm(vector)
        expected = np.divide(dense @ vector, lengths, out=np.zeros(len(dense)), where=lengths > 0)
        assert index.similarities(gap) == pytest.approx(expected, abs=1e-6)


def test_a_tenant_sees_shared_courses_and_its_own_and_never_those_of_another() -> None:
    snapshot = Snapshot().put_course("shared", course("a", ("a", 0, 1)), 1)
    snapshot = snapshot.put_course("mine", course("b", ("a", 0, 1)), 2).put_course(
        "theirs", course("c", ("a", 0, 1)), 3
    )
    assert [snapshot.view("mine").course(name) is not None for name in "abc"] == [True, True, False]
    assert [snapshot.view("nobody").course(name) is not None for name in "abc"] == [True, False, False]
    assert snapshot.view("mine").catalogue_revision == 3


def test_an_own_course_stands_before_a_shared_one_until_it_is_withdrawn() -> None:
    snapshot = Snapshot().put_course("shared", course("a", ("a", 0, 1), hours=1), 1)
    snapshot = snapshot.put_course("mine", course("a", ("a", 0, 1), hours=9), 2)
    assert snapshot.view("mine").course("a") == course("a", ("a", 0, 1), hours=9)
    assert snapshot.view("shared").course("a") == course("a", ("a", 0, 1), hours=1)
    assert snapshot.withdraw_course("mine", "a", 3).view("mine").course("a") == course("a", ("a", 0, 1), hours=1)


def test_frameworks_resolve_like_courses() -> None:
    snapshot = Snapshot().put_framework("shared", framework({"a": 1}, version=1), 1)
    snapshot = snapshot.put_framework("mine", framework({"a": 2}, version=7), 2)
    assert snapshot.view("mine").framework("fw") == framework({"a": 2}, version=7)
    assert snapshot.view("other").framework("fw") == framework({"a": 1}, version=1)
    assert snapshot.view("other").framework("none") is None


def test_a_change_leaves_the_old_snapshot_as_it_was_and_keeps_what_it_did_not_touch() -> None:
    before = (
        Snapshot().put_courses("shared", catalogue(30, 4, seed=1), 1).put_course("mine", course("m", ("a", 0, 1)), 2)
    )
    shelf = before.view("other").shelf
    after = before.put_course("mine", course("n", ("a", 0, 1)), 3)
    assert before.view("mine").course("n") is None
    assert after.view("mine").course("n") is not None
    assert after.view("other").shelf is shelf
    assert after.put_framework("shared", framework({"a": 1}), 4).view("other").shelf is shelf
    assert after.withdraw_course("shared", "c00001", 5).view("other").shelf is not shelf
    assert (before.catalogue_revision, after.catalogue_revision) == (2, 3)


def test_rows_of_one_skill_are_read_as_one() -> None:
    offer = offer_of(course("a", ("a", 1, 2), ("a", 2, 3), ("b", 0, 1)))
    assert offer.teaches == {("fw", "a"): (1, 3), ("fw", "b"): (0, 1)}
    assert [(it.skill, it.level) for it in offer.entry("fw")] == [("a", 1)]
    assert offer.entry("other") == []
