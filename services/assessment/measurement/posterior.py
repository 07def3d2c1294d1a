"""The posterior of a level, given the answers: a probability on a grid of 81 points, its mean, sd and intervals.

The estimate is the mean of the posterior, EAP (Bock & Mislevy, Adaptive EAP estimation of ability in a microcomputer
environment, Applied Psychological Measurement 6, 1982).

The grid extends half a step of the scale beyond both ends: level k covers the points nearest to it, and a grid that
ended at the top level would leave no probability of having reached it. Reported values are clipped to the scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import sqrt
from statistics import fmean

import numpy as np

from services.assessment.measurement.response_models import Floats

GRID_POINTS = 81
_INTERVAL_ENDS = (0.16, 0.84, 0.025, 0.975)
"""The shares of the posterior below the ends of the 68 % and of the 95 % interval."""

_PRIOR_SD = 0.27
"""The standard deviation of the prior, as a share of the scale's top. With it the intervals hold both for levels that
are uniformly distributed over the scale and for levels that are normally distributed around its middle
(docs/evaluation.md); a flat prior makes them too wide, a narrower one biases high and low levels towards the middle."""

_HELD_SHARES = 100

_MOST_CERTAIN = 0.01
"""The smallest standard deviation that is reported, in steps of the scale: the grid resolves no less."""


@dataclass(frozen=True)
class Grid:
    """The grid of a scale: `points` (81,), in levels.

    `step`: the mean distance between neighbouring levels of the scale. `top`: the highest level. `held`: a cache of
    `at_least` for up to 100 levels; a session asks for those that its job group requires.
    """

    points: Floats
    step: float
    top: float
    held: dict[float, Floats] = field(default_factory=dict)

    @classmethod
    def over(cls, scale: Sequence[float]) -> "Grid":
        """Return the grid for the levels of a framework's scale, to which 0 always belongs."""
        levels = sorted({0.0, *scale})
        step = fmean(upper - lower for lower, upper in pairwise(levels))
        return cls(np.linspace(-step / 2, levels[-1] + step / 2, GRID_POINTS), step, levels[-1])

    @cached_property
    def powers(self) -> Floats:
        """The powers 0, 1 and 2 of the points: (3, 81). Times a posterior: its sum, its mean and its mean square."""
        return np.stack([np.ones(GRID_POINTS), self.points, self.points**2])

    @cached_property
    def edges(self) -> Floats:
        """The levels at which the cells around the points begin and end: (82,)."""
        width = self.points[1] - self.points[0]
        return np.concatenate([self.points - width / 2, [self.points[-1] + width / 2]])

    def at_least(self, level: float) -> Floats:
        """Return the share of each cell that is at `level` or above, (81,): 0, 1, or less in the cell around it."""
        found = self.held.get(level)
        if found is None:
            width = self.points[1] - self.points[0]
            found = np.clip((self.points + width / 2 - level) / width, 0.0, 1.0)
            if len(self.held) >= _HELD_SHARES:
                self.held.clear()
            self.held[level] = found
        return found

    def prior(self) -> Floats:
        """Return the prior (81,) before the first answer: nearly flat, N(middle of the scale, 0.27 of its top)."""
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
    """Return the posterior (81,) after one more answer; unchanged if the answer is impossible at every level.

    `likelihood`: the probability of the answer at each level (81,).
    """
    total = posterior @ likelihood
    return posterior if total <= 0 else np.asarray(posterior * likelihood / total)


def mean_and_sd(grid: Grid, posterior: Floats) -> tuple[float, float]:
    """Return mean and standard deviation of a posterior (81,), in levels, not clipped to the scale."""
    _, mean, square = (grid.powers @ posterior).tolist()
    return mean, sqrt(max(square - mean**2, 0.0))


def estimate(grid: Grid, posterior: Floats) -> LevelEstimate:
    """Return the level with its intervals, clipped to the scale, and the standard deviation of a posterior (81,)."""
    mean, sd = mean_and_sd(grid, posterior)
    cumulative = np.concatenate([[0.0], posterior.cumsum()])
    ends = np.interp(_INTERVAL_ENDS, cumulative, grid.edges).tolist()
    level, *ends = (min(max(value, 0.0), grid.top) for value in (mean, *ends))
    return LevelEstimate(level, max(sd, _MOST_CERTAIN * grid.step), *ends)


def probability_of(grid: Grid, posterior: Floats, required: float) -> float:
    """Return the probability that the level is `required` or above; the grid cell around it counts in part."""
    return float(grid.at_least(required) @ posterior)
