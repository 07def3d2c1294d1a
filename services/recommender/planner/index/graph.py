"""The prerequisite graph of the courses that a tenant sees, for compiled functions.

Courses of the base come first, those of the overlay after them. Conditions and branches are numbered within the graph,
so that its arrays are small if only champions are searched.
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
    """A prerequisite graph, and the number of each of its conditions in the vocabulary (`ConditionTable`)."""

    arrays: PrerequisiteGraph
    names: Ints
    """(M of the base,): number in `ConditionTable` of each condition of the base, ascending."""
    overlay: dict[int, int]
    """Number in `ConditionTable` -> number in the graph, for the conditions that the overlay adds."""

    def condition(self, name: int | None) -> int:
        """Return the number in the graph of a condition; -1 if the graph does not have it.

        `name`: its number in `ConditionTable`; None: it has none.
        """
        if name is None:
            return -1
        place = int(np.searchsorted(self.names, name))
        if place < len(self.names) and self.names[place] == name:
            return place
        return self.overlay.get(name, -1)


class _Lists(NamedTuple):
    """Concatenated lists. `starts`: where each begins, and where the last one ends."""

    starts: Ints
    values: NDArray[Any]


class _Conditions(NamedTuple):
    """Conditions and their branches. `table`: of the vocabulary's type. `branches`: the conditions of each branch."""

    table: Records
    branches: _Lists
    branch_condition: Ints


def build_graph(segment: Segment, conditions: ConditionTable, skills: int) -> IndexedGraph:
    """Return the prerequisite graph of the courses of a segment.

    `conditions`: the table of the vocabulary. `skills`: how many skills the vocabulary has.
    """
    names = all_conditions(_conditions_in(segment), *conditions.read())

    def local(numbers: Ints) -> Any:
        return np.searchsorted(names, numbers)

    found = _conditions(names, conditions, local, segment, (0, 0))
    rows, requires = _localised(segment, local)
    arrays = _laid_out(
        _courses(segment, 0, 0, found.table), rows, requires, found,
        _Lists(segment.teacher_starts, segment.teachers), _level_index(found.table, skills),
        _lists(*_consumers(segment, rows, requires, found, (0, 0)), len(names)),
    )  # fmt: skip
    return IndexedGraph(arrays, names, {})


def extend_graph(
    graph: IndexedGraph, base: Segment, overlay: tuple[Segment, Sequence[str]], conditions: ConditionTable
) -> IndexedGraph:
    """Return the graph of a base, extended by an overlay.

    `graph`: that of the segment `base`. `overlay`: the segment and the ids of courses that are added, or that replace
    courses of the base with the same id.
    """
    arrays, (delta, ids) = graph.arrays, overlay
    count, known_count, branch_count = arrays.sizes
    wanted = all_conditions(_conditions_in(delta), *conditions.read())
    fresh = np.array([name for name in wanted.tolist() if graph.condition(name) < 0], np.int32)
    known = IndexedGraph(arrays, graph.names, {int(name): known_count + place for place, name in enumerate(fresh)})

    def local(numbers: Ints) -> Ints:
        return np.array([known.condition(name) for name in numbers.tolist()], np.int32)

    found = _conditions(fresh, conditions, local, base, (branch_count, len(arrays.branch_conditions)))
    rows, requires = _localised(delta, local)
    courses = np.concatenate([arrays.courses[:-1], _courses(delta, len(arrays.rows), len(arrays.requires))])
    table = np.concatenate([arrays.conditions[list(_TABLE)][:-1].astype(TABLE_DTYPE), found.table])
    for place in range(known_count, len(table)):
        if table[place]["course"] >= 0:
            courses[table[place]["course"]]["own_condition"] = place
    for number, course_id in enumerate(ids, count):
        if (condition := known.condition(conditions.known(course_id))) >= 0:
            table[condition]["course"], courses[number]["own_condition"] = number, condition
    branches = _Conditions(
        table,
        _Lists(
            np.concatenate([arrays.branches["start"][:-1], found.branches.starts]),
            np.concatenate([arrays.branch_conditions, found.branches.values]),
        ),
        np.concatenate([arrays.branches["condition"][:-1], found.branch_condition]),
    )
    # Either may have been made when fewer skills had a number.
    skills = max(len(arrays.skills), len(delta.teacher_starts)) - 1
    consumers = _consumers(delta, rows, requires, found, (count, branch_count))
    longer = _laid_out(
        courses,
        np.concatenate([arrays.rows, rows]),
        np.concatenate([arrays.requires, requires]),
        branches,
        _taught(arrays, delta, courses, skills),
        _level_index(table, skills)
        if len(fresh) or skills >= len(arrays.skills)
        else _Lists(arrays.skills["level"], arrays.level_index),
        _longer(_Lists(arrays.conditions["consumer"], arrays.consumers), *consumers, len(table)),
    )
    return known._replace(arrays=longer)


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
    only = np.flatnonzero(table["course"] >= 0)
    part["own_condition"][table["course"][only]] = only
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


def _courses(segment: Segment, rows: int, conditions: int, table: Records | None = None) -> Records:
    """Return the table of a segment's courses. `rows`, `conditions`: how many those of other segments have."""
    courses = np.zeros(segment.size + 1, COURSE_DTYPE)
    courses["row"], courses["condition"] = segment.info["row"] + rows, segment.info["condition"] + conditions
    courses["hours"][:-1], courses["rank"][:-1], courses["own_condition"] = segment.hours, segment.rank, -1
    if table is not None:
        only = np.flatnonzero(table["course"] >= 0)
        courses["own_condition"][table["course"][only]] = only
    return courses


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


def _taught(arrays: PrerequisiteGraph, delta: Segment, courses: Records, skills: int) -> _Lists:
    """Return the teachers of each skill, with the courses of the overlay in the order of hours."""
    teacher_starts, more = (
        np.concatenate([part, np.full(skills + 1 - len(part), part[-1], np.int32)])
        for part in (arrays.skills["teacher"], delta.teacher_starts)
    )
    taught, hours = delta.teachers.copy(), courses["hours"]
    taught["course"] += arrays.sizes[0]
    skill_of = np.repeat(np.arange(skills), np.diff(more))
    places = [
        teacher_starts[skill]
        + np.searchsorted(
            hours[arrays.teachers["course"][teacher_starts[skill] : teacher_starts[skill + 1]]], hours[course], "right"
        )
        for skill, course in zip(skill_of.tolist(), taught["course"].tolist(), strict=True)
    ]
    return _Lists(teacher_starts + more, np.insert(arrays.teachers, np.array(places, np.int64), taught))


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
    branches = np.arange(before[1], before[1] + len(found.branch_condition), dtype=np.int32) + np.int32(BRANCH)
    held = np.repeat(branches, np.diff(found.branches.starts))
    conditions = np.concatenate([rows["entry"][entered][alone], requires, found.branches.values])
    return conditions, np.concatenate([~owner[entered][alone], requiring, held])


def _conditions_in(segment: Segment) -> Ints:
    entered = segment.rows["entry"]
    return np.unique(np.concatenate([entered[entered >= 0], segment.requires]))


def _localised(segment: Segment, local: Callable[[Ints], Any]) -> tuple[Records, Ints]:
    """Return rows and requirements with the graph's own condition numbers."""
    rows = segment.rows.copy()
    entered = rows["entry"] >= 0
    rows["entry"][entered] = local(rows["entry"][entered])
    return rows, np.asarray(local(segment.requires), np.int32)


def _conditions(
    names: Ints, conditions: ConditionTable, local: Callable[[Ints], Any], segment: Segment, before: tuple[int, int]
) -> _Conditions:
    """Return these conditions. `before`: how many branches, and conditions of branches, have numbers already."""
    branch_conditions, branch_starts, known = conditions.read()
    rows = known[names]
    counts = rows["last_branch"] - rows["first_branch"]
    branches = ranges(rows["first_branch"], counts)
    lengths = np.diff(branch_starts)[branches]
    table = np.zeros(len(names), TABLE_DTYPE)
    table["skill"], table["level"] = rows["skill"], rows["level"]
    table["last_branch"] = np.cumsum(counts) + before[0]
    table["first_branch"] = table["last_branch"] - counts
    table["course"] = segment.find(rows["course"])
    held = branch_conditions[ranges(branch_starts[branches], lengths)]
    lists = _Lists(offsets_of(lengths) + np.int32(before[1]), np.asarray(local(held), np.int32))
    return _Conditions(table, lists, np.repeat(np.asarray(local(names), np.int32), counts))


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
