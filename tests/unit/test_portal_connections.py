"""One slot per connection: what is sent, what is passed over, and when it ends."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from aiohttp import ClientSession

from services.portal.api.live import Live
from services.portal.connections import Connection, Connections, StreamMessage
from services.portal.replicas import Replicas
from shared.auth import FORGOTTEN_SECONDS
from shared.errors import Unavailable


async def test_only_the_latest_of_several_unread_paths_is_sent() -> None:
    connections = Connections()
    with connections.open("t/o", "k") as connection:
        for revision in (1, 3, 2):
            connections.push("t/o", StreamMessage("path", f"path {revision}", revision))
        assert await connection.next() == StreamMessage("path", "path 3", 3)
        connection.close()
        assert await connection.next() is None
    assert (connections.superseded, connections.streams) == (1, 0)


async def test_a_status_never_replaces_an_unsent_path() -> None:
    connection = Connection()
    connection.offer(StreamMessage("path", "one", 1))
    connection.offer(StreamMessage("status", "waiting"))
    assert await connection.next() == StreamMessage("path", "one", 1)


async def test_a_stopping_replica_opens_no_stream() -> None:
    connections = Connections()
    connections.drop_all("follower")
    with connections.open("t/o", "k") as still_open:
        still_open.offer(StreamMessage("path", "one", 1))
        assert await still_open.next() is not None
        connections.drop_all("shutdown")
    with connections.open("t/o", "k") as connection:
        assert await connection.next() is None
    assert {why: number for why, number in connections.dropped.items() if number} == {"shutdown": 1}


async def test_an_erasure_is_remembered_longer_than_cached_keys() -> None:
    now = 100.0
    connections = Connections(lambda: now)
    connections.push("t/o", StreamMessage("path", "one", 1))
    assert not connections.was_erased("t/o")
    connections.push("t/o", StreamMessage("erased", "{}", 2))
    now += FORGOTTEN_SECONDS - 0.1
    assert connections.was_erased("t/o")
    assert not connections.was_erased("t/p")
    now += 0.2
    assert not connections.was_erased("t/o")


async def test_the_streams_of_a_revoked_key_end_and_no_others() -> None:
    connections = Connections()
    with (
        connections.open("t/o", "gone") as one,
        connections.open("t/p", "gone") as two,
        connections.open("t/o", "k") as on,
    ):
        assert connections.key_ids == {"gone", "k"}
        connections.drop_keys({"gone", "another"})
        connections.drop_keys({"gone"})  # before the streams have noticed
        assert (await one.next(), await two.next()) == (None, None)
        on.offer(StreamMessage("path", "one", 1))
        assert await on.next() is not None
    assert connections.dropped["revoked"] == 2
    assert connections.key_ids == set()


class Unread:
    """Keys that cannot be read for the first checks; then all are valid."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.answered = asyncio.Event()

    async def working(self, key_ids: Collection[str]) -> set[str]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the database does not answer")
        self.answered.set()
        return set(key_ids)


@asynccontextmanager
async def checked(connections: Connections, keys: Unread, unchecked: float) -> AsyncIterator[None]:
    """Check the keys of the streams all the time during the block."""
    async with ClientSession() as client:
        live = Live(connections, client, Replicas(["http://127.0.0.1:1"]), lambda: True)
        task = asyncio.create_task(live.end_revoked(keys, lambda _: None, every=0.01, unchecked=unchecked))
        try:
            yield
        finally:
            task.cancel()


async def test_streams_outlast_some_failed_checks_of_their_keys() -> None:
    connections, keys = Connections(), Unread(3)
    with connections.open("t/o", "k") as connection:
        async with checked(connections, keys, unchecked=60):
            await keys.answered.wait()
        connection.offer(StreamMessage("path", "one", 1))
        assert await connection.next() is not None


async def test_streams_end_if_their_keys_cannot_be_checked_for_long() -> None:
    connections, keys = Connections(), Unread(1_000_000)
    with connections.open("t/o", "k") as connection:
        async with checked(connections, keys, unchecked=0.05):
            assert await connection.next() is None
    assert connections.dropped["unchecked"] == 1
