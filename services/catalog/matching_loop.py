"""Matches the courses that wait for it, beside the event loop, and stores what is proposed.

A course waits when it came without skills, when it changed, and when a framework that its tenant sees changed. What is
waiting is marked in its document, so nothing is lost when a process ends; of two replicas that match the same course
one is stored. Each of the frameworks that the tenant sees is matched, unless the course teaches something in it by its
provider's word.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from services.catalog.match_store import MatchedCourse, MatchStore
from services.catalog.matches import Match, given_rows, proposed, text_of
from services.catalog.matching import CourseText, Example, Matcher, Proposal
from services.catalog.matching.calibration import Calibration
from services.catalog.matching.texts import languages
from shared.errors import Unavailable
from shared.skills import Course, Framework

log = logging.getLogger(__name__)

BATCH = 200
_LOOK_SECONDS = 2.0
_KEEP_SECONDS = 60.0
_KEPT = 8
"""Tenants whose matchers are kept in memory."""


class MatchingLoop:
    """Matches what waits; `run` for ever, `once` until nothing waits."""

    def __init__(self, store: MatchStore, calibration: Calibration) -> None:
        self._store = store
        self._calibration = calibration
        self._matchers: dict[str, tuple[float, dict[str, Matcher], dict[tuple[str, str], str]]] = {}

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
        if await self._store.spread():
            self._matchers.clear()
        while batch := await self._store.due(BATCH):
            count += len(batch)
            by_tenant = defaultdict[str, list[MatchedCourse]](list)
            for one in batch:
                by_tenant[one.entry.tenant].append(one)
            for tenant, courses in by_tenant.items():
                matchers, names = await self._of(tenant)
                try:
                    matched = await asyncio.to_thread(self.matched, courses, matchers, names)
                except Exception:
                    log.exception("a batch of courses cannot be matched together")
                    matched = [await self._alone(one, matchers, names) for one in courses]
                await self._store.propose(matched)
        return count

    async def _alone(
        self, course: MatchedCourse, matchers: Mapping[str, Matcher], names: Mapping[tuple[str, str], str]
    ) -> tuple[MatchedCourse, list[Match]]:
        """Return a course with its matches; with those that it has where it cannot be matched."""
        try:
            (matched,) = await asyncio.to_thread(self.matched, [course], matchers, names)
        except Exception:
            log.exception("course %s cannot be matched", course.entry.key)
            return course, course.matches
        return matched

    def matched(
        self, courses: Sequence[MatchedCourse], matchers: Mapping[str, Matcher], names: Mapping[tuple[str, str], str]
    ) -> list[tuple[MatchedCourse, list[Match]]]:
        """Return courses with the matches that they have from now on."""
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
            matched.append((one, proposed(one.matches, open_ones, text, given)))
        return matched

    async def _of(self, tenant: str) -> tuple[dict[str, Matcher], dict[tuple[str, str], str]]:
        """Return a matcher for each framework that a tenant sees, and what their skills are called."""
        made, matchers, names = self._matchers.get(tenant, (0.0, {}, {}))
        if not made or time.monotonic() - made > _KEEP_SECONDS:
            frameworks = await self._store.frameworks(tenant)
            names = {
                (one.id, skill.id): languages(skill.title)[0] for one in frameworks.values() for skill in one.skills
            }
            matchers = {}
            for one in frameworks.values():
                known = await self._store.examples(tenant, one.id)
                matchers[one.id] = await asyncio.to_thread(_matcher, one, known, self._calibration)
            self._matchers.pop(tenant, None)
            self._matchers[tenant] = time.monotonic(), matchers, names
            while len(self._matchers) > _KEPT:
                self._matchers.pop(next(iter(self._matchers)))
        return matchers, names


def _matcher(framework: Framework, known: Sequence[Course], calibration: Calibration) -> Matcher:
    return Matcher(framework, Example.of_courses(known, framework.id), calibration)
