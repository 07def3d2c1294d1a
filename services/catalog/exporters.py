"""Writes courses as NDJSON, CSV, an Excel workbook or schema.org JSON-LD, in a form that an import can read."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from services.catalog.importers import Format
from shared.domain import Course
from shared.imports.tables import guarded

COLUMNS = (
    "id", "code", "title_th", "title_en", "provider_th", "provider_en", "hours", "languages", "educational_level",
    "teaches", "requires", "corequisites", "antirequisites", "tags", "description_th", "description_en", "url",
    "modality", "starts", "ends", "rating", "rating_count", "started", "completed", "accredited_against", "stated",
    "assumed", "example",
)  # fmt: skip
"""The columns of an exported table; each is a fact that the import reads."""

_NOT_IN_A_WORKBOOK = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class Form(Struct, frozen=True):
    """How a format is written course by course.

    `row` returns the bytes of a course; `before`, `between` and `after` are the bytes before the first course, between
    two courses and after the last one.
    """

    row: Callable[[Course], bytes]
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""


def write(form: Format, courses: Iterable[Course], file: BinaryIO) -> None:
    """Write courses to a file in a format; a workbook is written at the end, the others course by course."""
    if form == "xlsx":
        _write_workbook(courses, file)
        return
    wanted = FORMS[form]
    file.write(wanted.before)
    file.writelines((wanted.between if place else b"") + wanted.row(course) for place, course in enumerate(courses))
    file.write(wanted.after)


def _given(course: Course) -> Course:
    """Return a course without what only the catalog sets: `matched`, and rows mapped from another framework."""
    return replace(course, matched=[], teaches=[row for row in course.teaches if row.mapped_from is None])


def _ndjson(course: Course) -> bytes:
    return msgspec.json.encode(_given(course)) + b"\n"


def _csv(course: Course) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([guarded(cell) for cell in _cells(course)])
    return line.getvalue().encode()


def _cells(course: Course) -> list[str]:
    given = msgspec.to_builtins(_given(course))
    flat: dict[str, Any] = dict(given)
    for name in ("title", "provider", "description"):
        flat |= {f"{name}_{language}": text for language, text in given.get(name, {}).items()}
    rating, completions = given.get("rating", {}), given.get("completions", {})
    flat |= {"rating": rating.get("mean"), "rating_count": rating.get("count"), **completions}
    return [_cell(flat.get(name)) for name in COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _write_workbook(courses: Iterable[Course], file: BinaryIO) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("courses")
    sheet.append(list(COLUMNS))
    for course in courses:
        row = []
        for text in _cells(course):
            cell = WriteOnlyCell(sheet, _NOT_IN_A_WORKBOOK.sub("", guarded(text)))
            cell.data_type = "s"  # a text that begins with = is no formula
            row.append(cell)
        sheet.append(row)
    book.save(file)


def _node(course: Course) -> dict[str, Any]:
    """Return a course as schema.org JSON-LD. Properties without a schema.org term, such as levels, are left out."""
    course = _given(course)
    given = msgspec.to_builtins(course)
    taught = [
        {"@type": "DefinedTerm", "termCode": row.skill, "inDefinedTermSet": row.framework} for row in course.teaches
    ]
    instance: dict[str, Any] = {
        "@type": "CourseInstance",
        "courseMode": course.modality,
        "courseWorkload": _iso(course.hours),
        "startDate": given.get("starts"),
        "endDate": given.get("ends"),
    }
    node = {
        "@type": "Course",
        "identifier": course.id,
        "courseCode": course.code,
        "name": _localized(given["title"]),
        "description": _localized(given.get("description", {})),
        "provider": {"@type": "Organization", "name": _localized(given["provider"])},
        "url": course.url,
        "inLanguage": course.languages,
        "timeRequired": _iso(course.hours),
        "educationalLevel": course.educational_level,
        "keywords": course.tags,
        "teaches": taught,
        "coursePrerequisites": course.stated.get("prerequisites"),
        "hasCourseInstance": {name: value for name, value in instance.items() if value},
    }
    if course.rating:
        node["aggregateRating"] = {
            "@type": "AggregateRating", "ratingValue": course.rating.mean, "ratingCount": course.rating.count,
        }  # fmt: skip
    return {name: value for name, value in node.items() if value}


def _localized(text: dict[str, str]) -> list[dict[str, str]]:
    return [{"@language": language, "@value": words} for language, words in text.items()]


def _iso(hours: float) -> str:
    seconds = round(hours * 3600)
    parts = [(seconds // 3600, "H"), (seconds // 60 % 60, "M"), (seconds % 60, "S")]
    return "PT" + "".join(f"{number}{unit}" for number, unit in parts if number)


FORMS: dict[Format, Form] = {
    "ndjson": Form(_ndjson),
    # with the mark, spreadsheets show Thai
    "csv": Form(_csv, before=b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"),
    "jsonld": Form(
        lambda course: msgspec.json.encode(_node(course)),
        before=b'{"@context":"https://schema.org","@graph":[\n',
        between=b",\n",
        after=b"\n]}\n",
    ),
}
"""The formats that are written course by course; a workbook is written as a whole."""
