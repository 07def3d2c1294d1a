"""The lag of a consumer group on a topic, by which a sender limits its rate."""

import asyncio
import logging

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.kafka.client import Brokers, connection, within

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 2.0
_AGAIN_SECONDS = 60.0
_BUSY_SECONDS = 30.0
_UNKNOWN = 1_000_000_000


class GroupLag:
    """Reads the lag of a group. Its clients are created at the first read and reused."""

    def __init__(self, brokers: Brokers, group: str, topic: str) -> None:
        self._brokers = brokers
        self._group = group
        self._topic = topic
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        self._not_before = float("-inf")
        self._busy_until = float("-inf")

    async def read(self) -> int | None:
        """Return the number of records that the group has not committed.

        Only partitions in which the group has committed an offset count. None if the lag is unknown: the broker does
        not report it, or the group has never read the topic. If the broker reported it less than 30 s ago and does not
        now, it is busy or unavailable, and a very large number is returned.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            return None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                admin, consumer = self._clients or await self._started()
                committed = await admin.list_consumer_group_offsets(self._group)
                places = {place: one.offset for place, one in committed.items() if place.topic == self._topic}
                if not places:
                    return None
                ends = await consumer.end_offsets(list(places))
                self._busy_until = loop.time() + _BUSY_SECONDS
                return sum(max(0, int(ends[place]) - int(offset)) for place, offset in places.items())
        except (KafkaError, TimeoutError, OSError, AttributeError, ValueError) as error:
            log.info("the lag of group %s is not known: %r", self._group, error)
            await self.stop()
            if loop.time() < self._busy_until:
                return _UNKNOWN
            self._not_before = loop.time() + _AGAIN_SECONDS
            return None

    async def stop(self) -> None:
        """Close the clients."""
        clients, self._clients = self._clients, None
        if clients:
            admin, consumer = clients
            await within(admin.close())
            await within(consumer.stop())

    async def _started(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        arguments = connection(self._brokers)
        self._clients = AIOKafkaAdminClient(**arguments), AIOKafkaConsumer(**arguments)
        for client in self._clients:
            await client.start()
        return self._clients
