"""Reading all of a topic: every replica sees every record, nothing is committed."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Literal

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import Rejected, Unavailable
from shared.events import from_kafka
from shared.kafka.client import BATCH, FETCH_WAIT_MS, Lag, backoff, poll, start, within
from shared.kafka.records import OnEvents, Received, Record

log = logging.getLogger(__name__)


class Follower:
    """Reads every record of a topic, from the beginning, from the end, or from given offsets {partition: offset}.

    `caught_up` is set once everything that was there at the start has been handed over. Batches come in offset order
    per partition; `on_events` is retried in place while it raises Unavailable.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        on_events: OnEvents,
        *,
        start: Literal["beginning", "end"] | Mapping[int, int] = "beginning",
    ) -> None:
        self.topic = topic
        self.skipped = 0
        self.caught_up = asyncio.Event()
        self._on_events = on_events
        self._from = start
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        self._lag = Lag(self._consumer)

    async def run(self) -> None:
        """Follow until cancelled. Raises KafkaError where no retry would help, Unavailable where no broker answers."""
        try:
            await start(self._consumer)
            ends = await self._assign()
            while True:
                if not self.caught_up.is_set() and await self._has_reached(ends):
                    self.caught_up.set()
                records = await poll(self._consumer, BATCH)
                received = [item for item in map(self._decode, records) if item]
                if received:
                    await self._deliver(received)
                await self._lag.measure()
        finally:
            self.caught_up.clear()
            await within(self._consumer.stop())

    @property
    def lag(self) -> int:
        """How many records are not read yet."""
        return self._lag.records

    async def _assign(self) -> dict[TopicPartition, int]:
        numbers = self._consumer.partitions_for_topic(self.topic) or await self._look_up()
        places = [TopicPartition(self.topic, number) for number in sorted(numbers)]
        self._consumer.assign(places)
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
        for place in places:
            if self._from == "end":
                self._consumer.seek(place, ends[place])
            elif self._from == "beginning":
                await self._consumer.seek_to_beginning(place)
            else:
                offset = self._from.get(place.partition, 0)
                self._consumer.seek(place, offset if offset <= ends[place] else 0)  # the broker forgot: start again
        return ends

    async def _look_up(self) -> set[int]:
        """Ask for the topic by name, for one that has just been created may have no leader yet."""
        self._consumer.assign([TopicPartition(self.topic, 0)])
        for attempt in range(1, 8):
            if numbers := self._consumer.partitions_for_topic(self.topic):
                return set(numbers)
            await asyncio.sleep(backoff(attempt))
        raise Unavailable(f"there is no topic {self.topic}")

    async def _has_reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Compare with the marks of the fetches too: one broker's answer to `end_offsets` was seen to be short."""
        for place, end in ends.items():
            if await self._consumer.position(place) < max(end, self._consumer.highwater(place) or 0):
                return False
        return True

    def _decode(self, record: Record) -> Received | None:
        try:
            return Received(record, from_kafka(record.key, record.value, record.headers))
        except Rejected as error:
            self.skipped += 1
            log.error("skipped %s/%d/%d: %s", record.topic, record.partition, record.offset, error)  # noqa: TRY400
            return None

    async def _deliver(self, batch: list[Received]) -> None:
        for attempt in range(1, 1_000_000):
            try:
                return await self._on_events(batch)
            except Unavailable as error:
                log.warning("follower of %s waits: %s", self.topic, error.detail)
                await asyncio.sleep(backoff(attempt))
        return None
