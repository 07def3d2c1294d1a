"""A path says that it is proved optimal only where no path of the weighed courses closes more."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from services.recommender.inputs import MICRO, MOST_STEPS, Inputs
from services.recommender.planner.completions import posterior_targets
from services.recommender.planner.course_spec import course_spec
from services.recommender.planner.exact.options import CourseOption, PathState, cost_multiplier, course_option
from services.recommender.planner.exact.residual import state_before
from services.recommender.planner.index.catalog import View
from services.recommender.planner.optimizer.solve import solve
from services.recommender.planner.pipeline import gain_bound, recommend
from services.recommender.planner.value import ValueFunction
from shared.domain import Course, MatchedRow
from shared.errors import InvalidInput
from shared.paths import LearningPath
from tests.support.builders import after, course, framework, inputs, view_of
from tests.support.random_plans import differences, entangled, officers, published, unconfirmed

SKILLS = framework({"reading": 2, "writing": 2}, weights={"reading": 2.0})
READ, WRITE = course("read", ("reading", 0, 2), hours=6), course("write", ("writing", 0, 2), hours=6)
BOTH, OTHER = (
    course("both", ("reading", 0, 2), ("writing", 0, 2), hours=11),
    course("other", ("other", 0, 1), hours=3, of="elsewhere"),
)


def planned(courses: Sequence[Course], **wishes: Any) -> LearningPath:
    """Return the path of an officer who holds nothing; the readable rule gives the same bytes."""
    courses = published(courses)
    officer, view = inputs(SKILLS, {"reading": 0.0, "writing": 0.0}, **wishes), view_of(courses)
    assert differences(officer, view, courses) is None
    return recommend(officer, view)


@pytest.mark.parametrize(
    ("courses", "hours", "proved", "taken"),
    [
        ([READ, WRITE], None, True, {"read", "write"}),  # closes all that can be closed
        ([READ, WRITE], 6, True, {"read"}),  # nothing else fits into these hours
        ([READ, WRITE], 9, False, {"read"}),  # half of another course would fit, so the bound is higher
        ([READ, WRITE], 5, True, set()),
        ([READ, WRITE, BOTH], 11, True, {"both"}),
    ],
)
def test_a_path_is_proved_where_it_reaches_the_bound(
    courses: list[Course], hours: float | None, proved: bool, taken: set[str]
) -> None:
    path = planned(courses, budget_hours=hours)
    assert {step.course.id for step in path.steps} == taken
    assert path.proved is proved


def test_requested_courses_take_their_hours_from_every_path() -> None:
    courses = [READ, WRITE, OTHER]
    assert not planned(courses, budget_hours=9.0).proved
    mandatory = planned(courses, budget_hours=9.0, mandatory=["other"])
    assert [step.course.id for step in mandatory.steps] == ["other", "read"]
    assert mandatory.proved


def test_a_path_beyond_its_budget_is_compared_in_its_own_hours() -> None:
    path = planned([READ, WRITE], budget_hours=2.0, mandatory=["write"])
    assert path.over_budget_hours == 4
    assert path.proved


def test_unconfirmed_rows_of_different_confidence_add_up_in_the_bound() -> None:
    """One course is surer, another leads higher; together they close more than each, so one alone is not proved."""
    courses = [matched("sure", 1.0, 0.9), matched("high", 2.0, 0.5)]
    assert not planned(courses, max_steps=1).proved
    both = planned(courses)
    assert {step.course.id for step in both.steps} == {"sure", "high"}
    assert both.proved


def matched(name: str, level: float, confidence: float) -> Course:
    """Return a course that is matched to reading up to a level, unconfirmed."""
    row = MatchedRow(
        framework=SKILLS.id, skill="reading", from_level=0.0, to_level=level, confidence=confidence, threshold=0.4
    )
    return msgspec.structs.replace(course(name), matched=[row])


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(officer=officers(), seed=st.integers(0, 10_000), count=st.integers(3, 7), skills=st.integers(4, 8))
def test_no_path_closes_more_than_the_bound(officer: Inputs, seed: int, count: int, skills: int) -> None:
    courses = entangled(count, skills, seed)
    view = view_of(courses)
    try:
        path = recommend(officer, view)
    except InvalidInput:  # mandatory, and excluded by a rule
        reject()
    most = most_gained(officer, view, courses, path)
    assert most <= bound_of(officer, view, path)
    assert most <= path.coverage.gained or not path.proved


def test_no_path_closes_more_than_the_bound_where_hours_are_short() -> None:
    reached = unproved = 0
    for seed in range(150):
        officer, courses = in_short_hours(seed)
        view = view_of(courses)
        path = recommend(officer, view)
        most, bound = most_gained(officer, view, courses, path), bound_of(officer, view, path)
        assert most <= bound, seed
        assert most <= path.coverage.gained or not path.proved, seed
        reached += path.short_hours is not None and most == bound
        unproved += not path.proved
    assert min(reached, unproved) > 15


def bound_of(officer: Inputs, view: View, path: LearningPath) -> int:
    """Return the bound on the gain of the paths that a path is compared with."""
    hours = None if officer.budget_hours is None else round(max(officer.budget_hours, path.hours) * MICRO)
    return gain_bound(solve(officer, view), requested(officer, path), hours)


def requested(officer: Inputs, path: LearningPath) -> set[str]:
    """Return the requested courses that a path holds."""
    return {step.course.id for step in path.steps} & {*officer.started, *officer.mandatory, *officer.pinned}


def in_short_hours(seed: int) -> tuple[Inputs, list[Course]]:
    """Return an officer who holds little, with few hours, and courses of which some are matched or require others."""
    draw = random.Random(seed)  # noqa: S311 - test data
    skills = {f"s{n}": float(draw.randint(2, 4)) for n in range(3)}
    courses: list[Course] = []
    for n in range(7):
        rows = [(skill, 0.0, float(draw.randint(1, 4))) for skill in draw.sample([*skills], draw.choice([1, 1, 2]))]
        requires = [after(draw.choice(courses).id)] if courses and draw.random() < 0.3 else []
        one = course(f"c{n}", *rows, hours=draw.choice([1.0, 2.5, 4.0, 6.0]), requires=requires)
        courses.append(unconfirmed(one, draw) if draw.random() < 0.2 else one)
    wanted: dict[str, Any] = {"mandatory": draw.choice([[], [], ["c1"]]), "pinned": draw.choice([[], [], ["c2"]])}
    weights = {skill: draw.choice([0.5, 1.0, 2.0]) for skill in skills}
    yardstick = framework(skills, weights=weights, others=[f"s{n:02}" for n in range(8)])
    return inputs(
        yardstick, dict.fromkeys(skills, 0.0), budget_hours=draw.choice([1.0, 2.5, 4.0, 6.5]), **wanted
    ), courses


def most_gained(officer: Inputs, view: View, courses: Sequence[Course], path: LearningPath) -> int:
    """Return the most that a path of any of these courses gains, by trying every set that can be studied."""
    targets, entry_levels = posterior_targets(officer, view.course)
    value = ValueFunction(targets, officer.least_confidence)
    options = [
        course_option(officer, value, spec, spec.hours)
        for spec in map(course_spec, courses)
        if cost_multiplier(officer, spec.course, ignore_preferences=True)
    ]
    named = requested(officer, path)
    start = state_before(officer, value, entry_levels)
    if officer.budget_hours is not None:
        start.hours = max(start.hours, round(path.hours * MICRO))
    start.steps = MOST_STEPS if officer.max_steps is None else max(officer.max_steps, len(path.steps))
    best, seen, waiting = 0, set[frozenset[str]](), [start]
    while waiting:
        state = waiting.pop()
        if named <= state.done:
            best = max(best, state.value)
        for option in options:
            if can_be_studied(officer, state, option) and (after := frozenset({*state.done, option.id})) not in seen:
                seen.add(after)
                then = state.copy()
                then.study(option)
                waiting.append(then)
    return best


def can_be_studied(officer: Inputs, state: PathState, option: CourseOption) -> bool:
    enters = option.id in officer.started or state.admits(option)
    return enters and option.id not in state.done and option.hours <= state.hours and state.steps > 0


@pytest.mark.parametrize("seed", [1, 5, 25, 45, 90, 94, 110, 114, 129])
def test_a_path_of_few_courses_closes_as_much_as_any_three_courses(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - test data
    skills = [f"s{number:02}" for number in range(8)]
    courses = [
        course(
            f"c{number:02}",
            *((skill, 0, draw.choice([1, 2, 3])) for skill in draw.sample(skills, draw.choice([1, 1, 2, 3, 4]))),
            hours=draw.choice([0.25, 0.5, 1, 2, 4, 8, 16]),
        )
        for number in range(18)
    ]
    courses = published(courses)
    required = framework(dict.fromkeys(skills, 3))
    officer = inputs(required, dict.fromkeys(skills, 0.0), max_steps=3, budget_hours=40)
    best = 0.0
    for chosen in itertools.combinations(courses, 3):
        reached: dict[str, float] = {}
        for row in (row for one in chosen for row in one.teaches):
            reached[row.skill] = max(row.to_level, reached.get(row.skill, 0.0))
        if sum(one.hours for one in chosen) <= 40:
            best = max(best, sum(reached.values()))
    view = view_of(courses)
    assert recommend(officer, view).coverage.gained == round(best * MICRO)
    assert differences(officer, view, courses) is None
