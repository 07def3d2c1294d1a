"""What a path is expected to gain when not every course is completed.

A course of the path is completed with its own rate times those of the earlier courses that it cannot be entered
without (`dependencies`); a level is gained where at least one of the courses that teach it is completed. Completions
are taken as independent of each other.
"""

from collections.abc import Collection, Mapping, Sequence
from math import prod

from services.recommender.planner.course_spec import Offer, Standing, completion_rate
from services.recommender.planner.explain.dependencies import Needed, needed
from services.recommender.planner.value import Worth


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
    worth: Worth, skill: str, rows: Mapping[int, float], needs: Sequence[Needed], chances: Sequence[float]
) -> float:
    """Return what one skill is expected to gain. `rows`: place in the path -> level."""
    gained, below = 0.0, 0
    for level in sorted(set(rows.values())):
        if (held := worth.of(skill, level)) > below:
            able = {place: chances[place] for place, to in rows.items() if to >= level}
            missed = 1.0
            for place, chance in able.items():
                if able.keys().isdisjoint(needs[place]):  # who completes another of these has completed what it needs
                    missed *= 1 - chance
            gained += (held - below) * (1 - missed)
            below = held
    return gained
