"""The baseline of a push: what MongoDB and Kafka take by themselves, with bare clients, one after another.

Two MongoDB writes (majority, journal), each followed by the change stream's wake and a Kafka round trip (an awaited
send, then the consumer's `getmany`). The documents and records are as large as the system's own.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from motor.motor_asyncio import AsyncIOMotorCollection

from shared.kafka import TopicSpec, create_topics
from shared.mongo import connect
from shared.settings import StoreSettings, read

_WAKE: list[Mapping[str, Any]] = [{"$project": {"_id": 1}}]


class Link:
    """One write, its wake and one round trip of a record; the document holds the record twice, as state and event."""

    def __init__(self, collection: AsyncIOMotorCollection[dict[str, Any]], bootstrap_servers: str, size: int) -> None:
        self._collection = collection
        self._topic = f"baseline-{collection.name}"
        self._bootstrap_servers = bootstrap_servers
        self._size = size
        self._woken: asyncio.Queue[None] = asyncio.Queue()
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", max_request_size=8 << 20)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect everything and wait until the change stream is open."""
        await create_topics(self._bootstrap_servers, [TopicSpec(self._topic, 1, 1, {})])
        await self._collection.update_one({"_id": 1}, {"$set": {"state": b""}}, upsert=True)
        opened = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(opened))
        await opened.wait()
        await self._producer.start()
        await self._consumer.start()
        place = TopicPartition(self._topic, 0)
        self._consumer.assign([place])
        await self._consumer.seek_to_end(place)
        await self._consumer.getmany(timeout_ms=200)

    async def stop(self) -> None:
        """Disconnect."""
        if self._watching:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        await self._consumer.stop()
        await self._producer.stop()

    async def pass_through(self) -> None:
        """Write, wait for the wake, send, wait for the record."""
        content = os.urandom(self._size // 2).hex().encode()
        await self._collection.update_one({"_id": 1}, {"$set": {"state": content, "event": content}})
        await self._woken.get()
        await self._producer.send_and_wait(self._topic, content, key=b"1")
        while not await self._consumer.getmany(timeout_ms=1000):
            pass

    async def _watch(self, opened: asyncio.Event) -> None:
        async with self._collection.watch(_WAKE, max_await_time_ms=1000) as stream:
            await stream.try_next()
            opened.set()
            async for _ in stream:
                self._woken.put_nowait(None)


class Chain:
    """Both links. `sizes`: bytes of a profile's event and of a path's."""

    def __init__(self, servers: Mapping[str, str], sizes: tuple[int, int]) -> None:
        self._client = connect(read(StoreSettings, servers), "bench")
        database = self._client["baseline"]
        names = ("profiles", "paths")
        self._links = [
            Link(database[name], servers["KAFKA_BOOTSTRAP_SERVERS"], size)
            for name, size in zip(names, sizes, strict=True)
        ]
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for link in self._links:
            self._open.push_async_callback(link.stop)
            await link.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        self._client.close()

    async def once(self) -> float:
        """Go through both links; return the seconds."""
        begun = time.perf_counter()
        for link in self._links:
            await link.pass_through()
        return time.perf_counter() - begun
