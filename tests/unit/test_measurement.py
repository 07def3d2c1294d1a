"""The mathematics of measurement against known answers and numerical checks."""

import numpy as np
import pytest

from services.assessment.measurement.posterior import Grid, estimate, mean_and_sd, probability_of, updated
from services.assessment.measurement.response_models import information, option_probabilities, padded
from services.assessment.measurement.selection import LIMIT, TARGET, drawn, eligibility, most_informative
from services.assessment.measurement.stopping import expected_reduction, stop_reason

GRID = Grid.over([0, 1, 2, 3, 4])
LEVELS = np.array([-0.5, 0.0, 1.0, 1.7, 4.5])


def bell(mean: float, sd: float) -> np.ndarray:
    density = np.exp(-(((GRID.points - mean) / sd) ** 2) / 2)
    return np.asarray(density / density.sum())


def test_a_right_or_wrong_item_follows_the_two_parameter_logistic_model() -> None:
    found = option_probabilities(np.array([1.7]), padded([[1.0]]), LEVELS)[0]
    assert found[1] == pytest.approx(1 / (1 + np.exp(-1.7 * (LEVELS - 1.0))))
    assert found.sum(axis=0) == pytest.approx(1)
    assert found[1][2] == pytest.approx(0.5)


def test_option_probabilities_of_a_graded_item_add_up_to_one() -> None:
    found = option_probabilities(np.array([2.0, 1.5]), padded([[0.5, 1.5, 2.5], [2.0]]), LEVELS)
    assert found.sum(axis=1) == pytest.approx(np.ones((2, len(LEVELS))))
    assert (found >= 0).all()
    assert (found[1, 2:] == 0).all()
    at_or_above = found[0, 2:].sum(axis=0)
    assert at_or_above == pytest.approx(1 / (1 + np.exp(-2.0 * (LEVELS - 1.5))))


def test_information_is_that_of_birnbaum_for_two_options_and_the_sum_of_squared_slopes_for_more() -> None:
    p = 1 / (1 + np.exp(-1.7 * (LEVELS - 1.0)))
    assert information(np.array([1.7]), padded([[1.0]]), LEVELS)[0] == pytest.approx(1.7**2 * p * (1 - p))
    a, b, step = np.array([2.0]), padded([[0.5, 1.5, 2.5]]), 1e-5
    before, here, after = (option_probabilities(a, b, LEVELS + shift)[0] for shift in (-step, 0, step))
    slope = (after - before) / (2 * step)
    assert information(a, b, LEVELS)[0] == pytest.approx((slope**2 / here).sum(axis=0), rel=1e-5)


def test_extreme_parameters_stay_numbers() -> None:
    a, b = np.array([20.0, 1e-6]), padded([[-100.0, 200.0], [0.0]])
    assert np.isfinite(information(a, b, GRID.points)).all()
    assert option_probabilities(a, b, GRID.points).sum(axis=1) == pytest.approx(np.ones((2, 81)))


@pytest.mark.parametrize("scale", [[0, 1, 2, 3, 4], [1, 2, 3], [0, 10, 20, 30], [0.5, 1.0]])
def test_the_grid_has_81_points_and_reaches_half_a_step_beyond_the_scale(scale: list[float]) -> None:
    grid = Grid.over(scale)
    assert len(grid.points) == 81
    assert grid.points[0] == pytest.approx(-grid.step / 2)
    assert grid.points[-1] == pytest.approx(max(scale) + grid.step / 2)
    assert grid.prior().sum() == pytest.approx(1)


def test_the_estimate_is_the_mean_of_the_posterior_and_its_intervals_have_their_nominal_coverage() -> None:
    found = estimate(GRID, bell(2.0, 0.3))
    assert [found.level, found.sd] == pytest.approx([2.0, 0.3], abs=0.002)
    assert [found.low_68, found.high_68] == pytest.approx([2 - 0.994 * 0.3, 2 + 0.994 * 0.3], abs=0.01)
    assert [found.low_95, found.high_95] == pytest.approx([2 - 1.96 * 0.3, 2 + 1.96 * 0.3], abs=0.01)


def test_an_answer_moves_the_posterior_by_bayes_rule_and_an_impossible_one_leaves_it() -> None:
    likelihood = option_probabilities(np.array([1.5]), padded([[3.0]]), GRID.points)[0, 1]
    after = updated(GRID.prior(), likelihood)
    assert after == pytest.approx(GRID.prior() * likelihood / (GRID.prior() @ likelihood))
    assert mean_and_sd(GRID, after)[0] > mean_and_sd(GRID, GRID.prior())[0]
    assert (updated(after, np.zeros(81)) == after).all()


def test_reported_values_stay_on_the_scale() -> None:
    low, high = np.zeros(81), np.zeros(81)
    low[0], high[-1] = 1, 1
    assert (estimate(GRID, low).level, estimate(GRID, high).level) == (0, 4)
    assert estimate(GRID, low).low_95 == 0
    assert estimate(GRID, high).high_95 == 4
    assert estimate(GRID, high).sd > 0


@pytest.mark.parametrize("required", [0.5, 2.0, 4.0])
def test_the_probability_of_a_requirement_is_the_share_above_it(required: float) -> None:
    posterior = bell(required, 0.4)
    expected = 0.5 if required + 0.4 < 4 and required > 0.9 else None
    found = probability_of(GRID, posterior, required)
    assert 0.1 < found < 0.9, "a requirement at an end of the scale can be met and missed"
    if expected:
        assert found == pytest.approx(expected, abs=0.01)


def test_a_skill_stops_by_precision_by_decision_and_by_number() -> None:
    assert stop_reason(GRID, bell(2, 0.38), 1, 2.0) == "precise"
    assert stop_reason(GRID, bell(2, 0.45), 3, 2.0) is None
    assert stop_reason(GRID, bell(2, 0.45), 3, 3.0) == "decided"
    assert stop_reason(GRID, bell(2, 0.45), 3, 1.0) == "decided"
    assert stop_reason(GRID, bell(2, 0.45), 3, None) is None
    assert stop_reason(GRID, bell(2, 0.45), 15, None) == "item_limit"
    assert stop_reason(GRID, GRID.prior(), 0, 4.0) is None, "nothing is decided before the first answers"
    wide = Grid.over([0, 10, 20, 30, 40])
    density = np.exp(-(((wide.points - 20) / 3.8) ** 2) / 2)
    assert stop_reason(wide, density / density.sum(), 1, None) == "precise", "precision is in steps of the scale"


def test_the_expected_reduction_is_the_mean_over_answers() -> None:
    posterior = bell(1.8, 0.7)
    options = option_probabilities(np.array([2.0]), padded([[1.0, 2.0, 3.0]]), GRID.points)[0]
    chances = options @ posterior
    spreads = [mean_and_sd(GRID, updated(posterior, one))[1] for one in options]
    expected = mean_and_sd(GRID, posterior)[1] - float(chances @ np.array(spreads))
    assert expected_reduction(GRID, posterior, options) == pytest.approx(expected)
    flat = option_probabilities(np.array([1e-6]), padded([[1.0]]), GRID.points)[0]
    assert expected_reduction(GRID, posterior, flat) == pytest.approx(0, abs=1e-6)


def test_the_most_informative_item_is_the_one_whose_difficulty_is_where_the_level_is() -> None:
    item_information = information(np.full(4, 1.7), padded([[0.0], [1.0], [2.0], [3.0]]), GRID.points)
    everything = np.ones(4, dtype=np.bool_)
    assert [most_informative(item_information, bell(level, 0.2), everything) for level in (0, 1, 2, 3)] == [0, 1, 2, 3]
    assert most_informative(item_information, bell(2, 0.2), np.array([True, True, False, False])) == 1
    assert most_informative(item_information, bell(2, 0.2), ~everything) is None


@pytest.mark.parametrize("items", [1, 40, 100, 101, 500])
def test_the_most_informative_item_is_found_among_few_as_among_many(items: int) -> None:
    item_information = information(np.full(items, 1.7), padded([[b] for b in np.linspace(0, 4, items)]), GRID.points)
    chance = np.random.default_rng(items)
    for level in (0.3, 1.9, 3.6):
        allowed = chance.random(items) < 0.4
        expected = {place: float(item_information[place] @ bell(level, 0.3)) for place in np.flatnonzero(allowed)}
        best = max(expected, key=expected.__getitem__, default=None)
        assert most_informative(item_information, bell(level, 0.3), allowed) == best
    assert most_informative(item_information[:0], bell(2, 0.3), np.zeros(0, dtype=np.bool_)) is None


def test_a_session_may_show_each_item_with_its_probability_in_nearly_constant_number() -> None:
    wanted = np.array([0.37, 0.37, 0.37, 0.9, 1.0, 0.6, 0.2, 0.37])
    draws = np.array([drawn(wanted, seed, 3) for seed in range(4000)])
    assert draws.mean(axis=0) == pytest.approx(wanted, abs=0.025)
    assert set(draws.sum(axis=1)) <= {int(wanted.sum()), int(wanted.sum()) + 1}
    assert (drawn(wanted, 7, 3) == drawn(wanted, 7, 3)).all()
    assert any((drawn(wanted, 7, 3) != drawn(wanted, 7, skill)).any() for skill in range(3))
    assert drawn(np.array([0.37]), 1, 0).any(), "a skill with one item can be measured"
    assert not len(drawn(np.array([]), 1, 0))


def test_an_item_is_shown_less_the_more_it_was_shown() -> None:
    found = eligibility(np.array([0.0, 200.0, 300.0, 370.0, 390.0, 1000.0]), 1000)
    assert list(found) == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (1, 0)
    assert found[3] == pytest.approx(TARGET, abs=0.001)
    assert eligibility(np.zeros(2), 0) == pytest.approx([TARGET, TARGET])


def test_the_share_of_a_most_informative_item_settles_below_the_limit() -> None:
    chance = np.random.default_rng(5)
    shown = 0.0
    for session in range(3000):
        shown += chance.random() < eligibility(np.array([shown]), session)[0]
        assert session < 300 or shown / (session + 1) < LIMIT
    assert shown / 3000 > LIMIT - 0.06
