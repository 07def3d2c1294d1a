"""Assessments over HTTP, on real servers: each counts once, the latest measurement holds."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from services.assessment.profile import fused
from services.assessment.store import OfficerStore
from services.assessment.stored_officer import MOST_EVIDENCE, Change, Officer
from shared.events import AssessmentCompleted, OfficerChanged, new_event
from shared.outbox import Staged
from tests.support.assessment import assessment, assessment_service, profile_of, registered, submit
from tests.support.services import Started, Topic

SERVICE = assessment_service


async def test_an_assessment_changes_the_profile_and_is_announced(service: Started, announced: Topic) -> None:
    officer = await registered(service, languages=["th"], deadline="2027-05-01", weekly_hours=3)
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    key = await service.key("platform")
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "a", "traceparent": sent}
    got = await service.client.post(f"/v1/officers/{officer}/assessments", json=assessment(), headers=headers)
    assert got.status == 202
    accepted = await got.json()
    assert (accepted["officer"], accepted["profile_sequence"]) == (officer, 2)
    changed, completed = [await announced.newest(f"agency/{officer}", sequence) for sequence in (1, 2)]
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


async def test_evidence_is_fused_whatever_the_order_of_arrival(service: Started) -> None:
    pieces = [
        assessment(2, taken_at="2026-11-19T09:00:00+07:00"),
        assessment(2.4),
        assessment(2.2, taken_at="2026-11-21T09:00:00+07:00", kind="supervisor"),
    ]
    levels = []
    for order in (pieces, pieces[::-1]):
        officer = await registered(service)
        for piece in order:
            assert (await submit(service, officer, piece))[0] == 202
        levels.append((await profile_of(service, officer))["levels"])
    assert levels[0] == levels[1]
    [level] = levels[0]
    assert 2.1 < level["level"] < 2.3
    assert level["sd"] < 0.3
    got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=2")
    listed = (await got.json())["assessments"]
    assert [one["results"][0]["level"] for one in listed] == [2.2, 2.4]
    assert "digest" not in listed[0]


async def test_a_repeated_key_changes_nothing_and_conflicts_with_another_body(service: Started) -> None:
    officer = await registered(service)
    first = await submit(service, officer, assessment(), "k")
    assert await submit(service, officer, assessment(), "k") == first
    assert (await profile_of(service, officer))["sequence"] == 2
    status, problem = await submit(service, officer, assessment(3), "k")
    assert (status, problem["field"]) == (409, "Idempotency-Key")
    other = await registered(service)
    assert (await submit(service, other, assessment(3), "k"))[0] == 202


async def test_of_the_evidence_of_an_officer_only_the_assessment_in_question_is_read(service: Started) -> None:
    officer = await registered(service)
    answers = [await submit(service, officer, assessment(n)) for n in range(3)]
    second = answers[1][1]
    store = OfficerStore(service.database("assessment"))
    for assessment_id, sequences in (
        (second["assessment_id"], [second["profile_sequence"]]),
        ("other", []),
        (None, []),
    ):
        before = await store.find("agency", officer, assessment_id)
        assert before is not None
        assert (before.kept, [one.sequence for one in before.accepted.values()]) == (3, sequences)


async def test_concurrent_submissions_are_all_applied_and_equal_ones_once(service: Started) -> None:
    officer = await registered(service)
    bodies = [assessment(n % 5, taken_at=f"2026-11-20T09:00:{n:02d}+07:00") for n in range(8)]
    answers = await asyncio.gather(
        *(submit(service, officer, body, f"k{n}") for n, body in enumerate(bodies)),
        *(submit(service, officer, bodies[0], "k0") for _ in range(4)),
    )
    assert {status for status, _ in answers} == {202}
    assert sorted({answer["profile_sequence"] for _, answer in answers}) == list(range(2, 10))
    profile = await profile_of(service, officer)
    recomputed = await OfficerStore(service.database("assessment")).recomputed(await found(service, officer))
    assert profile["sequence"] == 9
    assert profile["levels"] == msgspec.to_builtins(fused([], recomputed))


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
        (assessment(results=[{"skill": "reading", "level": 1, "sd": -0.3}]), 422, "results[0].sd"),
        (assessment(results=[{"skill": "reading", "level": 1, "sd": 0.000001}]), 422, "results[0].sd"),
        (assessment(kind="self", results=[{"skill": "reading", "level": 1, "sd": 0.1}]), 422, "results[0].sd"),
        (assessment(results=[]), 422, "results"),
        (assessment(kind="guess"), 422, "kind"),
        (assessment(taken_at="2026-11-20T09:00:00"), 422, "taken_at"),
        (assessment(taken_at=(datetime.now(UTC) + timedelta(days=1)).isoformat()), 422, "taken_at"),
        (assessment(results=[{"skill": {"$ne": 1}, "level": 1}]), 422, "results[0].skill"),
        (assessment(framework={"$gt": ""}), 422, "framework"),
        (assessment(tenant="other"), 422, "tenant"),
    ],
)
async def test_a_wrong_assessment_is_rejected_by_field_and_nothing_is_stored(
    service: Started, body: Any, status: int, field: str
) -> None:
    officer = await registered(service)
    got, problem = await submit(service, officer, body)
    assert (got, problem["field"]) == (status, field)
    assert (await profile_of(service, officer))["sequence"] == 1


async def test_unregistered_officers_and_missing_keys_are_rejected(service: Started) -> None:
    assert (await submit(service, "nobody", assessment()))[0] == 404
    officer = await registered(service)
    got = await service.ask("POST", f"/v1/officers/{officer}/assessments", json=assessment())
    assert (got.status, (await got.json())["field"]) == (400, "Idempotency-Key")


async def found(service: Started, officer: str) -> Officer:
    officer_found = await OfficerStore(service.database("assessment")).find("agency", officer)
    assert officer_found is not None
    return officer_found


async def test_a_profile_recomputed_from_all_its_evidence_equals_the_stored_one(service: Started) -> None:
    """The archive takes some of it, and an older version has stored some of it."""
    officer = await registered(service)
    kinds = ["test", "self", "supervisor", "external", "completion"]
    for n in [number * 7 % (MOST_EVIDENCE + 20) for number in range(MOST_EVIDENCE + 20)]:
        body = assessment(n % 5, kind=kinds[n % 5], taken_at=f"2026-{n % 10 + 1:02}-{n % 28 + 1:02}T09:00:00+07:00")
        assert (await submit(service, officer, body))[0] == 202
    store = OfficerStore(service.database("assessment"))
    before = await found(service, officer)
    assert before.archived
    assert before.profile is not None
    assert await store.recomputed(before) == before.statistics
    assert before.profile.levels == fused([], await store.recomputed(before))
    await service.database("assessment")["officers"].update_one({"_id": before.key}, {"$unset": {"statistics": ""}})
    assert (await submit(service, officer, assessment(1, taken_at="2026-11-01T09:00:00+07:00")))[0] == 202
    after = await found(service, officer)
    assert after.statistics == await store.recomputed(after)
    assert after.statistics != before.statistics


async def test_an_event_is_handed_to_the_relay_only_if_no_earlier_one_waits(service: Started) -> None:
    stored = await found(service, await registered(service))
    database = service.database("unsent")  # no relay reads it
    staged = Staged()
    store = OfficerStore(database, staged)
    before: Officer | None = None
    for waits in (False, True, False):
        if before is not None and not waits:
            await database["officers"].update_one({"_id": before.key}, {"$set": {"outbox": []}})
            before = await store.find(before.tenant, before.officer)
        assert stored.profile is not None
        profile = msgspec.structs.replace(stored.profile, sequence=before.sequence + 1 if before else 1)
        event = new_event("/test", profile.key, profile.sequence, OfficerChanged(profile))
        assert await store.save(Change(before, profile, event))
        assert staged.is_set()
        staged.clear()
        assert staged.take_handed_over() == ({} if waits else {profile.key: event})
        before = await store.find(profile.tenant, profile.officer)


async def shown(service: Started, officer: str, query: str = "", **options: Any) -> dict[str, Any]:
    got = await service.ask("GET", f"/v1/officers/{officer}/profile{query}", **options)
    assert got.status == 200, await got.text()
    profile: dict[str, Any] = await got.json()
    return profile


async def test_the_profile_is_available_at_any_date_with_contradictions(service: Started) -> None:
    officer = await registered(service)
    assert (await shown(service, officer))["skills"] == []
    await submit(service, officer, assessment(1, taken_at="2026-03-01T09:00:00+07:00"))
    await submit(service, officer, assessment(4, kind="self", taken_at="2026-01-01T09:00:00+07:00"))
    [now] = (await shown(service, officer))["skills"]
    assert (now["level"], now["pieces"]) == (1, 2)
    assert now["sd"] > 0.3
    [one] = (await shown(service, officer))["contradictions"]
    assert ([one["first"]["kind"], one["second"]["kind"]], one["apart"]) == (["self", "test"], 3)
    then = await shown(service, officer, "?at=2026-01-01T09:00:00%2B07:00")
    assert [(skill["level"], skill["sd"], skill["pieces"]) for skill in then["skills"]] == [(4, 0.8, 1)]
    assert then["contradictions"] == []
    assert (await shown(service, officer, "?at=2025-12-31T00:00:00Z"))["skills"] == []
    got = await service.ask("GET", f"/v1/officers/{officer}/profile?at=yesterday")
    assert (got.status, (await got.json())["field"]) == (422, "at")


async def test_the_openapi_document_is_valid(service: Started) -> None:
    validate(await (await service.client.get("/openapi.json")).json())
