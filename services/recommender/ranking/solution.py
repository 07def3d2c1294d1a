"""One plan in numbers: match, seeds, search, stability, account.

    match   cosine over the inverted index: the candidates, and what leads to them (`extract`)
    seeds   what is started, mandatory or pinned comes first, with what opens its door
    search  T0 and T1 (`search`): what closes most of the weighted gap in the hours that are left
    keep    the path before stays unless the new one closes at least 1 % more
    tell    order, worth per hour, runners-up (`account`); then words (`ranking`, `ledger`)

Integers all the way (micro-levels, micro-hours), no clock, no randomness: the same inputs and view give the same bytes.
"""

import numpy as np

from services.recommender.model import EXCLUDE, INCLUDE_ONLY, MICRO, Inputs
from services.recommender.ranking.account import account_of, tell
from services.recommender.ranking.evidence import believed
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.index import View
from services.recommender.ranking.offers import SkillKey
from services.recommender.ranking.outcome import Planned, way_of
from services.recommender.ranking.pricing import DONE, NO_LIMIT, bench_of, held_in, standing_of
from services.recommender.ranking.problem import HOURS_LEFT, STATUS, STEPS_LEFT, Problem, problem_of
from services.recommender.ranking.search import (
    EXPONENTS,
    FIRST_PRICE,
    SIZE,
    WAY,
    WORTH,
    Route,
    goals_of,
    plan,
    prune,
    replay,
    route_of,
)
from services.recommender.ranking.seeds import plant
from services.recommender.ranking.seeker import Field, field_of, outlook_of
from services.recommender.ranking.segments import Longs

MOST_BUNDLES = 400_000
"""Bundles priced in one plan. A plan that needs more ends with the best found so far, and says so."""

WORTH_A_CHANGE = 101
"""Per cent of what the path before closes: a new one that closes less does not replace it."""

OPINION = 90
"""Per cent of what could be closed that preferences (boosts, courses put off) must leave."""


def planned(inputs: Inputs, view: View, also: tuple[str, ...] = ()) -> Planned:
    """Return the plan in numbers. `also`: courses that are to be among those it knows."""
    wants, standing = believed(inputs, view.course)
    worth, field = Worth(wants), field_of(view.shelf, inputs, also)
    one = _searched(inputs, view, worth, standing, field, also, plain=False)
    if inputs.slowed or any(rule.bias not in (INCLUDE_ONLY, EXCLUDE) for rule in inputs.rules):
        other = _searched(inputs, view, worth, standing, field, also, plain=True)
        if _gained(one) * 100 < _gained(other) * OPINION:
            one = other
    return one


def _gained(found: Planned) -> int:
    return int(held_in(found.problem, found.final))


def _searched(
    inputs: Inputs,
    view: View,
    worth: Worth,
    standing: dict[SkillKey, float],
    field: Field,
    also: tuple[str, ...],
    *,
    plain: bool,
) -> Planned:
    seeker, prices = outlook_of(inputs, worth, standing, field, also, plain)
    problem = problem_of(field.mesh.net, seeker, prices)
    hours = NO_LIMIT if inputs.budget_hours is None else round(inputs.budget_hours * MICRO)
    bench = bench_of(problem, MOST_BUNDLES)
    seeded = standing_of(problem, bench, hours, NO_LIMIT if inputs.max_steps is None else inputs.max_steps)
    before = seeded.copy()
    seeds = plant(inputs, view, field, problem, seeded, bench)
    goals = goals_of(problem, seeded, bench)
    best, trial, spare = (route_of(problem) for _ in range(3))
    state, inner = np.empty_like(seeded), np.empty_like(seeded)
    plan(problem, seeded, bench, goals, EXPONENTS, best, state, trial, spare)
    kept = _keeps(inputs, field, problem, seeded, state, trial, spare)
    kept = kept and bool(best.figures[WORTH] * 100 < trial.figures[WORTH] * WORTH_A_CHANGE)
    route = trial if kept else best
    mine = _goals_among(goals, route)
    for fixed in (kept, True):  # where the cheapest opener was left out as spare, only the order of the search is left
        account = account_of(int(route.figures[SIZE]))
        state[:] = seeded
        tell(problem, state, inner, bench, goals, mine, route, fixed, account)
        if fixed or held_in(problem, state) == route.figures[WORTH]:
            break
    return Planned(inputs, worth, standing, field, problem, seeds, before, seeded, state, goals, bench, account, kept)


def _goals_among(goals: Longs, route: Route) -> Longs:
    chosen = np.zeros(int(goals[:, WAY].max(initial=0)) + len(route.ways), np.bool_)
    chosen[route.ways[: int(route.figures[SIZE])]] = True
    mine = goals[chosen[goals[:, WAY]]]
    mine[:, FIRST_PRICE] = -1  # priced among the chosen alone, nothing is what it was at the start
    return mine


def _keeps(
    inputs: Inputs, field: Field, problem: Problem, seeded: Longs, state: Longs, walked: Route, spare: Route
) -> bool:
    """Walk the path before, after the seeds, without what no longer closes anything; return whether it can be kept."""
    done = inputs.done
    ways = [way_of(field, problem, name) for name in inputs.previous if name not in done]
    left = [way for way in ways if way < 0 or seeded[problem.at[STATUS] + way] != DONE]
    if not left or min(left) < 0:
        return False
    walked.ways[: len(left)] = left
    walked.figures[SIZE] = len(left)
    replay(problem, seeded, state, walked, -1, spare)
    if spare.figures[SIZE] < len(left) or min(state[HOURS_LEFT], state[STEPS_LEFT]) < 0:
        return False
    prune(problem, seeded, state, walked, spare)
    return True
