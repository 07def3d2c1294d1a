"""The one middleware: request id, key, policy, problem+json, access log, durations. `shared.app` puts it in place."""

import asyncio
import logging
import random
import re
from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram

from shared.auth import Authenticator, authorize
from shared.errors import Problem
from shared.openapi import ProblemDetails
from shared.routes import PRINCIPAL, REQUEST_ID, ROUTE, STREAM, Handler, Route

log = logging.getLogger(__name__)
access = logging.getLogger("access")

Credential = Callable[[web.Request], str | None]
"""Takes the credential out of a request; None where there is none."""

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FINISH_SECONDS = 10.0
_GONE = 499  # the client went away; never on the wire, only in log and metrics
_SERVER_ERROR = 500


def bearer(request: web.Request) -> str | None:
    """Return the credential of `Authorization: Bearer`."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


class Life:
    """Whether this process is to go on: told by signals and by background tasks that died."""

    def __init__(self) -> None:
        self.draining = False
        self.failure: str | None = None
        self.stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask the process to stop."""
        self.stopping.set()

    def fail(self, reason: str) -> None:
        """Ask the process to end with a failure."""
        self.failure = self.failure or reason
        self.stopping.set()


class Shell:
    """What stands between aiohttp and the handlers of one application."""

    def __init__(self, authenticator: Authenticator, credential: Credential, registry: CollectorRegistry) -> None:
        self._authenticator = authenticator
        self._credential = credential
        self._routes: dict[Any, Route] = {}
        self._unfinished: set[asyncio.Task[web.StreamResponse]] = set()
        self._seconds = Histogram(
            "http_request_seconds",
            "Duration of HTTP requests by route template and status.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._measured: dict[tuple[Route | None, int], Any] = {}

    def add(self, resolved: web.AbstractRoute, route: Route) -> None:
        """Know what a route of the router declares."""
        self._routes[resolved] = route

    async def finish(self, _: web.Application) -> None:
        """Wait for changes whose clients went away."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=_FINISH_SECONDS)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer one request."""
        started = perf_counter()
        route = self._routes.get(request.match_info.route)
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _SANE_ID.fullmatch(given) else _new_id()
        request[REQUEST_ID] = request_id
        status = _GONE
        try:
            response = await self._answer(request, handler, route)
            status = response.status
        finally:
            self._note(request, route, status, perf_counter() - started)
        if not response.prepared:
            response.headers["X-Request-Id"] = request_id
            response.headers.setdefault("Cache-Control", "no-cache")
            response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    async def _answer(self, request: web.Request, handler: Handler, route: Route | None) -> web.StreamResponse:
        try:
            if route is None or route.policy is None:  # the router's own 404 and 405
                return await handler(request)
            request[ROUTE] = route
            if route.policy.roles:
                asking = await self._authenticator.authenticate(self._credential(request))
                authorize(asking, route.policy, request.match_info.get("officer_id"))
                request[PRINCIPAL] = asking
            if route.method == "GET" or route.streams or route.reads:
                return await handler(request)
            return await self._to_the_end(request, handler)
        except Problem as error:
            return self._refused(request, error)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - a redirection is an answer
                raise
            return self._answered_otherwise(request, error)
        except ConnectionError:  # the client went away in the middle of its body or of our stream
            raise
        except Exception:
            log.exception("request failed", extra={"fields": {"request_id": request[REQUEST_ID]}})
            return self._failed(request, _SERVER_ERROR, "Internal error", "something went wrong here; it is logged")

    def _answered_otherwise(self, request: web.Request, error: web.HTTPException) -> web.StreamResponse:
        """Return the problem of aiohttp's own refusals; an OPTIONS is answered with what it asks for."""
        response = self._failed(request, error.status, error.reason, _OWN_WORDS.get(error.status, error.reason))
        if isinstance(error, web.HTTPMethodNotAllowed):
            if request.method == "OPTIONS":
                response = web.Response(status=204)
            response.headers["Allow"] = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        return response

    async def _to_the_end(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        task = asyncio.ensure_future(handler(request))
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_left_alone)
            raise

    def _refused(self, request: web.Request, error: Problem) -> web.StreamResponse:
        response = self._failed(request, error.status, error.title, error.detail, error.field)
        if error.retry_after is not None and not response.prepared:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def _failed(
        self, request: web.Request, status: int, title: str, detail: str, field: str | None = None
    ) -> web.StreamResponse:
        stream: web.StreamResponse | None = request.get(STREAM)
        if stream is not None and stream.prepared:  # too late for a status: end the connection, so that it shows
            log.error("stream broken off: %s", detail, extra={"fields": {"request_id": request[REQUEST_ID]}})
            if request.transport is not None:
                request.transport.abort()
            return stream
        problem = ProblemDetails("about:blank", title, status, detail, request[REQUEST_ID], field)
        response = web.Response(
            body=msgspec.json.encode(problem), status=status, content_type="application/problem+json"
        )
        if status in _EXTRA_HEADERS:
            response.headers.update(_EXTRA_HEADERS[status])
        return response

    def _note(self, request: web.Request, route: Route | None, status: int, seconds: float) -> None:
        measured = self._measured.get((route, status))
        if measured is None:
            method, path = (route.method, route.path) if route else ("-", "unmatched")
            measured = self._measured[route, status] = self._seconds.labels(method, path, str(status))
        measured.observe(seconds)
        if route is not None and route.quiet:
            return
        if access.isEnabledFor(logging.INFO):
            fields = {
                "method": request.method,
                "route": route.path if route else "unmatched",
                "status": status,
                "ms": round(seconds * 1000, 2),
                "request_id": request[REQUEST_ID],
            }
            # Made here and not by `access.info`, which looks for the caller: one line for every request.
            record = logging.LogRecord("access", logging.INFO, __file__, 0, "request", None, None)
            record.fields = fields
            access.handle(record)


def _new_id() -> str:
    """Return a name for a request; it guards nothing."""
    return f"{random.getrandbits(96):024x}"


def _left_alone(task: "asyncio.Task[web.StreamResponse]") -> None:
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, Problem):
        log.error("a change failed after its client had gone", exc_info=error)


_OWN_WORDS = {404: "there is no such path", 405: "this path has no such method", 413: "the body is over the limit"}
_EXTRA_HEADERS = {401: {"WWW-Authenticate": "Bearer"}}
