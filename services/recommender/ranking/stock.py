"""The courses of a view as `least` and `obstacles` look them up: by skill, shortest first, and by id."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from heapq import merge

import numpy as np

from services.recommender.model import Inputs
from services.recommender.ranking.compiled import ZERO, wide
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.index import View
from services.recommender.ranking.least import Stock, Takes
from services.recommender.ranking.names import NAMES, micro
from services.recommender.ranking.offers import Offer, SkillKey
from services.recommender.ranking.reach import FAR, Prices, outlay
from services.recommender.ranking.reference_prices import (
    Level,
    Need,
    Standing,
    Way,
    closes_of,
    factor_of,
    needs_of,
    way_of,
)
from services.recommender.ranking.seeker import Field, needs_met, skills_of
from services.recommender.ranking.segments import Longs, Table
from shared.skills import Course

ONE = wide(1)


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

    def takes(start: Standing) -> Takes:
        usable = np.where(prices.price < FAR, field.mesh.net.hours, 0)
        return takes_of(field, usable, ours, start, numbers.of)

    stock = Stock(teachers, way, takes)
    return stock


def takes_of(field: Field, usable: Longs, framework: str, start: Standing, number_of: Callable[[str], int]) -> Takes:
    """Return what courses take from a standing. `usable`: their hours by number, 0 where they are not to be used.

    What is no champion, and so has no number, can be entered at once; as it may lead to others, `floor` is 0.
    """
    count = len(NAMES.skills)
    doors = np.zeros(count, np.int64)
    for key, level in start.levels.items():
        if (skill := NAMES.skills.get(key, count)) < count:
            doors[skill] = level
    held, ours, net = np.array(needs_met(field, start.done), np.int32), skills_of(framework, count), field.mesh.net
    added = outlay(net, ours, usable, doors, held, ONE).tolist()
    floor = outlay(net, ours, usable, doors, held, ZERO).tolist() if field.base_numbers is None else []

    def added_of(way: Way) -> int:
        return int(added[number]) if (number := number_of(way.id)) >= 0 else way.hours

    def floor_of(way: Way) -> int:
        return int(floor[number_of(way.id)]) if floor else 0

    return Takes(floor_of, added_of)


def courses_above(inputs: Inputs, view: View, skill: str, above: int) -> Iterator[Course]:
    """Yield the visible courses, not done, that teach a skill beyond a micro-level."""
    for _, name in taught(view, (inputs.framework.id, skill), above):
        if name not in inputs.done and (course := view.course(name)):
            yield course
