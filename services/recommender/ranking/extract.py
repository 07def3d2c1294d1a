"""Match: out of the whole catalogue, the courses that one officer's plan weighs, and what leads to them.

The inverted index gives every course that teaches a gap skill beyond the level held: the candidates. Weighed are the
cheapest of them per gap and level, and those worth most for their price; with each come the ways that meet its needs at
about the least price, and so on down.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.ranking.compiled import ZERO, kernel
from services.recommender.ranking.net import (
    ANY_FIRST,
    ANY_LAST,
    ASKED_LEVEL,
    ASKED_SKILL,
    FIRST_NEED,
    FIRST_ROW,
    ONLY,
    Net,
)
from services.recommender.ranking.reach import FAR, Flags, Prices, branch_cost, score_of
from services.recommender.ranking.segments import ENTRY, HIGH, SKILL, Ints, Longs, Table

DOOR, GAP, OURS = range(3)

PER_LEVEL = 2
"""Per gap and level reached, so many of the cheapest candidates are weighed."""

BY_WORTH = 24
"""And so many more of those worth most by themselves for their price, to the powers of 1 and 0.4."""

SLACK = 4
"""A way is kept for a need where it costs at most a quarter more than the cheapest one at the start."""


class Seeker(NamedTuple):
    """One officer. `skills`: DOOR level for entries (micro-levels), GAP (-1: none), OURS (of this framework).

    Per gap: `cut`, the level held, and `size`; `tops[begins[g]:begins[g + 1]]`: (level, its worth). `met`: needs of the
    net that courses done before meet. `roots`: courses wanted whatever they close. `least`: no course costs less than
    its hours times this. For `reach.settle`, with what was started as done: `ours`, `lifted` doors per skill, `held`
    needs, `changed` courses, and how many needs were `known` before.
    """

    skills: Longs
    cut: Longs
    size: NDArray[np.float64]
    begins: Longs
    tops: Longs
    met: Ints
    roots: Ints
    least: float
    ours: Flags
    lifted: Longs
    held: Ints
    changed: Ints
    known: int


@kernel
def shortlist(net: Net, seeker: Seeker, prices: Prices) -> Ints:
    """Return the candidates that are weighed, by number."""
    lists, teaching, cut, skills = net.lists, net.teaching, seeker.cut, seeker.skills
    seen = np.zeros(len(net.hours), np.bool_)
    found, count = np.empty(len(net.hours), np.int32), 0
    for skill in range(min(len(skills), len(lists) - 1)):
        gap = skills[skill, GAP]
        for place in range(lists[skill], lists[skill + 1] if gap >= 0 else 0):
            course = teaching[place, 0]
            if teaching[place, 1] > cut[gap] and not seen[course] and prices.price[course] < FAR:
                seen[course] = True
                found[count] = course
                count += 1
    weighed = weigh(net, seeker, prices, found[:count])
    seen[:] = False
    for course in weighed:
        if course >= 0:
            seen[course] = True
    return np.flatnonzero(seen).astype(np.int32)


@kernel
def weigh(net: Net, seeker: Seeker, prices: Prices, candidates: Ints) -> Ints:
    """Return the cheapest candidates per gap and level, and those worth most for their price; -1 where there are none.

    A course may stand in several of these lists.
    """
    begins, rows, rank, price = net.begins, net.rows, net.rank, prices.price
    skills, tops, starts, cut = seeker.skills, seeker.tops, seeker.begins, seeker.cut
    least, cheapest = np.full((len(tops), PER_LEVEL), FAR, np.int64), np.full((len(tops), PER_LEVEL), -1, np.int32)
    score, worthiest = np.zeros((2, BY_WORTH), np.int64), np.full((2, BY_WORTH), -1, np.int32)
    for course in candidates:
        worth = ZERO
        for row in range(begins[course, FIRST_ROW], begins[course + 1, FIRST_ROW]):
            gap, high = skills[rows[row, SKILL], GAP], rows[row, HIGH]
            if gap < 0 or high <= cut[gap]:
                continue
            for top in range(starts[gap], starts[gap + 1]):
                if tops[top, 0] == high and tops[top, 1] > 0:
                    worth += tops[top, 1]
                    if price[course] <= least[top, PER_LEVEL - 1]:
                        enter(least[top], cheapest[top], rank, price[course], course)
        for by in range(2 if worth else 0):
            value = -score_of(worth, price[course], 0.4 if by else 1.0)
            if value <= score[by, BY_WORTH - 1]:
                enter(score[by], worthiest[by], rank, value, course)
    return np.concatenate((cheapest.ravel(), worthiest.ravel()))


@kernel
def enter(values: Longs, courses: Ints, rank: Longs, value: int, course: int) -> None:
    """Enter a course in a list of the least values, equals by rank, if it is among them."""
    place = len(values)
    while place > 0 and (
        value < values[place - 1]
        or (value == values[place - 1] and (courses[place - 1] < 0 or rank[course] < rank[courses[place - 1]]))
    ):
        place -= 1
        if place + 1 < len(values):
            values[place + 1], courses[place + 1] = values[place], courses[place]
    if place < len(values):
        values[place], courses[place] = value, course


@kernel
def needs_of(net: Net, seeker: Seeker, reach: Longs, way: int, found: Longs) -> int:
    """Fill in the unmet needs of a course, or of a branch, which is numbered past the courses; return how many."""
    courses, begins, rows, requires, skills = len(net.hours), net.begins, net.rows, net.requires, seeker.skills
    count = ZERO
    if way >= courses:
        inner, branch = net.inner, way - courses
        for place in range(net.opens[branch], net.opens[branch + 1]):
            count = add_need(net.asked, seeker.met, skills, reach, found, count, inner[place])
        return int(count)
    asked, met = net.asked, seeker.met
    for row in range(begins[way, FIRST_ROW], begins[way + 1, FIRST_ROW]):
        if rows[row, ENTRY] >= 0 and skills[rows[row, SKILL], OURS]:
            count = add_need(asked, met, skills, reach, found, count, rows[row, ENTRY])
    for place in range(begins[way, FIRST_NEED], begins[way + 1, FIRST_NEED]):
        count = add_need(asked, met, skills, reach, found, count, requires[place])
    return int(count)


@kernel
def add_need(
    asked: Table, met: Ints, skills: Longs, reach: Longs, found: Longs, count: int, need: int
) -> int:  # fmt: skip
    """Add a need that is not met before the path, once; return how many there are."""
    skill = asked[need, ASKED_SKILL]
    if skill >= 0:
        if skills[skill, DOOR] >= asked[need, ASKED_LEVEL]:
            return count
    elif asked[need, ANY_LAST] > asked[need, ANY_FIRST]:
        if reach[need] == 0:
            return count
    else:
        for done in met:
            if done == need:
                return count
    for place in range(count):
        if found[place] == need:
            return count
    found[count] = need
    return count + 1


@kernel
def root_levels(net: Net, seeker: Seeker, prices: Prices) -> Longs:
    """Return per skill the level that is held, or that the roots lead to."""
    levels = seeker.skills[:, DOOR].copy()
    for course in seeker.roots:
        if prices.cost[course] > 0:
            for row in range(net.begins[course, FIRST_ROW], net.begins[course + 1, FIRST_ROW]):
                levels[net.rows[row, SKILL]] = max(levels[net.rows[row, SKILL]], net.rows[row, HIGH])
    return levels


@kernel
def by_roots(net: Net, seeker: Seeker, prices: Prices, levels: Longs, branch: int) -> bool:
    """Return whether the roots may meet a branch: a path that uses a dear one can be studied all the same."""
    if len(seeker.roots) == 0:
        return False
    for place in range(net.opens[branch], net.opens[branch + 1]):
        need = net.inner[place]
        skill, only = net.asked[need, ASKED_SKILL], net.asked[need, ONLY]
        if skill >= 0 and levels[skill] < net.asked[need, ASKED_LEVEL]:
            return False
        if only >= 0 and prices.reach[need] > 0 and not (prices.cost[only] > 0 and (seeker.roots == only).any()):
            return False
    return True


@kernel
def ways_of(net: Net, seeker: Seeker, prices: Prices, levels: Longs, need: int, found: Longs) -> int:
    """Fill in the courses, and branches past them, that meet a need at about the least price; return how many.

    With them the branches that the roots may meet at `levels`; see `root_levels`.
    """
    asked, hours, teaching, price, reach = net.asked, net.hours, net.teaching, prices.price, prices.reach
    skill, level, only = asked[need, ASKED_SKILL], asked[need, ASKED_LEVEL], asked[need, ONLY]
    if reach[need] >= FAR:
        return 0
    limit, count = reach[need] + reach[need] // SLACK, 0
    if 0 <= skill < len(net.lists) - 1:
        for place in range(net.lists[skill], net.lists[skill + 1]):
            course = teaching[place, 0]
            if hours[course] * seeker.least > limit:
                break
            if teaching[place, 1] >= level and price[course] <= limit:
                found[count] = course
                count += 1
    if only >= 0 and price[only] <= limit:
        found[count] = only
        count += 1
    for branch in range(asked[need, ANY_FIRST], asked[need, ANY_LAST]):
        cost = branch_cost(net, reach, branch)
        if cost <= limit or (cost < FAR and by_roots(net, seeker, prices, levels, branch)):
            found[count] = len(hours) + branch
            count += 1
    return count
