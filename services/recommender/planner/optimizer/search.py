"""T0 and T1 over one officer's problem: greedy by gain per cost; then other beginnings and local search.

T0 is a greedy: again and again the bundle worth most per cost that still fits. T1 is the best of

    exponents   the greedy with the cost to several powers
    beginnings  the greedy after the bundle of one course, for those that close most, or make most of what closes
                cheaper, for their cost (partial enumeration): a course that serves several needs counts once
    exchange    local search: without each course of the path in turn; and with each of the beginnings that closes more
                put first, what still fits of the path kept, and the greedy for the rest

all without what loses nothing. A path is better when it closes more, and of equals when it costs less. Where the visits
of the plan are spent, the best path so far stands.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO
from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import NONE, ZERO, kernel
from services.recommender.planner.optimizer.candidates import enter
from services.recommender.planner.optimizer.closure import (
    adds,
    assemble,
    bid,
    in_order,
    lean,
    precedes,
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
    Problem,
)
from services.recommender.planner.optimizer.state import (
    ALL_COST,
    ALL_HOURS,
    COUNT,
    CUT,
    FREE,
    FUEL,
    GAIN,
    MEMBERS,
    Bench,
    admits,
    held_in,
    price_from,
    study,
    study_on,
)
from services.recommender.planner.units import FAR

EXPONENTS = np.array([1.0, 0.8, 0.6, 0.4, 0.1])
ROUNDS = 2
"""So many times the swaps begin anew after one that was worth it."""

BEGINNINGS = 24
"""So many courses are tried as the beginning of a path."""

SHARES = 8
"""Of the fuel, each exponent may spend one part in so many, all beginnings as much as all exponents may not."""

_ANY = 1 << 62


WAY, CEILING, AT_PRICE, FIRST_GAIN, FIRST_COST, FIRST_PRICE = range(6)


class Route(NamedTuple):
    """Ways in order of study; `figures`: how many, what is held at their end, and what they cost."""

    ways: Longs
    figures: Longs


SIZE, WORTH, PAID = range(3)


@kernel
def route_of(problem: Problem) -> Route:
    """Return an empty route."""
    return Route(np.zeros(len(problem.ways) + 1, np.int64), np.zeros(3, np.int64))


@kernel
def goals_of(problem: Problem, now: Longs, bench: Bench) -> Longs:
    """Return the candidates in reach, by score at the start.

    Columns: WAY; no bundle of it scores more than its CEILING, found AT_PRICE; gain, cost and price at the start.
    """
    ways = np.flatnonzero(problem.ways[:, GAINS_END] > problem.ways[:, GAINS])
    goals = np.zeros((len(ways), 6), np.int64)
    count = 0
    for place in range(len(ways)):
        way = int(ways[place])
        price = now[problem.at[PRICES] + way]
        if price < FAR and bench.figures[FUEL] > 0 and adds(problem.ways, problem.links, problem.at[HELD], now, way):
            assemble(problem, now, bench, way)
            goals[count, WAY], goals[count, FIRST_PRICE] = way, price
            goals[count, FIRST_GAIN], goals[count, FIRST_COST] = bench.figures[GAIN], bench.figures[ALL_COST]
            goals[count, CEILING] = score_of(bench.figures[GAIN], bench.figures[ALL_COST], 1.0)
            count += 1
    return goals[:count][np.argsort(-goals[:count, CEILING], kind="mergesort")]


@kernel
def set_ceilings(problem: Problem, now: Longs, goals: Longs, exponent: float, banned: int) -> None:
    """Set the ceilings anew: what was worth so much at the start, and has the price of then, is not worth more now."""
    for place in range(len(goals)):
        price = now[problem.at[PRICES] + goals[place, WAY]]
        goals[place, AT_PRICE] = price
        if price >= FAR or goals[place, WAY] == banned:
            goals[place, CEILING] = 0
        elif price == goals[place, FIRST_PRICE]:
            goals[place, CEILING] = score_of(goals[place, FIRST_GAIN], goals[place, FIRST_COST], exponent)
        else:
            goals[place, CEILING] = _ANY


@kernel
def lift_ceilings(problem: Problem, now: Longs, goals: Longs, banned: int) -> None:
    """Forget the ceiling of every bundle whose price has changed: an unchanged price is an unchanged bundle."""
    for place in range(len(goals)):
        price = now[problem.at[PRICES] + goals[place, WAY]]
        if price != goals[place, AT_PRICE]:
            goals[place, AT_PRICE] = price
            goals[place, CEILING] = 0 if price >= FAR or goals[place, WAY] == banned else _ANY


@kernel
def best_goal(problem: Problem, now: Longs, bench: Bench, goals: Longs, exponent: float) -> int:
    """Return the course whose bundle scores most; then the higher cosine, the lower cost, the lower id; or -1."""
    ways, links, held = problem.ways, problem.links, problem.at[HELD]
    best, top, top_cost = NONE, -NONE, ZERO
    for place in range(len(goals)):
        if goals[place, CEILING] < top:
            continue
        way = goals[place, WAY]
        score = bid(problem, now, bench, way, exponent) if adds(ways, links, held, now, way) else 0
        goals[place, CEILING] = score
        cost = bench.figures[ALL_COST]
        if score > top or (score == top and (best < 0 or precedes(problem, way, cost, best, top_cost))):
            best, top, top_cost = way, score, cost
    return int(best)


@kernel
def greedy(
    problem: Problem, now: Longs, bench: Bench, goals: Longs, exponent: float, banned: int, route: Route
) -> None:
    """Take bundles until none fits or closes anything, or the fuel is spent. `banned` is the goal of none of them."""
    set_ceilings(problem, now, goals, exponent, banned)
    while bench.figures[FUEL] > 0:
        goal = best_goal(problem, now, bench, goals, exponent)
        if goal < 0:
            break
        take(problem, now, bench, goal, route)
        lift_ceilings(problem, now, goals, banned)
    if bench.figures[FUEL] <= 0:
        bench.figures[CUT] = 1


@kernel
def take(problem: Problem, now: Longs, bench: Bench, goal: int, route: Route) -> None:
    """Take the bundle of a goal that is in reach."""
    assemble(problem, now, bench, goal)
    count = in_order(problem, now, bench)
    if count > 1:
        count = lean(problem, now, bench, count)
    size = route.figures[SIZE]
    route.ways[size : size + count] = bench.members[:count]
    route.figures[SIZE] += count
    study_on(problem, now, bench, bench.members[:count])


@kernel
def replay(problem: Problem, seeded: Longs, now: Longs, bench: Bench, route: Route, skip: int, left: Route) -> None:
    """Walk a route from the seeded standing, without one place of it and what can then not be entered.

    Prices are not told anew.
    """
    now[: problem.at[PRICES]] = seeded[: problem.at[PRICES]]
    ways, needs, links, at, steps, kept = problem.ways, problem.needs, problem.links, problem.at, route.ways, left.ways
    size = paid = 0
    bench.figures[FUEL] -= route.figures[SIZE]
    for place in range(route.figures[SIZE]):
        way = steps[place]
        if place != skip and admits(ways, needs, links, at, now, way):
            study(ways, links, at, now, way)
            kept[size] = way
            size += 1
            paid += ways[way, COST]
    left.figures[SIZE], left.figures[WORTH], left.figures[PAID] = size, held_in(problem, now), paid


@kernel
def copy_route(source: Route, target: Route) -> None:
    """Make one route what another is."""
    target.ways[: source.figures[SIZE]] = source.ways[: source.figures[SIZE]]
    target.figures[:] = source.figures


@kernel
def needed(problem: Problem, seeded: Longs, route: Route) -> Flags:
    """Return which courses of a route close what no other of it does."""
    ways, links, held = problem.ways, problem.links, problem.at[HELD]
    first = seeded[held : problem.at[DOORS]].copy()
    second, holder = first.copy(), np.full(len(first), -1, np.int64)
    for place in range(route.figures[SIZE]):
        way = route.ways[place]
        for gain in range(ways[way, GAINS], ways[way, GAINS_END], 2):
            gap, worth = links[gain], links[gain + 1]
            if worth > first[gap]:
                first[gap], second[gap], holder[gap] = worth, first[gap], place
            elif worth > second[gap]:
                second[gap] = worth
    alone = np.zeros(route.figures[SIZE], np.bool_)
    for gap in range(len(first)):
        if holder[gap] >= 0 and first[gap] > second[gap]:
            alone[holder[gap]] = True
    return alone


@kernel
def prune(problem: Problem, seeded: Longs, now: Longs, bench: Bench, route: Route, spare: Route) -> None:
    """Drop, from the end, every course whose loss loses nothing and shuts no door; leave the now at the end."""
    replay(problem, seeded, now, bench, route, NONE, spare)
    copy_route(spare, route)
    alone = needed(problem, seeded, route)
    place = route.figures[SIZE] - 1
    moved = False
    while place >= 0:
        if not alone[place]:
            replay(problem, seeded, now, bench, route, place, spare)
            moved = True
            if spare.figures[WORTH] == route.figures[WORTH] and spare.figures[SIZE] == route.figures[SIZE] - 1:
                copy_route(spare, route)
                alone = needed(problem, seeded, route)
        place -= 1
    if moved:
        replay(problem, seeded, now, bench, route, NONE, spare)


@kernel
def better(one: Route, other: Route) -> bool:
    """Return whether a route closes more than another, or as much at less cost."""
    if one.figures[WORTH] != other.figures[WORTH]:
        return bool(one.figures[WORTH] > other.figures[WORTH])
    return bool(one.figures[PAID] < other.figures[PAID])


class Found(NamedTuple):
    """The `goals` of a search, the `best` route found, and two routes and a standing to go on working with."""

    goals: Longs
    best: Route
    trial: Route
    spare: Route
    state: Longs


@kernel
def search(problem: Problem, seeded: Longs, bench: Bench, exponents: NDArray[np.float64]) -> Found:
    """Return what T0 and T1 find after the seeds."""
    found = Found(
        goals_of(problem, seeded, bench), route_of(problem), route_of(problem), route_of(problem), np.empty_like(seeded)
    )
    plan(problem, seeded, bench, found.goals, exponents, found.best, found.state, found.trial, found.spare)
    return found


@kernel
def plan(
    problem: Problem, seeded: Longs, bench: Bench, goals: Longs, exponents: NDArray[np.float64], best: Route,
    now: Longs, trial: Route, spare: Route,
) -> None:  # fmt: skip
    """Fill `best` with the path after the seeds: T0 per exponent, beginnings, then exchanges while they are worth it.

    Each exponent has an equal share of the fuel, so that one that runs out leaves the others theirs.
    """
    figures = bench.figures
    best.figures[WORTH] = -1
    left = figures[FUEL]
    share = left // SHARES
    for exponent in exponents:
        now[:] = seeded
        trial.figures[SIZE] = 0
        figures[FUEL] = share
        greedy(problem, now, bench, goals, exponent, NONE, trial)
        prune(problem, seeded, now, bench, trial, spare)
        if better(trial, best):
            copy_route(trial, best)
        left -= share - figures[FUEL]
    figures[FUEL] = left
    closed = best.figures[WORTH] == most_of(problem, seeded, goals)
    first = beginnings(problem, seeded, bench, goals, closed)
    for way in first:
        if figures[FUEL] > left // 2:
            lead(problem, seeded, bench, goals, way, best, now, trial, spare, 0)
    for _ in range(ROUNDS):
        exchanged = swap(problem, seeded, bench, goals, best, now, trial, spare)
        if not closed:
            exchanged = insert(problem, seeded, bench, goals, first, best, now, trial, spare) or exchanged
        if not exchanged:
            break
    if figures[FUEL] <= 0:
        figures[CUT] = 1


@kernel
def most_of(problem: Problem, seeded: Longs, goals: Longs) -> int:
    """Return what all goals together would hold."""
    held = seeded[problem.at[HELD] : problem.at[DOORS]].copy()
    for way in goals[:, WAY]:
        for gain in range(problem.ways[way, GAINS], problem.ways[way, GAINS_END], 2):
            gap = problem.links[gain]
            held[gap] = max(held[gap], problem.links[gain + 1])
    return int(held.sum())


@kernel
def demand_of(problem: Problem, seeded: Longs, bench: Bench, goals: Longs) -> Longs:
    """Return per need what is gained per hour by the bundles that have it, all together."""
    ways, links, reach = problem.ways, problem.links, problem.at[REACH]
    demand, seen = np.zeros(len(problem.needs), np.int64), np.full(len(problem.needs), -1, np.int64)
    for goal in range(len(goals)):
        if bench.figures[FUEL] <= 0:
            break
        assemble(problem, seeded, bench, goals[goal, WAY])
        score = score_of(bench.figures[GAIN], bench.figures[ALL_COST], 1.0)
        for member in bench.members[: bench.figures[MEMBERS]]:
            for edge in range(ways[member, NEEDS], ways[member, NEEDS_END]):
                need = links[edge]
                if seeded[reach + need] > 0 and seen[need] != goal:
                    seen[need] = goal
                    demand[need] += score
    return demand


@kernel
def beginnings(problem: Problem, seeded: Longs, bench: Bench, goals: Longs, openers: bool) -> Longs:
    """Return the courses that are tried as beginnings, best first.

    They are scored by what their bundle closes and what they spare others, per cost. `openers`: only those that spare
    others anything.
    """
    ways, links, at = problem.ways, problem.links, problem.at
    demand = demand_of(problem, seeded, bench, goals)
    scores, found = np.zeros(BEGINNINGS, np.int64), np.full(BEGINNINGS, -1, np.int32)
    for way in range(len(ways)):
        if seeded[at[PRICES] + way] >= FAR or ways[way, BRANCH] or bench.figures[FUEL] <= 0:
            continue
        spared = ZERO
        for place in range(ways[way, MEETS], ways[way, MEETS_END]):
            spared += seeded[at[REACH] + links[place]] * demand[links[place]] // MICRO
        if openers and spared == 0:
            continue
        assemble(problem, seeded, bench, way)
        figures = bench.figures
        if figures[ALL_HOURS] <= seeded[HOURS_LEFT] and figures[COUNT] <= seeded[STEPS_LEFT]:
            score = score_of(figures[GAIN] + spared, figures[ALL_COST], 1.0)
            if score > 0:
                enter(scores, found, ways[:, RANK], -score, way)
    return found[found >= 0].astype(np.int64)


@kernel
def lead(
    problem: Problem, seeded: Longs, bench: Bench, goals: Longs, way: int, best: Route, now: Longs, trial: Route,
    spare: Route, kept: int,
) -> bool:  # fmt: skip
    """Try a path that begins with the bundle of a course, then has what fits of the first `kept` of the best path.

    Returns whether that made it better.
    """
    ways, needs, links, at = problem.ways, problem.needs, problem.links, problem.at
    now[:] = seeded
    trial.figures[SIZE] = 0
    take(problem, now, bench, way, trial)
    if kept:
        bench.figures[FUEL] -= kept
        for other in best.ways[:kept]:
            fits = ways[other, HOURS] <= now[HOURS_LEFT] and now[STEPS_LEFT] > 0
            if fits and now[at[STATUS] + other] == FREE and admits(ways, needs, links, at, now, other):
                study(ways, links, at, now, other)
                trial.ways[trial.figures[SIZE]] = other
                trial.figures[SIZE] += 1
        prune(problem, seeded, now, bench, trial, spare)
        price_from(problem, seeded, now, bench)
    greedy(problem, now, bench, goals, 1.0, NONE, trial)
    prune(problem, seeded, now, bench, trial, spare)
    if better(trial, best):
        copy_route(trial, best)
        return True
    return False


@kernel
def insert(
    problem: Problem, seeded: Longs, bench: Bench, goals: Longs, first: Longs, best: Route, now: Longs, trial: Route,
    spare: Route,
) -> bool:  # fmt: skip
    """Try each of the courses that close more than the path with it first; return whether that made it better."""
    improved = False
    for way in first:
        replay(problem, seeded, now, bench, best, NONE, spare)
        if bench.figures[FUEL] > 0 and adds(problem.ways, problem.links, problem.at[HELD], now, way):
            if lead(problem, seeded, bench, goals, way, best, now, trial, spare, best.figures[SIZE]):
                improved = True
    return improved


@kernel
def swap(
    problem: Problem, seeded: Longs, bench: Bench, goals: Longs, best: Route, now: Longs, trial: Route, spare: Route
) -> bool:
    """Try without each course of the path in turn, as a goal of its own; return whether that made it better."""
    improved, place = False, best.figures[SIZE] - 1
    while place >= 0 and bench.figures[FUEL] > 0:
        if place < best.figures[SIZE]:
            out = best.ways[place]
            replay(problem, seeded, now, bench, best, place, trial)
            prune(problem, seeded, now, bench, trial, spare)
            left = trial.figures[SIZE]
            price_from(problem, seeded, now, bench)
            greedy(problem, now, bench, goals, 1.0, out, trial)
            if trial.figures[SIZE] > left:
                prune(problem, seeded, now, bench, trial, spare)
                if better(trial, best):
                    copy_route(trial, best)
                    improved = True
        place -= 1
    return improved
