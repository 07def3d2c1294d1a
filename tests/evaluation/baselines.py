"""Other ways to fill a budget, to be compared with the planner. Each yields the courses it takes, in order.

random              any course that can be entered, fits and teaches a skill with a gap
rating              of those the best rated (in generated worlds ratings are drawn apart from everything else)
cosine as ranked    by cosine of the first gaps with what a course teaches; an officer who cannot enter one loses its
                    hours and learns nothing
cosine, filtered    the same list; what cannot be entered or does not fit at the moment is passed over, and the list
                    is read from the top again after every course
cosine, again       as before, with the cosine of the gaps that are left
gain per hour       of what can be entered and fits the course that adds most per hour; prerequisites are not added
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from tests.evaluation.problem import Candidate, Problem, State

RANDOM, RATING, RANKED = "random eligible", "rating", "cosine as ranked"
COSINE, AGAIN, DENSITY = "cosine with filter", "cosine again with filter", "gain per hour with filter"

Choose = Callable[[State, list[Candidate]], Candidate | None]
"""Of what can be entered and fits: the one to take, or None to stop."""


@dataclass(frozen=True, slots=True)
class Point:
    """After so many hours so much is gained (micro-levels)."""

    hours: float
    gained: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method did: the way its gain grew, and the courses that began with an unmet prerequisite."""

    points: list[Point]
    courses: int
    unmet: int = 0

    def at(self, hours: float) -> int:
        """Return what is gained after so many hours."""
        return max((point.gained for point in self.points if point.hours <= hours + 1e-9), default=0)


def baselines(problem: Problem, ratings: Mapping[str, float], seed: int) -> dict[str, Outcome]:
    """Return method -> outcome."""
    chance = np.random.default_rng([seed, 7])
    wanted = [c for c in problem.candidates if c.high.keys() & problem.value.gaps.keys()]
    start = problem.start()
    cosines = {candidate.id: cosine(problem, start, candidate) for candidate in wanted}

    def any_one(_: State, open_: list[Candidate]) -> Candidate:
        return open_[chance.integers(len(open_))]

    def best_rated(_: State, open_: list[Candidate]) -> Candidate:
        return max(open_, key=lambda c: (ratings.get(c.id, 0.0), c.id))

    def most_similar(_: State, open_: list[Candidate]) -> Candidate:
        return max(open_, key=lambda c: (cosines[c.id], c.id))

    def most_similar_now(state: State, open_: list[Candidate]) -> Candidate | None:
        best = max(open_, key=lambda c: (cosine(problem, state, c), c.id))
        return best if cosine(problem, state, best) > 0 else None

    def densest(state: State, open_: list[Candidate]) -> Candidate | None:
        best = max(open_, key=lambda c: (problem.gain(state, c) / c.hours, c.id))
        return best if problem.gain(state, best) else None

    methods: dict[str, Choose] = {
        RANDOM: any_one,
        RATING: best_rated,
        COSINE: most_similar,
        AGAIN: most_similar_now,
        DENSITY: densest,
    }
    outcomes = {name: _filled(problem, wanted, choose) for name, choose in methods.items()}
    outcomes[RANKED] = _as_ranked(problem, sorted(wanted, key=lambda c: (-cosines[c.id], c.id)))
    return outcomes


def cosine(problem: Problem, state: State, candidate: Candidate) -> float:
    """Return the cosine of what is still missing (weight x expected gap) with the levels that a course teaches."""
    gaps = {skill: whole - problem.value.of(skill, state.held[skill]) for skill, whole in problem.value.gaps.items()}
    length = sqrt(sum(gap * gap for gap in gaps.values()))
    taught = {skill: high - candidate.low[skill] for skill, high in candidate.high.items()}
    norm = sqrt(sum(levels * levels for levels in taught.values()))
    if not length or not norm:
        return 0.0
    return sum(gaps.get(skill, 0) * levels for skill, levels in taught.items()) / (length * norm)


def _filled(problem: Problem, wanted: list[Candidate], choose: Choose) -> Outcome:
    state, gained, spent = problem.start(), 0, 0
    points, left = list[Point](), list(wanted)
    while True:
        left = [candidate for candidate in left if spent + candidate.hours <= problem.budget]
        open_ = [candidate for candidate in left if problem.admits(state, candidate)]
        chosen = choose(state, open_) if open_ else None
        if chosen is None:
            return Outcome(points, len(points))
        gained += problem.gain(state, chosen)
        spent += chosen.hours
        problem.take(state, chosen)
        left.remove(chosen)
        points.append(Point(spent / 1e6, gained))


def _as_ranked(problem: Problem, ranked: list[Candidate]) -> Outcome:
    state, gained, spent, unmet = problem.start(), 0, 0, 0
    points = list[Point]()
    for candidate in ranked:
        if spent + candidate.hours > problem.budget:
            break
        spent += candidate.hours
        if problem.admits(state, candidate):
            gained += problem.gain(state, candidate)
            problem.take(state, candidate)
        else:
            unmet += 1
        points.append(Point(spent / 1e6, gained))
    return Outcome(points, len(points), unmet)
