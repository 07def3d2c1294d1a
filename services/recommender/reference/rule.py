"""The readable rule of docs/ranking.md: the same learning path as the compiled planner, byte for byte.

Plain Python over published courses, without index, arrays or caches. `costs` computes effects, costs and conditions of
courses; this module searches. Unlike the planner it has no limit on visited courses and no champion lists: it considers
all courses.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from services.recommender.inputs import (
    EXCLUDE,
    INCLUDE_ONLY,
    MOST_STEPS,
    Inputs,
)
from services.recommender.planner.course_spec import SkillKey, course_spec
from services.recommender.planner.exact.conditions import Condition, CourseOption, PathState, score_of
from services.recommender.planner.exact.dependencies import without_idle
from services.recommender.planner.exact.minimum_closure import AvailableCourses
from services.recommender.planner.exact.refinement import (
    CHANGE_THRESHOLD,
    PathDraft,
    new_draft,
    refine,
)
from services.recommender.planner.exact.residual import (
    LeftOutCause,
    MissingHours,
    Origin,
    Pick,
    ResidualProblem,
    RunnerUp,
    exclusion_reason,
    left_out,
    missing_course_cause,
    pinned_closure,
    state_before,
    unknown_completed,
)
from services.recommender.planner.explain.path import path_of
from services.recommender.planner.units import UNLIMITED, UNREACHABLE, micro
from services.recommender.planner.value import ValueFunction, posterior_targets
from services.recommender.reference.costs import Costs, ProblemData, build_instance
from services.recommender.reference.optimality import gain_bound
from shared.domain import Course
from shared.paths import LearningPath, Note

EXPONENTS = (1.0, 0.8, 0.6, 0.4, 0.1)
"""A greedy pass divides gain by cost to each of these powers; the best path of all passes counts."""

MAX_PASSES = 2
"""Passes of local search over the courses of a path."""

MAX_STARTS = 24
"""Courses whose closure is tried as the start of a path."""

MAX_PAIRED = 8
"""The first of them, of which two are also tried together."""

BEAM_GAPS = 2
"""Gaps that the targets raise in the mean, from which a beam search follows the discrepancies."""

BEAM_WIDTH = 16
"""Paths that the beam search extends at a time."""

BEAM_STARTS = 8
"""Starts by which it extends each of them."""

MAX_EXCHANGED = 16
"""Courses of a path up to which each of them is left out in turn for the closure of a start."""

PREFERENCE_FLOOR = 90
"""Per cent of what could be closed that preferences (boosts, courses put off) must leave."""

RUNNERS_UP = 3
"""Courses left out that are shown for each step."""


def recommend(inputs: Inputs, courses: Iterable[Course], catalog_revision: int) -> LearningPath:
    """Return the officer's learning path over these courses. Raises InvalidInput as the planner does."""
    inputs.check()
    by_id = {course.id: course for course in courses}
    targets, entry_levels = posterior_targets(inputs, by_id.get)
    value = ValueFunction(targets, inputs.least_confidence)
    first = preferred(inputs, by_id, value, entry_levels)

    def rebuilt(names: list[str]) -> PathDraft[Plan]:
        """Return the path of these courses."""
        again = solve_as_kept(first, names, value, entry_levels)
        again.kept = False
        return draft(again, value, entry_levels)

    best = refine(draft(first, value, entry_levels), value, rebuilt)
    plan = best.plan
    path = path_of(best, value, plan.notes, catalog_revision)
    courses_of_plan = plan.problem.courses.values()
    proved = best.is_proved(lambda *limits: gain_bound(value, courses_of_plan, *limits))
    return replace(path, proved=proved)


def preferred(
    inputs: Inputs, courses: Mapping[str, Course], value: ValueFunction, entry_levels: Mapping[SkillKey, float]
) -> "Plan":
    """Return the plan; without preferences if those would leave too little value."""
    plan = solve(inputs, courses, value, entry_levels, ignore_preferences=False)
    if inputs.cost_multipliers or any(rule.bias not in (INCLUDE_ONLY, EXCLUDE) for rule in inputs.rules):
        other = solve(inputs, courses, value, entry_levels, ignore_preferences=True)
        if plan.end.value * 100 < other.end.value * PREFERENCE_FLOOR:
            plan = other
    return plan


def draft(plan: "Plan", value: ValueFunction, entry_levels: Mapping[SkillKey, float]) -> PathDraft["Plan"]:
    """Return the draft of a plan without idle courses, traced as a kept path is."""
    inputs, start = plan.inputs, state_before(plan.inputs, value, entry_levels)
    picks, needs = without_idle(start, plan.picks)
    names = [pick.option.id for pick in picks]
    if len(picks) < len(plan.picks) or not inputs.done.union(names).issuperset(inputs.previous):
        plan = solve_as_kept(plan, names, value, entry_levels)
        picks, needs = without_idle(start, plan.picks)
    end = start.after(pick.option for pick in picks)
    return new_draft(plan, picks, needs, ResidualProblem(inputs, end, plan.available, plan.kept, plan.finishing))


def solve(
    inputs: Inputs,
    courses: Mapping[str, Course],
    value: ValueFunction,
    entry_levels: Mapping[SkillKey, float],
    *,
    ignore_preferences: bool,
) -> "Plan":
    """Return the plan. Plans again if a pinned course fits only with prerequisites that were not candidates."""
    also: list[str] = []
    while True:
        plan = Plan(inputs, courses, value, entry_levels, also, ignore_preferences=ignore_preferences)
        if not (missing := [name for name in plan.missing if name not in also]):
            return plan
        also += missing


def solve_as_kept(
    plan: "Plan", names: list[str], value: ValueFunction, entry_levels: Mapping[SkillKey, float]
) -> "Plan":
    """Return the plan whose path is these courses, traced from the inputs and the path alone."""
    inputs = replace(plan.inputs, previous=names, finishing=True)
    again = solve(inputs, plan.courses, value, entry_levels, ignore_preferences=plan.ignore_preferences)
    again.inputs, again.notes, again.kept, again.finishing = plan.inputs, plan.notes, plan.kept, plan.finishing
    return again


class ScoredClosure(NamedTuple):
    """The closure of a target that fits, in order of study, and its score."""

    target: CourseOption
    closure: list[CourseOption]
    score: int


def scored_closures(
    problem: ProblemData, state: PathState, costs: Costs, targets: Iterable[CourseOption], exponent: float = 1.0
) -> list[ScoredClosure]:
    """Return the closures of these courses with their scores, best first.

    Equals by higher cosine, lower cost, lower id.
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
    """Return the value that these courses add together, in micro-levels."""
    return state.after(courses).value - state.value


def walk(state: PathState, courses: Iterable[CourseOption]) -> tuple[list[CourseOption], PathState]:
    """Return those of these courses that can be entered one after the other, and the state at the end."""
    entered, then = [], state.copy()
    for option in courses:
        if then.admits(option):
            then.study(option)
            entered.append(option)
    return entered, then


def drop_redundant(
    state: PathState, courses: Sequence[CourseOption], tried: Sequence[CourseOption]
) -> tuple[list[CourseOption], PathState]:
    """Walk courses without, from the end, each of `tried` without which the rest is feasible and closes as much."""
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
    """Return the greedy path: the closure of the highest score, until none fits or adds value. Moves `state`."""
    path: list[CourseOption] = []
    while found := scored_closures(problem, state, problem.costs(state), targets, exponent):
        closure = found[0].closure
        closure, _ = drop_redundant(state, closure, closure[:-1])
        for option in closure:
            state.study(option)
        path += closure
    return path


class CoursePath(NamedTuple):
    """A path after the fixed courses: the value at its end, its negated cost, its courses."""

    value: int
    saved: int
    courses: list[CourseOption]

    def better(self, other: "CoursePath") -> "CoursePath":
        """Return the better of two paths: the one that closes more, or at equal value costs less."""
        return other if (other.value, other.saved) > (self.value, self.saved) else self

    def closing_more(self, other: "CoursePath") -> "CoursePath":
        """Return another path if it closes more, else this one."""
        return other if other.value > self.value else self


def pruned_path(start_state: PathState, courses: Sequence[CourseOption]) -> CoursePath:
    """Return the route of these courses, without what loses nothing."""
    remaining, end = drop_redundant(start_state, courses, courses)
    return CoursePath(end.value, -sum(option.cost for option in remaining), remaining)


def best_path(
    problem: ProblemData, start_state: PathState, targets: Collection[CourseOption], *, overlapping: bool
) -> CoursePath:
    """Return T1: the best path of the greedy with several exponents, starts, exchanges, discrepancies, and a beam."""
    best = CoursePath(-1, 0, [])
    for exponent in EXPONENTS:
        best = best.better(pruned_path(start_state, greedy(problem, start_state.copy(), targets, exponent)))
    everything = start_state.copy()
    for target in targets:
        everything.study(target)
    best = after_exchanges(problem, start_state, targets, best, everything.value)
    timed = ProblemData(problem.courses, problem.achievers, by_hours=True)
    found = best
    if best.value < everything.value:
        found = after_discrepancies(timed, start_state, targets, best)
        found = after_beam(timed, start_state, targets, found) if overlapping else found
    return best if found is best else after_exchanges(problem, start_state, targets, found, everything.value)


def after_exchanges(
    problem: ProblemData,
    start_state: PathState,
    targets: Collection[CourseOption],
    best: CoursePath,
    attainable: int,
) -> CoursePath:
    """Return the best of a path and those of the starts, improved by exchanges while it improves.

    `attainable`: no path closes more.
    """
    complete = best.value == attainable
    starts = starts_of(problem, start_state, targets, complete=complete)
    for course in starts:
        best = best.better(started_with(problem, start_state, targets, course, None))
    for _ in range(MAX_PASSES):
        before = best
        for place in reversed(range(len(before.courses))):
            if place >= len(best.courses):
                continue
            out = best.courses[place]
            rest = [option for option in best.courses if option is not out]
            start, state = drop_redundant(start_state, rest, rest)
            more = greedy(problem, state, [target for target in targets if target is not out])
            best = best.better(pruned_path(start_state, start + more))
        for course in starts:
            end = walk(start_state, best.courses)[1]
            if course.id not in end.done and (complete or end.gains(course)):
                best = exchanged(problem, start_state, targets, course, best, complete=complete)
        if best is before:
            break
    return best


def after_discrepancies(
    problem: ProblemData, start_state: PathState, targets: Collection[CourseOption], best: CoursePath
) -> CoursePath:
    """Return a path, or one that closes more: by discrepancies, from nothing and after each start; by pairs of starts.

    `problem`: each course costs its hours.
    """
    starts, costs = starts_of(problem, start_state, targets, complete=False), problem.costs(start_state)
    best = with_discrepancies(problem, start_state, targets, [], best)
    for place, start in enumerate(starts):
        closure = problem.closure(start, costs)
        path, state = drop_redundant(start_state, closure, closure[:-1])
        if value_bound(state, targets) <= best.value:
            continue
        state_costs = problem.costs(state)
        for other in starts[place + 1 : MAX_PAIRED]:
            if state_costs.of(other) == UNREACHABLE:
                continue
            closure = problem.closure(other, state_costs)
            if sum(one.hours for one in closure) <= state.hours and len(closure) <= state.steps:
                more, end = drop_redundant(state, closure, closure[:-1])
                rest = greedy(problem, end, targets) if value_bound(end, targets) > best.value else []
                best = best.closing_more(pruned_path(start_state, [*path, *more, *rest]))
        best = with_discrepancies(problem, start_state, targets, path, best)
    return best


def after_beam(
    problem: ProblemData, start_state: PathState, targets: Collection[CourseOption], best: CoursePath
) -> CoursePath:
    """Return a path, or one that closes more: by a beam search over starts, each completed by greedy.

    Of equal paths the first found is kept. `problem`: each course costs its hours.
    """
    beam: list[list[CourseOption]] = [[]]
    while beam:
        found: dict[frozenset[CourseOption], tuple[int, list[CourseOption]]] = {}
        promising = False
        for path in beam:
            base = walk(start_state, path)[1]
            costs = problem.costs(base)
            for start in starts_of(problem, base, targets, complete=False)[:BEAM_STARTS]:
                closure = problem.closure(start, costs)
                more, state = drop_redundant(base, closure, closure[:-1])
                promising = promising or value_bound(state, targets) > best.value
                rest = greedy(problem, state, targets)
                best = best.closing_more(pruned_path(start_state, [*path, *more, *rest]))
                found.setdefault(frozenset([*path, *more]), (state.value, [*path, *more]))
        ranked = sorted(found.values(), key=lambda item: -item[0])
        beam = [path for _, path in ranked[:BEAM_WIDTH]] if promising else []
    return best


def value_bound(state: PathState, targets: Iterable[CourseOption]) -> int:
    """Return a value that no path from here exceeds: a fractional knapsack of what each course adds by itself."""
    bound, left = state.value, state.hours
    added = [(gain_of(state, [one]), one.hours) for one in targets if one.hours <= state.hours]
    for gain, hours in sorted(added, key=lambda item: -item[0] / item[1]):
        if hours > left:
            return bound + gain * left // hours + 1
        bound, left = bound + gain, left - hours
    return bound


def with_discrepancies(
    problem: ProblemData,
    start_state: PathState,
    targets: Collection[CourseOption],
    path: Sequence[CourseOption],
    best: CoursePath,
) -> CoursePath:
    """Return a path, or one that closes more: the greedy after some courses, without the target of one choice of it."""
    taken, state = list(path), walk(start_state, path)[1]
    while value_bound(state, targets) > best.value and (
        found := scored_closures(problem, state, problem.costs(state), targets)
    ):
        target, closure = found[0].target, found[0].closure
        rest = greedy(problem, state.copy(), [one for one in targets if one is not target])
        best = best.closing_more(pruned_path(start_state, taken + rest))
        closure, state = drop_redundant(state, closure, closure[:-1])
        taken += closure
    return best.closing_more(pruned_path(start_state, taken))


def exchanged(  # noqa: PLR0913 - what a start is tried on
    problem: ProblemData,
    start_state: PathState,
    targets: Collection[CourseOption],
    course: CourseOption,
    path: CoursePath,
    *,
    complete: bool,
) -> CoursePath:
    """Return the path, or a better one that starts with the closure of a course.

    For a short path also without any one course. `complete`: there is nothing more to gain.
    """
    outs = path.courses if len(path.courses) <= MAX_EXCHANGED and not complete else []
    for out in (None, *reversed(outs)):
        others = [one for one in path.courses if one is not out]
        best = path.better(started_with(problem, start_state, targets, course, others if path.courses else None))
        if best is not path:
            return best
    return path


def starts_of(
    problem: ProblemData, start_state: PathState, targets: Collection[CourseOption], *, complete: bool
) -> list[CourseOption]:
    """Return the courses whose closures are tried as the start of a path, best first.

    They are scored by the gain of their closure and the cost that they spare others, per cost. `complete`: there is
    nothing more to gain, so only those that spare others something can lower the cost.
    """
    costs = problem.costs(start_state)
    shares = spared_by_conditions(problem, start_state, costs, targets)
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
    return [course for course in best if scores[course]][:MAX_STARTS]


def spared_by_conditions(
    problem: ProblemData, start_state: PathState, costs: Costs, targets: Iterable[CourseOption]
) -> dict[Condition, int]:
    """Return per condition the gain that its share of the closure costs stands for, over all targets.

    A target whose closure gains 8 for 10 hours, 5 of which are for a condition, adds 4 to that condition.
    """
    shares = defaultdict[Condition, int](int)
    for target in targets:
        closure = problem.closure(target, costs)
        gain, cost = gain_of(start_state, closure), problem.price(closure)
        for condition in problem.conditions_in(target, costs):
            shares[condition] += gain * (min(costs.conditions[condition], cost) // max(cost // 1000, 1)) // 1000
    return shares


def started_with(
    problem: ProblemData,
    start_state: PathState,
    targets: Collection[CourseOption],
    course: CourseOption,
    others: Iterable[CourseOption] | None,
) -> CoursePath:
    """Return the path of the closure of a course, then the `others` courses that fit, then the greedy."""
    closure = problem.closure(course, problem.costs(start_state))
    path, state = drop_redundant(start_state, closure, closure[:-1])
    if others is not None:
        for other in others:
            fits = other.hours <= state.hours and state.steps > 0 and other.id not in state.done
            if fits and state.admits(other):
                state.study(other)
                path.append(other)
        path, state = drop_redundant(start_state, path, path)
    return pruned_path(start_state, path + greedy(problem, state, targets))


class Plan:
    """One officer's plan: `picks`, `notes`, whether the previous path was `kept`, states at the start and the `end`."""

    def __init__(  # noqa: PLR0913 - what a plan is made from
        self,
        inputs: Inputs,
        courses: Mapping[str, Course],
        value: ValueFunction,
        entry_levels: Mapping[SkillKey, float],
        also: Collection[str] = (),
        *,
        ignore_preferences: bool,
    ) -> None:
        self.inputs, self.courses, self.ignore_preferences = inputs, courses, ignore_preferences
        self.picks: list[Pick] = []
        self.notes: list[Note] = []
        self.end = state_before(inputs, value, entry_levels)
        self.value, self.entry_levels = value, entry_levels
        self.problem, reachable = build_instance(
            inputs, courses.values(), value, self.end, also, ignore_preferences=ignore_preferences
        )
        self.available = self._available(reachable)
        self.missing: list[str] = []
        self._add_fixed()
        self.start_state, self.targets = self.end, targets_of(self.problem, self.end)
        path = self._previous()
        self.finishing, self.kept = inputs.finishing and path is not None, False
        if path is None or not inputs.finishing:
            raised = [value.alone(gap, step) > 0 for one in self.targets for gap, step in one.gap_effects.items()]
            overlapping = sum(raised) >= BEAM_GAPS * len(self.targets)
            found = best_path(self.problem, self.start_state, self.targets, overlapping=overlapping)
            if path is not None and self._left():
                self.kept = found.value * 100 < path.value * CHANGE_THRESHOLD
            path = path if path is not None and self.kept else self._in_order(found)
        picks, self.end = self._traced(path, in_order=True)
        self.picks += picks

    def _in_order(self, path: CoursePath) -> CoursePath:
        """Return a path in its order of study; unchanged if it closes another value in that order."""
        picks, end = self._traced(path, in_order=False)
        if end.value != path.value:
            return path
        return pruned_path(self.start_state, [pick.option for pick in picks])

    def _add_fixed(self) -> None:
        """Add the courses that come first regardless of their value: started, mandatory, pinned."""
        inputs = self.inputs
        wanted: dict[Origin, list[str]]
        wanted = {"started": inputs.started, "mandatory": inputs.mandatory, "pinned": inputs.pinned}
        for origin, names in wanted.items():
            for name in dict.fromkeys(names):
                if name not in self.end.done:
                    self._add(name, origin)
        rebuilt = {note.course for note in self.notes}
        for name in inputs.previous:
            if name not in self.courses and name not in rebuilt and name not in inputs.done:
                self._note(name, "withdrawn")
        self.notes += unknown_completed(inputs, self.courses.get)

    def _add(self, name: str, origin: Origin) -> None:
        """Add a course, with its prerequisites unless it was started; or record why not."""
        if name not in self.courses:
            return self._note(name, missing_course_cause(self.inputs, name))
        if name not in self.problem.courses:
            return self._note(name, "excluded")
        option, costs = self.problem.courses[name], self.problem.costs(self.end)
        closure = [option]
        if origin != "started":
            if costs.of(option) == UNREACHABLE:
                return self._note(name, "unreachable")
            closure = self.problem.closure(option, costs)
            if origin == "mandatory" and len(closure) + len(self.picks) > MOST_STEPS:
                return self._note(name, "does_not_fit")
            hours = sum(one.hours for one in closure)
            if origin == "pinned" and (hours > self.end.hours or len(closure) > self.end.steps):
                closure = self._pin(name)
            else:
                closure, _ = drop_redundant(self.end, closure, closure[:-1])
        for one in closure:
            self.end.study(one)
            self.picks.append(Pick(one, origin=origin))
        return None

    def _pin(self, name: str) -> list[CourseOption]:
        """Return the minimum closure of a pinned course; if it does not fit or is unknown, record that."""
        found, missing_hours = pinned_closure(self.end, name, self.available)
        if not found:
            self._note(name, "does_not_fit", missing_hours)
        elif not all(one in self.problem.courses for one in found):
            self.missing += found
        else:
            return [self.problem.courses[one] for one in found]
        return []

    def _note(self, name: str, kind: LeftOutCause, missing_hours: MissingHours | None = None) -> None:
        self.notes.append(left_out(name, kind, self.courses.get(name), missing_hours))

    def _left(self) -> list[str]:
        """Return the remaining courses of the previous path after the fixed ones."""
        return [name for name in self.inputs.previous if name not in self.start_state.done]

    def _previous(self) -> CoursePath | None:
        """Return the previous path; None if it can no longer be studied."""
        names = self._left()
        options = [self.problem.courses[name] for name in names if name in self.problem.courses]
        entered, then = walk(self.start_state, options)
        if len(entered) < len(names) or (names and min(then.hours, then.steps) < 0):
            return None
        return pruned_path(self.start_state, options)

    def _traced(self, path: CoursePath, *, in_order: bool) -> tuple[list[Pick], PathState]:
        """Return the picks of a path after the fixed courses, and the state at their end.

        Of the path's courses alone, the closure of the highest value per hour comes next; with `in_order` the order
        stays. The runners-up are the best closures of all other courses that still fit.
        """
        picks: list[Pick] = []
        state, inside, left = self.start_state.copy(), self.start_state.copy(), path.courses
        inside.hours = inside.steps = UNLIMITED
        while left:
            if in_order:
                last = next((place for place, option in enumerate(left, 1) if inside.gains(option)), len(left))
                closure = left[:last]
            else:
                targets = [target for target in self.targets if target in left]
                found = scored_closures(self.problem, inside, self.problem.costs(inside, only=left), targets)
                if not found:
                    break
                closure, _ = drop_redundant(inside, found[0].closure, found[0].closure[:-1])
            score = score_of(gain_of(inside, closure), sum(option.cost for option in closure))
            rivals = scored_closures(self.problem, state, self.problem.costs(state), self.targets)
            others = [RunnerUp(bid.target.spec.course, bid.score) for bid in rivals if bid.target not in path.courses]
            for option in closure:
                runners_up = others[:RUNNERS_UP] if option is closure[-1] else []
                picks.append(Pick(option, score, runners_up))
                state.study(option)
                inside.study(option)
            left = [option for option in left if option not in closure]
        return picks, state

    def _available(self, reachable: ProblemData) -> AvailableCourses:
        """Return the courses that the officer may use and can reach."""
        taught = sorted(reachable.courses.values(), key=lambda option: (option.hours, option.id))
        return AvailableCourses(
            lambda skill, least: [
                (option.level_effects[skill], option.hours, option.id)
                for option in taught
                if option.level_effects.get(skill, -1) >= least
            ],
            reachable.courses.get,
            reachable.closure_costs,
            self._above,
            matched=lambda skill, _: [option.id for option in taught if self._may_raise(option, skill)],
        )

    def _may_raise(self, option: CourseOption, skill: str) -> bool:
        """Return whether a course may raise a skill by its description, with enough confidence."""
        row = option.spec.matched.get((self.inputs.framework.id, skill))
        return row is not None and self.value.counts(row)

    def _above(self, skill: str, level: int) -> list[Course]:
        """Return the uncompleted courses that teach a skill beyond a micro-level; usable ones first."""
        found = [course for course in self.courses.values() if course.id not in self.inputs.done]
        found = [course for course in found if self._reached_by(course, skill) > level]
        return sorted(
            found, key=lambda one: (exclusion_reason(self.inputs, one) is not None, course_spec(one).hours, one.id)
        )

    def _reached_by(self, course: Course, skill: str) -> int:
        _, high = course_spec(course).teaches.get((self.inputs.framework.id, skill), (0.0, 0.0))
        return micro(high)
