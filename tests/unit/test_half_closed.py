"""A client that ends its side of the connection while it waits is answered; one that has gone is given up."""

import asyncio
import socket
import struct

import pytest

from tests.support.raw_http import PATIENCE, Wire, answer_on, wired
from tests.support.sample_service import Shelf

SLOW = b"GET /v1/slow-answer HTTP/1.1\r\nHost: x\r\n\r\n"
TRACE = b"GET /v1/trace HTTP/1.1\r\nHost: x\r\ntraceparent: 00-%s-00f067aa0ba902b7-01\r\n\r\n"


async def send_requests(
    wire: Wire, shelf: Shelf, *requests: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection whose first request is being worked on."""
    reader, writer = await wire.open()
    writer.write(b"".join(requests))
    async with asyncio.timeout(PATIENCE):
        await shelf.entered.wait()
    return reader, writer


async def test_a_half_closed_client_gets_an_interim_response_and_the_answer() -> None:
    async with wired(shelf := Shelf()) as wire:
        reader, writer = await send_requests(wire, shelf, SLOW)
        writer.write_eof()
        assert (await answer_on(reader)).status == 100  # the service has seen that no more will come
        shelf.go_on.set()
        got = await answer_on(reader)
        assert (got.status, got.body) == (200, b"slow")
        assert await reader.read() == b""
        assert not shelf.left.is_set()


async def test_an_http_1_0_client_is_answered_without_an_interim_response() -> None:
    async with wired(shelf := Shelf()) as wire:
        reader, writer = await send_requests(wire, shelf, b"GET /v1/slow-answer HTTP/1.0\r\n\r\n")
        writer.write_eof()
        await server_saw_the_end(wire)
        shelf.go_on.set()
        assert (await answer_on(reader)).status == 200
        assert await reader.read() == b""


async def test_every_request_sent_before_the_half_close_is_answered() -> None:
    traces = [b"%032x" % number for number in range(1, 4)]
    async with wired(shelf := Shelf()) as wire:
        reader, writer = await send_requests(wire, shelf, SLOW, *(TRACE % one for one in traces))
        writer.write_eof()
        assert (await answer_on(reader)).status == 100
        shelf.go_on.set()
        assert (await answer_on(reader)).body == b"slow"
        assert [(await answer_on(reader)).body.split(b"-")[1] for _ in traces] == traces
        assert await reader.read() == b""


@pytest.mark.parametrize(("request_", "status"), [(TRACE % (b"2" * 32), 200), (b"GET  /v1/trace HTTP/9\r\n\r\n", 400)])
@pytest.mark.parametrize("earlier", [False, True])
async def test_a_request_that_comes_together_with_the_end_is_answered(
    request_: bytes, status: int, earlier: bool
) -> None:
    async with wired() as wire:
        reader, writer = await wire.open()
        if earlier:
            writer.write(TRACE % (b"1" * 32))
            assert (await answer_on(reader)).status == 200
        writer.write(request_)
        writer.write_eof()  # the server reads both before the request's task begins
        got = await answer_on(reader)
        if got.status == 100:
            got = await answer_on(reader)
        assert got.status == status
        assert await reader.read() == b""


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_disconnected_client_is_abandoned(abruptly: bool) -> None:
    async with wired(shelf := Shelf()) as wire:
        _, writer = await send_requests(wire, shelf, SLOW)
        if abruptly:  # a reset, not an end
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        async with asyncio.timeout(PATIENCE):
            await shelf.left.wait()


async def test_a_stream_of_events_ends_with_its_client() -> None:
    async with wired(shelf := Shelf()) as wire:
        reader, writer = await send_requests(wire, shelf, b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"data: 1\n\n")
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            await shelf.left.wait()


async def test_a_half_closed_connection_without_a_request_is_closed() -> None:
    async with wired() as wire:
        reader, writer = await wire.open()
        writer.write_eof()
        assert await reader.read() == b""
        reader, writer = await wire.open()
        writer.write(TRACE % (b"1" * 32))
        assert (await answer_on(reader)).status == 200
        writer.write_eof()
        assert await reader.read() == b""


async def server_saw_the_end(wire: Wire) -> None:
    """Wait until the end of the client's side has come to the server."""
    async with asyncio.timeout(PATIENCE):
        while not all(one._sends_no_more for one in wire.server.runner.server.connections):  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
