"""What completed courses say of an officer's levels.

A completion is a noisy measurement: the level it teaches to, give or take half a level. It is weighed with what was
believed before, by precision, only where it is later than the skill's own measurement and speaks for a higher level.
A course that was done counts in full where the next one asks for the level that it teaches.

    mean = (m / s^2 + t / e^2) / (1 / s^2 + 1 / e^2),  sd = 1 / sqrt(1 / s^2 + 1 / e^2),  e = 0.5
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from math import sqrt

from msgspec.structs import replace

from services.recommender.model import Inputs, Want
from services.recommender.ranking.offers import SkillKey
from shared.skills import Course

COMPLETION_SD = 0.5
"""Levels."""

Find = Callable[[str], Course | None]


def believed(inputs: Inputs, find: Find) -> tuple[dict[str, Want], dict[SkillKey, float]]:
    """Return what is believed per required skill, and the levels that entries are tested against."""
    wants, doors = inputs.wants(), inputs.standing()
    for when, course in _completions(inputs, find):
        for row in course.teaches:
            key = (row.framework, row.skill)
            if not _is_later(inputs, key, when):
                continue
            if row.framework == inputs.framework.id and (want := wants.get(row.skill)):
                wants[row.skill] = weighed(want, row.to_level)
            doors[key] = max(doors.get(key, 0.0), row.to_level)
    for skill, want in wants.items():
        key = (inputs.framework.id, skill)
        doors[key] = max(doors[key], want.level)
    return wants, doors


def _completions(inputs: Inputs, find: Find) -> Iterator[tuple[datetime | None, Course]]:
    dated = sorted(inputs.completed_at.items(), key=lambda item: (item[1], item[0]))
    undated = sorted(set(inputs.completed) - set(inputs.completed_at))
    for course_id, when in [*((name, None) for name in undated), *dated]:
        if course := find(course_id):
            yield when, course


def _is_later(inputs: Inputs, key: SkillKey, when: datetime | None) -> bool:
    """Return whether a completion is news: the skill was never measured, or is known to have been measured before."""
    framework, skill = key
    if framework != inputs.framework.id:
        return skill not in inputs.elsewhere.get(framework, {})
    held = inputs.levels.get(skill)
    return held is None or (when is not None and held.measured_at is not None and when > held.measured_at)


def weighed(want: Want, reached: float) -> Want:
    """Return the belief after one completion."""
    if reached <= want.level or want.sd == 0:
        return want
    before, news = 1 / want.sd**2, 1 / COMPLETION_SD**2
    level = (want.level * before + reached * news) / (before + news)
    return replace(want, level=round(level, 2), sd=round(1 / sqrt(before + news), 3))
