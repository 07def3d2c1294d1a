"""A world: a framework, a catalog that teaches it, ratings, and officers drawn for it. And the two generated ones.

Officers of the generated world: one of 20 job groups, each of which requires 12 skills at level 2, 3 or 4 (40, 40,
20 %) with weight 0.5, 1 or 2 (25, 50, 25 %). 85 % of those are assessed, from 0 to half a level above what is required,
but never above the scale; of the other skills 15 % are known, from 0 to 3. Each estimate has the sd of a test, a
supervisor, an external source or the officer (0.3, 0.5, 0.4, 0.8). 30 % study in Thai only; up to two courses are
completed.

Officers of the world of shared prerequisites hold nothing or little of 10 skills. A target course raises one or two of
them and requires 1 to 6 of 24 foundations, which no job group requires. A foundation is taught alone, in 1 to 3 hours,
some only after a course of its own, and together with 2 to 9 others in a course of 2 to 6 hours. Scales end at 3, 5, 7
or 100.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import numpy as np

from services.recommender.inputs import Estimate, Inputs
from services.recommender.planner.index.catalog import Snapshot, View
from shared.domain import (
    SHARED_TENANT,
    Area,
    Course,
    Framework,
    JobGroup,
    LocalizedText,
    Prerequisite,
    Requirement,
    ScaleLevel,
    Skill,
    Teaches,
)
from tests.evaluation.generate import FRAMEWORK, TOP, course_id, draw

TENANT = "agency"
DAY = date(2026, 11, 23)
HOURS = 40.0
"""The budget at which methods are compared."""

SDS = (0.3, 0.5, 0.4, 0.8)
_GROUPS = 20
_REQUIRED = 12

_IN_MEMORY = 100_000


class Courses(Protocol):
    """Courses in order: a list, or a drawn catalog that makes each on demand."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Course]: ...
    def __getitem__(self, number: int, /) -> Course: ...


DrawOfficer = Callable[[np.random.Generator, float], Inputs]


@dataclass(frozen=True)
class World:
    """`officer(chance, hours)` draws one officer with a budget of hours. `completing`: who truly completes a course."""

    courses: Courses
    ratings: Mapping[str, float]
    officer: DrawOfficer
    completing: Mapping[str, float] = field(default_factory=dict)

    def view(self) -> View:
        """Return the catalog as the planner reads it."""
        return view_of(self.courses)


def view_of(courses: Iterable[Course]) -> View:
    """Return courses as the planner reads them, for a tenant without courses of its own."""
    return Snapshot().put_courses(SHARED_TENANT, courses, 1).view(TENANT)


def words(name: str) -> LocalizedText:
    """Return a name as a title; what it is called does not matter here."""
    return LocalizedText(th=name, en=name)


def inputs_of(framework: Framework, levels: dict[str, Estimate], hours: float, max_steps: int | None = None) -> Inputs:
    """Return the inputs of an officer of the only job group, `g`, with a budget of hours."""
    return Inputs(
        tenant=TENANT,
        framework=framework,
        as_of=DAY,
        job_group="g",
        levels=levels,
        budget_hours=hours,
        max_steps=max_steps,
        profile_sequence=1,
    )


def framework_of(
    identifier: str, skills: Sequence[str], top: int, groups: Mapping[str, Mapping[str, tuple[float, float]]]
) -> Framework:
    """Return a framework with these skills, levels 0 to `top`, and groups {name: {skill: (level, weight)}}."""
    return Framework(
        id=identifier,
        title=words(identifier),
        scale=[ScaleLevel(level, words(f"level {level}")) for level in range(top + 1)],
        areas=[Area("area", words("area"))],
        skills=[Skill(skill, "area", words(skill)) for skill in skills],
        job_groups=[JobGroup(group, words(group)) for group in groups],
        requirements=[
            Requirement(group, skill, level, weight=weight)
            for group, rows in groups.items()
            for skill, (level, weight) in rows.items()
        ],
        version=1,
    )


def generated_framework(skills: Sequence[str], seed: int) -> Framework:
    """Return the generated world's framework: its job groups require popular skills more often."""
    chance = np.random.default_rng([len(skills), seed, 1])
    popularity = (np.arange(len(skills)) + 1.0) ** -0.7
    groups = {}
    for number in range(_GROUPS):
        size = min(_REQUIRED, len(skills))
        chosen = chance.choice(len(skills), size, replace=False, p=popularity / popularity.sum())
        groups[f"g{number:02}"] = {
            skills[skill]: (float(chance.choice([2, 3, 4], p=[0.4, 0.4, 0.2])), float(chance.choice([0.5, 1, 1, 2])))
            for skill in chosen
        }
    return framework_of(FRAMEWORK, skills, TOP, groups)


def officers_of(framework: Framework, courses: int) -> DrawOfficer:
    """Return what draws officers of the generated world."""

    def officer(chance: np.random.Generator, hours: float) -> Inputs:
        group = framework.job_groups[chance.integers(len(framework.job_groups))].id
        required = framework.required(group, None)
        levels = {
            skill: Estimate(
                min(round(float(chance.uniform(0, row.level + 0.5)), 2), framework.max_level), float(chance.choice(SDS))
            )
            for skill, row in required.items()
            if chance.random() < 0.85
        }
        for skill in framework.skills:
            if skill.id not in required and chance.random() < 0.15:
                levels[skill.id] = Estimate(round(float(chance.uniform(0, 3)), 2), float(chance.choice(SDS)))
        return Inputs(
            tenant=TENANT,
            framework=framework,
            as_of=DAY,
            job_group=group,
            levels=levels,
            completed=[course_id(int(number)) for number in chance.integers(0, courses, chance.integers(3))],
            budget_hours=hours,
            languages=["th"] if chance.random() < 0.3 else [],
            profile_sequence=1,
        )

    return officer


def generated(courses: int, skills: int, seed: int) -> World:
    """Return a generated world. Past 100,000 courses they are not kept as a list, which would be 1.5 kB a course."""
    drawn = draw(courses, skills, seed)
    framework = generated_framework(drawn.names, seed)
    sequence: Courses = list(drawn) if courses <= _IN_MEMORY else drawn
    officer = officers_of(framework, courses)
    if courses > _IN_MEMORY:
        return World(sequence, {}, officer)
    return World(sequence, drawn.ratings(), officer, drawn.completing())


_SCALES = (5, 3, 7, 100)
_TARGETS, _FOUNDATIONS = 10, 24


def shared(number: int) -> World:
    """Return a world in which few cheap courses open many."""
    chance, top = np.random.default_rng([number, 7]), _SCALES[number % len(_SCALES)]
    framework = framework_of(
        "shared",
        [f"t{n}" for n in range(_TARGETS)] + [f"f{n:02}" for n in range(_FOUNDATIONS)],
        top,
        {"g": {f"t{n}": (float(top * (2 + n % 2) // 3), float(chance.choice([0.5, 1, 2]))) for n in range(_TARGETS)}},
    )
    low, half = float(max(top // 3, 1)), float(max(top // 2, 1))
    courses: list[Course] = []

    def add(kind: str, rows: dict[str, float], hours: float, requires: Iterable[Prerequisite] = ()) -> str:
        name = f"{kind}{len(courses):03}"
        teaches = [Teaches("shared", skill, 0.0, level) for skill, level in rows.items()]
        courses.append(
            Course(name, words(name), words("provider"), hours, languages=["th"], teaches=teaches, requires=[*requires])
        )
        return name

    for n in range(_FOUNDATIONS):
        before = add("basic", {f"f{n:02}": low / 2}, 0.5) if n % 4 == 0 else None
        for _ in range(2):
            requires = [Prerequisite(course=before)] if before else []
            add("narrow", {f"f{n:02}": low}, float(chance.integers(2, 7)) / 2, requires)
    for _ in range(10):
        chosen = chance.choice(_FOUNDATIONS, chance.integers(3, 11), replace=False)
        level = low if chance.random() < 0.8 else half
        add("wide", {f"f{n:02}": level for n in chosen}, float(chance.integers(4, 13)) / 2)
    for n in range(60):
        foundations = chance.choice(_FOUNDATIONS, chance.integers(1, 7), replace=False)
        targets = dict.fromkeys([f"t{n % _TARGETS}", f"t{chance.integers(_TARGETS)}"][: chance.integers(1, 3)])
        add(
            "target",
            {target: float(chance.choice([half, top])) for target in targets},
            float(chance.integers(2, 17)) / 2,
            [Prerequisite(framework="shared", skill=f"f{one:02}", level=low) for one in foundations],
        )

    def officer(chance: np.random.Generator, hours: float) -> Inputs:
        levels = {f"t{n}": Estimate(0.0, 0.3) for n in range(_TARGETS) if chance.random() < 0.9}
        levels |= {f"f{n:02}": Estimate(low, 0.3) for n in range(_FOUNDATIONS) if chance.random() < 0.1}
        return inputs_of(framework, levels, hours)

    return World(courses, {}, officer)
