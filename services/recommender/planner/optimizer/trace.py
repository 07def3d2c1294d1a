"""The trace of a path: its order, the score of each pick, and its runners-up.

Of the chosen courses, the closure of the highest value per hour comes next. Its runners-up are the best closures of
other courses that still fit at that point; a path found as a whole may leave out the best of them.
"""

from typing import Any, NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import NONE, ZERO, jit
from services.recommender.planner.optimizer.closure import (
    build_closure,
    drop_redundant,
    gain_excluding,
    has_marginal_gain,
    precedes,
    score_closure,
    topological_order,
)
from services.recommender.planner.optimizer.closure_cost import score_of
from services.recommender.planner.optimizer.instance import (
    ProblemData,
)
from services.recommender.planner.optimizer.search import (
    CoursePath,
    best_target,
    empty_path,
    invalidate_bounds,
    prune,
    reset_bounds,
)
from services.recommender.planner.optimizer.state import (
    AVAILABLE,
    BLOCKED,
    Workspace,
    compute_costs,
    study_and_update,
    value_held,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNLIMITED

RUNNERS_UP = PARAMS.runners_up
FIXED: Any = np.bool_(True)  # noqa: FBT003 - not a literal: see `compiled`


class PlanTrace(NamedTuple):
    """Per step: its row, the score and last place of its closure; rows of runners-up (-1: none) and their scores."""

    alternatives: Longs
    score: Longs
    last: Longs
    runners: Longs
    runner_score: Longs
    size: Longs


@jit
def empty_trace(steps: int) -> PlanTrace:
    """Return an empty trace."""
    rows, runners = np.zeros((3, steps), np.int64), np.full((steps, RUNNERS_UP), -1, np.int64)
    return PlanTrace(rows[0], rows[1], rows[2], runners, np.zeros_like(runners), np.zeros(1, np.int64))


@jit
def trace_path(
    problem: ProblemData, start_state: Longs, workspace: Workspace, targets: Records, path: CoursePath, kept: bool
) -> tuple[PlanTrace, Longs]:
    """Return the trace of a path and the state at its end. `kept`: the path is in its order already.

    A path that was searched is put in order first, and then traced like one that is kept, so that the same path has the
    same trace. Where the cheapest achiever was dropped as redundant, the order of the search stays.
    """
    chosen = np.zeros(len(problem.alternatives), np.bool_)
    chosen[path.alternatives[: path.totals[0]["size"]]] = True
    own_targets = targets[chosen[targets["alternative"]]]
    own_targets["initial_closure_cost"][:] = -1  # costs among the chosen courses alone differ from those at the start
    full_state, path_state = start_state.copy(), np.empty_like(start_state)
    trace = empty_trace(path.totals[0]["size"])
    if not kept:
        order_path(
            problem,
            full_state,
            path_state,
            workspace,
            targets[:0],
            own_targets,
            path,
            kept,
            trace,
        )
        if value_held(problem, full_state) == path.totals[0]["value"]:
            path = path_in_traced_order(problem, trace)
            prune(problem, start_state, full_state, workspace, path, empty_path(problem))
        full_state[:] = start_state
        trace = empty_trace(path.totals[0]["size"])
    chosen[:] = False
    chosen[path.alternatives[: path.totals[0]["size"]]] = True
    order_path(
        problem,
        full_state,
        path_state,
        workspace,
        targets[~chosen[targets["alternative"]]],
        own_targets,
        path,
        FIXED,
        trace,
    )
    return trace, full_state


@jit
def path_in_traced_order(problem: ProblemData, trace: PlanTrace) -> CoursePath:
    """Return the path in the order of its trace."""
    path, size = empty_path(problem), trace.size[0]
    path.alternatives[:size] = trace.alternatives[:size]
    path.totals[0]["size"] = size
    return path


@jit
def order_path(
    problem: ProblemData,
    full_state: Longs,
    path_state: Longs,
    workspace: Workspace,
    targets: Records,
    own_targets: Records,
    path: CoursePath,
    fixed: bool,
    trace_path: PlanTrace,
) -> None:
    """Fill the trace of a path; `full_state` moves from the start state to the end. `fixed`: keep the path's order."""
    path_state[:] = full_state
    status = problem.offsets[0]["status"]
    for alternative in range(len(problem.alternatives)):
        if path_state[status + alternative] == AVAILABLE and not problem.alternatives[alternative]["is_branch"]:
            path_state[status + alternative] = BLOCKED
    for place in range(path.totals[0]["size"]):
        path_state[status + path.alternatives[place]] = AVAILABLE
    path_state[problem.offsets[0]["hours_left"]] = path_state[problem.offsets[0]["steps_left"]] = UNLIMITED
    compute_costs(problem, path_state, workspace)
    reset_bounds(problem, path_state, own_targets, 1.0, NONE)
    reset_bounds(problem, full_state, targets, 1.0, NONE)
    looked = ZERO
    while True:
        if fixed:
            count = next_closure(problem, path_state, workspace, path, looked)
        else:
            target = best_target(problem, path_state, workspace, own_targets, 1.0)
            if target < 0 or workspace.counters[0]["visits_left"] <= 0:
                break
            build_closure(problem, path_state, workspace, target)
            count = drop_redundant(problem, path_state, workspace, topological_order(problem, path_state, workspace))
        if count == 0:
            break
        looked += count
        record_pick(problem, full_state, path_state, workspace, targets, trace_path, count)
        invalidate_bounds(problem, path_state, own_targets, NONE)
        invalidate_bounds(problem, full_state, targets, NONE)


@jit
def next_closure(problem: ProblemData, state: Longs, workspace: Workspace, path: CoursePath, looked: int) -> int:
    """Put the next courses of a path into the workspace, up to one that closes something; return how many."""
    count = 0
    while looked + count < path.totals[0]["size"]:
        alternative = path.alternatives[looked + count]
        workspace.closure[count] = alternative
        count += 1
        if has_marginal_gain(
            problem.alternatives, problem.adjacency, problem.offsets[0]["value_held"], state, alternative
        ):
            break
    return count


@jit
def record_pick(
    problem: ProblemData,
    full_state: Longs,
    path_state: Longs,
    workspace: Workspace,
    targets: Records,
    trace_path: PlanTrace,
    count: int,
) -> None:
    """Record the closure in the workspace and its runners-up, and complete its courses."""
    closure = workspace.closure[:count].copy()
    cost = ZERO
    for alternative in closure:
        cost += problem.alternatives[alternative]["cost"]
    gain = gain_excluding(problem, path_state, workspace, count, NONE)
    score = score_of(gain, cost, 1.0) if cost > 0 else 0
    first = trace_path.size[0]
    last = first + count - 1
    if workspace.counters[0]["visits_left"] <= 0:
        workspace.counters[0]["limited"] = 1
    else:
        runners_up(
            problem, full_state, workspace, targets, closure, trace_path.runners[last], trace_path.runner_score[last]
        )
    for place in range(count):
        trace_path.alternatives[first + place] = closure[place]
        trace_path.score[first + place] = score
        trace_path.last[first + place] = last
    trace_path.size[0] = last + 1
    study_and_update(problem, full_state, workspace, closure)
    study_and_update(problem, path_state, workspace, closure)


@jit
def runners_up(
    problem: ProblemData,
    state: Longs,
    workspace: Workspace,
    targets: Records,
    closure: Longs,
    alternatives: Longs,
    scores: Longs,
) -> None:
    """Fill in the best targets outside this closure with their scores, best first."""
    costs = np.zeros(len(alternatives), np.int64)
    for place in range(len(targets)):
        worst = len(alternatives) - 1
        if targets[place]["upper_bound"] < max(scores[worst], 1):
            continue
        alternative = targets[place]["alternative"]
        if (closure == alternative).any() or not has_marginal_gain(
            problem.alternatives, problem.adjacency, problem.offsets[0]["value_held"], state, alternative
        ):
            continue
        score = score_closure(problem, state, workspace, alternative, 1.0)
        targets[place]["upper_bound"] = score
        cost, at = workspace.counters[0]["cost"], worst + 1
        while (
            at > 0
            and score > 0
            and (
                score > scores[at - 1]
                or (
                    score == scores[at - 1]
                    and precedes(problem, alternative, cost, alternatives[at - 1], costs[at - 1])
                )
            )
        ):
            at -= 1
            if at < worst:
                alternatives[at + 1], scores[at + 1], costs[at + 1] = alternatives[at], scores[at], costs[at]
        if at <= worst:
            alternatives[at], scores[at], costs[at] = alternative, score, cost
