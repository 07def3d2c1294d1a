"""Small frameworks, courses and officers for tests, in as few words as a test needs."""

import itertools
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from services.recommender.inputs import Estimate, Inputs
from services.recommender.planner.index.catalog import Snapshot, View
from shared.domain import (
    SHARED_TENANT,
    Area,
    Completions,
    Course,
    Framework,
    JobGroup,
    LocalizedText,
    Prerequisite,
    Profile,
    Prose,
    Rating,
    Requirement,
    ScaleLevel,
    Skill,
    SkillLevel,
    Teaches,
)

FRAMEWORK = "fw"
JOB_GROUP = "service"
TENANT = "agency"
DAY = date(2026, 11, 23)
_numbers = itertools.count(1)
MOMENT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def unique(prefix: str) -> str:
    """Return an id that no other call in this process returns; later ones sort after earlier ones."""
    return f"{prefix}-{next(_numbers):05}"


def text(name: str) -> LocalizedText:
    """Return a title in both languages."""
    return LocalizedText(th=f"เรื่อง {name}", en=f"About {name}")


def framework(
    required: Mapping[str, float],
    *,
    weights: Mapping[str, float] | None = None,
    others: Iterable[str] = (),
    version: int = 1,
) -> Framework:
    """Return a framework with one area, levels 0-5 and one job group that requires these levels."""
    skills = [*required, *(skill for skill in others if skill not in required)]
    return Framework(
        id=FRAMEWORK,
        title=text("framework"),
        scale=[ScaleLevel(level, text(f"level {level}")) for level in range(6)],
        areas=[Area("area", text("area"))],
        skills=[Skill(skill, "area", text(skill)) for skill in skills],
        job_groups=[JobGroup(JOB_GROUP, text(JOB_GROUP))],
        requirements=[
            Requirement(JOB_GROUP, skill, level, weight=(weights or {}).get(skill, 1.0))
            for skill, level in required.items()
        ],
        version=version,
    )


def large_framework(skills: int = 2000, version: int = 1, groups: int = 100) -> Framework:
    """Return a framework of 2.4 MB as JSON: too large for one record. Group `g7` requires `s7` at level 3."""
    long = Prose(th="ทักษะที่ต้องใช้ในงานประจำวัน " * 8, en="What officers need in their daily work. " * 8)
    return Framework(
        id=FRAMEWORK,
        title=text("large framework"),
        scale=[ScaleLevel(float(level), text(f"level {level}")) for level in range(5)],
        areas=[Area(f"a{i}", text(f"area {i}")) for i in range(20)],
        skills=[Skill(f"s{i}", f"a{i % 20}", text(f"skill {i}"), description=long) for i in range(skills)],
        job_groups=[JobGroup(f"g{i}", text(f"group {i}")) for i in range(groups)],
        requirements=[Requirement(f"g{i % groups}", f"s{i}", 3.0, weight=1.0 + i % 3) for i in range(skills)],
        version=version,
    )


def course(
    course_id: str,
    *rows: tuple[str, float, float],
    hours: float = 2,
    requires: Iterable[Prerequisite] = (),
    languages: Iterable[str] = ("th",),
    of: str = FRAMEWORK,
) -> Course:
    """Return a course that teaches (skill, from, to) rows of one framework."""
    return Course(
        id=course_id,
        title=text(course_id),
        provider=text("provider"),
        hours=hours,
        languages=list(languages),
        teaches=[Teaches(of, skill, low, high) for skill, low, high in rows],
        requires=list(requires),
    )


def after(course_id: str) -> Prerequisite:
    """Return the entry condition that a course was completed."""
    return Prerequisite(course=course_id)


def at(skill: str, level: float, of: str = FRAMEWORK) -> Prerequisite:
    """Return the entry condition that a level of a skill is held."""
    return Prerequisite(framework=of, skill=skill, level=level)


def view_of(courses: Iterable[Course], *, tenant: str = TENANT) -> View:
    """Return the view that a tenant has of a catalog with these shared courses."""
    return Snapshot().put_courses(SHARED_TENANT, courses, 1).view(tenant)


def inputs(
    yardstick: Framework,
    levels: Mapping[str, float] | None = None,
    *,
    sd: float = 0.0,
    budget_hours: float | None = None,
    languages: Iterable[str] = (),
    completed: Iterable[str] = (),
    max_steps: int | None = None,
    **wishes: Any,
) -> Inputs:
    """Return the inputs for an officer of the job group of `yardstick`, in whom these levels were assessed."""
    return Inputs(
        tenant=TENANT,
        framework=yardstick,
        as_of=DAY,
        job_group=JOB_GROUP,
        levels={skill: Estimate(level, sd) for skill, level in (levels or {}).items()},
        budget_hours=budget_hours,
        languages=list(languages),
        completed=list(completed),
        max_steps=max_steps,
        profile_sequence=1,
        **wishes,
    )


def profile(officer: str = "o1", levels: Mapping[str, float] | None = None, *, sequence: int = 1) -> Profile:
    """Return the profile of an officer of the job group."""
    return Profile(
        tenant=TENANT,
        officer=officer,
        sequence=sequence,
        framework=FRAMEWORK,
        framework_version=1,
        job_group=JOB_GROUP,
        agency="office",
        levels=[SkillLevel(FRAMEWORK, skill, level, 0.3, MOMENT) for skill, level in (levels or {}).items()],
    )


def _known(draw: random.Random) -> dict[str, Completions | Rating]:
    found: dict[str, Completions | Rating] = {}
    if draw.random() < 0.5:
        started = draw.choice([0, 1, 30, 5000])
        found["completions"] = Completions(started, int(started * draw.random()))
    if draw.random() < 0.5:
        found["rating"] = Rating(draw.choice([1, 2.7, 3, 4.6, 5]), draw.choice([0, 1, 400]))
    return found


def catalog(count: int, skills: int, seed: int) -> list[Course]:
    """Return generated courses that teach the skills s00, s01..., with prerequisites, some of which are circular.

    Half of the courses have completions, half have ratings.
    """
    draw = random.Random(seed)  # noqa: S311 - test data
    learners = random.Random(seed + 1)  # noqa: S311 - test data
    courses = []
    for number in range(count):
        rows = []
        for skill in draw.sample(range(skills), draw.choice([1, 1, 2, 3])):
            low = draw.choice([0, 0, 1, 1, 2, 3])
            rows.append((f"s{skill:02}", low, low + draw.choice([1, 1, 2])))
        requires = []
        if draw.random() < 0.3:
            requires.append(after(f"c{draw.randrange(count):05}"))
        if draw.random() < 0.15:
            requires.append(at(f"s{draw.randrange(skills):02}", draw.choice([1, 2])))
        if draw.random() < 0.1:
            branches = [after(f"c{draw.randrange(count):05}"), at(f"s{draw.randrange(skills):02}", 1)]
            requires.append(Prerequisite(any=branches))
        languages = draw.choice([["th"], ["en"], ["th", "en"]])
        hours = draw.choice([1, 2, 3, 4.5, 6, 12, 1.3])
        one = course(f"c{number:05}", *rows, hours=hours, requires=requires, languages=languages)
        courses.append(msgspec.structs.replace(one, **_known(learners)))
    return courses
