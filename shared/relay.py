"""The relay: sends the events staged in the documents of one collection to one topic.

One relay per service is active at a time: it holds a lease document (server time, majority), and checks a local
monotonic deadline right before each send. A write in the relay's own process wakes it at once; a change stream reports
the writes of other processes, and a timer catches what both miss. A store may hand over an event that it has stored and
before which none waits in the document, and that one is sent from memory; all others are read from the documents. So
the events of one document are sent in sequence order. The relay waits for the acknowledgements and removes acknowledged
events. A send without an answer has an unknown outcome and is repeated. Readers of a state topic
drop duplicates by `sequence`.

During an import its events are sent slowly, because the import and the relay share a process and a database.

The lease holder also reads its own topic back, from an offset stored in the lease document. A record may have been
written after a newer one of the same document (a paused relay that resumed, a delayed send), or with a stamp below an
earlier record's. Readers drop such a record, and in the compacted topic it would remain the last one of its key, so the
relay stages the current state again. If the topic was deleted and created again, or is shorter than what was read back
(a broker restored from an older copy), everything is staged again.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
from pymongo import ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import PyMongoError

from shared.errors import Unavailable
from shared.events import MAX_VALUE_BYTES, Envelope
from shared.kafka import (
    BULK,
    Brokers,
    ConsumedEvent,
    Follower,
    Headers,
    Publisher,
    RecordMetadata,
    describe_topics,
    is_permanent,
)
from shared.mongo import Database, Document, Write, bulk_write
from shared.outbox import BULK_DELAY, BULK_PAUSE_SECONDS, PENDING, PENDING_INDEX, Staged, staged_events

log = logging.getLogger(__name__)

_BATCH = 500
_LEASE_SECONDS = 5.0
_RENEW_SECONDS = 1.5
_MARGIN_SECONDS = 1.0
_SWEEP_SECONDS = 2.0
_BULK_EVERY_SECONDS = 2.0
_BULK_FIRST_SECONDS = 60.0
_ASK_SECONDS = 0.05
_ANSWER_SECONDS = 10.0
_COUNT_TIMES = 20


@dataclass(frozen=True)
class _Batch:
    """What was sent together: how many documents were found, their events by document, stamps and answers."""

    found: int
    entries: Sequence[tuple[str, Envelope]] = ()
    stamps: Sequence[int] = ()
    results: Sequence[RecordMetadata | Exception] = ()


class _Acknowledged(NamedTuple):
    """An event that the broker has taken, and its position."""

    event: str
    sequence: int
    stamp: int
    partition: int
    offset: int


class Relay:
    """Sends the staged events of one collection to one topic; see the module's docstring.

    `republish` is called with a document id, or None for all, to stage the current state again. `landed` receives the
    records of the topic as they are read back. With `stamp`, records carry an increasing `catalog_revision`: it is
    reserved in the lease document before the send, and used for one attempt only. `reduced` returns a smaller event to
    send in place of one that is too large, or None; an event that cannot be sent stays in its document, is counted in
    `unsendable`, and delays only later events of that document. The store sets `staged` when it stages something in
    this process. `held_in`: the field that entries of `outbox_push_held` name. `bulk_rate`: how many documents of bulks
    are sent per second, so that a reader that needs longer per document is not behind when a single event comes; None:
    unlimited. `backlog`: returns the number of records that the reader has not processed, if known; at most what the
    rate allows in one pause may wait there, and fewer if the reader is slower.
    """

    def __init__(  # noqa: PLR0913 - a relay is made once, by name, in a __main__
        self,
        database: Database,
        collection: str,
        topic: str,
        publisher: Publisher,
        *,
        brokers: Brokers,
        republish: Callable[[Sequence[str] | None], Awaitable[object]],
        landed: Callable[[Sequence[ConsumedEvent]], Awaitable[None]] | None = None,
        stamp: bool = False,
        reduced: Callable[[Envelope], Envelope | None] = lambda _: None,
        staged: Staged | None = None,
        held_in: str | None = None,
        bulk_rate: float | None = None,
        backlog: Callable[[], Awaitable[int | None]] | None = None,
    ) -> None:
        self.sent = 0
        self.pending = 0
        self._documents = database[collection]
        self._leases = database["leases"]
        self._lease = f"relay:{collection}"
        self._topic = topic
        self._publisher = publisher
        self._brokers = brokers
        self._republish = republish
        self._landed = landed
        self._stamp = stamp
        self._reduced = reduced
        self._too_large: set[str] = set()
        self._unsendable: set[str] = set()
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
        self._deadline = 0.0
        self._wake = staged or Staged()
        self._bulk_sent_at = float("-inf")
        self._bulk_rate = bulk_rate
        self._backlog = backlog
        self._asked: asyncio.Task[int | None] | None = None
        self._backlog_failed = False
        self._bulk_share = 0.0
        self._bulk_window = self._pause_share
        self._window_at = float("-inf")
        self._more_of_bulk = False
        self._read = {"outbox": 1} | ({held_in: 1} if held_in else {})
        self._next_count = 0.0
        self._last_read: frozenset[str] = frozenset()
        self._position: Document = {}
        self._highest_stamp = 0
        self._generation = 0

    @property
    def unsendable(self) -> int:
        """The number of documents with an event that is too large to send or cannot be read."""
        return len(self._unsendable)

    @property
    def holds_lease(self) -> bool:
        """Whether this relay holds the lease now, by its local clock."""
        return asyncio.get_running_loop().time() < self._deadline

    async def run(self) -> None:
        """Relay until cancelled. Waits while MongoDB or Kafka is unavailable; raises permanent KafkaErrors."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._patiently(self._keep_lease))
                tasks.create_task(self._patiently(self._watch))
                tasks.create_task(self._patiently(self._send_pending))
                tasks.create_task(self._patiently(self._read_back))
        finally:
            with suppress(PyMongoError, asyncio.CancelledError):
                await asyncio.wait_for(self._release(), 2)

    async def _patiently(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except (PyMongoError, Unavailable) as error:
                log.warning("relay of %s waits: %s", self._topic, error)
                await asyncio.sleep(0.5)

    # --- the lease ---------------------------------------------------------------------------------------------------

    async def _keep_lease(self) -> None:
        await self._leases.update_one({"_id": self._lease}, {"$setOnInsert": {"holder": None}}, upsert=True)
        while True:
            sent_at = asyncio.get_running_loop().time()
            free = {"$lt": [{"$ifNull": ["$until", datetime.fromtimestamp(0, UTC)]}, "$$NOW"]}
            lease = await self._leases.find_one_and_update(
                {"_id": self._lease, "$expr": {"$or": [{"$eq": ["$holder", self._holder]}, free]}},
                [{"$set": {"holder": self._holder, "until": {"$add": ["$$NOW", int(_LEASE_SECONDS * 1000)]}}}],
            )
            if lease is not None:
                gained = not self.holds_lease
                self._deadline = sent_at + _LEASE_SECONDS - _MARGIN_SECONDS
                if gained:
                    self._wake.take_handed_over()  # another relay may have sent newer ones
                    self._wake.set()
            await asyncio.sleep(_RENEW_SECONDS)

    async def _release(self) -> None:
        self._deadline = 0.0
        await self._leases.update_one({"_id": self._lease, "holder": self._holder}, {"$unset": {"until": ""}})

    # --- sending -----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Wake the sender when an event is staged; removing sent events does not change `staged_at`.

        Events of bulks are ignored: the process that writes them wakes its own relay, and a timer the others.
        """
        staged_at = {"$ifNull": ["$fullDocument.staged_at", "$updateDescription.updatedFields.staged_at"]}
        soon = {"$add": [{"$toDate": "$clusterTime"}, int(BULK_DELAY.total_seconds() * 1000) // 2]}
        noticed = {
            "$or": [
                {"operationType": {"$in": ["insert", "replace"]}},
                {"updateDescription.updatedFields.staged_at": {"$exists": True}},
            ],
            "$expr": {"$lt": [staged_at, soon]},
        }
        pipeline: list[Mapping[str, Any]] = [{"$match": noticed}, {"$project": {"_id": 1}}]
        async with self._documents.watch(pipeline, max_await_time_ms=1000) as stream:
            self._wake.set()
            async for _ in stream:
                self._wake.set()

    async def _send_pending(self) -> None:
        while True:
            with suppress(TimeoutError):  # `wait_for` of Python 3.11 loses a cancellation that comes with a wake
                soon = self._wake.in_bulk or self._more_of_bulk
                async with asyncio.timeout(BULK_PAUSE_SECONDS if soon else _SWEEP_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._send_batches()
                if self._bulk_rate and self.holds_lease and self._bulk_may_wait():
                    await self._send_paced(self._bulk_rate)
            except Unavailable:
                await self._count()
                raise
            await self._count()

    async def _send_batches(self) -> None:
        """Send until less than a whole batch waits. While a batch is removed, the next one is read and sent.

        After events from memory a batch is read, so that other documents do not wait while events are handed over.
        """
        removing: asyncio.Task[None] | None = None
        keys: Collection[str] = ()
        handed_over: list[tuple[str, Envelope]] = []
        if not self.holds_lease:
            self._wake.take_handed_over()  # the relay that holds the lease reads them; here they would only be kept
        try:
            while self.holds_lease:
                handed_over = [] if handed_over else self._taken_from_memory()
                if handed_over:
                    batch = await self._send_entries(handed_over, len(handed_over))
                else:
                    batch = await self._send_batch(self._singles_only(), _BATCH, besides=keys)
                before, removing = removing, asyncio.create_task(self._remove(batch))
                if before:
                    await before
                keys = {key for key, _ in batch.entries}
                if handed_over:
                    continue
                self._wake.set_backlog(more=batch.found == _BATCH)
                if batch.found < _BATCH:
                    break
                self.pending = max(0, self.pending - _BATCH)
        finally:
            if removing:
                await removing

    def _taken_from_memory(self) -> list[tuple[str, Envelope]]:
        """Return the events that were handed over, by document, except those just read from their documents."""
        return [
            (key, envelope)
            for key, envelope in self._wake.take_handed_over().items()
            if envelope.id not in self._last_read  # the change stream may wake the relay before the writer
        ]

    async def _count(self) -> None:
        """Count waiting events, at most once a second and after sending, so that counting delays no event.

        The server reads every waiting document for it: counting takes a twentieth of its time at most.
        """
        loop = asyncio.get_running_loop()
        if (begun := loop.time()) >= self._next_count:
            self.pending = await self._documents.count_documents(PENDING, hint=PENDING_INDEX)
            self._next_count = begun + max(_SWEEP_SECONDS / 2, _COUNT_TIMES * (loop.time() - begun))

    def _singles_only(self) -> Document:
        """Return the condition that excludes events of a running bulk, except every two seconds."""
        now = asyncio.get_running_loop().time()
        if self._bulk_rate or (self._wake.in_bulk and now < self._bulk_sent_at + _BULK_EVERY_SECONDS):
            return {"staged_at": {"$lt": datetime.now(UTC) + BULK_DELAY / 2}}
        self._bulk_sent_at = now
        return {}

    def _bulk_may_wait(self) -> bool:
        """Return whether to look for documents of bulks: while there are some, else after a pause at the earliest.

        So not every single event costs a query for the bulks of other processes.
        """
        now = asyncio.get_running_loop().time()
        return self._wake.in_bulk or self._more_of_bulk or now >= self._bulk_sent_at + BULK_PAUSE_SECONDS

    async def _send_paced(self, rate: float) -> None:
        """Send as many documents of bulks as the rate allows by now, at most those of one pause.

        In the first minute of a bulk that is still being written, one pause's documents are sent every two seconds.
        """
        now = asyncio.get_running_loop().time()
        next_at = min(self._bulk_sent_at + _BULK_EVERY_SECONDS, self._wake.bulk_since + _BULK_FIRST_SECONDS)
        if self._wake.in_bulk and now < next_at:
            return
        earned = rate * min(now - self._bulk_sent_at, BULK_PAUSE_SECONDS)
        self._bulk_sent_at, self._bulk_share = now, min(self._bulk_share + earned, max(1.0, rate * BULK_PAUSE_SECONDS))
        most = int(self._bulk_share)
        if most >= 1 and self._more_of_bulk and self._backlog:
            if self._asked is None:
                self._asked = asyncio.create_task(self._known_backlog(self._backlog))
                await asyncio.wait({self._asked}, timeout=_ASK_SECONDS)
            if not self._asked.done():  # single events do not wait for the answer
                return
            behind, self._asked = self._asked.result(), None
            if behind is not None:
                most = min(most, self._window(behind) - behind)
        if most < 1:
            return
        bulk_only = {"staged_at": {"$gte": datetime.now(UTC) + BULK_DELAY / 2}}
        batch = await self._send_batch(bulk_only, most, headers=BULK)
        await self._remove(batch)
        self._bulk_share -= batch.found
        self._more_of_bulk = batch.found == most

    async def _known_backlog(self, ask: Callable[[], Awaitable[int | None]]) -> int | None:
        """Return the backlog, None if it is not known in time: then the rate alone limits a bulk."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                behind = await ask()
        except Exception as error:  # noqa: BLE001 - whatever fails there, events are sent
            if not self._backlog_failed:
                log.warning("the backlog of the readers of %s is not known: %r", self._topic, error)
            self._backlog_failed = True
            return None
        self._backlog_failed = False
        return behind

    def _window(self, behind: int) -> int:
        """Return how many records may wait for the reader, given the number that waits now.

        It is adjusted once per pause, when the reader should have processed the last batch. If half of it or more is
        left, the machine is busy and a single event would have to wait: the number is halved, down to a fifth of what
        the rate allows, so that a slow commit does not stop the bulk. Otherwise it grows by half.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._window_at + BULK_PAUSE_SECONDS:
            window = self._bulk_window
            window = window // 2 if 2 * behind >= window else window + (window + 1) // 2
            least = max(self._pause_share // 5, 1)
            self._bulk_window, self._window_at = min(max(window, least), self._pause_share), now
        return self._bulk_window

    @property
    def _pause_share(self) -> int:
        """What the rate allows in one pause, at least one."""
        return max(1, int((self._bulk_rate or 0) * BULK_PAUSE_SECONDS))

    async def _send_batch(
        self, which: Document, most: int, *, besides: Collection[str] = (), headers: Headers = ()
    ) -> _Batch:
        """Send the events of waiting documents, except of those `besides`; they are then to be removed."""
        if left_out := [*self._unsendable, *besides]:
            which = {"_id": {"$nin": left_out}} | which
        pending = self._documents.find(PENDING | which, self._read).sort("staged_at", 1).hint(PENDING_INDEX)
        found = await pending.limit(most).to_list(most)
        documents = {document["_id"]: document for document in found}  # one that changes is found twice
        self._wake.drop_handed_over(documents)
        entries = [(key, envelope) for key, one in documents.items() for envelope in self._staged_in(key, one)]
        self._last_read = frozenset(envelope.id for _, envelope in entries)
        return await self._send_entries(entries, len(found), headers=headers)

    async def _send_entries(
        self, entries: Sequence[tuple[str, Envelope]], found: int, *, headers: Headers = ()
    ) -> _Batch:
        """Send the events of so many documents, by document; they are then to be removed."""
        if not entries:
            return _Batch(found)
        first = await self._reserve(len(entries)) if self._stamp else 0
        envelopes = [
            self._fitting(msgspec.structs.replace(envelope, catalog_revision=first + i if self._stamp else 0))
            for i, (_, envelope) in enumerate(entries)
        ]
        if not self.holds_lease:  # reading took too long: another relay may have begun
            return _Batch(0)
        results = await self._publisher.send(self._topic, envelopes, headers=headers)
        return _Batch(found, entries, [envelope.catalog_revision for envelope in envelopes], results)

    async def _remove(self, batch: _Batch) -> None:
        """Remove the acknowledged events of a batch. Raises Unavailable if others have no answer."""
        await self._acknowledge(batch)
        for (key, envelope), result in zip(batch.entries, batch.results, strict=True):
            if isinstance(result, Exception) and is_permanent(result):
                self._note_refused(key, envelope.id, result)
        if failed := [result for result in batch.results if isinstance(result, Exception)]:
            raise Unavailable(f"{len(failed)} of {len(batch.results)} events without an answer: {failed[0]!r}")

    def _staged_in(self, key: str, document: Document) -> list[Envelope]:
        """Return the events of a document in order; none, leaving the document unchanged, if one cannot be decoded."""
        try:
            return staged_events(document)
        except (msgspec.ValidationError, KeyError) as error:
            log.error("an event of %s cannot be read: %s", key, error)  # noqa: TRY400 - no traceback: it may hold data
            self._unsendable.add(key)
            return []

    def _fitting(self, envelope: Envelope) -> Envelope:
        """Return the event to send: the event itself, or a smaller one in its place if it is too large."""
        if len(envelope.data or b"") > MAX_VALUE_BYTES or envelope.id in self._too_large:
            return self._reduced(envelope) or envelope
        return envelope

    def _note_refused(self, key: str, event_id: str, error: Exception) -> None:
        """Record an event as too large; if its smaller form is too large as well, record its document as unsendable."""
        if event_id in self._too_large:
            log.error("event %s of %s cannot be sent to %s: %r", event_id, key, self._topic, error)
            self._unsendable.add(key)
        self._too_large.add(event_id)

    async def _reserve(self, count: int) -> int:
        lease = await self._leases.find_one_and_update(
            {"_id": self._lease}, {"$inc": {"catalog_revision": count}}, return_document=ReturnDocument.AFTER
        )
        return int(lease["catalog_revision"]) - count + 1

    async def _acknowledge(self, batch: _Batch) -> None:
        acknowledged: dict[str, list[_Acknowledged]] = {}
        blocked = set()
        for (key, envelope), stamp, result in zip(batch.entries, batch.stamps, batch.results, strict=True):
            if not isinstance(result, RecordMetadata):
                blocked.add(key)
            elif key not in blocked:
                one = _Acknowledged(envelope.id, envelope.sequence, stamp, result.partition, result.offset)
                acknowledged.setdefault(key, []).append(one)
        if acknowledged:
            await bulk_write(self._documents, list(_removals(acknowledged, self._generation)))
            self.sent += sum(map(len, acknowledged.values()))

    # --- reading back ------------------------------------------------------------------------------------------------

    async def _read_back(self) -> None:
        """While the lease is held, read the topic from the stored position."""
        if not self.holds_lease:
            await asyncio.sleep(_RENEW_SECONDS / 3)
            return
        lease = await self._leases.find_one({"_id": self._lease}) or {}
        offsets = {int(partition): offset for partition, offset in lease.get("read_back", {}).items()}
        self._highest_stamp = int(lease.get("read_back_stamp", 0)) if offsets else 0
        self._generation = int(lease.get("generation", 0))
        follower = Follower(
            self._brokers,
            self._topic,
            self._on_read_back,
            start=offsets,
            low_priority=self._landed is None,  # only looked at here: records may come late and together
            topic_id=await self._known_topic(lease.get("topic_id")),
            on_replaced=self._on_replaced,
        )
        reading = asyncio.create_task(follower.run())
        try:
            while self.holds_lease and not reading.done():
                await asyncio.wait({reading}, timeout=_RENEW_SECONDS / 3)
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
                await self._leases.update_one({"_id": self._lease}, {"$set": {"topic_id": noted}})
        return UUID(noted) if noted else None

    async def _on_replaced(self) -> None:
        """Stage everything again, then continue with the new topic; an interrupted run is repeated."""
        log.warning("%s is another topic, or shorter than it was: everything is staged again", self._topic)
        self._position.clear()
        self._highest_stamp = 0
        self._generation += 1
        found = (await describe_topics(self._brokers, [self._topic])).get(self._topic)
        try:
            # The generation first: what is sent from now on lands in the new topic.
            await self._leases.update_one({"_id": self._lease}, {"$set": {"generation": self._generation}})
            await self._republish(None)
            done: Document = {"$unset": {"read_back": "", "read_back_stamp": ""}}
            if found is not None:
                done["$set"] = {"topic_id": str(found.id)}
            await self._leases.update_one({"_id": self._lease, "holder": self._holder}, done)
        except PyMongoError as error:
            raise Unavailable(str(error)) from error

    async def _note_position(self) -> None:
        """Store the position of reading back. After a crash some records are read twice."""
        if self._position:
            position, self._position = self._position, {}
            await self._leases.update_one({"_id": self._lease, "holder": self._holder}, {"$set": position})

    async def _on_read_back(self, batch: Sequence[ConsumedEvent]) -> None:
        if self._landed:
            await self._landed(batch)
        try:
            if outdated := await self._outdated(batch):
                log.warning("%d old records landed late on %s: staged again", len(outdated), self._topic)
                await self._republish(outdated)
        except PyMongoError as error:
            raise Unavailable(str(error)) from error
        if self._stamp:
            self._highest_stamp = max([self._highest_stamp, *(item.event.catalog_revision for item in batch)])
            self._position["read_back_stamp"] = self._highest_stamp
        self._position |= {f"read_back.{item.record.partition}": item.record.offset + 1 for item in batch}

    async def _outdated(self, batch: Sequence[ConsumedEvent]) -> list[str]:
        """Return the ids of documents whose newest record on the topic is one that readers drop as outdated."""
        keys = list({item.event.subject for item in batch})
        marks: dict[str, Mapping[str, int]] = {
            document["_id"]: document["acknowledged"]
            async for document in self._documents.find(
                {"_id": {"$in": keys}, "acknowledged": {"$exists": True}}, {"acknowledged": 1}
            )
        }
        outdated: set[str] = set()
        highest = self._highest_stamp
        for item in batch:
            stamp = item.event.catalog_revision if self._stamp else 0
            if mark := marks.get(item.event.subject):
                # An acknowledgement of an older topic does not apply to this one's offsets.
                acknowledged = mark["offset"] if mark.get("topic_generation", 0) == self._generation else -1
                older = item.event.sequence < mark["sequence"] and item.record.offset > acknowledged
                if older or (stamp < highest and item.record.offset >= acknowledged):
                    outdated.add(item.event.subject)
            highest = max(highest, stamp)
        return sorted(outdated)


def _removals(acknowledged: Mapping[str, Sequence[_Acknowledged]], generation: int) -> Iterator[Write]:
    """Yield the updates that remove acknowledged events and note the newest one of each document.

    Documents with one event each, of the same sequence and in the same partition, share an update: the server needs a
    third of the time for it. They share the lowest stamp and offset among them. So what is read back from there on and
    is older counts as late, and whatever else was written to the topic since the first of them; an event that is
    announced again without need changes nothing.
    """
    together: dict[tuple[int, int], dict[str, _Acknowledged]] = {}
    for key, events in acknowledged.items():
        if len(events) == 1:
            together.setdefault((events[0].sequence, events[0].partition), {})[key] = events[0]
        else:
            yield UpdateOne({"_id": key}, _removal(events, events[-1], generation))
    for group in together.values():
        lowest = min(group.values(), key=attrgetter("offset"))
        change = _removal(list(group.values()), lowest, generation)
        if len(group) == 1:  # the driver repeats it by itself
            yield UpdateOne({"_id": next(iter(group))}, change)
        else:
            yield UpdateMany({"_id": {"$in": list(group)}}, change)


def _removal(events: Sequence[_Acknowledged], newest: _Acknowledged, generation: int) -> Document:
    mark = {
        "sequence": newest.sequence,
        "topic_generation": generation,
        "stamp": newest.stamp,
        "partition": newest.partition,
        "offset": newest.offset,
    }
    # `$max` (by sequence, topic, stamp): a paused relay that acknowledges late must not lower the mark.
    return {"$pull": {"outbox": {"id": {"$in": [one.event for one in events]}}}, "$max": {"acknowledged": mark}}
