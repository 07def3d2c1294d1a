"""An upper bound on what a path gains in some hours, by which a path is proved optimal.

It is the fractional knapsack (Dantzig 1957) of slots: the gaps, or the bands of confidence of a gap. Conditions of
entry and the limit of steps are ignored. A course divides its hours among its slots in proportion to what it adds to
each by itself. So no slot gains more per hour than the best of its courses does, or more in total than the largest
addition of one course. It is computed in integers, so it holds to the last micro-level, the same on every machine.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cmp_to_key
from typing import NamedTuple

_FINE = 10**9
"""Divided hours are counted in this fraction of a micro-hour."""


class SlotBound(NamedTuple):
    """The most that a slot gains: `most` micro-levels in total, and `gain` micro-levels per `hours` micro-hours."""

    most: int
    gain: int
    hours: int


def gain_bound(
    slots: int,
    courses: Sequence[tuple[int, Sequence[tuple[int, int]]]],
    requested: Iterable[int],
    hours: int | None,
) -> int:
    """Return an upper bound, in micro-levels, of what any path of some courses gains.

    `slots`: how many there are. `courses`: for each course its micro-hours, and (slot, micro-levels held in it once the
    course is completed). `requested`: the positions of courses that every path contains; their hours are part of its
    hours. `hours`: the most micro-hours of a path; None: no limit.
    """
    held, left = [0] * slots, hours
    for place in requested:
        length, values = courses[place]
        left = None if left is None else left - length
        for slot, value in values:
            held[slot] = max(held[slot], value)
    added = (
        (length, [(slot, value - held[slot]) for slot, value in values if value > held[slot]])
        for length, values in courses
        if left is None or length <= left
    )
    return sum(held) + knapsack(slot_bounds(slots, added), left)


def slot_bounds(slots: int, courses: Iterable[tuple[int, Collection[tuple[int, int]]]]) -> list[SlotBound]:
    """Return the bound of each slot, from 0 to `slots` - 1.

    `courses`: for each course its micro-hours, and (slot, micro-levels that the course adds to it by itself).
    """
    most, gains, lengths = [0] * slots, [0] * slots, [1] * slots
    for hours, added in courses:
        gain = sum([more for _, more in added])
        for slot, more in added:
            most[slot] = max(most[slot], more)
            if gain * lengths[slot] > gains[slot] * hours:
                gains[slot], lengths[slot] = gain, hours
    return [SlotBound(*one) for one in zip(most, gains, lengths, strict=True)]


def knapsack(slots: Iterable[SlotBound], hours: int | None) -> int:
    """Return an upper bound, in micro-levels, of what these slots gain together.

    `hours`: the micro-hours that they may take; None: no limit.
    """
    if hours is None:
        return sum(slot.most for slot in slots)
    bound, left = 0, hours * _FINE
    for slot in sorted((slot for slot in slots if slot.most), key=cmp_to_key(_slower)):
        needed = slot.most * slot.hours * _FINE // slot.gain
        if needed > left:
            return bound + left * slot.gain // (slot.hours * _FINE)
        bound, left = bound + slot.most, left - needed
    return bound


def _slower(one: SlotBound, other: SlotBound) -> int:
    """Return a number above 0 if a slot takes more hours per gain than another one, below 0 if it takes fewer."""
    return one.hours * other.gain - other.hours * one.gain
