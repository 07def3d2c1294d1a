"""Statistical disclosure control: which figures about an agency's officers may be published. No I/O.

The officers of an agency under one framework are divided into cohorts: one for each job group and set of requirements,
and one pool that merges cohorts that are too small. A cohort of fewer than k officers is not published. Published
figures are computed from released cohorts only, in two ways:

- sums over all officers of a cohort, exactly;
- counts of some officers of cohorts (by missing levels, by courses in their paths), rounded down to multiples of k.

A cohort's released version is replaced only by one that differs by at least k officers from every version that was
released before, of this cohort or of another one, also of another agency or framework. So the difference of any two
published sums concerns no officer or at least k officers, on the same day and on different days. Two versions differ in
an officer who is in only one of them, or whose plan has another revision. The officers who differ in one figure (the
level of one skill, what the path reaches in it, the hours of the path) are counted for each figure: none or at least k.
Otherwise the sum of a skill would release the level of the only officer who was assessed in it since, while others were
assessed in other skills, or while a change of the catalog or of the requirement gave every plan a new revision.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from services.recommender.path_summary import PathSummary, SkillOutcome
from shared.paths import PLANNED

POOL = "(others)"
"""The name of the cohort of officers whose own cohort would be too small."""

BOUNDS = (0.0, 0.5, 1.0, 2.0)
"""Upper bounds, in levels, of the size classes of gaps; larger gaps form a class of their own."""

RETAINED_VERSIONS = 60
"""How many earlier versions of cohorts are stored, to be compared with new ones."""

MAX_BYTES = 9 * 2**20
"""How many bytes the versions of a release may have together, published and earlier, because one document of MongoDB
holds them: for example of 60,000 officers who need 30 skills."""

_VALUE = np.dtype("<u2")
_MEMBER = np.dtype([("officer", "<u8"), ("revision", "<u4")])


class SkillSums(Struct):
    """Sums of levels over the officers of a cohort who need a skill.

    `sizes`: officers by size of their gap, in the classes of BOUNDS; `open`: {cause: officers whose gap stays open}.
    """

    level: float = 0.0
    required: float = 0.0
    gap: float = 0.0
    after: float = 0.0
    sizes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    open: dict[str, int] = {}

    def add(self, row: SkillOutcome) -> None:
        """Add the levels of one officer who needs the skill."""
        gap, after = max(0.0, row.required - row.level), max(0.0, row.required - row.reached)
        self.level += row.level
        self.required += row.required
        self.gap += gap
        self.after += after
        self.sizes[next((i for i, bound in enumerate(BOUNDS) if gap <= bound), len(BOUNDS))] += 1
        if row.cause:
            self.open[row.cause] = self.open.get(row.cause, 0) + 1


class Figures(Struct):
    """Sums over the officers of a cohort.

    `before` and `after`: shares of the requirement held; `gap`: weighted micro-levels; `hours`: of the paths;
    `courses`: {course: officers whose path contains it}; `without`: {cause: officers without a course to take}.
    """

    officers: int = 0
    before: float = 0.0
    after: float = 0.0
    gap: int = 0
    hours: float = 0.0
    skills: dict[str, SkillSums] = {}
    courses: dict[str, int] = {}
    without: dict[str, int] = {}

    def add(self, one: PathSummary, skills: Iterable[str]) -> None:
        """Add an officer, with the skills that are published for the cohort."""
        self.officers += 1
        self.before += one.before
        self.after += one.after
        self.gap += one.gap
        self.hours += one.hours
        rows = {row.skill: row for row in one.skills}
        for skill in skills:
            self.skills.setdefault(skill, SkillSums()).add(rows[skill])
        for course in one.closes:
            self.courses[course] = self.courses.get(course, 0) + 1
        if not one.closes:
            cause = _why_none(one)
            self.without[cause] = self.without.get(cause, 0) + 1


class Version(Struct, kw_only=True):
    """The officers from whom a cohort's figures were computed.

    `members`: an array of (hash of the officer, plan revision), as bytes. `values`: {figure: an array with a hash of
    each officer's value, in the same order}. `until`: the number of the last release that contained this version; 0
    while it is published.
    """

    members: bytes
    values: dict[str, bytes]
    until: int = 0

    @property
    def size(self) -> int:
        """The number of bytes of its arrays, and of its officers in the index by officer."""
        return 2 * len(self.members) + sum(map(len, self.values.values()))


class Cohort(Version, kw_only=True):
    """A published cohort. `name`: a job group with a hash of what is required, or POOL.

    `as_of`: the day of its release.
    """

    name: str
    job_group: str
    as_of: date
    figures: Figures


class PublishedGroup(Struct, frozen=True):
    """Published sums over the officers of a job group: see `Figures`."""

    job_group: str
    officers: int
    before: float
    after: float
    gap: int


class PublishedFigures(Struct, frozen=True):
    """The published figures of job groups, and the day from which they were published."""

    number: int
    day: date
    groups: list[PublishedGroup]


class Release(Struct):
    """The published figures of an agency under one framework, and the members of earlier versions.

    `number` counts the releases from 1. `history`: the figures of releases whose versions are all still stored, the
    latest of each day, oldest first; the last one is that of this release, if it publishes anything. `key_id`
    identifies the key of the officers' hashes.
    """

    cohorts: list[Cohort] = []
    past: list[Version] = []
    number: int = 0
    history: list[PublishedFigures] = []
    key_id: int = 0


class Officer(Struct, frozen=True):
    """One officer's figures; `token` replaces the officer's id and cannot be traced back without the key."""

    token: int
    revision: int
    summary: PathSummary


def token_of(key: bytes, officer: str) -> int:
    """Return 64 bits that replace an officer's id: its keyed hash (BLAKE2b)."""
    return int.from_bytes(hashlib.blake2b(officer.encode(), key=key[:64], digest_size=8).digest(), "little")


def cohorts_of(officers: Iterable[Officer], smallest: int, as_of: date) -> list[Cohort]:
    """Return the cohorts of at least `smallest` officers, sorted by name.

    Smaller ones are merged into the cohort POOL, which is left out if it is too small as well.
    """
    groups: dict[tuple[str, str], list[Officer]] = defaultdict(list)
    for one in officers:
        groups[one.summary.job_group, _requirement(one.summary)].append(one)
    pool: list[Officer] = []
    found = []
    for (job_group, requirement), members in groups.items():
        if len(members) < smallest:
            pool += members
        else:
            found.append(_cohort(f"{job_group}/{requirement}", job_group, as_of, members))
    if len(pool) >= smallest:
        found.append(_cohort(POOL, POOL, as_of, pool))
    return sorted(found, key=lambda cohort: cohort.name)


def released(
    before: Release, present: Sequence[Cohort], smallest: int, key_id: int = 0, elsewhere: Sequence[Version] = ()
) -> Release:
    """Return the next release: each cohort's current version if it may be published, otherwise its released version.

    A released cohort that no longer exists is not published any more, and a cohort that exceeds MAX_BYTES together with
    those before it is not published. Returns `before` itself if nothing changes, and if its officers were hashed with
    another key, because the versions cannot be compared then. `history` retains the figures of a release while every
    version that they were computed from is stored, because new versions are compared with stored ones only.
    `elsewhere`: the versions of other agencies and frameworks.
    """
    if before.number and before.key_id != key_id:
        return before
    known = [*before.cohorts, *before.past, *elsewhere]
    old = {cohort.name: cohort for cohort in before.cohorts}
    cohorts: list[Cohort] = []
    room = MAX_BYTES
    for cohort in present:
        may_be_published = all(_may_both_be_published(cohort, version, smallest) for version in known)
        found = cohort if may_be_published else old.get(cohort.name)
        if found and found.size <= room:
            cohorts.append(found)
            room -= found.size
    if [cohort.members for cohort in cohorts] == [cohort.members for cohort in before.cohorts]:
        return before
    kept = {cohort.members for cohort in cohorts}
    gone = [
        Version(members=cohort.members, values=cohort.values, until=before.number)
        for cohort in before.cohorts
        if cohort.members not in kept
    ]
    past = [*before.past, *gone]
    retained = _retained(past, room)
    forgotten = max((version.until for version in past[: len(past) - len(retained)]), default=0)
    history = [one for one in before.history if one.number > forgotten]
    number = before.number + 1
    if cohorts:
        published = PublishedFigures(number, max(cohort.as_of for cohort in cohorts), _published(cohorts))
        history = [*(one for one in history if one.day != published.day), published]
    return Release(cohorts, retained, number, history[-RETAINED_VERSIONS:], key_id)


def _retained(past: Sequence[Version], room: int) -> list[Version]:
    """Return the latest of these versions that are stored: RETAINED_VERSIONS of at most `room` bytes together."""
    sizes = accumulate(version.size for version in reversed(past[-RETAINED_VERSIONS:]))
    number = sum(size <= room for size in sizes)
    return list(past[len(past) - number :])


def _published(cohorts: Iterable[Cohort]) -> list[PublishedGroup]:
    groups: dict[str, list[Figures]] = defaultdict(list)
    for cohort in cohorts:
        groups[cohort.job_group].append(cohort.figures)
    return [
        PublishedGroup(
            name,
            sum(one.officers for one in found),
            sum(one.before for one in found),
            sum(one.after for one in found),
            sum(one.gap for one in found),
        )
        for name, found in sorted(groups.items())
    ]


def differences(one: Version, other: Version) -> tuple[int, set[int]]:
    """Return in how many officers two versions differ, and the numbers of officers who differ in one figure.

    An officer of one version only is counted in every number.
    """
    first, second = _members(one.members), _members(other.members)
    _, at, beside = np.intersect1d(first["officer"], second["officer"], assume_unique=True, return_indices=True)
    apart = len(first) + len(second) - 2 * len(at)
    changed = first["revision"][at] != second["revision"][beside]
    pairs = [
        np.frombuffer(values, _VALUE)[at] != np.frombuffer(other.values[name], _VALUE)[beside]
        for name, values in one.values.items()
        if name in other.values
    ]
    return (
        apart + int(np.count_nonzero(np.any([changed, *pairs], axis=0))),
        {apart + int(np.count_nonzero(pair)) for pair in pairs},
    )


def members_of(release: Release) -> list[tuple[int, int]]:
    """Return (token, plan revision) of each officer in the published cohorts of a release, by token.

    An officer who has moved between cohorts may be in two of them: then the later revision is returned.
    """
    members = sorted(
        (int(token), int(revision)) for one in release.cohorts for token, revision in _members(one.members)
    )
    return list(dict(members).items())


def tokens_in(release: Release) -> set[int]:
    """Return the tokens of the officers of every version that a release stores."""
    return {int(token) for one in (*release.cohorts, *release.past) for token in _members(one.members)["officer"]}


def _may_both_be_published(one: Version, other: Version, smallest: int) -> bool:
    """Return whether two versions may both be published: their sums differ in no officer or in `smallest` or more."""
    everyone, by_figure = differences(one, other)
    return everyone >= smallest and all(number == 0 or number >= smallest for number in by_figure)


def rounded_down(number: int, smallest: int) -> int | None:
    """Return a count for publication: rounded down to a multiple of `smallest`.

    0 stays 0; None stands for a count from 1 to below `smallest`.
    """
    return number - number % smallest or None if number else 0


def _cohort(name: str, job_group: str, as_of: date, members: Sequence[Officer]) -> Cohort:
    skills = set.intersection(*({row.skill for row in one.summary.skills} for one in members))
    figures = Figures()
    in_order = sorted(members, key=lambda one: one.token)
    for one in in_order:
        figures.add(one.summary, sorted(skills))
    rows = np.array([(one.token, one.revision) for one in in_order], _MEMBER)
    return Cohort(
        members=rows.tobytes(),
        values=_values(in_order),
        name=name,
        job_group=job_group,
        as_of=as_of,
        figures=figures,
    )


def _values(members: Sequence[Officer]) -> dict[str, bytes]:
    """Return {figure: a 16-bit hash of the token and value of each officer}.

    Skills that are not published for the cohort are included, because the shares of the requirement contain them.
    """
    columns: dict[str, NDArray[np.float64]] = {"hours": np.array([one.summary.hours for one in members], np.float64)}
    for place, one in enumerate(members):
        for row in one.summary.skills:
            for name, value in ((f"level/{row.skill}", row.level), (f"reached/{row.skill}", row.reached)):
                if name not in columns:
                    columns[name] = np.full(len(members), np.nan)  # for officers who do not need the skill
                columns[name][place] = value
    tokens = np.array([one.token for one in members], np.uint64)
    hashes = (np.array(list(columns.values())) + 0.0).view(np.uint64) ^ tokens  # + 0.0: -0.0 is 0.0
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # the mixing of splitmix64
        hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(factor)
    return {name: row.tobytes() for name, row in zip(columns, (hashes >> np.uint64(48)).astype(_VALUE), strict=True)}


def _members(packed: bytes) -> NDArray[np.void]:
    return np.frombuffer(packed, _MEMBER)


def _requirement(one: PathSummary) -> str:
    required = sorted((row.skill, row.required) for row in one.skills)
    return hashlib.sha256(repr(required).encode()).hexdigest()[:12]


def _why_none(one: PathSummary) -> str:
    if one.status not in PLANNED:
        return one.status
    causes = [row.cause for row in one.skills if row.cause]
    return max(sorted(set(causes)), key=causes.count) if causes else "none_needed"
