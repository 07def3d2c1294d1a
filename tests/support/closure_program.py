"""The least hours of a closure by mixed-integer programming (HiGHS), for tests of the planner's own search.

minimise    the total hours of the courses that are taken
goals       for each goal, a course that satisfies it is taken
entry       if a course is taken, then for each of its unmet conditions a course that satisfies it is taken too
order       if a solution holds courses that only satisfy each other's conditions, a constraint is added: one of them
            is taken only with another course that satisfies one of their conditions; the program is solved again
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from services.recommender.inputs import MICRO
from services.recommender.planner.course_spec import AnyCondition, Condition
from services.recommender.planner.exact.minimum_closure import AvailableCourses
from services.recommender.planner.exact.options import CourseOption, PathState


class ClosureProgram:
    """The program of one set of goals, all of which can be reached from `start`."""

    def __init__(self, start: PathState, goals: Sequence[Condition], available: AvailableCourses) -> None:
        self._start, self._available = start, available
        self._goals = [goal for goal in goals if not start.meets(goal)]
        self._courses = self._relevant()
        self._x = {option.id: number for number, option in enumerate(self._courses)}
        self._count = len(self._courses)
        self._rows: list[dict[int, float]] = []
        self._least: list[float] = []
        for goal in self._goals:
            self._add(self._satisfied_by(goal), 1.0)
        for option in self._courses:
            for condition in option.conditions:
                if not start.meets(condition):
                    self._add({**self._satisfied_by(condition), self._x[option.id]: -1.0}, 0.0)

    def hours(self) -> int:
        """Return the hours of a shortest closure, in millionths."""
        if not self._goals:
            return 0
        while True:
            chosen = self._solved()
            state, waiting = self._start.copy(), chosen
            while ready := [option for option in waiting if state.admits(option)]:
                for option in ready:
                    state.study(option)
                waiting = [option for option in waiting if option not in ready]
            if not waiting:
                return sum(option.hours for option in chosen)
            unmet = AnyCondition(
                tuple((one,) for option in waiting for one in option.conditions if not state.meets(one))
            )
            taken = {option.id for option in chosen}
            outside = {self._x[one.id]: 1.0 for one in self._available.achievers(unmet) if one.id not in taken}
            for option in waiting:
                self._add({**outside, self._x[option.id]: -1.0}, 0.0)

    def _relevant(self) -> list[CourseOption]:
        found: dict[str, CourseOption] = {}
        waiting = list(self._goals)
        while waiting:
            condition = waiting.pop()
            for achiever in self._available.achievers(condition):
                if achiever.id not in found:
                    found[achiever.id] = self._available.known(achiever.id)
                    waiting += found[achiever.id].conditions
        return list(found.values())

    def _satisfied_by(self, condition: Condition) -> dict[int, float]:
        """Return the variables of which one must be 1 for a condition to hold."""
        if not isinstance(condition, AnyCondition):
            return {self._x[one.id]: 1.0 for one in self._available.achievers(condition)}
        branches = range(self._count, self._count + len(condition.branches))
        self._count += len(branches)
        for variable, branch in zip(branches, condition.branches, strict=True):
            for one in branch:
                if not self._start.meets(one):
                    self._add({**self._satisfied_by(one), variable: -1.0}, 0.0)
        return dict.fromkeys(branches, 1.0)

    def _add(self, row: dict[int, float], least: float) -> None:
        self._rows.append(row)
        self._least.append(least)

    def _solved(self) -> list[CourseOption]:
        columns = np.array([column for row in self._rows for column in row], np.int64)
        entries = np.array([entry for row in self._rows for entry in row.values()])
        starts = np.cumsum([0, *map(len, self._rows)])
        matrix = csr_array((entries, columns, starts), shape=(len(self._rows), self._count))
        hours, whole = np.zeros(self._count), np.zeros(self._count)
        hours[: len(self._courses)] = [option.hours / MICRO for option in self._courses]
        whole[: len(self._courses)] = 1
        answer = milp(
            hours,
            integrality=whole,
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix, np.array(self._least), np.inf),
            options={"mip_rel_gap": 0.0},
        )
        assert answer.status == 0, answer.message
        return [option for option, taken in zip(self._courses, answer.x, strict=False) if taken > 0.5]
