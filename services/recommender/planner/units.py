"""The integer units of plans: micro-levels, micro-hours, and the values that mean "none" or "unlimited"."""

from services.recommender.inputs import MICRO

UNREACHABLE = 1 << 44
"""Micro-hours that no path has. A closure cost adds one for each unreachable condition; some 200,000 fit."""


FORBIDDEN = 1 << 62
"""The closure cost of a course that must not be used."""

UNLIMITED = 1 << 60
"""Hours or steps of a path without a limit."""


def micro(level: float) -> int:
    """Return a level in micro-levels."""
    return round(level * MICRO)
