"""Finds faults of a whole catalog, which no single course shows. Pure.

To find the courses that can be entered, it simulates a learner without skills who takes every course whose conditions
hold, until no other course opens. A course that stays closed is in a cycle of prerequisites, requires a course that
does not exist, or requires a level to which no course leads.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from services.catalog.matches import Match
from shared.domain import Course, Framework, courses_named, skills_named
from shared.texts import folded, letters_of

LISTED = 1000
"""The most faults of each kind that are listed; `counts` counts all of them."""

Skill = tuple[str, str]


class DanglingPrerequisite(Struct, frozen=True):
    """A course, and the ids of the courses that it requires and that do not exist."""

    course: str
    missing: list[str]


class UnreachableLevel(Struct, frozen=True):
    """A level that a job group requires, and that an officer without skills cannot reach through courses.

    Matches that nobody has confirmed do not count. `taught` is the highest level that a course teaches; `reached` is
    the highest level that the officer can reach.
    `cause` is `no_course` if no course teaches the required level, `no_way` if a course does and cannot be entered.
    """

    framework: str
    job_group: str
    stage: str | None
    skill: str
    required: float
    taught: float
    reached: float
    cause: Literal["no_course", "no_way"]


class WeakMatch(Struct, frozen=True):
    """A proposed match whose `confidence` is below the threshold."""

    course: str
    framework: str
    skill: str
    confidence: float


class CatalogHealth(Struct, frozen=True):
    """The numbers and the faults of a catalog as a tenant sees it.

    `cycles`: lists of courses, each of which requires the next one, and the last one the first. `twins`: lists of
    courses with the same title and provider, or the same address. `counts`: numbers of all faults, and of matches by
    status. `languages` and `hosts`: numbers of courses by language, and by the host of their address; no host was
    contacted. `without_skills`: courses that teach no skill. `waiting`: the tenant's courses that wait to be matched.
    """

    courses: int
    without_skills: int
    waiting: int
    counts: dict[str, int]
    cycles: list[list[str]]
    dangling: list[DanglingPrerequisite]
    unreachable: list[UnreachableLevel]
    twins: list[list[str]]
    weak_matches: list[WeakMatch]
    languages: dict[str, int]
    hosts: dict[str, int]
    threshold: float


def health(
    courses: Sequence[Course],
    frameworks: Iterable[Framework],
    matches: Mapping[str, Sequence[Match]],
    threshold: float,
    waiting: int,
) -> CatalogHealth:
    """Return the faults of the courses and frameworks that a tenant sees.

    `matches`: {id of a course of the tenant: its matches}. `threshold`: matches with a lower confidence are weak.
    `waiting`: the number of courses that wait to be matched.
    """
    known = {course.id: course for course in courses}
    walk = _Walk(courses)
    dangling = [
        DanglingPrerequisite(course.id, missing)
        for course in courses
        if (missing := sorted({name for name in courses_named(course.requires) if name not in known}))
    ]
    cycles = list(_cycles({name: course for name, course in known.items() if name not in walk.open}))
    unreachable = [row for framework in frameworks for row in _unreachable(framework, courses, walk.levels)]
    twins = _twins(courses)
    weak = sorted(
        (
            WeakMatch(course, one.framework, one.skill, one.confidence)
            for course, of in matches.items()
            for one in of
            if one.status == "proposed" and one.confidence < threshold
        ),
        key=lambda one: (one.confidence, one.course, one.skill),
    )
    counts = Counter(f"matches_{one.status}" for of in matches.values() for one in of)
    counts |= Counter(
        cycles=len(cycles),
        dangling=len(dangling),
        unreachable=len(unreachable),
        twins=len(twins),
        weak_matches=len(weak),
    )
    hosts = Counter(host for course in courses if course.url and (host := _host(course.url)))
    return CatalogHealth(
        courses=len(courses),
        without_skills=sum(not course.teaches for course in courses),
        waiting=waiting,
        counts=dict(sorted(counts.items())),
        cycles=cycles[:LISTED],
        dangling=dangling[:LISTED],
        unreachable=unreachable[:LISTED],
        twins=twins[:LISTED],
        weak_matches=weak[:LISTED],
        languages=dict(Counter(one for course in courses for one in course.languages).most_common(LISTED)),
        hosts=dict(hosts.most_common(LISTED)),
        threshold=threshold,
    )


class _Walk:
    """What a learner without skills can reach: `open`, the courses that can be entered, and `levels`."""

    def __init__(self, courses: Sequence[Course]) -> None:
        self.open: set[str] = set()
        self.levels: dict[Skill, float] = {}
        waiting: dict[str | Skill, list[Course]] = defaultdict(list)
        for course in courses:
            names: set[str | Skill] = {*courses_named(course.requires), *skills_named(course.requires)}
            names |= {(row.framework, row.skill) for row in course.teaches}
            for name in names:
                waiting[name].append(course)
        at_hand = deque(courses)
        while at_hand:
            course = at_hand.popleft()
            if course.id in self.open or not self._enters(course):
                continue
            self.open.add(course.id)
            at_hand.extend(waiting[course.id])
            for row in course.teaches:
                key = (row.framework, row.skill)
                if row.to_level > self.levels.get(key, 0.0):
                    self.levels[key] = row.to_level
                    at_hand.extend(waiting[key])

    def _enters(self, course: Course) -> bool:
        enough = all(self._reaches(row.framework, row.skill, row.from_level) for row in course.teaches)
        return enough and all(one.holds(self.open.__contains__, self._reaches) for one in course.requires)

    def _reaches(self, framework: str, skill: str, level: float) -> bool:
        return self.levels.get((framework, skill), 0.0) >= level


def _cycles(closed: Mapping[str, Course]) -> Iterator[list[str]]:
    """Yield, for each group of courses that require each other, a shortest cycle through its smallest id."""
    after = {
        name: sorted({one for one in courses_named(course.requires) if one in closed})
        for name, course in closed.items()
    }
    for group in _components(after):
        first = min(group)
        if len(group) > 1 or first in after[first]:
            yield _cycle(first, group, after)


def _components(after: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """Yield the strongly connected components of a graph (Tarjan 1972), without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    held: list[str] = []
    on_stack: set[str] = set()
    for root in sorted(after):
        work = [(root, iter(after[root]))] if root not in index else []
        if work:
            index[root] = low[root] = len(index)
            held.append(root)
            on_stack.add(root)
        while work:
            name, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    held.append(other)
                    on_stack.add(other)
                    work.append((other, iter(after[other])))
                    break
                if other in on_stack:
                    low[name] = min(low[name], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    group: set[str] = set()
                    while name not in group:
                        group.add(held.pop())
                    on_stack -= group
                    yield group


def _cycle(first: str, group: set[str], after: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a shortest path from a course back to itself, within its group."""
    came: dict[str, str] = {}
    row = deque([first])
    while row:
        name = row.popleft()
        for other in after[name]:
            if other == first:
                way = [name]
                while way[-1] != first:
                    way.append(came[way[-1]])
                return way[::-1]
            if other in group and other not in came:
                came[other] = name
                row.append(other)
    return sorted(group)


def _unreachable(
    framework: Framework, courses: Sequence[Course], reached: Mapping[Skill, float]
) -> Iterator[UnreachableLevel]:
    taught: dict[str, float] = defaultdict(float)
    for course in courses:
        for row in course.teaches:
            if row.framework == framework.id:
                taught[row.skill] = max(taught[row.skill], row.to_level)
    for one in framework.requirements:
        led = reached.get((framework.id, one.skill), 0.0)
        if led < one.level:
            top = taught[one.skill]
            cause: Literal["no_course", "no_way"] = "no_course" if top < one.level else "no_way"
            yield UnreachableLevel(framework.id, one.job_group, one.stage, one.skill, one.level, top, led, cause)


def _twins(courses: Sequence[Course]) -> list[list[str]]:
    """Return lists of courses with the same title and provider, or the same address."""
    groups: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for course in courses:
        provider = folded(course.provider.th or course.provider.en or "")
        for title in filter(None, (course.title.th, course.title.en)):
            if letters := letters_of(title):
                groups["title", letters, provider].add(course.id)
        if course.url:
            groups["url", course.url.rstrip("/")].add(course.id)
    return [list(group) for group in sorted({tuple(sorted(group)) for group in groups.values() if len(group) > 1})]


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
