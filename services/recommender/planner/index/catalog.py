"""The catalogue in memory: immutable snapshots of all tenants, and what each tenant sees of one, ready for the planner.

A change makes a new snapshot that shares everything it did not touch: a large base, and beside it the few courses that
changed since. What is costly is built when a view is first asked for it, by whoever plans, never by whoever changes.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommender.planner.course_spec import Offer, offer_of
from services.recommender.planner.index.graph import Mesh, mesh_beside, mesh_of
from services.recommender.planner.index.segment import (
    CHAMPIONS_FROM,
    PROVIDER,
    TONGUE,
    Ints,
    Segment,
    champions_of,
    columns_of,
    part_of,
    ranks_beside,
    segment_of,
)
from services.recommender.planner.index.vocabulary import NAMES, Entry
from shared.skills import SHARED_TENANT, Course, Framework, Profile

K = TypeVar("K")

MERGE_AT = 512
"""Changed courses beside a base; with one more they become part of a new base."""


KINDS = 32
"""Kinds of officers (framework, languages, rules) whose prices are kept per base."""

_decoder = msgspec.msgpack.Decoder(Course)


@lru_cache(maxsize=4096)
def decoded(encoded: bytes) -> Course:
    """Return the course of an entry."""
    return _decoder.decode(encoded)


@lru_cache(maxsize=4096)
def offered(encoded: bytes) -> Offer:
    """Return the course of an entry as the planner reads it."""
    return offer_of(decoded(encoded))


class Base:
    """Many courses, sorted by id, with their columns made on first use."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = entries
        self._lock = Lock()
        self._meshes: dict[bool, Mesh] = {}
        self._kinds: dict[Hashable, Any] = {}

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the courses, by number."""
        return sorted(self.entries)

    @cached_property
    def segment(self) -> Segment:
        """All courses."""
        return segment_of(columns_of([self.entries[name] for name in self.ids]), len(NAMES.skills))

    @cached_property
    def champions(self) -> tuple[Segment, NDArray[np.int32]] | None:
        """The champions and their numbers among all courses; None where the catalogue is small."""
        if self.segment.size <= CHAMPIONS_FROM:
            return None
        numbers = champions_of(self.segment, *NAMES.needs.read())
        return part_of(self.segment, numbers), numbers

    def mesh(self, *, champions: bool) -> Mesh:
        """Return the net of all courses, or of the champions."""
        with self._lock:
            if (found := self._meshes.get(champions)) is None:
                segment = self.champions[0] if champions and self.champions else self.segment
                found = self._meshes[champions] = mesh_of(segment, NAMES.needs, len(NAMES.skills))
            return found

    def kind(self, key: Hashable, make: Callable[[], K]) -> K:
        """Return the prices for a kind of officer; those asked for last are kept."""
        with self._lock:
            if key in self._kinds:
                known: K = self._kinds.pop(key)
                self._kinds[key] = known
                return known
        found = make()
        with self._lock:
            self._kinds[key] = found
            if len(self._kinds) > KINDS:
                del self._kinds[next(iter(self._kinds))]
        return found

    def build(self) -> None:
        """Make what is made on first use, once, whoever comes first."""
        with self._lock:
            _ = self.champions


class Shelf:
    """The courses that a tenant sees: a base, and beside it `beside` {id: entry, None where it is not to be seen}."""

    def __init__(self, base: Base, beside: Mapping[str, Entry | None]) -> None:
        self.base = base
        self.beside = beside
        self._meshes: dict[bool, Mesh] = {}
        self._hidden: dict[int, Ints] = {}

    def entry(self, course_id: str) -> Entry | None:
        """Return a visible course as it is kept."""
        return self.beside[course_id] if course_id in self.beside else self.base.entries.get(course_id)

    @cached_property
    def near(self) -> tuple[Segment, list[str]]:
        """The courses beside the base, and their ids."""
        entries = sorted((entry for entry in self.beside.values() if entry), key=lambda entry: entry.id)
        ranks = ranks_beside([bisect_left(self.base.ids, entry.id) for entry in entries])
        return segment_of(columns_of(entries), len(NAMES.skills), ranks), [entry.id for entry in entries]

    @cached_property
    def beside_names(self) -> frozenset[int]:
        """The numbers of the names beside the base."""
        return frozenset(NAMES.courses[course_id] for course_id in self.beside if course_id in NAMES.courses)

    def hidden(self, segment: Segment) -> Ints:
        """Return the courses of a segment of the base that have been replaced or withdrawn."""
        if (found := self._hidden.get(segment.size)) is None:
            numbers = segment.find(sorted(self.beside_names))
            found = self._hidden[segment.size] = numbers[numbers >= 0]
        return found

    def mesh(self, *, champions: bool) -> Mesh:
        """Return where the planner looks: the whole base or its champions, and what lies beside."""
        if (found := self._meshes.get(champions)) is None:
            base = self.base.champions[0] if champions and self.base.champions else self.base.segment
            found = self.base.mesh(champions=champions)
            if self.near[0].size:
                found = mesh_beside(found, base, self.near, NAMES.needs)
            self._meshes[champions] = found
        return found


@dataclass(frozen=True)
class View:
    """What one tenant sees: the shared entries and its own, its own standing before a shared one of the same id."""

    tenant: str
    catalogue_revision: int
    shelf: Shelf
    frameworks: Mapping[str, Framework]
    shared_frameworks: Mapping[str, Framework] = field(default_factory=dict)

    def course(self, course_id: str) -> Course | None:
        """Return a visible course."""
        entry = self.shelf.entry(course_id)
        return decoded(entry.encoded) if entry else None

    def courses_like(self, name: str) -> list[str]:
        """Return the ids of the visible courses that are this name, whatever their case."""
        shelf, names = self.shelf, NAMES.courses_like([name])
        near, ids = shelf.near
        found = [ids[n] for n in near.find(names).tolist() if n >= 0]
        base = [n for n in shelf.base.segment.find(names).tolist() if n >= 0]
        return found + [course for course in (shelf.base.ids[n] for n in base) if course not in shelf.beside]

    def providers(self) -> frozenset[str]:
        """Return the titles of all providers of visible courses, as they are compared."""
        names = list(NAMES.providers)
        return frozenset(title for number in self._held(PROVIDER) for title in names[number])

    def languages(self) -> frozenset[str]:
        """Return the languages of all visible courses."""
        names = list(NAMES.tongues)
        return frozenset(language for number in self._held(TONGUE) for language in names[number])

    def _held(self, column: int) -> list[int]:
        base, near = self.shelf.base.segment, self.shelf.near[0]
        seen = np.delete(base.info[:-1, column], self.shelf.hidden(base))
        return np.union1d(seen, near.info[:-1, column]).tolist()  # type: ignore[no-any-return]

    def offer(self, course_id: str) -> Offer | None:
        """Return a visible course as the planner reads it."""
        entry = self.shelf.entry(course_id)
        return offered(entry.encoded) if entry else None

    def framework(self, framework_id: str) -> Framework | None:
        """Return a visible framework."""
        return self.frameworks.get(framework_id)

    def arrived(self, profile: Profile) -> Framework | None:
        """Return the framework to plan an officer by; None while the one that the profile was written under is late.

        Versions of one owner are compared and no others: the tenant's own framework takes the place of the shared one
        whatever its number. A profile that names no owner was written under one of the two.
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
class Courses:
    """The courses of one tenant: a base, and what changed since, None where withdrawn."""

    base: Base
    changed: Mapping[str, Entry | None]

    def put(self, changes: Mapping[str, Entry | None]) -> "Courses":
        """Return the courses with changes; with many, on a new base."""
        changed = {**self.changed, **changes}
        if len(changed) <= MERGE_AT:
            return Courses(self.base, changed)
        merged = {name: entry for name, entry in {**self.base.entries, **changed}.items() if entry}
        return Courses(Base(merged), {})

    @property
    def entries(self) -> dict[str, Entry | None]:
        """All of them, and which are withdrawn of the base."""
        return {**self.base.entries, **self.changed}


_NO_COURSES = Courses(Base({}), {})


@dataclass(frozen=True)
class Snapshot:
    """The whole catalogue at one `catalogue_revision`. Never changed, only succeeded."""

    catalogue_revision: int = 0
    courses: Mapping[str, Courses] = field(default_factory=dict)
    frameworks: Mapping[str, Mapping[str, Framework]] = field(default_factory=dict)
    _shelves: dict[str, Shelf] = field(default_factory=dict, repr=False, compare=False)

    def own_course(self, tenant: str, course_id: str) -> Course | None:
        """Return a course of a tenant's own, or a shared one where that is the tenant."""
        held = self.courses.get(tenant, _NO_COURSES)
        entry = held.changed[course_id] if course_id in held.changed else held.base.entries.get(course_id)
        return decoded(entry.encoded) if entry else None

    def put_course(self, tenant: str, course: Course, catalogue_revision: int) -> "Snapshot":
        """Return the snapshot with a course new or changed."""
        return self.put_courses(tenant, [course], catalogue_revision)

    def put_courses(self, tenant: str, courses: Iterable[Course], catalogue_revision: int) -> "Snapshot":
        """Return the snapshot with many courses of one tenant new or changed: one copy for all of them."""
        return self._with_courses(tenant, {course.id: NAMES.entry(course) for course in courses}, catalogue_revision)

    def withdraw_course(self, tenant: str, course_id: str, catalogue_revision: int) -> "Snapshot":
        """Return the snapshot without a course; a shared one of the same id comes into sight again."""
        return self._with_courses(tenant, {course_id: None}, catalogue_revision)

    def put_framework(self, tenant: str, framework: Framework, catalogue_revision: int) -> "Snapshot":
        """Return the snapshot with a framework new or changed. Courses, and what is built on them, stay."""
        mine = {**self.frameworks.get(tenant, {}), framework.id: framework}
        revision = max(self.catalogue_revision, catalogue_revision)
        return replace(self, catalogue_revision=revision, frameworks={**self.frameworks, tenant: mine})

    def _with_courses(self, tenant: str, changes: Mapping[str, Entry | None], catalogue_revision: int) -> "Snapshot":
        # A copy first: a plan in another thread may be building a shelf right now.
        kept = {} if tenant == SHARED_TENANT else dict(self._shelves)
        kept.pop(tenant, None)
        revision = max(self.catalogue_revision, catalogue_revision)
        held = {**self.courses, tenant: self.courses.get(tenant, _NO_COURSES).put(changes)}
        return Snapshot(revision, held, self.frameworks, kept)

    def view(self, tenant: str) -> View:
        """Return what a tenant sees."""
        shared = self.frameworks.get(SHARED_TENANT, {})
        frameworks = {**shared, **self.frameworks.get(tenant, {})}
        return View(tenant, self.catalogue_revision, self._shelf(tenant), frameworks, shared)

    def _shelf(self, tenant: str) -> Shelf:
        name = tenant if tenant in self.courses else SHARED_TENANT  # tenants without courses of their own share one
        if (shelf := self._shelves.get(name)) is None:
            shelf = self._shelves[name] = self._new_shelf(name)
        return shelf

    def _new_shelf(self, tenant: str) -> Shelf:
        shared = self.courses.get(SHARED_TENANT, _NO_COURSES)
        if tenant == SHARED_TENANT:
            return Shelf(shared.base, shared.changed)
        own = {name: entry for name, entry in self.courses[tenant].entries.items() if entry}
        if len(own) + len(shared.changed) <= MERGE_AT:
            return Shelf(shared.base, {**shared.changed, **own})
        merged = {name: entry for name, entry in {**shared.entries, **own}.items() if entry}
        return Shelf(Base(merged), {})
