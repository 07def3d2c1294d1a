"""T0 and T1 over one officer's problem: greedy by gain per cost; then multi-start and local search.

T0 is a greedy: again and again the closure worth most per cost that still fits. T1 is the best of

    exponents   the greedy with the cost to several powers
    starts      the greedy after the closure of one course (partial enumeration), for those courses that close most, or
                spare other closures most, for their cost: a course that serves several conditions counts once
    exchanges   local search: without each course of the path in turn; and with each start that closes more than the
                path put first, what still fits of the path kept, or of a short path all but one course in turn, and
                the greedy for the rest

all without what loses nothing. A path is better when it closes more, and of equals when it costs less. Where the visits
of the plan are spent, the best path so far stands.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import NONE, ZERO, jit, wide
from services.recommender.planner.optimizer.candidates import insert_topk
from services.recommender.planner.optimizer.closure import (
    build_closure,
    drop_redundant,
    fits,
    has_marginal_gain,
    precedes,
    score_closure,
    topological_order,
)
from services.recommender.planner.optimizer.closure_cost import Flags, score_of
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import (
    PlanState,
    Workspace,
    admits,
    copy_costs,
    copy_of,
    copy_position,
    costs_from_start,
    study,
    study_and_update,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE

EXPONENTS = np.array(PARAMS.exponents)
MAX_PASSES = PARAMS.max_passes
MAX_STARTS = PARAMS.max_starts
MAX_EXCHANGED = PARAMS.max_exchanged
BUDGET_SHARES = PARAMS.budget_shares
UNBOUNDED = 1 << 62
ROUNDING = 1.000_001
"""An upper bound in floating point is raised by this, so that it is one for certain."""


TARGET_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in ("course", "upper_bound", "bound_cost", "initial_gain", "initial_cost", "initial_closure_cost")
    ]
)
"""A target: the closure of `course` scores at most `upper_bound` while its closure cost is `bound_cost`; its gain, cost
and closure cost at the start."""


TOTALS_DTYPE = np.dtype([("size", np.int64), ("value", np.int64), ("cost", np.int64)])
"""How many courses, the value held at their end, and their cost."""


class CoursePath(NamedTuple):
    """Courses in order of study."""

    courses: Longs
    """The first `size` count."""
    totals: Records
    """(1,) TOTALS_DTYPE."""


def empty_path(problem: ProblemData) -> CoursePath:
    """Return an empty path."""
    return CoursePath(np.zeros(len(problem.courses), np.int64), np.zeros(1, TOTALS_DTYPE))


@jit(entry=True, allocates=True)
def targets_of(problem: ProblemData, state: PlanState, workspace: Workspace) -> Records:
    """Return the reachable targets, by score at the start."""
    targets = np.zeros(len(state.done), TARGET_DTYPE)
    count = 0
    for course in range(len(state.done)):
        closure_cost = state.costs.closure_cost[course]
        if (
            closure_cost < UNREACHABLE
            and workspace.counters[0]["visits_left"] > 0
            and has_marginal_gain(problem, state, course)
        ):
            build_closure(problem, state, workspace, course)
            gain, cost = workspace.counters[0]["gain"], workspace.counters[0]["cost"]
            score, at = score_of(gain, cost, 1.0), count
            while at > 0 and targets[at - 1]["upper_bound"] < score:
                targets[at] = targets[at - 1]
                at -= 1
            targets[at]["course"], targets[at]["upper_bound"], targets[at]["initial_closure_cost"] = (
                course,
                score,
                closure_cost,
            )
            targets[at]["initial_gain"], targets[at]["initial_cost"] = gain, cost
            count += 1
    return targets[:count].copy()


@jit()
def reset_bounds(state: PlanState, targets: Records, exponent: float, excluded: int) -> None:
    """Reset the upper bounds. Gains only shrink, so a closure of unchanged cost cannot score above its first score."""
    for place in range(len(targets)):
        target = targets[place]
        closure_cost = state.costs.closure_cost[target["course"]]
        target["bound_cost"] = closure_cost
        if closure_cost >= UNREACHABLE or target["course"] == excluded:
            target["upper_bound"] = 0
        elif closure_cost == target["initial_closure_cost"]:
            target["upper_bound"] = score_of(target["initial_gain"], target["initial_cost"], exponent)
        else:
            target["upper_bound"] = UNBOUNDED


@jit()
def invalidate_bounds(state: PlanState, targets: Records, excluded: int) -> None:
    """Forget the upper bound of every target whose closure cost has changed (lazy greedy, Minoux 1978)."""
    for place in range(len(targets)):
        target = targets[place]
        closure_cost = state.costs.closure_cost[target["course"]]
        if closure_cost != target["bound_cost"]:
            target["bound_cost"] = closure_cost
            target["upper_bound"] = 0 if closure_cost >= UNREACHABLE or target["course"] == excluded else UNBOUNDED


@jit()
def best_target(problem: ProblemData, state: PlanState, workspace: Workspace, targets: Records, exponent: float) -> int:
    """Return the target of the highest score; of equals the higher cosine, the lower cost, the lower id; or -1."""
    best, top, top_cost = NONE, -NONE, ZERO
    for place in range(len(targets)):
        target = targets[place]
        if target["upper_bound"] < top:
            continue
        course, score = target["course"], ZERO
        if has_marginal_gain(problem, state, course):
            score = score_closure(problem, state, workspace, course, exponent)
        target["upper_bound"] = score
        cost = workspace.counters[0]["cost"]
        if score > top or (score == top and (best < 0 or precedes(problem, course, cost, best, top_cost))):
            best, top, top_cost = course, score, cost
    return int(best)


@jit(allocates=True)
def greedy(
    problem: ProblemData,
    state: PlanState,
    workspace: Workspace,
    targets: Records,
    exponent: float,
    excluded: int,
    path: CoursePath,
    floor: int,
) -> None:
    """Add the best closures until none fits or adds value, or the visits are used up; never that of `excluded`.

    Stops early if the path can no longer reach the value `floor`.
    """
    reset_bounds(state, targets, exponent, excluded)
    while workspace.counters[0]["visits_left"] > 0 and value_bound(problem, state, targets) >= floor:
        target = best_target(problem, state, workspace, targets, exponent)
        if target < 0:
            break
        add_closure(problem, state, workspace, target, path)
        invalidate_bounds(state, targets, excluded)
    if workspace.counters[0]["visits_left"] <= 0:
        workspace.counters[0]["limited"] = 1


@jit(allocates=True)
def value_bound(problem: ProblemData, state: PlanState, targets: Records) -> int:
    """Return an upper bound of the value of any path that continues from a state, by a fractional knapsack of slots.

    A course's hours are divided among the slots in proportion to what it adds to them. So a slot takes no fewer hours
    per value than the best of its courses, and gains no more than the largest addition of one course.
    """
    courses, effects, hours = problem.courses, problem.effects, state.left[0]["hours"]
    most, density = np.zeros(len(state.held), np.int64), np.zeros(len(state.held))
    for place in range(len(targets)):
        course = targets[place]["course"]
        if courses[course]["hours"] > hours:
            continue
        gain = ZERO
        for effect in range(courses[course]["effect"], courses[course + 1]["effect"]):
            gain += max(effects[effect]["value"] - state.held[effects[effect]["slot"]], ZERO)
        for effect in range(courses[course]["effect"] if gain else 0, courses[course + 1]["effect"] if gain else 0):
            slot = effects[effect]["slot"]
            added = effects[effect]["value"] - state.held[slot]
            if added > 0:
                most[slot] = max(most[slot], added)
                density[slot] = max(density[slot], gain / courses[course]["hours"])
    bound, left = state.held.sum(), float(hours)
    while left > 0:
        best, top = NONE, 0.0
        for slot in range(len(density)):
            if density[slot] > top:
                best, top = wide(slot), density[slot]
        if best < 0:
            break
        bound += most[best] if most[best] <= left * top else wide(left * top * ROUNDING) + 1
        left -= most[best] / top
        density[best] = 0.0
    return int(bound)


@jit(entry=True, allocates=True)
def add_closure(problem: ProblemData, state: PlanState, workspace: Workspace, target: int, path: CoursePath) -> None:
    """Add the closure of a reachable target to the path."""
    build_closure(problem, state, workspace, target)
    count = topological_order(problem, state, workspace)
    if count > 1:
        count = drop_redundant(problem, state, workspace, count)
    size = path.totals[0]["size"]
    for place in range(count):
        path.courses[size + place] = workspace.closure[place]
    path.totals[0]["size"] += count
    study_and_update(problem, state, workspace, workspace.closure[:count])


@jit(entry=True)
def replay(
    problem: ProblemData,
    start_state: PlanState,
    state: PlanState,
    workspace: Workspace,
    path: CoursePath,
    skip: int,
    remaining: CoursePath,
) -> None:
    """Replay a path from the start state without the course at `skip` and those that then cannot be entered.

    The costs are not updated.
    """
    copy_position(start_state, state)
    size = paid = 0
    workspace.counters[0]["visits_left"] -= path.totals[0]["size"]
    for place in range(path.totals[0]["size"]):
        course = path.courses[place]
        if place != skip and admits(problem, state, course):
            study(problem, state, course)
            remaining.courses[size] = course
            size += 1
            paid += problem.courses[course]["cost"]
    totals = remaining.totals[0]
    totals["size"], totals["value"], totals["cost"] = size, state.held.sum(), paid


@jit()
def value_without(
    problem: ProblemData, start_state: PlanState, state: PlanState, workspace: Workspace, path: CoursePath, skip: int
) -> int:
    """Return the value of a path without the course at `skip`; -1 if the rest cannot be studied. Moves `state`."""
    copy_position(start_state, state)
    workspace.counters[0]["visits_left"] -= path.totals[0]["size"]
    for place in range(path.totals[0]["size"]):
        if place != skip:
            if place > skip and not admits(problem, state, path.courses[place]):
                return -1
            study(problem, state, path.courses[place])
    return int(state.held.sum())


@jit()
def copy_path(source: CoursePath, target: CoursePath) -> None:
    """Copy a path."""
    target.totals[0] = source.totals[0]
    for place in range(source.totals[0]["size"]):
        target.courses[place] = source.courses[place]


@jit(allocates=True)
def sole_contributors(problem: ProblemData, start_state: PlanState, path: CoursePath) -> Flags:
    """Return a mask of the courses of a path that add value which no other of its courses adds."""
    first = start_state.held.copy()
    second, holder = first.copy(), np.full(len(first), -1, np.int64)
    for place in range(path.totals[0]["size"]):
        course = path.courses[place]
        for effect in range(problem.courses[course]["effect"], problem.courses[course + 1]["effect"]):
            slot, value = problem.effects[effect]["slot"], problem.effects[effect]["value"]
            if value > first[slot]:
                first[slot], second[slot], holder[slot] = value, first[slot], place
            elif value > second[slot]:
                second[slot] = value
    alone = np.zeros(path.totals[0]["size"], np.bool_)
    for slot in range(len(first)):
        if holder[slot] >= 0 and first[slot] > second[slot]:
            alone[holder[slot]] = True
    return alone


@jit(entry=True, allocates=True)
def prune(
    problem: ProblemData,
    start_state: PlanState,
    state: PlanState,
    workspace: Workspace,
    path: CoursePath,
    scratch: CoursePath,
) -> None:
    """Drop, from the end, every course whose removal keeps the path feasible and its value; `state`: at the end."""
    replay(problem, start_state, state, workspace, path, NONE, scratch)
    copy_path(scratch, path)
    alone = sole_contributors(problem, start_state, path)
    place = path.totals[0]["size"] - 1
    moved = False
    while place >= 0:
        if not alone[place]:
            moved = True
            if value_without(problem, start_state, state, workspace, path, place) == path.totals[0]["value"]:
                path.totals[0]["cost"] -= problem.courses[path.courses[place]]["cost"]
                path.totals[0]["size"] -= 1
                for later in range(place, path.totals[0]["size"]):
                    path.courses[later] = path.courses[later + 1]
                alone = sole_contributors(problem, start_state, path)
        place -= 1
    if moved:
        replay(problem, start_state, state, workspace, path, NONE, scratch)


@jit()
def is_better(one: CoursePath, other: CoursePath) -> bool:
    """Return whether a path closes more than another, or as much at less cost."""
    if one.totals[0]["value"] != other.totals[0]["value"]:
        return bool(one.totals[0]["value"] > other.totals[0]["value"])
    return bool(one.totals[0]["cost"] < other.totals[0]["cost"])


class Found(NamedTuple):
    """The targets of a search, the best path found, and two paths and a state as scratch space."""

    targets: Records
    best: CoursePath
    trial: CoursePath
    scratch: CoursePath
    state: PlanState


def search(problem: ProblemData, start_state: PlanState, workspace: Workspace, exponents: NDArray[np.float64]) -> Found:
    """Return the best path after the fixed courses."""
    targets = targets_of(problem, start_state, workspace)
    best, trial, scratch = empty_path(problem), empty_path(problem), empty_path(problem)
    found = Found(targets, best, trial, scratch, copy_of(start_state))
    run_search(problem, start_state, workspace, exponents, found)
    return found


@jit(entry=True, allocates=True)
def run_search(
    problem: ProblemData,
    start_state: PlanState,
    workspace: Workspace,
    exponents: NDArray[np.float64],
    found: Found,
) -> None:
    """Fill `found.best`, after the fixed courses: greedy per exponent, starts, then local search while it improves.

    Each exponent has an equal share of the visits, so that one that spends its share leaves the others theirs.
    """
    counters, best, trial, state = workspace.counters, found.best, found.trial, found.state
    best.totals[0]["value"] = -1
    remaining = counters[0]["visits_left"]
    share = remaining // BUDGET_SHARES
    for exponent in exponents:
        copy_position(start_state, state)
        copy_costs(start_state, state)
        trial.totals[0]["size"] = 0
        counters[0]["visits_left"] = share
        greedy(problem, state, workspace, found.targets, exponent, NONE, trial, best.totals[0]["value"])
        improve(problem, start_state, workspace, found)
        remaining -= share - counters[0]["visits_left"]
    counters[0]["visits_left"] = remaining
    complete = best.totals[0]["value"] == attainable_value(problem, start_state, found.targets)
    starts = starts_of(problem, start_state, workspace, found.targets, complete)
    for course in starts:
        if counters[0]["visits_left"] > remaining // 2:
            start_with(problem, start_state, workspace, found, course, ZERO, NONE)
    for _ in range(MAX_PASSES):
        improved = drop_and_refill(problem, start_state, workspace, found)
        for course in starts:
            replay(problem, start_state, state, workspace, best, NONE, found.scratch)
            adds = complete or has_marginal_gain(problem, state, course)
            if not state.done[course] and adds and counters[0]["visits_left"] > 0:
                kept = best.totals[0]["size"]
                better = start_with(problem, start_state, workspace, found, course, kept, NONE)
                out = kept - 1 if kept <= MAX_EXCHANGED and not complete else NONE
                while out >= 0 and not better and counters[0]["visits_left"] > 0:
                    better = start_with(problem, start_state, workspace, found, course, kept, out)
                    out -= 1
                improved = improved or better
        if not improved:
            break
    if counters[0]["visits_left"] <= 0:
        counters[0]["limited"] = 1


@jit(allocates=True)
def improve(problem: ProblemData, start_state: PlanState, workspace: Workspace, found: Found) -> bool:
    """Prune the trial, at whose end the state is; keep it if it is better than the best path; return whether it is."""
    if found.state.held.sum() < found.best.totals[0]["value"]:
        return False
    prune(problem, start_state, found.state, workspace, found.trial, found.scratch)
    if is_better(found.trial, found.best):
        copy_path(found.trial, found.best)
        return True
    return False


@jit(allocates=True)
def attainable_value(problem: ProblemData, start_state: PlanState, targets: Records) -> int:
    """Return the value after studying all targets."""
    held = start_state.held.copy()
    for target in targets["course"]:
        for place in range(problem.courses[target]["effect"], problem.courses[target + 1]["effect"]):
            slot = problem.effects[place]["slot"]
            held[slot] = max(held[slot], problem.effects[place]["value"])
    return int(held.sum())


@jit(allocates=True)
def spared_by_conditions(problem: ProblemData, start_state: PlanState, workspace: Workspace, targets: Records) -> Longs:
    """Return per condition the gain that its share of the closure costs stands for, over all targets.

    A target whose closure gains 8 for 10 hours, 5 of which are for a condition, adds 4 to that condition.
    """
    graph, condition_cost, counters = problem.graph, start_state.costs.condition_cost, workspace.counters
    spared, seen = np.zeros(len(condition_cost), np.int64), np.full(len(condition_cost), -1, np.int64)
    for place in range(len(targets)):
        if counters[0]["visits_left"] <= 0:
            break
        build_closure(problem, start_state, workspace, targets[place]["course"])
        gain, cost = counters[0]["gain"], counters[0]["cost"]
        for member in workspace.closure[: counters[0]["size"]]:
            branch = member - len(start_state.done)
            if branch < 0:
                conditions = graph.requires[graph.courses[member]["condition"] : graph.courses[member + 1]["condition"]]
            else:
                first, last = graph.branches[branch]["start"], graph.branches[branch + 1]["start"]
                conditions = graph.branch_conditions[first:last]
            for condition in conditions:
                alone = condition_cost[condition]
                if alone > 0 and seen[condition] != place:
                    seen[condition] = place
                    spared[condition] += gain * (min(alone, cost) // max(cost // 1000, 1)) // 1000
    return spared


@jit(allocates=True)
def starts_of(
    problem: ProblemData, start_state: PlanState, workspace: Workspace, targets: Records, complete: bool
) -> Longs:
    """Return the courses whose closures are tried as the start of a path, best first.

    They are scored by the gain of their closure and the cost that they spare others, per cost. `complete`: there is
    nothing more to gain, so only those that spare others something can lower the cost.
    """
    graph, counters = problem.graph, workspace.counters
    shares = spared_by_conditions(problem, start_state, workspace, targets)
    keys, found = np.zeros(MAX_STARTS, np.int64), np.full(MAX_STARTS, -1, np.int32)
    for course in range(len(start_state.done)):
        if start_state.costs.closure_cost[course] >= UNREACHABLE or counters[0]["visits_left"] <= 0:
            continue
        spared, own = ZERO, graph.courses[course]["own_condition"]
        if own >= 0:
            spared += shares[own]
        for row in range(graph.courses[course]["row"], graph.courses[course + 1]["row"]):
            skill = graph.rows[row]["skill"]
            for place in range(graph.skills[skill]["level"], graph.skills[skill + 1]["level"]):
                if graph.conditions[graph.level_index[place]]["level"] <= graph.rows[row]["high"]:
                    spared += shares[graph.level_index[place]]
        if complete and spared == 0:
            continue
        build_closure(problem, start_state, workspace, course)
        if fits(start_state, workspace):
            score = score_of(counters[0]["gain"] + spared, counters[0]["cost"], 1.0)
            if score > 0:
                insert_topk(keys, found, graph.courses, -score, wide(course))
    return found[found >= 0].astype(np.int64)


@jit(allocates=True)
def start_with(
    problem: ProblemData, start_state: PlanState, workspace: Workspace, found: Found, course: int, kept: int, out: int
) -> bool:
    """Try the closure of a course, then what fits of the first `kept` courses of the best path, then the greedy.

    The course at position `out` is not kept. Returns whether the path improved.
    """
    state, trial = found.state, found.trial
    copy_position(start_state, state)
    copy_costs(start_state, state)
    trial.totals[0]["size"] = 0
    add_closure(problem, state, workspace, course, trial)
    if kept > 0:
        workspace.counters[0]["visits_left"] -= kept
        for place in range(kept):
            other = found.best.courses[place]
            if place == out:
                continue
            room = problem.courses[other]["hours"] <= state.left[0]["hours"] and state.left[0]["steps"] > 0
            if room and not state.done[other] and admits(problem, state, other):
                study(problem, state, other)
                trial.courses[trial.totals[0]["size"]] = other
                trial.totals[0]["size"] += 1
        prune(problem, start_state, state, workspace, trial, found.scratch)
        if value_bound(problem, state, found.targets) < found.best.totals[0]["value"]:
            return False
        costs_from_start(problem, start_state, state, workspace)
    greedy(problem, state, workspace, found.targets, 1.0, NONE, trial, found.best.totals[0]["value"])
    return improve(problem, start_state, workspace, found)


@jit(allocates=True)
def drop_and_refill(problem: ProblemData, start_state: PlanState, workspace: Workspace, found: Found) -> bool:
    """Drop each course in turn and refill greedily without it as a target; return whether the path improved."""
    best, trial, state = found.best, found.trial, found.state
    improved, place = False, best.totals[0]["size"] - 1
    while place >= 0 and workspace.counters[0]["visits_left"] > 0:
        if place < best.totals[0]["size"]:
            out = best.courses[place]
            replay(problem, start_state, state, workspace, best, place, trial)
            prune(problem, start_state, state, workspace, trial, found.scratch)
            remaining = trial.totals[0]["size"]
            if value_bound(problem, state, found.targets) >= best.totals[0]["value"]:
                costs_from_start(problem, start_state, state, workspace)
                greedy(problem, state, workspace, found.targets, 1.0, out, trial, best.totals[0]["value"])
            if trial.totals[0]["size"] > remaining:
                better = improve(problem, start_state, workspace, found)
                improved = improved or better
        place -= 1
    return improved
