"""The search of one plan: T0, the greedy; then T1, which improves it until nothing is better or no visits are left.

    greedy          once for each exponent of the cost; the best of these paths is improved (`greedy`)
    local search    starts and exchanges (`local_search`)
    discrepancies   limited discrepancy search by hours, if an attainable gap is still open (`discrepancy_search`)
    beam            then a beam search (`beam_search`), if the targets raise several gaps each

If the path then holds as many courses as it may, discrepancies and beam run again, and every course costs the same. If
any of them finds a better path, the local search runs once more.

All paths are without redundant courses. A path is better if it has a higher value, or the same value at less cost. A
bound ends every attempt that cannot lead to a better path. If the visits of the plan are used up, the result is the
best path so far.
"""

import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO
from services.recommender.planner.jit import jit
from services.recommender.planner.optimizer.beam_search import Beam, empty_beam, search_by_beam
from services.recommender.planner.optimizer.course_path import CoursePath, Search, empty_path
from services.recommender.planner.optimizer.discrepancy_search import search_discrepancies, with_costs
from services.recommender.planner.optimizer.greedy import targets_of
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.local_search import search_locally
from services.recommender.planner.optimizer.state import PlanState, Workspace, copy_of
from services.recommender.planner.params import PARAMS

EXPONENTS = np.array(PARAMS.exponents)
BEAM_GAPS = PARAMS.beam_gaps


def search(
    problem: ProblemData, start_state: PlanState, workspace: Workspace, exponents: NDArray[np.float64]
) -> Search:
    """Return the search with the best path after the fixed courses as its `best`.

    Without `exponents` that path is empty.
    """
    targets = targets_of(problem, start_state, workspace)
    best, trial, scratch = empty_path(problem), empty_path(problem), empty_path(problem)
    found = Search(problem, start_state, workspace, targets, best, trial, scratch, copy_of(start_state))
    if len(exponents) == 0:
        return found
    complete = search_locally(found, exponents)
    value = int(best.totals["value"][0])
    if not complete:
        hours = problem.courses["hours"]
        _search_with(found, hours)
        if best.totals["size"][0] >= start_state.left["steps"][0]:
            _search_with(found, np.where(hours > 0, MICRO, 0))
    if best.totals["value"][0] > value:
        best.totals["cost"] = problem.courses["cost"][best.courses[: best.totals["size"][0]]].sum()
        search_locally(found, exponents[:0])
    return found


def _search_with(found: Search, cost: NDArray[np.int64]) -> None:
    """Search for a path of higher value by discrepancies and a beam; the courses cost `cost`, in micro-hours."""
    problem, targets = found.problem, found.targets
    recosted, start = with_costs(problem, found.start_state, found.workspace, cost)
    recosted_targets = targets_of(recosted, start, found.workspace)
    widened = found._replace(problem=recosted, start_state=start, targets=recosted_targets, state=copy_of(start))
    several_gaps = bool(problem.courses["gaps"][targets["course"]].sum() >= BEAM_GAPS * len(targets))
    beam, kept = empty_beam(problem), empty_beam(problem)
    search_widely(widened, copy_of(start), empty_path(problem), beam, kept, several_gaps)


@jit(entry=True, allocates=True)
def search_widely(
    search: Search, base: PlanState, path: CoursePath, beam: Beam, kept: Beam, several_gaps: bool
) -> None:
    """Run the discrepancy search and, if the targets raise several gaps each, the beam search.

    Compiled as one entry, so that what both call is compiled once. `base` and the others: see `search_by_beam`.
    """
    search_discrepancies(search, base, path)
    if several_gaps:
        search_by_beam(search, base, path, beam, kept)
