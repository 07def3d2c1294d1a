"""A new version of a framework: officers' levels and job groups are carried over, and what is not is reported."""

from typing import Any

import pytest

from services.catalog.api.context import CONTEXT
from tests.support.all_services import Services
from tests.support.builders import unique
from tests.support.waiting import until

TITLES = {"DS300": "Design", "DS310": "Services", "DG-020": "Digital design", "DS999": "Fax"}


def version(name: str, *skills: str, groups: tuple[str, ...] = ("clerks",), **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "title": {"en": "A framework of two versions"},
        "scale": [{"level": level, "title": {"en": f"Level {level}"}} for level in range(5)],
        "areas": [{"id": "a", "title": {"en": "Area"}}],
        "skills": [{"id": skill, "area": "a", "title": {"en": TITLES[skill]}} for skill in skills],
        "job_groups": [{"id": group, "title": {"en": f"Group {group}"}} for group in groups],
        "requirements": [{"job_group": groups[0], "skill": skill, "level": 4} for skill in skills],
        **more,
    }


async def put(services: Services, body: dict[str, Any]) -> dict[str, Any]:
    got = await services["catalog"].ask("PUT", f"/v1/frameworks/{body['id']}", "admin", json=body)
    assert got.status < 300, await got.text()
    answer: dict[str, Any] = await got.json()
    return answer


async def registered(services: Services, officer: str, name: str, job_group: str = "clerks") -> None:
    body = {"job_group": job_group, "agency": "north", "framework": name}

    async def done() -> bool:
        return (await services["assessment"].ask("PUT", f"/v1/officers/{officer}", json=body)).status < 300

    await until(done)


async def assessed(services: Services, officer: str, name: str, **levels: float) -> int:
    results = [{"skill": skill, "level": level} for skill, level in levels.items()]
    taken = {"framework": name, "kind": "test", "results": results, "taken_at": "2026-11-20T09:00:00+07:00"}
    got = await services["assessment"].ask(
        "POST", f"/v1/officers/{officer}/assessments", json=taken, headers={"Idempotency-Key": unique("assessment")}
    )
    assert got.status == 202, await got.text()
    sequence: int = (await got.json())["profile_sequence"]
    return sequence


async def path_of(services: Services, officer: str, framework: str, profile: int) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        got = await services["recommender"].ask("GET", f"/v1/officers/{officer}/path")
        path: dict[str, Any] = (await got.json())["path"] if got.status == 200 else {"versions": {}}
        made_from = path["versions"].get("framework"), path["versions"].get("profile")
        return path if made_from == (framework, profile) else None

    result: dict[str, Any] = await until(found)
    return result


async def test_publishing_maps_levels_replans_and_lists_unmapped_skills(services: Services) -> None:
    name, officer = unique("fw"), unique("officer")
    await put(services, version(name, "DS300", "DS310", "DS999"))
    await registered(services, officer, name)
    sequence = await assessed(services, officer, name, DS300=3, DS310=2, DS999=1)
    assert len((await path_of(services, officer, f"{name}@1", sequence))["gaps"]) == 3
    mappings = [
        {"origin": "DS300", "target": "DG-020", "title": {"en": "Design"}},
        {"origin": "DS310", "target": "DG-020", "kind": "partial"},
    ]
    after = version(name, "DG-020", mappings=mappings)
    draft = {"framework": after, "by": "S. Wongsuwan"}
    where = f"/v1/frameworks/{name}"
    assert (await services["catalog"].ask("PUT", f"{where}/draft", "admin", json=draft)).status == 201
    impact = await (await services["catalog"].ask("GET", f"{where}:impact", "admin")).json()
    assert (impact["unmapped_skills"], impact["unmapped_job_groups"]) == (["DS999"], [])
    assert impact["exact_matches"]["DS300"] == ["DG-020"]
    answer = await put(services, after)
    assert answer == {"id": name, "version": 2, "changed": True, "unmapped_skills": ["DS999"]}
    path = await path_of(services, officer, f"{name}@2", sequence)
    [gap] = path["gaps"]
    assert (gap["skill"], gap["level"], gap["sd"], gap["assessed"]) == ("DG-020", 3.0, 0.3, True)
    assert "“Design” counts for “Digital design”" in path["reason"]["en"]
    assert "“DS999” is no longer in the framework" in path["reason"]["en"]
    assert "กรอบทักษะรุ่นใหม่ไม่มี “DS999” แล้ว" in path["reason"]["th"]
    got = await services["assessment"].ask("GET", f"/v1/officers/{officer}")
    assert {row["skill"] for row in (await got.json())["levels"]} == {"DS300", "DS310", "DS999"}, "as measured"
    late = {"framework": name, "kind": "test", "results": [{"skill": "DS300", "level": 1}]}
    got = await services["assessment"].ask(
        "POST",
        f"/v1/officers/{officer}/assessments",
        json={**late, "taken_at": "2026-11-21T09:00:00+07:00"},
        headers={"Idempotency-Key": unique("assessment")},
    )
    assert got.status == 422
    assert "no skill 'DS300'; it is 'DG-020' now" in (await got.json())["detail"]


async def test_a_job_group_follows_its_mapping_and_is_reported_as_removed_without_one(services: Services) -> None:
    name, officer = unique("fw"), unique("officer")
    await put(services, version(name, "DS300"))
    await registered(services, officer, name)
    sequence = await assessed(services, officer, name, DS300=4)
    await path_of(services, officer, f"{name}@1", sequence)
    mapping = {"origin": "clerks", "target": "service", "of": "job_group", "title": {"en": "Clerks"}}
    moved = version(name, "DS300", groups=("service",), mappings=[mapping])
    assert "unmapped_job_groups" not in await put(services, moved)
    path = await path_of(services, officer, f"{name}@2", sequence)
    assert (path["status"], path["job_group"], path["gaps"][0]["level"]) == ("ready", "service", 4.0)
    assert "“Clerks” is “Group service”" in path["reason"]["en"]
    gone = version(name, "DS300", groups=("others",))
    assert (await put(services, gone))["unmapped_job_groups"] == ["service", "clerks"]
    path = await path_of(services, officer, f"{name}@3", sequence)
    assert (path["status"], path["steps"]) == ("refused", [])
    assert "register the officer in one of its job groups" in path["reason"]["en"]
    assert "โปรดขอให้ผู้ดูแลระบบของหน่วยงาน" in path["reason"]["th"]
    await registered(services, officer, name, "others")
    path = await path_of(services, officer, f"{name}@3", sequence + 1)
    assert path["status"] == "ready"


async def test_the_number_of_affected_officers_is_shown_before_and_after_publishing(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = unique("fw")
    groups = ("clerks", "service")
    await put(services, version(name, "DS300", groups=groups))
    for number in range(3):
        await registered(services, unique("officer"), name, groups[number % 2])
    where = f"/v1/frameworks/{name}/officers"
    got = await services["assessment"].ask("GET", where, "admin")
    places = [{"job_group": "clerks", "officers": 2}, {"job_group": "service", "officers": 1}]
    counted = {"framework": name, "officers": 3, "job_groups": {"clerks": 2, "service": 1}, "places": places}
    assert await got.json() == counted
    assert (await services["assessment"].ask("GET", where)).status == 403
    assert (await services["assessment"].ask("GET", where, "admin", tenant="others")).status == 404
    counter = services["catalog"].client.app[CONTEXT].officers
    address = str(services["assessment"].client.make_url("")).rstrip("/")
    monkeypatch.setattr(counter, "_addresses", ["http://127.0.0.1:9", address])
    after = version(name, "DS300", "DG-020", groups=groups)
    draft = {"framework": after, "by": "S. Wongsuwan"}
    assert (await services["catalog"].ask("PUT", f"/v1/frameworks/{name}/draft", "admin", json=draft)).status == 201
    impact = await (await services["catalog"].ask("GET", f"/v1/frameworks/{name}:impact", "admin")).json()
    assert (impact["job_groups"], impact["officers"]) == (["clerks"], 2)
    assert (await put(services, after))["officers"] == 2
    assert (await put(services, version(name, "DS300", "DG-020")))["officers"] == 1
    monkeypatch.setattr(counter, "_addresses", ["http://127.0.0.1:9"])
    assert "officers" not in await put(services, version(name, "DS300")), "nobody answers: published all the same"


async def test_a_mapping_that_does_not_fit_is_rejected_by_its_field(services: Services) -> None:
    body = version(unique("fw"), "DG-020", mappings=[{"origin": "DS300", "target": "DG-20"}])
    got = await services["catalog"].ask("PUT", f"/v1/frameworks/{body['id']}", "admin", json=body)
    assert (got.status, (await got.json())["field"]) == (422, "mappings[0].target")
