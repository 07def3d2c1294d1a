"""Makes a learning path from inputs and a view of the catalog, and answers questions about a path."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from msgspec.structs import replace

from services.recommender.inputs import Inputs
from services.recommender.planner.exact import slot_bounds
from services.recommender.planner.exact.dependencies import without_idle
from services.recommender.planner.exact.options import CourseOption
from services.recommender.planner.exact.refinement import PathDraft, refine
from services.recommender.planner.exact.residual import Pick, ResidualProblem, RunnerUp
from services.recommender.planner.explain.path import path_of, refused, waiting_for_framework
from services.recommender.planner.explain.questions import path_diff, similar_courses, why_not
from services.recommender.planner.index.catalog import View
from services.recommender.planner.optimizer.fixed_courses import courses_of, options_of, rows_of
from services.recommender.planner.optimizer.solve import PlanSolution, solve, solve_as_kept
from services.recommender.planner.optimizer.trace import trace_path
from shared.paths import LearningPath

__all__ = ["path_diff", "recommend", "refused", "similar_courses", "waiting_for_framework", "why_not"]


def recommend(inputs: Inputs, view: View) -> LearningPath:
    """Return the officer's learning path. Raises InvalidInput if the inputs contradict the framework or each other."""
    inputs.check()
    first = solve(inputs, view)
    value, draft = first.context.value, _draft(first)
    if not first.limited:
        origin = first._replace(kept=False)
        draft = refine(draft, value, lambda names: _draft(solve_as_kept(origin, names)))
    found = draft.plan
    path = path_of(draft, value, found.fixed_courses.notes, view.catalog_revision, view.frameworks)
    limited, proved = first.limited or found.limited, draft.is_proved(partial(gain_bound, found))
    return replace(path, limited=limited, proved=proved)


def gain_bound(found: PlanSolution, requested: Collection[str], hours: int | None) -> int:
    """Return an upper bound in micro-levels: no path of the instance's courses gains more (see `exact.slot_bounds`).

    `requested`: ids of courses that every path contains; their hours are part of its hours. `hours`: the most
    micro-hours of a path; None: no limit.
    """
    problem = found.search.problem
    starts, effects = problem.courses["effect"].tolist(), problem.effects.tolist()
    courses = [
        (length, effects[first:last])
        for length, first, last in zip(problem.courses["hours"].tolist(), starts, starts[1:], strict=False)
    ]
    rows = rows_of(found.context.space, problem, sorted(requested))
    return slot_bounds.gain_bound(found.prepared.instance.slots, courses, rows, hours)


def _draft(found: PlanSolution) -> PathDraft[PlanSolution]:
    """Return the draft of a plan without idle courses, traced as a kept path."""
    inputs, start = found.context.inputs, found.context.start
    whole = _picks(found)
    picks, needs = without_idle(start, whole)
    names = [pick.option.id for pick in picks]
    if len(picks) < len(whole) or not inputs.done.union(names).issuperset(inputs.previous):
        found = solve_as_kept(found, names)
        whole = _picks(found, {pick.option.id: pick.option for pick in picks})
        if [pick.option.id for pick in whole] == names:  # the same courses depend on each other in the same way
            picks = whole
        else:
            picks, needs = without_idle(start, whole)
    end = start.after(pick.option for pick in picks)
    residual = ResidualProblem(inputs, end, found.available, found.kept, found.finishing)
    return PathDraft(found, _scored(found, whole, picks), needs, residual)


def _picks(found: PlanSolution, known: Mapping[str, CourseOption] = MappingProxyType({})) -> list[Pick]:
    """Return the picks of a plan without scores: the fixed courses, then those of its path.

    `known`: course id -> option, of another plan of the same officer.
    """
    rows = found.path.courses[: int(found.path.totals["size"][0])]
    options = options_of(found.context, found.search.problem, rows, known)
    return [*found.fixed_courses.picks, *map(Pick, options)]


def _scored(found: PlanSolution, whole: Sequence[Pick], picks: Collection[Pick]) -> list[Pick]:
    """Return `picks`, which are some of the picks `whole` of a plan, with the scores and runners-up of its trace."""
    trace, wanted = trace_path(found.search, found.path), {pick.option.id for pick in picks}
    fixed = len(found.fixed_courses.picks)
    scored = list(whole[:fixed])
    steps = zip(trace.score.tolist(), trace.runners, trace.runner_score.tolist(), strict=True)
    for pick, (score, runners, points) in zip(whole[fixed:], steps, strict=True):
        others = courses_of(found.context, found.search.problem, runners[runners >= 0])
        scored.append(Pick(pick.option, score, list(map(RunnerUp, others, points))))
    return [pick for pick in scored if pick.option.id in wanted]
