"""What completed courses say of an officer's levels.

A completion keeps the promise of the path: the officer counts as having reached the level that the course teaches to,
for the gaps that are left and for the next entry alike, where it is later than the skill's own measurement and speaks
for a higher level. What was measured stays as it is: the doubt about the level is shown (`ledger.assess_first`), and
only an assessment, which is later again, takes the level back.

A level without a date was given by a request, as of that request: it is later than any completion.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec.structs import replace

from services.recommender.model import Inputs, Want
from services.recommender.ranking.offers import SkillKey
from shared.skills import Course, Teaches

Find = Callable[[str], Course | None]


def believed(inputs: Inputs, find: Find) -> tuple[dict[str, Want], dict[SkillKey, float]]:
    """Return what is believed per required skill, and the levels that entries are tested against."""
    wants, doors = inputs.wants(), inputs.standing()
    for when, row in _reached(inputs, find):
        if not _is_later(inputs, row, when):
            continue
        key = (row.framework, row.skill)
        doors[key] = max(doors.get(key, 0.0), row.to_level)
        if row.framework == inputs.framework.id and (want := wants.get(row.skill)):
            level = max(want.level, min(row.to_level, inputs.framework.max_level))
            wants[row.skill] = replace(want, level=level)
    return wants, doors


def _reached(inputs: Inputs, find: Find) -> Iterator[tuple[datetime | None, Teaches]]:
    """Yield what completed courses taught, as it was then where that is known, and when."""
    for name in sorted(inputs.done):
        course = find(name)
        for row in inputs.taught.get(name) or (course.teaches if course else ()):
            yield inputs.completed_at.get(name), row


def _is_later(inputs: Inputs, row: Teaches, when: datetime | None) -> bool:
    """Return whether a completion is news: the skill was never measured, or is known to have been measured before."""
    held = inputs.known(row.framework, row.skill)
    return held is None or (when is not None and held.measured_at is not None and when > held.measured_at)
