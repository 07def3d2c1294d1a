"""Imports a file of courses: a result for every row, and a report on the whole file at the end.

The first row of a course counts; a later equal row is unchanged, and a different one is rejected. So importing a file
twice gives the same result. Each course is stored with its event in one write, so an import may stop after any row.
"""

import asyncio
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from services.catalog.importers.course_titles import leave_unknown
from services.catalog.model import (
    CourseImportReport,
    FrameworkScale,
    ListCourses,
    UnknownCourse,
    course_faults,
    framework_warnings,
    frameworks_named,
    matched_warnings,
)
from services.catalog.store import CatalogStore, Stored
from shared.domain import SHARED_TENANT, Course, Prerequisite, courses_named, key_of
from shared.errors import TooLarge, Warned
from shared.imports.job import ImportJob, ImportRequest, refused_row
from shared.imports.rows import Row, RowProblem, RowResult, masked
from shared.retries import retry_on_conflict
from shared.texts import folded

T = TypeVar("T")

MOST_COURSES = 500_000
"""The most courses of one import; their ids are kept in memory to detect repeated courses."""

_MOST_LISTED = 1000
_TOLD_OF_A_ROW = 50


class CourseImport(ImportJob[Course, CourseImportReport]):
    """Imports the rows of one file for one tenant.

    `full`: whether to report the tenant's courses whose provider the file states and that are not in the file.
    `withdraw`: whether to withdraw these courses, too.
    """

    batches_at_once = 2  # while one is written, the next one is checked and compared with what is stored

    def __init__(
        self,
        store: CatalogStore,
        request: ImportRequest[CourseImportReport],
        *,
        full: bool = False,
        withdraw: bool = False,
    ) -> None:
        super().__init__(request, CourseImportReport)
        self._store = store
        self._full, self._withdraws = full, withdraw
        self._seen: dict[int, int] = {}
        """{hash of an id: number of the first row with it << 32 | hash of its content}."""
        self._named: dict[str, list[str]] = {}
        self._count_named: dict[str, int] = {}
        self._conditions: dict[str, list[Prerequisite]] = {}
        self._providers: set[str] = set()
        self._without_provider = False
        """Whether the file does not state the provider of a course."""
        self._unknown_rows = False
        self._checking = asyncio.Lock()
        """Held while rows are checked, so that the first row of a course is that of the file."""
        self._written = asyncio.Event()
        """Set when the rows that were checked last are stored."""
        self._written.set()

    async def store_rows(self, rows: Sequence[Row[Course]]) -> list[RowResult]:
        """Store the courses of rows; return the results, in the order of the rows.

        Raises Unavailable; TooLarge if the file has more than `MOST_COURSES` courses.
        """
        accepted: dict[str, Row[Course]] = {}
        twins: list[Row[Course]] = []
        results: dict[int, RowResult] = {}
        async with self._checking:
            scales = await self._framework_scales(rows)
            await self._leave_unknown(rows)
            for row in rows:
                if row.content is not None and row.problems:  # not offered: as if the file did not hold it
                    results[row.number] = _refused(row)
                    continue
                if row.content is None or not self._is_right(row, scales):
                    results[row.number] = _refused(row)
                    self._unknown_rows = self._unknown_rows or (row.is_entry and not self._held_by_id(row))
                    continue
                key = _hash(row.content.id)
                if key in self._seen:
                    twins.append(row)
                    continue
                if len(self._seen) >= MOST_COURSES:
                    raise TooLarge(f"an import may hold {MOST_COURSES} courses; divide the file")
                self._seen[key] = row.number << 32 | _content(row.content)
                accepted[f"{self.run}/{row.number}"] = row
                self._note(row.content)
            earlier, self._written = self._written, asyncio.Event()
            written = self._written
        try:
            for mark, done in (await self._stored(accepted)).items():
                row = accepted[mark]
                results[row.number] = _accepted(row, done)
        finally:
            written.set()
        for row in twins:
            await earlier.wait()  # the first row may be one of those
            results[row.number] = await self._twin(row)
        return [_titled(results[row.number], row) for row in rows]

    async def _framework_scales(self, rows: Sequence[Row[Course]]) -> dict[str, FrameworkScale]:
        named = {name for row in rows if row.content for name in frameworks_named(row.content)}
        return await self.patiently(lambda: self._store.framework_scales(self._tenant, named))

    async def _leave_unknown(self, rows: Sequence[Row[Course]]) -> None:
        """Keep prerequisites as text that name what is no course of the file or the catalog, and is rarely one."""
        doubtful = {name for row in rows for name in row.doubtful}
        inside = {row.content.id for row in rows if row.content}
        known = {name for name in doubtful if name in inside or _hash(name) in self._seen}
        for tenant in (SHARED_TENANT, self._tenant) if doubtful - known else ():
            known |= await self.patiently(lambda: self._store.offered(tenant, doubtful))  # noqa: B023 - awaited in the same turn
        for row in rows:
            leave_unknown(row, known)

    def _is_right(self, row: Row[Course], framework_scales: Mapping[str, FrameworkScale]) -> bool:
        if row.content is None:
            return False
        found = course_faults(row.content, framework_scales)
        row.problems += [RowProblem(one.status, one.detail, one.field) for one in found]
        row.warnings += [*matched_warnings(row.content), *framework_warnings(row.content, framework_scales)]
        return not found

    def _held_by_id(self, row: Row[Course]) -> bool:
        """Return whether a rejected row has the id of its course; if so, note that the file contains the course."""
        if row.content is not None:
            self._seen.setdefault(_hash(row.content.id), row.number << 32)
        return row.content is not None

    def _note(self, course: Course) -> None:
        if provider := _provider(course):
            self._providers.add(provider)
        else:
            self._without_provider = True
        named = set(courses_named(course.requires))
        for name in named:
            if name in self._count_named or len(self._count_named) < MOST_COURSES:
                self._count_named[name] = self._count_named.get(name, 0) + 1
                if len(first := self._named.setdefault(name, [])) < 5:  # noqa: PLR2004 - enough to find them
                    first.append(course.id)
        if named:
            self._conditions[course.id] = course.requires

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _stored(self, rows: Mapping[str, Row[Course]]) -> dict[str, Stored]:
        courses = {mark: row.content for mark, row in rows.items() if row.content}
        if self.report.dry_run:
            return await self.patiently(lambda: self._compared(courses))
        done: dict[str, Stored] = {}

        async def put_rest() -> bool | None:
            left = {mark: course for mark, course in courses.items() if mark not in done}
            done.update(await self.patiently(lambda: self._store.put_courses(self._tenant, left, self._trace)))
            return done.keys() >= courses.keys() or None

        await retry_on_conflict(put_rest, "these courses")
        return done

    async def _compared(self, courses: Mapping[str, Course]) -> dict[str, Stored]:
        keys = {mark: key_of(self._tenant, course.id) for mark, course in courses.items()}
        entries = await self._store.course_entries(list(keys.values()))
        found: dict[str, Stored] = {}
        for mark, course in courses.items():
            entry = entries.get(keys[mark])
            if entry is None or not (entry.is_own() or entry.unreadable):
                found[mark] = Stored("created", entry.sequence + 1 if entry else 1)
            elif entry.is_own(entry.with_confirmed(course)):
                found[mark] = Stored("unchanged", entry.sequence)
            else:
                found[mark] = Stored("changed", entry.sequence + 1)
        return found

    async def _twin(self, row: Row[Course]) -> RowResult:
        course = row.content
        if course is None:
            raise TypeError("a twin is a course")
        first, content = divmod(self._seen[_hash(course.id)], 1 << 32)
        if content == _content(course):
            warning = Warned("id", f"row {first} is the same course")
            return RowResult(row.number, "unchanged", course.id, warnings=[warning])
        entry = await self.patiently(lambda: self._store.find(key_of(self._tenant, course.id)))
        names: list[str] = []
        if entry and isinstance(entry.content, Course) and not self.report.dry_run:
            names = differing(entry.content, entry.with_confirmed(course))
        return RowResult(row.number, "refused", course.id, problems=[same_course(first, names)])

    # --- the end -----------------------------------------------------------------------------------------------------

    async def end(self) -> None:
        """Add to the report what only the whole file shows: unknown courses, cycles, and missing courses.

        If the request says so, the missing courses are withdrawn. Raises Unavailable.
        """
        names = [name for name in self._count_named if _hash(name) not in self._seen]
        unknown: list[str] = []
        for at in range(0, len(names), 1000):
            part = names[at : at + 1000]
            offered = await self.patiently(lambda: self._store.offered(SHARED_TENANT, part))  # noqa: B023 - awaited in the same turn
            offered |= await self.patiently(lambda: self._store.offered(self._tenant, part))  # noqa: B023 - awaited in the same turn
            unknown += [name for name in part if name not in offered]
        listed = [
            UnknownCourse(name, self._count_named[name], self._named[name]) for name in sorted(unknown)[:_MOST_LISTED]
        ]
        self.change(
            unknown=len(unknown), unknown_courses=listed, cycles=list(cycles_of(self._conditions))[:_MOST_LISTED]
        )
        if self._full or self._withdraws:
            await self._missing(withdraw=self._withdraws)

    async def _missing(self, *, withdraw: bool) -> None:
        """List the courses of the file's providers that are not in the file; withdraw them if the request says so.

        Nothing is withdrawn if a rejected row has no id, because it may be one of the missing courses. Two lists that
        state no provider have nothing in common, so courses without a stated provider are never missing.
        """
        after, absent, withdrawn = "", 0, 0
        first: list[str] = []
        while page := await self.patiently(
            lambda: self._store.page(self._tenant, ListCourses(after=after, limit=500), copies=False)  # noqa: B023 - awaited in the same turn
        ):
            for identifier, course in page[:500]:
                after = identifier
                if _hash(identifier) in self._seen or _provider(course) not in self._providers:
                    continue
                absent += 1
                if len(first) < _MOST_LISTED:
                    first.append(identifier)
                if withdraw and not self._unknown_rows and not self.report.dry_run:
                    withdrawn += await self.patiently(lambda: self._withdraw(identifier, course))  # noqa: B023 - awaited in the same turn
            if len(page) <= 500:  # noqa: PLR2004 - the page asked for
                break
        problem = None
        if self._without_provider:
            detail = "courses whose provider is not stated are never missing; state it, such as default=provider=Name"
            problem = RowProblem(422, detail, "provider")
        if withdraw and self._unknown_rows and absent:
            problem = RowProblem(
                409, "nothing is withdrawn: a refused row may be one of the missing courses", "withdraw"
            )
        self.change(absent=absent, missing=first, withdrawn=withdrawn, problem=problem)

    async def _withdraw(self, identifier: str, listed: Course) -> bool:
        """Withdraw a course unless somebody has changed it since it was listed; return whether it is withdrawn."""
        entry = await self._store.find(key_of(self._tenant, identifier))
        if entry is None or not entry.is_own(entry.with_confirmed(listed)):
            return False
        return await self._store.withdraw_course(entry, self._trace) is not None


def differing(one: Course | None, other: Course | None) -> list[str]:
    """Return the names of the fields in which two courses differ."""
    return [name for name in Course.__struct_fields__ if getattr(one, name, None) != getattr(other, name, None)]


def same_course(first: int, fields: Sequence[str]) -> RowProblem:
    """Return the problem of a row that has the same course as an earlier row, with different content.

    `first`: the number of the earlier row. `fields`: the names of the fields that differ.
    """
    where = f" in {', '.join(fields)}" if fields else ""
    return RowProblem(409, f"row {first} is the same course and was taken; this one differs{where}", "id")


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _content(course: Course) -> int:
    return zlib.crc32(msgspec.msgpack.encode(course))


def _provider(course: Course) -> str:
    """Return the provider of a course, empty if its list does not state it."""
    if "provider" in course.assumed:
        return ""
    return folded(course.provider.en or course.provider.th or "")


def _refused(row: Row[Course]) -> RowResult:
    return refused_row(row, row.content.id if row.content else None)


def _titled(result: RowResult, row: Row[Course]) -> RowResult:
    """Return a result; if it has a warning or a problem, with the title of the course, so that people find the row."""
    if row.content is None or not (result.warnings or result.problems):
        return result
    return msgspec.structs.replace(result, title=masked(row.content.title))


def _accepted(row: Row[Course], done: Stored) -> RowResult:
    identifier = row.content.id if row.content else None
    return RowResult(row.number, done.status, identifier, done.revision, warnings=row.warnings[:_TOLD_OF_A_ROW])


# --- cycles ----------------------------------------------------------------------------------------------------------


def cycles_of(conditions: Mapping[str, list[Prerequisite]]) -> Iterator[list[str]]:
    """Yield lists of courses that nobody can enter, because each requires the next one, and the last one the first.

    `conditions`: {course id: its prerequisites}, for courses that require another course. A course that can be entered
    in another way is not reported.
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
    return condition.holds(lambda course: course not in blocked, lambda *_: True)


def _blocking(conditions: Iterable[Prerequisite], blocked: set[str]) -> set[str]:
    """Return the courses of the conditions that do not hold."""
    found: set[str] = set()
    for condition in conditions:
        if not _holds(condition, blocked):
            found |= set(courses_named([condition])) & blocked
    return found
