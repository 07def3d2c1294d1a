"""Records that another client wrote: names that are not UTF-8, and batches that unpack to too much or not at all."""

import struct
from collections.abc import Callable
from typing import NamedTuple

import cramjam
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode
from aiokafka.record.util import calc_crc32c

from shared.cloudevents import to_kafka
from shared.events import Envelope
from shared.kafka import Follower, GroupConsumer, Publisher, TopicSpec, batches, create_topics
from tests.support.events import Reader, records_of, things
from tests.support.waiting import running, until

Pack = Callable[[bytes], bytes]


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


class BadBatch(NamedTuple):
    """What another program did to a batch: its packing, and which bits of its checksum are wrong."""

    packed: Pack
    packing: int = 0
    wrong: int = 0


async def send_bad_batch(bootstrap: str, topic: str, envelope: Envelope, bad: BadBatch) -> None:
    """Send a batch of one record as another program writes it."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        batch = producer.create_batch()
        key, value, headers = to_kafka(envelope)
        batch.append(key=key, value=value, timestamp=None, headers=headers)
        whole = bytearray(batch._build())
        whole[61:] = bad.packed(bytes(whole[61:]))
        struct.pack_into(">i", whole, 8, len(whole) - 12)
        struct.pack_into(">h", whole, 21, bad.packing)
        struct.pack_into(">I", whole, 17, calc_crc32c(bytes(whole[21:])) ^ bad.wrong)
        batch._buffer = whole
        await (await producer.send_batch(batch, topic, partition=0))


async def becomes_one_dead_letter(bootstrap: str, namespace: str, bad: BadBatch, reason: bytes) -> None:
    """Check that a batch between two good ones becomes one dead letter with this reason, and both readers go on."""
    topic = f"{namespace}things"
    await create_topics(bootstrap, [TopicSpec(topic, 1, 1, {}), TopicSpec(f"{topic}.dead", 1, 1, {})])
    one, two, three = things(3)
    async with Publisher(bootstrap) as publisher:
        await publisher.send(topic, [one])
        await send_bad_batch(bootstrap, topic, two, bad)
        await publisher.send(topic, [three])
        grouped, followed = Reader(), Reader()
        consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", grouped, publisher=publisher)
        follower = Follower(bootstrap, topic, followed)
        async with running(consumer), running(follower):
            await until(lambda: grouped.sequences == followed.sequences == {1, 3})
            await until(follower.caught_up.is_set)
    assert (consumer.dead_lettered, follower.skipped) == (1, 1)
    [letter] = await records_of(bootstrap, f"{topic}.dead", 1)
    assert dict(letter.headers)["dead_place"] == f"{topic}/0/1".encode()
    assert reason in (dict(letter.headers)["dead_reason"] or b"")


def with_a_wrong_checksum(whole: bytes) -> bytes:
    compressor = cramjam.lz4.Compressor(level=1, content_checksum=True, block_linked=False)
    compressor.compress(whole)
    packed = bytes(compressor.finish())
    return packed[:-1] + bytes([packed[-1] ^ 1])


@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        pytest.param(1, lambda whole: gzip_encode(whole) + b"more", id="bytes after gzip"),
        pytest.param(2, lambda whole: snappy_encode(whole) + b"ab", id="bytes after snappy"),
        pytest.param(3, lambda whole: lz4_encode(whole) + b"more, and more", id="bytes after lz4"),
        pytest.param(3, with_a_wrong_checksum, id="a wrong checksum of lz4"),
    ],
)
async def test_a_batch_that_the_broker_accepts_and_that_cannot_be_unpacked_becomes_one_dead_letter(
    packing: int, packed: Pack, bootstrap: str, namespace: str
) -> None:
    await becomes_one_dead_letter(bootstrap, namespace, BadBatch(packed, packing), b"cannot be read")


def with_a_long_name(whole: bytes) -> bytes:
    """Return a record whose last header claims a name of 2 GiB, at which the compiled parser crashes."""
    ended = whole[1:] if whole[0] < 0x80 else whole[2:]  # after its length
    name = ended.rindex(b"ce_") - 1
    ended = ended[:name] + b"\xfe\xff\xff\xff\x0f" + ended[name + 1 :]
    size = len(ended) << 1
    return bytes([size & 0x7F | 0x80, size >> 7]) + ended


@pytest.mark.parametrize(
    ("packed", "wrong", "reason"),
    [
        pytest.param(bytes, 1, b"has a wrong checksum", id="a wrong checksum"),
        pytest.param(with_a_long_name, 0, b"cannot be read: IndexError", id="a name that ends outside its batch"),
    ],
)
async def test_a_batch_that_only_the_embedded_bootstrap_accepts_becomes_one_dead_letter(
    packed: Pack, wrong: int, reason: bytes, embedded_bootstrap: str, namespace: str
) -> None:
    await becomes_one_dead_letter(embedded_bootstrap, namespace, BadBatch(packed, wrong=wrong), reason)


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
        assert b"would unpack to more than 2000000" in (dict(letter.headers)["dead_reason"] or b"")
