"""What an operator does with Kafka: create the topics, ask whether it is there, replay dead letters."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from shared.errors import Rejected, Unavailable
from shared.kafka.client import BATCH, poll, start, within
from shared.kafka.publisher import Publisher
from shared.kafka.records import Record, TopicSpec, is_cut, revived

log = logging.getLogger(__name__)


async def create_topics(bootstrap_servers: str, topics: Sequence[TopicSpec]) -> list[str]:
    """Create the topics that are not there yet; return their names. Existing topics are left as they are."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        present = set(await admin.list_topics())
        wanted = [
            NewTopic(topic.name, topic.partitions, topic.replication_factor, topic_configs=dict(topic.config))
            for topic in topics
            if topic.name not in present
        ]
        if not wanted:
            return []
        answer = await admin.create_topics(wanted, timeout_ms=30_000)
        for name, code, *reason in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise Unavailable(f"topic {name} was not created: Kafka error {code} {' '.join(map(str, reason))}")
        return [topic.name for topic in wanted]
    except KafkaError as error:
        raise Unavailable(f"Kafka at {bootstrap_servers}: {error}") from error
    finally:
        await admin.close()


async def reachable(bootstrap_servers: str) -> str | None:
    """Return None where one of the brokers accepts a connection now, else what is wrong."""
    for address in bootstrap_servers.split(","):
        host, _, port = address.strip().rpartition(":")
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                return None
    return f"no broker answers at {bootstrap_servers}"


async def replay(bootstrap_servers: str, topic: str, group: str) -> int:
    """Send every dead letter of a topic that was not replayed before to the topic again; return how many.

    One that was cut, or that the topic does not take, is logged and stays in the dead-letter topic.
    """
    consumer = AIOKafkaConsumer(
        f"{topic}.dead",
        bootstrap_servers=bootstrap_servers,
        group_id=f"{group}.replay",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    count = 0
    async with Publisher(bootstrap_servers) as publisher:
        try:
            await start(consumer)
            while not consumer.assignment():
                await asyncio.sleep(0.1)
            ends = await consumer.end_offsets(consumer.assignment())
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for letter in await poll(consumer, BATCH):
                    count += await _replayed(publisher, topic, letter)
                await consumer.commit()
        finally:
            await within(consumer.stop())
    return count


async def _replayed(publisher: Publisher, topic: str, letter: Record) -> bool:
    place = (letter.key or b"").decode("utf-8", "replace")
    if is_cut(letter):
        log.warning("not replayed: %s was cut when it was dead-lettered, and is not whole", place)
        return False
    try:
        await publisher.resend(topic, *revived(letter))
    except Rejected as error:
        log.warning("not replayed: %s: %s", place, error)
        return False
    return True
