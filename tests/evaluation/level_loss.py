"""`python -m tests.evaluation.matching --loss`: which error of the matches costs the starter catalog's paths how much.

One estimate at a time is replaced by the truth; the officers and the measure are those of `matched_paths`.
"""

from collections.abc import Callable, Iterator

from msgspec.structs import replace as changed

from services.catalog.matches import LEAST_DOUBT
from shared.domain import MatchedRow, Teaches
from tests.evaluation import matched_paths
from tests.evaluation.matched_paths import MatchedPaths
from tests.evaluation.worlds import officers_of

Correction = Callable[[MatchedRow, Teaches | None], MatchedRow | None]
"""From a matched row, and what the course truly teaches of the skill, to the row that is planned with, if any."""


def causes() -> Iterator[MatchedPaths]:
    """Yield what paths close as matched, and with each correction."""
    courses, framework, matched = matched_paths.starter_rematched(tagged=True)
    officer = officers_of(framework, len(courses))
    for name, correct in _CORRECTIONS.items():
        again = []
        for course, found in zip(courses, matched, strict=True):
            true = {row.skill: row for row in course.teaches if row.framework == framework.id}
            rows = [correct(row, true.get(row.skill)) for row in found.matched]
            again.append(changed(found, matched=[row for row in rows if row is not None]))
        yield matched_paths.compared(name, courses, again, officer)


def _levels(wrong: Callable[[MatchedRow, Teaches], bool]) -> Correction:
    """Return the correction of both levels, of the rows that are wrong in this way."""

    def correct(row: MatchedRow, true: Teaches | None) -> MatchedRow:
        if true is None or not wrong(row, true):
            return row
        return changed(row, from_level=true.from_level, to_level=true.to_level)

    return correct


def _certain(row: MatchedRow, true: Teaches | None) -> MatchedRow:
    return row if true is None else changed(row, confidence=1 - LEAST_DOUBT)


def _right(row: MatchedRow, true: Teaches | None) -> MatchedRow | None:
    return row if true else None


_CORRECTIONS: dict[str, Correction] = {
    "as matched": lambda row, _: row,
    "levels of rows with a right entry": _levels(lambda row, true: row.from_level == true.from_level),
    "levels of rows with too high an entry": _levels(lambda row, true: row.from_level > true.from_level),
    "levels of rows with too low an entry": _levels(lambda row, true: row.from_level < true.from_level),
    "all levels": _levels(lambda *_: True),
    "confidence of right skills is 1": _certain,
    "no wrong skills": _right,
}
