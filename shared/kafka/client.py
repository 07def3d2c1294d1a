"""What both readers do with an aiokafka client: start, poll, measure the lag, stop."""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Collection
from functools import cache, partial
from typing import Any

import aiokafka.client
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from shared.errors import Unavailable
from shared.kafka import batches
from shared.kafka.records import Record
from shared.settings import KafkaSettings

log = logging.getLogger(__name__)

batches.install()

# aiokafka asks for a topic so that a broker may create it: with its own number of partitions and settings, before
# `deploy.topics` does. A reader or sender that comes too early must not do that.
aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)

METADATA_SECONDS = 0.1
"""The least time between two requests of a client for the metadata of the same topics."""

BATCH = 500
FETCH_WAIT_MS = 100
"""How long an idle fetch waits; the embedded broker looks again only after half of this."""
PATIENT_WAIT_MS = 500
PATIENT_BYTES = 256 * 1024
"""How long a low-priority fetch waits for more records, and how many bytes end the wait."""

_POLL_MS = 500
_STOP_SECONDS = 2.0


async def _unhurried(client: AIOKafkaClient, cluster: ClusterMetadata, topics: Collection[str] | None) -> bool:
    """Update the metadata, after a pause if the same topics have just been asked for.

    Without it, aiokafka asks a thousand times a second for a topic that is missing or a partition without a leader.
    """
    loop, names = asyncio.get_running_loop(), frozenset(topics or ())
    asked, when = getattr(client, "_asked", (None, 0.0))
    if asked == names:
        await asyncio.sleep(when + METADATA_SECONDS - loop.time())
    client._asked = names, loop.time()  # noqa: SLF001 - our own attribute
    updated: bool = await _update_metadata(client, cluster, topics)
    return updated


_update_metadata = AIOKafkaClient._metadata_update  # noqa: SLF001 - aiokafka's own, pinned by the lock
AIOKafkaClient._metadata_update = _unhurried  # noqa: SLF001

Brokers = KafkaSettings | str
"""The addresses and the security of Kafka: the settings, or `host:port,...` of brokers without TLS and users."""


def connection(brokers: Brokers) -> dict[str, Any]:
    """Return the connection arguments of every Kafka client."""
    if isinstance(brokers, str):
        return {"bootstrap_servers": brokers}
    arguments: dict[str, Any] = {
        "bootstrap_servers": brokers.kafka_bootstrap_servers,
        "security_protocol": brokers.kafka_security_protocol,
    }
    if brokers.kafka_security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _trusting(brokers.kafka_tls_ca_file)
    if brokers.kafka_security_protocol.startswith("SASL_"):
        arguments |= {
            "sasl_mechanism": brokers.kafka_sasl_mechanism,
            "sasl_plain_username": brokers.kafka_sasl_username,
            "sasl_plain_password": brokers.kafka_sasl_password,
        }
    return arguments


def _trusting(authorities: str) -> ssl.SSLContext:
    """Return the TLS context that trusts the authorities in a file, or those of the system without one.

    All clients of a process share it, so that readiness sees what the others see. An authority that was added to the
    file meanwhile is trusted by all of them from the next call on; a file that cannot be read now adds none.
    """
    context = _context(authorities)
    if authorities:
        with contextlib.suppress(OSError):
            context.load_verify_locations(cafile=authorities)
    return context


@cache
def _context(authorities: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities or None)


def addresses(brokers: Brokers) -> str:
    """Return the brokers as `host:port,...`."""
    return brokers if isinstance(brokers, str) else brokers.kafka_bootstrap_servers


async def start(consumer: AIOKafkaConsumer) -> None:
    """Connect. Raises Unavailable if no broker answers.

    A cancellation waits until the client has started, so that stopping the client closes all connections: aiokafka
    loses track of a connection that it is opening.
    """
    starting = asyncio.ensure_future(consumer.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await within(starting)
        raise
    except KafkaError as error:
        raise Unavailable(f"Kafka: {error}") from error


async def poll(consumer: AIOKafkaConsumer, limit: int) -> list[Record]:
    """Return the next records, at most `limit`; empty after half a second. Raises KafkaError if no retry can help."""
    try:
        polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=limit)
    except KafkaError as error:
        if not error.retriable:
            raise
        log.warning("Kafka: %r", error)
        await asyncio.sleep(1)
        return []
    return [
        Record(place.topic, place.partition, record.offset, record.key, record.value, list(record.headers))
        for place, records in polled.items()
        for record in records
    ]


class Lag:
    """The lag of a reader in records, from the client's own state; no I/O."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._records = 0
        self._consumer = consumer
        self._next = 0.0

    async def measured(self) -> int:
        """Return the number of unread records in the assigned partitions; updated at most once a second.

        Partitions that a rebalance takes away meanwhile are left out.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._next:
            self._next = now + 1.0
            self._records = 0
            for place in self._consumer.assignment():
                with contextlib.suppress(IllegalStateError):
                    position = await self._consumer.position(place)
                    if place in self._consumer.assignment():
                        self._records += max(0, (self._consumer.highwater(place) or 0) - position)
        return self._records


def backoff(attempt: int) -> float:
    """Return the seconds to wait before the next try: doubling from 0.1 to 1, with jitter.

    So a server that is back is noticed within a second, and each reader asks a server that is down once a second.
    """
    return min(1.0, 0.1 * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


async def within(stopping: Awaitable[None]) -> None:
    """Wait a few seconds for a client to stop: without brokers it may never return, or cancel itself."""
    task = asyncio.ensure_future(stopping)
    await asyncio.wait({task}, timeout=_STOP_SECONDS)
    if task.done() and not task.cancelled() and (error := task.exception()):
        log.warning("while stopping: %r", error)
    elif not task.done():
        task.cancel()
