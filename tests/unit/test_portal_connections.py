"""One slot per connection: what is sent, what is passed over, and when it ends."""

from services.portal.connections import Connection, Connections, StreamMessage
from shared.auth import FORGOTTEN_SECONDS


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
        assert (await one.next(), await two.next()) == (None, None)
        on.offer(StreamMessage("path", "one", 1))
        assert await on.next() is not None
    assert connections.dropped["revoked"] == 2
    assert connections.key_ids == set()
