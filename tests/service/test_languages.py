"""In which languages sentences come, and paths that were stored or announced with their sentences: on real servers."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.recommender.store.documents import event_of
from services.recommender.store.plans import PlanStore
from shared.compact_paths import CompactOpen
from shared.events import (
    PATHS_TOPIC,
    PROFILES_TOPIC,
    PathAnnounced,
    PathRecommended,
    new_event,
    path_with_sentences,
)
from shared.messages import with_sentences
from shared.paths import Reason
from shared.templates import LANGUAGES, TEMPLATES, Language
from tests.support.portal import Portal, path, running_portal, staged
from tests.support.recommender import assessed, path_of, planned, recommender, somebody
from tests.support.services import Started

WANTED: list[tuple[str, dict[str, str], tuple[Language, ...]]] = [
    ("", {}, LANGUAGES),
    ("?lang=th", {}, ("th",)),
    ("?lang=en", {"Accept-Language": "th"}, ("en",)),
    ("?lang=en,th", {}, LANGUAGES),
    ("?lang=th&lang=en", {}, LANGUAGES),
    ("", {"Accept-Language": "th-TH"}, ("th",)),
    ("", {"Accept-Language": "en-GB,en;q=0.9,fr;q=0.1"}, ("en",)),
    ("", {"Accept-Language": "th;q=0,*"}, ("en",)),
    ("", {"Accept-Language": "th, en;q=0.5"}, LANGUAGES),
    ("", {"Accept-Language": "fr"}, LANGUAGES),
    ("", {"Accept-Language": ";;q=x,,"}, LANGUAGES),
]


SERVICE = recommender


@pytest.fixture(scope="module")
async def portal(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Portal]:
    async with staged(kafka_bootstrap, mongodb_uri) as (settings, owner), running_portal(settings, owner) as portal:
        yield portal


def languages_in(shown: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return in which languages the sentences of a path are."""
    parts = [shown, *shown["steps"], *shown["open"], *shown.get("notes", [])]
    return {tuple(language for language in LANGUAGES if language in part["reason"]) for part in parts}


@pytest.mark.parametrize(("query", "headers", "languages"), WANTED)
async def test_sentences_are_rendered_in_the_requested_languages(
    service: Started, query: str, headers: dict[str, str], languages: tuple[Language, ...]
) -> None:
    officer = somebody()
    await planned(service, officer)
    address = f"/v1/officers/{officer.officer}"
    got = await service.ask("GET", f"{address}/path{query}", headers=headers)
    shown = (await got.json())["path"]
    assert shown["steps"]
    assert languages_in(shown) == {languages}
    assert got.headers["Content-Language"] == ", ".join(languages)
    assert got.headers["Vary"] == "Accept-Language"
    held = await service.ask("GET", f"{address}/path{query}", headers={**headers, "If-None-Match": got.headers["ETag"]})
    assert held.status == 304
    for other in ("th", "en", "th,en"):
        if set(other.split(",")) != set(languages):
            again = await service.ask(
                "GET", f"{address}/path?lang={other}", headers={"If-None-Match": got.headers["ETag"]}
            )
            assert again.status == 200  # another representation
    request_body = {"compare_with": officer.officer}
    tried = await service.ask("POST", f"/v1/recommendations{query}", json=request_body, headers=headers)
    assert languages_in((await tried.json())["path"]) == {languages}
    why = await (await service.ask("GET", f"{address}/path/why-not/read-long{query}", headers=headers)).json()
    assert tuple(one for one in LANGUAGES if one in why["reason"]) == languages
    templates = await (await service.ask("GET", f"/v1/messages{query}", headers=headers)).json()
    assert templates["languages"] == list(languages)
    assert templates["templates"] == {
        code: {language: texts[language] for language in languages} for code, texts in TEMPLATES.items()
    }
    for message in (one for step in shown["steps"] for one in step["reason"]["messages"]):
        assert message["code"] in templates["templates"]


@pytest.mark.parametrize("lang", ["de", "", "th,de", "th en", "TH;q=1", "%00"])
async def test_an_unsupported_language_is_rejected(service: Started, portal: Portal, lang: str) -> None:
    officer = somebody()
    await planned(service, officer)
    address = f"/v1/officers/{officer.officer}/path"
    request_body: dict[str, Any] = {"compare_with": officer.officer}
    for method, place, body in (
        ("GET", address, None),
        ("GET", f"{address}/why-not/read-long", None),
        ("POST", "/v1/recommendations", request_body),
        ("GET", "/v1/messages", None),
    ):
        got = await service.ask(method, f"{place}?lang={lang}", json=body)
        problem = await got.json()
        assert (got.status, got.content_type, problem["field"]) == (400, "application/problem+json", "lang"), place
    name, key = await portal.officer()
    live = f"{portal.url}/v1/officers/{name}/live?lang={lang}"
    async with portal.session.get(live, headers={"Authorization": f"Bearer {key}"}) as refused:
        assert (refused.status, (await refused.json())["field"]) == (400, "lang")


async def test_a_path_stored_with_sentences_is_answered_announced_and_planned_from(
    service: Started,
) -> None:
    officer = somebody()
    await planned(service, officer)
    plans = service.database("recommender")["plans"]
    document = await plans.find_one({"_id": officer.key})
    assert document is not None
    event = event_of(document)
    whole = replace(event, path=replace(with_sentences(event.path), reason=Reason("อย่างเดิม", "as it was")))
    changed = {"$set": {"path": msgspec.json.encode(whole)}, "$unset": {"announced": "", "alternatives": ""}}
    await plans.update_one({"_id": officer.key}, changed)
    address = f"/v1/officers/{officer.officer}/path"
    shown = await (await service.ask("GET", f"{address}?lang=en")).json()
    assert shown["path"]["reason"] == {"en": "as it was"}
    assert languages_in(shown["path"]) == {("en",)}
    assert await PlanStore(service.database("recommender")).republish([officer.key]) == 1
    waiting = await plans.find_one({"_id": officer.key})
    assert waiting is not None
    for entry in waiting["outbox"]:
        assert entry["type"] == "path.recommended.v1"
        assert msgspec.json.decode(entry["data"], type=PathRecommended) == whole
    why = await service.ask("GET", f"{address}/why-not/read-long")
    assert (await why.json())["reason"]["th"]
    await service.publish(PROFILES_TOPIC, assessed(replace(officer, sequence=2, weekly_hours=2.0)))
    newer = await path_of(service, officer, 2)
    assert newer["revision"] == 2
    after = await plans.find_one({"_id": officer.key})
    assert after is not None
    assert "path" not in after
    past = await PlanStore(service.database("recommender")).history.find(officer.key, 1)
    assert past is not None
    assert past.event == whole
    assert past.alternatives is None


def as_version_0_1_0(event: PathRecommended) -> bytes:
    """Return a path with sentences under the names that version 0.1.0 gave to its fields and cause."""
    former = msgspec.to_builtins(event)
    former["cause"] = former["cause"].replace("catalog", "catalogue")
    former["path"]["versions"]["catalogue"] = former["path"]["versions"].pop("catalog")
    for step in former["path"]["steps"]:
        step["seed"] = step.pop("origin", None)
    return msgspec.json.encode(former)


async def test_a_path_stored_by_version_0_1_0_is_answered_and_planned_from(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    plans = service.database("recommender")["plans"]
    document = await plans.find_one({"_id": officer.key})
    assert document is not None
    event = event_of(document)
    whole = replace(event, cause="catalog", path=with_sentences(event.path))
    steps = [replace(step, origin="pinned") for step in whole.path.steps]
    whole = replace(whole, path=replace(whole.path, steps=steps))
    changed = {"$set": {"path": as_version_0_1_0(whole)}, "$unset": {"announced": "", "alternatives": ""}}
    await plans.update_one({"_id": officer.key}, changed)
    former = await plans.find_one({"_id": officer.key})
    assert former is not None
    assert event_of(former) == whole
    shown = await (await service.ask("GET", f"/v1/officers/{officer.officer}/path")).json()
    assert shown["path"]["versions"]["catalog"] == whole.path.versions.catalog
    await service.publish(PROFILES_TOPIC, assessed(replace(officer, sequence=2, weekly_hours=2.0)))
    assert (await path_of(service, officer, 2))["revision"] == 2
    past = await PlanStore(service.database("recommender")).history.find(officer.key, 1)
    assert past is not None
    assert past.event == whole


async def test_an_older_version_that_stores_sentences_may_write_after_a_newer_one(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    plans = service.database("recommender")["plans"]
    document = await plans.find_one({"_id": officer.key})
    assert document is not None
    event = event_of(document)
    newer = replace(event, revision=2, path=replace(with_sentences(event.path), reason=Reason("ใหม่", "newer")))
    fields = {"path": msgspec.json.encode(newer), "revision": 2}  # it leaves alone what it does not know
    await plans.update_one({"_id": officer.key}, {"$set": fields})
    shown = await (await service.ask("GET", f"/v1/officers/{officer.officer}/path")).json()
    assert (shown["revision"], shown["path"]["reason"]) == (2, {"th": "ใหม่", "en": "newer"})


@pytest.mark.parametrize(("accept", "languages"), [(None, LANGUAGES), ("th", ("th",)), ("en-GB", ("en",))])
async def test_the_stream_is_rendered_in_its_languages_for_every_event_form(
    portal: Portal, accept: str | None, languages: tuple[Language, ...]
) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key, accept=accept) as stream:
        await stream.next()
        once = path(officer, 2)
        await portal.announce(officer, 2, once)
        old = (await stream.next()).data
        assert old["path"]["reason"] == {one: getattr(once.path.reason, one) for one in languages}
        await portal.announce(officer, 3, PathAnnounced.of(path(officer, 3)))
        new = (await stream.next()).data
        assert (new["revision"], languages_in(new["path"])) == (3, {languages})
        assert new["path"]["reason"]["messages"]


@pytest.mark.parametrize("accept", ["th", "en"])
async def test_a_path_announced_by_version_0_1_0_is_pushed_in_one_language(portal: Portal, accept: str) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key, accept=accept) as stream:
        await stream.next()
        second = path(officer, 2)
        envelope = new_event("/recommender", f"agency/{officer}", 2, second)
        former = replace(envelope, data=as_version_0_1_0(second))
        await portal.publisher.send(portal.settings.topic(PATHS_TOPIC), [former])
        pushed = (await stream.next()).data
        assert pushed["path"]["reason"] == {accept: getattr(second.path.reason, accept)}
        assert pushed["path"]["versions"]["catalog"] == second.path.versions.catalog


def test_a_path_that_no_version_wrote_is_refused() -> None:
    for data in (
        b"{}",
        b"[]",
        b'{"path": 1}',
        b'{"path": {"versions": []}}',
        b'{"path": {"versions": {}, "steps": [1]}}',
    ):
        with pytest.raises(msgspec.ValidationError):
            path_with_sentences(data)


async def test_an_undecodable_path_ends_no_stream(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        event = PathAnnounced.of(path(officer, 2))
        broken = replace(event, path=replace(event.path, open=[CompactOpen(7, "no_course")]))
        await portal.announce(officer, 2, broken)
        await portal.announce(officer, 3, PathAnnounced.of(path(officer, 3)))
        assert (await stream.next()).id == "3"
