"""The search of one plan: T0, the greedy; then T1, which improves it until nothing is better or no visits are left.

    greedy          once for each exponent of the cost; the best of these paths is improved (`greedy`)
    local search    starts and exchanges (`local_search`)
    discrepancies   limited discrepancy search by hours, if an attainable gap is still open (`discrepancy_search`)
    beam            then a beam search (`beam_search`), if the targets raise several gaps each; if either finds a
                    better path, the local search runs once more

All paths are without redundant courses. A path is better if it has a higher value, or the same value at less cost. A
bound ends every attempt that cannot lead to a better path. If the visits of the plan are used up, the result is the
best path so far.
"""

import numpy as np
from numpy.typing import NDArray

from services.recommender.planner.optimizer.beam_search import empty_beam, search_by_beam
from services.recommender.planner.optimizer.course_path import Search, empty_path
from services.recommender.planner.optimizer.discrepancy_search import by_hours, search_discrepancies
from services.recommender.planner.optimizer.greedy import targets_of
from services.recommender.planner.optimizer.instance import ProblemData
from services.recommender.planner.optimizer.local_search import search_greedily, search_locally
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
    complete = search_greedily(found, exponents)
    search_locally(found)
    value = int(best.totals["value"][0])
    if not complete:
        timed, start = by_hours(problem, start_state, workspace)
        timed_targets = targets_of(timed, start, workspace)
        widened = found._replace(problem=timed, start_state=start, targets=timed_targets, state=copy_of(start))
        search_discrepancies(widened, copy_of(start), empty_path(problem))
        if problem.courses["gaps"][targets["course"]].sum() >= BEAM_GAPS * len(targets):
            search_by_beam(widened, copy_of(start), empty_path(problem), empty_beam(problem), empty_beam(problem))
    if best.totals["value"][0] > value:
        best.totals["cost"] = problem.courses["cost"][best.courses[: best.totals["size"][0]]].sum()
        search_locally(found)
    return found
