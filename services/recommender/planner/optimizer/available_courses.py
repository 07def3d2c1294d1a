"""The courses of a view as `exact` looks them up: by skill, shortest first, and by id."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from heapq import merge

import numpy as np

from services.recommender.inputs import Inputs
from services.recommender.planner.course_spec import Offer, SkillKey
from services.recommender.planner.exact.conditions import (
    Level,
    Need,
    Standing,
    Way,
    closes_of,
    factor_of,
    needs_of,
    way_of,
)
from services.recommender.planner.exact.minimum_closure import Stock, Takes
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.segment import Ints, Longs, Table
from services.recommender.planner.index.vocabulary import NAMES
from services.recommender.planner.jit import ZERO, wide
from services.recommender.planner.optimizer.closure_cost import Prices, outlay, settle
from services.recommender.planner.optimizer.query import Field, needs_met, skills_of
from services.recommender.planner.units import FAR, micro
from services.recommender.planner.value import Worth
from shared.skills import Course

ONE = wide(1)
_NONE_CHANGED = np.empty(0, np.int32)


def _rows(view: View, skill: SkillKey, above: int) -> tuple[Table, Table]:
    """Return (course, micro-level reached) of those of the base, and beside it, that lead beyond a level."""
    number = NAMES.skills.get(skill)
    base, near = view.shelf.base.segment, view.shelf.near[0]
    whole = base.taught(number if number is not None else len(base.lists))
    beside = near.taught(number if number is not None else len(near.lists))
    return whole[whole[:, 1] > above], beside[beside[:, 1] > above]


def _in_order(view: View, whole: Table, beside: Table) -> Iterator[tuple[int, str]]:
    """Yield (micro-level reached, id) of these rows that are to be seen, shortest first, then by id."""
    base, near, hidden = view.shelf.base, view.shelf.near, view.shelf.beside
    hours = base.segment.hours[whole[:, 0]].tolist()
    rows = (
        (long, base.ids[course], level)
        for long, (course, level) in zip(hours, whole.tolist(), strict=True)
        if base.ids[course] not in hidden
    )
    others = ((int(near[0].hours[course]), near[1][course], level) for course, level in beside.tolist())
    return ((level, name) for _, name, level in merge(rows, others))


def taught(view: View, skill: SkillKey, above: int = 0) -> Iterator[tuple[int, str]]:
    """Return (micro-level reached, id) of the visible courses that lead beyond a level, shortest first, then by id."""
    return _in_order(view, *_rows(view, skill, above))


@lru_cache(maxsize=4096)
def entered(offer: Offer, framework: str) -> tuple[tuple[Need, ...], dict[SkillKey, int]]:
    """Return the needs of a course, and skill -> micro-level that it leads to."""
    needs = tuple(dict.fromkeys(needs_of(offer.entry(framework))))
    return needs, {skill: micro(high) for skill, (_, high) in offer.teaches.items()}


def _open_at_once(needs: Iterable[Need], doors: Mapping[SkillKey, float]) -> bool:
    return all(isinstance(need, Level) and micro(doors.get(need.skill, 0.0)) >= need.level for need in needs)


class _Numbers:
    """The numbers that courses have where a plan looks, -1 where they have none."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self.known: dict[str, int] = {}

    def of(self, course_id: str) -> int:
        if course_id not in self.known:
            self.known[course_id] = next(iter(self._field.numbers([course_id])), -1)
        return self.known[course_id]


def stock_of(  # noqa: PLR0913, PLR0917 - what a plan knows before there is a path
    inputs: Inputs, view: View, worth: Worth, doors: Mapping[SkillKey, float], field: Field, prices: Prices, plain: bool
) -> Stock:
    """Return the courses that an officer may use and can reach. `prices`: settled for this officer."""
    ours, size = inputs.framework.id, field.base.size
    numbers = _Numbers(field)

    def teachers(skill: SkillKey) -> Iterator[tuple[int, str]]:
        whole, beside = _rows(view, skill, 0)
        if field.base_numbers is None:
            whole = whole[prices.price[whole[:, 0]] < FAR]
            beside = beside[prices.price[size + beside[:, 0]] < FAR]
            numbers.known.update((view.shelf.base.ids[course], course) for course in whole[:, 0].tolist())
            numbers.known.update((view.shelf.near[1][course], size + course) for course in beside[:, 0].tolist())
        return _in_order(view, whole, beside)

    def way(course_id: str) -> Way | None:
        number, offer = numbers.of(course_id), view.offer(course_id)
        if offer is None or (number >= 0 and prices.price[number] >= FAR):
            return None
        needs, lifts = entered(offer, ours)
        if number >= 0:
            cost = int(prices.cost[number])
            return Way(needs, offer.id, cost, offer.hours, offer, lifts, closes_of(inputs, worth, offer), 0)
        if not (factor := factor_of(inputs, offer.course, plain=plain)):
            return None
        if _open_at_once(needs, doors):
            return way_of(inputs, worth, offer, factor)
        stock.unsure = True  # no champion, so it is not known whether anything leads to it
        return None

    stock = Stock(teachers, way, _Takers(field, prices, ours, numbers.of).takes)
    return stock


class _Takers:
    """What courses take from one standing after the other; what was found for the last is moved on to a later one."""

    def __init__(self, field: Field, prices: Prices, framework: str, number_of: Callable[[str], int]) -> None:
        self._field, self._number_of, self._count = field, number_of, len(NAMES.skills)
        self._usable = np.where(prices.price < FAR, field.mesh.net.hours, 0)
        self._ours = skills_of(framework, self._count)
        self._last: tuple[Standing, Prices] | None = None

    def takes(self, start: Standing) -> Takes:
        """Return what courses take from a standing.

        What is no champion, and so has no number, can be entered at once; as it may lead to others, `floor` is 0.
        """
        doors, held = self._doors(start), np.array(needs_met(self._field, start.done), np.int32)
        added, number_of = self._added(start, doors, held).price, self._number_of
        floors: list[Prices] = []

        def added_of(way: Way) -> int:
            return min(int(added[number]), FAR) if (number := number_of(way.id)) >= 0 else way.hours

        def floor_of(way: Way) -> int:
            if self._field.base_numbers is not None:
                return 0
            if not floors:
                floors.append(self._empty())
                outlay(self._field.mesh.net, self._ours, doors, held, ZERO, floors[0])
            return int(floors[0].price[number_of(way.id)])

        return Takes(floor_of, added_of)

    def _added(self, start: Standing, doors: Longs, held: Ints) -> Prices:
        net = self._field.mesh.net
        if self._last and _is_later(start, self._last[0]):
            cost, price, reach = self._last[1]
            prices = Prices(cost, price.copy(), reach.copy())
        else:
            prices = self._empty()
            outlay(net, self._ours, doors, held, ONE, prices)
        settle(net, self._ours, doors, held, _NONE_CHANGED, len(net.asked), prices)
        self._last = start.copy(), prices
        return prices

    def _empty(self) -> Prices:
        return Prices(
            self._usable, np.empty(len(self._usable), np.int64), np.empty(len(self._field.mesh.net.asked), np.int64)
        )

    def _doors(self, start: Standing) -> Longs:
        doors = np.zeros(self._count, np.int64)
        for key, level in start.levels.items():
            if (skill := NAMES.skills.get(key, self._count)) < self._count:
                doors[skill] = level
        return doors


def _is_later(start: Standing, before: Standing) -> bool:
    """Return whether all that was held before is held."""
    return before.done <= start.done and all(start.levels.get(key, 0) >= level for key, level in before.levels.items())


def courses_above(inputs: Inputs, view: View, skill: str, above: int) -> Iterator[Course]:
    """Yield the visible courses, not done, that teach a skill beyond a micro-level."""
    for _, name in taught(view, (inputs.framework.id, skill), above):
        if name not in inputs.done and (course := view.course(name)):
            yield course
