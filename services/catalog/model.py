"""The requests and answers of the catalog, and the checks of a course: a fault rejects it, a warning does not. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

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
from shared.imports.rows import ImportReport, TableSample
from shared.texts import blank_in, names_host

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

    `unmapped_skills` and `unmapped_job_groups` list what the previous version had or mapped, and this version neither
    has nor maps. Levels of these skills no longer count, and officers of these job groups get no path; the officers are
    informed. `officers` is explained at FrameworkImpact; it is missing for a new framework, or if it is not known.
    `scale_changed` is present if the levels of the scale changed; it tells what happens to levels measured before.
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
    """Counts of the found courses by provider, language, skill and range of hours.

    The largest counts of providers, languages and skills come first, at most 50 of each. The ranges of hours are in
    ascending order.
    """

    provider: list[ProviderCount]
    language: list[LanguageCount]
    skill: list[SkillCount]
    hours: list[HoursCount]


class CoursePage(Struct, frozen=True, omit_defaults=True):
    """Courses in the order of their ids; for a search, the best match first.

    `next` is the value of `after` for the following page, null on the last page. For a search, `total` counts the
    matching courses. `highlights` tells where the words of `q` are in the texts of the courses: {course id: {field such
    as `title.th`: [(begin, end) in characters]}}.
    """

    courses: list[Course]
    next: str | None
    total: int | UnsetType = UNSET
    facets: CourseFacets | UnsetType = UNSET
    highlights: dict[str, dict[str, list[tuple[int, int]]]] | UnsetType = UNSET


EducationalLevel = Literal["beginner", "intermediate", "advanced", "mixed"]


class ListCourses(Struct, frozen=True, forbid_unknown_fields=True):
    """Selects courses by `framework`, `skill` and `language`, at a revision of the catalog.

    `q`, `level`, `provider`, `max_hours` and `job_group` make the request a search. `q` holds the words to look for;
    an empty `q` matches every course. `level` is either a number, which is a level on the framework's scale that the
    course leads to, or the word for a level that the provider states. `job_group` selects courses that teach a skill
    that the job group requires.
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
    """Selects the state of a framework: the one at a revision of the catalog, or without it the current one."""

    catalog_revision: Annotated[int, Meta(ge=1)] | None = None


class FrameworkSummary(Struct, frozen=True):
    """A framework without its contents: `areas`, `skills` and `job_groups` are counts.

    A framework with `shared` is visible to all tenants.
    """

    id: str
    version: int
    title: LocalizedText
    shared: bool
    areas: int
    skills: int
    job_groups: int


class ListFrameworks(Struct, frozen=True, forbid_unknown_fields=True):
    """Selects a page of frameworks: at most `limit` of them, with ids after `after`."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class FrameworkList(Struct, frozen=True):
    """Frameworks in the order of their ids. `next` is the `after` of the following page, null on the last page."""

    frameworks: list[FrameworkSummary]
    next: str | None


class UnknownCourse(Struct, frozen=True):
    """A course that rows of an import require and nobody offers.

    `rows` counts the courses that require it; `required_by` holds the first of their ids.
    """

    course: str
    rows: int
    required_by: list[str]


class CourseImportReport(ImportReport, frozen=True, omit_defaults=True):
    """The result of an import of courses.

    `unknown` counts courses that are required and not offered; `unknown_courses` lists the first of them. `cycles`
    lists courses of the file that require each other, so that nobody can enter them. `absent` counts stored courses of
    the file's providers that the file of a full import does not contain; `missing` lists the first of them, and
    `withdrawn` counts those that were withdrawn. `sample`: the first rows of a table as they are in the file, only in
    the answer to a dry run.
    """

    unknown: int = 0
    unknown_courses: list[UnknownCourse] = field(default_factory=list)
    cycles: list[list[str]] = field(default_factory=list)
    absent: int = 0
    missing: list[str] = field(default_factory=list)
    withdrawn: int = 0
    sample: TableSample | None = None


class ImportCourses(Struct, frozen=True, forbid_unknown_fields=True):
    """How an import reads and stores a list of courses.

    `map` tells which column of a table holds which fact: items `fact=column`, separated by commas, or `guess`.
    `default` gives values for facts that the file does not state: items `fact=value`. `sheet` is the name of a sheet of
    a workbook. If `header` is false, the first row is a course. With `dry_run`, nothing is stored. With `full`, the
    report lists the stored courses of the file's providers that the file does not contain; `withdraw` withdraws them.
    `import_id` is the id of the report, if the client chooses it.
    """

    map: Annotated[str, Meta(max_length=10_000)] | None = None
    default: Annotated[str, Meta(max_length=10_000)] | None = None
    encoding: Annotated[str, Meta(max_length=20)] | None = None
    sheet: Annotated[str, Meta(max_length=100)] | None = None
    header: bool = True
    dry_run: bool = False
    full: bool = False
    withdraw: bool = False
    import_id: UUID | None = None


@dataclass(frozen=True)
class FrameworkScale:
    """What a course is checked against in a framework: the top of the scale, and the ids of the skills."""

    max_level: float
    skills: frozenset[str]


def check_course(course: Course, frameworks: Mapping[str, FrameworkScale], courses: Iterable[str]) -> list[Warned]:
    """Return a warning for each framework, skill and course that a course names and that does not exist.

    This is no fault, because a course may be stored before its framework or its prerequisite. `matched_warnings` are
    returned too. `frameworks` is {id: scale}; `courses` holds the ids of the known courses. Raises InvalidInput for the
    first of `course_faults`.
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
    """Return all faults of a course that decoding does not find, each with its field.

    They are: a level above the framework's scale, a wrong address, a course that requires itself, and conditions that
    are nested too deeply.
    """
    too_deep = [
        InvalidInput(f"conditions may be nested {DEPTH_LIMIT} deep", f"requires[{i}]")
        for i, condition in enumerate(course.requires)
        if _depth(condition) > DEPTH_LIMIT
    ]
    if too_deep:
        return too_deep  # no condition is looked into
    found = [
        InvalidInput(f"above the scale's top, {yardstick.max_level:g}", f"{place}.{name}")
        for place, name, framework, skill, level in _levels(course)
        if (yardstick := frameworks.get(framework)) and level > yardstick.max_level and skill in yardstick.skills
    ]
    if course.url is not None and _USER_IN_URL.match(course.url):
        found.append(InvalidInput("an address may hold no user and no password", "url"))
    elif course.url is not None and not names_host(course.url):
        found.append(InvalidInput("an address is to name a host, such as https://example.org", "url"))
    if course.url is not None and (blank := blank_in(course.url)):
        detail = f"an address may hold no space, line end or invisible character, such as U+{ord(blank):04X} here"
        found.append(InvalidInput(detail, "url"))
    if course.requires and course.id in courses_named(course.requires):
        found.append(InvalidInput("a course cannot require itself", "requires"))
    return found


def matched_warnings(course: Course) -> list[Warned]:
    """Return a warning for each field that only the catalog sets and a client sent, for instance `matched`."""
    fields = ["matched"] if course.matched else []
    fields += [f"teaches[{place}]" for place, row in enumerate(course.teaches) if row.mapped_from is not None]
    return [Warned(field, "is set by the catalog; what was sent is not used") for field in fields]


def framework_warnings(course: Course, frameworks: Mapping[str, FrameworkScale]) -> list[Warned]:
    """Return a warning for each framework or skill that a course names and that does not exist."""
    warnings: list[Warned] = []
    for place, _, framework, skill, _ in _levels(course):
        if (yardstick := frameworks.get(framework)) is None:
            warnings.append(Warned(f"{place}.framework", f"unknown framework {framework!r}"))
        elif skill not in yardstick.skills:
            warnings.append(Warned(f"{place}.skill", f"{framework} has no skill {skill!r}"))
    return warnings


def frameworks_named(course: Course) -> set[str]:
    """Return the ids of the frameworks in which a course teaches or requires a skill."""
    taught = {row.framework for row in course.teaches}
    if course.requires:
        taught |= {framework for _, _, framework, _, _ in _required_levels("requires", course.requires)}
    return taught


def _levels(course: Course) -> Iterator[tuple[str, str, str, str, float]]:
    """Yield place, field, framework, skill and level of every level that a course names."""
    for i, taught in enumerate(course.teaches):
        yield f"teaches[{i}]", "to", taught.framework, taught.skill, taught.to_level
    if course.requires:
        yield from _required_levels("requires", course.requires)


def _depth(condition: Prerequisite) -> int:
    """Return the nesting depth of conditions, without recursion."""
    depth, row = 0, [condition]
    while row:
        depth += 1
        branches = [branch for one in row for branch in (one.any, one.all) if branch is not UNSET]
        row = [one for branch in branches for one in branch]
    return depth


def _required_levels(field: str, conditions: list[Prerequisite]) -> Iterator[tuple[str, str, str, str, float]]:
    for i, condition in enumerate(conditions):
        place = f"{field}[{i}]"
        if level := condition.required_level:
            yield place, "level", *level
        for name, branch in (("any", condition.any), ("all", condition.all)):
            if branch is not UNSET:
                yield from _required_levels(f"{place}.{name}", branch)
