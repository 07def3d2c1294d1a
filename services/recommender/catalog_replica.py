"""The catalog as followed by this replica: the current snapshot, and when each subject changed. No I/O.

A stamp that is not above the largest applied one is an old or repeated record, and changes nothing. Events are applied
in a thread to a new snapshot, and another thread builds its indexes; the event loop installs it in one step (see
"Threads" in docs/architecture.md).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from services.recommender.planner.index.catalog import Snapshot
from shared.domain import SHARED_TENANT, Course
from shared.events import CoursePublished, CourseWithdrawn, Event, FrameworkPublished

_MANY = 2000

PlanField = Literal["courses", "open_skills", "framework_id"]
"""The field of a stored plan that names what a catalog change may concern."""


class PlanSummary(msgspec.Struct, frozen=True):
    """The fields that decide whether a plan is newer than an event, and whether it must be replanned.

    `considered` is the catalog revision up to which the plan is known to be valid; `framework` is `id@version`;
    `courses` are those of the path, in order; `open_skills` are `framework/skill`; `rules` is the version of the
    tenant's rules; `stale`: feedback was stored that the path does not follow yet.
    """

    profile_sequence: int
    revision: int
    tenant: str
    considered: int = 0
    erased: bool = False
    framework: str = ""
    courses: list[str] = []
    open_skills: list[str] = []
    feedback_sequence: int = 0
    rules: int = 0
    stale: bool = False


Revisions = dict[tuple[str, str], int]
"""(tenant, name) -> the catalog revision of the last change."""


class FoldedCatalog(NamedTuple):
    """The next snapshot, and the stamps of what the folded events changed."""

    snapshot: Snapshot
    courses: Revisions
    skills: Revisions
    frameworks: Revisions

    def after(self, earlier: "FoldedCatalog") -> "FoldedCatalog":
        """Return both folds as one. This one began with the snapshot of the earlier one."""
        return FoldedCatalog(
            self.snapshot,
            earlier.courses | self.courses,
            earlier.skills | self.skills,
            earlier.frameworks | self.frameworks,
        )


def fold_events(snapshot: Snapshot, events: Iterable[Event]) -> FoldedCatalog:
    """Return the next snapshot after events, in the order of the log.

    Consecutive courses of one tenant are applied together, without the fields that no path uses: most of a catalog is
    descriptions. A change of only these has no stamp.
    """
    found = FoldedCatalog(snapshot, {}, {}, {})
    waiting: dict[str, Course] = {}
    tenant, stamp = "", snapshot.catalog_revision
    for event in events:
        if event.catalog_revision <= stamp:
            continue
        stamp = event.catalog_revision
        published = event.data if isinstance(event.data, CoursePublished) else None
        if waiting and (published is None or published.tenant != tenant):
            snapshot = snapshot.put_courses(tenant, waiting.values(), stamp - 1)
            waiting = {}
        if published:
            tenant, course = published.tenant, published.course
            former = waiting.get(course.id) or snapshot.own_course(tenant, course.id)
            waiting[course.id] = _as_planned_with(course)
            if former is not None and _as_planned_with(former) == waiting[course.id]:
                continue
            found.courses[tenant, course.id] = stamp
            taught = [(row.framework, row.skill) for row in course.teaches]
            for framework, skill in (*taught, *((row.framework, row.skill) for row in course.matched)):
                found.skills[tenant, f"{framework}/{skill}"] = stamp
        elif isinstance(event.data, CourseWithdrawn):
            found.courses[event.data.tenant, event.data.course] = stamp
            snapshot = snapshot.withdraw_course(event.data.tenant, event.data.course, stamp)
        elif isinstance(event.data, FrameworkPublished):
            found.frameworks[event.data.tenant, event.data.framework.id] = stamp
            snapshot = snapshot.put_framework(event.data.tenant, event.data.framework, stamp)
    if waiting:
        snapshot = snapshot.put_courses(tenant, waiting.values(), stamp)
    return found._replace(snapshot=snapshot.at(stamp))


def _as_planned_with(course: Course) -> Course:
    """Return a course without the fields that neither the planner nor a path uses."""
    return msgspec.structs.replace(
        course,
        description=None,
        accredited_against=[],
        example=False,
        code=None,
        tags=[],
        educational_level=None,
        corequisites=[],
        antirequisites=[],
        starts=None,
        ends=None,
        stated={},
        assumed=[],
    )


class CatalogReplica:
    """The current snapshot, and which plans a change affects. Only the event loop reads and writes it."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self._courses: Revisions = {}
        self._skills: Revisions = {}
        self._frameworks: Revisions = {}

    @property
    def revision(self) -> int:
        """The largest catalog revision applied."""
        return self.snapshot.catalog_revision

    @property
    def has_framework(self) -> bool:
        """Whether at least one framework has been received."""
        return bool(self._frameworks)

    def take(self, news: FoldedCatalog) -> None:
        """Install a snapshot with the stamps of all that changed since the current one."""
        self.snapshot = news.snapshot
        self._courses.update(news.courses)
        self._skills.update(news.skills)
        self._frameworks.update(news.frameworks)

    def is_stale(self, plan: PlanSummary) -> bool:
        """Return whether a plan contains a changed course, leaves open what one teaches, or is out of date.

        Out of date: computed under an older version of its framework, or of the officer's statements. Costs one
        comparison if nothing has changed.
        """
        if plan.stale:
            return True
        if plan.considered >= self.revision or plan.erased:
            return False
        seen = (SHARED_TENANT, plan.tenant)
        framework = plan.framework.partition("@")[0]
        stamps: Iterator[int] = (
            changed.get((tenant, name), 0)
            for changed, names in (
                (self._courses, plan.courses),
                (self._skills, plan.open_skills),
                (self._frameworks, [framework]),
            )
            for name in names
            for tenant in seen
        )
        return any(stamp > plan.considered for stamp in stamps)

    def changes_since(self, revision: int) -> dict[tuple[str, PlanField], list[str]] | None:
        """Return (tenant, field of a plan) -> what changed after a revision; None if it is too much to list."""
        fields: dict[PlanField, Revisions] = {
            "courses": self._courses,
            "open_skills": self._skills,
            "framework_id": self._frameworks,
        }
        names: dict[tuple[str, PlanField], list[str]] = defaultdict(list)
        for field, changed in fields.items():
            for (tenant, name), stamp in changed.items():
                if stamp > revision:
                    names[tenant, field].append(name)
        return None if sum(map(len, names.values())) > _MANY else dict(names)
