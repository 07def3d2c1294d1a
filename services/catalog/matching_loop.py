"""Matches waiting courses in a thread and stores the proposals.

A course waits if it was stored without skills of a framework that its tenant sees, after it changed, and after such a
framework changed. Its document records that, so nothing is lost when a process ends; if two replicas match the same
course, one result is stored. Each framework that the tenant sees is matched, unless the provider states a skill in it.
When no course waits any more, the levels of all proposals for a tenant's courses are estimated together, with those of
the other courses.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from services.catalog.match_store import MatchedCourse, MatchStore
from services.catalog.matches import Match, given_rows, proposed, text_of
from services.catalog.matching import CourseText, Example, LevelRow, Matcher, Proposal
from services.catalog.matching.calibration import Calibration
from services.catalog.matching.texts import languages
from shared.domain import Course, Framework
from shared.errors import Unavailable

log = logging.getLogger(__name__)

BATCH = 200
_LOOK_SECONDS = 2.0
_KEEP_SECONDS = 60.0
_KEEP_TIMES = 10
"""Matchers are kept for a minute, or for so many times as long as it took to make them."""
_LEVELS_SOON = 1.0
_LEVELS_TIMES = 10
"""Levels that took longer than a second to estimate are estimated again after so many times as long."""
_KEPT = 8
"""Tenants whose matchers are kept in memory."""
_KEPT_SKILLS = 20_000
"""How many skills the matchers of all kept tenants may have together: those of ESCO take 320 MB."""


class MatchingLoop:
    """Matches waiting courses: `run` until cancelled, `once` until none waits."""

    def __init__(self, store: MatchStore, calibration: Calibration) -> None:
        self._store = store
        self._calibration = calibration
        self._kept: dict[str, _Matchers] = {}
        self._levels_after: dict[str, float] = {}

    async def run(self) -> None:
        """Look for waiting courses every few seconds, and match them."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.warning("matching waits: %s", error.detail)
            await asyncio.sleep(_LOOK_SECONDS)

    async def once(self) -> int:
        """Match every course that waits; return how many. Raises Unavailable."""
        count = 0
        await self._store.spread()
        while batch := await self._store.due(BATCH):
            count += len(batch)
            by_tenant = defaultdict[str, list[MatchedCourse]](list)
            for one in batch:
                by_tenant[one.entry.tenant].append(one)
            for tenant, courses in by_tenant.items():
                by = await self._of(tenant)
                try:
                    matched = await asyncio.to_thread(self.matched, courses, by.matchers, by.names)
                except Exception:
                    log.exception("a batch of courses cannot be matched together")
                    matched = [await self._alone(one, by) for one in courses]
                await self._store.propose(matched)
        for tenant in await self._store.without_levels():
            if time.monotonic() >= self._levels_after.get(tenant, 0.0):
                begun = time.monotonic()
                await self._level(tenant)
                taken = time.monotonic() - begun
                self._levels_after[tenant] = begun + (_LEVELS_TIMES * taken if taken > _LEVELS_SOON else 0.0)
        return count

    async def _level(self, tenant: str) -> None:
        """Estimate the levels of all proposals for a tenant's courses together. Raises Unavailable."""
        by = await self._of(tenant)
        levels = ProposalLevels(tenant, by.matchers, by.names)
        async for courses in self._store.with_skills(tenant, BATCH):
            await asyncio.to_thread(levels.add, courses)
        await asyncio.to_thread(levels.estimate)
        async for courses in self._store.with_skills(tenant, BATCH):
            matched = [(one, levels.of(one)) for one in courses if one.entry.tenant == tenant]
            await self._store.propose([(one, rows) for one, rows in matched if rows != one.matches], leveled=True)
            await self._store.leveled(one for one, rows in matched if rows == one.matches and one.levels_due)

    async def _alone(self, course: MatchedCourse, by: "_Matchers") -> tuple[MatchedCourse, list[Match]]:
        """Return a course with its new matches; with its stored ones if it cannot be matched."""
        try:
            (matched,) = await asyncio.to_thread(self.matched, [course], by.matchers, by.names)
        except Exception:
            log.exception("course %s cannot be matched", course.entry.key)
            return course, course.matches
        return matched

    def matched(
        self, courses: Sequence[MatchedCourse], matchers: Mapping[str, Matcher], names: Mapping[tuple[str, str], str]
    ) -> list[tuple[MatchedCourse, list[Match]]]:
        """Return courses with their new matches."""
        found: list[dict[str, list[Proposal]]] = [{} for _ in courses]
        for framework, matcher in matchers.items():
            texts = [CourseText.of(one.course, framework, names) for one in courses]
            for place, proposals in enumerate(matcher.match(texts)):
                if proposals:
                    found[place][framework] = proposals
        matched = []
        for one, by_framework in zip(courses, found, strict=True):
            given = given_rows(one.course, one.matches)
            taught = {row.framework for row in given}
            open_ones = {framework: rows for framework, rows in by_framework.items() if framework not in taught}
            text = text_of(CourseText.of(one.course, "", names))
            matched.append((one, proposed(one.matches, open_ones, text, given, self._calibration.enters)))
        return matched

    async def _of(self, tenant: str) -> "_Matchers":
        """Return the matchers for a tenant's courses, cached for a while if the frameworks stay the same."""
        versions = await self._store.versions(tenant)
        kept = self._kept.pop(tenant, None)
        if kept is None or kept.versions != versions or time.monotonic() > kept.until:
            begun = time.monotonic()
            frameworks = await self._store.frameworks(tenant)
            matchers: dict[str, Matcher] = {}
            for framework in frameworks.values():
                known = await self._store.examples(tenant, framework.id)
                try:
                    matchers[framework.id] = await asyncio.to_thread(_matcher, framework, known, self._calibration)
                except Exception:
                    log.exception("no course can be matched to framework %s of %s", framework.id, tenant)
            made = time.monotonic()
            until = made + max(_KEEP_SECONDS, _KEEP_TIMES * (made - begun))
            kept = _Matchers(versions, until, matchers, _names(frameworks.values()))
        self._kept[tenant] = kept
        while len(self._kept) > 1 and (
            len(self._kept) > _KEPT or sum(len(one.names) for one in self._kept.values()) > _KEPT_SKILLS
        ):
            self._kept.pop(next(iter(self._kept)))
        return kept


class ProposalLevels:
    """The levels of the proposals for a tenant's courses, estimated together with all that its courses teach."""

    def __init__(self, tenant: str, matchers: Mapping[str, Matcher], names: Mapping[tuple[str, str], str]) -> None:
        self._tenant = tenant
        self._names = names
        self._tables = {framework: matcher.level_table() for framework, matcher in matchers.items()}
        self._rows: dict[str, list[tuple[str, str] | None]] = {framework: [] for framework in matchers}
        self._seen = set[str]()
        self._spans: dict[tuple[str, str, str], tuple[float, float]] = {}

    def add(self, courses: Iterable[MatchedCourse]) -> None:
        """Add courses; those of the tenant come before shared ones, which they hide."""
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
                        rows.setdefault(match.skill, LevelRow(match.skill, match.confidence))
                if rows:
                    table.add(CourseText.of(one.course, framework, self._names), list(rows.values()))
                    self._rows[framework] += [
                        (one.course.id, row.skill) if own and row.settled is None else None for row in rows.values()
                    ]

    def estimate(self) -> None:
        """Estimate the levels of all added courses."""
        for framework, table in self._tables.items():
            for row, span in zip(self._rows[framework], table.spans(), strict=True):
                if row is not None:
                    self._spans[framework, *row] = span

    def of(self, course: MatchedCourse) -> list[Match]:
        """Return the matches of a course of the tenant with their levels; others stay as they are."""
        found = [(match, self._spans.get((match.framework, course.course.id, match.skill))) for match in course.matches]
        return [
            replace(match, from_level=span[0], to_level=span[1]) if span and match.status == "proposed" else match
            for match, span in found
        ]


@dataclass(frozen=True)
class _Matchers:
    """A matcher for each framework that a tenant sees, by id, the names of skills, and when the cache expires."""

    versions: dict[str, int]
    until: float
    matchers: dict[str, Matcher]
    names: dict[tuple[str, str], str]


def _names(frameworks: Iterable[Framework]) -> dict[tuple[str, str], str]:
    return {(one.id, skill.id): languages(skill.title)[0] for one in frameworks for skill in one.skills}


def _matcher(framework: Framework, known: Sequence[Course], calibration: Calibration) -> Matcher:
    return Matcher(framework, Example.of_courses(known, framework.id), calibration)
