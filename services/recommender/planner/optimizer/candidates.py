"""Candidate generation: selects, from the whole catalog, the courses that one officer's plan weighs.

The inverted index gives every course that teaches a gap skill beyond the level held, or may do so by its description.
The candidates are the cheapest of these courses per gap and level, with unconfirmed ones listed separately, and the
courses of the highest value per closure cost and per cost of their own. Courses that satisfy the candidates' conditions
at about the lowest cost are added, recursively.
"""

import numpy as np

from services.recommender.planner.index.graph import PrerequisiteGraph, Selection
from services.recommender.planner.index.segment import Ints, Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import ZERO, jit, wide
from services.recommender.planner.optimizer.closure_cost import ADDING, Costs, Flags, branch_cost, score_of
from services.recommender.planner.optimizer.query import Query
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE

TOP_BY_COST = PARAMS.top_by_cost
TOP_BY_DENSITY = PARAMS.top_by_density
COST_TOLERANCE = PARAMS.cost_tolerance
SMALL_INSTANCE = PARAMS.small_instance
MAX_SHARED = PARAMS.max_shared


def select(graph: PrerequisiteGraph, query: Query, costs: Costs) -> Selection:
    """Return what one officer's plan weighs: candidates, forced courses, and what satisfies their conditions."""
    selected = Selection(*(np.zeros(size, np.bool_) for size in graph.sizes))
    run_select(graph, query, costs, selected)
    return selected


@jit(entry=True, allocates=True)
def run_select(graph: PrerequisiteGraph, query: Query, costs: Costs, selected: Selection) -> None:
    """Fill in `selected`, in which nothing is selected yet, with what `select` returns."""
    courses, branches = len(costs.cost), len(graph.branches) - 1
    worthiest_alone = shortlist(graph, query, costs, selected.courses)
    levels = query.skills["entry_level"].copy()
    for course in query.forced:
        if costs.cost[course] > 0:
            selected.courses[course] = True
            for row in range(graph.courses[course]["row"], graph.courses[course + 1]["row"]):
                levels[graph.rows[row]["skill"]] = max(levels[graph.rows[row]["skill"]], graph.rows[row]["high"])
    waiting = np.empty(courses + branches, np.int64)
    count = ZERO
    for course in range(courses):
        if selected.courses[course]:
            waiting[count] = course
            count += 1
    follow(graph, query, costs, levels, selected, waiting, count)
    if number_of(selected.courses) < SMALL_INSTANCE:
        count = select_courses(worthiest_alone, selected, waiting)
        follow(graph, query, costs, levels, selected, waiting, count)
    count = select_courses(shared_prerequisites(graph, query, costs, selected), selected, waiting)
    follow(graph, query, costs, levels, selected, waiting, count)
    while number_of(selected.courses) < SMALL_INSTANCE:
        count = select_branches(graph, costs, selected, waiting)
        if count == 0:
            break
        follow(graph, query, costs, levels, selected, waiting, count)


@jit()
def number_of(selected: Flags) -> int:
    """Return how many items of a mask are set."""
    count = 0
    for one in selected:
        if one:
            count += 1
    return count


@jit()
def select_courses(listed: Ints, selected: Selection, waiting: Longs) -> int:
    """Select the courses of a list that is padded with -1; return how many were not selected before.

    The newly selected courses are written to `waiting`, for `follow`.
    """
    count = ZERO
    for course in listed:
        if course >= 0 and not selected.courses[course]:
            waiting[count] = course
            selected.courses[course] = True
            count += 1
    return int(count)


@jit()
def select_branches(graph: PrerequisiteGraph, costs: Costs, selected: Selection, waiting: Longs) -> int:
    """Select every reachable branch of the selected conditions; return how many were not selected before.

    The newly selected branches are written to `waiting`, each as N + its number, for `follow`.

    The cost of a branch counts a course once for every condition that needs it. So a branch that seems expensive may be
    the cheapest, because the path may have its courses already for other conditions.
    """
    count = ZERO
    for condition in range(len(selected.conditions)):
        if not selected.conditions[condition]:
            continue
        row = graph.conditions[condition]
        for branch in range(row["first_branch"], row["last_branch"]):
            if (
                not selected.branches[branch]
                and branch_cost(graph, costs.condition_cost, wide(branch), ADDING) < UNREACHABLE
            ):
                selected.branches[branch] = True
                waiting[count] = len(costs.cost) + branch
                count += 1
    return int(count)


@jit(allocates=True)
def follow(
    graph: PrerequisiteGraph,
    query: Query,
    costs: Costs,
    levels: Longs,
    selected: Selection,
    waiting: Longs,
    count: int,
) -> None:
    """Select the conditions of the first `count` items of `waiting`, and the achievers of these, recursively.

    `waiting`: (N + B,) a stack of courses, and of branches as N + their number. `levels`: see `achievers_of`.
    """
    courses, asked = len(costs.cost), np.empty(len(costs.condition_cost), np.int64)
    found = np.empty(len(waiting), np.int64)
    while count > 0:
        count -= 1
        for condition in asked[: conditions_of(graph, query, costs, waiting[count], asked)]:
            if selected.conditions[condition]:
                continue
            selected.conditions[condition] = True
            for achiever in found[: achievers_of(graph, query, costs, levels, condition, found)]:
                fresh = (
                    not selected.courses[achiever] if achiever < courses else not selected.branches[achiever - courses]
                )
                if fresh:
                    if achiever < courses:
                        selected.courses[achiever] = True
                    else:
                        selected.branches[achiever - courses] = True
                    waiting[count] = achiever
                    count += 1


@jit()
def conditions_of(graph: PrerequisiteGraph, query: Query, costs: Costs, achiever: int, found: Longs) -> int:
    """Write to `found` the conditions of an achiever that do not hold before the path; return how many there are.

    `achiever`: a course, or N + the number of a branch. `found`: (M,), of which the first ones are written.
    """
    courses, count = len(costs.cost), ZERO
    if achiever >= courses:
        branch = achiever - courses
        for place in range(graph.branches[branch]["start"], graph.branches[branch + 1]["start"]):
            count = add_condition(graph, query, costs, found, count, wide(graph.branch_conditions[place]))
        return int(count)
    for place in range(graph.courses[achiever]["condition"], graph.courses[achiever + 1]["condition"]):
        number = wide(graph.requires[place])
        condition = number if number >= 0 else ~number
        if number >= 0 or costs.ours[graph.conditions[condition]["skill"]]:
            count = add_condition(graph, query, costs, found, count, condition)
    return int(count)


@jit()
def add_condition(
    graph: PrerequisiteGraph, query: Query, costs: Costs, found: Longs, count: int, condition: int
) -> int:
    """Append a condition to the first `count` of `found`, unless it holds; return the new count."""
    row = graph.conditions[condition]
    if row["skill"] >= 0:
        if query.skills[row["skill"]]["entry_level"] >= row["level"]:
            return count
    elif row["last_branch"] > row["first_branch"]:
        if costs.condition_cost[condition] == 0:
            return count
    elif condition in query.met:
        return count
    found[count] = condition
    return count + 1


@jit()
def achievers_of(
    graph: PrerequisiteGraph, query: Query, costs: Costs, levels: Longs, condition: int, found: Longs
) -> int:
    """Write to `found` what satisfies a condition at about the lowest cost; return how many achievers were written.

    They are courses, and branches as N + their number, that cost at most 1 / COST_TOLERANCE more than the cheapest one.
    The shortest course is included, and so are branches that forced courses may satisfy. `levels`: (S,) the micro-level
    per skill that the officer holds or that forced courses lead to.
    """
    row, condition_cost, count = graph.conditions[condition], costs.condition_cost, 0
    if condition_cost[condition] >= UNREACHABLE:
        return 0
    limit = condition_cost[condition] + condition_cost[condition] // COST_TOLERANCE
    if row["skill"] >= 0:
        for place in range(graph.skills[row["skill"]]["teacher"], graph.skills[row["skill"] + 1]["teacher"]):
            course = graph.teachers[place]["course"]
            cost = costs.closure_cost[course]
            within = cost <= limit or (count == 0 < limit and cost < UNREACHABLE)
            if graph.teachers[place]["level"] >= row["level"] and within:
                found[count] = course
                count += 1
    if row["course"] >= 0 and costs.closure_cost[row["course"]] <= limit:
        found[count] = row["course"]
        count += 1
    for branch in range(row["first_branch"], row["last_branch"]):
        cost = branch_cost(graph, condition_cost, wide(branch), ADDING)
        if cost <= limit or (cost < UNREACHABLE and met_by_forced(graph, query, costs, levels, branch)):
            found[count] = len(costs.cost) + branch
            count += 1
    return count


@jit()
def met_by_forced(graph: PrerequisiteGraph, query: Query, costs: Costs, levels: Longs, branch: int) -> bool:
    """Return whether the officer and the forced courses alone may satisfy all conditions of a branch.

    Such a branch is kept however much it costs, because a requested path may lead through it. `levels`: see
    `achievers_of`.
    """
    if len(query.forced) == 0:
        return False
    for place in range(graph.branches[branch]["start"], graph.branches[branch + 1]["start"]):
        condition = graph.branch_conditions[place]
        row = graph.conditions[condition]
        if row["skill"] >= 0 and levels[row["skill"]] < row["level"]:
            return False
        if (
            row["course"] >= 0
            and costs.condition_cost[condition] > 0
            and not (costs.cost[row["course"]] > 0 and row["course"] in query.forced)
        ):
            return False
    return True


@jit(allocates=True)
def shared_prerequisites(graph: PrerequisiteGraph, query: Query, costs: Costs, selected: Selection) -> Ints:
    """Return unselected courses that each cost less than the conditions on levels that they satisfy.

    Returns (MAX_SHARED,) numbers, padded with -1; the courses that save most for their cost come first. Each condition
    costs as much as its cheapest achiever. A course costs its own cost and that of its unselected conditions, because
    the path satisfies the selected ones for other courses anyway.
    """
    condition_cost = costs.condition_cost
    saved, asked = np.zeros(len(costs.cost), np.int64), np.empty(len(condition_cost), np.int64)
    for condition in range(len(selected.conditions)):
        row = graph.conditions[condition]
        if not selected.conditions[condition] or row["skill"] < 0 or not 0 < condition_cost[condition] < UNREACHABLE:
            continue
        for place in range(graph.skills[row["skill"]]["teacher"], graph.skills[row["skill"] + 1]["teacher"]):
            course = graph.teachers[place]["course"]
            if graph.teachers[place]["level"] >= row["level"] and costs.closure_cost[course] < UNREACHABLE:
                saved[course] += condition_cost[condition]
    values, best = empty_lists(wide(1), wide(MAX_SHARED), ZERO)
    for course in range(len(saved)):
        if saved[course] and not selected.courses[course]:
            spent = costs.cost[course]
            for condition in asked[: conditions_of(graph, query, costs, course, asked)]:
                if not selected.conditions[condition]:
                    spent += condition_cost[condition]
            if spent < saved[course]:
                insert_topk(values[0], best[0], graph.courses, -score_of(saved[course], spent, 1.0), course)
    shared: Ints = best[0]
    return shared


@jit(allocates=True)
def shortlist(graph: PrerequisiteGraph, query: Query, costs: Costs, selected: Flags) -> Ints:
    """Select the candidates of all gaps: those reachable courses that `select_top_candidates` ranks best.

    Returns what that function returns. `selected`: (N,) the mask to be filled in; nothing is selected in it yet.
    """
    skills, seen = query.skills, np.zeros(len(costs.cost), np.bool_)
    for skill in range(min(len(skills), len(graph.skills) - 1)):
        gap = skills[skill]["gap"]
        if gap < 0:
            continue
        for place in range(graph.skills[skill]["teacher"], graph.skills[skill + 1]["teacher"]):
            course = graph.teachers[place]["course"]
            if graph.teachers[place]["level"] > query.current_level[gap]:
                seen[course] = True
    for row in range(len(query.unconfirmed)):
        seen[query.unconfirmed[row]["course"]] = True
    worthiest_alone: Ints = select_top_candidates(graph, query, costs, seen, selected)
    return worthiest_alone


@jit(allocates=True)
def select_top_candidates(graph: PrerequisiteGraph, query: Query, costs: Costs, seen: Flags, selected: Flags) -> Ints:
    """Select the cheapest reachable courses per gap and level, and those of the highest value per closure cost.

    Returns (TOP_BY_DENSITY,) the courses of the highest value per cost of their own, padded with -1; they are not
    selected by that.

    `seen`: (N,) mask of the courses that may raise a gap. `selected`: (N,) the mask to be filled in.
    """
    level_values, unconfirmed, levels, groups, at = query.level_values, query.unconfirmed, len(query.level_values), 0, 0
    exponents = len(query.exponents)
    for row in range(len(unconfirmed)):
        groups = max(groups, unconfirmed[row]["group"] + 1)
    # Top-k lists: the cheapest courses per level of a gap, then per group of unconfirmed rows.
    cheapest_keys, cheapest = empty_lists(wide(levels + groups), wide(TOP_BY_COST), wide(UNREACHABLE))
    worthiest_keys, worthiest = empty_lists(wide(exponents), wide(TOP_BY_DENSITY), ZERO)
    alone_keys, worthiest_alone = empty_lists(wide(1), wide(TOP_BY_DENSITY), ZERO)
    for course in range(len(seen)):
        value, cost = ZERO, costs.closure_cost[course]
        if not seen[course] or cost >= UNREACHABLE:
            continue
        for row in range(graph.courses[course]["row"], graph.courses[course + 1]["row"]):
            gap, high = query.skills[graph.rows[row]["skill"]]["gap"], graph.rows[row]["high"]
            if gap < 0 or high <= query.current_level[gap]:
                continue
            for level in range(query.begins[gap], query.begins[gap + 1]):
                if level_values[level]["level"] == high and level_values[level]["value"] > 0:
                    value += level_values[level]["value"]
                    insert_topk(cheapest_keys[level], cheapest[level], graph.courses, cost, wide(course))
        while at < len(unconfirmed) and unconfirmed[at]["course"] < course:
            at += 1
        while at < len(unconfirmed) and unconfirmed[at]["course"] == course:
            group = levels + unconfirmed[at]["group"]
            value += unconfirmed[at]["value"]
            insert_topk(cheapest_keys[group], cheapest[group], graph.courses, cost, wide(course))
            at += 1
        if value:
            for by in range(exponents):
                key = -score_of(value, cost, query.exponents[by])
                insert_topk(worthiest_keys[by], worthiest[by], graph.courses, key, wide(course))
            key = -score_of(value, costs.cost[course], 1.0)
            insert_topk(alone_keys[0], worthiest_alone[0], graph.courses, key, wide(course))
    for best in (cheapest, worthiest):
        for listed in best:
            for course in listed:
                if course >= 0:
                    selected[course] = True
    alone: Ints = worthiest_alone[0]
    return alone


@jit(allocates=True)
def empty_lists(lists: int, size: int, key: int) -> tuple[Longs, Ints]:
    """Return several empty top-k lists of this `size`, which accept courses with a key up to `key`.

    They are two arrays of (lists, size): the keys of the listed courses, and their numbers; see `insert_topk`.
    """
    keys, best = np.empty((lists, size), np.int64), np.empty((lists, size), np.int32)
    for row in range(lists):
        for place in range(size):
            keys[row, place], best[row, place] = key, -1
    return keys, best


@jit()
def insert_topk(keys: Longs, best: Ints, courses: Records, key: int, course: int) -> None:
    """Insert a course into a top-k list, the k courses of the smallest keys, unless its key is too large.

    `keys`: (k,) ascending; `best`: (k,) the courses, -1 where there is none; `courses`: the courses of the graph, whose
    `rank` orders equal keys.
    """
    place, rank = len(keys), courses[course]["rank"]
    while place > 0 and (
        key < keys[place - 1]
        or (key == keys[place - 1] and (best[place - 1] < 0 or rank < courses[best[place - 1]]["rank"]))
    ):
        place -= 1
        if place + 1 < len(keys):
            keys[place + 1], best[place + 1] = keys[place], best[place]
    if place < len(keys):
        keys[place], best[place] = key, course
