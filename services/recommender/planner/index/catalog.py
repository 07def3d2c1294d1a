"""The catalog in memory: immutable snapshots of all tenants, and each tenant's view of one.

A change makes a new snapshot that shares everything unchanged: a large base segment, and an overlay with the few
courses that changed since. `Snapshot.build` builds the expensive parts before a snapshot is used for plans; all other
parts are built when a plan first needs them.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommender.planner.course_spec import CourseSpec, course_spec
from services.recommender.planner.index.graph import IndexedGraph, build_graph
from services.recommender.planner.index.segment import (
    CHAMPIONS_FROM,
    Ints,
    Segment,
    champions_of,
    overlay_ranks,
    part_of,
    segment_of,
)
from services.recommender.planner.index.vocabulary import MODALITIES, VOCABULARY, EncodedCourse
from services.recommender.planner.params import PARAMS
from shared.domain import SHARED_TENANT, Course, Framework, Profile

K = TypeVar("K")

MERGE_THRESHOLD = PARAMS.merge_threshold
UNMERGED = 16 * MERGE_THRESHOLD
"""The most changes that are kept beside a base while no plan uses the courses."""
MAX_COST_PROFILES = PARAMS.max_cost_profiles
MAX_OVERLAYS = PARAMS.max_overlays
_decoder = msgspec.msgpack.Decoder(Course)


@lru_cache(maxsize=4096)
def decoded(encoded: bytes) -> Course:
    """Return the course that an entry of the index encodes; the results are cached."""
    return _decoder.decode(encoded)


@lru_cache(maxsize=4096)
def decoded_spec(encoded: bytes) -> CourseSpec:
    """Return the course that an entry of the index encodes, in the planner's form; the results are cached."""
    return course_spec(decoded(encoded))


class BaseSegment:
    """Many courses, sorted by id, with columns that are built on first use."""

    def __init__(self, entries: Mapping[str, EncodedCourse]) -> None:
        self.entries = entries
        self._lock = Lock()
        self._graphs: dict[bool, IndexedGraph] = {}
        self._cost_profiles: dict[Hashable, Any] = {}

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the courses, by number."""
        return sorted(self.entries)

    @cached_property
    def segment(self) -> Segment:
        """The segment of all courses."""
        return segment_of([self.entries[name] for name in self.ids], len(VOCABULARY.skills))

    @cached_property
    def champions(self) -> tuple[Segment, NDArray[np.int32]] | None:
        """The segment of the C champions, and (C,) their numbers among all courses; None if the catalog is small."""
        if self.segment.size <= CHAMPIONS_FROM:
            return None
        numbers = champions_of(self.segment, *VOCABULARY.conditions.read())
        return part_of(self.segment, numbers), numbers

    def graph(self, *, champions: bool) -> IndexedGraph:
        """Return the prerequisite graph of all courses; with `champions` that of the champions, if there are any.

        Each graph is built once.
        """
        with self._lock:
            if (found := self._graphs.get(champions)) is None:
                segment = self.champions[0] if champions and self.champions else self.segment
                found = self._graphs[champions] = build_graph(segment, segment_of([], 0), VOCABULARY.conditions)
            return found

    def cost_profile(self, key: Hashable, make: Callable[[], K]) -> K:
        """Return the cost profile for a key, from the cache or made by `make`.

        The cache keeps the MAX_COST_PROFILES that were used last.
        """
        with self._lock:
            if key in self._cost_profiles:
                known: K = self._cost_profiles.pop(key)
                self._cost_profiles[key] = known
                return known
        found = make()
        with self._lock:
            self._cost_profiles[key] = found
            if len(self._cost_profiles) > MAX_COST_PROFILES:
                del self._cost_profiles[next(iter(self._cost_profiles))]
        return found

    def build(self) -> None:
        """Build the champions, and the segment of all courses that they come from, once for all threads."""
        with self._lock:
            _ = self.champions


class TenantCatalog:
    """The courses that a tenant sees: a base, and an `overlay` of course id -> entry, None for a deleted course."""

    def __init__(self, base: BaseSegment, overlay: Mapping[str, EncodedCourse | None]) -> None:
        self.base = base
        self.overlay = overlay
        self._graphs: dict[bool, IndexedGraph] = {}
        self._deleted: dict[int, Ints] = {}

    def entry(self, course_id: str) -> EncodedCourse | None:
        """Return the stored entry of a course; None if the course is not visible."""
        return self.overlay[course_id] if course_id in self.overlay else self.base.entries.get(course_id)

    @cached_property
    def delta(self) -> tuple[Segment, list[str]]:
        """The segment of the overlay, and the ids of its courses."""
        entries = sorted((entry for entry in self.overlay.values() if entry), key=lambda entry: entry.id)
        ranks = overlay_ranks([bisect_left(self.base.ids, entry.id) for entry in entries])
        return segment_of(entries, len(VOCABULARY.skills), ranks), [entry.id for entry in entries]

    @cached_property
    def overlay_names(self) -> frozenset[int]:
        """The ids of the overlay's courses, as their numbers in the vocabulary."""
        return frozenset(VOCABULARY.courses[course_id] for course_id in self.overlay if course_id in VOCABULARY.courses)

    def deleted(self, segment: Segment) -> Ints:
        """Return int32 positions in `segment` of courses that the overlay replaces or deletes."""
        if (found := self._deleted.get(segment.size)) is None:
            numbers = segment.find(sorted(self.overlay_names))
            found = self._deleted[segment.size] = numbers[numbers >= 0]
        return found

    def graph(self, *, champions: bool) -> IndexedGraph:
        """Return the graph that the planner searches: the whole base or its champions, with the overlay."""
        if (found := self._graphs.get(champions)) is None:
            base = self.base.champions[0] if champions and self.base.champions else self.base.segment
            found = self.base.graph(champions=champions)
            if self.delta[0].size:
                found = build_graph(base, self.delta[0], VOCABULARY.conditions, found.names)
            self._graphs[champions] = found
        return found

    def build(self) -> None:
        """Build the base, and the graph that most plans search: that of the champions if there are any."""
        self.base.build()
        self.graph(champions=self.base.champions is not None)


@dataclass(frozen=True)
class View:
    """What one tenant sees: shared entries and its own; an entry of its own hides the shared one of the same id."""

    tenant: str
    catalog_revision: int
    catalog: TenantCatalog
    frameworks: Mapping[str, Framework]
    shared_frameworks: Mapping[str, Framework] = field(default_factory=dict)

    def course(self, course_id: str) -> Course | None:
        """Return a visible course; None if there is none with this id."""
        entry = self.catalog.entry(course_id)
        return decoded(entry.encoded) if entry else None

    def courses_like(self, name: str) -> list[str]:
        """Return the ids of the visible courses whose folded id is `name`.

        `name`: folded (`shared.texts.folded`).
        """
        catalog, names = self.catalog, VOCABULARY.courses_like([name])
        delta, ids = catalog.delta
        found = [ids[n] for n in delta.find(names).tolist() if n >= 0]
        base = [n for n in catalog.base.segment.find(names).tolist() if n >= 0]
        return found + [course for course in (catalog.base.ids[n] for n in base) if course not in catalog.overlay]

    def providers(self) -> frozenset[str]:
        """Return the titles of all providers of visible courses, folded (`shared.texts.folded`)."""
        names = list(VOCABULARY.providers)
        return frozenset(title for number in self._held("provider") for title in names[number])

    def languages(self) -> frozenset[str]:
        """Return the languages of all visible courses."""
        names = list(VOCABULARY.language_sets)
        return frozenset(language for number in self._held("languages") for language in names[number])

    def modalities(self) -> frozenset[str]:
        """Return the modalities of all visible courses."""
        return frozenset(MODALITIES[number] for number in self._held("modality"))

    def _held(self, field: str) -> list[int]:
        base, delta = self.catalog.base.segment, self.catalog.delta[0]
        seen = np.delete(base.info[field][:-1], self.catalog.deleted(base))
        return np.union1d(seen, delta.info[field][:-1]).tolist()  # type: ignore[no-any-return]

    def spec(self, course_id: str) -> CourseSpec | None:
        """Return a visible course in the planner's form; None if there is none with this id."""
        entry = self.catalog.entry(course_id)
        return decoded_spec(entry.encoded) if entry else None

    def framework(self, framework_id: str) -> Framework | None:
        """Return a visible framework; None if there is none with this id."""
        return self.frameworks.get(framework_id)

    def arrived(self, profile: Profile) -> Framework | None:
        """Return the framework to plan an officer by; None if the version that the profile names has not arrived.

        Versions are compared per owner: the tenant's own framework replaces the shared one whatever its number. A
        profile without an owner names a version of one of the two; it has arrived if either has reached that number.
        """
        found, shared = self.frameworks.get(profile.framework), self.shared_frameworks.get(profile.framework)
        if found is None:
            return None
        owner = SHARED_TENANT if found is shared else self.tenant
        if profile.framework_owner is None:
            late = max(one.version for one in (found, shared) if one) < profile.framework_version
        elif profile.framework_owner == owner:
            late = found.version < profile.framework_version
        else:
            late = owner == SHARED_TENANT
        return None if late else found


@dataclass(frozen=True)
class TenantCourses:
    """The courses of one tenant: a base, and the entries `changed` since, None for a withdrawn course.

    A new base is a copy of all courses. Changes are collected until a plan uses the courses, at most `UNMERGED`.
    """

    base: BaseSegment
    changed: Mapping[str, EncodedCourse | None]

    def put(self, changes: Mapping[str, EncodedCourse | None]) -> "TenantCourses":
        """Return the courses after `changes`: course id -> new entry; None: the course is withdrawn."""
        known: TenantCourses = self.__dict__.get("settled", self)
        after = TenantCourses(known.base, {**known.changed, **changes})
        return after if len(after.changed) <= UNMERGED else after.settled

    @cached_property
    def settled(self) -> "TenantCourses":
        """The same courses as plans use them: with a new base if many have changed."""
        if len(self.changed) <= MERGE_THRESHOLD:
            return self
        return TenantCourses(BaseSegment({name: entry for name, entry in self.entries.items() if entry}), {})

    @property
    def entries(self) -> dict[str, EncodedCourse | None]:
        """All entries; None for withdrawn courses of the base."""
        return {**self.base.entries, **self.changed}


_NO_COURSES = TenantCourses(BaseSegment({}), {})


@dataclass(frozen=True)
class Snapshot:
    """The whole catalog at one `catalog_revision`. Immutable."""

    catalog_revision: int = 0
    courses: Mapping[str, TenantCourses] = field(default_factory=dict)
    frameworks: Mapping[str, Mapping[str, Framework]] = field(default_factory=dict)
    _catalogs: dict[str, TenantCatalog] = field(default_factory=dict, repr=False, compare=False)

    def own_course(self, tenant: str, course_id: str) -> Course | None:
        """Return a course of the tenant itself; for the tenant `shared`, a shared course."""
        held = self.courses.get(tenant, _NO_COURSES)
        entry = held.changed[course_id] if course_id in held.changed else held.base.entries.get(course_id)
        return decoded(entry.encoded) if entry else None

    def framework_version(self, tenant: str, framework: str) -> int:
        """Return the version of a tenant's own framework; 0 if there is none."""
        held = self.frameworks.get(tenant, {}).get(framework)
        return held.version if held else 0

    def put_courses(self, tenant: str, courses: Iterable[Course], catalog_revision: int) -> "Snapshot":
        """Return a snapshot in which many courses of one tenant are new or changed; one call copies less than many."""
        return self.changed({tenant: {course.id: course for course in courses}}, {}, catalog_revision)

    def put_framework(self, tenant: str, framework: Framework, catalog_revision: int) -> "Snapshot":
        """Return a snapshot in which a framework is new or changed. Courses and their indexes stay."""
        return self.changed({}, {tenant: {framework.id: framework}}, catalog_revision)

    def changed(
        self,
        courses: Mapping[str, Mapping[str, Course | None]],
        frameworks: Mapping[str, Mapping[str, Framework]],
        catalog_revision: int,
    ) -> "Snapshot":
        """Return a snapshot in which courses and frameworks of any tenants are new or changed, at a later revision.

        `courses`: {tenant: {course id: course, or None if it is withdrawn}}. `frameworks`: {tenant: {id: framework}}.
        """
        # Copied, because a plan in another thread may add a catalog meanwhile.
        kept = {} if SHARED_TENANT in courses else dict(self._catalogs)
        held = dict(self.courses)
        for tenant, changes in courses.items():
            kept.pop(tenant, None)
            entries = {name: VOCABULARY.entry(course) if course else None for name, course in changes.items()}
            held[tenant] = held.get(tenant, _NO_COURSES).put(entries)
        found = {tenant: {**self.frameworks.get(tenant, {}), **changes} for tenant, changes in frameworks.items()}
        revision = max(self.catalog_revision, catalog_revision)
        return Snapshot(revision, held, {**self.frameworks, **found}, kept)

    def view(self, tenant: str) -> View:
        """Return what a tenant sees of this snapshot: its own courses and frameworks, and the shared ones."""
        shared = self.frameworks.get(SHARED_TENANT, {})
        frameworks = {**shared, **self.frameworks.get(tenant, {})}
        return View(tenant, self.catalog_revision, self._catalog(tenant), frameworks, shared)

    @property
    def viewed(self) -> list[str]:
        """The tenants, `shared` or with courses of their own, for whose view this snapshot has built a catalog."""
        return list(self._catalogs)

    def build(self, tenants: Iterable[str] = ()) -> None:
        """Build what most plans need: of the shared courses, and of each of `tenants` that has a base of its own."""
        shared = self._catalog(SHARED_TENANT)
        shared.build()
        for tenant in tenants:
            if (catalog := self._catalog(tenant)).base is not shared.base:
                catalog.build()

    def _catalog(self, tenant: str) -> TenantCatalog:
        name = tenant if tenant in self.courses else SHARED_TENANT  # tenants without courses of their own share one
        if (catalog := self._catalogs.get(name)) is None:
            catalog = self._catalogs[name] = self._new_catalog(name)
            self._drop_oldest()
        return catalog

    def _drop_oldest(self) -> None:
        """Keep the newest MAX_OVERLAYS catalogs of tenants that share the base: each has arrays over all skills."""
        shared = self._catalog(SHARED_TENANT).base
        # A list, because a plan in another thread may add a catalog meanwhile.
        overlays = [one for one, held in list(self._catalogs.items()) if held.base is shared and one != SHARED_TENANT]
        for tenant in overlays[:-MAX_OVERLAYS]:
            self._catalogs.pop(tenant, None)

    def _new_catalog(self, tenant: str) -> TenantCatalog:
        shared = self.courses.get(SHARED_TENANT, _NO_COURSES).settled
        if tenant == SHARED_TENANT:
            return TenantCatalog(shared.base, shared.changed)
        own = {name: entry for name, entry in self.courses[tenant].entries.items() if entry}
        if len(own) + len(shared.changed) <= MERGE_THRESHOLD:
            return TenantCatalog(shared.base, {**shared.changed, **own})
        merged = {name: entry for name, entry in {**shared.entries, **own}.items() if entry}
        return TenantCatalog(BaseSegment(merged), {})
