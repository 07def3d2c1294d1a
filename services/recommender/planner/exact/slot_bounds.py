"""An upper bound on what a path gains in so many hours, by which a path is proved optimal.

It is the fractional knapsack (Dantzig 1957) of the slots of gaps (a gap, or a band of confidence of it) without
conditions of entry and without a limit of steps: a course divides its hours among its slots in proportion to what it
adds to them by itself, so no slot gains more per hour than the best of its courses, or more in all than the largest
addition of one course. It is computed in integers, so it holds to the last micro-level, the same on every
machine.
"""

from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import NamedTuple

_FINE = 10**9
"""Divided hours are counted in this fraction of a micro-hour."""


class SlotBound(NamedTuple):
    """What a slot can gain: `most` micro-levels, no more of them per hour than a course of `hours` with this `gain`."""

    most: int
    gain: int
    hours: int


def slot_bounds(slots: int, courses: Iterable[tuple[int, Collection[tuple[int, int]]]]) -> list[SlotBound]:
    """Return the bound of each slot, from 0 to `slots` - 1.

    `courses`: for each its micro-hours, and the (slot, micro-levels) that it adds.
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
    """Return micro-levels that these slots do not exceed together in so many micro-hours; None: no limit."""
    if hours is None:
        return sum(slot.most for slot in slots)
    bound, left = 0, hours * _FINE
    for slot in sorted((slot for slot in slots if slot.most), key=lambda slot: Fraction(slot.hours, slot.gain)):
        needed = slot.most * slot.hours * _FINE // slot.gain
        if needed > left:
            return bound + left * slot.gain // (slot.hours * _FINE)
        bound, left = bound + slot.most, left - needed
    return bound
