"""Courses as columns of integers, in the order of their ids, with the inverted index of skills and the champion lists.

A segment never changes. A large one and a small one lie side by side: what changed since the large one was built.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO
from services.recommender.planner.index.vocabulary import (
    COURSE_ASKED,
    FIRST,
    LAST,
    EncodedCourse,
)

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Table = NDArray[np.int32]

CHAMPIONS = 4
"""Per skill, level reached and set of languages: so many of the cheapest, and so many of the broadest per cost."""

CHAMPIONS_FROM = 20_000
"""Courses. A smaller catalogue is searched whole."""

_HEAD = 9
_ROW = 4


NAME, PROVIDER, LANGUAGES, MODALITY, COST_FACTOR, ROW, REQUIRED = range(7)
SKILL, LOW, HIGH, ENTRY = range(4)


class Segment(NamedTuple):
    """N courses as columns, in the order of their ids. Immutable. Few arrays, so that compiled calls stay cheap."""

    info: Table
    """(N + 1, 7): NAME, PROVIDER, LANGUAGES, MODALITY, COST_FACTOR (millionths), where ROW and REQUIRED begin."""
    hours: Longs
    """(N,): micro-hours."""
    rank: Longs
    """(N,): order of the course ids, across segments."""
    rows: Table
    """Per skill taught: SKILL, LOW and HIGH (micro-levels), ENTRY (condition of its LOW, or -1)."""
    requires: Ints
    """Required conditions of all courses."""
    teacher_starts: Ints
    """Per skill, into `teachers`."""
    teachers: Table
    """(course, micro-level reached) of the courses that teach each skill, shortest first."""
    steps: Ints
    """Per skill, into `tops`."""
    tops: Ints
    """The micro-levels that each skill is taught to, ascending."""
    places: Ints
    """Number by course name, -1 where there is none; where `sparse` is not empty, the numbers of its names."""
    sparse: Ints
    """Course names, sorted; empty where `places` is by name."""

    @property
    def size(self) -> int:
        """The number of courses."""
        return len(self.hours)

    def find(self, names: Any) -> Ints:
        """Return the numbers of the courses of these names, -1 where there is none; a name below 0 is nobody's."""
        names = np.asarray(names, np.int64)
        if self.sparse.size:
            places = np.minimum(np.searchsorted(self.sparse, names), self.sparse.size - 1)
            return np.where(self.sparse[places] == names, self.places[places], np.int32(-1))
        found = np.full(len(names), -1, np.int32)
        known = (names >= 0) & (names < len(self.places))
        found[known] = self.places[names[known]] if self.size else -1
        return found

    def levels(self, skill: int) -> list[int]:
        """Return the levels that a skill is taught to, ascending."""
        if skill + 1 >= len(self.teacher_starts):
            return []
        return [int(top) for top in self.tops[self.steps[skill] : self.steps[skill + 1]]]

    def taught(self, skill: int) -> Table:
        """Return (course, level reached) of those that teach a skill."""
        if skill + 1 >= len(self.teacher_starts):
            return self.teachers[:0]
        return self.teachers[self.teacher_starts[skill] : self.teacher_starts[skill + 1]]


class Columns(NamedTuple):
    """What a segment is made from: a number per course, row or condition."""

    name: Ints
    provider: Ints
    language_set: Ints
    modality: Ints
    effort: Ints
    hours: Longs
    starts: Ints
    skill: Ints
    low: Ints
    high: Ints
    entry: Ints
    branch_starts: Ints
    requires: Ints


def columns_of(entries: Sequence[EncodedCourse]) -> Columns:
    """Return the columns of these entries."""
    head = np.frombuffer(b"".join([entry.head for entry in entries]), np.int32).copy().reshape(-1, _HEAD)
    rows = np.frombuffer(b"".join([entry.rows for entry in entries]), np.int32).copy().reshape(-1, _ROW)
    name, provider, language_set, modality, effort = (head[:, column].copy() for column in (0, 1, 2, 3, 8))
    skill, low, high, entry = (rows[:, column].copy() for column in range(4))
    requires = np.frombuffer(b"".join([entry.requires for entry in entries]), np.int32).copy()
    return Columns(
        name,
        provider,
        language_set,
        modality,
        effort,
        (head[:, 6].astype(np.int64) << 31) | head[:, 7],
        offsets_of(head[:, 4]),
        skill,
        low,
        high,
        entry,
        offsets_of(head[:, 5]),
        requires,
    )


def offsets_of(counts: Any) -> Ints:
    """Return where lists of these lengths begin, end to end, and where the last one ends."""
    starts = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    return starts


def segment_of(columns: Columns, skills: int, rank: Longs | None = None) -> Segment:
    """Return the segment of these columns, in the order of the courses' ids. `rank` None: they stand alone.

    `skills` is how many skills have a number. A segment with its own `rank` is looked up by sorted names.
    """
    count = len(columns.name)
    owner = np.repeat(np.arange(count, dtype=np.int32), np.diff(columns.starts))
    order = np.lexsort((owner, columns.hours[owner], columns.skill))
    taught = np.unique(columns.skill.astype(np.int64) << 32 | columns.high)
    if rank is None:
        places = np.full(int(columns.name.max(initial=-1)) + 1, -1, np.int32)
        places[columns.name] = np.arange(count, dtype=np.int32)
        sparse = np.zeros(0, np.int32)
    else:
        places = np.argsort(columns.name).astype(np.int32)
        sparse = columns.name[places]
    info = np.zeros((count + 1, 7), np.int32)
    for column, values in enumerate(columns[:5]):
        info[:count, column] = values
    info[:, ROW], info[:, REQUIRED] = columns.starts, columns.branch_starts
    return Segment(
        info=info,
        hours=columns.hours,
        rank=np.arange(count, dtype=np.int64) << 20 if rank is None else rank,
        rows=np.stack([columns.skill, columns.low, columns.high, columns.entry], axis=1),
        requires=columns.requires,
        teacher_starts=offsets_of(np.bincount(columns.skill, minlength=skills)),
        teachers=np.stack([owner[order], columns.high[order]], axis=1),
        steps=offsets_of(np.bincount(taught >> 32, minlength=skills)),
        tops=(taught & 0xFFFFFFFF).astype(np.int32),
        places=places,
        sparse=sparse,
    )


def overlay_ranks(numbers: Sequence[int]) -> Longs:
    """Return ranks of courses whose ids stand, in order, before these numbers of another segment."""
    places = np.array(numbers, np.int64)
    first = np.searchsorted(places, places)
    return (places << 20) - (1 << 19) + np.arange(len(places)) - first


def part_of(segment: Segment, numbers: Ints) -> Segment:
    """Return the segment of some courses of another, in its order and with its ranks."""
    lengths, conditions = (np.diff(segment.info[:, column])[numbers] for column in (ROW, REQUIRED))
    rows = segment.rows[ranges(segment.info[numbers, ROW], lengths)]
    info = segment.info[numbers]
    columns = Columns(
        info[:, NAME],
        info[:, PROVIDER],
        info[:, LANGUAGES],
        info[:, MODALITY],
        info[:, COST_FACTOR],
        segment.hours[numbers],
        offsets_of(lengths),
        rows[:, SKILL],
        rows[:, LOW],
        rows[:, HIGH],
        rows[:, ENTRY],
        offsets_of(conditions),
        segment.requires[ranges(info[:, REQUIRED], conditions)],
    )
    return segment_of(columns, len(segment.teacher_starts) - 1, segment.rank[numbers])


def ranges(starts: Any, lengths: Any) -> Longs:
    """Return the places of slices, end to end."""
    ends = np.cumsum(lengths)
    return np.asarray(np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths))


def champions_of(segment: Segment, branch_conditions: Ints, branch_starts: Ints, table: Table) -> Ints:
    """Return the numbers of the champions, closed under the courses that they require.

    `table`, `branch_starts`, `branch_conditions`: see `names.Needs`.
    """
    owner = np.repeat(np.arange(segment.size, dtype=np.int32), np.diff(segment.info[:, ROW]))
    skill, high, language_set = segment.rows[:, SKILL], segment.rows[:, HIGH], segment.info[owner, LANGUAGES]
    gains = np.bincount(owner, high - segment.rows[:, LOW], segment.size)
    cost = segment.hours * (segment.info[:-1, COST_FACTOR] / MICRO)
    narrow = cost / np.maximum(gains, 1)
    chosen = np.zeros(segment.size, bool)
    for measure in (cost, narrow):
        order = np.lexsort((owner, measure[owner], language_set, high, skill))
        keys = np.stack([skill[order], high[order], language_set[order]])
        begins = np.flatnonzero(np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)]))
        place = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
        chosen[owner[order[place < CHAMPIONS]]] = True
    waiting = np.flatnonzero(chosen).astype(np.int32)
    while waiting.size:
        counts = np.diff(segment.info[:, REQUIRED])[waiting]
        required = segment.requires[ranges(segment.info[waiting, REQUIRED], counts)]
        numbers = np.unique(
            segment.find(table[all_conditions(required, branch_conditions, branch_starts, table), COURSE_ASKED])
        )
        waiting = numbers[(numbers >= 0) & ~chosen[numbers]]
        chosen[waiting] = True
    return np.flatnonzero(chosen).astype(np.int32)


def all_conditions(conditions: Ints, branch_conditions: Ints, branch_starts: Ints, table: Table) -> Ints:
    """Return these needs and those of their branches, at any depth, sorted, each once."""
    found = [np.unique(conditions)]
    while found[-1].size:
        first, last = table[found[-1], FIRST], table[found[-1], LAST]
        paths = ranges(first, last - first)
        found.append(np.unique(branch_conditions[ranges(branch_starts[paths], np.diff(branch_starts)[paths])]))
    return np.unique(np.concatenate(found))
