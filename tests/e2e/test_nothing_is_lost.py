"""What was accepted is never lost: kill any service at any moment, restart either server, and audit.

Whatever a test kills is started again, also when the test fails. Run alone with
`pytest tests/e2e/test_nothing_is_lost.py`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient

from deploy.local.broker import EmbeddedBroker
from deploy.local.display import Quiet
from deploy.local.replicas import SERVICES
from deploy.local.seed import SEED, import_courses
from deploy.local.servers import External, Server
from deploy.local.stack import Stack
from shared.events import PROFILES_TOPIC
from tests.support.platform import Platform
from tests.support.servers import missing
from tests.support.waiting import until

Documents = MongoClient[dict[str, Any]]


@pytest.fixture(autouse=True)
async def restored(stack: Stack) -> AsyncIterator[None]:
    async with stack.restored():
        yield


def all_run(stack: Stack) -> None:
    """The trouble was waited out: no process had to be started again."""
    for service in SERVICES:
        for replica in stack.running[service]:
            assert replica.child.running, f"{replica.name} ended:\n{replica.child.tail()}"


async def test_assessment_is_killed_after_its_write_and_before_its_relay(
    stack: Stack, platform: Platform, documents: Documents
) -> None:
    officers = await platform.officers(3)
    database = documents[f"{stack.namespace}assessment"]
    async with platform.watching(officers) as watchers:
        # Somebody else holds the lease, so that what is written now waits to be announced.
        taken = {"holder": "a test", "until": datetime.now(UTC) + timedelta(seconds=600)}
        database["leases"].update_one({"_id": "relay:officers"}, {"$set": taken})
        await asyncio.sleep(4.5)  # a holder trusts its lease for four seconds
        await asyncio.gather(*(officer.assess_next(2) for officer in officers))
        stack.kill("assessment")
        waiting = database["officers"].find({"_id": {"$in": [officer.key for officer in officers]}})
        assert [len(document["outbox"]) for document in waiting] == [2, 2, 2]
        assert [watcher.sequence for watcher in watchers.values()] == [1, 1, 1]
        database["leases"].update_one({"_id": "relay:officers"}, {"$unset": {"until": ""}})
        await stack.start("assessment")
        await platform.audit(officers, watchers)


async def test_the_recommender_is_killed_after_saving_and_before_committing(
    stack: Stack, platform: Platform, documents: Documents
) -> None:
    officers = await platform.officers(40)
    plans = documents[f"{stack.namespace}recommender"]["plans"]
    ours = {"_id": {"$in": [officer.key for officer in officers]}}
    async with platform.watching(officers[:3]) as watchers:
        await until(lambda: plans.count_documents(ours) == len(officers), "a plan of each")
        stack.kill("recommender")
        await asyncio.gather(*(officer.assess_next(2) for officer in officers))
        stack.running["recommender"][0].start(stack.environment(), "tests.support.recommender_without_commits")
        await until(lambda: plans.find_one(ours | {"profile_sequence": {"$gt": 1}}) is not None, "a plan is saved")
        stack.kill("recommender")
        saved = {plan["partition"] for plan in plans.find(ours | {"profile_sequence": {"$gt": 1}})}
        assert await uncommitted(stack, saved)
        await stack.start("recommender")
        await platform.audit(officers, watchers)


async def test_the_portal_is_killed_while_it_streams(stack: Stack, platform: Platform) -> None:
    officers = await platform.officers(3)
    async with platform.watching(officers) as watchers:
        await asyncio.gather(*(officer.assess_next() for officer in officers))
        stack.kill("portal")
        await asyncio.gather(*(officer.assess_next(2) for officer in officers))
        await stack.start("portal")
        await platform.audit(officers, watchers)
        assert all(watcher.connections > 1 for watcher in watchers.values())
        before = {watcher: watcher.connections for watcher in watchers.values()}
        stack.kill("portal")  # now nothing is new: a reconnection with the last id receives nothing twice
        await stack.start("portal")
        await until(lambda: all(watcher.connections > count for watcher, count in before.items()), "they come back")
        await asyncio.gather(*(officer.assess_next() for officer in officers))
        await platform.audit(officers, watchers)


async def test_the_catalog_is_killed_in_the_middle_of_an_import(stack: Stack) -> None:
    answered = asyncio.Event()
    courses = [
        {
            "id": f"killed-{n}",
            "title": {"en": f"Course {n}"},
            "provider": {"en": "Somebody"},
            "hours": 1,
            "languages": ["en"],
            "teaches": [{"framework": "th-digital-2018", "skill": "dlit-safety", "from": 0, "to": 1}],
        }
        for n in range(40)
    ]
    rows = [json.dumps(course).encode() + b"\n" for course in courses]
    headers = {"Authorization": f"Bearer {stack.keys.admin}", "Content-Type": "application/x-ndjson"}

    async def half() -> AsyncIterator[bytes]:
        yield b"".join(rows[:20])
        yield rows[20][:50]
        await answered.wait()  # until the service is killed: the other half never comes

    async with aiohttp.ClientSession(headers=headers) as client:
        place = f"{stack.urls['catalog'][0]}/v1/courses:import"
        async with client.post(place, data=half()) as answer:
            for _ in range(20):
                assert json.loads(await answer.content.readline())["status"] == "created"
            stack.kill("catalog")
            with pytest.raises(aiohttp.ClientError):
                await answer.content.read()
        answered.set()
        await stack.start("catalog")
        async with client.post(f"{stack.urls['catalog'][0]}/v1/courses:import", data=b"".join(rows)) as answer:
            lines = [json.loads(line) async for line in answer.content]
    assert [row["status"] for row in lines[:-1]] == ["unchanged"] * 20 + ["created"] * 20
    assert (lines[-1]["state"], lines[-1]["unchanged"], lines[-1]["created"]) == ("finished", 20, 20)


async def restarted(server: Server, noticed: Callable[[], bool]) -> None:
    """Kill a server, and start it again once it was missed."""
    server.kill()
    await until(noticed, f"{server.name} is missed")
    await server.start()


async def test_mongodb_is_killed_and_started_again(stack: Stack, platform: Platform) -> None:
    if isinstance(stack.mongodb, External):
        missing("a MongoDB that is not ours cannot be killed")
    officers = await platform.officers(10)
    async with platform.watching(officers) as watchers:
        refusals = platform.refusals  # the services give up on it, answer 503, and get the request again
        await platform.assess_during(officers, restarted(stack.mongodb, lambda: platform.refusals > refusals))
        await platform.audit(officers, watchers)
    all_run(stack)


async def test_the_broker_is_killed_and_started_again(stack: Stack, platform: Platform) -> None:
    if not stack.broker_name.startswith("Apache Kafka"):
        missing(f"{stack.broker_name}: only an Apache Kafka of our own retains its records when it is killed")
    officers = await platform.officers(10)
    async with platform.watching(officers) as watchers:
        before = {officer.name: officer.sequence for officer in officers}

        def all_were_assessed() -> bool:
            return all(officer.sequence > before[officer.name] for officer in officers)

        await platform.assess_during(officers, restarted(stack.broker, all_were_assessed))
        await platform.audit(officers, watchers)
    all_run(stack)


async def test_everything_is_stopped_and_started_again(stack: Stack, platform: Platform) -> None:
    officers = await platform.officers(3)
    servers = [server for server in (stack.broker, stack.mongodb) if not isinstance(server, External | EmbeddedBroker)]
    async with platform.watching(officers) as watchers:
        await asyncio.gather(*(officer.assess_next(2) for officer in officers))
        await asyncio.gather(*(stack.stop(service) for service in SERVICES))
        await asyncio.gather(*(server.stop() for server in servers))
        await asyncio.gather(*(server.start() for server in servers))
        await asyncio.gather(*(stack.start(service) for service in SERVICES))
        await platform.audit(officers, watchers)
        courses = (SEED / "courses.ndjson").read_bytes()
        url, key = stack.urls["catalog"][0], stack.keys.admin
        assert await import_courses(platform.session, url, key, courses, Quiet()) == 0
        await asyncio.gather(*(officer.assess_next() for officer in officers))
        await platform.audit(officers, watchers)


async def uncommitted(stack: Stack, partitions: Iterable[int]) -> list[int]:
    """Return in which of these partitions of the profiles' topic the recommenders have not committed everything."""
    group, topic = f"{stack.namespace}recommender", stack.namespace + PROFILES_TOPIC
    places = [TopicPartition(topic, number) for number in partitions]
    reader = AIOKafkaConsumer(bootstrap_servers=stack.broker.address, group_id=group, enable_auto_commit=False)
    await reader.start()
    try:
        reader.assign(places)
        ends = await reader.end_offsets(places)
        return [place.partition for place in places if (await reader.committed(place) or 0) < ends[place]]
    finally:
        await reader.stop()


async def test_processes_that_a_failing_test_killed_or_froze_run_again(stack: Stack, platform: Platform) -> None:
    async def fails() -> None:
        async with stack.restored():
            for service in ("portal", "recommender"):
                stack.kill(service)
            stack.running["assessment"][0].child.freeze()
            for server in (stack.mongodb, stack.broker):
                if server.child is not None:
                    server.child.freeze()
            raise AssertionError

    with pytest.raises(AssertionError):
        await fails()
    all_run(stack)
    officer = await platform.register()
    async with platform.watching([officer]) as watchers:
        await officer.assess_next()
        await platform.audit([officer], watchers)
