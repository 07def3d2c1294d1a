"""Reads a topic as a member of a consumer group, which handles each record at least once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from shared.cloudevents import from_kafka
from shared.errors import Rejected, Unavailable
from shared.events import Event
from shared.kafka.client import BATCH, FETCH_WAIT_MS, Brokers, Lag, backoff, connection, poll, start, within
from shared.kafka.delivery import Delivery
from shared.kafka.publisher import Publisher
from shared.kafka.records import OnEvents, Record, dead_letter, is_bulk
from shared.kafka.topics import TopicIdentity, TopicReplaced

log = logging.getLogger(__name__)

_NEVER_MS = 24 * 3600 * 1000  # a batch that waits for MongoDB keeps its partitions: heartbeats go on meanwhile
_COMMIT_SECONDS = 10.0  # longer than a member that does not answer stays in the group
_TOGETHER_SECONDS = 0.5
"""How long handled records stay uncommitted while others are read: one commit then covers several batches. A record
that is waited for is not delayed by the commit of the one before it. When nothing comes, they are committed too."""

_SETTLED_SECONDS = 60.0  # by then every replica has noticed that a topic is another one

_ROOMS = (None, 900_000, 100_000, 10_000, 2_000)
"""The byte limits of a dead letter's value that are tried in turn: all of it, what fits a record of 1 MiB, and less for
a topic that takes less."""


async def _nothing() -> None:
    pass


class GroupConsumer:
    """Reads a topic as a member of a consumer group; the package's docstring states its guarantees.

    `on_assigned` receives the partitions after every rebalance. `lag`: how many records in them are unread. A topic
    that was deleted and created again, or that ends before the position, is read from its beginning; `replaced` counts
    how often. Each offset is committed with the topic's id: one that was committed for a former topic is not used. So
    the group is joined once the id is known.
    """

    def __init__(  # noqa: PLR0913 - a consumer is made once, by name, in a __main__
        self,
        brokers: Brokers,
        topic: str,
        group: str,
        on_events: OnEvents,
        *,
        publisher: Publisher,
        on_assigned: Callable[[frozenset[int]], None] = lambda _: None,
    ) -> None:
        self.topic = topic
        self.dead_lettered = 0
        self.lag = 0
        self.replaced = 0
        self.partitions: frozenset[int] = frozenset()
        self._group = group
        self._delivery = Delivery(group, _decode, on_events, self._send_to_dlq)
        self._on_assigned = on_assigned
        self._publisher = publisher
        self._brokers = brokers
        self._stopping = asyncio.Event()
        self._in_hand = False
        self._identity = TopicIdentity(brokers, topic)
        self._read: dict[TopicPartition, int] = {}
        self._handled: dict[TopicPartition, int] = {}
        """The offsets that are to be committed."""
        self._commit_at = 0.0
        self._from_beginning_until = 0.0

    @property
    def stalled_seconds(self) -> float:
        """Seconds since the current records last made progress (one handled or dead-lettered); 0 without records."""
        return self._delivery.stalled_seconds

    async def run(self, prepared: Callable[[], Awaitable[None]] = _nothing) -> None:
        """Consume until `stop` is called; join the group after `prepared`. Raises KafkaError if no retry can help."""
        consuming = asyncio.ensure_future(self._consume_after(prepared))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({consuming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self._in_hand:
                await asyncio.wait({consuming})
        finally:
            stopping.cancel()
            consuming.cancel()
            await asyncio.wait({consuming})
        if not consuming.cancelled():
            consuming.result()

    async def _consume_after(self, prepared: Callable[[], Awaitable[None]]) -> None:
        await prepared()
        while not self._stopping.is_set():
            try:
                await self._consume()
            except TopicReplaced:
                log.warning("%s is another topic than before; %s reads it from its beginning", self.topic, self._group)
                self.replaced += 1
                self._from_beginning_until = asyncio.get_running_loop().time() + _SETTLED_SECONDS

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(
            **connection(self._brokers),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_poll_interval_ms=_NEVER_MS,
            session_timeout_ms=6_000,  # how long nobody reads the partitions of a killed replica; brokers allow no less
            heartbeat_interval_ms=1_000,  # how late a member notices that another joins or leaves, and all wait for it
            rebalance_timeout_ms=60_000,
        )
        listener = _Assignment(partial(self._commit, consumer), partial(self._assigned, consumer))
        consumer.subscribe([self.topic], listener=listener)
        lag = Lag(consumer)
        try:
            await self._identify()
            await start(consumer)
            while not self._stopping.is_set():
                await self._check_identity()
                polled = await poll(consumer, BATCH)
                self._notice_reset(polled)
                await self._handle(consumer, polled)
                self.lag = await lag.measured()
        finally:
            self._in_hand = True  # so that `run` does not cancel it
            await self._identity.stop()
            await within(self._commit(consumer))
            await within(consumer.stop())
            self._in_hand = False

    async def _identify(self) -> None:
        """Wait until the topic's id is known, with which what is committed is compared."""
        attempt = 0
        await self._check_identity()
        while self._identity.id is None:
            attempt += 1
            await asyncio.sleep(backoff(attempt))
            await self._check_identity()

    async def _check_identity(self) -> None:
        if await self._identity.changed():
            self._handled.clear()  # offsets of the former topic
            raise TopicReplaced(self.topic)

    async def _handle(self, consumer: AIOKafkaConsumer, polled: list[Record]) -> None:
        """Deliver records, and commit what is handled if no record has come or the commit is due.

        Records of a bulk are committed at once: its sender reads from the committed offsets how much it may send.
        """
        loop = asyncio.get_running_loop()
        self._in_hand = True
        try:
            if polled:
                if not self._handled:
                    self._commit_at = loop.time() + _TOGETHER_SECONDS
                await self._delivery.deliver(polled)
                for record in polled:
                    self._handled[TopicPartition(record.topic, record.partition)] = record.offset + 1
            if not polled or loop.time() >= self._commit_at or any(map(is_bulk, polled)):
                await self._commit(consumer)
        finally:
            self._in_hand = False

    def stop(self) -> None:
        """Make `run` return; it waits only until the current batch is handled, and what is handled is committed."""
        self._stopping.set()

    def _notice_reset(self, polled: list[Record]) -> None:
        """Count a position that moved back: the log ended before it, and the client restarted from the beginning."""
        for record in polled:
            place = TopicPartition(record.topic, record.partition)
            if record.offset < self._read.get(place, 0):
                log.warning("%s/%d is shorter than it was; it is read again", record.topic, record.partition)
                self.replaced += 1
            self._read[place] = record.offset + 1

    async def _assigned(self, consumer: AIOKafkaConsumer, places: frozenset[TopicPartition]) -> None:
        self._read.clear()  # what was read and not committed comes again
        self._handled.clear()
        former = await self._former(consumer, places)
        if former:
            await consumer.seek_to_beginning(*former)
        self.partitions = frozenset(place.partition for place in places)
        self._on_assigned(self.partitions)

    async def _former(
        self, consumer: AIOKafkaConsumer, places: frozenset[TopicPartition]
    ) -> Collection[TopicPartition]:
        """Return the partitions whose committed offset is of a former topic.

        For a minute after a replacement these are all of them: the embedded broker does not store the topic's id.
        """
        if asyncio.get_running_loop().time() < self._from_beginning_until:
            return places
        committed = await consumer._coordinator.fetch_committed_offsets(places)  # noqa: SLF001 - its `committed` returns no metadata
        return [place for place, one in committed.items() if one.metadata and one.metadata != self._topic_id]

    @property
    def _topic_id(self) -> str:
        return str(self._identity.id)

    async def _send_to_dlq(self, record: Record, reason: str) -> None:
        """Send the record to the dead-letter topic, retrying without limit: it may be committed only after that.

        A record too large for the topic is truncated; see `dead_letter`.
        """
        attempt, room = 0, 0
        while True:
            attempt += 1
            letter = dead_letter(record, self._group, reason, _ROOMS[room])
            try:
                await self._publisher.resend(f"{self.topic}.dead", *letter)
                break
            except Rejected as error:
                if room + 1 < len(_ROOMS):
                    room += 1
                    continue
                log.error("%s: the dead-letter topic accepts no record: %s", self._group, error)  # noqa: TRY400 - no traceback: it may hold data
            except Unavailable as error:
                log.warning("%s cannot reach the dead-letter topic: %s", self._group, error.detail)
            await asyncio.sleep(backoff(attempt))
        self.dead_lettered += 1
        log.error("%s dead-lettered %s/%d/%d: %s", self._group, record.topic, record.partition, record.offset, reason)

    async def take_back(self, key: str) -> None:
        """Retract the dead letters of a key: replaying skips them, and compaction removes them.

        Raises Unavailable.
        """
        await self._publisher.resend(f"{self.topic}.dead", key.encode(), None, [])

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit the handled records, if there are any. Without an answer in time, the next call commits them again."""
        if not self._handled:
            return
        offsets = dict(self._handled)
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await consumer.commit({place: (offset, self._topic_id) for place, offset in offsets.items()})
        except TimeoutError:
            log.warning("%s: not known to be committed, will be committed again", self._group)
            return
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("%s: not committed, will be redelivered: %r", self._group, error)
        self._handled = {place: offset for place, offset in self._handled.items() if offset != offsets.get(place)}


def _decode(record: Record) -> Event:
    return from_kafka(record.key, record.value, record.headers)


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka carries no types
    def __init__(
        self, commit: Callable[[], Awaitable[None]], tell: Callable[[frozenset[TopicPartition]], Awaitable[None]]
    ) -> None:
        self._commit = commit
        self._tell = tell

    async def on_partitions_revoked(self, _: Iterable[TopicPartition]) -> None:
        """Commit what is handled. The current batch may be handled twice: handlers are idempotent."""
        await self._commit()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._tell(frozenset(assigned))
