"""The state along a path, and the closure costs in it.

A condition costs its cheapest achiever; a course costs its own hours and those of all its conditions: the additive
relaxation (`closure_cost`). A prerequisite is cheaper than the course behind it, so a closure can be studied in the
order of closure cost. Finding the minimum closure is NP-hard; here each condition is priced on its own, so a course
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
from services.recommender.planner.units import FORBIDDEN

LEFT_DTYPE = np.dtype([("hours", np.int64), ("steps", np.int64)])
"""Micro-hours and courses that the path may still take."""

COUNTERS_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in (
            *("hours", "cost", "courses", "gain", "size"),
            *("visits_left", "epoch", "max_courses", "limited"),
        )
    ]
)
"""Of the closure in the workspace: hours, cost, courses, gain, rows. Of the plan: courses that may still be visited,
closures assembled so far, courses that a closure may hold, 1 if something was left out as the visits were spent."""

SLOT_BOUND_DTYPE = np.dtype([("most", np.int64), ("per_hour", np.float64)])
"""Of a slot: the most that one course adds to it, and the most that a course adds per micro-hour; in micro-levels."""


class PlanState(NamedTuple):
    """The officer's state along a path."""

    left: Records
    """(1,) LEFT_DTYPE."""
    held: Longs
    """(G,): value held per slot; see `SLOT_DTYPE`."""
    levels: Longs
    """(S,): micro-level per skill."""
    done: Flags
    """(N,): whether each course is completed."""
    costs: Costs
    """A condition whose cost is 0 holds."""


class Workspace(NamedTuple):
    """Arrays in which closures are assembled, and the counters of one plan."""

    closure: Longs
    """The closure: courses, and branches past them."""
    visited: Longs
    """Per course and branch: the epoch in which it was last added to a closure."""
    held: Longs
    """Per slot: the value held with the closure."""
    counters: Records
    """(1,) COUNTERS_DTYPE."""
    heap: Records
    """HEAP_DTYPE: conditions whose consumers are to be costed again."""
    slot_bounds: Records
    """SLOT_BOUND_DTYPE, per slot: scratch space of `value_bound`."""


def empty_workspace(instance: Instance, visits: int, max_courses: int) -> Workspace:
    """Return an empty workspace."""
    courses, conditions, branches = instance.problem.graph.sizes
    counters, heap = np.zeros(1, COUNTERS_DTYPE), np.zeros(conditions + 1, HEAP_DTYPE)
    counters["visits_left"], counters["max_courses"], heap["place"][:-1] = visits, max_courses, -1
    closure, visited = np.zeros((2, courses + branches + 1), np.int64)
    held, slot_bounds = np.zeros(instance.slots, np.int64), np.zeros(instance.slots, SLOT_BOUND_DTYPE)
    return Workspace(closure, visited, held, counters, heap, slot_bounds)


def initial_state(instance: Instance, hours: int, steps: int, workspace: Workspace) -> PlanState:
    """Return the state before the path. Computes the costs of the instance."""
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


@jit()
def copy_position(source: PlanState, target: PlanState) -> None:
    """Copy a state without its costs."""
    target.left[0] = source.left[0]
    for slot in range(len(source.held)):
        target.held[slot] = source.held[slot]
    for skill in range(len(source.levels)):
        target.levels[skill] = source.levels[skill]
    for course in range(len(source.done)):
        target.done[course] = source.done[course]


@jit(allocates=True)
def fork(state: PlanState) -> PlanState:
    """Return a copy of a state that shares its costs."""
    return PlanState(state.left.copy(), state.held.copy(), state.levels.copy(), state.done.copy(), state.costs)


@jit()
def copy_costs(source: PlanState, target: PlanState) -> None:
    """Copy the costs of a state."""
    for course in range(len(source.done)):
        target.costs.closure_cost[course] = source.costs.closure_cost[course]
    for condition in range(len(source.costs.condition_cost)):
        target.costs.condition_cost[condition] = source.costs.condition_cost[condition]


@jit()
def admits(problem: ProblemData, state: PlanState, course: int) -> bool:
    """Return whether a course can be entered. Does not read the costs."""
    for place in range(problem.graph.courses[course]["condition"], problem.graph.courses[course + 1]["condition"]):
        if not meets(problem, state, problem.graph.requires[place]):
            return False
    return True


@jit()
def meets(problem: ProblemData, state: PlanState, condition: int) -> bool:
    """Return whether a condition holds."""
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
    """Complete a course: levels and values rise to what it leads to. The costs are not updated."""
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
    """Propagate decreased costs; forbid completed courses."""
    visited = relax(problem.graph, state.costs, workspace.heap, ADDING)
    workspace.counters[0]["visits_left"] -= len(state.done) + visited
    for course in range(len(state.done)):
        if state.done[course]:
            state.costs.closure_cost[course] = FORBIDDEN


@jit()
def costs_from_start(problem: ProblemData, start_state: PlanState, state: PlanState, workspace: Workspace) -> None:
    """Compute the costs of a state from those of the start state that it was reached from."""
    copy_costs(start_state, state)
    for course in range(len(state.done)):
        if state.done[course]:
            satisfy(problem.graph, state.costs.condition_cost, workspace.heap, course, ZERO)
    propagate(problem, state, workspace)


@jit(entry=True)
def study_and_update(problem: ProblemData, state: PlanState, workspace: Workspace, courses: Longs) -> None:
    """Complete courses, one after the other, and update the costs."""
    for course in courses:
        study(problem, state, course)
        satisfy(problem.graph, state.costs.condition_cost, workspace.heap, course, ZERO)
    propagate(problem, state, workspace)
