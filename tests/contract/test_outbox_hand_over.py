"""Events staged without the data that their document contains, and events handed over to the relay in memory."""

import asyncio
import itertools
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.events import CourseWithdrawn, Envelope, new_event
from shared.kafka import Headers, Publisher, RecordMetadata
from shared.mongo import bulk_write
from shared.outbox import (
    MOST_HANDED_OVER,
    Staged,
    outbox_insert,
    outbox_push,
    outbox_replace,
)
from shared.relay import Relay
from shared.relay import relay as relay_module
from shared.relay.read_back import ReadBack
from tests.support.outbox import (
    COLLECTION,
    LEASE,
    Owner,
    Paused,
    hold_lease,
    keep_state,
    open_streams,
    thing,
    until_sent,
)
from tests.support.waiting import WAIT_SECONDS, running, until


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


async def staged_in(owner: Owner, key: str) -> Envelope:
    """Stage an event in a new document; return it."""
    await owner.change(key, 1)
    [entry] = (await owner.document(key))["outbox"]
    return msgspec.convert(entry, Envelope)


@pytest.fixture
def unhurried(deaf: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let acknowledged events be removed by no timer."""
    monkeypatch.setattr(relay_module, "_REMOVAL_SECONDS", 3600.0)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out that the topic is read back."""

    async def never(_: ReadBack) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(ReadBack, "run", never)


@pytest.mark.usefixtures("unhurried", "unread")
async def test_events_that_were_handed_over_are_removed_by_one_write_before_documents_are_read(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    async def counted(*given: Any) -> int:
        written.append(len(given[1]))
        return await bulk_write(*given)

    monkeypatch.setattr(relay_module, "bulk_write", counted)
    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await until(lambda: relay.holds_lease and bool(staged._waiters) and not staged.is_set())
        for key in ("t/a", "t/b"):
            staged.hand_over(key, await staged_in(owner, key))
        await until(lambda: len(owner.read) == 2)
        await owner.database[COLLECTION].update_one({"_id": "t/a"}, outbox_replace(second := thing("t/a", 2)))
        staged.hand_over("t/a", second)
        await until(lambda: owner.sequences("t/a") == [1, 2])
        assert not written
        await owner.change("t/c", 1)  # as another process stages it
        staged.set()
        await until_sent(owner)
    assert written == [2, 1]
    assert len(owner.read) == 4, "none is sent again"


@pytest.mark.usefixtures("deaf", "unread")
async def test_an_event_that_was_handed_over_is_removed_after_a_moment(owner: Owner) -> None:
    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await until(lambda: relay.holds_lease and bool(staged._waiters) and not staged.is_set())
        staged.hand_over("t/a", await staged_in(owner, "t/a"))
        await until_sent(owner)
    assert owner.sequences("t/a") == [1]


@pytest.mark.usefixtures("unhurried", "unread")
async def test_a_relay_that_stops_removes_what_was_acknowledged(owner: Owner) -> None:
    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await until(lambda: relay.holds_lease and bool(staged._waiters) and not staged.is_set())
        staged.hand_over("t/a", await staged_in(owner, "t/a"))
        await until(lambda: bool(relay._acknowledged))
        assert await owner.waiting() == 1
    assert await owner.waiting() == 0


@pytest.mark.usefixtures("unhurried")
async def test_a_record_of_an_event_that_is_not_removed_yet_is_not_late(owner: Owner) -> None:
    """If it counted as late, an event that readers cannot read would be sent again and again."""
    announced = []

    async def republish(keys: Sequence[str] | None = None) -> None:
        announced.append(keys)

    owner.republish = republish  # type: ignore[method-assign]
    staged = Staged()
    relay = owner.relay(staged=staged)
    async with running(relay):
        await owner.change("t/a", 1)
        staged.set()
        await until_sent(owner)  # its record is noted in the document
        unreadable = msgspec.structs.replace(thing("t/a", 2), data=b"{}")
        await owner.database[COLLECTION].update_one({"_id": "t/a"}, outbox_replace(unreadable))
        staged.hand_over("t/a", unreadable)
        await until(lambda: bool(relay._acknowledged))
        [[event]] = relay._acknowledged.values()

        async def is_read_back() -> bool:
            lease = await owner.database["leases"].find_one({"_id": LEASE}) or {}
            return bool(lease.get("read_back", {}).get(str(event.partition), 0) > event.offset)

        await until(is_read_back)
    assert not announced
    assert (await owner.document("t/a"))["acknowledged"]["sequence"] == 2


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
            with staged.staging(["t/a"]):
                await owner.database[COLLECTION].insert_one({"_id": "t/a", "sequence": 1, **outbox_insert(envelope)})
                await until(lambda: staged.reported == "t/a")  # as if the answer of the write came later
            staged.hand_over("t/a", envelope)
            await until(lambda: relay.sent == 2)
            await owner.change("t/b", 1)  # as another process stages it
            await until(lambda: relay.sent == 3)
            assert next(reads) == before + 2, "only the last one is read"


async def test_a_report_wakes_the_relay_unless_it_was_expected() -> None:
    staged = Staged()
    with staged.staging(["t/a", "t/b"]):
        staged.report("t/a")  # before the server has answered the write
    staged.report("t/b")
    assert not staged.begin_reading()
    staged.report("t/a")  # of another process
    assert staged.begin_reading()


async def test_a_report_that_never_comes_is_expected_until_the_relay_reads() -> None:
    staged = Staged()
    with staged.staging(["t/a"]):
        pass
    staged.forget_reports()
    staged.report("t/a")
    assert staged.begin_reading()


async def test_the_relay_reads_after_a_write_whose_outcome_is_unknown() -> None:
    staged = Staged()
    with suppress(TimeoutError), staged.staging(["t/a"]):
        staged.report("t/a")
        raise TimeoutError
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
