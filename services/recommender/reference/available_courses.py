"""The courses that an officer may use and can reach, looked up in plain lists."""

from collections.abc import Mapping

from services.recommender.inputs import Inputs
from services.recommender.planner.course_spec import SkillKey, course_spec
from services.recommender.planner.exact.minimum_closure import AvailableCourses, ClosureCosts
from services.recommender.planner.exact.options import CourseOption, PathState
from services.recommender.planner.exact.residual import exclusion_reason
from services.recommender.planner.units import micro
from services.recommender.reference.costs import ProblemData
from shared.domain import Course


class CourseList(AvailableCourses):
    """The available courses of the readable rule: all courses of `reachable`.

    `courses`: every published course, by id; `above` looks among these.
    """

    def __init__(self, inputs: Inputs, courses: Mapping[str, Course], reachable: ProblemData) -> None:
        super().__init__()
        self._inputs, self._courses, self._reachable = inputs, courses, reachable
        self._shortest = sorted(reachable.courses.values(), key=lambda option: (option.hours, option.id))

    def look_up(self, course_id: str) -> CourseOption | None:
        """Return a course as the officer may use it; None if it must not be used or cannot be reached."""
        return self._reachable.courses.get(course_id)

    def teachers(self, skill: SkillKey, least: int) -> list[tuple[int, int, str]]:
        """Return (micro-level reached, micro-hours, id) of each course that leads to at least the micro-level `least`.

        `skill`: the skill that the courses teach. Shortest first, then by id.
        """
        return [
            (option.level_effects[skill], option.hours, option.id)
            for option in self._shortest
            if option.level_effects.get(skill, -1) >= least
        ]

    def above(self, skill: str, level: int) -> list[Course]:
        """Return the uncompleted courses that teach `skill` beyond the micro-level `level`.

        Courses that the officer may use come first, then the shortest, then by id.
        """
        specs = [course_spec(course) for course in self._courses.values() if course.id not in self._inputs.done]
        key = (self._inputs.framework.id, skill)
        found = [spec for spec in specs if micro(spec.teaches.get(key, (0.0, 0.0))[1]) > level]
        order = sorted(
            found, key=lambda spec: (exclusion_reason(self._inputs, spec.course) is not None, spec.hours, spec.id)
        )
        return [spec.course for spec in order]

    def matched(self, skill: str, state: PathState) -> list[str]:
        """Return the ids of the courses that have an unconfirmed row of `skill` which adds value in `state`.

        Shortest first, then by id.
        """
        return [
            option.id
            for option in self._shortest
            if skill in option.unconfirmed and state.gain(skill, option.gap_effects[skill])
        ]

    def closure_costs(self, start: PathState) -> ClosureCosts:
        """Return the functions that compute closure costs from the state `start`, in micro-hours, not weighted."""
        courses = self._reachable.courses
        timed = ProblemData(courses, self._reachable.achievers, unit="hours")
        lower_bound, additive_cost = timed.costs(start, join=max), timed.costs(start)
        return ClosureCosts(
            lambda course_id, _: lower_bound.of(courses[course_id]),
            lambda course_id, _: additive_cost.of(courses[course_id]),
        )
