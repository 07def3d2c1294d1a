"""What assessment archives, erases and announces again: nothing is left of an erased officer but a sequence."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from services.assessment.__main__ import build, republish
from services.assessment.api import officers
from services.assessment.store import OfficerStore
from services.assessment.stored_officer import KEPT_EVIDENCE, MOST_EVIDENCE, Change
from shared.errors import TooLarge, Unavailable
from shared.events import OfficerChanged, OfficerErased, new_event
from shared.mongo import KeyStore
from shared.settings import AssessmentSettings
from tests.support.assessment import PUT, TAKEN_AT, assessment, assessment_service, profile_of, registered, submit
from tests.support.builders import profile
from tests.support.services import Started, Topic, issue_key, started
from tests.support.waiting import until

SERVICE = assessment_service


async def test_an_erased_officer_leaves_only_the_sequence_which_continues(service: Started, announced: Topic) -> None:
    officer = await registered(service)
    await submit(service, officer, assessment(), "k")
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    assert (await service.ask("GET", f"/v1/officers/{officer}")).status == 404
    assert (await submit(service, officer, assessment(), "k"))[0] == 404
    stored = await service.database("assessment")["officers"].find_one({"_id": f"agency/{officer}"})
    assert stored is not None
    left = {"_id", "tenant", "officer", "sequence", "erased", "erased_at", "outbox", "staged_at", "acknowledged"}
    assert set(stored) <= left
    again = await service.ask("PUT", f"/v1/officers/{officer}", "admin", json=PUT)
    assert (again.status, (await again.json())["profile_sequence"]) == (201, 4)
    assert (await profile_of(service, officer)).get("levels", []) == []
    events = await until(lambda: _ends_with(announced, f"agency/{officer}", 4))
    erased = next(event for event in events if isinstance(event.data, OfficerErased))
    assert erased.sequence == 3


async def _ends_with(topic: Topic, subject: str, sequence: int) -> list[Any]:
    found = [event for event in topic.events if event.subject == subject]
    return found if found and found[-1].sequence == sequence else []


async def test_only_an_admin_registers_an_erased_id_again_and_older_keys_are_invalid(service: Started) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    old = {"Authorization": f"Bearer {await service.key('officer', officer=officer)}"}
    async with started(build, cast("AssessmentSettings", service.settings)) as second:
        both = [service.client, second.client]
        for client in both:  # both remember the key
            assert (await client.get(path, headers=old)).status == 200
        assert (await service.ask("DELETE", path)).status == 204
        for replica in (service, second):
            refused = await replica.ask("PUT", path, json=PUT)
            problem = await refused.json()
            assert (refused.status, refused.content_type) == (409, "application/problem+json")
            assert "erased" in problem["detail"]
        assert (await service.ask("PUT", path, "admin", json=PUT, headers={"If-Match": "*"})).status == 412
        between = {"Authorization": f"Bearer {await key_of(service, officer)}"}  # for the erased officer, by mistake
        again = await service.ask("PUT", path, "admin", json=PUT)
        assert (again.status, (await again.json())["profile_sequence"]) == (201, 3)
        new = {"Authorization": f"Bearer {await key_of(service, officer)}"}
        body = assessment(kind="self")
        for client in both:
            assert (await client.get(path, headers=old)).status == 401
            submitted = await client.post(f"{path}/assessments", json=body, headers=old | {"Idempotency-Key": "k"})
            assert submitted.status == 401
            assert (await client.get(path, headers=between)).status == 401
            assert (await client.get(path, headers=new)).status == 200
        assert (await service.ask("PUT", path, json=PUT)).status == 200  # from then on as any other


async def key_of(service: Started, officer: str) -> str:
    return await issue_key(service.mongodb, service.settings, "officer", officer=officer)


@pytest.mark.parametrize("finished_by", ["DELETE", "PUT"])
async def test_a_key_left_by_an_interrupted_erasure_is_revoked_by_the_next_request(
    service: Started, finished_by: str
) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    credential = await key_of(service, officer)
    assert (await service.ask("DELETE", path)).status == 204
    keys = service.database("access")["keys"]
    mine = {"_id": credential.partition(".")[0]}
    await keys.update_one(mine, {"$set": {"revoked_at": None}})
    if finished_by == "DELETE":
        assert (await service.ask("DELETE", path)).status == 204
        assert (await keys.find_one(mine) or {})["revoked_at"] is not None
    assert (await service.ask("PUT", path, "admin", json=PUT)).status == 201
    assert (await keys.find_one(mine) or {})["revoked_at"] is not None
    got = await service.client.get(path, headers={"Authorization": f"Bearer {credential}"})
    assert got.status == 401


async def test_nobody_is_erased_before_the_keys_are_revoked(service: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    credential = await key_of(service, officer)

    async def away(*_: Any) -> int:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(KeyStore, "revoke_of", away)
        assert (await service.ask("DELETE", path)).status == 503
    assert (await profile_of(service, officer))["sequence"] == 1
    assert (await service.ask("DELETE", path)).status == 204
    stored = await service.database("access")["keys"].find_one({"_id": credential.partition(".")[0]})
    assert stored is not None
    assert stored["revoked_at"] is not None
    assert not {"label", "used_at"} & set(stored)


async def test_nothing_about_a_person_is_left_in_keys_that_were_revoked_before(service: Started) -> None:
    officer = await registered(service)
    keys, store = service.database("access")["keys"], KeyStore(service.mongodb, service.settings)
    used, ahead = [(await key_of(service, officer)).partition(".")[0] for _ in range(2)]
    personal: dict[str, Any] = {"label": "the laptop of Somchai", "subject": "https://sso.example 7"}
    await keys.update_one({"_id": used}, {"$set": personal})
    await store.note_use(used)
    await store.revoke(used)  # as a sign-out does
    created_at = datetime.now(UTC) + timedelta(minutes=5)  # by a portal whose clock is ahead
    await keys.update_one({"_id": ahead}, {"$set": personal | {"created_at": created_at}})
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    await store.note_use(used)  # of a request that began before
    left = [one async for one in keys.find({"officer": officer})]
    assert len(left) == 2
    for one in left:
        assert one["revoked_at"] is not None
        assert not {"label", "used_at", "subject"} & set(one)


async def test_a_key_made_during_an_erasure_or_a_new_registration_is_revoked(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    made: list[str] = []
    erase, revoke_of = OfficerStore.erase, KeyStore.revoke_of

    async def erase_later(self: OfficerStore, *given: Any) -> bool:
        made.append(await key_of(service, officer))
        return await erase(self, *given)

    async def revoke_before_the_next_is_made(self: KeyStore, *given: Any) -> int:
        count = await revoke_of(self, *given)
        if len(made) < 3:
            made.append(await key_of(service, officer))
        return count

    with monkeypatch.context() as patch:
        patch.setattr(OfficerStore, "erase", erase_later)
        assert (await service.ask("DELETE", path)).status == 204
    with monkeypatch.context() as patch:
        patch.setattr(KeyStore, "revoke_of", revoke_before_the_next_is_made)
        assert (await service.ask("PUT", path, "admin", json=PUT)).status == 201
    assert len(made) == 3
    for credential in made:
        got = await service.client.get(path, headers={"Authorization": f"Bearer {credential}"})
        assert got.status == 401
    assert (await service.ask("DELETE", path)).status == 204
    with monkeypatch.context() as patch:
        patch.setattr(KeyStore, "revoke_of", lambda *_: asyncio.sleep(0, 1))
        patch.setattr(officers, "FORGOTTEN_SECONDS", 0.01)
        assert (await service.ask("PUT", path, "admin", json=PUT)).status == 409


async def test_an_id_that_was_erased_by_a_clock_ahead_may_be_registered_again(service: Started) -> None:
    officer = await registered(service)
    path = f"/v1/officers/{officer}"
    assert (await service.ask("DELETE", path)).status == 204
    later = {"$set": {"erased_at": datetime.now(UTC) + timedelta(hours=1)}}
    changed = await service.database("assessment")["officers"].update_one({"officer": officer}, later)
    assert changed.modified_count == 1
    assert (await service.ask("PUT", path, "admin", json=PUT)).status == 201


async def test_beyond_two_hundred_assessments_the_oldest_are_archived_and_still_counted(service: Started) -> None:
    officer = await registered(service)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    total = MOST_EVIDENCE + 3
    for n in range(total):
        body = assessment(n % 5, taken_at=(start + timedelta(hours=n)).isoformat())
        assert (await submit(service, officer, body, f"k{n}"))[0] == 202
    database = service.database("assessment")
    stored = await database["officers"].find_one({"_id": f"agency/{officer}"})
    assert stored is not None
    assert len(stored["evidence"]) == KEPT_EVIDENCE + 2  # the first write beyond the most moved some, and two followed
    assert await database["archive"].count_documents({"officer_key": f"agency/{officer}"}) == total - KEPT_EVIDENCE - 2
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


async def test_assessments_that_were_taken_at_the_same_time_are_paged(service: Started) -> None:
    officer = await registered(service)
    await submit(service, officer, assessment())
    officers = service.database("assessment")["officers"]
    stored = await officers.find_one({"_id": f"agency/{officer}"})
    assert stored is not None
    [entry] = stored["evidence"]
    planted = [
        {**entry, "id": f"planted-{n}", "evidence": entry["evidence"] | {"assessment_id": f"planted-{n}"}}
        for n in range(MOST_EVIDENCE)
    ]
    planted[0]["evidence"]["taken_at"] = "1900-01-01T00:00:00Z"
    await officers.update_one({"_id": f"agency/{officer}"}, {"$set": {"evidence": planted}})
    for level in (1, 2):
        assert (await submit(service, officer, assessment(level)))[0] == 202
    got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=500")
    listed = (await got.json())["assessments"]
    assert (len(listed), listed[-1]["taken_at"]) == (MOST_EVIDENCE + 2, "1900-01-01T00:00:00Z")
    ids, after = [], ""
    while after is not None:  # all but one were taken at the same time
        got = await service.ask("GET", f"/v1/officers/{officer}/assessments?limit=60&after={after}")
        page = await got.json()
        ids += [one["assessment_id"] for one in page["assessments"]]
        after = page["next"]
    assert ids == [one["assessment_id"] for one in listed]


async def test_a_repeated_erasure_is_announced_again(service: Started, announced: Topic) -> None:
    # Records about the officer that were refused since may lie in the dead letters; who reads it takes them back.
    officer = await registered(service)
    for count in (1, 2):
        assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
        events = await announced.of(f"agency/{officer}", 1 + count)
    assert [type(event.data) for event in events] == [OfficerChanged, OfficerErased, OfficerErased]
    assert [event.sequence for event in events] == [1, 2, 2]


async def test_republishing_skips_an_undecodable_officer(service: Started) -> None:
    officers = service.database("assessment")["officers"]
    whole = {"tenant": "agency", "officer": "x", "sequence": 1, "erased": False, "evidence": [], "outbox": []}
    await officers.insert_one({"_id": "agency/another-version", **whole, "profile": {"officer": "x"}})
    try:
        count = await OfficerStore(service.database("assessment")).republish()
        assert count == await officers.count_documents({}) - 1
    finally:
        await officers.delete_one({"_id": "agency/another-version"})


async def test_republishing_announces_the_same_sequence_again(service: Started, announced: Topic) -> None:
    officer, erased = await registered(service), await registered(service)
    await service.ask("DELETE", f"/v1/officers/{erased}")
    await announced.of(f"agency/{officer}", 1)
    await until(lambda: _ends_with(announced, f"agency/{erased}", 2))
    assert isinstance(service.settings, AssessmentSettings)
    assert await republish(service.settings) >= 2
    events = await announced.of(f"agency/{officer}", 2)
    assert [event.sequence for event in events] == [1, 1]
    assert isinstance((await announced.of(f"agency/{erased}", 2))[-1].data, OfficerErased)


async def test_an_erasure_during_archiving_leaves_nothing(service: Started) -> None:
    officer = await registered(service)
    key, database = f"agency/{officer}", service.database("assessment")
    entries = [{"id": f"{key}-{n}", "digest": "", "evidence": {"taken_at": TAKEN_AT}} for n in range(MOST_EVIDENCE + 1)]
    await database["officers"].update_one({"_id": key}, {"$set": {"evidence": entries, "erased": True}})
    await OfficerStore(database)._move_to_archive(key)
    assert await database["archive"].count_documents({"officer_key": key}) == 0


async def test_a_copy_left_in_the_archive_by_an_erasure_is_cleared(service: Started) -> None:
    officer = await registered(service)
    await service.ask("DELETE", f"/v1/officers/{officer}")
    database = service.database("assessment")
    await database["archive"].insert_one({"_id": "left", "officer_key": f"agency/{officer}"})
    await OfficerStore(database).republish([f"agency/{officer}"])
    assert await database["archive"].count_documents({"officer_key": f"agency/{officer}"}) == 0


async def test_a_profile_too_large_to_announce_is_rejected_before_it_is_stored(service: Started) -> None:
    large = profile("large", {f"skill-{number}-{'x' * 40}": 1 for number in range(15_000)})
    store = OfficerStore(service.database("assessment"))
    with pytest.raises(TooLarge, match="can be announced"):
        await store.save(Change(None, large, new_event("/assessment", large.key, 1, OfficerChanged(large))))
    assert await store.find(large.tenant, large.officer) is None
