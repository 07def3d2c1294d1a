"""The rule T0: again and again the bundle that closes most of the weighted gap per hour and still fits.

    match   cosine of the officer's gaps with what each course teaches: the candidates, and the order among equals
    price   each candidate with the cheapest courses that open its door (`closures`)
    pick    most micro-levels per hour; then higher cosine, then lower cost, then the lower id
    repeat  after a pick only bundles that it touched are priced again

Integers all the way (micro-levels, micro-hours), no clock, no randomness: the same inputs and view give the same bytes.
"""

from bisect import insort
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from services.recommender.closures import Bundle, Closures, bundle_of
from services.recommender.gaps import Worth, weighted_gaps
from services.recommender.index import View
from services.recommender.ledger import Pick, RunnerUp, path_of, refused, waiting_for_framework
from services.recommender.model import MICRO, Inputs
from services.recommender.offers import Offer, Standing
from services.recommender.reasons import Obstacle
from shared.paths import LearningPath

__all__ = ["recommend", "refused", "waiting_for_framework"]

RUNNERS_UP = 3


def recommend(inputs: Inputs, view: View) -> LearningPath:
    """Return the officer's learning path. Raises InvalidInput where the framework does not know what is asked for."""
    inputs.check()
    worth = weighted_gaps(inputs)
    search = Search(inputs, view, worth)
    picks = search.run()
    return path_of(inputs, worth, picks, search.obstacle, view.catalogue_revision)


@dataclass(slots=True)
class Limits:
    """What is left of the budget (micro-hours) and of the steps; None: no limit."""

    hours: int | None
    steps: int | None

    def allow(self, bundle: Bundle) -> bool:
        """Return whether the bundle still fits."""
        fits = self.hours is None or bundle.hours <= self.hours
        return fits and (self.steps is None or len(bundle.offers) <= self.steps)

    def spend(self, bundle: Bundle) -> None:
        """Take the bundle off what is left."""
        self.hours = None if self.hours is None else self.hours - bundle.hours
        self.steps = None if self.steps is None else self.steps - len(bundle.offers)


@dataclass(frozen=True, slots=True)
class Bid:
    """A candidate with its bundle. `rank` puts the better first: score, cosine, hours, then id by its number."""

    rank: tuple[int, float, int, int]
    offer: Offer
    bundle: Bundle

    @property
    def score(self) -> int:
        """Micro-levels per hour."""
        return -self.rank[0]


class Search:
    """One plan in the making. Courses are numbered in the order of their ids, so a number breaks ties."""

    def __init__(self, inputs: Inputs, view: View, worth: Worth) -> None:
        self._framework = inputs.framework.id
        self._worth = worth
        self._suppliers = view.shelf.suppliers
        self._languages = frozenset(inputs.languages)
        self.standing = Standing(inputs.standing(), set(inputs.completed))
        hours = None if inputs.budget_hours is None else round(inputs.budget_hours * MICRO)
        self.limits = Limits(hours, inputs.max_steps)
        self._closures = Closures(view.shelf.doors(self._framework), self.standing, self._usable)
        self._index = view.shelf.teaching(self._framework)
        self._cosines = self._index.similarities({skill: size / MICRO for skill, size in worth.gaps.items()})
        self._held = np.zeros(len(self._index.columns), np.int64)
        self._values = self._level_values()[self._index.column_of, self._index.level_of]
        self._ceilings = np.zeros(len(self._index.offers))
        self._raise_ceilings(np.isfinite(self._closures.prices[: len(self._index.offers)]))
        self._lifts: dict[str, list[tuple[int, int]]] = {}
        self._bundles: dict[int, tuple[float, Bundle]] = {}

    def _usable(self, offer: Offer) -> bool:
        return not self._languages or not self._languages.isdisjoint(offer.languages)

    def _level_values(self) -> NDArray[np.int64]:
        """Return what every level that any course reaches is worth: skills x levels, micro-levels."""
        table = np.zeros((len(self._index.columns), len(self._index.levels)), np.int64)
        for skill in self._worth.gaps:
            if (column := self._index.columns.get(skill)) is not None:
                table[column] = [self._worth.of(skill, float(level)) for level in self._index.levels]
        return table

    def _own_gains(self) -> NDArray[np.int64]:
        """Return what each course by itself adds to what is held, in micro-levels."""
        gains = np.zeros(len(self._index.offers), np.int64)
        if self._index.filled.size:
            added = np.maximum(self._values - self._held[self._index.column_of], 0)
            gains[self._index.filled] = np.add.reduceat(added, self._index.filled_starts)
        return gains

    def _lift(self, offer: Offer) -> list[tuple[int, int]]:
        """Return (column, worth of the level reached) of every gap skill that the course teaches."""
        if (lift := self._lifts.get(offer.id)) is None:
            lift = self._lifts[offer.id] = [
                (self._index.columns[skill], self._worth.of(skill, reached))
                for (framework, skill), (_, reached) in offer.teaches.items()
                if framework == self._framework and skill in self._worth.gaps
            ]
        return lift

    def _gain(self, bundle: Bundle) -> int:
        """Return what the bundle adds to what is held, in micro-levels."""
        best: dict[int, int] = {}
        for column, value in chain.from_iterable(map(self._lift, bundle.offers)):
            best[column] = max(best.get(column, int(self._held[column])), value)
        return sum(value - int(self._held[column]) for column, value in best.items())

    def _bid(self, number: int) -> Bid | None:
        """Return the candidate with its exact score; None where its bundle does not fit."""
        offer = self._index.offers[number]
        price = float(self._closures.prices[number])
        known = self._bundles.get(number)
        if known is None or known[0] != price:  # an unchanged price is an unchanged bundle: prices only fall
            bundle = self._closures.bundle(offer)
            if bundle is None:
                return None
            known = self._bundles[number] = (price, bundle)
        bundle = known[1]
        score = self._gain(bundle) * MICRO // bundle.hours
        if score <= 0 or not self.limits.allow(bundle):
            return None
        return Bid((-score, -float(self._cosines[number]), bundle.hours, number), offer, bundle)

    def _bids(self, count: int) -> list[Bid]:
        """Return the `count` best bids, best first.

        Candidates are looked at in the order of their ceilings, and only while those are not below what was found.
        """
        gains = self._own_gains()
        numbers = np.flatnonzero((self._ceilings > 0) & (gains > 0) & (self._cosines > 0))
        ceilings = self._ceilings[numbers]
        best: list[Bid] = []
        for place in np.argsort(-ceilings, kind="stable"):
            if len(best) == count and ceilings[place] < best[-1].score:
                break
            number = int(numbers[place])
            bid = self._bid(number)
            self._ceilings[number] = bid.score if bid else 0
            if bid:
                insort(best, bid, key=lambda bid: bid.rank)
                del best[count:]
        return best

    def _raise_ceilings(self, changed: NDArray[np.bool_]) -> None:
        """Set anew what the bundles whose price has changed can be worth at most.

        No bundle is worth more per hour than all the gains in it over the fewest hours that it can take. As long as its
        price stands still a bundle stays the same, and as levels rise it is worth less and less: an old score, too, is
        a ceiling.
        """
        hours = self._closures.floors[: len(changed)][changed]
        ceilings = self._closures.ceilings(self._own_gains())[changed] * MICRO
        reachable = hours > 0
        ceilings[reachable] /= hours[reachable]
        # Floats: a little more, so that they are never below the integers that they bound.
        self._ceilings[changed] = np.where(reachable, ceilings * (1 + 1e-9) + 1, 0)

    def run(self) -> list[Pick]:
        """Return the picks of the whole path, in the order of study."""
        picks: list[Pick] = []
        while bids := self._bids(RUNNERS_UP + 1):
            bundle = self._lean(bids[0].bundle)
            taken = {offer.id for offer in bundle.offers}
            if len(taken) > 1:  # its own members are no alternatives to it
                bids = self._bids(RUNNERS_UP + len(taken))
            others = [RunnerUp(bid.offer, bid.score) for bid in bids if bid.offer.id not in taken][:RUNNERS_UP]
            score = self._gain(bundle) * MICRO // bundle.hours
            for offer in bundle.offers:
                cosine = float(self._cosines[self._index.number_of[offer.id]])
                picks.append(Pick(offer, score, cosine, others if offer is bundle.offers[-1] else []))
            self._take(bundle)
        return picks

    def _lean(self, bundle: Bundle) -> Bundle:
        """Return the bundle without courses that neither close anything nor open a door once the parts are joined."""
        for spare in bundle.offers[-2::-1]:
            smaller = bundle_of(tuple(offer for offer in bundle.offers if offer is not spare))
            if self._gain(smaller) == self._gain(bundle) and self._can_study(smaller):
                bundle = smaller
        return bundle

    def _can_study(self, bundle: Bundle) -> bool:
        standing = self.standing.copy()
        for offer in bundle.offers:
            if not standing.admits(offer, self._framework):
                return False
            standing.take(offer)
        return True

    def _take(self, bundle: Bundle) -> None:
        self.limits.spend(bundle)
        for offer in bundle.offers:
            self.standing.take(offer)
            for column, value in self._lift(offer):
                self._held[column] = max(self._held[column], value)
        changed = self._closures.settle(bundle.offers)
        if changed.any():
            self._raise_ceilings(changed)

    def obstacle(self, skill: str) -> Obstacle:
        """Return what keeps a skill from rising above the level that the finished path reaches."""
        key = (self._framework, skill)
        reached = self.standing.levels.get(key, 0.0)
        taught = self._suppliers.get(key, [])
        open_to_all = [o for o in taught if o.teaches[key][1] > reached and o.id not in self.standing.done]
        usable = [offer for offer in open_to_all if self._usable(offer)]
        bundles = [bundle for offer in usable if (bundle := self._closures.bundle(offer))]
        if not usable:
            return Obstacle("excluded", open_to_all[0].course.title) if open_to_all else Obstacle("no_course")
        if not bundles:
            return Obstacle("prerequisite", usable[0].course.title)
        nearest = min(bundles, key=lambda bundle: (bundle.hours, bundle.offers[-1].id))
        short = None
        if self.limits.hours is not None and nearest.hours > self.limits.hours:
            short = (nearest.hours / MICRO, self.limits.hours / MICRO)
        steps = self.limits.steps is not None and len(nearest.offers) > self.limits.steps
        return Obstacle("budget", nearest.offers[-1].course.title, short, steps)
