"""What every condition of entry costs at most: its cheapest way for an officer who holds nothing yet.

Whoever holds more pays less, so no course that by itself takes longer can be the cheapest way of a need. Found once per
catalogue and kind of officer, it keeps the search of each officer small.
"""

import numpy as np
from numpy.typing import NDArray

from services.recommender.ranking.compiled import kernel
from services.recommender.ranking.extract import FAR, Sources, cost_of, named
from services.recommender.ranking.names import COURSE_ASKED, FIRST, LAST, LEVEL_ASKED, SKILL_ASKED
from services.recommender.ranking.segments import ENTRY, REQUIRED, ROW, SKILL, Longs


@kernel
def bounds_of(sources: Sources, factor: NDArray[np.float64], ours: NDArray[np.bool_]) -> Longs:
    """Return need -> micro-hours with all prerequisites, FAR where out of reach. Courses beside the base count too."""
    reach = np.full(len(sources.asked), FAR, np.int64)
    price = np.full(len(sources.hours), FAR, np.int64)
    info, rows, requires, hours = sources.info, sources.rows, sources.requires, sources.hours
    falling = True
    while falling:
        falling = False
        for course in range(len(price)):
            if factor[course] <= 0:
                continue
            total = cost_of(hours[course], factor[course])
            for row in range(info[course, ROW], info[course + 1, ROW]):
                if rows[row, ENTRY] >= 0 and ours[rows[row, SKILL]]:
                    total = min(total + reach[rows[row, ENTRY]], FAR)
            for place in range(info[course, REQUIRED], info[course + 1, REQUIRED]):
                total = min(total + reach[requires[place]], FAR)
            if total < price[course]:
                price[course] = total
                falling = True
        if falling:
            lower(sources, price, reach)
    return reach


@kernel
def lower(sources: Sources, price: Longs, reach: Longs) -> None:
    """Bring what needs cost down to their cheapest way; what lies inside an `any` was numbered before it."""
    asked, opens, inner = sources.asked, sources.opens, sources.inner
    for need in range(len(reach)):
        skill, name = asked[need, SKILL_ASKED], asked[need, COURSE_ASKED]
        best = reach[need]
        if skill >= 0:
            for second in range(2):
                lists = sources.near_lists if second else sources.lists
                teaching = sources.near_teaching if second else sources.teaching
                end = lists[skill + 1] if skill + 1 < len(lists) else 0
                for place in range(lists[skill] if end else 0, end):
                    if teaching[place, 1] >= asked[need, LEVEL_ASKED]:
                        best = min(best, price[teaching[place, 0]])
        elif name >= 0:
            number = named(sources, name)
            best = min(best, price[number]) if number >= 0 else best
        else:
            for branch in range(asked[need, FIRST], asked[need, LAST]):
                total = 0
                for edge in range(opens[branch], opens[branch + 1]):
                    total = min(total + reach[inner[edge]], FAR)
                best = min(best, total)
        reach[need] = best
