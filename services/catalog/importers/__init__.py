"""Reads lists of courses in several formats, piece by piece; an invalid row is reported and does not stop the reader.

    reader = ListReader("csv", Options(columns="guess"))
    for row in reader.feed(piece): ...          # None for a row without a course
    for row in reader.end(): ...
    reader.close()

tables      rows of cells: finds which column holds what, by its name (columns, column_names), and rows of totals (totals)
workbook    Excel, with cells · jsonld: schema.org · objects: plain JSON. NDJSON and CSV are in `shared/imports`
course_titles  finds courses that prerequisites name by title
facts       converts named values to a course; words, durations and prerequisites read the text of single cells, with
            `shared/imports/numerals` and `dates`
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

from services.catalog.importers.course_titles import CourseTitles
from services.catalog.importers.jsonld import JsonLdReader
from services.catalog.importers.tables import Options, Table
from services.catalog.importers.workbook import WorkbookReader
from shared.domain import Course
from shared.errors import Malformed
from shared.imports.encodings import Recoder
from shared.imports.ndjson import NdjsonReader
from shared.imports.rows import Row
from shared.imports.tables import CsvReader

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
"""{content type of a request: format of the file}."""


_MANIFEST = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,500}?-->\s*)?<(?:\w{1,20}:)?(manifest|courseStructure)\b",
    re.DOTALL,
)


def _refuse_manifest(text: bytes) -> None:
    """Raise Malformed for the manifest of a package of SCORM, IMS or cmi5, which is no list of courses."""
    if _MANIFEST.match(text[:2000]):
        raise Malformed(
            "this is the manifest of a package (SCORM, IMS or cmi5), which holds the contents of one course; "
            "export the list of courses from the platform as CSV, Excel or JSON"
        )


_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|meta|body|style|table|\?xml)\b", re.IGNORECASE)
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*"[^"]{1,100}"\s*:')


def _refuse_other_table(text: bytes) -> None:
    """Raise Malformed for HTML, XML or JSON that is sent as a table; programs write HTML into files named `.xls`."""
    if _PAGE.match(text[:2000]):
        raise Malformed("this is HTML or XML, not CSV or Excel; open it in a spreadsheet program and save it as .xlsx")
    if _JSON.match(text[:2000]):
        raise Malformed("this is JSON, not CSV or Excel; name the file .json, or send it as application/ld+json")


class ListReader:
    """Reads a list of courses in one of the formats, in any encoding that `shared/imports/encodings` knows."""

    def __init__(self, form: Format, options: Options) -> None:
        """Prepare to read a file in the format `form`. Raises InvalidInput for an unknown encoding in `options`."""
        self.form = form
        self._reader: NdjsonReader[Course] | CsvReader[Course] | JsonLdReader | WorkbookReader
        if form == "ndjson":
            self._reader = NdjsonReader(Course)
        elif form == "csv":
            self._reader = CsvReader(Table(options))
        elif form == "jsonld":
            self._reader = JsonLdReader(options)
        else:
            self._reader = WorkbookReader(options)
        self._begun = False
        self._titles = CourseTitles()
        self._recoder = None if form == "xlsx" else Recoder(options.encoding)

    @property
    def encoding(self) -> str | None:
        """The encoding that the text has so far; None for a workbook."""
        return (self._recoder.found or "ascii") if self._recoder else None

    @property
    def table(self) -> Table | None:
        """The table of CSV or a workbook, which knows its columns; None for other formats."""
        table = getattr(self._reader, "table", None)
        return table if isinstance(table, Table) else None

    @property
    def columns(self) -> tuple[dict[str, list[str]], list[str]]:
        """({fact: names of the columns that hold it}, names of the columns that hold none); empty without a table."""
        return (self.table.mapping, self.table.unused) if self.table else ({}, [])

    @property
    def described(self) -> dict[str, Any]:
        """The fields of the report that state how the file is read."""
        mapping, unused = self.columns
        sample = self.table.sample if self.table else None
        return {"encoding": self.encoding, "mapping": mapping, "unused_columns": unused, "sample": sample}

    def feed(self, piece: bytes) -> Iterator[Row[Course] | None]:
        """Yield the rows that end in the next bytes of the file, None for a row without a course.

        Raises Problem if the whole file is rejected.
        """
        for text in self._recoder.feed(piece) if self._recoder else (piece,):
            if not self._begun and text.strip():
                self._begun = True
                self._refuse_other(text)
            yield from self._resolved(self._reader.feed(text))

    def end(self) -> Iterator[Row[Course] | None]:
        """Yield the rows that remain at the end of the file. Raises Problem if the whole file is rejected."""
        for text in self._recoder.end() if self._recoder else ():
            if not self._begun:
                self._refuse_other(text)
            yield from self._resolved(self._reader.feed(text))
        yield from self._resolved(self._reader.end())
        yield from self._titles.end()
        if self.table:
            self.table.end()

    def _resolved(self, rows: Iterator[Row[Course] | None]) -> Iterator[Row[Course] | None]:
        for row in rows:
            if row is None or self.form == "ndjson":  # which requires courses by their ids alone
                yield row
            else:
                yield from self._titles.take(row)

    def _refuse_other(self, text: bytes) -> None:
        if self.form != "xlsx":
            _refuse_manifest(text)
        if self.form in ("csv", "xlsx"):
            _refuse_other_table(text)

    def close(self) -> None:
        """Delete the temporary file, if the reader has one."""
        if isinstance(self._reader, WorkbookReader):
            self._reader.close()
