"""The courses of a view as `exact` looks them up: by skill, shortest first, and by id."""

from collections.abc import Iterable, Iterator
from functools import cache
from heapq import merge
from itertools import chain, tee

import numpy as np

from services.recommender.planner.course_spec import Condition, LevelCondition, SkillKey
from services.recommender.planner.exact.minimum_closure import AvailableCourses, ClosureCosts
from services.recommender.planner.exact.options import (
    CourseOption,
    PathState,
    cost_multiplier,
    course_option,
    weighted_cost,
)
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.segment import Ints, Longs, Segment, ranges, required
from services.recommender.planner.index.vocabulary import VOCABULARY, Records
from services.recommender.planner.optimizer.closure_cost import (
    ADDING,
    DEAREST,
    Costs,
    Flags,
    costs_from,
    empty_costs,
    specialise,
)
from services.recommender.planner.optimizer.query import (
    PlanContext,
    conditions_met,
    counted,
    gains_of,
    levels_by_skill,
    skills_of,
    usable_courses,
)
from services.recommender.planner.units import UNREACHABLE
from shared.domain import Course

_FIRST_PIECE, _LARGEST_PIECE = 8, 512
_NONE_CHANGED = np.empty(0, np.int32)


class CourseIndex(AvailableCourses):
    """The courses of a view that one officer may use and can reach. `costs`: those of this officer.

    If the search space holds champions only, the other courses have no number in it and no closure cost. Such a course
    is available if it can be entered at once; otherwise it is skipped, because it is not known whether it can be
    reached.
    """

    def __init__(self, context: PlanContext, costs: Costs) -> None:
        super().__init__()
        self._inputs, self._view, self._value, self._before, space, self._ignore_preferences = context
        self._space, self._costs = space, costs
        self._only_champions = space.base_numbers is not None
        self._numbers: dict[str, int] = {}
        self._in_space: dict[SkillKey, Iterator[tuple[int, int, str]]] = {}
        self._beyond_champions: dict[SkillKey, tuple[Records, Records]] = {}
        self._hours = np.where(costs.closure_cost < UNREACHABLE, space.graph.arrays.courses["hours"][:-1], 0)
        self._skill_count = len(VOCABULARY.skills)
        self._last: tuple[PathState, Costs] | None = None

    # --- courses -----------------------------------------------------------------------------------------------------

    def look_up(self, course_id: str) -> CourseOption | None:
        """Return a course as the officer may use it; None if it must not be used or cannot be reached."""
        number, spec = self._number(course_id), self._view.spec(course_id)
        if spec is None or (number >= 0 and self._costs.closure_cost[number] >= UNREACHABLE):
            return None
        if number >= 0:
            return course_option(self._inputs, self._value, spec, int(self._costs.cost[number]))
        factor = cost_multiplier(self._inputs, spec.course, ignore_preferences=self._ignore_preferences)
        if not factor:
            return None
        option = course_option(self._inputs, self._value, spec, weighted_cost(spec, factor))
        if _open_at_once(option.conditions, self._before):
            return option
        self.incomplete = True
        return None

    def _number(self, course_id: str) -> int:
        """Return the number of a course in the search space; -1 if it has none."""
        if course_id not in self._numbers:
            self._numbers[course_id] = next(iter(self._space.numbers([course_id])), -1)
        return self._numbers[course_id]

    def _usable(self, courses: Ints) -> Flags:
        """Return a mask of these courses of the base that the officer may use."""
        if not self._only_champions:
            return np.asarray(self._costs.cost[courses] > 0)
        base = self._view.catalog.base
        barred = [VOCABULARY.courses.get(name, -1) for name in (*self._inputs.done, *self._inputs.excluded)]
        champion = self._space.base.find(base.segment.info["name"][courses])
        apart = usable_courses(self._inputs, base)[courses] & ~np.isin(courses, base.segment.find(barred))
        return np.asarray(np.where(champion >= 0, self._costs.cost[champion] > 0, apart))

    # --- by skill ----------------------------------------------------------------------------------------------------

    def teachers(self, skill: SkillKey, least: int) -> Iterator[tuple[int, int, str]]:
        """Yield (micro-level reached, micro-hours, id) of each course that leads to at least the micro-level `least`.

        `skill`: the skill that the courses teach. Shortest first, then by id.
        """
        if self._only_champions:
            base, overlay = self._among_all(skill)
            return _in_order(self._view, base[base["level"] >= least], overlay[overlay["level"] >= least])
        if skill not in self._in_space:
            self._in_space[skill] = tee(self._teachers_in_space(skill), 1)[0]
        return (found for found in tee(self._in_space[skill])[1] if found[0] >= least)

    def _teachers_in_space(self, skill: SkillKey) -> Iterator[tuple[int, int, str]]:
        arrays, number = self._space.graph.arrays, VOCABULARY.skills.get(skill, -1)
        if not 0 <= number < len(arrays.skills) - 1:
            return
        rows = arrays.teachers[arrays.skills[number]["teacher"] : arrays.skills[number + 1]["teacher"]]
        rows = rows[self._costs.closure_cost[rows["course"]] < UNREACHABLE]
        if self._view.catalog.delta[0].size:
            courses = arrays.courses[rows["course"]]
            rows = rows[np.lexsort((courses["rank"], courses["hours"]))]
        numbers, course_id = self._numbers, self._space.course_id
        for course, hours, level in _lazily(rows, arrays.courses["hours"]):
            name = course_id(course)
            numbers[name] = course
            yield level, hours, name

    def _among_all(self, skill: SkillKey) -> tuple[Records, Records]:
        """Return the rows of the base, champions or not, and of the overlay."""
        if skill not in self._beyond_champions:
            base, overlay = _rows(self._view, skill, 0)
            beside = self._costs.closure_cost[self._space.base.size + overlay["course"]] < UNREACHABLE
            self._beyond_champions[skill] = base[self._reachable(base["course"])], overlay[beside]
        return self._beyond_champions[skill]

    def _reachable(self, courses: Ints) -> Flags:
        """Return a mask of these courses of the base that may be used and can be reached."""
        segment = self._view.catalog.base.segment
        champion = self._space.base.find(segment.info["name"][courses])
        found = np.asarray((champion >= 0) & (self._costs.closure_cost[champion] < UNREACHABLE))
        others = np.flatnonzero((champion < 0) & ~np.isin(courses, self._view.catalog.deleted(segment)))
        others = others[self._usable(courses[others])]
        found[others] = _all_hold(segment, courses[others], self._inputs.framework.id, self._before)
        if not found[others].all():
            self.incomplete = True
        return found

    def above(self, skill: str, level: int) -> Iterator[Course]:
        """Yield the visible, uncompleted courses that teach `skill` beyond the micro-level `level`.

        Courses that the officer may use come first, then the shortest, then by id.
        """
        base, overlay = _rows(self._view, (self._inputs.framework.id, skill), level)
        # Which courses may be used is read from arrays, so that no course has to be decoded.
        usable = self._usable(base["course"])
        beside = self._costs.cost[self._space.base.size + overlay["course"]] > 0
        found = chain(
            _in_order(self._view, base[usable], overlay[beside]),
            _in_order(self._view, base[~usable], overlay[~beside]),
        )
        done = self._inputs.done
        yield from (course for _, _, name in found if name not in done and (course := self._view.course(name)))

    def matched(self, skill: str, state: PathState) -> Iterator[str]:
        """Yield the ids of the visible courses that have an unconfirmed row of `skill` which adds value in `state`.

        Shortest first, then by id. Courses of the base that the officer's languages or the rules exclude are left out.
        """
        number, catalog = VOCABULARY.skills.get((self._inputs.framework.id, skill), -1), self._view.catalog
        base, overlay = (
            rows[counted(rows, self._value) & (gains_of(rows, skill, self._value, state.gain) > 0)][["course", "high"]]
            for rows in (catalog.base.segment.matched_to(number), catalog.delta[0].matched_to(number))
        )
        base = base[usable_courses(self._inputs, catalog.base)[base["course"]]]
        return (name for _, _, name in _in_order(self._view, base, overlay))

    # --- closure costs -----------------------------------------------------------------------------------------------

    def closure_costs(self, start: PathState) -> ClosureCosts:
        """Return the functions that compute closure costs from the state `start`.

        Each kind is computed when first needed. A course that has no number in the search space costs its hours. These
        are also the lower bound of every course if the space holds champions only, because other courses may lead to
        it.
        """
        entry_levels = levels_by_skill(start.levels, self._skill_count)
        held = np.array(conditions_met(self._space, start.done), np.int32)

        @cache
        def additive() -> Longs:
            return self._additive_costs(start, entry_levels, held).closure_cost

        @cache
        def most_expensive() -> Longs:
            costs = self._empty_costs()
            costs_from(self._space.graph.arrays, entry_levels, held, DEAREST, costs)
            return costs.closure_cost

        def additive_cost(course_id: str, hours: int) -> int:
            number = self._number(course_id)
            return min(int(additive()[number]), UNREACHABLE) if number >= 0 else hours

        def lower_bound(course_id: str, hours: int) -> int:
            return hours if self._only_champions else max(int(most_expensive()[self._number(course_id)]), hours)

        return ClosureCosts(lower_bound, additive_cost)

    def _additive_costs(self, start: PathState, entry_levels: Longs, held: Ints) -> Costs:
        """Return the costs of the additive relaxation, updated from those of the last state if this one is later."""
        arrays = self._space.graph.arrays
        if self._last and _is_later(start, self._last[0]):
            costs = self._last[1]
            costs = costs._replace(closure_cost=costs.closure_cost.copy(), condition_cost=costs.condition_cost.copy())
            specialise(arrays, entry_levels, held, _NONE_CHANGED, costs)
        else:
            costs = self._empty_costs()
            costs_from(arrays, entry_levels, held, ADDING, costs)
        self._last = start.copy(), costs
        return costs

    def _empty_costs(self) -> Costs:
        ours = skills_of(self._inputs.framework.id, self._skill_count)
        return empty_costs(self._space.graph.arrays, self._hours, ours)


def _rows(view: View, skill: SkillKey, above: int) -> tuple[Records, Records]:
    """Return (course, micro-level reached) of the base's and of the overlay's courses that lead beyond a level."""
    number = VOCABULARY.skills.get(skill, -1)
    base, overlay = view.catalog.base.segment.taught(number), view.catalog.delta[0].taught(number)
    return base[base["level"] > above], overlay[overlay["level"] > above]


def _in_order(view: View, base: Records, overlay: Records) -> Iterator[tuple[int, int, str]]:
    """Yield (micro-level reached, micro-hours, id) of these rows that are to be seen, shortest first, then by id."""
    catalog = view.catalog
    rows = (
        (hours, catalog.base.ids[course], level)
        for course, hours, level in _lazily(base, catalog.base.segment.hours)
        if catalog.base.ids[course] not in catalog.overlay
    )
    delta, ids = catalog.delta
    others = ((hours, ids[course], level) for course, hours, level in _lazily(overlay, delta.hours))
    return ((level, hours, name) for hours, name, level in merge(rows, others))


def _lazily(rows: Records, hours: Longs) -> Iterator[tuple[int, int, int]]:
    """Yield (course, micro-hours, level) of rows. `hours`: of all courses. Mostly only the first rows are read."""
    at, size = 0, _FIRST_PIECE
    while at < len(rows):
        piece = rows[at : at + size]
        lengths = hours[piece["course"]].tolist()
        yield from ((course, length, level) for (course, level), length in zip(piece.tolist(), lengths, strict=True))
        at, size = at + size, min(4 * size, _LARGEST_PIECE)


def _open_at_once(conditions: Iterable[Condition], before: PathState) -> bool:
    """Return whether all conditions are conditions on levels that hold before the path."""
    return all(isinstance(condition, LevelCondition) and before.meets(condition) for condition in conditions)


def _is_later(start: PathState, before: PathState) -> bool:
    """Return whether everything held before is still held."""
    return before.done <= start.done and all(start.levels.get(key, 0) >= level for key, level in before.levels.items())


def _all_hold(segment: Segment, courses: Ints, framework: str, before: PathState) -> Flags:
    """Return which of these courses have only conditions on levels that hold: their own, and `from` on a framework."""
    table, count = VOCABULARY.conditions.table.read(), len(VOCABULARY.skills)
    held, ours = levels_by_skill(before.levels, count), skills_of(framework, count)
    starts = segment.info["condition"]
    counts = starts[courses + 1] - starts[courses]
    owner, requires = np.repeat(np.arange(len(courses)), counts), segment.requires[ranges(starts[courses], counts)]
    conditions = table[required(requires)]
    holds = (conditions["skill"] >= 0) & (held[conditions["skill"]] >= conditions["level"])
    holding = np.ones(len(courses), np.bool_)
    holding[owner[((requires >= 0) | ours[conditions["skill"]]) & ~holds]] = False
    return holding
