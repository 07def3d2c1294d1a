"""Selects the next item: the one with the most information among those that this session may show.

An item is most informative where the officer's level is likely to be, so its Fisher information is weighted with the
posterior (Veerkamp & Berger, Some new item selection criteria for adaptive testing, 1997). Without further control,
that shows the same few items to everybody, and they become known. So each session may show only a subset of a skill's
items, drawn with the session's seed: item i with probability k_i (Sympson & Hetter, Controlling item-exposure rates in
computerized adaptive testing, 1985; item eligibility of van der Linden & Veldkamp, 2004). k_i depends on the share of
sessions that showed the item: it is 1 for a small share, `TARGET` if the share equals `TARGET`, and less above that. So
the share settles at `TARGET` or below, whoever the officers are. An item without data has k_i = TARGET.
"""

import numpy as np

from services.assessment.measurement.response_models import Floats, Mask

LIMIT = 0.4
"""The share of sessions from which on an item is shown in no further one."""

TARGET = 0.37
"""The share of sessions that exposure control aims at; lower than `LIMIT`, because chance adds to it."""

_FREE = 0.25
"""Below this share, an item may be shown in every session."""

_PRIOR_SESSIONS = 20

_FEW = 100
"""Up to so many items of a skill are compared as plain numbers, which takes less time than to call numpy."""


def eligibility(shown: Floats, sessions: float) -> Floats:
    """Return k_i (items,), the probability with which a session may show each item.

    `shown`: how many of the last `sessions` showed each item (items,). While these are few, the shares are close to
    `TARGET`: 20 sessions that showed each item with this share are added.
    """
    share = (shown + TARGET * _PRIOR_SESSIONS) / (sessions + _PRIOR_SESSIONS)
    return np.asarray(np.interp(share, (_FREE, TARGET, LIMIT), (1.0, TARGET, 0.0)))


def drawn(probabilities: Floats, seed: int, skill: int) -> Mask:
    """Return a mask (items,) of the items that a session may show, each with its probability in `probabilities`.

    Systematic sampling in a random order (Madow, On the theory of systematic sampling, 1949): the number of items is
    the sum of the probabilities, rounded up or down, at least one. The same seed and skill draw the same items.
    """
    chance = np.random.default_rng([seed, skill])
    order = chance.permutation(len(probabilities))
    in_order = probabilities[order]
    ends = in_order.cumsum() + chance.random()
    whole = np.arange(1.0, ends[-1] // 1.0 + 1.0) if len(ends) else ends
    found = np.zeros(len(probabilities), dtype=np.bool_)
    found[order[ends.searchsorted(whole)]] = True  # the items between whose ends a whole number lies
    if len(ends) and not len(whole):
        found[order[in_order.argmax()]] = True
    return found


def most_informative(informations: Floats, posterior: Floats, allowed: Mask) -> int | None:
    """Return the index of the allowed item that is expected to give most information; None if none is allowed.

    `informations`: (items, 81). `posterior`: (81,). `allowed`: (items,).
    """
    if len(informations) > _FEW:
        expected = np.einsum("ij,j->i", informations, posterior)  # `@` would take every processor for a large bank
        best = int(np.where(allowed, expected, -1.0).argmax())
        return best if allowed[best] else None
    values = np.where(allowed, informations @ posterior, -1.0).tolist()
    most = max(values, default=-1.0)
    return values.index(most) if most >= 0.0 else None
