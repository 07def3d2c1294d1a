"""The state along a path, and the closure costs in it.

A condition costs its cheapest achiever; a course costs its own hours and those of all its conditions: the additive
relaxation (`closure_cost`). A prerequisite is cheaper than the course that requires it, so a closure can be studied in
the order of closure cost. Finding the minimum closure is NP-hard; here each condition is priced on its own, so a course
that satisfies two of them is counted twice in the cost that guides the choice, and once in the closure.

Work is counted in visited courses: the courses of an assembled closure, the courses of a replayed path, the courses
whose cost is recomputed. A plan stops when its visits are used up.
"""

from typing import NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import ZERO, jit
from services.recommender.planner.optimizer.closure_cost import (
    ADDING,
    HEAP_DTYPE,
    Costs,
    Flags,
    costs_from,
    relax,
    satisfy,
)
from services.recommender.planner.optimizer.instance import Instance, ProblemData
from services.recommender.planner.references import by_reference
from services.recommender.planner.units import FORBIDDEN

LEFT_DTYPE = np.dtype([("hours", np.int64), ("steps", np.int64)])
"""The micro-hours and the courses (`steps`) that the path may still take."""

COUNTERS_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in (
            *("hours", "cost", "courses", "gain", "size"),
            *("visits_left", "epoch", "max_courses", "limited"),
        )
    ]
)
"""Counters of a plan.

Of the closure in the workspace: its hours, its cost, its courses, its gain, and its courses and branches together
(`size`). Of the plan: visits left; closures assembled so far (`epoch`); the most courses that a closure may hold; and 1
if something was left out because the visits were used up (`limited`).
"""

SLOT_BOUND_DTYPE = np.dtype([("most", np.int64), ("per_hour", np.float64), ("heap", np.int64)])
"""Of a slot: the most micro-levels that one course adds to it, and the most per micro-hour of a course.

`heap`: a heap of the slots, which has nothing to do with the slot of its row.
"""


@by_reference
class PlanState(NamedTuple):
    """The officer's state along a path of an instance of N courses, G slots and S skills; changed in place."""

    left: Records
    """(1,) LEFT_DTYPE."""
    held: Longs
    """(G,): micro-levels held per slot; see `SLOT_DTYPE`."""
    levels: Longs
    """(S,): micro-level per skill."""
    done: Flags
    """(N,): whether each course is completed."""
    costs: Costs
    """The costs in this state. A condition whose cost is 0 holds; a completed course is FORBIDDEN."""


@by_reference
class Workspace(NamedTuple):
    """The scratch arrays of one plan, in which closures are assembled, and its counters."""

    closure: Longs
    """(N + B + 1,): the first `size` are the closure: courses, and branches as N + their number."""
    visited: Longs
    """(N + B + 1,): per course and branch the epoch of the last closure that it was added to."""
    held: Longs
    """(G,): micro-levels held per slot after the closure."""
    counters: Records
    """(1,) COUNTERS_DTYPE."""
    heap: Records
    """(M + 1,) HEAP_DTYPE: conditions whose consumers are to be costed again."""
    slot_bounds: Records
    """(G,) SLOT_BOUND_DTYPE: scratch space of `value_bound`."""
    position: PlanState
    """A state as scratch space; its costs mean nothing."""


def empty_workspace(instance: Instance, visits: int, max_courses: int) -> Workspace:
    """Return a workspace for an instance.

    `visits`: how many the plan may use; `max_courses`: the most courses that a closure may hold.
    """
    courses, conditions, branches = instance.problem.graph.sizes
    counters, heap = np.zeros(1, COUNTERS_DTYPE), np.zeros(conditions + 1, HEAP_DTYPE)
    counters["visits_left"], counters["max_courses"], heap["place"][:-1] = visits, max_courses, -1
    closure, visited = np.zeros((2, courses + branches + 1), np.int64)
    held, slot_bounds = np.zeros(instance.slots, np.int64), np.zeros(instance.slots, SLOT_BOUND_DTYPE)
    position = PlanState(
        np.zeros(1, LEFT_DTYPE), held.copy(), instance.levels.copy(), np.zeros(courses, np.bool_), instance.costs
    )
    return Workspace(closure, visited, held, counters, heap, slot_bounds, position)


def initial_state(instance: Instance, hours: int, steps: int, workspace: Workspace) -> PlanState:
    """Return the state before the path, and compute the costs of the instance in place.

    `hours`: micro-hours that the path may take; `steps`: courses that it may take.
    """
    left = np.array([(hours, steps)], LEFT_DTYPE)
    held, levels, costs = np.zeros(instance.slots, np.int64), instance.levels, instance.costs
    visited = costs_from(instance.problem.graph, levels, np.zeros(0, np.int32), ADDING, costs)
    workspace.counters["visits_left"] -= visited
    return PlanState(left, held, levels.copy(), np.zeros(len(costs.cost), np.bool_), costs)


def copy_of(state: PlanState) -> PlanState:
    """Return a copy of a state; the courses' own costs are shared, because they never change."""
    costs = state.costs
    copied = costs._replace(closure_cost=costs.closure_cost.copy(), condition_cost=costs.condition_cost.copy())
    return PlanState(state.left.copy(), state.held.copy(), state.levels.copy(), state.done.copy(), copied)


def recosted(problem: ProblemData, state: PlanState, workspace: Workspace, cost: Longs) -> PlanState:
    """Return a copy of a state in which the courses have these costs, with the closure costs that follow from them.

    `cost`: see `Costs`.
    """
    copied, opened = copy_of(state), problem.graph.courses["own_condition"][:-1][state.done]
    copied = copied._replace(costs=copied.costs._replace(cost=cost))
    visited = costs_from(problem.graph, state.levels, opened[opened >= 0], ADDING, copied.costs)
    workspace.counters["visits_left"] -= visited
    return copied


@jit()
def total_held(held: Longs) -> int:
    """Return the micro-levels held in all slots. `held`: (G,) those of each slot."""
    value = ZERO
    for one in held:
        value += one
    return int(value)


@jit()
def copy_position(source: PlanState, target: PlanState) -> None:
    """Copy the state `source` into `target`, without its costs."""
    target.left[0] = source.left[0]
    for slot in range(len(source.held)):
        target.held[slot] = source.held[slot]
    for skill in range(len(source.levels)):
        target.levels[skill] = source.levels[skill]
    for course in range(len(source.done)):
        target.done[course] = source.done[course]


@jit()
def copy_costs(source: PlanState, target: PlanState) -> None:
    """Copy the costs of the state `source` into `target`."""
    for course in range(len(source.done)):
        target.costs.closure_cost[course] = source.costs.closure_cost[course]
    for condition in range(len(source.costs.condition_cost)):
        target.costs.condition_cost[condition] = source.costs.condition_cost[condition]


@jit()
def copy_state(source: PlanState, target: PlanState) -> None:
    """Copy the state `source` into `target`."""
    copy_position(source, target)
    copy_costs(source, target)


@jit()
def admits(problem: ProblemData, state: PlanState, course: int) -> bool:
    """Return whether all conditions of a course hold. Reads levels and completed courses, not the costs."""
    for place in range(problem.graph.courses[course]["condition"], problem.graph.courses[course + 1]["condition"]):
        if not meets(problem, state, problem.graph.requires[place]):
            return False
    return True


@jit()
def meets(problem: ProblemData, state: PlanState, condition: int) -> bool:
    """Return whether a condition holds in a state."""
    row = problem.graph.conditions[condition]
    if row["skill"] >= 0:
        return bool(state.levels[row["skill"]] >= row["level"])
    if row["course"] >= 0:
        return bool(state.done[row["course"]])
    for branch in range(row["first_branch"], row["last_branch"]):
        every = True
        for place in range(problem.graph.branches[branch]["start"], problem.graph.branches[branch + 1]["start"]):
            every = every and meets(problem, state, problem.graph.branch_conditions[place])
        if every:
            return True
    return False


@jit()
def study(problem: ProblemData, state: PlanState, course: int) -> None:
    """Complete a course in place: hours and steps are spent, levels and values rise. The costs are not updated."""
    graph, levels, held = problem.graph, state.levels, state.held
    state.done[course] = True
    state.left[0]["hours"] -= problem.courses[course]["hours"]
    state.left[0]["steps"] -= 1
    for place in range(graph.courses[course]["row"], graph.courses[course + 1]["row"]):
        levels[graph.rows[place]["skill"]] = max(levels[graph.rows[place]["skill"]], graph.rows[place]["high"])
    for place in range(problem.courses[course]["effect"], problem.courses[course + 1]["effect"]):
        effect = problem.effects[place]
        held[effect["slot"]] = max(held[effect["slot"]], effect["value"])


@jit()
def propagate(problem: ProblemData, state: PlanState, workspace: Workspace) -> None:
    """Propagate the decreased costs in the heap until it is empty; completed courses become FORBIDDEN.

    The visits that this takes are subtracted from those that are left.
    """
    visited = relax(problem.graph, state.costs, workspace.heap, ADDING)
    workspace.counters[0]["visits_left"] -= len(state.done) + visited
    for course in range(len(state.done)):
        if state.done[course]:
            state.costs.closure_cost[course] = FORBIDDEN


@jit()
def costs_from_start(problem: ProblemData, start_state: PlanState, state: PlanState, workspace: Workspace) -> None:
    """Compute the costs of a state in place, from those of the start state and the courses completed since."""
    copy_costs(start_state, state)
    for course in range(len(state.done)):
        if state.done[course]:
            satisfy(problem.graph, state.costs.condition_cost, workspace.heap, course, ZERO)
    propagate(problem, state, workspace)


@jit(entry=True)
def study_and_update(problem: ProblemData, state: PlanState, workspace: Workspace, courses: Longs) -> None:
    """Complete courses (rows of the instance) one after the other, and update the costs in place."""
    for course in courses:
        study(problem, state, course)
        satisfy(problem.graph, state.costs.condition_cost, workspace.heap, course, ZERO)
    propagate(problem, state, workspace)
