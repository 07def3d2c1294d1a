"""The prerequisites of a catalogue as arrays: what each course needs, and which courses supply each need.

Two kinds of nodes take turns. A *way* needs all of its needs: every course is one (numbered by the order of ids), and
so is every branch of an `any`, at no hours. A *need* is met by any one of its ways: a level by each course that reaches
it, a course by itself, an `any` by its branches; or by the officer's own standing.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from services.recommender.offers import Offer, SkillKey, level_condition
from shared.skills import Prerequisite


class Rows:
    """Lists of numbers laid end to end: `flat[i]` stands in list `row_of[i]`.

    `filled`: the lists that are not empty, in order; `starts`: where each of those begins in `flat`.
    """

    def __init__(self, flat: NDArray[np.int64], row_of: NDArray[np.int64]) -> None:
        self.flat, self.row_of = flat, row_of
        begins = np.ones(len(row_of), bool)
        begins[1:] = row_of[1:] != row_of[:-1]
        self.starts = np.flatnonzero(begins)
        self.filled = row_of[self.starts]

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> "Rows":
        """Return these lists."""
        flat = np.array([number for row in lists for number in row], np.int64)
        return cls(flat, np.repeat(np.arange(len(lists)), [len(row) for row in lists]))

    def keep(self, mask: NDArray[np.bool_]) -> "Rows":
        """Return what stands where the mask says so."""
        return Rows(self.flat[mask], self.row_of[mask])

    def reduce(self, ufunc: np.ufunc, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return, per filled list, what the values of its numbers come to."""
        if not self.starts.size:
            return np.zeros(0)
        return np.asarray(ufunc.reduceat(values[self.flat], self.starts))


class Doors:
    """Ways and needs of every course of a shelf, for officers measured on one framework.

    `needs` and `needs_of`: way -> needs; `ways`: need -> ways; `hours`: way -> micro-hours. A need on a level has its
    skill's number in `skill_of` and the level in `level_of`, a need of a course its number in `course_of`; else -1.
    A condition that stands twice at one door is one need.
    """

    def __init__(self, framework: str, offers: Iterable[Offer]) -> None:
        self.offers = sorted(offers, key=lambda offer: offer.id)
        self.number_of = {offer.id: number for number, offer in enumerate(self.offers)}
        self.skills: dict[SkillKey, int] = {}
        self._suppliers: dict[SkillKey, list[tuple[float, int]]] = {}
        for number, offer in enumerate(self.offers):
            for key, (_, high) in offer.teaches.items():
                self._suppliers.setdefault(key, []).append((high, number))
        self._known: dict[str | tuple[SkillKey, float], int] = {}
        self._ways_of: list[list[int]] = []
        self._marks: list[tuple[int, float, int]] = []
        self.needs_of: list[list[int]] = [[] for _ in self.offers]
        for number, offer in enumerate(self.offers):
            self.needs_of[number] = self._compile(offer.entry(framework))
        self.needs, self.ways = Rows.of(self.needs_of), Rows.of(self._ways_of)
        self.skill_of = np.array([mark[0] for mark in self._marks], np.int64)
        self.level_of = np.array([mark[1] for mark in self._marks], np.float64)
        self.course_of = np.array([mark[2] for mark in self._marks], np.int64)
        self.hours = np.zeros(len(self.needs_of))
        self.hours[: len(self.offers)] = [offer.hours for offer in self.offers]

    def _compile(self, conditions: Sequence[Prerequisite]) -> list[int]:
        needs: list[int] = []
        for condition in conditions:
            if condition.all is not UNSET:
                needs += self._compile(condition.all)
            elif condition.any is not UNSET:
                needs.append(self._any(condition.any))
            elif condition.course is not UNSET:
                needs.append(self._course(condition.course))
            else:
                needs.append(self._level(*level_condition(condition)))
        return list(dict.fromkeys(needs))

    def _any(self, branches: Sequence[Prerequisite]) -> int:
        ways = []
        for branch in branches:
            needs = self._compile([branch])
            ways.append(len(self.needs_of))
            self.needs_of.append(needs)
        return self._need(ways, (-1, 0.0, -1))

    def _course(self, course_id: str) -> int:
        if (need := self._known.get(course_id)) is None:
            number = self.number_of.get(course_id, -1)
            ways = [] if number < 0 else [number]
            need = self._known[course_id] = self._need(ways, (-1, 0.0, number))
        return need

    def _level(self, key: SkillKey, level: float) -> int:
        if (need := self._known.get((key, level))) is None:
            ways = [number for high, number in self._suppliers.get(key, ()) if high >= level]
            mark = (self.skills.setdefault(key, len(self.skills)), level, -1)
            need = self._known[key, level] = self._need(ways, mark)
        return need

    def _need(self, ways: list[int], mark: tuple[int, float, int]) -> int:
        self._ways_of.append(ways)
        self._marks.append(mark)
        return len(self._ways_of) - 1
