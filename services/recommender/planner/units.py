"""The integers that plans are computed in: micro-levels, micro-hours, and what stands for no number of them."""

from services.recommender.inputs import MICRO

FAR = 1 << 44
"""Micro-hours that no path has: out of reach. A price holds one FAR for each of its needs that is: some 200,000 fit."""


NEVER = 1 << 62
"""The price of what is not to be used."""

NO_LIMIT = 1 << 60


def micro(level: float) -> int:
    """Return a level in micro-levels."""
    return round(level * MICRO)
