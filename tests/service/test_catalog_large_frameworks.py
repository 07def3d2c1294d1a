"""Frameworks too large for one record, on real servers: stored, announced, read back and followed in parts."""

import asyncio
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.assessment.consumer import CatalogConsumer
from services.assessment.framework_replica import FrameworkReplica
from services.catalog import framework_files
from services.catalog.__main__ import build, republish
from services.catalog.store import EVENT_LIMIT, CatalogStore
from shared.domain import Framework
from shared.events import (
    CATALOG_TOPIC,
    TOMBSTONE,
    Event,
    FrameworkAnnounced,
    FrameworkPublished,
    encode,
    new_event,
)
from shared.kafka import Follower, Publisher
from shared.settings import CatalogSettings
from tests.support.all_services import Services
from tests.support.builders import FRAMEWORK, framework, large_framework, unique
from tests.support.catalog import catalog
from tests.support.servers import recreate_topic
from tests.support.services import Started, Topic, followed, issue_key, settings_of, started
from tests.support.waiting import running, until

pytestmark = pytest.mark.timeout(600)
MEGABYTE = 1_000_000


SERVICE = catalog


def named(name: str, whole: Framework, version: int = 0) -> Framework:
    return msgspec.structs.replace(whole, id=name, version=version)


async def put(service: Started, whole: Framework, tenant: str = "agency") -> tuple[int, dict[str, Any]]:
    got = await service.ask(
        "PUT", f"/v1/frameworks/{whole.id}", "admin", tenant=tenant, data=io.BytesIO(msgspec.json.encode(whole))
    )
    return got.status, await got.json()


async def shown(service: Started, name: str, query: str = "", tenant: str = "agency") -> Framework | None:
    got = await service.ask("GET", f"/v1/frameworks/{name}{query}", tenant=tenant)
    return msgspec.json.decode(await got.read(), type=Framework) if got.status == 200 else None


def parts_in(topic: Topic, name: str) -> list[Event]:
    return [event for event in topic.events if f"/framework:{name}@" in event.subject]


async def test_a_large_framework_is_stored_completely_and_announced_in_parts(
    service: Started, announced: Topic
) -> None:
    whole = named(unique("big"), large_framework())
    assert len(msgspec.json.encode(whole)) > 2 * EVENT_LIMIT
    status, answer = await put(service, whole)
    assert (status, answer["version"], answer["changed"]) == (201, 1, True)
    stored = msgspec.structs.replace(whole, version=1)
    assert await shown(service, whole.id) == stored
    assert (await put(service, whole))[1] == {"id": whole.id, "version": 1, "changed": False}
    [header] = await announced.of(f"agency/framework:{whole.id}", 1)
    assert isinstance(header.data, FrameworkAnnounced)
    parts = parts_in(announced, whole.id)
    assert [event.sequence for event in parts] == [1] * len(header.data.parts)
    assert max(event.catalog_revision for event in parts) < header.catalog_revision
    assert all(len(encode(event.data)) < MEGABYTE for event in parts if event.data)
    got = await service.ask("GET", f"/v1/frameworks?after={whole.id[:-1]}&limit=1")
    [summary] = (await got.json())["frameworks"]
    assert (summary["id"], summary["skills"], summary["job_groups"]) == (whole.id, 2000, 100)
    query = f"?catalog_revision={header.catalog_revision}"
    assert await until(lambda: shown(service, whole.id, query)) == stored
    assert await shown(service, whole.id, f"?catalog_revision={header.catalog_revision - 1}") is None
    documents = service.database("catalog")["entries"].find({"tenant": "agency"})
    assert all([len(msgspec.json.encode(document, enc_hook=str)) < MEGABYTE async for document in documents])


async def test_a_new_version_withdraws_the_parts_of_the_previous_one(service: Started, announced: Topic) -> None:
    name = unique("big")
    one, two = named(name, large_framework()), named(name, large_framework(skills=2100))
    small = named(name, framework({"reading": 3}))
    for version, whole in enumerate((one, two, small, one), 1):
        assert (await put(service, whole))[1]["version"] == version
        assert await shown(service, name) == msgspec.structs.replace(whole, version=version)
    headers = await announced.of(f"agency/framework:{name}", 4)

    def withdrawn() -> bool:
        newest = {event.subject: event.type for event in parts_in(announced, name)}
        gone = {subject.partition("@")[2][0] for subject, kind in newest.items() if kind == TOMBSTONE}
        left = {subject.partition("@")[2][0] for subject, kind in newest.items() if kind != TOMBSTONE}
        return (gone, left) == ({"1", "2"}, {"4"})

    await until(withdrawn)
    assert isinstance(headers[2].data, FrameworkPublished)
    for version, event in enumerate(headers, 1):
        query = f"?catalog_revision={event.catalog_revision}"
        assert (await until(lambda q=query: shown(service, name, q))).version == version
    got = await service.ask("GET", f"/v1/frameworks/{name}/versions", "admin")
    assert [row["version"] for row in (await got.json())["versions"]] == [4, 3, 2, 1]
    changed = await service.ask("PATCH", f"/v1/frameworks/{name}", "admin", json={"retired": True})
    assert (changed.status, (await changed.json())["version"]) == (200, 5)
    last = await shown(service, name)
    assert last is not None
    assert (last.retired, last.skills) == (True, one.skills)


async def test_a_large_draft_is_signed_by_people_and_becomes_a_version(service: Started) -> None:
    name = unique("big")
    where, pieces = f"/v1/frameworks/{name}/draft", service.database("catalog")["framework_draft_pieces"]

    people = {name: await issue_key(service.mongodb, service.settings, "editor") for name in ("S.", "P.", "K.")}

    async def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = io.BytesIO(msgspec.json.encode(body)) if body else None
        headers = {"Authorization": f"Bearer {people[body['by']]}"} if body else {}
        got = await service.ask(method, path, None if body else "admin", data=data, headers=headers)
        return got.status, json.loads(await got.read() or b"null")

    async def stored_documents() -> int:
        return len(await pieces.distinct("of"))

    before = await stored_documents()
    assert (await call("PUT", where, {"framework": named(name, large_framework()), "by": "S."}))[0] == 201
    other = named(name, large_framework(skills=2100))
    assert (await call("PUT", where, {"framework": other, "by": "S."}))[0] == 200
    assert await stored_documents() == before + 1
    status, draft = await call("GET", where)
    assert (status, draft["revision"], len(draft["framework"]["skills"])) == (200, 2, 2100)
    assert (await call("POST", f"{where}:review", {"by": "P."}))[0] == 200
    assert (await call("POST", f"{where}:approve", {"by": "K."}))[0] == 200
    assert len((await call("GET", f"/v1/frameworks/{name}:impact"))[1]["skills_added"]) == 2100
    assert (await call("POST", f"{where}:publish"))[1]["version"] == 1
    assert await shown(service, name) == msgspec.structs.replace(other, version=1)
    assert (await call("GET", where))[0] == 404
    assert await stored_documents() == before


async def test_republishing_announces_parts_then_their_header(service: Started, announced: Topic) -> None:
    whole = named(unique("big"), large_framework())
    await put(service, whole)
    await announced.of(f"agency/framework:{whole.id}", 1)
    before = len(parts_in(announced, whole.id))
    assert isinstance(service.settings, CatalogSettings)
    await republish(service.settings)
    again = (await announced.of(f"agency/framework:{whole.id}", 2))[1]
    parts = parts_in(announced, whole.id)[before:]
    assert len(parts) == before
    assert all(event.catalog_revision < again.catalog_revision and event.sequence == 1 for event in parts)


async def test_an_old_part_that_arrives_late_does_not_stay_last(service: Started, announced: Topic) -> None:
    whole = named(unique("big"), large_framework())
    await put(service, whole)
    await announced.of(f"agency/framework:{whole.id}", 1)
    part = parts_in(announced, whole.id)[1]
    late = msgspec.structs.replace(new_event("/test", part.subject, 0, part.data), catalog_revision=1)
    async with Publisher(service.settings) as publisher:
        await publisher.send(service.settings.topic(CATALOG_TOPIC), [late])
    records = await announced.of(part.subject, 3)
    assert records[1].catalog_revision == 1
    assert records[2].catalog_revision > part.catalog_revision
    assert records[2].data == part.data


async def test_two_concurrent_contents_become_two_complete_versions(service: Started, announced: Topic) -> None:
    name = unique("big")
    contents = [named(name, large_framework(skills=count)) for count in (2000, 2050, 2100)]
    answers = await asyncio.gather(*(put(service, whole) for whole in contents))
    versions = {answer["version"]: whole for (_, answer), whole in zip(answers, contents, strict=True)}
    assert sorted(versions) == [1, 2, 3]
    assert await shown(service, name) == msgspec.structs.replace(versions[3], version=3)

    def others_are_gone() -> bool:
        newest = {event.subject: event.type for event in parts_in(announced, name)}
        left = {subject.partition("@")[2][:18] for subject, kind in newest.items() if kind != TOMBSTONE}
        return len(left) == 1 and left.pop().startswith("3-")

    await until(others_are_gone)


async def test_a_lost_topic_is_filled_again_with_parts_and_header(mongodb_uri: str, kafka_bootstrap: str) -> None:
    settings = settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)
    async with started(build, settings) as service:
        for skills in (2000, 2100):
            await put(service, large_framework(skills=skills))
        async with followed(settings, CATALOG_TOPIC) as topic:
            await topic.newest(f"agency/framework:{FRAMEWORK}", 2)
        await recreate_topic(kafka_bootstrap, settings.topic(CATALOG_TOPIC), 1)
        replica = FrameworkReplica()
        consumer = CatalogConsumer(replica)
        follower = Follower(settings, settings.topic(CATALOG_TOPIC), consumer.on_catalog)
        async with running(follower):
            await until(lambda: replica.version("agency", FRAMEWORK) == 2)
        held = replica.find("agency", FRAMEWORK)
        assert held == msgspec.structs.replace(large_framework(skills=2100), version=2)
        assert consumer.assembly.missing_parts() == 0


async def test_a_catalog_killed_between_parts_and_header_shows_nothing_and_loses_nothing(
    mongodb_uri: str, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)
    whole = large_framework()
    reached, put_it = asyncio.Event(), CatalogStore._put

    async def stuck(*arguments: Any) -> Any:
        if any(isinstance(one, FrameworkAnnounced) for one in arguments):
            reached.set()
            await asyncio.Event().wait()
        return await put_it(*arguments)

    with monkeypatch.context() as gate:
        gate.setattr(CatalogStore, "_put", stuck)
        async with started(build, settings) as first, followed(settings, CATALOG_TOPIC) as topic:
            asking = asyncio.create_task(put(first, whole))
            await reached.wait()
            await until(lambda: parts_in(topic, whole.id))
            assert await shown(first, whole.id) is None
            assert (await (await first.ask("GET", "/v1/frameworks")).json())["frameworks"] == []
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    async with started(build, settings) as second, followed(settings, CATALOG_TOPIC) as topic:
        assert await shown(second, whole.id) is None
        assert (await put(second, whole))[0] == 201
        [header] = await topic.of(f"agency/framework:{whole.id}", 1)
        assert await shown(second, whole.id) == whole
        assert isinstance(header.data, FrameworkAnnounced)
        staged = [(event.subject, event.sequence) for event in parts_in(topic, whole.id)]
        assert len({key for key, _ in staged}) == len(header.data.parts)
        assert {sequence for _, sequence in staged} == {1}


async def test_every_reader_works_with_a_large_framework(services: Services) -> None:
    name, officer = unique("big"), unique("officer")
    whole = named(name, large_framework())
    assert (await put(services["catalog"], whole))[0] == 201
    body = {"job_group": "g7", "agency": "north", "framework": name}

    async def registered() -> bool:
        got = await services["assessment"].ask("PUT", f"/v1/officers/{officer}", json=body)
        return got.status < 300

    await until(registered)
    results = [{"skill": "s7", "level": 1}, {"skill": "s107", "level": 3}]
    taken = {"framework": name, "kind": "test", "results": results, "taken_at": "2026-11-23T09:00:00+07:00"}
    where = f"/v1/officers/{officer}/assessments"
    got = await services["assessment"].ask("POST", where, json=taken, headers={"Idempotency-Key": "one-taking"})
    assert got.status == 202, await got.text()
    wrong = taken | {"results": [{"skill": "s2000", "level": 1}]}
    got = await services["assessment"].ask("POST", where, json=wrong, headers={"Idempotency-Key": "another-one"})
    assert (got.status, (await got.json())["field"]) == (422, "results[0].skill")

    async def path_under(version: int) -> dict[str, Any] | None:
        got = await services["recommender"].ask("GET", f"/v1/officers/{officer}/path")
        path: dict[str, Any] = (await got.json()).get("path", {}) if got.status == 200 else {}
        fits = path and path["versions"]["framework"] == f"{name}@{version}" and path["versions"]["profile"] == 2
        return path if fits else None

    path = await until(lambda: path_under(1))
    gaps = {gap["skill"] for gap in path["open"]}
    assert "s7" in gaps
    assert "s107" not in gaps
    assert gaps <= {f"s{i}" for i in range(7, 2000, 100)}
    changed = [row if row.skill != "s107" else msgspec.structs.replace(row, level=4.0) for row in whole.requirements]
    assert (await put(services["catalog"], msgspec.structs.replace(whole, requirements=changed)))[1]["version"] == 2
    path = await until(lambda: path_under(2))
    assert {"s7", "s107"} <= {gap["skill"] for gap in path["open"]}
    got = await services["catalog"].ask("GET", f"/v1/courses?framework={name}&job_group=g7")
    assert got.status == 200, await got.text()
    for one in ("assessment", "catalog", "recommender"):
        text = await (await services[one].client.get("/metrics")).text()
        assert "framework_parts_missing 0.0" in text


ESCO = Path(os.environ.get("DATASETS_DIR", "/nowhere"), "esco_v1.1.1")
ARCHIVES = [ESCO / "esco_classification_en_csv.zip", ESCO / "esco_relations_csv.zip"]


@pytest.mark.skipif(not ESCO.exists(), reason="DATASETS_DIR is not set")
async def test_esco_is_imported_completely_and_gives_paths(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework_files, "load", lambda _: services["catalog"].settings)
    command = ["import-framework", *map(str, ARCHIVES), "--format", "esco", "--tenant", "agency", "--skip-refused"]
    assert await asyncio.to_thread(lambda: asyncio.run(framework_files.run(command))) == 0
    whole = await shown(services["catalog"], "esco")
    assert whole is not None
    assert (len(whole.skills), len(whole.job_groups), len(whole.requirements)) == (13896, 3007, 123788)
    every = tmp_path / "esco.zip"
    with zipfile.ZipFile(every, "w", zipfile.ZIP_DEFLATED) as packed:
        for archive in map(zipfile.ZipFile, ARCHIVES):
            for name in archive.namelist():
                packed.writestr(name, archive.read(name))
    with every.open("rb") as body:
        got = await services["catalog"].ask(
            "POST",
            "/v1/frameworks:import?format=esco&skip_refused=true",
            "admin",
            data=body,
            headers={"Content-Type": "application/zip"},
        )
    report = await got.json()
    assert (got.status, report["status"], report["version"]) == (200, "unchanged", 1), report["faults"][:3]
    group = whole.job_groups[7].id
    required = whole.required(group, None)
    officer = {"job_group": group, "agency": "north", "framework": "esco"}

    async def registered() -> bool:
        return (await services["assessment"].ask("PUT", "/v1/officers/librarian", json=officer)).status < 300

    async def path() -> dict[str, Any] | None:
        got = await services["recommender"].ask("GET", "/v1/officers/librarian/path")
        found: dict[str, Any] = (await got.json())["path"] if got.status == 200 else {"gaps": []}
        return found if found["gaps"] else None

    await until(registered, seconds=120)
    assert {gap["skill"] for gap in (await until(path, seconds=120))["gaps"]} == set(required)
    stored = await services["recommender"].database("recommender")["plans"].find_one({"officer": "librarian"}) or {}
    assert len(stored["announced"]) < 100_000, "an event names what one occupation requires, and no more"
