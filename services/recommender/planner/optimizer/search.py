"""T0 and T1 over one officer's problem: greedy by gain per cost; then multi-start and local search.

T0 is a greedy: again and again the closure worth most per cost that still fits. T1 is the best of

    exponents   the greedy with the cost to several powers
    starts      the greedy after the closure of one course (partial enumeration), for those courses that close most, or
                spare other closures most, for their cost: a course that serves several conditions counts once
    exchanges   local search: without each course of the path in turn; and with each start that closes more than the
                path put first, what still fits of the path kept, and the greedy for the rest

all without what loses nothing. A path is better when it closes more, and of equals when it costs less. Where the visits
of the plan are spent, the best path so far stands.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import NONE, ZERO, jit
from services.recommender.planner.optimizer.candidates import insert_topk
from services.recommender.planner.optimizer.closure import (
    build_closure,
    drop_redundant,
    has_marginal_gain,
    precedes,
    score_closure,
    topological_order,
)
from services.recommender.planner.optimizer.closure_cost import Flags, score_of
from services.recommender.planner.optimizer.instance import (
    BRANCH,
    COST,
    DOORS,
    GAINS,
    GAINS_END,
    HELD,
    HOURS,
    HOURS_LEFT,
    MEETS,
    MEETS_END,
    NEEDS,
    NEEDS_END,
    PRICES,
    RANK,
    REACH,
    STATUS,
    STEPS_LEFT,
    ProblemData,
)
from services.recommender.planner.optimizer.state import (
    ALL_COST,
    ALL_HOURS,
    AVAILABLE,
    COUNT,
    EVALUATIONS_LEFT,
    GAIN,
    LIMITED,
    MEMBERS,
    Workspace,
    admits,
    costs_from_start,
    study,
    study_and_update,
    value_held,
)
from services.recommender.planner.units import UNREACHABLE

EXPONENTS = np.array([1.0, 0.8, 0.6, 0.4, 0.1])
MAX_PASSES = 2
"""So many times the swaps begin anew after one that was worth it."""

MAX_STARTS = 24
"""Courses whose closure is tried as the start of a path."""

BUDGET_SHARES = 8
"""Each exponent may spend one visit in so many; all starts half of what is left then, and the exchanges the rest."""

UNBOUNDED = 1 << 62


WAY, UPPER_BOUND, AT_PRICE, FIRST_GAIN, FIRST_COST, FIRST_PRICE = range(6)


class CoursePath(NamedTuple):
    """Ways in order of study; `counters`: how many, what is held at their end, and what they cost."""

    alternatives: Longs
    counters: Longs


SIZE, WORTH, PAID = range(3)


@jit
def empty_path(problem: ProblemData) -> CoursePath:
    """Return an empty route."""
    return CoursePath(np.zeros(len(problem.alternatives) + 1, np.int64), np.zeros(3, np.int64))


@jit
def targets_of(problem: ProblemData, state: Longs, workspace: Workspace) -> Longs:
    """Return the candidates in reach, by score at the start.

    Columns: WAY; no bundle of it scores more than its UPPER_BOUND, found AT_PRICE; gain, cost and price at the start.
    """
    alternatives = np.flatnonzero(problem.alternatives[:, GAINS_END] > problem.alternatives[:, GAINS])
    targets = np.zeros((len(alternatives), 6), np.int64)
    count = 0
    for place in range(len(alternatives)):
        alternative = int(alternatives[place])
        closure_cost = state[problem.at[PRICES] + alternative]
        if (
            closure_cost < UNREACHABLE
            and workspace.counters[EVALUATIONS_LEFT] > 0
            and has_marginal_gain(problem.alternatives, problem.adjacency, problem.at[HELD], state, alternative)
        ):
            build_closure(problem, state, workspace, alternative)
            targets[count, WAY], targets[count, FIRST_PRICE] = alternative, closure_cost
            targets[count, FIRST_GAIN], targets[count, FIRST_COST] = (
                workspace.counters[GAIN],
                workspace.counters[ALL_COST],
            )
            targets[count, UPPER_BOUND] = score_of(workspace.counters[GAIN], workspace.counters[ALL_COST], 1.0)
            count += 1
    return targets[:count][np.argsort(-targets[:count, UPPER_BOUND], kind="mergesort")]


@jit
def reset_bounds(problem: ProblemData, state: Longs, targets: Longs, exponent: float, excluded: int) -> None:
    """Set the ceilings anew: what was worth so much at the start, and has the price of then, is not worth more now."""
    for place in range(len(targets)):
        closure_cost = state[problem.at[PRICES] + targets[place, WAY]]
        targets[place, AT_PRICE] = closure_cost
        if closure_cost >= UNREACHABLE or targets[place, WAY] == excluded:
            targets[place, UPPER_BOUND] = 0
        elif closure_cost == targets[place, FIRST_PRICE]:
            targets[place, UPPER_BOUND] = score_of(targets[place, FIRST_GAIN], targets[place, FIRST_COST], exponent)
        else:
            targets[place, UPPER_BOUND] = UNBOUNDED


@jit
def invalidate_bounds(problem: ProblemData, state: Longs, targets: Longs, excluded: int) -> None:
    """Forget the ceiling of every bundle whose price has changed: an unchanged price is an unchanged bundle."""
    for place in range(len(targets)):
        closure_cost = state[problem.at[PRICES] + targets[place, WAY]]
        if closure_cost != targets[place, AT_PRICE]:
            targets[place, AT_PRICE] = closure_cost
            targets[place, UPPER_BOUND] = (
                0 if closure_cost >= UNREACHABLE or targets[place, WAY] == excluded else UNBOUNDED
            )


@jit
def best_target(problem: ProblemData, state: Longs, workspace: Workspace, targets: Longs, exponent: float) -> int:
    """Return the course whose bundle scores most; then the higher cosine, the lower cost, the lower id; or -1."""
    alternatives, adjacency, held = problem.alternatives, problem.adjacency, problem.at[HELD]
    best, top, top_cost = NONE, -NONE, ZERO
    for place in range(len(targets)):
        if targets[place, UPPER_BOUND] < top:
            continue
        alternative = targets[place, WAY]
        score = (
            score_closure(problem, state, workspace, alternative, exponent)
            if has_marginal_gain(alternatives, adjacency, held, state, alternative)
            else 0
        )
        targets[place, UPPER_BOUND] = score
        cost = workspace.counters[ALL_COST]
        if score > top or (score == top and (best < 0 or precedes(problem, alternative, cost, best, top_cost))):
            best, top, top_cost = alternative, score, cost
    return int(best)


@jit
def greedy(
    problem: ProblemData,
    state: Longs,
    workspace: Workspace,
    targets: Longs,
    exponent: float,
    excluded: int,
    path: CoursePath,
) -> None:
    """Take bundles until none fits or closes anything, or the fuel is spent. `excluded` is the goal of none of them."""
    reset_bounds(problem, state, targets, exponent, excluded)
    while workspace.counters[EVALUATIONS_LEFT] > 0:
        target = best_target(problem, state, workspace, targets, exponent)
        if target < 0:
            break
        add_closure(problem, state, workspace, target, path)
        invalidate_bounds(problem, state, targets, excluded)
    if workspace.counters[EVALUATIONS_LEFT] <= 0:
        workspace.counters[LIMITED] = 1


@jit
def add_closure(problem: ProblemData, state: Longs, workspace: Workspace, target: int, path: CoursePath) -> None:
    """Take the bundle of a goal that is in reach."""
    build_closure(problem, state, workspace, target)
    count = topological_order(problem, state, workspace)
    if count > 1:
        count = drop_redundant(problem, state, workspace, count)
    size = path.counters[SIZE]
    path.alternatives[size : size + count] = workspace.closure[:count]
    path.counters[SIZE] += count
    study_and_update(problem, state, workspace, workspace.closure[:count])


@jit
def replay(
    problem: ProblemData,
    start_state: Longs,
    state: Longs,
    workspace: Workspace,
    path: CoursePath,
    skip: int,
    remaining: CoursePath,
) -> None:
    """Walk a route from the seeded standing, without one place of it and what can then not be entered.

    Prices are not told anew.
    """
    state[: problem.at[PRICES]] = start_state[: problem.at[PRICES]]
    alternatives, conditions, adjacency, at, steps, kept = (
        problem.alternatives,
        problem.conditions,
        problem.adjacency,
        problem.at,
        path.alternatives,
        remaining.alternatives,
    )
    size = paid = 0
    workspace.counters[EVALUATIONS_LEFT] -= path.counters[SIZE]
    for place in range(path.counters[SIZE]):
        alternative = steps[place]
        if place != skip and admits(alternatives, conditions, adjacency, at, state, alternative):
            study(alternatives, adjacency, at, state, alternative)
            kept[size] = alternative
            size += 1
            paid += alternatives[alternative, COST]
    remaining.counters[SIZE], remaining.counters[WORTH], remaining.counters[PAID] = (
        size,
        value_held(problem, state),
        paid,
    )


@jit
def copy_path(source: CoursePath, target: CoursePath) -> None:
    """Make one route what another is."""
    target.alternatives[: source.counters[SIZE]] = source.alternatives[: source.counters[SIZE]]
    target.counters[:] = source.counters


@jit
def sole_contributors(problem: ProblemData, start_state: Longs, path: CoursePath) -> Flags:
    """Return which courses of a route close what no other of it does."""
    alternatives, adjacency, held = problem.alternatives, problem.adjacency, problem.at[HELD]
    first = start_state[held : problem.at[DOORS]].copy()
    second, holder = first.copy(), np.full(len(first), -1, np.int64)
    for place in range(path.counters[SIZE]):
        alternative = path.alternatives[place]
        for gain in range(alternatives[alternative, GAINS], alternatives[alternative, GAINS_END], 2):
            gap, value = adjacency[gain], adjacency[gain + 1]
            if value > first[gap]:
                first[gap], second[gap], holder[gap] = value, first[gap], place
            elif value > second[gap]:
                second[gap] = value
    alone = np.zeros(path.counters[SIZE], np.bool_)
    for gap in range(len(first)):
        if holder[gap] >= 0 and first[gap] > second[gap]:
            alone[holder[gap]] = True
    return alone


@jit
def prune(
    problem: ProblemData, start_state: Longs, state: Longs, workspace: Workspace, path: CoursePath, scratch: CoursePath
) -> None:
    """Drop, from the end, every course whose loss loses nothing and shuts no door; leave the now at the end."""
    replay(problem, start_state, state, workspace, path, NONE, scratch)
    copy_path(scratch, path)
    alone = sole_contributors(problem, start_state, path)
    place = path.counters[SIZE] - 1
    moved = False
    while place >= 0:
        if not alone[place]:
            replay(problem, start_state, state, workspace, path, place, scratch)
            moved = True
            if scratch.counters[WORTH] == path.counters[WORTH] and scratch.counters[SIZE] == path.counters[SIZE] - 1:
                copy_path(scratch, path)
                alone = sole_contributors(problem, start_state, path)
        place -= 1
    if moved:
        replay(problem, start_state, state, workspace, path, NONE, scratch)


@jit
def is_better(one: CoursePath, other: CoursePath) -> bool:
    """Return whether a route closes more than another, or as much at less cost."""
    if one.counters[WORTH] != other.counters[WORTH]:
        return bool(one.counters[WORTH] > other.counters[WORTH])
    return bool(one.counters[PAID] < other.counters[PAID])


class Found(NamedTuple):
    """The `targets` of a search, the `best` route found, and two routes and a standing to go on working with."""

    targets: Longs
    best: CoursePath
    trial: CoursePath
    scratch: CoursePath
    state: Longs


@jit
def search(problem: ProblemData, start_state: Longs, workspace: Workspace, exponents: NDArray[np.float64]) -> Found:
    """Return what T0 and T1 find after the seeds."""
    found = Found(
        targets_of(problem, start_state, workspace),
        empty_path(problem),
        empty_path(problem),
        empty_path(problem),
        np.empty_like(start_state),
    )
    run_search(
        problem, start_state, workspace, found.targets, exponents, found.best, found.state, found.trial, found.scratch
    )
    return found


@jit
def run_search(
    problem: ProblemData,
    start_state: Longs,
    workspace: Workspace,
    targets: Longs,
    exponents: NDArray[np.float64],
    best: CoursePath,
    state: Longs,
    trial: CoursePath,
    scratch: CoursePath,
) -> None:
    """Fill `best` with the path after the seeds: T0 per exponent, starts, then exchanges while they are worth it.

    Each exponent has an equal share of the fuel, so that one that runs out leaves the others theirs.
    """
    counters = workspace.counters
    best.counters[WORTH] = -1
    remaining = counters[EVALUATIONS_LEFT]
    share = remaining // BUDGET_SHARES
    for exponent in exponents:
        state[:] = start_state
        trial.counters[SIZE] = 0
        counters[EVALUATIONS_LEFT] = share
        greedy(problem, state, workspace, targets, exponent, NONE, trial)
        prune(problem, start_state, state, workspace, trial, scratch)
        if is_better(trial, best):
            copy_path(trial, best)
        remaining -= share - counters[EVALUATIONS_LEFT]
    counters[EVALUATIONS_LEFT] = remaining
    complete = best.counters[WORTH] == attainable_value(problem, start_state, targets)
    starts = starts_of(problem, start_state, workspace, targets, complete)
    for course in starts:
        if counters[EVALUATIONS_LEFT] > remaining // 2:
            kept = best.counters[SIZE] if complete else ZERO
            start_with(problem, start_state, workspace, targets, course, best, state, trial, scratch, kept)
    for _ in range(MAX_PASSES):
        improved = drop_and_refill(problem, start_state, workspace, targets, best, state, trial, scratch)
        for course in starts[: 0 if complete else len(starts)]:
            replay(problem, start_state, state, workspace, best, NONE, scratch)
            adds = has_marginal_gain(problem.alternatives, problem.adjacency, problem.at[HELD], state, course)
            if adds and counters[EVALUATIONS_LEFT] > 0:
                kept = best.counters[SIZE]
                better = start_with(problem, start_state, workspace, targets, course, best, state, trial, scratch, kept)
                improved = improved or better
        if not improved:
            break
    if counters[EVALUATIONS_LEFT] <= 0:
        counters[LIMITED] = 1


@jit
def attainable_value(problem: ProblemData, start_state: Longs, targets: Longs) -> int:
    """Return what is held once all targets are studied."""
    alternatives, adjacency = problem.alternatives, problem.adjacency
    held = start_state[problem.at[HELD] : problem.at[DOORS]].copy()
    for target in targets[:, WAY]:
        for gain in range(alternatives[target, GAINS], alternatives[target, GAINS_END], 2):
            held[adjacency[gain]] = max(held[adjacency[gain]], adjacency[gain + 1])
    return int(held.sum())


@jit
def spared_by_conditions(problem: ProblemData, start_state: Longs, workspace: Workspace, targets: Longs) -> Longs:
    """Return per condition the gain that its share in the cost of closures stands for, over all targets.

    A target whose closure gains 8 for 10 hours, 5 of which are for a condition, adds 4 to that condition.
    """
    alternatives, adjacency, reach = problem.alternatives, problem.adjacency, problem.at[REACH]
    spared, seen = np.zeros(len(problem.conditions), np.int64), np.full(len(problem.conditions), -1, np.int64)
    for place in range(len(targets)):
        if workspace.counters[EVALUATIONS_LEFT] <= 0:
            break
        build_closure(problem, start_state, workspace, targets[place, WAY])
        gain, cost = workspace.counters[GAIN], workspace.counters[ALL_COST]
        for member in workspace.closure[: workspace.counters[MEMBERS]]:
            for edge in range(alternatives[member, NEEDS], alternatives[member, NEEDS_END]):
                condition = adjacency[edge]
                alone = start_state[reach + condition]
                if alone > 0 and seen[condition] != place:
                    seen[condition] = place
                    spared[condition] += gain * (min(alone, cost) // max(cost // 1000, 1)) // 1000
    return spared


@jit
def starts_of(problem: ProblemData, start_state: Longs, workspace: Workspace, targets: Longs, complete: bool) -> Longs:
    """Return the courses whose closures are tried as the start of a path, best first.

    They are scored by what their closure gains and what they spare others, per cost. `complete`: there is nothing more
    to gain, so only those that spare others something may lower the cost.
    """
    alternatives, at, counters = problem.alternatives, problem.at, workspace.counters
    shares = spared_by_conditions(problem, start_state, workspace, targets)
    keys, found = np.zeros(MAX_STARTS, np.int64), np.full(MAX_STARTS, -1, np.int32)
    ranks = alternatives[:, RANK].copy()
    for course in range(len(alternatives)):
        reachable = start_state[at[PRICES] + course] < UNREACHABLE and counters[EVALUATIONS_LEFT] > 0
        if not reachable or alternatives[course, BRANCH]:
            continue
        spared = ZERO
        for place in range(alternatives[course, MEETS], alternatives[course, MEETS_END]):
            spared += shares[problem.adjacency[place]]
        if complete and spared == 0:
            continue
        build_closure(problem, start_state, workspace, course)
        if counters[ALL_HOURS] <= start_state[HOURS_LEFT] and counters[COUNT] <= start_state[STEPS_LEFT]:
            score = score_of(counters[GAIN] + spared, counters[ALL_COST], 1.0)
            if score > 0:
                insert_topk(keys, found, ranks, -score, course)
    return found[found >= 0].astype(np.int64)


@jit
def start_with(
    problem: ProblemData,
    start_state: Longs,
    workspace: Workspace,
    targets: Longs,
    course: int,
    best: CoursePath,
    state: Longs,
    trial: CoursePath,
    scratch: CoursePath,
    kept: int,
) -> bool:
    """Try the closure of a course, then what fits of the first `kept` courses of the best path, then the greedy.

    Returns whether that made the path better.
    """
    alternatives, conditions, adjacency, at = problem.alternatives, problem.conditions, problem.adjacency, problem.at
    state[:] = start_state
    trial.counters[SIZE] = 0
    add_closure(problem, state, workspace, course, trial)
    if kept > 0:
        workspace.counters[EVALUATIONS_LEFT] -= kept
        for other in best.alternatives[:kept]:
            fits = alternatives[other, HOURS] <= state[HOURS_LEFT] and state[STEPS_LEFT] > 0
            open_to = fits and state[at[STATUS] + other] == AVAILABLE
            if open_to and admits(alternatives, conditions, adjacency, at, state, other):
                study(alternatives, adjacency, at, state, other)
                trial.alternatives[trial.counters[SIZE]] = other
                trial.counters[SIZE] += 1
        prune(problem, start_state, state, workspace, trial, scratch)
        costs_from_start(problem, start_state, state, workspace)
    greedy(problem, state, workspace, targets, 1.0, NONE, trial)
    prune(problem, start_state, state, workspace, trial, scratch)
    if is_better(trial, best):
        copy_path(trial, best)
        return True
    return False


@jit
def drop_and_refill(
    problem: ProblemData,
    start_state: Longs,
    workspace: Workspace,
    targets: Longs,
    best: CoursePath,
    state: Longs,
    trial: CoursePath,
    scratch: CoursePath,
) -> bool:
    """Try without each course of the path in turn, as a goal of its own; return whether that made it better."""
    improved, place = False, best.counters[SIZE] - 1
    while place >= 0 and workspace.counters[EVALUATIONS_LEFT] > 0:
        if place < best.counters[SIZE]:
            out = best.alternatives[place]
            replay(problem, start_state, state, workspace, best, place, trial)
            prune(problem, start_state, state, workspace, trial, scratch)
            remaining = trial.counters[SIZE]
            costs_from_start(problem, start_state, state, workspace)
            greedy(problem, state, workspace, targets, 1.0, out, trial)
            if trial.counters[SIZE] > remaining:
                prune(problem, start_state, state, workspace, trial, scratch)
                if is_better(trial, best):
                    copy_path(trial, best)
                    improved = True
        place -= 1
    return improved
