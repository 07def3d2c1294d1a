"""The posterior of a level, given the answers: a probability on a grid of 81 points, its mean, sd and intervals.

The estimate is the mean of the posterior, EAP (Bock & Mislevy, Adaptive EAP estimation of ability in a microcomputer
environment, Applied Psychological Measurement 6, 1982).

The grid extends half a step of the scale beyond both ends: level k covers the points nearest to it, and a grid that
ended at the top level would leave no probability of having reached it. Reported values are clipped to the scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import sqrt
from statistics import fmean

import numpy as np

from services.assessment.measurement.response_models import Floats

GRID_POINTS = 81
_INTERVALS = {"68": (0.16, 0.84), "95": (0.025, 0.975)}
_PRIOR_SD = 0.27
"""Of the scale's top. With it the intervals hold for officers spread evenly over the scale as for a bell around its
middle (docs/evaluation.md); a flat one makes them too wide, a narrower one pulls the ends of the scale inwards."""

_MOST_CERTAIN = 0.01
"""The smallest standard deviation that is reported, in steps of the scale: the grid resolves no less."""


@dataclass(frozen=True)
class Grid:
    """The levels of the grid points; `step` is the mean distance between two levels of the scale."""

    points: Floats
    step: float
    top: float

    @classmethod
    def over(cls, scale: Sequence[float]) -> "Grid":
        """Return the grid for a framework's scale; level 0, none, belongs to every scale."""
        levels = sorted({0.0, *scale})
        step = fmean(upper - lower for lower, upper in pairwise(levels))
        return cls(np.linspace(-step / 2, levels[-1] + step / 2, GRID_POINTS), step, levels[-1])

    @cached_property
    def squares(self) -> Floats:
        """The squares of the levels."""
        return np.asarray(self.points**2)

    def prior(self) -> Floats:
        """Return the probability before the first answer: nearly flat, N(middle of the scale, 0.27 of its top)."""
        density = np.exp(-(((self.points - self.top / 2) / (_PRIOR_SD * self.top)) ** 2) / 2)
        return np.asarray(density / density.sum())


@dataclass(frozen=True)
class LevelEstimate:
    """A level with its standard deviation and its 68 % and 95 % intervals, all in levels of the scale."""

    level: float
    sd: float
    low_68: float
    high_68: float
    low_95: float
    high_95: float


def updated(posterior: Floats, likelihood: Floats) -> Floats:
    """Return the posterior after one more answer whose probability at each level of the grid is `likelihood`."""
    product = posterior * likelihood
    total = product.sum()
    return posterior if total <= 0 else np.asarray(product / total)


def mean_and_sd(grid: Grid, posterior: Floats) -> tuple[float, float]:
    """Return mean and standard deviation in levels, not clipped to the scale."""
    mean = float(grid.points @ posterior)
    return mean, sqrt(max(float(grid.squares @ posterior) - mean**2, 0.0))


def estimate(grid: Grid, posterior: Floats) -> LevelEstimate:
    """Return level, standard deviation and intervals, clipped to the scale."""
    mean, sd = mean_and_sd(grid, posterior)
    width = grid.points[1] - grid.points[0]
    edges = np.concatenate([grid.points - width / 2, [grid.points[-1] + width / 2]])
    cumulative = np.concatenate([[0.0], np.cumsum(posterior)])
    shares = [share for pair in _INTERVALS.values() for share in pair]
    ends = np.clip(np.interp(shares, cumulative, edges), 0.0, grid.top)
    level = float(np.clip(mean, 0.0, grid.top))
    return LevelEstimate(level, max(sd, _MOST_CERTAIN * grid.step), *(float(end) for end in ends))


def probability_of(grid: Grid, posterior: Floats, required: float) -> float:
    """Return the probability that the level is `required` or above; the grid cell around it counts in part."""
    width = grid.points[1] - grid.points[0]
    share = np.clip((grid.points + width / 2 - required) / width, 0.0, 1.0)
    return float(share @ posterior)
