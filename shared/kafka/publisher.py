"""Sends events to Kafka."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    BrokerResponseError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    kafka_errors,
)

from shared.cloudevents import to_kafka
from shared.errors import Rejected, Unavailable
from shared.events import MAX_VALUE_BYTES, Envelope
from shared.kafka.client import Brokers, connection, within
from shared.kafka.records import Headers, RecordMetadata

_MAX_REQUEST_BYTES = MAX_VALUE_BYTES + 1024 * 1024
"""Larger than any event, uncompressed. The broker decides what fits a topic, after compression."""

_BATCH_BYTES = 768 * 1024
"""How many bytes of records, uncompressed, share a request: those of 500 courses. Requests to a partition follow each
other, and each of them wakes every reader. Below the megabyte that a broker takes, even without compression."""


class _InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """The topic accepts no such record; a compacted topic accepts none without a key."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker has validated the record and refused it."


# aiokafka does not know this code; its UnknownError would also stand for failures that pass.
kafka_errors[_InvalidRecordError.errno] = _InvalidRecordError

_PERMANENT = (
    _InvalidRecordError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TypeError,
    ValueError,
    AssertionError,
)


def is_permanent(error: Exception) -> bool:
    """Return whether sending the record again would fail with the same error: it is too large or invalid."""
    return isinstance(error, _PERMANENT)


class Publisher:
    """Sends events. Use as `async with Publisher(...)`, or call `start` and `stop`."""

    def __init__(self, brokers: Brokers) -> None:
        self._producer = AIOKafkaProducer(
            **connection(brokers),
            acks="all",
            compression_type="zstd",
            max_batch_size=_BATCH_BYTES,
            max_request_size=_MAX_REQUEST_BYTES,
            request_timeout_ms=10_000,
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Connect. Raises Unavailable if no broker answers."""
        try:
            await self._producer.start()
        except KafkaError as error:
            await self.stop()
            raise Unavailable(f"Kafka: {error}") from error

    async def stop(self) -> None:
        """Send queued events and disconnect, within a few seconds."""
        await within(self._producer.stop())

    async def send(
        self, topic: str, envelopes: Iterable[Envelope], *, headers: Headers = ()
    ) -> list[RecordMetadata | Exception]:
        """Send events in order and wait for all; return, for each event, its position or an error.

        After an error that is not permanent the event may still have been written. Records of up to 768 KiB share a
        batch, which the broker refuses as a whole. Each record of a refused batch is sent again alone, so a permanent
        error concerns its own event only; such a record may land after later records of its key. `headers`: added to
        those of every event.
        """
        records = [(key, value, [*own, *headers]) for key, value, own in map(to_kafka, envelopes)]
        return await self._send_records(topic, records)

    async def resend(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Send one record unchanged.

        Raises Unavailable if the outcome is unknown, Rejected if it can never be written.
        """
        [result] = await self._send_records(topic, [(key, value, headers)])
        if isinstance(result, Exception):
            if is_permanent(result):
                raise Rejected(f"Kafka refuses the record: {type(result).__name__}") from result
            raise Unavailable(f"Kafka did not take the record: {result!r}") from result

    async def _send_records(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes | None, Headers]]
    ) -> list[RecordMetadata | Exception]:
        records = list(records)
        waiting = [await self._queued(topic, record) for record in records]
        results = [_landed(one) for one in await asyncio.gather(*waiting, return_exceptions=True)]
        if len(records) > 1:
            for i, result in enumerate(results):
                if isinstance(result, BrokerResponseError) and is_permanent(result):
                    [results[i]] = await self._send_records(topic, [records[i]])
        return results

    async def _queued(self, topic: str, record: tuple[bytes | None, bytes | None, Headers]) -> Awaitable[Any]:
        key, value, headers = record
        try:
            landing: Awaitable[Any] = await self._producer.send(topic, value, key=key, headers=list(headers))
        except Exception as error:  # noqa: BLE001 - one record that cannot be built must not keep back the others
            return _failed(error)
        return landing


async def _failed(error: Exception) -> None:
    raise error


def _landed(result: Any) -> RecordMetadata | Exception:
    if isinstance(result, Exception):
        return result
    if isinstance(result, BaseException):
        raise result
    return RecordMetadata(result.partition, result.offset)
