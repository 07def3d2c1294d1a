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
    has_marginal_gain,
    precedes,
    score_closure,
    topological_order,
    value_without,
)
from services.recommender.planner.optimizer.closure_cost import Flags, score_of
from services.recommender.planner.optimizer.course_path import CoursePath, Search, contains, empty_path, prune
from services.recommender.planner.optimizer.greedy import best_target, invalidate_bounds, reset_bounds
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import (
    PlanState,
    Workspace,
    copy_of,
    recosted,
    study_and_update,
    total_held,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.references import by_reference
from services.recommender.planner.units import UNLIMITED

RUNNERS_UP = PARAMS.runners_up


@by_reference
class PlanTrace(NamedTuple):
    """What is recorded of each of T steps of a path, for its explanation.

    `courses`: (T,) rows of the instance. `score`: (T,) the score of the closure that added the step. `runners`,
    `runner_score`: (T, RUNNERS_UP) rows of the runners-up, best first, -1 where there is none, and their scores.
    `size`: (1,) the steps recorded so far. Scores are micro-levels per hour.
    """

    courses: Longs
    score: Longs
    runners: Longs
    runner_score: Longs
    size: Longs


def empty_trace(steps: int) -> PlanTrace:
    """Return an empty trace for at most `steps` steps."""
    rows, runners = np.zeros((2, steps), np.int64), np.full((steps, RUNNERS_UP), -1, np.int64)
    return PlanTrace(rows[0], rows[1], runners, np.zeros_like(runners), np.zeros(1, np.int64))


def ordered(search: Search, path: CoursePath) -> CoursePath:
    """Return a path of the search with the best closure first, so that the same courses have the same order.

    If the ordered path has less value, the order of the search stays: this can happen where a cheapest achiever is not
    in the path because it was redundant.
    """
    trace, end = _recorded(search, path, search.targets[:0], fixed=False)
    if end.held.sum() != path.totals["value"][0]:
        return path
    path, size = empty_path(search.problem), trace.size[0]
    path.courses[:size], path.totals["size"] = trace.courses[:size], size
    prune(search, end, path)
    return path


def trace_path(search: Search, path: CoursePath) -> PlanTrace:
    """Return the trace of a path in its order."""
    others = search.targets[~_chosen(search.problem, path)[search.targets["course"]]]
    trace, _ = _recorded(search, path, others, fixed=True)
    return trace


def _recorded(search: Search, path: CoursePath, targets: Records, *, fixed: bool) -> tuple[PlanTrace, PlanState]:
    """Return the trace that `order_path` fills in, and the state at the end of the path."""
    problem, start_state, chosen = search.problem, search.start_state, _chosen(search.problem, path)
    own_targets = search.targets[chosen[search.targets["course"]]]
    own_targets["initial_closure_cost"] = -1  # costs among the chosen courses alone differ from those at the start
    inside = recosted(
        problem, start_state, search.workspace, np.where(chosen & ~start_state.done, start_state.costs.cost, 0)
    )
    inside.left["hours"] = inside.left["steps"] = UNLIMITED
    full_state, trace = copy_of(start_state), empty_trace(int(path.totals["size"][0]))
    order_path(search, full_state, inside, targets, own_targets, path, fixed, trace)
    return trace, full_state


def _chosen(problem: ProblemData, path: CoursePath) -> Flags:
    """Return a mask of the courses of the path."""
    chosen = np.zeros(len(problem.courses) - 1, np.bool_)
    chosen[path.courses[: path.totals["size"][0]]] = True
    return chosen


@jit(entry=True, allocates=True)
def order_path(
    search: Search,
    full_state: PlanState,
    inside: PlanState,
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
    problem, workspace = search.problem, search.workspace
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
        record_pick(search, full_state, inside, targets, trace, count)
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
    search: Search, full_state: PlanState, inside: PlanState, targets: Records, trace: PlanTrace, count: int
) -> None:
    """Append the closure in the workspace and its runners-up to the trace, and complete its courses in both states.

    `count`: how many courses the closure has. For the other arguments see `order_path`.
    """
    problem, workspace = search.problem, search.workspace
    closure, cost = workspace.closure[:count].copy(), ZERO
    for course in closure:
        cost += problem.courses[course]["cost"]
    gain = value_without(problem, inside, workspace, closure, NONE) - total_held(inside.held)
    score = score_of(gain, cost, 1.0) if cost > 0 else 0
    first = trace.size[0]
    last = first + count - 1
    if workspace.counters[0]["visits_left"] <= 0:
        workspace.counters[0]["limited"] = 1
    else:
        runners_up(search, full_state, targets, closure, trace.runners[last], trace.runner_score[last])
    for place in range(count):
        trace.courses[first + place] = closure[place]
        trace.score[first + place] = score
    trace.size[0] = last + 1
    study_and_update(problem, full_state, workspace, closure)
    study_and_update(problem, inside, workspace, closure)


@jit(allocates=True)
def runners_up(
    search: Search, state: PlanState, targets: Records, closure: Longs, courses: Longs, scores: Longs
) -> None:
    """Write the best targets outside a closure, and their scores, to `courses` and `scores`, best first.

    `closure`: rows of its courses; `courses`, `scores`: (RUNNERS_UP,) filled with -1 and 0.
    """
    problem, workspace = search.problem, search.workspace
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
