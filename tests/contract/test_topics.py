"""Topics are created once, described, checked against the plan and created again, on each broker."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import uuid4

import aiokafka.client
import pytest
from aiokafka.client import AIOKafkaClient

from deploy.topics import check_topics, ensure_topics, main, read_topics, recreate_topics
from shared.errors import Unavailable
from shared.events import TopicPlan
from shared.kafka import (
    Brokers,
    Follower,
    Publisher,
    RecordMetadata,
    TopicSpec,
    TopicWarning,
    create_topics,
    describe_topics,
    deviations,
    reachable,
)
from shared.kafka import topics as topics_module
from shared.kafka.client import METADATA_SECONDS
from shared.kafka.topics import TopicState
from tests.support.events import Reader, things
from tests.support.servers import recreate_topic
from tests.support.waiting import WAIT_SECONDS, until


async def test_creating_topics_twice_changes_nothing(bootstrap: str, topic: str) -> None:
    assert await create_topics(bootstrap, [TopicSpec(topic, 9, 1, {})]) == []


async def test_a_reader_or_sender_that_comes_too_early_does_not_create_the_topic(
    bootstrap: str, namespace: str
) -> None:
    topics = [f"{namespace}read", f"{namespace}sent"]
    with pytest.raises(Unavailable, match=f"no topic {topics[0]}"):
        await Follower(bootstrap, topics[0], Reader()).run()
    async with Publisher(bootstrap) as publisher:
        [landed] = await publisher.send(topics[1], things(1))
    assert isinstance(landed, Exception)
    assert await describe_topics(bootstrap, topics) == {}


async def test_all_topics_are_deleted_and_created_again(bootstrap: str, namespace: str) -> None:
    planned = read_topics(namespace)
    names = [topic.name for topic in planned]
    assert sorted(await ensure_topics(bootstrap, namespace)) == sorted(names)
    before = await describe_topics(bootstrap, names)
    async with Publisher(bootstrap) as publisher:
        [first] = await publisher.send(f"{namespace}catalog.state", things(1))
    assert isinstance(first, RecordMetadata)
    assert sorted(await recreate_topics(bootstrap, namespace)) == sorted(names)
    after = await describe_topics(bootstrap, names)
    assert {state.id for state in before.values()}.isdisjoint({state.id for state in after.values()})
    assert await check_topics(bootstrap, planned) == []
    async with Publisher(bootstrap) as publisher:

        async def lands() -> bool:
            [again] = await publisher.send(f"{namespace}catalog.state", things(1))
            return isinstance(again, RecordMetadata) and again.partition == first.partition

        await until(lands, "an event in a topic that was created again")  # its partitions may have no leader at first


@pytest.mark.parametrize("ahead", [-timedelta(hours=1), timedelta(days=1)])
async def test_events_are_taken_although_the_clock_of_a_service_is_wrong(
    bootstrap: str, namespace: str, ahead: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_topics(bootstrap, namespace)
    async with Publisher(bootstrap) as publisher:
        send, then = publisher._producer.send, round((datetime.now(UTC) + ahead).timestamp() * 1000)
        monkeypatch.setattr(publisher._producer, "send", partial(send, timestamp_ms=then))
        for topic in read_topics(namespace):
            [landed] = await publisher.send(topic.name, things(1))
            assert isinstance(landed, RecordMetadata), topic.name


async def test_concurrent_creation_of_a_topic_succeeds_once(bootstrap: str, namespace: str) -> None:
    spec = [TopicSpec(f"{namespace}at-once", 2, 1, {})]
    made = await asyncio.gather(*(create_topics(bootstrap, spec) for _ in range(8)))
    assert sorted(made) == [[]] * 7 + [[f"{namespace}at-once"]]


async def test_a_question_about_topics_can_be_cancelled_while_its_client_closes(
    bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, gate, close = asyncio.Event(), asyncio.Event(), AIOKafkaClient.close

    async def gated(self: AIOKafkaClient) -> None:
        closing.set()
        with suppress(asyncio.CancelledError):  # as aiokafka does while it waits for its task
            await gate.wait()
        await close(self)

    monkeypatch.setattr(AIOKafkaClient, "close", gated)
    asking = asyncio.create_task(describe_topics(bootstrap, [topic]))
    try:
        await asyncio.wait_for(closing.wait(), 60)
        asking.cancel()
        await asyncio.wait({asking}, timeout=60)
        assert asking.cancelled()
    finally:
        gate.set()


async def test_a_reader_goes_on_while_it_asks_whether_its_topic_is_another_one(
    bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()

    async def late(brokers: Brokers, names: Collection[str]) -> dict[str, TopicState]:
        await go_on.wait()
        return await describe_topics(brokers, names)

    identity = topics_module.TopicIdentity(bootstrap, topic)
    assert not await identity.changed()
    assert identity.id == (await describe_topics(bootstrap, [topic]))[topic].id
    monkeypatch.setattr(topics_module, "describe_topics", late)
    monkeypatch.setattr(topics_module, "_ASK_SECONDS", 0.0)
    identity._next = 0.0
    assert not await identity.changed(), "the answer is not there yet"
    await recreate_topic(bootstrap, topic, 4)
    go_on.set()
    await until(identity.changed)
    assert not await identity.changed()
    go_on.clear()
    await asyncio.wait_for(identity.stop(), WAIT_SECONDS)


async def test_a_reader_with_offsets_of_a_former_topic_notices_it_before_it_reads(bootstrap: str, topic: str) -> None:
    identity = topics_module.TopicIdentity(bootstrap, topic, uuid4())
    assert await identity.changed()
    assert identity.id == (await describe_topics(bootstrap, [topic]))[topic].id


async def test_partitions_of_a_forgotten_topic_are_not_known_until_the_next_answer(bootstrap: str, topic: str) -> None:
    identity = topics_module.TopicIdentity(bootstrap, topic)
    assert not await identity.changed()
    assert identity.partitions == 4
    identity.forget()  # the topic that replaced it may have fewer
    assert (identity.id, identity.partitions) == (None, 0)
    assert not await identity.changed()
    assert identity.partitions == 4


async def test_an_unreachable_broker_is_reported(bootstrap: str) -> None:
    async def answers() -> bool:
        return await reachable(bootstrap) is None

    await until(answers)
    assert await reachable("127.0.0.1:1") == "no broker answers at 127.0.0.1:1"
    with pytest.raises(Unavailable):
        await Publisher("127.0.0.1:1").start()


async def test_a_missing_topic_is_reported_and_asked_for_with_pauses(
    kafka_bootstrap: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, asked, request = f"{namespace}nowhere", list[float](), aiokafka.client.MetadataRequest

    def noted(topics: list[str] | None) -> Any:
        if topics == [topic]:
            asked.append(asyncio.get_running_loop().time())
        return request(topics)

    monkeypatch.setattr(aiokafka.client, "MetadataRequest", noted)
    with pytest.raises(Unavailable, match="no topic"):
        await Follower(kafka_bootstrap, topic, Reader()).run()
    assert len(asked) > 1
    assert min(later - earlier for earlier, later in pairwise(asked)) > METADATA_SECONDS * 0.9


async def test_deviations_from_the_topic_plan_are_reported(bootstrap: str, topic: str) -> None:
    planned = {
        topic: TopicPlan(4, "delete"),
        f"{topic}.none": TopicPlan(1, "compact"),
        f"{topic}.dead": TopicPlan(2, "delete"),
    }
    found = await describe_topics(bootstrap, planned, configs=True)
    assert deviations(planned, found) == [
        f"there is no topic {topic}.none",
        f"{topic}.dead has 1 partitions, 2 are planned",
    ]
    assert await TopicWarning(bootstrap, {topic: TopicPlan(4, "delete")})() is None


async def test_another_cleanup_policy_is_reported(bootstrap: str, namespace: str) -> None:
    name = f"{namespace}kept"
    await create_topics(bootstrap, [TopicSpec(name, 1, 1, {"cleanup.policy": "delete"})])
    warning = await TopicWarning(bootstrap, {name: TopicPlan(1, "compact")})()
    assert warning == f"{name} has the cleanup policy 'delete', 'compact' is planned"


async def test_topics_that_are_configured_otherwise_are_reported_with_the_command_that_changes_them(
    kafka_bootstrap: str, namespace: str
) -> None:
    planned = read_topics(namespace)
    dead = f"{namespace}assessment.profiles.dead"
    other = {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
    await create_topics(
        kafka_bootstrap,
        [one._replace(config={**one.config, **other}) if one.name == dead else one for one in planned],
    )
    policy, settings = await check_topics(kafka_bootstrap, planned)
    assert policy == f"{dead} has the cleanup policy 'compact', 'compact,delete' is planned"
    assert settings == (
        f"{dead} has cleanup.policy=compact, message.timestamp.type=CreateTime: kafka-configs.sh --bootstrap-server "
        f"HOST:PORT --alter --entity-type topics --entity-name {dead} --add-config "
        '"cleanup.policy=[compact,delete],message.timestamp.type=LogAppendTime"'
    )


async def test_the_command_for_topics_reports_a_deviation_and_does_not_fail(
    kafka_bootstrap: str, namespace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (profiles, *_) = read_topics(namespace)
    await create_topics(kafka_bootstrap, [profiles._replace(partitions=25)])
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("NAMESPACE", namespace)
    monkeypatch.setattr("sys.argv", ["deploy.topics"])
    assert await asyncio.to_thread(main) == 0
    assert f"not as planned: {profiles.name} has 25 partitions, 24 are planned" in capsys.readouterr().err
