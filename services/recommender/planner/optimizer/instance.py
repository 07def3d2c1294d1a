"""One officer's problem instance: alternatives, conditions, and the adjacency between them.

An AND-OR graph. An *alternative* (AND node) requires all of its conditions: a course, or a branch of an `any`, which
costs nothing. A *condition* (OR node) is satisfied by any one of its alternatives, or by the officer's own state.
"""

from math import sqrt
from typing import NamedTuple

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
from services.recommender.planner.optimizer.candidates import first_of, insert_topk, shortlist
from services.recommender.planner.optimizer.closure_cost import Costs, branch_cost, score_of
from services.recommender.planner.optimizer.query import (
    Query,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE

COST_TOLERANCE = PARAMS.cost_tolerance
MAX_SHARED = PARAMS.max_shared
SURE = 100
"""Per cent; see `planner.value`."""

ALTERNATIVE_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in (
            *("is_branch", "number", "cost", "hours", "rank", "cosine"),
            *("conditions", "conditions_end", "level_effects", "level_effects_end", "gap_effects", "gap_effects_end"),
            *("satisfies", "satisfies_end", "own_condition"),
        )
    ]
)
"""An alternative: a course, or a branch (`is_branch` 1); its `number` in the graph; cosine in millionths.

Where its lists in `adjacency` begin and end: conditions, effects on levels (skill, level), effects on gaps (slot,
value), conditions that it `satisfies`. `own_condition`: the condition that this course was completed, or -1.
"""

CONDITION_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in (
            *("skill", "level", "course", "alternatives", "alternatives_end"),
            *("is_any", "consumers", "consumers_end", "next"),
        )
    ]
)
"""A condition: a level of a skill, or a course (row), else -1.

Where its alternatives and its consumers in `adjacency` begin and end; `is_any` 1 where the alternatives are branches;
the `next` condition on the same skill, or -1.
"""

COUNTS_DTYPE = np.dtype([("alternatives", np.int64), ("conditions", np.int64), ("adjacency", np.int64)])

OFFSETS_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in (
            *("hours_left", "steps_left", "value_held", "levels"),
            *("status", "closure_costs", "condition_costs", "end"),
        )
    ]
)
"""Where the parts of a state begin: hours and steps left; the value held per slot; the level per skill; status and
closure cost per alternative; cost per condition."""

SLOT_DTYPE = np.dtype([(field, np.int64) for field in ("gap", "below", "percent", "gained")])
"""The part of the value of a gap between `below` and `percent` per cent of sureness, and what of it is gained already.

A course counts in the slots up to its own sureness. A gap without unconfirmed rows has one slot, up to 100.
"""


class ProblemData(NamedTuple):
    """An instance. Costs and hours in micro-hours, levels in micro-levels, ids as ranks."""

    alternatives: Records
    """ALTERNATIVE_DTYPE."""
    conditions: Records
    """CONDITION_DTYPE."""
    adjacency: Longs
    """All lists, end to end."""
    offsets: Records
    """(1,) OFFSETS_DTYPE."""
    entry_levels: Longs
    """Per skill: the level before the path."""
    first_condition: Longs
    """Per skill: its first condition, or -1."""


class _Draft(NamedTuple):
    """Growing tables, and the row of each alternative and condition of the graph in them (-1: none)."""

    alternatives: Records
    conditions: Records
    adjacency: Longs
    alternative_at: Longs
    condition_at: Longs
    sizes: Records


@jit
def build_instance(graph: PrerequisiteGraph, query: Query, costs: Costs) -> ProblemData:
    """Return the instance of one officer: candidates, forced courses, and what satisfies their conditions."""
    courses, numbers = len(graph.hours), len(graph.hours) + len(graph.branch_condition)
    draft = _Draft(
        np.zeros(256, ALTERNATIVE_DTYPE), np.zeros(128, CONDITION_DTYPE), np.empty(8192, np.int64),
        np.full(numbers, -1, np.int64), np.full(len(graph.condition_table), -1, np.int64), np.zeros(1, COUNTS_DTYPE),
    )  # fmt: skip
    for course in shortlist(graph, query, costs):
        draft = place_alternative(draft, wide(course))
    for course in query.forced:
        if costs.cost[course] > 0:
            draft = place_alternative(draft, wide(course))
    levels = forced_levels(graph, query, costs)
    draft = expand(graph, query, costs, levels, draft, ZERO, ZERO)
    looked, opened = draft.sizes[0]["alternatives"], draft.sizes[0]["conditions"]
    for course in shared_prerequisites(graph, query, costs, draft):
        draft = place_alternative(draft, wide(course))
    draft = expand(graph, query, costs, levels, draft, looked, opened)
    looked, opened = draft.sizes[0]["alternatives"], draft.sizes[0]["conditions"]
    alternatives, conditions = draft.alternatives[:looked], draft.conditions[:opened]
    skill_at, entry_levels = resolve_conditions(graph, query, draft, conditions)
    slots = slots_of(query, alternatives)
    for alternative in range(looked):
        if alternatives[alternative]["number"] >= courses:
            alternatives[alternative]["is_branch"], alternatives[alternative]["rank"] = (
                1,
                UNREACHABLE + alternatives[alternative]["number"],
            )
        else:
            draft = link_course(graph, query, costs, draft, skill_at, slots, alternative)
    first_condition = index_levels(conditions, len(entry_levels))
    draft = link_levels(draft, alternatives, conditions, first_condition)
    adjacency = add_reverse_edges(alternatives, conditions, draft.adjacency[: draft.sizes[0]["adjacency"]])
    offsets = offsets_for(len(slots), len(entry_levels), looked, opened)
    return ProblemData(alternatives, conditions, adjacency, offsets, entry_levels, first_condition)


@jit
def expand(
    graph: PrerequisiteGraph, query: Query, costs: Costs, levels: Longs, draft: _Draft, looked: int, opened: int
) -> _Draft:
    """Return the draft with what leads to its alternatives from row `looked` on, its conditions from `opened` on."""
    found, asked = np.empty(len(draft.alternative_at), np.int64), np.empty(len(graph.condition_table), np.int64)
    while looked < draft.sizes[0]["alternatives"]:
        number = draft.alternatives[looked]["number"]
        draft = link_conditions(
            draft, looked, asked[: conditions_of(graph, query, costs.condition_cost, number, asked)]
        )
        looked += 1
        while opened < draft.sizes[0]["conditions"]:
            condition = draft.conditions[opened]["skill"]
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
    levels = np.empty(draft.sizes[0]["conditions"], np.int64)
    count = ZERO
    for row in range(draft.sizes[0]["conditions"]):
        condition = draft.conditions[row]["skill"]
        taught = 0 <= condition_table[condition]["skill"] < len(starts) - 1
        if taught and 0 < condition_cost[condition] < UNREACHABLE:
            levels[count] = condition
            total += condition_cost[condition]
            count += 1
    for condition in levels[:count]:
        skill, level = condition_table[condition]["skill"], condition_table[condition]["level"]
        for place in range(starts[skill], starts[skill + 1]):
            course = teachers[place]["course"]
            if graph.hours[course] * query.min_factor > total:
                break
            if teachers[place]["level"] >= level and costs.closure_cost[course] < UNREACHABLE:
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
def link_levels(draft: _Draft, alternatives: Records, conditions: Records, first_condition: Longs) -> _Draft:
    """Return the draft with every course linked to all levels that it meets, whatever it costs."""
    counts, adjacency = np.zeros(len(conditions), np.int64), draft.adjacency
    for filling in range(2):
        for alternative in range(len(alternatives)):
            for place in range(
                alternatives[alternative]["level_effects"], alternatives[alternative]["level_effects_end"], 2
            ):
                condition = first_condition[adjacency[place]]
                while condition >= 0:
                    if conditions[condition]["level"] <= adjacency[place + 1]:
                        if filling:
                            adjacency[conditions[condition]["alternatives"] + counts[condition]] = alternative
                        counts[condition] += 1
                    condition = conditions[condition]["next"]
        if not filling:
            adjacency, end = room_for(draft, counts.sum()), draft.sizes[0]["adjacency"]
            for condition in range(len(conditions)):
                if conditions[condition]["skill"] >= 0:
                    conditions[condition]["alternatives"], end = end, end + counts[condition]
                    conditions[condition]["alternatives_end"] = end
            draft.sizes[0]["adjacency"] = end
            counts[:] = 0
    return _Draft(
        draft.alternatives, draft.conditions, adjacency, draft.alternative_at, draft.condition_at, draft.sizes
    )


@jit
def slots_of(query: Query, alternatives: Records) -> Records:
    """Return the slots of all gaps: SLOT_DTYPE, by gap, the least sure first."""
    edges = np.zeros((len(query.current_level), SURE + 1), np.bool_)
    edges[:, SURE] = True
    unconfirmed, stairs = query.unconfirmed, query.stairs
    if len(unconfirmed):
        for alternative in range(len(alternatives)):
            course = alternatives[alternative]["number"]
            for place in range(first_of(unconfirmed, course), first_of(unconfirmed, course + 1)):
                edges[unconfirmed[place]["gap"], unconfirmed[place]["percent"]] = True
    for place in range(len(stairs)):
        edges[stairs[place]["gap"], stairs[place]["percent"]] = True
    slots, count = np.zeros(edges.sum(), SLOT_DTYPE), 0
    for gap in range(len(edges)):
        below = ZERO
        for percent in range(1, SURE + 1):
            if edges[gap, percent]:
                slots[count]["gap"], slots[count]["below"], slots[count]["percent"] = gap, below, percent
                for place in range(len(stairs)):
                    if stairs[place]["gap"] == gap and stairs[place]["percent"] >= percent:
                        part = slot_value(slots, count, stairs[place]["whole"])
                        slots[count]["gained"] = max(slots[count]["gained"], part)
                below = wide(percent)
                count += 1
    return slots[:count]


@jit
def slot_value(slots: Records, slot: int, whole: int) -> int:
    """Return the part of a value that lies in a slot; see `share` of `planner.value`."""
    above, below = slots[slot]["percent"], slots[slot]["below"]
    return int((above - below) * (whole // SURE) + min(whole % SURE, above) - min(whole % SURE, below))


@jit
def link_gap(adjacency: Longs, end: int, slots: Records, gap: int, percent: int, whole: int) -> int:
    """Write what a course adds to each slot of a gap, up to its own sureness; return where that ends."""
    for slot in range(len(slots)):
        if slots[slot]["gap"] == gap and slots[slot]["percent"] <= percent:
            adjacency[end] = slot
            adjacency[end + 1] = max(slot_value(slots, slot, whole) - slots[slot]["gained"], ZERO)
            end += 2
    return end


@jit
def offsets_for(gaps: int, skills: int, alternatives: int, conditions: int) -> Records:
    """Return where the parts of a state of these sizes begin."""
    offsets = np.zeros(1, OFFSETS_DTYPE)
    offsets[0]["steps_left"], offsets[0]["value_held"] = 1, 2
    offsets[0]["levels"] = 2 + gaps
    offsets[0]["status"] = 2 + gaps + skills
    offsets[0]["closure_costs"] = 2 + gaps + skills + alternatives
    offsets[0]["condition_costs"] = 2 + gaps + skills + 2 * alternatives
    offsets[0]["end"] = 2 + gaps + skills + 2 * alternatives + conditions
    return offsets


@jit
def add_reverse_edges(alternatives: Records, conditions: Records, adjacency: Longs) -> Longs:
    """Return the adjacency with the reverse edges appended: consumers of conditions, conditions of alternatives."""
    end = len(adjacency)
    total = (alternatives["conditions_end"] - alternatives["conditions"]).sum() + (
        conditions["alternatives_end"] - conditions["alternatives"]
    ).sum()
    longer = np.empty(end + total, np.int64)
    longer[:end] = adjacency
    for alternative in range(len(alternatives)):
        for place in range(alternatives[alternative]["conditions"], alternatives[alternative]["conditions_end"]):
            conditions[adjacency[place]]["consumers_end"] += 1
    for condition in range(len(conditions)):
        for place in range(conditions[condition]["alternatives"], conditions[condition]["alternatives_end"]):
            alternatives[adjacency[place]]["satisfies_end"] += 1
    for condition in range(len(conditions)):
        conditions[condition]["consumers"], end = end, end + conditions[condition]["consumers_end"]
        conditions[condition]["consumers_end"] = conditions[condition]["consumers"]
    for alternative in range(len(alternatives)):
        alternatives[alternative]["satisfies"], end = end, end + alternatives[alternative]["satisfies_end"]
        alternatives[alternative]["satisfies_end"] = alternatives[alternative]["satisfies"]
    for alternative in range(len(alternatives)):
        for place in range(alternatives[alternative]["conditions"], alternatives[alternative]["conditions_end"]):
            condition = adjacency[place]
            longer[conditions[condition]["consumers_end"]] = alternative
            conditions[condition]["consumers_end"] += 1
    for condition in range(len(conditions)):
        for place in range(conditions[condition]["alternatives"], conditions[condition]["alternatives_end"]):
            alternative = adjacency[place]
            longer[alternatives[alternative]["satisfies_end"]] = condition
            alternatives[alternative]["satisfies_end"] += 1
    alternatives["own_condition"][:] = -1
    for condition in range(len(conditions)):
        if conditions[condition]["course"] >= 0:
            alternatives[conditions[condition]["course"]]["own_condition"] = condition
    return longer


@jit
def index_levels(conditions: Records, skills: int) -> Longs:
    """Chain the conditions on each skill; return the first of each chain, or -1."""
    first = np.full(skills, -1, np.int64)
    for condition in range(len(conditions)):
        if conditions[condition]["skill"] >= 0:
            conditions[condition]["next"] = first[conditions[condition]["skill"]]
            first[conditions[condition]["skill"]] = condition
    return first


@jit
def place_alternative(draft: _Draft, number: int) -> _Draft:
    """Return the draft with an alternative, added once."""
    alternatives, count = draft.alternatives, draft.sizes[0]["alternatives"]
    if draft.alternative_at[number] < 0:
        if count == len(alternatives):
            alternatives = np.concatenate((alternatives, np.zeros_like(alternatives)))
        alternatives[count]["number"] = number
        draft.alternative_at[number] = count
        draft.sizes[0]["alternatives"] += 1
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
    draft.alternatives[alternative]["conditions"] = sizes[0]["adjacency"]
    for condition in found:
        if condition_at[condition] < 0:
            if sizes[0]["conditions"] == len(conditions):
                conditions = np.concatenate((conditions, np.zeros_like(conditions)))
            conditions[sizes[0]["conditions"]]["skill"] = condition
            condition_at[condition] = sizes[0]["conditions"]
            sizes[0]["conditions"] += 1
        adjacency[sizes[0]["adjacency"]] = condition_at[condition]
        sizes[0]["adjacency"] += 1
    draft.alternatives[alternative]["conditions_end"] = sizes[0]["adjacency"]
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
    conditions[condition]["alternatives"], end = sizes[0]["adjacency"], sizes[0]["adjacency"]
    for alternative in found:
        if alternative_at[alternative] < 0:
            draft = place_alternative(draft, alternative)
        adjacency[end] = alternative_at[alternative]
        end += 1
    conditions[condition]["alternatives_end"] = sizes[0]["adjacency"] = end
    return _Draft(draft.alternatives, conditions, adjacency, alternative_at, draft.condition_at, sizes)


@jit
def room_for(draft: _Draft, more: int) -> Longs:
    """Return the adjacency with room for more."""
    adjacency, end = draft.adjacency, draft.sizes[0]["adjacency"]
    if end + more > len(adjacency):
        return np.concatenate((adjacency, np.empty(len(adjacency) + more, np.int64)))
    return adjacency


@jit
def resolve_conditions(
    graph: PrerequisiteGraph, query: Query, draft: _Draft, conditions: Records
) -> tuple[Longs, Longs]:
    """Fill in what each condition requires; until here its `skill` holds its number in the graph.

    Returns the number of each skill among the required ones (-1: not required), and the levels held of these.
    """
    condition_table, skills, alternative_at = graph.condition_table, query.skills, draft.alternative_at
    skill_at, entry_levels, numbers, count = (
        np.full(len(skills), -1, np.int64),
        np.empty(len(conditions), np.int64),
        conditions["skill"].copy(),
        0,
    )
    for place in range(len(conditions)):
        number = numbers[place]
        skill, only = condition_table[number]["skill"], condition_table[number]["course"]
        if skill >= 0 and skill_at[skill] < 0:
            skill_at[skill] = count
            entry_levels[count] = skills[skill]["entry_level"]
            count += 1
        conditions[place]["skill"] = skill_at[skill] if skill >= 0 else -1
        conditions[place]["level"], conditions[place]["course"] = (
            condition_table[number]["level"],
            alternative_at[only] if only >= 0 else -1,
        )
        conditions[place]["is_any"] = condition_table[number]["last_branch"] > condition_table[number]["first_branch"]
    return skill_at, entry_levels[:count]


@jit
def link_course(
    graph: PrerequisiteGraph,
    query: Query,
    costs: Costs,
    draft: _Draft,
    skill_at: Longs,
    slots: Records,
    alternative: int,
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
        draft.alternatives[alternative]["number"],
        draft.sizes[0]["adjacency"],
    )
    first, last = graph.begins[course]["row"], graph.begins[course + 1]["row"]
    begin, stop = first_of(query.unconfirmed, course), first_of(query.unconfirmed, course + 1)
    room = 2 * (last - first) + 2 * len(slots)  # every slot once: what is confirmed of a skill is not matched
    adjacency = room_for(draft, room)
    row_of["cost"], row_of["hours"], row_of["rank"] = costs.cost[course], graph.hours[course], graph.rank[course]
    row_of["level_effects"] = end
    for row in range(first, last):
        skill, high = rows[row]["skill"], rows[row]["high"]
        if skill_at[skill] >= 0 and high > skills[skill]["entry_level"]:
            adjacency[end], adjacency[end + 1] = skill_at[skill], high
            end += 2
    row_of["level_effects_end"] = row_of["gap_effects"] = end
    dot = own = 0.0
    for row in range(first, last):
        skill, high = rows[row]["skill"], rows[row]["high"]
        gap = skills[skill]["gap"]
        if skills[skill]["in_framework"]:
            gain = (high - rows[row]["low"]) / 1e6
            own += gain * gain
            dot += gain * size[gap] if gap >= 0 else 0.0
        if gap >= 0 and high > current_level[gap]:
            for top in range(starts[gap], starts[gap + 1]):
                if level_values[top]["level"] == high:
                    end = link_gap(adjacency, end, slots, gap, SURE, level_values[top]["whole"])
    for place in range(begin, stop):
        gap, gain = query.unconfirmed[place]["gap"], query.unconfirmed[place]["gain"] / 1e6
        own += gain * gain
        dot += gain * size[gap]
        row = query.unconfirmed[place]
        end = link_gap(adjacency, end, slots, gap, row["percent"], row["whole"])
    row_of["gap_effects_end"] = end
    # To six places, so that no machine's last bit decides a tie.
    row_of["cosine"] = int(dot / (sqrt(own) * sqrt((size * size).sum())) * 1e6 + 0.5) if dot > 0 else 0
    draft.sizes[0]["adjacency"] = end
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
    for row in range(begins[alternative]["row"], begins[alternative + 1]["row"]):
        if rows[row]["entry"] >= 0 and skills[rows[row]["skill"]]["in_framework"]:
            count = add_condition(condition_table, met, skills, condition_cost, found, count, rows[row]["entry"])
    for place in range(begins[alternative]["condition"], begins[alternative + 1]["condition"]):
        count = add_condition(condition_table, met, skills, condition_cost, found, count, requires[place])
    return int(count)


@jit
def add_condition(
    table: Records, met: Ints, skills: Records, condition_cost: Longs, found: Longs, count: int, condition: int
) -> int:
    """Add a condition that does not hold before the path, once; return how many there are."""
    skill = table[condition]["skill"]
    if skill >= 0:
        if skills[skill]["entry_level"] >= table[condition]["level"]:
            return count
    elif table[condition]["last_branch"] > table[condition]["first_branch"]:
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
    levels = query.skills["entry_level"].copy()
    for course in query.forced:
        if costs.cost[course] > 0:
            for row in range(graph.begins[course]["row"], graph.begins[course + 1]["row"]):
                levels[graph.rows[row]["skill"]] = max(levels[graph.rows[row]["skill"]], graph.rows[row]["high"])
    return levels


@jit
def met_by_forced(graph: PrerequisiteGraph, query: Query, costs: Costs, levels: Longs, branch: int) -> bool:
    """Return whether forced courses may satisfy a branch: a path that uses an expensive one is still feasible."""
    if len(query.forced) == 0:
        return False
    for place in range(graph.branch_starts[branch], graph.branch_starts[branch + 1]):
        condition = graph.branch_conditions[place]
        skill, only = graph.condition_table[condition]["skill"], graph.condition_table[condition]["course"]
        if skill >= 0 and levels[skill] < graph.condition_table[condition]["level"]:
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
    """Fill in the courses, and branches past them, that satisfy a condition at about the lowest cost; return how many.

    Includes the shortest course, and branches that forced courses may satisfy at `levels`; see `forced_levels`.
    """
    condition_table, hours, teachers, closure_cost, condition_cost = (
        graph.condition_table,
        graph.hours,
        graph.teachers,
        costs.closure_cost,
        costs.condition_cost,
    )
    skill, level, only = (
        condition_table[condition]["skill"],
        condition_table[condition]["level"],
        condition_table[condition]["course"],
    )
    if condition_cost[condition] >= UNREACHABLE:
        return 0
    limit, count = condition_cost[condition] + condition_cost[condition] // COST_TOLERANCE, 0
    if 0 <= skill < len(graph.teacher_starts) - 1:
        for place in range(graph.teacher_starts[skill], graph.teacher_starts[skill + 1]):
            course = teachers[place]["course"]
            if hours[course] * query.min_factor > limit and count > 0:
                break
            within = closure_cost[course] <= limit or (count == 0 < limit and closure_cost[course] < UNREACHABLE)
            if teachers[place]["level"] >= level and within:
                found[count] = course
                count += 1
    if only >= 0 and closure_cost[only] <= limit:
        found[count] = only
        count += 1
    for branch in range(condition_table[condition]["first_branch"], condition_table[condition]["last_branch"]):
        cost = branch_cost(graph, condition_cost, branch)
        if cost <= limit or (cost < UNREACHABLE and met_by_forced(graph, query, costs, levels, branch)):
            found[count] = len(hours) + branch
            count += 1
    return count
