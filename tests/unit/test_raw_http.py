"""What no HTTP client would send: it is answered at once by a problem document, and not echoed or logged."""

import asyncio
import gzip
import json
import zlib

import pytest
from aiohttp import web

from shared.connections import Application
from shared.limits import Limits
from shared.routes import open_stream
from tests.support.raw_http import answer_on, logged, wired
from tests.support.sample_service import Shelf
from tests.support.waiting import until

SECRET = b"0123456789abcdef.planted-secret-planted-secret-planted-secr"
HOST = b"Host: x\r\n"
GET = b"GET /v1/things/a HTTP/1.1\r\n" + HOST
PUT = b"PUT /v1/things/a HTTP/1.1\r\n" + HOST
BODY = b'{"name":"a"}'
PACKED = gzip.compress(BODY, mtime=0)  # the same bytes in every process: they name a test
LENGTH = b"Content-Length: 12\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

UNREADABLE = {
    "a newline in the key": GET + b"Authorization: Bearer " + SECRET + b"\n\r\n\r\n",
    "a line feed before the key": GET + b"Authorization: Bearer\n" + SECRET + b"\r\n\r\n",
    "a folded header": GET + b"Authorization: Bearer\r\n " + SECRET + b"\r\n\r\n",
    "a carriage return in the key": GET + b"Authorization: Bearer a\r" + SECRET + b"\r\n\r\n",
    "a name with a space": GET + SECRET + b" x: y\r\n\r\n",
    "a line without a colon": GET + SECRET + b"\r\n\r\n",
    "NUL in a cookie": GET + b"Cookie: learning-path=" + SECRET + b"\x00\r\n\r\n",
    "NUL in the query": b"GET /v1/things/a?key=" + SECRET + b"\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a byte in the path": b"GET /v1/things/" + SECRET + b"\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    "a byte in the query": b"GET /v1/things/a?key=\xff" + SECRET + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method that is none": b"BREW /" + SECRET + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a version that is none": b"GET /" + SECRET + b" HTTP/9.9\r\n" + HOST + b"\r\n",
    "no version": b"GET /" + SECRET + b"\r\n" + HOST + b"\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an address that is none": b"GET http://[" + SECRET + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "no address": b"GET " + SECRET + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00" + SECRET + b"\r\n\r\n",
    "anything": SECRET + b"\r\n\r\n",
    "a long path": b"GET /" + SECRET * 200 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a long header": GET + b"X-Any: " + SECRET * 200 + b"\r\n\r\n",
    "many headers": GET + (b"X-Any: " + SECRET + b"\r\n") * 200 + b"\r\n",
    "no host": b"GET /v1/things/a HTTP/1.1\r\nAuthorization: Bearer " + SECRET + b"\r\n\r\n",
    "a length that is none": PUT + b"Authorization: Bearer " + SECRET + b"\r\nContent-Length: x\r\n\r\n" + SECRET,
    "a length below zero": PUT + b"Authorization: Bearer " + SECRET + b"\r\nContent-Length: -1\r\n\r\n",
    "two lengths": PUT + LENGTH + b"Content-Length: 13\r\nX-Any: " + SECRET + b"\r\n\r\n" + BODY,
    "a length and chunks": PUT + LENGTH + CHUNKED + b"X-Any: " + SECRET + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a framing that is none": PUT + b"Transfer-Encoding: " + SECRET + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_unreadable_request_is_answered_without_quoting_it(name: str) -> None:
    with logged() as written:
        async with wired() as wire:
            got = await wire.ask(UNREADABLE[name])
            assert got.status == 400
            assert got.problem["request_id"] == got.headers["x-request-id"]
            assert (got.headers["x-content-type-options"], got.headers["connection"]) == ("nosniff", "close")
            assert "server" not in got.headers
            metrics = await wire.ask(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["status"] for line in lines if line["logger"] == "access"] == [400]
    for place in (got.body, repr(got.headers).encode(), written.getvalue(), metrics.body):
        assert b"planted" not in place
    assert b'status="400"' in metrics.body


@pytest.mark.parametrize("name", ["a long path", "a long header"])
async def test_what_is_too_long_to_be_parsed_is_told(name: str) -> None:
    async with wired() as wire:
        got = await wire.ask(UNREADABLE[name])
        assert (got.status, got.problem["detail"]) == (400, "the address or a header is longer than 8190 bytes")
        fits = await wire.ask(GET + b"X-Any: " + b"a" * 8190 + b"\r\n\r\n")
        assert fits.status == 401


BROKEN = {
    "a chunk without a length": PUT + CHUNKED + b"\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its stated size": PUT + CHUNKED + b"\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "a chunk cut short": PUT + CHUNKED + b'\r\n5\r\n{"n',
    "a length that is not reached": PUT + LENGTH + b"\r\n{",
    "not packed at all": PUT + LENGTH + b"Content-Encoding: gzip\r\n\r\n" + BODY,
    "not packed at all, chunked": PUT + CHUNKED + b"Content-Encoding: deflate\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "packed and not whole": PUT + b"Content-Length: 20\r\nContent-Encoding: gzip\r\n\r\n" + PACKED[:20],
    "packed and something after it": PUT + b"Content-Length: 34\r\nContent-Encoding: gzip\r\n\r\n" + PACKED + b"xx",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_body_is_malformed_at_once(name: str) -> None:
    head, _, body = BROKEN[name].partition(b"\r\n\r\n")
    with logged() as written:
        async with wired() as wire:
            key = await wire.key()
            got = await wire.ask(head + b"\r\n" + key + b"\r\n", body, end="cut" in name or "not reached" in name)
    assert (got.status, got.problem["title"]) == (400, "Malformed request")
    assert b'"level":"error"' not in written.getvalue()


async def test_a_chunk_that_breaks_later_is_answered_while_the_connection_stays_open() -> None:
    async with wired() as wire:
        key = await wire.key()
        reader, writer = await wire.open()
        writer.write(PUT + key + CHUNKED + b'\r\n5\r\n{"nam\r\n')
        await writer.drain()
        writer.write(b"nonsense\r\n")
        got = await answer_on(reader)
        assert (got.status, got.headers["connection"]) == (400, "close")
        assert await reader.read() == b""
        writer.close()


async def test_an_incomplete_request_head_is_malformed() -> None:
    async with wired() as wire:
        assert (await wire.ask(GET, end=True)).status == 400


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"If-Match: \xff", 400),
        (b"If-None-Match: \xe9", 400),
        (b"Idempotency-Key: \xe0\xb8\x81", 400),
        (b"User-Agent: \xff", 400),
        (b"X-Any: \xff\xfe", 400),
        (b"X-Request-Id: \xff", 400),
        (b"traceparent: \xff", 400),
        (b"X-Any: \xe0\xb8\x81", 200),
        (b"Cookie: other=\xe0\xb8\x81", 200),
    ],
)
async def test_a_header_that_is_not_ascii_is_rejected_by_name(header: bytes, status: int) -> None:
    async with wired() as wire:
        got = await wire.ask(GET + await wire.key() + header + b"\r\n\r\n")
        assert got.status == status
        if status == 400:
            assert got.problem["field"].lower() == header.partition(b":")[0].decode().lower()


@pytest.mark.parametrize(
    ("header", "once"), [("Authorization", 401), ("Content-Encoding", 200), ("Idempotency-Key", 200)]
)
async def test_a_header_that_may_be_sent_once_is_refused_twice(header: str, once: int) -> None:
    async with wired() as wire:
        line = f"{header}: a\r\n".encode()
        got = await wire.ask(GET + (b"" if header == "Authorization" else await wire.key()) + line + b"\r\n")
        assert got.status == once
        got = await wire.ask(GET + await wire.key() + line + line.lower() + b"\r\n")
        assert (got.status, got.problem["field"], got.problem["detail"]) == (400, header, "is given twice")


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"deflate,chunked", b"x, chunked"])
async def test_a_transfer_coding_besides_chunked_is_refused(coding: bytes) -> None:
    async with wired() as wire:
        key = await wire.key()
        got = await wire.ask(
            PUT + key + b"Transfer-Encoding: " + coding + b"\r\n\r\n", b"c\r\n" + BODY + b"\r\n0\r\n\r\n"
        )
        assert (got.status, got.problem["field"]) == (400, "Transfer-Encoding")
        got = await wire.ask(PUT + key + b"Transfer-Encoding: Chunked\r\n\r\n", b"c\r\n" + BODY + b"\r\n0\r\n\r\n")
        assert got.status == 201


@pytest.mark.parametrize("address", [b"/v1/things/a#b", b"/v1/things/a?x=#", b"http://x/v1/things/a#"])
async def test_an_address_with_a_fragment_is_not_that_of_something_else(address: bytes) -> None:
    async with wired() as wire:
        head = b"PUT " + address + b" HTTP/1.1\r\n" + HOST + await wire.key() + LENGTH + b"\r\n"
        got = await wire.ask(head + BODY)
        assert (got.status, got.problem["title"]) == (400, "Malformed request")


@pytest.mark.parametrize("value", [b"%ff", b"1%e0%b8", b"%c0%80", b"%ed%a0%80"])
async def test_a_query_that_is_not_utf8_names_its_parameter(value: bytes) -> None:
    async with wired() as wire:
        got = await wire.ask(GET.replace(b" HTTP", b"?limit=" + value + b" HTTP") + await wire.key() + b"\r\n")
        assert (got.status, got.problem["field"], got.problem["detail"]) == (422, "limit", "is not UTF-8")


@pytest.mark.parametrize("credential", [b"\xff", b"\xe0\xb8\x81.\xe0\xb8\x82", b"a.b\x7f"])
async def test_a_key_that_is_not_ascii_is_rejected(credential: bytes) -> None:
    async with wired() as wire:
        got = await wire.ask(GET + b"Authorization: Bearer " + credential + b"\r\n\r\n")
        assert got.status in (400, 401)
        assert got.problem


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", PACKED),
        ("x-gzip", PACKED),
        ("GZIP", gzip.compress(BODY[:4], mtime=0) + gzip.compress(BODY[4:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY)[2:-4]),
        ("identity", BODY),
        ("identity, gzip", PACKED),
    ],
)
async def test_a_compressed_body_is_decompressed(coding: str, packed: bytes) -> None:
    async with wired() as wire:
        key = await wire.key()
        head = f"Content-Encoding: {coding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
        assert (await wire.ask(PUT + key + head + packed)).status == 201
        parts = b"".join(b"1\r\n%c\r\n" % byte for byte in packed) + b"0\r\n\r\n"
        head = f"Content-Encoding: {coding}\r\n".encode() + CHUNKED + b"\r\n"
        assert (await wire.ask(PUT + key + head + parts)).status == 201


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "nonsense"])
async def test_an_unknown_content_coding_is_rejected_by_its_header(coding: str) -> None:
    async with wired() as wire:
        head = f"Content-Encoding: {coding}\r\nContent-Length: 1000000\r\n\r\n".encode()  # nothing of it is ever sent
        got = await wire.ask(PUT + await wire.key() + head)
        assert (got.status, got.headers["accept-encoding"]) == (415, "gzip, deflate")
        assert got.problem["field"] == "Content-Encoding"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs", "/v1/trace", "/v1/nowhere", "/v1/things/a"])
async def test_a_compressed_body_is_not_read_on_a_route_without_a_body(path: str) -> None:
    async with wired() as wire:
        head = f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n"
        got = await wire.ask(head)  # nothing of it is ever sent
        assert (got.status, got.problem["field"]) == (400, "Content-Encoding")


async def test_a_compressed_body_without_a_key_is_rejected_before_it_is_read() -> None:
    async with wired() as wire:
        assert (await wire.ask(PUT + b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n")).status == 401


async def test_the_size_limit_counts_decompressed_bytes() -> None:
    packed = gzip.compress(bytes(200_000_000))
    async with wired() as wire:
        head = f"Content-Encoding: gzip\r\nContent-Length: {2000}\r\n\r\n".encode()
        assert (await wire.ask(PUT + await wire.key() + head + packed[:2000])).status == 413


async def test_a_body_that_never_ends_times_out() -> None:
    async with wired(limits=Limits(body_seconds=0.2)) as wire:
        key = await wire.key()
        for start in (LENGTH + b"\r\n{", CHUNKED + b"\r\n1\r\n{\r\n", LENGTH + b"\r\n"):
            got = await wire.ask(PUT + key + start)
            assert (got.status, got.problem["title"], got.headers["connection"]) == (408, "Body too slow", "close")


async def test_expect_100_continue_is_answered_only_if_the_body_is_read() -> None:
    expecting = b"Expect: 100-continue\r\n" + LENGTH + b"\r\n"
    async with wired() as wire:
        assert (await wire.ask(PUT + expecting)).status == 401
        reader, writer = await wire.open()
        writer.write(PUT + await wire.key() + expecting)
        assert (await answer_on(reader)).status == 100
        writer.write(BODY)
        assert (await answer_on(reader)).status == 201
        writer.close()
        for path in (b"/v1/things/a", b"/v1/nowhere"):
            for what in (b"tea", b"\xff", b"100-continue, \xff", b"\xe0\xb8\x81"):
                got = await wire.ask(b"PUT " + path + b" HTTP/1.1\r\n" + HOST + b"Expect: " + what + b"\r\n\r\n")
                assert (got.status, got.problem["field"]) == (400, "Expect")


async def test_every_answer_has_security_headers_and_names_no_software() -> None:
    paths = [b"/v1/trace", b"/v1/nowhere", b"/v1/wrong", b"/v1/away", b"/livez", b"/metrics", b"/openapi.json"]
    async with wired() as wire:
        for path in paths:
            got = await wire.ask(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            assert "server" not in got.headers
            assert got.headers["x-content-type-options"] == "nosniff"
            assert got.headers["x-request-id"]
        got = await wire.ask(GET + await wire.key() + b"\r\n")
        assert (got.status, got.headers["cache-control"], got.headers["etag"]) == (200, "no-store", '"7"')


async def test_an_unexpected_error_is_logged_without_its_message() -> None:
    with logged() as written:
        async with wired() as wire:
            assert (await wire.ask(b"GET /v1/wrong HTTP/1.1\r\n" + HOST + b"\r\n")).status == 500
    assert b"RuntimeError" in written.getvalue()
    assert b"sample_service.py" in written.getvalue()
    assert b"the secret of the house" not in written.getvalue().replace(b'raise RuntimeError(\\"the secret', b"")


async def test_the_rest_of_a_rejected_body_is_not_logged_as_an_error() -> None:
    with logged() as written:
        async with wired() as wire:
            reader, writer = await wire.open()
            writer.write(PUT + LENGTH + b"\r\n{")
            assert (await answer_on(reader)).status == 401
            writer.write_eof()
            assert await reader.read() == b""
    assert b'"level":"error"' not in written.getvalue()


async def test_a_compressed_body_without_content_is_too_large() -> None:
    named = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03" + b"n" * 5000  # the name of a file that does not end
    async with wired() as wire:
        head = b"Content-Encoding: gzip\r\n" + CHUNKED + b"\r\n"
        got = await wire.ask(PUT + await wire.key() + head, b"%x\r\n" % len(named) + named + b"\r\n")
        assert got.status == 413


async def test_a_client_that_does_not_read_its_answers_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.connections._ANSWER_SECONDS", 0.2)
    async with wired() as wire:
        reader, writer = await wire.open()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\n" + HOST + b"\r\n"
        writer.write(request * 20)  # some 30 MB of answers
        await until(lambda: not wire.server.runner.server.connections)  # type: ignore[union-attr]
        del reader


class Generous(Shelf):
    """Answers with more than a connection holds."""

    async def get_thing(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - the same for all
        return web.Response(body=bytes(64 * 2**20))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Write a long answer piece by piece, as the portal and exports do."""
        stream = await open_stream(request, "application/octet-stream")
        try:
            for _ in range(64):
                await stream.write(bytes(2**20))
        finally:
            self.left.set()
        return stream


@pytest.mark.parametrize("path", ["/v1/things/a", "/v1/stream"], ids=["whole", "in pieces"])
async def test_a_client_that_does_not_read_its_answer_is_disconnected_and_one_that_reads_it_is_not(path: str) -> None:
    async with wired(Generous()) as wire:
        assert isinstance(wire.app, Application)
        limiter = wire.app._limiter
        request = f"GET {path} HTTP/1.1\r\nConnection: close\r\n".encode() + HOST + await wire.key() + b"\r\n"
        reader, writer = await wire.open()
        writer.write(request)
        assert len(await reader.read()) > 64 * 2**20
        await until(lambda: not limiter._open, "the first client is gone")
        limiter.answer_seconds = 0.1  # a minute would be long for a test
        reader, writer = await wire.open()
        writer.write(request)
        await until(lambda: limiter._open, "the second client is there")
        await until(lambda: not limiter._open, "it is disconnected")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(64 * 2**20)


async def test_a_client_that_neither_reads_its_answer_nor_sends_the_rest_of_its_body_is_disconnected() -> None:
    class Echo(Generous):
        async def slow_change(self, request: web.Request) -> web.StreamResponse:
            return await self.stream(request)

    shelf = Echo()
    async with wired(shelf) as wire:
        assert isinstance(wire.app, Application)
        limiter = wire.app._limiter
        limiter.answer_seconds = 0.02
        _, writer = await wire.open()
        writer.write(b"POST /v1/slow HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n1\r\nx\r\n")
        await until(lambda: shelf.left.is_set() and not limiter._open)
