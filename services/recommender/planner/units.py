"""The integer units of plans: micro-levels, micro-hours, and the values that mean "none" or "unlimited"."""

from services.recommender.inputs import MICRO

UNREACHABLE = 1 << 44
"""Micro-hours that no path has.

A closure cost adds them once for each unreachable condition; the sum of some 200,000 of them is below FORBIDDEN.
"""


FORBIDDEN = 1 << 62
"""The closure cost of a course that must not be used."""

UNLIMITED = 1 << 60
"""Hours or steps of a path without a limit."""


def micro(level: float) -> int:
    """Return a level in micro-levels, rounded to a whole number."""
    return round(level * MICRO)
