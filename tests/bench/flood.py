"""A load that does not wait: `python -m tests.bench.flood`, with its task as JSON on stdin.

With `rate`, so many assessments a second are sent whatever comes back, each on a connection that is free or else on a
new one; one that is not answered within `patience` seconds is given up and its connection cut, as clients do. Without,
each of so many `connections` sends the next when its last was answered. Prints JSON: the seconds, how many were sent,
the answers by status, how many were given up or cut off, and p50 and p99 of the answers 202 in ms.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench import fixtures
from tests.bench.figures import percentile

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_ACCEPTED = 202
_TURN_SECONDS = 0.01
_BODIES = 1000


class Asker(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self, flood: "Flood") -> None:
        self._flood = flood
        self._head = b""
        self._left = -1
        self._status = 0
        self._sent_at = 0.0
        self.busy = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol names it
        self.transport = None
        if self.busy:
            self._done(0)

    def send(self, request: bytes) -> None:
        """Send a request."""
        assert self.transport is not None
        self.busy, self._sent_at, self._head, self._left = True, time.perf_counter(), b"", -1
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end)
            self._status = int(self._head[9:12])
            self._left = int(length[1]) if length else 0
            data = self._head[end + 4 :]
        self._left -= len(data)
        if self._left <= 0:
            if _CLOSES.search(self._head) and self.transport is not None:
                self.transport.close()
            self._done(self._status)

    def give_up(self, horizon: float) -> None:
        """Cut the connection where its request was sent before a point in time."""
        if self.busy and self._sent_at < horizon and self.transport is not None:
            self.transport.abort()

    def _done(self, status: int) -> None:
        self.busy = False
        self._flood.answered(self, status, (time.perf_counter() - self._sent_at) * 1000)


class Flood:
    """Sends assessments of the officers in turn, and counts what comes back."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self._workload = workload
        self._chance = random.Random(workload["seed"])  # noqa: S311 - made-up levels
        self._number = 0
        self._free: list[Asker] = []
        self._all: set[Asker] = set()
        self._sent: deque[tuple[float, Asker]] = deque()
        self._bodies = [
            fixtures.assessment(self._chance, _FIRST_DAY + timedelta(minutes=number)) for number in range(_BODIES)
        ]
        self.statuses: Counter[int] = Counter()
        self.accepted: list[float] = []

    def request(self) -> bytes:
        """Return the next request."""
        self._number += 1
        officer = self._workload["officers"][self._number % len(self._workload["officers"])]
        raw = self._bodies[self._number % _BODIES]
        head = [
            f"POST /v1/officers/{officer}/assessments HTTP/1.1",
            f"Host: 127.0.0.1:{self._workload['port']}",
            f"Authorization: Bearer {self._workload['key']}",
            f"Idempotency-Key: flood-{self._workload['seed']}-{self._number}",
            "Content-Type: application/json",
            f"Content-Length: {len(raw)}",
        ]
        return "\r\n".join([*head, "", ""]).encode() + raw

    def answered(self, asker: Asker, status: int, ms: float) -> None:
        """Count an answer; 0 means no answer."""
        self.statuses[status] += 1
        if status == _ACCEPTED:
            self.accepted.append(ms)
        if asker.transport is None or asker.transport.is_closing():
            self._all.discard(asker)
        elif self._workload.get("rate"):
            self._free.append(asker)
        else:
            asker.send(self.request())

    async def run(self) -> dict[str, Any]:
        """Send for the seconds of the workload; return the results."""
        begun = time.perf_counter()
        if self._workload.get("rate"):
            await self._at_a_rate(begun)
        else:
            for _ in range(self._workload["connections"]):
                (await self._open()).send(self.request())
            await asyncio.sleep(self._workload["seconds"])
        seconds = time.perf_counter() - begun
        counted, accepted = Counter(self.statuses), list(self.accepted)
        await asyncio.sleep(self._workload["patience"] if self._workload.get("rate") else 0)
        for asker in list(self._all):
            asker.give_up(time.perf_counter())
        await asyncio.sleep(_TURN_SECONDS)
        return {
            "seconds": seconds,
            "sent": self._number,
            "statuses": counted,
            "in_all": self.statuses,
            "p50": percentile(accepted, 0.5) if accepted else 0.0,
            "p99": percentile(accepted, 0.99) if accepted else 0.0,
        }

    async def _at_a_rate(self, begun: float) -> None:
        opening: set[asyncio.Task[None]] = set()
        while (now := time.perf_counter()) < begun + self._workload["seconds"]:
            while self._sent and self._sent[0][0] < now - self._workload["patience"]:
                self._sent.popleft()[1].give_up(now - self._workload["patience"])
            while self._number + len(opening) < (now - begun) * self._workload["rate"]:
                while self._free and (self._free[-1].transport is None or self._free[-1].transport.is_closing()):
                    self._free.pop()
                if self._free:
                    self._send(self._free.pop())
                elif len(self._all) + len(opening) < self._workload["connections"]:
                    task = asyncio.create_task(self._open_and_send())
                    opening.add(task)
                    task.add_done_callback(opening.discard)
                else:
                    self._number += 1  # nobody is left to send it
                    self.statuses[-1] += 1
            await asyncio.sleep(_TURN_SECONDS)
        await asyncio.gather(*opening, return_exceptions=True)

    def _send(self, asker: Asker) -> None:
        asker.send(self.request())
        self._sent.append((time.perf_counter(), asker))

    async def _open(self) -> Asker:
        loop = asyncio.get_running_loop()
        _, asker = await loop.create_connection(lambda: Asker(self), "127.0.0.1", self._workload["port"])
        self._all.add(asker)
        return asker

    async def _open_and_send(self) -> None:
        try:
            self._send(await self._open())
        except OSError:
            self._number += 1
            self.statuses[0] += 1


if __name__ == "__main__":
    json.dump(asyncio.run(Flood(json.load(sys.stdin)).run()), sys.stdout)
