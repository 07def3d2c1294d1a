"""When a relay sends documents of bulks, and how many: after single events, slowly, and no faster than the reader.

An import and the relay share a process and a database, and a single event must not wait behind an import.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from shared.outbox import BULK_DELAY, BULK_FIRST_SECONDS, BULK_PAUSE_SECONDS, Document, Staged

log = logging.getLogger(__name__)

Backlog = Callable[[], Awaitable[int | None]]

_EVERY_SECONDS = 2.0
_ASK_SECONDS = 0.05
_ANSWER_SECONDS = 10.0


class BulkPacing:
    """Decides when and how many documents of bulks are sent. `rate`: documents per second, None: without a limit.

    `wake`: tells what the stores of this process have staged. `backlog`: returns how many records the reader has not
    handled, None if that is unknown. At most as many may wait there as the rate allows in one pause, and fewer if the
    reader is slower.
    """

    def __init__(self, wake: Staged, topic: str, rate: float | None, backlog: Backlog | None) -> None:
        self.rate = rate
        self._wake = wake
        self._topic = topic
        self._backlog = backlog
        self._sent_at = float("-inf")
        self._share = 0.0
        self._more = False
        self._asked: asyncio.Task[int | None] | None = None
        self._backlog_failed = False
        self._window_size = self._pause_share
        self._window_at = float("-inf")

    @property
    def is_running(self) -> bool:
        """Whether a bulk is being written or sent."""
        return self._wake.in_bulk or self._more

    def besides_bulks(self) -> Document:
        """Return the query condition that excludes events of bulks.

        Without a rate it excludes them only while a bulk is written: during its first minute, and after that except
        once every two seconds.
        """
        now = asyncio.get_running_loop().time()
        next_at = max(self._sent_at + _EVERY_SECONDS, self._wake.bulk_since + BULK_FIRST_SECONDS)
        if self.rate or (self._wake.in_bulk and now < next_at):
            return {"staged_at": {"$lt": _bulks_from()}}
        self._sent_at = now
        return {}

    @staticmethod
    def bulks_only() -> Document:
        """Return the query condition that selects events of bulks."""
        return {"staged_at": {"$gte": _bulks_from()}}

    async def allowance(self) -> int:
        """Return how many documents of bulks may be sent now: at most as many as the rate allows in one pause.

        0 if no bulk is known and less than two seconds have passed: otherwise single events would often cost a query
        for the bulks of other processes. In the first minute of a bulk that is still being written, the documents of
        one pause are sent every two seconds.
        """
        now = asyncio.get_running_loop().time()
        if not self.rate or not (self.is_running or now >= self._sent_at + _EVERY_SECONDS):
            return 0
        next_at = min(self._sent_at + _EVERY_SECONDS, self._wake.bulk_since + BULK_FIRST_SECONDS)
        if self._wake.in_bulk and now < next_at:
            return 0
        earned = self.rate * min(now - self._sent_at, BULK_PAUSE_SECONDS)
        self._sent_at, self._share = now, min(self._share + earned, max(1.0, self.rate * BULK_PAUSE_SECONDS))
        most = int(self._share)
        if most >= 1 and self._more and self._backlog:
            if self._asked is None:
                self._asked = asyncio.create_task(self._known_backlog(self._backlog))
                await asyncio.wait({self._asked}, timeout=_ASK_SECONDS)
            if not self._asked.done():  # single events do not wait for the answer
                return 0
            behind, self._asked = self._asked.result(), None
            if behind is not None:
                most = min(most, self._window(behind) - behind)
        return max(most, 0)

    def note_sent(self, found: int, *, more: bool) -> None:
        """Record how many documents of bulks were found and sent, and whether more may wait."""
        self._share -= found
        self._more = more

    async def _known_backlog(self, ask: Callable[[], Awaitable[int | None]]) -> int | None:
        """Return the backlog, None if it is not known in time: then the rate alone limits a bulk."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                behind = await ask()
        except Exception as error:  # noqa: BLE001 - any error: events are sent nevertheless
            if not self._backlog_failed:
                log.warning("the backlog of the readers of %s is not known: %r", self._topic, error)
            self._backlog_failed = True
            return None
        self._backlog_failed = False
        return behind

    def _window(self, behind: int) -> int:
        """Return how many records may wait for the reader, given the number that waits now.

        It is adjusted once per pause, when the reader should have processed the last batch. If half of it or more is
        left, the machine is busy and a single event would have to wait: the number is halved, down to a fifth of what
        the rate allows, so that a slow commit does not stop the bulk. Otherwise it grows by half.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._window_at + BULK_PAUSE_SECONDS:
            window = self._window_size
            window = window // 2 if 2 * behind >= window else window + (window + 1) // 2
            least = max(self._pause_share // 5, 1)
            self._window_size, self._window_at = min(max(window, least), self._pause_share), now
        return self._window_size

    @property
    def _pause_share(self) -> int:
        """What the rate allows in one pause, at least one."""
        return max(1, int((self.rate or 0) * BULK_PAUSE_SECONDS))


def _bulks_from() -> datetime:
    """Return a time between those of single events and those of bulks."""
    return datetime.now(UTC) + BULK_DELAY / 2
