"""More than a service can take, more than a caller may: refused at once with Retry-After; probes answer."""

import asyncio
import io
import json
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from shared import access_log
from shared.auth import EVERYONE, PUBLIC, StoredKey
from shared.connections import Connection
from shared.limits import Limits, networks
from shared.routes import Route
from tests.support.raw_http import PATIENCE, Answer, Wire, answer_on, logged, wired
from tests.support.sample_service import KeysInMemory, Shelf, Thing
from tests.support.waiting import until

HOST = b"Host: x\r\n"
SLOW = b"POST /v1/slow HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"
TRACE = b"GET /v1/trace HTTP/1.1\r\n" + HOST + b"\r\n"
KEPT = b"POST /v1/kept HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n"
READ = b"GET /v1/things/a HTTP/1.1\r\n" + HOST


class Held(Shelf):
    """Whoever asks waits for the gate, and is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = asyncio.Semaphore(0)

    async def slow_change(self, request: web.Request) -> web.StreamResponse:
        self.inside.release()
        return await super().slow_change(request)

    def routes(self) -> list[Route]:
        kept = Route("POST", "/v1/kept", self.slow_change, EVERYONE, answers={204: None})
        mine = Route(
            "PUT", "/v1/officers/{officer_id}/things", self.put_thing, EVERYONE, body=Thing, answers={201: Thing}
        )
        stream = Route("GET", "/v1/mine", self.events, EVERYONE, streams=True, produces="text/event-stream")
        shown = Route("GET", "/v1/shown", self.trace, PUBLIC, in_memory=True)
        return [*super().routes(), kept, mine, stream, shown]

    async def fill(self, wire: Wire, *headers: bytes, places: int) -> None:
        """Occupy so many places with requests that wait for the gate."""
        for _ in range(places):
            _, writer = await wire.open()
            writer.write(KEPT + b"".join(headers) + b"\r\n")
            await asyncio.wait_for(self.inside.acquire(), PATIENCE)


async def test_requests_over_the_limit_are_rejected_at_once_unless_their_answer_costs_nothing() -> None:
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=2)) as wire:
        held = [await wire.open() for _ in range(2)]
        for _, writer in held:
            writer.write(SLOW)
        for _ in held:
            await asyncio.wait_for(shelf.inside.acquire(), PATIENCE)
        for _ in range(3):
            got = await wire.ask(TRACE)
            assert (got.status, got.headers["retry-after"]) == (503, "1")
            assert got.problem["title"] == "Temporarily unavailable"
        for path in (b"/v1/shown", b"/livez", b"/readyz", b"/metrics"):
            got = await wire.ask(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            assert got.status == 200
        assert b"learning_path_http_server_active_requests 2.0" in got.body
        shelf.go_on.set()
        for reader, _ in held:
            assert (await answer_on(reader)).status == 204
        assert (await wire.ask(TRACE)).status == 200


async def test_a_change_counts_as_active_until_it_is_done_even_if_its_client_disconnects() -> None:
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=1)) as wire:
        _, writer = await wire.open()
        writer.write(SLOW)
        await asyncio.wait_for(shelf.inside.acquire(), PATIENCE)
        with logged() as written:
            writer.transport.abort()
            async with asyncio.timeout(PATIENCE):
                while b'"status":499' not in written.getvalue():
                    await asyncio.sleep(0.01)
        assert (await wire.ask(TRACE)).status == 503
        shelf.go_on.set()
        async with asyncio.timeout(PATIENCE):
            while (await wire.ask(TRACE)).status != 200:
                await asyncio.sleep(0.01)
        assert shelf.stored


async def test_one_officers_key_cannot_use_all_capacity() -> None:
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=16)) as wire:
        officer, platform = await wire.key("officer", "me"), await wire.key("platform")
        await shelf.fill(wire, officer, places=2)
        got = await wire.ask(KEPT + officer + b"\r\n")
        assert (got.status, got.headers["retry-after"]) == (503, "2")
        assert (await wire.ask(READ + platform + b"\r\n")).status == 200
        shelf.go_on.set()


def served(wire: Wire) -> web.Server:
    """Return what handles the requests that are not refused by their heads."""
    assert wire.server.runner is not None
    server = wire.server.runner.server
    assert server is not None
    return server


async def test_a_rejected_request_costs_no_work_and_looks_like_any_other_rejection() -> None:
    shelf = Held()
    put = b"PUT /v1/things/a HTTP/1.1\r\n" + HOST + b"Content-Length: 12\r\nX-Request-Id: mine\r\n"
    async with wired(shelf, Limits(concurrent_requests=16)) as wire:
        key = await wire.key()
        await shelf.fill(wire, key, places=12)
        server = served(wire)
        by_middleware = await wire.ask(put + key + b'Connection: close\r\n\r\n{"name":"a"}')
        before = server.requests_count
        reader, writer = await wire.open()
        for _ in range(3):
            writer.write(put + key + b'\r\n{"name":"a"}')
            at_once = await answer_on(reader)
            assert at_once.problem == by_middleware.problem
            more = {"connection", "ratelimit", "ratelimit-policy"}  # a rejection at once is not counted
            assert {*by_middleware.headers} - {*at_once.headers} == more
            same = ("retry-after", "x-request-id", "x-content-type-options", "cache-control", "content-type")
            assert [at_once.headers[name] for name in same] == [by_middleware.headers[name] for name in same]
        assert server.requests_count == before
        shelf.go_on.set()
        async with asyncio.timeout(PATIENCE):
            while (got := await on(reader, writer, put + key + b'\r\n{"name":"a"}')).status != 201:
                assert got.status == 503
        assert (await on(reader, writer, TRACE)).status == 200


async def on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Answer:
    """Return the answer to one more request of a connection."""
    writer.write(request)
    return await answer_on(reader)


async def test_requests_that_come_at_once_are_decided_before_the_first_is_handled() -> None:
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=16)) as wire:
        key = await wire.key()
        await shelf.fill(wire, key, places=11)
        server = served(wire)
        opened = [await wire.open() for _ in range(6)]
        for reader, writer in opened:
            assert (await on(reader, writer, TRACE)).status == 200
        before = server.requests_count
        for _, writer in opened:  # without a pause, so that the service reads them all in one turn
            writer.write(KEPT + key + b"\r\n")
        answers = [asyncio.create_task(answer_on(reader)) for reader, _ in opened]
        async with asyncio.timeout(PATIENCE):
            await shelf.inside.acquire()
            while sum(task.done() for task in answers) < 5:
                await asyncio.sleep(0.01)
        assert server.requests_count == before + 1
        shelf.go_on.set()
        assert sorted([(await task).status for task in answers]) == [204] + 5 * [503]


async def test_a_request_that_is_never_handled_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, decide = Held(), Connection._refused
    lost = asyncio.Event()

    def decided_and_lost(connection: Connection) -> bool:
        refused = decide(connection)
        if connection.transport is not None:
            connection.transport.abort()
        lost.set()
        return refused

    async with wired(shelf, Limits(concurrent_requests=16)) as wire:
        key = await wire.key()
        await shelf.fill(wire, key, places=11)
        with monkeypatch.context() as changed:
            changed.setattr(Connection, "_refused", decided_and_lost)
            _, writer = await wire.open()
            writer.write(READ + key + b"\r\n")
            await asyncio.wait_for(lost.wait(), PATIENCE)
        assert (await wire.ask(READ + key + b"Authorization: again\r\n\r\n")).status == 400
        assert (await wire.ask(READ + key + b"\r\n")).status == 200
        assert b"active_requests 11.0" in (await wire.ask(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")).body
        shelf.go_on.set()


async def test_requests_that_come_together_are_rejected_in_order() -> None:
    shelf = Held()
    ask = b"GET /v1/things/a HTTP/1.1\r\n" + HOST + b"X-Request-Id: %d\r\n"
    async with wired(shelf, Limits(concurrent_requests=8)) as wire:
        key = await wire.key("platform")
        await shelf.fill(wire, key, places=6)
        reader, writer = await wire.open()
        for number in (0, 2, 4):
            writer.write(b"".join(ask % one + key + b"\r\n" for one in (number, number + 1)))
        answers = [await answer_on(reader) for _ in range(6)]
        assert [(got.status, got.headers["x-request-id"]) for got in answers] == [(503, str(n)) for n in range(6)]
        writer.write(ask % 6 + key)
        await writer.drain()
        writer.write(b"\r\n")
        assert (await answer_on(reader)).headers["x-request-id"] == "6"
        shelf.go_on.set()


async def test_a_rejected_client_of_http_1_0_is_told_that_its_connection_stays_open() -> None:
    shelf = Held()
    ask = b"GET /v1/things/a HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n"
    async with wired(shelf, Limits(concurrent_requests=8)) as wire:
        key = await wire.key("platform")
        await shelf.fill(wire, key, places=6)
        reader, writer = await wire.open()
        for _ in range(2):
            got = await on(reader, writer, ask + key + b"\r\n")
            assert (got.status, got.headers["connection"]) == (503, "keep-alive")
        shelf.go_on.set()


async def test_streams_are_open_to_a_key_whose_share_of_requests_is_used() -> None:
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=8)) as wire:
        key = await wire.key("platform")
        await shelf.fill(wire, key, places=6)
        reader, writer = await wire.open()
        writer.write(b"GET /v1/mine HTTP/1.1\r\n" + HOST + key + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        shelf.go_on.set()


async def test_rejected_requests_are_logged_and_counted_by_route_and_caller() -> None:
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=8, trusted_proxies=networks("127.0.0.0/8"))) as wire:
        key = await wire.key("platform")
        await shelf.fill(wire, key, places=6)
        with logged() as written:
            got = await wire.ask(READ + key + b"X-Forwarded-For: 198.51.100.7\r\n\r\n")
        line = json.loads(written.getvalue())
        fields = {
            name: line[name] for name in ("method", "route", "status", "request_id", "address", "key_id", "tenant")
        }
        assert fields == {
            "method": "GET",
            "route": "/v1/things/{thing_id}",
            "status": 503,
            "request_id": got.headers["x-request-id"],
            "address": "198.51.100.7",
            "key_id": key.split()[2].partition(b".")[0].decode(),
            "tenant": "a",
        }
        metrics = await wire.ask(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b'_count{method="GET",route="/v1/things/{thing_id}",status="503"} 1.0' in metrics.body
        shelf.go_on.set()


def _rejected(written: io.BytesIO) -> list[dict[str, Any]]:
    """Return the lines about rejected requests."""
    return [json.loads(line) for line in written.getvalue().splitlines() if b'"status":503' in line]


async def test_rejected_requests_of_one_second_share_a_line_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_TOGETHER_SECONDS", 3.0)  # a busy machine sends few requests in one
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=8)) as wire:
        key, other = await wire.key("platform"), await wire.key("officer", "me")
        await shelf.fill(wire, key, places=6)
        with logged() as written:
            for _ in range(5):
                assert (await wire.ask(READ + key + b"\r\n")).status == 503
            assert (await wire.ask(READ + other + b"\r\n")).status == 200
            await until(lambda: sum(line.get("count", 1) for line in _rejected(written)) == 5, "a line of each")
        together = next(line for line in _rejected(written) if "count" in line)
        assert (together["message"], together["route"]) == ("rejected requests", "/v1/things/{thing_id}")
        assert together["key_id"] == key.split()[2].partition(b".")[0].decode()
        metrics = await wire.ask(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b'_count{method="GET",route="/v1/things/{thing_id}",status="503"} 5.0' in metrics.body
        shelf.go_on.set()


async def test_requests_that_are_rejected_before_their_bodies_came_share_a_line_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_log, "_TOGETHER_SECONDS", 3600.0)
    shelf = Held()
    put = b"PUT /v1/things/a HTTP/1.1\r\n" + HOST + b"Content-Length: 12\r\n"
    with logged() as written:
        async with wired(shelf, Limits(concurrent_requests=8)) as wire:
            key = await wire.key()
            await shelf.fill(wire, key, places=6)
            for _ in range(4):
                got = await wire.ask(put + key + b'\r\n{"na')
                assert (got.status, got.headers["connection"]) == (503, "close")
            shelf.go_on.set()
    assert [line.get("count", 1) for line in _rejected(written)] == [1, 3]


async def test_rejected_requests_are_logged_before_the_service_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_TOGETHER_SECONDS", 3600.0)
    shelf = Held()
    with logged() as written:
        async with wired(shelf, Limits(concurrent_requests=8)) as wire:
            key = await wire.key("platform")
            await shelf.fill(wire, key, places=6)
            for _ in range(3):
                await wire.ask(READ + key + b"\r\n")
            shelf.go_on.set()
    assert [line.get("count", 1) for line in _rejected(written)] == [1, 2]


async def test_slow_bodies_of_one_officer_do_not_block_others() -> None:
    put = b"PUT /v1/officers/me/things HTTP/1.1\r\n" + HOST + b"Content-Length: 12\r\n"
    shelf = Held()
    async with wired(shelf, Limits(concurrent_requests=16, body_seconds=60)) as wire:
        officer, platform = await wire.key("officer", "me"), await wire.key("platform")
        slow = [await wire.open() for _ in range(20)]
        for _, writer in slow:
            writer.write(put + officer + b'\r\n{"na')
        refused = [asyncio.create_task(answer_on(reader)) for reader, _ in slow]
        await asyncio.wait(refused, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        async with asyncio.timeout(PATIENCE):
            while sum(task.done() for task in refused) < 18:
                await asyncio.sleep(0.01)
        assert {task.result().status for task in refused if task.done()} == {503}
        assert (await wire.ask(READ + platform + b"\r\n")).status == 200
        for (_, writer), task in zip(slow, refused, strict=True):
            if not task.done():
                writer.write(b'me":"a"}')
                assert (await asyncio.wait_for(task, PATIENCE)).status == 201


class Gated(KeysInMemory):
    """A key is found when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up = asyncio.Event()
        self.gate = asyncio.Event()

    async def find(self, key_id: str) -> StoredKey | None:
        self.looked_up.set()
        await self.gate.wait()
        return await super().find(key_id)


async def test_work_of_a_disconnected_client_is_not_started() -> None:
    shelf, keys = Held(), Gated()
    async with wired(shelf, keys=keys) as wire:
        key = await wire.key("platform")
        _, writer = await wire.open()
        writer.write(b"POST /v1/kept HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n" + key + b"\r\n")
        await asyncio.wait_for(keys.looked_up.wait(), PATIENCE)
        with logged() as written:
            writer.transport.abort()
            async with asyncio.timeout(PATIENCE):
                while b'"status":499' not in written.getvalue():
                    await asyncio.sleep(0.01)
        keys.gate.set()
        shelf.go_on.set()
        assert (await wire.ask(READ + key + b"\r\n")).status == 200
        assert not shelf.entered.is_set()


@pytest.mark.usefixtures("timeless")
async def test_a_key_over_its_rate_gets_retry_after() -> None:
    limits = Limits(rate_per_officer=1, rate_per_key=4)
    async with wired(limits=limits) as wire:
        officer, platform = await wire.key("officer", "me"), await wire.key("platform")
        answers = [await wire.ask(READ + officer + b"\r\n") for _ in range(30)]
        assert [got.status for got in answers[:5]] == [200] * 5
        refused = [got for got in answers if got.status == 429]
        assert refused
        assert int(refused[0].headers["retry-after"]) >= 1
        assert refused[0].problem["title"] == "Too many requests"
        assert (await wire.ask(READ + platform + b"\r\n")).status == 200


@pytest.mark.usefixtures("timeless")
async def test_an_address_without_a_key_is_rate_limited_and_keys_from_it_are_not() -> None:
    async with wired(limits=Limits(rate_per_address=1)) as wire:
        key = await wire.key("platform")
        for request in (TRACE, b"GET /v1/nowhere HTTP/1.1\r\n" + HOST + b"\r\n", READ + b"\r\n"):
            answers = [await wire.ask(request) for _ in range(12)]
            assert 429 in [got.status for got in answers]
        assert (await wire.ask(READ + key + b"\r\n")).status == 200
        assert (await wire.ask(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")).status == 200


@pytest.mark.usefixtures("timeless")
async def test_wrong_keys_of_an_address_are_limited_and_refuse_no_right_key_of_it() -> None:
    async with wired(limits=Limits(rate_per_address=1)) as wire:
        used, fresh = await wire.key("platform"), await wire.key("platform")
        assert (await wire.ask(READ + used + b"\r\n")).status == 200
        of_used = used.split()[2].partition(b".")[0]
        for wrong in (b"guess%d.x", of_used + b".x%d"):
            tried = [await wire.ask(READ + b"Authorization: Bearer " + wrong % n + b"\r\n\r\n") for n in range(12)]
            assert {got.status for got in tried[-3:]} == {429}
        for right in (used, fresh):
            assert (await wire.ask(READ + right + b"\r\n")).status == 200
        assert (await wire.ask(TRACE)).status == 200, "nor a public route, by which people sign in"


async def test_connections_of_one_address_over_the_limit_are_rejected() -> None:
    async with wired(limits=Limits(connections_per_address=2)) as wire:
        kept = [await wire.open() for _ in range(2)]
        for reader, writer in kept:
            writer.write(TRACE)
            assert (await answer_on(reader)).status == 200
        got = await wire.ask(TRACE)
        assert (got.status, got.headers["retry-after"]) == (429, "10")
        assert (await wire.ask(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")).status == 200
        for _, writer in kept:
            writer.close()


async def test_connections_of_one_address_over_twice_the_limit_are_closed() -> None:
    async with wired(limits=Limits(connections_per_address=2)) as wire:
        opened = [await wire.open() for _ in range(5)]
        closed, _ = opened[4]
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(closed.read(), PATIENCE) == b""
        reader, writer = opened[3]
        writer.write(TRACE)
        assert (await answer_on(reader)).status == 429
        for _, writer in opened:
            writer.close()


async def test_the_access_log_names_the_caller() -> None:
    with logged() as written:
        async with wired(limits=Limits(trusted_proxies=networks("127.0.0.0/8"))) as wire:
            key = await wire.key("platform")
            await wire.ask(READ + key + b"X-Forwarded-For: 198.51.100.7\r\n\r\n")
            key_id = key.split()[2].partition(b".")[0]
    assert b'"address":"198.51.100.7"' in written.getvalue()
    assert b'"key_id":"' + key_id + b'","tenant":"a"' in written.getvalue()
    assert key.split()[2] not in written.getvalue()
