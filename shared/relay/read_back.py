"""Reads a topic back; stages the present state again after an old or unreadable record, or if the topic is replaced."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from pymongo.errors import PyMongoError

from shared.cloudevents import from_kafka
from shared.errors import Rejected, Unavailable
from shared.events import check_stamps
from shared.kafka import Brokers, ConsumedEvent, Follower, Record, describe_topics, is_bulk
from shared.mongo import Collection, Document
from shared.outbox import BACKLOG_WAIT_SECONDS, Staged
from shared.relay.lease import RENEW_SECONDS, Lease

log = logging.getLogger(__name__)

Republish = Callable[[Sequence[str] | None], Awaitable[object]]


class ReadBack:
    """Reads the topic of a relay while its lease is held; the position is stored in the lease.

    `republish`, `on_read_back` and `stamp`: those of the relay. While the relay sends a backlog, as `wake` tells, each
    batch is handled some seconds later: readers wait for the last event, but nobody waits for it to be read back.
    `generation` counts the topics of this name: acknowledgements of an earlier topic say nothing about the offsets of
    this one.
    """

    def __init__(  # noqa: PLR0913 - made once, by a relay
        self,
        lease: Lease,
        documents: Collection,
        brokers: Brokers,
        topic: str,
        republish: Republish,
        *,
        wake: Staged,
        on_read_back: Callable[[Sequence[ConsumedEvent]], Awaitable[None]] | None,
        stamp: bool,
    ) -> None:
        self.generation = 0
        self._lease = lease
        self._documents = documents
        self._brokers = brokers
        self._topic = topic
        self._republish = republish
        self._wake = wake
        self._notify = on_read_back
        self._stamp = stamp
        self._position: Document = {}
        self._highest_stamp = 0

    async def run(self) -> None:
        """While the lease is held, read the topic from the stored position; else return after a moment."""
        if not self._lease.is_held:
            await asyncio.sleep(RENEW_SECONDS / 3)
            return
        lease = await self._lease.read()
        offsets = {int(partition): offset for partition, offset in lease.get("read_back", {}).items()}
        self._highest_stamp = int(lease.get("read_back_stamp", 0)) if offsets else 0
        self.generation = int(lease.get("generation", 0))
        follower = Follower(
            self._brokers,
            self._topic,
            self._on_read_back,
            start=offsets,
            low_priority=self._notify is None,  # only looked at here: records may come late and together
            topic_id=await self._known_topic(lease.get("topic_id")),
            on_replaced=self._on_replaced,
            on_skipped=self._on_skipped,
        )
        reading = asyncio.create_task(follower.run())
        try:
            while self._lease.is_held and not reading.done():
                await asyncio.wait({reading}, timeout=RENEW_SECONDS / 3)
                await self._note_position()
        finally:
            reading.cancel()
            await asyncio.wait({reading})  # `await reading` would hide that this task is cancelled meanwhile
            self._position.clear()
            if not reading.cancelled():
                reading.result()

    async def _known_topic(self, noted: str | None) -> UUID | None:
        """Return the id of the topic that the stored offsets belong to; store it at the first start."""
        if noted is None:
            found = (await describe_topics(self._brokers, [self._topic])).get(self._topic)
            if found is not None:
                noted = str(found.id)
                await self._lease.update({"$set": {"topic_id": noted}}, as_holder=False)
        return UUID(noted) if noted else None

    async def _on_replaced(self) -> None:
        """Stage everything again, then continue with the new topic; an interrupted run is repeated."""
        log.warning("%s is another topic, or shorter than it was: everything is staged again", self._topic)
        self._position.clear()
        self._highest_stamp = 0
        self.generation += 1
        found = (await describe_topics(self._brokers, [self._topic])).get(self._topic)
        try:
            # The generation first: what is sent from now on lands in the new topic.
            await self._lease.update({"$set": {"generation": self.generation}}, as_holder=False)
            await self._republish(None)
            done: Document = {"$unset": {"read_back": "", "read_back_stamp": ""}}
            if found is not None:
                done["$set"] = {"topic_id": str(found.id)}
            await self._lease.update(done)
        except PyMongoError as error:
            raise Unavailable(str(error)) from error

    async def _note_position(self) -> None:
        """Store the position of reading back. After a crash some records are read twice."""
        if self._position:
            position, self._position = self._position, {}
            await self._lease.update({"$set": position})

    async def _on_read_back(self, batch: Sequence[ConsumedEvent]) -> None:
        if not self._wake.in_bulk:
            await self._wake.after_backlog(BACKLOG_WAIT_SECONDS)
        if self._notify:
            await self._notify(batch)
        try:
            if outdated := await self._outdated(batch):
                log.warning("%d old or unreadable records landed late on %s: staged again", len(outdated), self._topic)
                await self._republish(outdated)
        except PyMongoError as error:
            raise Unavailable(str(error)) from error
        if self._stamp:
            self._highest_stamp = max([self._highest_stamp, *(item.event.catalog_revision for item in batch)])
            self._position["read_back_stamp"] = self._highest_stamp
        self._position |= {f"read_back.{item.record.partition}": item.record.offset + 1 for item in batch}

    async def _on_skipped(self, record: Record) -> None:
        """Stage a document again if a record with its key that nobody can read landed after its newest one."""
        key = (record.key or b"").decode("utf-8", "replace")
        try:
            if self._stamp:
                await self._surpass(record)
            if (mark := (await self._marks([key])).get(key)) and record.offset > self._acknowledged_offset(mark):
                log.warning("a record that cannot be read landed last on %s: staged again", self._topic)
                await self._republish([key])
        except PyMongoError as error:
            raise Unavailable(str(error)) from error

    async def _surpass(self, record: Record) -> None:
        """Make later stamps larger than that of a skipped record, which readers that check less of it have accepted."""
        try:
            event = from_kafka(record.key, record.value, record.headers, with_data=False)
            check_stamps([event], self._highest_stamp)
        except Rejected:
            return
        if event.catalog_revision > self._highest_stamp:
            self._highest_stamp = event.catalog_revision
            await self._lease.update({"$max": {"catalog_revision": self._highest_stamp}}, as_holder=False)
            self._position["read_back_stamp"] = self._highest_stamp

    async def _marks(self, keys: Sequence[str]) -> dict[str, Mapping[str, int]]:
        """Return {document id: what was acknowledged of the document's newest event}."""
        query = {"_id": {"$in": keys}, "acknowledged": {"$exists": True}}
        found = self._documents.find(query, {"acknowledged": 1})
        return {document["_id"]: document["acknowledged"] async for document in found}

    def _acknowledged_offset(self, mark: Mapping[str, int]) -> int:
        """Return the offset of an acknowledgement; -1 for one of an older topic, whose offsets mean nothing here."""
        return mark["offset"] if mark.get("topic_generation", 0) == self.generation else -1

    def _is_unreadable(self, record: Record) -> bool:
        """Return whether readers refuse the data of a record, which a low-priority follower does not decode.

        The records of bulks count as readable: their documents share the lowest offset, so all would be decoded.
        """
        if self._notify is not None or is_bulk(record):
            return False
        try:
            from_kafka(record.key, record.value, record.headers)
        except Rejected:
            return True
        return False

    async def _outdated(self, batch: Sequence[ConsumedEvent]) -> list[str]:
        """Return the ids of documents whose newest record on the topic is one that readers drop or cannot read."""
        marks = await self._marks(list({item.event.subject for item in batch}))
        outdated: set[str] = set()
        highest = self._highest_stamp
        for item in batch:
            stamp = item.event.catalog_revision if self._stamp else 0
            if mark := marks.get(item.event.subject):
                acknowledged = self._acknowledged_offset(mark)
                late = item.record.offset > acknowledged
                hides = late and (item.event.sequence < mark["sequence"] or self._is_unreadable(item.record))
                if hides or (stamp < highest and item.record.offset >= acknowledged):
                    outdated.add(item.event.subject)
            highest = max(highest, stamp)
        return sorted(outdated)
