"""Importing courses: every line is answered, while the others are still sent."""

import asyncio
import io
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from shared.errors import TooSlow
from shared.imports.ndjson import NdjsonReader
from shared.imports.rows import ROW_LIMIT, Row
from shared.imports.streaming import Answers
from shared.mongo import KeyStore
from tests.support.builders import unique
from tests.support.catalog import catalog, course, ids, put
from tests.support.services import Started, issue_key

SERVICE = catalog


NDJSON = {"Content-Type": "application/x-ndjson"}


async def imported(service: Started, lines: Sequence[bytes], tenant: str = "agency") -> list[dict[str, Any]]:
    """Return the answers to the rows."""
    body = b"\n".join(lines)
    got = await service.ask("POST", "/v1/courses:import", "admin", tenant=tenant, data=body, headers=NDJSON)
    assert (got.status, got.content_type) == (200, "application/x-ndjson")
    *rows, report = [json.loads(line) for line in (await got.text()).splitlines()]
    assert report["state"] == "finished"
    return rows


async def test_an_import_answers_every_line_and_a_bad_one_never_stops_the_rest(service: Started) -> None:
    first, second, third = unique("course"), unique("course"), unique("course")
    await put(service, course(second))
    lines = [
        json.dumps(course(first), ensure_ascii=False).encode(),
        b"",
        b"not json",
        json.dumps(course(second, hours=8.0)).encode() + b"\r",
        b'{"id": "\xff"}',
        b"x" * (ROW_LIMIT + 5),
        json.dumps(course(first)).encode(),
        json.dumps(course(first, hours=7.0)).encode(),
        json.dumps(course(unique("course"), to=7)).encode(),
        json.dumps(course(third)).encode(),
        json.dumps(course(unique("course"), url="https://example.org/a b")).encode(),
        json.dumps(course(unique("course"), url="https://")).encode(),
    ]
    results = await imported(service, lines)
    assert [(one["line"], one["status"]) for one in results] == [
        (1, "created"),
        (3, "refused"),
        (4, "changed"),
        (5, "refused"),
        (6, "refused"),
        (7, "unchanged"),
        (8, "refused"),
        (9, "refused"),
        (10, "created"),
        (11, "refused"),
        (12, "refused"),
    ]
    problems = [one["problems"] for one in results if one["status"] == "refused"]
    assert [[one["status"] for one in row] for row in problems] == [[400], [400], [413], [409], [422], [422], [422]]
    assert (problems[3][0]["field"], "row 1" in problems[3][0]["detail"]) == ("id", True)
    assert "differs in hours" in problems[3][0]["detail"]
    assert (problems[4][0]["field"], results[2]["revision"]) == ("teaches[0].to", 2)
    assert [problems[place][0]["field"] for place in (5, 6)] == ["url", "url"]


async def test_an_import_is_answered_while_it_is_sent(service: Started) -> None:
    answered = asyncio.Event()
    total = 300

    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(course(f"many-{n:05d}")).encode() + b"\n" for n in range(total))
        await asyncio.wait_for(answered.wait(), 90)
        yield json.dumps(course("many-last")).encode()

    got = await service.ask("POST", "/v1/courses:import", "admin", tenant="many", data=lines(), headers=NDJSON)
    seen = [json.loads(await got.content.readline())]
    answered.set()
    seen += [json.loads(line) async for line in got.content]
    assert seen.pop()["created"] == total + 1
    assert len(seen) == total + 1
    assert {one["status"] for one in seen} == {"created"}
    assert len(await ids(service, "limit=100", "many")) == total + 1


async def test_each_row_is_stored_and_answered_before_the_next_one_arrives(service: Started) -> None:
    answered = asyncio.Queue[dict[str, Any]]()
    names = [unique("course") for _ in range(3)]

    async def lines() -> AsyncIterator[bytes]:
        for number, name in enumerate(names, 1):
            yield json.dumps(course(name)).encode() + b"\n"
            async with asyncio.timeout(90):
                answer = await answered.get()
            assert (answer["line"], answer["status"]) == (number, "created")
            assert (await service.ask("GET", f"/v1/courses/{name}")).status == 200

    got = await service.ask("POST", "/v1/courses:import", "admin", data=lines(), headers=NDJSON)
    for _ in names:
        await answered.put(json.loads(await got.content.readline()))
    assert json.loads(await got.content.read())["created"] == len(names)


async def test_an_import_ends_once_its_key_is_revoked(service: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.auth._CACHED_SECONDS", 1e-9)  # the result of a check is good for no second one
    key = await issue_key(service.mongodb, service.settings, "admin")
    keys, first, second = KeyStore(service.mongodb, service.settings), unique("course"), unique("course")
    answered = asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        yield json.dumps(course(first)).encode() + b"\n"
        await answered.wait()
        assert await keys.revoke(key.partition(".")[0])
        yield json.dumps(course(second)).encode() + b"\n"

    headers = NDJSON | {"Authorization": f"Bearer {key}"}
    got = await service.ask("POST", "/v1/courses:import", None, data=rows(), headers=headers)
    assert json.loads(await got.content.readline())["status"] == "created"
    answered.set()
    [report] = [json.loads(line) for line in (await got.text()).splitlines()]
    assert (report["state"], report["problem"]["status"], report["created"]) == ("stopped", 401, 1)
    assert second not in await ids(service)


async def test_other_requests_take_their_turns_while_a_large_body_is_read(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, read = 0, list[tuple[int, int]]()
    feed = NdjsonReader.feed

    def noted(self: NdjsonReader[Any], piece: bytes) -> Iterator[Row[Any] | None]:
        read.append((turn, len(piece)))
        return feed(self, piece)

    async def other() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(NdjsonReader, "feed", noted)
    task = asyncio.create_task(other())
    try:
        results = await imported(service, [b'{"id": "%d"}' % n + b" " * 1000 for n in range(1000)])
    finally:
        task.cancel()
    assert len(results) == 1000
    assert sum(size for _, size in read) == sum(len(b'{"id": "%d"}' % n) + 1001 for n in range(1000)) - 1
    assert max(size for _, size in read) <= 16 * 1024
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(read))


async def test_a_client_that_sends_all_before_it_reads_gets_every_answer(service: Started) -> None:
    rows, filler = 50_000, b"x" * 1000 + b"\n"
    body = b"".join(filler if n % 1000 else json.dumps(course(f"blind-{n}")).encode() + b"\n" for n in range(rows))
    url = service.client.make_url("/v1/courses:import")
    # 50 MB out, 12 MB back: more than the buffers of both sockets hold, so a server that waits for its reader stops.
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    connection.settimeout(0)
    await asyncio.get_running_loop().sock_connect(connection, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=2**16)
    head = (
        f"POST {url.path} HTTP/1.0\r\nHost: {url.host}\r\nAuthorization: Bearer {await service.key('admin')}\r\n"
        "Content-Type: application/x-ndjson\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"  # HTTP/1.0: an answer without chunks
    )
    try:
        async with asyncio.timeout(80):
            writer.transport.set_write_buffer_limits(0)
            writer.write(head.encode() + body)
            await writer.drain()
            whole = await reader.read()
    finally:
        writer.close()
    assert whole.startswith(b"HTTP/1.0 200 ")
    numbers = [int(number) for number in re.findall(rb'{"line":(\d+),', whole)]
    assert numbers == list(range(1, rows + 1))


class Blocked(web.StreamResponse):
    """An answer that nobody reads: it takes one part and waits with the next."""

    taken = 0

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.taken:
            await asyncio.Event().wait()
        self.taken += len(data)


async def test_a_client_that_never_reads_is_disconnected() -> None:
    taken = []

    async def put(*parts: bytes) -> None:
        async with Answers(Blocked(), limit=100, patience=0.05) as answers:
            for part in parts:
                await answers.put(part)
                taken.append(part)
                await asyncio.sleep(0)

    with pytest.raises(TooSlow):
        await put(b"first", b"x" * 101, b"more")
    assert len(taken) == 2


class ReadLate(web.StreamResponse):
    """An answer that is read when everything was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.all_sent = asyncio.Event()
        self.read = bytearray()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await self.all_sent.wait()
        self.read += data


async def test_many_answers_are_buffered_for_a_client_that_reads_last() -> None:
    """Clients that send a whole file before they read are common; half a million rows have 40 MB of verdicts."""
    stream, line = ReadLate(), b'{"line":%d,"status":"created","id":"officer-%06d","revision":2}\n'
    parts = [b"".join(line % (n, n) for n in range(at, at + 5000)) for at in range(0, 500_000, 5000)]
    assert sum(map(len, parts)) > 30_000_000
    async with Answers(stream, limit=8 * 1024 * 1024, patience=0.05) as answers:
        for part in parts:
            await answers.put(part)
            await asyncio.sleep(0)
        stream.all_sent.set()
    assert stream.read == b"".join(parts)


async def test_a_client_that_never_reads_the_end_is_disconnected() -> None:
    ended = Answers(Blocked(), limit=100, patience=0.05)
    await ended.__aenter__()
    await ended.put(b"first")
    await asyncio.sleep(0)
    await ended.put(b"last")
    with pytest.raises(TooSlow):
        await ended.__aexit__(None)


async def test_an_import_of_empty_lines_is_ended_with_a_reason(service: Started) -> None:
    first = unique("course")
    body = json.dumps(course(first)).encode() + b"\n" * 20_000_000
    got = await service.ask("POST", "/v1/courses:import", "admin", data=io.BytesIO(body), headers=NDJSON)
    results = [json.loads(line) for line in (await got.text()).splitlines()]
    assert (results[0]["line"], results[0]["status"], results[1]["state"]) == (1, "created", "stopped")
    assert (results[1]["problem"]["status"], "not read" in results[1]["problem"]["detail"]) == (413, True)


@pytest.mark.parametrize("form", ["ndjson", "csv", "jsonld"])
async def test_a_tenants_courses_are_exported_as_a_stream_and_imported_unchanged(
    service: Started, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("services.catalog.api.exporting._PAGE", 3)
    tenant = f"exports-{form}"
    content_type = {"ndjson": "application/x-ndjson", "csv": "text/csv", "jsonld": "application/ld+json"}[form]
    for number in range(7):
        title = {"th": f'=วิชา, "{number}"', "en": "Course"}
        await put(service, course(f"c-{number}", title=title, url=f"https://example.org/{number}"), tenant=tenant)
    await put(service, course("c-9"), tenant="exports-of-others")
    await put(service, course("c-8"), tenant="shared")
    path = f"/v1/courses:export?format={form}"
    got = await service.ask("GET", path, tenant=tenant)
    body = await got.read()
    assert (got.status, got.content_type) == (200, content_type)
    assert got.headers["Content-Disposition"] == f'attachment; filename="courses.{form}"'
    again = await service.ask(
        "POST", "/v1/courses:import", "admin", tenant=tenant, data=body, headers={"Content-Type": content_type}
    )
    *rows, report = [json.loads(line) for line in (await again.text()).splitlines()]
    assert [row["id"] for row in rows] == [f"c-{number}" for number in range(7)]
    assert form == "jsonld" or report["unchanged"] == 7, rows  # JSON-LD has no levels
    assert report.get("refused", 0) == 0
    nobody = await (await service.ask("GET", path, tenant="exports-of-nobody")).read()
    assert nobody.count(b"\n") == {"ndjson": 0, "csv": 1, "jsonld": 3}[form]
    assert (await service.ask("HEAD", path, tenant=tenant)).status == 200
    assert (await service.ask("GET", "/v1/courses:export?format=xlsx", tenant=tenant)).status == 422
    assert (await service.ask("GET", path, "officer", officer="o", tenant=tenant)).status == 403


async def test_a_doubtful_name_in_prerequisites_is_a_course_if_the_file_or_the_catalog_has_it(service: Started) -> None:
    await put(service, course("HTML5"), tenant="doubting")
    table = (
        "id,title,provider,hours,prerequisites\nd1,One,Uni,3,ISO27001\nd2,Two,Uni,3,ITIL4\nd3,Three,Uni,3,HTML5\n"
        "ITIL4,Four,Uni,3,\nd5,Five,Uni,3,Four\nd6,Six,Uni,3,Seven\nd7,Seven,Uni,3,\n"
    )
    headers = {"Content-Type": "text/csv"}
    for status in ("created", "unchanged"):
        got = await service.ask(
            "POST", "/v1/courses:import?map=guess", "admin", tenant="doubting", data=table.encode(), headers=headers
        )
        *rows, report = [json.loads(line) for line in (await got.text()).splitlines()]
        assert [(one["line"], one["status"]) for one in sorted(rows, key=lambda one: one["line"])] == [
            (line, status) for line in range(2, 9)
        ]
        assert report.get("unknown", 0) == 0
    required = {}
    for name in ("d1", "d2", "d3", "d5", "d6"):
        got = await service.ask("GET", f"/v1/courses/{name}", "admin", tenant="doubting")
        required[name] = [one["course"] for one in (await got.json()).get("requires", [])]
    assert required == {"d1": [], "d2": ["ITIL4"], "d3": ["HTML5"], "d5": ["ITIL4"], "d6": ["d7"]}
