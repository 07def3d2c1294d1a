"""An agency's view on real servers: added up from stored paths, apart by tenant, planning nothing but its sample."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from services.recommender.__main__ import unpublish
from services.recommender.api.context import CONTEXT
from services.recommender.disclosure import Version
from services.recommender.store.plans import COLLECTION
from services.recommender.store.releases import ReleaseStore
from shared.auth import Role
from shared.domain import Course, Framework, JobGroup, Requirement
from shared.events import PROFILES_TOPIC
from shared.settings import RecommenderSettings
from tests.support.builders import FRAMEWORK, course, framework, text
from tests.support.recommender import assessed, path_of, planned, recommender, registered, somebody
from tests.support.services import Started

SHOWN = framework({"reading": 3, "dancing": 2})
TWO_GROUPS = msgspec.structs.replace(
    SHOWN,
    job_groups=[*SHOWN.job_groups, JobGroup("it-ops", text("it-ops"))],
    requirements=[*SHOWN.requirements, Requirement("it-ops", "reading", 2)],
)


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    entries: list[Course | Framework] = [TWO_GROUPS, course("read", ("reading", 0, 3), hours=40)]
    async with recommender(mongodb_uri, kafka_bootstrap, entries) as service:
        officers = [somebody(agency="north", levels={"reading": 1, "dancing": 0}) for _ in range(7)]
        officers += [somebody(agency="north", job_group="it-ops", levels={"reading": 2}) for _ in range(6)]
        officers += [somebody(agency="small", levels={"reading": 1}) for _ in range(4)]
        officers += [somebody("other", agency="north", levels={"reading": 0}) for _ in range(9)]
        await service.publish(PROFILES_TOPIC, *map(assessed, officers))
        for one in officers:
            await path_of(service, one)
        yield service


async def gaps(service: Started, agency: str = "north", **options: Any) -> tuple[int, dict[str, Any]]:
    query = {name: options.pop(name) for name in ("first", "deadline", "weekly_hours", "framework") if name in options}
    options["agency"] = options.pop("agency_of_key", None)
    got = await service.ask("GET", f"/v1/agencies/{agency}/gaps", params=query, **options)
    return got.status, await got.json()


async def test_the_agencies_of_a_tenant_are_listed_page_by_page(service: Started) -> None:
    async def page(**query: Any) -> tuple[list[str], str | None]:
        found = await (await service.ask("GET", "/v1/agencies", params=query)).json()
        return found["agencies"], found["next"]

    assert await page() == (["north", "small"], None)
    assert await page(limit=1) == (["north"], "north")
    assert await page(limit=1, after="north") == (["small"], None)
    answer = await service.ask("GET", "/v1/agencies", tenant="other")
    assert (await answer.json())["agencies"] == ["north"]
    assert (await service.ask("GET", "/v1/agencies", params={"limit": 0})).status == 422


async def test_an_analyst_sees_the_groups_of_the_own_agency_or_of_every_one_of_the_tenant(service: Started) -> None:
    async def listed(agency: str | None) -> list[str]:
        answer = await service.ask("GET", "/v1/agencies", "analyst", agency=agency)
        found: list[str] = (await answer.json())["agencies"]
        return found

    assert (await listed(None), await listed("north"), await listed("elsewhere")) == (["north", "small"], ["north"], [])
    for agency in (None, "north"):
        status, found = await gaps(service, role="analyst", agency_of_key=agency)
        assert (status, found["officers"]) == (200, 13)
    assert (await gaps(service, "small", role="analyst"))[1]["officers"] is None
    status, other = await gaps(service, "small", role="analyst", agency_of_key="north")
    _, none = await gaps(service, "no-such", role="analyst")
    assert (status, other["detail"]) == (404, none["detail"])


async def test_the_gaps_of_an_agency_are_reported(service: Started) -> None:
    status, found = await gaps(service)
    assert (status, found["officers"], found["frameworks"]) == (200, 13, {"fw": 10})
    reading, dancing = found["skills"]
    assert (dancing["skill"], dancing["officers"], dancing["gap"], dancing["open"]) == (
        "dancing",
        7,
        2,
        {"no_course": 5},
    )
    assert (reading["skill"], reading["officers"], reading["after"], reading["open"]) == ("reading", 13, 0, {})
    assert [size["officers"] for size in reading["sizes"]] == [5, 0, 0, 5, 0]
    [now] = found["history"]
    assert (now["officers"], [group["job_group"] for group in now["groups"]]) == (13, ["it-ops", "service"])
    groups = {
        group["job_group"]: [(one["skill"], one["officers"]) for one in group["skills"]] for group in found["groups"]
    }
    assert groups == {"service": [("dancing", 7), ("reading", 7)], "it-ops": [("reading", 6)]}
    [read] = found["courses"]
    assert (read["course"]["id"], read["officers"]) == ("read", 5)
    assert [(row["job_group"], row["officers"]) for row in found["groups"]] == [("it-ops", 6), ("service", 7)]
    assert found["without_path"] == {"none_needed": 5}
    assert found["in_time"] is None


async def test_it_job_groups_are_listed_first_by_default(service: Started) -> None:
    _, found = await gaps(service, first="service, it-*")
    assert [row["job_group"] for row in found["groups"]] == ["service", "it-ops"]


async def test_nothing_is_published_of_a_small_agency(service: Started) -> None:
    _, found = await gaps(service, "small")
    assert (found["officers"], found["skills"], found["courses"], found["groups"]) == (None, [], [], [])


async def test_a_deadline_reports_unclosable_gaps_and_stores_nothing(service: Started) -> None:
    planner = service.client.app[CONTEXT].feedback_handler.planner
    before = planner.planned
    _, found = await gaps(service, deadline="2027-11-20", weekly_hours="0.1")
    assert found["in_time"]["sampled"] == 10
    counted_from = date.fromisoformat(found["in_time"]["as_of"])
    assert found["in_time"]["budget_hours"] == round((date(2027, 11, 20) - counted_from).days / 7 * 0.1, 2)
    rows = {
        row["skill"]: (row["short"], row["unreachable"], row["insufficient_time"], row["recommendation"])
        for row in found["in_time"]["skills"]
    }
    assert rows == {"dancing": (5, 5, 0, "hire"), "reading": (5, 0, 5, "more_time")}
    _, found = await gaps(service, deadline="2035-01-01", weekly_hours="5")
    assert [row["skill"] for row in found["in_time"]["skills"]] == ["dancing"]
    assert planner.planned == before


async def test_figures_stay_until_the_smallest_group_of_officers_has_changed(
    service: Started,
) -> None:
    officers = [somebody(agency="steady", levels={"reading": 1, "dancing": 0}) for _ in range(9)]
    elsewhere = somebody(agency="steady", framework="another", levels={})
    await service.publish(PROFILES_TOPIC, *map(assessed, officers), registered(elsewhere))
    for one in [*officers, elsewhere]:
        await path_of(service, one)
    question = {"deadline": "2027-11-20", "weekly_hours": "0.1"}
    _, first = await gaps(service, "steady", **question)
    assert (first["officers"], first["skills"][0]["level"]) == (9, 0.0)
    for number, one in enumerate(officers[:5], 1):
        better = somebody(agency="steady", levels={"reading": 3, "dancing": 2})
        after = msgspec.structs.replace(better, officer=one.officer, sequence=2)
        await service.publish(PROFILES_TOPIC, assessed(after))
        await path_of(service, after)
        _, found = await gaps(service, "steady", **question)
        changed = {name for name in found if found[name] != first[name]}
        assert changed == ({"request_id"} if number < 5 else changed | {"skills", "groups"})
    assert found["skills"][0]["level"] > 0


async def test_another_question_about_a_deadline_tells_nothing_of_the_only_officer_who_has_changed(
    service: Started,
) -> None:
    """Four officers lack time for reading, and a fifth one who is assessed between two questions would make it five."""
    officers = [somebody(agency="asked", levels={"reading": 1, "dancing": 2}) for _ in range(4)]
    officers += [somebody(agency="asked", levels={"reading": 3, "dancing": 2}) for _ in range(5)]
    await planned(service, *officers)

    async def short(weekly_hours: str) -> list[str] | None:
        _, found = await gaps(service, "asked", deadline="2027-11-20", weekly_hours=weekly_hours)
        return None if found["in_time"] is None else [row["skill"] for row in found["in_time"]["skills"]]

    assert await short("0.1") == []
    worse = somebody(agency="asked", levels={"reading": 1, "dancing": 2})
    await planned(service, msgspec.structs.replace(worse, officer=officers[-1].officer, sequence=2))
    assert await short("0.11") == []
    await planned(service, somebody(agency="asked", levels={"reading": 1, "dancing": 2}))
    assert await short("0.12") == [], "who has joined since is not in the released figures"
    await service.database("recommender")["history"].delete_many({"officer": officers[-1].officer})
    assert await short("0.13") is None, "the released plan of one officer is gone"
    assert await short("0.11") == [], "an answer that was given stays"


async def test_officers_who_moved_to_another_agency_are_not_told_apart_by_its_figures(service: Started) -> None:
    officers = [somebody(agency="whole", levels={"reading": 1, "dancing": 0}) for _ in range(9)]
    await planned(service, *officers)
    assert (await gaps(service, "whole"))[1]["officers"] == 9
    moved = [msgspec.structs.replace(one, sequence=2, agency="parted") for one in officers]
    await planned(service, *moved[:8])
    assert (await gaps(service, "parted"))[1]["officers"] is None
    more = [somebody(agency="parted", levels={"reading": 1, "dancing": 0}) for _ in range(4)]
    await planned(service, *more)
    assert (await gaps(service, "parted"))[1]["officers"] == 12


async def test_invalid_parameters_of_the_report_are_named(service: Started) -> None:
    for query, field in (
        ({"deadline": "2027-01-01"}, "weekly_hours"),
        ({"weekly_hours": "3"}, "deadline"),
        ({"deadline": "2001-01-01", "weekly_hours": "3"}, "deadline"),
        ({"deadline": "2035-01-01", "weekly_hours": "168.5"}, "weekly_hours"),
        ({"framework": "unheard-of"}, "framework"),
    ):
        status, problem = await gaps(service, **query)
        assert (status, problem["field"]) == (422, field)


async def test_agencies_of_two_tenants_with_the_same_id_are_separate(service: Started) -> None:
    _, found = await gaps(service, tenant="other")
    assert found["officers"] == 9
    assert (await gaps(service, tenant="stranger"))[0] == 404
    assert (await gaps(service, role="officer", officer="somebody"))[0] == 403


async def test_the_document_of_the_routes_is_valid(service: Started) -> None:
    document = await (await service.client.get("/openapi.json")).json()
    validate(document)
    assert document["paths"]["/v1/agencies/{agency_id}/gaps"]["get"]["x-roles"] == ["admin", "analyst", "platform"]


async def test_an_officer_with_undecodable_figures_is_skipped(service: Started) -> None:
    officers = [somebody(agency="versions", levels={"reading": 1, "dancing": 0}) for _ in range(6)]
    await planned(service, *officers)
    plans = service.database("recommender")["plans"]
    await plans.update_one({"_id": officers[0].key}, {"$set": {"measures": b'{"of": "another version"}'}})
    status, found = await gaps(service, "versions")
    assert (status, found["officers"]) == (200, 5)


async def test_figures_of_an_earlier_day_are_kept_in_the_report(service: Started) -> None:
    officers = [somebody(agency="west", levels={"reading": 1, "dancing": 0}) for _ in range(6)]
    await planned(service, *officers)
    [first] = (await gaps(service, "west"))[1]["history"]
    stored = service.database("recommender")["agency_releases"]
    about = {"_id": f"agency/west/{FRAMEWORK}"}
    release = msgspec.json.decode((await stored.find_one(about) or {})["release"])
    release["history"][0]["day"] = "2026-01-05"  # as if it had been published then
    await stored.update_one(about, {"$set": {"release": msgspec.json.encode(release)}})
    learned = somebody(levels={"reading": 3, "dancing": 2}).levels
    better = [msgspec.structs.replace(one, sequence=one.sequence + 1, levels=learned) for one in officers]
    await planned(service, *better)
    before, now = (await gaps(service, "west"))[1]["history"]
    assert before == first | {"day": "2026-01-05"}
    assert (now["day"], now["officers"]) == (first["day"], 6)
    assert now["before"] > before["before"]
    assert now["gap"] < before["gap"]
    again = (await gaps(service, "west"))[1]["history"]
    assert again == [before, now]


async def test_figures_are_published_anew_after_an_operator_has_deleted_them(service: Started) -> None:
    officers = [somebody(agency="unpublished", levels={"reading": 1, "dancing": 0}) for _ in range(6)]
    await planned(service, *officers)
    first = (await gaps(service, "unpublished"))[1]["skills"]
    learned = somebody(levels={"reading": 3, "dancing": 2}).levels
    await planned(service, msgspec.structs.replace(officers[0], sequence=officers[0].sequence + 1, levels=learned))
    assert (await gaps(service, "unpublished"))[1]["skills"] == first, (
        "figures that differ by one officer are not published"
    )
    assert isinstance(service.settings, RecommenderSettings)
    assert await unpublish(service.settings) >= 1
    assert (await gaps(service, "unpublished"))[1]["skills"] != first


async def test_two_agencies_that_publish_at_the_same_moment_are_compared(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of nine officers eight move from the east to the south: the figures of both would tell of the ninth."""
    officers = [somebody(agency="east", levels={"reading": 1, "dancing": 0}) for _ in range(9)]
    await planned(service, *officers)
    compare, replace = ReleaseStore.versions_elsewhere, ReleaseStore.replace
    compared: list[tuple[str, int]] = []

    async def note(self: ReleaseStore, *given: Any) -> list[Version]:
        found = await compare(self, *given)
        compared.append((given[0].agency, len(found)))
        return found

    async def move_first(self: ReleaseStore, *given: Any, **more: Any) -> bool:
        """Move the officers and publish the south's figures, before the east's are stored."""
        monkeypatch.setattr(ReleaseStore, "replace", replace)
        moved = [msgspec.structs.replace(one, sequence=one.sequence + 1, agency="south") for one in officers[:8]]
        await planned(service, *moved)
        assert (await gaps(service, "south"))[1]["officers"] == 8
        return await replace(self, *given, **more)

    monkeypatch.setattr(ReleaseStore, "versions_elsewhere", note)
    monkeypatch.setattr(ReleaseStore, "replace", move_first)
    status, found = await gaps(service, "east")
    assert (status, found["officers"]) == (200, None)
    assert compared == [("east", 0), ("south", 0)]


async def test_of_many_agencies_that_publish_at_the_same_moment_each_is_computed_twice_at_most(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"many-{number}" for number in range(6)]
    await planned(service, *(somebody(agency=name, levels={"reading": 1}) for name in names for _ in range(5)))
    replace, stored, all_computed, turns = ReleaseStore.replace, list[bool](), asyncio.Event(), asyncio.Lock()
    waiting = 0

    async def after_all(self: ReleaseStore, *given: Any, **more: Any) -> bool:
        """Store no release before the first one of each agency is computed, then one after the other."""
        nonlocal waiting
        waiting += 1
        if waiting == len(names):
            all_computed.set()
        await all_computed.wait()
        async with turns:
            stored.append(await replace(self, *given, **more))
            return stored[-1]

    monkeypatch.setattr(ReleaseStore, "replace", after_all)
    answers = await asyncio.gather(*(gaps(service, name) for name in names))
    assert [(status, found["officers"]) for status, found in answers] == [(200, 5)] * len(names)
    assert sorted(stored) == [False] * (len(names) - 1) + [True] * len(names)


async def test_editors_see_how_many_paths_wait_for_a_skill_and_nothing_about_few(service: Started) -> None:
    """No course teaches dancing; reading is closed by one."""

    async def open_skills(tenant: str, role: Role = "editor") -> dict[str, Any]:
        answer = await service.ask("GET", "/v1/open-skills", tenant=tenant, role=role)
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found

    plans = service.database("recommender")[COLLECTION]
    for tenant, least in (("agency", 11), ("other", 9)):
        found = await open_skills(tenant)
        lacking = await plans.count_documents({"tenant": tenant, "open_skills": f"{FRAMEWORK}/dancing"})
        assert lacking >= least
        rounded = lacking - lacking % found["min_group"]
        assert {"framework": FRAMEWORK, "skill": "dancing", "officers": rounded} in found["skills"]
        counts = [row["officers"] for row in found["skills"]]
        assert counts == sorted(counts, reverse=True)
        assert await open_skills(tenant, "admin") == found
    somebody_else = somebody("few", agency="north", levels={"reading": 0})
    await service.publish(PROFILES_TOPIC, assessed(somebody_else))
    await path_of(service, somebody_else)
    assert (await open_skills("few"))["skills"] == []
    refused: tuple[Role, ...] = ("officer", "platform", "supervisor")
    for role in refused:
        officer = somebody_else.officer if role == "officer" else None
        assert (await service.ask("GET", "/v1/open-skills", role=role, tenant="few", officer=officer)).status == 403
