"""The shortest way compared with an exhaustive search, and the sentences about hours, over many small worlds."""

import random
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.recommender.inputs import MICRO, Inputs
from services.recommender.plan_validator.officer_state import EntryState
from services.recommender.planner.course_spec import Condition, CourseCondition, LevelCondition, SkillKey, course_spec
from services.recommender.planner.exact.minimum_closure import (
    AvailableCourses,
    minimum_closure,
)
from services.recommender.planner.exact.options import CourseOption, PathState, course_option
from services.recommender.planner.exact.residual import exclusion_reason
from services.recommender.planner.optimizer.solve import solve
from services.recommender.planner.pipeline import recommend, why_not
from services.recommender.planner.units import micro
from services.recommender.planner.value import ValueFunction
from services.recommender.reference.available_courses import CourseList
from services.recommender.reference.costs import ProblemData, achievers_of
from shared.domain import Course
from shared.errors import InvalidInput
from shared.paths import LearningPath, OpenGap
from tests.evaluation.shapes import shaped
from tests.evaluation.worlds import World, shared
from tests.support.builders import FRAMEWORK, after, at, course, framework, inputs, view_of
from tests.support.closure_program import ClosureProgram
from tests.support.random_plans import entangled, officers
from tests.support.words import why_not_sentences

MOST = 30_000
"""Sets that an exhaustive search looks at; a world that has more proves nothing here."""

PROVED = 0.7
"""The share of closures that the search proves, at least, on catalogs with many shared prerequisites."""

SKILLS = framework({"t": 2}, others=["x", "y"])
GOAL = course("goal", ("t", 0, 2), hours=2, requires=[at("x", 1), at("y", 1)])
BOTH = course("both", ("x", 0, 1), ("y", 0, 1), hours=2)
ONLY = [course("only-x", ("x", 0, 1), hours=1.5), course("only-y", ("y", 0, 1), hours=1.5)]


def ways_of(courses: Sequence[Course], plan: Inputs) -> dict[str, CourseOption]:
    worth = ValueFunction(plan.targets())
    return {spec.id: course_option(plan, worth, spec, spec.hours) for spec in map(course_spec, courses)}


def available_of(courses: Sequence[Course], plan: Inputs) -> AvailableCourses:
    options = ways_of(courses, plan)
    problem = ProblemData(options, achievers_of(options))
    return CourseList(plan, {one.id: one for one in courses}, problem)


def start_at(levels: Mapping[str, float]) -> PathState:
    return PathState(1 << 50, 1 << 50, {(FRAMEWORK, skill): micro(level) for skill, level in levels.items()}, set(), {})


def reachable(courses: Sequence[Course], officer: EntryState) -> list[Course]:
    """Return the courses that can be entered one after the other."""
    now, left, found = officer.copy(), list(courses), list[Course]()
    while opened := [one for one in left if now.enters(one)]:
        for one in opened:
            now.take(one)
        found += opened
        left = [one for one in left if one not in opened]
    return found


def exhaustive(courses: Sequence[Course], officer: EntryState, wanted: Condition) -> int | None:
    """Return the micro-hours of the shortest set that can be studied and meets what is wanted; None: there is none.

    Raises OverflowError if too many sets would have to be looked at.
    """
    courses = reachable(courses, officer)
    heap: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    seen: set[tuple[int, ...]] = set()
    while heap:
        hours, chosen = heappop(heap)
        if chosen in seen:
            continue
        now = studied([courses[number] for number in chosen], officer)
        if holds(now, wanted):
            return hours
        seen.add(chosen)
        if len(seen) > MOST:
            raise OverflowError
        for number, one in enumerate(courses):
            if number not in chosen and now.enters(one):
                heappush(heap, (hours + course_spec(one).hours, tuple(sorted((*chosen, number)))))
    return None


def holds(officer: EntryState, wanted: Condition) -> bool:
    if isinstance(wanted, CourseCondition):
        return wanted.course in officer.done
    assert isinstance(wanted, LevelCondition)
    return micro(officer.levels.get(wanted.skill, 0.0)) >= wanted.level


def studied(courses: Sequence[Course], officer: EntryState) -> EntryState:
    """Return the officer after these courses, in any order in which they can be studied."""
    now, left = officer.copy(), courses
    while opened := [one for one in left if now.enters(one)]:
        for one in opened:
            now.take(one)
        left = [one for one in left if one not in opened]
    return now


@pytest.mark.parametrize(
    ("courses", "taken", "hours"),
    [
        ([GOAL, *ONLY, BOTH], ["both", "goal"], 4),
        ([GOAL, *ONLY], ["only-x", "only-y", "goal"], 5),
        ([GOAL, *ONLY, course("direct", ("t", 0, 2), hours=4.5)], ["direct"], 4.5),
        ([GOAL, BOTH, course("x", ("x", 0, 1), hours=1)], ["both", "goal"], 4),
        # two that wait for each other are opened from outside
        (
            [course("a", ("t", 0, 2), requires=[after("b")]), course("b", ("x", 1, 2)), ONLY[0]],
            ["only-x", "b", "a"],
            5.5,
        ),
    ],
)
def test_a_minimum_closure_is_found(courses: list[Course], taken: list[str], hours: float) -> None:
    found = minimum_closure(
        start_at({}), [LevelCondition((FRAMEWORK, "t"), 1)], available_of(courses, inputs(SKILLS, {}))
    )
    assert found is not None
    assert ({way.id for way in found.courses}, found.hours, found.proved) == (set(taken), hours * MICRO, True)


def twenty_conditions() -> tuple[LevelCondition, AvailableCourses]:
    names = [f"x{number:02}" for number in range(20)]
    skills = framework({"t": 2}, others=names)
    goal = course("goal", ("t", 0, 2), hours=2, requires=[at(name, 1) for name in names])
    wide = course("wide", *[(name, 0, 1) for name in names], hours=2)
    narrow = [course(f"only-{name}", (name, 0, 1), hours=1.5) for name in names]
    return LevelCondition((FRAMEWORK, "t"), 1), available_of([goal, wide, *narrow], inputs(skills, {}))


def test_twenty_conditions_that_one_course_meets() -> None:
    goal, available = twenty_conditions()
    found = minimum_closure(start_at({}), [goal], available)
    assert found is not None
    assert ([way.id for way in found.courses], found.hours, found.proved) == (["wide", "goal"], 4 * MICRO, True)


class ReadLevels(dict[SkillKey, int]):
    """Levels that count how often all of them are read."""

    readings = 0

    def items(self) -> Any:
        self.readings += 1
        return super().items()


def test_many_questions_about_one_state_read_all_of_its_levels_once() -> None:
    """A path of thousands of open skills asks as many; after a course was studied, the answers are of the new state."""
    available, start = available_of([GOAL, BOTH, *ONLY], inputs(SKILLS, {})), start_at({})
    start.levels = levels = ReadLevels()
    for number in range(50):
        assert minimum_closure(start, [LevelCondition((FRAMEWORK, f"untaught-{number}"), 1)], available) is None
    assert levels.readings == 1
    goal = LevelCondition((FRAMEWORK, "t"), 1)
    before = minimum_closure(start, [goal], available)
    start.study(available.known("only-x"))
    after_it = minimum_closure(start, [goal], available)
    assert before is not None
    assert after_it is not None
    assert [[way.id for way in one.courses] for one in (before, after_it)] == [["both", "goal"], ["only-y", "goal"]]


def test_past_the_limit_a_closure_is_not_called_the_shortest() -> None:
    goal, available = twenty_conditions()
    found = minimum_closure(start_at({}), [goal], available, limit=0)
    assert found is not None
    assert (len(found.courses), found.hours, found.proved) == (21, 32 * MICRO, False)


def test_only_closures_within_the_limits_of_hours_and_steps_are_found() -> None:
    goal, available = twenty_conditions()
    start = start_at({})
    assert minimum_closure(start, [goal], available, hours=4 * MICRO - 1) is None
    assert minimum_closure(start, [goal], available, steps=1) is None
    found = minimum_closure(start, [goal], available, hours=4 * MICRO, steps=2)
    assert found is not None
    assert [way.id for way in found.courses] == ["wide", "goal"]


@pytest.mark.parametrize("world", [shaped("deep", 3), shaped("scale 0-3", 3), shaped("uneven", 3), shared(0)])
def test_the_shortest_of_a_larger_catalog_is_that_of_an_integer_program(world: World) -> None:
    view, chance = world.view(), np.random.default_rng(4)
    proved = searched = 0
    for hours in (5.0, 20.0, 80.0):
        plan = world.officer(chance, hours)
        found, path = solve(plan, view), recommend(plan, view)
        end = found.context.start.copy()
        for step in path.steps:
            end.study(found.available.option(step.course.id) or pytest.fail("a step that cannot be used"))
        apart = [LevelCondition((plan.framework.id, row.skill), micro(row.reached) + 1) for row in path.open]
        reachable = [goal for goal in apart if next(found.available.achievers(goal), None)]
        for goal in reachable[:4]:
            closure = minimum_closure(end, [goal], found.available)
            shortest = ClosureProgram(end, [goal], found.available).hours()
            assert closure is not None
            assert not closure.courses or closure.hours >= shortest
            assert not closure.proved or closure.hours == shortest
            proved += closure.proved
            searched += 1
    assert proved >= searched * PROVED


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1_000_000))
def test_no_closure_is_shorter_than_a_proved_one(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - test data
    skills = [f"s{number:02}" for number in range(8)]
    plan, courses = (
        inputs(framework(dict.fromkeys(skills, 3)), {}),
        entangled(draw.choice([8, 12, 15]), draw.choice([3, 5]), seed),
    )
    levels = {skill: draw.choice([0.0, 1.0, 1.0, 2.0]) for skill in skills}
    officer = EntryState(FRAMEWORK, {(FRAMEWORK, skill): level for skill, level in levels.items()}, set())
    courses = reachable(courses, officer)
    if not courses:
        return
    some: list[Condition] = [
        CourseCondition(draw.choice(courses).id),
        LevelCondition((FRAMEWORK, "s00"), draw.choice([1, 2, 3]) * MICRO),
    ]
    wanted = draw.choice(some)
    found = minimum_closure(start_at(levels), [wanted], available_of(courses, plan))
    try:
        shortest = exhaustive(courses, officer, wanted)
    except OverflowError:
        return
    if shortest is None:
        assert found is None
        return
    assert found is not None
    assert shortest <= found.hours
    assert not found.proved or found.hours == shortest


def end_of(path: LearningPath, plan: Inputs, courses: Mapping[str, Course]) -> EntryState:
    now = EntryState(FRAMEWORK, plan.entry_levels(plan.targets()), plan.done)
    for step in path.steps:
        now.take(courses[step.course.id])
    return now


def judge(row: OpenGap, left: list[Course], now: EntryState, hours_left: int | None) -> None:
    """Compare the statement about an open skill with an exhaustive search."""
    if row.cause == "unconfirmed":
        return
    goal: Condition = LevelCondition((FRAMEWORK, row.skill), micro(row.reached) + 1)
    try:
        shortest = exhaustive(left, now, goal)
        if row.confidence is not None and row.nearest is not None:
            assert shortest is None, "a confirmed course stands before one that is only matched"
            shortest = exhaustive(left, now, CourseCondition(row.nearest.id))
    except OverflowError:
        return
    if row.cause in ("no_course", "prerequisite", "excluded"):
        assert shortest is None
    elif row.cause != "too_small":
        assert shortest is not None
        if row.hours is not None:
            assert hours_left is not None
            assert shortest <= micro(row.hours)
            assert row.at_most or (shortest == micro(row.hours) and shortest > hours_left)
        elif hours_left is not None and row.cause != "budget":
            assert shortest <= hours_left


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    officers(),
    st.builds(entangled, st.sampled_from([4, 10, 15]), st.sampled_from([3, 8]), st.integers(0, 10_000)),
    st.integers(0, 100),
)
def test_statements_about_hours_are_true(plan: Inputs, courses: list[Course], index: int) -> None:
    if plan.completed or plan.completed_at:
        return  # what a completion counts for at the next entry is another rule, tested elsewhere
    view = view_of(courses)
    try:
        path = recommend(plan, view)
    except InvalidInput:
        return
    by_id = {one.id: one for one in courses}
    usable = [one for one in courses if exclusion_reason(plan, one) is None]
    now = end_of(path, plan, by_id)
    left = [one for one in usable if one.id not in now.done]
    hours_left = None if plan.budget_hours is None else max(round((plan.budget_hours - path.hours) * MICRO), 0)
    for row in path.open:
        judge(row, left, now, hours_left)
    answer = why_not(plan, view, path, courses[index % len(courses)].id) if courses else None
    if answer and answer.cause == "does_not_fit" and answer.hours and not any(step.origin for step in path.steps):
        start = EntryState(FRAMEWORK, plan.entry_levels(plan.targets()), set())
        try:
            shortest = exhaustive(usable, start, CourseCondition(answer.course))
        except OverflowError:
            return
        assert shortest is not None
        missing = shortest / MICRO - (plan.budget_hours or 0)
        assert answer.hours >= missing - 1e-6
        assert "at most" in why_not_sentences(answer).en or answer.hours == pytest.approx(missing, abs=1e-6)
