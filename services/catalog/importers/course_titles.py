"""Finds the courses that the prerequisites of a list name by their titles. Pure."""

import msgspec

from services.catalog.importers.facts import NOT_ENFORCED
from services.catalog.importers.words import list_of
from shared.domain import Course, Prerequisite
from shared.imports.rows import Row
from shared.texts import folded, in_both_languages

_MOST = 100_000
"""The titles that are kept, those of the first courses."""


class CourseTitles:
    """The titles of a list of courses so far.

    So what a prerequisite names depends on the list alone, and the same list again changes nothing.
    """

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], str | None] = {}
        """{(folded provider, folded title): the id of the course, None if several courses have them}."""

    def resolve(self, row: Row[Course]) -> None:
        """Require the courses of the same provider above a row that its prerequisites name by title.

        A text that is understood in no other way may be a title or a list of titles, each that of one course.
        """
        course = row.content
        if course is None or row.problems:
            return
        provider = folded(course.provider.en or course.provider.th or "")
        if any(one.field == "requires" and one.detail.startswith(NOT_ENFORCED) for one in row.warnings):
            ids = self._named(provider, course.stated.get("prerequisites", ""))
            if ids and course.id not in ids:
                requires = [Prerequisite(course=one) for one in dict.fromkeys(ids)]
                row.content = msgspec.structs.replace(course, requires=requires)
                row.warnings = [one for one in row.warnings if one.field != "requires"]
        for title in filter(None, (course.title.th, course.title.en)):
            key = provider, folded(title)
            if key in self._ids:
                self._ids[key] = self._ids[key] if self._ids[key] == course.id else None
            elif len(self._ids) < _MOST:
                self._ids[key] = course.id

    def _named(self, provider: str, text: str) -> list[str]:
        """Return the ids of the courses that a text names; empty if it names anything else."""
        for titles in ([text], list_of(text)):
            found = [course for title in titles if (course := self._of(provider, title))]
            if len(found) == len(titles):
                return found
        return []

    def _of(self, provider: str, title: str) -> str | None:
        """Return the id of the only course with a title, None if there is none."""
        if known := self._ids.get((provider, folded(title))):
            return known
        ids = {self._ids.get((provider, folded(one))) for one in in_both_languages(title).values()}
        return ids.pop() if len(ids) == 1 else None
