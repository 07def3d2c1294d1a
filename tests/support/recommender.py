"""A recommender on real servers with a small catalog, and the requests that its tests send."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.recommender.__main__ import build
from shared.domain import SHARED_TENANT, Course, Framework, Profile, key_of
from shared.events import (
    CATALOG_TOPIC,
    PROFILES_TOPIC,
    AssessmentCompleted,
    CoursePublished,
    Data,
    FrameworkPublished,
    OfficerChanged,
    new_event,
)
from shared.kafka import Publisher, TopicSpec, create_topics
from shared.settings import RecommenderSettings
from tests.support.builders import FRAMEWORK, JOB_GROUP, MOMENT, course, framework, profile, unique
from tests.support.services import Started, settings_of, started
from tests.support.waiting import until

SHOWN = framework({"reading": 3, "writing": 4})
READ = course("read", ("reading", 0, 3), hours=4)
WRITE = course("write", ("writing", 0, 4), hours=4)
COURSES = [
    READ,
    course("read-long", ("reading", 0, 3), hours=6),
    WRITE,
    course("write-long", ("writing", 0, 4), hours=9),
]
REQUEST: dict[str, Any] = {"framework": FRAMEWORK, "job_group": JOB_GROUP}


def published(tenant: str, entry: Course | Framework, sequence: int = 1) -> tuple[str, int, Data]:
    if isinstance(entry, Course):
        return key_of(tenant, entry.id), sequence, CoursePublished(tenant, entry)
    return key_of(tenant, f"framework:{entry.id}"), sequence, FrameworkPublished(tenant, entry)


def assessed(one: Profile) -> tuple[str, int, Data]:
    return one.key, one.sequence, AssessmentCompleted(one, f"assessment-{one.sequence}", "test", MOMENT)


def registered(one: Profile) -> tuple[str, int, Data]:
    return one.key, one.sequence, OfficerChanged(one)


def somebody(tenant: str = "agency", *, levels: dict[str, float] | None = None, **fields: Any) -> Profile:
    """Return the profile of a new officer."""
    one = profile(unique("officer"), levels if levels is not None else {"reading": 0, "writing": 0})
    return msgspec.structs.replace(one, tenant=tenant, **fields)


@asynccontextmanager
async def recommender(
    mongodb_uri: str,
    kafka_bootstrap: str,
    entries: Sequence[Course | Framework] = (SHOWN, *COURSES),
    *,
    ready: bool = True,
    **more: str,
) -> AsyncIterator[Started]:
    settings = settings_of(RecommenderSettings, mongodb_uri, kafka_bootstrap, **more)
    catalog = settings.topic(CATALOG_TOPIC)
    dead = settings.topic(f"{PROFILES_TOPIC}.dead")
    await create_topics(kafka_bootstrap, [TopicSpec(catalog, 1, 1, {}), TopicSpec(dead, 1, 1, {})])
    first = [published(SHARED_TENANT, entry) for entry in entries]
    envelopes = [
        msgspec.structs.replace(new_event("/test", *one), catalog_revision=stamp) for stamp, one in enumerate(first, 1)
    ]
    async with Publisher(kafka_bootstrap) as publisher:
        await publisher.send(catalog, envelopes)
    async with started(build, settings, ready=ready) as service:
        yield service


async def path_of(service: Started, one: Profile, sequence: int = 0, **fields: Any) -> dict[str, Any]:
    """Return the stored path once it was made from this profile sequence or a later one, and has these fields."""

    async def found() -> dict[str, Any] | None:
        answer = await service.ask("GET", f"/v1/officers/{one.officer}/path", tenant=one.tenant)
        if answer.status == 404:
            return None
        assert answer.status == 200
        stored: dict[str, Any] = await answer.json()
        ready = stored["path"]["versions"]["profile"] >= (sequence or one.sequence)
        return stored if ready and all(stored[name] == value for name, value in fields.items()) else None

    result: dict[str, Any] = await until(found)
    return result


def courses_of(answered: dict[str, Any]) -> list[str]:
    return [step["course"]["id"] for step in answered["path"]["steps"]]


async def planned(service: Started, *officers: Profile) -> None:
    """Return once these officers have a path."""
    await service.publish(PROFILES_TOPIC, *(assessed(one) if one.levels else registered(one) for one in officers))
    for one in officers:
        await path_of(service, one)


async def give_feedback(
    service: Started, one: Profile, course_id: str, action: str, key: str = "", **options: Any
) -> tuple[int, dict[str, Any]]:
    """Give feedback and return status and answer."""
    body = {"course": course_id, "action": action} | options.pop("body", {})
    headers = {"Idempotency-Key": key or unique("key")}
    got = await service.ask(
        "POST", f"/v1/officers/{one.officer}/feedback", tenant=one.tenant, json=body, headers=headers, **options
    )
    return got.status, await got.json()
