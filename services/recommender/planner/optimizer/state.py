"""The state along a path, and the closure costs in it.

A condition costs its cheapest alternative; an alternative costs its own hours and those of all its conditions: the
additive relaxation, computed in Dijkstra order. A prerequisite is cheaper than the course behind it, so a closure can
be studied in the order of closure cost. Finding the minimum closure is NP-hard; here each condition is priced on its
own, and a course that satisfies two of them is counted twice in the cost that chooses, once in the closure.

Work is counted in courses visited: the courses of an assembled closure, the courses of a replayed path, the courses
whose cost is recomputed. A plan stops when its visits are spent.

A state is one row of integers: hours and steps left, then the parts that `ProblemData.at` gives the offsets of. A
condition whose cost is 0 holds.
"""

from typing import NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import ZERO, jit, wide
from services.recommender.planner.optimizer.closure_cost import (
    Flags,
    Heap,
    decrease,
    empty_heap,
    pop_cheapest,
)
from services.recommender.planner.optimizer.instance import (
    ANY,
    ASKED,
    COST,
    COURSE,
    DOORS,
    END,
    GAINS,
    GAINS_END,
    HELD,
    HOURS,
    HOURS_LEFT,
    LEVEL,
    LIFTS,
    LIFTS_END,
    MEETS,
    MEETS_END,
    NEEDS,
    NEEDS_END,
    NEXT,
    OWN_NEED,
    PRICES,
    REACH,
    STATUS,
    STEPS_LEFT,
    USERS,
    USERS_END,
    WAYS,
    WAYS_END,
    ProblemData,
)
from services.recommender.planner.units import FORBIDDEN, UNREACHABLE

AVAILABLE, DONE, BLOCKED = 0, 1, 2
ALL_HOURS, ALL_COST, COUNT, GAIN, MEMBERS, EVALUATIONS_LEFT, EPOCH, MAX_COURSES, LIMITED = range(9)


class Workspace(NamedTuple):
    """Where closures are assembled, and the counters of one plan."""

    closure: Longs
    """Rows of the alternatives of the closure."""
    visited: Longs
    """Per alternative: the EPOCH in which it was last added to a closure."""
    best: Longs
    """Per gap: the value held with the closure."""
    counters: Longs
    """ALL_HOURS, ALL_COST, COUNT of courses, GAIN and MEMBERS of the closure; EVALUATIONS_LEFT: courses that may still
    be visited; EPOCH; MAX_COURSES in a closure; LIMITED: 1 if something was left out because the visits were spent."""
    heap: Heap
    """Conditions whose consumers are to be costed again."""


@jit
def empty_workspace(problem: ProblemData, evaluations: int, max_courses: int) -> Workspace:
    """Return an empty bench."""
    alternatives, gaps = len(problem.alternatives), problem.at[DOORS] - problem.at[HELD]
    counters = np.zeros(9, np.int64)
    counters[EVALUATIONS_LEFT], counters[MAX_COURSES] = evaluations, max_courses
    return Workspace(
        np.zeros(alternatives + 1, np.int64), np.zeros(alternatives + 1, np.int64), np.zeros(gaps, np.int64), counters,
        empty_heap(len(problem.conditions)),
    )  # fmt: skip


@jit
def initial_state(problem: ProblemData, workspace: Workspace, hours: int, steps: int) -> Longs:
    """Return the standing before the path, priced."""
    state = np.zeros(problem.at[END], np.int64)
    state[HOURS_LEFT], state[STEPS_LEFT] = hours, steps
    state[problem.at[DOORS] : problem.at[STATUS]] = problem.entry_levels
    compute_costs(problem, state, workspace)
    return state


@jit
def value_held(problem: ProblemData, state: Longs) -> int:
    """Return all that is held, in micro-levels."""
    return int(state[problem.at[HELD] : problem.at[DOORS]].sum())


@jit
def directly_met(problem: ProblemData, state: Longs) -> Flags:
    """Return which needs are met by a level or a course; branches are not looked at."""
    conditions, entry_levels, status = problem.conditions, problem.at[DOORS], problem.at[STATUS]
    met = np.zeros(len(conditions), np.bool_)
    for condition in range(len(conditions)):
        if conditions[condition, ASKED] >= 0:
            met[condition] = state[entry_levels + conditions[condition, ASKED]] >= conditions[condition, LEVEL]
        elif conditions[condition, COURSE] >= 0:
            met[condition] = state[status + conditions[condition, COURSE]] == DONE
    return met


@jit
def admits(alternatives: Longs, conditions: Longs, adjacency: Longs, at: Longs, state: Longs, alternative: int) -> bool:
    """Return whether a course can be entered. Prices need not be told."""
    for edge in range(alternatives[alternative, NEEDS], alternatives[alternative, NEEDS_END]):
        if not meets(alternatives, conditions, adjacency, at, state, adjacency[edge]):
            return False
    return True


@jit
def meets(alternatives: Longs, conditions: Longs, adjacency: Longs, at: Longs, state: Longs, condition: int) -> bool:
    """Return whether a need is met."""
    if conditions[condition, ASKED] >= 0:
        return bool(state[at[DOORS] + conditions[condition, ASKED]] >= conditions[condition, LEVEL])
    if not conditions[condition, ANY]:
        return bool(conditions[condition, COURSE] >= 0 and state[at[STATUS] + conditions[condition, COURSE]] == DONE)
    for place in range(conditions[condition, WAYS], conditions[condition, WAYS_END]):
        alternative, every = adjacency[place], True
        for edge in range(alternatives[alternative, NEEDS], alternatives[alternative, NEEDS_END]):
            every = every and meets(alternatives, conditions, adjacency, at, state, adjacency[edge])
        if every:
            return True
    return False


@jit
def study(alternatives: Longs, adjacency: Longs, at: Longs, state: Longs, alternative: int) -> None:
    """Do a course: every level that it teaches rises, none falls. Prices stay as they were."""
    entry_levels, held = at[DOORS], at[HELD]
    state[at[STATUS] + alternative] = DONE
    state[HOURS_LEFT] -= alternatives[alternative, HOURS]
    state[STEPS_LEFT] -= 1
    for place in range(alternatives[alternative, LIFTS], alternatives[alternative, LIFTS_END], 2):
        state[entry_levels + adjacency[place]] = max(state[entry_levels + adjacency[place]], adjacency[place + 1])
    for place in range(alternatives[alternative, GAINS], alternatives[alternative, GAINS_END], 2):
        state[held + adjacency[place]] = max(state[held + adjacency[place]], adjacency[place + 1])


@jit
def compute_costs(problem: ProblemData, state: Longs, workspace: Workspace) -> None:
    """Price everything at a standing of which nothing is priced."""
    alternatives, at = problem.alternatives, problem.at
    condition_cost, costs = state[at[REACH] : at[END]], state[at[PRICES] : at[REACH]]
    condition_cost[:] = UNREACHABLE
    for alternative in range(len(alternatives)):
        usable = state[at[STATUS] + alternative] == AVAILABLE
        costs[alternative] = UNREACHABLE * (alternatives[alternative, NEEDS_END] - alternatives[alternative, NEEDS]) + (
            alternatives[alternative, COST] if usable else FORBIDDEN
        )
    for condition in np.flatnonzero(directly_met(problem, state)):
        decrease(condition_cost, workspace.heap, wide(condition), ZERO)
    for alternative in range(len(alternatives)):
        if costs[alternative] < UNREACHABLE:
            offer_cost(alternatives, problem.adjacency, condition_cost, workspace.heap, alternative, costs[alternative])
    workspace.counters[EVALUATIONS_LEFT] -= len(alternatives) + relax(problem, state, workspace.heap)


@jit
def costs_from_start(problem: ProblemData, start_state: Longs, state: Longs, workspace: Workspace) -> None:
    """Price a standing that was reached from the seeded one."""
    at, alternatives = problem.at, problem.alternatives
    state[at[PRICES] : at[END]] = start_state[at[PRICES] : at[END]]
    condition_cost = state[at[REACH] : at[END]]
    for condition in np.flatnonzero(directly_met(problem, state)):
        decrease(condition_cost, workspace.heap, wide(condition), ZERO)
    workspace.counters[EVALUATIONS_LEFT] -= len(alternatives) + relax(problem, state, workspace.heap)
    forbid_done(problem, state)


@jit
def study_and_update(problem: ProblemData, state: Longs, workspace: Workspace, courses: Longs) -> None:
    """Do courses, one after the other, and price on."""
    alternatives, conditions, adjacency, at = problem.alternatives, problem.conditions, problem.adjacency, problem.at
    condition_cost = state[at[REACH] : at[END]]
    for alternative in courses:
        study(alternatives, adjacency, at, state, alternative)
        if alternatives[alternative, OWN_NEED] >= 0:
            decrease(condition_cost, workspace.heap, alternatives[alternative, OWN_NEED], ZERO)
        for place in range(alternatives[alternative, LIFTS], alternatives[alternative, LIFTS_END], 2):
            condition = problem.first_condition[adjacency[place]]
            while condition >= 0:
                if conditions[condition, LEVEL] <= adjacency[place + 1]:
                    decrease(condition_cost, workspace.heap, wide(condition), ZERO)
                condition = conditions[condition, NEXT]
    workspace.counters[EVALUATIONS_LEFT] -= len(alternatives) + relax(problem, state, workspace.heap)
    forbid_done(problem, state)


@jit
def forbid_done(problem: ProblemData, state: Longs) -> None:
    """Put out of reach what is done."""
    status, costs = problem.at[STATUS], problem.at[PRICES]
    for alternative in range(len(problem.alternatives)):
        if state[status + alternative] == DONE:
            state[costs + alternative] = FORBIDDEN


@jit
def relax(problem: ProblemData, state: Longs, heap: Heap) -> int:
    """Price on, from the least, until nothing falls any more; return how many courses were visited."""
    alternatives, conditions, adjacency, at, size = (
        problem.alternatives,
        problem.conditions,
        problem.adjacency,
        problem.at,
        heap.size,
    )
    condition_cost, costs = state[at[REACH] : at[END]], state[at[PRICES] : at[REACH]]
    visited = ZERO
    while size[0]:
        condition = pop_cheapest(condition_cost, heap)
        visited += conditions[condition, USERS_END] - conditions[condition, USERS]
        change = condition_cost[condition] - heap.previous_cost[condition]
        for place in range(conditions[condition, USERS], conditions[condition, USERS_END]):
            alternative = adjacency[place]
            costs[alternative] += change
            if costs[alternative] < UNREACHABLE:
                offer_cost(alternatives, adjacency, condition_cost, heap, alternative, costs[alternative])
    return int(visited)


@jit
def offer_cost(
    alternatives: Longs, adjacency: Longs, condition_cost: Longs, heap: Heap, alternative: int, total: int
) -> None:
    """Tell what a way meets that it costs so much."""
    for place in range(alternatives[alternative, MEETS], alternatives[alternative, MEETS_END]):
        if total < condition_cost[adjacency[place]]:
            decrease(condition_cost, heap, adjacency[place], total)
