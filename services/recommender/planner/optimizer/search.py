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
from services.recommender.planner.index.vocabulary import Records
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
    ProblemData,
)
from services.recommender.planner.optimizer.state import (
    AVAILABLE,
    Workspace,
    admits,
    costs_from_start,
    study,
    study_and_update,
    value_held,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE

EXPONENTS = np.array(PARAMS.exponents)
MAX_PASSES = PARAMS.max_passes
MAX_STARTS = PARAMS.max_starts
BUDGET_SHARES = PARAMS.budget_shares
UNBOUNDED = 1 << 62


TARGET_DTYPE = np.dtype(
    [
        (field, np.int64)
        for field in (
            *("alternative", "upper_bound", "bound_cost"),
            *("initial_gain", "initial_cost", "initial_closure_cost"),
        )
    ]
)
"""A target: the closure of `alternative` scores at most `upper_bound` while its closure cost is `bound_cost`; its gain,
cost and closure cost at the start."""


TOTALS_DTYPE = np.dtype([("size", np.int64), ("value", np.int64), ("cost", np.int64)])
"""How many courses, the value held at their end, and their cost."""


class CoursePath(NamedTuple):
    """Courses in order of study."""

    alternatives: Longs
    """Their rows; the first `size` count."""
    totals: Records
    """(1,) TOTALS_DTYPE."""


@jit
def empty_path(problem: ProblemData) -> CoursePath:
    """Return an empty path."""
    return CoursePath(np.zeros(len(problem.alternatives) + 1, np.int64), np.zeros(1, TOTALS_DTYPE))


@jit
def targets_of(problem: ProblemData, state: Longs, workspace: Workspace) -> Records:
    """Return the reachable targets, by score at the start."""
    alternatives = np.flatnonzero(problem.alternatives["gap_effects_end"] > problem.alternatives["gap_effects"])
    targets = np.zeros(len(alternatives), TARGET_DTYPE)
    count = 0
    for place in range(len(alternatives)):
        alternative = int(alternatives[place])
        closure_cost = state[problem.offsets[0]["closure_costs"] + alternative]
        if (
            closure_cost < UNREACHABLE
            and workspace.counters[0]["visits_left"] > 0
            and has_marginal_gain(
                problem.alternatives, problem.adjacency, problem.offsets[0]["value_held"], state, alternative
            )
        ):
            build_closure(problem, state, workspace, alternative)
            targets[count]["alternative"], targets[count]["initial_closure_cost"] = alternative, closure_cost
            targets[count]["initial_gain"], targets[count]["initial_cost"] = (
                workspace.counters[0]["gain"],
                workspace.counters[0]["cost"],
            )
            targets[count]["upper_bound"] = score_of(workspace.counters[0]["gain"], workspace.counters[0]["cost"], 1.0)
            count += 1
    return targets[:count][np.argsort(-targets[:count]["upper_bound"], kind="mergesort")]


@jit
def reset_bounds(problem: ProblemData, state: Longs, targets: Records, exponent: float, excluded: int) -> None:
    """Reset the upper bounds. Gains only shrink, so a closure of unchanged cost cannot score above its first score."""
    for place in range(len(targets)):
        closure_cost = state[problem.offsets[0]["closure_costs"] + targets[place]["alternative"]]
        targets[place]["bound_cost"] = closure_cost
        if closure_cost >= UNREACHABLE or targets[place]["alternative"] == excluded:
            targets[place]["upper_bound"] = 0
        elif closure_cost == targets[place]["initial_closure_cost"]:
            targets[place]["upper_bound"] = score_of(
                targets[place]["initial_gain"], targets[place]["initial_cost"], exponent
            )
        else:
            targets[place]["upper_bound"] = UNBOUNDED


@jit
def invalidate_bounds(problem: ProblemData, state: Longs, targets: Records, excluded: int) -> None:
    """Forget the upper bound of every target whose closure cost has changed (lazy greedy, Minoux 1978)."""
    for place in range(len(targets)):
        closure_cost = state[problem.offsets[0]["closure_costs"] + targets[place]["alternative"]]
        if closure_cost != targets[place]["bound_cost"]:
            targets[place]["bound_cost"] = closure_cost
            targets[place]["upper_bound"] = (
                0 if closure_cost >= UNREACHABLE or targets[place]["alternative"] == excluded else UNBOUNDED
            )


@jit
def best_target(problem: ProblemData, state: Longs, workspace: Workspace, targets: Records, exponent: float) -> int:
    """Return the target of the highest score; of equals the higher cosine, the lower cost, the lower id; or -1."""
    alternatives, adjacency, held = problem.alternatives, problem.adjacency, problem.offsets[0]["value_held"]
    best, top, top_cost = NONE, -NONE, ZERO
    for place in range(len(targets)):
        if targets[place]["upper_bound"] < top:
            continue
        alternative = targets[place]["alternative"]
        score = (
            score_closure(problem, state, workspace, alternative, exponent)
            if has_marginal_gain(alternatives, adjacency, held, state, alternative)
            else 0
        )
        targets[place]["upper_bound"] = score
        cost = workspace.counters[0]["cost"]
        if score > top or (score == top and (best < 0 or precedes(problem, alternative, cost, best, top_cost))):
            best, top, top_cost = alternative, score, cost
    return int(best)


@jit
def greedy(
    problem: ProblemData,
    state: Longs,
    workspace: Workspace,
    targets: Records,
    exponent: float,
    excluded: int,
    path: CoursePath,
) -> None:
    """Add the best closures until none fits or closes anything, or the visits are spent; never that of `excluded`."""
    reset_bounds(problem, state, targets, exponent, excluded)
    while workspace.counters[0]["visits_left"] > 0:
        target = best_target(problem, state, workspace, targets, exponent)
        if target < 0:
            break
        add_closure(problem, state, workspace, target, path)
        invalidate_bounds(problem, state, targets, excluded)
    if workspace.counters[0]["visits_left"] <= 0:
        workspace.counters[0]["limited"] = 1


@jit
def add_closure(problem: ProblemData, state: Longs, workspace: Workspace, target: int, path: CoursePath) -> None:
    """Add the closure of a reachable target to the path."""
    build_closure(problem, state, workspace, target)
    count = topological_order(problem, state, workspace)
    if count > 1:
        count = drop_redundant(problem, state, workspace, count)
    size = path.totals[0]["size"]
    path.alternatives[size : size + count] = workspace.closure[:count]
    path.totals[0]["size"] += count
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
    """Replay a path from the start state without the course at `skip` and what then cannot be entered.

    The costs are not updated.
    """
    state[: problem.offsets[0]["closure_costs"]] = start_state[: problem.offsets[0]["closure_costs"]]
    alternatives, conditions, adjacency, offsets, steps, kept = (
        problem.alternatives,
        problem.conditions,
        problem.adjacency,
        problem.offsets,
        path.alternatives,
        remaining.alternatives,
    )
    size = paid = 0
    workspace.counters[0]["visits_left"] -= path.totals[0]["size"]
    for place in range(path.totals[0]["size"]):
        alternative = steps[place]
        if place != skip and admits(alternatives, conditions, adjacency, offsets, state, alternative):
            study(alternatives, adjacency, offsets, state, alternative)
            kept[size] = alternative
            size += 1
            paid += alternatives[alternative]["cost"]
    remaining.totals[0]["size"], remaining.totals[0]["value"], remaining.totals[0]["cost"] = (
        size,
        value_held(problem, state),
        paid,
    )


@jit
def copy_path(source: CoursePath, target: CoursePath) -> None:
    """Copy a path."""
    target.alternatives[: source.totals[0]["size"]] = source.alternatives[: source.totals[0]["size"]]
    target.totals[:] = source.totals


@jit
def sole_contributors(problem: ProblemData, start_state: Longs, path: CoursePath) -> Flags:
    """Return which courses of a path close what no other of its courses closes."""
    alternatives, adjacency, held = problem.alternatives, problem.adjacency, problem.offsets[0]["value_held"]
    first = start_state[held : problem.offsets[0]["levels"]].copy()
    second, holder = first.copy(), np.full(len(first), -1, np.int64)
    for place in range(path.totals[0]["size"]):
        alternative = path.alternatives[place]
        for gain in range(alternatives[alternative]["gap_effects"], alternatives[alternative]["gap_effects_end"], 2):
            gap, value = adjacency[gain], adjacency[gain + 1]
            if value > first[gap]:
                first[gap], second[gap], holder[gap] = value, first[gap], place
            elif value > second[gap]:
                second[gap] = value
    alone = np.zeros(path.totals[0]["size"], np.bool_)
    for gap in range(len(first)):
        if holder[gap] >= 0 and first[gap] > second[gap]:
            alone[holder[gap]] = True
    return alone


@jit
def prune(
    problem: ProblemData, start_state: Longs, state: Longs, workspace: Workspace, path: CoursePath, scratch: CoursePath
) -> None:
    """Drop, from the end, every course without which the rest is feasible and closes as much; `state`: at the end."""
    replay(problem, start_state, state, workspace, path, NONE, scratch)
    copy_path(scratch, path)
    alone = sole_contributors(problem, start_state, path)
    place = path.totals[0]["size"] - 1
    moved = False
    while place >= 0:
        if not alone[place]:
            replay(problem, start_state, state, workspace, path, place, scratch)
            moved = True
            if (
                scratch.totals[0]["value"] == path.totals[0]["value"]
                and scratch.totals[0]["size"] == path.totals[0]["size"] - 1
            ):
                copy_path(scratch, path)
                alone = sole_contributors(problem, start_state, path)
        place -= 1
    if moved:
        replay(problem, start_state, state, workspace, path, NONE, scratch)


@jit
def is_better(one: CoursePath, other: CoursePath) -> bool:
    """Return whether a path closes more than another, or as much at less cost."""
    if one.totals[0]["value"] != other.totals[0]["value"]:
        return bool(one.totals[0]["value"] > other.totals[0]["value"])
    return bool(one.totals[0]["cost"] < other.totals[0]["cost"])


class Found(NamedTuple):
    """The targets of a search, the best path found, and two paths and a state for further work."""

    targets: Records
    best: CoursePath
    trial: CoursePath
    scratch: CoursePath
    state: Longs


@jit
def search(problem: ProblemData, start_state: Longs, workspace: Workspace, exponents: NDArray[np.float64]) -> Found:
    """Return the best path after the fixed courses."""
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
    targets: Records,
    exponents: NDArray[np.float64],
    best: CoursePath,
    state: Longs,
    trial: CoursePath,
    scratch: CoursePath,
) -> None:
    """Fill `best` with the path after the fixed courses: greedy per exponent, then local search while it improves.

    Each exponent has an equal share of the visits, so that one that spends its share leaves the others theirs.
    """
    counters = workspace.counters
    best.totals[0]["value"] = -1
    remaining = counters[0]["visits_left"]
    share = remaining // BUDGET_SHARES
    for exponent in exponents:
        state[:] = start_state
        trial.totals[0]["size"] = 0
        counters[0]["visits_left"] = share
        greedy(problem, state, workspace, targets, exponent, NONE, trial)
        prune(problem, start_state, state, workspace, trial, scratch)
        if is_better(trial, best):
            copy_path(trial, best)
        remaining -= share - counters[0]["visits_left"]
    counters[0]["visits_left"] = remaining
    complete = best.totals[0]["value"] == attainable_value(problem, start_state, targets)
    starts = starts_of(problem, start_state, workspace, targets, complete)
    for course in starts:
        if counters[0]["visits_left"] > remaining // 2:
            start_with(problem, start_state, workspace, targets, course, best, state, trial, scratch, ZERO)
    for _ in range(MAX_PASSES):
        improved = drop_and_refill(problem, start_state, workspace, targets, best, state, trial, scratch)
        for course in starts:
            replay(problem, start_state, state, workspace, best, NONE, scratch)
            absent = state[problem.offsets[0]["status"] + course] == AVAILABLE
            adds = complete or has_marginal_gain(
                problem.alternatives, problem.adjacency, problem.offsets[0]["value_held"], state, course
            )
            if absent and adds and counters[0]["visits_left"] > 0:
                kept = best.totals[0]["size"]
                better = start_with(problem, start_state, workspace, targets, course, best, state, trial, scratch, kept)
                improved = improved or better
        if not improved:
            break
    if counters[0]["visits_left"] <= 0:
        counters[0]["limited"] = 1


@jit
def attainable_value(problem: ProblemData, start_state: Longs, targets: Records) -> int:
    """Return what is held once all targets are studied."""
    alternatives, adjacency = problem.alternatives, problem.adjacency
    held = start_state[problem.offsets[0]["value_held"] : problem.offsets[0]["levels"]].copy()
    for target in targets["alternative"]:
        for gain in range(alternatives[target]["gap_effects"], alternatives[target]["gap_effects_end"], 2):
            held[adjacency[gain]] = max(held[adjacency[gain]], adjacency[gain + 1])
    return int(held.sum())


@jit
def spared_by_conditions(problem: ProblemData, start_state: Longs, workspace: Workspace, targets: Records) -> Longs:
    """Return per condition the gain that its share in the cost of closures stands for, over all targets.

    A target whose closure gains 8 for 10 hours, 5 of which are for a condition, adds 4 to that condition.
    """
    alternatives, adjacency, reach = problem.alternatives, problem.adjacency, problem.offsets[0]["condition_costs"]
    spared, seen = np.zeros(len(problem.conditions), np.int64), np.full(len(problem.conditions), -1, np.int64)
    for place in range(len(targets)):
        if workspace.counters[0]["visits_left"] <= 0:
            break
        build_closure(problem, start_state, workspace, targets[place]["alternative"])
        gain, cost = workspace.counters[0]["gain"], workspace.counters[0]["cost"]
        for member in workspace.closure[: workspace.counters[0]["size"]]:
            for edge in range(alternatives[member]["conditions"], alternatives[member]["conditions_end"]):
                condition = adjacency[edge]
                alone = start_state[reach + condition]
                if alone > 0 and seen[condition] != place:
                    seen[condition] = place
                    spared[condition] += gain * (min(alone, cost) // max(cost // 1000, 1)) // 1000
    return spared


@jit
def starts_of(
    problem: ProblemData, start_state: Longs, workspace: Workspace, targets: Records, complete: bool
) -> Longs:
    """Return the courses whose closures are tried as the start of a path, best first.

    They are scored by what their closure gains and what they spare others, per cost. `complete`: there is nothing more
    to gain, so only those that spare others something may lower the cost.
    """
    alternatives, offsets, counters = problem.alternatives, problem.offsets, workspace.counters
    shares = spared_by_conditions(problem, start_state, workspace, targets)
    keys, found = np.zeros(MAX_STARTS, np.int64), np.full(MAX_STARTS, -1, np.int32)
    ranks = np.empty(len(alternatives), np.int64)
    ranks[:] = alternatives["rank"]
    for course in range(len(alternatives)):
        reachable = start_state[offsets[0]["closure_costs"] + course] < UNREACHABLE and counters[0]["visits_left"] > 0
        if not reachable or alternatives[course]["is_branch"]:
            continue
        spared = ZERO
        for place in range(alternatives[course]["satisfies"], alternatives[course]["satisfies_end"]):
            spared += shares[problem.adjacency[place]]
        if complete and spared == 0:
            continue
        build_closure(problem, start_state, workspace, course)
        if (
            counters[0]["hours"] <= start_state[offsets[0]["hours_left"]]
            and counters[0]["courses"] <= start_state[offsets[0]["steps_left"]]
        ):
            score = score_of(counters[0]["gain"] + spared, counters[0]["cost"], 1.0)
            if score > 0:
                insert_topk(keys, found, ranks, -score, course)
    return found[found >= 0].astype(np.int64)


@jit
def start_with(
    problem: ProblemData,
    start_state: Longs,
    workspace: Workspace,
    targets: Records,
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
    alternatives, conditions, adjacency, offsets = (
        problem.alternatives, problem.conditions, problem.adjacency, problem.offsets,
    )  # fmt: skip
    state[:] = start_state
    trial.totals[0]["size"] = 0
    add_closure(problem, state, workspace, course, trial)
    if kept > 0:
        workspace.counters[0]["visits_left"] -= kept
        for other in best.alternatives[:kept]:
            fits = (
                alternatives[other]["hours"] <= state[offsets[0]["hours_left"]] and state[offsets[0]["steps_left"]] > 0
            )
            open_to = fits and state[offsets[0]["status"] + other] == AVAILABLE
            if open_to and admits(alternatives, conditions, adjacency, offsets, state, other):
                study(alternatives, adjacency, offsets, state, other)
                trial.alternatives[trial.totals[0]["size"]] = other
                trial.totals[0]["size"] += 1
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
    targets: Records,
    best: CoursePath,
    state: Longs,
    trial: CoursePath,
    scratch: CoursePath,
) -> bool:
    """Drop each course in turn and refill greedily without it as a target; return whether the path improved."""
    improved, place = False, best.totals[0]["size"] - 1
    while place >= 0 and workspace.counters[0]["visits_left"] > 0:
        if place < best.totals[0]["size"]:
            out = best.alternatives[place]
            replay(problem, start_state, state, workspace, best, place, trial)
            prune(problem, start_state, state, workspace, trial, scratch)
            remaining = trial.totals[0]["size"]
            costs_from_start(problem, start_state, state, workspace)
            greedy(problem, state, workspace, targets, 1.0, out, trial)
            if trial.totals[0]["size"] > remaining:
                prune(problem, start_state, state, workspace, trial, scratch)
                if is_better(trial, best):
                    copy_path(trial, best)
                    improved = True
        place -= 1
    return improved
