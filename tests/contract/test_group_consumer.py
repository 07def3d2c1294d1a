"""A consumer group handles every event at least once, in order per key, on each broker."""

import asyncio
from collections.abc import Sequence

import pytest

from deploy.local.broker import EmbeddedBroker
from shared.errors import Unavailable
from shared.kafka import (
    ConsumedEvent,
    Follower,
    GroupConsumer,
    Publisher,
    RecordMetadata,
    TopicSpec,
    create_topics,
    overdue,
)
from tests.support.events import Reader, things
from tests.support.servers import recreate_topic
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
            await until(lambda: len(one.partitions) == 2 and len(two.partitions) == 2, seconds=60)
            assert one.partitions | two.partitions == {0, 1, 2, 3}
        await until(lambda: len(one.partitions) == 4, seconds=60)


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
        await until(lambda: reader.sequences == set(range(11, 61)), seconds=60)


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
