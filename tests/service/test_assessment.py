"""The assessment service through its front door, on a real MongoDB and a real broker."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate

from services.assessment.__main__ import build, republish
from services.assessment.api import CAUGHT_UP, DEFAULT_FRAMEWORK, INDEX, ROUTES, STORE
from services.assessment.index import FrameworkIndex
from services.assessment.store import KEPT_EVIDENCE, OfficerStore
from shared.app import build_app
from shared.auth import Authenticator
from shared.events import (
    CATALOG_TOPIC,
    PROFILES_TOPIC,
    AssessmentCompleted,
    FrameworkPublished,
    OfficerChanged,
    OfficerErased,
)
from shared.mongo import KeyStore
from shared.settings import AssessmentSettings
from shared.skills import SHARED_TENANT, JobGroup, Stage
from tests.builders import FRAMEWORK, framework, text
from tests.service.started import Started, Topic, followed, settings_of, started

pytestmark = pytest.mark.timeout(90)

TAKEN_AT = "2026-11-20T09:00:00+07:00"
PUT = {"job_group": "service", "agency": "north"}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def settings(mongodb_uri: str, kafka_bootstrap: str) -> AssessmentSettings:
    return settings_of(AssessmentSettings, mongodb_uri, kafka_bootstrap, DEFAULT_FRAMEWORK=FRAMEWORK)


@pytest.fixture(scope="module")
async def service(settings: AssessmentSettings) -> AsyncIterator[Started]:
    async with started(build, settings) as service:
        shown = framework({"reading": 3, "writing": 4})
        shown = msgspec.structs.replace(
            shown,
            job_groups=[*shown.job_groups, JobGroup("executive", text("executive"))],
            stages=[Stage("early", text("early"))],
        )
        await service.publish(
            CATALOG_TOPIC,
            (f"{SHARED_TENANT}/framework:{FRAMEWORK}", 1, FrameworkPublished(SHARED_TENANT, shown)),
        )
        yield service


@pytest.fixture(scope="module")
async def announced(service: Started) -> AsyncIterator[Topic]:
    async with followed(service.settings, PROFILES_TOPIC) as topic:
        yield topic


async def registered(service: Started, **body: Any) -> str:
    officer = f"officer-{next(_numbers)}"
    got = await service.ask("PUT", f"/v1/officers/{officer}", json=PUT | body)
    assert got.status == 201, await got.text()
    return officer


def assessment(level: float = 2, **changed: Any) -> dict[str, Any]:
    body = {
        "framework": FRAMEWORK,
        "kind": "test",
        "results": [{"skill": "reading", "level": level}],
        "taken_at": TAKEN_AT,
    }
    return body | changed


async def submit(
    service: Started, subject: str, body: Any, key: str = "", **options: Any
) -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key or f"key-{next(_numbers)}"}
    got = await service.ask("POST", f"/v1/officers/{subject}/assessments", json=body, headers=headers, **options)
    return got.status, await got.json()


async def profile_of(service: Started, officer: str) -> dict[str, Any]:
    got = await service.ask("GET", f"/v1/officers/{officer}")
    assert got.status == 200
    found: dict[str, Any] = await got.json()
    return found


async def test_an_assessment_changes_the_profile_and_is_announced_with_it(service: Started, announced: Topic) -> None:
    officer = await registered(service, languages=["th"], deadline="2027-05-01", weekly_hours=3)
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    key = await service.key("platform")
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "a", "traceparent": sent}
    got = await service.client.post(f"/v1/officers/{officer}/assessments", json=assessment(), headers=headers)
    assert got.status == 202
    accepted = await got.json()
    assert (accepted["officer"], accepted["profile_sequence"]) == (officer, 2)
    changed, completed = await announced.of(f"agency/{officer}", 2)
    assert isinstance(changed.data, OfficerChanged)
    assert isinstance(completed.data, AssessmentCompleted)
    assert (completed.sequence, completed.data.assessment_id) == (2, accepted["assessment_id"])
    assert completed.traceparent is not None
    assert completed.traceparent[:35] == sent[:35]
    [level] = completed.data.profile.levels
    assert (level.skill, level.level, level.sd) == ("reading", 2, 0.3)
    stored = await profile_of(service, officer)
    assert stored == msgspec.to_builtins(completed.data.profile)
    assert (stored["framework_version"], stored["deadline"]) == (1, "2027-05-01")


async def test_a_put_that_changes_nothing_makes_no_sequence_and_no_event(service: Started, announced: Topic) -> None:
    officer = await registered(service)
    again = await service.ask("PUT", f"/v1/officers/{officer}", json=PUT)
    assert (again.status, await again.json()) == (200, {"officer": officer, "profile_sequence": 1, "changed": False})
    moved = await service.ask("PUT", f"/v1/officers/{officer}", json=PUT | {"job_group": "executive", "stage": "early"})
    assert (moved.status, (await moved.json())["profile_sequence"], moved.headers["ETag"]) == (200, 2, '"2"')
    events = await announced.of(f"agency/{officer}", 2)
    assert [event.sequence for event in events] == [1, 2]


async def test_a_later_measurement_counts_whatever_the_order_of_arrival(service: Started) -> None:
    officer = await registered(service)
    await submit(service, officer, assessment(3))
    status, _ = await submit(service, officer, assessment(1, taken_at="2026-11-19T09:00:00+07:00"))
    assert status == 202
    profile = await profile_of(service, officer)
    assert ([level["level"] for level in profile["levels"]], profile["sequence"]) == ([3], 3)
    await submit(service, officer, assessment(4, taken_at="2026-11-21T09:00:00+07:00", kind="self"))
    [level] = (await profile_of(service, officer))["levels"]
    assert (level["level"], level["sd"]) == (4, 0.8)
    got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=2")
    listed = (await got.json())["assessments"]
    assert [one["results"][0]["level"] for one in listed] == [4, 3]
    assert "digest" not in listed[0]


async def test_the_same_key_again_changes_nothing_and_with_another_body_it_is_a_conflict(service: Started) -> None:
    officer = await registered(service)
    first = await submit(service, officer, assessment(), "k")
    assert await submit(service, officer, assessment(), "k") == first
    assert (await profile_of(service, officer))["sequence"] == 2
    status, problem = await submit(service, officer, assessment(3), "k")
    assert (status, problem["field"]) == (409, "Idempotency-Key")
    other = await registered(service)
    assert (await submit(service, other, assessment(3), "k"))[0] == 202


async def test_submissions_at_once_are_all_applied_and_the_same_one_once(service: Started) -> None:
    officer = await registered(service)
    bodies = [assessment(n % 5, taken_at=f"2026-11-20T09:00:{n:02d}+07:00") for n in range(8)]
    answers = await asyncio.gather(
        *(submit(service, officer, body, f"k{n}") for n, body in enumerate(bodies)),
        *(submit(service, officer, bodies[0], "k0") for _ in range(4)),
    )
    assert {status for status, _ in answers} == {202}
    assert sorted({answer["profile_sequence"] for _, answer in answers}) == list(range(2, 10))
    profile = await profile_of(service, officer)
    assert (profile["sequence"], profile["levels"][0]["level"]) == (9, 7 % 5)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (assessment(framework="nowhere"), 422, "framework"),
        (assessment(results=[{"skill": "flying", "level": 1}]), 422, "results[0].skill"),
        (
            assessment(results=[{"skill": "reading", "level": 1}, {"skill": "writing", "level": 6}]),
            422,
            "results[1].level",
        ),
        (assessment(results=[{"skill": "reading", "level": 1}] * 2), 422, "results[1].skill"),
        (assessment(results=[{"skill": "reading", "level": -1}]), 422, "results[0].level"),
        (assessment(results=[{"skill": "reading", "level": 1, "sd": 0}]), 422, "results[0].sd"),
        (assessment(results=[]), 422, "results"),
        (assessment(kind="guess"), 422, "kind"),
        (assessment(taken_at="2026-11-20T09:00:00"), 422, "taken_at"),
        (assessment(taken_at=(datetime.now(UTC) + timedelta(minutes=10)).isoformat()), 422, "taken_at"),
        (assessment(results=[{"skill": {"$ne": 1}, "level": 1}]), 422, "results[0].skill"),
        (assessment(framework={"$gt": ""}), 422, "framework"),
        (assessment(tenant="other"), 422, "tenant"),
    ],
)
async def test_a_wrong_assessment_is_refused_by_field_and_nothing_is_stored(
    service: Started, body: Any, status: int, field: str
) -> None:
    officer = await registered(service)
    got, problem = await submit(service, officer, body)
    assert (got, problem["field"]) == (status, field)
    assert (await profile_of(service, officer))["sequence"] == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"job_group": "pilots"}, "job_group"),
        ({"stage": "late"}, "stage"),
        ({"framework": "nowhere"}, "framework"),
        ({"weekly_hours": 0}, "weekly_hours"),
        ({"languages": ["Thai"]}, "languages[0]"),
        ({"agency": {"$ne": ""}}, "agency"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_a_wrong_registration_is_refused_by_field(service: Started, changed: dict[str, Any], field: str) -> None:
    got = await service.ask("PUT", "/v1/officers/nobody", json=PUT | changed)
    assert (got.status, (await got.json())["field"]) == (422, field)
    assert (await service.ask("GET", "/v1/officers/nobody")).status == 404


async def test_unregistered_officers_and_missing_keys(service: Started) -> None:
    assert (await submit(service, "nobody", assessment()))[0] == 404
    officer = await registered(service)
    got = await service.ask("POST", f"/v1/officers/{officer}/assessments", json=assessment())
    assert (got.status, (await got.json())["field"]) == (400, "Idempotency-Key")


async def test_a_stale_revision_is_refused(service: Started) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    stale = await service.ask("PUT", path, json=PUT | {"agency": "south"}, headers={"If-Match": '"7"'})
    assert (stale.status, (await stale.json())["field"]) == (412, "If-Match")
    right = await service.ask("PUT", path, json=PUT | {"agency": "south"}, headers={"If-Match": '"1"'})
    assert right.status == 200
    assert (await service.ask("GET", path, headers={"If-None-Match": '"2"'})).status == 304


async def test_an_officers_key_reads_itself_and_submits_only_self_assessments(service: Started) -> None:
    officer, other = await registered(service), await registered(service)
    assert (await submit(service, officer, assessment(kind="self"), role="officer", officer=officer))[0] == 202
    assert (await submit(service, officer, assessment(), role="officer", officer=officer))[0] == 403
    assert (await submit(service, other, assessment(kind="self"), role="officer", officer=officer))[0] == 404
    assert (await service.ask("GET", f"/v1/officers/{officer}", "officer", officer=officer)).status == 200
    got = await service.ask("PUT", f"/v1/officers/{officer}", "officer", officer=officer, json=PUT)
    assert got.status == 403


async def test_an_erased_officer_is_forgotten_and_goes_on_from_the_sequence(service: Started, announced: Topic) -> None:
    officer = await registered(service)
    await submit(service, officer, assessment(), "k")
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    assert (await service.ask("GET", f"/v1/officers/{officer}")).status == 404
    assert (await submit(service, officer, assessment(), "k"))[0] == 404
    stored = await service.database("assessment")["officers"].find_one({"_id": f"agency/{officer}"})
    assert stored is not None
    assert set(stored) <= {"_id", "tenant", "officer", "sequence", "erased", "outbox", "staged_at", "acknowledged"}
    again = await service.ask("PUT", f"/v1/officers/{officer}", json=PUT)
    assert (again.status, (await again.json())["profile_sequence"]) == (201, 4)
    assert (await profile_of(service, officer)).get("levels", []) == []
    events = await service.until(lambda: _ends_with(announced, f"agency/{officer}", 4))
    erased = next(event for event in events if isinstance(event.data, OfficerErased))
    assert erased.sequence == 3


async def _ends_with(topic: Topic, subject: str, sequence: int) -> list[Any]:
    found = [event for event in topic.events if event.subject == subject]
    return found if found and found[-1].sequence == sequence else []


async def test_past_two_hundred_assessments_the_oldest_are_archived_and_still_known(service: Started) -> None:
    officer = await registered(service)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    total = KEPT_EVIDENCE + 3
    for n in range(total):
        body = assessment(n % 5, taken_at=(start + timedelta(hours=n)).isoformat())
        assert (await submit(service, officer, body, f"k{n}"))[0] == 202
    database = service.database("assessment")
    stored = await database["officers"].find_one({"_id": f"agency/{officer}"})
    assert stored is not None
    assert len(stored["evidence"]) == KEPT_EVIDENCE
    assert await database["archive"].count_documents({"officer_key": f"agency/{officer}"}) == 3
    oldest = assessment(0, taken_at=start.isoformat())
    status, answer = await submit(service, officer, oldest, "k0")
    assert (status, answer["profile_sequence"]) == (202, 2)
    assert (await submit(service, officer, assessment(1, taken_at=start.isoformat()), "k0"))[0] == 409
    got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=500")
    listed = [one["taken_at"] for one in (await got.json())["assessments"]]
    assert len(listed) == total
    assert listed == sorted(listed, reverse=True)
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    assert await database["archive"].count_documents({}) == 0


async def test_republishing_announces_the_same_sequence_again(service: Started, announced: Topic) -> None:
    officer, erased = await registered(service), await registered(service)
    await service.ask("DELETE", f"/v1/officers/{erased}")
    await announced.of(f"agency/{officer}", 1)
    await service.until(lambda: _ends_with(announced, f"agency/{erased}", 2))
    assert isinstance(service.settings, AssessmentSettings)
    assert await republish(service.settings) >= 2
    events = await announced.of(f"agency/{officer}", 2)
    assert [event.sequence for event in events] == [1, 1]
    assert isinstance((await announced.of(f"agency/{erased}", 2))[-1].data, OfficerErased)


async def test_of_registrations_at_once_one_is_the_first_and_none_is_lost(service: Started) -> None:
    officer = f"officer-{next(_numbers)}"
    bodies = [PUT | {"agency": f"agency-{n}"} for n in range(6)]
    answers = await asyncio.gather(*(service.ask("PUT", f"/v1/officers/{officer}", json=body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [201]
    assert sorted([(await answer.json())["profile_sequence"] for answer in answers]) == [1, 2, 3, 4, 5, 6]


async def test_an_erasure_in_the_middle_of_archiving_leaves_nothing(service: Started) -> None:
    officer = await registered(service)
    key, database = f"agency/{officer}", service.database("assessment")
    entries = [{"id": f"{key}-{n}", "digest": "", "evidence": {"taken_at": TAKEN_AT}} for n in range(KEPT_EVIDENCE + 1)]
    await database["officers"].update_one({"_id": key}, {"$set": {"evidence": entries, "erased": True}})
    await OfficerStore(database)._move_to_archive(key)
    assert await database["archive"].count_documents({"officer_key": key}) == 0


async def test_until_the_catalogue_is_read_an_unknown_framework_is_503(service: Started) -> None:
    keys = KeyStore(service.mongodb, service.settings)
    app = build_app("Starting", ROUTES, Authenticator(keys, service.settings.api_key_pepper))
    app[STORE], app[INDEX] = OfficerStore(service.database("assessment")), FrameworkIndex()
    app[CAUGHT_UP], app[DEFAULT_FRAMEWORK] = asyncio.Event(), FRAMEWORK
    headers = {"Authorization": f"Bearer {await service.key('platform')}"}
    async with TestClient(TestServer(app)) as client:
        assert (await client.put("/v1/officers/early", json=PUT, headers=headers)).status == 503
        app[CAUGHT_UP].set()
        assert (await client.put("/v1/officers/early", json=PUT, headers=headers)).status == 422


async def test_a_copy_left_in_the_archive_by_an_erasure_is_cleared(service: Started) -> None:
    officer = await registered(service)
    await service.ask("DELETE", f"/v1/officers/{officer}")
    database = service.database("assessment")
    await database["archive"].insert_one({"_id": "left", "officer_key": f"agency/{officer}"})
    await OfficerStore(database).restage([f"agency/{officer}"])
    assert await database["archive"].count_documents({"officer_key": f"agency/{officer}"}) == 0


async def test_a_tenants_own_framework_stands_before_the_shared_one(service: Started) -> None:
    own = framework({"swimming": 2})
    await service.publish(CATALOG_TOPIC, (f"pool/framework:{FRAMEWORK}", 1, FrameworkPublished("pool", own)))
    body = assessment(results=[{"skill": "swimming", "level": 1}])

    async def accepted() -> bool:
        await service.ask("PUT", "/v1/officers/swimmer", json=PUT, tenant="pool")
        return (await submit(service, "swimmer", body, tenant="pool"))[0] == 202

    await service.until(accepted)
    officer = await registered(service)
    assert (await submit(service, officer, body))[0] == 422


async def test_the_document_of_the_api_is_valid(service: Started) -> None:
    validate(await (await service.client.get("/openapi.json")).json())
