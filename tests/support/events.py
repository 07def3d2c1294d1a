"""Events that tests send, and how they are read back."""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer

from shared.events import CourseWithdrawn, Envelope, new_event
from shared.kafka import ConsumedEvent, Record
from shared.kafka.client import poll, start


def things(count: int, first: int = 1) -> list[Envelope]:
    return [
        new_event("here", f"t/c-{i % 7}", i, CourseWithdrawn("t", f"c-{i % 7}")) for i in range(first, first + count)
    ]


class Reader:
    """Remembers what it was handed; `refuse` may raise instead."""

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
    """Return the first records of a topic as they are on the wire."""
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
