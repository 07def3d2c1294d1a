"""What a relay reads back of its topic: no old record stays last, and a topic that loses events is filled again."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.cloudevents import to_kafka
from shared.events import Envelope
from shared.kafka import ConsumedEvent, Follower, Headers, Publisher, RecordMetadata, TopicSpec, create_topics
from shared.mongo import Document
from shared.relay import read_back as read_back_module
from shared.relay.lease import read_back_offsets
from tests.support.events import records_of
from tests.support.outbox import (
    COLLECTION,
    LEASE,
    Owner,
    Paused,
    thing,
    until_read_back,
    until_sent,
)
from tests.support.servers import recreate_topic
from tests.support.waiting import WAIT_SECONDS, running, until


async def test_an_old_record_that_arrives_late_does_not_stay_last(owner: Owner) -> None:
    async with running(owner.relay()):
        for sequence in (1, 2, 3):
            await owner.change("t/a", sequence)
        await until(lambda: owner.sequences("t/a") == [1, 2, 3])
        await until_sent(owner)
        await owner.publisher.send(owner.topic, [thing("t/a", 1)])
        await until(lambda: owner.sequences("t/a") == [1, 2, 3, 1, 3])
        await until_read_back(owner)
        assert await owner.waiting() == 0  # its own records make it stage nothing
    assert owner.sequences("t/a")[-1] == 3
    assert len(owner.read) == 5


@pytest.mark.parametrize("stamp", [False, True])
async def test_an_old_record_of_a_document_removed_with_others_does_not_stay_last(owner: Owner, stamp: bool) -> None:
    keys = [f"t/{n}" for n in range(8)]
    for key in keys:
        await owner.change(key, 1)
        await owner.change(key, 2)
        update = {"$pull": {"outbox": {"sequence": 1}}}  # one event each, of the same sequence
        await owner.database[COLLECTION].update_one({"_id": key}, update)
    async with one_partition(owner), running(owner.relay(stamp=stamp)):
        await until(lambda: len(owner.read) == 8)
        await until_sent(owner)
        await until_read_back(owner)
        assert len(owner.read) == 8  # its own records make it stage nothing
        stamps = {item.event.subject: item.event.catalog_revision for item in owner.read}
        old = msgspec.structs.replace(thing("t/5", 1), catalog_revision=stamps["t/5"])
        await owner.publisher.send(owner.topic, [old])
        await until(lambda: owner.sequences("t/5")[-2:] == [1, 2])
        await until_sent(owner)
    assert not stamp or compacted(owner.read) == dict.fromkeys(keys, 2)


def compacted(records: Iterable[ConsumedEvent]) -> dict[str, int]:
    """Return subject -> sequence as a new reader of the compacted topic holds them: it drops older stamps."""
    last = {item.event.subject: item for item in records}
    held, highest = {}, 0
    for item in sorted(last.values(), key=lambda one: one.record.offset):
        if item.event.catalog_revision > highest:
            highest = item.event.catalog_revision
            held[item.event.subject] = item.event.sequence
    return held


@asynccontextmanager
async def one_partition(owner: Owner) -> AsyncIterator[None]:
    """Let the owner announce on a topic with one order for all."""
    owner.topic = f"{owner.topic}-ordered"
    await create_topics(owner.bootstrap, [TopicSpec(owner.topic, 1, 1, {})])
    async with running(Follower(owner.bootstrap, owner.topic, owner.on_things)):
        yield


async def test_a_record_with_an_old_stamp_does_not_stay_last(owner: Owner) -> None:
    async with one_partition(owner), running(owner.relay(stamp=True)):
        await owner.change("t/a", 1)
        await until(lambda: owner.sequences("t/a") == [1])
        await owner.change("t/b", 1)
        await until(lambda: owner.sequences("t/b") == [1])
        await until_sent(owner)
        stamps = [item.event.catalog_revision for item in owner.read]
        old = msgspec.structs.replace(thing("t/a", 1), catalog_revision=stamps[0])
        await owner.publisher.send(owner.topic, [old])
        await until(lambda: len(owner.read) == 4)
        await until(lambda: compacted(owner.read) == {"t/a": 1, "t/b": 1})
    assert owner.read[-1].event.subject == "t/a"
    assert owner.read[-1].event.catalog_revision > stamps[1]


async def test_a_record_that_cannot_be_read_does_not_stay_last(owner: Owner) -> None:
    async with running(owner.relay()):
        await owner.change("t/a", 1)
        await until(lambda: owner.sequences("t/a") == [1])
        await until_sent(owner)
        for key in (b"t/a", b"t/unknown", b"\xff"):
            await owner.publisher.resend(owner.topic, key, b"no event", [])
        await until(lambda: owner.sequences("t/a") == [1, 1])
        await until_sent(owner)
        await until_read_back(owner)
        assert await owner.waiting() == 0  # its own records make it stage nothing
    assert len(owner.read) == 2


async def test_a_record_whose_data_alone_cannot_be_read_does_not_stay_last(owner: Owner) -> None:
    async with running(owner.relay()):
        await owner.change("t/a", 1)
        await until(lambda: owner.sequences("t/a") == [1])
        await until_sent(owner)
        key, _, headers = to_kafka(thing("t/a", 1))
        await owner.publisher.resend(owner.topic, key, b'{"tenant":', headers)
        await until(lambda: owner.sequences("t/a") == [1, 1])
        await until_sent(owner)
        await until_read_back(owner)
        assert await owner.waiting() == 0
    assert len(owner.read) == 2


async def test_a_relay_paused_after_reserving_stamps_leaves_no_old_stamp_last(owner: Owner) -> None:
    await owner.change("t/a", 1)
    async with (
        one_partition(owner),
        Paused(owner.bootstrap) as publisher,
        running(owner.relay(publisher=publisher, stamp=True)),
    ):
        await asyncio.wait_for(publisher.reached.wait(), 90)
        second = owner.relay(stamp=True)
        until_then = datetime.now(UTC) + timedelta(hours=1)
        lease = {"holder": second._lease.holder, "until": until_then}
        await owner.database["leases"].update_one({"_id": LEASE}, {"$set": lease})
        async with running(second):
            await until(lambda: owner.sequences("t/a") == [1])
            await owner.change("t/b", 1)
            await until(lambda: owner.sequences("t/b") == [1])
            publisher.go_on.set()
            await until(lambda: owner.sequences("t/a")[:2] == [1, 1])
            await until(lambda: compacted(owner.read) == {"t/a": 1, "t/b": 1})


@pytest.mark.parametrize("is_running", [False, True])
async def test_records_newer_than_a_restored_mongodb_are_reported(owner: Owner, is_running: bool) -> None:
    relay = owner.relay()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(relay))
        for key in ("t/a", "t/b"):
            await owner.change(key, 1)
        await until(lambda: len(owner.read) == 2)
        await until_sent(owner)
        await until_read_back(owner)
        names = (COLLECTION, "leases")
        copy = {name: await owner.database[name].find().to_list(None) for name in names}
        for sequence in (2, 3):
            await owner.change("t/a", sequence)
            await until(lambda sequence=sequence: owner.sequences("t/a")[-1] == sequence)
        await owner.change("t/later", 1)
        await until(lambda: owner.sequences("t/later") == [1])
        await until_sent(owner)
        await until_read_back(owner)
        await until(lambda: sum(read_back_offsets(relay._lease._stored).values()) == 5, "it has seen its own position")
        assert (relay.newer, await relay.warning()) == (0, None)
        if not is_running:
            await stack.aclose()
        for name in names:
            await owner.database[name].delete_many({})
            await owner.database[name].insert_many(copy[name])
        await owner.database["leases"].update_many({}, {"$unset": {"until": ""}})  # that of a copy has ended
        if not is_running:
            relay = owner.relay()
            await stack.enter_async_context(running(relay))
        await until(lambda: relay.newer >= 3)
        assert relay.newer == 3
        assert "3 records of" in (await relay.warning() or "")
        await owner.change("t/b", 2)
        await until(lambda: owner.sequences("t/b") == [1, 2])
        await until_sent(owner)
        await until_read_back(owner)
        assert relay.newer == 3


@pytest.mark.parametrize("change", [{"$unset": {"sequence": ""}}, {"$set": {"sequence": "?"}}])
async def test_nothing_is_reported_of_a_document_whose_counter_cannot_be_read(owner: Owner, change: Document) -> None:
    relay = owner.relay()
    async with running(relay):
        await owner.change("t/a", 1)
        await until_sent(owner)
        await owner.database[COLLECTION].update_one({"_id": "t/a"}, change)
        await owner.publisher.send(owner.topic, [thing("t/a", 1)])
        await until(lambda: owner.sequences("t/a") == [1, 1])
        await until_read_back(owner)
    assert relay.newer == 0


async def test_everything_is_announced_again_in_a_topic_that_was_deleted_and_created(owner: Owner) -> None:
    for key in ("t/a", "t/b"):
        await owner.change(key, 1)
    async with running(owner.relay()):
        await until(lambda: len(owner.read) == 2)
        await until_sent(owner)
        await until_read_back(owner)
        owner.read.clear()
        await recreate_topic(owner.bootstrap, owner.topic, 2)
        await until(lambda: {item.event.subject for item in owner.read} == {"t/a", "t/b"})


async def test_everything_is_announced_again_if_the_topic_was_replaced_while_no_relay_ran(owner: Owner) -> None:
    for key in ("t/a", "t/b"):
        await owner.change(key, 1)
    async with running(owner.relay()):
        await until(lambda: len(owner.read) == 2)
        await until_sent(owner)
        await until_read_back(owner)
    owner.read.clear()
    await recreate_topic(owner.bootstrap, owner.topic, 2)
    async with running(owner.relay()):
        await until(lambda: {item.event.subject for item in owner.read} == {"t/a", "t/b"})


async def test_everything_is_announced_again_if_the_topic_is_replaced_while_it_is_announced(owner: Owner) -> None:
    for key in ("t/a", "t/b"):
        await owner.change(key, 1)
    again, republish = asyncio.Event(), owner.republish

    async def republish_and_replace(keys: Sequence[str] | None = None) -> None:
        await republish(keys)
        if not again.is_set():
            await until_sent(owner)
            await recreate_topic(owner.bootstrap, owner.topic, 2)
            again.set()

    owner.republish = republish_and_replace  # type: ignore[method-assign] # the relay calls it
    async with running(owner.relay()):
        await until(lambda: len(owner.read) == 2)
        await until_sent(owner)
        await until_read_back(owner)
        await recreate_topic(owner.bootstrap, owner.topic, 2)
        await asyncio.wait_for(again.wait(), WAIT_SECONDS)
        found = await records_of(owner.bootstrap, owner.topic, 2)
    assert {record.key for record in found} == {b"t/a", b"t/b"}


class LateAnswer(Publisher):
    """A publisher that, once `is_late` is set, holds back the answers of the broker until it is released."""

    is_late = False

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        self.landed, self.go_on = asyncio.Event(), asyncio.Event()

    async def send(
        self, topic: str, envelopes: Iterable[Envelope], *, headers: Headers = ()
    ) -> list[RecordMetadata | Exception]:
        results = await super().send(topic, envelopes, headers=headers)
        if self.is_late:
            self.landed.set()
            await self.go_on.wait()
        return results


async def test_an_answer_about_a_former_topic_says_nothing_about_the_offsets_of_the_present_one(owner: Owner) -> None:
    async with LateAnswer(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher)
        async with running(relay):
            for sequence in range(1, 6):
                await owner.change("t/a", sequence)
                await until(lambda sequence=sequence: sequence in owner.sequences("t/a"))
            await until_sent(owner)
            await until_read_back(owner)
            publisher.is_late = True
            await owner.change("t/a", 6)
            await asyncio.wait_for(publisher.landed.wait(), WAIT_SECONDS)
            await recreate_topic(owner.bootstrap, owner.topic, 2)
            await until(lambda: relay.replaced, "the other topic is noticed")
            owner.read.clear()
            publisher.go_on.set()
            await until(lambda: owner.sequences("t/a") == [6])
            await until_sent(owner)
            await owner.publisher.send(owner.topic, [thing("t/a", 1)])  # at an offset below that of the former topic
            await until(lambda: owner.sequences("t/a") == [6, 1, 6])
            assert relay.replaced == 1


class LandsAtTheBeginning(Publisher):
    """Reports, while `is_shorter`, that records landed where others had been: the broker has lost these."""

    is_shorter = False

    async def send(
        self, topic: str, envelopes: Iterable[Envelope], *, headers: Headers = ()
    ) -> list[RecordMetadata | Exception]:
        results = await super().send(topic, envelopes, headers=headers)
        if self.is_shorter:
            self.is_shorter = False
            return [RecordMetadata(one.partition, 0) for one in results if isinstance(one, RecordMetadata)]
        return results


async def lose_some(owner: Owner, publisher: LandsAtTheBeginning) -> None:
    """Announce and read back one event, then announce another one that lands where the first had been."""
    await owner.change("t/a", 1)
    await until(lambda: owner.sequences("t/a") == [1])
    await until_sent(owner)
    await until_read_back(owner)
    publisher.is_shorter = True
    await owner.change("t/b", 1)


async def test_everything_is_announced_again_if_events_land_before_earlier_ones(owner: Owner) -> None:
    async with one_partition(owner), LandsAtTheBeginning(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher)
        async with running(relay):
            await lose_some(owner, publisher)
            await until(lambda: owner.sequences("t/a") == [1, 1])
            await until_sent(owner)
            await owner.change("t/c", 1)
            await until(lambda: owner.sequences("t/c") == [1])
    assert owner.sequences("t/a") == [1, 1], "announced again once"
    assert relay.replaced == 1


@pytest.mark.parametrize("step", ["noticed", "begun"])
async def test_the_next_relay_announces_everything_again_if_one_stops_before_it_has_done_so(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    reached = asyncio.Event()

    async def stay(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with one_partition(owner), LandsAtTheBeginning(owner.bootstrap) as publisher:
        with monkeypatch.context() as stopped:
            if step == "begun":
                stopped.setattr(owner, "republish", stay)
            else:
                stopped.setattr(read_back_module.ReadBack, "_on_replaced", stay)
            async with running(owner.relay(publisher=publisher)):
                await lose_some(owner, publisher)
                await asyncio.wait_for(reached.wait(), WAIT_SECONDS)
        async with running(owner.relay()):
            await until(lambda: owner.sequences("t/a") == [1, 1])


async def test_a_lease_that_is_gained_while_everything_is_announced_again_knows_no_former_ends(owner: Owner) -> None:
    """Else each event that lands in the new topic would make the relay announce everything once more."""
    known: list[dict[int, int]] = []
    republish = owner.republish

    async def gain_and_republish(keys: Sequence[str] | None = None) -> None:
        relay._lease._deadline = 0.0
        await relay._lease.renew()
        known.append(dict(relay._lease.ends))
        await republish(keys)

    owner.republish = gain_and_republish  # type: ignore[method-assign] # the relay calls it
    async with one_partition(owner), LandsAtTheBeginning(owner.bootstrap) as publisher:
        relay = owner.relay(publisher=publisher)
        async with running(relay):
            await lose_some(owner, publisher)
            await until(lambda: owner.sequences("t/a") == [1, 1])
    assert known == [{}]


async def test_a_relay_notices_at_its_start_that_events_land_before_what_was_read_back(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asyncio.Event()
    follow = Follower.run

    async def late(self: Follower) -> None:
        await sent.wait()  # the log is longer again than the position when the follower looks
        await follow(self)

    async with one_partition(owner):
        await owner.change("t/a", 1)
        async with running(owner.relay()):
            await until(lambda: owner.sequences("t/a") == [1])
            await until_sent(owner)
            await until_read_back(owner)
        known = {"read_back.0": 2, "generation": 3}  # one more event was lost
        await owner.database["leases"].update_one({"_id": LEASE}, {"$set": known})
        for key in ("t/b", "t/c"):
            await owner.change(key, 1)
        monkeypatch.setattr(Follower, "run", late)
        async with running(owner.relay()):
            await until_sent(owner)
            sent.set()
            await until(lambda: len(owner.sequences("t/a")) > 1)
        # Everything may be announced once more, for example after a write that failed.
        assert (await owner.database["leases"].find_one({"_id": LEASE}) or {})["generation"] >= 4
