"""The readable rule of docs/ranking.md: the same learning path as the compiled planner, byte for byte.

Plain Python over published courses, without index, arrays or caches. `costs` computes effects, costs and conditions of
courses, and `search` finds the best path. This module plans for one officer: fixed courses, search, stability, trace.
Unlike the planner it has no limit on visited courses and no champion lists: it considers all courses.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from types import MappingProxyType

from msgspec.structs import replace

from services.recommender.inputs import MOST_STEPS, Inputs
from services.recommender.planner.completions import posterior_targets
from services.recommender.planner.exact import slot_bounds
from services.recommender.planner.exact.dependencies import without_idle
from services.recommender.planner.exact.options import CourseOption, PathState, score_of, stairs_by_gap
from services.recommender.planner.exact.refinement import PathDraft, refine
from services.recommender.planner.exact.residual import (
    LeftOutCause,
    MissingHours,
    Origin,
    Pick,
    ResidualProblem,
    RunnerUp,
    left_out,
    missing_course_cause,
    pinned_closure,
    state_before,
    unknown_completed,
)
from services.recommender.planner.explain.path import path_of
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNLIMITED, UNREACHABLE
from services.recommender.planner.value import ValueFunction, slots_of
from services.recommender.reference.available_courses import CourseList
from services.recommender.reference.costs import PlanContext, build_instance
from services.recommender.reference.search import (
    CoursePath,
    Search,
    best_path,
    drop_redundant,
    gain_of,
    pruned_path,
    scored_closures,
    targets_of,
    walk,
)
from services.recommender.rules import EXCLUDE, INCLUDE_ONLY
from shared.domain import Course, Framework
from shared.paths import LearningPath, Note


def recommend(
    inputs: Inputs,
    courses: Iterable[Course],
    catalog_revision: int,
    frameworks: Mapping[str, Framework] = MappingProxyType({}),
) -> LearningPath:
    """Return the officer's learning path over these courses.

    `frameworks`: by id, those that the officer's tenant sees, for the titles of skills of other frameworks.
    Raises InvalidInput if `inputs.check` refuses the inputs.
    """
    inputs.check()
    by_id = {course.id: course for course in courses}
    targets, entry_levels = posterior_targets(inputs, by_id.get)
    value = ValueFunction(targets, inputs.least_confidence)
    first = preferred(PlanContext(inputs, by_id, value, state_before(inputs, value, entry_levels)))

    def rebuilt(names: list[str]) -> PathDraft[Plan]:
        """Return the path of these courses."""
        again = solve_as_kept(first, names)
        again.kept = False
        return draft(again)

    best = refine(draft(first), value, rebuilt)
    plan = best.plan
    path = path_of(best, value, plan.notes, catalog_revision, frameworks)
    return replace(path, proved=best.is_proved(partial(gain_bound, plan)))


def preferred(context: PlanContext) -> "Plan":
    """Return the plan with preferences, unless they cost too much value.

    If that plan has less than `preference_floor` per cent of the value of the plan without preferences, the latter is
    returned.
    """
    plan, inputs = solve(context), context.inputs
    if inputs.cost_multipliers or any(rule.bias not in (INCLUDE_ONLY, EXCLUDE) for rule in inputs.rules):
        other = solve(context._replace(ignore_preferences=True))
        if plan.end.value * 100 < other.end.value * PARAMS.preference_floor:
            plan = other
    return plan


def draft(plan: "Plan") -> PathDraft["Plan"]:
    """Return the draft of a plan without idle courses: those that add nothing and that no other course needs.

    If there were such courses, or if the plan lacks a course of the previous path, the remaining path is solved again
    by `solve_as_kept`.
    """
    inputs, start = plan.context.inputs, plan.context.start
    picks, needs = without_idle(start, plan.picks)
    names = [pick.option.id for pick in picks]
    if len(picks) < len(plan.picks) or not inputs.done.union(names).issuperset(inputs.previous):
        plan = solve_as_kept(plan, names)
        picks, needs = without_idle(start, plan.picks)
    end = start.after(pick.option for pick in picks)
    return PathDraft(plan, picks, needs, ResidualProblem(inputs, end, plan.available, plan.kept, plan.finishing))


def solve(context: PlanContext) -> "Plan":
    """Return the plan of an officer.

    If a pinned course fits only with prerequisites that were not candidates, add these to the problem and plan again.
    """
    also: list[str] = []
    while True:
        plan = Plan(context, also)
        if not (missing := [name for name in plan.missing if name not in also]):
            return plan
        also += missing


def solve_as_kept(plan: "Plan", names: list[str]) -> "Plan":
    """Return the plan whose path is the courses `names`, as if that were a previous path that is being studied.

    So the trace depends on the inputs and the path alone. Context, notes, `kept` and `finishing` are those of `plan`.
    """
    inputs = replace(plan.context.inputs, previous=names, finishing=True)
    again = solve(plan.context._replace(inputs=inputs))
    again.context, again.notes, again.kept, again.finishing = plan.context, plan.notes, plan.kept, plan.finishing
    return again


def gain_bound(plan: "Plan", requested: Collection[str], hours: int | None) -> int:
    """Return an upper bound, in micro-levels: no path of the problem's courses gains more (see `exact.slot_bounds`).

    `requested`: the ids of courses that every path has. `hours`: the most micro-hours of a path; None: no limit.
    """
    options, stairs = list(plan.problem.courses.values()), plan.context.value.stairs
    found = stairs_by_gap(options).items()
    slots = [slot for gap, steps in found for slot in slots_of(steps, stairs.get(gap, ()))]
    courses = [
        (option.hours, [(at, slot[place]) for at, slot in enumerate(slots) if place in slot])
        for place, option in enumerate(options)
    ]
    mine = [place for place, option in enumerate(options) if option.id in requested]
    return slot_bounds.gain_bound(len(slots), courses, mine, hours)


class Plan:
    """One officer's plan: `picks`, `notes`, whether the previous path was `kept`, and the state at the `end`.

    `also`: ids of courses that must be in the problem. `missing`: ids of prerequisites of a pinned course that are not
    in the problem.
    """

    def __init__(self, context: PlanContext, also: Collection[str] = ()) -> None:
        inputs, value = context.inputs, context.value
        self.context = context
        self.picks: list[Pick] = []
        self.notes: list[Note] = []
        self.end = context.start.copy()
        self.problem, reachable = build_instance(context, also)
        self.available = CourseList(inputs, context.courses, reachable)
        self.missing: list[str] = []
        self._add_fixed()
        self.start_state, self.targets = self.end, targets_of(self.problem, self.end)
        path = self._previous()
        self.finishing, self.kept = inputs.finishing and path is not None, False
        if path is None or not inputs.finishing:
            raised = [value.alone(gap, step) > 0 for one in self.targets for gap, step in one.gap_effects.items()]
            overlapping = sum(raised) >= PARAMS.beam_gaps * len(self.targets)
            found = best_path(Search(self.problem, self.start_state, self.targets), overlapping=overlapping)
            if path is not None and self._left():
                self.kept = found.value * 100 < path.value * PARAMS.change_threshold
            path = path if path is not None and self.kept else self._in_order(found)
        picks, self.end = self._traced(path, in_order=True)
        self.picks += picks

    def _in_order(self, path: CoursePath) -> CoursePath:
        """Return a path in the order of its trace; unchanged if its value differs in that order."""
        picks, end = self._traced(path, in_order=False)
        if end.value != path.value:
            return path
        return pruned_path(self.start_state, [pick.option for pick in picks])

    def _add_fixed(self) -> None:
        """Add the courses that come first regardless of their value: started, mandatory, pinned."""
        inputs = self.context.inputs
        wanted: dict[Origin, list[str]]
        wanted = {"started": inputs.started, "mandatory": inputs.mandatory, "pinned": inputs.pinned}
        for origin, names in wanted.items():
            for name in dict.fromkeys(names):
                if name not in self.end.done:
                    self._add(name, origin)
        rebuilt = {note.course for note in self.notes}
        for name in inputs.previous:
            if name not in self.context.courses and name not in rebuilt and name not in inputs.done:
                self._note(name, "withdrawn")
        self.notes += unknown_completed(inputs, self.context.courses.get)

    def _add(self, name: str, origin: Origin) -> None:
        """Add a course, with its prerequisites unless it was started; or record why not."""
        if name not in self.context.courses:
            return self._note(name, missing_course_cause(self.context.inputs, name))
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
        self.notes.append(left_out(name, kind, self.context.courses.get(name), missing_hours))

    def _left(self) -> list[str]:
        """Return the remaining courses of the previous path after the fixed ones."""
        return [name for name in self.context.inputs.previous if name not in self.start_state.done]

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

        Each time, the closure of the highest value per weighted hour among the path's courses comes next; with
        `in_order` the path keeps its order. The runners-up are the best closures of courses outside the path that still
        fit.
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
                runners_up = others[: PARAMS.runners_up] if option is closure[-1] else []
                picks.append(Pick(option, score, runners_up))
                state.study(option)
                inside.study(option)
            left = [option for option in left if option not in closure]
        return picks, state
