"""What assessment archives, erases and announces again: nothing is left of an erased officer but a sequence."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.assessment.__main__ import republish
from services.assessment.store import KEPT_EVIDENCE, OfficerStore
from shared.events import OfficerErased
from shared.settings import AssessmentSettings
from tests.service.assessing import PUT, TAKEN_AT, assessment, assessment_service, profile_of, registered, submit
from tests.service.started import Started, Topic

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with assessment_service(mongodb_uri, kafka_bootstrap) as service:
        yield service


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
    paged, after = [], ""
    while after is not None:
        got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=67&after={after}")
        page = await got.json()
        paged += [one["taken_at"] for one in page["assessments"]]
        after = page["next"]
    assert paged == listed
    for query, field in (("after=x", "after"), ("limit=0", "limit"), ("limit=x", "limit"), ("offset=1", "offset")):
        got = await service.ask("GET", f"/v1/officers/{officer}/assessments?{query}")
        assert (got.status, (await got.json())["field"]) == (422, field)
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    assert await database["archive"].count_documents({}) == 0


async def test_a_time_beyond_the_calendar_that_was_stored_once_stops_nobody(service: Started) -> None:
    officer = await registered(service)
    await submit(service, officer, assessment())
    officers = service.database("assessment")["officers"]
    stored = await officers.find_one({"_id": f"agency/{officer}"})
    assert stored is not None
    [entry] = stored["evidence"]
    planted = [
        {**entry, "id": f"planted-{n}", "evidence": entry["evidence"] | {"assessment_id": f"planted-{n}"}}
        for n in range(KEPT_EVIDENCE)
    ]
    planted[0]["evidence"]["taken_at"] = "0001-01-01T00:00:00+07:00"
    await officers.update_one({"_id": f"agency/{officer}"}, {"$set": {"evidence": planted}})
    for level in (1, 2):
        assert (await submit(service, officer, assessment(level)))[0] == 202
    got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=500")
    listed = (await got.json())["assessments"]
    assert (len(listed), listed[-1]["taken_at"]) == (KEPT_EVIDENCE + 2, "0001-01-01T00:00:00+07:00")
    ids, after = [], ""
    while after is not None:  # all but one were taken at the same time
        got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=60&after={after}")
        page = await got.json()
        ids += [one["assessment_id"] for one in page["assessments"]]
        after = page["next"]
    assert ids == [one["assessment_id"] for one in listed]


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


async def test_an_erasure_in_the_middle_of_archiving_leaves_nothing(service: Started) -> None:
    officer = await registered(service)
    key, database = f"agency/{officer}", service.database("assessment")
    entries = [{"id": f"{key}-{n}", "digest": "", "evidence": {"taken_at": TAKEN_AT}} for n in range(KEPT_EVIDENCE + 1)]
    await database["officers"].update_one({"_id": key}, {"$set": {"evidence": entries, "erased": True}})
    await OfficerStore(database)._move_to_archive(key)
    assert await database["archive"].count_documents({"officer_key": key}) == 0


async def test_a_copy_left_in_the_archive_by_an_erasure_is_cleared(service: Started) -> None:
    officer = await registered(service)
    await service.ask("DELETE", f"/v1/officers/{officer}")
    database = service.database("assessment")
    await database["archive"].insert_one({"_id": "left", "officer_key": f"agency/{officer}"})
    await OfficerStore(database).restage([f"agency/{officer}"])
    assert await database["archive"].count_documents({"officer_key": f"agency/{officer}"}) == 0
