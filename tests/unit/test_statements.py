"""Every sentence of a path is true: known answers for what is easily wrong, and every sentence of many worlds."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.recommender.inputs import Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.pipeline import recommend
from shared.domain import Course, Prerequisite
from shared.errors import InvalidInput
from shared.paths import LearningPath
from tests.support.builders import after, at, course, framework, inputs, view_of
from tests.support.random_plans import entangled, officers
from tests.support.words import sentences

SKILLS = framework({"a": 2, "b": 1}, others=["x", "y"])


def planned(courses: list[Course], **wishes: Any) -> LearningPath:
    plan, view = inputs(SKILLS, {"a": 0, "b": 0}, **wishes), view_of(courses)
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    return path


def unlocks_and_reason(path: LearningPath, course_id: str) -> tuple[list[str], str]:
    step = next(step for step in path.steps if step.course.id == course_id)
    return step.unlocks, sentences(path, step).en


X, Y = course("x", ("x", 0, 1), ("b", 0, 0.5), hours=1), course("y", ("y", 0, 1), ("b", 0, 1), hours=1)


def test_a_course_that_another_step_also_enables_is_not_unlocked() -> None:
    either = Prerequisite(any=[after("x"), after("y")])
    path = planned([X, Y, course("goal", ("a", 0, 2), requires=[either])], previous=["x", "y", "goal"])
    assert [step.course.id for step in path.steps] == ["y", "goal"]
    path = planned([X, Y, course("goal", ("a", 0, 2), requires=[either])], mandatory=["x", "y"])
    assert [unlocks_and_reason(path, name)[0] for name in ("x", "y")] == [[], []]


def test_a_level_of_another_framework_is_not_confused_with_the_same_skill_id() -> None:
    both = msgspec.structs.replace(
        X, teaches=[*course("x", ("a", 0, 1)).teaches, *course("x", ("a", 0, 3), of="o").teaches]
    )
    path = planned([both, course("goal", ("a", 0, 2), requires=[at("a", 3, of="o")])])
    assert [step.course.id for step in path.steps] == ["x", "goal"]
    reason = unlocks_and_reason(path, "x")[1]
    assert "(needs “a” at level 3 or above)" in reason  # the id alone: nothing is known here of its title


def test_courses_behind_another_condition_are_unlocked_too() -> None:
    courses = [
        X,
        course("middle", ("y", 0, 1), requires=[after("x")]),
        course("goal", ("a", 0, 2), requires=[at("y", 1)]),
    ]
    path = planned(courses)
    unlocks, reason = unlocks_and_reason(path, "x")
    assert unlocks == ["middle", "goal"]
    assert "(this course must come first)" in reason
    assert "“About goal” (in this path it cannot be entered otherwise)" in reason
    assert "(needs “About y” at level 1 or above)" in unlocks_and_reason(path, "middle")[1]


def test_one_branch_of_an_any_is_not_stated_as_required() -> None:
    either = Prerequisite(any=[after("x"), after("nowhere")])
    path = planned([X, course("goal", ("a", 0, 2), requires=[either])])
    unlocks, reason = unlocks_and_reason(path, "x")
    assert unlocks == ["goal"]
    assert "must come first" not in reason
    assert "in this path it cannot be entered otherwise" in reason


@pytest.mark.parametrize("left", [0, 1e-6, 2e-6, 9e-6])
def test_a_course_that_exceeds_the_budget_by_millionths_is_reported(left: float) -> None:
    courses = [course("long", ("a", 0, 2), hours=3), course("short", ("b", 0, 2), hours=left + 1e-6)]
    plan = inputs(SKILLS, {"a": 0, "b": 0}, budget_hours=3 + left, mandatory=["long"])
    path = recommend(plan, view_of(courses))
    assert [(row.skill, row.hours, row.missing_hours) for row in path.open] == [("b", round(left + 1e-6, 6), 1e-6)]
    assert validate(path, plan, view_of(courses).course) == []


def test_a_step_without_purpose_is_rejected() -> None:
    courses = [course("idle", ("x", 0, 1)), course("goal", ("a", 0, 2))]
    path = planned(courses, mandatory=["idle"])
    view = view_of(courses)
    bare = msgspec.structs.replace(path, steps=[msgspec.structs.replace(step, origin=None) for step in path.steps])
    assert any(
        "closes nothing and unlocks nothing" in fault
        for fault in validate(bare, inputs(SKILLS, {"a": 0, "b": 0}), view.course)
    )


@pytest.mark.parametrize(
    ("wishes", "kinds"),
    [
        ({"mandatory": ["gone"]}, {"gone": "unknown"}),
        ({"pinned": ["gone"]}, {"gone": "withdrawn"}),  # only what is offered can be pinned
        ({"completed": ["gone", "x"]}, {"gone": "unknown"}),
        ({"previous": ["gone"]}, {"gone": "withdrawn"}),
        ({"mandatory": ["gone"], "previous": ["gone"]}, {"gone": "withdrawn"}),
    ],
)
def test_an_unknown_course_is_named(wishes: dict[str, list[str]], kinds: dict[str, str]) -> None:
    assert {note.course: note.kind for note in planned([X, Y], **wishes).notes} == kinds


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(officers(), st.builds(entangled, st.sampled_from([4, 15, 25]), st.sampled_from([3, 8]), st.integers(0, 10_000)))
def test_every_statement_of_a_small_world_is_true(plan: Inputs, courses: list[Course]) -> None:
    view = view_of(courses)
    try:
        path = recommend(plan, view)
    except InvalidInput:
        return
    assert validate(path, plan, view.course) == []
    names = [step.course.id for step in path.steps]
    random.Random(len(courses)).shuffle(names)  # noqa: S311 - test data
    again = msgspec.structs.replace(plan, previous=names)
    assert validate(recommend(again, view), again, view.course) == []


@pytest.mark.parametrize("sd", [0.05, 0.3])
def test_a_gap_too_small_for_a_course_is_stated_and_passes_the_validator(sd: float) -> None:
    """Levels that are fused from many results have six decimals, of which the last is often a 5."""
    view = view_of([course("goal", ("a", 0, 2))])
    causes = set()
    for millionths in range(1_900_015, 2_000_000, 490):
        plan = inputs(SKILLS, {"a": millionths / 1_000_000, "b": 1}, sd=sd)
        path = recommend(plan, view)
        assert validate(path, plan, view.course) == []
        causes |= {row.cause for row in path.open}
    assert "too_small" in causes
