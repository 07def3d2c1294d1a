"""Decides when a skill needs no more items."""

from math import sqrt
from typing import Literal

from services.assessment.measurement.posterior import Grid, mean_and_sd, probability_of
from services.assessment.measurement.response_models import Floats

PRECISION = 0.4
"""The standard deviation, in steps of the scale, at which a skill is precise enough and is asked no further."""

DECIDED = 0.9
"""A requirement counts as decided once the probability of reaching it, or of missing it, is at least this."""

LEAST_REDUCTION = 0.02
"""An item is not asked if it is expected to lower the standard deviation, in steps, by less than this."""

LEAST_ITEMS, MOST_ITEMS = 2, 15
"""How many answers a skill needs before its requirement can be decided, and how many items are asked at most."""

StopReason = Literal["precise", "decided", "little_to_gain", "item_limit", "no_items_left"]


def stop_reason(grid: Grid, posterior: Floats, answered: int, required: float | None) -> StopReason | None:
    """Return why a skill needs no more items; None to continue.

    `posterior`: (81,). `answered`: how many items. `required`: the level that the job group needs, if it needs one.
    """
    if answered and mean_and_sd(grid, posterior)[1] <= PRECISION * grid.step:
        return "precise"
    if required is not None and answered >= LEAST_ITEMS:
        probability = probability_of(grid, posterior, required)
        if probability >= DECIDED or probability <= 1 - DECIDED:
            return "decided"
    return "item_limit" if answered >= MOST_ITEMS else None


def expected_reduction(grid: Grid, posterior: Floats, options: Floats) -> float:
    """Return by how much one item is expected to lower the standard deviation, in steps of the scale.

    `posterior`: (81,). `options`: the probabilities of the item's options at the grid points, (options, 81).
    """
    expected = 0.0
    for chance, mean, square in (
        options @ (grid.powers * posterior).T
    ).tolist():  # mean and mean square of the level, times the probability of the option
        expected += sqrt(max(square * chance - mean**2, 0.0))
    return (mean_and_sd(grid, posterior)[1] - expected) / grid.step
