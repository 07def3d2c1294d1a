"""Prerequisite closures: a course with the cheapest courses that satisfy its conditions, in order, none redundant."""

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import NONE, jit, wide
from services.recommender.planner.optimizer.closure_cost import ADDING, branch_cost, score_of
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import PlanState, Workspace, admits, copy_position, study, total_held
from services.recommender.planner.units import UNREACHABLE


@jit(entry=True)
def build_closure(problem: ProblemData, state: PlanState, workspace: Workspace, target: int) -> None:
    """Assemble the closure of a reachable course in the workspace, unordered, and set the counters of the closure.

    The closure is the target, the cheapest achiever of each of its conditions that does not hold, of each of their
    conditions, and so on. A closure of more than `max_courses` is left incomplete, with 0 hours: no path can hold it.
    """
    graph, courses, effects = problem.graph, problem.courses, problem.effects
    closure, visited, held, counters = workspace.closure, workspace.visited, workspace.held, workspace.counters
    counters[0]["epoch"] += 1
    counters[0]["hours"] = counters[0]["cost"] = counters[0]["courses"] = counters[0]["gain"] = 0
    for slot in range(len(held)):
        held[slot] = state.held[slot]
    closure[0] = target
    visited[target] = counters[0]["epoch"]
    found, looked = 1, 0
    while looked < found:
        member = closure[looked]
        branch = member - len(state.done)
        looked += 1
        if branch < 0:
            counters[0]["hours"] += courses[member]["hours"]
            counters[0]["cost"] += courses[member]["cost"]
            counters[0]["courses"] += 1
            if counters[0]["courses"] > counters[0]["max_courses"]:
                counters[0]["hours"] = 0
                break
            for place in range(courses[member]["effect"], courses[member + 1]["effect"]):
                slot, value = effects[place]["slot"], effects[place]["value"]
                if value > held[slot]:
                    counters[0]["gain"] += value - held[slot]
                    held[slot] = value
            conditions = graph.requires[graph.courses[member]["condition"] : graph.courses[member + 1]["condition"]]
        else:
            conditions = graph.branch_conditions[graph.branches[branch]["start"] : graph.branches[branch + 1]["start"]]
        for condition in conditions:
            if state.costs.condition_cost[condition] > 0:
                achiever = cheapest_achiever(problem, state, condition)
                if visited[achiever] != counters[0]["epoch"]:
                    visited[achiever] = counters[0]["epoch"]
                    closure[found] = achiever
                    found += 1
    counters[0]["size"] = found
    counters[0]["visits_left"] -= found


@jit()
def cheapest_achiever(problem: ProblemData, state: PlanState, condition: int) -> int:
    """Return the cheapest achiever of a reachable condition: a course, or N + the number of a branch.

    Of equally cheap courses it is the one of lowest rank; of equally cheap branches, the first.
    """
    graph, costs = problem.graph, state.costs
    row, total, best = graph.conditions[condition], costs.condition_cost[condition], NONE
    if row["skill"] >= 0:
        for place in range(graph.skills[row["skill"]]["teacher"], graph.skills[row["skill"] + 1]["teacher"]):
            course = wide(graph.teachers[place]["course"])
            if (
                costs.closure_cost[course] == total
                and graph.teachers[place]["level"] >= row["level"]
                and (best < 0 or problem.courses[course]["rank"] < problem.courses[best]["rank"])
            ):
                best = course
        return int(best)
    if row["course"] >= 0:
        return int(row["course"])
    for branch in range(row["first_branch"], row["last_branch"]):
        if branch_cost(graph, costs.condition_cost, wide(branch), ADDING) == total:
            return int(len(state.done) + branch)
    return int(best)


@jit()
def topological_order(problem: ProblemData, state: PlanState, workspace: Workspace) -> int:
    """Sort the closure in the workspace into an order of study, without its branches; return the number of courses.

    The order is that of closure costs, then rank: a prerequisite is cheaper than the course that requires it.
    """
    courses, closure, costs = problem.courses, workspace.closure, state.costs.closure_cost
    count = 0
    for place in range(workspace.counters[0]["size"]):
        course = closure[place]
        if course >= len(state.done):
            continue
        at = count
        while at > 0 and (
            costs[closure[at - 1]] > costs[course]
            or (costs[closure[at - 1]] == costs[course] and courses[closure[at - 1]]["rank"] > courses[course]["rank"])
        ):
            closure[at] = closure[at - 1]
            at -= 1
        closure[at] = course
        count += 1
    return count


@jit()
def precedes(problem: ProblemData, course: int, cost: int, other: int, other_cost: int) -> bool:
    """Return whether, of two targets of equal score, the first comes before the second.

    The order is by higher cosine, then lower cost of the closure (micro-hours), then lower rank.
    """
    one, two = problem.courses[course], problem.courses[other]
    if one["cosine"] != two["cosine"]:
        return bool(one["cosine"] > two["cosine"])
    if cost != other_cost:
        return cost < other_cost
    return bool(one["rank"] < two["rank"])


@jit()
def has_marginal_gain(problem: ProblemData, state: PlanState, course: int) -> bool:
    """Return whether a course by itself adds value to any slot in a state."""
    for place in range(problem.courses[course]["effect"], problem.courses[course + 1]["effect"]):
        if problem.effects[place]["value"] > state.held[problem.effects[place]["slot"]]:
            return True
    return False


@jit()
def fits(state: PlanState, workspace: Workspace) -> bool:
    """Return whether the closure in the workspace fits into the remaining hours and steps."""
    counters, left = workspace.counters, state.left
    return bool(counters[0]["hours"] <= left[0]["hours"] and counters[0]["courses"] <= left[0]["steps"])


@jit()
def score_closure(problem: ProblemData, state: PlanState, workspace: Workspace, course: int, exponent: float) -> int:
    """Assemble the closure of a course and return its score (`score_of`); 0 if it is unreachable or does not fit.

    `exponent`: of the cost.
    """
    if state.costs.closure_cost[course] >= UNREACHABLE:
        return 0
    build_closure(problem, state, workspace, course)
    if not fits(state, workspace):
        return 0
    return score_of(workspace.counters[0]["gain"], workspace.counters[0]["cost"], exponent)


@jit()
def drop_redundant(problem: ProblemData, state: PlanState, workspace: Workspace, count: int) -> int:
    """Remove from the closure in the workspace the courses without which the others can be studied and gain as much.

    `count`: how many courses it has, in order of study; the last one stays. Returns the new number of courses.
    """
    closure = workspace.closure
    value = value_without(problem, state, workspace, closure[:count], NONE)
    skip = count - 2
    while skip >= 0:
        if value_without(problem, state, workspace, closure[:count], skip) == value:
            for place in range(skip, count - 1):
                closure[place] = closure[place + 1]
            count -= 1
        skip -= 1
    return count


@jit()
def value_without(problem: ProblemData, state: PlanState, workspace: Workspace, courses: Longs, skip: int) -> int:
    """Return the micro-levels held after courses without the one at `skip`; -1 if the rest cannot be studied.

    `courses`: rows that can be studied in this order from `state`, which is not changed. `skip` -1: none is left out.
    """
    after = workspace.position
    copy_position(state, after)
    workspace.counters[0]["visits_left"] -= len(courses)
    for place in range(len(courses)):
        if place != skip:
            if place > skip >= 0 and not admits(problem, after, courses[place]):
                return -1
            study(problem, after, courses[place])
    return total_held(after.held)
