"""A consumer group handles every event at least once, in order per key, on each broker."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.broker import ApacheKafka, EmbeddedBroker
from deploy.local.servers import Server
from shared.errors import Unavailable
from shared.kafka import (
    ConsumedEvent,
    Follower,
    GroupConsumer,
    Publisher,
    Record,
    RecordMetadata,
    TopicSpec,
    TopicState,
    create_topics,
    describe_topics,
    overdue,
    topics,
)
from shared.kafka.client import poll
from tests.support.events import Reader, things
from tests.support.servers import missing, recreate_topic
from tests.support.waiting import running, until


async def test_a_group_handles_every_event_in_order_per_key(bootstrap: str, topic: str, publisher: Publisher) -> None:
    landed = await publisher.send(topic, things(500))
    assert all(isinstance(place, RecordMetadata) for place in landed)
    reader = Reader()
    async with running(GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher)):
        await until(lambda: len(reader.sequences) == 500)
    for key in {item.event.subject for item in reader.taken}:
        order = [item.event.sequence for item in reader.taken if item.event.subject == key]
        assert order == sorted(order)


async def test_uncommitted_events_are_delivered_again_and_committed_ones_are_not(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(20))
    held = asyncio.Event()

    async def hang(_: Sequence[ConsumedEvent]) -> None:
        held.set()
        await asyncio.Event().wait()

    async with running(GroupConsumer(bootstrap, topic, f"{topic}.g", hang, publisher=publisher)):
        await asyncio.wait_for(held.wait(), 90)
    first = Reader()
    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", first, publisher=publisher)
    async with running(consumer) as [task]:
        await until(lambda: len(first.sequences) == 20)
        consumer.stop()
        await asyncio.wait_for(asyncio.shield(task), 90)
    await publisher.send(topic, things(5, first=21))
    second = Reader()
    async with running(GroupConsumer(bootstrap, topic, f"{topic}.g", second, publisher=publisher)):
        await until(lambda: second.sequences >= set(range(21, 26)))
    assert second.sequences == set(range(21, 26))


async def test_an_unavailable_store_is_waited_for_in_place(bootstrap: str, topic: str, publisher: Publisher) -> None:
    tries = 0

    def away_twice(_: Sequence[ConsumedEvent]) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise Unavailable("the store is away")

    await publisher.send(topic, things(30))
    reader = Reader(away_twice)
    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher)
    async with running(consumer):
        await until(lambda: len(reader.sequences) == 30)
    assert tries >= 3
    assert consumer.dead_lettered == 0


async def test_a_consumer_that_waits_for_something_stops_at_once(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    waits = asyncio.Event()

    async def prepared() -> None:
        waits.set()
        await asyncio.Event().wait()

    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", Reader(), publisher=publisher)
    task = asyncio.ensure_future(consumer.run(prepared))
    await waits.wait()
    consumer.stop()
    await asyncio.wait_for(task, 90)


async def test_a_consumer_whose_broker_hangs_stops_at_once(own_broker: EmbeddedBroker) -> None:
    await create_topics(own_broker.address, [TopicSpec("things", 1, 1, {})])
    async with Publisher(own_broker.address) as publisher:
        consumer = GroupConsumer(own_broker.address, "things", "g", reader := Reader(), publisher=publisher)
        task = asyncio.ensure_future(consumer.run())
        await publisher.send("things", things(1))
        await until(lambda: reader.taken and not consumer.stalled_seconds)
        try:
            own_broker.child.freeze()
            consumer.stop()
            await asyncio.wait_for(task, 90)
        finally:
            own_broker.child.thaw()


async def test_two_of_a_group_share_the_partitions_and_one_takes_over(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    one, two = (
        GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher) for reader in (Reader(), Reader())
    )
    async with running(one):
        async with running(two):
            await until(lambda: len(one.partitions) == 2 and len(two.partitions) == 2)
            assert one.partitions | two.partitions == {0, 1, 2, 3}
        await until(lambda: len(one.partitions) == 4)


async def test_a_group_reads_a_topic_that_was_deleted_and_created_from_its_beginning(
    bootstrap: str, topic: str, publisher: Publisher
) -> None:
    await publisher.send(topic, things(3))
    reader = Reader()
    async with running(GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher)):
        await until(lambda: reader.sequences == {1, 2, 3})
        reader.taken.clear()
        await recreate_topic(bootstrap, topic, 4)
        async with Publisher(bootstrap) as fresh:
            await fresh.send(topic, things(50, first=11))
        await until(lambda: reader.sequences == set(range(11, 61)))


async def test_an_offset_that_was_committed_for_a_former_topic_is_not_used(
    kafka_server: Server, namespace: str
) -> None:
    if not isinstance(kafka_server, ApacheKafka):
        missing("the embedded broker stores no topic's id with an offset")
    brokers, topic = kafka_server.address, f"{namespace}things"
    await create_topics(brokers, [TopicSpec(topic, 1, 1, {})])
    held, gate = asyncio.Event(), asyncio.Event()

    async def wait(_: Sequence[ConsumedEvent]) -> None:
        held.set()
        await gate.wait()

    reader = Reader()
    async with Publisher(brokers) as publisher:
        await publisher.send(topic, things(3))
        late = GroupConsumer(brokers, topic, f"{topic}.g", wait, publisher=publisher)
        async with running(late) as [task]:
            await asyncio.wait_for(held.wait(), 90)
            await recreate_topic(brokers, topic, 1)
            async with Publisher(brokers) as fresh:
                await fresh.send(topic, things(20, first=11))  # more than the offset that is committed now
            late.stop()
            gate.set()
            await asyncio.wait_for(asyncio.shield(task), 90)
        async with running(GroupConsumer(brokers, topic, f"{topic}.g", reader, publisher=publisher)):
            await until(lambda: 30 in reader.sequences)
    assert reader.sequences == set(range(11, 31))


async def test_a_group_is_joined_once_the_id_of_the_topic_is_known(
    kafka_server: Server, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(kafka_server, ApacheKafka):
        missing("the embedded broker stores no topic's id with an offset")
    brokers, topic = kafka_server.address, f"{namespace}things"
    group, place = f"{topic}.g", TopicPartition(topic, 0)
    await create_topics(brokers, [TopicSpec(topic, 1, 1, {})])
    former = (await describe_topics(brokers, [topic]))[topic].id
    await recreate_topic(brokers, topic, 1)
    failures = iter([Unavailable("no answer in time")])

    async def fails_once(*arguments: Any) -> dict[str, TopicState]:
        for failure in failures:
            raise failure
        return await describe_topics(*arguments)

    monkeypatch.setattr(topics, "describe_topics", fails_once)
    reader = Reader()
    async with Publisher(brokers) as publisher:
        await publisher.send(topic, things(20))
        member = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=group, enable_auto_commit=False)
        await member.start()
        member.assign([place])
        await member.commit({place: (3, str(former))})
        await member.stop()
        async with running(GroupConsumer(brokers, topic, group, reader, publisher=publisher)):
            await until(lambda: 20 in reader.sequences)
    assert reader.sequences == set(range(1, 21))


@pytest.mark.parametrize("kind", [GroupConsumer, Follower])
async def test_a_reader_reports_how_long_it_has_held_the_same_records(
    kind: type, bootstrap: str, topic: str, publisher: Publisher
) -> None:
    held, gate = asyncio.Event(), asyncio.Event()

    async def wait(_: Sequence[ConsumedEvent]) -> None:
        held.set()
        await gate.wait()

    more = {"publisher": publisher} if kind is GroupConsumer else {}
    reader = kind(bootstrap, topic, *([f"{topic}.g"] if more else []), wait, **more)
    assert overdue(reader, 0) is None
    await publisher.send(topic, things(1))
    async with running(reader):
        await asyncio.wait_for(held.wait(), 90)
        await until(lambda: overdue(reader, 0) is not None)
        assert overdue(reader, 3600) is None
        gate.set()
        await until(lambda: reader.stalled_seconds == 0)
    assert overdue(reader, 0) is None


async def _next_records(consumer: AIOKafkaConsumer, limit: int) -> list[Record]:
    while not (polled := await poll(consumer, limit)):
        pass
    return polled


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[dict[TopicPartition, int]]:
    """Let a group commit neither after half a second nor while it waits; return the offsets that it commits."""
    monkeypatch.setattr("shared.kafka.consumer.poll", _next_records)
    monkeypatch.setattr("shared.kafka.consumer._TOGETHER_SECONDS", 3600)
    noted: list[dict[TopicPartition, int]] = []
    commit = AIOKafkaConsumer.commit

    async def note(consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        noted.append({place: offset for place, (offset, _) in offsets.items()})
        await commit(consumer, offsets)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", note)
    return noted


async def test_what_was_handled_in_several_batches_is_committed_together(
    bootstrap: str, topic: str, publisher: Publisher, commits: list[dict[TopicPartition, int]]
) -> None:
    reader = Reader()
    consumer = GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher)
    async with running(consumer) as [task]:
        for number in range(1, 6):
            await publisher.send(topic, things(1, first=number))
            await until(lambda number=number: number in reader.sequences)
        consumer.stop()
        await asyncio.wait_for(asyncio.shield(task), 90)
    assert len(commits) < 5
    assert sum({place: offset for one in commits for place, offset in one.items()}.values()) == 5


async def test_what_is_handled_is_committed_before_others_of_the_group_take_over(
    bootstrap: str, topic: str, publisher: Publisher, commits: list[dict[TopicPartition, int]]
) -> None:
    reader = Reader()
    one, two = (GroupConsumer(bootstrap, topic, f"{topic}.g", reader, publisher=publisher) for _ in range(2))
    async with running(one):
        await publisher.send(topic, things(20))
        await until(lambda: len(reader.sequences) == 20 and not one.stalled_seconds)
        async with running(two):
            await until(lambda: two.partitions)
            assert sum(commits[0].values()) == 20


async def test_a_commit_without_an_answer_in_time_is_made_again(
    bootstrap: str, topic: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[TopicPartition, tuple[int, str]]] = []
    commit = AIOKafkaConsumer.commit

    async def late_at_first(consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        made.append(offsets)
        if len(made) == 1:
            raise TimeoutError
        await commit(consumer, offsets)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", late_at_first)
    async with running(GroupConsumer(bootstrap, topic, f"{topic}.g", Reader(), publisher=publisher)):
        await publisher.send(topic, things(1))
        await until(lambda: len(made) > 1)
    assert made[1] == made[0]
