"""The outbox on a real MongoDB and a real broker: what is staged is sent, in order, by one relay at a time."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from deploy.local.servers import Mongod
from shared.events import MAX_VALUE_BYTES, CourseWithdrawn, Envelope, new_event
from shared.kafka import ConsumedEvent, Follower, Headers, Publisher, RecordMetadata, TopicSpec, create_topics
from shared.outbox import KEPT, KEPT_BYTES, outbox_insert, outbox_push
from shared.relay import read_back as read_back_module
from shared.relay import relay as relay_module
from tests.support.outbox import (
    COLLECTION,
    LEASE,
    Owner,
    Paused,
    owning,
    renew_once,
    thing,
    until_sent,
)
from tests.support.waiting import WAIT_SECONDS, running, until


async def test_staged_events_are_sent_once_and_removed(owner: Owner) -> None:
    relay = owner.relay()
    await owner.change("t/a", 1)
    await owner.change("t/a", 2)
    await owner.change("t/b", 1)
    async with running(relay):
        await until(lambda: len(owner.read) == 3)
        await until(lambda: relay.sent == 3)
        await until_sent(owner)
        await owner.change("t/c", 1)  # what the relay would send again would go before this
        await until(lambda: owner.sequences("t/c") == [1])
    assert owner.sequences("t/a") == [1, 2]
    assert owner.sequences("t/b") == [1]
    assert owner.read[0].event.data == CourseWithdrawn(*owner.read[0].event.subject.split("/", 1))


async def test_the_events_of_one_document_keep_their_order(owner: Owner) -> None:
    async with running(owner.relay()):
        for sequence in range(1, 11):
            for key in ("t/a", "t/b", "t/c"):
                await owner.change(key, sequence)
        await until(lambda: len(owner.read) >= 30)
    for key in ("t/a", "t/b", "t/c"):
        assert owner.sequences(key) == list(range(1, 11))


async def test_a_relay_takes_over_only_when_the_lease_holder_is_gone(
    owner: Owner,
) -> None:
    leases = owner.database["leases"]
    until_then = datetime.now(UTC) + timedelta(hours=1)
    await leases.insert_one({"_id": LEASE, "holder": "somebody/1/else", "until": until_then})
    await owner.change("t/a", 1)
    relay = owner.relay()
    async with running(relay):
        await until(lambda: relay.pending == 1)  # counted after a round of sending
        assert not relay.holds_lease
        assert relay.sent == 0
        assert await owner.waiting() == 1
        await leases.update_one({"_id": LEASE}, {"$set": {"until": datetime.now(UTC)}})
        await until(lambda: owner.sequences("t/a") == [1])
        assert relay.holds_lease


async def test_one_of_two_relays_sends_and_the_other_takes_over_when_it_stops(owner: Owner) -> None:
    first, second = owner.relay(), owner.relay()
    async with running(second):
        await until(lambda: second.holds_lease)
        async with running(first):
            await owner.change("t/a", 1)
            await until(lambda: owner.sequences("t/a") == [1])
            assert not first.holds_lease
    await owner.change("t/a", 2)
    async with running(first):
        await until(lambda: owner.sequences("t/a") == [1, 2])
        await until(lambda: (first.sent, second.sent) == (1, 1))


class LosesAnswers(Publisher):
    """Sends, and reports a missing answer for the first so many batches."""

    lost = 1

    async def send(
        self, topic: str, envelopes: Iterable[Envelope], *, headers: Headers = ()
    ) -> list[RecordMetadata | Exception]:
        results = await super().send(topic, envelopes, headers=headers)
        if self.lost:
            self.lost -= 1
            return [TimeoutError("no answer")] * len(results)
        return results


async def test_a_send_without_an_answer_is_sent_again_as_the_same_event(owner: Owner) -> None:
    await owner.change("t/a", 1)
    await owner.change("t/a", 2)
    async with LosesAnswers(owner.bootstrap) as publisher, running(owner.relay(publisher=publisher)):
        await until(lambda: len(owner.read) == 4)
        await until_sent(owner)
    assert owner.sequences("t/a") == [1, 2, 1, 2]
    assert len({item.event.id for item in owner.read}) == 2
    newest: dict[str, ConsumedEvent] = {}
    for item in owner.read:  # what every reader does: only what is newer is taken
        if item.event.subject not in newest or item.event.sequence > newest[item.event.subject].event.sequence:
            newest[item.event.subject] = item
    assert newest["t/a"].record.offset == 1


async def test_stamps_keep_growing_even_if_the_broker_lost_its_data(owner: Owner) -> None:
    for sequence in (1, 2, 3):
        await owner.change("t/a", sequence)
    async with running(owner.relay(stamp=True)):
        await until(lambda: len(owner.read) == 3)
        await until_sent(owner)
    before = [item.event.catalog_revision for item in owner.read]
    assert before == sorted(set(before))
    assert before[0] >= 1
    emptied = f"{owner.topic}-anew"
    await create_topics(owner.bootstrap, [TopicSpec(emptied, 2, 1, {})])
    await owner.republish(["t/a"])
    owner.read.clear()
    follower = Follower(owner.bootstrap, emptied, owner.on_things)
    async with running(follower, owner.relay(stamp=True, topic=emptied)):
        await until(lambda: owner.sequences("t/a") == [3])
    assert owner.read[0].event.catalog_revision > before[-1]


async def test_a_repeated_send_uses_new_stamps(owner: Owner) -> None:
    await owner.change("t/a", 1)
    async with LosesAnswers(owner.bootstrap) as publisher, running(owner.relay(publisher=publisher, stamp=True)):
        await until(lambda: len(owner.read) == 2)
    first, again = (item.event.catalog_revision for item in owner.read)
    assert first < again


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a batch hold 10 documents."""
    monkeypatch.setattr(relay_module, "_BATCH", 10)


@pytest.mark.usefixtures("small_batches")
async def test_many_batches_are_sent_once_and_removed(owner: Owner) -> None:
    keys = [f"t/{n:02}" for n in range(45)]
    for key in keys:
        await owner.change(key, 1)
    for key in keys[::7]:
        await owner.change(key, 2)
    relay = owner.relay()
    async with running(relay):
        await until_sent(owner)
        await until(lambda: relay.sent == len(owner.read) == 45 + 7)
        await owner.change("t/last", 1)  # what the relay would send again would go before this
        await until(lambda: owner.sequences("t/last") == [1])
    assert [owner.sequences(key) for key in keys] == [[1, 2] if n % 7 == 0 else [1] for n in range(45)]
    assert len(owner.read) == 45 + 7 + 1
    for n, key in enumerate(keys):
        assert (await owner.document(key))["acknowledged"]["sequence"] == (2 if n % 7 == 0 else 1)


@pytest.mark.usefixtures("small_batches")
async def test_a_document_changed_while_its_batch_is_removed_keeps_its_order(owner: Owner) -> None:
    """The first batch has been sent and is not removed yet; the next one is sent meanwhile, without its documents."""
    relay = owner.relay()
    removing, go_on = asyncio.Event(), asyncio.Event()
    remove = relay._remove

    async def late(batch: relay_module._Batch) -> None:
        removing.set()
        await go_on.wait()
        await remove(batch)

    relay._remove = late  # type: ignore[method-assign]
    for n in range(10):
        await owner.change(f"t/first-{n}", 1)
    for n in range(5):
        await owner.change(f"t/next-{n}", 1)
    async with running(relay):
        await asyncio.wait_for(removing.wait(), WAIT_SECONDS)
        await owner.change("t/first-3", 2)
        await until(lambda: all(owner.sequences(f"t/next-{n}") == [1] for n in range(5)))
        assert owner.sequences("t/first-3") == [1]
        go_on.set()
        await until(lambda: owner.sequences("t/first-3") == [1, 2])
        await until_sent(owner)
    assert len(owner.read) == 16


@pytest.mark.usefixtures("small_batches")
async def test_a_batch_without_answers_is_sent_again_and_the_next_one_is_not_lost(owner: Owner) -> None:
    for n in range(25):
        await owner.change(f"t/{n}", 1)
    async with LosesAnswers(owner.bootstrap) as publisher, running(owner.relay(publisher=publisher)):
        await until_sent(owner)
        await until(lambda: len({item.event.subject for item in owner.read}) == 25)
    again = [key for key in {item.event.subject for item in owner.read} if owner.sequences(key) == [1, 1]]
    assert len(again) == 10


async def test_a_relay_paused_during_a_send_overwrites_nothing_newer(owner: Owner) -> None:
    await owner.change("t/a", 1)
    async with Paused(owner.bootstrap) as publisher, running(owner.relay(publisher=publisher)):
        await asyncio.wait_for(publisher.reached.wait(), WAIT_SECONDS)
        second = owner.relay()
        until_then = datetime.now(UTC) + timedelta(hours=1)
        lease = {"holder": second._lease.holder, "until": until_then}
        await owner.database["leases"].update_one({"_id": LEASE}, {"$set": lease})
        async with running(second):
            await until(lambda: owner.sequences("t/a") == [1])
            await owner.change("t/a", 2)
            await until(lambda: owner.sequences("t/a") == [1, 2])
            await until_sent(owner)
            publisher.go_on.set()
            await until(lambda: owner.sequences("t/a")[:4] == [1, 2, 1, 2])
            await until_sent(owner)
            assert (await owner.document("t/a"))["acknowledged"]["sequence"] == 2


async def test_large_events_do_not_overfill_their_document(owner: Owner) -> None:
    for sequence in range(1, 20):
        large = new_event("here", "t/a", sequence, CourseWithdrawn("t", "x" * (KEPT_BYTES // 2)))
        update = outbox_push(large) if sequence > 1 else {"$set": {"sequence": 1, **outbox_insert(large)}}
        await owner.database[COLLECTION].update_one({"_id": "t/a"}, update, upsert=True)
    outbox = (await owner.document("t/a"))["outbox"]
    assert [entry["sequence"] for entry in outbox] == [19]
    update = outbox_push(thing("t/a", 20))
    await owner.database[COLLECTION].update_one({"_id": "t/a"}, update)
    async with running(owner.relay()):
        await until(lambda: owner.sequences("t/a")[-1:] == [20])
        await until_sent(owner)


async def test_an_event_that_is_too_large_is_sent_in_its_reduced_form(owner: Owner) -> None:
    large = new_event("here", "t/a", 1, CourseWithdrawn("t", "a" + "x" * MAX_VALUE_BYTES))
    await owner.database[COLLECTION].insert_one({"_id": "t/a", "sequence": 1, **outbox_insert(large)})
    small = thing("t/a", 1).data
    relay = owner.relay(reduced=lambda one: msgspec.structs.replace(one, data=small))
    async with running(relay):
        await until(lambda: owner.sequences("t/a") == [1])
        await until_sent(owner)
    assert owner.read[0].event.id == large.id
    assert owner.read[0].event.data == CourseWithdrawn("t", "a")


async def test_an_unsendable_event_delays_only_its_own_document(owner: Owner) -> None:
    large = new_event("here", "t/a", 1, CourseWithdrawn("t", "x" * (2 * MAX_VALUE_BYTES)))
    await owner.database[COLLECTION].insert_one({"_id": "t/a", "sequence": 1, **outbox_insert(large)})
    relay = owner.relay()
    async with running(relay):
        await owner.change("t/b", 1)
        await until(lambda: owner.sequences("t/b") == [1] and relay.unsendable == 1)
        await owner.change("t/b", 2)
        await until(lambda: owner.sequences("t/b") == [1, 2] and relay.sent == 2)  # and both are removed
    assert await owner.waiting() == 1


async def test_an_event_staged_by_another_version_is_sent_without_unknown_fields(owner: Owner) -> None:
    await owner.change("t/a", 1)
    await owner.database[COLLECTION].update_one({"_id": "t/a"}, {"$set": {"outbox.0.of_a_newer_version": [1]}})
    async with running(owner.relay()):
        await until_sent(owner)
        await until(lambda: owner.sequences("t/a") == [1])


@pytest.mark.parametrize("wrong", [{"sequence": "1"}, {"id": None}, {"time": "soon"}, {"data": 7}])
async def test_an_undecodable_event_delays_only_its_own_document(owner: Owner, wrong: dict[str, object]) -> None:
    await owner.change("t/a", 1)
    changed = {f"outbox.0.{name}": value for name, value in wrong.items()}
    await owner.database[COLLECTION].update_one({"_id": "t/a"}, {"$set": changed})
    await owner.change("t/b", 1)
    async with running(relay := owner.relay()):
        await until(lambda: owner.sequences("t/b") == [1] and relay.unsendable == 1)
        await owner.change("t/b", 2)
        await until(lambda: owner.sequences("t/b") == [1, 2])
    assert len((await owner.document("t/a"))["outbox"]) == 1


async def test_a_change_wakes_the_relay(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_SWEEP_SECONDS", 3600.0)  # so that nothing but a wake makes it send
    relay = owner.relay()
    async with running(relay):
        await owner.change("t/a", 1)
        await until(lambda: len(owner.read) == 1)
        for sequence in (2, 3, 4):
            await owner.change("t/a", sequence)
            await until(lambda: len(owner.read) == sequence)  # noqa: B023 - awaited in this very turn


async def test_a_relay_woken_while_stopping_stops(owner: Owner) -> None:
    relay = owner.relay()
    task = asyncio.create_task(relay.run())
    await until(lambda: relay.holds_lease)
    await asyncio.sleep(0.2)
    relay._wake.set()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=WAIT_SECONDS)
    assert done


async def test_a_relay_is_cancelled_while_its_reading_back_stops(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, stopping, gate = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class StopsLate(Follower):
        async def run(self) -> None:
            reading.set()
            try:
                await super().run()
            finally:
                stopping.set()
                await gate.wait()

    monkeypatch.setattr(read_back_module, "Follower", StopsLate)
    relay = owner.relay()
    renew_once(relay)
    relaying = asyncio.create_task(relay.run())
    try:
        await asyncio.wait_for(reading.wait(), WAIT_SECONDS)
        relay._lease._deadline = 0.0
        await asyncio.wait_for(stopping.wait(), WAIT_SECONDS)
        relaying.cancel()
        await asyncio.wait({relaying}, timeout=WAIT_SECONDS)
        assert relaying.cancelled()
    finally:
        gate.set()
        relaying.cancel()


async def test_the_newest_events_are_kept_if_too_many_wait(owner: Owner) -> None:
    for sequence in range(1, 26):
        await owner.change("t/a", sequence)
    outbox = (await owner.document("t/a"))["outbox"]
    assert [entry["sequence"] for entry in outbox] == list(range(26 - KEPT, 26))
    async with running(owner.relay()):
        await until(lambda: owner.sequences("t/a") == list(range(6, 26)))


async def test_the_relay_waits_for_an_unavailable_mongodb(
    own_mongodb: Mongod, kafka_bootstrap: str, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with owning(own_mongodb.address, kafka_bootstrap, namespace) as owner, running(owner.relay()):
        await owner.change("t/a", 1)
        await until(lambda: owner.sequences("t/a") == [1])
        own_mongodb.kill()
        await until(lambda: "waits" in caplog.text)
        await own_mongodb.start()
        await owner.change("t/a", 2)
        await until(lambda: 2 in owner.sequences("t/a"))
        await until_sent(owner)
