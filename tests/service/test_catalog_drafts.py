"""Drafts of frameworks over HTTP: people first, then a version that never changes."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from services.catalog.api import drafts
from services.catalog.api.frameworks import store_framework
from services.catalog.store import CatalogStore
from shared.auth import issue
from shared.mongo import KeyStore
from tests.support.builders import FRAMEWORK, framework
from tests.support.catalog import catalog
from tests.support.services import Started, Topic, issue_key
from tests.support.waiting import until

SERVICE = catalog


KEYS: dict[tuple[int, str], str] = {}


async def key_of(service: Started, person: str) -> str:
    """Return the key of an editor."""
    place = id(service), person
    if place not in KEYS:
        KEYS[place] = await issue_key(service.mongodb, service.settings, "editor")
    return KEYS[place]


def body(name: str, **required: float) -> dict[str, Any]:
    return {"framework": msgspec.to_builtins(framework(required)) | {"id": name}, "by": "ann"}


async def answer_of(service: Started, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Return the answer to the person of `by`: everybody has a key of their own; without it, to the tenant's admin."""
    by = options.get("json", {}).get("by", "").strip()
    if by and "tenant" not in options:
        options["headers"] = {"Authorization": f"Bearer {await key_of(service, by)}"} | options.get("headers", {})
        got = await service.ask(method, f"/v1/frameworks/{path}", None, **options)
    else:
        got = await service.ask(method, f"/v1/frameworks/{path}", "admin", **options)
    return got.status, await got.json() if got.status != 204 else None


async def test_a_draft_is_signed_by_people_and_becomes_a_version(service: Started, announced: Topic) -> None:
    status, put = await answer_of(
        service, "PUT", "drafted/draft", json=body("drafted", cooking=2) | {"comment": "first"}
    )
    assert (status, put["revision"], put["state"], put["base_version"]) == (201, 1, "draft", 0)
    assert (await service.ask("GET", "/v1/frameworks/drafted")).status == 404
    assert (await answer_of(service, "GET", "drafted/draft", tenant="other"))[0] == 404
    assert (await service.ask("GET", "/v1/frameworks/drafted/draft", "platform")).status == 403
    status, problem = await answer_of(service, "POST", "drafted/draft:publish")
    assert (status, problem["field"]) == (409, "state")
    assert (await answer_of(service, "POST", "drafted/draft:approve", json={"by": "ben"}))[0] == 409
    assert (await answer_of(service, "POST", "drafted/draft:review", json={"by": " "}))[0] == 422
    assert (await answer_of(service, "POST", "drafted/draft:review", json={"by": "ben", "comment": "well"}))[0] == 200
    stale = await answer_of(service, "POST", "drafted/draft:approve", json={"by": "cat"}, headers={"If-Match": '"1"'})
    assert stale[0] == 412
    fresh = await answer_of(service, "POST", "drafted/draft:approve", json={"by": "cat"}, headers={"If-Match": '"2"'})
    assert (fresh[0], fresh[1]["state"]) == (200, "approved")
    status, impact = await answer_of(service, "GET", "drafted:impact")
    assert (status, impact["requirements"][0]["after"], impact["officers"]) == (200, 2, None)
    status, put = await answer_of(service, "POST", "drafted/draft:publish")
    assert (status, put) == (200, {"id": "drafted", "version": 1, "changed": True})
    assert (await answer_of(service, "GET", "drafted/draft"))[0] == 404
    assert await announced.of("agency/framework:drafted", 1)

    async def is_history() -> bool:
        return bool((await answer_of(service, "GET", "drafted/versions"))[1]["versions"])

    await until(is_history)
    (version,) = (await answer_of(service, "GET", "drafted/versions"))[1]["versions"]
    assert (version["version"], version["state"]) == (1, "published")
    assert [version[name]["by"] for name in ("proposed", "reviewed", "approved")] == ["ann", "ben", "cat"]
    assert [comment["comment"] for comment in version["comments"]] == ["first", "well"]
    status, published = await answer_of(service, "GET", f"drafted?catalog_revision={version['catalog_revision']}")
    assert (status, published.get("version")) == (200, 1), published
    others = await (await service.ask("GET", "/v1/frameworks/drafted/versions")).json()
    assert (others["versions"][0]["approved"], others["versions"][0]["comments"]) == (None, [])


async def approve(service: Started, name: str, **required: float) -> None:
    assert (await answer_of(service, "PUT", f"{name}/draft", json=body(name, **required)))[0] in (200, 201)
    for step, by in (("review", "ben"), ("approve", "cat")):
        assert (await answer_of(service, "POST", f"{name}/draft:{step}", json={"by": by}))[0] == 200


async def test_a_version_that_was_published_meanwhile_stops_the_draft(service: Started) -> None:
    await approve(service, "raced", cooking=2)
    direct = body("raced", cooking=1)["framework"]
    assert (await answer_of(service, "PUT", "raced", json=direct))[0] == 201
    status, problem = await answer_of(service, "POST", "raced/draft:publish")
    assert (status, problem["field"]) == (409, "base_version")
    assert (await answer_of(service, "GET", "raced:impact"))[1]["outdated"] is True
    await approve(service, "raced", cooking=2)
    assert (await answer_of(service, "POST", "raced/draft:publish"))[1]["version"] == 2
    assert (await answer_of(service, "DELETE", "raced/draft"))[0] == 404


@pytest.mark.parametrize("end", ["DELETE", "publish"])
async def test_a_revision_that_was_seen_is_never_that_of_a_later_draft(service: Started, end: str) -> None:
    name = f"seen-{end.lower()}"
    await approve(service, name, cooking=2)
    seen = {"headers": {"If-Match": '"2"'}}
    gone = ("DELETE", f"{name}/draft") if end == "DELETE" else ("POST", f"{name}/draft:publish")
    assert (await answer_of(service, *gone))[0] < 300
    assert (await answer_of(service, "GET", f"{name}/draft"))[0] == 404
    assert (await answer_of(service, "POST", f"{name}/draft:review", json={"by": "ben"}, **seen))[0] == 404
    put = await answer_of(service, "PUT", f"{name}/draft", json=body(name, cooking=1))
    assert (put[0], put[1]["revision"]) == (201, 4)
    assert (await answer_of(service, "POST", f"{name}/draft:comment", json={"by": "dan", "comment": "new"}))[0] == 200
    assert (await answer_of(service, "POST", f"{name}/draft:review", json={"by": "ben"}, **seen))[0] == 412
    got = await service.ask("GET", f"/v1/frameworks/{name}/draft", "admin", headers={"If-None-Match": '"2"'})
    assert (got.status, (await got.json())["revision"]) == (200, 5)


async def test_a_draft_that_two_publish_at_once_is_one_version(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    await approve(service, "both", cooking=2)
    gate, waiting = asyncio.Event(), 0

    async def both_have_checked(*given: Any) -> Any:
        nonlocal waiting
        waiting += 1
        if waiting == 2:
            gate.set()
        await gate.wait()
        return await store_framework(*given)

    monkeypatch.setattr(drafts, "store_framework", both_have_checked)
    answers = await asyncio.gather(*(answer_of(service, "POST", "both/draft:publish") for _ in range(2)))
    assert sorted((status, put["version"], put["changed"]) for status, put in answers) == [
        (200, 1, False),
        (200, 1, True),
    ]
    assert (await answer_of(service, "GET", "both/draft"))[0] == 404


async def test_an_interrupted_publication_is_completed(service: Started) -> None:
    await approve(service, "broken-off", cooking=2)
    published = body("broken-off", cooking=2)["framework"]
    assert (await answer_of(service, "PUT", "broken-off", json=published))[0] == 201  # as far as the first try came
    status, put = await answer_of(service, "POST", "broken-off/draft:publish")
    assert (status, put) == (200, {"id": "broken-off", "version": 1, "changed": False})
    assert (await answer_of(service, "GET", "broken-off/draft"))[0] == 404


async def test_a_tenant_drafts_its_own_version_of_a_shared_framework(service: Started) -> None:
    await approve(service, FRAMEWORK, cooking=2)
    assert (await answer_of(service, "POST", f"{FRAMEWORK}/draft:publish"))[1]["version"] == 1
    assert (await answer_of(service, "GET", FRAMEWORK, tenant="other"))[1]["requirements"] != []


async def test_a_first_version_of_a_shared_framework_is_compared_with_the_shared_one(service: Started) -> None:
    shared = (await answer_of(service, "GET", FRAMEWORK, tenant="newcomer"))[1]
    (row, *others) = shared["requirements"]
    wanted = {name: value for name, value in shared.items() if name not in ("version", "tenant")}
    wanted["requirements"] = [row | {"level": row["level"] - 1}, *others]
    status, put = await answer_of(
        service, "PUT", f"{FRAMEWORK}/draft", json={"framework": wanted, "by": "ann"}, tenant="newcomer"
    )
    assert status == 201, put
    _, impact = await answer_of(service, "GET", f"{FRAMEWORK}:impact", tenant="newcomer")
    (change,) = impact["requirements"]
    assert (change["before"], change["after"]) == (row["level"], row["level"] - 1)
    assert impact["skills_added"] == impact["job_groups_added"] == []
    assert (impact["version"], impact["outdated"], impact["scale_changed"]) == (0, False, False)


async def test_another_scale_is_reported_before_publishing_and_in_the_answer(service: Started) -> None:
    first = body("rescaled", cooking=2)["framework"]
    status, put = await answer_of(service, "PUT", "rescaled", json=first)
    assert (status, "scale_changed" in put) == (201, False)
    wider = first | {"scale": [*first["scale"], {"level": 7, "title": {"en": "Level 7"}}]}
    status, answer = await answer_of(service, "PUT", "rescaled/draft", json={"framework": wider, "by": "ann"})
    assert status == 201, answer
    _, impact = await answer_of(service, "GET", "rescaled:impact")
    assert impact["scale_changed"] is True
    assert "0-5 (6 levels) to 0-7 (7 levels)" in impact["scale_note"]["en"]
    _, put = await answer_of(service, "PUT", "rescaled", json=wider)
    assert put["scale_changed"] == impact["scale_note"]
    assert "ระดับที่วัดไว้สูงกว่า 7 นับเป็น 7" in put["scale_changed"]["th"]
    _, put = await answer_of(service, "PATCH", "rescaled", json={"scale": first["scale"]})
    assert "measured above 5 counts as 5" in put["scale_changed"]["en"]
    _, put = await answer_of(service, "PATCH", "rescaled", json={"description": {"en": "The same scale"}})
    assert "scale_changed" not in put


async def test_an_invalid_draft_is_rejected_and_a_draft_can_be_deleted(service: Started) -> None:
    status, problem = await answer_of(service, "PUT", "one/draft", json=body("other", cooking=2))
    assert (status, problem["field"]) == (422, "id")
    wrong = body("one", cooking=2)
    wrong["framework"]["requirements"][0]["skill"] = "ghost"
    status, problem = await answer_of(service, "PUT", "one/draft", json=wrong)
    assert (status, problem["field"]) == (422, "requirements[0].skill")
    assert (await answer_of(service, "PUT", "one/draft", json=body("one", cooking=2)))[0] == 201
    assert (await answer_of(service, "DELETE", "one/draft", headers={"If-Match": '"7"'}))[0] == 412
    assert (await answer_of(service, "DELETE", "one/draft"))[0] == 204
    for path in ("one/draft", "one:impact", "one/versions"):
        assert (await answer_of(service, "GET", path))[0] == 404


async def test_a_retired_framework_accepts_no_change_until_it_is_reactivated(service: Started) -> None:
    whole = body("ageing", cooking=2)["framework"]
    assert (await answer_of(service, "PUT", "ageing", json=whole))[0] == 201
    assert (await answer_of(service, "PATCH", "ageing", json={"retired": True}))[1]["version"] == 2
    status, problem = await answer_of(service, "PATCH", "ageing", json={"title": {"en": "New"}})
    assert (status, problem["field"]) == (409, "retired")
    assert (await answer_of(service, "PUT", "ageing", json=whole))[1]["version"] == 3  # without `retired` it is back
    assert (await answer_of(service, "PATCH", "ageing", json={"title": {"en": "New"}}))[1]["version"] == 4


async def test_a_page_of_versions_with_long_comments_holds_fewer_of_them(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    for level in (1, 2, 3):
        await approve(service, "discussed", cooking=level)
        assert (await answer_of(service, "POST", "discussed/draft:publish"))[0] == 200

    async def listed(after: int | None = None) -> tuple[list[tuple[int, str]], int | None]:
        query = "" if after is None else f"?after={after}"
        status, page = await answer_of(service, "GET", f"discussed/versions{query}")
        assert status == 200
        return [(one["version"], one["approved"]["by"]) for one in page["versions"]], page["next"]

    async def all_listed() -> bool:
        return await listed() == ([(3, "cat"), (2, "cat"), (1, "cat")], None)

    await until(all_listed)
    monkeypatch.setattr(drafts, "PAGE_BYTES", 1)
    first, after = await listed()
    second, then = await listed(after)
    assert (first, second) == ([(3, "cat")], [(2, "cat")])
    assert await listed(then) == ([(1, "cat")], None)


async def test_a_list_position_out_of_range_is_rejected(service: Started) -> None:
    for after, status in ((2**63 - 1, 200), (2**63, 422), (10**30, 422)):
        got = await service.ask("GET", f"/v1/frameworks/{FRAMEWORK}/versions?after={after}", "admin")
        assert (got.status, (await got.json()).get("field")) == (status, "after" if status != 200 else None)


async def test_the_loser_of_two_concurrent_publications_gets_a_conflict(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    await answer_of(service, "PUT", "loser/draft", json=body("loser", cooking=2))
    await approve(service, "loser", cooking=2)
    reached, opened = asyncio.Event(), asyncio.Event()
    put_framework = CatalogStore.put_framework

    async def held(store: CatalogStore, *given: Any) -> Any:
        reached.set()
        await opened.wait()
        return await put_framework(store, *given)

    with monkeypatch.context() as gate:
        gate.setattr(CatalogStore, "put_framework", held)
        late = asyncio.create_task(answer_of(service, "POST", "loser/draft:publish"))
        await until(reached.is_set)
    whole = body("loser", cooking=3)["framework"]
    assert (await answer_of(service, "PUT", "loser", json=whole))[0] == 201
    opened.set()
    status, problem = await late
    assert (status, problem["field"]) == (409, "base_version")
    assert "same moment" in problem["detail"]
    assert (await answer_of(service, "GET", "loser"))[1]["version"] == 1
    assert (await answer_of(service, "GET", "loser/draft"))[1]["state"] == "approved"


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "\x7f", "\x85", "\b"])
async def test_texts_with_control_characters_are_rejected(service: Started, text: str) -> None:
    wrong = body("controls", cooking=2) | {"by": text}
    assert [(got[0], got[1]["field"]) for got in [await answer_of(service, "PUT", "controls/draft", json=wrong)]] == [
        (422, "by")
    ]
    wrong = body("controls", cooking=2) | {"comment": text}
    assert (await answer_of(service, "PUT", "controls/draft", json=wrong))[1]["field"] == "comment"
    right = body("controls", cooking=2) | {"comment": "a line\n\tand another\r\n"}
    assert (await answer_of(service, "PUT", "controls/draft", json=right))[0] in (200, 201)
    for name in ("review", "comment"):
        got = await answer_of(service, "POST", f"controls/draft:{name}", json={"by": text, "comment": "x"})
        assert (got[0], got[1]["field"]) == (422, "by")


async def test_one_person_cannot_sign_twice_under_any_name(service: Started) -> None:
    async def as_key(person: str, method: str, path: str, **sent: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {await key_of(service, person)}"}
        got = await service.ask(method, f"/v1/frameworks/different/{path}", None, headers=headers, json=sent)
        return got.status, await got.json()

    assert (await as_key("ann", "PUT", "draft", **body("different", cooking=2)))[0] == 201
    status, problem = await as_key("ann", "POST", "draft:review", by="Somebody Else")
    assert (status, problem["field"]) == (409, "by")
    assert problem["texts"]["en"] == problem["detail"]
    assert "ผู้เสนอ" in problem["texts"]["th"]
    assert (await as_key("ben", "POST", "draft:review", by="ann"))[0] == 200  # a namesake
    for person in ("ann", "ben"):
        assert (await as_key(person, "POST", "draft:approve", by="cat"))[0] == 409
    assert (await as_key("cat", "POST", "draft:approve", by="cat"))[0] == 200
    assert (await as_key("ann", "POST", "draft:publish"))[0] == 200


async def test_in_a_tenant_with_one_person_that_person_may_sign_every_step(
    mongodb_uri: str, kafka_bootstrap: str
) -> None:
    async with catalog(mongodb_uri, kafka_bootstrap, SOLE_EDITOR_TENANTS="small, agency") as alone:
        put = body("alone", cooking=2)
        assert (await alone.ask("PUT", "/v1/frameworks/alone/draft", "editor", json=put)).status == 201
        for step in ("review", "approve"):
            got = await alone.ask("POST", f"/v1/frameworks/alone/draft:{step}", "editor", json={"by": "ann"})
            assert got.status == 200
        assert (await alone.ask("POST", "/v1/frameworks/alone/draft:publish", "editor")).status == 200
        assert (await alone.ask("PUT", "/v1/frameworks/other/draft", "editor", tenant="big", json=put)).status == 422
        other = put | {"framework": put["framework"] | {"id": "other"}}
        assert (await alone.ask("PUT", "/v1/frameworks/other/draft", "editor", tenant="big", json=other)).status == 201
        got = await alone.ask("POST", "/v1/frameworks/other/draft:review", "editor", tenant="big", json={"by": "ann"})
        assert got.status == 409


async def test_a_second_sign_in_of_a_person_is_the_same_person(service: Started) -> None:
    store = KeyStore(service.mongodb, service.settings)

    async def signed_in(subject: str) -> dict[str, str]:
        key, stored = issue(service.settings.api_key_pepper, "agency", "editor")
        await store.create(replace(stored, subject=subject))
        return {"Authorization": f"Bearer {key}"}

    async def step(headers: dict[str, str], method: str, path: str, sent: Any) -> int:
        return (await service.ask(method, f"/v1/frameworks/twice/{path}", None, headers=headers, json=sent)).status

    first, again, other = [await signed_in(f"https://id.example {name}") for name in ("ann", "ann", "ben")]
    assert await step(first, "PUT", "draft", body("twice", cooking=2)) == 201
    assert await step(again, "POST", "draft:review", {"by": "ben"}) == 409
    assert await step(other, "POST", "draft:review", {"by": "ben"}) == 200
    assert await step(again, "POST", "draft:approve", {"by": "cat"}) == 409
    draft = (await answer_of(service, "GET", "twice/draft"))[1]
    assert (draft["proposed"]["subject"], draft["reviewed"]["subject"]) == (
        "https://id.example ann",
        "https://id.example ben",
    )
