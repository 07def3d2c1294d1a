"""What happens to paths when the catalog changes, and what each tenant sees of it."""

import asyncio
from collections.abc import Iterable
from functools import partial
from threading import Event as Flag
from typing import Any

import msgspec
import pytest

from services.recommender.api.context import CONTEXT
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.replanning import Replanner
from shared.domain import key_of
from shared.events import CATALOG_TOPIC, PROFILES_TOPIC, CourseWithdrawn, PathAnnounced
from tests.support.builders import FRAMEWORK, JOB_GROUP, course, framework
from tests.support.recommender import (
    READ,
    SHOWN,
    WRITE,
    assessed,
    courses_of,
    path_of,
    published,
    recommender,
    registered,
    somebody,
)
from tests.support.services import Started, Topic
from tests.support.waiting import until

SERVICE = partial(recommender, entries=(SHOWN, READ, WRITE))


async def test_a_withdrawn_course_leaves_its_paths_and_the_officers_see_a_note(
    service: Started, announced: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    replan, go_on = Replanner.after_catalog_change, asyncio.Event()

    async def held(*given: Any) -> int:
        await go_on.wait()
        return await replan(*given)

    tenant = "withdrawing"
    officer, other = (
        somebody(tenant, levels={"reading": 3, "writing": 1}),
        somebody(levels={"reading": 3, "writing": 1}),
    )
    await service.publish(CATALOG_TOPIC, published(tenant, course("short", ("writing", 0, 4), hours=1)))
    await service.publish(PROFILES_TOPIC, assessed(officer), assessed(other))
    assert courses_of(await path_of(service, officer)) == ["short"]
    await path_of(service, other)
    monkeypatch.setattr(Replanner, "after_catalog_change", held)
    try:
        await service.publish(CATALOG_TOPIC, (key_of(tenant, "short"), 2, CourseWithdrawn(tenant, "short")))
        stale = await path_of(service, officer, stale=True)
        assert courses_of(stale) == ["short"]  # a reading request never plans
        address = f"/v1/officers/{officer.officer}/path"
        got = await service.ask("GET", address, tenant=tenant, headers={"If-None-Match": f'"{stale["revision"]}"'})
        assert got.status == 200  # the reader is to learn that it is stale
        tag = got.headers["ETag"]
        assert (await service.ask("GET", address, tenant=tenant, headers={"If-None-Match": tag})).status == 304
    finally:
        go_on.set()
    event = await announced.newest(officer.key, 2)
    assert isinstance(event.data, PathAnnounced)
    assert (event.data.cause, event.data.revision) == ("catalog", 2)
    assert [step.course.id for step in event.data.recommended().path.steps] == ["write"]
    assert courses_of(await path_of(service, officer, revision=2, stale=False)) == ["write"]
    assert (await service.ask("GET", address, tenant=tenant, headers={"If-None-Match": tag})).status == 200
    assert len(await announced.of(other.key, 1)) == 1


async def test_a_new_course_enters_the_paths_of_officers_with_its_gap(service: Started, announced: Topic) -> None:
    tenant = "growing"
    mine = msgspec.structs.replace(framework({"reading": 3, "dancing": 2}), id="growing")
    officer = somebody(tenant, levels={}, framework="growing")
    await service.publish(CATALOG_TOPIC, published(tenant, mine))
    await service.publish(PROFILES_TOPIC, registered(officer))
    before = await path_of(service, officer)
    assert {gap["skill"]: gap["cause"] for gap in before["path"]["open"]} == {
        "reading": "no_course",
        "dancing": "no_course",
    }
    await service.publish(CATALOG_TOPIC, published(tenant, course("dance", ("dancing", 0, 2), of="growing")))
    event = await announced.newest(officer.key, 2)
    assert isinstance(event.data, PathAnnounced)
    assert [step.course.id for step in event.data.recommended().path.steps] == ["dance"]


async def test_a_missing_framework_is_awaited_and_its_arrival_plans(service: Started) -> None:
    officer = somebody("waiting", levels={}, framework="later")
    await service.publish(PROFILES_TOPIC, registered(officer))
    waiting = await path_of(service, officer)
    assert waiting["path"]["status"] == "waiting_for_framework"
    assert waiting["path"]["steps"] == []
    assert "later" in waiting["path"]["reason"]["th"]
    await service.publish(
        CATALOG_TOPIC,
        published("waiting", msgspec.structs.replace(SHOWN, id="later")),
        published("waiting", course("late", ("reading", 0, 3), of="later")),
    )
    stored = await path_of(service, officer, revision=2)
    assert stored["path"]["status"] == "provisional"
    assert courses_of(stored) == ["late"]


async def test_a_perfect_course_of_another_tenant_is_never_planned(service: Started) -> None:
    perfect = course("perfect", ("reading", 0, 3), ("writing", 0, 4), hours=0.1)
    await service.publish(CATALOG_TOPIC, published("owner", perfect))
    theirs, ours = somebody("owner", levels={}), somebody("neighbour", levels={})
    await service.publish(PROFILES_TOPIC, registered(theirs), registered(ours))
    assert courses_of(await path_of(service, theirs)) == ["perfect"]
    assert "perfect" not in str(await path_of(service, ours))
    body = {"framework": FRAMEWORK, "job_group": JOB_GROUP}
    for tenant, sees in (("owner", True), ("neighbour", False)):
        answer = await service.ask("POST", "/v1/recommendations", tenant=tenant, json=body)
        assert ("perfect" in await answer.text()) is sees
    assert (await service.ask("GET", f"/v1/officers/{theirs.officer}/path", tenant="neighbour")).status == 404


async def test_an_agencys_own_framework_hides_the_shared_one_of_the_same_id(service: Started) -> None:
    own = framework({"reading": 2}, others=["writing"])
    await service.publish(CATALOG_TOPIC, published("sovereign", own))
    officer, other = somebody("sovereign", levels={}), somebody(levels={})
    await service.publish(PROFILES_TOPIC, registered(officer), registered(other))
    gaps = {one.officer: (await path_of(service, one))["path"]["gaps"] for one in (officer, other)}
    assert [(gap["skill"], gap["required"]) for gap in gaps[officer.officer]] == [("reading", 2)]
    assert [gap["skill"] for gap in gaps[other.officer]] == ["reading", "writing"]


async def test_officers_stay_planned_when_their_agency_puts_its_own_framework(service: Started) -> None:
    shared = msgspec.structs.replace(framework({"reading": 3}, version=2), id="copied")
    read = course("copied-read", ("reading", 0, 4), of="copied")
    await service.publish(CATALOG_TOPIC, published("shared", shared, 2), published("shared", read))
    officers = [
        somebody("copying", levels={}, framework="copied", framework_version=2, framework_owner=owner)
        for owner in ("shared", None)
    ]
    await service.publish(PROFILES_TOPIC, *(registered(one) for one in officers))
    for one in officers:
        await path_of(service, one)
    own = msgspec.structs.replace(framework({"reading": 4}, version=1), id="copied")
    await service.publish(CATALOG_TOPIC, published("copying", own))
    for one in officers:
        stored = await path_of(service, one, revision=2)
        assert (stored["path"]["status"], courses_of(stored)) == ("provisional", ["copied-read"])
        assert [gap["required"] for gap in stored["path"]["gaps"]] == [4]


async def test_a_changed_description_alone_makes_no_new_revision(service: Started, announced: Topic) -> None:
    tenant = "describing"
    officer = somebody(tenant)
    mine = course("mine", ("reading", 0, 3), hours=1)
    await service.publish(CATALOG_TOPIC, published(tenant, mine))
    await service.publish(PROFILES_TOPIC, assessed(officer))
    assert "mine" in courses_of(await path_of(service, officer))
    described = msgspec.structs.replace(mine, description=mine.title)
    longer = course("marker", ("dancing", 0, 1), of="elsewhere")
    await service.publish(CATALOG_TOPIC, published(tenant, described, 2), published(tenant, longer))
    renamed = msgspec.structs.replace(described, hours=1.5)
    await service.publish(CATALOG_TOPIC, published(tenant, renamed, 3))
    event = await announced.newest(officer.key, 2)
    assert isinstance(event.data, PathAnnounced)
    assert [step.course.hours for step in event.data.recommended().path.steps if step.course.id == "mine"] == [1.5]


async def test_a_recommender_is_ready_once_all_of_the_catalog_of_its_start_is_indexed(
    mongodb_uri: str, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last batch of the start may be a full one, after which the reader does not wait for its index."""
    reached, opened, build = Flag(), Flag(), Snapshot.build

    def held(snapshot: Snapshot, tenants: Iterable[str] = ()) -> None:
        if snapshot.catalog_revision == 4:
            reached.set()
            assert opened.wait(300)
        build(snapshot, tenants)

    monkeypatch.setattr(Snapshot, "build", held)
    for module in ("services.recommender.consumer", "shared.kafka.follower"):
        monkeypatch.setattr(f"{module}.BATCH", 2)
    entries = (SHOWN, READ, WRITE, course("last", ("writing", 0, 4)))
    try:
        async with recommender(mongodb_uri, kafka_bootstrap, entries, ready=False) as service:
            catalog = service.client.app[CONTEXT].catalog
            await until(reached.is_set)

            async def checks() -> dict[str, str]:
                found: dict[str, str] = (await (await service.ask("GET", "/readyz", None)).json())["checks"]
                return found if found["planner"] == "ok" and catalog.has_framework else {}

            assert (await until(checks))["catalog"] == "the first catalog is being indexed"
            opened.set()
            await until(service.is_ready)
            assert catalog.revision == 4
    finally:
        opened.set()
