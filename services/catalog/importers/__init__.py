"""Readers of course lists. Each takes a body in chunks and yields rows; a bad row does not stop it.

    reader = ListReader("csv", Options(columns="guess"))
    for row in reader.feed(piece): ...          # None for a row without a course
    for row in reader.end(): ...
    reader.close()

rows        a row: its course, or all of its faults
encodings   detection of the encoding of a text
ndjson · tables (CSV) · workbook (Excel) · jsonld (schema.org)
facts       conversion of named values to a course; words and prerequisites parse single cells
"""

from collections.abc import Iterator
from typing import Literal

from services.catalog.importers.encodings import Recoder
from services.catalog.importers.jsonld import JsonLdReader
from services.catalog.importers.ndjson import NdjsonReader
from services.catalog.importers.rows import Row
from services.catalog.importers.tables import CsvReader, Options, Table
from services.catalog.importers.workbook import WorkbookReader

Format = Literal["ndjson", "csv", "xlsx", "jsonld"]

__all__ = ["TYPES", "Format", "ListReader", "Options"]

TYPES: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/ld+json": "jsonld",
    "text/html": "jsonld",
}
"""Content types, and the formats that they name."""


class ListReader:
    """Reads a list of courses in one of the formats; texts may be in any of the encodings."""

    def __init__(self, form: Format, options: Options) -> None:
        """Raises InvalidInput for an encoding that is not known."""
        self.form = form
        self._reader: NdjsonReader | CsvReader | JsonLdReader | WorkbookReader
        if form == "ndjson":
            self._reader = NdjsonReader()
        elif form == "csv":
            self._reader = CsvReader(options)
        elif form == "jsonld":
            self._reader = JsonLdReader(options)
        else:
            self._reader = WorkbookReader(options)
        self._recoder = None if form == "xlsx" else Recoder(options.encoding)

    @property
    def encoding(self) -> str | None:
        """The encoding of the text; None if there is none."""
        return (self._recoder.found or "ascii") if self._recoder else None

    @property
    def table(self) -> Table | None:
        """The columns, for a table."""
        return getattr(self._reader, "table", None)

    def feed(self, piece: bytes) -> Iterator[Row | None]:
        """Yield the rows that a chunk completes; None for a row without a course. Raises Problem for the whole file."""
        for text in self._recoder.feed(piece) if self._recoder else (piece,):
            yield from self._reader.feed(text)

    def end(self) -> Iterator[Row | None]:
        """Yield the rows that remain at the end. Raises Problem for the whole file."""
        for text in self._recoder.end() if self._recoder else ():
            yield from self._reader.feed(text)
        yield from self._reader.end()

    def close(self) -> None:
        """Release the resources of the reader."""
        if isinstance(self._reader, WorkbookReader):
            self._reader.close()
