"""Courses that come without skills are matched, on real servers."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from services.catalog import matching_loop
from services.catalog.__main__ import match
from services.catalog.api.context import CONTEXT
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from shared.decoding import convert
from shared.domain import Course
from shared.events import CoursePublished
from shared.settings import CatalogSettings
from tests.support.builders import unique
from tests.support.matches import (
    ANALYTICS,
    NATIONAL,
    SEED,
    bare,
    decide,
    matched,
    matching_catalog,
    put,
    shown,
    teaches,
)
from tests.support.services import Started, Topic
from tests.support.waiting import until

SERVICE = matching_catalog


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
    assert row.confidence == pytest.approx(first["confidence"] * first["entry_confidence"], abs=1e-6)
    assert row.threshold == pytest.approx(shipped().enters * first["entry_confidence"], abs=1e-6)
    assert (NATIONAL, "dt-analytics") in await shown(service, body["id"])
    got = await service.ask("GET", "/v1/courses?limit=500")
    (listed,) = [one for one in (await got.json())["courses"] if one["id"] == body["id"]]
    assert listed["matched"] == msgspec.to_builtins(event.data.course.matched)


async def test_matching_again_with_the_same_result_announces_nothing(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    assert (await matched(service, body["id"]))["revision"] == 2
    await service.client.app[CONTEXT].matches.mark()
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


async def test_importing_the_same_file_again_keeps_confirmed_matches(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    await matched(service, body["id"])
    await decide(service, body["id"], "confirm", ANALYTICS)
    assert not (await put(service, body))["changed"]
    assert (await put(service, body | {"hours": 20.0}))["changed"]
    assert [row["skill"] for row in await teaches(service, body["id"])] == ["dt-analytics"]
    assert (await matched(service, body["id"]))["matches"][0]["status"] == "confirmed"


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
    store: MatchStore = service.client.app[CONTEXT].matches
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
    store: MatchStore = service.client.app[CONTEXT].matches
    await store.mark()
    await Failing(store, bad["id"]).once()
    for body in (good, bad):
        found = await store.find(tenant, body["id"])
        assert found is not None
        assert not found.waiting
    assert (await store.find(tenant, good["id"])).matches[0].skill == "dt-analytics"  # type: ignore[union-attr]


async def test_the_command_matches_the_whole_catalog_again(service: Started) -> None:
    body = bare(unique("course"))
    await put(service, body)
    assert isinstance(service.settings, CatalogSettings)
    assert await match(service.settings) >= 1
    found = await matched(service, body["id"])
    assert found["matches"][0]["skill"] == "dt-analytics"


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
    monkeypatch.setattr(matching_loop, "BACKLOG_WAIT_SECONDS", 3600.0)
    store, matches = service.client.app[CONTEXT].store, service.client.app[CONTEXT].matches
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

    async def follows() -> bool:
        found = await matched(service, then["id"])
        row = next(one for one in found["matches"] if one["skill"] == "dt-analytics")
        return (row["from"], row["entry_level"], row["status"]) == (3.0, 1.0, "proposed")

    # The service's own matching, which runs beside, may have read the earlier levels and write them once more.
    await until(follows, "the levels follow")
    found = await matched(service, then["id"])
    event = (await announced.of(f"agency/{then['id']}", found["revision"]))[-1]
    assert isinstance(event.data, CoursePublished)
    assert {(one.skill, one.from_level) for one in event.data.course.matched} >= {("dt-analytics", 1.0)}
    again = await matched(service, then["id"])
    assert again["revision"] == found["revision"]
    assert await service.client.app[CONTEXT].matches.without_levels() == []
