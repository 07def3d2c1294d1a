"""One officer's problem instance: alternatives, conditions, and the adjacency between them.

An AND-OR graph. An *alternative* (AND node) requires all of its conditions: a course, or a branch of an `any`, which
costs nothing. A *condition* (OR node) is satisfied by any one of its alternatives, or by the officer's own state.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from services.recommender.planner.index.graph import (
    ANY_FIRST,
    ANY_LAST,
    ASKED_LEVEL,
    ASKED_SKILL,
    FIRST_NEED,
    FIRST_ROW,
    ONLY,
    PrerequisiteGraph,
)
from services.recommender.planner.index.segment import (
    ENTRY,
    HIGH,
    LOW,
    SKILL,
    Ints,
    Longs,
    Table,
)
from services.recommender.planner.jit import ZERO, jit, wide
from services.recommender.planner.optimizer.candidates import insert_topk, shortlist
from services.recommender.planner.optimizer.closure_cost import Costs, branch_cost, score_of
from services.recommender.planner.optimizer.query import (
    ENTRY_LEVEL,
    GAP,
    IN_FRAMEWORK,
    Query,
)
from services.recommender.planner.units import UNREACHABLE

COST_TOLERANCE = 4
"""An alternative is kept for a condition if it costs at most one part in so many more than the cheapest one, or is
the shortest course."""

MAX_SHARED = 24
"""So many courses more that cost less than the cheapest alternatives of the conditions that they meet together."""

BRANCH, NUMBER, COST, HOURS, RANK, COSINE, NEEDS, NEEDS_END, LIFTS, LIFTS_END, GAINS, GAINS_END = range(12)
MEETS, MEETS_END, OWN_NEED, WAY_COLUMNS = range(12, 16)
ASKED, LEVEL, COURSE, WAYS, WAYS_END, ANY, USERS, USERS_END, NEXT, NEED_COLUMNS = range(10)
HOURS_LEFT, STEPS_LEFT = 0, 1
HELD, DOORS, STATUS, PRICES, REACH, END = range(6)


class ProblemData(NamedTuple):
    """An instance. Costs and hours in micro-hours, levels in micro-levels, ids as ranks."""

    alternatives: Longs
    """Per row: BRANCH, NUMBER, COST, HOURS, RANK, COSINE (millionths), where its lists in `adjacency` begin and
    end: NEEDS (conditions), LIFTS (skill, level), GAINS (gap, value), MEETS (conditions that it satisfies); and
    OWN_NEED, the condition that asks for this course, or -1."""
    conditions: Longs
    """Per row: ASKED (skill) and LEVEL, or COURSE (row); WAYS (alternatives); ANY: 1 where those are branches; USERS
    (consumers); NEXT condition on the same skill."""
    adjacency: Longs
    """All lists, end to end."""
    at: Longs
    """Where the parts of a state begin: HELD values, DOORS (levels), STATUS, PRICES and REACH (costs), END."""
    entry_levels: Longs
    """Per skill: the level before the path."""
    first_condition: Longs
    """Per skill: its first condition, or -1."""


class _Draft(NamedTuple):
    """Growing tables, and the row of each alternative and condition of the graph in them (-1: none)."""

    alternatives: Longs
    conditions: Longs
    adjacency: Longs
    alternative_at: Longs
    condition_at: Longs
    sizes: Longs


WAY_COUNT, NEED_COUNT, LINK_COUNT = range(3)


@jit
def build_instance(graph: PrerequisiteGraph, query: Query, costs: Costs) -> ProblemData:
    """Return the instance of one officer: candidates, forced courses, and what satisfies their conditions."""
    courses, numbers = len(graph.hours), len(graph.hours) + len(graph.branch_condition)
    draft = _Draft(
        np.zeros((256, WAY_COLUMNS), np.int64), np.zeros((128, NEED_COLUMNS), np.int64), np.empty(8192, np.int64),
        np.full(numbers, -1, np.int64), np.full(len(graph.condition_table), -1, np.int64), np.zeros(3, np.int64),
    )  # fmt: skip
    for course in shortlist(graph, query, costs):
        draft = place_alternative(draft, wide(course))
    for course in query.forced:
        if costs.cost[course] > 0:
            draft = place_alternative(draft, wide(course))
    levels = forced_levels(graph, query, costs)
    draft = expand(graph, query, costs, levels, draft, ZERO, ZERO)
    looked, opened = draft.sizes[WAY_COUNT], draft.sizes[NEED_COUNT]
    for course in shared_prerequisites(graph, query, costs, draft):
        draft = place_alternative(draft, wide(course))
    draft = expand(graph, query, costs, levels, draft, looked, opened)
    looked, opened = draft.sizes[WAY_COUNT], draft.sizes[NEED_COUNT]
    alternatives, conditions = draft.alternatives[:looked], draft.conditions[:opened]
    skill_at, entry_levels = resolve_conditions(graph, query, draft, conditions)
    for alternative in range(looked):
        if alternatives[alternative, NUMBER] >= courses:
            alternatives[alternative, BRANCH], alternatives[alternative, RANK] = (
                1,
                UNREACHABLE + alternatives[alternative, NUMBER],
            )
        else:
            draft = link_course(graph, query, costs, draft, skill_at, alternative)
    first_condition = index_levels(conditions, len(entry_levels))
    draft = link_levels(draft, alternatives, conditions, first_condition)
    adjacency = add_reverse_edges(alternatives, conditions, draft.adjacency[: draft.sizes[LINK_COUNT]])
    sizes = np.array([2, len(query.current_level), len(entry_levels), looked, looked, opened])
    return ProblemData(alternatives, conditions, adjacency, np.cumsum(sizes), entry_levels, first_condition)


@jit
def expand(
    graph: PrerequisiteGraph, query: Query, costs: Costs, levels: Longs, draft: _Draft, looked: int, opened: int
) -> _Draft:
    """Return the draft with what leads to its alternatives from row `looked` on, its conditions from `opened` on."""
    found, asked = np.empty(len(draft.alternative_at), np.int64), np.empty(len(graph.condition_table), np.int64)
    while looked < draft.sizes[WAY_COUNT]:
        number = draft.alternatives[looked, NUMBER]
        draft = link_conditions(
            draft, looked, asked[: conditions_of(graph, query, costs.condition_cost, number, asked)]
        )
        looked += 1
        while opened < draft.sizes[NEED_COUNT]:
            condition = draft.conditions[opened, ASKED]
            draft = link_alternatives(
                draft, opened, found[: alternatives_of(graph, query, costs, levels, condition, found)]
            )
            opened += 1
    return draft


@jit
def shared_prerequisites(graph: PrerequisiteGraph, query: Query, costs: Costs, draft: _Draft) -> Ints:
    """Return courses outside a draft that cost less than the cheapest alternatives of all conditions that they meet.

    At most `MAX_SHARED`, those that save most for their cost. A course of them costs itself and those of its conditions
    that the draft does not have: what the draft has is met for others anyway.
    """
    condition_table, starts, teachers, condition_cost = (
        graph.condition_table, graph.teacher_starts, graph.teachers, costs.condition_cost,
    )  # fmt: skip
    saved, total, asked = np.zeros(len(graph.hours), np.int64), ZERO, np.empty(len(condition_table), np.int64)
    levels = np.empty(draft.sizes[NEED_COUNT], np.int64)
    count = ZERO
    for row in range(draft.sizes[NEED_COUNT]):
        condition = draft.conditions[row, ASKED]
        taught = 0 <= condition_table[condition, ASKED_SKILL] < len(starts) - 1
        if taught and 0 < condition_cost[condition] < UNREACHABLE:
            levels[count] = condition
            total += condition_cost[condition]
            count += 1
    for condition in levels[:count]:
        skill, level = condition_table[condition, ASKED_SKILL], condition_table[condition, ASKED_LEVEL]
        for place in range(starts[skill], starts[skill + 1]):
            course = teachers[place, 0]
            if graph.hours[course] * query.min_factor > total:
                break
            if teachers[place, 1] >= level and costs.closure_cost[course] < UNREACHABLE:
                saved[course] += condition_cost[condition]
    values, best = np.zeros(MAX_SHARED, np.int64), np.full(MAX_SHARED, -1, np.int32)
    for found in np.flatnonzero(saved):
        course = wide(found)
        if draft.alternative_at[course] < 0:
            spent = costs.cost[course]
            for condition in asked[: conditions_of(graph, query, condition_cost, course, asked)]:
                if draft.condition_at[condition] < 0:
                    spent += condition_cost[condition]
            if spent < saved[course]:
                insert_topk(values, best, graph.rank, -score_of(saved[course], spent, 1.0), course)
    return best[best >= 0]


@jit
def link_levels(draft: _Draft, alternatives: Longs, conditions: Longs, first_condition: Longs) -> _Draft:
    """Return the draft with every course linked to all levels that it meets, whatever it costs."""
    counts, adjacency = np.zeros(len(conditions), np.int64), draft.adjacency
    for filling in range(2):
        for alternative in range(len(alternatives)):
            for place in range(alternatives[alternative, LIFTS], alternatives[alternative, LIFTS_END], 2):
                condition = first_condition[adjacency[place]]
                while condition >= 0:
                    if conditions[condition, LEVEL] <= adjacency[place + 1]:
                        if filling:
                            adjacency[conditions[condition, WAYS] + counts[condition]] = alternative
                        counts[condition] += 1
                    condition = conditions[condition, NEXT]
        if not filling:
            adjacency, end = room_for(draft, counts.sum()), draft.sizes[LINK_COUNT]
            for condition in range(len(conditions)):
                if conditions[condition, ASKED] >= 0:
                    conditions[condition, WAYS], end = end, end + counts[condition]
                    conditions[condition, WAYS_END] = end
            draft.sizes[LINK_COUNT] = end
            counts[:] = 0
    return _Draft(
        draft.alternatives, draft.conditions, adjacency, draft.alternative_at, draft.condition_at, draft.sizes
    )


@jit
def add_reverse_edges(alternatives: Longs, conditions: Longs, adjacency: Longs) -> Longs:
    """Return the adjacency with the reverse edges appended: consumers of conditions, conditions of alternatives."""
    end = len(adjacency)
    total = (alternatives[:, NEEDS_END] - alternatives[:, NEEDS]).sum() + (
        conditions[:, WAYS_END] - conditions[:, WAYS]
    ).sum()
    longer = np.empty(end + total, np.int64)
    longer[:end] = adjacency
    for alternative in range(len(alternatives)):
        for place in range(alternatives[alternative, NEEDS], alternatives[alternative, NEEDS_END]):
            conditions[adjacency[place], USERS_END] += 1
    for condition in range(len(conditions)):
        for place in range(conditions[condition, WAYS], conditions[condition, WAYS_END]):
            alternatives[adjacency[place], MEETS_END] += 1
    for condition in range(len(conditions)):
        conditions[condition, USERS], end = end, end + conditions[condition, USERS_END]
        conditions[condition, USERS_END] = conditions[condition, USERS]
    for alternative in range(len(alternatives)):
        alternatives[alternative, MEETS], end = end, end + alternatives[alternative, MEETS_END]
        alternatives[alternative, MEETS_END] = alternatives[alternative, MEETS]
    for alternative in range(len(alternatives)):
        for place in range(alternatives[alternative, NEEDS], alternatives[alternative, NEEDS_END]):
            condition = adjacency[place]
            longer[conditions[condition, USERS_END]] = alternative
            conditions[condition, USERS_END] += 1
    for condition in range(len(conditions)):
        for place in range(conditions[condition, WAYS], conditions[condition, WAYS_END]):
            alternative = adjacency[place]
            longer[alternatives[alternative, MEETS_END]] = condition
            alternatives[alternative, MEETS_END] += 1
    alternatives[:, OWN_NEED] = -1
    for condition in range(len(conditions)):
        if conditions[condition, COURSE] >= 0:
            alternatives[conditions[condition, COURSE], OWN_NEED] = condition
    return longer


@jit
def index_levels(conditions: Longs, skills: int) -> Longs:
    """Chain the conditions on each skill; return the first of each chain, or -1."""
    first = np.full(skills, -1, np.int64)
    for condition in range(len(conditions)):
        if conditions[condition, ASKED] >= 0:
            conditions[condition, NEXT] = first[conditions[condition, ASKED]]
            first[conditions[condition, ASKED]] = condition
    return first


@jit
def place_alternative(draft: _Draft, number: int) -> _Draft:
    """Return the draft with an alternative, added once."""
    alternatives, count = draft.alternatives, draft.sizes[WAY_COUNT]
    if draft.alternative_at[number] < 0:
        if count == len(alternatives):
            alternatives = np.concatenate((alternatives, np.zeros_like(alternatives)))
        alternatives[count, NUMBER] = number
        draft.alternative_at[number] = count
        draft.sizes[WAY_COUNT] += 1
    return _Draft(
        alternatives, draft.conditions, draft.adjacency, draft.alternative_at, draft.condition_at, draft.sizes
    )


@jit
def link_conditions(draft: _Draft, alternative: int, found: Longs) -> _Draft:
    """Return the draft with the conditions of an alternative."""
    conditions, condition_at, sizes, adjacency = (
        draft.conditions,
        draft.condition_at,
        draft.sizes,
        room_for(draft, len(found)),
    )
    draft.alternatives[alternative, NEEDS] = sizes[LINK_COUNT]
    for condition in found:
        if condition_at[condition] < 0:
            if sizes[NEED_COUNT] == len(conditions):
                conditions = np.concatenate((conditions, np.zeros_like(conditions)))
            conditions[sizes[NEED_COUNT], ASKED] = condition
            condition_at[condition] = sizes[NEED_COUNT]
            sizes[NEED_COUNT] += 1
        adjacency[sizes[LINK_COUNT]] = condition_at[condition]
        sizes[LINK_COUNT] += 1
    draft.alternatives[alternative, NEEDS_END] = sizes[LINK_COUNT]
    return _Draft(draft.alternatives, conditions, adjacency, draft.alternative_at, condition_at, sizes)


@jit
def link_alternatives(draft: _Draft, condition: int, found: Longs) -> _Draft:
    """Return the draft with the alternatives that satisfy a condition."""
    adjacency, conditions, sizes, alternative_at = (
        room_for(draft, len(found)),
        draft.conditions,
        draft.sizes,
        draft.alternative_at,
    )
    conditions[condition, WAYS], end = sizes[LINK_COUNT], sizes[LINK_COUNT]
    for alternative in found:
        if alternative_at[alternative] < 0:
            draft = place_alternative(draft, alternative)
        adjacency[end] = alternative_at[alternative]
        end += 1
    conditions[condition, WAYS_END] = sizes[LINK_COUNT] = end
    return _Draft(draft.alternatives, conditions, adjacency, alternative_at, draft.condition_at, sizes)


@jit
def room_for(draft: _Draft, more: int) -> Longs:
    """Return the adjacency with room for more."""
    adjacency, end = draft.adjacency, draft.sizes[LINK_COUNT]
    if end + more > len(adjacency):
        return np.concatenate((adjacency, np.empty(len(adjacency) + more, np.int64)))
    return adjacency


@jit
def resolve_conditions(graph: PrerequisiteGraph, query: Query, draft: _Draft, conditions: Longs) -> tuple[Longs, Longs]:
    """Fill in what each condition requires; until here its SKILL column holds its number in the graph.

    Returns the number of each skill among the required ones (-1: not required), and the levels held of these.
    """
    condition_table, skills, alternative_at = graph.condition_table, query.skills, draft.alternative_at
    skill_at, entry_levels, numbers, count = (
        np.full(len(skills), -1, np.int64),
        np.empty(len(conditions), np.int64),
        conditions[:, ASKED].copy(),
        0,
    )
    for place in range(len(conditions)):
        number = numbers[place]
        skill, only = condition_table[number, ASKED_SKILL], condition_table[number, ONLY]
        if skill >= 0 and skill_at[skill] < 0:
            skill_at[skill] = count
            entry_levels[count] = skills[skill, ENTRY_LEVEL]
            count += 1
        conditions[place, ASKED] = skill_at[skill] if skill >= 0 else -1
        conditions[place, LEVEL], conditions[place, COURSE] = (
            condition_table[number, ASKED_LEVEL],
            alternative_at[only] if only >= 0 else -1,
        )
        conditions[place, ANY] = condition_table[number, ANY_LAST] > condition_table[number, ANY_FIRST]
    return skill_at, entry_levels[:count]


@jit
def link_course(
    graph: PrerequisiteGraph, query: Query, costs: Costs, draft: _Draft, skill_at: Longs, alternative: int
) -> _Draft:
    """Return the draft with cost, level effects, gap effects and cosine of a course."""
    rows, skills, level_values, current_level, size, starts = (
        graph.rows,
        query.skills,
        query.level_values,
        query.current_level,
        query.size,
        query.begins,
    )
    row_of, course, end = (
        draft.alternatives[alternative],
        draft.alternatives[alternative, NUMBER],
        draft.sizes[LINK_COUNT],
    )
    first, last = graph.begins[course, FIRST_ROW], graph.begins[course + 1, FIRST_ROW]
    adjacency = room_for(draft, 4 * (last - first))
    row_of[COST], row_of[HOURS], row_of[RANK] = costs.cost[course], graph.hours[course], graph.rank[course]
    row_of[LIFTS] = end
    for row in range(first, last):
        skill, high = rows[row, SKILL], rows[row, HIGH]
        if skill_at[skill] >= 0 and high > skills[skill, ENTRY_LEVEL]:
            adjacency[end], adjacency[end + 1] = skill_at[skill], high
            end += 2
    row_of[LIFTS_END] = row_of[GAINS] = end
    dot = own = 0.0
    for row in range(first, last):
        skill, high = rows[row, SKILL], rows[row, HIGH]
        gap = skills[skill, GAP]
        if skills[skill, IN_FRAMEWORK]:
            gain = (high - rows[row, LOW]) / 1e6
            own += gain * gain
            dot += gain * size[gap] if gap >= 0 else 0.0
        if gap >= 0 and high > current_level[gap]:
            for top in range(starts[gap], starts[gap + 1]):
                if level_values[top, 0] == high:
                    adjacency[end], adjacency[end + 1] = gap, level_values[top, 1]
            end += 2
    row_of[GAINS_END] = end
    # To six places, so that no machine's last bit decides a tie.
    row_of[COSINE] = int(dot / (sqrt(own) * sqrt((size * size).sum())) * 1e6 + 0.5) if dot > 0 else 0
    draft.sizes[LINK_COUNT] = end
    return _Draft(
        draft.alternatives, draft.conditions, adjacency, draft.alternative_at, draft.condition_at, draft.sizes
    )


@jit
def conditions_of(graph: PrerequisiteGraph, query: Query, condition_cost: Longs, alternative: int, found: Longs) -> int:
    """Fill in the unmet conditions of a course, or of a branch (numbered past the courses); return how many."""
    courses, begins, rows, requires, skills = len(graph.hours), graph.begins, graph.rows, graph.requires, query.skills
    count = ZERO
    if alternative >= courses:
        branch_conditions, branch = graph.branch_conditions, alternative - courses
        for place in range(graph.branch_starts[branch], graph.branch_starts[branch + 1]):
            count = add_condition(
                graph.condition_table, query.met, skills, condition_cost, found, count, branch_conditions[place]
            )
        return int(count)
    condition_table, met = graph.condition_table, query.met
    for row in range(begins[alternative, FIRST_ROW], begins[alternative + 1, FIRST_ROW]):
        if rows[row, ENTRY] >= 0 and skills[rows[row, SKILL], IN_FRAMEWORK]:
            count = add_condition(condition_table, met, skills, condition_cost, found, count, rows[row, ENTRY])
    for place in range(begins[alternative, FIRST_NEED], begins[alternative + 1, FIRST_NEED]):
        count = add_condition(condition_table, met, skills, condition_cost, found, count, requires[place])
    return int(count)


@jit
def add_condition(
    condition_table: Table, met: Ints, skills: Longs, condition_cost: Longs, found: Longs, count: int, condition: int
) -> int:  # fmt: skip
    """Add a condition that does not hold before the path, once; return how many there are."""
    skill = condition_table[condition, ASKED_SKILL]
    if skill >= 0:
        if skills[skill, ENTRY_LEVEL] >= condition_table[condition, ASKED_LEVEL]:
            return count
    elif condition_table[condition, ANY_LAST] > condition_table[condition, ANY_FIRST]:
        if condition_cost[condition] == 0:
            return count
    else:
        for done in met:
            if done == condition:
                return count
    for place in range(count):
        if found[place] == condition:
            return count
    found[count] = condition
    return count + 1


@jit
def forced_levels(graph: PrerequisiteGraph, query: Query, costs: Costs) -> Longs:
    """Return per skill the level that is held, or that the forced courses lead to."""
    levels = query.skills[:, ENTRY_LEVEL].copy()
    for course in query.forced:
        if costs.cost[course] > 0:
            for row in range(graph.begins[course, FIRST_ROW], graph.begins[course + 1, FIRST_ROW]):
                levels[graph.rows[row, SKILL]] = max(levels[graph.rows[row, SKILL]], graph.rows[row, HIGH])
    return levels


@jit
def met_by_forced(graph: PrerequisiteGraph, query: Query, costs: Costs, levels: Longs, branch: int) -> bool:
    """Return whether forced courses may satisfy a branch: a path that uses an expensive one is still feasible."""
    if len(query.forced) == 0:
        return False
    for place in range(graph.branch_starts[branch], graph.branch_starts[branch + 1]):
        condition = graph.branch_conditions[place]
        skill, only = graph.condition_table[condition, ASKED_SKILL], graph.condition_table[condition, ONLY]
        if skill >= 0 and levels[skill] < graph.condition_table[condition, ASKED_LEVEL]:
            return False
        if (
            only >= 0
            and costs.condition_cost[condition] > 0
            and not (costs.cost[only] > 0 and (query.forced == only).any())
        ):
            return False
    return True


@jit
def alternatives_of(
    graph: PrerequisiteGraph, query: Query, costs: Costs, levels: Longs, condition: int, found: Longs
) -> int:
    """Fill in the courses, and branches past them, that meet a need at about the least price; return how many.

    With them the shortest course that meets it, and the branches that forced courses may meet at `levels`.
    """
    condition_table, hours, teachers, closure_cost, condition_cost = (
        graph.condition_table,
        graph.hours,
        graph.teachers,
        costs.closure_cost,
        costs.condition_cost,
    )
    skill, level, only = (
        condition_table[condition, ASKED_SKILL],
        condition_table[condition, ASKED_LEVEL],
        condition_table[condition, ONLY],
    )
    if condition_cost[condition] >= UNREACHABLE:
        return 0
    limit, count = condition_cost[condition] + condition_cost[condition] // COST_TOLERANCE, 0
    if 0 <= skill < len(graph.teacher_starts) - 1:
        for place in range(graph.teacher_starts[skill], graph.teacher_starts[skill + 1]):
            course = teachers[place, 0]
            if hours[course] * query.min_factor > limit and count > 0:
                break
            within = closure_cost[course] <= limit or (count == 0 < limit and closure_cost[course] < UNREACHABLE)
            if teachers[place, 1] >= level and within:
                found[count] = course
                count += 1
    if only >= 0 and closure_cost[only] <= limit:
        found[count] = only
        count += 1
    for branch in range(condition_table[condition, ANY_FIRST], condition_table[condition, ANY_LAST]):
        cost = branch_cost(graph, condition_cost, branch)
        if cost <= limit or (cost < UNREACHABLE and met_by_forced(graph, query, costs, levels, branch)):
            found[count] = len(hours) + branch
            count += 1
    return count
