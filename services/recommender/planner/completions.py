"""The levels of an officer after completed courses.

A completed course counts as having led to the level that it teaches, for the remaining gaps and for later entry
conditions, if it is later than the skill's own measurement and its level is higher. The measurement stays: the
uncertainty of the level is shown (`assess_first`), and only a later assessment lowers the level. A level without a date
was given in a request and counts as later than any completion.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec.structs import replace

from services.recommender.inputs import Inputs, MatchedSpan, SkillTarget
from services.recommender.planner.course_spec import SkillKey, matched_spans
from shared.domain import Course, Teaches

Find = Callable[[str], Course | None]


def posterior_targets(inputs: Inputs, find: Find) -> tuple[dict[str, SkillTarget], dict[SkillKey, float]]:
    """Return skill -> target with the estimate after completions, and the levels that count for entry.

    The key of a level is (framework, skill). `find`: returns a visible course by its id, else None.
    """
    targets = inputs.targets()
    entry_levels = inputs.entry_levels(targets)
    for when, row in _reached(inputs, find):
        if not _is_later(inputs, row.framework, row.skill, when):
            continue
        key = (row.framework, row.skill)
        entry_levels[key] = max(entry_levels.get(key, 0.0), row.to_level)
        if row.framework == inputs.framework.id and (target := targets.get(row.skill)):
            level = max(target.level, min(row.to_level, inputs.framework.max_level))
            targets[row.skill] = replace(target, level=level)
    for skill, when, span in _unconfirmed(inputs, find):
        if (target := targets.get(skill)) and _is_later(inputs, inputs.framework.id, skill, when):
            targets[skill] = replace(target, evidence=(*target.evidence, span))
    return targets, entry_levels


def _unconfirmed(inputs: Inputs, find: Find) -> Iterator[tuple[str, datetime | None, MatchedSpan]]:
    """Yield the unconfirmed rows of completed courses, as they are matched now, with the completion time."""
    for name in sorted(inputs.done):
        course = find(name)
        for (framework, skill), row in matched_spans(course).items() if course else ():
            if framework == inputs.framework.id:
                yield skill, inputs.completed_at.get(name), row


def _reached(inputs: Inputs, find: Find) -> Iterator[tuple[datetime | None, Teaches]]:
    """Yield what completed courses taught, as recorded at that time if known, with the completion time.

    A skill that was unknown for a course then, because its match was confirmed later, counts as it is now.
    """
    for name in sorted(inputs.done):
        course, noted = find(name), inputs.taught.get(name, [])
        known = {(row.framework, row.skill) for row in noted}
        since = [row for row in course.teaches if (row.framework, row.skill) not in known] if course else []
        for row in (*noted, *since):
            yield inputs.completed_at.get(name), row


def _is_later(inputs: Inputs, framework: str, skill: str, when: datetime | None) -> bool:
    """Return whether a completion is newer than the skill's measurement, or the skill was never measured."""
    held = inputs.known(framework, skill)
    return held is None or (when is not None and held.measured_at is not None and when > held.measured_at)
