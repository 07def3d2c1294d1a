"""The fewest hours in which an officer meets a need: a set of courses that can be studied one after the other.

A course that opens two doors counts once, so prices that add up can be too high; what is told of hours is found here.
First two figures per course (`Takes`): no way to it is shorter than its hours and those of its dearest need, and so on
back; and the cheapest course for each of its needs, and so on back, makes a way. Where that way, each course counted
once, is as short as no way can fall below, it is the shortest, which is so for most needs.

Else it is searched, best first: of the sets begun, the one that may become the shortest is extended by a course that
meets what it still lacks, if it may become shorter than the shortest way known. No set is shorter than its own hours
and those of the dearest need that it lacks; nor than its own and, for each need that it lacks, the least share of a
course that meets it, shared among the needs that it meets; nor than what a course of it takes, and all that waits for
it. The search visits a limited number of sets. Past it the shortest way known is an upper bound, and the best of the
sets begun a lower one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush, merge
from typing import NamedTuple

from services.recommender.inputs import MOST_STEPS
from services.recommender.planner.course_spec import SkillKey
from services.recommender.planner.exact.conditions import (
    AnyOf,
    Done,
    Level,
    Need,
    Standing,
    Way,
)
from services.recommender.planner.units import FAR

MOST_SETS = 40
"""Sets visited in one search."""

LOOKED_AT = 8
"""Courses compared for the least share of one need; later ones are longer, so their hours bound what they may share."""

FEW = 4
"""Needs up to which shares are counted; of more only the dearest."""

WEIGHED = 40
"""Courses of a way up to which each is tried to be left out."""

NOT_AT_ALL = 1 << 60


class Rise(NamedTuple):
    """What is wanted of a set: that it has a course which leads to a level, whatever level counts at doors already."""

    skill: SkillKey
    level: int


Wanted = Need | Rise


class Least(NamedTuple):
    """The shortest set found, in order of study. No set takes fewer than `floor` hours. Micro-hours."""

    hours: int
    floor: int
    courses: list[Way]

    @property
    def proved(self) -> bool:
        """Whether no set is shorter."""
        return self.hours <= self.floor


class Takes(NamedTuple):
    """What courses take from one standing, with what opens their doors, in micro-hours; FAR out of reach.

    `floor`: its hours and those of the dearest of its needs, so no way to a course takes less. `added`: its hours and
    those of each of its needs, one by one.
    """

    floor: Callable[[Way], int]
    added: Callable[[Way], int]


class Stock:
    """The courses that an officer may use and can reach, looked up when they are asked for.

    `teachers`: (level reached, id) of the courses that teach a skill, shortest first, then by id. `way`: a course of
    this id as the officer may use it, or None. `takes`: what courses take from a standing; None: it is worked out here.
    `unsure`: whether any was passed over that is not known to be in reach.
    """

    def __init__(
        self,
        teachers: Callable[[SkillKey], Iterable[tuple[int, str]]],
        way: Callable[[str], Way | None],
        takes: Callable[[Standing], Takes] | None = None,
    ) -> None:
        self._teachers, self._way, self._takes = teachers, way, takes
        self._ways: dict[str, Way | None] = {}
        self._lists: dict[SkillKey, list[tuple[int, str]]] = {}
        self._known: tuple[object, _Roads] | None = None
        self.unsure = False

    def roads(self, start: Standing, targets: Sequence["Wanted"]) -> "_Roads":
        """Return the cheapest courses from a standing; those from the last one asked for are kept."""
        if self._takes is None:
            return _Roads(self, start, worked_out(self, start, targets))
        key = frozenset(start.done), frozenset(start.levels.items())
        if self._known is None or self._known[0] != key:
            self._known = key, _Roads(self, start.copy(), self._takes(start))
        return self._known[1]

    def way(self, course_id: str) -> Way | None:
        """Return a course that may be used and can be reached."""
        if course_id not in self._ways:
            self._ways[course_id] = self._way(course_id)
        return self._ways[course_id]

    def _taught(self, skill: SkillKey) -> list[tuple[int, str]]:
        if skill not in self._lists:
            self._lists[skill] = list(self._teachers(skill))
        return self._lists[skill]

    def highest(self, skill: SkillKey, above: int, wanted: int) -> int | None:
        """Return the highest level above one and up to the wanted that some course leads to; None: there is none."""
        levels = sorted({min(level, wanted) for level, _ in self._taught(skill) if level > above}, reverse=True)
        return next((level for level in levels if next(self.meeting(Level(skill, level)), None)), None)

    def meeting(self, need: Wanted) -> Iterator[Way]:
        """Yield the courses that meet a need or a part of it, shortest first."""
        if isinstance(need, Level | Rise):
            yield from (
                way for level, name in self._taught(need.skill) if level >= need.level and (way := self.way(name))
            )
        elif isinstance(need, Done):
            if way := self.way(need.course):
                yield way
        else:
            yield from shortest_first(self.meeting(one) for branch in need.branches for one in branch)


class _Roads:
    """From one standing, what meets a need at the least, and the way that its cheapest courses make."""

    def __init__(self, stock: Stock, start: Standing, takes: Takes) -> None:
        self._stock, self._takes, self._begun = stock, takes, _Set(start)
        self._floors: dict[Wanted, int] = {}
        self._openers: dict[Wanted, tuple[int, Way | None]] = {}

    def floor_of(self, way: Way) -> int:
        """Return the hours below which no way to a course falls."""
        return max(self._takes.floor(way), way.hours)

    def floor(self, need: Wanted) -> int:
        """Return the hours below which no way to a need falls; FAR where there is none."""
        if self._begun.meets(need):
            return 0
        if isinstance(need, AnyOf):
            return min((max(map(self.floor, branch), default=0) for branch in need.branches), default=FAR)
        if (known := self._floors.get(need)) is None:
            known = FAR
            for way in self._stock.meeting(need):
                if way.hours >= known:
                    break
                known = min(known, self.floor_of(way))
            self._floors[need] = known
        return known

    def way(self, targets: Sequence[Wanted]) -> list[Way]:
        """Return the cheapest courses for each target, for each need of those, and so on, in order of study.

        No more than one above what a path may hold.
        """
        found: dict[str, Way] = {}
        waiting = list(targets)
        while waiting and len(found) <= MOST_STEPS:
            need = waiting.pop()
            if self._begun.meets(need):
                continue
            if isinstance(need, AnyOf):
                waiting += min(need.branches, key=lambda branch: sum(self._opener(one)[0] for one in branch))
            elif (way := self._opener(need)[1]) and way.id not in found:
                found[way.id] = way
                waiting += way.needs
        return sorted(found.values(), key=lambda way: (self._takes.added(way), way.id))

    def _opener(self, need: Wanted) -> tuple[int, Way | None]:
        """Return what a need takes by the course that takes least, and that course where there is one."""
        if self._begun.meets(need):
            return 0, None
        if isinstance(need, AnyOf):
            return min(sum(self._opener(one)[0] for one in branch) for branch in need.branches), None
        if (known := self._openers.get(need)) is None:
            known = FAR, None
            for way in self._stock.meeting(need):
                if way.hours > known[0]:
                    break
                added = self._takes.added(way)
                if known[1] is None or (added, way.id) < (known[0], known[1].id):
                    known = added, way
            self._openers[need] = known
        return known


def worked_out(stock: Stock, start: Standing, targets: Sequence[Wanted]) -> Takes:
    """Return what the courses that may lead to these targets take: out of reach at first, then lower until none falls.

    The rule to be read; `stock` finds the same for a whole catalogue.
    """
    begun, ways, meeting, waiting = _Set(start), dict[str, Way](), dict[Wanted, list[Way]](), list(targets)
    while waiting:
        need = waiting.pop()
        if isinstance(need, AnyOf):
            waiting += [one for branch in need.branches for one in branch]
        elif need not in meeting and not begun.meets(need):
            meeting[need] = list(stock.meeting(need))
            fresh = {way.id: way for way in meeting[need] if way.id not in ways}
            ways.update(fresh)
            waiting += [one for way in fresh.values() for one in way.needs]

    def settled(join: Callable[[list[int]], int]) -> dict[str, int]:
        def behind(need: Wanted) -> int:
            if begun.meets(need):
                return 0
            if isinstance(need, AnyOf):
                return min((join([behind(one) for one in branch]) for branch in need.branches), default=FAR)
            return min((now[way.id] for way in meeting[need]), default=FAR)

        now, before = dict.fromkeys(ways, FAR), dict[str, int]()
        while now != before:
            before = dict(now)
            for way in ways.values():
                now[way.id] = min(way.hours + join([behind(need) for need in way.needs]), FAR)
        return now

    floor, added = settled(lambda parts: max(parts, default=0)), settled(sum)
    return Takes(lambda way: floor[way.id], lambda way: added[way.id])


class _Set:
    """A set of courses begun: `order` can be studied, `stuck` cannot yet; the last of `stuck` came last.

    `met`: whether what is wanted is met by those that can be studied; `after`: course -> hours of it and of what it was
    taken for, and so on.
    """

    __slots__ = ("after", "done", "hours", "ids", "levels", "met", "order", "start", "stuck")

    def __init__(self, start: Standing) -> None:
        self.start = start
        self.levels: dict[SkillKey, int] = {}
        self.ids: frozenset[str] = frozenset()
        self.done: set[str] = set()
        self.order: list[Way] = []
        self.stuck: list[tuple[Way | None, Sequence[Wanted]]] = []
        self.hours = 0
        self.met = False
        self.after: dict[str, int] = {}

    def copy(self) -> "_Set":
        other = _Set(self.start)
        other.levels, other.ids, other.done = dict(self.levels), self.ids, set(self.done)
        other.order, other.stuck, other.hours = list(self.order), list(self.stuck), self.hours
        other.after = dict(self.after)
        return other

    def add(self, way: Way, after: int = 0) -> None:
        """Add a course for one that takes so long with what waits for it; study what can now be entered."""
        self.ids |= {way.id}
        self.after[way.id] = way.hours + after
        self.hours += way.hours
        self.stuck.append((way, way.needs))
        if not all(map(self.meets, way.needs)):
            return
        moved = True
        while moved:
            moved = False
            for place in reversed(range(len(self.stuck))):
                one, needs = self.stuck[place]
                if all(map(self.meets, needs)):
                    del self.stuck[place]
                    moved = True
                    if one is None:
                        self.met = True
                    else:
                        self.order.append(one)
                        self.done.add(one.id)
                        for skill, level in one.lifts.items():
                            self.levels[skill] = max(self.levels.get(skill, 0), level)

    def meets(self, need: Wanted) -> bool:
        if isinstance(need, Rise):
            return self.levels.get(need.skill, 0) >= need.level
        if isinstance(need, Level):
            held = self.start.levels.get(need.skill, 0)
            return max(held, self.levels.get(need.skill, 0)) >= need.level
        if isinstance(need, Done):
            return need.course in self.done or need.course in self.start.done
        return any(all(map(self.meets, branch)) for branch in need.branches)

    def lacks(self) -> list[tuple[Wanted, bool]]:
        """Return the unmet needs that no course of the set could meet; if there are none, all that are unmet.

        Each with whether it must be met from outside: courses of the set that wait for each other leave a choice.
        """
        unmet = [(one, need) for one, needs in reversed(self.stuck) for need in needs if not self.meets(need)]
        outside = list(dict.fromkeys(need for one, need in unmet if not self._could(need, one)))
        return [(need, True) for need in outside] or [(need, False) for need in dict.fromkeys(n for _, n in unmet)]

    def waits(self, need: Wanted) -> int:
        """Return the least that waits for a need: the hours of a course that has it, and of what that was taken for."""
        asking = [
            self.after[one.id] if one else 0 for one, needs in self.stuck if need in needs and not self.meets(need)
        ]
        return min(asking, default=0)

    def _could(self, need: Wanted, asking: Way | None) -> bool:
        """Return whether a need would be met if all that is stuck, but who asks, were studied."""
        if self.meets(need):
            return True
        others = [one for one, _ in self.stuck if one and one is not asking]
        if isinstance(need, Level | Rise):
            return any(one.lifts.get(need.skill, 0) >= need.level for one in others)
        if isinstance(need, Done):
            return any(one.id == need.course for one in others)
        return any(all(self._could(one, asking) for one in branch) for branch in need.branches)


def least(
    start: Standing, targets: Sequence[Wanted], stock: Stock, steps: int = NOT_AT_ALL, most_sets: int = MOST_SETS
) -> Least | None:
    """Return the shortest set of at most `steps` courses that meets all targets from here; None where there is none.

    What the limit on the search (`most_sets` visited) leaves open shows in `floor`.
    """
    if all(map(_Set(start).meets, targets)):
        return Least(0, 0, [])
    roads = stock.roads(start, targets)
    floor = max(map(roads.floor, targets))
    if floor >= FAR:
        return None
    known = roads.way(targets)
    if len(known) > MOST_STEPS:
        return None if steps <= MOST_STEPS else Least(sum(way.hours for way in known), floor, [])
    if len(known) <= WEIGHED:
        known = without_spare(start, known, targets)
    found = Least(sum(way.hours for way in known), floor, known) if len(known) <= steps else None
    if found and (found.proved or not most_sets):
        return found
    return _Search(start, stock, steps, targets, most_sets, roads, found).run()


def cheapest(start: Standing, targets: Sequence[Wanted], stock: Stock) -> list[Way] | None:
    """Return the courses that take least for each need alone, in order of study; None where a path may not hold them.

    All targets are in reach.
    """
    found = stock.roads(start, targets).way(targets)
    if 1 < len(found) <= WEIGHED:
        return without_spare(start, found, targets)
    return found if len(found) <= MOST_STEPS else None


class _Search:
    """The sets begun, by the least that they can become."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a search knows
        self,
        start: Standing,
        stock: Stock,
        steps: int,
        targets: Sequence[Wanted],
        most_sets: int,
        roads: _Roads,
        known: Least | None,
    ) -> None:
        self._begun, self._stock, self._steps, self._targets = _Set(start), stock, steps, targets
        self._most_sets, self._roads, self._known = most_sets, roads, known
        self._below = known.hours if known else FAR
        self._begun.stuck.append((None, targets))
        self._heap: list[tuple[int, int, _Set, Iterator[tuple[_Set, int]] | None]] = []
        self._seen: dict[frozenset[str], int] = {}
        self._visited = 0

    def run(self) -> Least | None:
        self._push(self._begun, max(map(self._roads.floor, self._targets)))
        while self._heap:
            floor, _, one, rest = heappop(self._heap)
            if one.met:
                return Least(one.hours, floor, one.order)
            if self._visited >= self._most_sets:
                return self._cut_short(one, floor)
            self._next(one, floor, rest if rest is not None else self._longer(one))
        return self._known._replace(floor=self._known.hours) if self._known else None

    def _push(self, one: _Set, floor: int, rest: Iterator[tuple[_Set, int]] | None = None) -> None:
        """Keep a set that may become shorter than the shortest way known."""
        if floor < self._below:
            heappush(self._heap, (floor, -2 * self._visited + (rest is not None), one, rest))  # of equals the newest

    def _next(self, one: _Set, floor: int, rest: Iterator[tuple[_Set, int]]) -> None:
        """Take on the next of the sets that one more course makes, and what comes after it where it may be."""
        for longer, with_all in rest:
            self._visited += 1
            self._push(one, max(floor, longer.hours), rest)
            if len(longer.ids) > self._steps or (longer.met and longer.stuck):
                return  # the same without what is stuck is shorter
            able = max(floor, longer.hours + self._missing(longer), with_all)
            if able < self._seen.get(longer.ids, NOT_AT_ALL):
                self._seen[longer.ids] = able
                self._push(longer, able)
            return

    def _longer(self, one: _Set) -> Iterator[tuple[_Set, int]]:
        """Yield the sets that one more course makes of it, shortest first, each with what it takes at least.

        Every larger set that can be studied has one of these courses, which stands before what waits for it.
        """
        after, found = self._outside(one)
        for way in found:
            if one.hours + way.hours >= self._below:
                return
            with_all = self._roads.floor_of(way) + after
            if with_all < self._below:
                longer = one.copy()
                longer.add(way, after)
                yield longer, with_all

    def _outside(self, one: _Set) -> tuple[int, Iterator[Way]]:
        """Return the courses of which any larger set that can be studied has one, shortest first.

        Before them the hours of what waits for the one that is taken, at least.
        """
        lacked = one.lacks()
        if lacked and lacked[0][1]:
            firsts = [(next(self._meeting(need, one), None), place) for place, (need, _) in enumerate(lacked)]
            dearest = max(firsts, key=lambda item: (item[0].hours if item[0] else NOT_AT_ALL, -item[1]))[1]
            return one.waits(lacked[dearest][0]), self._meeting(lacked[dearest][0], one)
        return 0, shortest_first(self._meeting(need, one) for need, _ in lacked)

    def _meeting(self, need: Wanted, one: _Set) -> Iterator[Way]:
        return (way for way in self._stock.meeting(need) if way.id not in one.ids)

    def _missing(self, one: _Set) -> int:
        """Return hours that any larger set that can be studied takes more, at least."""
        lacked = one.lacks()
        if not lacked or not lacked[0][1]:
            return 0
        needs = [need for need, _ in lacked]
        firsts = [next(self._meeting(need, one), None) for need in needs]
        longest = max(way.hours if way else NOT_AT_ALL for way in firsts)
        if longest == NOT_AT_ALL or not 1 < len(needs) <= FEW:
            return longest
        return max(longest, sum(self._share(need, needs, one) for need in needs))

    def _share(self, need: Wanted, needs: Sequence[Wanted], one: _Set) -> int:
        best = NOT_AT_ALL
        for looked, way in enumerate(self._meeting(need, one)):
            least_share = way.hours // len(needs)
            if best <= least_share:
                break
            if looked >= LOOKED_AT:
                return least_share
            best = min(best, way.hours // max(sum(helps(way, other) for other in needs), 1))
        return best

    def _cut_short(self, one: _Set, floor: int) -> Least | None:
        """Return the shortest way known, or the one that the cheapest courses make of the best set begun."""
        whole = one.copy()
        for way in self._roads.way([need for need, _ in one.lacks()]):
            if way.id not in whole.ids:
                whole.add(way)
        if not whole.met:
            return self._known and self._known._replace(floor=floor)
        found = without_spare(one.start, whole.order, self._targets) if len(whole.order) <= WEIGHED else whole.order
        hours = sum(way.hours for way in found)
        if hours >= self._below or len(found) > min(self._steps, MOST_STEPS):
            return self._known and self._known._replace(floor=floor)
        return Least(hours, floor, found)


def without_spare(start: Standing, courses: Sequence[Way], targets: Sequence[Wanted]) -> list[Way]:
    """Return courses that meet all targets without, from the end, those that are not needed for it."""
    found = list(courses)
    for way in reversed(courses):
        rest = [other for other in found if other is not way]
        if _meets_all(start, rest, targets):
            found = rest
    return found


def _meets_all(start: Standing, courses: Sequence[Way], targets: Sequence[Wanted]) -> bool:
    """Return whether these courses can be studied in this order and meet all targets."""
    now = _Set(start)
    for way in courses:
        now.add(way)
        if now.stuck:
            return False
    return all(map(now.meets, targets))


def shortest_first(parts: Iterable[Iterator[Way]]) -> Iterator[Way]:
    """Yield the courses of several lists, each once."""
    last = ""
    for way in merge(*parts, key=lambda one: (one.hours, one.id)):
        if way.id != last:  # one of several lists comes several times in a row
            yield way
        last = way.id


def helps(way: Way, need: Wanted) -> bool:
    """Return whether a course meets a need or a part of it."""
    if isinstance(need, Level | Rise):
        return way.lifts.get(need.skill, 0) >= need.level
    if isinstance(need, Done):
        return way.id == need.course
    return any(helps(way, one) for branch in need.branches for one in branch)
