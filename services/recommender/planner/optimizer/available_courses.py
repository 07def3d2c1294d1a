"""The courses of a view in the form that `exact` looks them up: by skill, shortest first, and by id."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from heapq import merge
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO, Inputs
from services.recommender.planner.course_spec import SkillKey
from services.recommender.planner.exact.conditions import (
    Condition,
    CourseOption,
    LevelCondition,
    PathState,
    cost_multiplier,
    course_option,
    weighted_cost,
)
from services.recommender.planner.exact.minimum_closure import AvailableCourses, ClosureCosts
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.segment import Ints, Longs, Segment, ranges
from services.recommender.planner.index.vocabulary import VOCABULARY, Records
from services.recommender.planner.optimizer.closure_cost import (
    ADDING,
    DEAREST,
    Costs,
    costs_from,
    empty_costs,
    specialise,
)
from services.recommender.planner.optimizer.query import (
    SearchSpace,
    conditions_met,
    counted,
    skills_of,
    usable_courses,
)
from services.recommender.planner.units import UNREACHABLE, micro
from services.recommender.planner.value import SURE, ValueFunction
from shared.domain import Course

Flags = NDArray[np.bool_]

_FIRST_PIECE, _LARGEST_PIECE = 8, 512
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
    rows = (
        (hours, base.ids[course], level)
        for course, hours, level in _lazily(whole, base.segment.hours)
        if base.ids[course] not in deleted
    )
    others = ((hours, delta[1][course], level) for course, hours, level in _lazily(overlay, delta[0].hours))
    return ((level, hours, name) for hours, name, level in merge(rows, others))


def _lazily(rows: Records, hours: Longs) -> Iterator[tuple[int, int, int]]:
    """Yield (course, micro-hours, level) of rows. `hours`: of all courses. Mostly only the first rows are read."""
    at, size = 0, _FIRST_PIECE
    while at < len(rows):
        piece = rows[at : at + size]
        lengths = hours[piece["course"]].tolist()
        yield from ((course, length, level) for (course, level), length in zip(piece.tolist(), lengths, strict=True))
        at, size = at + size, min(4 * size, _LARGEST_PIECE)


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

    def skipped() -> None:
        available.incomplete = True

    def option(course_id: str) -> CourseOption | None:
        number, spec = numbers.of(course_id), view.spec(course_id)
        if spec is None or (number >= 0 and costs.closure_cost[number] >= UNREACHABLE):
            return None
        if number >= 0:
            return course_option(inputs, value, spec, int(costs.cost[number]))
        if not (factor := cost_multiplier(inputs, spec.course, ignore_preferences=ignore_preferences)):
            return None
        found = course_option(inputs, value, spec, weighted_cost(spec, factor))
        if _open_at_once(found.conditions, entry_levels):
            return found
        skipped()  # no champion, so it is not known whether anything leads to it
        return None

    takers = _Takers(space, costs, ours, numbers.of)
    available = AvailableCourses(
        _Teachers(inputs, view, space, costs, entry_levels, numbers, skipped).of,
        option,
        takers.closure_costs,
        partial(courses_above, inputs, view, space, costs),
        partial(_matched, inputs, view, value),
    )
    return available


def _matched(inputs: Inputs, view: View, value: ValueFunction, skill: str, state: PathState) -> Iterator[str]:
    """Yield the ids of the visible courses with an unconfirmed row that adds value in a state, shortest first.

    Of the base, only those whose language and the rules let them be used.
    """
    number, base = VOCABULARY.skills.get((inputs.framework.id, skill), -1), view.catalog.base
    whole, overlay = (
        rows[_adding(rows, value, skill, state)][["course", "high"]]
        for rows in (base.segment.matched_to(number), view.catalog.delta[0].matched_to(number))
    )
    whole = whole[usable_courses(inputs, base)[whole["course"]]]
    return (name for _, _, name in _in_order(view, whole, overlay))


def _adding(rows: Records, value: ValueFunction, skill: str, state: PathState) -> Flags:
    """Return a mask of the matched rows of a gap that count and add value in a state: one sum for equal stairs."""
    percent = rows["confidence"].astype(np.int64) * SURE // MICRO
    stairs, place = np.unique(rows["high"].astype(np.int64) * (SURE + 1) + percent, return_inverse=True)
    levels = (stairs // (SURE + 1) / MICRO).tolist()
    steps = zip((stairs % (SURE + 1)).tolist(), (value.certain(skill, level) for level in levels), strict=True)
    adds = np.array([state.gain(skill, step) > 0 for step in steps], np.bool_)
    return adds[place] & counted(rows, value)


class _Teachers:
    """The courses that teach a skill, as `AvailableCourses` reads them.

    `skipped` is called if one is skipped because it is not known whether it can be reached.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - bound to a plan
        self,
        inputs: Inputs,
        view: View,
        space: SearchSpace,
        costs: Costs,
        entry_levels: Mapping[SkillKey, float],
        numbers: _Numbers,
        skipped: Callable[[], None],
    ) -> None:
        self._inputs, self._view, self._field, self._costs = inputs, view, space, costs
        self._entry_levels, self._numbers, self._skipped = entry_levels, numbers, skipped
        self._beyond_champions: dict[SkillKey, tuple[Records, Records]] = {}

    def of(self, skill: SkillKey, least: int) -> Iterator[tuple[int, int, str]]:
        """Yield (micro-level reached, micro-hours, id) of usable, reachable courses, shortest first, then by id.

        `least`: the micro-level to which they teach the skill at least.
        """
        if self._field.base_numbers is not None:
            whole, overlay = self._among_all(skill)
            return _in_order(self._view, whole[whole["level"] >= least], overlay[overlay["level"] >= least])
        return self._in_space(skill, least)

    def _in_space(self, skill: SkillKey, least: int) -> Iterator[tuple[int, int, str]]:
        arrays, number = self._field.graph.arrays, VOCABULARY.skills.get(skill, -1)
        if not 0 <= number < len(arrays.skills) - 1:
            return
        rows = arrays.teachers[arrays.skills[number]["teacher"] : arrays.skills[number + 1]["teacher"]]
        rows = rows[(self._costs.closure_cost[rows["course"]] < UNREACHABLE) & (rows["level"] >= least)]
        if self._view.catalog.delta[0].size:
            courses = arrays.courses[rows["course"]]
            rows = rows[np.lexsort((courses["rank"], courses["hours"]))]
        known, course_id = self._numbers.known, self._field.course_id
        for course, hours, level in _lazily(rows, arrays.courses["hours"]):
            name = course_id(course)
            known[name] = course
            yield level, hours, name

    def _among_all(self, skill: SkillKey) -> tuple[Records, Records]:
        """Return the rows of the base, champions or not, and of the overlay."""
        if skill not in self._beyond_champions:
            whole, overlay = _rows(self._view, skill, 0)
            beside = self._costs.closure_cost[self._field.base.size + overlay["course"]] < UNREACHABLE
            self._beyond_champions[skill] = whole[self._reachable(whole["course"])], overlay[beside]
        return self._beyond_champions[skill]

    def _reachable(self, courses: Ints) -> Flags:
        """Return a mask of these courses of the base that may be used and can be reached.

        A course that is no champion has no closure cost. It counts if it can be entered at once, else it is skipped.
        """
        segment = self._view.catalog.base.segment
        champion = self._field.base.find(segment.info["name"][courses])
        found = np.asarray((champion >= 0) & (self._costs.closure_cost[champion] < UNREACHABLE))
        others = np.flatnonzero((champion < 0) & ~np.isin(courses, self._view.catalog.deleted(segment)))
        others = others[_usable(self._inputs, self._view, self._field, self._costs, courses[others])]
        found[others] = _all_hold(segment, courses[others], self._inputs.framework.id, self._entry_levels)
        if not found[others].all():
            self._skipped()
        return found


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
    # Arrays tell which may be used, so that no course is decoded to find out.
    usable, beside = (
        _usable(inputs, view, space, costs, whole["course"]),
        costs.cost[space.base.size + overlay["course"]] > 0,
    )
    found = chain(_in_order(view, whole[usable], overlay[beside]), _in_order(view, whole[~usable], overlay[~beside]))
    yield from (course for _, _, name in found if name not in inputs.done and (course := view.course(name)))


def _usable(inputs: Inputs, view: View, space: SearchSpace, costs: Costs, courses: Ints) -> Flags:
    """Return a mask of these courses of the base that the officer may use."""
    if space.base_numbers is None:
        return np.asarray(costs.cost[courses] > 0)
    base = view.catalog.base
    barred = [VOCABULARY.courses.get(name, -1) for name in (*inputs.done, *inputs.excluded)]
    champion = space.base.find(base.segment.info["name"][courses])
    apart = usable_courses(inputs, base)[courses] & ~np.isin(courses, base.segment.find(barred))
    return np.asarray(np.where(champion >= 0, costs.cost[champion] > 0, apart))


def _all_hold(segment: Segment, courses: Ints, framework: str, entry_levels: Mapping[SkillKey, float]) -> Flags:
    """Return which of these courses have only conditions on levels that hold: their own, and `from` on a framework."""
    table, count = VOCABULARY.conditions.table.read(), len(VOCABULARY.skills)
    held, ours = np.zeros(count, np.int64), skills_of(framework, count)
    for key, level in entry_levels.items():
        if (skill := VOCABULARY.skills.get(key, count)) < count:
            held[skill] = micro(level)
    holding = np.ones(len(courses), np.bool_)
    for starts, entered in ((segment.info["row"], True), (segment.info["condition"], False)):
        counts = starts[courses + 1] - starts[courses]
        owner, places = np.repeat(np.arange(len(courses)), counts), ranges(starts[courses], counts)
        if entered:
            rows = segment.rows[places]
            listed = np.where(ours[rows["skill"]], rows["entry"], -1)
        else:
            listed = segment.requires[places]
        conditions = table[listed[listed >= 0]]
        holds = (conditions["skill"] >= 0) & (held[conditions["skill"]] >= conditions["level"])
        holding[owner[listed >= 0][~holds]] = False
    return holding
