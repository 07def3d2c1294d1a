"""The HTTP shell: one middleware, problem+json for everything, probes, limits, shielding, background tasks."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate
from yarl import URL

from shared.app import LIFE, background, build_app
from shared.auth import ADMINS, EVERYONE, PUBLIC, Authenticator, StoredKey, issue
from shared.errors import Conflict, Unavailable
from shared.routes import (
    IF_MATCH,
    Route,
    answer,
    held_already,
    if_match,
    not_modified,
    nothing,
    open_stream,
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

    async def create(self, key: StoredKey) -> None:
        self.found[key.key_id] = key


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    sizes: list[float] = []


class Paging(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 10


class Shelf:
    """What the handlers of these tests do."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.stored = False

    async def put_thing(self, request: web.Request) -> web.StreamResponse:
        """Store a thing.

        And answer it.
        """
        return answer(await read_body(request, Thing), 201, revision=(if_match(request) or 0) + 1)

    async def get_thing(self, request: web.Request) -> web.StreamResponse:
        """Return a thing."""
        if held_already(request, 7):
            return not_modified(7)
        asking = principal(request)
        return answer({"who": asking.tenant, "limit": read_query(request, Paging).limit}, revision=7)

    async def slow_change(self, _: web.Request) -> web.StreamResponse:
        """Change something slowly."""
        self.entered.set()
        await self.go_on.wait()
        self.stored = True
        return nothing()

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

    async def trace(self, request: web.Request) -> web.StreamResponse:
        """Return the trace."""
        return web.Response(text=trace_of(request))

    def routes(self) -> list[Route]:
        return [
            Route("PUT", "/v1/things/{thing_id}", self.put_thing, ADMINS, body=Thing, answers={201: Thing}, limit=2000),
            Route("GET", "/v1/things/{thing_id}", self.get_thing, EVERYONE, query=Paging, headers=[IF_MATCH]),
            Route("GET", "/v1/officers/{officer_id}", self.get_thing, EVERYONE, query=Paging),
            Route("POST", "/v1/slow", self.slow_change, PUBLIC, answers={204: None}),
            Route("GET", "/v1/wrong", self.wrong, PUBLIC),
            Route("GET", "/v1/away", self.away, PUBLIC),
            Route("POST", "/v1/clash", self.clash, PUBLIC, problems=[409]),
            Route("GET", "/v1/stream", self.stream, PUBLIC, streams=True),
            Route("GET", "/v1/trace", self.trace, PUBLIC),
        ]


@asynccontextmanager
async def serving(shelf: Shelf, **options: Any) -> AsyncIterator[tuple[TestClient[Any, Any], KeysInMemory]]:
    keys = KeysInMemory()
    app = build_app("Shelf", shelf.routes(), Authenticator(keys, PEPPER), **options)
    async with TestClient(TestServer(app)) as client:
        yield client, keys


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


async def _bearer(keys: KeysInMemory, tenant: str, role: Any, officer: str | None = None) -> dict[str, str]:
    credential, stored = issue(PEPPER, tenant, role, officer)
    await keys.create(stored)
    return {"Authorization": f"Bearer {credential}"}


def test_a_route_without_a_policy_stops_the_service() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return nothing()

    with pytest.raises(ValueError, match="GET /v1/forgotten"):
        build_app("X", [Route("GET", "/v1/forgotten", handler)], Authenticator(KeysInMemory(), PEPPER))


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/nowhere", 404, "Not Found"),
        ("DELETE", "/v1/away", 405, "Method Not Allowed"),
        ("GET", "/v1/things/bad%20id", 404, "Not Found"),
        ("GET", "/v1/things/ok%0A", 404, "Not Found"),
        ("GET", "/v1/things/ok", 401, "Not signed in"),
        ("GET", "/v1/wrong", 500, "Internal error"),
        ("GET", "/v1/away", 503, "Temporarily unavailable"),
        ("POST", "/v1/clash", 409, "Conflict"),
    ],
)
async def test_every_failure_is_a_problem_document(
    shelf: Shelf, method: str, path: str, status: int, title: str
) -> None:
    async with serving(shelf) as (client, _), ClientSession() as session:
        url = str(client.make_url("/")).rstrip("/") + path
        got = await session.request(method, URL(url, encoded=True), headers={"X-Request-Id": "mine-1"})
        assert got.status == status
        assert got.content_type == "application/problem+json"
        problem = await got.json()
        assert problem["title"] == title
        assert problem["status"] == status
        assert problem["request_id"] == got.headers["X-Request-Id"] == "mine-1"
        assert "secret of the house" not in problem["detail"]


async def test_extra_headers_tell_how_to_go_on(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        assert (await client.get("/v1/things/a")).headers["WWW-Authenticate"] == "Bearer"
        assert (await client.get("/v1/away")).headers["Retry-After"] == "2"
        assert (await client.delete("/v1/away")).headers["Allow"] == "GET"


async def test_a_strange_request_id_is_replaced(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        got = await client.get("/v1/trace", headers={"X-Request-Id": "a b\tc"})
        assert re.fullmatch("[0-9a-f]{24}", got.headers["X-Request-Id"])


async def test_bodies_are_refused_by_name(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await _bearer(keys, "a", "admin")
        cases: list[tuple[bytes, int, str | None]] = [
            (b"{", 400, None),
            (b"\xff", 400, None),
            (b"[]", 422, None),
            (b'{"name": 1}', 422, "name"),
            (b"{}", 422, "name"),
            (b'{"name": "a", "colour": 1}', 422, "colour"),
            (b'{"name": "a", "sizes": [1, "b"]}', 422, "sizes[1]"),
            (b'{"name": "' + b"x" * 3000 + b'"}', 413, None),
        ]
        for body, status, field in cases:
            got = await client.put("/v1/things/a", data=body, headers=headers)
            assert (got.status, (await got.json()).get("field")) == (status, field), body

        async def chunked() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"x" * 100

        assert (await client.put("/v1/things/a", data=chunked(), headers=headers)).status == 413
        good = await client.put("/v1/things/a", json={"name": "a"}, headers=headers | {"If-Match": '"4"'})
        assert (good.status, good.headers["ETag"]) == (201, '"5"')
        stale = await client.put("/v1/things/a", json={"name": "a"}, headers=headers | {"If-Match": "x"})
        assert (stale.status, (await stale.json())["field"]) == (412, "If-Match")


async def test_queries_are_refused_by_name(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await _bearer(keys, "a", "platform")
        for query, field in (("limit=x", "limit"), ("size=1", "size"), ("limit=1&limit=2", "limit")):
            got = await client.get(f"/v1/things/a?{query}", headers=headers)
            assert (got.status, (await got.json())["field"]) == (422, field)
        assert await (await client.get("/v1/things/a?limit=3", headers=headers)).json() == {"who": "a", "limit": 3}
        assert (await client.get("/v1/things/a", headers=headers | {"If-None-Match": 'W/"7"'})).status == 304


async def test_policies_hold(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        mine = await _bearer(keys, "a", "officer", "me")
        assert (await client.put("/v1/things/a", json={"name": "a"}, headers=mine)).status == 403
        assert (await client.get("/v1/officers/me", headers=mine)).status == 200
        assert (await client.get("/v1/officers/you", headers=mine)).status == 404
        assert (await client.get("/v1/officers/you", headers={"Authorization": "Bearer a.b"})).status == 401
        assert (await client.get("/v1/officers/you", headers={"Authorization": "Basic a.b"})).status == 401


async def test_a_change_goes_on_when_its_client_goes_away(shelf: Shelf) -> None:
    app = build_app("Shelf", shelf.routes(), Authenticator(KeysInMemory(), PEPPER))
    server = TestServer(app)
    await server.start_server()
    _, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"POST /v1/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    await asyncio.wait_for(shelf.entered.wait(), 5)
    writer.transport.abort()
    await asyncio.sleep(0.2)
    assert not shelf.stored
    asyncio.get_running_loop().call_later(0.2, shelf.go_on.set)
    await server.close()
    assert shelf.stored


async def test_a_broken_stream_ends_the_connection(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        got = await client.get("/v1/stream")
        assert got.status == 200
        with pytest.raises(Exception, match=r"payload|disconnected|reset|closed"):
            await got.read()


async def test_a_trace_is_continued_or_begun(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        text = await (await client.get("/v1/trace", headers={"traceparent": sent})).text()
        assert text.startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert text != sent
        begun = await (
            await client.get("/v1/trace", headers={"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"})
        ).text()
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun)
        assert "0" * 32 not in begun


async def test_readiness_names_what_is_wrong(shelf: Shelf) -> None:
    async def fine() -> None:
        return None

    async def wrong() -> str:
        return "no primary"

    async with serving(shelf, checks={"a": fine, "b": wrong}) as (client, _):
        got = await client.get("/readyz")
        assert (got.status, await got.json()) == (
            503,
            {"status": "not ready", "checks": {"a": "ok", "b": "no primary"}},
        )
        assert (await client.get("/livez")).status == 200
    async with serving(shelf, checks={"a": fine}) as (client, _):
        assert (await client.get("/readyz")).status == 200
        assert client.app is not None
        client.app[LIFE].draining = True
        got = await client.get("/readyz")
        assert (got.status, (await got.json())["status"]) == (503, "draining")


async def test_a_background_task_that_dies_ends_the_process(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    async def dies() -> None:
        raise RuntimeError("the broker is gone")

    async with serving(shelf, contexts=[background("relay", dies)]) as (client, _):
        assert client.app is not None
        await asyncio.wait_for(client.app[LIFE].stopping.wait(), 5)
        assert client.app[LIFE].failure == "relay ended: RuntimeError('the broker is gone')"
        got = await client.get("/readyz")
        assert got.status == 503
    assert "relay ended by itself" in caplog.text


async def test_a_background_task_may_finish_what_it_has_in_hand(shelf: Shelf) -> None:
    told = asyncio.Event()
    finished = []

    async def works() -> None:
        await told.wait()
        await asyncio.sleep(0.05)
        finished.append(True)

    async with serving(shelf, contexts=[background("consumer", works, stop=told.set)]) as (client, _):
        assert client.app is not None
        assert client.app[LIFE].failure is None
    assert finished == [True]


async def test_the_access_log_holds_templates_and_no_queries(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "access")
    async with serving(shelf) as (client, _):
        await client.get("/v1/things/private?limit=secret")
        await client.get("/livez")
    lines = [vars(record)["fields"] for record in caplog.records if record.name == "access"]
    assert [(line["route"], line["status"]) for line in lines] == [("/v1/things/{thing_id}", 401)]
    assert "secret" not in str(lines)
    assert "private" not in str(lines)


async def test_requests_are_measured_by_template(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        await client.get("/v1/trace")
        await client.get("/any/thing")
        text = await (await client.get("/metrics")).text()
    assert 'http_request_seconds_count{method="GET",route="/v1/trace",status="200"} 1.0' in text
    assert 'http_request_seconds_count{method="-",route="unmatched",status="404"} 1.0' in text


async def test_the_document_is_valid_and_its_page_needs_no_internet(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        document = await (await client.get("/openapi.json")).json()
        validate(document)
        put = document["paths"]["/v1/things/{thing_id}"]["put"]
        assert put["summary"] == "Store a thing"
        assert put["description"] == "And answer it."
        assert set(put["responses"]) == {"201", "400", "401", "403", "404", "413", "422", "503"}
        page = await client.get("/docs")
        text = await page.text()
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "http" not in text
        for asset in re.findall(r'(?:src|href)="(/[^"]+)"', text):
            assert (await client.get(asset)).status == 200, asset
