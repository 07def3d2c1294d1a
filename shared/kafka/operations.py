"""What an operator does with Kafka: create topics, check the connection, replay dead letters."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import (
    KafkaError,
    SaslAuthenticationFailed,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.metadata import MetadataRequest

from shared.errors import Rejected, Unavailable
from shared.kafka.client import BATCH, Brokers, addresses, connection, poll, start, within
from shared.kafka.publisher import Publisher
from shared.kafka.records import Record, TopicSpec, from_dead_letter, is_cut, takes_back

log = logging.getLogger(__name__)


_TOLD_SECONDS = 60.0
_ANSWER_SECONDS = 1.5
"""How long readiness waits for a broker; its answer is due within 2 s."""

_CERTIFICATE_WANTED = {"SSLV3_ALERT_BAD_CERTIFICATE", "TLSV13_ALERT_CERTIFICATE_REQUIRED"}
"""What a broker answers to a client without a certificate if it asks for one."""


async def create_topics(brokers: Brokers, topics: Sequence[TopicSpec]) -> list[str]:
    """Create missing topics; return those created, once the broker lists them. Existing topics are left unchanged.

    Raises Unavailable.
    """
    admin = AIOKafkaAdminClient(**connection(brokers))
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
        # A topic made a moment ago, or by another at the same time, may not have been listed.
        for name, code, *reason in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise Unavailable(f"topic {name} was not created: Kafka error {code} {' '.join(map(str, reason))}")
        await _until_listed(admin, {topic.name for topic in wanted})
        return [name for name, code, *_ in answer.topic_errors if code == 0]
    except (KafkaError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {addresses(brokers)}: {error!r}") from error
    finally:
        await within(admin.close())


async def _until_listed(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Return once the broker lists these topics: it hears of a new one a moment after the controller has made it."""
    async with asyncio.timeout(_TOLD_SECONDS):
        while not names <= set(await admin.list_topics()):
            await asyncio.sleep(0.1)


async def delete_topics(brokers: Brokers, names: Collection[str]) -> list[str]:
    """Delete topics with all their records; return those that existed, once the broker no longer lists any.

    Raises Unavailable.
    """
    admin = AIOKafkaAdminClient(**connection(brokers))
    try:
        await admin.start()
        found = sorted(set(await admin.list_topics()) & set(names))
        if found:
            answer = await admin.delete_topics(found, timeout_ms=30_000)
            for name, code, *_ in answer.topic_error_codes:
                if code not in (0, UnknownTopicOrPartitionError.errno):
                    raise Unavailable(f"topic {name} was not deleted: Kafka error {code}")
        async with asyncio.timeout(_TOLD_SECONDS):
            while set(await admin.list_topics()) & set(names):
                await asyncio.sleep(0.1)
    except (KafkaError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {addresses(brokers)}: {error!r}") from error
    finally:
        await within(admin.close())
    return found


async def reachable(brokers: Brokers) -> str | None:
    """Return None if one of the brokers accepts a connection and answers on it, else what is wrong."""
    arguments = connection(brokers)
    del arguments["bootstrap_servers"]
    attempts = [asyncio.create_task(_fault(address, arguments)) for address in addresses(brokers).split(",")]
    faults: list[str] = []
    try:
        for fault in asyncio.as_completed(attempts):
            if (found := await fault) is None:
                return None
            faults.append(found)
    finally:
        for task in attempts:
            task.cancel()
    return next(filter(None, faults), f"no broker answers at {addresses(brokers)}")


async def _fault(address: str, arguments: Mapping[str, Any]) -> str | None:
    """Return None if a broker answers a metadata request in time, for the configured user if there is one.

    Otherwise return why it refuses the connection, empty if that is not known.
    """
    host, _, port = address.strip().rpartition(":")
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            connected = await create_conn(host, int(port), **arguments)
            try:
                return None if (await connected.send(MetadataRequest([]))).brokers else ""
            finally:
                connected.close()
    except SaslAuthenticationFailed:
        return f"{address} refuses the user of KAFKA_SASL_USERNAME, or its password"
    except ssl.SSLCertVerificationError as error:
        return f"the certificate of {address} is refused: {error.verify_message}"
    except ssl.SSLError as error:
        return _refusal(address, error)
    except KafkaError as error:
        return _refusal(address, error.__cause__) if isinstance(error.__cause__, ssl.SSLError) else ""
    except (OSError, TimeoutError):
        return ""


def _refusal(address: str, error: ssl.SSLError) -> str:
    """Return why TLS fails. With TLS 1.3 a broker refuses a client only after the client's handshake has ended."""
    if error.reason in _CERTIFICATE_WANTED:
        return f"{address} asks for a certificate of the client, which the services do not have"
    return f"TLS with {address} fails: {error.reason}"


async def replay(brokers: Brokers, topic: str, group: str) -> int:
    """Send every dead letter that was not replayed yet to its topic again; return their number.

    Retracted letters are skipped. Truncated letters, and those that the topic rejects, are logged and stay in the
    dead-letter topic.
    """
    count = 0
    async with Publisher(brokers) as publisher:
        consumer = AIOKafkaConsumer(
            f"{topic}.dead",
            **connection(brokers),
            group_id=f"{group}.replay",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await start(consumer)
            while not consumer.assignment():
                await asyncio.sleep(0.1)
            ends = await consumer.end_offsets(consumer.assignment())
            begun = {place: await consumer.position(place) for place in ends}
            taken_back: dict[bytes | None, int] = {}
            async for letters in _batches(consumer, ends):
                taken_back |= {letter.key: letter.offset for letter in letters if takes_back(letter)}
            for place, position in begun.items():
                consumer.seek(place, position)
            async for letters in _batches(consumer, ends):
                for letter in letters:
                    if not takes_back(letter) and letter.offset > taken_back.get(letter.key, -1):
                        count += await _replayed(publisher, topic, letter)
                await consumer.commit()
        finally:
            await within(consumer.stop())
    return count


async def _batches(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncIterator[list[Record]]:
    """Yield the records from the current position to these end offsets."""
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        yield await poll(consumer, BATCH)


async def _replayed(publisher: Publisher, topic: str, letter: Record) -> bool:
    place = (dict(letter.headers).get("dead_place") or letter.key or b"").decode("utf-8", "replace")
    if is_cut(letter):
        log.warning("not replayed: %s was cut when it was dead-lettered, and is not whole", place)
        return False
    try:
        await publisher.resend(topic, *from_dead_letter(letter))
    except Rejected as error:
        log.warning("not replayed: %s: %s", place, error)
        return False
    return True
