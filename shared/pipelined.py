"""Parses requests that a client sends without waiting for answers."""

from asyncio import AbstractEventLoop
from collections.abc import Sequence
from typing import Any

from aiohttp import EMPTY_PAYLOAD
from aiohttp.http import HttpProcessingError, HttpRequestParser, RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import MAX_MSG_QUEUE_SIZE, RequestHandler, _ErrInfo

Parsed = tuple[RawRequestMessage | _ErrInfo, StreamReader]
"""A request, or why it could not be parsed, with its body."""


class RequestParser(HttpRequestParser):
    """aiohttp's parser, without the loss of requests that come in the same bytes as one that cannot be parsed.

    Each request is parsed on its own. The one that cannot be parsed is the last, and nothing after it is parsed.
    """

    def __init__(self, connection: RequestHandler, loop: AbstractEventLoop, limit: int, **options: Any) -> None:
        super().__init__(connection, loop, limit, max_msg_queue_size=1, **options)  # it pauses after each request
        self._waiting = connection._messages  # noqa: SLF001 - aiohttp offers no other way
        self._body: StreamReader = EMPTY_PAYLOAD
        self._failed = False

    def feed_data(  # type: ignore[override]  # without aiohttp's constants, and with an _ErrInfo
        self, data: bytes
    ) -> tuple[Sequence[Parsed], bool, bytes]:
        """Parse bytes; return the requests, whether the last one asks for another protocol, and the bytes after it.

        What comes after the greatest number of requests that may wait is parsed by the next call.
        """
        parsed: list[Parsed] = []
        upgraded, rest = False, b""
        while not self._failed:
            try:
                found, upgraded, rest = super().feed_data(data)
            except HttpProcessingError as error:
                self._failed = True
                return [*parsed, (_ErrInfo(400, error, error.message), EMPTY_PAYLOAD)], False, b""
            parsed += found
            if found:
                self._body = found[-1][1]
                self.message_consumed()
            full = len(self._waiting) + len(parsed) >= MAX_MSG_QUEUE_SIZE
            if upgraded or full or not self._body.is_eof() or not (found or data):
                break
            data = b""
        return parsed, upgraded, rest
