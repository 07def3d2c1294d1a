"""The catalogue in memory: immutable snapshots of all tenants, and what each tenant sees of one, ready for ranking.

A change makes a new snapshot that shares everything it did not touch. What is costly (order, suppliers, matrices) is
built when a view is first asked for it and carried over for as long as the courses below it stay the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import cosine_similarity

from services.recommender.doors import Doors
from services.recommender.offers import Offer, SkillKey, offer_of
from shared.skills import SHARED_TENANT, Course, Framework


class TeachingIndex:
    """What each course of a shelf teaches of one framework; rows are courses in the order of their ids.

    `matrix`: CSR, courses x skills, levels gained (`to` - `from`); `columns`: skill -> column. Its entries, in the same
    order, have the level reached in `levels[level_of]`; `column_of` their columns; `filled` the rows that have any.
    """

    def __init__(self, framework: str, offers: Iterable[Offer]) -> None:
        self.offers = tuple(sorted(offers, key=lambda offer: offer.id))
        self.number_of = {offer.id: number for number, offer in enumerate(self.offers)}
        taught = [
            sorted((skill, ends) for (name, skill), ends in offer.teaches.items() if name == framework)
            for offer in self.offers
        ]
        entries = [entry for row in taught for entry in row]
        self.columns = {skill: column for column, skill in enumerate(sorted({skill for skill, _ in entries}))}
        self.column_of = np.array([self.columns[skill] for skill, _ in entries], np.int64)
        self.levels, self.level_of = np.unique([ends[1] for _, ends in entries], return_inverse=True)
        self.filled = np.flatnonzero([len(row) for row in taught])
        starts = np.cumsum([0, *(len(row) for row in taught)])
        self.filled_starts = starts[self.filled]
        gains = np.array([ends[1] - ends[0] for _, ends in entries], float)
        self.matrix = csr_array((gains, self.column_of, starts), shape=(len(taught), len(self.columns)))

    def similarities(self, gaps: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the cosine of a gap vector with what each course teaches, one per offer, 0 to 1, to six places."""
        wanted = sorted((self.columns[skill], size) for skill, size in gaps.items() if skill in self.columns)
        if not wanted or not self.offers:
            return np.zeros(len(self.offers))
        columns, sizes = zip(*wanted, strict=True)
        vector = csr_array((np.array(sizes, float), columns, [0, len(columns)]), shape=(1, len(self.columns)))
        # To six places, so that the order of additions on another machine cannot decide a tie.
        return np.asarray(cosine_similarity(self.matrix, vector).ravel().round(6), dtype=np.float64)


class Shelf:
    """The courses that a tenant sees, by id, with what is derived from them on first use."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self.offers = offers
        self._teaching: dict[str, TeachingIndex] = {}
        self._doors: dict[str, Doors] = {}

    def teaching(self, framework: str) -> TeachingIndex:
        """Return the courses that teach a framework."""
        if (index := self._teaching.get(framework)) is None:
            index = self._teaching[framework] = TeachingIndex(framework, self.offers.values())
        return index

    def doors(self, framework: str) -> Doors:
        """Return the prerequisites of all courses, for officers measured on a framework."""
        if (doors := self._doors.get(framework)) is None:
            doors = self._doors[framework] = Doors(framework, self.offers.values())
        return doors

    @cached_property
    def suppliers(self) -> dict[SkillKey, list[Offer]]:
        """(framework, skill) -> the courses that teach it, shortest first, equals by id."""
        found: dict[SkillKey, list[Offer]] = {}
        for offer in sorted(self.offers.values(), key=lambda offer: (offer.hours, offer.id)):
            for key in offer.teaches:
                found.setdefault(key, []).append(offer)
        return found


@dataclass(frozen=True)
class View:
    """What one tenant sees: the shared entries and its own, its own standing before a shared one of the same id."""

    tenant: str
    catalogue_revision: int
    shelf: Shelf
    frameworks: Mapping[str, Framework]

    def course(self, course_id: str) -> Course | None:
        """Return a visible course."""
        offer = self.shelf.offers.get(course_id)
        return offer.course if offer else None

    def framework(self, framework_id: str) -> Framework | None:
        """Return a visible framework."""
        return self.frameworks.get(framework_id)


Entries = Mapping[str, Mapping[str, Offer]]


@dataclass(frozen=True)
class Snapshot:
    """The whole catalogue at one `catalogue_revision`: tenant -> id -> entry. Never changed, only succeeded."""

    catalogue_revision: int = 0
    courses: Entries = field(default_factory=dict)
    frameworks: Mapping[str, Mapping[str, Framework]] = field(default_factory=dict)
    _shelves: dict[str, Shelf] = field(default_factory=dict, repr=False, compare=False)

    def put_course(self, tenant: str, course: Course, catalogue_revision: int) -> "Snapshot":
        """Return the snapshot with a course new or changed."""
        return self.put_courses(tenant, [course], catalogue_revision)

    def put_courses(self, tenant: str, courses: Iterable[Course], catalogue_revision: int) -> "Snapshot":
        """Return the snapshot with many courses of one tenant new or changed: one copy for all of them."""
        offers = {course.id: offer_of(course) for course in courses}
        return self._with_courses(tenant, {**self.courses.get(tenant, {}), **offers}, catalogue_revision)

    def withdraw_course(self, tenant: str, course_id: str, catalogue_revision: int) -> "Snapshot":
        """Return the snapshot without a course; a shared one of the same id comes into sight again."""
        left = {name: offer for name, offer in self.courses.get(tenant, {}).items() if name != course_id}
        return self._with_courses(tenant, left, catalogue_revision)

    def put_framework(self, tenant: str, framework: Framework, catalogue_revision: int) -> "Snapshot":
        """Return the snapshot with a framework new or changed. Courses, and what is built on them, stay."""
        mine = {**self.frameworks.get(tenant, {}), framework.id: framework}
        revision = max(self.catalogue_revision, catalogue_revision)
        return replace(self, catalogue_revision=revision, frameworks={**self.frameworks, tenant: mine})

    def _with_courses(self, tenant: str, offers: Mapping[str, Offer], catalogue_revision: int) -> "Snapshot":
        # A copy first: a plan in another thread may be building a shelf right now.
        kept = {} if tenant == SHARED_TENANT else dict(self._shelves)
        kept.pop(tenant, None)
        revision = max(self.catalogue_revision, catalogue_revision)
        return Snapshot(revision, {**self.courses, tenant: offers}, self.frameworks, kept)

    def view(self, tenant: str) -> View:
        """Return what a tenant sees."""
        frameworks = {**self.frameworks.get(SHARED_TENANT, {}), **self.frameworks.get(tenant, {})}
        return View(tenant, self.catalogue_revision, self._shelf(tenant), frameworks)

    def _shelf(self, tenant: str) -> Shelf:
        own = self.courses.get(tenant, {})
        name = tenant if own else SHARED_TENANT  # all tenants without courses of their own share one shelf
        if (shelf := self._shelves.get(name)) is None:
            shelf = self._shelves[name] = Shelf({**self.courses.get(SHARED_TENANT, {}), **own})
        return shelf
