"""Deleting a topic and creating it again, as an operator may do who restores a broker."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.errors import Unavailable
from shared.kafka import TopicSpec, create_topics, describe_topics


async def created_again(bootstrap: str, topic: str, partitions: int) -> None:
    """Delete a topic and create it with the same name; return when it has another id."""
    before = (await describe_topics(bootstrap, [topic]))[topic].id
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()
    async with asyncio.timeout(90):
        while True:
            try:
                await create_topics(bootstrap, [TopicSpec(topic, partitions, 1, {})])
                found = (await describe_topics(bootstrap, [topic])).get(topic)
                if found is not None and found.id != before and found.partitions == partitions:
                    return
            except (KafkaError, Unavailable):
                pass
            await asyncio.sleep(0.1)
