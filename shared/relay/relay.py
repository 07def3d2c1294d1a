"""Sends the staged events of one collection to one topic, and removes what was acknowledged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from pymongo.errors import PyMongoError

from shared.errors import Unavailable
from shared.events import MAX_VALUE_BYTES, Envelope
from shared.kafka import (
    BULK,
    Brokers,
    ConsumedEvent,
    Headers,
    Publisher,
    RecordMetadata,
    is_permanent,
)
from shared.mongo import Database, Document, bulk_write
from shared.outbox import BULK_DELAY, BULK_PAUSE_SECONDS, PENDING, PENDING_INDEX, Staged, staged_events
from shared.relay.bulk_pacing import BulkPacing
from shared.relay.lease import RENEW_SECONDS, Lease
from shared.relay.read_back import ReadBack
from shared.relay.removals import AcknowledgedEvent, removals

log = logging.getLogger(__name__)

_BATCH = 500
_SWEEP_SECONDS = 2.0
_COUNT_TIMES = 20
_REMOVAL_SECONDS = 0.5
"""How long an acknowledged event that was sent from memory stays in its document: one write then removes several."""


@dataclass(frozen=True)
class _Batch:
    """What was sent together: how many documents were found, their events by document, stamps and answers.

    `generation`: that of the topic when they were sent. They may have landed in this topic or in one that followed.
    """

    found: int
    entries: Sequence[tuple[str, Envelope]] = ()
    stamps: Sequence[int] = ()
    results: Sequence[RecordMetadata | Exception] = ()
    generation: int = 0


class Relay:
    """Sends the staged events of one collection to one topic; see the docstring of the package.

    `republish` is called with a document id, or None for all, to stage the current state again. `on_read_back` receives
    the records of the topic as they are read back. With `stamp`, records carry an increasing `catalog_revision`: it is
    reserved in the lease document before the send, and used for one attempt only. `reduced` returns a smaller event to
    send in place of one that is too large, or None; an event that cannot be sent stays in its document, is counted in
    `unsendable`, and delays only later events of that document. The store sets `staged` when it stages something in
    this process. `held_in`: the field that entries of `outbox_push_held` name. `bulk_rate`: how many documents of bulks
    are sent per second, None: without a limit; it should be what the reader can handle, so that no backlog delays a
    single event. `backlog`: see `BulkPacing`. `counter`: the field of the documents with the sequence of their newest
    event.
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
        on_read_back: Callable[[Sequence[ConsumedEvent]], Awaitable[None]] | None = None,
        stamp: bool = False,
        reduced: Callable[[Envelope], Envelope | None] = lambda _: None,
        staged: Staged | None = None,
        held_in: str | None = None,
        bulk_rate: float | None = None,
        backlog: Callable[[], Awaitable[int | None]] | None = None,
        counter: str = "sequence",
    ) -> None:
        self.sent = 0
        self.pending = 0
        self._documents = database[collection]
        self._lease = Lease(database["leases"], f"relay:{collection}")
        self._topic = topic
        self._publisher = publisher
        self._stamp = stamp
        self._reduced = reduced
        self._too_large: set[str] = set()
        self._unsendable: set[str] = set()
        self._wake = staged or Staged()
        self._pacing = BulkPacing(self._wake, topic, bulk_rate, backlog)
        self._read_back = ReadBack(
            self._lease,
            self._documents,
            brokers,
            topic,
            republish,
            wake=self._wake,
            on_read_back=on_read_back,
            stamp=stamp,
            settle=self._remove_acknowledged,
            counter=counter,
        )
        self._acknowledged: dict[str, list[AcknowledgedEvent]] = {}
        self._removing = asyncio.Lock()
        self._remove_at = float("inf")
        self._fields = {"outbox": 1} | ({held_in: 1} if held_in else {})
        self._next_count = 0.0
        self._last_read: frozenset[str] = frozenset()

    @property
    def unsendable(self) -> int:
        """The number of documents with an event that is too large to send or cannot be read."""
        return len(self._unsendable)

    @property
    def replaced(self) -> int:
        """How often everything was announced again because the topic was another one, or shorter."""
        return self._read_back.replaced

    @property
    def newer(self) -> int:
        """How many records of the topic were newer than their documents, or had none (see `ReadBack`)."""
        return self._read_back.newer

    async def warning(self) -> str | None:
        """Return a readiness message about records that are newer than their documents; None without any."""
        if not self.newer:
            return None
        return (
            f"{self.newer} records of {self._topic} are newer than what MongoDB holds: it was restored from an older"
            " copy, or something else writes to the topic"
        )

    @property
    def holds_lease(self) -> bool:
        """Whether this relay holds the lease now, by its local clock."""
        return self._lease.is_held

    async def run(self) -> None:
        """Relay until cancelled. Waits while MongoDB or Kafka is unavailable; raises permanent KafkaErrors."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._patiently(self._keep_lease))
                tasks.create_task(self._patiently(self._watch))
                tasks.create_task(self._patiently(self._send_pending))
                tasks.create_task(self._patiently(self._read_back.run))
        finally:
            with suppress(PyMongoError, asyncio.CancelledError):
                await asyncio.wait_for(self._leave(), 2)

    async def _leave(self) -> None:
        with suppress(Unavailable, PyMongoError):
            await self._remove_acknowledged()
        await self._lease.release()

    async def _patiently(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except (PyMongoError, Unavailable) as error:
                log.warning("relay of %s waits: %s", self._topic, error)
                await asyncio.sleep(0.5)

    async def _keep_lease(self) -> None:
        await self._lease.create()
        while True:
            if await self._lease.renew():
                self._wake.take_handed_over()  # another relay may have sent newer ones
                self._wake.set()
            await asyncio.sleep(RENEW_SECONDS)

    # --- sending -----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Report staged events to the sender; removing sent events does not change `staged_at`.

        Events of bulks are ignored: the process that writes them wakes its own relay, and a timer the others. An open
        stream takes the server 25 µs for every write to the collection. So it is closed while this process writes a
        bulk or sends a backlog: the sender looks for events at least every quarter of a second then.
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
        pipeline: list[Mapping[str, Any]] = [{"$match": noticed}, {"$project": {"documentKey": 1}}]
        while self._wake.is_busy:
            await asyncio.sleep(BULK_PAUSE_SECONDS)
        async with self._documents.watch(pipeline, max_await_time_ms=1000) as stream:
            self._wake.set()
            while stream.alive and not self._wake.is_busy:
                if (staged := await stream.try_next()) is not None:
                    self._wake.report(staged["documentKey"]["_id"])
        self._wake.set()  # so that the sender looks more often from now on

    async def _send_pending(self) -> None:
        """Send when something is staged; read the documents for what was not handed over, and when the timer ends.

        Reads them first: after a failure nothing of what was being sent is in memory.
        """
        loop = asyncio.get_running_loop()
        read_at = float("-inf")
        while True:
            often = self._wake.is_busy or self._pacing.is_running
            due = read_at + (BULK_PAUSE_SECONDS if often else _SWEEP_SECONDS)
            with suppress(TimeoutError):  # `wait_for` of Python 3.11 loses a cancellation that comes with a wake
                async with asyncio.timeout_at(min(due, self._remove_at)):
                    await self._wake.wait()
            self._wake.clear()
            reading = self._wake.begin_reading() or loop.time() >= due
            if reading:
                self._wake.forget_reports()
                read_at = loop.time()
            try:
                await self._send_batches(reading=reading)
                if self.holds_lease:
                    await self._send_bulks()
                if loop.time() >= self._remove_at:
                    await self._remove_acknowledged()
            except Unavailable:
                await self._count()
                raise
            await self._count()

    async def _send_batches(self, *, reading: bool) -> None:
        """Send events from memory, then, if `reading`, until less than a whole batch waits in the documents.

        While a batch is removed, the next one is read and sent; events from memory are removed later. Events from
        memory and batches take turns, so that other documents do not wait while events are handed over.
        During a bulk its events are left out: less than a whole batch does not mean then that the backlog was sent.
        """
        removing: asyncio.Task[None] | None = None
        keys: Collection[str] = ()
        handed_over: list[tuple[str, Envelope]] = []
        in_bulk = False
        if not self.holds_lease:
            self._wake.take_handed_over()  # the relay that holds the lease reads them; here they would only be kept
        try:
            while self.holds_lease:
                handed_over = [] if handed_over else self._taken_from_memory()
                if handed_over:
                    self._remove_later(await self._send_entries(handed_over, len(handed_over)))
                    continue
                if not reading:
                    break
                in_bulk = self._pacing.is_running
                batch = await self._send_batch(self._pacing.besides_bulks(), _BATCH, besides=keys)
                before, removing = removing, asyncio.create_task(self._remove(batch))
                if before:
                    await before
                keys = {key for key, _ in batch.entries}
                if batch.found == _BATCH or not in_bulk:
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
            await self._remove_acknowledged()
            self.pending = await self._documents.count_documents(PENDING, hint=PENDING_INDEX)
            self._next_count = begun + max(_SWEEP_SECONDS / 2, _COUNT_TIMES * (loop.time() - begun))

    async def _send_bulks(self) -> None:
        """Send as many documents of bulks as may be sent now."""
        if most := await self._pacing.allowance():
            batch = await self._send_batch(self._pacing.bulks_only(), most, headers=BULK)
            await self._remove(batch)
            self._pacing.note_sent(batch.found, more=batch.found == most)

    async def _send_batch(
        self, which: Document, most: int, *, besides: Collection[str] = (), headers: Headers = ()
    ) -> _Batch:
        """Send the events of waiting documents, except of those `besides`; they are then to be removed."""
        await self._remove_acknowledged()
        if left_out := [*self._unsendable, *besides]:
            which = {"_id": {"$nin": left_out}} | which
        pending = self._documents.find(PENDING | which, self._fields).sort("staged_at", 1).hint(PENDING_INDEX)
        found = await pending.limit(most).to_list(most)
        documents = {document["_id"]: document for document in found}  # one that changes is found twice
        entries = [(key, envelope) for key, one in documents.items() for envelope in self._staged_in(key, one)]
        self._last_read = frozenset(envelope.id for _, envelope in entries)
        self._wake.drop_handed_over(documents, self._last_read)
        return await self._send_entries(entries, len(found), headers=headers)

    async def _send_entries(
        self, entries: Sequence[tuple[str, Envelope]], found: int, *, headers: Headers = ()
    ) -> _Batch:
        """Send the events of so many documents, by document; they are then to be removed."""
        if not entries:
            return _Batch(found)
        first = await self._lease.reserve(len(entries)) if self._stamp else 0
        envelopes = [
            self._fitting(msgspec.structs.replace(envelope, catalog_revision=first + i if self._stamp else 0))
            for i, (_, envelope) in enumerate(entries)
        ]
        if not self.holds_lease:  # reading took too long: another relay may have begun
            return _Batch(0)
        generation = self._read_back.generation
        results = await self._publisher.send(self._topic, envelopes, headers=headers)
        await self._read_back.note_sent(results, generation)
        return _Batch(found, entries, [envelope.catalog_revision for envelope in envelopes], results, generation)

    async def _remove(self, batch: _Batch) -> None:
        """Remove the acknowledged events of a batch. Raises Unavailable if others have no answer."""
        await self._write_removals(self._acknowledged_of(batch))
        self._check(batch)

    def _remove_later(self, batch: _Batch) -> None:
        """Note the acknowledged events of a batch for `_remove_acknowledged`. Raises Unavailable without an answer.

        Documents are read only after that, so that no event is read which was sent from memory.
        """
        for key, events in self._acknowledged_of(batch).items():
            self._acknowledged.setdefault(key, []).extend(events)
        self._remove_at = min(self._remove_at, asyncio.get_running_loop().time() + _REMOVAL_SECONDS)
        self._check(batch)

    async def _remove_acknowledged(self) -> None:
        """Remove the events that were to be removed later; after an error they are sent again. Raises Unavailable."""
        async with self._removing:
            self._remove_at = float("inf")
            acknowledged, self._acknowledged = self._acknowledged, {}
            await self._write_removals(acknowledged)

    def _check(self, batch: _Batch) -> None:
        """Record refused events. Raises Unavailable if events of a batch have no answer."""
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

    def _acknowledged_of(self, batch: _Batch) -> dict[str, list[AcknowledgedEvent]]:
        """Return the acknowledged events of a batch by document, without those that follow one without an answer."""
        acknowledged: dict[str, list[AcknowledgedEvent]] = {}
        blocked = set()
        for (key, envelope), stamp, result in zip(batch.entries, batch.stamps, batch.results, strict=True):
            if not isinstance(result, RecordMetadata):
                blocked.add(key)
            elif key not in blocked:
                place = batch.generation, stamp, result.partition, result.offset
                acknowledged.setdefault(key, []).append(AcknowledgedEvent(envelope.id, envelope.sequence, *place))
        return acknowledged

    async def _write_removals(self, acknowledged: Mapping[str, Sequence[AcknowledgedEvent]]) -> None:
        if acknowledged:
            await bulk_write(self._documents, list(removals(acknowledged)))
            self.sent += sum(map(len, acknowledged.values()))
