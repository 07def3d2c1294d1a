"""How a relay learns of what is staged: from its own process at once, else by the change stream, else by its timer."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.mongo import ensure_indexes
from shared.outbox import (
    OUTBOX_INDEXES,
    Staged,
)
from tests.support.outbox import (
    COLLECTION,
    Owner,
    Paused,
    hold_lease,
    keep_state,
    open_streams,
    renew_once,
    until_sent,
)
from tests.support.waiting import WAIT_SECONDS, running, until


@pytest.mark.usefixtures("deaf")
async def test_the_relay_of_the_same_process_is_woken_without_the_change_stream(owner: Owner) -> None:
    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        for sequence in range(1, 6):
            await owner.change("t/a", sequence)
            staged.set()
            await until(lambda: relay.sent == len(owner.read) == sequence)  # noqa: B023 - awaited in this very turn
    assert owner.sequences("t/a") == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("untimed")
async def test_the_change_stream_reports_events_of_other_processes(owner: Owner) -> None:
    relay = owner.relay(staged=Staged())
    async with running(relay):
        await owner.change("t/a", 1)
        await until(lambda: relay.sent == 1)
        await owner.change("t/a", 2)
        await until(lambda: relay.sent == 2)


@pytest.mark.usefixtures("untimed")
async def test_the_change_stream_is_closed_during_a_bulk_and_other_processes_do_not_wait_for_its_end(
    owner: Owner,
) -> None:
    async def streams_are(count: int) -> bool:
        return await open_streams(owner) == count

    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await until(lambda: streams_are(1))
        await owner.change("t/a", 1)
        await until(lambda: relay.sent == 1)
        await until(lambda: bool(staged._waiters))  # before the bulk, for as long as the timer lets it
        with staged.bulk():
            await until(lambda: streams_are(0))
            await owner.change("t/a", 2)
            await until(lambda: relay.sent == 2)
            assert await streams_are(0)
        await until(lambda: streams_are(1))
        await owner.change("t/a", 3)
        await until(lambda: relay.sent == 3)
    await until(lambda: owner.sequences("t/a") == [1, 2, 3])


@pytest.mark.usefixtures("untimed")
async def test_the_change_stream_is_opened_again_after_the_server_has_ended_it(owner: Owner) -> None:
    """A restored backup replaces collections, and the server ends the streams of a collection that is dropped."""

    async def is_open() -> bool:
        return await open_streams(owner) == 1

    relay = owner.relay(staged=Staged())
    async with running(relay):
        await owner.change("t/a", 1)
        await until(lambda: relay.sent == 1)
        await until(is_open)
        await owner.database[COLLECTION].drop()
        await ensure_indexes(owner.database, {COLLECTION: OUTBOX_INDEXES})
        await until(is_open)
        await owner.change("t/b", 1)
        await until(lambda: relay.sent == 2)


@pytest.mark.usefixtures("deaf")
async def test_a_relay_that_lost_the_lease_before_sending_sends_nothing(owner: Owner) -> None:
    staged = Staged()
    first, second = owner.relay(staged=staged), owner.relay()
    renew_once(first)
    async with running(first):
        await until(lambda: first.holds_lease)
        await owner.change("t/a", 1)
        await hold_lease(owner, second._lease.holder, datetime.now(UTC) + timedelta(hours=1))
        first._lease._deadline = 0.0
        staged.set()
        async with running(second):
            await until(lambda: second.sent == 1)
            await owner.change("t/a", 2)
            second._wake.set()
            staged.set()
            await until(lambda: owner.sequences("t/a") == [1, 2])
        assert first.sent == 0


@pytest.mark.usefixtures("deaf")
async def test_a_relay_that_lost_the_lease_while_reading_sends_nothing(owner: Owner) -> None:
    staged = Staged()
    relay = owner.relay(staged=staged)
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def reserve(count: int) -> int:
        reading.set()
        await go_on.wait()
        return 1

    relay._stamp, relay._lease.reserve = True, reserve  # type: ignore[method-assign] # between reading and sending
    renew_once(relay)
    async with running(relay):
        await until(lambda: relay.holds_lease)
        await owner.change("t/a", 1)
        staged.set()
        await asyncio.wait_for(reading.wait(), WAIT_SECONDS)
        await hold_lease(owner, "another", datetime.now(UTC) + timedelta(hours=1))
        relay._lease._deadline = 0.0
        go_on.set()
        await until(lambda: not relay._wake.is_set())
        assert await owner.waiting() == 1
    assert relay.sent == 0


@pytest.mark.usefixtures("deaf")
async def test_events_staged_by_a_killed_process_are_sent_by_the_next_one(owner: Owner) -> None:
    await keep_state(owner, "t/a", 1)
    await owner.change("t/b", 1)  # nobody was notified: the process ended in between
    relay = owner.relay(staged=Staged())
    async with running(relay):
        await until(lambda: relay.sent == len(owner.read) == 2)  # having the lease is reason enough to look
    assert owner.sequences("t/a") == owner.sequences("t/b") == [1]


async def test_two_processes_that_stage_alternately_keep_the_order_of_every_document(owner: Owner) -> None:
    wakes = [Staged(), Staged()]
    relays = [owner.relay(staged=wake) for wake in wakes]
    async with running(*relays):
        for sequence in range(1, 21):
            for key in ("t/a", "t/b"):
                await keep_state(owner, key, sequence)
                wakes[sequence % 2].set()
        await until(lambda: owner.sequences("t/a")[-1:] == owner.sequences("t/b")[-1:] == [20])
        await until_sent(owner)
    for key in ("t/a", "t/b"):
        sequences = owner.sequences(key)
        assert sequences == sorted(set(sequences))  # a newer one may stand for an older one, and none comes twice


@pytest.mark.usefixtures("deaf")
async def test_a_relay_woken_while_sending_checks_again(owner: Owner) -> None:
    staged = Staged()
    async with Paused(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher, staged=staged)
        async with running(relay):
            await owner.change("t/a", 1)
            staged.set()
            await asyncio.wait_for(publisher.reached.wait(), WAIT_SECONDS)
            await owner.change("t/b", 1)
            staged.set()
            publisher.go_on.set()
            await until(lambda: owner.sequences("t/b") == [1])
