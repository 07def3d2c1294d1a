"""A small load generator, a process of its own: `python -m tests.bench.load`, with its task as JSON on stdin.

Holds so many connections open and on each sends the next request when the answer to the last has been read to its end:
a GET without bodies, with bodies a POST of each in turn. Prints JSON: the requests answered 200 within the time
measured, the seconds, and how many were answered otherwise.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200"


class Asker(asyncio.Protocol):
    """One connection: asks, reads the whole answer, asks again."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.answered = 0
        self.refused = 0
        self.lost = False
        self._requests = requests
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(next(self._requests))

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
            self._transport.write(next(self._requests))


async def load(workload: dict[str, Any]) -> dict[str, float]:
    """Return what came of the load. Raises RuntimeError if a connection was lost."""
    requests = cycle(_requests(workload))
    loop = asyncio.get_running_loop()
    askers = [Asker(requests) for _ in range(workload["connections"])]
    opened = [await loop.create_connection(partial(_given, one), "127.0.0.1", workload["port"]) for one in askers]
    await asyncio.sleep(workload["seconds"] / 5)  # the connections have settled
    before, begun = sum(asker.answered for asker in askers), time.perf_counter()
    await asyncio.sleep(workload["seconds"])
    answered, seconds = sum(asker.answered for asker in askers) - before, time.perf_counter() - begun
    if any(asker.lost for asker in askers):
        raise RuntimeError("a connection was lost")
    for transport, _ in opened:
        transport.abort()
    return {"answered": answered, "seconds": seconds, "refused": sum(asker.refused for asker in askers)}


def _requests(workload: dict[str, Any]) -> list[bytes]:
    lines = [f"{workload['path']} HTTP/1.1", f"Host: 127.0.0.1:{workload['port']}"]
    lines += [f"{name}: {value}" for name, value in workload["headers"].items()]
    if not workload["bodies"]:
        return ["\r\n".join([f"GET {lines[0]}", *lines[1:], "", ""]).encode()]
    lines.append("Content-Type: application/json")
    bodies = [body.encode() for body in workload["bodies"]]
    heads = [[f"POST {lines[0]}", *lines[1:], f"Content-Length: {len(body)}", "", ""] for body in bodies]
    return ["\r\n".join(head).encode() + body for head, body in zip(heads, bodies, strict=True)]


def _given(asker: Asker) -> Asker:
    return asker


if __name__ == "__main__":
    json.dump(asyncio.run(load(json.load(sys.stdin))), sys.stdout)
