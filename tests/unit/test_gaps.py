from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommender.inputs import Estimate, PlanRequest, hours_until, inputs_for
from services.recommender.planner.value import ValueFunction, expected_shortfall
from services.recommender.rules import Rule
from shared.domain import SkillLevel
from shared.errors import InvalidInput
from tests.support.builders import DAY, MOMENT, framework, inputs, profile


def test_a_certain_level_has_the_plain_difference_as_shortfall() -> None:
    assert expected_shortfall(3, 1.5, 0) == 1.5
    assert expected_shortfall(1, 1.5, 0) == 0


def test_an_uncertain_level_at_the_requirement_has_its_density_as_shortfall() -> None:
    assert expected_shortfall(2, 2, 1) == pytest.approx(0.3989422804)


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 2), st.floats(0, 2))
def test_the_shortfall_grows_with_the_level_and_never_faster(level: float, mean: float, sd: float, more: float) -> None:
    low, high = expected_shortfall(level, mean, sd), expected_shortfall(level + more, mean, sd)
    assert low - 1e-9 <= high <= low + more + 1e-9


def test_the_value_is_weighted_and_bounded_by_the_requirement() -> None:
    worth = ValueFunction(inputs(framework({"a": 3, "b": 2}, weights={"a": 2}), {"a": 1, "b": 2}).targets())
    assert worth.gaps == {"a": 4_000_000}
    assert [worth.of("a", level) for level in (0.5, 1, 2, 3, 5)] == [0, 0, 2_000_000, 4_000_000, 4_000_000]
    assert worth.of("b", 5) == worth.of("elsewhere", 5) == 0
    assert (worth.required, worth.gap) == (8_000_000, 4_000_000)
    assert (worth.coverage(0), worth.coverage(4_000_000)) == (0.5, 1.0)


def test_a_skill_that_was_never_assessed_has_the_prior_in_the_middle() -> None:
    (want,) = inputs(framework({"a": 3})).targets().values()
    assert (want.level, want.sd, want.assessed) == (1.5, 1.0, False)


def test_uncertainty_alone_makes_no_gap() -> None:
    assert ValueFunction(inputs(framework({"a": 3}), {"a": 3}, sd=1).targets()).gap == 0


def test_uncertainty_never_makes_coverage_negative() -> None:
    worth = ValueFunction(inputs(framework({"a": 1}), {"a": 0}, sd=3).targets())
    assert worth.gap > worth.required
    assert worth.coverage(0) == 0.0


def test_hours_until_a_deadline_are_the_weeks_times_the_pace() -> None:
    assert hours_until(DAY + timedelta(weeks=4), 3.5, DAY) == 14
    assert hours_until(DAY - timedelta(days=1), 3.5, DAY) == 0
    assert hours_until(None, 3.5, DAY) is hours_until(DAY, None, DAY) is None


def test_inputs_of_a_profile_omit_dropped_skills_and_separate_other_frameworks() -> None:
    held = profile(levels={"a": 1, "gone": 2})
    held.levels.append(SkillLevel("other", "x", 3, 0.3, MOMENT))
    plan = inputs_for(PlanRequest(held, date(2026, 1, 1)), framework({"a": 3}))
    assert plan.levels == {"a": Estimate(1, 0.3, MOMENT)}
    assert plan.entry_levels(plan.targets()) == {("fw", "a"): 1, ("other", "x"): 3}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"job_group": "pirates"}, "job_group"),
        ({"stage": "late"}, "stage"),
        ({"target": {"z": 1}}, "target.z"),
        ({"target": {"a": 6}}, "target.a"),
        ({"levels": {"z": Estimate(1, 1)}}, "levels.z"),
        ({"levels": {"a": Estimate(-1, 1)}}, "levels.a"),
        ({"rules": [Rule("course", ["x"], 0.5)]}, "rules[0].bias"),
        ({"rules": [Rule("skill", ["a", "z"], 2)]}, "rules[0].values[1]"),
        ({"rules": [Rule("course", ["x"], -1), Rule("course", ["y", "x"], 0)]}, "rules[1].values[1]"),
        ({"rules": [Rule("course", ["x"], 0)], "mandatory": ["x"]}, "rules[0].values[0]"),
        ({"mandatory": ["y", "x"], "excluded": ["x"]}, "mandatory[1]"),
        ({"pinned": ["x"], "excluded": ["x"]}, "pinned[0]"),
        ({"cost_multipliers": {"x": 0.5}}, "cost_multipliers.x"),
    ],
)
def test_inputs_that_the_framework_lacks_are_rejected_by_field(change: dict[str, Any], field: str) -> None:
    plan = inputs(framework({"a": 3}))
    wrong = type(plan)(**{name: getattr(plan, name) for name in plan.__struct_fields__} | change)
    with pytest.raises(InvalidInput) as refusal:
        wrong.check()
    assert refusal.value.field == field
