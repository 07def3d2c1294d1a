"""Every framework in use gets proposals for every course that has no rows in it, on real servers."""

import weakref
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from services.catalog import matcher_cache
from services.catalog.__main__ import match
from services.catalog.api import MATCHES
from services.catalog.match_store import MatchStore
from services.catalog.matcher_cache import MatcherCache
from services.catalog.matching import Matcher
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from services.catalog.store import CatalogStore
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.pipeline import recommend
from shared.domain import SHARED_TENANT, Framework, LocalizedText, Teaches
from shared.events import CoursePublished, CourseWithdrawn
from shared.mongo import connect
from shared.settings import CatalogSettings
from tests.support.builders import course, inputs, unique, view_of
from tests.support.catalog import catalog
from tests.support.services import Started, Topic, settings_of

pytestmark = pytest.mark.timeout(400)

GLASS = {"id": "glass", "area": "crafts", "title": {"th": "การเป่าแก้ว", "en": "Glass blowing"}}
POTTERY = {"id": "pottery", "area": "crafts", "title": {"th": "เครื่องปั้นดินเผา", "en": "Pottery and ceramics"}}


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with catalog(mongodb_uri, kafka_bootstrap) as service:
        yield service


def crafts(identifier: str, *skills: dict[str, Any], top: int = 4, **changed: Any) -> dict[str, Any]:
    """Return a framework about crafts with levels from 0 to `top`, of which everybody needs half."""
    levels = [{"level": level, "title": {"en": f"Level {level}"}} for level in range(top + 1)]
    body = {
        "id": identifier,
        "title": {"en": f"Crafts {identifier}"},
        "scale": levels,
        "areas": [{"id": "crafts", "title": {"en": "Crafts"}}],
        "skills": list(skills),
        "job_groups": [{"id": "everybody", "title": {"en": "Everybody"}}],
        "requirements": [{"job_group": "everybody", "skill": one["id"], "level": top / 2} for one in skills],
    }
    return body | changed


def same(origin: str, target: str) -> dict[str, str]:
    return {"kind": "exact_match", "origin": origin, "target": target}


class Agency:
    """A tenant of its own, with the service that holds its catalog."""

    def __init__(self, service: Started) -> None:
        self.service = service
        self.tenant = unique("agency").replace("_", "-")

    async def ask(self, method: str, path: str, status: int = 200, **more: Any) -> dict[str, Any]:
        got = await self.service.ask(method, path, "admin", tenant=more.pop("tenant", self.tenant), **more)
        assert got.status == status, await got.text()
        return dict(await got.json())

    async def frame(self, body: dict[str, Any], status: int = 201, **more: Any) -> None:
        await self.ask("PUT", f"/v1/frameworks/{body['id']}", status, json=body, **more)

    async def course(self, identifier: str, *rows: dict[str, Any], status: int = 201, **changed: Any) -> dict[str, Any]:
        body = {
            "id": identifier,
            "title": {"en": "Glass blowing by hand"},
            "provider": {"en": "Provider"},
            "hours": 12.0,
            "languages": ["en"],
            "teaches": list(rows),
        }
        return await self.ask("PUT", f"/v1/courses/{identifier}", status, json=body | changed)

    async def matches(self, course: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Let everything that waits be matched, and return the matches of a course."""
        await MatchingLoop(self.service.client.app[MATCHES], shipped()).once()
        found = await self.ask("GET", f"/v1/courses/{course}/matches")
        assert not found["waiting"]
        return {(one["framework"], one["skill"]): one for one in found["matches"]}

    async def taught(self, course: str) -> list[dict[str, Any]]:
        return list((await self.ask("GET", f"/v1/courses/{course}")).get("teaches", []))

    async def decide(self, course: str, what: str, framework: str, skill: str) -> None:
        rows = {"matches": [{"framework": framework, "skill": skill}]}
        await self.ask("POST", f"/v1/courses/{course}/matches:{what}", json=rows)


@pytest.fixture
def agency(service: Started) -> Agency:
    return Agency(service)


def row(framework: str, skill: str, low: float = 0, high: float = 1) -> dict[str, Any]:
    return {"framework": framework, "skill": skill, "from": low, "to": high}


async def test_a_course_that_teaches_in_one_framework_is_matched_to_each_other_one(agency: Agency) -> None:
    await agency.frame(crafts("national", GLASS))
    await agency.frame(crafts("agency", GLASS, POTTERY))
    given = row("national", "glass", 1, 3)
    await agency.course("by-hand", given)
    found = await agency.matches("by-hand")
    assert set(found) == {("agency", "glass")}
    assert await agency.taught("by-hand") == [given]
    shown = await agency.ask("GET", "/v1/courses/by-hand")
    assert [(one["framework"], one["skill"]) for one in shown["matched"]] == [("agency", "glass")]


async def test_publishing_a_framework_or_a_version_with_new_skills_queues_the_courses(agency: Agency) -> None:
    await agency.frame(crafts("national", GLASS))
    await agency.course("by-hand", row("national", "glass"))
    assert await agency.matches("by-hand") == {}
    await agency.frame(crafts("agency", POTTERY))
    assert await agency.matches("by-hand") == {}
    await agency.frame(crafts("agency", POTTERY, GLASS), 200)
    assert set(await agency.matches("by-hand")) == {("agency", "glass")}


async def test_a_shared_framework_queues_the_courses_of_every_tenant(agency: Agency) -> None:
    await agency.frame(crafts("own", GLASS))
    await agency.course("by-hand", row("own", "glass"))
    assert ("own", "glass") not in await agency.matches("by-hand")
    shared = unique("national")
    await agency.frame(crafts(shared, GLASS), tenant="shared")
    assert set(await agency.matches("by-hand")) == {(shared, "glass")}
    await agency.frame(crafts(shared, GLASS, retired=True), 200, tenant="shared")  # of no concern to other tests


@pytest.fixture
async def stores(mongodb_uri: str) -> AsyncIterator[tuple[CatalogStore, MatchStore]]:
    """Return the stores of a catalog that no service works on."""
    client = connect(settings_of(CatalogSettings, mongodb_uri, "127.0.0.1:1"))
    database = client[unique("in-use")]
    catalog_store = CatalogStore(database)
    match_store = MatchStore(database, catalog_store)
    await catalog_store.prepare()
    await match_store.prepare()
    try:
        yield catalog_store, match_store
    finally:
        await client.drop_database(database)
        client.close()


async def test_many_courses_are_marked_in_batches_and_another_process_continues(
    stores: tuple[CatalogStore, MatchStore],
) -> None:
    catalog_store, store = stores
    national, agency = (msgspec.convert(crafts(name, GLASS), Framework) for name in ("national", "agency"))
    await catalog_store.put_framework(None, "a", national, "")
    assert [await store.spread(3), await store.spread(3)] == [True, False]
    for number in range(7):
        taught = course(f"course-{number}", ("glass", 0, 1), of="national")
        await catalog_store.put_course(None, "a", taught, "")
    await catalog_store.put_course(None, "b", course("elsewhere"), "")
    assert (await store.due("a", 100), await store.waiting()) == ([], 0)
    await catalog_store.put_framework(None, "a", agency, "")
    waiting = []
    while await store.spread(3):  # it knows nothing but what is stored, so each call may be that of another process
        waiting.append(len(await store.due("a", 100)))
    assert (waiting, await store.waiting()) == ([3, 6, 7, 7], 7)
    loop = MatchingLoop(store, shipped())
    assert (await loop.once(), loop.matched_courses, loop.waiting) == (7, 7, 0)
    assert await store.due("a", 100) == []


async def test_a_new_version_begins_again_with_the_first_course(stores: tuple[CatalogStore, MatchStore]) -> None:
    catalog_store, store = stores
    framework = msgspec.convert(crafts("agency", GLASS), Framework)
    before = await catalog_store.put_framework(None, "a", framework, "")
    for number in range(4):
        await catalog_store.put_course(None, "a", course(f"course-{number}", ("glass", 0, 1), of="agency"), "")
    assert await store.spread(3)
    await catalog_store.put_framework(before, "a", msgspec.structs.replace(framework, requirements=[]), "")
    assert [await store.spread(3) for _ in range(4)] == [True, True, True, False]


async def test_tenants_take_turns(stores: tuple[CatalogStore, MatchStore]) -> None:
    catalog_store, store = stores
    await catalog_store.put_framework(None, SHARED_TENANT, msgspec.convert(crafts("agency", GLASS), Framework), "")
    for tenant in ("a", "b", "b0"):
        await catalog_store.put_course(None, tenant, course("by-hand"), "")
    assert [await store.next_due(after) for after in ("", "a", "b", "b0", "z")] == ["a", "b", "b0", "a", "a"]
    assert [one.entry.tenant for one in await store.due("b", 100)] == ["b"]
    assert await MatchingLoop(store, shipped()).once() == 3
    assert await store.next_due("") is None


async def test_nothing_is_proposed_in_a_retired_framework_and_earlier_proposals_stay(agency: Agency) -> None:
    await agency.frame(crafts("old", GLASS))
    await agency.course("before")
    assert set(await agency.matches("before")) == {("old", "glass")}
    await agency.frame(crafts("old", GLASS, retired=True), 200)
    await agency.course("after")
    assert await agency.matches("after") == {}
    await agency.course("before", status=200, hours=20.0)
    await agency.frame(crafts("new", GLASS))
    assert set(await agency.matches("before")) == {("old", "glass"), ("new", "glass")}
    assert set(await agency.matches("after")) == {("new", "glass")}
    await agency.frame(crafts("old", GLASS, retired=False), 200)
    assert set(await agency.matches("after")) == {("old", "glass"), ("new", "glass")}


async def test_decisions_are_kept_for_each_framework(agency: Agency) -> None:
    await agency.frame(crafts("one", GLASS))
    await agency.frame(crafts("two", GLASS))
    await agency.course("by-hand")
    assert set(await agency.matches("by-hand")) == {("one", "glass"), ("two", "glass")}
    await agency.decide("by-hand", "confirm", "one", "glass")
    await agency.decide("by-hand", "reject", "two", "glass")
    third = row("third", "anything")
    await agency.course("by-hand", third, status=200)
    assert [(one["framework"], one["skill"]) for one in await agency.taught("by-hand")] == [
        ("third", "anything"),
        ("one", "glass"),
    ]
    assert {key: one["status"] for key, one in (await agency.matches("by-hand")).items()} == {
        ("one", "glass"): "confirmed",
        ("two", "glass"): "rejected",
    }
    given = row("one", "glass", 2, 3)
    await agency.course("by-hand", given, status=200)
    assert await agency.taught("by-hand") == [given]


async def test_a_rejected_match_stays_rejected_when_another_is_confirmed(agency: Agency) -> None:
    await agency.frame(crafts("crafts", GLASS, POTTERY))
    await agency.course("both", title={"en": "Glass blowing, pottery and ceramics"})
    assert set(await agency.matches("both")) == {("crafts", "glass"), ("crafts", "pottery")}
    await agency.decide("both", "reject", "crafts", "glass")
    await agency.decide("both", "confirm", "crafts", "pottery")
    await agency.frame(crafts("crafts", GLASS, POTTERY, description={"en": "Another version"}), 200)
    assert {key[1]: one["status"] for key, one in (await agency.matches("both")).items()} == {
        "glass": "rejected",
        "pottery": "confirmed",
    }


async def test_names_and_ids_of_another_frameworks_skills_are_evidence(agency: Agency) -> None:
    await agency.frame(crafts("agency", GLASS, POTTERY))
    await agency.frame(crafts("codes", {"id": "S1.2", "area": "crafts", "title": {"en": "Pottery and ceramics"}}))
    silent = {"en": "Saturday workshop"}
    await agency.course("by-name", row("codes", "S1.2"), title=silent)
    await agency.course("by-id", row("platform", "glass-blowing"), title=silent)
    await agency.course("by-number", row("platform", "8.4.1"), title=silent)
    assert set(await agency.matches("by-name")) == {("agency", "pottery")}
    assert set(await agency.matches("by-id")) >= {("agency", "glass")}
    assert await agency.matches("by-number") == {}


async def test_a_mapping_between_frameworks_gives_rows_with_their_source_and_the_levels_of_the_scale(
    agency: Agency, announced: Topic
) -> None:
    silent = {"en": "Saturday workshop"}
    await agency.frame(crafts("digcomp", {"id": "1.1", "area": "crafts", "title": {"en": "Furnaces"}}, top=8))
    await agency.frame(crafts("agency", GLASS, POTTERY, relations=[same("glass", "digcomp/1.1")]))
    given = row("digcomp", "1.1", 2, 6)
    await agency.course("mapped", given, title=silent)
    found = (await agency.matches("mapped"))["agency", "glass"]
    assert (found["source"], found["status"], found["from"], found["to"]) == ("mapped", "proposed", 1.0, 3.0)
    assert found["mapped_from"] == {"framework": "digcomp", "skill": "1.1"}
    mapped = row("agency", "glass", 1.0, 3.0) | {"mapped_from": "digcomp/1.1"}
    assert await agency.taught("mapped") == [given, mapped]
    for query, listed in (
        ("framework=agency&skill=glass", ["mapped"]),
        ("framework=agency", ["mapped"]),
        ("skill=glass", ["mapped"]),
        ("skill=1.1", ["mapped"]),
        ("framework=agency&skill=pottery", []),
        ("framework=agency&skill=glass&language=th", []),
    ):
        page = await agency.ask("GET", f"/v1/courses?{query}")
        assert [one["id"] for one in page["courses"]] == listed, query
    event = (await announced.of(f"{agency.tenant}/mapped", 2))[-1]
    assert isinstance(event.data, CoursePublished)
    assert msgspec.to_builtins(event.data.course.teaches) == [given, mapped]
    whole = await agency.ask("GET", "/v1/courses/mapped")
    assert not (await agency.ask("PUT", "/v1/courses/mapped", json=whole))["changed"]
    await agency.decide("mapped", "reject", "agency", "glass")
    assert await agency.taught("mapped") == [given]
    await agency.course("mapped", given, status=200, title={"en": "Sunday workshop"})
    assert (await agency.matches("mapped"))["agency", "glass"]["status"] == "rejected"
    assert await agency.taught("mapped") == [given]


async def test_a_tenants_own_framework_is_matched_to_shared_courses_and_only_the_tenant_sees_it(
    agency: Agency, announced: Topic
) -> None:
    await agency.frame(crafts("own", GLASS, POTTERY))
    name, other = unique("shared-course"), unique("without-match")
    body = {
        "id": name,
        "title": {"en": "Glass blowing by hand"},
        "provider": {"en": "Provider"},
        "hours": 12.0,
        "languages": ["en"],
        "teaches": [row("platform", "anything")],
    }
    unlike = body | {"id": other, "title": {"en": "Saturday"}}
    for one in (body, unlike):
        await agency.ask("PUT", f"/v1/courses/{one['id']}", 201, json=one, tenant="shared")
    try:
        found = await agency.matches(name)
        assert {key[1]: one["status"] for key, one in found.items() if key[0] == "own"} == {"glass": "proposed"}
        event = await announced.newest(f"{agency.tenant}/{name}", 1)
        assert isinstance(event.data, CoursePublished)
        assert (event.data.tenant, [one.skill for one in event.data.course.matched if one.framework == "own"]) == (
            agency.tenant,
            ["glass"],
        )
        whole = await announced.newest(f"shared/{name}", 1)
        assert isinstance(whole.data, CoursePublished)
        for seen in (
            msgspec.to_builtins(whole.data.course),
            await agency.ask("GET", f"/v1/courses/{name}", tenant=unique("another")),
            await agency.ask("GET", f"/v1/courses/{name}", tenant="shared"),
        ):
            assert all(one["framework"] != "own" for one in seen.get("matched", []))
        await agency.ask("GET", f"/v1/courses/{other}/matches", 404)
        await agency.ask("GET", f"/v1/courses/{name}/matches", 404, tenant=unique("another"))

        await agency.decide(name, "confirm", "own", "glass")
        assert [(one["framework"], one["skill"]) for one in await agency.taught(name)] == [
            ("platform", "anything"),
            ("own", "glass"),
        ]
        await agency.ask("PUT", f"/v1/courses/{name}", json=body | {"hours": 20.0}, tenant="shared")
        await agency.ask(
            "PUT", f"/v1/courses/{other}", json=unlike | {"title": {"en": "Pottery and ceramics"}}, tenant="shared"
        )
        assert ("own", "pottery") in await agency.matches(other)
        seen = await agency.ask("GET", f"/v1/courses/{name}")
        assert (seen["hours"], [one["framework"] for one in seen["teaches"]]) == (20.0, ["platform", "own"])
        assert len((await agency.ask("GET", "/v1/courses?limit=500&framework=own"))["courses"]) == 1

        merge = {"Content-Type": "application/merge-patch+json"}
        await agency.ask("PATCH", f"/v1/courses/{name}", 404, json={"hours": 1.0}, headers=merge)
        await agency.ask("DELETE", f"/v1/courses/{name}", 404)
        got = await agency.service.ask("GET", "/v1/courses:export", "admin", tenant=agency.tenant)
        assert await got.text() == ""
        got = await agency.service.ask(
            "POST",
            "/v1/courses:import?full=true&withdraw=true",
            "admin",
            tenant=agency.tenant,
            data=msgspec.json.encode(body | {"id": "mine"}),
            headers={"Content-Type": "application/x-ndjson"},
        )
        report = msgspec.json.decode((await got.text()).splitlines()[-1])
        assert (report.get("absent", 0), report.get("withdrawn", 0)) == (0, 0), report
        assert (await agency.ask("GET", f"/v1/courses/{name}"))["hours"] == 20.0

        replaced = await agency.ask("GET", f"/v1/courses/{other}")
        del replaced["matched"]
        assert (await agency.ask("PUT", f"/v1/courses/{other}", 201, json=replaced))["changed"], "it is its own now"
        revision = (await agency.ask("GET", f"/v1/courses/{name}/matches"))["revision"]
        assert len((await agency.ask("GET", "/v1/courses?limit=500"))["courses"]) >= 2
    finally:
        for gone in (name, other):
            got = await agency.service.ask("DELETE", f"/v1/courses/{gone}", "admin", tenant="shared")
            assert got.status == 204
    await agency.matches("mine")
    await agency.ask("GET", f"/v1/courses/{name}", 404)
    withdrawn = await announced.newest(f"{agency.tenant}/{name}", revision + 1)
    assert isinstance(withdrawn.data, CourseWithdrawn)
    await agency.ask("GET", f"/v1/courses/{other}")


async def test_a_shared_course_gets_its_copy_back_when_the_tenant_withdraws_its_own_course_of_that_id(
    agency: Agency,
) -> None:
    await agency.frame(crafts("own", GLASS))
    name = unique("shared-course")
    body = {
        "id": name,
        "title": {"en": "Glass blowing by hand"},
        "provider": {"en": "Provider"},
        "hours": 12.0,
        "languages": ["en"],
    }
    own = body | {"title": {"en": "Saturday"}, "hours": 3.0}
    await agency.ask("PUT", f"/v1/courses/{name}", 201, json=body, tenant="shared")
    try:
        assert ("own", "glass") in await agency.matches(name)
        got = await agency.service.ask(
            "POST",
            "/v1/courses:import",
            "admin",
            tenant=agency.tenant,
            data=msgspec.json.encode(own),
            headers={"Content-Type": "application/x-ndjson"},
        )
        report = msgspec.json.decode((await got.text()).splitlines()[-1])
        assert (report.get("created"), report.get("changed", 0)) == (1, 0), "it is the tenant's first course"
        assert (await agency.ask("GET", f"/v1/courses/{name}"))["hours"] == 3.0
        got = await agency.service.ask("DELETE", f"/v1/courses/{name}", "admin", tenant=agency.tenant)
        assert got.status == 204
        assert ("own", "glass") in await agency.matches(name)
        seen = await agency.ask("GET", f"/v1/courses/{name}")
        assert (seen["hours"], [one["framework"] for one in seen["matched"]]) == (12.0, ["own"])
    finally:
        got = await agency.service.ask("DELETE", f"/v1/courses/{name}", "admin", tenant="shared")
        assert got.status == 204


async def test_a_withdrawal_marks_the_shared_course_below_it_in_one_write(
    stores: tuple[CatalogStore, MatchStore],
) -> None:
    """As if the process ended right after the write: another one makes the copy."""
    catalog_store, match_store = stores
    glass = msgspec.structs.replace(course("c"), title=LocalizedText(en="Glass blowing by hand"), teaches=[])
    await catalog_store.put_course(None, SHARED_TENANT, glass, "")
    own = await catalog_store.put_course(None, "agency", course("c"), "")
    assert own is not None
    await catalog_store.put_framework(None, "agency", msgspec.convert(crafts("own", GLASS), Framework), "")
    await MatchingLoop(match_store, shipped()).once()
    before = await catalog_store.find("agency/c")
    assert before is not None
    assert await catalog_store.withdraw_course(before, "") is not None
    assert await match_store.database["entries"].count_documents({"copies_due": True}) == 0, "there was a second write"
    await MatchingLoop(match_store, shipped()).once()
    copied = await catalog_store.find("agency/c")
    assert copied is not None
    assert (copied.copied, [match.key for match in copied.matches]) == (True, [("own", "glass")])
    assert await match_store.database["entries"].count_documents({"uncovers": True}) == 0


async def test_a_framework_that_an_earlier_release_stored_gets_its_copies_after_a_start(
    stores: tuple[CatalogStore, MatchStore],
) -> None:
    catalog_store, match_store = stores
    glass = msgspec.structs.replace(course("c"), title=LocalizedText(en="Glass blowing by hand"), teaches=[])
    await catalog_store.put_course(None, SHARED_TENANT, glass, "")
    await catalog_store.put_framework(None, "agency", msgspec.convert(crafts("own", GLASS), Framework), "")
    entries = match_store.database["entries"]
    await entries.update_one({"_id": "agency/framework:own"}, {"$unset": {"shared_from": ""}})
    await entries.update_many({}, {"$unset": {"copies_due": ""}})
    await MatchingLoop(match_store, shipped()).once()
    assert await catalog_store.find("agency/c") is None
    for _ in range(2):  # the second start finds nothing to do
        await match_store.prepare()
        await MatchingLoop(match_store, shipped()).once()
        copied = await catalog_store.find("agency/c")
        assert copied is not None
        assert (copied.copied, copied.sequence, [match.key for match in copied.matches]) == (
            True,
            1,
            [("own", "glass")],
        )


async def test_no_matcher_is_built_while_nothing_waits(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_store, match_store = stores
    await catalog_store.put_course(None, SHARED_TENANT, course("c"), "")
    await catalog_store.put_framework(None, "agency", msgspec.convert(crafts("own", GLASS), Framework), "")
    read: list[str] = []

    async def framework(key: str) -> Framework | None:
        read.append(key)
        return await MatchStore.framework(match_store, key)

    monkeypatch.setattr(match_store, "framework", framework)
    await MatchingLoop(match_store, shipped()).once()
    assert "agency/framework:own" in read
    read.clear()
    await MatchingLoop(match_store, shipped()).once()
    assert read == []


@pytest.mark.parametrize("lost", ["sequence", "id", "content"])
@pytest.mark.parametrize("owner", [SHARED_TENANT, "agency"])
async def test_a_document_that_cannot_be_read_stops_no_copy_of_another_course(
    stores: tuple[CatalogStore, MatchStore], owner: str, lost: str
) -> None:
    catalog_store, match_store = stores
    for name in ("bad", "good"):
        one = msgspec.structs.replace(course(name), title=LocalizedText(en="Glass blowing by hand"), teaches=[])
        await catalog_store.put_course(None, SHARED_TENANT, one, "")
    await catalog_store.put_course(None, "agency", course("bad"), "")
    framework = msgspec.convert(crafts("own", GLASS), Framework)
    await catalog_store.put_framework(None, "agency", framework, "")
    entries = match_store.database["entries"]
    await entries.update_one({"_id": f"{owner}/bad"}, {"$unset": {lost: "", "withdrawn": ""}})
    await MatchingLoop(match_store, shipped()).once()
    found = await match_store.find("agency", "good")
    assert found is not None
    assert [match.key for match in found.matches] == [("own", "glass")]
    assert await entries.count_documents({"copies_due": True}) == 0


async def test_rows_of_a_skill_that_a_version_maps_away_are_carried_to_its_successor(
    agency: Agency, announced: Topic
) -> None:
    tiles = {"id": "tiles", "area": "crafts", "title": {"en": "Ceramic tiles"}}
    await agency.frame(crafts("own", GLASS, tiles))
    glass, old = row("own", "glass", 0, 2), row("own", "tiles", 1, 3)
    await agency.course("before", glass, old, title={"en": "Saturday workshop"})
    await agency.course("decided", title={"en": "Ceramic tiles"})
    await agency.matches("before")
    await agency.decide("decided", "confirm", "own", "tiles")
    await agency.frame(crafts("own", GLASS, POTTERY, mappings=[{"origin": "tiles", "target": "pottery"}]), 200)
    found = (await agency.matches("before"))["own", "pottery"]
    assert (found["source"], found["from"], found["to"]) == ("mapped", 1.0, 3.0)
    carried = row("own", "pottery", 1.0, 3.0) | {"mapped_from": "own/tiles"}
    assert await agency.taught("before") == [glass, old, carried]
    event = (await announced.of(f"{agency.tenant}/before", 2))[-1]
    assert isinstance(event.data, CoursePublished)
    assert msgspec.to_builtins(event.data.course.teaches) == [glass, old, carried]
    assert {(one["skill"], one.get("mapped_from")) for one in await agency.taught("decided")} == {
        ("tiles", None),
        ("pottery", "own/tiles"),
    }
    await agency.course("later", old, title={"en": "Sunday workshop"})
    assert (await agency.matches("later"))["own", "pottery"]["mapped_from"]["skill"] == "tiles"
    await agency.frame(crafts("own", GLASS, POTTERY, tiles), 200)
    assert await agency.matches("before") == {}
    assert await agency.taught("before") == [glass, old]


async def test_a_mapped_row_can_be_confirmed_and_stated_skills_win(agency: Agency) -> None:
    await agency.frame(crafts("other", GLASS))
    await agency.frame(crafts("agency", GLASS, POTTERY, relations=[same("glass", "other/glass")]))
    given = row("other", "glass", 1, 2)
    await agency.course("mapped", given)
    assert (await agency.matches("mapped"))["agency", "glass"]["source"] == "mapped"
    await agency.decide("mapped", "confirm", "agency", "glass")
    assert await agency.taught("mapped") == [given, row("agency", "glass", 1.0, 2.0)]
    own = row("agency", "pottery", 0, 4)
    await agency.course("mapped", given, own, status=200)
    assert await agency.taught("mapped") == [given, own]


async def test_a_mapping_from_a_framework_without_levels_is_sure_of_the_skill_alone(agency: Agency) -> None:
    address = "http://data.europa.eu/esco/skill/53f2a1c0-3e86-4ffc-b5d0-4f8f5e3d2f11"
    key = address.rpartition("/")[2]
    await agency.frame(crafts("agency", GLASS, relations=[same("glass", address)]))
    given = row("esco", key)
    await agency.course("silent", given, title={"en": "Saturday workshop"}, educational_level="beginner")
    found = (await agency.matches("silent"))["agency", "glass"]
    assert (found["source"], found["confidence"], found["mapped_from"]["skill"]) == ("matched", 1.0, key)
    assert found["from"] < found["to"] <= 2.0
    shown = await agency.ask("GET", "/v1/courses/silent")
    assert shown["teaches"] == [given]
    assert [(one["skill"], one["confidence"] < 1, one["mapped_from"]) for one in shown["matched"]] == [
        ("glass", True, f"esco/{key}")
    ]


async def test_a_path_in_a_tenants_own_framework_comes_from_a_course_with_skills_of_esco(
    agency: Agency, announced: Topic
) -> None:
    own = crafts("agency", GLASS, POTTERY, relations=[same("pottery", "esco/0a1b2c3d")])
    await agency.frame(own)
    await agency.course("by-hand", row("esco", "blow-glass"), row("esco", "0a1b2c3d"))
    await agency.matches("by-hand")
    sequence = (await agency.ask("GET", "/v1/courses/by-hand/matches"))["revision"]
    event = await announced.newest(f"{agency.tenant}/by-hand", sequence)
    assert isinstance(event.data, CoursePublished)
    framework = msgspec.convert(own | {"version": 1}, Framework)
    plan = msgspec.structs.replace(inputs(framework), job_group="everybody")
    view = view_of([event.data.course])
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    (step,) = path.steps
    assert {one.skill for one in step.closes} == {"glass", "pottery"}
    assert all(one.confidence is not None for one in step.closes)


async def test_the_command_matches_again_whatever_lacks_rows_in_a_framework(agency: Agency) -> None:
    await agency.frame(crafts("national", GLASS))
    await agency.frame(crafts("agency", GLASS))
    await agency.course("by-hand", row("national", "glass"))
    await agency.matches("by-hand")
    assert isinstance(agency.service.settings, CatalogSettings)
    assert await match(agency.service.settings) >= 1
    assert set(await agency.matches("by-hand")) == {("agency", "glass")}


async def test_tenants_share_the_matcher_of_a_framework_until_their_known_courses_differ(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_store, match_store = stores
    shared = msgspec.convert(crafts("shared-crafts", GLASS), Framework)
    await catalog_store.put_framework(None, SHARED_TENANT, shared, "")
    cache = MatcherCache(match_store, shipped())
    one, other = [(await cache.of(tenant)).matchers["shared-crafts"] for tenant in ("one", "other")]
    assert one is other
    assert (await cache.of("one")).matchers["shared-crafts"] is one
    taught = msgspec.convert([row("shared-crafts", "glass", 0, 2)], list[Teaches])
    await catalog_store.put_course(None, "one", msgspec.structs.replace(course("c"), teaches=taught), "")
    monkeypatch.setattr(matcher_cache, "KEEP_SECONDS", -1.0)
    monkeypatch.setattr(matcher_cache, "KEEP_TIMES", -1)
    cache = MatcherCache(match_store, shipped())
    one, other = [(await cache.of(tenant)).matchers["shared-crafts"] for tenant in ("one", "other")]
    assert one is not other
    matcher = weakref.ref(one)
    del one, other
    cache.drop_unused()
    assert matcher() is None


async def test_matchers_of_other_tenants_are_dropped_before_one_is_made_that_needs_their_room(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_store, match_store = stores
    for tenant in ("one", "other"):
        await catalog_store.put_framework(None, tenant, msgspec.convert(crafts("own", GLASS), Framework), "")
    monkeypatch.setattr(matcher_cache, "_KEPT_SKILLS", 1)
    cache = MatcherCache(match_store, shipped())
    first = weakref.ref((await cache.of("one")).matchers["own"])
    assert first() is not None
    alive: list[bool] = []

    class Watched(Matcher):
        def __init__(self, *given: Any) -> None:
            alive.append(first() is not None)
            super().__init__(*given)

    monkeypatch.setattr(matcher_cache, "Matcher", Watched)
    assert (await cache.of("other")).matchers["own"].size == 1
    assert alive == [False]


async def test_a_new_version_of_a_framework_has_a_matcher_of_its_own(stores: tuple[CatalogStore, MatchStore]) -> None:
    catalog_store, match_store = stores
    first = await catalog_store.put_framework(None, "one", msgspec.convert(crafts("own", GLASS), Framework), "")
    cache = MatcherCache(match_store, shipped())
    assert (await cache.of("one")).matchers["own"].size == 1
    await catalog_store.put_framework(first, "one", msgspec.convert(crafts("own", GLASS, POTTERY), Framework), "")
    assert (await cache.of("one")).matchers["own"].size == 2
