"""Worlds of other shapes than the generated one: what the planner was not tuned to must not cost the officer his path.

Every shape is drawn by the same few rules from its own figures, one catalog per number:

    levels        a skill rises in `rungs` equal steps from 0 to the top of the scale
    a course      teaches `teaches` skills, each by one rung or (25 %) two; its entry is the rung below where it has a
                  `from` (share `entry`), else 0
    conditions    `needs` levels of other skills, out of few that many courses ask for and whose own courses ask for
                  none; `after`: the share of courses that require an easier course on the same skill
    hours         2 x rungs gained^0.7 x log-normal(0, `spread`), in quarter hours from 0.25
    officers      hold 0 to half of what is required of `required` skills

    deep          8 skills of 8 rungs, every course requires the rung below and often another course
    wide          60 required skills, short courses that teach one or two, few conditions
    many skills   courses that teach 4 to 14 skills and ask for a level of most of them, as catalogs with entry and
                  exit levels do
    scale n       0-3, 0-7 and 0-100, with conditions on other skills
    uneven        hours and costs part: completion rates from 20 to 100 %, so the cheapest closure is often not the
                  shortest, and may not fit where a shorter one does
"""

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from services.recommender.inputs import Estimate, Inputs
from shared.domain import Completions, Course, Prerequisite, Teaches
from tests.evaluation.worlds import World, framework_of, inputs_of, words

_NAME = "shaped"
_HALF = 0.5
_QUARTER = 0.25


@dataclass(frozen=True, slots=True)
class Shape:
    """The figures of a shape. Pairs are (least, most). `prerequisite_pool`: how many skills conditions choose from."""

    top: int
    rungs: int
    skills: int
    courses: int
    required: int
    teaches: tuple[int, int]
    needs: tuple[int, int]
    prerequisite_pool: int
    entry: float
    after: float
    spread: float = 0.6
    uneven: bool = False


SHAPES = {
    "deep": Shape(8, 8, 8, 120, 4, (1, 1), (0, 1), 8, 1.0, 0.3),
    "wide": Shape(4, 4, 80, 240, 60, (1, 2), (0, 1), 80, 0.3, 0.05),
    "many skills": Shape(4, 4, 30, 100, 10, (4, 12), (0, 1), 6, 0.7, 0.0),
    "scale 0-3": Shape(3, 3, 40, 160, 12, (1, 4), (0, 3), 8, 0.5, 0.2),
    "scale 0-7": Shape(7, 7, 24, 160, 8, (1, 3), (0, 3), 6, 0.5, 0.2),
    "scale 0-100": Shape(100, 5, 30, 160, 10, (1, 3), (0, 3), 8, 0.5, 0.2),
    "uneven": Shape(5, 5, 24, 140, 8, (1, 3), (1, 3), 6, 0.4, 0.2, 0.9, uneven=True),
}


def shaped(name: str, number: int) -> World:
    """Return a world of a shape: the catalog of this number and officers of its one job group."""
    shape, chance = SHAPES[name], np.random.default_rng([number, crc32(name.encode())])
    skills = [f"s{n:02}" for n in range(shape.skills)]
    rung = shape.top / shape.rungs
    high = np.array([_HALF * shape.rungs, shape.rungs]).round().astype(int)
    required = {
        str(skill): (float(rung * chance.integers(high[0], high[1] + 1)), float(chance.choice([0.5, 1, 2])))
        for skill in chance.choice(skills, shape.required, replace=False)
    }
    framework = framework_of(_NAME, skills, shape.top, {"g": required})
    courses = list(_courses(shape, skills, chance))

    def officer(chance: np.random.Generator, hours: float) -> Inputs:
        levels = {
            skill: Estimate(
                round(float(chance.uniform(0, _HALF * level)), 2), float(chance.choice([0.05, 0.15])) * rung
            )
            for skill, (level, _) in required.items()
            if chance.random() < _HALF
        }
        return inputs_of(framework, levels, hours)

    return World(courses, {}, officer)


def _courses(shape: Shape, skills: list[str], chance: np.random.Generator) -> Iterator[Course]:
    rung, pool = shape.top / shape.rungs, chance.choice(skills, shape.prerequisite_pool, replace=False).tolist()
    easier: dict[tuple[str, int], list[str]] = {}
    for number in range(shape.courses):
        identifier, step = f"c{number:04}", int(chance.integers(1, shape.rungs + 1))
        taught = chance.choice(skills, chance.integers(shape.teaches[0], shape.teaches[1] + 1), replace=False).tolist()
        rows, gained = list[Teaches](), 0
        for skill in taught:
            low = step - 1 if chance.random() < shape.entry else 0
            to = min(step + int(chance.random() < _QUARTER), shape.rungs)
            rows.append(Teaches(_NAME, skill, low * rung, to * rung))
            gained += to - low
        others = [skill for skill in pool if skill not in taught]
        ground = len(others) < len(pool) and shape.prerequisite_pool < shape.skills
        count = 0 if ground else min(int(chance.integers(shape.needs[0], shape.needs[1] + 1)), len(others))
        requires = [
            Prerequisite(framework=_NAME, skill=str(skill), level=rung * int(chance.integers(1, max(step, 2))))
            for skill in chance.choice(others, count, replace=False)
        ]
        if chance.random() < shape.after and (known := easier.get((taught[0], step - 1))):
            requires.append(Prerequisite(course=str(chance.choice(known))))
        easier.setdefault((taught[0], step), []).append(identifier)
        hours = 2 * gained**0.7 * float(chance.lognormal(0, shape.spread))
        yield Course(
            id=identifier,
            title=words(identifier),
            provider=words("provider"),
            hours=max(round(hours * 4) / 4, _QUARTER),
            languages=["th"],
            teaches=rows,
            requires=requires,
            completions=Completions(400, int(chance.integers(80, 401))) if shape.uneven else None,
        )
