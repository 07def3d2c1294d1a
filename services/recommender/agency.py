"""An agency's gaps, added up from its officers' stored paths, so that nobody can be made out in them. No I/O.

Cells of fewer officers than the smallest group are withheld (null), and so is what would tell them by subtraction (see
`tally`). Job groups below the smallest group are pooled. A job group (or the pool)
enters the figures of a skill only with at least that many officers, so that no difference between a skill's figures
and those of the job groups speaks of fewer.
"""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from services.recommender.model import MICRO
from services.recommender.tally import BOUNDS, GroupSums, SkillSums, Tally, pooled, withheld
from shared.paths import CourseCard
from shared.skills import Framework, Text

_COURSES = 20


class Size(Struct, frozen=True):
    """How many officers lack more than `above` and at most `up_to` levels of a skill; null: withheld."""

    above: float | None
    up_to: float | None
    officers: int | None


class SkillGaps(Struct, frozen=True):
    """One required skill: how many it is required of, how they stand, and what their paths leave open and why.

    Levels are means over these officers. `open`: cause -> officers whose path does not reach the requirement.
    """

    skill: str
    title: Text
    officers: int
    level: float
    required: float
    gap: float
    after: float
    sizes: list[Size]
    open: dict[str, int | None]


class CourseWorth(Struct, frozen=True):
    """A course in the paths of `officers`, and the weighted levels that it closes in all of them."""

    course: CourseCard
    officers: int
    closes: float


class GroupGaps(Struct, frozen=True):
    """A job group: its officers' shares of the requirement held (0 to 1) before and after their paths; null: withheld.

    `gap` is in weighted levels per officer, `hours` those of the mean path.
    """

    job_group: str
    title: Text
    officers: int | None
    before: float | None = None
    after: float | None = None
    gap: float | None = None
    hours: float | None = None


class AgencyGaps(Struct, frozen=True):
    """An agency's officers under one framework. Of fewer than `min_group` nothing is told but that.

    `without_path`: cause -> officers without a course to take, and why: `none_needed`, `waiting_for_framework`,
    `refused`, or what keeps all their open gaps open.
    """

    agency: str
    framework: str
    frameworks: dict[str, int | None]
    min_group: int
    officers: int | None
    skills: list[SkillGaps]
    courses: list[CourseWorth]
    groups: list[GroupGaps]
    without_path: dict[str, int | None]


def agency_gaps(  # noqa: PLR0913 - one report, by name
    tally: Tally,
    *,
    agency: str,
    framework: Framework,
    frameworks: Mapping[str, int],
    min_group: int,
    cards: Mapping[str, CourseCard],
    first: Collection[str] = (),
) -> AgencyGaps:
    """Return the agency's view. `cards`: the courses that are still in sight; `first`: job groups to put in front."""
    told = withheld(frameworks, min_group)
    if told.get(framework.id) is None or tally.officers < min_group:
        return AgencyGaps(agency, framework.id, told, min_group, None, [], [], [], {})
    groups = pooled(tally.groups, min_group)
    return AgencyGaps(
        agency,
        framework.id,
        told,
        min_group,
        tally.officers,
        _skills(groups, framework, min_group),
        _courses(tally.closes, cards, min_group),
        _groups(groups, framework, min_group, first),
        {cause: number for cause, number in withheld(tally.without, min_group).items() if cause != "on_a_path"},
    )


def _skills(groups: Mapping[str, GroupSums], framework: Framework, smallest: int) -> list[SkillGaps]:
    found: list[tuple[float, SkillGaps]] = []
    for skill in framework.skills:
        whole = SkillSums()
        for group in groups.values():
            if skill.id in group.skills and group.skills[skill.id].officers >= smallest:
                whole.merge(group.skills[skill.id])
        if whole.officers:
            found.append((whole.gap, _skill(skill.id, skill.title, whole, smallest)))
    return [row for _, row in sorted(found, key=lambda one: (-one[0], one[1].skill))]


def _skill(name: str, title: Text, whole: SkillSums, smallest: int) -> SkillGaps:
    number = whole.officers
    sizes = withheld({str(i): whole.sizes[i] for i in range(len(BOUNDS) + 1)}, smallest)
    edges = [None, *BOUNDS, None]
    return SkillGaps(
        skill=name,
        title=title,
        officers=number,
        level=round(whole.level / number, 1),
        required=round(whole.required / number, 1),
        gap=round(whole.gap / number, 1),
        after=round(whole.after / number, 1),
        sizes=[Size(edges[i], edges[i + 1], sizes[str(i)]) for i in range(len(BOUNDS) + 1)],
        open={cause: officers for cause, officers in withheld(whole.open, smallest).items() if cause != "reached"},
    )


def _courses(
    closes: Mapping[str, tuple[int, int]], cards: Mapping[str, CourseCard], smallest: int
) -> list[CourseWorth]:
    rows = [
        CourseWorth(cards[course], officers, round(worth / MICRO, 1))
        for course, (officers, worth) in closes.items()
        if officers >= smallest and course in cards
    ]
    return sorted(rows, key=lambda row: (-row.closes, row.course.id))[:_COURSES]


def _groups(
    groups: Mapping[str, GroupSums], framework: Framework, smallest: int, first: Collection[str]
) -> list[GroupGaps]:
    titles = {group.id: group.title for group in framework.job_groups}
    place = {name: number for number, name in enumerate(first)}
    rows = [_group(name, group, titles, smallest) for name, group in groups.items()]
    return sorted(rows, key=lambda row: (place.get(row.job_group, len(place)), -(row.gap or 0.0), row.job_group))


def _group(name: str, group: GroupSums, titles: Mapping[str, Text], smallest: int) -> GroupGaps:
    title = titles.get(name) or Text(th="กลุ่มงานอื่น", en="Other job groups")
    if group.officers < smallest:
        return GroupGaps(name, title, None)
    number = group.officers
    return GroupGaps(
        name,
        title,
        number,
        round(group.before / number, 2),
        round(group.after / number, 2),
        round(group.gap / number / MICRO, 1),
        round(group.hours / number, 1),
    )


def first_groups(framework: Framework, wanted: Sequence[str]) -> list[str]:
    """Return the job groups that are to stand in front: by id, or all that begin as `name*` says."""
    ids = [group.id for group in framework.job_groups]
    found: list[str] = []
    for name in map(str.strip, wanted):
        matching = [one for one in ids if one == name or (name.endswith("*") and one.startswith(name[:-1]))]
        found += [one for one in matching if one not in found]
    return found
