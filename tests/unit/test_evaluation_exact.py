"""The auditor's exact solver against every subset of tiny catalogs, and its paths before the independent validator."""

from itertools import combinations

import numpy as np
import pytest

from services.recommender.inputs import Inputs
from services.recommender.planner import pipeline
from shared.domain import Course, Prerequisite
from tests.evaluation.exact import optimum
from tests.evaluation.problem import Problem
from tests.evaluation.solution_to_path import infeasibilities, path_of
from tests.evaluation.worlds import generated
from tests.support.builders import after, at, catalog, course, framework, inputs, view_of


def brute_force(problem: Problem) -> int:
    """Return the most that any subset gains that fits and can be studied."""
    best = 0
    for size in range(len(problem.candidates) + 1):
        for subset in combinations(problem.candidates, size):
            if size > problem.steps or sum(candidate.hours for candidate in subset) > problem.budget:
                continue
            gained = problem.gained(subset)
            if gained > best and len(problem.studied(subset)) == size:
                best = gained
    return best


def check(officer: Inputs, courses: list[Course]) -> None:
    problem = Problem(officer, courses)
    best = optimum(problem)
    assert best.gained == brute_force(problem)
    assert best.proved
    assert best.bound == pytest.approx(best.gained, abs=5)
    view = view_of(courses)
    assert infeasibilities(path_of(problem, best.chosen), officer, view.course) == []
    assert pipeline.recommend(officer, view).coverage.gained <= best.gained


@pytest.mark.parametrize("seed", range(25))
def test_no_subset_of_a_generated_catalog_gains_more(seed: int) -> None:
    world = generated(10, 3, seed)
    check(world.officer(np.random.default_rng(seed), 12.0), list(world.courses))


@pytest.mark.parametrize("seed", range(25))
def test_no_subset_gains_more_where_prerequisites_are_dense(seed: int) -> None:
    officer = inputs(framework({"s00": 4, "s01": 3, "s02": 2}), {"s00": 0.5, "s01": 0, "s02": 0.3}, budget_hours=14)
    check(officer, catalog(10, 3, seed))


@pytest.mark.parametrize("max_steps", range(4))
@pytest.mark.parametrize("seed", range(5))
def test_no_subset_gains_more_where_the_number_of_courses_is_limited(seed: int, max_steps: int) -> None:
    levels = {"s00": 0.5, "s01": 0, "s02": 0.3}
    required = framework({"s00": 4, "s01": 3, "s02": 2})
    check(inputs(required, levels, budget_hours=40, max_steps=max_steps), catalog(10, 3, seed))


def test_two_courses_that_require_each_other_have_no_value() -> None:
    courses = [course("a", ("s", 0, 3), requires=[after("b")]), course("b", ("t", 0, 3), requires=[after("a")])]
    officer = inputs(framework({"s": 3, "t": 3}), {"s": 0, "t": 0}, budget_hours=10)
    assert optimum(Problem(officer, courses)).bound == 0


def test_a_cycle_has_value_once_one_course_can_be_entered_from_outside() -> None:
    either = Prerequisite(any=[after("b"), at("u", 1)])
    courses = [
        course("a", ("s", 0, 3), requires=[either]),
        course("b", ("t", 0, 3), requires=[after("a")]),
        course("c", ("u", 0, 1)),
    ]
    yardstick = framework({"s": 3, "t": 3}, others=["u"])
    rich = optimum(Problem(inputs(yardstick, {"s": 0, "t": 0}, budget_hours=6), courses))
    assert [candidate.id for candidate in rich.chosen] == ["c", "a", "b"]
    assert rich.gained == 6_000_000
    poor = optimum(Problem(inputs(yardstick, {"s": 0, "t": 0}, budget_hours=4), courses))
    assert poor.gained == 3_000_000


def test_the_optimum_of_an_empty_catalog_is_empty() -> None:
    best = optimum(Problem(inputs(framework({"s": 3}), {"s": 0}, budget_hours=6), []))
    assert (best.gained, best.bound, best.chosen) == (0, 0, [])


def test_a_search_without_time_still_bounds_every_path() -> None:
    world = generated(300, 20, 1)
    problem = Problem(world.officer(np.random.default_rng(1), 20.0), world.courses)
    best = optimum(problem, seconds=0.0)
    assert not best.proved
    assert best.bound >= optimum(problem).gained


def test_no_course_of_an_optimum_can_be_left_out_where_the_hours_do_not_bind() -> None:
    world = generated(300, 20, 2)
    problem = Problem(world.officer(np.random.default_rng(2), 10_000.0), world.courses)
    best = optimum(problem)
    assert problem.gained(best.chosen) == best.gained > 0
    assert len(best.chosen) > 1
    for left_out in best.chosen:
        rest = [candidate for candidate in best.chosen if candidate is not left_out]
        assert problem.gained(problem.studied(rest)) < best.gained
