"""T0: the greedy repeatedly adds the closure of the highest gain per cost that still fits.

It is lazy (Minoux 1978): a target keeps an upper bound of its score until its closure cost changes. The greedy ends
early if a bound shows that the path cannot reach the value that the caller asks for.
"""

import numpy as np

from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import NONE, ZERO, jit, wide
from services.recommender.planner.optimizer.closure import (
    build_closure,
    drop_redundant,
    has_marginal_gain,
    precedes,
    score_closure,
    topological_order,
)
from services.recommender.planner.optimizer.closure_cost import score_of
from services.recommender.planner.optimizer.course_path import CoursePath, Search
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import PlanState, Workspace, study_and_update, total_held
from services.recommender.planner.units import UNREACHABLE

UNBOUNDED = 1 << 62
ROUNDING = 1.000_001
"""An upper bound in floating point is multiplied by this, so that rounding cannot make it too low."""


TARGET_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in ("course", "upper_bound", "bound_cost", "initial_gain", "initial_cost", "initial_closure_cost")
    ]
)
"""A target of the greedy: a course with its closure.

The closure scores at most `upper_bound` as long as the closure cost of the course is `bound_cost`. `initial_gain`,
`initial_cost`: of the closure in the start state; `initial_closure_cost`: of the course there.
"""


@jit(entry=True, allocates=True)
def targets_of(problem: ProblemData, state: PlanState, workspace: Workspace) -> Records:
    """Return the targets: every reachable course that adds value by itself, by the score of its closure, best first.

    (T,) TARGET_DTYPE, with gains and costs in this state. Ends early when the visits are used up.
    """
    targets = np.zeros(len(state.done), TARGET_DTYPE)
    count = 0
    for course in range(len(state.done)):
        closure_cost = state.costs.closure_cost[course]
        if (
            closure_cost < UNREACHABLE
            and workspace.counters[0]["visits_left"] > 0
            and has_marginal_gain(problem, state, course)
        ):
            build_closure(problem, state, workspace, course)
            gain, cost = workspace.counters[0]["gain"], workspace.counters[0]["cost"]
            score, at = score_of(gain, cost, 1.0), count
            while at > 0 and targets[at - 1]["upper_bound"] < score:
                targets[at] = targets[at - 1]
                at -= 1
            targets[at]["course"], targets[at]["upper_bound"], targets[at]["initial_closure_cost"] = (
                course,
                score,
                closure_cost,
            )
            targets[at]["initial_gain"], targets[at]["initial_cost"] = gain, cost
            count += 1
    return targets[:count].copy()


@jit(allocates=True)
def attainable_value(problem: ProblemData, start_state: PlanState, targets: Records) -> int:
    """Return the micro-levels that all targets together would reach from the start state if hours did not matter."""
    held = start_state.held.copy()
    for target in targets["course"]:
        for place in range(problem.courses[target]["effect"], problem.courses[target + 1]["effect"]):
            slot = problem.effects[place]["slot"]
            held[slot] = max(held[slot], problem.effects[place]["value"])
    return total_held(held)


@jit()
def value_bound(problem: ProblemData, state: PlanState, workspace: Workspace, targets: Records) -> int:
    """Return an upper bound, in micro-levels, of the value of any path that continues from a state.

    It is the fractional knapsack (Dantzig 1957) of the slots; prerequisites are ignored. A course's hours are divided
    among the slots in proportion to what the course adds to each. So no slot gains more per hour than the best of its
    courses, and none gains more in total than the largest addition of one course.
    """
    courses, effects, held, hours = problem.courses, problem.effects, state.held, state.left[0]["hours"]
    slots, bound = workspace.slot_bounds, ZERO
    for slot in range(len(held)):
        bound += held[slot]
        slots[slot]["most"], slots[slot]["per_hour"] = 0, 0.0
    for place in range(len(targets)):
        course = targets[place]["course"]
        needed, first, last = courses[course]["hours"], courses[course]["effect"], courses[course + 1]["effect"]
        if needed > hours:
            continue
        gain = ZERO
        for effect in range(first, last):
            gain += max(effects[effect]["value"] - held[effects[effect]["slot"]], ZERO)
        if gain == 0:
            continue
        per_hour = gain / needed
        for effect in range(first, last):
            slot = effects[effect]["slot"]
            added = effects[effect]["value"] - held[slot]
            if added > 0:
                slots[slot]["most"] = max(slots[slot]["most"], added)
                slots[slot]["per_hour"] = max(slots[slot]["per_hour"], per_hour)
    left, count = float(hours), ZERO
    for slot in range(len(slots)):
        if slots[slot]["per_hour"] > 0:
            slots[count]["heap"] = slot
            count += 1
    for place in range(count // 2 - 1, -1, -1):
        sift_down(slots, place, count)
    while left > 0 and count > 0:
        best = slots[slots[0]["heap"]]
        most, top = best["most"], best["per_hour"]
        bound += most if most <= left * top else wide(left * top * ROUNDING) + 1
        left -= most / top
        count -= 1
        slots[0]["heap"] = slots[count]["heap"]
        sift_down(slots, ZERO, count)
    return int(bound)


@jit()
def sift_down(slots: Records, place: int, count: int) -> None:
    """Restore the heap in the first `count` rows of `heap` after a change at `place`.

    The slot of the highest gain per hour comes first; of equal ones, the first slot.
    """
    moved = slots[place]["heap"]
    while True:
        child = 2 * place + 1
        if child + 1 < count and gains_faster(slots, slots[child + 1]["heap"], slots[child]["heap"]):
            child += 1
        if child >= count or not gains_faster(slots, slots[child]["heap"], moved):
            break
        slots[place]["heap"] = slots[child]["heap"]
        place = child
    slots[place]["heap"] = moved


@jit()
def gains_faster(slots: Records, one: int, other: int) -> bool:
    """Return whether a slot gains more per hour than another one, or as much and comes before it."""
    a, b = slots[one]["per_hour"], slots[other]["per_hour"]
    return bool(a > b or (a == b and one < other))


@jit()
def greedy(search: Search, exponent: float, excluded: int, least_value: int) -> None:
    """Extend `search.trial` by the best closures until none fits or adds value, or the visits are used up.

    `search.state` moves with it; the upper bounds of the targets are reset. `exponent`: of the cost in the score.
    `excluded`: a course that is no target here; -1: none. Stops early if the path can no longer reach `least_value`
    micro-levels.
    """
    problem, state, workspace, targets = search.problem, search.state, search.workspace, search.targets
    reset_bounds(state, targets, exponent, excluded)
    while workspace.counters[0]["visits_left"] > 0 and value_bound(problem, state, workspace, targets) >= least_value:
        target = best_target(problem, state, workspace, targets, exponent)
        if target < 0:
            break
        add_closure(problem, state, workspace, target, search.trial)
        invalidate_bounds(state, targets, excluded)
    if workspace.counters[0]["visits_left"] <= 0:
        workspace.counters[0]["limited"] = 1


@jit()
def best_target(problem: ProblemData, state: PlanState, workspace: Workspace, targets: Records, exponent: float) -> int:
    """Return the course of the target whose closure has the highest score; -1 if no closure adds value and fits.

    `precedes` decides between equal scores. A closure is not assembled if its upper bound is below the best score so
    far; for the others, the score becomes the upper bound.
    """
    best, top, top_cost = NONE, -NONE, ZERO
    for place in range(len(targets)):
        target = targets[place]
        if target["upper_bound"] < top:
            continue
        course, score = target["course"], ZERO
        if has_marginal_gain(problem, state, course):
            score = score_closure(problem, state, workspace, course, exponent)
        target["upper_bound"] = score
        cost = workspace.counters[0]["cost"]
        if score > top or (score == top and (best < 0 or precedes(problem, course, cost, best, top_cost))):
            best, top, top_cost = course, score, cost
    return int(best)


@jit()
def reset_bounds(state: PlanState, targets: Records, exponent: float, excluded: int) -> None:
    """Set the upper bounds of all targets for a state, before a run of the greedy.

    `excluded`: a course that is no target here, or -1. Gains only shrink along a path, so a closure of unchanged cost
    cannot score above its score at the start.
    """
    for place in range(len(targets)):
        target = targets[place]
        closure_cost = state.costs.closure_cost[target["course"]]
        target["bound_cost"] = closure_cost
        if closure_cost >= UNREACHABLE or target["course"] == excluded:
            target["upper_bound"] = 0
        elif closure_cost == target["initial_closure_cost"]:
            target["upper_bound"] = score_of(target["initial_gain"], target["initial_cost"], exponent)
        else:
            target["upper_bound"] = UNBOUNDED


@jit()
def invalidate_bounds(state: PlanState, targets: Records, excluded: int) -> None:
    """Set the upper bound of every target whose closure cost has changed: 0 if it is no target now, else UNBOUNDED.

    `excluded`: see `reset_bounds`.
    """
    for place in range(len(targets)):
        target = targets[place]
        closure_cost = state.costs.closure_cost[target["course"]]
        if closure_cost != target["bound_cost"]:
            target["bound_cost"] = closure_cost
            target["upper_bound"] = 0 if closure_cost >= UNREACHABLE or target["course"] == excluded else UNBOUNDED


@jit(entry=True)
def add_closure(problem: ProblemData, state: PlanState, workspace: Workspace, target: int, path: CoursePath) -> None:
    """Append the closure of a reachable course to a path, without redundant courses; the state moves to its end."""
    build_closure(problem, state, workspace, target)
    count = topological_order(problem, state, workspace)
    if count > 1:
        count = drop_redundant(problem, state, workspace, count)
    size = path.totals[0]["size"]
    for place in range(count):
        path.courses[size + place] = workspace.closure[place]
    path.totals[0]["size"] += count
    study_and_update(problem, state, workspace, workspace.closure[:count])
