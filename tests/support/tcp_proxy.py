"""A TCP proxy between a browser and the portal, whose connections a test holds or cuts in the middle of an upload."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_PIECE = 64 * 1024
_BUFFER = 256 * 1024


class TcpProxy:
    """Passes bytes on until one connection has sent a given number to the portal; then holds them, or cuts all.

    The number is counted from the call of `hold` or `cut`, because a browser sends several requests on one connection.
    After a cut no connection gets through, because a browser itself repeats, on another connection, a request whose
    connection ended.
    """

    def __init__(self, portal: str) -> None:
        self._host, self._port = urlsplit(portal).hostname, urlsplit(portal).port
        self._held_from: int | None = None
        self._cut_from: int | None = None
        self._is_cut = False
        self._sent: Counter[asyncio.StreamReader] = Counter()
        """Bytes sent to the portal by each connection since the last `hold` or `cut`."""
        self._free = asyncio.Event()
        self.reached = asyncio.Event()
        """Set once a connection is held or was cut."""
        self.url = ""

    def hold(self, after: int) -> None:
        """Hold the bytes of a connection after the first `after` ones, until `release`."""
        self._held_from = after
        self._sent.clear()
        self._free.clear()
        self.reached.clear()

    def release(self) -> None:
        """Pass on the held bytes."""
        self._held_from = None
        self._free.set()

    def cut(self, after: int) -> None:
        """End all connections once one of them has sent `after` bytes, until `mend`."""
        self._cut_from = after
        self._sent.clear()
        self.reached.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the browser."""
        if self._is_cut:
            writer.transport.abort()
            return
        there, here = await asyncio.open_connection(self._host, self._port)
        both = [asyncio.create_task(self._upwards(reader, here, writer)), asyncio.create_task(_copied(there, writer))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in both:
                task.cancel()
            for one in (writer, here):
                one.close()

    async def _upwards(
        self, reader: asyncio.StreamReader, portal: asyncio.StreamWriter, browser: asyncio.StreamWriter
    ) -> None:
        while piece := await reader.read(_PIECE):
            self._sent[reader] += len(piece)
            if self._cut_from is not None and self._sent[reader] > self._cut_from:
                self._cut_from, self._is_cut = None, True
            if self._is_cut:
                for one in (browser, portal):
                    one.transport.abort()
                self.reached.set()
                return
            if self._held_from is not None and self._sent[reader] > self._held_from:
                self.reached.set()
                await self._free.wait()
            portal.write(piece)
            await portal.drain()
        portal.write_eof()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(portal: str) -> AsyncIterator[TcpProxy]:
    """Run a proxy of a portal during the block; a browser uses the `url` of the proxy in place of the portal's."""
    proxy = TcpProxy(portal)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)  # so that a held upload stays in the browser
    server = await asyncio.start_server(proxy.pass_on, sock=listening)
    proxy.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield proxy
    finally:
        proxy.release()
        server.close()
