"""Officers who finish their path: after each course the plan is made again, as the service makes it.

What was promised is kept where the hours left never rise, and where at the end every level is reached that the first
path promised. Half of the officers take the steps in order, the others in any order that can be entered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from msgspec.structs import replace

from services.recommender.inputs import Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner import pipeline
from services.recommender.planner.completions import posterior_targets
from services.recommender.planner.exact.options import course_option
from services.recommender.planner.exact.residual import state_before
from services.recommender.planner.index.catalog import View
from services.recommender.planner.value import ValueFunction
from shared.paths import LearningPath
from tests.evaluation.quality import world_of
from tests.evaluation.worlds import HOURS

MEASURED = datetime(2026, 11, 1, tzinfo=UTC)
BUDGETS = (None, 10.0, HOURS)
SLACK = 1e-6
"""Hours; a millionth."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Officers of one world. `rose`: those whose hours left rose; `missed`: those who did not reach what was promised.

    `faults`: plans that the validator rejects.
    """

    world: str
    officers: int
    courses: int
    rose: int
    missed: int
    faults: int


def finished(name: str, first: int, count: int) -> Finished:
    """Return what becomes of officers `first` to `first + count` of a world."""
    world, view = world_of(name, 0)
    courses = rose = missed = faults = 0
    for number in range(first, first + count):
        chance = np.random.default_rng([number, 22])
        drawn = world.officer(chance, HOURS)
        levels = {skill: replace(held, measured_at=MEASURED) for skill, held in drawn.levels.items()}
        paths, wrong = study(replace(drawn, levels=levels, budget_hours=BUDGETS[number % 3]), view, chance, number % 2)
        courses += len(paths) - 1
        rose += has_risen(paths)
        missed += bool(unreached(paths))
        faults += wrong
    return Finished(name, count, courses, rose, missed, faults)


def study(inputs: Inputs, view: View, chance: np.random.Generator, any_order: int) -> tuple[list[LearningPath], int]:
    """Return the paths from the first to the one without steps, and how many the validator rejects.

    Ends after 100 courses, which no path of these worlds has.
    """
    path = pipeline.recommend(inputs, view)
    paths, faults = [path], int(bool(validate(path, inputs, view.course)))
    while path.steps and len(paths) <= 100:
        course_id = path.steps[0].course.id
        if any_order:
            course_id = str(chance.choice(_enterable(inputs, view, path)))
        done = {**inputs.completed_at, course_id: MEASURED + timedelta(days=len(paths))}
        left = [step.course.id for step in path.steps]
        inputs = replace(inputs, completed_at=done, previous=left, finishing=True)
        path = pipeline.recommend(inputs, view)
        paths.append(path)
        faults += bool(validate(path, inputs, view.course))
    return paths, faults


def _enterable(inputs: Inputs, view: View, path: LearningPath) -> list[str]:
    """Return the steps that can be entered now, whatever their place."""
    targets, entry_levels = posterior_targets(inputs, view.course)
    value = ValueFunction(targets)
    start = state_before(inputs, value, entry_levels)
    specs = [spec for step in path.steps if (spec := view.spec(step.course.id))]
    return [spec.id for spec in specs if start.admits(course_option(inputs, value, spec, spec.hours))]


def has_risen(paths: Sequence[LearningPath]) -> bool:
    """Return whether the hours left rose at any time."""
    return any(after.hours > before.hours + SLACK for before, after in pairwise(paths))


def unreached(paths: Sequence[LearningPath]) -> list[str]:
    """Return the skills that are below the level that the first path promised, or courses without end."""
    reached = {gap.skill: gap.level for gap in paths[-1].gaps}
    short = [gap.skill for gap in paths[0].gaps if reached[gap.skill] < min(gap.reached, gap.required)]
    return short + [step.course.id for step in paths[-1].steps]
