"""Keeps the open streams of this replica; each stream holds the newest message that was not sent yet.

This module uses neither HTTP nor Kafka.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.auth import FORGOTTEN_SECONDS
from shared.templates import Language

Drop = Literal["shutdown", "follower", "slow", "expired", "revoked", "unchecked", "erased", "large"]


Languages = tuple[Language, ...]
Renderer = Callable[[Languages], str]


class StreamMessage(Struct, frozen=True):
    """A message for a stream. `data`: JSON, or a function that returns the JSON in the languages of the stream.

    `revision` orders the paths and the erasure of one officer; it is 0 for a status.
    """

    event: Literal["path", "status", "erased"]
    data: str | Renderer
    revision: int = 0

    def render(self, languages: Languages) -> str:
        """Return the JSON to send, with sentences in these languages if `data` is a function."""
        return self.data if isinstance(self.data, str) else self.data(languages)


class Connection:
    """One open stream, with the newest message that was not sent yet.

    `key_id`: the API key with which it was opened. `last_event_id`: the revision that the client has. `newest`: the
    largest revision that was offered, 0 before the first.
    """

    def __init__(self, key_id: str = "", last_event_id: str | None = None) -> None:
        self.key_id = key_id
        self.newest = 0
        self._known = last_event_id
        self._slot: StreamMessage | None = None
        self._closed = False
        self._wake = asyncio.Event()

    @property
    def has_result(self) -> bool:
        """Whether a path or an erasure was offered; a status does not count."""
        return self.newest > 0

    def offer(self, push: StreamMessage) -> bool:
        """Keep a message for sending, unless it is older than one that was offered, or the client has it.

        A status is ignored after a path or an erasure. Returns whether the message replaced one that was not sent yet.
        """
        if push.event == "status":
            if self.has_result:
                return False
        elif 0 < push.revision <= self.newest:
            return False
        else:
            self.newest = max(self.newest, push.revision, 1)
            if str(push.revision) == self._known:
                self._slot = None
                return False
        replaced = self._slot is not None
        self._slot = push
        self._wake.set()
        return replaced

    async def next(self) -> StreamMessage | None:
        """Wait for the next message and return it; return None if the stream was closed."""
        await self._wake.wait()
        if self._closed:
            return None
        self._wake.clear()
        push, self._slot = self._slot, None
        return push if push is not None else await self.next()

    def close(self) -> bool:
        """End the stream without sending a waiting message; the client gets the path when it reconnects.

        Returns False if it was ended before: it lasts until what is being sent is sent.
        """
        was_open, self._closed = not self._closed, True
        self._wake.set()
        return was_open


class Connections(Collector):
    """All open streams of this replica, by officer, and their metrics. The key of an officer is `tenant/officer`.

    `pushes`: the number of sent messages. `superseded`: the number of messages that a newer one replaced before they
    were sent. `dropped`: the number of streams that the portal ended, by reason.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._shut = False
        self.pushes = 0
        self.superseded = 0
        self.dropped: dict[Drop, int] = dict.fromkeys(get_args(Drop), 0)
        self._by_key: dict[str, set[Connection]] = {}
        self._clock = clock
        self._erased: dict[str, float] = {}

    @property
    def streams(self) -> int:
        """The number of open streams."""
        return sum(map(len, self._by_key.values()))

    @contextmanager
    def open(self, key: str, key_id: str, last_event_id: str | None = None) -> Iterator[Connection]:
        """Register a stream of the officer `key`, opened with the API key `key_id`, until the block ends."""
        connection = Connection(key_id, last_event_id)
        if self._shut:
            connection.close()
        self._by_key.setdefault(key, set()).add(connection)
        try:
            yield connection
        finally:
            self._by_key[key].discard(connection)
            if not self._by_key[key]:
                del self._by_key[key]

    def watches(self, key: str) -> bool:
        """Return whether a stream of the officer `key` is open."""
        return key in self._by_key

    def newest(self, key: str) -> int:
        """Return the largest revision that was offered to a stream of the officer `key`; 0 without one."""
        return max((connection.newest for connection in self._by_key.get(key, ())), default=0)

    def was_erased(self, key: str) -> bool:
        """Return whether the officer `key` was erased so recently that this process may still accept an old API key."""
        return self._erased.get(key, -FORGOTTEN_SECONDS) > self._clock() - FORGOTTEN_SECONDS

    def push(self, key: str, push: StreamMessage) -> None:
        """Offer a message to every open stream of the officer `key`."""
        if push.event == "erased":
            self._erased = {one: at for one, at in self._erased.items() if self.was_erased(one)} | {key: self._clock()}
        for connection in self._by_key.get(key, ()):
            self.superseded += connection.offer(push)

    @property
    def key_ids(self) -> set[str]:
        """The ids of the API keys with which the open streams were opened."""
        return {connection.key_id for connections in self._by_key.values() for connection in connections}

    def drop_keys(self, key_ids: Collection[str]) -> None:
        """End the streams that were opened with these API keys, which were revoked or have expired."""
        for connections in self._by_key.values():
            for connection in connections:
                if connection.key_id in key_ids:
                    self.dropped["revoked"] += connection.close()

    def drop(self, key: str, why: Drop) -> None:
        """End the streams of the officer `key`, so that the clients reconnect; count them under the reason `why`."""
        for connection in self._by_key.get(key, ()):
            self.dropped[why] += connection.close()

    def drop_all(self, why: Drop) -> None:
        """End every stream, so that the clients reconnect; count them under the reason `why`.

        If the reason is `shutdown`, new streams end at once too, so that clients go to another replica.
        """
        self._shut = self._shut or why == "shutdown"
        for connections in self._by_key.values():
            for connection in connections:
                self.dropped[why] += connection.close()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the streams, for Prometheus."""
        yield GaugeMetricFamily("learning_path_portal_streams", "Live streams that are open.", self.streams)
        yield CounterMetricFamily("learning_path_portal_pushed_events", "Events sent on live streams.", self.pushes)
        yield CounterMetricFamily(
            "learning_path_portal_conflated_paths",
            "Paths that a newer one replaced before they were sent to a stream.",
            self.superseded,
        )
        dropped = CounterMetricFamily(
            "learning_path_portal_closed_streams", "Streams ended by the portal, by reason.", labels=["reason"]
        )
        for reason, number in self.dropped.items():
            dropped.add_metric([reason], number)
        yield dropped
