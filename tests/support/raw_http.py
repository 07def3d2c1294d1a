"""Sends bytes to a minimal service and reads its answers and its log."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.app import build_app
from shared.auth import Authenticator
from shared.limits import Limits
from shared.logs import JsonLines
from tests.support.sample_service import PEPPER, KeysInMemory, Shelf, bearer

PATIENCE = 90


@dataclass(frozen=True)
class Answer:
    """An answer as it was on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body as a problem. Raises AssertionError if the answer is no problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, Any] = json.loads(self.body)
        return found


class Wire:
    """Connections to a minimal service, on which bytes are sent."""

    def __init__(self, server: TestServer, keys: KeysInMemory, app: web.Application) -> None:
        self.server = server
        self.keys = keys
        self.app = app
        self._open: list[asyncio.StreamWriter] = []

    async def key(self, role: str = "admin", officer: str | None = None) -> bytes:
        """Return the header line of a new key."""
        return f"Authorization: {(await bearer(self.keys, 'a', role, officer))['Authorization']}\r\n".encode()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a new connection, which `close` closes."""
        reader, writer = await asyncio.open_connection(self.server.host, self.server.port)
        self._open.append(writer)
        return reader, writer

    async def close(self) -> None:
        """Close every connection."""
        for writer in self._open:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, *parts: bytes, end: bool = False) -> Answer:
        """Send bytes on a new connection; return the first answer. `end`: close the client's side after the bytes."""
        reader, writer = await self.open()
        for part in parts:
            writer.write(part)
            await writer.drain()
        if end:
            writer.write_eof()
        try:
            return await answer_on(reader)
        finally:
            writer.transport.abort()


async def answer_on(reader: asyncio.StreamReader) -> Answer:
    """Return the next answer that arrives on a connection."""
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(first.split()[1]), headers, body)


@asynccontextmanager
async def wired(
    shelf: Shelf | None = None, limits: Limits | None = None, keys: KeysInMemory | None = None, **options: Any
) -> AsyncIterator[Wire]:
    """Serve a shelf with these limits; `options` are those of the authenticator."""
    keys = keys or KeysInMemory()
    authenticator = Authenticator(keys, PEPPER, **options)
    app = build_app("Shelf", (shelf or Shelf()).routes(), authenticator, limits=limits)
    server = TestServer(app)
    await server.start_server()
    wire = Wire(server, keys, app)
    try:
        yield wire
    finally:
        await wire.close()
        await server.close()


@contextmanager
def logged() -> Iterator[io.BytesIO]:
    """Yield a buffer that receives what the process logs during the block, as on standard error."""
    written = io.BytesIO()
    handler = JsonLines(written)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
