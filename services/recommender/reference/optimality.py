"""The readable rule of docs/ranking.md, last part: the bound by which a path is proved optimal."""

from collections.abc import Collection, Iterable

from services.recommender.planner.exact import slot_bounds
from services.recommender.planner.exact.conditions import CourseOption, stairs_by_gap
from services.recommender.planner.value import ValueFunction, slots_of


def gain_bound(
    value: ValueFunction, courses: Iterable[CourseOption], requested: Collection[str], hours: int | None
) -> int:
    """Return an upper bound, in micro-levels, of what any path of these courses gains; conditions of entry are ignored.

    `requested`: the ids of courses that every path has. `hours`: the most micro-hours of a path; None: no limit.
    """
    options = list(courses)
    mine = [place for place, option in enumerate(options) if option.id in requested]
    slots = [
        slot for gap, found in stairs_by_gap(options).items() for slot in slots_of(found, value.stairs.get(gap, ()))
    ]
    held = [
        (option.hours, [(at, slot[place]) for at, slot in enumerate(slots) if place in slot])
        for place, option in enumerate(options)
    ]
    return slot_bounds.gain_bound(len(slots), held, mine, hours)
