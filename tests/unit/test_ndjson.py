"""NDJSON: the same rows however the body is cut into chunks; a line too long is refused and the rest is read."""

import json
from collections.abc import Iterable

import pytest

from shared.domain import Course
from shared.imports.ndjson import NdjsonReader
from shared.imports.rows import ROW_LIMIT, Row

COURSE = {
    "id": "one",
    "title": {"th": "หนึ่ง"},
    "provider": {"en": "Provider"},
    "hours": 1,
    "languages": ["th"],
    "teaches": [{"framework": "fw", "skill": "a", "from": 0, "to": 1}],
}
LINE = json.dumps(COURSE, ensure_ascii=False).encode()


def read(chunks: Iterable[bytes]) -> list[Row[Course]]:
    reader = NdjsonReader(Course)
    found = [row for chunk in chunks for row in reader.feed(chunk)] + list(reader.end())
    return [row for row in found if row]


def results_of(found: Iterable[Row[Course] | None]) -> list[tuple[int, str | int]]:
    return [(row.number, row.content.id if row.content else row.problems[0].status) for row in found if row]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_the_rows_do_not_depend_on_the_chunks(size: int) -> None:
    body = b"\n".join([LINE, b"", b"  ", b"{", LINE + b"\r", b"[]", LINE])
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert results_of(read(chunks)) == [(1, "one"), (4, 400), (5, "one"), (6, 422), (7, "one")]


@pytest.mark.parametrize("size", [1, 2, 100_000])
def test_only_a_byte_order_mark_before_the_first_line_is_skipped(size: int) -> None:
    mark = b"\xef\xbb\xbf"
    body = mark + LINE + b"\n" + mark + LINE + b"\n" + LINE
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert results_of(read(chunks)) == [(1, "one"), (2, 400), (3, "one")]
    assert results_of(read([mark])) == []


@pytest.mark.parametrize("size", [1000, ROW_LIMIT, ROW_LIMIT + 1, 10 * ROW_LIMIT])
def test_a_line_too_long_is_rejected_and_the_rest_is_read(size: int) -> None:
    body = b"\n".join([LINE, b"x" * (3 * ROW_LIMIT), LINE, b"y" * (ROW_LIMIT + 1)])
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    found = read(chunks)
    assert results_of(found) == [(1, "one"), (2, 413), (3, "one"), (4, 413)]


def test_a_row_is_yielded_as_soon_as_its_line_has_ended() -> None:
    reader = NdjsonReader(Course)
    assert results_of(list(reader.feed(LINE + b"\n"))) == [(1, "one")]
    assert results_of(list(reader.feed(LINE))) == []
    assert results_of(list(reader.feed(b"\n"))) == [(2, "one")]
    assert results_of(list(reader.feed(b"x" * (ROW_LIMIT + 1)))) == [(3, 413)]  # its end may never come
    assert results_of(list(reader.feed(b"x" * ROW_LIMIT + b"\n" + LINE + b"\n"))) == [(4, "one")]
    assert list(reader.end()) == []


def test_an_empty_body_has_no_rows() -> None:
    assert read([]) == []
    assert read([b"\n\n"]) == []


@pytest.mark.parametrize(
    ("raw", "expected", "begins"),
    [
        (b'{"id": "a", ', [(400, None)], "a"),
        (b"z" * 300_000, [(413, None)], "z" * 60),
        (b"[]", [(422, None)], "[]"),
        (b'{"id": 1}', [(422, name) for name in ("id", "title", "provider", "hours", "languages")], '{"id": 1}'),
        (
            json.dumps(COURSE | {"hours": 0, "teaches": [{"skill": "?"}, {"from": "x"}], "colour": 1}).encode(),
            [
                (422, "colour"),
                (422, "hours"),
                (422, "teaches[0].framework"),
                (422, "teaches[0].skill"),
                (422, "teaches[0].from"),
                (422, "teaches[0].to"),
                (422, "teaches[1].framework"),
                (422, "teaches[1].skill"),
                (422, "teaches[1].from"),
                (422, "teaches[1].to"),
            ],
            "one",
        ),
        (b'{"id": "deep", "requires": ' + b'[{"any": ' * 2000 + b"[]" + b"}]" * 2000 + b"}", [(400, None)], "deep"),
    ],
)
def test_all_faults_of_a_row_are_reported_by_field(
    raw: bytes, expected: list[tuple[int, str | None]], begins: str
) -> None:
    [row] = read([raw])
    assert [(one.status, one.field) for one in row.problems] == expected
    assert row.begins == begins


def test_a_field_that_is_given_twice_refuses_its_row_alone() -> None:
    twice = LINE.replace(b'"hours": 1', b'"hours": 1, "hours": 2')
    rows = read([twice + b"\n" + LINE])
    assert [[(one.field, one.detail) for one in row.problems] for row in rows] == [[("hours", "is given twice")], []]
    assert rows[0].content is None
