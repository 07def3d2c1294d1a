"""Assessments through the front door, on real servers: each counts once, the latest measurement holds."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from shared.events import AssessmentCompleted, OfficerChanged
from tests.support.assessment import assessment, assessment_service, profile_of, registered, submit
from tests.support.services import Started, Topic

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with assessment_service(mongodb_uri, kafka_bootstrap) as service:
        yield service


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
        (assessment(taken_at=(datetime.now(UTC) + timedelta(days=1)).isoformat()), 422, "taken_at"),
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


async def test_unregistered_officers_and_missing_keys(service: Started) -> None:
    assert (await submit(service, "nobody", assessment()))[0] == 404
    officer = await registered(service)
    got = await service.ask("POST", f"/v1/officers/{officer}/assessments", json=assessment())
    assert (got.status, (await got.json())["field"]) == (400, "Idempotency-Key")


async def test_the_document_of_the_api_is_valid(service: Started) -> None:
    validate(await (await service.client.get("/openapi.json")).json())
