"""Match: out of the whole catalogue, the courses that one officer's plan weighs, and what leads to them.

The inverted index gives every course that teaches a gap skill beyond the level held: the candidates. Weighed are the
cheapest of them per gap and level, and those worth most for their price; with each come the ways that meet its needs at
about the least price, and so on down.
"""

import numpy as np

from services.recommender.planner.index.graph import (
    FIRST_ROW,
    Net,
)
from services.recommender.planner.index.segment import (
    HIGH,
    SKILL,
    Ints,
    Longs,
)
from services.recommender.planner.jit import ZERO, kernel
from services.recommender.planner.optimizer.closure_cost import (
    Prices,
    score_of,
)
from services.recommender.planner.optimizer.query import GAP, Seeker
from services.recommender.planner.units import FAR

PER_LEVEL = 2
"""Per gap and level reached, so many of the cheapest candidates are weighed."""

BY_WORTH = 24
"""And so many more of those worth most by themselves for their price, to the powers of 1 and 0.4."""


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
