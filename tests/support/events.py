"""Events that tests send, and how they are read back."""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.topics import read_topics
from shared.events import CourseWithdrawn, Envelope, new_event
from shared.kafka import ConsumedEvent, Record, TopicSpec
from shared.kafka.client import poll, start


def things(count: int, first: int = 1) -> list[Envelope]:
    return [
        new_event("here", f"t/c-{i % 7}", i, CourseWithdrawn("t", f"c-{i % 7}")) for i in range(first, first + count)
    ]


class Reader:
    """A handler that keeps the events it is called with in `taken`. `refuse`: may raise, so that they are not kept."""

    def __init__(self, refuse: Callable[[Sequence[ConsumedEvent]], None] = lambda _: None) -> None:
        self.taken: list[ConsumedEvent] = []
        self._refuse = refuse

    async def __call__(self, batch: Sequence[ConsumedEvent]) -> None:
        self._refuse(batch)
        self.taken.extend(batch)

    @property
    def sequences(self) -> set[int]:
        return {item.event.sequence for item in self.taken}


async def records_of(bootstrap: str, topic: str, count: int) -> list[Record]:
    """Return the first `count` records of a topic, not decoded."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    found: list[Record] = []
    await start(consumer)
    try:
        async with asyncio.timeout(90):
            while len(found) < count:
                found += await poll(consumer, count - len(found))
    finally:
        await consumer.stop()
    return found


async def whole_log(bootstrap: str, topic: str) -> list[Record]:
    """Return every record that partition 0 of a topic holds now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await start(consumer)
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        found: list[Record] = []
        while await consumer.position(place) < end:
            found += await poll(consumer, 500)
        return found
    finally:
        await consumer.stop()


def compacted_at_once(topic: str, name: str) -> TopicSpec:
    """Return the planned topic under another `name`, with settings by which Apache Kafka compacts it within seconds."""
    planned = {spec.name: spec for spec in read_topics()}[topic]
    at_once = {
        "min.compaction.lag.ms": "0",
        "max.compaction.lag.ms": "1",
        "segment.ms": "100",
        "delete.retention.ms": "0",
    }
    return TopicSpec(name, planned.partitions, 1, {**planned.config, **at_once})
