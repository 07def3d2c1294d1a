"""The courses of a view in the form that `exact` looks them up: by skill, shortest first, and by id."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache, partial
from heapq import merge
from itertools import chain

import numpy as np

from services.recommender.inputs import Inputs
from services.recommender.planner.course_spec import CourseSpec, SkillKey
from services.recommender.planner.exact.conditions import (
    Condition,
    CourseOption,
    LevelCondition,
    PathState,
    conditions_of,
    cost_multiplier,
    course_option,
    gap_effects,
    unconfirmed_levels,
)
from services.recommender.planner.exact.minimum_closure import AvailableCourses, ClosureCosts
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.segment import Ints, Longs
from services.recommender.planner.index.vocabulary import VOCABULARY, Records
from services.recommender.planner.optimizer.closure_cost import (
    ADDING,
    DEAREST,
    Costs,
    costs_from,
    empty_costs,
    specialise,
)
from services.recommender.planner.optimizer.query import SearchSpace, conditions_met, counted, skills_of
from services.recommender.planner.units import UNREACHABLE, micro
from services.recommender.planner.value import ValueFunction
from shared.domain import Course

_NONE_CHANGED = np.empty(0, np.int32)


def _rows(view: View, skill: SkillKey, above: int) -> tuple[Records, Records]:
    """Return (course, micro-level reached) of the base's and of the overlay's courses that lead beyond a level."""
    number = VOCABULARY.skills.get(skill)
    base, delta = view.catalog.base.segment, view.catalog.delta[0]
    whole = base.taught(number if number is not None else len(base.teacher_starts))
    overlay = delta.taught(number if number is not None else len(delta.teacher_starts))
    return whole[whole["level"] > above], overlay[overlay["level"] > above]


def _in_order(view: View, whole: Records, overlay: Records) -> Iterator[tuple[int, int, str]]:
    """Yield (micro-level reached, micro-hours, id) of these rows that are to be seen, shortest first, then by id."""
    base, delta, deleted = view.catalog.base, view.catalog.delta, view.catalog.overlay
    hours = base.segment.hours[whole["course"]].tolist()
    rows = (
        (long, base.ids[course], level)
        for long, (course, level) in zip(hours, whole.tolist(), strict=True)
        if base.ids[course] not in deleted
    )
    others = ((int(delta[0].hours[course]), delta[1][course], level) for course, level in overlay.tolist())
    return ((level, hours, name) for hours, name, level in merge(rows, others))


@lru_cache(maxsize=4096)
def entered(spec: CourseSpec, framework: str) -> tuple[tuple[Condition, ...], dict[SkillKey, int]]:
    """Return the conditions of a course, and skill -> micro-level that it leads to."""
    conditions = tuple(dict.fromkeys(conditions_of(spec.entry(framework))))
    return conditions, {skill: micro(high) for skill, (_, high) in spec.teaches.items()}


def _open_at_once(conditions: Iterable[Condition], entry_levels: Mapping[SkillKey, float]) -> bool:
    return all(
        isinstance(condition, LevelCondition) and micro(entry_levels.get(condition.skill, 0.0)) >= condition.level
        for condition in conditions
    )


class _Numbers:
    """The numbers of courses in the search space, -1 if they have none."""

    def __init__(self, space: SearchSpace) -> None:
        self._field = space
        self.known: dict[str, int] = {}

    def of(self, course_id: str) -> int:
        if course_id not in self.known:
            self.known[course_id] = next(iter(self._field.numbers([course_id])), -1)
        return self.known[course_id]


def stock_of(  # noqa: PLR0913, PLR0917 - what a plan knows before there is a path
    inputs: Inputs,
    view: View,
    value: ValueFunction,
    entry_levels: Mapping[SkillKey, float],
    space: SearchSpace,
    costs: Costs,
    ignore_preferences: bool,
) -> AvailableCourses:
    """Return the courses that an officer may use and can reach. `costs`: specialised for this officer."""
    ours, numbers = inputs.framework.id, _Numbers(space)

    def teachers(skill: SkillKey) -> Iterable[tuple[int, int, str]]:
        if space.base_numbers is not None:  # without a number it is not known whether a course can be used
            return (row for row in _in_order(view, *_rows(view, skill, 0)) if available.option(row[2]))
        arrays, number = space.graph.arrays, VOCABULARY.skills.get(skill, -1)
        if not 0 <= number < len(arrays.skills) - 1:
            return ()
        rows = arrays.teachers[arrays.skills[number]["teacher"] : arrays.skills[number + 1]["teacher"]]
        rows = rows[costs.closure_cost[rows["course"]] < UNREACHABLE]
        if view.catalog.delta[0].size:
            courses = arrays.courses[rows["course"]]
            rows = rows[np.lexsort((courses["rank"], courses["hours"]))]
        found = rows["course"].tolist()
        names = [space.course_id(course) for course in found]
        numbers.known.update(zip(names, found, strict=True))
        return zip(rows["level"].tolist(), arrays.courses[rows["course"]]["hours"].tolist(), names, strict=True)

    def option(course_id: str) -> CourseOption | None:
        number, spec = numbers.of(course_id), view.spec(course_id)
        if spec is None or (number >= 0 and costs.closure_cost[number] >= UNREACHABLE):
            return None
        conditions, level_effects = entered(spec, ours)
        if number >= 0:
            cost = int(costs.cost[number])
            return CourseOption(
                conditions,
                spec.id,
                cost,
                spec.hours,
                spec,
                level_effects,
                gap_effects(inputs, value, spec),
                0,
                unconfirmed_levels(inputs, value, spec),
            )
        if not (factor := cost_multiplier(inputs, spec.course, ignore_preferences=ignore_preferences)):
            return None
        if _open_at_once(conditions, entry_levels):
            return course_option(inputs, value, spec, factor)
        available.incomplete = True  # no champion, so it is not known whether anything leads to it
        return None

    takers = _Takers(space, costs, ours, numbers.of)
    available = AvailableCourses(
        teachers,
        option,
        takers.closure_costs,
        partial(courses_above, inputs, view, space, costs),
        partial(_matched, view, value, ours),
    )
    return available


def _matched(view: View, value: ValueFunction, framework: str, skill: str) -> Iterator[str]:
    """Yield the ids of the visible courses with an unconfirmed row of a skill that counts, shortest first."""
    number = VOCABULARY.skills.get((framework, skill), -1)
    whole, overlay = (
        rows[counted(rows, value)][["course", "high"]]
        for rows in (view.catalog.base.segment.matched_to(number), view.catalog.delta[0].matched_to(number))
    )
    return (name for _, _, name in _in_order(view, whole, overlay))


class _Takers:
    """Closure costs from successive states; the costs from the last state are updated for a later one."""

    def __init__(self, space: SearchSpace, costs: Costs, framework: str, number_of: Callable[[str], int]) -> None:
        self._field, self._number_of, self._count = space, number_of, len(VOCABULARY.skills)
        self._usable = np.where(costs.closure_cost < UNREACHABLE, space.graph.arrays.courses["hours"][:-1], 0)
        self._ours = skills_of(framework, self._count)
        self._last: tuple[PathState, Costs] | None = None

    def closure_costs(self, start: PathState) -> ClosureCosts:
        """Return closure costs from a state, each kind computed when it is first needed.

        What is no champion, and so has no number, can be entered at once; as it may lead to others, hours alone are a
        lower bound.
        """
        entry_levels, held = self._doors(start), np.array(conditions_met(self._field, start.done), np.int32)
        number_of = self._number_of

        @cache
        def additive() -> Longs:
            return self._added(start, entry_levels, held).closure_cost

        @cache
        def dearest() -> Longs:
            costs = self._empty()
            costs_from(self._field.graph.arrays, entry_levels, held, DEAREST, costs)
            return costs.closure_cost

        def added_of(course_id: str, hours: int) -> int:
            number = number_of(course_id)
            return min(int(additive()[number]), UNREACHABLE) if number >= 0 else hours

        def lower_bound_of(course_id: str, hours: int) -> int:
            return hours if self._field.base_numbers is not None else max(int(dearest()[number_of(course_id)]), hours)

        return ClosureCosts(lower_bound_of, added_of)

    def _added(self, start: PathState, entry_levels: Longs, held: Ints) -> Costs:
        arrays = self._field.graph.arrays
        if self._last and _is_later(start, self._last[0]):
            cost, closure_cost, condition_cost, ours = self._last[1]
            costs = Costs(cost, closure_cost.copy(), condition_cost.copy(), ours)
            specialise(arrays, entry_levels, held, _NONE_CHANGED, arrays.sizes[1], costs)
        else:
            costs = self._empty()
            costs_from(arrays, entry_levels, held, ADDING, costs)
        self._last = start.copy(), costs
        return costs

    def _empty(self) -> Costs:
        return empty_costs(self._field.graph.arrays, self._usable, self._ours)

    def _doors(self, start: PathState) -> Longs:
        entry_levels = np.zeros(self._count, np.int64)
        for key, level in start.levels.items():
            if (skill := VOCABULARY.skills.get(key, self._count)) < self._count:
                entry_levels[skill] = level
        return entry_levels


def _is_later(start: PathState, before: PathState) -> bool:
    """Return whether everything held before is still held."""
    return before.done <= start.done and all(start.levels.get(key, 0) >= level for key, level in before.levels.items())


def courses_above(  # noqa: PLR0913, PLR0917 - bound to a plan
    inputs: Inputs, view: View, space: SearchSpace, costs: Costs, skill: str, level: int
) -> Iterator[Course]:
    """Yield the visible, uncompleted courses that teach a skill beyond a micro-level; usable ones first."""
    whole, overlay = _rows(view, (inputs.framework.id, skill), level)
    if space.base_numbers is None:  # costs tell which may be used, so that no course is decoded to find out
        usable, beside = costs.cost[whole["course"]] > 0, costs.cost[space.base.size + overlay["course"]] > 0
        found = chain(
            _in_order(view, whole[usable], overlay[beside]), _in_order(view, whole[~usable], overlay[~beside])
        )
        yield from (course for _, _, name in found if name not in inputs.done and (course := view.course(name)))
        return
    names = [name for _, _, name in _in_order(view, whole, overlay) if name not in inputs.done]
    for first in (True, False):
        for course in filter(None, map(view.course, names)):
            if (cost_multiplier(inputs, course, ignore_preferences=True) > 0) == first:
                yield course
