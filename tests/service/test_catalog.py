"""Courses over HTTP in the catalog, on a real MongoDB and a real broker."""

import asyncio
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from services.catalog.store import CatalogStore
from shared.events import CoursePublished, CourseWithdrawn
from tests.support.builders import FRAMEWORK, framework, unique
from tests.support.catalog import catalog, course, ids, put
from tests.support.services import Started, Topic

SERVICE = catalog


def nested(depth: int) -> dict[str, Any]:
    """Return a prerequisite inside so many others."""
    condition: dict[str, Any] = {"course": "x"}
    for _ in range(depth):
        condition = {"any": [condition]}
    return condition


async def test_a_course_is_announced_exactly_when_it_changes(service: Started, announced: Topic) -> None:
    body = course(unique("course"))
    assert await put(service, body) == (201, {"id": body["id"], "revision": 1, "changed": True, "warnings": []})
    assert (await put(service, body))[1] == {"id": body["id"], "revision": 1, "changed": False, "warnings": []}
    status, answer = await put(service, body | {"hours": 4.0})
    assert (status, answer["revision"]) == (200, 2)
    path = f"/v1/courses/{body['id']}"
    got = await service.ask("GET", path)
    assert (await got.json(), got.headers["ETag"]) == (body | {"hours": 4.0}, '"2"')
    assert (await service.ask("GET", path, headers={"If-None-Match": '"2"'})).status == 304
    assert (await service.ask("DELETE", path, "admin")).status == 204
    assert (await service.ask("DELETE", path, "admin")).status == 204  # repeated, it says the same
    assert (await service.ask("DELETE", path, "admin", headers={"If-Match": '"2"'})).status == 412
    assert (await service.ask("GET", path)).status == 404
    events = await announced.of(f"agency/{body['id']}", 3)
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [type(event.data) for event in events] == [CoursePublished, CoursePublished, CourseWithdrawn]
    stamps = [event.catalog_revision for event in events]
    assert stamps == sorted(set(stamps))
    assert (await put(service, body))[1]["revision"] == 4


async def test_a_stale_revision_is_rejected(service: Started) -> None:
    body = course(unique("course"))
    status, problem = await put(service, body, headers={"If-Match": '"1"'})
    assert (status, problem["field"]) == (412, "If-Match")
    await put(service, body)
    assert (await put(service, body | {"hours": 9.0}, headers={"If-Match": '"2"'}))[0] == 412
    path = f"/v1/courses/{body['id']}"
    assert (await service.ask("DELETE", path, "admin", headers={"If-Match": '"2"'})).status == 412
    assert (await put(service, body | {"hours": 9.0}, headers={"If-Match": '"1"'}))[1]["revision"] == 2


async def test_shared_and_own_courses_of_one_id_and_revision_have_different_tags(service: Started) -> None:
    body = course(unique("course"))
    path = f"/v1/courses/{body['id']}"
    assert (await put(service, body, tenant="shared", headers={"If-Match": "*"}))[0] == 412
    assert (await put(service, body, tenant="shared", headers={"If-None-Match": "*"}))[0] == 201
    shared = (await service.ask("GET", path)).headers["ETag"]
    assert (await service.ask("GET", path, headers={"If-None-Match": f'"9", W/{shared}'})).status == 304
    assert (await put(service, body, headers={"If-None-Match": "*"}))[0] == 412  # one is shown already
    status, own = await put(service, body | {"hours": 8.0}, headers={"If-Match": shared})
    assert (status, own["revision"]) == (201, 1)
    for old in (shared, '"shared-1"'):
        assert (await service.ask("GET", path, headers={"If-None-Match": old})).status == 200
    got = await service.ask("GET", path)
    assert ((await got.json())["hours"], got.headers["ETag"]) == (8.0, '"1"')
    assert (await put(service, body, headers={"If-Match": shared}))[0] == 412  # a colleague has made an own one
    assert (await put(service, body, headers={"If-Match": 'W/"1"'}))[0] == 412
    assert (await put(service, body, headers={"If-Match": '"7", "1"'}))[0] == 200
    assert (await service.ask("GET", path, headers={"If-Match": '"1"'})).status == 412
    assert (await service.ask("DELETE", path, "admin", headers={"If-None-Match": "*"})).status == 412
    assert (await service.ask("DELETE", path, "admin", headers={"If-Match": "*"})).status == 204
    assert (await service.ask("GET", path)).headers["ETag"] == shared
    assert (await service.ask("DELETE", path, "admin", tenant="shared")).status == 204


async def test_a_patch_changes_only_named_fields_of_a_course(service: Started) -> None:
    body = course(unique("course"), description={"th": "คำอธิบาย", "en": "Description"}, url="https://example.org")
    path = f"/v1/courses/{body['id']}"
    await put(service, body, tenant="shared")
    patch = {"hours": 5.0, "description": {"en": None}, "url": None}
    assert (await service.ask("PATCH", path, "admin", json=patch)).status == 404  # a shared one is not one's own
    await put(service, body)
    got = await service.ask("PATCH", path, "admin", json=patch, headers={"If-Match": '"1"'})
    assert (got.status, await got.json(), got.headers["ETag"]) == (
        200,
        {"id": body["id"], "revision": 2, "changed": True, "warnings": []},
        '"2"',
    )
    del body["url"]
    now = await (await service.ask("GET", path)).json()
    assert now == body | {"hours": 5.0, "description": {"th": "คำอธิบาย"}}
    for wrong, field in [({"id": "another"}, "id"), ({"languages": []}, "languages"), ({"title": None}, "title")]:
        refused = await service.ask("PATCH", path, "admin", json=wrong)
        assert (refused.status, (await refused.json())["field"]) == (422, field)
    stale = await service.ask("PATCH", path, "admin", json={"hours": 6}, headers={"If-Match": '"1"'})
    assert stale.status == 412
    many = [{"framework": f"f{n}", "skill": "s", "from": 0, "to": 1} for n in range(6000)]
    too_large = await service.ask("PATCH", path, "admin", json={"teaches": many[:3000]})
    assert too_large.status == 200
    too_large = await service.ask(
        "PATCH", path, "admin", json={"requires": [{"course": f"c{n:040}"} for n in range(4000)]}
    )
    assert too_large.status == 413
    for tenant in ("agency", "shared"):
        assert (await service.ask("DELETE", path, "admin", tenant=tenant)).status == 204
    assert (await service.ask("PATCH", path, "admin", json={"hours": 6})).status == 404


async def test_one_of_several_concurrent_changes_of_one_revision_wins(service: Started) -> None:
    body = course(unique("course"))
    await put(service, body)
    answers = await asyncio.gather(
        *(put(service, body | {"hours": 10.0 + n}, headers={"If-Match": '"1"'}) for n in range(6))
    )
    assert sorted(status for status, _ in answers) == [200] + [412] * 5
    free = await asyncio.gather(*(put(service, body | {"hours": 20.0 + n}) for n in range(6)))
    assert sorted(answer["revision"] for _, answer in free) == [3, 4, 5, 6, 7, 8]


async def test_of_concurrent_first_puts_one_creates_and_none_is_lost(service: Started) -> None:
    identifier = unique("course")
    answers = await asyncio.gather(*(put(service, course(identifier, hours=30.0 + n)) for n in range(6)))
    assert sorted(status for status, _ in answers) == [200] * 5 + [201]
    assert sorted(answer["revision"] for _, answer in answers) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"teaches": [{"framework": FRAMEWORK, "skill": "reading", "from": 0, "to": 6}]}, 422, "teaches[0].to"),
        ({"description": {"en": "x" * 5001}}, 422, "description.en"),
        ({"description": {"th": " \u200b", "en": "\u2800"}}, 422, "description"),
        ({"tags": ["x"] * 201}, 422, "tags"),
        ({"educational_level": "hard"}, 422, "educational_level"),
        ({"ends": "2568-01-01"}, 422, "ends"),
        ({"stated": {"price": "free"}}, 422, "stated.price"),
        ({"hours": 0}, 422, "hours"),
        ({"id": "another"}, 422, "id"),
        ({"requires": [{"framework": FRAMEWORK, "skill": "reading", "level": 6}]}, 422, "requires[0].level"),
        (
            {"requires": [{"any": [{"framework": FRAMEWORK, "skill": "reading", "level": 9}]}]},
            422,
            "requires[0].any[0].level",
        ),
        ({"requires": [{"course": "self"}]}, 422, "requires"),
        ({"requires": [{"course": "x"}, nested(20)]}, 422, "requires[1]"),
        ({"requires": [{"course": "x"}, nested(300)]}, 422, "requires[1]"),
        ({"url": "javascript:alert(1)"}, 422, "url"),
        ({"url": "https://somebody:hidden@example.org/course"}, 422, "url"),
        ({"url": "https://"}, 422, "url"),
        ({"url": "https:///a"}, 422, "url"),
        ({"url": "https://:80/a"}, 422, "url"),
        ({"url": "https://[/a"}, 422, "url"),
        ({"url": "https://example.org/a course"}, 422, "url"),
        ({"url": "https://example.org/a\r\nX: b"}, 422, "url"),
        ({"url": "https://example.org/a\n"}, 422, "url"),
        ({"url": "https://example.org/a\u0085"}, 422, "url"),
        ({"url": "https://example.org/\u202e3pm.exe"}, 422, "url"),
        ({"url": "https://example.org/a\u200b"}, 422, "url"),
        ({"title": {"$gt": ""}}, 422, "title.$gt"),
        ({"tenant": "shared"}, 422, "tenant"),
        ({"completions": {"started": 1, "completed": 2}}, 422, "completions"),
        ({"completions": {"started": 1}}, 422, "completions.completed"),
        ({"rating": {"mean": 5.5, "count": 2}}, 422, "rating.mean"),
    ],
)
async def test_a_wrong_course_is_rejected_by_field(
    service: Started, changed: dict[str, Any], status: int, field: str
) -> None:
    got = await service.ask("PUT", "/v1/courses/self", "admin", json=course("self") | changed)
    assert (got.status, (await got.json())["field"]) == (status, field)
    assert (await service.ask("GET", "/v1/courses/self")).status == 404


async def test_references_to_missing_things_are_warnings(service: Started) -> None:
    body = course(unique("course"))
    body["teaches"].append({"framework": "later", "skill": "x", "from": 0, "to": 90})
    body["teaches"].append({"framework": FRAMEWORK, "skill": "flying", "from": 0, "to": 1})
    body["requires"] = [{"any": [{"course": "ghost"}, {"framework": "later", "skill": "x", "level": 1}]}]
    status, answer = await put(service, body)
    assert status == 201
    assert {warned["field"] for warned in answer["warnings"]} == {
        "teaches[1].framework",
        "teaches[2].skill",
        "requires",
        "requires[0].any[1].framework",
    }


async def test_a_list_is_filtered_and_paged_by_id(service: Started) -> None:
    tenant = "library"
    for n in range(7):
        body = course(f"b{n}", "writing" if n % 2 else "reading", languages=["en"] if n == 3 else ["th", "en"])
        await put(service, body, tenant=tenant)
    assert await ids(service, "limit=2", tenant) == [f"b{n}" for n in range(7)]
    assert await ids(service, "limit=1&skill=writing", tenant) == ["b1", "b3", "b5"]
    assert await ids(service, f"framework={FRAMEWORK}&skill=writing&language=th", tenant) == ["b1", "b5"]
    assert await ids(service, "framework=other", tenant) == []
    for query, field in (("limit=0", "limit"), ("colour=1", "colour"), ("skill=%7B%7D", "skill")):
        got = await service.ask("GET", f"/v1/courses?{query}")
        assert (got.status, (await got.json())["field"]) == (422, field)


async def test_tenants_see_shared_and_own_courses_and_never_each_others(service: Started) -> None:
    mine, both = unique("own"), unique("own")
    await put(service, course(both), tenant="shared")
    await put(service, course(both, hours=99.0, skill="writing"), tenant="zoo")
    await put(service, course(mine), tenant="zoo")
    got = await service.ask("GET", f"/v1/courses/{both}", tenant="zoo")
    assert (await got.json())["hours"] == 99.0
    assert (await (await service.ask("GET", f"/v1/courses/{both}", tenant="other")).json())["hours"] == 3.0
    assert (await service.ask("GET", f"/v1/courses/{mine}", tenant="other")).status == 404
    assert await ids(service, "limit=1&skill=reading", "zoo") == [mine]
    assert await ids(service, "limit=1", "zoo") == [mine, both]
    assert await ids(service, "limit=1", "other") == [both]
    assert (await service.ask("DELETE", f"/v1/courses/{both}", "admin", tenant="other")).status == 404
    assert (await service.ask("DELETE", f"/v1/courses/{both}", "admin", tenant="zoo")).status == 204
    assert (await (await service.ask("GET", f"/v1/courses/{both}", tenant="zoo")).json())["hours"] == 3.0
    await service.ask("DELETE", f"/v1/courses/{both}", "admin", tenant="shared")


async def test_the_openapi_document_is_valid(service: Started) -> None:
    validate(await (await service.client.get("/openapi.json")).json())


async def test_lists_and_republishing_skip_an_undecodable_entry(
    service: Started,
) -> None:
    tenant, entries = "versions", service.database("catalog")["entries"]
    for identifier in ("a", "b", "c"):
        assert (await put(service, course(identifier), tenant=tenant))[0] == 201
    body = msgspec.to_builtins(framework({"cooking": 2}))
    for identifier in ("a", "b"):
        path = f"/v1/frameworks/{identifier}"
        assert (await service.ask("PUT", path, "admin", tenant=tenant, json=body | {"id": identifier})).status == 201
    for key in (f"{tenant}/b", f"{tenant}/framework:a"):
        await entries.update_one({"_id": key}, {"$set": {"content.title": {"of": "another version"}}})
    await entries.update_one({"_id": f"{tenant}/a"}, {"$set": {"content.teaches.0.of_a_newer_version": 1}})
    mine = await service.ask("GET", "/v1/courses?limit=1", tenant=tenant)
    assert [one["id"] for one in (await mine.json())["courses"]] == ["a"]
    found = await ids(service, "limit=1", tenant=tenant)
    assert "b" not in found
    assert {"a", "c"} <= set(found)
    listed = await (await service.ask("GET", "/v1/frameworks", tenant=tenant)).json()
    assert {"a", "b"} & {one["id"] for one in listed["frameworks"]} == {"b"}
    keys = [f"{tenant}/{name}" for name in ("a", "b", "c", "framework:a", "framework:b")]
    assert await CatalogStore(service.database("catalog")).republish(keys) == 3


@pytest.mark.parametrize("broken", [{"content.hours": "many"}, {"content": "x"}, {"sequence": "one"}, {"matches": 7}])
async def test_an_undecodable_entry_is_reported_and_a_put_replaces_it(service: Started, broken: dict[str, Any]) -> None:
    body = course(unique("course"))
    await put(service, body)
    entries = service.database("catalog")["entries"]
    await entries.update_one({"_id": f"agency/{body['id']}"}, {"$set": broken})
    path = f"/v1/courses/{body['id']}"
    for got in (await service.ask("GET", path), await service.ask("PATCH", path, "admin", json={"hours": 4})):
        assert (got.status, "PUT" in (await got.json())["detail"]) == (409, True)
    assert (await service.ask("GET", f"{path}/matches", "admin")).status in (409, 200)
    status, answer = await put(service, body | {"hours": 5.0})
    assert (status, answer["changed"]) == (200, True)
    assert (await (await service.ask("GET", path)).json())["hours"] == 5.0
    assert (await service.ask("GET", f"{path}/matches", "admin")).status == 200
    await entries.update_one({"_id": f"agency/{body['id']}"}, {"$set": {"content.hours": "many"}})
    assert (await service.ask("DELETE", path, "admin")).status == 204


async def test_an_undecodable_framework_is_reported_and_a_put_replaces_it(service: Started) -> None:
    name = unique("framework")
    whole = msgspec.to_builtins(framework({"reading": 3})) | {"id": name}
    path = f"/v1/frameworks/{name}"
    assert (await service.ask("PUT", path, "admin", json=whole)).status == 201
    await service.database("catalog")["entries"].update_one(
        {"_id": f"agency/framework:{name}"}, {"$set": {"content.skills": 7}}
    )
    assert (await service.ask("GET", path)).status == 409
    taught = course(unique("course"), teaches=[{"framework": name, "skill": "reading", "from": 0, "to": 1}])
    assert (await put(service, taught))[0] == 201
    assert (await service.ask("PUT", path, "admin", json=whole)).status == 200
    assert (await service.ask("GET", path)).status == 200
