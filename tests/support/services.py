"""A service as it is wired in production, on a real broker and a real MongoDB, and keys to it."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from shared.auth import Role, issue
from shared.events import CATALOG_TOPIC, PATHS_TOPIC, PROFILES_TOPIC, Data, Event, announce
from shared.kafka import Follower, Publisher, Received, TopicSpec, create_topics
from shared.mongo import Database, KeyStore, connect
from shared.settings import Settings, read

S = TypeVar("S", bound=Settings)
WAIT = 90
TOPICS = (CATALOG_TOPIC, PROFILES_TOPIC, f"{PROFILES_TOPIC}.dead", PATHS_TOPIC)


class Started:
    """A running service. Requests are made with the key of a role; each tenant and role has one key."""

    def __init__(self, settings: Settings, client: TestClient[Any, Any]) -> None:
        self.settings = settings
        self.client = client
        self.mongodb = connect(settings)
        self.environment: dict[str, str] = {}
        self._keys: dict[tuple[str, Role, str | None], str] = {}
        self._revision = 1000

    async def key(self, role: Role, tenant: str = "agency", officer: str | None = None) -> str:
        place = tenant, role, officer
        if place not in self._keys:
            credential, stored = issue(self.settings.api_key_pepper, tenant, role, officer)
            await KeyStore(self.mongodb, self.settings).create(stored)
            self._keys[place] = credential
        return self._keys[place]

    async def ask(
        self,
        method: str,
        path: str,
        role: Role | None = "platform",
        *,
        tenant: str = "agency",
        officer: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> ClientResponse:
        headers = dict(headers or {})
        if role:
            headers["Authorization"] = f"Bearer {await self.key(role, tenant, officer)}"
        return await self.client.request(method, path, headers=headers, **options)

    def database(self, name: str) -> Database:
        return self.mongodb[self.settings.database(name)]

    async def publish(self, topic: str, *announced: tuple[str, int, Data]) -> None:
        """Send events as their owner would, stamped in order. A recommender has folded those of the catalog by then."""
        envelopes = []
        for subject, sequence, data in announced:
            self._revision += 1
            envelope = announce("/test", subject, sequence, data)
            envelopes.append(type(envelope)(**{**_fields(envelope), "catalogue_revision": self._revision}))
        async with Publisher(self.settings) as publisher:
            await publisher.send(self.settings.topic(topic), envelopes)
        if topic == CATALOG_TOPIC:
            await self.until(self._folded)

    async def _folded(self) -> bool:
        text = await (await self.client.get("/metrics")).text()
        revision = re.search(r"^(?:\w+_)?catalog(?:ue)?_revision (\S+)$", text, re.MULTILINE)
        return revision is None or float(revision[1]) >= self._revision

    async def until(self, done: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(WAIT):
            while not (result := await done()):
                await asyncio.sleep(0.05)
            return result


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


class Topic:
    """Everything that was announced on a topic, as it comes."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def take(self, batch: Sequence[Received]) -> None:
        self.events += [item.event for item in batch]

    async def of(self, subject: str, count: int) -> list[Event]:
        """Return the events of a subject once there are so many."""
        async with asyncio.timeout(WAIT):
            while len(found := [event for event in self.events if event.subject == subject]) < count:
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def followed(settings: Settings, topic: str) -> AsyncIterator[Topic]:
    seen = Topic()
    follower = Follower(settings, settings.topic(topic), seen.take)
    task = asyncio.create_task(follower.run())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait({task})


def settings_of(shape: type[S], mongodb_uri: str, kafka_bootstrap: str, **more: str) -> S:
    environment = {
        "MONGODB_URI": mongodb_uri,
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "NAMESPACE": f"s{uuid.uuid4().hex[:8]}.",
        "API_KEY_PEPPER": "pepper of the service tests",
    }
    return read(shape, environment | more)


@asynccontextmanager
async def started(build: Callable[[S], Awaitable[web.Application]], settings: S) -> AsyncIterator[Started]:
    specs = [TopicSpec(settings.topic(topic), 1, 1, {}) for topic in TOPICS]
    await create_topics(settings, specs)
    async with TestClient(TestServer(await build(settings))) as client:
        service = Started(settings, client)
        await service.until(lambda: _ready(client))
        try:
            yield service
        finally:
            service.mongodb.close()


async def _ready(client: TestClient[Any, Any]) -> bool:
    return (await client.get("/readyz")).status == 200
