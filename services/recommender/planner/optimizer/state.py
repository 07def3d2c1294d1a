"""Price: what every course costs together with the cheapest courses that open its door, and the bundles that result.

A need is met by its cheapest way; a way costs its own hours and those of all its needs. The prices are the fixed point
of that sentence, found by repeating it from "out of reach" until nothing gets cheaper: circles and prerequisites that
point nowhere stay out of reach. What opens a door is cheaper than what lies behind it, so in the order of price a
bundle can be studied. Finding the least set of prerequisites exactly is hard; here each need is priced on its own, and
a course that serves two of them is counted twice in the price that chooses, once in the bundle.

Work is counted in courses visited: the members of a bundle put together, the courses of a path walked through, those
whose price is told anew. A plan stops where the visits that it may make are spent.

A standing is one row of integers: hours and steps left, then what `Problem.at` says. Where the reach of a need is 0, it
is met.
"""

from typing import NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import ZERO, kernel, wide
from services.recommender.planner.optimizer.closure_cost import (
    Flags,
    Heap,
    fall,
    heap_for,
    least_of,
)
from services.recommender.planner.optimizer.instance import (
    ANY,
    ASKED,
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
    MEETS,
    MEETS_END,
    NEEDS,
    NEEDS_END,
    NEXT,
    OWN_NEED,
    PRICES,
    REACH,
    STATUS,
    STEPS_LEFT,
    USERS,
    USERS_END,
    WAYS,
    WAYS_END,
    Problem,
)
from services.recommender.planner.units import FAR, NEVER

FREE, DONE, SHUT = 0, 1, 2
ALL_HOURS, ALL_COST, COUNT, GAIN, MEMBERS, FUEL, STAMP, MOST, CUT = range(9)


class Bench(NamedTuple):
    """Where bundles are put together: the `members` of one, `marks` (stamps) per way, and `best` worth per gap.

    `figures`: ALL_HOURS, ALL_COST, COUNT of courses, GAIN, MEMBERS, FUEL (courses that may still be visited), STAMP,
    MOST courses that a bundle may hold, CUT (1: something was left out because the fuel was spent).
    `heap`: needs whose users are to be priced anew.
    """

    members: Longs
    marks: Longs
    best: Longs
    figures: Longs
    heap: Heap


@kernel
def bench_of(problem: Problem, fuel: int, most: int) -> Bench:
    """Return an empty bench."""
    ways, gaps = len(problem.ways), problem.at[DOORS] - problem.at[HELD]
    figures = np.zeros(9, np.int64)
    figures[FUEL], figures[MOST] = fuel, most
    return Bench(
        np.zeros(ways + 1, np.int64), np.zeros(ways + 1, np.int64), np.zeros(gaps, np.int64), figures,
        heap_for(len(problem.needs)),
    )  # fmt: skip


@kernel
def standing_of(problem: Problem, bench: Bench, hours: int, steps: int) -> Longs:
    """Return the standing before the path, priced."""
    now = np.zeros(problem.at[END], np.int64)
    now[HOURS_LEFT], now[STEPS_LEFT] = hours, steps
    now[problem.at[DOORS] : problem.at[STATUS]] = problem.doors
    price_anew(problem, now, bench)
    return now


@kernel
def held_in(problem: Problem, now: Longs) -> int:
    """Return all that is held, in micro-levels."""
    return int(now[problem.at[HELD] : problem.at[DOORS]].sum())


@kernel
def met_directly(problem: Problem, now: Longs) -> Flags:
    """Return which needs are met by a level or a course; branches are not looked at."""
    needs, doors, status = problem.needs, problem.at[DOORS], problem.at[STATUS]
    met = np.zeros(len(needs), np.bool_)
    for need in range(len(needs)):
        if needs[need, ASKED] >= 0:
            met[need] = now[doors + needs[need, ASKED]] >= needs[need, LEVEL]
        elif needs[need, COURSE] >= 0:
            met[need] = now[status + needs[need, COURSE]] == DONE
    return met


@kernel
def admits(ways: Longs, needs: Longs, links: Longs, at: Longs, now: Longs, way: int) -> bool:
    """Return whether a course can be entered. Prices need not be told."""
    for edge in range(ways[way, NEEDS], ways[way, NEEDS_END]):
        if not meets(ways, needs, links, at, now, links[edge]):
            return False
    return True


@kernel
def meets(ways: Longs, needs: Longs, links: Longs, at: Longs, now: Longs, need: int) -> bool:
    """Return whether a need is met."""
    if needs[need, ASKED] >= 0:
        return bool(now[at[DOORS] + needs[need, ASKED]] >= needs[need, LEVEL])
    if not needs[need, ANY]:
        return bool(needs[need, COURSE] >= 0 and now[at[STATUS] + needs[need, COURSE]] == DONE)
    for place in range(needs[need, WAYS], needs[need, WAYS_END]):
        way, every = links[place], True
        for edge in range(ways[way, NEEDS], ways[way, NEEDS_END]):
            every = every and meets(ways, needs, links, at, now, links[edge])
        if every:
            return True
    return False


@kernel
def study(ways: Longs, links: Longs, at: Longs, now: Longs, way: int) -> None:
    """Do a course: every level that it teaches rises, none falls. Prices stay as they were."""
    doors, held = at[DOORS], at[HELD]
    now[at[STATUS] + way] = DONE
    now[HOURS_LEFT] -= ways[way, HOURS]
    now[STEPS_LEFT] -= 1
    for place in range(ways[way, LIFTS], ways[way, LIFTS_END], 2):
        now[doors + links[place]] = max(now[doors + links[place]], links[place + 1])
    for place in range(ways[way, GAINS], ways[way, GAINS_END], 2):
        now[held + links[place]] = max(now[held + links[place]], links[place + 1])


@kernel
def price_anew(problem: Problem, now: Longs, bench: Bench) -> None:
    """Price everything at a standing of which nothing is priced."""
    ways, at = problem.ways, problem.at
    reach, prices = now[at[REACH] : at[END]], now[at[PRICES] : at[REACH]]
    reach[:] = FAR
    for way in range(len(ways)):
        usable = now[at[STATUS] + way] == FREE
        prices[way] = FAR * (ways[way, NEEDS_END] - ways[way, NEEDS]) + (ways[way, COST] if usable else NEVER)
    for need in np.flatnonzero(met_directly(problem, now)):
        fall(reach, bench.heap, wide(need), ZERO)
    for way in range(len(ways)):
        if prices[way] < FAR:
            give(ways, problem.links, reach, bench.heap, way, prices[way])
    bench.figures[FUEL] -= len(ways) + flow(problem, now, bench.heap)


@kernel
def price_from(problem: Problem, seeded: Longs, now: Longs, bench: Bench) -> None:
    """Price a standing that was reached from the seeded one."""
    at, ways = problem.at, problem.ways
    now[at[PRICES] : at[END]] = seeded[at[PRICES] : at[END]]
    reach = now[at[REACH] : at[END]]
    for need in np.flatnonzero(met_directly(problem, now)):
        fall(reach, bench.heap, wide(need), ZERO)
    bench.figures[FUEL] -= len(ways) + flow(problem, now, bench.heap)
    put_away(problem, now)


@kernel
def study_on(problem: Problem, now: Longs, bench: Bench, courses: Longs) -> None:
    """Do courses, one after the other, and price on."""
    ways, needs, links, at = problem.ways, problem.needs, problem.links, problem.at
    reach = now[at[REACH] : at[END]]
    for way in courses:
        study(ways, links, at, now, way)
        if ways[way, OWN_NEED] >= 0:
            fall(reach, bench.heap, ways[way, OWN_NEED], ZERO)
        for place in range(ways[way, LIFTS], ways[way, LIFTS_END], 2):
            need = problem.first_need[links[place]]
            while need >= 0:
                if needs[need, LEVEL] <= links[place + 1]:
                    fall(reach, bench.heap, wide(need), ZERO)
                need = needs[need, NEXT]
    bench.figures[FUEL] -= len(ways) + flow(problem, now, bench.heap)
    put_away(problem, now)


@kernel
def put_away(problem: Problem, now: Longs) -> None:
    """Put out of reach what is done."""
    status, prices = problem.at[STATUS], problem.at[PRICES]
    for way in range(len(problem.ways)):
        if now[status + way] == DONE:
            now[prices + way] = NEVER


@kernel
def flow(problem: Problem, now: Longs, heap: Heap) -> int:
    """Price on, from the least, until nothing falls any more; return how many courses were visited."""
    ways, needs, links, at, size = problem.ways, problem.needs, problem.links, problem.at, heap.size
    reach, prices = now[at[REACH] : at[END]], now[at[PRICES] : at[REACH]]
    visited = ZERO
    while size[0]:
        need = least_of(reach, heap)
        visited += needs[need, USERS_END] - needs[need, USERS]
        change = reach[need] - heap.before[need]
        for place in range(needs[need, USERS], needs[need, USERS_END]):
            way = links[place]
            prices[way] += change
            if prices[way] < FAR:
                give(ways, links, reach, heap, way, prices[way])
    return int(visited)


@kernel
def give(ways: Longs, links: Longs, reach: Longs, heap: Heap, way: int, total: int) -> None:
    """Tell what a way meets that it costs so much."""
    for place in range(ways[way, MEETS], ways[way, MEETS_END]):
        if total < reach[links[place]]:
            fall(reach, heap, links[place], total)
