"""What paths really gain compared with what they predict. Officers' true levels are drawn, never seen by the planner.

    normal   the true level of each skill is drawn from the belief, N(level, sd); every course of the path is completed
    rounded  the same draw rounded to a whole number on the scale; every course is completed
    whole    rounded, and each course is completed with its own true probability, of which the planner knows what the
             platform counted: one that is not completed teaches nothing, and what needed it is not entered

A completed course lifts the true level to its `to`, as the catalog claims; entry is by the assessed level, as on the
platforms. Gain: weight x the part of the gap between true and required level that is removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from services.recommender.inputs import MICRO
from services.recommender.plan_validator.validate import validate
from services.recommender.planner import pipeline
from shared.paths import LearningPath
from tests.evaluation.problem import Candidate, Problem
from tests.evaluation.worlds import HOURS, generated

NORMAL, ROUNDED, WHOLE = (
    "levels from the normal",
    "whole levels",
    "whole levels, expected at each course's own completion",
)


@dataclass(frozen=True, slots=True)
class Gains:
    """Predicted and realised gains, in weight x level, one per officer; `faults`: paths that the validator rejects.

    Predicted is what all courses gain; for `whole` what is expected as courses are usually completed.
    """

    predicted: dict[str, list[float]]
    realised: dict[str, list[float]]
    faults: int


def simulate_gains(number: int, count: int) -> Gains:
    """Return officers of one generated catalog of 1,000 courses, with 40 hours each."""
    world = generated(1000, 200, 50_000 + number)
    view = world.view()
    chance = np.random.default_rng([number, 5])
    predicted: dict[str, list[float]] = {NORMAL: [], ROUNDED: [], WHOLE: []}
    realised: dict[str, list[float]] = {NORMAL: [], ROUNDED: [], WHOLE: []}
    faults = 0
    for _ in range(count):
        inputs = world.officer(chance, HOURS)
        path = pipeline.recommend(inputs, view)
        faults += bool(validate(path, inputs, view.course))
        for kind in (NORMAL, ROUNDED):
            predicted[kind].append(path.coverage.gained / MICRO)
        predicted[WHOLE].append((path.coverage.expected or 0) / MICRO)
        problem = Problem(inputs, [course for step in path.steps if (course := view.course(step.course.id))])
        true = {
            skill: max(float(chance.normal(want.measured, want.sd)), want.level if want.rests_on_courses else -np.inf)
            for skill, want in problem.value.targets.items()
        }
        top = inputs.framework.max_level
        whole = {skill: min(max(float(np.rint(level)), 0.0), top) for skill, level in true.items()}
        everything, done = _completed(problem, path, world.completing, chance)
        realised[NORMAL].append(removed(problem, true, everything))
        realised[ROUNDED].append(removed(problem, whole, everything))
        realised[WHOLE].append(removed(problem, whole, done))
    return Gains(predicted, realised, faults)


def _completed(
    problem: Problem, path: LearningPath, completing: Mapping[str, float], chance: np.random.Generator
) -> tuple[list[Candidate], list[Candidate]]:
    """Return all courses of the path, and those that are entered and completed when some are not."""
    by_id = {candidate.id: candidate for candidate in problem.candidates}
    everything = [by_id[step.course.id] for step in path.steps]
    state, done = problem.start(), list[Candidate]()
    for candidate in everything:
        if chance.random() < completing[candidate.id] and problem.admits(state, candidate):
            problem.take(state, candidate)
            done.append(candidate)
    return everything, done


def removed(problem: Problem, true: dict[str, float], done: list[Candidate]) -> float:
    """Return the weighted gap, true to required, that the courses remove."""
    total = 0.0
    for skill, want in problem.value.targets.items():
        reached = max((candidate.high.get(skill, 0.0) for candidate in done), default=0.0)
        total += want.weight * max(min(reached, want.required) - true[skill], 0.0) if want.is_gap else 0.0
    return total


def ratio(predicted: list[float], realised: list[float]) -> tuple[float, float, float]:
    """Return sum over sum and its 95 % interval (linearised: officers are independent)."""
    estimated, true = np.array(predicted), np.array(realised)
    value = estimated.sum() / true.sum()
    spread = 1.96 * sqrt(len(estimated) * float(np.var(estimated - value * true, ddof=1))) / float(true.sum())
    return float(value), float(value - spread), float(value + spread)
