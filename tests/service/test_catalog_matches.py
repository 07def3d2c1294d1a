"""Courses that come without skills are matched, and people confirm, reject and correct, on real servers."""

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.catalog import calibrating, matching_loop
from services.catalog.__main__ import match
from services.catalog.api import MATCHES, STORE
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from shared.auth import Role
from shared.decoding import convert
from shared.domain import Course
from shared.errors import InvalidInput
from shared.events import CoursePublished
from shared.settings import CatalogSettings
from tests.support.builders import unique
from tests.support.catalog import catalog
from tests.support.services import Started, Topic
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)

NATIONAL = "th-digital-2018"
SEED = Path(__file__).parents[2] / "deploy" / "seed" / "frameworks" / f"{NATIONAL}.json"
ANALYTICS = {"framework": NATIONAL, "skill": "dt-analytics"}


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with catalog(mongodb_uri, kafka_bootstrap) as service:
        got = await service.ask(
            "PUT", f"/v1/frameworks/{NATIONAL}", "admin", tenant="shared", json=json.loads(SEED.read_bytes())
        )
        assert got.status == 201, await got.text()
        yield service


def bare(identifier: str, **changed: Any) -> dict[str, Any]:
    """Return a course without skills, about data."""
    body = {
        "id": identifier,
        "title": {"th": "การวิเคราะห์ข้อมูลเบื้องต้น", "en": "Introduction to Data Analytics"},
        "provider": {"en": "Provider"},
        "hours": 12.0,
        "languages": ["th"],
    }
    return body | changed


async def put(service: Started, body: dict[str, Any], tenant: str = "agency") -> dict[str, Any]:
    got = await service.ask("PUT", f"/v1/courses/{body['id']}", "admin", tenant=tenant, json=body)
    assert got.status in (200, 201), await got.text()
    return dict(await got.json())


async def matched(service: Started, course: str, tenant: str = "agency") -> dict[str, Any]:
    """Let everything that waits be matched, and return the matches of a course."""
    await MatchingLoop(service.client.app[MATCHES], shipped()).once()
    got = await service.ask("GET", f"/v1/courses/{course}/matches", "admin", tenant=tenant)
    assert got.status == 200, await got.text()
    return dict(await got.json())


async def decide(
    service: Started, course: str, what: str, *rows: dict[str, Any], **options: Any
) -> tuple[int, dict[str, Any]]:
    path = f"/v1/courses/{course}/matches:{what}"
    got = await service.ask("POST", path, "admin", json={"matches": list(rows)}, **options)
    return got.status, await got.json()


async def teaches(service: Started, course: str) -> list[dict[str, Any]]:
    got = await service.ask("GET", f"/v1/courses/{course}")
    return list((await got.json()).get("teaches", []))


async def shown(service: Started, course: str) -> list[tuple[str, str]]:
    """Return framework and skill of what is matched to a course, as the course itself is shown."""
    got = await service.ask("GET", f"/v1/courses/{course}")
    return [(row["framework"], row["skill"]) for row in (await got.json()).get("matched", [])]


async def test_a_match_is_announced_at_once_and_is_not_taught(service: Started, announced: Topic) -> None:
    body = bare(unique("course"))
    await put(service, body)
    found = await matched(service, body["id"])
    assert not found["waiting"]
    first = found["matches"][0]
    assert (first["framework"], first["skill"]) == (NATIONAL, "dt-analytics")
    assert (first["status"], first["source"]) == ("proposed", "matched")
    assert 0 <= first["from"] < first["to"] <= 4
    assert first["confidence"] >= found["threshold"] == shipped().enters
    assert any("data" in word or "ข้อมูล" in word for word in first["words"])
    assert await teaches(service, body["id"]) == []
    before, event = await announced.of(f"agency/{body['id']}", 2)
    assert isinstance(before.data, CoursePublished)
    assert isinstance(event.data, CoursePublished)
    assert (before.data.course.matched, event.sequence, event.data.course.teaches) == ([], 2, [])
    row = next(one for one in event.data.course.matched if one.skill == "dt-analytics")
    assert (row.framework, row.from_level, row.to_level, row.source) == (
        *(NATIONAL, first["from"], first["to"]),
        "matched",
    )
    assert row.confidence == pytest.approx(first["confidence"], abs=1e-6)
    assert row.threshold == shipped().enters
    assert (NATIONAL, "dt-analytics") in await shown(service, body["id"])
    got = await service.ask("GET", "/v1/courses?limit=500")
    (listed,) = [one for one in (await got.json())["courses"] if one["id"] == body["id"]]
    assert listed["matched"] == msgspec.to_builtins(event.data.course.matched)


async def test_matching_again_with_the_same_result_announces_nothing(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    assert (await matched(service, body["id"]))["revision"] == 2
    await service.client.app[MATCHES].mark()
    assert (await matched(service, body["id"]))["revision"] == 2


async def test_putting_an_answered_course_again_changes_nothing(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    whole = await (await service.ask("GET", f"/v1/courses/{body['id']}")).json()
    assert whole["matched"]
    answer = await put(service, whole)
    assert (answer["changed"], [one["field"] for one in answer["warnings"]]) == (False, ["matched"])
    forged = await put(service, bare(unique("course"), matched=whole["matched"]))
    assert (forged["revision"], await shown(service, forged["id"])) == (1, [])


async def test_a_course_with_stated_skills_is_announced_without_matches(service: Started, announced: Topic) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    row = {"framework": NATIONAL, "skill": "dg-open-data", "from": 0.0, "to": 1.0}
    await put(service, body | {"teaches": [row]})
    event = (await announced.of(f"agency/{body['id']}", 3))[-1]
    assert isinstance(event.data, CoursePublished)
    assert (len(event.data.course.teaches), event.data.course.matched) == (1, [])


async def test_a_confirmed_match_is_taught_at_once_and_announced(service: Started, announced: Topic) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, answer = await decide(service, body["id"], "confirm", ANALYTICS)
    assert (status, answer["revision"]) == (200, 3)
    decided = answer["matches"][0]
    assert decided["status"] == "confirmed"
    assert len(decided["decisions"]) == 1
    assert decided["decisions"][0]["by"]
    row = {**ANALYTICS, "from": decided["from"], "to": decided["to"]}
    assert await teaches(service, body["id"]) == [row]
    events = await announced.of(f"agency/{body['id']}", 3)
    course = msgspec.to_builtins(events[-1].data)["course"]
    assert course["teaches"] == [row]
    assert "dt-analytics" not in [one["skill"] for one in course.get("matched", [])]
    again = await decide(service, body["id"], "confirm", ANALYTICS)
    assert (again[1]["revision"], len(again[1]["matches"][0]["decisions"])) == (3, 1)


async def test_importing_the_same_file_again_keeps_confirmed_matches(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    await decide(service, body["id"], "confirm", ANALYTICS)
    assert not (await put(service, body))["changed"]
    assert (await put(service, body | {"hours": 20.0}))["changed"]
    assert [row["skill"] for row in await teaches(service, body["id"])] == ["dt-analytics"]
    assert (await matched(service, body["id"]))["matches"][0]["status"] == "confirmed"


async def test_a_rejected_match_never_returns_for_the_same_text(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, answer = await decide(service, body["id"], "reject", ANALYTICS)
    assert (status, answer["revision"]) == (200, 3)
    assert (NATIONAL, "dt-analytics") not in await shown(service, body["id"])
    await put(service, body | {"hours": 20.0})
    after = await matched(service, body["id"])
    assert [one["status"] for one in after["matches"] if one["skill"] == "dt-analytics"] == ["rejected"]
    await put(service, body | {"title": {"en": "Advanced Data Analytics with Dashboards"}})
    after = await matched(service, body["id"])
    (again,) = [one for one in after["matches"] if one["skill"] == "dt-analytics"]
    assert again["status"] == "proposed"
    assert [one["status"] for one in again["decisions"]] == ["rejected"]


async def test_rejecting_a_confirmed_match_removes_its_row(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    await decide(service, body["id"], "confirm", ANALYTICS)
    status, answer = await decide(service, body["id"], "reject", ANALYTICS)
    assert (status, answer["revision"]) == (200, 4)
    assert await teaches(service, body["id"]) == []
    assert [one["status"] for one in answer["matches"][0]["decisions"]] == ["confirmed", "rejected"]


async def test_a_correction_becomes_what_the_course_teaches(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    right = {"skill": "dg-open-data", "from": 1, "to": 3}
    status, answer = await decide(service, body["id"], "correct", {**ANALYTICS, "right": right})
    assert status == 200, answer
    assert answer["matches"][0]["status"] == "corrected"
    assert await teaches(service, body["id"]) == [{"framework": NATIONAL, **right, "from": 1.0, "to": 3.0}]


@pytest.mark.parametrize(
    ("right", "field"),
    [
        ({"skill": "nowhere", "from": 0, "to": 1}, "matches[0].right.skill"),
        ({"skill": "dt-analytics", "from": 0, "to": 99}, "matches[0].right.to"),
        ({"skill": "dt-analytics", "from": 2, "to": 1}, "matches[0].right"),
    ],
)
async def test_a_correction_that_the_framework_lacks_is_rejected_by_field(
    service: Started, right: dict[str, Any], field: str
) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, problem = await decide(service, body["id"], "correct", {**ANALYTICS, "right": right})
    assert (status, problem["field"]) == (422, field)
    assert await teaches(service, body["id"]) == []


async def test_several_decisions_on_a_course_are_stored_together_or_not_at_all(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, _ = await decide(service, body["id"], "confirm", ANALYTICS, {"framework": NATIONAL, "skill": "dg-law"})
    assert status == 404
    assert await teaches(service, body["id"]) == []


async def test_a_decision_on_another_revision_is_rejected(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    status, problem = await decide(service, body["id"], "confirm", ANALYTICS, headers={"If-Match": '"7"'})
    assert (status, problem["field"]) == (412, "If-Match")
    assert (await decide(service, body["id"], "confirm", ANALYTICS, headers={"If-Match": '"2"'}))[0] == 200


@pytest.mark.parametrize(("role", "officer"), [("platform", None), ("officer", "somchai")])
async def test_only_an_admin_sees_and_decides_matches(service: Started, role: Role, officer: str | None) -> None:
    body = bare(unique("course"))
    await put(service, body)
    path = f"/v1/courses/{body['id']}/matches"
    row = {"matches": [ANALYTICS]}
    assert (await service.ask("GET", path, role, officer=officer)).status == 403
    assert (await service.ask("POST", f"{path}:confirm", role, officer=officer, json=row)).status == 403
    assert (await service.ask("GET", "/v1/matches", role, officer=officer)).status == 403


async def test_another_tenants_course_is_not_found(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body, tenant="other")
    await matched(service, body["id"], tenant="other")
    assert (await service.ask("GET", f"/v1/courses/{body['id']}/matches", "admin")).status == 404
    assert (await decide(service, body["id"], "confirm", ANALYTICS))[0] == 404
    got = await service.ask(
        "POST", "/v1/matches:confirm", "admin", json={"matches": [{"course": body["id"], **ANALYTICS}]}
    )
    (row,) = (await got.json())["results"]
    assert (row["result"], row["problem"]["status"]) == ("refused", 404)


async def test_many_matches_are_decided_at_once_and_a_rejected_one_stops_none(service: Started) -> None:
    courses = [bare(unique("course")) for _ in range(3)]
    for body in courses:
        await put(service, body)
    await matched(service, courses[0]["id"])
    rows = [{"course": body["id"], **ANALYTICS} for body in courses]
    rows.insert(1, {"course": "nobody", **ANALYTICS})
    got = await service.ask("POST", "/v1/matches:confirm", "admin", json={"matches": [*rows, rows[0]]})
    results = (await got.json())["results"]
    assert [row["result"] for row in results] == ["changed", "refused", "changed", "changed", "unchanged"]
    for body in courses:
        assert len(await teaches(service, body["id"])) == 1


async def test_a_decision_on_what_somebody_else_decided_meanwhile_is_refused(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])

    async def decided(what: str, **more: Any) -> dict[str, Any]:
        rows = [{"course": body["id"], **ANALYTICS, **more}]
        got = await service.ask("POST", f"/v1/matches:{what}", "admin", json={"matches": rows})
        (one,) = (await got.json())["results"]
        return dict(one)

    right = {"skill": ANALYTICS["skill"], "from": 1, "to": 2}
    assert (await decided("confirm", seen="proposed"))["result"] == "changed"
    for what, more in (("reject", {}), ("correct", {"right": right})):
        refused = await decided(what, seen="proposed", **more)
        assert (refused["problem"]["status"], refused["problem"]["field"]) == (409, "matches[0]")
        assert refused["problem"]["detail"] == "somebody else has confirmed this match meanwhile; look again"
    assert len(await teaches(service, body["id"])) == 1
    assert (await decided("confirm", seen="proposed"))["result"] == "unchanged"  # the same decision, or its repetition
    assert (await decided("correct", seen="confirmed", right=right))["result"] == "changed"
    refused = await decided("correct", seen="confirmed", right=right | {"to": 3})
    assert refused["problem"]["status"] == 409
    assert (await decided("correct", seen="corrected", right=right | {"to": 3}))["result"] == "changed"
    assert (await decided("reject"))["result"] == "changed"  # who does not say what was seen decides in any case


async def test_matches_are_listed_by_status_in_pages(service: Started) -> None:
    tenant = unique("lists").replace("_", "-")[:60]
    names = sorted(unique("course") for _ in range(5))
    for name in names:
        await put(service, bare(name), tenant=tenant)
    await matched(service, names[0], tenant=tenant)
    row = {"matches": [ANALYTICS]}
    await service.ask("POST", f"/v1/courses/{names[0]}/matches:confirm", "admin", tenant=tenant, json=row)

    async def listed(query: str) -> list[str]:
        found, after = [], ""
        while True:
            got = await service.ask("GET", f"/v1/matches?limit=2&after={after}&{query}", "admin", tenant=tenant)
            page = await got.json()
            found += [one["course"] for one in page["courses"]]
            if page["next"] is None:
                return found
            after = page["next"]

    assert await listed("skill=dt-analytics&status=proposed") == names[1:]
    assert await listed("status=confirmed") == names[:1]
    assert await listed("skill=dt-analytics") == names
    assert await listed("skill=dt-analytics&least=1") == []


async def test_a_course_with_given_skills_is_not_matched(service: Started) -> None:
    body = bare(unique("course"), teaches=[{**ANALYTICS, "from": 0, "to": 1}])
    await put(service, body)
    found = await matched(service, body["id"])
    assert (found["matches"], found["waiting"]) == ([], False)


async def test_a_changed_framework_matches_its_courses_again(service: Started) -> None:
    tenant = unique("frame").replace("_", "-")[:60]
    body = bare(unique("course"), title={"en": "Glass blowing by hand"})
    await put(service, body, tenant=tenant)
    assert (await matched(service, body["id"], tenant=tenant))["matches"] == []
    framework = json.loads(SEED.read_bytes())
    framework |= {
        "id": "crafts",
        "skills": [{"id": "glass", "area": "dt", "title": {"en": "Glass blowing"}}],
        "requirements": [],
    }
    got = await service.ask("PUT", "/v1/frameworks/crafts", "admin", tenant=tenant, json=framework)
    assert got.status == 201, await got.text()
    found = await matched(service, body["id"], tenant=tenant)
    assert [(one["framework"], one["skill"]) for one in found["matches"]] == [("crafts", "glass")]


async def test_matches_for_an_older_text_are_not_stored(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    store: MatchStore = service.client.app[MATCHES]
    await matched(service, body["id"])
    before = await store.find("agency", body["id"])
    assert before is not None
    await put(service, body | {"title": {"en": "Glass blowing by hand"}})
    assert await store.propose([(before, before.matches)]) == 0
    assert (await matched(service, body["id"]))["matches"] == []


class Failing(MatchingLoop):
    """Cannot match one course."""

    def __init__(self, store: MatchStore, course: str) -> None:
        super().__init__(store, shipped())
        self._course = course

    def matched(self, courses: Any, *rest: Any) -> Any:
        if any(one.entry.id == self._course for one in courses):
            raise ValueError("this text cannot be matched")
        return super().matched(courses, *rest)


async def test_a_course_that_cannot_be_matched_does_not_block_others(service: Started) -> None:
    tenant = unique("fails").replace("_", "-")[:60]
    good, bad = bare(unique("course")), bare(unique("course"))
    for body in (good, bad):
        await put(service, body, tenant=tenant)
    store: MatchStore = service.client.app[MATCHES]
    await store.mark()
    await Failing(store, bad["id"]).once()
    for body in (good, bad):
        found = await store.find(tenant, body["id"])
        assert found is not None
        assert not found.waiting
    assert (await store.find(tenant, good["id"])).matches[0].skill == "dt-analytics"  # type: ignore[union-attr]


async def test_two_concurrent_decisions_are_both_stored(service: Started) -> None:
    body = bare(unique("course"), title={"en": "Data Analytics and Project Management"})
    await put(service, body)
    found = await matched(service, body["id"])
    names = [{"framework": one["framework"], "skill": one["skill"]} for one in found["matches"][:2]]
    assert len(names) == 2
    answers = await asyncio.gather(*(decide(service, body["id"], "confirm", name) for name in names))
    assert [status for status, _ in answers] == [200, 200]
    assert len(await teaches(service, body["id"])) == 2


async def test_the_command_matches_the_whole_catalog_again(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    assert isinstance(service.settings, CatalogSettings)
    assert await match(service.settings) >= 1
    found = await matched(service, body["id"])
    assert found["matches"][0]["skill"] == "dt-analytics"


async def test_a_withdrawn_course_has_no_matches_to_decide(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    assert (await service.ask("DELETE", f"/v1/courses/{body['id']}", "admin")).status == 204
    assert (await decide(service, body["id"], "confirm", ANALYTICS))[0] == 404
    got = await service.ask("GET", "/v1/matches?limit=500", "admin")
    assert body["id"] not in {one["course"] for one in (await got.json())["courses"]}
    await put(service, body)
    assert (await matched(service, body["id"]))["matches"][0]["status"] == "proposed"


async def test_decisions_recalibrate_the_confidence(service: Started) -> None:
    tenant = unique("decided").replace("_", "-")[:60]
    settings = service.settings
    assert isinstance(settings, CatalogSettings)
    with pytest.raises(InvalidInput, match="nobody"):
        await calibrating.of_decisions(settings, tenant, "no decision")
    names = sorted(unique("course") for _ in range(6))
    for name in names:
        await put(service, bare(name), tenant=tenant)
    await matched(service, names[0], tenant=tenant)
    for place, name in enumerate(names):
        what = "confirm" if place % 2 else "reject"
        assert (await decide(service, name, what, ANALYTICS, tenant=tenant))[0] == 200
    fitted = await calibrating.of_decisions(settings, tenant, "six decisions")
    assert (fitted.courses, fitted.right, fitted.data) == (6, 3, "six decisions")


async def test_an_admin_reads_the_health_of_the_catalog(service: Started) -> None:
    tenant = unique("health").replace("_", "-")[:60]
    one, other = unique("course"), unique("course")
    await put(service, bare(one, requires=[{"course": other}], url="https://example.org/a"), tenant=tenant)
    await put(service, bare(other, requires=[{"course": one}, {"course": "gone"}]), tenant=tenant)
    await matched(service, one, tenant=tenant)
    got = await service.ask("GET", "/v1/catalog/health", "admin", tenant=tenant)
    assert got.status == 200, await got.text()
    found = await got.json()
    assert [sorted(cycle) for cycle in found["cycles"]] == [sorted([one, other])]
    assert found["dangling"] == [{"course": other, "missing": ["gone"]}]
    assert found["twins"] == [sorted([one, other])]
    assert found["hosts"] == {"example.org": 1}
    assert (found["without_skills"], found["waiting"]) == (2, 0)
    assert {row["framework"] for row in found["unreachable"]} >= {NATIONAL}
    assert (await service.ask("GET", "/v1/catalog/health", "platform", tenant=tenant)).status == 403


async def test_an_imported_catalog_is_matched_and_keeps_confirmed_matches_after_another_import(
    service: Started,
) -> None:
    names = sorted(unique("course") for _ in range(40))
    lines = "".join(json.dumps(bare(name)) + "\n" for name in names).encode()

    async def imported() -> list[str]:
        headers = {"Content-Type": "application/x-ndjson"}
        got = await service.ask("POST", "/v1/courses:import", "admin", data=lines, headers=headers)
        assert got.status == 200, await got.text()
        rows = [json.loads(line) for line in (await got.text()).splitlines()]
        return [row["status"] for row in rows if row.get("id") in names]

    assert await imported() == ["created"] * 40
    assert (await matched(service, names[-1]))["matches"][0]["skill"] == "dt-analytics"
    rows = [{"course": name, **ANALYTICS} for name in names]
    got = await service.ask("POST", "/v1/matches:confirm", "admin", json={"matches": rows})
    assert {row["result"] for row in (await got.json())["results"]} == {"changed"}
    assert await imported() == ["unchanged"] * 40
    for name in names:
        assert [row["skill"] for row in await teaches(service, name)] == ["dt-analytics"]


async def test_matching_waits_while_an_import_stores_courses(service: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching_loop, "_IMPORT_SECONDS", 3600.0)
    store, matches = service.client.app[STORE], service.client.app[MATCHES]
    storing, go_on, write = asyncio.Event(), asyncio.Event(), store.write_staged

    async def held(writes: list[Any]) -> int:
        storing.set()
        await go_on.wait()
        return int(await write(writes))

    monkeypatch.setattr(store, "write_staged", held)
    body, imported = bare(unique("course")), convert(bare(unique("course")), Course)
    importing = asyncio.create_task(store.put_courses("agency", {"import/1": imported}, "00-0-0-01"))
    try:
        await storing.wait()
        await put(service, body)
        matching = asyncio.create_task(MatchingLoop(matches, shipped()).once())
        await asyncio.wait({matching}, timeout=0.05)
        assert (await matches.find("agency", body["id"])).waiting
    finally:
        go_on.set()
    await importing
    await asyncio.wait_for(matching, 60)
    assert not (await matches.find("agency", body["id"])).waiting


async def test_a_course_with_skills_of_an_invisible_framework_is_matched_and_keeps_them(
    service: Started,
) -> None:
    foreign = {"framework": "esco", "skill": "S1.2.3", "from": 0, "to": 1}
    one, two = bare(unique("course"), teaches=[foreign]), bare(unique("course"), teaches=[foreign])
    await put(service, one)
    got = await service.ask(
        "POST",
        "/v1/courses:import",
        "admin",
        data=json.dumps(two),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert '"created"' in await got.text()
    for body in (one, two):
        found = await matched(service, body["id"])
        assert "dt-analytics" in [match["skill"] for match in found["matches"]]
        assert [row["framework"] for row in await teaches(service, body["id"])] == ["esco"]
    assert (await decide(service, one["id"], "confirm", ANALYTICS))[0] == 200
    assert [row["framework"] for row in await teaches(service, one["id"])] == ["esco", NATIONAL]


def span(high: float) -> dict[str, Any]:
    return {"right": {"skill": ANALYTICS["skill"], "from": 0, "to": high}}


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (("reject", {}), ("confirm", {}), "rejected"),
        (("confirm", {}), ("reject", {}), "confirmed"),
        (("confirm", {}), ("correct", span(2)), "confirmed"),
        (("correct", span(2)), ("correct", span(3)), "corrected"),
    ],
)
async def test_the_later_of_two_contradicting_decisions_is_rejected(
    service: Started,
    monkeypatch: pytest.MonkeyPatch,
    first: tuple[str, dict[str, Any]],
    second: tuple[str, dict[str, Any]],
    status: str,
    *,
    bulk: bool,
) -> None:
    body = bare(unique("course"))
    await put(service, body)
    assert ANALYTICS["skill"] in [one["skill"] for one in (await matched(service, body["id"]))["matches"]]
    reached, opened = asyncio.Event(), asyncio.Event()
    unheld = MatchStore.decide

    async def held(store: MatchStore, *given: Any) -> int | None:
        reached.set()
        await opened.wait()
        return await unheld(store, *given)

    async def decided(what: str, more: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not bulk:
            return await decide(service, body["id"], what, ANALYTICS | more)
        rows = {"matches": [ANALYTICS | more | {"course": body["id"]}]}
        got = await service.ask("POST", f"/v1/matches:{what}", "admin", json=rows)
        (one,) = (await got.json())["results"]
        return one.get("problem", {}).get("status", got.status), one.get("problem", {}) | {"result": one["result"]}

    with monkeypatch.context() as gate:
        gate.setattr(MatchStore, "decide", held)
        late = asyncio.create_task(decided(*second))
        await until(reached.is_set)
    assert (await decided(*first))[0] == 200
    opened.set()
    refused, problem = await late
    assert (refused, problem["field"]) == (409, "matches[0]")
    assert status in problem["detail"]
    (match,) = [one for one in (await matched(service, body["id"]))["matches"] if one["skill"] == ANALYTICS["skill"]]
    assert (match["status"], [one["status"] for one in match["decisions"]]) == (status, [status])
    assert [row["to"] for row in await teaches(service, body["id"])] == (
        [] if status == "rejected" else [2.0] if status == "corrected" else [match["to"]]
    )
    assert (await decided(*second))[0] == 200  # who has seen it may overrule it


async def test_levels_of_a_course_follow_the_confirmed_levels_of_its_prerequisite(
    service: Started, announced: Topic
) -> None:
    first, then = bare(unique("first")), bare(unique("then"))
    title = {"th": "การวิเคราะห์ข้อมูล", "en": "Data Analytics"}
    await put(service, then | {"title": title, "hours": 24.0, "requires": [{"course": first["id"]}]})
    await matched(service, then["id"])
    await put(service, first)  # comes after the course that names it
    await matched(service, first["id"])
    name = {**ANALYTICS, "right": {"skill": "dt-analytics", "from": 1.0, "to": 3.0}}
    assert (await decide(service, first["id"], "correct", name))[0] == 200
    found = await matched(service, then["id"])
    row = next(one for one in found["matches"] if one["skill"] == "dt-analytics")
    assert (row["from"], row["status"]) == (3.0, "proposed")
    event = (await announced.of(f"agency/{then['id']}", found["revision"]))[-1]
    assert isinstance(event.data, CoursePublished)
    assert {(one.skill, one.from_level) for one in event.data.course.matched} >= {("dt-analytics", 3.0)}
    again = await matched(service, then["id"])
    assert again["revision"] == found["revision"]
    assert await service.client.app[MATCHES].without_levels() == []


async def test_a_request_that_decides_a_match_twice_and_differently_is_rejected_by_place(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    rows = [ANALYTICS | {"course": body["id"]} | span(top) for top in (2, 2, 3)]
    answer = await service.ask("POST", "/v1/matches:correct", "admin", json={"matches": rows})
    results = (await answer.json())["results"]
    assert [one["result"] for one in results] == ["changed", "unchanged", "refused"]
    assert (results[2]["problem"]["status"], results[2]["problem"]["field"]) == (422, "matches[2]")
    alone = {"matches": [ANALYTICS | span(top) for top in (1, 2)]}
    answer = await service.ask("POST", f"/v1/courses/{body['id']}/matches:correct", "admin", json=alone)
    assert (answer.status, (await answer.json())["field"]) == (422, "matches[1]")


async def test_a_rejected_match_stays_rejected_for_its_text_after_another_text_was_proposed(service: Started) -> None:
    body = bare(unique("course"))
    title = body["title"]["th"]

    async def status(text: str, **more: Any) -> list[str]:
        await put(service, body | {"title": {"th": text}} | more)
        return [
            one["status"]
            for one in (await matched(service, body["id"]))["matches"]
            if one["skill"] == ANALYTICS["skill"]
        ]

    assert await status(title) == ["proposed"]
    assert (await decide(service, body["id"], "reject", ANALYTICS))[0] == 200
    for same in (f" {title[:4]} {title[4:]}! ", f"{title[:3]}\u200b{title[3:]}", unicodedata.normalize("NFD", title)):
        assert await status(same) == ["rejected"]
    assert await status(f"{title} ภาค 2") == ["proposed"]
    assert await status(title) == ["rejected"]
