"""The checker's reading of what a path says: what stays open and why, and every number in every sentence.

A way that is said to lead on is walked from the end of the path, and its hours are added up. That nothing shorter leads
there is proved by tests against exhaustive searches, not here.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, Self

from msgspec import UNSET

from shared.paths import LearningPath, OpenGap, Reason, Step
from shared.skills import Course, Prerequisite, Text

SLACK = 5e-7
"""Hours: half a millionth, for hours are kept in millionths and a course may take one."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MARK = re.compile(r"[«»“”]")
_QUOTED = re.compile(r"«[^»]*»|“[^”]*”")
"""A title, but for those that have such a mark in them."""

Find = Callable[[str], Course | None]


class Officer(Protocol):
    """Who stands at the end of the path."""

    done: set[str]

    def copy(self) -> Self:
        """Return one who can go another way."""

    def enters(self, course: Course) -> bool:
        """Return whether the course can be entered."""

    def take(self, course: Course) -> None:
        """Do a course."""

    def bars(self, course: Course) -> bool:
        """Return whether a course is not to be used."""


def false_statements(path: LearningPath, framework: str, end: Officer, find: Find) -> Iterator[str]:
    """Yield what is said and does not follow, one sentence each."""
    titles = [gap.title for gap in path.gaps]
    named = [*titles, *(step.course.title for step in path.steps)]
    for row in path.open:
        for fault in [*_way_on(path, framework, row, end, find), *_words_of_open(row, find)]:
            yield f"the open skill {row.skill}: {fault}"
    for step in path.steps:
        if wrong := _words(step.reason, _facts_of_step(step, find), named):
            yield f"step {step.position} ({step.course.id}): {wrong}"
    if wrong := _words(path.reason, _facts_of_path(path), titles):
        yield f"the reason of the path: {wrong}"
    yield from _short(path)


def _left(path: LearningPath) -> float | None:
    return None if path.budget_hours is None else max(path.budget_hours - path.hours, 0.0)


def _way_on(path: LearningPath, framework: str, row: OpenGap, end: Officer, find: Find) -> Iterator[str]:
    """Walk the way that is said to lead on."""
    unnamed = row.cause == "budget" and not row.courses and row.hours is None
    if unnamed or row.cause not in ("budget", "little", "kept"):
        yield from _no_way_on(row)
        return
    now, hours, reached, left = end.copy(), 0.0, 0.0, _left(path)
    for name in row.courses:
        course = find(name)
        if course is None or name in now.done or now.bars(course) or not now.enters(course):
            yield f"{name} cannot be taken"
            return
        now.take(course)
        hours += course.hours
        reached = max(
            [reached, *(r.to_level for r in course.teaches if (r.framework, r.skill) == (framework, row.skill))]
        )
    if reached <= row.reached:
        yield f"leads to level {reached:g}, which is no higher"
    too_long = left is not None and hours > left + SLACK
    if too_long != (row.hours is not None) or (too_long and row.cause != "budget"):
        yield f"takes {hours:g} hours of {left}, which is not what is said"
    if row.hours is not None and left is not None:
        missing = row.missing_hours or 0.0
        if abs(row.hours - hours) > SLACK or abs(missing - (hours - left)) > SLACK:
            yield f"takes {hours:g} hours, {hours - left:g} too many, not {row.hours:g} and {missing:g}"


def _no_way_on(row: OpenGap) -> Iterator[str]:
    """Check what is said where no way on is named: there is none, or one of more courses than a path may hold."""
    if row.courses or row.hours is not None:
        yield f"{row.cause}, yet there is a way on"
    if row.cause == "budget" and "may hold no more courses" not in row.reason.en:
        yield "names no way on, and does not say that the path may hold no more courses"


def _short(path: LearningPath) -> Iterator[str]:
    """Check that all that is missing is no less than what is missing for one skill."""
    least = max((row.missing_hours or 0.0 for row in path.open if not row.at_most), default=0.0)
    if path.short_hours is not None and least > path.short_hours + SLACK:
        yield f"short by {path.short_hours or 0:g} hours, but {least:g} are missing for one skill alone"
    if path.short_hours is not None and (path.budget_hours is None or path.short_hours <= 0 or not path.open):
        yield "hours are said to be missing, and none are"
    if path.short_at_most and path.short_hours is None:
        yield "at most so many hours are missing, but not how many"


def _words_of_open(row: OpenGap, find: Find) -> Iterator[str]:
    facts = [row.reached, row.required, row.required - row.reached]
    if row.hours is not None and row.missing_hours is not None:
        facts += [row.hours, row.hours - row.missing_hours, row.missing_hours]
        if ("at most" in row.reason.en, "ไม่เกิน" in row.reason.th) != (row.at_most, row.at_most):
            yield "what is proved is not what is said to be"
    named = [course.title for name in row.courses if (course := find(name))]
    if fault := _words(row.reason, facts, [row.title, *named]):
        yield fault


def _facts_of_step(step: Step, find: Find) -> list[float]:
    facts = [step.course.hours, float(len(step.unlocks) - 2)]
    for row in step.closes:
        facts += [row.from_level, row.to_level, row.required]
    for course in filter(None, map(find, step.unlocks)):
        facts += [*_levels(course.requires), *(row.from_level for row in course.teaches)]
    return facts


def _levels(conditions: Iterable[Prerequisite]) -> Iterator[float]:
    for condition in conditions:
        if condition.level is not UNSET:
            yield condition.level
        for parts in (condition.any, condition.all):
            if parts is not UNSET:
                yield from _levels(parts)


def _facts_of_path(path: LearningPath) -> list[float]:
    coverage, gap = path.coverage, path.coverage.gap
    shares = [100 * part // gap if gap else 100 for part in (coverage.gained, coverage.expected or 0)]
    small = sum(row.cause == "too_small" for row in path.open)
    hours = [path.hours, path.over_budget_hours or 0.0, path.short_hours or 0.0]
    return [len(path.steps), *hours, *shares, len(path.open) - small, small]


def _words(reason: Reason, facts: Iterable[float], titles: Iterable[Text]) -> str | None:
    """Return what is wrong with the numbers of a sentence: one that does not follow, or another in Thai."""
    thai, english = (_numbers(text, titles) for text in (reason.th, reason.en))
    known = {f"{fact:.2f}".rstrip("0").rstrip(".") for fact in facts}
    if sorted(thai) != sorted(english):
        return f"says {thai} in Thai and {english} in English"
    if wrong := [number for number in english if number not in known]:
        return f"says {wrong}, which does not follow"
    return None


def _numbers(text: str, titles: Iterable[Text]) -> list[str]:
    for title in titles:
        for words in (title.th, title.en):
            if isinstance(words, str) and _MARK.search(words):
                text = text.replace(f"«{words}»", "").replace(f"“{words}”", "")
    return _NUMBER.findall(_QUOTED.sub("", text))
