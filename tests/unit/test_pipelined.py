"""Requests that a client sends without waiting for answers: those before one that cannot be parsed are answered."""

import asyncio
from contextlib import suppress

import pytest

from tests.support.raw_http import PATIENCE, answer_on, wired
from tests.support.sample_service import Shelf

HOST = b"Host: x\r\n"
GET = b"GET /v1/things/a?limit=%d HTTP/1.1\r\n" + HOST + b"%s\r\n"
PUT = b"PUT /v1/things/a HTTP/1.1\r\n" + HOST
SLOW = b"GET /v1/slow-answer HTTP/1.1\r\n" + HOST + b"\r\n"
UPGRADE = b"GET /v1/trace HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
BODY = b'{"name":"a"}'
LENGTH = b"Content-Length: 12\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BAD = b"GET  /v1/trace HTTP/9\r\n\r\n"


async def statuses(reader: asyncio.StreamReader) -> list[int]:
    """Return the status of every answer until the connection is closed."""
    found = []
    with suppress(asyncio.IncompleteReadError):
        while True:
            found.append((await answer_on(reader)).status)
    return found


@pytest.mark.parametrize("bad", [BAD, b"nonsense\r\n\r\n", PUT + CHUNKED + b"\r\nzz\r\n", GET[:40] + b"\x00\r\n\r\n"])
@pytest.mark.parametrize("earlier", [1, 2, 33, 70])
async def test_the_requests_before_an_unreadable_one_are_answered(bad: bytes, earlier: int) -> None:
    async with wired() as wire:
        key = await wire.key()
        reader, writer = await wire.open()
        writer.write(b"".join(GET % (number, key) for number in range(earlier)) + bad + GET % (1, key))
        for number in range(earlier):
            got = await answer_on(reader)
            assert (got.status, b'"limit":%d}' % number in got.body) == (200, True)
        got = await answer_on(reader)
        assert (got.status, got.problem["title"], got.headers["connection"]) == (400, "Malformed request", "close")
        assert await reader.read() == b""


async def test_what_follows_a_body_in_the_same_bytes_is_answered() -> None:
    async with wired() as wire:
        key = await wire.key()
        for first in (b"", b"{", BODY[:-1]):
            reader, writer = await wire.open()
            writer.write(PUT + key + LENGTH + b"Expect: 100-continue\r\n\r\n")
            assert (await answer_on(reader)).status == 100  # the request is being handled
            writer.write(first)
            await writer.drain()
            writer.write(
                BODY[len(first) :] + GET % (1, key) + PUT + key + LENGTH + b"\r\n" + BODY + GET % (2, key) + BAD
            )
            assert await statuses(reader) == [201, 200, 201, 200, 400]


async def test_what_follows_a_declined_upgrade_is_answered() -> None:
    async with wired() as wire:
        key = await wire.key()
        reader, writer = await wire.open()
        writer.write(UPGRADE + GET % (1, key) + UPGRADE + GET % (2, key) + GET % (3, key) + BAD)
        assert await statuses(reader) == [200, 200, 200, 200, 200, 400]


@pytest.mark.parametrize("ends", [False, True])
async def test_a_body_that_breaks_while_earlier_requests_wait_is_malformed(ends: bool) -> None:
    async with wired(shelf := Shelf()) as wire:
        key = await wire.key()
        reader, writer = await wire.open()
        writer.write(SLOW + PUT + key + (LENGTH + b"\r\n{" if ends else CHUNKED + b"\r\n1\r\n{\r\n"))
        async with asyncio.timeout(PATIENCE):
            await shelf.entered.wait()
        if ends:
            writer.write_eof()
        else:
            writer.write(b"zz\r\n")
        await asyncio.sleep(0.1)  # both orders are right; usually the service has read it by then
        shelf.go_on.set()
        assert await statuses(reader) == [200, 400]


async def test_nothing_after_an_unreadable_request_is_read() -> None:
    async with wired(shelf := Shelf()) as wire:
        key = await wire.key()
        reader, writer = await wire.open()
        writer.write(SLOW + BAD)
        async with asyncio.timeout(PATIENCE):
            await shelf.entered.wait()
        for _ in range(3):
            writer.write(GET % (1, key))
            await writer.drain()
        shelf.go_on.set()
        assert await statuses(reader) == [200, 400]
