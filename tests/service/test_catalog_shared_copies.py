"""Tenants with frameworks of their own get copies of the shared courses that match them, on real servers."""

import msgspec
import pytest

from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from services.catalog.store import CatalogStore
from shared.domain import SHARED_TENANT, Framework, LocalizedText
from shared.events import CoursePublished, CourseWithdrawn
from tests.support.builders import course, unique
from tests.support.catalog import catalog
from tests.support.crafts import GLASS, POTTERY, Agency, crafts, row
from tests.support.services import Topic

SERVICE = catalog


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
