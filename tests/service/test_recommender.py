"""The recommender as it is wired in production, on a real broker and a real MongoDB: events in, paths out."""

import asyncio
from functools import partial
from typing import Any

import jsonschema
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from services.recommender.api.context import CONTEXT
from services.recommender.store.documents import FoundPath
from shared.cloudevents import to_kafka
from shared.domain import Profile
from shared.events import (
    CATALOG_TOPIC,
    MAX_JUMP,
    MAX_SEQUENCE,
    MAX_STAMP,
    PROFILES_TOPIC,
    TOMBSTONE,
    OfficerErased,
    PathAnnounced,
    PathRecommended,
    new_event,
)
from shared.kafka import Publisher
from shared.kafka.records import Headers
from tests.support.builders import course, profile, text
from tests.support.recommender import (
    READ,
    SHOWN,
    WRITE,
    assessed,
    courses_of,
    path_of,
    published,
    recommender,
    registered,
    somebody,
)
from tests.support.services import Started, Topic
from tests.support.waiting import until

SERVICE = partial(recommender, entries=(SHOWN, READ, WRITE))


def later(one: Profile, sequence: int, **levels: float) -> Profile:
    return msgspec.structs.replace(
        profile(one.officer, levels, sequence=sequence), tenant=one.tenant, framework=one.framework
    )


async def everything_read(service: Started) -> None:
    """Return when all that was published before is taken: a later event of the one partition has its path."""
    marker = somebody(levels={})
    await service.publish(PROFILES_TOPIC, registered(marker))
    await path_of(service, marker)


async def test_an_assessment_makes_a_path_that_is_announced_and_answered(service: Started, announced: Topic) -> None:
    officer = somebody(levels={"reading": 1, "writing": 4})
    await service.publish(PROFILES_TOPIC, assessed(officer))
    [event] = await announced.of(officer.key, 1)
    assert isinstance(event.data, PathAnnounced)
    assert (event.data.cause, event.data.revision, event.sequence) == ("assessment", 1, 1)
    address = f"/v1/officers/{officer.officer}/path"
    answer = await service.ask("GET", address, headers={"X-Request-Id": "requested-by-a-test"})
    stored = await answer.json()
    assert answer.headers["ETag"] == 'W/"1"'
    assert (stored.pop("stale"), stored.pop("request_id")) == (False, "requested-by-a-test")
    assert PathAnnounced.of(msgspec.convert(stored, PathRecommended)) == event.data
    assert courses_of(stored) == ["read"]
    again = await service.ask("GET", address, headers={"If-None-Match": '"1"'})
    assert (again.status, await again.read()) == (304, b"")
    assert (await service.ask("GET", address, headers={"If-None-Match": '"2"'})).status == 200


async def test_a_repeated_and_an_older_event_change_nothing(service: Started, announced: Topic) -> None:
    officer = somebody(levels={"reading": 1}, sequence=2)
    await service.publish(PROFILES_TOPIC, assessed(officer))
    before = await path_of(service, officer)
    await service.publish(PROFILES_TOPIC, assessed(officer), assessed(later(officer, 2, reading=3)))
    await service.publish(PROFILES_TOPIC, assessed(later(officer, 1, reading=3)))
    await everything_read(service)
    after = await path_of(service, officer)
    assert {**after, "request_id": ""} == {**before, "request_id": ""}
    assert len(await announced.of(officer.key, 1)) == 1


async def test_each_newer_profile_makes_the_next_revision(service: Started, announced: Topic) -> None:
    officer = somebody(levels={"reading": 0})
    for sequence in (1, 2, 3):
        await service.publish(PROFILES_TOPIC, assessed(later(officer, sequence, reading=sequence)))
        stored = await path_of(service, officer, sequence)
        assert stored["revision"] == sequence
        assert (await announced.newest(officer.key, sequence)).sequence == sequence
    assert [event.sequence for event in await announced.of(officer.key, 3)] == [1, 2, 3]


async def test_an_officer_who_is_only_registered_has_a_provisional_path(service: Started) -> None:
    officer = somebody(levels={})
    await service.publish(PROFILES_TOPIC, registered(officer))
    stored = await path_of(service, officer)
    assert stored["cause"] == "officer"
    assert stored["path"]["status"] == "provisional"
    assert sorted(courses_of(stored)) == ["read", "write"]
    assert stored["path"]["reason"]["th"]
    assert stored["path"]["reason"]["en"]


async def test_a_malformed_or_unknown_event_becomes_a_dead_letter_and_the_consumer_continues(service: Started) -> None:
    officer = somebody(levels={"reading": 1})
    key, value, headers = to_kafka(new_event("/test", *assessed(officer)))
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
        async with asyncio.timeout(90):
            found = [await letters.getone() for _ in range(3)]
    finally:
        await letters.stop()
    reasons = [dict(letter.headers)["dead_reason"].decode() for letter in found]
    assert reasons[0].startswith("assessment.completed.v1: ")
    assert reasons[1] == "unknown event type 'assessment.completed.v9'"
    assert reasons[2].startswith("not a CloudEvent: ")
    assert [letter.value for letter in found[1:]] == [value, value]
    assert set(future) <= set(found[1].headers)


LEFT_IN_PLANS = {
    *("_id", "tenant", "officer", "partition", "erased", "profile_sequence", "revision", "feedback_sequence"),
    *("considered", "rules", "courses", "open_skills", "framework", "outbox", "staged_at", "acknowledged"),
}


async def test_an_erased_officer_leaves_the_counters_which_continue(service: Started, announced: Topic) -> None:
    officer = somebody(levels={"reading": 1})
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    await service.publish(PROFILES_TOPIC, (officer.key, 2, OfficerErased(officer.tenant, officer.officer)))
    tombstone = await announced.newest(officer.key, 2)
    assert (tombstone.type, tombstone.data, tombstone.sequence) == (TOMBSTONE, None, 2)
    assert (await service.ask("GET", f"/v1/officers/{officer.officer}/path")).status == 404
    left = await service.database("recommender")["plans"].find_one({"_id": officer.key})
    assert left is not None
    assert (left["profile_sequence"], left["revision"]) == (2, 2)
    assert set(left) <= LEFT_IN_PLANS
    await service.publish(PROFILES_TOPIC, assessed(officer))  # comes once more, too late
    await service.publish(PROFILES_TOPIC, registered(later(officer, 3)))
    stored = await path_of(service, officer, 3)
    assert stored["revision"] == 3
    await announced.newest(officer.key, 3)
    sequences = [event.sequence for event in announced.events if event.subject == officer.key]
    assert sequences[-2:] == [2, 3]


async def send(service: Started, key: bytes, value: bytes | None, headers: Headers = ()) -> None:
    """Write a record to the profiles' topic as it is, as any Kafka client can."""
    async with Publisher(service.settings) as publisher:
        await publisher.resend(service.settings.topic(PROFILES_TOPIC), key, value, headers)


async def test_a_plain_tombstone_erases_and_stores_nothing_for_unknown_officers(
    service: Started, announced: Topic
) -> None:
    officer, nobody = somebody(levels={"reading": 1}), somebody()
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    await send(service, officer.key.encode(), None)
    tombstone = await announced.newest(officer.key, 2)
    assert (tombstone.type, tombstone.sequence) == (TOMBSTONE, 2)
    await send(service, nobody.key.encode(), None, [("x-tool", b"kcat")])
    await service.publish(PROFILES_TOPIC, assessed(officer))  # comes once more, too late
    await everything_read(service)
    assert (await service.ask("GET", f"/v1/officers/{officer.officer}/path")).status == 404
    plans = service.database("recommender")["plans"]
    left = await plans.find_one({"_id": officer.key})
    assert left is not None
    assert (left["erased"], left["profile_sequence"]) == (True, 1)
    assert "profile" not in left
    assert await plans.find_one({"_id": nobody.key}) is None
    await service.publish(PROFILES_TOPIC, registered(later(officer, 2)))
    assert (await path_of(service, officer, 2))["revision"] == 3


async def test_a_record_about_another_subject_than_its_key_changes_nothing(service: Started) -> None:
    officer, other = somebody(levels={"reading": 1}), somebody("museum", levels={"reading": 1})
    for one in (officer, other):
        await service.publish(PROFILES_TOPIC, assessed(one))
        await path_of(service, one)
    plans = service.database("recommender")["plans"]
    seen = {"profile": 1, "announced": 1, "revision": 1, "profile_sequence": 1, "erased": 1}
    before = [await plans.find_one({"_id": one.key}, seen) for one in (officer, other)]
    key, value, headers = to_kafka(new_event("/test", *assessed(later(other, 2, reading=3))))
    erased = to_kafka(new_event("/test", other.key, 2, OfficerErased(other.tenant, other.officer)))
    foreign = officer.key.encode()
    for data, attributes in ((value, headers), erased[1:]):
        await send(service, foreign, data, attributes)
        named = [(name, foreign if name == "ce_subject" else text) for name, text in attributes]
        await send(service, foreign, data, named)
        await send(service, key, data, named)
    await everything_read(service)
    assert [await plans.find_one({"_id": one.key}, seen) for one in (officer, other)] == before


@pytest.mark.parametrize("sequence", [MAX_JUMP + 2, MAX_SEQUENCE, MAX_SEQUENCE + 1, 2**62, 2**63 - 1])
async def test_an_impossible_sequence_does_not_make_later_changes_outdated(service: Started, sequence: int) -> None:
    officer, new = somebody(levels={"reading": 1}), somebody(levels={"reading": 1})
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    far = [assessed(later(officer, sequence, reading=3)), assessed(later(new, sequence, reading=3))]
    gone = (officer.key, sequence, OfficerErased(officer.tenant, officer.officer))
    await service.publish(PROFILES_TOPIC, *far, gone)
    await send(service, *to_kafka(new_event("/test", officer.key, sequence, None)))
    await service.publish(PROFILES_TOPIC, assessed(later(officer, 2, reading=2)), assessed(new))
    assert (await path_of(service, officer, 2))["path"]["versions"]["profile"] == 2
    assert (await path_of(service, new))["path"]["versions"]["profile"] == 1


async def test_an_officer_hidden_by_a_forged_erasure_gets_a_path_again_as_the_operating_page_says(
    service: Started,
) -> None:
    officer = somebody(levels={"reading": 1})
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    gone = (officer.key, MAX_JUMP, OfficerErased(officer.tenant, officer.officer))
    await service.publish(PROFILES_TOPIC, gone, assessed(later(officer, 2)))
    await everything_read(service)
    address = f"/v1/officers/{officer.officer}/path"
    assert (await service.ask("GET", address)).status == 404
    plans = service.database("recommender")["plans"]
    await plans.update_one({"_id": officer.key}, {"$set": {"profile_sequence": 0}})
    await service.publish(PROFILES_TOPIC, assessed(later(officer, 2)))  # as `republish` of assessment announces it
    assert (await path_of(service, officer, 2))["path"]["versions"]["profile"] == 2


async def test_an_impossible_stamp_does_not_make_later_changes_outdated(service: Started) -> None:
    officer = somebody("stamped", levels={"reading": 2, "writing": 4})
    await service.publish(PROFILES_TOPIC, assessed(officer))
    assert courses_of(await path_of(service, officer)) == ["read"]
    topic = service.settings.topic(CATALOG_TOPIC)
    async with Publisher(service.settings) as publisher:
        for stamp in (10**11, MAX_STAMP, 2**62, 2**63 - 1):
            far = new_event("/test", *published("stamped", course("far", ("reading", 0, 3), hours=1)))
            await publisher.send(topic, [msgspec.structs.replace(far, catalog_revision=stamp)])
    newer = course("newer", ("reading", 0, 3), hours=1)
    await service.publish(CATALOG_TOPIC, published("stamped", newer))

    async def metrics() -> dict[str, float]:
        text = await (await service.ask("GET", "/metrics", None)).text()
        return {sample.name: sample.value for one in text_string_to_metric_families(text) for sample in one.samples}

    async def taken() -> bool:
        return (await metrics())["learning_path_catalog_revision"] > 1000  # where the stamps of `publish` begin

    await until(taken)
    assert (await metrics())["learning_path_follower_skipped_records_total"] == 4
    another = somebody("stamped", levels={"reading": 2, "writing": 4})
    await service.publish(PROFILES_TOPIC, assessed(another))
    assert courses_of(await path_of(service, another)) == ["newer"]


async def test_a_path_is_shown_to_its_officer_and_its_platform_only(service: Started) -> None:
    officer = somebody(levels={})
    await service.publish(PROFILES_TOPIC, registered(officer))
    await path_of(service, officer)
    address = f"/v1/officers/{officer.officer}/path"
    assert (await service.ask("GET", address, "officer", officer=officer.officer)).status == 200
    for role, asking, status in (("officer", "somebody-else", 404), (None, None, 401)):
        refused = await service.ask("GET", address, role, officer=asking)  # type: ignore[arg-type]
        assert refused.status == status
        assert refused.content_type == "application/problem+json"
    assert (await service.ask("GET", "/v1/officers/nobody-knows/path")).status == 404


async def test_a_path_that_is_requested_again_is_that_of_its_officer_revision_and_language(service: Started) -> None:
    officers = [somebody(levels={"reading": 0}), somebody(levels={"reading": 4, "writing": 0})]

    async def shown(officer: Profile, language: str) -> tuple[str, int, list[str], set[str]]:
        answer = await service.ask("GET", f"/v1/officers/{officer.officer}/path?lang={language}")
        assert answer.headers["Content-Language"] == language
        stored = await answer.json()
        given = {name for step in stored["path"]["steps"] for name in step["reason"] if step["reason"][name]}
        return stored["officer"], stored["revision"], courses_of(stored), given - {"messages"}

    for revision in (1, 2):
        for officer in officers:
            await service.publish(PROFILES_TOPIC, assessed(later(officer, revision, reading=0, writing=revision)))
            await path_of(service, officer, revision)
        for _ in range(2):
            for officer in officers:
                for language in ("th", "en"):
                    of, number, courses, languages = await shown(officer, language)
                    assert (of, number, languages) == (officer.officer, revision, {language})
                    assert "read" in courses


async def test_an_erased_officer_and_the_next_one_under_the_id_get_no_path_that_was_rendered_before(
    service: Started,
) -> None:
    officer = somebody(levels={"reading": 1})
    address = f"/v1/officers/{officer.officer}/path"
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    assert (await service.ask("GET", address)).status == 200  # rendered by now
    await service.publish(PROFILES_TOPIC, (officer.key, 2, OfficerErased(officer.tenant, officer.officer)))

    async def erased() -> bool:
        return (await service.ask("GET", address)).status == 404

    await until(erased)
    await service.publish(PROFILES_TOPIC, assessed(later(officer, 3, reading=3)))
    stored = await path_of(service, officer, 3)
    assert (stored["revision"], courses_of(stored)) == (3, ["write"])


async def test_alternatives_of_a_rendered_path_follow_the_catalog(service: Started) -> None:
    officer = somebody("renamed", levels={"reading": 1, "writing": 4})
    other = course("other", ("reading", 0, 3), hours=6)
    await service.publish(CATALOG_TOPIC, published("renamed", other))
    await service.publish(PROFILES_TOPIC, assessed(officer))

    async def titles() -> list[str]:
        (step,) = (await path_of(service, officer))["path"]["steps"]
        return [one["course"]["title"]["en"] for one in step["alternatives"]]

    assert await titles() == await titles() == [other.title.en]
    again = msgspec.structs.replace(other, title=text("another name"))
    await service.publish(CATALOG_TOPIC, published("renamed", again, 2))

    async def renamed() -> bool:
        return await titles() == [again.title.en]

    await until(renamed)


async def test_the_tag_of_a_path_is_that_of_the_revision_in_the_answer(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is replaced between the two reads of a request."""
    officer = somebody(levels={"reading": 1})
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    store, plans = service.client.app[CONTEXT].store, service.database("recommender")["plans"]
    find_path = store.find_path

    async def replaced() -> bool:
        return await plans.find_one({"_id": officer.key, "revision": 2}) is not None

    async def find_and_replace(*given: Any) -> FoundPath:
        found: FoundPath = await find_path(*given)
        await service.publish(PROFILES_TOPIC, assessed(later(officer, 2, reading=2)))
        await until(replaced)
        return found._replace(head=msgspec.structs.replace(found.head, considered=0))

    monkeypatch.setattr(store, "find_path", find_and_replace)
    answer = await service.ask("GET", f"/v1/officers/{officer.officer}/path")
    stored = await answer.json()
    assert (stored["revision"], stored["stale"], answer.headers["ETag"]) == (1, True, 'W/"1-stale"')
    monkeypatch.undo()
    answer = await service.ask("GET", f"/v1/officers/{officer.officer}/path", headers={"If-None-Match": 'W/"1-stale"'})
    assert (answer.status, answer.headers["ETag"]) == (200, 'W/"2"')


async def test_the_openapi_documents_are_served(service: Started) -> None:
    described = await (await service.ask("GET", "/openapi.json", None)).json()
    validate(described)
    officer = somebody(levels={"reading": 1})
    await service.publish(PROFILES_TOPIC, assessed(officer))
    schema = {"$ref": "#/components/schemas/StoredPath", "components": described["components"]}
    bare = await path_of(service, officer)
    assert "context" not in bare
    full = await (await service.ask("GET", f"/v1/officers/{officer.officer}/path?context=true")).json()
    assert full["context"]["framework"]["id"] == officer.framework
    for stored in (bare, full):
        jsonschema.validate(stored, schema)
    metrics = await (await service.ask("GET", "/metrics", None)).text()
    assert "learning_path_plans_saved_total" in metrics
