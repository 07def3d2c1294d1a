"""A minimal service, to test the HTTP layer alone: its handlers, its keys in memory, and a client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared.app import build_app
from shared.auth import ADMINS, EVERYONE, PUBLIC, Authenticator, StoredKey, issue
from shared.errors import Conflict, Unavailable
from shared.preconditions import Tag
from shared.routes import (
    IF_MATCH,
    Route,
    json_response,
    no_content,
    not_modified,
    open_stream,
    preconditions,
    principal,
    read_body,
    read_query,
    trace_of,
)

PEPPER = b"pepper of the unit tests"


class KeysInMemory:
    def __init__(self) -> None:
        self.found: dict[str, StoredKey] = {}

    async def find(self, key_id: str) -> StoredKey | None:
        return self.found.get(key_id)

    async def note_use(self, key_id: str) -> None:
        """Do nothing: uses are not recorded."""

    async def create(self, key: StoredKey) -> None:
        self.found[key.key_id] = key


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    sizes: list[float] = []


class Paging(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 10
    since: int | None = None


class Shelf:
    """The handlers of the minimal service, and what they store."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.stored = False
        self.left = asyncio.Event()

    async def put_thing(self, request: web.Request) -> web.StreamResponse:
        """Store a thing.

        And answer it.
        """
        preconditions(request).check(Tag("4"))
        return json_response(await read_body(request, Thing), 201, tag=Tag("5"))

    async def get_thing(self, request: web.Request) -> web.StreamResponse:
        """Return a thing."""
        asking = principal(request)
        whole = {"who": asking.tenant, "limit": read_query(request, Paging).limit}
        return not_modified(request, Tag("7")) or json_response(whole, tag=Tag("7"))

    async def slow_change(self, _: web.Request) -> web.StreamResponse:
        """Change something slowly."""
        self.entered.set()
        await self.go_on.wait()
        self.stored = True
        return no_content()

    async def slow_answer(self, _: web.Request) -> web.StreamResponse:
        """Answer slowly."""
        self.entered.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        return web.Response(text="slow")

    async def wrong(self, _: web.Request) -> web.StreamResponse:
        """Fail."""
        raise RuntimeError("the secret of the house")

    async def away(self, _: web.Request) -> web.StreamResponse:
        """Fail for a while."""
        raise Unavailable("away")

    async def clash(self, _: web.Request) -> web.StreamResponse:
        """Clash."""
        raise Conflict("used before", "Idempotency-Key")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Stream, then break."""
        stream = await open_stream(request, "application/x-ndjson")
        await stream.write(b"{}\n")
        raise RuntimeError("in the middle")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Stream an event, and no second one."""
        stream = await open_stream(request, "text/event-stream")
        await stream.write(b"data: 1\n\n")
        self.entered.set()
        try:
            await self.go_on.wait()
        finally:
            self.left.set()
        return stream

    async def trace(self, request: web.Request) -> web.StreamResponse:
        """Return the trace."""
        return web.Response(text=trace_of(request))

    def routes(self) -> list[Route]:
        return [
            Route(
                "PUT",
                "/v1/things/{thing_id}",
                self.put_thing,
                ADMINS,
                body=Thing,
                answers={201: Thing},
                limit=2000,
                headers=[IF_MATCH],
            ),
            Route("DELETE", "/v1/things/{thing_id}", self.slow_change, ADMINS, answers={204: None}),
            Route("POST", "/v1/things/{thing_id}:lend", self.slow_change, ADMINS, answers={204: None}),
            Route("GET", "/v1/things/{thing_id}", self.get_thing, EVERYONE, query=Paging, headers=[IF_MATCH]),
            Route("GET", "/v1/officers/{officer_id}", self.get_thing, EVERYONE, query=Paging),
            Route("POST", "/v1/slow", self.slow_change, PUBLIC, answers={204: None}),
            Route("GET", "/v1/wrong", self.wrong, PUBLIC),
            Route("GET", "/v1/away", self.away, PUBLIC),
            Route("POST", "/v1/clash", self.clash, PUBLIC, problems=[409]),
            Route("GET", "/v1/stream", self.stream, PUBLIC, streams=True),
            Route("GET", "/v1/events", self.events, PUBLIC, streams=True, produces="text/event-stream"),
            Route("GET", "/v1/slow-answer", self.slow_answer, PUBLIC),
            Route("GET", "/v1/trace", self.trace, PUBLIC),
        ]


@asynccontextmanager
async def serving(shelf: Shelf, **options: Any) -> AsyncIterator[tuple[TestClient[Any, Any], KeysInMemory]]:
    keys = KeysInMemory()
    app = build_app("Shelf", shelf.routes(), Authenticator(keys, PEPPER), **options)
    async with TestClient(TestServer(app)) as client:
        yield client, keys


async def bearer(keys: KeysInMemory, tenant: str, role: Any, officer: str | None = None) -> dict[str, str]:
    credential, stored = issue(PEPPER, tenant, role, officer)
    await keys.create(stored)
    return {"Authorization": f"Bearer {credential}"}
