"""A bulk is sent at its rate, after single events, and not faster than its readers follow."""

import asyncio

import pytest

from shared import outbox as outbox_module
from shared.kafka import GroupConsumer, GroupLag, is_bulk
from shared.kafka import lag as lag_module
from shared.outbox import (
    Staged,
)
from shared.relay import bulk_pacing
from shared.relay import relay as relay_module
from tests.support.outbox import (
    LEASE,
    Owner,
    until_read_back,
    until_sent,
)
from tests.support.waiting import WAIT_SECONDS, running, until


async def test_events_of_a_bulk_are_sent_after_all_others(owner: Owner) -> None:
    relay = owner.relay(stamp=True)
    for key in ("t/bulk-1", "t/bulk-2", "t/both"):
        await owner.change(key, 1, bulk=True)
    await owner.change("t/single", 1)
    await owner.change("t/both", 2)  # a single change takes along what waits of its document
    async with running(relay):
        await until_sent(owner)
        await until(lambda: len(owner.read) == 5)
    stamps = {item.event.catalog_revision: item.event.subject for item in owner.read}
    order = [stamps[stamp] for stamp in sorted(stamps)]
    assert order == ["t/single", "t/both", "t/both", "t/bulk-1", "t/bulk-2"]


@pytest.mark.usefixtures("deaf")
async def test_during_a_bulk_its_events_wait_and_single_ones_are_sent(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BULK_PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(bulk_pacing, "BULK_PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(outbox_module, "BULK_PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(bulk_pacing, "_EVERY_SECONDS", 3600.0)
    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await owner.change("t/bulk-1", 1, bulk=True)
        staged.set_bulk()
        await until(lambda: relay.sent == 1, "the first of a bulk is sent")
        await owner.change("t/bulk-2", 1, bulk=True)
        staged.set_bulk()
        staged.set_backlog(more=True)
        await owner.change("t/single", 1)
        staged.set()
        await until(lambda: relay.sent == 2)
        assert (await owner.document("t/single"))["outbox"] == []
        assert len((await owner.document("t/bulk-2"))["outbox"]) == 1
        assert staged.backlog_at > float("-inf"), "what waits of the bulk was not read, so it may be a backlog"
        staged.bulk_at = float("-inf")  # the bulk has ended
        staged.set()
        await until_sent(owner)
        assert staged.backlog_at == float("-inf")


@pytest.mark.usefixtures("deaf")
async def test_in_the_first_minute_of_a_bulk_none_of_its_events_is_sent(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_pacing, "_EVERY_SECONDS", 0.0)
    staged = Staged()
    relay = owner.relay(staged=staged)
    with staged.bulk():
        async with running(relay):
            await owner.change("t/bulk", 1, bulk=True)
            await owner.change("t/single", 1)
            staged.set()
            await until(lambda: relay.sent == 1)
            assert (await owner.document("t/single"))["outbox"] == []
            assert len((await owner.document("t/bulk"))["outbox"]) == 1
            monkeypatch.setattr(bulk_pacing, "BULK_FIRST_SECONDS", 0.0)  # the minute is over
            staged.set()
            await until_sent(owner)


async def test_other_work_waits_for_a_bulk_and_at_most_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "BULK_PAUSE_SECONDS", 0.001)
    staged = Staged()
    await staged.after_bulk(3600.0)
    with staged.bulk():
        await staged.after_bulk(0.0)
        waiting = asyncio.create_task(staged.after_bulk(3600.0))
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done, "a bulk is being written"
    await asyncio.wait_for(waiting, 60)


async def test_other_work_waits_for_the_relay_while_it_makes_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_BACKLOG_SECONDS", 3600.0)
    monkeypatch.setattr(outbox_module, "BULK_PAUSE_SECONDS", 0.001)
    staged = Staged()
    await staged.after_backlog(3600.0)
    staged.set_backlog(more=True)
    await staged.after_backlog(0.0)
    waiting = asyncio.create_task(staged.after_backlog(3600.0))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done, "a whole batch was sent, so more may wait"
    staged.set_backlog(more=False)
    await asyncio.wait_for(waiting, 60)
    staged.set_backlog(more=True)
    staged.backlog_at -= 3600  # the relay has made no progress since
    await asyncio.wait_for(staged.after_backlog(3600.0), 60)


async def test_a_topic_is_read_back_after_the_relay_has_sent_its_backlog(owner: Owner) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    class Sending(Staged):
        async def after_backlog(self, most: float) -> None:  # noqa: ARG002 - that of Staged
            reached.set()
            await go_on.wait()

    staged = Sending()
    async with running(owner.relay(staged=staged)):
        await owner.change("t/one", 1)
        staged.set()
        await asyncio.wait_for(reached.wait(), 60)
        lease = await owner.database["leases"].find_one({"_id": LEASE})
        assert "read_back" not in (lease or {})
        go_on.set()
        await until(lambda: owner.read)
        await until_read_back(owner)


async def test_a_bulk_is_sent_at_its_rate_and_single_events_at_once(owner: Owner) -> None:
    """At one a minute most of the bulk still waits when the single event, staged after it, has been sent."""
    relay = owner.relay(bulk_rate=1 / 60)
    for n in range(20):
        await owner.change(f"t/bulk-{n:02}", 1, bulk=True)
    async with running(relay):
        await owner.change("t/single", 1)
        await until(lambda: owner.sequences("t/single") == [1])
        assert await owner.waiting() >= 15


async def test_a_bulk_is_sent_slowly_in_its_first_minute_while_it_is_written(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_pacing, "_EVERY_SECONDS", 3600.0)
    staged = Staged()
    relay = owner.relay(staged=staged, bulk_rate=1000.0)
    async with running(relay):
        with staged.bulk():
            await owner.change("t/bulk-1", 1, bulk=True)
            staged.set_bulk()
            await until(lambda: relay.sent == 1, "the first of a bulk is sent")
            await owner.change("t/bulk-2", 1, bulk=True)
            await owner.change("t/single", 1)
            staged.set()
            await until(lambda: relay.sent == 2)
            assert await owner.waiting() == 1
            staged.bulk_since -= 60
            await until_sent(owner)


async def test_a_bulk_waits_for_a_lagging_reader_and_single_events_do_not(owner: Owner) -> None:
    behind = 1000

    async def backlog() -> int:
        return behind

    relay = owner.relay(bulk_rate=100, backlog=backlog)
    for n in range(60):
        await owner.change(f"t/bulk-{n:02}", 1, bulk=True)
    async with running(relay):
        await until(lambda: relay.sent > 0, "the first of a bulk is sent before any backlog is read")
        await owner.change("t/single", 1)
        await until(lambda: owner.sequences("t/single") == [1])
        assert await owner.waiting() >= 30
        behind = 0
        await until_sent(owner)
    bulk_by_subject = {item.event.subject: is_bulk(item.record) for item in owner.read}
    assert (bulk_by_subject.pop("t/single"), set(bulk_by_subject.values())) == (False, {True})


async def test_a_backlog_that_cannot_be_read_is_reported_once_and_delays_no_bulk(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    requests = 0

    async def backlog() -> int:
        nonlocal requests
        requests += 1
        raise RuntimeError("no such thing")

    relay = owner.relay(bulk_rate=40, backlog=backlog)
    for n in range(50):
        await owner.change(f"t/bulk-{n:02}", 1, bulk=True)
    async with running(relay):
        await until_sent(owner)
    assert requests > 1
    assert caplog.text.count("is not known") == 1


async def test_a_backlog_without_an_answer_delays_a_bulk_for_a_limited_time(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_pacing, "_ANSWER_SECONDS", 0.1)

    async def backlog() -> int:
        await asyncio.Event().wait()
        raise AssertionError

    relay = owner.relay(bulk_rate=40, backlog=backlog)
    for n in range(30):
        await owner.change(f"t/bulk-{n:02}", 1, bulk=True)
    async with running(relay):
        await until_sent(owner)


async def test_a_slow_reader_has_fewer_bulk_events_waiting(owner: Owner) -> None:
    """The backlog is 20 at every reading, of 25 that the rate allows: after some pauses nothing is added."""
    polls = 0
    behind = 20

    async def backlog() -> int:
        nonlocal polls
        polls += 1
        return behind

    relay = owner.relay(bulk_rate=100, backlog=backlog)
    for n in range(120):
        await owner.change(f"t/bulk-{n:03}", 1, bulk=True)
    async with running(relay):
        await until(lambda: polls > 0, "the backlog is read")
        sent = relay.sent
        await until(lambda: polls > 8, "some pauses have passed")
        assert relay.sent <= sent + 2 * (25 - behind)
        behind = 0
        await until_sent(owner)


async def test_the_lag_of_a_group_counts_uncommitted_records(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag_module, "_ANSWER_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(lag_module, "_BUSY_SECONDS", 3600.0)
    monkeypatch.setattr(lag_module, "_AGAIN_SECONDS", 0.0)  # the first group of a broker has no coordinator at once
    group, taken = f"{owner.topic}.readers", asyncio.Event()
    lag = GroupLag(owner.bootstrap, group, owner.topic)
    assert await lag.read() is None

    async def take(_: object) -> None:
        taken.set()

    try:
        async with running(owner.relay()):
            await owner.change("t/a", 1)
            async with running(GroupConsumer(owner.bootstrap, owner.topic, group, take, publisher=owner.publisher)):
                await until(taken.is_set)

                async def is_read() -> bool:
                    return await lag.read() == 0

                await until(is_read)
            await owner.change("t/a", 2)
            await until_sent(owner)
        assert await lag.read() == 1
        await lag.stop()
        lag._brokers = "127.0.0.1:1"  # nothing answers there
        behind = await lag.read()
        assert behind is not None
        assert behind > 1_000_000, "a broker that answered a moment ago is busy"
        lag._busy_until = float("-inf")  # half a minute later
        assert await lag.read() is None
    finally:
        await lag.stop()


async def test_a_whole_bulk_is_sent_at_its_rate(owner: Owner) -> None:
    relay = owner.relay(bulk_rate=400)
    for n in range(250):
        await owner.change(f"t/bulk-{n:03}", 1, bulk=True)
    async with running(relay):
        await until(lambda: relay.sent >= 250)
        await until_sent(owner)
    assert relay.sent == 250


class Counted(Staged):
    """Counts how often the relay was woken."""

    wakes = 0

    def set(self) -> None:
        self.wakes += 1
        super().set()


@pytest.mark.usefixtures("untimed")
async def test_the_change_stream_ignores_events_of_bulks(owner: Owner) -> None:
    staged = Counted()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await owner.change("t/first", 1)
        await until(lambda: relay.sent == 1)
        for number in range(50):
            await owner.change(f"t/bulk-{number}", 1, bulk=True)
        await owner.change("t/single", 1)
        await until_sent(owner)
        assert staged.wakes < 10  # the lease, the opened stream, and two single changes
