"""An officer is erased: in MongoDB and on the topics is left what docs/privacy.md lists, and nothing else."""

import re
import uuid
from typing import Any

import bson
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient

from deploy.local.keys import TENANT
from deploy.local.live import messages
from deploy.local.processes import ROOT
from deploy.local.seed import answered, bearer
from deploy.local.stack import Stack
from shared.cloudevents import to_kafka
from shared.domain import Profile
from shared.events import PATHS_TOPIC, PROFILES_TOPIC, OfficerChanged, new_event
from shared.events import TOPICS as PLANNED
from shared.kafka import Publisher
from tests.support.platform import PROFILE, SKILLS, Officer, Platform
from tests.support.waiting import until

Documents = MongoClient[dict[str, Any]]
TOPICS = (PROFILES_TOPIC, f"{PROFILES_TOPIC}.dead", PATHS_TOPIC)


def documented() -> dict[str, set[str]]:
    """Return `database/collection` -> the fields that remain according to docs/privacy.md."""
    text = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    table = text.split("## Left in MongoDB")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)`/`(\w+)` \| ([^|]+) \|", table, re.MULTILINE)
    return {f"{database}/{collection}": set(re.findall(r"`(\w+)`", fields)) for database, collection, fields in rows}


def holding(stack: Stack, documents: Documents, *needles: str) -> dict[str, list[dict[str, Any]]]:
    """Return `database/collection` -> the documents that contain any of these texts, at any depth."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in documents.list_database_names():
        if name.startswith(stack.namespace):
            for collection in documents[name].list_collection_names():
                for document in documents[name][collection].find():
                    if any(needle.encode() in bson.encode(document) for needle in needles):
                        found.setdefault(f"{name.removeprefix(stack.namespace)}/{collection}", []).append(document)
    return found


async def newest(stack: Stack, topic: str, key: bytes) -> tuple[bytes | None, int]:
    """Return the value of the newest record of a key, which compaction retains, and how many there are."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.broker.address)
    await consumer.start()
    try:
        places = [TopicPartition(f"{stack.namespace}{topic}", number) for number in range(PLANNED[topic].partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        values = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                values += [record.value for record in records if record.key == key]
        return (values[-1] if values else b"nothing", len(values))
    finally:
        await consumer.stop()


async def dead_letter(stack: Stack, officer: Officer, known: dict[str, Any]) -> None:
    """Send an event of the officer that the recommender does not know, with the whole profile in it."""
    profile = msgspec.convert(known, Profile)
    key, value, headers = to_kafka(new_event("/test", officer.key, profile.sequence, OfficerChanged(profile)))
    unknown = [(name, b"officer.changed.v9" if name == "ce_type" else text) for name, text in headers]
    async with Publisher(stack.broker.address) as publisher:
        await publisher.resend(f"{stack.namespace}{PROFILES_TOPIC}", key, value, unknown)


async def import_result(platform: Platform, officer: Officer) -> None:
    """Send one result of the officer in bulk, of which a verdict is kept."""
    taken_at = "2026-11-02T09:00:00+07:00"
    row = {"officer": officer.name, "skill": SKILLS[0], "level": 1, "taken_at": taken_at}
    headers = bearer(platform.stack.keys.platform) | {"Content-Type": "application/x-ndjson"}
    url = f"{platform.stack.urls['assessment'][0]}/v1/assessments:import"
    async with answered(platform.session, "POST", url, data=msgspec.json.encode(row), headers=headers) as answer:
        assert '"created"' in await answer.text()


async def test_the_privacy_page_lists_exactly_what_an_erasure_leaves(
    stack: Stack, platform: Platform, documents: Documents
) -> None:
    officer = await platform.register()
    agency = f"agency-{uuid.uuid4().hex}"
    address = f"/v1/officers/{officer.name}"
    key = await stack.issuer.issue(TENANT, "officer", officer.name)
    await platform.insist("assessment", "PUT", address, json=PROFILE | {"agency": agency})
    sequence = await officer.assess({SKILLS[0]: 0.5})
    plans = documents[f"{stack.namespace}recommender"]["plans"]
    planned = {"_id": officer.key, "profile_sequence": sequence, "outbox": []}
    await until(lambda: plans.find_one(planned) is not None, "the path is announced")
    [first, *_] = (await officer.path())["path"]["steps"]
    await officer.give_feedback(first["course"]["id"], "not_now")
    await platform.insist("assessment", "POST", f"{address}/sessions", json={})
    assert "assessment/sessions" in holding(stack, documents, officer.key)
    await import_result(platform, officer)
    await dead_letter(stack, officer, await platform.insist("assessment", "GET", address))
    letters = f"{PROFILES_TOPIC}.dead"
    while (await newest(stack, letters, officer.key.encode()))[1] == 0:
        pass
    before = holding(stack, documents, agency)
    assert {"assessment/officers", "recommender/plans", "recommender/history"} <= set(before)

    stream = messages(platform.session, stack.urls["portal"][0], officer.name, key)
    try:
        assert (await anext(stream)).event == "path"
        assert (await platform.ask("assessment", "DELETE", address))[0] == 204
        assert [message.event async for message in stream][-1:] == ["erased"]
    finally:
        await stream.aclose()
    sent = {"_id": officer.key, "erased": True, "outbox": []}
    officers = documents[f"{stack.namespace}assessment"]["officers"]
    await until(lambda: officers.find_one(sent) is not None, "the erasure is announced")
    await until(lambda: plans.find_one(sent) is not None, "the tombstone is announced")

    assert holding(stack, documents, agency) == {}
    left, listed = holding(stack, documents, officer.name), documented()
    assert set(left) == set(listed)
    for name, found in left.items():
        assert {field for document in found for field in document} <= listed[name], name
    keys = [document for document in left["access/keys"] if document["officer"] == officer.name]
    assert keys
    assert all(document["revoked_at"] for document in keys)
    url = f"{stack.urls['portal'][0]}/session"
    async with answered(platform.session, "GET", url, headers=bearer(key)) as answer:
        assert answer.status in (200, 401)  # at the portal it may be remembered for 2 s, and opens nothing
    values = {topic: (await newest(stack, topic, officer.key.encode()))[0] for topic in TOPICS}
    assert values.pop(PROFILES_TOPIC) == msgspec.json.encode({"tenant": TENANT, "officer": officer.name})
    assert set(values.values()) == {None}


async def test_only_an_admin_registers_an_erased_id_again_and_the_old_key_is_invalid(
    stack: Stack, platform: Platform
) -> None:
    officer = await platform.register()
    address = f"/v1/officers/{officer.name}"
    old = await stack.issuer.issue(TENANT, "officer", officer.name)
    routes = [
        *[("assessment", path) for path in (address, f"{address}/assessments")],
        *[("recommender", path) for path in (f"{address}/path", f"{address}/feedback")],
        *[("portal", path) for path in ("/session", f"/api{address}", f"/api{address}/path", f"{address}/live")],
    ]
    await until(officer.path_if_any, "a first path")
    for service, path in routes[:-1]:
        await platform.insist(service, "GET", path, key=old)  # type: ignore[arg-type]
    assert (await platform.ask("assessment", "DELETE", address))[0] == 204
    assert (await platform.ask("assessment", "PUT", address, json=PROFILE))[0] == 409
    admin = await stack.issuer.issue(TENANT, "admin")
    await platform.insist("assessment", "PUT", address, key=admin, json=PROFILE)
    for service, path in routes:
        assert (await platform.ask(service, "GET", path, key=old))[0] == 401, path  # type: ignore[arg-type]
