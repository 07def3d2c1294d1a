"""Matches waiting courses in a thread and stores the proposals.

A framework is in use if the tenant sees it and it is not retired. A course is matched to each framework in use in which
its provider states no skill. It waits for this after it was stored or changed, and after such a framework changed. The
document of the course records that it waits, so nothing is lost when a process ends; if two replicas match the same
course, one result is stored. Tenants take turns, so that none waits for all courses of another tenant. When no course
waits any more, the levels of all proposals for a tenant's courses are estimated together.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from services.catalog.match_store import MatchedCourse, MatchStore
from services.catalog.matcher_cache import KEEP_TIMES, MatcherCache, Matchers, Names
from services.catalog.matches import Match, given_rows, proposed, text_of
from services.catalog.matching import CourseText, LevelRow, Matcher, Proposal
from services.catalog.matching.calibration import Calibration
from services.catalog.matching.level_model import LevelSpan
from services.catalog.shared_copies import SharedCopies, SharedCourse
from shared.errors import Unavailable
from shared.memory import release
from shared.outbox import BACKLOG_WAIT_SECONDS

log = logging.getLogger(__name__)

BATCH = 200
MARKED = 1000
"""The most courses that are marked as due at a time after a framework changed."""
_TURN_SECONDS = 10.0
_COUNT_SECONDS = 10.0
_LOOK_SECONDS = 2.0
_LEVELS_SOON = 1.0
_LEVELS_TIMES = 10
"""If estimating the levels took more than a second, the next estimate begins after this many times as long."""


class MatchingLoop:
    """Matches the courses that wait: `run` does so until it is cancelled, `once` until no course waits."""

    def __init__(self, store: MatchStore, calibration: Calibration) -> None:
        self._store = store
        self._calibration = calibration
        self._matchers = MatcherCache(store, calibration)
        self._last = ""
        self._counted_at = float("-inf")
        self.waiting = 0
        """The number of courses and frameworks that waited when they were last counted."""
        self.matched_courses = 0
        self._levels_after: dict[str, float] = {}
        self._copies = SharedCopies(store)

    async def run(self) -> None:
        """Match the waiting courses, then look again after two seconds, until cancelled.

        If MongoDB is unavailable, this is logged and tried again.
        """
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.warning("matching waits: %s", error.detail)
            await asyncio.sleep(_LOOK_SECONDS)

    async def once(self) -> int:
        """Match courses until none waits, then estimate levels; return the number of matched courses.

        Raises Unavailable.
        """
        count = 0
        await self._count()
        while True:
            spreading = await self._store.spread(MARKED)
            tenant = await self._store.next_due(self._last)
            if tenant is not None:
                self._last = tenant
                count += await self._turn(tenant)
            elif not await self._copy_shared() and not spreading:
                break
        if self.waiting:
            self._counted_at = float("-inf")
            await self._count()
        for tenant in await self._store.without_levels():
            if time.monotonic() >= self._levels_after.get(tenant, 0.0):
                begun = time.monotonic()
                await self._level(tenant)
                taken = time.monotonic() - begun
                self._levels_after[tenant] = begun + (_LEVELS_TIMES * taken if taken > _LEVELS_SOON else 0.0)
        self._matchers.drop_unused()
        if count:
            await asyncio.to_thread(release)
        return count

    async def _turn(self, tenant: str) -> int:
        """Match the waiting courses of a tenant until none waits, or for some seconds; return the number of courses."""
        count, begun = 0, time.monotonic()
        await self._store.catalog.after_import(BACKLOG_WAIT_SECONDS)
        while batch := await self._store.due(tenant, BATCH):
            by = await self._matchers.of(tenant)
            await self._store.propose(await self._together(batch, by))
            await self._store.catalog.after_import(BACKLOG_WAIT_SECONDS)
            count += len(batch)
            self.matched_courses += len(batch)
            await self._count()
            if time.monotonic() - begun > max(_TURN_SECONDS, KEEP_TIMES * by.seconds):
                break
        return count

    async def _copy_shared(self) -> bool:
        """Make the next copies of shared courses; return whether there was anything to do. Raises Unavailable.

        The copies of a course that changes meanwhile are made again.
        """
        if one := await self._copies.next_pass(BATCH):
            if await self._copied(one.tenant, one.courses):
                await self._copies.passed(one)
            return True
        if await self._copies.uncover(BATCH):
            return True
        tenants = await self._copies.tenants()
        courses = await self._copies.due(BATCH if tenants else MARKED)
        if not courses:
            return False
        if all([await self._copied(tenant, courses) for tenant in tenants]):
            await self._copies.done(courses)
        return True

    async def _copied(self, tenant: str, courses: Sequence[SharedCourse]) -> bool:
        """Make a tenant's copies of shared courses; return whether none of them changed meanwhile."""
        await self._store.catalog.after_import(BACKLOG_WAIT_SECONDS)
        by = await self._matchers.of(tenant)
        if (planned := await self._copies.planned(tenant, courses, by.own)) is None:
            return False
        matched = await self._together([one.copy for one in planned], by, by.own)
        return await self._copies.write([(one, rows) for one, (_, rows) in zip(planned, matched, strict=True)])

    async def _together(
        self, courses: Sequence[MatchedCourse], by: Matchers, only: AbstractSet[str] | None = None
    ) -> list[tuple[MatchedCourse, list[Match]]]:
        """Return (course, new matches), computed in a thread: for all courses together, or if that fails for each."""
        try:
            return await asyncio.to_thread(self.matched, courses, by, only)
        except Exception:
            log.exception("a batch of courses cannot be matched together")
            return [await self._alone(one, by, only) for one in courses]

    async def _count(self) -> None:
        """Count what waits, if the last count is ten seconds old or was 0. Raises Unavailable."""
        if not self.waiting or time.monotonic() - self._counted_at > _COUNT_SECONDS:
            self.waiting = await self._store.waiting()
            self._counted_at = time.monotonic()

    async def _level(self, tenant: str) -> None:
        """Estimate the levels of all proposals for a tenant's courses together. Raises Unavailable."""
        by = await self._matchers.of(tenant)
        levels = ProposalLevels(tenant, by.matchers, by.names)
        async for courses in self._store.with_skills(tenant, BATCH):
            await asyncio.to_thread(levels.add, courses)
        await asyncio.to_thread(levels.estimate)
        async for courses in self._store.with_skills(tenant, BATCH):
            matched = [(one, levels.of(one)) for one in courses if one.entry.tenant == tenant]
            changed = [(one, rows) for one, rows in matched if rows != one.matches]
            if await self._store.propose(changed, leveled=True) < len(changed):
                # Another replica may have written levels of an earlier state, after which none would be estimated.
                await self._store.level_again(one for one, _ in changed)
            await self._store.leveled(one for one, rows in matched if rows == one.matches and one.levels_due)

    async def _alone(
        self, course: MatchedCourse, by: Matchers, only: AbstractSet[str] | None
    ) -> tuple[MatchedCourse, list[Match]]:
        """Return a course with its new matches; with its stored ones if it cannot be matched."""
        try:
            (matched,) = await asyncio.to_thread(self.matched, [course], by, only)
        except Exception:
            log.exception("course %s cannot be matched", course.entry.key)
            return course, course.matches
        return matched

    def matched(
        self, courses: Sequence[MatchedCourse], by: Matchers, only: AbstractSet[str] | None = None
    ) -> list[tuple[MatchedCourse, list[Match]]]:
        """Return (course, its new matches) for each course, computed by the matchers `by`.

        `only` limits the computed matches to these frameworks.
        """
        given = [given_rows(one.course, one.matches) for one in courses]
        found: list[dict[str, list[Proposal]]] = [{} for _ in courses]
        for framework, matcher in by.matchers.items():
            if only is not None and framework not in only:
                continue
            lacking = [place for place, rows in enumerate(given) if all(row.framework != framework for row in rows)]
            texts = [CourseText.of(courses[place].course, framework, by.names) for place in lacking]
            for place, text, proposals in zip(lacking, texts, matcher.match(texts), strict=True):
                mapped = [one for row in given[place] for one in by.mappings.of(row, framework)]
                found[place][framework] = matcher.with_mapped(text, proposals, mapped)
            for place, course in enumerate(one.course for one in courses):
                rows = [row for row in course.teaches if row.framework == framework]
                if mapped := [one for row in rows for one in by.mappings.of(row, framework)]:
                    text = CourseText.of(course, framework, by.names)
                    found[place][framework] = matcher.with_mapped(text, found[place].get(framework, []), mapped)
        enters = self._calibration.enters
        matched: list[tuple[MatchedCourse, list[Match]]] = []
        for one, by_framework, taught in zip(courses, found, given, strict=True):
            fresh = proposed(one.matches, by_framework, text_of(one.course), taught, enters)
            matched.append((one, [*fresh, *_of_retired(one.matches, by)]))
        return matched


class ProposalLevels:
    """Estimates the levels of all proposals for a tenant's courses together: `add` courses, `estimate`, then `of`.

    The levels that providers or people have stated are used too.
    """

    def __init__(self, tenant: str, matchers: Mapping[str, Matcher], names: Names) -> None:
        self._tenant = tenant
        self._names = names
        self._tables = {framework: matcher.level_table() for framework, matcher in matchers.items()}
        self._rows: dict[str, list[tuple[str, str] | None]] = {framework: [] for framework in matchers}
        self._seen = set[str]()
        self._spans: dict[tuple[str, str, str], LevelSpan] = {}

    def add(self, courses: Iterable[MatchedCourse]) -> None:
        """Add courses, those of the tenant before shared ones. A course with a repeated id is left out."""
        for one in courses:
            if one.course.id in self._seen:
                continue
            self._seen.add(one.course.id)
            own = one.entry.tenant == self._tenant
            for framework, table in self._tables.items():
                rows = {
                    row.skill: LevelRow(row.skill, 1.0, (row.from_level, row.to_level))
                    for row in one.course.teaches
                    if row.framework == framework and table.has(row.skill)
                }
                for match in one.matches if own else ():
                    if match.status == "proposed" and match.framework == framework and table.has(match.skill):
                        known = (match.from_level, match.to_level) if match.source == "mapped" else None
                        rows.setdefault(match.skill, LevelRow(match.skill, match.confidence, known))
                if rows:
                    table.add(CourseText.of(one.course, framework, self._names), list(rows.values()))
                    self._rows[framework] += [
                        (one.course.id, row.skill) if own and row.settled is None else None for row in rows.values()
                    ]

    def estimate(self) -> None:
        """Estimate the levels of the proposals for all added courses."""
        for framework, table in self._tables.items():
            for row, span in zip(self._rows[framework], table.spans(), strict=True):
                if row is not None:
                    self._spans[framework, *row] = span

    def of(self, course: MatchedCourse) -> list[Match]:
        """Return the matches of a course of the tenant: proposals with the estimated levels, others unchanged."""
        found = [(match, self._spans.get((match.framework, course.course.id, match.skill))) for match in course.matches]
        return [match.with_levels(*span) if span and match.status == "proposed" else match for match, span in found]


def _of_retired(matches: Sequence[Match], by: Matchers) -> list[Match]:
    """Return the proposals in retired frameworks: they stay, because officers under these frameworks continue."""
    return [match for match in matches if match.status == "proposed" and match.framework in by.retired]
