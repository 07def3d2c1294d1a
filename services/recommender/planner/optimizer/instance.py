"""An officer's planning problem as three small tables: ways, needs, and the links between them.

Two kinds of nodes take turns. A *way* needs all of its needs: every course is one, and so is every branch of an `any`,
at no cost. A *need* is met by any one of its ways, or by the officer's own standing.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

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
    LOW,
    SKILL,
    Ints,
    Longs,
    Table,
)
from services.recommender.planner.jit import ZERO, kernel, wide
from services.recommender.planner.optimizer.candidates import enter, shortlist
from services.recommender.planner.optimizer.closure_cost import Prices, branch_cost, score_of
from services.recommender.planner.optimizer.query import (
    DOOR,
    GAP,
    OURS,
    Seeker,
)
from services.recommender.planner.units import FAR

SLACK = 4
"""A way is kept for a need where it costs at most a quarter more than the cheapest one at the start, or is the shortest
by itself."""

SEVERAL = 24
"""So many courses more that cost less than the cheapest ways to the needs that they meet, taken together."""

BRANCH, NUMBER, COST, HOURS, RANK, COSINE, NEEDS, NEEDS_END, LIFTS, LIFTS_END, GAINS, GAINS_END = range(12)
MEETS, MEETS_END, OWN_NEED, WAY_COLUMNS = range(12, 16)
ASKED, LEVEL, COURSE, WAYS, WAYS_END, ANY, USERS, USERS_END, NEXT, NEED_COLUMNS = range(10)
HOURS_LEFT, STEPS_LEFT = 0, 1
HELD, DOORS, STATUS, PRICES, REACH, END = range(6)


class Problem(NamedTuple):
    """Costs and hours in micro-hours, levels in micro-levels, ids as ranks; `links` holds all lists end to end.

    A row of `ways`: whether a BRANCH, NUMBER, COST, HOURS, RANK, COSINE (millionths), where its links begin and end -
    NEEDS, LIFTS (skill, level), GAINS (gap, worth), and the needs that it MEETS - and the one that asks for this course
    (OWN_NEED, or -1). A row of `needs`: ASKED skill and LEVEL, or COURSE (way); WAYS that meet it; ANY where those are
    branches; USERS; the NEXT need on the same skill. `first_need`: where that begins per skill. `at`: where in a
    standing HELD worth, DOORS, STATUS and PRICES of ways, and the REACH of needs begin.
    """

    ways: Longs
    needs: Longs
    links: Longs
    at: Longs
    doors: Longs
    first_need: Longs


class _Draft(NamedTuple):
    """Tables that grow: rows of ways and needs, links, where each way and need of the net stands (-1: nowhere)."""

    ways: Longs
    needs: Longs
    links: Longs
    way_at: Longs
    need_at: Longs
    sizes: Longs


WAY_COUNT, NEED_COUNT, LINK_COUNT = range(3)


@kernel
def problem_of(net: Net, seeker: Seeker, prices: Prices) -> Problem:
    """Return the problem of one officer: what is weighed, the roots, and what leads to them."""
    courses, numbers = len(net.hours), len(net.hours) + len(net.branch_need)
    draft = _Draft(
        np.zeros((256, WAY_COLUMNS), np.int64), np.zeros((128, NEED_COLUMNS), np.int64), np.empty(8192, np.int64),
        np.full(numbers, -1, np.int64), np.full(len(net.asked), -1, np.int64), np.zeros(3, np.int64),
    )  # fmt: skip
    for course in shortlist(net, seeker, prices):
        draft = place_way(draft, wide(course))
    for course in seeker.roots:
        if prices.cost[course] > 0:
            draft = place_way(draft, wide(course))
    levels = root_levels(net, seeker, prices)
    draft = follow(net, seeker, prices, levels, draft, ZERO, ZERO)
    looked, opened = draft.sizes[WAY_COUNT], draft.sizes[NEED_COUNT]
    for course in serving_several(net, seeker, prices, draft):
        draft = place_way(draft, wide(course))
    draft = follow(net, seeker, prices, levels, draft, looked, opened)
    looked, opened = draft.sizes[WAY_COUNT], draft.sizes[NEED_COUNT]
    ways, needs = draft.ways[:looked], draft.needs[:opened]
    skill_at, doors = settle_needs(net, seeker, draft, needs)
    for way in range(looked):
        if ways[way, NUMBER] >= courses:
            ways[way, BRANCH], ways[way, RANK] = 1, FAR + ways[way, NUMBER]
        else:
            draft = link_course(net, seeker, prices, draft, skill_at, way)
    first = chain(needs, len(doors))
    draft = link_openers(draft, ways, needs, first)
    links = turn(ways, needs, draft.links[: draft.sizes[LINK_COUNT]])
    sizes = np.array([2, len(seeker.cut), len(doors), looked, looked, opened])
    return Problem(ways, needs, links, np.cumsum(sizes), doors, first)


@kernel
def follow(net: Net, seeker: Seeker, prices: Prices, levels: Longs, draft: _Draft, looked: int, opened: int) -> _Draft:
    """Return the draft with what leads to its ways: those from `looked` on, and the needs from `opened` on."""
    found, asked = np.empty(len(draft.way_at), np.int64), np.empty(len(net.asked), np.int64)
    while looked < draft.sizes[WAY_COUNT]:
        number = draft.ways[looked, NUMBER]
        draft = link_needs(draft, looked, asked[: needs_of(net, seeker, prices.reach, number, asked)])
        looked += 1
        while opened < draft.sizes[NEED_COUNT]:
            need = draft.needs[opened, ASKED]
            draft = link_ways(draft, opened, found[: ways_of(net, seeker, prices, levels, need, found)])
            opened += 1
    return draft


@kernel
def serving_several(net: Net, seeker: Seeker, prices: Prices, draft: _Draft) -> Ints:
    """Return the courses outside a draft that cost least beside the cheapest ways to all that they meet of its needs.

    Of the needs of such a course those that the draft has cost nothing: others have to meet them as well.
    """
    asked, lists, teaching, cost, price, reach = (
        net.asked, net.lists, net.teaching, prices.cost, prices.price, prices.reach,
    )  # fmt: skip
    saved, total, own = np.zeros(len(net.hours), np.int64), ZERO, np.empty(len(asked), np.int64)
    waiting = np.empty(draft.sizes[NEED_COUNT], np.int64)
    count = ZERO
    for place in range(draft.sizes[NEED_COUNT]):
        need = draft.needs[place, ASKED]
        if 0 <= asked[need, ASKED_SKILL] < len(lists) - 1 and 0 < reach[need] < FAR:
            waiting[count] = need
            total += reach[need]
            count += 1
    for need in waiting[:count]:
        skill, level = asked[need, ASKED_SKILL], asked[need, ASKED_LEVEL]
        for place in range(lists[skill], lists[skill + 1]):
            course = teaching[place, 0]
            if net.hours[course] * seeker.least > total:
                break
            if teaching[place, 1] >= level and price[course] < FAR:
                saved[course] += reach[need]
    ratio, best = np.zeros(SEVERAL, np.int64), np.full(SEVERAL, -1, np.int32)
    for course in np.flatnonzero(saved):
        if draft.way_at[course] < 0:
            spent = cost[course]
            for need in own[: needs_of(net, seeker, reach, course, own)]:
                if draft.need_at[need] < 0:
                    spent += reach[need]
            if spent < saved[course]:
                enter(ratio, best, net.rank, -score_of(saved[course], spent, 1.0), course)
    return best[best >= 0]


@kernel
def link_openers(draft: _Draft, ways: Longs, needs: Longs, first: Longs) -> _Draft:
    """Return the draft with every course linked to all levels that it meets, whatever it costs."""
    counts = np.zeros(len(needs), np.int64)
    links = draft.links
    for filling in range(2):
        for way in range(len(ways)):
            for place in range(ways[way, LIFTS], ways[way, LIFTS_END], 2):
                need = first[links[place]]
                while need >= 0:
                    if needs[need, LEVEL] <= links[place + 1]:
                        if filling:
                            links[needs[need, WAYS] + counts[need]] = way
                        counts[need] += 1
                    need = needs[need, NEXT]
        if not filling:
            links = room_for(draft, counts.sum())
            end = draft.sizes[LINK_COUNT]
            for need in range(len(needs)):
                if needs[need, ASKED] >= 0:
                    needs[need, WAYS] = end
                    end += counts[need]
                    needs[need, WAYS_END] = end
            draft.sizes[LINK_COUNT] = end
            counts[:] = 0
    return _Draft(draft.ways, draft.needs, links, draft.way_at, draft.need_at, draft.sizes)


@kernel
def turn(ways: Longs, needs: Longs, links: Longs) -> Longs:
    """Return the links with those in the other direction behind them: users of needs, and what ways meet."""
    end = len(links)
    total = (ways[:, NEEDS_END] - ways[:, NEEDS]).sum() + (needs[:, WAYS_END] - needs[:, WAYS]).sum()
    longer = np.empty(end + total, np.int64)
    longer[:end] = links
    for way in range(len(ways)):
        for place in range(ways[way, NEEDS], ways[way, NEEDS_END]):
            needs[links[place], USERS_END] += 1
    for need in range(len(needs)):
        for place in range(needs[need, WAYS], needs[need, WAYS_END]):
            ways[links[place], MEETS_END] += 1
    for need in range(len(needs)):
        needs[need, USERS], end = end, end + needs[need, USERS_END]
        needs[need, USERS_END] = needs[need, USERS]
    for way in range(len(ways)):
        ways[way, MEETS], end = end, end + ways[way, MEETS_END]
        ways[way, MEETS_END] = ways[way, MEETS]
    for way in range(len(ways)):
        for place in range(ways[way, NEEDS], ways[way, NEEDS_END]):
            need = links[place]
            longer[needs[need, USERS_END]] = way
            needs[need, USERS_END] += 1
    for need in range(len(needs)):
        for place in range(needs[need, WAYS], needs[need, WAYS_END]):
            way = links[place]
            longer[ways[way, MEETS_END]] = need
            ways[way, MEETS_END] += 1
    ways[:, OWN_NEED] = -1
    for need in range(len(needs)):
        if needs[need, COURSE] >= 0:
            ways[needs[need, COURSE], OWN_NEED] = need
    return longer


@kernel
def chain(needs: Longs, skills: int) -> Longs:
    """Link the needs of each skill; return where each chain begins, -1 where there is none."""
    first = np.full(skills, -1, np.int64)
    for need in range(len(needs)):
        if needs[need, ASKED] >= 0:
            needs[need, NEXT] = first[needs[need, ASKED]]
            first[needs[need, ASKED]] = need
    return first


@kernel
def place_way(draft: _Draft, number: int) -> _Draft:
    """Return the draft with a way, once."""
    ways, count = draft.ways, draft.sizes[WAY_COUNT]
    if draft.way_at[number] < 0:
        if count == len(ways):
            ways = np.concatenate((ways, np.zeros_like(ways)))
        ways[count, NUMBER] = number
        draft.way_at[number] = count
        draft.sizes[WAY_COUNT] += 1
    return _Draft(ways, draft.needs, draft.links, draft.way_at, draft.need_at, draft.sizes)


@kernel
def link_needs(draft: _Draft, way: int, found: Longs) -> _Draft:
    """Return the draft with the needs of a way."""
    needs, need_at, sizes, links = draft.needs, draft.need_at, draft.sizes, room_for(draft, len(found))
    draft.ways[way, NEEDS] = sizes[LINK_COUNT]
    for need in found:
        if need_at[need] < 0:
            if sizes[NEED_COUNT] == len(needs):
                needs = np.concatenate((needs, np.zeros_like(needs)))
            needs[sizes[NEED_COUNT], ASKED] = need
            need_at[need] = sizes[NEED_COUNT]
            sizes[NEED_COUNT] += 1
        links[sizes[LINK_COUNT]] = need_at[need]
        sizes[LINK_COUNT] += 1
    draft.ways[way, NEEDS_END] = sizes[LINK_COUNT]
    return _Draft(draft.ways, needs, links, draft.way_at, need_at, sizes)


@kernel
def link_ways(draft: _Draft, need: int, found: Longs) -> _Draft:
    """Return the draft with the ways that meet a need."""
    links, needs, sizes, way_at = room_for(draft, len(found)), draft.needs, draft.sizes, draft.way_at
    needs[need, WAYS], end = sizes[LINK_COUNT], sizes[LINK_COUNT]
    for way in found:
        if way_at[way] < 0:
            draft = place_way(draft, way)
        links[end] = way_at[way]
        end += 1
    needs[need, WAYS_END] = sizes[LINK_COUNT] = end
    return _Draft(draft.ways, needs, links, way_at, draft.need_at, sizes)


@kernel
def room_for(draft: _Draft, more: int) -> Longs:
    """Return the links with room for more."""
    links, end = draft.links, draft.sizes[LINK_COUNT]
    if end + more > len(links):
        return np.concatenate((links, np.empty(len(links) + more, np.int64)))
    return links


@kernel
def settle_needs(net: Net, seeker: Seeker, draft: _Draft, needs: Longs) -> tuple[Longs, Longs]:
    """Say in every need what it asks for; until here ASKED holds its number in the net.

    Returns where each skill stands among those that are asked for (-1: nowhere), and the levels held of these.
    """
    asked, skills, way_at = net.asked, seeker.skills, draft.way_at
    skill_at, doors, numbers, count = (
        np.full(len(skills), -1, np.int64),
        np.empty(len(needs), np.int64),
        needs[:, ASKED].copy(),
        0,
    )
    for place in range(len(needs)):
        number = numbers[place]
        skill, only = asked[number, ASKED_SKILL], asked[number, ONLY]
        if skill >= 0 and skill_at[skill] < 0:
            skill_at[skill] = count
            doors[count] = skills[skill, DOOR]
            count += 1
        needs[place, ASKED] = skill_at[skill] if skill >= 0 else -1
        needs[place, LEVEL], needs[place, COURSE] = asked[number, ASKED_LEVEL], way_at[only] if only >= 0 else -1
        needs[place, ANY] = asked[number, ANY_LAST] > asked[number, ANY_FIRST]
    return skill_at, doors[:count]


@kernel
def link_course(net: Net, seeker: Seeker, prices: Prices, draft: _Draft, skill_at: Longs, way: int) -> _Draft:
    """Return the draft with what a course costs, lifts and gains, and its cosine."""
    rows, skills, tops, cut, size, starts = net.rows, seeker.skills, seeker.tops, seeker.cut, seeker.size, seeker.begins
    row_of, course, end = draft.ways[way], draft.ways[way, NUMBER], draft.sizes[LINK_COUNT]
    first, last = net.begins[course, FIRST_ROW], net.begins[course + 1, FIRST_ROW]
    links = room_for(draft, 4 * (last - first))
    row_of[COST], row_of[HOURS], row_of[RANK] = prices.cost[course], net.hours[course], net.rank[course]
    row_of[LIFTS] = end
    for row in range(first, last):
        skill, high = rows[row, SKILL], rows[row, HIGH]
        if skill_at[skill] >= 0 and high > skills[skill, DOOR]:
            links[end], links[end + 1] = skill_at[skill], high
            end += 2
    row_of[LIFTS_END] = row_of[GAINS] = end
    dot = own = 0.0
    for row in range(first, last):
        skill, high = rows[row, SKILL], rows[row, HIGH]
        gap = skills[skill, GAP]
        if skills[skill, OURS]:
            gain = (high - rows[row, LOW]) / 1e6
            own += gain * gain
            dot += gain * size[gap] if gap >= 0 else 0.0
        if gap >= 0 and high > cut[gap]:
            for top in range(starts[gap], starts[gap + 1]):
                if tops[top, 0] == high:
                    links[end], links[end + 1] = gap, tops[top, 1]
            end += 2
    row_of[GAINS_END] = end
    # To six places, so that no machine's last bit decides a tie.
    row_of[COSINE] = int(dot / (sqrt(own) * sqrt((size * size).sum())) * 1e6 + 0.5) if dot > 0 else 0
    draft.sizes[LINK_COUNT] = end
    return _Draft(draft.ways, draft.needs, links, draft.way_at, draft.need_at, draft.sizes)


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
    """Fill in the courses, and branches past them, that meet a need at about the least price or are the shortest.

    With them the branches that the roots may meet at `levels`; see `root_levels`. Returns how many.
    """
    asked, hours, teaching, price, reach = net.asked, net.hours, net.teaching, prices.price, prices.reach
    skill, level, only = asked[need, ASKED_SKILL], asked[need, ASKED_LEVEL], asked[need, ONLY]
    if reach[need] >= FAR:
        return 0
    limit, count = reach[need] + reach[need] // SLACK, 0
    if 0 <= skill < len(net.lists) - 1:
        for place in range(net.lists[skill], net.lists[skill + 1]):
            course = teaching[place, 0]
            if hours[course] * seeker.least > limit and count > 0:
                break
            if teaching[place, 1] >= level and (price[course] <= limit or (count == 0 and price[course] < FAR)):
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
