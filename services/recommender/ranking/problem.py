"""An officer's planning problem as three small tables: ways, needs, and the links between them.

Two kinds of nodes take turns. A *way* needs all of its needs: every course is one, and so is every branch of an `any`,
at no cost. A *need* is met by any one of its ways, or by the officer's own standing.
"""

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import numpy as np

from services.recommender.model import MICRO
from services.recommender.ranking import extract
from services.recommender.ranking.compiled import kernel
from services.recommender.ranking.extract import (
    DOOR,
    FULL,
    GAP,
    NEED_COUNT,
    OURS,
    WAY_COUNT,
    Draft,
    Seeker,
    Sources,
    discover,
    draft_for,
    survey,
)
from services.recommender.ranking.names import FIRST, LAST, LEVEL_ASKED, SKILL_ASKED
from services.recommender.ranking.segments import HIGH, LOW, ROW, SKILL, Longs

BRANCH, NUMBER, COST, HOURS, RANK, COSINE, NEEDS, NEEDS_END, LIFTS, LIFTS_END, GAINS, GAINS_END = range(12)
ASKED, LEVEL, COURSE, WAYS, WAYS_END, ANY = range(6)
HOURS_LEFT, STEPS_LEFT = 0, 1
HELD, DOORS, PRICES, STATUS, MET, REACH, END = range(7)


class Problem(NamedTuple):
    """Costs and hours in micro-hours, levels in micro-levels, ids as ranks; `links` holds all lists end to end.

    A row of `ways`: whether a BRANCH, NUMBER, COST, HOURS, RANK, COSINE (millionths), and where its links begin and
    end: NEEDS, LIFTS (skill, level) and GAINS (gap, worth). A row of `needs`: ASKED skill and LEVEL, or COURSE (way),
    and WAYS that meet it; ANY where those are branches. `anys`: these, inner ones first. `at`: where in a standing
    HELD worth, DOORS, PRICES and STATUS of ways, MET and REACH of needs begin.
    """

    ways: Longs
    needs: Longs
    links: Longs
    anys: Longs
    at: Longs
    doors: Longs


SLACK = 4
"""A way is kept for a need where it costs at most a quarter more than the cheapest one at the start."""

PER_LEVEL = 4
"""Per gap and level reached, so many of the cheapest candidates are weighed."""

BY_WORTH = 48
"""And so many more of those worth most by themselves for their price, to the powers of 1 and 0.4."""


def problem_of(sources: Sources, seeker: Seeker) -> Problem:
    """Return the problem of one officer."""
    bounded = len(seeker.bounds) > 0
    if bounded:
        draft = _drafted(sources, seeker, survey)
        numbers = draft.ways[_shortlist(sources, seeker, draft), extract.NUMBER].astype(np.int32)
        seeker = seeker._replace(roots=np.unique(np.concatenate([seeker.roots, numbers])))
        draft = _drafted(sources, seeker, _from_roots)
    else:
        draft = _drafted(sources, seeker, _from_all)
    chosen = np.zeros(int(draft.counts[WAY_COUNT]), np.int64)
    chosen[draft.at_way[seeker.roots[seeker.factor[seeker.roots] > 0]] - 1] = 1
    if not bounded:
        chosen[_shortlist(sources, seeker, draft)] = 1
    needed = np.zeros(int(draft.counts[NEED_COUNT]), np.int64)
    spread(draft, chosen, needed)
    ways, needs = np.flatnonzero(chosen), np.flatnonzero(needed)
    chosen[ways], needed[needs] = np.arange(1, len(ways) + 1), np.arange(1, len(needs) + 1)
    asked = sources.asked[draft.needs[needs, extract.NEED]]
    skills = np.unique(asked[asked[:, SKILL_ASKED] >= 0, SKILL_ASKED])
    place = np.full(len(seeker.skills), -1, np.int64)
    place[skills] = np.arange(len(skills))
    links = np.empty(
        int(draft.counts[extract.EDGE_COUNT] + draft.counts[extract.CHAIN_COUNT]) + 160 * len(ways), np.int64
    )
    way_table, need_table = np.zeros((len(ways), 12), np.int64), np.zeros((len(needs), 6), np.int64)
    links = fill(sources, seeker, draft, place, chosen, needed, ways, needs, way_table, need_table, links)
    anys = np.flatnonzero(need_table[:, ANY])
    anys = anys[np.argsort(draft.needs[needs[anys], extract.NEED])]  # what lies inside another was numbered first
    sizes = (2, len(seeker.cut), len(skills), len(ways), len(ways), len(needs), len(needs))
    return Problem(way_table, need_table, links, anys, np.cumsum(sizes), seeker.skills[skills, DOOR])


def _from_roots(sources: Sources, seeker: Seeker, draft: Draft) -> None:
    discover(sources, seeker, draft, False)  # noqa: FBT003 - compiled code takes no names


def _from_all(sources: Sources, seeker: Seeker, draft: Draft) -> None:
    discover(sources, seeker, draft, True)  # noqa: FBT003 - compiled code takes no names


def _drafted(sources: Sources, seeker: Seeker, find: Callable[[Sources, Seeker, Draft], None]) -> Draft:
    """Return a draft that had room enough."""
    room = 8192
    while True:
        draft = draft_for(sources, room)
        find(sources, seeker, draft)
        if draft.counts[FULL] == 0:
            return draft
        room *= 4


def _shortlist(sources: Sources, seeker: Seeker, draft: Draft) -> Longs:
    """Return the candidates to weigh: the cheapest per gap and level, and those worth most for their price."""
    table = np.zeros((int(draft.counts[WAY_COUNT]) * 4 + 1000, 4), np.int64)
    count = candidate_rows(sources, seeker, draft, table)
    rows = table[:count]
    if not count:
        return rows[:, 0]
    order = np.lexsort((sources.rank[draft.ways[rows[:, 0], extract.NUMBER]], rows[:, 2], rows[:, 1]))
    keys = rows[order, 1]
    begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    places = np.arange(count) - np.repeat(begins, np.diff(np.append(begins, count)))
    chosen = [rows[order[places < PER_LEVEL], 0], rows[rows[:, 2] == extract.NOT_BOUNDED, 0]]
    ways, first = np.unique(rows[:, 0], return_index=True)
    for exponent in (1.0, 0.4):
        score = rows[first, 3] / (rows[first, 2] / MICRO) ** exponent
        best = np.lexsort((sources.rank[draft.ways[ways, extract.NUMBER]], -score.round(3)))[:BY_WORTH]
        chosen.append(ways[best])
    return np.unique(np.concatenate(chosen))


@kernel
def candidate_rows(sources: Sources, seeker: Seeker, draft: Draft, table: Longs) -> int:
    """Fill in way, gap and level (one number), price and worth by itself of each gap that each candidate closes."""
    ways, info, rows, skills, cut = draft.ways, sources.info, sources.rows, seeker.skills, seeker.cut
    tops, begins, size = seeker.tops, seeker.begins, len(sources.hours)
    count = 0
    for way in range(draft.counts[WAY_COUNT]):
        number = ways[way, extract.NUMBER]
        if number >= size or ways[way, extract.PRICE] >= extract.FAR or count + 200 > len(table):
            continue
        first, worth = count, 0
        for row in range(info[number, ROW], info[number + 1, ROW]):
            gap = skills[rows[row, SKILL], GAP]
            if gap < 0 or rows[row, HIGH] <= cut[gap]:
                continue
            for top in range(begins[gap], begins[gap + 1]):
                if tops[top, 0] == rows[row, HIGH] and tops[top, 1] > 0:
                    table[count, 0], table[count, 1], table[count, 2] = way, top, ways[way, extract.PRICE]
                    worth += tops[top, 1]
                    count += 1
        for place in range(first, count):
            table[place, 3] = worth
    return count


@kernel
def spread(draft: Draft, chosen: Longs, needed: Longs) -> None:
    """Choose, for what is chosen, the needs and the ways that may meet them at the cheapest price."""
    ways, needs, edges, chain = draft.ways, draft.needs, draft.edges, draft.chain
    waiting = np.empty(len(chosen) + 1, np.int64)
    count = 0
    for way in range(len(chosen)):
        if chosen[way]:
            waiting[count] = way
            count += 1
    while count:
        count -= 1
        way = waiting[count]
        for edge in range(ways[way, extract.EDGE], ways[way, extract.EDGES]):
            need = edges[edge]
            if needed[need]:
                continue
            needed[need] = 1
            place = needs[need, extract.WAYS]
            while place >= 0:
                other = chain[place, 0]
                if not chosen[other] and eligible(draft, need, other):
                    chosen[other] = 1
                    waiting[count] = other
                    count += 1
                place = chain[place, 1]


@kernel
def eligible(draft: Draft, need: int, way: int) -> bool:
    """Return whether a way can ever be the cheapest of a need."""
    reach = draft.needs[need, extract.REACH]
    return bool(reach < extract.FAR and draft.ways[way, extract.PRICE] <= reach + reach // SLACK)


@kernel
def fill(
    sources: Sources, seeker: Seeker, draft: Draft, place: Longs, chosen: Longs, needed: Longs, from_ways: Longs,
    from_needs: Longs, ways: Longs, needs: Longs, links: Longs,
) -> Longs:  # fmt: skip
    """Fill the tables from what is chosen of a draft; return the links."""
    end, size = 0, len(sources.hours)
    for way in range(len(ways)):
        number = draft.ways[from_ways[way], extract.NUMBER]
        ways[way, NUMBER], ways[way, COST] = number, draft.ways[from_ways[way], extract.COST]
        ways[way, BRANCH] = number >= size
        ways[way, NEEDS] = end
        for edge in range(draft.ways[from_ways[way], extract.EDGE], draft.ways[from_ways[way], extract.EDGES]):
            links[end] = needed[draft.edges[edge]] - 1
            end += 1
        ways[way, NEEDS_END] = end
        if number >= size:
            ways[way, RANK] = extract.FAR + number
            ways[way, LIFTS:] = end
        else:
            if end + 4 * (sources.info[number + 1, ROW] - sources.info[number, ROW]) > len(links):
                links = np.concatenate((links, np.empty_like(links)))
            end = fill_course(sources, seeker, place, ways[way], links, end)
    for need in range(len(needs)):
        origin = from_needs[need]
        row = sources.asked[draft.needs[origin, extract.NEED]]
        needs[need, ASKED] = place[row[SKILL_ASKED]] if row[SKILL_ASKED] >= 0 else -1
        only = draft.needs[origin, extract.ONLY]
        needs[need, LEVEL], needs[need, COURSE] = row[LEVEL_ASKED], chosen[only] - 1 if only >= 0 else -1
        needs[need, ANY] = row[LAST] > row[FIRST]
        needs[need, WAYS] = end
        link = draft.needs[origin, extract.WAYS]
        while link >= 0:
            way = draft.chain[link, 0]
            if chosen[way] and eligible(draft, origin, way):
                if end >= len(links):
                    links = np.concatenate((links, np.empty_like(links)))
                links[end] = chosen[way] - 1
                end += 1
            link = draft.chain[link, 1]
        needs[need, WAYS_END] = end
    return links


@kernel
def fill_course(sources: Sources, seeker: Seeker, place: Longs, way: Longs, links: Longs, end: int) -> int:
    """Fill the row of a course and its lifts and gains; return where the links end."""
    course, rows, skills, tops = way[NUMBER], sources.rows, seeker.skills, seeker.tops
    first, last = sources.info[course, ROW], sources.info[course + 1, ROW]
    way[HOURS], way[RANK] = sources.hours[course], sources.rank[course]
    way[LIFTS] = end
    for row in range(first, last):
        skill, high = rows[row, SKILL], rows[row, HIGH]
        if place[skill] >= 0 and high > skills[skill, DOOR]:
            links[end], links[end + 1] = place[skill], high
            end += 2
    way[LIFTS_END] = way[GAINS] = end
    dot = own = wanted = 0.0
    for row in range(first, last):
        skill, high, gap = rows[row, SKILL], rows[row, HIGH], skills[rows[row, SKILL], GAP]
        if skills[skill, OURS]:
            gain = (high - rows[row, LOW]) / 1e6
            own += gain * gain
            dot += gain * seeker.size[gap] if gap >= 0 else 0.0
        if gap >= 0 and high > seeker.cut[gap]:
            for top in range(seeker.begins[gap], seeker.begins[gap + 1]):
                if tops[top, 0] == high:
                    links[end], links[end + 1] = gap, tops[top, 1]
            end += 2
    way[GAINS_END] = end
    for size in seeker.size:
        wanted += size * size
    # To six places, so that no machine's last bit decides a tie.
    way[COSINE] = int(dot / (sqrt(own) * sqrt(wanted)) * 1e6 + 0.5) if dot > 0 else 0
    return end
