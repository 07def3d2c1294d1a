"""NDJSON: the same rows however the body is cut into chunks; a line too long is refused and the rest is read."""

import json
from collections.abc import Iterable

import pytest

from services.catalog.importers.ndjson import LINE_LIMIT, WITHOUT_COURSE_LIMIT, Reader, Row
from shared.domain import Course
from shared.errors import Malformed, Problem, TooLarge

COURSE = {
    "id": "one",
    "title": {"th": "หนึ่ง"},
    "provider": {"en": "Provider"},
    "hours": 1,
    "languages": ["th"],
    "teaches": [{"framework": "fw", "skill": "a", "from": 0, "to": 1}],
}
LINE = json.dumps(COURSE, ensure_ascii=False).encode()


def read(chunks: Iterable[bytes]) -> list[Row]:
    reader = Reader()
    return [row for chunk in chunks for row in reader.feed(chunk)] + list(reader.end())


def told(found: list[Row]) -> list[tuple[int, str]]:
    return [(row.line, row.course.id if isinstance(row.course, Course) else type(row.course).__name__) for row in found]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_the_rows_do_not_depend_on_the_chunks(size: int) -> None:
    body = b"\n".join([LINE, b"", b"  ", b"{", LINE + b"\r", b"[]", LINE])
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert told(read(chunks)) == [(1, "one"), (4, "Malformed"), (5, "one"), (6, "InvalidInput"), (7, "one")]


@pytest.mark.parametrize("size", [1, 2, 100_000])
def test_a_byte_order_mark_is_left_out_before_the_first_line_only(size: int) -> None:
    mark = b"\xef\xbb\xbf"
    body = mark + LINE + b"\n" + mark + LINE + b"\n" + LINE
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert told(read(chunks)) == [(1, "one"), (2, "Malformed"), (3, "one")]
    assert told(read([mark])) == []


@pytest.mark.parametrize("size", [1000, LINE_LIMIT, LINE_LIMIT + 1, 10 * LINE_LIMIT])
def test_a_line_too_long_is_refused_and_the_rest_is_read(size: int) -> None:
    body = b"\n".join([LINE, b"x" * (3 * LINE_LIMIT), LINE, b"y" * (LINE_LIMIT + 1)])
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    found = read(chunks)
    assert told(found) == [(1, "one"), (2, "TooLarge"), (3, "one"), (4, "TooLarge")]


def test_a_row_is_there_as_soon_as_its_line_has_ended() -> None:
    reader = Reader()
    assert told(list(reader.feed(LINE + b"\n"))) == [(1, "one")]
    assert told(list(reader.feed(LINE))) == []
    assert told(list(reader.feed(b"\n"))) == [(2, "one")]
    assert told(list(reader.feed(b"x" * (LINE_LIMIT + 1)))) == [(3, "TooLarge")]  # its end may never come
    assert told(list(reader.feed(b"x" * LINE_LIMIT + b"\n" + LINE + b"\n"))) == [(4, "one")]
    assert list(reader.end()) == []


@pytest.mark.parametrize("line", [b"", b" \t", b"{}", b"x"])
def test_lines_without_a_course_end_an_import(line: bytes) -> None:
    reader = Reader()
    chunk, taken, found = (line + b"\n") * 1000, 0, []
    while not reader.over:
        found += list(reader.feed(chunk))
        taken += 1
    assert taken == WITHOUT_COURSE_LIMIT // 1000 + 1
    assert told(found[-1:]) == [(WITHOUT_COURSE_LIMIT + 2, "TooLarge")]
    assert list(reader.end()) == []
    assert len(found) == 1 + (WITHOUT_COURSE_LIMIT + 1 if line.strip() else 0)


def test_an_empty_body_has_no_rows() -> None:
    assert read([]) == []
    assert read([b"\n\n"]) == []


def test_what_is_wrong_is_said_as_a_single_put_would_say_it() -> None:
    for raw, shape, field in ((b"{", Malformed, None), (b'{"id": 1}', Problem, "id"), (b"z" * 300_000, TooLarge, None)):
        [row] = read([raw])
        assert isinstance(row.course, shape)
        assert row.course.field == field
