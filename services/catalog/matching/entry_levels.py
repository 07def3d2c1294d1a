"""The level from which a course can be entered by way of the courses that it requires. Pure.

An officer who has completed what a course requires holds what these courses teach. So an officer below the entry level
of a course can take it nevertheless, if one of the required courses can be entered at the officer's level and ends at
that entry level or above.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from shared.domain import Prerequisite

Floats = NDArray[np.float64]


class PrerequisiteRow(NamedTuple):
    """The row of a required course that teaches the same skill: its place among all rows.

    `reaches`: the probability that this course teaches the skill and ends at the entry level of the course that
    requires it, or above.
    """

    place: int
    reaches: float


class EntryConditions(NamedTuple):
    """The conditions of entry of the course of a row; `skill` of `framework` is the skill of the row.

    `rows`: {id of a required course: its row}, for the courses that teach this skill too.
    """

    requires: Sequence[Prerequisite]
    framework: str
    skill: str
    rows: Mapping[str, PrerequisiteRow]


def with_required_courses(alone: Floats, conditions: Mapping[int, EntryConditions], levels: Sequence[float]) -> Floats:
    """Return the probability that an officer at each level can take the course, with what it requires: rows x steps.

    `alone`: the same by the entry level of the course alone, rows x steps, never falling along a row. `conditions`:
    {row: conditions of entry}. `levels`: the levels of the scale, at least as many as steps.

    Of alternatives, the one that helps least counts: which of them the officer chooses is not known.
    """
    found = alone.copy()
    for row in _required_first(conditions):
        found[row] = _Entry(conditions[row], alone[row], found, levels).by_all(conditions[row].requires)
    return found


def _required_first(conditions: Mapping[int, EntryConditions]) -> Iterator[int]:
    """Yield each row once, after the rows of the required courses; courses that require each other in any order."""
    seen, done = set[int](), set[int]()
    for first in conditions:
        left = [first]
        while left:
            row = left[-1]
            required = [] if row in seen else [one.place for one in conditions[row].rows.values()]
            seen.add(row)
            if before := [one for one in required if one in conditions and one not in seen]:
                left += before
                continue
            left.pop()
            if row not in done:
                done.add(row)
                yield row


class _Entry(NamedTuple):
    """One row: its conditions, the probabilities `alone` (steps,), and those `found` so far of all rows."""

    of: EntryConditions
    alone: Floats
    found: Floats
    levels: Sequence[float]

    def by_all(self, conditions: Iterable[Prerequisite]) -> Floats:
        """Return the probabilities (steps,) for an officer who meets all of these conditions."""
        return reduce(np.maximum, map(self.by, conditions), self.alone)

    def by(self, condition: Prerequisite) -> Floats:
        """Return the probabilities (steps,) for an officer who meets a condition."""
        if condition.all is not UNSET:
            return self.by_all(condition.all)
        if condition.any is not UNSET:
            return reduce(np.minimum, map(self.by, condition.any))
        helps: Floats | float = 0.0
        if condition.course is not UNSET and (row := self.of.rows.get(condition.course)):
            helps = row.reaches * self.found[row.place] + (1 - row.reaches) * self.alone
        elif condition.level is not UNSET and (condition.framework, condition.skill) == self.of[1:3]:
            reached = min(int(np.searchsorted(self.levels, condition.level, side="right")), len(self.alone))
            helps = float(self.alone[reached - 1]) if reached else 0.0
        return np.maximum(self.alone, helps)
