"""Reads a topic back; stages the present state again after an old or unreadable record, or if the topic is replaced."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from pymongo.errors import PyMongoError

from shared.cloudevents import from_kafka
from shared.errors import Rejected, Unavailable
from shared.events import check_stamps
from shared.kafka import Brokers, ConsumedEvent, Follower, Record, RecordMetadata, describe_topics, is_bulk
from shared.mongo import Collection, Document
from shared.outbox import BACKLOG_WAIT_SECONDS, Staged
from shared.relay.lease import RENEW_SECONDS, Lease, read_back_offsets

log = logging.getLogger(__name__)

Republish = Callable[[Sequence[str] | None], Awaitable[object]]


class ReadBack:
    """Reads the topic of a relay while its lease is held; the position is stored in the lease.

    `republish`, `on_read_back` and `stamp`: those of the relay. `settle` notes in the documents what was acknowledged
    before the call. While the relay sends a backlog, as `wake` tells, each batch is handled some seconds later: readers
    wait for the last event, but nobody waits for it to be read back.
    `generation` counts the topics of this name: acknowledgements of an earlier topic say nothing about the offsets of
    this one. `replaced`: how often this process has announced everything again. `counter`: the field of the documents
    with the sequence of their newest event. `newer`: how many records were read that are newer than their documents,
    or have none: MongoDB was restored from an older copy, or something else writes to the topic. If MongoDB is restored
    while this process runs, the position in the lease goes back, and the records after it are read again.
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
        settle: Callable[[], Awaitable[None]],
        counter: str,
    ) -> None:
        self.generation = 0
        self.replaced = 0
        self.newer = 0
        self._is_shorter = False
        self._lease = lease
        self._documents = documents
        self._brokers = brokers
        self._topic = topic
        self._republish = republish
        self._wake = wake
        self._notify = on_read_back
        self._stamp = stamp
        self._settle = settle
        self._counter = counter
        self._position: Document = {}
        self._highest_stamp = 0

    async def run(self) -> None:
        """While the lease is held, read the topic from the stored position; else return after a moment."""
        if not self._lease.is_held:
            await asyncio.sleep(RENEW_SECONDS / 3)
            return
        self._lease.went_back = False
        lease = await self._lease.read()
        self.generation = int(lease.get("generation", 0))
        if self._is_shorter or lease.get("is_shorter"):
            await self._on_replaced()
            lease = await self._lease.read()
        offsets = read_back_offsets(lease)
        self._highest_stamp = int(lease.get("read_back_stamp", 0)) if offsets else 0
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
            while self._lease.is_held and not (reading.done() or self._is_shorter or self._lease.went_back):
                await asyncio.wait({reading}, timeout=RENEW_SECONDS / 3)
                await self._note_position()
        finally:
            reading.cancel()
            await asyncio.wait({reading})  # `await reading` would hide that this task is cancelled meanwhile
            self._position.clear()
            if not reading.cancelled():
                reading.result()

    async def note_sent(self, results: Sequence[RecordMetadata | Exception], generation: int) -> None:
        """Note where records landed: where another record was before, the broker has lost some of the topic.

        Its log may be longer again than any position by the time that a reader looks. So the lease notes it too, until
        everything is staged again: the next holder would not notice it. `generation`: that of the topic when they were
        sent; what was sent before a replacement was noticed may have landed in the former topic.
        """
        if generation != self.generation:
            return
        ends, landed = self._lease.ends, [one for one in results if isinstance(one, RecordMetadata)]
        is_shorter = any(one.offset < ends.get(one.partition, 0) for one in landed)
        for one in landed:
            ends[one.partition] = max(one.offset + 1, ends.get(one.partition, 0))
        if is_shorter:
            try:
                await self._lease.update({"$set": {"is_shorter": True}}, as_holder=False)
            finally:  # last: staging everything again removes the note, which must not come after it
                self._is_shorter = True

    async def _known_topic(self, noted: str | None) -> UUID | None:
        """Return the id of the topic that the stored offsets belong to; store it at the first start."""
        if noted is None:
            found = (await describe_topics(self._brokers, [self._topic])).get(self._topic)
            if found is not None:
                noted = str(found.id)
                await self._lease.update({"$set": {"topic_id": noted}}, as_holder=False)
        return UUID(noted) if noted else None

    async def _on_replaced(self) -> None:
        """Stage everything again, then go on with the new topic; this or the next holder repeats an interrupted run."""
        log.warning("%s is another topic, or shorter than it was: everything is staged again", self._topic)
        found = (await describe_topics(self._brokers, [self._topic])).get(self._topic)
        self._is_shorter = False
        self._lease.ends.clear()
        self._position.clear()
        self._highest_stamp = 0
        self.generation += 1
        self.replaced += 1
        try:
            # The generation first, and no offsets: what is sent from now on lands in the new topic.
            begun = {"generation": self.generation, "is_shorter": True}
            forgotten = {"read_back": "", "read_back_stamp": ""}
            await self._lease.update({"$set": begun, "$unset": forgotten}, as_holder=False)
            await self._republish(None)
            done: Document = {"$unset": {"is_shorter": ""}}
            if found is not None:
                done["$set"] = {"topic_id": str(found.id)}
            await self._lease.update(done)
        except (PyMongoError, Unavailable) as error:
            self._is_shorter = True  # so that all of this is repeated
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
        return {key: one["acknowledged"] for key, one in (await self._found(keys)).items() if "acknowledged" in one}

    async def _found(self, keys: Sequence[str]) -> dict[str, Document]:
        """Return {document id: the document's counter, and what was acknowledged of its newest event}."""
        await self._settle()
        found = self._documents.find({"_id": {"$in": keys}}, {"acknowledged": 1, self._counter: 1})
        return {document["_id"]: document async for document in found}

    def _count_newer(self, batch: Sequence[ConsumedEvent], documents: Mapping[str, Document]) -> None:
        """Count the records of a batch that are newer than their documents, which were read after them.

        A document whose counter cannot be read tells nothing about its records.
        """
        newer = [
            item
            for item in batch
            if (document := documents.get(item.event.subject)) is None
            or (isinstance(known := document.get(self._counter), int) and item.event.sequence > known)
        ]
        if newer:
            self.newer += len(newer)
            first = newer[0]
            log.error(
                "%d records of %s are newer than their documents in MongoDB, the first is of %s at %d/%d: restored from"
                " an older copy, or written by something else",
                len(newer),
                self._topic,
                first.event.subject,
                first.record.partition,
                first.record.offset,
            )

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
        documents = await self._found(list({item.event.subject for item in batch}))
        self._count_newer(batch, documents)
        outdated: set[str] = set()
        highest = self._highest_stamp
        for item in batch:
            stamp = item.event.catalog_revision if self._stamp else 0
            if mark := documents.get(item.event.subject, {}).get("acknowledged"):
                acknowledged = self._acknowledged_offset(mark)
                late = item.record.offset > acknowledged
                hides = late and (item.event.sequence < mark["sequence"] or self._is_unreadable(item.record))
                if hides or (stamp < highest and item.record.offset >= acknowledged):
                    outdated.add(item.event.subject)
            highest = max(highest, stamp)
        return sorted(outdated)
