"""Rows of an import are checked and written while the rows before them are still being written."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from services.catalog.store import CatalogStore, Stored
from shared.domain import Course
from shared.errors import InvalidInput
from shared.imports.ndjson import NdjsonReader
from shared.imports.rows import Row
from tests.support.builders import unique
from tests.support.catalog import catalog, course
from tests.support.services import Started

SERVICE = catalog

Answers = list[dict[str, Any]]


class Writes:
    """The calls of `put_courses`: `begun` and `ended` are events by the number of the call. `first` waits for an event.

    `fails`: whether the first call raises a problem then.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
        self.begun = [asyncio.Event(), asyncio.Event()]
        self.ended = [asyncio.Event(), asyncio.Event()]
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self.second.set()
        put, calls = CatalogStore.put_courses, iter((0, 1))

        async def gated(
            store: CatalogStore, tenant: str, marked: Mapping[str, Course], trace: str
        ) -> dict[str, Stored]:
            call = next(calls)
            self.begun[call].set()
            try:
                await (self.second if call else self.first).wait()
                if fails and not call:
                    raise InvalidInput("cannot be stored")
                return await put(store, tenant, marked, trace)
            finally:
                self.ended[call].set()

        monkeypatch.setattr(CatalogStore, "put_courses", gated)


async def answers(service: Started, writes: Writes, first: list[dict[str, Any]], then: list[dict[str, Any]]) -> Answers:
    """Return what is answered to rows of which some are sent once those before them are being written."""

    async def body() -> AsyncIterator[bytes]:
        yield lines(first)
        async with asyncio.timeout(60):
            await writes.begun[0].wait()
        yield lines(then)

    headers = {"Content-Type": "application/x-ndjson"}
    got = await service.ask(
        "POST", "/v1/courses:import", "admin", tenant=unique("tenant"), data=body(), headers=headers
    )
    return [json.loads(line) for line in (await got.text()).splitlines()]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


async def after(event: asyncio.Event, then: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(60):
            await event.wait()
    finally:
        then.set()


async def test_rows_are_written_while_those_before_them_are(service: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch)
    waiting = asyncio.create_task(after(writes.ended[1], writes.first))
    *rows, report = await answers(service, writes, [course("a"), course("b")], [course("c"), course("a")])
    await waiting
    verdicts = [(row["line"], row["id"], row["status"]) for row in rows]
    assert verdicts == [(1, "a", "created"), (2, "b", "created"), (3, "c", "created"), (4, "a", "unchanged")]
    assert (report["state"], report["created"], report["unchanged"]) == ("finished", 3, 1)


async def test_a_row_is_compared_with_an_earlier_one_that_is_still_being_written(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = Writes(monkeypatch)
    waiting = asyncio.create_task(after(writes.ended[1], writes.first))
    *rows, _ = await answers(service, writes, [course("a", hours=6.0)], [course("b"), course("a", hours=7.0)])
    await waiting
    assert [row["status"] for row in rows] == ["created", "created", "refused"]
    assert "row 1 is the same course and was taken; this one differs in hours" in rows[2]["problems"][0]["detail"]


async def test_no_row_is_written_after_rows_before_it_could_not_be(
    service: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = Writes(monkeypatch, fails=True)
    writes.second.clear()
    waiting = asyncio.create_task(after(writes.begun[1], writes.first))
    [report] = await answers(service, writes, [course("a")], [course("b")])
    await waiting
    assert (report["state"], report["problem"]["detail"]) == ("stopped", "cannot be stored")
    assert writes.ended[1].is_set()
    assert "created" not in report


async def test_large_rows_are_stored_few_at_a_time(service: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    large = [course(f"c{n}", tags=[f"{tag:03}{'x' * 297}" for tag in range(199)]) for n in range(120)]
    feed, put, came, sizes = NdjsonReader.feed, CatalogStore.put_courses, asyncio.Event(), list[int]()
    rows = 0

    def counted(reader: NdjsonReader[Course], chunk: bytes) -> Iterator[Row[Course] | None]:
        nonlocal rows
        for row in feed(reader, chunk):
            rows += 1
            if rows == len(large):
                came.set()
            yield row

    async def gated(store: CatalogStore, tenant: str, marked: Mapping[str, Course], trace: str) -> dict[str, Stored]:
        sizes.append(len(marked))
        async with asyncio.timeout(60):
            await came.wait()
        return await put(store, tenant, marked, trace)

    monkeypatch.setattr(NdjsonReader, "feed", counted)
    monkeypatch.setattr(CatalogStore, "put_courses", gated)
    headers = {"Content-Type": "application/x-ndjson"}
    got = await service.ask(
        "POST", "/v1/courses:import", "admin", tenant=unique("tenant"), data=io.BytesIO(lines(large)), headers=headers
    )
    *verdicts, _ = [json.loads(line) for line in (await got.text()).splitlines()]
    assert [one["status"] for one in verdicts] == ["created"] * len(large)
    assert max(sizes) * 60_000 < 5 * 1024 * 1024
