"""From inputs and a view of the catalog to a learning path; and answers to questions about it."""

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from services.recommender.inputs import MICRO, Inputs
from services.recommender.planner.exact.refinement import PathDraft, new_draft, refine
from services.recommender.planner.exact.residual import Pick, ResidualProblem, RunnerUp, end_state
from services.recommender.planner.explain.path import path_of, refused, waiting_for_framework, without_idle
from services.recommender.planner.explain.questions import path_diff, similar_courses, why_not, without_path
from services.recommender.planner.index.catalog import View
from services.recommender.planner.optimizer.fixed_courses import rows_of
from services.recommender.planner.optimizer.optimality import gain_bound
from services.recommender.planner.optimizer.solve import PlanSolution, course_at, offer_at, solve, solve_as_kept
from shared.paths import LearningPath

__all__ = ["path_diff", "recommend", "refused", "similar_courses", "waiting_for_framework", "why_not", "without_path"]


def recommend(inputs: Inputs, view: View) -> LearningPath:
    """Return the officer's learning path. Raises InvalidInput if the framework lacks what the inputs name."""
    inputs.check()
    first = solve(inputs, view)
    draft = _draft(first, view)
    if not first.limited:
        origin = first._replace(kept=False)
        draft = refine(draft, first.value, lambda names: _draft(solve_as_kept(origin, view, names), view))
    found = draft.plan
    path = path_of(draft, found.value, found.entry_levels, found.fixed_courses.notes, view.catalog_revision)
    limited, proved = first.limited or found.limited, draft.is_proved(partial(_gain_bound, found))
    return replace(path, limited=limited, proved=proved)


def _gain_bound(found: PlanSolution, requested: Sequence[str], hours: int | None) -> int:
    """Return micro-levels that no path of the courses of the plan's instance gains; see `optimality`."""
    rows = rows_of(found.space, found.problem, requested)
    return gain_bound(found.problem, found.prepared.instance.slots, rows, hours)


def _draft(found: PlanSolution, view: View) -> PathDraft[PlanSolution]:
    """Return the draft of a plan without idle courses, traced as a kept path."""
    inputs, value, entry_levels = found.inputs, found.value, found.entry_levels
    whole = [*found.fixed_courses.picks, *_picks(found, view)]
    picks = without_idle(inputs, value, entry_levels, whole)
    names = [pick.spec.id for pick in picks]
    if len(picks) < len(whole) or not inputs.done.union(names).issuperset(inputs.previous):
        found = solve_as_kept(found, view, names)
        picks = without_idle(inputs, value, entry_levels, [*found.fixed_courses.picks, *_picks(found, view)])
    residual = ResidualProblem(
        inputs,
        end_state(inputs, value, entry_levels, picks),
        found.available,
        found.kept,
        found.finishing,
    )
    return new_draft(found, picks, residual)


def _picks(found: PlanSolution, view: View) -> list[Pick]:
    picks = []
    account, problem = found.trace, found.problem
    for place in range(int(account.size[0])):
        rivals = zip(account.runners[place].tolist(), account.runner_score[place].tolist(), strict=True)
        option = int(account.courses[place])
        picks.append(
            Pick(
                offer_at(found, view, option),
                int(account.score[place]),
                int(problem.courses[option]["cosine"]) / MICRO,
                [RunnerUp(course_at(found, view, rival), score) for rival, score in rivals if rival >= 0],
            )
        )
    return picks
