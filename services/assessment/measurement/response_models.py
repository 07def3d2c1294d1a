"""The graded response model and the two-parameter logistic model, as arrays over items and levels.

An item of K + 1 ordered options has a discrimination a and K increasing thresholds b. At the level theta

    P(option >= k | theta) = 1 / (1 + exp(-a (theta - b_k)))                  k = 1..K

(Samejima, Estimation of latent ability using a response pattern of graded scores, Psychometrika Monograph 17, 1969).
A right-or-wrong item is the case K = 1, the two-parameter logistic model (Birnbaum, in Lord & Novick, Statistical
theories of mental test scores, 1968). Levels and thresholds are on the framework's scale, a is per level of it; there
is no factor 1.7.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def padded(thresholds: Sequence[Sequence[float]]) -> Floats:
    """Return the thresholds of items as one array (items, largest count), padded with infinity."""
    most = max(map(len, thresholds), default=1)
    found = np.full((len(thresholds), most), np.inf)
    for row, values in zip(found, thresholds, strict=True):
        row[: len(values)] = values
    return found


def reached(discrimination: Floats, thresholds: Floats, levels: Floats) -> Floats:
    """Return P(option >= k) as (items, K + 2, levels) for k = 0..K + 1: ones first, zeros last.

    `discrimination`: (items,). `thresholds`: (items, K), padded with infinity: such an option has probability 0.
    """
    items, count = thresholds.shape
    found = np.zeros((items, count + 2, len(levels)))
    found[:, 0] = 1.0
    exponent = discrimination[:, None, None] * (thresholds[:, :, None] - levels)
    with np.errstate(over="ignore"):  # what exp() takes to infinity has the probability 0
        found[:, 1:-1] = 1.0 / (1.0 + np.exp(exponent))
    return found


def option_probabilities(discrimination: Floats, thresholds: Floats, levels: Floats) -> Floats:
    """Return the probability of each option as (items, K + 1, levels); over the options they add up to 1.

    The parameters have the shapes that `reached` states.
    """
    at_least = reached(discrimination, thresholds, levels)
    return np.asarray(at_least[:, :-1] - at_least[:, 1:])


def information(discrimination: Floats, thresholds: Floats, levels: Floats) -> Floats:
    """Return the Fisher information of items as (items, levels), per squared level: the sum of P'^2 / P over options.

    Samejima (1969); with one threshold it is a^2 P (1 - P). The parameters have the shapes that `reached` states.
    """
    at_least = reached(discrimination, thresholds, levels)
    slope = discrimination[:, None, None] * at_least * (1.0 - at_least)
    steep = slope[:, :-1] - slope[:, 1:]
    probability = at_least[:, :-1] - at_least[:, 1:]
    return np.asarray((steep**2 / np.maximum(probability, 1e-12)).sum(axis=1))
