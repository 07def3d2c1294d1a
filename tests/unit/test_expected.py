"""Known answers, by hand: completion rates, what they and ratings cost, and what a path is expected to gain."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.recommender.plan_validator.validate import validate
from services.recommender.planner.course_spec import (
    MAX_COST_FACTOR,
    completion_rate,
    cost_factor,
    course_spec,
)
from services.recommender.planner.exact.dependencies import dependencies
from services.recommender.planner.exact.options import course_option
from services.recommender.planner.exact.residual import state_before
from services.recommender.planner.explain.expected import expected_gain
from services.recommender.planner.pipeline import recommend
from services.recommender.planner.value import ValueFunction
from shared.domain import Completions, Course, Prerequisite, Rating
from shared.paths import LearningPath
from tests.support.builders import after, at, catalog, course, framework, inputs, view_of
from tests.support.words import sentences


def known(one: Course, started: int, completed: int) -> Course:
    return msgspec.structs.replace(one, completions=Completions(started, completed))


@pytest.mark.parametrize(
    ("counts", "rating", "rate", "effort"),
    [
        (None, None, 0.9, 1_000_000),
        ((0, 0), (5, 0), 0.9, 1_000_000),
        ((80, 62), None, 0.8, 1_125_000),  # (62 + 18) / (80 + 20); 0.9 / 0.8
        ((180, 182 - 2), None, 0.99, 909_091),  # 198 / 200
        (None, (5, 20), 0.9, 952_381),  # 1 / 1.05: twenty ratings count half
        (None, (1, 20), 0.9, 1_052_632),
        (None, (3, 400), 0.9, 1_000_000),
        ((80, 62), (4, 180), 0.8, 1_076_555),  # 1.125 / (1 + 0.1 * 0.5 * 0.9)
        ((10**9, 0), (1, 400), 18 / (10**9 + 20), MAX_COST_FACTOR),
    ],
)
def test_the_completion_rate_raises_the_cost_of_a_course(
    counts: tuple[int, int] | None, rating: tuple[float, int] | None, rate: float, effort: int
) -> None:
    one = msgspec.structs.replace(
        course("x", ("a", 0, 1)),
        completions=Completions(*counts) if counts else None,
        rating=Rating(*rating) if rating else None,
    )
    assert completion_rate(one) == pytest.approx(rate)
    assert cost_factor(one) == effort


LOW, HIGH = course("low", ("a", 0, 1)), course("high", ("a", 1, 2))
SURE = known(course("sure", ("a", 0, 2)), 80, 62)
X, Y = course("x", ("x", 0, 1)), course("y", ("y", 0, 1))


def gated(*conditions: Prerequisite) -> Course:
    return course("gated", ("a", 0, 2), requires=conditions)


@pytest.mark.parametrize(
    ("courses", "expected"),
    [
        ([], 0),
        ([LOW], 900_000),
        ([SURE], 1_600_000),
        ([LOW, HIGH], 1_710_000),  # 0.9 to level 1, 0.9 x 0.9 to level 2
        ([LOW, SURE], 1_780_000),  # level 1 by either: 1 - 0.1 x 0.2 = 0.98; level 2 by one: 0.8
        ([X, gated(at("x", 1))], 1_620_000),
        ([X, Y, gated(after("x"), at("y", 1))], 1_458_000),  # 0.9 x 0.9 x 0.9 x 2
        ([X, Y, gated(Prerequisite(any=[after("x"), at("y", 1)]))], 1_800_000),  # enters without either
        ([X, gated(Prerequisite(any=[Prerequisite(all=[after("x"), at("y", 1)]), at("x", 1)]))], 1_620_000),
        ([X, gated(Prerequisite(any=[after("x"), at("z", 0)]))], 1_800_000),  # held before
    ],
)
def test_the_expected_gain_follows_completion_rates_and_dependencies(courses: list[Course], expected: int) -> None:
    plan = inputs(framework({"a": 2}, others=["x", "y", "z"]), {"a": 0})
    value = ValueFunction(plan.targets())
    options = [course_option(plan, value, spec, spec.hours) for spec in map(course_spec, courses)]
    needs = dependencies(options, state_before(plan, value, plan.entry_levels(plan.targets())))
    assert expected_gain(value, options, needs) == expected


def test_a_started_course_depends_on_no_other() -> None:
    plan = inputs(framework({"a": 2}, others=["x"]), {"a": 0}, started=["x", "gated"])
    path = recommend(plan, view_of([X, gated(at("x", 1))]))
    assert [step.course.id for step in path.steps] == ["x", "gated"]
    assert path.coverage.expected == 1_800_000


def test_a_course_with_a_low_completion_rate_loses_to_an_equal_one() -> None:
    hard, usual = known(course("hard", ("a", 0, 2)), 100, 40), course("usual", ("a", 0, 2))
    plan = inputs(framework({"a": 2}), {"a": 0})
    path = recommend(plan, view_of([hard, usual]))
    assert [step.course.id for step in path.steps] == ["usual"]
    assert path.steps[0].score == 1_000_000
    assert [(other.course.id, other.score) for other in path.steps[0].alternatives] == [("hard", 537_037.0)]


def test_a_course_with_a_better_rating_comes_before_an_equal_one() -> None:
    liked = msgspec.structs.replace(course("z", ("a", 0, 2)), rating=Rating(4.8, 300))
    path = recommend(inputs(framework({"a": 2}), {"a": 0}), view_of([course("a", ("a", 0, 2)), liked]))
    assert [step.course.id for step in path.steps] == ["z"]


def test_a_budget_counts_plain_hours() -> None:
    hard = known(course("hard", ("a", 0, 2), hours=4), 100, 10)
    path = recommend(inputs(framework({"a": 2}), {"a": 0}, budget_hours=4), view_of([hard]))
    assert (path.hours, path.over_budget_hours, path.coverage.gained) == (4, None, 2_000_000)
    assert path.coverage.expected == 466_667  # 28 / 120 of it


def sentence(path: LearningPath) -> str:
    return sentences(path).en


def test_the_path_states_both_figures_if_they_differ_notably() -> None:
    plan = inputs(framework({"a": 2}), {"a": 0})
    one = recommend(plan, view_of([course("usual", ("a", 0, 2))]))
    assert sentence(one) == "1 course in 2 hours closes 100% of the gap. Every required level is reached."
    two = recommend(plan, view_of([known(course("hard", ("a", 0, 2)), 100, 42)]))
    assert "closes 100% of the gap if every course is completed, 50% as courses are usually completed." in sentence(two)
    assert "100% หากเรียนจบทุกหลักสูตร หรือ 50% ตามที่ผู้เรียนมักเรียนจบ" in sentences(two).th


PLANS: Any = st.builds(
    lambda levels, sd, budget, started: inputs(
        framework({f"s{n:02}": 2 + n % 3 for n in range(6)}, others=["s06", "s07"]),
        levels,
        sd=sd,
        budget_hours=budget,
        started=started,
    ),
    st.dictionaries(st.sampled_from([f"s{n:02}" for n in range(8)]), st.sampled_from([0, 0.5, 1, 2])),
    st.sampled_from([0, 0.4, 1]),
    st.sampled_from([None, 7.5, 20, 60]),
    st.lists(st.sampled_from([f"c{n:05}" for n in range(30)]), max_size=2, unique=True),
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(PLANS, st.integers(0, 10_000))
def test_the_expected_gain_never_exceeds_the_gain_and_the_validator_agrees(plan: Any, seed: int) -> None:
    view = view_of(catalog(30, 8, seed))
    path = recommend(plan, view)
    assert path.coverage.expected is not None
    assert 0 <= path.coverage.expected <= path.coverage.gained
    assert validate(path, plan, view.course) == []
