"""The expected gain of a path if not every course is completed.

The probability that a course of the path is completed is its own completion rate times the rates of the earlier courses
without which it cannot be entered (`dependencies`). The value of a skill is gained if at least one of the courses that
give it is completed. Completions are assumed to be independent of each other.
"""

from collections.abc import Mapping, Sequence
from math import prod

from services.recommender.planner.course_spec import completion_rate
from services.recommender.planner.exact.dependencies import Dependencies
from services.recommender.planner.exact.options import CourseOption, stairs_by_gap
from services.recommender.planner.value import ValueFunction, slots_of


def expected_gain(value: ValueFunction, options: Sequence[CourseOption], dependencies: Sequence[Dependencies]) -> int:
    """Return the expected gain of a path, in micro-levels, if each course is completed with its own rate.

    `dependencies`: for each course, the earlier courses that it depends on.
    """
    rates = [completion_rate(option.spec.course) for option in options]
    chances = [
        rate * prod(rates[place] for place in sorted(depends_on))
        for rate, depends_on in zip(rates, dependencies, strict=True)
    ]
    steps = stairs_by_gap(options)
    slots = (rows for gap in value.gaps if gap in steps for rows in slots_of(steps[gap], value.stairs.get(gap, ())))
    return int(sum(_expected(rows, dependencies, chances) for rows in slots) + 0.5)


def _expected(rows: Mapping[int, int], dependencies: Sequence[Dependencies], chances: Sequence[float]) -> float:
    """Return the expected gain in one slot of a skill. `rows`: position in the path -> what the course adds to it."""
    gained, below = 0.0, 0
    for held in sorted(set(rows.values())):
        if held > below:
            able = {place: chances[place] for place, added in rows.items() if added >= held}
            missed = 1.0
            for place, chance in able.items():
                # Who completes a course that depends on another of these has completed that one too.
                if able.keys().isdisjoint(dependencies[place]):
                    missed *= 1 - chance
            gained += (held - below) * (1 - missed)
            below = held
    return gained
