"""The main job over HTTP alone: an officer is assessed, and the path that follows appears on the open stream."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.keys import TENANT
from deploy.local.live import Message
from deploy.local.seed import sample_officers
from deploy.local.stack import Stack
from tests.support.builders import unique
from tests.support.platform import PROFILE, SKILLS, Officer, Platform

TAKEN_AT = "2026-10-12T09:30:00+07:00"
ASSESSMENT: dict[str, Any] = {
    "framework": PROFILE["framework"],
    "kind": "test",
    "results": [{"skill": SKILLS[0], "level": 1.5}],
    "taken_at": TAKEN_AT,
}


async def next_path(stream: AsyncIterator[Message]) -> Message:
    async with asyncio.timeout(90):
        async for message in stream:
            if message.event == "path":
                return message
    raise AssertionError("the stream ended")


async def test_an_assessment_becomes_a_path_on_the_open_stream(stack: Stack, platform: Platform) -> None:
    sample = sample_officers()[0]
    officer = unique("main")
    key = await stack.issuer.issue(TENANT, "officer", officer)
    address = f"/v1/officers/{officer}"
    stream = platform.live(officer, key)
    try:
        first = await asyncio.wait_for(anext(stream), 90)
        assert (first.event, first.data) == ("status", {"status": "waiting"})

        answer = await platform.insist("assessment", "PUT", address, json=sample["profile"])
        assert answer["profile_sequence"] == 1
        provisional = await next_path(stream)
        assert provisional.data["path"]["status"] == "provisional"
        assert provisional.data["path"]["versions"]["profile"] == 1

        status, answer = await platform.submit(officer, sample["assessment"])
        assert (status, answer["profile_sequence"]) == (202, 2)
        pushed = await next_path(stream)
    finally:
        await stream.aclose()
    path = pushed.data["path"]
    assert (pushed.id, pushed.data["revision"], pushed.data["cause"]) == ("2", 2, "assessment")
    assert path["versions"]["profile"] == 2
    assert path["status"] == "ready"
    _is_sound(path)

    status, stored = await platform.ask("recommender", "GET", f"{address}/path", key=key)
    assert status == 200
    for step in stored["path"]["steps"]:
        step.pop("alternatives", None)  # they are not announced
    assert {name: stored[name] for name in pushed.data} == pushed.data


def _is_sound(path: dict[str, Any]) -> None:
    """The path contains what a reader needs: places, hours, reasons in both languages, and what is gained."""
    steps = path["steps"]
    assert [step["position"] for step in steps] == list(range(1, len(steps) + 1))
    assert len({step["course"]["id"] for step in steps}) == len(steps)
    total = 0.0
    for step in steps:
        total += step["course"]["hours"]
        assert step["cumulative_hours"] == pytest.approx(total)
        assert step["reason"]["th"]
        assert step["reason"]["en"]
        assert step["course"]["title"]["th"]
        assert step["course"]["title"]["en"]
        assert all(gap["from"] < gap["to"] for gap in step["closes"])
    assert path["hours"] == pytest.approx(total)
    assert 0 <= path["coverage"]["before"] < path["coverage"]["after"] <= 1
    gained = sum(gap["contribution"] for step in steps for gap in step["closes"])
    assert gained == path["coverage"]["gained"]


async def test_an_agencys_own_course_enters_a_path_and_its_withdrawal_updates_the_path(
    stack: Stack, platform: Platform
) -> None:
    tenant, officer = "withdrawers", unique("main")
    admin = await stack.issuer.issue(tenant, "admin")
    teaches = [{"framework": PROFILE["framework"], "skill": SKILLS[0], "from": 0, "to": 4}]
    title = {"th": "หลักสูตรของหน่วยงานเอง", "en": "The agency's own course"}
    course = {"title": title, "provider": title, "hours": 0.5, "languages": ["th"], "teaches": teaches}
    await platform.insist("catalog", "PUT", "/v1/courses/our-own", key=admin, json={"id": "our-own", **course})
    await _is_recommended(platform, admin, "our-own")
    await platform.insist("assessment", "PUT", f"/v1/officers/{officer}", key=admin, json=PROFILE)
    stream = platform.live(officer, admin)
    try:
        before = await next_path(stream)
        assert "our-own" in _courses(before)
        status, _ = await platform.ask("catalog", "DELETE", "/v1/courses/our-own", key=admin)
        assert status in (204, 404)  # 404 if it was sent again
        after = await next_path(stream)
    finally:
        await stream.aclose()
    assert "our-own" not in _courses(after)
    assert after.data["cause"] == "catalog"
    assert after.data["revision"] == before.data["revision"] + 1
    assert after.data["path"]["versions"]["profile"] == 1


async def _is_recommended(platform: Platform, key: str, course: str) -> None:
    """Return once the recommender has received the course."""
    wanted = {"framework": PROFILE["framework"], "target": {SKILLS[0]: 4}, "levels": {SKILLS[0]: 0}}
    async with asyncio.timeout(90):
        while True:
            answer = await platform.insist("recommender", "POST", "/v1/recommendations", key=key, json=wanted)
            if course in [step["course"]["id"] for step in answer["path"]["steps"]]:
                return
            await asyncio.sleep(0.05)


def _courses(message: Message) -> list[str]:
    return [step["course"]["id"] for step in message.data["path"]["steps"]]


async def test_all_services_erase_an_officer_and_keep_the_counters(stack: Stack, platform: Platform) -> None:
    officer = await platform.register()
    address = f"/v1/officers/{officer.name}"
    stream = platform.live(officer.name)
    try:
        assert (await next_path(stream)).data["revision"] == 1
        assert (await platform.ask("assessment", "DELETE", address))[0] == 204
        assert (await asyncio.wait_for(anext(stream), 90)).event == "erased"
        assert (await platform.ask("assessment", "GET", address))[0] == 404
        assert (await platform.ask("recommender", "GET", f"{address}/path"))[0] == 404
        assert [message async for message in stream] == []  # it ends
        assert (await platform.ask("assessment", "PUT", address, json=PROFILE))[0] == 409
        admin = await stack.issuer.issue(TENANT, "admin")
        answer = await platform.insist("assessment", "PUT", address, key=admin, json=PROFILE)
        assert answer["profile_sequence"] == 3
    finally:
        await stream.aclose()
    again = platform.live(officer.name)
    try:
        assert (await next_path(again)).data["revision"] == 3
    finally:
        await again.aclose()


async def test_a_later_stream_starts_with_the_stored_path_unless_the_client_has_it(
    stack: Stack, platform: Platform
) -> None:
    officer = await platform.register()
    await officer.assess_next()
    async with platform.watching([officer]) as watchers:
        await platform.audit([officer], watchers)
        revision = watchers[officer.name].paths[-1]["revision"]
    stream = platform.live(officer.name, last_event_id=str(revision))
    waiting = asyncio.create_task(next_path(stream))
    await officer.assess_next()
    assert (await waiting).data["revision"] == revision + 1  # and not `revision`, which is held
    await stream.aclose()


async def test_the_same_submission_again_changes_nothing_and_another_under_its_key_is_a_conflict(
    platform: Platform,
) -> None:
    officer = await platform.register()
    first = await platform.submit(officer.name, ASSESSMENT, idempotency_key="once")
    assert first[0] == 202
    assert await platform.submit(officer.name, ASSESSMENT, idempotency_key="once") == first
    other = {**ASSESSMENT, "results": [{"skill": SKILLS[0], "level": 2}]}
    status, problem = await platform.submit(officer.name, other, idempotency_key="once")
    assert (status, problem["field"]) == (409, "Idempotency-Key")
    await _holds(platform, officer, assessments=1)


async def test_an_unchanged_registration_is_no_change_and_a_stale_one_is_rejected(platform: Platform) -> None:
    officer = await platform.register()
    address = f"/v1/officers/{officer.name}"
    status, same = await platform.ask("assessment", "PUT", address, json=PROFILE)
    assert (status, same["changed"], same["profile_sequence"]) == (200, False, 1)
    faster = {**PROFILE, "weekly_hours": 10}
    await platform.ask("assessment", "PUT", address, json=faster, headers={"If-Match": '"1"'})
    status, problem = await platform.ask("assessment", "PUT", address, json=PROFILE, headers={"If-Match": '"1"'})
    assert (status, problem["field"]) == (412, "If-Match")
    _, profile = await platform.ask("assessment", "GET", address)
    assert (profile["sequence"], profile["weekly_hours"]) == (2, 10)


def with_result(**result: Any) -> dict[str, Any]:
    return {**ASSESSMENT, "results": [{**ASSESSMENT["results"][0], **result}]}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (with_result(skill="juggling"), 422, "results[0].skill"),
        (with_result(level=50), 422, "results[0].level"),
        (with_result(level=-1), 422, "results[0].level"),
        ({**ASSESSMENT, "framework": "nowhere"}, 422, "framework"),
        ({**ASSESSMENT, "kind": "rumour"}, 422, "kind"),
        ({**ASSESSMENT, "wishes": 1}, 422, "wishes"),
        ({**ASSESSMENT, "taken_at": (datetime.now(UTC) + timedelta(days=2)).isoformat()}, 422, "taken_at"),
    ],
    ids=["skill", "level", "below", "framework", "kind", "unknown", "future"],
)
async def test_a_bad_assessment_is_rejected_by_its_field_and_nothing_is_stored(
    platform: Platform, body: dict[str, Any], status: int, field: str
) -> None:
    officer = await platform.register()
    answered, problem = await platform.submit(officer.name, body)
    assert (answered, problem["status"], problem["field"]) == (status, status, field)
    await _holds(platform, officer, assessments=0)


async def test_invalid_json_and_too_large_bodies_are_rejected_and_nothing_is_stored(platform: Platform) -> None:
    officer = await platform.register()
    for data, expected in ((b'{"framework": ', 400), (b"\xff\xfe", 400), (b" " * (300 * 1024), 413)):
        status, problem = await platform.submit(officer.name, data=data)
        assert (status, problem["status"]) == (expected, expected)
    await _holds(platform, officer, assessments=0)


async def test_without_the_officers_key_nothing_can_be_read_or_changed(stack: Stack, platform: Platform) -> None:
    officer = await platform.register()
    await officer.assess_next()
    address = f"/v1/officers/{officer.name}"
    other = await stack.issuer.issue(TENANT, "officer", "somebody-else")
    stranger = await stack.issuer.issue("strangers", "platform")
    for key, status in ((None, 401), ("not.a-key", 401), (other, 404), (stranger, 404)):
        for service, path in (("assessment", address), ("recommender", f"{address}/path")):
            answered, problem = await platform.ask(service, "GET", path, key=key)  # type: ignore[arg-type]
            assert (answered, problem["status"]) == (status, status)
        answered, _ = await platform.submit(officer.name, ASSESSMENT, key=key)
        assert answered == status
    for key, status in ((None, 401), (other, 404)):
        answered, _ = await platform.ask("portal", "GET", f"{address}/live", key=key)
        assert answered == status
    answered, _ = await platform.ask("assessment", "PUT", address, key=other, json=PROFILE)
    assert answered == 403
    await _holds(platform, officer, assessments=1)
    assert (await platform.ask("assessment", "GET", address, key=stranger))[0] == 404


async def test_an_unknown_job_group_registers_nobody(platform: Platform) -> None:
    address = f"/v1/officers/{unique('main')}"
    status, problem = await platform.ask("assessment", "PUT", address, json={**PROFILE, "job_group": "astronauts"})
    assert (status, problem["field"]) == (422, "job_group")
    assert (await platform.ask("assessment", "GET", address))[0] == 404


async def _holds(platform: Platform, officer: Officer, *, assessments: int) -> None:
    """Nothing but what was accepted is stored."""
    _, profile = await platform.ask("assessment", "GET", f"/v1/officers/{officer.name}")
    assert profile["sequence"] == 1 + assessments
    _, history = await platform.ask("assessment", "GET", f"/v1/officers/{officer.name}/assessments")
    assert len(history["assessments"]) == assessments
