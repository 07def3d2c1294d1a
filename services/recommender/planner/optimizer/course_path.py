"""A path as courses in order of study: replayed from the start state, pruned, compared with another."""

from typing import NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.jit import NONE, jit
from services.recommender.planner.optimizer.closure import value_without
from services.recommender.planner.optimizer.closure_cost import Flags, unset
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.state import PlanState, Workspace, admits, copy_position, study, total_held
from services.recommender.planner.references import by_reference

TOTALS_DTYPE = np.dtype([("size", np.int64), ("value", np.int64), ("cost", np.int64)])
"""Of a path: the number of its courses, the micro-levels held at its end, and its cost in micro-hours."""


@by_reference
class CoursePath(NamedTuple):
    """Courses (rows of an instance of N) in order of study; changed in place.

    `reference.search.CoursePath` is the same as a tuple that never changes.
    """

    courses: Longs
    """(N + 1,): the first `size` are the path; the others mean nothing."""
    totals: Records
    """(1,) TOTALS_DTYPE."""


@by_reference
class Search(NamedTuple):
    """One search: what it starts from, its targets (TARGET_DTYPE), the best path so far, and scratch space.

    `state` is at the end of `trial`, the path that an attempt builds.
    """

    problem: ProblemData
    start_state: PlanState
    workspace: Workspace
    targets: Records
    best: CoursePath
    trial: CoursePath
    scratch: CoursePath
    state: PlanState


def empty_path(problem: ProblemData) -> CoursePath:
    """Return an empty path that can hold all courses of an instance."""
    return CoursePath(np.zeros(len(problem.courses), np.int64), np.zeros(1, TOTALS_DTYPE))


@jit()
def copy_path(source: CoursePath, target: CoursePath) -> None:
    """Copy the path `source` into `target`."""
    target.totals[0] = source.totals[0]
    for place in range(source.totals[0]["size"]):
        target.courses[place] = source.courses[place]


@jit()
def is_better(one: CoursePath, other: CoursePath) -> bool:
    """Return whether the path `one` has a higher value than `other`, or the same value at less cost."""
    if one.totals[0]["value"] != other.totals[0]["value"]:
        return bool(one.totals[0]["value"] > other.totals[0]["value"])
    return bool(one.totals[0]["cost"] < other.totals[0]["cost"])


@jit(entry=True)
def replay(search: Search, state: PlanState, path: CoursePath, skip: int, remaining: CoursePath) -> None:
    """Replay a path from the start state without the course at `skip`, and without courses that then cannot be entered.

    `skip` -1: no course is left out. Writes the remaining courses and their totals to `remaining`, and moves `state` to
    the end of these; the costs of `state` are not updated.
    """
    problem = search.problem
    copy_position(search.start_state, state)
    size = paid = 0
    search.workspace.counters[0]["visits_left"] -= path.totals[0]["size"]
    for place in range(path.totals[0]["size"]):
        course = path.courses[place]
        if place != skip and admits(problem, state, course):
            study(problem, state, course)
            remaining.courses[size] = course
            size += 1
            paid += problem.courses[course]["cost"]
    totals = remaining.totals[0]
    totals["size"], totals["value"], totals["cost"] = size, total_held(state.held), paid


@jit(allocates=True)
def sole_contributors(problem: ProblemData, start_state: PlanState, path: CoursePath) -> Flags:
    """Return (size,) whether each course of a path adds value that no other course of the path adds."""
    first = start_state.held.copy()
    second, holder = first.copy(), unset(len(first))
    for place in range(path.totals[0]["size"]):
        course = path.courses[place]
        for effect in range(problem.courses[course]["effect"], problem.courses[course + 1]["effect"]):
            slot, value = problem.effects[effect]["slot"], problem.effects[effect]["value"]
            if value > first[slot]:
                first[slot], second[slot], holder[slot] = value, first[slot], place
            elif value > second[slot]:
                second[slot] = value
    alone = np.zeros(path.totals[0]["size"], np.bool_)
    for slot in range(len(first)):
        if holder[slot] >= 0 and first[slot] > second[slot]:
            alone[holder[slot]] = True
    return alone


@jit(entry=True, allocates=True)
def prune(search: Search, state: PlanState, path: CoursePath) -> None:
    """Drop, from the last to the first, every course without which the path stays feasible and keeps its value.

    Sets the totals, and moves `state` to the end of what remains, without updating its costs.
    """
    problem, start_state, workspace = search.problem, search.start_state, search.workspace
    replay(search, state, path, NONE, search.scratch)
    copy_path(search.scratch, path)
    alone = sole_contributors(problem, start_state, path)
    place = path.totals[0]["size"] - 1
    moved = False
    while place >= 0:
        if not alone[place]:
            moved = True
            rest = value_without(problem, start_state, workspace, path.courses[: path.totals[0]["size"]], place)
            if rest == path.totals[0]["value"]:
                path.totals[0]["cost"] -= problem.courses[path.courses[place]]["cost"]
                path.totals[0]["size"] -= 1
                for later in range(place, path.totals[0]["size"]):
                    path.courses[later] = path.courses[later + 1]
                alone = sole_contributors(problem, start_state, path)
        place -= 1
    if moved:
        replay(search, state, path, NONE, search.scratch)
