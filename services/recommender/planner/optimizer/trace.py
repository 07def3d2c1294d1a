"""The order of a path and what is told of each pick: its worth per hour, and the best three courses left out.

Within the courses that were chosen, again and again the bundle worth most per hour comes next. Beside it stand the best
bundles of other courses at that point which still fit. A path found as a whole may leave out the best of them.
"""

from typing import Any, NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import NONE, ZERO, kernel
from services.recommender.planner.optimizer.closure import (
    adds,
    assemble,
    bid,
    gain_without,
    in_order,
    lean,
    precedes,
)
from services.recommender.planner.optimizer.closure_cost import score_of
from services.recommender.planner.optimizer.instance import (
    BRANCH,
    COST,
    HELD,
    HOURS_LEFT,
    STATUS,
    STEPS_LEFT,
    Problem,
)
from services.recommender.planner.optimizer.search import (
    CEILING,
    FIRST_PRICE,
    SIZE,
    WAY,
    WORTH,
    Route,
    best_goal,
    lift_ceilings,
    prune,
    route_of,
    set_ceilings,
)
from services.recommender.planner.optimizer.state import (
    ALL_COST,
    CUT,
    FREE,
    FUEL,
    SHUT,
    Bench,
    held_in,
    price_anew,
    study_on,
)
from services.recommender.planner.units import NO_LIMIT

RUNNERS_UP = 3
FIXED: Any = np.bool_(True)  # noqa: FBT003 - not a literal: see `compiled`


class Account(NamedTuple):
    """Per step: its way, the score of its bundle, the place of the bundle's last; runners-up (-1: none) and scores."""

    ways: Longs
    score: Longs
    last: Longs
    runners: Longs
    runner_score: Longs
    size: Longs


@kernel
def account_of(steps: int) -> Account:
    """Return an empty account."""
    rows, runners = np.zeros((3, steps), np.int64), np.full((steps, RUNNERS_UP), -1, np.int64)
    return Account(rows[0], rows[1], rows[2], runners, np.zeros_like(runners), np.zeros(1, np.int64))


@kernel
def account(
    problem: Problem, seeded: Longs, bench: Bench, goals: Longs, route: Route, kept: bool
) -> tuple[Account, Longs]:
    """Return the account of a route and the standing at its end. `kept`: the route stands in its order already.

    A route that was searched is put in order first, and then told as one that is kept: the same path has the same
    account. Where the cheapest opener was left out as spare, only the order of the search is left.
    """
    chosen = np.zeros(len(problem.ways), np.bool_)
    chosen[route.ways[: route.figures[SIZE]]] = True
    mine = goals[chosen[goals[:, WAY]]]
    mine[:, FIRST_PRICE] = -1  # priced among the chosen alone, nothing is what it was at the start
    full, inner = seeded.copy(), np.empty_like(seeded)
    told = account_of(route.figures[SIZE])
    if not kept:
        tell(problem, full, inner, bench, np.zeros((0, goals.shape[1]), np.int64), mine, route, kept, told)
        if held_in(problem, full) == route.figures[WORTH]:
            route = reordered(problem, told)
            prune(problem, seeded, full, bench, route, route_of(problem))
        full[:] = seeded
        told = account_of(route.figures[SIZE])
    chosen[:] = False
    chosen[route.ways[: route.figures[SIZE]]] = True
    tell(problem, full, inner, bench, goals[~chosen[goals[:, WAY]]], mine, route, FIXED, told)
    return told, full


@kernel
def reordered(problem: Problem, told: Account) -> Route:
    """Return the route in the order in which it was told."""
    route, size = route_of(problem), told.size[0]
    route.ways[:size] = told.ways[:size]
    route.figures[SIZE] = size
    return route


@kernel
def tell(
    problem: Problem, full: Longs, inner: Longs, bench: Bench, goals: Longs, mine: Longs, route: Route, fixed: bool,
    account: Account,
) -> None:  # fmt: skip
    """Fill the account of a route; `full` goes on from the seeds to the end. `fixed`: in the order of the route."""
    inner[:] = full
    status = problem.at[STATUS]
    for way in range(len(problem.ways)):
        if inner[status + way] == FREE and not problem.ways[way, BRANCH]:
            inner[status + way] = SHUT
    for place in range(route.figures[SIZE]):
        inner[status + route.ways[place]] = FREE
    inner[HOURS_LEFT] = inner[STEPS_LEFT] = NO_LIMIT
    price_anew(problem, inner, bench)
    set_ceilings(problem, inner, mine, 1.0, NONE)
    set_ceilings(problem, full, goals, 1.0, NONE)
    looked = ZERO
    while True:
        if fixed:
            count = next_of(problem, inner, bench, route, looked)
        else:
            goal = best_goal(problem, inner, bench, mine, 1.0)
            if goal < 0 or bench.figures[FUEL] <= 0:
                break
            assemble(problem, inner, bench, goal)
            count = lean(problem, inner, bench, in_order(problem, inner, bench))
        if count == 0:
            break
        looked += count
        note(problem, full, inner, bench, goals, account, count)
        lift_ceilings(problem, inner, mine, NONE)
        lift_ceilings(problem, full, goals, NONE)


@kernel
def next_of(problem: Problem, now: Longs, bench: Bench, route: Route, looked: int) -> int:
    """Put the next courses of a route on the bench, up to one that closes something; return how many."""
    count = 0
    while looked + count < route.figures[SIZE]:
        way = route.ways[looked + count]
        bench.members[count] = way
        count += 1
        if adds(problem.ways, problem.links, problem.at[HELD], now, way):
            break
    return count


@kernel
def note(
    problem: Problem, full: Longs, inner: Longs, bench: Bench, goals: Longs, account: Account, count: int
) -> None:  # fmt: skip
    """Note the bundle on the bench and its runners-up, and study it."""
    members = bench.members[:count].copy()
    cost = ZERO
    for way in members:
        cost += problem.ways[way, COST]
    gain = gain_without(problem, inner, bench, count, NONE)
    score = score_of(gain, cost, 1.0) if cost > 0 else 0
    first = account.size[0]
    last = first + count - 1
    if bench.figures[FUEL] <= 0:
        bench.figures[CUT] = 1
    else:
        losers(problem, full, bench, goals, members, account.runners[last], account.runner_score[last])
    for place in range(count):
        account.ways[first + place] = members[place]
        account.score[first + place] = score
        account.last[first + place] = last
    account.size[0] = last + 1
    study_on(problem, full, bench, members)
    study_on(problem, inner, bench, members)


@kernel
def losers(
    problem: Problem, now: Longs, bench: Bench, goals: Longs, members: Longs, ways: Longs, scores: Longs
) -> None:  # fmt: skip
    """Fill in the best bids of others than these members, best first."""
    costs = np.zeros(len(ways), np.int64)
    for place in range(len(goals)):
        worst = len(ways) - 1
        if goals[place, CEILING] < max(scores[worst], 1):
            continue
        way = goals[place, WAY]
        if (members == way).any() or not adds(problem.ways, problem.links, problem.at[HELD], now, way):
            continue
        score = bid(problem, now, bench, way, 1.0)
        goals[place, CEILING] = score
        cost, at = bench.figures[ALL_COST], worst + 1
        while (
            at > 0
            and score > 0
            and (
                score > scores[at - 1]
                or (score == scores[at - 1] and precedes(problem, way, cost, ways[at - 1], costs[at - 1]))
            )
        ):
            at -= 1
            if at < worst:
                ways[at + 1], scores[at + 1], costs[at + 1] = ways[at], scores[at], costs[at]
        if at <= worst:
            ways[at], scores[at], costs[at] = way, score, cost
