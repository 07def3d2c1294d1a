"""What the bench is fed with, made from the starter data: the catalog as events, profiles, assessments.

Everything comes from a seeded generator, so two runs are given the same.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from statistics import median
from typing import Any

import bson
import msgspec
from pymongo import InsertOne

from deploy.local.seed import SEED
from services.recommender.inputs import PlanRequest
from services.recommender.plan_pool import solve
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.planning import new_plan
from services.recommender.store.documents import ANNOUNCED, envelope_of, write_of
from shared.domain import SHARED_TENANT, Course, Framework, Profile, SkillLevel, key_of
from shared.events import AssessmentCompleted, CoursePublished, Envelope, FrameworkPublished, new_event

TENANT = "example"
FRAMEWORK = "th-digital-2018"
_MEASURED = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)


@cache
def frameworks() -> list[Framework]:
    """Return the frameworks of the starter data, as the catalog publishes them the first time."""
    files = sorted((SEED / "frameworks").glob("*.json"))
    found = [msgspec.json.decode(file.read_bytes(), type=Framework) for file in files]
    return [msgspec.structs.replace(framework, version=1) for framework in found]


@cache
def courses() -> list[Course]:
    """Return the courses of the starter data."""
    lines = (SEED / "courses.ndjson").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Course) for line in lines if line.strip()]


def catalog() -> list[Envelope]:
    """Return the starter catalog as events with their stamps."""
    return announced(frameworks(), courses())


def announced(frameworks: Iterable[Framework], courses: Iterable[Course]) -> list[Envelope]:
    """Return a catalog as events with their stamps: the frameworks, then the courses."""
    data: list[tuple[str, FrameworkPublished | CoursePublished]] = [
        (f"framework:{framework.id}", FrameworkPublished(SHARED_TENANT, framework)) for framework in frameworks
    ]
    data += [(course.id, CoursePublished(SHARED_TENANT, course)) for course in courses]
    return [
        msgspec.structs.replace(new_event("catalog", key_of(SHARED_TENANT, name), 1, fact), catalog_revision=stamp)
        for stamp, (name, fact) in enumerate(data, 1)
    ]


def view() -> View:
    """Return the starter catalog as a tenant without courses of its own sees it."""
    snapshot = Snapshot()
    for stamp, framework in enumerate(frameworks(), 1):
        snapshot = snapshot.put_framework(SHARED_TENANT, framework, stamp)
    return snapshot.put_courses(SHARED_TENANT, courses(), len(frameworks()) + len(courses())).view(TENANT)


def profiles(count: int) -> Iterator[Profile]:
    """Yield profiles of distinct officers, over every framework and job group, with most required skills assessed."""
    chance = random.Random(2018)  # noqa: S311 - made-up officers
    for number in range(count):
        framework = chance.choice(frameworks())
        group = chance.choice(framework.job_groups).id
        stage = chance.choice(framework.stages).id if framework.stages else None
        levels = [
            SkillLevel(framework.id, skill, round(chance.uniform(0, framework.max_level), 1), 0.3, _MEASURED)
            for skill in framework.required(group, stage)
            if chance.random() < 0.75
        ]
        yield Profile(
            tenant=TENANT,
            officer=f"backlog-{number:05}",
            sequence=1,
            framework=framework.id,
            framework_version=framework.version,
            job_group=group,
            agency=f"agency-{number % 40}",
            stage=stage,
            languages=["th", "en"],
            weekly_hours=4.0,
            levels=levels,
        )


def completed(profile: Profile) -> Envelope:
    """Return the event that an officer was assessed, as the assessment service stages it."""
    fact = AssessmentCompleted(profile, f"assessment-of-{profile.officer}", "test", _MEASURED)
    return new_event("assessment", profile.key, profile.sequence, fact)


def registration(number: int) -> Mapping[str, Any]:
    """Return the body that registers an officer."""
    groups = frameworks()[0].job_groups
    return {"job_group": groups[number % len(groups)].id, "agency": "agency-bench", "framework": FRAMEWORK}


def assessment(chance: random.Random, taken_at: datetime) -> bytes:
    """Return the body of a test of ten skills, with levels that differ every time."""
    framework = next(framework for framework in frameworks() if framework.id == FRAMEWORK)
    skills = chance.sample([skill.id for skill in framework.skills], 10)
    results = [{"skill": skill, "level": round(chance.uniform(0, framework.max_level), 2)} for skill in skills]
    body = {"framework": FRAMEWORK, "kind": "test", "results": results, "taken_at": taken_at.isoformat()}
    return json.dumps(body).encode()


@dataclass(frozen=True)
class Sizes:
    """Bytes of paths with so many steps: of the event, and of the stored plan without waiting events.

    `longest`: the largest event of all, and its steps.
    """

    count: int
    median_event: float
    median_plan: float
    longest: tuple[int, int]


def sizes(officers: int, steps: int) -> Sizes:
    """Return how large the paths of so many made-up officers are, of those with so many steps."""
    seen, found = view(), list[tuple[int, int, int]]()
    for profile in profiles(officers):
        planned = solve(PlanRequest(profile, _MEASURED.date()), seen)
        plan = new_plan(PlanRequest(profile, _MEASURED.date(), partition=0), planned, None)
        insert = write_of(plan, envelope_of(plan))
        document: dict[str, Any] = insert._doc if isinstance(insert, InsertOne) else {}
        found.append((len(planned.path.steps), len(document[ANNOUNCED]), len(bson.encode({**document, "outbox": []}))))
    wanted = [one for one in found if one[0] == steps]
    longest = max(found, key=lambda one: one[1])
    return Sizes(
        len(wanted), median(one[1] for one in wanted), median(one[2] for one in wanted), (longest[1], longest[0])
    )
