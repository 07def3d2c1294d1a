"""Worlds of gateways: a few courses of an hour or two open many short courses that are worth nearly the same.

gateways      two for each of 6 skills that no job group requires: one leads to level 1, the other to level 2, and
              with half of the chances also to level 1 of the next of these skills
courses       90 courses of 0.25 to 3 hours teach one to three of 20 required skills by one or two levels. Most
              require a gateway, one of several combinations of gateways, or another course
officers      hold 0 to 1 of about half of the required skills
few courses   the same, for officers who take at most 3 to 10 courses
"""

from collections.abc import Iterator

import numpy as np

from services.recommender.inputs import Estimate, Inputs
from shared.domain import Course, Prerequisite, Teaches
from tests.evaluation.worlds import World, framework_of, inputs_of, words

_NAME = "gateways"
_TARGETS = [f"t{n:02}" for n in range(20)]
_GATEWAYS = [f"g{n}" for n in range(6)]
_COURSES = 90
_HALF = 0.5
_FEWEST, _MOST = 3, 10


def gateways(number: int, *, few: bool = False) -> World:
    """Return the world of this number. `few`: whether officers limit the number of courses of their path."""
    chance = np.random.default_rng([number, 13])
    required = {
        skill: (float(chance.integers(2, 4)), float(chance.choice([0.98, 1.0, 1.01, 1.02]))) for skill in _TARGETS
    }
    framework = framework_of(_NAME, [*_TARGETS, *_GATEWAYS], 4, {"g": required})

    def officer(chance: np.random.Generator, hours: float) -> Inputs:
        levels = {
            skill: Estimate(round(float(chance.uniform(0, 1)), 2), 0.1) for skill in _TARGETS if chance.random() < _HALF
        }
        most = int(chance.integers(_FEWEST, _MOST + 1)) if few else None
        return inputs_of(framework, levels, hours, most)

    return World([*_openers(chance), *_opened(chance)], {}, officer)


def _openers(chance: np.random.Generator) -> Iterator[Course]:
    for place, skill in enumerate(_GATEWAYS):
        yield _course(f"{skill}-1", {skill: (0, 1)}, float(chance.choice([0.5, 1, 1.5])))
        more = {_GATEWAYS[(place + 1) % len(_GATEWAYS)]: (0, 1)} if chance.random() < _HALF else {}
        yield _course(f"{skill}-2", {skill: (0, 2), **more}, float(chance.choice([1, 1.5, 2, 3])))


def _opened(chance: np.random.Generator) -> Iterator[Course]:
    for number in range(_COURSES):
        low = int(chance.choice([0, 0, 1]))
        rows = {}
        for skill in chance.choice(_TARGETS, int(chance.choice([1, 1, 2, 3])), replace=False):
            start = low if chance.random() < 0.3 else 0
            rows[str(skill)] = (start, max(low + int(chance.integers(1, 3)), start + 1))
        hours = float(chance.choice([0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3]))
        yield _course(f"c{number:02}", rows, hours, _conditions(chance))


def _conditions(chance: np.random.Generator) -> list[Prerequisite]:
    one, two, three = (str(skill) for skill in chance.choice(_GATEWAYS, 3, replace=False))
    kind = chance.random()
    if kind < 0.4:
        return [_at(one, 1)]
    if kind < 0.7:
        return [Prerequisite(any=[_at(one, 2), Prerequisite(all=[_at(two, 1), _at(three, 1)])])]
    if kind < 0.85:
        other = Prerequisite(course=f"c{chance.integers(_COURSES):02}")
        return [Prerequisite(any=[_at(one, 1), other]), _at(two, 1)]
    return []


def _at(skill: str, level: int) -> Prerequisite:
    return Prerequisite(framework=_NAME, skill=skill, level=float(level))


def _course(
    name: str, rows: dict[str, tuple[int, int]], hours: float, requires: list[Prerequisite] | None = None
) -> Course:
    return Course(
        id=name,
        title=words(name),
        provider=words("provider"),
        hours=hours,
        languages=["th"],
        teaches=[Teaches(_NAME, skill, float(low), float(high)) for skill, (low, high) in rows.items()],
        requires=requires or [],
    )
