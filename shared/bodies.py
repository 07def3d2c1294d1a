"""Reads the body of a request in bounded pieces, decompressed in bounded pieces, within a time limit.

    async for piece in pieces(request): ...       # decompressed; shared.routes.read_raw joins them up to a limit
    async for piece in received(request): ...     # as sent on the wire, to be forwarded

A whole body must arrive within the configured time. On a streaming route the limit applies to each piece, so that a
stream may stay open, and the key is checked again with each piece, because it may be revoked meanwhile. Data are
decompressed only when they are read. A broken body raises Malformed at once.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from aiohttp import hdrs, http_exceptions, web

from shared.errors import Malformed, TooLarge, TooSlow, Unsupported
from shared.limits import Slot

ACCEPTED = "gzip, deflate"
_IDENTITY = ("", "identity")
_PIECE = 64 * 1024
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_ZLIB_METHOD = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """How a request's body may be read, within `seconds`: the whole body, or each piece if `stream` is set.

    `check_key` raises Unauthorized if the key of the request does not work any more.
    """

    slot: Slot
    seconds: float
    stream: bool
    check_key: Callable[[], Awaitable[None]]


READING: web.RequestKey[Reading] = web.RequestKey("reading", Reading)


def coding_of(request: web.Request) -> str | None:
    """Return the content coding of the body, None if it has none. Raises Unsupported for an unknown one."""
    named = [part.strip().lower() for part in request.headers.get(hdrs.CONTENT_ENCODING, "").split(",")]
    codings = [name for name in named if name not in _IDENTITY]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _WINDOW:
        raise Unsupported(f"a body may be compressed once, as one of: {ACCEPTED}", hdrs.CONTENT_ENCODING)
    return codings[0]


async def received(request: web.Request, *, whole: bool = False) -> AsyncIterator[bytes]:
    """Yield the body as sent on the wire. `whole`: limit the time of the whole body on a streaming route too.

    Raises TooSlow; Malformed if the body breaks off or is wrongly framed.
    """
    loop = asyncio.get_running_loop()
    reading = request[READING]
    by_pieces = reading.stream and not whole
    await _go_on(request)
    deadline = loop.time() + reading.seconds
    while True:
        try:
            if request.content.is_eof():  # the whole body has arrived, as most bodies have: no timeout is needed
                piece = request.content.read_nowait()
            else:
                async with asyncio.timeout_at(deadline):
                    piece = await request.content.readany()
        except TimeoutError:
            what = "more of the body" if by_pieces else "the body"
            raise TooSlow(f"{what} did not come within {reading.seconds:g} s") from None
        except (web.RequestPayloadError, http_exceptions.HttpProcessingError):
            raise Malformed("the body breaks off or is wrongly framed") from None
        if not piece:
            return
        yield piece
        if by_pieces:
            deadline = loop.time() + reading.seconds


async def pieces(request: web.Request, limit: int | None = None) -> AsyncIterator[bytes]:
    """Yield the decompressed body; a compressed body comes in pieces of at most 64 KiB.

    Raises what `received` raises, Malformed for broken compression, TooLarge if more than `limit` compressed bytes
    came, whatever they decompress to, and on a streaming route Unauthorized if the key was revoked meanwhile.
    """
    coding, reading = coding_of(request), request[READING]
    if coding is None:
        async for piece in received(request):
            if reading.stream:
                await reading.check_key()
            yield piece
        return
    unpacker = _Unpacker(coding)
    came = 0
    async for piece in received(request):
        if reading.stream:
            await reading.check_key()
        came += len(piece)
        if limit is not None and came > limit:
            raise TooLarge(f"the body may hold {limit} bytes")
        for unpacked in unpacker.feed(piece):
            yield unpacked
            await asyncio.sleep(0)  # other tasks run between the steps of a long decompression
    unpacker.finish()


class _Unpacker:
    """Decompresses gzip (including several members) and deflate (with or without its header)."""

    def __init__(self, coding: str) -> None:
        self._window = _WINDOW[coding]
        self._inflate: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes in pieces. Raises Malformed."""
        more = True
        while data or more:
            if self._inflate is None or self._inflate.eof:
                if not data:
                    return
                self._inflate = zlib.decompressobj(self._window_of(data))
            try:
                piece = self._inflate.decompress(data, _PIECE)
            except zlib.error:
                raise _broken() from None
            if piece:
                yield piece
            more = len(piece) == _PIECE  # then it may hold what did not fit
            data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail

    def finish(self) -> None:
        """Check that the compressed body is complete. Raises Malformed."""
        if self._inflate is not None and not self._inflate.eof:
            raise _broken()

    def _window_of(self, data: bytes) -> int:
        if self._window == zlib.MAX_WBITS and data[0] & 0x0F != _ZLIB_METHOD:
            return -zlib.MAX_WBITS  # what many call deflate: without the header of RFC 1950
        return self._window


def _broken() -> Malformed:
    return Malformed("the body is not compressed as the header says", hdrs.CONTENT_ENCODING)


def asks_to_continue(request: web.Request) -> bool:
    """Return whether the client waits for `100 Continue` before it sends the body."""
    return request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.version >= (1, 1)


async def _go_on(request: web.Request) -> None:
    """Ask a client that waits with `Expect: 100-continue` for the body, once somebody reads it."""
    if asks_to_continue(request):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # no part of the answer has been sent yet
