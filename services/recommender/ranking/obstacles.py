"""What keeps a skill from rising above the level that a finished path reaches, and how many hours more would do."""

from collections.abc import Iterator

import numpy as np

from services.recommender.model import EXCLUDE, INCLUDE_ONLY, MICRO, MOST_STEPS, Inputs, names_of
from services.recommender.ranking.bundles import assemble
from services.recommender.ranking.index import View
from services.recommender.ranking.names import NAMES, micro
from services.recommender.ranking.outcome import TELLING_VISITS, Planned, course_at
from services.recommender.ranking.pricing import (
    ALL_HOURS,
    COUNT,
    FUEL,
    NO_LIMIT,
)
from services.recommender.ranking.problem import GAINS, GAINS_END, HELD, HOURS_LEFT, PRICES, RANK, STEPS_LEFT
from services.recommender.ranking.reach import FAR
from services.recommender.ranking.reasons import Barred, Obstacle
from services.recommender.ranking.search import (
    SIZE,
    goals_of,
    greedy,
    route_of,
)
from services.recommender.ranking.segments import Segment, within
from shared.skills import Course


def obstacle_of(found: Planned, view: View, skill: str, reached: float) -> Obstacle:
    """Return what keeps a skill at the level that the path reaches."""
    problem, final, bench = found.problem, found.final, found.bench
    ways, prices = problem.ways, problem.at[PRICES]
    gaps = list(found.worth.gaps)
    above = _above(found, gaps.index(skill)) if skill in gaps else []
    near = [way for way in above if final[prices + way] < FAR]
    if not near:
        return _out_of_reach(found, view, skill, reached)
    nearest = min(near, key=lambda way: (final[prices + way], ways[way, RANK]))
    assemble(problem, final, bench, nearest)
    hours, left = int(bench.figures[ALL_HOURS]), max(int(final[HOURS_LEFT]), 0)
    short = (hours / MICRO, left / MICRO) if hours > left else None
    title, crowded = course_at(found, view, nearest).title, bool(bench.figures[COUNT] > final[STEPS_LEFT])
    if found.finishing and short is None and not crowded:
        return Obstacle("kept", title)
    return Obstacle("budget", title, short, crowded)


def _above(found: Planned, gap: int) -> list[int]:
    """Return the courses that would still add to a gap."""
    problem, held = found.problem, found.final[found.problem.at[HELD] + gap]
    first, lengths = problem.ways[:, GAINS], problem.ways[:, GAINS_END] - problem.ways[:, GAINS]
    gains = problem.links[within(first, lengths)].reshape(-1, 2)
    owner = np.repeat(np.arange(len(first)), lengths // 2)
    return [int(way) for way in np.unique(owner[(gains[:, 0] == gap) & (gains[:, 1] > held)])]


def _out_of_reach(found: Planned, view: View, skill: str, reached: float) -> Obstacle:
    """Return what keeps a skill from rising where no course that can be entered and used raises it."""
    above = sorted(_courses_above(found, view, skill, reached), key=lambda course: (course.hours, course.id))
    for course in above:
        if why_barred(found.inputs, course) is None:
            return Obstacle("prerequisite", course.title)
    for course in above:
        return Obstacle("excluded", course.title, barred=why_barred(found.inputs, course) or "rule")
    return Obstacle("no_course")


def _courses_above(found: Planned, view: View, skill: str, reached: float) -> Iterator[Course]:
    number = NAMES.skills.get((found.inputs.framework.id, skill))
    for near, segment in ((False, found.field.base), (True, view.shelf.near[0])):
        for place in _teaching(segment, number, micro(reached)):
            course_id = found.field.course_id(place + found.field.base.size * near)
            if course_id in found.inputs.done or (not near and course_id in view.shelf.beside):
                continue
            if course := view.course(course_id):
                yield course


def _teaching(segment: Segment, skill: int | None, above: int) -> list[int]:
    taught = segment.taught(len(segment.lists) if skill is None else skill)
    return [int(number) for number in taught[taught[:, 1] > above, 0]]


def why_barred(inputs: Inputs, course: Course) -> Barred | None:
    """Return why a course that can be seen is not to be used; None where it is."""
    if course.id in inputs.excluded:
        return "feedback"
    if course.id in inputs.mandatory or course.id in inputs.started:
        return None
    if inputs.languages and set(inputs.languages).isdisjoint(course.languages):
        return "language"
    for rule in inputs.rules:
        if rule.bias in (INCLUDE_ONLY, EXCLUDE) and (rule.bias == EXCLUDE) != rule.names.isdisjoint(
            names_of(rule, course, inputs.framework.id)
        ):
            return "rule"
    return None


def short_of(found: Planned) -> float | None:
    """Return how many hours more would close all that courses can close; None where hours are not missing."""
    if found.inputs.budget_hours is None:
        return None
    problem = found.problem
    state = found.final.copy()
    state[HOURS_LEFT], state[STEPS_LEFT] = NO_LIMIT, MOST_STEPS
    found.bench.figures[FUEL] = TELLING_VISITS
    goals, route = goals_of(problem, state, found.bench), route_of(problem)
    greedy(problem, state, found.bench, goals, 1.0, -1, route)
    if found.bench.figures[FUEL] <= 0:
        return None  # not all was looked at: what was found so far would be too little
    more = NO_LIMIT - int(state[HOURS_LEFT]) - max(int(found.final[HOURS_LEFT]), 0)
    return more / MICRO if route.figures[SIZE] and more > 0 else None
