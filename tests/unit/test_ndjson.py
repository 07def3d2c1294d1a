"""NDJSON: the same rows however the body is cut into chunks; a line too long is refused and the rest is read."""

import json
from collections.abc import AsyncIterator, Iterable

import pytest

from services.catalog.importers.ndjson import LINE_LIMIT, Row, rows
from shared.errors import Malformed, Problem, TooLarge
from shared.skills import Course

COURSE = {
    "id": "one",
    "title": {"th": "หนึ่ง"},
    "provider": {"en": "Provider"},
    "hours": 1,
    "languages": ["th"],
    "teaches": [{"framework": "fw", "skill": "a", "from": 0, "to": 1}],
}
LINE = json.dumps(COURSE, ensure_ascii=False).encode()


async def read(chunks: Iterable[bytes]) -> list[Row]:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [row async for row in rows(arriving())]


def told(found: list[Row]) -> list[tuple[int, str]]:
    return [(row.line, row.course.id if isinstance(row.course, Course) else type(row.course).__name__) for row in found]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
async def test_the_rows_do_not_depend_on_the_chunks(size: int) -> None:
    body = b"\n".join([LINE, b"", b"  ", b"{", LINE + b"\r", b"[]", LINE])
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert told(await read(chunks)) == [(1, "one"), (4, "Malformed"), (5, "one"), (6, "InvalidInput"), (7, "one")]


@pytest.mark.parametrize("size", [1000, LINE_LIMIT, LINE_LIMIT + 1, 10 * LINE_LIMIT])
async def test_a_line_too_long_is_refused_and_the_rest_is_read(size: int) -> None:
    body = b"\n".join([LINE, b"x" * (3 * LINE_LIMIT), LINE, b"y" * (LINE_LIMIT + 1)])
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    found = await read(chunks)
    assert told(found) == [(1, "one"), (2, "TooLarge"), (3, "one"), (4, "TooLarge")]


async def test_an_empty_body_has_no_rows() -> None:
    assert await read([]) == []
    assert await read([b"\n\n"]) == []


async def test_what_is_wrong_is_said_as_a_single_put_would_say_it() -> None:
    for raw, shape, field in ((b"{", Malformed, None), (b'{"id": 1}', Problem, "id"), (b"z" * 300_000, TooLarge, None)):
        [row] = await read([raw])
        assert isinstance(row.course, shape)
        assert row.course.field == field
