"""The trace of a path: its order, the score of each pick, and its runners-up.

Of the chosen courses, the closure of the highest value per hour comes next. Its runners-up are the best closures of
other courses that still fit at that point; the search optimises the path as a whole and may leave out the best of them.
"""

from typing import NamedTuple

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
from services.recommender.planner.optimizer.closure_cost import ADDING, Flags, costs_from, score_of
from services.recommender.planner.optimizer.course_path import CoursePath, contains, empty_path, prune
from services.recommender.planner.optimizer.greedy import Search, best_target, invalidate_bounds, reset_bounds
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import PlanState, Workspace, copy_of, study_and_update
from services.recommender.planner.params import PARAMS
from services.recommender.planner.references import by_reference
from services.recommender.planner.units import UNLIMITED

RUNNERS_UP = PARAMS.runners_up


@by_reference
class PlanTrace(NamedTuple):
    """What is recorded of each of T steps of a path, for its explanation.

    `courses`: (T,) rows of the instance. `score`, `last`: (T,) the score of the closure that added the step, and the
    position of its last course. `runners`, `runner_score`: (T, RUNNERS_UP) rows of the runners-up, best first, -1 where
    there is none, and their scores. `size`: (1,) the steps recorded so far. Scores are micro-levels per hour.
    """

    courses: Longs
    score: Longs
    last: Longs
    runners: Longs
    runner_score: Longs
    size: Longs


def empty_trace(steps: int) -> PlanTrace:
    """Return an empty trace for at most `steps` steps."""
    rows, runners = np.zeros((3, steps), np.int64), np.full((steps, RUNNERS_UP), -1, np.int64)
    return PlanTrace(rows[0], rows[1], rows[2], runners, np.zeros_like(runners), np.zeros(1, np.int64))


def trace_path(search: Search, path: CoursePath, kept: bool) -> tuple[PlanTrace, PlanState]:
    """Return the trace of a path and the state at its end. `kept`: the path is in order already.

    A path from the search is ordered first and then traced like a kept one, so that the same path has the same trace.
    If the ordered path has less value, the order of the search stays: this can happen where a cheapest achiever is not
    in the path because it was redundant.
    """
    problem, start_state, workspace, targets = search.problem, search.start_state, search.workspace, search.targets
    own_targets = targets[_chosen(problem, path)[targets["course"]]]
    own_targets["initial_closure_cost"] = -1  # costs among the chosen courses alone differ from those at the start
    if not kept:
        full_state, inside, trace = copy_of(start_state), _inside(problem, start_state, workspace, path), _room(path)
        order_path(problem, full_state, inside, workspace, targets[:0], own_targets, path, kept, trace)
        if full_state.held.sum() == path.totals["value"][0]:
            path, size = empty_path(problem), trace.size[0]
            path.courses[:size], path.totals["size"] = trace.courses[:size], size
            prune(problem, start_state, full_state, workspace, path, empty_path(problem))
    full_state, inside, trace = copy_of(start_state), _inside(problem, start_state, workspace, path), _room(path)
    others = targets[~_chosen(problem, path)[targets["course"]]]
    order_path(problem, full_state, inside, workspace, others, own_targets, path, True, trace)  # noqa: FBT003
    return trace, full_state


def _room(path: CoursePath) -> PlanTrace:
    return empty_trace(int(path.totals["size"][0]))


def _chosen(problem: ProblemData, path: CoursePath) -> Flags:
    """Return a mask of the courses of the path."""
    chosen = np.zeros(len(problem.courses) - 1, np.bool_)
    chosen[path.courses[: path.totals["size"][0]]] = True
    return chosen


def _inside(problem: ProblemData, start_state: PlanState, workspace: Workspace, path: CoursePath) -> PlanState:
    """Return a start state in which only the courses of the path may be studied, without a limit."""
    state, graph = copy_of(start_state), problem.graph
    cost = np.where(_chosen(problem, path) & ~state.done, state.costs.cost, 0)
    state.left["hours"] = state.left["steps"] = UNLIMITED
    opened = graph.courses["own_condition"][:-1][state.done]
    inside = state._replace(costs=state.costs._replace(cost=cost))
    workspace.counters["visits_left"] -= costs_from(graph, state.levels, opened[opened >= 0], ADDING, inside.costs)
    return inside


@jit(entry=True, allocates=True)
def order_path(
    problem: ProblemData,
    full_state: PlanState,
    inside: PlanState,
    workspace: Workspace,
    targets: Records,
    own_targets: Records,
    path: CoursePath,
    fixed: bool,
    trace: PlanTrace,
) -> None:
    """Fill in the trace of a path, closure by closure; both states move from the start to the end of the path.

    `full_state`: in it all courses may be studied; `inside`: in it only the courses of the path may be studied.
    `targets`: those from which runners-up are chosen; `own_targets`: those in the path. `fixed`: keep the order of the
    path; otherwise the next closure is the best one of `own_targets`.
    """
    reset_bounds(inside, own_targets, 1.0, NONE)
    reset_bounds(full_state, targets, 1.0, NONE)
    looked = ZERO
    while True:
        if fixed:
            count = next_closure(problem, inside, workspace, path, looked)
        else:
            target = best_target(problem, inside, workspace, own_targets, 1.0)
            if target < 0 or workspace.counters[0]["visits_left"] <= 0:
                break
            build_closure(problem, inside, workspace, target)
            count = drop_redundant(problem, inside, workspace, topological_order(problem, inside, workspace))
        if count == 0:
            break
        looked += count
        record_pick(problem, full_state, inside, workspace, targets, trace, count)
        invalidate_bounds(inside, own_targets, NONE)
        invalidate_bounds(full_state, targets, NONE)


@jit()
def next_closure(problem: ProblemData, state: PlanState, workspace: Workspace, path: CoursePath, looked: int) -> int:
    """Put the next courses of a path into the workspace, up to the first that adds value; return how many there are.

    `looked`: how many courses of the path come before them.
    """
    count = 0
    while looked + count < path.totals[0]["size"]:
        course = path.courses[looked + count]
        workspace.closure[count] = course
        count += 1
        if has_marginal_gain(problem, state, course):
            break
    return count


@jit(allocates=True)
def record_pick(
    problem: ProblemData,
    full_state: PlanState,
    inside: PlanState,
    workspace: Workspace,
    targets: Records,
    trace: PlanTrace,
    count: int,
) -> None:
    """Append the closure in the workspace and its runners-up to the trace, and complete its courses in both states.

    `count`: how many courses the closure has. For the other arguments see `order_path`.
    """
    closure = workspace.closure[:count].copy()
    cost = ZERO
    for course in closure:
        cost += problem.courses[course]["cost"]
    gain = gain_excluding(problem, inside, workspace, count, NONE)
    score = score_of(gain, cost, 1.0) if cost > 0 else 0
    first = trace.size[0]
    last = first + count - 1
    if workspace.counters[0]["visits_left"] <= 0:
        workspace.counters[0]["limited"] = 1
    else:
        runners_up(problem, full_state, workspace, targets, closure, trace.runners[last], trace.runner_score[last])
    for place in range(count):
        trace.courses[first + place] = closure[place]
        trace.score[first + place] = score
        trace.last[first + place] = last
    trace.size[0] = last + 1
    study_and_update(problem, full_state, workspace, closure)
    study_and_update(problem, inside, workspace, closure)


@jit(allocates=True)
def runners_up(
    problem: ProblemData,
    state: PlanState,
    workspace: Workspace,
    targets: Records,
    closure: Longs,
    courses: Longs,
    scores: Longs,
) -> None:
    """Write the best targets outside a closure, and their scores, to `courses` and `scores`, best first.

    `closure`: rows of its courses; `courses`, `scores`: (RUNNERS_UP,) filled with -1 and 0.
    """
    costs, worst = np.zeros(len(courses), np.int64), len(courses) - 1
    for place in range(len(targets)):
        if targets[place]["upper_bound"] < max(scores[worst], 1):
            continue
        course = targets[place]["course"]
        if contains(closure, course) or not has_marginal_gain(problem, state, course):
            continue
        score = score_closure(problem, state, workspace, course, 1.0)
        targets[place]["upper_bound"] = score
        cost, at = workspace.counters[0]["cost"], worst + 1
        while (
            at > 0
            and score > 0
            and (
                score > scores[at - 1]
                or (score == scores[at - 1] and precedes(problem, course, cost, courses[at - 1], costs[at - 1]))
            )
        ):
            at -= 1
            if at < worst:
                courses[at + 1], scores[at + 1], costs[at + 1] = courses[at], scores[at], costs[at]
        if at <= worst:
            courses[at], scores[at], costs[at] = course, score, cost
