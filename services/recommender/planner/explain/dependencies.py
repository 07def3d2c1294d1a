"""What a course of a path depends on: the earlier courses that it cannot be entered without.

A course depends on an earlier one if it cannot be entered once that one, and whatever then cannot be entered either, is
left out of the courses before it. This one relation says what a step unlocks and what a path is expected to gain.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce

from msgspec import UNSET

from services.recommender.planner.course_spec import (
    Offer,
    SkillKey,
    Standing,
    level_condition,
)
from shared.skills import Prerequisite

Needed = Mapping[int, Prerequisite | None]
"""Place of an earlier course -> the condition of entry that it makes true itself and that no branch goes around, or
None where it is needed by way of other courses or of several branches."""


def needed(framework: str, offers: Sequence[Offer], standing: Standing, begun: Collection[str] = ()) -> list[Needed]:
    """Return for each course of a path the places of the earlier ones that it cannot be entered without.

    `standing`: before the path. `begun`: courses that were entered before it.
    """
    found: list[Needed] = []
    earlier = _Earlier()

    def lacks(condition: Prerequisite) -> frozenset[int] | None:
        """Return what a condition cannot do without; None where it does not hold at all."""
        if standing.meets(condition):
            return frozenset()
        if condition.all is not UNSET:
            parts = [lacks(part) for part in condition.all]
            held = [part for part in parts if part is not None]
            return frozenset[int]().union(*held) if len(held) == len(parts) else None
        if condition.any is not UNSET:
            ways = [way for way in map(lacks, condition.any) if way is not None]
        else:
            ways = [frozenset({place, *found[place]}) for place in earlier.opening(condition)]
        return reduce(frozenset.__and__, ways) if ways else None

    for offer in offers:
        conditions = [] if offer.id in begun else offer.entry(framework)
        places = frozenset[int]().union(*(lacks(condition) or () for condition in conditions))
        because: dict[int, Prerequisite | None] = dict.fromkeys(sorted(places))
        for condition in _firm(conditions):
            for place in lacks(condition) or ():
                if because[place] is None and _opens(offers[place], condition):
                    because[place] = condition
        earlier.add(offer)
        found.append(because)
    return found


class _Earlier:
    """The courses of a path so far, by what they open."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._teaching = defaultdict[SkillKey, list[tuple[int, float]]](list)

    def add(self, offer: Offer) -> None:
        """Put a course at the end."""
        for key, (_, reached) in offer.teaches.items():
            self._teaching[key].append((len(self._places), reached))
        self._places[offer.id] = len(self._places)

    def opening(self, condition: Prerequisite) -> list[int]:
        """Return the places of those that make a single condition true."""
        if condition.course is not UNSET:
            return [self._places[condition.course]] if condition.course in self._places else []
        key, level = level_condition(condition)
        return [place for place, reached in self._teaching[key] if reached >= level]


def _firm(conditions: Iterable[Prerequisite]) -> Iterator[Prerequisite]:
    """Yield the single conditions that must hold whatever else does: none of a choice."""
    for condition in conditions:
        if condition.all is not UNSET:
            yield from _firm(condition.all)
        elif condition.any is UNSET:
            yield condition
        elif len(condition.any) == 1:
            yield from _firm(condition.any)


def _opens(offer: Offer, condition: Prerequisite) -> bool:
    if condition.course is not UNSET:
        return offer.id == condition.course
    key, level = level_condition(condition)
    return key in offer.teaches and offer.teaches[key][1] >= level
