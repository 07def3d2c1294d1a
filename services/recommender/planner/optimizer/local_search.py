"""Multi-start and local search: the greedy of each exponent, improved by starts and by exchanges.

starts      a path begins with the closure of one course, and the greedy continues it (partial enumeration). Starts are
            the courses whose closures, for their cost, gain most or save other closures most
exchanges   each course of the path in turn is left out; and the closure of each start is put before the path, whose
            courses stay if they still fit. The greedy fills the hours that are left
"""

import numpy as np
from numpy.typing import NDArray

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import NONE, ZERO, jit, wide
from services.recommender.planner.optimizer.candidates import empty_lists, insert_topk
from services.recommender.planner.optimizer.closure import build_closure, fits, has_marginal_gain
from services.recommender.planner.optimizer.closure_cost import score_of, unset
from services.recommender.planner.optimizer.course_path import Search, copy_path, is_better, prune, replay
from services.recommender.planner.optimizer.greedy import add_closure, attainable_value, greedy, value_bound
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import (
    PlanState,
    Workspace,
    admits,
    copy_state,
    costs_from_start,
    study,
    total_held,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE

MAX_PASSES = PARAMS.max_passes
MAX_STARTS = PARAMS.max_starts
BUDGET_SHARES = PARAMS.budget_shares


@jit()
def search_greedily(search: Search, exponents: NDArray[np.float64]) -> None:
    """Set `search.best` to the best path of the greedy, which runs once for each exponent of the cost.

    `exponents`: (E,). Each run has an equal share of the visits.
    """
    counters, best, trial, state = search.workspace.counters, search.best, search.trial, search.state
    best.totals[0]["value"] = -1
    remaining = counters[0]["visits_left"]
    share = remaining // BUDGET_SHARES
    for exponent in exponents:
        copy_state(search.start_state, state)
        trial.totals[0]["size"] = 0
        counters[0]["visits_left"] = share
        greedy(search, exponent, NONE, best.totals[0]["value"])
        improve(search)
        remaining -= share - counters[0]["visits_left"]
    counters[0]["visits_left"] = remaining


@jit(entry=True, allocates=True)
def search_locally(search: Search, exponents: NDArray[np.float64]) -> bool:
    """Improve `search.best` by starts, within half of the visits that are left, then by exchanges (see the module).

    `exponents`: if there are any, `search.best` is first replaced (`search_greedily`). Returns whether it then has the
    value that all targets together have.
    """
    if len(exponents) > 0:
        search_greedily(search, exponents)
    problem, start_state, state, best = search.problem, search.start_state, search.state, search.best
    counters = search.workspace.counters
    remaining = counters[0]["visits_left"]
    complete = best.totals[0]["value"] == attainable_value(problem, start_state, search.targets)
    starts = starts_of(problem, start_state, search.workspace, search.targets, complete)
    for course in starts:
        if counters[0]["visits_left"] > remaining // 2:
            start_with(search, course, ZERO)
    for _ in range(MAX_PASSES):
        improved = drop_and_refill(search)
        for course in starts:
            replay(search, state, best, NONE, search.scratch)
            adds = complete or has_marginal_gain(problem, state, course)
            if not state.done[course] and adds and counters[0]["visits_left"] > 0:
                better = start_with(search, course, best.totals[0]["size"])
                improved = improved or better
        if not improved:
            break
    if counters[0]["visits_left"] <= 0:
        counters[0]["limited"] = 1
    return bool(complete)


@jit()
def improve(search: Search) -> bool:
    """Prune the trial; it becomes the best path if it is better. Return whether it is better."""
    trial, best = search.trial, search.best
    if total_held(search.state.held) < best.totals[0]["value"]:
        return False
    prune(search, search.state, trial)
    if is_better(trial, best):
        copy_path(trial, best)
        return True
    return False


@jit()
def drop_and_refill(search: Search) -> bool:
    """Drop each course of the best path in turn, and fill the hours by the greedy without that course as a target.

    Returns whether the path improved.
    """
    problem, start_state, workspace = search.problem, search.start_state, search.workspace
    best, trial, state = search.best, search.trial, search.state
    improved, place = False, best.totals[0]["size"] - 1
    while place >= 0 and workspace.counters[0]["visits_left"] > 0:
        if place < best.totals[0]["size"]:
            out = best.courses[place]
            replay(search, state, best, place, trial)
            prune(search, state, trial)
            remaining = trial.totals[0]["size"]
            if value_bound(problem, state, workspace, search.targets) >= best.totals[0]["value"]:
                costs_from_start(problem, start_state, state, workspace)
                greedy(search, 1.0, out, best.totals[0]["value"])
            if trial.totals[0]["size"] > remaining:
                better = improve(search)
                improved = improved or better
        place -= 1
    return improved


@jit()
def start_with(search: Search, course: int, size: int) -> bool:
    """Try a path: the closure of `course`, then courses of the best path, then what the greedy adds.

    The courses of the best path are those of its first `size` that still fit. Returns whether the best path improved.
    """
    problem, start_state, workspace = search.problem, search.start_state, search.workspace
    state, trial, best = search.state, search.trial, search.best
    copy_state(start_state, state)
    trial.totals[0]["size"] = 0
    add_closure(problem, state, workspace, course, trial)
    if size > 0:
        workspace.counters[0]["visits_left"] -= size
        for place in range(size):
            other = best.courses[place]
            room = problem.courses[other]["hours"] <= state.left[0]["hours"] and state.left[0]["steps"] > 0
            if room and not state.done[other] and admits(problem, state, other):
                study(problem, state, other)
                trial.courses[trial.totals[0]["size"]] = other
                trial.totals[0]["size"] += 1
        prune(search, state, trial)
        if value_bound(problem, state, workspace, search.targets) < best.totals[0]["value"]:
            return False
        costs_from_start(problem, start_state, state, workspace)
    greedy(search, 1.0, NONE, best.totals[0]["value"])
    return improve(search)


@jit(allocates=True)
def starts_of(problem: ProblemData, state: PlanState, workspace: Workspace, targets: Records, complete: bool) -> Longs:
    """Return the rows of at most MAX_STARTS courses whose closures are tried in a state, best first.

    The score is the gain of the closure, plus what the course spares the closures of the targets
    (`spared_by_conditions`), per cost. `complete`: there is nothing more to gain, so only courses that spare others
    something can lower the cost.
    """
    graph, counters = problem.graph, workspace.counters
    shares = spared_by_conditions(problem, state, workspace, targets)
    keys, found = empty_lists(wide(1), wide(MAX_STARTS), ZERO)
    for course in range(len(state.done)):
        if state.costs.closure_cost[course] >= UNREACHABLE or counters[0]["visits_left"] <= 0:
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
        build_closure(problem, state, workspace, course)
        if fits(state, workspace):
            score = score_of(counters[0]["gain"] + spared, counters[0]["cost"], 1.0)
            if score > 0:
                insert_topk(keys[0], found[0], graph.courses, -score, wide(course))
    count = 0
    while count < MAX_STARTS and found[0, count] >= 0:
        count += 1
    starts: Longs = found[0, :count].astype(np.int64)
    return starts


@jit(allocates=True)
def spared_by_conditions(problem: ProblemData, start_state: PlanState, workspace: Workspace, targets: Records) -> Longs:
    """Return (M,) for each condition the sum of its shares in the gains of all targets, in micro-levels.

    A target whose closure gains 8 for 10 hours, 5 of which are for a condition, adds 4 to that condition.
    """
    graph, condition_cost, counters = problem.graph, start_state.costs.condition_cost, workspace.counters
    spared, seen = np.zeros(len(condition_cost), np.int64), unset(len(condition_cost))
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
