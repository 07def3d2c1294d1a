"""A service as it is wired in production, on a real broker and a real MongoDB, and keys to it."""

import asyncio
import contextlib
import io
import os
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from shared.auth import Role, issue
from shared.events import CATALOG_TOPIC, PATHS_TOPIC, PROFILES_TOPIC, Data, Event, new_event
from shared.kafka import ConsumedEvent, Follower, Publisher, TopicSpec, create_topics
from shared.mongo import Client, Database, KeyStore, connect
from shared.settings import Settings, StoreSettings, read
from tests.support.contract import answers_of
from tests.support.raw_http import Answer, answer_on
from tests.support.waiting import running, until

S = TypeVar("S", bound=Settings)
TOPICS = (CATALOG_TOPIC, PROFILES_TOPIC, f"{PROFILES_TOPIC}.dead", PATHS_TOPIC)


async def issue_key(
    mongodb: Client,
    settings: StoreSettings,
    role: Role,
    *,
    tenant: str = "agency",
    officer: str | None = None,
    agency: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Return the credential of a new key.

    Without `agency` a supervisor's key is for the agency `north`; without `expires_at` a viewer's key lasts an hour.
    """
    if role == "supervisor" and agency is None:
        agency = "north"
    if role == "viewer" and expires_at is None:
        expires_at = datetime.now(UTC) + timedelta(hours=1)
    credential, stored = issue(settings.api_key_pepper, tenant, role, officer, expires_at, agency=agency)
    await KeyStore(mongodb, settings).create(stored)
    return credential


class Started:
    """A running service. Requests are made with the key of a role; each tenant and role has one key."""

    def __init__(self, settings: Settings, client: TestClient[Any, Any]) -> None:
        self.settings = settings
        self.client = client
        self.mongodb = connect(settings)
        self.environment: dict[str, str] = {}
        self._keys: dict[tuple[str, Role, str | None, str | None], str] = {}
        self._revision = 1000

    async def key(
        self, role: Role, tenant: str = "agency", officer: str | None = None, agency: str | None = None
    ) -> str:
        place = tenant, role, officer, agency
        if place not in self._keys:
            self._keys[place] = await issue_key(
                self.mongodb, self.settings, role, tenant=tenant, officer=officer, agency=agency
            )
        return self._keys[place]

    async def ask(
        self,
        method: str,
        path: str,
        role: Role | None = "platform",
        *,
        tenant: str = "agency",
        officer: str | None = None,
        agency: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> ClientResponse:
        headers = dict(headers or {})
        if role:
            headers["Authorization"] = f"Bearer {await self.key(role, tenant, officer, agency)}"
        return await self.client.request(method, path, headers=headers, **options)

    async def send(self, *parts: bytes, end: bool = False) -> Answer:
        """Send bytes on a connection of their own, and return the answer. `end`: end this side of it after them."""
        server = self.client.server
        assert isinstance(server, TestServer)
        reader, writer = await asyncio.open_connection(server.host, server.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if end:
                writer.write_eof()
            return await answer_on(reader)
        finally:
            writer.transport.abort()

    def database(self, name: str) -> Database:
        return self.mongodb[self.settings.database(name)]

    @property
    def address(self) -> str:
        """The address, without a slash at its end."""
        return str(self.client.make_url("/")).rstrip("/")

    async def is_ready(self) -> bool:
        return (await self.client.get("/readyz")).status == 200

    async def publish(self, topic: str, *announced: tuple[str, int, Data]) -> None:
        """Send events as their owner would, stamped in order; wait until a recommender has read the catalog's."""
        envelopes = []
        for subject, sequence, data in announced:
            self._revision += 1
            envelope = new_event("/test", subject, sequence, data)
            envelopes.append(type(envelope)(**{**_fields(envelope), "catalog_revision": self._revision}))
        async with Publisher(self.settings) as publisher:
            await publisher.send(self.settings.topic(topic), envelopes)
        if topic == CATALOG_TOPIC:
            await until(self._folded)

    async def _folded(self) -> bool:
        text = await (await self.client.get("/metrics")).text()
        revision = re.search(r"^(?:\w+_)?catalog(?:ue)?_revision (\S+)$", text, re.MULTILINE)
        return revision is None or float(revision[1]) >= self._revision


async def run_command(
    main: Callable[[list[str]], int], environment: Mapping[str, str], *arguments: str
) -> tuple[int, str]:
    """Carry out a command in a thread, and return its exit code and its output."""
    output = io.StringIO()
    with patch.dict(os.environ, environment), contextlib.redirect_stdout(output):
        code = await asyncio.to_thread(main, list(arguments))
    return code, output.getvalue()


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


class Topic:
    """Collects the events that are announced on a topic."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def take(self, batch: Sequence[ConsumedEvent]) -> None:
        self.events += [item.event for item in batch]

    async def newest(self, subject: str, sequence: int) -> Event:
        """Wait for the event of a subject with this sequence, and return it; older ones may have been replaced."""
        await until(
            lambda: any(self._is(event, subject, sequence) for event in self.events), f"{sequence} of {subject}"
        )
        return next(event for event in self.events if self._is(event, subject, sequence))

    @staticmethod
    def _is(event: Event, subject: str, sequence: int) -> bool:
        return (event.subject, event.sequence) == (subject, sequence)

    async def of(self, subject: str, count: int) -> list[Event]:
        """Wait until a subject has `count` events, and return them."""
        await until(lambda: sum(event.subject == subject for event in self.events) >= count, f"{count} of {subject}")
        return [event for event in self.events if event.subject == subject]


@asynccontextmanager
async def followed(settings: Settings, topic: str) -> AsyncIterator[Topic]:
    seen = Topic()
    async with running(Follower(settings, settings.topic(topic), seen.take)):
        yield seen


def settings_of(shape: type[S], mongodb_uri: str, kafka_bootstrap: str, **more: str) -> S:
    environment = {
        "MONGODB_URI": mongodb_uri,
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "NAMESPACE": f"s{uuid.uuid4().hex[:8]}.",
        "API_KEY_PEPPER": "pepper of the service tests",
    }
    return read(shape, environment | more)


@asynccontextmanager
async def started(
    build: Callable[[S], Awaitable[web.Application]], settings: S, *, ready: bool = True
) -> AsyncIterator[Started]:
    """Run a service during the block. `ready`: the block begins once the service is ready."""
    specs = [TopicSpec(settings.topic(topic), 1, 1, {}) for topic in TOPICS]
    await create_topics(settings, specs)
    app = await build(settings)
    async with TestClient(TestServer(app), response_class=answers_of(app)) as client:
        service = Started(settings, client)
        try:
            if ready:
                await until(service.is_ready)
            yield service
        finally:
            service.mongodb.close()
