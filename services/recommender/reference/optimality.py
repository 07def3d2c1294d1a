"""The readable rule of docs/ranking.md, last part: the bound by which a path is proved optimal."""

from collections.abc import Collection, Iterable

from services.recommender.planner.exact.conditions import CourseOption, stairs_by_gap
from services.recommender.planner.exact.slot_bounds import knapsack, slot_bounds
from services.recommender.planner.value import ValueFunction, slots_of


def gain_bound(
    value: ValueFunction, courses: Iterable[CourseOption], requested: Collection[str], hours: int | None
) -> int:
    """Return an upper bound, in micro-levels, of what any path of these courses gains; conditions of entry are ignored.

    `requested`: the ids of courses that every path has. `hours`: the most micro-hours of a path; None: no limit.
    """
    options = list(courses)
    mine = {place for place, option in enumerate(options) if option.id in requested}
    left = None if hours is None else hours - sum(options[place].hours for place in mine)
    slots = [
        slot for gap, found in stairs_by_gap(options).items() for slot in slots_of(found, value.stairs.get(gap, ()))
    ]
    held = [max((slot.get(place, 0) for place in mine), default=0) for slot in slots]
    added = [
        [(at, slot[place] - held[at]) for at, slot in enumerate(slots) if slot.get(place, 0) > held[at]]
        for place in range(len(options))
    ]
    fitting = [
        (option.hours, more)
        for option, more in zip(options, added, strict=True)
        if left is None or option.hours <= left
    ]
    return sum(held) + knapsack(slot_bounds(len(slots), fitting), left)
