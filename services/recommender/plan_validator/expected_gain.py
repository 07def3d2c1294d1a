"""The checker's own reckoning of what leans on what, and of what a path gains as courses are usually completed.

It studies the path without each course: a later one leans on it if it then cannot be entered. A course is completed
with its own rate times those of all it leans on.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Protocol, Self

from services.recommender.inputs import LEARNERS_ASSUMED, LEARNERS_COMPLETING
from shared.skills import Course


class Officer(Protocol):
    """Who stands before the next course."""

    def copy(self) -> Self:
        """Return one who can go another way."""

    def enters(self, course: Course) -> bool:
        """Return whether the course can be entered."""

    def take(self, course: Course) -> None:
        """Do a course."""


def likely_gain(
    courses: Sequence[Course],
    leans: Sequence[set[int]],
    framework: str,
    worths: Mapping[str, Callable[[float], float]],
) -> float:
    """Return the micro-levels that a path is expected to gain. `worths`: required skill -> level -> micro-levels."""
    rates = [_rate(course) for course in courses]
    chances = [rates[place] * prod(rates[other] for other in leans[place]) for place in range(len(courses))]
    taught = [_taught(course, framework) for course in courses]
    gain = 0.0
    for skill, worth in worths.items():
        reached = [levels.get(skill, 0.0) for levels in taught]
        higher = 0.0
        for level in sorted({*reached} - {0.0}, reverse=True):
            chosen = {place for place, to in enumerate(reached) if to >= level}
            least = 1 - prod(1 - chances[place] for place in chosen if leans[place].isdisjoint(chosen))
            gain += worth(level) * (least - higher)  # the chance that this level is the highest
            higher = least
    return gain


def leaning(officer: Officer, courses: Sequence[Course], begun: set[str]) -> list[set[int]]:
    """Return for each course the places of those that it leans on."""
    leans: list[set[int]] = [set() for _ in courses]
    gated = {n for n, course in enumerate(courses) if course.id not in begun and not officer.enters(course)}
    so_far = officer.copy()
    for gone in range(max(gated, default=0)):
        without = so_far.copy()
        for place in range(gone + 1, len(courses)):
            if place not in gated or without.enters(courses[place]):
                without.take(courses[place])
            else:
                leans[place].add(gone)
        so_far.take(courses[gone])
    return leans


def _rate(course: Course) -> float:
    if course.completions is None:
        return LEARNERS_COMPLETING / LEARNERS_ASSUMED
    counted = course.completions
    return (counted.completed + LEARNERS_COMPLETING) / (counted.started + LEARNERS_ASSUMED)


def _taught(course: Course, framework: str) -> dict[str, float]:
    rows = sorted((row.to_level, row.skill) for row in course.teaches if row.framework == framework)
    return {skill: level for level, skill in rows}
