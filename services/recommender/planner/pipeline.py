"""From inputs and a view of the catalog to a learning path; and the answers to questions about it."""

from msgspec.structs import replace

from services.recommender.inputs import MICRO, Inputs
from services.recommender.planner.exact.refinement import (
    PathPlan,
    PathPlanner,
    draft_of,
    improved,
)
from services.recommender.planner.exact.residual import Beyond, Pick, RunnerUp, end_of, reached_by
from services.recommender.planner.explain.path import (
    Told,
    path_of,
    refused,
    serving,
    waiting_for_framework,
)
from services.recommender.planner.explain.questions import (
    changes,
    no_path,
    similar,
    why_not,
)
from services.recommender.planner.index.catalog import View
from services.recommender.planner.optimizer.available_courses import courses_above, taught
from services.recommender.planner.optimizer.instance import COSINE
from services.recommender.planner.optimizer.solve import Planned, course_at, fits, offer_at, planned, retold
from shared.paths import LearningPath

__all__ = ["changes", "no_path", "recommend", "refused", "similar", "waiting_for_framework", "why_not"]


def recommend(inputs: Inputs, view: View) -> LearningPath:
    """Return the officer's learning path. Raises InvalidInput where the framework does not know what is asked for."""
    inputs.check()
    first = planned(inputs, view)
    again = PathPlanner(
        lambda names: _draft(retold(first._replace(kept=False), view, names), view),
        lambda name: fits(first, name),
        lambda name: _draft(planned(replace(inputs, pinned=[*inputs.pinned, name]), view), view).names,
        lambda skill: taught(view, skill),
    )
    draft = _draft(first, view)
    if not first.limited:
        draft = improved(draft, first.worth, first.standing, again)
    found = draft.plan
    told = Told(
        picks=draft.picks,
        obstacle=draft.obstacle,
        notes=found.seeds.notes,
        short=draft.beyond.short(found.worth, reached_by(inputs, found.worth, draft.picks)),
        kept=found.kept,
        limited=first.limited or found.limited,
        finishing=found.finishing,
    )
    return path_of(inputs, found.worth, found.standing, told, view.catalogue_revision)


def _draft(found: Planned, view: View) -> PathPlan[Planned]:
    """Return the path of a plan without what serves nothing, told as if it were kept."""
    inputs, worth, standing = found.inputs, found.worth, found.standing
    whole = [*found.seeds.picks, *_picks(found, view)]
    picks = serving(inputs, worth, standing, whole)
    names = [pick.offer.id for pick in picks]
    if len(picks) < len(whole) or not inputs.done.union(names).issuperset(inputs.previous):
        found = retold(found, view, names)
        picks = serving(inputs, worth, standing, [*found.seeds.picks, *_picks(found, view)])
    beyond = Beyond(
        inputs,
        end_of(inputs, worth, standing, picks),
        found.stock,
        lambda skill, above: courses_above(inputs, view, skill, above),
        found.kept,
        found.finishing,
    )
    return draft_of(found, picks, beyond)


def _picks(found: Planned, view: View) -> list[Pick]:
    picks = []
    account, problem = found.account, found.problem
    for place in range(int(account.size[0])):
        rivals = zip(account.runners[place].tolist(), account.runner_score[place].tolist(), strict=True)
        way = int(account.ways[place])
        picks.append(
            Pick(
                offer_at(found, view, way),
                int(account.score[place]),
                int(problem.ways[way, COSINE]) / MICRO,
                [RunnerUp(course_at(found, view, rival), score) for rival, score in rivals if rival >= 0],
            )
        )
    return picks
