"""Closure cost: what every course costs one officer together with the cheapest courses that satisfy its conditions.

    closure_cost(course)      = its cost + the cost of each of its conditions
    condition_cost(condition) = 0 where it holds, else the lowest closure cost of what satisfies it;
                                a branch costs the sum of its conditions

These are the costs of the additive relaxation (h_add): shortest hyperpaths of the prerequisite graph, found in Dijkstra
order, so that circles and missing prerequisites stay UNREACHABLE. They are computed once per catalog and cost profile
for an officer who holds nothing. An officer's own costs are derived from them: costs that depend on a changed course
are invalidated and recomputed, and conditions that the officer meets decrease to 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO
from services.recommender.planner.index.graph import (
    PrerequisiteGraph,
)
from services.recommender.planner.index.segment import (
    Ints,
    Longs,
)
from services.recommender.planner.jit import ZERO, jit, wide
from services.recommender.planner.units import FORBIDDEN, UNREACHABLE

Flags = NDArray[np.bool_]


class Costs(NamedTuple):
    """Costs in micro-hours."""

    cost: Longs
    """(N,): of each course by itself; 0 where it must not be used."""
    closure_cost: Longs
    """(N,): of each course with its prerequisites."""
    condition_cost: Longs
    """(M,): of satisfying each condition."""


class Heap(NamedTuple):
    """A binary heap of conditions whose cost decreased, the lowest cost first."""

    conditions: Longs
    """The heap."""
    place: Longs
    """(M,): where each condition is in the heap, or -1."""
    previous_cost: Longs
    """(M,): the cost that the consumers of a condition in the heap were computed with."""
    size: Longs
    """(1,): conditions in the heap."""


@jit
def score_of(gain: int, cost: int, exponent: float) -> int:
    """Return micro-levels per hour, the hours to the power of an exponent."""
    if exponent == 1.0:
        return gain * MICRO // cost
    return gain * MICRO // max(int(MICRO * (cost / MICRO) ** exponent + 0.5), 1)


@jit
def branch_cost(graph: PrerequisiteGraph, condition_cost: Longs, branch: int) -> int:
    """Return the cost of all conditions of a branch."""
    total = 0
    for place in range(graph.branch_starts[branch], graph.branch_starts[branch + 1]):
        total = min(total + condition_cost[graph.branch_conditions[place]], UNREACHABLE)
    return total


@jit
def decrease(condition_cost: Longs, heap: Heap, condition: int, total: int) -> None:
    """Lower the cost of a condition to `total`, if it is lower, and queue the condition."""
    if total >= condition_cost[condition]:
        return
    at = heap.place[condition]
    if at < 0:
        at = heap.size[0]
        heap.size[0] += 1
        heap.previous_cost[condition] = condition_cost[condition]
    condition_cost[condition] = total
    while at > 0 and condition_cost[heap.conditions[(at - 1) >> 1]] > total:
        heap.conditions[at] = heap.conditions[(at - 1) >> 1]
        heap.place[heap.conditions[at]] = at
        at = (at - 1) >> 1
    heap.conditions[at], heap.place[condition] = condition, at


@jit
def pop_cheapest(condition_cost: Longs, heap: Heap) -> int:
    """Remove the condition of lowest cost from the heap and return it."""
    conditions, place = heap.conditions, heap.place
    least = conditions[0]
    place[least] = -1
    heap.size[0] -= 1
    size = heap.size[0]
    if size:
        last, at = conditions[size], 0
        while 2 * at + 1 < size:
            child = 2 * at + 1
            if child + 1 < size and condition_cost[conditions[child + 1]] < condition_cost[conditions[child]]:
                child += 1
            if condition_cost[conditions[child]] >= condition_cost[last]:
                break
            conditions[at] = conditions[child]
            place[conditions[at]] = at
            at = child
        conditions[at], place[last] = last, at
    return int(least)


@jit
def relax(graph: PrerequisiteGraph, ours: Flags, costs: Costs, heap: Heap, fresh: Ints) -> None:
    """Propagate the costs of `fresh` courses, in Dijkstra order, until no condition gets cheaper."""
    closure_cost, condition_cost, size, previous_cost = (
        costs.closure_cost,
        costs.condition_cost,
        heap.size,
        heap.previous_cost,
    )
    begins, rows, condition_table, course_condition = (
        graph.begins,
        graph.rows,
        graph.condition_table,
        graph.course_condition,
    )
    level_index_starts, level_index = graph.level_index_starts, graph.level_index
    consumer_starts, consumers, branch_holder_starts, branch_holders, branch_condition = (
        graph.consumer_starts,
        graph.consumers,
        graph.branch_holder_starts,
        graph.branch_holders,
        graph.branch_condition,
    )
    queue = np.empty(max(len(closure_cost), len(fresh)), np.int32)
    queue[: len(fresh)] = fresh
    count, change = len(fresh), 0
    while True:
        for course in queue[:count]:
            closure_cost[course] += change
            total = closure_cost[course]
            if total >= UNREACHABLE:
                continue
            for row in range(begins[course]["row"], begins[course + 1]["row"]):
                first, place = level_index_starts[rows[row]["skill"]], level_index_starts[rows[row]["skill"] + 1] - 1
                while place >= first and condition_table[level_index[place]]["level"] > rows[row]["high"]:
                    place -= 1
                while place >= first and total < condition_cost[level_index[place]]:  # a lower level never costs more
                    decrease(condition_cost, heap, wide(level_index[place]), total)
                    place -= 1
            if course_condition[course] >= 0 and total < condition_cost[course_condition[course]]:
                decrease(condition_cost, heap, wide(course_condition[course]), total)
        if size[0] == 0:
            break
        condition, count = pop_cheapest(condition_cost, heap), 0
        change = condition_cost[condition] - previous_cost[condition]
        mine = condition_table[condition]["skill"] >= 0 and ours[condition_table[condition]["skill"]]
        for place in range(consumer_starts[condition], consumer_starts[condition + 1]):
            if consumers[place] >= 0 or mine:
                queue[count] = consumers[place] if consumers[place] >= 0 else ~consumers[place]
                count += 1
        for place in range(branch_holder_starts[condition], branch_holder_starts[condition + 1]):
            decrease(
                condition_cost,
                heap,
                wide(branch_condition[branch_holders[place]]),
                branch_cost(graph, condition_cost, branch_holders[place]),
            )


@jit
def sum_condition_costs(graph: PrerequisiteGraph, ours: Flags, costs: Costs, courses: Ints) -> None:
    """Set closure costs to the sum of the conditions, each once; a `from` counts on the officer's framework only."""
    begins, rows, requires = graph.begins, graph.rows, graph.requires
    cost, closure_cost, condition_cost = costs.cost, costs.closure_cost, costs.condition_cost
    for course in courses:
        first, last = begins[course]["row"], begins[course + 1]["row"]
        closure_cost[course] = cost[course] or FORBIDDEN
        for row in range(first, last):
            if rows[row]["entry"] >= 0 and ours[rows[row]["skill"]]:
                closure_cost[course] += condition_cost[rows[row]["entry"]]
        for place in range(begins[course]["condition"], begins[course + 1]["condition"]):
            condition, twice = requires[place], False
            for row in range(first, last):
                twice = twice or (rows[row]["entry"] == condition and ours[rows[row]["skill"]])
            closure_cost[course] += 0 if twice else condition_cost[condition]


@jit
def empty_heap(conditions: int) -> Heap:
    """Return an empty heap for so many conditions."""
    return Heap(
        np.empty(conditions, np.int64),
        np.full(conditions, -1, np.int64),
        np.empty(conditions, np.int64),
        np.zeros(1, np.int64),
    )


@jit
def base_costs(graph: PrerequisiteGraph, ours: Flags, cost: Longs) -> Costs:
    """Return the costs for an officer who holds nothing."""
    courses, conditions = len(cost), len(graph.condition_table)
    costs = Costs(cost, np.empty(courses, np.int64), np.full(conditions, UNREACHABLE, np.int64))
    heap = empty_heap(len(graph.condition_table))
    everything = np.arange(courses, dtype=np.int32)
    sum_condition_costs(graph, ours, costs, everything)
    relax(graph, ours, costs, heap, everything)
    return costs


@jit
def specialise(
    graph: PrerequisiteGraph, ours: Flags, entry_levels: Longs, held: Ints, changed: Ints, known: int, costs: Costs
) -> None:
    """Turn the costs for an officer who holds nothing into those of one officer, in place.

    `entry_levels`: micro-level per skill; `held`: conditions that hold; `changed`: courses that are new or cost another
    amount; `known`: how many conditions had a cost before.
    """
    heap = empty_heap(len(graph.condition_table))
    fresh = invalidate(graph, ours, changed, costs, heap) if len(changed) else changed
    for condition in range(known, len(graph.condition_table)):
        decrease(costs.condition_cost, heap, condition, cheapest_achiever(graph, costs, condition))
    for condition in held:
        decrease(costs.condition_cost, heap, wide(condition), ZERO)
    for skill in range(min(len(entry_levels), len(graph.level_index_starts) - 1)):
        if entry_levels[skill] > 0:
            for place in range(graph.level_index_starts[skill], graph.level_index_starts[skill + 1]):
                if graph.condition_table[graph.level_index[place]]["level"] > entry_levels[skill]:
                    break
                decrease(costs.condition_cost, heap, wide(graph.level_index[place]), ZERO)
    relax(graph, ours, costs, heap, fresh)


@jit
def cheapest_achiever(graph: PrerequisiteGraph, costs: Costs, condition: int) -> int:
    """Return the lowest current cost of satisfying a condition; UNREACHABLE if nothing does."""
    best, skill = UNREACHABLE, graph.condition_table[condition]["skill"]
    if skill >= 0 and skill + 1 < len(graph.teacher_starts):
        for place in range(graph.teacher_starts[skill], graph.teacher_starts[skill + 1]):
            if graph.teachers[place]["level"] >= graph.condition_table[condition]["level"]:
                best = min(best, costs.closure_cost[graph.teachers[place]["course"]])
    if graph.condition_table[condition]["course"] >= 0:
        best = min(best, costs.closure_cost[graph.condition_table[condition]["course"]])
    for branch in range(
        graph.condition_table[condition]["first_branch"], graph.condition_table[condition]["last_branch"]
    ):
        best = min(best, branch_cost(graph, costs.condition_cost, branch))
    return int(best)


@jit
def invalidate(graph: PrerequisiteGraph, ours: Flags, changed: Ints, costs: Costs, heap: Heap) -> Ints:
    """Invalidate every cost that may depend on `changed`, recompute it from the others, and return the courses."""
    count, condition_cost = len(costs.closure_cost), costs.condition_cost
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
        for place in range(graph.consumer_starts[condition], graph.consumer_starts[condition + 1]):
            course = graph.consumers[place] if graph.consumers[place] >= 0 else ~graph.consumers[place]
            if not affected[course]:
                affected[course] = True
                courses[found] = course
                found += 1
        for place in range(graph.branch_holder_starts[condition], graph.branch_holder_starts[condition + 1]):
            other = graph.branch_condition[graph.branch_holders[place]]
            if (
                not unmet[other]
                and condition_cost[other] < UNREACHABLE
                and branch_cost(graph, condition_cost, graph.branch_holders[place]) == condition_cost[other]
            ):
                unmet[other] = True
                conditions[opened] = other
                opened += 1
    for place in range(opened):
        condition_cost[conditions[place]] = UNREACHABLE
    sum_condition_costs(graph, ours, costs, courses[:found])
    for place in range(opened):
        decrease(condition_cost, heap, conditions[place], cheapest_achiever(graph, costs, conditions[place]))
    return courses[:found]


@jit
def mark_dependents(
    graph: PrerequisiteGraph, costs: Costs, course: int, unmet: Flags, conditions: Longs, opened: int
) -> int:
    """Mark the conditions whose cost may be that of a course; return how many are marked so far."""
    total = costs.closure_cost[course]
    if total >= UNREACHABLE:
        return opened
    for row in range(graph.begins[course]["row"], graph.begins[course + 1]["row"]):
        skill = graph.rows[row]["skill"]
        for place in range(graph.level_index_starts[skill], graph.level_index_starts[skill + 1]):
            condition = graph.level_index[place]
            if graph.condition_table[condition]["level"] > graph.rows[row]["high"]:
                break
            if not unmet[condition] and costs.condition_cost[condition] == total:
                unmet[condition] = True
                conditions[opened] = condition
                opened += 1
    condition = graph.course_condition[course]
    if condition >= 0 and not unmet[condition] and costs.condition_cost[condition] == total:
        unmet[condition] = True
        conditions[opened] = condition
        opened += 1
    return opened


@jit
def costs_from(
    graph: PrerequisiteGraph, ours: Flags, entry_levels: Longs, held: Ints, adding: int, costs: Costs
) -> None:
    """Compute all costs from one state; each course once, when the costs of all its conditions are final.

    `entry_levels`: micro-level per skill; `held`: conditions that hold. `adding` 1: the sum of the conditions (h_add),
    as elsewhere here; 0: only the dearest condition (h_max), a lower bound of the cost of any closure.
    """
    cost, closure_cost, condition_cost = costs.cost, costs.closure_cost, costs.condition_cost
    condition_cost[:] = UNREACHABLE
    heap, lacking, behind = (
        empty_heap(len(condition_cost)),
        np.zeros(len(closure_cost), np.int64),
        np.zeros(len(closure_cost), np.int64),
    )
    for condition in range(len(condition_cost)):
        mine = graph.condition_table[condition]["skill"] >= 0 and ours[graph.condition_table[condition]["skill"]]
        for place in range(graph.consumer_starts[condition], graph.consumer_starts[condition + 1]):
            if graph.consumers[place] >= 0 or mine:
                lacking[graph.consumers[place] if graph.consumers[place] >= 0 else ~graph.consumers[place]] += 1
    for condition in held:
        decrease(condition_cost, heap, wide(condition), ZERO)
    for skill in range(min(len(entry_levels), len(graph.level_index_starts) - 1)):
        for place in range(graph.level_index_starts[skill], graph.level_index_starts[skill + 1]):
            if graph.condition_table[graph.level_index[place]]["level"] > entry_levels[skill]:
                break
            decrease(condition_cost, heap, wide(graph.level_index[place]), ZERO)
    for course in range(len(closure_cost)):
        closure_cost[course] = UNREACHABLE if cost[course] else FORBIDDEN
        if cost[course] and not lacking[course]:
            closure_cost[course] = cost[course]
            offer_cost(graph, condition_cost, heap, wide(course), closure_cost[course])
    while heap.size[0]:
        condition = pop_cheapest(condition_cost, heap)
        mine = graph.condition_table[condition]["skill"] >= 0 and ours[graph.condition_table[condition]["skill"]]
        for place in range(graph.consumer_starts[condition], graph.consumer_starts[condition + 1]):
            if graph.consumers[place] >= 0 or mine:
                course = graph.consumers[place] if graph.consumers[place] >= 0 else ~graph.consumers[place]
                lacking[course] -= 1
                behind[course] = (
                    behind[course] + condition_cost[condition]
                    if adding
                    else max(behind[course], condition_cost[condition])
                )
                if cost[course] and not lacking[course]:
                    closure_cost[course] = min(behind[course] + cost[course], UNREACHABLE)
                    offer_cost(graph, condition_cost, heap, wide(course), closure_cost[course])
        for place in range(graph.branch_holder_starts[condition], graph.branch_holder_starts[condition + 1]):
            branch, total = graph.branch_holders[place], ZERO
            for branch_conditions in range(graph.branch_starts[branch], graph.branch_starts[branch + 1]):
                one = condition_cost[graph.branch_conditions[branch_conditions]]
                total = min(total + one, UNREACHABLE) if adding else max(total, one)
            decrease(condition_cost, heap, wide(graph.branch_condition[branch]), total)
    if adding:
        sum_condition_costs(graph, ours, costs, np.arange(len(closure_cost), dtype=np.int32))


@jit
def offer_cost(graph: PrerequisiteGraph, condition_cost: Longs, heap: Heap, course: int, total: int) -> None:
    """Lower the conditions that a course satisfies to `total`."""
    for row in range(graph.begins[course]["row"], graph.begins[course + 1]["row"]):
        first, place = (
            graph.level_index_starts[graph.rows[row]["skill"]],
            graph.level_index_starts[graph.rows[row]["skill"] + 1] - 1,
        )
        while place >= first and graph.condition_table[graph.level_index[place]]["level"] > graph.rows[row]["high"]:
            place -= 1
        while place >= first and total < condition_cost[graph.level_index[place]]:  # a lower level never costs more
            decrease(condition_cost, heap, wide(graph.level_index[place]), total)
            place -= 1
    if graph.course_condition[course] >= 0:
        decrease(condition_cost, heap, wide(graph.course_condition[course]), total)
