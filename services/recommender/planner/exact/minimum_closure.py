"""The fewest hours in which an officer meets a need: a set of courses that can be studied one after the other.

A course that satisfies two conditions counts once, so added costs can be too high; hours that are shown are found here.
Two figures per course (`ClosureCosts`) come first: its hours with those of its dearest condition, recursively, are a
lower bound (h_max); the cheapest course for each of its conditions, recursively, makes a closure (h_add). Where that
closure, each course counted once, is as short as the lower bound, it is proved minimal, as it is for most conditions.

Else it is searched, best first: of the sets begun, the one that may become the shortest is extended by a course that
meets what it still lacks, if it may become shorter than the shortest way known. No set is shorter than its own hours
and those of the dearest need that it lacks; nor than its own and, for each need that it lacks, the least share of a
course that meets it, shared among the needs that it meets; nor than what a course of it takes, and all that waits for
it. The search visits a limited number of sets. Past it the shortest way known is an upper bound, and the best of the
sets begun a lower one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush, merge
from itertools import count
from typing import NamedTuple

from services.recommender.inputs import MOST_STEPS
from services.recommender.planner.course_spec import SkillKey
from services.recommender.planner.exact.conditions import (
    AnyCondition,
    Condition,
    CourseCondition,
    CourseOption,
    LevelCondition,
    PathState,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE
from shared.domain import Course

MAX_EXPANSIONS = PARAMS.max_expansions
MAX_COMPARED = PARAMS.max_compared
MAX_SHARED_CONDITIONS = PARAMS.max_shared_conditions
MAX_PRUNED = PARAMS.max_pruned
UNBOUNDED = 1 << 60


class TaughtLevel(NamedTuple):
    """A goal: some course of the set leads to this level, whatever level already counts for entry."""

    skill: SkillKey
    level: int


Goal = Condition | TaughtLevel


class MinimumClosure(NamedTuple):
    """The shortest set found, in order of study. No set takes fewer than `lower_bound` hours. Micro-hours."""

    hours: int
    lower_bound: int
    courses: list[CourseOption]

    @property
    def proved(self) -> bool:
        """Whether no set is shorter."""
        return self.hours <= self.lower_bound


class ClosureCosts(NamedTuple):
    """Costs of courses with their prerequisites from one state, in micro-hours; UNREACHABLE if there is none.

    `lower_bound`: the hours of a course and of its dearest condition (h_max). `additive_cost`: the hours of a course
    and of each of its conditions (h_add).
    """

    lower_bound: Callable[[CourseOption], int]
    additive_cost: Callable[[CourseOption], int]


class AvailableCourses:
    """The courses that an officer may use and can reach, looked up on demand.

    `teachers`: (level reached, id) of the courses that teach a skill, shortest first, then by id. `option`: the course
    of an id as the officer may use it, or None. `above` (skill, micro-level): all courses that teach a skill of the
    framework beyond a level, those that may be used first, then shortest first, then by id. `closure_costs`: costs from
    a state; None: computed here. `matched`: the ids of the courses with an unconfirmed row of a skill of the framework,
    shortest first, then by id. `incomplete`: whether a course was skipped because it is unknown whether it can be
    reached.
    """

    def __init__(
        self,
        teachers: Callable[[SkillKey], Iterable[tuple[int, str]]],
        option: Callable[[str], CourseOption | None],
        above: Callable[[str, int], Iterable[Course]],
        closure_costs: Callable[[PathState], ClosureCosts] | None = None,
        matched: Callable[[str], Iterable[str]] = lambda _: (),
    ) -> None:
        self._teachers, self._way, self._closure_costs, self.above = teachers, option, closure_costs, above
        self.matched = matched
        self._ways: dict[str, CourseOption | None] = {}
        self._lists: dict[SkillKey, list[tuple[int, str]]] = {}
        self._meeting: dict[Goal, tuple[list[CourseOption], Iterator[CourseOption]]] = {}
        self._known: tuple[object, _ClosureBounds] | None = None
        self.incomplete = False

    def bounds(self, start: PathState, targets: Sequence["Goal"]) -> "_ClosureBounds":
        """Return the bounds from a state; those of the last state are cached."""
        if self._closure_costs is None:
            return _ClosureBounds(self, start, relaxed_costs(self, start, targets))
        key = frozenset(start.done), frozenset(start.levels.items())
        if self._known is None or self._known[0] != key:
            self._known = key, _ClosureBounds(self, start.copy(), self._closure_costs(start))
        return self._known[1]

    def option(self, course_id: str) -> CourseOption | None:
        """Return a course that may be used and can be reached."""
        if course_id not in self._ways:
            self._ways[course_id] = self._way(course_id)
        return self._ways[course_id]

    def _taught(self, skill: SkillKey) -> list[tuple[int, str]]:
        if skill not in self._lists:
            self._lists[skill] = list(self._teachers(skill))
        return self._lists[skill]

    def highest(self, skill: SkillKey, above: int, wanted: int) -> int | None:
        """Return the highest level above `above`, up to `wanted`, that some course leads to; None if there is none."""
        levels = sorted({min(level, wanted) for level, _ in self._taught(skill) if level > above}, reverse=True)
        return next((level for level in levels if next(self.meeting(LevelCondition(skill, level)), None)), None)

    def meeting(self, condition: Goal) -> Iterator[CourseOption]:
        """Yield the courses that satisfy a condition or a part of it, shortest first; each is looked up once."""
        if (known := self._meeting.get(condition)) is None:
            known = self._meeting[condition] = [], self._look_up(condition)
        found, rest = known
        for place in count():
            if place == len(found):
                if (option := next(rest, None)) is None:
                    return
                found.append(option)
            yield found[place]

    def _look_up(self, condition: Goal) -> Iterator[CourseOption]:
        if isinstance(condition, LevelCondition | TaughtLevel):
            yield from (
                option
                for level, name in self._taught(condition.skill)
                if level >= condition.level and (option := self.option(name))
            )
        elif isinstance(condition, CourseCondition):
            if option := self.option(condition.course):
                yield option
        else:
            yield from merged_by_hours(self.meeting(one) for branch in condition.branches for one in branch)


class _ClosureBounds:
    """From one state: lower bounds of conditions, and the closure that their cheapest courses make."""

    def __init__(self, available: AvailableCourses, start: PathState, closure_costs: ClosureCosts) -> None:
        self._available, self._closure_costs, self._root = available, closure_costs, _PartialClosure(start)
        self._lower_bounds: dict[Goal, int] = {}
        self._achievers: dict[Goal, tuple[int, CourseOption | None]] = {}

    def lower_bound_of(self, option: CourseOption) -> int:
        """Return a lower bound of the hours of any closure of a course."""
        return max(self._closure_costs.lower_bound(option), option.hours)

    def lower_bound(self, condition: Goal) -> int:
        """Return a lower bound of the hours that satisfy a condition; UNREACHABLE if nothing does."""
        if self._root.meets(condition):
            return 0
        if isinstance(condition, AnyCondition):
            return min(
                (max(map(self.lower_bound, branch), default=0) for branch in condition.branches), default=UNREACHABLE
            )
        if (known := self._lower_bounds.get(condition)) is None:
            known = UNREACHABLE
            for option in self._available.meeting(condition):
                if option.hours >= known:
                    break
                known = min(known, self.lower_bound_of(option))
            self._lower_bounds[condition] = known
        return known

    def option(self, targets: Sequence[Goal]) -> list[CourseOption]:
        """Return the cheapest courses for each target, for each of their conditions, and so on, in order of study.

        At most one course more than a path may hold.
        """
        found: dict[str, CourseOption] = {}
        waiting = list(targets)
        while waiting and len(found) <= MOST_STEPS:
            condition = waiting.pop()
            if self._root.meets(condition):
                continue
            if isinstance(condition, AnyCondition):
                waiting += min(condition.branches, key=lambda branch: sum(self._achiever(one)[0] for one in branch))
            elif (option := self._achiever(condition)[1]) and option.id not in found:
                found[option.id] = option
                waiting += option.conditions
        return sorted(found.values(), key=lambda option: (self._closure_costs.additive_cost(option), option.id))

    def _achiever(self, condition: Goal) -> tuple[int, CourseOption | None]:
        """Return the cost of a condition by its cheapest achiever, and that course if there is one."""
        if self._root.meets(condition):
            return 0, None
        if isinstance(condition, AnyCondition):
            return min(sum(self._achiever(one)[0] for one in branch) for branch in condition.branches), None
        if (known := self._achievers.get(condition)) is None:
            known = UNREACHABLE, None
            for option in self._available.meeting(condition):
                if option.hours > known[0]:
                    break
                additive_cost = self._closure_costs.additive_cost(option)
                if known[1] is None or (additive_cost, option.id) < (known[0], known[1].id):
                    known = additive_cost, option
            self._achievers[condition] = known
        return known


def relaxed_costs(available: AvailableCourses, start: PathState, targets: Sequence[Goal]) -> ClosureCosts:
    """Return the closure costs of the courses that may lead to these targets, as a fixed point from UNREACHABLE.

    The reference definition; `optimizer.available_courses` computes the same for a whole catalog.
    """
    begun, options, meeting, waiting = (
        _PartialClosure(start),
        dict[str, CourseOption](),
        dict[Goal, list[CourseOption]](),
        list(targets),
    )
    while waiting:
        condition = waiting.pop()
        if condition in meeting or begun.meets(condition):
            continue
        if isinstance(condition, AnyCondition):
            waiting += [one for branch in condition.branches for one in branch]
        # for an AnyCondition: of every part, for a search also asks for courses of a part that is met already
        meeting[condition] = list(available.meeting(condition))
        fresh = {option.id: option for option in meeting[condition] if option.id not in options}
        options.update(fresh)
        waiting += [one for option in fresh.values() for one in option.conditions]

    def settled(join: Callable[[list[int]], int]) -> dict[str, int]:
        def behind(condition: Goal) -> int:
            if begun.meets(condition):
                return 0
            if isinstance(condition, AnyCondition):
                return min(
                    (join([behind(one) for one in branch]) for branch in condition.branches), default=UNREACHABLE
                )
            return min((state[option.id] for option in meeting[condition]), default=UNREACHABLE)

        state, before = dict.fromkeys(options, UNREACHABLE), dict[str, int]()
        while state != before:
            before = dict(state)
            for option in options.values():
                state[option.id] = min(
                    option.hours + join([behind(condition) for condition in option.conditions]), UNREACHABLE
                )
        return state

    lower_bound, additive_cost = settled(lambda parts: max(parts, default=0)), settled(sum)
    return ClosureCosts(lambda option: lower_bound[option.id], lambda option: additive_cost[option.id])


class _PartialClosure:
    """A partial set of courses: `order` can be studied, `stuck` cannot yet; the last of `stuck` was added last.

    `met`: whether the targets are satisfied by `order`; `after`: course -> hours of it, of the course that it was added
    for, and so on.
    """

    __slots__ = ("after", "done", "hours", "ids", "lacked", "levels", "met", "order", "start", "stuck")

    def __init__(self, start: PathState) -> None:
        self.start = start
        self.levels: dict[SkillKey, int] = {}
        self.ids: frozenset[str] = frozenset()
        self.done: set[str] = set()
        self.order: list[CourseOption] = []
        self.stuck: list[tuple[CourseOption | None, Sequence[Goal]]] = []
        self.hours = 0
        self.met = False
        self.after: dict[str, int] = {}
        self.lacked: list[tuple[Goal, bool]] | None = None

    def copy(self) -> "_PartialClosure":
        other = _PartialClosure(self.start)
        other.levels, other.ids, other.done = dict(self.levels), self.ids, set(self.done)
        other.order, other.stuck, other.hours = list(self.order), list(self.stuck), self.hours
        other.after = dict(self.after)
        return other

    def add(self, option: CourseOption, after: int = 0) -> None:
        """Add a course that others wait for (`after`: their hours); study what can now be entered."""
        self.ids |= {option.id}
        self.after[option.id] = option.hours + after
        self.hours += option.hours
        self.lacked = None
        self.stuck.append((option, option.conditions))
        if not all(map(self.meets, option.conditions)):
            return
        moved = True
        while moved:
            moved = False
            for place in reversed(range(len(self.stuck))):
                one, conditions = self.stuck[place]
                if all(map(self.meets, conditions)):
                    del self.stuck[place]
                    moved = True
                    if one is None:
                        self.met = True
                    else:
                        self.order.append(one)
                        self.done.add(one.id)
                        for skill, level in one.level_effects.items():
                            self.levels[skill] = max(self.levels.get(skill, 0), level)

    def meets(self, condition: Goal) -> bool:
        if isinstance(condition, TaughtLevel):
            return self.levels.get(condition.skill, 0) >= condition.level
        if isinstance(condition, LevelCondition):
            held = self.start.levels.get(condition.skill, 0)
            return max(held, self.levels.get(condition.skill, 0)) >= condition.level
        if isinstance(condition, CourseCondition):
            return condition.course in self.done or condition.course in self.start.done
        return any(all(map(self.meets, branch)) for branch in condition.branches)

    def lacks(self) -> list[tuple[Goal, bool]]:
        """Return the unmet conditions that no course of the set could satisfy; if there are none, all unmet ones.

        Each with whether it must be satisfied from outside: courses of the set that wait for each other leave a choice.
        """
        if self.lacked is None:
            self.lacked = self._find_lacked()
        return self.lacked

    def _find_lacked(self) -> list[tuple[Goal, bool]]:
        unmet = [
            (one, condition)
            for one, conditions in reversed(self.stuck)
            for condition in conditions
            if not self.meets(condition)
        ]
        outside = list(dict.fromkeys(condition for one, condition in unmet if not self._could(condition, one)))
        return [(condition, True) for condition in outside] or [
            (condition, False) for condition in dict.fromkeys(n for _, n in unmet)
        ]

    def waits(self, condition: Goal) -> int:
        """Return the smallest waiting time of a condition, in micro-hours.

        The waiting time is the hours of a course that has the condition, of the course that this one was added for, and
        so on.
        """
        asking = [
            self.after[one.id] if one else 0
            for one, conditions in self.stuck
            if condition in conditions and not self.meets(condition)
        ]
        return min(asking, default=0)

    def _could(self, condition: Goal, asking: CourseOption | None) -> bool:
        """Return whether a condition would hold if all of `stuck`, except the asking course, were studied."""
        if self.meets(condition):
            return True
        others = [one for one, _ in self.stuck if one and one is not asking]
        if isinstance(condition, LevelCondition | TaughtLevel):
            return any(one.level_effects.get(condition.skill, 0) >= condition.level for one in others)
        if isinstance(condition, CourseCondition):
            return any(one.id == condition.course for one in others)
        return any(all(self._could(one, asking) for one in branch) for branch in condition.branches)


def minimum_closure(
    start: PathState,
    targets: Sequence[Goal],
    available: AvailableCourses,
    steps: int = UNBOUNDED,
    most_sets: int = MAX_EXPANSIONS,
) -> MinimumClosure | None:
    """Return the shortest set of at most `steps` courses that satisfies all targets from here; None if there is none.

    If the limit on the search (`most_sets` visited) is reached, `lower_bound` is below the hours of the set.
    """
    root = _PartialClosure(start)
    if all(map(root.meets, targets)):
        return MinimumClosure(0, 0, [])
    if steps > 0 and (alone := _shortest_alone(root, targets, available)):
        return MinimumClosure(alone.hours, alone.hours, [alone])
    bounds = available.bounds(start, targets)
    lower_bound = max(map(bounds.lower_bound, targets))
    if lower_bound >= UNREACHABLE:
        return None
    known = bounds.option(targets)
    if len(known) > MOST_STEPS:
        return None if steps <= MOST_STEPS else MinimumClosure(sum(option.hours for option in known), lower_bound, [])
    if len(known) <= MAX_PRUNED:
        known = drop_redundant(start, known, targets)
    found = MinimumClosure(sum(option.hours for option in known), lower_bound, known) if len(known) <= steps else None
    if found and (found.proved or not most_sets):
        return found
    return _Search(start, available, steps, targets, most_sets, bounds, found).run()


def greedy_closure(start: PathState, targets: Sequence[Goal], available: AvailableCourses) -> list[CourseOption] | None:
    """Return the cheapest course for each condition alone, in order of study; None if a path may not hold them.

    All targets must be reachable.
    """
    if alone := _shortest_alone(_PartialClosure(start), targets, available):
        return [alone]
    found = available.bounds(start, targets).option(targets)
    if 1 < len(found) <= MAX_PRUNED:
        return drop_redundant(start, found, targets)
    return found if len(found) <= MOST_STEPS else None


def _shortest_alone(
    root: "_PartialClosure", targets: Sequence[Goal], available: AvailableCourses
) -> CourseOption | None:
    """Return the shortest course that satisfies the only target, if it can be entered at once: no set is shorter."""
    if len(targets) != 1 or isinstance(targets[0], AnyCondition) or root.meets(targets[0]):
        return None
    least = UNREACHABLE
    for option in available.meeting(targets[0]):
        if option.hours > least:
            break
        if all(map(root.meets, option.conditions)):
            return option
        least = option.hours
    return None


class _Search:
    """The partial closures, ordered by a lower bound of their hours."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a search knows
        self,
        start: PathState,
        available: AvailableCourses,
        steps: int,
        targets: Sequence[Goal],
        most_sets: int,
        bounds: _ClosureBounds,
        known: MinimumClosure | None,
    ) -> None:
        self._root, self._available, self._steps, self._targets = _PartialClosure(start), available, steps, targets
        self._most_sets, self._bounds, self._known = most_sets, bounds, known
        self._below = known.hours if known else UNREACHABLE
        self._root.stuck.append((None, targets))
        self._shares: dict[tuple[Goal, ...], int] = {}
        self._heap: list[tuple[int, int, _PartialClosure, Iterator[tuple[_PartialClosure, int]] | None]] = []
        self._seen: dict[frozenset[str], int] = {}
        self._visited = 0

    def run(self) -> MinimumClosure | None:
        self._push(self._root, max(map(self._bounds.lower_bound, self._targets)))
        while self._heap:
            lower_bound, _, one, rest = heappop(self._heap)
            if one.met:
                return MinimumClosure(one.hours, lower_bound, one.order)
            if self._visited >= self._most_sets:
                return self._cut_short(one, lower_bound)
            self._next(one, lower_bound, rest if rest is not None else self._longer(one))
        return self._known._replace(lower_bound=self._known.hours) if self._known else None

    def _push(
        self, one: _PartialClosure, lower_bound: int, rest: Iterator[tuple[_PartialClosure, int]] | None = None
    ) -> None:
        """Queue a partial closure that may become shorter than the shortest closure known."""
        if lower_bound < self._below:
            heappush(
                self._heap, (lower_bound, -2 * self._visited + (rest is not None), one, rest)
            )  # of equals the newest

    def _next(self, one: _PartialClosure, lower_bound: int, rest: Iterator[tuple[_PartialClosure, int]]) -> None:
        """Take the next extension by one course, and queue the iterator again if more may follow."""
        for longer, with_all in rest:
            self._visited += 1
            self._push(one, max(lower_bound, longer.hours), rest)
            if len(longer.ids) > self._steps or (longer.met and longer.stuck):
                return  # the same without what is stuck is shorter
            able = max(lower_bound, longer.hours + self._missing(longer), with_all)
            if able < self._seen.get(longer.ids, UNBOUNDED):
                self._seen[longer.ids] = able
                self._push(longer, able)
            return

    def _longer(self, one: _PartialClosure) -> Iterator[tuple[_PartialClosure, int]]:
        """Yield the extensions by one course, shortest first, each with a lower bound of its hours.

        Every larger set that can be studied contains one of these courses, which comes before what waits for it.
        """
        after, found = self._outside(one)
        for option in found:
            if one.hours + option.hours >= self._below:
                return
            with_all = self._bounds.lower_bound_of(option) + after
            if with_all < self._below:
                longer = one.copy()
                longer.add(option, after)
                yield longer, with_all

    def _outside(self, one: _PartialClosure) -> tuple[int, Iterator[CourseOption]]:
        """Return courses of which any larger set that can be studied contains one, shortest first.

        Before them, a lower bound of the hours of what waits for the added one.
        """
        lacked = one.lacks()
        if lacked and lacked[0][1]:
            firsts = [(next(self._meeting(condition, one), None), place) for place, (condition, _) in enumerate(lacked)]
            dearest = max(firsts, key=lambda item: (item[0].hours if item[0] else UNBOUNDED, -item[1]))[1]
            return one.waits(lacked[dearest][0]), self._meeting(lacked[dearest][0], one)
        return 0, merged_by_hours(self._meeting(condition, one) for condition, _ in lacked)

    def _meeting(self, condition: Goal, one: _PartialClosure) -> Iterator[CourseOption]:
        return (option for option in self._available.meeting(condition) if option.id not in one.ids)

    def _missing(self, one: _PartialClosure) -> int:
        """Return a lower bound of the further hours of any larger set that can be studied."""
        lacked = one.lacks()
        if not lacked or not lacked[0][1]:
            return 0
        conditions = [condition for condition, _ in lacked]
        firsts = [next(self._meeting(condition, one), None) for condition in conditions]
        longest = max(option.hours if option else UNBOUNDED for option in firsts)
        if longest == UNBOUNDED or not 1 < len(conditions) <= MAX_SHARED_CONDITIONS:
            return longest
        return max(longest, self._shares_of(conditions, one))

    def _shares_of(self, conditions: Sequence[Goal], one: _PartialClosure) -> int:
        """Return the least shares of these conditions, cached if no course of the set satisfies any of them in part."""
        apart = not any(isinstance(condition, AnyCondition) for condition in conditions) and not any(
            satisfies(asking, condition) for asking, _ in one.stuck if asking for condition in conditions
        )
        known = self._shares.get(key := tuple(conditions)) if apart else None
        if known is None:
            known = sum(self._share(condition, conditions, one) for condition in conditions)
            if apart:
                self._shares[key] = known
        return known

    def _share(self, condition: Goal, conditions: Sequence[Goal], one: _PartialClosure) -> int:
        best = UNBOUNDED
        for looked, option in enumerate(self._meeting(condition, one)):
            least_share = option.hours // len(conditions)
            if best <= least_share:
                break
            if looked >= MAX_COMPARED:
                return least_share
            best = min(best, option.hours // max(sum(satisfies(option, other) for other in conditions), 1))
        return best

    def _cut_short(self, one: _PartialClosure, lower_bound: int) -> MinimumClosure | None:
        """Return the shortest closure known, or one from the cheapest completions of the best partial closure."""
        whole = one.copy()
        for option in self._bounds.option([condition for condition, _ in one.lacks()]):
            if option.id not in whole.ids:
                whole.add(option)
        if not whole.met:
            return self._known and self._known._replace(lower_bound=lower_bound)
        found = drop_redundant(one.start, whole.order, self._targets) if len(whole.order) <= MAX_PRUNED else whole.order
        hours = sum(option.hours for option in found)
        if hours >= self._below or len(found) > min(self._steps, MOST_STEPS):
            return self._known and self._known._replace(lower_bound=lower_bound)
        return MinimumClosure(hours, lower_bound, found)


def drop_redundant(start: PathState, courses: Sequence[CourseOption], targets: Sequence[Goal]) -> list[CourseOption]:
    """Return courses that still satisfy all targets, dropping unnecessary ones from the end."""
    found = list(courses)
    for option in reversed(courses):
        rest = [other for other in found if other is not option]
        if _meets_all(start, rest, targets):
            found = rest
    return found


def _meets_all(start: PathState, courses: Sequence[CourseOption], targets: Sequence[Goal]) -> bool:
    """Return whether these courses can be studied in this order and satisfy all targets."""
    state = _PartialClosure(start)
    for option in courses:
        state.add(option)
        if state.stuck:
            return False
    return all(map(state.meets, targets))


def merged_by_hours(parts: Iterable[Iterator[CourseOption]]) -> Iterator[CourseOption]:
    """Merge lists of courses by hours, each course once."""
    last = ""
    for option in merge(*parts, key=lambda one: (one.hours, one.id)):
        if option.id != last:  # one of several lists comes several times in a row
            yield option
        last = option.id


def satisfies(option: CourseOption, condition: Goal) -> bool:
    """Return whether a course satisfies a condition or a part of it."""
    if isinstance(condition, LevelCondition | TaughtLevel):
        return option.level_effects.get(condition.skill, 0) >= condition.level
    if isinstance(condition, CourseCondition):
        return option.id == condition.course
    return any(satisfies(option, one) for branch in condition.branches for one in branch)
