"""The courses that come first regardless of their value (started, mandatory, pinned), with their prerequisites."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from services.recommender.inputs import MOST_STEPS
from services.recommender.planner.exact.minimum_closure import AvailableCourses
from services.recommender.planner.exact.options import CourseOption, course_option
from services.recommender.planner.exact.residual import (
    LeftOutCause,
    MissingHours,
    Origin,
    Pick,
    left_out,
    missing_course_cause,
    pinned_closure,
    unknown_completed,
)
from services.recommender.planner.optimizer.closure import build_closure
from services.recommender.planner.optimizer.course_path import empty_path
from services.recommender.planner.optimizer.greedy import add_closure
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.query import PlanContext, SearchSpace
from services.recommender.planner.optimizer.state import PlanState, Workspace, study_and_update
from services.recommender.planner.units import UNREACHABLE
from shared.domain import Course
from shared.paths import Note


class FixedCourses(NamedTuple):
    """The fixed courses in order (`picks`), and notes on requested or completed courses that are not among them."""

    picks: list[Pick]
    notes: list[Note]


def courses_of(context: PlanContext, problem: ProblemData, rows: Any) -> list[Course]:
    """Return the courses of these rows of the instance. Raises LookupError if the view does not have one of them."""
    names = map(context.space.course_id, problem.courses["number"][rows].tolist())
    courses = [course for name in names if (course := context.view.course(name))]
    if len(courses) < len(rows):
        raise LookupError("a row is no course of this view")
    return courses


def options_of(
    context: PlanContext, problem: ProblemData, rows: Any, known: Mapping[str, CourseOption]
) -> list[CourseOption]:
    """Return the courses of these rows of the instance, as the officer may use them.

    `known`: course id -> option that was made for the same officer. Raises LookupError if the view does not have a
    course.
    """
    columns = [problem.courses[name][rows].tolist() for name in ("number", "cost", "cosine")]
    options = []
    for number, cost, cosine in zip(*columns, strict=True):
        name = context.space.course_id(number)
        if (option := known.get(name)) is None:
            if (spec := context.view.spec(name)) is None:
                raise LookupError(f"{name} is no course of this view")
            option = course_option(context.inputs, context.value, spec, cost, cosine)
        options.append(option)
    return options


def rows_of(space: SearchSpace, problem: ProblemData, course_ids: Sequence[str]) -> list[int]:
    """Return for each of these course ids its row in the instance, or -1."""
    if not course_ids:
        return []
    numbers, wanted = problem.courses["number"][:-1], np.array(space.numbered(course_ids))
    rows = np.searchsorted(numbers, wanted)  # the courses of an instance are in the order of their numbers
    found: list[int] = np.where(np.append(numbers, -2)[rows] == wanted, rows, -1).tolist()
    return found


@dataclass(slots=True)
class _FixedCourseBuilder:
    """Adds courses to a state one by one. `missing`: required courses that are not candidates."""

    context: PlanContext
    available: AvailableCourses
    problem: ProblemData
    state: PlanState
    workspace: Workspace
    fixed_courses: FixedCourses = field(default_factory=lambda: FixedCourses([], []))
    missing: list[str] = field(default_factory=list)

    def add(self, course_id: str, origin: Origin) -> None:
        """Add a course with its prerequisites, or record why not."""
        course = self.context.view.course(course_id)
        if course_id in self.context.inputs.done:
            return
        if course is None:
            self._note(course_id, missing_course_cause(self.context.inputs, course_id))
            return
        [row] = rows_of(self.context.space, self.problem, [course_id])
        if row < 0:
            self._note(course_id, "excluded")
        elif self.state.done[row]:
            return
        elif origin == "started":
            study_and_update(self.problem, self.state, self.workspace, np.array([row]))
            self._pick(row, origin)
        elif self.state.costs.closure_cost[row] >= UNREACHABLE:
            self._note(course_id, "unreachable")
        elif origin == "pinned" and not self._fits(row):
            self._pin(course_id)
        elif origin == "mandatory" and self._crowded(row):
            self._note(course_id, "does_not_fit")
        else:
            path = empty_path(self.problem)
            add_closure(self.problem, self.state, self.workspace, row, path)
            for taken in path.courses[: int(path.totals["size"][0])].tolist():
                self._pick(taken, origin)

    def _fits(self, row: int) -> bool:
        build_closure(self.problem, self.state, self.workspace, row)
        counters, left = self.workspace.counters[0], self.state.left[0]
        return bool(counters["hours"] <= left["hours"] and counters["courses"] <= left["steps"])

    def _pin(self, course_id: str) -> None:
        """Add a course with its minimum closure if the cheapest one does not fit; or record the missing hours."""
        context, picks = self.context, self.fixed_courses.picks
        end = context.start.after(pick.option for pick in picks)
        courses, missing_hours = pinned_closure(end, course_id, self.available)
        if not courses:
            return self._note(course_id, "does_not_fit", missing_hours)
        rows = rows_of(context.space, self.problem, courses)
        if min(rows) < 0:
            self.missing += courses
            return None
        study_and_update(self.problem, self.state, self.workspace, np.array(rows))
        for row in rows:
            self._pick(row, "pinned")
        return None

    def _crowded(self, row: int) -> bool:
        """Return whether the closure of a course has more courses than a path may hold."""
        build_closure(self.problem, self.state, self.workspace, row)
        return bool(self.workspace.counters[0]["courses"] + len(self.fixed_courses.picks) > MOST_STEPS)

    def _pick(self, row: int, origin: Origin) -> None:
        [option] = options_of(self.context, self.problem, [row], {})
        self.fixed_courses.picks.append(Pick(option, origin=origin))

    def _note(self, course_id: str, kind: LeftOutCause, missing_hours: MissingHours | None = None) -> None:
        self.fixed_courses.notes.append(left_out(course_id, kind, self.context.view.course(course_id), missing_hours))

    def withdrawn(self) -> None:
        """Add notes on courses of the previous path that are no longer offered, and on unknown completed ones."""
        trace = {note.course for note in self.fixed_courses.notes} | self.context.inputs.done
        for course_id in self.context.inputs.previous:
            if course_id not in trace and self.context.view.course(course_id) is None:
                self._note(course_id, "withdrawn")
        self.fixed_courses.notes.extend(unknown_completed(self.context.inputs, self.context.view.course))


def fix_courses(
    context: PlanContext, available: AvailableCourses, problem: ProblemData, state: PlanState, workspace: Workspace
) -> tuple[FixedCourses, list[str]]:
    """Add the fixed courses in order: started, mandatory, pinned. Moves `state` to their end.

    Returns the fixed courses, and the ids of courses that the instance needs so that a pinned course fits.
    """
    builder, inputs = _FixedCourseBuilder(context, available, problem, state, workspace), context.inputs
    wanted: list[tuple[Origin, list[str]]] = [
        ("started", inputs.started),
        ("mandatory", inputs.mandatory),
        ("pinned", inputs.pinned),
    ]
    for origin, course_ids in wanted:
        for course_id in dict.fromkeys(course_ids):
            builder.add(course_id, origin)
    builder.withdrawn()
    return builder.fixed_courses, builder.missing
