"""The validator's own computation of dependencies between courses, and of a path's gain at usual completion rates.

Each course in turn is left out of the path, and the rest is simulated: later courses that cannot be entered any more
depend on it. The probability that a course is completed is its own completion rate times the rates of all courses that
it depends on.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from math import prod

from services.recommender.inputs import LEARNERS_ASSUMED, LEARNERS_COMPLETING
from services.recommender.plan_validator.officer_state import EntryState
from shared.domain import Course, courses_named, skills_named

Key = tuple[str, str]
"""A skill as (framework, id), or a course as ("", id)."""


def expected_gain(
    courses: Sequence[Course], depends_on: Sequence[set[int]], parts: Iterable[Mapping[int, float]]
) -> float:
    """Return the micro-levels that a path is expected to gain.

    `depends_on`: per course, the positions of the courses it depends on. `parts`: per band of confidence of a skill,
    position of a course -> micro-levels that it adds to the band, if any.
    """
    rates = [_rate(course) for course in courses]
    chances = [rates[place] * prod(rates[other] for other in depends_on[place]) for place in range(len(courses))]
    gain = 0.0
    for added in parts:
        higher = 0.0
        for value in sorted({*added.values()}, reverse=True):
            chosen = {place for place, own in added.items() if own >= value}
            least = 1 - prod(1 - chances[place] for place in chosen if depends_on[place].isdisjoint(chosen))
            gain += value * (least - higher)  # the chance that nothing adds more
            higher = least
    return gain


def dependents(officer: EntryState, courses: Sequence[Course], begun: set[str]) -> list[set[int]]:
    """Return for each course of a path the positions of the courses that it depends on.

    `officer`: the state before the path. `begun`: ids of started courses, whose conditions are not checked.
    """
    path = _Path(officer, courses, begun)
    depends_on: list[set[int]] = [set() for _ in courses]
    for gone in range(len(courses)):
        for place in path.lost_without(gone):
            depends_on[place].add(gone)
    return depends_on


class _Path:
    """Courses in order, indexed by what each needs for entry and what each gives when completed."""

    def __init__(self, officer: EntryState, courses: Sequence[Course], begun: set[str]) -> None:
        self._officer = officer
        self._courses = courses
        self._reads = {
            place: frozenset(_read(course))
            for place, course in enumerate(courses)
            if course.id not in begun and not officer.enters(course)
        }
        self._readers, self._givers = defaultdict[Key, list[int]](list), defaultdict[Key, list[tuple[float, int]]](list)
        for place, keys in self._reads.items():
            for key in keys:
                self._readers[key].append(place)
        self._gives: list[set[Key]] = []
        for place, given in enumerate(map(_given, courses)):
            needed = given.keys() & self._readers.keys()
            self._gives.append(needed)
            for key in needed:
                self._givers[key].append((-given[key], place))
        for ranked in self._givers.values():
            ranked.sort()

    def lost_without(self, gone: int) -> set[int]:
        """Return the positions of the courses that cannot be entered without the one at a position.

        Only courses that need what it gives, or what a course lost with it gives, are checked.
        """
        if not self._gives[gone]:
            return set()
        lost, seen, waiting = {gone}, set[int](), [gone]
        while waiting:
            place = heappop(waiting)  # in order of the path, so all earlier losses are known
            if place != gone and self._is_entered(place, lost):
                continue
            lost.add(place)
            for reader in {reader for key in self._gives[place] for reader in self._readers[key]} - seen:
                if reader > place:
                    seen.add(reader)
                    heappush(waiting, reader)
        return lost - {gone}

    def _is_entered(self, place: int, lost: Container[int]) -> bool:
        """Return whether a course can be entered after the best of the remaining courses that it needs."""
        ready = self._officer.copy()
        for key in self._reads[place]:
            left = (giver for _, giver in self._givers.get(key, ()) if giver < place and giver not in lost)
            if (best := next(left, None)) is not None:
                ready.take(self._courses[best])
        return ready.enters(self._courses[place])


def _read(course: Course) -> Iterator[Key]:
    """Yield the keys that can decide whether a course can be entered: skills (framework, id) and courses ("", id)."""
    yield from ((row.framework, row.skill) for row in course.teaches if row.from_level > 0)
    yield from skills_named(course.requires)
    yield from (("", name) for name in courses_named(course.requires))


def _given(course: Course) -> dict[Key, float]:
    """Return what completing a course gives: the level that each skill rises to, and the course itself."""
    given: dict[Key, float] = {("", course.id): 1.0}
    for row in course.teaches:
        given[row.framework, row.skill] = max(row.to_level, given.get((row.framework, row.skill), 0.0))
    return given


def _rate(course: Course) -> float:
    if course.completions is None:
        return LEARNERS_COMPLETING / LEARNERS_ASSUMED
    counted = course.completions
    return (counted.completed + LEARNERS_COMPLETING) / (counted.started + LEARNERS_ASSUMED)
