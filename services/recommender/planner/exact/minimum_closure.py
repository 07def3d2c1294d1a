"""The minimum closure of goals: the courses of the fewest hours that meet them and can be studied one after the other.

Closure costs add up over conditions, so they count a course that satisfies two conditions twice. The hours that an
officer reads are computed here, where such a course counts once. Finding a set of least hours is NP-hard (set cover is
a special case), so the search is a depth-first branch and bound with a limit:

    branch   A condition that no course of the partial set can satisfy needs a course from outside. Each of those is
             added in turn, the lowest closure cost per condition first, and is excluded from the branches after its
             own. So the search visits no set twice.
    bound    The hours of the partial set, and for each condition that it lacks the least share of a course that
             satisfies it, where a course divides its hours among the lacking conditions that it satisfies: a feasible
             dual solution of the set cover (Chvatal 1979). A branch that cannot be shorter than the best set is pruned.

The first set is a relaxed plan: the cheapest course for each condition. If the limit of visited courses is reached, the
best set found is an upper bound.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import merge
from itertools import groupby, tee
from typing import NamedTuple

from services.recommender.inputs import MOST_STEPS
from services.recommender.planner.course_spec import AnyCondition, Condition, CourseCondition, LevelCondition, SkillKey
from services.recommender.planner.exact.options import CourseOption, PathState
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNLIMITED, UNREACHABLE
from shared.domain import Course


class MinimumClosure(NamedTuple):
    """The shortest set found: micro-hours, and the courses in order of study.

    `proved`: no set is shorter, and no course was skipped (`AvailableCourses.incomplete`). Without courses and not
    `proved`: no set that a path may hold was found or ruled out.
    """

    hours: int
    courses: list[CourseOption]
    proved: bool


class Achiever(NamedTuple):
    """A course that satisfies a condition or a part of it: its micro-hours and its id."""

    hours: int
    id: str


class ClosureCosts(NamedTuple):
    """Two functions from (course id, micro-hours of the course) to its closure cost from one state, in micro-hours.

    `lower_bound`: the course's hours and those of its most expensive condition, recursively (h_max). `additive_cost`:
    the course's hours and those of all its conditions (h_add). Both return UNREACHABLE for a course that cannot be
    reached.
    """

    lower_bound: Callable[[str, int], int]
    additive_cost: Callable[[str, int], int]


class AvailableCourses(ABC):
    """The courses that an officer may use and can reach, looked up when they are needed.

    `incomplete`: whether a course was skipped because it is not known whether it can be reached.
    """

    def __init__(self) -> None:
        self._options: dict[str, CourseOption | None] = {}
        self._achievers: dict[Condition, Iterator[Achiever]] = {}
        self._bounds: tuple[object, _ClosureBounds] | None = None
        self._last_start: PathState | None = None
        self._last_steps = 0
        self.incomplete = False

    @abstractmethod
    def look_up(self, course_id: str) -> CourseOption | None:
        """Return a course as the officer may use it; None if it must not be used or cannot be reached."""

    @abstractmethod
    def teachers(self, skill: SkillKey, least: int) -> Iterable[tuple[int, int, str]]:
        """Return (micro-level reached, micro-hours, id) of each course that leads to at least the micro-level `least`.

        `skill`: the skill that the courses teach. Shortest first, then by id. Callers stop reading when they have
        enough.
        """

    @abstractmethod
    def above(self, skill: str, level: int) -> Iterable[Course]:
        """Return all uncompleted courses that teach a skill of the officer's framework beyond the micro-level `level`.

        Usable courses come first; among these and among the others the shortest first, then by id.
        """

    @abstractmethod
    def matched(self, skill: str, state: PathState) -> Iterable[str]:
        """Return the ids of the courses that have an unconfirmed row of `skill` which may add value in `state`.

        Shortest first, then by id.
        """

    @abstractmethod
    def closure_costs(self, start: PathState) -> ClosureCosts:
        """Return the functions that compute closure costs from the state `start`."""

    def bounds(self, start: PathState) -> "_ClosureBounds":
        """Return the bounds of closure hours from the state `start`; those of the last state are cached.

        A state may have thousands of levels, and this is called thousands of times for the end of a path. So `start` is
        compared level by level only if it is another object than the last state, or has studied a course since.
        """
        if self._bounds is None or self._last_start is not start or self._last_steps != start.steps:
            self._last_start, self._last_steps = start, start.steps
            key = frozenset(start.done), frozenset(start.levels.items())
            if self._bounds is None or self._bounds[0] != key:
                self._bounds = key, self.bounds_once(start)
        return self._bounds[1]

    def bounds_once(self, start: PathState) -> "_ClosureBounds":
        """Return the bounds from a state that is used only once, without replacing the cached bounds."""
        return _ClosureBounds(self, start.copy(), self.closure_costs(start))

    def option(self, course_id: str) -> CourseOption | None:
        """Return a course as `look_up` does; each course is looked up only once."""
        if (found := self._options.get(course_id)) is None and course_id not in self._options:
            found = self._options[course_id] = self.look_up(course_id)
        return found

    def known(self, course_id: str) -> CourseOption:
        """Return a course that `achievers` has yielded. Raises LookupError if the officer cannot use the course."""
        if option := self._options.get(course_id) or self.option(course_id):
            return option
        raise LookupError(f"{course_id} cannot be used")

    def highest(self, skill: SkillKey, above: int, wanted: int) -> int | None:
        """Return the highest micro-level to which a course raises `skill`, at most `wanted`.

        Returns None if no course leads beyond the micro-level `above`.
        """
        found: int | None = None
        for level, _, _ in self.teachers(skill, above + 1):
            found = min(max(level, found or level), wanted)
            if found == wanted:
                break
        return found

    def achievers(self, condition: Condition) -> Iterator[Achiever]:
        """Yield the courses that satisfy a condition or a part of it, shortest first, then by id."""
        if (found := self._achievers.get(condition)) is None:
            found = self._achievers[condition] = tee(self._satisfying(condition), 1)[0]
        return tee(found)[1]

    def _satisfying(self, condition: Condition) -> Iterator[Achiever]:
        if isinstance(condition, LevelCondition):
            return (Achiever(hours, name) for _, hours, name in self.teachers(condition.skill, condition.level))
        if isinstance(condition, CourseCondition):
            option = self.option(condition.course)
            return iter([Achiever(option.hours, option.id)] if option else [])
        parts = (self.achievers(one) for branch in condition.branches for one in branch)
        # A course that is in several lists occurs several times in a row.
        return (achiever for achiever, _ in groupby(merge(*parts)))


class _ClosureBounds:
    """Bounds of the hours of closures from one state: from below by `lower_bound`, from above by a relaxed plan."""

    def __init__(self, available: AvailableCourses, start: PathState, closure_costs: ClosureCosts) -> None:
        self._available, self._start = available, start
        self.of_course, self.additive_cost = cache(closure_costs.lower_bound), cache(closure_costs.additive_cost)
        self._lower_bounds: dict[Condition, int] = {}
        self._cheapest: dict[Condition, tuple[int, str]] = {}

    def lower_bound(self, condition: Condition) -> int:
        """Return a lower bound of the hours that satisfy a condition; UNREACHABLE if nothing does."""
        if self._start.meets(condition):
            return 0
        if isinstance(condition, AnyCondition):
            branches = (max(map(self.lower_bound, branch), default=0) for branch in condition.branches)
            return min(branches, default=UNREACHABLE)
        if condition not in self._lower_bounds:
            least = UNREACHABLE
            for hours, name in self._available.achievers(condition):
                if hours >= least:
                    break
                least = min(least, self.of_course(name, hours))
            self._lower_bounds[condition] = least
        return self._lower_bounds[condition]

    def relaxed_plan(self, goals: Iterable[Condition]) -> list[CourseOption]:
        """Return the cheapest course for each goal, for each condition of those, and so on, in order of study.

        At most one course more than a path may hold. All goals must be reachable.
        """
        found: dict[str, CourseOption] = {}
        waiting = list(goals)
        while waiting and len(found) <= MOST_STEPS:
            condition = waiting.pop()
            if self._start.meets(condition):
                continue
            if isinstance(condition, AnyCondition):
                waiting += min(condition.branches, key=lambda branch: sum(self.cheapest(one)[0] for one in branch))
            elif (name := self.cheapest(condition)[1]) not in found:
                found[name] = self._available.known(name)
                waiting += found[name].conditions
        return sorted(found.values(), key=lambda option: (self.additive_cost(option.id, option.hours), option.id))

    def cheapest(self, condition: Condition) -> tuple[int, str]:
        """Return the least closure cost of a condition, and the id of its course; "" for a condition that holds."""
        if self._start.meets(condition):
            return 0, ""
        if isinstance(condition, AnyCondition):
            return min(sum(self.cheapest(one)[0] for one in branch) for branch in condition.branches), ""
        if condition not in self._cheapest:
            best = UNREACHABLE, ""
            for hours, name in self._available.achievers(condition):
                if hours > best[0]:
                    break
                best = min(best, (self.additive_cost(name, hours), name))
            self._cheapest[condition] = best
        return self._cheapest[condition]


@dataclass(slots=True)
class _PartialClosure:
    """A partial set: courses that can be studied, in `order`, and those that are `waiting` for others.

    `state`: after the courses of `order`. `lacking`: the conditions that no other course of the set can satisfy, each
    with the course that has it; None for a goal. `hours` of the whole set, in micro-hours.
    """

    state: PathState
    order: list[CourseOption]
    waiting: list[CourseOption]
    lacking: list[tuple[Condition, CourseOption | None]]
    hours: int = 0

    def plus(self, option: CourseOption) -> "_PartialClosure":
        """Return the set with one more course."""
        state, order, waiting = self.state, self.order, [*self.waiting, option]
        if studied := state.admits(option):  # otherwise no course can: those that wait could not before either
            state, order = state.copy(), [*order]
            while ready := [one for one in waiting if state.admits(one)]:
                for one in ready:
                    state.study(one)
                order += ready
                waiting = [one for one in waiting if one not in ready]
        longer = _PartialClosure(state, order, waiting, [], self.hours + option.hours)
        for condition, asking in self.lacking:
            # In an unchanged state only the new course can satisfy what no other one does.
            whole = studied or isinstance(condition, AnyCondition)
            if not (longer._may_meet(condition, asking) if whole else option.achieves(condition)):
                longer.lacking.append((condition, asking))
        longer.lacking += [(own, option) for own in option.conditions if not longer._may_meet(own, option)]
        return longer

    def _may_meet(self, condition: Condition, asking: CourseOption | None) -> bool:
        """Return whether a condition would hold after all waiting courses except the one that has the condition."""
        if self.state.meets(condition):
            return True
        if isinstance(condition, AnyCondition):
            return any(all(self._may_meet(one, asking) for one in branch) for branch in condition.branches)
        for one in self.waiting:  # noqa: SIM110 - a third of the time of a generator
            if one is not asking and one.achieves(condition):
                return True
        return False

    def conditions(self) -> list[Condition]:
        """Return conditions that courses outside this set must satisfy.

        All that the set lacks; or, if courses only wait for each other, one condition: any of those that they lack.
        """
        if self.lacking:
            return list(dict.fromkeys(condition for condition, _ in self.lacking))
        unmet = (one for option in self.waiting for one in option.conditions if not self.state.meets(one))
        return [AnyCondition(tuple((one,) for one in dict.fromkeys(unmet)))]


def minimum_closure(  # noqa: PLR0913 - goals and limits, by name
    start: PathState,
    goals: Iterable[Condition],
    available: AvailableCourses,
    *,
    steps: int = UNLIMITED,
    hours: int = UNLIMITED,
    limit: int | None = None,
) -> MinimumClosure | None:
    """Return the shortest set found that meets all goals, with at most `steps` courses and `hours` micro-hours.

    Returns None if there is no such set. `limit`: how many courses the search visits; beyond it, the set may not be the
    shortest. None: `max_looked` for one goal, `max_looked_together` for several (`PlannerParams`).
    """
    unmet = list(dict.fromkeys(goal for goal in goals if not start.meets(goal)))
    if not unmet:
        return MinimumClosure(0, [], proved=True)
    if steps > 0 and (alone := _shortest_alone(start, unmet, available)):
        proved = not available.incomplete
        return MinimumClosure(alone.hours, [alone], proved) if alone.hours <= hours else None
    bounds = available.bounds(start)
    least = max(map(bounds.lower_bound, unmet))
    if least >= UNREACHABLE or least > hours:
        return None
    known = bounds.relaxed_plan(unmet) if len(unmet) == 1 else _one_by_one(start, unmet, available)
    if len(known) > MOST_STEPS:
        return None if steps <= MOST_STEPS else MinimumClosure(0, [], proved=False)
    if len(known) <= PARAMS.max_pruned:
        known = without_redundant(start, known, unmet)
    if limit is None:
        limit = PARAMS.max_looked if len(unmet) == 1 else PARAMS.max_looked_together
    search = _BranchAndBound(available, bounds, unmet, min(steps, MOST_STEPS), hours + 1, limit)
    search.offer(known)
    if search.hours > least:
        search.extend(_PartialClosure(start, [], [], [(goal, None) for goal in unmet]), frozenset())
    if search.best is None:
        return None if search.proved else MinimumClosure(0, [], proved=False)
    return MinimumClosure(search.hours, search.best, search.proved and not available.incomplete)


def _shortest_alone(start: PathState, goals: Sequence[Condition], available: AvailableCourses) -> CourseOption | None:
    """Return the shortest course that satisfies the only goal, if it can be entered at once: no set is shorter."""
    if len(goals) != 1 or isinstance(goals[0], AnyCondition):
        return None
    least = UNLIMITED
    for hours, name in available.achievers(goals[0]):
        if hours > least:
            break
        option, least = available.known(name), hours
        if start.admits(option):
            return option
    return None


def _one_by_one(start: PathState, goals: Sequence[Condition], available: AvailableCourses) -> list[CourseOption]:
    """Return a closure of several goals, assembled goal by goal, the most expensive goal first."""
    bounds, state, courses = available.bounds(start), start.copy(), list[CourseOption]()
    for goal in sorted(goals, key=lambda one: -bounds.cheapest(one)[0]):
        if not state.meets(goal) and len(courses) <= MOST_STEPS:
            more = _shortest_alone(state, [goal], available)
            added = [more] if more else available.bounds_once(state).relaxed_plan([goal])
            if 1 < len(added) <= PARAMS.max_pruned:
                added = without_redundant(state, added, [goal])
            for option in added:
                state.study(option)
            courses += added
    return courses


def without_redundant(
    start: PathState, courses: Sequence[CourseOption], goals: Sequence[Condition]
) -> list[CourseOption]:
    """Return `courses` without those that the goals do not need, tried from the last to the first.

    `courses`: in order of study; together they meet all `goals`.
    """
    kept = list(courses)
    for option in reversed(courses):
        state, rest = start.copy(), [one for one in kept if one is not option]
        if all(_studied(state, one) for one in rest) and all(map(state.meets, goals)):
            kept = rest
    return kept


def _studied(state: PathState, option: CourseOption) -> bool:
    """Study a course if it can be entered, and return whether it can."""
    if admitted := state.admits(option):
        state.study(option)
    return admitted


@dataclass(slots=True)
class _BranchAndBound:
    """A search for a set of fewer than `hours` micro-hours: `best` is the shortest found, which takes `hours`.

    `steps`: the most courses; `left`: how many courses it may still visit; `proved`: nothing was left out.
    """

    available: AvailableCourses
    bounds: _ClosureBounds
    goals: Sequence[Condition]
    steps: int
    hours: int
    left: int
    best: list[CourseOption] | None = None
    proved: bool = True

    def offer(self, courses: list[CourseOption]) -> None:
        """Record a closure as the best so far if it is shorter and a path may hold it."""
        hours = sum(option.hours for option in courses)
        if len(courses) <= self.steps and hours < self.hours:
            self.best, self.hours = courses, hours

    def extend(self, partial: _PartialClosure, barred: frozenset[str]) -> None:
        """Search all larger sets without barred courses."""
        if not partial.lacking and not partial.waiting:
            self.offer(partial.order)
            return
        choices = self._choices(partial, barred)
        if not choices:
            return
        satisfied = dict[str, int]()
        for choice in choices:
            for _, name in choice:
                satisfied[name] = satisfied.get(name, 0) + 1
        shares = (min([hours // satisfied[name] for hours, name in choice]) for choice in choices)
        if len(choices) > 1 and partial.hours + sum(shares) >= self.hours:
            return
        narrowest = min(choices, key=lambda choice: (len(choice), -choice[0].hours))
        estimates = [
            (self.bounds.additive_cost(name, hours) // satisfied[name], name, hours) for hours, name in narrowest
        ]
        for _, name, hours in sorted(estimates):
            if partial.hours + hours < self.hours:
                self.extend(partial.plus(self.available.known(name)), barred)
            barred |= {name}

    def _choices(self, partial: _PartialClosure, barred: frozenset[str]) -> list[list[Achiever]]:
        """Return for each condition that a set lacks the courses outside it that may satisfy it.

        A closure that contains the set and is shorter than the best one has one of each list. An empty list: there is
        none, or the limit is reached.
        """
        # If the goals are met already, the set is shorter without the courses that wait.
        needless = partial.waiting and all(map(partial.state.meets, self.goals))
        if needless or len(partial.order) + len(partial.waiting) >= self.steps:
            return []
        if self.left <= 0:
            self.proved = False
            return []
        taken = barred.union([one.id for one in partial.order], [one.id for one in partial.waiting])
        lower_bound, shortest, spare = self.bounds.of_course, self.hours, self.hours - partial.hours
        choices: list[list[Achiever]] = []
        for condition in partial.conditions():
            choice = []
            for achiever in self.available.achievers(condition):
                hours, name = achiever
                if hours >= spare:
                    break
                if name not in taken and lower_bound(name, hours) < shortest:
                    choice.append(achiever)
            self.left -= len(choice) + 1
            if not choice:
                return []
            choices.append(choice)
        return choices
