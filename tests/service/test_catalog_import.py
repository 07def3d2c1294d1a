"""Importing courses: every line is answered, while the others are still sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from services.catalog.importers.ndjson import LINE_LIMIT
from tests.service.cataloguing import catalog, course, ids, named, put
from tests.service.started import Started

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with catalog(mongodb_uri, kafka_bootstrap) as service:
        yield service


async def imported(service: Started, lines: Sequence[bytes], tenant: str = "agency") -> list[dict[str, Any]]:
    got = await service.ask("POST", "/v1/courses:import", "admin", tenant=tenant, data=b"\n".join(lines))
    assert (got.status, got.content_type) == (200, "application/x-ndjson")
    return [json.loads(line) for line in (await got.text()).splitlines()]


async def test_an_import_answers_every_line_and_a_bad_one_never_stops_the_rest(service: Started) -> None:
    first, second, third = named(), named(), named()
    await put(service, course(second))
    lines = [
        json.dumps(course(first)).encode(),
        b"",
        b"not json",
        json.dumps(course(second, hours=8.0)).encode() + b"\r",
        b'{"id": "\xff"}',
        b"x" * (LINE_LIMIT + 5),
        json.dumps(course(first)).encode(),
        json.dumps(course(first, hours=7.0)).encode(),
        json.dumps(course(named(), to=7)).encode(),
        json.dumps(course(third)).encode(),
    ]
    results = await imported(service, lines)
    assert [(one["line"], one["status"]) for one in results] == [
        (1, "created"),
        (3, "refused"),
        (4, "changed"),
        (5, "refused"),
        (6, "refused"),
        (7, "unchanged"),
        (8, "changed"),
        (9, "refused"),
        (10, "created"),
    ]
    assert [one["problem"]["status"] for one in results if one["status"] == "refused"] == [400, 400, 413, 422]
    assert (results[7]["problem"]["field"], results[6]["revision"]) == ("teaches[0].to", 2)


async def test_an_import_is_answered_while_it_is_sent(service: Started) -> None:
    answered = asyncio.Event()
    total = 300

    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(course(f"many-{n:05d}")).encode() + b"\n" for n in range(total))
        await asyncio.wait_for(answered.wait(), 20)
        yield json.dumps(course("many-last")).encode()

    got = await service.ask("POST", "/v1/courses:import", "admin", tenant="many", data=lines())
    seen = [json.loads(await got.content.readline())]
    answered.set()
    seen += [json.loads(line) async for line in got.content]
    assert len(seen) == total + 1
    assert {one["status"] for one in seen} == {"created"}
    assert len(await ids(service, "limit=100", "many")) == total + 1
