"""What a path is expected to gain when not every course is completed.

A course of the path is completed with its own rate times those of the earlier courses that it cannot be entered
without; a level is gained where at least one of the courses that teach it is completed. These are taken as independent
of each other, so an auditor needs no more than a pocket calculator.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from math import prod

from msgspec import UNSET

from services.recommender.ranking.effort import completion_rate
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.offers import Offer, Standing, level_condition
from shared.skills import Prerequisite


def needed(
    framework: str, offers: Sequence[Offer], standing: Standing, begun: Collection[str] = ()
) -> list[frozenset[int]]:
    """Return for each course of a path the places of the earlier ones that it cannot be entered without.

    `standing`: before the path. `begun`: courses that were entered before it.
    """
    found: list[frozenset[int]] = []

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
            ways = [before | {place} for place, before in enumerate(found) if _opens(offers[place], condition)]
        return reduce(frozenset.__and__, ways) if ways else None

    for offer in offers:
        conditions = [] if offer.id in begun else offer.entry(framework)
        found.append(frozenset[int]().union(*(lacks(condition) or () for condition in conditions)))
    return found


def _opens(offer: Offer, condition: Prerequisite) -> bool:
    if condition.course is not UNSET:
        return offer.id == condition.course
    key, level = level_condition(condition)
    return key in offer.teaches and offer.teaches[key][1] >= level


def expected_gain(
    worth: Worth, framework: str, offers: Sequence[Offer], standing: Standing, begun: Collection[str] = ()
) -> int:
    """Return what a path is expected to gain, in micro-levels, when each course is completed with its own rate."""
    needs = needed(framework, offers, standing, begun)
    rates = [completion_rate(offer.course) for offer in offers]
    chances = [rate * prod(rates[place] for place in sorted(need)) for rate, need in zip(rates, needs, strict=True)]
    teaching: dict[str, dict[int, float]] = {skill: {} for skill in worth.gaps}
    for place, offer in enumerate(offers):
        for (name, skill), (_, to) in offer.teaches.items():
            if name == framework and skill in teaching:
                teaching[skill][place] = to
    return int(sum(_expected(worth, skill, rows, needs, chances) for skill, rows in teaching.items()) + 0.5)


def _expected(
    worth: Worth, skill: str, rows: Mapping[int, float], needs: Sequence[frozenset[int]], chances: Sequence[float]
) -> float:
    """Return what one skill is expected to gain. `rows`: place in the path -> level."""
    gained, below = 0.0, 0
    for level in sorted(set(rows.values())):
        if (held := worth.of(skill, level)) > below:
            able = {place: chances[place] for place, to in rows.items() if to >= level}
            missed = 1.0
            for place, chance in able.items():
                if needs[place].isdisjoint(able):  # who completes another of these has completed what it needs
                    missed *= 1 - chance
            gained += (held - below) * (1 - missed)
            below = held
    return gained
