"""A backup and a restore as docs/operating.md describes them, in its order, after changes that the backup lacks."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pymongo import MongoClient

from deploy.local.broker import ApacheKafka, find_broker
from deploy.local.live import messages
from deploy.local.servers import Mongod
from services.assessment.__main__ import build as build_assessment
from services.assessment.__main__ import republish as republish_assessment
from services.catalog.__main__ import build as build_catalog
from services.catalog.__main__ import republish as republish_catalog
from services.portal.__main__ import build as build_portal
from services.recommender.__main__ import build as build_recommender
from services.recommender.__main__ import republish as republish_recommender
from shared.events import PROFILES_TOPIC, TOMBSTONE
from shared.mongo import Database, connect
from shared.settings import AssessmentSettings, CatalogSettings, PortalSettings, RecommenderSettings
from tests.support.builders import FRAMEWORK, framework
from tests.support.catalog import course
from tests.support.replica_set import ReplicaSet, replica_set
from tests.support.servers import missing, recreate_topic
from tests.support.services import TOPICS, Started, followed, settings_of, started
from tests.support.waiting import until

REGISTERED = {"job_group": "service", "agency": "north"}
DATABASES = ("assessment", "catalog", "recommender", "access")


class Platform:
    """The settings of the four services in one namespace."""

    def __init__(self, mongodb_uri: str, kafka_bootstrap: str) -> None:
        first = settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)
        more = {"NAMESPACE": first.namespace, "DEFAULT_FRAMEWORK": FRAMEWORK}
        given = (mongodb_uri, kafka_bootstrap)
        self.catalog_settings = first
        self.assessment_settings = settings_of(AssessmentSettings, *given, **more)
        self.recommender_settings = settings_of(RecommenderSettings, *given, **more)
        self.portal_settings = settings_of(PortalSettings, *given, **more)


async def assess(service: Started, officer: str, level: float, key: str) -> int:
    body = {
        "framework": FRAMEWORK,
        "kind": "test",
        "results": [{"skill": "reading", "level": level}],
        "taken_at": f"2026-11-2{int(level)}T09:00:00+07:00",
    }
    headers = {"Idempotency-Key": key}
    got = await service.ask("POST", f"/v1/officers/{officer}/assessments", json=body, headers=headers)
    assert got.status == 202, await got.text()
    sequence: int = (await got.json())["profile_sequence"]
    return sequence


async def path_of(service: Started, officer: str, sequence: int) -> dict[str, Any]:
    """Return an officer's path once it is made from this sequence of the profile, and with the course."""

    async def found() -> dict[str, Any] | None:
        got = await service.ask("GET", f"/v1/officers/{officer}/path")
        path: dict[str, Any] = await got.json()
        ready = got.status == 200 and path["path"]["versions"]["profile"] == sequence and path["path"]["steps"]
        return path if ready else None

    result: dict[str, Any] = await until(found)
    return result


async def put_framework(service: Started) -> None:
    whole = msgspec.to_builtins(framework({"reading": 3}))
    got = await service.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", "admin", tenant="shared", json=whole)
    assert got.status in (200, 201)


async def put_course(service: Started, hours: float) -> int:
    got = await service.ask("PUT", "/v1/courses/read", "admin", json=course("read", to=3, hours=hours))
    assert got.status in (200, 201)
    revision: int = (await got.json())["revision"]
    return revision


async def back_up(port: int, data: Path, copy: Path) -> None:
    """Copy the data of the member at a port while it is locked: nothing is written to its files then."""

    def locked() -> None:
        with MongoClient[dict[str, Any]]("127.0.0.1", port, directConnection=True) as client:
            client.admin.command("fsync", lock=True)
            try:
                shutil.copytree(data, copy)
            finally:
                client.admin.command("fsyncUnlock")

    await asyncio.to_thread(locked)


def restore(data: Path, copy: Path) -> None:
    """Put the copy in place of the data of a server that is stopped."""
    shutil.rmtree(data)
    shutil.copytree(copy, data)


async def forget_topics(databases: Mapping[str, Database]) -> None:
    """Remove the marks of the old topics."""
    for name, collection in (("assessment", "officers"), ("catalog", "entries"), ("recommender", "plans")):
        await databases[name][collection].update_many({}, {"$unset": {"acknowledged": ""}})
        await databases[name]["leases"].update_many(
            {}, {"$unset": dict.fromkeys(("topic_id", "is_shorter", "read_back", "read_back_stamp"), "")}
        )


async def announced_of(platform: Platform, subject: str, *, before: str) -> set[str]:
    """Return the types of what the topic of the profiles holds of an officer before another one's second profile."""
    async with followed(platform.assessment_settings, PROFILES_TOPIC) as profiles:
        await profiles.newest(before, 2)
        return {one.type for one in profiles.events if one.subject == subject}


class Backup:
    """A MongoDB with a copy of its data."""

    def __init__(self, server: Mongod, directory: Path) -> None:
        self.uri = server.address
        self._server = server
        self._data, self._copy = directory / "mongodb" / "data", directory / "copy"

    async def make(self) -> None:
        """Copy the data."""
        await back_up(int(self.uri.split(":")[2].split("/")[0]), self._data, self._copy)

    async def restore(self) -> None:
        """Put the copy back."""
        await self._server.stop()
        restore(self._data, self._copy)
        await self._server.start()


@pytest.fixture
def backup(own_mongodb: Mongod, tmp_path: Path) -> Backup:
    """Return a running MongoDB of one test, whose data can be copied and put back."""
    return Backup(own_mongodb, tmp_path)


async def test_a_restore_in_the_documented_order_works(backup: Backup, kafka_bootstrap: str) -> None:
    platform = Platform(backup.uri, kafka_bootstrap)
    client = connect(platform.catalog_settings, "restore")
    databases = {name: client[platform.catalog_settings.database(name)] for name in DATABASES}

    # Before the backup: a course, two officers with a path. After it: another price, an assessment, an erasure.
    async with AsyncExitStack() as stack:
        catalog = await stack.enter_async_context(started(build_catalog, platform.catalog_settings))
        await put_framework(catalog)
        assert await put_course(catalog, 4) == 1
        assessment = await stack.enter_async_context(started(build_assessment, platform.assessment_settings))
        recommender = await stack.enter_async_context(started(build_recommender, platform.recommender_settings))
        for officer in ("stays", "erased-later"):
            got = await assessment.ask("PUT", f"/v1/officers/{officer}", json=REGISTERED)
            assert got.status == 201
            assert await assess(assessment, officer, 0, "first") == 2
            await path_of(recommender, officer, 2)
        held = await path_of(recommender, "stays", 2)
        await backup.make()
        assert await put_course(catalog, 5) == 2
        for level in (1, 2):
            sequence = await assess(assessment, "stays", level, f"lost-{level}")
        assert (await path_of(recommender, "stays", sequence))["revision"] > held["revision"]
        assert (await assessment.ask("DELETE", "/v1/officers/erased-later")).status == 204

    await backup.restore()
    await forget_topics(databases)
    for topic in TOPICS:
        await recreate_topic(kafka_bootstrap, platform.catalog_settings.topic(topic), 1)

    async with AsyncExitStack() as stack:
        # 4. The catalog first.
        catalog = await stack.enter_async_context(started(build_catalog, platform.catalog_settings))
        assert await republish_catalog(platform.catalog_settings) == 2
        # 5. Assessment; who was erased since is erased before anything is announced.
        assessment = await stack.enter_async_context(started(build_assessment, platform.assessment_settings))
        assert (await assessment.ask("DELETE", "/v1/officers/erased-later")).status == 204
        assert await republish_assessment(platform.assessment_settings) == 2
        assert await announced_of(platform, "agency/erased-later", before="agency/stays") <= {
            "officer.erased.v1",
            TOMBSTONE,
        }
        # 6. The recommender, and once the erased have no path, what it answers for the rest.
        recommender = await stack.enter_async_context(started(build_recommender, platform.recommender_settings))

        async def forgotten() -> bool:
            return (await recommender.ask("GET", "/v1/officers/erased-later/path")).status == 404

        await until(forgotten)
        assert await republish_recommender(platform.recommender_settings) == 2
        portal = await stack.enter_async_context(started(build_portal, platform.portal_settings))

        # All is as it was, and goes on: no number is given out twice, no news is dropped as old.
        assert await (await catalog.ask("GET", "/v1/courses/read")).json() == course("read", to=3, hours=4)
        assert (await path_of(recommender, "stays", 2))["revision"] == held["revision"]
        assert await put_course(catalog, 6) == 2
        url = str(portal.client.make_url("")).rstrip("/")
        stream = messages(portal.client.session, url, "stays", await portal.key("platform"))
        seen = [await anext(stream)]
        assert await assess(assessment, "stays", 2, "lost-2") == 3
        while seen[-1].event != "path" or seen[-1].data["path"]["versions"]["profile"] != 3:
            seen.append(await anext(stream))
        await stream.aclose()
        assert seen[-1].data["revision"] > held["revision"]
        hours = {step["course"]["hours"] for step in seen[-1].data["path"]["steps"]}
        assert hours <= {4.0, 6.0}
        got = await assessment.ask("GET", "/v1/officers/erased-later")
        assert got.status == 404
    client.close()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[ApacheKafka]:
    """Return a running Kafka of one test, which may stop it and replace its data."""
    server = find_broker(tmp_path / "kafka")
    if not isinstance(server, ApacheKafka):
        missing("only Apache Kafka keeps data that can be restored")
    await server.start()
    try:
        yield server
    finally:
        server.kill()


async def test_services_continue_on_a_kafka_that_is_older_than_mongodb(
    mongodb_uri: str, broker: ApacheKafka, tmp_path: Path
) -> None:
    platform = Platform(mongodb_uri, broker.address)
    data, copy = tmp_path / "kafka" / "data", tmp_path / "copy"
    async with all_of(platform) as (catalog, assessment, recommender):
        await put_course(catalog, 4)
        await assessment.ask("PUT", "/v1/officers/stays", json=REGISTERED)
        await path_of(recommender, "stays", await assess(assessment, "stays", 0, "first"))
    await broker.stop()
    await asyncio.to_thread(shutil.copytree, data, copy)
    await broker.start()
    async with all_of(platform) as (catalog, assessment, recommender):
        await put_course(catalog, 5)
        await assessment.ask("PUT", "/v1/officers/new", json=REGISTERED)
        for officer in ("stays", "new"):
            held = await path_of(recommender, officer, await assess(assessment, officer, 1, "second"))
    await broker.stop()
    restore(data, copy)
    await broker.start()
    async with all_of(platform) as (catalog, assessment, recommender):
        assert await put_course(catalog, 6) == 3
        for officer in ("stays", "new"):
            found = await path_of(recommender, officer, await assess(assessment, officer, 2, "third"))
            assert {step["course"]["hours"] for step in found["path"]["steps"]} == {6.0}
        assert found["revision"] > held["revision"]


@asynccontextmanager
async def all_of(platform: Platform) -> AsyncIterator[tuple[Started, Started, Started]]:
    """Run catalog, assessment and recommender with a framework."""
    async with AsyncExitStack() as stack:
        catalog = await stack.enter_async_context(started(build_catalog, platform.catalog_settings))
        await put_framework(catalog)
        assessment = await stack.enter_async_context(started(build_assessment, platform.assessment_settings))
        recommender = await stack.enter_async_context(started(build_recommender, platform.recommender_settings))
        yield catalog, assessment, recommender


async def test_a_copy_of_a_locked_secondary_restores_every_member(tmp_path: Path) -> None:
    async with replica_set(tmp_path / "three") as members:
        copy = tmp_path / "copy"
        with connected(members) as client:
            things = client["restored"]["things"]
            await asyncio.to_thread(things.insert_one, {"_id": "before"})
            await members.until_caught_up(2)
            copying = asyncio.create_task(back_up(members.ports[2], members.data[2], copy))
            await asyncio.to_thread(things.insert_one, {"_id": "meanwhile"})  # the other secondary confirms it
            await copying
            await asyncio.to_thread(things.insert_one, {"_id": "after"})
        await members.stop_cleanly()
        for data in members.data:
            restore(data, copy)
        await members.start_again()
        with connected(members) as client:
            things = client["restored"]["things"]
            found = await asyncio.to_thread(lambda: {one["_id"] for one in things.find()})
            assert {"before"} <= found <= {"before", "meanwhile"}
            await asyncio.to_thread(things.insert_one, {"_id": "later"})


def connected(members: ReplicaSet) -> MongoClient[dict[str, Any]]:
    return MongoClient(members.uri, w="majority", timeoutMS=60_000)
