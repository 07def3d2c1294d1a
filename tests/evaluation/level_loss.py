"""`python -m tests.evaluation.matching --loss`: which error of the matches costs the starter catalog's paths how much.

One estimate at a time is replaced by the truth; the officers and the measure are those of `matched_paths`.
"""

from collections.abc import Callable, Iterator

from msgspec.structs import replace as changed

from services.catalog.matches import LEAST_DOUBT
from services.catalog.matching import CourseText, LevelRow, LevelTable
from services.catalog.matching.level_model import LevelSpan, shipped
from shared.domain import Course, Framework, MatchedRow
from tests.evaluation import matched_paths
from tests.evaluation.matched_paths import MatchedPaths
from tests.evaluation.worlds import officers_of

Correction = Callable[[MatchedRow, LevelSpan | None], MatchedRow | None]
"""From a matched row, and the true levels and entry of the course in the skill, to the row that is planned with, if
any."""


def causes() -> Iterator[MatchedPaths]:
    """Yield what paths close as matched, and with each correction."""
    courses, framework, matched = matched_paths.starter_rematched(tagged=True)
    officer, true = officers_of(framework, len(courses)), _true_spans(courses, framework)
    for name, correct in _CORRECTIONS.items():
        again = []
        for course, found in zip(courses, matched, strict=True):
            rows = [correct(row, true.get((course.id, row.skill))) for row in found.matched]
            again.append(changed(found, matched=[row for row in rows if row is not None]))
        yield matched_paths.compared(name, courses, again, officer)


def _true_spans(courses: list[Course], framework: Framework) -> dict[tuple[str, str], LevelSpan]:
    """Return {(course, skill): the given levels, and the level from which the course can be taken}."""
    table, keys = LevelTable(framework.skills, framework.scale, shipped()), list[tuple[str, str]]()
    for course in courses:
        given = [row for row in course.teaches if row.framework == framework.id]
        rows = [LevelRow(row.skill, 1.0, (row.from_level, row.to_level)) for row in given]
        table.add(CourseText.of(course, framework.id, {}), rows)
        keys += [(course.id, row.skill) for row in given]
    return dict(zip(keys, table.spans(), strict=True))


def _levels(wrong: Callable[[MatchedRow, LevelSpan], bool]) -> Correction:
    """Return the correction of both levels, of the rows that are wrong in this way."""

    def correct(row: MatchedRow, true: LevelSpan | None) -> MatchedRow:
        if true is None or not wrong(row, true):
            return row
        return changed(row, from_level=true.entry, to_level=true.high)

    return correct


def _certain(row: MatchedRow, true: LevelSpan | None) -> MatchedRow:
    return row if true is None else changed(row, confidence=1 - LEAST_DOUBT)


def _right(row: MatchedRow, true: LevelSpan | None) -> MatchedRow | None:
    return row if true else None


_CORRECTIONS: dict[str, Correction] = {
    "as matched": lambda row, _: row,
    "levels of rows with a right entry": _levels(lambda row, true: row.from_level == true.entry),
    "levels of rows with too high an entry": _levels(lambda row, true: row.from_level > true.entry),
    "levels of rows with too low an entry": _levels(lambda row, true: row.from_level < true.entry),
    "all levels": _levels(lambda *_: True),
    "confidence of right skills is 1": _certain,
    "no wrong skills": _right,
}
