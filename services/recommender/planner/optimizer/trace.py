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
    has_marginal_gain,
    precedes,
    score_closure,
    value_without,
)
from services.recommender.planner.optimizer.closure_cost import Flags, score_of
from services.recommender.planner.optimizer.course_path import CoursePath, Search, empty_path, prune
from services.recommender.planner.optimizer.greedy import greedy, invalidate_bounds, reset_bounds
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import (
    PlanState,
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
    """What is recorded of each of T steps of a path, for its explanation. Scores are micro-levels per hour."""

    score: Longs
    """(T,): the score of the closure that added the step."""
    runners: Longs
    """(T, RUNNERS_UP): rows of the runners-up, best first, -1 where there is none."""
    runner_score: Longs
    """(T, RUNNERS_UP): their scores."""


def ordered(search: Search, path: CoursePath) -> CoursePath:
    """Return a path of the search with the best closure first, so that the same courses have the same order.

    It is the path of a greedy among the courses of the path. If it has less value, the order of the search stays: this
    can happen where a cheapest achiever is not in the path because it was redundant.
    """
    problem, targets, inside = search.problem, search.targets, _inside(search, path)
    own_targets = targets[_chosen(problem, path)[targets["course"]]]
    own_targets["initial_closure_cost"] = -1  # costs among the chosen courses alone differ from those at the start
    found = search._replace(targets=own_targets, trial=empty_path(problem), state=inside)
    complete_path(found)
    if inside.held.sum() != path.totals["value"][0]:
        return path
    prune(search, search.state, found.trial)
    return found.trial


@jit(entry=True)
def complete_path(search: Search) -> None:
    """Extend `search.trial` by the greedy, from `search.state` on."""
    greedy(search, 1.0, NONE, ZERO)


def trace_path(search: Search, path: CoursePath) -> PlanTrace:
    """Return the trace of a path in its order."""
    steps = int(path.totals["size"][0])
    others = search.targets[~_chosen(search.problem, path)[search.targets["course"]]]
    runners = np.full((steps, RUNNERS_UP), -1, np.int64)
    trace = PlanTrace(np.zeros(steps, np.int64), runners, np.zeros_like(runners))
    fill_trace(search, copy_of(search.start_state), _inside(search, path), others, path.courses[:steps], trace)
    return trace


def _inside(search: Search, path: CoursePath) -> PlanState:
    """Return the state at the start of a path, in which only the courses of the path may be studied."""
    problem, start = search.problem, search.start_state
    cost = np.where(_chosen(problem, path) & ~start.done, start.costs.cost, 0)
    inside = recosted(problem, start, search.workspace, cost)
    inside.left["hours"] = inside.left["steps"] = UNLIMITED
    return inside


def _chosen(problem: ProblemData, path: CoursePath) -> Flags:
    """Return a mask of the courses of the path."""
    chosen = np.zeros(len(problem.courses) - 1, np.bool_)
    chosen[path.courses[: path.totals["size"][0]]] = True
    return chosen


@jit(entry=True, allocates=True)
def fill_trace(
    search: Search, full_state: PlanState, inside: PlanState, targets: Records, courses: Longs, trace: PlanTrace
) -> None:
    """Fill in the trace of a path, closure by closure; both states move from the start to the end of the path.

    `full_state`: in it all courses may be studied; `inside`: in it only the courses of the path may be studied.
    `targets`: those outside the path, from which runners-up are chosen. `courses`: the path.
    """
    problem, workspace, first = search.problem, search.workspace, ZERO
    reset_bounds(full_state, targets, 1.0, NONE)
    while first < len(courses):
        last = first  # the closure ends with the first course that adds value
        while last < len(courses) - 1 and not has_marginal_gain(problem, inside, courses[last]):
            last += 1
        closure, cost = courses[first : last + 1], ZERO
        for course in closure:
            cost += problem.courses[course]["cost"]
        gain = value_without(problem, inside, workspace, closure, NONE) - total_held(inside.held)
        trace.score[first : last + 1] = score_of(gain, cost, 1.0) if cost > 0 else 0
        if workspace.counters[0]["visits_left"] <= 0:
            workspace.counters[0]["limited"] = 1
        else:
            runners_up(search, full_state, targets, closure, trace.runners[last], trace.runner_score[last])
        study_and_update(problem, full_state, workspace, closure)
        study_and_update(problem, inside, workspace, closure)
        invalidate_bounds(full_state, targets, NONE)
        first = last + 1


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
        if course in closure or not has_marginal_gain(problem, state, course):
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
