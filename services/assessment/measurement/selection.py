"""Selects the next item: the one with the most information among those that this session may show.

An item is most informative where the officer's level is likely to be, so its Fisher information is weighted with the
posterior (Veerkamp & Berger, Some new item selection criteria for adaptive testing, 1997). Without further control,
that shows the same few items to everybody, and they become known. So each session may show only a subset of a skill's
items, drawn with the session's seed: item i with probability k_i (Sympson & Hetter, Controlling item-exposure rates in
computerized adaptive testing, 1985; item eligibility of van der Linden & Veldkamp, 2004). k_i falls from 1 to `TARGET`
with the share of sessions that showed the item, and below it if that share exceeds the target, so the share settles at
or below the target whatever the population. An item without data has k_i = TARGET.
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
    """Return k_i, (items,), for items shown `shown` times in recent `sessions`.

    Without sessions, and while they are few, the share counts as the target.
    """
    share = (shown + TARGET * _PRIOR_SESSIONS) / (sessions + _PRIOR_SESSIONS)
    falling = 1.0 - (1.0 - TARGET) * (share - _FREE) / (TARGET - _FREE)
    over = TARGET * (LIMIT - share) / (LIMIT - TARGET)
    return np.clip(np.where(share <= TARGET, falling, over), 0.0, 1.0)


def drawn(probabilities: Floats, seed: int, skill: int) -> Mask:
    """Return a mask of the items that a session may show: item i with its probability, in nearly constant number.

    Systematic sampling in a random order (Madow, On the theory of systematic sampling, 1949): the number of items is
    the sum of the probabilities, rounded up or down, at least one. The same seed and skill draw the same items.
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
    """Return the index of the most informative allowed item; None if none is allowed. `informations`: (items, 81)."""
    if not allowed.any():
        return None
    expected = np.einsum("ij,j->i", informations, posterior)  # `@` would take every processor for a large bank
    return int(np.argmax(np.where(allowed, expected, -1.0)))
