"""Bundles: a course with the cheapest courses that open its door, by chaining backwards over prerequisites.

A need that the officer does not meet is met by its cheapest way: a missing level by the cheapest course that reaches
it, of `any` the cheapest branch; a way costs its own hours and those of all its needs. Those prices are the fixed point
of that sentence, found by repeating it from "out of reach" until nothing gets cheaper, so circles and prerequisites
that point nowhere simply stay out of reach. What opens a door is always cheaper than what lies behind it: in the order
of price a bundle can be studied.

Finding the least set of prerequisites exactly is hard; here each need is priced on its own, and a course that serves
two of them is counted twice in the price that chooses, once in the hours of the bundle.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.recommender.doors import Doors, Rows
from services.recommender.offers import Offer, Standing


@dataclass(frozen=True, slots=True)
class Bundle:
    """Courses in an order that can be studied, the last one the goal. `hours` in micro-hours."""

    offers: tuple[Offer, ...]
    hours: int


def bundle_of(offers: tuple[Offer, ...]) -> Bundle:
    """Return these courses as a bundle."""
    return Bundle(offers, sum(offer.hours for offer in offers))


class Closures:
    """Prices and bundles from one officer's standing; `settle` again whenever the standing has grown.

    `prices`: way -> micro-hours with prerequisites, infinite where out of reach. `floors`: no bundle takes fewer hours;
    0 where out of reach.
    """

    def __init__(self, doors: Doors, standing: Standing, usable: Callable[[Offer], bool]) -> None:
        self._doors = doors
        self._standing = standing
        self._count = len(doors.offers)
        self._done = np.array([offer.id in standing.done for offer in doors.offers] + [False])
        self._base = doors.hours.copy()
        self._base[: self._count][[not usable(offer) for offer in doors.offers]] = np.inf
        self._base[: self._count][self._done[:-1]] = np.inf
        self.prices = np.full(len(self._base), np.inf)
        self.floors = self.prices
        self._met = self._meets()
        self._choice = np.zeros(len(doors.level_of), np.int64)
        self._price()

    def _meets(self) -> NDArray[np.bool_]:
        doors = self._doors
        held = np.array([self._standing.levels.get(key, 0.0) for key in doors.skills] + [0.0])
        met: NDArray[np.bool_] = (doors.skill_of >= 0) & (held[doors.skill_of] >= doors.level_of)
        met |= (doors.course_of >= 0) & self._done[doors.course_of]
        return met

    def settle(self, done: Iterable[Offer]) -> NDArray[np.bool_]:
        """Bring the prices up to the present standing, in which these courses have been done.

        Return course -> whether its price has changed.
        """
        before = self.prices[: self._count]
        for offer in done:
            self._done[self._doors.number_of[offer.id]] = True
        self._base[: self._count][self._done[:-1]] = np.inf
        met = self._meets()
        if np.array_equal(met, self._met):
            self.prices = np.where(np.isinf(self._base), np.inf, self.prices)
            self.floors = np.where(np.isinf(self._base), 0.0, self.floors)
        else:
            self._met = met
            self._price()
        changed: NDArray[np.bool_] = before != self.prices[: self._count]
        return changed

    def _price(self) -> None:
        """Repeat prices until none falls. A standing only grows, so the last ones are a good place to begin."""
        doors, unmet = self._doors, ~self._met
        ways = doors.ways.keep(np.isfinite(self._base)[doors.ways.flat] & unmet[doors.ways.row_of])
        needs = doors.needs.keep(unmet[doors.needs.flat])
        reach = np.full(len(unmet), np.inf)
        while True:
            reach[ways.filled] = ways.reduce(np.minimum, self.prices)
            prices = self._base.copy()
            prices[needs.filled] += needs.reduce(np.add, reach)
            if np.array_equal(prices, self.prices):
                break
            self.prices = prices
        cheapest = np.flatnonzero(prices[ways.flat] == reach[ways.row_of])[::-1]
        self._choice[ways.row_of[cheapest]] = ways.flat[cheapest]  # backwards: of equals the lowest number stays
        chain = needs.keep(np.isfinite(prices[needs.row_of]))
        self._chain = Rows(self._choice[chain.flat], chain.row_of)
        self.floors = self._through(np.maximum, self._base)

    def _through(self, ufunc: np.ufunc, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return way -> its own amount and, through the chosen ways of its needs, what lies before it."""
        whole = np.where(np.isinf(self.prices), 0.0, own)
        alone = whole[self._chain.filled]
        while True:
            longer = alone + self._chain.reduce(ufunc, whole)
            if np.array_equal(longer, whole[self._chain.filled]):
                return whole
            whole[self._chain.filled] = longer

    def ceilings(self, gains: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return course -> a sum of gains that its bundle cannot exceed."""
        own = np.zeros(len(self._base))
        own[: self._count] = gains
        return self._through(np.add, own)[: self._count]

    def bundle(self, offer: Offer) -> Bundle | None:
        """Return the course with the cheapest closure of its prerequisites; None where they are out of reach."""
        goal = self._doors.number_of[offer.id]
        if self.prices[goal] == np.inf:
            return None
        taken, waiting = {goal}, [goal]
        while waiting:
            for need in self._doors.needs_of[waiting.pop()]:
                if not self._met[need] and (way := int(self._choice[need])) not in taken:
                    taken.add(way)
                    waiting.append(way)
        courses = [number for number in taken if number < self._count]
        courses.sort(key=lambda number: (self.prices[number], number))
        return bundle_of(tuple(self._doors.offers[number] for number in courses))
