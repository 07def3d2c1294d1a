"""What a shared prerequisite costs: a closure takes the hours of its union, in the search and in the sentences."""

from typing import Any

import msgspec
import pytest

from services.recommender.plan_validator.validate import validate
from services.recommender.planner.pipeline import recommend
from shared.domain import Completions, Course, Framework, Prerequisite
from shared.paths import LearningPath
from tests.support.builders import after, at, course, framework, inputs, view_of
from tests.support.random_plans import differences, published

TWO = framework({"t": 2}, others=["x", "y"])
SHARED = [
    course("goal", ("t", 0, 2), hours=2, requires=[at("x", 1), at("y", 1)]),
    course("both", ("x", 0, 1), ("y", 0, 1), hours=2),
    course("only-x", ("x", 0, 1), hours=1.5),
    course("only-y", ("y", 0, 1), hours=1.5),
]
NAMES = [f"k{n:02}" for n in range(20)]
TWENTY = framework({"t": 2}, others=NAMES)
WIDE = [
    course("goal", ("t", 0, 2), hours=2, requires=[at(name, 1) for name in NAMES]),
    course("wide", *((name, 0, 1) for name in NAMES), hours=2),
    *(course(f"only-{name}", (name, 0, 1), hours=1.5) for name in NAMES),
]
BRANCHES = framework({"t": 2, "g": 2}, others=["a", "b", "p"])
EITHER = [
    course("P", ("p", 0, 1), hours=90),
    course("T", ("t", 0, 2), hours=10, requires=[at("p", 1)]),
    course("A", ("a", 0, 1), hours=30, requires=[at("p", 1)]),
    course("B", ("a", 0, 1), hours=75),
    course("G", ("g", 0, 2), hours=45, requires=[at("a", 1)]),
]
BY_COURSE = [
    course("P", ("p", 0, 1), hours=90),
    course("T", ("t", 0, 2), hours=10, requires=[after("P")]),
    course("A", ("a", 0, 1), hours=30, requires=[after("P")]),
    course("B", ("b", 0, 1), hours=75),
    course("G", ("g", 0, 2), hours=45, requires=[Prerequisite(any=[after("A"), after("B")])]),
]


def found(yardstick: Framework, courses: list[Course], **wishes: Any) -> LearningPath:
    """Return the path, which both rules give in the same bytes."""
    plan = inputs(yardstick, dict.fromkeys((row.skill for row in yardstick.requirements), 0.0), **wishes)
    view = view_of(courses)
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    assert differences(plan, view, published(courses)) is None
    return path


def names(path: LearningPath) -> list[str]:
    return [step.course.id for step in path.steps]


@pytest.mark.parametrize("budget", [4, 4.5, 5, None])
def test_one_course_for_two_conditions_counts_once(budget: float | None) -> None:
    path = found(TWO, SHARED, budget_hours=budget)
    assert (names(path), path.hours) == (["both", "goal"], 4)


@pytest.mark.parametrize("budget", [4, 20, 40, None])
def test_one_course_for_twenty_conditions_counts_once(budget: float | None) -> None:
    path = found(TWENTY, WIDE, budget_hours=budget)
    assert (names(path), path.hours) == (["wide", "goal"], 4)


@pytest.mark.parametrize("courses", [EITHER, BY_COURSE])
def test_a_branch_that_another_target_already_needs_is_used(courses: list[Course]) -> None:
    path = found(BRANCHES, courses, budget_hours=175)
    assert set(names(path)) == {"P", "T", "A", "G"}
    assert (path.hours, path.open) == (175, [])


@pytest.mark.parametrize("hours", [3.5, 2])
def test_a_gap_whose_minimum_closure_does_not_fit_stays_open_for_hours(hours: float) -> None:
    path = found(TWO, SHARED, budget_hours=hours)
    assert names(path) == []
    assert [(gap.cause, gap.courses) for gap in path.open] == [("budget", ["both", "goal"])]


def test_a_target_with_shared_prerequisites_is_preferred_to_a_smaller_course() -> None:
    yardstick = framework({"t": 2, "u": 1}, weights={"t": 1, "u": 0.1}, others=["x", "y"])
    path = found(yardstick, [*SHARED, course("small", ("u", 0, 1), hours=3)], budget_hours=4.5)
    assert names(path) == ["both", "goal"]


def test_hours_saved_by_a_shorter_closure_are_used() -> None:
    yardstick = framework({"t": 2, "u": 1}, weights={"t": 1, "u": 0.1}, others=["x", "y"])
    path = found(yardstick, [*SHARED, course("small", ("u", 0, 1), hours=1)], budget_hours=5)
    assert (set(names(path)), path.hours) == ({"both", "goal", "small"}, 5)


def test_a_previous_path_that_closes_nothing_of_a_shared_target_is_replaced() -> None:
    yardstick = framework({"t": 2, "u": 1}, weights={"t": 1, "u": 0.1}, others=["x", "y"])
    courses = [*SHARED, course("small", ("u", 0, 1), hours=0.5)]
    path = found(yardstick, courses, budget_hours=4.5, previous=["small"])
    assert set(names(path)) == {"both", "goal", "small"}
    again = found(yardstick, courses, budget_hours=4.5, previous=names(path))
    assert names(again) == names(path)


def test_a_path_that_is_being_finished_is_not_changed() -> None:
    path = found(TWO, SHARED, previous=["only-x", "only-y", "goal"], finishing=True)
    assert names(path) == ["only-x", "only-y", "goal"]


def test_no_more_steps_than_the_limit_are_added() -> None:
    assert names(found(TWENTY, WIDE, max_steps=2)) == ["wide", "goal"]
    assert names(found(TWENTY, WIDE, max_steps=1)) == []


def test_three_runners_up_are_listed_if_there_are_three() -> None:
    yardstick = framework({f"s{n}": 1 for n in range(6)}, weights={f"s{n}": 1 + n / 10 for n in range(6)})
    courses = [course(f"c{n}", (f"s{n}", 0, 1), hours=2) for n in range(6)]
    path = found(yardstick, courses, budget_hours=4)
    assert names(path) == ["c5", "c4"]
    assert [[one.course.id for one in step.alternatives] for step in path.steps] == [["c3", "c2", "c1"]] * 2
    path = found(yardstick, courses, budget_hours=6)
    assert [one.course.id for one in path.steps[0].alternatives] == ["c2", "c1", "c0"]


@pytest.mark.parametrize("budget", [None, 6, 8, 40])
def test_two_courses_that_each_satisfy_half_of_the_conditions_replace_single_achievers(budget: float | None) -> None:
    halves = [
        course("first-half", *((name, 0, 1) for name in NAMES[:10]), hours=2),
        course("second-half", *((name, 0, 1) for name in NAMES[10:]), hours=2),
    ]
    path = found(TWENTY, [*WIDE[:1], *WIDE[2:], *halves], budget_hours=budget)
    assert (set(names(path)), path.hours) == ({"first-half", "second-half", "goal"}, 6)


def test_a_course_that_closes_more_replaces_courses_that_no_longer_fit() -> None:
    three = framework({"t": 3, "u": 2, "v": 2}, weights={"t": 4, "u": 1, "v": 1.1})
    courses = [
        course("main", ("t", 0, 3), hours=10),
        course("dense", ("u", 0, 2), hours=3),
        course("worth-more", ("v", 0, 2), hours=6),
    ]
    assert set(names(found(three, courses, budget_hours=16))) == {"main", "worth-more"}


@pytest.mark.parametrize("budget", [6, 7])
def test_a_shorter_prerequisite_is_chosen_if_the_cheaper_one_does_not_fit(budget: float) -> None:
    """Few complete the short one, so that it costs more than the long one; but only it leaves the hours."""
    hard = msgspec.structs.replace(course("short", ("x", 0, 1), hours=4), completions=Completions(1000, 100))
    courses = [course("goal", ("t", 0, 2), hours=2, requires=[at("x", 1)]), hard, course("long", ("x", 0, 1), hours=8)]
    path = found(framework({"t": 2}, others=["x"]), courses, budget_hours=budget)
    assert (names(path), path.hours) == (["short", "goal"], 6)
