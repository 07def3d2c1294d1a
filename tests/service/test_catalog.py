"""The catalogue through its front door, on a real MongoDB and a real broker."""

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from services.catalog.__main__ import build, republish
from services.catalog.importers.ndjson import LINE_LIMIT
from shared.events import CATALOG_TOPIC, CoursePublished, CourseWithdrawn, FrameworkPublished
from shared.settings import CatalogSettings
from tests.builders import FRAMEWORK, framework
from tests.service.started import Started, Topic, followed, settings_of, started

pytestmark = pytest.mark.timeout(90)

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def settings(mongodb_uri: str, kafka_bootstrap: str) -> CatalogSettings:
    return settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)


@pytest.fixture(scope="module")
async def service(settings: CatalogSettings) -> AsyncIterator[Started]:
    async with started(build, settings) as service:
        body = msgspec.to_builtins(framework({"reading": 3, "writing": 4}))
        got = await service.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", "admin", tenant="shared", json=body)
        assert (got.status, (await got.json())["version"]) == (201, 1)
        yield service


@pytest.fixture(scope="module")
async def announced(service: Started) -> AsyncIterator[Topic]:
    async with followed(service.settings, CATALOG_TOPIC) as topic:
        yield topic


def named(name: str = "course") -> str:
    return f"{name}-{next(_numbers):04d}"


def course(identifier: str, skill: str = "reading", *, to: float = 2, **changed: Any) -> dict[str, Any]:
    body = {
        "id": identifier,
        "title": {"th": f"วิชา {identifier}", "en": f"Course {identifier}"},
        "provider": {"en": "Provider"},
        "hours": 3.0,
        "languages": ["th"],
        "teaches": [{"framework": FRAMEWORK, "skill": skill, "from": 0.0, "to": to}],
    }
    return body | changed


def nested(depth: int) -> dict[str, Any]:
    """Return a prerequisite inside so many others."""
    condition: dict[str, Any] = {"course": "x"}
    for _ in range(depth):
        condition = {"any": [condition]}
    return condition


async def put(service: Started, body: dict[str, Any], **options: Any) -> tuple[int, dict[str, Any]]:
    got = await service.ask("PUT", f"/v1/courses/{body['id']}", "admin", json=body, **options)
    return got.status, await got.json()


async def ids(service: Started, query: str = "", tenant: str = "agency") -> list[str]:
    """Return the ids of every page of a list."""
    found: list[str] = []
    after = ""
    while True:
        got = await service.ask("GET", f"/v1/courses?after={after}&{query}", tenant=tenant)
        assert got.status == 200, await got.text()
        page = await got.json()
        found += [one["id"] for one in page["courses"]]
        if page["next"] is None:
            return found
        after = page["next"]


async def imported(service: Started, lines: Sequence[bytes], tenant: str = "agency") -> list[dict[str, Any]]:
    got = await service.ask("POST", "/v1/courses:import", "admin", tenant=tenant, data=b"\n".join(lines))
    assert (got.status, got.content_type) == (200, "application/x-ndjson")
    return [json.loads(line) for line in (await got.text()).splitlines()]


async def test_a_course_is_announced_with_every_change_and_only_then(service: Started, announced: Topic) -> None:
    body = course(named())
    assert await put(service, body) == (201, {"id": body["id"], "revision": 1, "changed": True, "warnings": []})
    assert (await put(service, body))[1] == {"id": body["id"], "revision": 1, "changed": False, "warnings": []}
    status, answer = await put(service, body | {"hours": 4.0})
    assert (status, answer["revision"]) == (200, 2)
    path = f"/v1/courses/{body['id']}"
    got = await service.ask("GET", path)
    assert (await got.json(), got.headers["ETag"]) == (body | {"hours": 4.0}, '"2"')
    assert (await service.ask("GET", path, headers={"If-None-Match": '"2"'})).status == 304
    assert (await service.ask("DELETE", path, "admin")).status == 204
    assert (await service.ask("DELETE", path, "admin")).status == 404
    assert (await service.ask("GET", path)).status == 404
    events = await announced.of(f"agency/{body['id']}", 3)
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [type(event.data) for event in events] == [CoursePublished, CoursePublished, CourseWithdrawn]
    stamps = [event.catalogue_revision for event in events]
    assert stamps == sorted(set(stamps))
    assert (await put(service, body))[1]["revision"] == 4


async def test_a_stale_revision_is_refused(service: Started) -> None:
    body = course(named())
    status, problem = await put(service, body, headers={"If-Match": '"1"'})
    assert (status, problem["field"]) == (412, "If-Match")
    await put(service, body)
    assert (await put(service, body | {"hours": 9.0}, headers={"If-Match": '"2"'}))[0] == 412
    path = f"/v1/courses/{body['id']}"
    assert (await service.ask("DELETE", path, "admin", headers={"If-Match": '"2"'})).status == 412
    assert (await put(service, body | {"hours": 9.0}, headers={"If-Match": '"1"'}))[1]["revision"] == 2


async def test_of_changes_at_once_with_one_revision_one_wins(service: Started) -> None:
    body = course(named())
    await put(service, body)
    answers = await asyncio.gather(
        *(put(service, body | {"hours": 10.0 + n}, headers={"If-Match": '"1"'}) for n in range(6))
    )
    assert sorted(status for status, _ in answers) == [200] + [412] * 5
    free = await asyncio.gather(*(put(service, body | {"hours": 20.0 + n}) for n in range(6)))
    assert sorted(answer["revision"] for _, answer in free) == [3, 4, 5, 6, 7, 8]


async def test_of_first_changes_at_once_one_adds_and_none_is_lost(service: Started) -> None:
    identifier = named()
    answers = await asyncio.gather(*(put(service, course(identifier, hours=30.0 + n)) for n in range(6)))
    assert sorted(status for status, _ in answers) == [200] * 5 + [201]
    assert sorted(answer["revision"] for _, answer in answers) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"teaches": [{"framework": FRAMEWORK, "skill": "reading", "from": 0, "to": 6}]}, 422, "teaches[0].to"),
        ({"teaches": []}, 422, "teaches"),
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
        ({"title": {"$gt": ""}}, 422, "title.$gt"),
        ({"tenant": "shared"}, 422, "tenant"),
    ],
)
async def test_a_wrong_course_is_refused_by_field(
    service: Started, changed: dict[str, Any], status: int, field: str
) -> None:
    got = await service.ask("PUT", "/v1/courses/self", "admin", json=course("self") | changed)
    assert (got.status, (await got.json())["field"]) == (status, field)
    assert (await service.ask("GET", "/v1/courses/self")).status == 404


async def test_references_to_what_is_not_there_yet_are_warnings(service: Started) -> None:
    body = course(named())
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


async def test_tenants_see_shared_courses_their_own_first_and_never_each_others(service: Started) -> None:
    mine, both = named("own"), named("own")
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


async def test_an_import_answers_every_line_and_a_bad_one_never_stops_the_rest(service: Started) -> None:
    first, second, third = named(), named(), named()
    await put(service, course(second))
    lines = [
        json.dumps(course(first)).encode(),
        b"",
        b"not json",
        json.dumps(course(second, hours=8.0)).encode() + b"\r",
        b'{"id": "\xff"}',
        b"x" * (LINE_LIMIT + 5),
        json.dumps(course(first)).encode(),
        json.dumps(course(first, hours=7.0)).encode(),
        json.dumps(course(named(), to=7)).encode(),
        json.dumps(course(third)).encode(),
    ]
    results = await imported(service, lines)
    assert [(one["line"], one["status"]) for one in results] == [
        (1, "created"),
        (3, "refused"),
        (4, "changed"),
        (5, "refused"),
        (6, "refused"),
        (7, "unchanged"),
        (8, "changed"),
        (9, "refused"),
        (10, "created"),
    ]
    assert [one["problem"]["status"] for one in results if one["status"] == "refused"] == [400, 400, 413, 422]
    assert (results[7]["problem"]["field"], results[6]["revision"]) == ("teaches[0].to", 2)


async def test_an_import_is_answered_while_it_is_sent(service: Started) -> None:
    answered = asyncio.Event()
    total = 300

    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(course(f"many-{n:05d}")).encode() + b"\n" for n in range(total))
        await asyncio.wait_for(answered.wait(), 20)
        yield json.dumps(course("many-last")).encode()

    got = await service.ask("POST", "/v1/courses:import", "admin", tenant="many", data=lines())
    seen = [json.loads(await got.content.readline())]
    answered.set()
    seen += [json.loads(line) async for line in got.content]
    assert len(seen) == total + 1
    assert {one["status"] for one in seen} == {"created"}
    assert len(await ids(service, "limit=100", "many")) == total + 1


async def test_the_catalogue_is_shown_as_it_was(service: Started, announced: Topic) -> None:
    tenant, identifier = "museum", named()
    await put(service, course(identifier), tenant=tenant)
    await put(service, course(identifier, hours=5.0), tenant=tenant)
    await service.ask("DELETE", f"/v1/courses/{identifier}", "admin", tenant=tenant)
    await put(service, course(identifier, hours=6.0), tenant=tenant)
    events = await announced.of(f"{tenant}/{identifier}", 4)

    async def written() -> bool:
        query = f"/v1/courses?catalogue_revision={events[-1].catalogue_revision}"
        return (await service.ask("GET", query, tenant=tenant)).status == 200

    await service.until(written)

    async def hours_at(revision: int) -> list[float]:
        got = await service.ask("GET", f"/v1/courses?catalogue_revision={revision}", tenant=tenant)
        return [one["hours"] for one in (await got.json())["courses"] if one["id"] == identifier]

    assert [await hours_at(event.catalogue_revision) for event in events] == [[3.0], [5.0], [], [6.0]]
    assert await hours_at(events[0].catalogue_revision - 1) == []
    revision = f"catalogue_revision={events[1].catalogue_revision}"
    assert await ids(service, f"{revision}&limit=1&skill=reading", tenant)
    assert await ids(service, f"{revision}&skill=writing", tenant) == []
    got = await service.ask("GET", "/v1/courses?catalogue_revision=999999999")
    assert (got.status, (await got.json())["field"]) == (422, "catalogue_revision")


async def test_republishing_makes_new_stamps_and_no_new_history(service: Started, announced: Topic) -> None:
    body = course(named())
    await put(service, body, tenant="again")
    [first] = await announced.of(f"again/{body['id']}", 1)
    assert isinstance(service.settings, CatalogSettings)
    await republish(service.settings)
    second = (await announced.of(f"again/{body['id']}", 2))[1]
    assert (second.sequence, second.data) == (first.sequence, first.data)
    assert second.catalogue_revision > first.catalogue_revision
    database = service.database("catalog")

    async def read_back() -> bool:
        position = await database["positions"].find_one({"_id": "catalog.state"})
        return position is not None and position["accepted"] >= second.catalogue_revision

    await service.until(read_back)
    assert await database["history"].count_documents({"key": f"again/{body['id']}"}) == 1


async def test_a_framework_counts_its_own_versions(service: Started, announced: Topic) -> None:
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
    events = await announced.of("agency/framework:own", 2)
    assert [event.data.framework.version for event in events if isinstance(event.data, FrameworkPublished)] == [1, 2]


async def test_wrong_frameworks_are_refused(service: Started) -> None:
    path = "/v1/frameworks/wrong"
    body = msgspec.to_builtins(msgspec.structs.replace(framework({"cooking": 2}), id="wrong"))
    body["requirements"][0]["skill"] = "ghost"
    got = await service.ask("PUT", path, "admin", json=body)
    assert (got.status, (await got.json())["field"]) == (422, "requirements[0].skill")
    odd = msgspec.to_builtins(msgspec.structs.replace(framework({"cooking": 2}), id="wrong"))
    odd["skills"][0]["provenance"] = {"le\0vel": {"status": "sourced"}}
    got = await service.ask("PUT", path, "admin", json=odd)
    assert (got.status, (await got.json())["field"]) == (422, "skills[0].provenance")
    large = msgspec.to_builtins(
        msgspec.structs.replace(framework({f"skill-{n:06d}": 1 for n in range(9000)}), id="wrong")
    )
    got = await service.ask("PUT", path, "admin", data=io.BytesIO(msgspec.json.encode(large)))
    assert got.status == 413
    assert "publishing in parts is planned" in (await got.json())["detail"]
    assert (await service.ask("GET", path)).status == 404


async def test_a_course_and_a_framework_of_one_id_stay_apart(service: Started, announced: Topic) -> None:
    body = msgspec.to_builtins(msgspec.structs.replace(framework({"cooking": 2}), id="same"))
    assert (await service.ask("PUT", "/v1/frameworks/same", "admin", tenant="twin", json=body)).status == 201
    assert (await put(service, course("same"), tenant="twin"))[0] == 201
    assert await announced.of("twin/same", 1)
    assert await announced.of("twin/framework:same", 1)


async def test_the_document_of_the_api_is_valid(service: Started) -> None:
    validate(await (await service.client.get("/openapi.json")).json())
