"""An event that cannot be handled goes to the dead letters, is replayed once and can be retracted."""

import asyncio
import random
from collections.abc import Sequence

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.broker import ApacheKafka
from deploy.local.servers import Server
from shared.cloudevents import to_kafka
from shared.errors import Rejected, Unavailable
from shared.events import CourseWithdrawn, Envelope, new_event
from shared.kafka import (
    ConsumedEvent,
    GroupConsumer,
    Publisher,
    Record,
    TopicSpec,
    create_topics,
    is_permanent,
    replay,
)
from shared.kafka import publisher as publishing
from shared.kafka.records import dead_letter
from tests.support.events import Reader, compacted_at_once, records_of, things, whole_log
from tests.support.servers import missing
from tests.support.waiting import running, until


async def test_unprocessable_events_go_to_the_dead_letters_and_the_consumer_continues(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    def refuse(batch: Sequence[ConsumedEvent]) -> None:
        if any(item.event.sequence == 13 for item in batch):
            raise Rejected("thirteen is refused")
        if any(item.event.sequence == 17 for item in batch):
            raise KeyError("a mistake in a handler")

    await publisher.send(topic, things(40))
    await publisher.resend(topic, b"t/c-1", b"\xff not an event", [("x-from", b"elsewhere")])
    reader = Reader(refuse)
    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher)
    async with running(consumer):
        await until(lambda: reader.sequences == set(range(1, 41)) - {13, 17} and consumer.dead_lettered == 3)
    letters = await records_of(bootstrap, f"{topic}.dead", 3)
    reasons = {dict(letter.headers).get("ce_sequence"): dict(letter.headers)["dead_reason"] for letter in letters}
    assert reasons[b"13"] == b"thirteen is refused"
    assert reasons[b"17"] == b"handler failed: KeyError"
    assert reasons[None] == b"not a CloudEvent: no attribute specversion, id, type, source, subject, sequence"
    places = [dict(letter.headers)["dead_place"] or b"" for letter in letters]
    assert all(place.decode().startswith(f"{topic}/") for place in places)
    assert {letter.key for letter in letters} <= {b"t/c-1", *(thing.subject.encode() for thing in things(40))}


async def test_retracted_dead_letters_are_not_replayed(bootstrap: str, topic: str, publisher: Publisher) -> None:
    broken = True

    def refuse(_: Sequence[ConsumedEvent]) -> None:
        if broken:
            raise Rejected("not yet")

    reader = Reader(refuse)
    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher)
    await publisher.send(topic, things(14))  # two of each key
    async with running(consumer):
        await until(lambda: consumer.dead_lettered == 14)
        await consumer.take_back("t/c-3")
        await publisher.send(topic, [new_event("here", "t/c-3", 17, CourseWithdrawn("t", "c-3"))])
        await until(lambda: consumer.dead_lettered == 15)
        broken = False
        assert await replay(bootstrap, topic, f"{topic}.g") == 13
        await until(lambda: len(reader.sequences) == 13)
    assert reader.sequences == set(range(1, 15)) - {3, 10} | {17}


async def test_retracted_dead_letters_are_compacted_away(kafka_server: Server, namespace: str) -> None:
    if not isinstance(kafka_server, ApacheKafka):
        missing("the embedded broker compacts nothing")
    brokers, topic = kafka_server.address, f"{namespace}erased"
    dead = compacted_at_once("assessment.profiles.dead", f"{topic}.dead")
    await create_topics(brokers, [TopicSpec(topic, 1, 1, {}), dead])

    def refuse(_: Sequence[ConsumedEvent]) -> None:
        raise Rejected("refused")

    async def left() -> set[bytes | None]:
        return {record.key for record in await whole_log(brokers, f"{topic}.dead")}

    async with Publisher(brokers) as publisher:
        consumer = GroupConsumer(brokers, topic, f"{topic}.g", Reader(refuse), publisher=publisher)
        async with running(consumer):
            await publisher.send(topic, things(7))
            await until(lambda: consumer.dead_lettered == 7)
            await consumer.take_back("t/c-3")
            async with asyncio.timeout(90):
                while b"t/c-3" in await left():
                    # A segment is closed, and then compacted, when something is written after its time.
                    await publisher.resend(f"{topic}.dead", b"later", b"x", [("dead_topic", topic.encode())])
                    await asyncio.sleep(0.3)
    assert await left() >= {f"t/c-{i}".encode() for i in (0, 1, 2, 4, 5, 6)}


async def test_dead_letters_are_replayed_once_and_unchanged(bootstrap: str, topic: str, publisher: Publisher) -> None:
    broken = True

    def refuse(batch: Sequence[ConsumedEvent]) -> None:
        if broken and any(item.event.sequence == 3 for item in batch):
            raise Rejected("not yet")

    await publisher.send(topic, things(5))
    reader = Reader(refuse)
    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher)
    async with running(consumer):
        await until(lambda: consumer.dead_lettered == 1)
        broken = False
        assert await replay(bootstrap, topic, f"{topic}.g") == 1
        await until(lambda: reader.sequences == {1, 2, 3, 4, 5})
        assert await replay(bootstrap, topic, f"{topic}.g") == 0
    from_dead_letter = next(item for item in reader.taken if item.event.sequence == 3)
    assert from_dead_letter.record.key == b"t/c-3"
    assert not [name for name, _ in from_dead_letter.record.headers if name.startswith("dead_")]


async def test_a_truncated_dead_letter_is_not_replayed_and_complete_ones_are(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    key, value, headers = to_kafka(things(1)[0])
    place = [("dead_key", key), ("dead_group", b"g"), ("dead_topic", topic.encode())]
    await publisher.resend(f"{topic}.dead", b"x/0/1", value, [*headers, *place, ("dead_cut", b"value")])
    await publisher.resend(f"{topic}.dead", b"x/0/2", None, [("none", None)])
    await publisher.resend(f"{topic}.dead", b"x/0/3", value, [*headers, *place])
    assert await replay(bootstrap, topic, f"{topic}.g") == 1
    [sent] = await records_of(bootstrap, topic, 1)
    assert (sent.key, sent.value) == (key, value)
    assert [tuple(one) for one in sent.headers] == headers


async def test_a_dead_letter_that_its_topic_refuses_does_not_keep_back_the_later_ones(
    kafka_bootstrap: str, namespace: str
) -> None:
    topic = f"{namespace}things"
    compacted = {"cleanup.policy": "compact"}
    await create_topics(kafka_bootstrap, [TopicSpec(topic, 1, 1, compacted), TopicSpec(f"{topic}.dead", 1, 1, {})])
    records = [Record(topic, 0, offset, key, b"rubbish", []) for offset, key in enumerate([None, b"", b"t/c"])]
    async with Publisher(kafka_bootstrap) as publisher:
        for record in records:
            await publisher.resend(f"{topic}.dead", *dead_letter(record, "g", "not an event"))
        with pytest.raises(Rejected, match="InvalidRecordError"):
            await publisher.resend(topic, None, b"rubbish", [])
    assert await replay(kafka_bootstrap, topic, f"{topic}.g") == 2
    assert [record.key for record in await records_of(kafka_bootstrap, topic, 2)] == [b"", b"t/c"]
    assert await replay(kafka_bootstrap, topic, f"{topic}.g") == 0


async def test_a_record_too_large_for_the_dead_letters_is_cut_and_the_consumer_continues(
    kafka_bootstrap: str, namespace: str
) -> None:
    topic = f"{namespace}things"
    small = {"max.message.bytes": "20000"}
    await create_topics(kafka_bootstrap, [TopicSpec(topic, 1, 1, {}), TopicSpec(f"{topic}.dead", 1, 1, small)])
    rubbish = random.Random(7).randbytes(1_048_376)  # noqa: S311 - what a producer with default limits can send
    many = [(f"x-{number}", b"x" * 100) for number in range(5000)]
    bomb = b"x" * 8_000_000
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as plain,
        AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, max_request_size=2**26, compression_type="gzip") as packing,
        Publisher(kafka_bootstrap) as publisher,
    ):
        await plain.send_and_wait(topic, rubbish, key=b"t/o")
        await plain.send_and_wait(topic, b"\xff", key=b"t/o", headers=[*many, ("ce_type", b"odd"), ("none", None)])
        await plain.send_and_wait(topic, b"\xff", key=b"t/o", headers=[("x", rubbish[:900_000])])
        await plain.send_and_wait(topic, b"\xff", key=rubbish[:500_000])
        await packing.send_and_wait(topic, bomb, key=b"t/o")
        await publisher.send(topic, things(3))
        reader = Reader()
        consumer = GroupConsumer(kafka_bootstrap, topic, f"{topic}.g", reader, publisher=publisher)
        async with running(consumer):
            await until(lambda: reader.sequences == {1, 2, 3})
        assert consumer.dead_lettered == 5
        letters = await records_of(kafka_bootstrap, f"{topic}.dead", 5)
        for offset, letter in enumerate(letters):
            assert dict(letter.headers)["dead_place"] == f"{topic}/0/{offset}".encode()
            assert dict(letter.headers)["dead_reason"]
        cut = [dict(letter.headers).get("dead_cut") for letter in letters]
        assert cut == [b"value", b"headers", b"headers", b"key", b"value"]
        assert [dict(letter.headers)["dead_value_bytes"] for letter in letters] == [
            b"1048376", b"1", b"1", b"1", b"8000000"
        ]  # fmt: skip
        assert dict(letters[1].headers)["dead_headers"] == b"5002"
        assert dict(letters[1].headers)["ce_type"] == b"odd"
        assert letters[0].value is not None
        assert rubbish.startswith(letters[0].value)
        assert len(letters[0].value) >= 10_000
        assert await replay(kafka_bootstrap, topic, f"{topic}.g") == 0


async def test_permanent_and_transient_errors_are_distinguished(kafka_bootstrap: str, namespace: str) -> None:
    topic = f"{namespace}things"
    await create_topics(kafka_bootstrap, [TopicSpec(topic, 1, 1, {"max.message.bytes": "2000"})])
    async with Publisher(kafka_bootstrap) as publisher:
        large = random.Random(7).randbytes(4000)  # noqa: S311 - nothing that compresses
        with pytest.raises(Rejected, match="MessageSizeTooLargeError"):
            await publisher.resend(topic, b"k", large, [])
        with pytest.raises(Rejected, match="MessageSizeTooLargeError"):
            await publisher.resend(topic, b"k", bytes(6 * 2**20), [])
        with pytest.raises(Rejected):
            await publisher.resend(topic, None, None, [])
        await publisher.resend(topic, b"k", b"v", [("n", None)])
        [refused] = await publisher.send(topic, [msgspec.structs.replace(things(1)[0], data=large)])
        assert isinstance(refused, Exception)
        assert is_permanent(refused)
    assert not is_permanent(Unavailable("away"))
    with pytest.raises(Unavailable):
        await Publisher("127.0.0.1:1").start()


@pytest.mark.parametrize("kind", ["too large", "invalid"])
async def test_a_refused_record_does_not_keep_back_those_of_its_batch(
    kafka_bootstrap: str, namespace: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    topic = f"{namespace}things"
    limits = {"max.message.bytes": "2000"} if kind == "too large" else {"cleanup.policy": "compact"}
    await create_topics(kafka_bootstrap, [TopicSpec(topic, 1, 1, limits)])
    events = things(5)
    if kind == "too large":
        events[2] = msgspec.structs.replace(events[2], data=random.Random(7).randbytes(4000))  # noqa: S311
    else:

        def keyless(envelope: Envelope) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
            key, value, headers = to_kafka(envelope)
            return None if envelope.sequence == 3 else key, value, headers

        monkeypatch.setattr(publishing, "to_kafka", keyless)
    async with Publisher(kafka_bootstrap) as publisher:
        results = await publisher.send(topic, events)
    refused = [result for result in results if isinstance(result, Exception)]
    assert [is_permanent(result) for result in refused] == [True]
    assert results[2] is refused[0]
    assert [record.key for record in await records_of(kafka_bootstrap, topic, 4)] == [
        f"t/c-{i}".encode() for i in (1, 2, 4, 5)
    ]
