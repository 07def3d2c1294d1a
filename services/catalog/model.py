"""Requests and answers, and the checks of a course: faults reject it, warnings do not. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from shared.domain import (
    Course,
    Hours,
    Identifier,
    Language,
    Level,
    LocalizedText,
    Prerequisite,
    ShortText,
    courses_named,
)
from shared.errors import InvalidInput, Warned
from shared.imports.rows import ImportReport
from shared.texts import blank_in

DEPTH_LIMIT = 10
"""How deep prerequisites may be nested."""

_USER_IN_URL = re.compile(r"https?://[^/?#\\]*@")


class CoursePut(Struct, frozen=True):
    """The result of storing a course. `changed` is false if nothing changed; then there is no new revision."""

    id: str
    revision: int
    changed: bool
    warnings: list[Warned] = []


class FrameworkPut(Struct, frozen=True, omit_defaults=True):
    """The result of storing a framework. `changed` is false if nothing changed; then there is no new version.

    `unmapped_skills`, `unmapped_job_groups`: those that the previous version had, or mapped, and this one neither has
    nor maps. Levels of these skills no longer count, and officers of these job groups get no path; both are informed.
    `officers`: see FrameworkImpact; missing for a new framework and if it is not known. `scale_changed`: present if the
    scale has other levels than that of the previous version; says what happens to levels measured on that one.
    """

    id: str
    version: int
    changed: bool
    unmapped_skills: list[str] = []
    unmapped_job_groups: list[str] = []
    officers: int | None = None
    scale_changed: LocalizedText | None = None


class ProviderCount(Struct, frozen=True):
    """How many of the found courses a provider offers."""

    provider: LocalizedText
    count: int


class LanguageCount(Struct, frozen=True):
    """How many of the found courses are held in a language."""

    language: str
    count: int


class SkillCount(Struct, frozen=True):
    """How many of the found courses teach a skill."""

    framework: str
    skill: str
    count: int


class HoursCount(Struct, frozen=True):
    """How many of the found courses take more than `over` hours and at most `most`; null means no upper bound."""

    over: float
    most: float | None
    count: int


class CourseFacets(Struct, frozen=True):
    """Counts of properties of the found courses, the most frequent first, at most 50 of each kind."""

    provider: list[ProviderCount]
    language: list[LanguageCount]
    skill: list[SkillCount]
    hours: list[HoursCount]


class CoursePage(Struct, frozen=True, omit_defaults=True):
    """Courses by id, or by how well they match. `next` is the `after` of the following page, null on the last one.

    For a search, `total` counts the matching courses, and `highlights` gives, by course id and field (`title.th`),
    begin and end of the words of `q`, in characters.
    """

    courses: list[Course]
    next: str | None
    total: int | UnsetType = UNSET
    facets: CourseFacets | UnsetType = UNSET
    highlights: dict[str, dict[str, list[tuple[int, int]]]] | UnsetType = UNSET


EducationalLevel = Literal["beginner", "intermediate", "advanced", "mixed"]


class ListCourses(Struct, frozen=True, forbid_unknown_fields=True):
    """Which courses: those teaching a skill of a framework, in a language, at a revision of the catalog.

    Any other parameter makes it a search: `q` are words, an empty one matches every course. `level` is a level that the
    course leads to, on the scale of its framework, or its intended audience. `job_group`: courses that teach a skill
    that it requires.
    """

    q: Annotated[str, Meta(max_length=200)] | None = None
    framework: Identifier | None = None
    skill: Identifier | None = None
    level: Level | EducationalLevel | None = None
    language: Language | None = None
    provider: ShortText | None = None
    max_hours: Hours | None = None
    job_group: Identifier | None = None
    after: Annotated[str, Meta(max_length=600)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    catalog_revision: Annotated[int, Meta(ge=1)] | None = None

    @property
    def searches(self) -> bool:
        """Whether the search index is used rather than the list by id."""
        return any(one is not None for one in (self.q, self.level, self.provider, self.max_hours, self.job_group))


class ShowFramework(Struct, frozen=True, forbid_unknown_fields=True):
    """The current framework, or the framework at a revision of the catalog."""

    catalog_revision: Annotated[int, Meta(ge=1)] | None = None


class FrameworkSummary(Struct, frozen=True):
    """A framework without its rows. `shared` ones are visible to all tenants."""

    id: str
    version: int
    title: LocalizedText
    shared: bool
    areas: int
    skills: int
    job_groups: int


class ListFrameworks(Struct, frozen=True, forbid_unknown_fields=True):
    """The maximum number, and the id after which the page begins."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class FrameworkList(Struct, frozen=True):
    """Frameworks by id. `next` is the `after` of the following page, null on the last one."""

    frameworks: list[FrameworkSummary]
    next: str | None


class UnknownCourse(Struct, frozen=True):
    """A course that rows require and no one offers: how many rows, and the first of them by their ids."""

    course: str
    rows: int
    required_by: list[str]


class CourseImportReport(ImportReport, frozen=True, omit_defaults=True):
    """The result of an import of courses.

    `unknown` counts courses that are required and not offered, `unknown_courses` lists the first. `absent` counts
    courses that a full import does not contain, `missing` lists the first. `cycles`: courses of the file that require
    each other, so nobody can enter them.
    """

    unknown: int = 0
    unknown_courses: list[UnknownCourse] = field(default_factory=list)
    cycles: list[list[str]] = field(default_factory=list)
    absent: int = 0
    missing: list[str] = field(default_factory=list)
    withdrawn: int = 0


class ImportCourses(Struct, frozen=True, forbid_unknown_fields=True):
    """How an import reads and stores a list of courses.

    `map`: for a table, `fact=column` items separated by commas, or `guess`. `default`: `fact=value` items for facts
    that the file does not state. `sheet`: the sheet of a workbook, by its name. `header` false: the first row is a
    course. `full`: list the courses of the file's providers that the file does not contain, and with `withdraw`
    withdraw them.
    """

    map: Annotated[str, Meta(max_length=10_000)] | None = None
    default: Annotated[str, Meta(max_length=10_000)] | None = None
    encoding: Annotated[str, Meta(max_length=20)] | None = None
    sheet: Annotated[str, Meta(max_length=100)] | None = None
    header: bool = True
    dry_run: bool = False
    full: bool = False
    withdraw: bool = False


@dataclass(frozen=True)
class FrameworkScale:
    """The parts of a framework that courses are checked against: the top of its scale, and its skills."""

    max_level: float
    skills: frozenset[str]


def check_course(course: Course, frameworks: Mapping[str, FrameworkScale], courses: Iterable[str]) -> list[Warned]:
    """Return warnings about references to frameworks, skills and courses that do not exist.

    A catalog may be loaded before its framework, and a course before its prerequisite. Raises InvalidInput, naming the
    field, for a level above its framework's scale, a course that requires itself, and conditions nested too deeply.
    """
    for problem in course_faults(course, frameworks):
        raise problem
    known = set(courses)
    unknown = [named for named in sorted(set(courses_named(course.requires))) if named not in known]
    return [
        *matched_warnings(course),
        *framework_warnings(course, frameworks),
        *(Warned("requires", f"unknown course {named!r}") for named in unknown),
    ]


def course_faults(course: Course, frameworks: Mapping[str, FrameworkScale]) -> list[InvalidInput]:
    """Return all faults of a course that the types do not exclude."""
    too_deep = [
        InvalidInput(f"conditions may be nested {DEPTH_LIMIT} deep", f"requires[{i}]")
        for i, condition in enumerate(course.requires)
        if _depth(condition) > DEPTH_LIMIT
    ]
    if too_deep:
        return too_deep  # no condition is looked into
    found = [
        InvalidInput(f"above the scale's top, {yardstick.max_level:g}", field)
        for field, framework, skill, level in _levels(course)
        if (yardstick := frameworks.get(framework)) and skill in yardstick.skills and level > yardstick.max_level
    ]
    if course.url is not None and _USER_IN_URL.match(course.url):
        found.append(InvalidInput("an address may hold no user and no password", "url"))
    if course.url is not None and (blank := blank_in(course.url)):
        detail = f"an address may hold no space, line end or invisible character, such as U+{ord(blank):04X} here"
        found.append(InvalidInput(detail, "url"))
    if course.id in courses_named(course.requires):
        found.append(InvalidInput("a course cannot require itself", "requires"))
    return found


def matched_warnings(course: Course) -> list[Warned]:
    """Return warnings about what only the catalog sets, if a client sent it, for instance by sending back an answer."""
    fields = ["matched"] if course.matched else []
    fields += [f"teaches[{place}]" for place, row in enumerate(course.teaches) if row.mapped_from is not None]
    return [Warned(field, "is set by the catalog; what was sent is not used") for field in fields]


def framework_warnings(course: Course, frameworks: Mapping[str, FrameworkScale]) -> list[Warned]:
    """Return warnings about frameworks and skills that a course names and that do not exist."""
    warnings: list[Warned] = []
    for place_of, framework, skill, _ in _levels(course):
        place = place_of.rpartition(".")[0]
        if (yardstick := frameworks.get(framework)) is None:
            warnings.append(Warned(f"{place}.framework", f"unknown framework {framework!r}"))
        elif skill not in yardstick.skills:
            warnings.append(Warned(f"{place}.skill", f"{framework} has no skill {skill!r}"))
    return warnings


def frameworks_named(course: Course) -> set[str]:
    """Return the frameworks that a course names."""
    taught = {row.framework for row in course.teaches}
    return taught | {framework for _, framework, _, _ in _required_levels("requires", course.requires)}


def _levels(course: Course) -> Iterator[tuple[str, str, str, float]]:
    """Yield field, framework, skill and level of every level that a course names."""
    for i, taught in enumerate(course.teaches):
        yield f"teaches[{i}].to", taught.framework, taught.skill, taught.to_level
    yield from _required_levels("requires", course.requires)


def _depth(condition: Prerequisite) -> int:
    """Return the nesting depth of conditions, without recursion."""
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
