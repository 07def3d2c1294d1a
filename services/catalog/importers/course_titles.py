"""Finds the courses that the prerequisites of a list name by their titles or by doubtful names. Pure.

What a prerequisite names depends on the list, and for doubtful names on the catalog, so the same list again changes
nothing.
"""

from collections.abc import Collection, Iterator

import msgspec

from services.catalog.importers.facts import NOT_ENFORCED
from services.catalog.importers.words import list_of
from shared.domain import Course, Prerequisite
from shared.errors import Warned
from shared.imports.rows import Row
from shared.texts import folded, in_both_languages

_MOST = 100_000
"""The titles that are kept, those of the first courses."""
_MOST_WAITING = 2000
"""The rows that wait for the end of a list; further ones are resolved by what is above them."""


class CourseTitles:
    """The titles of a list of courses so far, and the rows that may name a course below them."""

    def __init__(self) -> None:
        self._waiting: dict[str, Row[Course]] = {}
        """{id of a course: its row}."""
        self._ids: dict[tuple[str, str], str | None] = {}
        """{(folded provider, folded title): the id of the course, None if several courses have them}."""

    def take(self, row: Row[Course]) -> Iterator[Row[Course]]:
        """Note the titles of a row, and yield the rows that need not wait for the end of the list.

        The first row of a course counts, so it is yielded before another one of the same course.
        """
        course = row.content
        if course is None or row.problems:
            yield row
            return
        if first := self._waiting.pop(course.id, None):
            self._resolve(first)
            yield first
        provider = _provider(course)
        for title in filter(None, (course.title.th, course.title.en)):
            key = provider, folded(title)
            if key in self._ids:
                self._ids[key] = self._ids[key] if self._ids[key] == course.id else None
            elif len(self._ids) < _MOST:
                self._ids[key] = course.id
        if (row.doubtful or _is_text(row)) and len(self._waiting) < _MOST_WAITING:
            self._waiting[course.id] = row
            return
        self._resolve(row)
        yield row

    def end(self) -> Iterator[Row[Course]]:
        """Yield the rows that have waited for the end of the list, in its order."""
        for row in self._waiting.values():
            self._resolve(row)
            yield row
        self._waiting = {}

    def _resolve(self, row: Row[Course]) -> None:
        """Require the courses of the same provider that the prerequisites of a row name by title.

        A text that is understood in no other way may be a title or a list of titles, each that of one course.
        """
        course = row.content
        if course is None or not _is_text(row):
            return
        ids = self._named(_provider(course), course.stated.get("prerequisites", ""))
        if ids and course.id not in ids:
            requires = [Prerequisite(course=one) for one in dict.fromkeys(ids)]
            row.content = msgspec.structs.replace(course, requires=requires)
            row.warnings = [one for one in row.warnings if one.field != "requires"]

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


def leave_unknown(row: Row[Course], known: Collection[str]) -> None:
    """Keep the prerequisites of a row as text if a doubtful name in them is none of the `known` ids of courses."""
    unknown = [name for name in row.doubtful if name not in known]
    if row.content is None or not unknown:
        return
    row.content = msgspec.structs.replace(row.content, requires=[])
    text = row.content.stated.get("prerequisites", "")
    others = [one for one in row.warnings if one.field != "requires"]
    row.warnings = [*others, Warned("requires", f"kept as text and not enforced: {text[:100]!r}")]


def _is_text(row: Row[Course]) -> bool:
    """Return whether the prerequisites of a row are not understood."""
    return any(one.field == "requires" and one.detail.startswith(NOT_ENFORCED) for one in row.warnings)


def _provider(course: Course) -> str:
    return folded(course.provider.en or course.provider.th or "")
