"""The servers of the local stack restart in place: same port, same data (the embedded broker: same port, no data)."""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from deploy.local import servers
from deploy.local.broker import ApacheKafka, answers, find_broker
from deploy.local.kafka_jars import find_jars, find_java
from deploy.local.processes import CannotStart
from deploy.local.servers import External, Mongod, Server, find_mongodb
from deploy.topics import ensure_topics, read_topics
from shared.events import PROFILES_TOPIC, new_event
from shared.kafka import Publisher, RecordMetadata
from tests.support.servers import missing, started_server


@pytest.fixture(params=["apache", "embedded"])
async def broker(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    """Return a running broker, in the locale C and in a directory with a space and Thai letters, Kafka's jars too."""
    monkeypatch.setenv("LC_ALL", "C")
    place = tmp_path / "โครงการ ก"
    place.mkdir()
    server: Server
    try:
        if request.param == "apache":
            (place / "libs").symlink_to(find_jars(print))
            server = ApacheKafka(find_java(), place / "libs", place / "kafka", "a test")
        else:
            server = find_broker(place, forced=request.param)
    except CannotStart as error:
        missing(str(error))
    await server.start()
    yield server
    await server.stop()


async def test_a_killed_mongodb_comes_back_with_its_data(tmp_path: Path) -> None:
    try:
        server = find_mongodb(tmp_path)
    except CannotStart as error:
        missing(str(error))
    await server.start()
    try:
        _insert(server.address)
        server.kill()
        await server.start()
        assert _insert(server.address) == 2
        await server.stop()
        await server.start()
        assert _insert(server.address) == 3
    finally:
        await server.stop()


class Sent(CommandListener):
    """Keeps the commands that are sent; `before` is called before each of them is sent."""

    def __init__(self, before: Callable[[str], None] = lambda _: None) -> None:
        self.commands: list[tuple[str, Mapping[str, Any]]] = []
        self._before = before

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append((event.command_name, event.command))
        self._before(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


async def test_a_new_mongodb_is_initiated_without_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupted initiation, MongoDB aborts at the next one."""
    sent = Sent()
    monkeypatch.setattr(servers, "MongoClient", partial(MongoClient, event_listeners=[sent]))
    async for _ in started_server(lambda: find_mongodb(tmp_path)):
        assert "maxTimeMS" in dict(sent.commands)["replSetGetConfig"]
        assert "maxTimeMS" not in dict(sent.commands)["replSetInitiate"]


async def test_a_mongodb_that_hangs_while_it_is_initiated_is_given_up_and_not_initiated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        server = find_mongodb(tmp_path)
    except CannotStart as error:
        missing(str(error))
    if not isinstance(server, Mongod):
        missing("a MongoDB that is not ours cannot be frozen")
    sent = Sent(lambda command: server.child.freeze() if command == "replSetInitiate" else None)
    monkeypatch.setattr(servers, "MongoClient", partial(MongoClient, event_listeners=[sent]))
    monkeypatch.setattr(servers, "_INITIATION_SECONDS", 0.5)
    try:
        with pytest.raises(CannotStart, match=r"did not initiate its replica set within 0\.5 s"):
            await server.start()
        assert [name for name, _ in sent.commands].count("replSetInitiate") == 1
    finally:
        server.kill()


def _insert(uri: str) -> int:
    client: MongoClient[dict[str, Any]] = MongoClient(uri, w="majority", journal=True)
    with client:
        client["x"]["y"].insert_one({"z": 1})
        return client["x"]["y"].count_documents({})


async def test_a_killed_broker_comes_back_on_its_port(broker: Server) -> None:
    assert {topic.name for topic in read_topics()} == set(await ensure_topics(broker.address))
    assert await ensure_topics(broker.address) == []
    first = await _send(broker.address)
    broker.kill()
    assert not await answers(broker.address)
    await broker.start()
    persistent = broker.name != "embedded broker"
    assert bool(await ensure_topics(broker.address)) is not persistent
    assert await _send(broker.address) == (first + 1 if persistent else 0)


async def _send(address: str) -> int:
    """Send one event and return its offset."""
    async with Publisher(address) as publisher:
        (landed,) = await publisher.send(PROFILES_TOPIC, [new_event("test", "example/officer", 1, None)])
    assert isinstance(landed, RecordMetadata), landed
    return landed.offset


async def test_servers_named_by_the_environment_are_used_and_never_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:geheim@127.0.0.1:1")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:2")
    mongodb, kafka = find_mongodb(tmp_path), find_broker(tmp_path)
    assert isinstance(mongodb, External)
    assert (mongodb.address, kafka.address) == ("mongodb://user:geheim@127.0.0.1:1", "127.0.0.1:2")
    for server in (mongodb, kafka):
        with pytest.raises(CannotStart, match=f"answers at .*{server.address[-4:]}") as caught:
            await server.start()
        assert "geheim" not in str(caught.value)
    with pytest.raises(CannotStart, match="started by somebody else"):
        kafka.kill()


def test_an_unknown_broker_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="BROKER=other"):
        find_broker(tmp_path, forced="other")
