"""One plan in numbers: match, seeds, search, stability, account.

    match   cosine over the inverted index: the candidates, and what leads to them (`candidates`)
    seeds   what is started, mandatory or pinned comes first, with what opens its door
    search  T0 and T1 (`search`): what closes most of the weighted gap in the hours that are left
    keep    the path before stays unless the new one closes at least 1 % more; while it is being finished, in any case
    tell    order, worth per hour, runners-up (`trace`); then texts (`explain`)

Integers all the way (micro-levels, micro-hours), no clock, no randomness: the same inputs and view give the same bytes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from services.recommender.inputs import (
    EXCLUDE,
    INCLUDE_ONLY,
    MICRO,
    MOST_STEPS,
    Inputs,
)
from services.recommender.planner.course_spec import Offer, SkillKey
from services.recommender.planner.exact.minimum_closure import Stock
from services.recommender.planner.exact.refinement import WORTH_A_CHANGE
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.graph import Net
from services.recommender.planner.index.segment import Longs
from services.recommender.planner.jit import kernel
from services.recommender.planner.optimizer.available_courses import stock_of
from services.recommender.planner.optimizer.closure import assemble
from services.recommender.planner.optimizer.closure_cost import Prices, settle
from services.recommender.planner.optimizer.fixed_courses import Ground, Seeds, course_of, plant, way_of
from services.recommender.planner.optimizer.instance import (
    HOURS_LEFT,
    NUMBER,
    PRICES,
    STATUS,
    STEPS_LEFT,
    Problem,
    problem_of,
)
from services.recommender.planner.optimizer.query import Field, Seeker, field_of, outlook_of
from services.recommender.planner.optimizer.search import (
    EXPONENTS,
    SIZE,
    WORTH,
    Found,
    prune,
    replay,
    search,
)
from services.recommender.planner.optimizer.state import (
    ALL_HOURS,
    COUNT,
    CUT,
    DONE,
    FUEL,
    Bench,
    bench_of,
    held_in,
    standing_of,
)
from services.recommender.planner.optimizer.trace import Account, account
from services.recommender.planner.units import FAR, NO_LIMIT
from services.recommender.planner.value import Worth, believed
from shared.skills import Course

MOST_VISITS = 3_000_000
"""Courses visited in the search of one plan: some 0.1 to 0.2 seconds. A search that needs more ends with the best path
found so far, and says so. A plan with preferences, which is made with and without them, has half for each."""

TELLING_VISITS = 1_000_000
"""And so many more for the order and the runners-up, and again for the hours that are missing."""


class Planned(NamedTuple):
    """A plan in numbers. `before`, `seeded`, `final`: the standing at the start, after the seeds, at the end.

    `stock`: what the officer may use and can reach. `kept`: the path before stayed for being as good; `finishing`:
    because it is being studied. `plain`: without what is preferred or put off.
    `limited`: the search, or the telling of the path, ended at its limit of work.
    """

    inputs: Inputs
    worth: Worth
    standing: dict[SkillKey, float]
    field: Field
    problem: Problem
    seeds: Seeds
    before: Longs
    seeded: Longs
    final: Longs
    goals: Longs
    bench: Bench
    account: Account
    kept: bool
    stock: Stock
    finishing: bool = False
    plain: bool = False
    limited: bool = False


def course_at(found: Planned, view: View, way: int) -> Course:
    """Return the course of a way."""
    return course_of(found.field, found.problem, view, way)


def offer_at(found: Planned, view: View, way: int) -> Offer:
    """Return the course of a way as the planner reads it."""
    if (offer := view.offer(found.field.course_id(int(found.problem.ways[way, NUMBER])))) is None:
        raise LookupError(f"way {way} is no course of this view")
    return offer


@kernel
def open_plan(
    net: Net, seeker: Seeker, prices: Prices, fuel: int, most: int, hours: int, steps: int
) -> tuple[Problem, Bench, Longs]:  # fmt: skip
    """Return the problem of one officer, an empty bench, and the standing before the path. Settles the prices."""
    settle(net, seeker.ours, seeker.lifted, seeker.held, seeker.changed, seeker.known, prices)
    problem = problem_of(net, seeker, prices)
    bench = bench_of(problem, fuel, most)
    return problem, bench, standing_of(problem, bench, hours, steps)


OPINION = 90
"""Per cent of what could be closed that preferences (boosts, courses put off) must leave."""


def planned(inputs: Inputs, view: View, also: tuple[str, ...] = ()) -> Planned:
    """Return the plan in numbers. `also`: courses that are to be among those it knows."""
    wants, standing = believed(inputs, view.course)
    worth, field = Worth(wants), field_of(view.shelf, inputs, also)
    prefers = bool(inputs.slowed) or any(rule.bias not in (INCLUDE_ONLY, EXCLUDE) for rule in inputs.rules)
    visits = MOST_VISITS // 2 if prefers else MOST_VISITS
    one = _searched(inputs, view, worth, standing, field, also, visits, plain=False)
    if prefers:
        other = _searched(inputs, view, worth, standing, field, also, visits, plain=True)
        if _gained(one) * 100 < _gained(other) * OPINION:
            one = other
    return one


def retold(found: Planned, view: View, names: Sequence[str]) -> Planned:
    """Return the plan as the path of these courses is told when it is kept.

    What is told of a path (scores, runners-up, what stays open) then follows from the inputs and the path alone, not
    from the path before it.
    """
    inputs = replace(found.inputs, previous=list(names), finishing=True)
    field = field_of(view.shelf, inputs)
    again = _searched(inputs, view, found.worth, found.standing, field, (), MOST_VISITS, plain=found.plain)
    seeds = Seeds(again.seeds.picks, found.seeds.notes)
    return again._replace(inputs=found.inputs, seeds=seeds, kept=found.kept, finishing=found.finishing)


def fits(found: Planned, name: str) -> bool:
    """Return whether the search has a way to a course within the hours that the seeds leave."""
    way, bench = way_of(found.field, found.problem, name), found.bench
    if way < 0 or found.seeded[found.problem.at[PRICES] + way] >= FAR:
        return False
    assemble(found.problem, found.seeded, bench, way)
    return bool(bench.figures[COUNT] <= MOST_STEPS and bench.figures[ALL_HOURS] <= found.seeded[HOURS_LEFT])


def _gained(found: Planned) -> int:
    return int(held_in(found.problem, found.final))


def _searched(
    inputs: Inputs,
    view: View,
    worth: Worth,
    standing: dict[SkillKey, float],
    field: Field,
    also: tuple[str, ...],
    visits: int,
    *,
    plain: bool,
) -> Planned:
    seeker, prices = outlook_of(inputs, worth, standing, field, also, plain)
    hours = NO_LIMIT if inputs.budget_hours is None else round(inputs.budget_hours * MICRO)
    steps = MOST_STEPS if inputs.max_steps is None else min(inputs.max_steps, MOST_STEPS)
    problem, bench, seeded = open_plan(field.mesh.net, seeker, prices, visits, MOST_STEPS, hours, steps)
    before, stock = seeded.copy(), stock_of(inputs, view, worth, standing, field, prices, plain)
    seeds, missing = plant(Ground(inputs, view, worth, standing, field, stock), problem, seeded, bench)
    if more := [name for name in missing if name not in also]:
        # what is pinned fits by way of courses that were not looked at
        return _searched(inputs, view, worth, standing, field, (*also, *more), visits, plain=plain)
    left = _left(inputs, field, problem, seeded)
    found = search(problem, seeded, bench, EXPONENTS[:0] if inputs.finishing else EXPONENTS)
    finishing, kept = inputs.finishing and _walks(problem, seeded, bench, found, left), False
    if inputs.finishing and not finishing:
        found = search(problem, seeded, bench, EXPONENTS)
    if left and not inputs.finishing and _walks(problem, seeded, bench, found, left):
        kept = bool(found.best.figures[WORTH] * 100 < found.trial.figures[WORTH] * WORTH_A_CHANGE)
    stays = finishing or kept
    bench.figures[FUEL] = TELLING_VISITS
    told, final = account(problem, seeded, bench, found.goals, found.trial if stays else found.best, stays)
    return Planned(
        inputs,
        worth,
        standing,
        field,
        problem,
        seeds,
        before,
        seeded,
        final,
        found.goals,
        bench,
        told,
        kept,
        stock,
        finishing=finishing,
        plain=plain,
        limited=bool(bench.figures[CUT]),
    )


def _left(inputs: Inputs, field: Field, problem: Problem, seeded: Longs) -> list[int]:
    """Return the ways of the path before that are still to be done after the seeds; -1 where there is none."""
    ways = [way_of(field, problem, name) for name in inputs.previous if name not in inputs.done]
    return [way for way in ways if way < 0 or seeded[problem.at[STATUS] + way] != DONE]


def _walks(problem: Problem, seeded: Longs, bench: Bench, found: Found, left: list[int]) -> bool:
    """Walk what is left of the path before, without what no longer closes anything; return whether it can be."""
    walked, spare = found.trial, found.spare
    if min(left, default=0) < 0:
        return False
    walked.ways[: len(left)] = left
    walked.figures[SIZE] = len(left)
    replay(problem, seeded, found.state, bench, walked, -1, spare)
    if not left:
        return True
    if spare.figures[SIZE] < len(left) or min(found.state[HOURS_LEFT], found.state[STEPS_LEFT]) < 0:
        return False
    prune(problem, seeded, found.state, bench, walked, spare)
    return True
