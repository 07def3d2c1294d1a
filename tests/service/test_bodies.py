"""Bodies that are packed, broken or slow, at the services and through the portal that passes them on."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer

from shared.settings import PortalSettings
from tests.support.all_services import COURSE, HERE, Services
from tests.support.portal import Owner, running_portal
from tests.support.raw_http import answer_on
from tests.support.services import Started

BOMB = gzip.compress(bytes(200_000_000))
PUT = f"PUT /v1/courses/{HERE} HTTP/1.1\r\nHost: x\r\n"


async def destination(services: Services, through: str) -> tuple[Started, bytes]:
    """Return where to send a change of a course, directly or through the portal, and the beginning of its head."""
    service, prefix = (services["portal"], "/api") if through == "portal" else (services["catalog"], "")
    key = await services["catalog"].key("admin")
    return service, PUT.replace(" /v1", f" {prefix}/v1").encode() + f"Authorization: Bearer {key}\r\n".encode()


CHUNKED = b"Transfer-Encoding: chunked\r\n"
THROUGH = pytest.mark.parametrize("through", ["catalog", "portal"])


@THROUGH
async def test_a_compressed_change_is_accepted(services: Services, through: str) -> None:
    service, head = await destination(services, through)
    packed = gzip.compress(json.dumps(COURSE).encode())
    got = await service.send(head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
    assert got.status == 200, got


@THROUGH
@pytest.mark.parametrize(
    ("more", "body", "end"),
    [
        (b"Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"{}", False),
        (b"Content-Encoding: deflate\r\nContent-Length: 2\r\n", b"{}", False),
        (b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", False),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\n{}zz\r\n0\r\n\r\n", False),
        (b"Transfer-Encoding: chunked\r\n", b"nonsense\r\n", False),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\n{", True),
        (b"Content-Length: 20\r\n", b"{", True),
        (b"If-Match: \xff\r\nContent-Length: 2\r\n", b"{}", False),
    ],
)
async def test_a_broken_compressed_change_is_malformed(
    services: Services, through: str, more: bytes, body: bytes, end: bool
) -> None:
    service, head = await destination(services, through)
    got = await service.send(head + more + b"\r\n", body, end=end)
    assert (got.status, got.problem["title"]) == (400, "Malformed request")
    assert (await service.client.get("/livez")).status == 200


@THROUGH
async def test_a_change_that_decompresses_to_too_much_is_rejected(services: Services, through: str) -> None:
    service, head = await destination(services, through)
    got = await service.send(head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB)
    assert got.status == 413


async def test_a_compressed_change_that_is_too_large_itself_is_rejected(services: Services) -> None:
    """It is made of members that decompress to nothing, so only its own size can stop it."""
    service, head = await destination(services, "catalog")
    nothing = gzip.compress(b"") * 1000
    chunk = b"%x\r\n" % len(nothing) + nothing + b"\r\n"
    course = gzip.compress(json.dumps(COURSE).encode())
    last = b"%x\r\n" % len(course) + course + b"\r\n0\r\n\r\n"
    got = await service.send(head + b"Content-Encoding: gzip\r\n" + CHUNKED + b"\r\n", *[chunk] * 30, last)
    assert got.status == 413


@pytest.mark.parametrize("name", ["assessment", "catalog", "recommender", "portal"])
async def test_nothing_is_decompressed_without_a_key(services: Services, name: str) -> None:
    paths = ("/livez", "/readyz", "/metrics", "/", "/v1/recommendations", "/api/v1/recommendations", "/session")
    for path in (*paths, f"/v1/officers/{HERE}", f"/v1/courses/{HERE}", "/v1/courses:import", "/nowhere"):
        for method in ("GET", "POST", "PUT"):
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
            )
            got = await services[name].send(head.encode(), BOMB[:100_000])  # the rest is never sent
            assert 400 <= got.status < 500, (method, path, got)
            assert got.problem


@THROUGH
async def test_a_compressed_import_is_answered_row_by_row(services: Services, through: str) -> None:
    service, prefix = (services["portal"], "/api") if through == "portal" else (services["catalog"], "")
    rows = b"".join(json.dumps(COURSE | {"id": f"packed-{through}-{one}"}).encode() + b"\n" for one in range(50))
    headers = {"Authorization": f"Bearer {await services['catalog'].key('admin')}", "Content-Encoding": "gzip"} | NDJSON
    packed = gzip.compress(rows)

    async def body() -> AsyncIterator[bytes]:
        for begin in range(0, len(packed), 100):
            yield packed[begin : begin + 100]

    async with service.client.post(f"{prefix}/v1/courses:import", data=body(), headers=headers) as answer:
        results = [json.loads(line) for line in (await answer.read()).splitlines()]
    assert [row["status"] for row in results[:-1]] == ["created"] * 50
    assert (results[-1]["state"], results[-1]["created"]) == ("finished", 50)
    async with service.client.post(f"{prefix}/v1/courses:import", data=rows, headers=headers) as answer:
        assert answer.status == 400


NDJSON = {"Content-Type": "application/x-ndjson"}
BROKEN = {
    "cut short": lambda packed: packed[:-5],
    "something after it": lambda packed: packed + b"xx",
    "a second member cut short": lambda packed: packed + packed[:15],
}


@THROUGH
@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("lines", [0, 3])
async def test_an_import_with_a_broken_body_reports_it(services: Services, through: str, how: str, lines: int) -> None:
    service, prefix = (services["portal"], "/api") if through == "portal" else (services["catalog"], "")
    rows = [json.dumps(COURSE | {"id": f"breaks-{one}"}).encode() for one in range(lines + 1)]
    headers = {"Authorization": f"Bearer {await services['catalog'].key('admin')}", "Content-Encoding": "gzip"} | NDJSON
    body = BROKEN[how](gzip.compress(b"\n".join(rows)))  # the last row has no end of line, so it waits for the rest
    async with service.client.post(f"{prefix}/v1/courses:import", data=body, headers=headers) as answer:
        answered = [json.loads(line) for line in (await answer.read()).splitlines()]
    if lines:
        assert [(row["line"], row["status"] == "refused") for row in answered[:-1]] == [
            (1, False),
            (2, False),
            (3, False),
        ]
        assert answered[-1]["state"] == "stopped"
        problem = answered[-1]["problem"]
    else:
        (problem,) = answered
        assert answer.content_type == "application/problem+json"
    assert (problem["status"], problem["field"]) == (400, "Content-Encoding")


async def test_an_import_with_a_truncated_body_reports_it(services: Services) -> None:
    server = services["catalog"].client.server
    assert isinstance(server, TestServer)
    row = json.dumps(COURSE | {"id": "cut-off"}).encode() + b"\n"
    for framing, broken in ((CHUNKED, b"nonsense\r\n"), (b"Content-Length: 9999\r\n", b"")):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        key = await services["catalog"].key("admin")
        head = f"POST /v1/courses:import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        head += "Content-Type: application/x-ndjson\r\n"
        writer.write(
            head.encode() + framing + b"\r\n" + (b"%x\r\n%s\r\n" % (len(row), row) if framing is CHUNKED else row)
        )
        async with asyncio.timeout(90):
            await reader.readuntil(b'"line":1,')
            writer.write(broken)
            if not broken:
                writer.write_eof()
            rest = await reader.read()
        writer.close()
        assert b'"state":"stopped"' in rest
        assert b"breaks off" in rest
        assert rest.endswith(b"0\r\n\r\n")


async def test_the_portal_times_out_a_stalled_body(stage: tuple[PortalSettings, Owner]) -> None:
    settings, owner = stage
    async with running_portal(replace(settings, body_seconds=0.3), owner) as portal:
        key = await portal.key("platform")
        host, _, port = portal.url.removeprefix("http://").partition(":")
        for more in (b"Content-Length: 20\r\n", b"Content-Length: 20\r\nIdempotency-Key: a\r\n"):
            reader, writer = await asyncio.open_connection(host, int(port))
            head = f"POST /api/v1/officers/me/assessments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            writer.write(head.encode() + more + b"\r\n{")
            got = await answer_on(reader)
            writer.transport.abort()
            assert (got.status, got.problem["title"]) == (408, "Body too slow")


@pytest.mark.usefixtures("timeless")
async def test_guessing_keys_at_the_sign_in_is_rate_limited(stage: tuple[PortalSettings, Owner]) -> None:
    settings, owner = stage
    async with running_portal(replace(settings, rate_per_address=1), owner) as portal:

        async def guess(number: int) -> int:
            async with portal.session.post(f"{portal.url}/session", json={"key": f"guess{number}.x"}) as answer:
                assert answer.status == 401 or int(answer.headers["Retry-After"]) >= 1
                assert answer.headers["Cache-Control"] == "no-store"
                return answer.status

        assert {*await asyncio.gather(*map(guess, range(12)))} == {401, 429}


@THROUGH
async def test_a_client_that_waits_is_asked_for_the_body_only_if_it_is_read(services: Services, through: str) -> None:
    service, head = await destination(services, through)
    waits = b"Expect: 100-continue\r\nContent-Length: %d\r\n"
    assert (await service.send(head + waits % 100_000_000 + b"\r\n")).status == 413
    prefix = " /api/v1" if through == "portal" else " /v1"
    importing = b"POST%s/courses:import HTTP/1.1\r\nHost: x\r\n" % prefix.encode()
    key = f"Authorization: Bearer {await services['catalog'].key('officer', officer=HERE)}\r\n".encode()
    assert (await service.send(importing + key + waits % 100_000_000 + b"\r\n")).status == 403
    body = json.dumps(COURSE).encode() + b" " * 300_000  # more than the portal keeps in memory to send it again
    server = service.client.server
    assert isinstance(server, TestServer)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        rows = NDJSON["Content-Type"].encode()
        admin = head.partition(b"\r\n\r\n")[0].split(b"Host: x\r\n")[1]
        writer.write(importing + admin + b"Content-Type: " + rows + b"\r\n" + waits % len(body) + b"\r\n")
        assert (await answer_on(reader)).status == 100
        writer.write(body)
        async with asyncio.timeout(90):
            answer = await reader.readuntil(b'"finished"')
        assert answer.startswith(b"HTTP/1.1 200")
    finally:
        writer.transport.abort()
