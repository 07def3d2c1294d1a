"""Holds the courses of one tenant in the index: segments, the oldest first, and which of their courses are live. Pure.

A changed course is added to a new segment, and is no longer live in the older one. Four segments of about the same size
are merged into one of at most `MOST` courses, so the number of segments stays small.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from services.catalog.search.segment import MOST, Flags, Names, Segment, Vocabulary, build, merge
from shared.domain import Course

_ALIKE = 4


@dataclass(frozen=True, eq=False)
class AlivePart:
    """A segment, and a mask of its live courses: those that were neither changed nor withdrawn later."""

    segment: Segment
    alive: Flags

    @property
    def count(self) -> int:
        """The number of live courses."""
        return int(np.count_nonzero(self.alive))

    def place(self, course: str) -> int:
        """Return the number that a course has in the segment, -1 if it is not live there. `course` is an id."""
        at = self.segment.numbers.get(course, -1)
        return at if at >= 0 and self.alive[at] else -1


@dataclass(frozen=True, eq=False)
class TenantCourses:
    """The courses of one tenant. `hides`: the ids that both a course of the tenant and a shared course have."""

    vocabulary: Vocabulary
    parts: tuple[AlivePart, ...] = ()
    hides: frozenset[str] = frozenset()

    @classmethod
    def none(cls) -> "TenantCourses":
        """Return an object without courses, with an empty vocabulary."""
        return cls(Vocabulary(Names(), Names(), Names()))

    def __len__(self) -> int:
        return sum(part.count for part in self.parts)

    def __contains__(self, course: str) -> bool:
        return any(part.place(course) >= 0 for part in self.parts)

    def changed(self, courses: Mapping[str, Course | None]) -> "TenantCourses":
        """Return the courses after changes, {id: course, or None if it is withdrawn}; call `tidied` afterwards."""
        parts = [_without(part, courses) for part in self.parts]
        if put := [courses[name] for name in sorted(courses) if courses[name] is not None]:
            for begin in range(0, len(put), MOST):
                segment = build([one for one in put[begin : begin + MOST] if one], self.vocabulary)
                parts.append(AlivePart(segment, np.ones(len(segment.ids), dtype=np.bool_)))
        return replace(self, parts=tuple(parts))

    def tidied(self) -> "TenantCourses":
        """Return the same courses in fewer parts; the same object if nothing needs to be merged."""
        parts = _tidied(self.parts)
        return self if parts == self.parts else replace(self, parts=parts)


def _without(part: AlivePart, courses: Mapping[str, Course | None]) -> AlivePart:
    gone = [place for name in courses if (place := part.place(name)) >= 0]
    if not gone:
        return part
    alive = part.alive.copy()
    alive[gone] = False
    return replace(part, alive=alive)


def _tidied(parts: Sequence[AlivePart]) -> tuple[AlivePart, ...]:
    """Return parts without empty ones, with half-empty ones compacted and several of one size merged."""
    kept: list[AlivePart] = []
    for part in parts:
        if not (count := part.count):
            continue
        kept.append(_merge([part]) if count * 2 < len(part.segment.ids) else part)
        while len(alike := _alike(kept)) >= _ALIKE and (fit := _fitting(alike)) > 1:
            begin = len(kept) - len(alike)
            kept[begin : begin + fit] = [_merge(alike[:fit])]
    return tuple(kept)


def _fitting(parts: list[AlivePart]) -> int:
    """Return how many of the first parts fit into one."""
    return sum(total <= MOST for total in accumulate(part.count for part in parts))


def _alike(parts: list[AlivePart]) -> list[AlivePart]:
    """Return the last parts that have the size of the last one, or less."""
    size = _size(parts[-1])
    begin = len(parts)
    while begin and _size(parts[begin - 1]) <= size:
        begin -= 1
    return parts[begin:]


def _size(part: AlivePart) -> int:
    """Return the size of a part: 0 up to 3 courses, 1 up to 15, and so on."""
    return (part.count.bit_length() - 1) // 2


def _merge(parts: list[AlivePart]) -> AlivePart:
    segment = merge([(part.segment, part.alive) for part in parts])
    return AlivePart(segment, np.ones(len(segment.ids), dtype=np.bool_))
