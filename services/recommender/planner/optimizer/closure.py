"""Bundles: a course with the cheapest courses that open its door, put together, in order, and without what is spare."""

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import NONE, kernel
from services.recommender.planner.optimizer.closure_cost import score_of
from services.recommender.planner.optimizer.instance import (
    BRANCH,
    COSINE,
    COST,
    DOORS,
    GAINS,
    GAINS_END,
    HELD,
    HOURS,
    HOURS_LEFT,
    NEEDS,
    NEEDS_END,
    PRICES,
    RANK,
    REACH,
    STEPS_LEFT,
    WAYS,
    WAYS_END,
    Problem,
)
from services.recommender.planner.optimizer.state import (
    ALL_COST,
    ALL_HOURS,
    COUNT,
    FUEL,
    GAIN,
    MEMBERS,
    MOST,
    STAMP,
    Bench,
    admits,
    held_in,
    study,
)
from services.recommender.planner.units import FAR


@kernel
def assemble(problem: Problem, now: Longs, bench: Bench, goal: int) -> None:
    """Put the bundle of a goal that is in reach on the bench; its members are not in order yet.

    One of more than MOST courses is left unfinished: no path holds it. Its COUNT says so, and its hours are 0.
    """
    ways, needs, links, at = problem.ways, problem.needs, problem.links, problem.at
    members, marks, best, figures = bench.members, bench.marks, bench.best, bench.figures
    prices, reach = at[PRICES], at[REACH]
    figures[STAMP] += 1
    figures[ALL_HOURS] = figures[ALL_COST] = figures[COUNT] = figures[GAIN] = 0
    best[:] = now[at[HELD] : at[DOORS]]
    members[0] = goal
    marks[goal] = figures[STAMP]
    found, looked = 1, 0
    while looked < found:
        way = members[looked]
        looked += 1
        if not ways[way, BRANCH]:
            figures[ALL_HOURS] += ways[way, HOURS]
            figures[ALL_COST] += ways[way, COST]
            figures[COUNT] += 1
            if figures[COUNT] > figures[MOST]:
                figures[ALL_HOURS] = 0
                break
        for place in range(ways[way, GAINS], ways[way, GAINS_END], 2):
            if links[place + 1] > best[links[place]]:
                figures[GAIN] += links[place + 1] - best[links[place]]
                best[links[place]] = links[place + 1]
        for edge in range(ways[way, NEEDS], ways[way, NEEDS_END]):
            need = links[edge]
            if now[reach + need] == 0:
                continue
            opener = -1
            for place in range(needs[need, WAYS], needs[need, WAYS_END]):
                other = links[place]
                if now[prices + other] == now[reach + need] and (opener < 0 or ways[other, RANK] < ways[opener, RANK]):
                    opener = other
            if marks[opener] != figures[STAMP]:
                marks[opener] = figures[STAMP]
                members[found] = opener
                found += 1
    figures[MEMBERS] = found
    figures[FUEL] -= found


@kernel
def in_order(problem: Problem, now: Longs, bench: Bench) -> int:
    """Put the courses of the bundle on the bench into an order of study; return how many."""
    ways, members, prices = problem.ways, bench.members, problem.at[PRICES]
    kept = 0
    for place in range(bench.figures[MEMBERS]):
        way = members[place]
        if ways[way, BRANCH]:
            continue
        cost, at = now[prices + way], kept
        while at > 0 and (
            now[prices + members[at - 1]] > cost
            or (now[prices + members[at - 1]] == cost and ways[members[at - 1], RANK] > ways[way, RANK])
        ):
            members[at] = members[at - 1]
            at -= 1
        members[at] = way
        kept += 1
    return kept


@kernel
def precedes(problem: Problem, way: int, cost: int, other: int, other_cost: int) -> bool:
    """Return whether of two courses of equal score the first stands before the second."""
    ways = problem.ways
    if ways[way, COSINE] != ways[other, COSINE]:
        return bool(ways[way, COSINE] > ways[other, COSINE])
    if cost != other_cost:
        return cost < other_cost
    return bool(ways[way, RANK] < ways[other, RANK])


@kernel
def adds(ways: Longs, links: Longs, held: int, now: Longs, way: int) -> bool:
    """Return whether a course by itself closes anything."""
    for place in range(ways[way, GAINS], ways[way, GAINS_END], 2):
        if links[place + 1] > now[held + links[place]]:
            return True
    return False


@kernel
def bid(problem: Problem, now: Longs, bench: Bench, way: int, exponent: float) -> int:
    """Return the score of a course's bundle, which is then on the bench; 0 where it is out of reach or does not fit."""
    if now[problem.at[PRICES] + way] >= FAR:
        return 0
    assemble(problem, now, bench, way)
    figures = bench.figures
    if figures[ALL_HOURS] > now[HOURS_LEFT] or figures[COUNT] > now[STEPS_LEFT]:
        return 0
    return score_of(figures[GAIN], figures[ALL_COST], exponent)


@kernel
def lean(problem: Problem, now: Longs, bench: Bench, count: int) -> int:
    """Drop courses of the bundle on the bench that, once its parts are joined, close nothing and open no door."""
    gain = gain_without(problem, now, bench, count, NONE)
    spare = count - 2
    while spare >= 0:
        if gain_without(problem, now, bench, count, spare) == gain:
            bench.members[spare : count - 1] = bench.members[spare + 1 : count].copy()
            count -= 1
        spare -= 1
    return count


@kernel
def gain_without(problem: Problem, now: Longs, bench: Bench, count: int, spare: int) -> int:
    """Return what the bundle gains without one of it; -1 where it then cannot be studied."""
    ways, needs, links, at = problem.ways, problem.needs, problem.links, problem.at
    then = now[: at[PRICES]].copy()
    bench.figures[FUEL] -= count
    for place in range(count):
        if place == spare:
            continue
        if spare >= 0 and not admits(ways, needs, links, at, then, bench.members[place]):
            return -1
        study(ways, links, at, then, bench.members[place])
    return held_in(problem, then) - held_in(problem, now)
