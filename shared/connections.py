"""aiohttp's connections, corrected for input that it cannot parse, bodies that break off, and their number.

    app = Application(limits, middleware, refusal)    # its connections are `Connection`s under any runner

- A request that cannot be parsed passes through the application like any other, marked `UNREADABLE`, so that it is
  answered, measured and logged there. aiohttp's own answer and log line would contain what was sent, including a key.
  The requests before it are answered first.
- The reader of a body that breaks off or is wrongly framed gets an error. With plain aiohttp it waits without end.
- A connection is closed if the client does not read its answer for a minute; five minutes while it still sends its
  body, which counts as long as bytes come. aiohttp keeps it open without limit.
- A request line and headers that arrive too slowly are rejected, and so are connections of one address over the limit.
- A client that closes only its own side while it waits is answered. aiohttp would cancel its request.
- A request that is sure to be rejected for lack of capacity is answered from its head, before a task, a request object
  and a route are made for it: under overload that is most requests.
"""

import asyncio
import logging
import socket
import struct
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.http import HttpProcessingError, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import _ErrInfo

from shared.limits import Limits, Slot, is_trusted, plain_address
from shared.logs import frames_of
from shared.pipelined import RequestParser

log = logging.getLogger(__name__)

UNREADABLE: web.RequestKey[int] = web.RequestKey("unreadable", int)
"""The status that says why a request could not be parsed; `shared.middleware` answers 400 for most of them."""

STREAM: web.RequestKey[web.StreamResponse] = web.RequestKey("stream", web.StreamResponse)
"""The response to a request, if it is sent in pieces and sending has begun."""

_HEAD_SECONDS = 15.0
_ANSWER_SECONDS = 60.0
_WHILE_SENDING = 5
"""How many times longer a client may leave its answer unread while it sends a body: many send all before they read."""

_RESET_CHECK_SECONDS = 0.25
"""How often to check whether a client that has closed its side is still connected."""

_EVENTS = "text/event-stream"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refusal = Callable[[RawRequestMessage, str], bytes | Slot | None]
"""Takes the head of a request and the client's address; returns the whole answer if it is rejected, the place that it
gets if it is admitted, None if neither is decided yet."""


class _Middleware(Protocol):
    def __call__(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Awaitable[web.StreamResponse]: ...


_AT_ONCE = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """End a connection by a reset. An HTTP/1.0 client would take any other end for that of a complete answer."""
    if (connected := transport.get_extra_info("socket")) is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


class ConnectionLimiter:
    """Counts the connections of each address. Trusted proxies, which forward for many clients, are not counted."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()
        self.answer_seconds = _ANSWER_SECONDS

    def enter(self, address: str) -> None:
        """Add one connection to the count."""
        self._open[address] += 1

    def leave(self, address: str) -> None:
        """Remove one connection from the count."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def crowded(self, address: str, times: int = 1) -> bool:
        """Return whether an address has more connections than `times` the limit."""
        most = self._limits.connections_per_address * times
        return self._open[address] > most and not is_trusted(address, self._limits.trusted_proxies)


class Connection(web.RequestHandler):
    """One connection of a client."""

    __slots__ = (
        "_body",
        "_came",
        "_head_deadline",
        "_limiter",
        "_received",
        "_refusal",
        "_reserved",
        "_sends_no_more",
        "address",
        "broken",
    )

    def __init__(self, server: web.Server, limiter: ConnectionLimiter, refusal: Refusal, **options: Any) -> None:
        super().__init__(server, **options)
        self._parser = RequestParser(
            self,
            self._loop,
            self._read_bufsize,
            max_line_size=self.max_line_size,
            max_field_size=self.max_field_size,
            max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError,
            auto_decompress=options["auto_decompress"],
        )
        self._limiter = limiter
        self._refusal = refusal
        self._reserved: Slot | None = None
        self._head_deadline: asyncio.TimerHandle | None = None
        self._body: StreamReader = EMPTY_PAYLOAD
        self._came = 0.0
        self._received = 0
        self._sends_no_more = False
        self.address = ""
        self.broken = False
        """Whether a body broke off: then nothing more is read, and the connection is closed after the answer."""

    @property
    def crowded(self) -> bool:
        """Whether the address has more connections than the limit.

        Then the answer says so and the connection is closed.
        """
        return self._limiter.crowded(self.address)

    @property
    def waited(self) -> float:
        """Seconds since the newest request was parsed: how far the process is behind."""
        return self._loop.time() - self._came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection for its address; close it at once if the address has twice as many as the limit."""
        super().connection_made(transport)
        peer = self.peername
        self.address = plain_address(str(peer[0])) if isinstance(peer, tuple) else ""
        self._limiter.enter(self.address)
        if self._limiter.crowded(self.address, 2):
            self._abort()

    def _abort(self) -> None:
        if self.transport is not None:
            reset(self.transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting the connection for its address."""
        self._head_came()
        if (reserved := self.take_reserved()) is not None:
            reserved.leave()
        self._limiter.leave(self.address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; if that fails, inform the reader of the body that no more will come."""
        if self.broken:
            return
        self._received += len(data)
        waiting, self._waiter = self._waiter, None  # aiohttp would wake it for a request that is refused here
        super().data_received(data)
        self._waiter = waiting
        if self._messages:
            self._head_came()
            last, body = self._messages[-1]
            self._came = self._loop.time()
            if isinstance(last, _ErrInfo):
                self._break_off()
            else:
                self._body = body
            if waiting is not None and not waiting.done() and self._messages and not self._refused():
                waiting.set_result(None)
        elif data and self._waiter is not None and self._head_deadline is None:
            self._head_deadline = self._loop.call_later(_HEAD_SECONDS, self._head_ended, HTTPStatus.REQUEST_TIMEOUT)

    def take_reserved(self) -> Slot | None:
        """Return the place that was reserved for the next request, which the caller must give back."""
        reserved, self._reserved = self._reserved, None
        return reserved

    def _refused(self) -> bool:
        """Refuse the request that came to an idle connection if capacity is lacking; return whether it was refused.

        Otherwise its place is reserved: many requests that come together are all decided before the first is handled.
        """
        [(message, body), *more] = self._messages
        if more or isinstance(message, _ErrInfo) or message.should_close or message.upgrade or not body.is_eof():
            return False
        if message.version != HttpVersion11:  # the answer to an older version needs another header
            return False
        if self.transport is None or self._paused or self._reading_paused or self.crowded:
            return False
        answer = self._refusal(message, self.address)
        if not isinstance(answer, bytes):
            self._reserved = answer
            return False
        self._messages.clear()
        if self._parser is not None:
            self._parser.message_consumed()
        self.transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        return True

    def eof_received(self) -> bool | None:  # type: ignore[override]  # aiohttp says None: close; True keeps it open
        """Decide what to do when the client has closed its side: close the connection unless an answer is pending.

        A stream of events is closed too.
        """
        if self._head_deadline is not None:
            return self._head_ended(HTTPStatus.BAD_REQUEST) or None
        return self.broken or self._break_off() or self._await_answers() or None

    def _await_answers(self) -> bool:
        """Answer the requests received so far although no more will come; return whether there are any.

        A client that has closed its connection and one that only closed its own side look the same until something is
        sent: the operating system of the former resets the connection. So an interim response is sent, which every
        HTTP/1.1 client accepts, and then the connection is checked for a reset.
        """
        request = self._current_request
        if request is None and not self._messages:
            return False
        if request is not None and (stream := request.get(STREAM)) and stream.content_type == _EVENTS:
            return False
        self._sends_no_more = True
        begun = request is None or request.version < HttpVersion11 or request.writer.output_size > 0
        if self.transport is not None and not begun:
            self.transport.write(_CONTINUE)
        self._loop.call_later(_RESET_CHECK_SECONDS, self._check_reset)
        return True

    def _check_reset(self) -> None:
        """End a connection that its client has reset; otherwise check again after a moment."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._abort()
        else:
            self._loop.call_later(_RESET_CHECK_SECONDS, self._check_reset)

    def _break_off(self) -> bool:
        """Wake the reader of an incomplete body; return whether there was one."""
        if self._body.is_eof():
            return False
        self._body.set_exception(web.RequestPayloadError("the body breaks off or is wrongly framed"))
        self._body.feed_eof()  # nothing is left to wait for when the request has been answered
        self.broken = True
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            self._messages.pop()  # the request of this body is answered instead
        if not self._messages:
            self.close()
        return True

    def _head_came(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _head_ended(self, status: HTTPStatus) -> bool:
        """Answer an incomplete request head with this status; return whether there was one."""
        self._head_came()
        if self._waiter is None or self._waiter.done():
            return False
        self._messages.append((_ErrInfo(status, HttpProcessingError(code=status), ""), EMPTY_PAYLOAD))
        self._waiter.set_result(None)
        return True

    def _handle_request(
        self, request: web.BaseRequest, start_time: float | None, request_handler: _Handler
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Note that an answer is due before the task that makes it begins: the client may end its side until then."""
        self._current_request = request
        return super()._handle_request(request, start_time, request_handler)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; close the connection after the last one if the client has closed its side or broke off."""
        sent = await super().finish_response(request, resp, start_time)
        if (self._sends_no_more or self.broken) and not self._messages:
            self.close()
        return sent

    async def _drain_helper(self) -> None:
        """Wait until a client has read what was sent; aiohttp calls this only if much is left, so few need a timer.

        Raises ConnectionResetError if the client neither reads nor sends for too long.
        """
        while True:
            sending, received = not self._body.is_eof(), self._received
            try:
                async with asyncio.timeout(self._limiter.answer_seconds * (_WHILE_SENDING if sending else 1)):
                    return await super()._drain_helper()
            except TimeoutError:
                if sending and self._received > received:
                    continue
                self._abort()
                raise ConnectionResetError("the client does not read its answer") from None

    def _make_error_handler(self, err_info: _ErrInfo) -> _Handler:
        """Return a handler with which the application answers a request that could not be parsed."""
        answer = self._request_handler

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            if answer is None:
                raise ConnectionResetError("the client has gone")
            too_long = isinstance(err_info.exc, LineTooLong)
            request[UNREADABLE] = int(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_long else err_info.status)
            return await answer(request)

        return handler

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may hold what the client sent
    ) -> web.StreamResponse:
        """Answer an error that no middleware has caught. Neither the answer nor the log repeats what the client sent.

        Raises ConnectionError if the client has disconnected.
        """
        if isinstance(exc, ConnectionError):
            raise exc
        self.log_exception("a request failed outside of the application", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer has been sent already")
        body = b'{"type":"/problems/internal-error","title":"Internal error","status":500,'
        body += b'"detail":"something went wrong here"}'
        response = web.Response(body=body, status=status, content_type="application/problem+json")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Server"] = "learning-path"
        response.force_close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log where an exception happened, without its message, which may contain what the client sent."""
        error = options.get("exc_info")
        if isinstance(error, web.RequestPayloadError | ConnectionError):  # what is left of a body that was refused
            return
        fields = {"error": frames_of(error)} if isinstance(error, BaseException) else {}
        log.error("%s", args[0] if args else "a connection failed", extra={"fields": fields})


class _Server(web.Server):
    def __init__(self, like: web.Server, limiter: ConnectionLimiter, refusal: Refusal) -> None:
        super().__init__(
            like.request_handler,
            request_factory=like.request_factory,
            handler_cancellation=like.handler_cancellation,
            loop=like._loop,  # noqa: SLF001 - aiohttp offers no other way
            **like._kwargs,  # noqa: SLF001 - aiohttp offers no other way
        )
        self._limiter = limiter
        self._refusal = refusal

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._limiter, self._refusal, loop=self._loop, **self._kwargs)


async def _unreached(_: web.Request) -> web.StreamResponse:
    raise AssertionError("an unreadable request reaches no handler")


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # aiohttp discourages it, and names no other way in

    class Application(web.Application):
        """An application whose connections are `Connection`s, under any runner, with one middleware."""

        def __init__(self, limits: Limits, middleware: _Middleware, refusal: Refusal, **options: Any) -> None:
            super().__init__(middlewares=[middleware], **options)
            self._middleware = middleware
            self._refusal = refusal
            self._limiter = ConnectionLimiter(limits)

        def _make_handler(self, **options: Any) -> web.Server:
            return _Server(super()._make_handler(**options), self._limiter, self._refusal)

        async def _handle(self, request: web.Request) -> web.StreamResponse:
            """Answer an unknown `Expect` as well: aiohttp refuses it before any middleware.

            For an unknown path, aiohttp's refusal quotes the header, which raises an error if the header is no text.
            """
            try:
                return await super()._handle(request)
            except (web.HTTPExpectationFailed, UnicodeEncodeError):
                request[UNREADABLE] = int(HTTPStatus.EXPECTATION_FAILED)
                return await self._middleware(request, _unreached)
