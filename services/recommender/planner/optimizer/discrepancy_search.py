"""Limited discrepancy search (Harvey, Ginsberg 1995), if an attainable gap is still open.

Hours are scarce then, so each course costs its plain hours; where the number of courses is, each costs the same. The
greedy runs from the start state, from the end of each start's closure, and from the end of the closures of each pair of
the first starts. For each of its choices it runs once more, without the target of that choice.
"""

import numpy as np
from numpy.typing import NDArray

from services.recommender.planner.jit import NONE, jit
from services.recommender.planner.optimizer.closure import build_closure, fits
from services.recommender.planner.optimizer.course_path import CoursePath, Search, copy_path
from services.recommender.planner.optimizer.greedy import (
    add_closure,
    attainable_value,
    best_target,
    greedy,
    invalidate_bounds,
    reset_bounds,
    value_bound,
)
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.local_search import improve, starts_of
from services.recommender.planner.optimizer.state import PlanState, Workspace, copy_state, recosted, total_held
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE

MAX_PAIRED = PARAMS.max_paired


def with_costs(
    problem: ProblemData, start_state: PlanState, workspace: Workspace, cost: NDArray[np.int64]
) -> tuple[ProblemData, PlanState]:
    """Return a copy of a problem and of its start state, in which the courses have these costs in micro-hours."""
    courses = problem.courses.copy()
    courses["cost"] = cost
    unusable = start_state.done | (start_state.costs.cost == 0)
    state = recosted(problem, start_state, workspace, np.where(unusable, 0, cost[:-1]))
    return problem._replace(courses=courses), state


@jit(allocates=True)
def search_discrepancies(search: Search, base: PlanState, path: CoursePath) -> None:
    """Search for a path of higher value than `search.best`, within half of the visits that are left.

    `base`, `path`: a state and an empty path as scratch space; `base` is a copy of the start state.
    """
    problem, start_state, workspace, targets = search.problem, search.start_state, search.workspace, search.targets
    counters, best, trial, state = workspace.counters, search.best, search.trial, search.state
    if value_bound(problem, start_state, workspace, targets) <= best.totals[0]["value"]:
        return
    spared = counters[0]["visits_left"] // 2
    counters[0]["visits_left"] -= spared
    complete = best.totals[0]["value"] >= attainable_value(problem, start_state, targets)
    starts = starts_of(problem, start_state, workspace, targets, complete)
    try_discrepancies(search, base, path)
    for place in range(len(starts)):
        if counters[0]["visits_left"] <= 0:
            break
        copy_state(start_state, base)
        path.totals[0]["size"] = 0
        add_closure(problem, base, workspace, starts[place], path)
        if value_bound(problem, base, workspace, targets) <= best.totals[0]["value"]:
            continue
        for other in starts[place + 1 : MAX_PAIRED]:
            if base.costs.closure_cost[other] >= UNREACHABLE or counters[0]["visits_left"] <= 0:
                continue
            build_closure(problem, base, workspace, other)
            if not fits(base, workspace):
                continue
            copy_state(base, state)
            copy_path(path, trial)
            add_closure(problem, state, workspace, other, trial)
            fill_and_compare(search, NONE)
        try_discrepancies(search, base, path)
    if counters[0]["visits_left"] <= 0:
        counters[0]["limited"] = 1
    counters[0]["visits_left"] += spared


@jit(allocates=True)
def try_discrepancies(search: Search, base: PlanState, path: CoursePath) -> None:
    """Run the greedy from the end of a path; before each of its choices, also run it without the target of that choice.

    `base`: the state at the end of `path`. Each choice moves `base` and extends `path`.
    """
    problem, workspace, targets = search.problem, search.workspace, search.targets.copy()
    reset_bounds(base, targets, 1.0, NONE)
    while (
        workspace.counters[0]["visits_left"] > 0
        and value_bound(problem, base, workspace, search.targets) > search.best.totals[0]["value"]
    ):
        target = best_target(problem, base, workspace, targets, 1.0)
        copy_state(base, search.state)
        copy_path(path, search.trial)
        fill_and_compare(search, target)
        if target < 0:
            break
        add_closure(problem, base, workspace, target, path)
        invalidate_bounds(base, targets, NONE)


@jit()
def fill_and_compare(search: Search, excluded: int) -> None:
    """Extend `search.trial` by the greedy; it becomes the best path if its value is higher.

    `excluded`: a course that the greedy does not choose as a target; -1: none. `search.state` is at the end of the
    trial.
    """
    least_value = search.best.totals[0]["value"] + 1
    greedy(search, 1.0, excluded, least_value)
    if total_held(search.state.held) >= least_value:
        improve(search)
