"""The one middleware: request id, limits, key, policy, problem+json, access log, durations.

A request passes these checks in order: it can be read (400); there is capacity (503 at once); its key is valid (401);
the key is within its rate (429) and its share of active requests (503); the policy allows it (403, 404); its body can
be read (400). The body is not read before that. Probes skip all checks. `shared.app` installs this middleware.

A request that is sure to get the 503 gets it from `refusal` before any other work: under overload most requests are
rejected, and each must cost a small part of an accepted one.
"""

import asyncio
import base64
import logging
import random
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from http import HTTPStatus
from time import monotonic, perf_counter

import msgspec
from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import RawRequestMessage
from prometheus_client import CollectorRegistry, Gauge

from shared.access_log import AccessLog
from shared.auth import ADMINS, Authenticator, Principal, authorize
from shared.bodies import ACCEPTED, READING, Reading, coding_of
from shared.connections import STREAM, UNREADABLE, Connection, reset
from shared.decoding import convert
from shared.domain import Identifier
from shared.errors import (
    InvalidId,
    InvalidInput,
    Malformed,
    NotFound,
    Overloaded,
    Problem,
    TooLarge,
    TooManyRequests,
    TooSlow,
    Unauthorized,
    Unavailable,
    UnknownRoute,
    WrongMethod,
)
from shared.limits import Admission, Buckets, Limits, Slot, client_address, counted_as, spend
from shared.logs import frames_of, without_secrets
from shared.openapi import details_of
from shared.routes import MERGE_PATCH, PRINCIPAL, REQUEST_ID, ROUTE, Handler, Route, check_parameters, still_there

log = logging.getLogger(__name__)

Credential = Callable[[web.Request], str | None]
"""A function that returns the credential of a request, None if it has none."""

ADDRESS: web.RequestKey[str] = web.RequestKey("address", str)
"""The client's address; behind a trusted proxy the one that the proxy reports."""

_REJECTED: web.RequestKey[bool] = web.RequestKey("rejected", bool)
"""Set if the request is rejected because the service is full."""

_BUCKET: web.RequestKey[tuple[Buckets, str]] = web.RequestKey("bucket", tuple)
"""The bucket that the request counts in."""

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FINISH_SECONDS = 10.0
_CROWDED_SECONDS = 10
_GONE = 499  # the client went away; never on the wire, only in log and metrics
_PRECONDITIONS = ("If-Match", "If-None-Match")


def bearer(request: web.Request) -> str | None:
    """Return the credential of `Authorization: Bearer`, or the password of `Basic` on a route that accepts it."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic" and request[ROUTE].basic:
        try:
            return base64.b64decode(credential.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            return None
    return credential.strip() if scheme.lower() == "bearer" else None


class Middleware:
    """The layer between aiohttp and the handlers of one application."""

    def __init__(
        self, authenticator: Authenticator, credential: Credential, registry: CollectorRegistry, limits: Limits
    ) -> None:
        self._authenticator = authenticator
        self._credential = credential
        self._limits = limits
        self._admission = Admission(limits)
        self._systems = Buckets(limits.rate_per_key)
        self._officers = Buckets(limits.rate_per_officer)
        self._addresses = Buckets(limits.rate_per_address, owner="address")
        # not those of `_addresses`: people sign in by a public route
        self._keyless = Buckets(limits.rate_per_address, owner="address")
        self._routes: dict[web.AbstractRoute | None, Route] = {}
        self._unfinished: set[asyncio.Task[web.StreamResponse]] = set()
        self._log = AccessLog(registry)
        active = Gauge(
            "learning_path_http_server_active_requests", "Requests that are being handled.", registry=registry
        )
        active.set_function(lambda: self._admission.active)
        detached = Gauge(
            "learning_path_http_server_detached_requests",
            "Open requests that are not counted as active.",
            registry=registry,
        )
        detached.set_function(lambda: self._admission.detached)
        held = Gauge(
            "learning_path_http_server_body_bytes", "Bytes of bodies that are kept in memory.", registry=registry
        )
        held.set_function(lambda: self._admission.bytes)

    def add(self, resolved: web.AbstractRoute, route: Route) -> None:
        """Register the declaration of a route. `resolved`: the route as aiohttp's router finds it."""
        self._routes[resolved] = route

    async def finish(self, _: web.Application) -> None:
        """Log the rejected requests that have no line yet; wait for changes whose clients have disconnected."""
        self._log.log_rejected()
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=_FINISH_SECONDS)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check, answer, log and measure one request; an error is answered as a problem."""
        started = perf_counter()
        route = self._routes.get(request.match_info.route)
        given = request.headers.get("X-Request-Id", "")
        request[REQUEST_ID] = given if _SANE_ID.fullmatch(given) else _new_id()
        request[ADDRESS] = self._address(request)
        reserved = request.protocol.take_reserved() if isinstance(request.protocol, Connection) else None
        status = _GONE
        try:
            response = await self._answer(request, handler, route, reserved)
            status = response.status
        finally:
            if reserved is not None and not reserved.kept:
                reserved.leave()
            caller, address = request.get(PRINCIPAL), request[ADDRESS]
            seconds = perf_counter() - started
            about = status, seconds, request[REQUEST_ID], address, caller
            if route is not None and _REJECTED in request:
                self._log.note_rejection(request.method, route, *about)
            else:
                self._log.note(request.method, route, *about)
        return response

    def refusal(self, message: RawRequestMessage, peer: str) -> bytes | Slot | None:
        """Return the whole answer to a request for which there is no capacity, or the place of a request with a key.

        `message`: the head of the request. `peer`: the client's address. Returns None while few requests are active,
        and for requests about which `middleware` decides: probes, streams, answers in memory, those of routes with a
        queue of their own.
        """
        if not self._admission.busy:
            return None
        route = self._route_of(message)
        if route is None or route.quiet or route.streams or route.detached or route.in_memory:
            return None
        headers = message.headers
        scheme, _, credential = headers.get("Authorization", "").partition(" ")
        caller = self._authenticator.cached(credential.strip()) if scheme.lower() == "bearer" else None
        error = self._admission.rejection(caller.key_id if caller else None)
        if error is None:
            return self._reserved(caller) if caller else None
        given = headers.get("X-Request-Id", "")
        request_id = given if _SANE_ID.fullmatch(given) else _new_id()
        address = client_address(peer, ",".join(headers.getall("X-Forwarded-For", [])), self._limits.trusted_proxies)
        self._log.note_rejection(message.method, route, error.status, 0.0, request_id, address, caller)
        return _whole_answer(error, request_id)

    def _reserved(self, caller: Principal) -> Slot:
        slot = self._admission.enter()
        slot.claim(caller.key_id, self._limits.share_of(caller.role))
        return slot

    def _route_of(self, message: RawRequestMessage) -> Route | None:
        """Return the route that a request is for, by its method and path as they were sent, or None."""
        pattern, routes = self._table.get(message.method, (None, []))
        found = pattern and pattern.fullmatch(message.path.partition("?")[0])
        return routes[found.lastindex - 1] if found and found.lastindex else None

    @cached_property
    def _table(self) -> dict[str, tuple[re.Pattern[str], list[Route]]]:
        """One pattern for all routes of each method, with a group for each route."""
        parts: dict[str, list[tuple[str, Route]]] = {}
        for resolved, route in self._routes.items():
            if resolved is not None and resolved.method == route.method:
                info = resolved.get_info()
                path = info["pattern"].pattern if "pattern" in info else re.escape(info["path"])
                parts.setdefault(route.method, []).append((re.sub(r"\(\?P<\w+>", "(?:", path), route))
        return {
            method: (re.compile("|".join(f"({path})" for path, _ in of_method)), [route for _, route in of_method])
            for method, of_method in parts.items()
        }

    async def set_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Set the headers that every answer has, streams included."""
        response.headers["X-Request-Id"] = request.get(REQUEST_ID) or _new_id()  # none if no middleware was reached
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")  # a cache must not show the answer to another caller
        if bucket := request.get(_BUCKET):
            buckets, name = bucket
            response.headers["RateLimit-Policy"] = buckets.policy
            response.headers["RateLimit"] = buckets.left(name, monotonic())
        response.headers.popall("Server", None)  # aiohttp names itself and its version
        connection = request.protocol
        if UNREADABLE in request or (isinstance(connection, Connection) and connection.broken):
            response.headers["Connection"] = "close"
        elif response.status >= 400 and not request.content.is_eof():  # noqa: PLR2004 - nobody will read the rest
            response.force_close()
            response.headers["Connection"] = "close"

    def _address(self, request: web.Request) -> str:
        if UNREADABLE in request:  # then there are no headers
            return request.remote or ""
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
        return client_address(request.remote or "", forwarded, self._limits.trusted_proxies)

    async def _answer(
        self, request: web.Request, handler: Handler, route: Route | None, reserved: Slot | None
    ) -> web.StreamResponse:
        try:
            self._read(request, route)
            if route is not None and route.quiet:
                return await handler(request)
            self._pass(request, route)
            if route is None or route.policy is None:  # the router's own 404 and 405
                return await handler(request)
            request[ROUTE] = route
            return await self._admitted(request, handler, route, reserved)
        except Problem as error:
            return self._refused(request, error)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - a redirection is an answer
                raise
            return self._answered_otherwise(request, error)
        except ConnectionError:  # the client went away in the middle of its body or of our stream
            raise
        except Exception as error:  # noqa: BLE001 - logged without its message, which may hold what the client sent
            fields = {"request_id": request[REQUEST_ID], "error": frames_of(error)}
            log.error("request failed", extra={"fields": fields})  # noqa: TRY400 - no traceback: it may hold data
            return self._refused(request, Problem("something went wrong here; it is logged"))

    def _read(self, request: web.Request, route: Route | None) -> None:
        """Check that a request can be read. Raises Malformed, TooSlow, Unsupported."""
        if status := request.get(UNREADABLE):
            raise _UNREADABLE.get(status, Malformed("the request line or a header cannot be read"))
        if not (1, 0) <= request.version <= (1, 1):
            request[UNREADABLE] = 400
            raise Malformed("the request is not HTTP/1.1")
        if "#" in request.raw_path:  # aiohttp drops it and what follows, which leaves the address of something else
            raise Malformed("the address holds `#`, which is written %23 there")
        for name, value in request.headers.items():
            if not value.isascii() and (name.lower() in _ASCII_HEADERS or not _is_text(value)):
                raise Malformed("may hold ASCII only", name)
        for name in _SINGLE_HEADERS:
            if len(request.headers.getall(name, ())) > 1:
                raise Malformed("is given twice", name)
        if request.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
            raise Malformed("the only transfer coding that is known is chunked", "Transfer-Encoding")
        if request.body_exists and coding_of(request) and (route is None or (route.body is None and not route.streams)):
            raise Malformed("no body is read here, so it cannot be compressed", "Content-Encoding")

    def _pass(self, request: web.Request, route: Route | None) -> None:
        """Check the rate of an address. Raises TooManyRequests."""
        connection = request.protocol
        if isinstance(connection, Connection) and connection.crowded:
            connection.close()
            raise TooManyRequests("too many connections of this address", retry_after=_CROWDED_SECONDS)
        if route is None or route.policy is None or route.policy.public:
            _count(request, self._addresses, counted_as(request[ADDRESS]), "requests of this address")

    async def _admitted(
        self, request: web.Request, handler: Handler, route: Route, reserved: Slot | None
    ) -> web.StreamResponse:
        if route.in_memory:
            return await handler(request)
        connection = request.protocol
        slot = self._admission.enter(connection.waited if isinstance(connection, Connection) else 0.0, reserved)
        try:
            check_key = partial(self._check_key, request)
            request[READING] = Reading(slot, self._limits.body_seconds, route.streams, check_key)
            if route.policy is not None and route.policy.roles:
                await self._authenticate(request, route, slot)
            still_there(request)
            _check_read(request, route)
            if route.method == "GET" or route.streams or route.reads:
                return await handler(request)
            return await self._to_the_end(request, handler, slot)
        finally:
            if not slot.kept:
                slot.leave()

    async def _authenticate(self, request: web.Request, route: Route, slot: Slot) -> None:
        try:
            asking = await self._authenticator.authenticate(self._credential(request))
        except Unauthorized:
            what = "requests of this address without a key that works"
            _count(request, self._keyless, counted_as(request[ADDRESS]), what)
            raise
        request[PRINCIPAL] = asking
        rates = self._officers if asking.is_person else self._systems
        _count(request, rates, asking.key_id, "requests of this key")
        if not slot.claimed:
            slot.claim(asking.key_id, self._limits.share_of(asking.role), detached=route.streams or route.detached)
        authorize(asking, route.policy or ADMINS, request.match_info.get("officer_id"))

    async def _check_key(self, request: web.Request) -> None:
        """Check the key of a request again. Raises Unauthorized; a key that cannot be read now is left for later."""
        with suppress(Unavailable):
            await self._authenticator.authenticate(self._credential(request))

    def _answered_otherwise(self, request: web.Request, error: web.HTTPException) -> web.StreamResponse:
        """Return the problem for aiohttp's own errors; answer OPTIONS."""
        problem = _OF_AIOHTTP.get(error.status, Malformed(error.reason))
        response = self._refused(request, (error.status == NotFound.status and self._invalid_id(request)) or problem)
        if isinstance(error, web.HTTPMethodNotAllowed):
            if request.method == "OPTIONS":
                response = web.Response(status=204)
            response.headers["Allow"] = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
            if "PATCH" in error.allowed_methods:
                response.headers["Accept-Patch"] = MERGE_PATCH
        return response

    def _invalid_id(self, request: web.Request) -> InvalidId | None:
        """Return the problem of a path that is that of a route but for a value that is no id, None for other paths."""
        for pattern in self._with_any_ids:
            if found := pattern.fullmatch(request.path):
                for name, value in found.groupdict().items():
                    try:
                        convert(value, Identifier)
                    except InvalidInput as error:
                        return InvalidId(error.detail, name)
        return None

    @cached_property
    def _with_any_ids(self) -> list[re.Pattern[str]]:
        """Patterns of the paths of the documented routes, with any values in the places of ids."""
        paths = {route.path for route in self._routes.values() if not route.hidden and "{" in route.path}
        return [re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))) for path in sorted(paths)]

    async def _to_the_end(self, request: web.Request, handler: Handler, slot: Slot) -> web.StreamResponse:
        task = asyncio.ensure_future(handler(request))
        slot.kept = True  # the change counts as active until it is done, even when its client has gone
        task.add_done_callback(lambda _: slot.leave())
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_left_alone)
            raise

    def _refused(self, request: web.Request, error: Problem) -> web.StreamResponse:
        if isinstance(error, Overloaded):
            request[_REJECTED] = True
        stream: web.StreamResponse | None = request.get(STREAM)
        if stream is not None and stream.prepared:  # too late for a status: end the connection, so that it shows
            log.error("stream broken off: %s", error.detail, extra={"fields": {"request_id": request[REQUEST_ID]}})
            if request.transport is not None:
                reset(request.transport)
            return stream
        body = without_secrets(msgspec.json.encode(details_of(error, request[REQUEST_ID])))  # a field is named as sent
        response = web.Response(body=body, status=error.status, content_type=_PROBLEM)
        response.headers.update(_EXTRA_HEADERS.get(error.status, {}))
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response


def _count(request: web.Request, buckets: Buckets, name: str, what: str) -> None:
    """Count a request, which its answer then states. Raises TooManyRequests, with `what`, if no token is left."""
    request[_BUCKET] = buckets, name
    spend(buckets, name, monotonic(), what)


@lru_cache(maxsize=256)
def _template(detail: str, retry_after: int | None) -> tuple[str, int]:
    """Return a rejection as it is sent, with places for request id, length, date and request id, and its body's length.

    The length is that of a body without the request id.
    """
    error = Overloaded(detail)
    problem = msgspec.json.encode(details_of(error, "")).decode()
    before, _, after = problem.replace("%", "%%").rpartition('"request_id":"')
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        f"Content-Type: {_PROBLEM}",
        f"Retry-After: {retry_after}",
        "X-Request-Id: %s",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        "Content-Length: %d",
        "Date: %s",
    ]
    return "\r\n".join([*lines, "", f'{before}"request_id":"%s{after}']), len(problem.encode())


def _check_read(request: web.Request, route: Route) -> None:
    """Check that nothing is ignored that the client may rely on. Raises Malformed, InvalidInput naming it.

    Without the check a change would be made although its condition does not hold, or although the client asked for a
    `dry_run` that the route does not have.
    """
    public = route.policy is None or route.policy.public
    if request.query_string and not route.hidden and (route.query or not public):
        check_parameters(request, route.query)
    if public or route.hidden or route.method == "GET" or route.reads:
        return
    if any(header.name in _PRECONDITIONS for header in route.headers):
        return
    for name in _PRECONDITIONS:
        if name in request.headers:
            raise Malformed("is not taken here: this change cannot be made conditional", name)


def _whole_answer(error: Overloaded, request_id: str) -> bytes:
    """Return the answer to a rejected request as it is sent, with the headers that every answer has."""
    template, length = _template(error.detail, error.retry_after)
    return (template % (request_id, length + len(request_id), rfc822_formatted_time(), request_id)).encode()


def _new_id() -> str:
    """Return a random request id; it need not be secret."""
    return f"{random.getrandbits(96):024x}"


def _is_text(value: str) -> bool:
    """Return whether a header was sent as UTF-8; aiohttp keeps other bytes as surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _left_alone(task: "asyncio.Task[web.StreamResponse]") -> None:
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, Problem | ConnectionError):
        log.error("a change failed after its client had gone", extra={"fields": {"error": frames_of(error)}})


_PROBLEM = "application/problem+json"
_OF_AIOHTTP: dict[int, Problem] = {
    404: UnknownRoute("there is no such path"),
    405: WrongMethod("this path has no such method"),
    413: TooLarge("the body is over the limit"),
}
_UNREADABLE: dict[int, Problem] = {
    408: TooSlow("the request line and the headers did not come in time"),
    417: Malformed("the only expectation that is known is 100-continue", "Expect"),
    431: Malformed("the address or a header is longer than 8190 bytes"),
}
_ASCII_HEADERS = {
    *("accept", "accept-encoding", "content-encoding", "content-length", "content-type", "expect", "host", "origin"),
    *("idempotency-key", "if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "last-event-id"),
    *("sec-fetch-site", "traceparent", "tracestate", "transfer-encoding", "x-forwarded-for", "x-request-id"),
}
"""The headers that a service reads; a key that is not ASCII is an unknown key."""

_SINGLE_HEADERS = ("Authorization", "Content-Encoding", "Idempotency-Key")
"""Headers that may be sent only once, because a proxy might read another one than the service. The HTTP parser
refuses others, such as a second `Content-Type`."""

_EXTRA_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 415: {"Accept-Encoding": ACCEPTED}}
