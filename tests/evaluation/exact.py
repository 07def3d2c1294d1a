"""The best that any path can close within the budget, by mixed-integer programming (HiGHS).

    maximise    sum over gap skills of (the value of each further level) x (that level is reached)
    x[course]   taken;  y[skill, level]  reached;  z  a branch of and / or holds
    budget      sum hours x <= budget;  sum x <= steps
    entry       x <= y or x or z of everything that the course needs
    reaching    y[skill, level] <= sum of x over the courses that can be the first to reach it: those that end at or
                above the level and begin below it
    order       what is chosen must also be enterable one after the other. Courses that only satisfy each other's
                prerequisites are cut off when they turn up: one of them can be taken only together
                with a course from outside that meets a need of theirs; then the program is solved again.

Without the cuts the program is a relaxation, so its dual bound is an upper bound on every path at any moment, and when
nothing needs to be cut the solution is a path and the optimum.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from services.recommender.inputs import MICRO
from shared.domain import Prerequisite
from tests.evaluation.problem import Candidate, Leaf, Problem, State, leaves

SECONDS = 60.0
"""The longest that one instance is searched."""

_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Optimum:
    """`bound`: no path closes more, micro-levels; `chosen`: the best path found, in an order that can be studied.

    No course of `chosen` can be left out: where hours do not bind, the program itself may choose any that fit.
    `proved`: the path found reaches the bound.
    """

    bound: float
    gained: int
    chosen: list[Candidate]
    proved: bool
    seconds: float


def optimum(problem: Problem, seconds: float = SECONDS) -> Optimum:
    """Return the best path, or after `seconds` the best bound and path found so far."""
    begun = time.perf_counter()
    program = _Program(problem)
    bound, best = float(problem.gained(program.candidates)), list[Candidate]()
    while (left := seconds - (time.perf_counter() - begun)) > 0:
        found, dual = program.solve(left)
        bound = min(bound, dual)
        order = problem.studied(found)
        if problem.gained(order) > problem.gained(best):
            best = order
        if len(order) == len(found) or not program.cut(found, order):
            break
    gained = problem.gained(best)
    proved, took = gained >= bound - MICRO * _SLACK, time.perf_counter() - begun
    return Optimum(max(bound, gained), gained, problem.essential(best), proved, took)


def quiet() -> None:
    """Throw away what this process prints: HiGHS prints a line of its own now and then, into the progress bar."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def relevant(problem: Problem) -> list[Candidate]:
    """Return the candidates that can be entered and close something, or may be a prerequisite of what does."""
    reachable = problem.studied([candidate for candidate in problem.candidates if candidate.hours <= problem.budget])
    start = problem.start()
    wanted = {candidate.id for candidate in reachable if problem.gain(start, candidate)}
    waiting = [candidate for candidate in reachable if candidate.id in wanted]
    while waiting:
        needs = [need for candidate in waiting for need in _unmet(problem, start, candidate)]
        waiting = [c for c in reachable if c.id not in wanted and any(_supplies(c, need) for need in needs)]
        wanted |= {candidate.id for candidate in waiting}
    return [candidate for candidate in reachable if candidate.id in wanted]


def _unmet(problem: Problem, state: State, candidate: Candidate) -> set[str | Leaf]:
    """Return the single conditions of entry that do not hold: course ids and levels."""
    needs: set[str | Leaf] = {item for item in candidate.low.items() if state.levels.get(item[0], 0.0) < item[1]}
    for leaf in leaves(candidate.course.requires):
        if not problem.holds(state, leaf):
            needs |= {key for key in [_key(problem, leaf)] if key is not None}
    return needs


def _key(problem: Problem, leaf: Prerequisite) -> str | Leaf | None:
    """Return what supplies are looked up by; None for a level on another framework, which no path changes."""
    if leaf.course is not UNSET:
        return leaf.course
    assert leaf.skill is not UNSET
    assert leaf.level is not UNSET
    return (leaf.skill, leaf.level) if leaf.framework == problem.framework else None


def _supplies(candidate: Candidate, need: str | Leaf) -> bool:
    """Return whether a course can be the first to meet a need."""
    if isinstance(need, str):
        return candidate.id == need
    skill, level = need
    return candidate.high.get(skill, 0.0) >= level > candidate.low[skill] if skill in candidate.high else False


class _Program:
    """The program of one problem, growing by cuts."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._start = problem.start()
        self.candidates = relevant(problem)
        self._x = {candidate.id: number for number, candidate in enumerate(self.candidates)}
        self._count = len(self.candidates)
        self._value = [0.0] * self._count
        self._y: dict[Leaf, int] = {}
        self._rows: list[dict[int, float]] = []
        self._levels_of: dict[str, set[float]] = {}
        self._collect_levels()
        for skill, levels in self._levels_of.items():
            self._ladder(skill, sorted(levels))
        for candidate in self.candidates:
            for variable in self._needs(candidate):
                self._rows.append({self._x[candidate.id]: 1.0} | ({} if variable is None else {variable: -1.0}))

    def _variable(self, value: float = 0.0) -> int:
        self._value.append(value)
        self._count += 1
        return self._count - 1

    def _collect_levels(self) -> None:
        for candidate in self.candidates:
            for need in _unmet(self._problem, self._start, candidate):
                if not isinstance(need, str):
                    self._levels_of.setdefault(need[0], set()).add(need[1])
            for skill, level in candidate.high.items():
                if self._problem.value.of(skill, level):
                    self._levels_of.setdefault(skill, set()).add(level)

    def _ladder(self, skill: str, levels: list[float]) -> None:
        """Add the levels of one skill, each with the value that it adds to the one below, which it needs."""
        lower, below = 0, None
        for level in levels:
            value = self._problem.value.of(skill, level)
            place = self._y[skill, level] = self._variable((value - lower) / MICRO)
            suppliers = {self._x[c.id]: -1.0 for c in self.candidates if _supplies(c, (skill, level))}
            self._rows.append({place: 1.0} | suppliers)
            if below is not None:
                self._rows.append({place: 1.0, below: -1.0})
            lower, below = value, place

    def _needs(self, candidate: Candidate) -> Iterable[int | None]:
        """Yield a variable for each unmet condition of entry; None for one that cannot be met."""
        for skill, level in candidate.low.items():
            if self._start.levels.get(skill, 0.0) < level:
                yield self._y[skill, level]
        for condition in candidate.course.requires:
            if not self._problem.holds(self._start, condition):
                yield self._condition(condition)

    def _condition(self, condition: Prerequisite) -> int | None:
        if condition.any is not UNSET:
            branches = [self._condition(branch) for branch in condition.any]
            place = self._variable()
            self._rows.append({place: 1.0} | {branch: -1.0 for branch in branches if branch is not None})
            return place
        if condition.all is not UNSET:
            place = self._variable()
            for branch in condition.all:
                if not self._problem.holds(self._start, branch):
                    need = self._condition(branch)
                    self._rows.append({place: 1.0} | ({} if need is None else {need: -1.0}))
            return place
        key = _key(self._problem, condition)
        if key is None:
            return None
        return self._x.get(key) if isinstance(key, str) else self._y.get(key)

    def solve(self, seconds: float) -> tuple[list[Candidate], float]:
        """Return the chosen courses and an upper bound in micro-levels."""
        if not self.candidates:
            return [], 0.0
        hours = {self._x[candidate.id]: candidate.hours / MICRO for candidate in self.candidates}
        rows = [hours, dict.fromkeys(hours, 1.0), *self._rows]
        lengths = np.cumsum([0, *map(len, rows)])
        columns = np.array([column for row in rows for column in row], np.int64)
        entries = np.array([entry for row in rows for entry in row.values()])
        matrix = csr_array((entries, columns, lengths), shape=(len(rows), self._count))
        limits = np.zeros(len(rows))
        limits[:2] = self._problem.budget / MICRO, self._problem.steps
        whole = np.zeros(self._count)
        whole[: len(self.candidates)] = 1
        answer = milp(
            -np.array(self._value),
            integrality=whole,
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix, -np.inf, limits),
            options={"time_limit": seconds, "mip_rel_gap": 0.0},
        )
        dual = answer.get("mip_dual_bound")
        bound = np.inf if dual is None or not np.isfinite(dual) else -dual * MICRO
        if answer.x is None:
            return [], bound
        return [candidate for candidate, x in zip(self.candidates, answer.x, strict=False) if x > 0.5], bound

    def cut(self, found: list[Candidate], order: list[Candidate]) -> bool:
        """Forbid courses that only satisfy each other's prerequisites. Return False if there are none."""
        held = self._start.copy()
        for candidate in order:
            self._problem.take(held, candidate)
        closed = [candidate for candidate in found if candidate not in set(order)]
        needs = {need for candidate in closed for need in _unmet(self._problem, held, candidate)}
        inside = {candidate.id for candidate in closed}
        outside = {
            self._x[c.id]: -1.0 for c in self.candidates if c.id not in inside and any(_supplies(c, n) for n in needs)
        }
        for candidate in closed:
            self._rows.append({self._x[candidate.id]: 1.0} | outside)
        return bool(closed)
