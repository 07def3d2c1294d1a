"""The catalog as followed by this replica: the current snapshot, and when each subject changed. No I/O.

A record whose stamp is not above the largest applied one is old or repeated, and changes nothing. Events are applied in
a thread to a new snapshot, and another thread builds its indexes; the event loop installs it in one step (see "Threads"
in docs/architecture.md).
"""

from collections import defaultdict
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

import msgspec

from services.recommender.planner.index.catalog import Snapshot
from services.recommender.provenance import PlanField, PlanHead
from shared.domain import SHARED_TENANT, Course, Framework, MatchedRow, Teaches
from shared.events import CoursePublished, CourseWithdrawn, Event, FrameworkPublished

_MANY = 2000

Stamps = dict[tuple[str, PlanField, str], int]
"""(tenant, field of a plan, name in it) -> the catalog revision of the last change."""


class FoldedCatalog(NamedTuple):
    """A snapshot to which events have been applied, and the stamps of what these events changed."""

    snapshot: Snapshot
    stamps: Stamps

    def after(self, earlier: "FoldedCatalog") -> "FoldedCatalog":
        """Return this fold with the stamps of an earlier one, from whose snapshot it continued."""
        return FoldedCatalog(self.snapshot, earlier.stamps | self.stamps)


def fold_events(snapshot: Snapshot, events: Iterable[Event]) -> FoldedCatalog:
    """Return the snapshot after `events`, with the stamps of what they changed. `events`: in the order of the topic.

    All are applied together, since each new snapshot copies the list of tenants, and courses without the fields that no
    path uses: most of a catalog is descriptions. A course in which only such fields changed gets no stamp.
    """
    stamps: Stamps = {}
    courses: defaultdict[str, dict[str, Course | None]] = defaultdict(dict)
    frameworks: defaultdict[str, dict[str, Framework]] = defaultdict(dict)
    stamp = snapshot.catalog_revision
    for event in events:
        if event.catalog_revision <= stamp:
            continue
        stamp = event.catalog_revision
        if isinstance(event.data, CoursePublished):
            tenant, course = event.data.tenant, event.data.course
            changed = courses[tenant]
            former = changed[course.id] if course.id in changed else snapshot.own_course(tenant, course.id)
            changed[course.id] = after = _as_planned_with(course)
            if former is not None and _as_planned_with(former) == after:
                continue
            stamps[tenant, "courses", course.id] = stamp
            rows: list[Teaches | MatchedRow] = [*course.teaches, *course.matched]
            for row in rows:
                stamps[tenant, "open_skills", f"{row.framework}/{row.skill}"] = stamp
        elif isinstance(event.data, CourseWithdrawn):
            stamps[event.data.tenant, "courses", event.data.course] = stamp
            courses[event.data.tenant][event.data.course] = None
        elif isinstance(event.data, FrameworkPublished):
            stamps[event.data.tenant, "framework_id", event.data.framework.id] = stamp
            frameworks[event.data.tenant][event.data.framework.id] = event.data.framework
    return FoldedCatalog(snapshot.changed(courses, frameworks, stamp), stamps)


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
    """The current snapshot, and which plans a change affects. Only the event loop reads and writes it.

    `has_framework`: whether at least one framework has been received.
    """

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.has_framework = False
        self._stamps: Stamps = {}
        """In the order of the stamps."""

    @property
    def revision(self) -> int:
        """The largest catalog revision applied."""
        return self.snapshot.catalog_revision

    def take(self, news: FoldedCatalog) -> None:
        """Install a snapshot, with the stamps of all that changed since the current one."""
        self.snapshot = news.snapshot
        for name, stamp in sorted(news.stamps.items(), key=itemgetter(1)):
            self._stamps.pop(name, None)
            self._stamps[name] = stamp
        self.has_framework = self.has_framework or any(field == "framework_id" for _, field, _ in news.stamps)

    def is_stale(self, plan: PlanHead) -> bool:
        """Return whether a path is stale: it does not follow feedback or a change of the catalog that concerns it.

        A change concerns a plan if it is of a course in the path, of a course that teaches a skill that the path leaves
        open, or of the officer's framework. Costs one comparison if nothing has changed.
        """
        if plan.stale:
            return True
        if plan.considered >= self.revision or plan.erased:
            return False
        fields: tuple[tuple[PlanField, list[str]], ...] = (
            ("courses", plan.courses),
            ("open_skills", plan.open_skills),
            ("framework_id", [plan.framework.partition("@")[0]]),
        )
        return any(
            self._stamps.get((tenant, field, name), 0) > plan.considered
            for field, names in fields
            for name in names
            for tenant in (SHARED_TENANT, plan.tenant)
        )

    def changes_since(self, revision: int) -> dict[tuple[str, PlanField], list[str]] | None:
        """Return (tenant, field of a plan) -> the names that changed after a revision.

        None if more than 2,000 changed. Only these stamps are read, not those of all that ever changed.
        """
        names: dict[tuple[str, PlanField], list[str]] = defaultdict(list)
        for count, ((tenant, field, name), stamp) in enumerate(reversed(self._stamps.items())):
            if stamp <= revision:
                break
            if count == _MANY:
                return None
            names[tenant, field].append(name)
        return dict(names)
