"""Sends a file to an import from the command line; prints progress, the results of the rows, and the report."""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, TypeVar

import aiohttp
import msgspec

from shared.console import FAILED, OK, REFUSED, add_file, kind_of, refused, say, where
from shared.imports.rows import ImportReport, RowResult

R = TypeVar("R", bound=ImportReport)

_PIECE = 64 * 1024
_SHOWN = 20
_BAR = 24


async def send_rows(
    file: Path, url: str, query: Mapping[str, str], headers: Mapping[str, str], shape: type[R]
) -> tuple[R | None, "Tally"] | None:
    """Send a file to an import and return the report and the counts of the rows.

    The report is None if the answer ended before it. Prints why and returns None if the service cannot be reached or
    closes the connection. Raises Problem if the service rejects the whole file, OSError if the file cannot be opened.
    """
    progress, tally = Progress((await asyncio.to_thread(file.stat)).st_size), Tally()
    try:
        async with AsyncExitStack() as held:
            opened = held.enter_context(await asyncio.to_thread(file.open, "rb"))
            session = await held.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**20)
            )
            pieces = _pieces(opened, progress)
            answer = await held.enter_async_context(session.post(url, params=dict(query), data=pieces, headers=headers))
            if answer.status != HTTPStatus.OK:
                raise refused(answer.status, await answer.text())
            async for line in _lines(answer):
                if b'"line":' not in line[:8]:
                    return msgspec.json.decode(line, type=shape), tally
                tally.take(msgspec.json.decode(line, type=RowResult))
                progress.rows(tally.counts.total())
    except aiohttp.ClientError as error:
        progress.end()
        say(f"The service at {url} broke off or cannot be reached: {error}")
        say(f"{tally.counts.total()} rows were answered and stay; run the same command again to import the rest.")
        return None
    finally:
        progress.end()
    return None, tally


async def _pieces(opened: BinaryIO, progress: "Progress") -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(opened.read, _PIECE):
        yield piece
        progress.sent(len(piece))


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of a response, of any length."""
    held = bytearray()
    async for piece in answer.content.iter_any():
        held += piece
        *ended, rest = bytes(held).split(b"\n")
        held = bytearray(rest)
        for line in ended:
            if line:
                yield line


class Tally:
    """Counts rows by result, and keeps the first rejected rows and the warnings by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._refused: list[RowResult] = []
        self._warned: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}

    def take(self, row: RowResult) -> None:
        """Count the result of a row, and keep what `say` prints of it."""
        self.counts[row.status] += 1
        for one in row.warnings:
            kind = one.field, kind_of(one.detail)
            self._warned[kind] += 1
            self._examples.setdefault(kind, one.detail)
        if row.status == "refused" and len(self._refused) < _SHOWN:
            self._refused.append(row)

    def say(self) -> None:
        """Print the rejected rows, and each kind of warning with its number and its first example."""
        for row in self._refused:
            say(f"row {row.line} ({row.id or row.begins or '?'}):")
            for one in row.problems:
                say(f"    {where(one.field)}{one.detail}")
        if (more := self.counts["refused"] - len(self._refused)) > 0:
            say(f"and {more} more refused rows")
        for kind, count in self._warned.most_common(_SHOWN):
            example = self._examples[kind]
            others = " (for example)" if count > 1 and "'" in example else ""
            say(f"  {count:>7}  {where(kind[0])}{example}{others}")
        if (kinds := len(self._warned) - _SHOWN) > 0:
            say(f"and {kinds} more kinds of warnings")


def add_import(parser: argparse.ArgumentParser, endings: Mapping[str, str]) -> None:
    """Add the arguments for a file of rows, its format and its encoding. `endings`: {file name ending: format}."""
    add_file(parser, endings)
    parser.add_argument("--encoding", help="default: recognised from the bytes")


def conclude(report: ImportReport | None, refused_rows: int, path: str) -> int:
    """Print how an import ended and return the exit code. `path`: the path of the report at the service."""
    if report is None:
        say("The answer ended before its report. Run the same command again to import the rest.")
        return FAILED
    if report.problem:
        say(f"{report.state}: {where(report.problem.field)}{report.problem.detail}")
    if not report.dry_run:
        say(f"report: GET {path}/{report.import_id}")
    if report.state != "finished":
        return FAILED
    return REFUSED if refused_rows else OK


class Progress:
    """A progress bar with rows, rate and remaining time, which is shown only on a terminal."""

    def __init__(self, size: int) -> None:
        self._size = max(size, 1)
        self._begun = time.monotonic()
        self._sent = self._rows = 0
        self._shown = 0.0
        self._visible = sys.stderr.isatty()

    def sent(self, size: int) -> None:
        """Count sent bytes."""
        self._sent += size
        self._show()

    def rows(self, count: int) -> None:
        """Record how many rows the service has answered so far."""
        self._rows = count
        self._show()

    def end(self) -> None:
        """Write the line end after the progress bar."""
        if self._visible and self._shown:
            print(f"\r{self.line()}", file=sys.stderr)  # noqa: T201 - a progress bar
            self._shown = 0.0

    def line(self) -> str:
        """Return the current bar as text."""
        share = min(self._sent / self._size, 1.0)
        seconds = max(time.monotonic() - self._begun, 1e-6)
        left = seconds / share - seconds if share else 0.0
        bar = "#" * round(share * _BAR)
        return (
            f"[{bar:<{_BAR}}] {share:>4.0%}  {self._rows:,} rows  {self._rows / seconds:,.0f}/s  "
            f"{int(left) // 60}:{int(left) % 60:02} left "
        )

    def _show(self) -> None:
        now = time.monotonic()
        if self._visible and now - self._shown > 0.2:  # noqa: PLR2004 - five times a second
            self._shown = now
            print(f"\r{self.line()}", end="", file=sys.stderr, flush=True)  # noqa: T201 - a progress bar
