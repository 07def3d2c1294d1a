"""Compresses answers with gzip for clients that accept it: which answers, their entity tags, and the live stream.

A strong entity tag names one sequence of bytes (RFC 9110, 8.8.3), so the tag of a compressed answer has a suffix:
`"7"` becomes `"7;gzip"`. The suffix is removed from the preconditions that a client sends, so that the owner of a
resource compares the tags that it made.
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse
from multidict import CIMultiDict

_NAMES = ("gzip", "x-gzip")
_QUALITY = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)

_MARK = ";gzip"
"""No service makes a tag that ends like this: tags consist of numbers, ids and `-`."""

_LEAST_BYTES = 1024
_TYPES = {"application/json", "application/x-ndjson", "text/csv"}
_COMPUTED = "/v1/recommendations"
"""A path that is computed for a request and not stored: the one answer to a POST that is compressed."""

_LEVEL = 3
"""A path of 60 kB takes 1 ms; level 6 takes almost 4 ms and makes it a seventh smaller."""

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, unknown system
_LAST_BLOCK = b"\x03\x00"  # RFC 1951: an empty block that ends the data
_WORD = 2**32


def accepts_gzip(lines: Iterable[str]) -> bool:
    """Return whether the lines of `Accept-Encoding` accept gzip (RFC 9110, 12.5.3). Without lines: False."""
    wanted: dict[str, bool] = {}
    for part in ",".join(lines).split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = _QUALITY.fullmatch(parameters[0]) if parameters else None
        wanted[name.lower()] = not parameters or (quality is not None and float(quality[1]) > 0)
    named = [wanted[name] for name in _NAMES if name in wanted]
    return any(named) if named else wanted.get("*", False)


def is_compressible(method: str, path: str, status: int, headers: Mapping[str, str]) -> bool:
    """Return whether an owner's answer may be compressed: text of known and sufficient length, without a credential.

    Answers to changes are left out, because a new share link contains a key (0049). An answer without a length is
    written as its parts become known, and compression would hold them back.
    """
    reading = method in (hdrs.METH_GET, hdrs.METH_HEAD) or (method == hdrs.METH_POST and path == _COMPUTED)
    kind = headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    length = headers.get(hdrs.CONTENT_LENGTH, "")
    sufficient = length.isdecimal() and int(length) >= _LEAST_BYTES
    whole = status == HTTPStatus.OK and hdrs.CONTENT_ENCODING not in headers
    return reading and whole and sufficient and kind in _TYPES


def gzip_tag(tag: str) -> str:
    """Return the entity tag of the compressed form of what `tag` names; a weak one names both."""
    return tag if tag.startswith("W/") else f'{tag[:-1]}{_MARK}"'


def owners_tags(tags: str) -> str:
    """Return the value of If-Match or If-None-Match with the tags that the owner made."""
    return tags.replace(f'{_MARK}"', '"')


def vary_by_coding(headers: CIMultiDict[str]) -> None:
    """State that an answer depends on `Accept-Encoding`."""
    headers[hdrs.VARY] = ", ".join([*headers.getall(hdrs.VARY, []), hdrs.ACCEPT_ENCODING])


class GzipParts:
    """One gzip stream whose parts can each be read as soon as they arrive.

    Each part is compressed by itself and ends at a whole byte, so nothing but a checksum and a length is kept between
    parts. zlib's own state would keep 256 kB for as long as a stream is open.
    """

    def __init__(self) -> None:
        self._begun = False
        self._checksum = 0
        self._length = 0

    def part(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return data as the next part of the gzip stream, which a client can decompress without later parts."""
        head = b"" if self._begun else _HEADER
        self._begun = True
        self._checksum = zlib.crc32(data, self._checksum)
        self._length += len(data)
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return head + packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """Return the end of the stream."""
        head = b"" if self._begun else _HEADER
        trailer = self._checksum.to_bytes(4, "little") + (self._length % _WORD).to_bytes(4, "little")
        return head + _LAST_BLOCK + trailer


class EventStream(EventSourceResponse):
    """Server-sent events, each compressed and sent by itself if the client accepts gzip.

    aiohttp's own compression would hold an event back until more of them fill its buffer, so aiohttp-sse refuses it.
    """

    _parts: GzipParts | None = None

    def choose_coding(self, request: web.BaseRequest) -> None:
        """Set the headers of the coding that the client accepts."""
        vary_by_coding(self.headers)
        if accepts_gzip(request.headers.getall(hdrs.ACCEPT_ENCODING, [])):
            self._parts = GzipParts()
            self.headers[hdrs.CONTENT_ENCODING] = "gzip"

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if not self.prepared:
            self.choose_coding(request)
        return await super().prepare(request)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await super().write(data if self._parts is None else self._parts.part(data))

    async def write_eof(self, data: bytes = b"") -> None:
        if self._parts is not None:
            data = (self._parts.part(data) if data else b"") + self._parts.end()
            self._parts = None
        await super().write_eof(data)
