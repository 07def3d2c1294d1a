"""Reads and writes framework files: one module per format, each a pure reader and writer (of CASE in two).

read("case", [Source("package.json", raw)], Options(id="mine"))      a Reading: the framework, every fault, lost data
write("csv", framework, at)                                          a Written: bytes, and what the format cannot hold
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.catalog.frameworks import case, case_writing, digcomp, esco, matrix, onet, own
from services.catalog.frameworks.reading import Fault, NotKept, Options, Reading
from services.catalog.frameworks.tables import UNPACKED_LIMIT, Source, unpacked
from shared.domain import Framework
from shared.errors import InvalidInput

__all__ = ["FORMATS", "Fault", "NotKept", "Options", "Reading", "Source", "Written", "read", "write"]

_JSON, _CSV, _ZIP = "application/json", "text/csv", "application/zip"


@dataclass(frozen=True)
class Written:
    """A framework as a file, and the data that the format cannot represent."""

    data: bytes
    not_held: list[NotKept]


@dataclass(frozen=True)
class Format:
    """The reader and writer of a format. `accepts`: the media types of requests; the first is that of answers."""

    read: Callable[[list[Source], Options], Reading]
    write: Callable[[Framework, datetime], tuple[bytes, list[NotKept]]]
    accepts: tuple[str, ...]
    suffix: str


FORMATS: Mapping[str, Format] = {
    "json": Format(own.read, lambda framework, _: own.write(framework), (_JSON,), ".json"),
    "csv": Format(
        matrix.read, lambda framework, _: matrix.write(framework), (_CSV, "text/tab-separated-values"), ".csv"
    ),
    "case-1.0": Format(case.read, lambda framework, at: case_writing.write(framework, "1.0", at), (_JSON,), ".json"),
    "case-1.1": Format(case.read, lambda framework, at: case_writing.write(framework, "1.1", at), (_JSON,), ".json"),
    "digcomp": Format(
        digcomp.read, lambda framework, _: digcomp.write(framework), ("application/ld+json", _JSON), ".jsonld"
    ),
    "esco": Format(esco.read, lambda framework, _: esco.write(framework), (_ZIP, _CSV), ".zip"),
    "onet": Format(
        onet.read, lambda framework, _: onet.write(framework), (_ZIP, "text/tab-separated-values", _CSV), ".zip"
    ),
}


def read(name: str, sources: list[Source], options: Options, limit: int = UNPACKED_LIMIT) -> Reading:
    """Return the result of reading files in a format. `limit`: the bytes that archives may decompress to.

    Raises InvalidInput, Malformed, TooLarge, Unsupported.
    """
    return _format(name).read(unpacked(sources, limit), options)


def write(name: str, framework: Framework, at: datetime) -> Written:
    """Return a framework in a format; `at`: the time of its last change. Raises InvalidInput."""
    return Written(*_format(name).write(framework, at))


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise InvalidInput(f"{name!r} is no format; there are: {', '.join(FORMATS)}", "format")
    return FORMATS[name]
