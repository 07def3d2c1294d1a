"""Beam search with greedy completion (the pilot method, Duin, Voss 1999), if the targets raise several gaps each.

Courses cost their hours. Each path of the beam is extended by the closures of the best starts at its end. The value of
an extended path is what the greedy reaches from its end. The best extended paths are the next beam. If several courses
raise the same gaps, the best next course depends on several others, which one discrepancy does not reach.
"""

from typing import NamedTuple

import numpy as np

from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import NONE, ZERO, jit
from services.recommender.planner.optimizer.course_path import CoursePath, Search, copy_path, replay
from services.recommender.planner.optimizer.greedy import add_closure, greedy, value_bound
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.local_search import improve, starts_of
from services.recommender.planner.optimizer.state import PlanState, copy_state, costs_from_start, total_held
from services.recommender.planner.params import PARAMS
from services.recommender.planner.references import by_reference

BEAM_WIDTH = PARAMS.beam_width
BEAM_STARTS = PARAMS.beam_starts


@by_reference
class Beam(NamedTuple):
    """At most W = BEAM_WIDTH paths, sorted by the value that the greedy reaches from the end of each, best first."""

    courses: Longs
    """(W + 1, N + 1): the first `sizes` of a row are the path, in order of study; the last row is spare."""
    sizes: Longs
    """(W + 1,): courses of each path."""
    values: Longs
    """(W + 1,): micro-levels held at the end of each path completed by the greedy."""
    filled: Longs
    """(1,): how many paths there are."""


def empty_beam(problem: ProblemData) -> Beam:
    """Return a beam without paths for an instance."""
    rows = BEAM_WIDTH + 1
    courses = np.zeros((rows, len(problem.courses)), np.int64)
    return Beam(courses, np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(1, np.int64))


@jit()
def same_courses(one: Longs, other: Longs) -> bool:
    """Return whether two paths, in each of which a course occurs once, have the same courses."""
    if len(one) != len(other):
        return False
    for course in one:  # noqa: SIM110 - compiled
        if course not in other:
            return False
    return True


@jit()
def keep(beam: Beam, path: Longs, value: int) -> None:
    """Insert a path into a beam if it is among the best W; of equal values the earlier path is better.

    `path`: rows in order of study; `value`: see `Beam.values`. A path of the same courses in another order is not
    inserted again.
    """
    at = count = beam.filled[0]
    while at > 0 and beam.values[at - 1] < value:
        at -= 1
    for row in range(at):
        if beam.values[row] == value and same_courses(beam.courses[row, : beam.sizes[row]], path):
            return
    if at < BEAM_WIDTH:
        for row in range(count, at, -1):
            for place in range(beam.sizes[row - 1]):
                beam.courses[row, place] = beam.courses[row - 1, place]
            beam.sizes[row], beam.values[row] = beam.sizes[row - 1], beam.values[row - 1]
        for place in range(len(path)):
            beam.courses[at, place] = path[place]
        beam.sizes[at], beam.values[at] = len(path), value
        beam.filled[0] = min(count + 1, BEAM_WIDTH)


@jit(allocates=True)
def search_by_beam(search: Search, base: PlanState, path: CoursePath, beam: Beam, kept: Beam) -> None:
    """Search for a path of higher value than `search.best`, within half of the visits that are left.

    `base`, `path`, `beam`, `kept`: a state, a path and two empty beams as scratch space. The search ends when no path
    of the next beam can lead to a better path.
    """
    problem, start_state, workspace, targets = search.problem, search.start_state, search.workspace, search.targets
    counters, best, trial, state = workspace.counters, search.best, search.trial, search.state
    spared = counters[0]["visits_left"] // 2
    counters[0]["visits_left"] -= spared
    beam.filled[0] = 1
    promising = value_bound(problem, start_state, workspace, targets) > best.totals[0]["value"]
    while promising and counters[0]["visits_left"] > 0:
        promising = False
        kept.filled[0] = 0
        for row in range(beam.filled[0]):
            path.totals[0]["size"] = beam.sizes[row]
            for place in range(beam.sizes[row]):
                path.courses[place] = beam.courses[row, place]
            replay(search, base, path, NONE, search.scratch)
            costs_from_start(problem, start_state, base, workspace)
            starts = starts_of(problem, base, workspace, targets, bool(ZERO))
            for course in starts[:BEAM_STARTS]:
                if counters[0]["visits_left"] <= 0:
                    break
                copy_state(base, state)
                copy_path(path, trial)
                add_closure(problem, state, workspace, course, trial)
                size, bound = trial.totals[0]["size"], value_bound(problem, state, workspace, targets)
                promising = promising or bound > best.totals[0]["value"]
                greedy(search, 1.0, NONE, ZERO)
                value = total_held(state.held)
                keep(kept, trial.courses[:size], value)
                if value > best.totals[0]["value"]:
                    improve(search)
        beam, kept = kept, beam
    if counters[0]["visits_left"] <= 0:
        counters[0]["limited"] = 1
    counters[0]["visits_left"] += spared
