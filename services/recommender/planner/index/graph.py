"""The prerequisite graph of the courses that a tenant sees, for compiled functions.

Courses of the base come first, those of the overlay after them. Conditions and branches are numbered within the graph,
so that its arrays are small if only champions are searched.
"""

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
    segment_of,
)
from services.recommender.planner.index.vocabulary import CONDITION_DTYPE as TABLE_DTYPE
from services.recommender.planner.index.vocabulary import ROW_DTYPE, ConditionTable, Records
from services.recommender.planner.jit import as_array
from services.recommender.planner.references import by_reference

COURSE_DTYPE = np.dtype(
    [("row", np.int32), ("condition", np.int32), ("own_condition", np.int32), ("hours", np.int64), ("rank", np.int64)]
)
"""A course: where it begins in `rows` and in `requires` (`row`, `condition`); the condition that its completion
satisfies, or -1 (`own_condition`); micro-hours; its position in the order of the ids of all segments (`rank`)."""

CONDITION_DTYPE = np.dtype(
    [(field, np.int32) for field in ("skill", "level", "course", "first_branch", "last_branch", "consumer")]
)
"""A condition: a micro-level of a skill, a completed course (each -1 where it is none), or any of the branches from
`first_branch` up to but not including `last_branch`; and where it begins in `consumers`."""

BRANCH_DTYPE = np.dtype([("start", np.int32), ("condition", np.int32)])
"""A branch of an `any`: where it begins in `branch_conditions` (`start`), and the condition that it satisfies."""

SKILL_DTYPE = np.dtype([("teacher", np.int32), ("level", np.int32)])
"""A skill: where it begins in `teachers` and in `level_index`."""

_TABLE = TABLE_DTYPE.names or ()
_NONE, _FIRST = np.zeros(0, np.int32), np.zeros(1, np.int32)

BRANCH = 1 << 29
"""A consumer of BRANCH or more is a branch: BRANCH + the number of the branch."""


@by_reference
class PrerequisiteGraph(NamedTuple):
    """An AND-OR graph of N courses, M conditions and B branches of `any`, each numbered from 0, and S skills.

    A course, or a branch, requires all of its conditions (AND); a condition is satisfied by any one course or branch
    (OR). Lists are stored one after the other in a single array (compressed sparse rows): the list of item i ends where
    that of item i + 1 begins, so each table has one row more than items.

    The graph of all courses that a tenant sees and the graph of the few that a plan weighs (`subgraph`) have this type.
    """

    courses: Records
    """(N + 1,) COURSE_DTYPE."""
    rows: Records
    """ROW_DTYPE: per course the skills that it teaches; `entry`: the `from` level as a condition, or -1."""
    requires: Ints
    """Per course the conditions that it requires besides its `from` levels."""
    conditions: Records
    """(M + 1,) CONDITION_DTYPE; `course` and the branches are of this graph."""
    branches: Records
    """(B + 1,) BRANCH_DTYPE."""
    branch_conditions: Ints
    """Per branch the conditions that it requires."""
    skills: Records
    """(S + 1,) SKILL_DTYPE."""
    teachers: Records
    """TEACHER_DTYPE: per skill the courses that teach it; in the graph of a catalog the shortest first."""
    level_index: Ints
    """Per skill the conditions on its level, lowest level first."""
    consumers: Ints
    """Per condition what requires it: a course, ~course or BRANCH + a branch.

    It is ~course if the condition is a `from` level of the course.
    """

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The numbers of courses, conditions and branches."""
        return len(self.courses) - 1, len(self.conditions) - 1, len(self.branches) - 1


_DTYPES: dict[str, DTypeLike] = {
    "courses": COURSE_DTYPE,
    "rows": ROW_DTYPE,
    "conditions": CONDITION_DTYPE,
    "branches": BRANCH_DTYPE,
    "skills": SKILL_DTYPE,
    "teachers": TEACHER_DTYPE,
}


class IndexedGraph(NamedTuple):
    """A prerequisite graph, and how its conditions correspond to those of the vocabulary (`ConditionTable`)."""

    arrays: PrerequisiteGraph
    names: Ints
    """(M,): number in `ConditionTable` of each condition."""
    numbers: Ints
    """By number in `ConditionTable`: the number in the graph, or -1. Conditions that were added later are not in it."""

    def condition(self, name: int | None) -> int:
        """Return the number in the graph of a condition; -1 if the graph does not have it.

        `name`: its number in `ConditionTable`; None: it has none.
        """
        return int(self.numbers[name]) if name is not None and name < len(self.numbers) else -1


class _Lists(NamedTuple):
    """Concatenated lists. `starts`: where each begins, and where the last one ends."""

    starts: Ints
    values: NDArray[Any]


class _Conditions(NamedTuple):
    """Conditions and their branches. `table`: of the vocabulary's type. `branches`: the conditions of each branch."""

    table: Records
    branches: _Lists
    branch_condition: Ints


def build_graph(segment: Segment, conditions: ConditionTable) -> IndexedGraph:
    """Return the prerequisite graph of the courses of a segment. `conditions`: the table of the vocabulary."""
    empty = _laid_out(
        np.zeros(1, COURSE_DTYPE), np.zeros(0, ROW_DTYPE), _NONE,
        _Conditions(np.zeros(0, TABLE_DTYPE), _Lists(_FIRST, _NONE), _NONE),
        _Lists(_FIRST, np.zeros(0, TEACHER_DTYPE)), _Lists(_FIRST, _NONE), _Lists(_FIRST, _NONE),
    )  # fmt: skip
    return extend_graph(IndexedGraph(empty, _NONE, _NONE), segment_of([], 0), segment, conditions)


def extend_graph(graph: IndexedGraph, base: Segment, overlay: Segment, conditions: ConditionTable) -> IndexedGraph:
    """Return the graph of a base, extended by an overlay.

    `graph`: that of the segment `base`. `overlay`: courses that are added, or that replace courses of the base with the
    same id.
    """
    arrays = graph.arrays
    count, known_count, branch_count = arrays.sizes
    branch_conditions, branch_starts, vocabulary = conditions.read()
    entered = overlay.rows["entry"] >= 0
    own = np.unique(np.concatenate([overlay.rows["entry"][entered], overlay.requires]))
    wanted = all_conditions(own, branch_conditions, branch_starts, vocabulary)
    numbers = np.full(len(vocabulary), -1, np.int32)
    numbers[graph.names] = np.arange(known_count)
    fresh = wanted[numbers[wanted] < 0]
    numbers[fresh] = np.arange(known_count, known_count + len(fresh))
    names = np.concatenate([graph.names, fresh])
    rows, requires = overlay.rows.copy(), numbers[overlay.requires]
    rows["entry"][entered] = numbers[rows["entry"][entered]]

    added = vocabulary[fresh]
    counts = added["last_branch"] - added["first_branch"]
    branches = ranges(added["first_branch"], counts)
    lengths = np.diff(branch_starts)[branches]
    added["last_branch"] = np.cumsum(counts) + branch_count
    added["first_branch"] = added["last_branch"] - counts
    added["course"] = base.find(added["course"])
    found = _Conditions(
        np.concatenate([arrays.conditions[list(_TABLE)][:-1].astype(TABLE_DTYPE), added]),
        _Lists(
            np.concatenate([arrays.branches["start"], offsets_of(lengths)[1:] + len(arrays.branch_conditions)]),
            np.concatenate(
                [arrays.branch_conditions, numbers[branch_conditions[ranges(branch_starts[branches], lengths)]]]
            ),
        ),
        np.concatenate([arrays.branches["condition"][:-1], np.repeat(numbers[fresh], counts)]),
    )
    courses = np.concatenate([arrays.courses[:-1], _courses(overlay, len(arrays.rows), len(arrays.requires))])
    in_overlay = overlay.find(vocabulary["course"][names])
    found.table["course"][in_overlay >= 0] = count + in_overlay[in_overlay >= 0]
    _set_own_conditions(courses, found.table)
    skills = max(len(arrays.skills), len(overlay.teacher_starts)) - 1
    longer = _laid_out(
        courses,
        np.concatenate([arrays.rows, rows]),
        np.concatenate([arrays.requires, requires]),
        found,
        _taught(arrays, overlay, skills),
        _level_index(found.table, skills),
        _longer(
            _Lists(arrays.conditions["consumer"], arrays.consumers),
            *_consumers(overlay, rows, requires, found, (count, branch_count)),
            len(names),
        ),
    )
    return IndexedGraph(longer, names, numbers)


@by_reference
class Selection(NamedTuple):
    """The part of a graph that a plan weighs, as masks: (N,) courses, (M,) conditions, (B,) branches.

    `reference.costs.Selection` has the same as objects.
    """

    courses: NDArray[np.bool_]
    conditions: NDArray[np.bool_]
    branches: NDArray[np.bool_]


class Subgraph(NamedTuple):
    """A part of a graph, with numbers of its own.

    `courses`, `skills`: for each number in the part, the number of the course or skill in the whole graph. `rows`: all
    rows of its courses as in the whole graph, and `owner`: for each row the number of its course in the part.
    """

    arrays: PrerequisiteGraph
    courses: Longs
    skills: Ints
    rows: Records
    owner: Longs


def subgraph(graph: PrerequisiteGraph, selected: Selection, ours: NDArray[np.bool_]) -> Subgraph:
    """Return the selected part of a graph; conditions that are not selected hold already.

    `ours`: (S,) mask of the skills whose `from` levels are entry conditions; the subgraph lists these in `requires`.
    """
    courses, conditions, branches = (np.flatnonzero(part) for part in selected)
    course_at, condition_at = _numbers(courses, graph.sizes[0]), _numbers(conditions, graph.sizes[1])
    table = graph.conditions[list(_TABLE)][conditions].astype(TABLE_DTYPE)
    skills = np.unique(table["skill"][table["skill"] >= 0])
    skill_at = _numbers(skills, len(graph.skills))
    table["skill"], table["course"] = skill_at[table["skill"]], course_at[table["course"]]
    owner, rows = _of(graph.courses["row"], courses, graph.rows)
    entered = (rows["entry"] >= 0) & ours[rows["skill"]]
    requiring, required = _of(graph.courses["condition"], courses, graph.requires)
    required = condition_at[np.append(rows["entry"][entered], required)]
    pairs = np.unique((np.append(owner[entered], requiring) << 32 | required)[required >= 0])
    requiring, required = pairs >> 32, pairs & 0xFFFFFFFF
    holder, held = _of(graph.branches["start"], branches, graph.branch_conditions)
    holder, held = holder[condition_at[held] >= 0], condition_at[held[condition_at[held] >= 0]]
    branch_condition = condition_at[graph.branches["condition"][branches]]
    numbers = np.arange(len(conditions))
    table["first_branch"], table["last_branch"] = (
        np.searchsorted(branch_condition, numbers, side) for side in ("left", "right")
    )
    needed = skill_at[rows["skill"]] >= 0
    teaching, kept = owner[needed], rows[needed]
    kept["skill"], kept["entry"] = skill_at[kept["skill"]], -1
    teachers = np.empty(len(kept), TEACHER_DTYPE)
    teachers["course"], teachers["level"] = teaching, kept["high"]
    part = graph.courses[np.append(courses, graph.sizes[0])]
    part["row"], part["condition"] = _starts(teaching, len(courses)), _starts(requiring, len(courses))
    part["own_condition"] = -1
    _set_own_conditions(part, table)
    consumers = _lists(np.append(required, held), np.append(requiring, holder + BRANCH), len(conditions))
    arrays = _laid_out(
        part, kept, required, _Conditions(table, _Lists(_starts(holder, len(branches)), held), branch_condition),
        _lists(kept["skill"], teachers, len(skills)), _level_index(table, len(skills)), consumers,
    )  # fmt: skip
    return Subgraph(arrays, courses, skills, rows, owner)


def _numbers(chosen: Any, count: int) -> Ints:
    """Return for each of `count` items its position among the chosen ones; -1 for the others, and for item -1."""
    places = np.full(count + 1, -1, np.int32)
    places[chosen] = np.arange(len(chosen))
    return places


def _of(starts: Ints, chosen: Any, values: NDArray[Any]) -> tuple[Longs, NDArray[Any]]:
    """Return the values of the chosen items' lists, and for each value the position of its item among the chosen."""
    counts = starts[chosen + 1] - starts[chosen]
    return np.repeat(np.arange(len(chosen)), counts), values[ranges(starts[chosen], counts)]


def _starts(owner: Any, count: int) -> Ints:
    """Return where the lists of `count` items begin. `owner`: the item of each value."""
    return offsets_of(np.bincount(owner, minlength=count))


def _courses(segment: Segment, rows: int, conditions: int) -> Records:
    """Return the table of a segment's courses. `rows`, `conditions`: how many those of other segments have."""
    courses = np.zeros(segment.size + 1, COURSE_DTYPE)
    courses["row"], courses["condition"] = segment.info["row"] + rows, segment.info["condition"] + conditions
    courses["hours"][:-1], courses["rank"][:-1], courses["own_condition"] = segment.hours, segment.rank, -1
    return courses


def _set_own_conditions(courses: Records, table: Records) -> None:
    """Write to a table of courses the conditions that their completion satisfies."""
    only = np.flatnonzero(table["course"] >= 0)
    courses["own_condition"][table["course"][only]] = only


def _laid_out(  # noqa: PLR0913, PLR0917 - the parts of a graph
    courses: Records,
    rows: Records,
    requires: Ints,
    found: _Conditions,
    teachers: _Lists,
    level_index: _Lists,
    consumers: _Lists,
) -> PrerequisiteGraph:
    """Return the graph of these parts, each in the memory layout that compiled code expects."""
    conditions = np.zeros(len(found.table) + 1, CONDITION_DTYPE)
    for name in _TABLE:
        conditions[name][:-1] = found.table[name]
    conditions["consumer"] = consumers.starts
    branches = np.zeros(len(found.branches.starts), BRANCH_DTYPE)
    branches["start"], branches["condition"][:-1] = found.branches.starts, found.branch_condition
    skills = np.zeros(max(len(teachers.starts), len(level_index.starts)), SKILL_DTYPE)
    for name, lists in (("teacher", teachers), ("level", level_index)):
        skills[name][: len(lists.starts)] = lists.starts
        skills[name][len(lists.starts) :] = lists.starts[-1]
    graph = PrerequisiteGraph(
        courses, rows, requires, conditions, branches, found.branches.values,
        skills, teachers.values, level_index.values, consumers.values,
    )  # fmt: skip
    return PrerequisiteGraph(*(as_array(part, _DTYPES.get(name, np.int32)) for name, part in graph._asdict().items()))


def _taught(arrays: PrerequisiteGraph, overlay: Segment, skills: int) -> _Lists:
    """Return the teachers of each skill, with the courses of the overlay in the order of hours."""
    taught = overlay.teachers.copy()
    taught["course"] += arrays.sizes[0]
    starts = [
        np.concatenate([part, np.full(skills + 1 - len(part), part[-1], np.int32)])
        for part in (arrays.skills["teacher"], overlay.teacher_starts)
    ]
    # Complex numbers are compared by their real part, then by the imaginary one.
    known, more = (
        np.repeat(np.arange(skills), np.diff(part)) + 1j * hours
        for part, hours in zip(
            starts,
            (arrays.courses["hours"][arrays.teachers["course"]], overlay.hours[overlay.teachers["course"]]),
            strict=True,
        )
    )
    return _Lists(starts[0] + starts[1], np.insert(arrays.teachers, np.searchsorted(known, more, "right"), taught))


def _consumers(
    segment: Segment, rows: Records, requires: Ints, found: _Conditions, before: tuple[int, int]
) -> tuple[Ints, Ints]:
    """Return conditions and their consumers. `before`: how many courses and branches are numbered already."""
    numbers = np.arange(before[0], before[0] + segment.size, dtype=np.int32)
    owner = np.repeat(numbers, np.diff(segment.info["row"]))
    entered = rows["entry"] >= 0
    requiring = np.repeat(numbers, np.diff(segment.info["condition"]))
    pairs = (rows["entry"][entered].astype(np.int64) << 32) | owner[entered]
    alone = ~np.isin(
        pairs, (requires.astype(np.int64) << 32) | requiring
    )  # a `from` level that is also required must not count twice
    starts = found.branches.starts[before[1] :]
    branches = np.arange(before[1], len(found.branch_condition), dtype=np.int32) + np.int32(BRANCH)
    conditions = np.concatenate([rows["entry"][entered][alone], requires, found.branches.values[starts[0] :]])
    return conditions, np.concatenate([~owner[entered][alone], requiring, np.repeat(branches, np.diff(starts))])


def _level_index(table: Records, skills: int) -> _Lists:
    """Return the inverted index of the conditions on levels."""
    order = np.lexsort((table["level"], table["skill"])).astype(np.int32)
    order = order[table["skill"][order] >= 0]
    return _Lists(offsets_of(np.bincount(table["skill"][order], minlength=skills)), order)


def _lists(keys: Ints, values: NDArray[Any], count: int) -> _Lists:
    """Return the values of each key, concatenated, and where they begin."""
    order = np.argsort(keys, kind="stable")
    return _Lists(offsets_of(np.bincount(keys, minlength=count)), values[order])


def _longer(lists: _Lists, keys: Ints, more: Ints, count: int) -> _Lists:
    """Return lists for `count` keys with more values, each appended to its key's list."""
    starts = np.concatenate([lists.starts, np.full(count + 1 - len(lists.starts), lists.starts[-1], np.int32)])
    order = np.argsort(keys, kind="stable")
    values = np.insert(lists.values, starts[keys[order] + 1], more[order])  # in order at the same position
    return _Lists(starts + offsets_of(np.bincount(keys, minlength=count)), values)
