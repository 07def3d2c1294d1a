"""Delivers batches for both readers: decodes a batch, passes it on until the handler accepts it, isolates bad records.

`Unavailable` is retried in place. `Rejected`, and a record that fails three times, is given up with a reason, but only
for a single record: a failing batch is halved until the record is alone.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from shared.errors import Rejected, Unavailable
from shared.events import Event
from shared.kafka.client import backoff
from shared.kafka.records import UNREADABLE, ConsumedEvent, OnEvents, Record

log = logging.getLogger(__name__)

_ATTEMPTS = 3

Decode = Callable[[Record], Event]
"""A function that decodes a record. Raises Rejected."""


class Reader(Protocol):
    """What `overdue` reads of a GroupConsumer or a Follower."""

    topic: str

    @property
    def stalled_seconds(self) -> float: ...


def overdue(reader: Reader, limit: float) -> str | None:
    """Return a readiness message if a reader has held the same records for more than `limit` seconds, else None."""
    if reader.stalled_seconds <= limit:
        return None
    return f"the same records of {reader.topic} have been worked on for {reader.stalled_seconds:.0f} s"


class Delivery:
    """Passes records to a handler; `give_up` is awaited, with the reason, for each record that cannot be handled.

    Handlers must be idempotent: the records before a failing one are delivered again, in the same order.
    """

    def __init__(
        self, reader: str, decode: Decode, on_events: OnEvents, give_up: Callable[[Record, str], Awaitable[None]]
    ) -> None:
        self._reader = reader
        self._decode = decode
        self._on_events = on_events
        self._give_up = give_up
        self._since: float | None = None

    @property
    def stalled_seconds(self) -> float:
        """Seconds since the current records last made progress (one handled or given up); 0 without records."""
        return 0.0 if self._since is None else monotonic() - self._since

    async def deliver(self, records: Sequence[Record]) -> None:
        """Return once every record was handled or given up."""
        self._since = monotonic()
        try:
            await self._hand_over(await self._decoded(records))
        finally:
            self._since = None

    async def _decoded(self, records: Sequence[Record]) -> list[ConsumedEvent]:
        received = []
        for record in records:
            try:
                _check_readable(record)
                received.append(ConsumedEvent(record, self._decode(record)))
            except Rejected as error:
                await self._give_up(record, str(error))
                self._since = monotonic()
        return received

    async def _hand_over(self, batch: list[ConsumedEvent]) -> None:
        attempt = 0
        while batch and (error := await self._attempt(batch)):
            attempt += 1
            if isinstance(error, Unavailable):
                log.warning("%s waits: %s", self._reader, error.detail)
            elif len(batch) > 1:
                middle = len(batch) // 2
                await self._hand_over(batch[:middle])
                return await self._hand_over(batch[middle:])
            elif isinstance(error, Rejected) or attempt >= _ATTEMPTS:
                reason = str(error) if isinstance(error, Rejected) else f"handler failed: {type(error).__name__}"
                if not isinstance(error, Rejected):
                    log.error("%s cannot take %s: %s", self._reader, batch[0].event.id, _place(error))
                return await self._give_up(batch[0].record, reason)
            await asyncio.sleep(backoff(attempt))
        self._since = monotonic()
        return None

    async def _attempt(self, batch: list[ConsumedEvent]) -> Exception | None:
        try:
            await self._on_events(batch)
        except Exception as error:  # noqa: BLE001 - no error of a handler may stop the partition
            return error
        return None


def _check_readable(record: Record) -> None:
    if record.headers and record.headers[0][0] == UNREADABLE:
        raise Rejected((record.headers[0][1] or b"").decode("utf-8", "replace"))


def _place(error: Exception) -> str:
    """Return the kind of an error and where it happened. Its message may contain a whole document and is not logged."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-4:])
    return f"{type(error).__name__} at {calls}"
