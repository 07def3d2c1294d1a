"""Dependencies between the courses of a path: the earlier courses that a course cannot be entered without.

Remove one course from a path, and every course that can then not be entered any more: each removed course depends on
the first one. This relation determines what a step unlocks and what a path is expected to gain.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce

from msgspec import UNSET

from services.recommender.planner.course_spec import CourseSpec, LearnerState, SkillKey, level_condition
from shared.domain import Prerequisite

Dependencies = Mapping[int, Prerequisite | None]
"""Position of an earlier course -> the entry condition that it satisfies itself and that has no alternative; None if it
is needed only through other courses, or through several alternatives."""


def dependencies(
    framework: str, specs: Sequence[CourseSpec], state: LearnerState, begun: Collection[str] = ()
) -> list[Dependencies]:
    """Return for each course of a path the positions of the earlier ones that it cannot be entered without.

    `state`: before the path. `begun`: courses that were entered before it.
    """
    found: list[Dependencies] = []
    earlier = _Earlier()

    def lacks(condition: Prerequisite) -> frozenset[int] | None:
        """Return the positions of the courses without which a condition does not hold; None if it never holds."""
        if state.meets(condition):
            return frozenset()
        if condition.all is not UNSET:
            parts = [lacks(part) for part in condition.all]
            held = [part for part in parts if part is not None]
            return frozenset[int]().union(*held) if len(held) == len(parts) else None
        if condition.any is not UNSET:
            options = [option for option in map(lacks, condition.any) if option is not None]
        else:
            options = [frozenset({place, *found[place]}) for place in earlier.opening(condition)]
        return reduce(frozenset.__and__, options) if options else None

    for spec in specs:
        conditions = [] if spec.id in begun else spec.entry(framework)
        places = frozenset[int]().union(*(lacks(condition) or () for condition in conditions))
        because: dict[int, Prerequisite | None] = dict.fromkeys(sorted(places))
        for condition in _firm(conditions):
            for place in lacks(condition) or ():
                if because[place] is None and _opens(specs[place], condition):
                    because[place] = condition
        earlier.add(spec)
        found.append(because)
    return found


class _Earlier:
    """The courses of a path so far, indexed by what they satisfy."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._teaching = defaultdict[SkillKey, list[tuple[int, float]]](list)

    def add(self, spec: CourseSpec) -> None:
        """Append a course."""
        for key, (_, reached) in spec.teaches.items():
            self._teaching[key].append((len(self._places), reached))
        self._places[spec.id] = len(self._places)

    def opening(self, condition: Prerequisite) -> list[int]:
        """Return the positions of the courses that satisfy a single condition."""
        if condition.course is not UNSET:
            return [self._places[condition.course]] if condition.course in self._places else []
        key, level = level_condition(condition)
        return [place for place, reached in self._teaching[key] if reached >= level]


def _firm(conditions: Iterable[Prerequisite]) -> Iterator[Prerequisite]:
    """Yield the single conditions that must hold in any case: none inside an `any`."""
    for condition in conditions:
        if condition.all is not UNSET:
            yield from _firm(condition.all)
        elif condition.any is UNSET:
            yield condition
        elif len(condition.any) == 1:
            yield from _firm(condition.any)


def _opens(spec: CourseSpec, condition: Prerequisite) -> bool:
    if condition.course is not UNSET:
        return spec.id == condition.course
    key, level = level_condition(condition)
    return key in spec.teaches and spec.teaches[key][1] >= level
