"""A queue for computations of requests: one thread pool, fair turns, a limit per caller and for all. No I/O.

The recommender computes what-ifs, questions about a path and feedback here, and the catalog its searches, so that they
never delay an event. Callers take turns, one piece of work each; a caller over its share is rejected at once, and so is
everybody over the total limit. A piece whose caller has disconnected before its turn is dropped. Used only from the
event loop.
"""

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from shared.errors import Overloaded, TooManyRequests

MAX_TASKS = 32
"""Waiting and running pieces of work together: half of `CONCURRENT_REQUESTS` by default."""

OFFICERS_SHARE, SYSTEMS_SHARE = 4, 16
"""Waiting and running pieces of work of one caller: an officer, or a system."""

THREADS = max(1, (os.cpu_count() or 1) // 2)
"""Half of the processors; events and the event loop use the others."""

RETRY_SECONDS = 2

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: a key or an officer by its `id`, and how many pieces of its work may be queued or running."""

    id: str
    share: int = OFFICERS_SHARE

    @classmethod
    def of(cls, key: str, role: str) -> "Caller":
        """Return the caller for a key, with the share of its role; an analyst has that of an officer."""
        return cls(key, OFFICERS_SHARE if role in ("officer", "analyst") else SYSTEMS_SHARE)


class WorkQueue:
    """A queue of work. `threads` 0 means THREADS.

    `refused`: how many pieces were over a limit. `dropped`: how many lost their caller before their turn.
    """

    def __init__(self, threads: int = 0) -> None:
        self.refused = 0
        self.dropped = 0
        self.threads = self._idle = threads or THREADS
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="work-queue")
        self._held: Counter[str] = Counter()
        self._turns: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def tasks(self) -> int:
        """The number of pieces that wait or run."""
        return self._held.total()

    async def run(self, caller: Caller, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Run a function in the caller's turn and return its result.

        Raises TooManyRequests over the caller's share, Overloaded over the total limit.
        """
        self._admit(caller.id, caller.share)
        loop = asyncio.get_running_loop()
        try:
            await self._turn(caller.id)
        except asyncio.CancelledError:
            self.dropped += 1
            self._leave(caller.id)
            raise
        job = loop.run_in_executor(self._pool, partial(work, *given, **named))
        job.add_done_callback(lambda _: self._done(caller.id))
        return await asyncio.shield(job)  # a thread cannot be stopped: its turn lasts until it ends

    def _admit(self, caller: str, share: int) -> None:
        if self._held[caller] >= share:
            self.refused += 1
            text = f"{share} requests of yours are being worked on; send the next when one is answered"
            raise TooManyRequests(text, retry_after=RETRY_SECONDS)
        if self.tasks >= MAX_TASKS:
            self.refused += 1
            raise Overloaded("too many requests are being worked on; try again soon", retry_after=RETRY_SECONDS)
        self._held[caller] += 1

    async def _turn(self, caller: str) -> None:
        """Wait until a thread is free for this caller."""
        if self._idle:
            self._idle -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._turns.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn had come at that very moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give a free thread to the next caller, who then goes to the end of the queue."""
        while self._turns:
            caller = next(iter(self._turns))
            waiting = self._turns.pop(caller)
            while waiting and waiting[0].done():
                waiting.popleft()
            if not waiting:
                continue
            turn = waiting.popleft()
            if waiting:
                self._turns[caller] = waiting
            turn.set_result(None)
            return
        self._idle += 1

    def _done(self, caller: str) -> None:
        self._leave(caller)
        self._pass_on()

    def _leave(self, caller: str) -> None:
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]

    def close(self) -> None:
        """End the threads without waiting for what they run."""
        self._pool.shutdown(wait=False, cancel_futures=True)
