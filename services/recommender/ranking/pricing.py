"""Price: what every course costs together with the cheapest courses that open its door, and the bundles that result.

A need is met by its cheapest way; a way costs its own hours and those of all its needs. The prices are the fixed point
of that sentence, found by repeating it from "out of reach" until nothing gets cheaper: circles and prerequisites that
point nowhere stay out of reach. What opens a door is cheaper than what lies behind it, so in the order of price a
bundle can be studied. Finding the least set of prerequisites exactly is hard; here each need is priced on its own, and
a course that serves two of them is counted twice in the price that chooses, once in the bundle.

A standing is one row of integers: hours and steps left, then what `Problem.at` says.
"""

from typing import NamedTuple

import numpy as np

from services.recommender.ranking.compiled import kernel
from services.recommender.ranking.problem import (
    ANY,
    ASKED,
    BRANCH,
    COSINE,
    COST,
    COURSE,
    DOORS,
    END,
    GAINS,
    GAINS_END,
    HELD,
    HOURS,
    HOURS_LEFT,
    LEVEL,
    LIFTS,
    LIFTS_END,
    MET,
    NEEDS,
    NEEDS_END,
    PRICES,
    RANK,
    REACH,
    STATUS,
    STEPS_LEFT,
    WAYS,
    WAYS_END,
    Problem,
)
from services.recommender.ranking.reach import FAR
from services.recommender.ranking.segments import Longs

FREE, DONE, SHUT = 0, 1, 2
ALL_HOURS, ALL_COST, COUNT, GAIN, MEMBERS, FUEL, STAMP = range(7)
NO_LIMIT = 1 << 60


class Bench(NamedTuple):
    """Where bundles are put together: the `members` of one, `marks` (stamps) per way, and `best` worth per gap.

    `figures`: ALL_HOURS, ALL_COST, COUNT of courses, GAIN, MEMBERS, FUEL (bundles that may still be priced), STAMP.
    """

    members: Longs
    marks: Longs
    best: Longs
    figures: Longs


def bench_of(problem: Problem, fuel: int) -> Bench:
    """Return an empty bench."""
    ways = len(problem.ways)
    figures = np.zeros(7, np.int64)
    figures[FUEL] = fuel
    gaps = int(problem.at[DOORS] - problem.at[HELD])
    return Bench(np.zeros(ways + 1, np.int64), np.zeros(ways + 1, np.int64), np.zeros(gaps, np.int64), figures)


def standing_of(problem: Problem, hours: int, steps: int) -> Longs:
    """Return the standing before the path, priced."""
    now = np.zeros(int(problem.at[END]), np.int64)
    now[HOURS_LEFT], now[STEPS_LEFT] = hours, steps
    now[problem.at[DOORS] : problem.at[PRICES]] = problem.doors
    price_anew(problem, now)
    return now


@kernel
def held_in(problem: Problem, now: Longs) -> int:
    """Return all that is held, in micro-levels."""
    return int(now[problem.at[HELD] : problem.at[DOORS]].sum())


@kernel
def find_met(problem: Problem, now: Longs) -> int:
    """Fill in which conditions hold; return how many."""
    needs, ways, links = problem.needs, problem.ways, problem.links
    doors, status, met = problem.at[DOORS], problem.at[STATUS], problem.at[MET]
    count = 0
    for need in range(len(needs)):
        if needs[need, ASKED] >= 0:
            holds = now[doors + needs[need, ASKED]] >= needs[need, LEVEL]
        else:
            holds = needs[need, COURSE] >= 0 and now[status + needs[need, COURSE]] == DONE
        now[met + need] = holds
        count += holds
    for need in problem.anys:
        for place in range(needs[need, WAYS], needs[need, WAYS_END]):
            way, every = links[place], True
            for edge in range(ways[way, NEEDS], ways[way, NEEDS_END]):
                every = every and now[met + links[edge]] != 0
            if every:
                now[met + need] = 1
        count += now[met + need]
    return count


@kernel
def admits(problem: Problem, now: Longs, way: int) -> bool:
    """Return whether a course can be entered."""
    needs, links = problem.needs, problem.links
    doors, status = problem.at[DOORS], problem.at[STATUS]
    any_of = False
    for edge in range(problem.ways[way, NEEDS], problem.ways[way, NEEDS_END]):
        need = links[edge]
        if needs[need, ASKED] >= 0:
            if now[doors + needs[need, ASKED]] < needs[need, LEVEL]:
                return False
        elif needs[need, ANY]:
            any_of = True
        elif needs[need, COURSE] < 0 or now[status + needs[need, COURSE]] != DONE:
            return False
    if any_of:
        find_met(problem, now)
        for edge in range(problem.ways[way, NEEDS], problem.ways[way, NEEDS_END]):
            if now[problem.at[MET] + links[edge]] == 0:
                return False
    return True


@kernel
def study(problem: Problem, now: Longs, way: int) -> None:
    """Do a course: every level that it teaches rises, none falls. Prices stay as they were."""
    ways, links, at = problem.ways, problem.links, problem.at
    now[at[STATUS] + way] = DONE
    now[HOURS_LEFT] -= ways[way, HOURS]
    now[STEPS_LEFT] -= 1
    for place in range(ways[way, LIFTS], ways[way, LIFTS_END], 2):
        skill = at[DOORS] + links[place]
        now[skill] = max(now[skill], links[place + 1])
    for place in range(ways[way, GAINS], ways[way, GAINS_END], 2):
        gap = at[HELD] + links[place]
        now[gap] = max(now[gap], links[place + 1])


@kernel
def price_anew(problem: Problem, now: Longs) -> None:
    """Price everything at a standing that was not reached from the one priced last."""
    find_met(problem, now)
    now[problem.at[PRICES] : problem.at[STATUS]] = FAR
    price(problem, now)


@kernel
def price_on(problem: Problem, now: Longs) -> None:
    """Price on after courses were done."""
    at = problem.at
    before = now[at[MET] : at[REACH]].sum()
    for way in range(len(problem.ways)):
        if now[at[STATUS] + way] == DONE:
            now[at[PRICES] + way] = FAR
    if find_met(problem, now) > before:
        price(problem, now)


@kernel
def price(problem: Problem, now: Longs) -> None:
    """Repeat prices until none falls."""
    ways, needs, links, at = problem.ways, problem.needs, problem.links, problem.at
    prices, status, met, reach = at[PRICES], at[STATUS], at[MET], at[REACH]
    falling = True
    while falling:
        falling = False
        for need in range(len(needs)):
            best = 0 if now[met + need] else FAR
            if best:
                for place in range(needs[need, WAYS], needs[need, WAYS_END]):
                    best = min(best, now[prices + links[place]])
            now[reach + need] = best
        for way in range(len(ways)):
            if now[status + way] != FREE:
                continue
            total = ways[way, COST]
            for edge in range(ways[way, NEEDS], ways[way, NEEDS_END]):
                total = min(total + now[reach + links[edge]], FAR)
            if total < now[prices + way]:
                now[prices + way] = total
                falling = True


@kernel
def assemble(problem: Problem, now: Longs, bench: Bench, goal: int) -> None:
    """Put the bundle of a goal that is in reach on the bench; its members are not in order yet."""
    ways, needs, links, at = problem.ways, problem.needs, problem.links, problem.at
    members, marks, best, figures = bench.members, bench.marks, bench.best, bench.figures
    prices, met, reach = at[PRICES], at[MET], at[REACH]
    figures[FUEL] -= 1
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
        for place in range(ways[way, GAINS], ways[way, GAINS_END], 2):
            if links[place + 1] > best[links[place]]:
                figures[GAIN] += links[place + 1] - best[links[place]]
                best[links[place]] = links[place + 1]
        for edge in range(ways[way, NEEDS], ways[way, NEEDS_END]):
            need = links[edge]
            if now[met + need]:
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
