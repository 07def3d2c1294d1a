"""Reading a whole topic with a bare client."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

PARTITIONS = 24
"""Of the topics that are keyed by officer."""

_AT_ONCE = 500


async def read_all(bootstrap_servers: str, topic: str, partitions: int = PARTITIONS) -> list[Any]:
    """Return every record (aiokafka's own) that a topic holds now, in order per partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        wanted = sum((await consumer.end_offsets(places)).values())
        records: list[Any] = []
        while len(records) < wanted:
            for polled in (await consumer.getmany(timeout_ms=1000, max_records=_AT_ONCE)).values():
                records += polled
        return records
    finally:
        await consumer.stop()
