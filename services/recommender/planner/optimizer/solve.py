"""One plan in numbers: candidates, fixed courses, search, stability, trace.

    candidates  what may close a gap, and what satisfies its conditions (`candidates`, `instance`)
    fixed       started, mandatory and pinned courses come first, with their prerequisites (`fixed_courses`)
    search      greedy and local search: closes most of the weighted gap in the hours that are left (`search`)
    stability   the previous path stays unless the new one is notably better; a path that an officer is studying stays
                as far as it can still be studied
    trace       order; value per hour and runners-up of the final path (`trace`); texts follow elsewhere (`explain`)

Integers throughout (micro-levels, micro-hours), no clock, no randomness: the same inputs and view give the same bytes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from services.recommender.inputs import MOST_STEPS, Inputs
from services.recommender.planner.completions import posterior_targets
from services.recommender.planner.exact.minimum_closure import AvailableCourses
from services.recommender.planner.exact.residual import state_before
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.graph import Selection
from services.recommender.planner.optimizer.available_courses import CourseIndex
from services.recommender.planner.optimizer.candidates import select
from services.recommender.planner.optimizer.closure_cost import Costs
from services.recommender.planner.optimizer.course_path import CoursePath, Search, prune, replay
from services.recommender.planner.optimizer.fixed_courses import FixedCourses, fix_courses, rows_of
from services.recommender.planner.optimizer.instance import Instance, ProblemData, build_instance
from services.recommender.planner.optimizer.query import (
    PlanContext,
    Query,
    SearchSpace,
    build_query,
    forced_numbers,
    search_space,
)
from services.recommender.planner.optimizer.search import EXPONENTS, search
from services.recommender.planner.optimizer.state import PlanState, empty_workspace, initial_state
from services.recommender.planner.optimizer.trace import ordered
from services.recommender.planner.params import PARAMS
from services.recommender.planner.value import ValueFunction
from services.recommender.rules import EXCLUDE, INCLUDE_ONLY

MAX_VISITS = PARAMS.max_visits
TRACE_VISITS = PARAMS.trace_visits


class PreparedInstance(NamedTuple):
    """What an officer's search starts from; another search for the same officer may use it again."""

    query: Query
    costs: Costs
    selected: Selection
    instance: Instance


class PlanSolution(NamedTuple):
    """A plan as numbers. `path`: the courses after the fixed ones, in order.

    `available`: courses that the officer may use and can reach. `kept`: the previous path stayed because no other was
    notably better. `finishing`: the previous path stayed because it is being studied.
    """

    context: PlanContext
    search: Search
    fixed_courses: FixedCourses
    path: CoursePath
    kept: bool
    available: AvailableCourses
    prepared: PreparedInstance
    finishing: bool = False

    @property
    def limited(self) -> bool:
        """Whether the search, or the trace if there is one, has reached its limit of visits."""
        return bool(self.search.workspace.counters[0]["limited"])


def solve(inputs: Inputs, view: View, extra: tuple[str, ...] = ()) -> PlanSolution:
    """Return the plan of an officer as numbers. `extra`: ids of courses that must be in the instance."""
    targets, entry_levels = posterior_targets(inputs, view.course)
    value, space = ValueFunction(targets, inputs.least_confidence), search_space(view.catalog, inputs, extra)
    context = PlanContext(inputs, view, value, state_before(inputs, value, entry_levels), space)
    prefers = bool(inputs.cost_multipliers) or any(rule.bias not in (INCLUDE_ONLY, EXCLUDE) for rule in inputs.rules)
    visits = MAX_VISITS // 2 if prefers else MAX_VISITS
    one = _searched(context, extra, visits)
    if prefers:
        other = _searched(context._replace(ignore_preferences=True), extra, visits)
        if _gained(one) * 100 < _gained(other) * PARAMS.preference_floor:
            one = other
    return one


def solve_as_kept(found: PlanSolution, names: Sequence[str]) -> PlanSolution:
    """Return the solution whose path is the courses `names`, traced like a kept path.

    What is shown of a path (scores, runners-up, open gaps) then depends on the inputs and the path alone, not on the
    previous path.
    """
    context = found.context
    inputs = replace(context.inputs, previous=list(names), finishing=True)
    space = search_space(context.view.catalog, inputs)
    again = _searched(context._replace(inputs=inputs, space=space), (), MAX_VISITS, _in_space(found, space))
    fixed_courses = FixedCourses(again.fixed_courses.picks, found.fixed_courses.notes)
    context = again.context._replace(inputs=context.inputs)
    return again._replace(context=context, fixed_courses=fixed_courses, kept=found.kept, finishing=found.finishing)


def _in_space(found: PlanSolution | None, space: SearchSpace) -> PlanSolution | None:
    """Return a plan if it was found in this search space: in another one, courses have other numbers."""
    return found if found and found.context.space.base is space.base else None


def _gained(found: PlanSolution) -> int:
    return int(found.path.totals["value"][0])


def _searched(
    context: PlanContext, extra: tuple[str, ...], visits: int, known: PlanSolution | None = None
) -> PlanSolution:
    """Return the plan. `known`: another plan of the same officer, whose inputs differ in the previous path alone."""
    inputs, space = context.inputs, context.space
    if known:
        query, costs, *_ = known.prepared
        query = query._replace(forced=forced_numbers(inputs, space, extra))
    else:
        query, costs = build_query(context, extra)
    graph = space.graph.arrays
    selected = select(graph, query, costs)
    if known and all(map(np.array_equal, selected, known.prepared.selected)):
        instance = known.prepared.instance.again()
    else:
        instance = build_instance(graph, query, costs, selected)
    problem, workspace = instance.problem, empty_workspace(instance, visits, MOST_STEPS)
    start_state = initial_state(instance, context.start.hours, context.start.steps, workspace)
    # Among champions, what the earlier lookups skipped depends on their own path.
    available = known.available if known and space.base_numbers is None else CourseIndex(context, costs)
    fixed_courses, missing = fix_courses(context, available, problem, start_state, workspace)
    if more := [name for name in missing if name not in extra]:
        # a pinned course fits by prerequisites that were no candidates, or no champions
        extra = (*extra, *more)
        space = search_space(context.view.catalog, inputs, extra)
        return _searched(context._replace(space=space), extra, visits, _in_space(known, space))
    left = _left(inputs, space, problem, start_state)
    found = search(problem, start_state, workspace, EXPONENTS[:0] if inputs.finishing else EXPONENTS)
    finishing, kept = inputs.finishing and _replays_previous(found, left), False
    if inputs.finishing and not finishing:
        found = search(problem, start_state, workspace, EXPONENTS)
    if left and not inputs.finishing and _replays_previous(found, left):
        kept = bool(found.best.totals["value"][0] * 100 < found.trial.totals["value"][0] * PARAMS.change_threshold)
    stays = finishing or kept
    workspace.counters[0]["visits_left"] = TRACE_VISITS
    path = found.trial if stays else ordered(found, found.best)
    return PlanSolution(
        context, found, fixed_courses, path, kept, available, PreparedInstance(query, costs, selected, instance),
        finishing,
    )  # fmt: skip


def _left(inputs: Inputs, space: SearchSpace, problem: ProblemData, start_state: PlanState) -> list[int]:
    """Return the rows of the previous path's remaining courses after the fixed ones; -1 for one without a row."""
    done = inputs.done
    rows = rows_of(space, problem, [name for name in inputs.previous if name not in done])
    return [row for row in rows if row < 0 or not start_state.done[row]]


def _replays_previous(found: Search, left: list[int]) -> bool:
    """Replay what is left of the previous path, without courses that no longer add value.

    Return whether it is feasible.
    """
    walked, spare = found.trial, found.scratch
    if min(left, default=0) < 0:
        return False
    walked.courses[: len(left)] = left
    walked.totals["size"] = len(left)
    replay(found, found.state, walked, -1, spare)
    if not left:
        return True
    end = found.state.left[0]
    if spare.totals["size"][0] < len(left) or min(end["hours"], end["steps"]) < 0:
        return False
    prune(found, found.state, walked)
    return True
