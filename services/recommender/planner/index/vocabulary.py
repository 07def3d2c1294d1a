"""Names as numbers: skills, courses, providers and entry conditions, once for all catalogs of a process.

Numbers are assigned once and never reused, so arrays built at different times are compatible. A level is counted in
micro-levels, as an integer; smaller differences count as equal.

All threads share the names (see "Threads" in docs/architecture.md): one thread at a time adds to them, and readers see
at least what existed when they started.
"""

from array import array
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from struct import Struct
from threading import Lock
from typing import Any

import msgspec
import numpy as np
from numpy.typing import DTypeLike, NDArray

from services.recommender.planner.course_spec import (
    Condition,
    CourseCondition,
    LevelCondition,
    SkillKey,
    cost_factor,
    course_spec,
)
from services.recommender.planner.units import micro
from shared.domain import Course
from shared.texts import folded

HEAD_DTYPE = np.dtype(
    [
        *(
            (field, np.int32)
            for field in ("name", "provider", "languages", "modality", "rows", "conditions", "matched")
        ),
        ("cost_factor", np.int32),
        ("hours", np.int64),
    ]
)
"""A course: the numbers of its id (`name`), provider, set of languages and modality; how many rows, entry conditions
and matched rows it has; the factor of its hours in millionths; and micro-hours."""

ROW_DTYPE = np.dtype([(field, np.int32) for field in ("skill", "low", "high")])
"""A skill taught: from `low` to `high`, in micro-levels."""

MATCHED_DTYPE = np.dtype([(field, np.int32) for field in ("course", "skill", "low", "high", "confidence", "threshold")])
"""A row matched by description: a course (its number in a segment) and a skill, from `low` to `high` (micro-levels),
with confidence and threshold in millionths."""

CONDITION_DTYPE = np.dtype([(field, np.int32) for field in ("skill", "level", "course", "first_branch", "last_branch")])
"""A condition: `level` micro-levels of a skill, or a completed course (each -1 where it is none), or else any of the
branches from `first_branch` up to but not including `last_branch`."""

Records = NDArray[np.void]
"""A structured array: its fields have names."""

_HEAD = Struct("=8iq")
"""A HEAD_DTYPE. For the few integers of one course, `Struct` and `array` take less time than a numpy array."""

MODALITIES = ("online", "classroom", "blended")


class AppendOnlyArray:
    """A growing array of integers or records. What `read` has returned stays valid when values are added."""

    def __init__(self, dtype: DTypeLike = np.int32) -> None:
        self._held: NDArray[Any] = np.zeros(1024, dtype)
        self._count = 0

    def add(self, number: int | Sequence[int]) -> None:
        """Append an integer or a record."""
        if self._count == len(self._held):
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        self._held[self._count] = number
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def read(self) -> NDArray[Any]:
        """Return (n,) all values."""
        return self._held[: self._count]


class ConditionTable:
    """All entry conditions of a process, each with a number. `table`: CONDITION_DTYPE, by number.

    The conditions of branch b are `branch_conditions[branch_starts[b]:branch_starts[b + 1]]`.
    """

    def __init__(self) -> None:
        self.table = AppendOnlyArray(CONDITION_DTYPE)
        self.branch_starts, self.branch_conditions = AppendOnlyArray(), AppendOnlyArray()
        self.branch_starts.add(0)
        self._numbers: dict[Condition, int] = {}

    def number(self, condition: Condition) -> int | None:
        """Return the number of a condition; None if it has none."""
        return self._numbers.get(condition)

    def add(
        self,
        condition: Condition,
        skill: int = -1,
        level: int = 0,
        course: int = -1,
        branches: Sequence[Sequence[int]] = (),
    ) -> int:
        """Give a condition the next number, and return that. `branches`: the numbers of each branch's conditions."""
        number, first = len(self.table), len(self.branch_starts) - 1
        for branch in branches:
            for one in branch:
                self.branch_conditions.add(one)
            self.branch_starts.add(len(self.branch_conditions))
        self.table.add((skill, level, course, first, first + len(branches)))
        self._numbers[condition] = number  # last, so that a reader who finds the number finds the condition too
        return number

    def read(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Records]:
        """Return the current `branch_conditions` (n,), `branch_starts` (branches + 1,) and `table` (conditions,)."""
        # References first: what they refer to may grow meanwhile.
        table, branch_starts = self.table.read(), self.branch_starts.read()
        return self.branch_conditions.read(), branch_starts, table


class EncodedCourse(msgspec.Struct, frozen=True, gc=False):
    """A course in the index: encoded for readers, and as the integers that the planner uses.

    `encoded`: the course in MessagePack. `head`: a HEAD_DTYPE. `rows`: a ROW_DTYPE per skill taught. `requires`:
    numbers of entry conditions, ~number for a `from` level that is not required besides. `matched`: a MATCHED_DTYPE per
    skill matched, `course` 0.
    """

    id: str
    encoded: bytes
    head: bytes
    rows: bytes
    requires: bytes
    matched: bytes = b""


class Vocabulary:
    """The numbers of all names. Only `entry` adds to them, one thread at a time.

    `skills_of`: {framework id: numbers of its skills}.
    """

    def __init__(self) -> None:
        self._adding = Lock()
        self.skills: dict[SkillKey, int] = {}
        self.skills_of: dict[str, list[int]] = {}
        self.courses: dict[str, int] = {}
        self.providers: dict[frozenset[str], int] = {}
        self._cased: dict[str, tuple[int, ...]] = {}
        self.language_sets: dict[frozenset[str], int] = {}
        self.conditions = ConditionTable()

    def entry(self, course: Course) -> EncodedCourse:
        """Return a course in the form of the index, and give numbers to its names that are new."""
        with self._adding:
            return self._entry(course)

    def _entry(self, course: Course) -> EncodedCourse:
        spec = course_spec(course)
        rows = [(self._skill(key), micro(low), micro(high)) for key, (low, high) in spec.teaches.items()]
        matched = [(0, self._skill(key), *span) for key, span in spec.matched.items()]
        requires = [self._condition(one) for one in spec.requires]
        entry_levels = map(self._condition, spec.entry_levels)
        requires += [~number for number in entry_levels if number not in requires]
        titles = (course.provider.th, course.provider.en)
        head = _HEAD.pack(
            self._course(course.id),
            self._number(self.providers, frozenset(folded(title) for title in titles if title)),
            self._number(self.language_sets, frozenset(course.languages)),
            MODALITIES.index(course.modality),
            len(rows),
            len(requires),
            len(matched),
            cost_factor(course),
            spec.hours,
        )
        return EncodedCourse(
            course.id,
            msgspec.msgpack.encode(course),
            head,
            _integers(chain.from_iterable(rows)),
            _integers(requires),
            _integers(chain.from_iterable(matched)),
        )

    def courses_like(self, names: Iterable[str]) -> list[int]:
        """Return the numbers of the courses whose folded ids are among `names`.

        `names`: folded (`shared.texts.folded`).
        """
        exact = (self.courses[name] for name in names if name in self.courses)
        return [*exact, *(number for name in names for number in self._cased.get(name, ()))]

    def _course(self, course_id: str) -> int:
        known = len(self.courses)
        number = self._number(self.courses, course_id)
        if number == known and (name := course_id.lower()) != course_id:  # ids are ASCII, so this folds them
            self._cased[name] = (*self._cased.get(name, ()), number)
        return number

    def _skill(self, key: SkillKey) -> int:
        known = len(self.skills)
        if (number := self._number(self.skills, key)) == known:
            self.skills_of.setdefault(key[0], []).append(number)
        return number

    @staticmethod
    def _number(numbers: dict[Any, int], key: Hashable) -> int:
        return numbers.setdefault(key, len(numbers))

    def _condition(self, condition: Condition) -> int:
        """Return the number of a condition, which gets the next one if it is new."""
        if (known := self.conditions.number(condition)) is not None:
            return known
        if isinstance(condition, LevelCondition):
            return self.conditions.add(condition, skill=self._skill(condition.skill), level=condition.level)
        if isinstance(condition, CourseCondition):
            return self.conditions.add(condition, course=self._course(condition.course))
        branches = [[self._condition(one) for one in branch] for branch in condition.branches]
        return self.conditions.add(condition, branches=branches)


def _integers(values: Iterable[int]) -> bytes:
    """Return the bytes of an int32 array of these values."""
    return array("i", values).tobytes()


VOCABULARY = Vocabulary()
