"""A follower reads a whole topic without a group, on each broker."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Literal
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.consumer.fetcher import Fetcher, OffsetResetStrategy

from shared.cloudevents import to_kafka
from shared.errors import Rejected, Unavailable
from shared.kafka import ConsumedEvent, Follower, Publisher, TopicSpec, create_topics
from tests.support.events import Reader, things
from tests.support.servers import recreate_topic
from tests.support.waiting import running, until


async def test_a_follower_reads_everything_and_reports_when_it_has_caught_up(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(300))
    reader = Reader()
    follower = Follower(bootstrap, topic, reader)
    async with running(follower):
        await asyncio.wait_for(follower.caught_up.wait(), 90)
        assert reader.sequences == set(range(1, 301))
        await publisher.send(topic, things(1, first=301))
        await until(lambda: 301 in reader.sequences)
    assert not follower.caught_up.is_set()


async def test_a_follower_reports_what_it_waits_for_until_it_has_caught_up(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(300))
    held, gate = asyncio.Event(), asyncio.Event()

    async def wait(_: Sequence[ConsumedEvent]) -> None:
        held.set()
        await gate.wait()

    follower = Follower(bootstrap, topic, wait)
    assert follower.pending == f"{topic} has not been read to its end: connecting to Kafka"
    async with running(follower):
        await asyncio.wait_for(held.wait(), 90)
        assert re.fullmatch(rf"{topic} has not been read to its end: [1-9]\d* records are left", str(follower.pending))
        gate.set()
        await asyncio.wait_for(follower.caught_up.wait(), 90)
        assert follower.pending is None


async def test_a_follower_asks_for_the_beginnings_of_all_partitions_at_once(
    bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, request = list[set[int]](), Fetcher._proc_offset_request

    async def noted(self: Fetcher, node: int, times: dict[str, list[tuple[int, int]]]) -> Any:
        asked.append({partition for partition, time in times[topic] if time == OffsetResetStrategy.EARLIEST})
        return await request(self, node, times)

    for _ in range(2):  # once every partition has a leader
        follower = Follower(bootstrap, topic, Reader())
        async with running(follower):
            await until(follower.caught_up.is_set)
        monkeypatch.setattr(Fetcher, "_proc_offset_request", noted)
    assert {0, 1, 2, 3} in asked


async def test_a_follower_of_a_topic_that_is_always_written_catches_up(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(20))
    more = iter(range(21, 1_000_000, 7))

    async def write_more(_: Sequence[ConsumedEvent]) -> None:
        await publisher.send(topic, things(7, first=next(more)))  # there is always a next record

    follower = Follower(bootstrap, topic, write_more)
    async with running(follower):
        await asyncio.wait_for(follower.caught_up.wait(), 90)


async def test_a_follower_from_the_end_reads_only_new_events(
    bootstrap: str, topic: str, publisher: Publisher, request: pytest.FixtureRequest
) -> None:
    await publisher.send(topic, things(10))
    reader = Reader()
    follower = Follower(bootstrap, topic, reader, start="end")
    async with running(follower):
        await asyncio.wait_for(follower.caught_up.wait(), 90)
        await publisher.send(topic, things(3, first=11))
        await until(lambda: reader.sequences >= {11, 12, 13})
    if "embedded" not in request.node.callspec.id:  # that one's answer about ends may be short; revisions decide then
        assert reader.sequences == {11, 12, 13}


async def test_a_follower_skips_and_counts_what_it_cannot_read(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.resend(topic, b"k", b"nothing", [])
    await publisher.send(topic, things(2))
    reader = Reader()
    follower = Follower(bootstrap, topic, reader)
    async with running(follower):
        await until(lambda: reader.sequences == {1, 2} and follower.skipped == 1)


async def test_a_follower_skips_only_the_record_that_its_handler_rejects(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    tries = 0

    def refuse(batch: Sequence[ConsumedEvent]) -> None:
        nonlocal tries
        if any(item.event.sequence == 7 for item in batch):
            raise Rejected("seven is refused")
        if any(item.event.sequence == 9 for item in batch):
            raise UnicodeDecodeError("utf-8", b"secret", 0, 1, "a mistake in a handler")
        if any(item.event.sequence == 11 for item in batch) and (tries := tries + 1) < 5:
            raise Unavailable("the store is away")

    await publisher.send(topic, things(20))
    reader = Reader(refuse)
    follower = Follower(bootstrap, topic, reader)
    async with running(follower):
        await until(lambda: reader.sequences == set(range(1, 21)) - {7, 9})
        assert follower.skipped == 2
        await until(follower.caught_up.is_set)


async def test_a_follower_past_the_end_of_a_shorter_log_restarts(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(20))
    reader = Reader()
    offsets = dict.fromkeys(range(4), 1000)
    async with running(Follower(bootstrap, topic, reader, start=offsets)):
        await until(lambda: reader.sequences == set(range(1, 21)))


async def test_a_follower_whose_topic_ends_before_its_offset_begins_again(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(3))
    reader, replaced = Reader(), asyncio.Event()

    async def on_replaced() -> None:
        replaced.set()

    follower = Follower(bootstrap, topic, reader, start=dict.fromkeys(range(4), 1000), on_replaced=on_replaced)
    async with running(follower):
        await until(lambda: reader.sequences == {1, 2, 3})
    assert replaced.is_set()
    assert follower.replaced == 1


async def test_a_replaced_topic_that_is_also_shorter_is_reported_once(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(3))
    reader, reported = Reader(), 0

    async def on_replaced() -> None:
        nonlocal reported
        reported += 1

    offsets, former = dict.fromkeys(range(4), 1000), uuid4()
    follower = Follower(bootstrap, topic, reader, start=offsets, topic_id=former, on_replaced=on_replaced)
    async with running(follower):
        await until(lambda: reader.sequences == {1, 2, 3} and follower.caught_up.is_set())
        assert len(reader.taken) == 3
    assert (follower.replaced, reported) == (1, 1)


async def test_a_follower_reads_a_topic_that_was_deleted_and_created_from_its_beginning(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(3))
    reader = Reader()
    follower = Follower(bootstrap, topic, reader)
    async with running(follower):
        await until(lambda: reader.sequences == {1, 2, 3})
        reader.taken.clear()
        await recreate_topic(bootstrap, topic, 4)
        async with Publisher(bootstrap) as fresh:
            await fresh.send(topic, things(50, first=11))  # more than were read of the old one, on every partition
        await until(lambda: reader.sequences == set(range(11, 61)))
        assert follower.replaced >= 1
        await until(follower.caught_up.is_set)


async def test_a_follower_whose_topic_is_replaced_while_it_asks_for_its_ends_catches_up(
    bootstrap: str, topic: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publisher.send(topic, things(20))
    ask = AIOKafkaConsumer.end_offsets

    async def and_replace(self: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await ask(self, places)
        monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", ask)
        await recreate_topic(bootstrap, topic, 4)
        async with Publisher(bootstrap) as fresh:
            await fresh.send(topic, things(2, first=31))
        return ends

    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", and_replace)
    reader = Reader()
    follower = Follower(bootstrap, topic, reader)
    async with running(follower):
        await until(follower.caught_up.is_set)
        await until(lambda: reader.sequences == {31, 32})
    assert follower.replaced == 1


@pytest.mark.parametrize("begin", ["beginning", "end"])
async def test_a_follower_reads_partitions_that_are_added_while_it_runs(
    kafka_bootstrap: str, namespace: str, begin: Literal["beginning", "end"]
) -> None:
    topic = f"{namespace}things"
    await create_topics(kafka_bootstrap, [TopicSpec(topic, 1, 1, {})])
    reader = Reader()
    follower = Follower(kafka_bootstrap, topic, reader, start=begin)

    async def send(partition: int, number: int) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
            [event] = things(1, first=number)
            key, value, headers = to_kafka(event)
            await producer.send_and_wait(topic, value, key=key, headers=headers, partition=partition)

    async with running(follower):
        await asyncio.wait_for(follower.caught_up.wait(), 90)
        await send(0, 1)
        await until(lambda: reader.sequences == {1})
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        try:
            await admin.start()
            await admin.create_partitions({topic: NewPartitions(3)})
        finally:
            await admin.close()
        for partition in range(3):
            await send(partition, 2 + partition)
        await until(lambda: len(reader.taken) >= 4)
        await send(2, 5)
        await until(lambda: reader.sequences == {1, 2, 3, 4, 5})
    assert [item.event.sequence for item in reader.taken if item.record.partition == 0] == [1, 2]
    assert follower.replaced == 0
