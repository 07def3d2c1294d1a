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
    required,
)
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

_NONE = np.zeros(0, np.int32)

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
    """ROW_DTYPE: per course the skills that it teaches."""
    requires: Ints
    """Per course its entry conditions: each number, or ~number for a `from` level (see `Costs.ours`)."""
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
    """The values of several items' lists. `owners`: the item of each value."""

    owners: Any
    values: NDArray[Any]


def build_graph(base: Segment, overlay: Segment, conditions: ConditionTable, known: Ints = _NONE) -> IndexedGraph:
    """Return the prerequisite graph of a base and an overlay, whose courses replace those of the base with the same id.

    `conditions`: the table of the vocabulary. `known`: the `names` of the base's own graph, which keep their numbers.
    """
    branch_conditions, branch_starts, vocabulary = conditions.read()
    requires = np.append(base.requires, overlay.requires)
    asked, numbers = required(requires), _numbers(known, len(vocabulary))
    found = all_conditions(asked[numbers[asked] < 0], branch_conditions, branch_starts, vocabulary)
    names = np.append(known, found[numbers[found] < 0])
    numbers, table = _numbers(names, len(vocabulary)), vocabulary[names]
    counts = table["last_branch"] - table["first_branch"]
    branches = ranges(table["first_branch"], counts)
    lengths = np.diff(branch_starts)[branches]
    held = numbers[branch_conditions[ranges(branch_starts[branches], lengths)]]
    courses = np.zeros(base.size + overlay.size + 1, COURSE_DTYPE)
    courses["row"] = np.append(base.info["row"][:-1], overlay.info["row"] + len(base.rows))
    courses["condition"] = np.append(base.info["condition"][:-1], overlay.info["condition"] + len(base.requires))
    courses["hours"][:-1], courses["rank"][:-1] = (
        np.append(base.hours, overlay.hours),
        np.append(base.rank, overlay.rank),
    )
    courses["own_condition"] = -1
    in_base, in_overlay = base.find(table["course"]), overlay.find(table["course"])
    courses["own_condition"][in_base[in_base >= 0]] = np.flatnonzero(in_base >= 0)  # also of courses that are replaced
    table["course"] = np.where(in_overlay >= 0, in_overlay + base.size, in_base)
    teachers = np.append(base.teachers, overlay.teachers)
    teachers["course"][len(base.teachers) :] += base.size
    arrays = _with_lists(
        courses,
        np.append(base.rows, overlay.rows),
        np.where(requires < 0, ~numbers[asked], numbers[asked]),
        table,
        np.repeat(np.arange(len(names)), counts),
        _Lists(np.repeat(np.arange(len(branches)), lengths), held),
        _Lists(np.append(_owners(base.teacher_starts), _owners(overlay.teacher_starts)), teachers),
        max(len(base.teacher_starts), len(overlay.teacher_starts)) - 1,
    )
    return IndexedGraph(arrays, names, numbers)


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

    `ours`: (S,) mask of the skills whose `from` levels are entry conditions.
    """
    courses, conditions, branches = (np.flatnonzero(part) for part in selected)
    course_at, condition_at = _numbers(courses, graph.sizes[0]), _numbers(conditions, graph.sizes[1])
    table = graph.conditions[conditions]
    skills = np.unique(table["skill"][table["skill"] >= 0])
    skill_at = _numbers(skills, len(graph.skills))
    table["skill"], table["course"] = skill_at[table["skill"]], course_at[table["course"]]
    owner, rows = _of(graph.courses["row"], courses, graph.rows)
    needed = skill_at[rows["skill"]] >= 0
    taught, taught_by = rows[needed], owner[needed]
    taught["skill"] = skill_at[taught["skill"]]
    asking, requires = _of(graph.courses["condition"], courses, graph.requires)
    asked = required(requires)
    applies = (condition_at[asked] >= 0) & ((requires >= 0) | ours[graph.conditions["skill"][asked]])
    holder, held = _of(graph.branches["start"], branches, graph.branch_conditions)
    open_ = condition_at[held] >= 0
    teachers = np.empty(len(taught), TEACHER_DTYPE)
    teachers["course"], teachers["level"] = taught_by, taught["high"]
    part = graph.courses[np.append(courses, graph.sizes[0])]
    part["row"], part["condition"] = _starts(taught_by, len(courses)), _starts(asking[applies], len(courses))
    part["own_condition"] = -1
    arrays = _with_lists(
        part,
        taught,
        condition_at[asked[applies]],
        table,
        condition_at[graph.branches["condition"][branches]],
        _Lists(holder[open_], condition_at[held[open_]]),
        _Lists(taught["skill"], teachers),
        len(skills),
    )
    return Subgraph(arrays, courses, skills, rows, owner)


def _with_lists(  # noqa: PLR0913, PLR0917 - the parts of a graph
    courses: Records,
    rows: Records,
    requires: Ints,
    table: Records,
    branch_condition: Ints,
    branches: _Lists,
    teachers: _Lists,
    skills: int,
) -> PrerequisiteGraph:
    """Return the graph of these parts with the lists that follow from them, in the layout of compiled code.

    `table`: skill, level and course of each condition. `branch_condition`: the condition of each branch, ascending.
    `branches`: the conditions that each branch requires. `teachers`: of each skill, those of one segment in the order
    of hours. `skills`: how many there are.
    """
    count, branch_count = len(courses) - 1, len(branch_condition)
    own = np.flatnonzero(table["course"] >= 0)
    courses["own_condition"][table["course"][own]] = own
    conditions = np.zeros(len(table) + 1, CONDITION_DTYPE)
    for name in ("skill", "level", "course"):
        conditions[name][:-1] = table[name]
    begins = _starts(branch_condition, len(table))
    conditions["first_branch"][:-1], conditions["last_branch"][:-1] = begins[:-1], begins[1:]
    by_branch = np.zeros(branch_count + 1, BRANCH_DTYPE)
    by_branch["start"], by_branch["condition"][:-1] = _starts(branches.owners, branch_count), branch_condition
    asking = np.repeat(np.arange(count), np.diff(courses["condition"]))
    asked = np.append(required(requires), branches.values)
    conditions["consumer"] = _starts(asked, len(table))
    consumers = np.append(np.where(requires < 0, ~asking, asking), branches.owners + BRANCH)
    on_levels = np.lexsort((table["level"], table["skill"]))
    on_levels = on_levels[table["skill"][on_levels] >= 0]
    by_skill = np.zeros(skills + 1, SKILL_DTYPE)
    by_skill["teacher"], by_skill["level"] = (
        _starts(owners, skills) for owners in (teachers.owners, table["skill"][on_levels])
    )
    lengths = courses["hours"][teachers.values["course"]]
    parts: dict[str, Any] = {
        "courses": courses,
        "rows": rows,
        "requires": requires,
        "conditions": conditions,
        "branches": by_branch,
        "branch_conditions": branches.values,
        "skills": by_skill,
        "teachers": teachers.values[np.argsort(teachers.owners.astype(np.int64) << 40 | lengths, kind="stable")],
        "level_index": on_levels,
        "consumers": consumers[_order(asked)],
    }
    return PrerequisiteGraph(**{name: as_array(part, _DTYPES.get(name, np.int32)) for name, part in parts.items()})


def _numbers(chosen: Any, count: int) -> Ints:
    """Return for each of `count` items its position among the chosen ones; -1 for the others, and for item -1."""
    places = np.full(count + 1, -1, np.int32)
    places[chosen] = np.arange(len(chosen))
    return places


def _of(starts: Ints, chosen: Any, values: NDArray[Any]) -> tuple[Longs, NDArray[Any]]:
    """Return the values of the chosen items' lists, and for each value the position of its item among the chosen."""
    counts = starts[chosen + 1] - starts[chosen]
    return np.repeat(np.arange(len(chosen)), counts), values[ranges(starts[chosen], counts)]


def _starts(owners: Any, count: int) -> Ints:
    """Return where the lists of `count` items begin. `owners`: the item of each value."""
    return offsets_of(np.bincount(owners, minlength=count))


def _owners(starts: Ints) -> Longs:
    """Return the item of each value of concatenated lists. `starts`: where each item's list begins."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def _order(numbers: Any) -> Longs:
    """Return the stable order of numbers below 2 ** 32. numpy sorts 16 bits at a time several times as fast."""
    order: Longs = np.lexsort((numbers.astype(np.uint16), (numbers >> 16).astype(np.uint16)))
    return order
