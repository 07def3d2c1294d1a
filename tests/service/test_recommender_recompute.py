"""Any stored path can be computed again byte for byte, also after catalog, framework and rules have moved on."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from services.catalog.__main__ import build as build_catalog
from services.recommender import recompute as recomputing
from services.recommender.__main__ import build as build_recommender
from services.recommender.recompute import command, first_difference, recompute
from shared.domain import Profile, Teaches, VersionMapping
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.events import CATALOG_TOPIC, PROFILES_TOPIC
from shared.kafka import TopicSpec, create_topics
from shared.settings import CatalogSettings, RecommenderSettings
from tests.support.builders import FRAMEWORK, at, course, framework
from tests.support.recommender import assessed, courses_of, give_feedback, path_of, somebody
from tests.support.services import Started, settings_of, started
from tests.support.waiting import until

SKILL_FRAMEWORK = framework({"reading": 3, "writing": 2})
LAW = Teaches("other", "law", 0, 2)


@dataclass
class Two:
    catalog: Started
    recommender: Started
    settings: RecommenderSettings

    async def put(self, kind: str, entry: Any, tenant: str = "shared") -> None:
        path = f"/v1/{kind}/{entry.id}"
        got = await self.catalog.ask("PUT", path, "admin", tenant=tenant, json=msgspec.to_builtins(entry))
        assert got.status in (200, 201), await got.text()

    async def change_stored_path(self, officer: Profile, change: Callable[[dict[str, Any]], None]) -> None:
        """Change an officer's path in the database, as it was announced."""
        plans = self.recommender.database("recommender")["plans"]
        document = await plans.find_one({"_id": officer.key})
        assert document is not None
        announced = msgspec.json.decode(document["announced"])
        change(announced["path"])
        await plans.update_one({"_id": officer.key}, {"$set": {"announced": msgspec.json.encode(announced)}})

    async def again(self, officer: str, revision: int | None = None, tenant: str = "agency") -> tuple[str, bool]:
        return await recompute(self.settings, tenant, officer, revision, readable=True)


@pytest.fixture(scope="module")
async def two(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        settings = settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)
        catalog = await stack.enter_async_context(started(build_catalog, settings))
        address = str(catalog.client.make_url("")).rstrip("/")
        more = {"NAMESPACE": settings.namespace, "CATALOG_URL": address}
        here = settings_of(RecommenderSettings, mongodb_uri, kafka_bootstrap, **more)
        both = Two(catalog, catalog, here)
        await both.put("frameworks", SKILL_FRAMEWORK)
        for entry in (course("read", ("reading", 0, 3), hours=4), course("write", ("writing", 0, 2), hours=4)):
            await both.put("courses", entry)
        await create_topics(kafka_bootstrap, [TopicSpec(here.topic(f"{PROFILES_TOPIC}.dead"), 1, 1, {})])
        both.recommender = await stack.enter_async_context(started(build_recommender, here))
        yield both


async def settled(two: Two) -> None:
    """Return once everything that was put is announced, in the history, and planned with."""

    async def same() -> bool:
        if await two.catalog.database("catalog")["entries"].count_documents({"outbox.sequence": {"$exists": True}}):
            return False
        position = await two.catalog.database("catalog")["positions"].find_one({"_id": CATALOG_TOPIC})
        metrics = await (await two.recommender.client.get("/metrics")).text()
        return position is not None and f"\nlearning_path_catalog_revision {position['accepted']:.1f}" in metrics

    await until(same)


async def test_a_recomputed_path_is_byte_equal_even_after_later_changes(
    two: Two, capsys: pytest.CaptureFixture[str]
) -> None:
    officer = somebody(levels={"reading": 0, "writing": 1})
    service = two.recommender
    await service.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(service, officer)
    assert (await give_feedback(service, officer, "write", "not_now"))[0] == 200
    got = await service.ask(
        "PUT", "/v1/rules", "admin", json={"rules": [{"field": "course", "values": ["write"], "bias": 2}]}
    )
    assert got.status == 200
    ruled = await path_of(service, officer, cause="rules")
    revisions = range(1, ruled["revision"] + 1)
    for revision in revisions:
        sentence, same = await two.again(officer.officer, revision)
        assert same, sentence
    await two.put("courses", course("short", ("reading", 0, 3), hours=1))
    await two.put("frameworks", framework({"reading": 2, "writing": 2}))
    got = await two.catalog.ask("DELETE", "/v1/courses/write", "admin", tenant="shared")
    assert got.status == 204
    moved = await path_of(service, officer, revision=ruled["revision"] + 1)
    for revision in (*revisions, moved["revision"], None):
        sentence, same = await two.again(officer.officer, revision)
        assert same, sentence
    assert "catalog" in sentence
    now = await path_of(service, officer)
    assert "short" in courses_of(now)
    arguments = [officer.officer, "--tenant", "agency", "--revision", "1"]
    assert await command(two.settings, arguments) == 0
    assert ": same, " in (alone := capsys.readouterr().out)
    assert await command(two.settings, [*arguments, "--reference"]) == 0
    assert capsys.readouterr().out == alone.replace("same", "same, by the reference too")


async def test_a_path_with_mapped_levels_is_recomputed(two: Two) -> None:
    tenant, officer = "carried", somebody(tenant="carried", levels={"skimming": 2, "gone": 1})
    moved = VersionMapping("skimming", "reading", "broader")
    yardstick = msgspec.structs.replace(framework({"reading": 3}), mappings=[moved])
    await two.put("frameworks", yardstick, tenant)
    await settled(two)
    await two.recommender.publish(PROFILES_TOPIC, assessed(officer))
    path = await path_of(two.recommender, officer)
    assert path["path"]["gaps"][0]["level"] == 2.0
    assert [one["id"] for one in path["path"]["successions"]] == ["gone", "skimming"]
    sentence, same = await two.again(officer.officer, tenant=tenant)
    assert same, sentence


@pytest.mark.parametrize("owner", ["department", "shared", None])
async def test_a_path_under_a_tenants_own_framework_is_recomputed(two: Two, owner: str | None) -> None:
    tenant = "department"
    await two.put("frameworks", framework({"reading": 1, "writing": 1}), tenant=tenant)
    await settled(two)
    officer = somebody(tenant, framework_owner=owner, framework_version=1)
    await two.recommender.publish(PROFILES_TOPIC, assessed(officer))
    path = await path_of(two.recommender, officer)
    assert path["path"]["status"] == "ready"
    sentence, same = await two.again(officer.officer, tenant=tenant)
    assert same, sentence


async def test_a_path_that_names_a_skill_of_another_framework_is_recomputed(two: Two) -> None:
    tenant, officer = "law", somebody("law", levels={"reading": 0, "writing": 2})
    skilled = msgspec.structs.replace(framework({}, others=["law"]), id="other")
    await two.put("frameworks", skilled, tenant)
    basic = course("basic", ("reading", 0, 1), hours=0.2)
    await two.put("courses", msgspec.structs.replace(basic, teaches=[*basic.teaches, LAW]), tenant)
    await two.put("courses", course("rest", ("reading", 0, 3), hours=0.1, requires=[at("law", 2, of="other")]), tenant)
    await settled(two)
    await two.recommender.publish(PROFILES_TOPIC, assessed(officer))
    path = (await path_of(two.recommender, officer))["path"]
    assert "(needs “About law” at level 2 or above)" in path["steps"][0]["reason"]["en"]
    sentence, same = await two.again(officer.officer, tenant=tenant)
    assert same, sentence


async def test_recompute_reads_the_courses_that_the_tenant_saw(two: Two) -> None:
    await two.put("courses", course("read", ("reading", 0, 3), hours=0.5), tenant="own")
    await settled(two)
    officer = somebody("own", levels={"reading": 0, "writing": 2})
    await two.recommender.publish(PROFILES_TOPIC, assessed(officer))
    stored = await path_of(two.recommender, officer)
    assert stored["path"]["hours"] == 0.5
    assert (await two.again(officer.officer, tenant="own"))[1]
    with pytest.raises(NotFound):
        await two.again(officer.officer)


async def test_a_changed_stored_path_is_detected(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    officer = somebody(levels={"reading": 0, "writing": 2})
    await two.recommender.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(two.recommender, officer)

    def gain_more(path: dict[str, Any]) -> None:
        path["coverage"][2] += 1

    await two.change_stored_path(officer, gain_more)
    assert await command(two.settings, [officer.officer, "--tenant", "agency", "--reference"]) == 1
    output = capsys.readouterr().out
    assert "\n  path.coverage[2]: stored" in output
    assert "\n  by the reference, path.coverage[2]: stored" in output


async def test_a_path_that_cannot_be_recomputed_is_reported(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command(two.settings, ["nobody", "--tenant", "agency"]) == 2
    assert "no path of nobody is kept" in capsys.readouterr().out
    officer = somebody(levels={"reading": 0})
    await two.recommender.publish(PROFILES_TOPIC, assessed(officer))
    await path_of(two.recommender, officer)
    gone = replace(two.settings, catalog_url=("http://127.0.0.1:9",))
    with pytest.raises(Unavailable):
        await recompute(gone, "agency", officer.officer, None)


async def test_a_refusal_with_a_field_names_it(
    two: Two, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> tuple[str, bool]:
        raise InvalidInput("is no revision", "revision")

    monkeypatch.setattr(recomputing, "recompute", refused)
    assert await command(two.settings, ["nobody", "--tenant", "agency"]) == 2
    assert capsys.readouterr().out == "recompute: revision: is no revision\n"


async def test_the_catalog_serves_a_framework_at_a_past_revision(two: Two) -> None:
    await two.put("frameworks", msgspec.structs.replace(framework({"singing": 1}), id="moving"))
    await two.put("frameworks", msgspec.structs.replace(framework({"singing": 2}), id="moving"))
    history = two.catalog.database("catalog")["framework_history"]

    async def both() -> list[dict[str, Any]]:
        rows = await history.find({"id": "moving"}).sort("_id", 1).to_list(None)
        return rows if len(rows) == 2 else []

    first, second = [row["_id"] for row in await until(both)]
    await settled(two)
    for revision, version in ((first, 1), (second, 2)):
        got = await two.catalog.ask("GET", f"/v1/frameworks/moving?catalog_revision={revision}")
        found = await got.json()
        assert (got.status, found["version"], found["requirements"][0]["level"]) == (200, version, version)
    assert (await two.catalog.ask("GET", f"/v1/frameworks/moving?catalog_revision={first - 1}")).status == 404
    late = await two.catalog.ask("GET", "/v1/frameworks/moving?catalog_revision=99999999")
    assert (late.status, (await late.json())["field"]) == (422, "catalog_revision")
    assert (await two.catalog.ask("GET", f"/v1/frameworks/{FRAMEWORK}?catalog_revision=0")).status == 422


def test_the_first_difference_is_named() -> None:
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) is None
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == "a[1].b: stored 2, computed again 3"
    assert first_difference({"a": 1}, {}) == "a: only in the stored path"
    assert first_difference({}, {"a": 1}) == "a: only in the path computed again"
    assert first_difference([1], [1, 2]) == ": 1 entries were stored, 2 found"
    assert first_difference({"a": 1}, {"a": 1.0}) == "a: stored 1, computed again 1.0"
