"""Match: out of the whole catalog, the courses that one officer's plan weighs, and what leads to them.

The inverted index gives every course that teaches a gap skill beyond the level held, or may do so by its description.
The candidates are the cheapest of them per gap and level, confirmed and unconfirmed ones apart, and those of the
highest value per closure cost. The instance adds the alternatives that satisfy their conditions at about the lowest
cost, recursively.
"""

import numpy as np

from services.recommender.planner.index.graph import (
    PrerequisiteGraph,
)
from services.recommender.planner.index.segment import (
    Ints,
    Longs,
)
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import ZERO, jit, wide
from services.recommender.planner.optimizer.closure_cost import (
    Costs,
    score_of,
)
from services.recommender.planner.optimizer.query import Query
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE

TOP_BY_COST = PARAMS.top_by_cost
TOP_BY_DENSITY = PARAMS.top_by_density
FLAT_EXPONENT = PARAMS.flat_exponent


@jit
def shortlist(graph: PrerequisiteGraph, query: Query, costs: Costs) -> Ints:
    """Return the candidates, by number."""
    teacher_starts, teachers, current_level, skills = (
        graph.teacher_starts,
        graph.teachers,
        query.current_level,
        query.skills,
    )
    seen = np.zeros(len(graph.hours), np.bool_)
    found, count = np.empty(len(graph.hours), np.int32), 0
    for skill in range(min(len(skills), len(teacher_starts) - 1)):
        gap = skills[skill]["gap"]
        for place in range(teacher_starts[skill], teacher_starts[skill + 1] if gap >= 0 else 0):
            course = teachers[place]["course"]
            if (
                teachers[place]["level"] > current_level[gap]
                and not seen[course]
                and costs.closure_cost[course] < UNREACHABLE
            ):
                seen[course] = True
                found[count] = course
                count += 1
    for row in range(len(query.unconfirmed)):
        course = np.int32(query.unconfirmed[row]["course"])
        if not seen[course] and costs.closure_cost[course] < UNREACHABLE:
            seen[course] = True
            found[count] = course
            count += 1
    weighed = top_candidates(graph, query, costs, found[:count])
    seen[:] = False
    for course in weighed:
        if course >= 0:
            seen[course] = True
    return np.flatnonzero(seen).astype(np.int32)


@jit
def top_candidates(graph: PrerequisiteGraph, query: Query, costs: Costs, candidates: Ints) -> Ints:
    """Return the cheapest courses per gap and level, and those of the highest value per cost; -1 where there are none.

    A course may be in several of these lists.
    """
    begins, rows, rank, closure_cost = graph.begins, graph.rows, graph.rank, costs.closure_cost
    skills, level_values, starts, current_level = query.skills, query.level_values, query.begins, query.current_level
    least, cheapest = (
        np.full((len(level_values), TOP_BY_COST), UNREACHABLE, np.int64),
        np.full((len(level_values), TOP_BY_COST), -1, np.int32),
    )
    unconfirmed = query.unconfirmed
    groups = unconfirmed["group"].max() + 1 if len(unconfirmed) else 0
    least_matched, cheapest_matched = (
        np.full((groups, TOP_BY_COST), UNREACHABLE, np.int64),
        np.full((groups, TOP_BY_COST), -1, np.int32),
    )
    score, worthiest = np.zeros((2, TOP_BY_DENSITY), np.int64), np.full((2, TOP_BY_DENSITY), -1, np.int32)
    for course in candidates:
        value = ZERO
        for row in range(begins[course]["row"], begins[course + 1]["row"]):
            gap, high = skills[rows[row]["skill"]]["gap"], rows[row]["high"]
            if gap < 0 or high <= current_level[gap]:
                continue
            for top in range(starts[gap], starts[gap + 1]):
                if level_values[top]["level"] == high and level_values[top]["value"] > 0:
                    value += level_values[top]["value"]
                    if closure_cost[course] <= least[top, TOP_BY_COST - 1]:
                        insert_topk(least[top], cheapest[top], rank, closure_cost[course], wide(course))
        for place in range(first_of(unconfirmed, course), first_of(unconfirmed, course + 1)):
            group = unconfirmed[place]["group"]
            value += unconfirmed[place]["value"]
            if closure_cost[course] <= least_matched[group, TOP_BY_COST - 1]:
                insert_topk(least_matched[group], cheapest_matched[group], rank, closure_cost[course], wide(course))
        for by in range(2 if value else 0):
            key = -score_of(value, closure_cost[course], FLAT_EXPONENT if by else 1.0)
            if key <= score[by, TOP_BY_DENSITY - 1]:
                insert_topk(score[by], worthiest[by], rank, key, wide(course))
    return np.concatenate((cheapest.ravel(), cheapest_matched.ravel(), worthiest.ravel()))


@jit
def first_of(rows: Records, course: int) -> int:
    """Return the first place in rows by course where those of a course, or of a later one, begin."""
    low, high = ZERO, wide(len(rows))
    while low < high:
        middle = (low + high) // 2
        if rows[middle]["course"] < course:
            low = middle + 1
        else:
            high = middle
    return int(low)


@jit
def insert_topk(keys: Longs, courses: Ints, rank: Longs, key: int, course: int) -> None:
    """Enter a course in a list of the least keys, equals by rank, if it is among them."""
    place = len(keys)
    while place > 0 and (
        key < keys[place - 1]
        or (key == keys[place - 1] and (courses[place - 1] < 0 or rank[course] < rank[courses[place - 1]]))
    ):
        place -= 1
        if place + 1 < len(keys):
            keys[place + 1], courses[place + 1] = keys[place], courses[place]
    if place < len(keys):
        keys[place], courses[place] = key, course
