"""The levels of a tenant's proposals, estimated together."""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from services.catalog.entries import Entry
from services.catalog.match_store import MatchedCourse
from services.catalog.matches import Match
from services.catalog.matching import Matcher
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import ProposalLevels
from shared.domain import Course, Framework

SEED = Path(__file__).parents[2] / "deploy" / "seed"
NATIONAL = msgspec.json.decode((SEED / "frameworks" / "th-digital-2018.json").read_bytes(), type=Framework)


def starter() -> list[MatchedCourse]:
    """Return the starter catalog with its skills as proposals whose levels are not estimated yet."""
    decoder = msgspec.json.Decoder(Course)
    courses = map(decoder.decode, (SEED / "courses.ndjson").read_bytes().splitlines())
    return [
        MatchedCourse(
            Entry(f"agency/{one.id}", "agency", one.id, 1, one),
            replace(one, teaches=[]),
            [Match(row.framework, row.skill, 0.0, 1.0, 0.8) for row in one.teaches if row.framework == NATIONAL.id],
        )
        for one in courses
    ]


def estimated(courses: list[MatchedCourse]) -> list[MatchedCourse]:
    """Return courses with the levels that are estimated together."""
    levels = ProposalLevels("agency", {NATIONAL.id: Matcher(NATIONAL, [], shipped())}, {})
    levels.add(courses)
    levels.estimate()
    return [MatchedCourse(one.entry, one.course, levels.of(one)) for one in courses]


def test_a_new_course_changes_the_matches_of_few_others() -> None:
    """Each changed match is announced, and the paths that hold its course are computed again."""
    first, *others = starter()
    stored = estimated(others)
    assert len({match.entry_confidence for one in stored for match in one.matches}) > 100
    again = estimated([*stored, first])
    changed = [new for old, new in zip(stored, again, strict=False) if old.matches != new.matches]
    assert len(changed) <= 10
    assert estimated(again) == again
