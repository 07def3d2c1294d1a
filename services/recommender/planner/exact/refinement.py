"""Improve a path by least closures: the search prices each prerequisite on its own, a closure costs its union.

A course that serves two conditions is counted twice in a price (`optimizer.closure_cost`), so its target may look too
dear to fit, or be reached by a longer way. Three kinds of change are tried on the path that the search found, with
`least`:

    shorten    another, shorter set of prerequisites for a target of the path
    extend     the shortest way that raises an open skill, where its hours and steps are left
    force      a target that the search found no fitting way to, taken first; the search fills the rest of the hours

A change stands where the path closes more, or as much at less cost. The number of changes tried is limited.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from services.recommender.planner.course_spec import SkillKey
from services.recommender.planner.exact.conditions import (
    AnyOf,
    Done,
    Level,
    Need,
    Standing,
    Way,
    needs_of,
    score_of,
)
from services.recommender.planner.exact.minimum_closure import Rise, helps, least
from services.recommender.planner.exact.residual import Beyond, Obstacle, Pick, end_of, reached_by
from services.recommender.planner.units import micro
from services.recommender.planner.value import Worth

MOST_CHANGES = 12
"""Changes tried on one path."""

FEW_SETS = 8
"""Sets visited for one closure."""

MOST_FORCED = 2
"""Of them, those that search anew."""

WORTH_A_CHANGE = 101
"""Per cent of what the path before closes: a new one that closes less does not replace it."""

P = TypeVar("P")


class PathPlan(NamedTuple, Generic[P]):
    """A path before it is told: its plan, its picks, what lies beyond them, and what keeps a skill from rising."""

    plan: P
    picks: list[Pick]
    beyond: Beyond
    obstacle: Callable[[str, float], Obstacle]

    @property
    def names(self) -> list[str]:
        """The courses of the path, in order."""
        return [pick.offer.id for pick in self.picks]

    @property
    def cost(self) -> int:
        """What the courses cost together, in weighted micro-hours."""
        return sum(way.cost if (way := self.beyond.stock.way(name)) else 0 for name in self.names)


class PathPlanner(NamedTuple, Generic[P]):
    """How a path is made anew.

    `told`: the draft of a path of these courses. `fits`: whether the search has a way to a course within the hours
    that the seeds leave. `forced`: the courses of the path that the search finds with this course in it. `teachers`:
    (micro-level, id) of the courses that teach a skill, whether they can be used or not.
    """

    told: Callable[[list[str]], PathPlan[P]]
    fits: Callable[[str], bool]
    forced: Callable[[str], list[str]]
    teachers: Callable[[SkillKey], Iterable[tuple[int, str]]]


def draft_of(plan: P, picks: list[Pick], beyond: Beyond) -> PathPlan[P]:
    """Return a draft; each obstacle is looked up once."""
    return PathPlan(plan, picks, beyond, cache(beyond.obstacle))


def improved(first: PathPlan[P], worth: Worth, doors: Mapping[SkillKey, float], again: PathPlanner[P]) -> PathPlan[P]:
    """Return the best path that the changes lead to. `doors`: the levels that entries are tested against before it."""
    best, left = first, MOST_CHANGES
    again = again._replace(teachers=cache(lambda skill, find=again.teachers: list(find(skill))))
    if first.beyond.finishing:
        return first
    seen, searches = {tuple(first.names)}, MOST_FORCED
    while left > 0:
        for names in chain(_shorter(best, worth, doors, again), _longer(best, worth)):
            if tuple(names) in seen:
                continue
            seen.add(tuple(names))
            left -= 1
            if _better(other := again.told(names), best):
                best = other
                break
            if left <= 0:
                return best
        else:
            if (target := _unseen(best, worth, doors, again, seen)) is None or searches <= 0:
                return best
            seen.add((target,))
            searches -= 1
            left -= 1
            if _better(other := again.told(again.forced(target)), best):
                best = other
    return best


def _better(one: PathPlan[P], other: PathPlan[P]) -> bool:
    """Return whether a path closes more, or as much at less cost. A path that was kept changes for 1 % or more."""
    mine, theirs = one.beyond.end.worth, other.beyond.end.worth
    if min(one.beyond.end.hours, one.beyond.end.steps) < min(other.beyond.end.hours, other.beyond.end.steps, 0):
        return False
    if other.beyond.kept:
        return mine * 100 >= theirs * WORTH_A_CHANGE and mine > theirs
    return mine > theirs or (mine == theirs and one.cost < other.cost)


def _shorter(
    draft: PathPlan[P], worth: Worth, doors: Mapping[SkillKey, float], again: PathPlanner[P]
) -> Iterator[list[str]]:
    """Yield the path with the shortest prerequisites of each target that has two or more of its own."""
    if draft.beyond.kept:
        return
    inputs, stock, names = draft.beyond.inputs, draft.beyond.stock, draft.names
    held = {(inputs.framework.id, skill): worth.wants[skill].level for skill in worth.gaps}
    levels, first = dict(doors), 0
    for place, pick in enumerate(draft.picks):
        rows = {key: high for key, (_, high) in pick.offer.teaches.items()}
        closes = [key for key, high in rows.items() if high > held.get(key, high)]
        if not (closes or pick.seed):
            continue
        if place - first > 1 and not pick.seed:
            bundle = draft.picks[first : place + 1]
            if _shared(levels, bundle, draft, again):
                start = end_of(inputs, worth, doors, draft.picks[:first])
                found = least(start, [Done(pick.offer.id)], stock, most_sets=FEW_SETS)
                if found and found.courses and found.hours < sum(one.offer.hours for one in bundle):
                    instead = [way.id for way in found.courses]
                    yield [*names[:first], *instead, *(name for name in names[place + 1 :] if name not in instead)]
        for other in draft.picks[first : place + 1]:
            for key, (_, high) in other.offer.teaches.items():
                levels[key] = max(levels.get(key, 0.0), high)
        held |= {key: rows[key] for key in closes}
        first = place + 1


def _shared(levels: Mapping[SkillKey, float], bundle: list[Pick], draft: PathPlan[P], again: PathPlanner[P]) -> bool:
    """Return whether another course meets all that two or more of these but the last are there for, in fewer hours.

    It may need no level that is not held or needed there anyway.
    """
    ours, stock = draft.beyond.inputs.framework.id, draft.beyond.stock
    needs = (need for pick in bundle for need in _levels(needs_of(pick.offer.entry(ours))))
    lacked = {need for need in needs if micro(levels.get(need.skill, 0.0)) < need.level}
    served = [
        (offer.hours, {need for need in lacked if micro(offer.teaches.get(need.skill, (0.0, 0.0))[1]) >= need.level})
        for offer in (pick.offer for pick in bundle[:-1])
    ]
    if sum(bool(asked) for _, asked in served) < 2:  # noqa: PLR2004 - one course for two
        return False
    met: dict[str, set[Level]] = {}
    for need in sorted(lacked):
        for high, name in again.teachers(need.skill):
            if high >= need.level:
                met.setdefault(name, set()).add(need)
    for name in met.keys() - {pick.offer.id for pick in bundle}:
        replaced = [hours for hours, needs in served if needs and needs <= met[name]]
        if len(replaced) > 1 and (way := stock.way(name)) and way.hours < sum(replaced):
            entry = (need for need in _levels(way.needs) if need not in lacked)
            if all(micro(levels.get(need.skill, 0.0)) >= need.level for need in entry):
                return True
    return False


def _levels(needs: Iterable[Need]) -> Iterator[Level]:
    """Yield the levels among conditions, those of branches too."""
    for need in needs:
        if isinstance(need, Level):
            yield need
        elif isinstance(need, AnyOf):
            for branch in need.branches:
                yield from _levels(branch)


def _longer(draft: PathPlan[P], worth: Worth) -> Iterator[list[str]]:
    """Yield the path with the shortest way to more of an open skill that fits behind it, worth most per cost first."""
    end, stock = draft.beyond.end, draft.beyond.stock
    ways: list[list[Way]] = []
    for skill, _ in _open(draft, worth, ("little",)):
        reached = micro(reached_by(draft.beyond.inputs, worth, draft.picks)[skill])
        key = (draft.beyond.inputs.framework.id, skill)
        whole = stock.highest(key, reached, micro(worth.wants[skill].required))
        for level in {reached + 1, whole or 0}:
            found = least(end, [Rise(key, level)], stock, max(end.steps, 0)) if level > reached else None
            if found and found.courses and found.hours <= end.hours:
                ways.append(found.courses)
    ranked = sorted((-_score(end, way), [one.id for one in way]) for way in ways)
    yield from ([*draft.names, *names] for score, names in ranked if score < 0)


def _unseen(
    draft: PathPlan[P], worth: Worth, doors: Mapping[SkillKey, float], again: PathPlanner[P], seen: set[tuple[str, ...]]
) -> str | None:
    """Return the target worth most per cost that the search cannot fit and whose closure fits in all the hours."""
    start, stock = end_of(draft.beyond.inputs, worth, doors, [p for p in draft.picks if p.seed]), draft.beyond.stock
    found: list[tuple[int, str]] = []
    for skill, obstacle in _open(draft, worth, ("budget",)):
        rise = Rise((draft.beyond.inputs.framework.id, skill), 0)
        taught = [way for name in obstacle.courses if (way := stock.way(name)) and helps(way, rise)]
        for target in (way.id for way in taught[-1:]):
            if (target,) in seen or again.fits(target):
                continue
            closure = least(start, [Done(target)], stock, max(start.steps, 0))
            if closure and closure.courses and closure.hours <= start.hours:
                found.append((-_score(start, closure.courses), target))
    return min(found)[1] if found else None


def _open(draft: PathPlan[P], worth: Worth, causes: tuple[str, ...]) -> Iterator[tuple[str, Obstacle]]:
    """Yield the open skills that something of worth is kept from for one of these causes."""
    reached = reached_by(draft.beyond.inputs, worth, draft.picks)
    for skill in worth.gaps:
        if worth.wants[skill].lacks(reached[skill]):
            obstacle = draft.obstacle(skill, reached[skill])
            if obstacle.cause in causes:
                yield skill, obstacle


def _score(start: Standing, ways: list[Way]) -> int:
    then = start.copy()
    for way in ways:
        then.study(way)
    return score_of(then.worth - start.worth, sum(way.cost for way in ways))
