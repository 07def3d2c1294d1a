"""The recommender as it is wired in production, on a real broker and a real MongoDB: events in, paths out."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from openapi_spec_validator import validate

from services.recommender.__main__ import build
from shared.events import (
    CATALOG_TOPIC,
    PATHS_TOPIC,
    PROFILES_TOPIC,
    TOMBSTONE,
    AssessmentCompleted,
    CoursePublished,
    CourseWithdrawn,
    Data,
    FrameworkPublished,
    OfficerChanged,
    OfficerErased,
    PathRecommended,
    announce,
    to_kafka,
)
from shared.kafka import Publisher, TopicSpec, create_topics
from shared.settings import RecommenderSettings
from shared.skills import SHARED_TENANT, Course, Framework, Profile, key_of
from tests.builders import FRAMEWORK, JOB_GROUP, MOMENT, course, framework, profile
from tests.service.started import Started, Topic, followed, settings_of, started

pytestmark = pytest.mark.timeout(90)

SHOWN = framework({"reading": 3, "writing": 4})
READ = course("read", ("reading", 0, 3), hours=4)
WRITE = course("write", ("writing", 0, 4), hours=4)
_numbers = itertools.count(1)


def published(tenant: str, entry: Course | Framework, sequence: int = 1) -> tuple[str, int, Data]:
    data: Data = CoursePublished(tenant, entry) if isinstance(entry, Course) else FrameworkPublished(tenant, entry)
    return key_of(tenant, entry.id), sequence, data


def assessed(one: Profile) -> tuple[str, int, Data]:
    return one.key, one.sequence, AssessmentCompleted(one, f"assessment-{one.sequence}", "test", MOMENT)


def registered(one: Profile) -> tuple[str, int, Data]:
    return one.key, one.sequence, OfficerChanged(one)


def somebody(tenant: str = "agency", sequence: int = 1, **levels: float) -> Profile:
    """Return the profile of an officer nobody else has."""
    return msgspec.structs.replace(profile(f"o{next(_numbers)}", levels, sequence=sequence), tenant=tenant)


def later(one: Profile, sequence: int, **levels: float) -> Profile:
    return msgspec.structs.replace(
        profile(one.officer, levels, sequence=sequence), tenant=one.tenant, framework=one.framework
    )


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    settings = settings_of(RecommenderSettings, mongodb_uri, kafka_bootstrap)
    catalogue = settings.topic(CATALOG_TOPIC)
    dead = settings.topic(f"{PROFILES_TOPIC}.dead")
    await create_topics(kafka_bootstrap, [TopicSpec(catalogue, 1, 1, {}), TopicSpec(dead, 1, 1, {})])
    first = [published(SHARED_TENANT, entry) for entry in (SHOWN, READ, WRITE)]
    envelopes = [
        msgspec.structs.replace(announce("/test", *one), catalogue_revision=stamp) for stamp, one in enumerate(first, 1)
    ]
    async with Publisher(kafka_bootstrap) as publisher:
        await publisher.send(catalogue, envelopes)
    async with started(build, settings) as service:
        yield service


@pytest.fixture(scope="module")
async def announced(service: Started) -> AsyncIterator[Topic]:
    async with followed(service.settings, PATHS_TOPIC) as topic:
        yield topic


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

    result: dict[str, Any] = await service.until(found)
    return result


def courses_of(stored: dict[str, Any]) -> list[str]:
    return [step["course"]["id"] for step in stored["path"]["steps"]]


async def everything_read(service: Started) -> None:
    """Return when all that was published before is taken: a later event of the one partition has its path."""
    marker = somebody()
    await service.publish(PROFILES_TOPIC, registered(marker))
    await path_of(service, marker)


# --- events in, paths out --------------------------------------------------------------------------------------------


async def test_an_assessment_makes_a_path_that_is_announced_and_answered(service: Started, announced: Topic) -> None:
    officer = somebody(reading=1, writing=4)
    await service.publish(PROFILES_TOPIC, assessed(officer))
    [event] = await announced.of(officer.key, 1)
    assert isinstance(event.data, PathRecommended)
    assert (event.data.cause, event.data.revision, event.sequence) == ("assessment", 1, 1)
    address = f"/v1/officers/{officer.officer}/path"
    answer = await service.ask("GET", address, headers={"X-Request-Id": "asked-by-a-test"})
    stored = await answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert (stored.pop("stale"), stored.pop("request_id")) == (False, "asked-by-a-test")
    assert msgspec.convert(stored, PathRecommended) == event.data
    assert courses_of(stored) == ["read"]
    again = await service.ask("GET", address, headers={"If-None-Match": '"1"'})
    assert (again.status, await again.read()) == (304, b"")
    assert (await service.ask("GET", address, headers={"If-None-Match": '"2"'})).status == 200


async def test_a_repeated_and_an_older_event_change_nothing(service: Started, announced: Topic) -> None:
    officer = somebody(sequence=2, reading=1)
    await service.publish(PROFILES_TOPIC, assessed(officer))
    before = await path_of(service, officer)
    await service.publish(PROFILES_TOPIC, assessed(officer), assessed(later(officer, 2, reading=3)))
    await service.publish(PROFILES_TOPIC, assessed(later(officer, 1, reading=3)))
    await everything_read(service)
    after = await path_of(service, officer)
    assert {**after, "request_id": ""} == {**before, "request_id": ""}
    assert len(await announced.of(officer.key, 1)) == 1


async def test_each_newer_profile_makes_the_next_revision(service: Started, announced: Topic) -> None:
    officer = somebody(reading=0)
    for sequence in (1, 2, 3):
        await service.publish(PROFILES_TOPIC, assessed(later(officer, sequence, reading=sequence)))
        stored = await path_of(service, officer, sequence)
        assert stored["revision"] == sequence
    events = await announced.of(officer.key, 3)
    assert [event.sequence for event in events] == [1, 2, 3]


async def test_an_officer_who_is_only_registered_has_a_provisional_path(service: Started) -> None:
    officer = somebody()
    await service.publish(PROFILES_TOPIC, registered(officer))
    stored = await path_of(service, officer)
    assert stored["cause"] == "officer"
    assert stored["path"]["status"] == "provisional"
    assert sorted(courses_of(stored)) == ["read", "write"]
    assert stored["path"]["reason"]["th"]
    assert stored["path"]["reason"]["en"]


async def test_a_malformed_or_unknown_event_is_a_dead_letter_and_the_flow_goes_on(service: Started) -> None:
    officer = somebody(reading=1)
    key, value, headers = to_kafka(announce("/test", *assessed(officer)))
    future = [(name, b"assessment.completed.v9" if name == "ce_type" else text) for name, text in headers]
    topic = service.settings.topic(PROFILES_TOPIC)
    async with Publisher(service.settings.kafka_bootstrap_servers) as publisher:
        await publisher.resend(topic, key, b'{"profile": {"tenant"', headers)
        await publisher.resend(topic, key, value, future)
        await publisher.resend(topic, key, value, [])
        await publisher.resend(topic, key, value, headers)
    await path_of(service, officer)
    letters = AIOKafkaConsumer(
        f"{topic}.dead",
        bootstrap_servers=service.settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await letters.start()
    try:
        async with asyncio.timeout(15):
            found = [await letters.getone() for _ in range(3)]
    finally:
        await letters.stop()
    reasons = [dict(letter.headers)["dead_reason"].decode() for letter in found]
    assert reasons[0].startswith("assessment.completed.v1: ")
    assert reasons[1] == "unknown event type 'assessment.completed.v9'"
    assert reasons[2].startswith("not a CloudEvent: ")
    assert [letter.value for letter in found[1:]] == [value, value]
    assert set(future) <= set(found[1].headers)


async def test_an_erased_officer_leaves_the_counters_and_goes_on_from_them(service: Started, announced: Topic) -> None:
    officer = somebody(reading=1)
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    await service.publish(PROFILES_TOPIC, (officer.key, 2, OfficerErased(officer.tenant, officer.officer)))
    tombstone = (await announced.of(officer.key, 2))[1]
    assert (tombstone.type, tombstone.data, tombstone.sequence) == (TOMBSTONE, None, 2)
    assert (await service.ask("GET", f"/v1/officers/{officer.officer}/path")).status == 404
    left = await service.database("recommender")["plans"].find_one({"_id": officer.key})
    assert left is not None
    assert (left["profile_sequence"], left["revision"]) == (2, 2)
    assert not {"profile", "path", "agency"} & set(left)
    await service.publish(PROFILES_TOPIC, assessed(officer))  # comes once more, too late
    await service.publish(PROFILES_TOPIC, registered(later(officer, 3)))
    stored = await path_of(service, officer, 3)
    assert stored["revision"] == 3
    assert [event.sequence for event in await announced.of(officer.key, 3)] == [1, 2, 3]


# --- catalogue changes -----------------------------------------------------------------------------------------------


async def test_a_withdrawn_course_leaves_the_paths_that_held_it_and_their_officers_are_told(
    service: Started, announced: Topic
) -> None:
    tenant = "withdrawing"
    officer, other = somebody(tenant, reading=3, writing=1), somebody(reading=3, writing=1)
    await service.publish(CATALOG_TOPIC, published(tenant, course("short", ("writing", 0, 4), hours=1)))
    await service.publish(PROFILES_TOPIC, assessed(officer), assessed(other))
    assert courses_of(await path_of(service, officer)) == ["short"]
    await path_of(service, other)
    await service.publish(CATALOG_TOPIC, (key_of(tenant, "short"), 2, CourseWithdrawn(tenant, "short")))
    stale = await path_of(service, officer, stale=True)
    assert courses_of(stale) == ["short"]  # a reading request never plans
    address = f"/v1/officers/{officer.officer}/path"
    held = await service.ask("GET", address, tenant=tenant, headers={"If-None-Match": f'"{stale["revision"]}"'})
    assert held.status == 200  # the reader is to learn that it is stale
    event = (await announced.of(officer.key, 2))[1]
    assert isinstance(event.data, PathRecommended)
    assert (event.data.cause, event.data.revision) == ("catalogue", 2)
    assert [step.course.id for step in event.data.path.steps] == ["write"]
    assert courses_of(await path_of(service, officer, revision=2, stale=False)) == ["write"]
    assert len(await announced.of(other.key, 1)) == 1


async def test_a_new_course_reaches_those_who_have_the_gap_it_closes(service: Started, announced: Topic) -> None:
    tenant = "growing"
    mine = msgspec.structs.replace(framework({"reading": 3, "dancing": 2}), id="growing")
    officer = msgspec.structs.replace(somebody(tenant), framework="growing")
    await service.publish(CATALOG_TOPIC, published(tenant, mine))
    await service.publish(PROFILES_TOPIC, registered(officer))
    before = await path_of(service, officer)
    assert {gap["skill"]: gap["cause"] for gap in before["path"]["open"]} == {
        "reading": "no_course",
        "dancing": "no_course",
    }
    await service.publish(CATALOG_TOPIC, published(tenant, course("dance", ("dancing", 0, 2), of="growing")))
    event = (await announced.of(officer.key, 2))[1]
    assert isinstance(event.data, PathRecommended)
    assert [step.course.id for step in event.data.path.steps] == ["dance"]


async def test_a_framework_that_is_not_here_is_waited_for_and_its_arrival_plans(service: Started) -> None:
    officer = msgspec.structs.replace(somebody("waiting"), framework="later")
    await service.publish(PROFILES_TOPIC, registered(officer))
    waiting = await path_of(service, officer)
    assert waiting["path"]["status"] == "waiting_for_framework"
    assert waiting["path"]["steps"] == []
    assert "later" in waiting["path"]["reason"]["th"]
    await service.publish(
        CATALOG_TOPIC,
        published("waiting", msgspec.structs.replace(SHOWN, id="later")),
        published("waiting", course("late", ("reading", 0, 3), of="later")),
    )
    stored = await path_of(service, officer, revision=2)
    assert stored["path"]["status"] == "provisional"
    assert courses_of(stored) == ["late"]


# --- tenants ---------------------------------------------------------------------------------------------------------


async def test_a_perfect_course_of_another_tenant_is_never_met(service: Started) -> None:
    perfect = course("perfect", ("reading", 0, 3), ("writing", 0, 4), hours=0.1)
    await service.publish(CATALOG_TOPIC, published("owner", perfect))
    theirs, ours = somebody("owner"), somebody("neighbour")
    await service.publish(PROFILES_TOPIC, registered(theirs), registered(ours))
    assert courses_of(await path_of(service, theirs)) == ["perfect"]
    assert "perfect" not in str(await path_of(service, ours))
    asked = {"framework": FRAMEWORK, "job_group": JOB_GROUP}
    for tenant, sees in (("owner", True), ("neighbour", False)):
        answer = await service.ask("POST", "/v1/recommendations", tenant=tenant, json=asked)
        assert ("perfect" in await answer.text()) is sees
    assert (await service.ask("GET", f"/v1/officers/{theirs.officer}/path", tenant="neighbour")).status == 404


async def test_an_agencys_own_framework_stands_before_the_shared_one_of_the_same_id(service: Started) -> None:
    own = framework({"reading": 2}, others=["writing"])
    await service.publish(CATALOG_TOPIC, published("sovereign", own))
    officer, other = somebody("sovereign"), somebody()
    await service.publish(PROFILES_TOPIC, registered(officer), registered(other))
    gaps = {one.officer: (await path_of(service, one))["path"]["gaps"] for one in (officer, other)}
    assert [(gap["skill"], gap["required"]) for gap in gaps[officer.officer]] == [("reading", 2)]
    assert [gap["skill"] for gap in gaps[other.officer]] == ["reading", "writing"]


# --- who may see what ------------------------------------------------------------------------------------------------


async def test_a_path_is_shown_to_its_officer_and_its_platform_only(service: Started) -> None:
    officer = somebody()
    await service.publish(PROFILES_TOPIC, registered(officer))
    await path_of(service, officer)
    address = f"/v1/officers/{officer.officer}/path"
    assert (await service.ask("GET", address, "officer", officer=officer.officer)).status == 200
    for role, asking, status in (("officer", "somebody-else", 404), (None, None, 401)):
        refused = await service.ask("GET", address, role, officer=asking)  # type: ignore[arg-type]
        assert refused.status == status
        assert refused.content_type == "application/problem+json"
    assert (await service.ask("GET", "/v1/officers/nobody-knows/path")).status == 404


# --- recommendations without storing ---------------------------------------------------------------------------------

ASKED: dict[str, Any] = {"framework": FRAMEWORK, "job_group": JOB_GROUP}


async def test_a_recommendation_is_answered_and_not_stored(service: Started) -> None:
    levels = {"reading": 1, "writing": {"level": 2, "sd": 0.8}}
    plans = service.database("recommender")["plans"]
    before = await plans.count_documents({})
    answer = await service.ask("POST", "/v1/recommendations", json={**ASKED, "levels": levels})
    body = await answer.json()
    assert answer.status == 200
    assert sorted(courses_of(body)) == ["read", "write"]
    assert body["stale"] is False
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert [gap["level"] for gap in body["path"]["gaps"]] == [1, 2]
    assert await plans.count_documents({}) == before


async def test_a_recommendation_can_be_for_a_target_instead_of_a_job_group(service: Started) -> None:
    asked = {"framework": FRAMEWORK, "target": {"writing": 2}, "levels": {"writing": 1}}
    body = await (await service.ask("POST", "/v1/recommendations", json=asked)).json()
    assert courses_of(body) == ["write"]
    assert [gap["skill"] for gap in body["path"]["gaps"]] == ["writing"]


@pytest.mark.parametrize(
    "budget",
    [{"budget_hours": 4}, {"weekly_hours": 2, "deadline": "2026-12-07", "as_of": "2026-11-23"}],
    ids=["hours", "pace and deadline"],
)
async def test_both_forms_of_a_budget_limit_the_path(service: Started, budget: dict[str, Any]) -> None:
    body = await (await service.ask("POST", "/v1/recommendations", json={**ASKED, **budget})).json()
    assert body["path"]["budget_hours"] == 4
    assert body["path"]["hours"] == 4
    assert len(body["path"]["steps"]) == 1
    assert [gap["cause"] for gap in body["path"]["open"]] == ["budget"]


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"framework": "nowhere"}, 422, "framework"),
        ({"job_group": "astronauts"}, 422, "job_group"),
        ({"job_group": None}, 422, "job_group"),
        ({"target": {"reading": 1}}, 422, "job_group"),
        ({"job_group": None, "target": {"flying": 1}}, 422, "target.flying"),
        ({"stage": "first"}, 422, "stage"),
        ({"levels": {"flying": 1}}, 422, "levels.flying"),
        ({"levels": {"reading": 5.5}}, 422, "levels.reading"),
        ({"levels": {"reading": {"level": 5.5}}}, 422, "levels.reading"),
        ({"levels": {"reading": -1}}, 422, "levels[]"),
        ({"levels": {"reading": "much"}}, 422, "levels[]"),
        ({"deadline": "2027-01-01"}, 422, "weekly_hours"),
        ({"weekly_hours": 2}, 422, "deadline"),
        ({"budget_hours": 4, "weekly_hours": 2, "deadline": "2027-01-01"}, 422, "budget_hours"),
        ({"budget_hours": -1}, 422, "budget_hours"),
        ({"as_of": "tomorrow"}, 422, "as_of"),
        ({"wishes": []}, 422, "wishes"),
    ],
    ids=str,
)
async def test_a_bad_request_is_refused_by_the_name_of_its_field(
    service: Started, changed: dict[str, Any], status: int, field: str
) -> None:
    asked = {name: value for name, value in {**ASKED, **changed}.items() if value is not None}
    answer = await service.ask("POST", "/v1/recommendations", json=asked)
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem.get("field")) == (status, field), problem


async def test_what_is_no_json_or_too_large_is_refused(service: Started) -> None:
    assert (await service.ask("POST", "/v1/recommendations", data=b'{"framework"')).status == 400
    assert (await service.ask("POST", "/v1/recommendations", data=b" " * 300_000)).status == 413


async def test_the_documents_are_served(service: Started) -> None:
    validate(await (await service.ask("GET", "/openapi.json", None)).json())
    metrics = await (await service.ask("GET", "/metrics", None)).text()
    assert "plans_saved_total" in metrics
