"""The state along a path, and the closure costs in it.

A condition costs its cheapest alternative; an alternative costs its own hours and those of all its conditions: the
additive relaxation, computed in Dijkstra order. A prerequisite is cheaper than the course behind it, so a closure can
be studied in the order of closure cost. Finding the minimum closure is NP-hard; here each condition is priced on its
own, and a course that satisfies two of them is counted twice in the cost that chooses, once in the closure.

Work is counted in courses visited: the courses of an assembled closure, the courses of a replayed path, the courses
whose cost is recomputed. A plan stops when its visits are spent.

A state is one row of integers; `ProblemData.offsets` says where its parts begin. A condition whose cost is 0 holds.
"""

from typing import NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import ZERO, jit, wide
from services.recommender.planner.optimizer.closure_cost import (
    Flags,
    Heap,
    decrease,
    empty_heap,
    pop_cheapest,
)
from services.recommender.planner.optimizer.instance import (
    ProblemData,
)
from services.recommender.planner.units import FORBIDDEN, UNREACHABLE

AVAILABLE, DONE, BLOCKED = 0, 1, 2

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


class Workspace(NamedTuple):
    """Where closures are assembled, and the counters of one plan."""

    closure: Longs
    """Rows of the alternatives of the closure."""
    visited: Longs
    """Per alternative: the epoch in which it was last added to a closure."""
    best: Longs
    """Per gap: the value held with the closure."""
    counters: Records
    """(1,) COUNTERS_DTYPE."""
    heap: Heap
    """Conditions whose consumers are to be costed again."""


@jit
def empty_workspace(problem: ProblemData, evaluations: int, max_courses: int) -> Workspace:
    """Return an empty workspace."""
    alternatives, gaps = len(problem.alternatives), problem.offsets[0]["levels"] - problem.offsets[0]["value_held"]
    counters = np.zeros(1, COUNTERS_DTYPE)
    counters[0]["visits_left"], counters[0]["max_courses"] = evaluations, max_courses
    return Workspace(
        np.zeros(alternatives + 1, np.int64), np.zeros(alternatives + 1, np.int64), np.zeros(gaps, np.int64), counters,
        empty_heap(len(problem.conditions)),
    )  # fmt: skip


@jit
def initial_state(problem: ProblemData, workspace: Workspace, hours: int, steps: int) -> Longs:
    """Return the state before the path, with its costs."""
    state = np.zeros(problem.offsets[0]["end"], np.int64)
    state[problem.offsets[0]["hours_left"]], state[problem.offsets[0]["steps_left"]] = hours, steps
    state[problem.offsets[0]["levels"] : problem.offsets[0]["status"]] = problem.entry_levels
    compute_costs(problem, state, workspace)
    return state


@jit
def value_held(problem: ProblemData, state: Longs) -> int:
    """Return the value held, in micro-levels."""
    return int(state[problem.offsets[0]["value_held"] : problem.offsets[0]["levels"]].sum())


@jit
def directly_met(problem: ProblemData, state: Longs) -> Flags:
    """Return which conditions hold by a level or a completed course; branches are not considered."""
    conditions, entry_levels, status = problem.conditions, problem.offsets[0]["levels"], problem.offsets[0]["status"]
    met = np.zeros(len(conditions), np.bool_)
    for condition in range(len(conditions)):
        if conditions[condition]["skill"] >= 0:
            met[condition] = state[entry_levels + conditions[condition]["skill"]] >= conditions[condition]["level"]
        elif conditions[condition]["course"] >= 0:
            met[condition] = state[status + conditions[condition]["course"]] == DONE
    return met


@jit
def admits(
    alternatives: Records, conditions: Records, adjacency: Longs, offsets: Records, state: Longs, alternative: int
) -> bool:
    """Return whether a course can be entered. Does not read the costs."""
    for edge in range(alternatives[alternative]["conditions"], alternatives[alternative]["conditions_end"]):
        if not meets(alternatives, conditions, adjacency, offsets, state, adjacency[edge]):
            return False
    return True


@jit
def meets(
    alternatives: Records, conditions: Records, adjacency: Longs, offsets: Records, state: Longs, condition: int
) -> bool:
    """Return whether a condition holds."""
    if conditions[condition]["skill"] >= 0:
        return bool(state[offsets[0]["levels"] + conditions[condition]["skill"]] >= conditions[condition]["level"])
    if not conditions[condition]["is_any"]:
        return bool(
            conditions[condition]["course"] >= 0
            and state[offsets[0]["status"] + conditions[condition]["course"]] == DONE
        )
    for place in range(conditions[condition]["alternatives"], conditions[condition]["alternatives_end"]):
        alternative, every = adjacency[place], True
        for edge in range(alternatives[alternative]["conditions"], alternatives[alternative]["conditions_end"]):
            every = every and meets(alternatives, conditions, adjacency, offsets, state, adjacency[edge])
        if every:
            return True
    return False


@jit
def study(alternatives: Records, adjacency: Longs, offsets: Records, state: Longs, alternative: int) -> None:
    """Complete a course: levels and values rise to what it leads to. The costs are not updated."""
    entry_levels, held = offsets[0]["levels"], offsets[0]["value_held"]
    state[offsets[0]["status"] + alternative] = DONE
    state[offsets[0]["hours_left"]] -= alternatives[alternative]["hours"]
    state[offsets[0]["steps_left"]] -= 1
    for place in range(alternatives[alternative]["level_effects"], alternatives[alternative]["level_effects_end"], 2):
        state[entry_levels + adjacency[place]] = max(state[entry_levels + adjacency[place]], adjacency[place + 1])
    for place in range(alternatives[alternative]["gap_effects"], alternatives[alternative]["gap_effects_end"], 2):
        state[held + adjacency[place]] = max(state[held + adjacency[place]], adjacency[place + 1])


@jit
def compute_costs(problem: ProblemData, state: Longs, workspace: Workspace) -> None:
    """Compute all costs of a state."""
    alternatives, offsets = problem.alternatives, problem.offsets
    condition_cost, costs = (
        state[offsets[0]["condition_costs"] : offsets[0]["end"]],
        state[offsets[0]["closure_costs"] : offsets[0]["condition_costs"]],
    )
    condition_cost[:] = UNREACHABLE
    for alternative in range(len(alternatives)):
        usable = state[offsets[0]["status"] + alternative] == AVAILABLE
        costs[alternative] = UNREACHABLE * (
            alternatives[alternative]["conditions_end"] - alternatives[alternative]["conditions"]
        ) + (alternatives[alternative]["cost"] if usable else FORBIDDEN)
    for condition in np.flatnonzero(directly_met(problem, state)):
        decrease(condition_cost, workspace.heap, wide(condition), ZERO)
    for alternative in range(len(alternatives)):
        if costs[alternative] < UNREACHABLE:
            offer_cost(alternatives, problem.adjacency, condition_cost, workspace.heap, alternative, costs[alternative])
    workspace.counters[0]["visits_left"] -= len(alternatives) + relax(problem, state, workspace.heap)


@jit
def costs_from_start(problem: ProblemData, start_state: Longs, state: Longs, workspace: Workspace) -> None:
    """Compute the costs of a state from those of the start state, from which it was reached."""
    offsets, alternatives = problem.offsets, problem.alternatives
    state[offsets[0]["closure_costs"] : offsets[0]["end"]] = start_state[
        offsets[0]["closure_costs"] : offsets[0]["end"]
    ]
    condition_cost = state[offsets[0]["condition_costs"] : offsets[0]["end"]]
    for condition in np.flatnonzero(directly_met(problem, state)):
        decrease(condition_cost, workspace.heap, wide(condition), ZERO)
    workspace.counters[0]["visits_left"] -= len(alternatives) + relax(problem, state, workspace.heap)
    forbid_done(problem, state)


@jit
def study_and_update(problem: ProblemData, state: Longs, workspace: Workspace, courses: Longs) -> None:
    """Complete courses, one after the other, and update the costs."""
    alternatives, conditions, adjacency, offsets = (
        problem.alternatives,
        problem.conditions,
        problem.adjacency,
        problem.offsets,
    )
    condition_cost = state[offsets[0]["condition_costs"] : offsets[0]["end"]]
    for alternative in courses:
        study(alternatives, adjacency, offsets, state, alternative)
        if alternatives[alternative]["own_condition"] >= 0:
            decrease(condition_cost, workspace.heap, alternatives[alternative]["own_condition"], ZERO)
        for place in range(
            alternatives[alternative]["level_effects"], alternatives[alternative]["level_effects_end"], 2
        ):
            condition = problem.first_condition[adjacency[place]]
            while condition >= 0:
                if conditions[condition]["level"] <= adjacency[place + 1]:
                    decrease(condition_cost, workspace.heap, wide(condition), ZERO)
                condition = conditions[condition]["next"]
    workspace.counters[0]["visits_left"] -= len(alternatives) + relax(problem, state, workspace.heap)
    forbid_done(problem, state)


@jit
def forbid_done(problem: ProblemData, state: Longs) -> None:
    """Forbid the courses that are done."""
    status, costs = problem.offsets[0]["status"], problem.offsets[0]["closure_costs"]
    for alternative in range(len(problem.alternatives)):
        if state[status + alternative] == DONE:
            state[costs + alternative] = FORBIDDEN


@jit
def relax(problem: ProblemData, state: Longs, heap: Heap) -> int:
    """Propagate decreased costs in Dijkstra order; return how many courses were visited."""
    alternatives, conditions, adjacency, offsets, size = (
        problem.alternatives,
        problem.conditions,
        problem.adjacency,
        problem.offsets,
        heap.size,
    )
    condition_cost, costs = (
        state[offsets[0]["condition_costs"] : offsets[0]["end"]],
        state[offsets[0]["closure_costs"] : offsets[0]["condition_costs"]],
    )
    visited = ZERO
    while size[0]:
        condition = pop_cheapest(condition_cost, heap)
        visited += conditions[condition]["consumers_end"] - conditions[condition]["consumers"]
        change = condition_cost[condition] - heap.previous_cost[condition]
        for place in range(conditions[condition]["consumers"], conditions[condition]["consumers_end"]):
            alternative = adjacency[place]
            costs[alternative] += change
            if costs[alternative] < UNREACHABLE:
                offer_cost(alternatives, adjacency, condition_cost, heap, alternative, costs[alternative])
    return int(visited)


@jit
def offer_cost(
    alternatives: Records, adjacency: Longs, condition_cost: Longs, heap: Heap, alternative: int, total: int
) -> None:
    """Lower the conditions that an alternative satisfies to `total`."""
    for place in range(alternatives[alternative]["satisfies"], alternatives[alternative]["satisfies_end"]):
        if total < condition_cost[adjacency[place]]:
            decrease(condition_cost, heap, adjacency[place], total)
