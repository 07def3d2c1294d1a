"""Reads all records of a topic in every replica, without a consumer group or commits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from msgspec import Struct

from shared.cloudevents import from_kafka
from shared.errors import Unavailable
from shared.events import TYPES, Event
from shared.kafka.client import (
    BATCH,
    FETCH_WAIT_MS,
    PATIENT_BYTES,
    PATIENT_WAIT_MS,
    Brokers,
    Lag,
    backoff,
    connection,
    poll,
    start,
    within,
)
from shared.kafka.delivery import Delivery
from shared.kafka.records import OnEvents, Record
from shared.kafka.topics import TopicIdentity, TopicReplaced

log = logging.getLogger(__name__)

_CONNECTING = "connecting to Kafka"


async def _nothing(*_: Record) -> None:
    pass


class Follower:
    """Reads every record of a topic, from the beginning, from the end, or from given offsets {partition: offset}.

    `low_priority`: fetches are larger and later (records gather at the broker for half a second), and payloads are not
    decoded: `data` is None. `shapes`: the struct of the data, by event type.

    `caught_up` is set once every record that existed at the start has been delivered. Batches come in offset order per
    partition; `on_events` is retried in place while it raises Unavailable. A record that cannot be decoded or handled
    is skipped and counted in `skipped`; `on_skipped` is awaited with it. `lag`: unread records.

    A topic that was deleted and created again, or that ends before the position (a broker restored from an older copy),
    is read again from its beginning, or from its end if the follower started there. `on_replaced` is awaited before
    that; `replaced` counts how often. `topic_id`: the topic to which the given offsets belong.

    Partitions that are added to the topic meanwhile are read from their beginning.
    """

    def __init__(  # noqa: PLR0913 - a follower is made once, by name
        self,
        brokers: Brokers,
        topic: str,
        on_events: OnEvents,
        *,
        start: Literal["beginning", "end"] | Mapping[int, int] = "beginning",
        low_priority: bool = False,
        shapes: Mapping[str, type[Struct]] = TYPES,
        topic_id: UUID | None = None,
        on_replaced: Callable[[], Awaitable[None]] = _nothing,
        on_skipped: Callable[[Record], Awaitable[None]] = _nothing,
    ) -> None:
        self.topic = topic
        self.replaced = 0
        self.skipped = 0
        self.caught_up = asyncio.Event()
        self.lag = 0
        self._step = _CONNECTING
        self._delivery = Delivery(f"follower of {topic}", self._decode, on_events, self._skip)
        self._shapes = shapes
        self._from = start
        self._patient = low_priority
        self._on_replaced = on_replaced
        self._on_skipped = on_skipped
        self._identity = TopicIdentity(brokers, topic, topic_id)
        self._brokers = brokers

    @property
    def stalled_seconds(self) -> float:
        """Seconds since the current records last made progress (one handled or skipped); 0 without records."""
        return self._delivery.stalled_seconds

    @property
    def pending(self) -> str | None:
        """A readiness message that says what the follower waits for; None once it has caught up."""
        return None if self.caught_up.is_set() else f"{self.topic} has not been read to its end: {self._step}"

    async def run(self) -> None:
        """Follow until cancelled. Raises KafkaError if no retry can help, Unavailable if no broker answers."""
        while True:
            try:
                await self._read()
            except (TopicReplaced, OffsetOutOfRangeError) as error:
                log.warning("%s is another topic, or shorter than it was; reading it again: %r", self.topic, error)
                self.replaced += 1
                if self._from != "end":
                    self._from = "beginning"
                self._identity.forget()  # else its id would report the same replacement a second time
                await self._identity.changed()  # before anything is announced: a topic that follows is another one
                await self._identity.stop()
                await self._tell_replaced()

    async def _tell_replaced(self) -> None:
        attempt = 0
        while True:
            try:
                return await self._on_replaced()
            except Unavailable as error:
                attempt += 1
                log.warning("follower of %s waits: %s", self.topic, error.detail)
                await asyncio.sleep(backoff(attempt))

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            **connection(self._brokers),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=PATIENT_WAIT_MS if self._patient else FETCH_WAIT_MS,
            fetch_min_bytes=PATIENT_BYTES if self._patient else 1,
        )
        self._step = _CONNECTING
        try:
            await start(consumer)
            self._step = "asking for its partitions and their ends"
            await self._check_identity()  # before them: those of a topic that follows are noticed as other ones
            await self._follow(consumer, await self._assign(consumer))
        finally:
            self.caught_up.clear()
            await self._identity.stop()
            await within(consumer.stop())

    async def _follow(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        lag = Lag(consumer)
        unread = {*ends}
        while True:
            await self._check_identity()
            if added := {*range(self._identity.partitions)} - {place.partition for place in consumer.assignment()}:
                await self._add(consumer, added)
            if not self.caught_up.is_set():
                self._step = "asking for the beginnings of its partitions"
                unread = _raise_ends(consumer, ends, unread)
                if left := await _left(consumer, ends):
                    self._step = f"{left} records are left"
                else:
                    self.caught_up.set()
            records = await poll(consumer, BATCH)
            if records:
                await self._delivery.deliver(records)
            self.lag = await lag.measured()

    async def _check_identity(self) -> None:
        if await self._identity.changed():
            raise TopicReplaced(self.topic)

    async def _assign(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        numbers = consumer.partitions_for_topic(self.topic) or await self._look_up(consumer)
        places = [TopicPartition(self.topic, number) for number in sorted(numbers)]
        consumer.assign(places)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
        if self._from == "beginning":
            await consumer.seek_to_beginning(*places)  # together: the fetch of one would keep the others waiting
            return ends
        for place in places:
            if self._from == "end":
                consumer.seek(place, ends[place])
            else:
                offset = self._from.get(place.partition, 0)
                if offset > ends[place]:
                    raise TopicReplaced(f"{self.topic}/{place.partition} ends at {ends[place]}, before {offset}")
                consumer.seek(place, offset)
        return ends

    async def _add(self, consumer: AIOKafkaConsumer, numbers: set[int]) -> None:
        """Read these partitions too, from their beginning, and go on with the others where they are."""
        log.warning("%s has more partitions than before: reading %s too", self.topic, sorted(numbers))
        positions = {place: await consumer.position(place) for place in consumer.assignment()}
        positions |= {TopicPartition(self.topic, number): 0 for number in numbers}
        consumer.assign([*positions])
        for place, offset in positions.items():
            consumer.seek(place, offset)

    async def _look_up(self, consumer: AIOKafkaConsumer) -> set[int]:
        """Request the topic by name, because one that has just been created may have no leader yet."""
        consumer.assign([TopicPartition(self.topic, 0)])
        for attempt in range(1, 16):
            if numbers := consumer.partitions_for_topic(self.topic):
                return set(numbers)
            await asyncio.sleep(backoff(attempt))
        raise Unavailable(f"there is no topic {self.topic}")

    def _decode(self, record: Record) -> Event:
        with_data = not self._patient
        return from_kafka(record.key, record.value, record.headers, shapes=self._shapes, with_data=with_data)

    async def _skip(self, record: Record, reason: str) -> None:
        self.skipped += 1
        log.error("skipped %s/%d/%d: %s", record.topic, record.partition, record.offset, reason)
        await self._on_skipped(record)


def _raise_ends(
    consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], unread: set[TopicPartition]
) -> set[TopicPartition]:
    """Raise each end to the one that the first fetch of its partition reports; return the partitions not fetched yet.

    The answer of a broker to `end_offsets` was once too low. What is written later does not count, or a reader of a
    topic that is written all the time would never have caught up.
    """
    marks = {place: mark for place in unread if (mark := consumer.highwater(place)) is not None}
    ends.update({place: max(ends[place], mark) for place, mark in marks.items()})
    return unread - marks.keys()


async def _left(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> int:
    """Return how many records are left to these ends."""
    return sum([max(0, end - await consumer.position(place)) for place, end in ends.items()])
