"""An import of one file for one tenant: stores its report as it proceeds and waits for an unavailable database."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Generic, TypeVar

import msgspec

from shared.errors import InvalidInput, Problem, Unavailable
from shared.imports.reports import ReportStore
from shared.imports.rows import ImportReport, Row, RowResult, refusal

T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R", bound=ImportReport)

PATIENCE_SECONDS = 180.0
"""How long an import waits for a database that does not answer."""

_MOST_LISTED = 1000
_TOLD_OF_A_ROW = 50
_SAVED_EVERY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class ImportRequest(Generic[R]):
    """The options of an import. `form`: the format; `patience`: seconds to wait for an unavailable database.

    `trace`: the traceparent of the request. `key`: the client's own identifier of the import; a repeated request with
    this key returns the results of the first one. `import_id`: the id of the report, a UUID that the client has chosen;
    a new id without it.
    """

    reports: ReportStore[R]
    tenant: str
    trace: str
    form: str
    dry_run: bool = False
    patience: float = PATIENCE_SECONDS
    key: str | None = None
    import_id: str | None = None


class ImportJob(Generic[C, R]):
    """Imports the rows of one file; a subclass stores rows (`store_rows`) and checks the whole file (`end`).

    `rows_at_once`: while earlier rows are stored, up to about so many rows are collected for the next call of
    `store_rows`. `batches_at_once`: how many calls of `store_rows` may run at once; they begin in the order of the
    rows. `run`: a text that no other import has, even one with the same id of its report.
    """

    rows_at_once = 1000
    batches_at_once = 1

    def __init__(self, request: ImportRequest[R], shape: type[R]) -> None:
        self._reports, self._tenant, self._trace = request.reports, request.tenant, request.trace
        self._patience = request.patience
        now = datetime.now(UTC)
        self.run = secrets.token_hex(16)
        import_id = request.import_id or self.run
        self.report = shape(import_id, "running", request.form, now, now, dry_run=request.dry_run)
        self.begun = False
        named = self.run if request.key is None else sha256(request.key.encode()).hexdigest()
        self._name = None if request.dry_run else named[:20]
        self._keeping: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def store_rows(self, rows: Sequence[Row[C]]) -> list[RowResult]:
        """Store rows; return their results, in order. Raises Problem if the rest of the file must not be read."""
        raise NotImplementedError

    async def end(self) -> None:
        """Do nothing; in a subclass, check the file as a whole and change the report."""

    def describe(
        self, encoding: str | None, mapping: dict[str, list[str]], unused_columns: list[str], **more: object
    ) -> None:
        """Record in the report how the file was read: encoding, {field: names of its columns}, unused columns.

        `more`: other fields of the report that the reader states.
        """
        self.change(encoding=encoding, mapping=mapping, unused_columns=unused_columns[:_MOST_LISTED], **more)

    def name_of(self, row: Row[Any]) -> str | None:
        """Return the name of a row: its import and its number; None in a dry run, which writes no row."""
        return self._name and f"{self._name}/{row.number}"

    async def begin(self) -> None:
        """Store that the import has started. Raises Conflict if the tenant has an import with this id; Unavailable."""
        self.begun = True
        await self._save()

    async def count(self, results: Sequence[RowResult]) -> None:
        """Count the results of the next rows in the report. Raises Unavailable if earlier results cannot be stored.

        The results are stored while the next rows are read; `finish` and `stop` wait until all are stored. The report
        is stored within about a second, and at most once a second.
        """
        counts = dict.fromkeys(("created", "changed", "unchanged", "refused"), 0)
        for one in results:
            counts[one.status] += 1
        self.change(**{status: getattr(self.report, status) + count for status, count in counts.items()})
        if self.report.dry_run:
            return
        await self._kept()
        self._keeping = asyncio.create_task(self._keep(results))
        if self._saving and self._saving.done():
            await self._saved()
        self._saving = self._saving or asyncio.create_task(self._save_soon())

    async def finish(self) -> R:
        """Check the file as a whole, store the report and return it. Raises Unavailable."""
        await self.end()
        await self._kept()
        self._ending.set()
        await self._saved()
        self.change(state="finished")
        await self._save()
        return self.report

    async def stop(self, problem: Problem) -> R:
        """Store that the import ended, for this reason, before the end of its file; return the report.

        Raises Unavailable.
        """
        self._ending.set()
        for one in (self._kept, self._saved):
            with suppress(Unavailable):
                await one()
        self.change(state="stopped", problem=refusal(problem))
        await self._save()
        return self.report

    # --- for subclasses ----------------------------------------------------------------------------------------------

    def change(self, **fields: object) -> None:
        """Change fields of the report."""
        self.report = msgspec.structs.replace(self.report, updated_at=datetime.now(UTC), **fields)

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` returns; while MongoDB is unavailable, call `work` again.

        Raises Unavailable once `patience` is over.
        """
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._patience, 0.1
        while True:
            try:
                return await work()
            except Unavailable:
                if loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _kept(self) -> None:
        """Wait until the results of earlier rows are stored. Raises Unavailable."""
        keeping, self._keeping = self._keeping, None
        if keeping:
            await keeping

    async def _keep(self, results: Sequence[RowResult]) -> None:
        await self.patiently(lambda: self._reports.add(self._tenant, self.report.import_id, results))

    async def _save(self) -> None:
        if not self.report.dry_run:
            await self.patiently(lambda: self._reports.save(self._tenant, self.report, self.run))

    async def _save_soon(self) -> None:
        """Store the report after a second, unless the import ends before and stores it then."""
        try:
            async with asyncio.timeout(_SAVED_EVERY_SECONDS):
                await self._ending.wait()
        except TimeoutError:
            await self._save()

    async def _saved(self) -> None:
        """Wait until no state of the report is being stored, so that the next one is stored after it.

        Raises Unavailable.
        """
        saving, self._saving = self._saving, None
        if saving:
            await saving


def refused_row(row: Row[Any], identifier: str | None) -> RowResult:
    """Return the result of a row that has faults, with up to 50 of them. `identifier`: the id that the row names."""
    problems = row.problems[:_TOLD_OF_A_ROW]
    if len(row.problems) > _TOLD_OF_A_ROW:
        problems.append(refusal(InvalidInput(f"and {len(row.problems) - _TOLD_OF_A_ROW} more")))
    return RowResult(
        row.number, "refused", identifier, begins=row.begins, warnings=row.warnings[:_TOLD_OF_A_ROW], problems=problems
    )
