"""What the next plans are based on, in memory: of the officers whose plans this process has saved last.

Another process may have changed such a plan since. Then saving the next one conflicts, and its base is read.
"""

from collections.abc import Iterable, Sequence

from services.recommender.store.documents import NewPlan, PlanBase

MOST_BASES = 500
"""How many bases are kept in memory."""


class PlanBases:
    """Keeps the bases of the next plans by officer's key. Only the event loop uses it."""

    def __init__(self) -> None:
        self._bases: dict[str, PlanBase | NewPlan] = {}
        """A plan that is being saved is in the place of its base."""

    def of(self, keys: Iterable[str]) -> dict[str, PlanBase]:
        """Return the bases that are kept for these keys."""
        found = {key: self._bases.get(key) for key in keys}
        return {key: base for key, base in found.items() if isinstance(base, PlanBase)}

    def begin(self, plans: Iterable[NewPlan]) -> None:
        """Forget the bases of plans that are about to be saved."""
        for plan in plans:
            self._bases.pop(plan.profile.key, None)
            self._bases[plan.profile.key] = plan
        while len(self._bases) > MOST_BASES:
            del self._bases[next(iter(self._bases))]

    def keep(self, plans: Sequence[NewPlan]) -> set[str]:
        """Keep what saved plans are for the next ones; return the keys of those that are unchanged since `begin`.

        No base is kept of other plans, nor of plans without a record of their inputs.
        """
        unchanged = {plan.profile.key for plan in plans if self._bases.get(plan.profile.key) is plan}
        for plan in plans:
            if plan.profile.key in unchanged and plan.record is not None:
                self._bases[plan.profile.key] = PlanBase(plan.head, plan.record.feedback)
        return unchanged

    def forget(self, keys: Iterable[str]) -> None:
        """Forget the bases of plans that change otherwise."""
        for key in keys:
            self._bases.pop(key, None)

    def clear(self) -> None:
        """Forget everything, because other processes may have planned these officers."""
        self._bases.clear()
