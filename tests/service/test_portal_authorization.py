"""Signing in, the page's files, and what is forwarded to whom."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from shared.auth import Role
from shared.settings import PortalSettings
from tests.support.portal import Owner, Portal, path, running_portal


@asynccontextmanager
async def signed_in(portal: Portal, role: Role, officer: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    key = await portal.key(role, officer)
    async with aiohttp.ClientSession(portal.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.post("/session", json={"key": key}) as answer:
            who = await answer.json()
            assert who.pop("person")
            assert who == {"tenant": "agency", "role": role, "officer": officer, "agency": None}
            cookie = answer.cookies["learning-path"]
            assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        yield session


async def test_signing_in_sets_the_session_cookie_and_signing_out_deletes_it(portal: Portal) -> None:
    portal.owner.stored["me"] = path("me", 1)
    async with signed_in(portal, "officer", "me") as session:
        async with session.get("/session") as answer:
            assert (await answer.json())["officer"] == "me"
        async with session.get("/v1/officers/me/live") as answer:
            assert answer.content_type == "text/event-stream"
        async with session.delete("/session") as answer:
            assert answer.status == 204
        async with session.get("/session") as answer:
            assert answer.status == 401


async def test_a_page_learns_without_an_error_who_is_signed_in_or_that_nobody_is(portal: Portal) -> None:
    async def start(**headers: str) -> tuple[int, object]:
        async with portal.session.get(f"{portal.url}/session/start", headers=headers) as answer:
            session = (await answer.json())["session"]
            if session:
                session.pop("person")
            return answer.status, session

    officer = {"tenant": "agency", "role": "officer", "officer": "me", "agency": None}
    key = await portal.key("officer", "me")
    assert await start(Cookie=f"learning-path={key}") == (200, officer)
    assert await start(Authorization=f"Bearer {key}") == (200, officer)
    for cookie in ("", "learning-path=", "learning-path=no.key", "learning-path=%20", f"learning-path={key}x"):
        assert await start(Cookie=cookie) == (200, None), cookie


async def test_a_session_tells_the_people_of_one_role_apart(portal: Portal) -> None:
    async def person(key: str) -> str:
        async with portal.session.get(f"{portal.url}/session", headers={"Authorization": f"Bearer {key}"}) as answer:
            return str((await answer.json())["person"])

    one, other = await portal.key("editor", None), await portal.key("editor", None)
    assert await person(one) == await person(one) != await person(other)


@pytest.mark.parametrize(("body", "status"), [({"key": "no.key"}, 401), ({}, 422), ({"key": "x", "more": 1}, 422)])
async def test_an_invalid_key_signs_nobody_in(portal: Portal, body: dict[str, str], status: int) -> None:
    async with portal.session.post(f"{portal.url}/session", json=body) as answer:
        assert answer.status == status
        assert not answer.cookies


async def test_the_access_log_names_the_key_of_a_sign_in_and_of_a_sign_out(
    portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "access")
    key = await portal.key("officer", "me")
    cookie = {"Cookie": f"learning-path={key}"}
    async with portal.session.post(f"{portal.url}/session", json={"key": "0.wrong"}) as answer:
        assert answer.status == 401
    async with portal.session.post(f"{portal.url}/session", json={"key": key}) as answer:
        assert answer.status == 200
    async with portal.session.get(f"{portal.url}/session/start", headers=cookie) as answer:
        assert answer.status == 200
    async with portal.session.delete(f"{portal.url}/session", headers=cookie) as answer:
        assert answer.status == 204
    lines = [vars(record)["fields"] for record in caplog.records if record.name == "access"]
    named = [(line["route"], line.get("key_id"), line.get("tenant")) for line in lines]
    key_id = key.partition(".")[0]
    assert named == [
        ("/session", None, None),
        ("/session", key_id, "agency"),
        ("/session/start", key_id, "agency"),
        ("/session", key_id, "agency"),
    ]


async def test_the_secure_cookie_is_bound_to_the_host(stage: tuple[PortalSettings, Owner]) -> None:
    settings, owner = stage
    async with running_portal(replace(settings, cookie_secure=True), owner) as portal:
        key = await portal.key("platform")
        async with portal.session.post(f"{portal.url}/session", json={"key": key}) as answer:
            cookie = answer.cookies["__Host-learning-path"]
            assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


@pytest.mark.parametrize("secure", [True, False])
async def test_only_the_cookie_with_the_expected_name_is_accepted(
    stage: tuple[PortalSettings, Owner], secure: bool
) -> None:
    settings, owner = stage
    async with running_portal(replace(settings, cookie_secure=secure), owner) as portal:
        key, other = await portal.key("platform"), await portal.key("officer", "me")
        for name, status in (
            ("__Host-learning-path", 200 if secure else 401),
            ("learning-path", 401 if secure else 200),
        ):
            for target in ("/session", "/v1/officers/me/live", "/api/v1/courses"):
                async with aiohttp.ClientSession() as session:
                    headers = {"Cookie": f"{name}={key}"}
                    async with session.get(portal.url + target, headers=headers) as answer:
                        assert (answer.status in (200, 207)) is (status == 200), (name, target, answer.status)
                        assert answer.status in (200, 207, 401)
        expected, planted = (
            ("__Host-learning-path", "learning-path") if secure else ("learning-path", "__Host-learning-path")
        )
        smuggled = f"{expected}={other}"
        for cookies in (
            f"{expected}={key}; {planted}={other}",
            f"{planted}={other}; {expected}={key}",
            f"{expected}={key}; theme=dark {smuggled}",  # a value that a browser accepts from another host
            f'{expected}={key}; theme="dark" {smuggled}',
            f"{expected}={key}; \u2003{smuggled}",  # a name that begins with a space for Python only
            f"{expected}={key}; \u00a0{smuggled}",
            f'a="; {expected}={key}; b="',
        ):
            async with portal.session.get(f"{portal.url}/session", headers={"Cookie": cookies}) as answer:
                assert (await answer.json())["role"] == "platform"
        for cookies in (f"theme=dark {smuggled}", f"\u2003{smuggled}", f"{smuggled}; {expected}={key}", f"={smuggled}"):
            async with portal.session.get(f"{portal.url}/session", headers={"Cookie": cookies}) as answer:
                assert answer.status == 401


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "https://elsewhere.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({"Origin": "http://[::1"}, False),
        ({"Origin": "http://a]b"}, False),
        ({"Origin": ""}, False),
    ],
)
async def test_a_change_with_a_cookie_must_come_from_the_same_origin(
    portal: Portal, headers: dict[str, str], allowed: bool
) -> None:
    async with signed_in(portal, "platform") as session:
        before = len(portal.owner.requests)
        async with session.post("/api/v1/recommendations", json={}, headers=headers) as answer:
            assert (answer.status == 207) is allowed
            assert answer.status in (207, 403)
        assert len(portal.owner.requests) - before == int(allowed)
        key = {"Authorization": f"Bearer {await portal.key('platform')}"}
        async with session.post("/api/v1/recommendations", json={}, headers=headers | key) as answer:
            assert answer.status == 207  # a key in a header travels only by intent
        async with session.delete("/session", headers=headers) as answer:
            assert (answer.status == 204) is allowed


async def test_requests_are_forwarded_with_the_readers_own_credential(portal: Portal) -> None:
    key = await portal.key("admin")
    async with aiohttp.ClientSession(portal.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await session.post("/session", json={"key": key})
        lines = [b'{"a":1}', "ก".encode() * 200_000, b"last"]

        async def body() -> AsyncIterator[bytes]:
            for line in lines:
                yield line + b"\n"

        headers = {"X-Request-Id": "req-1", "Connection": "X-Private", "X-Private": "1", "Content-Type": "text/x"}
        async with session.post("/api/v1/courses:import?dry=1&q=%E0%B8%81", data=body(), headers=headers) as answer:
            assert (answer.status, answer.headers["ETag"], answer.headers["X-Request-Id"]) == (207, '"7"', "req-1")
            assert "X-Hop" not in answer.headers
            assert (await answer.read()).splitlines() == lines
    method, target, got, sent = portal.owner.requests[-1]
    assert (method, target) == ("POST", "/v1/courses:import?dry=1&q=%E0%B8%81")
    assert sent.splitlines() == lines
    assert (got["Authorization"], got["X-Request-Id"], got["Content-Type"]) == (f"Bearer {key}", "req-1", "text/x")
    assert not [name for name in ("Cookie", "X-Private", "Origin") if name in got]


async def test_a_disconnected_clients_request_is_cancelled_at_the_owner(portal: Portal) -> None:
    headers = {"Authorization": f"Bearer {await portal.key('platform')}"}
    portal.owner.held = asyncio.Event()
    try:
        before = len(portal.owner.requests)
        async with aiohttp.ClientSession() as session:
            url = f"{portal.url}/api/v1/recommendations"
            asking = asyncio.create_task(session.post(url, json={"target": {}}, headers=headers))
            async with asyncio.timeout(60):
                while len(portal.owner.requests) == before:
                    await asyncio.sleep(0.01)
                asking.cancel()
                await portal.owner.given_up.wait()
    finally:
        portal.owner.held.set()
        portal.owner.held = None


async def test_head_is_forwarded_and_opens_no_stream(portal: Portal) -> None:
    headers = {"Authorization": f"Bearer {await portal.key('platform')}"}
    async with portal.session.head(f"{portal.url}/api/v1/courses", headers=headers) as answer:
        assert (answer.status, answer.headers["ETag"], await answer.read()) == (207, '"7"', b"")
    assert portal.owner.requests[-1][0] == "HEAD"
    async with portal.session.head(f"{portal.url}/v1/officers/head/live", headers=headers) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "text/event-stream", b"")
    async with portal.session.head(f"{portal.url}/v1/officers/head/live") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/matches?status=proposed&limit=500"),
        ("POST", "/v1/matches:confirm"),
        ("POST", "/v1/matches:reject"),
        ("POST", "/v1/matches:correct"),
        ("GET", "/v1/courses/a.b-c/matches"),
        ("POST", "/v1/courses/a.b-c/matches:correct"),
        ("GET", "/v1/catalog/health"),
        ("GET", "/v1/frameworks/f/versions"),
        ("GET", "/v1/frameworks/f:impact"),
        ("PUT", "/v1/frameworks/f/draft"),
        ("POST", "/v1/frameworks/f/draft:review"),
        ("POST", "/v1/frameworks/f/draft:publish"),
    ],
)
async def test_catalog_routes_for_editors_are_forwarded(portal: Portal, method: str, target: str) -> None:
    headers = {"Authorization": f"Bearer {await portal.key('admin')}"}
    async with portal.session.request(method, f"{portal.url}/api{target}", json={}, headers=headers) as answer:
        assert answer.status == 207
    assert portal.owner.requests[-1][:2] == (method, target)


async def test_only_owned_paths_are_forwarded_and_only_with_a_sign_in(portal: Portal) -> None:
    before = len(portal.owner.requests)
    key = {"Authorization": f"Bearer {await portal.key('platform')}"}
    for target in (
        "/api/metrics",
        "/api/v1/officers/a/live",
        "/api/v1/officers/a/b/c",
        "/api//elsewhere.example/",
        "/api/v1/matches:erase",
        "/api/v1/courses/a/b/matches",
        "/api/v1/frameworks/f/draft:sign",
        "/api/v1/catalog",
    ):
        async with portal.session.get(portal.url + target, headers=key) as answer:
            assert answer.status == 404
    async with portal.session.get(f"{portal.url}/api/v1/courses") as answer:
        assert answer.status == 401
    assert len(portal.owner.requests) == before


async def test_an_unavailable_service_is_reported(stage: tuple[PortalSettings, Owner]) -> None:
    settings, owner = stage
    nowhere = ("http://127.0.0.1:9",)
    async with running_portal(replace(settings, catalog_url=nowhere, recommender_url=nowhere), owner) as portal:
        key = await portal.key("platform")
        headers = {"Authorization": f"Bearer {key}"}
        async with portal.session.get(f"{portal.url}/api/v1/courses", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (503, "application/problem+json")
        async with portal.stream("somebody", key) as stream:
            assert (await stream.next()).data == {"status": "unavailable"}
