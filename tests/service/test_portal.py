"""The portal as it is wired in production, on a real broker and a real MongoDB; a small server stands for the rest."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import aiohttp
import msgspec
import pytest
from aiohttp import web
from multidict import CIMultiDict
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.live import Message, messages
from services.portal.__main__ import build
from services.portal.connections import Connection, Connections, Push
from shared.auth import Role, issue
from shared.events import PATHS_TOPIC, Data, PathRecommended, announce
from shared.kafka import Publisher, TopicSpec, create_topics
from shared.mongo import KeyStore, connect
from shared.paths import Coverage, LearningPath, Reason, Versions
from shared.settings import PortalSettings, read

pytestmark = pytest.mark.timeout(60)
WAIT = 10
PEPPER = "a pepper that is long enough"


def path(officer: str, revision: int, tenant: str = "agency") -> PathRecommended:
    learning = LearningPath(
        status="ready",
        job_group="service",
        framework="fw",
        steps=[],
        gaps=[],
        open=[],
        coverage=Coverage(1.0, 1.0, 0, 0),
        hours=0,
        versions=Versions(revision, "fw@1", 1, "t0"),
        as_of=date(2026, 11, 23),
        reason=Reason("ครบแล้ว", "all there"),
    )
    return PathRecommended(tenant, officer, revision, "assessment", datetime.now(UTC), learning)


@dataclass
class Owner:
    """Stands for the services behind the portal: stored paths, and whatever else was asked of them."""

    stored: dict[str, PathRecommended] = field(default_factory=dict)
    broken: bool = False
    held: asyncio.Event | None = None
    asked: list[tuple[str, str, CIMultiDict[str], bytes]] = field(default_factory=list)
    url: str = ""

    async def get_path(self, request: web.Request) -> web.Response:
        if self.held:
            await self.held.wait()
        if self.broken:
            return web.Response(status=503)
        found = self.stored.get(request.match_info["officer"])
        body = msgspec.json.encode(found) if found else b"{}"
        return web.Response(status=200 if found else 404, body=body, content_type="application/json")

    async def anything(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append((request.method, request.raw_path, request.headers.copy(), body))
        answer = web.StreamResponse(
            status=207,
            headers={"ETag": '"7"', "Content-Type": "application/x-ndjson", "Connection": "X-Hop", "X-Hop": "1"},
        )
        await answer.prepare(request)
        for line in body.splitlines():
            await answer.write(line + b"\n")
        return answer


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=5, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Portal:
    """A running portal, with keys to it and a hand on its topic."""

    def __init__(self, settings: PortalSettings, publisher: Publisher, owner: Owner) -> None:
        self.settings, self.publisher, self.owner = settings, publisher, owner
        self.session: aiohttp.ClientSession
        self.url = ""
        self.officers = 0

    async def key(self, role: Role, officer: str | None = None, tenant: str = "agency") -> str:
        client = connect(self.settings)
        credential, stored = issue(self.settings.api_key_pepper, tenant, role, officer)
        await KeyStore(client, self.settings).create(stored)
        client.close()
        return credential

    async def officer(self) -> tuple[str, str]:
        """Return an officer nobody else has, and a key of it."""
        self.officers += 1
        name = f"officer-{self.officers}"
        return name, await self.key("officer", name)

    async def announce(self, officer: str, revision: int, data: Data | None, tenant: str = "agency") -> None:
        envelope = announce("/recommender", f"{tenant}/{officer}", revision, data)
        await self.publisher.send(self.settings.topic(PATHS_TOPIC), [envelope])

    @asynccontextmanager
    async def stream(self, officer: str, key: str, last_event_id: str = "") -> AsyncIterator["Stream"]:
        source = messages(self.session, self.url, officer, key, last_event_id)
        stream = Stream(source)
        try:
            yield stream
        finally:
            await source.aclose()

    async def metrics(self) -> dict[str, float]:
        async with self.session.get(f"{self.url}/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
            return {
                " ".join([sample.name, *sample.labels.values()]): sample.value
                for family in families
                for sample in family.samples
                if sample.name.startswith("portal_")
            }

    async def until_streams(self, number: int) -> None:
        async with asyncio.timeout(WAIT):
            while (await self.metrics())["portal_streams"] != number:
                await asyncio.sleep(0.02)


class Stream:
    def __init__(self, source: AsyncIterator[Message]) -> None:
        self._source = source

    async def next(self) -> Message:
        async with asyncio.timeout(WAIT):
            return await anext(self._source)

    async def ends(self) -> bool:
        async with asyncio.timeout(WAIT):
            return [message async for message in self._source] == []


@asynccontextmanager
async def running(settings: PortalSettings, owner: Owner, lifetime: float = 900) -> AsyncIterator[Portal]:
    async with (
        Publisher(settings.kafka_bootstrap_servers) as publisher,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        serving(await build(settings, lifetime)) as url,
    ):
        portal = Portal(settings, publisher, owner)
        portal.session, portal.url = session, url
        async with asyncio.timeout(WAIT):
            while True:
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.05)
        yield portal


@pytest.fixture(scope="module")
async def settings(kafka_bootstrap: str, mongodb_uri: str) -> AsyncIterator[PortalSettings]:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "MONGODB_URI": mongodb_uri,
        "NAMESPACE": f"portal{id(kafka_bootstrap)}-",
        "API_KEY_PEPPER": PEPPER,
        "COOKIE_SECURE": "false",
    }
    settings = read(PortalSettings, environment)
    await create_topics(kafka_bootstrap, [TopicSpec(settings.topic(PATHS_TOPIC), 3, 1, {})])
    owner = Owner()
    app = web.Application()
    app.router.add_get("/v1/officers/{officer}/path", owner.get_path)
    app.router.add_route("*", "/{path:.*}", owner.anything)
    async with serving(app) as url:
        owner.url = url
        owners = {f"{name}_URL": url for name in ("ASSESSMENT", "CATALOG", "RECOMMENDER")}
        OWNERS[settings.namespace] = owner
        yield read(PortalSettings, environment | owners)


OWNERS: dict[str, Owner] = {}


@pytest.fixture(scope="module")
async def portal(settings: PortalSettings) -> AsyncIterator[Portal]:
    async with running(settings, OWNERS[settings.namespace]) as portal:
        yield portal


# --- streams


async def test_a_stream_gets_the_stored_path_and_then_each_new_one_byte_for_byte(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 3)
    async with portal.stream(officer, key) as stream:
        first = await stream.next()
        assert (first.event, first.id, first.data["officer"]) == ("path", "3", officer)
        newer = path(officer, 4)
        await portal.announce(officer, 4, newer)
        second = await stream.next()
        assert (second.event, second.id, second.data) == ("path", "4", json.loads(msgspec.json.encode(newer)))


async def test_a_stream_that_holds_the_stored_revision_is_sent_only_newer_ones(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 3)
    async with portal.stream(officer, key, last_event_id="3") as stream:
        opening = asyncio.create_task(stream.next())
        await portal.until_streams(1)
        await portal.announce(officer, 3, path(officer, 3))
        await portal.announce(officer, 2, path(officer, 2))
        await portal.announce(officer, 4, path(officer, 4))
        assert (await opening).id == "4"


async def test_without_a_path_the_stream_waits_and_the_first_one_arrives_live(portal: Portal) -> None:
    officer, key = await portal.officer()
    async with portal.stream(officer, key) as stream:
        waiting = await stream.next()
        assert (waiting.event, waiting.data) == ("status", {"status": "waiting"})
        await portal.announce(officer, 1, path(officer, 1))
        assert (await stream.next()).id == "1"


async def test_a_path_stored_meanwhile_is_found_without_an_event(portal: Portal) -> None:
    officer, key = await portal.officer()
    async with portal.stream(officer, key) as stream:
        assert (await stream.next()).event == "status"
        portal.owner.stored[officer] = path(officer, 1)
        assert (await stream.next()).id == "1"


async def test_a_recommender_that_is_away_is_told_and_asked_again(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 5)
    portal.owner.broken = True
    async with portal.stream(officer, key) as stream:
        assert (await stream.next()).data == {"status": "unavailable"}
        portal.owner.broken = False
        assert (await stream.next()).id == "5"


async def test_a_path_that_comes_during_the_fetch_is_sent_once_and_an_older_stored_one_not(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    portal.owner.held = asyncio.Event()
    async with portal.stream(officer, key) as stream:
        opening = asyncio.create_task(stream.next())
        await portal.until_streams(1)
        await portal.announce(officer, 2, path(officer, 2))
        assert (await opening).id == "2"
        portal.owner.held.set()
        portal.owner.held = None
        await portal.announce(officer, 3, path(officer, 3))
        assert (await stream.next()).id == "3"


async def test_a_tombstone_is_told_as_erased(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        await portal.announce(officer, 2, None)
        assert (await stream.next()).event == "erased"
        await portal.announce(officer, 3, path(officer, 3))
        assert (await stream.next()).id == "3"


async def test_every_stream_of_an_officer_is_told_and_nobody_elses(portal: Portal) -> None:
    officer, key = await portal.officer()
    other, other_key = await portal.officer()
    for name in (officer, other):
        portal.owner.stored[name] = path(name, 1)
    async with (
        portal.stream(officer, key) as one,
        portal.stream(officer, await portal.key("platform")) as two,
        portal.stream(other, other_key) as three,
    ):
        for stream in (one, two, three):
            await stream.next()
        await portal.announce(officer, 2, path(officer, 2, "elsewhere"), tenant="elsewhere")
        await portal.announce(officer, 3, path(officer, 3))
        await portal.announce(other, 4, path(other, 4))
        assert [(await stream.next()).id for stream in (one, two, three)] == ["3", "3", "4"]


async def test_another_officer_is_not_found_and_no_key_is_refused(portal: Portal) -> None:
    officer, key = await portal.officer()
    for name, headers, status in [
        ("somebody-else", {"Authorization": f"Bearer {key}"}, 404),
        (officer, {"Authorization": "Bearer no.key"}, 401),
        (officer, {}, 401),
        ("..%2Fx", {"Authorization": f"Bearer {key}"}, 404),
    ]:
        async with portal.session.get(f"{portal.url}/v1/officers/{name}/live", headers=headers) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"


async def test_a_reader_that_leaves_is_forgotten(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        await portal.until_streams(1)
    await portal.until_streams(0)


async def test_stopping_ends_every_stream_at_once_and_a_long_one_ends_by_itself(settings: PortalSettings) -> None:
    owner = OWNERS[settings.namespace]
    owner.stored["long"] = path("long", 1)
    begun = 0.0
    async with running(settings, owner, lifetime=0.3) as portal, portal.stream("long", await portal.key("admin")) as s:
        await s.next()
        assert await s.ends()
        assert (await portal.metrics())["portal_dropped_total expired"] == 1
    async with aiohttp.ClientSession() as session:
        async with running(settings, owner) as portal:
            source = messages(session, portal.url, "long", await portal.key("platform"))
            assert (await anext(source)).id == "1"
            begun = asyncio.get_running_loop().time()
        assert [message async for message in source] == []
    assert asyncio.get_running_loop().time() - begun < 5


async def test_what_happens_is_counted(portal: Portal) -> None:
    before = await portal.metrics()
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        after = await portal.metrics()
    assert after["portal_pushes_total"] == before["portal_pushes_total"] + 1
    assert after["portal_streams"] == 1


# --- connections, without a server


async def test_of_several_unread_paths_only_the_latest_is_told() -> None:
    connections = Connections()
    with connections.open("t/o") as connection:
        for revision in (1, 3, 2):
            connections.push("t/o", Push("path", f"path {revision}", revision))
        assert await connection.next() == Push("path", "path 3", 3)
        connection.close()
        assert await connection.next() is None
    assert (connections.superseded, connections.streams) == (1, 0)


async def test_a_status_never_stands_in_the_way_of_a_path() -> None:
    connection = Connection()
    connection.offer(Push("path", "one", 1))
    connection.offer(Push("status", "waiting"))
    assert await connection.next() == Push("path", "one", 1)


async def test_a_replica_that_stops_opens_no_stream_any_more() -> None:
    connections = Connections()
    connections.drop_all("follower")
    with connections.open("t/o") as still_open:
        still_open.offer(Push("path", "one", 1))
        assert await still_open.next() is not None
        connections.drop_all("shutdown")
    with connections.open("t/o") as connection:
        assert await connection.next() is None
    assert connections.dropped == {"shutdown": 1, "follower": 0, "slow": 0, "expired": 0}


# --- signing in, the page, and what is forwarded


@asynccontextmanager
async def signed_in(portal: Portal, role: Role, officer: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    key = await portal.key(role, officer)
    async with aiohttp.ClientSession(portal.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.post("/session", json={"key": key}) as answer:
            assert await answer.json() == {"tenant": "agency", "role": role, "officer": officer}
            cookie = answer.cookies["learning-path"]
            assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        yield session


async def test_signing_in_sets_the_cookie_that_opens_everything_and_signing_out_takes_it(portal: Portal) -> None:
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


@pytest.mark.parametrize(("body", "status"), [({"key": "no.key"}, 401), ({}, 422), ({"key": "x", "more": 1}, 422)])
async def test_a_key_that_does_not_work_signs_nobody_in(portal: Portal, body: dict[str, str], status: int) -> None:
    async with portal.session.post(f"{portal.url}/session", json=body) as answer:
        assert answer.status == status
        assert not answer.cookies


async def test_the_secure_cookie_is_bound_to_the_host(settings: PortalSettings) -> None:
    environment = {"API_KEY_PEPPER": PEPPER, "MONGODB_URI": settings.mongodb_uri, "NAMESPACE": settings.namespace}
    environment["KAFKA_BOOTSTRAP_SERVERS"] = settings.kafka_bootstrap_servers
    async with running(read(PortalSettings, environment), Owner()) as portal:
        key = await portal.key("platform")
        async with portal.session.post(f"{portal.url}/session", json={"key": key}) as answer:
            cookie = answer.cookies["__Host-learning-path"]
            assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "https://elsewhere.example"}, False),
        ({"Origin": "null"}, False),
    ],
)
async def test_a_change_on_the_strength_of_a_cookie_comes_from_the_page_only(
    portal: Portal, headers: dict[str, str], allowed: bool
) -> None:
    async with signed_in(portal, "platform") as session:
        before = len(portal.owner.asked)
        async with session.post("/api/v1/recommendations", json={}, headers=headers) as answer:
            assert (answer.status == 207) is allowed
            assert answer.status in (207, 403)
        assert len(portal.owner.asked) - before == int(allowed)
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
    method, target, got, sent = portal.owner.asked[-1]
    assert (method, target) == ("POST", "/v1/courses:import?dry=1&q=%E0%B8%81")
    assert sent.splitlines() == lines
    assert (got["Authorization"], got["X-Request-Id"], got["Content-Type"]) == (f"Bearer {key}", "req-1", "text/x")
    assert not [name for name in ("Cookie", "X-Private", "Origin") if name in got]


async def test_only_paths_that_a_service_owns_are_forwarded_and_only_for_who_is_signed_in(portal: Portal) -> None:
    asked = len(portal.owner.asked)
    key = {"Authorization": f"Bearer {await portal.key('platform')}"}
    for target in ("/api/metrics", "/api/v1/officers/a/live", "/api/v1/officers/a/b/c", "/api//elsewhere.example/"):
        async with portal.session.get(portal.url + target, headers=key) as answer:
            assert answer.status == 404
    async with portal.session.get(f"{portal.url}/api/v1/courses") as answer:
        assert answer.status == 401
    assert len(portal.owner.asked) == asked


async def test_a_service_that_is_away_is_said_so(settings: PortalSettings) -> None:
    environment = {"API_KEY_PEPPER": PEPPER, "MONGODB_URI": settings.mongodb_uri, "NAMESPACE": settings.namespace}
    environment |= {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "CATALOG_URL": "http://127.0.0.1:9",
        "RECOMMENDER_URL": "http://127.0.0.1:9",
    }
    async with running(read(PortalSettings, environment), Owner()) as portal:
        key = await portal.key("platform")
        headers = {"Authorization": f"Bearer {key}"}
        async with portal.session.get(f"{portal.url}/api/v1/courses", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (503, "application/problem+json")
        async with portal.stream("somebody", key) as stream:
            assert (await stream.next()).data == {"status": "unavailable"}


async def test_the_page_and_its_files_are_served_under_a_strict_policy_and_not_sent_twice(portal: Portal) -> None:
    for target, kind in [("/", "text/html"), ("/static/page.js", "text/javascript"), ("/static/style.css", "text/css")]:
        async with portal.session.get(portal.url + target) as answer:
            assert (answer.status, answer.content_type) == (200, kind)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            tag = answer.headers["ETag"]
        async with portal.session.get(portal.url + target, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
    for target in ("/static/nothing.js", "/static/..%2F__main__.py", "/static/../__main__.py"):
        async with portal.session.get(portal.url + target) as answer:
            assert answer.status == 404
