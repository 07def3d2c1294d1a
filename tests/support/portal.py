"""A portal as in production, on a real broker and a real MongoDB; a small server takes the place of other services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.live import Message, messages
from services.portal.__main__ import build
from shared.auth import Role
from shared.errors import PreconditionFailed
from shared.events import PATHS_TOPIC, Data, PathAnnounced, PathRecommended, new_event
from shared.kafka import Publisher, TopicSpec, create_topics
from shared.messages import with_sentences
from shared.mongo import connect
from shared.paths import UNRENDERED, Coverage, LearningPath, Versions
from shared.preconditions import Preconditions, Tag
from shared.settings import PortalSettings
from tests.support.builders import unique
from tests.support.contract import answers_of
from tests.support.services import issue_key, settings_of
from tests.support.waiting import WAIT_SECONDS, until

NO_PAGES = Path("/nowhere")
"""A folder without built pages, for a portal of which only other routes are tested."""


def path(officer: str, revision: int, tenant: str = "agency") -> PathRecommended:
    learning = LearningPath(
        status="ready",
        job_group="service",
        framework="fw",
        steps=[],
        gaps=[],
        open=[],
        coverage=Coverage(1.0, 1.0, 0, 0, 0),
        hours=0,
        versions=Versions(revision, "fw@1", 1, "t0"),
        as_of=date(2026, 11, 23),
        reason=UNRENDERED,
    )
    return PathRecommended(tenant, officer, revision, "assessment", datetime.now(UTC), with_sentences(learning))


@dataclass
class Owner:
    """Stands for the services behind the portal: stored paths, and the other requests they received."""

    stored: dict[str, PathRecommended | bytes] = field(default_factory=dict)
    broken: bool = False
    held: asyncio.Event | None = None
    document: bytes | None = None
    """What a GET of anything else answers, with the tag "7"; a change answers it too if its preconditions hold."""
    requests: list[tuple[str, str, CIMultiDict[str], bytes]] = field(default_factory=list)
    given_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_path(self, request: web.Request) -> web.Response:
        if self.held:
            await self.held.wait()
        if self.broken:
            return web.Response(status=503)
        found = self.stored.get(request.match_info["officer"])
        body = found if isinstance(found, bytes) else msgspec.json.encode(found) if found else b"{}"
        return web.Response(status=200 if found else 404, body=body, content_type="application/json")

    async def anything(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.raw_path, request.headers.copy(), body))
        if self.held:
            try:
                await self.held.wait()
            except asyncio.CancelledError:
                self.given_up.set()
                raise
        if self.document is not None:
            return self._documented(request, self.document)
        answer = web.StreamResponse(
            status=207,
            headers={"ETag": '"7"', "Content-Type": "application/x-ndjson", "Connection": "X-Hop", "X-Hop": "1"},
        )
        await answer.prepare(request)
        for line in body.splitlines():
            await answer.write(line + b"\n")
        return answer

    @staticmethod
    def _documented(request: web.Request, document: bytes) -> web.Response:
        preconditions, tag = (
            Preconditions.of(*(request.headers.getall(name, []) for name in ("If-Match", "If-None-Match"))),
            Tag("7"),
        )
        headers = {"ETag": str(tag), "Vary": "Accept-Language"}
        try:
            if request.method in ("GET", "HEAD"):
                if preconditions.unchanged(tag):
                    return web.Response(status=304, headers=headers)
            else:
                preconditions.check(tag)
        except PreconditionFailed:
            return web.Response(status=412)
        return web.Response(body=document, content_type="application/json", headers=headers)


@asynccontextmanager
async def serving(app: web.Application, shutdown_timeout: float = 5) -> AsyncIterator[str]:
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=shutdown_timeout, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Portal:
    """A running portal, with its keys and a publisher to its topic."""

    def __init__(self, settings: PortalSettings, publisher: Publisher, owner: Owner) -> None:
        self.settings, self.publisher, self.owner = settings, publisher, owner
        self.session: aiohttp.ClientSession
        self.url = ""

    async def key(self, role: Role, officer: str | None = None, tenant: str = "agency") -> str:
        client = connect(self.settings)
        try:
            return await issue_key(client, self.settings, role, tenant=tenant, officer=officer)
        finally:
            client.close()

    async def officer(self) -> tuple[str, str]:
        """Return the id of a new officer, and the officer's key."""
        name = unique("officer")
        return name, await self.key("officer", name)

    async def announce(
        self, officer: str, revision: int, data: Data | PathRecommended | None, tenant: str = "agency"
    ) -> None:
        data = PathAnnounced.of(data) if isinstance(data, PathRecommended) else data
        envelope = new_event("/recommender", f"{tenant}/{officer}", revision, data)
        await self.publisher.send(self.settings.topic(PATHS_TOPIC), [envelope])

    @asynccontextmanager
    async def stream(
        self, officer: str, key: str, last_event_id: str = "", accept: str | None = None
    ) -> AsyncIterator["Stream"]:
        """Open the stream of an officer; `accept`: the languages that its reader prefers."""
        headers = {} if accept is None else {"Accept-Language": accept}
        async with aiohttp.ClientSession(headers=headers) as session:
            source = messages(session, self.url, officer, key, last_event_id)
            try:
                yield Stream(source)
            finally:
                await source.aclose()

    async def metrics(self, prefix: str = "learning_path_portal_") -> dict[str, float]:
        async with self.session.get(f"{self.url}/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
            return {
                " ".join([sample.name, *sample.labels.values()]): sample.value
                for family in families
                for sample in family.samples
                if sample.name.startswith(prefix)
            }

    async def until_ready(self) -> None:
        async def is_ready() -> bool:
            async with self.session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200

        await until(is_ready, "a portal that is ready")

    async def until_streams(self, number: int) -> None:
        async def are_open() -> bool:
            return (await self.metrics())["learning_path_portal_streams"] == number

        await until(are_open, f"{number} streams")


class Stream:
    def __init__(self, source: AsyncIterator[Message]) -> None:
        self._source = source

    async def next(self) -> Message:
        async with asyncio.timeout(WAIT_SECONDS):
            return await anext(self._source)

    async def rest(self) -> list[Message]:
        """Return the messages until the stream ends."""
        async with asyncio.timeout(WAIT_SECONDS):
            return [message async for message in self._source]

    async def ends(self) -> bool:
        """Return whether the stream ends without a further message."""
        return not await self.rest()


@asynccontextmanager
async def running_portal(
    settings: PortalSettings,
    owner: Owner,
    lifetime: float = 900,
    keys_every: float = 10,
    pages: Path = NO_PAGES,
    *,
    shutdown_timeout: float = 5,
) -> AsyncIterator[Portal]:
    app = await build(settings, lifetime, keys_every, pages)
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        Publisher(settings.kafka_bootstrap_servers) as publisher,
        aiohttp.ClientSession(cookie_jar=jar, response_class=answers_of(app)) as session,
        serving(app, shutdown_timeout) as url,
    ):
        portal = Portal(settings, publisher, owner)
        portal.session, portal.url = session, url

        await portal.until_ready()
        yield portal


@asynccontextmanager
async def staged(kafka: str, mongodb: str) -> AsyncIterator[tuple[PortalSettings, Owner]]:
    """Start the small server and create the topic; yield settings that name both, and the server."""
    owner = Owner()
    app = web.Application()
    app.router.add_get("/v1/officers/{officer}/path", owner.get_path)
    app.router.add_route("*", "/{path:.*}", owner.anything)
    async with serving(app) as url:
        urls = dict.fromkeys(("ASSESSMENT_URL", "CATALOG_URL", "RECOMMENDER_URL"), url)
        settings = settings_of(PortalSettings, mongodb, kafka, COOKIE_SECURE="false", **urls)
        await create_topics(kafka, [TopicSpec(settings.topic(PATHS_TOPIC), 3, 1, {})])
        yield settings, owner
