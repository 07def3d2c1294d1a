"""Feedback on real servers: stored with the path that follows from it or not at all, and never lost in a race."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.recommender.api.context import CONTEXT
from services.recommender.plan_pool import PlanPool
from services.recommender.store.documents import FEWEST_KEYS, MOST_KEYS
from shared.domain import Profile
from shared.events import PROFILES_TOPIC, OfficerErased, PathAnnounced
from tests.support.builders import profile, text
from tests.support.recommender import (
    assessed,
    courses_of,
    give_feedback,
    path_of,
    planned,
    recommender,
    registered,
    somebody,
)
from tests.support.services import Started, Topic
from tests.support.waiting import until

SERVICE = recommender


async def feedback_of(service: Started, one: Profile, **options: Any) -> dict[str, Any]:
    got = await service.ask("GET", f"/v1/officers/{one.officer}/feedback", tenant=one.tenant, **options)
    assert got.status == 200
    found: dict[str, Any] = await got.json()
    return found


async def document_of(service: Started, one: Profile) -> dict[str, Any]:
    found = await service.database("recommender")["plans"].find_one({"_id": one.key})
    assert found is not None
    return found


async def test_a_course_that_is_not_relevant_leaves_the_path_at_once_and_undo_brings_it_back(
    service: Started, announced: Topic
) -> None:
    officer = somebody()
    await planned(service, officer)
    assert set(courses_of(await path_of(service, officer))) == {"read", "write"}
    status, taken = await give_feedback(service, officer, "read", "not_relevant")
    assert (status, taken) == (
        200,
        {"officer": officer.officer, "feedback_sequence": 1, "revision": 2, "stale": False},
    )
    now = await path_of(service, officer)
    assert (now["cause"], now["revision"], now["path"]["versions"]["feedback"]) == ("feedback", 2, 1)
    assert set(courses_of(now)) == {"read-long", "write"}
    event = await announced.newest(officer.key, 2)
    assert isinstance(event.data, PathAnnounced)
    assert event.data.cause == "feedback"
    assert (await give_feedback(service, officer, "read", "undo"))[0] == 200
    assert set(courses_of(await path_of(service, officer, revision=3))) == {"read", "write"}
    nothing = {"officer": officer.officer, "feedback_sequence": 2, "statements": [], "next": None}
    assert await feedback_of(service, officer) == nothing


async def test_completed_courses_are_not_suggested_again_and_pinned_ones_stay(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    await give_feedback(service, officer, "write-long", "pin")
    assert "write-long" in courses_of(await path_of(service, officer, revision=2))
    body = {"at": "2026-11-23T08:00:00+07:00"}
    assert (await give_feedback(service, officer, "read", "completed", body=body))[0] == 200
    assert "read" not in courses_of(await path_of(service, officer, revision=3))
    statements = (await feedback_of(service, officer))["statements"]
    assert [(one["course"], one["action"]) for one in statements] == [("write-long", "pin"), ("read", "completed")]
    assert statements[1]["at"] == body["at"]
    assert [one["title"] for one in statements] == [msgspec.to_builtins(text(name)) for name in ("write-long", "read")]


async def test_a_repeated_feedback_key_counts_once_and_conflicts_with_another_body(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    first = await give_feedback(service, officer, "read", "not_now", "once")
    assert await give_feedback(service, officer, "read", "not_now", "once") == first
    assert (await feedback_of(service, officer))["feedback_sequence"] == 1
    status, problem = await give_feedback(service, officer, "write", "not_now", "once")
    assert (status, problem["field"]) == (409, "Idempotency-Key")


async def test_invalid_feedback_is_rejected_by_field_and_changes_nothing(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)

    async def announced() -> dict[str, Any] | None:
        document = await document_of(service, officer)
        return None if document.get("outbox") else document

    before = await until(announced)
    refused = [
        ("unheard-of", "pin", {}, 422, "course"),
        ("read", "undo", {}, 409, "course"),
        ("read", "completed", {"at": "2999-01-01T00:00:00Z"}, 422, "at"),
        ("read", "completed", {"at": "2026-02-30T00:00:00Z"}, 422, "at"),
        ("read", "completed", {"at": "2026-11-20"}, 422, "at"),
        ("read", "completed", {"at": "2026-11-20T08:00:00"}, 422, "at"),
        ("read", "hate", {}, 422, "action"),
        ("read", "pin", {"more": 1}, 422, "more"),
    ]
    for course_id, action, body, status, field in refused:
        found = await give_feedback(service, officer, course_id, action, body=body)
        assert (found[0], found[1].get("field")) == (status, field), (course_id, action, body, found)
    got = await service.ask(
        "POST", f"/v1/officers/{officer.officer}/feedback", json={"course": "read", "action": "pin"}
    )
    assert got.status == 400
    assert (await give_feedback(service, somebody(), "read", "pin"))[0] == 404
    assert await document_of(service, officer) == before


async def test_other_officers_and_tenants_can_neither_read_nor_change_feedback(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    path = f"/v1/officers/{officer.officer}/feedback"
    others: list[dict[str, Any]] = [{"tenant": "stranger"}, {"role": "officer", "officer": "else"}]
    for options in others:
        assert (await service.ask("GET", path, **options)).status == 404
        headers, body = {"Idempotency-Key": "x"}, {"course": "read", "action": "pin"}
        assert (await service.ask("POST", path, headers=headers, json=body, **options)).status == 404
    mine = {"role": "officer", "officer": officer.officer}
    assert (await give_feedback(service, officer, "read", "pin", **mine))[0] == 200
    assert len((await feedback_of(service, officer, **mine))["statements"]) == 1


async def test_feedback_and_assessments_at_the_same_time_are_both_kept(service: Started, announced: Topic) -> None:
    officer = somebody()
    await planned(service, officer)
    news = [
        msgspec.structs.replace(profile(officer.officer, {"reading": 0, "writing": 1}, sequence=sequence))
        for sequence in range(2, 8)
    ]
    requests = [
        give_feedback(service, officer, course_id, "not_now")
        for course_id in ("read", "write", "read-long", "write-long")
    ]
    results, *_ = await asyncio.gather(
        asyncio.gather(*requests), *(service.publish(PROFILES_TOPIC, assessed(one)) for one in news)
    )
    assert [status for status, _ in results] == [200] * 4
    now = await path_of(service, officer, 7)
    assert now["path"]["versions"]["feedback"] == 4
    assert len((await feedback_of(service, officer))["statements"]) == 4
    last = (await announced.newest(officer.key, now["revision"])).data
    sequences = [event.sequence for event in announced.events if event.subject == officer.key]
    assert sequences == sorted(set(sequences))
    assert isinstance(last, PathAnnounced)
    assert (last.path.versions.profile, last.path.versions.feedback) == (7, 4)


async def test_if_the_validator_rejects_the_path_feedback_is_stored_and_the_path_is_stale(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    feedback_handler = service.client.app[CONTEXT].feedback_handler
    planner = feedback_handler.planner
    sound, before = planner.pool, feedback_handler.stored_stale
    planner.pool = PlanPool(1, check=lambda *_: ["unsound"])
    try:
        status, taken = await give_feedback(service, officer, "write", "not_now")
    finally:
        planner.pool.close()
        planner.pool = sound
    assert (status, taken["stale"], taken["revision"]) == (200, True, 1)
    assert feedback_handler.stored_stale == before + 1
    metrics = await (await service.client.get("/metrics")).text()
    assert f"learning_path_feedback_stored_stale_total {before + 1:.1f}" in metrics
    assert (await path_of(service, officer, revision=1))["stale"] is True
    assert len((await feedback_of(service, officer))["statements"]) == 1
    assert (await give_feedback(service, officer, "read", "pin"))[0] == 200
    now = await path_of(service, officer, revision=2)
    assert (now["stale"], now["path"]["versions"]["feedback"]) == (False, 2)


async def test_an_erased_officers_feedback_and_past_paths_are_deleted(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    await give_feedback(service, officer, "read", "not_relevant")
    history = service.database("recommender")["history"]
    assert await history.count_documents({"key": officer.key}) == 1
    await service.publish(PROFILES_TOPIC, (officer.key, 2, OfficerErased(officer.tenant, officer.officer)))

    async def gone() -> bool:
        return bool((await document_of(service, officer)).get("erased"))

    await until(gone)
    await until(lambda: _none(history, officer))
    left = await document_of(service, officer)
    assert not {"feedback", "feedback_keys", "inputs", "measures"} & set(left)
    await service.publish(PROFILES_TOPIC, registered(msgspec.structs.replace(officer, sequence=3, levels=[])))
    assert "read" in courses_of(await path_of(service, officer, 3))


async def _none(history: Any, one: Profile) -> bool:
    return not await history.count_documents({"key": one.key})


async def test_an_idempotency_key_is_remembered_for_a_day(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    status, first = await give_feedback(service, officer, "read", "not_now", key="first")
    assert status == 200
    plans, now = service.database("recommender")["plans"], datetime.now(UTC)

    async def plant(count: int, age: timedelta) -> None:
        key = (await document_of(service, officer))["feedback_keys"][0] | {"at": (now - age).isoformat()}
        others = [key | {"id": f"other-{n}"} for n in range(count)]
        mine = key | {"id": "first"}
        await plans.update_one({"_id": officer.key}, {"$set": {"feedback_keys": [mine, *others]}})

    await plant(MOST_KEYS - 2, timedelta(hours=24))  # just within the promise, and as many as are taken in that time
    assert (await give_feedback(service, officer, "write", "not_now"))[0] == 200
    assert await give_feedback(service, officer, "read", "not_now", key="first") == (200, first)
    assert (await give_feedback(service, officer, "read", "pin", key="first"))[0] == 409
    got = await service.ask(
        "POST",
        f"/v1/officers/{officer.officer}/feedback",
        tenant=officer.tenant,
        json={"course": "write", "action": "pin"},
        headers={"Idempotency-Key": "last"},
    )
    assert (got.status, got.headers["Retry-After"]) == (429, "3600")
    assert (await feedback_of(service, officer))["feedback_sequence"] == 2
    await plant(MOST_KEYS, timedelta(hours=25))  # all of them older: room again
    assert (await give_feedback(service, officer, "write", "pin"))[0] == 200
    stored_keys = (await document_of(service, officer))["feedback_keys"]
    assert (len(stored_keys), stored_keys[0]["id"]) == (FEWEST_KEYS, f"other-{MOST_KEYS - FEWEST_KEYS + 1}")


async def test_statements_are_listed_in_pages(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    for course, action in (("read", "not_now"), ("write", "pin"), ("read", "pin")):
        assert (await give_feedback(service, officer, course, action))[0] == 200
    address, found, after = f"/v1/officers/{officer.officer}/feedback", [], 0
    while after is not None:
        page = await (await service.ask("GET", f"{address}?limit=2&after={after}", tenant=officer.tenant)).json()
        found += [(one["sequence"], one["course"], one["action"]) for one in page["statements"]]
        after = page["next"]
    assert found == [(1, "read", "not_now"), (2, "write", "pin"), (3, "read", "pin")]
    for query, field in (("limit=0", "limit"), ("limit=many", "limit"), ("after=-1", "after"), ("page=2", "page")):
        got = await service.ask("GET", f"{address}?{query}", tenant=officer.tenant)
        assert (got.status, (await got.json())["field"]) == (422, field)


async def test_a_completed_course_keeps_the_rest_of_the_path_and_is_to_be_assessed(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    before = await path_of(service, officer)
    first, *rest = courses_of(before)
    assert (await give_feedback(service, officer, first, "completed"))[0] == 200
    after = await path_of(service, officer, revision=2)
    assert courses_of(after) == rest
    assert after["path"]["hours"] == before["path"]["hours"] - before["path"]["steps"][0]["course"]["hours"]
    [confirm] = [row for row in after["path"]["assess_first"] if row.get("kind") == "confirm"]
    assert {confirm["skill"]} == {row["skill"] for row in before["path"]["steps"][0]["closes"]}
    body = {"compare_with": officer.officer, "completed": rest}
    answer = await service.ask("POST", "/v1/recommendations", tenant=officer.tenant, json=body)
    assert (await answer.json())["path"]["steps"] == []
    [statement] = (await feedback_of(service, officer))["statements"]
    assert [row["to"] for row in statement["taught"]] == [row["to"] for row in before["path"]["steps"][0]["closes"]]
