"""Frameworks over HTTP in the catalog: versions, refusals, ids beside those of courses."""

import io

import msgspec

from shared.events import FrameworkPublished
from tests.support.builders import FRAMEWORK, framework
from tests.support.catalog import catalog, course, put
from tests.support.services import Started, Topic

SERVICE = catalog


async def test_the_catalog_counts_the_versions_of_a_framework(service: Started, announced: Topic) -> None:
    path = "/v1/frameworks/own"
    body = msgspec.to_builtins(msgspec.structs.replace(framework({"cooking": 2}), id="own", version=77))
    first = await service.ask("PUT", path, "admin", json=body)
    assert (first.status, await first.json()) == (201, {"id": "own", "version": 1, "changed": True})
    again = await service.ask("PUT", path, "admin", json=body)
    assert (again.status, (await again.json())["changed"]) == (200, False)
    stale = await service.ask("PUT", path, "admin", json=body, headers={"If-Match": '"9"'})
    assert stale.status == 412
    body["requirements"][0]["level"] = 3
    changed = await service.ask("PUT", path, "admin", json=body, headers={"If-Match": '"1"'})
    assert (await changed.json())["version"] == 2
    got = await service.ask("GET", path)
    assert ((await got.json())["version"], got.headers["ETag"]) == (2, '"2"')
    assert (await service.ask("GET", path, tenant="other")).status == 404
    listed = (await (await service.ask("GET", "/v1/frameworks")).json())["frameworks"]
    assert [(one["id"], one["shared"], one["version"]) for one in listed] == [(FRAMEWORK, True, 1), ("own", False, 2)]
    first = await (await service.ask("GET", "/v1/frameworks?limit=1")).json()
    assert ([one["id"] for one in first["frameworks"]], first["next"]) == ([FRAMEWORK], FRAMEWORK)
    second = await (await service.ask("GET", f"/v1/frameworks?limit=1&after={FRAMEWORK}")).json()
    assert ([one["id"] for one in second["frameworks"]], second["next"]) == (["own"], None)
    wrong = await service.ask("GET", "/v1/frameworks?limit=501")
    assert (wrong.status, (await wrong.json())["field"]) == (422, "limit")
    events = await announced.of("agency/framework:own", 2)
    assert [event.data.framework.version for event in events if isinstance(event.data, FrameworkPublished)] == [1, 2]


async def test_a_patch_changes_only_named_fields_of_a_framework(service: Started) -> None:
    body = msgspec.to_builtins(framework({"reading": 2}))
    path = "/v1/frameworks/patched"
    put = await service.ask("PUT", path, "admin", tenant="patching", json=body | {"id": "patched"})
    assert put.status == 201
    got = await service.ask("PATCH", path, "admin", tenant="patching", json={"title": {"en": "New"}})
    assert (got.status, await got.json()) == (200, {"id": "patched", "version": 2, "changed": True})
    now = await (await service.ask("GET", path, tenant="patching")).json()
    assert now["title"] == body["title"] | {"en": "New"}
    assert now["skills"] == body["skills"]
    wrong = await service.ask("PATCH", path, "admin", tenant="patching", json={"areas": [], "title": None})
    assert wrong.status == 422
    wrong = await service.ask("PATCH", path, "admin", tenant="patching", json={"job_groups": [{"id": "x"}]})
    assert (wrong.status, (await wrong.json())["field"]) == (422, "job_groups[0].title")
    other = await service.ask("PATCH", path, "admin", tenant="agency", json={"title": {"en": "Mine"}})
    assert other.status == 404


async def test_wrong_frameworks_are_rejected(service: Started) -> None:
    path = "/v1/frameworks/wrong"
    body = msgspec.to_builtins(msgspec.structs.replace(framework({"cooking": 2}), id="wrong"))
    body["requirements"][0]["skill"] = "ghost"
    got = await service.ask("PUT", path, "admin", json=body)
    assert (got.status, (await got.json())["field"]) == (422, "requirements[0].skill")
    for second in (0, 0.0000001):  # levels are kept to a millionth
        twice = msgspec.to_builtins(msgspec.structs.replace(framework({}), id="wrong", requirements=[]))
        twice["skills"] = [{"id": "a", "area": "area", "title": {"en": "A"}}]
        twice["scale"] = [{"level": level, "title": {"en": "Level"}} for level in (0, second)]
        got = await service.ask("PUT", path, "admin", json=twice)
        assert (got.status, (await got.json())["field"]) == (422, "scale[1].level")
    odd = msgspec.to_builtins(msgspec.structs.replace(framework({"cooking": 2}), id="wrong"))
    odd["skills"][0]["provenance"] = {"le\0vel": {"status": "sourced"}}
    got = await service.ask("PUT", path, "admin", json=odd)
    assert (got.status, (await got.json())["field"]) == (422, "skills[0].provenance.le\0vel")
    got = await service.ask("PUT", path, "admin", data=io.BytesIO(b" " * (32 * 1024 * 1024 + 1)))
    assert got.status == 413
    assert (await got.json())["detail"] == "the body may hold 33554432 bytes"
    assert (await service.ask("GET", path)).status == 404


async def test_a_course_and_a_framework_of_one_id_are_separate(service: Started, announced: Topic) -> None:
    body = msgspec.to_builtins(msgspec.structs.replace(framework({"cooking": 2}), id="same"))
    assert (await service.ask("PUT", "/v1/frameworks/same", "admin", tenant="twin", json=body)).status == 201
    assert (await put(service, course("same"), tenant="twin"))[0] == 201
    assert await announced.of("twin/same", 1)
    assert await announced.of("twin/framework:same", 1)
