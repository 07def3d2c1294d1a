"""An agency's gaps, computed from the released figures of its officers' cohorts: see `disclosure`. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from services.recommender.disclosure import (
    BOUNDS,
    POOL,
    Cohort,
    Figures,
    PublishedFigures,
    PublishedGroup,
    SkillSums,
    rounded_down,
)
from services.recommender.inputs import MICRO
from services.recommender.path_summary import PathSummary, rounded_share
from shared.domain import Framework, LocalizedText
from shared.paths import CourseCard

_COURSES = 20
_LEVELS = ("level", "required", "gap", "after")


class Size(Struct, frozen=True):
    """How many officers lack more than `above` and at most `up_to` levels of a skill.

    `above` null: no lower bound; `up_to` null: no upper bound. `officers` is rounded down; null: some, but too few.
    """

    above: float | None
    up_to: float | None
    officers: int | None


class GroupSkill(Struct, frozen=True):
    """One skill: the number of officers of a job group who need it, and means of their levels.

    `gap` and `after`: the mean of the levels missing before and after the officers' paths.
    """

    skill: str
    title: LocalizedText
    officers: int
    level: float
    required: float
    gap: float
    after: float


class SkillGaps(GroupSkill, frozen=True):
    """One required skill: the officers in all published groups who need it, with the causes of open gaps.

    `sizes`: officers by the size of their gap. `open`: cause -> officers whose path does not reach the requirement,
    rounded down.
    """

    sizes: list[Size]
    open: dict[str, int | None]


class CourseDemand(Struct, frozen=True):
    """A course, and a lower bound of the number of officers whose paths contain it."""

    course: CourseCard
    officers: int


class GroupGaps(Struct, frozen=True):
    """A job group with the means of its officers: shares of the requirement held (0 to 1) before and after their paths.

    `gap`: mean of the weighted missing levels; `hours`: mean length of the paths. `as_of`: the day of the figures.
    `skills`: ordered by the total gap, largest first.
    """

    job_group: str
    title: LocalizedText
    officers: int
    before: float
    after: float
    gap: float
    hours: float
    as_of: date
    skills: list[GroupSkill]


class PastGroup(Struct, frozen=True):
    """A job group as published earlier: means of the shares of the requirement held before and after the paths.

    `gap`: mean of the weighted missing levels.
    """

    job_group: str
    officers: int
    before: float
    after: float
    gap: float


class PastFigures(Struct, frozen=True):
    """Figures that were published earlier, from `day` on: of all published groups together, and of each job group."""

    day: date
    officers: int
    before: float
    after: float
    gap: float
    groups: list[PastGroup]


class AgencyGaps(Struct, frozen=True):
    """An agency's officers under one framework, as published. Groups of fewer than `min_group` are not published.

    `officers`: of all published cohorts. `frameworks`: framework -> officers, and `without_path`: cause -> officers
    without a course to take (`none_needed`, `waiting_for_framework`, `refused`, or the cause of their open gaps); both
    rounded down. Every count that is rounded down is a multiple of `min_group`; null means some, but fewer. `history`:
    earlier published figures, oldest first, the latest of each day.
    """

    agency: str
    framework: str
    frameworks: dict[str, int | None]
    min_group: int
    officers: int | None
    skills: list[SkillGaps]
    courses: list[CourseDemand]
    groups: list[GroupGaps]
    without_path: dict[str, int | None]
    history: list[PastFigures]


class UnclosableGap(Struct, frozen=True):
    """A skill that training does not bring to the requirement before the deadline, in a sample of the officers.

    `short` officers stay below: `unreachable` because no course that they may take closes it, at any pace;
    `insufficient_time` because the hours do not suffice. All counts are rounded down to multiples of the smallest
    group. `recommendation`: `hire` (or contract) if no course closes most of it, `more_time` if hours are missing.
    """

    skill: str
    title: LocalizedText
    officers: int
    short: int
    unreachable: int | None
    insufficient_time: int | None
    recommendation: Literal["hire", "more_time"]


class DeadlineReport(Struct, frozen=True):
    """What training cannot close by a deadline, from a sample of officers planned for this question alone.

    `as_of`: the day from which the hours are counted, which is when the question was first asked.
    """

    deadline: date
    weekly_hours: float
    budget_hours: float
    sampled: int
    skills: list[UnclosableGap]
    as_of: date


def agency_report(  # noqa: PLR0913 - one report, by name
    cohorts: Sequence[Cohort],
    *,
    agency: str,
    framework: Framework,
    frameworks: Mapping[str, int],
    min_group: int,
    cards: Mapping[str, CourseCard],
    history: Sequence[PublishedFigures] = (),
    first: Collection[str] = (),
) -> AgencyGaps:
    """Return the report of an agency from its released cohorts.

    `frameworks`: framework -> number of published officers. `cards`: course -> what is shown of it; other courses are
    left out. `history`: earlier published figures. `first`: job groups to list first.
    """
    return AgencyGaps(
        agency,
        framework.id,
        {name: rounded_down(number, min_group) for name, number in sorted(frameworks.items())},
        min_group,
        sum(cohort.figures.officers for cohort in cohorts) or None,
        _skills(cohorts, framework, min_group),
        _courses(cohorts, cards, min_group),
        _groups(cohorts, framework, first),
        _rounded(_summed(cohort.figures.without for cohort in cohorts), min_group),
        [_past(one) for one in history],
    )


def _past(one: PublishedFigures) -> PastFigures:
    groups = [PastGroup(group.job_group, group.officers, *_means_of([group])) for group in one.groups]
    return PastFigures(one.day, sum(group.officers for group in groups), *_means_of(one.groups), groups)


def _means_of(groups: Sequence[PublishedGroup | Figures]) -> tuple[float, float, float]:
    """Return means over several groups: shares before and after, and missing weighted levels, per officer."""
    number = sum(one.officers for one in groups)
    before, after = (rounded_share(sum(getattr(one, name) for one in groups) / number) for name in ("before", "after"))
    return before, after, _tenths(sum(one.gap for one in groups) / number / MICRO)


def _tenths(missing: float) -> float:
    """Return a mean of missing levels in tenths; 0 stands for nothing missing alone."""
    return max(round(missing, 1), 0.1) if missing > 0 else 0.0


def _level(level: float, required: float) -> float:
    """Return a mean level in tenths; it stays below the mean requirement if the exact one does."""
    written, limit = round(level, 1), round(required, 1)
    return round(limit - 0.1, 1) if level < required and written >= limit else written


def _skills(cohorts: Sequence[Cohort], framework: Framework, smallest: int) -> list[SkillGaps]:
    edges = [None, *BOUNDS, None]
    found = []
    for row, sums in _means(cohorts, framework):
        sizes = [sum(column) for column in zip(*(one.sizes for one in sums), strict=True)]
        found.append(
            SkillGaps(
                **asdict(row),
                sizes=[Size(edges[i], edges[i + 1], rounded_down(size, smallest)) for i, size in enumerate(sizes)],
                open=_rounded(_summed(one.open for one in sums), smallest),
            )
        )
    return found


def _means(cohorts: Sequence[Cohort], framework: Framework) -> list[tuple[GroupSkill, list[SkillSums]]]:
    """Return each published skill of these cohorts with its sums; the largest total gap first."""
    found = []
    for skill in framework.skills:
        figures = [cohort.figures for cohort in cohorts if skill.id in cohort.figures.skills]
        if figures:
            number, sums = sum(one.officers for one in figures), [one.skills[skill.id] for one in figures]
            level, required, gap, after = (sum(getattr(one, name) for one in sums) / number for name in _LEVELS)
            levels = (_level(level, required), round(required, 1), _tenths(gap), _tenths(after))
            found.append((GroupSkill(skill.id, skill.title, number, *levels), sums))
    return sorted(found, key=lambda pair: (-pair[0].gap * pair[0].officers, pair[0].skill))


def _courses(cohorts: Sequence[Cohort], cards: Mapping[str, CourseCard], smallest: int) -> list[CourseDemand]:
    counts = _summed(cohort.figures.courses for cohort in cohorts)
    rows = [
        CourseDemand(cards[course], officers)
        for course, number in counts.items()
        if course in cards and (officers := rounded_down(number, smallest))
    ]
    return sorted(rows, key=lambda row: (-row.officers, row.course.id))[:_COURSES]


def _groups(cohorts: Sequence[Cohort], framework: Framework, first: Collection[str]) -> list[GroupGaps]:
    titles = {group.id: group.title for group in framework.job_groups}
    place = {name: number for number, name in enumerate(first)}
    groups: dict[str, list[Cohort]] = defaultdict(list)
    for cohort in cohorts:
        groups[cohort.job_group].append(cohort)
    rows = [_group(name, titles, members, framework) for name, members in groups.items()]
    return sorted(rows, key=lambda row: (place.get(row.job_group, len(place)), -row.gap, row.job_group))


def _group(
    name: str, titles: Mapping[str, LocalizedText], cohorts: Sequence[Cohort], framework: Framework
) -> GroupGaps:
    figures = [cohort.figures for cohort in cohorts]
    number = sum(one.officers for one in figures)
    others = LocalizedText(th="กลุ่มงานอื่น", en="Other job groups")
    return GroupGaps(
        name,
        others if name == POOL else titles.get(name, others),
        number,
        *_means_of(figures),
        round(sum(one.hours for one in figures) / number, 1),
        min(cohort.as_of for cohort in cohorts),
        [row for row, _ in _means(cohorts, framework)],
    )


def unclosable_gaps(sample: Iterable[PathSummary], framework: Framework, smallest: int) -> list[UnclosableGap]:
    """Return the skills that stay below the requirement in the paths of a sample; those of most officers first.

    Counts are rounded down to multiples of `smallest`; a skill that fewer officers need or lack is left out.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in sample:
        for row in one.skills:
            closable = row.cause in ("", "little", "unconfirmed")
            counts[row.skill]["" if closable else "time" if row.cause == "budget" else "course"] += 1
    found = []
    for skill in framework.skills:
        cells = counts[skill.id]
        officers = rounded_down(cells.total(), smallest)
        short = rounded_down(cells["course"] + cells["time"], smallest)
        if officers and short:
            unreachable, late = (rounded_down(cells[name], smallest) for name in ("course", "time"))
            recommendation: Literal["hire", "more_time"] = "hire" if (unreachable or 0) >= (late or 0) else "more_time"
            found.append(UnclosableGap(skill.id, skill.title, officers, short, unreachable, late, recommendation))
    return sorted(found, key=lambda row: (-row.short, row.skill))


def _summed(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    return sum((Counter(one) for one in counts), Counter())


def _rounded(counts: Mapping[str, int], smallest: int) -> dict[str, int | None]:
    return {name: rounded_down(number, smallest) for name, number in sorted(counts.items())}


def first_groups(framework: Framework, wanted: Sequence[str]) -> list[str]:
    """Return the ids of the framework's job groups that `wanted` names, in its order.

    `name*` names every id that begins with `name`.
    """
    ids = [group.id for group in framework.job_groups]
    found: list[str] = []
    for name in map(str.strip, wanted):
        matching = [one for one in ids if one == name or (name.endswith("*") and one.startswith(name[:-1]))]
        found += [one for one in matching if one not in found]
    return found
