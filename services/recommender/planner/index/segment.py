"""Courses as columns of integers, in the order of their ids, with the inverted index of skills and the champion lists.

Segments are immutable. A large base segment is read together with a small delta of later changes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO
from services.recommender.planner.index.vocabulary import HEAD_DTYPE, MATCHED_DTYPE, ROW_DTYPE, EncodedCourse, Records
from services.recommender.planner.params import PARAMS

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

CHAMPIONS = PARAMS.champions
CHAMPIONS_FROM = PARAMS.champions_from
COURSE_DTYPE = np.dtype(
    [(field, np.int32) for field in ("name", "provider", "languages", "modality", "cost_factor", "row", "condition")]
)
"""A course: the numbers of its id (`name`), provider, set of languages and modality in the vocabulary; the factor of
its hours in millionths; and where it begins in `rows` and in `requires` (`row`, `condition`)."""

_ABOVE_ALL = np.int32(np.iinfo(np.int32).max)

TEACHER_DTYPE = np.dtype([("course", np.int32), ("level", np.int32)])
"""A course that teaches a skill, and the micro-level that it leads to."""


class Segment(NamedTuple):
    """N courses as columns, in the order of their ids, with indexes by the S skills of the vocabulary. Immutable."""

    info: Records
    """(N + 1,) COURSE_DTYPE; the last row only says where the lists end."""
    hours: Longs
    """(N,): micro-hours."""
    rank: Longs
    """(N,): position in the order of the course ids of all segments."""
    rows: Records
    """ROW_DTYPE: per course the skills that it teaches."""
    requires: Ints
    """Per course its entry conditions, as numbers of `ConditionTable`; ~number: a `from` level."""
    teacher_starts: Ints
    """(S + 1,): where each skill begins in `teachers`."""
    teachers: Records
    """TEACHER_DTYPE: per skill the courses that teach it, shortest first."""
    steps: Ints
    """(S + 1,): where each skill begins in `tops`."""
    tops: Ints
    """Per skill the micro-levels to which courses teach it, ascending."""
    names: Ints
    """(N + 1,): the courses' names (numbers in the vocabulary), ascending; the last is above all."""
    places: Ints
    """(N + 1,): for each of `names` the number of the course in this segment; the last is -1."""
    matched: Records
    """MATCHED_DTYPE: per skill the rows matched to it, shortest course first."""
    matched_starts: Ints
    """(S + 1,): where each skill begins in `matched`."""

    @property
    def size(self) -> int:
        """The number of courses."""
        return len(self.hours)

    def find(self, names: Any) -> Ints:
        """Return (n,) the numbers in this segment of the courses with these n names.

        `names`: the courses' numbers in the vocabulary. The result is -1 for a course that is not here, and for a
        negative name.
        """
        names = np.asarray(names, np.int32)
        at = np.searchsorted(self.names, names)
        return np.where(self.names[at] == names, self.places[at], np.int32(-1))

    def levels(self, skill: int) -> list[int]:
        """Return the micro-levels to which courses teach a skill, ascending."""
        if skill + 1 >= len(self.teacher_starts):
            return []
        return self.tops[self.steps[skill] : self.steps[skill + 1]].tolist()  # type: ignore[no-any-return]

    def taught(self, skill: int) -> Records:
        """Return the rows of `teachers` of a skill: (course, micro-level reached), shortest course first."""
        if not 0 <= skill < len(self.teacher_starts) - 1:
            return self.teachers[:0]
        return self.teachers[self.teacher_starts[skill] : self.teacher_starts[skill + 1]]

    def matched_to(self, skill: int) -> Records:
        """Return the MATCHED_DTYPE rows of a skill, shortest course first."""
        if not 0 <= skill < len(self.matched_starts) - 1:
            return self.matched[:0]
        return self.matched[self.matched_starts[skill] : self.matched_starts[skill + 1]]


def offsets_of(counts: Any) -> Ints:
    """Return (n + 1,) where each of n lists begins if they are stored one after the other, and where the last one ends.

    `counts`: (n,) the lengths of the lists.
    """
    starts = np.zeros(len(counts) + 1, np.int32)
    starts[1:] = np.cumsum(counts)  # with `out=`, which is of another type, it would take twice as long
    return starts


def segment_of(entries: Sequence[EncodedCourse], skills: int, rank: Longs | None = None) -> Segment:
    """Return the segment of these courses, which must be in the order of their ids.

    `skills`: how many skills the vocabulary has. `rank`: the `Segment.rank` of the courses of an overlay; None: the
    segment is a base, whose ranks are its own order.
    """
    heads = np.frombuffer(b"".join([entry.head for entry in entries]), HEAD_DTYPE)
    info = np.zeros(len(heads) + 1, COURSE_DTYPE)
    for field in ("name", "provider", "languages", "modality", "cost_factor"):
        info[field][:-1] = heads[field]
    info["row"], info["condition"] = offsets_of(heads["rows"]), offsets_of(heads["conditions"])
    rows = np.frombuffer(b"".join([entry.rows for entry in entries]), ROW_DTYPE).copy()
    requires = np.frombuffer(b"".join([entry.requires for entry in entries]), np.int32).copy()
    matched = np.frombuffer(b"".join([entry.matched for entry in entries]), MATCHED_DTYPE).copy()
    matched["course"] = np.repeat(np.arange(len(heads), dtype=np.int32), heads["matched"])
    return _indexed(info, heads["hours"].copy(), rows, requires, matched, skills, rank)


def _indexed(  # noqa: PLR0913, PLR0917 - the columns of a segment
    info: Records, hours: Longs, rows: Records, requires: Ints, matched: Records, skills: int, rank: Longs | None
) -> Segment:
    """Return the segment of these columns with its inverted index."""
    name, count = info["name"][:-1], len(hours)
    owner = np.repeat(np.arange(count, dtype=np.int32), np.diff(info["row"]))
    order = np.lexsort((owner, hours[owner], rows["skill"]))
    teachers = np.empty(len(order), TEACHER_DTYPE)
    teachers["course"], teachers["level"] = owner[order], rows["high"][order]
    taught = np.unique(rows["skill"].astype(np.int64) << 32 | rows["high"])
    places = np.argsort(name).astype(np.int32)
    return Segment(
        info=info,
        hours=hours,
        rank=np.arange(count, dtype=np.int64) << 20 if rank is None else rank,
        rows=rows,
        requires=requires,
        teacher_starts=offsets_of(np.bincount(rows["skill"], minlength=skills)),
        teachers=teachers,
        steps=offsets_of(np.bincount(taught >> 32, minlength=skills)),
        tops=(taught & 0xFFFFFFFF).astype(np.int32),
        names=np.append(name[places], _ABOVE_ALL),
        places=np.append(places, np.int32(-1)),
        matched=matched[np.lexsort((matched["course"], hours[matched["course"]], matched["skill"]))],
        matched_starts=offsets_of(np.bincount(matched["skill"], minlength=skills)),
    )


def overlay_ranks(numbers: Sequence[int]) -> Longs:
    """Return ranks for the courses of an overlay, in the order of their ids.

    `numbers`: for each of these n courses, the number of the first course of the base whose id is not lower. Returns
    (n,) ranks. Ranks of the base are multiples of 2 ** 20, so half a million courses can be ranked before each.
    """
    places = np.array(numbers, np.int64)
    first = np.searchsorted(places, places)
    return (places << 20) - (1 << 19) + np.arange(len(places)) - first


def part_of(segment: Segment, numbers: Ints) -> Segment:
    """Return the segment of the courses `numbers` of another segment, in the order and with the ranks of that one."""
    row_counts, condition_counts = (np.diff(segment.info[field])[numbers] for field in ("row", "condition"))
    rows = segment.rows[ranges(segment.info["row"][numbers], row_counts)]
    requires = segment.requires[ranges(segment.info["condition"][numbers], condition_counts)]
    info = np.append(segment.info[numbers], segment.info[-1:])
    info["row"], info["condition"] = offsets_of(row_counts), offsets_of(condition_counts)
    hours, skills = segment.hours[numbers], len(segment.teacher_starts) - 1
    places = np.full(segment.size, -1, np.int32)
    places[numbers] = np.arange(len(numbers), dtype=np.int32)
    matched = segment.matched.copy()
    matched["course"] = places[matched["course"]]
    return _indexed(info, hours, rows, requires, matched[matched["course"] >= 0], skills, segment.rank[numbers])


def ranges(starts: Any, lengths: Any) -> Longs:
    """Return (sum of `lengths`,) the indices of all slices [start, start + length), one after the other."""
    ends = np.cumsum(lengths)
    indices: Longs = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
    return indices


def champions_of(segment: Segment, branch_conditions: Ints, branch_starts: Ints, table: Records) -> Ints:
    """Return (C,) the numbers of the champions and of the courses that their conditions name, recursively; ascending.

    `table`, `branch_starts`, `branch_conditions`: see `ConditionTable`.
    """
    owner = np.repeat(np.arange(segment.size, dtype=np.int32), np.diff(segment.info["row"]))
    skill, high, language_set = segment.rows["skill"], segment.rows["high"], segment.info[owner]["languages"]
    gains = np.bincount(owner, high - segment.rows["low"], segment.size)
    cost = segment.hours * (segment.info[:-1]["cost_factor"] / MICRO)
    narrow = cost / np.maximum(gains, 1)
    chosen = np.zeros(segment.size, bool)
    for measure in (cost, narrow):
        chosen[owner[_first_of(measure[owner], owner, (skill, high, language_set))]] = True
    rows = segment.matched
    keys = rows["skill"], rows["high"], segment.info[rows["course"]]["languages"]
    for doubt in (MICRO, rows["confidence"]):
        weighed = cost[rows["course"]] / ((rows["high"] - rows["low"]) * (doubt / MICRO))
        chosen[rows["course"][_first_of(weighed, rows["course"], keys)]] = True
    chosen[rows["course"][_first_of(-rows["confidence"], rows["course"], keys)]] = True
    waiting = np.flatnonzero(chosen).astype(np.int32)
    while waiting.size:
        counts = np.diff(segment.info["condition"])[waiting]
        asked = required(segment.requires[ranges(segment.info[waiting]["condition"], counts)])
        numbers = np.unique(
            segment.find(table[all_conditions(asked, branch_conditions, branch_starts, table)]["course"])
        )
        waiting = numbers[(numbers >= 0) & ~chosen[numbers]]
        chosen[waiting] = True
    return np.flatnonzero(chosen).astype(np.int32)


def _first_of(measure: Any, owner: Ints, keys: tuple[Any, Any, Any]) -> Longs:
    """Return the indices of the `CHAMPIONS` rows with the smallest measure for each combination of keys.

    `owner`: the course of each row, which orders equal measures.
    """
    order = np.lexsort((owner, measure, *reversed(keys)))
    sorted_keys = np.stack([key[order] for key in keys])
    begins = np.flatnonzero(np.concatenate([[True], (sorted_keys[:, 1:] != sorted_keys[:, :-1]).any(axis=0)]))
    place = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
    return np.asarray(order[place < CHAMPIONS], np.int64)


def required(requires: Ints) -> Ints:
    """Return the numbers of the conditions in entry conditions, which hold ~number for a `from` level."""
    numbers: Ints = np.maximum(requires, ~requires)
    return numbers


def all_conditions(conditions: Ints, branch_conditions: Ints, branch_starts: Ints, table: Records) -> Ints:
    """Return (n,) the numbers of these conditions and of those in their branches, at any depth; ascending, unique."""
    found = [np.unique(conditions)]
    while found[-1].size:
        first, last = table[found[-1]]["first_branch"], table[found[-1]]["last_branch"]
        paths = ranges(first, last - first)
        found.append(np.unique(branch_conditions[ranges(branch_starts[paths], np.diff(branch_starts)[paths])]))
    return np.unique(np.concatenate(found))
