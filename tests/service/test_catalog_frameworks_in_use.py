"""Every framework in use gets proposals for every course that has no rows in it, on real servers."""

import msgspec
import pytest

from services.catalog.__main__ import match
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from services.catalog.store import CatalogStore
from shared.domain import SHARED_TENANT, Framework
from shared.settings import CatalogSettings
from tests.support.builders import course, unique
from tests.support.catalog import catalog
from tests.support.crafts import GLASS, POTTERY, Agency, crafts, row

SERVICE = catalog


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
    assert (await store.due("a", 100), await store.waiting(), (await store.whole("a"))[2]) == ([], 0, 0)
    await catalog_store.put_framework(None, "a", agency, "")
    waiting, told = [], [(await store.whole("a"))[2]]
    while await store.spread(3):  # it knows nothing but what is stored, so each call may be that of another process
        waiting.append(len(await store.due("a", 100)))
        told.append((await store.whole("a"))[2])
    assert (waiting, await store.waiting()) == ([3, 6, 7, 7], 7)
    assert told == [7] * 5, "courses that are not marked yet wait too"
    assert (await store.whole("b"))[2] == 0
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


async def test_the_command_matches_again_whatever_lacks_rows_in_a_framework(agency: Agency) -> None:
    await agency.frame(crafts("national", GLASS))
    await agency.frame(crafts("agency", GLASS))
    await agency.course("by-hand", row("national", "glass"))
    await agency.matches("by-hand")
    assert isinstance(agency.service.settings, CatalogSettings)
    assert await match(agency.service.settings) >= 1
    assert set(await agency.matches("by-hand")) == {("agency", "glass")}


async def test_what_courses_are_checked_against_stays_in_memory_for_the_frameworks_used_last(
    stores: tuple[CatalogStore, MatchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.catalog.store._KEPT_SCALES", 2)
    catalog_store, _ = stores
    for name in "abc":
        await catalog_store.put_framework(None, "t", msgspec.convert(crafts(name, GLASS), Framework), "")
    first = await catalog_store.framework_scales("t", "ab")
    again = await catalog_store.framework_scales("t", "a")
    assert again["a"] is first["a"]
    await catalog_store.framework_scales("t", "c")  # b was used least recently
    last = await catalog_store.framework_scales("t", "ab")
    assert last["a"] is first["a"]
    assert last["b"] is not first["b"]
    assert last == first


async def test_the_frameworks_that_a_course_names_are_looked_up_with_one_query(
    stores: tuple[CatalogStore, MatchStore],
) -> None:
    catalog_store, _ = stores
    await catalog_store.put_framework(None, "t", msgspec.convert(crafts("a", GLASS), Framework), "")
    admin = catalog_store._entries.database.client["admin"]

    async def queries() -> int:
        counted: int = (await admin.command("serverStatus"))["opcounters"]["query"]
        return counted

    before = await queries()
    found = await catalog_store.framework_scales("t", [*(f"f{number}" for number in range(1000)), "a"])
    assert list(found) == ["a"]
    assert await queries() - before < 1000  # other services of this process ask too
