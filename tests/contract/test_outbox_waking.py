"""How a relay learns of what is staged: from its own process at once, else by the change stream, else by its timer."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pymongo.read_concern import ReadConcern

from shared import outbox as outbox_module
from shared.events import CourseWithdrawn, Envelope, new_event
from shared.kafka import GroupConsumer, GroupLag, Headers, Publisher, RecordMetadata, is_bulk
from shared.mongo import Document, ensure_indexes
from shared.outbox import (
    MOST_HANDED_OVER,
    OUTBOX_INDEXES,
    Staged,
    outbox_insert,
    outbox_insert_held,
    outbox_push,
    outbox_push_held,
)
from shared.relay import Relay, bulk_pacing
from shared.relay import relay as relay_module
from tests.support.outbox import COLLECTION, LEASE, Owner, Paused, owning, thing, until_sent
from tests.support.waiting import WAIT_SECONDS, running, until


@pytest.fixture
async def owner(mongodb_uri: str, kafka_bootstrap: str, namespace: str) -> AsyncIterator[Owner]:
    async with owning(mongodb_uri, kafka_bootstrap, namespace) as owner:
        yield owner


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the timer out, so that nothing but a wake makes a relay send."""
    monkeypatch.setattr(relay_module, "_SWEEP_SECONDS", 3600.0)


@pytest.fixture
def deaf(untimed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the change stream out as well."""

    async def never(_: Relay) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Relay, "_watch", never)


async def keep_state(owner: Owner, key: str, sequence: int) -> None:
    """Write a document with an event whose data is only in its field `state`, not in the outbox."""
    envelope = thing(key, sequence)
    fields = {"sequence": sequence, "state": envelope.data}
    if sequence == 1:
        await owner.database[COLLECTION].insert_one({"_id": key, **fields, **outbox_insert_held(envelope, "state")})
        return
    update = outbox_push_held(envelope, "state")
    update["$set"] |= fields
    await owner.database[COLLECTION].update_one({"_id": key}, update)


async def hold_lease(owner: Owner, holder: str, until_then: datetime) -> None:
    update = {"$set": {"holder": holder, "until": until_then}}
    await owner.database["leases"].update_one({"_id": LEASE}, update, upsert=True)


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


async def open_streams(owner: Owner) -> int:
    """Return how many change streams of the collection are open at the server."""
    watched = {
        "ns": f"{owner.database.name}.{COLLECTION}",
        "cursor.originatingCommand.pipeline.$changeStream": {"$exists": True},
    }
    pipeline: list[Document] = [{"$currentOp": {"idleCursors": True}}, {"$match": watched}]
    admin = owner.database.client.get_database("admin", read_concern=ReadConcern("local"))
    return len(await admin.aggregate(pipeline).to_list(None))


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


async def test_an_event_is_staged_without_data_that_its_document_contains(owner: Owner) -> None:
    await keep_state(owner, "t/a", 1)
    [entry] = (await owner.document("t/a"))["outbox"]
    assert "data" not in entry
    async with running(owner.relay()):
        await until(lambda: owner.sequences("t/a") == [1])
        await keep_state(owner, "t/a", 2)
        await until(lambda: owner.sequences("t/a") == [1, 2])
    assert {item.event.data for item in owner.read} == {CourseWithdrawn("t", "a")}


async def test_an_event_whose_data_its_document_no_longer_contains_is_skipped(owner: Owner) -> None:
    await keep_state(owner, "t/a", 1)
    newer = new_event("here", "t/a", 2, CourseWithdrawn("t", "a"))
    update = outbox_push(newer)  # as another version of the program stages it
    update["$set"] |= {"sequence": 2, "state": b"of another form"}
    await owner.database[COLLECTION].update_one({"_id": "t/a"}, update)
    async with running(owner.relay()):
        await until(lambda: owner.sequences("t/a") == [2])
        await until_sent(owner)


async def test_a_newer_event_replaces_all_waiting_ones(owner: Owner) -> None:
    await owner.change("t/a", 1)
    await owner.change("t/a", 2)
    await keep_state(owner, "t/a", 3)
    assert [entry["sequence"] for entry in (await owner.document("t/a"))["outbox"]] == [3]


async def test_an_older_version_cannot_mistake_a_reference_entry_for_a_tombstone(owner: Owner) -> None:
    await keep_state(owner, "t/a", 1)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert((await owner.document("t/a"))["outbox"], list[Envelope])


@pytest.mark.usefixtures("deaf")
async def test_an_event_that_is_handed_over_is_sent_without_reading_its_document(owner: Owner) -> None:
    staged = Staged()
    async with Paused(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher, staged=staged)
        async with running(relay):
            await until(lambda: relay.holds_lease)
            staged.hand_over("t/a", thing("t/a", 1))
            await asyncio.wait_for(publisher.reached.wait(), WAIT_SECONDS)  # no document holds it
            publisher.go_on.set()
            await until(lambda: owner.sequences("t/a") == [1])


@pytest.mark.usefixtures("deaf")
async def test_an_event_that_is_handed_over_is_removed_and_is_sent_once(owner: Owner) -> None:
    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await until(lambda: relay.holds_lease)
        for sequence in (1, 2, 3):
            await owner.change("t/a", sequence)
            [entry] = (await owner.document("t/a"))["outbox"]
            staged.hand_over("t/a", msgspec.convert(entry, Envelope))
            await until_sent(owner)
        await owner.change("t/b", 1)  # read from its document, after all of the others
        staged.set()
        await until(lambda: owner.sequences("t/b") == [1] and relay.sent >= 4)
    assert owner.sequences("t/a") == [1, 2, 3]
    assert relay.sent == 4


@pytest.mark.usefixtures("deaf")
async def test_an_event_handed_over_after_the_relay_has_read_it_is_not_sent_again(owner: Owner) -> None:
    staged = Staged()
    async with Paused(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher, staged=staged)
        async with running(relay):
            await owner.change("t/a", 1)
            [entry] = (await owner.document("t/a"))["outbox"]
            staged.set()
            await asyncio.wait_for(publisher.reached.wait(), WAIT_SECONDS)
            staged.hand_over("t/a", msgspec.convert(entry, Envelope))
            publisher.go_on.set()
            await until_sent(owner)
            await owner.change("t/a", 2)
            staged.set()
            await until(lambda: 2 in owner.sequences("t/a"))
    assert owner.sequences("t/a") == [1, 2]


@pytest.mark.usefixtures("deaf")
async def test_an_event_handed_over_after_its_document_was_read_with_an_older_one_is_sent(owner: Owner) -> None:
    second = thing("t/a", 2)

    class Racing(Staged):
        raced = False

        def drop_handed_over(self, keys: Iterable[str], read: Collection[str]) -> None:
            if "t/a" in keys and not self.raced:
                self.raced = True
                self.hand_over("t/a", second)
            super().drop_handed_over(keys, read)

    staged = Racing()
    async with Paused(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher, staged=staged)
        async with running(relay):
            await owner.change("t/a", 1)
            staged.set()
            await asyncio.wait_for(publisher.reached.wait(), WAIT_SECONDS)
            await owner.database[COLLECTION].update_one({"_id": "t/a"}, outbox_push(second))
            publisher.go_on.set()
            await until(lambda: owner.sequences("t/a") == [1, 2])


@pytest.mark.usefixtures("deaf")
async def test_an_event_handed_over_whose_send_failed_is_sent_without_another_wake(owner: Owner) -> None:
    failing = True

    class Failing(Publisher):
        async def send(
            self, topic: str, envelopes: Iterable[Envelope], *, headers: Headers = ()
        ) -> list[RecordMetadata | Exception]:
            nonlocal failing
            envelopes = list(envelopes)
            if failing:
                failing = False
                return [TimeoutError() for _ in envelopes]
            return await super().send(topic, envelopes, headers=headers)

    staged = Staged()
    async with Failing(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher, staged=staged)
        async with running(relay):
            await until(lambda: relay.holds_lease and bool(staged._waiters))
            envelope = thing("t/a", 1)
            await owner.database[COLLECTION].insert_one({"_id": "t/a", "sequence": 1, **outbox_insert(envelope)})
            staged.hand_over("t/a", envelope)
            await until(lambda: owner.sequences("t/a") == [1])
    assert not failing


@pytest.mark.usefixtures("deaf")
async def test_a_relay_that_gains_the_lease_sends_nothing_that_was_handed_over_before(owner: Owner) -> None:
    staged = Staged()
    staged.hand_over("t/a", thing("t/a", 1))
    await owner.change("t/b", 1)
    async with running(owner.relay(staged=staged)):
        await until(lambda: owner.sequences("t/b") == [1])
        await until_sent(owner)
    assert owner.sequences("t/a") == []


@pytest.mark.usefixtures("deaf")
async def test_the_timer_makes_the_relay_read_while_events_are_handed_over_without_a_pause(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_SWEEP_SECONDS", 0.2)
    staged = Staged()
    numbers = itertools.count()

    class Fed(Publisher):
        async def send(
            self, topic: str, envelopes: Iterable[Envelope], *, headers: Headers = ()
        ) -> list[RecordMetadata | Exception]:
            key = f"t/{next(numbers)}"
            staged.hand_over(key, thing(key, 1))
            return await super().send(topic, envelopes, headers=headers)

    async with Fed(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher, staged=staged)
        async with running(relay):
            await until(lambda: relay.holds_lease)
            staged.hand_over("t/first", thing("t/first", 1))
            await owner.change("t/waits", 1)  # as another process stages it
            await until(lambda: owner.sequences("t/waits") == [1])


@pytest.mark.usefixtures("untimed")
async def test_documents_are_not_read_for_events_that_are_handed_over(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = itertools.count()
    send_batch = Relay._send_batch

    async def counted(relay: Relay, *given: Any, **named: Any) -> Any:
        next(reads)
        return await send_batch(relay, *given, **named)

    class Reported(Staged):
        reported = ""

        def report(self, key: str) -> None:
            self.reported = key
            super().report(key)

    monkeypatch.setattr(Relay, "_send_batch", counted)
    staged = Reported()
    async with Paused(owner.bootstrap) as publisher:
        publisher.go_on.set()
        relay = owner.relay(publisher=publisher, staged=staged)
        async with running(relay):
            await until(lambda: open_streams(owner))
            await owner.change("t/before", 1)
            await until(lambda: relay.sent == 1 and staged.reported == "t/before")
            await until(lambda: bool(staged._waiters) and not staged.is_set())
            before = next(reads)
            envelope = thing("t/a", 1)
            publisher.go_on.clear()  # so that it is not removed before it is stored
            staged.hand_over("t/a", envelope)  # first, so that the report of the change stream comes after it
            await owner.database[COLLECTION].insert_one({"_id": "t/a", "sequence": 1, **outbox_insert(envelope)})
            publisher.go_on.set()
            await until(lambda: relay.sent == 2)
            await owner.change("t/b", 1)  # as another process stages it
            await until(lambda: relay.sent == 3)
            assert next(reads) == before + 2, "only the last one is read"


async def test_a_report_wakes_the_relay_unless_the_event_was_handed_over() -> None:
    staged = Staged()
    staged.hand_over("t/a", thing("t/a", 1))
    staged.report("t/a")
    assert not staged.begin_reading()
    staged.report("t/a")  # of another process
    assert staged.begin_reading()
    staged.report("t/b")  # before its hand-over: the relay reads it
    assert staged.begin_reading()
    staged.hand_over("t/b", thing("t/b", 1))
    staged.report("t/b")
    assert staged.begin_reading()


async def test_a_hand_over_that_is_never_reported_takes_the_place_of_a_report_until_the_relay_reads() -> None:
    staged = Staged()
    staged.hand_over("t/a", thing("t/a", 1))
    staged.forget_reports()
    staged.report("t/a")
    assert staged.begin_reading()


@pytest.mark.usefixtures("deaf")
async def test_a_relay_without_the_lease_keeps_no_events_in_memory(owner: Owner) -> None:
    staged = Staged()
    await hold_lease(owner, "another", datetime.now(UTC) + timedelta(hours=1))
    async with running(owner.relay(staged=staged)):
        staged.hand_over("t/a", thing("t/a", 1))
        await until(lambda: not staged.is_set())
        assert staged.take_handed_over() == {}
    assert owner.sequences("t/a") == []


async def test_more_events_than_are_kept_in_memory_are_left_to_their_documents() -> None:
    staged = Staged()
    for number in range(MOST_HANDED_OVER + 1):
        staged.hand_over(f"t/{number}", thing(f"t/{number}", 1))
    assert len(staged.take_handed_over()) == MOST_HANDED_OVER
    assert staged.is_set()
    assert staged.take_handed_over() == {}


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


async def test_the_lag_of_a_group_counts_uncommitted_records(owner: Owner) -> None:
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
