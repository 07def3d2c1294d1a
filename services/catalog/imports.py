"""One import: a verdict on every row, and a report on the whole file at the end.

The first row of a course is taken; a later equal row is unchanged, and a different one is refused, so two imports of
one file give the same result. Each course is one write with its event, so an import may stop after any row.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec import UNSET

from services.catalog.importers.rows import Row
from services.catalog.model import (
    FrameworkScale,
    ImportReport,
    ListCourses,
    RowProblem,
    RowResult,
    UnknownCourse,
    course_faults,
    framework_warnings,
    frameworks_named,
    matched_warnings,
)
from services.catalog.reports import ReportStore
from services.catalog.store import CatalogStore, Stored
from shared.domain import SHARED_TENANT, Course, Prerequisite, courses_named, key_of
from shared.errors import Problem, TooLarge, Unavailable, Warned
from shared.texts import folded

T = TypeVar("T")

MOST_COURSES = 500_000
"""Courses of one import: of each its id is kept in memory, so that one that comes twice is known."""

PATIENCE_SECONDS = 180.0
"""How long an import waits for a database that is away."""

_TOLD = 1000
_TOLD_OF_A_ROW = 50
_ATTEMPTS = 20
_ROWS_OF_A_PART = 200
_SAVED_EVERY = timedelta(seconds=1)


class CourseImport:
    """Imports the rows of one file for one tenant."""

    def __init__(  # noqa: PLR0913 - an import is begun once, by name
        self,
        store: CatalogStore,
        reports: ReportStore,
        tenant: str,
        trace: str,
        form: str,
        *,
        dry_run: bool = False,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._store, self._reports = store, reports
        self._tenant, self._trace = tenant, trace
        self._patience = patience
        now = datetime.now(UTC)
        self.report = ImportReport(secrets.token_hex(16), "running", form, now, now, dry_run=dry_run)
        self.begun = False
        self._saved_at = now
        self._seen: dict[int, int] = {}
        """The hash of an id -> the row that stands, and the hash of its content."""
        self._named: dict[str, list[str]] = {}
        self._count_named: dict[str, int] = {}
        self._conditions: dict[str, list[Prerequisite]] = {}
        self._providers: set[str] = set()
        self._unknown_rows = False

    def describe(self, encoding: str | None, mapping: dict[str, list[str]], unused: list[str]) -> None:
        """Record how the file was read."""
        self._change(encoding=encoding, mapping=mapping, unused_columns=unused[:_TOLD])

    async def begin(self) -> None:
        """Store that the import has begun. Raises Unavailable."""
        self.begun = True
        await self._save()

    async def take(self, rows: Sequence[Row]) -> list[RowResult]:
        """Return the verdicts on rows, in order. Raises TooLarge above the maximum number of courses, Unavailable."""
        framework_scales = await self._patiently(
            lambda: self._store.framework_scales(
                self._tenant, {name for row in rows if row.course for name in frameworks_named(row.course)}
            )
        )
        accepted: dict[str, Row] = {}
        twins: list[Row] = []
        results: dict[int, RowResult] = {}
        for row in rows:
            if row.course is None or not self._is_right(row, framework_scales):
                results[row.number] = _refused(row)
                self._unknown_rows = self._unknown_rows or not self._held_by_id(row)
                continue
            key = _hash(row.course.id)
            if key in self._seen:
                twins.append(row)
                continue
            if len(self._seen) >= MOST_COURSES:
                raise TooLarge(f"an import may hold {MOST_COURSES} courses; divide the file")
            self._seen[key] = row.number << 32 | _content(row.course)
            accepted[f"{self.report.import_id}/{row.number}"] = row
            self._note(row.course)
        for mark, done in (await self._stored(accepted)).items():
            row = accepted[mark]
            results[row.number] = _accepted(row, done)
        for row in twins:
            results[row.number] = await self._twin(row)
        ordered = [results[row.number] for row in rows]
        await self._told(ordered)
        return ordered

    def _is_right(self, row: Row, framework_scales: Mapping[str, FrameworkScale]) -> bool:
        if row.course is None:
            return False
        found = course_faults(row.course, framework_scales)
        row.problems += [RowProblem(one.status, one.detail, one.field) for one in found]
        row.warnings += [*matched_warnings(row.course), *framework_warnings(row.course, framework_scales)]
        return not found

    def _held_by_id(self, row: Row) -> bool:
        """Return whether a refused row names its course; the course then counts as contained in the file."""
        if row.course is not None:
            self._seen.setdefault(_hash(row.course.id), row.number << 32)
        return row.course is not None

    def _note(self, course: Course) -> None:
        self._providers.add(_provider(course))
        named = set(courses_named(course.requires))
        for name in named:
            if name in self._count_named or len(self._count_named) < MOST_COURSES:
                self._count_named[name] = self._count_named.get(name, 0) + 1
                if len(first := self._named.setdefault(name, [])) < 5:  # noqa: PLR2004 - enough to find them
                    first.append(course.id)
        if named:
            self._conditions[course.id] = course.requires

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _stored(self, rows: Mapping[str, Row]) -> dict[str, Stored]:
        courses = {mark: row.course for mark, row in rows.items() if row.course}
        if self.report.dry_run:
            return await self._patiently(lambda: self._compared(courses))
        done: dict[str, Stored] = {}
        for attempt in range(_ATTEMPTS):
            left = {mark: course for mark, course in courses.items() if mark not in done}
            if not left:
                return done
            await asyncio.sleep(0.005 * attempt)
            done |= await self._patiently(lambda: self._store.put_courses(self._tenant, left, self._trace))  # noqa: B023
        raise Unavailable("too many changes at once to these courses; try again soon")

    async def _compared(self, courses: Mapping[str, Course]) -> dict[str, Stored]:
        found: dict[str, Stored] = {}
        for mark, course in courses.items():
            entry = await self._store.find(key_of(self._tenant, course.id))
            if entry is None or entry.content is None:
                found[mark] = Stored("created", entry.sequence + 1 if entry else 1)
            elif entry.content == entry.keeping(course):
                found[mark] = Stored("unchanged", entry.sequence)
            else:
                found[mark] = Stored("changed", entry.sequence + 1)
        return found

    async def _twin(self, row: Row) -> RowResult:
        course = row.course
        if course is None:
            raise TypeError("a twin is a course")
        first, content = divmod(self._seen[_hash(course.id)], 1 << 32)
        if content == _content(course):
            told = Warned("id", f"row {first} is the same course")
            return RowResult(row.number, "unchanged", course.id, warnings=[told])
        entry = await self._patiently(lambda: self._store.find(key_of(self._tenant, course.id)))
        differing = ""
        if entry and isinstance(entry.content, Course) and not self.report.dry_run:
            here = entry.keeping(course)
            names = [name for name in course.__struct_fields__ if getattr(here, name) != getattr(entry.content, name)]
            differing = f" in {', '.join(names)}" if names else ""
        told_problem = RowProblem(409, f"row {first} is the same course and stands; this one differs{differing}", "id")
        return RowResult(row.number, "refused", course.id, problems=[told_problem])

    async def _told(self, results: Sequence[RowResult]) -> None:
        counts = dict.fromkeys(("created", "changed", "unchanged", "refused"), 0)
        for one in results:
            counts[one.status] += 1
        self._change(**{status: getattr(self.report, status) + count for status, count in counts.items()})
        if self.report.dry_run:
            return
        parts = [results[at : at + _ROWS_OF_A_PART] for at in range(0, len(results), _ROWS_OF_A_PART)]
        await asyncio.gather(*map(self._keep, parts))
        if self.report.updated_at - self._saved_at > _SAVED_EVERY:
            await self._save()

    async def _keep(self, part: Sequence[RowResult]) -> None:
        await self._patiently(lambda: self._reports.add(self.report.import_id, part))

    # --- the end -----------------------------------------------------------------------------------------------------

    async def finish(self, *, full: bool, withdraw: bool) -> ImportReport:
        """Check the file as a whole and store the report. Raises Unavailable."""
        names = [name for name in self._count_named if _hash(name) not in self._seen]
        unknown: list[str] = []
        for at in range(0, len(names), 1000):
            part = names[at : at + 1000]
            offered = await self._patiently(lambda: self._store.offered(SHARED_TENANT, part))  # noqa: B023
            offered |= await self._patiently(lambda: self._store.offered(self._tenant, part))  # noqa: B023
            unknown += [name for name in part if name not in offered]
        told = [UnknownCourse(name, self._count_named[name], self._named[name]) for name in sorted(unknown)[:_TOLD]]
        self._change(unknown=len(unknown), unknown_courses=told, cycles=list(cycles_of(self._conditions))[:_TOLD])
        if full or withdraw:
            await self._missing(withdraw=withdraw)
        self._change(state="finished")
        await self._save()
        return self.report

    async def stop(self, problem: Problem) -> ImportReport:
        """Store that the import ended before the end of its file."""
        refusal = RowProblem(problem.status, problem.detail, problem.field)
        self._change(state="stopped", problem=refusal)
        await self._save()
        return self.report

    async def _missing(self, *, withdraw: bool) -> None:
        """List the courses of the file's providers that are not in the file; withdraw them if the request says so.

        Nothing is withdrawn if a refused row does not name its course: it may be one of the missing.
        """
        after, absent, withdrawn = "", 0, 0
        first: list[str] = []
        while page := await self._patiently(
            lambda: self._store.page(self._tenant, ListCourses(after=after, limit=500))  # noqa: B023
        ):
            for identifier, course in page[:500]:
                after = identifier
                if _hash(identifier) in self._seen or _provider(course) not in self._providers:
                    continue
                absent += 1
                if len(first) < _TOLD:
                    first.append(identifier)
                if withdraw and not self._unknown_rows and not self.report.dry_run:
                    withdrawn += await self._patiently(lambda: self._withdraw(identifier))  # noqa: B023
            if len(page) <= 500:  # noqa: PLR2004 - the page asked for
                break
        problem = None
        if withdraw and self._unknown_rows and absent:
            problem = RowProblem(
                409, "nothing is withdrawn: a refused row may be one of the missing courses", "withdraw"
            )
        self._change(absent=absent, missing=first, withdrawn=withdrawn, problem=problem)

    async def _withdraw(self, identifier: str) -> bool:
        entry = await self._store.find(key_of(self._tenant, identifier))
        if entry is None or entry.content is None:
            return False
        return await self._store.withdraw_course(entry, self._trace) is not None

    # --- keeping -----------------------------------------------------------------------------------------------------

    def _change(self, **fields: object) -> None:
        self.report = msgspec.structs.replace(self.report, updated_at=datetime.now(UTC), **fields)

    async def _save(self) -> None:
        if not self.report.dry_run:
            await self._patiently(lambda: self._reports.save(self._tenant, self.report))
            self._saved_at = self.report.updated_at

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of work, retried while MongoDB is unavailable. Raises Unavailable after a time limit."""
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


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _content(course: Course) -> int:
    return int.from_bytes(hashlib.blake2b(msgspec.msgpack.encode(course), digest_size=4).digest(), "big")


def _provider(course: Course) -> str:
    return folded(course.provider.en or course.provider.th or "")


def _refused(row: Row) -> RowResult:
    problems = row.problems[:_TOLD_OF_A_ROW]
    if len(row.problems) > _TOLD_OF_A_ROW:
        problems.append(RowProblem(422, f"and {len(row.problems) - _TOLD_OF_A_ROW} more"))
    identifier = row.course.id if row.course else None
    return RowResult(
        row.number, "refused", identifier, begins=row.begins, warnings=row.warnings[:_TOLD_OF_A_ROW], problems=problems
    )


def _accepted(row: Row, done: Stored) -> RowResult:
    identifier = row.course.id if row.course else None
    return RowResult(row.number, done.status, identifier, done.revision, warnings=row.warnings[:_TOLD_OF_A_ROW])


# --- cycles ----------------------------------------------------------------------------------------------------------


def cycles_of(conditions: Mapping[str, list[Prerequisite]]) -> Iterator[list[str]]:
    """Yield the cycles of courses that nobody can enter: each requires the next, and the last requires the first.

    `conditions`: {course: its prerequisite}, for courses that require another course. A course that can be entered
    without the cycle is not reported.
    """
    blocked = set(conditions)
    needed_by: dict[str, list[str]] = {}
    for name, required in conditions.items():
        for other in set(courses_named(required)):
            needed_by.setdefault(other, []).append(name)
    waiting = list(conditions)
    while waiting:
        name = waiting.pop()
        if name in blocked and all(_holds(condition, blocked) for condition in conditions[name]):
            blocked.discard(name)
            waiting += needed_by.get(name, [])
    left = set(blocked)
    while left:
        name = min(left)
        walk: dict[str, int] = {}
        while name in left and name not in walk:
            walk[name] = len(walk)
            name = min(_blocking(conditions[name], blocked))
        if name in walk:
            circle = list(walk)[walk[name] :]
            start = circle.index(min(circle))
            yield circle[start:] + circle[:start]
        left -= set(walk)


def _holds(condition: Prerequisite, blocked: set[str]) -> bool:
    if condition.course is not UNSET:
        return condition.course not in blocked
    if condition.any is not UNSET:
        return any(_holds(one, blocked) for one in condition.any)
    if condition.all is not UNSET:
        return all(_holds(one, blocked) for one in condition.all)
    return True


def _blocking(conditions: Iterable[Prerequisite], blocked: set[str]) -> set[str]:
    """Return the courses of the conditions that do not hold."""
    found: set[str] = set()
    for condition in conditions:
        if not _holds(condition, blocked):
            found |= set(courses_named([condition])) & blocked
    return found
