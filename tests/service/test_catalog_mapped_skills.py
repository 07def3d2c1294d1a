"""Mappings between frameworks, and between versions of one, give courses their skills, on real servers."""

import msgspec

from services.recommender.plan_validator.validate import validate
from services.recommender.planner.pipeline import recommend
from shared.domain import Framework
from shared.events import CoursePublished
from tests.support.builders import inputs, view_of
from tests.support.catalog import catalog
from tests.support.crafts import GLASS, POTTERY, Agency, crafts, row, same
from tests.support.services import Topic

SERVICE = catalog


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
