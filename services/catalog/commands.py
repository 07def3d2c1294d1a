"""The operator's commands for a file of courses: `import`, `export` and `check`.

`import` and `export` connect to a running catalog at `--url` or CATALOG_URL; CATALOG_KEY holds the key of an admin of
the tenant that owns the courses. `check` needs no service. The exit code is 0 if every row was accepted, 1 if rows were
rejected or the file has no course, 2 if the command failed, 130 if it was interrupted.
"""

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import aiohttp
import msgspec

from services.catalog import exporters
from services.catalog.importers import Format, ListReader, Options
from services.catalog.importers.course_titles import leave_unknown
from services.catalog.importers.facts import FACTS
from services.catalog.importers.tables import guessed
from services.catalog.imports import differing, same_course
from services.catalog.model import CourseImportReport, CoursePage
from shared.console import (
    FAILED,
    OK,
    REFUSED,
    add_file,
    add_url,
    authorization,
    carry_out,
    format_of,
    refused,
    replacing,
    say,
    say_counts,
)
from shared.domain import Course
from shared.errors import InvalidInput
from shared.imports.columns import GUESS, as_map, pairs
from shared.imports.rows import Row, RowResult, RowStatus
from shared.imports.sending import Tally, add_import, conclude, send_rows

NAMES = ("import", "export", "check")
_TYPES: dict[Format, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonld": "application/ld+json",
}
_ENDINGS: dict[str, Format] = {
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx",
    ".jsonld": "jsonld", ".json": "jsonld", ".html": "jsonld", ".htm": "jsonld",
}  # fmt: skip
_PACKAGES = (".xml", ".zip", ".imscc", ".mbz")
_NO_PACKAGE = (
    "a package such as SCORM, IMS, cmi5 or a backup of Moodle holds the contents of one course, and no list of "
    "courses; export the list from the platform as CSV, Excel or JSON"
)
_NO_COURSE = "There is no course in this file."
_OTHER_LINES = "Lines of objects of another platform are read with --format jsonld."
_PIECE = 64 * 1024
_SHOWN = 20
_ALWAYS_SHOWN = ("created", "changed", "unchanged", "refused")
_DEFAULT_URL = "http://127.0.0.1:8102"


def main(arguments: list[str]) -> int:
    """Run the command `import`, `export` or `check` with its arguments; return the exit code."""
    args = _parser().parse_args(arguments)
    interrupted = "Stored courses stay; run the same command again to import the rest."
    return carry_out(args.command, lambda: _command(args), interrupted)


async def _command(args: argparse.Namespace) -> int:
    if args.format is None and args.command != "export" and args.file.suffix.lower() in _PACKAGES:
        raise InvalidInput(f"{args.file.name}: {_NO_PACKAGE}")
    form = format_of(args.file, args.format, _ENDINGS)
    if args.command == "export":
        return await _export(args, form)
    options = Options(
        columns=args.map and ",".join(args.map),
        defaults=dict(pairs(",".join(args.default), "default", FACTS)),
        header=not args.no_header,
        encoding=args.encoding,
        sheet=args.sheet,
        accept_guess=args.command == "check",
    )
    if args.command == "check":
        return _check(args.file, form, options)
    return await _import(args, form, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.catalog", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("import", "add or change the courses of a file"),
        ("check", "read a file and say what is wrong with it"),
        ("export", "write the courses of the catalog to a file"),
    ):
        one = commands.add_parser(name, help=about)
        if name != "check":
            add_url(one, "CATALOG_URL", _DEFAULT_URL)
        if name == "export":
            add_file(one, _ENDINGS)
        else:
            add_import(one, _ENDINGS)
            one.add_argument("--map", action="append", help="fact=column, or guess; may be given several times")
            one.add_argument("--default", action="append", default=[], help="fact=value, for what the file leaves out")
            one.add_argument("--sheet", help="the sheet of a workbook to read, by its name")
            one.add_argument("--no-header", action="store_true", help="the first row is a course")
        if name == "import":
            one.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
            one.add_argument("--full", action="store_true", help="list courses that the file no longer holds")
            one.add_argument("--withdraw", action="store_true", help="withdraw them")
    return parser


# --- import ----------------------------------------------------------------------------------------------------------


async def _import(args: argparse.Namespace, form: Format, options: Options) -> int:
    columns = options.columns or _asked_for_columns(args.file, form, options, dry_run=args.dry_run)
    query = {
        "map": columns,
        "default": ",".join(args.default) or None,
        "encoding": args.encoding,
        "sheet": args.sheet,
        "header": "false" if args.no_header else None,
        **{name: "true" for name in ("dry_run", "full", "withdraw") if getattr(args, name)},
    }
    headers = {"Content-Type": _TYPES[form], **authorization("CATALOG_KEY")}
    url = f"{args.url}/v1/courses:import"
    query = {name: value for name, value in query.items() if value is not None}
    sent = await send_rows(args.file, url, query, headers, CourseImportReport)
    if sent is None:
        return FAILED
    report, tally = sent
    tally.say()
    if _are_other_lines(form, tally.counts):
        say(_OTHER_LINES)
    return _conclude(report, tally.counts)


def _are_other_lines(form: Format, counts: Counter[str]) -> bool:
    """Return whether all lines of NDJSON were rejected, so that they are probably objects of another platform."""
    return form == "ndjson" and 0 < counts["refused"] == counts.total()


def _asked_for_columns(file: Path, form: Format, options: Options, *, dry_run: bool) -> str | None:
    """Return the value of `map` to use: None if it is not needed, or `guess` for a dry run or if a person agrees.

    Raises InvalidInput otherwise.
    """
    if form not in ("csv", "xlsx"):
        return None
    header = _header(file, form, options)
    guess = as_map(guessed(header), header)
    if all(name in guessed(header) for name in header if name):  # as our own export names them
        return None
    say("The columns seem to hold:")
    for fact, numbers in guessed(header).items():
        say(f"  {fact:<16} {', '.join(header[number] for number in numbers)}")
    used = {number for numbers in guessed(header).values() for number in numbers}
    say(f"  not taken        {', '.join(name for number, name in enumerate(header) if number not in used) or '-'}")
    if dry_run:
        return GUESS
    if sys.stdin.isatty():
        say("Use these columns? [y/N] ", end="")
        if sys.stdin.readline().strip().lower() in ("y", "yes", "ใช่"):
            return GUESS
    raise InvalidInput(f"say which column holds what, with --map {GUESS} or --map '{guess}'")


def _header(file: Path, form: Format, options: Options) -> list[str]:
    """Return the names of the columns of a table, as the reader finds them."""
    reader = ListReader(form, dataclasses.replace(options, columns=None, accept_guess=True))
    try:
        for row in _rows(file, reader):
            if row is not None or (reader.table and reader.table.width):
                break
    except InvalidInput as error:
        if error.field != "map":
            raise
    finally:
        reader.close()
    return reader.table.header if reader.table else []


def _conclude(report: CourseImportReport | None, counts: Counter[str]) -> int:
    """Print the report and return the exit code."""
    numbers = {status: counts[status] for status in _ALWAYS_SHOWN}
    if report:
        _say_whole(report)
        numbers |= {"unknown": report.unknown, "cycles": len(report.cycles)}
        numbers |= {"missing": report.absent, "withdrawn": report.withdrawn}
    say("")
    say_counts({name: number for name, number in numbers.items() if number or name in _ALWAYS_SHOWN})
    code = conclude(report, counts["refused"], "/v1/imports")
    if report and not counts.total() and code == OK:
        say(_NO_COURSE)
        return REFUSED
    return code


def _say_whole(report: CourseImportReport) -> None:
    for cycle in report.cycles[:_SHOWN]:
        say(f"nobody can enter: {' -> '.join([*cycle, cycle[0]])}")
    for unknown in report.unknown_courses[:_SHOWN]:
        say(f"required and not offered: {unknown.course}, by {', '.join(unknown.required_by)}")
    for name in report.missing[:_SHOWN]:
        say(f"no longer in the file: {name}")
    if report.unused_columns:
        say(f"columns not taken: {', '.join(report.unused_columns)}")


# --- check -----------------------------------------------------------------------------------------------------------


def _check(file: Path, form: Format, options: Options) -> int:
    reader = ListReader(form, options)
    tally = Tally()
    first: dict[str, Row[Course]] = {}
    try:
        for row in _rows(file, reader):
            if row is not None:
                tally.take(_checked(row, first))
    finally:
        reader.close()
    tally.say()
    if reader.table:
        for fact, names in reader.table.mapping.items():
            say(f"  {fact:<16} {', '.join(names)}")
        say(f"  not taken        {', '.join(reader.table.unused) or '-'}")
    say(f"encoding   {reader.encoding or '-'}")
    counts = tally.counts
    say_counts({"courses": counts["created"], "repeated": counts["unchanged"], "refused": counts["refused"]})
    if not counts.total():
        say(_NO_COURSE)
    if _are_other_lines(form, counts):
        say(_OTHER_LINES)
    return OK if counts.total() and not counts["refused"] else REFUSED


def _checked(row: Row[Course], first: dict[str, Row[Course]]) -> RowResult:
    """Return the result that an import into an empty catalog gives a row. `first`: the first row of each course."""
    status: RowStatus = "created"
    problems = row.problems
    leave_unknown(row, first)
    if row.content is None or problems:
        status = "refused"
    elif (known := first.setdefault(row.content.id, row)) is not row:
        status = "unchanged" if known.content == row.content else "refused"
        if status == "refused":
            problems = [same_course(known.number, [*differing(known.content, row.content)])]
    return RowResult(row.number, status, None, None, row.begins, row.warnings, problems)


def _rows(file: Path, reader: ListReader) -> Iterator[Row[Course] | None]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield from reader.feed(piece)
    yield from reader.end()


# --- export ----------------------------------------------------------------------------------------------------------


async def _export(args: argparse.Namespace, form: Format) -> int:
    courses: list[Course] = []
    async with aiohttp.ClientSession(headers=authorization("CATALOG_KEY")) as session:
        after: str | None = ""
        while after is not None:
            query = {"after": after, "limit": "500"}
            async with session.get(f"{args.url}/v1/courses", params=query) as answer:
                if answer.status != HTTPStatus.OK:
                    raise refused(answer.status, await answer.text())
                page = msgspec.json.decode(await answer.read(), type=CoursePage)
            courses += page.courses
            after = page.next
    with replacing(args.file) as part, part.open("wb") as opened:
        exporters.write(form, courses, opened)
    say_counts({"exported": len(courses)})
    return OK
