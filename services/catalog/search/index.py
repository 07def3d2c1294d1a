"""Builds the search index from the events of the catalog. Pure.

As in every reader, an event is used only if its stamp is above the largest stamp that was applied.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.catalog.search.tenant import TenantCourses
from shared.domain import SHARED_TENANT, Course, Framework
from shared.events import CoursePublished, CourseWithdrawn, Event, FrameworkPublished

Required = dict[str, frozenset[str]]
"""{id of a job group: ids of the skills that it requires}, of one framework."""
Offering = dict[str, tuple[str, ...]]
"""{id of a course: the tenants that have, or once had, a course of their own with this id}."""


@dataclass(frozen=True)
class SearchIndex:
    """The courses of every tenant, and the skills that job groups require, at a revision of the catalog.

    `owners`: {tenant: its courses}. `required`: {tenant: {framework id: {job group: skills}}}. `untidy`: the tenants
    whose courses have changed since `tidy`. `offering`: one object of all the indexes folded from one another, to which
    only the thread that folds adds; it reads it alone.
    """

    owners: Mapping[str, TenantCourses]
    required: Mapping[str, Mapping[str, Required]]
    revision: int = 0
    untidy: frozenset[str] = frozenset()
    offering: Offering = field(default_factory=dict)

    @classmethod
    def empty(cls) -> "SearchIndex":
        """Return an index without courses."""
        return cls({}, {})

    def sees(self, tenant: str) -> list[tuple[str, TenantCourses]]:
        """Return what a tenant sees as (owner, courses of the owner): the tenant's own, then the shared ones.

        An owner without courses is left out.
        """
        names = dict.fromkeys((tenant, SHARED_TENANT))
        return [(name, self.owners[name]) for name in names if name in self.owners]

    def hidden(self, tenant: str) -> frozenset[str]:
        """Return the ids of the shared courses that a tenant's own courses with the same ids hide."""
        return self.owners[tenant].hides if tenant != SHARED_TENANT and tenant in self.owners else frozenset()

    def frameworks(self, tenant: str) -> dict[str, Required]:
        """Return {framework id: required skills} for the frameworks that a tenant sees.

        A framework of the tenant hides the shared one with the same id.
        """
        return {**self.required.get(SHARED_TENANT, {}), **self.required.get(tenant, {})}

    @property
    def courses(self) -> int:
        """The number of live courses of all tenants together."""
        return sum(map(len, self.owners.values()))


def fold_events(index: SearchIndex, events: Iterable[Event]) -> SearchIndex:
    """Return a new index with the changes of events, which must be in the order of the topic.

    `index` itself stays unchanged.
    """
    changes: defaultdict[str, dict[str, Course | None]] = defaultdict(dict)
    required = dict(index.required)
    revision = index.revision
    for event in events:
        if event.catalog_revision <= revision:
            continue
        revision = event.catalog_revision
        if isinstance(event.data, CoursePublished):
            changes[event.data.tenant][event.data.course.id] = event.data.course
        elif isinstance(event.data, CourseWithdrawn):
            changes[event.data.tenant][event.data.course] = None
        elif isinstance(event.data, FrameworkPublished):
            tenant, framework = event.data.tenant, event.data.framework
            required[tenant] = {**required.get(tenant, {}), framework.id: _required(framework)}
    owners = dict(index.owners)
    for tenant, courses in changes.items():
        owners[tenant] = (owners.get(tenant) or TenantCourses.none()).changed(courses)
        if tenant != SHARED_TENANT:
            _offer(index.offering, tenant, courses)
    for tenant, ids in _affected(changes, index.offering).items():
        if tenant in owners:  # not if the fold that added it to `offering` failed
            owners[tenant] = _hiding(owners[tenant], owners.get(SHARED_TENANT), ids)
    return SearchIndex(owners, required, revision, index.untidy | changes.keys(), index.offering)


def tidy(index: SearchIndex) -> SearchIndex:
    """Return an equal index with fewer segments. This may take a second."""
    owners = {**index.owners, **{tenant: index.owners[tenant].tidied() for tenant in index.untidy}}
    return replace(index, owners=owners, untidy=frozenset())


def _offer(offering: Offering, tenant: str, courses: Iterable[str]) -> None:
    for course in courses:
        if tenant not in (tenants := offering.get(course, ())):
            offering[course] = (*tenants, tenant)


def _affected(changes: Mapping[str, Iterable[str]], offering: Offering) -> dict[str, set[str]]:
    """Return {tenant: ids of shared courses that it may hide now, or no longer}, without `shared`."""
    affected = defaultdict[str, set[str]](set)
    for changed, courses in changes.items():
        for course in courses:
            for tenant in offering.get(course, ()) if changed == SHARED_TENANT else (changed,):
                affected[tenant].add(course)
    return affected


def _hiding(own: TenantCourses, shared: TenantCourses | None, courses: set[str]) -> TenantCourses:
    """Return a tenant's courses after finding out again which of these shared courses they hide."""
    both = {name for name in courses if name in own and shared and name in shared}
    hides = (own.hides - courses) | both
    return own if hides == own.hides else replace(own, hides=hides)


def _required(framework: Framework) -> Required:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in framework.requirements:
        if row.level > 0:
            found[row.job_group].add(row.skill)
    return {group.id: frozenset(found[group.id]) for group in framework.job_groups}
