"""Courses in the planner's form, and their entry conditions.

To enter a course, an officer must hold the `from` level of every skill that the course teaches in the officer's
framework, and satisfy everything that the course `requires`. `from` levels on other frameworks are not tested: they are
on another scale, on which the officer was usually never measured; conditions in `requires` are always tested.
Unconfirmed matches neither permit nor prevent an entry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import UNSET

from services.recommender.inputs import LEARNERS_ASSUMED, LEARNERS_COMPLETING, MICRO, MatchedSpan
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import micro
from shared.domain import Course, MatchedRow, Prerequisite

SkillKey = tuple[str, str]
"""(framework, skill)."""


class LevelCondition(NamedTuple):
    """Condition: a level of a skill is held, in micro-levels."""

    skill: SkillKey
    level: int


class CourseCondition(NamedTuple):
    """Condition: a course has been completed."""

    course: str


class AnyCondition(NamedTuple):
    """Condition: all conditions of at least one branch hold."""

    branches: tuple[tuple["Condition", ...], ...]


Condition = LevelCondition | CourseCondition | AnyCondition


@dataclass(frozen=True, slots=True, eq=False)
class CourseSpec:
    """A course in the planner's form. `hours` in micro-hours; `teaches`: (framework, skill) -> (from, to), in levels.

    Several rows of one skill in a course are merged: from the lowest `from` to the highest `to`. `requires`: the entry
    conditions besides the `from` levels. `matched`: (framework, skill) -> unconfirmed row, for each skill that is not
    in `teaches`.
    """

    id: str
    course: Course
    hours: int
    teaches: dict[SkillKey, tuple[float, float]]
    requires: tuple[Condition, ...]
    matched: dict[SkillKey, MatchedSpan] = field(default_factory=dict)

    @property
    def entry_levels(self) -> list[LevelCondition]:
        """The `from` levels as conditions; each is one only for officers who are measured on its framework."""
        levels = (LevelCondition(key, micro(low)) for key, (low, _) in self.teaches.items())
        return [condition for condition in levels if condition.level > 0]

    def conditions(self, framework: str) -> tuple[Condition, ...]:
        """Return every entry condition for an officer who is measured on this framework."""
        own = [condition for condition in self.entry_levels if condition.skill[0] == framework]
        return tuple(dict.fromkeys([*own, *self.requires]))


def course_spec(course: Course) -> CourseSpec:
    """Return the course in the planner's form."""
    return CourseSpec(
        course.id,
        course,
        max(round(course.hours * MICRO), 1),
        taught_spans(course),
        conditions_of(course.requires),
        matched_spans(course),
    )


def conditions_of(prerequisites: Iterable[Prerequisite]) -> tuple[Condition, ...]:
    """Return prerequisites as conditions, each once and in order; those of an `all` are listed separately."""
    found: list[Condition] = []
    for one in prerequisites:
        if one.all is not UNSET:
            found += conditions_of(one.all)
        elif one.any is not UNSET:
            found.append(AnyCondition(tuple(conditions_of([branch]) for branch in one.any)))
        elif one.course is not UNSET:
            found.append(CourseCondition(one.course))
        elif named := one.required_level:
            framework, skill, level = named
            found.append(LevelCondition((framework, skill), micro(level)))
    return tuple(dict.fromkeys(found))


def taught_spans(course: Course) -> dict[SkillKey, tuple[float, float]]:
    """Return (framework, skill) -> (from, to), in levels; several rows of one skill are merged."""
    spans: dict[SkillKey, tuple[float, float]] = {}
    for row in course.teaches:
        low, high = spans.get(key := (row.framework, row.skill), (row.from_level, row.to_level))
        spans[key] = (min(low, row.from_level), max(high, row.to_level))
    return spans


def matched_spans(course: Course) -> dict[SkillKey, MatchedSpan]:
    """Return (framework, skill) -> matched row of a course, for skills that no confirmed row teaches.

    Of several rows of a skill, the most confident one counts; of equally confident ones, the lowest.
    """
    taught = {(row.framework, row.skill) for row in course.teaches}
    found: dict[SkillKey, MatchedSpan] = {}
    for row in _by_confidence(course):
        if (key := (row.framework, row.skill)) not in taught:
            confidence, threshold = round(row.confidence * MICRO), round(row.threshold * MICRO)
            span = MatchedSpan(micro(row.from_level), micro(row.to_level), confidence, threshold)
            found.setdefault(key, span)
    return found


def mapped_from(course: Course, key: SkillKey) -> str | None:
    """Return the `framework/skill` that a provider states and from which a course's row of the skill `key` is mapped.

    Returns None if the course has no row of the skill, or a row that is not mapped.
    """
    rows = [row for row in course.teaches if (row.framework, row.skill) == key]
    if rows:
        return rows[0].mapped_from if all(row.mapped_from for row in rows) else None
    matched = next((row for row in _by_confidence(course) if (row.framework, row.skill) == key), None)
    return (matched.mapped_from or None) if matched else None


def _by_confidence(course: Course) -> list[MatchedRow]:
    """Return the matched rows of a course: the most confident first, then the lowest."""
    return sorted(course.matched, key=lambda row: (-row.confidence, row.to_level, row.from_level))


MAX_COST_FACTOR = PARAMS.max_cost_factor * MICRO


def completion_rate(course: Course) -> float:
    """Return the probability that a course is completed: the mean of a Beta posterior of its counts."""
    counts = course.completions
    started, completed = (counts.started, counts.completed) if counts else (0, 0)
    return (completed + LEARNERS_COMPLETING) / (started + LEARNERS_ASSUMED)


def cost_factor(course: Course) -> int:
    """Return the factor that multiplies a course's hours, in millionths; 1,000,000 without completions and ratings."""
    usual, liked = LEARNERS_COMPLETING / LEARNERS_ASSUMED, 1.0
    if rating := course.rating:
        liked += (
            PARAMS.rating_weight * (rating.mean - 3) / 2 * rating.count / (rating.count + PARAMS.rating_prior_count)
        )
    return min(round(MICRO * (usual / completion_rate(course)) / liked), MAX_COST_FACTOR)
