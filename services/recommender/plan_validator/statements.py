"""Validates the statements of a path: what stays open and why, and every number in every sentence.

Also validated: why a skill is to be assessed, and why a requested course is missing. Courses that are stated to close a
gap are simulated in order from the end of the path, and their hours are summed. That no shorter sequence exists is
proved by tests against exhaustive searches, not here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import UNSET

from services.recommender.inputs import MICRO
from services.recommender.plan_validator.officer_state import Find, OfficerState, percent_of
from shared.domain import Course, Framework, LocalizedText, single_conditions
from shared.messages import (
    NAMED_SUCCESSIONS,
    assess_messages,
    note_messages,
    open_messages,
    path_messages,
    step_messages,
)
from shared.paths import AssessFirst, Gap, LearningPath, Message, Note, OpenGap, Step

SLACK = 5e-7
"""Tolerance in hours: half a millionth, because hours are kept in millionths and a course may take a single one."""


def false_statements(
    path: LearningPath, frameworks: Mapping[str, Framework], end: OfficerState, find: Find
) -> Iterator[str]:
    """Yield one sentence for each statement of a path that is not true.

    `frameworks`: by id, that of the path and those that the officer's tenant sees. `end`: the state at the end of the
    path.
    """
    known = {gap.skill for gap in path.gaps}
    named = {row.skill for step in path.steps for row in step.closes} | {one.skill for one in path.assess_first}
    if not (named | {row.skill for row in path.open}) <= known:
        yield "names skills that are not among the gaps"
        return
    for row in path.open:
        faults = [
            *_closing_courses(path, path.framework, row, end, find),
            *_nearest(row, end, find),
            *_unconfirmed(path, row, end, find),
            *_open_messages(path, row),
        ]
        for fault in faults:
            yield f"the open skill {row.skill}: {fault}"
    courses = {step.course.id: find(step.course.id) for step in path.steps}
    titles = {gap.title for gap in path.gaps} | {step.course.title for step in path.steps}
    titles |= {one.title for step in path.steps for one in step.unlock_conditions.values() if one.title}
    for step, messages in step_messages(path):
        faults = [
            *_wrong_contents(messages, _facts_of_step(step, courses), titles),
            *_conditions(step, courses, path.framework, frameworks),
        ]
        for fault in faults:
            yield f"step {step.position} ({step.course.id}): {fault}"
    for fault in _wrong_contents(list(path_messages(path)), _facts_of_path(path), _titles_of_path(path)):
        yield f"the reason of the path: {fault}"
    yield from _missing_hours(path)
    yield from _advice_and_notes(path, end, find)


def _advice_and_notes(path: LearningPath, end: OfficerState, find: Find) -> Iterator[str]:
    """Yield false statements about assessments and requested courses."""
    gaps = {gap.skill: gap for gap in path.gaps}
    for one in path.assess_first:
        for fault in _to_assess(one, gaps[one.skill], end):
            yield f"{one.skill} is to be assessed: {fault}"
    for note in path.notes:
        for fault in _note(note, path.budget_hours, end, find):
            yield f"the note on {note.course}: {fault}"


def _left(path: LearningPath) -> float | None:
    return None if path.budget_hours is None else max(path.budget_hours - path.hours, 0.0)


def _closing_courses(path: LearningPath, framework: str, row: OpenGap, end: OfficerState, find: Find) -> Iterator[str]:
    """Simulate the courses that are stated to close a gap."""
    unnamed = row.cause == "budget" and not row.courses and row.hours is None
    if unnamed or row.cause not in ("budget", "little", "kept"):
        if row.courses or row.hours is not None:
            yield f"{row.cause}, yet courses are named that close it"
        return
    now, hours, reached, left = end.entry_state(), 0.0, 0.0, _left(path)
    for name in row.courses:
        course = find(name)
        if course is None or name in now.done or end.is_excluded(course) or not now.enters(course):
            yield f"{name} cannot be taken"
            return
        now.take(course)
        hours += course.hours
        reached = max(
            [reached, *(r.to_level for r in course.teaches if (r.framework, r.skill) == (framework, row.skill))]
        )
    if reached <= row.reached and row.confidence is None:
        yield f"leads to level {reached:g}, which is no higher"
    too_long = left is not None and hours > left + SLACK
    if too_long != (row.hours is not None) or (too_long and row.cause != "budget"):
        yield f"takes {hours:g} hours of {left}, not as stated"
    if row.hours is not None and left is not None:
        missing = row.missing_hours or 0.0
        if abs(row.hours - hours) > SLACK or abs(missing - (hours - left)) > SLACK:
            yield f"takes {hours:g} hours, {hours - left:g} too many, not {row.hours:g} and {missing:g}"


def _missing_hours(path: LearningPath) -> Iterator[str]:
    """Check that the hours missing for all gaps are no fewer than those missing for one skill."""
    exact = [row for row in path.open if row.confidence is None and not row.at_most]
    least = max((row.missing_hours or 0.0 for row in exact), default=0.0)
    if path.short_hours is not None and least > path.short_hours + SLACK:
        yield f"short by {path.short_hours or 0:g} hours, but {least:g} are missing for one skill alone"
    if path.short_hours is not None and (path.budget_hours is None or path.short_hours <= 0 or not path.open):
        yield "missing hours are stated, and none are missing"
    if path.short_at_most and path.short_hours is None:
        yield "at most so many hours are missing, but not how many"


def _nearest(row: OpenGap, end: OfficerState, find: Find) -> Iterator[str]:
    """Check the course that is stated to come next: it is among those courses, or excluded if so stated."""
    if row.nearest is None:
        if row.cause not in ("no_course", "too_small"):
            yield "names no course that would raise it"
        return
    course = find(row.nearest.id)
    if course is None or course.title != row.nearest.title:
        yield f"{row.nearest.id} is not as the catalog has it"
        return
    if row.confidence is None and not any(
        taught.skill == row.skill and taught.to_level > row.reached for taught in course.teaches
    ):
        yield f"{row.nearest.id} does not raise it"
    if row.courses and row.nearest.id not in row.courses:
        yield f"{row.nearest.id} is not among the courses that are stated to close it"
    if (row.cause == "excluded") != (row.exclusion is not None) or (row.cause == "excluded") != end.is_excluded(course):
        yield f"the stated exclusion of {row.nearest.id} is not true"


def _unconfirmed(path: LearningPath, row: OpenGap, end: OfficerState, find: Find) -> Iterator[str]:
    """Check the statement about a course that may raise the skill by its description."""
    may_raise = any(one.to_level > row.reached for one in end.unconfirmed.get(row.skill, ()))
    if (row.cause == "unconfirmed") != may_raise and row.cause != "too_small":
        yield "it is not as stated whether a course of the path may raise it"
    course = find(row.nearest.id) if row.nearest else None
    if row.confidence is None or course is None:
        if row.level is not None or (row.confidence is None) != (row.cause != "unconfirmed" or row.nearest is None):
            yield "names a level or a confidence of nothing"
        return
    matched = end.matches(course).get(row.skill)
    if matched is None or (matched.to_level, matched.confidence) != (row.level, row.confidence):
        yield f"{course.id} is not matched to it as stated"
    elif (course.id in {step.course.id for step in path.steps}) != (row.cause == "unconfirmed"):
        yield f"it is not as stated whether {course.id} is in the path"
    elif row.cause != "unconfirmed" and end.matched_gain(matched) <= 0:
        yield f"{course.id} adds nothing to it"


def _open_messages(path: LearningPath, row: OpenGap) -> Iterator[str]:
    facts = [row.reached, row.required, row.required - row.reached]
    if row.hours is not None and row.missing_hours is not None:
        facts += [row.hours, row.hours - row.missing_hours, row.missing_hours]
    if row.level is not None and row.confidence is not None:
        facts += [row.level, percent_of(row.confidence)]
    titles = {row.title, row.nearest.title} if row.nearest else {row.title}
    yield from _wrong_contents(list(open_messages(path, row)), facts, titles)


def _to_assess(one: AssessFirst, gap: Gap, end: OfficerState) -> Iterator[str]:
    """Check why a skill is to be assessed, given the estimate of its level before the path."""
    want = end.targets[one.skill]
    facts = [gap.level, gap.sd, gap.required]
    if one.kind == "first":
        if want.level >= want.required:
            yield "nothing is missing"
    elif one.kind == "confirm":
        facts += [] if one.measured is None else [one.measured]
        if want.level <= want.measured or one.measured != (want.measured if want.assessed else None):
            yield "no completed course raised it, or not from there"
    else:
        level, confidence = one.level or 0.0, one.confidence or 0.0
        facts += [level, percent_of(confidence)]
        rows = [(row.to_level, row.confidence) for row in end.completed[one.skill]]
        if (level, confidence) not in rows or level <= want.level:
            yield "no completed course is matched to it as stated, or it leads no higher"
    yield from _wrong_contents(list(assess_messages(one, gap)), facts, {gap.title})


def _note(note: Note, budget: float | None, end: OfficerState, find: Find) -> Iterator[str]:
    """Check why a requested course is missing."""
    course = find(note.course)
    gone, title = note.kind in ("withdrawn", "unknown"), course.title if course else None
    if (course is None) != gone or note.title != title:
        yield "is not as the catalog has it"
    elif course and (note.kind == "excluded") != end.is_excluded(course):
        yield "its stated exclusion is not true"
    elif course and note.kind == "unreachable" and end.enters(course):
        yield "it can be entered after the path"
    elif note.missing_hours is not None and (note.missing_hours <= 0 or budget is None):
        yield "missing hours are stated, and none are missing"
    facts = [] if note.missing_hours is None else [note.missing_hours]
    yield from _wrong_contents(list(note_messages(note)), facts, set())


def _conditions(
    step: Step, courses: Mapping[str, Course | None], own_framework: str, frameworks: Mapping[str, Framework]
) -> Iterator[str]:
    """Check why later courses are stated to need this step: it satisfies one of their conditions itself."""
    own = courses.get(step.course.id)
    for name, stated in step.unlock_conditions.items():
        course = courses.get(name)
        if own is None or course is None:
            continue
        single = list(single_conditions(course.requires))
        needs = stated.skill is None and any(one.course == own.id for one in single)
        if stated.skill is not None:
            key = stated.framework or own_framework, stated.skill
            taught = [row.to_level for row in own.teaches if (row.framework, row.skill) == key]
            levels = [one.level for one in single if (one.framework, one.skill) == key]
            levels += [row.from_level for row in course.teaches if (row.framework, row.skill) == key]
            needs = max(taught, default=-1) >= (stated.level or 0.0) and stated.level in levels
            skills = frameworks[key[0]].skills_by_id if key[0] in frameworks else {}
            if stated.title != (skills[key[1]].title if key[1] in skills else None):
                yield f"{name} is stated to need {key[1]} by another title"
        if not needs or name not in step.unlocks:
            yield f"{name} is stated to need it for what it does not give or does not need"


def _facts_of_step(step: Step, courses: Mapping[str, Course | None]) -> list[float]:
    facts = [step.course.hours, float(len(step.unlocks) - 2)]
    for row in step.closes:
        facts += [row.from_level, row.to_level, row.required]
        facts += [] if row.confidence is None else [percent_of(row.confidence)]
    for course in filter(None, (courses.get(name) for name in step.unlocks)):
        facts += [one.level for one in single_conditions(course.requires) if one.level is not UNSET]
        facts += [row.from_level for row in course.teaches]
    return facts


def _facts_of_path(path: LearningPath) -> list[float]:
    coverage, gap = path.coverage, path.coverage.gap
    shares = [100 * part // gap if gap else 100 for part in (coverage.gained, coverage.expected or 0)]
    small = sum(row.cause == "too_small" for row in path.open)
    hours = [path.hours, path.over_budget_hours or 0.0, path.short_hours or 0.0]
    matched = sum(any(row.confidence is not None for row in step.closes) for step in path.steps)
    unnamed = sum(one.kind == "skill" for one in path.successions) - NAMED_SUCCESSIONS
    return [len(path.steps), matched, *hours, *shares, len(path.open) - small, small, unnamed]


def _titles_of_path(path: LearningPath) -> set[LocalizedText]:
    """Return the titles of former skills and groups and of their successors."""
    present = {successor.title for one in path.successions for successor in one.successors}
    return present | {one.title for one in path.successions if one.title}


def _is_about(value: float, known: AbstractSet[int]) -> bool:
    """Return whether a number is known, to the millionth or one beside it."""
    millionths = round(value * MICRO)
    return millionths in known or millionths - 1 in known or millionths + 1 in known


def _wrong_contents(
    messages: Iterable[Message], facts: Iterable[float], titles: Collection[LocalizedText]
) -> Iterator[str]:
    """Yield false contents of messages: a number, or a title that the path does not name.

    Numbers are compared in whole millionths with a tolerance of one: a difference of two of them is rounded once where
    it is shown and once here.
    """
    known = {round(fact * MICRO) for fact in facts}
    for message in messages:
        for name, value in message.values.items():
            if isinstance(value, LocalizedText):
                if value not in titles:
                    yield f"{message.code} names {value} as {name}, which is not here"
            elif not isinstance(value, bool | str) and not _is_about(value, known):
                yield f"{message.code} says {value:g} as {name}, which does not follow"
