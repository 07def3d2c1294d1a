"""Adaptive sessions over HTTP, on real servers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.assessment.api.context import CONTEXT
from services.assessment.item_bank.model import BankFacts
from services.assessment.item_bank.store import ItemBankStore, NewDraft
from shared.domain import SHARED_TENANT, LocalizedText
from shared.events import AssessmentCompleted
from tests.support.assessment import assessment_service, profile_of, registered
from tests.support.builders import FRAMEWORK
from tests.support.services import Started, Topic
from tests.support.sessions import BANK, answer, detail, finish, items_of, publish, start


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with assessment_service(mongodb_uri, kafka_bootstrap) as service:
        await publish(service, *items_of("reading", 20), *items_of("writing", 20))
        yield service


def able(item: dict[str, Any]) -> int:
    """Answer as somebody who can do everything does."""
    return 4 if item["kind"] == "graded" else 2


def unable(_: dict[str, Any]) -> int:
    return 0


async def test_a_session_measures_what_the_job_group_requires_and_the_profile_shows_it(
    service: Started, announced: Topic
) -> None:
    officer = await registered(service)
    first = await start(service, officer)
    assert first["status"] == "open"
    assert first["item"]["sequence"] == 1
    assert set(first["item"]) == {"id", "sequence", "skill", "kind", "stem", "options", "seconds_left"}
    assert {option["th"][:2] for option in first["item"]["options"]} <= {"ระ", "ข้"}
    last = await finish(service, first, able)
    result = last["result"]
    assert (result["ending"], result["accepted"], result["profile_sequence"]) == ("complete", True, 2)
    assert result["explanation"]["th"]
    assert {one["skill"] for one in result["skills"]} == {"reading", "writing"}
    assert all(one["level"] > 2 and 0 < one["sd"] < 1 and one["answered"] for one in result["skills"])
    profile = await profile_of(service, officer)
    held = {level["skill"]: level for level in profile["levels"]}
    assert {skill: level["level"] for skill, level in held.items()} == {
        one["skill"]: one["level"] for one in result["skills"]
    }
    event = await announced.newest(f"agency/{officer}", 2)
    assert isinstance(event.data, AssessmentCompleted)
    assert (event.data.kind, event.data.assessment_id) == ("test", result["assessment_id"])
    got = await service.ask("GET", f"/v1/officers/{officer}/assessments")
    [evidence] = (await got.json())["assessments"]
    assert (evidence["assessment_id"], evidence["kind"]) == (result["assessment_id"], "test")


async def test_a_session_distinguishes_low_from_high_levels(service: Started) -> None:
    levels = {}
    for answering in (able, unable):
        officer = await registered(service)
        last = await finish(service, await start(service, officer, skills=["writing"]), answering)
        [one] = last["result"]["skills"]
        levels[answering.__name__] = one["level"]
        assert one["low_95"] <= one["low_68"] <= one["level"] <= one["high_68"] <= one["high_95"]
        assert one["required"] == 4
        assert 0 <= one["reached"] <= (1 if answering is able else 0.5)
    assert levels["unable"] + 1 < levels["able"]


async def test_a_client_that_lost_the_connection_continues_the_session(service: Started) -> None:
    officer = await registered(service)
    step = await start(service, officer)
    step = await answer(service, step, 0)
    assert await start(service, officer, 200) == step
    found = await detail(service, step)
    assert found["item"] == step["item"]
    assert [(one["sequence"], one["response"]) for one in found["asked"]] == [(1, 0)]
    assert found["progress"] == {"shown": 2, "answered": 1, "max_items": 60, "skills_measured": 0, "skills": 2}
    answered, waiting = sorted(found["skills"], key=lambda one: -one["answered"])
    assert answered["level"] is not None
    assert answered["sd"] > 0.4
    assert (waiting["level"], waiting["answered"]) == (None, 0)
    assert (found["bank"], found["framework"]) == (BANK, "fw")
    got = await service.ask("GET", f"/v1/officers/{officer}/sessions")
    [listed] = (await got.json())["sessions"]
    assert (listed["session"], listed["status"], listed["answered"]) == (step["session"], "open", 1)


async def test_the_same_answer_twice_gives_the_same_next_item_and_another_one_is_a_conflict(service: Started) -> None:
    officer = await registered(service)
    first = await start(service, officer)
    second = await answer(service, first, 0)
    assert await answer(service, first, 0) == second
    assert len((await detail(service, first))["asked"]) == 1
    assert (await answer(service, first, 1, 409))["field"] == "response"
    assert (await answer(service, second, 0, 409, item="reading-99"))["field"] == "item"
    assert (await answer(service, second, 0, 409, item=first["item"]["id"]))["field"] == "item"
    assert (await answer(service, second, 0, 409, sequence=3))["field"] == "sequence"
    assert (await answer(service, first, 0, 409, item="reading-99"))["field"] == "item"
    assert (await answer(service, second, 9, 422))["field"] == "response"
    assert (await answer(service, second, -1, 422))["field"] == "response"
    assert (await detail(service, first))["item"] == second["item"]
    other = await registered(service)
    assert "field" not in await answer(service, {**second, "officer": other}, 0, 404)


async def test_two_tabs_answer_one_session(service: Started) -> None:
    officer = await registered(service)
    steps = await asyncio.gather(*(_started(service, officer) for _ in range(6)))
    assert len({step["session"] for step in steps}) == 1
    path = f"/v1/officers/{officer}/sessions/{steps[0]['session']}/answers"
    body = {"item": steps[0]["item"]["id"], "sequence": 1}
    requests = [service.ask("POST", path, json=body | {"response": n % 2}) for n in range(8)]
    got = await asyncio.gather(*requests)
    statuses = [one.status for one in got]
    answers = (await detail(service, steps[0]))["asked"]
    assert len(answers) == 1
    winner = answers[0]["response"]
    assert statuses == [200 if n % 2 == winner else 409 for n in range(8)]
    nexts = {(await one.json())["item"]["id"] for one in got if one.status == 200}
    assert len(nexts) == 1


async def _started(service: Started, officer: str) -> dict[str, Any]:
    got = await service.ask("POST", f"/v1/officers/{officer}/sessions", json={})
    assert got.status in (200, 201)
    found: dict[str, Any] = await got.json()
    return found


async def test_a_stopped_session_counts_and_accepts_no_more_answers(
    service: Started,
) -> None:
    officer = await registered(service)
    step = await answer(service, await start(service, officer), 0)
    path = f"/v1/officers/{officer}/sessions/{step['session']}"
    stopped = await (await service.ask("POST", f"{path}:stop")).json()
    assert (stopped["status"], stopped["item"], stopped["result"]["ending"]) == ("finished", None, "stopped")
    assert [one["answered"] for one in stopped["result"]["skills"]] in ([1, 0], [0, 1])
    assert len(stopped["result"]["not_precise"]) == 2
    assert len((await profile_of(service, officer))["levels"]) == 1
    assert await (await service.ask("POST", f"{path}:stop")).json() == stopped
    assert (await answer(service, step, 0, 409))["field"] == "sequence"
    assert (await profile_of(service, officer))["sequence"] == 2
    again = await start(service, officer)
    assert again["session"] != step["session"]


async def test_a_session_without_an_answer_makes_no_evidence(service: Started) -> None:
    officer = await registered(service)
    step = await start(service, officer)
    got = await service.ask("POST", f"/v1/officers/{officer}/sessions/{step['session']}:stop")
    result = (await got.json())["result"]
    assert (result["assessment_id"], result["profile_sequence"], result["accepted"]) == (None, None, True)
    assert (await profile_of(service, officer))["sequence"] == 1


async def test_a_session_keeps_the_bank_version_that_it_started_with(service: Started) -> None:
    officer = await registered(service)
    step = await start(service, officer)
    begun_with = (await detail(service, step))["bank_version"]
    try:
        version = await publish(service, *items_of("writing", 3))
        service.client.app[CONTEXT].runner._sittings.clear()
        step = await answer(service, step, 0)
        assert (await detail(service, step))["bank_version"] == begun_with < version
        last = await finish(service, step, able)
        assert {one["skill"] for one in last["result"]["skills"] if one["answered"]} == {"reading", "writing"}
        other = await registered(service)
        assert (await detail(service, await start(service, other)))["bank_version"] == version
    finally:
        await publish(service, *items_of("reading", 20), *items_of("writing", 20))


async def test_a_session_continues_after_its_bank_is_retired_and_no_new_one_starts(service: Started) -> None:
    officer, other = await registered(service), await registered(service)
    step = await start(service, officer)
    store = ItemBankStore(service.database("assessment"))
    facts = BankFacts(FRAMEWORK, LocalizedText(en="A bank"), retired=True)
    items = [*items_of("reading", 20), *items_of("writing", 20)]
    before = await store.version(SHARED_TENANT, BANK)
    assert before is not None
    try:
        draft = await store.save_draft(None, NewDraft(SHARED_TENANT, BANK, facts, before.version, 1), items)
        assert draft is not None
        assert await store.publish(draft, 1)
        runner = service.client.app[CONTEXT].runner
        runner._sittings.clear()
        runner._open_banks._held.clear()  # as another process, which has never read the bank
        assert (await start(service, other, 422))["field"] == "framework"
        last = await finish(service, await answer(service, step, 0), able)
        assert last["result"]["accepted"]
    finally:
        await publish(service, *items)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"skills": ["flying"]}, "skills[0]"),
        ({"skills": ["reading", "reading"]}, "skills[1]"),
        ({"skills": []}, "skills"),
        ({"framework": "nowhere"}, "framework"),
        ({"max_items": 0}, "max_items"),
        ({"seconds_per_item": 1}, "seconds_per_item"),
        ({"items": 3}, "items"),
        ({"skills": {"$gt": ""}}, "skills"),
    ],
)
async def test_a_wrong_request_for_a_session_is_rejected_by_field(service: Started, body: Any, field: str) -> None:
    officer = await registered(service)
    assert (await start(service, officer, 422, **body))["field"] == field


async def test_an_open_session_is_not_replaced_by_another(service: Started) -> None:
    officer = await registered(service)
    await start(service, officer, skills=["writing"])
    assert "stop it first" in (await start(service, officer, 409, skills=["reading"]))["detail"]
    await start(service, officer, 200, skills=["writing"])


async def test_an_officer_has_sessions_of_their_own_and_no_others(service: Started) -> None:
    officer, other = await registered(service), await registered(service)
    step = await start(service, officer, role="officer")
    path = f"/v1/officers/{officer}/sessions/{step['session']}"
    assert (await service.ask("GET", path, "officer", officer=officer)).status == 200
    assert (await service.ask("GET", path, "officer", officer=other)).status == 404
    assert (await service.ask("GET", path.replace(officer, other), "officer", officer=other)).status == 404
    assert (await service.ask("GET", path, tenant="stranger")).status == 404
    assert (await service.ask("POST", f"{path}:stop", "officer", officer=other)).status == 404
    assert (await service.ask("GET", f"/v1/officers/nobody/sessions/{step['session']}")).status == 404


async def test_erasing_an_officer_erases_the_sessions(service: Started) -> None:
    officer = await registered(service)
    step = await answer(service, await start(service, officer), 0)
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    collection = service.database("assessment")["sessions"]
    assert await collection.count_documents({"officer_key": f"agency/{officer}"}) == 0
    await answer(service, step, 0, 404)
    assert (await service.ask("POST", f"/v1/officers/{officer}/sessions", json={})).status == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"response": True}, "response"),
        ({"response": "1"}, "response"),
        ({"response": 1.5}, "response"),
        ({"response": None}, "response"),
        ({"item": {"$gt": ""}}, "item"),
        ({"sequence": 10**30}, "sequence"),
        ({"sequence": 0}, "sequence"),
        ({"level": 4}, "level"),
    ],
)
async def test_an_impossible_answer_is_rejected_by_field(service: Started, changed: Any, field: str) -> None:
    officer = await registered(service)
    step = await start(service, officer)
    body = {"item": step["item"]["id"], "sequence": 1, "response": 0} | changed
    path = f"/v1/officers/{officer}/sessions/{step['session']}/answers"
    got = await service.ask("POST", path, json=body)
    assert (got.status, (await got.json())["field"]) == (422, field)
    assert (await detail(service, step))["asked"] == []


@pytest.mark.parametrize("name", ["nope", "..", "a%2Fb", "$where", "x" * 300, "%00", "ก"])
async def test_an_impossible_session_id_is_not_found(service: Started, name: str) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}/sessions/{name}"
    body = {"item": "x", "response": 1, "sequence": 1}
    requests = [
        service.ask("GET", path),
        service.ask("POST", f"{path}:stop"),
        service.ask("POST", f"{path}/answers", json=body),
    ]
    assert {got.status for got in await asyncio.gather(*requests)} == {404}


async def test_an_officers_sessions_are_listed_in_pages_the_newest_first(service: Started) -> None:
    officer, made = await registered(service), []
    for _ in range(5):
        step = await start(service, officer)
        await service.ask("POST", f"/v1/officers/{officer}/sessions/{step['session']}:stop")
        made.append(step["session"])
    seen: list[str] = []
    after = ""
    while after is not None:
        got = await service.ask("GET", f"/v1/officers/{officer}/sessions?limit=2&after={after}")
        page = await got.json()
        seen += [one["session"] for one in page["sessions"]]
        after = page["next"]
    assert seen == made[::-1]
    got = await service.ask("GET", f"/v1/officers/{officer}/sessions?after=absent")
    assert (got.status, (await got.json())["field"]) == (422, "after")
