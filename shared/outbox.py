"""The transactional outbox: an event is staged in the document that it announces, in the same write; a relay sends it.

Documents are sent in the order of `staged_at`. An import stages its events as a bulk: with a `staged_at` that is
`BULK_DELAY` ahead, so that they are sent after all others.

If the document holds an event's data in a field of its own, the event is staged without data and its entry names the
field. Such an entry is always the only one, because the field holds the newest state.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import msgspec
from pymongo import IndexModel

from shared.events import Envelope

Document = dict[str, Any]

KEPT = 20
"""The most events that wait in one document: each carries the whole state, so a newer one replaces the older."""

KEPT_BYTES = 2_000_000
"""The most bytes of waiting events in one document; the newest always stays. MongoDB takes documents of up to 16 MB."""

BULK_DELAY = timedelta(days=1)
"""How far ahead `staged_at` of a bulk's events is."""

BULK_PAUSE_SECONDS = 0.25
"""A bulk has ended when nothing of it was written for so long."""

BULK_FIRST_SECONDS = 60.0
"""How long other work waits for a bulk; a client that sends rows for hours does not keep it back for hours."""

MOST_HANDED_OVER = 100
"""The most events that are kept in memory for the relay; it reads the others from their documents."""

BACKLOG_WAIT_SECONDS = 5.0
"""How long the background work of a process waits before each batch of its own while the relay sends whole batches,
because the readers of the topic wait for the last event."""

_BACKLOG_SECONDS = 2.0
"""How long after a whole batch the relay may be sending the next one."""

PENDING = {"outbox.sequence": {"$exists": True}}
"""The query for documents with staged events; give it PENDING_INDEX as its hint."""

PENDING_INDEX = "outbox_pending"
OUTBOX_INDEXES = [IndexModel([("staged_at", 1)], name=PENDING_INDEX, partialFilterExpression=PENDING)]

_SEQUENCE = attrgetter("sequence")


class Staged(asyncio.Event):
    """Wakes the relay of this process when an event was staged.

    The relay reads the event from its document, unless the store hands it over. `bulk_since` and `bulk_at` are the
    times, by the event loop's clock, of the first and the last write of the latest bulk.
    """

    bulk_since = bulk_at = float("-inf")
    bulk_writes = 0
    backlog_at = float("-inf")

    def __init__(self) -> None:
        super().__init__()
        self._handed_over: dict[str, Envelope] = {}
        self._unread = False
        self._unreported: dict[str, int] = {}

    def set(self) -> None:
        """Wake the relay to read what is staged."""
        self._unread = True
        super().set()

    @contextmanager
    def staging(self, keys: Iterable[str]) -> Iterator[None]:
        """Expect a report of each of these documents, in which the block stages an event.

        The change stream may report the event before the server has answered the write. After the block its caller
        hands the event over or calls `set`; after an error, when it may be stored, the relay is woken to read.
        """
        for key in keys:
            self._count_unreported(key, 1)
        try:
            yield
        except BaseException:
            self.set()
            raise

    def hand_over(self, key: str, envelope: Envelope) -> None:
        """Wake the relay and give it an event that is stored in the document `key`, which it then need not read.

        Only for an event that is the only one waiting in its document and that was stored in a block of `staging`. The
        event is sent from memory at most once, and stays in the document until it is acknowledged.
        """
        if len(self._handed_over) >= MOST_HANDED_OVER:
            self.set()
            return
        self._handed_over[key] = envelope
        super().set()

    def report(self, key: str) -> None:
        """Wake the relay because the change stream reported a staged event, unless the report was expected.

        Expected and received reports of a document are only counted, and the counts are forgotten when the relay reads.
        If the report of another event is counted, that event waits for the relay's timer.
        """
        if self._count_unreported(key, -1) < 0:
            self.set()

    def _count_unreported(self, key: str, change: int) -> int:
        """Return how many reports of a document are still expected, negative if more have come."""
        count = self._unreported.pop(key, 0) + change
        if count:
            self._unreported[key] = count
        return count

    def begin_reading(self) -> bool:
        """Return whether an event was staged since the last call and not handed over; the caller must read it now."""
        unread, self._unread = self._unread, False
        return unread

    def forget_reports(self) -> None:
        """Forget which reports are expected and which have come."""
        self._unreported.clear()

    def take_handed_over(self) -> dict[str, Envelope]:
        """Return the events that were handed over since the last call, by document."""
        taken, self._handed_over = self._handed_over, {}
        return taken

    def drop_handed_over(self, keys: Iterable[str], read: Collection[str]) -> None:
        """Forget the handed-over events of documents that the relay has read. `read`: the ids of the events it found.

        The relay is woken to read again if a handed-over event is not among them: it was staged after the reading.
        """
        for key in keys:
            dropped = self._handed_over.pop(key, None)
            if dropped and dropped.id not in read:
                self.set()

    @property
    def in_bulk(self) -> bool:
        """Whether a bulk is being written, or was within the last quarter of a second."""
        return self.bulk_writes > 0 or asyncio.get_running_loop().time() < self.bulk_at + BULK_PAUSE_SECONDS

    @property
    def is_busy(self) -> bool:
        """Whether a bulk is being written, or the relay of this process sends whole batches."""
        return self.in_bulk or asyncio.get_running_loop().time() < self.backlog_at + _BACKLOG_SECONDS

    async def after_bulk(self, most: float) -> None:
        """Wait until no bulk is being written, at most `most` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most):
                while self.in_bulk:
                    await asyncio.sleep(BULK_PAUSE_SECONDS / 2)

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Keep events of bulks waiting while the block writes a bulk, however long it takes; then wake the relay."""
        if not self.in_bulk:
            self.bulk_since = asyncio.get_running_loop().time()
        self.bulk_writes += 1
        try:
            yield
        finally:
            self.bulk_writes -= 1
            self.set_bulk()

    def set_backlog(self, *, more: bool) -> None:
        """Record that the relay has sent a batch, and whether more may wait."""
        self.backlog_at = asyncio.get_running_loop().time() if more else float("-inf")

    async def after_backlog(self, most: float) -> None:
        """Wait until the relay of this process has sent all events or makes no progress, at most `most` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + most
        while (now := loop.time()) < min(end, self.backlog_at + _BACKLOG_SECONDS):
            await asyncio.sleep(min(end - now, BULK_PAUSE_SECONDS))

    def set_bulk(self) -> None:
        """Wake the relay after a bulk write."""
        self.bulk_at = asyncio.get_running_loop().time()
        self.set()


def outbox_push(*envelopes: Envelope, bulk: bool = False) -> Document:
    """Return the operators that stage events in an update: `$push` on `outbox` and `$set` of `staged_at`."""
    entries = [msgspec.structs.asdict(envelope) for envelope in envelopes]
    largest = max(len(envelope.data or b"") for envelope in envelopes)
    return _push(entries, max(len(entries), min(KEPT, KEPT_BYTES // max(1, largest))), bulk=bulk)


def outbox_replace(envelope: Envelope) -> Document:
    """Return the operators that stage an event in place of all events that wait in the document."""
    return _push([msgspec.structs.asdict(envelope)], 1)


def outbox_insert(*envelopes: Envelope, bulk: bool = False) -> Document:
    """Return the fields that stage events in a document that is inserted."""
    return {
        "outbox": [msgspec.structs.asdict(envelope) for envelope in envelopes],
        "staged_at": _staged_at(bulk=bulk),
    }


def outbox_push_held(envelope: Envelope, field: str) -> Document:
    """Return the update operators that stage an event without its data; the same update must set `field` to the data.

    The data are bytes. The event replaces all staged events, because the field holds the data of the newest one only.
    """
    return _push([_held_entry(envelope, field)], 1)


def outbox_insert_held(envelope: Envelope, field: str) -> Document:
    """Return the fields that stage an event in a new document whose `field` holds the event's data as bytes."""
    return {"outbox": [_held_entry(envelope, field)], "staged_at": _staged_at()}


def _push(entries: list[Document], kept: int, *, bulk: bool = False) -> Document:
    return {"$push": {"outbox": {"$each": entries, "$slice": -kept}}, "$set": {"staged_at": _staged_at(bulk=bulk)}}


def _staged_at(*, bulk: bool = False) -> datetime:
    return datetime.now(UTC) + (BULK_DELAY if bulk else timedelta())


def _held_entry(envelope: Envelope, field: str) -> Document:
    """Return the entry of an event without its data. Versions that do not know `held_in` cannot read it and wait."""
    entry = msgspec.structs.asdict(envelope)
    del entry["data"]
    return {**entry, "held_in": field}


def staged_events(document: Document) -> list[Envelope]:
    """Return the staged events of a document, in the order of their sequences.

    Unknown fields, which a newer version may have staged, are ignored. An event with its data in a field of the
    document is left out if another was staged after it, because the field may have changed. Raises
    msgspec.ValidationError or KeyError if an event cannot be decoded.
    """
    box = document["outbox"]
    entries = [_with_data(one, document) for one in box if "held_in" not in one or one is box[-1]]
    return sorted(msgspec.convert(entries, list[Envelope]), key=_SEQUENCE)


def _with_data(entry: Document, document: Document) -> Document:
    return {**entry, "data": bytes(document[entry["held_in"]])} if "held_in" in entry else entry
