"""Prerequisite closures: a course with the cheapest courses that satisfy its conditions, in order, none redundant."""

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import NONE, jit
from services.recommender.planner.optimizer.closure_cost import score_of
from services.recommender.planner.optimizer.instance import (
    ProblemData,
)
from services.recommender.planner.optimizer.state import (
    Workspace,
    admits,
    study,
    value_held,
)
from services.recommender.planner.units import UNREACHABLE


@jit
def build_closure(problem: ProblemData, state: Longs, workspace: Workspace, target: int) -> None:
    """Assemble the closure of a reachable target in the workspace; its rows are not in order yet.

    A closure of more than `max_courses` is left unfinished, with 0 hours: no path can hold it.
    """
    alternatives, conditions, adjacency, offsets = (
        problem.alternatives,
        problem.conditions,
        problem.adjacency,
        problem.offsets,
    )
    closure, visited, best, counters = workspace.closure, workspace.visited, workspace.best, workspace.counters
    costs, condition_cost = offsets[0]["closure_costs"], offsets[0]["condition_costs"]
    counters[0]["epoch"] += 1
    counters[0]["hours"] = counters[0]["cost"] = counters[0]["courses"] = counters[0]["gain"] = 0
    best[:] = state[offsets[0]["value_held"] : offsets[0]["levels"]]
    closure[0] = target
    visited[target] = counters[0]["epoch"]
    found, looked = 1, 0
    while looked < found:
        alternative = closure[looked]
        looked += 1
        if not alternatives[alternative]["is_branch"]:
            counters[0]["hours"] += alternatives[alternative]["hours"]
            counters[0]["cost"] += alternatives[alternative]["cost"]
            counters[0]["courses"] += 1
            if counters[0]["courses"] > counters[0]["max_courses"]:
                counters[0]["hours"] = 0
                break
        for place in range(alternatives[alternative]["gap_effects"], alternatives[alternative]["gap_effects_end"], 2):
            if adjacency[place + 1] > best[adjacency[place]]:
                counters[0]["gain"] += adjacency[place + 1] - best[adjacency[place]]
                best[adjacency[place]] = adjacency[place + 1]
        for edge in range(alternatives[alternative]["conditions"], alternatives[alternative]["conditions_end"]):
            condition = adjacency[edge]
            if state[condition_cost + condition] == 0:
                continue
            achiever = -1
            for place in range(conditions[condition]["alternatives"], conditions[condition]["alternatives_end"]):
                other = adjacency[place]
                if state[costs + other] == state[condition_cost + condition] and (
                    achiever < 0 or alternatives[other]["rank"] < alternatives[achiever]["rank"]
                ):
                    achiever = other
            if visited[achiever] != counters[0]["epoch"]:
                visited[achiever] = counters[0]["epoch"]
                closure[found] = achiever
                found += 1
    counters[0]["size"] = found
    counters[0]["visits_left"] -= found


@jit
def topological_order(problem: ProblemData, state: Longs, workspace: Workspace) -> int:
    """Put the courses of the closure into an order of study; return how many."""
    alternatives, closure, costs = problem.alternatives, workspace.closure, problem.offsets[0]["closure_costs"]
    kept = 0
    for place in range(workspace.counters[0]["size"]):
        alternative = closure[place]
        if alternatives[alternative]["is_branch"]:
            continue
        cost, at = state[costs + alternative], kept
        while at > 0 and (
            state[costs + closure[at - 1]] > cost
            or (
                state[costs + closure[at - 1]] == cost
                and alternatives[closure[at - 1]]["rank"] > alternatives[alternative]["rank"]
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
    if alternatives[alternative]["cosine"] != alternatives[other]["cosine"]:
        return bool(alternatives[alternative]["cosine"] > alternatives[other]["cosine"])
    if cost != other_cost:
        return cost < other_cost
    return bool(alternatives[alternative]["rank"] < alternatives[other]["rank"])


@jit
def has_marginal_gain(alternatives: Records, adjacency: Longs, held: int, state: Longs, alternative: int) -> bool:
    """Return whether a course by itself closes a part of any gap."""
    for place in range(alternatives[alternative]["gap_effects"], alternatives[alternative]["gap_effects_end"], 2):
        if adjacency[place + 1] > state[held + adjacency[place]]:
            return True
    return False


@jit
def score_closure(problem: ProblemData, state: Longs, workspace: Workspace, alternative: int, exponent: float) -> int:
    """Assemble the closure of a course and return its score; 0 if it is unreachable or does not fit."""
    if state[problem.offsets[0]["closure_costs"] + alternative] >= UNREACHABLE:
        return 0
    build_closure(problem, state, workspace, alternative)
    counters = workspace.counters
    if (
        counters[0]["hours"] > state[problem.offsets[0]["hours_left"]]
        or counters[0]["courses"] > state[problem.offsets[0]["steps_left"]]
    ):
        return 0
    return score_of(counters[0]["gain"], counters[0]["cost"], exponent)


@jit
def drop_redundant(problem: ProblemData, state: Longs, workspace: Workspace, count: int) -> int:
    """Remove courses that add no value and satisfy no remaining condition; return the new length."""
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
    """Return the gain of the closure without one of its courses; -1 if the rest cannot be studied."""
    alternatives, conditions, adjacency, offsets = (
        problem.alternatives,
        problem.conditions,
        problem.adjacency,
        problem.offsets,
    )
    after = state[: offsets[0]["closure_costs"]].copy()
    workspace.counters[0]["visits_left"] -= count
    for place in range(count):
        if place == left_out:
            continue
        if left_out >= 0 and not admits(alternatives, conditions, adjacency, offsets, after, workspace.closure[place]):
            return -1
        study(alternatives, adjacency, offsets, after, workspace.closure[place])
    return value_held(problem, after) - value_held(problem, state)
