"""A small service whose collection announces changes through the outbox, for the tests of the relay."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from pymongo.read_concern import ReadConcern

from shared.events import CourseWithdrawn, Envelope, new_event
from shared.kafka import ConsumedEvent, Follower, Headers, Publisher, RecordMetadata, TopicSpec, create_topics
from shared.mongo import Database, Document, connect, ensure_indexes
from shared.outbox import OUTBOX_INDEXES, Staged, outbox_insert, outbox_insert_held, outbox_push, outbox_push_held
from shared.relay import Relay
from shared.settings import StoreSettings, read
from tests.support.waiting import running, until

COLLECTION = "things"
LEASE = f"relay:{COLLECTION}"


def thing(key: str, sequence: int) -> Envelope:
    return new_event("here", key, sequence, CourseWithdrawn(*key.split("/", 1)))


class Owner:
    """A small service: a collection whose documents announce their changes, and the topic of these events."""

    def __init__(self, database: Database, bootstrap: str, topic: str, publisher: Publisher) -> None:
        self.database, self.bootstrap, self.topic, self.publisher = database, bootstrap, topic, publisher
        self.read: list[ConsumedEvent] = []

    async def change(self, key: str, sequence: int, *, bulk: bool = False) -> None:
        envelope = thing(key, sequence)
        if sequence == 1:
            staged = outbox_insert(envelope, bulk=bulk)
            await self.database[COLLECTION].insert_one({"_id": key, "sequence": 1, **staged})
        else:
            update = outbox_push(envelope, bulk=bulk)
            update["$set"]["sequence"] = sequence
            await self.database[COLLECTION].update_one({"_id": key}, update)

    async def republish(self, keys: Sequence[str] | None = None) -> None:
        every = [document["_id"] async for document in self.database[COLLECTION].find({}, {"_id": 1})]
        for key in every if keys is None else keys:
            sequence = (await self.document(key))["sequence"]
            await self.database[COLLECTION].update_one({"_id": key}, outbox_push(thing(key, sequence)))

    async def document(self, key: str) -> dict[str, Any]:
        found = await self.database[COLLECTION].find_one({"_id": key})
        assert found is not None
        return found

    async def waiting(self) -> int:
        """Return how many events are staged and not sent."""
        entries = [len(document["outbox"]) async for document in self.database[COLLECTION].find({})]
        return sum(entries)

    def relay(
        self,
        *,
        publisher: Publisher | None = None,
        topic: str | None = None,
        stamp: bool = False,
        reduced: Callable[[Envelope], Envelope | None] = lambda _: None,
        staged: Staged | None = None,
        bulk_rate: float | None = None,
        backlog: Callable[[], Awaitable[int | None]] | None = None,
    ) -> Relay:
        return Relay(
            self.database,
            COLLECTION,
            topic or self.topic,
            publisher or self.publisher,
            brokers=self.bootstrap,
            republish=self.republish,
            stamp=stamp,
            reduced=reduced,
            staged=staged,
            held_in="state",
            bulk_rate=bulk_rate,
            backlog=backlog,
        )

    async def on_things(self, batch: Sequence[ConsumedEvent]) -> None:
        self.read.extend(batch)

    def sequences(self, key: str) -> list[int]:
        return [item.event.sequence for item in self.read if item.event.subject == key]


async def until_sent(owner: Owner) -> None:
    async def is_sent() -> bool:
        return await owner.waiting() == 0

    await until(is_sent, "everything is sent")


async def until_read_back(owner: Owner) -> None:
    """Return once the relay has read back every record that the owner has read."""
    ends = {str(item.record.partition): item.record.offset + 1 for item in owner.read}

    async def is_read_back() -> bool:
        lease = await owner.database["leases"].find_one({"_id": LEASE}) or {}
        return all(lease.get("read_back", {}).get(place, 0) >= end for place, end in ends.items())

    await until(is_read_back, "everything is read back")


@asynccontextmanager
async def owning(uri: str, bootstrap: str, namespace: str) -> AsyncIterator[Owner]:
    """Yield an owner that reads its topic from the beginning."""
    settings = read(
        StoreSettings, {"MONGODB_URI": uri, "NAMESPACE": namespace, "API_KEY_PEPPER": "pepper of these tests"}
    )
    client = connect(settings)
    database = client[settings.database("owner")]
    await ensure_indexes(database, {COLLECTION: OUTBOX_INDEXES})
    topic = settings.topic("things")
    await create_topics(bootstrap, [TopicSpec(topic, 2, 1, {})])
    async with Publisher(bootstrap) as publisher:
        owner = Owner(database, bootstrap, topic, publisher)
        async with running(Follower(bootstrap, topic, owner.on_things)):
            yield owner
    with suppress(Exception):  # a test may have left its MongoDB dead
        await client.drop_database(database.name)
    client.close()


class Paused(Publisher):
    """A publisher that holds back what it is to send until it is released."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def send(
        self, topic: str, envelopes: Iterable[Envelope], *, headers: Headers = ()
    ) -> list[RecordMetadata | Exception]:
        self.reached.set()
        await self.go_on.wait()
        return await super().send(topic, envelopes, headers=headers)


async def keep_state(owner: Owner, key: str, sequence: int) -> None:
    """Write a document with an event whose data is only in its field `state`, not in the outbox."""
    envelope = thing(key, sequence)
    fields = {"sequence": sequence, "state": envelope.data}
    if sequence == 1:
        await owner.database[COLLECTION].insert_one({"_id": key, **fields, **outbox_insert_held(envelope, "state")})
        return
    update = outbox_push_held(envelope, "state")
    update["$set"] |= fields
    await owner.database[COLLECTION].update_one({"_id": key}, update)


def renew_once(relay: Relay) -> None:
    """Let a relay gain its lease and never renew it: a late renewal would hold a lease that a test has taken away."""
    renew = relay._lease.renew

    async def gain() -> bool:
        if gained := await renew():
            relay._lease.renew = never  # type: ignore[method-assign] # the test decides who holds the lease
        return gained

    async def never() -> bool:
        return False

    relay._lease.renew = gain  # type: ignore[method-assign] # as above


async def hold_lease(owner: Owner, holder: str, until_then: datetime) -> None:
    update = {"$set": {"holder": holder, "until": until_then}}
    await owner.database["leases"].update_one({"_id": LEASE}, update, upsert=True)


async def open_streams(owner: Owner) -> int:
    """Return how many change streams of the collection are open at the server."""
    watched = {
        "ns": f"{owner.database.name}.{COLLECTION}",
        "cursor.originatingCommand.pipeline.$changeStream": {"$exists": True},
    }
    pipeline: list[Document] = [{"$currentOp": {"idleCursors": True}}, {"$match": watched}]
    admin = owner.database.client.get_database("admin", read_concern=ReadConcern("local"))
    return len(await admin.aggregate(pipeline).to_list(None))
