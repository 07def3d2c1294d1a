"""In which languages sentences come, on real servers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from shared.compact_paths import CompactOpen
from shared.events import (
    PathAnnounced,
)
from shared.templates import LANGUAGES, TEMPLATES, Language
from tests.support.portal import Portal, path, running_portal, staged
from tests.support.recommender import planned, recommender, somebody
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


@pytest.mark.parametrize(("accept", "languages"), [(None, LANGUAGES), ("th", ("th",)), ("en-GB", ("en",))])
async def test_the_stream_is_rendered_in_its_languages(
    portal: Portal, accept: str | None, languages: tuple[Language, ...]
) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key, accept=accept) as stream:
        await stream.next()
        await portal.announce(officer, 2, path(officer, 2))
        new = (await stream.next()).data
        assert (new["revision"], languages_in(new["path"])) == (2, {languages})
        assert new["path"]["reason"]["messages"]


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
