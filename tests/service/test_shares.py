"""Share links and what supervisors read: bounded, hashed, ended and erased; by consent of the officer or by policy."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.assessment.api.context import CONTEXT
from services.assessment.store import OfficerStore
from shared.auth import StoredKey
from shared.mongo import KeyStore
from tests.support.all_services import HERE, Services
from tests.support.builders import unique
from tests.support.services import Started
from tests.support.waiting import until


async def shared(services: Services, officer: str = HERE, days: Any = 7, **options: Any) -> tuple[int, dict[str, Any]]:
    """Make a share link with the officer's key."""
    assessment = services["assessment"]
    got = await assessment.ask(
        "POST", f"/v1/officers/{officer}/shares", "officer", officer=officer, json={"days": days}, **options
    )
    return got.status, await got.json()


async def open_shares(services: Services, officer: str = HERE) -> list[dict[str, Any]]:
    got = await services["assessment"].ask("GET", f"/v1/officers/{officer}/shares", "officer", officer=officer)
    found: list[dict[str, Any]] = (await got.json())["shares"]
    return found


async def end_all(services: Services, officer: str = HERE) -> None:
    for one in await open_shares(services, officer):
        got = await services["assessment"].ask("DELETE", f"/v1/officers/{officer}/shares/{one['share']}")
        assert got.status == 204


async def opens(services: Services, key: str, officer: str = HERE) -> int:
    """Return the status of reading the path with the key of a link."""
    headers = {"Authorization": f"Bearer {key}"}
    got = await services["recommender"].ask("GET", f"/v1/officers/{officer}/path", None, headers=headers)
    return got.status


@pytest.fixture(autouse=True)
async def nothing_shared(services: Services) -> AsyncIterator[None]:
    """End the links that a test leaves."""
    yield
    await documents(services).delete_many({"role": "viewer"})


async def planned(services: Services, agency: str = "north") -> str:
    """Return a new officer who has a path."""
    officer = unique("officer")
    body = {"job_group": "service", "agency": agency}
    assert (await services["assessment"].ask("PUT", f"/v1/officers/{officer}", json=body)).status == 201

    async def has_a_path() -> bool:
        return (await services["recommender"].ask("GET", f"/v1/officers/{officer}/path")).status == 200

    await until(has_a_path)
    return officer


def documents(services: Services) -> Any:
    return services["assessment"].database("access")["keys"]


async def test_a_link_opens_the_path_until_the_officer_ends_it(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    status, made = await shared(services)
    assert status == 201
    expires_at = datetime.fromisoformat(made["expires_at"])
    assert timedelta(days=6, hours=23) < expires_at - datetime.now(UTC) <= timedelta(days=7)
    assert await opens(services, made["key"]) == 200
    [listed] = await open_shares(services)
    assert (listed["share"], listed["expires_at"]) == (made["share"], made["expires_at"])
    assert "key" not in listed
    secret = made["key"].partition(".")[2]
    stored = await documents(services).find_one({"_id": made["share"]})
    assert secret not in str(stored)
    assert stored["remove_at"] > stored["expires_at"]
    path = f"/v1/officers/{HERE}/shares/{made['share']}"
    own = {"Authorization": f"Bearer {made['key']}"}
    assert (await services["assessment"].ask("DELETE", path, None, headers=own)).status == 403
    for role, officer in (("officer", "else"), ("supervisor", None)):
        got = await services["assessment"].ask("DELETE", path, role, officer=officer)  # type: ignore[arg-type]
        assert got.status in (403, 404)
    assert (await services["assessment"].ask("DELETE", path, "officer", officer=HERE)).status == 204
    assert (await services["assessment"].ask("DELETE", path, "officer", officer=HERE)).status == 404
    assert await open_shares(services) == []

    async def is_refused() -> bool:
        return await opens(services, made["key"]) == 401

    await until(is_refused)
    assert secret not in caplog.text


async def test_a_link_brings_the_names_and_the_weekly_hours_that_its_page_shows(services: Services) -> None:
    officer = await planned(services)
    _, made = await shared(services, officer)
    headers = {"Authorization": f"Bearer {made['key']}"}
    path = f"/v1/officers/{officer}/path"

    async def read(**query: str) -> tuple[str, dict[str, Any]]:
        got = await services["recommender"].ask("GET", path, None, headers=headers, params=query)
        assert got.status == 200, await got.text()
        return got.headers["ETag"], await got.json()

    plain, answer = await read()
    assert "context" not in answer
    tag, answer = await read(context="true", lang="th,en")
    assert tag != plain
    assert answer["context"]["weekly_hours"] is None
    part = answer["context"]["framework"]
    assert [area["id"] for area in part["areas"]] == ["area"]
    assert [level["title"]["en"] for level in part["scale"]] == [f"About level {level}" for level in range(6)]
    body = {"job_group": "service", "agency": "north", "weekly_hours": 4.5}
    assert (await services["assessment"].ask("PUT", f"/v1/officers/{officer}", json=body)).status == 200

    async def shows_new_hours() -> bool:
        return bool((await read(context="true"))[1]["context"]["weekly_hours"] == 4.5)

    await until(shows_new_hours)
    headers["If-None-Match"] = tag
    assert (await read(context="true"))[0] != tag
    for wrong in ("yes", "", "null"):
        got = await services["recommender"].ask("GET", path, None, headers=headers, params={"context": wrong})
        assert (got.status, (await got.json())["field"]) == (422, "context")


@pytest.mark.parametrize("days", [0, 91, -1, 1.5, "7", None, True])
async def test_how_long_a_link_works_is_bounded(services: Services, days: Any) -> None:
    status, problem = await shared(services, days=days)
    assert (status, problem["field"]) == (422, "days")
    assert await open_shares(services) == []


async def test_at_most_ten_links_are_open_under_concurrent_requests(services: Services) -> None:
    officer = await planned(services)
    answers = await asyncio.gather(*(shared(services, officer) for _ in range(14)))
    assert {status for status, _ in answers} <= {201, 409}
    made = [answer["share"] for status, answer in answers if status == 201]
    assert {one["share"] for one in await open_shares(services, officer)} == set(made)
    while (await shared(services, officer))[0] == 201:
        assert len(await open_shares(services, officer)) <= 10
    assert len(await open_shares(services, officer)) == 10


async def test_an_expired_link_does_not_work_and_is_not_listed(services: Services) -> None:
    _, made = await shared(services)
    past = {"$set": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}}
    await documents(services).update_one({"_id": made["share"]}, past)
    assert await opens(services, made["key"]) == 401
    assert await open_shares(services) == []
    assert not await documents(services).count_documents(
        {"_id": made["share"], "expires_at": {"$gt": datetime.now(UTC)}}
    )


async def test_through_the_portal_a_link_that_is_over_or_of_an_erased_officer_opens_nothing(services: Services) -> None:
    expired, erased = await planned(services), await planned(services)
    keys = {officer: (await shared(services, officer))[1]["key"] for officer in (expired, erased)}
    past = {"$set": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}}

    async def status_of(officer: str) -> int:
        headers = {"Authorization": f"Bearer {keys[officer]}"}
        return (await services["portal"].client.get(f"/api/v1/officers/{officer}/path", headers=headers)).status

    async def is_refused(officer: str) -> bool:
        return await status_of(officer) == 401  # before: 200, or 404 if the path is deleted before the key

    assert [await status_of(officer) for officer in keys] == [200, 200]
    await documents(services).update_one({"officer": expired, "role": "viewer"}, past)
    assert (await services["assessment"].ask("DELETE", f"/v1/officers/{erased}")).status == 204
    for officer in keys:
        await until(lambda officer=officer: is_refused(officer))


async def test_a_link_with_another_secret_or_officer_does_not_work(services: Services) -> None:
    other = await planned(services)
    _, made = await shared(services, other)
    key_id, _, secret = made["key"].partition(".")
    assert await opens(services, f"{key_id}.{secret[:-1]}", other) == 401
    assert await opens(services, made["key"], HERE) == 404
    assert await opens(services, made["key"], other) == 200


async def test_the_key_of_a_link_signs_nobody_in(services: Services) -> None:
    _, made = await shared(services)
    got = await services["portal"].client.post("/session", json={"key": made["key"]})
    assert (got.status, got.cookies) == (403, {})
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert (await services["portal"].client.get("/session", headers=headers)).status == 403
    start = await services["portal"].client.get("/session/start", headers=headers)
    assert (await start.json())["session"] is None


async def test_an_erasure_deletes_the_links(services: Services) -> None:
    officer = await planned(services)
    _, made = await shared(services, officer)
    assert (await services["assessment"].ask("DELETE", f"/v1/officers/{officer}")).status == 204
    assert await documents(services).count_documents({"officer": officer, "role": "viewer"}) == 0

    async def is_refused() -> bool:
        return await opens(services, made["key"], officer) == 401

    await until(is_refused)


def before(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, first: Callable[[], Awaitable[object]]) -> None:
    """Have something done, once, just before a method of a store."""
    method, left = getattr(owner, name), [first]

    async def gated(self: Any, *args: Any, **options: Any) -> Any:
        if left:
            await left.pop()()
        return await method(self, *args, **options)

    monkeypatch.setattr(owner, name, gated)


async def test_a_link_created_during_an_erasure_is_removed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = await planned(services), await planned(services)
    assessment = services["assessment"]

    async def erased() -> None:
        assert (await assessment.ask("DELETE", f"/v1/officers/{early}")).status == 204

    assert isinstance(assessment.client.app[CONTEXT].keys, KeyStore)
    with monkeypatch.context() as patched:  # the officer is gone just before the key is stored
        await assessment.key("officer", officer=early)
        before(patched, KeyStore, "create", erased)
        status, problem = await shared(services, early)
    assert (status, problem["detail"]) == (404, "no such officer")
    assert isinstance(assessment.client.app[CONTEXT].store, OfficerStore)
    with monkeypatch.context() as patched:  # the key is stored just before the officer is gone
        before(patched, OfficerStore, "erase", lambda: _stored(assessment, late))
        assert (await assessment.ask("DELETE", f"/v1/officers/{late}")).status == 204
    for officer in (early, late):
        assert await documents(services).count_documents({"officer": officer, "role": "viewer"}) == 0


async def _stored(assessment: Started, officer: str) -> None:
    """Store a link's key as another process does whose clock is ahead."""
    key = StoredKey(unique("key"), "digest", "agency", "viewer", officer, datetime.now(UTC) + timedelta(days=1))
    await KeyStore(assessment.mongodb, assessment.settings).create(key)


# --- supervisors -----------------------------------------------------------------------------------------------------


async def reads(services: Services, officer: str, agency: str = "north", tenant: str = "agency") -> int:
    recommender = services["recommender"]
    got = await recommender.ask("GET", f"/v1/officers/{officer}/path", "supervisor", agency=agency, tenant=tenant)
    return got.status


async def listed(services: Services, agency: str = "north", **query: Any) -> dict[str, Any]:
    got = await services["recommender"].ask(
        "GET", f"/v1/agencies/{agency}/paths", "supervisor", agency=agency, params=query
    )
    found: dict[str, Any] = await got.json()
    return found


async def sets(services: Services, paths: str, **options: Any) -> int:
    got = await services["recommender"].ask("PUT", "/v1/supervision", json={"paths": paths}, **options)
    return got.status


async def test_a_supervisor_reads_only_paths_that_officers_of_the_agency_share(services: Services) -> None:
    mine, silent, elsewhere = await planned(services), await planned(services), await planned(services, "south")
    assert [await reads(services, one) for one in (mine, silent, elsewhere, "nobody")] == [404] * 4
    _, made = await shared(services, mine, days=3)
    await shared(services, elsewhere)
    assert [await reads(services, one) for one in (mine, silent, elsewhere)] == [200, 404, 404]
    assert await reads(services, elsewhere, "south") == 200
    assert await reads(services, mine, tenant="stranger") == 404
    found = await listed(services)
    assert (found["agency"], found["paths"], [one["officer"] for one in found["officers"]]) == (
        "north",
        "shared",
        [mine],
    )
    assert found["officers"][0]["shared_until"] == made["expires_at"]
    assert found["officers"][0]["job_group"] == "service"
    await end_all(services, mine)
    assert await reads(services, mine) == 404
    assert (await listed(services))["officers"] == []
    got = await services["recommender"].ask("GET", "/v1/agencies/south/paths", "supervisor")
    assert got.status == 404


async def test_the_tenants_policy_lets_supervisors_read_all_paths_and_is_off_by_default(
    services: Services,
) -> None:
    silent, elsewhere = await planned(services), await planned(services, "south")
    policy = await services["recommender"].ask("GET", "/v1/supervision")
    assert await policy.json() == {"paths": "shared"}
    assert await sets(services, "all") == 403  # a platform does not set it
    assert await sets(services, "all", role="supervisor") == 403
    assert await sets(services, "everything", role="admin") == 422
    try:
        assert await sets(services, "all", role="admin", tenant="stranger") == 200
        assert await reads(services, silent) == 404  # another tenant's policy
        assert await sets(services, "all", role="admin") == 200
        assert [await reads(services, one) for one in (silent, elsewhere)] == [200, 404]
        found = await listed(services)
        assert silent in [one["officer"] for one in found["officers"]]
        assert elsewhere not in [one["officer"] for one in found["officers"]]
        assert {one["shared_until"] for one in found["officers"]} == {None}
        pages, after = [], None
        while True:
            page = await listed(services, limit=1, **({"after": after} if after else {}))
            pages += [one["officer"] for one in page["officers"]]
            if (after := page["next"]) is None:
                break
        assert pages == [one["officer"] for one in found["officers"]]
    finally:
        assert await sets(services, "shared", role="admin") == 200
    assert await reads(services, silent) == 404


async def test_an_officer_who_moves_is_visible_only_to_the_new_agencys_supervisors(services: Services) -> None:
    officer = await planned(services)
    await shared(services, officer)
    body = {"job_group": "service", "agency": "south"}
    assert (await services["assessment"].ask("PUT", f"/v1/officers/{officer}", json=body)).status == 200

    async def has_moved() -> bool:
        return await reads(services, officer, "south") == 200

    await until(has_moved)
    assert await reads(services, officer) == 404
