"""How good paths are: the planner compared with the exact optimum, and with the baselines at 40 hours. One case a time.

A case is a pure function of its name and number, so cases can run in any process and in any order.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from services.recommender.plan_validator.validate import validate
from services.recommender.planner import pipeline
from services.recommender.planner.index.catalog import View
from shared.paths import LearningPath
from tests.evaluation import real
from tests.evaluation.baselines import Outcome, Point, baselines
from tests.evaluation.exact import optimum
from tests.evaluation.gateways import gateways
from tests.evaluation.problem import Candidate, Problem
from tests.evaluation.shapes import SHAPES, shaped
from tests.evaluation.solution_to_path import infeasibilities, path_of
from tests.evaluation.worlds import HOURS, World, generated, shared

BUDGETS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 10_000.0)
"""Hours; the budgets of the cases that are solved exactly, in turn. The last is more than all courses take."""

HELD_OUT = 7_000
"""The first number of the cases that the evaluation counts. The search was tuned on cases below it. Divisible by 7."""

SYNTHETIC, SHARED = "generated", "shared prerequisites"
DRAWN: dict[str, Callable[[int], World]] = {
    SYNTHETIC: partial(generated, 1000, 200),
    SHARED: shared,
    **{name: partial(shaped, name) for name in SHAPES},
    "gateways": gateways,
    "few courses": partial(gateways, few=True),
}
"""Worlds with a catalog of its own for every number."""

PLANNER, OPTIMUM = "planner", "exact optimum"


@dataclass(frozen=True, slots=True)
class Case:
    """One officer. Worths in micro-levels; `bound`: no path gains more; `faults`: the validator's findings."""

    world: str
    hours: float
    gap: int
    gained: int
    bound: float
    proved: bool
    exact_seconds: float
    plan_ms: float
    faults: list[str]
    auditor_faults: list[str]
    methods: dict[str, Outcome]

    @property
    def optimality_gap(self) -> float:
        """The share of the bound that the path misses."""
        return max(round(1 - self.gained / self.bound, 9), 0.0) if self.bound else 0.0


@lru_cache(maxsize=4)
def world_of(name: str, number: int) -> tuple[World, View]:
    """Return a world and its catalog; `number`: which of the generated ones."""
    world = DRAWN[name](number) if name in DRAWN else real.WORLDS[name]()
    return world, world.view()


def case(name: str, number: int) -> Case:
    """Return one case: a drawn world has its own catalog for every number, a real set one for all.

    The baselines are compared in the generated world and in the real sets.
    """
    world, view = world_of(name, number if name in DRAWN else 0)
    budget = BUDGETS[number % len(BUDGETS)]
    inputs = world.officer(np.random.default_rng([number, 40]), budget)
    begun = time.perf_counter()
    path = pipeline.recommend(inputs, view)
    plan_ms = 1000 * (time.perf_counter() - begun)
    problem = Problem(inputs, world.courses)
    best = optimum(problem)
    if path.coverage.gained > best.bound + len(path.steps) + 1:
        raise AssertionError(f"{name} {number}: the path gains {path.coverage.gained}, the bound is {best.bound:.0f}")
    faults = validate(path, inputs, view.course)
    auditor = infeasibilities(path_of(problem, best.chosen), inputs, view.course)
    compared = name == SYNTHETIC or name not in DRAWN
    methods, more = _methods(world, view, number, best.chosen if budget == HOURS else None) if compared else ({}, [])
    return Case(
        world=name,
        hours=budget,
        gap=path.coverage.gap,
        gained=path.coverage.gained,
        bound=best.bound,
        proved=best.proved,
        exact_seconds=best.seconds,
        plan_ms=plan_ms,
        faults=faults + more,
        auditor_faults=auditor,
        methods=methods,
    )


def _methods(
    world: World, view: View, number: int, chosen: list[Candidate] | None
) -> tuple[dict[str, Outcome], list[str]]:
    """Return what each method closes within 40 hours, and the validator's findings in the planner's path.

    `chosen`: the optimum at 40 hours, where it is known already.
    """
    officer = world.officer(np.random.default_rng([number, 40]), HOURS)
    path = pipeline.recommend(officer, view)
    problem = Problem(officer, world.courses)
    outcomes = baselines(problem, world.ratings, number)
    outcomes[PLANNER] = _outcome(path)
    outcomes[OPTIMUM] = _outcome(path_of(problem, chosen or optimum(problem).chosen))
    return outcomes, validate(path, officer, view.course)


def _outcome(path: LearningPath) -> Outcome:
    points, gained = list[Point](), 0
    for step in path.steps:
        gained += sum(row.contribution for row in step.closes)
        points.append(Point(step.cumulative_hours, gained))
    return Outcome(points, len(points))
