"""Records that another client wrote: names that are not UTF-8, and batches that decompress to too much."""

import struct

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from shared.cloudevents import to_kafka
from shared.events import Envelope
from shared.kafka import Follower, GroupConsumer, Publisher, TopicSpec, batches, create_topics
from tests.support.events import Reader, records_of, things
from tests.support.waiting import running, until


async def send_with_bad_name(bootstrap: str, topic: str, before: Envelope, bad: Envelope, after: Envelope) -> None:
    """Send three records in one batch; a header name of the second is not UTF-8, as other clients may write it."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        batch = producer.create_batch()
        for envelope, name in ((before, "fine"), (bad, "zzzz"), (after, "fine")):
            key, value, headers = to_kafka(envelope)
            batch.append(key=key, value=value, timestamp=None, headers=[*headers, (name, b"x"), ("y", None)])
        whole = bytearray(batch._build().replace(b"zzzz", b"\xff\xfe\xfd\xfc"))
        struct.pack_into(">I", whole, 17, calc_crc32c(bytes(whole[21:])))  # the format's own offsets
        batch._buffer = whole
        await (await producer.send_batch(batch, topic, partition=0))


async def test_a_header_that_is_not_utf8_stops_no_reader(bootstrap: str, topic: str, publisher: Publisher) -> None:
    one, two, three, four = things(4)
    await send_with_bad_name(bootstrap, topic, one, two, three)
    key, value, headers = to_kafka(four)
    await publisher.resend(topic, key, value, [*headers, ("x-correlation-id", None)])
    grouped, followed = Reader(), Reader()
    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", grouped, publisher=publisher)
    follower = Follower(bootstrap, topic, followed)
    async with running(consumer), running(follower):
        await until(lambda: grouped.sequences == followed.sequences == {1, 2, 3, 4})
    assert (consumer.dead_lettered, follower.skipped) == (0, 0)


@pytest.mark.parametrize("packing", ["gzip", "zstd", "lz4", "snappy"])
async def test_a_batch_that_decompresses_to_too_much_becomes_one_dead_letter(
    packing: str, kafka_bootstrap: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_UNPACKED_BYTES", 2_000_000)
    topic = f"{namespace}things"
    await create_topics(kafka_bootstrap, [TopicSpec(topic, 1, 1, {}), TopicSpec(f"{topic}.dead", 1, 1, {})])
    one, two = to_kafka(things(1)[0]), to_kafka(things(2)[1])
    async with (
        AIOKafkaProducer(
            bootstrap_servers=kafka_bootstrap, max_request_size=2**26, compression_type=packing, linger_ms=50
        ) as foreign,
        Publisher(kafka_bootstrap) as publisher,
    ):
        await foreign.send_and_wait(topic, one[1], key=one[0], headers=one[2])
        await foreign.send_and_wait(topic, bytes(9_000_000), key=b"t/o")
        await foreign.send_and_wait(topic, two[1], key=two[0], headers=two[2])
        grouped, followed = Reader(), Reader()
        consumer = GroupConsumer(kafka_bootstrap, topic, f"{topic}.g", grouped, publisher=publisher)
        follower = Follower(kafka_bootstrap, topic, followed)
        async with running(consumer), running(follower):
            await until(lambda: grouped.sequences == followed.sequences == {1, 2})
        assert (consumer.dead_lettered, follower.skipped) == (1, 1)
        [letter] = await records_of(kafka_bootstrap, f"{topic}.dead", 1)
        assert dict(letter.headers)["dead_place"] == f"{topic}/0/1".encode()
        reason = dict(letter.headers)["dead_reason"] or b""
        assert (b"would unpack to more than 2000000" in reason) == (packing in ("gzip", "zstd"))
