"""What clients send and get back, and what is refused or only warned of in a course. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct

from shared.domain import Course, Identifier, Language, LocalizedText, Prerequisite, courses_named
from shared.errors import InvalidInput, Warned

DEPTH_LIMIT = 10
"""How deep prerequisites may stand inside each other."""


class CoursePut(Struct, frozen=True):
    """`changed` is false where everything was so already; then there is no new revision."""

    id: str
    revision: int
    changed: bool
    warnings: list[Warned] = []


class FrameworkPut(Struct, frozen=True):
    """`changed` is false where everything was so already; then there is no new version."""

    id: str
    version: int
    changed: bool


class CoursePage(Struct, frozen=True):
    """Courses by id. `next` is the `after` of the following page, null on the last one."""

    courses: list[Course]
    next: str | None


class ListCourses(Struct, frozen=True, forbid_unknown_fields=True):
    """Which courses: those teaching a skill of a framework, in a language, as of a revision of the catalog."""

    framework: Identifier | None = None
    skill: Identifier | None = None
    language: Language | None = None
    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    catalog_revision: Annotated[int, Meta(ge=1)] | None = None


class ShowFramework(Struct, frozen=True, forbid_unknown_fields=True):
    """As it is, or as it was at a revision of the catalog."""

    catalog_revision: Annotated[int, Meta(ge=1)] | None = None


class FrameworkSummary(Struct, frozen=True):
    """A framework without its rows. `shared` frameworks are everybody's."""

    id: str
    version: int
    title: LocalizedText
    shared: bool
    areas: int
    skills: int
    job_groups: int


class ListFrameworks(Struct, frozen=True, forbid_unknown_fields=True):
    """How many at most, and after which id."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class FrameworkList(Struct, frozen=True):
    """Frameworks by id. `next` is the `after` of the following page, null on the last one."""

    frameworks: list[FrameworkSummary]
    next: str | None


class RowProblem(Struct, frozen=True, omit_defaults=True):
    """Why a row was refused."""

    status: int
    detail: str
    field: str | None = None


class RowResult(Struct, frozen=True, omit_defaults=True):
    """What became of one line of an import; lines count from 1."""

    line: int
    status: Literal["created", "changed", "unchanged", "refused"]
    id: str | None = None
    revision: int | None = None
    warnings: list[Warned] = []
    problem: RowProblem | None = None


@dataclass(frozen=True)
class FrameworkScale:
    """What a course is checked against of a framework: the top of its scale, and its skills."""

    max_level: float
    skills: frozenset[str]


def check_course(course: Course, frameworks: Mapping[str, FrameworkScale], courses: Iterable[str]) -> list[Warned]:
    """Return warnings about references to frameworks, skills and courses that are not there.

    A catalog may be loaded before its framework, and a course before its prerequisite. Raises InvalidInput, naming
    the field, for a level above its framework's scale, a course that requires itself, and conditions inside conditions
    without end.
    """
    for i, condition in enumerate(course.requires):
        if _depth(condition) > DEPTH_LIMIT:
            raise InvalidInput(f"conditions may stand inside each other {DEPTH_LIMIT} deep", f"requires[{i}]")
    warnings: list[Warned] = []
    known = set(courses)
    for field, framework, skill, level in _levels(course):
        yardstick = frameworks.get(framework)
        if yardstick is None:
            warnings.append(Warned(field.rpartition(".")[0] + ".framework", f"unknown framework {framework!r}"))
        elif skill not in yardstick.skills:
            warnings.append(Warned(field.rpartition(".")[0] + ".skill", f"{framework} has no skill {skill!r}"))
        elif level > yardstick.max_level:
            raise InvalidInput(f"above the scale's top, {yardstick.max_level:g}", field)
    for named in sorted(set(courses_named(course.requires))):
        if named == course.id:
            raise InvalidInput("a course cannot require itself", "requires")
        if named not in known:
            warnings.append(Warned("requires", f"unknown course {named!r}"))
    return warnings


def frameworks_named(course: Course) -> set[str]:
    """Return the frameworks that a course speaks of."""
    return {framework for _, framework, _, _ in _levels(course)}


def _levels(course: Course) -> Iterator[tuple[str, str, str, float]]:
    """Yield field, framework, skill and level of everything in a course that is on a scale."""
    for i, taught in enumerate(course.teaches):
        yield f"teaches[{i}].to", taught.framework, taught.skill, taught.to_level
    yield from _required_levels("requires", course.requires)


def _depth(condition: Prerequisite) -> int:
    """Return how deep conditions stand inside each other, without going deep itself."""
    depth, row = 0, [condition]
    while row:
        depth += 1
        branches = [branch for one in row for branch in (one.any, one.all) if branch is not UNSET]
        row = [one for branch in branches for one in branch]
    return depth


def _required_levels(field: str, conditions: list[Prerequisite]) -> Iterator[tuple[str, str, str, float]]:
    for i, condition in enumerate(conditions):
        place = f"{field}[{i}]"
        if condition.framework is not UNSET and condition.skill is not UNSET and condition.level is not UNSET:
            yield f"{place}.level", condition.framework, condition.skill, condition.level
        for name, branch in (("any", condition.any), ("all", condition.all)):
            if branch is not UNSET:
                yield from _required_levels(f"{place}.{name}", branch)
