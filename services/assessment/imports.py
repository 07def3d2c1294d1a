"""Imports of results and of officers: a result for every row, and a report on the whole.

A row of results is identified by its key, as a single submission is, or else by its content. So importing the same file
again changes nothing, and an interrupted import is completed by sending the file again. The origin of a row, which
names the import and the number of the row, is stored with what the row creates. So a row that is tried again has the
same result, within one import or in a request that repeats the `Idempotency-Key` of the first one.

Results come in this project's own columns, or as the grade export of a learning platform.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from services.assessment.intake import Intake, Outcome, Submission
from services.assessment.model import ImportedOfficer, ImportedResult, OfficerPut, PutOfficer
from services.assessment.registration import Registrar
from services.assessment.store import OfficerStore
from services.assessment.xapi.grades import GradedRow
from services.assessment.xapi.mapping import ActivityRules
from shared.domain import key_of
from shared.errors import Conflict, InvalidInput, NotFound, Problem, Warned
from shared.imports.encodings import Recoder
from shared.imports.job import ImportJob, ImportRequest, refused_row
from shared.imports.ndjson import NdjsonReader
from shared.imports.rows import ImportReport, Row, RowResult, RowStatus, refusal
from shared.imports.tables import CsvReader, FieldTable, Table
from shared.mongo import overlapped

T = TypeVar("T")

_PER_PART = 250
"""Officers are registered in parts of so many; while one part is written, the next one is decided."""

Format = Literal["ndjson", "csv"]
TYPES: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
}
"""Content types, and the formats that they name."""


class ColumnTable(Table[T], Protocol[T]):
    """A table that states which of its columns it reads."""

    @property
    def mapping(self) -> dict[str, list[str]]:
        """{field: the names of its columns}."""

    @property
    def unused(self) -> list[str]:
        """The names of the columns that are not read."""


class FileReader(Generic[T]):
    """Reads rows of a struct type from NDJSON or CSV, in any of the supported encodings.

    `table`: converts the cells of CSV; without it the columns are the fields of the struct.
    """

    def __init__(
        self, form: Format, shape: type[T], encoding: str | None = None, table: ColumnTable[T] | None = None
    ) -> None:
        """Raises InvalidInput for an unknown encoding."""
        self._recoder = Recoder(encoding)
        self._table = table or FieldTable(shape)
        self._reader: NdjsonReader[T] | CsvReader[T] = (
            NdjsonReader(shape) if form == "ndjson" else CsvReader(self._table)
        )

    @property
    def described(self) -> dict[str, Any]:
        """The fields of the report that state how the file is read.

        `encoding`: the one that was given or recognised; `ascii` while the text needs no other one. `mapping`: {field:
        the names of its columns}. `unused_columns`: the columns that are not read. The last two are empty for NDJSON.
        """
        return {
            "encoding": self._recoder.found or "ascii",
            "mapping": self._table.mapping,
            "unused_columns": self._table.unused,
        }

    def feed(self, piece: bytes) -> Iterator[Row[T] | None]:
        """Yield the rows that a piece of the file completes, None for an empty one.

        Raises Problem if the file cannot be read.
        """
        for text in self._recoder.feed(piece):
            yield from self._reader.feed(text)

    def end(self) -> Iterator[Row[T] | None]:
        """Yield the rows that remain at the end, None for an empty one. Raises Problem if the file cannot be read."""
        for text in self._recoder.end():
            yield from self._reader.feed(text)
        yield from self._reader.end()

    def close(self) -> None:
        """Do nothing: the reader holds no files."""


class ResultImport(ImportJob[ImportedResult, ImportReport]):
    """Imports results of officers."""

    rows_at_once = 4000  # larger than usual: while the last part of a batch is written, no part is decided

    def __init__(self, intake: Intake, order: ImportRequest[ImportReport]) -> None:
        super().__init__(order, ImportReport)
        self._intake = intake

    async def store_rows(self, rows: Sequence[Row[ImportedResult]]) -> list[RowResult]:
        """Submit the assessments of rows; return the results of the rows, in order. Raises Unavailable."""
        good: list[tuple[ImportedResult, Row[ImportedResult]]] = []
        submissions: list[Submission] = []
        for row in rows:
            if (content := row.content) is None:
                continue
            try:
                submissions.append(_submission(content, self.name_of(row)))
                good.append((content, row))
            except InvalidInput as problem:
                row.problems = [refusal(problem)]
        outcomes = await self.patiently(
            lambda: self._intake.submit_many(self._tenant, submissions, self._trace, dry_run=self.report.dry_run)
        )
        results = {row.number: _result(row, content, one) for (content, row), one in zip(good, outcomes, strict=True)}
        return [results.get(row.number) or refused_row(row, None) for row in rows]


class GradeImport(ImportJob[GradedRow, ImportReport]):
    """Imports the rows of a grade export; the tenant's mapping states what its activities say of which skills.

    A graded activity is identified by the officer, the activity, the time, the outcome and the score. Evidence that it
    gave before stays unchanged when it is imported again under another mapping.
    """

    rows_at_once = 4000

    def __init__(
        self, intake: Intake, officers: OfficerStore, rules: ActivityRules, order: ImportRequest[ImportReport]
    ) -> None:
        super().__init__(order, ImportReport)
        self._intake, self._officers, self._rules = intake, officers, rules

    async def store_rows(self, rows: Sequence[Row[GradedRow]]) -> list[RowResult]:
        """Submit the evidence of rows; return the results of the rows, in order. Raises Unavailable.

        The evidence of a row is stored as a whole or not at all.
        """
        keys = {key_of(self._tenant, row.content.officer) for row in rows if row.content}
        frameworks = await self.patiently(lambda: self._officers.frameworks(keys))
        wanted: dict[int, list[tuple[Submission, str]]] = {}
        for row in rows:
            if row.content is None:
                continue
            framework = frameworks.get(key_of(self._tenant, row.content.officer))
            if framework is None:
                row.problems = [refusal(NotFound("no such officer", "officer"))]
            else:
                wanted[row.number] = self._submissions(row, row.content, framework)
        by_number = {row.number: row for row in rows}
        several = {number: found for number, found in wanted.items() if len(found) > 1}
        await self._submitted(several, by_number, dry_run=True)
        good = {number: found for number, found in wanted.items() if not by_number[number].problems}
        outcomes = await self._submitted(good, by_number, dry_run=self.report.dry_run)
        return [_graded(row, outcomes.get(row.number, [])) for row in rows]

    def _submissions(self, row: Row[GradedRow], content: GradedRow, own: str) -> list[tuple[Submission, str]]:
        """Return the submissions of a row with the names of their columns, or add faults to the row."""
        submissions: list[tuple[Submission, str]] = []
        if content.taken_at is None:
            return submissions
        for one in content.activities:
            found = self._rules.evidence(one.activity, one.verb, one.score, own)
            if isinstance(found, str):
                activity = f"{one.activity[:100]!r}, {one.verb}"
                row.problems.append(refusal(InvalidInput(f"{found}: {activity}", one.column)))
                continue
            what = content.officer, one.activity, content.taken_at, one.verb, one.score
            digest = hashlib.sha256(msgspec.json.encode(what)).hexdigest()
            for (kind, framework), results in found.items():
                key = f"grade:{digest}:{kind}:{framework or ''}"
                about = kind, results, content.taken_at, framework, self.name_of(row)
                submissions.append((Submission(content.officer, key, *about), one.column))
        return [] if row.problems else submissions

    async def _submitted(
        self, wanted: dict[int, list[tuple[Submission, str]]], rows: dict[int, Row[GradedRow]], *, dry_run: bool
    ) -> dict[int, list[Outcome]]:
        """Submit the evidence of rows; return {number of the row: outcomes}. Adds faults to the rows."""
        flat = [(number, one, column) for number, found in wanted.items() for one, column in found]
        submissions = [one for _, one, _ in flat]
        outcomes = await self.patiently(
            lambda: self._intake.submit_many(self._tenant, submissions, self._trace, dry_run=dry_run)
        )
        by_number: dict[int, list[Outcome]] = {number: [] for number in wanted}
        for (number, _, column), outcome in zip(flat, outcomes, strict=True):
            by_number[number].append(outcome)
            rows[number].problems += [
                refusal(type(problem)(problem.detail, "taken_at" if problem.field == "taken_at" else column))
                for problem in outcome.problems
                if not isinstance(problem, Conflict)
            ]
        return by_number


def _graded(row: Row[GradedRow], outcomes: Sequence[Outcome]) -> RowResult:
    officer = row.content.officer if row.content else None
    if row.problems:
        return refused_row(row, officer)
    warnings = list(row.warnings)
    if any(outcome.problems for outcome in outcomes):
        warnings.append(Warned("", "was evidence before under another mapping, and stays as it is"))
    status: RowStatus = "created" if any(outcome.is_new for outcome in outcomes) else "unchanged"
    sequence = max((outcome.sequence for outcome in outcomes), default=None)
    return RowResult(row.number, status, officer, sequence, warnings=warnings)


def _submission(row: ImportedResult, origin: str | None) -> Submission:
    key = row.key or f"row:{hashlib.sha256(msgspec.json.encode(row)).hexdigest()}"
    return Submission(row.officer, key, row.kind, row.measured(), row.taken_at, row.framework, origin)


def _result(row: Row[ImportedResult], content: ImportedResult, outcome: Outcome) -> RowResult:
    if outcome.problems:
        row.problems = [refusal(_in_row(problem, content)) for problem in outcome.problems]
        return refused_row(row, content.officer)
    return RowResult(row.number, "created" if outcome.is_new else "unchanged", content.officer, outcome.sequence)


def _in_row(problem: Problem, content: ImportedResult) -> Problem:
    """Return a problem with its field named as in a row with one skill."""
    if content.results is None and problem.field and problem.field.startswith("results[0]."):
        return type(problem)(problem.detail, problem.field.removeprefix("results[0]."))
    return problem


class OfficerImport(ImportJob[ImportedOfficer, ImportReport]):
    """Imports registrations.

    The first row of an officer counts; a later row that is equal is unchanged, one that differs is rejected.
    """

    def __init__(self, registrar: Registrar, order: ImportRequest[ImportReport]) -> None:
        super().__init__(order, ImportReport)
        self._registrar = registrar
        self._seen: dict[bytes, tuple[int, bytes]] = {}
        """{digest of an id: the number of the officer's first row, which counts, and the digest of its content}."""

    async def store_rows(self, rows: Sequence[Row[ImportedOfficer]]) -> list[RowResult]:
        """Register the officers of rows; return the results of the rows, in order. Raises Unavailable."""
        results: dict[int, RowResult] = {}
        first: list[tuple[Row[ImportedOfficer], ImportedOfficer]] = []
        for row in rows:
            if row.content is None:
                results[row.number] = refused_row(row, None)
                continue
            digest = _digest(row.content)
            stands, held = self._seen.setdefault(_digest(row.content.officer), (row.number, digest))
            if stands == row.number:
                first.append((row, row.content))
            elif held == digest:
                results[row.number] = RowResult(row.number, "unchanged", row.content.officer)
            else:
                problem = Conflict(f"row {stands} is the same officer and is kept; this one differs", "officer")
                row.problems = [refusal(problem)]
                results[row.number] = refused_row(row, row.content.officer)

        async def put(part: Sequence[tuple[Row[ImportedOfficer], ImportedOfficer]]) -> None:
            bodies = [(content.officer, _registration(content), self._origin(row, content)) for row, content in part]
            done = await self.patiently(
                lambda: self._registrar.put_many(self._tenant, bodies, self._trace, dry_run=self.report.dry_run)
            )
            for (row, content), one in zip(part, done, strict=True):
                results[row.number] = _registered(row, content.officer, one)

        await overlapped(put, (first[at : at + _PER_PART] for at in range(0, len(first), _PER_PART)))
        return [results[row.number] for row in rows]

    def _origin(self, row: Row[ImportedOfficer], content: ImportedOfficer) -> str | None:
        """Return the name of a row with its content: another content on the same line is another row."""
        name = self.name_of(row)
        return name and f"{name}/{_digest(content).hex()}"


def _registered(row: Row[ImportedOfficer], officer: str, done: OfficerPut | Problem) -> RowResult:
    if isinstance(done, Problem):
        row.problems = [refusal(done)]
        return refused_row(row, officer)
    status: RowStatus = "unchanged" if not done.changed else "created" if done.profile_sequence == 1 else "changed"
    return RowResult(row.number, status, officer, done.profile_sequence)


def _digest(content: object) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(content), digest_size=8).digest()


def _registration(row: ImportedOfficer) -> PutOfficer:
    return PutOfficer(**{name: getattr(row, name) for name in PutOfficer.__struct_fields__})
