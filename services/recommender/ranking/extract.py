"""Match: out of the whole catalogue, what can matter to one officer.

The inverted index gives every course that teaches a gap skill beyond the level held: the candidates. From there
backwards over unmet needs, and for each need over its suppliers, shortest first, for as long as the next one by itself
costs no more than the cheapest way known so far. What is left out can never be the cheapest way: prices only fall while
a path grows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.ranking.compiled import kernel
from services.recommender.ranking.names import COURSE_ASKED, FIRST, LAST, LEVEL_ASKED, SKILL_ASKED
from services.recommender.ranking.segments import ENTRY, REQUIRED, ROW, Ints, Longs, Segment, Table

FAR = 1 << 60
"""Micro-hours that no path has: out of reach."""

NOT_BOUNDED = FAR - 1
"""The price of a candidate that only an officer who holds something may reach."""

DOOR, GAP, OURS = range(3)
NUMBER, COST, PRICE, EDGE, EDGES = range(5)
NEED, REACH, WAYS, BASE_NEXT, NEAR_NEXT, ONLY, MOST = range(7)
WAY_COUNT, NEED_COUNT, EDGE_COUNT, CHAIN_COUNT, FULL = range(5)


class Sources(NamedTuple):
    """Where to look. Two segments end to end: courses, rows and `requires` as in Segment, the inverted index of each.

    `places`, `sparse`: names of the first; `names`, `numbers`: of the second. `asked`, `opens`, `inner`: `names.Needs`.
    A way is the number of a course, or past those the number of a branch.
    """

    info: Table
    hours: Longs
    rank: Longs
    rows: Table
    requires: Ints
    lists: Ints
    teaching: Table
    near_lists: Ints
    near_teaching: Table
    places: Ints
    sparse: Ints
    names: Ints
    numbers: Ints
    asked: Table
    opens: Ints
    inner: Ints

    @property
    def size(self) -> int:
        """The number of courses."""
        return len(self.hours)


def sources_of(base: Segment, near: Segment, asked: Table, opens: Ints, inner: Ints) -> Sources:
    """Return two segments end to end, and the conditions of entry."""
    shifted = near.info.copy()
    shifted[:, ROW] += len(base.rows)
    shifted[:, REQUIRED] += len(base.requires)
    moved = near.teaching.copy()
    moved[:, 0] += base.size
    return Sources(
        np.concatenate([base.info[:-1], shifted]), np.concatenate([base.hours, near.hours]),
        np.concatenate([base.rank, near.rank]), np.concatenate([base.rows, near.rows]),
        np.concatenate([base.requires, near.requires]), base.lists, base.teaching, near.lists, moved,
        base.places, base.sparse, near.sparse, near.places + np.int32(base.size), asked, opens, inner,
    )  # fmt: skip


class Seeker(NamedTuple):
    """One officer. `skills`: DOOR level for entries (micro-levels), GAP (-1: none), OURS (of this framework).

    Per gap: `cut`, the level held, and `size`; `tops[begins[g]:begins[g + 1]]`: (level, its worth). `factor`: per
    course what multiplies its hours, 0 where it is not to be used; none is below `least`. `done`: the names of courses,
    sorted. `roots`: courses wanted whatever they close. `bounds`: what a need costs at most (`bounds`).
    """

    skills: Longs
    cut: Longs
    size: NDArray[np.float64]
    begins: Longs
    tops: Longs
    factor: NDArray[np.float64]
    least: float
    done: Ints
    roots: Ints
    bounds: Longs


class Draft(NamedTuple):
    """What is found, in the order of finding. `ways`: NUMBER, COST, PRICE, and needs `edges[EDGE:EDGES]`.

    `needs`: NEED, REACH, the first of its chain of WAYS, how far the suppliers of both segments were looked at, and the
    way of the course that it asks for (ONLY). `chain`: (way, next). `at_*`: where what was found stands, plus one.
    """

    ways: Longs
    needs: Longs
    edges: Longs
    chain: Longs
    counts: Longs
    at_way: Ints
    at_need: Ints


def draft_for(sources: Sources, room: int) -> Draft:
    """Return an empty draft with room for so many ways."""
    return Draft(
        np.empty((room, 5), np.int64), np.empty((room, 7), np.int64), np.empty(room * 8, np.int64),
        np.empty((room * 8, 2), np.int64), np.zeros(5, np.int64),
        np.zeros(sources.size + len(sources.opens) + 1, np.int32), np.zeros(len(sources.asked) + 1, np.int32),
    )  # fmt: skip


@kernel
def place_in(values: Ints, value: int) -> int:
    """Return where a value stands in a sorted row, or -1."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if low < len(values) and values[low] == value else -1


@kernel
def cost_of(hours: int, factor: float) -> int:
    """Return what a course costs, micro-hours; 0 where it is not to be used."""
    if factor == 1.0:
        return hours
    return max(int(hours * factor + 0.5), 1) if factor > 0 else 0


@kernel
def add_way(ways: Longs, counts: Longs, at: Ints, number: int, cost: int) -> int:
    """Return the place of a way, which is new where it was not there; -1 where there is no room."""
    if at[number] == 0:
        place = counts[WAY_COUNT]
        if place >= len(ways):
            counts[FULL] = 1
            return -1
        ways[place, NUMBER], ways[place, COST], ways[place, PRICE] = number, cost, FAR
        counts[WAY_COUNT] = place + 1
        at[number] = place + 1
    return int(at[number]) - 1


@kernel
def add_chain(needs: Longs, chain: Longs, counts: Longs, need: int, way: int) -> None:
    """Note that a way meets a need."""
    place = counts[CHAIN_COUNT]
    if place >= len(chain):
        counts[FULL] = 1
    elif way >= 0:
        chain[place, 0], chain[place, 1] = way, needs[need, WAYS]
        needs[need, WAYS] = place
        counts[CHAIN_COUNT] = place + 1


@kernel
def find_candidates(sources: Sources, seeker: Seeker, draft: Draft) -> None:
    """Add the courses that teach a gap skill beyond the level held, and the roots."""
    ways, counts, at = draft.ways, draft.counts, draft.at_way
    hours, skills, cut, factor = sources.hours, seeker.skills, seeker.cut, seeker.factor
    for second in range(2):
        lists = sources.near_lists if second else sources.lists
        teaching = sources.near_teaching if second else sources.teaching
        for skill in range(min(len(skills), len(lists) - 1)):
            gap = skills[skill, GAP]
            if gap < 0:
                continue
            for place in range(lists[skill], lists[skill + 1]):
                course = teaching[place, 0]
                if teaching[place, 1] > cut[gap] and factor[course] > 0:
                    add_way(ways, counts, at, course, cost_of(hours[course], factor[course]))
    for course in seeker.roots:
        if factor[course] > 0:
            add_way(ways, counts, at, course, cost_of(hours[course], factor[course]))


@kernel
def find_needs(sources: Sources, seeker: Seeker, draft: Draft, looked: int) -> int:
    """Add the unmet needs of every way from `looked` on; return how many ways there are."""
    ways, needs, edges, counts, at = draft.ways, draft.needs, draft.edges, draft.counts, draft.at_need
    info, rows, requires, asked, opens, inner = (
        sources.info, sources.rows, sources.requires, sources.asked, sources.opens, sources.inner,
    )  # fmt: skip
    skills, done, bounds, size = seeker.skills, seeker.done, seeker.bounds, len(sources.hours)
    while looked < counts[WAY_COUNT]:
        number = ways[looked, NUMBER]
        ways[looked, EDGE] = ways[looked, EDGES] = counts[EDGE_COUNT]
        taught = 0 if number >= size else info[number + 1, ROW] - info[number, ROW]
        first = opens[number - size] if number >= size else info[number, REQUIRED]
        last = opens[number - size + 1] if number >= size else info[number + 1, REQUIRED]
        for item in range(taught + last - first):
            if item < taught:
                row = info[number, ROW] + item
                need = rows[row, ENTRY] if skills[rows[row, 0], OURS] else -1
            else:
                need = inner[first + item - taught] if number >= size else requires[first + item - taught]
            if need < 0 or is_met(asked, skills, done, need):
                continue
            if counts[NEED_COUNT] >= len(needs) or counts[EDGE_COUNT] >= len(edges):
                counts[FULL] = 1
                return looked
            if at[need] == 0:
                open_need(needs, counts, at, need, bounds[need] if need < len(bounds) else FAR)
            add_edge(ways, edges, counts, looked, at[need] - 1)
        looked += 1
    return looked


@kernel
def is_met(asked: Table, skills: Longs, done: Ints, need: int) -> bool:
    """Return whether a condition on a level or a course holds before the path."""
    if asked[need, SKILL_ASKED] >= 0:
        return bool(skills[asked[need, SKILL_ASKED], DOOR] >= asked[need, LEVEL_ASKED])
    return bool(asked[need, COURSE_ASKED] >= 0 and place_in(done, asked[need, COURSE_ASKED]) >= 0)


@kernel
def open_need(needs: Longs, counts: Longs, at: Ints, need: int, most: int) -> None:
    """Add a need."""
    place = counts[NEED_COUNT]
    needs[place, NEED], needs[place, REACH], needs[place, WAYS], needs[place, ONLY] = need, FAR, -1, -1
    needs[place, BASE_NEXT] = needs[place, NEAR_NEXT] = 0
    needs[place, MOST] = most
    counts[NEED_COUNT] = place + 1
    at[need] = place + 1


@kernel
def add_edge(ways: Longs, edges: Longs, counts: Longs, way: int, need: int) -> None:
    """Note that a way has a need, once."""
    for edge in range(ways[way, EDGE], ways[way, EDGES]):
        if edges[edge] == need:
            return
    edges[counts[EDGE_COUNT]] = need
    counts[EDGE_COUNT] += 1
    ways[way, EDGES] = counts[EDGE_COUNT]


@kernel
def find_ways(sources: Sources, seeker: Seeker, draft: Draft, first: int, most: int) -> bool:
    """Add to every need from `first` on the next ways that may be its cheapest; return whether there were any."""
    needs, chain, ways, counts, at = draft.needs, draft.chain, draft.ways, draft.counts, draft.at_way
    asked, hours, factor, least = sources.asked, sources.hours, seeker.factor, seeker.least
    grew = False
    for need in range(first, counts[NEED_COUNT]):
        skill, level = asked[needs[need, NEED], SKILL_ASKED], asked[needs[need, NEED], LEVEL_ASKED]
        if skill < 0:
            if needs[need, BASE_NEXT] == 0:
                needs[need, BASE_NEXT] = 1
                find_named(sources, seeker, draft, need)
                grew = True
            continue
        for second in range(2):
            if needs[need, BASE_NEXT + second] < 0:
                continue
            lists = sources.near_lists if second else sources.lists
            teaching = sources.near_teaching if second else sources.teaching
            end = lists[skill + 1] if skill + 1 < len(lists) else 0
            place = lists[skill] + needs[need, BASE_NEXT + second] if end else 0
            added = 0
            limit = min(needs[need, REACH], needs[need, MOST])
            while place < end and added < most and hours[teaching[place, 0]] * least <= limit:
                course = teaching[place, 0]
                cost = cost_of(hours[course], factor[course])
                if (
                    teaching[place, 1] >= level
                    and 0 < cost <= limit
                    and may_serve(sources, seeker, course, cost, needs[need, MOST])
                ):
                    add_chain(needs, chain, counts, need, add_way(ways, counts, at, course, cost))
                    added += 1
                place += 1
            grew = grew or added > 0
            needs[need, BASE_NEXT + second] = place - lists[skill] if added == most else -1
    return grew


@kernel
def may_serve(sources: Sources, seeker: Seeker, course: int, cost: int, most: int) -> bool:
    """Return whether a course, with what its unmet needs cost at most, comes near the most that a need costs."""
    if most >= FAR:
        return True
    info, rows, requires, bounds = sources.info, sources.rows, sources.requires, seeker.bounds
    asked, skills, done, total = sources.asked, seeker.skills, seeker.done, cost
    for row in range(info[course, ROW], info[course + 1, ROW]):
        need = rows[row, ENTRY]
        if need >= 0 and skills[rows[row, 0], OURS] and not is_met(asked, skills, done, need):
            total = min(total + (bounds[need] if need < len(bounds) else FAR), FAR)
    for place in range(info[course, REQUIRED], info[course + 1, REQUIRED]):
        need = requires[place]
        if not is_met(asked, skills, done, need):
            total = min(total + (bounds[need] if need < len(bounds) else FAR), FAR)
    return bool(total <= most + most // 4)


@kernel
def named(sources: Sources, name: int) -> int:
    """Return the number of a named course; -1 where there is none."""
    place = place_in(sources.names, name)
    if place >= 0:
        return int(sources.numbers[place])
    if len(sources.sparse):
        place = place_in(sources.sparse, name)
        return int(sources.places[place]) if place >= 0 else -1
    return int(sources.places[name]) if name < len(sources.places) else -1


@kernel
def find_named(sources: Sources, seeker: Seeker, draft: Draft, need: int) -> None:
    """Add the course that a need asks for, or its branches."""
    needs, chain, ways, counts, at = draft.needs, draft.chain, draft.ways, draft.counts, draft.at_way
    row = sources.asked[needs[need, NEED]]
    name = row[COURSE_ASKED]
    if name >= 0:
        number = named(sources, name)
        if number >= 0 and seeker.factor[number] > 0:
            cost = cost_of(sources.hours[number], seeker.factor[number])
            needs[need, ONLY] = add_way(ways, counts, at, number, cost)
            add_chain(needs, chain, counts, need, needs[need, ONLY])
    for branch in range(row[LAST] - 1, row[FIRST] - 1, -1):
        add_chain(needs, chain, counts, need, add_way(ways, counts, at, len(sources.hours) + branch, 0))


@kernel
def relax(draft: Draft) -> None:
    """Bring prices down until none falls."""
    ways, needs, edges, chain = draft.ways, draft.needs, draft.edges, draft.chain
    falling = True
    while falling:
        falling = False
        for need in range(draft.counts[NEED_COUNT]):
            place, reach = needs[need, WAYS], needs[need, REACH]
            while place >= 0:
                reach = min(reach, ways[chain[place, 0], PRICE])
                place = chain[place, 1]
            needs[need, REACH] = reach
        for way in range(draft.counts[WAY_COUNT]):
            total = ways[way, COST]
            for edge in range(ways[way, EDGE], ways[way, EDGES]):
                total = min(total + needs[edges[edge], REACH], FAR)
            if total < ways[way, PRICE]:
                ways[way, PRICE] = total
                falling = True


@kernel
def survey(sources: Sources, seeker: Seeker, draft: Draft) -> None:
    """Fill a draft with the candidates and the most that they can cost."""
    ways, needs, edges = draft.ways, draft.needs, draft.edges
    find_candidates(sources, seeker, draft)
    find_needs(sources, seeker, draft, 0)
    if draft.counts[FULL] == 0:
        for way in range(draft.counts[WAY_COUNT]):
            total = ways[way, COST]
            for edge in range(ways[way, EDGE], ways[way, EDGES]):
                total = min(total + needs[edges[edge], MOST], FAR)
            ways[way, PRICE] = min(total, NOT_BOUNDED)


@kernel
def discover(sources: Sources, seeker: Seeker, draft: Draft, candidates: bool) -> None:
    """Fill a draft with the candidates, unless they are among the roots, the roots, and what leads to them."""
    counts = draft.counts
    if candidates:
        find_candidates(sources, seeker, draft)
    else:
        for course in seeker.roots:
            if seeker.factor[course] > 0:
                cost = cost_of(sources.hours[course], seeker.factor[course])
                add_way(draft.ways, counts, draft.at_way, course, cost)
    looked, opened, most, growing = 0, 0, 2, True
    while growing and counts[FULL] == 0:
        looked = find_needs(sources, seeker, draft, looked)
        while opened < counts[NEED_COUNT] and counts[FULL] == 0:
            first, opened = opened, counts[NEED_COUNT]
            find_ways(sources, seeker, draft, first, most)
            looked = find_needs(sources, seeker, draft, looked)
        relax(draft)
        most *= 2
        growing = find_ways(sources, seeker, draft, 0, most)
    if counts[FULL] == 0:
        find_needs(sources, seeker, draft, looked)
        relax(draft)
