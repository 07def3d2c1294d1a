"""The courses that a tenant sees as a prerequisite graph for compiled functions.

Courses of the base come first, those of the overlay after them. Conditions and branches have numbers of the graph, so
that everything stays small where only champions are searched.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from services.recommender.planner.index.segment import (
    TEACHER_DTYPE,
    Ints,
    Longs,
    Segment,
    all_conditions,
    offsets_of,
    ranges,
)
from services.recommender.planner.index.vocabulary import CONDITION_DTYPE, ROW_DTYPE, ConditionTable, Records
from services.recommender.planner.jit import as_array

BEGIN_DTYPE = np.dtype([("row", np.int32), ("condition", np.int32)])
"""Where the rows and the required conditions of a course begin."""


class PrerequisiteGraph(NamedTuple):
    """An AND-OR graph of N courses, M conditions and B branches of `any`; all are numbers.

    A list per item is a pair of arrays: item i has `values[starts[i]:starts[i + 1]]`.
    """

    begins: Records
    """(N + 1,) BEGIN_DTYPE."""
    hours: Longs
    """(N,): micro-hours."""
    rank: Longs
    """(N,): order of the course ids, across segments."""
    rows: Records
    """ROW_DTYPE: the skills taught by all courses; `entry` is a condition of this graph."""
    requires: Ints
    """Required conditions of all courses."""
    condition_table: Records
    """(M,) CONDITION_DTYPE; `course` and the branches are of this graph."""
    branch_starts: Ints
    """(B + 1,): into `branch_conditions`."""
    branch_conditions: Ints
    """The conditions of each branch."""
    branch_condition: Ints
    """(B,): the condition that a branch satisfies."""
    course_condition: Ints
    """(N,): the condition that a course satisfies by having been completed, or -1."""
    teacher_starts: Ints
    """Per skill, into `teachers`."""
    teachers: Records
    """TEACHER_DTYPE: the courses that teach each skill, shortest first."""
    level_index_starts: Ints
    """Per skill, into `level_index`."""
    level_index: Ints
    """The conditions on each skill, lowest level first."""
    consumer_starts: Ints
    """(M + 1,): into `consumers`."""
    consumers: Ints
    """The courses that have each condition; ~course where it is a `from` level."""
    branch_holder_starts: Ints
    """(M + 1,): into `branch_holders`."""
    branch_holders: Ints
    """The branches that hold each condition."""


_DTYPES: dict[str, DTypeLike] = {
    "begins": BEGIN_DTYPE,
    "hours": np.int64,
    "rank": np.int64,
    "rows": ROW_DTYPE,
    "condition_table": CONDITION_DTYPE,
    "teachers": TEACHER_DTYPE,
}


class IndexedGraph(NamedTuple):
    """A prerequisite graph, and which conditions of the vocabulary its numbers stand for."""

    arrays: PrerequisiteGraph
    names: Ints
    """(M of the base,): numbers in `ConditionTable`, sorted."""
    overlay: dict[int, int]
    """Number in `ConditionTable` -> condition, for those added by the overlay."""

    def condition(self, name: int | None) -> int:
        """Return the graph's number of a condition; -1 if the graph does not have it."""
        if name is None:
            return -1
        place = int(np.searchsorted(self.names, name))
        if place < len(self.names) and self.names[place] == name:
            return place
        return self.overlay.get(name, -1)


class _Conditions(NamedTuple):
    condition_table: Records
    branch_starts: Ints
    branch_conditions: Ints
    branch_condition: Ints


def build_graph(segment: Segment, conditions: ConditionTable, skills: int) -> IndexedGraph:
    """Return the graph of one segment."""
    names = all_conditions(_conditions_in(segment), *conditions.read())
    found = _conditions(
        names, conditions, lambda condition_table: np.searchsorted(names, condition_table), segment, (0, 0)
    )
    rows, requires = _localised(segment, lambda condition_table: np.searchsorted(names, condition_table))
    course_condition = np.full(segment.size, -1, np.int32)
    only = np.flatnonzero(found.condition_table["course"] >= 0)
    course_condition[found.condition_table[only]["course"]] = only
    arrays = _laid_out(
        _begins(segment, 0, 0), segment.hours, segment.rank, rows, requires, *found, course_condition,
        segment.teacher_starts, segment.teachers, *_level_index(found.condition_table, skills),
        *_lists(*_consumers(segment, rows, requires, 0), len(names)), *_lists(*_branch_holders(found, 0), len(names)),
    )  # fmt: skip
    return IndexedGraph(arrays, names, {})


def extend_graph(
    graph: IndexedGraph, base: Segment, overlay: tuple[Segment, Sequence[str]], conditions: ConditionTable
) -> IndexedGraph:
    """Return the graph of a base extended by an overlay (courses and their ids), which replaces courses of the base."""
    arrays, (delta, ids) = graph.arrays, overlay
    wanted = all_conditions(_conditions_in(delta), *conditions.read())
    fresh = np.array([name for name in wanted.tolist() if graph.condition(name) < 0], np.int32)
    known = IndexedGraph(arrays, graph.names, {int(name): len(graph.names) + place for place, name in enumerate(fresh)})

    def local(condition_table: Ints) -> Ints:
        return np.array([known.condition(name) for name in condition_table.tolist()], np.int32)

    found = _conditions(fresh, conditions, local, base, (len(arrays.branch_condition), len(arrays.branch_conditions)))
    rows, requires = _localised(delta, local)
    condition_table = np.concatenate([arrays.condition_table, found.condition_table])
    course_condition = np.concatenate([arrays.course_condition, np.full(delta.size, -1, np.int32)])
    for place in range(len(arrays.condition_table), len(condition_table)):
        if condition_table[place]["course"] >= 0:
            course_condition[condition_table[place]["course"]] = place
    for number, course_id in enumerate(ids, base.size):
        if (condition := known.condition(conditions.known(course_id))) >= 0:
            condition_table[condition]["course"], course_condition[number] = number, condition
    begins = _begins(delta, len(arrays.rows), len(arrays.requires))
    hours = np.concatenate([arrays.hours, delta.hours])
    # Either may have been made when fewer skills had a number.
    skills = max(len(arrays.teacher_starts), len(arrays.level_index_starts), len(delta.teacher_starts)) - 1
    teacher_starts, teachers = _taught(arrays, delta, hours, skills)
    level_index_starts, level_index = (
        _level_index(condition_table, skills)
        if len(fresh) or skills >= len(arrays.level_index_starts)
        else (arrays.level_index_starts, arrays.level_index)
    )
    consumers, branch_holders = (
        _consumers(delta, rows, requires, base.size),
        _branch_holders(found, len(arrays.branch_condition)),
    )
    longer = _laid_out(
        np.concatenate([arrays.begins[:-1], begins]),
        hours,
        np.concatenate([arrays.rank, delta.rank]),
        np.concatenate([arrays.rows, rows]),
        np.concatenate([arrays.requires, requires]),
        condition_table,
        np.concatenate([arrays.branch_starts[:-1], found.branch_starts]),
        np.concatenate([arrays.branch_conditions, found.branch_conditions]),
        np.concatenate([arrays.branch_condition, found.branch_condition]),
        course_condition,
        teacher_starts,
        teachers,
        level_index_starts,
        level_index,
        *_longer(arrays.consumer_starts, arrays.consumers, *consumers, len(condition_table)),
        *_longer(arrays.branch_holder_starts, arrays.branch_holders, *branch_holders, len(condition_table)),
    )
    return known._replace(arrays=longer)


def _begins(segment: Segment, rows: int, conditions: int) -> Records:
    """Return where the lists of each course begin, behind so many rows and conditions of other courses."""
    begins = np.empty(len(segment.info), BEGIN_DTYPE)
    begins["row"], begins["condition"] = segment.info["row"] + rows, segment.info["condition"] + conditions
    return begins


def _laid_out(*parts: Any) -> PrerequisiteGraph:
    """Return the graph of these arrays, each laid out in memory as compiled code takes it."""
    return PrerequisiteGraph(
        *(
            as_array(part, _DTYPES.get(name, np.int32))
            for name, part in zip(PrerequisiteGraph._fields, parts, strict=True)
        )
    )


def _taught(arrays: PrerequisiteGraph, delta: Segment, hours: Longs, skills: int) -> tuple[Ints, Records]:
    """Return the teachers of each skill, with the courses of the overlay in the order of hours."""
    teacher_starts, more = (
        np.concatenate([part, np.full(skills + 1 - len(part), part[-1], np.int32)])
        for part in (arrays.teacher_starts, delta.teacher_starts)
    )
    taught = delta.teachers.copy()
    taught["course"] += len(arrays.hours)
    skill_of = np.repeat(np.arange(skills), np.diff(more))
    places = [
        teacher_starts[skill]
        + np.searchsorted(
            hours[arrays.teachers["course"][teacher_starts[skill] : teacher_starts[skill + 1]]], hours[course], "right"
        )
        for skill, course in zip(skill_of.tolist(), taught["course"].tolist(), strict=True)
    ]
    return teacher_starts + more, _inserted(arrays.teachers, np.array(places, np.int64), taught)


def _consumers(segment: Segment, rows: Records, requires: Ints, before: int) -> tuple[Ints, Ints]:
    """Return conditions and their consumers: courses, or ~course where the condition is a `from` level."""
    numbers = np.arange(before, before + segment.size, dtype=np.int32)
    owner = np.repeat(numbers, np.diff(segment.info["row"]))
    entered = rows["entry"] >= 0
    requiring = np.repeat(numbers, np.diff(segment.info["condition"]))
    pairs = (rows["entry"][entered].astype(np.int64) << 32) | owner[entered]
    alone = ~np.isin(
        pairs, (requires.astype(np.int64) << 32) | requiring
    )  # a `from` level that is also required must not count twice
    conditions = np.concatenate([rows["entry"][entered][alone], requires])
    return conditions, np.concatenate([~owner[entered][alone], requiring])


def _branch_holders(found: _Conditions, before: int) -> tuple[Ints, Ints]:
    """Return conditions, and the branches that hold them."""
    branches = np.arange(before, before + len(found.branch_condition), dtype=np.int32)
    return found.branch_conditions, np.repeat(branches, np.diff(found.branch_starts))


def _conditions_in(segment: Segment) -> Ints:
    entered = segment.rows["entry"]
    return np.unique(np.concatenate([entered[entered >= 0], segment.requires]))


def _localised(segment: Segment, local: Callable[[Ints], Any]) -> tuple[Records, Ints]:
    """Return rows and requirements with the graph's numbers of conditions."""
    rows = segment.rows.copy()
    entered = rows["entry"] >= 0
    rows["entry"][entered] = local(rows["entry"][entered])
    return rows, np.asarray(local(segment.requires), np.int32)


def _conditions(
    names: Ints, conditions: ConditionTable, local: Callable[[Ints], Any], segment: Segment, before: tuple[int, int]
) -> _Conditions:
    """Return these conditions. `before`: how many branches, and conditions of branches, have numbers already."""
    branch_conditions, branch_starts, table = conditions.read()
    rows = table[names]
    counts = rows["last_branch"] - rows["first_branch"]
    branches = ranges(rows["first_branch"], counts)
    lengths = np.diff(branch_starts)[branches]
    condition_table = np.zeros(len(names), CONDITION_DTYPE)
    condition_table["skill"], condition_table["level"] = rows["skill"], rows["level"]
    condition_table["last_branch"] = np.cumsum(counts) + before[0]
    condition_table["first_branch"] = condition_table["last_branch"] - counts
    condition_table["course"] = segment.find(rows["course"])
    held = branch_conditions[ranges(branch_starts[branches], lengths)]
    places = np.asarray(local(names), np.int32)
    return _Conditions(
        condition_table,
        offsets_of(lengths) + np.int32(before[1]),
        np.asarray(local(held), np.int32),
        np.repeat(places, counts),
    )


def _level_index(condition_table: Records, skills: int) -> tuple[Ints, Ints]:
    """Return the inverted index of the conditions on levels."""
    order = np.lexsort((condition_table["level"], condition_table["skill"])).astype(np.int32)
    order = order[condition_table[order]["skill"] >= 0]
    return offsets_of(np.bincount(condition_table[order]["skill"], minlength=skills)), order


def _lists(keys: Ints, values: Ints, count: int) -> tuple[Ints, Ints]:
    """Return the values of each key, end to end, and where they begin."""
    order = np.argsort(keys, kind="stable")
    return offsets_of(np.bincount(keys, minlength=count)), np.asarray(values[order], np.int32)


def _longer(starts: Ints, values: Ints, keys: Ints, more: Ints, count: int) -> tuple[Ints, Ints]:
    """Return lists of `_lists` for so many keys with more values, each at the end of its key's."""
    starts = np.concatenate([starts, np.full(count + 1 - len(starts), starts[-1], np.int32)])
    order = np.argsort(keys, kind="stable")
    values = _inserted(values, starts[keys[order] + 1], more[order])
    return starts + offsets_of(np.bincount(keys, minlength=count)), values


def _inserted(values: NDArray[Any], places: Any, more: NDArray[Any]) -> NDArray[Any]:
    """Return values with more of them, each before its place; those of one place in their order."""
    pieces, before = [], 0
    for number in np.argsort(places, kind="stable").tolist():
        pieces += [values[before : places[number]], more[number : number + 1]]
        before = int(places[number])
    return np.concatenate([*pieces, values[before:]])
