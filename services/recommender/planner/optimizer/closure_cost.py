"""Reach: what every course of a catalogue costs one officer, together with the cheapest courses that open its door.

    price(course) = its cost + the reach of each of its needs
    reach(need)   = 0 where it is met, else the least price among what meets it; a branch costs the sum of its needs

The prices are the least fixed point of these two lines, so circles and what points nowhere stay out of reach. They are
found once per catalogue and kind of officer, for one who holds nothing. Each officer's own follow from those: what may
not be used rises with all that leaned on it, what is held falls, and only what changes is looked at.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO
from services.recommender.planner.index.graph import (
    ANY_FIRST,
    ANY_LAST,
    ASKED_LEVEL,
    ASKED_SKILL,
    FIRST_NEED,
    FIRST_ROW,
    ONLY,
    Net,
)
from services.recommender.planner.index.segment import (
    ENTRY,
    HIGH,
    SKILL,
    Ints,
    Longs,
)
from services.recommender.planner.jit import ZERO, kernel, wide
from services.recommender.planner.units import FAR, NEVER

Flags = NDArray[np.bool_]


class Prices(NamedTuple):
    """Micro-hours: `cost` per course, 0 where it is not to be used; `price` per course; `reach` per need."""

    cost: Longs
    price: Longs
    reach: Longs


class Heap(NamedTuple):
    """Needs whose reach fell, the least first. `place` of each in `needs`, -1 where it is not there.

    `before`: what the users of one in it were priced with; `size`: how many there are.
    """

    needs: Longs
    place: Longs
    before: Longs
    size: Longs


@kernel
def score_of(gain: int, cost: int, exponent: float) -> int:
    """Return micro-levels per hour, the hours to the power of an exponent."""
    if exponent == 1.0:
        return gain * MICRO // cost
    return gain * MICRO // max(int(MICRO * (cost / MICRO) ** exponent + 0.5), 1)


@kernel
def branch_cost(net: Net, reach: Longs, branch: int) -> int:
    """Return what the needs of a branch cost."""
    total = 0
    for place in range(net.opens[branch], net.opens[branch + 1]):
        total = min(total + reach[net.inner[place]], FAR)
    return total


@kernel
def fall(reach: Longs, heap: Heap, need: int, total: int) -> None:
    """Note that a need can be met for so much."""
    if total >= reach[need]:
        return
    at = heap.place[need]
    if at < 0:
        at = heap.size[0]
        heap.size[0] += 1
        heap.before[need] = reach[need]
    reach[need] = total
    while at > 0 and reach[heap.needs[(at - 1) >> 1]] > total:
        heap.needs[at] = heap.needs[(at - 1) >> 1]
        heap.place[heap.needs[at]] = at
        at = (at - 1) >> 1
    heap.needs[at], heap.place[need] = need, at


@kernel
def least_of(reach: Longs, heap: Heap) -> int:
    """Take the need of least reach from the heap."""
    needs, place = heap.needs, heap.place
    least = needs[0]
    place[least] = -1
    heap.size[0] -= 1
    size = heap.size[0]
    if size:
        last, at = needs[size], 0
        while 2 * at + 1 < size:
            child = 2 * at + 1
            if child + 1 < size and reach[needs[child + 1]] < reach[needs[child]]:
                child += 1
            if reach[needs[child]] >= reach[last]:
                break
            needs[at] = needs[child]
            place[needs[at]] = at
            at = child
        needs[at], place[last] = last, at
    return int(least)


@kernel
def drain(net: Net, ours: Flags, prices: Prices, heap: Heap, fresh: Ints) -> None:
    """Tell what `fresh` courses cost, and price on, from the least, until nothing falls any more."""
    price, reach, size, before = prices.price, prices.reach, heap.size, heap.before
    begins, rows, asks, asking, asked, course_need = (
        net.begins, net.rows, net.asks, net.asking, net.asked, net.course_need,
    )  # fmt: skip
    uses, users, holds, holders, branch_need = net.uses, net.users, net.holds, net.holders, net.branch_need
    told = np.empty(max(len(price), len(fresh)), np.int32)
    told[: len(fresh)] = fresh
    count, change = len(fresh), 0
    while True:
        for course in told[:count]:
            price[course] += change
            total = price[course]
            if total >= FAR:
                continue
            for row in range(begins[course, FIRST_ROW], begins[course + 1, FIRST_ROW]):
                first, place = asks[rows[row, SKILL]], asks[rows[row, SKILL] + 1] - 1
                while place >= first and asked[asking[place], ASKED_LEVEL] > rows[row, HIGH]:
                    place -= 1
                while place >= first and total < reach[asking[place]]:  # a lower level never costs more
                    fall(reach, heap, wide(asking[place]), total)
                    place -= 1
            if course_need[course] >= 0 and total < reach[course_need[course]]:
                fall(reach, heap, wide(course_need[course]), total)
        if size[0] == 0:
            break
        need, count = least_of(reach, heap), 0
        change = reach[need] - before[need]
        mine = asked[need, ASKED_SKILL] >= 0 and ours[asked[need, ASKED_SKILL]]
        for place in range(uses[need], uses[need + 1]):
            if users[place] >= 0 or mine:
                told[count] = users[place] if users[place] >= 0 else ~users[place]
                count += 1
        for place in range(holds[need], holds[need + 1]):
            fall(reach, heap, wide(branch_need[holders[place]]), branch_cost(net, reach, holders[place]))


@kernel
def sum_up(net: Net, ours: Flags, prices: Prices, courses: Ints) -> None:
    """Price courses by the sum of their needs, each once; a `from` counts on the officer's own framework only."""
    begins, rows, requires = net.begins, net.rows, net.requires
    cost, price, reach = prices.cost, prices.price, prices.reach
    for course in courses:
        first, last = begins[course, FIRST_ROW], begins[course + 1, FIRST_ROW]
        price[course] = cost[course] or NEVER
        for row in range(first, last):
            if rows[row, ENTRY] >= 0 and ours[rows[row, SKILL]]:
                price[course] += reach[rows[row, ENTRY]]
        for place in range(begins[course, FIRST_NEED], begins[course + 1, FIRST_NEED]):
            need, twice = requires[place], False
            for row in range(first, last):
                twice = twice or (rows[row, ENTRY] == need and ours[rows[row, SKILL]])
            price[course] += 0 if twice else reach[need]


@kernel
def heap_for(needs: int) -> Heap:
    """Return an empty heap for so many needs."""
    return Heap(
        np.empty(needs, np.int64), np.full(needs, -1, np.int64), np.empty(needs, np.int64), np.zeros(1, np.int64)
    )


@kernel
def prices_of(net: Net, ours: Flags, cost: Longs) -> Prices:
    """Return the prices for an officer who holds nothing."""
    courses, needs = len(cost), len(net.asked)
    prices = Prices(cost, np.empty(courses, np.int64), np.full(needs, FAR, np.int64))
    heap = heap_for(len(net.asked))
    everything = np.arange(courses, dtype=np.int32)
    sum_up(net, ours, prices, everything)
    drain(net, ours, prices, heap, everything)
    return prices


@kernel
def settle(net: Net, ours: Flags, doors: Longs, held: Ints, changed: Ints, known: int, prices: Prices) -> None:
    """Make prices for an officer who holds nothing those of an officer.

    `doors`: level per skill; `held`: needs that are met; `changed`: courses whose cost is another now, or that are new;
    so many needs were `known` before.
    """
    heap = heap_for(len(net.asked))
    fresh = rise(net, ours, changed, prices, heap) if len(changed) else changed
    for need in range(known, len(net.asked)):
        fall(prices.reach, heap, need, cheapest(net, prices, need))
    for need in held:
        fall(prices.reach, heap, wide(need), ZERO)
    for skill in range(min(len(doors), len(net.asks) - 1)):
        if doors[skill] > 0:
            for place in range(net.asks[skill], net.asks[skill + 1]):
                if net.asked[net.asking[place], ASKED_LEVEL] > doors[skill]:
                    break
                fall(prices.reach, heap, wide(net.asking[place]), ZERO)
    drain(net, ours, prices, heap, fresh)


@kernel
def cheapest(net: Net, prices: Prices, need: int) -> int:
    """Return the least that meets a need, as everything is priced now."""
    best, skill = FAR, net.asked[need, ASKED_SKILL]
    if skill >= 0 and skill + 1 < len(net.lists):
        for place in range(net.lists[skill], net.lists[skill + 1]):
            if net.teaching[place, 1] >= net.asked[need, ASKED_LEVEL]:
                best = min(best, prices.price[net.teaching[place, 0]])
    if net.asked[need, ONLY] >= 0:
        best = min(best, prices.price[net.asked[need, ONLY]])
    for branch in range(net.asked[need, ANY_FIRST], net.asked[need, ANY_LAST]):
        best = min(best, branch_cost(net, prices.reach, branch))
    return int(best)


@kernel
def rise(net: Net, ours: Flags, changed: Ints, prices: Prices, heap: Heap) -> Ints:
    """Put out of reach all that may lean on the changed courses; price it from what is left, and return it."""
    count, reach = len(prices.price), prices.reach
    dear, unmet = np.zeros(count, np.bool_), np.zeros(len(reach), np.bool_)
    courses, needs = np.empty(count, np.int32), np.empty(len(reach), np.int64)
    looked = found = seen = opened = ZERO
    for course in changed:
        if not dear[course]:
            dear[course] = True
            courses[found] = course
            found += 1
    while looked < found or seen < opened:
        if looked < found:
            opened = doubt(net, prices, courses[looked], unmet, needs, opened)
            looked += 1
            continue
        need = needs[seen]
        seen += 1
        for place in range(net.uses[need], net.uses[need + 1]):
            course = net.users[place] if net.users[place] >= 0 else ~net.users[place]
            if not dear[course]:
                dear[course] = True
                courses[found] = course
                found += 1
        for place in range(net.holds[need], net.holds[need + 1]):
            other = net.branch_need[net.holders[place]]
            if not unmet[other] and reach[other] < FAR and branch_cost(net, reach, net.holders[place]) == reach[other]:
                unmet[other] = True
                needs[opened] = other
                opened += 1
    for place in range(opened):
        reach[needs[place]] = FAR
    sum_up(net, ours, prices, courses[:found])
    for place in range(opened):
        fall(reach, heap, needs[place], cheapest(net, prices, needs[place]))
    return courses[:found]


@kernel
def doubt(net: Net, prices: Prices, course: int, unmet: Flags, needs: Longs, opened: int) -> int:
    """Note the needs whose reach is the price of a course; return how many were noted so far."""
    total = prices.price[course]
    if total >= FAR:
        return opened
    for row in range(net.begins[course, FIRST_ROW], net.begins[course + 1, FIRST_ROW]):
        skill = net.rows[row, SKILL]
        for place in range(net.asks[skill], net.asks[skill + 1]):
            need = net.asking[place]
            if net.asked[need, ASKED_LEVEL] > net.rows[row, HIGH]:
                break
            if not unmet[need] and prices.reach[need] == total:
                unmet[need] = True
                needs[opened] = need
                opened += 1
    need = net.course_need[course]
    if need >= 0 and not unmet[need] and prices.reach[need] == total:
        unmet[need] = True
        needs[opened] = need
        opened += 1
    return opened


@kernel
def outlay(net: Net, ours: Flags, doors: Longs, held: Ints, adding: int, prices: Prices) -> None:
    """Fill in prices from nothing for one standing, each course priced once, when all of its needs are known.

    `doors`: level per skill; `held`: needs that are met. `adding` 1: a course costs what each of its needs does, as
    elsewhere here; 0: only what the dearest does, so no way to it costs less, and FAR or more out of reach.
    """
    cost, price, reach = prices.cost, prices.price, prices.reach
    reach[:] = FAR
    heap, lacking, behind = heap_for(len(reach)), np.zeros(len(price), np.int64), np.zeros(len(price), np.int64)
    for need in range(len(reach)):
        mine = net.asked[need, ASKED_SKILL] >= 0 and ours[net.asked[need, ASKED_SKILL]]
        for place in range(net.uses[need], net.uses[need + 1]):
            if net.users[place] >= 0 or mine:
                lacking[net.users[place] if net.users[place] >= 0 else ~net.users[place]] += 1
    for need in held:
        fall(reach, heap, wide(need), ZERO)
    for skill in range(min(len(doors), len(net.asks) - 1)):
        for place in range(net.asks[skill], net.asks[skill + 1]):
            if net.asked[net.asking[place], ASKED_LEVEL] > doors[skill]:
                break
            fall(reach, heap, wide(net.asking[place]), ZERO)
    for course in range(len(price)):
        price[course] = FAR if cost[course] else NEVER
        if cost[course] and not lacking[course]:
            price[course] = cost[course]
            offer(net, reach, heap, wide(course), price[course])
    while heap.size[0]:
        need = least_of(reach, heap)
        mine = net.asked[need, ASKED_SKILL] >= 0 and ours[net.asked[need, ASKED_SKILL]]
        for place in range(net.uses[need], net.uses[need + 1]):
            if net.users[place] >= 0 or mine:
                course = net.users[place] if net.users[place] >= 0 else ~net.users[place]
                lacking[course] -= 1
                behind[course] = behind[course] + reach[need] if adding else max(behind[course], reach[need])
                if cost[course] and not lacking[course]:
                    price[course] = min(behind[course] + cost[course], FAR)
                    offer(net, reach, heap, wide(course), price[course])
        for place in range(net.holds[need], net.holds[need + 1]):
            branch, total = net.holders[place], ZERO
            for inner in range(net.opens[branch], net.opens[branch + 1]):
                one = reach[net.inner[inner]]
                total = min(total + one, FAR) if adding else max(total, one)
            fall(reach, heap, wide(net.branch_need[branch]), total)
    if adding:
        sum_up(net, ours, prices, np.arange(len(price), dtype=np.int32))


@kernel
def offer(net: Net, reach: Longs, heap: Heap, course: int, total: int) -> None:
    """Tell what a course meets that it costs so much."""
    for row in range(net.begins[course, FIRST_ROW], net.begins[course + 1, FIRST_ROW]):
        first, place = net.asks[net.rows[row, SKILL]], net.asks[net.rows[row, SKILL] + 1] - 1
        while place >= first and net.asked[net.asking[place], ASKED_LEVEL] > net.rows[row, HIGH]:
            place -= 1
        while place >= first and total < reach[net.asking[place]]:  # a lower level never costs more
            fall(reach, heap, wide(net.asking[place]), total)
            place -= 1
    if net.course_need[course] >= 0:
        fall(reach, heap, wide(net.course_need[course]), total)
