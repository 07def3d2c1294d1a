"""A small load generator, a process of its own: `python -m tests.bench.load`, told what to ask as JSON on stdin.

Keeps so many connections open and on each sends the next GET when the answer to the last has been read to its end.
Prints JSON: the requests answered 200 within the time measured, the seconds, and how many were answered otherwise.
"""

import asyncio
import json
import re
import sys
import time
from functools import partial
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200"


class Asker(asyncio.Protocol):
    """One connection: asks, reads the whole answer, asks again."""

    def __init__(self, request: bytes) -> None:
        self.answered = 0
        self.refused = 0
        self.lost = False
        self._request = request
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol names it
        self.lost = True

    def data_received(self, data: bytes) -> None:
        if not self._left:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end)
            if length is None:
                raise ValueError("an answer without Content-Length")
            self.refused += not self._head.startswith(_OK)
            self._left = int(length[1])
            data, self._head = self._head[end + 4 :], b""
        self._left -= len(data)
        if not self._left:
            self.answered += 1
            self._transport.write(self._request)


async def load(asked: dict[str, Any]) -> dict[str, float]:
    """Return what came of the load. Raises RuntimeError where a connection was lost."""
    lines = [f"GET {asked['path']} HTTP/1.1", f"Host: 127.0.0.1:{asked['port']}"]
    lines += [f"{name}: {value}" for name, value in asked["headers"].items()]
    request = "\r\n".join([*lines, "", ""]).encode()
    loop = asyncio.get_running_loop()
    askers = [Asker(request) for _ in range(asked["connections"])]
    opened = [await loop.create_connection(partial(_given, one), "127.0.0.1", asked["port"]) for one in askers]
    await asyncio.sleep(asked["seconds"] / 5)  # the connections have settled
    before, begun = sum(asker.answered for asker in askers), time.perf_counter()
    await asyncio.sleep(asked["seconds"])
    answered, seconds = sum(asker.answered for asker in askers) - before, time.perf_counter() - begun
    if any(asker.lost for asker in askers):
        raise RuntimeError("a connection was lost")
    for transport, _ in opened:
        transport.abort()
    return {"answered": answered, "seconds": seconds, "refused": sum(asker.refused for asker in askers)}


def _given(asker: Asker) -> Asker:
    return asker


if __name__ == "__main__":
    json.dump(asyncio.run(load(json.load(sys.stdin))), sys.stdout)
