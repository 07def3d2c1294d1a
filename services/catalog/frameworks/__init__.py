"""Reads and writes framework files in several formats.

Pure. A format has one module, or one that reads it and one that writes it.

read("case-1.1", [Source("package.json", raw)], Options(id="mine"))   the framework, its faults, and data that is lost
write("csv", framework, at)                                           bytes, and what the format cannot hold
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.catalog.frameworks import case, case_writing, digcomp, esco, matrix, matrix_writing, onet, own
from services.catalog.frameworks.report import Fault, NotKept, Options, Reading
from services.catalog.frameworks.tables import UNPACKED_LIMIT, Source, is_workbook, unpacked
from shared.domain import Framework
from shared.errors import InvalidInput

__all__ = ["FORMATS", "Fault", "NotKept", "Options", "Reading", "Source", "Written", "is_workbook", "read", "write"]

_JSON, _CSV, _ZIP = "application/json", "text/csv", "application/zip"
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TABLES = (_CSV, "text/tab-separated-values", _WORKBOOK)


@dataclass(frozen=True)
class Written:
    """The bytes of a framework as a file, and a list of the data that the format cannot represent."""

    data: bytes
    not_held: list[NotKept]


@dataclass(frozen=True)
class Format:
    """A format of framework files: its reader and its writer.

    `accepts`: the media types that a request may have; an answer has the first one. `suffix`: the end of a file's name.
    """

    read: Callable[[list[Source], Options], Reading]
    write: Callable[[Framework, datetime], tuple[bytes, list[NotKept]]]
    accepts: tuple[str, ...]
    suffix: str


FORMATS: Mapping[str, Format] = {
    "json": Format(own.read, lambda framework, _: own.write(framework), (_JSON, _ZIP), ".json"),
    "csv": Format(matrix.read, lambda framework, _: matrix_writing.write(framework), _TABLES, ".csv"),
    "case-1.0": Format(
        case.read, lambda framework, at: case_writing.write(framework, "1.0", at), (_JSON, _ZIP), ".json"
    ),
    "case-1.1": Format(
        case.read, lambda framework, at: case_writing.write(framework, "1.1", at), (_JSON, _ZIP), ".json"
    ),
    "digcomp": Format(
        digcomp.read, lambda framework, _: digcomp.write(framework), ("application/ld+json", _JSON, _ZIP), ".jsonld"
    ),
    "esco": Format(esco.read, lambda framework, _: esco.write(framework), (_ZIP, _CSV), ".zip"),
    "onet": Format(
        onet.read, lambda framework, _: onet.write(framework), (_ZIP, "text/tab-separated-values", _CSV), ".zip"
    ),
}


def read(name: str, sources: list[Source], options: Options, limit: int = UNPACKED_LIMIT) -> Reading:
    """Read the files of one framework in the format `name`; return the framework with a report.

    `limit`: the most bytes that the tables in archives may have together. Raises InvalidInput, Malformed, TooLarge,
    Unsupported.
    """
    return _format(name).read(unpacked(sources, limit), options)


def write(name: str, framework: Framework, at: datetime) -> Written:
    """Return a framework as a file in the format `name`. `at`: the time of its last change. Raises InvalidInput."""
    return Written(*_format(name).write(framework, at))


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise InvalidInput(f"{name!r} is no format; there are: {', '.join(FORMATS)}", "format")
    return FORMATS[name]
