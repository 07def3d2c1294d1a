"""Item banks over HTTP: drafts, versions that never change, files with a verdict on every item."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.assessment.api import item_banks
from services.assessment.api.context import CONTEXT
from services.assessment.item_bank import store
from tests.support.assessment import assessment_service
from tests.support.builders import FRAMEWORK, MOMENT, unique
from tests.support.services import Started

SERVICE = assessment_service


def item(name: str, **changes: Any) -> dict[str, Any]:
    options = [{"th": "ไม่", "en": "no"}, {"th": "ใช่", "en": "yes"}]
    stem = {"th": f"ถาม {name}", "en": f"ask {name}"}
    given = {"id": name, "skill": "reading", "kind": "choice", "level": 1, "stem": stem, "options": options, "key": 1}
    return given | changes


def bank(*names: str, **changes: Any) -> dict[str, Any]:
    return {"framework": FRAMEWORK, "title": {"en": "Bank"}, "items": [item(name) for name in names]} | changes


async def answer_of(service: Started, method: str, path: str, **options: Any) -> tuple[int, Any]:
    got = await service.ask(method, f"/v1/item-banks{path}", options.pop("role", "admin"), **options)
    return got.status, await got.json() if got.status not in (204, 304) else None


async def test_a_draft_becomes_a_version_that_never_changes(service: Started) -> None:
    name = unique("bank")
    status, put = await answer_of(service, "PUT", f"/{name}", json=bank("a", "b"))
    assert (status, put) == (201, {"id": name, "status": "draft", "version": 0, "items": 2, "changed": True})
    assert (await answer_of(service, "PUT", f"/{name}", json=bank("a", "b")))[1]["changed"] is False
    assert (await answer_of(service, "GET", f"/{name}?version=1"))[0] == 404
    status, put = await answer_of(service, "POST", f"/{name}:publish")
    assert (status, put["status"], put["version"], put["changed"]) == (200, "published", 1, True)
    first = await answer_of(service, "GET", f"/{name}?version=1")
    status, put = await answer_of(service, "PUT", f"/{name}", json=bank("a", "c", "d"))
    assert (status, put["version"], put["status"]) == (201, 1, "draft")
    assert (await answer_of(service, "POST", f"/{name}:publish"))[1]["version"] == 2
    assert await answer_of(service, "GET", f"/{name}?version=1") == first
    status, page = await answer_of(service, "GET", f"/{name}?after=1&limit=1")
    assert ([one["id"] for one in page["items"]], page["next"], page["version"]) == (["c"], 2, 2)
    await answer_of(service, "PUT", f"/{name}", json=bank("a", "c", "d"))
    assert (await answer_of(service, "POST", f"/{name}:publish"))[1] == {
        "id": name, "status": "published", "version": 2, "items": 3, "changed": False,
    }  # fmt: skip
    assert (await answer_of(service, "DELETE", f"/{name}/draft"))[0] == 404


async def test_the_first_fault_of_a_draft_is_reported_by_field(service: Started) -> None:
    for changed, field in (
        ({"skill": "cooking"}, "items[1].skill"),
        ({"key": 7}, "items[1].key"),
        ({"id": "a"}, "items[1].id"),
        ({"stem": {"th": "ไทย"}}, "items[1].stem.en"),
        ({"stem": {"th": "\u200b", "en": "x"}}, "items[1].stem.th"),
    ):
        body = bank("a") | {"items": [item("a"), item("b", **changed)]}
        status, problem = await answer_of(service, "PUT", f"/{unique('bank')}", json=body)
        assert (status, problem["field"]) == (422, field)
    status, problem = await answer_of(service, "PUT", f"/{unique('bank')}", json=bank("a", framework="absent"))
    assert (status, problem["field"]) == (422, "framework")


async def test_only_admins_see_banks_and_only_their_own_and_shared_ones(service: Started) -> None:
    name = unique("bank")
    await answer_of(service, "PUT", f"/{name}", json=bank("a"), tenant="shared")
    assert (await answer_of(service, "GET", f"/{name}"))[0] == 404
    await answer_of(service, "POST", f"/{name}:publish", tenant="shared")
    status, page = await answer_of(service, "GET", f"/{name}")
    assert (status, page["items"][0]["key"]) == (200, 1)
    for role, officer in (("platform", None), ("officer", "o1"), ("supervisor", None)):
        assert (await answer_of(service, "GET", f"/{name}", role=role, officer=officer))[0] == 403
    listed = (await answer_of(service, "GET", f"?after={name[:-1]}&limit=500"))[1]["item_banks"]
    assert [(one["id"], one["shared"]) for one in listed if one["id"] == name] == [(name, True)]
    await answer_of(service, "PUT", f"/{name}", json=bank("own"))
    await answer_of(service, "POST", f"/{name}:publish")
    listed = (await answer_of(service, "GET", f"?after={name[:-1]}&limit=500"))[1]["item_banks"]
    assert [(one["id"], one["shared"]) for one in listed if one["id"] == name] == [(name, False)]


async def test_a_retired_bank_is_no_longer_the_one_of_its_framework(service: Started) -> None:
    store, tenant, name = service.client.app[CONTEXT].banks, unique("tenant"), unique("bank")
    assert await store.current(tenant, "other") is None
    await answer_of(service, "PUT", f"/{name}", json=bank("a"), tenant=tenant)
    await answer_of(service, "POST", f"/{name}:publish", tenant=tenant)
    found = await store.current(tenant, FRAMEWORK)
    assert found is not None
    assert (found.bank, found.version, (await store.whole(found)).status) == (name, 1, "published")
    await answer_of(service, "PUT", f"/{name}", json=bank("a", retired=True), tenant=tenant)
    assert (await answer_of(service, "POST", f"/{name}:publish", tenant=tenant))[1]["status"] == "retired"
    found = await store.current(tenant, FRAMEWORK)
    assert found is None or found.bank != name
    stored = await store.version(tenant, name, 1)
    assert stored is not None
    assert (await store.whole(stored)).status == "published"


async def test_the_bank_published_last_is_the_one_of_its_framework_by_any_clock(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank_store, tenant = service.client.app[CONTEXT].banks, unique("tenant")

    async def publish(name: str, at: datetime) -> None:
        monkeypatch.setattr(store, "datetime", SimpleNamespace(now=lambda _: at))
        await answer_of(service, "PUT", f"/{name}", json=bank("a"), tenant=tenant)
        assert (await answer_of(service, "POST", f"/{name}:publish", tenant=tenant))[0] == 200
        current = await bank_store.current(tenant, FRAMEWORK)
        assert current is not None
        assert current.bank == name

    for name in ("former-1", "former-2"):  # as an earlier release stored them: without a number
        await publish(name, MOMENT + timedelta(days=int(name[-1])))
    await bank_store._versions.update_many({"tenant": tenant}, {"$unset": {"publication": ""}})
    current = await bank_store.current(tenant, FRAMEWORK)
    assert current is not None
    assert current.bank == "former-2"
    for days, name in enumerate(("first", "second", "third")):
        await publish(name, MOMENT - timedelta(days=days))


async def test_a_stale_tag_changes_nothing(service: Started) -> None:
    name = unique("bank")
    await answer_of(service, "PUT", f"/{name}", json=bank("a"))
    tag = (await service.ask("GET", f"/v1/item-banks/{name}", "admin")).headers["ETag"]
    assert (await answer_of(service, "PUT", f"/{name}", json=bank("b"), headers={"If-None-Match": "*"}))[0] == 412
    assert (await answer_of(service, "PUT", f"/{name}", json=bank("b"), headers={"If-Match": tag}))[0] == 200
    assert (await answer_of(service, "PUT", f"/{name}", json=bank("c"), headers={"If-Match": tag}))[0] == 412
    assert (await answer_of(service, "POST", f"/{name}:publish", headers={"If-Match": tag}))[0] == 412
    fresh = (await service.ask("GET", f"/v1/item-banks/{name}", "admin")).headers["ETag"]
    assert (await answer_of(service, "GET", f"/{name}", headers={"If-None-Match": fresh}))[0] == 304


async def test_concurrent_publications_make_one_complete_version(service: Started) -> None:
    name = unique("bank")
    await answer_of(service, "PUT", f"/{name}", json=bank(*(f"i{n}" for n in range(50))))
    answers = await asyncio.gather(
        *(answer_of(service, "POST", f"/{name}:publish") for _ in range(4)),
        *(answer_of(service, "PUT", f"/{name}", json=bank(*(f"j{n}" for n in range(40)))) for _ in range(2)),
    )
    assert {status for status, _ in answers} <= {200, 201, 404, 409}
    for version in (1, 2):
        status, page = await answer_of(service, "GET", f"/{name}?version={version}&limit=1000")
        if status == 200:
            assert len(page["items"]) in (40, 50)
            assert page["next"] is None


async def test_a_page_of_long_items_holds_fewer_of_them(service: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    name = unique("bank")
    await answer_of(service, "PUT", f"/{name}", json=bank("a", "b", "c"))

    async def listed(after: int) -> tuple[list[str], int | None]:
        status, page = await answer_of(service, "GET", f"/{name}?limit=3&after={after}")
        assert status == 200
        return [one["id"] for one in page["items"]], page["next"]

    assert await listed(0) == (["a", "b", "c"], None)
    monkeypatch.setattr(item_banks, "PAGE_BYTES", 1)
    assert [await listed(after) for after in (0, 1, 2)] == [(["a"], 1), (["b"], 2), (["c"], None)]
    exported = await service.ask("GET", f"/v1/item-banks/{name}:export?format=json", "admin")
    assert [one["id"] for one in (await exported.json())["items"]] == ["a", "b", "c"]


async def test_an_interrupted_publication_is_completed_by_the_next_change(service: Started) -> None:
    name, store = unique("bank"), service.client.app[CONTEXT].banks
    await answer_of(service, "PUT", f"/{name}", json=bank("a"))
    draft = await store.draft("agency", name)
    assert draft is not None
    await store._drafts.update_one({"_id": draft.key}, {"$set": {"publishing": True}})
    status, put = await answer_of(service, "PUT", f"/{name}", json=bank("b"))
    assert (status, put["version"]) == (201, 1)
    assert [one["id"] for one in (await answer_of(service, "GET", f"/{name}?version=1"))[1]["items"]] == ["a"]


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "csv", "qti"])
async def test_an_exported_bank_is_imported_unchanged_and_changed_items_are_reported(
    service: Started, form: str
) -> None:
    name, copy = unique("bank"), unique("copy")
    await answer_of(service, "PUT", f"/{name}", json=bank("a", "b", "c"))
    got = await service.ask("GET", f"/v1/item-banks/{name}:export?format={form}", "admin")
    raw = await got.read()
    assert got.status == 200
    path = f"/{copy}:import?format={form}&framework={FRAMEWORK}&title_en=Copy"
    status, report = await answer_of(service, "POST", f"{path}&dry_run=true", data=raw)
    assert (status, report["status"], report["created"]) == (200, "checked", 3)
    assert (await answer_of(service, "GET", f"/{copy}"))[0] == 404
    status, report = await answer_of(service, "POST", f"{path}&publish=true", data=raw)
    assert (status, report["status"], report["version"]) == (200, "published", 1)
    status, report = await answer_of(service, "POST", f"{path}&publish=true", data=raw)
    assert (status, report["status"], report["unchanged"], report["version"]) == (200, "unchanged", 3, 1)
    await answer_of(service, "PUT", f"/{name}", json=bank("a", "x"))
    raw = await (await service.ask("GET", f"/v1/item-banks/{name}:export?format={form}", "admin")).read()
    status, report = await answer_of(service, "POST", path, data=raw)
    assert (report["status"], report["created"], report["unchanged"], report["removed"]) == ("drafted", 1, 1, 2)


async def test_a_file_with_a_fault_stores_nothing_and_reports_every_fault(service: Started) -> None:
    name = unique("bank")
    good, bad = item("good"), item("bad", skill="cooking", key=9)
    raw = bank() | {"items": [good, bad, {"id": "worse"}, item("good")]}
    status, problem = await answer_of(service, "POST", f"/{name}:import?format=json", json=raw)
    assert status == 422
    verdicts = problem["report"]["items"]
    assert [one["verdict"] for one in verdicts] == ["created", "refused", "refused", "refused"]
    assert {fault["field"] for fault in verdicts[1]["faults"]} == {"skill", "key"}
    assert "skill" in {fault["field"] for fault in verdicts[2]["faults"]}
    assert verdicts[3]["faults"][0]["detail"] == "is given twice, first as number 1"
    assert (await answer_of(service, "GET", f"/{name}"))[0] == 404
    status, report = await answer_of(service, "POST", f"/{name}:import?format=json&skip_refused=true", json=raw)
    assert (status, report["status"], report["refused"]) == (200, "drafted", 3)
    assert (await answer_of(service, "GET", f"/{name}"))[1]["items"] == [good | {"level": 1.0}]


async def test_a_new_bank_needs_a_framework_and_a_title(service: Started) -> None:
    raw = await (await service.ask("GET", f"/v1/item-banks/{await _one(service)}:export?format=csv", "admin")).read()
    for query, field in (("", "framework"), (f"&framework={FRAMEWORK}", "title_th")):
        status, problem = await answer_of(service, "POST", f"/{unique('bank')}:import?format=csv{query}", data=raw)
        assert (status, problem["field"]) == (422, field)


async def _one(service: Started) -> str:
    name = unique("bank")
    await answer_of(service, "PUT", f"/{name}", json=bank("a"))
    return name
