"""Dependencies between the courses of a path: the earlier courses that a course cannot be entered without.

If one course is left out of a path, some later courses cannot be entered any more, and so others cannot either: all of
these depend on the first one. This relation determines which courses a path does not need, what a step unlocks, and
what the path is expected to gain.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce

from services.recommender.planner.course_spec import AnyCondition, Condition, CourseCondition, LevelCondition, SkillKey
from services.recommender.planner.exact.options import CourseOption, PathState, stairs_by_gap
from services.recommender.planner.exact.residual import Pick
from services.recommender.planner.value import added, with_stair

Dependencies = Mapping[int, LevelCondition | CourseCondition | None]
"""Position of an earlier course -> the condition that it satisfies itself, outside of several branches; None if it is
needed only through other courses, or in one of several branches."""


def dependencies(options: Sequence[CourseOption], start: PathState, begun: Collection[str] = ()) -> list[Dependencies]:
    """Return for each course of a path the positions of the earlier ones that it cannot be entered without.

    `start`: the state before the path. `begun`: the ids of courses whose conditions are ignored, because the officer
    had started them before the path.
    """
    found: list[Dependencies] = []
    earlier = _Earlier()

    def lacks(condition: Condition) -> frozenset[int] | None:
        """Return the positions of the courses without which a condition does not hold; None if it never holds."""
        if start.meets(condition):
            return frozenset()
        if isinstance(condition, AnyCondition):
            ways = [way for way in map(branch_lacks, condition.branches) if way is not None]
        else:
            ways = [frozenset({place, *found[place]}) for place in earlier.satisfying(condition)]
        return reduce(frozenset.__and__, ways) if ways else None

    def branch_lacks(conditions: Sequence[Condition]) -> frozenset[int] | None:
        parts = [lacks(condition) for condition in conditions]
        held = [part for part in parts if part is not None]
        return frozenset[int]().union(*held) if len(held) == len(parts) else None

    for option in options:
        conditions = () if option.id in begun else option.conditions
        needed = {condition: places for condition in conditions if (places := lacks(condition))}
        because: dict[int, LevelCondition | CourseCondition | None] = dict.fromkeys(
            sorted(frozenset[int]().union(*needed.values()))
        )
        for condition in _outside_branches(needed):
            for place in needed.get(condition) or lacks(condition) or ():
                if because[place] is None and options[place].achieves(condition):
                    because[place] = condition
        earlier.add(option)
        found.append(because)
    return found


class _Earlier:
    """The courses of a path so far, indexed by what they satisfy."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._teaching = defaultdict[SkillKey, list[tuple[int, int]]](list)

    def add(self, option: CourseOption) -> None:
        """Append a course."""
        for skill, level in option.level_effects.items():
            self._teaching[skill].append((len(self._places), level))
        self._places[option.id] = len(self._places)

    def satisfying(self, condition: LevelCondition | CourseCondition) -> list[int]:
        """Return the positions of the courses that satisfy a condition."""
        if isinstance(condition, CourseCondition):
            return [self._places[condition.course]] if condition.course in self._places else []
        return [place for place, level in self._teaching[condition.skill] if level >= condition.level]


def _outside_branches(conditions: Iterable[Condition]) -> Iterator[LevelCondition | CourseCondition]:
    """Yield the conditions on one level or course that must hold in any case: none of an `any` with two branches."""
    for condition in conditions:
        if not isinstance(condition, AnyCondition):
            yield condition
        elif len(condition.branches) == 1:
            yield from _outside_branches(condition.branches[0])


def without_idle(start: PathState, picks: Sequence[Pick]) -> tuple[list[Pick], list[Dependencies]]:
    """Return the picks of a path that add something or that another pick needs, and the dependencies of each.

    Requested courses stay. `start`: the state before the path. The search only knows the cheapest branches of a
    condition, so it may pick a course that the path does not need.
    """
    kept = list(picks)
    while True:
        options = [pick.option for pick in kept]
        needs = dependencies(options, start, {pick.option.id for pick in kept if pick.origin == "started"})
        needed = {place for places in needs for place in places}
        spare = _replaceable(options, start)
        idle = [place for place, pick in enumerate(kept) if not pick.origin and place not in needed and place in spare]
        if not idle:
            return kept, needs
        del kept[idle[-1]]


def _replaceable(options: Sequence[CourseOption], start: PathState) -> set[int]:
    """Return the positions of courses without which the others gain as much."""
    alone = set[int]()
    for gap, own in stairs_by_gap(options).items():
        for place, step in own.items():
            others = reduce(with_stair, (other for at, other in own.items() if at != place), start.held.get(gap, ()))
            if added(others, step):
                alone.add(place)
    return set(range(len(options))) - alone
