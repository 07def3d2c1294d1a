"""Closure cost: what every course costs one officer together with the cheapest courses that satisfy its conditions.

    closure_cost(course)      = its cost + the cost of each of its conditions
    condition_cost(condition) = 0 where it holds, else the lowest closure cost of what satisfies it;
                                a branch costs the sum of its conditions

These are the costs of the additive relaxation (h_add): shortest hyperpaths of the prerequisite graph, found in Dijkstra
order, so that circles and missing prerequisites stay UNREACHABLE. They are computed once per catalog and cost profile
for an officer who holds nothing. An officer's own costs are derived from them: costs that depend on a changed course
are invalidated and recomputed, and conditions that the officer meets decrease to 0.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO
from services.recommender.planner.index.graph import BRANCH, PrerequisiteGraph
from services.recommender.planner.index.segment import Ints, Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import ZERO, jit, wide
from services.recommender.planner.references import by_reference
from services.recommender.planner.units import FORBIDDEN, UNREACHABLE

Flags = NDArray[np.bool_]
ADDING: Any = np.bool_(True)  # noqa: FBT003 - not a literal, which would be another signature
"""As in h_add: a course costs the sum of its conditions."""
DEAREST: Any = np.bool_(False)  # noqa: FBT003
"""As in h_max: a course costs its dearest condition."""


@by_reference
class Costs(NamedTuple):
    """The costs of one officer in one state, in micro-hours, for N courses, M conditions and S skills of a graph.

    `cost` and `ours` are fixed; the compiled functions compute and update `closure_cost` and `condition_cost` in place.
    `reference.costs.Costs` has the same by course and condition.
    """

    cost: Longs
    """(N,): of each course by itself, its hours times its cost factor; 0: the officer must not use it."""
    closure_cost: Longs
    """(N,): of each course with its prerequisites; UNREACHABLE or more: no path holds it."""
    condition_cost: Longs
    """(M,): the lowest closure cost that satisfies each condition; 0: it holds already."""
    ours: Flags
    """(S,): whether the `from` levels of each skill are conditions of entry: those of the officer's framework are."""


def empty_costs(graph: PrerequisiteGraph, cost: Longs, ours: Flags) -> Costs:
    """Return costs with these `cost` and `ours`; closure and condition costs are still to be filled in."""
    courses, conditions, _ = graph.sizes
    return Costs(cost, np.empty(courses, np.int64), np.empty(conditions, np.int64), ours)


HEAP_DTYPE = np.dtype([(field, np.int64) for field in ("condition", "place", "previous_cost")])
"""A binary heap of conditions, the cheapest first: (M + 1,) rows with two meanings.

Row i holds the condition at position i of the heap (`condition`). It also holds, of condition i, the position in the
heap (`place`; -1: it is not in the heap) and the cost with which the costs of its consumers were last computed
(`previous_cost`). `place` of the last row is the number of conditions in the heap.
"""


@jit()
def score_of(gain: int, cost: int, exponent: float) -> int:
    """Return gain / (cost in hours) ** exponent, rounded down. `gain`: micro-levels; `cost`: micro-hours, above 0."""
    if exponent == 1.0:
        return gain * MICRO // cost
    return gain * MICRO // max(int(MICRO * (cost / MICRO) ** exponent + 0.5), 1)


@jit()
def branch_cost(graph: PrerequisiteGraph, condition_cost: Longs, branch: int, adding: bool) -> int:
    """Return the cost of a branch, in micro-hours: the sum of its conditions, or the dearest of them if not `adding`.

    `condition_cost`: see `Costs`.
    """
    total = 0
    for place in range(graph.branches[branch]["start"], graph.branches[branch + 1]["start"]):
        one = condition_cost[graph.branch_conditions[place]]
        total = min(total + one, UNREACHABLE) if adding else max(total, one)
    return total


@jit(allocates=True)
def unset(count: int) -> Longs:
    """Return (count,) filled with -1."""
    numbers = np.empty(count, np.int64)
    for place in range(count):
        numbers[place] = -1
    return numbers


@jit(allocates=True)
def empty_heap(conditions: int) -> Records:
    """Return an empty heap for a graph with this number of `conditions`: (conditions + 1,) HEAP_DTYPE."""
    heap = np.empty(conditions + 1, HEAP_DTYPE)
    for condition in range(conditions):
        heap[condition]["place"] = -1
    heap[conditions]["place"] = 0
    return heap


@jit()
def decrease(condition_cost: Longs, heap: Records, condition: int, total: int) -> None:
    """Lower the cost of a condition to `total` micro-hours and put it into the heap.

    Do nothing if that is not lower.
    """
    if total >= condition_cost[condition]:
        return
    at = heap[condition]["place"]
    if at < 0:
        at = heap[len(heap) - 1]["place"]
        heap[len(heap) - 1]["place"] = at + 1
        heap[condition]["previous_cost"] = condition_cost[condition]
    condition_cost[condition] = total
    while at > 0 and condition_cost[heap[(at - 1) >> 1]["condition"]] > total:
        parent = heap[(at - 1) >> 1]["condition"]
        heap[at]["condition"], heap[parent]["place"] = parent, at
        at = (at - 1) >> 1
    heap[at]["condition"], heap[condition]["place"] = condition, at


@jit()
def pop_cheapest(condition_cost: Longs, heap: Records) -> int:
    """Remove the condition of lowest cost from the heap and return it; -1 if the heap is empty."""
    size = heap[len(heap) - 1]["place"] - 1
    if size < 0:
        return -1
    least, last, at = heap[0]["condition"], heap[size]["condition"], 0
    heap[len(heap) - 1]["place"] = size
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and condition_cost[heap[child + 1]["condition"]] < condition_cost[heap[child]["condition"]]:
            child += 1
        moved = heap[child]["condition"]
        if condition_cost[moved] >= condition_cost[last]:
            break
        heap[at]["condition"], heap[moved]["place"] = moved, at
        at = child
    heap[at]["condition"], heap[last]["place"] = last, at
    heap[least]["place"] = -1
    return int(least)


@jit()
def satisfy(graph: PrerequisiteGraph, condition_cost: Longs, heap: Records, course: int, total: int) -> None:
    """Lower the cost of every condition that a course satisfies to `total` micro-hours, and put these into the heap.

    A condition that costs no more already is left as it is.
    """
    for row in range(graph.courses[course]["row"], graph.courses[course + 1]["row"]):
        skill = graph.rows[row]["skill"]
        first, place = graph.skills[skill]["level"], graph.skills[skill + 1]["level"] - 1
        while place >= first and graph.conditions[graph.level_index[place]]["level"] > graph.rows[row]["high"]:
            place -= 1
        while place >= first and total < condition_cost[graph.level_index[place]]:  # a lower level never costs more
            decrease(condition_cost, heap, wide(graph.level_index[place]), total)
            place -= 1
    own = graph.courses[course]["own_condition"]
    if own >= 0:
        decrease(condition_cost, heap, wide(own), total)


@jit()
def relax(graph: PrerequisiteGraph, costs: Costs, heap: Records, adding: bool) -> int:
    """Propagate the decreased costs of the conditions in the heap, in Dijkstra order, until no condition gets cheaper.

    Updates `costs` and empties the heap. Returns the number of visits: courses and branches that were costed again. If
    not `adding`, a course costs as much as its dearest condition. This is right only if no condition was reachable
    before: each is then popped once, the dearest one of a course last.
    """
    condition_cost, closure_cost = costs.condition_cost, costs.closure_cost
    visited = ZERO
    while True:
        condition = pop_cheapest(condition_cost, heap)
        if condition < 0:
            return int(visited)
        first, last = graph.conditions[condition]["consumer"], graph.conditions[condition + 1]["consumer"]
        total = condition_cost[condition]
        change, skill = total - heap[condition]["previous_cost"], graph.conditions[condition]["skill"]
        visited += last - first
        for place in range(first, last):
            consumer = graph.consumers[place]
            if consumer >= BRANCH:
                branch = consumer - BRANCH
                cost = branch_cost(graph, condition_cost, branch, adding)
                decrease(condition_cost, heap, wide(graph.branches[branch]["condition"]), cost)
            elif consumer >= 0 or costs.ours[skill]:
                course = consumer if consumer >= 0 else ~consumer
                closure_cost[course] += change if adding else -UNREACHABLE
                if closure_cost[course] < UNREACHABLE:
                    closure_cost[course] += 0 if adding else total
                    satisfy(graph, condition_cost, heap, course, closure_cost[course])


@jit()
def sum_condition_costs(graph: PrerequisiteGraph, costs: Costs, course: int) -> None:
    """Set the closure cost of a course: its own cost plus the costs of its conditions."""
    total = costs.cost[course] or FORBIDDEN
    for place in range(graph.courses[course]["condition"], graph.courses[course + 1]["condition"]):
        number = wide(graph.requires[place])
        condition = number if number >= 0 else ~number
        if number >= 0 or costs.ours[graph.conditions[condition]["skill"]]:
            total += costs.condition_cost[condition]
    costs.closure_cost[course] = total


@jit()
def satisfy_held(graph: PrerequisiteGraph, costs: Costs, heap: Records, levels: Longs, held: Ints) -> None:
    """Lower the cost of every condition that holds to 0, and put these conditions into the heap.

    `levels`: (S,) micro-level per skill; `held`: numbers of conditions that hold, whatever the levels are.
    """
    for condition in held:
        decrease(costs.condition_cost, heap, wide(condition), ZERO)
    for skill in range(min(len(levels), len(graph.skills) - 1)):
        for place in range(graph.skills[skill]["level"], graph.skills[skill + 1]["level"]):
            if graph.conditions[graph.level_index[place]]["level"] > levels[skill]:
                break
            decrease(costs.condition_cost, heap, wide(graph.level_index[place]), ZERO)


@jit(entry=True, allocates=True)
def costs_from(graph: PrerequisiteGraph, levels: Longs, held: Ints, adding: bool, costs: Costs) -> int:
    """Compute all costs of one state from nothing, in place; return the number of visits.

    `levels`: (S,) micro-level per skill; `held`: numbers of conditions that hold. With `adding` a course costs the sum
    of its conditions (h_add), otherwise its dearest one (h_max), which is a lower bound of the cost of any closure.
    """
    for condition in range(len(costs.condition_cost)):
        costs.condition_cost[condition] = UNREACHABLE
    for course in range(len(costs.cost)):
        sum_condition_costs(graph, costs, course)
    heap = empty_heap(len(costs.condition_cost))
    satisfy_held(graph, costs, heap, levels, held)
    for course in range(len(costs.cost)):
        if costs.closure_cost[course] < UNREACHABLE:
            satisfy(graph, costs.condition_cost, heap, course, costs.closure_cost[course])
    return len(costs.cost) + relax(graph, costs, heap, adding)


@jit(entry=True, allocates=True)
def specialise(graph: PrerequisiteGraph, levels: Longs, held: Ints, changed: Ints, costs: Costs) -> None:
    """Turn the costs for an officer who holds nothing into those of one officer, in place.

    `levels`: (S,) micro-level per skill; `held`: numbers of conditions that hold; `changed`: the numbers of courses
    that are new or have another cost for this officer. A condition without a cost yet is UNREACHABLE.
    """
    heap = empty_heap(len(costs.condition_cost))
    fresh = changed
    if len(changed):
        fresh = invalidate(graph, changed, costs)
        for condition in range(len(costs.condition_cost)):
            if costs.condition_cost[condition] >= UNREACHABLE:
                decrease(costs.condition_cost, heap, condition, lowest_cost(graph, costs, condition))
    satisfy_held(graph, costs, heap, levels, held)
    for course in fresh:
        if costs.closure_cost[course] < UNREACHABLE:
            satisfy(graph, costs.condition_cost, heap, wide(course), costs.closure_cost[course])
    relax(graph, costs, heap, ADDING)


@jit()
def lowest_cost(graph: PrerequisiteGraph, costs: Costs, condition: int) -> int:
    """Return the lowest current cost of satisfying a condition, in micro-hours; UNREACHABLE if nothing does."""
    row, best = graph.conditions[condition], UNREACHABLE
    if row["skill"] >= 0:
        for place in range(graph.skills[row["skill"]]["teacher"], graph.skills[row["skill"] + 1]["teacher"]):
            if graph.teachers[place]["level"] >= row["level"]:
                best = min(best, costs.closure_cost[graph.teachers[place]["course"]])
    if row["course"] >= 0:
        best = min(best, costs.closure_cost[row["course"]])
    for branch in range(row["first_branch"], row["last_branch"]):
        best = min(best, branch_cost(graph, costs.condition_cost, wide(branch), ADDING))
    return int(best)


@jit(allocates=True)
def invalidate(graph: PrerequisiteGraph, changed: Ints, costs: Costs) -> Ints:
    """Set every condition whose cost may depend on the courses `changed` to UNREACHABLE, and cost courses accordingly.

    Returns (n,) the numbers of the affected courses.
    """
    count, condition_cost = len(costs.cost), costs.condition_cost
    affected, unmet = np.zeros(count, np.bool_), np.zeros(len(condition_cost), np.bool_)
    courses, conditions = np.empty(count, np.int32), np.empty(len(condition_cost), np.int64)
    looked = found = seen = opened = ZERO
    for course in changed:
        if not affected[course]:
            affected[course] = True
            courses[found] = course
            found += 1
    while looked < found or seen < opened:
        if looked < found:
            opened = mark_dependents(graph, costs, courses[looked], unmet, conditions, opened)
            looked += 1
            continue
        condition = conditions[seen]
        seen += 1
        for place in range(graph.conditions[condition]["consumer"], graph.conditions[condition + 1]["consumer"]):
            consumer = graph.consumers[place]
            if consumer >= BRANCH:
                other = graph.branches[consumer - BRANCH]["condition"]
                cost = branch_cost(graph, condition_cost, consumer - BRANCH, ADDING)
                if not unmet[other] and condition_cost[other] < UNREACHABLE and cost == condition_cost[other]:
                    unmet[other] = True
                    conditions[opened] = other
                    opened += 1
                continue
            course = consumer if consumer >= 0 else ~consumer
            if not affected[course]:
                affected[course] = True
                courses[found] = course
                found += 1
    for place in range(opened):
        condition_cost[conditions[place]] = UNREACHABLE
    for course in courses[:found]:
        sum_condition_costs(graph, costs, wide(course))
    return courses[:found]


@jit()
def mark_dependents(
    graph: PrerequisiteGraph, costs: Costs, course: int, unmet: Flags, conditions: Longs, opened: int
) -> int:
    """Mark the conditions whose cost may come from this course, because both cost the same.

    `unmet`: (M,) which conditions are marked; the first `opened` of `conditions` are their numbers. Returns the new
    number of marked conditions.
    """
    total = costs.closure_cost[course]
    if total >= UNREACHABLE:
        return opened
    for row in range(graph.courses[course]["row"], graph.courses[course + 1]["row"]):
        skill = graph.rows[row]["skill"]
        for place in range(graph.skills[skill]["level"], graph.skills[skill + 1]["level"]):
            condition = graph.level_index[place]
            if graph.conditions[condition]["level"] > graph.rows[row]["high"]:
                break
            if not unmet[condition] and costs.condition_cost[condition] == total:
                unmet[condition] = True
                conditions[opened] = condition
                opened += 1
    own = graph.courses[course]["own_condition"]
    if own >= 0 and not unmet[own] and costs.condition_cost[own] == total:
        unmet[own] = True
        conditions[opened] = own
        opened += 1
    return opened
