"""The path that docs/ranking.md works out by hand is the planner's, and its tables are those of today."""

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec
import pytest

from services.recommender.inputs import MICRO
from services.recommender.planner.completions import posterior_targets
from services.recommender.planner.exact.residual import state_before
from services.recommender.planner.pipeline import recommend
from services.recommender.planner.value import ValueFunction
from services.recommender.reference import rule as reference
from services.recommender.reference.costs import PlanContext
from services.recommender.reference.search import greedy, pruned_path, scored_closures
from shared.paths import LearningPath
from tests.support import worked_example as example
from tests.support.builders import view_of

Found = Callable[[], Iterable[Sequence[str]]]


def _path() -> LearningPath:
    return recommend(example.officer(), view_of(example.COURSES))


def _plan() -> reference.Plan:
    """Return the plan of the readable rule."""
    courses, officer = {one.id: one for one in example.COURSES}, example.officer()
    targets, entry_levels = posterior_targets(officer, courses.get)
    value = ValueFunction(targets)
    start = state_before(officer, value, entry_levels)
    return reference.Plan(PlanContext(officer, courses, value, start))


def _paths() -> Iterable[Sequence[str]]:
    yield "exponent", "in the order taken", "pruned", "hours", "closes"
    found = _plan()
    for power in example.EXPONENTS:
        taken = greedy(found.problem, found.start_state.copy(), found.targets, power)
        pruned = pruned_path(found.start_state, taken)
        hours = sum(option.hours for option in pruned.courses) / MICRO
        names = [", ".join(option.id for option in options) for options in (taken, pruned.courses)]
        yield f"{power:g}", *names, f"{hours:g}", f"{pruned.value:,}"


def _steps() -> Iterable[Sequence[str]]:
    yield "step", "score", "runners-up", "similarity", "closes", "contribution", "hours so far"
    found = _path()
    for step in found.steps:
        others = ", ".join(f"{other.course.id} {other.score:,.0f}" for other in step.alternatives)
        closes = ", ".join(f"{row.skill} {row.from_level:g} → {row.to_level:g}" for row in step.closes)
        gained = sum(row.contribution for row in step.closes)
        name, similarity = f"{step.position}. {step.course.id}", f"{step.similarity:.6f}"
        yield name, f"{step.score:,.0f}", others, similarity, closes, f"{gained:,}", f"{step.cumulative_hours:g}"
    yield "all", "", "", "", "", f"{found.coverage.gained:,}", f"{found.hours:g}"


def _coverage() -> Iterable[Sequence[str]]:
    yield "gap G", "gained", "requirement R", "before: 1 − G / R", "after: 1 − (G − gained) / R", "expected", "short by"
    held = _path().coverage
    required = sum(round(MICRO * example.WEIGHTS[skill] * level) for skill, level in example.REQUIRED.items())
    numbers = (f"{held.gap:,}", f"{held.gained:,}", f"{required:,}")
    after = f"{held.after:.6f}", f"{held.expected:,}", f"{_path().short_hours or 0:g} h"
    yield *numbers, f"{held.before:.6f}", *after


def test_the_tables_on_the_page_are_up_to_date() -> None:
    page = example.PAGE.read_text(encoding="utf-8")
    assert page == example.written(page), "python -m tests.support.worked_example writes them anew"
    assert page.count("<!-- by hand: ") == len(example.TABLES)
    section = page.split("\n## One path by hand\n")[1].split("\n## ")[0]
    words = re.sub(r"<!-- by hand.*?<!-- /by hand -->", "", section, flags=re.DOTALL)
    named = re.findall(r"\d+(?:,\d{3})+", words)
    assert named
    assert all(f"| {number} |" in example.tables()["values"] for number in named)


def test_estimates_and_values_equal_those_of_the_planner() -> None:
    targets, _ = posterior_targets(example.officer(), {one.id: one for one in example.COURSES}.get)
    assert {skill: (example.MEASURED[skill], example.SD, example.level(skill)) for skill in targets} == {
        skill: (it.measured, it.sd, it.level) for skill, it in targets.items()
    }
    found = ValueFunction(targets)
    assert found.gaps == {skill: example.value_of_level(skill, level) for skill, level in example.REQUIRED.items()}
    assert found.of("data", 2) == example.value_of_level("data", 2)


def test_costs_and_scores_equal_those_of_the_planner() -> None:
    plan = _plan()
    costs = plan.problem.costs(plan.start_state)
    options = plan.problem.courses
    assert set(options) == {one.id for one in example.COURSES} - {example.DONE}
    for name, members in example.CLOSURES.items():
        assert costs.of(options[name]) == example.closure_cost(name) * MICRO
        assert [option.id for option in plan.problem.closure(options[name], costs)] == members
    for power in example.EXPONENTS:
        scores = {
            closure.target.id: closure.score
            for closure in scored_closures(plan.problem, plan.start_state, costs, plan.targets, power)
        }
        assert scores == {name: example.score(name, power) for name in example.CLOSURES}


def test_the_path_is_the_same_by_the_planner_and_by_the_readable_rule() -> None:
    path = _path()
    same = reference.recommend(example.officer(), example.COURSES, path.versions.catalog)
    assert msgspec.json.encode(same) == msgspec.json.encode(path)
    assert sum(row.contribution for step in path.steps for row in step.closes) == path.coverage.gained


@pytest.mark.parametrize(("table", "rows"), [("paths", _paths), ("steps", _steps), ("coverage", _coverage)])
def test_the_planner_finds_the_path_worked_out_by_hand(table: str, rows: Found) -> None:
    assert [tuple(row) for row in rows()] == [tuple(row) for row in example.TABLES[table]()]
