"""The HTTP application of every service: middleware, probes, metrics, and background tasks.

    async def build(settings: CatalogSettings) -> web.Application:      # in a service's __main__
        client = connect(settings, "catalog")
        app = build_app("Catalog", ROUTES, authenticator_of(settings, client),
                        checks=server_checks(settings, client),               # None, or what is wrong
                        contexts=[background("relay", relay.run),
                                  background("consumer", consumer.run, stop=consumer.stop)])
        app[CONTEXT] = RouteContext(store, ...)               # what the routes use; metrics: registry=app[REGISTRY]
        return app

`build_app` rejects a route without a policy. A test serves the same app: `TestServer(await build(settings))`.
`contexts` end in reverse order, so pass a client before the tasks that use it; background tasks end at the same time.
If a background task ends by itself, the process ends with the reason, so that the orchestrator starts a new one.

`shared.routes` describes what a handler can rely on. Every failure is answered as problem+json; the answer to an
unexpected error reveals no details. If the client disconnects, a reading route is cancelled; a changing route is
shielded and finishes.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.aiohttp import make_aiohttp_handler

from shared import VERSION, api_page, kafka, mongo, openapi
from shared.auth import PUBLIC, Authenticator
from shared.connections import Application
from shared.limits import Limits
from shared.middleware import Credential, Middleware, bearer
from shared.mongo import Client, KeyStore
from shared.routes import BODY_LIMIT, Handler, Route
from shared.settings import Settings

log = logging.getLogger(__name__)

Context = Callable[[web.Application], AsyncIterator[None]]
Check = Callable[[], Awaitable[str | None]]

REGISTRY: web.AppKey[CollectorRegistry] = web.AppKey("registry", CollectorRegistry)
DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("document", dict)
TABLE: web.AppKey[Sequence[Route]] = web.AppKey("table", Sequence)  # every route, for the tests that walk them all

_CHECK_SECONDS = 2.0
_FINISH_SECONDS = 4.0  # how long background tasks may finish their current work, and then how long they may close
_LINGERING_SECONDS = 3.0  # how long what is left of a refused body is read and dropped, so that its answer is seen
_IDENTIFIER = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Lifecycle:
    """Whether this process continues; a signal or a failed background task ends it.

    `draining`: the process is about to stop and reports that it is not ready, so that balancers send no more requests.
    `failure`: why the process ends with an error.
    """

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


LIFECYCLE: web.AppKey[Lifecycle] = web.AppKey("lifecycle", Lifecycle)


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the service can accept work. `checks`: name -> `ok`, or what is wrong.

    `warnings`: name -> what an operator should repair although the service still works.
    """

    status: str
    checks: dict[str, str]
    warnings: dict[str, str] = {}


READINESS: web.AppKey[Callable[[], Awaitable[Readiness]]] = web.AppKey("readiness")
"""The function that checks what the service needs; `/readyz` answers what it returns."""


def build_app(  # noqa: PLR0913 - an app is built once, by name, in a __main__
    title: str,
    routes: Sequence[Route],
    authenticator: Authenticator,
    *,
    description: str = "",
    checks: Mapping[str, Check] | None = None,
    warnings: Mapping[str, Check] | None = None,
    contexts: Iterable[Context] = (),
    credential: Credential = bearer,
    limits: Limits | None = None,
    docs: bool = True,
) -> web.Application:
    """Return the application of a service.

    `checks`, `warnings`: by name, functions that return what is wrong, or None. `credential`: finds the credential of a
    request. `docs`: also serve the page `/docs`, which shows the OpenAPI document. Raises ValueError if a route
    declares no policy.
    """
    open_to_all = [f"{route.method} {route.path}" for route in routes if route.policy is None]
    if open_to_all:
        raise ValueError(f"routes without a policy: {', '.join(open_to_all)}")
    registry = _registry()
    lifecycle = Lifecycle()
    limits = limits or Limits()
    middleware = Middleware(authenticator, credential, registry, limits)
    app = Application(
        limits,
        middleware.middleware,
        middleware.refusal,
        client_max_size=BODY_LIMIT,
        handler_args={"auto_decompress": False, "lingering_time": _LINGERING_SECONDS, "access_log": None},
    )
    app[LIFECYCLE], app[_BACKGROUND] = lifecycle, []
    app[REGISTRY] = registry
    readiness: Callable[[], Awaitable[Readiness]] = partial(_readiness, lifecycle, checks or {}, warnings or {})
    app[READINESS] = readiness
    every = [*routes, *_probes(readiness, registry)]
    described = openapi.document(title, description or title, every)
    app[TABLE] = [*every, api_page.document_route(described), *(api_page.page_routes(title) if docs else [])]
    app[DOCUMENT] = described
    for route in app[TABLE]:
        for method in [route.method, "HEAD"] if route.method == "GET" else [route.method]:
            resolved = app.router.add_route(method, _pattern(route.path), route.handler, expect_handler=_expected)
            middleware.add(resolved, route)
    app.on_response_prepare.append(middleware.set_headers)
    app.cleanup_ctx.extend(contexts)
    app.on_shutdown.append(middleware.finish)
    return app


def authenticator_of(settings: Settings, client: Client) -> Authenticator:
    """Return the authenticator that reads API keys from MongoDB."""
    return Authenticator(KeyStore(client, settings), settings.api_key_pepper)


def server_checks(settings: Settings, client: Client) -> dict[str, Check]:
    """Return the readiness checks that every service has: whether MongoDB and Kafka answer."""
    return {"mongodb": partial(mongo.reachable, client), "kafka": partial(kafka.reachable, settings)}


async def _expected(request: web.Request) -> None:
    """Leave `100 Continue` to the code that reads the body.

    A request that is rejected by its headers need not send the body.
    """
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise web.HTTPExpectationFailed


def _pattern(path: str) -> str:
    """Return the router's pattern, which matches identifiers only; other paths are 404 before a handler runs."""
    return re.sub(r"{(\w+)}", rf"{{\1:{_IDENTIFIER}}}", path)


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    build = Gauge("learning_path_build_info", "1; the label says which release runs.", ["version"], registry=registry)
    build.labels(VERSION).set(1)
    return registry


async def _readiness(lifecycle: Lifecycle, checks: Mapping[str, Check], warnings: Mapping[str, Check]) -> Readiness:
    results, reported = await asyncio.gather(_all_checked(checks), _all_checked(warnings))
    if lifecycle.failure:
        results["background"] = lifecycle.failure
    ready = not lifecycle.draining and all(result == "ok" for result in results.values())
    status = "ready" if ready else "draining" if lifecycle.draining else "not ready"
    return Readiness(status, results, {name: result for name, result in reported.items() if result != "ok"})


def _probes(readiness: Callable[[], Awaitable[Readiness]], registry: CollectorRegistry) -> list[Route]:
    async def livez(_: web.Request) -> web.StreamResponse:
        """Say that the process lives; asks neither MongoDB nor Kafka."""
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.StreamResponse:
        """Say whether the service may be sent work, and what is wrong if not."""
        found = await readiness()
        status = 200 if found.status == "ready" else 503
        return web.Response(body=msgspec.json.encode(found), status=status, content_type="application/json")

    async def metrics(request: web.Request) -> web.StreamResponse:
        """Return measurements for Prometheus."""
        return await exposed(request)

    exposed: Handler = make_aiohttp_handler(registry)
    return [
        Route("GET", "/livez", livez, PUBLIC, answers={200: str}, produces="text/plain"),
        Route("GET", "/readyz", readyz, PUBLIC, answers={200: Readiness, 503: Readiness}),
        Route("GET", "/metrics", metrics, PUBLIC, answers={200: str}, produces="text/plain"),
    ]


async def _all_checked(checks: Mapping[str, Check]) -> dict[str, str]:
    results = await asyncio.gather(*map(_checked, checks.values()))
    return dict(zip(checks, results, strict=True))


async def _checked(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check() or "ok"
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} s"
    except Exception as error:
        log.exception("a readiness check failed")
        return type(error).__name__


# --- background tasks ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Background:
    name: str
    task: "asyncio.Future[None]"
    stop: Callable[[], None] | None
    ended: Callable[["asyncio.Future[None]"], None]


_BACKGROUND: web.AppKey[list[_Background]] = web.AppKey("background", list)


def background(name: str, work: Callable[[], Awaitable[None]], *, stop: Callable[[], None] | None = None) -> Context:
    """Return the context of a task that runs as long as the service; `stop` asks it to finish its current work.

    If the task ends before the service does, for any reason, the process ends too.
    """

    async def running(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.ensure_future(work())
        ended = partial(_ended, app[LIFECYCLE], name)
        task.add_done_callback(ended)
        app[_BACKGROUND].append(_Background(name, task, stop, ended))
        yield
        await _end_all(app[_BACKGROUND])

    return running


async def _end_all(running: list[_Background]) -> None:
    """End all background tasks at the same time, so that a server that is away delays the stop once, not once each."""
    ending = {one.task: one for one in running}
    running.clear()
    for one in ending.values():
        one.task.remove_done_callback(one.ended)
        if one.stop:
            one.stop()
    if finishing := [task for task, one in ending.items() if one.stop]:
        _, unfinished = await asyncio.wait(finishing, timeout=_FINISH_SECONDS)
        for task in unfinished:
            log.warning("%s has not finished its current work; it is interrupted", ending[task].name)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending, timeout=_FINISH_SECONDS)
    for task, one in ending.items():
        if not task.done():
            log.warning("%s does not end; the service ends without it", one.name)
        elif not task.cancelled() and (error := task.exception()):
            log.warning("%s, while stopping: %r", one.name, error)


def _ended(lifecycle: Lifecycle, name: str, task: "asyncio.Future[None]") -> None:
    error = None if task.cancelled() else task.exception()
    lifecycle.fail(f"{name} ended: {error!r}" if error else f"{name} ended")
    log.error("%s ended by itself", name, exc_info=error)
