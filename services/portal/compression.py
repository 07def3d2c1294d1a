"""Decides which answers are compressed with gzip, makes their entity tags, and compresses the live stream.

A strong entity tag names one sequence of bytes (RFC 9110, 8.8.3), so the tag of a compressed answer gets a suffix:
`"7"` becomes `"7;gzip"`. The suffix is removed from the preconditions that a client sends, so that the service that
made the tag can compare it.
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
"""The suffix of the tags of compressed answers. No service's own tag ends so: these hold numbers, ids and `-`."""

_LEAST_BYTES = 1024
_TYPES = {"application/json", "application/x-ndjson", "text/csv"}
_COMPUTED = "/v1/recommendations"
"""The route that computes a path without storing it: the only POST whose answer is compressed."""

_LEVEL = 3
"""The level of compression. 60 kB take 1 ms; level 6 would take almost 4 ms and give a seventh less."""

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, unknown system
_LAST_BLOCK = b"\x03\x00"  # RFC 1951: an empty block that ends the data
_WORD = 2**32


def accepts_gzip(lines: Iterable[str]) -> bool:
    """Return whether the values of the headers `Accept-Encoding` accept gzip (RFC 9110, 12.5.3); False without one."""
    wanted: dict[str, bool] = {}
    for part in ",".join(lines).split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = _QUALITY.fullmatch(parameters[0]) if parameters else None
        wanted[name.lower()] = not parameters or (quality is not None and float(quality[1]) > 0)
    named = [wanted[name] for name in _NAMES if name in wanted]
    return any(named) if named else wanted.get("*", False)


def is_compressible(method: str, path: str, status: int, headers: Mapping[str, str]) -> bool:
    """Return whether the answer of a service may be compressed.

    It must have the status 200, answer a reading request or be a computed path, and be a text of at least 1,024 bytes.
    Answers to changes are not compressed, because a new share link contains a key (decision 0049); nor are answers
    without a length, because compression would delay their parts.
    """
    reading = method in (hdrs.METH_GET, hdrs.METH_HEAD) or (method == hdrs.METH_POST and path == _COMPUTED)
    kind = headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    length = headers.get(hdrs.CONTENT_LENGTH, "")
    sufficient = length.isdecimal() and int(length) >= _LEAST_BYTES
    whole = status == HTTPStatus.OK and hdrs.CONTENT_ENCODING not in headers
    return reading and whole and sufficient and kind in _TYPES


def gzip_tag(tag: str) -> str:
    """Return the entity tag of a compressed answer. `tag` is that of the plain answer; both are in quotes.

    A weak tag is returned unchanged, because it may name both forms.
    """
    return tag if tag.startswith("W/") else f'{tag[:-1]}{_MARK}"'


def owners_tags(tags: str) -> str:
    """Return the value of an If-Match or If-None-Match with the suffix removed from its tags."""
    return tags.replace(f'{_MARK}"', '"')


def vary_by_coding(headers: CIMultiDict[str]) -> None:
    """Add `Accept-Encoding` to the header `Vary` of an answer, because its form depends on it."""
    headers[hdrs.VARY] = ", ".join([*headers.getall(hdrs.VARY, []), hdrs.ACCEPT_ENCODING])


class GzipParts:
    """Makes one gzip stream of parts; a client can decompress each part as soon as it arrives.

    Each part is compressed by itself and ends at a whole byte, so only a checksum and a length are kept between parts.
    The state of zlib would take 256 kB of memory for each open stream.
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
        """Return the bytes that end the gzip stream; call this once, after the last part."""
        head = b"" if self._begun else _HEADER
        trailer = self._checksum.to_bytes(4, "little") + (self._length % _WORD).to_bytes(4, "little")
        return head + _LAST_BLOCK + trailer


class LineEnds:
    """Finds line ends as aiohttp-sse does, and in a text of one line without its regular expression.

    The JSON of a path is one line, and the expression takes twice as long for it as the path takes to become JSON.
    """

    search = EventSourceResponse.LINE_SEP_EXPR.search

    @staticmethod
    def split(text: str) -> list[str]:
        """Return the lines of a text."""
        return EventSourceResponse.LINE_SEP_EXPR.split(text) if "\n" in text or "\r" in text else [text]


class EventStream(EventSourceResponse):
    """An answer of server-sent events; if the client accepts gzip, each event is compressed and sent at once.

    The compression of aiohttp would delay an event until its buffer is full, so aiohttp-sse does not allow it.
    """

    LINE_SEP_EXPR = LineEnds()  # type: ignore[assignment] # only these two methods are called
    _parts: GzipParts | None = None

    def choose_coding(self, request: web.BaseRequest) -> None:
        """Decide whether this answer is compressed, by the request's `Accept-Encoding`, and set its headers."""
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
