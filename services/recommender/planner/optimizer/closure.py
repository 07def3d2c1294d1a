"""Bundles: a course with the cheapest courses that open its door, put together, in order, and without what is spare."""

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import NONE, jit
from services.recommender.planner.optimizer.closure_cost import score_of
from services.recommender.planner.optimizer.instance import (
    BRANCH,
    COSINE,
    COST,
    DOORS,
    GAINS,
    GAINS_END,
    HELD,
    HOURS,
    HOURS_LEFT,
    NEEDS,
    NEEDS_END,
    PRICES,
    RANK,
    REACH,
    STEPS_LEFT,
    WAYS,
    WAYS_END,
    ProblemData,
)
from services.recommender.planner.optimizer.state import (
    ALL_COST,
    ALL_HOURS,
    COUNT,
    EPOCH,
    EVALUATIONS_LEFT,
    GAIN,
    MAX_COURSES,
    MEMBERS,
    Workspace,
    admits,
    study,
    value_held,
)
from services.recommender.planner.units import UNREACHABLE


@jit
def build_closure(problem: ProblemData, state: Longs, workspace: Workspace, target: int) -> None:
    """Put the bundle of a goal that is in reach on the bench; its members are not in order yet.

    One of more than MAX_COURSES courses is left unfinished: no path holds it. Its COUNT says so, and its hours are 0.
    """
    alternatives, conditions, adjacency, at = problem.alternatives, problem.conditions, problem.adjacency, problem.at
    closure, visited, best, counters = workspace.closure, workspace.visited, workspace.best, workspace.counters
    costs, condition_cost = at[PRICES], at[REACH]
    counters[EPOCH] += 1
    counters[ALL_HOURS] = counters[ALL_COST] = counters[COUNT] = counters[GAIN] = 0
    best[:] = state[at[HELD] : at[DOORS]]
    closure[0] = target
    visited[target] = counters[EPOCH]
    found, looked = 1, 0
    while looked < found:
        alternative = closure[looked]
        looked += 1
        if not alternatives[alternative, BRANCH]:
            counters[ALL_HOURS] += alternatives[alternative, HOURS]
            counters[ALL_COST] += alternatives[alternative, COST]
            counters[COUNT] += 1
            if counters[COUNT] > counters[MAX_COURSES]:
                counters[ALL_HOURS] = 0
                break
        for place in range(alternatives[alternative, GAINS], alternatives[alternative, GAINS_END], 2):
            if adjacency[place + 1] > best[adjacency[place]]:
                counters[GAIN] += adjacency[place + 1] - best[adjacency[place]]
                best[adjacency[place]] = adjacency[place + 1]
        for edge in range(alternatives[alternative, NEEDS], alternatives[alternative, NEEDS_END]):
            condition = adjacency[edge]
            if state[condition_cost + condition] == 0:
                continue
            achiever = -1
            for place in range(conditions[condition, WAYS], conditions[condition, WAYS_END]):
                other = adjacency[place]
                if state[costs + other] == state[condition_cost + condition] and (
                    achiever < 0 or alternatives[other, RANK] < alternatives[achiever, RANK]
                ):
                    achiever = other
            if visited[achiever] != counters[EPOCH]:
                visited[achiever] = counters[EPOCH]
                closure[found] = achiever
                found += 1
    counters[MEMBERS] = found
    counters[EVALUATIONS_LEFT] -= found


@jit
def topological_order(problem: ProblemData, state: Longs, workspace: Workspace) -> int:
    """Put the courses of the bundle on the bench into an order of study; return how many."""
    alternatives, closure, costs = problem.alternatives, workspace.closure, problem.at[PRICES]
    kept = 0
    for place in range(workspace.counters[MEMBERS]):
        alternative = closure[place]
        if alternatives[alternative, BRANCH]:
            continue
        cost, at = state[costs + alternative], kept
        while at > 0 and (
            state[costs + closure[at - 1]] > cost
            or (
                state[costs + closure[at - 1]] == cost
                and alternatives[closure[at - 1], RANK] > alternatives[alternative, RANK]
            )
        ):
            closure[at] = closure[at - 1]
            at -= 1
        closure[at] = alternative
        kept += 1
    return kept


@jit
def precedes(problem: ProblemData, alternative: int, cost: int, other: int, other_cost: int) -> bool:
    """Return whether of two courses of equal score the first stands before the second."""
    alternatives = problem.alternatives
    if alternatives[alternative, COSINE] != alternatives[other, COSINE]:
        return bool(alternatives[alternative, COSINE] > alternatives[other, COSINE])
    if cost != other_cost:
        return cost < other_cost
    return bool(alternatives[alternative, RANK] < alternatives[other, RANK])


@jit
def has_marginal_gain(alternatives: Longs, adjacency: Longs, held: int, state: Longs, alternative: int) -> bool:
    """Return whether a course by itself closes anything."""
    for place in range(alternatives[alternative, GAINS], alternatives[alternative, GAINS_END], 2):
        if adjacency[place + 1] > state[held + adjacency[place]]:
            return True
    return False


@jit
def score_closure(problem: ProblemData, state: Longs, workspace: Workspace, alternative: int, exponent: float) -> int:
    """Return the score of a course's bundle, which is then on the bench; 0 where it is out of reach or does not fit."""
    if state[problem.at[PRICES] + alternative] >= UNREACHABLE:
        return 0
    build_closure(problem, state, workspace, alternative)
    counters = workspace.counters
    if counters[ALL_HOURS] > state[HOURS_LEFT] or counters[COUNT] > state[STEPS_LEFT]:
        return 0
    return score_of(counters[GAIN], counters[ALL_COST], exponent)


@jit
def drop_redundant(problem: ProblemData, state: Longs, workspace: Workspace, count: int) -> int:
    """Drop courses of the bundle on the bench that, once its parts are joined, close nothing and open no door."""
    gain = gain_excluding(problem, state, workspace, count, NONE)
    left_out = count - 2
    while left_out >= 0:
        if gain_excluding(problem, state, workspace, count, left_out) == gain:
            workspace.closure[left_out : count - 1] = workspace.closure[left_out + 1 : count].copy()
            count -= 1
        left_out -= 1
    return count


@jit
def gain_excluding(problem: ProblemData, state: Longs, workspace: Workspace, count: int, left_out: int) -> int:
    """Return what the bundle gains without one of it; -1 where it then cannot be studied."""
    alternatives, conditions, adjacency, at = problem.alternatives, problem.conditions, problem.adjacency, problem.at
    after = state[: at[PRICES]].copy()
    workspace.counters[EVALUATIONS_LEFT] -= count
    for place in range(count):
        if place == left_out:
            continue
        if left_out >= 0 and not admits(alternatives, conditions, adjacency, at, after, workspace.closure[place]):
            return -1
        study(alternatives, adjacency, at, after, workspace.closure[place])
    return value_held(problem, after) - value_held(problem, state)
