"""Which item comes next: the one with the most information among those that this session may show.

An item tells most where the officer's level is likely to be, so its Fisher information is weighted with the posterior
(Veerkamp & Berger, Some new item selection criteria for adaptive testing, 1997). Left alone, that shows the same few
items to everybody, and they become known. So each session may show only a part of a skill's items, drawn from the
session's seed: item i with the probability k_i (Sympson & Hetter, Controlling item-exposure rates in computerized
adaptive testing, 1985; item eligibility of van der Linden & Veldkamp, 2004). k_i falls from 1 to `TARGET` with the
share of sessions that showed the item, and below it where that share is over the target: a share is never above its
k_i for long, so it settles at or below the target whoever comes. An item of which nothing is known has k_i = TARGET.
"""

import numpy as np

from services.assessment.measurement.response_models import Floats, Mask

LIMIT = 0.4
"""The share of officers that an item may be shown to."""

TARGET = 0.37
"""The share that exposure control aims at, below the limit by what chance adds."""

_FREE = 0.25
"""Below this share, an item may be shown in every session."""

_PRIOR_SESSIONS = 20


def eligibility(shown: Floats, sessions: float) -> Floats:
    """Return k_i of items that were shown in so many of some recent sessions.

    Before there are sessions, and while they are few, the share counts as the target.
    """
    share = (shown + TARGET * _PRIOR_SESSIONS) / (sessions + _PRIOR_SESSIONS)
    falling = 1.0 - (1.0 - TARGET) * (share - _FREE) / (TARGET - _FREE)
    over = TARGET * (LIMIT - share) / (LIMIT - TARGET)
    return np.clip(np.where(share <= TARGET, falling, over), 0.0, 1.0)


def drawn(probabilities: Floats, seed: int, skill: int) -> Mask:
    """Return which of a skill's items a session may show: item i with its probability, always about as many.

    Systematic sampling in a random order (Madow, On the theory of systematic sampling, 1949): the number of items is
    the sum of the probabilities, rounded up or down. The same seed and skill draw the same; at least one is drawn.
    """
    chance = np.random.default_rng([seed, skill])
    order = chance.permutation(len(probabilities))
    ends = chance.random() + np.cumsum(probabilities[order])
    found = np.zeros(len(probabilities), dtype=np.bool_)
    found[order] = np.floor(ends) > np.floor(ends - probabilities[order])
    if len(found) and not found.any():
        found[order[np.argmax(probabilities[order])]] = True
    return found


def most_informative(informations: Floats, posterior: Floats, allowed: Mask) -> int | None:
    """Return the index of the item that tells most; None if none is allowed. `informations`: (items, 81)."""
    if not allowed.any():
        return None
    told = np.einsum("ij,j->i", informations, posterior)  # `@` would take every processor for a large bank
    return int(np.argmax(np.where(allowed, told, -1.0)))
