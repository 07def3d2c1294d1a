"""The prerequisites of a catalogue as arrays: what each course needs, and which courses supply each need.

Two kinds of nodes take turns. A *way* needs all of its needs: every course is one (numbered by the order of ids), and
so is every branch of an `any`, at no hours. A *need* is met by any one of its ways: a level by each course that reaches
it, a course by itself, an `any` by its branches; or by the officer's own standing.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import UNSET

from services.recommender.offers import Offer, SkillKey, level_condition
from shared.skills import Prerequisite


class Rows:
    """Lists of numbers laid end to end: `flat[i]` stands in list `row_of[i]`; `filled`: the lists not empty."""

    def __init__(self, lists: Sequence[Sequence[int]]) -> None:
        self.lists = lists
        lengths = np.array([len(row) for row in lists], np.int64)
        starts = np.cumsum(lengths) - lengths
        self.flat = np.array([number for row in lists for number in row], np.int64)
        self.row_of = np.repeat(np.arange(len(lists)), lengths)
        self.filled = np.flatnonzero(lengths)
        self.filled_starts = starts[self.filled]


class Doors:
    """Ways and needs of every course of a shelf, for officers measured on one framework.

    `needs`: way -> needs; `ways`: need -> ways; `hours`: way -> micro-hours. A need on a level has its skill's number
    in `skill_of` and the level in `level_of`, a need of a course its number in `course_of`; -1 elsewhere.
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
        self._needs_of: list[list[int]] = [[] for _ in self.offers]
        for number, offer in enumerate(self.offers):
            self._needs_of[number] = self._compile(offer.entry(framework))
        self.needs, self.ways = Rows(self._needs_of), Rows(self._ways_of)
        self.skill_of = np.array([mark[0] for mark in self._marks], np.int64)
        self.level_of = np.array([mark[1] for mark in self._marks], np.float64)
        self.course_of = np.array([mark[2] for mark in self._marks], np.int64)
        self.hours = np.zeros(len(self._needs_of))
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
            ways.append(len(self._needs_of))
            self._needs_of.append(needs)
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
