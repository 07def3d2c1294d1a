"""A broker that is older than the requests that the services need ends what asks it, with the reason."""

import asyncio
import sys
from collections.abc import Sequence

import pytest
from aiokafka.conn import AIOKafkaConnection

from deploy import topics
from shared.events import TOPICS
from shared.kafka import ConsumedEvent, Follower, GroupConsumer, Publisher, UnsupportedBroker, describe_topics
from shared.kafka.topics import TopicWarning

METADATA = 3
OLDER = "older than Kafka 2.8"


@pytest.fixture
def old_broker(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the broker say that it knows the request for metadata up to version 9, as Kafka 2.7 does."""
    look_up = AIOKafkaConnection._do_version_lookup

    async def limited(connection: AIOKafkaConnection) -> None:
        await look_up(connection)
        connection._versions[METADATA] = (0, 9)

    monkeypatch.setattr(AIOKafkaConnection, "_do_version_lookup", limited)
    return bootstrap


async def refuse(_: Sequence[ConsumedEvent]) -> None:
    raise AssertionError("nothing is read from a broker that is too old")


async def test_readers_end_with_the_reason(old_broker: str, topic: str) -> None:
    with pytest.raises(UnsupportedBroker, match=OLDER):
        await describe_topics(old_broker, [topic])
    with pytest.raises(UnsupportedBroker, match=OLDER):
        await Follower(old_broker, topic, refuse).run()
    async with Publisher(old_broker) as publisher:
        with pytest.raises(UnsupportedBroker, match=OLDER):
            await GroupConsumer(old_broker, topic, "group", refuse, publisher=publisher).run()


async def test_readiness_says_the_reason(old_broker: str) -> None:
    assert OLDER in (await TopicWarning(old_broker, TOPICS)() or "")


async def test_the_command_says_the_reason(
    old_broker: str, namespace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", old_broker)
    monkeypatch.setenv("NAMESPACE", namespace)
    monkeypatch.setattr(sys, "argv", ["topics"])
    assert await asyncio.to_thread(topics.main) == 1
    assert OLDER in capsys.readouterr().err
