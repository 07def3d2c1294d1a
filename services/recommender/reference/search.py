"""The readable rule of docs/ranking.md, second part: the search for the best path over the chosen courses.

greedy                T0: repeatedly the closure of the highest gain per cost that fits
after_exchanges       T1: local search by starts and exchanges
after_discrepancies   limited discrepancy search with hours as costs, if an attainable gap is still open
after_beam            then a beam search, if the targets raise several gaps each
after_wide_search     both: with hours as costs, then with equal costs if the path holds as many courses as it may
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

from services.recommender.planner.course_spec import Condition
from services.recommender.planner.exact.options import CourseOption, PathState, score_of
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE
from services.recommender.reference.costs import Costs, ProblemData


class ScoredClosure(NamedTuple):
    """A target, its closure in order of study, and the closure's score in micro-levels per weighted hour."""

    target: CourseOption
    closure: list[CourseOption]
    score: int


def scored_closures(
    problem: ProblemData, state: PathState, costs: Costs, targets: Iterable[CourseOption], exponent: float = 1.0
) -> list[ScoredClosure]:
    """Return the closures of `targets` that fit and add value, with their scores, best first.

    Of equal scores, the target of higher cosine comes first, then the closure of lower cost, then the target of lower
    id. `exponent`: of the cost in the score.
    """
    found = []
    for target in targets:
        if costs.of(target) == UNREACHABLE or not state.gains(target):
            continue
        closure = problem.closure(target, costs)
        if sum(option.hours for option in closure) > state.hours or len(closure) > state.steps:
            continue
        cost = problem.price(closure)
        if score := score_of(gain_of(state, closure), cost, exponent):
            found.append(((-score, -target.cosine, cost, target.id), ScoredClosure(target, closure, score)))
    return [bid for _, bid in sorted(found, key=lambda item: item[0])]


def gain_of(state: PathState, courses: Iterable[CourseOption]) -> int:
    """Return the value that these courses together add to a state, in micro-levels."""
    return state.after(courses).value - state.value


def walk(state: PathState, courses: Iterable[CourseOption]) -> tuple[list[CourseOption], PathState]:
    """Return the courses that can be studied one after the other, leaving out the others, and the state at the end.

    `state` is not changed.
    """
    entered, then = [], state.copy()
    for option in courses:
        if then.admits(option):
            then.study(option)
            entered.append(option)
    return entered, then


def drop_redundant(
    state: PathState, courses: Sequence[CourseOption], tried: Sequence[CourseOption]
) -> tuple[list[CourseOption], PathState]:
    """Return `courses` without the redundant ones of `tried`, and the state at their end.

    From the last of `tried` to the first: a course is redundant if the rest can be studied and has the same value.
    """
    remaining, end = walk(state, courses)
    for option in reversed(tried):
        rest = [other for other in remaining if other is not option]
        entered, then = walk(state, rest)
        if entered == rest and then.value == end.value:
            remaining, end = rest, then
    return remaining, end


def targets_of(problem: ProblemData, state: PathState) -> list[CourseOption]:
    """Return the reachable courses that add value. Courses that become reachable later are no targets."""
    costs = problem.costs(state)
    return [option for option in problem.courses.values() if costs.of(option) < UNREACHABLE and state.gains(option)]


def greedy(
    problem: ProblemData, state: PathState, targets: Collection[CourseOption], exponent: float = 1.0
) -> list[CourseOption]:
    """Return the greedy path: add the closure of the highest score until none fits or adds value.

    Moves `state` to the end of the path. `exponent`: of the cost in the score.
    """
    path: list[CourseOption] = []
    while found := scored_closures(problem, state, problem.costs(state), targets, exponent):
        closure = found[0].closure
        closure, _ = drop_redundant(state, closure, closure[:-1])
        for option in closure:
            state.study(option)
        path += closure
    return path


class CoursePath(NamedTuple):
    """A path after the fixed courses (started, mandatory, pinned).

    `value`: micro-levels gained at its end. `saved`: its negated cost in weighted micro-hours, so that greater is
    better. `courses`: in order of study. The compiled planner has the same as arrays:
    `optimizer.course_path.CoursePath`.
    """

    value: int
    saved: int
    courses: list[CourseOption]

    def better(self, other: "CoursePath") -> "CoursePath":
        """Return the path of higher value; at equal value the cheaper one; if they are equal in both, this path."""
        return other if (other.value, other.saved) > (self.value, self.saved) else self

    def closing_more(self, other: "CoursePath") -> "CoursePath":
        """Return the path `other` if its value is higher, else this path."""
        return other if other.value > self.value else self


def pruned_path(start_state: PathState, courses: Sequence[CourseOption]) -> CoursePath:
    """Return the path of these courses without the redundant ones: those without which the path keeps its value."""
    remaining, end = drop_redundant(start_state, courses, courses)
    return CoursePath(end.value, -sum(option.cost for option in remaining), remaining)


class Search(NamedTuple):
    """What a search starts from: the problem, the state after the fixed courses, and the targets.

    The compiled planner has the same as arrays: `optimizer.course_path.Search`.
    """

    problem: ProblemData
    start_state: PathState
    targets: Collection[CourseOption]

    def pruned(self, courses: Sequence[CourseOption]) -> CoursePath:
        """Return `pruned_path` of these courses from the start state."""
        return pruned_path(self.start_state, courses)


def best_path(search: Search, *, overlapping: bool) -> CoursePath:
    """Return the best path that the search finds (T1 of docs/ranking.md).

    It runs the greedy with each exponent, then starts and exchanges. If an attainable gap is still open, discrepancies
    follow, and a beam search if `overlapping`: the targets raise several gaps each. Hours are the costs there; both run
    again with equal costs if the path holds as many courses as it may.
    """
    problem, start_state, targets = search
    best = CoursePath(-1, 0, [])
    for exponent in PARAMS.exponents:
        best = best.better(search.pruned(greedy(problem, start_state.copy(), targets, exponent)))
    attainable = start_state.after(targets).value
    best = after_exchanges(search, best, attainable)
    found = best
    if best.value < attainable:
        found = after_wide_search(search, best, "hours", overlapping=overlapping)
        if len(found.courses) >= start_state.steps:
            found = after_wide_search(search, found, "courses", overlapping=overlapping)
    return best if found is best else after_exchanges(search, found, attainable)


def after_wide_search(
    search: Search, best: CoursePath, unit: Literal["hours", "courses"], *, overlapping: bool
) -> CoursePath:
    """Return `best`, or a path of higher value that discrepancies or a beam find. `unit`: what courses cost."""
    recosted = search._replace(problem=ProblemData(search.problem.courses, search.problem.achievers, unit))
    best = after_discrepancies(recosted, best)
    return after_beam(recosted, best) if overlapping else best


def after_exchanges(search: Search, best: CoursePath, attainable: int) -> CoursePath:
    """Return the best of `best` and the paths of the starts, improved by exchanges.

    There are at most `max_passes` passes of exchanges; a pass without an improvement is the last one. `attainable`:
    micro-levels that no path exceeds.
    """
    complete = best.value == attainable
    starts = starts_of(search, complete=complete)
    for course in starts:
        best = best.better(started_with(search, course, None))
    for _ in range(PARAMS.max_passes):
        before = best
        for place in reversed(range(len(before.courses))):
            if place >= len(best.courses):
                continue
            out = best.courses[place]
            rest = [option for option in best.courses if option is not out]
            start, state = drop_redundant(search.start_state, rest, rest)
            more = greedy(search.problem, state, [target for target in search.targets if target is not out])
            best = best.better(search.pruned(start + more))
        for course in starts:
            end = walk(search.start_state, best.courses)[1]
            if course.id not in end.done and (complete or end.gains(course)):
                best = best.better(started_with(search, course, best.courses or None))
        if best is before:
            break
    return best


def after_discrepancies(search: Search, best: CoursePath) -> CoursePath:
    """Return `best`, or a path of higher value.

    Tries discrepancies of the greedy from the start state and after each start, and each pair of the first `max_paired`
    starts. In `search` a course costs its plain hours, or all cost the same.
    """
    problem, start_state, targets = search
    starts, costs = starts_of(search, complete=False), problem.costs(start_state)
    best = with_discrepancies(search, [], best)
    for place, start in enumerate(starts):
        closure = problem.closure(start, costs)
        path, state = drop_redundant(start_state, closure, closure[:-1])
        if value_bound(state, targets) <= best.value:
            continue
        state_costs = problem.costs(state)
        for other in starts[place + 1 : PARAMS.max_paired]:
            if state_costs.of(other) == UNREACHABLE:
                continue
            closure = problem.closure(other, state_costs)
            if sum(one.hours for one in closure) <= state.hours and len(closure) <= state.steps:
                more, end = drop_redundant(state, closure, closure[:-1])
                rest = greedy(problem, end, targets) if value_bound(end, targets) > best.value else []
                best = best.closing_more(search.pruned([*path, *more, *rest]))
        best = with_discrepancies(search, path, best)
    return best


def after_beam(search: Search, best: CoursePath) -> CoursePath:
    """Return `best`, or a path of higher value that a beam search finds.

    Each path of the beam is extended by the closures of the best starts at its end, and completed by the greedy. Of
    equal paths the first found is kept. For costs see `after_discrepancies`.
    """
    problem, start_state, targets = search
    beam: list[list[CourseOption]] = [[]]
    while beam:
        found: dict[frozenset[CourseOption], tuple[int, list[CourseOption]]] = {}
        promising = False
        for path in beam:
            base = walk(start_state, path)[1]
            costs = problem.costs(base)
            for start in starts_of(search._replace(start_state=base), complete=False)[: PARAMS.beam_starts]:
                closure = problem.closure(start, costs)
                more, state = drop_redundant(base, closure, closure[:-1])
                promising = promising or value_bound(state, targets) > best.value
                rest = greedy(problem, state, targets)
                best = best.closing_more(search.pruned([*path, *more, *rest]))
                found.setdefault(frozenset([*path, *more]), (state.value, [*path, *more]))
        ranked = sorted(found.values(), key=lambda item: -item[0])
        beam = [path for _, path in ranked[: PARAMS.beam_width]] if promising else []
    return best


def value_bound(state: PathState, targets: Iterable[CourseOption]) -> int:
    """Return an upper bound, in micro-levels, of the value of any path that continues from this state.

    It is the fractional knapsack: each target adds its gain by itself, or a part of it, for its hours.
    """
    bound, left = state.value, state.hours
    added = [(gain_of(state, [one]), one.hours) for one in targets if one.hours <= state.hours]
    for gain, hours in sorted(added, key=lambda item: -item[0] / item[1]):
        if hours > left:
            return bound + gain * left // hours + 1
        bound, left = bound + gain, left - hours
    return bound


def with_discrepancies(search: Search, path: Sequence[CourseOption], best: CoursePath) -> CoursePath:
    """Return `best`, or a path of higher value.

    Follow the greedy from the end of `path`; at each choice, also complete the path by the greedy without the chosen
    target (a discrepancy).
    """
    problem, start_state, targets = search
    taken, state = list(path), walk(start_state, path)[1]
    while value_bound(state, targets) > best.value and (
        found := scored_closures(problem, state, problem.costs(state), targets)
    ):
        target, closure = found[0].target, found[0].closure
        rest = greedy(problem, state.copy(), [one for one in targets if one is not target])
        best = best.closing_more(search.pruned(taken + rest))
        closure, state = drop_redundant(state, closure, closure[:-1])
        taken += closure
    return best.closing_more(search.pruned(taken))


def starts_of(search: Search, *, complete: bool) -> list[CourseOption]:
    """Return the courses whose closures are tried as the start of a path: at most `max_starts`, best first.

    The score is the gain of the closure, plus what the course spares the closures of the targets
    (`spared_by_conditions`), per cost. `complete`: there is nothing more to gain, so only courses that spare others
    something can lower the cost.
    """
    problem, start_state, _ = search
    costs = problem.costs(start_state)
    shares = spared_by_conditions(search, costs)
    scores: dict[CourseOption, int] = {}
    for course in problem.courses.values():
        if costs.of(course) < UNREACHABLE:
            spared = sum(share for one, share in shares.items() if course in problem.achievers[one])
            closure = problem.closure(course, costs)
            fits = sum(one.hours for one in closure) <= start_state.hours and len(closure) <= start_state.steps
            if fits and not (complete and spared == 0):
                gain = gain_of(start_state, closure)
                scores[course] = score_of(gain + spared, problem.price(closure))
    best = sorted(scores, key=lambda course: (-scores[course], course.id))
    return [course for course in best if scores[course]][: PARAMS.max_starts]


def spared_by_conditions(search: Search, costs: Costs) -> dict[Condition, int]:
    """Return for each condition the sum of its shares in the gains of all targets, in micro-levels.

    A target whose closure gains 8 for 10 hours, 5 of which are for a condition, adds 4 to that condition.
    """
    problem, start_state, targets = search
    shares = defaultdict[Condition, int](int)
    for target in targets:
        closure = problem.closure(target, costs)
        gain, cost = gain_of(start_state, closure), problem.price(closure)
        for condition in problem.conditions_in(target, costs):
            shares[condition] += gain * (min(costs.conditions[condition], cost) // max(cost // 1000, 1)) // 1000
    return shares


def started_with(search: Search, course: CourseOption, others: Iterable[CourseOption] | None) -> CoursePath:
    """Return a pruned path: the closure of `course`, then those of `others` that fit, then what the greedy adds."""
    problem, start_state, targets = search
    closure = problem.closure(course, problem.costs(start_state))
    path, state = drop_redundant(start_state, closure, closure[:-1])
    if others is not None:
        for other in others:
            fits = other.hours <= state.hours and state.steps > 0 and other.id not in state.done
            if fits and state.admits(other):
                state.study(other)
                path.append(other)
        path, state = drop_redundant(start_state, path, path)
    return search.pruned(path + greedy(problem, state, targets))
